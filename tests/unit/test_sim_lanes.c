/* Every instruction that computes in one lane, each combination of its modifiers, in the simulator against g9_model.h:
 * random registers, predicates, guards, forms and signs, on warps of 32 lanes (the vector code) and of 16 (the
 * general). */
#include "tests/unit/g9_gen.h"
#include "tests/unit/g9_model.h"
#include "tests/unit/sim_run.h"

enum { REGS = 48, UREGS = 16, EACH = 4, PARAM_AT = 16, LANES_MOST = 32 };

typedef struct State {
    uint32_t r[REGS][LANES_MOST], u[UREGS], p[LANES_MOST]; /* p: bit per predicate */
} State;

static const uint64_t bank_value[2] = {UINT64_C(0xc02e000000012345), UINT64_C(0x3f8000003fc00001)};

/* Loads everything, one instruction, stores everything. */
static IsaModule *harness(int lanes, uint32_t *at)
{
    IsaText t = {0};
    IsaErrors e = {0};
    isa_text(&t, ".const c: u64 = 0x%llx\n", (unsigned long long)bank_value[1]);
    isa_text(&t, ".kernel k\n.param in: u32*\n.param out: u32*\n.param v: u64\n.registers 64\n.uregisters 32\n"
                 "s2r.b32 r52, laneid\nshl.u32 r52, r52, 2\numov.b64 ur20, p[in]\numov.b64 ur22, p[out]\n");
    *at = 4;
    for (int i = 0; i < REGS; i++) isa_text(&t, "ldg.b32 r%d, [ur20+r52+%d]\n", i, i * lanes * 4);
    for (int i = 0; i < UREGS; i++)
        isa_text(&t, "ldg.b32 r53, [ur20+rz+%d]\nr2ur.b32 ur%d, r53\n", (REGS * lanes + i) * 4, i);
    isa_text(&t, "ldg.b32 r53, [ur20+r52+%d]\nr2p r53, 127\nnop\n", (REGS * lanes + UREGS) * 4);
    *at += REGS + 2 * UREGS + 2;
    for (int i = 0; i < REGS; i++) isa_text(&t, "stg.b32 [ur22+r52+%d], r%d\n", i * lanes * 4, i);
    for (int i = 0; i < UREGS; i++)
        isa_text(&t, "mov.b32 r53, ur%d\nstg.b32 [ur22+rz+%d], r53\n", i, (REGS * lanes + i) * 4);
    isa_text(&t, "p2r r53\nstg.b32 [ur22+r52+%d], r53\nexit\n", (REGS * lanes + UREGS) * 4);
    IsaModule *m = isa_assemble("harness.s", t.s, t.n, &e);
    if (!m) sim_test_complain(&e);
    isa_text_free(&t);
    return m;
}

static uint32_t interesting(void)
{
    static const uint32_t some[] = {
        0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 1,
        0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff, 0x3c003c00, 0x7c00fc00, 0x7e008001, 0x477fe000, 0x477ff000,
        0x3ff00000, 0x7ff00000, 0xfff80000, 0x000fffff, 0x7fefffff, 0x43e00000, 0x41e00000, 0x4f000000, 0xcf000000,
        0x43e80000, 0x43f00000, 0x00400000, 0x33000000, 0x33000001, 0x38800000, 0x387fe000, 0x3f000000, 0x3fc00000};
    uint32_t x = (uint32_t)(g9_random() >> 13);
    switch (g9_below(4)) {
    case 0: return some[g9_below(sizeof some / sizeof *some)];
    case 1: return g9_number();
    case 2: return (x & 0x807fffff) | (100 + g9_below(60)) << 23; /* floats of like sizes */
    default: return x;
    }
}

/* A float of the type, of like size to others, in the register(s). */
static void randomise(State *s, int lanes)
{
    for (int i = 0; i < REGS; i++)
        for (int l = 0; l < lanes; l++) s->r[i][l] = interesting();
    for (int i = 1; i < REGS && g9_below(2); i += 2) /* doubles of like sizes */
        for (int l = 0; l < lanes; l++) s->r[i][l] = (s->r[i][l] & 0x800fffff) | (1023 - 40 + g9_below(80)) << 20;
    for (int i = 0; i < UREGS; i++) s->u[i] = interesting();
    for (int l = 0; l < lanes; l++) s->p[l] = g9_below(128);
}

/* Registers within the harness's, aligned. */
static void tame(IsaInst *in, int lanes)
{
    for (const IsaOperand *o = isa_row[in->op].operand; o->kind; o++) {
        bool flexed = isa_flex(in) == o;
        int form = flexed ? (in->form >= IFORM_IMM2 ? in->form - 3 : in->form) : IFORM_REG,
            align = isa_align(in, o, lanes);
        if (o->kind < IO_REG || o->kind > IO_UFLEX) continue;
        if (form == IFORM_BANK) in->imm = in->imm >> 16 ? 0x10000 : PARAM_AT;
        if (form == IFORM_IMM || form == IFORM_BANK) continue;
        bool uniform = o->kind == IO_UREG || o->kind == IO_UFLEX || form == IFORM_UREG;
        int most = uniform ? UREGS : REGS;
        in->r[o->slot] = (uint8_t)(g9_below(16) ? g9_below((unsigned)(most / align)) * (unsigned)align
                                   : uniform    ? ISA_URZ
                                                : ISA_RZ);
    }
}

/* What an operand reads in a lane, its sign applied. */
static uint64_t value(const IsaInst *in, const State *s, int slot, int lane)
{
    const IsaOperand *o = isa_row[in->op].operand;
    while (o->kind && !((o->kind >= IO_REG && o->kind <= IO_UFLEX) && o->slot == slot)) o++;
    if (!o->kind) return 0;
    bool flexed = isa_flex(in) == o;
    int form = flexed ? (in->form >= IFORM_IMM2 ? in->form - 3 : in->form) : IFORM_REG, width = isa_width(in, o, 32);
    int t = o->width == IW_T    ? isa_type_of(in, 0)
            : o->width == IW_T2 ? isa_type_of(in, 1)
            : o->width == IW_2  ? IT_S64
                                : -1;
    if (in->op == G9_FSETP2 || in->op == G9_EX2 || in->op == G9_LG2 || in->op == G9_SIN || in->op == G9_COS ||
        in->op == G9_TANH)
        t = isa_type_of(in, 0);
    if (t < 0) t = IT_S32;
    uint32_t r = in->r[slot];
    uint64_t x;
    if (form == IFORM_IMM) {
        x = in->imm;
        if (width == 2) x = t == IT_F64 ? x << 32 : (uint64_t)(int64_t)(int32_t)in->imm;
    } else if (form == IFORM_BANK) {
        x = bank_value[in->imm >> 16];
    } else if (o->kind == IO_UREG || o->kind == IO_UFLEX || form == IFORM_UREG) {
        x = r == ISA_URZ ? 0 : s->u[r] | (width == 2 ? (uint64_t)s->u[r + 1] << 32 : 0);
    } else {
        x = r == ISA_RZ ? 0 : s->r[r][lane] | (width == 2 ? (uint64_t)s->r[r + 1][lane] << 32 : 0);
    }
    if (width == 1) x &= 0xffffffff;
    int flag = in->flag >> 2 * (slot - IS_A) & 3, bits = isa_type[t].bits;
    uint64_t top = isa_is_x2(t) ? 0x80008000 : UINT64_C(1) << (bits - 1);
    if (isa_type[t].cls == 'F') return ((flag & 2) ? x & ~top : x) ^ ((flag & 1) ? top : 0);
    if (flag & 1) {
        if (isa_is_x2(t)) return ((0 - x) & 0xffff) | ((0 - (x >> 16)) & 0xffff) << 16;
        return bits == 64 ? 0 - x : (uint32_t)(0 - x);
    }
    return x;
}

static bool predicate(const State *s, unsigned p, int lane)
{
    return ((p & 7) == ISA_PT ? 1 : s->p[lane] >> (p & 7) & 1) != (p >> 3);
}

/* The model of the whole warp; false: it has none. */
static bool expect(const IsaInst *in, State *s, int lanes, bool *near)
{
    State was = *s;
    bool uniform = isa_row[in->op].flags & IF_UNI;
    for (int lane = 0; lane < lanes; lane++) {
        if (!predicate(&was, in->guard, lane)) continue;
        ModelLane l = {
            .a = value(in, &was, IS_A, lane), .b = value(in, &was, IS_B, lane), .c = value(in, &was, IS_C, lane)};
        l.s = predicate(&was, in->p[ISP_S], lane);
        l.t = predicate(&was, in->p[ISP_T], lane);
        if (!model_run(in, &l)) return false;
        *near = l.near;
        int d = in->r[IS_D], width = 1;
        for (const IsaOperand *o = isa_row[in->op].operand; o->kind; o++)
            if (o->flags & IOF_WRITE && o->slot == IS_D && (o->kind == IO_REG || o->kind == IO_UREG))
                width = isa_width(in, o, 32);
        for (int k = 0; k < width && l.has_d; k++) {
            if (uniform && d != ISA_URZ) s->u[d + k] = (uint32_t)(l.d >> 32 * k);
            if (!uniform && d != ISA_RZ) s->r[d + k][lane] = (uint32_t)(l.d >> 32 * k);
        }
        /* Written in this order, so that the second wins when both name one predicate. */
        if (l.has_pd && in->p[ISP_D] != ISA_PT)
            s->p[lane] = (s->p[lane] & ~(1u << in->p[ISP_D])) | (uint32_t)l.pd << in->p[ISP_D];
        if (l.has_pe && in->p[ISP_E] != ISA_PT)
            s->p[lane] = (s->p[lane] & ~(1u << in->p[ISP_E])) | (uint32_t)l.pe << in->p[ISP_E];
    }
    return true;
}

static void pack_state(const State *s, int lanes, uint32_t *to)
{
    for (int i = 0; i < REGS; i++) memcpy(to + i * lanes, s->r[i], 4u * (unsigned)lanes);
    memcpy(to + REGS * lanes, s->u, sizeof s->u);
    memcpy(to + REGS * lanes + UREGS, s->p, 4u * (unsigned)lanes);
}

typedef struct Bench {
    SimTest t;
    uint32_t at;
    int lanes;
    uint64_t in, out;
    int ran, modelled, rough;
} Bench;

static bool same(Bench *b, const uint32_t *want, const uint32_t *got, int n, bool near)
{
    for (int i = 0; i < n; i++) {
        if (want[i] == got[i]) continue;
        uint32_t far = want[i] - got[i] + 1;
        if (!near || far > 2) return printf("word %d is %08x, not %08x\n", i, got[i], want[i]), false;
        b->rough++;
    }
    return true;
}

static bool one(Bench *b, const IsaInst *in)
{
    State s;
    uint32_t words[REGS * LANES_MOST + UREGS + LANES_MOST];
    int n = REGS * b->lanes + UREGS + b->lanes;
    bool near = false;
    uint64_t params[3] = {b->in, b->out, bank_value[0]};
    memset(&s, 0, sizeof s);
    randomise(&s, b->lanes);
    if (isa_row[in->op].flags & IF_UNI) /* its guard and predicate are the same in all lanes */
        for (int l = 1; l < b->lanes; l++) s.p[l] = s.p[0];
    pack_state(&s, b->lanes, sim_host(b->t.device, b->in, 4u * (unsigned)n, true));
    if (!expect(in, &s, b->lanes, &near)) return true;
    pack_state(&s, b->lanes, words);
    const char *why = "";
    if (!CHECK(isa_encode(in, &b->t.module->code[b->at], &why))) return printf("%s\n", why), false;
    if (!sim_test_run(&b->t, "k", 1, (uint32_t)b->lanes, params, sizeof params)) return false;
    b->modelled++;
    bool ok = same(b, words, sim_host(b->t.device, b->out, 4u * (unsigned)n, false), n, near);
    if (!ok) {
        IsaText text = {0};
        isa_print_inst(&text, in, NULL, NULL, 0);
        printf("%s\n", text.s);
        isa_text_free(&text);
    }
    return ok;
}

static void row(Bench *b, IsaOp op)
{
    uint16_t mod[ISA_MODS];
    int bad = 0;
    ModelLane l = {0};
    g9_first_mods(op, mod);
    IsaInst probe;
    if (!g9_some(op, NULL, &probe) || !model_run(&probe, &l)) return;
    b->ran++;
    do
        for (int i = 0; i < EACH && bad < 4; i++) {
            IsaInst in;
            if (!g9_some(op, mod, &in)) break;
            tame(&in, b->lanes);
            bad += !one(b, &in);
        }
    while (g9_next_mods(op, mod));
    CHECK(bad == 0);
}

int main(void)
{
    static const char *const machine[] = {"a100", "tiny"};
    for (int i = 0; i < 2; i++) {
        Bench b = {0};
        if (!sim_test_machine(&b.t, machine[i])) break;
        b.lanes = (int)sim_device_machine(b.t.device)->chip_warp;
        IsaModule *m = harness(b.lanes, &b.at);
        if (!m || !sim_test_load(&b.t, m)) break;
        b.in = sim_test_put(&b.t, NULL, 65536);
        b.out = sim_test_put(&b.t, NULL, 65536);
        for (int op = 0; op < G9_COUNT; op++) row(&b, (IsaOp)op);
        printf("%s: %d instructions in %d cases; %d results one unit off\n", machine[i], b.ran, b.modelled, b.rough);
        CHECK(b.ran >= 57 && b.modelled > 3000);
        sim_test_end(&b.t);
    }
    return check_done();
}
