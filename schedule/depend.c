/* depend: which instances of a recurrence wait for which. All other definitions have independent instances, but for the
 * terms of a reduction, which legal.c knows about. A system of linear constraints over two instances (one writes, one
 * reads what it wrote), their loops and the sizes is solved for each way in which loops could part them. What has no
 * linear form is left free: an answer may say too much, never too little, and only a pair that is certain is named. */
#include "schedule/legal.h"
#include "schedule/poly.h"

enum { WRITES, READS, OPERATIONS = 40000 };

typedef struct Term {
    int col;
    int64_t k;
} Term;
typedef struct System {
    Apply *a;
    const PlanDef *d;
    Arena *mem;
    int ncols, offset, dim; /* columns of where regions start, and of sizes */
    VEC(PolyRow) row;
    bool loose; /* something was left free */
} System;

static int index_col(const System *s, int side, int root) { return side * (s->d->nroots + s->d->iter.n) + root; }

static int value_col(const System *s, int side, const Iter *it)
{
    int k = 0;
    while (s->d->iter.at[k] != it) k++;
    return index_col(s, side, s->d->nroots + k);
}

/* What people know the iteration of a loop by: an index has its own value. */
static int loop_col(const System *s, int side, const Iter *it)
{
    for (int v = 0; v < s->d->nroots; v++)
        if (s->d->root[v] == it) return index_col(s, side, v);
    return value_col(s, side, it);
}

/* c0 + the terms >= 0, or == 0. Terms of one column are added up. */
static void put(System *s, bool eq, int64_t c0, int n, const Term *t)
{
    int *col = NEW_ARRAY(s->mem, int, n + 1), m = 0;
    int64_t *c = NEW_ARRAY(s->mem, int64_t, n + 1);
    for (int i = 0; i < n; i++) {
        int k = 0;
        while (k < m && col[k] != t[i].col) k++;
        if (k == m) col[m++] = t[i].col;
        c[k] += t[i].k;
    }
    VEC_PUSH(s->mem, &s->row, (PolyRow){.eq = eq, .n = m, .col = col, .c = c, .c0 = c0});
}

static int free_col(System *s)
{
    s->loose = true;
    return s->ncols++;
}

/* sign * e + the terms >= 0, or == 0: e is evaluated at the instance `side`. */
static void put_expr(System *s, bool eq, int side, Expr *e, int64_t sign, int64_t c0, int n, const Term *t)
{
    Term all[LIN_MAX + 8];
    Lin a = lin_of(s->a->p->l, e);
    int m = 0;
    if (a.overflow) {
        a = (Lin){0};
        all[m++] = (Term){free_col(s), 1};
    }
    for (int i = 0; i < a.n; i++) {
        const Expr *x = a.t[i].atom;
        int col = x->op == EX_DIM ? s->dim + x->sym : -1;
        for (int v = 0; x->op == EX_VAR && v < s->d->nroots; v++)
            if (s->d->root[v]->var == x->var) col = index_col(s, side, v);
        all[m++] = (Term){col < 0 ? free_col(s) : col, sign * a.t[i].k};
    }
    for (int i = 0; i < n; i++) all[m++] = t[i];
    put(s, eq, c0 + sign * a.c, m, all);
}

/* What holds for an instance: its indices are in their ranges, and loops run over their parts. */
static void instance(System *s, int side)
{
    const PlanDef *d = s->d;
    for (int v = 0; v < d->nroots; v++) {
        const Iter *it = d->root[v];
        int ix = index_col(s, side, v);
        if (it->reduces && side == WRITES) continue;
        put_expr(s, false, side, it->var->lo, -1, 0, 1, &(Term){ix, 1});
        put_expr(s, false, side, it->var->hi, 1, -1, 1, &(Term){ix, -1});
        if (it->reduces) continue;
        Term at[] = {{ix, 1}, {value_col(s, side, it), -1}, {s->offset + v, -1}};
        put_expr(s, true, side, it->var->lo, -1, 0, d->in ? 3 : 2, at);
    }
    for (int k = 0; k < d->iter.n; k++) {
        const Iter *it = d->iter.at[k];
        int x = value_col(s, side, it);
        if (it->reduces) continue;
        put(s, false, 0, 1, &(Term){x, 1});
        if (it->kind == IT_INNER) put(s, false, it->factor - 1, 1, &(Term){x, -1});
        if (!it->by) continue;
        if (it->by->kind == IT_OUTER)
            put(s, true, 0, 3,
                (Term[]){
                    {x, 1}, {value_col(s, side, it->by), -it->by->factor}, {value_col(s, side, it->by->with), -1}});
        else if (it->by->by && it->by->of == it)
            s->loose = true; /* fused and then split: its value is no linear form. fused() tells the order of two */
    }
}

static void sizes(System *s)
{
    const TeOp *op = s->a->p->l->op;
    for (int i = 0; i < op->ndims; i++) {
        const Dim *m = &op->dim[i];
        put(s, false, -(m->value >= 0 ? m->value : m->lo), 1, &(Term){s->dim + i, 1});
        put(s, false, m->value >= 0 ? m->value : m->hi, 1, &(Term){s->dim + i, -1});
    }
}

/* The loops that a fused one consists of, in their order. */
static int parts(const Iter *it, const Iter **out, int n)
{
    if (it->kind != IT_FUSED) {
        out[n++] = it;
        return n;
    }
    return parts(it->with, out, parts(it->of, out, n));
}

/* The place of two values of a fused loop, one against the other, follows from their parts: one case after the other.
 */
enum { OUTER_LESS, OUTER_MORE, INNER, CASES };

static void fused_case(System *s, const Iter *it, int which)
{
    Term outer[] = {{value_col(s, WRITES, it->of), 1}, {value_col(s, READS, it->of), -1}};
    Term whole[] = {{value_col(s, WRITES, it), 1},
                    {value_col(s, READS, it), -1},
                    {value_col(s, WRITES, it->with), -1},
                    {value_col(s, READS, it->with), 1}};
    if (which == OUTER_LESS)
        for (int i = 0; i < 2; i++) outer[i].k = -outer[i].k, whole[i].k = -whole[i].k;
    put(s, which == INNER, which == INNER ? 0 : -1, 2, outer);
    put(s, which == INNER, which == INNER ? 0 : -1, which == INNER ? 4 : 2, whole);
}

/* A sample near 0, which reads better, if there is one. */
static PolyAnswer solve(System *s, int64_t *at)
{
    int n = s->row.n;
    PolyAnswer r = sched_poly_solve(s->ncols, n, s->row.at, OPERATIONS, at);
    for (int64_t small = 1; r == POLY_SAMPLE && small <= 16; small *= 4) {
        for (int v = 0; v < s->d->nroots; v++)
            for (int side = WRITES; side <= READS; side++) put(s, false, small, 1, &(Term){index_col(s, side, v), -1});
        PolyAnswer near = sched_poly_solve(s->ncols, s->row.n, s->row.at, OPERATIONS, at);
        s->row.n = n;
        if (near == POLY_SAMPLE) return r;
    }
    return r == POLY_SAMPLE ? sched_poly_solve(s->ncols, n, s->row.at, OPERATIONS, at) : r;
}

/* solve() over the cases of loops that were fused and then split, from the k-th of d->iter on. */
static PolyAnswer solve_cases(System *s, int k, int64_t *at)
{
    const PlanDef *d = s->d;
    while (k < d->iter.n && !(d->iter.at[k]->kind == IT_FUSED && d->iter.at[k]->by && !d->iter.at[k]->reduces)) k++;
    if (k == d->iter.n) return solve(s, at);
    PolyAnswer r = POLY_EMPTY;
    int n = s->row.n;
    for (int i = 0; i < CASES && r == POLY_EMPTY; i++) {
        fused_case(s, d->iter.at[k], i);
        r = solve_cases(s, k + 1, at);
        s->row.n = n;
    }
    return r;
}

static const char *place(const System *s, int side, const int64_t *at)
{
    const PlanDef *d = s->d;
    const char *text = arena_printf(s->mem, "%s[", d->w->def->out[0]->name);
    for (int i = 0; i < d->w->nix; i++)
        for (int v = 0; v < d->nroots; v++)
            if (d->root[v]->var == d->w->ix[i])
                text = arena_printf(s->mem, "%s%s%lld", text, i ? ", " : "", (long long)at[index_col(s, side, v)]);
    return arena_printf(s->mem, "%s]", text);
}

/* order[level] parts the two: it is at another iteration (`later`: the writer is at a later one), loops outside of it
 * at the same. */
static bool parted(System *s, Iter *const *order, int level, bool later, int64_t *at)
{
    int start = s->row.n, n = 0;
    const Iter **loop = NEW_ARRAY(s->mem, const Iter *, s->d->iter.n + 1);
    for (int i = 0; i < level; i++)
        if (!order[i]->reduces) n = parts(order[i], loop, n);
    int first = n;
    n = parts(order[level], loop, n);
    bool found = false;
    for (int k = first; k < n && !found; k++)
        for (int way = 0; way < (later ? 1 : 2) && !found; way++) {
            s->row.n = start;
            for (int i = 0; i <= k; i++) {
                Term t[] = {{value_col(s, WRITES, loop[i]), 1}, {value_col(s, READS, loop[i]), -1}};
                if (i == k && way) t[0].k = -1, t[1].k = 1;
                put(s, i < k, i < k ? 0 : -1, 2, t);
            }
            PolyAnswer r = solve_cases(s, 0, at);
            found = r != POLY_EMPTY;
            s->loose |= r == POLY_UNKNOWN;
        }
    s->row.n = start;
    return found;
}

Carried depend_carried(Apply *a, const PlanDef *d, Iter *const *order, int level, bool later)
{
    const Def *def = d->w->def;
    if (!def->seq || order[level]->reduces) return (Carried){0};
    Loads reads = legal_find(a, d->w->rhs, def->out[0]);
    for (int i = 0; i < reads.at.n; i++) {
        const Expr *load = reads.at.at[i];
        if (!fuse_self_earlier(a->p->l, d->w, load)) continue; /* reads what was there before */
        System s = {.a = a, .d = d, .mem = a->p->l->mem, .loose = reads.under_condition};
        s.offset = 2 * (d->nroots + d->iter.n);
        s.dim = s.offset + d->nroots;
        s.ncols = s.dim + a->p->l->op->ndims;
        instance(&s, WRITES);
        instance(&s, READS);
        sizes(&s);
        for (int k = 0; k < d->w->nix; k++)
            for (int v = 0; v < d->nroots; v++) {
                if (d->root[v]->var != d->w->ix[k]) continue;
                Term w = {index_col(&s, WRITES, v), -1};
                put_expr(&s, true, READS, load->arg[k], 1, 0, 1, &w);
                Term before[] = {w, {index_col(&s, READS, v), 1}};
                if (d->root[v]->var == def->seq) put(&s, false, -1, 2, before);
            }
        int64_t *at = NEW_ARRAY(s.mem, int64_t, s.ncols + 1);
        if (!parted(&s, order, level, later, at)) continue;
        Carried c = {.is = true, .read = load->span, .write = def->span, .name = order[level]->name};
        if (s.loose) return c;
        c.reader = place(&s, READS, at);
        c.writer = place(&s, WRITES, at);
        const Iter *it = order[level];
        c.placed = it->kind != IT_FUSED;
        for (int side = WRITES; side <= READS && c.placed; side++) c.at[side] = at[loop_col(&s, side, it)];
        return c;
    }
    return (Carried){0};
}
