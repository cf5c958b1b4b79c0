/* emit_rows: loops over a stretch of a fused iter, row by row. Its parts are then known as they are counted, and the
 * places of one row follow each other in the tensor, as vectors want them. */
#include "schedule/emit.h"

bool rows_single(const Emit *e, const Iter *it)
{
    int64_t n;
    return it->kind == IT_ROOT &&
           ix_known(e->l, lin_sub(e->l, low_expr(e->l, it->var->hi), low_expr(e->l, it->var->lo)), &n) && n == 1;
}

/* The load's indices with the definition's variables standing for themselves, those of one place for that. */
static Expr **own_indices(const Emit *e, const Expr *load)
{
    Lower *l = e->l;
    Nest n;
    Expr **ix = NEW_ARRAY(l->mem, Expr *, load->nargs + 1);
    low_open(l, &n);
    for (int i = 0; i < e->d->nroots; i++) {
        Var *x = e->d->root[i]->var;
        low_bind(l, x, rows_single(e, e->d->root[i]) ? low_expr(l, x->lo) : ix_var(l, x));
    }
    for (int i = 0; i < load->nargs; i++) /* where data are is not known: their indices are not open */
        ix[i] = te_has_load(load->arg[i]) ? load->arg[i] : low_expr(l, load->arg[i]);
    low_close(l, &n);
    return ix;
}

/* Of an index, from one value of v to the next; 0: none, or not always the same. */
static int64_t step_of(Lower *l, Expr *ix, const Var *v)
{
    Lin a = lin_of(l, ix);
    int64_t k = 0;
    for (int i = 0; i < a.n; i++)
        if (a.t[i].atom->op == EX_VAR && a.t[i].atom->var == v)
            k = a.t[i].k;
        else if (te_uses_var(a.t[i].atom, v))
            return 0;
    return a.overflow ? 0 : k;
}

int64_t rows_step(const Emit *e, const Expr *load, const Var *v)
{
    Expr **ix = own_indices(e, load);
    for (int i = 0; i < load->nargs - 1; i++)
        if (te_uses_var(ix[i], v)) return 0;
    return load->nargs ? step_of(e->l, ix[load->nargs - 1], v) : 0;
}

/* The dimension that moves by one place with the variable, and by nothing else when `alone`; -1: none. */
static int dim_of(const Emit *e, const Expr *load, const Var *v, bool alone)
{
    Expr **ix = own_indices(e, load);
    int found = -1;
    for (int i = 0; i < load->nargs; i++) {
        if (!te_uses_var(ix[i], v)) continue;
        if (found >= 0 || (alone && ix[i]->op != EX_VAR) || step_of(e->l, ix[i], v) != 1) return -1;
        found = i;
    }
    return found;
}

/* The dimensions that the parts give are first … last, whole but for the first. */
static bool whole_dims(const Emit *e, const Expr *load, const Iter *it, bool inner, int *first, int *last)
{
    Lower *l = e->l;
    int64_t zero;
    if (it->kind == IT_ROOT) {
        *first = *last = dim_of(e, load, it->var, inner);
        return *first >= 0 && ix_known(l, it->var->lo, &zero) && zero == 0;
    }
    int a, b, c, d;
    if (it->kind == IT_FUSED && rows_single(e, it->with)) return whole_dims(e, load, it->of, inner, first, last);
    if (it->kind != IT_FUSED || !whole_dims(e, load, it->of, inner, &a, &b) ||
        !whole_dims(e, load, it->with, true, &c, &d))
        return false;
    *first = a;
    *last = d;
    const Iter *r = it->with;
    while (r->kind == IT_FUSED) r = r->of;
    return c == b + 1 && low_same(l, low_expr(l, r->var->hi), low_expr(l, load->load.t->shape[c]));
}

bool rows_joined(const Emit *e, const Expr *load, const Iter *it)
{
    int first, last;
    return it->kind == IT_ROOT || whole_dims(e, load, it, false, &first, &last);
}

/* Its extent, or 1 where it is 0 and no row is looped over. */
static Expr *row_length(const Emit *e, const Rows *r)
{
    int64_t n;
    Expr *len = iter_extent(e->p, r->it->with);
    return ix_known(e->l, len, &n) && n > 0 ? len : ix_op(e->l, EX_MAX, len, ix_int(e->l, 1));
}

bool rows_may_turn(const Emit *e, Iter *it)
{
    enum { WORTH = 8 };
    int n = 0;
    for (; it->kind == IT_FUSED; it = it->of, n++)
        if (it->with->kind != IT_ROOT) return false;
    return n > 0 && n <= ROWS_PARTS && ix_guess(e->l, iter_nominal(e->p, it)) >= WORTH;
}

/* Loops over all parts but the outermost, whole, innermost part first; *places: iterations of them for one of that. */
static Expr *parts_open(Emit *e, Rows *r, Expr **places)
{
    Lower *l = e->l;
    Expr *value = ix_int(l, 0), *n = ix_int(l, 1);
    Iter *it = r->it;
    for (; it->kind == IT_FUSED; it = it->of) {
        Expr *len = iter_extent(e->p, it->with);
        low_loop(l, &r->part[r->nparts], it->with->name, ix_int(l, 0), len, r->at);
        it->with->at = ix_var(l, r->part[r->nparts++].var);
        value = ix_op(l, EX_ADD, value, ix_op(l, EX_MUL, it->with->at, n));
        n = ix_op(l, EX_MUL, n, len);
    }
    *places = n;
    return value;
}

/* Those of its iterations with which the value is in the stretch. */
static void turned_inner(Emit *e, Rows *r)
{
    Lower *l = e->l;
    Iter *first = r->it;
    while (first->kind == IT_FUSED) first = first->of;
    Expr *n = r->places, *up = lin_sub(l, lin_sub(l, n, ix_int(l, 1)), r->value);
    Expr *from = ix_op(l, EX_ADD, r->origin, r->lo), *to = ix_op(l, EX_ADD, r->origin, r->hi);
    low_loop(l, &r->loop, first->name, ix_op(l, EX_DIV, ix_op(l, EX_ADD, from, up), n),
             ix_op(l, EX_DIV, ix_op(l, EX_ADD, to, up), n), r->at);
    first->at = ix_var(l, r->loop.var);
    for (Iter *it = r->it; it->kind == IT_FUSED; it = it->of) it->at = NULL;
    r->it->at = ix_op(l, EX_ADD, ix_op(l, EX_MUL, first->at, n), r->value);
}

static void turned_close(Emit *e, Rows *r)
{
    for (Iter *it = r->it; it->kind == IT_FUSED; it = it->of) it->with->at = NULL;
    while (r->nparts) low_loop_end(e->l, &r->part[--r->nparts], 1, LOOP_SERIAL, 0, NULL, 0);
}

void rows_outer(Emit *e, Rows *r)
{
    Lower *l = e->l;
    if (!r->by_rows) return;
    if (r->turned) {
        r->value = parts_open(e, r, &r->places);
        return;
    }
    int64_t known;
    Expr *n = row_length(e, r), *zero = ix_int(l, 0);
    Expr *from = ix_op(l, EX_ADD, r->origin, r->lo), *to = ix_op(l, EX_ADD, r->origin, r->hi);
    Expr *last = ix_op(l, EX_DIV, ix_op(l, EX_ADD, to, lin_sub(l, n, ix_int(l, 1))), n);
    r->outer = NEW(l->mem, Rows);
    *r->outer = (Rows){.it = r->it->of,
                       .origin = zero,
                       .lo = ix_known(l, from, &known) && known == 0 ? zero : ix_op(l, EX_DIV, from, n),
                       .at = r->at};
    r->outer->hi = ix_op(l, EX_MIN, iter_extent(e->p, r->it->of), last);
    r->outer->by_rows = r->it->of->kind == IT_FUSED;
    rows_outer(e, r->outer);
    rows_inner(e, r->outer);
}

Expr *rows_inner(Emit *e, Rows *r)
{
    Lower *l = e->l;
    if (r->by_rows && r->turned) {
        turned_inner(e, r);
        return lin_sub(l, r->it->at, r->origin);
    }
    if (!r->outer) {
        low_loop(l, &r->loop, r->it->name, r->lo, r->hi, r->at);
        Expr *p = ix_var(l, r->loop.var);
        r->it->at = ix_op(l, EX_ADD, r->origin, p);
        return p;
    }
    Expr *n = row_length(e, r), *row = ix_op(l, EX_MUL, r->outer->it->at, n), *before = lin_sub(l, row, r->origin);
    Expr *lo = ix_op(l, EX_MAX, ix_int(l, 0), lin_sub(l, r->lo, before));
    Expr *hi = ix_op(l, EX_MIN, n, lin_sub(l, r->hi, before));
    low_loop(l, &r->loop, r->it->with->name, lo, hi, r->at);
    Expr *in_row = ix_var(l, r->loop.var);
    r->it->at = ix_op(l, EX_ADD, row, in_row);
    r->it->with->at = in_row;
    return ix_op(l, EX_ADD, before, in_row);
}

void rows_close_inner(Emit *e, Rows *r, LoopKind kind, int width)
{
    low_loop_end(e->l, &r->loop, 1, kind, width, NULL, 0);
    r->it->at = NULL;
    if (r->outer) r->it->with->at = NULL;
    if (!r->turned) return;
    Iter *first = r->it;
    while (first->kind == IT_FUSED) first = first->of;
    first->at = NULL;
}

void rows_close_outer(Emit *e, Rows *r)
{
    if (r->turned) turned_close(e, r);
    if (!r->outer) return;
    rows_close_inner(e, r->outer, LOOP_SERIAL, 0);
    rows_close_outer(e, r->outer);
    r->outer = NULL;
}
