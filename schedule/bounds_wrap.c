/* bounds_wrap.c: the proof computes with integers, the program with 64 bits. What depends on data is opaque to the
 * proof where it could wrap around; what depends on sizes alone is small for nearly every program, because a dim is
 * below 2^31 unless its range says otherwise. Where it is not,
 *
 *     X[(i*N + j)*K + k]     →     f64(M)*f64(N)*f64(K) < 9.2e18
 *
 * is checked once per call: a bound of the magnitude, computed where nothing wraps. It is not asked where a tensor of
 * that many elements is passed in anyway. New nodes belong to the op.
 */
#include <math.h>

#include "schedule/bounds.h"

#define MOST_ELEMENTS (INT64_C(1) << 50) /* no tensor has as many */
#define MOST          9.2e18             /* below 2^63 by more than doubles round off */

typedef struct Wrap {
    Bounds *b;
    uint8_t *seen; /* by Expr.id */
    double *size;
    Wraps *found;
    void *to;
} Wrap;

static bool leaf(const Expr *e)
{
    switch ((ExprOp)e->op) {
    case EX_NEG:
    case EX_ABS:
    case EX_ADD:
    case EX_SUB:
    case EX_MUL:
    case EX_DIV:
    case EX_MOD:
    case EX_MIN:
    case EX_MAX:
    case EX_CLAMP:
    case EX_SELECT:
    case EX_PICK: return false;
    default: return true;
    }
}

/* ---- without a check ------------------------------------------------------------------------------------------- */

static double magnitude(const Bounds *b, const Sym *p)
{
    Range r = sched_sym_range(b, p, NULL);
    return r.lo <= RANGE_LEAST || r.hi >= RANGE_MOST ? INFINITY : fmax((double)r.hi, -(double)r.lo);
}

/* Is a tensor passed in that has at least so many elements? */
static bool in_a_tensor(Bounds *b, int mono)
{
    for (int t = 0; mono >= 0 && t < b->op->ntensors; t++) {
        const Tensor *x = b->op->tensor[t];
        if (x->kind == TK_LET) continue;
        const Sym *count = sched_sym_const(b, 1);
        for (int i = 0; count && i < x->rank; i++) count = sched_sym_mul(b, count, sched_sym_of(b, x->shape[i]));
        if (!count || count->n != 1) continue;
        int rest = sched_mono_quotient(b, count->t[0].mono, mono);
        if (rest >= 0 && sched_mono_range(b, rest, NULL).lo >= 1) return true;
    }
    return false;
}

/* A variable is below the end of its range: i*N is below M*N. */
static double mono_magnitude(Bounds *b, int mono)
{
    double r = magnitude(b, sched_sym_mono(b, mono, 1));
    if (r < (double)MOST_ELEMENTS) return r;
    Mono of = b->mono.at[mono];
    int most = 0;
    for (int i = 0; i < of.n && most >= 0; i++) {
        Atom a = b->atom.at[of.atom[i]];
        const Sym *end = a.kind == ATOM_VAR ? sched_sym_of(b, a.var->hi) : NULL;
        bool one = end && end->n == 1 && end->t[0].c == 1 && a.range.lo >= 0;
        most = sched_mono_product(b, most, one ? end->t[0].mono : a.mono);
    }
    return in_a_tensor(b, most) ? (double)MOST_ELEMENTS : r;
}

/* A bound of |e|; infinite where something in e may wrap around. */
static double size_of(Wrap *w, const Expr *e)
{
    Bounds *b = w->b;
    if (e->id < b->nexprs && w->size[e->id] > 0) return w->size[e->id];
    const Sym *p = sched_sym_of(b, e);
    double whole = magnitude(b, p), of[3] = {0}, most = 0, r;
    for (int i = 0; !leaf(e) && i < e->nargs; i++) {
        of[i] = e->arg[i]->type == DT_U1 ? 0 : size_of(w, e->arg[i]);
        most = fmax(most, of[i]);
    }
    switch ((ExprOp)e->op) {
    case EX_ADD:
    case EX_SUB: r = of[0] + of[1]; break;
    case EX_MUL: r = of[0] * of[1]; break;
    case EX_DIV: r = of[0]; break;
    case EX_MOD: r = fmin(of[0], of[1]); break;
    default: r = leaf(e) ? whole : most;
    }
    double terms = 0;
    for (int i = 0; i < p->n; i++) terms += fabs((double)p->t[i].c) * mono_magnitude(b, p->t[i].mono);
    r = fmin(r, fmin(whole, terms));
    if (most == INFINITY || r >= MOST) r = INFINITY;
    if (e->id < b->nexprs) w->size[e->id] = fmax(r, 1);
    return r;
}

/* ---- the same at run time --------------------------------------------------------------------------------------- */

static Expr *real(Bounds *b, ExprOp o, Expr *x, Expr *y)
{
    return te_node(b->op, o, DT_F64, 2, (Expr *[]){x, y}, x->span);
}

static Expr *bound_of(Bounds *b, Expr *e)
{
    if (e->op == EX_VAR) /* not of data: e is not */
        return real(b, EX_ADD, bound_of(b, e->var->lo), bound_of(b, e->var->hi));
    if (e->op == EX_INT) return te_float(b->op, DT_F64, fmax(1, fabs((double)e->i)), e->span);
    if (leaf(e)) {
        Expr *x = te_cast(b->op, DT_F64, e, e->span);
        x = te_node(b->op, EX_ABS, DT_F64, 1, &x, e->span);
        return real(b, EX_MAX, x, te_float(b->op, DT_F64, 1, e->span));
    }
    Expr *sum = NULL;
    for (int i = e->op == EX_SELECT || e->op == EX_PICK; i < e->nargs; i++) {
        Expr *x = bound_of(b, e->arg[i]);
        sum = !sum ? x : real(b, e->op == EX_MUL ? EX_MUL : EX_ADD, sum, x);
    }
    return sum;
}

static Expr *less(Bounds *b, Expr *x, double most)
{
    return te_node(b->op, EX_LT, DT_U1, 2, (Expr *[]){x, te_float(b->op, DT_F64, most, x->span)}, x->span);
}

/* ---- which ------------------------------------------------------------------------------------------------------ */

static bool computes(const Expr *e)
{
    return e->type == DT_INDEX && !leaf(e) && e->op != EX_SELECT && e->op != EX_PICK;
}

/* used: the proof relies on it, in an index, a range, a condition; a value may wrap around as it likes */
static void visit(Wrap *w, Expr *e, bool used)
{
    Bounds *b = w->b;
    int as = used ? 2 : 1;
    if (e->id < b->nexprs && w->seen[e->id] >= as) return;
    if (e->id < b->nexprs) w->seen[e->id] = (uint8_t)as;
    if (used && computes(e) && !sched_is_data(b, e)) {
        if (size_of(w, e) == INFINITY) w->found(w->to, e, less(b, bound_of(b, e), MOST));
        return;
    }
    bool red = e->op == EX_REDUCE;
    for (int i = 0, n = te_nchildren(e); i < n; i++) {
        Expr *x = te_child(e, i);
        bool index = e->op == EX_LOAD && i < e->nargs, cond = e->op == EX_SELECT && i == 0;
        visit(w, x, used || index || cond || (red && x != e->red->body));
    }
}

void sched_find_wraps(Bounds *b, Wraps *found, void *to)
{
    const TeOp *op = b->op;
    Wrap w = {b, NEW_ARRAY(b->mem, uint8_t, b->nexprs + 1), NEW_ARRAY(b->mem, double, b->nexprs + 1), found, to};
    for (int i = 0; i < op->nwhere; i++) visit(&w, op->check[i].cond, true);
    for (int t = 0; t < op->ntensors; t++)
        for (int i = 0; i < op->tensor[t]->rank; i++) visit(&w, op->tensor[t]->shape[i], true);
    for (int i = 0; i < op->ndefs; i++) {
        for (int k = 0; k < op->def[i]->nix; k++) {
            visit(&w, op->def[i]->ix[k]->lo, true);
            visit(&w, op->def[i]->ix[k]->hi, true);
        }
        visit(&w, op->def[i]->rhs, false);
    }
}
