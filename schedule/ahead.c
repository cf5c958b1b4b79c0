/* ahead: a group that goes row by row over large tensors fetches the next row while it works on this one. Hardware does
 * that only within a page, and a row that is worked on for long is read in bursts with nothing in flight between them.
 * The prefetches stand in the vector loop that takes longest. Tensors that fit in the cache are left alone. */
#include "schedule/lower.h"

typedef struct Row {
    Tensor *t;
    bool write;
} Row;

struct Ahead {
    const Work *in; /* whose vector loop fetches */
    const Group *g;
    Expr *length; /* elements of a row */
    VEC(Row) row;
};

/* t[outer…, inner]: the group's variables in their order, then one of the definition's own. */
static bool is_row(const Lower *l, const Group *g, const Work *w, int n, Expr *const *ix)
{
    if (n != g->depth + 1) return false;
    for (int i = 0; i < g->depth; i++)
        if (ix[i]->op != EX_VAR || ix[i]->var != w->ix[i]) return false;
    const Expr *last = ix[g->depth];
    int64_t zero;
    return last->op == EX_VAR && ix_over_dims(last->var->hi) && ix_known(l, last->var->lo, &zero) && zero == 0;
}

static void add_row(Lower *l, struct Ahead *a, Tensor *t, bool write, Expr *length)
{
    if (t->kind == TK_LET || t->kind == TK_BUFFER || te_type[t->type].bits < 8) return;
    double bytes = (double)ix_guess(l, length) * te_type[t->type].bits / 8;
    double most = (double)(l->target->l1 ? l->target->l1 : 32 << 10) / 4;
    if (bytes < 512 || bytes > most || !low_same(l, low_expr(l, length), a->length)) return;
    for (int i = 0; i < a->row.n; i++)
        if (a->row.at[i].t == t) {
            a->row.at[i].write |= write;
            return;
        }
    VEC_PUSH(l->mem, &a->row, (Row){t, write});
}

static void add_loads(Lower *l, struct Ahead *a, const Work *w, char *seen, Expr *e)
{
    if (seen[e->id]) return;
    seen[e->id] = 1;
    if (e->op == EX_LOAD && !e->load.other && is_row(l, a->g, w, e->nargs, e->arg))
        add_row(l, a, e->load.t, false, e->arg[a->g->depth]->var->hi);
    for (int i = 0; i < te_nchildren(e); i++) add_loads(l, a, w, seen, te_child(e, i));
}

/* The member whose own loop, its only one, takes longest. */
static const Work *longest(Lower *l, const Group *g)
{
    const Work *best = NULL;
    for (int i = g->first; i <= g->last; i++) {
        const Work *w = &l->work[i];
        if (w->gone || w->nix != g->depth + 1 || te_has_reduce(w->rhs) || w->def->seq) continue;
        if (!ix_over_dims(w->ix[g->depth]->hi)) continue;
        if (!best || plan_work(l, w) > plan_work(l, best)) best = w;
    }
    return best;
}

static double footprint(const Lower *l, const struct Ahead *a)
{
    double sum = 0;
    for (int i = 0; i < a->row.n; i++) {
        const Tensor *t = a->row.at[i].t;
        double bytes = te_type[t->type].bits / 8;
        for (int d = 0; d < t->rank; d++) bytes *= (double)ix_guess(l, t->shape[d]);
        sum += bytes;
    }
    return sum;
}

void ahead_choose(Lower *l, const Group *g)
{
    l->ahead = NULL;
    if (l->mode == SCHED_NONE || g->depth == 0) return;
    const Work *in = longest(l, g);
    if (!in) return;
    struct Ahead *a = NEW(l->mem, struct Ahead);
    *a = (struct Ahead){.in = in, .g = g, .length = low_expr(l, in->ix[g->depth]->hi)};
    for (int i = g->first; i <= g->last; i++) {
        const Work *w = &l->work[i];
        if (w->gone) continue;
        add_loads(l, a, w, arena_alloc(l->mem, (size_t)l->op->nexprs + 1), w->rhs);
        if (w->nix == g->depth + 1 && w->def->nout == 1)
            add_row(l, a, w->def->out[0], w->def->out[0]->kind != TK_LET, w->ix[g->depth]->hi);
    }
    if (!a->row.n || footprint(l, a) < (double)(l->target->l2 ? l->target->l2 : 256 << 10)) return;
    l->ahead = a;
    low_why(l, "%s: the next row is fetched meanwhile", in->def->name);
}

void ahead_emit(Lower *l, const Var *inner)
{
    const struct Ahead *a = l->ahead;
    if (!a || l->now != a->in || inner != a->in->ix[a->g->depth]) return;
    int depth = a->g->depth;
    Expr **ix = NEW_ARRAY(l->mem, Expr *, depth + 1);
    for (int i = 0; i < depth; i++) {
        Expr *at = l->bound[a->in->ix[i]->id];
        ix[i] = i == depth - 1 ? ix_op(l, EX_ADD, at, ix_int(l, 1)) : at;
    }
    ix[depth] = l->bound[inner->id];
    for (int i = 0; i < a->row.n; i++)
        low_emit(l, tile_prefetch(l->p, a->row.at[i].t, ix, a->row.at[i].write, a->in->def->span));
}
