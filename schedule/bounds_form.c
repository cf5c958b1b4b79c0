/* bounds_form.c: conditions as formulas over polynomials: rows (p >= 0, p == 0) joined by and, or; a negation is pushed
 * down to the rows. Also what the meaning of an atom says about it.
 *
 * A formula may say less than its condition (a comparison of floats says nothing) but never more, so that proofs hold.
 */
#include "schedule/bounds.h"

static const Form form_true = {.kind = FORM_TRUE}, form_false = {.kind = FORM_FALSE};

const Form *sched_form_row(Bounds *b, const Sym *p, bool eq)
{
    if (!p) return &form_true; /* a fact that cannot be said is left out */
    Range r = sched_sym_range(b, p, NULL);
    if (eq ? r.lo > 0 || r.hi < 0 : r.hi < 0) return &form_false;
    if (eq ? p->n == 0 : r.lo >= 0 && p->n <= 1 && (p->n == 0 || p->t[0].mono == 0)) return &form_true;
    Form *f = NEW(b->mem, Form);
    *f = (Form){.kind = FORM_ROW, .row = {p, eq}};
    return f;
}

static const Form *join(Bounds *b, FormKind kind, int n, const Form *const *arg)
{
    const Form *unit = kind == FORM_AND ? &form_true : &form_false, *zero = kind == FORM_AND ? &form_false : &form_true;
    const Form **keep = NEW_ARRAY(b->mem, const Form *, n ? n : 1);
    int k = 0;
    for (int i = 0; i < n; i++) {
        if (arg[i]->kind == zero->kind) return zero;
        if (arg[i]->kind != unit->kind) keep[k++] = arg[i];
    }
    if (k == 0) return unit;
    if (k == 1) return keep[0];
    Form *f = NEW(b->mem, Form);
    *f = (Form){.kind = kind, .n = k, .arg = keep};
    return f;
}

const Form *sched_form_and(Bounds *b, int n, const Form *const *arg) { return join(b, FORM_AND, n, arg); }
const Form *sched_form_or(Bounds *b, int n, const Form *const *arg) { return join(b, FORM_OR, n, arg); }

static const Form *compare(Bounds *b, ExprOp op, const Expr *l, const Expr *r)
{
    if (te_type[l->type].cls == 'F') return &form_true;
    if (l->type == DT_U1) { /* == and != of truth values */
        bool flip = op == EX_NE;
        if (op != EX_EQ && op != EX_NE) return &form_true;
        const Form *both[2] = {sched_form_of(b, l, false), sched_form_of(b, r, flip)};
        const Form *none[2] = {sched_form_of(b, l, true), sched_form_of(b, r, !flip)};
        const Form *is[2] = {sched_form_and(b, 2, both), sched_form_and(b, 2, none)};
        return sched_form_or(b, 2, is);
    }
    const Sym *x = sched_sym_of(b, l), *y = sched_sym_of(b, r), *one = sched_sym_const(b, 1);
    const Sym *up = sched_sym_add(b, y, x, -1), *down = sched_sym_add(b, x, y, -1); /* r - l, l - r */
    switch (op) {
    case EX_LE: return sched_form_row(b, up, false);
    case EX_GE: return sched_form_row(b, down, false);
    case EX_LT: return sched_form_row(b, sched_sym_add(b, up, one, -1), false);
    case EX_GT: return sched_form_row(b, sched_sym_add(b, down, one, -1), false);
    case EX_EQ: return sched_form_row(b, up, true);
    default: {
        const Form *is[2] = {sched_form_row(b, sched_sym_add(b, up, one, -1), false),
                             sched_form_row(b, sched_sym_add(b, down, one, -1), false)};
        return sched_form_or(b, 2, is);
    }
    }
}

static ExprOp opposite(ExprOp op)
{
    switch (op) {
    case EX_LT: return EX_GE;
    case EX_GE: return EX_LT;
    case EX_GT: return EX_LE;
    case EX_LE: return EX_GT;
    case EX_EQ: return EX_NE;
    default: return EX_EQ;
    }
}

/* FORM_TRUE stands for what says nothing too: a comparison of floats, a reduction. */
const Form *sched_form_of(Bounds *b, const Expr *e, bool neg)
{
    const Form *is[2];
    switch ((ExprOp)e->op) {
    case EX_INT: return (e->i != 0) != neg ? &form_true : &form_false;
    case EX_CONST: {
        const Expr *v = b->op->cst[e->sym].value;
        return v ? sched_form_of(b, v, neg) : &form_true;
    }
    case EX_NOT: return sched_form_of(b, e->arg[0], !neg);
    case EX_AND:
    case EX_OR:
        is[0] = sched_form_of(b, e->arg[0], neg);
        is[1] = sched_form_of(b, e->arg[1], neg);
        return (e->op == EX_AND) != neg ? sched_form_and(b, 2, is) : sched_form_or(b, 2, is);
    case EX_EQ:
    case EX_NE:
    case EX_LT:
    case EX_LE:
    case EX_GT:
    case EX_GE: return compare(b, neg ? opposite((ExprOp)e->op) : (ExprOp)e->op, e->arg[0], e->arg[1]);
    case EX_SELECT:
    case EX_PICK: {
        const Form *x[2] = {sched_form_of(b, e->arg[0], false), sched_form_of(b, e->arg[1], neg)};
        const Form *y[2] = {sched_form_of(b, e->arg[0], true), sched_form_of(b, e->arg[2], neg)};
        is[0] = sched_form_and(b, 2, x);
        is[1] = sched_form_and(b, 2, y);
        return sched_form_or(b, 2, is);
    }
    case EX_CAST: /* u1(x) is x != 0 */
        if (te_type[e->arg[0]->type].cls == 'F') return &form_true;
        if (e->arg[0]->type == DT_U1) return sched_form_of(b, e->arg[0], neg);
        is[0] = sched_form_row(b, sched_sym_add(b, sched_sym_of(b, e->arg[0]), sched_sym_const(b, 1), -1), false);
        is[1] = sched_form_row(b, sched_sym_add(b, sched_sym_const(b, -1), sched_sym_of(b, e->arg[0]), -1), false);
        return neg ? sched_form_row(b, sched_sym_of(b, e->arg[0]), true) : sched_form_or(b, 2, is);
    case EX_LOAD:
        return sched_form_row(b, sched_sym_add(b, sched_sym_opaque(b, e), sched_sym_const(b, neg ? 0 : 1), -1), true);
    default: return &form_true;
    }
}

/* ---- what atoms mean ------------------------------------------------------------------------------------------- */

static const Sym *minus(Bounds *b, const Sym *x, const Sym *y) { return sched_sym_add(b, x, y, -1); }

/* b > 0: 0 <= a - b*q <= b-1; b < 0: b+1 <= a - b*q <= 0 */
static const Form *quotient_fact(Bounds *b, const Atom *a, const Sym *q, bool neg)
{
    const Sym *one = sched_sym_const(b, 1), *zero = sched_sym_const(b, 0);
    const Sym *r = minus(b, a->a, sched_sym_mul(b, a->b, q));
    const Sym *low = neg ? minus(b, minus(b, r, a->b), one) : r;
    const Sym *high = neg ? minus(b, zero, r) : minus(b, minus(b, a->b, one), r);
    const Form *f[2] = {sched_form_row(b, low, false), sched_form_row(b, high, false)};
    return sched_form_and(b, 2, f);
}

static const Form *range_fact(Bounds *b, const Atom *a, const Sym *self)
{
    const Form *f[2] = {&form_true, &form_true};
    if (a->range.lo > RANGE_LEAST) f[0] = sched_form_row(b, minus(b, self, sched_sym_const(b, a->range.lo)), false);
    if (a->range.hi < RANGE_MOST) f[1] = sched_form_row(b, minus(b, sched_sym_const(b, a->range.hi), self), false);
    return sched_form_and(b, 2, f);
}

static const Form *extreme_fact(Bounds *b, const Atom *a, const Sym *self)
{
    const Sym *x = minus(b, a->a, self), *y = minus(b, a->b, self), *zero = sched_sym_const(b, 0);
    int64_t sign = a->kind == ATOM_MIN ? 1 : -1;
    const Form *is[2] = {sched_form_row(b, x, true), sched_form_row(b, y, true)};
    const Form *f[3] = {sched_form_row(b, sched_sym_add(b, zero, x, sign), false),
                        sched_form_row(b, sched_sym_add(b, zero, y, sign), false), sched_form_or(b, 2, is)};
    return sched_form_and(b, 3, f);
}

static const Form *choice_fact(Bounds *b, const Atom *a, const Sym *self)
{
    const Form *x[2] = {sched_form_of(b, a->e, false), sched_form_row(b, minus(b, a->a, self), true)};
    const Form *y[2] = {sched_form_of(b, a->e, true), sched_form_row(b, minus(b, a->b, self), true)};
    const Form *is[2] = {sched_form_and(b, 2, x), sched_form_and(b, 2, y)};
    return sched_form_or(b, 2, is);
}

const Form *sched_atom_fact(Bounds *b, const Atom *a, bool neg)
{
    const Sym *self = sched_sym_mono(b, a->mono, 1);
    switch (a->kind) {
    case ATOM_DIM:
    case ATOM_OPAQUE: return range_fact(b, a, self);
    case ATOM_QUOT: return quotient_fact(b, a, self, neg);
    case ATOM_MIN:
    case ATOM_MAX: return extreme_fact(b, a, self);
    case ATOM_PICK: return choice_fact(b, a, self);
    case ATOM_VAR: break; /* its range is a fact of the context */
    }
    return &form_true;
}
