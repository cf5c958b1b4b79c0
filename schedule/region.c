/* region: which part of a tensor the definitions inside one iteration of a loop read, as a box. Its size is over dims
 * only, so that buffers can be laid out before a call; where that does not come out, the whole dimension is taken. */
#include <string.h>

#include "schedule/emit.h"

/* lo … hi, both included, with a size that is known; what of it can occur is at most clo … chi. */
typedef struct Interval {
    Expr *lo, *hi, *clo, *chi; /* lo NULL: anything */
} Interval;

typedef struct Reader {
    Plan *p;
    PlanDef *d;
} Reader;

static Interval of_expr(Reader *r, Expr *e);
static Interval of_sum(Lower *l, Interval a, Interval b, bool minus);
static const Interval anything;

static Interval point(Expr *e) { return (Interval){e, e, e, e}; }

static Interval of_iter(Reader *r, Iter *it)
{
    Lower *l = r->p->l;
    Expr *v = iter_value(r->p, it), *zero = ix_int(l, 0), *one = ix_int(l, 1);
    if (v) return point(v);
    if (it->by && it->by->kind == IT_OUTER && iter_any_open(it)) {
        Interval o = of_iter(r, it->by), i = of_iter(r, it->by->with);
        if (!o.lo || !i.lo) return anything;
        Expr *f = ix_int(l, it->by->factor), *off = it->by->with->off;
        if (off) i = of_sum(l, i, point(off), false);
        Interval s = {
            ix_op(l, EX_ADD, ix_op(l, EX_MUL, o.lo, f), i.lo), ix_op(l, EX_ADD, ix_op(l, EX_MUL, o.hi, f), i.hi),
            ix_op(l, EX_ADD, ix_op(l, EX_MUL, o.clo, f), i.clo), ix_op(l, EX_ADD, ix_op(l, EX_MUL, o.chi, f), i.chi)};
        bool whole = it->by->with->ext && !it->by->with->by,
             last = iter_value(r->p, it->by) && !iter_any_open(it->by->with);
        if (whole || last) return s; /* whole tiles; or the inner extent already is what is left */
        if (it->kind != IT_ROOT || it->ext || !te_has_load(it->var->hi))
            s.chi = ix_op(l, EX_MIN, s.chi, lin_sub(l, iter_extent(r->p, it), one));
        return s;
    }
    if (it->kind == IT_INNER) { /* its nominal extent, so that the size does not depend on where the tile stands */
        Expr *last = ix_int(l, (it->ext && it->ext->op == EX_INT ? it->ext->i : it->factor) - 1);
        return (Interval){zero, last, zero, lin_sub(l, iter_extent(r->p, it), one)};
    }
    if (it->kind == IT_ROOT && !it->ext) {
        Interval lo = of_expr(r, it->var->lo), hi = of_expr(r, it->var->hi);
        if (!lo.lo || !hi.lo) return anything;
        return (Interval){zero, lin_sub(l, lin_sub(l, hi.hi, lo.lo), one), zero,
                          lin_sub(l, ix_op(l, EX_SUB, hi.chi, lo.clo), one)};
    }
    Expr *n = iter_extent(r->p, it), *most = it->size ? it->size : iter_nominal(r->p, it);
    return (Interval){zero, lin_sub(l, most, one), zero, lin_sub(l, n, one)};
}

static Interval of_var(Reader *r, Var *v)
{
    Lower *l = r->p->l;
    for (int i = 0; i < r->d->nroots; i++) {
        Iter *it = r->d->root[i];
        if (it->var != v) continue;
        Interval s = of_iter(r, it), lo = it->lo ? point(it->lo) : of_expr(r, v->lo);
        if (!s.lo || !lo.lo) return anything;
        return (Interval){ix_op(l, EX_ADD, lo.lo, s.lo), ix_op(l, EX_ADD, lo.hi, s.hi), ix_op(l, EX_ADD, lo.clo, s.clo),
                          ix_op(l, EX_ADD, lo.chi, s.chi)};
    }
    Interval lo = of_expr(r, v->lo), hi = of_expr(r, v->hi);
    if (!lo.lo || !hi.lo) return anything;
    Expr *one = ix_int(l, 1);
    return (Interval){lo.lo, lin_sub(l, hi.hi, one), lo.clo, lin_sub(l, hi.chi, one)};
}

static Interval of_sum(Lower *l, Interval a, Interval b, bool minus)
{
    ExprOp o = minus ? EX_SUB : EX_ADD;
    return (Interval){ix_op(l, o, a.lo, minus ? b.hi : b.lo), ix_op(l, o, a.hi, minus ? b.lo : b.hi),
                      ix_op(l, o, a.clo, minus ? b.chi : b.clo), ix_op(l, o, a.chi, minus ? b.clo : b.chi)};
}

static Interval of_product(Lower *l, Interval a, int64_t k)
{
    Expr *f = ix_int(l, k);
    Interval s = {ix_op(l, EX_MUL, a.lo, f), ix_op(l, EX_MUL, a.hi, f), ix_op(l, EX_MUL, a.clo, f),
                  ix_op(l, EX_MUL, a.chi, f)};
    return k >= 0 ? s : (Interval){s.hi, s.lo, s.chi, s.clo};
}

/* floor((lo + d) / k) <= floor(lo / k) + floor(d / k) + 1 */
static Interval of_quotient(Lower *l, Interval a, int64_t k)
{
    Expr *f = ix_int(l, k), *lo = ix_op(l, EX_DIV, a.lo, f);
    Expr *more =
        ix_op(l, EX_ADD, ix_op(l, EX_DIV, lin_sub(l, a.hi, a.lo), f), ix_int(l, low_same(l, a.lo, a.hi) ? 0 : 1));
    return (Interval){lo, ix_op(l, EX_ADD, lo, more), ix_op(l, EX_DIV, a.clo, f), ix_op(l, EX_DIV, a.chi, f)};
}

static Interval of_expr(Reader *r, Expr *e)
{
    Lower *l = r->p->l;
    int64_t k;
    if (e->op == EX_VAR) return of_var(r, e->var);
    if (te_has_load(e) || te_has_reduce(e)) return anything;
    if (te_nchildren(e) == 0 || ix_known(l, e, &k)) return point(low_expr(l, e));
    if (e->op == EX_CAST && e->type == DT_INDEX && e->arg[0]->type == DT_INDEX) return of_expr(r, e->arg[0]);
    if (e->nargs != 2 || e->type != DT_INDEX) return anything;
    Interval a = of_expr(r, e->arg[0]), b = of_expr(r, e->arg[1]);
    if (!a.lo || !b.lo) return anything;
    bool folds = e->op == EX_ADD || e->op == EX_SUB || e->op == EX_MUL || e->op == EX_DIV || e->op == EX_MOD ||
                 e->op == EX_MIN || e->op == EX_MAX;
    if (folds && low_same(l, a.lo, a.hi) && low_same(l, b.lo, b.hi)) return point(ix_op(l, (ExprOp)e->op, a.lo, b.lo));
    bool constant = low_same(l, b.lo, b.hi) && ix_known(l, b.lo, &k);
    switch (e->op) {
    case EX_ADD: return of_sum(l, a, b, false);
    case EX_SUB: return of_sum(l, a, b, true);
    case EX_MUL:
        if (constant) return of_product(l, a, k);
        if (low_same(l, a.lo, a.hi) && ix_known(l, a.lo, &k)) return of_product(l, b, k);
        return anything;
    case EX_DIV: return constant && k > 0 ? of_quotient(l, a, k) : anything;
    default: return anything;
    }
}

/* ---- boxes
 * ------------------------------------------------------------------------------------------------------------
 */
/* The smaller of a and b (or the greater) when their difference is a number. */
static Expr *further(Lower *l, Expr *a, Expr *b, bool greater)
{
    int64_t d;
    Expr *diff = lin_sub(l, a, b);
    if (!ix_known(l, diff, &d)) return NULL;
    return (d > 0) == greater ? a : b;
}

static Interval both(Lower *l, Interval a, Interval b)
{
    if (!a.lo || !b.lo) return anything;
    Expr *lo = further(l, a.lo, b.lo, false), *hi = further(l, a.hi, b.hi, true);
    if (!lo || !hi) return anything;
    return (Interval){lo, hi, ix_op(l, EX_MIN, a.clo, b.clo), ix_op(l, EX_MAX, a.chi, b.chi)};
}

typedef struct Box {
    const Tensor *t;
    bool any;
    Interval *dim;
    bool *clip;  /* by dimension: the box may reach beyond the tensor */
    Expr *other; /* of guarded reads */
    bool differ; /* these have several */
} Box;

static bool same_constant(const Expr *a, const Expr *b)
{
    if (a->op != b->op || a->type != b->type) return false;
    return a->op == EX_FLOAT ? !memcmp(&a->f, &b->f, sizeof a->f)
           : a->op == EX_INT ? a->i == b->i
                             : a->op == EX_CONST && a->sym == b->sym;
}

static void add_other(Box *b, Expr *other)
{
    if (!b->other) b->other = other;
    b->differ |= !same_constant(b->other, other);
}

/* An index variable over exactly this dimension. */
static bool spans(Lower *l, const Expr *ix, const Tensor *t, int dim)
{
    int64_t zero;
    /* A range that depends on others is not looked at where these may not be open. */
    return ix->op == EX_VAR && ix_known(l, ix->var->lo, &zero) && zero == 0 && ix_over_dims(ix->var->hi) &&
           low_same(l, low_expr(l, ix->var->hi), low_expr(l, t->shape[dim]));
}

static void add_reads(Reader *r, Box *b, char *seen, Expr *e)
{
    if (seen[e->id]) return;
    seen[e->id] = 1;
    if (e->op == EX_LOAD && e->load.t == b->t) {
        for (int i = 0; i < e->nargs; i++) {
            Interval s = of_expr(r, e->arg[i]);
            b->dim[i] = b->any ? both(r->p->l, b->dim[i], s) : s;
            b->clip[i] |= !ix_over_dims(e->arg[i]) && !spans(r->p->l, e->arg[i], b->t, i);
        }
        if (e->load.other) add_other(b, e->load.other);
        b->any = true;
    }
    for (int i = 0; i < te_nchildren(e); i++) add_reads(r, b, seen, te_child(e, i));
}

static void add_write(Reader *r, Box *b)
{
    if (!plan_writes(r->d, b->t)) return;
    for (int i = 0; i < r->d->w->nix; i++) {
        Interval s = of_var(r, r->d->w->ix[i]);
        b->dim[i] = b->any ? both(r->p->l, b->dim[i], s) : s;
    }
    b->any = true;
}

/* Is c computed inside loop `at` of d? */
static bool inside(const PlanDef *c, const PlanDef *d, const Iter *at)
{
    for (; c->in; c = c->in)
        if (c->in == d && plan_index(d, c->at) >= plan_index(d, at)) return true;
    return false;
}

static Expr *plus_one(Lower *l, Expr *e)
{
    Lin a = lin_of(l, e);
    a.overflow |= __builtin_add_overflow(a.c, 1, &a.c);
    return a.overflow ? ix_op(l, EX_ADD, e, ix_int(l, 1)) : lin_expr(l, &a);
}

static Region region(Plan *p, PlanDef *d, Iter *at, const Tensor *t, bool written)
{
    Lower *l = p->l;
    Box b = {.t = t, .dim = NEW_ARRAY(l->mem, Interval, t->rank + 1), .clip = NEW_ARRAY(l->mem, bool, t->rank + 1)};
    for (int i = d->copies ? -1 : 0; i < p->n; i++) {
        PlanDef *c = i < 0 ? d : &p->def[i];
        if (c->w->gone || (c != d && !inside(c, d, at))) continue;
        Reader r = {p, c};
        add_reads(&r, &b, arena_alloc(l->mem, (size_t)l->op->nexprs + 1), c->w->rhs);
        if (written) add_write(&r, &b);
    }
    Region g = {NEW_ARRAY(l->mem, Expr *, t->rank + 1), NEW_ARRAY(l->mem, Expr *, t->rank + 1),
                NEW_ARRAY(l->mem, Expr *, t->rank + 1), NEW_ARRAY(l->mem, Expr *, t->rank + 1), NULL};
    const View *from = low_view(l, t); /* a copy out of a copy: there is no more than this holds */
    bool all_there = !from;
    for (int i = 0; i < t->rank; i++) {
        Expr *zero = ix_int(l, 0), *all = low_expr(l, t->shape[i]);
        Interval s = b.dim[i];
        Expr *size = s.lo ? plus_one(l, lin_sub(l, s.hi, s.lo)) : NULL;
        if ((!b.any || !size || !ix_over_dims(size)) && from && from->held) {
            g.lo[i] = from->held->lo[i];
            g.from[i] = from->held->from[i];
            g.to[i] = from->held->to[i];
            g.size[i] = from->held->size[i];
            continue;
        }
        if (!b.any || !size || !ix_over_dims(size)) {
            g.lo[i] = g.from[i] = zero;
            g.to[i] = g.size[i] = all;
            all_there &= !b.clip[i];
            continue;
        }
        g.lo[i] = s.lo;
        g.size[i] = size->op == EX_DIM ? size : ix_op(l, EX_MAX, size, zero);
        Expr *to = plus_one(l, s.chi);
        g.from[i] = b.clip[i] ? ix_op(l, EX_MAX, s.clo, zero) : s.clo;
        g.to[i] = b.clip[i] ? ix_op(l, EX_MIN, to, all) : to;
    }
    if (all_there && b.any && !b.differ) g.other = b.other;
    return g;
}

Region region_of(Plan *p, PlanDef *d, Iter *at, const Tensor *t) { return region(p, d, at, t, false); }
Region region_touched(Plan *p, PlanDef *d, Iter *at, const Tensor *t) { return region(p, d, at, t, true); }

IterSpan iter_span(Plan *p, PlanDef *d, Iter *it)
{
    Lower *l = p->l;
    Reader r = {p, d};
    Interval s = of_iter(&r, it);
    if (!s.lo) return (IterSpan){0};
    Expr *size = plus_one(l, lin_sub(l, s.hi, s.lo));
    size = size->op == EX_DIM ? size : ix_op(l, EX_MAX, size, ix_int(l, 0));
    return (IterSpan){s.lo, plus_one(l, s.chi), ix_over_dims(size) ? size : NULL};
}
