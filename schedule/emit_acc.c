/* emit_acc: a reduction's accumulator: init, update, finish.
 *
 *     acc = first ? identity : waiting        where reduction loops are outside of the accumulator, partial results
 *     for … { acc op= term }                  wait in the result, or in a temporary
 *     last ? S = rhs(acc) : waiting = acc
 *
 * Under `ordered: P` there are P partial results, and the i-th term goes to number i mod P; neighbours are combined
 * pairwise at the end. */
#include "schedule/emit.h"

static DType acc_type(const Emit *e)
{
    return e->d->accum_type != DT_NONE ? e->d->accum_type : (DType)e->d->r->body->type;
}
static bool keeps_index(const Emit *e) { return e->d->r->op == RED_ARGMAX || e->d->r->op == RED_ARGMIN; }

/* ---- places
 * -----------------------------------------------------------------------------------------------------------
 */
/* The loops over the result inside of the first `from`, whose places a buffer has; lanes last, to lie side by side. */
static int kept(const Emit *e, int from, Iter **it)
{
    int n = 0;
    for (int lanes = 0; lanes < 2; lanes++)
        for (int i = from; i < e->d->loop.n; i++) {
            Iter *x = e->d->loop.at[i];
            if (!x->reduces && (x->how == LOOP_VECTOR) == lanes) it[n++] = x;
        }
    return n;
}

static Tensor *buffer_for(Emit *e, const char *name, DType t, int from, int64_t more)
{
    Lower *l = e->l;
    Iter **it = NEW_ARRAY(l->mem, Iter *, e->d->loop.n + 1);
    int n = kept(e, from, it);
    Expr **shape = NEW_ARRAY(l->mem, Expr *, n + 2);
    double total = more ? (double)more : 1;
    for (int i = 0; i < n; i++) {
        int64_t k;
        shape[i] = iter_nominal(e->p, it[i]);
        total *= ix_known(l, shape[i], &k) ? (double)k : 1e9;
    }
    if (more) shape[n++] = ix_int(l, more);
    return low_buffer(l, name, t, total <= 4096 ? SCOPE_REG : SCOPE_LOCAL, n, shape, e->d->w->def->span);
}

/* Places of a cut extent's pieces follow one another where these share the buffer, which then stands outside of them.
 */
static Expr **place_in(Emit *e, int from, Expr *more)
{
    Lower *l = e->l;
    Iter **it = NEW_ARRAY(l->mem, Iter *, e->d->loop.n + 1);
    int n = kept(e, from, it);
    Expr **ix = NEW_ARRAY(l->mem, Expr *, n + 2);
    for (int i = 0; i < n; i++)
        ix[i] =
            it[i]->off && plan_index(e->d, it[i]->with) >= from ? ix_op(l, EX_ADD, it[i]->off, it[i]->at) : it[i]->at;
    ix[n] = more;
    return ix;
}

static Expr **acc_place(Emit *e, Expr *part) { return place_in(e, e->acc_at, part); }
static Expr **wait_place(Emit *e, Expr *part) { return place_in(e, e->wait_at, part); }

static Expr *acc_read(Emit *e, Tensor *buf, Expr *part)
{
    return low_read(e->l, buf, buf->rank, acc_place(e, part), e->d->r->span);
}

/* Ranges that depend on nothing but dims: terms can be numbered. */
static bool rectangular(const Emit *e)
{
    int seen = 0;
    for (int i = 0; i < e->d->r->nvars; i++) {
        const Var *v = e->d->r->var[i];
        const Expr *part[2] = {v->lo, v->hi};
        for (int k = 0; k < 2 && i > 0; k++)
            for (int x = 0; x < e->d->nroots; x++) seen += te_uses_var(part[k], e->d->root[x]->var);
        if (i > 0) seen += te_has_load(v->lo) || te_has_load(v->hi);
    }
    return !seen;
}

/* Terms are counted one by one to find the partial result that each goes to. */
static bool numbered(const Emit *e) { return e->partials > 1 && !rectangular(e); }

/* ---- partial results that wait
 * ----------------------------------------------------------------------------------------
 */
bool plan_waits_in_result(const PlanDef *d, int partials)
{
    const Def *def = d->w->def;
    DType t = d->accum_type != DT_NONE ? d->accum_type : (DType)d->r->body->type;
    bool index = d->r->op == RED_ARGMAX || d->r->op == RED_ARGMIN;
    return d->w->rhs == d->red && def->out[0]->kind != TK_INOUT && def->nout == 1 && !index && t == def->out[0]->type &&
           partials == 1;
}

void acc_wait(Emit *e)
{
    e->in_result = plan_waits_in_result(e->d, e->partials);
    e->waits = true;
    if (online_outer(e)) online_begin(e);
    if (e->in_result) return;
    e->waiting = buffer_for(e, "partial", acc_type(e), e->wait_at, e->partials > 1 ? e->partials : 0);
    if (numbered(e)) e->waiting_count = buffer_for(e, "partial_term", DT_INDEX, e->wait_at, 0);
    if (keeps_index(e)) e->waiting_at = buffer_for(e, "partial_at", DT_I32, e->wait_at, 0);
}

static Expr *is_first(Emit *e, const Iter *it)
{
    Lower *l = e->l;
    Expr *at = it->kind == IT_OUTER && it->with->off ? ix_op(l, EX_ADD, it->at, it->with->off) : it->at;
    return te_node(l->op, EX_EQ, DT_U1, 2, (Expr *[]){at, ix_int(l, 0)}, it->span);
}

/* Of a cut extent: in its last piece. */
static Expr *is_last(Emit *e, const Iter *it)
{
    Lower *l = e->l;
    Expr *next = ix_op(l, EX_ADD, it->at, ix_int(l, 1)), *end = it->trips;
    if (it->cut) {
        next = ix_op(l, EX_ADD, ix_op(l, EX_MUL, it->at, ix_int(l, it->factor)), it->with->ext);
        if (it->with->off) next = ix_op(l, EX_ADD, next, it->with->off);
        end = it->cut;
    }
    return te_node(l->op, EX_GE, DT_U1, 2, (Expr *[]){next, end}, it->span);
}

/* All reduction loops outside of the accumulator are in their first (last) iteration. */
static Expr *at_end(Emit *e, bool last)
{
    Lower *l = e->l;
    Expr *all = NULL;
    for (int i = 0; i < e->acc_at; i++) {
        Iter *it = e->d->loop.at[i];
        if (!it->reduces) continue;
        Expr *c = last ? is_last(e, it) : is_first(e, it);
        all = all ? te_node(l->op, EX_AND, DT_U1, 2, (Expr *[]){all, c}, it->span) : c;
    }
    return all;
}

static Expr *read_waiting(Emit *e, Tensor *buf, Expr *part)
{
    Lower *l = e->l;
    if (!e->in_result) return low_read(l, buf, buf->rank, wait_place(e, part), e->d->r->span);
    int n;
    Tensor *to;
    Expr **at = low_result_place(l, e->d->w, e->d->w->def->out[0], &to, &n);
    return low_read(l, to, n, at, e->d->r->span);
}

/* ---- init
 * ---------------------------------------------------------------------------------------------------------------
 */
static void store_acc(Emit *e, Tensor *buf, Expr *part, Expr *v)
{
    low_emit(e->l, tile_store(e->l->p, buf, acc_place(e, part), v, e->d->r->span));
}

/* What was summed up before this iteration of the pass is rescaled in it once. */
static Expr *rescaled_waiting(Emit *e, Expr *v)
{
    Expr *first = NULL, *now = online_scaled(e, v);
    for (int i = plan_index(e->d, e->d->online->at) + 1; i < e->acc_at; i++) {
        Iter *it = e->d->loop.at[i];
        if (!it->reduces) continue;
        Expr *c = is_first(e, it);
        first = first ? te_node(e->l->op, EX_AND, DT_U1, 2, (Expr *[]){first, c}, it->span) : c;
    }
    return first ? te_node(e->l->op, EX_SELECT, (DType)v->type, 3, (Expr *[]){first, now, v}, v->span) : now;
}

static Expr *start_value(Emit *e, Tensor *waiting, Expr *part, Expr *identity)
{
    if (!e->waits) return identity;
    Expr *v = read_waiting(e, waiting, part);
    if (online_outer(e)) v = rescaled_waiting(e, v);
    return te_node(e->l->op, EX_SELECT, (DType)identity->type, 3, (Expr *[]){at_end(e, false), identity, v},
                   e->d->r->span);
}

/* The maximum, or the sum, as the last iteration of the pass left it. */
static Expr *go_on(Emit *e, DType t)
{
    int n;
    Tensor *to;
    Expr **at = low_result_place(e->l, e->d->w, e->d->w->def->out[0], &to, &n);
    Expr *v = low_read(e->l, to, n, at, e->d->r->span);
    if (e->d->w->def == e->d->online->z) v = online_scaled(e, v);
    return (DType)v->type == t ? v : te_cast(e->l->op, t, v, v->span);
}

static void for_parts(Emit *e, int64_t n, void (*body)(Emit *, Expr *, void *), void *user)
{
    Loop lp;
    low_loop(e->l, &lp, "p", ix_int(e->l, 0), ix_int(e->l, n), e->d->r->span);
    body(e, ix_var(e->l, lp.var), user);
    low_loop_end(e->l, &lp, 1, LOOP_SERIAL, 0, NULL, 0);
}

static void set_part(Emit *e, Expr *part, void *identity)
{
    store_acc(e, e->acc, part, start_value(e, e->waiting, part, identity));
}

void acc_open(Emit *e)
{
    Lower *l = e->l;
    const Reduce *r = e->d->r;
    DType t = acc_type(e);
    Expr *identity = low_num(l, t, num_identity(r->op, t), r->span);
    if (online_inner(e)) identity = go_on(e, t);
    if (e->count) store_acc(e, e->count, NULL, start_value(e, e->waiting_count, NULL, ix_int(l, 0)));
    if (e->partials > 1) {
        for_parts(e, e->partials, set_part, identity);
        return;
    }
    store_acc(e, e->acc, NULL, start_value(e, e->waiting, NULL, identity));
    if (keeps_index(e))
        store_acc(e, e->where, NULL, start_value(e, e->waiting_at, NULL, te_int(l->op, DT_I32, -1, r->span)));
}

/* ---- update
 * -------------------------------------------------------------------------------------------------------------
 */
/* How many terms come before this one, where every range is the same for all iterations of the others. */
static Expr *term_number(Emit *e)
{
    Lower *l = e->l;
    Expr *n = NULL;
    for (int i = 0; i < e->d->nroots; i++) {
        Iter *it = e->d->root[i];
        if (!it->reduces) continue;
        Expr *v = iter_value(e->p, it);
        n = n ? ix_op(l, EX_ADD, ix_op(l, EX_MUL, n, iter_extent(e->p, it)), v) : v;
    }
    return n;
}

static Expr *widened(Emit *e, Expr *v, DType t)
{
    Lower *l = e->l;
    if ((DType)v->type == t) return v;
    if (v->op != EX_MUL || !e->d->r->fma) return te_cast(l->op, t, v, v->span);
    Expr *both[2] = {te_cast(l->op, t, v->arg[0], v->span), te_cast(l->op, t, v->arg[1], v->span)};
    return te_node(l->op, EX_MUL, t, 2, both, v->span);
}

void acc_update(Emit *e)
{
    Lower *l = e->l;
    const Reduce *r = e->d->r;
    Expr *cond = r->cond ? low_expr(l, r->cond) : NULL;
    Nest n;
    if (cond) low_open(l, &n);
    Expr *value = widened(e, low_expr(l, r->body), acc_type(e)), *index = NULL, *part = NULL;
    if (e->where) index = te_cast(l->op, DT_I32, l->bound[r->var[0]->id], r->span);
    if (e->count) part = ix_op(l, EX_MOD, acc_read(e, e->count, NULL), ix_int(l, e->partials));
    if (e->partials > 1 && !e->count) part = ix_op(l, EX_MOD, term_number(e), ix_int(l, e->partials));
    bool fma = r->fma && value->op == EX_MUL && te_is_float((DType)value->type);
    low_emit(l, tile_update(l->p, e->acc, acc_place(e, part), r->op, fma, value, e->where, index, r->span));
    if (cond) {
        Block b = low_close(l, &n);
        low_emit(l, tile_if(l->p, cond, b, (Block){0}, r->span));
    }
    if (e->count) store_acc(e, e->count, NULL, ix_op(l, EX_ADD, acc_read(e, e->count, NULL), ix_int(l, 1)));
}

void acc_rescale(Emit *e) { store_acc(e, e->acc, NULL, online_scaled(e, acc_read(e, e->acc, NULL))); }

/* ---- finish
 * -------------------------------------------------------------------------------------------------------------
 */
static void combine_two(Emit *e, Expr *at, void *user)
{
    Lower *l = e->l;
    (void)user;
    Expr *twice = ix_op(l, EX_MUL, at, ix_int(l, 2)), *odd = ix_op(l, EX_ADD, twice, ix_int(l, 1));
    Expr *both[2] = {acc_read(e, e->acc, twice), acc_read(e, e->acc, odd)};
    store_acc(e, e->acc, at,
              te_node(l->op, e->d->r->op == RED_SUM ? EX_ADD : EX_MUL, acc_type(e), 2, both, e->d->r->span));
}

/* Neighbours pairwise until one is left; an odd one is carried over. */
static void combine(Emit *e)
{
    Lower *l = e->l;
    for (int n = e->partials; n > 1; n = (n + 1) / 2) {
        for_parts(e, n / 2, combine_two, NULL);
        if (n % 2) store_acc(e, e->acc, ix_int(l, n / 2), acc_read(e, e->acc, ix_int(l, n - 1)));
    }
}

static void finish(Emit *e)
{
    Lower *l = e->l;
    Work *w = e->d->w;
    Expr *r = e->where ? acc_read(e, e->where, NULL) : acc_read(e, e->acc, e->partials > 1 ? ix_int(l, 0) : NULL);
    if (!e->where && r->type != e->d->red->type) r = te_cast(l->op, (DType)e->d->red->type, r, r->span);
    if (online_inner(e)) online_went_on(e, r);
    low_stands_for(l, e->d->red, r);
    low_store(l, w, w->def->out[0], low_expr(l, w->rhs));
}

static void keep(Emit *e, Tensor *in, Tensor *from, Expr *part)
{
    low_emit(e->l, tile_store(e->l->p, in, wait_place(e, part), acc_read(e, from, part), e->d->r->span));
}

static void keep_part(Emit *e, Expr *part, void *user)
{
    (void)user;
    keep(e, e->waiting, e->acc, part);
}

static void keep_all(Emit *e)
{
    if (e->partials > 1)
        for_parts(e, e->partials, keep_part, NULL);
    else
        keep(e, e->waiting, e->acc, NULL);
    if (e->where) keep(e, e->waiting_at, e->where, NULL);
    if (e->count) keep(e, e->waiting_count, e->count, NULL);
}

void acc_close(Emit *e)
{
    Lower *l = e->l;
    Nest done, more;
    bool waits = e->waits && !e->in_result;
    if (waits) low_open(l, &done);
    if (e->partials > 1) combine(e);
    finish(e);
    if (!waits) return;
    Block then = low_close(l, &done);
    low_open(l, &more);
    keep_all(e);
    Block els = low_close(l, &more);
    low_emit(l, tile_if(l->p, at_end(e, true), then, els, e->d->r->span));
}

/* ---- all three
 * ------------------------------------------------------------------------------------------------------------
 */
void acc_whole(Emit *e, int pos)
{
    Lower *l = e->l;
    DType t = acc_type(e);
    int p = e->partials;
    if (online_outer(e) && pos <= plan_index(e->d, e->d->online->at)) online_begin(e);
    e->acc = buffer_for(e, p > 1 ? "part" : "acc", t, pos, p > 1 ? p : 0);
    e->where = keeps_index(e) ? buffer_for(e, "at", DT_I32, pos, 0) : NULL;
    e->count = numbered(e) ? buffer_for(e, "term", DT_INDEX, pos, 0) : NULL;
    static const Part parts[] = {PART_INIT, PART_UPDATE, PART_FINISH};
    for (int i = 0; i < 3; i++) {
        int mark = l->memo.n;
        e->part = parts[i];
        emit_nest_from(e, pos);
        l->memo.n = mark;
    }
    e->part = PART_WHOLE;
}
