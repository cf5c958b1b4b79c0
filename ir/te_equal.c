/* te_equal: are two ops the same program? Structure, names, types and ranges count; spans, ids, comments, sharing of
 * nodes and what later passes found out (bounds, sites) do not. */
#include "ir/te.h"

#include <string.h>

typedef struct Pair {
    const TeOp *a, *b;
} Pair;

static bool same(const Pair *p, const Expr *a, const Expr *b);

static bool both(const Pair *p, const Expr *a, const Expr *b) { return !a || !b ? a == b : same(p, a, b); }

static bool same_var(const Pair *p, const Var *a, const Var *b)
{
    return !strcmp(a->name, b->name) && both(p, a->lo, b->lo) && both(p, a->hi, b->hi);
}

static bool same_reduce(const Pair *p, const Reduce *a, const Reduce *b)
{
    if (a->op != b->op || a->nvars != b->nvars || a->fma != b->fma || !a->slot != !b->slot) return false;
    for (int i = 0; i < a->nvars; i++)
        if (!same_var(p, a->var[i], b->var[i])) return false;
    if (a->slot && strcmp(a->slot->name, b->slot->name) != 0) return false;
    return both(p, a->cond, b->cond) && same(p, a->body, b->body);
}

static bool same(const Pair *p, const Expr *a, const Expr *b)
{
    if (a->op != b->op || a->type != b->type || a->nargs != b->nargs) return false;
    switch (a->op) {
    case EX_INT:
        if (a->i != b->i) return false;
        break;
    case EX_FLOAT:
        if (memcmp(&a->f, &b->f, sizeof a->f) != 0 && (a->f == a->f || b->f == b->f)) return false;
        break;
    case EX_VAR: return !strcmp(a->var->name, b->var->name); /* names are not shadowed */
    case EX_DIM:
    case EX_CONST: return a->sym == b->sym;
    case EX_LOAD:
        if (a->load.t->id != b->load.t->id || !both(p, a->load.other, b->load.other)) return false;
        break;
    case EX_REDUCE: return same_reduce(p, a->red, b->red);
    default: break;
    }
    for (int i = 0; i < a->nargs; i++)
        if (!same(p, a->arg[i], b->arg[i])) return false;
    return true;
}

static bool same_header(const Pair *p)
{
    const TeOp *a = p->a, *b = p->b;
    if (strcmp(a->name, b->name) || a->ndims != b->ndims || a->nconsts != b->nconsts || a->nwhere != b->nwhere)
        return false;
    for (int i = 0; i < a->ndims; i++) {
        const Dim *x = &a->dim[i], *y = &b->dim[i];
        if (strcmp(x->name, y->name) || x->has_default != y->has_default || (x->has_default && x->dflt != y->dflt) ||
            x->lo != y->lo || x->hi != y->hi || x->nhints != y->nhints)
            return false;
        for (int k = 0; k < x->nhints; k++)
            if (x->hint[k] != y->hint[k]) return false;
    }
    for (int i = 0; i < a->nconsts; i++) {
        const Const *x = &a->cst[i], *y = &b->cst[i];
        if (strcmp(x->name, y->name) || x->type != y->type || !both(p, x->value, y->value)) return false;
    }
    for (int i = 0; i < a->nwhere; i++)
        if (!same(p, a->check[i].cond, b->check[i].cond)) return false;
    return true;
}

static bool same_tensor(const Pair *p, const Tensor *x, const Tensor *y)
{
    if (strcmp(x->name, y->name) || x->type != y->type || x->kind != y->kind || x->rank != y->rank ||
        x->scalar != y->scalar)
        return false;
    for (int i = 0; i < x->rank; i++)
        if (!same(p, x->shape[i], y->shape[i])) return false;
    return true;
}

static bool same_def(const Pair *p, const Def *x, const Def *y)
{
    if (strcmp(x->name, y->name) || x->nout != y->nout || x->nix != y->nix || x->let != y->let ||
        x->slot_at != y->slot_at || !x->seq != !y->seq || (x->seq && strcmp(x->seq->name, y->seq->name)))
        return false;
    for (int i = 0; i < x->nout; i++)
        if (x->out[i]->id != y->out[i]->id) return false;
    for (int i = 0; i < x->nix; i++)
        if (!same_var(p, x->ix[i], y->ix[i])) return false;
    return same(p, x->rhs, y->rhs);
}

bool te_equal(const TeOp *a, const TeOp *b)
{
    Pair p = {a, b};
    if (a->nparams != b->nparams || a->ninputs != b->ninputs || a->ntensors != b->ntensors || a->ndefs != b->ndefs)
        return false;
    if (!same_header(&p)) return false;
    for (int i = 0; i < a->ntensors; i++)
        if (!same_tensor(&p, a->tensor[i], b->tensor[i])) return false;
    for (int i = 0; i < a->ndefs; i++)
        if (!same_def(&p, a->def[i], b->def[i])) return false;
    return true;
}
