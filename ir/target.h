/* target: what is known of the machine that code is made for. Heuristics, constraints and code generators read this and
 * nothing else. cg_target (codegen) fills it: detected for `cpu`, from a row of targets.def for `cpu:NAME`. */
#ifndef TCC_IR_TARGET_H
#define TCC_IR_TARGET_H

#include "ir/base.h"

typedef struct Target {
    const char *name;                    /* "cpu", "cpu:x86-64-v3" */
    const char *triple, *cpu, *features; /* as LLVM names them */
    const char *model;                   /* human-readable, "AMD EPYC" */
    bool host;                           /* is this machine: code may be run here */
    int vector_bytes;                    /* of the widest vectors worth using: 16, 32, 64 */
    int vregs;                           /* vector registers: 16, 32 */
    bool fma, f16c, avx512, avx512bf16, avx512fp16, vnni,
        masks; /* masks: masked loads and stores are single instructions */
    int fma_per_cycle, fma_latency;
    int64_t l1, l2, l3; /* bytes of data cache; l3 is the share of one core's complex; 0: unknown */
    int line;           /* bytes */
    int cores;          /* usable by this process: affinity mask and cgroup quota */
} Target;

static inline int target_lanes(const Target *t, int bytes) { return t->vector_bytes / bytes; }

#endif
