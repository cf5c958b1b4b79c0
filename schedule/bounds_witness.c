/* bounds_witness.c: the search for a counterexample: sizes within their ranges that satisfy every `where`, values of
 * the index variables within theirs under which the access is evaluated, and data, such that the answer is no. It is
 * evaluated, not derived: what is found is real (what a reduction in a condition gives is taken to be anything).
 *
 * Sizes that are tried: the smallest ones, defaults, hints, those near numbers of the program, and those of the point
 * that ISL found when the proof failed, smaller ones first; variables: all of a short range, the ends of a long one.
 * The search ends after STEPS evaluated nodes. Allocates only before it starts. Data is a hash of tensor, index and
 * seed, so that an element has one value. */
#include "ir/num.h"
#include "schedule/bounds.h"

#include <string.h>

enum {
    STEPS = 600000,       /* nodes evaluated in one search */
    STEPS_A_SIZE = 30000, /* and at one choice of sizes and data */
    TUPLES = 6000,
    POOL = 16,      /* values tried for a dim */
    DIMS_MOST = 64, /* dims that vary in one search */
    NUMBERS = 12,   /* of the program, kept */
    SEEDS = 8
};

typedef struct Env {
    const Bounds *b;
    const TeOp *op;
    int64_t *dim, *var;
    uint64_t seed;
    long steps;
    bool bad; /* a division by 0, an access out of bounds elsewhere, or out of steps: says nothing */
    /* the search */
    const Question *q;
    const Ctx **ctx; /* from outer to inner */
    int nctx;
    bool *var_tried; /* by Var.id: matters to the answer; others stay at their range's start */
    int64_t number[NUMBERS];
    int nnumbers;
    int64_t x, y;
    bool reached; /* a point was evaluated */
    bool spoiled; /* a point said nothing */
} Env;

/* ---- evaluation ------------------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

static Num any_value(const Env *env, DType t, uint64_t h)
{
    static const int64_t small[] = {0, 1, -1, 2, 3, -2, 5, 4};
    int64_t v = small[h % 8];
    h = mix(h);
    if (h % 4 == 0 && env->op->ndims) v = env->dim[(h >> 8) % (uint64_t)env->op->ndims] - (int64_t)(h >> 40) % 2;
    if (te_type[t].cls != 'F') return (Num){.i = num_wrap(t, v)};
    return num_cast(t, DT_I64, (Num){.i = v});
}

static Num eval(Env *env, const Expr *e);

static bool in_bounds(Env *env, const Expr *load)
{
    for (int i = 0; i < load->nargs && !env->bad; i++) {
        int64_t ix = eval(env, load->arg[i]).i;
        if (ix < 0 || ix >= eval(env, load->load.t->shape[i]).i) return false;
    }
    return true;
}

static Num eval_load(Env *env, const Expr *e)
{
    if (!in_bounds(env, e)) {
        if (e->load.other && !env->bad) return eval(env, e->load.other);
        env->bad = true;
        return (Num){0};
    }
    uint64_t h = mix(env->seed * 977 + (uint64_t)e->load.t->id);
    for (int i = 0; i < e->nargs; i++) h = mix(h * 31 + (uint64_t)eval(env, e->arg[i]).i);
    return any_value(env, (DType)e->type, h);
}

/* Sizes at which an index does not fit in 64 bits say nothing: no such tensor exists. */
static int64_t eval_index(Env *env, ExprOp op, int64_t x, int64_t y, int64_t z)
{
    int64_t r = 0;
    switch (op) {
    case EX_ADD: env->bad |= __builtin_add_overflow(x, y, &r); return r;
    case EX_SUB: env->bad |= __builtin_sub_overflow(x, y, &r); return r;
    case EX_MUL: env->bad |= __builtin_mul_overflow(x, y, &r); return r;
    case EX_NEG: env->bad |= __builtin_sub_overflow(0, x, &r); return r;
    case EX_ABS:
        if (x >= 0) return x;
        env->bad |= __builtin_sub_overflow(0, x, &r);
        return r;
    case EX_MIN: return x < y ? x : y;
    case EX_MAX: return x > y ? x : y;
    case EX_CLAMP: return x < y ? (y < z ? y : z) : x < z ? x : z;
    case EX_DIV:
    case EX_MOD:
        if (y == 0 || (y == -1 && x == INT64_MIN)) {
            env->bad = true;
            return 0;
        }
        r = x / y - (x % y != 0 && (x < 0) != (y < 0));
        return op == EX_DIV ? r : x - r * y;
    case EX_EQ: return x == y;
    case EX_NE: return x != y;
    case EX_LT: return x < y;
    case EX_LE: return x <= y;
    case EX_GT: return x > y;
    case EX_GE: return x >= y;
    default: env->bad = true; return 0;
    }
}

static Num eval_cast(Env *env, const Expr *e)
{
    Num x = eval(env, e->arg[0]);
    DType from = (DType)e->arg[0]->type, to = (DType)e->type;
    if (from == to) return x;
    if (te_type[from].reg == RC_I64 && to == DT_INDEX) return x;
    if (from == DT_INDEX && te_type[to].reg == RC_I64) return (Num){.i = num_wrap(to, x.i)};
    return num_cast(to == DT_INDEX ? DT_I64 : to, from == DT_INDEX ? DT_I64 : from, x);
}

static Num eval_op(Env *env, const Expr *e)
{
    Num arg[3] = {{0}};
    bool div0 = false;
    if (e->nargs > 3 || e->nargs < 1) {
        env->bad = true;
        return (Num){0};
    }
    for (int i = 0; i < e->nargs; i++) arg[i] = eval(env, e->arg[i]);
    if (env->bad) return (Num){0};
    if (e->arg[0]->type == DT_INDEX) return (Num){.i = eval_index(env, (ExprOp)e->op, arg[0].i, arg[1].i, arg[2].i)};
    Num r = num_op((ExprOp)e->op, (DType)e->arg[0]->type, arg, &div0);
    env->bad |= div0;
    return r;
}

static Num eval(Env *env, const Expr *e)
{
    if (--env->steps < 0) env->bad = true;
    if (env->bad) return (Num){0};
    switch ((ExprOp)e->op) {
    case EX_INT: return (Num){.i = e->i};
    case EX_FLOAT: return te_type[e->type].reg == RC_F64 ? (Num){.d = e->f} : (Num){.f = (float)e->f};
    case EX_VAR: return (Num){.i = env->var[e->var->id]};
    case EX_DIM: return (Num){.i = env->dim[e->sym]};
    case EX_CONST: return eval(env, env->op->cst[e->sym].value);
    case EX_LOAD: return eval_load(env, e);
    case EX_REDUCE: {
        uint64_t h = mix(env->seed + (uint64_t)e->id * 31);
        for (int i = 0; i < env->nctx; i++)
            if (env->ctx[i]->kind == CTX_VAR) h = mix(h + (uint64_t)env->var[env->ctx[i]->var->id]);
        return any_value(env, (DType)e->type, h);
    }
    case EX_SELECT: return eval(env, e->arg[eval(env, e->arg[0]).i ? 1 : 2]);
    case EX_AND: return eval(env, e->arg[0]).i ? eval(env, e->arg[1]) : (Num){.i = 0};
    case EX_OR: return eval(env, e->arg[0]).i ? (Num){.i = 1} : eval(env, e->arg[1]);
    case EX_NOT: return (Num){.i = !eval(env, e->arg[0]).i};
    case EX_PICK: {
        Num x = eval(env, e->arg[1]), y = eval(env, e->arg[2]);
        return eval(env, e->arg[0]).i ? x : y;
    }
    case EX_CAST: return eval_cast(env, e);
    default: return eval_op(env, e);
    }
}

/* ---- one choice of sizes and data ------------------------------------------------------------------------------ */

static bool answer_is_no(Env *env)
{
    env->x = eval(env, env->q->x).i;
    env->y = eval(env, env->q->y).i;
    if (env->bad) return false;
    env->reached = true;
    switch (env->q->ask) {
    case ASK_INDEX: return env->x < 0 || env->x >= env->y;
    case ASK_LESS: return env->x >= env->y;
    }
    return false;
}

static bool descend(Env *env, int k);

static bool try_var(Env *env, int k, int64_t v)
{
    env->var[env->ctx[k]->var->id] = v;
    bool found = descend(env, k + 1);
    env->spoiled |= env->bad;
    if (env->steps >= 0) env->bad = false; /* this point says nothing; the next may */
    return found;
}

static bool each_value(Env *env, int k)
{
    const Var *v = env->ctx[k]->var;
    int64_t lo = eval(env, v->lo).i, hi = eval(env, v->hi).i;
    if (env->bad || hi <= lo) return false;
    if (!env->var_tried[v->id]) return try_var(env, k, lo);
    if (hi - lo <= 6) {
        for (int64_t i = lo; i < hi; i++)
            if (try_var(env, k, i)) return true;
        return false;
    }
    int64_t some[] = {lo, lo + 1, lo + 2, lo + (hi - lo) / 2, hi - 3, hi - 2, hi - 1};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        if (try_var(env, k, some[i])) return true;
    int64_t hint = env->b->var_hint[v->id];
    if (hint >= lo && hint < hi && try_var(env, k, hint)) return true;
    for (int i = 0; i < env->nnumbers; i++)
        for (int64_t n = env->number[i] - 1; n <= env->number[i] + 1; n++)
            if (n >= lo && n < hi && try_var(env, k, n)) return true;
    return false;
}

static bool descend(Env *env, int k)
{
    for (; k < env->nctx; k++) {
        const Ctx *c = env->ctx[k];
        if (c->kind == CTX_VAR) return each_value(env, k);
        if (c->kind == CTX_COND && (eval(env, c->cond).i != 0) == c->neg) return false;
        if (c->kind == CTX_ACCESS && in_bounds(env, c->cond) == c->neg) return false;
        if (env->bad) return false;
    }
    return answer_is_no(env);
}

static bool sizes_allowed(Env *env, const bool *rel)
{
    const TeOp *op = env->op;
    env->steps = STEPS_A_SIZE;
    for (int i = 0; i < op->nchecks; i++) {
        if (!rel[i]) continue;
        env->bad = false;
        if (!eval(env, op->check[i].cond).i || env->bad) return false;
    }
    env->bad = false;
    return true;
}

/* ---- what matters ---------------------------------------------------------------------------------------------- */

typedef struct Uses {
    bool *dim, *var;
    Env *env;
    bool changed, data;
} Uses;

static void note_number(Env *env, int64_t v)
{
    if (v < 2 || v > 1 << 24 || env->nnumbers == NUMBERS) return;
    for (int i = 0; i < env->nnumbers; i++)
        if (env->number[i] == v) return;
    env->number[env->nnumbers++] = v;
}

static void use(Uses *u, const Expr *e)
{
    if (e->op == EX_DIM && !u->dim[e->sym]) u->changed = u->dim[e->sym] = true;
    if (e->op == EX_VAR && !u->var[e->var->id]) u->changed = u->var[e->var->id] = true;
    if (e->op == EX_INT && te_type[e->type].reg == RC_I64) note_number(u->env, e->i);
    if (e->op == EX_CONST && u->env->op->cst[e->sym].value) use(u, u->env->op->cst[e->sym].value);
    if (e->op == EX_LOAD) {
        u->data = true;
        for (int i = 0; i < e->nargs; i++) use(u, e->load.t->shape[i]);
    }
    if (e->op == EX_REDUCE) {
        u->data = true;
        return; /* anything */
    }
    for (int i = 0, n = te_nchildren(e); i < n; i++) use(u, te_child(e, i));
}

static bool mentions(const Expr *e, const bool *dim)
{
    if (e->op == EX_DIM) return dim[e->sym];
    for (int i = 0; i < e->nargs; i++)
        if (mentions(e->arg[i], dim)) return true;
    return false;
}

/* 0..N: there is something in it whatever the other sizes are. */
static bool never_empty(const TeOp *op, const Var *v)
{
    if (v->lo->op != EX_INT || v->lo->i != 0) return false;
    return v->hi->op == EX_DIM ? op->dim[v->hi->sym].lo >= 1 : v->hi->op == EX_INT && v->hi->i >= 1;
}

/* Sizes and variables on which the answer depends, through conditions, ranges and checks. */
static void find_uses(Uses *u, const Question *q, bool *rel)
{
    Env *env = u->env;
    use(u, q->x);
    use(u, q->y);
    for (int i = 0; i < env->nctx; i++) {
        const Ctx *c = env->ctx[i];
        if (c->kind == CTX_COND) use(u, c->cond);
        for (int k = 0; c->kind == CTX_ACCESS && k < c->cond->nargs; k++) {
            use(u, c->cond->arg[k]);
            use(u, c->cond->load.t->shape[k]);
        }
    }
    do {
        u->changed = false;
        for (int i = 0; i < env->nctx; i++) {
            const Ctx *c = env->ctx[i];
            if (c->kind != CTX_VAR || (!u->var[c->var->id] && !c->data && never_empty(env->op, c->var))) continue;
            use(u, c->var->lo);
            use(u, c->var->hi);
        }
        for (int i = 0; i < env->op->nchecks; i++) {
            if (rel[i] || !mentions(env->op->check[i].cond, u->dim)) continue;
            rel[i] = true;
            use(u, env->op->check[i].cond);
            u->changed = true;
        }
    } while (u->changed);
}

static int add_value(const Dim *d, int64_t *pool, int n, int64_t v)
{
    if (v < d->lo || v > d->hi || v > RANGE_MOST / 4 || n == POOL) return n;
    int at = 0;
    while (at < n && pool[at] < v) at++;
    if (at < n && pool[at] == v) return n;
    memmove(pool + at + 1, pool + at, sizeof *pool * (size_t)(n - at));
    pool[at] = v;
    return n + 1;
}

static int fill_pool(const Env *env, const Dim *d, int64_t *pool)
{
    int n = 0;
    n = add_value(d, pool, n, env->b->dim_hint[d - env->op->dim]);
    for (int i = 0; i < 6; i++) n = add_value(d, pool, n, d->lo + i);
    for (int i = 0; i < env->nnumbers; i++)
        for (int k = 0; k <= 2; k++) n = add_value(d, pool, n, env->number[i] + (k == 2 ? -1 : k));
    if (d->has_default) n = add_value(d, pool, n, d->dflt);
    for (int i = 0; i < d->nhints; i++) n = add_value(d, pool, n, d->hint[i]);
    return add_value(d, pool, n, d->hi);
}

/* ---- all choices ----------------------------------------------------------------------------------------------- */

typedef struct Sizes { /* an odometer over pools, by shells: the largest position of a choice grows */
    int n, dim[DIMS_MOST], count[DIMS_MOST], at[DIMS_MOST], shell, most;
    int64_t pool[DIMS_MOST][POOL];
    long tuples;
    uint64_t draw;
} Sizes;

static bool next_in_shell(Sizes *s)
{
    for (int k = s->n - 1; k >= 0; k--) {
        int top = s->count[k] - 1 < s->shell ? s->count[k] - 1 : s->shell;
        if (s->at[k] < top) {
            s->at[k]++;
            return true;
        }
        s->at[k] = 0;
    }
    return false;
}

static bool on_shell(const Sizes *s)
{
    for (int k = 0; k < s->n; k++)
        if (s->at[k] == s->shell) return true;
    return s->shell == 0;
}

/* Every choice where there are few enough dims, else the diagonal ones and drawn ones. */
static bool next_sizes(Sizes *s)
{
    if (++s->tuples > TUPLES) return false;
    if (s->n > 4) {
        bool diagonal = s->tuples <= POOL;
        for (int k = 0; k < s->n; k++) {
            s->draw = mix(s->draw + 0x9e3779b97f4a7c15u);
            int room = s->tuples < TUPLES / 2 && s->count[k] > 4 ? 4 : s->count[k];
            s->at[k] = diagonal ? (int)(s->tuples - 1) % s->count[k] : (int)(s->draw % (uint64_t)room);
        }
        return true;
    }
    if (s->tuples == 1) return true;
    do {
        while (!next_in_shell(s))
            if (++s->shell > s->most) return false;
    } while (!on_shell(s));
    return true;
}

static bool try_sizes(Env *env, const bool *rel, bool data, long *steps)
{
    for (int seed = 0; seed < (data ? SEEDS : 1); seed++) {
        env->seed = (uint64_t)seed * 7919 + 1;
        if (!sizes_allowed(env, rel)) {
            env->spoiled = true;
            return false;
        }
        env->steps = STEPS_A_SIZE;
        bool found = descend(env, 0);
        *steps -= STEPS_A_SIZE - (env->steps > 0 ? env->steps : 0);
        env->spoiled |= env->bad;
        env->bad = false;
        if (found) return true;
    }
    return false;
}

static void start(Env *env, Bounds *b, const Ctx *ctx, const Question *q)
{
    TeOp *op = b->op;
    *env = (Env){.b = b, .op = op, .q = q};
    env->dim = NEW_ARRAY(b->mem, int64_t, op->ndims + 1);
    env->var = NEW_ARRAY(b->mem, int64_t, op->nvars + 1);
    env->var_tried = NEW_ARRAY(b->mem, bool, op->nvars + 1);
    env->nctx = ctx->depth;
    env->ctx = NEW_ARRAY(b->mem, const Ctx *, ctx->depth + 1);
    for (const Ctx *c = ctx; c->kind != CTX_ROOT; c = c->up) env->ctx[c->depth - 1] = c;
    for (int i = 0; i < op->ndims; i++) {
        const Dim *d = &op->dim[i];
        env->dim[i] = d->lo < 1 && d->hi >= 1 ? 1 : d->lo;
    }
}

/* `cond` NULL: looks for a point whose answer is no. Else: for sizes at which some point is evaluated and cond is
 * false, so that checking cond would refuse a good call. */
static bool search(Bounds *b, const Ctx *ctx, const Question *q, const Expr *cond, Witness *w)
{
    Env env;
    start(&env, b, ctx, q);
    Uses u = {.dim = NEW_ARRAY(b->mem, bool, b->op->ndims + 1), .var = env.var_tried, .env = &env};
    bool *rel = NEW_ARRAY(b->mem, bool, b->op->nchecks + 1), found = false;
    *w = (Witness){.dim = env.dim, .var = env.var, .dim_used = u.dim, .var_used = u.var};
    find_uses(&u, q, rel);
    Sizes *s = NEW(b->mem, Sizes);
    for (int i = 0; i < b->op->ndims && s->n < DIMS_MOST; i++) {
        if (!u.dim[i]) continue;
        s->dim[s->n] = i;
        s->count[s->n] = fill_pool(&env, &b->op->dim[i], s->pool[s->n]);
        if (s->count[s->n] == 0) return false;
        if (s->count[s->n] - 1 > s->most) s->most = s->count[s->n] - 1;
        s->n++;
    }
    for (long steps = STEPS; steps > 0 && !found && next_sizes(s);) {
        for (int k = 0; k < s->n; k++) env.dim[s->dim[k]] = s->pool[k][s->at[k]];
        env.reached = env.spoiled = false;
        steps -= 4; /* so that sizes which a `where` refuses at once count too */
        found = try_sizes(&env, rel, u.data, &steps);
        if (cond && (env.reached || !env.spoiled)) { /* without a point the call is good all the more */
            env.steps = STEPS_A_SIZE;
            found = !eval(&env, cond).i;
        }
        w->sizes += env.reached && !found;
    }
    w->data_used = u.data;
    w->x = env.x;
    w->y = env.y;
    return found;
}

bool sched_refute(Bounds *b, const Ctx *ctx, const Question *q, Witness *w) { return search(b, ctx, q, NULL, w); }

bool sched_refuses_good(Bounds *b, const Ctx *ctx, const Question *q, const Expr *cond)
{
    Witness w;
    return search(b, ctx, q, cond, &w) || w.sizes == 0;
}
