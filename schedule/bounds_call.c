/* bounds_call.c: what is left to be checked once per call. An access that was neither proved nor refuted becomes a
 * condition on dims that implies it: the index at its least and at its most, each variable at an end of its range,
 *
 *     X[i*K + j] with i in 0..M, j in 0..N     →     M <= 0 || N <= 0 || (0 >= 0 && (M-1)*K + (N-1) < extent)
 *
 * Needs sched_refute to have failed. Such a condition may be too strong, so it is tried: one that would refuse a call
 * at sizes at which every point was seen to be in bounds is dropped. New nodes belong to the op. */
#include "schedule/bounds.h"

typedef struct Ends { /* expressions over dims; lo NULL: there are none */
    Expr *lo, *hi;
} Ends;

static Expr *node(Bounds *b, ExprOp o, DType t, Expr *x, Expr *y, Span s)
{
    return te_node(b->op, o, t, 2, (Expr *[]){x, y}, s);
}

static Expr *number(Bounds *b, int64_t v, Span s) { return te_int(b->op, DT_INDEX, v, s); }

static bool only_dims(const Expr *e)
{
    if (e->op == EX_VAR || e->op == EX_LOAD || e->op == EX_REDUCE) return false;
    for (int i = 0; i < e->nargs; i++)
        if (!only_dims(e->arg[i])) return false;
    return true;
}

static bool at_least(Bounds *b, const Expr *e, int64_t least)
{
    return sched_prove(b, b->root, sched_sym_add(b, sched_sym_of(b, e), sched_sym_const(b, least), -1));
}

static Ends ends_of(Bounds *b, Expr *e);

static Ends both(Bounds *b, const Expr *e, ExprOp o, Ends x, Ends y)
{
    return (Ends){node(b, o, DT_INDEX, x.lo, y.lo, e->span), node(b, o, DT_INDEX, x.hi, y.hi, e->span)};
}

/* x*y, x/y and x%y: where the signs are known */
static Ends scaled(Bounds *b, const Expr *e, Ends x, Ends y)
{
    Ends none = {0};
    Span s = e->span;
    bool fixed = only_dims(e->arg[1]);
    if (e->op == EX_MUL) {
        bool positive = at_least(b, y.lo, 0);
        if (positive && (fixed || at_least(b, x.lo, 0))) return both(b, e, EX_MUL, x, y);
        return none;
    }
    if (!fixed || !at_least(b, y.lo, 1)) return none;
    if (e->op == EX_DIV) return both(b, e, EX_DIV, x, y);
    Expr *most = node(b, EX_SUB, DT_INDEX, y.hi, number(b, 1, s), s);
    if (at_least(b, x.lo, 0)) most = node(b, EX_MIN, DT_INDEX, most, x.hi, s);
    return (Ends){number(b, 0, s), most};
}

static Ends ends_of(Bounds *b, Expr *e)
{
    Ends none = {0}, x, y, z;
    if (e->type != DT_INDEX) return none;
    if (only_dims(e)) return (Ends){e, e};
    switch ((ExprOp)e->op) {
    case EX_VAR:
        x = ends_of(b, e->var->lo);
        y = ends_of(b, e->var->hi);
        if (!x.lo || !y.lo) return none;
        return (Ends){x.lo, node(b, EX_SUB, DT_INDEX, y.hi, number(b, 1, e->span), e->span)};
    case EX_NEG:
        x = ends_of(b, e->arg[0]);
        if (!x.lo) return none;
        return (Ends){te_node(b->op, EX_NEG, DT_INDEX, 1, &x.hi, e->span),
                      te_node(b->op, EX_NEG, DT_INDEX, 1, &x.lo, e->span)};
    case EX_ADD:
    case EX_SUB:
    case EX_MUL:
    case EX_DIV:
    case EX_MOD:
    case EX_MIN:
    case EX_MAX:
        x = ends_of(b, e->arg[0]);
        y = ends_of(b, e->arg[1]);
        if (!x.lo || !y.lo) return none;
        if (e->op == EX_ADD || e->op == EX_MIN || e->op == EX_MAX) return both(b, e, (ExprOp)e->op, x, y);
        if (e->op == EX_SUB) return both(b, e, EX_SUB, x, (Ends){y.hi, y.lo});
        return scaled(b, e, x, y);
    case EX_CLAMP:
        x = ends_of(b, e->arg[0]);
        y = ends_of(b, e->arg[1]);
        z = ends_of(b, e->arg[2]);
        if (!x.lo || !y.lo || !z.lo) return none;
        return both(b, e, EX_MIN, both(b, e, EX_MAX, x, y), z);
    case EX_SELECT:
    case EX_PICK:
        x = ends_of(b, e->arg[1]);
        y = ends_of(b, e->arg[2]);
        if (!x.lo || !y.lo) return none;
        return (Ends){node(b, EX_MIN, DT_INDEX, x.lo, y.lo, e->span), node(b, EX_MAX, DT_INDEX, x.hi, y.hi, e->span)};
    default: return none;
    }
}

Expr *sched_call_check(Bounds *b, const Ctx *ctx, const Question *q)
{
    Span s = q->x->span;
    if (q->ask != ASK_INDEX || !only_dims(q->y)) return NULL;
    Ends x = ends_of(b, (Expr *)q->x);
    if (!x.lo) return NULL;
    Expr *cond = node(b, EX_AND, DT_U1, node(b, EX_GE, DT_U1, x.lo, number(b, 0, s), s),
                      node(b, EX_LT, DT_U1, x.hi, (Expr *)q->y, s), s);
    /* nothing is evaluated where a range is empty, or where a condition on dims excludes it */
    for (const Ctx *c = ctx; c; c = c->up) {
        if (c->kind == CTX_VAR && only_dims(c->var->lo) && only_dims(c->var->hi))
            cond = node(b, EX_OR, DT_U1, node(b, EX_LE, DT_U1, c->var->hi, c->var->lo, s), cond, s);
        if (c->kind == CTX_COND && only_dims(c->cond)) {
            Expr *holds = (Expr *)c->cond;
            if (!c->neg) holds = te_node(b->op, EX_NOT, DT_U1, 1, &holds, s);
            cond = node(b, EX_OR, DT_U1, holds, cond, s);
        }
    }
    return sched_refuses_good(b, ctx, q, cond) ? NULL : cond;
}
