/* time_chip: what all multiprocessors share: the second level, in slices, and DRAM, in channels. Asked in the order of
 * clocks by one thread (time.c), so its contents and queues are those of one history.
 *
 * A slice and a channel serve one sector after the other; a request waits until its own is served. Lines go to slices
 * and channels by a hash that spreads any run of as many neighbours evenly and takes each such run in another turn. */
#include "runtime/sim/time.h"

#include <stdlib.h>

static uint64_t turn(uint64_t x)
{
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return x >> 40;
}

static uint64_t spread(uint64_t line, TimeDivider d) { return time_modulo(d, line + turn(time_divide(d, line))); }

bool time_chip_open(SimTime *t)
{
    const IsaMachine *m = t->m;
    TimeChip *c = &t->chip;
    uint64_t lines = (uint64_t)(m->l2_bytes / m->l2_line);
    c->sets = time_divider(lines / (uint64_t)m->l2_ways);
    c->slices = time_divider((uint64_t)m->l2_slices);
    c->channels = time_divider((uint64_t)m->dram_channels);
    c->nested = m->l2_slices % m->dram_channels == 0;
    c->slice_sector = (uint64_t)(m->l2_sector * FRACTION / m->l2_width);
    /* clocks = bytes / (gbs 10^9 / (mhz 10^6) / channels) */
    c->channel_sector = (uint64_t)(m->l2_sector * FRACTION * m->dram_channels * m->chip_mhz / (m->dram_gbs * 1000));
    c->tag = calloc(lines, sizeof *c->tag);
    c->age = calloc(lines, sizeof *c->age);
    c->line = calloc(lines, sizeof *c->line);
    c->slice = calloc((size_t)m->l2_slices, sizeof *c->slice);
    c->channel = calloc((size_t)m->dram_channels, sizeof *c->channel);
    return c->tag && c->age && c->line && c->slice && c->channel;
}

void time_chip_close(SimTime *t)
{
    free(t->chip.tag);
    free(t->chip.age);
    free(t->chip.line);
    free(t->chip.slice);
    free(t->chip.channel);
}

/* When a server that is free at *free has served n units, asked at `clock`; all in 1/FRACTION clocks. */
static uint64_t serve(uint64_t *free, uint64_t clock, uint64_t units)
{
    if (*free < clock) *free = clock;
    return *free += units;
}

static uint64_t dram(SimTime *t, uint64_t line, uint64_t clock, int sectors, bool write)
{
    TimeChip *c = &t->chip;
    uint64_t channel = c->nested ? time_modulo(c->channels, spread(line, c->slices)) : spread(line, c->channels);
    c->counter[write ? SIM_DRAM_WRITE : SIM_DRAM_READ] += (uint64_t)(sectors * t->m->l2_sector);
    return serve(&c->channel[channel], clock, (uint64_t)sectors * c->channel_sector) - c->channel_sector;
}

/* The line's place; a new one takes the place of the one not used for the longest time. `clock` becomes that when it
 * could be written back. */
static TimeLine *find(SimTime *t, uint64_t line, uint64_t at, uint64_t *clock)
{
    TimeChip *c = &t->chip;
    uint64_t ways = (uint64_t)t->m->l2_ways, set = at * ways, old = set;
    uint32_t now = ++c->used;
    for (uint64_t i = set; i < set + ways; i++)
        if (c->tag[i] == line + 1) {
            c->age[i] = now;
            return &c->line[i];
        }
    for (uint64_t i = set; i < set + ways; i++)
        if (now - c->age[i] > now - c->age[old]) old = i;
    TimeLine *l = &c->line[old];
    if (l->dirty) *clock = dram(t, c->tag[old] - 1, *clock, __builtin_popcount(l->dirty), true);
    c->tag[old] = line + 1;
    c->age[old] = now;
    *l = (TimeLine){0};
    return l;
}

uint64_t time_chip_set(const SimTime *t, uint64_t line) { return spread(line, t->chip.sets); }

uint64_t time_chip_ask(SimTime *t, const TimeRequest *r, uint64_t set)
{
    TimeChip *c = &t->chip;
    int sectors = __builtin_popcount(r->sectors);
    uint64_t asked = r->clock * FRACTION, slice = spread(r->line, c->slices), back = asked;
    uint64_t work = (uint64_t)sectors * c->slice_sector;
    uint64_t atomics = (uint64_t)(r->busy * t->m->l2_atomic) * FRACTION;
    if (atomics > work) work = atomics;
    uint64_t served = serve(&c->slice[slice], asked, work) - c->slice_sector;
    TimeLine *l = find(t, r->line, set, &back);
    uint32_t missing = r->ask == ASK_STORE ? 0 : r->sectors & ~l->sectors;
    uint64_t end = (served > back ? served : back) / FRACTION + (uint64_t)t->m->l2_latency;
    c->counter[SIM_L2_SECTORS] += (uint64_t)sectors;
    c->counter[SIM_L2_HITS] += (uint64_t)(sectors - __builtin_popcount(missing));
    if (missing) {
        uint64_t come = dram(t, r->line, served, __builtin_popcount(missing), false) / FRACTION +
                        (uint64_t)(t->m->l2_latency + t->m->dram_latency);
        if (come > l->ready) l->ready = come;
    }
    l->sectors |= r->sectors;
    if (r->ask == ASK_STORE || r->ask == ASK_ATOMIC) {
        c->dirtied += (uint64_t)__builtin_popcount(r->sectors & ~l->dirty);
        l->dirty |= r->sectors;
    }
    if (r->ask != ASK_STORE && l->ready > end) end = l->ready;
    return end;
}
