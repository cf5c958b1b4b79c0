/* print: instructions and modules as assembler text, which asm.c reads back to the same bits. */
#include "isa/isa_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- operands -------------------------------------------------------------------------------------------------------
 */

static void put_reg(IsaText *out, bool uniform, unsigned r)
{
    if (uniform)
        isa_text(out, r == ISA_URZ ? "urz" : "ur%u", r);
    else
        isa_text(out, r == ISA_RZ ? "rz" : "r%u", r);
}

static void put_pred(IsaText *out, unsigned p)
{
    if (p & 8) isa_text(out, "!");
    isa_text(out, (p & 7) == ISA_PT ? "pt" : "p%u", p & 7);
}

/* The shortest decimal that reads back to the same float, always with a point or an exponent; NaN and inf as bits. */
static void put_f32(IsaText *out, uint32_t bits)
{
    float x;
    char s[40];
    memcpy(&x, &bits, sizeof x);
    if (!isfinite(x)) {
        isa_text(out, "0x%08x", bits);
        return;
    }
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, (double)x);
        if (strtof(s, NULL) == x) break;
    }
    isa_text(out, "%s%s", s, strpbrk(s, ".e") ? "" : ".0");
}

static void put_f64(IsaText *out, uint32_t high)
{
    uint64_t bits = (uint64_t)high << 32;
    double x;
    char s[40];
    memcpy(&x, &bits, sizeof x);
    if (!isfinite(x)) {
        isa_text(out, "0x%08x", high);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, x);
        if (strtod(s, NULL) == x) break;
    }
    isa_text(out, "%s%s", s, strpbrk(s, ".e") ? "" : ".0");
}

static int type_of_operand(const IsaInst *in, const IsaOperand *o)
{
    return o->width == IW_T ? isa_type_of(in, 0) : o->width == IW_T2 ? isa_type_of(in, 1) : -1;
}

static void put_imm(IsaText *out, const IsaInst *in, const IsaOperand *o)
{
    int t = type_of_operand(in, o);
    if (t == IT_F32 || t == IT_TF32)
        put_f32(out, in->imm);
    else if (t == IT_F64)
        put_f64(out, in->imm);
    else if (t >= 0 && isa_type[t].cls == 'F')
        isa_text(out, "0x%" PRIx32, in->imm);
    else if (t >= 0 && (isa_type[t].cls == 'I' || isa_type[t].bits == 64) && !isa_is_x2(t))
        isa_text(out, "%" PRId32, (int32_t)in->imm);
    else
        isa_text(out, in->imm < 65536 ? "%" PRIu32 : "0x%" PRIx32, in->imm);
}

static void put_flex(IsaText *out, const IsaInst *in, const IsaOperand *o)
{
    int form = isa_flex(in) != o ? IFORM_REG : in->form >= IFORM_IMM2 ? in->form - 3 : in->form;
    unsigned flag = o->slot >= IS_A && o->slot <= IS_C ? in->flag >> 2 * (o->slot - IS_A) & 3 : 0;
    if (flag & 1) isa_text(out, "-");
    if (flag & 2) isa_text(out, "|");
    bool uniform = o->kind == IO_UREG || o->kind == IO_UFLEX || form == IFORM_UREG;
    if (form == IFORM_IMM)
        put_imm(out, in, o);
    else if (form == IFORM_BANK)
        isa_text(out, "%c[%" PRIu32 "]", in->imm >> 16 ? 'c' : 'p', in->imm & 0xffff);
    else
        put_reg(out, uniform, in->r[o->slot]);
    if (flag & 2) isa_text(out, "|");
}

static void put_address(IsaText *out, const IsaInst *in, const IsaOperand *o)
{
    bool base = (o->kind == IO_GLOBAL || o->kind == IO_GLOBALH || o->kind == IO_SHARED) && in->r[IS_B] != ISA_URZ;
    int64_t offset = (int32_t)in->imm;
    if (o->kind == IO_SHAREDD) offset = (int16_t)in->imm;
    if (o->kind == IO_GLOBALH) offset = (int16_t)(in->imm >> 16);
    isa_text(out, "[");
    if (base) {
        put_reg(out, true, in->r[IS_B]);
        isa_text(out, "+");
    }
    put_reg(out, false, in->r[o->slot]);
    if (offset) isa_text(out, "%+" PRId64, offset);
    isa_text(out, "]");
}

static void put_operand(IsaText *out, const IsaInst *in, const IsaOperand *o, const char *(*label)(void *, int64_t),
                        void *of, int64_t at)
{
    switch (o->kind) {
    case IO_PRED:
    case IO_PREDS: put_pred(out, in->p[o->slot]); break;
    case IO_BARRIER: isa_text(out, "b%u", in->r[o->slot]); break;
    case IO_SREG:
    case IO_USREG: isa_text(out, "%s", isa_sreg[in->imm].name); break;
    case IO_NUMBER: isa_text(out, o->bits == 8 ? "0x%02x" : "%u", in->number); break;
    case IO_IMM32: isa_text(out, "%" PRIu32, in->imm); break;
    case IO_TARGET: {
        const char *name = label ? label(of, at + 1 + (int32_t)in->imm) : NULL;
        if (name)
            isa_text(out, "%s", name);
        else
            isa_text(out, ".%+" PRId32, (int32_t)in->imm);
        break;
    }
    case IO_GLOBAL:
    case IO_GLOBAL1:
    case IO_GLOBALH:
    case IO_SHARED:
    case IO_SHARED1:
    case IO_SHAREDD:
    case IO_LOCAL:
    case IO_CONST:
    case IO_PARAM: put_address(out, in, o); break;
    default: put_flex(out, in, o); break;
    }
}

void isa_print_inst(IsaText *out, const IsaInst *in, const char *(*label)(void *of, int64_t at), void *of, int64_t at)
{
    const IsaRow *row = &isa_row[in->op];
    if (in->guard != ISA_PT) {
        isa_text(out, "@");
        put_pred(out, in->guard);
        isa_text(out, " ");
    }
    isa_text(out, "%s", row->name);
    for (int i = 0; row->mod[i].group; i++) {
        IsaGroup g = row->mod[i].group;
        IsaShape s = isa_shape(in->mod[i]);
        if (g == IG_SHAPE)
            isa_text(out, ".m%dn%dk%d", s.m, s.n, s.k);
        else if (g == IG_TYPE)
            isa_text(out, ".%s", isa_type[in->mod[i]].name);
        else if (*isa_group[g].word[in->mod[i]])
            isa_text(out, ".%s", isa_group[g].word[in->mod[i]]);
    }
    for (const IsaOperand *o = row->operand; o->kind; o++) {
        isa_text(out, o == row->operand ? " " : ", ");
        put_operand(out, in, o, label, of, at);
    }
    if (in->stall && in->wait)
        isa_text(out, " {stall %u, wait %u}", in->stall, in->wait);
    else if (in->stall || in->wait)
        isa_text(out, in->stall ? " {stall %u}" : " {wait %u}", in->stall ? in->stall : in->wait);
}

/* ---- modules
 * --------------------------------------------------------------------------------------------------------- */

static void put_string(IsaText *out, const char *s)
{
    isa_text(out, "\"");
    for (; *s; s++)
        if (*s == '"' || *s == '\\' || (unsigned char)*s < 32)
            isa_text(out, "\\x%02x", (unsigned char)*s);
        else
            isa_text(out, "%c", *s);
    isa_text(out, "\"");
}

typedef struct Labels {
    const IsaKernel *k;
} Labels;

static const char *label_at(void *of, int64_t at)
{
    const IsaKernel *k = ((Labels *)of)->k;
    for (int i = 0; i < k->nlabels; i++)
        if ((int64_t)k->first + k->label[i].at == at) return k->label[i].name;
    return NULL;
}

static void put_dims(IsaText *out, const char *what, const uint32_t *d)
{
    if (d[0]) isa_text(out, ".%s %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", what, d[0], d[1], d[2]);
}

static void put_kernel(IsaText *out, const IsaModule *m, const IsaKernel *k)
{
    isa_text(out, "\n.kernel %s\n", k->name);
    for (int i = 0; i < k->nparams; i++) {
        const IsaParam *p = &k->param[i];
        isa_text(out, ".param %s: %s%s", p->name, isa_type[p->type].name, p->pointer ? "*" : "");
        for (int j = 0; j < p->rank; j++) isa_text(out, "%s%s", j ? ", " : "[", p->dim[j]);
        isa_text(out, p->rank ? "]\n" : "\n");
    }
    isa_text(out, ".registers %" PRIu32 "\n.uregisters %" PRIu32 "\n", k->registers, k->uregisters);
    uint32_t used = 0;
    for (int i = 0; i < k->nvars; i++) {
        isa_text(out, ".shared %s: %" PRIu32 " at %" PRIu32 "\n", k->var[i].name, k->var[i].size, k->var[i].offset);
        if (k->var[i].offset + k->var[i].size > used) used = k->var[i].offset + k->var[i].size;
    }
    if (k->shared > used) isa_text(out, ".shared %" PRIu32 "\n", k->shared);
    if (k->local) isa_text(out, ".local %" PRIu32 "\n", k->local);
    put_dims(out, "block", k->block);
    put_dims(out, "cluster", k->cluster);
    Labels labels = {k};
    int line = 0;
    for (uint32_t i = 0; i <= k->count; i++) {
        for (int j = 0; j < k->nlabels; j++)
            if (k->label[j].at == i) isa_text(out, "%s:\n", k->label[j].name);
        if (i == k->count) break;
        for (; line < k->nlines && k->line[line].at <= i; line++) {
            isa_text(out, ".line ");
            put_string(out, m->file[k->line[line].file]);
            isa_text(out, " %" PRIu32 "\n", k->line[line].line);
        }
        IsaInst in;
        isa_text(out, "  ");
        if (isa_decode(m->code[k->first + i], &in, NULL))
            isa_print_inst(out, &in, label_at, &labels, (int64_t)k->first + i);
        else
            isa_text(out, ".bits 0x%016" PRIx64 " 0x%016" PRIx64, m->code[k->first + i].lo, m->code[k->first + i].hi);
        isa_text(out, "\n");
    }
}

void isa_print_module(IsaText *out, const IsaModule *m)
{
    isa_text(out, ".g9 %d\n", ISA_VERSION);
    if (m->machine && *m->machine) {
        isa_text(out, ".machine ");
        put_string(out, m->machine);
        isa_text(out, " 0x%016" PRIx64 "\n", m->machine_hash);
    }
    if (m->toolchain && *m->toolchain) {
        isa_text(out, ".toolchain ");
        put_string(out, m->toolchain);
        isa_text(out, "\n");
    }
    for (int i = 0; i < m->nplan; i++) {
        isa_text(out, ".plan ");
        put_string(out, m->plan[i]);
        isa_text(out, "\n");
    }
    for (int i = 0; i < m->nconsts; i++) {
        const IsaVar *v = &m->constant[i];
        isa_text(out, ".const %s: u8 at %" PRIu32, v->name, v->offset);
        for (uint32_t j = 0; j < v->size; j++) isa_text(out, "%s%u", j ? ", " : " = ", m->consts[v->offset + j]);
        isa_text(out, "\n");
    }
    for (int i = 0; i < m->nkernels; i++) put_kernel(out, m, &m->kernel[i]);
}
