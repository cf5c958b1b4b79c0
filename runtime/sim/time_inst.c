/* time_inst: what the timing model knows of an instruction before it runs: its pipe, latency and interval from the
 * machine file, and the marks of the scoreboard that it waits for and sets. */
#include "runtime/sim/time.h"

static const uint8_t kind_of[G9_COUNT] = {
#define RUNS(ID, name, timing) [G9_##ID] = TK_##timing,
#include "runtime/sim/execs.def"
#undef RUNS
};

static TimeSpan marks(SimSpan s)
{
    static const uint16_t bank[] = {[SPAN_REG] = 0, [SPAN_UREG] = MARK_UREG, [SPAN_PRED] = MARK_PRED};
    return (TimeSpan){(uint16_t)(bank[s.bank] + s.first), s.n};
}

static void add(TimeInst *t, TimeSpan s, bool defines)
{
    if (t->nuses < USES_MOST) t->use[t->nuses++] = s;
    if (defines && t->ndefs < DEFS_MOST) t->def[t->ndefs++] = s;
}

/* A bank delivers so many operands of one register without delay; wider ones are spread over the banks. */
static int conflict(const SimRun *r, const IsaInst *in)
{
    const IsaMachine *m = &r->device->machine;
    uint8_t seen[IS_SLOTS];
    int n = 0, worst = 0;
    SimSpan span[2];
    for (const IsaOperand *o = isa_row[in->op].operand; o->kind; o++) {
        if ((o->flags & IOF_WRITE) || sim_spans(in, o, r->lanes, span) != 1) continue;
        if (span->bank != SPAN_REG || span->n != 1) continue;
        bool twice = false;
        for (int i = 0; i < n; i++) twice |= seen[i] == span->first;
        if (!twice) seen[n++] = span->first;
    }
    for (int i = 0; i < n; i++) {
        int reads = 0;
        for (int j = 0; j < n; j++) reads += seen[j] % m->sm_banks == seen[i] % m->sm_banks;
        int clocks = (reads - 1) / (int)m->sm_reads;
        if (clocks > worst) worst = clocks;
    }
    return worst;
}

static int why_of(int kind, const IsaInst *in)
{
    switch (kind) {
    case TK_GLOBAL:
    case TK_LOCAL:
    case TK_CONSTANT: return SIM_STALL_GLOBAL;
    case TK_SHARED:
    case TK_TILES:
    case TK_EXCHANGE:
    case TK_MBAR: return SIM_STALL_SHARED;
    case TK_MMA:
    case TK_WGMMA: return SIM_STALL_MATRIX;
    case TK_WAIT: return isa_row[in->op].rule == IR_WG ? SIM_STALL_MATRIX : SIM_STALL_COPY;
    case TK_COPY:
    case TK_CPMBAR:
    case TK_BULK:
    case TK_MBTRY: return SIM_STALL_COPY;
    case TK_BARRIER: return SIM_STALL_BARRIER;
    case TK_JUMP: return SIM_STALL_BRANCH;
    case TK_FENCE: return SIM_STALL_FENCE;
    default: return SIM_STALL_FIXED;
    }
}

static int access_bytes(const IsaInst *in)
{
    int t = isa_type_of(in, 0);
    return t < 0 ? 8 : isa_type[t].bits < 8 ? 1 : isa_type[t].bits / 8;
}

void time_inst(const SimRun *r, const SimInst *s, TimeInst *t)
{
    const IsaInst *in = &s->in;
    const IsaMachine *m = &r->device->machine;
    const IsaMmaRow *mma = isa_machine_mma(m, in);
    *t = (TimeInst){.kind = kind_of[in->op], .pipe = (uint8_t)isa_pipe_of(in), .bytes = (uint8_t)access_bytes(in)};
    t->why = (uint8_t)why_of(t->kind, in);
    t->latency = (uint32_t)(mma ? mma->latency : m->pipe[t->pipe].latency);
    t->interval = (uint32_t)(mma ? mma->interval : m->pipe[t->pipe].interval);
    int rule = isa_row[in->op].rule, type = isa_type_of(in, 0);
    t->queue = rule == IR_WG || rule == IR_WGMMA ? QUEUE_PRODUCT : rule == IR_BULK ? QUEUE_BULK : QUEUE_COPY;
    /* Integer pipes are 32 bits wide. */
    if ((t->pipe == IP_INT || t->pipe == IP_IMUL || t->pipe == IP_UNIFORM) && type >= 0 && isa_type[type].bits == 64)
        t->interval *= 2;
    if (t->latency < t->interval) t->latency = t->interval;
    static const bool has_addresses[TK_COUNT] = {
        [TK_GLOBAL] = true, [TK_SHARED] = true, [TK_TILES] = true, [TK_LOCAL] = true,
        [TK_COPY] = true,   [TK_CPMBAR] = true, [TK_MBAR] = true,  [TK_MBTRY] = true};
    t->addresses = has_addresses[t->kind];
    t->conflict = (uint8_t)(mma ? 0 : conflict(r, in));
    t->interval += t->conflict;
    t->latency += t->conflict;
    if (in->guard != ISA_PT) add(t, (TimeSpan){(uint16_t)(MARK_PRED + (in->guard & 7)), 1}, false);
    for (const IsaOperand *o = isa_row[in->op].operand; o->kind; o++) {
        SimSpan span[2];
        int n = sim_spans(in, o, r->lanes, span);
        /* The sums of a warp-group product are not for the scoreboard: wgwait is. */
        if (t->kind == TK_WGMMA && (o->flags & IOF_WRITE)) continue;
        for (int i = 0; i < n; i++) add(t, marks(span[i]), o->flags & IOF_WRITE);
    }
    if (in->op == G9_P2R) add(t, (TimeSpan){MARK_PRED, 7}, false);
    if (in->op == G9_R2P) add(t, (TimeSpan){MARK_PRED, 7}, true);
}
