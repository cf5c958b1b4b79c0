/* tile_interp.c: runs a Tile program one statement after another, in its own types through num.h, as exactly as it
 * reads; loops of every kind run in order. It is what lowered programs are tested against, so it trusts nothing: every
 * access is checked, and one that leaves its buffer though it was proved stops the run with TILE_OUT_OF_BOUNDS.
 *
 * Needs a program that tile_verify accepts, and sizes for which its checks hold. Sizes and memory of all buffers are
 * found before the first statement, variables and buffers are reached by id, and a node that a statement uses several
 * times is computed once. A buffer starts each life filled with ones (NaN), so that a read before a write shows. */
#include "ir/tile_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Place { /* a tensor while the program runs */
    char *data;
    int64_t *shape, *stride; /* strides in elements; rows of i4 and u4 start on a byte */
    int64_t bytes;
    bool own;
} Place;

typedef struct Run {
    const TileProg *p;
    const TeOp *op;
    const int64_t *dims;
    Place *place;    /* by Tensor.id */
    int64_t *var;    /* by Var.id */
    bool *shared;    /* by Expr.id: used more than once in a statement; */
    uint64_t *known; /* then the run of a statement in which value holds it */
    Num *value;
    uint64_t now;              /* counts runs of statements */
    int64_t statements, bytes; /* what may still be used */
    jmp_buf out;
    int status;
    int64_t index;
} Run;

static _Noreturn void stop(Run *r, int status, int64_t index)
{
    r->status = status;
    r->index = index;
    longjmp(r->out, 1);
}

static RegClass reg(DType t) { return te_type[t].reg; }

/* ---- expressions ------------------------------------------------------------------------------------------------ */
static Num eval(Run *r, const Expr *e);

/* The element that the indices name, or -1: *bad is the first index that is out of range. */
static int64_t element(Run *r, const Tensor *t, int n, Expr *const *ix, int64_t *bad)
{
    const Place *p = &r->place[t->id];
    int64_t at = 0;
    bool in = true;
    for (int i = 0; i < n; i++) {
        int64_t v = eval(r, ix[i]).i;
        if (v >= 0 && v < p->shape[i]) {
            at += v * p->stride[i];
        } else if (in) {
            in = false;
            *bad = v;
        }
    }
    return in ? at : -1;
}

static Num read(Run *r, const Tensor *t, int64_t at)
{
    const char *data = r->place[t->id].data;
    if (t->type == DT_F32) return (Num){.f = ((const float *)data)[at]};
    return num_load(t->type, data, at);
}

static void write(Run *r, const Tensor *t, int64_t at, Num x)
{
    char *data = r->place[t->id].data;
    if (t->type == DT_F32)
        ((float *)data)[at] = x.f;
    else
        num_store(t->type, data, at, x);
}

static Num load(Run *r, const Expr *e)
{
    int64_t bad = 0, at = element(r, e->load.t, e->nargs, e->arg, &bad);
    if (at >= 0) return read(r, e->load.t, at);
    if (e->flag == LOAD_GUARDED) return eval(r, e->load.other);
    if (e->flag == LOAD_GATHER) stop(r, 1 + e->load.site, bad);
    stop(r, TILE_OUT_OF_BOUNDS, bad);
}

static Num from_index(DType t, int64_t x)
{
    return reg(t) == RC_F64 ? (Num){.d = (double)x} : reg(t) == RC_F32 ? (Num){.f = (float)x} : (Num){.i = x};
}

static Num literal(const Expr *e)
{
    if (e->op == EX_INT) return from_index((DType)e->type, e->i);
    return reg((DType)e->type) == RC_F64 ? (Num){.d = e->f} : (Num){.f = (float)e->f};
}

/* The commonest operations, without a call. */
static bool quick(ExprOp op, DType t, const Num *a, Num *out)
{
    uint64_t x = (uint64_t)a[0].i, y = (uint64_t)a[1].i;
    if (t == DT_INDEX) {
        switch (op) {
        case EX_ADD: out->i = (int64_t)(x + y); return true;
        case EX_SUB: out->i = (int64_t)(x - y); return true;
        case EX_MUL: out->i = (int64_t)(x * y); return true;
        case EX_LT: out->i = a[0].i < a[1].i; return true;
        case EX_LE: out->i = a[0].i <= a[1].i; return true;
        case EX_MIN: out->i = a[0].i < a[1].i ? a[0].i : a[1].i; return true;
        default: return false;
        }
    }
    if (t == DT_F32) {
        switch (op) {
        case EX_ADD: out->f = a[0].f + a[1].f; return true;
        case EX_SUB: out->f = a[0].f - a[1].f; return true;
        case EX_MUL: out->f = a[0].f * a[1].f; return true;
        default: return false;
        }
    }
    return false;
}

static Num operate(Run *r, const Expr *e)
{
    Num arg[3] = {{0}, {0}, {0}}, out = {0};
    DType t = (DType)e->arg[0]->type;
    bool div0 = false;
    for (int i = 0; i < e->nargs; i++) arg[i] = eval(r, e->arg[i]);
    if (e->op == EX_PICK) return arg[0].i ? arg[1] : arg[2];
    if (quick((ExprOp)e->op, t, arg, &out)) return out;
    out = num_op((ExprOp)e->op, t, arg, &div0);
    if (div0 && tile_has_site(e)) stop(r, e->site >= 0 ? 1 + e->site : TILE_OUT_OF_BOUNDS, 0);
    return out;
}

static Num compute(Run *r, const Expr *e)
{
    switch ((ExprOp)e->op) {
    case EX_INT:
    case EX_FLOAT: return literal(e);
    case EX_VAR: return (Num){.i = r->var[e->var->id]};
    case EX_DIM: return (Num){.i = r->dims[e->sym]};
    case EX_CONST: return literal(r->op->cst[e->sym].value);
    case EX_LOAD: return load(r, e);
    case EX_SELECT: return eval(r, eval(r, e->arg[0]).i ? e->arg[1] : e->arg[2]);
    case EX_AND: return eval(r, e->arg[0]).i ? eval(r, e->arg[1]) : (Num){.i = 0};
    case EX_OR: return eval(r, e->arg[0]).i ? (Num){.i = 1} : eval(r, e->arg[1]);
    case EX_CAST: return num_cast((DType)e->type, (DType)e->arg[0]->type, eval(r, e->arg[0]));
    default: return operate(r, e);
    }
}

static Num eval(Run *r, const Expr *e)
{
    if (e->op == EX_VAR) return (Num){.i = r->var[e->var->id]};
    if (!r->shared[e->id]) return compute(r, e);
    if (r->known[e->id] != r->now) {
        r->value[e->id] = compute(r, e);
        r->known[e->id] = r->now;
    }
    return r->value[e->id];
}

/* ---- statements -------------------------------------------------------------------------------------------------- */
static void run(Run *r, Block b);

static void spend(Run *r)
{
    if (--r->statements < 0) stop(r, TILE_TOO_LONG, 0);
}

static void run_for(Run *r, const Stmt *s)
{
    const Var *v = s->loop.var;
    int64_t hi = eval(r, v->hi).i, step = s->loop.step;
    for (int64_t i = eval(r, v->lo).i; i < hi; i += step) {
        r->var[v->id] = i;
        spend(r);
        run(r, s->loop.body);
        if (hi <= INT64_MIN + step || i >= hi - step) break; /* so that i + step does not overflow */
    }
}

static int64_t target(Run *r, const Tensor *t, Expr *const *ix)
{
    int64_t bad = 0, at = element(r, t, t->rank, ix, &bad);
    if (at < 0) stop(r, TILE_OUT_OF_BOUNDS, bad);
    return at;
}

static int64_t index_of(Run *r, const Expr *e) { return num_wrap(DT_I32, eval(r, e).i); }

/* Does candidate (x, i) come before (y, j)? A place whose index is -1 is empty. */
static bool before(RedOp op, DType t, Num x, int64_t i, Num y, int64_t j)
{
    if (j == -1 || num_better(op, t, x, y)) return true;
    return !num_better(op, t, y, x) && i < j;
}

/* One step of a reduction: the accumulator's new value. */
static Num step(RedOp op, DType t, Num acc, Num x)
{
    static const ExprOp of[RED_COUNT] = {[RED_SUM] = EX_ADD, [RED_PROD] = EX_MUL, [RED_MAX] = EX_MAX,
                                         [RED_MIN] = EX_MIN, [RED_ANY] = EX_OR,   [RED_ALL] = EX_AND};
    Num arg[3] = {acc, x, {0}}, out = {0};
    bool div0 = false;
    if (op == RED_ANY) return (Num){.i = acc.i || x.i};
    if (op == RED_ALL) return (Num){.i = acc.i && x.i};
    return quick(of[op], t, arg, &out) ? out : num_op(of[op], t, arg, &div0);
}

static void run_update(Run *r, const Stmt *s)
{
    const Tensor *t = s->update.buf, *where = s->update.where;
    int64_t at = target(r, t, s->update.ix);
    if (s->update.fma) {
        const Expr *mul = s->update.value;
        Num arg[3] = {eval(r, mul->arg[0]), eval(r, mul->arg[1]), read(r, t, at)};
        bool div0 = false;
        write(r, t, at,
              t->type == DT_F32 ? (Num){.f = fmaf(arg[0].f, arg[1].f, arg[2].f)} : num_op(EX_FMA, t->type, arg, &div0));
        return;
    }
    Num x = eval(r, s->update.value);
    if (!where) {
        write(r, t, at, step(s->update.op, t->type, read(r, t, at), x));
        return;
    }
    int64_t i = index_of(r, s->update.index), at_where = target(r, where, s->update.ix);
    if (!before(s->update.op, t->type, x, i, read(r, t, at), read(r, where, at_where).i)) return;
    write(r, t, at, x);
    write(r, where, at_where, (Num){.i = i});
}

/* The first of the places [ix, 0..slots) of t; every one of them is in bounds. */
static int64_t first_slot(Run *r, const Tensor *t, Expr *const *ix, int64_t slots)
{
    int64_t bad = 0, at = element(r, t, t->rank - 1, ix, &bad);
    if (at >= 0 && slots > r->place[t->id].shape[t->rank - 1]) bad = slots - 1, at = -1;
    if (at < 0) stop(r, TILE_OUT_OF_BOUNDS, bad);
    return at;
}

static void run_insert(Run *r, const Stmt *s)
{
    const Tensor *vals = s->insert.vals, *where = s->insert.where;
    int64_t slots = eval(r, s->insert.slots).i, i = index_of(r, s->insert.index);
    Num x = eval(r, s->insert.value);
    int64_t v = first_slot(r, vals, s->insert.ix, slots), w = first_slot(r, where, s->insert.ix, slots);
    for (int64_t k = 0; k < slots; k++) { /* (x, i) is what is to be placed at k or behind */
        Num y = read(r, vals, v + k);
        int64_t j = read(r, where, w + k).i;
        if (!before(RED_TOPK, vals->type, x, i, y, j)) continue;
        write(r, vals, v + k, x);
        write(r, where, w + k, (Num){.i = i});
        if (j == -1) return;
        x = y;
        i = j;
    }
}

static void run_statement(Run *r, const Stmt *s)
{
    r->now++;
    spend(r);
    switch (s->kind) {
    case ST_FOR: run_for(r, s); break;
    case ST_IF: run(r, eval(r, s->branch.cond).i ? s->branch.then : s->branch.els); break;
    case ST_ALLOC: memset(r->place[s->alloc.buf->id].data, 0xff, (size_t)r->place[s->alloc.buf->id].bytes); break;
    case ST_STORE: {
        int64_t at = target(r, s->store.buf, s->store.ix);
        write(r, s->store.buf, at, eval(r, s->store.value));
        break;
    }
    case ST_UPDATE: run_update(r, s); break;
    case ST_INSERT: run_insert(r, s); break;
    case ST_LET: r->var[s->let.var->id] = eval(r, s->let.value).i; break;
    case ST_PREFETCH: break; /* computes nothing */
    case ST_COUNT: break;
    }
}

static void run(Run *r, Block b)
{
    for (int i = 0; i < b.n; i++) run_statement(r, b.at[i]);
}

/* ---- before the run ---------------------------------------------------------------------------------------------- */
/* Finds nodes that one statement uses more than once. seen[id]: the statement that used it last. */
static void find_shared(Run *r, const Expr *e, int *seen, int statement)
{
    if (!e || te_nchildren(e) == 0) return;
    if (seen[e->id] == statement) {
        r->shared[e->id] = true;
        return;
    }
    seen[e->id] = statement;
    for (int i = 0; i < te_nchildren(e); i++) find_shared(r, te_child(e, i), seen, statement);
}

static void find_shared_all(Run *r, int n, Expr *const *e, int *seen, int statement)
{
    for (int i = 0; i < n; i++) find_shared(r, e[i], seen, statement);
}

/* Sizes, strides and bytes of t. */
static void lay_out(Run *r, Arena *mem, const Tensor *t)
{
    Place *p = &r->place[t->id];
    int64_t stride = 1;
    p->shape = NEW_ARRAY(mem, int64_t, t->rank + 1);
    p->stride = NEW_ARRAY(mem, int64_t, t->rank + 1);
    for (int i = 0; i < t->rank; i++) {
        if (!te_eval_size_at(r->op, t->shape[i], r->dims, &p->shape[i])) stop(r, TILE_OUT_OF_BOUNDS, i);
        if (p->shape[i] < 0) p->shape[i] = 0;
    }
    p->bytes = num_bytes(t->type, t->rank, p->shape);
    if (p->bytes < 0) stop(r, TILE_NO_MEMORY, 0);
    for (int i = t->rank - 1; i >= 0; i--) {
        p->stride[i] = stride;
        int64_t n = p->shape[i];
        if (i == t->rank - 1 && te_type[t->type].bits == 4) n += n & 1;
        if (__builtin_mul_overflow(stride, n, &stride)) stride = 0; /* there are no elements */
    }
}

static void *obtain(Run *r, int64_t bytes)
{
    if (bytes > r->bytes) stop(r, TILE_NO_MEMORY, 0);
    r->bytes -= bytes;
    void *at = malloc((size_t)bytes + 1);
    if (!at) stop(r, TILE_NO_MEMORY, 0);
    return at;
}

static void prepare(Run *r, Arena *mem, Block b, int *seen, int *statement)
{
    for (int i = 0; i < b.n; i++) {
        const Stmt *s = b.at[i];
        int n = ++*statement;
        switch (s->kind) {
        case ST_FOR:
            find_shared_all(r, 2, (Expr *[]){s->loop.var->lo, s->loop.var->hi}, seen, n);
            prepare(r, mem, s->loop.body, seen, statement);
            break;
        case ST_IF:
            find_shared(r, s->branch.cond, seen, n);
            prepare(r, mem, s->branch.then, seen, statement);
            prepare(r, mem, s->branch.els, seen, statement);
            break;
        case ST_ALLOC: {
            Place *p = &r->place[s->alloc.buf->id];
            if (p->own) break;
            lay_out(r, mem, s->alloc.buf);
            p->data = obtain(r, p->bytes);
            p->own = true;
            break;
        }
        case ST_STORE:
            find_shared_all(r, s->store.buf->rank, s->store.ix, seen, n);
            find_shared(r, s->store.value, seen, n);
            break;
        case ST_UPDATE:
            find_shared_all(r, s->update.buf->rank, s->update.ix, seen, n);
            find_shared_all(r, 2, (Expr *[]){s->update.value, s->update.index}, seen, n);
            break;
        case ST_INSERT:
            find_shared_all(r, s->insert.vals->rank - 1, s->insert.ix, seen, n);
            find_shared_all(r, 3, (Expr *[]){s->insert.slots, s->insert.value, s->insert.index}, seen, n);
            break;
        case ST_LET: find_shared(r, s->let.value, seen, n); break;
        case ST_PREFETCH:
        case ST_COUNT: break;
        }
    }
}

static void tables(Run *r, Arena *mem)
{
    r->place = NEW_ARRAY(mem, Place, r->op->ntensors + 1);
    r->var = NEW_ARRAY(mem, int64_t, r->op->nvars + 1);
    r->shared = NEW_ARRAY(mem, bool, r->op->nexprs + 1);
    r->known = NEW_ARRAY(mem, uint64_t, r->op->nexprs + 1);
    r->value = NEW_ARRAY(mem, Num, r->op->nexprs + 1);
}

int tile_interp_limited(const TileProg *p, const int64_t *dims, void *const *data, int64_t *index, int64_t statements,
                        int64_t bytes)
{
    Arena *mem = arena_new();
    jmp_buf full;
    if (!mem) return TILE_NO_MEMORY;
    Run *volatile r = NULL;
    if (setjmp(full)) {
        if (r) r->status = TILE_NO_MEMORY;
    } else {
        arena_catch(mem, &full);
        r = NEW(mem, Run);
        r->p = p;
        r->op = p->op;
        r->dims = dims;
        r->statements = statements;
        r->bytes = bytes;
        tables(r, mem);
        if (!setjmp(r->out)) {
            int statement = 0, *seen = NEW_ARRAY(mem, int, p->op->nexprs + 1);
            for (int i = 0; i < p->op->nparams; i++) {
                lay_out(r, mem, p->op->tensor[i]);
                r->place[i].data = data[i];
            }
            prepare(r, mem, p->body, seen, &statement);
            run(r, p->body);
        }
    }
    int status = r ? r->status : TILE_NO_MEMORY;
    if (status && r && index) *index = r->index;
    for (int i = 0; r && r->place && i < p->op->ntensors; i++)
        if (r->place[i].own) free(r->place[i].data);
    arena_free(mem);
    return status;
}

int tile_interp(const TileProg *p, const int64_t *dims, void *const *data, int64_t *index)
{
    return tile_interp_limited(p, dims, data, index, INT64_MAX, INT64_MAX);
}
