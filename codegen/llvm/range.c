/* range: what an index expression can be, from the ranges of dims and loops: a small interval analysis that lets
 * division skip its floor correction, comparisons run on lane numbers, and bounds tests be dropped. Iterative in depth
 * (a limit, not a proof, ends it): unknown is always a right answer. */
#include "codegen/llvm/llvm.h"

enum { DEEP = 16, BUDGET = 400 };
#define FAR (INT64_C(1) << 61)

typedef struct Range {
    const TeOp *op;
    int budget;
} Range;

static bool find(Range *r, const Expr *e, int depth, int64_t *lo, int64_t *hi);

static bool fits(__int128 lo, __int128 hi, int64_t *l, int64_t *h)
{
    if (lo < -FAR || hi > FAR || lo > hi) return false;
    *l = (int64_t)lo;
    *h = (int64_t)hi;
    return true;
}

static bool binary(ExprOp op, const int64_t *a, const int64_t *b, int64_t *lo, int64_t *hi)
{
    switch (op) {
    case EX_ADD: return fits((__int128)a[0] + b[0], (__int128)a[1] + b[1], lo, hi);
    case EX_SUB: return fits((__int128)a[0] - b[1], (__int128)a[1] - b[0], lo, hi);
    case EX_MUL: {
        __int128 v[4] = {(__int128)a[0] * b[0], (__int128)a[0] * b[1], (__int128)a[1] * b[0], (__int128)a[1] * b[1]};
        __int128 l = v[0], h = v[0];
        for (int i = 1; i < 4; i++) {
            l = v[i] < l ? v[i] : l;
            h = v[i] > h ? v[i] : h;
        }
        return fits(l, h, lo, hi);
    }
    case EX_DIV:
        if (b[0] < 1 || a[0] < 0) return false;
        return fits(a[0] / b[1], a[1] / b[0], lo, hi);
    case EX_MOD:
        if (b[0] < 1) return false;
        return fits(0, a[0] >= 0 && a[1] < b[1] - 1 ? a[1] : b[1] - 1, lo, hi);
    case EX_MIN: return fits(a[0] < b[0] ? a[0] : b[0], a[1] < b[1] ? a[1] : b[1], lo, hi);
    case EX_MAX: return fits(a[0] > b[0] ? a[0] : b[0], a[1] > b[1] ? a[1] : b[1], lo, hi);
    default: return false;
    }
}

static bool of_var(Range *r, const Var *v, int depth, int64_t *lo, int64_t *hi)
{
    int64_t a[2], b[2];
    if (!v->lo || !v->hi || !find(r, v->lo, depth, &a[0], &a[1]) || !find(r, v->hi, depth, &b[0], &b[1])) return false;
    return fits(a[0], (__int128)b[1] - 1, lo, hi);
}

static bool find(Range *r, const Expr *e, int depth, int64_t *lo, int64_t *hi)
{
    int64_t a[2], b[2];
    if (depth > DEEP || --r->budget < 0 || e->type != DT_INDEX) return false;
    switch ((ExprOp)e->op) {
    case EX_INT: return fits(e->i, e->i, lo, hi);
    case EX_DIM: {
        const Dim *d = &r->op->dim[e->sym];
        return d->value >= 0 ? fits(d->value, d->value, lo, hi) : fits(d->lo, d->hi, lo, hi);
    }
    case EX_CONST:
        return r->op->cst[e->sym].value && r->op->cst[e->sym].value->op == EX_INT &&
               find(r, r->op->cst[e->sym].value, depth + 1, lo, hi);
    case EX_VAR: return of_var(r, e->var, depth + 1, lo, hi);
    case EX_CAST: {
        const Expr *x = e->arg[0];
        if (x->op == EX_INT) return fits(x->i, x->i, lo, hi);
        if (x->op == EX_CONST && r->op->cst[x->sym].value->op == EX_INT)
            return fits(r->op->cst[x->sym].value->i, r->op->cst[x->sym].value->i, lo, hi);
        return false;
    }
    case EX_NEG: return find(r, e->arg[0], depth + 1, &a[0], &a[1]) && fits(-(__int128)a[1], -(__int128)a[0], lo, hi);
    case EX_ADD:
    case EX_SUB:
    case EX_MUL:
    case EX_DIV:
    case EX_MOD:
    case EX_MIN:
    case EX_MAX:
        return find(r, e->arg[0], depth + 1, &a[0], &a[1]) && find(r, e->arg[1], depth + 1, &b[0], &b[1]) &&
               binary(e->op, a, b, lo, hi);
    default: return false;
    }
}

bool cg_range(const TeOp *op, const Expr *e, int64_t *lo, int64_t *hi)
{
    Range r = {op, BUDGET};
    return find(&r, e, 0, lo, hi);
}
