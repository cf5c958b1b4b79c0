/* poly: integer sets bounded by linear constraints. poly.c is the only home of ISL; nothing of ISL is visible here.
 *
 * Every call makes its own isl_ctx and frees it before it returns: no state is shared, so calls may run in any number
 * of threads. A call never hangs: it gives up, with POLY_UNKNOWN, after `max_ops` of ISL's operations. */
#ifndef TCC_SCHEDULE_POLY_H
#define TCC_SCHEDULE_POLY_H

#include <stdbool.h>
#include <stdint.h>

/* c0 + sum of c[i] * x[col[i]] >= 0, or == 0 when eq. A column may occur once only. */
typedef struct PolyRow {
    bool eq;
    int n;
    const int *col;
    const int64_t *c;
    int64_t c0;
} PolyRow;

typedef enum PolyAnswer {
    POLY_EMPTY,  /* proved: no integer point satisfies all rows */
    POLY_SAMPLE, /* one does: sample holds it */
    POLY_UNKNOWN /* out of operations or of memory, or the point does not fit in 64 bits */
} PolyAnswer;

/* Are there rationals that satisfy all rows? POLY_EMPTY or POLY_UNKNOWN. The simplex method: fast. */
PolyAnswer sched_poly_relax(int ncols, int nrows, const PolyRow *row, unsigned long max_ops);

/* Are there integers x[0..ncols) that satisfy all rows? `sample`, of ncols, may be NULL. An operation of ISL may be
 * work on numbers of many digits: keep max_ops in the thousands, and the systems small. */
PolyAnswer sched_poly_solve(int ncols, int nrows, const PolyRow *row, unsigned long max_ops, int64_t *sample);

#endif
