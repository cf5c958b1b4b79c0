/* num_priv: the arithmetic of single held values, as inline functions that num.c (scalars) and num_lanes.h (arrays,
 * compiled once per instruction set) both expand, so that the two cannot differ.
 *
 * Everything here is branch-free where a loop over it should vectorise. Needs -ffp-contract=off. */
#ifndef TCC_IR_NUM_PRIV_H
#define TCC_IR_NUM_PRIV_H

#include "ir/num.h"

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

/* ---- small floats: how each is laid out ------------------------------------------------------------------------
 * A format has `m` mantissa bits below the leading one and is narrower than f32 in range when `emin` > -126. */
typedef struct SmallFloat {
    int m, emin;
    uint32_t over; /* bits of the least |f32| that overflows */
    uint32_t huge; /* stored bits that overflow gives: inf, or f8e4m3's NaN */
    uint32_t nan;  /* stored bits of a quiet NaN */
    int width;
} SmallFloat;

/* 65520, 61440: halfway between the greatest value, which is odd, and what would follow it. f8e4m3: 464 is halfway
 * between 448, which is even, and 480, whose bits mean NaN; so 464 is still 448 and the next float overflows. */
#define SMALL_FLOATS(X)                                                                                                \
    X(TF32, 10, -126, 0x7f7ff000u, 0x7f800000u, 0x7fc00000u, 32)                                                       \
    X(F16, 10, -14, 0x477ff000u, 0x7c00u, 0x7e00u, 16)                                                                 \
    X(BF16, 7, -126, 0x7f7f8000u, 0x7f80u, 0x7fc0u, 16)                                                                \
    X(F8E4M3, 3, -6, 0x43e80001u, 0x7fu, 0x7fu, 8)                                                                     \
    X(F8E5M2, 2, -14, 0x47700000u, 0x7cu, 0x7eu, 8)

#define SMALL(T, m, emin, over, huge, nan, width) static const SmallFloat small_##T = {m, emin, over, huge, nan, width};
SMALL_FLOATS(SMALL)
#undef SMALL

/* Stored bits of x rounded to the format: nearest, ties to even. The mantissa is rounded by adding just under half a
 * unit to the bits; below the least normal the unit is fixed, and adding a power of two whose unit it is rounds there.
 */
INLINE uint32_t small_bits(SmallFloat s, float x)
{
    uint32_t u = f32_bits(x), a = u & 0x7fffffffu, cut = 23u - (uint32_t)s.m;
    uint32_t normal = a + ((1u << (cut - 1)) - 1) + ((a >> cut) & 1);
    if (s.width == 32) {
        normal &= ~((1u << cut) - 1);
    } else {
        normal = (normal >> cut) - ((uint32_t)(126 + s.emin) << s.m);
        if (s.emin > -126) {
            uint32_t big = (uint32_t)(127 + s.emin - s.m + 23) << 23, least = (uint32_t)(127 + s.emin) << 23;
            uint32_t sub = f32_bits(bits_f32(a) + bits_f32(big)) - big;
            normal = a < least ? sub : normal;
        }
    }
    uint32_t r = a >= s.over ? s.huge : normal;
    r = a > 0x7f800000u ? s.nan : r;
    return r | (u >> 31) << (s.width - 1);
}

INLINE float small_value(SmallFloat s, uint32_t bits)
{
    if (s.width == 32) return bits_f32(small_bits(s, bits_f32(bits))); /* memory may hold more bits than the type has */
    uint32_t a = bits & ((1u << (s.width - 1)) - 1), sign = (bits >> (s.width - 1) & 1) << 31;
    uint32_t normal = (a << (23 - s.m)) + ((uint32_t)(126 + s.emin) << 23);
    if (s.emin > -126) {
        uint32_t unit = (uint32_t)(127 + s.emin - s.m) << 23, least = 1u << s.m;
        uint32_t sub = f32_bits((float)(int32_t)a * bits_f32(unit));
        normal = a < least ? sub : normal;
        normal = a >= s.huge ? 0x7f800000u : normal;
    }
    normal = a > (s.huge == s.nan ? s.huge - 1 : s.huge) ? 0x7fc00000u : normal;
    return bits_f32(normal | sign);
}

INLINE float small_round(SmallFloat s, float x)
{
    return s.width == 32 ? bits_f32(small_bits(s, x)) : small_value(s, small_bits(s, x));
}

/* double → float rounded to odd: a later rounding to at most 22 bits then equals one rounding of x. */
INLINE float odd_f32(double x)
{
    float f = (float)x;
    uint32_t u = f32_bits(f);
    double g = (double)f;
    uint64_t sign = UINT64_C(1) << 63;
    bool inexact = (g < x) | (g > x), even = !(u & 1), away = (f64_bits(g) & ~sign) > (f64_bits(x) & ~sign);
    u = (inexact & even) ? (away ? u - 1 : u + 1) : u;
    return bits_f32(u);
}

/* Integer → double rounded to odd, for the same reason. */
INLINE double odd_i64(int64_t x, bool is_unsigned)
{
    bool fits = is_unsigned ? !((uint64_t)x >> 53) : x + (INT64_C(1) << 53) >= 0 && x <= INT64_C(1) << 53;
    if (fits) return (double)x;
    int64_t cut = is_unsigned ? (int64_t)((uint64_t)x >> 11) : x >> 11;
    return (double)(cut | ((x & 0x7ff) != 0)) * 2048.0;
}

/* ---- operations on floats: F is f32 or f64 ----------------------------------------------------------------------- */
#define FLOAT_FUNCTIONS(F, T, U, SIGN, SUFFIX)                                                                         \
    INLINE T F##_neg(T a) { return bits_##F(F##_bits(a) ^ (SIGN)); }                                                   \
    INLINE T F##_abs(T a) { return bits_##F(F##_bits(a) & ~(SIGN)); }                                                  \
    /* equal values differ at most in the sign of zero; a + b is NaN when either is */                                 \
    INLINE T F##_max(T a, T b)                                                                                         \
    {                                                                                                                  \
        T same = bits_##F(F##_bits(a) & F##_bits(b)), nan = a + b;                                                     \
        return a > b ? a : (a < b ? b : (a == b ? same : nan));                                                        \
    }                                                                                                                  \
    INLINE T F##_min(T a, T b)                                                                                         \
    {                                                                                                                  \
        T same = bits_##F(F##_bits(a) | F##_bits(b)), nan = a + b;                                                     \
        return a < b ? a : (a > b ? b : (a == b ? same : nan));                                                        \
    }                                                                                                                  \
    INLINE T F##_clamp(T x, T lo, T hi) { return F##_min(F##_max(x, lo), hi); }                                        \
    INLINE T F##_fma(T a, T b, T c) { return __builtin_fma##SUFFIX(a, b, c); }                                         \
    INLINE T F##_floor(T a) { return __builtin_floor##SUFFIX(a); }                                                     \
    INLINE T F##_ceil(T a) { return __builtin_ceil##SUFFIX(a); }                                                       \
    INLINE T F##_rint(T a) { return __builtin_rint##SUFFIX(a); }                                                       \
    INLINE T F##_trunc(T a) { return __builtin_trunc##SUFFIX(a); }                                                     \
    INLINE T F##_sqrt(T a) { return __builtin_sqrt##SUFFIX(a); }
FLOAT_FUNCTIONS(f32, float, uint32_t, 0x80000000u, f)
FLOAT_FUNCTIONS(f64, double, uint64_t, UINT64_C(1) << 63, )
#undef FLOAT_FUNCTIONS

/* X(op, value): a, b, c are the operands. Each list feeds the scalar and the array form. */
#define FLOAT_OPS(X, F)                                                                                                \
    X(ADD, a + b)                                                                                                      \
    X(SUB, a - b)                                                                                                      \
    X(MUL, a *b)                                                                                                       \
    X(DIV, a / b)                                                                                                      \
    X(NEG, F##_neg(a))                                                                                                 \
    X(ABS, F##_abs(a))                                                                                                 \
    X(MIN, F##_min(a, b))                                                                                              \
    X(MAX, F##_max(a, b))                                                                                              \
    X(FMA, F##_fma(a, b, c))                                                                                           \
    X(CLAMP, F##_clamp(a, b, c))                                                                                       \
    X(FLOOR, F##_floor(a))                                                                                             \
    X(CEIL, F##_ceil(a))                                                                                               \
    X(ROUND, F##_rint(a))                                                                                              \
    X(TRUNC, F##_trunc(a))                                                                                             \
    X(SQRT, F##_sqrt(a))

#define FLOAT_COMPARISONS(X)                                                                                           \
    X(EQ, a == b)                                                                                                      \
    X(NE, a != b)                                                                                                      \
    X(LT, a < b)                                                                                                       \
    X(LE, a <= b)                                                                                                      \
    X(GT, a > b)                                                                                                       \
    X(GE, a >= b)

/* ---- integers ----------------------------------------------------------------------------------------------------
 * How an integer type wraps and compares: keep `mask`, extend from `sign` (0: unsigned, and the 64-bit types need
 * nothing); `flip` is the bit to invert so that u64 compares as signed. */
typedef struct IntForm {
    uint64_t mask, sign, flip;
    bool truth; /* u1: any value but 0 is 1 */
} IntForm;

INLINE IntForm int_form(DType t)
{
    int bits = te_type[t].bits;
    bool is_unsigned = te_type[t].cls == 'U';
    IntForm f = {.truth = t == DT_U1};
    f.mask = bits == 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
    f.sign = is_unsigned || bits == 64 ? 0 : UINT64_C(1) << (bits - 1);
    f.flip = is_unsigned && bits == 64 ? UINT64_C(1) << 63 : 0;
    return f;
}

INLINE int64_t int_wrap(IntForm f, uint64_t x)
{
    return f.truth ? x != 0 : (int64_t)(((x & f.mask) ^ f.sign) - f.sign);
}

INLINE bool int_less(IntForm f, int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a ^ f.flip) < (int64_t)((uint64_t)b ^ f.flip);
}

INLINE int64_t int_div(IntForm f, int64_t a, int64_t b)
{
    if (!b) return 0;
    if (f.flip) return (int64_t)((uint64_t)a / (uint64_t)b);
    if (b == -1) return (int64_t)(0 - (uint64_t)a);
    int64_t q = a / b;
    return q - ((a % b != 0) & ((a ^ b) < 0));
}

INLINE int64_t int_mod(IntForm f, int64_t a, int64_t b)
{
    if (!b || b == -1) return f.flip && b ? (int64_t)((uint64_t)a % (uint64_t)b) : 0;
    if (f.flip) return (int64_t)((uint64_t)a % (uint64_t)b);
    int64_t r = a % b;
    return r != 0 && (r ^ b) < 0 ? r + b : r;
}

INLINE int64_t int_min(IntForm f, int64_t a, int64_t b) { return int_less(f, b, a) ? b : a; }
INLINE int64_t int_max(IntForm f, int64_t a, int64_t b) { return int_less(f, a, b) ? b : a; }

/* X(op, value) before wrapping; u(x) is x as uint64_t, so that overflow is defined. DIV and MOD stand apart. */
#define INT_OPS(X)                                                                                                     \
    X(ADD, u(a) + u(b))                                                                                                \
    X(SUB, u(a) - u(b))                                                                                                \
    X(MUL, u(a) * u(b))                                                                                                \
    X(NEG, 0 - u(a))                                                                                                   \
    X(ABS, a < 0 && !form.flip ? 0 - u(a) : u(a))                                                                      \
    X(MIN, u(int_min(form, a, b)))                                                                                     \
    X(MAX, u(int_max(form, a, b)))                                                                                     \
    X(FMA, u(a) * u(b) + u(c))                                                                                         \
    X(CLAMP, u(int_min(form, int_max(form, a, b), c)))                                                                 \
    X(FLOOR, u(a))                                                                                                     \
    X(CEIL, u(a))                                                                                                      \
    X(ROUND, u(a))                                                                                                     \
    X(TRUNC, u(a))

#define INT_COMPARISONS(X)                                                                                             \
    X(EQ, a == b)                                                                                                      \
    X(NE, a != b)                                                                                                      \
    X(LT, int_less(form, a, b))                                                                                        \
    X(LE, !int_less(form, b, a))                                                                                       \
    X(GT, int_less(form, b, a))                                                                                        \
    X(GE, !int_less(form, a, b))                                                                                       \
    X(OR, a != 0 || b != 0)                                                                                            \
    X(AND, a != 0 && b != 0)                                                                                           \
    X(NOT, a == 0)

/* Float → integer: truncated, saturated, NaN gives 0. `lo` and `hi` are the ends of the type as doubles; above 2^62
 * `hi` is one past the end. */
INLINE int64_t int_of_f64(DType t, double x)
{
    IntForm f = int_form(t);
    if (f.truth) return x != 0;
    if (f.mask >> 63) {
        double hi = f.flip ? 18446744073709551616.0 : 9223372036854775808.0, lo = f.flip ? 0 : -9223372036854775808.0;
        if (!(x > lo)) return x == x && !f.flip ? INT64_MIN : 0;
        if (x >= hi) return f.flip ? -1 : INT64_MAX;
        return f.flip ? (int64_t)(uint64_t)x : (int64_t)x;
    }
    double hi = (double)(f.mask >> (f.sign != 0)), lo = -(double)f.sign;
    x = x == x ? x : 0;
    return (int64_t)(x < lo ? lo : x > hi ? hi : x);
}

#endif
