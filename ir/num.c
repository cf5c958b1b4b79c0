/* num: scalars of every data type: rounding, wrapping, casts, one operation, the identities of reductions, and single
 * elements in memory.
 *
 * The arithmetic itself is in num_priv.h, shared with the array forms (num_array.c); functions are programs (math.c).
 * Every switch here expands a list of rows. */
#include "ir/num_priv.h"

/* ---- rounding and wrapping -----------------------------------------------------------------------------------------
 */
float num_round(DType t, float x)
{
    switch (t) {
#define SMALL(T, ...)                                                                                                  \
    case DT_##T: return small_round(small_##T, x);
        SMALL_FLOATS(SMALL)
#undef SMALL
    default: return x;
    }
}

float num_round_d(DType t, double x) { return t == DT_F32 ? (float)x : num_round(t, odd_f32(x)); }

int64_t num_wrap(DType t, int64_t x) { return int_wrap(int_form(t), (uint64_t)x); }

/* ---- casts ---------------------------------------------------------------------------------------------------------
 */
static Num from_int(DType to, int64_t x, bool is_unsigned)
{
    Num r = {0};
    if (to == DT_F64)
        r.d = is_unsigned ? (double)(uint64_t)x : (double)x;
    else if (to == DT_F32)
        r.f = is_unsigned ? (float)(uint64_t)x : (float)x;
    else if (te_is_float(to))
        r.f = num_round(to, odd_f32(odd_i64(x, is_unsigned)));
    else
        r.i = num_wrap(to, x);
    return r;
}

Num num_cast(DType to, DType from, Num x)
{
    if (to == from) return x;
    if (te_type[from].reg == RC_I64) return from_int(to, x.i, from == DT_U64);
    bool wide = te_type[from].reg == RC_F64;
    Num r = {0};
    switch (te_type[to].reg) {
    case RC_F64: r.d = wide ? x.d : (double)x.f; break;
    case RC_F32: r.f = wide ? num_round_d(to, x.d) : num_round(to, x.f); break;
    case RC_I64: r.i = int_of_f64(to, wide ? x.d : (double)x.f); break;
    }
    return r;
}

uint64_t num_to_bits(DType t, Num x)
{
    switch (t) {
#define SMALL(T, ...)                                                                                                  \
    case DT_##T: return small_bits(small_##T, x.f);
        SMALL_FLOATS(SMALL)
#undef SMALL
    case DT_F64: return f64_bits(x.d);
    case DT_F32: return f32_bits(x.f);
    case DT_U1: return x.i != 0;
    default: return (uint64_t)x.i & int_form(t).mask;
    }
}

Num num_from_bits(DType t, uint64_t bits)
{
    Num r = {0};
    switch (t) {
#define SMALL(T, ...)                                                                                                  \
    case DT_##T: r.f = small_value(small_##T, (uint32_t)bits); break;
        SMALL_FLOATS(SMALL)
#undef SMALL
    case DT_F64: r.d = bits_f64(bits); break;
    case DT_F32: r.f = bits_f32((uint32_t)bits); break;
    default: r.i = num_wrap(t, (int64_t)bits); break;
    }
    return r;
}

/* ---- one operation -------------------------------------------------------------------------------------------------
 */
static Num op_f64(ExprOp op, const Num *arg)
{
    double a = arg[0].d, b = te_expr[op].arity > 1 ? arg[1].d : 0, c = te_expr[op].arity > 2 ? arg[2].d : 0;
    Num r = {0};
    switch (op) {
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: r.d = value; break;
        FLOAT_OPS(ROW, f64)
#undef ROW
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: r.i = value; break;
        FLOAT_COMPARISONS(ROW)
#undef ROW
    default: break;
    }
    return r;
}

static Num op_f32(ExprOp op, DType t, const Num *arg)
{
    float a = arg[0].f, b = te_expr[op].arity > 1 ? arg[1].f : 0, c = te_expr[op].arity > 2 ? arg[2].f : 0;
    Num r = {0};
    switch (op) {
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: r.f = num_round(t, value); break;
        FLOAT_OPS(ROW, f32)
#undef ROW
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: r.i = value; break;
        FLOAT_COMPARISONS(ROW)
#undef ROW
    default: break;
    }
    return r;
}

static Num op_int(ExprOp op, DType t, const Num *arg, bool *div0)
{
    int64_t a = arg[0].i, b = te_expr[op].arity > 1 ? arg[1].i : 0, c = te_expr[op].arity > 2 ? arg[2].i : 0;
    IntForm form = int_form(t);
    Num r = {0};
    if ((op == EX_DIV || op == EX_MOD) && !b && div0) *div0 = true;
    switch (op) {
#define u(x) ((uint64_t)(x))
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: r.i = int_wrap(form, value); break;
        INT_OPS(ROW)
#undef ROW
#undef u
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: r.i = value; break;
        INT_COMPARISONS(ROW)
#undef ROW
    case EX_DIV: r.i = int_wrap(form, (uint64_t)int_div(form, a, b)); break;
    case EX_MOD: r.i = int_wrap(form, (uint64_t)int_mod(form, a, b)); break;
    default: break;
    }
    return r;
}

/* A function: its program over one lane. Other floats than f64 go through f32. */
static Num op_math(const MathProg *p, DType t, const Num *arg)
{
    Num r = {0};
    const void *in[2] = {&arg[0], p->nin > 1 ? &arg[1] : NULL};
    num_math_run(p, 1, &r, in);
    if (te_type[t].reg == RC_F32) r.f = num_round(t, r.f);
    return r;
}

Num num_op(ExprOp op, DType t, const Num *arg, bool *div0)
{
    if (op == EX_PICK || op == EX_SELECT) return arg[0].i ? arg[1] : arg[2];
    if (te_type[t].reg == RC_I64) return op_int(op, t, arg, div0);
    const MathProg *p = num_math(op, t == DT_F64 ? DT_F64 : DT_F32);
    if (p) return op_math(p, t, arg);
    return t == DT_F64 ? op_f64(op, arg) : op_f32(op, t, arg);
}

/* ---- reductions
 * ------------------------------------------------------------------------------------------------------ */
static Num of_f64(DType t, double x)
{
    Num r = {0};
    if (t == DT_F64)
        r.d = x;
    else
        r.f = num_round_d(t, x);
    return r;
}

Num num_greatest(DType t)
{
    if (te_is_float(t)) return of_f64(t, t == DT_F8E4M3 ? 448.0 : (double)INFINITY);
    IntForm f = int_form(t);
    if (f.truth) return (Num){.i = 1};
    if (t == DT_INDEX || t == DT_I64) return (Num){.i = INT64_MAX};
    return (Num){.i = (int64_t)(f.sign ? f.sign - 1 : f.mask)};
}

Num num_least(DType t)
{
    if (te_is_float(t)) return of_f64(t, t == DT_F8E4M3 ? -448.0 : -(double)INFINITY);
    if (t == DT_INDEX || t == DT_I64) return (Num){.i = INT64_MIN};
    return (Num){.i = (int64_t)(0 - int_form(t).sign) * (t != DT_U1)};
}

Num num_identity(RedOp r, DType t)
{
    Num one = {.i = 1}, zero = {0};
    switch (r) {
    case RED_PROD: return te_is_float(t) ? of_f64(t, 1) : one;
    case RED_ALL: return one;
    case RED_MAX:
    case RED_ARGMAX:
    case RED_TOPK: return num_least(t);
    case RED_MIN:
    case RED_ARGMIN: return num_greatest(t);
    default: return zero;
    }
}

bool num_better(RedOp r, DType t, Num x, Num y)
{
    bool least = r == RED_ARGMIN;
    if (te_type[t].reg == RC_I64) {
        IntForm f = int_form(t);
        return least ? int_less(f, x.i, y.i) : int_less(f, y.i, x.i);
    }
    double a = t == DT_F64 ? x.d : (double)x.f, b = t == DT_F64 ? y.d : (double)y.f;
    if (a != a || b != b) return least ? a == a : b == b;
    return least ? a < b : a > b;
}

/* ---- memory
 * ---------------------------------------------------------------------------------------------------------- */
Num num_load(DType t, const void *base, int64_t element)
{
    uint64_t bits = 0;
    if (te_type[t].bits == 4) {
        bits = ((const uint8_t *)base)[element >> 1] >> (element & 1) * 4;
    } else {
        size_t size = (size_t)te_type[t].bits / 8;
        memcpy(&bits, (const char *)base + element * (ptrdiff_t)size, size);
    }
    return num_from_bits(t, bits);
}

void num_store(DType t, void *base, int64_t element, Num x)
{
    uint64_t bits = num_to_bits(t, x);
    if (te_type[t].bits == 4) {
        uint8_t *p = (uint8_t *)base + (element >> 1);
        int shift = (int)(element & 1) * 4;
        *p = (uint8_t)((*p & ~(0xf << shift)) | (int)bits << shift);
    } else {
        size_t size = (size_t)te_type[t].bits / 8;
        memcpy((char *)base + element * (ptrdiff_t)size, &bits, size);
    }
}

int64_t num_bytes(DType t, int rank, const int64_t *shape)
{
    const int64_t limit = INT64_C(1) << 62;
    for (int i = 0; i < rank; i++)
        if (shape[i] < 0) return -1;
    for (int i = 0; i < rank; i++)
        if (shape[i] == 0) return 0;
    int64_t n = te_type[t].bits == 4 ? 1 : te_type[t].bits / 8;
    for (int i = 0; i < rank; i++) {
        int64_t extent = shape[i];
        if (te_type[t].bits == 4 && i == rank - 1) extent = extent / 2 + extent % 2;
        if (__builtin_mul_overflow(n, extent, &n) || n > limit) return -1;
    }
    return n;
}
