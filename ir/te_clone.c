/* te_clone: an op with its dims bound (shares everything else), and a deep copy that outlives the arena it came from.
 *
 * Needs nothing; leaves ids, order and structure as they were, so tables by id stay valid for the copy. */
#include "ir/te.h"

#include <string.h>

TeOp *te_bind(Arena *mem, const TeOp *op, const int64_t *value)
{
    TeOp *b = arena_dup(mem, op, sizeof *op);
    b->mem = mem;
    b->dim = op->ndims ? arena_dup(mem, op->dim, sizeof *op->dim * (size_t)op->ndims) : NULL;
    for (int i = 0; i < op->ndims; i++) b->dim[i].value = value[i];
    /* tables that passes append to are copied, so that two bindings of one op do not write into each other's */
    int room = 8;
    while (room <= op->ntensors) room *= 2;
    b->tensor = NEW_ARRAY(mem, Tensor *, room);
    if (op->ntensors) memcpy(b->tensor, op->tensor, sizeof *b->tensor * (size_t)op->ntensors);
    return b;
}

typedef struct Clone {
    Arena *mem;
    const Source *src, *from; /* the copy of the text, and what it is a copy of */
    Expr **expr;
    Var **var;
    Tensor **tensor;
} Clone;

static Span span_of(Clone *c, Span s)
{
    if (s.src && s.src == c->from)
        s.src = c->src;
    else
        s = (Span){0};
    return s;
}

static const char *str(Clone *c, const char *s) { return s ? arena_strdup(c->mem, s) : NULL; }

static Expr *expr(Clone *c, const Expr *e);

static Var *var(Clone *c, const Var *v)
{
    if (!v) return NULL;
    if (c->var[v->id]) return c->var[v->id];
    Var *n = c->var[v->id] = arena_dup(c->mem, v, sizeof *v);
    n->name = str(c, v->name);
    n->lo = expr(c, v->lo);
    n->hi = expr(c, v->hi);
    n->span = span_of(c, v->span);
    return n;
}

static Var **vars(Clone *c, int n, Var *const *v)
{
    Var **to = NEW_ARRAY(c->mem, Var *, n);
    for (int i = 0; i < n; i++) to[i] = var(c, v[i]);
    return to;
}

static Tensor *tensor(Clone *c, const Tensor *t)
{
    if (!t) return NULL;
    if (c->tensor[t->id]) return c->tensor[t->id];
    Tensor *n = c->tensor[t->id] = arena_dup(c->mem, t, sizeof *t);
    n->name = str(c, t->name);
    n->shape = NEW_ARRAY(c->mem, Expr *, t->rank);
    for (int i = 0; i < t->rank; i++) n->shape[i] = expr(c, t->shape[i]);
    n->span = span_of(c, t->span);
    return n;
}

static Reduce *reduce(Clone *c, const Reduce *r)
{
    Reduce *n = arena_dup(c->mem, r, sizeof *r);
    n->var = vars(c, r->nvars, r->var);
    n->cond = expr(c, r->cond);
    n->body = expr(c, r->body);
    n->slot = var(c, r->slot);
    n->span = span_of(c, r->span);
    return n;
}

static Expr *expr(Clone *c, const Expr *e)
{
    if (!e) return NULL;
    if (c->expr[e->id]) return c->expr[e->id];
    Expr *n = c->expr[e->id] = arena_dup(c->mem, e, sizeof *e + sizeof(Expr *) * e->nargs);
    n->span = span_of(c, e->span);
    for (int i = 0; i < e->nargs; i++) n->arg[i] = expr(c, e->arg[i]);
    if (e->op == EX_VAR) n->var = var(c, e->var);
    if (e->op == EX_REDUCE) n->red = reduce(c, e->red);
    if (e->op == EX_LOAD) {
        n->load.t = tensor(c, e->load.t);
        n->load.other = expr(c, e->load.other);
    }
    return n;
}

static Def *def(Clone *c, const Def *d)
{
    Def *n = arena_dup(c->mem, d, sizeof *d);
    n->name = str(c, d->name);
    n->doc = str(c, d->doc);
    for (int i = 0; i < d->nout; i++) n->out[i] = tensor(c, d->out[i]);
    n->ix = vars(c, d->nix, d->ix);
    n->rhs = expr(c, d->rhs);
    n->seq = var(c, d->seq);
    n->span = span_of(c, d->span);
    return n;
}

static void symbols(Clone *c, TeOp *n, const TeOp *op)
{
    n->dim = NEW_ARRAY(c->mem, Dim, op->ndims);
    for (int i = 0; i < op->ndims; i++) {
        n->dim[i] = op->dim[i];
        n->dim[i].name = str(c, op->dim[i].name);
        n->dim[i].hint = NEW_ARRAY(c->mem, int64_t, op->dim[i].nhints);
        for (int k = 0; k < op->dim[i].nhints; k++) n->dim[i].hint[k] = op->dim[i].hint[k];
        n->dim[i].span = span_of(c, op->dim[i].span);
    }
    n->cst = NEW_ARRAY(c->mem, Const, op->nconsts);
    for (int i = 0; i < op->nconsts; i++) {
        n->cst[i] = op->cst[i];
        n->cst[i].name = str(c, op->cst[i].name);
        n->cst[i].value = expr(c, op->cst[i].value);
        n->cst[i].span = span_of(c, op->cst[i].span);
    }
}

static void tables(Clone *c, TeOp *n, const TeOp *op)
{
    int room = 8;
    while (room <= op->ntensors) room *= 2;
    n->tensor = NEW_ARRAY(c->mem, Tensor *, room);
    for (int i = 0; i < op->ntensors; i++) n->tensor[i] = tensor(c, op->tensor[i]);
    n->def = NEW_ARRAY(c->mem, Def *, op->ndefs);
    for (int i = 0; i < op->ndefs; i++) n->def[i] = def(c, op->def[i]);
    n->check = NEW_ARRAY(c->mem, Check, op->nchecks);
    for (int i = 0; i < op->nchecks; i++)
        n->check[i] = (Check){expr(c, op->check[i].cond), str(c, op->check[i].text), span_of(c, op->check[i].span)};
    n->site = NEW_ARRAY(c->mem, Site, op->nsites);
    for (int i = 0; i < op->nsites; i++) {
        n->site[i] = op->site[i];
        n->site[i].text = str(c, op->site[i].text);
        n->site[i].tensor = tensor(c, op->site[i].tensor);
        n->site[i].span = span_of(c, op->site[i].span);
    }
}

TeOp *te_clone(Arena *mem, const TeOp *op)
{
    TeOp *n = arena_dup(mem, op, sizeof *op);
    n->mem = mem;
    Clone c = {.mem = mem, .from = op->src};
    c.expr = NEW_ARRAY(mem, Expr *, op->nexprs);
    c.var = NEW_ARRAY(mem, Var *, op->nvars);
    c.tensor = NEW_ARRAY(mem, Tensor *, op->ntensors);
    if (op->src) {
        Source *s = arena_dup(mem, op->src, sizeof *s);
        s->name = str(&c, s->name);
        s->text = arena_strndup(mem, op->src->text, op->src->len);
        c.src = n->src = s;
    }
    n->name = str(&c, op->name);
    n->doc = str(&c, op->doc);
    n->span = span_of(&c, op->span);
    symbols(&c, n, op);
    tables(&c, n, op);
    return n;
}
