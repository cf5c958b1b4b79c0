/* math: functions and conversions as programs, and their interpreter: a first version that computes most f32 functions
 * in f64. */
#include "ir/num.h"
#include <math.h>
#include <string.h>
#include <threads.h>
#include <stdlib.h>
typedef int X;
typedef struct B {
    MathInst *at;
    int n, cap, nin;
    MathType in[2];
} B;
static X put(B *b, int op, MathType t, int a0, int a1, int a2, uint64_t bits)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 64;
        b->at = realloc(b->at, sizeof(MathInst) * (size_t)b->cap);
    }
    b->at[b->n] = (MathInst){(uint8_t)op, (uint8_t)t, {(uint16_t)a0, (uint16_t)a1, (uint16_t)a2}, bits};
    return b->n++;
}
static MathType ty(B *b, X x) { return (MathType)b->at[x].type; }
#define O1(NAME, OP)                                                                                                   \
    static X NAME(B *b, X x) { return put(b, MO_##OP, ty(b, x), x, 0, 0, 0); }
#define O2(NAME, OP)                                                                                                   \
    static X NAME(B *b, X x, X y) { return put(b, MO_##OP, ty(b, x), x, y, 0, 0); }
#define C2(NAME, OP)                                                                                                   \
    static X NAME(B *b, X x, X y) { return put(b, MO_##OP, MT_BOOL, x, y, 0, 0); }
O2(add, FADD)
O2(sub, FSUB) O2(mul, FMUL) O2(divi, FDIV) O1(sq, FSQRT) O1(ab, FABS) O1(ng, FNEG) O1(fl, FLOOR) O1(rn, FRINT)
     C2(lt, FLT)  C2(eq, FEQ) C2(uno, FUNO) O2(iadd, IADD) O2(isub, ISUB) 
        O2(iand, IAND) O2(ior, IOR)  O2(shl, ISHL) O2(lsr, ILSR) O2(asr, IASR) C2(ilt, ILT) C2(ieq, IEQ)
             O2(band, BAND) O2(bor, BOR) O1(bnot, BNOT) static X fma3(B *b, X x, X y, X z)
{
    return put(b, MO_FMA, ty(b, x), x, y, z, 0);
}
static X sel(B *b, X c, X x, X y) { return put(b, MO_SEL, ty(b, x), c, x, y, 0); }
static X bits(B *b, X x)
{
    MathType t = ty(b, x);
    return put(b, MO_BITS, t == MT_F32 ? MT_I32 : t == MT_I32 ? MT_F32 : t == MT_F64 ? MT_I64 : MT_F64, x, 0, 0, 0);
}
static X f2i(B *b, X x) { return put(b, MO_F2I, ty(b, x) == MT_F32 ? MT_I32 : MT_I64, x, 0, 0, 0); }
static X i2f(B *b, X x) { return put(b, MO_I2F, ty(b, x) == MT_I32 ? MT_F32 : MT_F64, x, 0, 0, 0); }
static X fext(B *b, X x) { return put(b, MO_FEXT, MT_F64, x, 0, 0, 0); }
static X fcvt_(B *b, X x) { return put(b, MO_FCVT, MT_F32, x, 0, 0, 0); }
static X kd(B *b, double v)
{
    uint64_t u;
    memcpy(&u, &v, 8);
    return put(b, MO_CONST, MT_F64, 0, 0, 0, u);
}
static X kf(B *b, float v)
{
    uint32_t u;
    memcpy(&u, &v, 4);
    return put(b, MO_CONST, MT_F32, 0, 0, 0, u);
}
static X kl(B *b, int64_t v) { return put(b, MO_CONST, MT_I64, 0, 0, 0, (uint64_t)v); }
static X ki(B *b, int32_t v) { return put(b, MO_CONST, MT_I32, 0, 0, 0, (uint32_t)v); }
static X poly(B *b, X z, const double *c, int n)
{
    X r = kd(b, c[n - 1]);
    for (int i = n - 2; i >= 0; i--) r = fma3(b, r, z, kd(b, c[i]));
    return r;
}
static const double erf0[] = {0x1.20dd750429b6dp+0,   -0x1.812746b0379e7p-2,  0x1.ce2f21a042bdep-4,
                              -0x1.b82ce312889bap-6,  0x1.565bcd0e6502dp-8,   -0x1.c02db3feeb579p-11,
                              0x1.f9a326c233146p-14,  -0x1.f4d2561aeafd4p-17, 0x1.b9e6509b9867dp-20,
                              -0x1.5f6d925a0bc7ap-23, 0x1.fc4356498c2d9p-27,  -0x1.4e607b41a6416p-30,
                              0x1.7f072188e194dp-34,  -0x1.29b9f1b3df556p-38};
static const double erf1[] = {
    0x1.494daffa2ad68p-2,  -0x1.4f1988444caf7p-3,  0x1.37ea271bc54bdp-4,  -0x1.0dc51d2941e6bp-5,
    0x1.b65944f34f7abp-7,  -0x1.513ed7600d679p-8,  0x1.ee705e7364af4p-10, -0x1.5b0abfe60eb7ep-11,
    0x1.d4509d0cf712fp-13, -0x1.30c0ec9d0de4fp-14, 0x1.7f99794b93823p-16, -0x1.d415579eabdaep-18,
    0x1.156c86a413bc6p-19, -0x1.4009e6dbe4d91p-21, 0x1.67d4440338f94p-23, -0x1.89bb86efe1cd8p-25,
    0x1.a65d02ec951dep-27, -0x1.dfedf0fc63352p-29, 0x1.ebbcb67e59cfep-31};
static const double erf2[] = {
    0x1.8c9eb68ff27d7p-3,  -0x1.0305781330099p-4,  0x1.43b98bac83823p-6,  -0x1.84e9ab30e6a89p-8,
    0x1.c2c72fd72761cp-10, -0x1.f99e41ecb5b3bp-12, 0x1.131bb16127716p-13, -0x1.2312b2571fa1ap-15,
    0x1.2bfb5b0cdb7d3p-17, -0x1.2da32adcec2ecp-19, 0x1.2856fb97503bbp-21, -0x1.1ccf4c6428125p-23,
    0x1.0c15befcfee4cp-25, -0x1.eee225f40edcbp-28, 0x1.c01cc831ac8ddp-30, -0x1.8bb8eba39c10cp-32,
    0x1.5a034efc3c516p-34, -0x1.50ec3af7953b0p-36, 0x1.1c03d982db455p-38};
static const double erf3[] = {
    0x1.dc603a3e77e9bp-4,  -0x1.81149bc4a104cp-6,  0x1.317c144f8b41ap-8,  -0x1.dc1af883a2ff1p-11,
    0x1.6cc10c162533dp-13, -0x1.12f1743bf0cf2p-15, 0x1.9818c0a1fd021p-18, -0x1.2a625a066b64dp-20,
    0x1.ae1faca8f74e8p-23, -0x1.31c3e9c5a4cf9p-25, 0x1.acfa1bd5c8617p-28, -0x1.2911dd57e4fffp-30,
    0x1.9660956834d59p-33, -0x1.12dea2c0d82f5p-35, 0x1.6f2fa00488276p-38, -0x1.dbfb7de73cb0bp-41,
    0x1.372b7c70fd273p-43, -0x1.eec4d15432e51p-46, 0x1.3b44703583d74p-48};
static const double erfc_at[] = {0x1.8000000000000p+0, 0x1.6000000000000p+1, 0x1.3000000000000p+2};

static const double ex[] = {
    1,         1,          1. / 2,      1. / 6,       1. / 24,       1. / 120,       1. / 720,
    1. / 5040, 1. / 40320, 1. / 362880, 1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800.};
/* 2^n for integer-valued n in double, |n|<=2200, times v */
static X scale(B *b, X v, X n)
{
    X i = f2i(b, n), h = asr(b, i, kl(b, 1)), g = isub(b, i, h);
    X p = bits(b, shl(b, iadd(b, h, kl(b, 1023)), kl(b, 52))), q = bits(b, shl(b, iadd(b, g, kl(b, 1023)), kl(b, 52)));
    return mul(b, mul(b, v, p), q);
}
static X clampd(B *b, X x, double lo, double hi)
{
    X l = kd(b, lo), h = kd(b, hi);
    X r = sel(b, lt(b, x, l), l, x);
    return sel(b, lt(b, h, r), h, r);
}
static X exp_core(B *b, X x)
{
    X c = clampd(b, x, -760, 720);
    c = sel(b, uno(b, x, x), kd(b, 0), c);
    X n = rn(b, mul(b, c, kd(b, 0x1.71547652b82fep0)));
    X r = fma3(b, n, kd(b, -0x1.62e42fefa39efp-1), c);
    r = fma3(b, n, kd(b, -0x1.abc9e3b39803fp-56), r);
    X v = scale(b, poly(b, r, ex, 14), n);
    return sel(b, uno(b, x, x), add(b, x, x), v);
}
static X exp2_core(B *b, X x)
{
    X c = clampd(b, x, -1090, 1030);
    c = sel(b, uno(b, x, x), kd(b, 0), c);
    X n = rn(b, c);
    X r = mul(b, sub(b, c, n), kd(b, M_LN2));
    X v = scale(b, poly(b, r, ex, 14), n);
    return sel(b, uno(b, x, x), add(b, x, x), v);
}
static void log_parts(B *b, X x, X *m1, X *n)
{
    X den = lt(b, x, kd(b, 0x1p-1022));
    X y = sel(b, den, mul(b, x, kd(b, 0x1p54)), x);
    X u = bits(b, y);
    X e = isub(b, lsr(b, u, kl(b, 52)), kl(b, 1023));
    X m = bits(b, ior(b, iand(b, u, kl(b, 0xfffffffffffffLL)), kl(b, 0x3ff0000000000000LL)));
    X big = lt(b, kd(b, M_SQRT2), m);
    m = sel(b, big, mul(b, m, kd(b, 0.5)), m);
    e = sel(b, big, iadd(b, e, kl(b, 1)), e);
    e = sel(b, den, isub(b, e, kl(b, 54)), e);
    *m1 = m;
    *n = i2f(b, e);
}
static X log1(B *b, X m)
{
    X f = sub(b, m, kd(b, 1));
    X s = divi(b, f, add(b, f, kd(b, 2)));
    X z = mul(b, s, s);
    static const double c[] = {2. / 3,  2. / 5,  2. / 7,  2. / 9,  2. / 11, 2. / 13,
                               2. / 15, 2. / 17, 2. / 19, 2. / 21, 2. / 23};
    X p = poly(b, z, c, 11);
    X hf = mul(b, mul(b, f, f), kd(b, .5));
    X R = mul(b, z, p); /* log = f - (hf - s*(hf+R)) */
    return sub(b, f, sub(b, hf, mul(b, s, add(b, hf, R))));
}
static X log_special(B *b, X x, X r)
{
    r = sel(b, lt(b, x, kd(b, 0)), kd(b, NAN), r);
    r = sel(b, eq(b, x, kd(b, 0)), kd(b, -INFINITY), r);
    r = sel(b, eq(b, x, kd(b, INFINITY)), x, r);
    return sel(b, uno(b, x, x), add(b, x, x), r);
}
static X log_core(B *b, X x)
{
    X m, n;
    log_parts(b, x, &m, &n);
    X r = fma3(b, n, kd(b, 0x1.62e42fefa3800p-1), fma3(b, n, kd(b, 0x1.ef35793c76730p-45), log1(b, m)));
    return log_special(b, x, r);
}
static X log2_core(B *b, X x)
{
    X m, n;
    log_parts(b, x, &m, &n);
    X l = log1(b, m);
    X hi = mul(b, l, kd(b, M_LOG2E));
    X lo = fma3(b, l, kd(b, M_LOG2E), ng(b, hi));
    lo = fma3(b, l, kd(b, 0x1.777d0ffda0d24p-56), lo);
    return log_special(b, x, add(b, n, add(b, hi, lo)));
}
static X rsqrt_core(B *b, X x) { return divi(b, kd(b, 1), sq(b, x)); }
static X sgn(B *b, X v, X x)
{
    return bits(b, ior(b, iand(b, bits(b, v), kl(b, INT64_MAX)), iand(b, bits(b, x), kl(b, INT64_MIN))));
}
static X tanh_core(B *b, X x)
{
    X a = ab(b, x);
    X c = sel(b, lt(b, a, kd(b, 25)), a, kd(b, 25));
    X y = add(b, c, c);
    X n = rn(b, mul(b, y, kd(b, 0x1.71547652b82fep0)));
    X r = fma3(b, n, kd(b, -0x1.62e42fefa39efp-1), y);
    r = fma3(b, n, kd(b, -0x1.abc9e3b39803fp-56), r);
    X p = mul(b, r, poly(b, r, ex + 1, 13));
    X s = scale(b, kd(b, 1), n);
    X E = fma3(b, p, s, sub(b, s, kd(b, 1)));
    X t = divi(b, E, add(b, E, kd(b, 2)));
    t = sel(b, lt(b, a, kd(b, 1e-8)), a, t);
    t = sgn(b, t, x);
    return sel(b, uno(b, x, x), add(b, x, x), t);
}
static X sigmoid_core(B *b, X x)
{
    X e = exp_core(b, ng(b, ab(b, x)));
    X d = add(b, e, kd(b, 1));
    X r = sel(b, lt(b, x, kd(b, 0)), divi(b, e, d), divi(b, kd(b, 1), d));
    return sel(b, uno(b, x, x), add(b, x, x), r);
}
static X erf_core(B *b, X x)
{
    X a = ab(b, x);
    X c = sel(b, lt(b, a, kd(b, 6)), a, kd(b, 6));
    X z = mul(b, c, c);
    X small = mul(b, c, poly(b, z, erf0, 14));
    X p1 = poly(b, sub(b, c, kd(b, erfc_at[0])), erf1, 19), p2 = poly(b, sub(b, c, kd(b, erfc_at[1])), erf2, 19),
      p3 = poly(b, sub(b, c, kd(b, erfc_at[2])), erf3, 19);
    X q = sel(b, lt(b, c, kd(b, 2)), p1, sel(b, lt(b, c, kd(b, 3.5)), p2, p3));
    X big = sub(b, kd(b, 1), mul(b, exp_core(b, ng(b, z)), q));
    X r = sgn(b, sel(b, lt(b, c, kd(b, 1)), small, big), x);
    return sel(b, uno(b, x, x), add(b, x, x), r);
}
static X sincos_core(B *b, X x, int cosine)
{
    X n = rn(b, mul(b, x, kd(b, M_2_PI)));
    X r = fma3(b, n, kd(b, -0x1.921fb54442d18p0), x);
    r = fma3(b, n, kd(b, -0x1.1a62633145c07p-54), r);
    r = fma3(b, n, kd(b, 0x1.f1976b7ed8fbcp-110), r);
    X ok = lt(b, ab(b, n), kd(b, 0x1p51));
    n = sel(b, ok, n, kd(b, 0));
    r = sel(b, ok, r, kd(b, 0));
    X i = iadd(b, f2i(b, n), kl(b, cosine));
    X z = mul(b, r, r);
    static const double s[] = {-1. / 6,        1. / 120,         -1. / 5040,           1. / 362880,
                               -1. / 39916800, 1. / 6227020800., -1. / 1307674368000., 1. / 355687428096000.};
    static const double k[] = {-.5,           1. / 24,        -1. / 720,          1. / 40320,
                               -1. / 3628800, 1. / 479001600, -1. / 87178291200., 1. / 20922789888000.};
    X sn = fma3(b, mul(b, r, z), poly(b, z, s, 8), r), cs = fma3(b, z, poly(b, z, k, 8), kd(b, 1));
    X odd = ieq(b, iand(b, i, kl(b, 1)), kl(b, 1));
    X v = sel(b, odd, cs, sn);
    X neg = ieq(b, iand(b, i, kl(b, 2)), kl(b, 2));
    v = sel(b, neg, ng(b, v), v);
    return sel(b, lt(b, ab(b, x), kd(b, INFINITY)), v, kd(b, NAN));
}
static X sin_core(B *b, X x) { return sincos_core(b, x, 0); }
static X cos_core(B *b, X x) { return sincos_core(b, x, 1); }
static X pow_core(B *b, X x, X y)
{
    X a = ab(b, x);
    X m, n;
    log_parts(b, a, &m, &n); /* double-double log2 */
    X f = sub(b, m, kd(b, 1));
    X d = add(b, f, kd(b, 2));
    X s = divi(b, f, d);
    X sl = divi(b, fma3(b, ng(b, s), d, f), d);
    X z = mul(b, s, s);
    static const double c[] = {1. / 3,  1. / 5,  1. / 7,  1. / 9,  1. / 11, 1. / 13,
                               1. / 15, 1. / 17, 1. / 19, 1. / 21, 1. / 23};
    X tail = mul(b, mul(b, s, z), poly(b, z, c, 11));
    X h2 = add(b, s, s), l2 = mul(b, kd(b, 2), add(b, sl, tail));
    X lh = add(b, h2, l2), ll = sub(b, l2, sub(b, lh, h2));
    X ph = mul(b, lh, kd(b, M_LOG2E)), pl = fma3(b, lh, kd(b, M_LOG2E), ng(b, ph));
    pl = fma3(b, ll, kd(b, M_LOG2E), fma3(b, lh, kd(b, 0x1.777d0ffda0d24p-56), pl));
    X sh = add(b, n, ph), sl2 = add(b, sub(b, ph, sub(b, sh, n)), pl); /* |n|>=|ph| or n==0 */
    X th = mul(b, y, sh), tl = fma3(b, y, sh, ng(b, th));
    tl = fma3(b, y, sl2, tl);
    X big = lt(b, kd(b, 1100), ab(b, th));
    X thc = clampd(b, th, -1090, 1030);
    thc = sel(b, uno(b, th, th), kd(b, 0), thc);
    X k = rn(b, thc);
    X r = sub(b, thc, k);
    r = add(b, r, sel(b, big, kd(b, 0), sel(b, lt(b, ab(b, tl), kd(b, 1)), tl, kd(b, 0))));
    X v = scale(b, poly(b, mul(b, r, kd(b, M_LN2)), ex, 14), k);
    X inf = kd(b, INFINITY), zero = kd(b, 0), one = kd(b, 1);
    X ay = ab(b, y);
    X yint = eq(b, fl(b, y), y);
    X half = mul(b, y, kd(b, .5));
    X yodd = band(b, band(b, yint, bnot(b, eq(b, fl(b, half), half))), lt(b, ay, kd(b, 0x1p53)));
    X yneg = lt(b, y, zero);
    v = sel(b, eq(b, a, zero), sel(b, yneg, inf, zero), v);
    v = sel(b, eq(b, a, inf), sel(b, yneg, zero, inf), v);
    X grow = bor(b, band(b, lt(b, one, a), lt(b, zero, y)), band(b, lt(b, a, one), yneg));
    v = sel(b, eq(b, ay, inf), sel(b, eq(b, a, one), one, sel(b, grow, inf, zero)), v);
    X xneg = ilt(b, bits(b, x), kl(b, 0));
    v = sel(b, band(b, xneg, yodd), ng(b, v), v);
    X bad = band(b, band(b, lt(b, x, zero), bnot(b, yint)), lt(b, a, inf));
    bad = band(b, bad, bnot(b, eq(b, ay, inf)));
    v = sel(b, bad, kd(b, NAN), v);
    v = sel(b, bor(b, uno(b, x, x), uno(b, y, y)), add(b, x, y), v);
    v = sel(b, eq(b, y, zero), one, v);
    return sel(b, eq(b, x, one), one, v);
}
static X powi_core(B *b, X x, X n)
{
    X nf = i2f(b, n);
    X odd = ieq(b, iand(b, n, kl(b, 1)), kl(b, 1));
    X v = pow_core(b, x, nf);
    X neg = ilt(b, bits(b, x), kl(b, 0));
    X mag = ab(b, v);
    X r = sel(b, band(b, neg, odd), ng(b, mag), mag);
    return sel(b, uno(b, v, v), v, r);
}
typedef X (*Fn)(B *, X);
static Fn fn_of(ExprOp o)
{
    switch (o) {
    case EX_EXP: return exp_core;
    case EX_EXP2: return exp2_core;
    case EX_LOG: return log_core;
    case EX_LOG2: return log2_core;
    case EX_RSQRT: return rsqrt_core;
    case EX_TANH: return tanh_core;
    case EX_ERF: return erf_core;
    case EX_SIGMOID: return sigmoid_core;
    case EX_SIN: return sin_core;
    case EX_COS: return cos_core;
    default: return NULL;
    }
}
static X in(B *b, int i, MathType t)
{
    b->in[i] = t;
    if (b->nin < i + 1) b->nin = i + 1;
    return put(b, MO_IN, t, i, 0, 0, 0);
}
static MathProg done(B *b, X r)
{
    return (MathProg){.n = b->n, .nin = b->nin, .result = r, .in = {b->in[0], b->in[1]}, .at = b->at};
}
/* f32 exp, native */
static X expf_core(B *b, X x)
{
    static const float c[] = {1, 1, 0x1.fffffep-2f, 0x1.5554cep-3f, 0x1.55593cp-5f, 0x1.12510cp-7f, 0x1.6b9a8ep-10f};
    X lo = kf(b, -104), hi = kf(b, 89);
    X v = sel(b, lt(b, x, lo), lo, x);
    v = sel(b, lt(b, hi, v), hi, v);
    v = sel(b, uno(b, x, x), kf(b, 0), v);
    X n = rn(b, mul(b, v, kf(b, 0x1.715476p0f)));
    X r = fma3(b, n, kf(b, -0x1.62e4p-1f), v);
    r = fma3(b, n, kf(b, -0x1.7f7d1cp-20f), r);
    X p = kf(b, c[6]);
    for (int i = 5; i >= 0; i--) p = fma3(b, p, r, kf(b, c[i]));
    X i = f2i(b, n), h = asr(b, i, ki(b, 1)), g = isub(b, i, h);
    X s1 = bits(b, shl(b, iadd(b, h, ki(b, 127)), ki(b, 23))), s2 = bits(b, shl(b, iadd(b, g, ki(b, 127)), ki(b, 23)));
    X e = mul(b, mul(b, p, s1), s2);
    return sel(b, uno(b, x, x), add(b, x, x), e);
}
static MathProg make(ExprOp o, bool f64)
{
    B b = {0};
    X r;
    if (o == EX_POW || o == EX_POWI) {
        X x = in(&b, 0, f64 ? MT_F64 : MT_F32), y = in(&b, 1, o == EX_POWI ? MT_I64 : f64 ? MT_F64 : MT_F32);
        X xd = f64 ? x : fext(&b, x), yd = o == EX_POWI || f64 ? y : fext(&b, y);
        r = o == EX_POWI ? powi_core(&b, xd, yd) : pow_core(&b, xd, yd);
        if (!f64) r = fcvt_(&b, r);
    } else {
        X x = in(&b, 0, f64 ? MT_F64 : MT_F32);
        if (f64)
            r = fn_of(o)(&b, x);
        else if (o == EX_EXP)
            r = expf_core(&b, x);
        else if (o == EX_RSQRT)
            r = divi(&b, kf(&b, 1), sq(&b, x));
        else
            r = fcvt_(&b, fn_of(o)(&b, fext(&b, x)));
    }
    return done(&b, r);
}
/* conversions */
typedef struct Fm {
    int e, m;
    bool inf;
} Fm;
static Fm fm(DType t)
{
    return t == DT_F16      ? (Fm){5, 10, 1}
           : t == DT_BF16   ? (Fm){8, 7, 1}
           : t == DT_F8E4M3 ? (Fm){4, 3, 0}
           : t == DT_F8E5M2 ? (Fm){5, 2, 1}
                            : (Fm){8, 10, 1};
}
static MathProg make_round(DType t)
{
    B b = {0};
    X x = in(&b, 0, MT_F32);
    X u = bits(&b, x);
    X sign = iand(&b, u, ki(&b, INT32_MIN));
    X a = iand(&b, u, ki(&b, INT32_MAX));
    Fm f = fm(t);
    int drop = 23 - f.m;
    X isnan_ = ilt(&b, ki(&b, 0x7f800000), a);
    X r = iadd(&b, iadd(&b, a, ki(&b, (1 << (drop - 1)) - 1)), iand(&b, lsr(&b, a, ki(&b, drop)), ki(&b, 1)));
    if (t == DT_TF32 || t == DT_BF16) {
        r = iand(&b, r, ki(&b, ~((1 << drop) - 1)));
        r = sel(&b, isnan_, ior(&b, a, ki(&b, 0x400000)), r);
        if (t == DT_TF32) {
            r = sel(&b, isnan_, iand(&b, r, ki(&b, ~((1 << drop) - 1))), r);
            return done(&b, ior(&b, r, sign));
        }
        r = lsr(&b, r, ki(&b, 16));
        return done(&b, ior(&b, r, lsr(&b, sign, ki(&b, 16))));
    }
    int bias = (1 << (f.e - 1)) - 1;
    X norm = lsr(&b, isub(&b, r, ki(&b, (127 - bias) << 23)), ki(&b, drop));
    float magic = ldexpf(1, 1 - bias - f.m + 23);
    X low = isub(&b, bits(&b, add(&b, bits(&b, a), kf(&b, magic))), bits(&b, kf(&b, magic)));
    X v = sel(&b, ilt(&b, a, ki(&b, (127 - bias + 1) << 23)), low, norm);
    int w = f.e + f.m;
    int infb = ((1 << f.e) - 1) << f.m, nanb = f.inf ? infb | 1 << (f.m - 1) : (1 << w) - 1;
    int lim = f.inf ? infb : nanb;
    v = sel(&b, ilt(&b, v, ki(&b, lim)), v, ki(&b, lim));
    v = sel(&b, ilt(&b, a, ki(&b, 0x7f800000)), v, ki(&b, lim));
    v = sel(&b, isnan_, ki(&b, nanb), v);
    return done(&b, ior(&b, v, lsr(&b, sign, ki(&b, 31 - w))));
}
static MathProg make_widen(DType t)
{
    B b = {0};
    X u = in(&b, 0, MT_I32);
    Fm f = fm(t);
    if (t == DT_TF32) return done(&b, bits(&b, u));
    if (t == DT_BF16) return done(&b, bits(&b, shl(&b, u, ki(&b, 16))));
    int w = f.e + f.m, bias = (1 << (f.e - 1)) - 1;
    X sign = shl(&b, iand(&b, u, ki(&b, 1 << w)), ki(&b, 31 - w));
    X a = iand(&b, u, ki(&b, (1 << w) - 1));
    X norm = iadd(&b, shl(&b, a, ki(&b, 23 - f.m)), ki(&b, (127 - bias) << 23));
    X den = bits(&b, mul(&b, i2f(&b, a), kf(&b, ldexpf(1, 1 - bias - f.m))));
    X v = sel(&b, ilt(&b, a, ki(&b, 1 << f.m)), den, norm);
    if (f.inf) {
        int infb = ((1 << f.e) - 1) << f.m;
        X m = shl(&b, iand(&b, a, ki(&b, (1 << f.m) - 1)), ki(&b, 23 - f.m));
        X sp = ior(&b, m, ki(&b, 0x7f800000));
        sp = sel(&b, ieq(&b, m, ki(&b, 0)), sp, ior(&b, sp, ki(&b, 0x400000)));
        v = sel(&b, ilt(&b, a, ki(&b, infb)), v, sp);
    } else
        v = sel(&b, ieq(&b, a, ki(&b, (1 << w) - 1)), ki(&b, 0x7fc00000), v);
    return done(&b, bits(&b, ior(&b, v, sign)));
}
static MathProg progs[EX_COUNT][2], rounds[DT_COUNT], widens[DT_COUNT];
static once_flag once = ONCE_FLAG_INIT;
static bool has(ExprOp o) { return fn_of(o) || o == EX_POW || o == EX_POWI; }
static void build(void)
{
    for (int o = 0; o < EX_COUNT; o++)
        if (has((ExprOp)o))
            for (int k = 0; k < 2; k++) progs[o][k] = make((ExprOp)o, k);
    DType ts[] = {DT_F16, DT_BF16, DT_F8E4M3, DT_F8E5M2, DT_TF32};
    for (int i = 0; i < 5; i++) {
        rounds[ts[i]] = make_round(ts[i]);
        widens[ts[i]] = make_widen(ts[i]);
    }
}
const MathProg *num_math(ExprOp op, DType t)
{
    if (!has(op)) return NULL;
    call_once(&once, build);
    return &progs[op][t == DT_F64];
}
const MathProg *num_round_prog(DType t)
{
    call_once(&once, build);
    return rounds[t].n ? &rounds[t] : NULL;
}
const MathProg *num_widen_prog(DType t)
{
    call_once(&once, build);
    return widens[t].n ? &widens[t] : NULL;
}
double num_math_ulp(ExprOp op, DType t)
{
    (void)op;
    return t == DT_F64 ? 4 : 2;
}
typedef union W {
    double d;
    float f;
    int64_t l;
    int32_t i;
    uint64_t u;
    uint32_t v;
} W;
static W step(const MathInst *q, const MathType *ts, W a, W c, W e)
{
    W r = {0};
    MathType t = (MathType)q->type, s = ts[q->arg[0]];
    bool w = t == MT_F64 || t == MT_I64;
#define FF(E64, E32)                                                                                                   \
    do {                                                                                                               \
        if (t == MT_F64)                                                                                               \
            r.d = (E64);                                                                                               \
        else                                                                                                           \
            r.f = (E32);                                                                                               \
    } while (0)
#define II(E64, E32)                                                                                                   \
    do {                                                                                                               \
        if (w)                                                                                                         \
            r.u = (uint64_t)(E64);                                                                                     \
        else                                                                                                           \
            r.v = (uint32_t)(E32);                                                                                     \
    } while (0)
#define CC(E64, E32) r.l = (s == MT_F64 || s == MT_I64) ? (E64) : (E32)
    switch (q->op) {
    case MO_FADD: FF(a.d + c.d, a.f + c.f); break;
    case MO_FSUB: FF(a.d - c.d, a.f - c.f); break;
    case MO_FMUL: FF(a.d * c.d, a.f * c.f); break;
    case MO_FDIV: FF(a.d / c.d, a.f / c.f); break;
    case MO_FMA: FF(fma(a.d, c.d, e.d), fmaf(a.f, c.f, e.f)); break;
    case MO_FSQRT: FF(sqrt(a.d), sqrtf(a.f)); break;
    case MO_FABS: FF(fabs(a.d), fabsf(a.f)); break;
    case MO_FNEG: FF(-a.d, -a.f); break;
    case MO_FLOOR: FF(floor(a.d), floorf(a.f)); break;
    case MO_FRINT: FF(rint(a.d), rintf(a.f)); break;
    case MO_FTRUNC: FF(trunc(a.d), truncf(a.f)); break;
    case MO_FLT: CC(a.d < c.d, a.f < c.f); break;
    case MO_FLE: CC(a.d <= c.d, a.f <= c.f); break;
    case MO_FEQ: CC(a.d == c.d, a.f == c.f); break;
    case MO_FUNO: CC(isnan(a.d) || isnan(c.d), isnan(a.f) || isnan(c.f)); break;
    case MO_IADD: II(a.u + c.u, a.v + c.v); break;
    case MO_ISUB: II(a.u - c.u, a.v - c.v); break;
    case MO_IMUL: II(a.u * c.u, a.v * c.v); break;
    case MO_IAND: II(a.u & c.u, a.v & c.v); break;
    case MO_IOR: II(a.u | c.u, a.v | c.v); break;
    case MO_IXOR: II(a.u ^ c.u, a.v ^ c.v); break;
    case MO_ISHL: II(a.u << c.u, a.v << c.v); break;
    case MO_ILSR: II(a.u >> c.u, a.v >> c.v); break;
    case MO_IASR: II(a.l >> c.u, a.i >> c.v); break;
    case MO_ILT: CC(a.l < c.l, a.i < c.i); break;
    case MO_IEQ: CC(a.u == c.u, a.v == c.v); break;
    case MO_IULT: CC(a.u < c.u, a.v < c.v); break;
    case MO_BAND: r.l = a.l & c.l; break;
    case MO_BOR: r.l = a.l | c.l; break;
    case MO_BNOT: r.l = !a.l; break;
    case MO_SEL: r = a.l ? c : e; break;
    case MO_BITS: r = a; break;
    case MO_F2I:
        if (s == MT_F64)
            r.l = (int64_t)a.d;
        else
            r.i = (int32_t)a.f;
        break;
    case MO_I2F:
        if (s == MT_I64)
            r.d = (double)a.l;
        else
            r.f = (float)a.i;
        break;
    case MO_FEXT: r.d = a.f; break;
    case MO_FCVT: r.f = (float)a.d; break;
    case MO_SEXT: r.l = a.i; break;
    case MO_ITRUNC: r.i = (int32_t)a.l; break;
    default: break;
    }
    return r;
}
void num_math_run(const MathProg *p, size_t n, void *out, const void *const *inp)
{
    W v[512];
    MathType ts[512];
    for (int k = 0; k < p->n; k++) ts[k] = (MathType)p->at[k].type;
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < p->n; k++) {
            const MathInst *q = &p->at[k];
            if (q->op == MO_IN) {
                W w = {0};
                size_t z = (q->type == MT_F32 || q->type == MT_I32) ? 4 : 8;
                memcpy(&w, (const char *)inp[q->arg[0]] + i * z, z);
                v[k] = w;
            } else if (q->op == MO_CONST)
                v[k] = (W){.u = q->bits};
            else
                v[k] = step(q, ts, v[q->arg[0]], v[q->arg[1]], v[q->arg[2]]);
        }
        size_t z = (ts[p->result] == MT_F32 || ts[p->result] == MT_I32) ? 4 : 8;
        memcpy((char *)out + i * z, &v[p->result], z);
    }
}
