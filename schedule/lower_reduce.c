/* lower_reduce: a reduction becomes accumulators in registers, loops over its variables, and a result.
 *
 *     sum{k in lo..hi if c}(x)        acc = 0; for k in lo..hi { if c { acc sum= x } }; … acc …
 *
 * Under `ordered: P` a floating-point sum or prod has P accumulators: the i-th term goes to number i mod P, and
 * neighbours are combined pairwise afterwards (an odd one is carried over). Terms that `if` excludes are counted. */
#include "schedule/lower.h"

bool red_exact(RedOp r, DType t) { return !(te_is_float(t) && (r == RED_SUM || r == RED_PROD)); }

bool low_partials(const Lower *l, const Reduce *r, int *p)
{
    *p = l->num.ordered && !red_exact(r->op, (DType)r->body->type) ? l->num.p : 1;
    return *p > 1;
}

static Expr *zero(Lower *l) { return ix_int(l, 0); }

static void fill(Lower *l, Tensor *buf, int64_t n, Expr *value, Span s)
{
    Loop lp;
    low_loop(l, &lp, "p", zero(l), ix_int(l, n), s);
    Expr *at = ix_var(l, lp.var);
    low_emit(l, tile_store(l->p, buf, &at, value, s));
    low_loop_end(l, &lp, 1, LOOP_SERIAL, 0, NULL, 0);
}

void acc_init(Lower *l, const Reduce *r, Acc *a)
{
    DType t = (DType)r->body->type;
    *a = (Acc){0};
    Expr *first = low_num(l, t, num_identity(r->op, t), r->span);
    if (low_partials(l, r, &a->n)) {
        Expr *shape = ix_int(l, a->n);
        a->buf = low_buffer(l, "part", t, SCOPE_REG, 1, &shape, r->span);
        fill(l, a->buf, a->n, first, r->span);
        a->count = low_buffer(l, "term", DT_INDEX, SCOPE_REG, 0, NULL, r->span);
        low_emit(l, tile_store(l->p, a->count, NULL, zero(l), r->span));
        return;
    }
    a->buf = low_buffer(l, "acc", t, SCOPE_REG, 0, NULL, r->span);
    low_emit(l, tile_store(l->p, a->buf, NULL, first, r->span));
    if (r->op == RED_ARGMAX || r->op == RED_ARGMIN) {
        a->where = low_buffer(l, "at", DT_I32, SCOPE_REG, 0, NULL, r->span);
        low_emit(l, tile_store(l->p, a->where, NULL, te_int(l->op, DT_I32, -1, r->span), r->span));
    }
}

void acc_step(Lower *l, const Reduce *r, Acc *a)
{
    Expr *cond = r->cond ? low_expr(l, r->cond) : NULL;
    Nest n;
    if (cond) low_open(l, &n);
    Expr *value = low_expr(l, r->body), *index = NULL;
    if (a->where) index = te_cast(l->op, DT_I32, l->bound[r->var[0]->id], r->span);
    Expr *part = a->count ? ix_op(l, EX_MOD, low_read(l, a->count, 0, NULL, r->span), ix_int(l, a->n)) : NULL;
    bool fma = r->fma && value->op == EX_MUL && te_is_float((DType)value->type);
    low_emit(l, tile_update(l->p, a->buf, &part, r->op, fma, value, a->where, index, r->span));
    if (cond) {
        Block b = low_close(l, &n);
        low_emit(l, tile_if(l->p, cond, b, (Block){0}, r->span));
    }
    if (a->count) {
        Expr *next = te_node(l->op, EX_ADD, DT_INDEX, 2,
                             (Expr *[]){low_read(l, a->count, 0, NULL, r->span), ix_int(l, 1)}, r->span);
        low_emit(l, tile_store(l->p, a->count, NULL, next, r->span));
    }
}

/* Neighbours combined pairwise until one is left: parts[i] = parts[2i] op parts[2i+1]. */
static void combine(Lower *l, const Reduce *r, Acc *a)
{
    ExprOp o = r->op == RED_SUM ? EX_ADD : EX_MUL;
    for (int n = a->n; n > 1; n = (n + 1) / 2) {
        Loop lp;
        low_loop(l, &lp, "p", zero(l), ix_int(l, n / 2), r->span);
        Expr *at = ix_var(l, lp.var), *twice = ix_op(l, EX_MUL, at, ix_int(l, 2)),
             *odd = ix_op(l, EX_ADD, twice, ix_int(l, 1));
        Expr *both[2] = {low_read(l, a->buf, 1, &twice, r->span), low_read(l, a->buf, 1, &odd, r->span)};
        low_emit(l, tile_store(l->p, a->buf, &at, te_node(l->op, o, (DType)r->body->type, 2, both, r->span), r->span));
        low_loop_end(l, &lp, 1, LOOP_SERIAL, 0, NULL, 0);
        if (n % 2 == 0) continue;
        Expr *to = ix_int(l, n / 2), *from = ix_int(l, n - 1);
        low_emit(l, tile_store(l->p, a->buf, &to, low_read(l, a->buf, 1, &from, r->span), r->span));
    }
}

Expr *acc_result(Lower *l, const Expr *red, Acc *a)
{
    const Reduce *r = red->red;
    Expr *first = zero(l);
    if (a->n > 1) combine(l, r, a);
    if (a->where) return low_read(l, a->where, 0, NULL, red->span);
    return low_read(l, a->buf, a->n > 1, &first, red->span);
}

/* A reduction's loops around acc_step; the innermost runs in lanes when the plan says so. */
static void loops(Lower *l, const Reduce *r, Acc *a, int at)
{
    if (at == r->nvars) {
        acc_step(l, r, a);
        return;
    }
    Var *v = r->var[at];
    bool lanes = v == l->lane_red && !l->in_lanes;
    Loop lp;
    low_loop(l, &lp, v->name, low_expr(l, v->lo), low_expr(l, v->hi), r->span);
    low_bind(l, v, ix_var(l, lp.var));
    bool was = l->in_lanes;
    l->in_lanes |= lanes;
    loops(l, r, a, at + 1);
    l->in_lanes = was;
    low_loop_end(l, &lp, 1, lanes ? LOOP_VECTOR : LOOP_SERIAL, lanes ? l->lane_width : 0, v, 0);
}

Expr *low_reduce(Lower *l, Expr *e)
{
    Acc a;
    acc_init(l, e->red, &a);
    loops(l, e->red, &a, 0);
    return acc_result(l, e, &a);
}

/* v[…, s], w[…, s] = topk{e -> s in 0..K}(x): the places are kept sorted in a buffer of their own, then copied out. */
void low_topk(Lower *l, const Work *w)
{
    const Def *d = w->def;
    const Reduce *r = w->rhs->red;
    DType t = (DType)r->body->type;
    Expr *slots = low_expr(l, r->slot->hi);
    Span s = d->span;
    Tensor *vals = low_buffer(l, "best", t, SCOPE_LOCAL, 1, &slots, s);
    Tensor *where = low_buffer(l, "best_at", DT_I32, SCOPE_LOCAL, 1, &slots, s);
    Loop f;
    low_loop(l, &f, r->slot->name, zero(l), slots, s);
    Expr *at = ix_var(l, f.var);
    low_emit(l, tile_store(l->p, vals, &at, low_num(l, t, num_least(t), s), s));
    low_emit(l, tile_store(l->p, where, &at, te_int(l->op, DT_I32, -1, s), s));
    low_loop_end(l, &f, 1, LOOP_SERIAL, 0, r->slot, 0);

    Var *v = r->var[0];
    Loop lp;
    low_loop(l, &lp, v->name, low_expr(l, v->lo), low_expr(l, v->hi), s);
    low_bind(l, v, ix_var(l, lp.var));
    Nest n;
    Expr *cond = r->cond ? low_expr(l, r->cond) : NULL;
    if (cond) low_open(l, &n);
    Expr *value = low_expr(l, r->body), *index = te_cast(l->op, DT_I32, ix_var(l, lp.var), s);
    low_emit(l, tile_insert(l->p, vals, where, NULL, slots, value, index, s));
    if (cond) {
        Block b = low_close(l, &n);
        low_emit(l, tile_if(l->p, cond, b, (Block){0}, s));
    }
    low_loop_end(l, &lp, 1, LOOP_SERIAL, 0, v, 0);

    Loop c;
    low_loop(l, &c, r->slot->name, zero(l), slots, s);
    low_bind(l, w->ix[d->slot_at], ix_var(l, c.var));
    Expr *from = ix_var(l, c.var);
    low_store(l, w, d->out[0], low_read(l, vals, 1, &from, s));
    low_store(l, w, d->out[1], low_read(l, where, 1, &from, s));
    low_loop_end(l, &c, 1, LOOP_SERIAL, 0, r->slot, 0);
}
