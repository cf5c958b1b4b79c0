/* math_exp: exp, exp2, tanh, sigmoid and erf as programs.
 *
 * All of them write the exponential as 2^n times a polynomial on half an octave on each side of 1. Coefficients are
 * minimax (Remez), rounded; the comments say the relative error that they leave. No branches: arguments are clamped to
 * where the result is 0, 1 or inf anyway, and NaN runs through the arithmetic. */
#include "ir/math_priv.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

/* e^r, |r| <= ln(2)/2. 2^-28, 2^-57. */
static const double exp_f32[] = {1, 1, 0x1.fffffcp-2, 0x1.55548cp-3, 0x1.555852p-5, 0x1.123e9ep-7, 0x1.6ad0b6p-10};
static const double exp_f64[] = {1,
                                 1,
                                 0x1.0000000000004p-1,
                                 0x1.555555555550fp-3,
                                 0x1.5555555551e0bp-5,
                                 0x1.11111111224a5p-7,
                                 0x1.6c16c180bc247p-10,
                                 0x1.a01a014b1bd03p-13,
                                 0x1.a019a11ac0107p-16,
                                 0x1.71ded1b8af375p-19,
                                 0x1.28a8650d501a4p-22,
                                 0x1.ae172a359f33fp-26};
/* (e^r - 1 - r) / r^2, for e^r - 1: 2^-26, 2^-60 of that. */
static const double expm1_f32[] = {0x1.fffffep-2, 0x1.5554aap-3, 0x1.55579cp-5, 0x1.122d16p-7, 0x1.6ab2c8p-10};
static const double expm1_f64[] = {0x1p-1,
                                   0x1.5555555555557p-3,
                                   0x1.5555555555556p-5,
                                   0x1.11111111100bep-7,
                                   0x1.6c16c16c162c3p-10,
                                   0x1.a01a01abf85abp-13,
                                   0x1.a01a01a6e1e2ap-16,
                                   0x1.71de01fdbf9cap-19,
                                   0x1.27e4db46cddd1p-22,
                                   0x1.af4e554377204p-26,
                                   0x1.1f7340dbc337ep-29};
/* 2^r, |r| <= 1/2. 2^-26.5, 2^-56. */
static const double exp2_f32[] = {
    1, 0x1.62e430p-1, 0x1.ebfbe0p-3, 0x1.c6af16p-5, 0x1.3b29bap-7, 0x1.5f2ed0p-10, 0x1.448632p-13};
static const double exp2_f64[] = {1,
                                  0x1.62e42fefa39efp-1,
                                  0x1.ebfbdff82c5a0p-3,
                                  0x1.c6b08d704a0d1p-5,
                                  0x1.3b2ab6fba089fp-7,
                                  0x1.5d87fe78a1955p-10,
                                  0x1.4309130daab67p-13,
                                  0x1.ffcbfc79bcf3dp-17,
                                  0x1.62bfca1131c3bp-20,
                                  0x1.b524d228e0da7p-24,
                                  0x1.e617af91c2cf1p-28,
                                  0x1.ea12f4d0aafefp-32};

#define POLY(b, x, name)                                                                                               \
    (type_of(b, x) == MT_F32 ? math_poly(b, x, COUNT(name##_f32), name##_f32)                                          \
                             : math_poly(b, x, COUNT(name##_f64), name##_f64))

/* x = n ln2 + r: *t = n + MAGIC, *r. The high part of ln2 is short, so that n times it is exact. */
static V reduce(B *b, V x, V *t)
{
    bool single = type_of(b, x) == MT_F32;
    V big = fconst(b, x, magic(type_of(b, x)));
    *t = ffma(b, x, fconst(b, x, 0x1.71547652b82fep+0), big);
    V n = fsub(b, *t, big);
    V r = ffma(b, n, fconst(b, x, single ? -0x1.62e4p-1 : -0x1.62e42feep-1), x);
    return ffma(b, n, fconst(b, x, single ? -0x1.7f7d1cp-20 : -0x1.a39ef35793c76p-33), r);
}

/* 2^n from the low bits of t = n + MAGIC, for n that give a normal number. */
static V power(B *b, V t)
{
    int m = type_of(b, t) == MT_F32 ? 23 : 52;
    V i = bits(b, t);
    return bits(b, iadd(b, shl(b, i, m), bits(b, fconst(b, t, 1))));
}

/* In two steps, 2^(n - k) and 2^k with k = 64 or -64, so that only the last product rounds, where the result is
 * subnormal or too large. The bits of MAGIC itself are shifted out; the sign of n arrives in the sign bit. */
V math_scale(B *b, V p, V t)
{
    int m = type_of(b, t) == MT_F32 ? 23 : 52;
    V n = shl(b, bits(b, t), m), one = bits(b, fconst(b, t, 1));
    V down = bits(b, fconst(b, t, 0x1p-64)), up = bits(b, fconst(b, t, 0x1p64));
    V last = sel(b, ilt(b, n, iconst(b, n, 0)), down, up), first = isub(b, iadd(b, one, one), last);
    return fmul(b, fmul(b, p, bits(b, iadd(b, n, first))), bits(b, last));
}

/* p 2^(n + 64) for n <= 0, a normal number. */
static V scale_above(B *b, V p, V t)
{
    int m = type_of(b, t) == MT_F32 ? 23 : 52;
    return fmul(b, p, bits(b, iadd(b, shl(b, bits(b, t), m), bits(b, fconst(b, t, 0x1p64)))));
}

V math_exp2_poly(B *b, V r) { return POLY(b, r, exp2); }

V math_exp(B *b, V x)
{
    bool single = type_of(b, x) == MT_F32;
    V t, r = reduce(b, at_most(b, at_least(b, x, single ? -104 : -746), single ? 89 : 710), &t);
    return math_scale(b, POLY(b, r, exp), t);
}

V math_exp2(B *b, V x)
{
    bool single = type_of(b, x) == MT_F32;
    V k = at_most(b, at_least(b, x, single ? -151 : -1076), single ? 129 : 1025);
    V big = fconst(b, x, magic(type_of(b, x))), t = fadd(b, k, big), r = fsub(b, k, fsub(b, t, big));
    return math_scale(b, math_exp2_poly(b, r), t);
}

/* tanh |x| = e / (e + 2) with e = e^(2|x|) - 1 = 2^n (e^r - 1) + (2^n - 1), which keeps its precision at 0. */
V math_tanh(B *b, V x)
{
    V a = at_most(b, fabs_(b, x), type_of(b, x) == MT_F32 ? 10 : 20), t, r = reduce(b, fadd(b, a, a), &t);
    V q = ffma(b, POLY(b, r, expm1), fmul(b, r, r), r), s = power(b, t), one = fconst(b, x, 1);
    V e = ffma(b, q, s, fsub(b, s, one));
    return with_sign(b, fdiv(b, e, fadd(b, e, fconst(b, x, 2))), x);
}

/* With z = e^-|x|: 1 / (1 + z), or z / (1 + z) where x is negative, so that nothing overflows or cancels. */
V math_sigmoid(B *b, V x)
{
    V one = fconst(b, x, 1), t;
    V r = reduce(b, at_least(b, fneg(b, fabs_(b, x)), type_of(b, x) == MT_F32 ? -104 : -746), &t);
    V above = scale_above(b, POLY(b, r, exp), t), down = fconst(b, x, 0x1p-64);
    return fdiv(b, sel(b, flt(b, x, fconst(b, x, 0)), fmul(b, above, down), one), ffma(b, above, down, one));
}

/* erf: x + x P(x^2) up to 1, then 1 - 2^-g(x) with a polynomial g up to where erf rounds to 1. */
static const double erf_f32[] = {0x1.06eba8p-3, -0x1.812740p-2,  0x1.ce2d48p-4, -0x1.b7fe76p-6,
                                 0x1.542f9ep-8, -0x1.a52250p-11, 0x1.4c8b1ap-14};
static const double erf_f64[] = {0x1.06eba8214db68p-3,   -0x1.812746b0379c6p-2,  0x1.ce2f21a0412f5p-4,
                                 -0x1.b82ce31211858p-6,  0x1.565bccfc0aeefp-8,   -0x1.c02db0a95ac7bp-11,
                                 0x1.f9a2c473fdce0p-14,  -0x1.f4cae00f091a6p-17, 0x1.b98555de1464dp-20,
                                 -0x1.5c28095764cecp-23, 0x1.d7f8ee8575eacp-27,  -0x1.ae34a6734fddap-31};
static const double erfc_f32[] = {-0x1.1c74f4p-12, 0x1.a12fe6p+0, 0x1.d3bbf0p-1,   0x1.405674p-3,
                                  -0x1.29eccep-5,  0x1.8d88c4p-8, -0x1.4dd208p-11, 0x1.06751ap-15};
static const double erfc_f64[] = {
    0x1.0607609ebd322p-22,  0x1.a0be59d21fefdp+0,   0x1.d64067068503dp-1,   0x1.2f95babe05b78p-3,
    -0x1.c302f55ec0aebp-6,  -0x1.a2ea0adacf138p-12, 0x1.4dc6624074ecbp-9,   -0x1.e275a5910166ep-11,
    0x1.01a6e2e0b98e0p-14,  0x1.b117623b96902p-14,  -0x1.13a8758f3c803p-14, 0x1.93ff2128b92ddp-16,
    -0x1.a792dd50ab239p-18, 0x1.4d521c7b12549p-20,  -0x1.8a81473a0a698p-23, 0x1.5688f90858af8p-26,
    -0x1.9d1094915bb87p-30, 0x1.35726df8c3346p-34,  -0x1.b2064de496581p-40};

V math_erf(B *b, V x)
{
    V a = fabs_(b, x), one = fconst(b, x, 1), big = fconst(b, x, magic(type_of(b, x)));
    V small = ffma(b, POLY(b, fmul(b, x, x), erf), x, x);
    V g = fneg(b, POLY(b, at_most(b, a, type_of(b, x) == MT_F32 ? 4 : 6), erfc));
    V t = fadd(b, g, big), p = math_exp2_poly(b, fsub(b, g, fsub(b, t, big)));
    V rest = fsub(b, one, fmul(b, p, power(b, t)));
    return sel(b, flt(b, a, one), small, with_sign(b, rest, x));
}
