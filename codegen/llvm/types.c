/* types: data types in LLVM: held and stored forms, conversions, constants, and small helpers on builders that
 * everything else stands on. Relies on math.c for conversions that are programs (num.h). Everything works on scalars
 * and vectors alike. */
#include "codegen/llvm/llvm.h"

#include <stdlib.h>
#include <string.h>

void cg_fail(Cg *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    c->error = arena_vprintf(c->mem, fmt, ap);
    va_end(ap);
    longjmp(*c->bail, 1);
}

/* ---- types ----------------------------------------------------------------------------------------------------------
 */
LLVMTypeRef cg_held(Cg *c, DType t)
{
    const TypeInfo *ti = &te_type[t];
    if (ti->reg == RC_F64) return c->f64;
    if (ti->reg == RC_F32) return c->f32;
    if (ti->cls == 'B') return c->i1;
    return LLVMIntTypeInContext(c->ctx, ti->bits < 8 ? 8 : (unsigned)ti->bits);
}

LLVMTypeRef cg_elem(Cg *c, DType t, Rep r)
{
    const TypeInfo *ti = &te_type[t];
    if (ti->cls == 'B' || r == REP_NIBBLE) return c->i8;
    if (r == REP_HELD) return cg_held(c, t);
    if (t == DT_F16 && c->t->f16c) return c->f16;
    if (t == DT_F32 || t == DT_F64 || t == DT_TF32) return cg_held(c, t);
    return LLVMIntTypeInContext(c->ctx, ti->bits < 8 ? 8 : (unsigned)ti->bits);
}

LLVMTypeRef cg_wide(LLVMTypeRef t, int lanes) { return lanes == 1 ? t : LLVMVectorType(t, (unsigned)lanes); }

int cg_lanes(LLVMValueRef v)
{
    LLVMTypeRef t = LLVMTypeOf(v);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? (int)LLVMGetVectorSize(t) : 1;
}

LLVMTypeRef cg_like(LLVMValueRef v, LLVMTypeRef t) { return cg_wide(t, cg_lanes(v)); }

/* ---- constants ------------------------------------------------------------------------------------------------------
 */
static LLVMValueRef spread(LLVMTypeRef t, LLVMValueRef k)
{
    unsigned n = LLVMGetVectorSize(t);
    LLVMValueRef all[1024];
    for (unsigned i = 0; i < n; i++) all[i] = k;
    return LLVMConstVector(all, n);
}

LLVMValueRef cg_int(LLVMTypeRef t, int64_t v)
{
    if (LLVMGetTypeKind(t) == LLVMVectorTypeKind) return spread(t, cg_int(LLVMGetElementType(t), v));
    unsigned bits = LLVMGetIntTypeWidth(t);
    uint64_t u = (uint64_t)v;
    return LLVMConstInt(t, bits < 64 ? u & ((UINT64_C(1) << bits) - 1) : u, 0);
}

LLVMValueRef cg_real(LLVMTypeRef t, double v)
{
    if (LLVMGetTypeKind(t) == LLVMVectorTypeKind) return spread(t, cg_real(LLVMGetElementType(t), v));
    return LLVMConstReal(t, v);
}

LLVMValueRef cg_num(Cg *c, DType t, Num v)
{
    LLVMTypeRef ty = cg_held(c, t);
    if (te_type[t].reg == RC_F64) return LLVMConstReal(ty, v.d);
    if (te_type[t].reg == RC_F32) return LLVMConstReal(ty, (double)v.f);
    return cg_int(ty, v.i);
}

bool cg_known(LLVMValueRef v, int64_t *out)
{
    if (!v || !LLVMIsAConstantInt(v)) return false;
    *out = LLVMConstIntGetSExtValue(v);
    return true;
}

LLVMValueRef cg_iota(Cg *c, LLVMTypeRef t, int lanes)
{
    LLVMValueRef *at = NEW_ARRAY(c->mem, LLVMValueRef, lanes);
    for (int i = 0; i < lanes; i++) at[i] = cg_int(t, i);
    return LLVMConstVector(at, (unsigned)lanes);
}

/* ---- values ---------------------------------------------------------------------------------------------------------
 */
Val cg_uni(LLVMValueRef v) { return (Val){.kind = VAL_UNI, .v = v}; }
Val cg_val(LLVMValueRef v) { return (Val){.kind = cg_lanes(v) > 1 ? VAL_VEC : VAL_UNI, .v = v}; }

static LLVMValueRef splat_to(Fn *f, LLVMValueRef v, int lanes)
{
    LLVMTypeRef t = cg_wide(LLVMTypeOf(v), lanes);
    if (LLVMIsAConstantInt(v) || LLVMIsAConstantFP(v)) return spread(t, v);
    LLVMValueRef one = LLVMBuildInsertElement(f->b, LLVMGetPoison(t), v, cg_int(f->c->i32, 0), "");
    return LLVMBuildShuffleVector(f->b, one, LLVMGetPoison(t), LLVMConstNull(cg_wide(f->c->i32, lanes)), "");
}

LLVMValueRef cg_splat(Fn *f, LLVMValueRef v) { return f->lanes == 1 ? v : splat_to(f, v, f->lanes); }

LLVMValueRef cg_vec(Fn *f, Val v)
{
    if (f->lanes == 1 || v.kind == VAL_VEC) return v.v;
    LLVMValueRef base = cg_splat(f, v.v);
    if (v.kind == VAL_UNI) return base;
    LLVMValueRef lane = cg_iota(f->c, f->c->i64, f->lanes);
    return LLVMBuildAdd(f->b, base, LLVMBuildMul(f->b, lane, cg_splat(f, v.step), ""), "");
}

LLVMValueRef cg_any(Fn *f, LLVMValueRef mask)
{
    int n = cg_lanes(mask);
    if (n == 1) return mask;
    LLVMTypeRef bits = LLVMIntTypeInContext(f->c->ctx, (unsigned)n);
    return LLVMBuildICmp(f->b, LLVMIntNE, LLVMBuildBitCast(f->b, mask, bits, ""), cg_int(bits, 0), "any");
}

LLVMValueRef cg_add(Fn *f, LLVMValueRef a, LLVMValueRef b)
{
    int64_t k;
    if (cg_known(a, &k) && k == 0) return b;
    if (cg_known(b, &k) && k == 0) return a;
    return LLVMBuildAdd(f->b, a, b, "");
}

LLVMValueRef cg_sub(Fn *f, LLVMValueRef a, LLVMValueRef b)
{
    int64_t k;
    if (cg_known(b, &k) && k == 0) return a;
    return LLVMBuildSub(f->b, a, b, "");
}

LLVMValueRef cg_mul(Fn *f, LLVMValueRef a, LLVMValueRef b)
{
    int64_t k;
    if (cg_known(a, &k) && (k == 0 || k == 1)) return k ? b : a;
    if (cg_known(b, &k) && (k == 0 || k == 1)) return k ? a : b;
    return LLVMBuildMul(f->b, a, b, "");
}

/* ---- intrinsics, blocks ---------------------------------------------------------------------------------------------
 */
LLVMValueRef cg_call(Fn *f, const char *intrinsic, LLVMTypeRef over, int n, LLVMValueRef *args)
{
    unsigned id = LLVMLookupIntrinsicID(intrinsic, strlen(intrinsic));
    if (!id) cg_fail(f->c, "this LLVM has no %s", intrinsic);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(f->c->mod, id, &over, over ? 1 : 0);
    LLVMTypeRef type = LLVMIntrinsicGetType(f->c->ctx, id, &over, over ? 1 : 0);
    return LLVMBuildCall2(f->b, type, fn, args, (unsigned)n, "");
}

LLVMValueRef cg_call1(Fn *f, const char *intrinsic, LLVMValueRef a)
{
    return cg_call(f, intrinsic, LLVMTypeOf(a), 1, &a);
}

LLVMValueRef cg_call2(Fn *f, const char *intrinsic, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef args[] = {a, b};
    return cg_call(f, intrinsic, LLVMTypeOf(a), 2, args);
}

LLVMValueRef cg_alloca(Fn *f, LLVMTypeRef t, int64_t n)
{
    LLVMTypeRef array = LLVMArrayType2(t, (uint64_t)n);
    LLVMValueRef a = LLVMBuildAlloca(f->eb, array, "");
    LLVMSetAlignment(a, 64);
    return a;
}

LLVMBasicBlockRef cg_block_new(Fn *f, const char *name)
{
    return LLVMAppendBasicBlockInContext(f->c->ctx, f->fn, name);
}

void cg_goto(Fn *f, LLVMBasicBlockRef b)
{
    if (!LLVMGetBasicBlockTerminator(LLVMGetInsertBlock(f->b))) LLVMBuildBr(f->b, b);
}

void cg_enter(Fn *f, LLVMBasicBlockRef b)
{
    LLVMMoveBasicBlockAfter(b, LLVMGetInsertBlock(f->b));
    LLVMPositionBuilderAtEnd(f->b, b);
}

/* ---- memory forms
 * ---------------------------------------------------------------------------------------------------- */
static bool small_float(DType t)
{
    return t == DT_TF32 || t == DT_F16 || t == DT_BF16 || t == DT_F8E4M3 || t == DT_F8E5M2;
}

LLVMValueRef cg_decode(Fn *f, DType t, Rep r, LLVMValueRef x)
{
    Cg *c = f->c;
    if (t == DT_U1) return LLVMBuildICmp(f->b, LLVMIntNE, x, LLVMConstNull(LLVMTypeOf(x)), "");
    if (r == REP_HELD || !small_float(t) || t == DT_TF32) return x;
    if (t == DT_F16 && c->t->f16c) return LLVMBuildFPExt(f->b, x, cg_like(x, c->f32), "");
    LLVMValueRef bits = LLVMBuildZExt(f->b, x, cg_like(x, c->i32), "");
    return cg_prog(f, num_widen_prog(t), &bits);
}

LLVMValueRef cg_encode(Fn *f, DType t, Rep r, LLVMValueRef x)
{
    Cg *c = f->c;
    if (t == DT_U1) return LLVMBuildZExt(f->b, x, cg_like(x, c->i8), "");
    if (r == REP_HELD || !small_float(t) || t == DT_TF32) return x;
    if (t == DT_F16 && c->t->f16c) return LLVMBuildFPTrunc(f->b, x, cg_like(x, c->f16), "");
    LLVMTypeRef mem = cg_like(x, LLVMIntTypeInContext(c->ctx, (unsigned)te_type[t].bits));
    if (t == DT_BF16) { /* the value is exact: its upper half is the stored form */
        LLVMValueRef bits = LLVMBuildBitCast(f->b, x, cg_like(x, c->i32), "");
        return LLVMBuildTrunc(f->b, LLVMBuildLShr(f->b, bits, cg_int(LLVMTypeOf(bits), 16), ""), mem, "");
    }
    return LLVMBuildTrunc(f->b, cg_prog(f, num_round_prog(t), &x), mem, "");
}

LLVMValueRef cg_round(Fn *f, DType t, LLVMValueRef x)
{
    Cg *c = f->c;
    if (!small_float(t)) return x;
    if (t == DT_F16 && c->t->f16c)
        return LLVMBuildFPExt(f->b, LLVMBuildFPTrunc(f->b, x, cg_like(x, c->f16), ""), LLVMTypeOf(x), "");
    LLVMValueRef bits = cg_prog(f, num_round_prog(t), &x);
    return cg_prog(f, num_widen_prog(t), &bits);
}

LLVMValueRef cg_wrap(Fn *f, DType t, LLVMValueRef x)
{
    LLVMTypeRef ty = LLVMTypeOf(x);
    if (t == DT_U4) return LLVMBuildAnd(f->b, x, cg_int(ty, 15), "");
    if (t != DT_I4) return x;
    return LLVMBuildAShr(f->b, LLVMBuildShl(f->b, x, cg_int(ty, 4), ""), cg_int(ty, 4), "");
}

/* ---- casts ----------------------------------------------------------------------------------------------------------
 */
static bool is_signed(DType t) { return te_type[t].cls == 'I' || te_type[t].cls == 'X'; }

/* f64 → f32 rounded to odd, so that a second rounding to a shorter type gives what one rounding would (Boldo and
 * Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd", IEEE TC 2008). */
static LLVMValueRef narrow_odd(Fn *f, LLVMValueRef d)
{
    Cg *c = f->c;
    LLVMTypeRef i32 = cg_like(d, c->i32);
    LLVMValueRef x = LLVMBuildFPTrunc(f->b, d, cg_like(d, c->f32), "");
    LLVMValueRef back = LLVMBuildFPExt(f->b, x, LLVMTypeOf(d), "");
    LLVMValueRef inexact = LLVMBuildFCmp(f->b, LLVMRealONE, back, d, "");
    LLVMValueRef above =
        LLVMBuildFCmp(f->b, LLVMRealOGT, cg_call1(f, "llvm.fabs", back), cg_call1(f, "llvm.fabs", d), "");
    LLVMValueRef bits = LLVMBuildBitCast(f->b, x, i32, "");
    LLVMValueRef down = LLVMBuildSub(f->b, bits, LLVMBuildZExt(f->b, above, i32, ""), "");
    LLVMValueRef odd = LLVMBuildOr(f->b, down, LLVMBuildZExt(f->b, inexact, i32, ""), "");
    return LLVMBuildBitCast(f->b, odd, LLVMTypeOf(x), "");
}

/* 64-bit integers of magnitude 2^53 and more → the neighbour that f64 holds exactly and whose last kept bit is odd. */
static LLVMValueRef sticky(Fn *f, LLVMValueRef x, bool sign)
{
    LLVMTypeRef ty = LLVMTypeOf(x);
    LLVMValueRef low = LLVMBuildAnd(f->b, x, cg_int(ty, 0x7ff), "");
    LLVMValueRef lost = LLVMBuildICmp(f->b, LLVMIntNE, low, cg_int(ty, 0), "");
    LLVMValueRef bit = LLVMBuildShl(f->b, LLVMBuildZExt(f->b, lost, ty, ""), cg_int(ty, 11), "");
    LLVMValueRef cut = LLVMBuildOr(f->b, LLVMBuildAnd(f->b, x, cg_int(ty, ~INT64_C(0x7ff)), ""), bit, "");
    LLVMValueRef high = LLVMBuildICmp(f->b, LLVMIntUGE, x, cg_int(ty, INT64_C(1) << 53), "");
    if (sign) {
        LLVMValueRef moved = LLVMBuildAdd(f->b, x, cg_int(ty, INT64_C(1) << 53), "");
        high = LLVMBuildICmp(f->b, LLVMIntUGE, moved, cg_int(ty, INT64_C(1) << 54), "");
    }
    return LLVMBuildSelect(f->b, high, cut, x, "");
}

static LLVMValueRef int_to_real(Fn *f, DType from, LLVMValueRef x, LLVMTypeRef to)
{
    return is_signed(from) ? LLVMBuildSIToFP(f->b, x, to, "") : LLVMBuildUIToFP(f->b, x, to, "");
}

static LLVMValueRef int_to_float(Fn *f, DType to, DType from, LLVMValueRef x)
{
    Cg *c = f->c;
    if (to == DT_F64 || to == DT_F32) return int_to_real(f, from, x, cg_like(x, cg_held(c, to)));
    if (te_type[from].bits <= 16 || te_type[from].cls == 'B')
        return cg_round(f, to, int_to_real(f, from, x, cg_like(x, c->f32)));
    if (te_type[from].bits == 64) x = sticky(f, x, is_signed(from));
    return cg_round(f, to, narrow_odd(f, int_to_real(f, from, x, cg_like(x, c->f64))));
}

static LLVMValueRef float_to_int(Fn *f, DType to, LLVMValueRef x)
{
    Cg *c = f->c;
    LLVMTypeRef ty = cg_like(x, cg_held(c, to));
    LLVMTypeRef over[] = {ty, LLVMTypeOf(x)};
    const char *name = is_signed(to) ? "llvm.fptosi.sat" : "llvm.fptoui.sat";
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(c->mod, id, over, 2);
    LLVMValueRef r = LLVMBuildCall2(f->b, LLVMIntrinsicGetType(c->ctx, id, over, 2), fn, &x, 1, "");
    if (to == DT_I4) r = cg_call2(f, "llvm.smax", cg_call2(f, "llvm.smin", r, cg_int(ty, 7)), cg_int(ty, -8));
    if (to == DT_U4) r = cg_call2(f, "llvm.umin", r, cg_int(ty, 15));
    return r;
}

static LLVMValueRef int_to_int(Fn *f, DType to, DType from, LLVMValueRef x)
{
    LLVMTypeRef ty = cg_like(x, cg_held(f->c, to));
    unsigned a = LLVMGetIntTypeWidth(cg_held(f->c, from)), b = LLVMGetIntTypeWidth(cg_held(f->c, to));
    if (a > b) x = LLVMBuildTrunc(f->b, x, ty, "");
    if (a < b) x = is_signed(from) ? LLVMBuildSExt(f->b, x, ty, "") : LLVMBuildZExt(f->b, x, ty, "");
    return cg_wrap(f, to, x);
}

LLVMValueRef cg_cast(Fn *f, DType to, DType from, LLVMValueRef x)
{
    Cg *c = f->c;
    if (to == from) return x;
    bool fto = te_is_float(to), ffrom = te_is_float(from);
    if (to == DT_U1) {
        LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(x));
        return ffrom ? LLVMBuildFCmp(f->b, LLVMRealUNE, x, zero, "") : LLVMBuildICmp(f->b, LLVMIntNE, x, zero, "");
    }
    if (!ffrom) return fto ? int_to_float(f, to, from, x) : int_to_int(f, to, from, x);
    if (!fto) return float_to_int(f, to, x);
    if (to == DT_F64) return LLVMBuildFPExt(f->b, x, cg_like(x, c->f64), "");
    if (from != DT_F64) return cg_round(f, to, x);
    return to == DT_F32 ? LLVMBuildFPTrunc(f->b, x, cg_like(x, c->f32), "") : cg_round(f, to, narrow_odd(f, x));
}
