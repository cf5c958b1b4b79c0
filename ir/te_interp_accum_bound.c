/* te_interp_accum_bound: accumulators of floating-point reductions in check mode: the f64 value, and a bound that holds
 * for every order of the terms, for contraction to fma, and for accumulators at least as wide.
 *
 *   sum    S = Σ t; |error| <= Σ e (1+g) + g Σ |t|, g = (1+u)^(n-1) - 1: Higham, ch. 4, for any order of n terms; one
 *          more rounding for the cast from a wider accumulator. Rescaling online multiplies by exp(m - m') at most once
 * a term, which costs a rounding and exp's error each time. prod   the errors of the factors, one rounding a factor,
 * and underflow on the way. max    the largest of v + e and of v - e. argmax, topk   places are ranked by value, by v +
 * e and by v - e; a second pass finds, for each place, the least and the greatest index that could hold it.
 *
 * A term that may or may not count (opt) is taken, with a bound that covers leaving it out. */
#include "ir/te_interp_acc.h"

#include <float.h>
#include <math.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

/* ---- beginning -----------------------------------------------------------------------------------------------------
 */
/* Is e exp(x - m) with m a maximum, or made from such a value? Looks through lets. */
static bool rescalable(Run *r, const Expr *e, uint8_t *seen);

static const Def *writer_of(const Run *r, const Tensor *t)
{
    for (int i = 0; t->kind == TK_LET && i < r->op->ndefs; i++)
        if (r->op->def[i]->out[0] == t) return r->op->def[i];
    return NULL;
}

static bool is_maximum(const Run *r, const Expr *e)
{
    const Def *d = e->op == EX_LOAD ? writer_of(r, e->load.t) : NULL;
    if (d) e = d->rhs;
    while (e->op == EX_CAST) e = e->arg[0];
    return e->op == EX_REDUCE && e->red->op == RED_MAX;
}

static bool rescalable(Run *r, const Expr *e, uint8_t *seen)
{
    if (seen[e->id]) return false;
    seen[e->id] = 1;
    if ((e->op == EX_EXP || e->op == EX_EXP2) && e->arg[0]->op == EX_SUB && is_maximum(r, e->arg[0]->arg[1]))
        return true;
    const Def *d = e->op == EX_LOAD ? writer_of(r, e->load.t) : NULL;
    if (d && rescalable(r, d->rhs, seen)) return true;
    for (int i = 0; i < te_nchildren(e); i++)
        if (rescalable(r, te_child(e, i), seen)) return true;
    return false;
}

static double *row(Run *r, double *was, int64_t n, int64_t had)
{
    return was && n <= had ? was : NEW_ARRAY(r->mem, double, n);
}

void bound_acc_begin(Run *r, Acc *a)
{
    bool ranks = acc_ranks(a);
    int64_t n = ranks ? a->lanes * a->places : r->cap, had = a->room;
    if (!a->sum && a->red->op == RED_SUM) {
        uint8_t *seen = NEW_ARRAY(r->mem, uint8_t, r->op->nexprs + 1);
        a->online = rescalable(r, a->red->body, seen);
    }
    if (n > had) {
        if (n > INT64_MAX / 64 || n > r->room / 64) interp_stop(r, INTERP_NO_MEMORY, 0);
        a->room = n;
    }
    n = a->room;
    a->sum = row(r, a->sum, n, had);
    a->size = row(r, a->size, n, had);
    a->err = row(r, a->err, n, had);
    a->terms = row(r, a->terms, n, had);
    a->high = row(r, a->high, n, had);
    a->low = row(r, a->low, n, had);
    if (ranks) {
        a->first = row(r, a->first, n, had);
        a->last = row(r, a->last, n, had);
        if (n > had || !a->where) a->where = NEW_ARRAY(r->mem, int64_t, n);
    }
    double first = num_identity(a->red->op, DT_F64).d;
    if (ranks && a->t == DT_F8E4M3) first = (double)num_identity(a->red->op, a->t).f;
    if (a->red->op == RED_MAX || a->red->op == RED_MIN)
        first = a->t == DT_F64 ? first : (double)num_identity(a->red->op, a->t).f;
    int64_t live = ranks ? n : a->lanes;
    for (int64_t i = 0; i < live; i++) {
        a->sum[i] = a->high[i] = a->low[i] = first;
        a->size[i] = a->red->op == RED_PROD ? 1 : 0;
        a->err[i] = a->terms[i] = 0;
        if (ranks) a->where[i] = -1;
    }
    a->inexact = a->products = false;
}

/* ---- sums ----------------------------------------------------------------------------------------------------------
 */
static void add_terms(Run *r, Acc *a, const double *t, const double *e, const uint8_t *opt)
{
    double *sum = a->sum, *size = a->size, *err = a->err;
    int n = r->n;
    if (a->series) {
        double s = 0, z = 0, m = 0;
        int64_t k = 0;
        for (int l = 0; l < n; l++) {
            if (!interp_on(r, l)) continue;
            s += t[l];
            z += fabs(t[l]);
            m += (e ? e[l] : 0) + (opt && opt[l] ? fabs(t[l]) : 0);
            k++;
        }
        *sum += s;
        *size += z;
        *err += m;
        *a->terms += (double)k;
    } else if (!r->mask) {
        for (int l = 0; l < n; l++) sum[l] += t[l];
        for (int l = 0; l < n; l++) size[l] += fabs(t[l]);
        for (int l = 0; e && l < n; l++) err[l] += e[l];
        for (int l = 0; l < n; l++) a->terms[l]++;
    } else {
        for (int l = 0; l < n; l++) {
            if (!r->mask->on[l]) continue;
            sum[l] += t[l];
            size[l] += fabs(t[l]);
            err[l] += (e ? e[l] : 0) + (opt && opt[l] ? fabs(t[l]) : 0);
            a->terms[l]++;
        }
    }
}

/* Products of exact factors, not rounded one by one: x or y may be the same on all lanes (step 0). */
static void add_products(Run *r, Acc *a, const double *x, int xs, const double *y, int ys)
{
    double *sum = a->sum, *size = a->size;
    int n = r->n;
    if (xs && ys) {
        for (int l = 0; l < n; l++) {
            double t = x[l] * y[l];
            sum[l] += t;
            size[l] += fabs(t);
        }
    } else {
        const double *v = xs ? x : y;
        double c = xs ? *y : *x;
        for (int l = 0; l < n; l++) {
            double t = c * v[l];
            sum[l] += t;
            size[l] += fabs(t);
        }
    }
    for (int l = 0; l < n; l++) a->terms[l]++;
}

static bool add_mul(Run *r, Acc *a, const Expr *body)
{
    const Val *x = interp_eval(r, body->arg[0]), *y = interp_eval(r, body->arg[1]);
    a->deps |= x->deps | y->deps;
    if (x->e != 0 || y->e != 0 || x->err || y->err || a->series || r->mask || r->maybe) return false;
    if (x->form == ONE && y->form == ONE) return false;
    add_products(r, a, x->form == ONE ? &x->x.d : x->at, x->form != ONE, y->form == ONE ? &y->x.d : y->at,
                 y->form != ONE);
    a->products = true;
    return true;
}

static double finish_sum(Run *r, Acc *a, int l, double *v)
{
    const Round *f = &r->round[a->t];
    double n = a->terms[l], size = a->size[l], err = a->err[l];
    *v = a->sum[l];
    if (!isfinite(*v)) {
        /* Terms that are no numbers decide; but products with 0 may have been skipped, or computed. */
        return isnan(*v) && (a->red->body->op == EX_MUL || !(err < INFINITY)) ? INFINITY
               : err < INFINITY                                               ? 0
                                                                              : INFINITY;
    }
    double steps = n > 1 ? n : 0;
    if (a->online) steps += n * (2 + 2 * num_math_ulp(EX_EXP, a->t == DT_F64 ? DT_F64 : DT_F32));
    double g = expm1(steps * f->u);
    if (a->products) err += f->u * size + n * f->tiny;
    err = err * (1 + g) + g * size;
    if (size + err <= f->max) return err;
    if (!(fabs(*v) - err > f->max * (1 + f->u))) return INFINITY;
    *v = a->t == DT_F8E4M3 ? (double)NAN : copysign((double)INFINITY, *v);
    return 0;
}

/* ---- products ------------------------------------------------------------------------------------------------------
 */
/* size: the product of max(|t|, 1), what intermediate results in any order stay below. */
static void multiply(Run *r, Acc *a, const double *t, const double *e, const uint8_t *opt)
{
    const Round *f = &r->round[a->t];
    for (int l = 0; l < r->n; l++) {
        int at = a->series ? 0 : l;
        if (!interp_on(r, l)) continue;
        double p = a->sum[at], x = t[l], ex = (e ? e[l] : 0), ep = a->err[at];
        if (opt && opt[l]) ex += fabs(x - 1);
        double v = p * x, err = (ep == 0 ? 0 : fabs(x) * ep) + (ex == 0 ? 0 : fabs(p) * ex + ep * ex);
        if (a->terms[at] > 0) err += f->u * (fabs(v) + err);
        a->sum[at] = v;
        a->err[at] = isnan(err) ? INFINITY : err;
        a->size[at] *= fmax(fabs(x) + ex, 1);
        a->terms[at]++;
    }
}

static double finish_prod(Run *r, Acc *a, int l, double *v)
{
    const Round *f = &r->round[a->t];
    double err = a->err[l];
    *v = a->sum[l];
    if (a->terms[l] < 2) return err;
    if (!isfinite(*v)) return err == 0 && !isfinite(a->size[l]) ? 0 : INFINITY;
    err += a->terms[l] * f->tiny * fmin(a->size[l], DBL_MAX);
    return a->size[l] * (1 + a->terms[l] * f->u) <= f->max ? err : INFINITY;
}

/* ---- max and min ---------------------------------------------------------------------------------------------------
 */
static double pick(ExprOp op, double x, double y)
{
    Num arg[2] = {{.d = x}, {.d = y}};
    bool div0;
    return num_op(op, DT_F64, arg, &div0).d;
}

static void extreme(Run *r, Acc *a, const double *t, const double *e, const uint8_t *opt)
{
    ExprOp op = a->red->op == RED_MAX ? EX_MAX : EX_MIN;
    if ((e || opt) && !a->inexact) {
        memcpy(a->high, a->sum, sizeof *a->sum * (size_t)a->lanes);
        memcpy(a->low, a->sum, sizeof *a->sum * (size_t)a->lanes);
        a->inexact = true;
    }
    if (!a->inexact && !a->series && !r->mask) {
        const void *arg[2] = {a->sum, t};
        bool div0;
        num_op_n(op, DT_F64, (size_t)r->n, a->sum, arg, &div0);
        return;
    }
    for (int l = 0; l < r->n; l++) {
        int at = a->series ? 0 : l;
        if (!interp_on(r, l)) continue;
        double err = e ? e[l] : 0, up = t[l] + err, down = t[l] - err;
        a->sum[at] = pick(op, a->sum[at], t[l]);
        if (!a->inexact) continue;
        bool maybe = opt && opt[l];
        /* a term that may not count can only raise a maximum, or lower a minimum */
        if (!maybe || op == EX_MAX) a->high[at] = pick(op, a->high[at], up);
        if (!maybe || op == EX_MIN) a->low[at] = pick(op, a->low[at], down);
    }
}

static double gap(double p, double q)
{
    if (p == q || (isnan(p) && isnan(q))) return 0;
    double d = fabs(p - q);
    return isnan(d) ? INFINITY : d;
}

static double finish_extreme(const Acc *a, int l, double *v)
{
    *v = a->sum[l];
    return a->inexact ? fmax(gap(*v, a->high[l]), gap(*v, a->low[l])) : 0;
}

/* ---- ranking -------------------------------------------------------------------------------------------------------
 */
static bool better(const Acc *a, double x, double y)
{
    return num_better(a->red->op, DT_F64, (Num){.d = x}, (Num){.d = y});
}

/* Inserts x into the sorted places list[base, base + places) of which the first `used` are taken. */
static int64_t insert(const Acc *a, double *list, int64_t base, int64_t used, double x)
{
    int64_t k = used < a->places ? used : a->places;
    while (k > 0 && better(a, x, list[base + k - 1])) {
        if (k < a->places) list[base + k] = list[base + k - 1];
        k--;
    }
    if (k < a->places) list[base + k] = x;
    return k;
}

static int64_t candidate(const Val *v, int l)
{
    if (v->form == MANY) return ((const int64_t *)v->at)[l];
    return v->x.i + (v->form == RAMP ? v->step * l : 0);
}

/* Optimistic value of a candidate: `high` ranks these, `low` the pessimistic ones; terms[base], size[base] count how
 * many of each there are. */
static void rank_one(Acc *a, int64_t base, double t, double e, bool maybe, int64_t index)
{
    bool least = a->red->op == RED_ARGMIN;
    double good = least ? t - e : t + e, bad = least ? t + e : t - e;
    int64_t n = (int64_t)a->terms[base], sure = (int64_t)a->size[base];
    if (a->pass == 2) {
        for (int64_t k = 0; k < a->places; k++) {
            bool in = k >= sure || !better(a, a->low[base + k], good);
            if (!in || better(a, bad, a->high[base + k])) continue;
            a->first[base + k] = fmin(a->first[base + k], (double)index);
            a->last[base + k] = fmax(a->last[base + k], (double)index);
        }
        return;
    }
    if (e != 0 || maybe) a->inexact = true;
    int64_t k = insert(a, a->sum, base, n, t);
    for (int64_t m = (n < a->places ? n : a->places - 1); m > k; m--) a->where[base + m] = a->where[base + m - 1];
    if (k < a->places) a->where[base + k] = index;
    insert(a, a->high, base, n, good);
    if (!maybe) {
        insert(a, a->low, base, sure, bad);
        a->size[base] = (double)(sure + 1);
    }
    a->terms[base] = (double)(n + 1);
    for (k = 0; k < a->places; k++) a->first[base + k] = a->last[base + k] = (double)a->where[base + k];
}

static void rank(Run *r, Acc *a, const double *t, const double *e, const uint8_t *opt)
{
    const Val *v = &r->var[a->red->var[0]->id];
    for (int l = 0; l < r->n; l++)
        if (interp_on(r, l))
            rank_one(a, a->series ? 0 : l * a->places, t[l], e ? e[l] : 0, opt && opt[l],
                     num_wrap(DT_I32, candidate(v, l)));
}

static double value_bound(const Acc *a, int64_t base, int64_t k)
{
    if (!a->inexact) return 0;
    if ((double)k >= a->size[base] && (double)k < a->terms[base]) return INFINITY;
    return fmax(gap(a->sum[base + k], a->high[base + k]), gap(a->sum[base + k], a->low[base + k]));
}

static double index_bound(const Acc *a, int64_t base, int64_t k)
{
    if (!a->inexact) return 0;
    double at = (double)a->where[base + k], first = a->first[base + k], last = a->last[base + k];
    if ((double)k >= a->size[base] && (double)k < a->terms[base]) first = -1;
    return fmax(at - first, last - at);
}

/* ---- entry ---------------------------------------------------------------------------------------------------------
 */
void bound_acc_term(Run *r, Acc *a, const uint8_t *opt)
{
    const Expr *body = a->red->body;
    if (a->red->op == RED_SUM && body->op == EX_MUL && add_mul(r, a, body)) return;
    const double *e, *t = interp_array(r, body, &e);
    a->deps |= r->slot[body->id].val.deps;
    switch (a->red->op) {
    case RED_SUM: add_terms(r, a, t, e, opt); break;
    case RED_PROD: multiply(r, a, t, e, opt); break;
    case RED_MAX:
    case RED_MIN: extreme(r, a, t, e, opt); break;
    default: rank(r, a, t, e, opt); break;
    }
}

/* Results come out in out[] and err[], or as one value. */
static void give(Run *r, Acc *a, void *buf, int64_t place, bool index, Val *out)
{
    double *ebuf = a->series ? NULL : interp_ebuf(r, a->e);
    bool any = false;
    for (int l = 0; l < a->lanes; l++) {
        int64_t base = l * a->places;
        Num x = {0};
        double e;
        if (acc_ranks(a) && index) {
            x.i = a->where[base + place];
            e = index_bound(a, base, place);
        } else if (acc_ranks(a)) {
            x.d = a->sum[base + place];
            e = value_bound(a, base, place);
        } else {
            e = a->red->op == RED_SUM    ? finish_sum(r, a, l, &x.d)
                : a->red->op == RED_PROD ? finish_prod(r, a, l, &x.d)
                                         : finish_extreme(a, l, &x.d);
        }
        if (a->lost || isnan(e)) e = INFINITY;
        any |= e != 0;
        if (a->series) {
            *out = (Val){.form = ONE, .x = x, .e = e};
            return;
        }
        ((Num *)buf)[l] = x;
        ebuf[l] = e;
    }
    *out = (Val){.form = MANY, .at = buf, .err = any ? ebuf : NULL};
}

void bound_acc_finish(Run *r, Acc *a, Val *out) { give(r, a, interp_buf(r, a->e), 0, acc_ranks(a), out); }

void bound_acc_place(Run *r, Acc *a, int64_t place, Val *value, Val *index)
{
    if (!a->scratch) a->scratch = NEW_ARRAY(r->mem, double, 2 * r->cap);
    double *ebuf = interp_ebuf(r, a->e);
    give(r, a, a->scratch, place, false, value);
    if (value->err) { /* both results' bounds pass through ebuf */
        double *keep = (double *)a->scratch + r->cap;
        memcpy(keep, ebuf, sizeof *keep * (size_t)a->lanes);
        value->err = keep;
    }
    give(r, a, interp_buf(r, a->e), place, true, index);
}
