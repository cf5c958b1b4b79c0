/* lowered: one program below the API. Lowered with either schedule for processors of all kinds, it is run by the Tile
 * interpreter, which must give the bits of the reference interpreter; and it is compiled for this processor with caches
 * so small that every product is cut into blocks, packed, and shared between threads. */
#include "codegen/codegen.h"
#include "frontend/frontend.h"
#include "schedule/schedule.h"
#include "tests/random/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Registers, widths and caches that plans depend on. */
static const Target processors[] = {
    {.name = "cpu", .vector_bytes = 32, .vregs = 16, .fma = true, .l1 = 32 << 10, .l2 = 1 << 20, .l3 = 8 << 20},
    {.name = "cpu", .vector_bytes = 64, .vregs = 32, .fma = true, .l1 = 1 << 10, .l2 = 2 << 10, .l3 = 16 << 10},
    {.name = "cpu", .vector_bytes = 16, .vregs = 16, .fma = true, .l1 = 512, .l2 = 1 << 10, .l3 = 4 << 10},
    {.name = "cpu", .vector_bytes = 32, .vregs = 16, .fma = true, .l1 = 2 << 10, .l2 = 4 << 10, .l3 = 32 << 10},
};
enum { PROCESSORS = sizeof processors / sizeof *processors };

typedef struct Lowering {
    Bench *b;
    Arena *mem;
    TeOp *op;
    int64_t sizes[MAX_DIMS]; /* in the op's order */
    Target target;
    SchedMode mode;
    int threads;
} Lowering;

static TeOp *analyse(Lowering *l)
{
    Source *src = NEW(l->mem, Source);
    *src = (Source){"random.te", l->b->text, strlen(l->b->text)};
    Diags d = {.mem = l->mem};
    AstFile *file = fe_parse(l->mem, src, &d);
    TeOp *op = NULL;
    for (int i = 0; i < file->nitems; i++)
        if (file->item[i].op) op = fe_check(l->mem, file, file->item[i].op, 0, NULL, &d);
    return op && sched_check_bounds(op, &d) ? op : NULL;
}

static TileProg *lower(Lowering *l)
{
    int64_t bound[MAX_DIMS];
    for (int i = 0; i < l->op->ndims; i++) bound[i] = l->b->p->fixed[i] ? l->sizes[i] : -1;
    l->target.line = 64;
    l->target.cores = l->threads;
    l->target.fma_per_cycle = 2;
    l->target.fma_latency = 4;
    return sched_lower(l->mem, te_bind(l->mem, l->op, bound), &l->target, l->b->num, l->mode, l->threads, NULL);
}

static void name(const Lowering *l, const char *by, char *to, size_t n)
{
    snprintf(to, n, "%s: %s, %s:%d, %d threads, vectors of %d, %d registers, l1 %d", by,
             l->mode == SCHED_NONE ? "none" : "default", l->b->num.ordered ? "ordered" : "fast", l->b->num.p,
             l->threads, l->target.vector_bytes, l->target.vregs, (int)l->target.l1);
}

static Outcome interpret(Lowering *l, const TileProg *p)
{
    Bench *b = l->b;
    char label[160];
    void *data[MAX_ARGS];
    int64_t index = 0;
    name(l, "tile", label, sizeof label);
    put_arguments(b);
    for (int i = 0; i < b->nargs; i++) data[i] = b->arg[i].data;
    int status = tile_interp(p, l->sizes, data, &index);
    if (status > 0 && b->p->may_fail) return RUN_OK;
    if (status != 0) return fail(b, RUN_MISMATCH, "%s: status %d, index %lld", label, status, (long long)index);
    return compare(b, label);
}

static Outcome compile_and_run(Lowering *l, const TileProg *p)
{
    Bench *b = l->b;
    char label[160], *error = NULL;
    name(l, "compiled", label, sizeof label);
    CgEngine *e = cg_engine_new(&error);
    CgJit jit;
    CgOptions o = {.opt = 2};
    if (!e || !cg_jit(e, p, &l->target, &o, &jit, &error))
        return fail(b, RUN_MISMATCH, "%s: %s", label, error ? error : "no code");
    void *data[MAX_ARGS];
    tensorcc_fault fault = {0};
    put_arguments(b);
    for (int i = 0; i < b->nargs; i++) data[i] = b->arg[i].data;
    int64_t bytes = jit.workspace ? jit.workspace(l->sizes, 1) : 0;
    char *workspace = bytes > 0 ? aligned_alloc(64, (size_t)((bytes + 63) / 64 * 64 + 64)) : NULL;
    if (workspace) memset(workspace + bytes, 0x5a, 64);
    tensorcc_call call = {.data = data, .sizes = l->sizes, .workspace = workspace, .fault = &fault};
    int32_t status = jit.run(&call);
    Outcome r = RUN_OK;
    for (int i = 0; workspace && i < 64; i++)
        if (workspace[bytes + i] != 0x5a) r = fail(b, RUN_MISMATCH, "%s: wrote beyond its workspace", label);
    free(workspace);
    if (r == RUN_OK && status == TENSORCC_KERNEL_FAULT && b->p->may_fail)
        ;
    else if (r == RUN_OK && status != 0)
        r = fail(b, RUN_MISMATCH, "%s: status %d, site %d, index %lld", label, status, fault.site,
                 (long long)fault.index);
    else if (r == RUN_OK)
        r = compare(b, label);
    cg_jit_free(e, &jit);
    cg_engine_free(e);
    return r;
}

/* This processor with the caches of another. */
static bool small_host(Lowering *l)
{
    const Target *t = cg_target(l->mem, "cpu"), *caches = &l->target;
    if (!t) return false;
    Target host = *t;
    host.l1 = caches->l1;
    host.l2 = caches->l2;
    host.l3 = caches->l3;
    l->target = host;
    return true;
}

static Outcome interpret_all(Lowering *l)
{
    for (int way = 0; way < 3; way++) {
        l->mode = way == 0 ? SCHED_NONE : SCHED_DEFAULT;
        l->threads = way == 1 ? 1 : 1 + (int)(l->b->p->seed % 4);
        l->target = processors[way < 2 ? 0 : 1 + l->b->p->seed / 4 % (PROCESSORS - 1)];
        TileProg *p = lower(l);
        const char *broken = p ? tile_verify(l->mem, p) : "not lowered";
        char label[160];
        name(l, "tile", label, sizeof label);
        if (broken) return fail(l->b, RUN_CRASH, "%s: not valid: %s", label, broken);
        Outcome r = l->b->num.ordered ? interpret(l, p) : RUN_OK;
        if (r != RUN_OK) return r;
    }
    return RUN_OK;
}

static Outcome compile_small(Lowering *l)
{
    l->mode = SCHED_DEFAULT;
    l->threads = 1 + (int)(l->b->p->seed % 4);
    l->target = processors[1 + l->b->p->seed % (PROCESSORS - 1)];
    if (!small_host(l)) return RUN_OK;
    TileProg *p = lower(l);
    Text text = {.mem = l->mem};
    if (!p) return fail(l->b, RUN_CRASH, "not lowered");
    tile_print(&text, p);
    return seen_before(l->b, text.s) ? RUN_OK : compile_and_run(l, p);
}

Outcome run_lowered(Bench *b)
{
    Lowering l = {.b = b, .mem = arena_new()};
    l.op = analyse(&l);
    Outcome r = RUN_OK;
    if (!l.op || l.op->nparams != b->nargs)
        r = fail(b, RUN_REJECTED, "lowered: not analysed");
    else {
        for (int i = 0; i < l.op->ndims; i++) l.sizes[i] = b->p->size[i];
        if (!b->o->only_schedule) r = interpret_all(&l);
        if (r == RUN_OK && !b->o->target && !b->o->only_schedule) r = compile_small(&l);
    }
    arena_free(l.mem);
    return r;
}
