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

static void unpack(const Fn *f, Fn *g, const Uses *u, Closure *k)
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
    g->in_parallel = true;
    LLVMValueRef lo = take(g, &k, c->i64);
    unpack(f, g, u, &k);
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

void cg_parallel(Fn *f, const Stmt *s, LLVMValueRef lo, LLVMValueRef hi)
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

    LLVMBasicBlockRef ask = cg_block_new(f, "pool"), shared = cg_block_new(f, "threads"),
                      alone = cg_block_new(f, "alone"), join = cg_block_new(f, "joined");
    LLVMValueRef pool = cg_member(f, f->call, offsetof(tensorcc_call, pool), c->ptr);
    LLVMValueRef single = LLVMBuildICmp(f->b, LLVMIntSLE, n, cg_int(c->i64, 1), "");
    LLVMBuildCondBr(f->b, LLVMBuildOr(f->b, single, LLVMBuildIsNull(f->b, pool, ""), ""), alone, ask);
    cg_enter(f, ask);
    LLVMValueRef threads = cg_member(f, pool, offsetof(tensorcc_pool, threads), c->i32);
    LLVMBuildCondBr(f->b, LLVMBuildICmp(f->b, LLVMIntSGT, threads, cg_int(c->i32, 1), ""), shared, alone);
    cg_enter(f, shared);
    LLVMValueRef self = cg_member(f, pool, offsetof(tensorcc_pool, self), c->ptr);
    LLVMValueRef run = cg_member(f, pool, offsetof(tensorcc_pool, parallel_for), c->ptr);
    LLVMTypeRef in[] = {c->ptr, c->i64, c->ptr, c->ptr};
    LLVMValueRef many[] = {self, n, fn, k.at};
    LLVMBuildCall2(f->b, LLVMFunctionType(c->none, in, 4, 0), run, many, 4, "");
    cg_goto(f, join);
    cg_enter(f, alone);
    LLVMValueRef one[] = {k.at, cg_int(c->i64, 0), n, cg_int(c->i32, 0)};
    LLVMBuildCall2(f->b, c->task_type, fn, one, 4, "");
    cg_goto(f, join);
    cg_enter(f, join);
}
