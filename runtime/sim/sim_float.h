/* sim_float: floats as bits, for all code of the simulator that computes with them. Conversions round exactly once, in
 * any mode, from a sign, a 64-bit integer, an exponent of 2 and whether more followed.
 *
 * A NaN that arithmetic or a conversion makes is canonical: quiet, positive, no payload. */
#ifndef TCC_RUNTIME_SIM_FLOAT_H
#define TCC_RUNTIME_SIM_FLOAT_H

#include "isa/isa.h"

#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t f32_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
INLINE float bits_f32(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}
INLINE uint64_t f64_bits(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
INLINE double bits_f64(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

#define NAN_F32 0x7fc00000u
#define NAN_F64 UINT64_C(0x7ff8000000000000)

INLINE uint32_t canonical_f32(float x) { return x != x ? NAN_F32 : f32_bits(x); }
INLINE uint64_t canonical_f64(double x) { return x != x ? NAN_F64 : f64_bits(x); }

/* ---- f16 and bf16 in registers: straight-line, so that loops over lanes vectorise
 * ------------------------------------ */

INLINE float widen_f16(uint32_t h)
{
    uint32_t a = h & 0x7fff, sign = (h & 0x8000) << 16;
    uint32_t normal = (a << 13) + (112u << 23);
    uint32_t sub = f32_bits((float)(int32_t)a * 0x1p-24f);
    uint32_t r = a < 0x400 ? sub : normal;
    r = a >= 0x7c00 ? 0x7f800000u | (a & 0x3ff) << 13 : r;
    return bits_f32(r | sign);
}

INLINE uint32_t round_f16(float x)
{
    uint32_t u = f32_bits(x), a = u & 0x7fffffffu;
    uint32_t normal = ((a + 0xfff + (a >> 13 & 1)) >> 13) - (112u << 10);
    uint32_t sub = f32_bits(bits_f32(a < 0x38800000u ? a : 0) + 0.5f) - 0x3f000000u;
    uint32_t r = a < 0x38800000u ? sub : normal;
    r = a >= 0x477ff000u ? 0x7c00u : r;
    r = a > 0x7f800000u ? 0x7e00u : r | (u >> 16 & 0x8000);
    return r;
}

INLINE float widen_bf16(uint32_t h) { return bits_f32(h << 16); }

INLINE uint32_t round_bf16(float x)
{
    uint32_t u = f32_bits(x);
    uint32_t r = (u + 0x7fff + (u >> 16 & 1)) >> 16;
    return (u & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : r;
}

/* ---- any format, any rounding
 * ------------------------------------------------------------------------------------------ */

typedef struct SimFormat {
    int width, mantissa, bias; /* stored bits, stored fraction bits */
    bool has_inf; /* e4m3 has none: the pattern of all ones is NaN, the others of the top exponent are numbers */
    int low;      /* tf32: fraction bits below, which are 0 */
} SimFormat;

static inline SimFormat sim_format(int t)
{
    switch (t) {
    case IT_F64: return (SimFormat){64, 52, 1023, true, 0};
    case IT_F32: return (SimFormat){32, 23, 127, true, 0};
    case IT_TF32: return (SimFormat){19, 10, 127, true, 13};
    case IT_F16: return (SimFormat){16, 10, 15, true, 0};
    case IT_BF16: return (SimFormat){16, 7, 127, true, 0};
    case IT_E4M3: return (SimFormat){8, 3, 7, false, 0};
    default: return (SimFormat){8, 2, 15, true, 0};
    }
}

typedef struct SimExact { /* (-1)^neg * m * 2^e, and a little more when `more`; or special */
    enum { EXACT_NUMBER, EXACT_INF, EXACT_NAN } kind;
    bool neg, more;
    uint64_t m;
    int e;
} SimExact;

static inline SimExact sim_exact(int t, uint64_t bits)
{
    SimFormat f = sim_format(t);
    bits >>= f.low;
    uint64_t frac = bits & ((UINT64_C(1) << f.mantissa) - 1), top = (UINT64_C(1) << (f.width - 1 - f.mantissa)) - 1;
    uint64_t ex = bits >> f.mantissa & top;
    SimExact x = {EXACT_NUMBER, bits >> (f.width - 1) & 1, false, frac, 1 - f.bias - f.mantissa};
    if (f.has_inf && ex == top) {
        x.kind = frac ? EXACT_NAN : EXACT_INF;
    } else if (!f.has_inf && ex == top && frac == (UINT64_C(1) << f.mantissa) - 1) {
        x.kind = EXACT_NAN;
    } else if (ex) {
        x.m |= UINT64_C(1) << f.mantissa;
        x.e = (int)ex - f.bias - f.mantissa;
    }
    return x;
}

/* Divides by 2^n (n > 0) and rounds: mode 0 nearest even, 1 to zero, 2 down, 3 up. */
static inline uint64_t sim_shift_round(uint64_t m, int n, bool more, bool neg, int mode)
{
    uint64_t q = n > 63 ? 0 : m >> n, rest = n > 63 ? m : m & ((UINT64_C(1) << n) - 1),
             half = n > 64 ? 0 : UINT64_C(1) << (n - 1);
    bool inexact = rest || more, up = false;
    if (mode == 0) up = n <= 64 && (rest > half || (rest == half && (more || (q & 1))));
    if (mode == 2) up = inexact && neg;
    if (mode == 3) up = inexact && !neg;
    return q + up;
}

static inline uint64_t sim_round_to(int t, SimExact x, int mode, bool sat)
{
    SimFormat f = sim_format(t);
    uint64_t top = (UINT64_C(1) << (f.width - 1 - f.mantissa)) - 1, one = UINT64_C(1) << f.mantissa,
             sign = (uint64_t)x.neg << (f.width - 1);
    uint64_t inf = f.has_inf ? top << f.mantissa : (top << f.mantissa) | (one - 1), most = inf - 1;
    uint64_t nan = f.has_inf ? top << f.mantissa | one >> 1 : inf, r;
    if (x.kind == EXACT_NAN) return nan << f.low;
    if (x.kind == EXACT_INF) return (sat ? most | sign : f.has_inf ? inf | sign : nan) << f.low;
    if (!x.m && !x.more) return sign << f.low;
    /* Normalise to mantissa + 1 bits, unless that is below the least exponent. */
    int length = x.m ? 64 - __builtin_clzll(x.m) : 0, least = 1 - f.bias - f.mantissa;
    if (length && length < 62) { /* room below, so that `more` stands under a rounding bit */
        x.m <<= 62 - length;
        x.e -= 62 - length;
        length = 62;
    }
    int drop = length - (f.mantissa + 1);
    if (x.e + drop < least) drop = least - x.e;
    r = drop > 0 ? sim_shift_round(x.m, drop, x.more, x.neg, mode) : x.m << -drop;
    int e = x.e + drop;
    if (r >= one << 1) r >>= 1, e++;
    uint64_t bits = r < one ? r : ((uint64_t)(e - least + 1) << f.mantissa) | (r - one);
    if (r >= one && (e - least + 1 > (int)top || bits > most)) {
        bool to_inf = mode == 0 || (mode == 2 && x.neg) || (mode == 3 && !x.neg);
        bits = sat || !to_inf ? most : inf;
        if (bits == inf && !f.has_inf) return nan << f.low;
    }
    return (bits | sign) << f.low;
}

static inline SimExact sim_exact_int(uint64_t x, bool is_signed)
{
    bool neg = is_signed && (int64_t)x < 0;
    return (SimExact){EXACT_NUMBER, neg, false, neg ? 0 - x : x, 0};
}

/* To an integer of `bits` bits, clamped; NaN gives 0. */
static inline uint64_t sim_round_int(SimExact x, int bits, bool is_signed, int mode)
{
    uint64_t most = is_signed ? (UINT64_C(1) << (bits - 1)) - 1 : bits == 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
    uint64_t least = is_signed ? UINT64_C(1) << (bits - 1) : 0, m; /* least: as a magnitude */
    if (x.kind == EXACT_NAN) return 0;
    bool huge = x.kind == EXACT_INF || (x.m && x.e > 0 && (x.e > 63 || x.m >> (64 - x.e)));
    if (huge)
        m = ~UINT64_C(0);
    else
        m = x.e >= 0           ? x.m << x.e
            : x.e < -64 && x.m ? sim_shift_round(1, 66, true, x.neg, mode)
                               : sim_shift_round(x.m, -x.e, x.more, x.neg, mode);
    if (x.neg) return m > least ? 0 - least : 0 - m;
    return m > most ? most : m;
}

/* ---- special functions (special.c)
 * ------------------------------------------------------------------------------------- */
float sim_ex2(float x);
float sim_lg2(float x);
float sim_sin(float x);
float sim_cos(float x);
float sim_tanh(float x);

#endif
