/* math: the straight-line programs of num.h (functions of the language) as instructions, one for one, so that results
 * have the interpreter's bits. */
#include "codegen/g9/g9.h"

static const uint8_t nargs[] = {
#define MATH(ID, n) n,
#include "ir/mathops.def"
#undef MATH
};

static bool wide(int type) { return type == MT_F64 || type == MT_I64; }

static Val real(G9 *g, IsaOp op, int type, uint8_t flag, int round, int n, const Val *a)
{
    Op o = {.op = op, .mod = {wide(type) ? IT_F64 : IT_F32, (uint16_t)round}, .flag = flag};
    return g_gen(g, o, n, a);
}

static Val compare_reals(G9 *g, int cmp, int type, const Val *a)
{
    return g_gen(g, OP(G9_FSETP, (uint16_t)cmp, wide(type) ? IT_F64 : IT_F32), 2, a);
}

static Val compare_ints(G9 *g, int cmp, bool sign, int type, const Val *a)
{
    IsaType t = wide(type) ? (sign ? IT_S64 : IT_U64) : sign ? IT_S32 : IT_U32;
    return g_gen(g, OP(G9_ISETP, (uint16_t)cmp, t), 2, a);
}

static Val logic(G9 *g, int table, int type, const Val *a)
{
    return g_gen(g, OP(G9_LOP3, wide(type) ? IT_B64 : IT_B32), 4, (Val[]){a[0], a[1], g_imm(0), g_imm(table)});
}

static Val shift(G9 *g, IsaOp op, bool sign, int type, const Val *a)
{
    IsaType t = wide(type) ? (sign ? IT_S64 : IT_U64) : sign ? IT_S32 : IT_U32;
    return g_gen2(g, OP(op, t), a[0], g_half(a[1], 0));
}

static Val sum(G9 *g, uint8_t flag, int type, const Val *a)
{
    return g_gen3(g, OPF(G9_IADD3, flag, wide(type) ? IT_S64 : IT_S32), a[0], a[1], g_imm(0));
}

static Val step(G9 *g, const MathInst *mi, const MathType *in, const Val *a)
{
    int t = mi->type, from = in[0];
    IsaType f = wide(t) ? IT_F64 : IT_F32, i = wide(t) ? IT_S64 : IT_S32;
    switch ((MathOp)mi->op) {
    case MO_FADD: return real(g, G9_FADD, t, 0, 0, 2, a);
    case MO_FSUB: return real(g, G9_FADD, t, NEG_B, 0, 2, a);
    case MO_FMUL: return real(g, G9_FMUL, t, 0, 0, 2, a);
    case MO_FDIV: return real(g, G9_FDIV, t, 0, 0, 2, a);
    case MO_FMA: return real(g, G9_FFMA, t, 0, 0, 3, a);
    case MO_FSQRT: return real(g, G9_SQRT, t, 0, 0, 1, a);
    case MO_FABS: return g_gen1(g, OP(G9_FABS, f), a[0]);
    case MO_FNEG: return g_gen1(g, OP(G9_FNEG, f), a[0]);
    case MO_FLOOR: return real(g, G9_FRND, t, 0, 2, 1, a);
    case MO_FRINT: return real(g, G9_FRND, t, 0, 0, 1, a);
    case MO_FTRUNC: return real(g, G9_FRND, t, 0, 1, 1, a);
    case MO_FLT: return compare_reals(g, 2, from, a);
    case MO_FLE: return compare_reals(g, 3, from, a);
    case MO_FEQ: return compare_reals(g, 0, from, a);
    case MO_FUNO: return compare_reals(g, 13, from, a);
    case MO_IADD: return sum(g, 0, t, a);
    case MO_ISUB: return sum(g, NEG_B, t, a);
    case MO_IMUL: return g_gen(g, OP(G9_IMUL, i), 2, a);
    case MO_IAND: return logic(g, 0xc0, t, a);
    case MO_IOR: return logic(g, 0xfc, t, a);
    case MO_IXOR: return logic(g, 0x3c, t, a);
    case MO_ISHL: return shift(g, G9_SHL, false, t, a);
    case MO_ILSR: return shift(g, G9_SHR, false, t, a);
    case MO_IASR: return shift(g, G9_SHR, true, t, a);
    case MO_ILT: return compare_ints(g, 2, true, from, a);
    case MO_IEQ: return compare_ints(g, 0, true, from, a);
    case MO_IULT: return compare_ints(g, 2, false, from, a);
    case MO_BAND: return g_and(g, a[0], a[1]);
    case MO_BOR: return g_or(g, a[0], a[1]);
    case MO_BNOT: return g_not(a[0]);
    case MO_SEL: return g_select(g, a[0], a[1], a[2]);
    case MO_BITS: return a[0];
    case MO_F2I: return g_gen1(g, OP(G9_CVT, i, wide(from) ? IT_F64 : IT_F32, 1), a[0]);
    case MO_I2F: return g_gen1(g, OP(G9_CVT, f, wide(from) ? IT_S64 : IT_S32), a[0]);
    case MO_FEXT: return g_gen1(g, OP(G9_CVT, IT_F64, IT_F32), a[0]);
    case MO_FCVT: return g_gen1(g, OP(G9_CVT, IT_F32, IT_F64), a[0]);
    case MO_SEXT: return g_gen3(g, OP(G9_LEA, IT_S64), a[0], g_bits64(0), g_imm(0));
    case MO_ITRUNC: return g_half(a[0], 0);
    case MO_IN:
    case MO_CONST:
    case MO_COUNT: break;
    }
    g_fail(g, "a step of a function that has no translation");
}

static Val literal(const MathInst *mi)
{
    if (mi->type == MT_BOOL) return g_true(mi->bits != 0);
    return wide(mi->type) ? g_bits64(mi->bits) : g_bits((uint32_t)mi->bits);
}

static Val program(G9 *g, const MathProg *p, const Val *in)
{
    Val *v = NEW_ARRAY(g->mem, Val, p->n);
    for (int i = 0; i < p->n; i++) {
        const MathInst *mi = &p->at[i];
        Val a[3] = {0};
        MathType types[3] = {0};
        if (mi->op == MO_IN) {
            v[i] = in[mi->arg[0]];
        } else if (mi->op == MO_CONST) {
            v[i] = literal(mi);
        } else {
            for (int k = 0; k < nargs[mi->op]; k++) {
                a[k] = v[mi->arg[k]];
                types[k] = (MathType)p->at[mi->arg[k]].type;
            }
            v[i] = step(g, mi, types, a);
        }
    }
    return v[p->result];
}

Val g_math(G9 *g, ExprOp op, DType t, const Val *a)
{
    const MathProg *p = num_math(op, te_type[t].reg == RC_F64 ? DT_F64 : DT_F32);
    if (!p) g_fail(g, "no program for %s", te_expr[op].text);
    return g_round(g, t, program(g, p, a));
}
