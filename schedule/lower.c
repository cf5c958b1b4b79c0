/* lower: op and plan → Tile program. Emits the loops of each group and definition, and lowers expressions at the place
 * where they are computed. Needs an op whose bounds are checked. Leaves a program that tile_verify accepts. See lower.h
 * for the order of things. */
#include "schedule/plan.h"

#include <string.h>

void low_why(Lower *l, const char *fmt, ...)
{
    if (!l->why) return;
    va_list ap;
    va_start(ap, fmt);
    text_add(l->why, arena_vprintf(l->mem, fmt, ap));
    va_end(ap);
    text_char(l->why, '\n');
}

void low_emit(Lower *l, Stmt *s) { VEC_PUSH(l->mem, l->out, s); }

void low_bind(Lower *l, const Var *v, Expr *to)
{
    if (v->id >= l->nbound) {
        int n = v->id * 2 + 16;
        Expr **grown = NEW_ARRAY(l->mem, Expr *, n);
        if (l->nbound) memcpy(grown, l->bound, sizeof *grown * (size_t)l->nbound);
        l->bound = grown;
        l->nbound = n;
    }
    l->bound[v->id] = to;
}

static const char *take_name(Lower *l, const char *name, intptr_t next)
{
    names_put(l->mem, &l->names, name, (void *)next);
    return name;
}

/* A name that nothing has: `i`, else `i_2`, `i_3` … What a taken name stands for is the next number to try. */
static const char *fresh_name(Lower *l, const char *name)
{
    for (; l->named < l->op->ntensors; l->named++) take_name(l, l->op->tensor[l->named]->name, 2);
    intptr_t next = (intptr_t)names_find(&l->names, name);
    if (!next) return take_name(l, name, 2);
    const char *s;
    do s = arena_printf(l->mem, "%s_%d", name, (int)next++);
    while (names_find(&l->names, s));
    take_name(l, name, next);
    return take_name(l, s, 2);
}

Var *low_var(Lower *l, const char *name, Expr *lo, Expr *hi, Span s)
{
    return te_new_var(l->op, fresh_name(l, name), lo, hi, s);
}

Tensor *low_buffer(Lower *l, const char *name, DType t, Scope scope, int rank, Expr **shape, Span s)
{
    Expr **own = rank ? arena_dup(l->mem, shape, sizeof *shape * (size_t)rank) : NULL;
    Tensor *b = tile_buffer(l->p, fresh_name(l, name), t, scope, rank, own, s);
    low_emit(l, tile_alloc(l->p, b, s));
    return b;
}

void low_open(Lower *l, Nest *n)
{
    n->outer = l->out;
    n->inner = (Stmts){0};
    n->memo = l->memo.n;
    l->out = &n->inner;
}

Block low_close(Lower *l, Nest *n)
{
    Block b = {n->inner.n, n->inner.at};
    l->out = n->outer;
    l->memo.n = n->memo;
    return b;
}

Tensor *low_let(Lower *l, const char *name, DType type, int rank, Expr **shape, Span s)
{
    Tensor *t = te_new_tensor(l->op, name, type, TK_LET, rank, shape, s);
    Tensor **store = NEW_ARRAY(l->mem, Tensor *, t->id + 1);
    int *dropped = NEW_ARRAY(l->mem, int, t->id + 1);
    memcpy(store, l->store, sizeof *store * (size_t)l->nstore);
    memcpy(dropped, l->dropped, sizeof *dropped * (size_t)l->nstore);
    l->store = store;
    l->dropped = dropped;
    l->nstore = t->id + 1;
    return t;
}

void low_loop(Lower *l, Loop *lp, const char *name, Expr *lo, Expr *hi, Span s)
{
    lp->var = low_var(l, name, lo, hi, s);
    low_open(l, &lp->nest);
}

Stmt *low_loop_end(Lower *l, Loop *lp, int64_t step, LoopKind kind, int width, const Var *dim, int level)
{
    Block b = low_close(l, &lp->nest);
    Stmt *s = tile_for(l->p, lp->var, step, kind, width, b, lp->var->span);
    s->loop.of = l->now ? l->now->def : NULL;
    s->loop.dim = dim;
    s->loop.level = level;
    low_emit(l, s);
    return s;
}

/* ---- index arithmetic
 * ------------------------------------------------------------------------------------------------ */
Expr *ix_int(Lower *l, int64_t v) { return te_int(l->op, DT_INDEX, v, (Span){0}); }
Expr *ix_var(Lower *l, Var *v) { return te_var(l->op, v, v->span); }

bool ix_known(const Lower *l, const Expr *e, int64_t *v)
{
    if (e->op == EX_INT) {
        *v = e->i;
        return true;
    }
    return te_eval_size(l->op, e, v);
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

static bool fold(ExprOp o, int64_t a, int64_t b, int64_t *r)
{
    switch (o) {
    case EX_ADD: return !__builtin_add_overflow(a, b, r);
    case EX_SUB: return !__builtin_sub_overflow(a, b, r);
    case EX_MUL: return !__builtin_mul_overflow(a, b, r);
    case EX_DIV:
    case EX_MOD:
        if (b <= 0) return false;
        *r = o == EX_DIV ? floor_div(a, b) : a - floor_div(a, b) * b;
        return true;
    case EX_MIN: *r = a < b ? a : b; return true;
    case EX_MAX: *r = a > b ? a : b; return true;
    default: return false;
    }
}

Expr *ix_op(Lower *l, ExprOp o, Expr *a, Expr *b)
{
    int64_t x, y, r;
    bool ka = ix_known(l, a, &x), kb = ix_known(l, b, &y);
    if (ka && kb && fold(o, x, y, &r)) return ix_int(l, r);
    if (kb && y == 0 && (o == EX_ADD || o == EX_SUB)) return a;
    if (ka && x == 0 && o == EX_ADD) return b;
    if (kb && y == 1 && (o == EX_MUL || o == EX_DIV)) return a;
    if (ka && x == 1 && o == EX_MUL) return b;
    if ((ka && x == 0 && o == EX_MUL) || (kb && y == 0 && o == EX_MUL)) return ix_int(l, 0);
    if (kb && y == 1 && o == EX_MOD) return ix_int(l, 0);
    if ((o == EX_MIN || o == EX_MAX) && low_same(l, a, b)) return a;
    if (o == EX_SUB && low_same(l, a, b)) return ix_int(l, 0);
    Expr *e = te_node(l->op, o, DT_INDEX, 2, (Expr *[]){a, b}, a->span);
    if (o == EX_DIV || o == EX_MOD) e->site = -1;
    return e;
}

bool low_same(const Lower *l, const Expr *a, const Expr *b)
{
    if (a == b) return true;
    int64_t x, y;
    if (ix_known(l, a, &x) && ix_known(l, b, &y)) return x == y;
    if (a->op != b->op || a->type != b->type || a->nargs != b->nargs) return false;
    switch (a->op) {
    case EX_INT: return a->i == b->i;
    case EX_VAR: return a->var == b->var;
    case EX_DIM:
    case EX_CONST: return a->sym == b->sym;
    case EX_LOAD:
    case EX_REDUCE:
    case EX_FLOAT: return false;
    default: break;
    }
    for (int i = 0; i < a->nargs; i++)
        if (!low_same(l, a->arg[i], b->arg[i])) return false;
    return true;
}

void low_walk(Lower *l) { l->walks++; }

bool low_first(Lower *l, const Expr *e)
{
    if (e->id >= l->nwalk) {
        int n = l->op->nexprs * 2 + 64, *grown = NEW_ARRAY(l->mem, int, n);
        Expr **made = NEW_ARRAY(l->mem, Expr *, n);
        if (l->nwalk) {
            memcpy(grown, l->walk, sizeof *grown * (size_t)l->nwalk);
            memcpy(made, l->made, sizeof(Expr *) * (size_t)l->nwalk);
        }
        l->made = made;
        l->walk = grown;
        l->nwalk = n;
    }
    bool first = l->walk[e->id] != l->walks;
    l->walk[e->id] = l->walks;
    return first;
}

static bool reads(Lower *l, Expr *e, const Tensor *t, const Expr *but)
{
    if (e == but || !low_first(l, e)) return false;
    if (e->op == EX_LOAD && e->load.t == t) return true;
    for (int i = 0; i < te_nchildren(e); i++)
        if (reads(l, te_child(e, i), t, but)) return true;
    return false;
}

bool low_reads(Lower *l, Expr *e, const Tensor *t, const Expr *but)
{
    low_walk(l);
    return reads(l, e, t, but);
}

bool ix_over_dims(const Expr *e)
{
    if (e->op == EX_VAR || e->op == EX_LOAD) return false;
    for (int i = 0; i < te_nchildren(e); i++)
        if (!ix_over_dims(te_child(e, i))) return false;
    return true;
}

/* A dim without a size: its default, its first hint, or what a middling tensor has. */
int64_t ix_guess(const Lower *l, const Expr *e)
{
    int64_t v;
    if (ix_known(l, e, &v)) return v;
    int64_t *size = NEW_ARRAY(l->mem, int64_t, l->op->ndims + 1);
    for (int i = 0; i < l->op->ndims; i++) {
        const Dim *d = &l->op->dim[i];
        size[i] = d->value >= 0 ? d->value : d->nhints ? d->hint[d->nhints - 1] : d->has_default ? d->dflt : 512;
        if (size[i] < d->lo) size[i] = d->lo;
        if (size[i] > d->hi) size[i] = d->hi;
    }
    if (te_eval_size_at(l->op, e, size, &v)) return v;
    return 256;
}

Expr *low_num(Lower *l, DType t, Num v, Span s)
{
    if (!te_is_float(t)) return te_int(l->op, t, v.i, s);
    return te_float(l->op, t, te_type[t].reg == RC_F64 ? v.d : (double)v.f, s);
}

Expr *low_read(Lower *l, Tensor *buf, int n, Expr *const *ix, Span s)
{
    Expr *e = te_load(l->op, buf, n, ix, NULL, s);
    e->flag = LOAD_PROVED;
    return e;
}

const View *low_view(const Lower *l, const Tensor *t)
{
    for (int i = l->views.n - 1; i >= 0; i--)
        if (l->views.at[i]->of == t) return l->views.at[i];
    return NULL;
}

void low_limited(Lower *l, Expr *e, int64_t most) { VEC_PUSH(l->mem, &l->limits, (Limit){e, most}); }

int64_t low_limit(const Lower *l, const Expr *e)
{
    for (int i = l->limits.n - 1; i >= 0; i--)
        if (low_same(l, l->limits.at[i].e, e)) return l->limits.at[i].most;
    return -1;
}

/* ---- expressions
 * ------------------------------------------------------------------------------------------------------ */
void low_stands_for(Lower *l, Expr *from, Expr *to) { VEC_PUSH(l->mem, &l->memo, (Memo){from, to}); }

static Expr *recall(const Lower *l, const Expr *e)
{
    for (int i = l->memo.n - 1; i >= 0; i--)
        if (l->memo.at[i].from == e) return l->memo.at[i].to;
    return NULL;
}

Expr **low_place(Lower *l, const Tensor *t, Expr *const *ix, int *n)
{
    int drop = t->kind == TK_LET && l->store[t->id] ? l->dropped[t->id] : 0;
    *n = t->rank - drop;
    Expr **out = NEW_ARRAY(l->mem, Expr *, *n + 1);
    for (int i = 0; i < *n; i++) out[i] = ix[i + drop];
    return out;
}

/* e lowered where it is evaluated only if cond (or !cond) holds. Reductions inside become loops under that condition.
 */
static Expr *lower_under(Lower *l, Expr *cond, bool holds, Expr *e)
{
    if (!te_has_reduce(e)) return low_expr(l, e);
    Nest n;
    low_open(l, &n);
    Expr *r = low_expr(l, e);
    Block b = low_close(l, &n);
    /* Accumulators outlive the condition: their allocs move before it. */
    Block body = {0, NEW_ARRAY(l->mem, Stmt *, b.n + 1)};
    for (int i = 0; i < b.n; i++) {
        if (b.at[i]->kind == ST_ALLOC)
            low_emit(l, b.at[i]);
        else
            body.at[body.n++] = b.at[i];
    }
    Expr *c = holds ? cond : te_node(l->op, EX_NOT, DT_U1, 1, &cond, cond->span);
    if (body.n) low_emit(l, tile_if(l->p, c, body, (Block){0}, e->span));
    return r;
}

/* True where every index of a guarded access is in bounds. */
static Expr *in_bounds(Lower *l, const Tensor *t, Expr *const *ix)
{
    Expr *all = NULL;
    for (int i = 0; i < t->rank; i++) {
        Expr *lo = te_node(l->op, EX_GE, DT_U1, 2, (Expr *[]){ix[i], ix_int(l, 0)}, ix[i]->span);
        Expr *hi = te_node(l->op, EX_LT, DT_U1, 2, (Expr *[]){ix[i], low_expr(l, t->shape[i])}, ix[i]->span);
        Expr *both = te_node(l->op, EX_AND, DT_U1, 2, (Expr *[]){lo, hi}, ix[i]->span);
        all = all ? te_node(l->op, EX_AND, DT_U1, 2, (Expr *[]){all, both}, ix[i]->span) : both;
    }
    return all;
}

static bool same_access(const Lower *l, const Expr *a, const Expr *b)
{
    for (int i = 0; i < a->nargs; i++)
        if (!low_same(l, a->arg[i], b->arg[i])) return false;
    return true;
}

static Expr *lower_load(Lower *l, Expr *e)
{
    Tensor *t = e->load.t;
    Expr **ix = NEW_ARRAY(l->mem, Expr *, t->rank + 1);
    for (int i = 0; i < t->rank; i++) ix[i] = low_expr(l, e->arg[i]);
    Expr *other = NULL;
    if (e->load.other) {
        if (te_has_reduce(e->load.other)) {
            Expr *in = in_bounds(l, t, ix);
            other = in ? lower_under(l, in, false, e->load.other) : low_expr(l, e->load.other);
        } else
            other = low_expr(l, e->load.other);
    }
    const View *v = low_view(l, t);
    if (v && (!v->load || same_access(l, v->load, e))) return view_read(l, v, e, ix, other);
    Tensor *from = t;
    if (l->now && l->now->snapshot && t == l->now->def->out[0] && !fuse_self_earlier(l, l->now, e))
        from = l->now->old;
    else if (t->kind == TK_LET)
        from = l->store[t->id];
    int n;
    Expr **at = low_place(l, t, ix, &n);
    Expr *r = te_load(l->op, from, n, at, other, e->span);
    r->flag = e->flag;
    r->load.site = e->load.site;
    return r;
}

static bool may_divide_by_zero(const Expr *e)
{
    return (e->op == EX_DIV || e->op == EX_MOD) && !te_is_float((DType)e->type);
}

static Expr *rebuild(Lower *l, Expr *e)
{
    Expr **arg = NEW_ARRAY(l->mem, Expr *, e->nargs + 1);
    bool same = true;
    for (int i = 0; i < e->nargs; i++) {
        bool guarded = (e->op == EX_SELECT && i > 0) || ((e->op == EX_AND || e->op == EX_OR) && i == 1);
        bool holds = e->op == EX_AND || (e->op == EX_SELECT && i == 1);
        arg[i] = guarded ? lower_under(l, arg[0], holds, e->arg[i]) : low_expr(l, e->arg[i]);
        same = same && arg[i] == e->arg[i];
    }
    if (same) return e;
    if (e->op == EX_CAST) return te_cast(l->op, (DType)e->type, arg[0], e->span);
    Expr *r = te_node(l->op, (ExprOp)e->op, (DType)e->type, e->nargs, arg, e->span);
    if (may_divide_by_zero(e)) r->site = e->site;
    return r;
}

Expr *low_expr(Lower *l, Expr *e)
{
    switch (e->op) {
    case EX_INT:
    case EX_FLOAT: return e;
    case EX_VAR: return e->var->id < l->nbound && l->bound[e->var->id] ? l->bound[e->var->id] : e;
    case EX_CONST: return l->op->cst[e->sym].value;
    case EX_DIM: {
        int64_t v = l->op->dim[e->sym].value;
        return v >= 0 ? ix_int(l, v) : e;
    }
    default: break;
    }
    Expr *r = recall(l, e);
    if (r) return r;
    if (e->op == EX_LOAD)
        r = lower_load(l, e);
    else if (e->op == EX_REDUCE)
        r = low_reduce(l, e);
    else if (e->type == DT_INDEX && e->nargs == 2 && e->op != EX_DIV && e->op != EX_MOD)
        r = ix_op(l, (ExprOp)e->op, low_expr(l, e->arg[0]), low_expr(l, e->arg[1]));
    else
        r = rebuild(l, e);
    low_stands_for(l, e, r);
    return r;
}

/* ---- definitions
 * ------------------------------------------------------------------------------------------------------- */
Expr **low_result_place(Lower *l, const Work *w, const Tensor *t, Tensor **to, int *n)
{
    Expr **ix = NEW_ARRAY(l->mem, Expr *, w->nix + 1);
    for (int i = 0; i < w->nix; i++) ix[i] = l->bound[w->ix[i]->id];
    const View *v = low_view(l, t);
    if (v) {
        *to = v->buf;
        return view_place(l, v, ix, n);
    }
    *to = t->kind == TK_LET ? l->store[t->id] : (Tensor *)t;
    return low_place(l, t, ix, n);
}

void low_store(Lower *l, const Work *w, Tensor *t, Expr *value)
{
    int n;
    Tensor *to;
    Expr **at = low_result_place(l, w, t, &to, &n);
    low_emit(l, tile_store(l->p, to, at, value, w->def->span));
}

/* The free variables of w after the group's, in the order in which they are looped over: the variable of a recurrence
 * first. */
static int free_order(Lower *l, const Work *w, int depth, const DefPlan *plan, Var **order)
{
    int n = 0;
    if (w->def->seq)
        for (int i = depth; i < w->nix; i++)
            if (w->ix[i] == w->def->seq) order[n++] = w->ix[i];
    for (int i = depth; i < w->nix; i++)
        if (w->ix[i] != w->def->seq && !(plan->vec == w->ix[i] && !plan->vec_reduces)) order[n++] = w->ix[i];
    if (plan->vec && !plan->vec_reduces) order[n++] = plan->vec;
    (void)l;
    return n;
}

/* Will a result written in lanes have left the caches before anybody reads it? Then it need not go through them. */
static bool streams(Lower *l, const Tensor *t)
{
    if (l->mode == SCHED_NONE || !l->in_lanes || t->kind != TK_OUTPUT || te_type[t->type].bits < 8) return false;
    double bytes = 0, cache = (double)(l->target->l3 ? l->target->l3 : 4 * l->target->l2);
    for (int i = 0; i < l->op->nparams; i++) {
        const Tensor *p = l->op->tensor[i];
        double n = te_type[p->type].bits / 8.0;
        for (int d = 0; d < p->rank; d++) n *= (double)ix_guess(l, p->shape[d]);
        bytes += n;
    }
    if (cache <= 0 || bytes <= cache) return false;
    for (int i = 0; i < l->nworks; i++)
        if (!l->work[i].gone && low_reads(l, l->work[i].rhs, t, NULL)) return false;
    return true;
}

static void emit_value(Lower *l, const Work *w, const DefPlan *plan)
{
    if (plan->vec_reduces) {
        l->lane_red = plan->vec;
        l->lane_width = plan->width;
    }
    Expr *v = low_expr(l, w->rhs);
    low_store(l, w, w->def->out[0], v);
    l->out->at[l->out->n - 1]->store.stream = streams(l, w->def->out[0]);
    l->lane_red = NULL;
}

static void emit_nest(Lower *l, const Work *w, const DefPlan *plan, Var **order, int n, int at)
{
    if (at == n) {
        emit_value(l, w, plan);
        return;
    }
    Var *v = order[at];
    bool lanes = v == plan->vec && !plan->vec_reduces;
    bool par = at == 0 && plan->parallel && !lanes && v != w->def->seq;
    Loop lp;
    low_loop(l, &lp, v->name, low_expr(l, v->lo), low_expr(l, v->hi), w->def->span);
    low_bind(l, v, ix_var(l, lp.var));
    bool was_parallel = l->in_parallel, was_lanes = l->in_lanes;
    l->in_parallel |= par;
    l->in_lanes |= lanes;
    if (lanes) ahead_emit(l, v);
    emit_nest(l, w, plan, order, n, at + 1);
    l->in_parallel = was_parallel;
    l->in_lanes = was_lanes;
    low_loop_end(l, &lp, 1, lanes ? LOOP_VECTOR : par ? LOOP_PARALLEL : LOOP_SERIAL, lanes ? plan->width : 0, v, 0);
}

/* A flat parallel loop in pieces: for a one-dimensional map there is no outer loop to share out, so one is made. */
static bool emit_chunked(Lower *l, const Work *w, DefPlan *plan, Var **order, int n)
{
    enum { CHUNK = 16384 };
    if (!plan->parallel || n != 1 || order[0] != plan->vec || plan->vec_reduces) return false;
    Expr *lo = low_expr(l, order[0]->lo), *hi = low_expr(l, order[0]->hi);
    if (ix_guess(l, ix_op(l, EX_SUB, hi, lo)) < 2 * CHUNK) return false;
    Loop outer, inner;
    low_loop(l, &outer, arena_printf(l->mem, "%so", order[0]->name), lo, hi, w->def->span);
    Expr *from = ix_var(l, outer.var);
    low_loop(l, &inner, order[0]->name, from, ix_op(l, EX_MIN, ix_op(l, EX_ADD, from, ix_int(l, CHUNK)), hi),
             w->def->span);
    low_bind(l, order[0], ix_var(l, inner.var));
    bool was = l->in_lanes;
    l->in_lanes = true;
    emit_value(l, w, plan);
    l->in_lanes = was;
    low_loop_end(l, &inner, 1, LOOP_VECTOR, plan->width, order[0], 1);
    low_loop_end(l, &outer, CHUNK, LOOP_PARALLEL, 0, order[0], 0);
    return true;
}

static void emit_topk(Lower *l, const Work *w, int depth, int at, bool parallel)
{
    while (at < w->nix && at == w->def->slot_at) at++;
    if (at >= w->nix) {
        low_topk(l, w);
        return;
    }
    if (at < depth) return;
    Var *v = w->ix[at];
    Loop lp;
    low_loop(l, &lp, v->name, low_expr(l, v->lo), low_expr(l, v->hi), w->def->span);
    low_bind(l, v, ix_var(l, lp.var));
    emit_topk(l, w, depth, at + 1, false);
    low_loop_end(l, &lp, 1, parallel ? LOOP_PARALLEL : LOOP_SERIAL, 0, v, 0);
}

/* Copy an inout's values before they are overwritten at places other than the one being computed. */
void low_snapshot(Lower *l, Work *w)
{
    Tensor *t = w->def->out[0];
    Expr **shape = NEW_ARRAY(l->mem, Expr *, t->rank + 1);
    for (int i = 0; i < t->rank; i++) shape[i] = low_expr(l, t->shape[i]);
    w->old = low_buffer(l, arena_printf(l->mem, "%s_old", t->name), t->type, SCOPE_LOCAL, t->rank, shape, w->def->span);
    Loop *lp = NEW_ARRAY(l->mem, Loop, t->rank + 1);
    Expr **ix = NEW_ARRAY(l->mem, Expr *, t->rank + 1);
    for (int i = 0; i < t->rank; i++) {
        low_loop(l, &lp[i], arena_printf(l->mem, "%s_%d", t->name, i), ix_int(l, 0), shape[i], w->def->span);
        ix[i] = ix_var(l, lp[i].var);
    }
    low_emit(l, tile_store(l->p, w->old, ix, low_read(l, t, t->rank, ix, w->def->span), w->def->span));
    for (int i = t->rank - 1; i >= 0; i--) {
        bool lanes = l->mode != SCHED_NONE && i == t->rank - 1 && !l->in_lanes;
        low_loop_end(l, &lp[i], 1, lanes ? LOOP_VECTOR : LOOP_SERIAL, lanes ? target_lanes(l->target, 4) : 0, NULL, 0);
    }
}

static void emit_def(Lower *l, Work *w, int depth)
{
    l->now = w;
    int mark = l->memo.n;
    DefPlan plan = plan_def(l, w, depth);
    if (w->snapshot) low_snapshot(l, w);
    if (w->def->slot_at >= 0)
        emit_topk(l, w, depth, depth, plan.parallel);
    else if (l->mode == SCHED_NONE || !contract_emit(l, w, depth)) {
        Var **order = NEW_ARRAY(l->mem, Var *, w->nix + 1);
        int n = free_order(l, w, depth, &plan, order);
        if (plan.vec)
            low_why(l, "%s: %d lanes over %s (%s)", w->def->name, plan.width, plan.vec->name,
                    plan.vec_reduces ? "partial results, combined at the end" : "consecutive results");
        if (!emit_chunked(l, w, &plan, order, n)) emit_nest(l, w, &plan, order, n, 0);
    }
    l->memo.n = mark;
    l->now = NULL;
}

/* ---- groups
 * ------------------------------------------------------------------------------------------------------------ */
static bool used_after(Lower *l, const Tensor *t, int last)
{
    for (int i = last + 1; i < l->nworks; i++)
        if (!l->work[i].gone && low_reads(l, l->work[i].rhs, t, NULL)) return true;
    return false;
}

/* Buffers of the lets that group g defines: those read by later groups are whole and stand before the loops, the others
 * live inside. */
static void place_lets(Lower *l, const Group *g, bool inside)
{
    for (int i = g->first; i <= g->last; i++) {
        const Def *d = l->work[i].def;
        for (int o = 0; o < d->nout && !l->work[i].gone; o++) {
            Tensor *t = d->out[o];
            if (t->kind != TK_LET || l->store[t->id]) continue;
            bool whole = g->depth == 0 || used_after(l, t, g->last);
            if (whole == inside) continue;
            int drop = whole ? 0 : g->depth;
            Expr **shape = NEW_ARRAY(l->mem, Expr *, t->rank + 1);
            for (int k = drop; k < t->rank; k++) shape[k - drop] = low_expr(l, t->shape[k]);
            Tensor *b = low_buffer(l, t->name, t->type, t->rank == drop ? SCOPE_REG : SCOPE_LOCAL, t->rank - drop,
                                   shape, d->span);
            l->store[t->id] = b;
            l->dropped[t->id] = drop;
        }
    }
}

static bool lanes_over_group(Lower *l, const Group *g)
{
    if (l->mode == SCHED_NONE || g->depth == 0) return false;
    for (int i = g->first; i <= g->last; i++)
        if (!l->work[i].gone &&
            (l->work[i].nix > g->depth || te_has_reduce(l->work[i].rhs) || l->work[i].def->nout > 1))
            return false;
    return true;
}

static double group_work(Lower *l, const Group *g)
{
    double sum = 0;
    for (int i = g->first; i <= g->last; i++)
        if (!l->work[i].gone) sum += plan_work(l, &l->work[i]);
    return sum;
}

/* Group variables of the first definition stand for those of every member. */
static void bind_outer(Lower *l, const Group *g, int level, Expr *to)
{
    for (int i = g->first; i <= g->last; i++)
        if (!l->work[i].gone) low_bind(l, l->work[i].ix[level], to);
}

static int group_width(const Lower *l, const Group *g)
{
    int bytes = 4;
    for (int i = g->first; i <= g->last; i++)
        if (!l->work[i].gone && te_type[l->work[i].def->out[0]->type].reg == RC_F64) bytes = 8;
    return target_lanes(l->target, bytes) * 2;
}

static void emit_members(Lower *l, const Group *g)
{
    place_lets(l, g, true);
    for (int i = g->first; i <= g->last; i++)
        if (!l->work[i].gone) emit_def(l, &l->work[i], g->depth);
}

static void emit_group(Lower *l, const Group *g)
{
    place_lets(l, g, false);
    if (g->depth == 0) {
        emit_members(l, g);
        return;
    }
    bool lanes = lanes_over_group(l, g);
    bool parallel = l->threads > 1 && group_work(l, g) >= 1e5;
    bool chunks = lanes && g->depth == 1;
    enum { CHUNK = 8192 };
    Loop *lp = NEW_ARRAY(l->mem, Loop, g->depth + 1), outer = {0};
    Expr *first_lo = NULL, *first_hi = NULL;
    for (int d = 0; d < g->depth; d++) {
        Expr *lo = low_expr(l, g->outer[d]->lo), *hi = low_expr(l, g->outer[d]->hi);
        if (d == 0 && chunks) {
            first_lo = lo, first_hi = hi;
            low_loop(l, &outer, arena_printf(l->mem, "%so", g->outer[0]->name), first_lo, first_hi, (Span){0});
            lo = ix_var(l, outer.var);
            hi = ix_op(l, EX_MIN, ix_op(l, EX_ADD, lo, ix_int(l, CHUNK)), first_hi);
        }
        low_loop(l, &lp[d], g->outer[d]->name, lo, hi, g->outer[d]->span);
        bind_outer(l, g, d, ix_var(l, lp[d].var));
    }
    bool was_parallel = l->in_parallel, was_lanes = l->in_lanes;
    l->in_parallel |= parallel;
    l->in_lanes |= lanes;
    ahead_choose(l, g);
    emit_members(l, g);
    l->ahead = NULL;
    l->in_parallel = was_parallel;
    l->in_lanes = was_lanes;
    for (int d = g->depth - 1; d >= 0; d--) {
        bool here = lanes && d == g->depth - 1;
        bool par = parallel && d == 0 && !here;
        low_loop_end(l, &lp[d], 1,
                     here  ? LOOP_VECTOR
                     : par ? LOOP_PARALLEL
                           : LOOP_SERIAL,
                     here ? group_width(l, g) : 0, g->outer[d], chunks && d == 0);
    }
    if (chunks) low_loop_end(l, &outer, CHUNK, parallel ? LOOP_PARALLEL : LOOP_SERIAL, 0, g->outer[0], 0);
}

/* The depth of e as a tree; depth[]: of what is known already, by expression id. */
static int depth_of(Lower *l, int *depth, const Expr *e)
{
    if (depth[e->id]) return depth[e->id];
    int deepest = 0;
    for (int i = 0; i < te_nchildren(e); i++) {
        int d = depth_of(l, depth, te_child(e, i));
        if (d > deepest) deepest = d;
    }
    return depth[e->id] = deepest + 1;
}

static void define_works(Lower *l)
{
    l->work = NEW_ARRAY(l->mem, Work, l->op->ndefs + 1);
    l->nworks = l->op->ndefs;
    const bool *live = te_live_defs(l->mem, l->op);
    int *depth = NEW_ARRAY(l->mem, int, l->op->nexprs + 1);
    for (int i = 0; i < l->op->ndefs; i++) {
        const Def *d = l->op->def[i];
        l->work[i] = (Work){.unused = !live[i],
                            .def = d,
                            .nix = d->nix,
                            .ix = d->ix,
                            .rhs = d->rhs,
                            .depth = depth_of(l, depth, d->rhs)};
    }
}

static void start(Lower *l)
{
    TeOp *op = l->op;
    l->nstore = op->ntensors;
    l->store = NEW_ARRAY(l->mem, Tensor *, op->ntensors + 1);
    l->dropped = NEW_ARRAY(l->mem, int, op->ntensors + 1);
    define_works(l);
    for (int i = 0; i < op->ndims; i++) take_name(l, op->dim[i].name, 2);
    for (int i = 0; i < op->nconsts; i++) take_name(l, op->cst[i].name, 2);
}

/* What Tile IR does not know: lets have become buffers, definitions statements. */
static void drop_lets(TeOp *op)
{
    int n = 0;
    for (int i = 0; i < op->ntensors; i++) {
        if (op->tensor[i]->kind == TK_LET) continue;
        op->tensor[n] = op->tensor[i];
        op->tensor[n]->id = n;
        n++;
    }
    op->ntensors = n;
    op->ndefs = 0;
}

void low_start(Lower *l, Arena *mem, const TeOp *op, const Target *t, Numerics num, SchedMode mode, int threads,
               Text *why)
{
    TileProg *p = NEW(mem, TileProg);
    *p = (TileProg){.mem = mem, .op = te_clone(mem, op), .target = t->name, .num = num};
    *l =
        (Lower){.mem = mem, .p = p, .op = p->op, .target = t, .num = num, .mode = mode, .threads = threads, .why = why};
    l->out = NEW(mem, Stmts);
    start(l);
}

TileProg *low_finish(Lower *l)
{
    l->p->body = (Block){l->out->n, l->out->at};
    drop_lets(l->p->op);
    return l->p;
}

void low_restart(Lower *l)
{
    if (l->nbound) memset(l->bound, 0, sizeof *l->bound * (size_t)l->nbound);
    l->views.n = l->limits.n = l->memo.n = 0;
    l->ngroups = 0;
    define_works(l);
    for (int i = 0; i < l->nstore; i++) {
        l->store[i] = NULL;
        l->dropped[i] = 0;
    }
}

/* As the heuristic does it, whatever was planned or emitted before. */
void low_default(Lower *l)
{
    l->mode = SCHED_DEFAULT;
    low_restart(l);
    fuse_inline(l);
    fuse_groups(l);
    for (int i = 0; i < l->ngroups; i++) emit_group(l, &l->group[i]);
}
