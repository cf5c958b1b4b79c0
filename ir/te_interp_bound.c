/* te_interp_bound: arithmetic with running error bounds (Higham, Accuracy and Stability of Numerical Algorithms, ch.
 * 3).
 *
 * A value v with bound e says: whatever a correct computation in the program's types gives here is within e of v, where
 * v is the f64 value. An operation on arguments with bounds first asks how far its exact result may move when they
 * move (spread), then adds the rounding of its own result. Where exact arguments give a result that the type holds,
 * nothing is added: small integers in floating point stay exact, and so do decisions on them. A bound of infinity
 * accepts anything, infinities and NaN too: past a possible overflow, a domain's edge, or an undecided wrap.
 *
 * Decisions (comparisons, rounding to integer) within the bound get one that covers both sides. */
#include "ir/te_interp_priv.h"

#include <float.h>
#include <math.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

/* ---- how types round -------------------------------------------------------------------------------------------- */
/* Greatest finite and half the least positive value of an RC_F32 type, found by asking its rounding. */
static void probe(DType t, Round *f)
{
    double top = 1, least = 1, u = ldexp(1, -te_type[t].u);
    while (isfinite(num_round_d(t, top * 2)) && (double)num_round_d(t, top * 2) == top * 2) top *= 2;
    for (double bit = top / 2; bit >= top * u; bit /= 2)
        if ((double)num_round_d(t, top + bit) == top + bit) top += bit;
    while ((double)num_round_d(t, least / 2) == least / 2) least /= 2;
    f->max = top;
    f->tiny = least / 2;
    f->u = u + (t == DT_F32 ? 0 : ldexp(1, -24));
}

void bound_begin(Run *r)
{
    r->round = NEW_ARRAY(r->mem, Round, DT_COUNT);
    for (int t = 0; t < DT_COUNT; t++) {
        if (!te_is_float((DType)t)) continue;
        /* f64: the reference itself rounds as the program does, hence twice the unit. */
        if (t == DT_F64)
            r->round[t] = (Round){.u = DBL_EPSILON, .tiny = DBL_TRUE_MIN, .max = DBL_MAX};
        else
            probe((DType)t, &r->round[t]);
    }
}

static double gap(double p, double q)
{
    if (p == q || (isnan(p) && isnan(q))) return 0;
    double d = fabs(p - q);
    return isnan(d) ? INFINITY : d;
}

/* All of [v - e, v + e] overflows, some of it may, or none. */
static double overflow(const Round *f, DType t, double *v, double e)
{
    if (!isfinite(*v)) {
        if (t == DT_F8E4M3) *v = (double)NAN; /* it has no infinity */
        return e == 0 ? 0 : INFINITY;
    }
    if (!(fabs(*v) - e > f->max * (1 + f->u))) return INFINITY;
    *v = t == DT_F8E4M3 ? (double)NAN : copysign((double)INFINITY, *v);
    return 0;
}

double bound_round(const Round *f, DType t, double *v, double e)
{
    double a = fabs(*v), total = e + f->u * (a + e) + f->tiny;
    return a + total <= f->max ? total : overflow(f, t, v, e);
}

/* Bits of a double's mantissa that type t has no place for, and its least normal number. */
static uint64_t lost_bits(DType t) { return (UINT64_C(1) << (53 - te_type[t].u)) - 1; }
static double least_normal(const Round *f, DType t) { return f->tiny * 2 * ldexp(1, te_type[t].u - 1); }

/* err[] holds how far each exact result may have moved; turns it into the bound after rounding. `strange` lanes, those
 * that are not surely finite, get a bound of NaN, to be settled by the caller. Returns whether all are exact. */
static bool round_all(const Round *f, DType t, size_t n, const double *out, double *err, bool *strange)
{
    uint64_t lost = lost_bits(t), odd = 0, inexact = 0;
    double normal = least_normal(f, t), u = f->u, tiny = f->tiny, max = f->max;
    for (size_t l = 0; l < n; l++) {
        double v = out[l], a = fabs(v), e = err[l], total = e + u * (a + e) + tiny;
        uint64_t bits;
        memcpy(&bits, &v, 8);
        bool held = (e == 0) & ((bits & lost) == 0) & ((a >= normal) | (a == 0)) & (a <= max), fine = a + total <= max;
        double b = held ? 0 : total;
        b = (held | fine) ? b : NAN;
        err[l] = b;
        odd |= (uint64_t) !(held | fine);
        inexact |= (uint64_t)!held;
    }
    *strange = odd != 0;
    return !inexact;
}

/* ---- how far an operation's exact result moves ------------------------------------------------------------------- */
typedef struct Lane {
    double a, b, c, ea, eb, ec;
} Lane;

/* Results that are no finite numbers: 0 when every argument within the bounds gives the same. */
static double settle(ExprOp op, double v, Lane x)
{
    if (x.ea == 0 && x.eb == 0 && x.ec == 0) return 0;
    if (!(x.ea < INFINITY && x.eb < INFINITY && x.ec < INFINITY)) return INFINITY;
    if (isnan(x.a) || isnan(x.b) || isnan(x.c)) return 0;
    bool a0 = fabs(x.a) > x.ea, b0 = fabs(x.b) > x.eb; /* surely not 0 */
    switch (op) {
    case EX_ADD:
    case EX_SUB: return isinf(x.a) || isinf(x.b) ? 0 : INFINITY;
    case EX_MUL: return (isinf(x.a) && b0) || (isinf(x.b) && a0) ? 0 : INFINITY;
    case EX_DIV: return (isinf(x.a) && (b0 || x.eb == 0)) || (x.b == 0 && x.eb == 0 && a0) ? 0 : INFINITY;
    case EX_FMA: return isinf(x.c) && isfinite(x.a * x.b) ? 0 : isinf(v) && isfinite(x.c) && a0 && b0 ? 0 : INFINITY;
    default: return INFINITY;
    }
}

static double spread_div(double v, Lane x)
{
    if (x.eb == 0) return x.b == 0 || x.ea == 0 ? 0 : x.ea / fabs(x.b);
    double least = fabs(x.b) - x.eb;
    if (!(least > 0)) return INFINITY;
    return (x.ea + fabs(v) * x.eb) / least;
}

static double spread_mul(double a, double ea, double b, double eb)
{
    return (ea == 0 ? 0 : fabs(b) * ea) + (eb == 0 ? 0 : fabs(a) * eb) + (ea == 0 || eb == 0 ? 0 : ea * eb);
}

static double of_f64(ExprOp op, double a, double b, double c)
{
    Num x[3] = {{.d = a}, {.d = b}, {.d = c}};
    bool div0;
    return num_op(op, DT_F64, x, &div0).d;
}

/* Operations that rise with every argument: the results at both ends. An argument that may be anything may be NaN,
 * which min, max and clamp hand on. */
static double spread_ends(ExprOp op, double v, Lane x)
{
    if (x.ea == INFINITY || x.eb == INFINITY || x.ec == INFINITY) return INFINITY;
    double lo = of_f64(op, x.a - x.ea, x.b - x.eb, x.c - x.ec), hi = of_f64(op, x.a + x.ea, x.b + x.eb, x.c + x.ec);
    return fmax(gap(v, lo), gap(v, hi));
}

static double spread_lane(ExprOp op, double v, Lane x)
{
    switch (op) {
    case EX_ADD:
    case EX_SUB: return x.ea + x.eb;
    case EX_MUL: return spread_mul(x.a, x.ea, x.b, x.eb);
    case EX_FMA: return spread_mul(x.a, x.ea, x.b, x.eb) + x.ec;
    case EX_DIV: return spread_div(v, x);
    case EX_NEG:
    case EX_ABS: return x.ea;
    default: return spread_ends(op, v, x); /* MIN MAX CLAMP FLOOR CEIL ROUND TRUNC SQRT */
    }
}

static Lane lane_of(ExprOp op, const BoundArg *arg, size_t l)
{
    int n = te_expr[op].arity;
    Lane x = {0};
    x.a = ((const double *)arg[0].at)[l];
    x.ea = arg[0].err ? arg[0].err[l] : 0;
    if (n > 1) {
        x.b = ((const double *)arg[1].at)[l];
        x.eb = arg[1].err ? arg[1].err[l] : 0;
    }
    if (n > 2) {
        x.c = ((const double *)arg[2].at)[l];
        x.ec = arg[2].err ? arg[2].err[l] : 0;
    }
    return x;
}

static bool spread_quick(ExprOp op, size_t n, double *err, const BoundArg *arg)
{
    const double *a = arg[0].at, *ea = arg[0].err, *eb = te_expr[op].arity > 1 ? arg[1].err : NULL;
    const double *b = te_expr[op].arity > 1 ? arg[1].at : NULL;
    if (!ea && !eb && (te_expr[op].arity < 3 || !arg[2].err)) {
        memset(err, 0, sizeof *err * n);
    } else if ((op == EX_ADD || op == EX_SUB) && ea && eb) {
        for (size_t l = 0; l < n; l++) err[l] = ea[l] + eb[l];
    } else if (op == EX_ADD || op == EX_SUB || op == EX_NEG || op == EX_ABS) {
        memcpy(err, ea ? ea : eb, sizeof *err * n);
    } else if (op == EX_MUL && !(ea && eb)) {
        const double *e = ea ? ea : eb, *f = ea ? b : a;
        for (size_t l = 0; l < n; l++) err[l] = e[l] == 0 ? 0 : e[l] * fabs(f[l]);
    } else {
        return false;
    }
    return true;
}

static bool never_rounds(ExprOp op)
{
    return op == EX_NEG || op == EX_ABS || op == EX_MIN || op == EX_MAX || op == EX_CLAMP || op == EX_FLOOR ||
           op == EX_CEIL || op == EX_ROUND || op == EX_TRUNC;
}

static bool any_bound(size_t n, const double *err)
{
    for (size_t l = 0; l < n; l++)
        if (err[l] != 0) return true;
    return false;
}

/* The f64 reference rounds a product as the program does, unless the program contracts it and what it is added to into
 * one fma: what the product lost is how far it may move. Exact products stay exact. */
static void product_losses(size_t n, const double *out, double *err, const BoundArg *arg)
{
    const double *x = arg[0].at, *y = arg[1].at;
    for (size_t l = 0; l < n; l++) {
        double a = x[l], b = y[l], lost = fabs(fma(a, b, -out[l]));
        if (fabs(out[l]) < DBL_MIN / DBL_EPSILON && a != 0 && b != 0) lost += DBL_TRUE_MIN; /* the loss underflows */
        if (lost > 0 && isfinite(out[l])) err[l] += lost;
    }
}

static bool float_op(Run *r, ExprOp op, DType t, size_t n, double *out, double *err, const BoundArg *arg)
{
    const Round *f = &r->round[t];
    const void *at[3] = {NULL, NULL, NULL};
    bool strange = false;
    for (int i = 0; i < te_expr[op].arity; i++) at[i] = arg[i].at;
    num_op_n(op, DT_F64, n, out, at, &strange);
    if (!spread_quick(op, n, err, arg))
        for (size_t l = 0; l < n; l++) err[l] = spread_lane(op, out[l], lane_of(op, arg, l));
    if (never_rounds(op)) return !any_bound(n, err);
    if (op == EX_MUL && t == DT_F64) product_losses(n, out, err, arg);
    bool exact = round_all(f, t, n, out, err, &strange);
    for (size_t l = 0; strange && l < n; l++) {
        if (!isnan(err[l])) continue;
        Lane x = lane_of(op, arg, l);
        double e = isfinite(out[l]) ? spread_lane(op, out[l], x) : settle(op, out[l], x);
        err[l] = isnan(e) ? INFINITY : bound_round(f, t, &out[l], e);
    }
    return exact;
}

/* ---- functions --------------------------------------------------------------------------------------------------- */
static double function(ExprOp op, double x, double y)
{
    switch (op) {
    case EX_EXP: return exp(x);
    case EX_EXP2: return exp2(x);
    case EX_LOG: return log(x);
    case EX_LOG2: return log2(x);
    case EX_RSQRT: return 1 / sqrt(x);
    case EX_TANH: return tanh(x);
    case EX_ERF: return erf(x);
    case EX_SIGMOID: return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
    case EX_SIN: return sin(x);
    case EX_COS: return cos(x);
    default: return pow(x, y); /* POW, POWI */
    }
}

/* pow's result for arguments within their bounds: monotone in each where the base is positive; for a known exponent
 * also where the base keeps its sign, and through 0 when the exponent is a positive integer. */
static double spread_pow(double v, double x, double ex, double y, double ey)
{
    double lo = x - ex, hi = x + ex;
    bool integer = ey == 0 && y == floor(y);
    if (!(lo > 0) && !(integer && (hi < 0 || y >= 0))) return INFINITY;
    double e = fmax(gap(v, pow(lo, y - ey)), gap(v, pow(hi, y - ey)));
    if (lo < 0 && hi > 0) e = fmax(e, gap(v, pow(0, y)));
    if (ey == 0) return e;
    return fmax(e, fmax(gap(v, pow(lo, y + ey)), gap(v, pow(hi, y + ey))));
}

static double spread_function(ExprOp op, double v, double x, double ex, double y, double ey)
{
    if (ex == 0 && ey == 0) return 0;
    if (ex == INFINITY || ey == INFINITY) return INFINITY; /* NaN, too */
    if (op == EX_POW || op == EX_POWI) return spread_pow(v, x, ex, y, ey);
    if (op == EX_SIN || op == EX_COS) return ex < 2 && isfinite(v) ? ex : isfinite(v) && isfinite(ex) ? 2 : INFINITY;
    return fmax(gap(v, function(op, x - ex, 0)), gap(v, function(op, x + ex, 0)));
}

static bool function_op(Run *r, ExprOp op, DType t, size_t n, double *out, double *err, const BoundArg *arg)
{
    const Round *f = &r->round[t];
    bool wide = t == DT_F64, exact = true;
    double ulps = num_math_ulp(op, wide ? DT_F64 : DT_F32) + (wide ? 2 : 0);
    double rel = ulps * (wide ? DBL_EPSILON : FLT_EPSILON) + (wide || t == DT_F32 ? 0 : f->u);
    double tiny = f->tiny * (2 * ulps + 1);
    const double *x = arg[0].at;
    for (size_t l = 0; l < n; l++) {
        double ex = arg[0].err ? arg[0].err[l] : 0, y = 0, ey = 0;
        if (te_expr[op].arity > 1) {
            y = op == EX_POWI ? (double)((const int64_t *)arg[1].at)[l] : ((const double *)arg[1].at)[l];
            ey = arg[1].err ? arg[1].err[l] : 0;
        }
        double v = function(op, x[l], y), e = spread_function(op, v, x[l], ex, y, ey);
        bool same = e == 0 && (!isfinite(v) || (v == 0 && (x[l] == 0 || x[l] == 1)));
        double total = same ? 0 : e + rel * (fabs(v) + e) + tiny;
        if (same && t == DT_F8E4M3 && isinf(v)) v = (double)NAN; /* it has no infinity */
        if (!same && !(fabs(v) + total <= f->max)) total = isnan(e) ? INFINITY : overflow(f, t, &v, total);
        out[l] = v;
        err[l] = total;
        exact &= total == 0;
    }
    return exact;
}

/* ---- integers, comparisons ----------------------------------------------------------------------------------------
 */
static double as_double(DType t, const void *at, size_t l)
{
    if (te_is_float(t)) return ((const double *)at)[l];
    int64_t x = ((const int64_t *)at)[l];
    return t == DT_U64 ? (double)(uint64_t)x : (double)x;
}

static bool in_range(DType t, double v, double e)
{
    Num lo = num_least(t), hi = num_greatest(t);
    return v - e >= as_double(t, &lo, 0) && v + e <= as_double(t, &hi, 0);
}

static double spread_int(ExprOp op, DType t, Lane x)
{
    double v, e;
    switch (op) {
    case EX_ADD: v = x.a + x.b, e = x.ea + x.eb; break;
    case EX_SUB: v = x.a - x.b, e = x.ea + x.eb; break;
    case EX_NEG: v = -x.a, e = x.ea; break;
    case EX_ABS: v = fabs(x.a), e = x.ea; break;
    case EX_MUL: v = x.a * x.b, e = spread_mul(x.a, x.ea, x.b, x.eb); break;
    case EX_FMA: v = x.a * x.b + x.c, e = spread_mul(x.a, x.ea, x.b, x.eb) + x.ec; break;
    case EX_MIN:
    case EX_MAX:
    case EX_CLAMP: return fmax(x.ea, fmax(x.eb, x.ec));
    case EX_FLOOR:
    case EX_CEIL:
    case EX_ROUND:
    case EX_TRUNC: return x.ea;
    case EX_NOT: return x.ea != 0;
    case EX_DIV: return x.eb == 0 && x.b != 0 ? x.ea / fabs(x.b) + 1 : INFINITY;
    default: return INFINITY;
    }
    return in_range(t, v, e) ? e : INFINITY;
}

static bool undecided(double a, double ea, double b, double eb)
{
    double far = ea + eb;
    if (far == 0 || (isnan(a) && ea == 0) || (isnan(b) && eb == 0)) return false;
    return !(fabs(a - b) > far);
}

static bool is_comparison(ExprOp op) { return op >= EX_EQ && op <= EX_GE; }

static bool int_op(ExprOp op, DType t, size_t n, int64_t *out, double *err, const BoundArg *arg, bool *div0)
{
    const void *at[3] = {NULL, NULL, NULL};
    int nargs = te_expr[op].arity;
    bool bounds = false, exact = true, is_float = te_is_float(t);
    for (int i = 0; i < nargs; i++) {
        at[i] = arg[i].at;
        bounds |= arg[i].err != NULL;
    }
    num_op_n(op, is_float ? DT_F64 : t, n, out, at, div0);
    for (size_t l = 0; bounds && l < n; l++) {
        Lane x = {.a = as_double(t, arg[0].at, l), .ea = arg[0].err ? arg[0].err[l] : 0};
        if (nargs > 1) x.b = as_double(t, arg[1].at, l), x.eb = arg[1].err ? arg[1].err[l] : 0;
        if (nargs > 2) x.c = as_double(t, arg[2].at, l), x.ec = arg[2].err ? arg[2].err[l] : 0;
        double e = 0;
        if (is_comparison(op))
            e = undecided(x.a, x.ea, x.b, x.eb);
        else if (x.ea != 0 || x.eb != 0 || x.ec != 0)
            e = spread_int(op, t, x);
        err[l] = isnan(e) ? INFINITY : e;
        exact &= e == 0;
    }
    return exact;
}

bool bound_op(Run *r, ExprOp op, DType t, size_t n, void *out, double *err, const BoundArg *arg, bool *div0)
{
    if (!te_is_float(t) || is_comparison(op)) return int_op(op, t, n, out, err, arg, div0);
    if (op == EX_POWI || num_math(op, DT_F64)) return function_op(r, op, t, n, out, err, arg);
    return float_op(r, op, t, n, out, err, arg);
}

/* ---- casts --------------------------------------------------------------------------------------------------------
 */
static double float_to_float(const Run *r, DType to, DType from, double *v, double e)
{
    const Round *a = &r->round[from], *b = &r->round[to];
    if (to == DT_F64) return e;
    if (e == 0) {
        *v = (double)num_round_d(to, *v);
        return 0;
    }
    if (b->u <= a->u && b->max >= a->max && b->tiny <= a->tiny) return e;
    return bound_round(b, to, v, e);
}

static double float_to_int(DType to, double v, double e, int64_t *out)
{
    *out = num_cast(to, DT_F64, (Num){.d = v}).i;
    if (e == 0) return 0;
    if (to == DT_U1) return !(fabs(v) > e);
    if (!(e < INFINITY)) return INFINITY;
    Num x = {.i = *out}, lo = num_cast(to, DT_F64, (Num){.d = v - e}), hi = num_cast(to, DT_F64, (Num){.d = v + e});
    double at = as_double(to, &x, 0);
    return fmax(at - as_double(to, &lo, 0), as_double(to, &hi, 0) - at);
}

static double int_to_float(const Run *r, DType to, DType from, const int64_t *x, double e, double *out)
{
    Num v = num_cast(to, from, (Num){.i = *x});
    *out = to == DT_F64 ? v.d : (double)v.f;
    return e == 0 ? 0 : bound_round(&r->round[to], to, out, e);
}

static double int_to_int(DType to, DType from, const int64_t *x, double e, int64_t *out)
{
    *out = num_cast(to, from, (Num){.i = *x}).i;
    if (e == 0) return 0;
    double v = as_double(from, x, 0);
    if (to == DT_U1) return !(fabs(v) > e);
    return in_range(to, v, e) ? e : INFINITY;
}

bool bound_cast(Run *r, DType to, DType from, size_t n, void *out, double *err, BoundArg arg)
{
    bool exact = true, ff = te_is_float(from), tf = te_is_float(to);
    if (!arg.err && ff && tf && (to == DT_F64 || (to == DT_F32 && from != DT_F64))) {
        memmove(out, arg.at, 8 * n);
        return true;
    }
    for (size_t l = 0; l < n; l++) {
        double e = arg.err ? arg.err[l] : 0;
        double v = ff ? ((const double *)arg.at)[l] : 0;
        int64_t i = ff ? 0 : ((const int64_t *)arg.at)[l];
        if (ff && tf) {
            e = float_to_float(r, to, from, &v, e);
            ((double *)out)[l] = v;
        } else if (ff) {
            e = float_to_int(to, v, e, &((int64_t *)out)[l]);
        } else if (tf) {
            e = int_to_float(r, to, from, &i, e, &((double *)out)[l]);
        } else {
            e = int_to_int(to, from, &i, e, &((int64_t *)out)[l]);
        }
        if (isnan(e)) e = INFINITY;
        if (arg.err) err[l] = e;
        exact &= e == 0;
    }
    return exact;
}
