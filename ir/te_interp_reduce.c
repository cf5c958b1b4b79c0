/* te_interp_reduce: which terms a reduction has, in which order. The last variable is fastest; ranges may depend on
 * lanes, on earlier variables and on data; an `if` excludes terms, which are counted all the same.
 *
 * Two ways to go. Lanes: every lane has its accumulator, and all lanes take their next term together. Series: nothing
 * that the reduction mentions differs by lane, so there is one accumulator, and the terms themselves lie along the
 * lanes, many at a time, and enter in order. */
#include "ir/te_interp_acc.h"

#include <math.h>
#include <string.h>

/* ---- what a reduction mentions ----------------------------------------------------------------------------------- */
typedef struct Seek {
    Run *r;
    uint8_t *seen; /* by Expr.id */
    uint8_t *kind; /* by Var.id: 1 mentioned, 2 bound within */
    VEC(Var *) found;
} Seek;

static void seek(Seek *s, const Expr *e)
{
    if (s->seen[e->id]) return;
    s->seen[e->id] = 1;
    if (e->op == EX_VAR && !s->kind[e->var->id]) {
        s->kind[e->var->id] = 1;
        VEC_PUSH(s->r->mem, &s->found, e->var);
    }
    if (e->op == EX_REDUCE)
        for (int i = 0; i < e->red->nvars; i++) s->kind[e->red->var[i]->id] |= 2;
    for (int i = 0; i < te_nchildren(e); i++) seek(s, te_child(e, i));
}

static void find_free(Run *r, const Expr *e)
{
    Slot *slot = &r->slot[e->id];
    if (slot->free) return;
    Seek s = {.r = r};
    s.seen = NEW_ARRAY(r->mem, uint8_t, r->op->nexprs + 1);
    s.kind = NEW_ARRAY(r->mem, uint8_t, r->op->nvars + 1);
    seek(&s, e);
    slot->free = NEW_ARRAY(r->mem, Var *, s.found.n + 1);
    for (int i = 0; i < s.found.n; i++)
        if (!(s.kind[s.found.at[i]->id] & 2)) slot->free[slot->nfree++] = s.found.at[i];
}

static bool same_on_all_lanes(Run *r, const Expr *e)
{
    if (r->n == 1) return true;
    find_free(r, e);
    const Slot *s = &r->slot[e->id];
    for (int i = 0; i < s->nfree; i++)
        if (r->var[s->free[i]->id].form != ONE) return false;
    return true;
}

/* There is a result for each lane, whether or not a term has been looked at. */
static uint64_t lane_deps(const Run *r, const Expr *e)
{
    const Slot *s = &r->slot[e->id];
    uint64_t deps = 0;
    for (int i = 0; i < s->nfree; i++) deps |= r->var[s->free[i]->id].deps;
    return deps;
}

/* ---- a term -------------------------------------------------------------------------------------------------------
 */
static void count_term(Run *r, Acc *a)
{
    a->count += a->series ? r->n : 1;
    r->terms += r->n;
    for (int l = 0; a->per_lane && l < r->n; l++) a->lane_count[l] += interp_on(r, l);
}

/* Enters the lanes for which the condition may hold; opt gets those for which it may not. False: there are none. */
static bool admit(Run *r, Acc *a, const uint8_t **opt, uint8_t *maybe, bool *narrowed, Mask **was)
{
    *opt = NULL;
    *narrowed = false;
    if (!a->red->cond) return true;
    const Val *c = interp_eval(r, a->red->cond);
    a->deps |= c->deps;
    if (c->form == ONE && c->e == 0) return c->x.i != 0;
    const double *err;
    const int64_t *on = interp_array(r, a->red->cond, &err);
    Mask *m = interp_mask(r);
    for (int l = 0; l < r->n; l++) {
        bool open = err && err[l] != 0 && interp_on(r, l);
        maybe[l] = open;
        if (open) *opt = maybe;
        m->on[l] = interp_on(r, l) && (on[l] != 0 || open);
    }
    *narrowed = interp_narrow(r, m, was);
    return *narrowed;
}

static void term(Run *r, Acc *a)
{
    const uint8_t *opt;
    uint8_t maybe[MAX_LANES];
    bool narrowed;
    Mask *was = r->mask;
    if (admit(r, a, &opt, maybe, &narrowed, &was)) {
        r->maybe += opt != NULL;
        acc_term(r, a, opt);
        r->maybe -= opt != NULL;
        if (narrowed) interp_widen(r, was);
    }
    count_term(r, a);
}

/* ---- lanes ---------------------------------------------------------------------------------------------------------
 */
static void lanes(Run *r, Acc *a, int v);

static Ragged *ragged_of(Run *r, Acc *a, int v)
{
    if (!a->ragged) a->ragged = NEW_ARRAY(r->mem, Ragged, a->red->nvars);
    Ragged *g = &a->ragged[v];
    if (!g->lo) {
        g->lo = NEW_ARRAY(r->mem, int64_t, r->cap);
        g->extent = NEW_ARRAY(r->mem, int64_t, r->cap);
        g->index = NEW_ARRAY(r->mem, int64_t, r->cap);
    }
    if (a->p > 1 && a->red->nvars > 1 && !a->per_lane) {
        if (!a->lane_count) a->lane_count = NEW_ARRAY(r->mem, int64_t, r->cap);
        for (int l = 0; l < r->n; l++) a->lane_count[l] = a->count;
        a->per_lane = true;
    }
    return g;
}

/* A range that differs by lane: lanes leave as theirs ends. */
static void lanes_ragged(Run *r, Acc *a, int v, int level, bool one_lo)
{
    const Var *x = a->red->var[v];
    Ragged *g = ragged_of(r, a, v);
    const int64_t *lo = interp_array(r, x->lo, NULL);
    memcpy(g->lo, lo, sizeof *lo * (size_t)r->n);
    const int64_t *hi = interp_array(r, x->hi, NULL);
    int64_t most = 0;
    for (int l = 0; l < r->n; l++) {
        int64_t extent;
        if (!interp_on(r, l) || hi[l] <= g->lo[l])
            extent = 0;
        else if (__builtin_sub_overflow(hi[l], g->lo[l], &extent))
            extent = INT64_MAX;
        g->extent[l] = extent;
        most = extent > most ? extent : most;
    }
    for (int64_t q = 0; q < most; q++) {
        Mask *m = interp_mask(r), *was;
        for (int l = 0; l < r->n; l++) {
            m->on[l] = interp_on(r, l) && q < g->extent[l];
            g->index[l] = (int64_t)((uint64_t)g->lo[l] + (uint64_t)q);
        }
        Val *var = &r->var[x->id];
        *var = one_lo ? (Val){.form = ONE, .x.i = g->index[0]} : (Val){.form = MANY, .at = g->index};
        var->deps = interp_bit(level);
        interp_step(r, level);
        if (!interp_narrow(r, m, &was)) continue;
        lanes(r, a, v + 1);
        interp_widen(r, was);
    }
}

static void lanes(Run *r, Acc *a, int v)
{
    if (v == a->red->nvars) {
        term(r, a);
        return;
    }
    const Var *x = a->red->var[v];
    const Val *lo = interp_eval(r, x->lo), *hi = interp_eval(r, x->hi);
    a->deps |= lo->deps | hi->deps;
    if (lo->e != 0 || lo->err || hi->e != 0 || hi->err) {
        a->lost = true;
        return;
    }
    int level = interp_open(r);
    if (lo->form == ONE && hi->form == ONE) {
        int64_t end = hi->x.i;
        for (int64_t k = lo->x.i; k < end; k++) {
            r->var[x->id] = (Val){.form = ONE, .x.i = k, .deps = interp_bit(level)};
            interp_step(r, level);
            lanes(r, a, v + 1);
        }
    } else {
        lanes_ragged(r, a, v, level, lo->form == ONE);
    }
    interp_close(r);
}

/* ---- series --------------------------------------------------------------------------------------------------------
 */
static void bind(Run *r, Acc *a, int v, Val to)
{
    to.deps = interp_bit(a->level);
    r->var[a->red->var[v]->id] = to;
}

static void terms(Run *r, Acc *a, int n)
{
    r->n = n;
    interp_step(r, a->level);
    term(r, a);
    r->n = 1;
}

static void flush(Run *r, Acc *a)
{
    int n = a->pending;
    if (!n) return;
    a->pending = 0;
    for (int v = 0; v < a->red->nvars; v++)
        bind(r, a, v, n == 1 ? (Val){.form = ONE, .x.i = a->tuple[v][0]} : (Val){.form = MANY, .at = a->tuple[v]});
    terms(r, a, n);
    for (int v = 0; v < a->red->nvars; v++) bind(r, a, v, (Val){.form = ONE, .x.i = a->digit[v]});
    interp_step(r, a->level);
}

/* A row of the last variable: long ones by themselves, as a sequence; short ones are collected. */
static void row(Run *r, Acc *a, int64_t lo, int64_t hi)
{
    int last = a->red->nvars - 1;
    if (hi > lo && (hi - lo >= FEW || hi - lo < 0)) {
        flush(r, a);
        while (lo < hi) {
            int n = hi - lo < r->cap && hi - lo > 0 ? (int)(hi - lo) : r->cap;
            bind(r, a, last, (Val){.form = n == 1 ? ONE : RAMP, .x.i = lo, .step = 1});
            terms(r, a, n);
            lo += n;
        }
        return;
    }
    for (; lo < hi; lo++) {
        a->digit[last] = lo;
        for (int v = 0; v <= last; v++) a->tuple[v][a->pending] = a->digit[v];
        if (++a->pending == r->cap) flush(r, a);
    }
}

static void series(Run *r, Acc *a, int v)
{
    const Var *x = a->red->var[v];
    const Val *lo = interp_eval(r, x->lo), *hi = interp_eval(r, x->hi);
    a->deps |= lo->deps | hi->deps;
    if (lo->e != 0 || hi->e != 0) {
        a->lost = true;
        return;
    }
    int64_t from = lo->x.i, to = hi->x.i;
    if (v == a->red->nvars - 1) {
        row(r, a, from, to);
        return;
    }
    for (int64_t k = from; k < to; k++) {
        a->digit[v] = k;
        bind(r, a, v, (Val){.form = ONE, .x.i = k});
        interp_step(r, a->level);
        series(r, a, v + 1);
    }
}

static void run_series(Run *r, Acc *a)
{
    int n = r->n, nvars = a->red->nvars;
    Mask *mask = r->mask;
    if (!a->tuple) {
        a->tuple = NEW_ARRAY(r->mem, int64_t *, nvars);
        a->digit = NEW_ARRAY(r->mem, int64_t, nvars);
        for (int v = 0; v < nvars; v++) a->tuple[v] = NEW_ARRAY(r->mem, int64_t, r->cap);
    }
    r->n = 1;
    r->mask = NULL;
    a->level = interp_open(r);
    a->pending = 0;
    memset(a->digit, 0, sizeof *a->digit * (size_t)nvars);
    series(r, a, 0);
    flush(r, a);
    interp_close(r);
    r->n = n;
    r->mask = mask;
}

/* ---- entry ----------------------------------------------------------------------------------------------------------
 */
static void run_terms(Run *r, Acc *a)
{
    a->count = 0;
    a->per_lane = false;
    if (a->series)
        run_series(r, a);
    else
        lanes(r, a, 0);
}

static Acc *reduce(Run *r, const Expr *e, int64_t places)
{
    Slot *s = &r->slot[e->id];
    if (!s->acc) {
        s->acc = NEW(r->mem, Acc);
        s->acc->e = e;
        s->acc->red = e->red;
        s->acc->t = (DType)e->red->body->type;
    }
    Acc *a = s->acc;
    int outer = r->level;
    bool rounds = te_is_float(a->t) && (e->red->op == RED_SUM || e->red->op == RED_PROD);
    a->series = same_on_all_lanes(r, e);
    a->lanes = a->series ? 1 : r->n;
    a->p = rounds && r->num.ordered && r->num.p > 1 ? r->num.p : 1;
    a->places = places;
    a->deps = a->series ? 0 : lane_deps(r, e);
    a->lost = false;
    a->pass = 1;
    acc_begin(r, a);
    run_terms(r, a);
    if (a->bounds && acc_ranks(a) && a->inexact && !a->lost) {
        a->pass = 2;
        run_terms(r, a);
    }
    if (outer < 63) a->deps &= interp_bit(outer) - 1;
    return a;
}

void interp_reduce(Run *r, const Expr *e, Val *out)
{
    Acc *a = reduce(r, e, 1);
    acc_finish(r, a, out);
    out->deps = a->deps;
}

void interp_topk(Run *r, const Expr *e, int64_t slots) { reduce(r, e, slots); }

void interp_topk_place(Run *r, const Expr *e, int64_t slot, Val *value, Val *index)
{
    Acc *a = r->slot[e->id].acc;
    acc_place(r, a, slot, value, index);
    value->deps = index->deps = a->deps;
}
