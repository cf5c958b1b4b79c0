/* shadow: reductions across the lanes of a vector loop. `acc sum= x` in a vector loop, acc allocated outside, becomes a
 * vector of partial results (a shadow) that starts at the identity, is updated lane by lane, and is combined into acc
 * after the loop:
 *
 *     for k vector 8 { acc sum= X[k] }    →    s = <0 …>;  for k by 8 { s += X[k … k+7] };  acc = acc + s[0] + … + s[7]
 *
 * which reassociates. It is done where that changes no bits (integers, max, min, any, all, argmax, argmin) and, in
 * `fast` numerics, for all. Otherwise the lanes enter one after another, in the order of the iterations. Relies on
 * expr.c and memory.c; loop.c opens and closes the shadows of a loop. */
#include "codegen/llvm/llvm.h"

enum { MOST = 64 }; /* elements of a buffer that is shadowed whole */

typedef struct Scan {
    Fn *f;
    bool *inner;   /* by var id: bound inside the loop */
    bool *varies;  /* by var id: differs between lanes */
    bool *fresh;   /* by tensor id: allocated inside the loop */
    bool *touched; /* by tensor id: loaded or stored to inside the loop */
    bool *read;    /* by expr id: its loads are in touched */
    int *seen;     /* by expr id: the search that was there last, since expressions are DAGs */
    int search;
    VEC(const Stmt *) updates;
} Scan;

static bool search(Scan *s, const Expr *e, const bool *vars, const bool *tensors)
{
    if (s->seen[e->id] == s->search) return false;
    s->seen[e->id] = s->search;
    if (e->op == EX_VAR) return vars[e->var->id];
    if (e->op == EX_LOAD && (!tensors || tensors[e->load.t->id])) return true;
    for (int i = 0; i < te_nchildren(e); i++)
        if (search(s, te_child(e, i), vars, tensors)) return true;
    return false;
}

/* Does e differ between lanes: mention a variable that does, or an element that a lane has of its own? */
static bool differs(Scan *s, const Expr *e)
{
    s->search++;
    return search(s, e, s->varies, s->fresh);
}

/* Does e mention data or a variable that is bound inside the loop? */
static bool moves(Scan *s, const Expr *e)
{
    s->search++;
    return search(s, e, s->inner, NULL);
}

static void reads(Scan *s, const Expr *e)
{
    if (!e || s->read[e->id]) return;
    s->read[e->id] = true;
    if (e->op == EX_LOAD) s->touched[e->load.t->id] = true;
    for (int i = 0; i < te_nchildren(e); i++) reads(s, te_child(e, i));
}

static void scan_exprs(Scan *s, int n, Expr *const *e)
{
    for (int i = 0; i < n; i++) reads(s, e[i]);
}

static void scan(Scan *s, const Block *b)
{
    for (int i = 0; i < b->n; i++) {
        const Stmt *st = b->at[i];
        switch (st->kind) {
        case ST_FOR:
            s->inner[st->loop.var->id] = true;
            scan_exprs(s, 2, (Expr *[]){st->loop.var->lo, st->loop.var->hi});
            scan(s, &st->loop.body);
            break;
        case ST_IF:
            scan_exprs(s, 1, (Expr *[]){st->branch.cond});
            scan(s, &st->branch.then);
            scan(s, &st->branch.els);
            break;
        case ST_LET:
            s->inner[st->let.var->id] = true;
            s->varies[st->let.var->id] = differs(s, st->let.value);
            scan_exprs(s, 1, (Expr *[]){st->let.value});
            break;
        case ST_ALLOC: s->fresh[st->alloc.buf->id] = true; break;
        case ST_STORE:
            s->touched[st->store.buf->id] = true;
            scan_exprs(s, st->store.buf->rank, st->store.ix);
            scan_exprs(s, 1, (Expr *[]){st->store.value});
            break;
        case ST_UPDATE:
            scan_exprs(s, st->update.buf->rank, st->update.ix);
            scan_exprs(s, 2, (Expr *[]){st->update.value, st->update.index});
            VEC_PUSH(s->f->c->mem, &s->updates, st);
            break;
        case ST_INSERT:
            s->touched[st->insert.vals->id] = true;
            s->touched[st->insert.where->id] = true;
            scan_exprs(s, st->insert.vals->rank - 1, st->insert.ix);
            scan_exprs(s, 3, (Expr *[]){st->insert.value, st->insert.index, st->insert.slots});
            break;
        case ST_PREFETCH:
        case ST_COUNT: break;
        }
    }
}

static bool any_order(const Cg *c, RedOp r, DType t)
{
    return (r != RED_SUM && r != RED_PROD) || !te_is_float(t) || c->fast;
}

static LLVMValueRef element(Fn *f, LLVMTypeRef vec, LLVMValueRef array, LLVMValueRef i)
{
    return LLVMBuildGEP2(f->b, vec, array, &i, 1, "");
}

static LLVMTypeRef vec_type(Fn *f, const Tensor *t, int lanes)
{
    return cg_wide(cg_elem(f->c, t->type, REP_HELD), lanes);
}

static LLVMValueRef get(Fn *f, const Tensor *t, int lanes, LLVMValueRef array, LLVMValueRef i)
{
    LLVMTypeRef ty = vec_type(f, t, lanes);
    return cg_decode(f, t->type, REP_HELD, LLVMBuildLoad2(f->b, ty, element(f, ty, array, i), ""));
}

static void put(Fn *f, const Tensor *t, LLVMValueRef array, LLVMValueRef i, LLVMValueRef v)
{
    v = cg_encode(f, t->type, REP_HELD, v);
    LLVMBuildStore(f->b, v, element(f, LLVMTypeOf(v), array, i));
}

static LLVMValueRef identity(Fn *f, const Tensor *t, RedOp r, int lanes)
{
    LLVMValueRef k = cg_num(f->c, t->type, num_identity(r, t->type));
    int old = f->lanes;
    f->lanes = lanes;
    LLVMValueRef v = cg_splat(f, k);
    f->lanes = old;
    return v;
}

static RedOp lane_op(const Shadow *sh) { return sh->flip ? RED_MIN : sh->op; }

static void open(Fn *f, const Stmt *s, int lanes, bool one, int64_t count)
{
    Cg *c = f->c;
    Shadow *sh = NEW(c->mem, Shadow);
    *sh = (Shadow){.next = f->shadows,
                   .buf = s->update.buf,
                   .where = s->update.where,
                   .op = s->update.op,
                   .count = one ? 1 : count};
    if (one) {
        int mark = cg_mark(f);
        sh->ix = s->update.ix;
        sh->at = cg_place(f, s->update.buf, s->update.ix).v;
        if (sh->where) sh->where_at = cg_place(f, sh->where, s->update.ix).v;
        cg_forget(f, mark);
    }
    sh->flip = sh->op == RED_MAX && te_is_float(sh->buf->type);
    sh->acc = cg_alloca(f, vec_type(f, sh->buf, lanes), sh->count);
    LLVMValueRef start = identity(f, sh->buf, lane_op(sh), lanes), none = NULL;
    if (sh->where) {
        sh->idx = cg_alloca(f, vec_type(f, sh->where, lanes), sh->count);
        none = cg_int(cg_wide(cg_held(c, sh->where->type), lanes), -1);
    }
    for (int64_t i = 0; i < sh->count; i++) {
        put(f, sh->buf, sh->acc, cg_int(c->i64, i), start);
        if (none) put(f, sh->where, sh->idx, cg_int(c->i64, i), none);
    }
    f->shadows = sh;
}

static Shadow *find(Fn *f, const Stmt *s)
{
    for (Shadow *sh = f->shadows; sh; sh = sh->next)
        if (sh->buf == s->update.buf && sh->op == s->update.op && sh->where == s->update.where &&
            (!sh->ix || sh->ix == s->update.ix))
            return sh;
    return NULL;
}

/* Is every update of this buffer in the loop by the same operation, and are its places the same in all lanes? */
static bool alike(Scan *sc, const Stmt *s)
{
    for (int i = 0; i < sc->updates.n; i++) {
        const Stmt *u = sc->updates.at[i];
        bool same = u->update.buf == s->update.buf;
        if (u->update.where && u->update.where == s->update.buf) return false;
        if (same && (u->update.op != s->update.op || u->update.where != s->update.where)) return false;
        for (int k = 0; same && k < u->update.buf->rank; k++)
            if (differs(sc, u->update.ix[k])) return false;
    }
    return true;
}

void cg_shadows_open(Fn *f, const Stmt *loop)
{
    Cg *c = f->c;
    const TeOp *op = c->op;
    Scan sc = {.f = f};
    sc.inner = NEW_ARRAY(c->mem, bool, op->nvars + 1);
    sc.varies = NEW_ARRAY(c->mem, bool, op->nvars + 1);
    sc.fresh = NEW_ARRAY(c->mem, bool, op->ntensors + 1);
    sc.touched = NEW_ARRAY(c->mem, bool, op->ntensors + 1);
    sc.read = NEW_ARRAY(c->mem, bool, op->nexprs + 1);
    sc.seen = NEW_ARRAY(c->mem, int, op->nexprs + 1);
    sc.inner[loop->loop.var->id] = sc.varies[loop->loop.var->id] = true;
    scan(&sc, &loop->loop.body);
    for (int i = 0; i < sc.updates.n; i++) {
        const Stmt *s = sc.updates.at[i];
        const Tensor *t = s->update.buf, *w = s->update.where;
        bool ok =
            any_order(c, s->update.op, t->type) && !sc.fresh[t->id] && !sc.touched[t->id] && (!w || !sc.touched[w->id]);
        if (!ok || !alike(&sc, s) || find(f, s)) continue;
        bool fixed = true;
        int users = 0;
        for (int k = 0; k < t->rank; k++) fixed &= !moves(&sc, s->update.ix[k]);
        for (int k = 0; k < sc.updates.n; k++) users += sc.updates.at[k]->update.buf == t;
        int64_t count = t->kind == TK_BUFFER && (!w || w->kind == TK_BUFFER),
                n; /* compact: places are element numbers */
        for (int k = 0; k < t->rank && count > 0; k++)
            count = te_eval_size(op, t->shape[k], &n) && n >= 0 && n <= MOST && count * n <= MOST ? count * n : 0;
        if (fixed && users == 1)
            open(f, s, loop->loop.width, true, 1);
        else if (count > 0)
            open(f, s, loop->loop.width, false, count);
    }
}

static LLVMValueRef part(Fn *f, LLVMValueRef v, int from, int n)
{
    Cg *c = f->c;
    if (n == 1) return LLVMBuildExtractElement(f->b, v, cg_int(c->i32, from), "");
    LLVMValueRef *ix = NEW_ARRAY(c->mem, LLVMValueRef, n);
    for (int i = 0; i < n; i++) ix[i] = cg_int(c->i32, from + i);
    return LLVMBuildShuffleVector(f->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(ix, (unsigned)n), "");
}

static void combine(Fn *f, const Shadow *sh, LLVMValueRef *x, LLVMValueRef *xi, LLVMValueRef y, LLVMValueRef yi)
{
    if (!sh->where) {
        *x = cg_combine(f, lane_op(sh), sh->buf->type, *x, y);
        return;
    }
    LLVMValueRef has = LLVMBuildICmp(f->b, LLVMIntSGE, yi, LLVMConstNull(LLVMTypeOf(yi)), "");
    LLVMValueRef take = LLVMBuildAnd(f->b, has, cg_before(f, sh->op, sh->buf->type, y, yi, *x, *xi), "");
    *x = LLVMBuildSelect(f->b, take, y, *x, "");
    *xi = LLVMBuildSelect(f->b, take, yi, *xi, "");
}

/* Halves are combined while there are halves, then what is left one by one. */
static void across(Fn *f, const Shadow *sh, LLVMValueRef *x, LLVMValueRef *xi)
{
    int n = cg_lanes(*x);
    while (n > 1 && n % 2 == 0) {
        LLVMValueRef hi = part(f, *x, n / 2, n / 2), hii = sh->where ? part(f, *xi, n / 2, n / 2) : NULL;
        *x = part(f, *x, 0, n / 2);
        if (sh->where) *xi = part(f, *xi, 0, n / 2);
        combine(f, sh, x, xi, hi, hii);
        n /= 2;
    }
    if (n == 1) return;
    LLVMValueRef v = *x, vi = sh->where ? *xi : NULL;
    *x = part(f, v, 0, 1);
    if (vi) *xi = part(f, vi, 0, 1);
    for (int i = 1; i < n; i++) combine(f, sh, x, xi, part(f, v, i, 1), vi ? part(f, vi, i, 1) : NULL);
}

static void finish(Fn *f, const Shadow *sh, int lanes, LLVMValueRef at, LLVMValueRef where_at, LLVMValueRef i)
{
    LLVMValueRef x = get(f, sh->buf, lanes, sh->acc, i), xi = sh->where ? get(f, sh->where, lanes, sh->idx, i) : NULL;
    across(f, sh, &x, &xi);
    if (sh->flip) x = LLVMBuildFNeg(f->b, x, "");
    Val off = cg_uni(at), woff = cg_uni(where_at);
    LLVMValueRef old = cg_load(f, sh->buf, off, NULL, (Mask){0}).v;
    if (!sh->where) {
        cg_store(f, sh->buf, off, cg_uni(cg_combine(f, sh->op, sh->buf->type, old, x)), (Mask){0});
        return;
    }
    LLVMValueRef oldi = cg_load(f, sh->where, woff, NULL, (Mask){0}).v, best = old;
    LLVMValueRef at_best = oldi;
    combine(f, sh, &best, &at_best, x, xi);
    cg_store(f, sh->buf, off, cg_uni(best), (Mask){0});
    cg_store(f, sh->where, woff, cg_uni(at_best), (Mask){0});
}

void cg_shadows_close(Fn *f, Shadow *until)
{
    for (Shadow *sh = f->shadows; sh != until; sh = sh->next) {
        LLVMTypeRef array = LLVMGetAllocatedType(sh->acc);
        int lanes = (int)LLVMGetVectorSize(LLVMGetElementType(array));
        for (int64_t i = 0; i < sh->count; i++) {
            LLVMValueRef k = cg_int(f->c->i64, i);
            finish(f, sh, lanes, sh->ix ? sh->at : k, sh->ix ? sh->where_at : k, k);
        }
    }
    f->shadows = until;
}

Shadow *cg_shadow(Fn *f, const Stmt *update) { return find(f, update); }

void cg_shadow_update(Fn *f, const Stmt *s, Shadow *sh)
{
    Cg *c = f->c;
    const Tensor *t = sh->buf;
    const Expr *e = s->update.value;
    LLVMValueRef at = sh->ix ? cg_int(c->i64, 0) : cg_place(f, t, s->update.ix).v, r;
    LLVMValueRef old = get(f, t, f->lanes, sh->acc, at);
    if (sh->where) {
        LLVMValueRef oldi = get(f, sh->where, f->lanes, sh->idx, at), x = cg_vec(f, cg_expr(f, e));
        LLVMValueRef i = cg_cast(f, sh->where->type, s->update.index->type, cg_vec(f, cg_expr(f, s->update.index)));
        LLVMValueRef take = cg_before(f, sh->op, t->type, x, i, old, oldi);
        if (f->mask.m) take = LLVMBuildAnd(f->b, take, f->mask.m, "");
        put(f, t, sh->acc, at, LLVMBuildSelect(f->b, take, x, old, ""));
        put(f, sh->where, sh->idx, at, LLVMBuildSelect(f->b, take, i, oldi, ""));
        return;
    }
    if (s->update.fma && e->op == EX_MUL && c->t->fma)
        r = cg_fma(f, t->type, cg_vec(f, cg_expr(f, e->arg[0])), cg_vec(f, cg_expr(f, e->arg[1])), old);
    else {
        LLVMValueRef x = cg_vec(f, cg_expr(f, e));
        r = cg_combine(f, lane_op(sh), t->type, old, sh->flip ? LLVMBuildFNeg(f->b, x, "") : x);
    }
    put(f, t, sh->acc, at, f->mask.m ? LLVMBuildSelect(f->b, f->mask.m, r, old, "") : r);
}

/* One place for all lanes and an order that counts: the lanes' terms enter in turn. */
void cg_update_lanes(Fn *f, const Stmt *s, Val off)
{
    Cg *c = f->c;
    const Tensor *t = s->update.buf, *w = s->update.where;
    const Expr *e = s->update.value;
    bool fused = s->update.fma && e->op == EX_MUL && !(c->fast && !c->t->fma);
    LLVMValueRef a = cg_vec(f, cg_expr(f, fused ? e->arg[0] : e)), b = fused ? cg_vec(f, cg_expr(f, e->arg[1])) : NULL,
                 i = NULL;
    Mask all = {0}, mask = f->mask;
    Val woff = w ? cg_place(f, w, s->update.ix) : off;
    if (w) i = cg_cast(f, w->type, s->update.index->type, cg_vec(f, cg_expr(f, s->update.index)));
    LLVMValueRef acc = cg_load(f, t, off, NULL, all).v, acci = w ? cg_load(f, w, woff, NULL, all).v : NULL;
    for (int k = 0; k < f->lanes; k++) {
        LLVMValueRef lane = cg_int(c->i32, k), x = LLVMBuildExtractElement(f->b, a, lane, ""), take = NULL, r = x;
        if (mask.m) take = cg_lane_active(f, mask, k);
        if (w) {
            LLVMValueRef xi = LLVMBuildExtractElement(f->b, i, lane, "");
            LLVMValueRef better = cg_before(f, s->update.op, t->type, x, xi, acc, acci);
            take = take ? LLVMBuildAnd(f->b, take, better, "") : better;
            acci = LLVMBuildSelect(f->b, take, xi, acci, "");
        } else if (fused)
            r = cg_fma(f, t->type, x, LLVMBuildExtractElement(f->b, b, lane, ""), acc);
        else
            r = cg_combine(f, s->update.op, t->type, acc, x);
        acc = take ? LLVMBuildSelect(f->b, take, r, acc, "") : r;
    }
    cg_store(f, t, off, cg_uni(acc), all);
    if (w) cg_store(f, w, woff, cg_uni(acci), all);
}
