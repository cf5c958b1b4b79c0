/* sema_red: reductions: ranges of their variables, written or inferred; conditions; the type of the accumulator. */
#include "frontend/sema.h"

#include <string.h>

static const Val none = {0};

bool fe_reduces(Sema *s, RedOp r, DType t, Span span)
{
    bool logic = r == RED_ANY || r == RED_ALL;
    if (logic == (t == DT_U1)) return true;
    Diag *d = FE_ERROR(s, D_T009_REDUCTION, span, te_red_name[r], t == DT_INDEX ? "an index" : te_type[t].name);
    if (logic)
        fe_help_at(s, d, "it takes a condition, of type u1, as a comparison is");
    else
        fe_help_at(s, d, "cast what it takes, as in `%s{…}(i32(…))`, or use `any` or `all`", te_red_name[r]);
    return false;
}

/* ---- variables ------------------------------------------------------------------------------------------------- */
static Var *inferred(Sema *s, const AstReduce *r, int at)
{
    AstName name = r->var[at].name;
    Infer f = {.name = name.text};
    for (int i = at + 1; i < r->nvars; i++) {
        fe_infer(s, &f, r->var[i].lo);
        fe_infer(s, &f, r->var[i].hi);
    }
    fe_infer(s, &f, r->cond);
    fe_infer(s, &f, r->body);
    if (f.extent && !f.clash)
        return te_new_var(s->op, name.text, te_int(s->op, DT_INDEX, 0, name.span), f.extent, name.span);
    if (f.silent || f.clash) {
        s->errors++;
        return NULL;
    }
    Diag *d = FE_ERROR(s, D_N014_INFER, name.span, name.text);
    fe_help_at(s, d, "write its range, as in `%s in 0..K`", name.text);
    return NULL;
}

static Var *variable(Sema *s, const AstReduce *r, int at)
{
    const AstRv *rv = &r->var[at];
    bool ok = fe_index_name(s, rv->name);
    if (!rv->lo) return ok ? inferred(s, r, at) : NULL;
    Expr *lo = fe_index(s, fe_value(s, rv->lo), "the end of a range", rv->lo->span);
    Expr *hi = fe_index(s, fe_value(s, rv->hi), "the end of a range", rv->hi->span);
    if (!ok || !lo || !hi) return NULL;
    const char *name = s->frame && !s->trial ? fe_fresh_index(s, rv->name.text) : rv->name.text;
    Var *v = te_new_var(s->op, name, lo, hi, rv->name.span);
    v->written = true;
    return v;
}

/* Everything but the body. Binds the variables; false after an error. */
static bool head(Sema *s, const AstExpr *a, Reduce *r)
{
    const AstReduce *ast = a->red;
    r->op = ast->op;
    r->nvars = ast->nvars;
    r->var = NEW_ARRAY(s->mem, Var *, ast->nvars);
    r->span = a->span;
    bool ok = true;
    for (int i = 0; i < ast->nvars; i++) {
        r->var[i] = variable(s, ast, i);
        ok &= r->var[i] != NULL;
        fe_bind(s, ast->var[i].name, r->var[i]);
    }
    if (ast->cond) {
        Val v = fe_value(s, ast->cond);
        ok &= fe_condition(s, v, ast->cond->span, "the condition of a reduction", &r->cond);
    }
    return ok;
}

static bool one_variable(Sema *s, const AstExpr *a)
{
    if (a->red->nvars == 1) return true;
    FE_ERROR(s, D_N029_ONE_VARIABLE, a->red->op_span, te_red_name[a->red->op], a->red->nvars);
    return false;
}

/* As the body was written, parentheses aside: decided before anything is inlined. */
static bool is_product(const AstExpr *a)
{
    while (a->kind == AST_PAREN) a = a->arg[0];
    return a->kind == AST_BINARY && a->op == EX_MUL;
}

/* Ranges and the condition count towards the size of the tree; the body does at the end. */
static Val finish(Sema *s, const Val *body, Expr *e) { return fe_typed(s, e, body, 1); }

static Val typed(Sema *s, Reduce *r, Val body, Span span)
{
    bool arg = r->op == RED_ARGMAX || r->op == RED_ARGMIN, logic = r->op == RED_ANY || r->op == RED_ALL;
    if (body.p && !arg) {
        if (logic && body.p->wild) return finish(s, &body, te_int(s->op, DT_U1, 0, span));
        if (!logic) return fe_pend(s, &(Pend){.op = EX_REDUCE, .nargs = 1, .arg = {body}, .red = r, .span = span});
    }
    if (body.p && body.p->wild) return finish(s, &body, te_int(s->op, DT_I32, 0, span)); /* argmax, argmin */
    r->body = fe_default(s, body);
    if (!r->body || !fe_reduces(s, r->op, (DType)r->body->type, span)) return none;
    return finish(s, &body, te_reduce(s->op, r, arg ? DT_I32 : (DType)r->body->type, span));
}

Val fe_reduction(Sema *s, const AstExpr *a)
{
    const AstReduce *ast = a->red;
    if (s->size) {
        FE_ERROR(s, D_N026_SIZE_CALL, a->span, s->size);
        return none;
    }
    if (ast->op == RED_TOPK) {
        FE_ERROR(s, D_N021_TWO_RESULTS, a->span);
        return none;
    }
    if (ast->has_slot) {
        FE_ERROR(s, D_N032_PLACES, ast->slot.name.span, te_red_name[ast->op]);
        return none;
    }
    if (!fe_few(s, ast->nvars, "the variables of a reduction", ast->op_span)) return none;
    bool ok = (ast->op != RED_ARGMAX && ast->op != RED_ARGMIN) || one_variable(s, a);
    int scope = s->scope.n;
    Reduce *r = NEW(s->mem, Reduce);
    ok &= head(s, a, r);
    Val body = fe_value(s, ast->body);
    s->scope.n = scope;
    if (!ok || fe_bad(body)) return none;
    r->fma = r->op == RED_SUM && is_product(ast->body);
    return typed(s, r, body, a->span);
}

/* ---- topk ------------------------------------------------------------------------------------------------------ */
static const char *size_text(Sema *s, const Expr *e)
{
    Text t = {.mem = s->mem};
    text_add(&t, "");
    te_print_expr(&t, s->op, e);
    return t.s;
}

/* Are there enough elements for the places? Decided now, or once the sizes are known. */
static bool enough(Sema *s, const AstExpr *a, const Reduce *r, Expr *places)
{
    const Var *v = r->var[0];
    TeOp *op = s->op;
    Expr *count = fe_size_is(s, v->lo, 0) ? v->hi : te_node(op, EX_SUB, DT_INDEX, 2, (Expr *[]){v->hi, v->lo}, v->span);
    if (r->cond || fe_at_least(s, count, places, 0)) return true;
    Expr *zero = te_int(op, DT_INDEX, 0, a->span);
    if (fe_at_least(s, places, count, 1) && fe_at_least(s, places, zero, 1)) {
        FE_ERROR(s, D_Z008_TOPK_MANY, a->red->slot.name.span, size_text(s, places), size_text(s, count));
        return false;
    }
    if (!fe_over_sizes(count)) {
        FE_ERROR(s, D_Z009_TOPK_UNKNOWN, a->red->slot.name.span);
        return false;
    }
    Expr *cond = te_node(op, EX_LE, DT_U1, 2, (Expr *[]){places, count}, a->red->slot.name.span);
    if (!s->dry)
        VEC_PUSH(s->mem, &s->checks,
                 (Check){cond,
                         arena_printf(s->mem, "topk takes more places (%s) than there are elements (%s)",
                                      size_text(s, places), size_text(s, count)),
                         a->red->slot.name.span});
    return true;
}

bool fe_over_sizes(const Expr *e)
{
    if (e->op == EX_VAR || e->op == EX_LOAD || e->op == EX_REDUCE) return false;
    for (int i = 0; i < e->nargs; i++)
        if (!fe_over_sizes(e->arg[i])) return false;
    return true;
}

Expr *fe_topk(Sema *s, const AstExpr *a, Var *slot)
{
    const AstReduce *ast = a->red;
    bool ok = one_variable(s, a);
    int scope = s->scope.n;
    Reduce *r = NEW(s->mem, Reduce);
    r->slot = slot;
    s->slot = slot;
    ok &= head(s, a, r);
    Val body = fe_value(s, ast->body);
    s->slot = NULL;
    s->scope.n = scope;
    if (!ok || fe_bad(body) || !slot) return NULL;
    r->body = fe_default(s, body);
    if (!r->body || !enough(s, a, r, slot->hi)) return NULL;
    DType t = (DType)r->body->type;
    if (t == DT_INDEX) {
        Diag *d = FE_ERROR(s, D_T009_REDUCTION, ast->body->span, "topk", "an index");
        fe_help_at(s, d, "cast what it takes, as in `i32(…)`");
        return NULL;
    }
    if (!fe_reduces(s, RED_TOPK, t, ast->body->span)) return NULL;
    return fe_typed(s, te_reduce(s->op, r, t, a->span), &body, 1).e;
}
