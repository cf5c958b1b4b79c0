/* tile_equal.c: are two Tile programs the same? Names, types, structure and tables count; places in source text, ids,
 * where a loop came from, whether a const was given or defaulted, and how nodes are shared do not. Variables and
 * buffers correspond by where they are introduced. */
#include "ir/tile_priv.h"

#include <math.h>
#include <string.h>

typedef struct Pair {
    const TeOp *a, *b;
    const Var **var;       /* by a's Var.id: b's */
    const Tensor **tensor; /* by a's Tensor.id */
    const Expr **expr;     /* by a's Expr.id: the last node of b found equal, so that DAGs cost what they hold */
} Pair;

static bool expr(Pair *p, const Expr *a, const Expr *b);

static bool exprs(Pair *p, int n, Expr *const *a, Expr *const *b)
{
    for (int i = 0; i < n; i++)
        if (!expr(p, a[i], b[i])) return false;
    return true;
}

static bool same_float(double a, double b) { return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b)); }

static bool load(Pair *p, const Expr *a, const Expr *b)
{
    return p->tensor[a->load.t->id] == b->load.t && a->flag == b->flag &&
           (a->flag != LOAD_GATHER || a->load.site == b->load.site) && expr(p, a->load.other, b->load.other);
}

static bool leaf(Pair *p, const Expr *a, const Expr *b)
{
    switch ((ExprOp)a->op) {
    case EX_INT: return a->i == b->i;
    case EX_FLOAT: return same_float(a->f, b->f);
    case EX_VAR: return p->var[a->var->id] == b->var;
    case EX_DIM:
    case EX_CONST: return a->sym == b->sym;
    case EX_LOAD: return load(p, a, b);
    case EX_REDUCE: return a->red == b->red;
    default: return !tile_has_site(a) || a->site == b->site;
    }
}

static bool expr(Pair *p, const Expr *a, const Expr *b)
{
    if (!a || !b) return a == b;
    if (p->expr[a->id] == b) return true;
    if (a->op != b->op || a->type != b->type || a->nargs != b->nargs || !leaf(p, a, b)) return false;
    if (!exprs(p, a->nargs, a->arg, b->arg)) return false;
    p->expr[a->id] = b;
    return true;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */
static bool dims(const TeOp *a, const TeOp *b)
{
    if (a->ndims != b->ndims) return false;
    for (int i = 0; i < a->ndims; i++) {
        const Dim *x = &a->dim[i], *y = &b->dim[i];
        if (!ir_streq(x->name, y->name) || x->has_default != y->has_default || (x->has_default && x->dflt != y->dflt) ||
            x->has_range != y->has_range || x->lo != y->lo || x->hi != y->hi || x->value != y->value ||
            x->nhints != y->nhints)
            return false;
        for (int h = 0; h < x->nhints; h++)
            if (x->hint[h] != y->hint[h]) return false;
    }
    return true;
}

static bool consts(Pair *p)
{
    if (p->a->nconsts != p->b->nconsts) return false;
    for (int i = 0; i < p->a->nconsts; i++) {
        const Const *x = &p->a->cst[i], *y = &p->b->cst[i];
        if (!ir_streq(x->name, y->name) || x->type != y->type || !expr(p, x->value, y->value)) return false;
    }
    return true;
}

static bool tensor(Pair *p, const Tensor *a, const Tensor *b)
{
    p->tensor[a->id] = b;
    return ir_streq(a->name, b->name) && a->type == b->type && a->kind == b->kind && a->rank == b->rank &&
           (a->kind != TK_BUFFER || a->scope == b->scope) && exprs(p, a->rank, a->shape, b->shape);
}

static bool params(Pair *p)
{
    if (p->a->nparams != p->b->nparams || p->a->ninputs != p->b->ninputs) return false;
    for (int i = 0; i < p->a->nparams; i++)
        if (!tensor(p, p->a->tensor[i], p->b->tensor[i])) return false;
    return true;
}

static bool checks(Pair *p)
{
    if (p->a->nchecks != p->b->nchecks || p->a->nwhere != p->b->nwhere) return false;
    for (int i = 0; i < p->a->nchecks; i++)
        if (!ir_streq(p->a->check[i].text, p->b->check[i].text) || !expr(p, p->a->check[i].cond, p->b->check[i].cond))
            return false;
    return true;
}

static const Tensor *parameter(const TeOp *op, const Tensor *t)
{
    return t && t->id < op->nparams && op->tensor[t->id] == t ? t : NULL;
}

static bool sites(Pair *p)
{
    if (p->a->nsites != p->b->nsites) return false;
    for (int i = 0; i < p->a->nsites; i++) {
        const Tensor *t = parameter(p->a, p->a->site[i].tensor), *u = parameter(p->b, p->b->site[i].tensor);
        if (p->a->site[i].kind != p->b->site[i].kind || !ir_streq(p->a->site[i].text, p->b->site[i].text) || !t != !u ||
            (t && p->tensor[t->id] != u))
            return false;
    }
    return true;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */
static bool block(Pair *p, Block a, Block b);

static bool introduce(Pair *p, const Var *a, const Var *b)
{
    p->var[a->id] = b;
    return ir_streq(a->name, b->name);
}

static bool place(Pair *p, const Tensor *a, const Tensor *b, int n, Expr *const *ia, Expr *const *ib)
{
    return p->tensor[a->id] == b && exprs(p, n, ia, ib);
}

static bool update(Pair *p, const Stmt *a, const Stmt *b)
{
    const Tensor *w = a->update.where;
    return place(p, a->update.buf, b->update.buf, a->update.buf->rank, a->update.ix, b->update.ix) &&
           a->update.op == b->update.op && a->update.fma == b->update.fma && !w == !b->update.where &&
           (!w || p->tensor[w->id] == b->update.where) && expr(p, a->update.value, b->update.value) &&
           expr(p, a->update.index, b->update.index);
}

static bool insert(Pair *p, const Stmt *a, const Stmt *b)
{
    return place(p, a->insert.vals, b->insert.vals, a->insert.vals->rank - 1, a->insert.ix, b->insert.ix) &&
           p->tensor[a->insert.where->id] == b->insert.where && expr(p, a->insert.slots, b->insert.slots) &&
           expr(p, a->insert.value, b->insert.value) && expr(p, a->insert.index, b->insert.index);
}

static bool statement(Pair *p, const Stmt *a, const Stmt *b)
{
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case ST_FOR:
        return expr(p, a->loop.var->lo, b->loop.var->lo) && expr(p, a->loop.var->hi, b->loop.var->hi) &&
               a->loop.step == b->loop.step && a->loop.kind == b->loop.kind && a->loop.width == b->loop.width &&
               introduce(p, a->loop.var, b->loop.var) && block(p, a->loop.body, b->loop.body);
    case ST_IF:
        return expr(p, a->branch.cond, b->branch.cond) && block(p, a->branch.then, b->branch.then) &&
               block(p, a->branch.els, b->branch.els);
    case ST_ALLOC: return tensor(p, a->alloc.buf, b->alloc.buf);
    case ST_STORE:
        return place(p, a->store.buf, b->store.buf, a->store.buf->rank, a->store.ix, b->store.ix) &&
               a->store.stream == b->store.stream && expr(p, a->store.value, b->store.value);
    case ST_UPDATE: return update(p, a, b);
    case ST_INSERT: return insert(p, a, b);
    case ST_PREFETCH:
        return place(p, a->prefetch.buf, b->prefetch.buf, a->prefetch.buf->rank, a->prefetch.ix, b->prefetch.ix) &&
               a->prefetch.write == b->prefetch.write;
    case ST_LET: return expr(p, a->let.value, b->let.value) && introduce(p, a->let.var, b->let.var);
    case ST_COUNT: break;
    }
    return false;
}

static bool block(Pair *p, Block a, Block b)
{
    if (a.n != b.n) return false;
    for (int i = 0; i < a.n; i++)
        if (!statement(p, a.at[i], b.at[i])) return false;
    return true;
}

bool tile_equal(const TileProg *a, const TileProg *b)
{
    if (!ir_streq(a->op->name, b->op->name) || !ir_streq(a->target, b->target) || a->num.ordered != b->num.ordered ||
        (a->num.ordered && a->num.p != b->num.p) || !dims(a->op, b->op))
        return false;
    Arena *mem = arena_new();
    if (!mem) return false;
    Pair p = {a->op, b->op, NULL, NULL, NULL};
    volatile bool same = false;
    jmp_buf none;
    if (!setjmp(none)) {
        arena_catch(mem, &none);
        p.var = NEW_ARRAY(mem, const Var *, a->op->nvars + 1);
        p.tensor = NEW_ARRAY(mem, const Tensor *, a->op->ntensors + 1);
        p.expr = NEW_ARRAY(mem, const Expr *, a->op->nexprs + 1);
        same = consts(&p) && params(&p) && checks(&p) && sites(&p) && block(&p, a->body, b->body);
    }
    arena_free(mem);
    return same;
}
