/* mir_print: the text of the machine-level IR, which mir_parse.c reads back. */
#include "codegen/g9/mir.h"

#include <inttypes.h>

static void put_pred(Text *t, const MKernel *k, int p, bool negated)
{
    if (negated) text_char(t, '!');
    if (p == M_NONE)
        text_add(t, "pt");
    else
        text_printf(t, k->phys ? "p%d" : "%%p%d", p);
}

static void put_reg(Text *t, const MKernel *k, const MInst *in, const IsaOperand *o)
{
    int r = in->r[o->slot];
    if (r == M_NONE) {
        text_add(t, "rz");
    } else if (k->phys) {
        text_printf(t, "r%d", r);
    } else {
        text_printf(t, "%%%d", r);
        if (in->part >> o->slot & 1) text_printf(t, ".%d", in->sub[o->slot]);
    }
}

static void put_flex(Text *t, const MKernel *k, const MInst *in, const IsaOperand *o)
{
    int form = isa_flex(&in->i) != o ? IFORM_REG : in->i.form >= IFORM_IMM2 ? in->i.form - 3 : in->i.form;
    unsigned flag = o->slot >= IS_A && o->slot <= IS_C ? in->i.flag >> 2 * (o->slot - IS_A) & 3 : 0;
    if (flag & 1) text_char(t, '-');
    if (flag & 2) text_char(t, '|');
    if (form == IFORM_IMM)
        text_printf(t, "0x%" PRIx32, in->i.imm);
    else if (form == IFORM_BANK)
        text_printf(t, "%c[%" PRIu32 "]", in->i.imm >> 16 ? 'c' : 'p', in->i.imm & 0xffff);
    else
        put_reg(t, k, in, o);
    if (flag & 2) text_char(t, '|');
}

static void put_offset(Text *t, const MInst *in, const IsaOperand *o)
{
    int32_t offset = (int32_t)in->i.imm;
    if (o->kind == IO_SHAREDD) offset = (int16_t)in->i.imm;
    if (o->kind == IO_GLOBALH) offset = (int16_t)(in->i.imm >> 16);
    if (offset) text_printf(t, "%+" PRId32, offset);
}

static void put_operand(Text *t, const MKernel *k, const MInst *in, const IsaOperand *o)
{
    switch (o->kind) {
    case IO_PRED: put_pred(t, k, in->p[o->slot], false); break;
    case IO_PREDS: put_pred(t, k, in->p[o->slot], in->i.p[o->slot] & 8); break;
    case IO_BARRIER: text_printf(t, "b%u", in->i.r[o->slot]); break;
    case IO_SREG:
    case IO_USREG: text_add(t, isa_sreg[in->i.imm].name); break;
    case IO_NUMBER: text_printf(t, "%u", in->i.number); break;
    case IO_IMM32: text_printf(t, "%" PRIu32, in->i.imm); break;
    case IO_TARGET: text_printf(t, "B%d", in->target); break;
    case IO_REG:
    case IO_FLEX: put_flex(t, k, in, o); break;
    default:
        text_char(t, '[');
        put_reg(t, k, in, o);
        put_offset(t, in, o);
        text_char(t, ']');
    }
}

static void put_inst(Text *t, const MKernel *k, const MInst *in)
{
    const IsaRow *row = &isa_row[in->i.op];
    text_add(t, "  ");
    if (in->guard != M_NONE) {
        text_char(t, '@');
        put_pred(t, k, in->guard, in->i.guard & 8);
        text_char(t, ' ');
    }
    text_add(t, row->name);
    for (int i = 0; row->mod[i].group; i++) {
        IsaGroup g = row->mod[i].group;
        IsaShape s = isa_shape(in->i.mod[i]);
        if (g == IG_SHAPE)
            text_printf(t, ".m%dn%dk%d", s.m, s.n, s.k);
        else if (g == IG_TYPE)
            text_printf(t, ".%s", isa_type[in->i.mod[i]].name);
        else if (*isa_group[g].word[in->i.mod[i]])
            text_printf(t, ".%s", isa_group[g].word[in->i.mod[i]]);
    }
    for (const IsaOperand *o = row->operand; o->kind; o++) {
        text_add(t, o == row->operand ? " " : ", ");
        put_operand(t, k, in, o);
    }
    text_char(t, '\n');
}

static void put_head(Text *t, const MKernel *k)
{
    text_printf(t, "kernel %s block %d local %" PRIu32 " shared %" PRIu32 "%s {\n", k->name, k->block, k->local,
                k->shared, k->phys ? " allocated" : "");
    for (int i = 0; i < k->param.n; i++) {
        const MParam *p = &k->param.at[i];
        text_printf(t, "  param %s: %s%s at %" PRIu32 "\n", p->name, isa_type[p->type].name, p->pointer ? "*" : "",
                    p->offset);
    }
    bool wide = false;
    for (int i = 0; i < k->reg.n && !k->phys; i++) {
        if (k->reg.at[i].width == 1) continue;
        text_printf(t, wide ? ", %%%d:%d" : "  wide %%%d:%d", i, k->reg.at[i].width);
        wide = true;
    }
    if (wide) text_char(t, '\n');
}

void mir_print(Text *t, const MKernel *k)
{
    put_head(t, k);
    int line = 0;
    for (int i = 0; i < k->layout.n; i++) {
        const MBlock *b = k->layout.at[i];
        text_printf(t, "B%d:\n", b->id);
        for (int j = 0; j < b->in.n; j++) {
            if (b->in.at[j].line && b->in.at[j].line != line) text_printf(t, "  line %d\n", line = b->in.at[j].line);
            put_inst(t, k, &b->in.at[j]);
        }
    }
    text_add(t, "}\n");
}
