/* math_trig: sin and cos as programs, with the argument reduced exactly over the whole range (Payne and Hanek).
 *
 * x 2/pi = quadrant + r, |r| <= 1/2. f32 multiplies in f64 by 2/pi cut into pieces of 25 bits, so that every product is
 * exact, and drops whole numbers on the way. f64 multiplies integers: the 53 bits of x by the 192 bits of 2/pi that
 * matter at its exponent, which selections pick out of 1280. No tables, no branches. */
#include "ir/math_priv.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

/* ---- f32, in f64 ----------------------------------------------------------------------------------------------- */
static const double two_over_pi[] = {0x1.45f3060000000p-1,   0x1.b939100000000p-26,  0x1.529fc20000000p-52,
                                     0x1.d5f47c0000000p-78,  0x1.4d37700000000p-102, 0x1.b6c5280000000p-129,
                                     0x1.993c420000000p-152, 0x1.9041fe0000000p-176};
/* sin(r pi/2) / r and cos(r pi/2) over r^2: 2^-38, 2^-44. */
static const double sin_single[] = {0x1.921fb5443b491p+0, -0x1.4abbce569a51ap-1, 0x1.466bbab9191f6p-4,
                                    -0x1.32ca9611bae84p-8, 0x1.4bc636d9a360ap-13};
static const double cos_single[] = {0x1.ffffffffffe06p-1,  -0x1.3bd3cc9bd29b9p+0, 0x1.03c1f074c72fdp-2,
                                    -0x1.55d3ba1ce4416p-6, 0x1.e1e7c05c7d9bbp-11, -0x1.a0eb4a2de5e69p-16};

/* r for a widened f32, and the quadrant in the low bits of *q. Products that are multiples of 4 leave nothing; from the
 * first that is not, sums are exact until what is added is far below them or they have cancelled. From the sixth piece
 * on products are below 2^-22. */
static V reduce_single(B *b, V x, V *q)
{
    V r = f64(b, 0), n = r, quarter = f64(b, 0.25), four = f64(b, -4);
    for (int k = 0; k < COUNT(two_over_pi); k++) {
        V c = f64(b, two_over_pi[k]), p = k ? ffma(b, x, c, r) : fmul(b, x, c);
        if (k < 6) {
            V whole = frint(b, p);
            r = fsub(b, p, whole);
            V turn = ffma(b, frint(b, fmul(b, whole, quarter)), four, whole);
            n = k ? fadd(b, n, turn) : turn;
        } else {
            r = p;
        }
    }
    *q = bits(b, fadd(b, n, f64(b, MAGIC64)));
    return r;
}

/* ---- f64 --------------------------------------------------------------------------------------------------------- */
enum { WORDS = 20 };
/* 64 zero bits, then 2/pi. */
static const uint64_t words[WORDS] = {0,
                                      UINT64_C(0xa2f9836e4e441529),
                                      UINT64_C(0xfc2757d1f534ddc0),
                                      UINT64_C(0xdb6295993c439041),
                                      UINT64_C(0xfe5163abdebbc561),
                                      UINT64_C(0xb7246e3a424dd2e0),
                                      UINT64_C(0x06492eea09d1921c),
                                      UINT64_C(0xfe1deb1cb129a73e),
                                      UINT64_C(0xe88235f52ebb4484),
                                      UINT64_C(0xe99c7026b45f7e41),
                                      UINT64_C(0x3991d639835339f4),
                                      UINT64_C(0x9c845f8bbdf9283b),
                                      UINT64_C(0x1ff897ffde05980f),
                                      UINT64_C(0xef2f118b5a0a6d1f),
                                      UINT64_C(0x6d367ecf27cb09b7),
                                      UINT64_C(0x4f463f669e5fea2d),
                                      UINT64_C(0x7527bac7ebe5f17b),
                                      UINT64_C(0x3d0739f78a5292ea),
                                      UINT64_C(0x6bfb5fb11f8d5d08),
                                      UINT64_C(0x56033046fc7b6bab)};
/* (sin(x)/x - 1) / x^2 and (cos(x) - 1 + x^2/2) / x^4 over x^2 up to (pi/4)^2: 2^-56, 2^-59. */
static const double sin_double[] = {-0x1.5555555555554p-3, 0x1.111111111072bp-7,   -0x1.a01a019daf5ecp-13,
                                    0x1.71de36b7d8b6cp-19, -0x1.ae5f48c7d1853p-26, 0x1.5dcf053008a36p-33};
static const double cos_double[] = {0x1.5555555555554p-5,   -0x1.6c16c16c16332p-10, 0x1.a01a019e4dfa1p-16,
                                    -0x1.27e4f92037fc8p-22, 0x1.1eea9d6b284d6p-29,  -0x1.90053cb1ba05bp-37};

static V half_word(B *b, V x, bool high) { return high ? lsr(b, x, 32) : iand(b, x, i64(b, 0xffffffff)); }

/* Bits 64 and up of a product. */
static V multiply_high(B *b, V x, V y)
{
    V x1 = half_word(b, x, true), x0 = half_word(b, x, false), y1 = half_word(b, y, true), y0 = half_word(b, y, false);
    V a = imul(b, x1, y0), c = imul(b, x0, y1), low = half_word(b, imul(b, x0, y0), true);
    V middle = iadd(b, low, iadd(b, half_word(b, a, false), half_word(b, c, false)));
    V high = iadd(b, half_word(b, a, true), half_word(b, c, true));
    return iadd(b, iadd(b, imul(b, x1, y1), high), half_word(b, middle, true));
}

/* Three words of 2/pi from bit `at` of `words` on (at most bit 16 * 64 + 63). */
static void window(B *b, V at, V out[3])
{
    V w[WORDS], zero = i64(b, 0);
    int n = WORDS;
    for (int i = 0; i < n; i++) w[i] = i64(b, words[i]);
    V skip16 = bnot(b, ieq(b, iand(b, at, i64(b, 16 << 6)), zero));
    for (int i = 0; i + 16 < WORDS; i++) w[i] = sel(b, skip16, w[i + 16], w[i]);
    n = 19; /* without those 16 words at most 15 are skipped, and four remain */
    for (int skip = 8; skip; skip /= 2) {
        V set = bnot(b, ieq(b, iand(b, at, i64(b, (uint64_t)skip << 6)), zero));
        n -= skip;
        for (int i = 0; i < n; i++) w[i] = sel(b, set, w[i + skip], w[i]);
    }
    V left = iand(b, at, i64(b, 63)), right = ixor(b, left, i64(b, 63));
    for (int i = 0; i < 3; i++) out[i] = ior(b, shl_by(b, w[i], left), lsr_by(b, lsr(b, w[i + 1], 1), right));
}

/* A positive finite x of at least 1/2: *q gets the quadrant, *lo the rest of r. */
static V reduce_double(B *b, V x, V *q, V *lo)
{
    V i = bits(b, x), m = ior(b, iand(b, i, i64(b, (UINT64_C(1) << 52) - 1)), i64(b, UINT64_C(1) << 52)), w[3];
    /* x = m 2^e with e = exponent - 1075. The window starts where the product's bits are worth 2: at bit e - 1 of 2/pi,
     * counted from 1, which is bit e - 2 from 0, and `words` has 64 more. */
    V at = isub(b, lsr(b, i, 52), i64(b, 1075 + 2 - 64));
    window(b, iand(b, at, i64(b, 2047)), w);
    V low = iadd(b, multiply_high(b, m, w[2]), imul(b, m, w[1]));
    V carry = sel(b, iult(b, low, imul(b, m, w[1])), i64(b, 1), i64(b, 0));
    V high = iadd(b, iadd(b, imul(b, m, w[0]), multiply_high(b, m, w[1])), carry);
    /* The top two bits are the quadrant; rounded, so that the rest is signed. */
    V turns = iadd(b, high, i64(b, UINT64_C(1) << 61));
    *q = lsr(b, turns, 62);
    V rest = isub(b, iand(b, turns, i64(b, (UINT64_C(1) << 62) - 1)), i64(b, UINT64_C(1) << 61));
    /* Four half words as floats: the first signed, each exact. All count: r may begin as low as 2^-62. */
    V shifted = ixor(b, rest, i64(b, UINT64_C(1) << 63));
    V a = fmul(b, small_f64(b, half_word(b, shifted, true), 0x1p31), f64(b, 0x1p-30));
    V c = fmul(b, small_f64(b, half_word(b, shifted, false), 0), f64(b, 0x1p-62));
    V d = fmul(b, small_f64(b, half_word(b, low, true), 0), f64(b, 0x1p-94));
    d = ffma(b, small_f64(b, half_word(b, low, false), 0), f64(b, 0x1p-126), d);
    V s = fadd(b, a, c), t = fadd(b, fadd(b, fsub(b, a, s), c), d);
    V r = fadd(b, s, t);
    *lo = fadd(b, fsub(b, s, r), t);
    return r;
}

/* Both on |y| <= pi/4, y = hi + lo, as fdlibm's k_sin.c and k_cos.c. */
static V sin_kernel(B *b, V hi, V lo)
{
    V z = fmul(b, hi, hi), v = fmul(b, z, hi);
    V p = math_poly(b, z, COUNT(sin_double) - 1, sin_double + 1), third = f64(b, sin_double[0]);
    V u = fsub(b, fmul(b, z, fsub(b, fmul(b, f64(b, 0.5), lo), fmul(b, v, p))), lo);
    return fsub(b, hi, fsub(b, u, fmul(b, v, third)));
}

static V cos_kernel(B *b, V hi, V lo)
{
    V z = fmul(b, hi, hi), h = fmul(b, z, f64(b, 0.5)), one = f64(b, 1), w = fsub(b, one, h);
    V p = fmul(b, fmul(b, z, z), math_poly(b, z, COUNT(cos_double), cos_double));
    return fadd(b, w, fadd(b, fsub(b, fsub(b, one, w), h), fsub(b, p, fmul(b, hi, lo))));
}

/* ---- both -------------------------------------------------------------------------------------------------------- */
/* Of the quadrant q (in the low bits of an i64): sine where it is even, cosine where it is odd, negated in the upper
 * half. For the cosine of x the quadrant is one further. */
static V choose(B *b, V q, V sine, V cosine)
{
    V odd = ieq(b, iand(b, q, i64(b, 1)), i64(b, 1)), r = sel(b, odd, cosine, sine);
    return bits(b, ixor(b, bits(b, r), shl(b, iand(b, q, i64(b, 2)), 62)));
}

/* The sine is odd: value with its sign inverted where x is negative, -0 too. */
static V odd(B *b, V value, V x)
{
    V i = bits(b, x), sign = iconst(b, i, type_of(b, x) == MT_F32 ? UINT64_C(1) << 31 : UINT64_C(1) << 63);
    return bits(b, ixor(b, bits(b, value), iand(b, i, sign)));
}

static V single(B *b, V x, int turn)
{
    V q, r = reduce_single(b, widen(b, fabs_(b, x)), &q), z = fmul(b, r, r);
    V s = fmul(b, r, math_poly(b, z, COUNT(sin_single), sin_single));
    V c = math_poly(b, z, COUNT(cos_single), cos_single);
    V value = narrow(b, choose(b, iadd(b, q, i64(b, (uint64_t)turn)), s, c));
    return turn ? value : odd(b, value, x);
}

static V twice(B *b, V x, int turn)
{
    V a = fabs_(b, x), q, l, r = reduce_double(b, a, &q, &l);
    V h = f64(b, 0x1.921fb54442d18p+0), y = fmul(b, r, h), t = ffma(b, r, h, fneg(b, y));
    t = ffma(b, l, h, ffma(b, r, f64(b, 0x1.1a62633145c07p-54), t));
    V near = flt(b, a, f64(b, 0x1.921fb54442d18p-1));
    y = sel(b, near, a, y);
    t = sel(b, near, f64(b, 0), t);
    q = sel(b, near, i64(b, 0), q);
    V value = choose(b, iadd(b, q, i64(b, (uint64_t)turn)), sin_kernel(b, y, t), cos_kernel(b, y, t));
    if (!turn) value = odd(b, value, x);
    return sel(b, flt(b, a, f64(b, (double)INFINITY)), value, f64(b, (double)NAN));
}

V math_sin(B *b, V x) { return type_of(b, x) == MT_F32 ? single(b, x, 0) : twice(b, x, 0); }
V math_cos(B *b, V x) { return type_of(b, x) == MT_F32 ? single(b, x, 1) : twice(b, x, 1); }
