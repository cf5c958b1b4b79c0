/* linear: index expressions as sums of multiples of atoms, so that differences and quotients of what loops make out of
 * their variables come out simple. An atom is whatever is no sum: a variable, a dim, a min. */
#include "schedule/plan.h"

#include <stdlib.h>

static void add_term(Lower *l, Lin *a, Expr *atom, int64_t k)
{
    for (int i = 0; i < a->n; i++) {
        if (!low_same(l, a->t[i].atom, atom)) continue;
        a->overflow |= __builtin_add_overflow(a->t[i].k, k, &a->t[i].k);
        if (!a->t[i].k) a->t[i] = a->t[--a->n];
        return;
    }
    if (!k) return;
    if (a->n == LIN_MAX) {
        a->overflow = true;
        return;
    }
    a->t[a->n].atom = atom;
    a->t[a->n++].k = k;
}

static void add(Lower *l, Lin *a, Expr *e, int64_t k)
{
    int64_t v;
    if (ix_known(l, e, &v)) {
        a->overflow |= __builtin_mul_overflow(v, k, &v) || __builtin_add_overflow(a->c, v, &a->c);
        return;
    }
    if (e->op == EX_ADD || e->op == EX_SUB) {
        add(l, a, e->arg[0], k);
        add(l, a, e->arg[1], e->op == EX_SUB ? -k : k);
        return;
    }
    if (e->op == EX_MUL)
        for (int i = 0; i < 2; i++)
            if (ix_known(l, e->arg[i], &v) && !__builtin_mul_overflow(v, k, &v)) {
                add(l, a, e->arg[1 - i], v);
                return;
            }
    add_term(l, a, e, k);
}

Lin lin_of(Lower *l, Expr *e)
{
    Lin a = {0};
    add(l, &a, e, 1);
    return a;
}

Lin lin_add(Lower *l, Lin a, Lin b, int64_t k)
{
    int64_t c;
    a.overflow |= b.overflow || __builtin_mul_overflow(b.c, k, &c) || __builtin_add_overflow(a.c, c, &a.c);
    for (int i = 0; i < b.n; i++) {
        int64_t kk;
        a.overflow |= __builtin_mul_overflow(b.t[i].k, k, &kk);
        add_term(l, &a, b.t[i].atom, kk);
    }
    return a;
}

Expr *lin_expr(Lower *l, const Lin *a)
{
    Expr *sum = NULL;
    bool plus = false;
    for (int i = 0; i < a->n; i++) plus |= a->t[i].k > 0;
    int64_t c = a->c;
    if (!plus && a->n && c > 0) sum = ix_int(l, c), c = 0;
    for (int pass = 0; pass < 2; pass++) /* what is added first, so that no difference stands alone in front */
        for (int i = 0; i < a->n; i++) {
            int64_t k = a->t[i].k;
            if ((k < 0) != (pass == 1)) continue;
            Expr *term = ix_op(l, EX_MUL, a->t[i].atom, ix_int(l, k < 0 ? -k : k));
            sum = !sum ? (k < 0 ? ix_op(l, EX_SUB, ix_int(l, 0), term) : term)
                       : ix_op(l, k < 0 ? EX_SUB : EX_ADD, sum, term);
        }
    if (!sum) return ix_int(l, c);
    return ix_op(l, c < 0 ? EX_SUB : EX_ADD, sum, ix_int(l, c < 0 ? -c : c));
}

Expr *lin_sub(Lower *l, Expr *a, Expr *b)
{
    Lin x = lin_of(l, a), y = lin_of(l, b), d = lin_add(l, x, y, -1);
    return d.overflow ? ix_op(l, EX_SUB, a, b) : lin_expr(l, &d);
}

/* Is 0 <= a < by? Variables of loops run from 0 to what low_limit says. */
static bool within(Lower *l, const Lin *a, int64_t by)
{
    int64_t most = a->c;
    if (a->c < 0) return false;
    for (int i = 0; i < a->n; i++) {
        int64_t limit = low_limit(l, a->t[i].atom), step;
        if (limit < 0 || a->t[i].k < 0 || __builtin_mul_overflow(limit, a->t[i].k, &step) ||
            __builtin_add_overflow(most, step, &most))
            return false;
    }
    return most < by;
}

static int64_t common(int64_t a, int64_t b) { return b ? common(b, a % b) : a; }

static bool atom_multiple(Lower *l, Expr *e, int64_t by)
{
    int64_t k;
    switch (e->op) {
    case EX_MIN:
    case EX_MAX: return lin_multiple(l, e->arg[0], by) && lin_multiple(l, e->arg[1], by);
    case EX_DIM: return l->op->dim[e->sym].multiple && l->op->dim[e->sym].multiple % by == 0;
    case EX_MUL: return lin_multiple(l, e->arg[0], by) || lin_multiple(l, e->arg[1], by);
    case EX_DIV:
        return ix_known(l, e->arg[1], &k) && k > 0 && !__builtin_mul_overflow(k, by, &k) &&
               lin_multiple(l, e->arg[0], k);
    default: return false;
    }
}

bool lin_multiple(Lower *l, Expr *e, int64_t by)
{
    if (by <= 1) return by == 1;
    Lin a = lin_of(l, e);
    if (a.overflow || a.c % by) return false;
    for (int i = 0; i < a.n; i++) {
        int64_t k = a.t[i].k;
        if (k % by && (k == INT64_MIN || !atom_multiple(l, a.t[i].atom, by / common(by, k < 0 ? -k : k)))) return false;
    }
    return true;
}

void lin_divide(Lower *l, Expr *e, int64_t by, Expr **q, Expr **r)
{
    Expr *g = ix_int(l, by);
    if (by > 0 && (e->op == EX_MIN || e->op == EX_MAX) && lin_multiple(l, e, by)) {
        *q = ix_op(l, EX_DIV, e, g);
        *r = ix_int(l, 0);
        return;
    }
    Lin a = lin_of(l, e), quotient = {0}, rest = {0};
    if (!a.overflow && by > 0) {
        for (int i = 0; i < a.n; i++)
            if (a.t[i].k % by == 0)
                add_term(l, &quotient, a.t[i].atom, a.t[i].k / by);
            else
                add_term(l, &rest, a.t[i].atom, a.t[i].k);
        int64_t low = ((a.c % by) + by) % by;
        quotient.c = (a.c - low) / by;
        rest.c = low;
        if (!rest.overflow && within(l, &rest, by)) {
            *q = lin_expr(l, &quotient);
            *r = lin_expr(l, &rest);
            return;
        }
        Expr *more = rest.overflow ? NULL : lin_expr(l, &rest);
        if (more && lin_multiple(l, more, by)) {
            *q = ix_op(l, EX_ADD, lin_expr(l, &quotient), ix_op(l, EX_DIV, more, g));
            *r = ix_int(l, 0);
            return;
        }
    }
    *q = ix_op(l, EX_DIV, e, g);
    *r = ix_op(l, EX_MOD, e, g);
}

int64_t lin_least(const Lower *l, const Expr *e)
{
    int64_t n, a, b;
    if (ix_known(l, e, &n)) return n;
    if (e->op == EX_DIM) return l->op->dim[e->sym].lo;
    if (e->op != EX_ADD && e->op != EX_MUL && e->op != EX_DIV && e->op != EX_MIN && e->op != EX_MAX) return INT64_MIN;
    a = lin_least(l, e->arg[0]);
    b = lin_least(l, e->arg[1]);
    if (e->op == EX_MAX) return a > b ? a : b;
    if (e->op == EX_MIN) return a < b ? a : b;
    if (a < 0 || b < (e->op == EX_DIV)) return INT64_MIN;
    if (e->op == EX_DIV) return ix_known(l, e->arg[1], &b) ? a / b : 0;
    return (e->op == EX_ADD ? __builtin_add_overflow(a, b, &n) : __builtin_mul_overflow(a, b, &n)) ? INT64_MIN : n;
}
