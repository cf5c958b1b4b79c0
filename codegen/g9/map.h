/* map.h: a nest of loops on its way to a kernel: what map.c, product.c share. */
#ifndef TCC_CODEGEN_G9_MAP_H
#define TCC_CODEGEN_G9_MAP_H

#include "codegen/g9/g9.h"

enum { CHAIN = 8 };

/* What holds around an outermost statement. */
typedef struct Around {
    VEC(const Stmt *) let;
    VEC(const Expr *) cond; /* with `no`: must be false */
    VEC(bool) no;
} Around;

/* Loops around one block, the outermost first. */
typedef struct Chain {
    const Stmt *loop[CHAIN];
    bool mapped[CHAIN];     /* its iterations are independent */
    const char *trips[CHAIN]; /* formulas of those that are mapped */
    int n;
} Chain;

/* d e / d v where it is the same everywhere; false: it is not. */
bool g_slope(const G9 *g, const Expr *e, const Var *v, int64_t *by);
/* In a kernel: the product of the trip counts of the mapped loops, and their iterations from a number below it. */
Val g_iterations(G9 *g, const Chain *c);
void g_find_iterations(G9 *g, const Chain *c, Val x);
const char *g_threads_formula(G9 *g, const Chain *c);
Val g_thread_number(G9 *g, Val threads); /* of this thread in the launch; threads: how many there are, at least */
void g_leave_unless(G9 *g, Val cond);
void g_open_kernel(G9 *g, int block);
void g_close_kernel(G9 *g, const char *threads);
void g_enter_around(G9 *g, const Around *a);

/* ---- product.c: a sum of products over the innermost loops as a kernel on the matrix unit; false: it is none, or the
 * machine has none such, and nothing was made. */
bool g_product(G9 *g, const Around *a, const Chain *c);

/* ---- reduce.c: a reduction over the innermost loop by the lanes of a warp for each result; false: it is none, its order
 * counts, or a thread for each result does better, and nothing was made. */
bool g_reduction(G9 *g, const Around *a, const Chain *c, const Block *body); /* body: of the innermost loop */

#endif
