/* sim: the G9 device: memory, programs, launches, run exactly and deterministically. Uses the leaf library isa and
 * nothing of the compiler.
 *
 * Determinism. Blocks run in rounds. In a round every resident block (as many as the machine holds) runs on some host
 * thread until its warps have ended or wait; what one block can learn of another there (atomics with a result, float
 * atomics, loads with `.cv`) waits for the end of the round and happens then, one at a time, in the order of blocks and
 * warps. Results and faults therefore do not depend on the number of host threads, as long as blocks that share memory
 * otherwise do not race; and blocks that wait for each other make progress. */
#ifndef TCC_RUNTIME_SIM_SIM_H
#define TCC_RUNTIME_SIM_SIM_H

#include "isa/isa.h"

typedef struct SimDevice SimDevice;
typedef struct SimProgram SimProgram;

/* ---- device.c -----------------------------------------------------------------------------------------------------
 */
SimDevice *sim_device_new(const IsaMachine *m); /* NULL: no memory. The machine is copied */
void sim_device_free(SimDevice *d);
const IsaMachine *sim_device_machine(const SimDevice *d);
uint64_t sim_malloc(SimDevice *d, uint64_t bytes); /* an address, aligned to 256; 0: no memory left */
bool sim_free(SimDevice *d, uint64_t address);     /* false: not the start of an allocation */
/* Host access to [address, address + bytes), all of it within one allocation: NULL when it is not. `writes`: what is
 * written counts as initialised in checked launches. */
void *sim_host(SimDevice *d, uint64_t address, uint64_t bytes, bool writes);

/* ---- load.c: a module that the machine can run ---------------------------------------------------------------------
 */
SimProgram *sim_load(SimDevice *d, const IsaModule *m, IsaErrors *e); /* borrows m; NULL: reported */
void sim_unload(SimProgram *p);

/* ---- launch.c ------------------------------------------------------------------------------------------------------
 */
typedef enum SimFaultKind {
    SIM_OK,
    SIM_BAD_LAUNCH, /* refused before anything ran */
    SIM_OUT_OF_BOUNDS,
    SIM_MISALIGNED,
    SIM_UNINITIALISED, /* from here on to SIM_RACE: checked launches only */
    SIM_HINT,
    SIM_RACE,
    SIM_DIVERGENT, /* an instruction that all lanes must run, under a partial mask; a uniform branch that is not */
    SIM_DEADLOCK,  /* nobody can go on */
    SIM_BUDGET,    /* a warp ran more instructions than the launch allows */
    SIM_TRAP,      /* the program asked for it */
    SIM_BAD_JUMP,
    SIM_BAD_OPERAND, /* a size, descriptor or count that makes no sense */
    SIM_NO_MEMORY
} SimFaultKind;

typedef struct SimFault {
    SimFaultKind kind;
    char text[512]; /* what and where, one line, complete */
    uint32_t block[3], thread[3], warp;
    uint32_t at; /* instruction of the module */
    uint64_t address;
    char file[128];
    int line; /* 0: not known */
} SimFault;

/* ---- time*.c: the timing model
 * ------------------------------------------------------------------------------------------------------------ */
typedef enum SimStall {
#define STALL(ID, name, what) SIM_STALL_##ID,
#include "runtime/sim/timings.def"
    SIM_STALLS
} SimStall;
typedef enum SimCounter {
#define COUNTER(ID, name, what) SIM_##ID,
#include "runtime/sim/timings.def"
    SIM_COUNTERS
} SimCounter;
extern const char *const sim_stall_name[SIM_STALLS], *const sim_counter_name[SIM_COUNTERS];

typedef enum SimTimed {
    SIM_UNTIMED,
    SIM_TIMED,       /* every block is timed */
    SIM_EXTRAPOLATE, /* of a large uniform launch only some are; the others run too, or not */
    SIM_ONLY_TIMED
} SimTimed;

/* What holds fewer blocks on a multiprocessor. */
#define SIM_LIMITS(X)                                                                                                  \
    X(WARPS, "warps") X(REGISTERS, "registers") X(SHARED, "shared memory") X(BLOCKS, "blocks") X(GRID, "grid")
typedef enum SimLimit {
#define LIMIT(ID, name) SIM_LIMIT_##ID,
    SIM_LIMITS(LIMIT)
#undef LIMIT
        SIM_LIMIT_COUNT
} SimLimit;
extern const char *const sim_limit_name[SIM_LIMIT_COUNT];

typedef struct SimTiming {
    uint64_t cycles; /* from the launch to the last answer; 0: not timed */
    uint64_t stall[SIM_STALLS], counter[SIM_COUNTERS];
    double pipe[IP_COUNT]; /* share of the clocks of multiprocessors with work in which a unit of it was busy */
    double occupancy;      /* resident warps by the most, on average over these clocks */
    int64_t blocks_on_sm;  /* at once */
    SimLimit limit;
    double waves;                  /* of blocks */
    uint64_t blocks, blocks_timed; /* fewer timed: the rest is extrapolated, */
    double error;                  /* with this relative error, estimated */
} SimTiming;

typedef struct SimLaunch {
    const SimProgram *program;
    const char *kernel;
    uint32_t grid[3], block[3], cluster[3]; /* cluster 0: the kernel's own, or 1 */
    uint32_t shared;                        /* bytes beyond the kernel's own shared memory */
    const void *params;
    uint32_t param_bytes; /* as the kernel says */
    int threads;          /* host threads; 0: 1 */
    bool checked;
    uint64_t budget; /* instructions of a warp; 0: 2^30 */
    SimTimed timed;
    IsaText *trace; /* may be NULL; the timed blocks, as Chrome's trace events */
} SimLaunch;

typedef struct SimResult {
    SimFault fault;
    uint64_t warp_instructions, thread_instructions;
    uint64_t by_category[IC_COUNT];
    SimTiming timing;
} SimResult;

bool sim_launch(SimDevice *d, const SimLaunch *l, SimResult *out); /* false: out->fault says why */

#endif
