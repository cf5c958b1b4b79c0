/* stmt: statements of one lane: stores, updates (a step of a reduction), insertions of topk, conditions, loops. Loops
 * of every kind run one iteration after the other here; those that the grid runs were taken off before (map.c). */
#include "codegen/g9/g9.h"

static void branch(G9 *g, const Stmt *s)
{
    If f;
    Mark m = g_mark(g);
    Val c = g_expr(g, s->branch.cond);
    g_forget_memo(g, m);
    if (c.r == M_NONE) {
        g_block(g, c.neg ? &s->branch.els : &s->branch.then);
        return;
    }
    g_if(g, &f, c);
    g_block(g, &s->branch.then);
    if (s->branch.els.n) {
        g_else(g, &f);
        g_block(g, &s->branch.els);
    }
    g_endif(g, &f);
}

static void loop(G9 *g, const Stmt *s)
{
    const Var *v = s->loop.var;
    Mark m = g_mark(g);
    Val lo = g_expr(g, v->lo), hi = g_expr(g, v->hi);
    Loop l;
    g_forget_memo(g, m);
    g->var[v->id] = g_loop(g, &l, lo, hi, s->loop.step);
    g_block(g, &s->loop.body);
    g_endloop(g, &l);
    g->var[v->id] = (Val){0};
}

static void best(G9 *g, const Stmt *s)
{
    const Tensor *t = s->update.buf, *w = s->update.where;
    Access a = g_access(g, t, s->update.ix, t->rank, NULL), b = g_access(g, w, s->update.ix, w->rank, NULL);
    Val old = g_load(g, &a, (Val){0}), oldi = g_load(g, &b, (Val){0});
    Val x = g_expr(g, s->update.value), i = g_expr(g, s->update.index);
    i = g_cast(g, w->type, s->update.index->type, i);
    if (i.kind != V_PRED) i = g_reg(g, i);
    Val take = g_before(g, s->update.op, t->type, x, i, old, oldi);
    Val nx = g_select(g, take, x, old), ni = g_select(g, take, i, oldi);
    g_store(g, &a, nx);
    g_store(g, &b, ni);
}

static void put(G9 *g, const Access *a, Val v)
{
    const Place *p = &g->place[a->t->id];
    if (p->kind == PLACE_REG && a->t->type != DT_U1 && a->t->type != DT_INDEX)
        g_put(g, (Val){.kind = V_REG, .width = (uint8_t)g_width(a->t->type), .r = p->at}, v);
    else
        g_store(g, a, v);
}

static void update(G9 *g, const Stmt *s)
{
    const Tensor *t = s->update.buf;
    const Expr *e = s->update.value;
    if (s->update.where) {
        best(g, s);
        return;
    }
    bool fused = e->op == EX_MUL && s->update.op == RED_SUM && te_is_float(t->type) &&
                 (s->update.fma || (g->fast && te_type[t->type].bits >= 32));
    Access a = g_access(g, t, s->update.ix, t->rank, NULL);
    if (fused) {
        Val x = g_expr(g, e->arg[0]), y = g_expr(g, e->arg[1]), old = g_load(g, &a, (Val){0});
        put(g, &a, g_fma(g, t->type, x, y, old));
    } else {
        Val x = g_expr(g, e), old = g_load(g, &a, (Val){0});
        put(g, &a,
            t->type == DT_INDEX ? g_ix_op(g, s->update.op == RED_SUM ? EX_ADD : EX_MUL, old, x)
                                : g_combine(g, s->update.op, t->type, old, x));
    }
}

/* The candidate goes down the sorted places, taking each that it comes before and passing on what was there. */
static void insert(G9 *g, const Stmt *s)
{
    const Tensor *vals = s->insert.vals, *where = s->insert.where;
    int n = vals->rank - 1;
    Val x = g_expr(g, s->insert.value), i = g_expr(g, s->insert.index), slots = g_expr(g, s->insert.slots);
    i = g_cast(g, where->type, s->insert.index->type, i);
    Val cx = vals->type == DT_U1 ? g_new_pred(g) : g_new(g, g_width(vals->type)), ci = g_new(g, 1);
    g_set(g, cx, x);
    g_set(g, ci, i);
    Loop l;
    Val at = g_loop(g, &l, g_imm(0), slots, 1);
    Access a = g_access(g, vals, s->insert.ix, n, &at), b = g_access(g, where, s->insert.ix, n, &at);
    Val ox = g_load(g, &a, (Val){0}), oi = g_load(g, &b, (Val){0});
    Val take = g_before(g, RED_TOPK, vals->type, cx, ci, ox, oi);
    g_store(g, &a, g_select(g, take, cx, ox));
    g_store(g, &b, g_select(g, take, ci, oi));
    g_set(g, cx, g_select(g, take, ox, cx));
    g_set(g, ci, g_select(g, take, oi, ci));
    g_endloop(g, &l);
}

static void store(G9 *g, const Stmt *s)
{
    const Tensor *t = s->store.buf;
    Val v = g_expr(g, s->store.value);
    Access a = g_access(g, t, s->store.ix, t->rank, NULL);
    g_store(g, &a, v);
}

void g_stmt(G9 *g, const Stmt *s)
{
    Mark m = g_mark(g);
    int line = 0, column;
    if (s->span.src) span_place(s->span, &line, &column);
    if (line) g->line = line;
    switch (s->kind) {
    case ST_FOR: loop(g, s); break;
    case ST_IF: branch(g, s); break;
    case ST_ALLOC: g_alloc(g, s->alloc.buf); break;
    case ST_STORE: store(g, s); break;
    case ST_UPDATE: update(g, s); break;
    case ST_INSERT: insert(g, s); break;
    case ST_LET: g->var[s->let.var->id] = g_expr(g, s->let.value); break;
    case ST_PREFETCH: /* the next level's latency is hidden by other warps */
    case ST_COUNT: break;
    }
    g_forget_memo(g, m);
}

void g_block(G9 *g, const Block *b)
{
    for (int i = 0; i < b->n; i++) g_stmt(g, b->at[i]);
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == ST_LET) g->var[s->let.var->id] = (Val){0};
        if (s->kind == ST_ALLOC) g->place[s->alloc.buf->id] = (Place){0};
    }
}
