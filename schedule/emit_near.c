/* emit_near: what stands inside a loop for what is inside of it: producers that are computed there (`at`), copies of
 * what is read there (`stage`), and prefetches. Each covers the region that one iteration needs. */
#include "schedule/emit.h"

/* ---- reading what was moved
 * -------------------------------------------------------------------------------------------
 */
static Expr *in_bounds(Lower *l, const Tensor *t, Expr *const *ix)
{
    Expr *all = te_int(l->op, DT_U1, 1, (Span){0});
    for (int i = 0; i < t->rank; i++) {
        Expr *lo = te_node(l->op, EX_GE, DT_U1, 2, (Expr *[]){ix[i], ix_int(l, 0)}, ix[i]->span);
        Expr *hi = te_node(l->op, EX_LT, DT_U1, 2, (Expr *[]){ix[i], low_expr(l, t->shape[i])}, ix[i]->span);
        all = te_node(l->op, EX_AND, DT_U1, 2,
                      (Expr *[]){all, te_node(l->op, EX_AND, DT_U1, 2, (Expr *[]){lo, hi}, ix[i]->span)}, ix[i]->span);
    }
    return all;
}

/* Of several buffers the one that is meant: its number comes first. */
static Expr **in_slot(Lower *l, const View *v, Expr **ix, int *n)
{
    if (!v->slot) return ix;
    Expr **all = NEW_ARRAY(l->mem, Expr *, *n + 1);
    all[0] = v->slot;
    for (int i = 0; i < *n; i++) all[i + 1] = ix[i];
    *n += 1;
    return all;
}

/* [an/fn]…[a1/f1][a1%f1]…[an%fn], without those of extent 1. */
static Expr **pack_place(Lower *l, const View *v, int *n)
{
    int k = v->nix;
    Expr **ix = NEW_ARRAY(l->mem, Expr *, 2 * k + 1), **q = NEW_ARRAY(l->mem, Expr *, k + 1),
         **r = NEW_ARRAY(l->mem, Expr *, k + 1);
    for (int i = 0; i < k; i++)
        if (v->panel && i == k - 1)
            q[i] = v->panel, r[i] = v->place;
        else
            lin_divide(l, lin_sub(l, iter_value(v->p, v->ix[i]), v->origin[i]), v->factor[i], &q[i], &r[i]);
    *n = 0;
    for (int i = k - 1; i >= 0; i--) ix[(*n)++] = q[i];
    for (int i = 0; i < k; i++)
        if (v->factor[i] > 1) ix[(*n)++] = r[i];
    return in_slot(l, v, ix, n);
}

Expr **view_place(Lower *l, const View *v, Expr *const *ix, int *n)
{
    if (v->load) return pack_place(l, v, n);
    *n = v->of->rank;
    Expr **at = NEW_ARRAY(l->mem, Expr *, *n + 1);
    for (int i = 0; i < *n; i++) at[i] = lin_sub(l, ix[i], v->origin[i]);
    if (!v->layout) return in_slot(l, v, at, n);
    *n = v->layout->n;
    return in_slot(l, v, layout_place(l, v->layout, at), n);
}

Expr *view_read(Lower *l, const View *v, Expr *e, Expr *const *ix, Expr *other)
{
    int n;
    Expr **at = view_place(l, v, ix, &n);
    if (v->load || v->padded || !other) {
        Expr *r = te_load(l->op, v->buf, n, at, NULL, e->span);
        bool checked = e->flag == LOAD_GATHER && !v->load;
        r->flag = checked ? LOAD_GATHER : LOAD_PROVED;
        r->load.site = checked ? e->load.site : -1;
        return r;
    }
    /* What is outside of the tensor may be inside of the buffer. */
    Expr *in = in_bounds(l, v->of, ix), *r = te_load(l->op, v->buf, n, at, other, e->span);
    r->flag = LOAD_GUARDED;
    return te_node(l->op, EX_SELECT, (DType)e->type, 3, (Expr *[]){in, r, other}, e->span);
}

/* ---- what each part reads
 * ---------------------------------------------------------------------------------------------
 */
static bool read_here(const Emit *e, const Tensor *t)
{
    Lower *l = e->l;
    const PlanDef *d = e->d;
    switch (e->part) {
    case PART_WHOLE: return true;
    case PART_INIT:
    case PART_RESCALE: return false;
    case PART_UPDATE: return low_reads(l, d->red, t, NULL);
    case PART_FINISH: return low_reads(l, d->w->rhs, t, d->red);
    }
    return true;
}

/* Directly, or by another producer that is computed at the same place. */
static bool needed(const Emit *e, const PlanDef *c)
{
    if (plan_goes_on(c)) return true;
    for (int o = 0; o < c->w->def->nout; o++) {
        const Tensor *t = c->w->def->out[o];
        if (read_here(e, t)) return true;
        for (int i = 0; i < e->p->n; i++) {
            PlanDef *x = &e->p->def[i];
            if (x->w->gone || x->in != e->d || x == c) continue;
            if (low_reads(e->l, x->w->rhs, t, NULL) && needed(e, x)) return true;
        }
    }
    return false;
}

/* ---- producers
 * ----------------------------------------------------------------------------------------------------------
 */
static Iter *root_for(const PlanDef *d, const Var *v)
{
    for (int i = 0; i < d->nroots; i++)
        if (d->root[i]->var == v) return d->root[i];
    return NULL;
}

static void cover_root(Lower *l, Iter *r, Expr *from, Expr *n, Expr *size)
{
    int64_t known;
    r->lo = from;
    r->ext = ix_known(l, n, &known) || (size && low_same(l, n, size)) ? n : ix_op(l, EX_MAX, n, ix_int(l, 0));
    r->size = size;
}

/* A reduction that goes on from one iteration to the next goes over what e->d does in this one. */
static void cover_terms(Emit *e, PlanDef *c)
{
    Lower *l = e->l;
    const Iter *mine = NULL;
    for (int i = 0; i < e->d->nroots; i++)
        if (e->d->root[i]->reduces) mine = e->d->root[i];
    IterSpan s = iter_span(e->p, e->d, (Iter *)mine);
    Expr *from = ix_op(l, EX_ADD, low_expr(l, mine->var->lo), s.from);
    for (int i = 0; i < c->nroots; i++)
        if (c->root[i]->reduces) cover_root(l, c->root[i], from, lin_sub(l, s.to, s.from), s.size);
}

Region near_cover(Emit *e, Iter *at, PlanDef *c)
{
    Lower *l = e->l;
    const Def *def = c->w->def;
    Region g = region_of(e->p, e->d, at, def->out[0]);
    for (int i = 0; i < c->w->nix; i++) {
        Iter *r = root_for(c, c->w->ix[i]);
        if (!r) { /* the places of a topk: all of them */
            g.lo[i] = ix_int(l, 0);
            g.size[i] = low_expr(l, def->out[0]->shape[i]);
            continue;
        }
        cover_root(l, r, g.from[i], lin_sub(l, g.to[i], g.from[i]), g.size[i]);
    }
    if (plan_goes_on(c)) cover_terms(e, c);
    return g;
}

void near_uncover(PlanDef *c)
{
    for (int i = 0; i < c->nroots; i++) c->root[i]->lo = c->root[i]->ext = c->root[i]->size = NULL;
}

static Scope scope_for(const Lower *l, SchedScope asked, int rank, Expr *const *size)
{
    int64_t n, all = 1;
    for (int i = 0; i < rank; i++)
        if (!ix_known(l, size[i], &n) || __builtin_mul_overflow(all, n, &all)) return SCOPE_LOCAL;
    return asked == STAGE_REG || all == 1 ? SCOPE_REG : SCOPE_LOCAL;
}

View *near_hold(Emit *e, Tensor *t, const PlanLayout *y, SchedScope scope, const Region *g, Span at)
{
    Lower *l = e->l;
    View *v = NEW(l->mem, View);
    Scope s = scope_for(l, scope, t->rank, g->size);
    *v = (View){.of = t, .origin = g->lo, .held = g, .layout = y};
    v->buf = layout_buffer(l, y, t->name, t, s, g->size, at);
    VEC_PUSH(l->mem, &l->views, v);
    return v;
}

static void hold(Emit *e, PlanDef *c, const Region *g)
{
    for (int o = 0; o < c->w->def->nout && !plan_goes_on(c); o++)
        near_hold(e, c->w->def->out[o], c->layout[o], c->scope, g, c->w->def->span);
}

/* What is computed or copied only when there is such an iteration. */
static Expr *open_if(Emit *e, Nest *n)
{
    Expr *when = emit_condition(e, true);
    if (when) low_open(e->l, n);
    return when;
}

static void close_if(Emit *e, Nest *n, Expr *when)
{
    if (!when) return;
    Block b = low_close(e->l, n);
    low_emit(e->l, tile_if(e->l->p, when, b, (Block){0}, e->d->w->def->span));
}

void emit_producers(Emit *e, Iter *it)
{
    Plan *p = e->p;
    PlanDef **here = NEW_ARRAY(e->l->mem, PlanDef *, p->n + 1);
    Region *g = NEW_ARRAY(e->l->mem, Region, p->n + 1);
    int n = 0;
    for (int i = 0; i < p->n; i++)
        if (!p->def[i].w->gone && !p->def[i].w->unused && p->def[i].in == e->d && p->def[i].at == it &&
            needed(e, &p->def[i]))
            here[n++] = &p->def[i];
    for (int i = n - 1; i >= 0; i--) g[i] = near_cover(e, it, here[i]); /* what the later ones need of the earlier */
    for (int i = 0; i < n; i++) {
        hold(e, here[i], &g[i]);
        Nest held;
        Expr *when = open_if(e, &held);
        emit_def(p, here[i]);
        close_if(e, &held, when);
    }
    for (int i = 0; i < n; i++) near_uncover(here[i]);
}

/* ---- copies
 * ---------------------------------------------------------------------------------------------------------------
 */
static Expr *find_load(Expr *e, const Tensor *t, char *seen)
{
    if (seen[e->id]) return NULL;
    seen[e->id] = 1;
    if (e->op == EX_LOAD && e->load.t == t) return e;
    for (int i = 0; i < te_nchildren(e); i++) {
        Expr *f = find_load(te_child(e, i), t, seen);
        if (f) return f;
    }
    return NULL;
}

/* The outermost loop of a copy is shared out when nothing around it is. */
static LoopKind copy_kind(const Emit *e, bool outermost)
{
    return outermost && e->l->threads > 1 && !e->l->in_parallel && !e->l->in_lanes ? LOOP_PARALLEL : LOOP_SERIAL;
}

static int copy_width(const Lower *l, const Tensor *t)
{
    return target_lanes(l->target, te_type[t->type].bits >= 64 ? 8 : 4) * 2;
}

/* A copy for guarded reads that all give the same outside of the tensor holds that too, and is then read as it stands.
 */
static bool hold_outside(Lower *l, const PlanStage *s, Region *g)
{
    if (!g->other || (s->t->kind == TK_LET && !l->store[s->t->id])) return false;
    g->from = g->lo;
    for (int i = 0; i < s->t->rank; i++) g->to[i] = ix_op(l, EX_ADD, g->lo[i], g->size[i]);
    return true;
}

/* The tile as it is: for each dimension a loop over what is there to copy, `other` outside of the tensor. */
static void copy_plain(Emit *e, const PlanStage *s, const Region *g, const View *own, Expr *other)
{
    Lower *l = e->l;
    Tensor *t = s->t;
    Span at = s->from->span;
    Loop *lp = NEW_ARRAY(l->mem, Loop, t->rank + 1);
    Expr **from = NEW_ARRAY(l->mem, Expr *, t->rank + 1), **to = NEW_ARRAY(l->mem, Expr *, t->rank + 1);
    for (int i = 0; i < t->rank; i++) {
        low_loop(l, &lp[i], arena_printf(l->mem, "%s_%d", t->name, i), ix_int(l, 0), lin_sub(l, g->to[i], g->from[i]),
                 at);
        from[i] = ix_op(l, EX_ADD, g->from[i], ix_var(l, lp[i].var));
        to[i] = lin_sub(l, from[i], g->lo[i]);
    }
    const View *v = low_view(l, t);
    Tensor *in = t->kind == TK_LET && !v ? l->store[t->id] : t;
    Expr *x = te_load(l->op, in, t->rank, from, other, at);
    x->flag = other ? LOAD_GUARDED : LOAD_PROVED;
    if (v) x = view_read(l, v, x, from, NULL);
    int n = t->rank;
    to = in_slot(l, own, to, &n);
    low_emit(l, tile_store(l->p, own->buf, to, x, at));
    for (int i = t->rank - 1; i >= 0; i--) {
        bool lanes = i == t->rank - 1 && !l->in_lanes && te_type[t->type].bits >= 8;
        low_loop_end(l, &lp[i], 1, lanes ? LOOP_VECTOR : copy_kind(e, i == 0), lanes ? copy_width(l, t) : 0, NULL, 0);
    }
}

/* What its value counts from. */
static Expr *root_low(Lower *l, const Iter *root) { return root->lo ? root->lo : low_expr(l, root->var->lo); }

static void bind_all(Emit *e)
{
    for (int i = 0; i < e->d->nroots; i++) {
        Iter *r = e->d->root[i];
        Expr *v = iter_value(e->p, r);
        if (v) low_bind(e->l, r->var, ix_op(e->l, EX_ADD, root_low(e->l, r), v));
    }
}

enum { SHUFFLED = 4 }; /* vectors of elements no further apart are loaded and shuffled */

/* Its places lie at most `most` apart in the tensor, or do so in pieces that rows end. */
static bool near(const Emit *e, const View *v, const Iter *it, int64_t most)
{
    while (it->kind == IT_FUSED) it = rows_single(e, it->with) ? it->of : it->with;
    if (it->kind != IT_ROOT || te_type[v->of->type].bits < 8) return false;
    int64_t step = rows_step(e, v->load, it->var);
    return step >= 1 && step <= most;
}

static bool consecutive(const Emit *e, const View *v, const Iter *it) { return near(e, v, it, 1); }

/* The index over which a pack's elements are consecutive in the tensor, when they are not so over its last one; -1:
 * none. Blocks are then read along the one and stored along the other. */
static int turned(const Emit *e, const View *v)
{
    int last = v->nix - 1, bits = te_type[v->buf->type].bits;
    if (e->l->in_lanes || v->factor[last] < 2 || v->factor[last] > 32 || bits < 16) return -1;
    if (near(e, v, v->ix[last], SHUFFLED)) return -1;
    for (int i = 0; i < last; i++)
        if (consecutive(e, v, v->ix[i])) return i;
    return -1;
}

/* Its places come row by row: they are not one run in the tensor. */
static bool by_rows(const Emit *e, const View *v, int i)
{
    return v->ix[i]->kind == IT_FUSED && !rows_joined(e, v->load, v->ix[i]);
}

typedef struct PackLoops {            /* of one panel */
    Expr *panel, *base;               /* its number; places before it */
    Expr **lo, **hi;                  /* by index of the pack, from its origin */
    int lanes_over, width, innermost; /* width 0: no lanes */
    bool unrolled;                    /* all of them, in lanes over panels */
} PackLoops;

/* for the indices in the order of the pack, `innermost` and the last one's places innermost: the copy itself. Rows of
 * the last index stand around all. */
static void copy_panel(Emit *e, View *v, const PackLoops *c, Span at)
{
    Lower *l = e->l;
    int n = v->nix, last = n - 1, k = 0, *order = NEW_ARRAY(l->mem, int, n + 1);
    Rows *rows = NEW_ARRAY(l->mem, Rows, n + 1);
    for (int i = 0; i < last; i++)
        if (i != c->innermost) order[k++] = i;
    if (c->innermost >= 0) order[k++] = c->innermost;
    order[k++] = last;
    for (int i = 0; i < n; i++) {
        Expr *origin = i == last ? ix_op(l, EX_ADD, v->origin[i], c->base) : v->origin[i];
        bool apart = c->innermost >= 0 && i == last; /* each place is a row of the block */
        rows[i] = (Rows){.it = v->ix[i], .origin = origin, .lo = c->lo[i], .hi = c->hi[i], .at = at};
        rows[i].by_rows = !apart && by_rows(e, v, i);
        rows[i].turned =
            rows[i].by_rows && i != last && c->width > 0 && c->lanes_over == last && rows_may_turn(e, v->ix[i]);
    }
    rows_outer(e, &rows[last]);
    for (int i = 0; i < n; i++) {
        int x = order[i];
        if (x != last) rows_outer(e, &rows[x]);
        Expr *place = rows_inner(e, &rows[x]);
        if (x == last) v->panel = c->panel, v->place = place;
    }
    bind_all(e);
    bool was_lanes = l->in_lanes;
    l->in_lanes |= c->width > 0 || c->unrolled;
    int rank;
    Expr **to = pack_place(l, v, &rank);
    v->panel = v->place = NULL;
    Expr *x = low_expr(l, v->load);
    low_emit(l, tile_store(l->p, v->buf, to, v->buf->type == x->type ? x : te_cast(l->op, v->buf->type, x, at), at));
    l->in_lanes = was_lanes;
    for (int i = last; i >= 0; i--) {
        bool lanes = c->width && order[i] == c->lanes_over, apart = c->innermost >= 0 && c->width && order[i] == last;
        apart |= c->unrolled;
        rows_close_inner(e, &rows[order[i]],
                         lanes   ? LOOP_VECTOR
                         : apart ? LOOP_UNROLL
                                 : LOOP_SERIAL,
                         lanes ? c->width : 0);
        if (i != last) rows_close_outer(e, &rows[order[i]]);
    }
    rows_close_outer(e, &rows[last]);
}

/* A whole panel by blocks, in lanes over `over`; gives where that ends, for what is left. NULL: nothing is left. */
static Expr *copy_blocks(Emit *e, View *v, PackLoops c, int over, Expr *places, Span at)
{
    Lower *l = e->l;
    int last = v->nix - 1;
    int64_t known, all;
    Expr *full = ix_int(l, v->factor[last]), **hi = NEW_ARRAY(l->mem, Expr *, v->nix + 1);
    bool sure = ix_known(l, places, &known) && known % v->factor[last] == 0;
    c.width = target_lanes(l->target, te_type[v->of->type].bits >= 64 ? 8 : 4);
    if (c.width > 16) c.width = 16;
    Expr *w = ix_int(l, c.width), *all_of = c.hi[over];
    /* What is left of a row is masked; what is left of the one run that all rows make has a loop of its own. */
    Expr *blocks = by_rows(e, v, over) ? all_of : ix_op(l, EX_MUL, ix_op(l, EX_DIV, all_of, w), w);
    Expr *whole = te_node(l->op, EX_GE, DT_U1, 2, (Expr *[]){lin_sub(l, places, c.base), full}, at);
    for (int i = 0; i < last; i++) hi[i] = i == over ? blocks : c.hi[i];
    hi[last] = full;
    c.hi = hi;
    c.lanes_over = c.innermost = over;
    if (sure) {
        copy_panel(e, v, &c, at);
        return blocks == all_of || (ix_known(l, all_of, &all) && all % c.width == 0) ? NULL : blocks;
    }
    Nest n;
    low_open(l, &n);
    copy_panel(e, v, &c, at);
    low_emit(l, tile_if(l->p, whole, low_close(l, &n), (Block){0}, at));
    return te_node(l->op, EX_SELECT, DT_INDEX, 3, (Expr *[]){whole, blocks, ix_int(l, 0)}, at);
}

/* Panels of pairs that follow each other in the tensor, for the places of one register row: lanes over panels, each of
 * which is a row of the block that is turned. Gives the first panel that is left. */
static Expr *copy_pairs(Emit *e, View *v, Expr **len, Span at)
{
    enum { PANELS = 8, LEAST = 4, MOST = 32 };
    Lower *l = e->l;
    int64_t m, known;
    Expr *zero = ix_int(l, 0);
    if (v->nix != 2 || v->factor[1] != 2 || v->factor[0] != 1 || l->in_lanes || te_type[v->buf->type].bits != 16)
        return zero;
    if (!consecutive(e, v, v->ix[1]) || by_rows(e, v, 0) || by_rows(e, v, 1)) return zero;
    if (!ix_known(l, v->buf->shape[v->slot ? 2 : 1], &m) || m < LEAST || m > MOST) return zero;
    Expr *w = ix_int(l, PANELS), *blocks = ix_op(l, EX_MUL, ix_op(l, EX_DIV, len[1], ix_int(l, 2 * PANELS)), w);
    if (ix_known(l, blocks, &known) && known == 0) return zero;
    bool sure = ix_known(l, len[0], &known);
    if (sure && known != m) return zero;
    Nest n;
    if (!sure) low_open(l, &n);
    Loop panel;
    low_loop(l, &panel, arena_printf(l->mem, "%sp", v->ix[1]->name), zero, blocks, at);
    Expr *number = ix_var(l, panel.var), *lo[2] = {zero, zero}, *hi[2] = {ix_int(l, m), ix_int(l, 2)};
    PackLoops c = {.panel = number,
                   .base = ix_op(l, EX_MUL, number, ix_int(l, 2)),
                   .lo = lo,
                   .hi = hi,
                   .innermost = -1,
                   .unrolled = true};
    copy_panel(e, v, &c, at);
    low_loop_end(l, &panel, 1, LOOP_VECTOR, PANELS, NULL, 0);
    if (sure) return blocks;
    Expr *whole = te_node(l->op, EX_EQ, DT_U1, 2, (Expr *[]){len[0], ix_int(l, m)}, at);
    low_emit(l, tile_if(l->p, whole, low_close(l, &n), (Block){0}, at));
    return te_node(l->op, EX_SELECT, DT_INDEX, 3, (Expr *[]){whole, blocks, zero}, at);
}

/* Panels, one after another. */
static void copy_pack(Emit *e, View *v, Expr **len, Span at)
{
    Lower *l = e->l;
    int n = v->nix, last = n - 1, over = turned(e, v);
    Loop panel;
    Expr *f = ix_int(l, v->factor[last]), *one = ix_int(l, 1);
    Expr **was = NEW_ARRAY(l->mem, Expr *, n + 1), **lo = NEW_ARRAY(l->mem, Expr *, n + 1),
         **hi = NEW_ARRAY(l->mem, Expr *, n + 1);
    for (int i = 0; i < n; i++) was[i] = v->ix[i]->at;
    Expr *first = copy_pairs(e, v, len, at);
    low_loop(l, &panel, arena_printf(l->mem, "%sp", v->ix[last]->name), first,
             ix_op(l, EX_DIV, ix_op(l, EX_ADD, len[last], lin_sub(l, f, one)), f), at);
    Expr *number = ix_var(l, panel.var), *base = ix_op(l, EX_MUL, number, f);
    for (int i = 0; i < n; i++) {
        lo[i] = ix_int(l, 0);
        hi[i] = i == last ? ix_op(l, EX_MIN, f, lin_sub(l, len[i], base)) : len[i];
    }
    PackLoops c = {.panel = number, .base = base, .lo = lo, .hi = hi, .innermost = -1};
    if (over >= 0)
        lo[over] = copy_blocks(e, v, c, over, len[last], at);
    else if (!l->in_lanes && v->factor[last] > 1 && near(e, v, v->ix[last], SHUFFLED))
        c.lanes_over = last, c.width = (int)v->factor[last];
    else if (!l->in_lanes && v->factor[last] == 1 && n > 1 && consecutive(e, v, v->ix[0])) /* rows stay rows */
        c.lanes_over = 0, c.width = copy_width(l, v->buf);
    if (over < 0 || lo[over]) copy_panel(e, v, &c, at);
    low_loop_end(l, &panel, 1, copy_kind(e, true), 0, NULL, 0);
    for (int i = 0; i < n; i++) v->ix[i]->at = was[i];
    bind_all(e);
}

/* By the loops of the definition that has the copy's name, over len of size from `from` on. It finds its panels by its
 * own indices. */
static void copy_named(Emit *e, const PlanStage *s, const View *v, Expr **from, Expr **len, Expr **size)
{
    Lower *l = e->l;
    PlanDef *c = s->copy;
    View *own = NEW(l->mem, View);
    *own = *v;
    own->of = c->w->def->out[0];
    if (v->load) {
        own->ix = c->root;
        own->origin = NEW_ARRAY(l->mem, Expr *, c->nroots + 1);
        for (int i = 0; i < c->nroots; i++) own->origin[i] = ix_int(l, 0);
    }
    for (int i = 0; i < c->nroots; i++) cover_root(l, c->root[i], from[i], len[i], size[i]);
    VEC_PUSH(l->mem, &l->views, own);
    emit_def(e->p, c);
    l->views.n--;
    near_uncover(c);
}

/* What a pack holds of elements that are made `to` before they are used: a wider floating-point type at once, or, for
 * kernels that multiply pairs, 16-bit integers. */
static DType made(DType from, DType to, bool pairs)
{
    int was = te_type[from].bits, is = te_type[to].bits;
    if (te_is_float(from)) return te_is_float(to) && is > was ? to : from;
    return pairs && to == DT_I32 && was <= 8 ? DT_I16 : from;
}

/* What a pack of t holds, where that is the same for all uses. */
static DType held_type(Expr *e, const Tensor *t, bool pairs, char *seen)
{
    if (seen[e->id]) return DT_NONE;
    seen[e->id] = 1;
    if (e->op == EX_LOAD && e->load.t == t) return t->type;
    DType all = DT_NONE;
    for (int i = 0; i < te_nchildren(e); i++) {
        Expr *x = te_child(e, i);
        bool cast = e->op == EX_CAST && x->op == EX_LOAD && x->load.t == t;
        DType h = cast ? made(t->type, (DType)e->type, pairs) : held_type(x, t, pairs, seen);
        if (h != DT_NONE) all = all == DT_NONE || all == h ? h : t->type;
    }
    return all;
}

/* What is done about a staged tensor, in which buffer. Outside of pipelines: all three at once, the buffer new. */
enum { STAGE_ALLOC = 1, STAGE_COPY = 2, STAGE_SEE = 4, STAGE_ALL = 7 };
typedef struct Slot {
    int what;
    Tensor *buf;   /* NULL: ALLOC makes it */
    int64_t count; /* buffers, for ALLOC; 0: one, without a number */
    Expr *at;      /* the number of this one; NULL: there is one */
} Slot;

static Tensor *slots(Emit *e, const Slot *slot, const char *name, DType t, Scope scope, int rank, Expr **shape, Span at)
{
    Lower *l = e->l;
    if (slot->buf) return slot->buf;
    if (!slot->count) return low_buffer(l, name, t, scope, rank, shape, at);
    Expr **all = NEW_ARRAY(l->mem, Expr *, rank + 1);
    all[0] = ix_int(l, slot->count);
    for (int i = 0; i < rank; i++) all[i + 1] = shape[i];
    return low_buffer(l, name, t, SCOPE_LOCAL, rank + 1, all, at);
}

static Tensor *stage_packed(Emit *e, const PlanStage *s, const Slot *slot)
{
    Lower *l = e->l;
    const SchedLayout *y = &s->from->layout;
    View *v = NEW(l->mem, View);
    *v = (View){.of = s->t,
                .p = e->p,
                .nix = y->n,
                .factor = s->factor,
                .ix = NEW_ARRAY(l->mem, Iter *, y->n + 1),
                .origin = NEW_ARRAY(l->mem, Expr *, y->n + 1)};
    v->load = find_load(e->d->w->rhs, s->t, arena_alloc(l->mem, (size_t)l->op->nexprs + 1));
    Expr **len = NEW_ARRAY(l->mem, Expr *, y->n + 1), **shape = NEW_ARRAY(l->mem, Expr *, 2 * y->n + 1);
    Expr **from = NEW_ARRAY(l->mem, Expr *, y->n + 1), **size = NEW_ARRAY(l->mem, Expr *, y->n + 1);
    int rank = 0;
    for (int i = 0; i < y->n; i++) {
        for (int k = 0; k < e->d->iter.n; k++)
            if (!v->ix[i] && ir_streq(e->d->iter.at[k]->name, y->ix[i].text)) v->ix[i] = e->d->iter.at[k];
        IterSpan g = iter_span(e->p, e->d, v->ix[i]);
        v->origin[i] = g.from;
        len[i] = lin_sub(l, g.to, g.from);
        if (s->copy) from[i] = ix_op(l, EX_ADD, root_low(l, v->ix[i]), g.from);
        size[i] = g.size;
        shape[y->n - 1 - i] =
            ix_op(l, EX_DIV, ix_op(l, EX_ADD, g.size, ix_int(l, v->factor[i] - 1)), ix_int(l, v->factor[i]));
    }
    rank = y->n;
    for (int i = 0; i < y->n; i++)
        if (v->factor[i] > 1) shape[rank++] = ix_int(l, v->factor[i]);
    char *seen = arena_alloc(l->mem, (size_t)l->op->nexprs + 1);
    DType held = s->copy ? (DType)s->t->type : held_type(e->d->w->rhs, s->t, plan_pairs(e->d), seen);
    v->buf = slots(e, slot, s->name ? s->name : s->t->name, held, SCOPE_LOCAL, rank, shape, s->from->span);
    v->slot = slot->at;
    if (slot->what & STAGE_COPY) {
        Nest n;
        Expr *when = open_if(e, &n);
        if (s->copy)
            copy_named(e, s, v, from, len, size);
        else
            copy_pack(e, v, len, s->from->span);
        close_if(e, &n, when);
    }
    if (slot->what & STAGE_SEE) VEC_PUSH(l->mem, &l->views, v);
    return v->buf;
}

/* Rows as long as `pad` and `swizzle` say. There are no banks here that chunks would have to avoid. */
static Expr **row_size(Lower *l, const PlanStage *s, const Region *g)
{
    SchedLayoutKind kind = s->from->layout.kind;
    int last = s->t->rank - 1, bits = te_type[s->t->type].bits;
    if (kind == LAYOUT_PLAIN || last < 0) return g->size;
    Expr **size = arena_dup(l->mem, g->size, sizeof *size * (size_t)(last + 1));
    if (kind == LAYOUT_PAD) {
        size[last] = ix_op(l, EX_ADD, size[last], ix_int(l, s->factor[0]));
        return size;
    }
    Expr *line = ix_int(l, s->factor[0] * 8 / bits),
         *up = ix_op(l, EX_ADD, size[last], ix_op(l, EX_SUB, line, ix_int(l, 1)));
    size[last] = ix_op(l, EX_MUL, ix_op(l, EX_DIV, up, line), line);
    return size;
}

/* The copy itself: by its own loops, or by those of the definition that has its name. */
static void copy_tile(Emit *e, const PlanStage *s, const Region *g, const View *v, Expr *other)
{
    Lower *l = e->l;
    Nest n;
    Expr *when = open_if(e, &n);
    if (s->copy) {
        Expr **len = NEW_ARRAY(l->mem, Expr *, s->t->rank + 1);
        for (int i = 0; i < s->t->rank; i++) len[i] = lin_sub(l, g->to[i], g->from[i]);
        Expr *x = s->copy->w->rhs;
        x->load.other = other ? g->other : NULL;
        x->flag = other ? LOAD_GUARDED : LOAD_PROVED;
        copy_named(e, s, v, g->from, len, g->size);
    } else {
        copy_plain(e, s, g, v, other);
    }
    close_if(e, &n, when);
}

static Tensor *stage_plain(Emit *e, const PlanStage *s, const Slot *slot)
{
    Lower *l = e->l;
    Region g = region_of(e->p, e->d, s->at, s->t);
    View *v = NEW(l->mem, View);
    Expr *other = hold_outside(l, s, &g) ? low_expr(l, g.other) : NULL;
    *v = (View){.of = s->t,
                .origin = g.lo,
                .held = arena_dup(l->mem, &g, sizeof g),
                .padded = other,
                .layout = s->copy ? s->copy->layout[0] : NULL};
    Expr **size = row_size(l, s, &g), **shape = v->layout ? layout_shape(l, v->layout, size) : size;
    v->buf = slots(e, slot, s->name ? s->name : s->t->name, (DType)s->t->type, scope_for(l, s->scope, s->t->rank, size),
                   v->layout ? v->layout->n : s->t->rank, shape, s->from->span);
    v->slot = slot->at;
    if (slot->what & STAGE_COPY) copy_tile(e, s, &g, v, other);
    if (slot->what & STAGE_SEE) VEC_PUSH(l->mem, &l->views, v);
    return v->buf;
}

static Tensor *stage_one(Emit *e, const PlanStage *s, const Slot *slot)
{
    return s->from->layout.kind == LAYOUT_PACK ? stage_packed(e, s, slot) : stage_plain(e, s, slot);
}

static bool staged_here(const Emit *e, int i, const Iter *it)
{
    return e->d->stage.at[i].at == it && read_here(e, e->d->stage.at[i].t);
}

/* ---- pipelines ------------------------------------------------------------------------------------------------------
 * for p in 0..min(n - 1, trips) { copy p into buffer p }
 * for t in 0..trips { if t + n - 1 < trips { copy t + n - 1 into buffer (t + n - 1) % n }   work on buffer t % n } */
static void pipe_copies(Emit *e, Pipe *p, Expr *at, Expr *number, int what)
{
    Expr *now = p->it->at;
    p->it->at = at;
    bind_all(e);
    Slot slot = {.what = what, .count = p->it->stages, .at = number};
    for (int i = 0; i < e->d->stage.n; i++) {
        if (!staged_here(e, i, p->it)) continue;
        slot.buf = p->buf[i];
        p->buf[i] = stage_one(e, &e->d->stage.at[i], &slot);
    }
    p->it->at = now;
    if (now) bind_all(e);
}

void pipe_open(Emit *e, Iter *it, Expr *trips)
{
    Lower *l = e->l;
    bool any = false;
    for (int i = 0; i < e->d->stage.n; i++) any |= staged_here(e, i, it);
    if (it->stages < 2 || !any) return;
    Pipe *p = NEW(l->mem, Pipe);
    *p = (Pipe){.outer = e->pipe, .it = it, .buf = NEW_ARRAY(l->mem, Tensor *, e->d->stage.n + 1)};
    e->pipe = p;
    it->trips = trips;
    pipe_copies(e, p, ix_int(l, 0), ix_int(l, 0), STAGE_ALLOC);
    Loop lp;
    Expr *ahead = ix_int(l, it->stages - 1);
    low_loop(l, &lp, arena_printf(l->mem, "%s_ahead", it->name), ix_int(l, 0), ix_op(l, EX_MIN, ahead, trips),
             it->piped);
    Expr *at = ix_var(l, lp.var);
    low_limited(l, at, it->stages - 2);
    pipe_copies(e, p, at, at, STAGE_COPY);
    low_loop_end(l, &lp, 1, LOOP_SERIAL, 0, NULL, 0);
    it->trips = NULL;
}

void pipe_close(Emit *e, const Iter *it)
{
    if (e->pipe && e->pipe->it == it) e->pipe = e->pipe->outer;
}

static void pipe_step(Emit *e, Pipe *p)
{
    Lower *l = e->l;
    Iter *it = p->it;
    Expr *next = ix_op(l, EX_ADD, it->at, ix_int(l, it->stages - 1)), *count = ix_int(l, it->stages);
    Nest n;
    low_open(l, &n);
    pipe_copies(e, p, next, ix_op(l, EX_MOD, next, count), STAGE_COPY);
    Block b = low_close(l, &n);
    low_emit(l, tile_if(l->p, te_node(l->op, EX_LT, DT_U1, 2, (Expr *[]){next, it->trips}, it->piped), b, (Block){0},
                        it->piped));
    pipe_copies(e, p, it->at, ix_op(l, EX_MOD, it->at, count), STAGE_SEE);
}

void emit_copies(Emit *e, Iter *it)
{
    static const Slot alone = {.what = STAGE_ALL};
    if (e->pipe && e->pipe->it == it) {
        pipe_step(e, e->pipe);
        return;
    }
    for (int i = 0; i < e->d->stage.n; i++)
        if (staged_here(e, i, it)) stage_one(e, &e->d->stage.at[i], &alone);
}

/* ---- prefetches
 * -----------------------------------------------------------------------------------------------------------
 */
enum { LINE = 64, FEW = 16 };

static LoopKind fetch_kind(const Lower *l, const Expr *extent)
{
    int64_t n;
    return ix_known(l, extent, &n) && n <= FEW ? LOOP_UNROLL : LOOP_SERIAL;
}

/* Every line of the box that the loops inside of this one touch. */
static void fetch_box(Emit *e, const PlanFetch *f)
{
    Lower *l = e->l;
    bind_all(e);
    Region g = region_touched(e->p, e->d, f->at, f->t);
    int rank = f->t->rank, bits = te_type[f->t->type].bits;
    for (int i = 0; i < rank; i++)
        if (te_has_load(g.lo[i])) return; /* what is left of a ragged loop: where that is stands in data */
    Loop *lp = NEW_ARRAY(l->mem, Loop, rank + 1);
    Expr **ix = NEW_ARRAY(l->mem, Expr *, rank + 1);
    for (int i = 0; i < rank; i++) {
        low_loop(l, &lp[i], arena_printf(l->mem, "%s_%d", f->t->name, i), ix_int(l, 0), g.size[i], f->from->span);
        ix[i] = ix_op(l, EX_ADD, g.lo[i], ix_var(l, lp[i].var));
    }
    low_emit(l, tile_prefetch(l->p, f->t, ix, plan_writes(e->d, f->t), f->from->span));
    for (int i = rank - 1; i >= 0; i--)
        low_loop_end(l, &lp[i], i == rank - 1 ? LINE * 8 / bits : 1, fetch_kind(l, g.size[i]), 0, NULL, 0);
}

/* Its iterations follow each other in the result. */
static bool along_row(const PlanDef *d, const Iter *it)
{
    while (it->kind != IT_ROOT) it = it->kind == IT_FUSED ? it->with : it->of;
    return d->w->nix && it->var == d->w->ix[d->w->nix - 1];
}

/* Every line that the iterations write: where indices were fused, a tile is no box of the tensor. */
static void fetch_tile(Emit *e, const PlanFetch *f)
{
    Lower *l = e->l;
    PlanDef *d = e->d;
    int n = 0, first = plan_index(d, f->at) + 1, bits = te_type[f->t->type].bits, rank;
    Iter **open = NEW_ARRAY(l->mem, Iter *, d->loop.n + 1);
    Loop *lp = NEW_ARRAY(l->mem, Loop, d->loop.n + 1);
    for (int i = first; i < d->loop.n; i++)
        if (!d->loop.at[i]->reduces) open[n++] = d->loop.at[i];
    for (int i = 0; i < n; i++) {
        low_loop(l, &lp[i], arena_printf(l->mem, "%s_%d", f->t->name, i), ix_int(l, 0), iter_nominal(e->p, open[i]),
                 f->from->span);
        open[i]->at = ix_var(l, lp[i].var);
    }
    bind_all(e);
    Tensor *to;
    Expr **ix = low_result_place(l, d->w, f->t, &to, &rank);
    low_emit(l, tile_prefetch(l->p, to, ix, true, f->from->span));
    for (int i = n - 1; i >= 0; i--) {
        bool lines = along_row(d, open[i]) && open[i]->kind == IT_INNER;
        low_loop_end(l, &lp[i], lines ? LINE * 8 / bits : 1, fetch_kind(l, iter_nominal(e->p, open[i])), 0, NULL, 0);
        open[i]->at = NULL;
    }
}

static bool any_fused(const PlanDef *d)
{
    for (int i = 0; i < d->iter.n; i++)
        if (d->iter.at[i]->kind == IT_FUSED && !d->iter.at[i]->reduces) return true;
    return false;
}

static void fetch(Emit *e, const PlanFetch *f)
{
    Lower *l = e->l;
    Expr *now = f->at->at;
    f->at->at = ix_op(l, EX_ADD, now, ix_int(l, f->distance));
    if (plan_writes(e->d, f->t) && any_fused(e->d))
        fetch_tile(e, f);
    else
        fetch_box(e, f);
    f->at->at = now;
    bind_all(e);
}

void emit_fetches(Emit *e, Iter *it)
{
    for (int i = 0; i < e->d->fetch.n; i++)
        if (e->d->fetch.at[i].at == it && (e->part == PART_WHOLE || e->part == PART_UPDATE))
            fetch(e, &e->d->fetch.at[i]);
}
