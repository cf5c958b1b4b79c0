/* te_interp: the reference interpreter of TE IR, the meaning of every op.
 *
 * Two modes. Native: the program's own types, sums in the order and with the partials that `ordered:P` prescribes,
 * functions from num.h: the bits that every target must give under `ordered`. Check: everything in f64 (libm for
 * functions), and beside each value a bound on how far a correct `fast` or `ordered` computation in the program's types
 * may be from it (running rounding-error analysis: Higham, Accuracy and Stability, ch. 3). Where a decision
 * (comparison, rounding to integer, max of close values, argmax) falls within the bound the result's bound covers both
 * sides. */
#ifndef TCC_IR_TE_INTERP_H
#define TCC_IR_TE_INTERP_H

#include "ir/num.h"
#include "ir/te.h"
#include "ir/tile.h"

/* data[i] belongs to op->tensor[i], i < nparams: compact, row-major. Dims must all have values in `dims` (ndims of
 * them). Returns 0, or 1 + the number of the site that failed (a gather out of range, a division by zero), and then
 * *index says which index. Inouts are updated in place, outputs written. Memory for lets comes from mem; a size that
 * cannot be had returns -1. */
int te_interp(Arena *mem, const TeOp *op, const int64_t *dims, Numerics num, void *const *data, int64_t *index);

/* The result of comparing outputs with the interpreter. */
typedef struct TeCheck {
    double max_abs,
        max_rel;  /* largest errors seen against the f64 value; relative to |value| where that is above the bound */
    double worst; /* largest error / bound; <= 1 passes */
    int64_t compared, mismatched;
    int64_t at;              /* flat index of the worst element */
    double got, want, bound; /* there */
} TeCheck;

/* Compare what a target computed with the interpreter. `in` holds the inputs as they were before the run (inouts too),
 * `out[i]` what came out for each parameter (NULL for plain inputs). Under ordered numerics: bit for bit with native
 * mode (any NaN equals any NaN). Under fast: within the bound derived in check mode. When the program has more than
 * `limit` terms (0: 2^30), a random sample (by seed) of the outputs is checked, computing only what they need. result
 * has one entry per parameter. Returns as te_interp. */
int te_check(Arena *mem, const TeOp *op, const int64_t *dims, Numerics num, void *const *in, void *const *out,
             int64_t limit, uint64_t seed, TeCheck *result, int64_t *index);

/* Work in a program once sizes are known: scalar floating-point and integer operations (a multiply-add counts 2; a
 * function 1; terms that a condition excludes do not count; ranges that come from data count their largest extent), and
 * the bytes of parameters read and written once. -1: overflow. */
typedef struct TeWork {
    double flops, bytes, terms;
} TeWork;
TeWork te_work(const TeOp *op, const int64_t *dims);
TeWork te_def_work(const TeOp *op, int def, const int64_t *dims); /* of one definition; bytes are the op's */

#endif
