/* math_log: log and log2 as programs.
 *
 * x = m 2^e with m between sqrt(1/2) and sqrt(2), so that nothing cancels where the result is near 0. In f64 the
 * logarithm of m is a series in s = (m - 1) / (m + 1), as in fdlibm's e_log.c. */
#include "ir/math_priv.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

/* (log(1+f) - f + f^2/2) / f^3: leaves 2^-27 of log(1+f). */
static const double log_f32[] = {0x1.555554p-2, -0x1.000226p-2, 0x1.99a00cp-3, -0x1.54724cp-3,
                                 0x1.22d9f0p-3, -0x1.0d84d8p-3, 0x1.055c52p-3, -0x1.38b9a8p-4};
/* (log2(1+f) / f - 1/ln2) / f: 2^-27. */
static const double log2_f32[] = {-0x1.715474p-1, 0x1.ec709ap-2,  -0x1.7158f8p-2, 0x1.277cd4p-2, -0x1.eaf376p-3,
                                  0x1.a35060p-3,  -0x1.861042p-3, 0x1.7b332ep-3,  -0x1.c2ca10p-4};
/* (log((1+s)/(1-s)) - 2s) / s^3 over z = s^2: 2^-59. */
static const double atanh_f64[] = {0x1.5555555555593p-1, 0x1.999999997fc73p-2, 0x1.2492494204746p-2,
                                   0x1.c71c51f89b70fp-3, 0x1.7466428d8e3dfp-3, 0x1.39a1578d6fb44p-3,
                                   0x1.2f097c37fa823p-3};

V math_split(B *b, V x, V *e, bool subnormal)
{
    bool single = type_of(b, x) == MT_F32;
    int m = single ? 23 : 52, lift = m + 2, bias = single ? 127 : 1023;
    V zero = fconst(b, x, 0), down = zero;
    if (subnormal) {
        V low = flt(b, x, fconst(b, x, single ? 0x1p-126 : 0x1p-1022));
        x = sel(b, low, fmul(b, x, fconst(b, x, single ? 0x1p25 : 0x1p54)), x);
        down = sel(b, low, fconst(b, x, -lift), zero);
    }
    /* The exponent, counted so that it steps at sqrt(1/2), is all that is above the mantissa of `above`. */
    V i = bits(b, x), least = iconst(b, i, single ? 0x3f3504f3 : UINT64_C(0x3fe6a09e667f3bcd));
    V above = isub(b, i, least), rest = iand(b, above, iconst(b, i, (UINT64_C(1) << m) - 1));
    V up = lsr(b, iadd(b, above, iconst(b, i, (uint64_t)bias << m)), m);
    *e = single ? fsub(b, to_f32(b, up), f32(b, (float)bias)) : small_f64(b, up, bias);
    if (subnormal) *e = fadd(b, *e, down);
    return fsub(b, bits(b, iadd(b, rest, least)), fconst(b, x, 1));
}

/* r where x is positive and finite; else what both logarithms give: -inf at 0, inf at inf, else NaN. */
static V special(B *b, V x, V r)
{
    V zero = fconst(b, x, 0), inf = fconst(b, x, (double)INFINITY), nan = fconst(b, x, (double)NAN);
    r = sel(b, flt(b, x, inf), r, x);
    return sel(b, flt(b, zero, x), r, sel(b, feq(b, x, zero), fneg(b, inf), nan));
}

/* s (f^2/2 + R) with s = f / (2 + f), R the series: log(1+f) = f - (f^2/2 - that). */
static V tail(B *b, V f, V half_square)
{
    V s = fdiv(b, f, fadd(b, f, fconst(b, f, 2))), z = fmul(b, s, s);
    return fmul(b, s, fadd(b, half_square, fmul(b, z, math_poly(b, z, COUNT(atanh_f64), atanh_f64))));
}

V math_log(B *b, V x)
{
    V e, f = math_split(b, x, &e, true), r;
    if (type_of(b, x) == MT_F32) {
        V p = math_poly(b, f, COUNT(log_f32), log_f32);
        V q = fmul(b, fmul(b, f, f), ffma(b, f, p, f32(b, -0.5f)));
        q = fadd(b, f, ffma(b, e, f32(b, 0x1.7f7d1cp-20f), q));
        r = ffma(b, e, f32(b, 0x1.62e4p-1f), q);
    } else {
        V h = fmul(b, fmul(b, f, f64(b, 0.5)), f);
        V low = ffma(b, e, f64(b, 0x1.a39ef35793c76p-33), tail(b, f, h));
        r = ffma(b, e, f64(b, 0x1.62e42feep-1), fsub(b, f, fsub(b, h, low)));
    }
    return special(b, x, r);
}

/* e + (hi + lo) / ln2, with 1/ln2 and the product in two parts. */
static V log2_sum(B *b, V e, V hi, V lo)
{
    bool single = type_of(b, e) == MT_F32;
    V c = fconst(b, e, single ? 0x1.715476p+0 : 0x1.71547652b82fep+0);
    V d = fconst(b, e, single ? 0x1.4ae0c0p-26 : 0x1.777d0ffda0d24p-56);
    V p = fmul(b, hi, c), q = ffma(b, hi, c, fneg(b, p));
    q = ffma(b, hi, d, q);
    q = single ? fadd(b, q, lo) : ffma(b, lo, c, q);
    V w = fadd(b, e, p);
    return fadd(b, w, fadd(b, fadd(b, fsub(b, e, w), p), q));
}

V math_log2(B *b, V x)
{
    V e, f = math_split(b, x, &e, true), r;
    if (type_of(b, x) == MT_F32) {
        V p = math_poly(b, f, COUNT(log2_f32), log2_f32);
        r = log2_sum(b, e, f, fmul(b, fmul(b, f, f), p));
    } else {
        V h = fmul(b, fmul(b, f, f64(b, 0.5)), f), hi = fsub(b, f, h), lo = fsub(b, fsub(b, f, hi), h);
        r = log2_sum(b, e, hi, fadd(b, lo, tail(b, f, h)));
    }
    return special(b, x, r);
}
