/* build: instructions one by one: registers for results, immediates where the ISA takes them, levels, branches. */
#include "codegen/g9/g9.h"

#include <string.h>

void g_fail(G9 *g, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g->error = arena_vprintf(g->mem, fmt, ap);
    va_end(ap);
    longjmp(*g->bail, 1);
}

/* ---- values */
Val g_imm(int64_t v)
{
    bool fits = v >= INT32_MIN && v <= INT32_MAX;
    return (Val){.kind = V_IMM, .width = fits ? 1 : 2, .r = M_NONE, .bits = (uint64_t)v, .lo = v, .hi = v};
}
Val g_bits(uint32_t bits) { return (Val){.kind = V_IMM, .width = 1, .r = M_NONE, .bits = bits}; }
Val g_bits64(uint64_t bits) { return (Val){.kind = V_IMM, .width = 2, .r = M_NONE, .bits = bits}; }
Val g_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return g_bits(bits);
}
Val g_true(bool yes) { return (Val){.kind = V_PRED, .r = M_NONE, .neg = !yes}; }
Val g_param(int at, int width) { return (Val){.kind = V_PARAM, .width = (uint8_t)width, .r = at}; }
Val g_not(Val p)
{
    p.neg = !p.neg;
    return p;
}

Val g_half(Val v, int which)
{
    if (v.kind == V_IMM) return g_bits((uint32_t)(v.bits >> 32 * which));
    if (v.kind == V_REG)
        return v.width == 1 ? v
                            : (Val){.kind = V_REG, .width = 1, .r = v.r, .part = 1, .sub = (uint8_t)(v.sub + which)};
    v.width = 1; /* parameters, constants */
    v.r += 4 * which;
    return v;
}

bool g_known(Val v, int64_t *x)
{
    *x = v.width == 1 ? (int32_t)v.bits : (int64_t)v.bits;
    return v.kind == V_IMM;
}

static Val fresh(G9 *g, int width, RegInfo info)
{
    int r = mir_reg(g->k, width);
    VEC_PUSH(g->mem, &g->reg, info);
    return (Val){.kind = V_REG, .width = (uint8_t)width, .r = r};
}

static Val fresh_pred(G9 *g, RegInfo info)
{
    int p = mir_pred(g->k);
    VEC_PUSH(g->mem, &g->pred, info);
    return (Val){.kind = V_PRED, .r = p};
}

/* Nobody follows who writes them when, so they are taken to differ by lane. */
Val g_new(G9 *g, int width) { return fresh(g, width, (RegInfo){g->level, true, true}); }
Val g_new_pred(G9 *g) { return fresh_pred(g, (RegInfo){g->level, true, true}); }

static RegInfo info_of(const G9 *g, Val v)
{
    if (v.kind == V_REG) return g->reg.at[v.r];
    if (v.kind == V_PRED && v.r != M_NONE) return g->pred.at[v.r];
    return (RegInfo){0, false, false};
}

bool g_varies(const G9 *g, Val v) { return info_of(g, v).varies; }

/* ---- one instruction */
static bool fits_immediate(const IsaInst *in, const IsaOperand *o, Val v)
{
    int t = o->width == IW_T ? isa_type_of(in, 0) : o->width == IW_T2 ? isa_type_of(in, 1) : -1;
    if (isa_width(in, o, 32) == 1) return true;
    if (t == IT_F64) return (uint32_t)v.bits == 0;
    return (int64_t)v.bits == (int32_t)v.bits;
}

static uint32_t immediate(const IsaInst *in, const IsaOperand *o, Val v)
{
    bool upper = isa_width(in, o, 32) == 2 && isa_type_of(in, o->width == IW_T2) == IT_F64;
    return upper ? (uint32_t)(v.bits >> 32) : (uint32_t)v.bits;
}

static int flex_number(const IsaRow *row, const IsaOperand *o)
{
    int n = 0;
    for (const IsaOperand *p = row->operand; p != o; p++) n += p->kind == IO_FLEX;
    return n;
}

static bool is_zero(Val v) { return v.kind == V_IMM && (v.width == 2 ? v.bits == 0 : (uint32_t)v.bits == 0); }

static unsigned constant(G9 *g, uint64_t bits)
{
    for (int i = 0; i + 1 < g->consts->word.n; i += 2)
        if (g->consts->word.at[i] == (uint32_t)bits && g->consts->word.at[i + 1] == (uint32_t)(bits >> 32))
            return 4u * (unsigned)i;
    VEC_PUSH(g->mem, &g->consts->word, (uint32_t)bits);
    VEC_PUSH(g->mem, &g->consts->word, (uint32_t)(bits >> 32));
    if (g->consts->word.n > 16000) g_fail(g, "more constants than a module can hold");
    return 4u * (unsigned)(g->consts->word.n - 2);
}

static void put_register(MInst *in, const IsaOperand *o, Val v)
{
    in->r[o->slot] = v.r;
    in->sub[o->slot] = v.part ? v.sub : 0;
    if (v.part) in->part |= (uint8_t)(1u << o->slot);
}

/* 64-bit immediates stand in a 32-bit slot by their low half, and the other way round by their sign. */
static Val sized(Val v, int width)
{
    if (v.kind != V_IMM || v.width == width) return v;
    if (width == 2) v.bits = (uint64_t)(int64_t)(int32_t)v.bits;
    v.width = (uint8_t)width;
    return v;
}

static void put_flex(G9 *g, MInst *in, const IsaOperand *o, Val v)
{
    int which = flex_number(&isa_row[in->i.op], o), base = which ? IFORM_IMM2 : IFORM_IMM;
    int shift = 2 * (o->slot - IS_A);
    bool free_form = in->i.form == IFORM_REG, sign = in->i.flag >> shift & 3;
    v = sized(v, isa_width(&in->i, o, 32));
    if (is_zero(v)) return;
    if (v.kind == V_IMM && !(free_form && !sign && fits_immediate(&in->i, o, v)) && v.width == 2)
        v = (Val){.kind = V_CONST, .width = 2, .r = (int)constant(g, v.bits)};
    if (v.kind == V_IMM && free_form && !sign) {
        in->i.form = (uint8_t)base;
        in->i.imm = immediate(&in->i, o, v);
    } else if ((v.kind == V_PARAM || v.kind == V_CONST) && free_form) {
        in->i.form = (uint8_t)(base + 2);
        in->i.imm = (uint32_t)v.r | (v.kind == V_CONST ? 1u << 16 : 0);
    } else {
        put_register(in, o, g_reg(g, v));
    }
}

static void put_source(G9 *g, MInst *in, const IsaOperand *o, Val v)
{
    switch (o->kind) {
    case IO_PREDS:
        if (v.kind != V_PRED) g_fail(g, "%s needs a predicate", isa_row[in->i.op].name);
        in->p[o->slot] = v.r;
        in->i.p[o->slot] = v.neg ? 8 : 0;
        break;
    case IO_FLEX: put_flex(g, in, o, v); break;
    case IO_REG:
        v = sized(v, isa_width(&in->i, o, 32));
        if (!is_zero(v)) put_register(in, o, g_reg(g, v));
        break;
    case IO_NUMBER: in->i.number = (uint8_t)v.bits; break;
    case IO_SREG:
    case IO_IMM32: in->i.imm = (uint32_t)v.bits; break;
    case IO_BARRIER: in->i.r[o->slot] = (uint8_t)v.bits; break;
    default: /* an address; its offset comes in `bits` */
        if (v.kind == V_REG) put_register(in, o, v);
        if (o->kind == IO_GLOBALH)
            in->i.imm = (in->i.imm & 0xffff) | (uint32_t)v.bits << 16;
        else if (o->kind == IO_SHAREDD)
            in->i.imm = (in->i.imm & 0xffff0000) | ((uint32_t)v.bits & 0xffff);
        else
            in->i.imm = (uint32_t)v.bits;
    }
}

static MInst make(G9 *g, Op o, int n, const Val *src)
{
    MInst in = mir_inst(o.op);
    memcpy(in.i.mod, o.mod, sizeof in.i.mod);
    in.i.flag = o.flag;
    in.i.number = o.number;
    int at = 0;
    for (const IsaOperand *p = isa_row[o.op].operand; p->kind; p++) {
        if (p->flags & IOF_WRITE || p->kind == IO_TARGET) continue;
        if (p->kind == IO_PREDS && at >= n) continue; /* left out: true */
        if (p->kind == IO_NUMBER && at >= n) continue;
        if (at < n) put_source(g, &in, p, src[at++]);
    }
    in.line = g->line;
    return in;
}

static RegInfo summary(const G9 *g, const MInst *in)
{
    MUse u[M_USES];
    RegInfo all = {0, false, false};
    int n = mir_uses(in, u);
    for (int i = 0; i < n; i++) {
        if (u[i].kind & MU_WRITE) continue;
        bool pred = u[i].kind & MU_PRED;
        RegInfo r = pred ? g->pred.at[u[i].id] : g->reg.at[u[i].id];
        if (r.level > all.level) all.level = r.level;
        all.varies |= r.varies;
        all.mutable |= r.mutable;
        if (pred || r.mutable) all.level = g->level;
    }
    return all;
}

static bool lane_dependent(const MInst *in) { return in->i.op == G9_S2R && !isa_sreg[in->i.imm].uniform; }

/* The first written operand: of what kind and width. */
static const IsaOperand *result_of(const MInst *in)
{
    for (const IsaOperand *o = isa_row[in->i.op].operand; o->kind; o++)
        if (o->flags & IOF_WRITE || o->kind == IO_PRED) return o;
    return NULL;
}

static void put_result(MInst *in, const IsaOperand *o, Val v)
{
    if (o->kind == IO_PRED)
        in->p[o->slot] = v.r;
    else
        put_register(in, o, v);
}

Val g_gen(G9 *g, Op o, int n, const Val *src)
{
    MInst in = make(g, o, n, src);
    const IsaOperand *d = result_of(&in);
    RegInfo info = summary(g, &in);
    if (d->kind == IO_PRED || info.level > g->level) info.level = g->level;
    info.varies |= lane_dependent(&in);
    Level *l = &g->lv[info.level];
    for (int i = l->have.n; i-- > 0 && !info.mutable && i > l->have.n - 200;)
        if (mir_same(&l->have.at[i].in, &in)) return l->have.at[i].v;
    RegInfo is = {info.level, info.varies, false};
    Val v = d->kind == IO_PRED ? fresh_pred(g, is) : fresh(g, isa_width(&in.i, d, 32), is);
    put_result(&in, d, v);
    VEC_PUSH(g->mem, &(info.level == g->level ? g->cur : l->at)->in, in);
    if (!info.mutable) VEC_PUSH(g->mem, &l->have, (Cse){in, v});
    return v;
}

Val g_gen1(G9 *g, Op o, Val a) { return g_gen(g, o, 1, &a); }
Val g_gen2(G9 *g, Op o, Val a, Val b) { return g_gen(g, o, 2, (Val[]){a, b}); }
Val g_gen3(G9 *g, Op o, Val a, Val b, Val c) { return g_gen(g, o, 3, (Val[]){a, b, c}); }

Val g_act(G9 *g, Op o, Val guard, Val to, int n, const Val *src)
{
    MInst in = make(g, o, n, src);
    if (guard.kind == V_PRED) {
        in.guard = guard.r;
        in.i.guard = guard.neg ? 8 : 0;
        if (guard.r == M_NONE && guard.neg) return to; /* never */
    }
    const IsaOperand *d = result_of(&in);
    if (to.kind != V_NONE) put_result(&in, d, to);
    VEC_PUSH(g->mem, &g->cur->in, in);
    return to;
}

Val g_load_inst(G9 *g, Op o, int width, int n, const Val *src)
{
    MInst in = make(g, o, n, src);
    RegInfo info = summary(g, &in);
    Val v = fresh(g, width, (RegInfo){g->level, info.varies || o.op == G9_LDL, false});
    put_result(&in, result_of(&in), v);
    VEC_PUSH(g->mem, &g->cur->in, in);
    return v;
}

void g_set(G9 *g, Val to, Val v)
{
    Val none = {0};
    if (to.kind == V_PRED) {
        g_act(g, OP(G9_PLOP, 0), none, to, 2, (Val[]){v, g_true(true)});
        return;
    }
    Op mov = OP(G9_MOV, to.width == 2 ? IT_B64 : IT_B32);
    g_act(g, mov, none, to, 1, &v);
}

/* What made v just now writes `to` instead. */
void g_put(G9 *g, Val to, Val v)
{
    MInst *last = g->cur->in.n ? &g->cur->in.at[g->cur->in.n - 1] : NULL;
    const IsaOperand *d = last ? result_of(last) : NULL;
    bool mine = d && d->kind == IO_REG && v.kind == V_REG && to.kind == V_REG && !v.part && last->r[d->slot] == v.r &&
                last->guard == M_NONE && !g->reg.at[v.r].mutable;
    Level *l = &g->lv[g->level];
    for (int i = l->have.n; mine && i-- > 0 && i > l->have.n - 8;)
        mine = l->have.at[i].v.kind != V_REG || l->have.at[i].v.r != v.r;
    if (mine)
        put_result(last, d, to);
    else
        g_set(g, to, v);
}

int g_level(const G9 *g, Val v) { return info_of(g, v).level; }

Val g_reg(G9 *g, Val v)
{
    if (v.kind == V_REG) return v;
    if (v.kind == V_PRED || v.kind == V_NONE) g_fail(g, "a value that is in no register");
    Op mov = OP(G9_MOV, v.width == 2 ? IT_B64 : IT_B32);
    Val r = g_gen1(g, mov, v);
    r.lo = v.lo, r.hi = v.hi;
    return r;
}

/* ---- blocks and levels */
void g_enter(G9 *g, MBlock *b)
{
    mir_place(g->k, b);
    g->cur = b;
}

void g_jump(G9 *g, Val cond, MBlock *to)
{
    MInst in = mir_inst(G9_BRA);
    if (cond.kind == V_PRED && cond.r == M_NONE && cond.neg) return;
    if (cond.kind == V_PRED) {
        in.guard = cond.r;
        in.i.guard = cond.r != M_NONE && cond.neg ? 8 : 0;
    }
    in.target = to->id;
    in.line = g->line;
    VEC_PUSH(g->mem, &g->cur->in, in);
}

Mark g_mark(G9 *g) { return (Mark){g->lv[g->level].have.n, g->lv[g->level].memo.n}; }

void g_forget_memo(G9 *g, Mark m)
{
    Level *l = &g->lv[g->level];
    while (l->memo.n > m.memo) g->memo[l->memo.at[--l->memo.n]].kind = V_NONE;
}

void g_forget(G9 *g, Mark m)
{
    g->lv[g->level].have.n = m.have;
    g_forget_memo(g, m);
}

/* Barrier registers belong to the warp. Paths take turns, so one that a path waits at must not be set by another one:
 * the two arms of an `if` use different ones. */
int g_barrier_open(G9 *g, bool varies, MBlock *end)
{
    if (!varies || g->no_barriers) return -1;
    if (g->barriers >= G_BARRIERS) {
        g->barriers_lacked = true;
        return -1;
    }
    MInst in = mir_inst(G9_BSSY);
    in.i.r[IS_D] = (uint8_t)g->barriers;
    in.target = end->id;
    in.line = g->line;
    VEC_PUSH(g->mem, &g->cur->in, in);
    int number = g->barriers++;
    if (g->barriers > g->barrier_top) g->barrier_top = g->barriers;
    return number;
}

void g_barrier_close(G9 *g, int barrier)
{
    if (barrier < 0) return;
    MInst in = mir_inst(G9_BSYNC);
    in.i.r[IS_D] = (uint8_t)barrier;
    in.line = g->line;
    VEC_PUSH(g->mem, &g->cur->in, in);
    g->barriers = barrier;
}

/* ---- if */
void g_if(G9 *g, If *f, Val cond)
{
    *f = (If){.els = mir_block(g->k), .end = mir_block(g->k)};
    f->barrier = g_barrier_open(g, g_varies(g, cond), f->end);
    f->top = g->barrier_top;
    g->barrier_top = g->barriers;
    g_jump(g, g_not(cond), f->els);
    g_enter(g, mir_block(g->k));
    f->mark = g_mark(g);
}

void g_else(G9 *g, If *f)
{
    g_jump(g, (Val){0}, f->end);
    g_enter(g, f->els);
    g_forget(g, f->mark);
    if (f->barrier >= 0) g->barriers = g->barrier_top;
    f->has_else = true;
}

void g_endif(G9 *g, If *f)
{
    if (!f->has_else) g_enter(g, f->els);
    g_enter(g, f->end);
    if (f->top > g->barrier_top) g->barrier_top = f->top;
    g_barrier_close(g, f->barrier);
    g_forget(g, f->mark);
}

/* ---- loops
 *   pre:  (instructions of the level around)       gate: [bssy] i = lo; @!(i < hi) bra end
 *   body: …; i += step; @(i < hi) bra body         end:  [bsync] */
static Val below(G9 *g, Val i, Val hi)
{
    IsaType t = i.width == 2 ? IT_S64 : IT_S32;
    Val p = g_new_pred(g);
    g->pred.at[p.r].varies = g_varies(g, i) || g_varies(g, hi);
    g_act(g, OP(G9_ISETP, 2, t), (Val){0}, p, 2, (Val[]){i, hi});
    return p;
}

Val g_loop(G9 *g, Loop *l, Val lo, Val hi, int64_t step)
{
    if (g->level >= G_DEEP) g_fail(g, "loops nest too deep");
    bool wide = lo.lo < INT32_MIN || hi.hi > INT32_MAX - step || lo.width == 2 || hi.width == 2;
    bool varies = g_varies(g, lo) || g_varies(g, hi);
    if (wide) lo = g_wide(g, lo), hi = g_wide(g, hi);
    if (hi.kind != V_IMM) hi = g_reg(g, hi);
    *l = (Loop){.body = mir_block(g->k), .end = mir_block(g->k), .hi = hi, .step = step};
    g->lv[g->level].at = g->cur;
    g->level++;
    g->lv[g->level].have.n = g->lv[g->level].memo.n = 0;
    g_enter(g, mir_block(g->k));
    l->i = fresh(g, wide ? 2 : 1, (RegInfo){g->level, varies, false});
    l->i = g_ranged(l->i, lo.lo, hi.hi > lo.lo ? hi.hi - 1 : lo.lo);
    l->barrier = g_barrier_open(g, varies, l->end);
    g_set(g, l->i, lo);
    int64_t a, b;
    if (!(g_known(lo, &a) && g_known(hi, &b) && a < b)) g_jump(g, g_not(below(g, l->i, hi)), l->end);
    g_enter(g, l->body);
    return l->i;
}

void g_endloop(G9 *g, Loop *l)
{
    g_forget(g, (Mark){0, 0});
    IsaType t = l->i.width == 2 ? IT_S64 : IT_S32;
    g_act(g, OP(G9_IADD3, t), (Val){0}, l->i, 3, (Val[]){l->i, g_imm(l->step), g_imm(0)});
    g_jump(g, below(g, l->i, l->hi), l->body);
    g_enter(g, l->end);
    g_barrier_close(g, l->barrier);
    g->level--;
}
