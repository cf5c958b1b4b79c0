/* random (a test tool): random typed programs over the whole language, run on a target and compared with the
 * interpreter; a failure is shrunk.
 *
 * A program is a tree of text templates: `(% + %)` with its parts, each with a type. That is all that printing and
 * shrinking need to know, so a new construct of the language is one more case in gen.c and nothing else. Programs are
 * valid by construction: a rejected one is a failure. */
#ifndef TCC_TESTS_RANDOM_H
#define TCC_TESTS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "ir/te.h"

typedef struct Node Node;
struct Node {
    const char *text; /* each `%` stands for a part, in order; `%%` is a percent sign */
    const char *type; /* of an expression; NULL for statements */
    int n;
    Node *part[6];
};

typedef struct Param {
    char text[192]; /* "X0: f32[D0,D1]" */
    char name[16];
    bool output, inout;
    int bound; /* an input of indices: the extent (dim) it stays below, else -1 */
    bool gone;
} Param;

enum { MAX_DIMS = 8, MAX_PARAMS = 24, MAX_STMTS = 24, MAX_FNS = 3 };

typedef struct Program {
    uint64_t seed;
    int ndims;
    int64_t size[MAX_DIMS];
    bool fixed[MAX_DIMS];        /* the size is given when compiling (else the dim stays dynamic) */
    bool zero[MAX_DIMS];         /* 0 is allowed: " in 0..300" */
    char dim_text[MAX_DIMS][24]; /* range and hints */
    char consts[96], where[128]; /* "; st: i32 = 2", "D0 >= D1" */
    const char *idiom;           /* the row it is made from, or NULL */
    bool may_fail;               /* a division by 0 may happen: then outputs are unspecified */
    int nparams;
    Param param[MAX_PARAMS];
    int nstmts;
    Node *stmt[MAX_STMTS];
    bool stmt_gone[MAX_STMTS];
    int nfns;
    const char *fn[MAX_FNS];
} Program;

/* xorshift, the same everywhere */
typedef struct Rng {
    uint64_t s;
} Rng;
static inline uint64_t rng_next(Rng *r)
{
    r->s ^= r->s << 13;
    r->s ^= r->s >> 7;
    r->s ^= r->s << 17;
    return r->s * 0x2545F4914F6CDD1DULL;
}
static inline int rng_below(Rng *r, int n) { return n <= 0 ? 0 : (int)((rng_next(r) >> 33) % (uint64_t)n); }
static inline bool rng_chance(Rng *r, int percent) { return rng_below(r, 100) < percent; }

/* gen.c: the program of a seed; the same on every machine. idioms: how many percent are made from idioms.def. */
enum { IDIOMS = 40 };
Program *random_program(uint64_t seed, int idioms);
/* print.c */
char *program_text(const Program *p); /* malloc'd */

/* values.c: what parameters hold, and comparing */
typedef struct Values {
    void *at;
    int64_t rows, row; /* elements; rows of sub-byte types start on a byte */
    int64_t bound;     /* > 0: an index below it */
    bool calm;         /* moderate values only */
} Values;
void fill_values(Rng *r, DType t, const Values *v);
int64_t first_difference(DType t, int64_t bytes, const void *got, const void *want); /* -1: none; NaNs are equal */
void value_text(DType t, const void *base, int64_t i, char *to, size_t n);

/* run.c: compiles and runs p every way, in this process. */
typedef enum Outcome { RUN_OK, RUN_REJECTED, RUN_MISMATCH, RUN_CRASH, RUN_HANG } Outcome;
typedef struct RunOptions {
    const char *target;                        /* NULL: cpu */
    const char *only_schedule, *only_numerics; /* NULL: all */
    int idioms;                                /* percent */
    bool quiet;
} RunOptions;
Outcome run_program(const Program *p, const RunOptions *o, char *why, size_t n);
/* The same in a child process, so that crashes and hangs are outcomes too. */
Outcome run_isolated(const Program *p, const RunOptions *o, char *why, size_t n);

/* shrink.c: the smallest program found that fails the same way. */
void shrink(Program *p, const RunOptions *o, Outcome as, const char *why);

#endif
