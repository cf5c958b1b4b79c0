/* code: instructions and their 128 bits.
 *
 *   bits    0–9 opcode   10–13 guard   14–21 D   22–29 A   30–37 B   38–45 C   46–48 PD   49–51 PE   52–55 PS   56–59
 * PT 60–63 stall  64–95 immediate   96–121 modifiers   122–124 form   125–127 wait
 *
 * Modifiers are the row's groups in order, then one bit for each operand's `-` and `|…|`, then a number operand.
 * Whatever a row does not use is 0, so that an instruction has one encoding and a bit pattern at most one meaning. */
#include "isa/isa_priv.h"

static const char *complain(const char **why, const char *text)
{
    if (why) *why = text;
    return text;
}
#define REFUSE(text) return complain(why, text), false

/* ---- what a row uses -----------------------------------------------------------------------------------------------
 */

typedef struct Use {
    bool r[IS_SLOTS], p[ISP_SLOTS], imm;
    int nflex;
    const IsaOperand *flex[2];
} Use;

static Use use_of(const IsaRow *row)
{
    Use u = {0};
    for (const IsaOperand *o = row->operand; o->kind; o++) switch (o->kind) {
        case IO_FLEX:
        case IO_UFLEX: u.flex[u.nflex++] = o; /* fallthrough */
        case IO_REG:
        case IO_UREG:
        case IO_BARRIER: u.r[o->slot] = true; break;
        case IO_PRED:
        case IO_PREDS: u.p[o->slot] = true; break;
        case IO_GLOBAL:
        case IO_GLOBALH:
        case IO_SHARED: u.r[IS_B] = true; /* fallthrough */
        case IO_GLOBAL1:
        case IO_SHARED1:
        case IO_SHAREDD:
        case IO_LOCAL:
        case IO_CONST:
        case IO_PARAM: u.r[o->slot] = u.imm = true; break;
        case IO_SREG:
        case IO_USREG:
        case IO_TARGET:
        case IO_IMM32: u.imm = true; break;
        default: break;
        }
    return u;
}

const IsaOperand *isa_flex(const IsaInst *in)
{
    if (in->form == IFORM_REG || in->form >= IFORM_COUNT) return NULL;
    Use u = use_of(&isa_row[in->op]);
    int which = in->form >= IFORM_IMM2;
    return which < u.nflex ? u.flex[which] : NULL;
}

int isa_type_of(const IsaInst *in, int which)
{
    const IsaRow *row = &isa_row[in->op];
    for (int i = 0; i < ISA_MODS && row->mod[i].group; i++)
        if (row->mod[i].group == IG_TYPE && which-- == 0) return in->mod[i];
    return -1;
}

int isa_mod_of(const IsaInst *in, IsaGroup g)
{
    const IsaRow *row = &isa_row[in->op];
    for (int i = 0; i < ISA_MODS && row->mod[i].group; i++)
        if (row->mod[i].group == g) return in->mod[i];
    return 0;
}

IsaInst isa_inst(IsaOp op)
{
    IsaInst in = {.op = (uint16_t)op, .guard = ISA_PT};
    for (const IsaOperand *o = isa_row[op].operand; o->kind; o++) {
        if (o->kind == IO_PRED || o->kind == IO_PREDS) in.p[o->slot] = ISA_PT;
        if (o->kind == IO_GLOBAL || o->kind == IO_GLOBALH || o->kind == IO_SHARED) in.r[IS_B] = ISA_URZ;
    }
    return in;
}

IsaPipe isa_pipe_of(const IsaInst *in)
{
    IsaPipe p = isa_row[in->op].pipe;
    int t = isa_type_of(in, 0);
    if (p != IP_FP32) return p;
    return t == IT_F64 ? IP_FP64 : isa_is_x2(t) ? IP_FP16 : IP_FP32;
}

/* ---- widths --------------------------------------------------------------------------------------------------------
 */

static int registers(int bits, int n, int warp) { return (n * bits / 32 + warp - 1) / warp; }

static int width_of_type(int t) { return t < 0 ? 1 : isa_type[t].bits == 128 ? 4 : isa_type[t].bits == 64 ? 2 : 1; }

int isa_width(const IsaInst *in, const IsaOperand *o, int warp)
{
    IsaShape s = isa_shape((unsigned)isa_mod_of(in, IG_SHAPE));
    bool group = isa_row[in->op].rule == IR_WGMMA;
    int t0 = isa_type_of(in, 0), t1 = isa_type_of(in, 1), t2 = isa_type_of(in, 2);
    switch (o->width) {
    case IW_T: return width_of_type(t0);
    case IW_T2: return width_of_type(t1);
    case IW_2: return 2;
    case IW_C: return registers(32, 32 << isa_mod_of(in, IG_TILES), warp);
    case IW_MD:
        if (group) s.m = 16;
        return isa_fragment_registers(IFR_D, s, isa_type[t0].bits, warp);
    case IW_MA16: s.m = 16; /* fallthrough */
    case IW_MA: return isa_fragment_registers(IFR_A, s, isa_type[t1].bits, warp);
    case IW_MAS: s.k /= 2; return isa_fragment_registers(IFR_A, s, isa_type[t1].bits, warp);
    case IW_MB: return isa_fragment_registers(IFR_B, s, isa_type[t2].bits, warp);
    case IW_ME: {
        s.k /= 2;
        int a = isa_fragment_registers(IFR_A, s, isa_type[t1].bits, 32), bits = a * (32 / isa_type[t1].bits) * 2;
        return registers(32, (bits + 31) / 32 * 32, warp);
    }
    default: return 1;
    }
}

/* Values of 64 and 128 bits are aligned; a fragment is at most to 4. */
int isa_align(const IsaInst *in, const IsaOperand *o, int warp)
{
    int w = isa_width(in, o, warp);
    return w >= 4 ? 4 : w >= 2 ? 2 : 1;
}

/* ---- which combinations exist ---------------------------------------------------------------------------------------
 */

static bool is_float(int t) { return isa_type[t].cls == 'F'; }
static bool is_f8(int t) { return t == IT_E4M3 || t == IT_E5M2; }
static bool narrow_float(int t) { return t == IT_F16 || t == IT_BF16 || is_f8(t); }

static bool rule_cvt(const IsaInst *in, const char **why)
{
    int to = in->mod[0], from = in->mod[1];
    if (to == from) REFUSE("a conversion has two types");
    if (in->mod[2] && !is_float(to) && !is_float(from)) REFUSE("integers are not rounded");
    bool ints = !is_float(to) && !is_float(from);
    if (in->mod[3] && !ints && !narrow_float(to)) REFUSE("sat: between integers, or to f16, bf16, e4m3 or e5m2");
    if (in->flag && !is_float(from)) REFUSE("only a float can be negated here");
    return true;
}

static bool rule_pack(const IsaInst *in, const char **why)
{
    int to = in->mod[0], from = in->mod[1];
    if (is_float(to) && from != IT_F32) REFUSE("floats are packed from f32");
    if (in->mod[2] && from != IT_F32) REFUSE("integers are not rounded");
    if (in->mod[3] && !is_float(to) && from == IT_F32) REFUSE("floats always clamp to integers");
    return true;
}

static bool rule_atom(const IsaInst *in, const char **why)
{
    int op = in->mod[0], t = in->mod[1]; /* ATOMIC and REDUCE agree in their first six words */
    char cls = isa_type[t].cls;
    if (op == 0 && cls == 'B') REFUSE("add needs a number's type");
    if ((op == 1 || op == 2) && cls != 'I' && cls != 'U') REFUSE("min and max need an integer type");
    if (op >= 3 && cls != 'B') REFUSE("and, or, xor and exch need b32 or b64");
    return true;
}

static bool rule_mma(const IsaInst *in, const char **why)
{
    const IsaRow *row = &isa_row[in->op];
    IsaShape s = isa_shape(in->mod[0]);
    int d = in->mod[1], a = in->mod[2], b = in->mod[3];
    bool same =
        a == b || (is_f8(a) && is_f8(b)) || (!is_float(a) && !is_float(b) && isa_type[a].bits == isa_type[b].bits);
    if (!same) REFUSE("the types of a and b do not go together");
    if (is_float(a) != is_float(d)) REFUSE("the types of a and d do not go together");
    if (d == IT_F16 && a != IT_F16) REFUSE("an f16 result needs f16 operands");
    if (row->rule == IR_WGMMA && s.m != 64) REFUSE("a warp group's m is 64");
    if (row->rule == IR_MMA && in->mod[4] && d != IT_S32) REFUSE("sat is for s32");
    if (in->op == G9_MMASP && s.k < 8) REFUSE("a sparse k is at least 8");
    return true;
}

static bool rules(const IsaInst *in, const char **why)
{
    const IsaRow *row = &isa_row[in->op];
    int t = isa_type_of(in, 0);
    switch (row->rule) {
    case IR_PART:
        if (isa_mod_of(in, IG_PART) && isa_is_x2(t)) REFUSE("hi is for 32 and 64 bits");
        return true;
    case IR_FLOAT:
        if (isa_mod_of(in, IG_ROUND) && isa_is_x2(t)) REFUSE("f16x2 and bf16x2 round to nearest");
        /* fallthrough */
    case IR_SPECIAL:
        if (isa_mod_of(in, IG_FTZ) && t != IT_F32) REFUSE("ftz is for f32");
        return true;
    case IR_CVT: return rule_cvt(in, why);
    case IR_PACK: return rule_pack(in, why);
    case IR_UNPACK:
        if (in->mod[0] == IT_S32 && is_float(in->mod[1])) REFUSE("a float is unpacked to f32");
        if (in->number >= 32 / isa_type[in->mod[1]].bits) REFUSE("the register has fewer elements");
        return true;
    case IR_ATOM:
    case IR_RED: return rule_atom(in, why);
    case IR_REDUX:
        if ((in->mod[0] >= 3) != (t == IT_B32)) REFUSE("and, or, xor are for b32, the others for numbers");
        return true;
    case IR_MMA:
    case IR_WGMMA: return rule_mma(in, why);
    default: return true;
    }
}

static bool legal_form(const IsaInst *in, const char **why)
{
    if (in->form == IFORM_REG) return true;
    const IsaOperand *o = isa_flex(in);
    if (!o) REFUSE("undefined form");
    int form = in->form >= IFORM_IMM2 ? in->form - 3 : in->form, shift = 2 * (o->slot - IS_A);
    if (o->kind == IO_UFLEX && form == IFORM_UREG) REFUSE("undefined form");
    if (form == IFORM_IMM && (in->flag >> shift & 3)) REFUSE("an immediate has its own sign");
    if (form == IFORM_UREG && in->r[o->slot] > ISA_URZ) REFUSE("no such uniform register");
    if (form != IFORM_UREG && in->r[o->slot]) REFUSE("bits that must be 0 are set");
    if (form == IFORM_BANK && (in->imm >> 17 || in->imm & 3)) REFUSE("no such parameter or constant");
    return true;
}

static bool legal_operand(const IsaInst *in, const IsaOperand *o, const char **why)
{
    bool flexed = isa_flex(in) == o;
    switch (o->kind) {
    case IO_UREG:
    case IO_UFLEX:
        if (!flexed && in->r[o->slot] > ISA_URZ) REFUSE("no such uniform register");
        return true;
    case IO_GLOBAL:
    case IO_GLOBALH:
    case IO_SHARED:
        if (in->r[IS_B] > ISA_URZ) REFUSE("no such uniform register");
        return true;
    case IO_BARRIER:
        if (in->r[o->slot] > 15) REFUSE("no such barrier register");
        return true;
    case IO_PRED:
        if (in->p[o->slot] > ISA_PT) REFUSE("no such predicate");
        return true;
    case IO_PREDS:
        if (in->p[o->slot] > 15) REFUSE("no such predicate");
        return true;
    case IO_SREG:
    case IO_USREG:
        if (in->imm >= ISR_COUNT) REFUSE("no such special register");
        if (o->kind == IO_USREG && !isa_sreg[in->imm].uniform) REFUSE("this special register differs by lane");
        return true;
    case IO_SHAREDD: /* alone, it has the lower half of the immediate */
        for (const IsaOperand *p = isa_row[in->op].operand; p->kind; p++)
            if (p->kind == IO_GLOBALH) return true;
        if (in->imm >> 16) REFUSE("bits that must be 0 are set");
        return true;
    case IO_NUMBER:
        if (in->number >> o->bits) REFUSE("the number is too large");
        return true;
    default: return true;
    }
}

static bool legal_unused(const IsaInst *in, const Use *u, const char **why)
{
    const IsaRow *row = &isa_row[in->op];
    IsaLayout l = isa_layout(row);
    bool e = u->r[IS_E];
    for (int i = 0; i < IS_SLOTS; i++)
        if (!u->r[i] && in->r[i]) REFUSE("bits that must be 0 are set");
    for (int i = 0; i < ISP_SLOTS; i++)
        if (!u->p[i] && in->p[i]) REFUSE("bits that must be 0 are set");
    int form = in->form >= IFORM_IMM2 ? in->form - 3 : in->form;
    bool imm = u->imm || form == IFORM_IMM || form == IFORM_BANK;
    if (!imm && in->imm) REFUSE("bits that must be 0 are set");
    if (e && in->imm) REFUSE("bits that must be 0 are set");
    for (int i = 0; i < 6; i++)
        if (l.flag[i] == 255 && in->flag >> i & 1) REFUSE("this operand has no sign");
    if (in->flag >> 6) REFUSE("this operand has no sign");
    if (l.number == 255 && in->number) REFUSE("bits that must be 0 are set");
    return true;
}

bool isa_legal(const IsaInst *in, const char **why)
{
    if (in->op >= G9_COUNT) REFUSE("undefined opcode");
    const IsaRow *row = &isa_row[in->op];
    if (in->guard > 15) REFUSE("no such predicate");
    if (in->stall > 15 || in->wait > 7) REFUSE("a hint is too large");
    int n = 0;
    for (; n < ISA_MODS && row->mod[n].group; n++) {
        const IsaMod *m = &row->mod[n];
        unsigned count = m->group == IG_TYPE ? IT_COUNT : m->group == IG_SHAPE ? 1024 : isa_group[m->group].nwords;
        if (in->mod[n] >= count) REFUSE("undefined modifier");
        if (m->group != IG_SHAPE && !(m->allowed >> in->mod[n] & 1)) REFUSE("undefined modifier");
    }
    for (; n < ISA_MODS; n++)
        if (in->mod[n]) REFUSE("undefined modifier");
    Use u = use_of(row);
    if (!legal_form(in, why) || !legal_unused(in, &u, why)) return false;
    for (const IsaOperand *o = row->operand; o->kind; o++)
        if (!legal_operand(in, o, why)) return false;
    return rules(in, why);
}

/* ---- bits -----------------------------------------------------------------------------------------------------------
 */

bool isa_encode(const IsaInst *in, IsaBits *out, const char **why)
{
    if (!isa_legal(in, why)) return false;
    const IsaRow *row = &isa_row[in->op];
    IsaLayout l = isa_layout(row);
    uint64_t mods = 0;
    for (int i = 0; row->mod[i].group; i++) mods |= (uint64_t)in->mod[i] << l.mod[i];
    for (int i = 0; i < 6; i++)
        if (l.flag[i] != 255) mods |= (uint64_t)(in->flag >> i & 1) << l.flag[i];
    if (l.number != 255) mods |= (uint64_t)in->number << l.number;
    out->lo = (uint64_t)in->op | (uint64_t)in->guard << 10 | (uint64_t)in->r[IS_D] << 14 | (uint64_t)in->r[IS_A] << 22 |
              (uint64_t)in->r[IS_B] << 30 | (uint64_t)in->r[IS_C] << 38 | (uint64_t)in->p[ISP_D] << 46 |
              (uint64_t)in->p[ISP_E] << 49 | (uint64_t)in->p[ISP_S] << 52 | (uint64_t)in->p[ISP_T] << 56 |
              (uint64_t)in->stall << 60;
    out->hi = (uint64_t)(in->imm | in->r[IS_E]) | mods << 32 | (uint64_t)in->form << 58 | (uint64_t)in->wait << 61;
    return true;
}

static unsigned field(uint64_t x, int at, int bits) { return (unsigned)(x >> at & ((UINT64_C(1) << bits) - 1)); }

bool isa_decode(IsaBits b, IsaInst *out, const char **why)
{
    IsaInst in = {.op = (uint16_t)field(b.lo, 0, 10), .guard = (uint8_t)field(b.lo, 10, 4)};
    if (in.op >= G9_COUNT) REFUSE("undefined opcode");
    const IsaRow *row = &isa_row[in.op];
    IsaLayout l = isa_layout(row);
    for (int i = 0; i < 4; i++) in.r[i] = (uint8_t)field(b.lo, 14 + 8 * i, 8);
    in.p[ISP_D] = (uint8_t)field(b.lo, 46, 3);
    in.p[ISP_E] = (uint8_t)field(b.lo, 49, 3);
    in.p[ISP_S] = (uint8_t)field(b.lo, 52, 4);
    in.p[ISP_T] = (uint8_t)field(b.lo, 56, 4);
    in.stall = (uint8_t)field(b.lo, 60, 4);
    in.imm = (uint32_t)b.hi;
    in.form = (uint8_t)field(b.hi, 58, 3);
    in.wait = (uint8_t)field(b.hi, 61, 3);
    uint64_t mods = field(b.hi, 32, 26);
    if (mods >> l.bits) REFUSE("bits that must be 0 are set");
    for (int i = 0; row->mod[i].group; i++)
        in.mod[i] = (uint16_t)field(mods, l.mod[i], isa_group[row->mod[i].group].bits);
    for (int i = 0; i < 6; i++)
        if (l.flag[i] != 255) in.flag |= (uint8_t)(field(mods, l.flag[i], 1) << i);
    for (const IsaOperand *o = row->operand; o->kind; o++) {
        if (o->kind == IO_NUMBER) in.number = (uint8_t)field(mods, l.number, o->bits);
        if (o->slot == IS_E && o->kind == IO_REG) {
            if (in.imm >> 8) REFUSE("bits that must be 0 are set");
            in.r[IS_E] = (uint8_t)in.imm;
            in.imm = 0;
        }
    }
    if (!isa_legal(&in, why)) return false;
    *out = in;
    return true;
}
