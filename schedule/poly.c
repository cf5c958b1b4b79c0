/* poly.c: emptiness and sample points of integer sets, by ISL (Verdoolaege, isl: An Integer Set Library for the
 * Polyhedral Model, ICMS 2010). Needs rows with 64-bit coefficients; leaves nothing behind.
 *
 * ISL's errors (here: running out of operations) are values: on_error is CONTINUE, functions then return NULL or
 * isl_bool_error, and all ISL functions accept NULL. */
#include "schedule/poly.h"

#include <isl/aff.h>
#include <isl/constraint.h>
#include <isl/ctx.h>
#include <isl/local_space.h>
#include <isl/lp.h>
#include <isl/mat.h>
#include <isl/options.h>
#include <isl/point.h>
#include <isl/set.h>
#include <isl/space.h>
#include <isl/val.h>

#include <limits.h>

static isl_mat *put(isl_mat *m, int row, int col, int64_t v)
{
    if (v >= INT_MIN && v <= INT_MAX) return isl_mat_set_element_si(m, row, col, (int)v);
    return m ? isl_mat_set_element_val(m, row, col, isl_val_int_from_si(isl_mat_get_ctx(m), v)) : m;
}

static isl_mat *zeros(isl_ctx *ctx, int rows, int cols)
{
    isl_mat *m = isl_mat_alloc(ctx, (unsigned)rows, (unsigned)cols);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++) m = isl_mat_set_element_si(m, r, c, 0);
    return m;
}

/* The rows as one basic set over ncols set dimensions; column 0 of the matrices is the constant. */
static isl_basic_set *build(isl_ctx *ctx, int ncols, int nrows, const PolyRow *row)
{
    int neq = 0;
    for (int i = 0; i < nrows; i++) neq += row[i].eq;
    isl_mat *eq = zeros(ctx, neq, 1 + ncols), *ineq = zeros(ctx, nrows - neq, 1 + ncols);
    for (int i = 0, ei = 0, ii = 0; i < nrows; i++) {
        isl_mat **m = row[i].eq ? &eq : &ineq;
        int r = row[i].eq ? ei++ : ii++;
        *m = put(*m, r, 0, row[i].c0);
        for (int k = 0; k < row[i].n; k++) *m = put(*m, r, 1 + row[i].col[k], row[i].c[k]);
    }
    return isl_basic_set_from_constraint_matrices(isl_space_set_alloc(ctx, 0, (unsigned)ncols), eq, ineq, isl_dim_cst,
                                                  isl_dim_param, isl_dim_set, isl_dim_div);
}

static bool empty_over_rationals(isl_basic_set *set)
{
    isl_local_space *ls = isl_basic_set_get_local_space(set);
    isl_aff *zero = isl_aff_zero_on_domain(ls);
    isl_val *most = isl_basic_set_max_lp_val(set, zero);
    bool empty = most && isl_val_is_nan(most) == isl_bool_true;
    isl_val_free(most);
    isl_aff_free(zero);
    return empty;
}

static PolyAnswer read_point(isl_point *p, int ncols, int64_t *sample)
{
    PolyAnswer answer = POLY_SAMPLE;
    for (int i = 0; i < ncols; i++) {
        isl_val *v = isl_point_get_coordinate_val(p, isl_dim_set, i);
        /* isl_val_get_num_si is an error beyond a long: look at the size first */
        if (isl_val_n_abs_num_chunks(v, sizeof(uint64_t)) == 1 && isl_val_is_int(v) == isl_bool_true) {
            uint64_t magnitude = 0;
            if (isl_val_get_abs_num_chunks(v, sizeof magnitude, &magnitude) < 0 || magnitude > INT64_MAX)
                answer = POLY_UNKNOWN;
            else
                sample[i] = isl_val_is_neg(v) == isl_bool_true ? -(int64_t)magnitude : (int64_t)magnitude;
        } else {
            answer = POLY_UNKNOWN;
        }
        isl_val_free(v);
    }
    return answer;
}

static isl_ctx *open_ctx(unsigned long max_ops)
{
    isl_ctx *ctx = isl_ctx_alloc();
    if (!ctx) return NULL;
    isl_options_set_on_error(ctx, ISL_ON_ERROR_CONTINUE);
    isl_ctx_set_max_operations(ctx, max_ops);
    return ctx;
}

PolyAnswer sched_poly_relax(int ncols, int nrows, const PolyRow *row, unsigned long max_ops)
{
    isl_ctx *ctx = open_ctx(max_ops);
    if (!ctx) return POLY_UNKNOWN;
    isl_basic_set *set = build(ctx, ncols, nrows, row);
    bool empty = isl_basic_set_plain_is_empty(set) == isl_bool_true || (set && empty_over_rationals(set));
    isl_basic_set_free(set);
    isl_ctx_free(ctx);
    return empty ? POLY_EMPTY : POLY_UNKNOWN;
}

PolyAnswer sched_poly_solve(int ncols, int nrows, const PolyRow *row, unsigned long max_ops, int64_t *sample)
{
    isl_ctx *ctx = open_ctx(max_ops);
    if (!ctx) return POLY_UNKNOWN;
    PolyAnswer answer = POLY_UNKNOWN;
    isl_point *p = isl_basic_set_sample_point(build(ctx, ncols, nrows, row));
    isl_bool none = p ? isl_point_is_void(p) : isl_bool_error;
    if (none == isl_bool_true) answer = POLY_EMPTY;
    if (none == isl_bool_false) answer = sample ? read_point(p, ncols, sample) : POLY_SAMPLE;
    isl_point_free(p);
    isl_ctx_free(ctx);
    return answer;
}
