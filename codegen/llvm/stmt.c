/* stmt: statements: stores, updates (one step of a reduction), insertions of topk, conditions, lets, allocs. In a
 * vector loop they act on all active lanes; updates of one place by all lanes are shadow.c's. */
#include "codegen/llvm/llvm.h"

/* ---- places --------------------------------------------------------------------------------------------------------
 */
static bool same_index(const Cg *c, const Expr *a, const Expr *b)
{
    int64_t x, y;
    if (a == b) return true;
    if (te_eval_size(c->op, a, &x) && te_eval_size(c->op, b, &y)) return x == y;
    if (a->op != b->op || a->nargs != b->nargs || a->type != b->type) return false;
    if (a->op == EX_INT) return a->i == b->i;
    if (a->op == EX_VAR) return a->var == b->var;
    if (a->op == EX_DIM || a->op == EX_CONST) return a->sym == b->sym;
    bool arithmetic = a->op == EX_ADD || a->op == EX_SUB || a->op == EX_MUL || a->op == EX_DIV || a->op == EX_MOD;
    for (int i = 0; i < a->nargs && arithmetic; i++) arithmetic = same_index(c, a->arg[i], b->arg[i]);
    return arithmetic;
}

/* Is x / n a summand of e? `rest` gets the sum of the others. */
static bool sum_without(Fn *f, const Expr *e, const Expr *mod, Val *rest)
{
    if (e->op == EX_DIV && same_index(f->c, e->arg[0], mod->arg[0]) && same_index(f->c, e->arg[1], mod->arg[1])) {
        *rest = cg_uni(cg_int(f->c->i64, 0));
        return true;
    }
    for (int i = 0; e->op == EX_ADD && i < 2; i++)
        if (sum_without(f, e->arg[i], mod, rest)) {
            *rest = cg_plus(f, *rest, cg_expr(f, e->arg[1 - i]));
            return true;
        }
    return false;
}

/* Dimension i + 1 has n elements and lies dense inside of dimension i. */
static bool dense_inside(const Fn *f, const Tensor *t, int i, int64_t n)
{
    int64_t inner, outer, all;
    const Place *p = &f->place[t->id];
    return cg_known(p->stride[i], &outer) && cg_known(p->stride[i + 1], &inner) && cg_known(p->extent[i + 1], &all) &&
           all == n && outer == inner * n;
}

/* [x / n, x % n], what fused loops make of an index, is [0, x] where the inner extent is n: consecutive elements stay
 * so across the ends of rows. */
Val cg_place(Fn *f, const Tensor *t, Expr *const *ix)
{
    Val *v = NEW_ARRAY(f->c->mem, Val, t->rank + 1);
    const Expr *x = t->rank ? ix[0] : NULL;
    for (int i = 0; i < t->rank; i++) {
        const Expr *next = i + 1 < t->rank ? ix[i + 1] : NULL;
        int64_t n;
        bool flat = next && next->op == EX_MOD && next->type == DT_INDEX && te_eval_size(f->c->op, next->arg[1], &n) &&
                    dense_inside(f, t, i, n) && sum_without(f, x, next, &v[i]);
        if (!flat) v[i] = cg_expr(f, x);
        x = flat ? next->arg[0] : next;
    }
    return cg_offset(f, t, v);
}

static void branch(Fn *f, const Stmt *s)
{
    int64_t k;
    int mark = cg_mark(f);
    Val c = cg_expr(f, s->branch.cond);
    cg_forget(f, mark);
    if (cg_known(c.v, &k)) {
        cg_block(f, k ? &s->branch.then : &s->branch.els);
        return;
    }
    Mask old = f->mask;
    for (int arm = 0; arm < 2; arm++) {
        const Block *b = arm ? &s->branch.els : &s->branch.then;
        if (!b->n) continue;
        LLVMBasicBlockRef in = cg_block_new(f, arm ? "else" : "then"), out = cg_block_new(f, "join");
        LLVMValueRef cond = arm ? LLVMBuildNot(f->b, c.v, "") : c.v;
        if (c.kind == VAL_VEC) {
            f->mask = cg_narrow(f, old, cond);
            f->mask.some = true; /* inside: the branch is taken when a lane is */
            cond = cg_any(f, f->mask.m);
        }
        LLVMBuildCondBr(f->b, cond, in, out);
        cg_enter(f, in);
        cg_block(f, b);
        cg_goto(f, out);
        cg_enter(f, out);
        f->mask = old;
    }
}

static Val widen(Fn *f, Val v, bool wide) { return wide ? (Val){.kind = VAL_VEC, .v = cg_vec(f, v)} : v; }

/* One step on one place per lane (or outside vector loops). */
static void update(Fn *f, const Stmt *s)
{
    const Tensor *t = s->update.buf;
    Val off = cg_place(f, t, s->update.ix), old = cg_load(f, t, off, NULL, f->mask), r;
    const Expr *e = s->update.value;
    if (s->update.where) {
        const Tensor *w = s->update.where;
        Val woff = cg_place(f, w, s->update.ix), oldi = cg_load(f, w, woff, NULL, f->mask), x = cg_expr(f, e);
        Val i = cg_expr(f, s->update.index);
        bool wide = old.kind != VAL_UNI || x.kind != VAL_UNI || i.kind != VAL_UNI;
        old = widen(f, old, wide), oldi = widen(f, oldi, wide), x = widen(f, x, wide), i = widen(f, i, wide);
        i.v = cg_cast(f, w->type, s->update.index->type, i.v);
        LLVMValueRef take = cg_before(f, s->update.op, t->type, x.v, i.v, old.v, oldi.v);
        cg_store(f, t, off, cg_val(LLVMBuildSelect(f->b, take, x.v, old.v, "")), f->mask);
        cg_store(f, w, woff, cg_val(LLVMBuildSelect(f->b, take, i.v, oldi.v, "")), f->mask);
        return;
    }
    bool fused = s->update.fma && e->op == EX_MUL;
    if (fused && !(f->c->fast && !f->c->t->fma)) {
        Val a = cg_expr(f, e->arg[0]), b = cg_expr(f, e->arg[1]);
        bool wide = old.kind != VAL_UNI || a.kind != VAL_UNI || b.kind != VAL_UNI;
        r = cg_val(cg_fma(f, t->type, widen(f, a, wide).v, widen(f, b, wide).v, widen(f, old, wide).v));
    } else {
        Val x = cg_expr(f, e);
        bool wide = old.kind != VAL_UNI || x.kind != VAL_UNI;
        r = cg_val(cg_combine(f, s->update.op, t->type, widen(f, old, wide).v, widen(f, x, wide).v));
    }
    cg_store(f, t, off, r, f->mask);
}

/* The candidate (x, i) goes down the sorted places, taking each that it comes before and passing on what was there. */
static void insert_at(Fn *f, const Stmt *s, Val x, Val i, const Val *ix, LLVMValueRef slots)
{
    Cg *c = f->c;
    const Tensor *vals = s->insert.vals, *where = s->insert.where;
    int rank = vals->rank;
    bool wide = f->lanes > 1;
    LLVMTypeRef tv = cg_wide(cg_held(c, vals->type), f->lanes), ti = cg_wide(cg_held(c, where->type), f->lanes);
    LLVMValueRef cv = cg_alloca(f, tv, 1), ci = cg_alloca(f, ti, 1);
    LLVMBuildStore(f->b, widen(f, x, wide).v, cv);
    LLVMBuildStore(f->b, widen(f, i, wide).v, ci);
    Val *at = NEW_ARRAY(c->mem, Val, rank);
    for (int k = 0; k < rank - 1; k++) at[k] = ix[k];
    Count l;
    at[rank - 1] = cg_uni(cg_count_open(f, &l, cg_int(c->i64, 0), slots, 1));
    Val offv = cg_offset(f, vals, at), offw = cg_offset(f, where, at);
    LLVMValueRef ov = widen(f, cg_load(f, vals, offv, NULL, f->mask), wide).v;
    LLVMValueRef oi = widen(f, cg_load(f, where, offw, NULL, f->mask), wide).v;
    LLVMValueRef nv = LLVMBuildLoad2(f->b, tv, cv, ""), ni = LLVMBuildLoad2(f->b, ti, ci, "");
    LLVMValueRef take = cg_before(f, RED_TOPK, vals->type, nv, ni, ov, oi);
    cg_store(f, vals, offv, cg_val(LLVMBuildSelect(f->b, take, nv, ov, "")), f->mask);
    cg_store(f, where, offw, cg_val(LLVMBuildSelect(f->b, take, ni, oi, "")), f->mask);
    LLVMBuildStore(f->b, LLVMBuildSelect(f->b, take, ov, nv, ""), cv);
    LLVMBuildStore(f->b, LLVMBuildSelect(f->b, take, oi, ni, ""), ci);
    cg_count_close(f, &l);
}

static void insert(Fn *f, const Stmt *s)
{
    const Tensor *vals = s->insert.vals;
    int rank = vals->rank;
    Val *ix = NEW_ARRAY(f->c->mem, Val, rank);
    for (int k = 0; k < rank - 1; k++) ix[k] = cg_expr(f, s->insert.ix[k]);
    Val x = cg_expr(f, s->insert.value), i = cg_expr(f, s->insert.index);
    DType from = s->insert.index->type, to = s->insert.where->type;
    i = cg_val(cg_cast(f, to, from, i.kind == VAL_UNI ? i.v : cg_vec(f, i)));
    LLVMValueRef slots = cg_scalar(f, s->insert.slots);
    insert_at(f, s, x, i, ix, slots);
}

static void reduce(Fn *f, const Stmt *s)
{
    Shadow *sh = f->lanes > 1 ? cg_shadow(f, s) : NULL;
    if (sh) {
        cg_shadow_update(f, s, sh);
        return;
    }
    if (f->lanes > 1 && f->place[s->update.buf->id].lanes == 1) {
        Val off = cg_place(f, s->update.buf, s->update.ix);
        if (off.kind == VAL_UNI) {
            cg_update_lanes(f, s, off);
            return;
        }
    }
    update(f, s);
}

void cg_stmt(Fn *f, const Stmt *s)
{
    int mark = cg_mark(f);
    cg_debug_at(f, s->span);
    switch (s->kind) {
    case ST_FOR: cg_loop(f, s); break;
    case ST_IF: branch(f, s); break;
    case ST_ALLOC: cg_alloc(f, s->alloc.buf); break;
    case ST_STORE: {
        Val off = cg_place(f, s->store.buf, s->store.ix);
        Val value = cg_expr(f, s->store.value);
        f->stream = s->store.stream;
        cg_store(f, s->store.buf, off, value, f->mask);
        f->stream = false;
        break;
    }
    case ST_UPDATE: reduce(f, s); break;
    case ST_INSERT: insert(f, s); break;
    case ST_PREFETCH:
        cg_prefetch(f, s->prefetch.buf, cg_place(f, s->prefetch.buf, s->prefetch.ix), s->prefetch.write);
        break;
    case ST_LET: f->var[s->let.var->id] = cg_expr(f, s->let.value); break;
    case ST_COUNT: break;
    }
    cg_forget(f, mark);
}

/* Lets and buffers end with their block. */
void cg_block(Fn *f, const Block *b)
{
    for (int i = 0; i < b->n; i++)
        if (cg_is_apart(f, b, i))
            cg_apart(f, b->at[i]);
        else
            cg_stmt(f, b->at[i]);
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == ST_LET) f->var[s->let.var->id] = (Val){0};
        if (s->kind == ST_ALLOC) f->place[s->alloc.buf->id].ready = false;
    }
}
