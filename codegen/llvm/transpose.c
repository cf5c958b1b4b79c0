/* transpose: a block of elements that is read along one of its sides and stored along the other, as panels are packed:
 *
 *     for k in … vector W { for j in 0..n unroll { buf[…, k, …, j] = value } }
 *
 * or with the places of a row in two loops, as pairs are. n vectors over k are made, transposed in registers, and
 * stored as W rows of n consecutive elements, where scattering them would take a store each. In 128-bit lanes pairs of
 * units of 1, 2, … elements are interleaved, which is one instruction on x86 (unpcklps, unpcklpd, …); then whole
 * 128-bit parts change places. */
#include "codegen/llvm/llvm.h"

enum { LANE = 16, MOST = 64 }; /* bytes; vectors */

static LLVMValueRef pick2(Fn *f, LLVMValueRef a, LLVMValueRef b, const int *from, int n)
{
    LLVMValueRef ix[64];
    for (int i = 0; i < n; i++) ix[i] = cg_int(f->c->i32, from[i]);
    return LLVMBuildShuffleVector(f->b, a, b, LLVMConstVector(ix, (unsigned)n), "");
}

/* In each part of e elements the low (else high) halves of a and b, unit by unit. */
static LLVMValueRef interleave(Fn *f, LLVMValueRef a, LLVMValueRef b, int w, int e, int unit, bool high)
{
    int from[64];
    for (int i = 0; i < w; i++) {
        int part = i / e * e, in = i % e, place = in / unit;
        from[i] = part + (high ? e / 2 : 0) + place / 2 * unit + in % unit + (place % 2 ? w : 0);
    }
    return pick2(f, a, b, from, w);
}

/* a[0], b[0], a[1], b[1], … */
static LLVMValueRef interleaved(Fn *f, LLVMValueRef a, LLVMValueRef b, int w)
{
    int from[32];
    for (int i = 0; i < 2 * w; i++) from[i] = i / 2 + (i % 2 ? w : 0);
    return pick2(f, a, b, from, 2 * w);
}

/* Parts of e elements, in groups of `far` of them: a's low group with b's low group, or the high ones. */
static LLVMValueRef swap_parts(Fn *f, LLVMValueRef a, LLVMValueRef b, int w, int e, int far, bool high)
{
    int from[64], size = e * far;
    for (int i = 0; i < w; i++) {
        bool second = i / size % 2;
        from[i] = second ? w + i - (high ? 0 : size) : i + (high ? size : 0);
    }
    return pick2(f, a, b, from, w);
}

static int reversed(int x, int n)
{
    int r = 0;
    for (int b = 1; b < n; b *= 2) r = 2 * r + !!(x & b);
    return r;
}

/* v[j][k] of w vectors of w lanes each; row[k] gets v[0][k], v[1][k], … e: elements of 128 bits. */
static void transpose(Fn *f, LLVMValueRef *v, LLVMValueRef *row, int w, int e)
{
    for (int far = 1; far < w; far *= 2)
        for (int i = 0; i < w; i++) {
            if (i & far) continue;
            LLVMValueRef a = v[i], b = v[i + far];
            bool inside = far < e;
            v[i] = inside ? interleave(f, a, b, w, e, far, false) : swap_parts(f, a, b, w, e, far / e, false);
            v[i + far] = inside ? interleave(f, a, b, w, e, far, true) : swap_parts(f, a, b, w, e, far / e, true);
        }
    for (int i = 0; i < w; i++) row[i / e * e + reversed(i % e, e)] = v[i];
}

static bool loads_from(const Expr *e, const Tensor *t)
{
    if (e->op == EX_LOAD && e->load.t == t) return true;
    for (int i = 0; i < te_nchildren(e); i++)
        if (loads_from(te_child(e, i), t)) return true;
    return false;
}

/* What the unrolled iterations store: n rows' places, or n of m places each, side by side. */
typedef struct Side {
    const Stmt *store;
    const Var *outer, *inner; /* inner NULL: one loop */
    int64_t n, m;
} Side;

/* A loop from 0 on inside of the other, all of it unrolled. */
static bool inner_loop(Fn *f, const Stmt *s, Side *q)
{
    int64_t lo, hi;
    if (s->kind != ST_FOR || s->loop.kind != LOOP_UNROLL || s->loop.step != 1 || s->loop.body.n != 1) return false;
    if (!te_eval_size(f->c->op, s->loop.var->lo, &lo) || !te_eval_size(f->c->op, s->loop.var->hi, &hi) || lo != 0 ||
        hi < 2)
        return false;
    q->inner = s->loop.var;
    q->m = hi;
    q->store = s->loop.body.at[0];
    return true;
}

static bool matches(Fn *f, const Stmt *loop, int64_t n, Side *q)
{
    if (loop->loop.body.n != 1 || f->mask.m || n < 2 || n > MOST) return false;
    *q = (Side){.store = loop->loop.body.at[0], .outer = loop->loop.var, .n = n, .m = 1};
    if (inner_loop(f, q->store, q) && (q->m > MOST || n * q->m > MOST)) return false;
    const Stmt *s = q->store;
    if (s->kind != ST_STORE || s->store.stream) return false;
    const Tensor *t = s->store.buf;
    const Place *p = &f->place[t->id];
    int bits = te_type[t->type].bits, e = LANE * 8 / bits, w = f->lanes, sides = q->inner ? 2 : 1;
    int64_t one, row;
    if (bits < 16 || p->lanes != 1 || w < e || w > 16 || (w & (w - 1)) || t->rank < 1 + sides) return false;
    if (!cg_known(p->stride[t->rank - 1], &one) || one != 1) return false;
    if (q->inner && (!cg_known(p->stride[t->rank - 2], &row) || row != q->m)) return false;
    const Var *own[] = {q->inner ? q->inner : q->outer, q->outer};
    for (int i = 0; i < t->rank; i++) {
        const Expr *x = s->store.ix[i];
        int side = t->rank - 1 - i; /* from the last */
        if (side < sides ? x->op != EX_VAR || x->var != own[side]
                         : te_uses_var(x, q->outer) || (q->inner && te_uses_var(x, q->inner)))
            return false;
    }
    return !loads_from(s->store.value, t);
}

static void put(Fn *f, const Side *q, int64_t from, int64_t i)
{
    f->var[q->outer->id] = cg_uni(cg_int(f->c->i64, from + i / q->m));
    if (q->inner) f->var[q->inner->id] = cg_uni(cg_int(f->c->i64, i % q->m));
}

bool cg_transposed(Fn *f, const Stmt *loop, int64_t from, int64_t n)
{
    Side q;
    if (loop->loop.step != 1 || !matches(f, loop, n, &q)) return false;
    const Stmt *s = q.store;
    const Tensor *t = s->store.buf;
    int w = f->lanes, e = LANE * 8 / te_type[t->type].bits, all = (int)(n * q.m);
    Val old = f->var[q.outer->id], none = {0};
    int64_t step;
    int start = cg_mark(f); /* nodes that the place and the value share hold the variables */
    put(f, &q, from, 0);
    Val off = cg_place(f, t, s->store.ix);
    cg_forget(f, start);
    bool fits = off.kind == VAL_AFF && cg_known(off.step, &step) && step >= all;
    LLVMValueRef v[MOST + 16], row[MOST + 16];
    for (int i = 0; fits && i < all; i++) {
        int mark = cg_mark(f);
        put(f, &q, from, i);
        v[i] = cg_encoded(f, t, cg_expr(f, s->store.value));
        cg_forget(f, mark);
    }
    f->var[q.outer->id] = old;
    if (q.inner) f->var[q.inner->id] = none;
    if (!fits) return false;
    if (all == 2 && step == 2) { /* rows of two behind one another: one store */
        cg_store_row(f, t, off.v, interleaved(f, v[0], v[1], w));
        return true;
    }
    int parts = (all + w - 1) / w;
    for (int i = all; i < parts * w; i++) v[i] = LLVMGetPoison(LLVMTypeOf(v[0]));
    for (int g = 0; g < parts; g++) transpose(f, v + g * w, row + g * w, w, e);
    for (int k = 0; k < w; k++)
        for (int g = 0; g < parts; g++) {
            int lanes[16], m = all - g * w < w ? all - g * w : w;
            for (int i = 0; i < m; i++) lanes[i] = i;
            LLVMValueRef x = m < w ? pick2(f, row[g * w + k], row[g * w + k], lanes, m) : row[g * w + k];
            cg_store_row(f, t, cg_add(f, off.v, cg_int(f->c->i64, k * step + g * w)), x);
        }
    return true;
}
