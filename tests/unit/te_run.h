/* te_run: what the tests of the interpreter share: a program from text, its tensors, random contents; and an
 * interpreter that is as plain as can be (one scalar at a time, no masks, no memory of what was computed), to compare
 * the real one with. */
#ifndef TCC_TESTS_TE_RUN_H
#define TCC_TESTS_TE_RUN_H

#include "check.h"

#include "frontend/frontend.h"
#include "ir/te_interp.h"
#include "schedule/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 16 };

typedef struct Prog {
    Arena *mem;
    TeOp *op;
    int64_t dims[MOST];
    void *data[64];
    int64_t shape[64][8], bytes[64], n[64]; /* by tensor; n: elements, padding of nibbles included */
} Prog;

static inline double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void prog_free(Prog *p)
{
    if (p->op)
        for (int i = 0; i < p->op->ntensors; i++) free(p->data[i]);
    arena_free(p->mem);
    free(p);
}

static inline uint64_t next_random(uint64_t *s)
{
    uint64_t z = *s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline double uniform(uint64_t *s) { return (double)(next_random(s) >> 11) * 0x1p-52 - 1; }

/* Elements in [-1, 1), or integers 0 .. 15 (signed: -8 .. 7). */
static inline void prog_random(Prog *p, int tensor, uint64_t seed)
{
    const Tensor *t = p->op->tensor[tensor];
    for (int64_t i = 0; i < p->n[tensor]; i++) {
        double x = uniform(&seed);
        Num v = {0};
        if (te_is_float(t->type))
            v = num_cast(t->type, DT_F64, (Num){.d = x});
        else
            v.i = num_wrap(t->type,
                           t->type == DT_U1 ? x > 0 : (int64_t)floor(x * 8) + (te_type[t->type].cls == 'U' ? 8 : 0));
        num_store(t->type, p->data[tensor], i, v);
    }
}

static inline int64_t elements_of(DType t, int64_t bytes)
{
    return te_type[t].bits == 4 ? 2 * bytes : bytes / (te_type[t].bits / 8);
}

/* The op called `name` of the text (NULL: the first), its dims set from "M=3 N=4", consts from "st=2". NULL, and a
 * failed check, when it has errors. */
static inline Prog *prog_consts(const char *text, const char *name, const char *dims, int nconsts,
                                const FeConst *consts)
{
    Prog *p = calloc(1, sizeof *p);
    p->mem = arena_new();
    Source *src = NEW(p->mem, Source);
    *src = (Source){"test.te", arena_strdup(p->mem, text), strlen(text)};
    Diags d = {.mem = p->mem};
    AstFile *f = fe_parse(p->mem, src, &d);
    const AstOp *op = NULL;
    for (int i = 0; i < f->nitems && !op; i++)
        if (f->item[i].op && (!name || !strcmp(f->item[i].op->name.text, name))) op = f->item[i].op;
    if (op) p->op = fe_check(p->mem, f, op, nconsts, consts, &d);
    if (p->op && !sched_check_bounds(p->op, &d)) p->op = NULL;
    if (!p->op || d.errors) {
        Text t = {.mem = p->mem};
        for (const Diag *e = d.first; e; e = e->next) diag_render(&t, e, false);
        printf("%s\n%s\n", text, t.s ? t.s : "");
        CHECK(!"the program has no errors");
        p->op = NULL;
        prog_free(p);
        return NULL;
    }
    for (int i = 0; i < p->op->ndims; i++) {
        const Dim *m = &p->op->dim[i];
        char key[64];
        snprintf(key, sizeof key, "%s=", m->name);
        p->dims[i] = m->has_default ? m->dflt : 1;
        for (const char *at = dims; (at = strstr(at, key)); at++)
            if (at == dims || at[-1] == ' ') p->dims[i] = atoll(at + strlen(key));
    }
    for (int i = 0; i < p->op->ntensors; i++) {
        const Tensor *t = p->op->tensor[i];
        for (int k = 0; k < t->rank; k++)
            if (!te_eval_size_at(p->op, t->shape[k], p->dims, &p->shape[i][k])) CHECK(!"a size");
        p->bytes[i] = num_bytes(t->type, t->rank, p->shape[i]);
        p->n[i] = elements_of(t->type, p->bytes[i]);
        p->data[i] = calloc(1, (size_t)p->bytes[i] + 16);
        if (t->kind != TK_OUTPUT && t->kind != TK_LET) prog_random(p, i, (uint64_t)i * 77 + 1);
    }
    return p;
}

static inline Prog *prog(const char *text, const char *name, const char *dims)
{
    return prog_consts(text, name, dims, 0, NULL);
}

static inline int tensor_of(const Prog *p, const char *name)
{
    for (int i = 0; i < p->op->ntensors; i++)
        if (!strcmp(p->op->tensor[i]->name, name)) return i;
    printf("no tensor %s\n", name);
    abort();
}

#define DATA(p, T, name) ((T *)(p)->data[tensor_of((p), name)])

static inline int run(Prog *p, Numerics num)
{
    int64_t index = 0;
    return te_interp(p->mem, p->op, p->dims, num, p->data, &index);
}

static inline bool same_element(DType t, const void *a, const void *b, int64_t i)
{
    Num x = num_load(t, a, i), y = num_load(t, b, i);
    if (te_type[t].reg == RC_F64 && isnan(x.d) && isnan(y.d)) return true;
    if (te_type[t].reg == RC_F32 && isnan(x.f) && isnan(y.f)) return true;
    return num_to_bits(t, x) == num_to_bits(t, y);
}

/* ---- the plain interpreter ----------------------------------------------------------------------------------------
 */
typedef struct Plain {
    Prog *p;
    Numerics num;
    void **data; /* by tensor */
    int64_t var[4096];
    int status; /* of the first error */
} Plain;

static Num plain(Plain *c, const Expr *e);

static inline int64_t plain_at(const Prog *p, int tensor, const int64_t *ix)
{
    const Tensor *t = p->op->tensor[tensor];
    int64_t at = 0;
    for (int i = 0; i < t->rank; i++) {
        int64_t n = p->shape[tensor][i];
        if (i == t->rank - 1 && te_type[t->type].bits == 4) n += n & 1;
        at = at * n + ix[i];
    }
    return at;
}

static inline Num plain_load(Plain *c, const Expr *e)
{
    int64_t ix[8];
    for (int i = 0; i < e->nargs; i++) ix[i] = plain(c, e->arg[i]).i;
    for (int i = 0; i < e->nargs; i++)
        if (ix[i] < 0 || ix[i] >= c->p->shape[e->load.t->id][i]) {
            if (e->load.other) return plain(c, e->load.other);
            if (!c->status) c->status = e->flag == LOAD_GATHER ? 1 + e->load.site : -2;
            return (Num){0};
        }
    return num_load((DType)e->type, c->data[e->load.t->id], plain_at(c->p, e->load.t->id, ix));
}

typedef struct PlainAcc {
    const Reduce *red;
    DType t;
    int64_t p, count, k;
    Num part[64];
    int64_t where[64];
} PlainAcc;

static inline void plain_insert(PlainAcc *a, Num x, int64_t i)
{
    int64_t k = a->k;
    while (k > 0 && (a->where[k - 1] == -1 || num_better(a->red->op, a->t, x, a->part[k - 1]))) k--;
    if (k == a->k) return;
    for (int64_t m = a->k - 1; m > k; m--) {
        a->part[m] = a->part[m - 1];
        a->where[m] = a->where[m - 1];
    }
    a->part[k] = x;
    a->where[k] = i;
}

static inline void plain_term(Plain *c, PlainAcc *a)
{
    const Reduce *r = a->red;
    Num *at = &a->part[a->count++ % a->p];
    bool div0, fma = r->fma && r->body->op == EX_MUL && te_is_float(a->t);
    if (r->cond && !plain(c, r->cond).i) return;
    if (fma) {
        Num arg[3] = {plain(c, r->body->arg[0]), plain(c, r->body->arg[1]), *at};
        *at = num_op(EX_FMA, a->t, arg, &div0);
        return;
    }
    Num arg[2] = {*at, plain(c, r->body)};
    switch (r->op) {
    case RED_SUM: *at = num_op(EX_ADD, a->t, arg, &div0); break;
    case RED_PROD: *at = num_op(EX_MUL, a->t, arg, &div0); break;
    case RED_MAX: *at = num_op(EX_MAX, a->t, arg, &div0); break;
    case RED_MIN: *at = num_op(EX_MIN, a->t, arg, &div0); break;
    case RED_ANY: at->i |= arg[1].i; break;
    case RED_ALL: at->i &= arg[1].i; break;
    default: plain_insert(a, arg[1], c->var[r->var[0]->id]); break;
    }
}

static inline void plain_loop(Plain *c, PlainAcc *a, int v)
{
    if (v == a->red->nvars) {
        plain_term(c, a);
        return;
    }
    const Var *x = a->red->var[v];
    int64_t lo = plain(c, x->lo).i, hi = plain(c, x->hi).i;
    for (int64_t i = lo; i < hi; i++) {
        c->var[x->id] = i;
        plain_loop(c, a, v + 1);
    }
}

static inline PlainAcc plain_reduce(Plain *c, const Expr *e, int64_t k)
{
    PlainAcc a = {.red = e->red, .t = (DType)e->red->body->type, .p = 1, .k = k};
    RedOp op = e->red->op;
    if (te_is_float(a.t) && (op == RED_SUM || op == RED_PROD) && c->num.ordered) a.p = c->num.p;
    for (int i = 0; i < 64; i++) {
        a.part[i] = num_identity(op, a.t);
        a.where[i] = -1;
    }
    plain_loop(c, &a, 0);
    for (int64_t n = a.p; n > 1; n = (n + 1) / 2) {
        bool div0;
        for (int64_t i = 0; i < n / 2; i++)
            a.part[i] = num_op(op == RED_SUM ? EX_ADD : EX_MUL, a.t, (Num[]){a.part[2 * i], a.part[2 * i + 1]}, &div0);
        if (n % 2) a.part[n / 2] = a.part[n - 1];
    }
    return a;
}

static Num plain(Plain *c, const Expr *e)
{
    Num arg[3] = {{0}, {0}, {0}}, x = {0};
    bool div0 = false;
    switch ((ExprOp)e->op) {
    case EX_INT: return (Num){.i = e->i};
    case EX_FLOAT: return num_cast((DType)e->type, DT_F64, (Num){.d = e->f});
    case EX_VAR: return (Num){.i = c->var[e->var->id]};
    case EX_DIM: return (Num){.i = c->p->dims[e->sym]};
    case EX_CONST: return plain(c, c->p->op->cst[e->sym].value);
    case EX_LOAD: return plain_load(c, e);
    case EX_SELECT: return plain(c, e->arg[plain(c, e->arg[0]).i ? 1 : 2]);
    case EX_AND: return plain(c, e->arg[0]).i ? plain(c, e->arg[1]) : (Num){.i = 0};
    case EX_OR: return plain(c, e->arg[0]).i ? (Num){.i = 1} : plain(c, e->arg[1]);
    case EX_REDUCE: {
        PlainAcc a = plain_reduce(c, e, 1);
        return e->red->op == RED_ARGMAX || e->red->op == RED_ARGMIN ? (Num){.i = a.where[0]} : a.part[0];
    }
    case EX_CAST:
        x = plain(c, e->arg[0]);
        return e->type == DT_INDEX ? x : num_cast((DType)e->type, (DType)e->arg[0]->type, x);
    default: break;
    }
    for (int i = 0; i < e->nargs; i++) arg[i] = plain(c, e->arg[i]);
    if (e->op == EX_PICK) return arg[0].i ? arg[1] : arg[2];
    x = num_op((ExprOp)e->op, (DType)e->arg[0]->type, arg, &div0);
    if (div0 && !c->status) c->status = e->site >= 0 ? 1 + e->site : -2;
    return x;
}

static inline void plain_point(Plain *c, const Def *d, const int64_t *ix, void *const *to)
{
    int64_t at[8];
    memcpy(at, ix, sizeof at);
    for (int i = 0; i < d->nix; i++) c->var[d->ix[i]->id] = ix[i];
    if (d->slot_at < 0) {
        num_store(d->out[0]->type, to[0], plain_at(c->p, d->out[0]->id, at), plain(c, d->rhs));
        return;
    }
    int64_t k = 0;
    te_eval_size_at(c->p->op, d->ix[d->slot_at]->hi, c->p->dims, &k);
    PlainAcc a = plain_reduce(c, d->rhs, k);
    for (at[d->slot_at] = 0; at[d->slot_at] < k; at[d->slot_at]++) {
        int64_t s = at[d->slot_at];
        num_store(d->out[0]->type, to[0], plain_at(c->p, d->out[0]->id, at), a.part[s]);
        num_store(d->out[1]->type, to[1], plain_at(c->p, d->out[1]->id, at), (Num){.i = a.where[s]});
    }
}

/* Along seq one t after another; an inout's new values become visible after each t, or at the end. */
static inline void plain_def(Plain *c, const Def *d)
{
    int64_t extent[8], total = 1, seq = 1;
    int k = -1;
    for (int i = 0; i < d->nix; i++) {
        te_eval_size_at(c->p->op, d->ix[i]->hi, c->p->dims, &extent[i]);
        if (i == d->slot_at) extent[i] = extent[i] > 0;
        if (d->ix[i] == d->seq) k = i, seq = extent[i];
        total *= extent[i];
    }
    void *to[2] = {NULL, NULL};
    for (int o = 0; o < d->nout; o++) {
        size_t bytes = (size_t)c->p->bytes[d->out[o]->id];
        to[o] = calloc(1, bytes + 16);
        memcpy(to[o], c->data[d->out[o]->id], bytes);
    }
    for (int64_t t = 0; t < seq; t++) {
        for (int64_t i = 0; i < total; i++) {
            int64_t ix[8] = {0}, left = i;
            for (int v = d->nix - 1; v >= 0; v--) {
                ix[v] = left % extent[v];
                left /= extent[v];
            }
            if (k < 0 || ix[k] == t) plain_point(c, d, ix, to);
        }
        for (int o = 0; o < d->nout; o++) memcpy(c->data[d->out[o]->id], to[o], (size_t)c->p->bytes[d->out[o]->id]);
    }
    for (int o = 0; o < d->nout; o++) free(to[o]);
}

/* Runs p plainly on copies of its tensors; gives them (by tensor), and the status. */
static inline int plain_run(Prog *p, Numerics num, void **data)
{
    Plain *c = calloc(1, sizeof *c);
    c->p = p;
    c->num = num;
    c->data = data;
    for (int i = 0; i < p->op->ntensors; i++) {
        data[i] = calloc(1, (size_t)p->bytes[i] + 16);
        memcpy(data[i], p->data[i], (size_t)p->bytes[i]);
    }
    for (int i = 0; i < p->op->ndefs; i++) plain_def(c, p->op->def[i]);
    int status = c->status;
    free(c);
    return status;
}

#endif
