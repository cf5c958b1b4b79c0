/* special: ex2, lg2, sin, cos, tanh of f32, as fixed sequences of f64 operations whose result is rounded to f32 once.
 *
 * Polynomials are Taylor series on reduced arguments: in f64 their error is far below half a unit of an f32, so that
 * results are correctly rounded but for arguments whose exact result lies within about 2^-45 of a tie. Needs
 * -ffp-contract=off; every fma is written. */
#include "runtime/sim/sim_float.h"

static const double ln2 = 0x1.62e42fefa39efp-1, log2e = 0x1.71547652b82fep+0;

/* 2^n for n in the range of doubles that are normal. */
static double power(int n) { return bits_f64((uint64_t)(n + 1023) << 52); }

/* e^r for |r| <= 0.36, by the series to r^13. */
static double exp_near(double r)
{
    double p = 1.0 / 6227020800.0;
    static const double f[] = {
        1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1.0,         1.0};
    for (int i = 0; i < 13; i++) p = __builtin_fma(p, r, f[i]);
    return p;
}

float sim_ex2(float x)
{
    if (x != x) return x;
    if (x > 130) return INFINITY;
    if (x < -160) return 0;
    double n = __builtin_rint((double)x);
    return (float)(exp_near(((double)x - n) * ln2) * power((int)n));
}

float sim_lg2(float x)
{
    if (x != x || x < 0) return bits_f32(NAN_F32);
    if (x == 0) return -INFINITY;
    if (x == INFINITY) return x;
    uint64_t u = f64_bits((double)x); /* normal, as a double */
    int e = (int)(u >> 52) - 1023;
    double m = bits_f64((u & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1023) << 52);
    if (m > 0x1.6a09e667f3bcdp+0) m *= 0.5, e++;
    /* ln m = 2 atanh(s), s = (m - 1) / (m + 1), |s| <= 0.172 */
    double s = (m - 1) / (m + 1), z = s * s, p = 1.0 / 25;
    for (int i = 23; i >= 1; i -= 2) p = __builtin_fma(p, z, 1.0 / i);
    return (float)__builtin_fma(2 * s * p, log2e, (double)e);
}

/* x mod pi/2: the quadrant, and r with |r| <= pi/4. 2/pi to 160 bits past the point for large arguments. */
static int reduce(double x, double *r)
{
    if (__builtin_fabs(x) < 1e5) {
        double n = __builtin_rint(x * 0x1.45f306dc9c883p-1);
        double y =
            __builtin_fma(n, -0x1.921fb54400000p+0, x); /* pi/2 in three pieces; the first two products are exact */
        y = __builtin_fma(n, -0x1.0b4611a600000p-34, y);
        *r = __builtin_fma(n, -0x1.3198a2e037073p-69, y);
        return (int)((int64_t)n & 3);
    }
    static const uint32_t two_over_pi[] = {0,          0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0,
                                           0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561};
    uint64_t u = f64_bits(x);
    int e = (int)(u >> 52 & 0x7ff) - 1023 - 52; /* |x| = m 2^e with 24 significant bits at the top of m */
    uint64_t m = ((u & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52) >> 29;
    e += 29;
    /* m 2^e (2/pi): bits above 2 are whole turns, so the product needs the 128 bits of 2/pi from bit e - 2 on. */
    int skip = e > 2 ? e - 2 : 0;
    unsigned __int128 f = 0;
    int bits = e > 2 ? 128 : 104; /* whole turns may run over the top; what is less must not */
    for (int i = 0; i < bits; i++) {
        int bit = skip + i; /* after the point */
        f = f << 1 | (two_over_pi[1 + bit / 32] >> (31 - bit % 32) & 1);
    }
    unsigned __int128 p = f * m; /* scaled by 2^(bits + skip - e) */
    int point = bits + skip - e;
    unsigned q = (unsigned)(p >> point);
    unsigned __int128 frac = p << (128 - point);
    bool up = frac >> 127;
    if (up) q++, frac = 0 - frac;
    double y = (double)(uint64_t)(frac >> 64) * 0x1p-64;
    y = y * 0x1.921fb54442d18p+0;
    if (up) y = -y;
    bool neg = u >> 63;
    *r = neg ? -y : y;
    return (int)((neg ? 0 - q : q) & 3);
}

static double sin_near(double r)
{
    double z = r * r, p = -1.0 / 1307674368000.0;
    static const double f[] = {1.0 / 6227020800.0, -1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6};
    for (int i = 0; i < 6; i++) p = __builtin_fma(p, z, f[i]);
    return __builtin_fma(p * z, r, r);
}

static double cos_near(double r)
{
    double z = r * r, p = 1.0 / 20922789888000.0;
    static const double f[] = {
        -1.0 / 87178291200.0, 1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -0.5};
    for (int i = 0; i < 7; i++) p = __builtin_fma(p, z, f[i]);
    return __builtin_fma(p, z, 1.0);
}

static float wave(float x, int shift)
{
    double r;
    if (x != x || x == INFINITY || x == -INFINITY) return bits_f32(NAN_F32);
    if (x == 0 && !shift) return x;
    int q = (reduce((double)x, &r) + shift) & 3;
    double y = q & 1 ? cos_near(r) : sin_near(r);
    return (float)(q & 2 ? -y : y);
}

float sim_sin(float x) { return wave(x, 0); }
float sim_cos(float x) { return wave(x, 1); }

float sim_tanh(float x)
{
    double a = __builtin_fabs((double)x), y;
    if (x != x || x == 0) return x;
    if (a > 10) return x < 0 ? -1 : 1;
    if (a < 0.1) { /* the series: e^2x - 1 would cancel */
        double z = a * a, p = 21844.0 / 6081075;
        static const double f[] = {-1382.0 / 155925, 62.0 / 2835, -17.0 / 315, 2.0 / 15, -1.0 / 3};
        for (int i = 0; i < 5; i++) p = __builtin_fma(p, z, f[i]);
        y = __builtin_fma(p * z, a, a);
    } else {
        double t = 2 * a * log2e, n = __builtin_rint(t), e = exp_near((t - n) * ln2) * power((int)n);
        y = (e - 1) / (e + 1);
    }
    return (float)(x < 0 ? -y : y);
}
