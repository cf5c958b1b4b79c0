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
    bool large;         /* the result does not stay in l2 */
    bool streams;       /* few rows: the columns' operand is read straight through */
} Blocks;
Blocks model_blocks(const Lower *l, const Product *p);

/* The default for the whole op, "schedule default for …"; false where no template fits yet (low_default then). */
bool model_schedule(Lower *l, Text *out);

#endif
