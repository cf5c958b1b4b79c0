/* math_build: makes MathPrograms: appends instructions (equal ones once), drops the dead, and places the values of a
 * finished program in the scratch memory of num_math_run.
 *
 * Placement. A value lies in one unit (32-bit types and truth values) or two (64-bit types) of MATH_LANES × 4 bytes.
 * Constants keep their place throughout, so that they are written once per run; others free it after their last use.
 * BITS shares its operand's place. Inputs lie in the caller's arrays and the result is written to the caller's. */
#include "ir/math_priv.h"

static int arity(MathOp op)
{
    static const uint8_t nargs[MO_COUNT] = {
#define MATH(ID, n) [MO_##ID] = n,
#include "ir/mathops.def"
#undef MATH
    };
    return nargs[op];
}

V math_emit(B *b, MathOp op, MathType type, V x, V y, V z, uint64_t bits)
{
    MathInst inst = {.op = (uint8_t)op, .type = (uint8_t)type, .arg = {(uint16_t)x, (uint16_t)y, (uint16_t)z}};
    inst.bits = bits;
    for (int i = 0; i < b->n; i++) {
        const MathInst *p = &b->at[i];
        if (p->op == op && p->type == type && p->arg[0] == x && p->arg[1] == y && p->arg[2] == z && p->bits == bits)
            return i;
    }
    if (b->n == MATH_INSTS) {
        b->full = true;
        return b->n - 1;
    }
    b->at[b->n] = inst;
    return b->n++;
}

V math_poly(B *b, V x, int n, const double *c)
{
    V p = fconst(b, x, c[n - 1]);
    for (int i = n - 2; i >= 0; i--) p = ffma(b, p, x, fconst(b, x, c[i]));
    return p;
}

/* Marks what the result needs and moves it together. */
static int compact(const B *b, V result, MathInst *at)
{
    bool live[MATH_INSTS] = {false};
    uint16_t to[MATH_INSTS];
    int n = 0;
    live[result] = true;
    for (int i = result; i >= 0; i--)
        for (int k = 0; live[i] && k < arity((MathOp)b->at[i].op); k++) live[b->at[i].arg[k]] = true;
    for (int i = 0; i <= result; i++) {
        if (!live[i]) continue;
        at[n] = b->at[i];
        for (int k = 0; k < arity((MathOp)at[n].op); k++) at[n].arg[k] = to[at[n].arg[k]];
        to[i] = (uint16_t)n++;
    }
    return n;
}

typedef struct Places {
    int units, nfree[3];
    uint16_t free[3][MATH_INSTS]; /* by size */
} Places;

static int size_of(MathType t) { return t == MT_F64 || t == MT_I64 ? 2 : 1; }

static int take(Places *p, int size)
{
    if (p->nfree[size]) return p->free[size][--p->nfree[size]];
    p->units += size;
    return p->units - size;
}

/* Gives every value its place; the scratch memory needed, in units. */
static int place(const MathInst *at, int n, uint16_t *slot)
{
    Places p = {0};
    int root[MATH_INSTS], last[MATH_INSTS]; /* whose place a value shares; the last instruction that reads the place */
    for (int i = 0; i < n; i++) {
        root[i] = at[i].op == MO_BITS ? root[at[i].arg[0]] : i;
        last[i] = i;
        for (int k = 0; k < arity((MathOp)at[i].op); k++) last[root[at[i].arg[k]]] = i;
    }
    for (int i = 0; i < n; i++)
        if (at[i].op == MO_CONST) slot[i] = (uint16_t)take(&p, size_of((MathType)at[i].type));
    for (int i = 0; i < n; i++) {
        if (at[i].op == MO_CONST) continue;
        for (int k = 0; k < arity((MathOp)at[i].op); k++) {
            int r = root[at[i].arg[k]], size = size_of((MathType)at[r].type);
            if (last[r] != i || at[r].op == MO_CONST || at[r].op == MO_IN) continue;
            p.free[size][p.nfree[size]++] = slot[r];
            last[r] = -1; /* read twice by one instruction: freed once */
        }
        slot[i] = 0;
        if (root[i] != i)
            slot[i] = slot[root[i]];
        else if (at[i].op != MO_IN && i + 1 < n)
            slot[i] = (uint16_t)take(&p, size_of((MathType)at[i].type));
    }
    return p.units;
}

int math_finish(B *b, V result, MathProg *out, MathInst *at, uint16_t *slot, int room)
{
    if (b->full || room < MATH_INSTS) return 0;
    int n = compact(b, result, at), units = place(at, n, slot);
    if (units > MATH_UNITS) return 0;
    out->n = n;
    out->result = n - 1;
    out->at = at;
    out->slot = slot;
    out->units = units;
    return n;
}
