/* emit_carry: a recurrence whose steps follow each other in one loop keeps what the next steps read in registers:
 *
 *     for t { Y[n,t] = X[n,t] + Y[n,t-1 | 0.0] }   →   Y_1 = 0.0
 *                                                      for t { Y_0 = X[n,t] + Y_1; Y_1 = Y_0; Y[n,t] = Y_0 }
 *
 * A value that goes through memory takes several times as long as the arithmetic. Loops inside of the recurrence's are
 * unrolled, each place with registers of its own. */
#include "schedule/emit.h"

enum { MOST_BACK = 4, MOST_READS = 4, MOST_PLACES = 16 };

struct Carry {
    int n;
    Expr *load[MOST_READS];
    int back[MOST_READS];    /* steps */
    Tensor *reg[MOST_READS]; /* [back, places…]: 0 is the last step */
    Tensor *now;
    int rank;
    Iter **place; /* the loops inside */
};

/* Reads of what w defines, all of them: at its own indices, but for the recurrence's, which is some steps back. */
static bool find_reads(const Lower *l, const Work *w, Expr *e, char *seen, Carry *c)
{
    if (seen[e->id]) return true;
    seen[e->id] = 1;
    if (e->op == EX_LOAD && e->load.t == w->def->out[0]) {
        if (c->n == MOST_READS || e->flag == LOAD_GATHER || e->nargs != w->nix) return false;
        if (e->load.other && (te_nchildren(e->load.other) || e->load.other->op == EX_VAR)) return false;
        for (int i = 0; i < w->nix; i++) {
            int64_t by = 0;
            if (!fuse_shift_of(l->op, e->arg[i], w->ix[i], &by)) return false;
            if (w->ix[i] != w->def->seq ? by != 0 : by >= 0 || by < -MOST_BACK) return false;
            if (w->ix[i] == w->def->seq) c->back[c->n] = (int)-by;
        }
        c->load[c->n++] = e;
        return true;
    }
    for (int i = 0; i < te_nchildren(e); i++)
        if (!find_reads(l, w, te_child(e, i), seen, c)) return false;
    return true;
}

static bool reads_carry(const Lower *l, const Work *w, Carry *c)
{
    int64_t zero;
    const Def *d = w->def;
    *c = (Carry){0};
    if (!d->seq || d->nout != 1 || w->snapshot || te_has_reduce(w->rhs) || te_type[d->out[0]->type].bits < 8)
        return false;
    if (!ix_known(l, d->seq->lo, &zero) || zero != 0 || !ix_over_dims(d->seq->hi)) return false;
    return find_reads(l, w, w->rhs, arena_alloc(l->mem, (size_t)l->op->nexprs + 1), c) && c->n;
}

bool carry_reads(const Lower *l, const Work *w)
{
    Carry c;
    return reads_carry(l, w, &c);
}

/* The loop over the recurrence at `pos` is whole, and all inside of it are unrolled and few. */
static bool loops_fit(const Emit *e, int pos)
{
    const PlanDef *d = e->d;
    const Iter *t = d->loop.at[pos];
    int64_t all = 1, n;
    if (d->in || t->kind != IT_ROOT || t->var != d->w->def->seq || t->how != LOOP_SERIAL || t->ext || t->lo)
        return false;
    for (int i = pos + 1; i < d->loop.n; i++) {
        if (d->loop.at[i]->how != LOOP_UNROLL || !ix_known(e->l, iter_nominal(e->p, d->loop.at[i]), &n)) return false;
        if (__builtin_mul_overflow(all, n, &all) || all > MOST_PLACES) return false;
    }
    return true;
}

static Expr **reg_place(const Emit *e, const Carry *c, int step, bool stepped)
{
    Lower *l = e->l;
    Expr **ix = NEW_ARRAY(l->mem, Expr *, c->rank + 2);
    int n = 0;
    if (stepped) ix[n++] = ix_int(l, step);
    for (int i = 0; i < c->rank; i++) ix[n++] = c->place[i]->at;
    return ix;
}

static void set(const Emit *e, Tensor *reg, const Carry *c, int step, bool stepped, Expr *v)
{
    low_emit(e->l, tile_store(e->l->p, reg, reg_place(e, c, step, stepped), v, e->d->w->def->span));
}

static Expr *get(const Emit *e, Tensor *reg, const Carry *c, int step, bool stepped)
{
    return low_read(e->l, reg, c->rank + stepped, reg_place(e, c, step, stepped), e->d->w->def->span);
}

/* Before the first step every register holds what a read before the first element gives. */
static void first_values(const Emit *e, const Carry *c)
{
    Lower *l = e->l;
    Loop *lp = NEW_ARRAY(l->mem, Loop, c->rank + 1);
    Span at = e->d->w->def->span;
    for (int i = 0; i < c->rank; i++) {
        low_loop(l, &lp[i], c->place[i]->name, ix_int(l, 0), iter_nominal(e->p, c->place[i]), at);
        c->place[i]->at = ix_var(l, lp[i].var);
    }
    for (int k = 0; k < c->n; k++) {
        DType t = e->d->w->def->out[0]->type;
        Expr *other = c->load[k]->load.other;
        Expr *v = other ? low_expr(l, other) : low_num(l, t, (Num){0}, at);
        for (int b = 0; b < c->back[k]; b++) set(e, c->reg[k], c, b, true, v);
    }
    for (int i = c->rank - 1; i >= 0; i--) {
        c->place[i]->at = NULL;
        low_loop_end(l, &lp[i], 1, LOOP_UNROLL, 0, NULL, 0);
    }
}

bool carry_open(Emit *e, int pos)
{
    Lower *l = e->l;
    PlanDef *d = e->d;
    Carry *c = NEW(l->mem, Carry);
    if (e->carry || !reads_carry(l, d->w, c) || !loops_fit(e, pos)) return false;
    DType t = d->w->def->out[0]->type;
    const char *name = d->w->def->out[0]->name;
    c->place = NEW_ARRAY(l->mem, Iter *, d->loop.n + 1);
    Expr **shape = NEW_ARRAY(l->mem, Expr *, d->loop.n + 2);
    for (int i = pos + 1; i < d->loop.n; i++) {
        shape[1 + c->rank] = iter_nominal(e->p, d->loop.at[i]);
        c->place[c->rank++] = d->loop.at[i];
    }
    for (int k = 0; k < c->n; k++) {
        Expr **own = NEW_ARRAY(l->mem, Expr *, c->rank + 2);
        for (int i = 0; i < c->rank; i++) own[1 + i] = shape[1 + i];
        own[0] = ix_int(l, c->back[k]);
        c->reg[k] = low_buffer(l, name, t, SCOPE_REG, c->rank + 1, own, d->w->def->span);
    }
    c->now = low_buffer(l, name, t, SCOPE_REG, c->rank, shape + 1, d->w->def->span);
    first_values(e, c);
    e->carry = c;
    return true;
}

void carry_step(Emit *e)
{
    Lower *l = e->l;
    const Carry *c = e->carry;
    for (int k = 0; k < c->n; k++) low_stands_for(l, c->load[k], get(e, c->reg[k], c, c->back[k] - 1, true));
    set(e, c->now, c, 0, false, low_expr(l, e->d->w->rhs));
    for (int k = 0; k < c->n; k++) {
        for (int b = c->back[k] - 1; b > 0; b--) set(e, c->reg[k], c, b, true, get(e, c->reg[k], c, b - 1, true));
        set(e, c->reg[k], c, 0, true, get(e, c->now, c, 0, false));
    }
    low_store(l, e->d->w, e->d->w->def->out[0], get(e, c->now, c, 0, false));
}
