/* g9_gen: random instructions of every row of the table, for tests of what must hold for all of them. */
#ifndef TCC_TESTS_G9_GEN_H
#define TCC_TESTS_G9_GEN_H

#include "isa/isa.h"

#include <string.h>

static uint64_t g9_state = 88172645463325252u;
static inline uint64_t g9_random(void)
{
    g9_state ^= g9_state << 13;
    g9_state ^= g9_state >> 7;
    g9_state ^= g9_state << 17;
    return g9_state * UINT64_C(0x2545f4914f6cdd1d);
}
static inline unsigned g9_below(unsigned n) { return (unsigned)((g9_random() >> 33) % n); }

/* Numbers that are near ends and powers of 2 as often as any. */
static inline uint32_t g9_number(void)
{
    uint32_t x = (uint32_t)(g9_random() >> 20);
    switch (g9_below(4)) {
    case 0: return x;
    case 1: return g9_below(70);
    case 2: return 0u - g9_below(70);
    default: return (1u << (x & 31)) - (x >> 5 & 1);
    }
}

/* Fills what the operand uses; whether the modifiers allow it is for isa_legal to say. */
static inline void g9_operand(IsaInst *in, const IsaOperand *o, bool has_high)
{
    switch (o->kind) {
    case IO_REG:
    case IO_FLEX: in->r[o->slot] = (uint8_t)g9_random(); break;
    case IO_UREG:
    case IO_UFLEX: in->r[o->slot] = (uint8_t)g9_below(64); break;
    case IO_BARRIER: in->r[o->slot] = (uint8_t)g9_below(16); break;
    case IO_PRED: in->p[o->slot] = (uint8_t)g9_below(8); break;
    case IO_PREDS: in->p[o->slot] = (uint8_t)g9_below(16); break;
    case IO_NUMBER: in->number = (uint8_t)g9_below(1u << o->bits); break;
    case IO_SREG:
    case IO_USREG: in->imm = g9_below(ISR_COUNT); break;
    case IO_SHAREDD:
        in->r[IS_D] = (uint8_t)g9_random();
        in->imm = has_high ? g9_number() : g9_number() & 0xffff;
        break;
    case IO_GLOBAL:
    case IO_GLOBALH:
    case IO_SHARED: in->r[IS_B] = g9_below(2) ? ISA_URZ : (uint8_t)g9_below(64); /* fallthrough */
    case IO_GLOBAL1:
    case IO_SHARED1:
    case IO_LOCAL:
    case IO_CONST:
    case IO_PARAM: in->r[o->slot] = (uint8_t)g9_random(); /* fallthrough */
    default:
        if (o->kind != IO_GLOBALH) in->imm = g9_number();
        break;
    }
}

/* A random instruction of the row that isa_legal accepts, the modifiers given where `mod` is not NULL. */
static inline bool g9_some(IsaOp op, const uint16_t *mod, IsaInst *out)
{
    const IsaRow *row = &isa_row[op];
    for (int tries = 0; tries < (mod ? 150 : 4000); tries++) {
        IsaInst in = {.op = (uint16_t)op, .guard = (uint8_t)(g9_below(2) ? ISA_PT : g9_below(16))};
        bool has_high = false;
        for (int i = 0; row->mod[i].group; i++) {
            IsaGroup g = row->mod[i].group;
            in.mod[i] = mod ? mod[i]
                            : (uint16_t)g9_below(g == IG_TYPE    ? IT_COUNT
                                                 : g == IG_SHAPE ? 1024
                                                                 : isa_group[g].nwords);
        }
        for (const IsaOperand *o = row->operand; o->kind; o++) has_high |= o->kind == IO_GLOBALH;
        for (const IsaOperand *o = row->operand; o->kind; o++) g9_operand(&in, o, has_high);
        in.form = (uint8_t)(g9_below(2) ? 0 : g9_below(IFORM_COUNT));
        int form = in.form >= IFORM_IMM2 ? in.form - 3 : in.form;
        const IsaOperand *flex = isa_flex(&in);
        if (form && !flex) continue;
        if (flex) in.r[flex->slot] = form == IFORM_UREG ? (uint8_t)g9_below(64) : 0;
        if (form == IFORM_IMM) in.imm = g9_number();
        if (form == IFORM_BANK) in.imm = (g9_number() & 0xfffc) | g9_below(2) << 16;
        for (const IsaOperand *o = row->operand; o->kind; o++) {
            if (o == flex && form == IFORM_IMM) continue;
            if ((o->flags & IOF_NEG) && !g9_below(4)) in.flag |= (uint8_t)(1 << 2 * (o->slot - IS_A));
            if ((o->flags & IOF_ABS) && !g9_below(4)) in.flag |= (uint8_t)(2 << 2 * (o->slot - IS_A));
        }
        if (!g9_below(4)) in.stall = (uint8_t)g9_below(16);
        if (!g9_below(4)) in.wait = (uint8_t)g9_below(8);
        if (isa_legal(&in, NULL)) return *out = in, true;
    }
    return false;
}

/* Steps through all combinations of modifiers that the row's lists hold (shapes: a few); false past the last. */
static inline bool g9_next_mods(IsaOp op, uint16_t *mod)
{
    const IsaRow *row = &isa_row[op];
    for (int i = 0; row->mod[i].group; i++) {
        IsaGroup g = row->mod[i].group;
        unsigned n = g == IG_TYPE ? IT_COUNT : g == IG_SHAPE ? 1024 : isa_group[g].nwords;
        do {
            mod[i] = (uint16_t)(mod[i] + (g == IG_SHAPE ? 37 : 1));
        } while (g != IG_SHAPE && mod[i] < n && !(row->mod[i].allowed >> mod[i] & 1));
        if (mod[i] < n) return true;
        mod[i] = 0;
        while (g != IG_SHAPE && !(row->mod[i].allowed >> mod[i] & 1)) mod[i]++;
    }
    return false;
}

static inline void g9_first_mods(IsaOp op, uint16_t *mod)
{
    const IsaRow *row = &isa_row[op];
    memset(mod, 0, sizeof(uint16_t) * ISA_MODS);
    for (int i = 0; row->mod[i].group; i++)
        while (row->mod[i].group != IG_SHAPE && !(row->mod[i].allowed >> mod[i] & 1)) mod[i]++;
}

#endif
