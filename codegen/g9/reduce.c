/* reduce: one warp for each result of a reduction.
 *
 *     for … i { alloc acc; acc = start; for k { acc op= … }; what follows reads acc }
 *
 * Lane l takes the terms l, l + 32, …; exchanges between lanes join their results in five steps, and the first lane
 * does what follows. Where memory has k innermost, lanes read neighbouring elements so. Only where the order of the
 * terms does not count: `fast` sums and products, integers, minima and maxima. */
#include "codegen/g9/map.h"

enum { BLOCK = 128, LEAST_TERMS = 64 };

bool g_slope(const G9 *g, const Expr *e, const Var *v, int64_t *by)
{
    int64_t a, b, k;
    *by = 0;
    if (!te_uses_var(e, v)) return true;
    switch ((ExprOp)e->op) {
    case EX_VAR: *by = 1; return true;
    case EX_ADD:
    case EX_SUB:
        if (!g_slope(g, e->arg[0], v, &a) || !g_slope(g, e->arg[1], v, &b)) return false;
        return !(e->op == EX_ADD ? __builtin_add_overflow(a, b, by) : __builtin_sub_overflow(a, b, by));
    case EX_MUL:
        if (te_eval_size(g->op, e->arg[1], &k))
            return g_slope(g, e->arg[0], v, &a) && !__builtin_mul_overflow(a, k, by);
        if (te_eval_size(g->op, e->arg[0], &k))
            return g_slope(g, e->arg[1], v, &a) && !__builtin_mul_overflow(a, k, by);
        return false;
    default: return false;
    }
}

typedef struct Reduction {
    const Tensor *acc;
    const Stmt *start, *k;
    const Stmt *update;
    Block rest;
    int along_k, along_rows; /* loads whose elements are neighbours along k, along the innermost mapped loop */
    bool other;              /* something that lanes must not do side by side */
} Reduction;

/* ---- what the loop does */
static void look(G9 *g, Reduction *r, const Expr *e, const Var *row, int *budget)
{
    int64_t by;
    if (--*budget < 0) return;
    if (e->op == EX_LOAD && e->nargs) {
        const Expr *last = e->arg[e->nargs - 1];
        bool k_before = false, row_before = false;
        for (int i = 0; i + 1 < e->nargs; i++) {
            k_before |= te_uses_var(e->arg[i], r->k->loop.var);
            row_before |= te_uses_var(e->arg[i], row);
        }
        r->along_k += !k_before && g_slope(g, last, r->k->loop.var, &by) && by == 1;
        r->along_rows += !row_before && g_slope(g, last, row, &by) && by == 1;
    }
    for (int i = 0; i < te_nchildren(e); i++) look(g, r, te_child(e, i), row, budget);
}

static void look_at(G9 *g, Reduction *r, const Block *b, const Var *row)
{
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        int budget = 400;
        switch (s->kind) {
        case ST_UPDATE:
            r->other |= r->update != NULL || s->update.buf != r->acc || s->update.where;
            r->update = s;
            look(g, r, s->update.value, row, &budget);
            break;
        case ST_IF:
            r->other |= s->branch.els.n != 0;
            look_at(g, r, &s->branch.then, row);
            break;
        case ST_FOR: look_at(g, r, &s->loop.body, row); break;
        case ST_LET:
        case ST_PREFETCH: break;
        default: r->other = true;
        }
    }
}

static bool order_counts(const G9 *g, const Reduction *r)
{
    bool adds = r->update->update.op == RED_SUM || r->update->update.op == RED_PROD;
    return adds && te_is_float(r->acc->type) && !g->fast;
}

static const Var *innermost(const Chain *c)
{
    for (int i = c->n; i-- > 0;)
        if (c->mapped[i]) return c->loop[i]->loop.var;
    return NULL;
}

static bool match(G9 *g, Reduction *r, const Chain *c, const Block *b)
{
    int64_t lo, hi, n;
    for (int i = 0; i < c->n; i++)
        if (!c->mapped[i]) return false;
    if (b->n < 4 || b->at[0]->kind != ST_ALLOC || b->at[1]->kind != ST_STORE || b->at[2]->kind != ST_FOR) return false;
    *r = (Reduction){.acc = b->at[0]->alloc.buf, .start = b->at[1], .k = b->at[2], .rest = {b->n - 3, b->at + 3}};
    if (r->acc->rank || !g_width(r->acc->type) || r->start->store.buf != r->acc || te_has_load(r->start->store.value) ||
        g->machine->chip_warp != 32)
        return false;
    look_at(g, r, &r->k->loop.body, innermost(c));
    if (r->other || !r->update || order_counts(g, r)) return false;
    bool known = te_eval_size(g->op, r->k->loop.var->lo, &lo) && te_eval_size(g->op, r->k->loop.var->hi, &hi);
    if (known && (hi - lo) / r->k->loop.step < LEAST_TERMS) return false;
    bool few = cg_g9_formula(g_threads_formula(g, c), 0, NULL, &n) && n < g->machine->chip_sms * 256;
    return r->along_k > 0 && (few || r->along_rows == 0);
}

/* ---- the kernel */
static Val other_lane(G9 *g, Val v, int distance)
{
    Val to = g_new(g, v.width);
    for (int h = 0; h < v.width; h++) {
        Val half = v.width == 2 ? (Val){.kind = V_REG, .width = 1, .r = v.r, .part = 1, .sub = (uint8_t)h} : v,
            d = half;
        d.r = to.r;
        g_act(g, OP(G9_SHFL, 3, IT_B32), (Val){0}, d, 2, (Val[]){half, g_imm(distance)});
    }
    return to;
}

static void join_lanes(G9 *g, const Reduction *r)
{
    Val acc = {.kind = V_REG, .width = (uint8_t)g_width(r->acc->type), .r = g->place[r->acc->id].at};
    for (int d = 16; d; d /= 2)
        g_set(g, acc, g_combine(g, r->update->update.op, r->acc->type, acc, other_lane(g, acc, d)));
}

/* Lanes after the first start from the identity: what stands in the program enters once. */
static void start(G9 *g, const Reduction *r, Val first)
{
    Access a = g_access(g, r->acc, NULL, 0, NULL);
    Val v = g_expr(g, r->start->store.value),
        one = g_num(g, r->acc->type, num_identity(r->update->update.op, r->acc->type));
    g_store(g, &a, g_select(g, first, v, one));
}

bool g_reduction(G9 *g, const Around *around, const Chain *c, const Block *body)
{
    Reduction r;
    If f;
    Loop l;
    if (!match(g, &r, c, body)) return false;
    g_open_kernel(g, BLOCK);
    g_enter_around(g, around);
    Val rows = g_iterations(g, c), threads = g_ix_op(g, EX_MUL, rows, g_imm(32)), x = g_thread_number(g, threads);
    g->thread = g_imm(0);
    g_leave_unless(g, g_ix_compare(g, EX_LT, x, threads));
    Val lane = g_ix_op(g, EX_MOD, x, g_imm(32));
    if (lane.width == 2) lane = g_narrow(g, lane);
    Val row = g_ix_op(g, EX_DIV, x, g_imm(32)), first = g_ix_compare(g, EX_EQ, lane, g_imm(0));
    g_find_iterations(g, c, g_ranged(row, 0, rows.hi));
    g_alloc(g, r.acc);
    start(g, &r, first);
    const Var *k = r.k->loop.var;
    Mark m = g_mark(g);
    Val lo = g_expr(g, k->lo), hi = g_expr(g, k->hi);
    g_forget_memo(g, m);
    lo = g_ix_op(g, EX_ADD, lo, g_ix_op(g, EX_MUL, lane, g_imm(r.k->loop.step)));
    g->var[k->id] = g_loop(g, &l, lo, hi, r.k->loop.step * 32);
    g_block(g, &r.k->loop.body);
    g_endloop(g, &l);
    join_lanes(g, &r);
    g_if(g, &f, first);
    g_block(g, &r.rest);
    g_endif(g, &f);
    if (g->barriers_lacked) return false;
    g_close_kernel(g, arena_printf(g->mem, "%s 32 *", g_threads_formula(g, c)));
    return true;
}
