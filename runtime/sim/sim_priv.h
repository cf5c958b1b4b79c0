/* sim_priv: the decoded form of programs, and the state of warps and blocks. A functional run (launch.c) and a timing
 * model drive the same form: sim_step runs one instruction of one warp and says what it did.
 *
 * Registers. Row r of a warp is `lanes` consecutive 32-bit values, register r of each lane; a pair is two rows. Sources
 * that are no registers (immediates, parameters, constants, rz) are rows of the launch's pool, made before it runs, so
 * an instruction sees rows only. */
#ifndef TCC_RUNTIME_SIM_PRIV_H
#define TCC_RUNTIME_SIM_PRIV_H

#include "runtime/runtime.h"
#include "runtime/sim/sim.h"

#include <pthread.h>
#include <string.h>

enum {
    LANES_MOST = 64,
    ZERO_ROWS = 4,
    PATHS_MOST = LANES_MOST,
    BARRIERS = 16,
    UREGS = 80,
    USINK = 72 /* writes to urz go here; 63 to 68 stay 0 */
};

typedef struct SimWarp SimWarp;
typedef struct SimBlock SimBlock;
typedef struct SimCluster SimCluster;
typedef struct SimInst SimInst;
typedef struct SimRun SimRun;
typedef struct SimSpace SimSpace;

/* What an instruction leaves. */
typedef enum SimNext {
    SIM_GO,           /* on to the next instruction */
    SIM_JUMPED,       /* the warp's pc is set */
    SIM_YIELD,        /* pc is set; others should go first */
    SIM_WAIT,         /* the warp waits (its state says for what); pc is where it goes on */
    SIM_SHARED_ORDER, /* runs at the end of the round; pc still here */
    SIM_PATH_ENDS,    /* this path waits or ended: another one, or the warp is done */
    SIM_STOP          /* a fault */
} SimNext;

typedef SimNext SimExec(SimWarp *w, const SimInst *in, uint64_t mask);
/* All lanes of one instruction; rows may be the same, never overlap otherwise. */
typedef void SimAlu(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, const SimInst *in);
typedef uint64_t SimCompare(const uint32_t *a, const uint32_t *b, const SimInst *in);

enum { SRC_REGS, SRC_POOL, SRC_UREG };
typedef struct SimSource {
    uint8_t where, width; /* SRC_*; rows */
    uint8_t neg, abs, ftz;
    uint8_t type; /* IsaType that the signs are for */
    uint32_t off; /* of the first row, or the uniform register */
} SimSource;

typedef struct SimMma {
    int m, n, k; /* of this warp; k of b */
} SimMma;

struct SimInst {
    SimExec *exec;
    SimAlu *alu;
    SimCompare *compare;
    IsaInst in;
    SimSource src[3]; /* slots A, B, C */
    uint32_t d;       /* offset of the destination's row */
    uint8_t dwidth, lanes, guard, category;
    uint8_t round, ftz, clamp, type; /* of the result */
    bool plain;                      /* sources need no preparation and the result no treatment */
    bool uniform;                    /* runs once a warp, on uniform registers */
    uint32_t at;                     /* instruction of the module */
    int64_t target;                  /* of jumps */
    SimMma mma;
};

/* ---- state ----------------------------------------------------------------------------------------------------------
 */

/* What an operand names in the register files. */
enum { SPAN_REG, SPAN_UREG, SPAN_PRED };
typedef struct SimSpan {
    uint8_t bank, first, n;
} SimSpan;

typedef struct SimPath {
    uint64_t mask;
    uint32_t pc;
    int8_t wait; /* barrier register, -1: may run */
} SimPath;

enum { WARP_RUNS, WARP_BAR, WARP_CBAR, WARP_ORDER, WARP_DONE };

typedef struct SimCell { /* shadow of 4 bytes of shared memory: who touched them last, and when */
    uint32_t write_clock, read_clock;
    uint16_t writer, reader; /* warp of the cluster + 1 */
    uint8_t written;         /* bit per byte, ever */
    uint8_t wrote, read;     /* bits per byte, by the last */
    bool pending;            /* an asynchronous copy has not been waited for */
    bool atomic;             /* the last write was an atomic operation */
} SimCell;

typedef struct SimSync { /* a word of shared memory that warps synchronise by, and what they gave it */
    uint32_t offset;
    uint32_t *clock;
} SimSync;

typedef struct SimPending {
    uint32_t from, bytes;
    int group;
} SimPending;

struct SimWarp {
    SimBlock *block;
    uint32_t *regs;
    uint64_t p[8]; /* lane masks; [7]: all */
    uint64_t all, exist, live, active;
    uint32_t pc, number; /* in the block */
    int state, bar;
    bool ordered; /* this step is the one that waited for the end of the round */
    uint64_t count;
    int npaths;
    SimPath path[PATHS_MOST];
    uint64_t barrier[BARRIERS];
    uint32_t ureg[UREGS];
    uint64_t cluster_phase;
    uint64_t *init;     /* checked: lanes that have written each register */
    uint64_t uinit;     /* checked: uniform registers written */
    uint64_t pinit[8];  /* checked: lanes that have written each predicate */
    uint32_t *clock;    /* checked: vector clock over the warps of the cluster */
    int copy_group;     /* checked: cpcommits so far */
    SimPending *copies; /* checked: copies not waited for */
    int ncopies, copies_cap;
    uint64_t executed[IC_COUNT], lanes_executed;
    uint64_t now;                        /* timed: the clock of this instruction */
    uint32_t scratch[8][2 * LANES_MOST]; /* prepared sources and masked results */
};

enum { WARPS_MOST = 4096 / 16 };
typedef struct SimBar {
    uint32_t arrived, expected; /* warps; expected 0: all that live */
    uint64_t by[WARPS_MOST / 64];
    uint32_t *clock; /* checked */
} SimBar;

struct SimBlock {
    SimCluster *cluster;
    uint32_t id[3];
    int rank, nwarps, live;
    uint32_t sm; /* timed: where it runs */
    uint8_t *shared;
    SimCell *cell; /* checked */
    uint8_t *local;
    SimBar bar[16];
    SimWarp *warp;
    SimSync *sync; /* checked */
    int nsyncs, syncs_cap;
};

struct SimCluster {
    SimRun *run;
    uint64_t number;
    int nblocks;
    SimBlock *block;
    void *memory;
    uint64_t phase;
    int arrived, warps; /* of the cluster barrier */
    uint32_t *clock;    /* checked: of the cluster barrier */
    bool done, faulted;
    uint64_t ran;            /* instructions in this round */
    struct TimeGroup *timed; /* who times it, or NULL */
    SimFault fault;
    uint64_t instructions, thread_instructions, by_category[IC_COUNT];
};

struct SimRun { /* one launch */
    SimDevice *device;
    const IsaModule *module;
    const IsaKernel *kernel;
    const SimLaunch *launch;
    SimInst *code;
    uint32_t *pool;
    int lanes, nwarps, rows; /* rows: register rows of a warp, rz's and the sink among them */
    uint32_t zero_row, sink_row;
    uint32_t grid[3], block[3], cluster[3], clusters[3];
    int cluster_blocks;
    uint32_t shared_bytes, threads_in_block;
    uint64_t budget, serial; /* serial: the number of the launch */
    uint64_t total;          /* clusters */
    int64_t resident;        /* blocks that a multiprocessor holds */
    bool alone;              /* one cluster: nothing needs to wait for the end of a round */
    bool checked, fast_f16;  /* the host has what matrix_f16.c needs */
};

struct SimDevice {
    IsaMachine machine;
    uint8_t *memory; /* of the whole address space, given by the host page by page */
    uint8_t *shadow; /* bit per byte: written */
    uint64_t bytes, top, launches;
    struct SimAllocation *allocation; /* ascending addresses */
    int nallocations, cap;
    pthread_mutex_t lock; /* held while a launch runs, too */
    RtPool *pool;
    int pool_threads;
};
typedef struct SimAllocation {
    uint64_t address, bytes;
    bool unknown; /* an unchecked launch may have written any of it */
} SimAllocation;
int sim_find(const SimDevice *d, uint64_t address); /* the last allocation that begins at or before it, -1: none */

struct SimProgram {
    SimDevice *device;
    const IsaModule *module;
};

#define SIM_BASE UINT64_C(0x100000000) /* addresses start here: small numbers are never valid */

/* ---- decode.c
 * --------------------------------------------------------------------------------------------------------- */
bool sim_decode(SimRun *r, IsaMem *mem); /* code and pool of the kernel, for these parameters */
int sim_spans(const IsaInst *in, const IsaOperand *o, int lanes, SimSpan *out); /* 0 to 2, without rz, urz, pt */
SimAlu *
sim_convert(const IsaInst *in); /* convert.c: conversions and directed rounding, lane by lane; NULL: not that kind */

/* ---- lanes.c: what instructions compute, compiled once for AVX2 and 32 lanes and once for any
 * ---------------------------- */
SimAlu *sim_alu(const IsaInst *in, int lanes); /* NULL: not that kind */
SimCompare *sim_compare(const IsaInst *in, int lanes);

/* ---- exec.c, control.c, memory.c, async.c, matrix.c: instructions
 * ------------------------------------------------------ */
SimExec *sim_exec(const IsaInst *in);
/* matrix_f16.c: d = a * b + c (NULL: 0) on fragments, f32 sums; false: not for these types or sizes */
bool sim_has_f16(void); /* whether this processor may call it; asked once a launch */
bool sim_product_f16(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, SimMma s, int ta, int tb);
/* clang-format never settles on this list. */
/* clang-format off */
#define SIM_EXECS(X) \
    X(alu) X(uniform_alu) X(setp) X(setp2) X(plop) X(sel) X(usel) X(usetp) X(p2r) X(r2p) X(s2r) X(us2r) X(r2ur) \
    X(lab) X(load) X(store) X(const_load) X(nothing) X(mapa) X(atom) X(cas) X(shfl) X(vote) X(ballot) X(match) \
    X(redux) X(elect) X(ldm) X(stm) X(mma) X(wgmma) X(cpa) X(cpcommit) X(cpwait) X(cpmbar) X(bulk) X(tile) \
    X(mbinit) X(mbarrive) X(mbexpect) X(mbtry) X(bar) X(cbar) X(fence) X(bra) X(brx) X(call) X(callx) X(ret) \
    X(exit) X(bssy) X(bsync) X(bbreak) X(yield) X(trap)
/* clang-format on */
#define DECLARE(name) SimExec sim_exec_##name;
SIM_EXECS(DECLARE)
#undef DECLARE
const uint32_t *sim_source(SimWarp *w, const SimInst *in, int slot); /* a row, with signs applied */
uint32_t sim_lane(SimWarp *w, const SimInst *in, int slot, int lane);
void sim_write_row(SimWarp *w, uint32_t off, const uint32_t *from, uint64_t mask);
void sim_write_pred(SimWarp *w, unsigned p, uint64_t value, uint64_t mask);
SimNext sim_fault(SimWarp *w, const SimInst *in, SimFaultKind kind, int lane, uint64_t address, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* Where bytes are: NULL after a fault was reported. */
uint8_t *sim_global(SimWarp *w, const SimInst *in, int lane, uint64_t address, uint32_t bytes, bool writes);
uint8_t *sim_global_part(SimWarp *w, const SimInst *in, int lane, uint64_t address, uint32_t bytes); /* any size */
uint8_t *sim_shared(SimWarp *w, const SimInst *in, int lane, uint32_t address, uint32_t bytes, bool writes);
uint32_t sim_shared_address(SimWarp *w, const SimInst *in, int lane);
uint64_t sim_global_address(SimWarp *w, const SimInst *in, int lane);

uint32_t sim_swizzle(uint32_t address, int how); /* async.c: 0 none, 1 to 3: of 32, 64, 128 bytes */

/* ---- warp.c: paths, steps
 * ------------------------------------------------------------------------------------------------ */
void sim_diverge(SimWarp *w, uint64_t mask, uint32_t pc); /* puts a path aside */
bool sim_next_path(SimWarp *w);                           /* false: none can run */
void sim_settle(SimWarp *w);                              /* reconvergence after lanes left or ended */
void sim_bar_release(SimBlock *b);                        /* after warps ended: barriers that waited for them alone */
void sim_cbar_release(SimCluster *c);
SimNext sim_yield(SimWarp *w); /* another path of it may go first */
SimNext sim_step(SimWarp *w);  /* one instruction; SIM_GO and SIM_JUMPED: the warp can take the next */
void sim_run_cluster(SimCluster *c);
bool sim_run_ordered(SimCluster *c); /* the instructions that waited for the end of the round; true: there was one */

/* ---- launch.c
 * ------------------------------------------------------------------------------------------------------------- */
typedef struct SimSpare { /* memory that a cluster gave back */
    struct SimSpare *next;
} SimSpare;
struct SimSpace { /* where clusters of a launch get their memory */
    SimRun *run;
    size_t bytes; /* of a cluster */
    pthread_mutex_t lock;
    SimSpare *spare;
};
bool sim_cluster_begin(SimSpace *s, SimCluster *c); /* c's number is set; false: no memory */
void sim_cluster_end(SimSpace *s, SimCluster *c);   /* counts what its warps did; its memory is gone */
void sim_account(SimResult *out, const SimCluster *c);
void sim_deadlock(SimCluster *c); /* nobody ran and nobody will: a fault says who waits for what */
RtPool *sim_pool(SimDevice *d, int threads);
bool sim_refuse(SimResult *out, SimFaultKind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- time*.c
 * ------------------------------------------------------------------------------------------------------------- */
enum { SIM_TURN = 1024 }; /* instructions after which another path of a warp may go first */
bool sim_time_run(SimSpace *s, SimResult *out, uint64_t *ran);     /* ran: the clusters that need not run any more */
void sim_time_touch(SimWarp *w, uint64_t address, uint32_t bytes); /* a bulk copy's bytes of global memory */

/* ---- checked.c
 * ------------------------------------------------------------------------------------------------------------- */
bool sim_check_reads(SimWarp *w, const SimInst *in, uint64_t mask); /* false: a fault was reported */
void sim_mark_writes(SimWarp *w, const SimInst *in, uint64_t mask);
bool sim_check_shared(SimWarp *w, const SimInst *in, int lane, SimBlock *b, uint32_t offset, uint32_t bytes,
                      bool writes);
bool sim_check_global(SimWarp *w, const SimInst *in, int lane, uint64_t address, uint32_t bytes, bool writes);
void sim_join_clock(SimWarp *w, uint32_t *clock, bool give, bool take);
uint32_t *sim_sync(SimWarp *w, SimBlock *b, uint32_t offset); /* NULL: not a checked run, or no memory */
void sim_copy_begins(SimWarp *w, uint32_t offset, uint32_t bytes);
void sim_copies_end(SimWarp *w, int groups); /* but for the last so many groups */

#endif
