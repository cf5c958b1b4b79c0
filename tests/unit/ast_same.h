/* ast_same: whether two syntax trees say the same: everything but places. For the tests of the formatter. */
#ifndef TCC_TESTS_AST_SAME_H
#define TCC_TESTS_AST_SAME_H

#include "frontend/ast.h"

static bool same_expr(const AstExpr *a, const AstExpr *b);

static inline bool same_name(const AstName *a, const AstName *b) { return ir_streq(a->text, b->text); }

static inline bool same_exprs(int n, AstExpr *const *a, AstExpr *const *b)
{
    for (int i = 0; i < n; i++)
        if (!same_expr(a[i], b[i])) return false;
    return true;
}

static inline bool same_rvs(int n, const AstRv *a, const AstRv *b)
{
    for (int i = 0; i < n; i++)
        if (!same_name(&a[i].name, &b[i].name) || !same_expr(a[i].lo, b[i].lo) || !same_expr(a[i].hi, b[i].hi))
            return false;
    return true;
}

static inline bool same_reduce(const AstReduce *a, const AstReduce *b)
{
    if (!a || !b) return a == b;
    return a->op == b->op && a->nvars == b->nvars && same_rvs(a->nvars, a->var, b->var) && a->has_slot == b->has_slot &&
           (!a->has_slot || same_rvs(1, &a->slot, &b->slot)) && same_expr(a->cond, b->cond) &&
           same_expr(a->body, b->body);
}

static bool same_expr(const AstExpr *a, const AstExpr *b)
{
    if (!a || !b) return a == b;
    return a->kind == b->kind && a->op == b->op && a->i == b->i && ir_streq(a->text, b->text) && a->depth == b->depth &&
           a->nargs == b->nargs && same_exprs(a->nargs, a->arg, b->arg) && same_expr(a->other, b->other) &&
           same_reduce(a->red, b->red);
}

static inline bool same_params(int n, const AstParam *a, const AstParam *b)
{
    for (int i = 0; i < n; i++)
        if (a[i].kind != b[i].kind || !same_name(&a[i].name, &b[i].name) || a[i].type != b[i].type ||
            a[i].has_shape != b[i].has_shape || a[i].rank != b[i].rank ||
            !same_exprs(a[i].rank, a[i].shape, b[i].shape))
            return false;
    return true;
}

static inline bool same_dim(const AstDim *a, const AstDim *b)
{
    if (!same_name(&a->name, &b->name) || a->has_default != b->has_default || a->has_range != b->has_range ||
        a->dflt != b->dflt || a->lo != b->lo || a->hi != b->hi || a->nhints != b->nhints)
        return false;
    for (int i = 0; i < a->nhints; i++)
        if (a->hint[i] != b->hint[i]) return false;
    return true;
}

static inline bool same_stmt(const AstStmt *a, const AstStmt *b)
{
    if (a->let != b->let || a->nlhs != b->nlhs || !same_name(&a->seq, &b->seq)) return false;
    for (int i = 0; i < a->nlhs; i++) {
        const AstLhs *x = &a->lhs[i], *y = &b->lhs[i];
        if (!same_name(&x->name, &y->name) || x->has_index != y->has_index || x->n != y->n ||
            !same_rvs(x->n, x->ix, y->ix))
            return false;
    }
    return same_expr(a->rhs, b->rhs);
}

static inline bool same_op(const AstOp *a, const AstOp *b)
{
    if (!same_name(&a->name, &b->name) || a->ndims != b->ndims || a->nconsts != b->nconsts ||
        a->ninputs != b->ninputs || a->noutputs != b->noutputs || a->nwhere != b->nwhere || a->nstmts != b->nstmts ||
        !ir_streq(a->doc, b->doc) || a->broken != b->broken)
        return false;
    for (int i = 0; i < a->ndims; i++)
        if (!same_dim(&a->dim[i], &b->dim[i])) return false;
    for (int i = 0; i < a->nconsts; i++)
        if (!same_name(&a->cst[i].name, &b->cst[i].name) || a->cst[i].type != b->cst[i].type ||
            !same_expr(a->cst[i].value, b->cst[i].value))
            return false;
    for (int i = 0; i < a->nstmts; i++)
        if (!same_stmt(a->stmt[i], b->stmt[i])) return false;
    return same_params(a->ninputs, a->input, b->input) && same_params(a->noutputs, a->output, b->output) &&
           same_exprs(a->nwhere, a->where, b->where);
}

static inline bool same_fn(const AstFn *a, const AstFn *b)
{
    if (!same_name(&a->name, &b->name) || a->nparams != b->nparams || !ir_streq(a->doc, b->doc)) return false;
    for (int i = 0; i < a->nparams; i++)
        if (!same_name(&a->param[i], &b->param[i])) return false;
    return same_expr(a->body, b->body);
}

static inline bool ast_same(const AstFile *a, const AstFile *b)
{
    if (a->nitems != b->nitems) return false;
    for (int i = 0; i < a->nitems; i++) {
        const AstItem *x = &a->item[i], *y = &b->item[i];
        if (!x->op != !y->op || !x->fn != !y->fn) return false;
        if (x->op ? !same_op(x->op, y->op) : !same_fn(x->fn, y->fn)) return false;
    }
    return true;
}

#endif
