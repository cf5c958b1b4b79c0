/* legal_near: where a producer may be computed and what may be copied nearer: whatever reads it must find there what it
 * would have read otherwise. */
#include "schedule/legal.h"

/* ---- producers
 * ------------------------------------------------------------------------------------------------------------
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

static const Expr *read_but(const Expr *e, const Tensor *t, const Expr *but)
{
    const Expr *found = NULL;
    if (e == but) return NULL;
    if (e->op == EX_LOAD && e->load.t == t) return e;
    for (int i = 0; i < te_nchildren(e) && !found; i++) found = read_but(te_child(e, i), t, but);
    return found;
}

static Span read_span(const PlanDef *d, const Tensor *t)
{
    const Expr *e = read_but(d->w->rhs, t, NULL);
    return e ? e->span : d->w->def->span;
}

/* What reads t after the reduction finds what stands in `it` only when that is no part of the reduction, nor inside of
 * one: not every iteration of these is one, and the last may be none. */
static const Iter *read_after(const PlanDef *d, const Iter *it, const Tensor *t)
{
    if (!d->red || !read_but(d->w->rhs, t, d->red)) return NULL;
    for (int i = 0; i <= plan_index(d, it); i++)
        if (d->loop.at[i]->reduces) return d->loop.at[i];
    return NULL;
}

/* r reads t, which is to be computed in d.it. */
static Reason not_at_reader(Apply *a, const PlanDef *r, const PlanDef *c, const PlanDef *d, const Iter *it,
                            const Tensor *t)
{
    Arena *mem = a->p->l->mem;
    const Iter *after;
    if (in_range_of(a, r, t))
        return legal_because(arena_printf(mem, "`%s` reads it in the range of a loop", r->w->def->name),
                             r->w->def->span, "in this definition");
    if (r != d && r != c && !is_inside(r, d, it)) {
        Reason x = legal_because(
            arena_printf(mem, "`%s` reads it too, outside of `%s.%s`", r->w->def->name, d->w->def->name, it->name),
            read_span(r, t), "it is read here");
        if (c->placed.src && c->placed.src == a->now->span.src && c->placed.at != a->now->span.at)
            x.note[1].at = c->placed, x.note[1].text = arena_printf(mem, "`%s` was placed here", c->w->def->name),
            x.help = arena_printf(mem, "say `root %s` first", c->w->def->name);
        else if (r->w->def->out[0]->kind == TK_LET && r < d)
            x.help = arena_printf(mem, "compute `%s` there first: `at %s : %s.%s`", r->w->def->name, r->w->def->name,
                                  d->w->def->name, it->name);
        return x;
    }
    if (r == d && !plan_goes_on(c) && (after = read_after(d, it, t))) {
        Reason x = legal_because(
            arena_printf(mem, "`%s` reads it after the reduction over `%s`", r->w->def->name, after->name),
            read_but(d->w->rhs, t, d->red)->span, "it is read here");
        x.note[1].at = d->r->span, x.note[1].text = "this is the reduction";
        x.help = arena_printf(mem, "take a loop outside of `%s`", after->name);
        return x;
    }
    return (Reason){0};
}

static Reason not_at(Apply *a, const PlanDef *c, const PlanDef *d, const Iter *it)
{
    Arena *mem = a->p->l->mem;
    const Iter *x;
    Span def = c->w->def->span;
    if (c == d) return legal_because("it would be computed inside itself", def, "it is defined here");
    for (const PlanDef *o = d; o; o = o->in)
        if (o == c)
            return legal_because(
                arena_printf(mem, "`%s` is itself computed inside of `%s`", d->w->def->name, c->w->def->name),
                d->placed, "which was said here");
    if (c > d)
        return (Reason){arena_printf(mem, "`%s` is computed before it", d->w->def->name),
                        NULL,
                        {{d->w->def->span, "this comes first"}, {def, "and it after that"}}};
    for (int o = 0; o < c->w->def->nout; o++)
        for (int i = 0; i < a->p->n; i++) {
            const PlanDef *r = &a->p->def[i];
            const Tensor *t = c->w->def->out[o];
            if (r->w->gone || !(legal_reads(a, r->w->rhs, t) || in_range_of(a, r, t))) continue;
            Reason bad = not_at_reader(a, r, c, d, it, t);
            if (bad.why) return bad;
        }
    for (int i = 0; i <= plan_index(d, it); i++)
        if (d->loop.at[i]->how == LOOP_VECTOR)
            return legal_because(arena_printf(mem, "`%s` runs in lanes", d->loop.at[i]->name), d->loop.at[i]->told,
                                 "which was said here");
    if ((x = legal_lanes_around(d)))
        return legal_because(arena_printf(mem, "`%s` is computed inside of a loop in lanes", d->w->def->name), x->told,
                             "which was said here");
    for (int i = (int)(c - a->p->def) + 1; &a->p->def[i] < d; i++) {
        const Tensor *w = a->p->def[i].w->def->out[0];
        if (!a->p->def[i].w->gone && w->kind == TK_INOUT && legal_reads(a, c->w->rhs, w))
            return (Reason){arena_printf(mem, "it reads `%s`, which is assigned in between", w->name),
                            NULL,
                            {{read_span(c, w), "it is read here"}, {a->p->def[i].w->def->span, "and assigned here"}}};
    }
    const Tensor *w = d->w->def->out[0];
    if (w->kind == TK_INOUT && legal_reads(a, c->w->rhs, w))
        return (Reason){arena_printf(mem, "it reads `%s`, which is being assigned there", w->name),
                        NULL,
                        {{read_span(c, w), "it is read here"}, {d->w->def->span, "and assigned here"}}};
    return (Reason){0};
}

bool legal_at(Apply *a, const PlanDef *c, const PlanDef *d, const Iter *it)
{
    return legal_refuse(a, D_S114_AT, a->now->span, c->w->def->name, not_at(a, c, d, it));
}

/* A reduction is computed for each iteration of the one definition that reads it, there and nowhere else. */
static Reason not_inline_reduction(Apply *a, const PlanDef *c)
{
    Arena *mem = a->p->l->mem;
    const PlanDef *by = NULL;
    Span def = c->w->def->span;
    for (int i = 0; i < a->p->n; i++) {
        const PlanDef *r = &a->p->def[i];
        Loads f = {0};
        if (!r->w->gone && r != c) f = legal_find(a, r->w->rhs, c->w->def->out[0]);
        if (!f.at.n) continue;
        const char *why = NULL, *name = r->w->def->name;
        if (by)
            why = arena_printf(mem, "it reduces, and would be computed for `%s` and again for `%s`", by->w->def->name,
                               name);
        else if (te_has_reduce(r->w->rhs))
            why = arena_printf(mem, "it reduces, and so does `%s`, which reads it", name);
        for (int k = 0; k < f.at.n && !why; k++)
            if (!fuse_at_own_place(r->w, f.at.at[k]))
                why = arena_printf(
                    mem, "it reduces, and `%s` would compute it again where it reads it at other places than its own",
                    name);
        if (why) {
            Reason x = legal_because(why, f.at.at[0]->span, "it is read here");
            x.note[1].at = def, x.note[1].text = "it is defined here";
            return x;
        }
        by = r;
    }
    return (Reason){0};
}

static Reason not_inline(Apply *a, const PlanDef *c)
{
    Arena *mem = a->p->l->mem;
    const PlanDef *in;
    Span def = c->w->def->span;
    if (c->w->def->seq) return legal_because("it is a recurrence", def, "it is defined here");
    if (c->layout[0])
        return legal_because("it is laid out, and would have no places", c->layout[0]->from->span,
                             "which was said here");
    if (c->w->def->nout > 1) return legal_because("a topk has two results", def, "it is defined here");
    Reason twice = te_has_reduce(c->w->rhs) ? not_inline_reduction(a, c) : (Reason){0};
    if (twice.why) return twice;
    if ((in = legal_computed_inside(a->p, c, c->loop.n ? c->loop.at[0] : NULL)))
        return legal_because(arena_printf(mem, "`%s` is computed inside of it", in->w->def->name), in->placed,
                             "which was said here");
    for (int i = (int)(c - a->p->def) + 1; i < a->p->n; i++) {
        const Tensor *w = a->p->def[i].w->def->out[0];
        if (a->p->def[i].w->gone || w->kind != TK_INOUT || !legal_reads(a, c->w->rhs, w)) continue;
        return (Reason){arena_printf(mem, "it reads `%s`, which is assigned before its last use", w->name),
                        NULL,
                        {{read_span(c, w), "it is read here"}, {a->p->def[i].w->def->span, "and assigned here"}}};
    }
    const Tensor *t = c->w->def->out[0];
    for (int i = 0; i < a->p->n; i++) {
        const PlanDef *r = &a->p->def[i];
        if (r->w->gone || r == c) continue;
        if (in_range_of(a, r, t))
            return legal_because(arena_printf(mem, "`%s` reads it in the range of a loop", r->w->def->name),
                                 r->w->def->span, "in this definition");
        Loads f = legal_find(a, r->w->rhs, t);
        for (int k = 0; k < f.at.n; k++) {
            bool gather = f.at.at[k]->flag == LOAD_GATHER;
            if (f.at.at[k]->load.other || gather)
                return legal_because(arena_printf(mem,
                                                  gather ? "`%s` reads it at a place that data decide"
                                                         : "`%s` reads it at places that may be outside of it",
                                                  r->w->def->name),
                                     f.at.at[k]->span, "it is read here");
        }
        for (int k = 0; k < r->stage.n; k++)
            if (r->stage.at[k].t == t)
                return legal_because("it is staged", r->stage.at[k].from->span, "which was said here");
    }
    return (Reason){0};
}

bool legal_inline(Apply *a, const PlanDef *c)
{
    Reason r = not_inline(a, c);
    if (!r.why) return true;
    r.help = "`at` computes it where it is used";
    return legal_refuse(a, D_S115_INLINE, a->now->span, c->w->def->name, r);
}

/* ---- copies
 * -----------------------------------------------------------------------------------------------------------------
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
        if (legal_part_of(d->loop.at[i], root)) return false;
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

/* An index, or indices fused whole. */
static bool whole_indices(const Iter *it)
{
    return it->kind == IT_ROOT || (it->kind == IT_FUSED && whole_indices(it->of) && whole_indices(it->with));
}

static const char *bad_pack_index(Arena *mem, const PlanDef *d, const Expr *read, const Iter *it, const Tensor *t)
{
    if (it->kind == IT_FUSED) {
        const char *why = bad_pack_index(mem, d, read, it->of, t);
        return why ? why : bad_pack_index(mem, d, read, it->with, t);
    }
    if (!te_uses_var(read, it->var)) return arena_printf(mem, "`%s` does not depend on `%s`", t->name, it->name);
    return range_is_fixed(d, it->var) ? NULL : arena_printf(mem, "the range of `%s` is not always the same", it->name);
}

static const char *bad_pack(Apply *a, const PlanDef *d, const PlanStage *s)
{
    Arena *mem = a->p->l->mem;
    const SchedLayout *y = &s->from->layout;
    Loads f = legal_find(a, d->w->rhs, s->t);
    for (int i = 1; i < f.at.n; i++)
        for (int k = 0; k < s->t->rank; k++)
            if (!low_same(a->p->l, f.at.at[0]->arg[k], f.at.at[i]->arg[k]))
                return "it is read at different places, and a pack holds one";
    if (f.under_condition) return "it is read under a condition, and a pack would read it always";
    const Var *inside = hidden(d, f.at.at[0]);
    if (inside)
        return arena_printf(mem, "it depends on `%s`, which is looped over inside of the definition", inside->name);
    for (int i = 0; i < y->n; i++) {
        const Iter *it = iter_named(d, y->ix[i].text);
        const char *why = it && whole_indices(it) ? bad_pack_index(mem, d, f.at.at[0], it, s->t)
                                                  : arena_printf(mem, "`%s` is no index of `%s`, and no fusion of such",
                                                                 y->ix[i].text, d->w->def->name);
        if (why) return why;
        if (s->name && it->kind == IT_FUSED)
            return arena_printf(mem, "`%s` is fused, and a copy with a name has loops over indices of its own",
                                it->name);
        if (i < y->n - 1 && s->factor[i] != 1) return "only the last index of a pack is cut into panels";
    }
    for (int i = 0; i < d->nroots; i++) {
        int listed = 0;
        for (int k = 0; k < y->n; k++) listed += legal_part_of(iter_named(d, y->ix[k].text), d->root[i]);
        if (listed > 1) return arena_printf(mem, "`%s` stands in the pack twice", d->root[i]->name);
        if (!listed && te_uses_var(f.at.at[0], d->root[i]->var) && !fixed_there(d, d->root[i], s->at))
            return arena_printf(mem, "it depends on `%s` too, which is looped over inside of `%s`", d->root[i]->name,
                                s->at->name);
    }
    return NULL;
}

/* A loop inside of the tile that makes it as large as is only known when the kernel runs. */
static const Iter *unbounded(Apply *a, const PlanDef *d, const PlanStage *s)
{
    Loads f = legal_find(a, d->w->rhs, s->t);
    for (int i = plan_index(d, s->at) + 1; i < d->loop.n; i++)
        for (int v = 0; v < d->nroots; v++)
            for (int k = 0; k < f.at.n; k++)
                if (legal_part_of(d->loop.at[i], d->root[v]) && te_uses_var(f.at.at[k], d->root[v]->var) &&
                    iter_most(a->p, d->loop.at[i]) < 0)
                    return d->loop.at[i];
    return NULL;
}

static Reason not_staged(Apply *a, const PlanDef *d, const PlanStage *s)
{
    const Iter *after = read_after(d, s->at, s->t);
    Arena *mem = a->p->l->mem;
    Span read = read_span(d, s->t), def = d->w->def->span;
    for (int i = 0; i <= plan_index(d, s->at); i++)
        if (d->loop.at[i]->how == LOOP_VECTOR)
            return legal_because(arena_printf(mem, "`%s` runs in lanes", d->loop.at[i]->name), d->loop.at[i]->told,
                                 "which was said here");
    if (s->at->kernel)
        return legal_because("a microkernel's loops hold nothing else", s->at->told, "it is a loop of this one");
    if (s->t->kind == TK_INOUT && d->w->snapshot)
        return legal_because("its old values are kept elsewhere", read, "they are read here");
    if (s->t == d->w->def->out[0])
        return (Reason){"it is what is computed there", NULL, {{read, "it is read here"}, {def, "and written here"}}};
    if (in_range_of(a, d, s->t)) return legal_because("it is read in the range of a loop", def, "in this definition");
    if (after) {
        Reason r = legal_because(
            arena_printf(mem, "`%s` reads it after the reduction over `%s` too", d->w->def->name, after->name),
            read_but(d->w->rhs, s->t, d->red)->span, "it is read here");
        r.note[1].at = d->r->span, r.note[1].text = "this is the reduction";
        r.help = arena_printf(mem, "take a loop outside of `%s`", after->name);
        return r;
    }
    const char *why = s->from->layout.kind == LAYOUT_PACK ? bad_pack(a, d, s) : NULL;
    if (why) return legal_because(why, read, "it is read here");
    if (s->from->layout.kind == LAYOUT_SWIZZLE && s->factor[0] % 16)
        return legal_because(
            arena_printf(mem, "`swizzle %lld` is no multiple of the 16 bytes of a chunk", (long long)s->factor[0]),
            s->from->layout.span, "it is asked for here");
    if (te_type[s->t->type].bits < 8 && s->t->rank == 0)
        return legal_because("it has no elements of whole bytes", read, "it is read here");
    for (int i = 0; i < d->stage.n; i++)
        if (d->stage.at[i].from != s->from && d->stage.at[i].t == s->t &&
            (s->from->layout.kind == LAYOUT_PACK || d->stage.at[i].from->layout.kind == LAYOUT_PACK))
            return legal_because("it is staged already, and one of the copies is packed", d->stage.at[i].from->span,
                                 "which was said here");
    for (int i = 0; i < a->p->n; i++)
        if (!a->p->def[i].w->gone && a->p->def[i].w->def->out[0] == s->t && a->p->def[i].in == d)
            return legal_because(arena_printf(mem, "it is computed inside of `%s` already", d->w->def->name),
                                 a->p->def[i].placed, "which was said here");
    const Iter *x = s->scope == STAGE_REG ? unbounded(a, d, s) : NULL;
    if (x) {
        Reason r = legal_because(
            arena_printf(mem, "the extent of `%s` is not known, and registers are counted when the kernel is made",
                         x->name),
            read, "it is read here");
        r.help = "split it, give the size with `--dim`, or stage it in local memory";
        return r;
    }
    return (Reason){0};
}

bool legal_stage(Apply *a, const PlanDef *d, const PlanStage *s)
{
    return legal_refuse(a, D_S117_STAGE, a->now->span, s->t->name, not_staged(a, d, s));
}

/* Copies of later iterations are made while an earlier one works: nothing that it writes may be among them. */
static Reason not_piped(Apply *a, const PlanDef *d, const Iter *it)
{
    Arena *mem = a->p->l->mem;
    int staged = 0;
    if (it->how != LOOP_SERIAL)
        return legal_because(
            arena_printf(mem, "its iterations do not follow one another: it runs %s", tile_loop_name[it->how]),
            it->told, "which was said here");
    if (it->kernel) return legal_because("it is a loop of a microkernel", it->told, "which stands here");
    for (int i = 0; i < d->stage.n; i++) {
        const PlanStage *s = &d->stage.at[i];
        if (s->at != it) continue;
        staged++;
        if (plan_writes(d, s->t))
            return legal_because(
                arena_printf(mem, "an iteration writes `%s`, of which a copy for a later one would be made before",
                             s->t->name),
                s->from->span, "it is staged here");
    }
    if (staged) return (Reason){0};
    Reason r = legal_because("nothing is staged there", d->w->def->span, "it is a loop of this definition");
    r.help = arena_printf(mem, "let `stage A at %s.%s in …` stand before it", d->w->def->name, it->name);
    return r;
}

bool legal_pipeline(Apply *a, const PlanDef *d, const Iter *it)
{
    return legal_refuse(a, D_S127_PIPELINE, a->now->span, it->name, not_piped(a, d, it));
}
