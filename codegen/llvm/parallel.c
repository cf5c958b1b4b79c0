/* parallel: a PARALLEL loop becomes a task function (tensorcc_task) and a closure of what its body uses:
 *
 *     for i in lo..hi parallel { … }   →   closure = { call, fault, strides, variables …, buffers … };
 *                                          pool && pool->threads > 1 && n > 1 ? pool->parallel_for(pool->self, n, task,
 * closure) : task(closure, 0, n, 0)
 *
 * The task reads dims and parameters from the call again, so only loop variables and buffers travel. Parallel loops
 * inside it run serially. */
#include "codegen/llvm/llvm.h"

#include <string.h>

typedef struct Uses {
    const TeOp *op;
    bool *expr, *var, *tensor;
} Uses;

static void expr_uses(Uses *u, const Expr *e)
{
    if (!e || u->expr[e->id]) return;
    u->expr[e->id] = true;
    if (e->op == EX_VAR) u->var[e->var->id] = true;
    if (e->op == EX_LOAD) u->tensor[e->load.t->id] = true;
    for (int i = 0; i < te_nchildren(e); i++) expr_uses(u, te_child(e, i));
}

static void index_uses(Uses *u, const Tensor *t, int rank, Expr *const *ix)
{
    u->tensor[t->id] = true;
    for (int i = 0; i < rank; i++) expr_uses(u, ix[i]);
}

static void block_uses(Uses *u, const Block *b)
{
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        switch (s->kind) {
        case ST_FOR:
            expr_uses(u, s->loop.var->lo);
            expr_uses(u, s->loop.var->hi);
            block_uses(u, &s->loop.body);
            break;
        case ST_IF:
            expr_uses(u, s->branch.cond);
            block_uses(u, &s->branch.then);
            block_uses(u, &s->branch.els);
            break;
        case ST_STORE:
            index_uses(u, s->store.buf, s->store.buf->rank, s->store.ix);
            expr_uses(u, s->store.value);
            break;
        case ST_UPDATE:
            index_uses(u, s->update.buf, s->update.buf->rank, s->update.ix);
            if (s->update.where) u->tensor[s->update.where->id] = true;
            expr_uses(u, s->update.value);
            expr_uses(u, s->update.index);
            break;
        case ST_INSERT:
            index_uses(u, s->insert.vals, s->insert.vals->rank - 1, s->insert.ix);
            u->tensor[s->insert.where->id] = true;
            expr_uses(u, s->insert.slots);
            expr_uses(u, s->insert.value);
            expr_uses(u, s->insert.index);
            break;
        case ST_PREFETCH: index_uses(u, s->prefetch.buf, s->prefetch.buf->rank, s->prefetch.ix); break;
        case ST_LET: expr_uses(u, s->let.value); break;
        case ST_ALLOC:
        case ST_COUNT: break;
        }
    }
}

/* The closure: 8 bytes for each thing that travels, filled and read in the same order. */
typedef struct Closure {
    LLVMValueRef at;
    int64_t bytes;
} Closure;

static LLVMValueRef slot(Fn *f, Closure *k)
{
    LLVMValueRef off = cg_int(f->c->i64, k->bytes);
    k->bytes += 8;
    return LLVMBuildGEP2(f->b, f->c->i8, k->at, &off, 1, "");
}

static void give(Fn *f, Closure *k, LLVMValueRef v) { LLVMBuildStore(f->b, v, slot(f, k)); }
static LLVMValueRef take(Fn *g, Closure *k, LLVMTypeRef t) { return LLVMBuildLoad2(g->b, t, slot(g, k), ""); }

static bool travels(const Fn *f, const Uses *u, int var)
{
    return u->var[var] && f->var[var].kind == VAL_UNI && !LLVMIsConstant(f->var[var].v);
}

static void fill(Fn *f, const Uses *u, Closure *k)
{
    const TeOp *op = f->c->op;
    give(f, k, f->call);
    give(f, k, f->fault);
    if (f->strides) give(f, k, f->strides_at);
    for (int i = 0; i < op->nvars; i++)
        if (travels(f, u, i)) give(f, k, f->var[i].v);
    for (int i = op->nparams; i < op->ntensors; i++)
        if (u->tensor[i] && f->place[i].ready) give(f, k, f->place[i].ptr);
}

static void unpack(const Fn *f, Fn *g, const Uses *u, bool alone, Closure *k)
{
    Cg *c = f->c;
    const TeOp *op = c->op;
    g->strides = f->strides;
    g->call = take(g, k, c->ptr);
    g->fault = take(g, k, c->ptr);
    if (f->strides) g->strides_at = take(g, k, c->ptr);
    cg_dims(g, cg_member(g, g->call, offsetof(tensorcc_call, sizes), c->ptr));
    cg_params(g);
    for (int i = 0; i < op->nvars; i++)
        if (travels(f, u, i))
            g->var[i] = cg_uni(take(g, k, LLVMTypeOf(f->var[i].v)));
        else if (f->var[i].kind == VAL_UNI && LLVMIsConstant(f->var[i].v))
            g->var[i] = f->var[i];
    for (int i = op->nparams; i < op->ntensors; i++) {
        if (!u->tensor[i] || !f->place[i].ready) continue;
        cg_borrow(g, op->tensor[i], take(g, k, c->ptr));
        g->place[i].own = alone && f->place[i].own;
    }
}

/* The task itself: iterations [begin, end) of the loop. */
static LLVMValueRef task(const Fn *f, const Stmt *s, const Uses *u)
{
    Cg *c = f->c;
    char *name = arena_printf(c->mem, "%s.task%d", c->symbol, c->ntasks++);
    Fn *g = cg_fn_new(c, name, c->task_type, true);
    Closure k = {LLVMGetParam(g->fn, 0), 0};
    g->worker = LLVMGetParam(g->fn, 3);
    g->in_parallel = s->loop.kind == LOOP_PARALLEL || f->in_parallel;
    LLVMValueRef lo = take(g, &k, c->i64);
    unpack(f, g, u, s->loop.kind != LOOP_PARALLEL, &k);
    cg_debug_at(g, s->span);
    Count l;
    LLVMValueRef i = cg_count_open(g, &l, LLVMGetParam(g->fn, 1), LLVMGetParam(g->fn, 2), 1);
    g->var[s->loop.var->id] = cg_uni(cg_add(g, lo, cg_mul(g, i, cg_int(c->i64, s->loop.step))));
    cg_block(g, &s->loop.body);
    cg_count_close(g, &l);
    cg_finish_streams(g);
    LLVMBuildRetVoid(g->b);
    cg_fn_close(g);
    return g->fn;
}

typedef struct Task {
    LLVMValueRef fn, n, closure; /* iterations 0 … n - 1 */
} Task;

static Task make_task(Fn *f, const Stmt *s, LLVMValueRef lo, LLVMValueRef hi)
{
    Cg *c = f->c;
    const TeOp *op = c->op;
    Uses u = {op, NEW_ARRAY(c->mem, bool, op->nexprs + 1), NEW_ARRAY(c->mem, bool, op->nvars + 1),
              NEW_ARRAY(c->mem, bool, op->ntensors + 1)};
    block_uses(&u, &s->loop.body);
    LLVMValueRef fn = task(f, s, &u), n = cg_sub(f, hi, lo);
    int64_t step = s->loop.step;
    if (step != 1) n = LLVMBuildSDiv(f->b, cg_add(f, n, cg_int(c->i64, step - 1)), cg_int(c->i64, step), "");
    Closure k = {cg_alloca(f, c->i64, 4 + op->nvars + op->ntensors), 0};
    give(f, &k, lo);
    fill(f, &u, &k);
    return (Task){fn, n, k.at};
}

static void call_task(Fn *f, const Task *t, LLVMValueRef worker)
{
    Cg *c = f->c;
    LLVMValueRef args[] = {t->closure, cg_int(c->i64, 0), t->n, worker};
    LLVMBuildCall2(f->b, c->task_type, t->fn, args, 4, "");
}

void cg_parallel(Fn *f, const Stmt *s, LLVMValueRef lo, LLVMValueRef hi)
{
    Cg *c = f->c;
    Task t = make_task(f, s, lo, hi);
    LLVMBasicBlockRef ask = cg_block_new(f, "pool"), shared = cg_block_new(f, "threads"),
                      alone = cg_block_new(f, "alone"), join = cg_block_new(f, "joined");
    LLVMValueRef pool = cg_member(f, f->call, offsetof(tensorcc_call, pool), c->ptr);
    LLVMValueRef single = LLVMBuildICmp(f->b, LLVMIntSLE, t.n, cg_int(c->i64, 1), "");
    LLVMBuildCondBr(f->b, LLVMBuildOr(f->b, single, LLVMBuildIsNull(f->b, pool, ""), ""), alone, ask);
    cg_enter(f, ask);
    LLVMValueRef threads = cg_member(f, pool, offsetof(tensorcc_pool, threads), c->i32);
    LLVMBuildCondBr(f->b, LLVMBuildICmp(f->b, LLVMIntSGT, threads, cg_int(c->i32, 1), ""), shared, alone);
    cg_enter(f, shared);
    LLVMValueRef self = cg_member(f, pool, offsetof(tensorcc_pool, self), c->ptr);
    LLVMValueRef run = cg_member(f, pool, offsetof(tensorcc_pool, parallel_for), c->ptr);
    LLVMTypeRef in[] = {c->ptr, c->i64, c->ptr, c->ptr};
    LLVMValueRef many[] = {self, t.n, t.fn, t.closure};
    LLVMBuildCall2(f->b, LLVMFunctionType(c->none, in, 4, 0), run, many, 4, "");
    cg_goto(f, join);
    cg_enter(f, alone);
    call_task(f, &t, cg_int(c->i32, 0));
    cg_goto(f, join);
    cg_enter(f, join);
}

/* ---- copies apart
 * ------------------------------------------------------------------------------------------------------ Beside a
 * kernel, a copy keeps vectors of constants in registers that the kernel's accumulators need. As a function of its own
 * it has all of them for itself, and so has the kernel. */
enum { APART = 512 }; /* elements; fewer are not worth a call */

typedef struct Shape {
    bool vectors, stores, updates, other;
    double trips; /* of its innermost statement */
} Shape;

static void shape_of(Fn *f, const Block *b, double trips, Shape *x)
{
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        int64_t lo, hi, from, to;
        double n = 16;
        switch (s->kind) {
        case ST_FOR:
            if (cg_range(f->c->op, s->loop.var->hi, &lo, &hi) && cg_range(f->c->op, s->loop.var->lo, &from, &to))
                n = (double)(hi - from);
            x->vectors |= s->loop.kind == LOOP_VECTOR;
            x->other |= s->loop.kind == LOOP_PARALLEL;
            shape_of(f, &s->loop.body, trips * n, x);
            break;
        case ST_IF:
            shape_of(f, &s->branch.then, trips, x);
            shape_of(f, &s->branch.els, trips, x);
            break;
        case ST_STORE:
            x->stores = true;
            x->other |= s->store.buf->scope == SCOPE_REG;
            if (trips > x->trips) x->trips = trips;
            break;
        case ST_UPDATE: x->updates = true; break;
        case ST_PREFETCH:
        case ST_COUNT: break;
        case ST_INSERT:
        case ST_LET:
        case ST_ALLOC: x->other = true; break;
        }
    }
}

static bool in_registers(const Fn *f, const Stmt *s)
{
    const TeOp *op = f->c->op;
    Uses u = {op, NEW_ARRAY(f->c->mem, bool, op->nexprs + 1), NEW_ARRAY(f->c->mem, bool, op->nvars + 1),
              NEW_ARRAY(f->c->mem, bool, op->ntensors + 1)};
    block_uses(&u, &s->loop.body);
    for (int i = op->nparams; i < op->ntensors; i++)
        if (u.tensor[i] && op->tensor[i]->scope == SCOPE_REG) return true;
    return false;
}

bool cg_is_apart(Fn *f, const Block *b, int at)
{
    const Stmt *s = b->at[at];
    if (f->lanes > 1 || s->kind != ST_FOR || s->loop.kind != LOOP_SERIAL) return false;
    Shape copy = {0}, rest = {0};
    shape_of(f, &(Block){.n = 1, .at = (Stmt **)&b->at[at]}, 1, &copy);
    if (!copy.vectors || !copy.stores || copy.updates || copy.other || copy.trips < APART) return false;
    for (int i = at + 1; i < b->n; i++)
        if (b->at[i]->kind == ST_FOR) shape_of(f, &(Block){.n = 1, .at = (Stmt **)&b->at[i]}, 1, &rest);
    return rest.vectors && rest.updates && !in_registers(f, s);
}

void cg_apart(Fn *f, const Stmt *s)
{
    int mark = cg_mark(f);
    LLVMValueRef lo = cg_scalar(f, s->loop.var->lo), hi = cg_scalar(f, s->loop.var->hi);
    cg_forget(f, mark);
    Task t = make_task(f, s, lo, hi);
    call_task(f, &t, f->worker);
}
