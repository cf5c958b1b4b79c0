/* verify: what a module must hold before it runs. Relies on module.c's reader (or asm.c) for the shape of the
 * container. */
#include "isa/isa_priv.h"

#include <string.h>

enum { ANY_WARP = 32 }; /* without a machine, fragments are those of warps of 32 */

typedef struct Check {
    const IsaModule *m;
    const IsaKernel *k;
    const IsaMachine *machine;
    IsaErrors *e;
    uint32_t at; /* in the kernel */
    int warp;
} Check;

static int line_of(const Check *c)
{
    const char *file;
    int line;
    bool known = isa_module_line(c->m, c->k->first + c->at, &file, &line);
    return known && c->e->name && !strcmp(c->e->name, file) ? line : 0;
}

static const char *label_none(void *of, int64_t at)
{
    (void)of, (void)at;
    return NULL;
}

/* Reports at the instruction; its text is the first argument. */
#define REPORT(c, code, in, ...)                                                                                       \
    do {                                                                                                               \
        IsaText text_ = {0};                                                                                           \
        isa_print_inst(&text_, in, label_none, NULL, 0);                                                               \
        int line_ = line_of(c);                                                                                        \
        isa_error((c)->e, code, line_, 1, 1, text_.s ? text_.s : "", __VA_ARGS__);                                     \
        isa_text_free(&text_);                                                                                         \
    } while (0)

static bool is_uniform(const IsaInst *in, const IsaOperand *o)
{
    int form = isa_flex(in) == o ? (in->form >= IFORM_IMM2 ? in->form - 3 : in->form) : IFORM_REG;
    return o->kind == IO_UREG || o->kind == IO_UFLEX || form == IFORM_UREG;
}

static void range(Check *c, const IsaInst *in, bool uniform, int reg, int width, int align)
{
    if (reg == (uniform ? ISA_URZ : ISA_RZ)) return;
    int have = (int)(uniform ? c->k->uregisters : c->k->registers);
    if (reg % align) REPORT(c, IE_G102_ALIGN, in, reg, width, align);
    if (reg + width > have) REPORT(c, IE_G103_BEYOND, in, reg + width - 1, have, c->k->name);
}

static void bank(Check *c, const IsaInst *in, const IsaOperand *o)
{
    bool constants = in->imm >> 16;
    uint32_t from = in->imm & 0xffff, size = 4u * (uint32_t)isa_width(in, o, c->warp),
             have = constants ? c->m->const_bytes : c->k->param_bytes;
    if (from + size > ((have + 3) & ~3u))
        REPORT(c, IE_G109_PARAM, in, from, from + size - 1, have, constants ? "constants" : "parameters");
}

static void operand(Check *c, const IsaInst *in, const IsaOperand *o)
{
    bool flexed = isa_flex(in) == o;
    int form = flexed ? (in->form >= IFORM_IMM2 ? in->form - 3 : in->form) : IFORM_REG;
    switch (o->kind) {
    case IO_REG:
    case IO_FLEX:
    case IO_UREG:
    case IO_UFLEX:
        if (form == IFORM_BANK) bank(c, in, o);
        if (form == IFORM_REG || form == IFORM_UREG)
            range(c, in, is_uniform(in, o), in->r[o->slot], isa_width(in, o, c->warp), isa_align(in, o, c->warp));
        break;
    case IO_GLOBAL:
    case IO_GLOBALH:
        if (in->r[IS_B] != ISA_URZ) {
            range(c, in, true, in->r[IS_B], 2, 2);
            range(c, in, false, in->r[o->slot], 1, 1);
        } else {
            range(c, in, false, in->r[o->slot], 2, 2);
        }
        break;
    case IO_GLOBAL1: range(c, in, false, in->r[o->slot], 2, 2); break;
    case IO_SHARED: range(c, in, true, in->r[IS_B], 1, 1); /* fallthrough */
    case IO_SHARED1:
    case IO_SHAREDD:
    case IO_LOCAL:
    case IO_CONST:
    case IO_PARAM: range(c, in, false, in->r[o->slot], 1, 1); break;
    case IO_TARGET: {
        int64_t to = (int64_t)c->at + 1 + (int32_t)in->imm;
        if (to < 0 || to >= c->k->count) REPORT(c, IE_G104_TARGET, in, c->k->name);
        break;
    }
    default: break;
    }
}

/* The coordinates of a tile copy are as many registers as it has dimensions. */
static void tile(Check *c, const IsaInst *in)
{
    if (in->op == G9_TILEG2S || in->op == G9_TILES2G) range(c, in, false, in->r[IS_B], isa_mod_of(in, IG_DIMS) + 1, 1);
}

static void resources(Check *c)
{
    const IsaMachine *m = c->machine;
    const IsaKernel *k = c->k;
    int64_t threads = k->block[0] ? (int64_t)k->block[0] * k->block[1] * k->block[2] : 1;
    int64_t blocks = k->cluster[0] ? (int64_t)k->cluster[0] * k->cluster[1] * k->cluster[2] : 1;
    int64_t warps = (threads + m->chip_warp - 1) / m->chip_warp, regs = k->registers * m->chip_warp;
    regs = (regs + m->sm_unit - 1) / m->sm_unit * m->sm_unit;
    int64_t per_core = (warps + m->sm_subcores - 1) / m->sm_subcores * regs, have = m->sm_registers / m->sm_subcores;
    if (k->shared > m->shared_block)
        isa_error(c->e, IE_G106_RESOURCE, 0, 0, 0, k->name, (long long)k->shared, "bytes of shared memory", m->name,
                  (long long)m->shared_block);
    if (threads > m->sm_threads)
        isa_error(c->e, IE_G106_RESOURCE, 0, 0, 0, k->name, (long long)threads, "threads in a block", m->name,
                  (long long)m->sm_threads);
    else if (per_core > have)
        isa_error(c->e, IE_G106_RESOURCE, 0, 0, 0, k->name, (long long)per_core, "registers on a sub-core", m->name,
                  (long long)have);
    if (blocks > m->chip_cluster)
        isa_error(c->e, IE_G106_RESOURCE, 0, 0, 0, k->name, (long long)blocks, "blocks in a cluster", m->name,
                  (long long)m->chip_cluster);
}

static void kernel(Check *c)
{
    IsaInst in = {0};
    const char *why = "";
    bool ends = false;
    for (c->at = 0; c->at < c->k->count; c->at++) {
        if (!isa_decode(c->m->code[c->k->first + c->at], &in, &why)) {
            isa_error(c->e, IE_G101_BITS, 0, 0, 0, c->at, c->k->name, why);
            return;
        }
        for (const IsaOperand *o = isa_row[in.op].operand; o->kind; o++) operand(c, &in, o);
        tile(c, &in);
        if (c->machine && !isa_machine_has(c->machine, &in, &why)) REPORT(c, IE_G107_LACKS, &in, c->machine->name, why);
        ends = in.guard == ISA_PT &&
               (in.op == G9_EXIT || in.op == G9_TRAP || in.op == G9_RET || in.op == G9_BRA || in.op == G9_BRX);
    }
    if (!ends) isa_error(c->e, IE_G105_END, 0, 0, 0, c->k->name);
    if (c->machine) resources(c);
}

bool isa_verify(const IsaModule *m, const IsaMachine *machine, IsaErrors *e)
{
    int before = e->count;
    for (int i = 0; i < m->nkernels; i++) {
        Check c = {.m = m,
                   .k = &m->kernel[i],
                   .machine = machine,
                   .e = e,
                   .warp = machine ? (int)machine->chip_warp : ANY_WARP};
        kernel(&c);
    }
    if (machine && m->machine_hash && m->machine_hash != machine->hash)
        isa_error(e, IE_G204_HASH, 0, 0, 0, m->machine, machine->name);
    return e->count == before;
}

/* ---- what a kernel uses
 * ---------------------------------------------------------------------------------------------------- */

static void use(uint32_t *most, int reg, int width, int none)
{
    if (reg != none && (uint32_t)(reg + width) > *most) *most = (uint32_t)(reg + width);
}

void isa_count_registers(const IsaModule *m, IsaKernel *k, int warp)
{
    uint32_t r = 0, u = 0;
    IsaInst in;
    for (uint32_t i = 0; i < k->count; i++) {
        if (!isa_decode(m->code[k->first + i], &in, NULL)) continue;
        for (const IsaOperand *o = isa_row[in.op].operand; o->kind; o++) {
            bool flexed = isa_flex(&in) == o;
            int form = flexed ? (in.form >= IFORM_IMM2 ? in.form - 3 : in.form) : IFORM_REG,
                w = isa_width(&in, o, warp);
            switch (o->kind) {
            case IO_REG:
            case IO_FLEX:
            case IO_UREG:
            case IO_UFLEX:
                if (form != IFORM_REG && form != IFORM_UREG) break;
                if (is_uniform(&in, o))
                    use(&u, in.r[o->slot], w, ISA_URZ);
                else
                    use(&r, in.r[o->slot], w, ISA_RZ);
                break;
            case IO_GLOBAL:
            case IO_GLOBALH:
            case IO_GLOBAL1:
                if (o->kind != IO_GLOBAL1 && in.r[IS_B] != ISA_URZ) {
                    use(&u, in.r[IS_B], 2, ISA_URZ);
                    use(&r, in.r[o->slot], 1, ISA_RZ);
                } else {
                    use(&r, in.r[o->slot], 2, ISA_RZ);
                }
                break;
            case IO_SHARED: use(&u, in.r[IS_B], 1, ISA_URZ); /* fallthrough */
            case IO_SHARED1:
            case IO_SHAREDD:
            case IO_LOCAL:
            case IO_CONST:
            case IO_PARAM: use(&r, in.r[o->slot], 1, ISA_RZ); break;
            default: break;
            }
        }
        if (in.op == G9_TILEG2S || in.op == G9_TILES2G) use(&r, in.r[IS_B], isa_mod_of(&in, IG_DIMS) + 1, ISA_RZ);
    }
    k->registers = r > 255 ? 255 : r;
    k->uregisters = u > 63 ? 63 : u;
}
