/* arith: one operation of ops.def on held values, exactly as num_op defines it. In `fast` numerics only what the caller
 * asks for is fused. */
#include "codegen/g9/g9.h"

#include <string.h>

enum { RZ = 1, RM = 2, RP = 3 }; /* words of ROUND */

static bool is_signed(DType t) { return te_type[t].cls == 'I' || te_type[t].cls == 'X'; }

int g_width(DType t)
{
    if (te_type[t].cls == 'B') return 0;
    return te_type[t].reg == RC_F64 || (te_type[t].reg == RC_I64 && te_type[t].bits == 64) ? 2 : 1;
}

IsaType g_int_type(DType t)
{
    bool wide = g_width(t) == 2;
    return is_signed(t) ? (wide ? IT_S64 : IT_S32) : wide ? IT_U64 : IT_U32;
}

static IsaType float_type(DType t) { return te_type[t].reg == RC_F64 ? IT_F64 : IT_F32; }
static IsaType bits_type(int width) { return width == 2 ? IT_B64 : IT_B32; }

/* The ISA's name of a type narrower than f32. */
static IsaType small_type(DType t)
{
    switch (t) {
    case DT_TF32: return IT_TF32;
    case DT_F16: return IT_F16;
    case DT_BF16: return IT_BF16;
    case DT_F8E4M3: return IT_E4M3;
    case DT_F8E5M2: return IT_E5M2;
    default: return IT_F32;
    }
}

static Val convert(G9 *g, IsaType to, IsaType from, int round, Val x)
{
    return g_gen1(g, OP(G9_CVT, to, from, (uint16_t)round), x);
}

/* From the bits of a small type to f32. tf32 is one already. */
static Val widen(G9 *g, IsaType small, Val x)
{
    if (small == IT_TF32 || small == IT_F32) return x;
    if (small == IT_BF16) return g_gen2(g, OP(G9_SHL, IT_U32), x, g_imm(16));
    return convert(g, IT_F32, small, 0, x);
}

Val g_round(G9 *g, DType t, Val x)
{
    IsaType s = small_type(t);
    if (s == IT_F32 || te_type[t].reg != RC_F32) return x;
    return widen(g, s, convert(g, s, IT_F32, 0, x));
}

Val g_wrap(G9 *g, DType t, Val x)
{
    int bits = te_type[t].bits;
    if (bits >= 32) return x;
    return g_gen2(g, OP(G9_BFE, is_signed(t) ? IT_S32 : IT_U32), x, g_bits((uint32_t)bits << 8));
}

Val g_num(G9 *g, DType t, Num v)
{
    (void)g;
    uint64_t bits = 0;
    if (te_type[t].cls == 'B') return g_true(v.i != 0);
    if (t == DT_INDEX) return g_imm(v.i);
    if (te_type[t].reg == RC_F64) {
        memcpy(&bits, &v.d, 8);
        return g_bits64(bits);
    }
    if (te_type[t].reg == RC_F32) return g_f32(v.f);
    return g_width(t) == 2 ? g_bits64((uint64_t)v.i) : g_bits((uint32_t)v.i);
}

/* ---- predicates */
static bool constant(Val p, bool *yes)
{
    *yes = !p.neg;
    return p.kind == V_PRED && p.r == M_NONE;
}

static Val logic(G9 *g, int op, Val a, Val b) { return g_gen2(g, OP(G9_PLOP, (uint16_t)op), a, b); }

Val g_and(G9 *g, Val a, Val b)
{
    bool yes;
    if (constant(a, &yes)) return yes ? b : a;
    if (constant(b, &yes)) return yes ? a : b;
    return logic(g, 0, a, b);
}

Val g_or(G9 *g, Val a, Val b)
{
    bool yes;
    if (constant(a, &yes)) return yes ? a : b;
    if (constant(b, &yes)) return yes ? b : a;
    return logic(g, 1, a, b);
}

Val g_select(G9 *g, Val c, Val a, Val b)
{
    bool yes;
    if (constant(c, &yes)) return yes ? a : b;
    if (a.kind == V_PRED) return g_or(g, g_and(g, c, a), g_and(g, g_not(c), b));
    int w = a.width > b.width ? a.width : b.width;
    if (a.width != w) a = g_wide(g, a);
    if (b.width != w) b = g_wide(g, b);
    int64_t lo = a.lo < b.lo ? a.lo : b.lo, hi = a.hi > b.hi ? a.hi : b.hi;
    if (a.kind != V_REG && b.kind == V_REG) { /* the second source may be an immediate */
        Val t = a;
        a = b, b = t;
        c = g_not(c);
    }
    return g_ranged(g_gen3(g, OP(G9_SEL, bits_type(w)), a, b, c), lo, hi);
}

/* ---- operations */
static Val min_max(G9 *g, bool max, DType t, Val a, Val b)
{
    if (te_is_float(t)) return g_gen2(g, OP(max ? G9_FMAX : G9_FMIN, float_type(t), 1), a, b);
    return g_gen2(g, OP(max ? G9_IMAX : G9_IMIN, g_int_type(t)), a, b);
}

static Val compare(G9 *g, ExprOp op, DType t, Val a, Val b)
{
    /* words of FCMP: ne is unordered here */
    static const uint8_t real[] = {0, 7, 2, 3, 4, 5}, whole[] = {0, 1, 2, 3, 4, 5};
    int i = (int)op - EX_EQ;
    if (te_type[t].cls == 'B') {
        Val same = g_or(g, g_and(g, a, b), g_and(g, g_not(a), g_not(b)));
        switch (op) {
        case EX_EQ: return same;
        case EX_NE: return g_not(same);
        case EX_LT: return g_and(g, g_not(a), b);
        case EX_LE: return g_or(g, g_not(a), b);
        case EX_GT: return g_and(g, a, g_not(b));
        default: return g_or(g, a, g_not(b));
        }
    }
    if (te_is_float(t)) return g_gen2(g, OP(G9_FSETP, real[i], float_type(t)), a, b);
    return g_gen2(g, OP(G9_ISETP, whole[i], g_int_type(t)), a, b);
}

static Val is_nan(G9 *g, DType t, Val a) { return g_gen2(g, OP(G9_FSETP, 13, float_type(t)), a, a); }

Val g_fma(G9 *g, DType t, Val a, Val b, Val c)
{
    if (!te_is_float(t)) return g_wrap(g, t, g_gen3(g, OP(G9_IMAD, g_int_type(t)), a, b, c));
    return g_round(g, t, g_gen3(g, OP(G9_FFMA, float_type(t)), a, b, c));
}

static Val add_sub_mul(G9 *g, ExprOp op, DType t, Val a, Val b)
{
    uint8_t sign = op == EX_SUB ? NEG_B : 0;
    if (te_is_float(t))
        return g_round(g, t, g_gen2(g, OPF(op == EX_MUL ? G9_FMUL : G9_FADD, sign, float_type(t)), a, b));
    if (op == EX_MUL) return g_wrap(g, t, g_gen2(g, OP(G9_IMUL, g_int_type(t)), a, b));
    return g_wrap(g, t, g_gen3(g, OPF(G9_IADD3, sign, g_int_type(t)), a, b, g_imm(0)));
}

static Val divide(G9 *g, bool mod, DType t, Val a, Val b)
{
    if (te_is_float(t)) return g_round(g, t, g_gen2(g, OP(G9_FDIV, float_type(t)), a, b));
    return g_wrap(g, t, g_divide(g, mod, is_signed(t), g_width(t), a, b));
}

static Val rounded(G9 *g, int how, DType t, Val a)
{
    return te_is_float(t) ? g_gen1(g, OP(G9_FRND, float_type(t), (uint16_t)how), a) : a;
}

static Val sized(Val v, int width)
{
    v.width = (uint8_t)(v.kind == V_IMM ? width : v.width);
    return v;
}

/* x to an integer power by squaring; negative powers are 0 but of 1 and -1. n has 64 bits. */
static Val int_power(G9 *g, DType t, Val x, Val n)
{
    IsaType ty = g_int_type(t);
    int w = g_width(t);
    Val r = g_new(g, w), base = g_new(g, w), left = g_new(g, 2), one = sized(g_imm(1), w), zero = sized(g_imm(0), w);
    g_set(g, r, one), g_set(g, base, x), g_set(g, left, n);
    MBlock *loop = mir_block(g->k), *done = mir_block(g->k);
    int barrier = g_barrier_open(g, true, done);
    g_enter(g, loop);
    Val bit = g_gen(g, OP(G9_LOP3, IT_B32), 4, (Val[]){g_half(left, 0), g_imm(1), g_imm(0), g_imm(0xc0)});
    Val odd = g_gen2(g, OP(G9_ISETP, 1, IT_U32), bit, g_imm(0));
    Val product = g_gen2(g, OP(G9_IMUL, ty), r, base);
    g_set(g, r, g_select(g, odd, product, r));
    g_set(g, base, g_gen2(g, OP(G9_IMUL, ty), base, base));
    g_set(g, left, g_gen2(g, OP(G9_SHR, IT_U64), left, g_imm(1)));
    g_jump(g, g_gen2(g, OP(G9_ISETP, 1, IT_U64), left, g_bits64(0)), loop);
    g_enter(g, done);
    g_barrier_close(g, barrier);
    Val unit = g_select(g, g_gen2(g, OP(G9_ISETP, 0, ty), x, one), one, zero);
    if (is_signed(t)) {
        Val minus = sized(g_imm(-1), w), low = g_half(g_reg(g, n), 0);
        Val last = g_gen(g, OP(G9_LOP3, IT_B32), 4, (Val[]){low, g_imm(1), g_imm(0), g_imm(0xc0)});
        Val odd_n = g_gen2(g, OP(G9_ISETP, 1, IT_U32), last, g_imm(0));
        unit = g_select(g, g_gen2(g, OP(G9_ISETP, 0, ty), x, minus), g_select(g, odd_n, minus, one), unit);
    }
    return g_wrap(g, t, g_select(g, g_gen2(g, OP(G9_ISETP, 2, IT_S64), n, g_bits64(0)), unit, r));
}

Val g_op(G9 *g, ExprOp op, DType t, const Val *a)
{
    bool real = te_is_float(t);
    switch (op) {
    case EX_EQ:
    case EX_NE:
    case EX_LT:
    case EX_LE:
    case EX_GT:
    case EX_GE: return compare(g, op, t, a[0], a[1]);
    case EX_ADD:
    case EX_SUB:
    case EX_MUL: return add_sub_mul(g, op, t, a[0], a[1]);
    case EX_DIV: return divide(g, false, t, a[0], a[1]);
    case EX_MOD: return divide(g, true, t, a[0], a[1]);
    case EX_NEG:
        if (real) return g_gen1(g, OP(G9_FNEG, float_type(t)), a[0]);
        return g_wrap(g, t, g_gen3(g, OPF(G9_IADD3, NEG_B, g_int_type(t)), g_imm(0), a[0], g_imm(0)));
    case EX_NOT: return g_not(a[0]);
    case EX_ABS:
        if (real) return g_gen1(g, OP(G9_FABS, float_type(t)), a[0]);
        return is_signed(t) ? g_wrap(g, t, g_gen1(g, OP(G9_IABS, g_int_type(t)), a[0])) : a[0];
    case EX_MIN: return te_type[t].cls == 'B' ? g_and(g, a[0], a[1]) : min_max(g, false, t, a[0], a[1]);
    case EX_MAX: return te_type[t].cls == 'B' ? g_or(g, a[0], a[1]) : min_max(g, true, t, a[0], a[1]);
    case EX_FMA: return g_fma(g, t, a[0], a[1], a[2]);
    case EX_CLAMP: return min_max(g, false, t, min_max(g, true, t, a[0], a[1]), a[2]);
    case EX_FLOOR: return rounded(g, RM, t, a[0]);
    case EX_CEIL: return rounded(g, RP, t, a[0]);
    case EX_ROUND: return rounded(g, 0, t, a[0]);
    case EX_TRUNC: return rounded(g, RZ, t, a[0]);
    case EX_SQRT: return g_round(g, t, g_gen1(g, OP(G9_SQRT, float_type(t)), a[0]));
    case EX_POWI: return real ? g_math(g, op, t, a) : int_power(g, t, a[0], a[1]);
    default: return g_math(g, op, t, a);
    }
}

/* ---- reductions */
static Val better(G9 *g, RedOp r, DType t, Val x, Val y)
{
    bool max = r != RED_ARGMIN;
    Val first = compare(g, max ? EX_GT : EX_LT, t, x, y);
    if (!te_is_float(t)) return first;
    Val nx = is_nan(g, t, x), ny = is_nan(g, t, y);
    return g_or(g, first, max ? g_and(g, nx, g_not(ny)) : g_and(g, ny, g_not(nx)));
}

Val g_before(G9 *g, RedOp r, DType t, Val x, Val i, Val y, Val j)
{
    Val empty = g_gen2(g, OP(G9_ISETP, 2, IT_S32), j, g_imm(0));
    Val lower = g_gen2(g, OP(G9_ISETP, 2, IT_S32), i, j);
    Val tie = g_and(g, g_not(better(g, r, t, y, x)), lower);
    return g_or(g, empty, g_or(g, better(g, r, t, x, y), tie));
}

Val g_combine(G9 *g, RedOp r, DType t, Val acc, Val x)
{
    switch (r) {
    case RED_SUM: return add_sub_mul(g, EX_ADD, t, acc, x);
    case RED_PROD: return add_sub_mul(g, EX_MUL, t, acc, x);
    case RED_MAX: return g_op(g, EX_MAX, t, (Val[]){acc, x});
    case RED_MIN: return g_op(g, EX_MIN, t, (Val[]){acc, x});
    case RED_ANY: return g_or(g, acc, x);
    case RED_ALL: return g_and(g, acc, x);
    default: g_fail(g, "%s is no simple reduction", te_red_name[r]);
    }
}

/* ---- casts */
static Val from_int(G9 *g, DType to, DType from, Val x)
{
    IsaType s = from == DT_INDEX ? (x.width == 2 ? IT_S64 : IT_S32) : g_int_type(from);
    if (te_type[to].reg == RC_F64) return convert(g, IT_F64, s, 0, x);
    return widen(g, small_type(to), convert(g, small_type(to), s, 0, x));
}

static Val int_to_int(G9 *g, DType to, DType from, Val x)
{
    if (from == DT_INDEX) {
        if (g_width(to) == 2) return g_wide(g, x);
        return g_wrap(g, to, g_half(x, 0));
    }
    int64_t k;
    if (to == DT_INDEX && g_known(sized(x, g_width(from)), &k))
        return g_imm(from == DT_U32 ? (int64_t)(uint32_t)x.bits : k);
    if (to == DT_INDEX && te_type[from].bits < 32) {
        int bits = te_type[from].bits;
        int64_t top = is_signed(from) ? INT64_C(1) << (bits - 1) : INT64_C(1) << bits;
        return g_ranged(x, is_signed(from) ? -top : 0, top - 1);
    }
    if (to == DT_INDEX && from == DT_I32) return g_ranged(x, INT32_MIN, INT32_MAX);
    if (to == DT_INDEX && from == DT_U32)
        return g_ranged(g_gen3(g, OP(G9_LEA, IT_U64), x, g_bits64(0), g_imm(0)), 0, UINT32_MAX);
    if (to == DT_INDEX) return g_ranged(x, INT64_MIN, INT64_MAX);
    if (g_width(to) == 2 && g_width(from) == 1)
        return g_gen3(g, OP(G9_LEA, is_signed(from) ? IT_S64 : IT_U64), x, g_bits64(0), g_imm(0));
    if (g_width(to) == 1 && g_width(from) == 2) x = g_half(x, 0);
    return g_wrap(g, to, x);
}

static IsaType exact_int(DType t)
{
    static const struct {
        DType t;
        IsaType as;
    } names[] = {{DT_I8, IT_S8}, {DT_I4, IT_S4}, {DT_I16, IT_S16}, {DT_U8, IT_U8}, {DT_U4, IT_U4}, {DT_U16, IT_U16}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].t == t) return names[i].as;
    return g_int_type(t);
}

static Val float_to_int(G9 *g, DType to, DType from, Val x)
{
    if (to == DT_INDEX) return g_ranged(convert(g, IT_S64, float_type(from), RZ, x), INT64_MIN, INT64_MAX);
    return convert(g, exact_int(to), float_type(from), RZ, x);
}

static Val from_truth(G9 *g, DType to, Val x)
{
    Num one = num_cast(to, DT_U1, (Num){.i = 1}), zero = num_cast(to, DT_U1, (Num){.i = 0});
    return g_select(g, x, g_num(g, to, one), g_num(g, to, zero));
}

static Val to_truth(G9 *g, DType from, Val x)
{
    if (from == DT_INDEX) return g_ix_compare(g, EX_NE, x, g_imm(0));
    return compare(g, EX_NE, from, x, g_num(g, from, (Num){.i = 0}));
}

Val g_cast(G9 *g, DType to, DType from, Val x)
{
    if (to == from) return x;
    bool fto = te_is_float(to), ffrom = te_is_float(from);
    if (to == DT_U1) return to_truth(g, from, x);
    if (from == DT_U1) return from_truth(g, to, x);
    if (!ffrom) return fto ? from_int(g, to, from, x) : int_to_int(g, to, from, x);
    if (!fto) return float_to_int(g, to, from, x);
    if (to == DT_F64) return convert(g, IT_F64, IT_F32, 0, x);
    if (from != DT_F64) return g_round(g, to, x);
    return widen(g, small_type(to), convert(g, small_type(to), IT_F64, 0, x));
}
