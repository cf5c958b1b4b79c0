/* copy: `stage … -> NAME`. The copy is a definition of its own, NAME[…] = A[…], that belongs to one place in the loops
 * of another: its loops run over the region that is read there, and statements rewrite them like any others. It is no
 * definition of the program: nobody mentions it, reads of A find it through a View. */
#include "schedule/legal.h"

/* ---- the definition
 * ---------------------------------------------------------------------------------------------------
 */
static Iter *root_named(const PlanDef *d, const char *name)
{
    for (int i = 0; i < d->nroots; i++)
        if (ir_streq(d->root[i]->name, name)) return d->root[i];
    return NULL;
}

/* As S calls the index that it reads this dimension with, where it is nothing but an index. */
static const char *index_name(const Plan *p, const Tensor *t, const Expr *load, int dim)
{
    const Expr *ix = load->arg[dim];
    return ix->op == EX_VAR ? ix->var->name : arena_printf(p->l->mem, "%s_%d", t->name, dim);
}

/* NAME[i0, i1] = A[i0, i1] */
static Expr *copy_whole(Plan *p, const PlanStage *s, const Expr *load, Var **ix)
{
    Lower *l = p->l;
    Expr **at = NEW_ARRAY(l->mem, Expr *, s->t->rank + 1);
    for (int i = 0; i < s->t->rank; i++) {
        ix[i] = te_new_var(l->op, index_name(p, s->t, load, i), ix_int(l, 0), s->t->shape[i], s->from->span);
        at[i] = te_var(l->op, ix[i], s->from->span);
    }
    Expr *x = te_load(l->op, s->t, s->t->rank, at, NULL, s->from->span);
    x->flag = LOAD_PROVED;
    return x;
}

/* NAME[k, j] = A[what S reads it at], over indices of S that are called the same. */
static Expr *copy_packed(Plan *p, const PlanDef *d, const PlanStage *s, Expr *load, Var **ix)
{
    Lower *l = p->l;
    const SchedLayout *y = &s->from->layout;
    Var **of = NEW_ARRAY(l->mem, Var *, y->n + 1);
    Expr **to = NEW_ARRAY(l->mem, Expr *, y->n + 1);
    for (int i = 0; i < y->n; i++) {
        of[i] = root_named(d, y->ix[i].text)->var;
        ix[i] = te_new_var(l->op, y->ix[i].text, of[i]->lo, of[i]->hi, s->from->span);
        to[i] = te_var(l->op, ix[i], s->from->span);
    }
    return te_substitute(l->op, load, y->n, of, to);
}

/* The loops of an unnamed copy: panels, then the indices in their order, the last one inside of a panel. */
static void cut_panels(Plan *p, PlanDef *c, int64_t factor)
{
    int last = c->loop.n - 1;
    Iter *it = c->loop.at[last];
    const char *panels = arena_printf(p->l->mem, "%sp", it->name);
    while (plan_loop(c, panels)) panels = arena_printf(p->l->mem, "%s'p", panels);
    iter_split(p, c, it, factor, TAIL_GUARD, panels, it->name, it->span);
    for (int i = last; i > 0; i--) c->loop.at[i] = c->loop.at[i - 1];
    c->loop.at[0] = it->by;
}

PlanDef *apply_copy(Apply *a, PlanDef *d, const PlanStage *s)
{
    Plan *p = a->p;
    Lower *l = p->l;
    Expr *load = legal_find(a, d->w->rhs, s->t).at.at[0];
    bool packed = s->from->layout.kind == LAYOUT_PACK;
    int n = packed ? s->from->layout.n : s->t->rank;
    Var **ix = NEW_ARRAY(l->mem, Var *, n + 1);
    Expr **shape = NEW_ARRAY(l->mem, Expr *, n + 1);
    Expr *rhs = packed ? copy_packed(p, d, s, load, ix) : copy_whole(p, s, load, ix);
    for (int i = 0; i < n; i++) shape[i] = ix[i]->hi;
    Def *def = NEW(l->mem, Def);
    *def = (Def){.name = s->name,
                 .id = -1,
                 .nout = 1,
                 .nix = n,
                 .ix = ix,
                 .rhs = rhs,
                 .let = true,
                 .slot_at = -1,
                 .span = s->from->span};
    def->out[0] = low_let(l, s->name, (DType)s->t->type, n, shape, s->from->span);
    Work *w = NEW(l->mem, Work);
    *w = (Work){.def = def, .nix = n, .ix = ix, .rhs = rhs};
    PlanDef *c = NEW(l->mem, PlanDef);
    plan_define(p, c, w);
    c->copies = s->t;
    c->in = d;
    c->at = s->at;
    c->placed = s->from->span;
    c->scope = s->scope;
    if (packed && s->factor[n - 1] > 1) cut_panels(p, c, s->factor[n - 1]);
    VEC_PUSH(l->mem, &p->copy, c);
    return c;
}

/* ---- legality
 * ---------------------------------------------------------------------------------------------------------
 */
bool legal_let(Apply *a, const PlanDef *c, Span at)
{
    const Tensor *t = c->w->def->out[0];
    Diag *e = NULL;
    if (c->copies) {
        e = diag_error(a->diags, D_S116_ROOT, at, c->w->def->name,
                       arena_printf(a->p->l->mem, "a copy of `%s`", c->copies->name));
        diag_note(a->diags, e, c->placed, "it was staged here");
    } else if (t->kind != TK_LET) {
        e = diag_error(a->diags, D_S116_ROOT, at, c->w->def->name, t->kind == TK_INOUT ? "an inout" : "a result");
    }
    return !e;
}

/* A producer is computed where definitions of the program read it; a copy reads nothing that its reader does not. */
bool legal_at_copy(Apply *a, const PlanDef *c, const PlanDef *d, Span at)
{
    Reason r = {arena_printf(a->p->l->mem, "`%s` is a copy", d->w->def->name),
                "name a loop of the definition that reads it",
                {{d->placed, "it was staged here"}}};
    return !d->copies || legal_refuse(a, D_S114_AT, at, c->w->def->name, r);
}
