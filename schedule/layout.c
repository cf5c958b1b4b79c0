/* layout: how a temporary is stored. `layout A (i, j) -> (i/8, j, i%8)` makes each dimension of the storage a digit of
 * one index: index / div % mod. Together the digits of an index must tell it again, so no two elements share a place.
 * Only addresses change: definitions and regions know the indices, and a View maps them when it is read or written. */
#include "schedule/legal.h"

/* ---- what the statement says
 * --------------------------------------------------------------------------------------------
 */
typedef struct Laid {
    Apply *a;
    const SchedStmt *s;
    const Tensor *t;
} Laid;

static bool refuse(const Laid *y, Span at, const char *why, const char *help)
{
    Reason r = legal_because(why, y->t->span, "it is declared here");
    r.help = help;
    return legal_refuse(y->a, D_S133_LAYOUT, at, y->t->name, r);
}

static int dim_named(const SchedStmt *s, const char *name)
{
    for (int i = 0; i < s->nfrom; i++)
        if (ir_streq(s->from[i]->text, name)) return i;
    return -1;
}

static bool names_dims(const Laid *y)
{
    Arena *mem = y->a->p->l->mem;
    for (int i = 0; i < y->s->nfrom; i++) {
        const AstExpr *e = y->s->from[i];
        if (e->kind != AST_NAME)
            return refuse(y, e->span, "its dims are given by names",
                          "the first list is names only, as in `(i, j) -> (j, i)`");
        if (dim_named(y->s, e->text) != i)
            return refuse(y, e->span, arena_printf(mem, "`%s` names two dims", e->text), NULL);
    }
    if (y->s->nfrom == y->t->rank) return true;
    return refuse(y, y->s->span,
                  arena_printf(mem, "it has %d dim%s, and %d %s named", y->t->rank, y->t->rank == 1 ? "" : "s",
                               y->s->nfrom, y->s->nfrom == 1 ? "is" : "are"),
                  NULL);
}

/* index / div % mod, then divided by f once more, or what is left by f. */
static bool cut(LayoutDigit *g, bool divide, int64_t f)
{
    if (g->mod && (divide ? g->mod % f : g->mod % f && f % g->mod)) return false;
    if (!divide) {
        g->mod = g->mod && g->mod < f ? g->mod : f;
        return true;
    }
    g->mod /= f;
    return !__builtin_mul_overflow(g->div, f, &g->div) && g->div <= APPLY_FACTOR_MAX;
}

static bool digit(const Laid *y, const AstExpr *e, LayoutDigit *g)
{
    static const char form[] = "a part is a name, `i`, a piece of it, `i/8`, or what is left, `i%8`";
    Arena *mem = y->a->p->l->mem;
    if (e->kind == AST_PAREN) return digit(y, e->arg[0], g);
    if (e->kind == AST_NAME) {
        *g = (LayoutDigit){.dim = dim_named(y->s, e->text), .div = 1};
        return g->dim >= 0 || refuse(y, e->span, arena_printf(mem, "`%s` is none of its dims", e->text), form);
    }
    int64_t f;
    if (e->kind != AST_BINARY || (e->op != EX_DIV && e->op != EX_MOD))
        return refuse(y, e->span, "this is no part of an index", form);
    if (!digit(y, e->arg[0], g)) return false;
    if (!apply_number(y->a, e->arg[1], "the factor", 1, APPLY_FACTOR_MAX, &f)) return false;
    return cut(g, e->op == EX_DIV, f) ||
           refuse(y, e->span, "these pieces do not fit into one another", "divide by numbers that divide one another");
}

/* ---- legality
 * -----------------------------------------------------------------------------------------------------------
 */
/* The digit of dimension `dim` that tells its values from `from` on. */
static int digit_at(const PlanLayout *y, int dim, int64_t from)
{
    for (int i = 0; i < y->n; i++)
        if (y->digit[i].dim == dim && y->digit[i].div == from) return i;
    return -1;
}

static const char *element(const Laid *y, int dim, int64_t at)
{
    Arena *mem = y->a->p->l->mem;
    const char *s = arena_printf(mem, "%s[", y->t->name);
    for (int i = 0; i < y->t->rank; i++)
        s = arena_printf(mem, "%s%s%lld", s, i ? ", " : "", (long long)(i == dim ? at : 0));
    return arena_printf(mem, "%s]", s);
}

/* The digits of one dimension, lowest first, each where the one below it ends, the highest without an end. */
static bool one_to_one(const Laid *y, const PlanLayout *to, int dim)
{
    Arena *mem = y->a->p->l->mem;
    const char *name = y->s->from[dim]->text;
    int64_t told = 1, extent;
    int used = 0, all = 0, i;
    bool known = ix_known(y->a->p->l, y->t->shape[dim], &extent), whole = false;
    for (i = 0; i < to->n; i++) all += to->digit[i].dim == dim;
    while (!whole && used < all && (i = digit_at(to, dim, told)) >= 0) {
        const LayoutDigit *g = &to->digit[i];
        used++;
        if (g->mod == 1) break; /* tells nothing */
        whole = !g->mod || __builtin_mul_overflow(told, g->mod, &told);
    }
    if (!whole && !(known && extent <= told))
        return refuse(y, y->s->span,
                      arena_printf(mem, "`%s` and `%s` would share a place", element(y, dim, 0), element(y, dim, told)),
                      arena_printf(mem, told > 1 ? "`%s/%lld` tells them apart" : "`%s` tells them apart", name,
                                   (long long)told));
    return used == all ||
           refuse(y, y->s->span, arena_printf(mem, "`%s` stands there more often than its places need", name), NULL);
}

static Reason not_laid_out(Apply *a, const PlanDef *d, const Tensor *t, const PlanLayout *was)
{
    const PlanStage *s = NULL;
    for (int i = 0; d && d->copies && i < d->in->stage.n; i++)
        if (d->in->stage.at[i].copy == d) s = &d->in->stage.at[i];
    if (was) return legal_because("it has a layout already", was->from->span, "which was said here");
    if (s && s->from->layout.kind != LAYOUT_PLAIN)
        return legal_because("it was staged with a layout", s->from->layout.span, "which was said here");
    if (te_type[t->type].bits < 8)
        return legal_because("its elements are no whole bytes", t->span, "it is declared here");
    const Tensor *read = d && d->copies ? d->copies : t;
    for (int i = 0; i < a->p->n; i++) { /* checked when it is read, as indices of the tensor */
        Loads f = legal_find(a, a->p->def[i].w->rhs, read);
        for (int k = 0; k < f.at.n && !a->p->def[i].w->gone; k++)
            if (f.at.at[k]->flag == LOAD_GATHER)
                return legal_because("it is read at a place that data decide, which is checked there", f.at.at[k]->span,
                                     "it is read here");
    }
    return (Reason){0};
}

/* ---- the statement
 * --------------------------------------------------------------------------------------------------------
 */
/* What the caller holds is as the caller stores it; a temporary is the schedule's own, and `const` allows a packed
 * copy. */
static void refuse_param(Apply *a, const AstName *name)
{
    const TeOp *op = a->p->l->op;
    for (int i = 0; i < op->ntensors; i++) {
        const Tensor *t = op->tensor[i];
        if (!ir_streq(t->name, name->text) || t->kind == TK_LET) continue;
        const char *what = t->kind == TK_OUTPUT ? "a result" : t->kind == TK_INOUT ? "an inout" : "an input";
        Reason r = legal_because(arena_printf(a->p->l->mem, "it is %s, which the caller stores", what), t->span,
                                 "it is declared here");
        if (t->kind != TK_OUTPUT)
            r.help = arena_printf(a->p->l->mem,
                                  "lay out a copy: `stage %s at … in local -> NAME`, then `layout NAME …`", t->name);
        legal_refuse(a, D_S133_LAYOUT, name->span, t->name, r);
        return;
    }
    apply_def(a, name); /* there is none: it says which there are */
}

/* What the subject names: a `let` or a copy (where its layout is kept: `to`), or a const input (`to` NULL so far). */
static const Tensor *stored_tensor(Apply *a, const AstName *name, const PlanDef **d, PlanLayout ***to)
{
    PlanDef *c = plan_find(a->p, name->text);
    int o = 0;
    for (int i = 0; i < a->p->n && !c; i++) /* the second result of a topk */
        if (a->p->def[i].w->def->nout > 1 && ir_streq(a->p->def[i].w->def->out[1]->name, name->text))
            c = &a->p->def[i], o = 1;
    if (c && !c->w->gone && c->w->def->out[o]->kind == TK_LET) {
        *d = c;
        *to = &c->layout[o];
        return c->w->def->out[o];
    }
    for (int i = 0; i < a->p->l->op->ntensors && !c; i++) {
        const Tensor *t = a->p->l->op->tensor[i];
        if (t->kind != TK_CONST_INPUT || !ir_streq(t->name, name->text)) continue;
        for (int k = 0; k < a->p->input.n; k++)
            if (a->p->input.at[k].t == t) *to = &a->p->input.at[k].layout;
        return t;
    }
    refuse_param(a, name);
    return NULL;
}

/* A dimension of one place may be left out, but not out of an address: its index may be what lanes differ by. */
static void keep_ones(const Lower *l, const Tensor *t, PlanLayout *y)
{
    int64_t n;
    for (int dim = 0; dim < t->rank; dim++) {
        bool whole = !(ix_known(l, t->shape[dim], &n) && n == 1);
        for (int i = 0; i < y->n && !whole; i++)
            whole = y->digit[i].dim == dim && y->digit[i].div == 1 && !y->digit[i].mod;
        if (!whole) y->digit[y->n++] = (LayoutDigit){.dim = dim, .div = 1};
    }
}

bool apply_layout(Apply *a, const SchedStmt *s)
{
    Lower *l = a->p->l;
    const PlanDef *d = NULL;
    PlanLayout **to = NULL;
    Laid y = {a, s, stored_tensor(a, &s->subject, &d, &to)};
    if (!y.t || !legal_refuse(a, D_S133_LAYOUT, s->span, y.t->name, not_laid_out(a, d, y.t, to ? *to : NULL)) ||
        !names_dims(&y))
        return false;
    PlanLayout *g = NEW(l->mem, PlanLayout);
    *g = (PlanLayout){.n = s->nto, .digit = NEW_ARRAY(l->mem, LayoutDigit, s->nto + y.t->rank + 1), .from = s};
    for (int i = 0; i < s->nto; i++)
        if (!digit(&y, s->to[i], &g->digit[i])) return false;
    for (int i = 0; i < y.t->rank; i++)
        if (!one_to_one(&y, g, i)) return false;
    keep_ones(l, y.t, g);
    if (to)
        *to = g;
    else
        VEC_PUSH(l->mem, &a->p->input, (PlanInput){(Tensor *)y.t, g});
    return true;
}

/* ---- places
 * ---------------------------------------------------------------------------------------------------------------
 */
Expr **layout_place(Lower *l, const PlanLayout *y, Expr *const *ix)
{
    Expr **at = NEW_ARRAY(l->mem, Expr *, y->n + 1), *left;
    for (int i = 0; i < y->n; i++) {
        const LayoutDigit *g = &y->digit[i];
        at[i] = ix[g->dim];
        if (g->div > 1) lin_divide(l, at[i], g->div, &at[i], &left);
        if (g->mod) lin_divide(l, at[i], g->mod, &left, &at[i]);
    }
    return at;
}

Expr **layout_shape(Lower *l, const PlanLayout *y, Expr *const *size)
{
    Expr **shape = NEW_ARRAY(l->mem, Expr *, y->n + 1);
    for (int i = 0; i < y->n; i++) {
        const LayoutDigit *g = &y->digit[i];
        int64_t n;
        shape[i] = ix_op(l, EX_DIV, ix_op(l, EX_ADD, size[g->dim], ix_int(l, g->div - 1)), ix_int(l, g->div));
        if (g->mod && !(ix_known(l, shape[i], &n) && n < g->mod)) shape[i] = ix_int(l, g->mod);
    }
    return shape;
}

Tensor *layout_buffer(Lower *l, const PlanLayout *y, const char *name, const Tensor *t, Scope scope, Expr **size,
                      Span s)
{
    if (!y) return low_buffer(l, name, (DType)t->type, scope, t->rank, size, s);
    return low_buffer(l, name, (DType)t->type, scope, y->n, layout_shape(l, y, size), s);
}

/* ---- const inputs
 * -----------------------------------------------------------------------------------------------------------
 */
/* Put where the layout says, before anything reads it. */
static void pack_input(Lower *l, const PlanInput *in)
{
    Tensor *t = in->t;
    Span at = in->layout->from->span;
    int rank = t->rank;
    Loop *lp = NEW_ARRAY(l->mem, Loop, rank + 1);
    Expr **ix = NEW_ARRAY(l->mem, Expr *, rank + 1), **size = NEW_ARRAY(l->mem, Expr *, rank + 1);
    View *v = NEW(l->mem, View);
    *v = (View){.of = t, .layout = in->layout, .origin = NEW_ARRAY(l->mem, Expr *, rank + 1)};
    for (int i = 0; i < rank; i++) {
        size[i] = low_expr(l, t->shape[i]);
        v->origin[i] = ix_int(l, 0);
    }
    v->buf = layout_buffer(l, v->layout, t->name, t, SCOPE_LOCAL, size, at);
    for (int i = 0; i < rank; i++) {
        low_loop(l, &lp[i], arena_printf(l->mem, "%s_%d", t->name, i), ix_int(l, 0), size[i], at);
        ix[i] = ix_var(l, lp[i].var);
    }
    low_emit(l, tile_store(l->p, v->buf, layout_place(l, v->layout, ix), low_read(l, t, rank, ix, at), at));
    for (int i = rank - 1; i >= 0; i--)
        low_loop_end(l, &lp[i], 1, i == 0 && l->threads > 1 ? LOOP_PARALLEL : LOOP_SERIAL, 0, NULL, 0);
    VEC_PUSH(l->mem, &l->views, v);
}

void layout_inputs(Plan *p)
{
    for (int i = 0; i < p->input.n; i++) pack_input(p->l, &p->input.at[i]);
}
