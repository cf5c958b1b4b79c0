/* math_pow: pow with a float and with an integer exponent, as programs: 2^(y log2 |x|), then the sign and C99's special
 * cases (Annex F.10.4.4).
 *
 * f32 is computed in f64. f64 carries log2 |x| in two parts, about 2^-65 of it, because the exponential makes of its
 * error one that is up to 1075 times as large. */
#include "ir/math_priv.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

/* log2((1+s)/(1-s)) / s over z = s^2: 2^-45. */
static const double log2_single[] = {0x1.71547652b8250p+1, 0x1.ec709dc53ead5p-1, 0x1.2776c290ae9c7p-1,
                                     0x1.a61a30cd373d8p-2, 0x1.479503ccaf74ep-2, 0x1.21b583d577f90p-2};
/* 2^r, |r| <= 1/2: 2^-34. */
static const double exp2_single[] = {0x1.ffffffffabaa9p-1,  0x1.62e42ff116b10p-1, 0x1.ebfbe0a4cca41p-3,
                                     0x1.c6b08aadbaa6ep-5,  0x1.3b29dc359c367p-7, 0x1.5d8a7230fe3abp-10,
                                     0x1.446a2ab7236fbp-13, 0x1.fe158b1653795p-17};
/* (atanh(s)/s - 1 - z/3) / z^2 over z = s^2: 2^-65 of atanh(s)/s. */
static const double atanh_tail[] = {0x1.99999999999b3p-3, 0x1.249249248427ap-3, 0x1.c71c71f1940dfp-4,
                                    0x1.745cfd7dfae19p-4, 0x1.3b1b8cd8176fcp-4, 0x1.0fcaf07146b68p-4,
                                    0x1.0ba8b366569e8p-4};

/* The unevaluated sum hi + lo. */
typedef struct Two {
    V hi, lo;
} Two;

/* hi + lo where |hi| is the greater, or 0. */
static Two quick_sum(B *b, V hi, V lo)
{
    V s = fadd(b, hi, lo);
    return (Two){s, fadd(b, fsub(b, hi, s), lo)};
}

static Two product(B *b, V x, V y)
{
    V p = fmul(b, x, y);
    return (Two){p, ffma(b, x, y, fneg(b, p))};
}

static Two multiply(B *b, Two x, Two y)
{
    Two p = product(b, x.hi, y.hi);
    p.lo = ffma(b, x.hi, y.lo, p.lo);
    p.lo = ffma(b, x.lo, y.hi, p.lo);
    return p;
}

/* l where x is positive and finite, -inf at 0, else x (inf or NaN). x is not negative. */
static V special(B *b, V x, V l)
{
    V inf = f64(b, (double)INFINITY);
    l = sel(b, flt(b, x, inf), l, x);
    return sel(b, feq(b, x, f64(b, 0)), fneg(b, inf), l);
}

/* log2 of a non-negative f32 that was widened. */
static V log2_of_single(B *b, V x)
{
    V e, f = math_split(b, x, &e, false), s = fdiv(b, f, fadd(b, f, f64(b, 2)));
    return special(b, x, ffma(b, s, math_poly(b, fmul(b, s, s), COUNT(log2_single), log2_single), e));
}

/* log2 of a non-negative f64. atanh(s) = s + s B, B = z (1/3 + z T(z)), s = f / (2 + f). */
static Two log2_of_double(B *b, V x)
{
    V e, f = math_split(b, x, &e, true), one = f64(b, 1), m = fadd(b, f, one);
    Two d = {fadd(b, m, one), 0};
    d.lo = fsub(b, m, fsub(b, d.hi, one));
    V r = fdiv(b, one, d.hi);
    Two s = {fmul(b, f, r), 0};
    V miss = ffma(b, fneg(b, s.hi), d.hi, f);
    s.lo = fmul(b, r, ffma(b, fneg(b, s.hi), d.lo, miss));
    Two z = product(b, s.hi, s.hi);
    z.lo = ffma(b, fadd(b, s.hi, s.hi), s.lo, z.lo);
    V u = fmul(b, z.hi, math_poly(b, z.hi, COUNT(atanh_tail), atanh_tail));
    Two a = quick_sum(b, f64(b, 0x1.5555555555555p-2), u);
    a.lo = fadd(b, a.lo, f64(b, 0x1.5555555555555p-56));
    Two p = multiply(b, s, multiply(b, z, a));
    Two sum = quick_sum(b, s.hi, p.hi);
    sum.lo = fadd(b, sum.lo, fadd(b, p.lo, s.lo));
    Two scaled = multiply(b, sum, (Two){f64(b, 0x1.71547652b82fep+1), f64(b, 0x1.777d0ffda0d24p-55)});
    Two l = quick_sum(b, e, scaled.hi);
    return (Two){special(b, x, l.hi), fadd(b, l.lo, scaled.lo)};
}

/* 2^t in f64, rounded once to `type`. t.lo counts only where t.hi is not too large for it to mean anything. */
static V exp2_of(B *b, Two t, MathType type)
{
    bool single = type == MT_F32;
    V big = f64(b, MAGIC64), k = at_most(b, at_least(b, t.hi, single ? -160 : -1080), single ? 130 : 1030);
    V n = fadd(b, k, big), r = fsub(b, k, fsub(b, n, big));
    if (!single) {
        V within = flt(b, fabs_(b, t.hi), f64(b, 1100));
        r = fadd(b, r, sel(b, within, t.lo, f64(b, 0)));
        return math_scale(b, math_exp2_poly(b, r), n);
    }
    V scale = bits(b, iadd(b, shl(b, bits(b, n), 52), i64(b, UINT64_C(0x3ff) << 52)));
    return narrow(b, fmul(b, math_poly(b, r, COUNT(exp2_single), exp2_single), scale));
}

/* What becomes of p = |x|^y: x's sign where y is odd, NaN for a negative finite x where y is no integer, and 1 where
 * `one` holds. `odd` and `whole` say what y is. */
static V finish(B *b, V x, V p, V odd, V whole, V one)
{
    V zero = fconst(b, x, 0), inf = fconst(b, x, (double)INFINITY);
    V r = sel(b, odd, with_sign(b, p, x), p);
    V bad = band(b, bnot(b, whole), band(b, flt(b, x, zero), flt(b, fneg(b, x), inf)));
    r = sel(b, bad, fconst(b, x, (double)NAN), r);
    return sel(b, one, fconst(b, x, 1), r);
}

V math_pow(B *b, V x, V y)
{
    MathType t = type_of(b, x);
    V zero = fconst(b, x, 0), unit = fconst(b, x, 1), half = fmul(b, y, fconst(b, x, 0.5)), p;
    V whole = feq(b, frint(b, y), y), odd = band(b, whole, bnot(b, feq(b, frint(b, half), half)));
    V one = bor(b, feq(b, y, zero), feq(b, x, unit));
    V flat = band(b, feq(b, fabs_(b, x), unit), feq(b, fabs_(b, y), fconst(b, x, (double)INFINITY)));
    if (t == MT_F32) {
        p = exp2_of(b, (Two){fmul(b, widen(b, y), log2_of_single(b, widen(b, fabs_(b, x)))), 0}, t);
    } else {
        Two l = log2_of_double(b, fabs_(b, x)), q = product(b, y, l.hi);
        q.lo = ffma(b, y, l.lo, q.lo);
        p = exp2_of(b, q, t);
    }
    return finish(b, x, p, odd, whole, bor(b, one, flat));
}

/* n = hi + lo exactly: the top 53 bits, and the 11 below. */
static Two whole_number(B *b, V n)
{
    V high = iand(b, n, i64(b, ~UINT64_C(0x7ff))), low = iand(b, n, i64(b, 0x7ff));
    return (Two){to_f64(b, high), small_f64(b, low, 0)};
}

V math_powi(B *b, V x, V n)
{
    MathType t = type_of(b, x);
    V odd = ieq(b, iand(b, n, i64(b, 1)), i64(b, 1)), one = ieq(b, n, i64(b, 0)), p;
    if (t == MT_F32) {
        p = exp2_of(b, (Two){fmul(b, to_f64(b, n), log2_of_single(b, widen(b, fabs_(b, x)))), 0}, t);
    } else {
        Two l = log2_of_double(b, fabs_(b, x)), k = whole_number(b, n), y = quick_sum(b, k.hi, k.lo);
        Two q = product(b, y.hi, l.hi);
        q.lo = ffma(b, y.hi, l.lo, ffma(b, y.lo, l.hi, q.lo));
        p = exp2_of(b, q, t);
    }
    return sel(b, one, fconst(b, x, 1), sel(b, odd, with_sign(b, p, x), p));
}
