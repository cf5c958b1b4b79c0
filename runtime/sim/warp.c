/* warp: one instruction of a warp, its paths, and the rounds of a cluster.
 *
 * Divergence. A warp runs one path at a time: a mask of lanes and a pc. A branch that some lanes take puts the others
 * aside. bssy notes the lanes that are to meet; a path that arrives at bsync waits until all of them (that have not
 * exited or left) wait there, and they go on as one. A path that spins is put behind the others when its turn is over.
 */
#include "runtime/sim/sim_priv.h"

#include <stdio.h>

enum { ROUND = 1 << 22 };

/* ---- faults
 * ------------------------------------------------------------------------------------------------------------------ */

static const char *const kinds[] = {"ok",
                                    "bad launch",
                                    "out of bounds",
                                    "misaligned access",
                                    "uninitialised value",
                                    "unmet hint",
                                    "race on shared memory",
                                    "divergence",
                                    "deadlock",
                                    "endless loop",
                                    "trap",
                                    "bad jump",
                                    "bad operand",
                                    "out of memory"};

SimNext sim_fault(SimWarp *w, const SimInst *in, SimFaultKind kind, int lane, uint64_t address, const char *fmt, ...)
{
    SimBlock *b = w->block;
    SimCluster *c = b->cluster;
    const SimRun *r = c->run;
    if (c->faulted) return SIM_STOP;
    c->faulted = true;
    SimFault *f = &c->fault;
    *f = (SimFault){.kind = kind, .warp = w->number, .at = in->at, .address = address};
    memcpy(f->block, b->id, sizeof f->block);
    uint32_t t =
        w->number * (uint32_t)r->lanes + (uint32_t)(lane < 0 ? __builtin_ctzll(w->active ? w->active : 1) : lane);
    f->thread[0] = t % r->block[0];
    f->thread[1] = t / r->block[0] % r->block[1];
    f->thread[2] = t / r->block[0] / r->block[1];
    const char *file = "";
    if (isa_module_line(r->module, in->at, &file, &f->line)) snprintf(f->file, sizeof f->file, "%s", file);
    char what[120];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    IsaText text = {0};
    if (f->line) isa_text(&text, "%s:%d: ", f->file, f->line);
    isa_text(&text, "%s: %s, in `", kinds[kind], what);
    isa_print_inst(&text, &in->in, NULL, NULL, 0);
    isa_text(&text, "` of %.40s, block (%u,%u,%u), thread (%u,%u,%u)", r->kernel->name, b->id[0], b->id[1], b->id[2],
             f->thread[0], f->thread[1], f->thread[2]);
    size_t n = text.n < sizeof f->text ? text.n : sizeof f->text - 1;
    if (text.s) memcpy(f->text, text.s, n);
    f->text[n] = 0;
    isa_text_free(&text);
    return SIM_STOP;
}

/* ---- paths
 * -------------------------------------------------------------------------------------------------------------------
 */

void sim_diverge(SimWarp *w, uint64_t mask, uint32_t pc)
{
    if (mask) w->path[w->npaths++] = (SimPath){mask, pc, -1};
}

static void drop(SimWarp *w, int i)
{
    memmove(&w->path[i], &w->path[i + 1], sizeof *w->path * (size_t)(w->npaths - i - 1));
    w->npaths--;
}

bool sim_next_path(SimWarp *w)
{
    w->active = 0;
    for (int i = 0; i < w->npaths; i++) {
        if (w->path[i].wait >= 0) continue;
        w->active = w->path[i].mask;
        w->pc = w->path[i].pc;
        drop(w, i);
        return true;
    }
    return false;
}

/* A barrier register whose lanes all wait: they become one path behind it. */
void sim_settle(SimWarp *w)
{
    for (int b = 0; b < BARRIERS && w->npaths; b++) {
        uint64_t here = 0;
        uint32_t pc = 0;
        for (int i = 0; i < w->npaths; i++)
            if (w->path[i].wait == b) here |= w->path[i].mask, pc = w->path[i].pc;
        if (!here || (w->barrier[b] & w->live & ~here)) continue;
        for (int i = w->npaths - 1; i >= 0; i--)
            if (w->path[i].wait == b) drop(w, i);
        w->path[w->npaths++] = (SimPath){here, pc + 1, -1};
    }
}

/* ---- jumps
 * ---------------------------------------------------------------------------------------------------------------------
 */

static bool jump(SimWarp *w, const SimInst *in, int lane, int64_t to)
{
    if (to >= 0 && to < w->block->cluster->run->kernel->count) return w->pc = (uint32_t)to, true;
    sim_fault(w, in, SIM_BAD_JUMP, lane, (uint64_t)to, "it leads to instruction %lld, outside of the kernel",
              (long long)to);
    return false;
}

SimNext sim_exec_bra(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint64_t stay = w->active & ~mask;
    uint32_t next = w->pc + 1;
    if (in->in.mod[0] && stay)
        return sim_fault(w, in, SIM_DIVERGENT, -1, 0, "a branch marked uniform is taken by some lanes only");
    if (!stay) return jump(w, in, -1, in->target) ? SIM_JUMPED : SIM_STOP;
    /* The lanes of a loop go first, those that leave wait. */
    if (in->target > (int64_t)w->pc) {
        sim_diverge(w, mask, (uint32_t)in->target);
        w->active = stay;
        w->pc = next;
    } else {
        sim_diverge(w, stay, next);
        w->active = mask;
        w->pc = (uint32_t)in->target;
    }
    return SIM_JUMPED;
}

/* Lanes go where `to` says; those of one place stay together. */
static SimNext scatter(SimWarp *w, const SimInst *in, uint64_t mask, const int64_t *to)
{
    uint64_t left = mask, stay = w->active & ~mask;
    uint32_t here = w->pc;
    for (uint64_t m = mask; m; m &= m - 1)
        if (!jump(w, in, __builtin_ctzll(m), to[__builtin_ctzll(m)])) return SIM_STOP;
    sim_diverge(w, stay, here + 1);
    while (left) {
        int64_t pc = to[__builtin_ctzll(left)];
        uint64_t group = 0;
        for (uint64_t m = left; m; m &= m - 1)
            if (to[__builtin_ctzll(m)] == pc) group |= m & (0 - m);
        left &= ~group;
        if (left) {
            sim_diverge(w, group, (uint32_t)pc);
        } else {
            w->active = group;
            w->pc = (uint32_t)pc;
        }
    }
    return SIM_JUMPED;
}

SimNext sim_exec_brx(SimWarp *w, const SimInst *in, uint64_t mask)
{
    int64_t to[LANES_MOST];
    for (int i = 0; i < in->lanes; i++) to[i] = in->target + (int32_t)sim_lane(w, in, 0, i);
    return scatter(w, in, mask, to);
}

static SimNext call(SimWarp *w, const SimInst *in, uint64_t mask, const int64_t *to)
{
    uint32_t back[LANES_MOST];
    for (int i = 0; i < in->lanes; i++) back[i] = w->pc + 1;
    sim_write_row(w, in->d, back, mask);
    return scatter(w, in, mask, to);
}

SimNext sim_exec_call(SimWarp *w, const SimInst *in, uint64_t mask)
{
    int64_t to[LANES_MOST];
    for (int i = 0; i < in->lanes; i++) to[i] = in->target;
    return call(w, in, mask, to);
}

SimNext sim_exec_callx(SimWarp *w, const SimInst *in, uint64_t mask)
{
    int64_t to[LANES_MOST];
    for (int i = 0; i < in->lanes; i++) to[i] = sim_lane(w, in, 0, i);
    return call(w, in, mask, to);
}

SimNext sim_exec_ret(SimWarp *w, const SimInst *in, uint64_t mask)
{
    int64_t to[LANES_MOST];
    for (int i = 0; i < in->lanes; i++) to[i] = sim_lane(w, in, 0, i);
    return scatter(w, in, mask, to);
}

static void warp_ends(SimWarp *w)
{
    SimCluster *c = w->block->cluster;
    w->state = WARP_DONE;
    w->block->live--;
    c->warps--;
    if (w->cluster_phase > c->phase) c->arrived--; /* it arrived and did not wait; the dead are not counted */
    sim_bar_release(w->block);
    sim_cbar_release(c);
}

SimNext sim_exec_exit(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)in;
    w->live &= ~mask;
    w->active &= ~mask;
    sim_settle(w);
    if (w->active) {
        w->pc++;
        return SIM_JUMPED;
    }
    if (w->live) return SIM_PATH_ENDS;
    warp_ends(w);
    return SIM_WAIT;
}

SimNext sim_exec_bssy(SimWarp *w, const SimInst *in, uint64_t mask)
{
    w->barrier[in->in.r[IS_D]] = mask;
    return SIM_GO;
}

SimNext sim_exec_bsync(SimWarp *w, const SimInst *in, uint64_t mask)
{
    int b = in->in.r[IS_D];
    uint64_t stay = w->active & ~mask, missing = w->barrier[b] & w->live & ~mask;
    if (mask & ~w->barrier[b])
        return sim_fault(w, in, SIM_DIVERGENT, -1, 0, "lanes arrive that barrier register b%d does not hold", b);
    sim_diverge(w, stay, w->pc + 1);
    if (!missing) {
        w->active = mask;
        w->pc++;
        return SIM_JUMPED;
    }
    w->path[w->npaths++] = (SimPath){mask, w->pc, (int8_t)b};
    sim_settle(w);
    return SIM_PATH_ENDS;
}

SimNext sim_exec_bbreak(SimWarp *w, const SimInst *in, uint64_t mask)
{
    w->barrier[in->in.r[IS_D]] &= ~mask;
    sim_settle(w);
    return SIM_GO;
}

SimNext sim_exec_yield(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)in, (void)mask;
    w->pc++;
    return SIM_YIELD;
}

SimNext sim_exec_trap(SimWarp *w, const SimInst *in, uint64_t mask)
{
    return sim_fault(w, in, SIM_TRAP, __builtin_ctzll(mask), 0, "the program says %u", in->in.imm);
}

/* ---- steps
 * ------------------------------------------------------------------------------------------------------------------------
 */

static bool may_run(SimWarp *w, const SimInst *in, uint64_t mask)
{
    int flags = isa_row[in->in.op].flags;
    if ((flags & IF_FULL) && mask != w->all) {
        sim_fault(w, in, SIM_DIVERGENT, -1, 0, "all lanes of the warp must run it together");
        return false;
    }
    if ((flags & IF_LIVE) && mask != w->live) {
        sim_fault(w, in, SIM_DIVERGENT, -1, 0, "the warp's lanes are on different paths");
        return false;
    }
    if ((flags & IF_UNI) && mask != w->active) {
        sim_fault(w, in, SIM_DIVERGENT, -1, 0, "its guard differs between active lanes");
        return false;
    }
    return true;
}

SimNext sim_yield(SimWarp *w)
{
    if (w->npaths) { /* the others of this warp first */
        sim_diverge(w, w->active, w->pc);
        sim_next_path(w);
    }
    return SIM_YIELD;
}

static SimNext stuck(SimWarp *w, const SimInst *in)
{
    for (int i = 0; i < w->npaths; i++)
        if (w->path[i].wait >= 0) {
            w->active = w->path[i].mask;
            return sim_fault(w, in, SIM_DEADLOCK, -1, 0,
                             "all paths of the warp wait for reconvergence; the first for b%d", w->path[i].wait);
        }
    return sim_fault(w, in, SIM_DEADLOCK, -1, 0, "no path of the warp can run");
}

SimNext sim_step(SimWarp *w)
{
    const SimRun *r = w->block->cluster->run;
    if (w->pc >= r->kernel->count) {
        sim_fault(w, &r->code[r->kernel->count - 1], SIM_BAD_JUMP, -1, 0, "the warp ran past the last instruction");
        return SIM_STOP;
    }
    const SimInst *in = &r->code[w->pc];
    uint64_t mask = w->active;
    if (in->guard != ISA_PT) mask &= in->guard & 8 ? ~w->p[in->guard & 7] : w->p[in->guard & 7];
    if (!mask) {
        if (r->checked && !sim_check_reads(w, in, mask)) return SIM_STOP;
        w->pc++;
        w->count++;
        w->executed[in->category]++;
        return SIM_GO;
    }
    if (isa_row[in->in.op].flags & (IF_FULL | IF_LIVE | IF_UNI) && !may_run(w, in, mask)) return SIM_STOP;
    if (r->checked && !sim_check_reads(w, in, mask)) return SIM_STOP;
    SimNext next = in->exec(w, in, mask);
    if (next == SIM_SHARED_ORDER || next == SIM_STOP) return next;
    if (r->checked) sim_mark_writes(w, in, mask);
    w->count++;
    w->executed[in->category]++;
    w->lanes_executed += (uint64_t)__builtin_popcountll(mask);
    if (next == SIM_GO) {
        w->pc++;
    } else if (next == SIM_YIELD) {
        return sim_yield(w);
    } else if (next == SIM_PATH_ENDS) {
        return sim_next_path(w) ? SIM_JUMPED : stuck(w, in);
    }
    return next;
}

/* Runs a warp for a turn; the number of its instructions. */
static uint64_t run_warp(SimWarp *w)
{
    const SimRun *r = w->block->cluster->run;
    uint64_t start = w->count;
    for (int i = 0; i < SIM_TURN; i++) {
        switch (sim_step(w)) {
        case SIM_GO:
        case SIM_JUMPED: continue;
        case SIM_SHARED_ORDER: w->state = WARP_ORDER; return w->count - start;
        default: return w->count - start;
        }
    }
    if (w->count > r->budget) {
        sim_fault(w, &r->code[w->pc < r->kernel->count ? w->pc : 0], SIM_BUDGET, -1, 0,
                  "the warp has run %llu instructions", (unsigned long long)w->count);
        return w->count - start;
    }
    sim_yield(w);
    return w->count - start;
}

void sim_run_cluster(SimCluster *c)
{
    uint64_t ran;
    c->ran = 0;
    do {
        ran = 0;
        for (int i = 0; i < c->nblocks && !c->faulted; i++)
            for (int j = 0; j < c->block[i].nwarps && !c->faulted; j++)
                if (c->block[i].warp[j].state == WARP_RUNS) ran += run_warp(&c->block[i].warp[j]);
        c->ran += ran;
    } while (ran && !c->faulted && c->ran < ROUND && c->warps);
    if (!c->warps) c->done = true;
}

bool sim_run_ordered(SimCluster *c)
{
    bool any = false;
    for (int i = 0; i < c->nblocks; i++)
        for (int j = 0; j < c->block[i].nwarps && !c->faulted; j++) {
            SimWarp *w = &c->block[i].warp[j];
            if (w->state != WARP_ORDER) continue;
            w->state = WARP_RUNS;
            w->ordered = true;
            sim_step(w);
            w->ordered = false;
            any = true;
        }
    return any;
}
