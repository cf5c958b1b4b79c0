/* arith: one scalar operation of ops.def on held values, in any number of lanes, exactly as num_op defines it. In
 * `fast` numerics multiplications and additions carry `contract`, the additions and multiplications of reductions
 * `reassoc`; nothing else is relaxed. */
#include "codegen/llvm/llvm.h"

#include <math.h>

static bool is_signed(DType t) { return te_type[t].cls == 'I' || te_type[t].cls == 'X'; }

static LLVMValueRef flag(Fn *f, DType t, LLVMValueRef v, LLVMFastMathFlags flags)
{
    if (f->c->fast && te_is_float(t) && LLVMCanValueUseFastMathFlags(v)) LLVMSetFastMathFlags(v, flags);
    return v;
}

/* min with NaN and signed zeros in three instructions: x86's minps(a, b) is a < b ? a : b, so that the two orders
 * differ just where they should not agree: one of them is the NaN, or the zeros have both signs, and then OR gives a
 * NaN, or -0. */
static LLVMValueRef float_min(Fn *f, DType t, LLVMValueRef a, LLVMValueRef b)
{
    Cg *c = f->c;
    LLVMTypeRef ty = LLVMTypeOf(a), bits = cg_like(a, te_type[t].reg == RC_F64 ? c->i64 : c->i32);
    LLVMValueRef ab = LLVMBuildSelect(f->b, LLVMBuildFCmp(f->b, LLVMRealOLT, a, b, ""), a, b, "");
    LLVMValueRef ba = LLVMBuildSelect(f->b, LLVMBuildFCmp(f->b, LLVMRealOLT, b, a, ""), b, a, "");
    ab = LLVMBuildBitCast(f->b, ab, bits, "");
    ba = LLVMBuildBitCast(f->b, ba, bits, "");
    return LLVMBuildBitCast(f->b, LLVMBuildOr(f->b, ab, ba, ""), ty, "");
}

/* The one number that all lanes of a constant hold; false where there is none, or it is NaN. */
static bool one_number(LLVMValueRef v, double *x)
{
    if (!LLVMIsConstant(v)) return false;
    LLVMTypeRef t = LLVMTypeOf(v);
    if (LLVMGetTypeKind(t) == LLVMVectorTypeKind) {
        LLVMValueRef first = LLVMGetAggregateElement(v, 0);
        for (unsigned i = 1; first && i < LLVMGetVectorSize(t); i++)
            if (LLVMGetAggregateElement(v, i) != first) return false;
        v = first;
    }
    if (!v || !LLVMIsAConstantFP(v)) return false;
    LLVMBool loses;
    *x = LLVMConstRealGetDouble(v, &loses);
    return !loses && *x == *x;
}

/* The larger or smaller of x and a constant c that is no NaN: c > x ? c : x is x where that is NaN, which is x86's
 * maxps(c, x). Only zeros that compare equal need the other order: x > 0 or NaN ? x : 0. */
static LLVMValueRef limit(Fn *f, bool max, LLVMValueRef x, LLVMValueRef c, double number)
{
    bool zero = number == 0 && !signbit(number) == max;
    LLVMRealPredicate p = zero ? (max ? LLVMRealUGT : LLVMRealULT) : (max ? LLVMRealOLT : LLVMRealOGT);
    LLVMValueRef q = LLVMBuildFCmp(f->b, p, x, c, "");
    return zero ? LLVMBuildSelect(f->b, q, x, c, "") : LLVMBuildSelect(f->b, q, c, x, "");
}

static LLVMValueRef max_min(Fn *f, bool max, DType t, LLVMValueRef a, LLVMValueRef b)
{
    double number;
    if (te_is_float(t) && one_number(b, &number)) return limit(f, max, a, b, number);
    if (te_is_float(t) && one_number(a, &number)) return limit(f, max, b, a, number);
    if (te_is_float(t) && !max && !LLVMIsConstant(a) && !LLVMIsConstant(b)) return float_min(f, t, a, b);
    if (te_is_float(t)) return cg_call2(f, max ? "llvm.maximum" : "llvm.minimum", a, b);
    if (is_signed(t)) return cg_call2(f, max ? "llvm.smax" : "llvm.smin", a, b);
    return cg_call2(f, max ? "llvm.umax" : "llvm.umin", a, b);
}

static LLVMValueRef compare(Fn *f, ExprOp op, DType t, LLVMValueRef a, LLVMValueRef b)
{
    static const LLVMRealPredicate real[] = {LLVMRealOEQ, LLVMRealUNE, LLVMRealOLT,
                                             LLVMRealOLE, LLVMRealOGT, LLVMRealOGE};
    static const LLVMIntPredicate sign[] = {LLVMIntEQ, LLVMIntNE, LLVMIntSLT, LLVMIntSLE, LLVMIntSGT, LLVMIntSGE};
    static const LLVMIntPredicate unsig[] = {LLVMIntEQ, LLVMIntNE, LLVMIntULT, LLVMIntULE, LLVMIntUGT, LLVMIntUGE};
    int i = (int)op - EX_EQ;
    if (te_is_float(t)) return LLVMBuildFCmp(f->b, real[i], a, b, "");
    return LLVMBuildICmp(f->b, is_signed(t) ? sign[i] : unsig[i], a, b, "");
}

LLVMValueRef cg_fma(Fn *f, DType t, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    if (!te_is_float(t)) return cg_wrap(f, t, LLVMBuildAdd(f->b, LLVMBuildMul(f->b, a, b, ""), c, ""));
    LLVMValueRef args[] = {a, b, c};
    return cg_round(f, t, cg_call(f, "llvm.fma", LLVMTypeOf(a), 3, args));
}

/* Division of integers of up to 32 bits in lanes: exact through a float type with more than twice their bits, since the
 * quotient of such operands is either an integer or further from one than the division's rounding error. */
static LLVMValueRef divide_lanes(Fn *f, DType t, LLVMValueRef a, LLVMValueRef b)
{
    Cg *c = f->c;
    LLVMTypeRef ty = LLVMTypeOf(a), fl = cg_like(a, te_type[t].bits <= 16 ? c->f32 : c->f64);
    bool s = is_signed(t);
    LLVMValueRef x = s ? LLVMBuildSIToFP(f->b, a, fl, "") : LLVMBuildUIToFP(f->b, a, fl, "");
    LLVMValueRef y = s ? LLVMBuildSIToFP(f->b, b, fl, "") : LLVMBuildUIToFP(f->b, b, fl, "");
    LLVMValueRef q = LLVMBuildFDiv(f->b, x, y, "");
    return s ? LLVMBuildFPToSI(f->b, q, ty, "") : LLVMBuildFPToUI(f->b, q, ty, "");
}

/* a / b or a % b, floor. b == 0 gives something (the caller reports it). positive: a >= 0 and b > 0 are known. */
LLVMValueRef cg_divide(Fn *f, bool mod, DType t, bool positive, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef ty = LLVMTypeOf(a);
    LLVMValueRef zero = cg_int(ty, 0), one = cg_int(ty, 1);
    bool fixed = LLVMIsConstant(b) && !LLVMIsNull(b);
    bool lanes = cg_lanes(a) > 1 && !fixed && te_type[t].bits <= 32;
    int64_t k;
    if (!fixed && !positive) b = LLVMBuildSelect(f->b, LLVMBuildICmp(f->b, LLVMIntEQ, b, zero, ""), one, b, "");
    if (!is_signed(t) || positive) {
        if (cg_known(b, &k) && k == 1) return mod ? zero : a;
        if (lanes) {
            LLVMValueRef q = divide_lanes(f, t, a, b);
            return mod ? LLVMBuildSub(f->b, a, LLVMBuildMul(f->b, q, b, ""), "") : q;
        }
        return mod ? LLVMBuildURem(f->b, a, b, "") : LLVMBuildUDiv(f->b, a, b, "");
    }
    LLVMValueRef minus = LLVMBuildICmp(f->b, LLVMIntEQ, b, cg_int(ty, -1), ""); /* least / -1 must not trap */
    LLVMValueRef d = LLVMBuildSelect(f->b, minus, one, b, "");
    LLVMValueRef q = lanes ? divide_lanes(f, t, a, d) : LLVMBuildSDiv(f->b, a, d, "");
    LLVMValueRef r = LLVMBuildSub(f->b, a, LLVMBuildMul(f->b, q, d, ""), "");
    LLVMValueRef apart = LLVMBuildICmp(f->b, LLVMIntSLT, LLVMBuildXor(f->b, r, d, ""), zero, "");
    LLVMValueRef down = LLVMBuildAnd(f->b, LLVMBuildICmp(f->b, LLVMIntNE, r, zero, ""), apart, "");
    if (mod) return cg_wrap(f, t, LLVMBuildAdd(f->b, r, LLVMBuildSelect(f->b, down, d, zero, ""), ""));
    q = LLVMBuildSub(f->b, q, LLVMBuildZExt(f->b, down, ty, ""), "");
    return cg_wrap(f, t, LLVMBuildSelect(f->b, minus, LLVMBuildNeg(f->b, a, ""), q, ""));
}

static LLVMValueRef add_sub_mul(Fn *f, ExprOp op, DType t, LLVMValueRef a, LLVMValueRef b)
{
    if (!te_is_float(t)) {
        LLVMValueRef r = op == EX_ADD   ? LLVMBuildAdd(f->b, a, b, "")
                         : op == EX_SUB ? LLVMBuildSub(f->b, a, b, "")
                                        : LLVMBuildMul(f->b, a, b, "");
        return cg_wrap(f, t, r);
    }
    LLVMValueRef r = op == EX_ADD   ? LLVMBuildFAdd(f->b, a, b, "")
                     : op == EX_SUB ? LLVMBuildFSub(f->b, a, b, "")
                                    : LLVMBuildFMul(f->b, a, b, "");
    return cg_round(f, t, flag(f, t, r, LLVMFastMathAllowContract));
}

/* x to an integer power in wrapping arithmetic, by squaring; negative powers are 0 but of 1 and -1. n is i64. */
static LLVMValueRef int_power(Fn *f, DType t, LLVMValueRef x, LLVMValueRef n)
{
    LLVMBuilderRef b = f->b;
    LLVMTypeRef ty = LLVMTypeOf(x), tn = LLVMTypeOf(n);
    LLVMValueRef one = cg_int(ty, 1), zero = cg_int(ty, 0), n0 = cg_int(tn, 0);
    LLVMBasicBlockRef from = LLVMGetInsertBlock(b), loop = cg_block_new(f, "square"), done = cg_block_new(f, "powered");
    LLVMBuildBr(b, loop);
    cg_enter(f, loop);
    LLVMValueRef r = LLVMBuildPhi(b, ty, ""), base = LLVMBuildPhi(b, ty, ""), left = LLVMBuildPhi(b, tn, "");
    LLVMValueRef odd = LLVMBuildICmp(b, LLVMIntNE, LLVMBuildAnd(b, left, cg_int(tn, 1), ""), n0, "");
    LLVMValueRef r2 = LLVMBuildSelect(b, odd, LLVMBuildMul(b, r, base, ""), r, "");
    LLVMValueRef base2 = LLVMBuildMul(b, base, base, ""), left2 = LLVMBuildLShr(b, left, cg_int(tn, 1), "");
    LLVMBasicBlockRef preds[] = {from, loop};
    LLVMAddIncoming(r, (LLVMValueRef[]){one, r2}, preds, 2);
    LLVMAddIncoming(base, (LLVMValueRef[]){x, base2}, preds, 2);
    LLVMAddIncoming(left, (LLVMValueRef[]){n, left2}, preds, 2);
    LLVMBuildCondBr(b, cg_any(f, LLVMBuildICmp(b, LLVMIntNE, left2, n0, "")), loop, done);
    cg_enter(f, done);
    LLVMValueRef unit = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntEQ, x, one, ""), one, zero, "");
    if (is_signed(t)) {
        LLVMValueRef last = LLVMBuildICmp(b, LLVMIntNE, LLVMBuildAnd(b, n, cg_int(tn, 1), ""), n0, "");
        LLVMValueRef minus = LLVMBuildICmp(b, LLVMIntEQ, x, cg_int(ty, -1), "");
        unit = LLVMBuildSelect(b, minus, LLVMBuildSelect(b, last, cg_int(ty, -1), one, ""), unit, "");
    }
    return cg_wrap(f, t, LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, n, n0, ""), unit, r2, ""));
}

LLVMValueRef cg_op(Fn *f, ExprOp op, DType t, LLVMValueRef *a)
{
    bool real = te_is_float(t);
    switch (op) {
    case EX_EQ:
    case EX_NE:
    case EX_LT:
    case EX_LE:
    case EX_GT:
    case EX_GE: return compare(f, op, t, a[0], a[1]);
    case EX_ADD:
    case EX_SUB:
    case EX_MUL: return add_sub_mul(f, op, t, a[0], a[1]);
    case EX_DIV:
        if (real) return cg_round(f, t, LLVMBuildFDiv(f->b, a[0], a[1], ""));
        return cg_divide(f, false, t, false, a[0], a[1]);
    case EX_MOD: return cg_divide(f, true, t, false, a[0], a[1]);
    case EX_NEG:
        if (real) return LLVMBuildFNeg(f->b, a[0], "");
        return cg_wrap(f, t, LLVMBuildNeg(f->b, a[0], ""));
    case EX_NOT: return LLVMBuildNot(f->b, a[0], "");
    case EX_ABS:
        if (real) return cg_call1(f, "llvm.fabs", a[0]);
        if (!is_signed(t)) return a[0];
        return cg_wrap(f, t, max_min(f, true, t, a[0], LLVMBuildNeg(f->b, a[0], "")));
    case EX_MIN: return max_min(f, false, t, a[0], a[1]);
    case EX_MAX: return max_min(f, true, t, a[0], a[1]);
    case EX_FMA: return cg_fma(f, t, a[0], a[1], a[2]);
    case EX_CLAMP: return max_min(f, false, t, max_min(f, true, t, a[0], a[1]), a[2]);
    case EX_FLOOR: return real ? cg_call1(f, "llvm.floor", a[0]) : a[0];
    case EX_CEIL: return real ? cg_call1(f, "llvm.ceil", a[0]) : a[0];
    case EX_ROUND: return real ? cg_call1(f, "llvm.rint", a[0]) : a[0];
    case EX_TRUNC: return real ? cg_call1(f, "llvm.trunc", a[0]) : a[0];
    case EX_SQRT: return cg_round(f, t, cg_call1(f, "llvm.sqrt", a[0]));
    case EX_POWI: return real ? cg_math(f, op, t, a) : int_power(f, t, a[0], a[1]);
    default: return cg_math(f, op, t, a);
    }
}

/* As num_better: NaN counts as largest, ties are not better. */
LLVMValueRef cg_better(Fn *f, RedOp r, DType t, LLVMValueRef x, LLVMValueRef y)
{
    bool max = r != RED_ARGMIN;
    LLVMValueRef first = compare(f, max ? EX_GT : EX_LT, t, x, y);
    if (!te_is_float(t)) return first;
    LLVMValueRef nx = LLVMBuildFCmp(f->b, LLVMRealUNO, x, x, ""), ny = LLVMBuildFCmp(f->b, LLVMRealUNO, y, y, "");
    LLVMValueRef nan = max ? LLVMBuildAnd(f->b, nx, LLVMBuildNot(f->b, ny, ""), "")
                           : LLVMBuildAnd(f->b, ny, LLVMBuildNot(f->b, nx, ""), "");
    return LLVMBuildOr(f->b, first, nan, "");
}

/* Does (x, i) come before (y, j) among the candidates of argmax, argmin, topk? The better value does, then the lower
 * index; j = -1 is an empty place. */
LLVMValueRef cg_before(Fn *f, RedOp r, DType t, LLVMValueRef x, LLVMValueRef i, LLVMValueRef y, LLVMValueRef j)
{
    LLVMValueRef empty = LLVMBuildICmp(f->b, LLVMIntSLT, j, LLVMConstNull(LLVMTypeOf(j)), "");
    LLVMValueRef tie = LLVMBuildNot(f->b, cg_better(f, r, t, y, x), "");
    LLVMValueRef lower = LLVMBuildAnd(f->b, tie, LLVMBuildICmp(f->b, LLVMIntSLT, i, j, ""), "");
    return LLVMBuildOr(f->b, empty, LLVMBuildOr(f->b, cg_better(f, r, t, x, y), lower, ""), "");
}

LLVMValueRef cg_combine(Fn *f, RedOp r, DType t, LLVMValueRef acc, LLVMValueRef x)
{
    bool real = te_is_float(t);
    LLVMValueRef v;
    switch (r) {
    case RED_SUM:
    case RED_PROD:
        if (!real) return add_sub_mul(f, r == RED_SUM ? EX_ADD : EX_MUL, t, acc, x);
        v = r == RED_SUM ? LLVMBuildFAdd(f->b, acc, x, "") : LLVMBuildFMul(f->b, acc, x, "");
        return cg_round(f, t, flag(f, t, v, LLVMFastMathAllowContract | LLVMFastMathAllowReassoc));
    case RED_MAX: return max_min(f, true, t, acc, x);
    case RED_MIN: return max_min(f, false, t, acc, x);
    case RED_ANY: return LLVMBuildOr(f->b, acc, x, "");
    case RED_ALL: return LLVMBuildAnd(f->b, acc, x, "");
    default: cg_fail(f->c, "%s is no simple reduction", te_red_name[r]);
    }
}
