/* default: how one definition's loops run, chosen without measuring.
 *
 * Lanes go to the variable along which most accesses are consecutive: the last index of the result, or the last
 * variable of the reduction where the arithmetic allows it. The outermost loop runs in parallel when there is work for
 * it. */
#include "schedule/lower.h"

/* ---- the primary reduction
 * ---------------------------------------------------------------------------------------------- */
typedef struct Found {
    char *seen; /* by expression id: 1 reached where it is always computed, 2 where it may not be */
    Expr *red;
    int others;
} Found;

static void find_reduce(Found *f, Expr *e, bool conditional)
{
    char mark = conditional ? 2 : 1;
    if (f->seen[e->id] & mark) return;
    f->seen[e->id] |= mark;
    if (e->op == EX_REDUCE) {
        f->others += conditional || (f->red && f->red != e);
        f->red = e;
        return;
    }
    bool lazy = e->op == EX_SELECT || e->op == EX_AND || e->op == EX_OR;
    for (int i = 0; i < te_nchildren(e); i++) {
        Expr *c = te_child(e, i);
        find_reduce(f, c, conditional || (lazy && i > 0) || (e->op == EX_LOAD && c == e->load.other));
    }
}

Expr *plan_primary(const Lower *l, const Work *w)
{
    if (!te_has_reduce(w->rhs) || w->def->slot_at >= 0) return NULL;
    Found f = {arena_alloc(l->mem, (size_t)l->op->nexprs + 1), NULL, 0};
    find_reduce(&f, w->rhs, false);
    if (!f.red || f.others) return NULL;
    const Reduce *r = f.red->red;
    return te_has_reduce(r->body) || (r->cond && te_has_reduce(r->cond)) ? NULL : f.red;
}

/* ---- strides
 * ------------------------------------------------------------------------------------------------------------- */
/* d e / d v for an index expression, when it is the same everywhere. */
static bool slope(const TeOp *op, const Expr *e, const Var *v, int64_t *by)
{
    int64_t c, a, b;
    *by = 0;
    if (!te_uses_var(e, v)) return true;
    switch (e->op) {
    case EX_VAR: *by = 1; return true;
    case EX_CAST: return e->type == DT_INDEX && slope(op, e->arg[0], v, by);
    case EX_ADD: return slope(op, e->arg[0], v, &a) && slope(op, e->arg[1], v, &b) && !__builtin_add_overflow(a, b, by);
    case EX_SUB: return slope(op, e->arg[0], v, &a) && slope(op, e->arg[1], v, &b) && !__builtin_sub_overflow(a, b, by);
    case EX_MUL:
        if (te_eval_size(op, e->arg[0], &c)) return slope(op, e->arg[1], v, &a) && !__builtin_mul_overflow(a, c, by);
        if (te_eval_size(op, e->arg[1], &c)) return slope(op, e->arg[0], v, &a) && !__builtin_mul_overflow(a, c, by);
        return false;
    default: return false;
    }
}

bool plan_step(const Lower *l, const Expr *load, const Var *v, int64_t *step)
{
    *step = 0;
    for (int i = 0; i + 1 < load->nargs; i++)
        if (te_uses_var(load->arg[i], v)) return false;
    return load->nargs == 0 || slope(l->op, load->arg[load->nargs - 1], v, step);
}

StrideClass plan_stride(const Lower *l, const Expr *load, const Var *v)
{
    int64_t step;
    if (!plan_step(l, load, v, &step)) return STRIDE_N;
    return step == 0 ? STRIDE_0 : step == 1 ? STRIDE_1 : STRIDE_N;
}

/* ---- what lanes over v would cost for each iteration of one lane
 * ------------------------------------------------------------ */
typedef struct Costs {
    const Lower *l;
    const Var *v;
    char *seen;
    double sum;
    bool impossible; /* a loop inside would have bounds that differ by lane */
} Costs;

static void add_costs(Costs *c, Expr *e)
{
    if (c->seen[e->id]) return;
    c->seen[e->id] = 1;
    if (e->op == EX_LOAD) {
        StrideClass s = plan_stride(c->l, e, c->v);
        bool small = te_type[e->load.t->type].bits < 8;
        c->sum += s == STRIDE_0 ? 0.02 : s == STRIDE_1 ? (small ? 0.5 : 0.15) : 1.2;
    }
    if (e->op == EX_REDUCE)
        for (int i = 0; i < e->red->nvars; i++)
            if (e->red->var[i] != c->v &&
                (te_uses_var(e->red->var[i]->lo, c->v) || te_uses_var(e->red->var[i]->hi, c->v)))
                c->impossible = true;
    for (int i = 0; i < te_nchildren(e); i++) add_costs(c, te_child(e, i));
}

static double lane_cost(Lower *l, const Work *w, const Var *v, bool reduces, Expr *in)
{
    if (!v || (v->lo->op == EX_INT && ix_guess(l, v->hi) - v->lo->i < 4)) return 1e9;
    Costs c = {l, v, arena_alloc(l->mem, (size_t)l->op->nexprs + 1), 0, false};
    add_costs(&c, in);
    if (c.impossible) return 1e9;
    double n = (double)ix_guess(l, v->hi);
    c.sum += reduces ? 2.0 / n + 0.02 : 0; /* lanes are combined once a row */
    if (n < target_lanes(l->target, 4)) c.sum += 0.5;
    (void)w;
    return c.sum;
}

/* Vectors that run side by side: a reduction's accumulators hide each other's latency, and so do the chains of
 * functions, of which a processor's window holds only two or three one after another. */
static int width_for(const Lower *l, const Expr *e, const Var *v, bool reduces)
{
    int bytes = te_type[e->type].reg == RC_F64 || te_type[e->type].bits == 64 ? 8 : 4;
    int lanes = target_lanes(l->target, bytes);
    bool deep = plan_cost(l, e) >= 12 && ix_guess(l, v->hi) >= 16 * lanes;
    return lanes * (reduces || deep ? 4 : 2);
}

DefPlan plan_def(Lower *l, const Work *w, int depth)
{
    DefPlan p = {0};
    if (l->mode == SCHED_NONE) return p;
    const Def *d = w->def;
    p.parallel =
        l->threads > 1 && depth == 0 && !l->in_parallel && !l->in_lanes && w->nix > 0 && plan_work(l, w) >= 1e5;
    if (te_type[d->out[0]->type].bits < 8 && w->nix == 1) p.parallel = false; /* neighbours share a byte */
    if (d->slot_at >= 0 || l->in_lanes) return p;
    Expr *red = plan_primary(l, w);
    p.primary = red ? red->red : NULL;
    Var *last = w->nix > depth && w->ix[w->nix - 1] != d->seq ? w->ix[w->nix - 1] : NULL;
    double free_cost = last ? lane_cost(l, w, last, false, w->rhs) : 1e9, red_cost = 1e9;
    Var *inner = NULL;
    if (red && red->op == EX_REDUCE && (red_exact(red->red->op, (DType)red->red->body->type) || !l->num.ordered)) {
        inner = red->red->var[red->red->nvars - 1];
        red_cost = lane_cost(l, w, inner, true, red->red->body);
        if (red->red->op == RED_ARGMAX || red->red->op == RED_ARGMIN) red_cost += 0.3;
    }
    if (free_cost >= 1e9 && red_cost >= 1e9) return p;
    p.vec_reduces = red_cost < free_cost;
    p.vec = p.vec_reduces ? inner : last;
    p.width = width_for(l, p.vec_reduces ? red->red->body : w->rhs, p.vec, p.vec_reduces);
    return p;
}
