/* range: what an index expression can be, from the ranges of dims and loops: a small interval analysis that lets
 * division skip its floor correction, comparisons run on lane numbers, bounds tests be dropped, and short vector loops
 * be one vector. Either end may be unknown, which is always a right answer: limits on depth and work end it, not
 * proofs. */
#include "codegen/codegen.h"

enum { DEEP = 16, BUDGET = 400 };
#define FAR (INT64_C(1) << 61) /* ends beyond this count as unknown, so that sums of a few cannot wrap */

typedef struct Interval {
    int64_t lo, hi; /* INT64_MIN, INT64_MAX: unknown */
} Interval;

typedef struct Range {
    const TeOp *op;
    int budget;
} Range;

static const Interval all = {INT64_MIN, INT64_MAX};

static Interval make(__int128 lo, __int128 hi)
{
    return (Interval){lo < -FAR  ? INT64_MIN
                      : lo > FAR ? FAR
                                 : (int64_t)lo,
                      hi > FAR    ? INT64_MAX
                      : hi < -FAR ? -FAR
                                  : (int64_t)hi};
}

static bool low(Interval a) { return a.lo != INT64_MIN; }
static bool high(Interval a) { return a.hi != INT64_MAX; }
static bool both(Interval a) { return low(a) && high(a); }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a ^ b) < 0); }

static Interval sum(Interval a, Interval b)
{
    Interval r = make((__int128)a.lo + b.lo, (__int128)a.hi + b.hi);
    if (!low(a) || !low(b)) r.lo = INT64_MIN;
    if (!high(a) || !high(b)) r.hi = INT64_MAX;
    return r;
}

static Interval negative(Interval a) { return (Interval){high(a) ? -a.hi : INT64_MIN, low(a) ? -a.lo : INT64_MAX}; }

static Interval product(Interval a, Interval b)
{
    if (!both(a) || !both(b))
        return low(a) && low(b) && a.lo >= 0 && b.lo >= 0 ? make((__int128)a.lo * b.lo, INT64_MAX) : all;
    __int128 v[4] = {(__int128)a.lo * b.lo, (__int128)a.lo * b.hi, (__int128)a.hi * b.lo, (__int128)a.hi * b.hi};
    __int128 l = v[0], h = v[0];
    for (int i = 1; i < 4; i++) {
        l = v[i] < l ? v[i] : l;
        h = v[i] > h ? v[i] : h;
    }
    return make(l, h);
}

/* By a positive divisor, which brings values nearer to 0 or leaves them. */
static Interval quotient(Interval a, Interval b)
{
    if (!low(b) || b.lo < 1) return all;
    Interval r = all;
    if (low(a)) r.lo = a.lo < 0 ? floor_div(a.lo, b.lo) : high(b) ? a.lo / b.hi : 0;
    if (high(a)) r.hi = a.hi >= 0 ? a.hi / b.lo : high(b) ? floor_div(a.hi, b.hi) : -1;
    return r;
}

static Interval remainder_of(Interval a, Interval b)
{
    if (!low(b) || b.lo < 1) return all;
    int64_t most = high(b) ? b.hi - 1 : INT64_MAX;
    return (Interval){0, low(a) && a.lo >= 0 ? smaller(most, a.hi) : most};
}

static Interval find(Range *r, const Expr *e, int depth);

static Interval of_var(Range *r, const Var *v, int depth)
{
    if (!v->lo || !v->hi) return all;
    Interval lo = find(r, v->lo, depth), hi = find(r, v->hi, depth);
    return (Interval){lo.lo, high(hi) && hi.hi > INT64_MIN + 1 ? hi.hi - 1 : INT64_MAX};
}

static Interval literal(const TeOp *op, const Expr *e)
{
    const Expr *x = e->op == EX_CONST ? op->cst[e->sym].value : e;
    return x && x->op == EX_INT && x->type != DT_U64 ? make(x->i, x->i) : all;
}

static Interval find(Range *r, const Expr *e, int depth)
{
    if (depth > DEEP || --r->budget < 0 || e->type != DT_INDEX) return all;
    switch ((ExprOp)e->op) {
    case EX_INT:
    case EX_CONST: return literal(r->op, e);
    case EX_CAST: return literal(r->op, e->arg[0]);
    case EX_DIM: {
        const Dim *d = &r->op->dim[e->sym];
        return d->value >= 0 ? make(d->value, d->value) : make(d->lo, d->hi);
    }
    case EX_VAR: return of_var(r, e->var, depth + 1);
    case EX_NEG: return negative(find(r, e->arg[0], depth + 1));
    case EX_ADD:
    case EX_SUB:
    case EX_MUL:
    case EX_DIV:
    case EX_MOD:
    case EX_MIN:
    case EX_MAX: break;
    default: return all;
    }
    Interval a = find(r, e->arg[0], depth + 1), b = find(r, e->arg[1], depth + 1);
    switch ((ExprOp)e->op) {
    case EX_ADD: return sum(a, b);
    case EX_SUB: return sum(a, negative(b));
    case EX_MUL: return product(a, b);
    case EX_DIV: return quotient(a, b);
    case EX_MOD: return remainder_of(a, b);
    case EX_MIN: return (Interval){smaller(a.lo, b.lo), smaller(a.hi, b.hi)};
    default: return (Interval){larger(a.lo, b.lo), larger(a.hi, b.hi)};
    }
}

bool cg_range(const TeOp *op, const Expr *e, int64_t *lo, int64_t *hi)
{
    Range r = {op, BUDGET};
    Interval v = find(&r, e, 0);
    *lo = v.lo;
    *hi = v.hi;
    return both(v);
}

bool cg_at_most(const TeOp *op, const Expr *lo, const Expr *hi, int64_t n)
{
    Range r = {op, BUDGET};
    Interval a = find(&r, lo, 0), b = find(&r, hi, 0);
    if (low(a) && high(b) && b.hi - a.lo <= n) return true;
    /* lo .. min(lo + n, …) */
    if (hi->op != EX_MIN) return false;
    for (int i = 0; i < 2; i++) {
        const Expr *x = hi->arg[i];
        Interval d = x->op == EX_ADD ? find(&r, x->arg[1], 0) : all;
        if (x->op == EX_ADD && high(d) && d.hi <= n &&
            (x->arg[0] == lo || (x->arg[0]->op == EX_VAR && lo->op == EX_VAR && x->arg[0]->var == lo->var)))
            return true;
    }
    return false;
}
