/* sched_same: whether two schedule files say the same: everything but places. For the tests of the formatter. */
#ifndef TCC_TESTS_SCHED_SAME_H
#define TCC_TESTS_SCHED_SAME_H

#include "frontend/sched.h"
#include "tests/unit/ast_same.h"

static inline bool same_names(int n, const AstName *a, const AstName *b)
{
    for (int i = 0; i < n; i++)
        if (!same_name(&a[i], &b[i])) return false;
    return true;
}

static inline bool same_refs(int n, const SchedRef *a, const SchedRef *b)
{
    for (int i = 0; i < n; i++)
        if (!same_name(&a[i].def, &b[i].def) || !same_name(&a[i].loop, &b[i].loop)) return false;
    return true;
}

static inline bool same_layout(const SchedLayout *a, const SchedLayout *b)
{
    return a->kind == b->kind && a->n == b->n && (a->kind != LAYOUT_PACK || same_names(a->n, a->ix, b->ix)) &&
           same_exprs(a->n, a->factor, b->factor);
}

static inline bool same_counts(const SchedStmt *a, const SchedStmt *b)
{
    return a->kind == b->kind && a->nrefs == b->nrefs && a->nloops == b->nloops && a->nexprs == b->nexprs &&
           a->nnames == b->nnames && a->tail == b->tail && a->scope == b->scope && a->async == b->async &&
           a->dtype == b->dtype && a->bind == b->bind && a->compose == b->compose && a->nfrom == b->nfrom &&
           a->nto == b->nto && a->nbody == b->nbody;
}

static inline bool same_sched_stmt(const SchedStmt *a, const SchedStmt *b)
{
    if (!same_counts(a, b) || !same_name(&a->subject, &b->subject) || !same_name(&a->over, &b->over) ||
        !same_name(&a->kernel, &b->kernel) || !same_refs(a->nrefs, a->ref, b->ref) ||
        !same_names(a->nloops, a->loop, b->loop) || !same_names(a->nnames, a->name, b->name) ||
        !same_exprs(a->nexprs, a->expr, b->expr) || !same_exprs(a->nfrom, a->from, b->from) ||
        !same_exprs(a->nto, a->to, b->to) || !same_layout(&a->layout, &b->layout))
        return false;
    for (int i = 0; i < a->nbody; i++)
        if (!same_sched_stmt(a->body[i], b->body[i])) return false;
    return true;
}

static inline bool same_sched(const Sched *a, const Sched *b)
{
    if (!same_name(&a->name, &b->name) || !same_name(&a->op, &b->op) || !ir_streq(a->target, b->target) ||
        !same_expr(a->when, b->when) || a->nparams != b->nparams || a->nstmts != b->nstmts ||
        !ir_streq(a->doc, b->doc) || a->broken != b->broken)
        return false;
    for (int i = 0; i < a->nparams; i++) {
        const SchedParam *x = &a->param[i], *y = &b->param[i];
        if (!same_name(&x->name, &y->name) || x->nvalues != y->nvalues || !same_exprs(x->nvalues, x->value, y->value) ||
            !same_expr(x->dflt, y->dflt) || !same_expr(x->where, y->where))
            return false;
    }
    for (int i = 0; i < a->nstmts; i++)
        if (!same_sched_stmt(a->stmt[i], b->stmt[i])) return false;
    return true;
}

static inline bool sched_same(const SchedFile *a, const SchedFile *b)
{
    if (a->n != b->n) return false;
    for (int i = 0; i < a->n; i++)
        if (!same_sched(a->sched[i], b->sched[i])) return false;
    return true;
}

#endif
