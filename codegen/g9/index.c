/* index: arithmetic of type index. Every value carries the interval that it lies in: where that fits 32 bits, so does
 * the value, in one register extended by its sign; anything else takes two. */
#include "codegen/g9/g9.h"

#include <string.h>

typedef __int128 Wide;

Val g_ranged(Val v, int64_t lo, int64_t hi)
{
    v.lo = lo;
    v.hi = hi;
    return v;
}

static bool fits(Wide lo, Wide hi) { return lo >= INT32_MIN && hi <= INT32_MAX; }

static Val bounded(Val v, Wide lo, Wide hi)
{
    bool known = lo >= INT64_MIN && hi <= INT64_MAX;
    return g_ranged(v, known ? (int64_t)lo : INT64_MIN, known ? (int64_t)hi : INT64_MAX);
}

Val g_wide(G9 *g, Val v)
{
    if (v.width == 2 || v.kind == V_IMM) {
        v.width = 2;
        return v;
    }
    Val r = g_gen3(g, OP(G9_LEA, IT_S64), v, g_imm(0), g_imm(0));
    return g_ranged(r, v.lo, v.hi);
}

Val g_narrow(G9 *g, Val v)
{
    (void)g;
    Val r = g_half(v, 0);
    return g_ranged(r, v.lo, v.hi);
}

/* Both in the width of the result and of each other. */
static int settle(G9 *g, Val *a, Val *b, bool narrow)
{
    narrow = narrow && a->width == 1 && b->width == 1;
    if (narrow) return 1;
    *a = g_wide(g, *a);
    *b = g_wide(g, *b);
    return 2;
}

static Val add(G9 *g, Val a, Val b, bool minus)
{
    Wide lo = minus ? (Wide)a.lo - b.hi : (Wide)a.lo + b.lo, hi = minus ? (Wide)a.hi - b.lo : (Wide)a.hi + b.hi;
    int64_t x, y;
    bool ka = g_known(a, &x), kb = g_known(b, &y);
    if (ka && kb) return g_imm((int64_t)(minus ? (uint64_t)x - (uint64_t)y : (uint64_t)x + (uint64_t)y));
    if (kb && y == 0) return a;
    if (ka && x == 0 && !minus) return b;
    if (kb && minus && y != INT64_MIN) {
        b = g_imm(-y);
        minus = false;
    }
    if (ka && !minus) {
        Val t = a;
        a = b, b = t;
    }
    int w = settle(g, &a, &b, fits(lo, hi));
    Op o = {.op = G9_IADD3, .mod = {w == 2 ? IT_S64 : IT_S32}, .flag = minus ? NEG_B : 0};
    return bounded(g_gen3(g, o, a, b, g_imm(0)), lo, hi);
}

static Val multiply(G9 *g, Val a, Val b)
{
    Wide v[4] = {(Wide)a.lo * b.lo, (Wide)a.lo * b.hi, (Wide)a.hi * b.lo, (Wide)a.hi * b.hi}, lo = v[0], hi = v[0];
    for (int i = 1; i < 4; i++) {
        if (v[i] < lo) lo = v[i];
        if (v[i] > hi) hi = v[i];
    }
    int64_t x, y;
    bool ka = g_known(a, &x), kb = g_known(b, &y);
    if (ka && kb) return g_imm((int64_t)((uint64_t)x * (uint64_t)y));
    if (ka) {
        Val t = a;
        a = b, b = t;
        y = x;
        kb = true;
    }
    if (kb && y == 0) return g_imm(0);
    if (kb && y == 1) return a;
    if (!fits(lo, hi) && a.width == 1 && b.width == 1) return bounded(g_gen2(g, OP(G9_IMULW, IT_S32), a, b), lo, hi);
    int w = settle(g, &a, &b, fits(lo, hi));
    if (kb && y > 0 && (y & (y - 1)) == 0)
        return bounded(g_gen2(g, OP(G9_SHL, w == 2 ? IT_U64 : IT_U32), a, g_imm(__builtin_ctzll((uint64_t)y))), lo, hi);
    return bounded(g_gen2(g, OP(G9_IMUL, w == 2 ? IT_S64 : IT_S32), a, b), lo, hi);
}

Val g_ix_neg(G9 *g, Val a) { return add(g, g_imm(0), a, true); }

/* ---- division */
/* 0 <= a < 2^31 by a number: its reciprocal with 31 + l bits, rounded up, is exact for such a (Granlund and Montgomery,
 * "Division by invariant integers using multiplication", PLDI 1994). */
static Val by_number(G9 *g, Val a, uint32_t b)
{
    int l = 32 - __builtin_clz(b - 1); /* 2^(l-1) < b <= 2^l */
    uint64_t m = ((UINT64_C(1) << (31 + l)) + b - 1) / b;
    Val high = g_gen2(g, OP(G9_IMUL, IT_U32, 1), a, g_bits((uint32_t)m));
    return l == 1 ? high : g_gen2(g, OP(G9_SHR, IT_U32), high, g_imm(l - 1));
}

static Val divide_known(G9 *g, bool mod, Val a, int64_t b)
{
    if (b == 1) return mod ? g_imm(0) : a;
    if ((b & (b - 1)) == 0 && a.width == 1)
        return mod ? g_gen(g, OP(G9_LOP3, IT_B32), 4, (Val[]){a, g_imm(b - 1), g_imm(0), g_imm(0xc0)})
                   : g_gen2(g, OP(G9_SHR, IT_S32), a, g_imm(__builtin_ctzll((uint64_t)b)));
    Val q = by_number(g, a, (uint32_t)b);
    if (!mod) return q;
    q = g_gen2(g, OP(G9_IMUL, IT_S32), q, g_imm(b));
    return g_gen3(g, OPF(G9_IADD3, NEG_B, IT_S32), a, q, g_imm(0));
}

static Val divide(G9 *g, bool mod, Val a, Val b)
{
    int64_t x, y, lo = INT64_MIN, hi = INT64_MAX;
    if (b.lo >= 1 && a.lo >= 0) {
        lo = mod ? 0 : a.lo / b.hi;
        hi = mod ? (b.hi - 1 < a.hi ? b.hi - 1 : a.hi) : a.hi / b.lo;
    } else if (b.lo >= 1) {
        lo = mod ? 0 : a.lo;
        hi = mod ? b.hi - 1 : a.hi > 0 ? a.hi : 0;
    }
    if (g_known(a, &x) && g_known(b, &y) && y > 0) {
        int64_t r = x % y;
        if (r < 0) r += y;
        return g_imm(mod ? r : (x - r) / y);
    }
    if (g_known(b, &y) && y > 0 && a.lo >= 0 && a.width == 1 && a.kind == V_REG && y <= INT32_MAX)
        return g_ranged(divide_known(g, mod, a, y), lo, hi);
    if (g_known(b, &y) && y > 0 && (y & (y - 1)) == 0 && a.width == 1)
        return g_ranged(divide_known(g, mod, a, y), lo, hi);
    int w = settle(g, &a, &b, b.lo >= 1);
    return g_ranged(g_divide(g, mod, true, w, a, b), lo, hi);
}

/* Up to 32 bits: exact in f64, since a quotient that is no integer is further from one than the rounding error. */
static Val divide_narrow(G9 *g, bool mod, bool sign, Val a, Val b)
{
    IsaType t = sign ? IT_S32 : IT_U32;
    Val x = g_gen1(g, OP(G9_CVT, IT_F64, t), g_reg(g, a)), y = g_gen1(g, OP(G9_CVT, IT_F64, t), g_reg(g, b));
    Val q = g_gen2(g, OP(G9_FDIV, IT_F64), x, y);
    /* through 64 bits: the least integer by -1 wraps */
    q = g_half(g_gen1(g, OP(G9_CVT, IT_S64, IT_F64, 2), q), 0);
    if (!mod) return q;
    q = g_gen2(g, OP(G9_IMUL, IT_S32), q, b);
    return g_gen3(g, OPF(G9_IADD3, NEG_B, IT_S32), a, q, g_imm(0));
}

/* A lower bound of a / b, less than it by at most one part in 2^50 and one. */
static Val estimate(G9 *g, Val a, Val y)
{
    Val x = g_gen1(g, OP(G9_CVT, IT_F64, IT_U64, 1), a);
    Val q = g_gen2(g, OP(G9_FDIV, IT_F64), x, y);
    q = g_gen2(g, OP(G9_FMUL, IT_F64, 1), q, g_bits64(UINT64_C(0x3feffffffffffffe))); /* 1 - 2^-52 */
    return g_gen1(g, OP(G9_CVT, IT_U64, IT_F64, 1), q);
}

static Val rest(G9 *g, Val a, Val q, Val b)
{
    Val p = g_gen2(g, OP(G9_IMUL, IT_U64), q, b);
    return g_gen3(g, OPF(G9_IADD3, NEG_B, IT_U64), a, p, g_imm(0));
}

/* Unsigned 64 bits: an estimate from below, one of what is left, and a last step. */
static Val divide_unsigned(G9 *g, bool mod, Val a, Val b)
{
    Val y = g_gen1(g, OP(G9_CVT, IT_F64, IT_U64, 3), b);
    Val q = estimate(g, a, y), r = rest(g, a, q, b), more = estimate(g, r, y);
    r = rest(g, r, more, b);
    q = g_gen3(g, OP(G9_IADD3, IT_U64), q, more, g_imm(0));
    for (int i = 0; i < 2; i++) {
        Val over = g_gen2(g, OP(G9_ISETP, 5, IT_U64), r, b);
        Val step = g_select(g, over, b, g_bits64(0));
        if (!mod) q = g_gen3(g, OP(G9_IADD3, IT_U64), q, g_select(g, over, g_bits64(1), g_bits64(0)), g_imm(0));
        r = g_gen3(g, OPF(G9_IADD3, NEG_B, IT_U64), r, step, g_imm(0));
    }
    return mod ? r : q;
}

static Val divide_signed(G9 *g, bool mod, Val a, Val b)
{
    Val zero = g_bits64(0);
    Val na = g_gen2(g, OP(G9_ISETP, 2, IT_S64), a, zero), nb = g_gen2(g, OP(G9_ISETP, 2, IT_S64), b, zero);
    Val apart = g_or(g, g_and(g, na, g_not(nb)), g_and(g, g_not(na), nb));
    Val ua = g_gen1(g, OP(G9_IABS, IT_S64), a), ub = g_gen1(g, OP(G9_IABS, IT_S64), b);
    Val q = divide_unsigned(g, false, ua, ub), r = rest(g, ua, q, ub);
    Val whole = g_gen2(g, OP(G9_ISETP, 0, IT_U64), r, zero), up = g_and(g, apart, g_not(whole));
    Val minus = g_gen3(g, OPF(G9_IADD3, NEG_B, IT_S64), zero, q, zero);
    q = g_select(g, apart, minus, q);
    q = g_gen3(g, OP(G9_IADD3, IT_S64), q, g_select(g, up, g_bits64(UINT64_MAX), zero), zero);
    return mod ? rest(g, a, q, b) : q;
}

Val g_divide(G9 *g, bool mod, bool sign, int width, Val a, Val b)
{
    if (width == 1) return divide_narrow(g, mod, sign, a, b);
    a = g_reg(g, a), b = g_reg(g, b);
    return sign ? divide_signed(g, mod, a, b) : divide_unsigned(g, mod, a, b);
}

/* ---- the rest */
static Val extreme(G9 *g, bool max, Val a, Val b)
{
    int64_t x, y;
    int64_t lo = max ? (a.lo > b.lo ? a.lo : b.lo) : (a.lo < b.lo ? a.lo : b.lo);
    int64_t hi = max ? (a.hi > b.hi ? a.hi : b.hi) : (a.hi < b.hi ? a.hi : b.hi);
    if (g_known(a, &x) && g_known(b, &y)) return g_imm((max ? x > y : x < y) ? x : y);
    if (max ? a.lo >= b.hi : a.hi <= b.lo) return a;
    if (max ? b.lo >= a.hi : b.hi <= a.lo) return b;
    if (a.kind == V_IMM) {
        Val t = a;
        a = b, b = t;
    }
    int w = settle(g, &a, &b, true);
    Val r = g_gen2(g, OP(max ? G9_IMAX : G9_IMIN, w == 2 ? IT_S64 : IT_S32), a, b);
    if (w == 2 && fits(lo, hi)) r = g_half(r, 0);
    return g_ranged(r, lo, hi);
}

Val g_ix_op(G9 *g, ExprOp op, Val a, Val b)
{
    switch (op) {
    case EX_ADD: return add(g, a, b, false);
    case EX_SUB: return add(g, a, b, true);
    case EX_MUL: return multiply(g, a, b);
    case EX_DIV: return divide(g, false, a, b);
    case EX_MOD: return divide(g, true, a, b);
    case EX_MIN: return extreme(g, false, a, b);
    case EX_MAX: return extreme(g, true, a, b);
    default: g_fail(g, "%s on indices", te_expr[op].text);
    }
}

Val g_ix_compare(G9 *g, ExprOp op, Val a, Val b)
{
    if (op == EX_LT && a.hi < b.lo) return g_true(true);
    if (op == EX_LT && a.lo >= b.hi) return g_true(false);
    if (op == EX_LE && a.hi <= b.lo) return g_true(true);
    if (op == EX_LE && a.lo > b.hi) return g_true(false);
    if (op == EX_GT || op == EX_GE) return g_ix_compare(g, op == EX_GT ? EX_LT : EX_LE, b, a);
    if ((op == EX_EQ || op == EX_NE) && (a.hi < b.lo || b.hi < a.lo)) return g_true(op == EX_NE);
    int64_t x, y;
    if (op == EX_EQ && g_known(a, &x) && g_known(b, &y)) return g_true(x == y);
    if (op == EX_NE && g_known(a, &x) && g_known(b, &y)) return g_true(x != y);
    static const uint8_t cmp[] = {0, 1, 2, 3, 4, 5};
    int w = settle(g, &a, &b, true);
    return g_gen2(g, OP(G9_ISETP, cmp[op - EX_EQ], w == 2 ? IT_S64 : IT_S32), a, b);
}
