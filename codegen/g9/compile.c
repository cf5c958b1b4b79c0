/* compile: Tile IR to a G9 module with what the host must know to launch it. */
#include "codegen/g9/g9.h"

#include <string.h>

typedef struct Job {
    G9 *g;
    CgG9 *out;
    bool want_mir;
} Job;

/* Registers that a thread may have for a block to fit: the machine's, shared by the warps of a sub-core. */
static int registers_for(const IsaMachine *m, int block)
{
    int64_t warps = (block + m->chip_warp - 1) / m->chip_warp;
    int64_t each = m->sm_registers / m->sm_subcores / ((warps + m->sm_subcores - 1) / m->sm_subcores);
    int64_t n = each / m->sm_unit * m->sm_unit / m->chip_warp;
    return n < 255 ? (int)n : 255;
}

static const char *source_name(const G9 *g)
{
    for (int i = 0; i < g->p->body.n; i++)
        if (g->p->body.at[i]->span.src) return g->p->body.at[i]->span.src->name;
    return g->op->src ? g->op->src->name : NULL;
}

static void allocate(G9 *g)
{
    for (int i = 0; i < g->kernels.n; i++) {
        MKernel *k = g->kernels.at[i];
#ifndef NDEBUG
        const char *broken = mir_verify(g->mem, k);
        if (broken) g_fail(g, "%s", broken);
#endif
        if (!mir_allocate(k, registers_for(g->machine, k->block)))
            g_fail(g, "%s needs more registers than the machine has", k->name);
    }
}

static void compile(Job *j)
{
    G9 *g = j->g;
    const char *why;
    g_map(g);
    for (int i = 0; i < g->kernels.n; i++) mir_drop_dead(g->kernels.at[i]);
    if (j->want_mir) {
        Text t = {.mem = g->mem};
        text_add(&t, "");
        for (int i = 0; i < g->kernels.n; i++) mir_print(&t, g->kernels.at[i]);
        j->out->mir = t.s;
    }
    allocate(g);
    j->out->module = mir_emit(g->kernels.at, g->kernels.n, g->consts, g->machine, source_name(g), &why);
    if (!j->out->module) g_fail(g, "%s", why);
    j->out->nbuffers = g->buffers.n;
    j->out->buffer = g->buffers.at;
    j->out->nlaunches = g->launches.n;
    j->out->launch = g->launches.at;
}

bool cg_g9(Arena *mem, const TileProg *p, const IsaMachine *machine, bool want_mir, CgG9 *out, const char **error)
{
    const TeOp *op = p->op;
    MConsts consts = {0};
    jmp_buf bail;
    G9 *g = NEW(mem, G9);
    *out = (CgG9){0};
    *g = (G9){.mem = mem,
              .p = p,
              .op = p->op,
              .machine = machine,
              .fast = !p->num.ordered,
              .bail = &bail,
              .consts = &consts,
              .param_at = NEW_ARRAY(mem, int, op->ntensors + 1),
              .dim_at = NEW_ARRAY(mem, int, op->ndims + 1),
              .place = NEW_ARRAY(mem, Place, op->ntensors + 1),
              .var = NEW_ARRAY(mem, Val, op->nvars + 1),
              .let = NEW_ARRAY(mem, const Expr *, op->nvars + 1),
              .memo = NEW_ARRAY(mem, Val, op->nexprs + 1)};
    if (setjmp(bail)) {
        *error = g->error;
        return false;
    }
    compile(&(Job){g, out, want_mir});
    return true;
}
