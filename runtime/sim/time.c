/* time: a timed launch: quanta, the dispatch of blocks, answers to requests, and what is reported.
 *
 * The history does not depend on host threads: within a quantum groups of multiprocessors share nothing but global
 * memory (whose plain accesses do not race in a correct program); instructions that may see another block, and requests
 * to the second level, are done at its end by one thread, in the order of clocks, then of groups. */
#include "runtime/sim/time.h"

#include <stdlib.h>

const char *const sim_stall_name[SIM_STALLS] = {
#define STALL(ID, name, what) name,
#include "runtime/sim/timings.def"
};
const char *const sim_counter_name[SIM_COUNTERS] = {
#define COUNTER(ID, name, what) name,
#include "runtime/sim/timings.def"
};
const char *const sim_limit_name[SIM_LIMIT_COUNT] = {
#define LIMIT(ID, name) name,
    SIM_LIMITS(LIMIT)
#undef LIMIT
};

bool time_room(TimeGroup *g, void **at, int n, int *cap, size_t item)
{
    int more = *cap ? 2 * *cap : 64;
    (void)n;
    void *p = realloc(*at, item * (size_t)more);
    if (!p) return g->no_memory = true, false;
    *at = p;
    *cap = more;
    return true;
}

/* ---- making and freeing
 * -------------------------------------------------------------------------------------------------- */

static bool make_sub(SimTime *t, TimeSub *s)
{
    int most = (int)t->run->resident * t->run->nwarps;
    s->next = FAR;
    s->last = -1;
    s->ready = isa_alloc(t->mem, sizeof *s->ready * (size_t)most);
    s->pipe = isa_alloc(t->mem, (size_t)most);
    s->warp = isa_alloc(t->mem, sizeof *s->warp * (size_t)most);
    for (int i = 0; i < IP_COUNT; i++)
        if (!(s->unit[i] = isa_alloc(t->mem, sizeof **s->unit * (size_t)t->m->pipe[i].count))) return false;
    return s->ready && s->pipe && s->warp;
}

static bool make_sm(SimTime *t, TimeSm *sm, int number)
{
    sm->number = number;
    sm->answer = isa_alloc(t->mem, sizeof *sm->answer * ANSWER_RING);
    sm->sub = isa_alloc(t->mem, sizeof *sm->sub * (size_t)t->m->sm_subcores);
    sm->way = isa_alloc(t->mem, sizeof *sm->way * (size_t)(t->m->l1_bytes / t->m->l1_line));
    for (int i = 0; sm->sub && i < t->m->sm_subcores; i++)
        if (!make_sub(t, &sm->sub[i])) return false;
    return sm->sub && sm->way && sm->answer;
}

static bool make_group(SimTime *t, TimeGroup *g, int number)
{
    const SimRun *r = t->run;
    g->time = t;
    g->number = number;
    g->nsms = t->group_sms;
    g->nslots = (int)r->resident;
    g->spare = UINT32_MAX;
    g->traced = r->launch->trace && number == 0;
    g->sm = isa_alloc(t->mem, sizeof *g->sm * (size_t)g->nsms);
    g->slot = isa_alloc(t->mem, sizeof *g->slot * (size_t)g->nslots);
    TimeBlock *block = isa_alloc(t->mem, sizeof *block * (size_t)(g->nslots * g->nsms));
    TimeWarp *warp = isa_alloc(t->mem, sizeof *warp * (size_t)(g->nslots * g->nsms * r->nwarps));
    if (!g->sm || !g->slot || !block || !warp) return false;
    for (int i = 0; i < g->nsms; i++)
        if (!make_sm(t, &g->sm[i], number * g->nsms + i)) return false;
    for (int i = 0; i < g->nslots * g->nsms; i++) {
        block[i].warp = warp + (size_t)i * (size_t)r->nwarps;
        block[i].rank = i % g->nsms;
        if (block[i].rank == 0) g->slot[i / g->nsms].block = &block[i];
    }
    return true;
}

static bool make(SimTime *t, SimSpace *space)
{
    const SimRun *r = space->run;
    *t = (SimTime){.space = space, .run = space->run, .m = &r->device->machine, .mem = isa_mem_new()};
    if (!t->mem) return false;
    t->group_sms = r->cluster_blocks;
    t->ngroups = (int)t->m->chip_sms / t->group_sms;
    t->l1_sets = time_divider((uint64_t)(t->m->l1_bytes / (t->m->l1_line * t->m->l1_ways)));
    t->quantum = (uint64_t)t->m->l2_latency;
    t->lines = (int)(t->m->l1_line / t->m->l1_sector);
    t->line_shift = __builtin_ctzll((uint64_t)t->m->l1_line);
    t->sector_shift = __builtin_ctzll((uint64_t)t->m->l1_sector);
    t->inst = isa_alloc(t->mem, sizeof *t->inst * r->kernel->count);
    t->group = isa_alloc(t->mem, sizeof *t->group * (size_t)t->ngroups);
    t->bucket = isa_alloc(t->mem, sizeof *t->bucket * (size_t)(t->quantum + 2));
    if (!t->inst || !t->group || !t->bucket || !time_chip_open(t)) return false;
    for (uint32_t i = 0; i < r->kernel->count; i++) time_inst(r, &r->code[i], &t->inst[i]);
    for (int i = 0; i < t->ngroups; i++)
        if (!make_group(t, &t->group[i], i)) return false;
    return true;
}

static void unmake(SimTime *t)
{
    for (int i = 0; t->group && i < t->ngroups; i++) {
        TimeGroup *g = &t->group[i];
        for (int k = 0; g->slot && k < g->nslots; k++)
            if (g->slot[k].used) sim_cluster_end(t->space, &g->slot[k].cluster);
        for (int k = 0; g->slot && g->slot->block && k < g->nslots * g->nsms; k++) free(g->slot->block[k].gate);
        free(g->ticket);
        free(g->request);
        free(g->ordered);
        free(g->await);
        free(g->touch);
        free(g->event);
        free(g->ended);
    }
    time_chip_close(t);
    free(t->sorted);
    free(t->sample);
    isa_mem_free(t->mem);
}

/* ---- blocks
 * -------------------------------------------------------------------------------------------------------------------
 */

/* Clusters go to groups in turns, one at a time. While there are enough for everybody, a group is also told which ones
 * to begin when it has room, so that it need not wait for the quantum's end. */
static void dispatch(SimTime *t)
{
    time_waves_decide(t);
    for (int slot = 0; slot < t->group->nslots && t->next < t->limit; slot++)
        for (int i = 0; i < t->ngroups && t->next < t->limit; i++) {
            TimeGroup *g = &t->group[i];
            if (g->used <= slot) time_begin_cluster(g, t->next++, t->now);
        }
    for (int slot = 0; slot < t->group->nslots && slot < RESERVED; slot++)
        for (int i = 0; i < t->ngroups; i++) {
            TimeGroup *g = &t->group[i];
            if (t->limit - t->next < (uint64_t)(t->ngroups * g->nslots)) return;
            if (g->nreserved <= slot) g->reserved[g->nreserved++] = t->next++;
        }
}

/* ---- the end of a quantum
 * ----------------------------------------------------------------------------------------------- */

static int by_clock(const void *a, const void *b)
{
    const TimeOrdered *x = a, *y = b;
    if (x->clock != y->clock) return x->clock < y->clock ? -1 : 1;
    return x->group->number != y->group->number ? (x->group->number < y->group->number ? -1 : 1)
           : x->order != y->order               ? (x->order < y->order ? -1 : 1)
                                                : 0;
}

static bool ordered(SimTime *t)
{
    int n = 0;
    for (int i = 0; i < t->ngroups; i++) n += t->group[i].nordered;
    if (!n) return true;
    TimeOrdered *all = malloc(sizeof *all * (size_t)n);
    if (!all) return t->group->no_memory = true, false;
    n = 0;
    for (int i = 0; i < t->ngroups; i++) {
        TimeGroup *g = &t->group[i];
        for (int k = 0; k < g->nordered; k++) {
            all[n] = g->ordered[k];
            all[n++].order = (uint32_t)k;
        }
        g->nordered = 0;
    }
    qsort(all, (size_t)n, sizeof *all, by_clock);
    RtFpEnv env = rt_fpenv_enter();
    for (int i = 0; i < n && !all[i].group->failed; i++) time_ordered(all[i].group, &all[i]);
    rt_fpenv_leave(env);
    free(all);
    return true;
}

/* All requests up to the quantum's end, by clock, then group, then as they were asked: a counting sort. */
static int sort_requests(SimTime *t)
{
    int n = 0;
    memset(t->bucket, 0, sizeof *t->bucket * (size_t)(t->quantum + 1));
    for (int i = 0; i < t->ngroups; i++) {
        const TimeGroup *g = &t->group[i];
        for (int k = 0; k < g->requests; k++)
            if (g->request[k].clock < t->until) t->bucket[g->request[k].clock - t->now + 1]++, n++;
    }
    for (uint64_t i = 0; i < t->quantum; i++) t->bucket[i + 1] += t->bucket[i];
    if (n > t->sorted_cap) {
        struct TimeSorted *p = realloc(t->sorted, sizeof *p * (size_t)n * 2);
        if (!p) return t->group->no_memory = true, 0;
        t->sorted = p;
        t->sorted_cap = 2 * n;
    }
    for (int i = 0; i < t->ngroups; i++) {
        TimeGroup *g = &t->group[i];
        int kept = 0;
        for (int k = 0; k < g->requests; k++) {
            if (g->request[k].clock < t->until)
                t->sorted[t->bucket[g->request[k].clock - t->now]++] =
                    (struct TimeSorted){g->request[k], g, time_chip_set(t, g->request[k].line)};
            else
                g->request[kept++] = g->request[k];
        }
        g->requests = kept;
    }
    return n;
}

enum { AHEAD = 12 };
static void answer(SimTime *t)
{
    int n = sort_requests(t);
    for (int i = 0; i < n; i++) {
        TimeRequest *r = &t->sorted[i].request;
        if (i + AHEAD < n) time_chip_fetch(t, t->sorted[i + AHEAD].set);
        uint64_t clock =
            r->ask == ASK_MERGE ? r->clock + (uint64_t)t->m->l2_latency : time_chip_ask(t, r, t->sorted[i].set);
        time_answer(t->sorted[i].group, r, clock);
    }
    for (int i = 0; i < t->ngroups; i++) {
        TimeGroup *g = &t->group[i];
        if (g->nawaits) time_awaits(g);
        for (int k = 0; k < g->nsms; k++) {
            time_room_at(g, &g->sm[k], t->until - 1);
            for (int s = 0; s < t->m->sm_subcores; s++) time_awake_all(g, &g->sm[k].sub[s]);
        }
    }
}

/* ---- quanta
 * -------------------------------------------------------------------------------------------------------------------
 */

static void run_some(void *closure, int64_t from, int64_t to, int32_t worker)
{
    (void)worker;
    SimTime *t = closure;
    RtFpEnv env = rt_fpenv_enter();
    for (int64_t i = from; i < to; i++) time_run_group(&t->group[i]);
    rt_fpenv_leave(env);
}

/* The first fault of the quantum is the launch's. */
static bool fine(SimTime *t, SimResult *out)
{
    const TimeGroup *first = NULL;
    for (int i = 0; i < t->ngroups; i++) {
        const TimeGroup *g = &t->group[i];
        if (g->no_memory) return sim_refuse(out, SIM_NO_MEMORY, "out of memory");
        if (g->failed && (!first || g->fault_clock < first->fault_clock)) first = g;
    }
    if (first) out->fault = first->fault;
    return !first;
}

/* The clock at which something happens next; FAR: never. */
static uint64_t next_clock(const SimTime *t)
{
    uint64_t next = FAR;
    for (int i = 0; i < t->ngroups; i++) {
        const TimeGroup *g = &t->group[i];
        for (int k = 0; k < g->nsms; k++)
            for (int s = 0; s < t->m->sm_subcores; s++)
                if (g->sm[k].sub[s].next < next) next = g->sm[k].sub[s].next;
        for (int k = 0; k < g->requests; k++)
            if (g->request[k].clock < next) next = g->request[k].clock;
    }
    return next;
}

static bool stuck(SimTime *t, SimResult *out)
{
    for (int i = 0; i < t->ngroups; i++)
        for (int k = 0; k < t->group[i].nslots; k++) {
            SimCluster *c = &t->group[i].slot[k].cluster;
            if (!t->group[i].slot[k].used) continue;
            sim_deadlock(c);
            if (c->faulted) return out->fault = c->fault, false;
        }
    return true;
}

static bool quanta(SimTime *t, SimResult *out)
{
    RtPool *pool = sim_pool(t->run->device, t->run->launch->threads);
    t->now = (uint64_t)t->m->chip_launch;
    time_waves_begin(t);
    dispatch(t);
    for (uint64_t next; fine(t, out) && (next = next_clock(t)) != FAR;) {
        if (next > t->now) t->now = next;
        t->until = t->now + t->quantum;
        if (pool) {
            tensorcc_pool view = rt_pool_view(pool);
            view.parallel_for(view.self, t->ngroups, run_some, t);
        } else {
            run_some(t, 0, t->ngroups, 0);
        }
        ordered(t);
        answer(t);
        t->now = t->until;
        dispatch(t);
    }
    return fine(t, out) && stuck(t, out);
}

/* ---- results
 * ------------------------------------------------------------------------------------------------------------------ */

static SimLimit limit_of(const SimRun *r)
{
    const IsaMachine *m = &r->device->machine;
    int64_t shared = (r->shared_bytes + m->shared_unit - 1) / m->shared_unit * m->shared_unit;
    if ((int64_t)(r->total * (uint64_t)r->cluster_blocks) <= r->resident * m->chip_sms) return SIM_LIMIT_GRID;
    if (m->sm_warps / r->nwarps == r->resident) return SIM_LIMIT_WARPS;
    if (shared && m->shared_bytes / shared == r->resident) return SIM_LIMIT_SHARED;
    return m->sm_blocks == r->resident ? SIM_LIMIT_BLOCKS : SIM_LIMIT_REGISTERS;
}

static void report(SimTime *t, SimResult *out)
{
    SimTiming *x = &out->timing;
    const SimRun *r = t->run;
    uint64_t pipe[IP_COUNT] = {0}, warps = 0, held = 0, blocks = (uint64_t)r->cluster_blocks;
    for (int i = 0; i < t->ngroups; i++) {
        TimeGroup *g = &t->group[i];
        if (g->end > x->cycles) x->cycles = g->end;
        for (int k = 0; k < SIM_STALLS; k++) x->stall[k] += g->stall[k], warps += g->stall[k];
        for (int k = 0; k < SIM_COUNTERS; k++) x->counter[k] += g->counter[k];
        for (int k = 0; k < IP_COUNT; k++) pipe[k] += g->pipe[k];
        for (int k = 0; k < g->nsms; k++) held += g->sm[k].held;
        sim_account(out, &(SimCluster){.instructions = g->done.warp_instructions,
                                       .thread_instructions = g->done.thread_instructions});
        for (int k = 0; k < IC_COUNT; k++) out->by_category[k] += g->done.by_category[k];
    }
    for (int k = 0; k < SIM_COUNTERS; k++) x->counter[k] += t->chip.counter[k];
    x->counter[SIM_WARP_CLOCKS] = warps;
    x->counter[SIM_SM_CLOCKS] = held;
    for (int k = 0; k < IP_COUNT; k++)
        x->pipe[k] =
            (double)pipe[k] / ((double)x->cycles * (double)(t->m->chip_sms * t->m->sm_subcores * t->m->pipe[k].count));
    x->occupancy = held ? (double)warps / ((double)held * (double)t->m->sm_warps) : 0;
    x->blocks_on_sm = r->resident;
    x->limit = limit_of(r);
    x->blocks = r->total * blocks;
    x->blocks_timed = t->limit * blocks;
    x->waves = (double)x->blocks / ((double)r->resident * (double)(t->ngroups * t->group_sms));
}

/* Instructions of blocks that do not run are those of the blocks that did. */
static void scale(SimResult *out, double by)
{
    out->warp_instructions = (uint64_t)((double)out->warp_instructions * by);
    out->thread_instructions = (uint64_t)((double)out->thread_instructions * by);
    for (int k = 0; k < IC_COUNT; k++) out->by_category[k] = (uint64_t)((double)out->by_category[k] * by);
}

bool sim_time_run(SimSpace *s, SimResult *out, uint64_t *ran)
{
    SimTime t;
    bool ok = make(&t, s) || sim_refuse(out, SIM_NO_MEMORY, "out of memory");
    if (ok) ok = quanta(&t, out);
    if (ok) {
        report(&t, out);
        bool some = t.limit < s->run->total, rest = s->run->launch->timed == SIM_EXTRAPOLATE;
        if (some && !time_waves_extrapolate(&t, &out->timing)) ok = sim_refuse(out, SIM_NO_MEMORY, "out of memory");
        if (some && !rest) scale(out, (double)s->run->total / (double)t.limit);
        *ran = some && rest ? t.limit : s->run->total;
        if (ok && s->run->launch->trace && !time_trace(&t, s->run->launch->trace))
            ok = sim_refuse(out, SIM_NO_MEMORY, "out of memory");
    }
    unmake(&t);
    return ok;
}
