/* rfactor: a reduction in two steps. One of its loops becomes an index of partial results, which are a definition of
 * their own; the definition itself is left with what combines them.
 *
 *     S[i] = rhs(sum{k}(x))                         with k = ko * f + ki, `rfactor S.ko -> P`:
 *
 *     let P[ko,i] = sum{ki in 0..min(f, K - ko*f)}(x)
 *     S[i] = rhs(sum{ko}(P[ko,i]))
 *
 * Both begin as written, with the loops of the result that S had; what the reduction's loops had been cut into are
 * variables of P's. Suriana et al. 2017. */
#include "schedule/legal.h"

/* ---- may it be done?
 * ---------------------------------------------------------------------------------------------------- */
static Reason belongs_there(const Plan *p, const PlanDef *d)
{
    Arena *mem = p->l->mem;
    Reason r = {0};
    for (int i = 0; i < d->loop.n; i++)
        if (d->loop.at[i]->kernel)
            r = legal_because("it is computed by a microkernel", d->loop.at[i]->told, "which was said here");
    if (d->accum && d->accum->reduces)
        r = legal_because(arena_printf(mem, "its accumulator is opened in `%s`", d->accum->name), d->accum->span,
                          "this is the loop");
    if (d->fetch.n)
        r = legal_because("something is fetched ahead in its loops", d->fetch.at[0].from->span, "which was said here");
    if (d->stage.n)
        r = legal_because(arena_printf(mem, "`%s` is staged in its loops", d->stage.at[0].t->name),
                          d->stage.at[0].from->span, "which was said here");
    for (int i = 0; i < p->n; i++)
        if (!p->def[i].w->gone && p->def[i].in == d)
            r = legal_because(arena_printf(mem, "`%s` is computed in its loops", p->def[i].w->def->name),
                              p->def[i].placed, "which was said here");
    if (r.why) r.help = "let `rfactor` stand before that";
    return r;
}

/* Partial results are an index: there must be as many for each result, and what else they depend on comes inside. */
static Reason not_an_index(Apply *a, const PlanDef *d, Iter *it)
{
    Lower *l = a->p->l;
    Reason r = {0};
    int mark = l->memo.n;
    for (int i = 0; i < d->nroots && !r.why; i++) {
        const Var *v = d->root[i]->var, *w;
        if (!legal_part_of(it, d->root[i])) continue;
        for (int k = 0; k < d->nroots; k++) {
            w = d->root[k]->var;
            if (d->root[k]->reduces && (te_uses_var(v->lo, w) || te_uses_var(v->hi, w)))
                return legal_because(
                    arena_printf(l->mem, "the range of `%s` depends on `%s`, which the reduction goes over too",
                                 v->name, w->name),
                    v->span, "its range is given here");
        }
        if (it->kind == IT_INNER || (ix_over_dims(v->lo) && ix_over_dims(v->hi))) continue;
        r = legal_because(
            arena_printf(l->mem, "how many there are over `%s` is not the same for all results", it->name), v->span,
            "its range is given here");
        r.help = "split it, and take the inner part";
    }
    if (!r.why && it->kind != IT_INNER && !ix_over_dims(iter_whole(a->p, it)))
        r = legal_because(arena_printf(l->mem, "the extent of `%s` is not the same everywhere", it->name), it->span,
                          "it is made here");
    l->memo.n = mark;
    return r;
}

static Reason not_split(Apply *a, const PlanDef *d, Iter *it)
{
    Lower *l = a->p->l;
    if (!it->reduces)
        return legal_because(arena_printf(l->mem, "`%s` is an index of the result", it->name), d->w->def->span,
                             "it is a loop of this definition");
    const Reduce *r = d->r;
    if (r->op == RED_ARGMAX || r->op == RED_ARGMIN)
        return legal_because(arena_printf(l->mem,
                                          "`%s` keeps a value and its place, and a partial result has one value",
                                          te_red_name[r->op]),
                             r->span, "this is the reduction");
    if (l->num.ordered && !red_exact(r->op, (DType)r->body->type)) {
        Reason x = legal_because("partial results add up in another order than `ordered` asks for", r->span,
                                 "this is the reduction");
        x.help = "`--numerics fast` allows it";
        return x;
    }
    Loads own = legal_find(a, d->red, d->w->def->out[0]);
    if (d->w->def->seq && own.at.n)
        return (Reason){
            arena_printf(l->mem,
                         "it reads what `%s` computed for an earlier `%s`, and partial results are computed before",
                         d->w->def->name, d->w->def->seq->name),
            NULL,
            {{own.at.at[0]->span, "it is read here"}, {d->w->def->span, "and written here"}}};
    Reason x = not_an_index(a, d, it);
    return x.why ? x : belongs_there(a->p, d);
}

/* ---- S's variables in terms of P's
 * --------------------------------------------------------------------------------------- */
typedef struct Parts {
    Plan *p;
    PlanDef *d;
    Var **ix; /* P's, for S's indices */
    int nvars;
    Var **var;  /* of the reduction that P is left with */
    Expr *cond; /* holds back what is beyond the end of a cut extent; NULL: nothing */
} Parts;

static Expr *var_of(Parts *s, Var *v) { return te_var(s->p->l->op, v, v->span); }

static Expr *in_parts(Parts *s, Expr *e);

static Expr *root_value(Parts *s, const Iter *root)
{
    return ix_op(s->p->l, EX_ADD, in_parts(s, root->var->lo), iter_value(s->p, root));
}

static Expr *in_parts(Parts *s, Expr *e)
{
    const PlanDef *d = s->d;
    Var **from = NEW_ARRAY(s->p->l->mem, Var *, d->nroots + 1);
    Expr **to = NEW_ARRAY(s->p->l->mem, Expr *, d->nroots + 1);
    int n = 0;
    for (int i = 0; i < d->w->nix; i++) from[n] = d->w->ix[i], to[n++] = var_of(s, s->ix[i]);
    for (int i = 0; i < d->nroots; i++)
        if (d->root[i]->reduces && te_uses_var(e, d->root[i]->var))
            from[n] = d->root[i]->var, to[n++] = root_value(s, d->root[i]);
    return te_substitute(s->p->l->op, e, n, from, to);
}

static Expr *both(Parts *s, Expr *a, Expr *b)
{
    if (!a || !b) return a ? a : b;
    return te_node(s->p->l->op, EX_AND, DT_U1, 2, (Expr *[]){a, b}, b->span);
}

/* The loop `it` is open from here on: its value is that of v. */
static Var *open_part(Parts *s, Iter *it, bool *nominal)
{
    Lower *l = s->p->l;
    PlanDef *d = s->d;
    for (int i = 0; i < d->nroots; i++) { /* ranges that mention indices, or data */
        Iter *r = d->root[i];
        if (!r->reduces || r->ext || (ix_over_dims(r->var->lo) && ix_over_dims(r->var->hi)) || !legal_part_of(it, r))
            continue;
        Expr *n = ix_op(l, EX_SUB, in_parts(s, r->var->hi), in_parts(s, r->var->lo));
        r->ext = te_node(l->op, EX_MAX, DT_INDEX, 2, (Expr *[]){n, ix_int(l, 0)}, r->var->span);
    }
    for (int i = 0; i < d->iter.n; i++)
        nominal[i] |=
            d->iter.at[i]->reduces && legal_part_of(it, d->iter.at[i]) && iter_is_nominal(s->p, d->iter.at[i]);
    Var *v = te_new_var(l->op, it->name, ix_int(l, 0), iter_whole(s->p, it), it->span.src ? it->span : d->r->span);
    it->at = var_of(s, v);
    return v;
}

/* L is an index, what else the reduction goes over is left to P's own reduction, in the order of the loops. */
static Var *open_parts(Parts *s, Iter *outer)
{
    Lower *l = s->p->l;
    PlanDef *d = s->d;
    bool *nominal = NEW_ARRAY(l->mem, bool, d->iter.n + 1);
    s->ix = NEW_ARRAY(l->mem, Var *, d->w->nix + 1);
    s->var = NEW_ARRAY(l->mem, Var *, d->loop.n + 1);
    for (int i = 0; i < d->w->nix; i++) {
        const Var *v = d->w->ix[i];
        s->ix[i] = te_new_var(l->op, v->name, v->lo, v->hi, v->span);
    }
    Var *first = open_part(s, outer, nominal);
    for (int i = 0; i < d->loop.n; i++)
        if (d->loop.at[i]->reduces && d->loop.at[i] != outer) s->var[s->nvars++] = open_part(s, d->loop.at[i], nominal);
    for (int i = 0; i < d->iter.n; i++) {
        Iter *it = d->iter.at[i];
        if (!nominal[i]) continue;
        Expr *ends[2] = {iter_value(s->p, it->of), iter_extent(s->p, it->of)};
        s->cond = both(s, s->cond, te_node(l->op, EX_LT, DT_U1, 2, ends, it->span));
    }
    return first;
}

/* ---- the two definitions
 * ------------------------------------------------------------------------------------------------- */
static Expr *partial_value(Parts *s)
{
    Lower *l = s->p->l;
    const Reduce *r = s->d->r;
    DType t = (DType)r->body->type;
    Expr *body = in_parts(s, r->body), *cond = both(s, s->cond, r->cond ? in_parts(s, r->cond) : NULL);
    if (s->nvars) {
        Reduce *red = arena_dup(l->mem, r, sizeof *r);
        red->nvars = s->nvars;
        red->var = s->var;
        red->cond = cond;
        red->body = body;
        return te_reduce(l->op, red, (DType)s->d->red->type, r->span);
    }
    if (!cond) return body;
    return te_node(l->op, EX_SELECT, t, 3, (Expr *[]){cond, body, low_num(l, t, num_identity(r->op, t), r->span)},
                   r->span);
}

static Work partial_work(Parts *s, Var *first, const AstName *name)
{
    Lower *l = s->p->l;
    const Work *w = s->d->w;
    int n = w->nix + 1;
    Var **ix = NEW_ARRAY(l->mem, Var *, n + 1);
    Expr **shape = NEW_ARRAY(l->mem, Expr *, n + 1);
    ix[0] = first;
    for (int i = 1; i < n; i++) ix[i] = s->ix[i - 1];
    for (int i = 0; i < n; i++) shape[i] = ix[i]->hi;
    Def *def = NEW(l->mem, Def);
    *def = (Def){.name = name->text,
                 .id = l->op->ndefs,
                 .nout = 1,
                 .nix = n,
                 .ix = ix,
                 .let = true,
                 .slot_at = -1,
                 .span = name->span};
    def->rhs = partial_value(s);
    def->out[0] = low_let(l, name->text, (DType)s->d->r->body->type, n, shape, name->span);
    return (Work){.def = def, .nix = n, .ix = ix, .rhs = def->rhs, .depth = w->depth + 1, .unused = w->unused};
}

/* sum{ko}(P[ko,i]) */
static Expr *combined(Parts *s, Tensor *t, Var *over)
{
    Lower *l = s->p->l;
    const Work *w = s->d->w;
    Expr **at = NEW_ARRAY(l->mem, Expr *, w->nix + 2);
    at[0] = var_of(s, over);
    for (int i = 0; i < w->nix; i++) at[i + 1] = var_of(s, w->ix[i]);
    Reduce *red = arena_dup(l->mem, s->d->r, sizeof *red);
    red->nvars = 1;
    red->var = arena_dup(l->mem, &over, sizeof over);
    red->cond = NULL;
    red->fma = false;
    red->body = low_read(l, t, w->nix + 1, at, s->d->r->span);
    return te_reduce(l->op, red, (DType)s->d->red->type, s->d->r->span);
}

bool apply_rfactor(Apply *a, const SchedStmt *s)
{
    PlanDef *d = apply_def(a, &s->ref[0].def);
    Iter *it = d ? apply_loop(a, d, &s->ref[0].loop) : NULL;
    if (!it || !legal_refuse(a, D_S131_RFACTOR, s->ref[0].span, d->w->def->name, not_split(a, d, it))) return false;
    if (!legal_name(a, D_S131_RFACTOR, &s->name[0], d->w->def->name)) return false;
    Plan *p = a->p;
    Lower *l = p->l;
    int mark = l->memo.n, at = (int)(d - p->def);
    Parts parts = {.p = p, .d = d};
    Var *first = open_parts(&parts, it);
    Work partial = partial_work(&parts, first, &s->name[0]);
    Var *over = te_new_var(l->op, it->name, first->lo, first->hi, first->span);
    d->w->rhs = fuse_replace(l, d->w->rhs, d->red, combined(&parts, partial.def->out[0], over));
    l->memo.n = mark;
    plan_reduces_over(p, d, over, it);
    plan_insert(p, at, &partial);
    return true;
}
