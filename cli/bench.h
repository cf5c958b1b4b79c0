/* bench.h: what cmd_bench.c and workloads.c share. */
#ifndef TCC_CLI_BENCH_H
#define TCC_CLI_BENCH_H

#include "cli/program.h"

enum { BENCH_SAMPLES = 10000 };

typedef struct Bench {
    Program *p;
    tensorcc_kernel_fn entry; /* NULL: interp */
    tensorcc_call call;
    tensorcc_fault fault;
    const tensorcc_tensor **args;
    void *workspace;
    long reps; /* asked for, 0: until stable */
    double min_time;
    bool cold;
} Bench;

/* Times one op; its fields go to `to`. */
int bench_one(App *a, const Request *r, const Bench *options, json_t *to);
/* Every line of --workloads. */
int bench_workloads(App *a, const Bench *options);

#endif
