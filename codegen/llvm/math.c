/* math: the programs of num.h (mathematical functions, conversions) as LLVM code, instruction by instruction, in as
 * many lanes as the inputs have. No flags are set: the results are those of the interpreter bit for bit, in `fast`
 * numerics too. */
#include "codegen/llvm/llvm.h"

static LLVMTypeRef type_of(Cg *c, uint8_t t)
{
    switch ((MathType)t) {
    case MT_F32: return c->f32;
    case MT_F64: return c->f64;
    case MT_I32: return c->i32;
    case MT_I64: return c->i64;
    case MT_BOOL: return c->i1;
    }
    return c->i1;
}

static LLVMValueRef constant(Cg *c, const MathInst *in, int lanes)
{
    LLVMTypeRef t = cg_wide(type_of(c, in->type), lanes);
    if (in->type == MT_F32) {
        uint32_t bits = (uint32_t)in->bits;
        LLVMTypeRef it = cg_wide(c->i32, lanes);
        return LLVMConstBitCast(cg_int(it, (int64_t)bits), t);
    }
    if (in->type == MT_F64) return LLVMConstBitCast(cg_int(cg_wide(c->i64, lanes), (int64_t)in->bits), t);
    return cg_int(t, (int64_t)in->bits);
}

static LLVMValueRef fcmp(Fn *f, LLVMRealPredicate p, LLVMValueRef *a) { return LLVMBuildFCmp(f->b, p, a[0], a[1], ""); }
static LLVMValueRef icmp(Fn *f, LLVMIntPredicate p, LLVMValueRef *a) { return LLVMBuildICmp(f->b, p, a[0], a[1], ""); }

static LLVMValueRef step(Fn *f, const MathInst *in, LLVMValueRef *a, LLVMTypeRef t)
{
    LLVMBuilderRef b = f->b;
    switch ((MathOp)in->op) {
    case MO_FADD: return LLVMBuildFAdd(b, a[0], a[1], "");
    case MO_FSUB: return LLVMBuildFSub(b, a[0], a[1], "");
    case MO_FMUL: return LLVMBuildFMul(b, a[0], a[1], "");
    case MO_FDIV: return LLVMBuildFDiv(b, a[0], a[1], "");
    case MO_FMA: return cg_call(f, "llvm.fma", t, 3, a);
    case MO_FSQRT: return cg_call1(f, "llvm.sqrt", a[0]);
    case MO_FABS: return cg_call1(f, "llvm.fabs", a[0]);
    case MO_FNEG: return LLVMBuildFNeg(b, a[0], "");
    case MO_FLOOR: return cg_call1(f, "llvm.floor", a[0]);
    case MO_FRINT: return cg_call1(f, "llvm.rint", a[0]);
    case MO_FTRUNC: return cg_call1(f, "llvm.trunc", a[0]);
    case MO_FLT: return fcmp(f, LLVMRealOLT, a);
    case MO_FLE: return fcmp(f, LLVMRealOLE, a);
    case MO_FEQ: return fcmp(f, LLVMRealOEQ, a);
    case MO_FUNO: return fcmp(f, LLVMRealUNO, a);
    case MO_IADD: return LLVMBuildAdd(b, a[0], a[1], "");
    case MO_ISUB: return LLVMBuildSub(b, a[0], a[1], "");
    case MO_IMUL: return LLVMBuildMul(b, a[0], a[1], "");
    case MO_IAND:
    case MO_BAND: return LLVMBuildAnd(b, a[0], a[1], "");
    case MO_IOR:
    case MO_BOR: return LLVMBuildOr(b, a[0], a[1], "");
    case MO_IXOR: return LLVMBuildXor(b, a[0], a[1], "");
    case MO_ISHL: return LLVMBuildShl(b, a[0], a[1], "");
    case MO_ILSR: return LLVMBuildLShr(b, a[0], a[1], "");
    case MO_IASR: return LLVMBuildAShr(b, a[0], a[1], "");
    case MO_ILT: return icmp(f, LLVMIntSLT, a);
    case MO_IEQ: return icmp(f, LLVMIntEQ, a);
    case MO_IULT: return icmp(f, LLVMIntULT, a);
    case MO_BNOT: return LLVMBuildNot(b, a[0], "");
    case MO_SEL: return LLVMBuildSelect(b, a[0], a[1], a[2], "");
    case MO_BITS: return LLVMBuildBitCast(b, a[0], t, "");
    /* Lanes whose result is thrown away may hold anything, so the plain conversion (poison out of range) is frozen. */
    case MO_F2I: return LLVMBuildFreeze(b, LLVMBuildFPToSI(b, a[0], t, ""), "");
    case MO_I2F: return LLVMBuildSIToFP(b, a[0], t, "");
    case MO_FEXT: return LLVMBuildFPExt(b, a[0], t, "");
    case MO_FCVT: return LLVMBuildFPTrunc(b, a[0], t, "");
    case MO_SEXT: return LLVMBuildSExt(b, a[0], t, "");
    case MO_ITRUNC: return LLVMBuildTrunc(b, a[0], t, "");
    case MO_IN:
    case MO_CONST:
    case MO_COUNT: break;
    }
    return NULL;
}

LLVMValueRef cg_prog(Fn *f, const MathProg *p, LLVMValueRef *in)
{
    static const uint8_t nargs[] = {
#define MATH(ID, n) n,
#include "ir/mathops.def"
#undef MATH
    };
    int lanes = cg_lanes(in[0]);
    LLVMValueRef *v = NEW_ARRAY(f->c->mem, LLVMValueRef, p->n);
    for (int i = 0; i < p->n; i++) {
        const MathInst *mi = &p->at[i];
        LLVMValueRef a[3] = {NULL, NULL, NULL};
        if (mi->op == MO_IN)
            v[i] = in[mi->arg[0]];
        else if (mi->op == MO_CONST)
            v[i] = constant(f->c, mi, lanes);
        else {
            for (int k = 0; k < nargs[mi->op]; k++) a[k] = v[mi->arg[k]];
            v[i] = step(f, mi, a, cg_wide(type_of(f->c, mi->type), lanes));
        }
    }
    return v[p->result];
}

LLVMValueRef cg_math(Fn *f, ExprOp op, DType t, LLVMValueRef *arg)
{
    const MathProg *p = num_math(op, te_type[t].reg == RC_F64 ? DT_F64 : DT_F32);
    if (!p) cg_fail(f->c, "no program for %s", te_expr[op].text);
    return cg_round(f, t, cg_prog(f, p, arg));
}
