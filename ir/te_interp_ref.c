/* te_interp: the reference interpreter, native mode: one element at a time, each construct in one place. */
#include "ir/te_interp.h"

#include <stdlib.h>
#include <string.h>

typedef struct Eval {
    const TeOp *op;
    Numerics num;
    void *const *data; /* by tensor id */
    int64_t **shape;   /* by tensor id */
    int64_t *dims;
    int64_t *var; /* by var id */
    const Def *def;
    void *old; /* an inout's values before this statement */
    int fault;
    int64_t index;
} Eval;

static Num eval(Eval *v, const Expr *e);

static int64_t flat(const Tensor *t, const int64_t *shape, const int64_t *ix)
{
    int64_t at = 0;
    for (int i = 0; i < t->rank; i++) {
        int64_t n = shape[i];
        if (i == t->rank - 1 && te_type[t->type].bits < 8) n = (n + 1) / 2 * 2;
        at = at * n + ix[i];
    }
    return at;
}

static bool earlier(const TeOp *op, const Def *d, const Expr *load)
{
    if (!d->seq) return false;
    for (int i = 0; i < d->nix; i++)
        if (d->ix[i] == d->seq) return te_uses_var(load->arg[i], d->seq) && load->arg[i]->op != EX_VAR;
    (void)op;
    return false;
}

static Num eval_load(Eval *v, const Expr *e)
{
    const Tensor *t = e->load.t;
    int64_t ix[16];
    const int64_t *shape = v->shape[t->id];
    for (int i = 0; i < t->rank; i++) ix[i] = eval(v, e->arg[i]).i;
    if (v->fault) return (Num){0};
    for (int i = 0; i < t->rank; i++) {
        if (ix[i] >= 0 && ix[i] < shape[i]) continue;
        if (e->load.other) return eval(v, e->load.other);
        v->fault = e->flag == LOAD_GATHER ? e->load.site + 1 : -2;
        v->index = ix[i];
        return (Num){0};
    }
    const void *from = v->data[t->id];
    if (v->old && t == v->def->out[0] && !earlier(v->op, v->def, e)) from = v->old;
    return num_load(t->type, from, flat(t, shape, ix));
}

typedef struct Parts {
    Num *p;
    int64_t n, i;
    Num best;
    int64_t at;
    Num *vals;
    int64_t *where, slots;
} Parts;

static Num binary(ExprOp o, DType t, Num a, Num b)
{
    bool z = false;
    Num x[2] = {a, b};
    return num_op(o, t, x, &z);
}

static void term(Eval *v, const Reduce *r, Parts *s)
{
    int64_t i = s->i++;
    if (r->cond && !eval(v, r->cond).i) return;
    DType t = (DType)r->body->type;
    if (r->op == RED_SUM && r->fma && te_is_float(t)) {
        const Expr *m = r->body;
        if (m->op == EX_MUL) {
            bool z = false;
            Num a[3] = {eval(v, m->arg[0]), eval(v, m->arg[1]), s->p[i % s->n]};
            s->p[i % s->n] = num_op(EX_FMA, t, a, &z);
            return;
        }
    }
    Num x = eval(v, r->body);
    Num *p = &s->p[i % s->n];
    int64_t at = r->nvars ? v->var[r->var[0]->id] : 0;
    switch (r->op) {
    case RED_SUM: *p = binary(EX_ADD, t, *p, x); break;
    case RED_PROD: *p = binary(EX_MUL, t, *p, x); break;
    case RED_MAX: *p = binary(EX_MAX, t, *p, x); break;
    case RED_MIN: *p = binary(EX_MIN, t, *p, x); break;
    case RED_ANY: p->i |= x.i; break;
    case RED_ALL: p->i &= x.i; break;
    case RED_ARGMAX:
    case RED_ARGMIN:
        if (s->at == -1 || num_better(r->op, t, x, s->best)) s->best = x, s->at = at;
        break;
    default: {
        int64_t k = s->slots;
        while (k > 0 && (s->where[k - 1] < 0 || num_better(RED_TOPK, t, x, s->vals[k - 1]))) {
            if (k < s->slots) s->vals[k] = s->vals[k - 1], s->where[k] = s->where[k - 1];
            k--;
        }
        if (k < s->slots) s->vals[k] = x, s->where[k] = at;
    }
    }
}

static void walk(Eval *v, const Reduce *r, int at, Parts *s)
{
    if (v->fault) return;
    if (at == r->nvars) {
        term(v, r, s);
        return;
    }
    int64_t lo = eval(v, r->var[at]->lo).i, hi = eval(v, r->var[at]->hi).i;
    for (int64_t i = lo; i < hi && !v->fault; i++) {
        v->var[r->var[at]->id] = i;
        walk(v, r, at + 1, s);
    }
}

static Num eval_reduce(Eval *v, const Expr *e)
{
    const Reduce *r = e->red;
    DType t = (DType)r->body->type;
    bool parts = te_is_float(t) && (r->op == RED_SUM || r->op == RED_PROD);
    int64_t n = parts && v->num.ordered ? v->num.p : 1;
    Num one[16], *p = n <= 16 ? one : malloc(sizeof *p * (size_t)n);
    for (int64_t i = 0; i < n; i++) p[i] = num_identity(r->op, t);
    Parts s = {.p = p, .n = n, .at = -1};
    walk(v, r, 0, &s);
    for (int64_t m = n; m > 1; m = (m + 1) / 2) {
        for (int64_t i = 0; i < m / 2; i++)
            p[i] = binary(r->op == RED_SUM ? EX_ADD : EX_MUL, t, p[2 * i], p[2 * i + 1]);
        if (m % 2) p[m / 2] = p[m - 1];
    }
    Num x = p[0];
    if (p != one) free(p);
    if (r->op == RED_ARGMAX || r->op == RED_ARGMIN) x.i = s.at;
    return x;
}

static Num eval(Eval *v, const Expr *e)
{
    Num a[3];
    bool div0 = false;
    if (v->fault) return (Num){0};
    switch (e->op) {
    case EX_INT: return (Num){.i = e->i};
    case EX_FLOAT:
        if (te_type[e->type].reg == RC_F64) return (Num){.d = e->f};
        return (Num){.f = (float)e->f};
    case EX_VAR: return (Num){.i = v->var[e->var->id]};
    case EX_DIM: return (Num){.i = v->dims[e->sym]};
    case EX_CONST: return eval(v, v->op->cst[e->sym].value);
    case EX_LOAD: return eval_load(v, e);
    case EX_REDUCE: return eval_reduce(v, e);
    case EX_SELECT: return eval(v, eval(v, e->arg[0]).i ? e->arg[1] : e->arg[2]);
    case EX_AND: return eval(v, e->arg[0]).i ? eval(v, e->arg[1]) : (Num){0};
    case EX_OR: return eval(v, e->arg[0]).i ? (Num){.i = 1} : eval(v, e->arg[1]);
    case EX_CAST: return num_cast((DType)e->type, (DType)e->arg[0]->type, eval(v, e->arg[0]));
    default: break;
    }
    for (int i = 0; i < e->nargs; i++) a[i] = eval(v, e->arg[i]);
    DType t = (DType)(e->op == EX_PICK ? e->type : e->arg[0]->type);
    Num r = num_op((ExprOp)e->op, t, a, &div0);
    if (div0 && !v->fault) v->fault = e->site + 1;
    return r;
}

static void point(Eval *v, const Def *d)
{
    int64_t ix[16];
    for (int i = 0; i < d->nix; i++) ix[i] = v->var[d->ix[i]->id];
    if (d->slot_at < 0) {
        Num x = eval(v, d->rhs);
        if (!v->fault)
            num_store(d->out[0]->type, v->data[d->out[0]->id], flat(d->out[0], v->shape[d->out[0]->id], ix), x);
        return;
    }
    const Reduce *r = d->rhs->red;
    DType t = (DType)r->body->type;
    int64_t slots = eval(v, r->slot->hi).i;
    Parts s = {
        .slots = slots, .vals = calloc((size_t)slots + 1, sizeof(Num)), .where = calloc((size_t)slots + 1, 8), .n = 1};
    for (int64_t i = 0; i < slots; i++) s.vals[i] = num_least(t), s.where[i] = -1;
    walk(v, r, 0, &s);
    for (int64_t i = 0; i < slots && !v->fault; i++) {
        ix[d->slot_at] = i;
        num_store(t, v->data[d->out[0]->id], flat(d->out[0], v->shape[d->out[0]->id], ix), s.vals[i]);
        num_store(DT_I32, v->data[d->out[1]->id], flat(d->out[1], v->shape[d->out[1]->id], ix), (Num){.i = s.where[i]});
    }
    free(s.vals);
    free(s.where);
}

static void points(Eval *v, const Def *d, Var **order, int n, int at)
{
    if (at == n) {
        point(v, d);
        return;
    }
    int64_t lo = eval(v, order[at]->lo).i, hi = eval(v, order[at]->hi).i;
    for (int64_t i = lo; i < hi && !v->fault; i++) {
        v->var[order[at]->id] = i;
        points(v, d, order, n, at + 1);
    }
}

static void statement(Eval *v, const Def *d)
{
    Var *order[16];
    int n = 0;
    if (d->seq) order[n++] = d->seq;
    for (int i = 0; i < d->nix; i++)
        if (d->ix[i] != d->seq && i != d->slot_at) order[n++] = d->ix[i];
    v->def = d;
    v->old = NULL;
    const Tensor *t = d->out[0];
    if (t->kind == TK_INOUT) {
        int64_t bytes = num_bytes(t->type, t->rank, v->shape[t->id]);
        v->old = malloc((size_t)bytes + 1);
        memcpy(v->old, v->data[t->id], (size_t)bytes);
    }
    points(v, d, order, n, 0);
    free(v->old);
    v->old = NULL;
}

int te_interp(Arena *mem, const TeOp *op, const int64_t *dims, Numerics num, void *const *data, int64_t *index)
{
    Eval v = {.op = op, .num = num, .dims = (int64_t *)dims};
    void **all = NEW_ARRAY(mem, void *, op->ntensors + 1);
    v.shape = NEW_ARRAY(mem, int64_t *, op->ntensors + 1);
    v.var = NEW_ARRAY(mem, int64_t, op->nvars + 1);
    for (int i = 0; i < op->ntensors; i++) {
        const Tensor *t = op->tensor[i];
        v.shape[t->id] = NEW_ARRAY(mem, int64_t, t->rank + 1);
        for (int k = 0; k < t->rank; k++) te_eval_size_at(op, t->shape[k], dims, &v.shape[t->id][k]);
        int64_t bytes = num_bytes(t->type, t->rank, v.shape[t->id]);
        if (bytes < 0) return -1;
        all[i] = i < op->nparams ? data[i] : arena_alloc(mem, (size_t)bytes + 8);
    }
    v.data = all;
    for (int i = 0; i < op->ndefs && !v.fault; i++) statement(&v, op->def[i]);
    *index = v.index;
    return v.fault;
}
