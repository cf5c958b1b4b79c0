/* async: copies that the program need not wait for, transaction barriers, barriers of blocks and clusters, fences.
 *
 * A functional run does a copy when it is issued; a checked one remembers what has not been waited for.
 *
 * A transaction barrier is 8 bytes: bits 0–15 the arrivals that this phase still waits for, 16–31 those of a whole
 * phase, 32–62 the bytes of copies that it waits for (signed: a copy may finish before it is expected), 63 the parity
 * of the phase. */
#include "runtime/sim/sim_priv.h"

/* ---- operands -------------------------------------------------------------------------------------------------------
 */

static uint32_t word(SimWarp *w, const SimInst *in, int slot, int lane) { return sim_lane(w, in, slot, lane); }

static uint64_t pair(SimWarp *w, const SimInst *in, int slot)
{
    const SimSource *s = &in->src[slot];
    const uint32_t *row = (s->where == SRC_REGS ? w->regs : w->block->cluster->run->pool) + s->off;
    return row[0] | (uint64_t)row[in->lanes] << 32;
}

/* The address in slot D, whose offset is the lower half of the immediate. */
static uint32_t shared_in_d(SimWarp *w, const SimInst *in, int lane)
{
    uint32_t reg = in->in.r[IS_D];
    uint32_t base = reg == ISA_RZ ? 0 : w->regs[reg * (uint32_t)w->block->cluster->run->lanes + (uint32_t)lane];
    return base + (uint32_t)(int32_t)(int16_t)in->in.imm;
}

uint32_t sim_swizzle(uint32_t address, int how) { return address ^ ((address >> 7 & ((1u << how) - 1)) << 4); }

/* ---- copies by threads ----------------------------------------------------------------------------------------------
 */

SimNext sim_exec_cpa(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint32_t bytes = isa_type[in->in.mod[0]].bits / 8u;
    uint8_t *to[LANES_MOST], *from[LANES_MOST];
    uint32_t take[LANES_MOST];
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        take[i] = in->in.op == G9_CPAZ ? word(w, in, 2, i) : bytes;
        if (take[i] > bytes)
            return sim_fault(w, in, SIM_BAD_OPERAND, i, 0, "a copy of %u bytes takes %u", bytes, take[i]);
        uint64_t address = sim_global_address(w, in, i);
        uint32_t shared = shared_in_d(w, in, i);
        from[i] = NULL;
        if (address & (bytes - 1))
            return sim_fault(w, in, SIM_MISALIGNED, i, address, "address 0x%llx is no multiple of %u",
                             (unsigned long long)address, bytes);
        if (take[i] && !(from[i] = sim_global_part(w, in, i, address, take[i]))) return SIM_STOP;
        if (!(to[i] = sim_shared(w, in, i, shared, bytes, true))) return SIM_STOP;
        if (w->block->cluster->run->checked && shared >> 24 == 0) sim_copy_begins(w, shared, bytes);
    }
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        if (take[i]) memmove(to[i], from[i], take[i]);
        memset(to[i] + take[i], 0, bytes - take[i]);
    }
    return SIM_GO;
}

SimNext sim_exec_cpcommit(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)in, (void)mask;
    w->copy_group++;
    return SIM_GO;
}

SimNext sim_exec_cpwait(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)mask;
    if (w->block->cluster->run->checked) sim_copies_end(w, in->in.number);
    return SIM_GO;
}

/* ---- transaction barriers -------------------------------------------------------------------------------------------
 */

typedef struct Phase {
    uint32_t left, all;
    int32_t bytes;
    unsigned parity;
} Phase;

static Phase phase_at(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return (Phase){x & 0xffff, x >> 16 & 0xffff, (int32_t)((uint32_t)(x >> 32) << 1) >> 1, (unsigned)(x >> 63)};
}

static void put_phase(uint8_t *p, Phase b)
{
    if (b.left == 0 && b.bytes == 0) {
        b.left = b.all;
        b.parity ^= 1;
    }
    uint64_t x =
        b.left | (uint64_t)b.all << 16 | (uint64_t)((uint32_t)b.bytes & 0x7fffffff) << 32 | (uint64_t)b.parity << 63;
    memcpy(p, &x, 8);
}

static void synchronise(SimWarp *w, uint32_t address, bool give, bool take)
{
    SimBlock *b = address >> 24 ? &w->block->cluster->block[(address >> 24) - 1] : w->block;
    uint32_t *clock = sim_sync(w, b, address & 0xffffff);
    if (clock) sim_join_clock(w, clock, give, take);
}

static bool arrive(SimWarp *w, const SimInst *in, int lane, uint32_t address, uint32_t arrivals, int32_t expect)
{
    uint8_t *p = sim_shared(w, in, lane, address, 8, true);
    if (!p) return false;
    Phase b = phase_at(p);
    if (b.left < arrivals) {
        sim_fault(w, in, SIM_BAD_OPERAND, lane, address, "the transaction barrier at 0x%x waits for %u arrivals",
                  address, b.left);
        return false;
    }
    b.bytes += expect;
    b.left -= arrivals;
    put_phase(p, b);
    synchronise(w, address, true, false);
    return true;
}

static bool complete(SimWarp *w, const SimInst *in, uint32_t address, uint32_t bytes)
{
    return arrive(w, in, 0, address, 0, -(int32_t)bytes);
}

SimNext sim_exec_mbinit(SimWarp *w, const SimInst *in, uint64_t mask)
{
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        uint32_t n = word(w, in, 2, i), address = sim_shared_address(w, in, i);
        if (n == 0 || n > 0xffff)
            return sim_fault(w, in, SIM_BAD_OPERAND, i, address, "a transaction barrier of %u arrivals", n);
        uint8_t *p = sim_shared(w, in, i, address, 8, true);
        if (!p) return SIM_STOP;
        put_phase(p, (Phase){.left = n, .all = n});
    }
    return SIM_GO;
}

SimNext sim_exec_mbarrive(SimWarp *w, const SimInst *in, uint64_t mask)
{
    for (uint64_t m = mask; m; m &= m - 1)
        if (!arrive(w, in, __builtin_ctzll(m), sim_shared_address(w, in, __builtin_ctzll(m)), 1, 0)) return SIM_STOP;
    return SIM_GO;
}

SimNext sim_exec_mbexpect(SimWarp *w, const SimInst *in, uint64_t mask)
{
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        uint32_t bytes = word(w, in, 2, i), address = sim_shared_address(w, in, i);
        if (bytes > 1u << 24)
            return sim_fault(w, in, SIM_BAD_OPERAND, i, address, "%u bytes are more than shared memory", bytes);
        if (!arrive(w, in, i, address, 1, (int32_t)bytes)) return SIM_STOP;
    }
    return SIM_GO;
}

SimNext sim_exec_mbtry(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint64_t done = 0;
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        uint32_t address = sim_shared_address(w, in, i);
        const uint8_t *p = sim_shared(w, in, i, address, 8, false);
        if (!p) return SIM_STOP;
        if (phase_at(p).parity == (word(w, in, 2, i) & 1)) continue;
        done |= UINT64_C(1) << i;
        synchronise(w, address, false, true);
    }
    sim_write_pred(w, in->in.p[ISP_D], done, mask);
    if (done == mask) return SIM_GO;
    w->pc++;
    return SIM_YIELD;
}

/* The copies of a functional run have finished, so this is an arrival. */
SimNext sim_exec_cpmbar(SimWarp *w, const SimInst *in, uint64_t mask)
{
    if (w->block->cluster->run->checked) sim_copies_end(w, -1);
    return sim_exec_mbarrive(w, in, mask);
}

/* ---- bulk copies: one for the whole warp, operands of its first lane ------------------------------------------------
 */

static bool in_sixteens(SimWarp *w, const SimInst *in, uint64_t global, uint32_t shared, uint32_t bytes)
{
    if (!(global & 15) && !(shared & 15) && !(bytes & 15)) return true;
    sim_fault(w, in, SIM_MISALIGNED, 0, global, "a bulk copy of %u bytes between 0x%llx and 0x%x needs multiples of 16",
              bytes, (unsigned long long)global, shared);
    return false;
}

SimNext sim_exec_bulk(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)mask;
    bool load = in->in.op == G9_BULKG2S;
    uint64_t global = pair(w, in, 0);
    uint32_t shared = shared_in_d(w, in, 0), bytes = word(w, in, 1, 0);
    if (!in_sixteens(w, in, global, shared, bytes)) return SIM_STOP;
    for (uint32_t k = 0; k < bytes; k += 16) {
        uint8_t *g = sim_global(w, in, 0, global + k, 16, !load);
        uint8_t *s = g ? sim_shared(w, in, 0, shared + k, 16, load) : NULL;
        if (!s) return SIM_STOP;
        memcpy(load ? s : g, load ? g : s, 16);
    }
    if (w->block->cluster->timed) sim_time_touch(w, global, bytes);
    if (load && !complete(w, in, word(w, in, 2, 0), bytes)) return SIM_STOP;
    return SIM_GO;
}

/* A tile map: 128 bytes of global memory, aligned to 16. docs/sim.md has the layout. */
typedef struct TileMap {
    uint64_t address;
    uint32_t element, swizzle, fill, rank; /* bytes of an element; 0 to 3; bits; dimensions */
    uint32_t size[5], box[5];              /* innermost first, in elements */
    uint64_t stride[4];                    /* bytes between neighbours of dimension 1 on */
    uint32_t zero[8];
} TileMap;
_Static_assert(sizeof(TileMap) == 128, "the layout is part of the ISA");

static bool tile_map(SimWarp *w, const SimInst *in, TileMap *t)
{
    uint64_t at = pair(w, in, 0);
    for (uint32_t k = 0; k < sizeof *t; k += 16) {
        const uint8_t *p = sim_global(w, in, 0, at + k, 16, false);
        if (!p) return false;
        memcpy((uint8_t *)t + k, p, 16);
    }
    uint32_t rank = (uint32_t)isa_mod_of(&in->in, IG_DIMS) + 1;
    const char *why = NULL;
    if (t->rank != rank) why = "another rank than the instruction";
    if (t->element != 1 && t->element != 2 && t->element != 4 && t->element != 8)
        why = "an element that is not 1, 2, 4 or 8 bytes";
    if (t->swizzle > 3) why = "an unknown swizzle";
    uint64_t bytes = t->element;
    for (uint32_t d = 0; !why && d < rank; d++) {
        if (t->box[d] == 0 || t->box[d] > 256) why = "a box outside of 1 to 256";
        bytes *= t->box[d];
        if (d && t->stride[d - 1] & 15) why = "a stride that is no multiple of 16";
    }
    if (!why && (t->address & 15 || (uint64_t)t->box[0] * t->element & 15))
        why = "rows that are no multiples of 16 bytes";
    if (!why && bytes > 1u << 24) why = "a box that is larger than shared memory";
    if (why) sim_fault(w, in, SIM_BAD_OPERAND, 0, at, "the tile map has %s", why);
    return !why;
}

/* One row of the box: element by element at its ends, where the tensor ends. */
static bool tile_row(SimWarp *w, const SimInst *in, const TileMap *t, const int64_t *from, bool inside, uint64_t row,
                     uint32_t shared)
{
    bool load = in->in.op == G9_TILEG2S;
    int64_t lo = from[0] > 0 ? from[0] : 0, hi = from[0] + t->box[0] < t->size[0] ? from[0] + t->box[0] : t->size[0];
    if (w->block->cluster->timed && inside && lo < hi)
        sim_time_touch(w, row + (uint64_t)lo * t->element, (uint32_t)(hi - lo) * t->element);
    for (uint32_t i = 0; i < t->box[0]; i++) {
        int64_t x = from[0] + i;
        bool there = inside && x >= 0 && x < t->size[0];
        uint32_t at = sim_swizzle(shared + i * t->element, (int)t->swizzle);
        if (!there && !load) continue;
        uint8_t *s = sim_shared(w, in, 0, at, t->element, load), *g = NULL;
        if (!s) return false;
        if (there && !(g = sim_global(w, in, 0, row + (uint64_t)x * t->element, t->element, !load))) return false;
        uint64_t fill = t->fill;
        memcpy(load ? s : g, !load ? s : g ? g : (uint8_t *)&fill, t->element);
    }
    return true;
}

SimNext sim_exec_tile(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)mask;
    TileMap t = {0};
    if (!tile_map(w, in, &t)) return SIM_STOP;
    uint32_t shared = shared_in_d(w, in, 0), rows = 1, row_bytes = t.box[0] * t.element;
    if (shared & 15)
        return sim_fault(w, in, SIM_MISALIGNED, 0, shared, "shared address 0x%x is no multiple of 16", shared);
    int64_t from[5] = {0};
    for (uint32_t d = 0; d < t.rank; d++) {
        from[d] = in->in.r[IS_B] == ISA_RZ ? 0 : (int32_t)w->regs[in->src[1].off + d * (uint32_t)in->lanes];
        if (d) rows *= t.box[d];
    }
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t row = t.address;
        uint32_t rest = i;
        bool inside = true;
        for (uint32_t d = 1; d < t.rank; d++) {
            int64_t x = from[d] + rest % t.box[d];
            rest /= t.box[d];
            inside &= x >= 0 && x < t.size[d];
            row += (uint64_t)x * t.stride[d - 1];
        }
        if (!tile_row(w, in, &t, from, inside, row, shared + i * row_bytes)) return SIM_STOP;
    }
    if (in->in.op == G9_TILEG2S && !complete(w, in, word(w, in, 2, 0), rows * row_bytes)) return SIM_STOP;
    return SIM_GO;
}

/* ---- barriers of a block --------------------------------------------------------------------------------------------
 */

static void bar_check(SimBlock *b, int number)
{
    SimBar *bar = &b->bar[number];
    if (!bar->arrived || bar->arrived < bar->expected) return;
    if (!bar->expected)
        for (int i = 0; i < b->nwarps; i++)
            if (b->warp[i].state != WARP_DONE && !(bar->by[i / 64] >> i % 64 & 1)) return;
    bar->arrived = bar->expected = 0;
    memset(bar->by, 0, sizeof bar->by);
    for (int i = 0; i < b->nwarps; i++) {
        SimWarp *w = &b->warp[i];
        if (w->state != WARP_BAR || w->bar != number) continue;
        w->state = WARP_RUNS;
        if (bar->clock) sim_join_clock(w, bar->clock, false, true);
    }
}

void sim_bar_release(SimBlock *b)
{
    for (int i = 0; i < 16; i++)
        if (b->bar[i].arrived && !b->bar[i].expected) bar_check(b, i);
}

SimNext sim_exec_bar(SimWarp *w, const SimInst *in, uint64_t mask)
{
    SimBlock *b = w->block;
    int number = in->in.number;
    SimBar *bar = &b->bar[number];
    uint32_t lanes = (uint32_t)b->cluster->run->lanes, threads = word(w, in, 0, __builtin_ctzll(mask)),
             expect = threads / lanes;
    bool sync = in->in.mod[0] == 0;
    if (threads % lanes || expect > (uint32_t)b->nwarps || (!sync && !threads))
        return sim_fault(w, in, SIM_BAD_OPERAND, -1, 0, "barrier %d of %u threads, in a block of %d warps of %u",
                         number, threads, b->nwarps, lanes);
    if (bar->arrived && bar->expected != expect)
        return sim_fault(w, in, SIM_DIVERGENT, -1, 0, "barrier %d waits for %u warps, this one wants %u", number,
                         bar->expected, expect);
    if (bar->by[w->number / 64] >> w->number % 64 & 1)
        return sim_fault(w, in, SIM_DIVERGENT, -1, 0, "the warp arrives twice at barrier %d", number);
    bar->by[w->number / 64] |= UINT64_C(1) << w->number % 64;
    bar->expected = expect;
    bar->arrived++;
    if (bar->clock) sim_join_clock(w, bar->clock, true, false);
    if (sync) {
        w->state = WARP_BAR;
        w->bar = number;
    }
    w->pc++;
    bar_check(b, number);
    return w->state == WARP_RUNS ? SIM_JUMPED : SIM_WAIT;
}

/* ---- the barrier of a cluster ---------------------------------------------------------------------------------------
 */

void sim_cbar_release(SimCluster *c)
{
    if (!c->arrived || c->arrived < c->warps) return;
    c->arrived = 0;
    c->phase++;
    for (int i = 0; i < c->nblocks; i++)
        for (int j = 0; j < c->block[i].nwarps; j++) {
            SimWarp *w = &c->block[i].warp[j];
            if (w->state != WARP_CBAR) continue;
            w->state = WARP_RUNS;
            if (c->clock) sim_join_clock(w, c->clock, false, true);
        }
}

SimNext sim_exec_cbar(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)mask;
    SimCluster *c = w->block->cluster;
    if (in->in.mod[0] == 0) {
        if (w->cluster_phase > c->phase)
            return sim_fault(w, in, SIM_DIVERGENT, -1, 0, "the warp arrives twice at the cluster's barrier");
        w->cluster_phase = c->phase + 1;
        c->arrived++;
        if (c->clock) sim_join_clock(w, c->clock, true, false);
        sim_cbar_release(c);
        return SIM_GO;
    }
    w->pc++;
    if (w->cluster_phase > c->phase) {
        w->state = WARP_CBAR;
        return SIM_WAIT;
    }
    if (c->clock) sim_join_clock(w, c->clock, false, true);
    return SIM_JUMPED;
}

/* Within a round a block sees its own writes in order; other blocks see them at the round's end. */
SimNext sim_exec_fence(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)w, (void)in, (void)mask;
    return SIM_GO;
}
