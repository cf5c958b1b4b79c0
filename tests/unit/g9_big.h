/* g9_big: exact numbers for models of arithmetic: fixed point, wide enough for sums and products of all f64. */
#ifndef TCC_TESTS_G9_BIG_H
#define TCC_TESTS_G9_BIG_H

#include "isa/isa.h"

#include <string.h>

enum { BIG_WORDS = 140, BIG_POINT = 70 * 32 }; /* bit BIG_POINT is worth 1 */

typedef struct Big {
    bool neg;
    uint32_t w[BIG_WORDS];
} Big;

static inline Big big_of(bool neg, uint64_t m, int e) /* m 2^e */
{
    Big x = {.neg = neg};
    int at = BIG_POINT + e;
    for (int i = 0; i < 64; i++)
        if (m >> i & 1) x.w[(at + i) / 32] |= 1u << (at + i) % 32;
    return x;
}
static inline int big_compare_sizes(const Big *a, const Big *b)
{
    for (int i = BIG_WORDS - 1; i >= 0; i--)
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}
static inline bool big_zero(const Big *a)
{
    for (int i = 0; i < BIG_WORDS; i++)
        if (a->w[i]) return false;
    return true;
}
static inline Big big_add(const Big *a, const Big *b)
{
    Big r = *a;
    int64_t carry = 0;
    if (a->neg != b->neg && big_compare_sizes(a, b) < 0) return big_add(b, a);
    for (int i = 0; i < BIG_WORDS; i++) {
        carry += a->neg == b->neg ? (int64_t)a->w[i] + b->w[i] : (int64_t)a->w[i] - b->w[i];
        r.w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return r;
}
static inline Big big_mul(const Big *a, const Big *b)
{
    static uint32_t t[2 * BIG_WORDS];
    memset(t, 0, sizeof t);
    for (int i = 0; i < BIG_WORDS; i++) {
        uint64_t carry = 0;
        if (!a->w[i]) continue;
        for (int j = 0; j < BIG_WORDS; j++) {
            carry += (uint64_t)a->w[i] * b->w[j] + t[i + j];
            t[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        t[i + BIG_WORDS] = (uint32_t)carry;
    }
    Big r = {.neg = a->neg != b->neg};
    memcpy(r.w, t + BIG_POINT / 32, sizeof r.w);
    return r;
}

/* ---- floating-point formats, by their definition ----------------------------------------------------------------- */

typedef struct Format {
    int width, fraction, bias;
    bool inf;
    int low; /* unused bits below */
} Format;
static inline Format format_of(int t)
{
    switch (t) {
    case IT_F64: return (Format){64, 52, 1023, true, 0};
    case IT_F32: return (Format){32, 23, 127, true, 0};
    case IT_TF32: return (Format){19, 10, 127, true, 13};
    case IT_F16:
    case IT_F16X2: return (Format){16, 10, 15, true, 0};
    case IT_BF16:
    case IT_BF16X2: return (Format){16, 7, 127, true, 0};
    case IT_E4M3: return (Format){8, 3, 7, false, 0};
    default: return (Format){8, 2, 15, true, 0};
    }
}

enum { IS_NUMBER, IS_INF, IS_NAN };
/* The meaning of bits: sign, exponent and fraction as they are defined. */
static inline int meaning(int t, uint64_t bits, Big *out)
{
    Format f = format_of(t);
    bits >>= f.low;
    bool neg = bits >> (f.width - 1) & 1;
    uint64_t top = (UINT64_C(1) << (f.width - 1 - f.fraction)) - 1, e = bits >> f.fraction & top,
             m = bits & ((UINT64_C(1) << f.fraction) - 1);
    *out = (Big){.neg = neg};
    if (f.inf && e == top) return m ? IS_NAN : IS_INF;
    if (!f.inf && e == top && m == (UINT64_C(1) << f.fraction) - 1) return IS_NAN;
    *out = e ? big_of(neg, m | UINT64_C(1) << f.fraction, (int)e - f.bias - f.fraction)
             : big_of(neg, m, 1 - f.bias - f.fraction);
    return IS_NUMBER;
}
static inline uint64_t nan_of(int t)
{
    Format f = format_of(t);
    uint64_t all = (UINT64_C(1) << (f.width - 1)) - 1, fraction = (UINT64_C(1) << f.fraction) - 1;
    return (f.inf ? (all & ~fraction) | (fraction + 1) >> 1 : all) << f.low;
}
static inline uint64_t inf_of(int t, bool neg)
{
    Format f = format_of(t);
    uint64_t all = (UINT64_C(1) << (f.width - 1)) - 1, fraction = (UINT64_C(1) << f.fraction) - 1;
    if (!f.inf) return nan_of(t);
    return ((all & ~fraction) | (uint64_t)neg << (f.width - 1)) << f.low;
}
static inline uint64_t most_of(int t, bool neg)
{
    Format f = format_of(t);
    uint64_t fraction = (UINT64_C(1) << f.fraction) - 1, all = (UINT64_C(1) << (f.width - 1)) - 1;
    return ((f.inf ? (all & ~fraction) - 1 : all - 1) | (uint64_t)neg << (f.width - 1)) << f.low;
}

/* Rounds a number to a format: of the two neighbours, the one that the mode (0 nearest even, 1 zero, 2 down, 3 up)
 * says. */
static inline uint64_t big_round(int t, const Big *x, int mode, bool sat)
{
    Format f = format_of(t);
    uint64_t sign = (uint64_t)x->neg << (f.width - 1);
    int top = BIG_WORDS * 32 - 1;
    while (top >= 0 && !(x->w[top / 32] >> top % 32 & 1)) top--;
    if (top < 0) return sign << f.low;
    int unit = top - f.fraction, least = BIG_POINT + 1 - f.bias - f.fraction; /* the bit that the last place is worth */
    if (unit < least) unit = least;
    uint64_t m = 0;
    for (int i = top; i >= unit; i--) m = m << 1 | (x->w[i / 32] >> i % 32 & 1);
    bool half = x->w[(unit - 1) / 32] >> (unit - 1) % 32 & 1, more = false;
    for (int i = 0; i < unit - 1 && !more; i++) more = x->w[i / 32] >> i % 32 & 1;
    bool up = mode == 0   ? half && (more || (m & 1))
              : mode == 1 ? false
              : mode == 2 ? x->neg && (half || more)
                          : !x->neg && (half || more);
    /* The bits of neighbours are neighbours as integers, across binades too. */
    uint64_t e = (uint64_t)(unit - least), one = UINT64_C(1) << f.fraction,
             bits = m < one ? m : ((e + 1) << f.fraction) + (m - one);
    bits += up;
    uint64_t most = most_of(t, false) >> f.low;
    if (bits > most || e + 1 >= UINT64_C(1) << (f.width - 1 - f.fraction)) {
        bool away = mode == 0 || (mode == 2 && x->neg) || (mode == 3 && !x->neg);
        if (!sat && away) return f.inf ? inf_of(t, x->neg) : nan_of(t);
        bits = most;
    }
    return (bits | sign) << f.low;
}

/* To an integer of so many bits, clamped. */
static inline uint64_t big_integer(const Big *x, int bits, bool is_signed, int mode)
{
    unsigned __int128 m = 0;
    for (int i = BIG_POINT + 95; i >= BIG_POINT; i--) m = m << 1 | (x->w[i / 32] >> i % 32 & 1);
    bool huge = false, half = x->w[(BIG_POINT - 1) / 32] >> 31, more = false;
    for (int i = BIG_POINT + 96; i < BIG_WORDS * 32; i++) huge |= x->w[i / 32] >> i % 32 & 1;
    for (int i = 0; i < BIG_POINT - 1 && !more; i++) more = x->w[i / 32] >> i % 32 & 1;
    m += mode == 0   ? half && (more || (m & 1))
         : mode == 1 ? 0
         : mode == 2 ? x->neg && (half || more)
                     : !x->neg && (half || more);
    unsigned __int128 most = ((unsigned __int128)1 << (is_signed ? bits - 1 : bits)) - 1,
                      least = is_signed ? most + 1 : 0;
    if (x->neg) return huge || m > least ? (uint64_t)(0 - least) : (uint64_t)(0 - m);
    return huge || m > most ? (uint64_t)most : (uint64_t)m;
}

#endif
