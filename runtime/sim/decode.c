/* decode: a kernel's bits to the form that runs: operands resolved to rows, immediates, parameters and constants spread
 * over the lanes in the pool, the function that computes chosen. Done at each launch, since parameters become rows.
 *
 * Relies on isa_verify: every instruction decodes and registers are within the kernel's. */
#include "runtime/sim/sim_priv.h"

typedef struct Decoder {
    SimRun *run;
    const uint8_t *params;
    uint32_t used; /* of the pool */
} Decoder;

static int form_of(const IsaInst *in) { return in->form >= IFORM_IMM2 ? in->form - 3 : in->form; }

static uint32_t word_of(const uint8_t *s, uint32_t bytes, uint32_t at)
{
    uint32_t x = 0;
    if (at < bytes) memcpy(&x, s + at, bytes - at < 4 ? bytes - at : 4);
    return x;
}

static int operand_type(const IsaInst *in, const IsaOperand *o)
{
    if (o->width == IW_T2) return isa_type_of(in, 1);
    if (o->width == IW_2) return IT_S64;
    int t = isa_type_of(in, 0);
    return o->width == IW_T || in->op == G9_FSETP2 || in->op == G9_RCP ? t : t == IT_F32 ? t : IT_S32;
}

/* An immediate or a word of a bank as rows; `lanes` is 1 for uniform instructions. */
static uint32_t pool_value(Decoder *d, const IsaInst *in, const IsaOperand *o, int lanes)
{
    const SimRun *r = d->run;
    uint32_t v[2] = {in->imm, 0};
    int t = o->width == IW_T || o->width == IW_T2 ? operand_type(in, o) : -1;
    if (form_of(in) == IFORM_IMM) {
        bool wide = t >= 0 && isa_type[t].bits == 64;
        if (wide && t == IT_F64)
            v[1] = v[0], v[0] = 0;
        else if (wide)
            v[1] = (int32_t)v[0] < 0 ? ~0u : 0;
    } else {
        bool constants = in->imm >> 16;
        const uint8_t *s = constants ? r->module->consts : d->params;
        uint32_t bytes = constants ? r->module->const_bytes : r->kernel->param_bytes, at = in->imm & 0xffff;
        v[0] = word_of(s, bytes, at);
        v[1] = word_of(s, bytes, at + 4);
    }
    uint32_t off = d->used;
    for (int i = 0; i < 2; i++)
        for (int l = 0; l < lanes; l++) r->pool[d->used++] = v[i];
    return off;
}

static SimSource source(Decoder *d, const SimInst *s, const IsaOperand *o)
{
    const IsaInst *in = &s->in;
    const SimRun *r = d->run;
    int slot = o->slot, form = isa_flex(in) == o ? form_of(in) : IFORM_REG, flag = in->flag >> 2 * (slot - IS_A) & 3;
    SimSource x = {.width = (uint8_t)isa_width(in, o, r->lanes), .type = (uint8_t)operand_type(in, o)};
    x.neg = flag & 1;
    x.abs = flag >> 1;
    x.ftz = s->ftz;
    if (form == IFORM_IMM || form == IFORM_BANK) {
        x.where = SRC_POOL;
        x.off = pool_value(d, in, o, s->lanes);
    } else if (form == IFORM_UREG || o->kind == IO_UREG || o->kind == IO_UFLEX) {
        x.where = SRC_UREG;
        x.off = in->r[slot];
    } else if (in->r[slot] == ISA_RZ) {
        x.where = SRC_POOL;
    } else {
        x.off = in->r[slot] * (uint32_t)r->lanes;
    }
    return x;
}

int sim_spans(const IsaInst *in, const IsaOperand *o, int lanes, SimSpan *out)
{
    int form = isa_flex(in) == o ? form_of(in) : IFORM_REG, n = 0;
    uint8_t r = in->r[o->slot < IS_SLOTS ? o->slot : 0];
    switch (o->kind) {
    case IO_PRED:
    case IO_PREDS: out[n++] = (SimSpan){SPAN_PRED, in->p[o->slot] & 7, 1}; break;
    case IO_UREG:
    case IO_UFLEX:
        if (form != IFORM_IMM && form != IFORM_BANK)
            out[n++] = (SimSpan){SPAN_UREG, r, (uint8_t)isa_width(in, o, lanes)};
        break;
    case IO_REG:
    case IO_FLEX:
        if (form != IFORM_IMM && form != IFORM_BANK)
            out[n++] = (SimSpan){form == IFORM_UREG ? SPAN_UREG : SPAN_REG, r, (uint8_t)isa_width(in, o, lanes)};
        break;
    case IO_GLOBAL:
    case IO_GLOBALH:
        if (in->r[IS_B] != ISA_URZ) out[n++] = (SimSpan){SPAN_UREG, in->r[IS_B], 2};
        out[n++] = (SimSpan){SPAN_REG, r, in->r[IS_B] == ISA_URZ ? 2 : 1};
        break;
    case IO_GLOBAL1: out[n++] = (SimSpan){SPAN_REG, r, 2}; break;
    case IO_SHARED: out[n++] = (SimSpan){SPAN_UREG, in->r[IS_B], 1}; /* fall through */
    case IO_SHARED1:
    case IO_SHAREDD:
    case IO_LOCAL:
    case IO_CONST:
    case IO_PARAM: out[n++] = (SimSpan){SPAN_REG, r, 1}; break;
    default: break;
    }
    static const uint8_t none[] = {[SPAN_REG] = ISA_RZ, [SPAN_UREG] = ISA_URZ, [SPAN_PRED] = ISA_PT};
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (out[i].first != none[out[i].bank]) out[kept++] = out[i];
    return kept;
}

static void decode(Decoder *d, uint32_t i, SimInst *s)
{
    const SimRun *r = d->run;
    isa_decode(r->module->code[r->kernel->first + i], &s->in, NULL);
    const IsaInst *in = &s->in;
    const IsaRow *row = &isa_row[in->op];
    s->at = r->kernel->first + i;
    s->uniform = row->flags & IF_UNI;
    s->lanes = (uint8_t)(s->uniform ? 1 : r->lanes);
    s->guard = in->guard;
    s->category = row->category;
    s->round = (uint8_t)isa_mod_of(in, IG_ROUND);
    s->ftz = (uint8_t)isa_mod_of(in, IG_FTZ);
    s->clamp = (uint8_t)isa_mod_of(in, IG_CLAMP);
    s->type = (uint8_t)(isa_type_of(in, 0) < 0 ? IT_B32 : isa_type_of(in, 0));
    s->d = r->sink_row;
    s->dwidth = 1;
    s->target = (int64_t)i + 1 + (int32_t)in->imm;
    s->exec = sim_exec(in);
    s->alu = sim_convert(in);
    if (!s->alu) s->alu = sim_alu(in, s->lanes);
    s->compare = sim_compare(in, s->lanes);
    bool prepared = false;
    for (const IsaOperand *o = row->operand; o->kind; o++) {
        bool reg = o->kind == IO_REG || o->kind == IO_FLEX || o->kind == IO_UREG || o->kind == IO_UFLEX;
        if (reg && o->slot == IS_D) {
            s->dwidth = (uint8_t)isa_width(in, o, r->lanes);
            if (o->kind == IO_UREG)
                s->d = in->r[IS_D] == ISA_URZ ? USINK : in->r[IS_D];
            else if (in->r[IS_D] != ISA_RZ)
                s->d = in->r[IS_D] * (uint32_t)r->lanes;
        } else if (reg && o->slot >= IS_A && o->slot <= IS_C) {
            SimSource *x = &s->src[o->slot - IS_A];
            *x = source(d, s, o);
            prepared |= x->neg || x->abs || x->ftz || (x->where == SRC_UREG && !s->uniform);
        } else if (o->kind >= IO_GLOBAL && o->kind <= IO_PARAM && o->slot == IS_A) {
            bool wide =
                (o->kind == IO_GLOBAL || o->kind == IO_GLOBALH) ? in->r[IS_B] == ISA_URZ : o->kind == IO_GLOBAL1;
            SimSource *x = &s->src[0];
            *x = (SimSource){.width = wide ? 2 : 1, .where = in->r[IS_A] == ISA_RZ ? SRC_POOL : SRC_REGS};
            x->off = in->r[IS_A] == ISA_RZ ? 0 : in->r[IS_A] * (uint32_t)r->lanes;
        }
    }
    s->plain = !prepared && !s->ftz && !s->clamp;
    if (row->rule == IR_MMA || row->rule == IR_WGMMA) {
        IsaShape sh = isa_shape(in->mod[0]);
        s->mma = (SimMma){row->rule == IR_WGMMA ? 16 : sh.m, sh.n, sh.k};
    }
}

bool sim_decode(SimRun *r, IsaMem *mem)
{
    uint32_t n = r->kernel->count;
    size_t words = (size_t)ZERO_ROWS * (size_t)r->lanes + (size_t)n * 2 * (size_t)r->lanes;
    r->code = isa_alloc(mem, sizeof *r->code * n);
    r->pool = isa_alloc(mem, words * sizeof *r->pool);
    if (!r->code || !r->pool) return false;
    Decoder d = {.run = r, .params = r->launch->params, .used = (uint32_t)(ZERO_ROWS * r->lanes)};
    for (uint32_t i = 0; i < n; i++) decode(&d, i, &r->code[i]);
    return true;
}
