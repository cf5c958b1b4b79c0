/* tile_priv: what the tile_*.c files share among themselves and with their tests and fuzz target. Nobody else includes
 * this. */
#ifndef TCC_IR_TILE_PRIV_H
#define TCC_IR_TILE_PRIV_H

#include "ir/num.h"
#include "ir/tile.h"

enum {
    TILE_MAX_NEST = 1000, /* levels of parentheses and blocks that the parser accepts */
    TILE_MAX_DEPTH = 4000 /* levels of an expression (a long chain a + b + c … is one as well) */
};

extern const char *const tile_stmt_name[ST_COUNT];       /* tile.c */
extern const char *const tile_site_name[SITE_CHECK + 1]; /* tile_expr.c */

/* ---- tile_expr.c ------------------------------------------------------------------------------------------------- */
/* The type of `op` applied to operands of these types, or DT_NONE and a reason. Not for leaves, LOAD, REDUCE, CAST. */
DType tile_result_type(ExprOp op, int nargs, const DType *arg, const char **why);
bool tile_has_site(const Expr *e);                      /* is an integer division, whose Expr.site says something */
bool tile_trips_known(const TeOp *op, const Var *loop); /* hi - lo is a number, even if the bounds are not */
/* A literal's number: the shortest text that reads back as x in type t, with `.` whatever the locale ("0.1", "-inf").
 */
void tile_float_text(char buf[64], DType t, double x);
double tile_float_value(DType t, const char *text); /* decimal or hexadecimal */
DType tile_type_named(const char *name);            /* `index` among them; DT_NONE when there is none */
bool tile_word(const char *name);                   /* cannot stand bare as a name */
void tile_put_name(Text *out, const char *name);    /* in backticks when it must be */

/* The names that are visible at a place, innermost last, numbered from 0. Starts zeroed. */
typedef struct TileNames {
    struct TileName {
        const char *text;
        int older; /* the next older one of its chain, -1: none */
        unsigned hash;
    } * at;
    int n, cap;
    unsigned chains;
    int *chain; /* the newest name of each, -1: none */
} TileNames;
int tile_name_find(const TileNames *t, const char *text); /* its number, or -1 */
void tile_name_add(Arena *mem, TileNames *t, const char *text);
void tile_name_cut(TileNames *t, int n); /* back to the first n */

/* ---- tile_verify.c ----------------------------------------------------------------------------------------------- */
/* tile_verify that says where, too. */
const char *tile_verify_at(Arena *mem, const TileProg *p, Span *at);

/* ---- tile_interp.c ----------------------------------------------------------------------------------------------- */
/* tile_interp's results beyond sites. */
enum {
    TILE_NO_MEMORY = -1,
    TILE_OUT_OF_BOUNDS = -2, /* a proved access or a store is outside its buffer: a bug in what made the program */
    TILE_TOO_LONG = -3       /* the limit was reached */
};
/* tile_interp with limits: statements executed and bytes of buffers. */
int tile_interp_limited(const TileProg *p, const int64_t *dims, void *const *data, int64_t *index, int64_t statements,
                        int64_t bytes);

#endif
