/* mir_verify: what must hold of machine-level IR between passes. */
#include "codegen/g9/mir.h"

#include <stdio.h>

typedef struct Check {
    Arena *mem;
    const MKernel *k;
    bool *placed;
    const char *broken;
} Check;

static void broken(Check *c, const MInst *in, const char *what)
{
    if (!c->broken) c->broken = arena_printf(c->mem, "%s: %s: %s", c->k->name, isa_row[in->i.op].name, what);
}

static void check_register(Check *c, const MInst *in, const IsaOperand *o)
{
    int r = in->r[o->slot], width = mir_width(in, o);
    if (!width || c->k->phys) return;
    if (r < 0 || r >= c->k->reg.n) {
        broken(c, in, "a register that does not exist");
        return;
    }
    int have = c->k->reg.at[r].width, sub = in->part >> o->slot & 1 ? in->sub[o->slot] : -1;
    if (sub < 0 ? have != width : sub % width != 0 || sub + width > have)
        broken(c, in, arena_printf(c->mem, "operand %%%d has %d registers, not %d", r, have, width));
}

static void check_inst(Check *c, const MInst *in)
{
    const char *why;
    IsaInst plain = in->i;
    for (int s = 0; s < ISP_SLOTS; s++) plain.p[s] = 0;
    plain.guard = ISA_PT;
    for (const IsaOperand *o = isa_row[in->i.op].operand; o->kind; o++) {
        check_register(c, in, o);
        bool pred = o->kind == IO_PRED || o->kind == IO_PREDS;
        if (pred && (in->p[o->slot] < M_NONE || in->p[o->slot] >= c->k->npreds))
            broken(c, in, "a predicate that does not exist");
        if (o->kind == IO_TARGET && (in->target < 0 || in->target >= c->k->nblocks || !c->placed[in->target]))
            broken(c, in, "a target that is in no layout");
    }
    if (in->guard < M_NONE || in->guard >= c->k->npreds) broken(c, in, "a guard that does not exist");
    if (!isa_legal(&plain, &why)) broken(c, in, why);
}

const char *mir_verify(Arena *mem, const MKernel *k)
{
    Check c = {.mem = mem, .k = k, .placed = NEW_ARRAY(mem, bool, k->nblocks + 1)};
    for (int i = 0; i < k->layout.n; i++) {
        if (c.placed[k->layout.at[i]->id]) return arena_printf(mem, "%s: block %d twice", k->name, k->layout.at[i]->id);
        c.placed[k->layout.at[i]->id] = true;
    }
    for (int i = 0; i < k->layout.n; i++)
        for (int j = 0; j < k->layout.at[i]->in.n; j++) check_inst(&c, &k->layout.at[i]->in.at[j]);
    const MBlock *last = k->layout.n ? k->layout.at[k->layout.n - 1] : NULL;
    if (!c.broken && (!last || !last->in.n || !mir_ends(&last->in.at[last->in.n - 1])))
        return arena_printf(mem, "%s can run past its end", k->name);
    return c.broken;
}
