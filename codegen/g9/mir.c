/* mir: building the machine-level IR and asking what its instructions use. Everything follows from the rows of g9.def.
 */
#include "codegen/g9/mir.h"

#include <string.h>

MKernel *mir_kernel(Arena *mem, const char *name)
{
    MKernel *k = NEW(mem, MKernel);
    k->mem = mem;
    k->name = name;
    return k;
}

MBlock *mir_block(MKernel *k)
{
    MBlock *b = NEW(k->mem, MBlock);
    b->id = k->nblocks++;
    return b;
}

void mir_place(MKernel *k, MBlock *b) { VEC_PUSH(k->mem, &k->layout, b); }

int mir_reg(MKernel *k, int width)
{
    VEC_PUSH(k->mem, &k->reg, (MReg){(uint8_t)width});
    return k->reg.n - 1;
}

int mir_pred(MKernel *k) { return k->npreds++; }

MInst mir_inst(IsaOp op)
{
    MInst in = {.i = isa_inst(op), .guard = M_NONE, .target = M_NONE};
    for (int s = 0; s < IS_SLOTS; s++) in.r[s] = M_NONE;
    for (int s = 0; s < ISP_SLOTS; s++) in.p[s] = M_NONE;
    in.i.guard = 0;
    memset(in.i.p, 0, sizeof in.i.p);
    return in;
}

bool mir_ends(const MInst *in)
{
    bool always = in->guard == M_NONE && !(in->i.guard & 8);
    return always && (in->i.op == G9_BRA || in->i.op == G9_EXIT || in->i.op == G9_TRAP || in->i.op == G9_RET);
}

static bool is_address(const IsaOperand *o) { return o->kind >= IO_GLOBAL && o->kind <= IO_PARAM; }

int mir_width(const MInst *in, const IsaOperand *o)
{
    if (in->r[o->slot] == M_NONE) return 0;
    if (o->kind == IO_REG) return isa_width(&in->i, o, 32);
    if (o->kind == IO_FLEX) return isa_flex(&in->i) == o ? 0 : isa_width(&in->i, o, 32);
    if (!is_address(o)) return 0;
    bool pair = o->kind == IO_GLOBAL || o->kind == IO_GLOBALH || o->kind == IO_GLOBAL1;
    return pair ? 2 : 1;
}

static void add(MUse *out, int *n, int id, unsigned kind)
{
    if (id != M_NONE) out[(*n)++] = (MUse){id, (uint8_t)kind};
}

int mir_uses(const MInst *in, MUse *out)
{
    int n = 0;
    bool guarded = in->guard != M_NONE;
    add(out, &n, in->guard, MU_READ | MU_PRED);
    for (const IsaOperand *o = isa_row[in->i.op].operand; o->kind; o++) {
        bool write = o->flags & IOF_WRITE;
        unsigned as = write ? MU_WRITE | (guarded ? MU_PARTIAL : 0u) : MU_READ;
        if (o->kind == IO_PRED) add(out, &n, in->p[o->slot], MU_PRED | MU_WRITE | (guarded ? MU_PARTIAL : 0u));
        if (o->kind == IO_PREDS) add(out, &n, in->p[o->slot], MU_PRED | MU_READ);
        if (!mir_width(in, o)) continue;
        if (write && in->part >> o->slot & 1) as |= MU_PARTIAL;
        add(out, &n, in->r[o->slot], as);
    }
    return n;
}

bool mir_same(const MInst *a, const MInst *b)
{
    if (memcmp(&a->i, &b->i, sizeof a->i) != 0 || a->guard != b->guard || a->target != b->target || a->part != b->part)
        return false;
    for (const IsaOperand *o = isa_row[a->i.op].operand; o->kind; o++) {
        int s = o->slot;
        if (o->flags & IOF_WRITE || o->kind == IO_PRED) continue;
        if (o->kind == IO_PREDS && a->p[s] != b->p[s]) return false;
        bool reg = o->kind == IO_REG || o->kind == IO_FLEX || is_address(o);
        if (reg && (a->r[s] != b->r[s] || a->sub[s] != b->sub[s])) return false;
    }
    return true;
}
