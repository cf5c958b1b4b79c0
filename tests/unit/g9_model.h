/* g9_model: what each arithmetic, conversion, move and predicate instruction means for one lane, written from the
 * table's words, slowly, with exact numbers. Shares nothing with the simulator. */
#ifndef TCC_TESTS_G9_MODEL_H
#define TCC_TESTS_G9_MODEL_H

#include "tests/unit/g9_big.h"

#include <math.h>

typedef struct ModelLane { /* in: operands with their signs applied; out: results */
    uint64_t a, b, c, d;
    bool s, t;   /* source predicates */
    bool pd, pe; /* results */
    bool has_d, has_pd, has_pe;
    bool near; /* d need only be within one unit in the last place */
} ModelLane;

static inline bool model_wide(int t) { return isa_type[t].bits == 64; }
static inline bool model_signed(int t) { return isa_type[t].cls == 'I'; }

/* The low bits of x as a number of the type, in 128 bits. */
static inline __int128 model_int(int t, uint64_t x)
{
    int bits = isa_type[t].bits;
    unsigned __int128 m = x & (bits == 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1);
    bool neg = model_signed(t) && (m >> (bits - 1) & 1);
    return (__int128)m - (neg ? (__int128)1 << bits : 0);
}
static inline __int128 model_least(int t) { return model_signed(t) ? -((__int128)1 << (isa_type[t].bits - 1)) : 0; }
static inline __int128 model_most(int t) { return ((__int128)1 << (isa_type[t].bits - model_signed(t))) - 1; }
static inline __int128 model_clamp(int t, __int128 x)
{
    return x < model_least(t) ? model_least(t) : x > model_most(t) ? model_most(t) : x;
}

/* ---- floats
 * ----------------------------------------------------------------------------------------------------------- */

static inline uint64_t model_sum(int t, const Big *x, const Big *y, int mode)
{
    Big s = big_add(x, y);
    if (big_zero(&s)) s.neg = big_zero(x) && x->neg == y->neg ? x->neg : mode == 2;
    return big_round(t, &s, mode, false);
}

static inline uint64_t model_fma(int from, int t, uint64_t a, uint64_t b, uint64_t c, int mode)
{
    Big x, y, z;
    int kx = meaning(from, a, &x), ky = meaning(from, b, &y), kz = meaning(from, c, &z);
    bool neg = x.neg != y.neg;
    if (kx == IS_NAN || ky == IS_NAN || kz == IS_NAN) return nan_of(t);
    if (kx == IS_INF || ky == IS_INF) {
        bool zero = (kx == IS_NUMBER && big_zero(&x)) || (ky == IS_NUMBER && big_zero(&y));
        return zero || (kz == IS_INF && z.neg != neg) ? nan_of(t) : inf_of(t, neg);
    }
    if (kz == IS_INF) return inf_of(t, z.neg);
    Big p = big_mul(&x, &y);
    return model_sum(t, &p, &z, mode);
}
static inline uint64_t model_mul(int from, int t, uint64_t a, uint64_t b, int mode)
{
    Big x, y;
    int kx = meaning(from, a, &x), ky = meaning(from, b, &y);
    bool neg = x.neg != y.neg, zero = (kx == IS_NUMBER && big_zero(&x)) || (ky == IS_NUMBER && big_zero(&y));
    if (kx == IS_NAN || ky == IS_NAN || ((kx == IS_INF || ky == IS_INF) && zero)) return nan_of(t);
    if (kx == IS_INF || ky == IS_INF) return inf_of(t, neg);
    Big p = big_mul(&x, &y);
    return big_round(t, &p, mode, false);
}
static inline uint64_t model_add(int from, int t, uint64_t a, uint64_t b, int mode)
{
    Big x, y;
    int kx = meaning(from, a, &x), ky = meaning(from, b, &y);
    if (kx == IS_NAN || ky == IS_NAN || (kx == IS_INF && ky == IS_INF && x.neg != y.neg)) return nan_of(t);
    if (kx == IS_INF || ky == IS_INF) return inf_of(t, kx == IS_INF ? x.neg : y.neg);
    return model_sum(t, &x, &y, mode);
}
/* -1 less, 0 equal, 1 more, 2: one is NaN. Zeros are equal. */
static inline int model_compare(int t, uint64_t a, uint64_t b)
{
    Big x, y;
    int kx = meaning(t, a, &x), ky = meaning(t, b, &y);
    if (kx == IS_NAN || ky == IS_NAN) return 2;
    int sx = kx == IS_INF ? 2 : !big_zero(&x), sy = ky == IS_INF ? 2 : !big_zero(&y);
    if (x.neg) sx = -sx;
    if (y.neg) sy = -sy;
    if (sx != sy) return sx < sy ? -1 : 1;
    int c = sx == 1 || sx == -1 ? big_compare_sizes(&x, &y) : 0;
    return x.neg ? -c : c;
}
static inline uint64_t model_min_max(int t, uint64_t a, uint64_t b, bool max, bool nans)
{
    Big x, y;
    bool na = meaning(t, a, &x) == IS_NAN, nb = meaning(t, b, &y) == IS_NAN;
    if (na || nb) return nans || (na && nb) ? nan_of(t) : na ? b : a;
    int c = model_compare(t, a, b);
    if (c == 0) c = x.neg == y.neg ? 0 : x.neg ? -1 : 1;
    return (c <= 0) != max ? a : b;
}
/* The quotient: the candidate whose error |a - q b| is the least; q starts from the host's division. */
static inline uint64_t model_next(uint64_t q, int by) { return q + (uint64_t)(int64_t)by; }
static inline uint64_t model_div(int t, uint64_t a, uint64_t b, uint64_t host)
{
    Big x, y, best = {0};
    int kx = meaning(t, a, &x), ky = meaning(t, b, &y);
    bool neg = x.neg != y.neg;
    uint64_t zero = (uint64_t)neg << (format_of(t).width - 1), q = host;
    if (kx == IS_NAN || ky == IS_NAN || (kx == IS_INF && ky == IS_INF)) return nan_of(t);
    if (kx == IS_INF) return inf_of(t, neg);
    if (ky == IS_INF) return zero;
    if (big_zero(&y)) return big_zero(&x) ? nan_of(t) : inf_of(t, neg);
    if (big_zero(&x)) return zero;
    bool found = false;
    if (meaning(t, host, &best) == IS_INF) { /* right when |a| >= |b| (greatest + half a unit) */
        Format f = format_of(t);
        Big limit = big_of(false, (UINT64_C(4) << f.fraction) - 1, f.bias - f.fraction - 1), p = big_mul(&y, &limit);
        return big_compare_sizes(&x, &p) >= 0 ? inf_of(t, neg) : most_of(t, neg);
    }
    for (int by = -1; by <= 1; by++) {
        Big z, p;
        uint64_t near = model_next(host, by);
        if (meaning(t, near, &z) != IS_NUMBER) continue;
        if (z.neg != neg) continue;
        p = big_mul(&z, &y);
        p.neg = !p.neg;
        Big e = big_add(&x, &p);
        int c = found ? big_compare_sizes(&e, &best) : -1;
        if (c < 0 || (c == 0 && !(near & 1))) best = e, q = near;
        found = true;
    }
    return found ? q : host;
}
/* The root: (q - half a unit)^2 < a < (q + half a unit)^2. */
static inline uint64_t model_sqrt(int t, uint64_t a, uint64_t host)
{
    Big x;
    int k = meaning(t, a, &x);
    if (k == IS_NAN) return nan_of(t);
    if (k == IS_NUMBER && big_zero(&x)) return a;
    if (x.neg) return nan_of(t);
    if (k == IS_INF) return a;
    for (int by = -1; by <= 1; by++) {
        Big q, lo, hi, half = big_of(false, 1, -1);
        meaning(t, model_next(host, by), &q);
        meaning(t, model_next(host, by - 1), &lo);
        meaning(t, model_next(host, by + 1), &hi);
        lo = big_add(&q, &lo), lo = big_mul(&lo, &half), lo = big_mul(&lo, &lo);
        hi = big_add(&q, &hi), hi = big_mul(&hi, &half), hi = big_mul(&hi, &hi);
        if (big_compare_sizes(&lo, &x) <= 0 && big_compare_sizes(&x, &hi) <= 0) return model_next(host, by);
    }
    return ~UINT64_C(0);
}

static inline uint64_t model_bits(int t, double x)
{
    uint64_t u = 0;
    float f = (float)x;
    if (t == IT_F64)
        memcpy(&u, &x, 8);
    else
        memcpy(&u, &f, 4);
    return u;
}
static inline double model_value(int t, uint64_t bits)
{
    double x;
    float f;
    uint32_t low = (uint32_t)bits;
    memcpy(&x, &bits, 8);
    memcpy(&f, &low, 4);
    return t == IT_F64 ? x : (double)f;
}
static inline uint64_t model_canonical(int t, uint64_t x)
{
    Big b;
    return meaning(t, x, &b) == IS_NAN ? nan_of(t) : x;
}
static inline uint64_t model_flush(int t, bool ftz, uint64_t x)
{
    return ftz && t == IT_F32 && !(x & 0x7f800000) ? x & 0x80000000 : x;
}
static inline uint64_t model_clamped(int t, int clamp, uint64_t x)
{
    Big b;
    if (!clamp) return x;
    if (meaning(t, x, &b) == IS_NAN || b.neg) return 0;
    uint64_t one = (uint64_t)format_of(t).bias << format_of(t).fraction;
    return clamp == 1 && model_compare(t, x, one) > 0 ? one : x;
}

static inline uint64_t model_float(const IsaInst *in, int t, uint64_t a, uint64_t b, uint64_t c)
{
    int mode = isa_mod_of(in, IG_ROUND), clamp = isa_mod_of(in, IG_CLAMP), half = t == IT_F16 || t == IT_BF16,
        to = half ? IT_F32 : t;
    bool ftz = isa_mod_of(in, IG_FTZ);
    uint64_t r = 0;
    a = model_flush(t, ftz, a), b = model_flush(t, ftz, b), c = model_flush(t, ftz, c);
    switch (in->op) {
    case G9_FADD: r = model_add(t, to, a, b, mode); break;
    case G9_FMUL: r = model_mul(t, to, a, b, mode); break;
    case G9_FFMA: r = model_fma(t, to, a, b, c, mode); break;
    case G9_FMIN:
    case G9_FMAX: return model_flush(t, ftz, model_min_max(t, a, b, in->op == G9_FMAX, isa_mod_of(in, IG_NANS)));
    case G9_RCP:
        r = model_div(t, model_bits(t, 1), a,
                      model_bits(t, t == IT_F64 ? 1 / model_value(t, a) : (double)(1 / (float)model_value(t, a))));
        break;
    case G9_FDIV:
        r = model_div(t, a, b,
                      model_bits(t, t == IT_F64 ? model_value(t, a) / model_value(t, b)
                                                : (double)((float)model_value(t, a) / (float)model_value(t, b))));
        break;
    case G9_SQRT: r = model_sqrt(t, a, model_bits(t, sqrt(model_value(t, a)))); break;
    case G9_RSQRT: r = model_canonical(t, model_bits(t, 1 / sqrt(model_value(t, a)))); break;
    default: break;
    }
    if (half) { /* the second rounding */
        Big x;
        int k = meaning(IT_F32, r, &x);
        r = k == IS_NAN ? nan_of(t) : k == IS_INF ? inf_of(t, x.neg) : big_round(t, &x, 0, false);
    }
    return model_clamped(t, clamp, model_flush(t, ftz, r));
}

/* ---- conversions
 * -------------------------------------------------------------------------------------------------------- */

static inline uint64_t model_convert(int to, int from, uint64_t x, int mode, bool sat)
{
    bool ff = isa_type[from].cls == 'F', tf = isa_type[to].cls == 'F';
    Big b;
    int kind = IS_NUMBER;
    __int128 i = 0;
    if (ff) {
        kind = meaning(from, x, &b);
    } else {
        i = model_int(from, x);
        b = big_of(i < 0, (uint64_t)(i < 0 ? -i : i), 0);
    }
    if (tf) {
        if (kind == IS_NAN) return nan_of(to);
        if (kind == IS_INF) return sat ? most_of(to, b.neg) : inf_of(to, b.neg);
        return big_round(to, &b, mode, sat);
    }
    if (!ff) return (uint64_t)model_int(to, (uint64_t)(sat ? model_clamp(to, i) : i));
    if (kind == IS_NAN) return 0;
    if (kind == IS_INF) return (uint64_t)(b.neg ? model_least(to) : model_most(to));
    return (uint64_t)model_int(to, big_integer(&b, isa_type[to].bits, model_signed(to), mode));
}

static inline uint64_t model_round_integral(int t, uint64_t a, int mode)
{
    Big x;
    int k = meaning(t, a, &x);
    if (k == IS_NAN) return nan_of(t);
    if (k == IS_INF || format_of(t).bias + format_of(t).fraction <=
                           (int)((a >> format_of(t).fraction) &
                                 ((UINT64_C(1) << (format_of(t).width - 1 - format_of(t).fraction)) - 1)))
        return a; /* no fraction bits */
    bool neg = x.neg;
    uint64_t n = big_integer(&x, 64, true, mode);
    Big r = big_of(neg, neg ? 0 - n : n, 0);
    return big_round(t, &r, 0, false);
}

/* ---- instructions
 * --------------------------------------------------------------------------------------------------------- */

static inline uint64_t model_halves(const IsaInst *in, const ModelLane *l, int t)
{
    uint64_t r = 0;
    int half = t == IT_F16X2 ? IT_F16 : IT_BF16;
    for (int k = 0; k < 32; k += 16)
        r |= (model_float(in, half, l->a >> k & 0xffff, l->b >> k & 0xffff, l->c >> k & 0xffff) & 0xffff) << k;
    return r;
}

static inline uint64_t model_integer(const IsaInst *in, int t, const ModelLane *l)
{
    __int128 a = model_int(t, l->a), b = model_int(t, l->b), c = model_int(t, l->c);
    bool hi = isa_mod_of(in, IG_PART);
    int bits = isa_type[t].bits;
    switch (in->op) {
    case G9_IADD3:
    case G9_UADD3: return (uint64_t)(isa_mod_of(in, IG_SAT) ? model_clamp(t, a + b + c) : a + b + c);
    case G9_IMUL:
    case G9_IMAD:
    case G9_UMAD: {
        unsigned __int128 p = (unsigned __int128)a * (unsigned __int128)b;
        if (hi) p = model_signed(t) ? (unsigned __int128)((__int128)p >> bits) : p >> bits;
        return (uint64_t)(p + (in->op == G9_IMUL ? 0 : (unsigned __int128)c));
    }
    case G9_IMIN:
    case G9_UMIN: return (uint64_t)(a < b ? a : b);
    case G9_IMAX:
    case G9_UMAX: return (uint64_t)(a > b ? a : b);
    default: return (uint64_t)(a < 0 ? -a : a); /* IABS */
    }
}

static inline uint64_t model_integers(const IsaInst *in, int t, const ModelLane *l)
{
    if (!isa_is_x2(t)) return model_integer(in, t, l);
    uint64_t r = 0;
    for (int k = 0; k < 32; k += 16) {
        ModelLane h = {.a = l->a >> k, .b = l->b >> k, .c = l->c >> k};
        r |= (model_integer(in, t == IT_S16X2 ? IT_S16 : IT_U16, &h) & 0xffff) << k;
    }
    return r;
}

static inline int model_bit(uint64_t x, int width, int i, bool is_signed)
{
    return i < width ? (int)(x >> i & 1) : is_signed ? (int)(x >> (width - 1) & 1) : 0;
}

static inline bool model_holds(int cmp, int order) /* order -1 0 1; 2: NaN */
{
    bool u = order == 2;
    switch (cmp) {
    case 0: return order == 0;
    case 1: return !u && order != 0;
    case 2: return order == -1;
    case 3: return order == -1 || order == 0;
    case 4: return order == 1;
    case 5: return order == 1 || order == 0;
    case 6: return u || order == 0;
    case 7: return u || order != 0;
    case 8: return u || order == -1;
    case 9: return u || order == -1 || order == 0;
    case 10: return u || order == 1;
    case 11: return u || order == 1 || order == 0;
    case 12: return !u;
    default: return u;
    }
}
static inline bool model_join(int how, bool x, bool y) { return how == 0 ? x && y : how == 1 ? x || y : x != y; }

/* False: no instruction of one lane, or one without a model here. */
static inline bool model_run(const IsaInst *in, ModelLane *l)
{
    int t = isa_type_of(in, 0), u = isa_type_of(in, 1), w = t < 0 ? 32 : isa_type[t].bits;
    int mode = isa_mod_of(in, IG_ROUND);
    bool ftz = isa_mod_of(in, IG_FTZ);
    uint64_t a = l->a, b = l->b, c = l->c, d = 0;
    uint32_t n = (uint32_t)b;
    l->has_d = true;
    switch (in->op) {
    case G9_IADD3:
    case G9_UADD3:
    case G9_IMUL:
    case G9_IMAD:
    case G9_UMAD:
    case G9_IMIN:
    case G9_IMAX:
    case G9_UMIN:
    case G9_UMAX:
    case G9_IABS: d = model_integers(in, t, l); break;
    case G9_IMULW: d = (uint64_t)(model_int(t, a) * model_int(t, b)); break;
    case G9_IMADW:
    case G9_UMADW: d = (uint64_t)(model_int(t, a) * model_int(t, b)) + c; break;
    case G9_DOT4:
        d = c;
        for (int k = 0; k < 4; k++) d += (uint64_t)(model_int(t, a >> 8 * k) * model_int(u, b >> 8 * k));
        break;
    case G9_SHL:
    case G9_USHL: d = n < (uint32_t)w ? a << n : 0; break;
    case G9_SHR:
    case G9_USHR:
        for (int i = 0; i < w; i++) d |= (uint64_t)model_bit(a, w, n < 64 ? i + (int)n : 64, model_signed(t)) << i;
        break;
    case G9_SHF:
        for (int i = 0; i < 32; i++) {
            int k = in->mod[0] ? i + (int)(n & 31) : i + 32 - (int)(n & 31);
            d |= (uint64_t)((a | c << 32) >> k & 1) << i;
        }
        break;
    case G9_LOP3:
    case G9_ULOP3:
        for (int i = 0; i < w; i++)
            d |= (uint64_t)(in->number >> ((a >> i & 1) * 4 + (b >> i & 1) * 2 + (c >> i & 1)) & 1) << i;
        break;
    case G9_POPC:
        for (int i = 0; i < w; i++) d += a >> i & 1;
        break;
    case G9_CLZ:
        for (int i = w - 1; i >= 0 && !(a >> i & 1); i--) d++;
        break;
    case G9_BREV:
        for (int i = 0; i < w; i++) d |= (a >> i & 1) << (w - 1 - i);
        break;
    case G9_BFE: {
        int p = (int)(n & 255), count = (int)(n >> 8 & 255);
        for (int i = 0; i < 32 && count; i++)
            d |= (uint64_t)model_bit(a, 32, p + (i < count ? i : count - 1), t == IT_S32) << i &
                 (t == IT_S32 || i < count ? ~UINT64_C(0) : 0);
        break;
    }
    case G9_BFI: {
        int p = (int)(n & 255), count = (int)(n >> 8 & 255);
        for (int i = 0; i < 32; i++) d |= (i >= p && i < p + count ? a >> (i - p) & 1 : c >> i & 1) << i;
        break;
    }
    case G9_LEA:
    case G9_ULEA:
        d = b + ((t == IT_U32 ? a : (uint64_t)model_int(t == IT_S64 ? IT_S32 : IT_U32, a)) << in->number);
        break;
    case G9_MOV:
    case G9_UMOV: d = a; break;
    case G9_SEL: d = l->s ? a : b; break;
    case G9_PRMT:
        for (int k = 0; k < 4; k++) {
            int s = (int)(b >> 4 * k & 15);
            uint64_t byte = (a | c << 32) >> 8 * (s & 7) & 255;
            d |= (s & 8 ? (byte & 128 ? 255u : 0u) : byte) << 8 * k;
        }
        break;
    case G9_FADD:
    case G9_FMUL:
    case G9_FFMA:
    case G9_FMIN:
    case G9_FMAX:
    case G9_RCP:
    case G9_SQRT:
    case G9_RSQRT:
    case G9_FDIV: d = isa_is_x2(t) ? model_halves(in, l, t) : model_float(in, t, a, b, c); break;
    case G9_FABS: d = a & (isa_is_x2(t) ? 0x7fff7fff : (UINT64_C(1) << (w - 1)) - 1); break;
    case G9_FNEG: d = a ^ (isa_is_x2(t) ? 0x80008000 : UINT64_C(1) << (w - 1)); break;
    case G9_EX2:
    case G9_LG2:
    case G9_SIN:
    case G9_COS:
    case G9_TANH: {
        double x = model_value(IT_F32, model_flush(IT_F32, ftz, a));
        double y = in->op == G9_EX2   ? exp2(x)
                   : in->op == G9_LG2 ? log2(x)
                   : in->op == G9_SIN ? sin(x)
                   : in->op == G9_COS ? cos(x)
                                      : tanh(x);
        d = model_flush(IT_F32, ftz, model_canonical(IT_F32, model_bits(IT_F32, y)));
        l->near = true;
        break;
    }
    case G9_FRND: d = model_round_integral(t, a, mode); break;
    case G9_CVT: d = model_convert(t, u, a, mode, in->mod[3]); break;
    case G9_PACK: {
        uint64_t mask = (UINT64_C(1) << w) - 1;
        d = (model_convert(t, u, a, mode, in->mod[3]) & mask) | (model_convert(t, u, b, mode, in->mod[3]) & mask) << w;
        if (w < 16) d |= c << 2 * w;
        break;
    }
    case G9_UNPACK:
        d = model_convert(t, u, a >> in->number * isa_type[u].bits & ((UINT64_C(1) << isa_type[u].bits) - 1), 0, false);
        break;
    case G9_ISETP:
    case G9_USETP:
    case G9_FSETP: {
        int order;
        if (in->op == G9_FSETP)
            order = model_compare(t, model_flush(t, ftz, a), model_flush(t, ftz, b));
        else
            order = model_int(t, a) < model_int(t, b) ? -1 : model_int(t, a) > model_int(t, b);
        bool x = model_holds(in->mod[0], order);
        l->has_d = false;
        l->has_pd = true;
        l->has_pe = in->op != G9_USETP;
        l->pd = in->op == G9_USETP ? x : model_join(isa_mod_of(in, IG_JOIN), x, l->s);
        l->pe = model_join(isa_mod_of(in, IG_JOIN), !x, l->s);
        break;
    }
    case G9_FSETP2:
        l->has_d = false;
        l->has_pd = l->has_pe = true;
        l->pd = model_holds(in->mod[0], model_compare(t == IT_F16X2 ? IT_F16 : IT_BF16, a & 0xffff, b & 0xffff));
        l->pe = model_holds(in->mod[0],
                            model_compare(t == IT_F16X2 ? IT_F16 : IT_BF16, a >> 16 & 0xffff, b >> 16 & 0xffff));
        break;
    case G9_PLOP:
        l->has_d = false;
        l->has_pd = true;
        l->pd = model_join(in->mod[0], l->s, l->t);
        break;
    default: return false;
    }
    l->d = d;
    return true;
}

#endif
