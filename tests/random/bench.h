/* bench (private to run.c, views.c and lowered.c): one program with its arguments, ready to run in many ways. */
#ifndef TCC_TESTS_RANDOM_BENCH_H
#define TCC_TESTS_RANDOM_BENCH_H

#include "include/tensorcc.h"
#include "ir/target.h"
#include "ir/tile.h"
#include "tests/random/random.h"

enum { MAX_ARGS = MAX_PARAMS, MAX_RANK = 8, GUARD = 64 };

typedef struct Arg {
    tensorcc_param info;
    DType type;
    int64_t shape[MAX_RANK];
    int64_t bytes, elements;
    void *first;  /* as it is before the run */
    void *memory; /* data lies in it, aligned to its element only, with guards around */
    void *data;   /* what runs work on */
    void *want;   /* what the interpreter gave */
    tensorcc_tensor t;
    /* the same in other strides */
    int64_t strides[MAX_RANK], at, span; /* the first element's place, and how many fit */
    void *view;
} Arg;

typedef struct Bench {
    const Program *p;
    const RunOptions *o;
    const char *text; /* of the program */
    char *why;
    size_t n;
    tensorcc_context *ctx[2]; /* one thread, two */
    tensorcc_module *mod[2];
    int nargs;
    Arg arg[MAX_ARGS];
    char last[512];
    bool all_fixed; /* all dims get their sizes when compiling, not only those that the program says */
    bool failed;    /* the interpreter met a run-time error, which others may meet or not */
    /* one numerics mode */
    Numerics num;
    tensorcc_kernel *ref;
    Schedule *kept; /* those of this program that were made under `ordered` */
    int ndone;
    char *done[8]; /* the Tile programs that ran already */
} Bench;

Outcome fail(Bench *b, Outcome as, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What the arguments hold after a run, against the interpreter; fills `data` again before the next. */
Outcome compare(Bench *b, const char *label);
void put_arguments(Bench *b);
/* A program with this text ran already in this mode; else it is remembered. */
bool seen_before(Bench *b, const char *tile);

typedef struct Way {
    const char *schedule;
    int threads;
    bool fast;    /* worth doing under fast numerics too */
    bool strided; /* arguments through strides */
} Way;
Outcome run_way(Bench *b, const Way *w, const char *numerics); /* by the API */
void forget_seen(Bench *b);
void run_timer(void);                    /* starts anew */
const char *schedule_path(long process); /* the file in which a child hands schedules over */

/* views.c: the arguments through strides: padded, permuted, negative. */
void make_views(Bench *b);
void put_views(Bench *b);                        /* from `first` */
Outcome take_views(Bench *b, const char *label); /* into `data`; fails when anything else was written */

/* lowered.c: below the API: the Tile interpreter, and code for caches so small that every product is blocked. */
Outcome run_lowered(Bench *b);
TeOp *analyse_again(const Bench *b, Arena *mem); /* the program with its bounds checked; NULL after an error */
void sizes_of(const Bench *b, const TeOp *op, int64_t *sizes);
int64_t size_bound(const Bench *b, int dim); /* -1: dynamic */
Outcome interpret_tile(Bench *b, const TileProg *p, const int64_t *sizes, const char *label);

#endif
