/* time: the timing model's own header. docs/timing.md says what is modelled and why it is deterministic.
 *
 * A launch is simulated in quanta of l2.latency clocks. Within a quantum every group of multiprocessors (one, or as
 * many as a cluster has blocks) runs by itself, on any host thread: an instruction has its effect when it issues, and
 * what it asks of the second level is put in a queue. Nothing that was asked can be answered before the quantum ends,
 * so at its end one thread answers all requests in the order of their clocks.
 *
 *   time.c       quanta, dispatch of blocks, results       time_memory.c  coalescing, banks, first level, queues
 *   time_core.c  scoreboard, issue, stalls                 time_chip.c    second level, DRAM
 *   time_inst.c  what is known of an instruction           time_waves.c   extrapolation
 *                                                          time_trace.c   the trace */
#ifndef TCC_RUNTIME_SIM_TIME_H
#define TCC_RUNTIME_SIM_TIME_H

#include "runtime/sim/sim_priv.h"

typedef enum TimeKind {
#define TIMING(ID, what) TK_##ID,
#include "runtime/sim/timings.def"
    TK_COUNT
} TimeKind;

/* A mark: a clock and what waits for it (a SimStall). The clock FAR is not known yet: a request is under way. */
#define MARK(clock, why) ((uint64_t)(clock) << 4 | (unsigned)(why))
#define FAR              (UINT64_MAX >> 4)
enum { MARK_UREG = 256, MARK_PRED = 320, MARKS = 328 };
_Static_assert(SIM_STALLS <= 16, "a mark has four bits for its reason");

typedef struct TimeSpan { /* marks */
    uint16_t first, n;
} TimeSpan;

enum { USES_MOST = 12, DEFS_MOST = 3 };
typedef struct TimeInst {
    uint8_t kind, pipe, why, nuses, ndefs;
    uint8_t bytes;                           /* of a lane's access */
    bool addresses;                          /* lanes have some */
    uint8_t queue;                           /* of groups: QUEUE_* */
    uint8_t conflict;                        /* clocks lost to register banks */
    uint32_t latency, interval;              /* interval: conflicts among it */
    TimeSpan use[USES_MOST], def[DEFS_MOST]; /* uses: also what it writes */
} TimeInst;

/* Groups of copies or products that have been committed, by number modulo GROUPS; and the open one. */
enum { QUEUE_COPY, QUEUE_BULK, QUEUE_PRODUCT, QUEUES, GROUPS = 64 };
typedef struct TimeQueue {
    uint64_t end[GROUPS];     /* of the requests that were answered */
    uint16_t pending[GROUPS]; /* requests that were not */
    uint64_t before;          /* the end of all groups that left the ring */
    uint32_t committed;       /* groups; the open one has this number */
} TimeQueue;

typedef struct TimeBlock TimeBlock;
typedef struct TimeSm TimeSm;

typedef struct TimeWarp {
    SimWarp *w; /* NULL: none */
    TimeBlock *block;
    uint64_t issued;   /* clock of its last instruction */
    uint64_t earliest; /* mark: what it did last lets it go on */
    uint64_t ready;    /* mark: all that its next instruction needs */
    uint64_t serial;   /* tells answers to a warp that left */
    uint64_t stores;   /* clock when its stores have arrived */
    uint32_t stores_pending;
    uint8_t sub;
    uint16_t at; /* in the sub-core's list */
    bool waits;  /* for other warps; `ready` is not known */
    TimeQueue queue[QUEUES];
    uint64_t mark[MARKS];
} TimeWarp;

typedef struct TimeGate { /* the copies that a transaction barrier waits for */
    uint32_t offset, pending;
    uint64_t end;
} TimeGate;

struct TimeBlock {
    TimeSm *sm;
    SimBlock *block; /* NULL: free */
    uint64_t start;
    TimeWarp *warp;
    TimeGate *gate;
    int ngates, gates_cap, rank;
};

/* Who waits for requests: the last answer is passed on. */
typedef enum TimeFor { FOR_NOBODY, FOR_MARKS, FOR_GROUP, FOR_STORE, FOR_GATE } TimeFor;
typedef struct TimeTicket {
    uint64_t end, serial;
    TimeWarp *warp;
    TimeBlock *block;
    TimeSm *sm;
    uint32_t left; /* requests; of a free ticket: the next free one */
    uint32_t at;   /* FOR_GROUP: its number; FOR_GATE: the gate; FOR_MARKS: the instruction */
    uint8_t what, queue;
} TimeTicket;

typedef enum TimeAsk { ASK_LOAD, ASK_STORE, ASK_ATOMIC, ASK_MERGE } TimeAsk; /* merge: another request's line */
typedef struct TimeRequest {
    uint64_t clock, line;
    uint32_t sectors;     /* a bit each */
    uint32_t ticket, way; /* way: of the first level; NO_WAY */
    uint16_t busy;        /* atomics: operations on the most wanted word */
    uint8_t ask;
} TimeRequest;
#define NO_WAY UINT32_MAX

/* x / n without a division, for x * n < 2^64. */
typedef struct TimeDivider {
    uint64_t n, by;
} TimeDivider;
static inline TimeDivider time_divider(uint64_t n) { return (TimeDivider){n, n > 1 ? UINT64_MAX / n + 1 : 0}; }
static inline uint64_t time_divide(TimeDivider d, uint64_t x)
{
    return d.by ? (uint64_t)((unsigned __int128)x * d.by >> 64) : x;
}
static inline uint64_t time_modulo(TimeDivider d, uint64_t x) { return x - time_divide(d, x) * d.n; }

typedef struct TimeWay { /* a line of the first level */
    uint64_t line;       /* its number + 1; 0: none */
    uint64_t ready;      /* clock of its last sector; FAR: under way */
    uint32_t sectors, used;
} TimeWay;

typedef struct TimeSub {         /* a sub-core */
    uint64_t next;               /* it issues nothing before */
    uint64_t free[IP_COUNT + 1]; /* when a unit is free; [IP_COUNT]: the memory pipe for global memory */
    uint64_t *unit[IP_COUNT];
    uint64_t busy[IP_COUNT];
    uint64_t *ready; /* clock of each warp */
    uint8_t *pipe;   /* of its next instruction */
    TimeWarp **warp; /* oldest first */
    int n, last;     /* last: the greedy one */
} TimeSub;

struct TimeSm {
    TimeSub *sub;
    uint64_t port;     /* the memory port is free */
    uint64_t tags;     /* the tags of the first level are free */
    uint64_t debt;     /* clocks of the port that arriving copies take */
    uint64_t down, up; /* the ways to and from the second level are free, in 1/FRACTION clocks */
    uint64_t room;     /* a request fits at this clock; FAR: when one is answered */
    uint64_t copy;     /* the bulk copy engine is free */
    TimeWay *way;
    uint32_t used; /* counts accesses of the first level */
    /* Answers that have not come back, by the clock at which they do, from `answered` on; what is further away than the
     * ring counts with its last. */
    uint16_t *answer;
    uint64_t answered;
    uint32_t answers, asked; /* in the ring; requests without an answer */
    int warps, number;
    uint64_t held_from, held; /* clocks with a block */
    int blocks;
};
enum { FRACTION = 4096, ANSWER_RING = 2048, ANSWER_SHIFT = 3 }; /* the ring: in steps of 8 clocks */

typedef struct TimeOrdered { /* an instruction that waits for the quantum's end */
    uint64_t clock;
    TimeWarp *warp;
    struct TimeGroup *group;
    uint32_t order; /* of the group */
} TimeOrdered;

enum { EVENTS_MOST = 1 << 20 }; /* what comes later is not in the trace */
enum { TIME_INSTRUCTION, TIME_BLOCK, TIME_MARKED };
typedef struct TimeEvent { /* of the trace */
    uint64_t clock;
    uint32_t clocks, at, imm; /* at: the instruction, or the block */
    uint16_t sm, warp;
    uint8_t why, what; /* warp: its row; clocks: that it lasted, or that the warp waited before */
} TimeEvent;

typedef struct TimeSlot { /* a resident cluster */
    SimCluster cluster;
    TimeBlock *block;
    bool used;
} TimeSlot;

enum { RESERVED = 64 };
typedef struct SimTime SimTime;
typedef struct TimeGroup { /* multiprocessors that a cluster may span */
    SimTime *time;
    TimeSm *sm;
    int nsms, number;
    TimeSlot *slot;
    int nslots, used;
    TimeTicket *ticket;
    uint32_t tickets, tickets_cap, spare;
    TimeRequest *request;
    int requests, requests_cap;
    TimeOrdered *ordered;
    int nordered, ordered_cap;
    struct TimeAwait { /* a gate that waits for a warp's copies, or a mark that waits for a gate */
        TimeWarp *warp;
        TimeBlock *block;
        uint64_t serial;
        uint32_t gate, address, mark;
        bool of_warp;
    } * await;
    int nawaits, awaits_cap;
    struct TimeTouch { /* what a bulk copy touched */
        uint64_t address;
        uint32_t bytes;
    } * touch;
    int ntouches, touches_cap;
    uint64_t reserved[RESERVED]; /* clusters that begin here as soon as there is room */
    int nreserved;
    uint64_t end, instructions; /* end: the last thing happened at this clock */
    uint64_t stall[SIM_STALLS], counter[SIM_COUNTERS], pipe[IP_COUNT];
    uint64_t blocks, block_clocks, clusters, insts_least, insts_most; /* insts: of a cluster */
    uint64_t serial;
    SimResult done; /* instructions of clusters that ended */
    SimFault fault;
    uint64_t fault_clock;
    bool failed, no_memory;
    uint64_t *ended; /* clocks at which clusters did */
    int nended, ended_cap;
    bool orders; /* it had instructions that waited for a quantum's end */
    TimeEvent *event;
    int events, events_cap;
    bool traced;
} TimeGroup;

typedef struct TimeLine { /* of the second level */
    uint64_t ready;       /* clock of its last sector */
    uint32_t sectors, dirty;
} TimeLine;

typedef struct TimeChip {
    uint64_t *tag; /* of each line: its number + 1 */
    uint32_t *age; /* when it was used */
    TimeLine *line;
    TimeDivider sets, slices, channels;
    bool nested;                           /* a slice has whole channels, or a channel whole slices */
    uint64_t *slice, *channel;             /* free, in 1/FRACTION clocks */
    uint64_t slice_sector, channel_sector; /* what a sector takes, in 1/FRACTION clocks */
    uint32_t used;
    uint64_t counter[SIM_COUNTERS], dirtied; /* sectors that became unlike DRAM's */
} TimeChip;

struct SimTime {
    SimRun *run;
    SimSpace *space;
    const IsaMachine *m;
    TimeInst *inst;
    TimeGroup *group;
    int ngroups, group_sms;
    uint64_t quantum, now, until; /* the quantum: now to until */
    uint64_t next, limit;         /* clusters: the next one; those to time */
    bool decided, drains;         /* the limit is known; it is reached, and places are free */
    struct TimeSample {
        uint64_t clock, instructions;
    } * sample;                          /* at each quantum's end, until it drains */
    int samples, samples_cap, first_end; /* first_end: the sample after the first cluster's end */
    int lines, sector_shift, line_shift;
    TimeDivider l1_sets;
    TimeChip chip;
    struct TimeSorted {
        TimeRequest request;
        TimeGroup *group;
        uint64_t set; /* of the second level: fetched some requests ahead */
    } * sorted;
    int sorted_cap;
    uint32_t *bucket;
    IsaMem *mem;
};

/* Adds one; false (and group->no_memory) when there is no memory. */
#define TIME_PUSH(g, at, n, cap, ...)                                                                                  \
    ((n) < (cap) || time_room(g, (void **)&(at), n, &(cap), sizeof *(at)) ? ((at)[(n)++] = (__VA_ARGS__), true) : false)
bool time_room(TimeGroup *g, void **at, int n, int *cap, size_t item);

/* ---- time_inst.c */
void time_inst(const SimRun *r, const SimInst *in, TimeInst *out);

/* ---- time_core.c */
void time_run_group(TimeGroup *g);                     /* until the quantum's end */
void time_awake(TimeGroup *g, TimeWarp *t);            /* computes when it can go on */
void time_awake_all(TimeGroup *g, TimeSub *s);         /* those that waited for answers */
void time_ordered(TimeGroup *g, const TimeOrdered *o); /* at the quantum's end */
void time_awaits(TimeGroup *g);                        /* what waits for gates, after all answers */
bool time_begin_cluster(TimeGroup *g, uint64_t number, uint64_t clock);

/* ---- time_memory.c: what an instruction does to memory, when it issues at `clock` */
typedef struct TimeAccess { /* addresses, before it ran */
    uint64_t address[LANES_MOST];
    uint64_t mask;
} TimeAccess;
void time_addresses(SimWarp *w, const SimInst *in, const TimeInst *i, uint64_t mask, TimeAccess *a);
uint64_t time_port(TimeGroup *g, TimeSm *sm, uint64_t clock, uint64_t clocks); /* when the port takes it up */
void time_global(TimeGroup *g, TimeWarp *t, const SimInst *in, const TimeInst *i, const TimeAccess *a, uint64_t clock);
void time_shared(TimeGroup *g, TimeWarp *t, const SimInst *in, const TimeInst *i, const TimeAccess *a, uint64_t clock);
void time_bulk(TimeGroup *g, TimeWarp *t, const SimInst *in, uint64_t clock);
void time_set(TimeWarp *t, const TimeInst *i, uint64_t mark); /* all that it defines */
TimeGate *time_gate(TimeGroup *g, TimeBlock *b, uint32_t address, uint32_t *at);
uint32_t time_ticket(TimeGroup *g, TimeTicket t);
void time_answer(TimeGroup *g, TimeRequest *r, uint64_t clock); /* a request's */
void time_room_at(TimeGroup *g, TimeSm *sm, uint64_t clock);

/* ---- time_chip.c */
bool time_chip_open(SimTime *t);
void time_chip_close(SimTime *t);
uint64_t time_chip_set(const SimTime *t, uint64_t line);                /* where a line may lie */
uint64_t time_chip_ask(SimTime *t, const TimeRequest *r, uint64_t set); /* when its data are back */
static inline void time_chip_fetch(const SimTime *t, uint64_t set)      /* into the host's caches */
{
    uint64_t at = set * (uint64_t)t->m->l2_ways;
    for (int64_t i = 0; i < t->m->l2_ways; i += 8) __builtin_prefetch(&t->chip.tag[at + (uint64_t)i]);
    __builtin_prefetch(&t->chip.age[at], 1);
}

/* ---- time_waves.c */
void time_waves_begin(SimTime *t);
void time_waves_decide(SimTime *t); /* at each quantum's end: how many clusters to time */
bool time_waves_extrapolate(SimTime *t, SimTiming *x);

/* ---- time_trace.c */
bool time_trace(const SimTime *t, IsaText *out);

#endif
