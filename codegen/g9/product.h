/* product.h: a sum of products as a kernel of tiles: what product.c and the two ways to multiply share. */
#ifndef TCC_CODEGEN_G9_PRODUCT_H
#define TCC_CODEGEN_G9_PRODUCT_H

#include "codegen/g9/map.h"

enum { P_COPIES = 16, P_PAD = 16 /* bytes behind a line */ };

typedef struct Tile {
    int bm, bn, wm, wn; /* of a block, of a warp */
    int cost;           /* of a result, in percent of what it costs in the largest tile */
} Tile;

typedef struct Operand {
    const Expr *load;
    const Stmt *rows; /* the loop over its lines of results */
    bool k_fast;      /* consecutive along k, else along the rows */
    int64_t extent;   /* of rows */
    int64_t k_step;   /* elements from one k to the next */
    /* of the kernel */
    int tile, pitch, base; /* rows of a tile; bytes of a line; where it begins in a stage */
    int lines, per_line, copies;
    Val pointer[P_COPIES], bytes[P_COPIES], write, k_at;
    Val to;       /* `write` in the stage that is being filled */
    Val fragment; /* what this lane reads first */
    bool ragged;
} Operand;

typedef struct Product {
    const Chain *c;
    const Tensor *acc;
    const Stmt *k;
    Block rest;
    Operand a, b;
    int64_t terms;
    IsaType type;
    bool mma;
    int size, chunk, bk; /* bytes of an element; elements of a copy; terms of a tile */
    Tile t;
    int threads, stages, stage_bytes;
    Val lane, first_row, first_column; /* of this warp */
    Val write, read, left;             /* stages to fill and to read; terms still to copy */
    int64_t tiles_k;
    Val sums[8][8]; /* as the way to multiply has them */
} Product;

/* ---- product.c */
Val p_plus(G9 *g, Val a, int64_t b);
Val p_times(G9 *g, Val a, int64_t b);
Val p_over(G9 *g, Val a, int64_t b);
Val p_modulo(G9 *g, Val a, int64_t b);
Val p_sum(G9 *g, Val a, Val b);
int p_copies(const Product *p);                    /* of a tile, by each thread */
void p_open_stage(G9 *g, Product *p);              /* that copies of the next tile go to */
void p_copy(G9 *g, Product *p, int at, Val guard); /* number `at` of them */
void p_close_stage(G9 *g, Product *p);             /* they are all under way */
void p_next_tile(G9 *g, Product *p);               /* the next one is there for all, and read from now on */
void p_await(G9 *g, const Product *p);
void p_finish(G9 *g, Product *p, Val row, Val column, Val part); /* what follows a sum */

/* ---- product_mma.c, product_fma.c: sums to 0, the loop over tiles, what follows */
void p_multiply_mma(G9 *g, Product *p);
void p_multiply_fma(G9 *g, Product *p);

#endif
