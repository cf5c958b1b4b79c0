/* time_core: the sub-cores. Each has its own warps, pipes and scoreboard and issues up to sm.issue instructions a
 * clock: of the warps that can go on, the one that issued last, else the oldest. Clocks in which nothing can be issued
 * are skipped. An instruction runs (sim_step) when it issues.
 *
 * A warp's clocks are all accounted for when it issues: one for the instruction, those until its operands were there
 * for what came last, those until the pipe was free for the pipe, and the rest for the other warps. */
#include "runtime/sim/time.h"

/* ---- when a warp can go on
 * --------------------------------------------------------------------------------------------- */

static uint64_t groups_end(const TimeQueue *q, uint32_t unfinished)
{
    uint64_t end = q->before;
    if (q->committed <= unfinished) return end;
    uint32_t last = q->committed - unfinished, first = q->committed < GROUPS ? 0 : q->committed - GROUPS + 1;
    for (uint32_t i = first; i < last; i++) {
        if (q->pending[i % GROUPS]) return FAR;
        if (q->end[i % GROUPS] > end) end = q->end[i % GROUPS];
    }
    return end;
}

void time_awake(TimeGroup *g, TimeWarp *t)
{
    const SimRun *r = g->time->run;
    TimeSub *s = &t->block->sm->sub[t->sub];
    uint32_t pc = t->w->pc < r->kernel->count ? t->w->pc : 0; /* beyond the end: a fault when it issues */
    const TimeInst *i = &g->time->inst[pc];
    uint64_t ready = t->earliest;
    for (int k = 0; k < i->nuses; k++) {
        const uint64_t *mark = t->mark + i->use[k].first;
        for (int n = 0; n < i->use[k].n; n++)
            if (mark[n] > ready) ready = mark[n];
    }
    if (i->kind == TK_WAIT) {
        uint64_t m = MARK(groups_end(&t->queue[i->queue], r->code[pc].in.number), i->why);
        if (m > ready) ready = m;
    } else if (i->kind == TK_FENCE && r->code[pc].in.mod[0] >= 2) {
        uint64_t m = MARK(t->stores_pending ? FAR : t->stores, i->why);
        if (m > ready) ready = m;
    }
    t->ready = ready;
    s->ready[t->at] = ready >> 4;
    s->pipe[t->at] = i->kind == TK_GLOBAL || i->kind == TK_LOCAL || i->kind == TK_COPY ? IP_COUNT : i->pipe;
    if (s->next > ready >> 4) s->next = ready >> 4;
}

void time_awake_all(TimeGroup *g, TimeSub *s)
{
    for (int i = 0; i < s->n; i++)
        if (s->ready[i] == FAR && !s->warp[i]->waits) time_awake(g, s->warp[i]);
}

static void hold(TimeWarp *t)
{
    t->waits = true;
    t->block->sm->sub[t->sub].ready[t->at] = FAR;
}

/* ---- blocks begin and end
 * ------------------------------------------------------------------------------------------------ */

static void begin_warp(TimeGroup *g, TimeBlock *b, int number, uint64_t clock)
{
    TimeWarp *t = &b->warp[number];
    TimeSm *sm = b->sm;
    int sub = 0;
    for (int i = 1; i < g->time->m->sm_subcores; i++)
        if (sm->sub[i].n < sm->sub[sub].n) sub = i;
    TimeSub *s = &sm->sub[sub];
    *t = (TimeWarp){.w = &b->block->warp[number],
                    .block = b,
                    .issued = clock - 1,
                    .earliest = MARK(clock, SIM_STALL_SELECT),
                    .serial = ++g->serial,
                    .sub = (uint8_t)sub,
                    .at = (uint16_t)s->n};
    s->warp[s->n++] = t;
    time_awake(g, t);
}

bool time_begin_cluster(TimeGroup *g, uint64_t number, uint64_t clock)
{
    TimeSlot *slot = g->slot;
    while (slot->used) slot++;
    slot->cluster = (SimCluster){.number = number, .timed = g};
    if (!sim_cluster_begin(g->time->space, &slot->cluster)) return g->no_memory = true, false;
    slot->used = true;
    g->used++;
    for (int i = 0; i < slot->cluster.nblocks; i++) {
        TimeBlock *b = &slot->block[i];
        b->sm = &g->sm[i];
        b->block = &slot->cluster.block[i];
        b->block->sm = (uint32_t)b->sm->number;
        b->start = clock;
        b->ngates = 0;
        if (!b->sm->blocks++) b->sm->held_from = clock;
        for (int k = 0; k < b->block->nwarps; k++) begin_warp(g, b, k, clock);
    }
    return true;
}

static TimeSlot *slot_of(TimeGroup *g, const TimeBlock *b)
{
    return &g->slot[(b - g->slot->block) / g->time->run->cluster_blocks];
}

/* Of the trace: warps have one each, the first of a block that of the block too. */
static uint16_t row_of(const TimeGroup *g, const TimeWarp *t) { return (uint16_t)(t - g->slot->block->warp); }

static void block_ends(TimeGroup *g, TimeBlock *b, uint64_t clock)
{
    uint64_t clocks = clock - b->start;
    if (!--b->sm->blocks) b->sm->held += clock - b->sm->held_from;
    g->blocks++;
    g->block_clocks += clocks;
    uint64_t number = b->block->cluster->number * (uint64_t)b->block->cluster->nblocks + (uint64_t)b->rank;
    if (g->traced)
        TIME_PUSH(g, g->event, g->events, g->events_cap,
                  (TimeEvent){.clock = b->start,
                              .clocks = (uint32_t)clocks,
                              .at = (uint32_t)number,
                              .sm = (uint16_t)b->sm->number,
                              .warp = row_of(g, b->warp),
                              .what = TIME_BLOCK});
}

static void cluster_ends(TimeGroup *g, TimeSlot *slot, uint64_t clock)
{
    uint64_t before = g->done.warp_instructions;
    sim_cluster_end(g->time->space, &slot->cluster);
    sim_account(&g->done, &slot->cluster);
    uint64_t n = g->done.warp_instructions - before;
    if (!g->clusters++ || n < g->insts_least) g->insts_least = n;
    if (n > g->insts_most) g->insts_most = n;
    TIME_PUSH(g, g->ended, g->nended, g->ended_cap, clock);
    slot->used = false;
    g->used--;
    if (g->nreserved) {
        uint64_t number = g->reserved[0];
        memmove(g->reserved, g->reserved + 1, sizeof *g->reserved * (size_t)--g->nreserved);
        time_begin_cluster(g, number, clock);
    }
}

static void warp_ends(TimeGroup *g, TimeWarp *t, uint64_t clock)
{
    TimeBlock *b = t->block;
    TimeSub *s = &b->sm->sub[t->sub];
    s->n--;
    for (int i = t->at; i < s->n; i++) {
        s->warp[i] = s->warp[i + 1];
        s->ready[i] = s->ready[i + 1];
        s->pipe[i] = s->pipe[i + 1];
        s->warp[i]->at = (uint16_t)i;
    }
    if (s->last == t->at)
        s->last = -1;
    else if (s->last > t->at)
        s->last--;
    t->serial = 0;
    if (g->end < clock) g->end = clock;
    TimeSlot *slot = slot_of(g, b);
    if (!b->block->live) block_ends(g, b, clock);
    if (!slot->cluster.warps) cluster_ends(g, slot, clock);
}

/* ---- what an instruction leaves
 * ------------------------------------------------------------------------------------------ */

/* Warps that waited and need not any more. */
static void release(TimeGroup *g, TimeBlock *b, uint64_t clock)
{
    TimeSlot *slot = slot_of(g, b);
    uint64_t mark = MARK(clock + (uint64_t)g->time->m->pipe[IP_CONTROL].latency, SIM_STALL_BARRIER);
    for (int k = 0; k < slot->cluster.nblocks; k++)
        for (int i = 0; i < slot->block[k].block->nwarps; i++) {
            TimeWarp *t = &slot->block[k].warp[i];
            if (!t->waits || t->w->state != WARP_RUNS) continue;
            t->waits = false;
            t->earliest = mark;
            time_awake(g, t);
        }
}

static void commit(TimeQueue *q)
{
    uint32_t open = ++q->committed % GROUPS; /* its place was that of a group which is long over */
    if (q->end[open] > q->before) q->before = q->end[open];
    q->end[open] = 0;
}

/* The operands of a warp's part pass the memory port. */
static void product(TimeGroup *g, TimeWarp *t, const SimInst *in, const TimeInst *i, uint64_t clock)
{
    TimeQueue *q = &t->queue[QUEUE_PRODUCT];
    int bits = isa_type[in->in.mod[2]].bits, k = in->mma.k, n = in->mma.n;
    uint64_t bytes = (uint64_t)(k * n * bits / 8 / 4), width = (uint64_t)g->time->m->shared_width;
    if (in->in.op == G9_WGMMA) bytes += (uint64_t)(16 * k * bits / 8);
    uint64_t at = time_port(g, t->block->sm, clock, (bytes + width - 1) / width), end = at + i->latency;
    uint64_t *last = &q->end[q->committed % GROUPS];
    if (*last < end) *last = end;
}

static void gate_waits(TimeGroup *g, TimeWarp *t, const TimeAccess *a)
{
    uint32_t at;
    TimeGate *gate = time_gate(g, t->block, (uint32_t)a->address[__builtin_ctzll(a->mask)], &at);
    if (!gate) return;
    gate->pending++;
    TIME_PUSH(g, g->await, g->nawaits, g->awaits_cap,
              (struct TimeAwait){.warp = t,
                                 .block = t->block,
                                 .serial = t->serial,
                                 .gate = at,
                                 .address = (uint32_t)a->address[__builtin_ctzll(a->mask)],
                                 .of_warp = true});
}

static void try_gate(TimeGroup *g, TimeWarp *t, const TimeInst *i, const TimeAccess *a)
{
    uint32_t at, address = (uint32_t)a->address[__builtin_ctzll(a->mask)];
    TimeGate *gate = time_gate(g, t->block, address, &at);
    if (!gate || !i->ndefs) return;
    uint64_t *mark = &t->mark[i->def[0].first];
    if (!gate->pending) {
        if (MARK(gate->end, i->why) > *mark) *mark = MARK(gate->end, i->why);
        return;
    }
    *mark = MARK(FAR, i->why);
    TIME_PUSH(g, g->await, g->nawaits, g->awaits_cap,
              (struct TimeAwait){.warp = t,
                                 .block = t->block,
                                 .serial = t->serial,
                                 .gate = at,
                                 .address = address,
                                 .mark = i->def[0].first});
}

/* Transaction barriers that copies of a warp complete, then what waits for transaction barriers. */
void time_awaits(TimeGroup *g)
{
    for (int pass = 0; pass < 2; pass++) {
        int kept = 0;
        for (int k = 0; k < g->nawaits; k++) {
            struct TimeAwait *w = &g->await[k];
            bool there = w->warp->serial == w->serial;
            TimeBlock *b = w->address >> 24 ? w->block - w->block->rank + ((w->address >> 24) - 1) : w->block;
            TimeGate *gate = (int)w->gate < b->ngates ? &b->gate[w->gate] : NULL;
            bool over = !there || !gate;
            if (pass == 0 && w->of_warp) {
                TimeQueue *q = &w->warp->queue[QUEUE_COPY];
                uint64_t end = over ? 0 : q->before;
                bool pending = false;
                for (int n = 0; n < GROUPS && !over; n++) {
                    pending |= q->pending[n] != 0;
                    if (q->end[n] > end) end = q->end[n];
                }
                if (!over && pending) {
                    g->await[kept++] = *w;
                    continue;
                }
                if (gate && gate->pending) gate->pending--;
                if (gate && gate->end < end) gate->end = end;
            } else if (pass == 1 && !w->of_warp && !over) {
                if (gate->pending)
                    g->await[kept++] = *w;
                else
                    w->warp->mark[w->mark] = MARK(gate->end, SIM_STALL_COPY);
            } else if (!over) {
                g->await[kept++] = *w;
            }
        }
        g->nawaits = kept;
    }
}

static void effect(TimeGroup *g, TimeWarp *t, const SimInst *in, const TimeInst *i, const TimeAccess *a, SimNext next,
                   uint64_t clock)
{
    const IsaMachine *m = g->time->m;
    switch ((TimeKind)i->kind) {
    case TK_GLOBAL:
    case TK_LOCAL:
    case TK_COPY: time_global(g, t, in, i, a, clock); break;
    case TK_CONSTANT: time_set(t, i, MARK(clock + (uint64_t)m->l1_latency, i->why)); break;
    case TK_SHARED:
    case TK_TILES:
    case TK_EXCHANGE:
    case TK_MBAR: time_shared(g, t, in, i, a, clock); break;
    case TK_CPMBAR:
        time_shared(g, t, in, i, a, clock);
        gate_waits(g, t, a);
        break;
    case TK_MBTRY:
        time_shared(g, t, in, i, a, clock);
        if (next == SIM_GO) try_gate(g, t, i, a);
        break;
    case TK_WGMMA: product(g, t, in, i, clock); break;
    case TK_COMMIT: commit(&t->queue[i->queue]); break;
    case TK_BULK: time_bulk(g, t, in, clock); break;
    case TK_JUMP:
        if (next != SIM_GO) t->earliest = MARK(clock + i->latency, i->why);
        time_set(t, i, MARK(clock + i->latency, SIM_STALL_FIXED));
        break;
    case TK_BARRIER:
        if (next == SIM_JUMPED) t->earliest = MARK(clock + i->latency, i->why);
        break;
    case TK_MARK:
        if (g->traced)
            TIME_PUSH(g, g->event, g->events, g->events_cap,
                      (TimeEvent){.clock = clock,
                                  .imm = in->in.imm,
                                  .sm = (uint16_t)t->block->sm->number,
                                  .warp = row_of(g, t),
                                  .what = TIME_MARKED});
        break;
    default: time_set(t, i, MARK(clock + i->latency, i->why)); break;
    }
}

/* ---- issue
 * ------------------------------------------------------------------------------------------------------------------ */

static void account(TimeGroup *g, TimeSub *s, const TimeWarp *t, uint64_t clock)
{
    uint64_t from = t->issued + 1, ready = t->ready >> 4;
    unsigned pipe = s->pipe[t->at];
    g->stall[SIM_STALL_ISSUED]++;
    if (ready > from) {
        g->stall[t->ready & 15] += ready - from;
        from = ready;
    }
    if (clock > from) {
        uint64_t busy = s->free[pipe] > from ? s->free[pipe] - from : 0;
        g->stall[pipe == IP_LSU || pipe == IP_COUNT ? SIM_STALL_MEMORY : SIM_STALL_PIPE] += busy;
        g->stall[SIM_STALL_SELECT] += clock - from - busy;
    }
}

static void occupy(TimeGroup *g, TimeSub *s, const TimeInst *i, uint64_t clock)
{
    int units = g->time->m->pipe[i->pipe].count;
    uint64_t *unit = s->unit[i->pipe], *first = unit, least = FAR;
    for (int k = 1; k < units; k++)
        if (unit[k] < *first) first = &unit[k];
    *first = clock + i->interval;
    for (int k = 0; k < units; k++)
        if (unit[k] < least) least = unit[k];
    s->free[i->pipe] = least;
    g->pipe[i->pipe] += i->interval;
    g->counter[SIM_REGISTER_CONFLICTS] += i->conflict;
}

static void fail(TimeGroup *g, SimCluster *c, uint64_t clock)
{
    g->failed = true;
    g->fault = c->fault;
    g->fault_clock = clock;
}

static bool endless(TimeGroup *g, SimWarp *w)
{
    const SimRun *r = g->time->run;
    if (w->count % SIM_TURN || w->state != WARP_RUNS) return false;
    if (w->count > r->budget) {
        sim_fault(w, &r->code[w->pc < r->kernel->count ? w->pc : 0], SIM_BUDGET, -1, 0,
                  "the warp has run %llu instructions", (unsigned long long)w->count);
        return true;
    }
    sim_yield(w);
    return false;
}

static void record(TimeGroup *g, const TimeWarp *t, const SimInst *in, uint64_t clock)
{
    TIME_PUSH(g, g->event, g->events, g->events_cap,
              (TimeEvent){.clock = clock,
                          .clocks = (uint32_t)(clock - t->issued - 1),
                          .at = in->at,
                          .why = (uint8_t)(t->ready & 15),
                          .sm = (uint16_t)t->block->sm->number,
                          .warp = row_of(g, t)});
}

static void issue(TimeGroup *g, TimeSub *s, int at, uint64_t clock)
{
    TimeWarp *t = s->warp[at];
    SimWarp *w = t->w;
    const SimRun *r = g->time->run;
    uint32_t pc = w->pc < r->kernel->count ? w->pc : 0;
    const SimInst *in = &r->code[pc];
    const TimeInst *i = &g->time->inst[pc];
    uint64_t mask = w->active;
    TimeAccess a;
    if (in->guard != ISA_PT) mask &= in->guard & 8 ? ~w->p[in->guard & 7] : w->p[in->guard & 7];
    if (mask && i->addresses) time_addresses(w, in, i, mask, &a);
    account(g, s, t, clock);
    if (g->traced && g->events >= EVENTS_MOST) g->traced = false;
    if (g->traced) record(g, t, in, clock);
    s->last = at;
    w->now = clock;
    TimeBlock *b = t->block;
    SimCluster *c = b->block->cluster;
    SimNext next = sim_step(w);
    t->issued = clock;
    t->earliest = MARK(clock + 1, SIM_STALL_SELECT);
    if (next == SIM_STOP || c->faulted || endless(g, w)) {
        fail(g, c, clock);
        return;
    }
    g->instructions++;
    if (mask) {
        occupy(g, s, i, clock);
        effect(g, t, in, i, &a, next, clock);
    }
    if (next == SIM_SHARED_ORDER) {
        w->state = WARP_ORDER;
        g->orders = true;
        hold(t);
        TIME_PUSH(g, g->ordered, g->nordered, g->ordered_cap, (TimeOrdered){.clock = clock, .warp = t, .group = g});
        return;
    }
    if (w->state == WARP_RUNS)
        time_awake(g, t);
    else
        hold(t);
    if (i->kind == TK_BARRIER || w->state == WARP_DONE) release(g, b, clock);
    if (w->state == WARP_DONE) warp_ends(g, t, clock + 1);
}

void time_ordered(TimeGroup *g, const TimeOrdered *o)
{
    TimeWarp *t = o->warp;
    SimWarp *w = t->w;
    w->state = WARP_RUNS;
    w->ordered = true;
    w->now = o->clock;
    SimNext next = sim_step(w);
    w->ordered = false;
    t->waits = false;
    t->earliest = MARK(g->time->until, SIM_STALL_ORDER);
    if (next == SIM_STOP) {
        fail(g, w->block->cluster, o->clock);
        return;
    }
    time_awake(g, t);
}

/* The warp to issue from, or -1 and when there will be one. */
static int choose(const TimeSm *sm, TimeSub *s, uint64_t clock, uint64_t *soonest)
{
    int best = -1;
    *soonest = FAR;
    s->free[IP_COUNT] = s->free[IP_LSU] > sm->room ? s->free[IP_LSU] : sm->room;
    for (int i = 0; i < s->n; i++) {
        uint64_t at = s->ready[i], pipe = s->free[s->pipe[i]];
        if (pipe > at) at = pipe;
        if (at > clock) {
            if (at < *soonest) *soonest = at;
            continue;
        }
        if (i == s->last) return i;
        if (best < 0) best = i;
    }
    return best;
}

static void run_sub(TimeGroup *g, TimeSm *sm, TimeSub *s, uint64_t clock)
{
    uint64_t soonest;
    for (int k = 0; k < g->time->m->sm_issue && !g->failed; k++) {
        int at = choose(sm, s, clock, &soonest);
        if (at < 0) {
            s->next = soonest;
            return;
        }
        s->next = clock + 1;
        issue(g, s, at, clock);
    }
}

void time_run_group(TimeGroup *g)
{
    int subs = (int)g->time->m->sm_subcores;
    while (!g->failed) {
        TimeSub *first = NULL;
        TimeSm *of = NULL;
        uint64_t clock = g->time->until;
        for (int i = 0; i < g->nsms; i++)
            for (int k = 0; k < subs; k++)
                if (g->sm[i].sub[k].next < clock) {
                    first = &g->sm[i].sub[k];
                    of = &g->sm[i];
                    clock = first->next;
                }
        if (!first) break;
        run_sub(g, of, first, clock);
    }
}
