/* time_waves: which blocks of a launch are timed, and what the launch takes when some were not.
 *
 * A wave is as many clusters as the machine holds at once. The first one is always timed. When its first cluster has
 * ended, its instructions say how many waves fit in BUDGET instructions; a launch of more than twice as many is timed
 * as if it ended there, if it is uniform: no cluster ran a fiftieth more instructions than another, and none had an
 * instruction whose result depends on other blocks' clocks.
 *
 * While the machine is full, from the end of the first cluster (of one wave: from the launch) until no cluster is left
 * that could begin, instructions a clock say what a wave takes. The launch takes what the timed part did, its drain
 * included, and the other waves. A partial wave takes a whole one's time when clusters end together (spread 0), its
 * share when they end all the time (spread 1). DRAM is a bound: what was stored and the second level cannot hold is
 * written, even if that had not begun in the timed part. */
#include "runtime/sim/time.h"

#include <stdlib.h>

enum { BUDGET = 4000000 };

static uint64_t wave(const SimTime *t) { return (uint64_t)t->ngroups * (uint64_t)t->group->nslots; }

static bool uniform(const SimTime *t)
{
    uint64_t least = UINT64_MAX, most = 0;
    bool orders = false;
    for (int i = 0; i < t->ngroups; i++) {
        const TimeGroup *g = &t->group[i];
        orders |= g->orders;
        if (!g->clusters) continue;
        if (g->insts_least < least) least = g->insts_least;
        if (g->insts_most > most) most = g->insts_most;
    }
    return !orders && (!most || most - least <= most / 50);
}

void time_waves_begin(SimTime *t)
{
    t->limit = t->run->launch->timed == SIM_TIMED || t->run->total <= 2 * wave(t) ? t->run->total : wave(t);
    t->decided = t->limit == t->run->total;
}

/* Samples, as long as every place is taken. */
static bool sample(SimTime *t)
{
    uint64_t instructions = 0, used = 0;
    for (int i = 0; i < t->ngroups; i++) {
        instructions += t->group[i].instructions;
        used += (uint64_t)t->group[i].used;
        if (t->group[i].clusters && !t->first_end) t->first_end = t->samples;
    }
    if (t->next == t->limit && used < wave(t)) t->drains = true;
    return TIME_PUSH(t->group, t->sample, t->samples, t->samples_cap, (struct TimeSample){t->now, instructions});
}

void time_waves_decide(SimTime *t)
{
    if (t->limit < t->run->total && !t->drains && t->next) sample(t);
    if (t->decided) {
        if (t->limit < t->run->total && !uniform(t)) t->limit = t->run->total;
        return;
    }
    for (int i = 0; i < t->ngroups; i++) {
        if (!t->group[i].clusters) continue;
        uint64_t waves = BUDGET / (t->group[i].insts_most * wave(t));
        t->decided = true;
        t->limit = wave(t) * (waves ? waves : 1);
        if (t->limit > t->run->total / 2 || !uniform(t)) t->limit = t->run->total;
        return;
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The clocks at which timed clusters ended, ascending. */
static uint64_t *ends(const SimTime *t)
{
    uint64_t n = 0, *all = malloc(sizeof *all * t->limit);
    for (int i = 0; all && i < t->ngroups; i++) {
        memcpy(all + n, t->group[i].ended, sizeof *all * (size_t)t->group[i].nended);
        n += (uint64_t)t->group[i].nended;
    }
    if (all) qsort(all, n, sizeof *all, by_value);
    return all;
}

/* Instructions a clock between two samples. */
static double rate(const SimTime *t, int from, int to)
{
    const struct TimeSample *a = &t->sample[from], *b = &t->sample[to];
    return b->clock > a->clock ? (double)(b->instructions - a->instructions) / (double)(b->clock - a->clock) : 0;
}

/* Clocks that DRAM needs for the whole launch. */
static double dram_bound(const SimTime *t, SimTiming *x, double scale)
{
    double sector = (double)t->m->l2_sector, dirty = (double)t->chip.dirtied * sector * scale;
    double held = (double)t->m->l2_bytes * dirty / (dirty + (double)x->counter[SIM_DRAM_READ] + 1), made = dirty - held;
    if (made > (double)x->counter[SIM_DRAM_WRITE]) x->counter[SIM_DRAM_WRITE] = (uint64_t)made;
    double bytes = (double)(x->counter[SIM_DRAM_READ] + x->counter[SIM_DRAM_WRITE]);
    return (double)t->m->chip_launch + bytes * (double)t->m->chip_mhz / ((double)t->m->dram_gbs * 1000);
}

bool time_waves_extrapolate(SimTime *t, SimTiming *x)
{
    uint64_t w = wave(t), total = t->run->total, *e = ends(t), instructions = 0;
    if (!e || t->samples < 2) return free(e), false;
    for (int i = 0; i < t->ngroups; i++) instructions += t->group[i].instructions;
    int last = t->samples - 1, from = t->limit > w ? t->first_end : 0, middle = (from + last) / 2;
    if (from >= last) from = 0;
    double each = (double)instructions / (double)t->limit * (double)w / rate(t, from, last);
    double spread = (double)(e[t->limit - 1] - e[t->limit - w]) / each, rest = (double)(total - t->limit) / (double)w;
    double scale = (double)total / (double)t->limit, part = rest - (double)(uint64_t)rest;
    if (spread > 1) spread = 1;
    if (part > 0) rest += (1 - part) * (1 - spread);
    double end = (double)x->cycles + rest * each;
    double a = rate(t, from, middle), b = rate(t, middle, last), differ = a > b ? (a - b) / a : b > 0 ? (b - a) / b : 0;
    for (int k = 0; k < SIM_COUNTERS; k++) x->counter[k] = (uint64_t)((double)x->counter[k] * scale);
    double bound = dram_bound(t, x, scale);
    x->error = differ / 2 * rest * each / end + (part > 0 ? spread * (1 - spread) * each / end : 0);
    if (bound > end) {
        x->error = (bound - end) / bound / 2;
        end = bound;
    }
    for (int k = 0; k < IP_COUNT; k++) x->pipe[k] *= scale * (double)x->cycles / end;
    x->counter[SIM_WARP_CLOCKS] = 0;
    for (int k = 0; k < SIM_STALLS; k++) {
        x->stall[k] = (uint64_t)((double)x->stall[k] * scale);
        x->counter[SIM_WARP_CLOCKS] += x->stall[k];
    }
    x->cycles = (uint64_t)end;
    free(e);
    return true;
}
