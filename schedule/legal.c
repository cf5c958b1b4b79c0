/* legal: what a statement may do. Index notation leaves few dependences: a definition's instances are independent of
 * one another except for the terms of a reduction, which meet in one accumulator, and a recurrence (`seq`), whose
 * instances read earlier ones (depend.c). Here is what loops may do: their order, lanes, threads, registers;
 * legal_near.c has producers and copies. */
#include "schedule/legal.h"

#include <string.h>

/* ---- what depends on what
 * ---------------------------------------------------------------------------------------------
 */
bool legal_part_of(const Iter *it, const Iter *root)
{
    if (it == root) return true;
    if (it->kind == IT_ROOT) return false;
    return legal_part_of(it->of, root) || (it->kind == IT_FUSED && legal_part_of(it->with, root));
}

static Iter *seq_root(const PlanDef *d)
{
    for (int i = 0; i < d->nroots; i++)
        if (d->w->def->seq && d->root[i]->var == d->w->def->seq) return d->root[i];
    return NULL;
}

bool legal_reads(Apply *a, Expr *e, const Tensor *t) { return low_reads(a->p->l, e, t, NULL); }

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

Loads legal_find(Apply *a, Expr *e, const Tensor *t)
{
    Loads f = {.mem = a->p->l->mem, .seen = arena_alloc(a->p->l->mem, (size_t)a->p->l->op->nexprs + 1), .t = t};
    find(&f, e, false);
    return f;
}

Reason legal_because(const char *why, Span at, const char *note) { return (Reason){why, NULL, {{at, note}}}; }

static bool report(Apply *a, Diag *e, const Reason *r)
{
    for (int i = 0; i < 2; i++)
        if (r->note[i].text) diag_note(a->diags, e, r->note[i].at, "%s", r->note[i].text);
    if (r->help) diag_help(a->diags, e, "%s", r->help);
    return false;
}

bool legal_refuse(Apply *a, DiagCode code, Span at, const char *what, Reason r)
{
    return !r.why || report(a, diag_error(a->diags, code, at, what, r.why), &r);
}

/* ---- names
 * -------------------------------------------------------------------------------------------------------------
 */
typedef struct Named {
    const char *what; /* NULL: nothing */
    Span at;
} Named;

static Named named(const Plan *p, const char *name)
{
    const TeOp *op = p->l->op;
    const PlanDef *d = plan_find(p, name);
    if (d) return (Named){"a definition", d->w->def->span};
    for (int i = 0; i < p->n; i++) /* the second result of a topk */
        for (int o = 0; o < p->def[i].w->def->nout; o++)
            if (ir_streq(p->def[i].w->def->out[o]->name, name))
                return (Named){"a tensor", p->def[i].w->def->out[o]->span};
    for (int i = 0; i < op->nparams; i++)
        if (ir_streq(op->tensor[i]->name, name)) return (Named){"a tensor", op->tensor[i]->span};
    for (int i = 0; i < op->ndims; i++)
        if (ir_streq(op->dim[i].name, name)) return (Named){"a dim", op->dim[i].span};
    for (int i = 0; i < op->nconsts; i++)
        if (ir_streq(op->cst[i].name, name)) return (Named){"a const", op->cst[i].span};
    return (Named){0};
}

bool legal_name(Apply *a, DiagCode code, const AstName *name, const char *of)
{
    Named n = named(a->p, name->text);
    if (!n.what) return true;
    const char *why = arena_printf(a->p->l->mem, "`%s` is already the name of %s", name->text, n.what);
    Reason r = {why, "choose another name", {{n.at, "it stands for this"}}};
    return legal_refuse(a, code, name->span, of, r);
}

/* ---- order
 * --------------------------------------------------------------------------------------------------------------
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

static bool in_order(const PlanDef *d) { return d->r && !red_exact(d->r->op, (DType)d->r->body->type); }

static bool terms_in_order(Apply *a, const PlanDef *d, Iter *const *order, DiagCode code)
{
    if (!in_order(d) || !a->p->l->num.ordered) return true;
    const Iter **want = NEW_ARRAY(a->p->l->mem, const Iter *, d->iter.n + 1), *x, *y;
    int n = 0;
    for (int i = 0; i < d->nroots; i++)
        if (d->root[i]->reduces) n = natural(d->root[i], want, n);
    if (keeps(want, n, order, d->loop.n, &x, &y)) return true;
    Diag *e = diag_error(
        a->diags, code, a->now->span,
        arena_printf(a->p->l->mem,
                     "under `ordered` the terms of a sum enter in their order, and `%s` inside of `%s` changes it",
                     y->name, x->name));
    diag_note(a->diags, e, d->r->span, "this is the reduction");
    diag_help(a->diags, e, "`--numerics fast` allows any order");
    return false;
}

/* A value that a recurrence hands from one iteration of a loop to another. */
static Reason carried(Apply *a, const PlanDef *d, const Carried *c, const char *reverse)
{
    Arena *mem = a->p->l->mem;
    Reason r = {.note = {{c->read, "it is read here"}, {c->write, "and written here"}}};
    const char *at[2] = {"", ""};
    for (int i = 0; i < 2 && c->placed && c->reader; i++)
        at[i] = arena_printf(mem, " (%s = %lld)", c->name, (long long)c->at[i]);
    if (!c->reader)
        r.why =
            arena_printf(mem, "`%s` may read there what another iteration of `%s` writes", d->w->def->name, c->name);
    else
        r.why = arena_printf(mem, "`%s`%s reads `%s`%s%s", c->reader, at[1], c->writer, at[0], reverse);
    return r;
}

static bool recurrence_in_order(Apply *a, const PlanDef *d, Iter *const *order, DiagCode code)
{
    const Iter *s = seq_root(d);
    int last = -1;
    for (int i = 0; i < d->loop.n && s; i++)
        if (legal_part_of(order[i], s)) last = i;
    for (int i = 0; i <= last; i++) {
        Carried c = depend_carried(a, d, order, i, true);
        if (!c.is) continue;
        Reason r = carried(a, d, &c, ", which it would be computed before");
        r.help = arena_printf(a->p->l->mem, "`%s` must stand outside of `%s`, part by part in its order", s->name,
                              order[i]->name);
        if (legal_part_of(order[i], s))
            r.help = arena_printf(a->p->l->mem, "the parts of `%s` must stand in its order, outer ones first", s->name);
        return report(a, diag_error(a->diags, code, a->now->span, r.why), &r);
    }
    for (int i = 0; i < last; i++)
        if (order[i]->reduces) {
            Reason r = legal_because(arena_printf(a->p->l->mem,
                                                  "the sum over `%s` must be complete before the next `%s` reads it",
                                                  order[i]->name, s->name),
                                     d->r->span, "this is the sum");
            Loads f = legal_find(a, d->w->rhs, d->w->def->out[0]);
            if (f.at.n) r.note[1].at = f.at.at[0]->span, r.note[1].text = "which is read here";
            r.help = arena_printf(a->p->l->mem, "`%s` must stand inside of `%s`", order[i]->name, order[last]->name);
            return report(a, diag_error(a->diags, code, a->now->span, r.why), &r);
        }
    return true;
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
                if (first == d->loop.n && legal_part_of(order[i], x)) first = i;
                if (legal_part_of(order[i], y)) last = i;
            }
            if (last < first) continue;
            Diag *e = diag_error(a->diags, code, a->now->span,
                                 arena_printf(a->p->l->mem,
                                              "the range of `%s` depends on `%s`, so `%s` must stand inside of `%s`",
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
            Reason r = legal_because(
                arena_printf(a->p->l->mem, "`%s` runs in parallel and cannot stand inside of `%s`, which runs in lanes",
                             order[i]->name, order[lanes]->name),
                order[i]->told, "the one was said here");
            r.note[1].at = order[lanes]->told, r.note[1].text = "and the other here";
            return report(a, diag_error(a->diags, code, a->now->span, r.why), &r);
        }
    return terms_in_order(a, d, order, code) && recurrence_in_order(a, d, order, code) &&
           ranges_inside(a, d, order, code);
}

/* Does the range of an index that inner is a part of mention one that outer is a part of? */
static bool depends(const PlanDef *d, const Iter *inner, const Iter *outer)
{
    for (int x = 0; x < d->nroots; x++)
        for (int y = 0; y < d->nroots; y++)
            if (legal_part_of(inner, d->root[x]) && legal_part_of(outer, d->root[y]) &&
                (te_uses_var(d->root[x]->var->lo, d->root[y]->var) ||
                 te_uses_var(d->root[x]->var->hi, d->root[y]->var)))
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
    case IT_INNER:
        n = iter_most(a->p, it->of);
        return !d->in && even(a, d, it->of) &&
               (n < 0 ? iter_divides(a->p, it->of, it->factor) : n > 0 && n % it->factor == 0);
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
    if (d->online && d->online->at == it) return "maximum and sum go on there from one iteration to the next";
    return d->accum == it ? "the accumulator is opened there" : NULL;
}

bool legal_fuse(Apply *a, const PlanDef *d, const Iter *outer, const Iter *inner)
{
    const char *why = NULL;
    const Iter *told = NULL;
    bool split = false;
    if (outer->reduces != inner->reduces)
        why = "one is an index of the result, the other of the reduction";
    else if (depends(d, inner, outer))
        why = "the range of the inner one depends on the outer one";
    else if ((split = !even(a, d, inner)))
        why = inner->with == outer ? "the last tile is smaller than the others"
                                   : "the extent of the inner one is not the same everywhere";
    else if ((told = outer->how != LOOP_SERIAL ? outer : inner->how != LOOP_SERIAL ? inner : NULL))
        why = "they were already told how to run";
    if (!why) why = stands_in(a, d, outer);
    if (!why) why = stands_in(a, d, inner);
    if (!why) return true;
    Diag *e = diag_error(a->diags, D_S108_FUSE, a->now->span, outer->name, inner->name, why);
    if (told)
        diag_note(a->diags, e, told->told, "`%s` was told so here", told->name);
    else if (split)
        diag_note(a->diags, e, inner->span, "`%s` was cut here", inner->name);
    else
        diag_note(a->diags, e, d->w->def->span, "they are loops of this definition");
    return false;
}

/* ---- lanes and threads
 * --------------------------------------------------------------------------------------------------
 */
static const char *meets(Apply *a, const PlanDef *d, const Iter *it)
{
    Arena *mem = a->p->l->mem;
    const char *at = "";
    int64_t first = 0;
    for (int i = 0; i < d->w->nix; i++) at = arena_printf(mem, "%s%s0", at, i ? ", " : "");
    if (it->kind == IT_ROOT) ix_known(a->p->l, it->var->lo, &first);
    return arena_printf(mem, "%s = %lld and %s = %lld both update `%s%s%s%s`", it->name, (long long)first, it->name,
                        (long long)first + 1, d->w->def->out[0]->name, d->w->nix ? "[" : "", at, d->w->nix ? "]" : "");
}

static Reason reads_another(Apply *a, const PlanDef *d, const Iter *it)
{
    Carried c = depend_carried(a, d, d->loop.at, plan_index(d, it), false);
    if (!c.is) return (Reason){0};
    Reason r = carried(a, d, &c, "");
    r.help = "take a loop over another index";
    return r;
}

static const Iter *lanes_outside(const PlanDef *d, const Iter *it)
{
    for (int i = 0; i < plan_index(d, it); i++)
        if (d->loop.at[i]->how == LOOP_VECTOR) return d->loop.at[i];
    return NULL;
}

/* Neighbours along the last index share a byte, unless each iteration of the loop has whole bytes. */
static bool shares_bytes(Apply *a, const PlanDef *d, const Iter *it)
{
    int64_t lo;
    if (te_type[d->w->def->out[0]->type].bits >= 8 || !d->w->nix) return false;
    if (d->copies) return true; /* and a pack has other neighbours */
    const Iter *last = NULL;
    for (int i = 0; i < d->nroots; i++)
        if (d->root[i]->var == d->w->ix[d->w->nix - 1]) last = d->root[i];
    if (!last || !legal_part_of(it, last)) return false;
    return it->kind != IT_OUTER || it->of != last || it->factor % 2 || d->in ||
           !ix_known(a->p->l, last->var->lo, &lo) || lo % 2;
}

static Reason not_parallel(Apply *a, const PlanDef *d, const Iter *it)
{
    Reason r;
    const Iter *x;
    if (it->reduces) {
        r = legal_because(meets(a, d, it), d->r->span, "both update it here");
        r.help = "run a loop over the result in parallel";
        return r;
    }
    r = reads_another(a, d, it);
    if (r.why) return r;
    if (shares_bytes(a, d, it)) {
        r = legal_because("neighbours share a byte", d->w->def->span, "both are written here");
        r.help = d->copies ? "leave the copy to one thread"
                           : "split it by an even number, and run the outer part in parallel";
        return r;
    }
    if ((x = lanes_outside(d, it)))
        return legal_because(arena_printf(a->p->l->mem, "`%s`, outside of it, runs in lanes", x->name), x->told,
                             "which was said here");
    return (Reason){0};
}

bool legal_parallel(Apply *a, const PlanDef *d, const Iter *it, Span at)
{
    return legal_refuse(a, D_S111_PARALLEL, at, it->name, not_parallel(a, d, it));
}

/* Do the extents of loops inside depend on it? Then lanes would end at different times. */
static const Iter *uneven(const PlanDef *d, const Iter *it)
{
    for (int i = plan_index(d, it) + 1; i < d->loop.n; i++)
        for (int x = 0; x < d->nroots; x++)
            for (int y = 0; y < d->nroots; y++)
                if (legal_part_of(d->loop.at[i], d->root[x]) && legal_part_of(it, d->root[y]) &&
                    (te_uses_var(d->root[x]->var->lo, d->root[y]->var) ||
                     te_uses_var(d->root[x]->var->hi, d->root[y]->var)))
                    return d->loop.at[i];
    return NULL;
}

/* Parts of one split, the outer one inside: the inner one's lanes would have to know how far the outer one is. */
static bool split_outside(const PlanDef *d, const Iter *it)
{
    for (int i = plan_index(d, it) + 1; i < d->loop.n; i++)
        for (const Iter *x = d->loop.at[i]; x; x = x->kind == IT_ROOT ? NULL : x->of)
            if (x->kind == IT_INNER && legal_part_of(it, x->with)) return true;
    return false;
}

/* A reduction inside the definition that is no loop of its own has bounds that must be the same for all lanes. */
static bool hidden_uneven(const Expr *e, const PlanDef *d, const Iter *it)
{
    if (e->op == EX_REDUCE && (!d->red || e != d->red))
        for (int i = 0; i < e->red->nvars; i++)
            for (int x = 0; x < d->nroots; x++)
                if (legal_part_of(it, d->root[x]) && (te_uses_var(e->red->var[i]->lo, d->root[x]->var) ||
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

const Iter *legal_lanes_around(const PlanDef *d)
{
    for (; d->in; d = d->in)
        for (int i = 0; i <= plan_index(d->in, d->at); i++)
            if (d->in->loop.at[i]->how == LOOP_VECTOR) return d->in->loop.at[i];
    return NULL;
}

const PlanDef *legal_computed_inside(const Plan *p, const PlanDef *d, const Iter *it)
{
    for (int i = 0; i < p->n; i++)
        if (!p->def[i].w->gone && p->def[i].in == d && plan_index(d, p->def[i].at) >= plan_index(d, it))
            return &p->def[i];
    return NULL;
}

static Reason not_lanes(Apply *a, const PlanDef *d, const Iter *it)
{
    Arena *mem = a->p->l->mem;
    const Iter *x;
    const PlanDef *c;
    Span def = d->w->def->span;
    Reason r = reads_another(a, d, it);
    if (r.why) return r;
    if (it->reduces && in_order(d) && a->p->l->num.ordered) {
        r = legal_because("lanes are partial results, which add up in another order than `ordered` asks for",
                          d->r->span, "this is the reduction");
        r.help = "`--numerics fast` allows it";
        return r;
    }
    if (it->reduces && plan_index(d, it) < plan_accumulator(d)) {
        r = legal_because(
            "it is a loop of the reduction around its accumulator, where partial results of all lanes would meet",
            d->r->span, "this is the reduction");
        r.help = "move it inwards with `order`, or take a loop over the result";
        return r;
    }
    if ((x = has_lanes(d)) && x != it)
        return legal_because(arena_printf(mem, "`%s` already does", x->name), x->told, "which was said here");
    if ((x = legal_lanes_around(d)))
        return legal_because(arena_printf(mem, "it is computed inside of `%s`, which does", x->name), x->told,
                             "which was said here");
    if ((c = legal_computed_inside(a->p, d, it)))
        return legal_because(arena_printf(mem, "`%s` is computed inside of it", c->w->def->name), c->placed,
                             "which was said here");
    if ((x = uneven(d, it))) {
        while (x->kind != IT_ROOT) x = x->of;
        return legal_because(arena_printf(mem, "the range of `%s`, inside of it, depends on it", x->name), x->var->span,
                             "its range is given here");
    }
    if (split_outside(d, it))
        return legal_because("the inner part of its split stands outside of it", it->span, "it was split here");
    if (d->w->def->slot_at >= 0) return legal_because("a topk keeps its places one by one", def, "this is the topk");
    if (hidden_uneven(d->w->rhs, d, it))
        return legal_because("a reduction inside has a range that depends on it", def,
                             "it is a loop of this definition");
    for (int i = plan_index(d, it) + 1; i < d->loop.n; i++)
        if (d->loop.at[i]->how == LOOP_PARALLEL)
            return legal_because(arena_printf(mem, "`%s`, inside of it, runs in parallel", d->loop.at[i]->name),
                                 d->loop.at[i]->told, "which was said here");
    for (int i = 0; i < d->stage.n; i++)
        if (plan_index(d, d->stage.at[i].at) >= plan_index(d, it))
            return legal_because(arena_printf(mem, "`%s` is staged inside of it", d->stage.at[i].t->name),
                                 d->stage.at[i].from->span, "which was said here");
    return (Reason){0};
}

bool legal_lanes(Apply *a, const PlanDef *d, const Iter *it, Span at)
{
    return legal_refuse(a, D_S112_LANES, at, it->name, not_lanes(a, d, it));
}

/* ---- registers
 * --------------------------------------------------------------------------------------------------------------
 */
static Reason not_accumulated(Apply *a, const PlanDef *d, const Iter *it, DType t)
{
    Arena *mem = a->p->l->mem;
    const char *why = NULL, *help = NULL;
    DType own = d->r ? (DType)d->r->body->type : DT_NONE;
    if (!d->r)
        why = "it does not reduce";
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
    return (Reason){why, help, {{d->w->def->span, "it is defined here"}}};
}

bool legal_accum(Apply *a, const PlanDef *d, const Iter *it, DType t)
{
    return legal_refuse(a, D_S118_ACCUM, a->now->span, d->w->def->name, not_accumulated(a, d, it, t));
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
        return mismatch(a, d, name, "it takes two loops over the result (rows, columns) and one of the reduction",
                        NULL);
    if (loop[0] == loop[1]) return mismatch(a, d, name, "rows and columns are the same loop", NULL);
    for (int i = 0; i < 2; i++) {
        int64_t n = iter_most(a->p, loop[i]);
        if (n < 0 || n > EXTENT)
            return mismatch(a, d, name,
                            n < 0 ? arena_printf(mem, "the extent of `%s` is not known", loop[i]->name)
                                  : arena_printf(mem, "`%s` has %lld iterations, more than fit in registers",
                                                 loop[i]->name, (long long)n),
                            "split it, and give the inner part to the kernel");
    }
    Iter **order = NEW_ARRAY(mem, Iter *, d->loop.n + 1);
    int n = 0;
    for (int i = 0; i < d->loop.n; i++) {
        Iter *it = d->loop.at[i];
        if (it->kernel) return mismatch(a, d, name, "it has a microkernel already", NULL);
        if (it != loop[0] && it != loop[1] && it != loop[2]) {
            if (it->how == LOOP_VECTOR)
                return mismatch(a, d, name, arena_printf(mem, "`%s` runs in lanes", it->name), NULL);
            order[n++] = it;
        } else if (it->how != LOOP_SERIAL) {
            return mismatch(a, d, name, arena_printf(mem, "`%s` was already told how to run", it->name), NULL);
        }
    }
    for (int i = 0; i < 3; i++) order[n++] = loop[i];
    for (int i = 0; i < a->p->n; i++)
        for (int k = 0; k < 3; k++)
            if (!a->p->def[i].w->gone && a->p->def[i].in == d && a->p->def[i].at == loop[k])
                return mismatch(a, d, name,
                                arena_printf(mem, "`%s` is computed inside of it", a->p->def[i].w->def->name), NULL);
    for (int i = 0; i < d->stage.n; i++)
        for (int k = 0; k < 3; k++)
            if (d->stage.at[i].at == loop[k])
                return mismatch(a, d, name, arena_printf(mem, "`%s` is staged inside of it", d->stage.at[i].t->name),
                                NULL);
    if (legal_lanes_around(d)) return mismatch(a, d, name, "it is computed inside of a loop in lanes", NULL);
    return legal_order(a, d, order, D_S110_ORDER);
}

/* acc[rows][columns] += rows' part * columns' part: columns in lanes. */
bool legal_outer(Apply *a, PlanDef *d, Iter *const *loop)
{
    const Iter *it = loop[1];
    for (int i = 0; i < d->nroots; i++) {
        const Iter *r = d->root[i];
        if (!r->reduces || !legal_part_of(loop[2], r)) continue;
        for (int k = 0; k < d->nroots; k++)
            if ((legal_part_of(it, d->root[k]) || legal_part_of(loop[0], d->root[k])) &&
                (te_uses_var(r->var->hi, d->root[k]->var) || te_uses_var(r->var->lo, d->root[k]->var)))
                return mismatch(a, d, "outer", "the range of the reduction depends on rows or columns", NULL);
    }
    if (hidden_uneven(d->w->rhs, d, it))
        return mismatch(a, d, "outer", "a reduction inside has a range that depends on the columns", NULL);
    return true;
}

/* acc[rows][columns] += sum over lanes. */
bool legal_dot(Apply *a, PlanDef *d, Iter *const *loop)
{
    (void)loop;
    if (in_order(d) && a->p->l->num.ordered)
        return mismatch(a, d, "dot", "lanes are partial results, which add up in another order than `ordered` asks for",
                        "`outer` keeps the order");
    return legal_outer(a, d, loop);
}

bool legal_sixteen_bits(const Expr *e)
{
    DType t = e->op == EX_CAST ? (DType)e->arg[0]->type : DT_NONE;
    return t != DT_NONE && te_is_int(t) && te_type[t].bits <= (te_type[t].cls == 'I' ? 16 : 15);
}

/* Integer sums of products of integers of 16 bits, which wrap in any order. */
bool legal_pairs(Apply *a, PlanDef *d, Iter *const *loop)
{
    const Expr *x = d->r->body;
    if (d->r->op != RED_SUM || x->type != DT_I32 || x->op != EX_MUL)
        return mismatch(a, d, "pairs", "it does not sum products of i32", "`outer` is for all types");
    for (int i = 0; i < 2; i++)
        if (!legal_sixteen_bits(x->arg[i]))
            return mismatch(a, d, "pairs", "a factor is not made i32 from an integer that 16 bits with a sign hold",
                            "`outer` is for all types");
    int64_t n = iter_most(a->p, loop[1]);
    if (n <= 0 || n & (n - 1))
        return mismatch(a, d, "pairs", "its columns are no power of two in number", "cut them by one");
    return legal_outer(a, d, loop);
}

/* ---- what earlier statements asked for
 * ------------------------------------------------------------------------------------
 */
static bool fused_evenly(Apply *a, const PlanDef *d)
{
    for (int i = 0; i < d->iter.n; i++) {
        const Iter *it = d->iter.at[i];
        if (it->kind != IT_FUSED || even(a, d, it->with)) continue;
        Reason r = {
            arena_printf(a->p->l->mem, "`%s` was fused from parts that must have the same extent everywhere", it->name),
            NULL,
            {{it->span, "it was fused here"}}};
        return legal_refuse(a, D_S114_AT, a->now->span, d->w->def->name, r);
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
    bool in_result = plan_waits_in_result(d, p); /* which has a place for each */
    int at = plan_accumulator(d);
    for (int i = 0; i < d->loop.n; i++) {
        const Iter *it = d->loop.at[i];
        waits |= it->reduces && i < at && !in_result;
        if (!(waits || i >= at) || it->reduces || it->kind != IT_OUTER || it->tail != TAIL_COMPOSE || !it->with->by)
            continue;
        Reason r = {arena_printf(a->p->l->mem, "partial results of the pieces of `%s` would share their places",
                                 it->with->name),
                    NULL,
                    {{it->span, "it is cut into pieces here"}}};
        return legal_refuse(a, D_S118_ACCUM, a->now->span, d->w->def->name, r);
    }
    return true;
}

static bool still_one(Apply *a, PlanDef *d)
{
    if (d->r && !pieces_apart(a, d)) return false;
    if (d->online && !legal_online(a, d)) return false;
    Span at = a->now->span;
    if (d->in && !fused_evenly(a, d)) return false;
    if (!legal_order(a, d, d->loop.at, D_S110_ORDER)) return false;
    for (int i = 0; i < d->loop.n; i++) {
        const Iter *it = d->loop.at[i];
        if (it->how == LOOP_VECTOR && !legal_lanes(a, d, it, at)) return false;
        if (it->how == LOOP_PARALLEL && !legal_parallel(a, d, it, at)) return false;
        if (it->stages && !legal_pipeline(a, d, it)) return false;
    }
    for (int i = 0; i < d->stage.n; i++)
        if (!legal_stage(a, d, &d->stage.at[i])) return false;
    if (d->in && !d->copies && !legal_at(a, d, d->in, d->at)) return false;
    return !d->accum || legal_accum(a, d, d->accum, d->accum_type);
}

bool legal_still(Apply *a)
{
    for (int i = 0; i < a->p->n; i++)
        if (!a->p->def[i].w->gone && !still_one(a, &a->p->def[i])) return false;
    for (int i = 0; i < a->p->copy.n; i++)
        if (!still_one(a, a->p->copy.at[i])) return false;
    return true;
}
