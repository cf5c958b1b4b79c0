/* te_interp_accum: accumulators as the language defines them: partials in order and then combined pairwise for sums and
 * products in floating point; everything else does not depend on order. Used by native mode, and by check mode for
 * integers and truth values, where a bound goes along (Acc.off).
 *
 * Terms come as the lanes of the current mask. In lanes form lane l feeds accumulator l; in series form all feed
 * accumulator 0, one after another. */
#include "ir/te_interp_acc.h"

#include <math.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

static const ExprOp combine_op[RED_COUNT] = {[RED_SUM] = EX_ADD, [RED_PROD] = EX_MUL, [RED_MAX] = EX_MAX,
                                             [RED_MIN] = EX_MIN, [RED_ANY] = EX_OR,   [RED_ALL] = EX_AND};

static size_t width(const Run *r, const Acc *a) { return interp_width(r, a->t); }
static char *part_at(const Run *r, const Acc *a, int64_t p)
{
    return (char *)a->part + (size_t)(p * a->lanes) * width(r, a);
}

static void set(void *at, size_t w, int64_t i, Num x)
{
    if (w == 4)
        ((float *)at)[i] = x.f;
    else
        ((Num *)at)[i] = x;
}

static Num get(const void *at, size_t w, int64_t i)
{
    Num x = {0};
    if (w == 4)
        x.f = ((const float *)at)[i];
    else
        x = ((const Num *)at)[i];
    return x;
}

void *acc_more(Run *r, void *was, int64_t *room, int64_t places)
{
    if (places <= *room) return was;
    if (places > INT64_MAX / 32 || places > r->room / 8) interp_stop(r, INTERP_NO_MEMORY, 0);
    *room = places;
    return arena_alloc(r->mem, 8 * (size_t)places);
}

/* ---- beginning -----------------------------------------------------------------------------------------------------
 */
void acc_begin(Run *r, Acc *a)
{
    a->bounds = r->check && te_is_float(a->t);
    if (a->bounds) {
        bound_acc_begin(r, a);
        return;
    }
    size_t w = width(r, a);
    int64_t n = a->lanes * (acc_ranks(a) ? a->places : a->p), had = a->room;
    a->part = acc_more(r, a->part, &a->room, n);
    if (acc_ranks(a) && a->room != had) a->where = NEW_ARRAY(r->mem, int64_t, a->room);
    if (!a->scratch) a->scratch = arena_alloc(r->mem, 8 * (size_t)r->cap);
    Num first = num_identity(a->red->op, a->t);
    for (int64_t i = 0; i < n; i++) set(a->part, w, i, first);
    for (int64_t i = 0; acc_ranks(a) && i < n; i++) a->where[i] = -1;
    if (!r->check) return;
    if (!a->off) a->off = NEW_ARRAY(r->mem, double, r->cap);
    for (int l = 0; l < a->lanes; l++) a->off[l] = 0;
}

/* ---- ranking -------------------------------------------------------------------------------------------------------
 */
/* Puts candidate (x, i) in its place among the k best, which are sorted; -1 is an empty place. Candidates come by
 * rising i, so that an equal one goes behind. */
static void insert(const Acc *a, size_t w, int64_t base, Num x, int64_t i)
{
    int64_t k = a->places;
    while (k > 0) {
        int64_t at = base + k - 1;
        if (a->where[at] != -1 && !num_better(a->red->op, a->t, x, get(a->part, w, at))) break;
        if (k < a->places) {
            set(a->part, w, at + 1, get(a->part, w, at));
            a->where[at + 1] = a->where[at];
        }
        k--;
    }
    if (k == a->places) return;
    set(a->part, w, base + k, x);
    a->where[base + k] = i;
}

static int64_t candidate(const Val *v, int l)
{
    if (v->form == MANY) return ((const int64_t *)v->at)[l];
    return v->x.i + (v->form == RAMP ? v->step * l : 0);
}

static void rank(Run *r, Acc *a, const void *x)
{
    size_t w = width(r, a);
    const Val *v = &r->var[a->red->var[0]->id];
    for (int l = 0; l < r->n; l++) {
        if (!interp_on(r, l)) continue;
        int64_t i = num_wrap(DT_I32, candidate(v, l));
        insert(a, w, a->series ? 0 : l * a->places, get(x, w, l), i);
    }
}

/* ---- lanes form ----------------------------------------------------------------------------------------------------
 */
/* acc[l] = op(args…, acc[l]) on the lanes of the mask. */
static void enter(Run *r, Acc *a, ExprOp op, char *acc, const void *x, const void *y)
{
    const void *arg[3] = {x, y ? y : acc, acc};
    const void *pair[2] = {acc, x};
    size_t w = width(r, a), n = (size_t)r->n;
    bool div0 = false;
    void *to = r->mask ? a->scratch : acc;
    num_op_n(op, a->t, n, to, op == EX_FMA ? arg : pair, &div0);
    if (!r->mask) return;
    const uint8_t *on = r->mask->on;
    if (w == 4) {
        float *f = (float *)(void *)acc;
        for (size_t l = 0; l < n; l++) f[l] = on[l] ? ((float *)to)[l] : f[l];
    } else {
        uint64_t *f = (uint64_t *)(void *)acc;
        for (size_t l = 0; l < n; l++) f[l] = on[l] ? ((uint64_t *)to)[l] : f[l];
    }
}

/* The lanes have had different numbers of terms: each picks its own partial. */
static void enter_per_lane(Run *r, Acc *a, ExprOp op, const void *x, const void *y)
{
    size_t w = width(r, a);
    bool div0 = false;
    for (int l = 0; l < r->n; l++) {
        if (!interp_on(r, l)) continue;
        char *acc = part_at(r, a, a->lane_count[l] % a->p);
        Num old = get(acc, w, l), v = get(x, w, l);
        Num arg[3] = {op == EX_FMA ? v : old, op == EX_FMA ? get(y, w, l) : v, old};
        set(acc, w, l, num_op(op, a->t, arg, &div0));
    }
}

/* ---- series form ---------------------------------------------------------------------------------------------------
 */
/* Floating-point sums and products: strictly in order. y: the second factor of an fma. */
#define SERIES(NAME, T, FIELD, FMA)                                                                                    \
    static void NAME(Run *r, Acc *a, const T *x, const T *y)                                                           \
    {                                                                                                                  \
        T *part = a->part;                                                                                             \
        int64_t at = a->count % a->p;                                                                                  \
        bool plain = a->t == DT_F32 || a->t == DT_F64, sum = a->red->op == RED_SUM;                                    \
        for (int l = 0; l < r->n; l++, at = at + 1 == a->p ? 0 : at + 1) {                                             \
            if (!interp_on(r, l)) continue;                                                                            \
            T v = y ? FMA(x[l], y[l], part[at]) : sum ? part[at] + x[l] : part[at] * x[l];                             \
            part[at] = plain ? v : (T)num_round(a->t, (float)v);                                                       \
        }                                                                                                              \
    }
SERIES(series_f32, float, f, fmaf)
SERIES(series_f64, double, d, fma)
#undef SERIES

/* Everything else: any order, so halves are folded onto each other. */
static void series_fold(Run *r, Acc *a, ExprOp op, const void *x)
{
    size_t w = width(r, a), n = 0;
    char *s = a->scratch;
    bool div0 = false;
    for (int l = 0; l < r->n; l++)
        if (interp_on(r, l)) memcpy(s + w * n++, (const char *)x + w * (size_t)l, w);
    while (n > 1) {
        size_t half = n / 2;
        const void *arg[2] = {s, s + w * (n - half)};
        num_op_n(op, a->t, half, s, arg, &div0);
        n -= half;
    }
    if (!n) return;
    const void *arg[2] = {a->part, s};
    num_op_n(op, a->t, 1, a->part, arg, &div0);
}

/* ---- a term --------------------------------------------------------------------------------------------------------
 */
/* How far an integer result may be off: bounds of the terms, and whole terms that may not count. */
static void note_bounds(Run *r, Acc *a, const int64_t *x, const double *err, const uint8_t *opt)
{
    bool truth = a->red->op == RED_ANY || a->red->op == RED_ALL;
    for (int l = 0; l < r->n; l++) {
        double e = err ? err[l] : 0;
        bool maybe = opt && opt[l];
        int at = a->series ? 0 : l;
        if (!interp_on(r, l) || (e == 0 && !maybe)) continue;
        if (truth) {
            a->off[at] = 1;
        } else if (a->red->op == RED_SUM) {
            a->off[at] += e + (maybe ? fabs((double)x[l]) : 0);
        } else if ((a->red->op == RED_MAX || a->red->op == RED_MIN) && !maybe) {
            a->off[at] = fmax(a->off[at], e);
        } else {
            a->off[at] = INFINITY;
        }
    }
}

/* any, all: a certain term decides whatever the uncertain ones are, so those are left out of the value. */
static void note_truth(Run *r, Acc *a, const int64_t *x, const double *err, const uint8_t *opt)
{
    bool want = a->red->op == RED_ANY;
    int64_t *part = a->part;
    for (int l = 0; l < r->n; l++) {
        int at = a->series ? 0 : l;
        if (!interp_on(r, l)) continue;
        bool open = (err && err[l] != 0) || (opt && opt[l] && (x[l] != 0) == want);
        if (open)
            a->off[at] = 1;
        else if ((x[l] != 0) == want && !(opt && opt[l]))
            part[at] = want;
    }
}

void acc_term(Run *r, Acc *a, const uint8_t *opt)
{
    if (a->bounds) {
        bound_acc_term(r, a, opt);
        return;
    }
    const Expr *body = a->red->body;
    RedOp op = a->red->op;
    bool rounds = te_is_float(a->t) && (op == RED_SUM || op == RED_PROD),
         mul = op == RED_SUM && a->red->fma && body->op == EX_MUL && rounds;
    const double *err = NULL;
    const void *x, *y = NULL;
    if (mul) {
        x = interp_array(r, body->arg[0], NULL);
        y = interp_array(r, body->arg[1], NULL);
        a->deps |= r->slot[body->arg[0]->id].val.deps | r->slot[body->arg[1]->id].val.deps;
    } else {
        x = interp_array(r, body, &err);
        a->deps |= r->slot[body->id].val.deps;
    }
    if (r->check && (op == RED_ANY || op == RED_ALL)) {
        note_truth(r, a, x, err, opt);
        return;
    }
    if (err || opt) note_bounds(r, a, x, err, opt);
    if (acc_ranks(a))
        rank(r, a, x);
    else if (a->per_lane)
        enter_per_lane(r, a, mul ? EX_FMA : combine_op[op], x, y);
    else if (!a->series)
        enter(r, a, mul ? EX_FMA : combine_op[op], part_at(r, a, a->p > 1 ? a->count % a->p : 0), x, y);
    else if (!rounds)
        series_fold(r, a, combine_op[op], x);
    else if (width(r, a) == 4)
        series_f32(r, a, x, y);
    else
        series_f64(r, a, x, y);
}

/* ---- the result ----------------------------------------------------------------------------------------------------
 */
static void combine_partials(Run *r, Acc *a)
{
    size_t w = width(r, a);
    bool div0 = false;
    for (int64_t n = a->p; n > 1; n = (n + 1) / 2) {
        for (int64_t p = 0; p < n / 2; p++) {
            const void *arg[2] = {part_at(r, a, 2 * p), part_at(r, a, 2 * p + 1)};
            num_op_n(combine_op[a->red->op], a->t, (size_t)a->lanes, a->scratch, arg, &div0);
            memcpy(part_at(r, a, p), a->scratch, w * (size_t)a->lanes);
        }
        if (n % 2) memmove(part_at(r, a, n / 2), part_at(r, a, n - 1), w * (size_t)a->lanes);
    }
}

static double off_by(const Run *r, const Acc *a, int l)
{
    if (!r->check) return 0;
    if (a->lost) return INFINITY;
    bool want = a->red->op == RED_ANY;
    if ((a->red->op == RED_ANY || a->red->op == RED_ALL) && ((const int64_t *)a->part)[l] == want) return 0;
    return acc_ranks(a) && a->off[l] != 0 ? INFINITY : a->off[l];
}

/* Place k of every lane of from[lane][place], held in w bytes. */
static void give(Run *r, Acc *a, const void *from, size_t w, int64_t k, void *buf, Val *out)
{
    int64_t step = acc_ranks(a) ? a->places : 1;
    *out = (Val){.form = ONE, .x = get(from, w, k), .e = off_by(r, a, 0)};
    if (a->series) return;
    bool any = false;
    for (int l = 0; l < a->lanes; l++) {
        set(buf, w, l, get(from, w, l * step + k));
        if (!r->check) continue;
        double e = off_by(r, a, l);
        interp_ebuf(r, a->e)[l] = e;
        any |= e != 0;
    }
    *out = (Val){.form = MANY, .at = buf, .err = any ? interp_ebuf(r, a->e) : NULL};
}

void acc_finish(Run *r, Acc *a, Val *out)
{
    if (a->bounds) {
        bound_acc_finish(r, a, out);
        return;
    }
    combine_partials(r, a);
    if (acc_ranks(a))
        give(r, a, a->where, 8, 0, interp_buf(r, a->e), out);
    else
        give(r, a, a->part, width(r, a), 0, interp_buf(r, a->e), out);
}

void acc_place(Run *r, Acc *a, int64_t place, Val *value, Val *index)
{
    if (a->bounds) {
        bound_acc_place(r, a, place, value, index);
        return;
    }
    give(r, a, a->part, width(r, a), place, a->scratch, value);
    give(r, a, a->where, 8, place, interp_buf(r, a->e), index);
}
