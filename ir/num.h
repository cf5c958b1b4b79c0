/* num: the arithmetic of every data type, once: conversions, operations, reductions' identities, the mathematical
 * functions. The TE interpreter, the Tile interpreter and (through num_math programs) every code generator use these
 * definitions, which is what makes `ordered` results bit-identical everywhere.
 *
 * Held values. A value of type t is held as te_type[t].reg says: double, float (tf32, f16, bf16 and f8 too: a float
 * that the type can represent exactly), or int64_t wrapped to the type (u64: the bits). Operations on tf32, f16, bf16
 * and f8 are the correctly rounded f32 ones, then rounded to the type. Needs the default floating-point environment
 * (nearest even, no flush to zero): see rt_fpenv. */
#ifndef TCC_IR_NUM_H
#define TCC_IR_NUM_H

#include "ir/te.h"

typedef union Num {
    double d;
    float f;
    int64_t i;
} Num;

/* ---- num.c: scalars --------------------------------------------------------------------------------------------- */
float num_round(DType t, float x);         /* x rounded to tf32, f16, bf16, f8e4m3 or f8e5m2; the identity for f32 */
float num_round_d(DType t, double x);      /* one rounding from double (casts from f64, literals) to an RC_F32 type */
int64_t num_wrap(DType t, int64_t x);      /* x wrapped to an integer type; u1: x != 0 */
Num num_cast(DType to, DType from, Num x); /* every pair of types, as language.md says */
uint64_t num_to_bits(DType t, Num x);      /* the bits as stored in memory (low te_type[t].bits bits) */
Num num_from_bits(DType t, uint64_t bits);
/* One operation of ops.def on operands of type t (comparisons give .i 0 or 1). Integer DIV and MOD by 0 set *div0 and
 * give 0. POWI: x is of type t, y.i the exponent. Covers UNARY, BINARY, CALL rows except LOAD, REDUCE, CAST. */
Num num_op(ExprOp op, DType t, const Num *arg, bool *div0);
Num num_identity(RedOp r, DType t); /* what a reduction over nothing gives; ARGMAX, ARGMIN: of the compared value */
Num num_least(DType t);             /* -inf or the type's least (f8e4m3 has no inf: -448) */
Num num_greatest(DType t);
/* Is candidate x better than y for ARGMAX/TOPK (ARGMIN)? NaN counts as largest, -0 equals +0; false on a tie. */
bool num_better(RedOp r, DType t, Num x, Num y);

/* ---- num.c: arrays of held values: the same operations over n elements, n <= a few thousand; arrays do not overlap
 * partially (they may be the same). Written to be auto-vectorised. */
void num_op_n(ExprOp op, DType t, size_t n, void *out, const void *const *arg, bool *div0);
void num_cast_n(DType to, DType from, size_t n, void *out, const void *x);
/* Between memory and held values. `stride` in elements of t (sub-byte: only through _sub below). */
void num_load_n(DType t, size_t n, void *held, const void *mem, ptrdiff_t stride);
void num_store_n(DType t, size_t n, void *mem, ptrdiff_t stride, const void *held);
Num num_load(DType t, const void *base, int64_t element); /* i4/u4: element counts nibbles, low first */
void num_store(DType t, void *base, int64_t element, Num x);
/* Bytes of a compact tensor: rows (last dimension) of i4/u4 are padded to a byte. -1 when it overflows 2^62. */
int64_t num_bytes(DType t, int rank, const int64_t *shape);

/* ---- math.c: functions as programs ---------------------------------------------------------------------------------
 * A MathProg is a straight line of IEEE and integer operations in SSA form: instruction i defines value i. The same
 * program is run by num_op(_n), translated to LLVM vectors and to G9. Only MATH_EXPR rows and POWI have one, for f32
 * and for f64; other float types go through f32. Programs contain no loops, no memory and no library calls. Error
 * bounds: num_math_ulp. */
typedef enum MathType { MT_F32, MT_F64, MT_I32, MT_I64, MT_BOOL } MathType;
typedef enum MathOp {
#define MATH(ID, nargs) MO_##ID,
#include "ir/mathops.def"
#undef MATH
    MO_COUNT
} MathOp;
typedef struct MathInst {
    uint8_t op, type; /* MathOp; MathType of the result */
    uint16_t arg[3];  /* numbers of earlier instructions; MO_IN: arg[0] is which input */
    uint64_t bits;    /* MO_CONST: the value's bits */
} MathInst;
typedef struct MathProg {
    int n, nin, result; /* instructions, inputs, which instruction is the result */
    MathType in[2];
    const MathInst *at;
    const uint16_t *slot; /* private to num_math_run: where each value lies in its scratch memory */
    int units;            /* private to num_math_run: how much scratch memory */
} MathProg;
/* The program of `op` (a MATH_EXPR row, or POWI: the exponent is an i64 input) on t = DT_F32 or DT_F64. Never freed and
 * never changed: all programs are built once per process, on first use; safe from any thread. NULL when op has none. */
const MathProg *num_math(ExprOp op, DType t);
/* Conversions as programs, for targets without the instruction: f32 → t rounded, as the stored bits (MT_I32), and back.
 */
const MathProg *num_round_prog(DType t); /* F16, BF16, F8*, TF32 */
const MathProg *num_widen_prog(DType t); /* stored bits (MT_I32) → f32 */
void num_math_run(const MathProg *p, size_t n, void *out,
                  const void *const *in); /* over arrays of the programs' input types */
double num_math_ulp(ExprOp op, DType t);  /* documented bound, units in the last place, over the whole range */

#endif
