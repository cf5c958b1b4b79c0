/* exec: arithmetic, moves, predicates and exchange between lanes, a warp at a time. */
#include "runtime/sim/sim_float.h"
#include "runtime/sim/sim_priv.h"

/* ---- rows
 * --------------------------------------------------------------------------------------------------------------- */

static void apply_signs(uint32_t *to, const uint32_t *from, const SimSource *s, int lanes)
{
    int n = lanes * s->width, high = s->width == 2 ? lanes : 0; /* the row that has the sign */
    uint32_t bit = isa_is_x2(s->type)            ? 0x80008000u
                   : isa_type[s->type].bits < 32 ? 1u << (isa_type[s->type].bits - 1)
                                                 : 0x80000000u;
    if (to != from) memcpy(to, from, sizeof *to * (size_t)n);
    if (isa_type[s->type].cls == 'F') {
        for (int i = high; i < high + lanes; i++) {
            if (s->abs) to[i] &= ~bit;
            if (s->neg) to[i] ^= bit;
        }
    } else if (s->neg && isa_is_x2(s->type)) {
        for (int i = 0; i < lanes; i++) to[i] = ((0 - to[i]) & 0xffff) | (0 - (to[i] >> 16)) << 16;
    } else if (s->neg && s->width == 2) {
        for (int i = 0; i < lanes; i++) {
            uint64_t x = 0 - ((uint64_t)to[i] | (uint64_t)to[i + lanes] << 32);
            to[i] = (uint32_t)x;
            to[i + lanes] = (uint32_t)(x >> 32);
        }
    } else if (s->neg) {
        for (int i = 0; i < lanes; i++) to[i] = 0 - to[i];
    }
    for (int i = 0; s->ftz && i < lanes; i++)
        if (!(to[i] & 0x7f800000u)) to[i] &= 0x80000000u;
}

const uint32_t *sim_source(SimWarp *w, const SimInst *in, int slot)
{
    const SimSource *s = &in->src[slot];
    uint32_t *t = w->scratch[slot];
    const uint32_t *row = s->where == SRC_REGS ? w->regs + s->off : w->block->cluster->run->pool + s->off;
    int lanes = in->lanes;
    if (s->where == SRC_UREG) {
        row = t;
        for (int k = 0; k < s->width; k++)
            for (int i = 0; i < lanes; i++) t[k * lanes + i] = w->ureg[s->off + (uint32_t)k];
    }
    if (s->neg | s->abs | s->ftz) {
        apply_signs(t, row, s, lanes);
        return t;
    }
    return row;
}

uint32_t sim_lane(SimWarp *w, const SimInst *in, int slot, int lane)
{
    const SimSource *s = &in->src[slot];
    if (s->where == SRC_UREG) return w->ureg[s->off];
    return s->where == SRC_REGS ? w->regs[s->off + (uint32_t)lane]
                                : w->block->cluster->run->pool[s->off + (uint32_t)lane];
}

void sim_write_row(SimWarp *w, uint32_t off, const uint32_t *from, uint64_t mask)
{
    int lanes = w->block->cluster->run->lanes;
    uint32_t *d = w->regs + off;
    if (mask == w->all) {
        memcpy(d, from, sizeof *d * (size_t)lanes);
        return;
    }
    for (int i = 0; i < lanes; i++) {
        uint32_t keep = (uint32_t)(mask >> i & 1) - 1;
        d[i] = (d[i] & keep) | (from[i] & ~keep);
    }
}

void sim_write_pred(SimWarp *w, unsigned p, uint64_t value, uint64_t mask)
{
    if (p != ISA_PT) w->p[p] = (w->p[p] & ~mask) | (value & mask);
}

static uint64_t read_pred(const SimWarp *w, unsigned p) { return p & 8 ? ~w->p[p & 7] : w->p[p & 7]; }

/* ---- arithmetic
 * ----------------------------------------------------------------------------------------------------------- */

static void clamp_f32(uint32_t *d, const SimInst *in)
{
    for (int i = 0; i < in->lanes; i++) {
        float x = bits_f32(d[i]);
        if (in->ftz && !(d[i] & 0x7f800000u)) x = bits_f32(d[i] & 0x80000000u);
        if (in->clamp) x = x > 0 ? x : 0;
        if (in->clamp == 1 && x > 1) x = 1;
        d[i] = f32_bits(x);
    }
}

static void clamp_half(uint32_t *d, const SimInst *in)
{
    uint32_t one = in->type == IT_F16X2 ? 0x3c00 : 0x3f80, nan = in->type == IT_F16X2 ? 0x7c00 : 0x7f80;
    for (int i = 0; i < in->lanes; i++) {
        uint32_t r = 0;
        for (int k = 0; k < 32; k += 16) {
            uint32_t h = d[i] >> k & 0xffff;
            if ((h & 0x8000) || h > nan) h = 0;
            if (in->clamp == 1 && h > one) h = one;
            r |= h << k;
        }
        d[i] = r;
    }
}

static void clamp_f64(uint32_t *d, const SimInst *in)
{
    int lanes = in->lanes;
    for (int i = 0; i < lanes; i++) {
        double x = bits_f64((uint64_t)d[i] | (uint64_t)d[i + lanes] << 32);
        x = x > 0 ? x : 0;
        if (in->clamp == 1 && x > 1) x = 1;
        d[i] = (uint32_t)f64_bits(x);
        d[i + lanes] = (uint32_t)(f64_bits(x) >> 32);
    }
}

static void finish(uint32_t *d, const SimInst *in)
{
    if (in->type == IT_F32)
        clamp_f32(d, in);
    else if (in->clamp && in->type == IT_F64)
        clamp_f64(d, in);
    else if (in->clamp)
        clamp_half(d, in);
}

SimNext sim_exec_alu(SimWarp *w, const SimInst *in, uint64_t mask)
{
    if (in->plain) {
        const uint32_t *base[2] = {w->regs, w->block->cluster->run->pool};
        const uint32_t *a = base[in->src[0].where] + in->src[0].off, *b = base[in->src[1].where] + in->src[1].off;
        const uint32_t *c = base[in->src[2].where] + in->src[2].off;
        if (mask == w->all) {
            in->alu(w->regs + in->d, a, b, c, in);
            return SIM_GO;
        }
        in->alu(w->scratch[3], a, b, c, in);
    } else {
        const uint32_t *a = sim_source(w, in, 0), *b = sim_source(w, in, 1), *c = sim_source(w, in, 2);
        in->alu(w->scratch[3], a, b, c, in);
        if (in->ftz || in->clamp) finish(w->scratch[3], in);
    }
    for (int k = 0; k < in->dwidth; k++)
        sim_write_row(w, in->d + (uint32_t)(k * in->lanes), w->scratch[3] + k * in->lanes, mask);
    return SIM_GO;
}

static const uint32_t *uniform_source(SimWarp *w, const SimInst *in, int slot)
{
    const SimSource *s = &in->src[slot];
    const uint32_t *row = s->where == SRC_UREG ? w->ureg + s->off : w->block->cluster->run->pool + s->off;
    if (!s->neg) return row;
    apply_signs(w->scratch[slot], row, s, 1);
    return w->scratch[slot];
}

SimNext sim_exec_uniform_alu(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)mask;
    uint32_t t[2];
    in->alu(t, uniform_source(w, in, 0), uniform_source(w, in, 1), uniform_source(w, in, 2), in);
    memcpy(w->ureg + in->d, t, sizeof *t * in->dwidth);
    return SIM_GO;
}

/* ---- predicates and selection
 * ------------------------------------------------------------------------------------------------ */

static uint64_t join(uint64_t x, uint64_t p, int how) { return how == 0 ? x & p : how == 1 ? x | p : x ^ p; }

SimNext sim_exec_setp(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint64_t x = in->compare(sim_source(w, in, 0), sim_source(w, in, 1), in), p = read_pred(w, in->in.p[ISP_S]);
    int how = isa_mod_of(&in->in, IG_JOIN);
    sim_write_pred(w, in->in.p[ISP_D], join(x, p, how), mask);
    sim_write_pred(w, in->in.p[ISP_E], join(~x, p, how), mask);
    return SIM_GO;
}

SimNext sim_exec_setp2(SimWarp *w, const SimInst *in, uint64_t mask)
{
    const uint32_t *a = sim_source(w, in, 0), *b = sim_source(w, in, 1);
    uint32_t *x = w->scratch[4], *y = w->scratch[5];
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < in->lanes; i++) {
            uint32_t p = a[i] >> 16 * half & 0xffff, q = b[i] >> 16 * half & 0xffff;
            x[i] = f32_bits(in->type == IT_F16X2 ? widen_f16(p) : widen_bf16(p));
            y[i] = f32_bits(in->type == IT_F16X2 ? widen_f16(q) : widen_bf16(q));
        }
        sim_write_pred(w, in->in.p[half ? ISP_E : ISP_D], in->compare(x, y, in), mask);
    }
    return SIM_GO;
}

SimNext sim_exec_plop(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint64_t a = read_pred(w, in->in.p[ISP_S]), b = read_pred(w, in->in.p[ISP_T]);
    sim_write_pred(w, in->in.p[ISP_D], join(a, b, in->in.mod[0]), mask);
    return SIM_GO;
}

SimNext sim_exec_sel(SimWarp *w, const SimInst *in, uint64_t mask)
{
    const uint32_t *a = sim_source(w, in, 0), *b = sim_source(w, in, 1);
    uint64_t p = read_pred(w, in->in.p[ISP_S]);
    uint32_t *t = w->scratch[3];
    for (int k = 0; k < in->dwidth; k++) {
        for (int i = 0; i < in->lanes; i++) {
            uint32_t pick = 0 - (uint32_t)(p >> i & 1);
            t[k * in->lanes + i] = (a[k * in->lanes + i] & pick) | (b[k * in->lanes + i] & ~pick);
        }
    }
    for (int k = 0; k < in->dwidth; k++) sim_write_row(w, in->d + (uint32_t)(k * in->lanes), t + k * in->lanes, mask);
    return SIM_GO;
}

SimNext sim_exec_usel(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint64_t p = read_pred(w, in->in.p[ISP_S]) & mask;
    if (p && p != mask) return sim_fault(w, in, SIM_DIVERGENT, -1, 0, "the predicate differs between active lanes");
    const uint32_t *from = p ? uniform_source(w, in, 0) : uniform_source(w, in, 1);
    uint32_t t[2] = {from[0], from[1]};
    memcpy(w->ureg + in->d, t, sizeof *t * in->dwidth);
    return SIM_GO;
}

SimNext sim_exec_usetp(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint64_t x = in->compare(uniform_source(w, in, 0), uniform_source(w, in, 1), in) & 1;
    sim_write_pred(w, in->in.p[ISP_D], 0 - x, mask);
    return SIM_GO;
}

SimNext sim_exec_p2r(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint32_t *t = w->scratch[3];
    memset(t, 0, sizeof *t * LANES_MOST);
    for (int k = 0; k < 7; k++)
        for (int i = 0; i < in->lanes; i++) t[i] |= (uint32_t)(w->p[k] >> i & 1) << k;
    sim_write_row(w, in->d, t, mask);
    return SIM_GO;
}

SimNext sim_exec_r2p(SimWarp *w, const SimInst *in, uint64_t mask)
{
    const uint32_t *a = sim_source(w, in, 0);
    for (unsigned k = 0; k < 7; k++) {
        if (!(in->in.number >> k & 1)) continue;
        uint64_t m = 0;
        for (int i = 0; i < in->lanes; i++) m |= (uint64_t)(a[i] >> k & 1) << i;
        sim_write_pred(w, k, m, mask);
    }
    return SIM_GO;
}

/* ---- special registers
 * --------------------------------------------------------------------------------------------------------- */

static uint64_t special(const SimWarp *w, uint32_t which, int lane, uint64_t mask)
{
    const SimBlock *b = w->block;
    const SimRun *r = b->cluster->run;
    uint32_t t = w->number * (uint32_t)r->lanes + (uint32_t)lane;
    uint64_t one = UINT64_C(1) << lane;
    switch (which) {
    case ISR_TID_X: return t % r->block[0];
    case ISR_TID_Y: return t / r->block[0] % r->block[1];
    case ISR_TID_Z: return t / r->block[0] / r->block[1];
    case ISR_NTID_X:
    case ISR_NTID_Y:
    case ISR_NTID_Z: return r->block[which - ISR_NTID_X];
    case ISR_CTAID_X:
    case ISR_CTAID_Y:
    case ISR_CTAID_Z: return b->id[which - ISR_CTAID_X];
    case ISR_NCTAID_X:
    case ISR_NCTAID_Y:
    case ISR_NCTAID_Z: return r->grid[which - ISR_NCTAID_X];
    case ISR_CRANK: return (uint64_t)b->rank;
    case ISR_CSIZE: return (uint64_t)r->cluster_blocks;
    case ISR_CID: return b->cluster->number;
    case ISR_LANE: return (uint64_t)lane;
    case ISR_WARP: return w->number;
    case ISR_NWARP: return (uint64_t)r->nwarps;
    case ISR_WARPSIZE: return (uint64_t)r->lanes;
    case ISR_NSM: return (uint64_t)r->device->machine.chip_sms;
    case ISR_MASK_EQ: return one;
    case ISR_MASK_LT: return one - 1;
    case ISR_MASK_LE: return one | (one - 1);
    case ISR_MASK_GT: return w->all & ~(one | (one - 1));
    case ISR_MASK_GE: return w->all & ~(one - 1);
    case ISR_ACTIVE: return mask;
    case ISR_SM: return b->sm;
    case ISR_CLOCK: return b->cluster->timed ? w->now : w->count;
    case ISR_SHARED: return r->shared_bytes;
    case ISR_LAUNCH: return r->serial;
    default: return 0;
    }
}

SimNext sim_exec_s2r(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint32_t *t = w->scratch[3];
    for (int i = 0; i < in->lanes; i++) {
        uint64_t x = special(w, in->in.imm, i, mask);
        t[i] = (uint32_t)x;
        t[in->lanes + i] = (uint32_t)(x >> 32);
    }
    for (int k = 0; k < in->dwidth; k++) sim_write_row(w, in->d + (uint32_t)(k * in->lanes), t + k * in->lanes, mask);
    return SIM_GO;
}

SimNext sim_exec_us2r(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint64_t x = special(w, in->in.imm, 0, mask);
    memcpy(w->ureg + in->d, (uint32_t[2]){(uint32_t)x, (uint32_t)(x >> 32)}, 4u * in->dwidth);
    return SIM_GO;
}

SimNext sim_exec_r2ur(SimWarp *w, const SimInst *in, uint64_t mask)
{
    const uint32_t *a = sim_source(w, in, 0);
    int lanes = w->block->cluster->run->lanes, first = __builtin_ctzll(mask);
    const SimSource *s = &in->src[0];
    a = s->where == SRC_REGS ? w->regs + s->off : w->block->cluster->run->pool;
    for (int k = 0; k < in->dwidth; k++) {
        if (w->block->cluster->run->checked)
            for (int i = 0; i < lanes; i++)
                if ((mask >> i & 1) && a[k * lanes + i] != a[k * lanes + first])
                    return sim_fault(w, in, SIM_DIVERGENT, i, 0, "the register differs between active lanes");
        w->ureg[in->d + (uint32_t)k] = a[k * lanes + first];
    }
    return SIM_GO;
}

SimNext sim_exec_lab(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint32_t *t = w->scratch[3];
    for (int i = 0; i < in->lanes; i++) t[i] = (uint32_t)in->target;
    sim_write_row(w, in->d, t, mask);
    return SIM_GO;
}

SimNext sim_exec_nothing(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)w, (void)in, (void)mask;
    return SIM_GO;
}

SimNext sim_exec_mapa(SimWarp *w, const SimInst *in, uint64_t mask)
{
    const uint32_t *a = sim_source(w, in, 0), *b = sim_source(w, in, 1);
    uint32_t *t = w->scratch[3];
    for (int i = 0; i < in->lanes; i++) {
        if ((mask >> i & 1) && b[i] >= (uint32_t)w->block->cluster->run->cluster_blocks)
            return sim_fault(w, in, SIM_BAD_OPERAND, i, 0, "the cluster has no block of rank %u", b[i]);
        t[i] = (a[i] & 0xffffff) | (b[i] + 1) << 24;
    }
    sim_write_row(w, in->d, t, mask);
    return SIM_GO;
}

/* ---- between lanes
 * ----------------------------------------------------------------------------------------------------------------- */

SimNext sim_exec_shfl(SimWarp *w, const SimInst *in, uint64_t mask)
{
    const uint32_t *a = sim_source(w, in, 0), *b = sim_source(w, in, 1);
    int seg = isa_mod_of(&in->in, IG_SEGMENT), how = in->in.mod[0];
    int64_t lanes = in->lanes, n = seg && 1 << seg < lanes ? 1 << seg : lanes;
    uint32_t *t = w->scratch[3];
    uint64_t ok = 0;
    for (int64_t i = 0; i < lanes; i++) {
        int64_t base = i & ~(n - 1), own = i - base, from = 0;
        switch (how) {
        case 0: from = b[i] & (n - 1); break;
        case 1: from = own - (int64_t)b[i]; break;
        case 2: from = own + (int64_t)b[i]; break;
        default: from = own ^ (int64_t)b[i]; break;
        }
        bool there = from >= 0 && from < n;
        t[i] = a[there ? base + from : i];
        ok |= (uint64_t)there << i;
    }
    sim_write_row(w, in->d, t, mask);
    sim_write_pred(w, in->in.p[ISP_D], ok, mask);
    return SIM_GO;
}

SimNext sim_exec_vote(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint64_t p = read_pred(w, in->in.p[ISP_S]) & mask;
    bool x = in->in.mod[0] == 0 ? p == mask : in->in.mod[0] == 1 ? p != 0 : p == 0 || p == mask;
    sim_write_pred(w, in->in.p[ISP_D], 0 - (uint64_t)x, mask);
    return SIM_GO;
}

static void write_masks(SimWarp *w, const SimInst *in, const uint64_t *m, uint64_t mask)
{
    uint32_t *t = w->scratch[3];
    for (int k = 0; k < in->dwidth; k++) {
        for (int i = 0; i < in->lanes; i++) t[i] = (uint32_t)(m[i] >> 32 * k);
        sim_write_row(w, in->d + (uint32_t)(k * in->lanes), t, mask);
    }
}

SimNext sim_exec_ballot(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint64_t m[LANES_MOST], p = read_pred(w, in->in.p[ISP_S]) & mask;
    for (int i = 0; i < in->lanes; i++) m[i] = p;
    write_masks(w, in, m, mask);
    return SIM_GO;
}

SimNext sim_exec_match(SimWarp *w, const SimInst *in, uint64_t mask)
{
    const uint32_t *a = sim_source(w, in, 0);
    int lanes = in->lanes, wide = in->src[0].width == 2;
    uint64_t m[LANES_MOST] = {0}, any = 0;
    for (int i = 0; i < lanes; i++)
        for (int j = 0; j < lanes; j++)
            if ((mask >> i & mask >> j & 1) && a[i] == a[j] && (!wide || a[i + lanes] == a[j + lanes]))
                m[i] |= UINT64_C(1) << j;
    if (in->in.mod[0]) { /* all */
        bool all = m[__builtin_ctzll(mask)] == mask;
        for (int i = 0; i < lanes; i++) m[i] = all ? mask : 0;
        any = 0 - (uint64_t)all;
    } else {
        for (int i = 0; i < lanes; i++) any |= (uint64_t)(__builtin_popcountll(m[i]) > 1) << i;
    }
    write_masks(w, in, m, mask);
    sim_write_pred(w, in->in.p[ISP_D], any, mask);
    return SIM_GO;
}

static uint32_t reduce(int op, int t, uint32_t x, uint32_t y)
{
    float f = bits_f32(x), g = bits_f32(y);
    switch (op) {
    case 0: return t == IT_F32 ? canonical_f32(f + g) : x + y;
    case 1:
        if (t == IT_F32) return f != f ? canonical_f32(g) : g != g ? x : f < g ? x : g < f ? y : x >> 31 ? x : y;
        return t == IT_S32 ? ((int32_t)x < (int32_t)y ? x : y) : x < y ? x : y;
    case 2:
        if (t == IT_F32) return f != f ? canonical_f32(g) : g != g ? x : f > g ? x : g > f ? y : x >> 31 ? y : x;
        return t == IT_S32 ? ((int32_t)x > (int32_t)y ? x : y) : x > y ? x : y;
    case 3: return x & y;
    case 4: return x | y;
    default: return x ^ y;
    }
}

SimNext sim_exec_redux(SimWarp *w, const SimInst *in, uint64_t mask)
{
    const uint32_t *a = sim_source(w, in, 0);
    uint32_t *t = w->scratch[3];
    int first = __builtin_ctzll(mask);
    uint32_t x = a[first];
    for (int i = first + 1; i < in->lanes; i++)
        if (mask >> i & 1) x = reduce(in->in.mod[0], in->in.mod[1], x, a[i]);
    for (int i = 0; i < in->lanes; i++) t[i] = x;
    sim_write_row(w, in->d, t, mask);
    return SIM_GO;
}

SimNext sim_exec_elect(SimWarp *w, const SimInst *in, uint64_t mask)
{
    sim_write_pred(w, in->in.p[ISP_D], mask & (0 - mask), mask);
    return SIM_GO;
}

/* ---- who executes what
 * ----------------------------------------------------------------------------------------------------------------- */

SimExec *sim_exec(const IsaInst *in)
{
    /* By opcode; every row of the table must have its line, which the assertion counts. */
    static SimExec *const by_op[G9_COUNT] = {
#define RUNS(ID, name, timing) [G9_##ID] = sim_exec_##name,
#include "runtime/sim/execs.def"
#undef RUNS
    };
    return by_op[in->op];
}

enum {
#define RUNS(ID, name, timing) LINE_##ID,
#include "runtime/sim/execs.def"
#undef RUNS
    LINES
};
_Static_assert((int)LINES == (int)G9_COUNT, "every instruction has an executor");
