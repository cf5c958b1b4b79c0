/* sema_stmt: statements: what the left side defines and over which domain, recurrences, and topk's two results.
 *
 * After a mistake the names on the left count as defined all the same, so that later statements are checked; a let
 * whose type or domain is not known then silences what reads it. */
#include "frontend/sema.h"

#include <string.h>

typedef struct Left {
    int n;
    Sym *sym[2];
    int nix;
    Var **ix;
    int slot; /* topk: which index, else -1 */
    bool ok;
} Left;

static const AstExpr *topk_of(const AstStmt *st)
{
    const AstExpr *a = st->rhs;
    while (a->kind == AST_PAREN) a = a->arg[0];
    return a->kind == AST_REDUCE && a->red->op == RED_TOPK ? a : NULL;
}

static const char *size_text(Sema *s, const Expr *e)
{
    Text t = {.mem = s->mem};
    text_add(&t, "");
    te_print_expr(&t, s->op, e);
    return t.s;
}

/* ---- names on the left ------------------------------------------------------------------------------------------- */
static Sym *define_let(Sema *s, const AstLhs *l)
{
    Sym *old = fe_find(s, l->name.text);
    if (old && old->kind == SYM_INDEX) {
        Diag *d = FE_ERROR(s, D_N030_EARLIER_INDEX, l->name.span, l->name.text, "a let");
        fe_note_at(s, d, old->span, "the index `%s` is here", l->name.text);
    }
    Sym *y = old && old->kind == SYM_INDEX ? NULL : fe_declare(s, l->name, SYM_TENSOR);
    if (!y) {
        y = NEW(s->mem, Sym);
        y->name = l->name.text;
        y->kind = SYM_TENSOR;
    }
    y->t = te_new_tensor(s->op, l->name.text, DT_NONE, TK_LET, l->n, NEW_ARRAY(s->mem, Expr *, l->n), l->name.span);
    y->t->scalar = !l->has_index;
    return y;
}

static Sym *assigned(Sema *s, const AstLhs *l)
{
    Sym *y = fe_find(s, l->name.text);
    if (!y || y->kind == SYM_INDEX) {
        if (s->ast->broken) s->errors++;
        if (s->ast->broken) return NULL;
        Diag *d = FE_ERROR(s, D_N008_UNDECLARED, l->name.span, l->name.text);
        fe_suggest(s, d, l->name.text, WANT_TENSOR);
        fe_help_at(s, d, "a temporary is defined with `let %s…`", l->name.text);
        return NULL;
    }
    if (y->kind == SYM_BAD) {
        s->errors++;
        return NULL;
    }
    if (y->kind == SYM_TENSOR && y->t->kind == TK_INOUT) return y;
    if (y->kind == SYM_TENSOR && y->t->kind == TK_OUTPUT) {
        if (!y->assigned) return y;
        Diag *d = FE_ERROR(s, D_N005_TWICE, l->name.span, l->name.text);
        fe_note_at(s, d, y->span, "it is assigned here");
        fe_help_at(s, d, "a result is assigned once; compute parts of it in `let`s");
        return NULL;
    }
    Diag *d = FE_ERROR(s, D_N007_ASSIGN, l->name.span, l->name.text, fe_what(y));
    fe_note_at(s, d, y->span, "`%s` is named here", l->name.text);
    if (y->kind == SYM_TENSOR && y->t->kind == TK_LET)
        fe_help_at(s, d, "a let is defined once; give the new value another name");
    else
        fe_help_at(s, d,
                   y->kind == SYM_TENSOR ? "declare it `inout` to update it in place"
                                         : "results, inouts and new `let`s are assigned");
    return NULL;
}

/* ---- domains --------------------------------------------------------------------------------------------------- */
static Expr *zero(Sema *s, Span span) { return te_int(s->op, DT_INDEX, 0, span); }

static bool from_zero(Sema *s, const AstRv *rv, const char *what)
{
    Expr *lo = fe_size(s, rv->lo, what);
    if (!lo) return false;
    if (fe_size_is(s, lo, 0)) return true;
    Diag *d = FE_ERROR(s, D_N017_FROM_ZERO, rv->lo->span);
    fe_help_at(s, d, "write `%s in 0..…` and shift the index where it is used", rv->name.text);
    return false;
}

static bool has_negative_size(Sema *s, const Expr *e, Span span)
{
    int64_t v;
    if (!te_eval_size(s->op, e, &v) || v >= 0) return false;
    FE_ERROR(s, D_Z010_NEGATIVE, span, (long long)v);
    return true;
}

/* The extent of a let's index: written, topk's places, or inferred from the right side. */
static Expr *let_extent(Sema *s, const AstRv *rv, Expr *places)
{
    if (rv->lo) {
        bool ok = from_zero(s, rv, "the range of a let's index");
        Expr *hi = fe_size(s, rv->hi, "the range of a let's index");
        if (!ok || !hi || has_negative_size(s, hi, rv->hi->span)) return NULL;
        if (!places || fe_same_size(s, hi, places)) return hi;
        FE_ERROR(s, D_Z011_TOPK_RANGE, rv->hi->span, size_text(s, places), rv->name.text, size_text(s, hi));
        return NULL;
    }
    if (places) return places;
    Infer f = {.name = rv->name.text};
    fe_infer(s, &f, s->stmt->rhs);
    if (f.extent && !f.clash) return f.extent;
    if (f.silent || f.clash) {
        s->errors++;
        return NULL;
    }
    Diag *d = FE_ERROR(s, D_N014_INFER, rv->name.span, rv->name.text);
    fe_help_at(s, d, "write its range, as in `%s in 0..N`", rv->name.text);
    return NULL;
}

static Expr *declared_extent(Sema *s, const Left *l, const AstRv *rv, int at, Expr *places)
{
    const Tensor *t = l->sym[0] ? l->sym[0]->t : NULL;
    if (rv->lo) {
        Diag *d = FE_ERROR(s, D_N016_RESULT_RANGE, rv->name.span, rv->name.text, t ? t->name : "this");
        fe_help_at(s, d, "only a let's index takes a range");
    }
    Expr *hi = t && at < t->rank ? t->shape[at] : NULL;
    if (!hi) {
        s->errors++;
        return NULL;
    }
    if (!places || fe_same_size(s, hi, places)) return hi;
    FE_ERROR(s, D_Z011_TOPK_RANGE, rv->name.span, size_text(s, places), rv->name.text, size_text(s, hi));
    return NULL;
}

static bool ranks(Sema *s, const AstLhs *l, const Sym *y)
{
    const Tensor *t = y->t;
    if (t->rank == l->n && t->scalar == !l->has_index) return true;
    Diag *d = t->scalar ? FE_ERROR(s, D_N013_NO_TENSOR, l->name.span, t->name, "a scalar")
                        : FE_ERROR(s, D_N012_RANK, l->name.span, t->name, t->rank, t->rank == 1 ? "" : "s", l->n,
                                   l->n == 1 ? "ex is" : "ices are");
    fe_note_at(s, d, y->span, "`%s` is declared here", t->name);
    fe_help_at(s, d, t->scalar ? "write `%s = …`" : "give it an index for each dimension", t->name);
    return false;
}

/* topk's two left sides have one index. */
static bool same_index(Sema *s, const AstLhs *a, const AstLhs *b)
{
    for (int i = 0; i < a->n || i < b->n; i++) {
        if (i < a->n && i < b->n && !strcmp(a->ix[i].name.text, b->ix[i].name.text)) continue;
        AstName x = i < a->n ? a->ix[i].name : a->name, y = i < b->n ? b->ix[i].name : b->name;
        FE_ERROR(s, D_N028_LEFT_DIFFERS, y.span, y.text, x.text);
        return false;
    }
    return true;
}

static Expr *topk_places(Sema *s, Left *l, const AstLhs *lhs, const AstReduce *r)
{
    if (!r->has_slot) {
        Diag *d = FE_ERROR(s, D_N022_TOPK, r->op_span, "topk does not say its places");
        if (d) diag_help(s->diags, d, "write them behind the index: `topk{e -> s in 0..K}(…)`");
        l->ok = false;
        return NULL;
    }
    for (int i = 0; i < lhs->n; i++)
        if (!strcmp(lhs->ix[i].name.text, r->slot.name.text)) l->slot = i;
    if (l->slot < 0) {
        Diag *d =
            FE_ERROR(s, D_N022_TOPK, r->slot.name.span,
                     arena_printf(s->mem, "the left side has no index `%s` for topk's places", r->slot.name.text));
        fe_suggest(s, d, r->slot.name.text, 0);
        l->ok = false;
    }
    bool ok = from_zero(s, &r->slot, "topk's range");
    Expr *hi = fe_size(s, r->slot.hi, "topk's range");
    if (ok && hi && !has_negative_size(s, hi, r->slot.hi->span)) return hi;
    l->ok = false;
    return NULL;
}

/* Where else the name of index i stands, or -1. */
static int other_place(const AstLhs *lhs, int i)
{
    for (int k = 0; k < lhs->n; k++)
        if (k != i && ir_streq(lhs->ix[k].name.text, lhs->ix[i].name.text)) return k;
    return -1;
}

static void bind_index(Sema *s, const AstStmt *st, Left *l, const AstReduce *topk)
{
    const AstLhs *lhs = &st->lhs[0];
    l->nix = lhs->n;
    l->ix = NEW_ARRAY(s->mem, Var *, lhs->n);
    Expr *places = topk ? topk_places(s, l, lhs, topk) : NULL;
    for (int i = 0; i < lhs->n; i++) {
        const AstRv *rv = &lhs->ix[i];
        int at = other_place(lhs, i);
        if (at >= 0 && at < i) FE_ERROR(s, D_N019_INDEX_TWICE, rv->name.span, rv->name.text);
        bool ok = at < 0 && fe_index_name(s, rv->name), slot = topk && i == l->slot;
        Expr *hi = NULL;
        if (at >= 0 || (slot && !places))
            l->ok = false;
        else if (st->let)
            hi = let_extent(s, rv, slot ? places : NULL);
        else
            hi = declared_extent(s, l, rv, i, slot ? places : NULL);
        if (ok && hi) {
            l->ix[i] = te_new_var(s->op, rv->name.text, zero(s, rv->name.span), hi, rv->name.span);
            l->ix[i]->written = rv->lo != NULL;
        }
        l->ok &= l->ix[i] != NULL;
        for (int k = 0; k < l->n && st->let; k++)
            if (l->sym[k] && i < l->sym[k]->t->rank) l->sym[k]->t->shape[i] = hi;
    }
    for (int i = 0; i < lhs->n; i++) fe_bind(s, lhs->ix[i].name, l->ix[i]);
}

/* Both results of a topk that is no let have the same declared shape. */
static bool same_shape(Sema *s, const Left *l)
{
    for (int i = 0; l->n == 2 && i < l->nix; i++) {
        Tensor *a = l->sym[0]->t, *b = l->sym[1]->t;
        if (i >= b->rank || !a->shape[i] || !b->shape[i] || fe_same_size(s, a->shape[i], b->shape[i])) continue;
        Diag *d =
            FE_ERROR(s, D_N015_DISAGREE, l->ix[i] ? l->ix[i]->span : a->span, l->ix[i] ? l->ix[i]->name : "the index",
                     a->name, size_text(s, a->shape[i]), b->name, size_text(s, b->shape[i]));
        fe_note_at(s, d, b->span, "`%s` is declared here", b->name);
        fe_help_at(s, d, "topk's results have one shape: declare `%s` with that of `%s`", b->name, a->name);
        return false;
    }
    return true;
}

static void left(Sema *s, const AstStmt *st, const AstExpr *topk, Left *l)
{
    *l = (Left){.n = st->nlhs > 2 ? 2 : st->nlhs, .slot = -1, .ok = true};
    for (int i = 0; i < l->n; i++) {
        Sym *y = l->sym[i] = st->let ? define_let(s, &st->lhs[i]) : assigned(s, &st->lhs[i]);
        l->ok &= y && (st->let || ranks(s, &st->lhs[i], y));
    }
    if (l->n == 2 && l->sym[0] && l->sym[0] == l->sym[1]) {
        FE_ERROR(s, D_N005_TWICE, st->lhs[1].name.span, st->lhs[1].name.text);
        l->ok = false;
    }
    if ((st->nlhs == 2) != (topk != NULL) || st->nlhs > 2) {
        FE_ERROR(s, D_N021_TWO_RESULTS, st->nlhs > 1 ? st->lhs[1].name.span : st->rhs->span);
        l->ok = false;
    } else if (l->n == 2) {
        l->ok &= same_index(s, &st->lhs[0], &st->lhs[1]);
    }
    bind_index(s, st, l, topk && l->n == 2 ? topk->red : NULL);
    if (l->ok && !st->let) l->ok &= same_shape(s, l);
}

/* ---- right sides ------------------------------------------------------------------------------------------------- */
/* The type of a recurrence that is a let: that of its right side, whatever the reads of itself have. */
static DType recurrence_type(Sema *s, const AstStmt *st)
{
    int errors = s->errors, exprs = s->op->nexprs, vars = s->op->nvars, scope = s->scope.n, nest = s->nest;
    s->dry = true;
    Val v = fe_value(s, st->rhs);
    s->dry = false;
    s->errors = errors;
    s->op->nexprs = exprs;
    s->op->nvars = vars;
    s->scope.n = scope;
    s->nest = nest;
    if (v.e) return v.e->type == DT_INDEX ? DT_I64 : (DType)v.e->type;
    return v.p ? v.p->has_float ? DT_F32 : DT_I32 : DT_NONE;
}

static Expr *let_value(Sema *s, const AstStmt *st, Tensor *t, Val v)
{
    if (v.e && v.e->type == DT_INDEX) {
        FE_ERROR(s, D_T008_LET_INDEX, st->rhs->span);
        return NULL;
    }
    if (!s->seq) return fe_default(s, v);
    return fe_assignable(s, v, t->type, "the type of the recurrence", st->rhs->span);
}

static Expr *right(Sema *s, const AstStmt *st, const Left *l)
{
    Tensor *t = l->sym[0] ? l->sym[0]->t : NULL;
    int errors = s->errors;
    bool recurrence = st->let && s->seq;
    if (recurrence) t->type = recurrence_type(s, st);
    Val v = fe_value(s, st->rhs);
    if (recurrence && t->type == DT_NONE) { /* for a mistake, which is reported by now */
        if (s->errors == errors) FE_ERROR(s, D_T010_SEQ_TYPE, st->rhs->span, t->name);
        return NULL;
    }
    if (!t || fe_bad(v)) return NULL;
    if (st->let) return let_value(s, st, t, v);
    const char *what = arena_printf(s->mem, "`%s`", t->name);
    return fe_assignable(s, v, t->type, what, st->rhs->span);
}

static Expr *right_topk(Sema *s, const AstStmt *st, const AstExpr *a, const Left *l)
{
    Expr *e = fe_topk(s, a, l->slot >= 0 ? l->ix[l->slot] : NULL);
    if (st->seq.text) {
        FE_ERROR(s, D_N022_TOPK, st->seq.span, "topk is no recurrence: it takes no `seq`");
        return NULL;
    }
    if (!e || st->let) return e;
    DType want[2] = {(DType)e->type, DT_I32};
    for (int i = 0; i < 2; i++) {
        const Tensor *t = l->sym[i] ? l->sym[i]->t : NULL;
        if (!t || t->type == want[i]) continue;
        Diag *d = FE_ERROR(s, D_T007_ASSIGN, st->lhs[i].name.span, arena_printf(s->mem, "`%s`", t->name),
                           te_type[t->type].name, te_type[want[i]].name);
        fe_help_at(s, d,
                   i ? "topk's second result holds indices, of type i32"
                     : "topk's first result has the type of what it is taken from");
        return NULL;
    }
    return e;
}

static void find_seq(Sema *s, const AstStmt *st, Left *l)
{
    s->seq = NULL;
    if (!st->seq.text) return;
    const AstLhs *lhs = &st->lhs[0];
    for (int i = 0; i < lhs->n; i++) {
        if (strcmp(lhs->ix[i].name.text, st->seq.text) != 0) continue;
        s->seq = l->ix[i];
        s->seq_at = i;
        return;
    }
    Diag *d = FE_ERROR(s, D_N020_SEQ_INDEX, st->seq.span, st->seq.text);
    const char *names[16];
    int n = 0;
    for (int i = 0; i < lhs->n && n < 16; i++) names[n++] = lhs->ix[i].name.text;
    const char *near = fe_closest(st->seq.text, n, names);
    fe_help_at(s, d, near ? "did you mean `%s`?" : "`seq` names the index along which the recurrence goes", near);
    l->ok = false;
}

/* ---- the definition ---------------------------------------------------------------------------------------------- */
static void define(Sema *s, const AstStmt *st, const Left *l, Expr *rhs)
{
    Def *d = NEW(s->mem, Def);
    Tensor *t = l->sym[0]->t;
    int nth = ++l->sym[0]->nassigned;
    d->name = nth > 1 ? arena_printf(s->mem, "%s'%d", t->name, nth) : t->name;
    d->id = s->defs.n;
    d->nout = l->n;
    for (int i = 0; i < l->n; i++) d->out[i] = l->sym[i]->t;
    if (l->n == 2) l->sym[1]->nassigned++;
    d->nix = l->nix;
    d->ix = l->ix;
    d->rhs = rhs;
    d->seq = s->seq;
    d->let = st->let;
    d->slot_at = l->slot;
    d->span = st->span;
    if (st->let) {
        t->type = (DType)rhs->type;
        if (l->n == 2) l->sym[1]->t->type = DT_I32;
    }
    VEC_PUSH(s->mem, &s->defs, d);
}

void fe_statement(Sema *s, const AstStmt *st)
{
    const AstExpr *topk = topk_of(st);
    Left l;
    if (!fe_few(s, st->lhs[0].n, "the dimensions of a tensor", st->lhs[0].name.span)) return;
    s->stmt = st;
    s->self_sym = NULL;
    s->seq = NULL;
    int scope = s->scope.n;
    left(s, st, topk, &l);
    s->self_sym = l.n == 1 ? l.sym[0] : NULL;
    find_seq(s, st, &l);
    Expr *rhs;
    if (topk && l.n == 2)
        rhs = right_topk(s, st, topk, &l);
    else if (topk) /* reported on the left */
        rhs = NULL;
    else
        rhs = right(s, st, &l);
    s->scope.n = scope;
    if (rhs && l.ok) define(s, st, &l, rhs);
    for (int i = 0; i < l.n; i++) {
        if (!l.sym[i]) continue;
        l.sym[i]->defined = true;
        l.sym[i]->assigned = true;
        l.sym[i]->span = st->lhs[i].name.span;
        if (st->let && !(rhs && l.ok)) l.sym[i]->kind = SYM_BAD;
    }
    if (!(rhs && l.ok)) s->errors++;
    s->self_sym = NULL;
    s->seq = NULL;
    s->stmt = NULL;
}
