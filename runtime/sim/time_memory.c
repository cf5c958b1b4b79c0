/* time_memory: what an access costs a multiprocessor: lanes become sectors of lines, or clocks of the banks; the first
 * level has real contents; what it lacks is asked of the second level through the way down (loads, whose data come back
 * there) or up (stores), which carry so many bytes a clock. */
#include "runtime/sim/time.h"

#include <stdlib.h>

/* ---- addresses
 * ------------------------------------------------------------------------------------------------------------ */

/* Words of local memory of one offset lie side by side, lane by lane, so that a warp that uses one offset touches few
 * lines. They are above all of global memory. */
static uint64_t local_address(const SimWarp *w, uint32_t address, int lane)
{
    const SimRun *r = w->block->cluster->run;
    uint64_t lanes = (uint64_t)r->lanes, words = (r->kernel->local + 3) / 4;
    uint64_t warp =
        (w->block->cluster->number * (uint64_t)r->cluster_blocks + (uint64_t)w->block->rank) * (uint64_t)r->nwarps +
        w->number;
    return (UINT64_C(1) << 41) + (warp * words + address / 4) * lanes * 4 + (uint64_t)lane * 4 + address % 4;
}

void time_addresses(SimWarp *w, const SimInst *in, const TimeInst *i, uint64_t mask, TimeAccess *a)
{
    const SimSource *s = &in->src[0];
    const uint32_t *row = (s->where == SRC_REGS ? w->regs : w->block->cluster->run->pool) + s->off;
    int lanes = w->block->cluster->run->lanes;
    a->mask = mask;
    switch (i->kind) {
    case TK_GLOBAL:
    case TK_COPY: {
        uint64_t base = sim_global_address(w, in, 0) - row[0];
        if (s->width == 2) {
            base -= (uint64_t)row[lanes] << 32;
            for (int l = 0; l < lanes; l++) a->address[l] = base + (row[l] | (uint64_t)row[l + lanes] << 32);
        } else {
            for (int l = 0; l < lanes; l++) a->address[l] = base + row[l];
        }
        break;
    }
    case TK_LOCAL:
        for (int l = 0; l < lanes; l++) a->address[l] = local_address(w, row[l] + in->in.imm, l);
        break;
    default: {
        uint32_t base = sim_shared_address(w, in, 0) - row[0];
        for (int l = 0; l < lanes; l++) a->address[l] = base + row[l];
        break;
    }
    }
}

/* ---- the memory port
 * ------------------------------------------------------------------------------------------------------ */

uint64_t time_port(TimeGroup *g, TimeSm *sm, uint64_t clock, uint64_t clocks)
{
    if (sm->port < clock) { /* what arrived took clocks that nobody wanted */
        uint64_t idle = clock - sm->port;
        sm->debt -= idle < sm->debt ? idle : sm->debt;
        sm->port = clock;
    }
    uint64_t late = sm->debt < clocks ? sm->debt : clocks; /* arriving data and accesses take turns */
    uint64_t at = sm->port + late;
    sm->debt -= late;
    sm->port = at + clocks;
    g->counter[SIM_PORT_CLOCKS] += clocks + late;
    return at;
}

void time_set(TimeWarp *t, const TimeInst *i, uint64_t mark)
{
    for (int k = 0; k < i->ndefs; k++)
        for (int n = 0; n < i->def[k].n; n++) t->mark[i->def[k].first + n] = mark;
}

/* ---- tickets and answers
 * ---------------------------------------------------------------------------------------------------- */

uint32_t time_ticket(TimeGroup *g, TimeTicket t)
{
    uint32_t at = g->spare;
    if (at != UINT32_MAX) {
        g->spare = g->ticket[at].left;
        g->ticket[at] = t;
        return at;
    }
    int cap = (int)g->tickets_cap;
    if (g->tickets == g->tickets_cap && !time_room(g, (void **)&g->ticket, (int)g->tickets, &cap, sizeof *g->ticket))
        return UINT32_MAX;
    g->tickets_cap = (uint32_t)cap;
    g->ticket[g->tickets] = t;
    return g->tickets++;
}

static void comes_back(TimeSm *sm, uint64_t clock)
{
    uint64_t step = clock >> ANSWER_SHIFT, last = sm->answered + ANSWER_RING - 1;
    sm->answer[(step < last ? step : last) % ANSWER_RING]++;
    sm->answers++;
}

void time_room_at(TimeGroup *g, TimeSm *sm, uint64_t clock)
{
    uint64_t step = clock >> ANSWER_SHIFT;
    for (; sm->answers && sm->answered < step; sm->answered++) {
        sm->answers -= sm->answer[sm->answered % ANSWER_RING];
        sm->answer[sm->answered % ANSWER_RING] = 0;
    }
    if (sm->answered < step) sm->answered = step;
    sm->room = 0;
    if (sm->answers + sm->asked < (uint64_t)g->time->m->l1_pending) return;
    for (step = sm->answered; sm->answers && !sm->answer[step % ANSWER_RING];) step++;
    sm->room = sm->answers ? (step + 1) << ANSWER_SHIFT : FAR;
}

static void finish(TimeGroup *g, TimeTicket *t)
{
    TimeWarp *w = t->warp;
    bool there = w && w->serial == t->serial;
    const TimeInst *i = &g->time->inst[t->at];
    switch (t->what) {
    case FOR_MARKS:
        if (there) time_set(w, i, MARK(t->end, i->why));
        break;
    case FOR_GROUP:
        if (there) {
            TimeQueue *q = &w->queue[t->queue];
            uint64_t *end = &q->end[t->at % GROUPS];
            if (*end < t->end) *end = t->end;
            q->pending[t->at % GROUPS]--;
        }
        break;
    case FOR_STORE:
        if (there) {
            if (w->stores < t->end) w->stores = t->end;
            w->stores_pending--;
        }
        break;
    case FOR_GATE:
        if (t->block->gate && t->serial == t->block->warp->serial) {
            TimeGate *gate = &t->block->gate[t->at];
            if (gate->end < t->end) gate->end = t->end;
            gate->pending--;
        }
        break;
    default: break;
    }
}

void time_answer(TimeGroup *g, TimeRequest *r, uint64_t clock)
{
    TimeTicket *t = &g->ticket[r->ticket];
    TimeSm *sm = t->sm;
    TimeWay *way = r->way == NO_WAY ? NULL : &sm->way[r->way];
    if (r->ask == ASK_MERGE) {
        if (way->line == r->line + 1 && way->ready != FAR && way->ready > clock) clock = way->ready;
    } else {
        sm->asked--;
        comes_back(sm, clock);
        if (way && way->line == r->line + 1 && (way->ready == FAR || way->ready < clock)) way->ready = clock;
    }
    if (t->end < clock) t->end = clock;
    if (g->end < clock) g->end = clock;
    if (--t->left) return;
    finish(g, t);
    t->left = g->spare;
    g->spare = r->ticket;
}

/* When the way is free for so many bytes; in whole clocks. */
static uint64_t send(const SimTime *t, uint64_t *way, uint64_t clock, uint64_t bytes)
{
    if (*way < clock * FRACTION) *way = clock * FRACTION;
    uint64_t at = *way / FRACTION;
    *way += bytes * FRACTION / (uint64_t)t->m->l2_port;
    return at;
}

/* ---- lines
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct Lines {
    int n, sectors;
    uint64_t line[LANES_MOST];
    uint32_t mask[LANES_MOST];
} Lines;

static void touch(const SimTime *t, Lines *l, uint64_t address)
{
    uint64_t line = address >> t->line_shift;
    uint32_t bit = UINT32_C(1) << (address >> t->sector_shift & (uint64_t)(t->lines - 1));
    int i = l->n - 1;
    while (i >= 0 && l->line[i] != line) i--;
    if (i < 0) {
        i = l->n++;
        l->line[i] = line;
        l->mask[i] = 0;
    }
    l->sectors += !(l->mask[i] & bit);
    l->mask[i] |= bit;
}

static void coalesce(const SimTime *t, const TimeAccess *a, Lines *l)
{
    l->n = l->sectors = 0;
    for (uint64_t m = a->mask; m; m &= m - 1) touch(t, l, a->address[__builtin_ctzll(m)]);
}

/* ---- the first level
 * ------------------------------------------------------------------------------------------------------ */

static TimeWay *way_of(const SimTime *t, TimeSm *sm, uint64_t line, bool make)
{
    uint64_t ways = (uint64_t)t->m->l1_ways;
    TimeWay *set = sm->way + time_modulo(t->l1_sets, line) * ways, *old = set;
    sm->used++;
    for (uint64_t i = 0; i < ways; i++) {
        if (set[i].line == line + 1) {
            set[i].used = sm->used;
            return &set[i];
        }
        if (sm->used - set[i].used > sm->used - old->used) old = &set[i];
    }
    if (!make) return NULL;
    *old = (TimeWay){.line = line + 1, .used = sm->used};
    return old;
}

typedef struct Asking { /* the requests of one instruction */
    TimeGroup *g;
    TimeSm *sm;
    uint32_t ticket;
    uint64_t end; /* of what needs no request */
} Asking;

static void ask(Asking *k, TimeRequest r)
{
    TimeGroup *g = k->g;
    r.ticket = k->ticket;
    if (!TIME_PUSH(g, g->request, g->requests, g->requests_cap, r)) return;
    g->ticket[k->ticket].left++;
    k->sm->asked += r.ask != ASK_MERGE;
}

static void load_line(Asking *k, uint64_t line, uint32_t sectors, uint64_t clock, bool level1)
{
    const SimTime *t = k->g->time;
    const IsaMachine *m = t->m;
    uint32_t missing = sectors, way = NO_WAY;
    if (level1) {
        TimeWay *w = way_of(t, k->sm, line, true);
        missing &= ~w->sectors;
        way = (uint32_t)(w - k->sm->way);
        k->g->counter[SIM_L1_SECTORS] += (uint64_t)__builtin_popcount(sectors);
        k->g->counter[SIM_L1_HITS] += (uint64_t)__builtin_popcount(sectors & ~missing);
        if (sectors & ~missing) {
            uint64_t hit = clock + (uint64_t)m->l1_latency;
            if (w->ready != FAR && w->ready > hit) hit = w->ready;
            if (hit > k->end) k->end = hit;
            if (w->ready == FAR) {
                uint64_t after = k->sm->down / FRACTION > clock ? k->sm->down / FRACTION : clock;
                ask(k, (TimeRequest){.clock = after, .line = line, .way = way, .ask = ASK_MERGE});
            }
        }
        if (missing) w->ready = FAR;
        w->sectors |= sectors;
    }
    if (!missing) return;
    uint64_t at = send(t, &k->sm->down, clock, (uint64_t)__builtin_popcount(missing) * (uint64_t)m->l2_sector);
    ask(k, (TimeRequest){.clock = at, .line = line, .sectors = missing, .way = way, .ask = ASK_LOAD});
}

/* The most lanes that want one word. */
static int most_wanted(const TimeAccess *a, uint64_t line, int shift)
{
    int most = 0;
    for (uint64_t m = a->mask; m; m &= m - 1) {
        uint64_t x = a->address[__builtin_ctzll(m)];
        int n = 0;
        if (x >> shift != line) continue;
        for (uint64_t k = m; k; k &= k - 1) n += a->address[__builtin_ctzll(k)] == x;
        if (n > most) most = n;
    }
    return most;
}

/* ---- accesses
 * --------------------------------------------------------------------------------------------------------------- */

static uint64_t bank_clocks(const IsaMachine *m, const uint64_t *address, uint64_t mask, int bytes, bool atomic,
                            uint64_t *least);

/* The tags take up a line a clock; the data of loads and stores pass the port. What a copy brings goes to the banks
 * when it arrives. The clock at which the last line has been looked up and the port taken. */
static uint64_t take_up(TimeGroup *g, TimeWarp *t, const SimInst *in, const TimeInst *i, const TimeAccess *a, Lines *l,
                        uint64_t clock)
{
    const IsaMachine *m = g->time->m;
    TimeSm *sm = t->block->sm;
    coalesce(g->time, a, l);
    uint64_t bytes = (uint64_t)(l->sectors * m->l1_sector), width = (uint64_t)m->l1_width;
    uint64_t at = sm->tags > clock ? sm->tags : clock;
    sm->tags = at + (uint64_t)l->n;
    if (i->kind == TK_COPY) {
        uint64_t to[LANES_MOST], least = 0;
        uint32_t reg = in->in.r[IS_D];
        const uint32_t *row = reg == ISA_RZ ? NULL : t->w->regs + reg * (uint32_t)in->lanes;
        for (int k = 0; k < in->lanes; k++) to[k] = (row ? row[k] : 0) + (uint32_t)(int32_t)(int16_t)in->in.imm;
        sm->debt += bank_clocks(m, to, a->mask, i->bytes, false, &least);
        g->counter[SIM_COPY_BYTES] += (uint64_t)i->bytes * (uint64_t)__builtin_popcountll(a->mask);
        return at;
    }
    uint64_t clocks = (bytes + width - 1) / width, port = time_port(g, sm, clock, clocks);
    return at > port ? at : port;
}

void time_global(TimeGroup *g, TimeWarp *t, const SimInst *in, const TimeInst *i, const TimeAccess *a, uint64_t clock)
{
    const SimTime *time = g->time;
    TimeSm *sm = t->block->sm;
    TimeSub *sub = &sm->sub[t->sub];
    Lines l;
    uint64_t at = take_up(g, t, in, i, a, &l, clock);
    int flags = isa_row[in->in.op].flags, hint = isa_mod_of(&in->in, IG_LOADC);
    bool local = i->kind == TK_LOCAL, atomic = flags & IF_ATOM,
         store = !atomic && (flags & IF_STORE) && i->kind != TK_COPY;
    bool level1 = local || (hint != 1 && hint != 3 && !isa_mod_of(&in->in, IG_LEVEL));
    g->counter[SIM_GLOBAL_REQUESTS]++;
    g->counter[SIM_GLOBAL_SECTORS] += (uint64_t)l.sectors;
    if (sub->free[IP_LSU] < at) sub->free[IP_LSU] = at;
    TimeTicket ticket = {
        .serial = t->serial, .warp = t, .block = t->block, .sm = sm, .at = t->w->pc, .what = FOR_NOBODY};
    uint32_t group = t->queue[i->queue].committed;
    if (i->kind == TK_COPY) {
        ticket.what = FOR_GROUP;
        ticket.at = group;
        ticket.queue = i->queue;
    } else if (i->ndefs) {
        ticket.what = FOR_MARKS;
        ticket.at = in->at - time->run->kernel->first;
    } else if (store || atomic) {
        ticket.what = FOR_STORE;
    }
    Asking k = {.g = g, .sm = sm, .ticket = time_ticket(g, ticket), .end = clock};
    if (k.ticket == UINT32_MAX) return;
    for (int n = 0; n < l.n; n++) {
        uint64_t now = at + (uint64_t)n, bytes = (uint64_t)__builtin_popcount(l.mask[n]) * (uint64_t)time->m->l2_sector;
        TimeRequest r = {
            .line = l.line[n], .sectors = l.mask[n], .way = NO_WAY, .ask = atomic ? ASK_ATOMIC : ASK_STORE};
        if (store && local) {
            way_of(time, sm, l.line[n], true)->sectors |= l.mask[n];
        } else if (store || atomic) {
            r.clock = send(time, &sm->up, now, bytes);
            if (atomic) r.busy = (uint16_t)most_wanted(a, l.line[n], time->line_shift);
            ask(&k, r);
        } else {
            load_line(&k, l.line[n], l.mask[n], now, level1);
        }
    }
    TimeTicket *of = &g->ticket[k.ticket];
    of->end = k.end;
    if (of->left) {
        if (ticket.what == FOR_MARKS) time_set(t, i, MARK(FAR, i->why));
        if (ticket.what == FOR_GROUP) t->queue[i->queue].pending[group % GROUPS]++;
        if (ticket.what == FOR_STORE) t->stores_pending++;
    } else { /* all of it is known */
        if (ticket.what == FOR_MARKS) time_set(t, i, MARK(k.end, i->why));
        if (ticket.what == FOR_GROUP && t->queue[i->queue].end[group % GROUPS] < k.end)
            t->queue[i->queue].end[group % GROUPS] = k.end;
        of->left = g->spare;
        g->spare = k.ticket;
    }
    time_room_at(g, sm, clock);
}

/* ---- banks
 * ------------------------------------------------------------------------------------------------------------------ */

/* The lanes of a part want different banks, or what the lane before them wants: the most common case, without lists. */
static bool apart(const uint64_t *address, uint64_t lanes, int words, int banks)
{
    uint64_t taken = 0, last = UINT64_MAX, each = (UINT64_C(1) << words) - 1;
    for (; lanes; lanes &= lanes - 1) {
        uint64_t word = address[__builtin_ctzll(lanes)] / 4, mine = each << (word & (uint64_t)(banks - 1));
        if (word == last) continue;
        if (taken & mine) return false;
        taken |= mine;
        last = word;
    }
    return true;
}

/* A warp's access is done in parts of as many lanes as the banks' width holds. A part takes as many clocks as the most
 * wanted bank has different words; an atomic, as it has lanes. *least: without conflicts. */
static uint64_t bank_clocks(const IsaMachine *m, const uint64_t *address, uint64_t mask, int bytes, bool atomic,
                            uint64_t *least)
{
    int words = bytes > 4 ? bytes / 4 : 1, part = (int)m->shared_width / (words * 4), banks = (int)m->shared_banks;
    uint64_t clocks = 0;
    if (part < 1) part = 1;
    for (int from = 0; from < LANES_MOST && mask >> from; from += part) {
        uint64_t here = mask >> from & (part >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << part) - 1);
        if (!here) continue;
        if (!atomic && banks <= 32 && apart(address + from, here, words, banks)) {
            clocks++;
            ++*least;
            continue;
        }
        uint16_t head[1024], next[LANES_MOST * 4];
        uint32_t word[LANES_MOST * 4];
        uint8_t count[1024];
        int n = 0, most = 0, lanes = 0;
        memset(head, 255, sizeof *head * (size_t)banks);
        memset(count, 0, (size_t)banks);
        for (uint64_t left = here; left; left &= left - 1)
            for (int k = 0; k < words; k++) {
                uint32_t x = (uint32_t)(address[from + __builtin_ctzll(left)] / 4) + (uint32_t)k;
                int bank = (int)(x & (uint32_t)(banks - 1));
                uint16_t at = head[bank];
                while (at != UINT16_MAX && (word[at] != x || atomic)) at = next[at];
                if (at != UINT16_MAX) continue;
                word[n] = x;
                next[n] = head[bank];
                head[bank] = (uint16_t)n++;
                if (++count[bank] > most) most = count[bank];
                lanes++;
            }
        clocks += atomic ? 1 + (uint64_t)(most - 1) * (uint64_t)m->shared_atomic : (uint64_t)most;
        ++*least;
    }
    return clocks ? clocks : 1;
}

/* Rows of 16 bytes at the addresses of the first lanes; of more tiles than a warp has lanes for, the first ones again.
 */
static uint64_t tile_clocks(const IsaMachine *m, const SimInst *in, const TimeAccess *a, uint64_t *least)
{
    int rows = 8 << in->in.mod[0];
    uint64_t mask = rows >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << rows) - 1;
    return bank_clocks(m, a->address, mask & a->mask, 16, false, least);
}

void time_shared(TimeGroup *g, TimeWarp *t, const SimInst *in, const TimeInst *i, const TimeAccess *a, uint64_t clock)
{
    const IsaMachine *m = g->time->m;
    TimeSm *sm = t->block->sm;
    uint64_t least = 0, clocks = 1, latency = (uint64_t)m->shared_latency;
    bool atomic = isa_row[in->in.op].flags & IF_ATOM;
    if (i->kind == TK_TILES)
        clocks = tile_clocks(m, in, a, &least);
    else if (i->kind != TK_EXCHANGE)
        clocks = bank_clocks(m, a->address, a->mask, i->bytes, atomic && i->kind == TK_SHARED, &least);
    if (i->kind != TK_EXCHANGE) {
        g->counter[SIM_SHARED_REQUESTS]++;
        g->counter[SIM_SHARED_CLOCKS] += clocks;
        g->counter[SIM_SHARED_CONFLICTS] += clocks - (least < clocks ? least : clocks);
        uint32_t rank = a->mask ? (uint32_t)(a->address[__builtin_ctzll(a->mask)] >> 24) & 255 : 0;
        if (rank && (int)rank - 1 != t->block->rank) latency = (uint64_t)m->shared_remote;
    }
    uint64_t at = time_port(g, sm, clock, clocks);
    if (sm->sub[t->sub].free[IP_LSU] < at) sm->sub[t->sub].free[IP_LSU] = at;
    time_set(t, i, MARK(at + clocks - 1 + latency, i->why));
}

/* ---- bulk copies, transaction barriers
 * -------------------------------------------------------------------------------------- */

TimeGate *time_gate(TimeGroup *g, TimeBlock *b, uint32_t address, uint32_t *at)
{
    if (address >> 24) b = b - b->rank + ((address >> 24) - 1);
    uint32_t offset = address & 0xffffff;
    for (int i = 0; i < b->ngates; i++)
        if (b->gate[i].offset == offset) return *at = (uint32_t)i, &b->gate[i];
    if (!TIME_PUSH(g, b->gate, b->ngates, b->gates_cap, (TimeGate){.offset = offset})) return NULL;
    *at = (uint32_t)b->ngates - 1;
    return &b->gate[*at];
}

void sim_time_touch(SimWarp *w, uint64_t address, uint32_t bytes)
{
    TimeGroup *g = w->block->cluster->timed;
    TIME_PUSH(g, g->touch, g->ntouches, g->touches_cap, (struct TimeTouch){address, bytes});
}

void time_bulk(TimeGroup *g, TimeWarp *t, const SimInst *in, uint64_t clock)
{
    const SimTime *time = g->time;
    const TimeInst *i = &time->inst[in->at - time->run->kernel->first];
    TimeBlock *b = t->block;
    bool load = in->in.op == G9_BULKG2S || in->in.op == G9_TILEG2S;
    TimeSm *sm = b->sm;
    uint64_t at = sm->copy > clock + i->latency ? sm->copy : clock + i->latency, total = 0;
    TimeTicket ticket = {.serial = t->serial, .warp = t, .block = b, .sm = sm, .queue = QUEUE_BULK, .what = FOR_GROUP};
    ticket.at = t->queue[QUEUE_BULK].committed;
    TimeGate *gate = NULL;
    if (load) {
        uint32_t address = sim_lane(t->w, in, 2, 0);
        gate = time_gate(g, b, address, &ticket.at);
        if (!gate) return;
        ticket.block = address >> 24 ? b - b->rank + ((address >> 24) - 1) : b;
        ticket.serial = ticket.block->warp->serial;
        ticket.what = FOR_GATE;
    }
    Asking k = {.g = g, .sm = sm, .ticket = time_ticket(g, ticket), .end = at};
    if (k.ticket == UINT32_MAX) return;
    for (int n = 0; n < g->ntouches; n++) {
        uint64_t address = g->touch[n].address, end = address + g->touch[n].bytes;
        total += g->touch[n].bytes;
        while (address < end) {
            Lines l = {0};
            uint64_t line = address >> time->line_shift;
            for (; address < end && address >> time->line_shift == line;
                 address = ((address >> time->sector_shift) + 1) << time->sector_shift)
                touch(time, &l, address);
            uint64_t bytes = (uint64_t)l.sectors * (uint64_t)time->m->l2_sector;
            uint64_t clock_sent = send(time, load ? &sm->down : &sm->up, at, bytes);
            ask(&k, (TimeRequest){.clock = clock_sent,
                                  .line = line,
                                  .sectors = l.mask[0],
                                  .way = NO_WAY,
                                  .ask = load ? ASK_LOAD : ASK_STORE});
            sm->copy = clock_sent;
        }
    }
    sm->debt += total / (uint64_t)time->m->shared_width;
    g->counter[SIM_COPY_BYTES] += total;
    g->ntouches = 0;
    if (g->ticket[k.ticket].left) {
        if (gate)
            gate->pending++;
        else
            t->queue[QUEUE_BULK].pending[ticket.at % GROUPS]++;
        return;
    }
    if (gate && gate->end < at) gate->end = at;
    g->ticket[k.ticket].left = g->spare;
    g->spare = k.ticket;
}
