/* checked: what a checked launch asks of every instruction: registers and bytes that were written before they are read,
 * addresses within an allocation, and warps of a block that touch shared memory in an order that barriers give.
 *
 * Races: each warp has a clock for every warp of its cluster, the last step of it that is known to be over (a vector
 * clock). Barriers and atomics join clocks. An access races with the last one of another warp to the same bytes when
 * one of them writes and the other's step is not known to be over. Of several readers the last is remembered, so a race
 * may be missed, but what is reported is one. */
#include "runtime/sim/sim_priv.h"

#include <stdlib.h>

/* ---- registers
 * --------------------------------------------------------------------------------------------------------- */

static bool lanes_have(SimWarp *w, const SimInst *in, uint32_t reg, int n, uint64_t mask)
{
    for (uint32_t i = reg; i < reg + (uint32_t)n; i++) {
        uint64_t lacks = mask & ~w->init[i];
        if (!lacks) continue;
        sim_fault(w, in, SIM_UNINITIALISED, __builtin_ctzll(lacks), 0, "r%u was never written", i);
        return false;
    }
    return true;
}

static bool uniforms_have(SimWarp *w, const SimInst *in, uint32_t reg, int n)
{
    for (uint32_t i = reg; i < reg + (uint32_t)n; i++)
        if (!(w->uinit >> i & 1)) return sim_fault(w, in, SIM_UNINITIALISED, -1, 0, "ur%u was never written", i), false;
    return true;
}

static bool predicate_has(SimWarp *w, const SimInst *in, unsigned p, uint64_t mask)
{
    uint64_t lacks = (p & 7) == ISA_PT ? 0 : mask & ~w->pinit[p & 7];
    if (lacks) sim_fault(w, in, SIM_UNINITIALISED, __builtin_ctzll(lacks), 0, "p%u was never written", p & 7);
    return !lacks;
}

/* sel reads only what it picks. */
static uint64_t lanes_that_read(const SimWarp *w, const SimInst *in, int slot, uint64_t mask)
{
    if (in->in.op != G9_SEL) return mask;
    uint64_t p = w->p[in->in.p[ISP_S] & 7] ^ (in->in.p[ISP_S] & 8 ? ~UINT64_C(0) : 0);
    return mask & (slot == IS_A ? p : ~p);
}

static bool operand_has(SimWarp *w, const SimInst *in, const IsaOperand *o, uint64_t mask)
{
    SimSpan span[2];
    int n = sim_spans(&in->in, o, w->block->cluster->run->lanes, span);
    if (o->flags & IOF_WRITE) return true;
    for (int i = 0; i < n; i++) {
        bool has = span[i].bank == SPAN_PRED ? predicate_has(w, in, span[i].first, mask)
                   : span[i].bank == SPAN_UREG
                       ? uniforms_have(w, in, span[i].first, span[i].n)
                       : lanes_have(w, in, span[i].first, span[i].n, lanes_that_read(w, in, o->slot, mask));
        if (!has) return false;
    }
    return true;
}

bool sim_check_reads(SimWarp *w, const SimInst *in, uint64_t mask)
{
    if (in->guard != ISA_PT && !predicate_has(w, in, in->guard, w->active)) return false;
    if (!mask) return true;
    for (const IsaOperand *o = isa_row[in->in.op].operand; o->kind; o++)
        if (!operand_has(w, in, o, mask)) return false;
    return true;
}

void sim_mark_writes(SimWarp *w, const SimInst *in, uint64_t mask)
{
    const IsaInst *i = &in->in;
    SimSpan span[2];
    for (const IsaOperand *o = isa_row[i->op].operand; o->kind; o++) {
        if (!(o->flags & IOF_WRITE) || !sim_spans(i, o, w->block->cluster->run->lanes, span)) continue;
        uint32_t r = span->first, n = span->n;
        if (span->bank == SPAN_PRED)
            w->pinit[r] |= mask;
        else if (span->bank == SPAN_UREG)
            w->uinit |= ((UINT64_C(1) << n) - 1) << r;
        else
            for (uint32_t k = r; k < r + n; k++) w->init[k] |= mask;
    }
    for (unsigned k = 0; i->op == G9_R2P && k < 7; k++)
        if (i->number >> k & 1) w->pinit[k] |= mask;
}

/* ---- global memory
 * -------------------------------------------------------------------------------------------------------- */

bool sim_check_global(SimWarp *w, const SimInst *in, int lane, uint64_t address, uint32_t bytes, bool writes)
{
    SimDevice *d = w->block->cluster->run->device;
    int k = sim_find(d, address);
    const SimAllocation *a = k < 0 ? NULL : &d->allocation[k];
    if (!a || address - a->address >= a->bytes || a->bytes - (address - a->address) < bytes) {
        unsigned long long past = a ? (unsigned long long)(address + bytes - a->address - a->bytes) : 0;
        if (a)
            sim_fault(w, in, SIM_OUT_OF_BOUNDS, lane, address, "address 0x%llx: %llu bytes past an allocation of %llu",
                      (unsigned long long)address, past, (unsigned long long)a->bytes);
        else
            sim_fault(w, in, SIM_OUT_OF_BOUNDS, lane, address, "address 0x%llx is in no allocation",
                      (unsigned long long)address);
        return false;
    }
    bool atomic = isa_row[in->in.op].flags & IF_ATOM, exchange = atomic && in->in.op != G9_CASG && in->in.mod[0] == 6;
    for (uint64_t b = address - SIM_BASE, end = b + bytes; b < end;) {
        unsigned bit = b & 7, n = 8 - bit < end - b ? 8 - bit : (unsigned)(end - b);
        uint8_t need = (uint8_t)(((1u << n) - 1) << bit), has = __atomic_load_n(&d->shadow[b / 8], __ATOMIC_RELAXED);
        if ((has & need) != need) {
            if ((!writes || (atomic && !exchange)) && !a->unknown) {
                sim_fault(w, in, SIM_UNINITIALISED, lane, address, "global memory at 0x%llx was never written",
                          (unsigned long long)address);
                return false;
            }
            if (writes) __atomic_fetch_or(&d->shadow[b / 8], need, __ATOMIC_RELAXED);
        }
        b += n;
    }
    return true;
}

/* ---- shared memory
 * -------------------------------------------------------------------------------------------------------- */

static uint32_t me(const SimWarp *w) { return (uint32_t)(w->block->rank * w->block->nwarps) + w->number; }

static bool race(SimWarp *w, const SimInst *in, int lane, uint32_t address, const char *did, uint32_t other)
{
    uint32_t n = (uint32_t)w->block->nwarps;
    sim_fault(w, in, SIM_RACE, lane, address, "warp %u %s shared 0x%x, and nothing orders the two", other % n, did,
              address);
    return false;
}

static bool check_cell(SimWarp *w, const SimInst *in, int lane, SimCell *c, uint32_t address, uint8_t bytes,
                       bool writes)
{
    bool atomic = isa_row[in->in.op].flags & IF_ATOM, copy = isa_row[in->in.op].rule == IR_CPA;
    bool exchange = (in->in.op == G9_ATOMS && in->in.mod[0] == 6);
    uint32_t self = me(w);
    if ((!writes || (atomic && !exchange)) && (c->written & bytes) != bytes) {
        sim_fault(w, in, SIM_UNINITIALISED, lane, address, "shared memory at 0x%x was never written", address);
        return false;
    }
    if (c->pending && (c->wrote & bytes)) {
        sim_fault(w, in, SIM_RACE, lane, address, "an asynchronous copy to shared 0x%x has not been waited for",
                  address);
        return false;
    }
    if (c->writer && c->writer - 1u != self && (c->wrote & bytes) && w->clock[c->writer - 1] < c->write_clock &&
        !(atomic && c->atomic))
        return race(w, in, lane, address, "wrote", c->writer - 1u);
    if (writes && c->reader && c->reader - 1u != self && (c->read & bytes) && w->clock[c->reader - 1] < c->read_clock)
        return race(w, in, lane, address, "read", c->reader - 1u);
    if (writes) {
        bool more = c->writer == self + 1 && c->write_clock == w->clock[self];
        c->wrote = (uint8_t)(more ? c->wrote | bytes : bytes);
        c->writer = (uint16_t)(self + 1);
        c->write_clock = w->clock[self];
        c->written |= bytes;
        c->atomic = atomic;
        c->pending = copy;
    } else if (!atomic) {
        bool more = c->reader == self + 1 && c->read_clock == w->clock[self];
        c->read = (uint8_t)(more ? c->read | bytes : bytes);
        c->reader = (uint16_t)(self + 1);
        c->read_clock = w->clock[self];
    }
    return true;
}

bool sim_check_shared(SimWarp *w, const SimInst *in, int lane, SimBlock *b, uint32_t offset, uint32_t bytes,
                      bool writes)
{
    int op = in->in.op;
    if (op == G9_ATOMS || op == G9_CASS ||
        op == G9_REDS) { /* these are how warps wait for each other without barriers */
        uint32_t *clock = sim_sync(w, b, offset);
        if (clock) sim_join_clock(w, clock, true, true);
    }
    for (uint32_t at = offset, end = offset + bytes; at < end;) {
        uint32_t n = 4 - (at & 3) < end - at ? 4 - (at & 3) : end - at;
        if (!check_cell(w, in, lane, &b->cell[at / 4], at, (uint8_t)(((1u << n) - 1) << (at & 3)), writes))
            return false;
        at += n;
    }
    return true;
}

void sim_join_clock(SimWarp *w, uint32_t *clock, bool give, bool take)
{
    int n = w->block->nwarps * w->block->cluster->nblocks;
    for (int i = 0; i < n; i++) {
        uint32_t x = clock[i], y = w->clock[i];
        if (give && y > x) clock[i] = y;
        if (take && x > y) w->clock[i] = x;
    }
    if (give) w->clock[me(w)]++;
}

uint32_t *sim_sync(SimWarp *w, SimBlock *b, uint32_t offset)
{
    if (!w->block->cluster->run->checked) return NULL;
    for (int i = 0; i < b->nsyncs; i++)
        if (b->sync[i].offset == offset) return b->sync[i].clock;
    if (b->nsyncs == b->syncs_cap) {
        int cap = b->syncs_cap ? 2 * b->syncs_cap : 16;
        SimSync *s = realloc(b->sync, sizeof *s * (size_t)cap);
        if (!s) return NULL;
        b->sync = s;
        b->syncs_cap = cap;
    }
    uint32_t *clock = calloc((size_t)(b->nwarps * b->cluster->nblocks), sizeof *clock);
    if (clock) b->sync[b->nsyncs++] = (SimSync){offset, clock};
    return clock;
}

/* ---- copies that nobody has waited for
 * ---------------------------------------------------------------------------------------- */

void sim_copy_begins(SimWarp *w, uint32_t offset, uint32_t bytes)
{
    if (w->ncopies == w->copies_cap) {
        int cap = w->copies_cap ? 2 * w->copies_cap : 64;
        SimPending *p = realloc(w->copies, sizeof *p * (size_t)cap);
        if (!p) return;
        w->copies = p;
        w->copies_cap = cap;
    }
    w->copies[w->ncopies++] = (SimPending){offset, bytes, w->copy_group};
}

/* groups < 0: all, committed or not. What has been waited for counts as written now. */
void sim_copies_end(SimWarp *w, int groups)
{
    int kept = 0;
    for (int i = 0; i < w->ncopies; i++) {
        SimPending *p = &w->copies[i];
        if (groups >= 0 && p->group >= w->copy_group - groups) {
            w->copies[kept++] = *p;
            continue;
        }
        for (uint32_t at = p->from; at < p->from + p->bytes; at += 4) {
            SimCell *c = &w->block->cell[at / 4];
            c->pending = false;
            if (c->writer == me(w) + 1) c->write_clock = w->clock[me(w)];
        }
    }
    w->ncopies = kept;
}
