/* emit: a plan becomes Tile IR. One definition at a time, its loops from the outermost in; producers and copies appear
 * inside the loop that they belong to; a reduction's accumulator is opened at its place. See plan.h. */
#include "schedule/emit.h"

#include <string.h>

/* ---- values of indices ----------------------------------------------------------------------------------------------
 */
Expr *iter_value(const Plan *p, const Iter *it)
{
    Lower *l = p->l;
    if (it->at) return it->at;
    const Iter *by = it->by;
    if (!by) return NULL;
    if (by->kind == IT_OUTER) {
        Expr *o = iter_value(p, by), *i = iter_value(p, by->with);
        if (!o || !i) return NULL;
        Expr *at = ix_op(l, EX_MUL, o, ix_int(l, by->factor));
        if (by->with->off) at = ix_op(l, EX_ADD, at, by->with->off);
        return ix_op(l, EX_ADD, at, i);
    }
    Expr *f = iter_value(p, by), *n, *q, *r;
    int64_t known;
    if (!f) return NULL;
    n = iter_extent(p, by->with);
    if (ix_known(l, n, &known))
        lin_divide(l, f, known > 0 ? known : 1, &q, &r);
    else
        q = ix_op(l, EX_DIV, f, n), r = ix_op(l, EX_MOD, f, n);
    return it == by->of ? q : r;
}

bool iter_any_open(const Iter *it)
{
    if (it->at) return true;
    if (!it->by) return false;
    return iter_any_open(it->by) || (it->by->kind == IT_OUTER && iter_any_open(it->by->with));
}

static Expr *ceil_div(Lower *l, Expr *n, int64_t f)
{
    if (lin_multiple(l, n, f)) return ix_op(l, EX_DIV, n, ix_int(l, f));
    return ix_op(l, EX_DIV, ix_op(l, EX_ADD, n, ix_int(l, f - 1)), ix_int(l, f));
}

/* Ranges may end before they begin, which parts of them cannot. */
static Expr *not_negative(Lower *l, const Iter *it, Expr *n)
{
    int64_t known;
    if (ix_known(l, n, &known)) return known < 0 ? ix_int(l, 0) : n;
    bool plain = it->kind != IT_ROOT || n->op == EX_MAX || lin_least(l, n) >= 0;
    return plain ? n : ix_op(l, EX_MAX, n, ix_int(l, 0));
}

/* The extent of something that is split or fused. */
Expr *iter_whole(const Plan *p, Iter *it) { return not_negative(p->l, it, iter_extent(p, it)); }

Expr *iter_extent(const Plan *p, Iter *it)
{
    Lower *l = p->l;
    int64_t n;
    if (it->ext) return it->ext;
    switch (it->kind) {
    case IT_ROOT: return lin_sub(l, low_expr(l, it->var->hi), low_expr(l, it->var->lo));
    case IT_OUTER: return ceil_div(l, iter_whole(p, it->of), it->factor);
    case IT_FUSED: return ix_op(l, EX_MUL, iter_whole(p, it->of), iter_whole(p, it->with));
    case IT_INNER: break;
    }
    Expr *f = ix_int(l, it->factor), *all = iter_whole(p, it->of), *o;
    if (lin_multiple(l, all, it->factor)) return f;
    if (!(o = iter_value(p, it->with))) return ix_int(l, iter_most(p, it));
    if (ix_known(l, all, &n) && n <= it->factor) return all;
    return ix_op(l, EX_MIN, f, lin_sub(l, all, ix_op(l, EX_MUL, o, f)));
}

static bool over_dims(const Iter *it)
{
    if (it->kind == IT_ROOT) return ix_over_dims(it->var->lo) && ix_over_dims(it->var->hi);
    return over_dims(it->of) && (it->kind != IT_FUSED || over_dims(it->with));
}

bool iter_divides(const Plan *p, Iter *it, int64_t f)
{
    return over_dims(it) && lin_multiple(p->l, iter_whole(p, it), f);
}

/* The inner part stands outside of the outer one, and may go beyond the end with it. */
bool iter_is_nominal(const Plan *p, const Iter *it)
{
    if (it->kind != IT_INNER || it->ext || iter_value(p, it->with)) return false;
    return !lin_multiple(p->l, iter_whole(p, it->of), it->factor);
}

Expr *iter_nominal(const Plan *p, const Iter *it)
{
    Lower *l = p->l;
    int64_t n = iter_most(p, it);
    if (it->ext && ix_known(l, it->ext, &n)) return it->ext;
    if (n >= 0) return ix_int(l, n);
    switch (it->kind) {
    case IT_ROOT: return it->size ? it->size : lin_sub(l, low_expr(l, it->var->hi), low_expr(l, it->var->lo));
    case IT_OUTER: return ceil_div(l, iter_nominal(p, it->of), it->factor);
    case IT_INNER: return ix_int(l, it->factor);
    case IT_FUSED: return ix_op(l, EX_MUL, iter_nominal(p, it->of), iter_nominal(p, it->with));
    }
    return NULL;
}

/* The variables whose iterations are open stand for lo + value. */
static void bind_roots(Emit *e)
{
    for (int i = 0; i < e->d->nroots; i++) {
        Iter *r = e->d->root[i];
        Expr *v = iter_value(e->p, r);
        if (!v) continue;
        Expr *lo = r->lo ? r->lo : low_expr(e->l, r->var->lo);
        low_bind(e->l, r->var, ix_op(e->l, EX_ADD, lo, v));
    }
}

static Expr *both_hold(Lower *l, Expr *a, Expr *b)
{
    return a ? te_node(l->op, EX_AND, DT_U1, 2, (Expr *[]){a, b}, b->span) : b;
}

Expr *emit_condition(Emit *e, bool reduction)
{
    Lower *l = e->l;
    Expr *all = NULL;
    for (int i = 0; i < e->d->iter.n; i++) {
        Iter *it = e->d->iter.at[i];
        if (it->reduces && !reduction) continue;
        if (it->some && it->at) all = both_hold(l, all, it->some);
        if (it->kind != IT_INNER || !it->nominal) continue;
        Expr *v = iter_value(e->p, it->of);
        if (!v) continue;
        all = both_hold(l, all, te_node(l->op, EX_LT, DT_U1, 2, (Expr *[]){v, iter_extent(e->p, it->of)}, it->span));
    }
    return all;
}

/* ---- loops
 * ------------------------------------------------------------------------------------------------------------
 */
static void nest(Emit *e, int pos);

static void inside(Emit *e, Iter *it, int pos)
{
    int views = e->l->views.n;
    bind_roots(e);
    emit_producers(e, it);
    emit_copies(e, it);
    emit_fetches(e, it);
    online_rescale(e, it, pos + 1);
    nest(e, pos + 1);
    e->l->views.n = views;
}

static const Iter *root_of(const Iter *it) { return it->kind == IT_ROOT ? it : root_of(it->of); }

static int level_of(const Iter *it) { return it->kind == IT_ROOT ? 0 : level_of(it->of) + (it->kind == IT_INNER); }

static LoopKind kind_here(const Emit *e, const Iter *it)
{
    if (it->how == LOOP_PARALLEL && (e->l->in_parallel || e->l->in_lanes)) return LOOP_SERIAL;
    return it->how;
}

/* One iteration: no loop, the part stands for 0. */
static bool single(Emit *e, Iter *it, Expr *extent, int pos)
{
    int64_t n;
    int memo = e->l->memo.n;
    if (!(ix_known(e->l, extent, &n) && n == 1 && it->how == LOOP_SERIAL && (it->kind != IT_ROOT || it->ext)))
        return false;
    it->at = ix_int(e->l, 0);
    it->trips = extent;
    inside(e, it, pos);
    it->at = it->trips = NULL;
    e->l->memo.n = memo;
    return true;
}

/* Of a loop that is unrolled and does not always run as often, as many at once as it can. */
static int copies_or_lanes(const Lower *l, const Iter *it, LoopKind kind, const Expr *extent, int64_t most)
{
    int64_t n;
    if (kind == LOOP_VECTOR && !it->reduces && ix_known(l, extent, &n)) { /* what is left, in narrower vectors */
        int w = it->width;
        while (w % 2 == 0 && w > target_lanes(l->target, 8) && n <= w / 2) w /= 2;
        return w;
    }
    if (kind == LOOP_VECTOR) return it->width;
    if (kind != LOOP_UNROLL || ix_known(l, extent, &n)) return 0;
    return most > 0 ? (int)most : 1; /* a region of nothing may have an extent that does not come out as 0 */
}

/* How many sums a block adds a term to, each copy of what is unrolled counted; 0: something else stands in it too. */
static int64_t sums_in(const Lower *l, const Block *b)
{
    int64_t all = 0;
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        int64_t lo, hi, n = 1;
        if (s->kind == ST_FOR) {
            if (s->loop.kind != LOOP_UNROLL || s->loop.width) return 0;
            if (!ix_known(l, s->loop.var->lo, &lo) || !ix_known(l, s->loop.var->hi, &hi) || lo >= hi) return 0;
            n = (hi - lo) * sums_in(l, &s->loop.body);
        } else if (s->kind != ST_UPDATE || !s->update.fma) {
            return 0;
        }
        if (!n) return 0;
        all += n;
    }
    return all;
}

/* The loop over a register kernel's terms runs a few of them at once: counter, comparison and jump cost a kernel of
 * twelve multiply-adds a tenth of its speed where another thread shares the core. The order of the terms stays. */
static void terms_at_once(const Emit *e, const Iter *it, const Expr *extent, Stmt *loop)
{
    enum { TERMS = 4, LEAST_TERMS = 16, MOST_SUMS = 64 };
    int64_t n, sums, most = iter_most(e->p, (Iter *)it);
    if (!it->kernel || !it->reduces || !e->l->in_lanes || loop->loop.kind != LOOP_SERIAL) return;
    if ((most >= 0 && most < LEAST_TERMS) || !(sums = sums_in(e->l, &loop->loop.body))) return;
    int width = ix_known(e->l, extent, &n) && n % TERMS == 0 ? TERMS : TERMS / 2;
    while (width > 1 && width * sums > MOST_SUMS) width /= 2;
    if (width < 2) return;
    loop->loop.kind = LOOP_UNROLL;
    loop->loop.width = width;
}

static void one_loop(Emit *e, Iter *it, Expr *extent, int pos)
{
    Lower *l = e->l;
    Loop lp;
    if (single(e, it, extent, pos)) return;
    int64_t most = iter_most(e->p, it);
    LoopKind kind = kind_here(e, it);
    bool was_parallel = l->in_parallel, was_lanes = l->in_lanes;
    pipe_open(e, it, extent);
    low_loop(l, &lp, it->name, ix_int(l, 0), extent, it->span.src ? it->span : e->d->w->def->span);
    it->at = ix_var(l, lp.var);
    it->trips = extent;
    if (most > 0) low_limited(l, it->at, most - 1);
    l->in_parallel |= kind == LOOP_PARALLEL;
    l->in_lanes |= kind == LOOP_VECTOR;
    inside(e, it, pos);
    l->in_parallel = was_parallel;
    l->in_lanes = was_lanes;
    it->at = it->trips = NULL;
    Stmt *loop =
        low_loop_end(l, &lp, 1, kind, copies_or_lanes(l, it, kind, extent, most), root_of(it)->var, level_of(it));
    terms_at_once(e, it, extent, loop);
    pipe_close(e, it);
}

/* A piece of a cut extent: the outer part is fixed, the inner part has `n` iterations from `off` on. */
static void piece(Emit *e, Iter *outer, Expr *at, Expr *off, Expr *n, Expr *when, int pos)
{
    Lower *l = e->l;
    Iter *in = outer->with;
    Nest s;
    low_open(l, &s);
    outer->at = at;
    outer->trips = ix_int(l, 1);
    in->off = off;
    in->ext = n;
    inside(e, outer, pos);
    outer->at = outer->trips = in->off = in->ext = NULL;
    Block b = low_close(l, &s);
    low_emit(l, tile_if(l->p, when, b, (Block){0}, outer->span));
}

/* What is left by kernels of 2^n units each, by the binary digits of how many units there are; then, masked, what is
 * left of a unit. */
static void compose(Emit *e, Iter *outer, Expr *full, Expr *rest, int pos)
{
    Lower *l = e->l;
    int64_t unit = outer->unit ? outer->unit : 1, size = unit;
    Expr *zero = ix_int(l, 0);
    while (size * 2 < outer->factor) size *= 2;
    for (; size >= unit; size /= 2) {
        Expr *twice = ix_int(l, 2 * size), *before = ix_op(l, EX_DIV, rest, twice);
        Expr *digit = ix_op(l, EX_MOD, ix_op(l, EX_DIV, rest, ix_int(l, size)), ix_int(l, 2));
        int64_t most = (outer->factor - 1 - size) / (2 * size); /* where there is such a piece */
        Expr *off = most > 0 ? ix_op(l, EX_MUL, before, twice) : NULL;
        low_limited(l, before, most);
        Expr *when = te_node(l->op, EX_EQ, DT_U1, 2, (Expr *[]){digit, ix_int(l, 1)}, outer->span);
        piece(e, outer, full, off, ix_int(l, size), when, pos);
    }
    if (unit == 1) return;
    Expr *units = ix_op(l, EX_DIV, rest, ix_int(l, unit)), *some = ix_op(l, EX_MOD, rest, ix_int(l, unit));
    low_limited(l, units, (outer->factor - 1) / unit);
    Iter *lanes = outer->with->by;
    lanes->ext = ix_int(l, 1);
    lanes->with->ext = some;
    piece(e, outer, full, ix_op(l, EX_MUL, units, ix_int(l, unit)), some,
          te_node(l->op, EX_GT, DT_U1, 2, (Expr *[]){some, zero}, outer->span), pos);
    lanes->ext = lanes->with->ext = NULL;
}

/* What is left of n by whole tiles of f is nothing or always the same: n is a whole number of tiles, but for the last
 * block of a known extent. */
static bool one_rest(Lower *l, const Expr *n, int64_t f, int64_t *rest)
{
    int64_t whole;
    if (n->op != EX_MIN) return false;
    for (int i = 0; i < 2; i++) {
        if (!ix_known(l, n->arg[i], &whole) || whole % f) continue;
        Lin last = lin_of(l, n->arg[1 - i]);
        bool ok = !last.overflow;
        for (int k = 0; k < last.n; k++) ok = ok && last.t[k].k % f == 0;
        *rest = ((last.c % f) + f) % f;
        if (ok) return true;
    }
    return false;
}

static bool at_least_one(const Emit *e, const Expr *n)
{
    int64_t known;
    return ix_known(e->l, n, &known) && known > 0;
}

/* Loops that are open may be beyond the end: what is inside of them has less than no iterations. */
static bool may_be_beyond(const Emit *e)
{
    for (int i = 0; i < e->d->iter.n; i++)
        if (e->d->iter.at[i]->nominal) return true;
    return false;
}

/* Whole tiles in a loop, then what is left: at once (peel), or by smaller kernels of fixed sizes (compose). */
static void cut_pieces(Emit *e, Iter *outer, int pos)
{
    Lower *l = e->l;
    Expr *n = iter_whole(e->p, outer->of), *f = ix_int(l, outer->factor), *zero = ix_int(l, 0);
    Expr *full, *rest;
    if (may_be_beyond(e) && lin_least(l, n) < 0) n = ix_op(l, EX_MAX, n, zero);
    int64_t known, left;
    lin_divide(l, n, outer->factor, &full, &rest);
    bool sure = ix_known(l, rest, &left);
    outer->cut = n;
    outer->with->ext = f;
    if (!ix_known(l, full, &known) || known > 0) one_loop(e, outer, full, pos);
    outer->with->ext = NULL;
    if (outer->reduces && pos < e->acc_at && !at_least_one(e, n)) { /* a reduction over nothing has a result too */
        Expr *none = te_node(l->op, EX_EQ, DT_U1, 2, (Expr *[]){n, zero}, outer->span);
        outer->some = te_int(l->op, DT_U1, 0, outer->span);
        piece(e, outer, zero, NULL, zero, none, pos);
        outer->some = NULL;
    }
    bool one = sure || (!outer->unit && one_rest(l, n, outer->factor, &left));
    if (one && left == 0) return;
    if (outer->tail == TAIL_PEEL || (one && !outer->unit)) {
        Expr *some = te_node(l->op, EX_GT, DT_U1, 2, (Expr *[]){rest, zero}, outer->span);
        if (outer->factor == 2) one = true, left = 1;
        piece(e, outer, full, NULL, one ? ix_int(l, left) : rest, some, pos);
        return;
    }
    compose(e, outer, full, rest, pos);
}

static void cut_loop(Emit *e, Iter *outer, int pos)
{
    cut_pieces(e, outer, pos);
    outer->cut = NULL;
}

static void leaf(Emit *e)
{
    Lower *l = e->l;
    Expr *when = emit_condition(e, e->part == PART_UPDATE || e->part == PART_WHOLE);
    Nest s;
    bind_roots(e);
    if (when) low_open(l, &s);
    if (e->part == PART_INIT)
        acc_open(e);
    else if (e->part == PART_UPDATE)
        acc_update(e);
    else if (e->part == PART_FINISH)
        acc_close(e);
    else if (e->part == PART_RESCALE)
        acc_rescale(e);
    else if (e->carry)
        carry_step(e);
    else if (e->d->w->def->slot_at >= 0)
        low_topk(l, e->d->w);
    else
        low_store(l, e->d->w, e->d->w->def->out[0], low_expr(l, e->d->w->rhs));
    if (!when) return;
    Block b = low_close(l, &s);
    low_emit(l, tile_if(l->p, when, b, (Block){0}, e->d->w->def->span));
}

/* The inner loop has no iterations where there is nothing left for it. */
static bool ends_inside(const Emit *e, const Iter *it)
{
    bool guarded = it->kind == IT_OUTER && (it->tail == TAIL_GUARD || it->tail == TAIL_MASK);
    return guarded && !it->with->nominal && !lin_multiple(e->l, iter_whole(e->p, it->of), it->factor);
}

static void whole_loop(Emit *e, Iter *it, int pos)
{
    Lower *l = e->l;
    Expr *n = iter_extent(e->p, it);
    /* A reduction over nothing has a result too: its init and finish stand inside this loop. */
    if (it->reduces && pos < e->acc_at && !at_least_one(e, n)) {
        if (!ends_inside(e, it)) it->some = te_node(l->op, EX_GT, DT_U1, 2, (Expr *[]){n, ix_int(l, 0)}, it->span);
        n = ix_op(l, EX_MAX, n, ix_int(l, 1));
    }
    one_loop(e, it, n, pos);
    it->some = NULL;
}

static bool part_of(const Iter *it, const Iter *whole)
{
    if (it == whole) return true;
    if (it->kind == IT_ROOT) return false;
    return part_of(it->of, whole) || (it->kind == IT_FUSED && part_of(it->with, whole));
}

/* Those that `it`, about to be opened, is a part of. */
static int mark_nominal(Emit *e, const Iter *it, Iter **marked)
{
    int n = 0;
    for (int i = 0; i < e->d->iter.n; i++) {
        Iter *x = e->d->iter.at[i];
        if (x->nominal || !part_of(it, x) || !iter_is_nominal(e->p, x)) continue;
        x->nominal = true;
        marked[n++] = x;
    }
    return n;
}

static void nest(Emit *e, int pos)
{
    PlanDef *d = e->d;
    if (pos == e->wait_at && !e->waits) {
        acc_wait(e);
        nest(e, pos);
        e->waits = false; /* another piece of a loop outside has a buffer of its own */
        return;
    }
    if (pos == e->acc_at && e->part == PART_WHOLE && d->r) {
        acc_whole(e, pos);
        return;
    }
    bool update = e->part == PART_WHOLE || e->part == PART_UPDATE;
    while (pos < d->loop.n && !update && d->loop.at[pos]->reduces) pos++;
    if (pos == d->loop.n) {
        leaf(e);
        return;
    }
    Iter *it = d->loop.at[pos];
    Iter **mine = NEW_ARRAY(e->l->mem, Iter *, d->iter.n + 1);
    int nominal = mark_nominal(e, it, mine);
    bool carried = carry_open(e, pos);
    if (it->kind == IT_OUTER && (it->tail == TAIL_PEEL || it->tail == TAIL_COMPOSE) && !iter_any_open(it->with))
        cut_loop(e, it, pos);
    else
        whole_loop(e, it, pos);
    if (carried) e->carry = NULL;
    while (nominal) mine[--nominal]->nominal = false;
}

void emit_nest_from(Emit *e, int pos) { nest(e, pos); }

/* Whatever the loops around it do: nothing waits for another iteration. */
static bool runs_once(const Plan *p, Iter *it)
{
    int64_t n;
    return it->kind == IT_OUTER && over_dims(it) && ix_known(p->l, iter_extent(p, it), &n) && n == 1;
}

/* ---- definitions
 * ------------------------------------------------------------------------------------------------------
 */
void emit_def(Plan *p, PlanDef *d)
{
    Lower *l = p->l;
    Work *was = l->now;
    int mark = l->memo.n, views = l->views.n;
    Emit e = {.p = p, .l = l, .d = d, .acc_at = plan_accumulator(d), .wait_at = -1, .part = PART_WHOLE, .partials = 1};
    l->now = d->w;
    if (d->r) low_partials(l, d->r, &e.partials);
    if (d->w->snapshot) low_snapshot(l, d->w);
    for (int i = e.acc_at - 1; i >= 0; i--)
        if (d->loop.at[i]->reduces && (d->online || !runs_once(p, d->loop.at[i]))) e.wait_at = i;
    nest(&e, 0);
    l->memo.n = mark;
    l->views.n = views;
    l->now = was;
}

/* At the places of a layout. */
static void laid_let(Lower *l, Tensor *t, const PlanLayout *y, Expr **shape, Span s)
{
    View *v = NEW(l->mem, View);
    *v = (View){.of = t, .layout = y, .origin = NEW_ARRAY(l->mem, Expr *, t->rank + 1)};
    for (int k = 0; k < t->rank; k++) v->origin[k] = ix_int(l, 0);
    v->buf = layout_buffer(l, y, t->name, t, SCOPE_LOCAL, shape, s);
    VEC_PUSH(l->mem, &l->views, v);
}

static void whole_let(Lower *l, const PlanDef *p)
{
    const Def *d = p->w->def;
    for (int o = 0; o < d->nout; o++) {
        Tensor *t = d->out[o];
        if (t->kind != TK_LET || l->store[t->id]) continue;
        Expr **shape = NEW_ARRAY(l->mem, Expr *, t->rank + 1);
        for (int k = 0; k < t->rank; k++) shape[k] = low_expr(l, t->shape[k]);
        if (p->layout[o]) {
            laid_let(l, t, p->layout[o], shape, d->span);
            continue;
        }
        l->store[t->id] = low_buffer(l, t->name, t->type, t->rank ? SCOPE_LOCAL : SCOPE_REG, t->rank, shape, d->span);
        l->dropped[t->id] = 0;
    }
}

void plan_emit(Plan *p)
{
    layout_inputs(p);
    for (int i = 0; i < p->n; i++) {
        PlanDef *d = &p->def[i];
        if (d->w->gone || d->w->unused || d->in) continue;
        whole_let(p->l, d);
        emit_def(p, d);
    }
}
