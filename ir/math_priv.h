/* math_priv: how the programs of math*.c are written. A function reads like arithmetic on values V; each call appends
 * one instruction, so `fadd(b, x, y)` is the program's sum of x and y. Equal instructions are made once.
 *
 * Result types follow from the operands, except where a name carries one. Constants: f32(b, 1), f64(b, 1), i32, i64. */
#ifndef TCC_IR_MATH_PRIV_H
#define TCC_IR_MATH_PRIV_H

#include "ir/num_priv.h"

enum {
    MATH_LANES = 64,   /* lanes that num_math_run computes at a time */
    MATH_INSTS = 512,  /* longest program while it is built */
    MATH_UNITS = 256,  /* most scratch memory, in units of MATH_LANES 32-bit values */
    MATH_POOL = 12000, /* instructions of all programs together */
};

typedef int V;
typedef struct B {
    MathInst at[MATH_INSTS];
    int n;
    bool full; /* the program was too long */
} B;

V math_emit(B *b, MathOp op, MathType type, V x, V y, V z, uint64_t bits); /* arguments that are not used: 0 */
/* Drops what the result does not need, places values in scratch memory, and copies the program to `at` and `slot`. The
 * number of instructions; 0 when it does not fit into `room` of them. */
int math_finish(B *b, V result, MathProg *out, MathInst *at, uint16_t *slot, int room);
/* Polynomials, coefficients from the constant term up. */
V math_poly(B *b, V x, int n, const double *c);

INLINE MathType type_of(B *b, V x) { return (MathType)b->at[x].type; }
INLINE V input(B *b, int which, MathType t) { return math_emit(b, MO_IN, t, which, 0, 0, 0); }

INLINE V f32(B *b, float x) { return math_emit(b, MO_CONST, MT_F32, 0, 0, 0, f32_bits(x)); }
INLINE V f64(B *b, double x) { return math_emit(b, MO_CONST, MT_F64, 0, 0, 0, f64_bits(x)); }
INLINE V i32(B *b, int64_t x) { return math_emit(b, MO_CONST, MT_I32, 0, 0, 0, (uint32_t)x); }
INLINE V i64(B *b, uint64_t x) { return math_emit(b, MO_CONST, MT_I64, 0, 0, 0, x); }
/* A constant of the type of v. */
INLINE V fconst(B *b, V v, double x) { return type_of(b, v) == MT_F32 ? f32(b, (float)x) : f64(b, x); }
INLINE V iconst(B *b, V v, uint64_t x) { return type_of(b, v) == MT_I32 ? i32(b, (int64_t)x) : i64(b, x); }

#define SAME(name, OP) /* two operands and the result of one type */                                                   \
    INLINE V name(B *b, V x, V y) { return math_emit(b, MO_##OP, type_of(b, x), x, y, 0, 0); }
SAME(fadd, FADD)
SAME(fsub, FSUB)
SAME(fmul, FMUL)
SAME(fdiv, FDIV)
SAME(iadd, IADD)
SAME(isub, ISUB)
SAME(imul, IMUL)
SAME(iand, IAND)
SAME(ior, IOR)
SAME(ixor, IXOR)
SAME(band, BAND)
SAME(bor, BOR)
#undef SAME

#define ONE(name, OP)                                                                                                  \
    INLINE V name(B *b, V x) { return math_emit(b, MO_##OP, type_of(b, x), x, 0, 0, 0); }
ONE(fsqrt, FSQRT)
ONE(fabs_, FABS)
ONE(fneg, FNEG)
ONE(frint, FRINT)
ONE(ftrunc, FTRUNC)
ONE(bnot, BNOT)
#undef ONE

#define COMPARE(name, OP)                                                                                              \
    INLINE V name(B *b, V x, V y) { return math_emit(b, MO_##OP, MT_BOOL, x, y, 0, 0); }
COMPARE(flt, FLT)
COMPARE(fle, FLE)
COMPARE(feq, FEQ)
COMPARE(funo, FUNO)
COMPARE(ilt, ILT)
COMPARE(ieq, IEQ)
COMPARE(iult, IULT)
#undef COMPARE

#define TO(name, OP, TYPE)                                                                                             \
    INLINE V name(B *b, V x) { return math_emit(b, MO_##OP, TYPE, x, 0, 0, 0); }
TO(to_i32, F2I, MT_I32)
TO(to_i64, F2I, MT_I64)
TO(to_f32, I2F, MT_F32)
TO(to_f64, I2F, MT_F64)
TO(widen, FEXT, MT_F64)
TO(narrow, FCVT, MT_F32)
TO(sext, SEXT, MT_I64)
TO(low32, ITRUNC, MT_I32)
#undef TO

INLINE V ffma(B *b, V x, V y, V z) { return math_emit(b, MO_FMA, type_of(b, x), x, y, z, 0); }
INLINE V sel(B *b, V c, V x, V y) { return math_emit(b, MO_SEL, type_of(b, x), c, x, y, 0); }
INLINE V shl(B *b, V x, int by) { return math_emit(b, MO_ISHL, type_of(b, x), x, iconst(b, x, (uint64_t)by), 0, 0); }
INLINE V lsr(B *b, V x, int by) { return math_emit(b, MO_ILSR, type_of(b, x), x, iconst(b, x, (uint64_t)by), 0, 0); }
INLINE V asr(B *b, V x, int by) { return math_emit(b, MO_IASR, type_of(b, x), x, iconst(b, x, (uint64_t)by), 0, 0); }
INLINE V shl_by(B *b, V x, V by) { return math_emit(b, MO_ISHL, type_of(b, x), x, by, 0, 0); }
INLINE V lsr_by(B *b, V x, V by) { return math_emit(b, MO_ILSR, type_of(b, x), x, by, 0, 0); }

INLINE V bits(B *b, V x) /* float ↔ integer of the same width */
{
    static const MathType other[] = {[MT_F32] = MT_I32, [MT_F64] = MT_I64, [MT_I32] = MT_F32, [MT_I64] = MT_F64};
    return math_emit(b, MO_BITS, other[type_of(b, x)], x, 0, 0, 0);
}

/* The smaller, the greater of x and a constant; NaN stays. Written so that one min or max instruction does it. */
INLINE V at_most(B *b, V x, double c)
{
    V k = fconst(b, x, c);
    return sel(b, flt(b, k, x), k, x);
}
INLINE V at_least(B *b, V x, double c)
{
    V k = fconst(b, x, c);
    return sel(b, flt(b, x, k), k, x);
}
/* |x| with the sign of s. x must not be negative. */
INLINE V with_sign(B *b, V x, V s)
{
    uint64_t sign = type_of(b, x) == MT_F32 ? UINT64_C(0x80000000) : UINT64_C(1) << 63;
    V i = bits(b, s);
    return bits(b, ior(b, bits(b, x), iand(b, i, iconst(b, i, sign))));
}

/* ---- the functions: the result's value for argument x (and y) of type f32 or f64 ----------------------------------
 */
V math_exp(B *b, V x);
V math_exp2(B *b, V x);
V math_tanh(B *b, V x);
V math_sigmoid(B *b, V x);
V math_erf(B *b, V x);
V math_log(B *b, V x);
V math_log2(B *b, V x);
V math_sin(B *b, V x);
V math_cos(B *b, V x);
V math_pow(B *b, V x, V y);
V math_powi(B *b, V x, V n); /* n is MT_I64 */

/* Pieces that several files use. A number t + MAGIC, |t| small, holds round(t) in its low bits and, less MAGIC, is it.
 */
#define MAGIC32 12582912.0         /* 1.5 * 2^23 */
#define MAGIC64 6755399441055744.0 /* 1.5 * 2^52 */
INLINE double magic(MathType t) { return t == MT_F32 ? MAGIC32 : MAGIC64; }
V math_scale(B *b, V p, V n); /* p * 2^n, rounded once; n = integer + MAGIC, p normal, |n| <= 1080 */
V math_exp2_poly(B *b, V r);  /* 2^r for |r| <= 1/2 */
/* Positive finite x = m * 2^e, m from sqrt(1/2) to sqrt(2): gives m - 1, exactly, and e as a float. Other x give
 * numbers without meaning. Subnormal x only where `subnormal` says so. */
V math_split(B *b, V x, V *e, bool subnormal);
/* A non-negative integer below 2^52 in an i64 as f64, less `bias`; targets without the conversion need no other. */
INLINE V small_f64(B *b, V i, double bias)
{
    return fsub(b, bits(b, ior(b, i, i64(b, UINT64_C(0x433) << 52))), f64(b, 4503599627370496.0 + bias));
}

#endif
