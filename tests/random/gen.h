/* gen (private to the generator): the state of one program being made, and what gen.c and idioms.c share. Memory is not
 * freed: a program lives as long as the run that tests it. */
#ifndef TCC_TESTS_RANDOM_GEN_H
#define TCC_TESTS_RANDOM_GEN_H

#include "tests/random/random.h"

typedef struct Array {
    char name[16];
    const char *type;
    int rank, dim[4];
    bool scalar;
} Array;
typedef struct IndexVar {
    char name[16];
    int dim;
    int64_t size; /* iterations */
    bool seen_alone;
} IndexVar;

typedef struct Gen {
    Rng r;
    Program *p;
    int ntensors;
    Array tensor[32];
    int nvars;
    IndexVar var[16];
    int names;
    double cost; /* iterations of the loops around the place being written */
} Gen;

/* gen.c */
char *say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
Node *node(const char *type, const char *text, int n, ...);
Node *expr(Gen *g, const char *type, int depth); /* may use the variables of g->var */
int new_dim(Gen *g, int64_t size);               /* its number */
const char *any_number_type(Gen *g);             /* not u1 */
void random_inputs(Gen *g, int n);               /* inputs (and no inouts) of random shapes */
Param *add_param(Gen *g, const Array *t, const char *kind, bool output);
/* `[let] t[…] = …` with a random right side, which begins with `read` unless that is NULL. */
void statement(Gen *g, const Array *t, bool let, bool inout, const Array *read);
/* idioms.c: adds the parameters and statements of one idiom; its tensors become known to later statements. */
void add_idiom(Gen *g);

#endif
