/* model (private to schedule): the analytical choice. What a product's blocks are, and the whole default as the text of
 * a schedule, which anybody could have written. */
#ifndef TCC_SCHEDULE_MODEL_H
#define TCC_SCHEDULE_MODEL_H

#include "schedule/lower.h"

/* m × n results, each the sum of k × inner terms of `bytes` each. */
typedef struct Product {
    int64_t m, n, k, inner;
    int bytes;
} Product;
typedef struct Blocks {
    int mr, nr;         /* register tile: rows, lanes */
    int64_t kc, mc, nc; /* blocks: of the first reduction variable, rows, columns (multiples of mr, nr) */
    bool split_k;
    bool large;   /* the result does not stay in l2 */
    bool streams; /* few rows: the columns' operand is read straight through */
} Blocks;
Blocks model_blocks(const Lower *l, const Product *p);

/* Names for the parts of loops that a template makes. */
typedef struct Namer {
    Lower *l;
    const Work *w;
    const Reduce *r; /* or NULL */
    VEC(const char *) used;
} Namer;
const char *model_part(Namer *n, const char *of, const char *suffix); /* one that nothing has yet */

/* ---- the statements of a definition's template; false: it is none of these */
bool model_window(Lower *l, const Work *w,
                  Text *out); /* model_window.c: each result from a small window of the input */

/* The default for the whole op, "schedule default for …"; false where no template fits yet (low_default then). */
bool model_schedule(Lower *l, Text *out);

#endif
