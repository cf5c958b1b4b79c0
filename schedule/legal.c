/* legal: what a statement may do. Index notation leaves few dependences: a definition's instances are independent of one
 * another except for the terms of a reduction, which meet in one accumulator, and a recurrence (`seq`), whose instances
 * read earlier ones. What is checked here is on the original indices, whatever they were split or fused into, so it
 * holds for all factors. */
#include "schedule/apply.h"

#include <string.h>

/* ---- what depends on what ---------------------------------------------------------------------------------------------
 */
/* Is `it` a part of root (by splits and fusions)? */
static bool part_of(const Iter *it, const Iter *root)
{
    if (it == root) return true;
    if (it->kind == IT_ROOT) return false;
    return part_of(it->of, root) || (it->kind == IT_FUSED && part_of(it->with, root));
}

static Iter *seq_root(const PlanDef *d)
{
    for (int i = 0; i < d->nroots; i++)
        if (d->w->def->seq && d->root[i]->var == d->w->def->seq) return d->root[i];
    return NULL;
}

bool legal_reads(Apply *a, Expr *e, const Tensor *t) { return low_reads(a->p->l, e, t, NULL); }

typedef struct Loads {
    Arena *mem;
    char *seen;
    const Tensor *t;
    VEC(Expr *) at;
    bool under_condition; /* some stand where they may not be evaluated */
} Loads;

static void find(Loads *f, Expr *e, bool conditional)
{
    if (f->seen[e->id] & (conditional ? 2 : 1)) return;
    bool first = !f->seen[e->id];
    f->seen[e->id] |= conditional ? 2 : 1;
    if (e->op == EX_LOAD && e->load.t == f->t) {
        if (first) VEC_PUSH(f->mem, &f->at, e);
        f->under_condition |= conditional;
    }
    bool lazy = e->op == EX_SELECT || e->op == EX_AND || e->op == EX_OR;
    for (int i = 0; i < te_nchildren(e); i++) {
        Expr *c = te_child(e, i);
        bool held = (lazy && i > 0) || (e->op == EX_LOAD && c == e->load.other) ||
                    (e->op == EX_REDUCE && e->red->cond && (c == e->red->body));
        find(f, c, conditional || held);
    }
}

static Loads loads(Apply *a, Expr *e, const Tensor *t)
{
    Loads f = {.mem = a->p->l->mem, .seen = arena_alloc(a->p->l->mem, (size_t)a->p->l->op->nexprs + 1), .t = t};
    find(&f, e, false);
    return f;
}

/* A recurrence reads itself at another place of root r too, so that loops over r may not enclose the recurrence's. */
static bool moves_along(Apply *a, const PlanDef *d, const Iter *r)
{
    Loads f = loads(a, d->w->rhs, d->w->def->out[0]);
    for (int i = 0; i < d->w->nix; i++) {
        if (d->w->ix[i] != r->var) continue;
        for (int k = 0; k < f.at.n; k++)
            if (f.at.at[k]->arg[i]->op != EX_VAR || f.at.at[k]->arg[i]->var != r->var) return true;
    }
    return false;
}

/* ---- order --------------------------------------------------------------------------------------------------------------
 */
/* The parts of `it` in the order in which they go through it one by one. */
static int natural(const Iter *it, const Iter **out, int n)
{
    if (!it->by) {
        out[n++] = it;
        return n;
    }
    if (it->by->kind == IT_OUTER) {
        n = natural(it->by, out, n);
        return natural(it->by->with, out, n);
    }
    return it->by->of == it ? natural(it->by, out, n) : n; /* fused: its outer part speaks for both */
}

/* The first pair of loops that stand in another order than `want`. */
static bool keeps(const Iter *const *want, int n, Iter *const *order, int loops, const Iter **x, const Iter **y)
{
    int at = 0;
    for (int i = 0; i < loops; i++)
        for (int k = 0; k < n; k++) {
            if (want[k] != order[i]) continue;
            if (k < at) {
                *x = want[k];
                *y = want[at - 1];
                return false;
            }
            at = k + 1;
        }
    return true;
}

static bool in_order(const PlanDef *d)
{
    return d->r && !red_exact(d->r->op, (DType)d->r->body->type);
}

static bool terms_in_order(Apply *a, const PlanDef *d, Iter *const *order, DiagCode code)
{
    if (!in_order(d) || !a->p->l->num.ordered) return true;
    const Iter **want = NEW_ARRAY(a->p->l->mem, const Iter *, d->iter.n + 1), *x, *y;
    int n = 0;
    for (int i = 0; i < d->nroots; i++)
        if (d->root[i]->reduces) n = natural(d->root[i], want, n);
    if (keeps(want, n, order, d->loop.n, &x, &y)) return true;
    Diag *e = diag_error(a->diags, code, a->now->span,
                         arena_printf(a->p->l->mem, "under `ordered` the terms of a sum enter in their order, and `%s` inside of `%s` changes it",
                                      y->name, x->name));
    diag_note(a->diags, e, d->r->span, "this is the reduction");
    diag_help(a->diags, e, "`--numerics fast` allows any order");
    return false;
}

static bool recurrence_in_order(Apply *a, const PlanDef *d, Iter *const *order, DiagCode code)
{
    const Iter *s = seq_root(d), *x, *y;
    if (!s) return true;
    const Iter **want = NEW_ARRAY(a->p->l->mem, const Iter *, d->iter.n + 1);
    int n = natural(s, want, 0);
    const char *what = NULL;
    if (!keeps(want, n, order, d->loop.n, &x, &y))
        what = arena_printf(a->p->l->mem, "`%s` reads values of earlier `%s`, and `%s` inside of `%s` would leave that order",
                            d->w->def->name, s->name, y->name, x->name);
    int last = -1;
    for (int i = 0; i < d->loop.n; i++)
        if (part_of(order[i], s)) last = i;
    for (int i = 0; i < last && !what; i++)
        for (int k = 0; k < d->nroots; k++)
            if (d->root[k] != s && !d->root[k]->reduces && part_of(order[i], d->root[k]) && moves_along(a, d, d->root[k]))
                what = arena_printf(a->p->l->mem,
                                    "`%s` reads values of earlier `%s` at other `%s`, so a loop over `%s` cannot enclose `%s`",
                                    d->w->def->name, s->name, d->root[k]->name, d->root[k]->name, order[last]->name);
    for (int i = 0; i < last && !what; i++)
        if (order[i]->reduces)
            what = arena_printf(a->p->l->mem, "the sum over `%s` must be complete before the next `%s` reads it",
                                order[i]->name, s->name);
    if (!what) return true;
    diag_note(a->diags, diag_error(a->diags, code, a->now->span, what), d->w->def->span, "this is the recurrence");
    return false;
}

/* A range that mentions another index can only be looped over inside of that index's loops. */
static bool ranges_inside(Apply *a, const PlanDef *d, Iter *const *order, DiagCode code)
{
    for (int v = 0; v < d->nroots; v++)
        for (int w = 0; w < d->nroots; w++) {
            const Iter *x = d->root[v], *y = d->root[w];
            if (v == w || !(te_uses_var(x->var->lo, y->var) || te_uses_var(x->var->hi, y->var))) continue;
            int first = d->loop.n, last = -1;
            for (int i = 0; i < d->loop.n; i++) {
                if (first == d->loop.n && part_of(order[i], x)) first = i;
                if (part_of(order[i], y)) last = i;
            }
            if (last < first) continue;
            Diag *e = diag_error(a->diags, code, a->now->span,
                                 arena_printf(a->p->l->mem, "the range of `%s` depends on `%s`, so `%s` must stand inside of `%s`",
                                              x->name, y->name, order[first]->name, order[last]->name));
            diag_note(a->diags, e, x->var->span, "its range is given here");
            return false;
        }
    return true;
}

bool legal_order(Apply *a, const PlanDef *d, Iter *const *order, DiagCode code)
{
    int lanes = -1;
    for (int i = 0; i < d->loop.n; i++)
        if (order[i]->how == LOOP_VECTOR) lanes = i;
    for (int i = lanes + 1; lanes >= 0 && i < d->loop.n; i++)
        if (order[i]->how == LOOP_PARALLEL) {
            diag_error(a->diags, code, a->now->span,
                       arena_printf(a->p->l->mem, "`%s` runs in parallel and cannot stand inside of `%s`, which runs in lanes",
                                    order[i]->name, order[lanes]->name));
            return false;
        }
    return terms_in_order(a, d, order, code) && recurrence_in_order(a, d, order, code) && ranges_inside(a, d, order, code);
}

/* Does the range of an index that inner is a part of mention one that outer is a part of? */
static bool depends(const PlanDef *d, const Iter *inner, const Iter *outer)
{
    for (int x = 0; x < d->nroots; x++)
        for (int y = 0; y < d->nroots; y++)
            if (part_of(inner, d->root[x]) && part_of(outer, d->root[y]) &&
                (te_uses_var(d->root[x]->var->lo, d->root[y]->var) || te_uses_var(d->root[x]->var->hi, d->root[y]->var)))
                return true;
    return false;
}

/* Is its extent the same wherever its outer parts stand? What is computed inside another definition covers regions of
 * any size. */
static bool even(Apply *a, const PlanDef *d, const Iter *it)
{
    int64_t n;
    switch (it->kind) {
    case IT_ROOT: return true;
    case IT_OUTER: return even(a, d, it->of);
    case IT_INNER: n = iter_most(a->p, it->of); return !d->in && even(a, d, it->of) && n > 0 && n % it->factor == 0;
    case IT_FUSED: return even(a, d, it->of) && even(a, d, it->with);
    }
    return false;
}

/* What belongs to one iteration of it, and would have no place. */
static const char *stands_in(Apply *a, const PlanDef *d, const Iter *it)
{
    for (int i = 0; i < d->stage.n; i++)
        if (d->stage.at[i].at == it) return "a tile is staged there";
    for (int i = 0; i < d->fetch.n; i++)
        if (d->fetch.at[i].at == it) return "something is fetched ahead there";
    for (int i = 0; i < a->p->n; i++)
        if (!a->p->def[i].w->gone && a->p->def[i].in == d && a->p->def[i].at == it)
            return arena_printf(a->p->l->mem, "`%s` is computed there", a->p->def[i].w->def->name);
    return d->accum == it ? "the accumulator is opened there" : NULL;
}

bool legal_fuse(Apply *a, const PlanDef *d, const Iter *outer, const Iter *inner)
{
    const char *why = NULL;
    if (outer->reduces != inner->reduces)
        why = "one is an index of the result, the other of the reduction";
    else if (depends(d, inner, outer))
        why = "the range of the inner one depends on the outer one";
    else if (!even(a, d, inner))
        why = inner->with == outer ? "the last tile is smaller than the others"
                                   : "the extent of the inner one is not the same everywhere";
    else if (outer->how != LOOP_SERIAL || inner->how != LOOP_SERIAL)
        why = "they were already told how to run";
    if (!why) why = stands_in(a, d, outer);
    if (!why) why = stands_in(a, d, inner);
    if (!why) return true;
    diag_error(a->diags, D_S108_FUSE, a->now->span, outer->name, inner->name, why);
    return false;
}

/* ---- lanes and threads --------------------------------------------------------------------------------------------------
 */
static const char *meets(Apply *a, const PlanDef *d, const Iter *it)
{
    const char *at = "";
    for (int i = 0; i < d->w->nix; i++) at = arena_printf(a->p->l->mem, "%s%s0", at, i ? ", " : "");
    return arena_printf(a->p->l->mem, "%s = 0 and %s = 1 both add to `%s%s%s%s`", it->name, it->name, d->w->def->name,
                        d->w->nix ? "[" : "", at, d->w->nix ? "]" : "");
}

static const char *reads_earlier(Apply *a, const PlanDef *d, const Iter *it)
{
    const Iter *s = seq_root(d);
    if (!s || !part_of(it, s)) return NULL;
    return arena_printf(a->p->l->mem, "`%s` at %s = 1 reads what %s = 0 writes", d->w->def->name, s->name, s->name);
}

typedef struct Reason {
    const char *why, *help; /* why NULL: nothing stands against it */
    Span place;
} Reason;

static Reason not_parallel(Apply *a, const PlanDef *d, const Iter *it)
{
    const char *why = NULL, *help = NULL;
    Span place = d->w->def->span;
    const Tensor *t = d->w->def->out[0];
    if (it->reduces) {
        why = meets(a, d, it);
        place = d->r->span;
        help = "run a loop over the result in parallel, or make partial results with `rfactor`";
    } else if ((why = reads_earlier(a, d, it))) {
        help = "run a loop over another index in parallel";
    } else if (te_type[t->type].bits < 8 && d->w->nix && part_of(it, d->root[d->nroots - 1]) && !d->r) {
        why = "neighbours share a byte";
    } else if (te_type[t->type].bits < 8 && d->w->nix) {
        for (int i = 0; i < d->nroots; i++)
            if (d->root[i]->var == d->w->ix[d->w->nix - 1] && part_of(it, d->root[i])) why = "neighbours share a byte";
    }
    for (int i = 0; i < plan_index(d, it) && !why; i++)
        if (d->loop.at[i]->how == LOOP_VECTOR) why = "a loop around it runs in lanes";
    return (Reason){why, help, place};
}

static bool refuse(Apply *a, DiagCode code, Span at, const char *what, Reason r, const char *note)
{
    if (!r.why) return true;
    Diag *e = diag_error(a->diags, code, at, what, r.why);
    diag_note(a->diags, e, r.place, "%s", note);
    if (r.help) diag_help(a->diags, e, "%s", r.help);
    return false;
}

bool legal_parallel(Apply *a, const PlanDef *d, const Iter *it, Span at)
{
    return refuse(a, D_S111_PARALLEL, at, it->name, not_parallel(a, d, it), "both places are here");
}

/* Do the extents of loops inside depend on it? Then lanes would end at different times. */
static const Iter *uneven(const PlanDef *d, const Iter *it)
{
    for (int i = plan_index(d, it) + 1; i < d->loop.n; i++)
        for (int x = 0; x < d->nroots; x++)
            for (int y = 0; y < d->nroots; y++)
                if (part_of(d->loop.at[i], d->root[x]) && part_of(it, d->root[y]) &&
                    (te_uses_var(d->root[x]->var->lo, d->root[y]->var) || te_uses_var(d->root[x]->var->hi, d->root[y]->var)))
                    return d->loop.at[i];
    return NULL;
}

/* Parts of one split, the outer one inside: the inner one's lanes would have to know how far the outer one is. */
static bool split_outside(const PlanDef *d, const Iter *it)
{
    for (int i = plan_index(d, it) + 1; i < d->loop.n; i++)
        for (const Iter *x = d->loop.at[i]; x; x = x->kind == IT_ROOT ? NULL : x->of)
            if (x->kind == IT_INNER && part_of(it, x->with)) return true;
    return false;
}

/* A reduction inside the definition that is no loop of its own has bounds that must be the same for all lanes. */
static bool hidden_uneven(const Expr *e, const PlanDef *d, const Iter *it)
{
    if (e->op == EX_REDUCE && (!d->red || e != d->red))
        for (int i = 0; i < e->red->nvars; i++)
            for (int x = 0; x < d->nroots; x++)
                if (part_of(it, d->root[x]) && (te_uses_var(e->red->var[i]->lo, d->root[x]->var) ||
                                                te_uses_var(e->red->var[i]->hi, d->root[x]->var)))
                    return true;
    for (int i = 0; i < te_nchildren(e); i++)
        if (te_has_reduce(te_child(e, i)) && hidden_uneven(te_child(e, i), d, it)) return true;
    return false;
}

static const Iter *has_lanes(const PlanDef *d)
{
    for (int i = 0; i < d->loop.n; i++)
        if (d->loop.at[i]->how == LOOP_VECTOR) return d->loop.at[i];
    return NULL;
}

/* The loop in lanes around everything that d computes, its own or one of those that it is computed inside of. */
static const Iter *lanes_around(const PlanDef *d)
{
    for (; d->in; d = d->in)
        for (int i = 0; i <= plan_index(d->in, d->at); i++)
            if (d->in->loop.at[i]->how == LOOP_VECTOR) return d->in->loop.at[i];
    return NULL;
}

static const PlanDef *computed_inside(const Plan *p, const PlanDef *d, const Iter *it)
{
    for (int i = 0; i < p->n; i++)
        if (!p->def[i].w->gone && p->def[i].in == d && plan_index(d, p->def[i].at) >= plan_index(d, it)) return &p->def[i];
    return NULL;
}

static Reason not_lanes(Apply *a, const PlanDef *d, const Iter *it)
{
    Arena *mem = a->p->l->mem;
    const char *why = reads_earlier(a, d, it), *help = NULL;
    const Iter *x;
    const PlanDef *c;
    if (why)
        ;
    else if (it->reduces && in_order(d) && a->p->l->num.ordered)
        why = "lanes are partial results, which add up in another order than `ordered` asks for", help = "`--numerics fast` allows it";
    else if (it->reduces && plan_index(d, it) < plan_accumulator(d))
        why = "it is a loop of the reduction around its accumulator, where partial results of all lanes would meet";
    else if ((x = has_lanes(d)) && x != it)
        why = arena_printf(mem, "`%s` already does", x->name);
    else if ((x = lanes_around(d)))
        why = arena_printf(mem, "it is computed inside of `%s`, which does", x->name);
    else if ((c = computed_inside(a->p, d, it)))
        why = arena_printf(mem, "`%s` is computed inside of it", c->w->def->name);
    else if ((x = uneven(d, it)))
        why = arena_printf(mem, "the range of `%s`, inside of it, depends on it", x->name);
    else if (split_outside(d, it))
        why = "the inner part of its split stands outside of it";
    else if (d->w->def->slot_at >= 0 || hidden_uneven(d->w->rhs, d, it))
        why = d->w->def->slot_at >= 0 ? "a topk keeps its places one by one" : "a reduction inside has a range that depends on it";
    for (int i = plan_index(d, it) + 1; i < d->loop.n && !why; i++)
        if (d->loop.at[i]->how == LOOP_PARALLEL) why = arena_printf(mem, "`%s`, inside of it, runs in parallel", d->loop.at[i]->name);
    for (int i = 0; i < d->stage.n && !why; i++)
        if (plan_index(d, d->stage.at[i].at) >= plan_index(d, it)) why = arena_printf(mem, "`%s` is staged inside of it", d->stage.at[i].t->name);
    return (Reason){why, help, d->w->def->span};
}

bool legal_lanes(Apply *a, const PlanDef *d, const Iter *it, Span at)
{
    return refuse(a, D_S112_LANES, at, it->name, not_lanes(a, d, it), "it is a loop of this definition");
}

/* ---- producers ------------------------------------------------------------------------------------------------------------
 */
static bool is_inside(const PlanDef *c, const PlanDef *d, const Iter *at)
{
    for (; c->in; c = c->in)
        if (c->in == d) return plan_index(d, c->at) >= plan_index(d, at);
    return false;
}

static bool in_range_of(Apply *a, const PlanDef *d, const Tensor *t)
{
    for (int i = 0; i < d->nroots; i++)
        if (legal_reads(a, d->root[i]->var->lo, t) || legal_reads(a, d->root[i]->var->hi, t)) return true;
    return false;
}

static bool reads_but(const Expr *e, const Tensor *t, const Expr *but)
{
    if (e == but) return false;
    if (e->op == EX_LOAD && e->load.t == t) return true;
    for (int i = 0; i < te_nchildren(e); i++)
        if (reads_but(te_child(e, i), t, but)) return true;
    return false;
}

/* What reads t after the reduction finds what stands in `it` only when that is no part of the reduction, nor inside of
 * one: not every iteration of these is one, and the last may be none. */
static const Iter *read_after(const PlanDef *d, const Iter *it, const Tensor *t)
{
    if (!d->red || !reads_but(d->w->rhs, t, d->red)) return NULL;
    for (int i = 0; i <= plan_index(d, it); i++)
        if (d->loop.at[i]->reduces) return d->loop.at[i];
    return NULL;
}

static Reason not_at(Apply *a, const PlanDef *c, const PlanDef *d, const Iter *it)
{
    const Iter *after;
    Arena *mem = a->p->l->mem;
    const char *why = NULL;
    Span place = c->w->def->span;
    if (c == d) why = "it would be computed inside itself";
    for (const PlanDef *x = d; x && !why; x = x->in)
        if (x == c) why = arena_printf(mem, "`%s` is itself computed inside of `%s`", d->w->def->name, c->w->def->name);
    if (!why && c > d) why = arena_printf(mem, "`%s` is computed before it", d->w->def->name);
    for (int o = 0; o < c->w->def->nout && !why; o++) {
        const Tensor *t = c->w->def->out[o];
        for (int i = 0; i < a->p->n && !why; i++) {
            const PlanDef *r = &a->p->def[i];
            if (r->w->gone || !legal_reads(a, r->w->rhs, t)) continue;
            place = r->w->def->span;
            if (in_range_of(a, r, t))
                why = arena_printf(mem, "`%s` reads it in the range of a loop", r->w->def->name);
            else if (r != d && r != c && !is_inside(r, d, it))
                why = arena_printf(mem, "`%s` reads it too, outside of `%s.%s`", r->w->def->name, d->w->def->name, it->name);
            else if (r == d && (after = read_after(d, it, t)))
                why = arena_printf(mem, "`%s` reads it after the reduction over `%s`", r->w->def->name, after->name);
        }
    }
    for (int i = 0; i <= plan_index(d, it) && !why; i++)
        if (d->loop.at[i]->how == LOOP_VECTOR) why = arena_printf(mem, "`%s` runs in lanes", d->loop.at[i]->name);
    if (!why && lanes_around(d)) why = arena_printf(mem, "`%s` is computed inside of a loop in lanes", d->w->def->name);
    for (int i = (int)(c - a->p->def) + 1; &a->p->def[i] < d && !why; i++) {
        const Tensor *w = a->p->def[i].w->def->out[0];
        if (!a->p->def[i].w->gone && w->kind == TK_INOUT && legal_reads(a, c->w->rhs, w))
            why = arena_printf(mem, "it reads `%s`, which is assigned in between", w->name), place = a->p->def[i].w->def->span;
    }
    if (!why && d->w->def->out[0]->kind == TK_INOUT && legal_reads(a, c->w->rhs, d->w->def->out[0]))
        why = arena_printf(mem, "it reads `%s`, which is being assigned there", d->w->def->out[0]->name);
    return (Reason){why, NULL, place};
}

bool legal_at(Apply *a, const PlanDef *c, const PlanDef *d, const Iter *it)
{
    return refuse(a, D_S114_AT, a->now->span, c->w->def->name, not_at(a, c, d, it), "here");
}

bool legal_inline(Apply *a, const PlanDef *c)
{
    Arena *mem = a->p->l->mem;
    const char *why = NULL;
    if (c->w->def->seq) why = "it is a recurrence";
    else if (c->w->def->nout > 1) why = "a topk has two results";
    else if (te_has_reduce(c->w->rhs)) why = "it reduces, and would be computed again for each use";
    else if (computed_inside(a->p, c, c->loop.n ? c->loop.at[0] : NULL)) why = "others are computed inside of it";
    for (int i = (int)(c - a->p->def) + 1; i < a->p->n && !why; i++) {
        const Tensor *w = a->p->def[i].w->def->out[0];
        if (!a->p->def[i].w->gone && w->kind == TK_INOUT && legal_reads(a, c->w->rhs, w))
            why = arena_printf(mem, "it reads `%s`, which is assigned before its last use", w->name);
    }
    for (int i = 0; i < a->p->n && !why; i++) {
        const PlanDef *r = &a->p->def[i];
        if (r->w->gone || r == c) continue;
        if (in_range_of(a, r, c->w->def->out[0])) why = arena_printf(mem, "`%s` reads it in the range of a loop", r->w->def->name);
        Loads f = loads(a, r->w->rhs, c->w->def->out[0]);
        for (int k = 0; k < f.at.n && !why; k++)
            if (f.at.at[k]->load.other || f.at.at[k]->flag == LOAD_GATHER)
                why = arena_printf(mem, "`%s` reads it at places that may be outside of it", r->w->def->name);
        for (int k = 0; k < r->stage.n && !why; k++)
            if (r->stage.at[k].t == c->w->def->out[0]) why = "it is staged";
    }
    if (!why) return true;
    Diag *e = diag_error(a->diags, D_S115_INLINE, a->now->span, c->w->def->name, why);
    diag_note(a->diags, e, c->w->def->span, "it is defined here");
    diag_help(a->diags, e, "`at` computes it where it is used");
    return false;
}

/* ---- copies -----------------------------------------------------------------------------------------------------------------
 */
static Iter *iter_named(const PlanDef *d, const char *name)
{
    for (int i = 0; i < d->iter.n; i++)
        if (ir_streq(d->iter.at[i]->name, name)) return d->iter.at[i];
    return NULL;
}

/* All loops that root consists of stand at `at` or outside of it. */
static bool fixed_there(const PlanDef *d, const Iter *root, const Iter *at)
{
    for (int i = plan_index(d, at) + 1; i < d->loop.n; i++)
        if (part_of(d->loop.at[i], root)) return false;
    return true;
}

/* A variable in e that is no index of d: of a reduction, or a topk, that has no loops here. */
static const Var *hidden(const PlanDef *d, const Expr *e)
{
    if (e->op == EX_VAR) {
        for (int i = 0; i < d->nroots; i++)
            if (d->root[i]->var == e->var) return NULL;
        return e->var;
    }
    for (int i = 0; i < te_nchildren(e); i++) {
        const Var *v = hidden(d, te_child(e, i));
        if (v) return v;
    }
    return NULL;
}

static bool range_is_fixed(const PlanDef *d, const Var *v)
{
    for (int i = 0; i < d->nroots; i++)
        if (te_uses_var(v->lo, d->root[i]->var) || te_uses_var(v->hi, d->root[i]->var)) return false;
    return !te_has_load(v->lo) && !te_has_load(v->hi);
}

static const char *bad_pack(Apply *a, const PlanDef *d, const PlanStage *s)
{
    Arena *mem = a->p->l->mem;
    const SchedLayout *y = &s->from->layout;
    Loads f = loads(a, d->w->rhs, s->t);
    for (int i = 1; i < f.at.n; i++)
        for (int k = 0; k < s->t->rank; k++)
            if (!low_same(a->p->l, f.at.at[0]->arg[k], f.at.at[i]->arg[k])) return "it is read at different places, and a pack holds one";
    if (f.under_condition) return "it is read under a condition, and a pack would read it always";
    const Var *inside = hidden(d, f.at.at[0]);
    if (inside) return arena_printf(mem, "it depends on `%s`, which is looped over inside of the definition", inside->name);
    for (int i = 0; i < y->n; i++) {
        const Iter *it = iter_named(d, y->ix[i].text);
        if (!it || it->kind != IT_ROOT)
            return arena_printf(mem, "`%s` is no index of `%s`", y->ix[i].text, d->w->def->name);
        if (!te_uses_var(f.at.at[0], it->var)) return arena_printf(mem, "`%s` does not depend on `%s`", s->t->name, it->name);
        if (!range_is_fixed(d, it->var)) return arena_printf(mem, "the range of `%s` is not always the same", it->name);
        if (i < y->n - 1 && s->factor[i] != 1) return "only the last index of a pack is cut into panels";
    }
    for (int i = 0; i < d->nroots; i++) {
        bool listed = false;
        for (int k = 0; k < y->n; k++) listed |= ir_streq(y->ix[k].text, d->root[i]->name);
        if (!listed && te_uses_var(f.at.at[0], d->root[i]->var) && !fixed_there(d, d->root[i], s->at))
            return arena_printf(mem, "it depends on `%s` too, which is looped over inside of `%s`", d->root[i]->name, s->at->name);
    }
    return NULL;
}

static Reason not_staged(Apply *a, const PlanDef *d, const PlanStage *s)
{
    const Iter *after = read_after(d, s->at, s->t);
    Arena *mem = a->p->l->mem;
    const char *why = NULL;
    const Iter *x = NULL;
    for (int i = 0; i <= plan_index(d, s->at); i++)
        if (d->loop.at[i]->how == LOOP_VECTOR) x = d->loop.at[i];
    if (x) why = arena_printf(mem, "`%s` runs in lanes", x->name);
    else if (s->at->kernel) why = "a microkernel's loops hold nothing else";
    else if (s->t == d->w->def->out[0]) why = "it is what is computed there";
    else if (s->t->kind == TK_INOUT && d->w->snapshot) why = "its old values are kept elsewhere";
    else if (in_range_of(a, d, s->t)) why = "it is read in the range of a loop";
    else if (after) why = arena_printf(mem, "`%s` reads it after the reduction over `%s` too", d->w->def->name, after->name);
    else if (s->from->layout.kind == LAYOUT_PACK) why = bad_pack(a, d, s);
    else if (te_type[s->t->type].bits < 8 && s->t->rank == 0) why = "it has no elements of whole bytes";
    for (int i = 0; i < d->stage.n && !why; i++)
        if (d->stage.at[i].from != s->from && d->stage.at[i].t == s->t && (s->from->layout.kind == LAYOUT_PACK || d->stage.at[i].from->layout.kind == LAYOUT_PACK))
            why = "it is staged already, and one of the copies is packed";
    for (int i = 0; i < a->p->n && !why; i++)
        if (!a->p->def[i].w->gone && a->p->def[i].w->def->out[0] == s->t && a->p->def[i].in == d)
            why = arena_printf(mem, "`%s` is computed inside of `%s` already", s->t->name, d->w->def->name);
    return (Reason){why, NULL, d->w->def->span};
}

bool legal_stage(Apply *a, const PlanDef *d, const PlanStage *s)
{
    return refuse(a, D_S117_STAGE, a->now->span, s->t->name, not_staged(a, d, s), "it is read here");
}

/* ---- registers --------------------------------------------------------------------------------------------------------------
 */
static Reason not_accumulated(Apply *a, const PlanDef *d, const Iter *it, DType t)
{
    Arena *mem = a->p->l->mem;
    const char *why = NULL, *help = NULL;
    DType own = d->r ? (DType)d->r->body->type : DT_NONE;
    if (!d->r) why = "it does not reduce";
    else if (t != DT_NONE && t != own && (!te_is_float(t) || !te_is_float(own) || te_type[t].bits < te_type[own].bits))
        why = arena_printf(mem, "%s does not hold every %s", te_type[t].name, te_type[own].name);
    else if (t != DT_NONE && t != own && a->p->l->num.ordered)
        why = "under `ordered` results are accumulated in their own type";
    else if (te_type[own].bits < 8 && own != DT_U1)
        why = arena_printf(mem, "%s is narrower than a byte", te_type[own].name);
    for (int i = plan_index(d, it) + 1; i < d->loop.n && !why; i++)
        if (!d->loop.at[i]->reduces && iter_most(a->p, d->loop.at[i]) < 0) {
            why = arena_printf(mem, "the extent of `%s` is not known", d->loop.at[i]->name);
            help = "split it, or give the size with `--dim`";
        }
    return (Reason){why, help, d->w->def->span};
}

bool legal_accum(Apply *a, const PlanDef *d, const Iter *it, DType t)
{
    return refuse(a, D_S118_ACCUM, a->now->span, d->w->def->name, not_accumulated(a, d, it, t), "it is defined here");
}

static bool mismatch(Apply *a, const PlanDef *d, const char *name, const char *why, const char *help)
{
    Diag *e = diag_error(a->diags, D_S119_KERNEL, a->now->span, name, why);
    diag_note(a->diags, e, d->w->def->span, "this is the definition");
    if (help) diag_help(a->diags, e, "%s", help);
    return false;
}

bool legal_kernel(Apply *a, const PlanDef *d, Iter *const *loop, const char *name, const SchedStmt *s)
{
    enum { EXTENT = 512 };
    Arena *mem = a->p->l->mem;
    (void)s;
    if (!d->r || d->r->op != RED_SUM) return mismatch(a, d, name, "the definition does not sum", NULL);
    if (!loop[2] || !loop[2]->reduces || loop[0]->reduces || loop[1]->reduces)
        return mismatch(a, d, name, "it takes two loops over the result (rows, columns) and one of the reduction", NULL);
    if (loop[0] == loop[1]) return mismatch(a, d, name, "rows and columns are the same loop", NULL);
    for (int i = 0; i < 2; i++) {
        int64_t n = iter_most(a->p, loop[i]);
        if (n < 0 || n > EXTENT)
            return mismatch(a, d, name, n < 0 ? arena_printf(mem, "the extent of `%s` is not known", loop[i]->name)
                                              : arena_printf(mem, "`%s` has %lld iterations, more than fit in registers", loop[i]->name, (long long)n),
                            "split it, and give the inner part to the kernel");
    }
    Iter **order = NEW_ARRAY(mem, Iter *, d->loop.n + 1);
    int n = 0;
    for (int i = 0; i < d->loop.n; i++) {
        Iter *it = d->loop.at[i];
        if (it->kernel) return mismatch(a, d, name, "it has a microkernel already", NULL);
        if (it != loop[0] && it != loop[1] && it != loop[2]) {
            if (it->how == LOOP_VECTOR) return mismatch(a, d, name, arena_printf(mem, "`%s` runs in lanes", it->name), NULL);
            order[n++] = it;
        } else if (it->how != LOOP_SERIAL) {
            return mismatch(a, d, name, arena_printf(mem, "`%s` was already told how to run", it->name), NULL);
        }
    }
    for (int i = 0; i < 3; i++) order[n++] = loop[i];
    for (int i = 0; i < a->p->n; i++)
        for (int k = 0; k < 3; k++)
            if (!a->p->def[i].w->gone && a->p->def[i].in == d && a->p->def[i].at == loop[k])
                return mismatch(a, d, name, arena_printf(mem, "`%s` is computed inside of it", a->p->def[i].w->def->name), NULL);
    for (int i = 0; i < d->stage.n; i++)
        for (int k = 0; k < 3; k++)
            if (d->stage.at[i].at == loop[k])
                return mismatch(a, d, name, arena_printf(mem, "`%s` is staged inside of it", d->stage.at[i].t->name), NULL);
    if (lanes_around(d)) return mismatch(a, d, name, "it is computed inside of a loop in lanes", NULL);
    return legal_order(a, d, order, D_S110_ORDER);
}

/* acc[rows][columns] += rows' part * columns' part: columns in lanes. */
bool legal_outer(Apply *a, PlanDef *d, Iter *const *loop)
{
    const Iter *it = loop[1];
    for (int i = 0; i < d->nroots; i++) {
        const Iter *r = d->root[i];
        if (!r->reduces || !part_of(loop[2], r)) continue;
        for (int k = 0; k < d->nroots; k++)
            if ((part_of(it, d->root[k]) || part_of(loop[0], d->root[k])) &&
                (te_uses_var(r->var->hi, d->root[k]->var) || te_uses_var(r->var->lo, d->root[k]->var)))
                return mismatch(a, d, "outer", "the range of the reduction depends on rows or columns", NULL);
    }
    if (hidden_uneven(d->w->rhs, d, it)) return mismatch(a, d, "outer", "a reduction inside has a range that depends on the columns", NULL);
    if (reads_earlier(a, d, it)) return mismatch(a, d, "outer", reads_earlier(a, d, it), NULL);
    return true;
}

/* acc[rows][columns] += sum over lanes. */
bool legal_dot(Apply *a, PlanDef *d, Iter *const *loop)
{
    (void)loop;
    if (in_order(d) && a->p->l->num.ordered)
        return mismatch(a, d, "dot", "lanes are partial results, which add up in another order than `ordered` asks for", "`outer` keeps the order");
    return legal_outer(a, d, loop);
}

/* ---- what earlier statements asked for ------------------------------------------------------------------------------------
 */
static bool fused_evenly(Apply *a, const PlanDef *d)
{
    for (int i = 0; i < d->iter.n; i++) {
        const Iter *it = d->iter.at[i];
        if (it->kind != IT_FUSED || even(a, d, it->with)) continue;
        Reason r = {arena_printf(a->p->l->mem, "`%s` was fused from parts that must have the same extent everywhere", it->name),
                    NULL, it->span};
        return refuse(a, D_S114_AT, a->now->span, d->w->def->name, r, "here");
    }
    return true;
}

/* Pieces of one tile keep their partial results behind one another, by the place in the tile, which loops over parts of
 * the pieces do not tell. */
static bool pieces_apart(Apply *a, const PlanDef *d)
{
    bool waits = false;
    int p;
    low_partials(a->p->l, d->r, &p);
    if (plan_waits_in_result(d, p)) return true; /* which has a place for each */
    for (int i = 0; i < d->loop.n; i++) {
        const Iter *it = d->loop.at[i];
        waits |= it->reduces && i < plan_accumulator(d);
        if (!waits || it->reduces || it->kind != IT_OUTER || it->tail != TAIL_COMPOSE || !it->with->by) continue;
        Reason r = {arena_printf(a->p->l->mem, "partial results of the pieces of `%s` would share their places", it->with->name),
                    NULL, it->span};
        return refuse(a, D_S118_ACCUM, a->now->span, d->w->def->name, r, "it is cut into pieces here");
    }
    return true;
}

static bool still_one(Apply *a, PlanDef *d)
{
    if (d->r && !pieces_apart(a, d)) return false;
    Span at = a->now->span;
    if (d->in && !fused_evenly(a, d)) return false;
    if (!legal_order(a, d, d->loop.at, D_S110_ORDER)) return false;
    for (int i = 0; i < d->loop.n; i++) {
        const Iter *it = d->loop.at[i];
        if (it->how == LOOP_VECTOR && !legal_lanes(a, d, it, at)) return false;
        if (it->how == LOOP_PARALLEL && !legal_parallel(a, d, it, at)) return false;
    }
    for (int i = 0; i < d->stage.n; i++)
        if (!legal_stage(a, d, &d->stage.at[i])) return false;
    if (d->in && !legal_at(a, d, d->in, d->at)) return false;
    return !d->accum || legal_accum(a, d, d->accum, d->accum_type);
}

bool legal_still(Apply *a)
{
    for (int i = 0; i < a->p->n; i++)
        if (!a->p->def[i].w->gone && !still_one(a, &a->p->def[i])) return false;
    return true;
}
