/* sema: one op, from syntax to typed TE IR.
 *
 * Needs a file as fe_parse leaves it, mistakes and all. Leaves a TeOp whose dims are dynamic, whose consts have values,
 * and whose accesses are yet to be proved in bounds (schedule/bounds.c); or NULL, and at least one error reported. */
#include "frontend/sema.h"

#include <string.h>

/* ---- fns -------------------------------------------------------------------------------------------------------- */
static void add_fn(Sema *s, const AstFn *fn)
{
    const FnSym *old = fe_fn(s, fn->name.text);
    bool bad = false;
    if (old || fe_builtin(fn->name.text)) {
        Diag *d = FE_ERROR(s, D_N002_TAKEN, fn->name.span, fn->name.text, old ? "a fn" : "a function of the language");
        if (old) fe_note_at(s, d, old->fn->name.span, "`%s` is named here", fn->name.text);
        bad = true;
    }
    bad |= !fe_check_fn(s, fn);
    if (!old) fe_add_fn(s, fn, bad);
}

/* ---- the header ------------------------------------------------------------------------------------------------- */
static void dims(Sema *s)
{
    const AstOp *a = s->ast;
    TeOp *op = s->op;
    op->ndims = a->ndims;
    op->dim = NEW_ARRAY(s->mem, Dim, a->ndims);
    for (int i = 0; i < a->ndims; i++) {
        const AstDim *x = &a->dim[i];
        Dim *d = &op->dim[i];
        *d = (Dim){.name = x->name.text,
                   .has_default = x->has_default,
                   .dflt = x->dflt,
                   .has_range = x->has_range,
                   .lo = x->has_range ? x->lo : 1,
                   .hi = x->has_range ? x->hi : INT32_MAX,
                   .nhints = x->nhints,
                   .hint = x->hint,
                   .value = -1,
                   .span = x->span};
        fe_declare(s, x->name, SYM_DIM)->at = i;
        long long lo = d->lo, hi = d->hi;
        if (lo > hi) {
            FE_ERROR(s, D_Z003_EMPTY_RANGE, x->range_span, d->name, lo, hi);
            continue;
        }
        if (d->has_default && (d->dflt < d->lo || d->dflt > d->hi)) {
            Diag *e = FE_ERROR(s, D_Z001_DEFAULT, x->default_span, (long long)d->dflt, d->name, lo, hi);
            if (!d->has_range)
                fe_help_at(s, e, "write the allowed sizes, as in `%s in %lld..%lld`", d->name,
                           d->dflt < 1 ? (long long)d->dflt : 1, d->dflt < 1 ? hi : (long long)d->dflt);
            else
                fe_help_at(s, e, "choose one of them, or widen the range");
        }
        for (int k = 0; k < d->nhints; k++)
            if (d->hint[k] < d->lo || d->hint[k] > d->hi)
                FE_ERROR(s, D_Z002_HINT, x->hint_span[k], (long long)d->hint[k], d->name, lo, hi);
    }
}

/* A value given from outside. */
static void override(Sema *s, Const *c, const char *text)
{
    const char *why = NULL;
    Expr *v = NULL;
    if (fe_text_value(s->op, text, c->type, c->span, &v, &why)) {
        c->value = v;
        c->overridden = true;
        return;
    }
    Diag *d = FE_ERROR(s, D_Z006_CONST_VALUE, (Span){0}, text, c->name, te_type[c->type].name, why);
    fe_note_at(s, d, c->span, "`%s` is declared here", c->name);
    c->value = NULL;
}

static void unknown_const(Sema *s, const char *name)
{
    Diag *d = FE_ERROR(s, D_Z005_CONST_UNKNOWN, (Span){0}, s->ast->name.text, name);
    const char **names = NEW_ARRAY(s->mem, const char *, s->op->nconsts);
    for (int i = 0; i < s->op->nconsts; i++) names[i] = s->op->cst[i].name;
    const char *near = fe_closest(name, s->op->nconsts, names);
    if (near) fe_help_at(s, d, "did you mean `%s`?", near);
    for (int i = 0; i < s->op->ndims; i++)
        if (!strcmp(s->op->dim[i].name, name)) fe_help_at(s, d, "`%s` is a dim: give it with `--dim %s=…`", name, name);
}

static void missing_consts(Sema *s)
{
    Text t = {.mem = s->mem};
    int n = 0;
    const Const *first = NULL;
    for (int i = 0; i < s->op->nconsts; i++) {
        const Const *c = &s->op->cst[i];
        if (c->has_default || c->overridden || c->value) continue;
        if (!first) first = c;
        text_printf(&t, n++ ? ", `%s`" : "`%s`", c->name);
    }
    if (!n) return;
    Diag *d = FE_ERROR(s, D_Z004_CONST_MISSING, first->span, n > 1 ? "s" : "", t.s, n > 1 ? "ve" : "s");
    fe_help_at(s, d, "give it with `--const %s=…`, or give it a default in the op", first->name);
}

static void consts(Sema *s, int n, const FeConst *given)
{
    const AstOp *a = s->ast;
    TeOp *op = s->op;
    op->nconsts = a->nconsts;
    op->cst = NEW_ARRAY(s->mem, Const, a->nconsts);
    bool bad = false;
    for (int i = 0; i < a->nconsts; i++) {
        const AstConst *x = &a->cst[i];
        Const *c = &op->cst[i];
        *c = (Const){.name = x->name.text, .type = x->type, .has_default = x->value != NULL, .span = x->name.span};
        if (x->type == DT_NONE) s->errors++; /* could not be read: uses of it are silent */
        if (x->value && x->type != DT_NONE) {
            Val v = fe_value(s, x->value);
            c->value = fe_assignable(s, v, x->type, arena_printf(s->mem, "`%s`", c->name), x->value->span);
        }
        fe_declare(s, x->name, SYM_CONST)->at = i;
        for (int k = 0; k < n; k++) {
            if (strcmp(given[k].name, c->name) != 0 || c->type == DT_NONE) continue;
            override(s, c, given[k].value);
            bad |= !c->value;
        }
    }
    for (int k = 0; k < n; k++) {
        bool known = false;
        for (int i = 0; i < op->nconsts; i++) known |= !strcmp(op->cst[i].name, given[k].name);
        if (!known) unknown_const(s, given[k].name);
    }
    if (!bad && !a->broken) missing_consts(s);
}

static void parameter(Sema *s, const AstParam *p, TensorKind kind)
{
    Sym *y = fe_declare(s, p->name, SYM_TENSOR);
    y->t = te_new_tensor(s->op, p->name.text, p->type, kind, p->rank, NEW_ARRAY(s->mem, Expr *, p->rank), p->span);
    y->t->scalar = !p->has_shape;
    y->defined = kind != TK_OUTPUT;
    if (p->type != DT_NONE && fe_few(s, p->rank, "the dimensions of a tensor", p->name.span)) return;
    y->kind = SYM_BAD; /* could not be read: uses of it are silent */
    s->errors++;
}

static void shapes(Sema *s, const AstParam *p, Tensor *t)
{
    for (int i = 0; i < p->rank; i++) {
        t->shape[i] = fe_size(s, p->shape[i], "a shape");
        int64_t v;
        if (t->shape[i] && te_eval_size(s->op, t->shape[i], &v) && v < 0)
            FE_ERROR(s, D_Z010_NEGATIVE, p->shape[i]->span, (long long)v);
    }
}

static void parameters(Sema *s)
{
    const AstOp *a = s->ast;
    TeOp *op = s->op;
    op->ninputs = a->ninputs;
    op->nparams = a->ninputs + a->noutputs;
    for (int i = 0; i < a->ninputs; i++) parameter(s, &a->input[i], a->input[i].kind);
    for (int i = 0; i < a->noutputs; i++) parameter(s, &a->output[i], TK_OUTPUT);
    for (int i = 0; i < a->ninputs; i++) shapes(s, &a->input[i], op->tensor[i]);
    for (int i = 0; i < a->noutputs; i++) shapes(s, &a->output[i], op->tensor[a->ninputs + i]);
}

static void conditions(Sema *s)
{
    const AstOp *a = s->ast;
    int64_t *sizes = NEW_ARRAY(s->mem, int64_t, s->op->ndims); /* those that are known already */
    for (int i = 0; i < s->op->ndims; i++) sizes[i] = s->op->dim[i].lo == s->op->dim[i].hi ? s->op->dim[i].lo : -1;
    for (int i = 0; i < a->nwhere; i++) {
        const AstExpr *w = a->where[i];
        s->size = "a `where` condition";
        Val v = fe_value(s, w);
        s->size = NULL;
        Expr *cond;
        if (!fe_condition(s, v, w->span, "a `where` condition", &cond)) continue;
        VEC_PUSH(s->mem, &s->checks, (Check){cond, arena_printf(s->mem, "where %s", fe_src(s, w->span)), w->span});
        int64_t holds;
        if (te_eval_size_at(s->op, cond, sizes, &holds) && !holds) {
            FE_ERROR(s, D_Z007_WHERE, w->span);
            continue;
        }
        fe_learn(s, cond);
    }
    s->op->nwhere = s->checks.n;
}

/* ---- the op ------------------------------------------------------------------------------------------------------ */
static void unassigned(Sema *s)
{
    for (int i = s->op->ninputs; i < s->op->nparams && !s->ast->broken; i++) {
        const Tensor *t = s->op->tensor[i];
        const Sym *y = fe_find(s, t->name);
        if (!y || y->kind != SYM_TENSOR || y->t != t || y->assigned) continue;
        Diag *d = FE_ERROR(s, D_N006_UNASSIGNED, t->span, t->name);
        fe_help_at(s, d, "assign it for every index, as in `%s%s = …`", t->name, t->scalar ? "" : "[…]");
    }
}

/* A header that could be read in part only leaves names out. */
static bool is_whole(const AstOp *a)
{
    bool whole = a->name.text != NULL;
    for (int i = 0; i < a->ndims; i++) whole &= a->dim[i].name.text != NULL;
    for (int i = 0; i < a->nconsts; i++) whole &= a->cst[i].name.text != NULL;
    for (int i = 0; i < a->ninputs; i++) whole &= a->input[i].name.text != NULL;
    for (int i = 0; i < a->noutputs; i++) whole &= a->output[i].name.text != NULL;
    return whole;
}

static void check_op(Sema *s, int nconsts, const FeConst *given)
{
    if (s->ast->broken && !is_whole(s->ast)) { /* all else would be guesses */
        s->errors++;
        return;
    }
    if (s->ast->nstmts > STMTS_MAX) {
        FE_ERROR(s, D_N034_STATEMENTS, s->ast->stmt[STMTS_MAX]->lhs[0].name.span, s->ast->name.text, s->ast->nstmts,
                 STMTS_MAX);
        return;
    }
    dims(s);
    consts(s, nconsts, given);
    parameters(s);
    conditions(s);
    for (int i = 0; i < s->ast->nstmts && !s->gave_up; i++) fe_statement(s, s->ast->stmt[i]);
    if (!s->gave_up) unassigned(s);
    s->op->ndefs = s->defs.n;
    s->op->def = s->defs.at;
    s->op->nchecks = s->checks.n;
    s->op->check = s->checks.at;
}

TeOp *fe_check(Arena *mem, const AstFile *f, const AstOp *ast, int nconsts, const FeConst *given, Diags *diags)
{
    Sema *s = NEW(mem, Sema);
    s->mem = mem;
    s->file = f;
    s->ast = ast;
    s->diags = diags;
    s->op = NEW(mem, TeOp);
    s->op->mem = mem;
    s->op->name = ast->name.text;
    s->op->doc = ast->doc;
    s->op->span = ast->span;
    s->op->src = f->src;
    int at = 0;
    for (; at < f->nitems && f->item[at].op != ast; at++)
        if (f->item[at].fn) add_fn(s, f->item[at].fn);
    check_op(s, nconsts, given);
    TeOp *op = s->op;
    /* The fns after the op are not for it, but are checked too. */
    for (; at < f->nitems; at++)
        if (f->item[at].fn) add_fn(s, f->item[at].fn);
    return s->errors || s->gave_up || ast->broken ? NULL : op;
}
