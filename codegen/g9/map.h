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

void g_open_kernel(G9 *g, int block);
void g_close_kernel(G9 *g, const char *threads);
void g_enter_around(G9 *g, const Around *a);

/* ---- product.c: a sum of products over the innermost loops as a kernel on the matrix unit; false: it is none, or the
 * machine has none such, and nothing was made. */
bool g_product(G9 *g, const Around *a, const Chain *c);

#endif
