/* emit_online: one pass in which a maximum m and a sum z go on from one iteration to the next (`online`).
 *
 *     m = -inf; z = 0; acc = 0
 *     for L {
 *       m' = max(m, scores of this iteration); scale = m == -inf ? 0 : exp(m - m'); m = m'
 *       z = z * scale + sum of its weights
 *       acc = acc * scale + its terms
 *     }
 *
 * m and z are producers in L (emit_near.c) whose buffers live outside of it, whose reductions go over what O's goes
 * over in the iteration, and whose accumulators begin with what is there. Milakov & Gimelshein 2018, Dao et al. 2022.
 */
#include "schedule/emit.h"

bool online_outer(const Emit *e) { return e->d->online && e->d->online->o == e->d->w->def; }
bool online_inner(const Emit *e) { return plan_goes_on(e->d); }

static Expr *identity_of(Lower *l, const Def *d)
{
    const Reduce *r = d->rhs->red;
    DType t = (DType)r->body->type;
    return low_num(l, t, num_identity(r->op, t), r->span);
}

static void fill(Lower *l, Tensor *buf, Expr *v, Span at)
{
    Loop *lp = NEW_ARRAY(l->mem, Loop, buf->rank + 1);
    Expr **ix = NEW_ARRAY(l->mem, Expr *, buf->rank + 1);
    for (int i = 0; i < buf->rank; i++) {
        low_loop(l, &lp[i], arena_printf(l->mem, "%s_%d", buf->name, i), ix_int(l, 0), buf->shape[i], at);
        ix[i] = ix_var(l, lp[i].var);
    }
    low_emit(l, tile_store(l->p, buf, ix, v, at));
    for (int i = buf->rank - 1; i >= 0; i--) low_loop_end(l, &lp[i], 1, LOOP_SERIAL, 0, NULL, 0);
}

void online_begin(Emit *e)
{
    Plan *p = e->p;
    const PlanOnline *o = e->d->online;
    PlanDef **here = NEW_ARRAY(e->l->mem, PlanDef *, p->n + 1);
    Region *g = NEW_ARRAY(e->l->mem, Region, p->n + 1);
    int n = 0;
    for (int i = 0; i < p->n; i++)
        if (!p->def[i].w->gone && !p->def[i].w->unused && p->def[i].in == e->d && p->def[i].at == o->at)
            here[n++] = &p->def[i];
    for (int i = n - 1; i >= 0; i--) g[i] = near_cover(e, o->at, here[i]);
    for (int i = 0; i < n; i++) {
        const Def *d = here[i]->w->def;
        if (!plan_goes_on(here[i])) continue;
        fill(e->l, near_hold(e, d->out[0], here[i]->layout[0], here[i]->scope, &g[i], o->span)->buf,
             identity_of(e->l, d), o->span);
        if (d == o->m) near_hold(e, o->scale, NULL, here[i]->scope, &g[i], o->span);
    }
    for (int i = 0; i < n; i++) near_uncover(here[i]);
}

static Expr *scale_here(Emit *e)
{
    Lower *l = e->l;
    const PlanOnline *o = e->d->online;
    Expr **ix = NEW_ARRAY(l->mem, Expr *, o->scale->rank + 1);
    Expr **place = online_outer(e) ? o->place : o->z_place;
    for (int i = 0; i < o->scale->rank; i++)
        ix[i] = e->d->w->def == o->m ? l->bound[o->m->ix[i]->id] : low_expr(l, place[i]);
    int n;
    const View *v = low_view(l, o->scale);
    Expr **at = view_place(l, v, ix, &n);
    return low_read(l, v->buf, n, at, o->span);
}

/* 0, whatever it was, where nothing of it counts any more. */
Expr *online_scaled(Emit *e, Expr *v)
{
    Lower *l = e->l;
    DType t = (DType)v->type;
    Expr *s = scale_here(e), *zero = te_float(l->op, (DType)s->type, 0, s->span);
    Expr *none = te_node(l->op, EX_EQ, DT_U1, 2, (Expr *[]){s, zero}, s->span);
    Expr *by = (DType)s->type == t ? s : te_cast(l->op, t, s, s->span);
    Expr *all = te_node(l->op, EX_MUL, t, 2, (Expr *[]){v, by}, s->span);
    return te_node(l->op, EX_SELECT, t, 3, (Expr *[]){none, te_float(l->op, t, 0, s->span), all}, s->span);
}

void online_went_on(Emit *e, Expr *now)
{
    Lower *l = e->l;
    const PlanOnline *o = e->d->online;
    if (e->d->w->def != o->m) return;
    int n;
    Tensor *to;
    Expr **at = low_result_place(l, e->d->w, o->m->out[0], &to, &n);
    Expr *was = low_read(l, to, n, at, o->span), *place = scale_here(e);
    DType t = o->scale->type;
    Expr *none = te_node(l->op, EX_EQ, DT_U1, 2, (Expr *[]){was, identity_of(l, o->m)}, o->span);
    Expr *both[2] = {was, now};
    for (int i = 0; i < 2; i++)
        if ((DType)both[i]->type != t) both[i] = te_cast(l->op, t, both[i], o->span);
    Expr *less = te_node(l->op, EX_SUB, t, 2, both, o->span), *by = te_node(l->op, o->exp, t, 1, &less, o->span);
    by = te_node(l->op, EX_SELECT, t, 3, (Expr *[]){none, te_float(l->op, t, 0, o->span), by}, o->span);
    low_emit(l, tile_store(l->p, place->load.t, place->arg, by, o->span));
}

void online_rescale(Emit *e, Iter *it, int pos)
{
    if (e->part != PART_UPDATE || !online_outer(e) || e->d->online->at != it) return;
    int mark = e->l->memo.n;
    e->part = PART_RESCALE;
    emit_nest_from(e, pos);
    e->part = PART_UPDATE;
    e->l->memo.n = mark;
}
