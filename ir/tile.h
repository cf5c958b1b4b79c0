/* tile: Tile IR, the one IR between schedules and targets: loops, buffers with a memory scope, and statements on them.
 * Scalar expressions are those of te.h without REDUCE; LOADs name parameters or buffers of the program.
 *
 *     tile matmul @cpu numerics fast
 *       [M = 1024, N = 1024, K = 1024] (A: f32[M,K], B: f32[K,N]) -> (C: f32[M,N])
 *     {
 *       for i in 0..M parallel {
 *         for j in 0..N vector 16 {
 *           alloc acc: f32 reg
 *           acc = 0.0:f32
 *           for k in 0..K { acc sum fma= A[i, k] * B[k, j] }
 *           C[i,j] = acc
 *         }
 *       }
 *     }
 *
 * Structured control flow only. What later targets need is added as rows of tile.def (loop kinds, statements), not as a
 * new IR. The printed form parses back to an equal structure; every literal carries its type there. */
#ifndef TCC_IR_TILE_H
#define TCC_IR_TILE_H

#include "ir/te.h"

typedef enum LoopKind {
#define LOOP(ID, ...) LOOP_##ID,
#define STMT(ID, ...)
#include "ir/tile.def"
    LOOP_COUNT
} LoopKind;
typedef enum StmtKind {
#define LOOP(ID, ...)
#define STMT(ID, ...) ST_##ID,
#include "ir/tile.def"
    ST_COUNT
} StmtKind;
extern const char *const tile_loop_name[LOOP_COUNT];

typedef struct Stmt Stmt;
typedef struct Block {
    int n;
    Stmt **at;
} Block;

struct Stmt {
    StmtKind kind;
    Span span; /* of the definition (or the schedule line) that it comes from */
    union {
        struct {      /* for var in lo..hi step s kind: var = lo, lo+s, … below hi. step >= 1, known. */
            Var *var; /* var->lo, var->hi are the bounds */
            int64_t step;
            LoopKind kind;
            int width;     /* VECTOR: lanes. UNROLL: copies, 0 for all (then the trip count must be known) */
            const Def *of; /* which definition, which of its variables, which level (0 outermost) this loop is part of;
                              may be NULL */
            const Var *dim;
            int level;
            Block body;
        } loop;
        struct { /* if cond { then } else { els } */
            Expr *cond;
            Block then, els;
        } branch;
        struct { /* alloc buf: lives until the enclosing block ends; its shape mentions dims, consts and literals only
                  */
            Tensor *buf;
        } alloc;
        struct { /* buf[ix] = value [stream]: value->type == buf->type. stream: the place will not be used again soon */
            Tensor *buf;
            Expr **ix;
            Expr *value;
            bool stream;
        } store;
        struct { /* buf[ix] op= value, one step of a reduction (never TOPK). ARGMAX, ARGMIN: buf holds the best value so
                  * far and where[ix] (i32) its index; `index` is the candidate's. fma: value is a MUL node that enters
                  * as one fma. Marked as a reduction: in `fast` numerics its steps may be reassociated. */
            Tensor *buf;
            Expr **ix;
            RedOp op;
            bool fma;
            Expr *value;
            Tensor *where;
            Expr *index;
        } update;
        struct { /* topk step: (value, index) is inserted into the sorted places vals[ix, 0..slots), where[ix,
                  * 0..slots), which were filled with (least, -1); a place with index -1 is worse than any candidate. ix
                  * has one index less. */
            Tensor *vals, *where;
            Expr **ix;
            Expr *slots, *value, *index;
        } insert;
        struct { /* prefetch buf[ix] [write]: the place will soon be read (or written). Computes nothing, so the place
                  * may lie outside the buffer; the indices mention no data */
            Tensor *buf;
            Expr **ix;
            bool write;
        } prefetch;
        struct { /* let name = value: var (type index) is value until the enclosing block ends; value mentions no data
                  */
            Var *var;
            Expr *value;
        } let;
    };
};

typedef struct Numerics {
    bool ordered;
    int p; /* partials of `ordered`, >= 1 */
} Numerics;

/* op holds the tables (dims, consts, parameters, checks, sites); buffers follow the parameters in op->tensor (kind
 * TK_BUFFER). Its defs may be empty when the program came from text. The op is this program's own: passes may add nodes
 * to it. */
typedef struct TileProg {
    Arena *mem;
    TeOp *op;
    const char *target; /* as after --target: "cpu", "cpu:x86-64-v3" */
    Numerics num;
    Block body;
} TileProg;

/* ---- tile.c: building ----------------------------------------------------------------------------------------------
 */
Stmt *tile_for(TileProg *p, Var *v, int64_t step, LoopKind kind, int width, Block body, Span s);
Stmt *tile_if(TileProg *p, Expr *cond, Block then, Block els, Span s);
Stmt *tile_alloc(TileProg *p, Tensor *buf, Span s);
Stmt *tile_store(TileProg *p, Tensor *buf, Expr *const *ix, Expr *value, Span s);
Stmt *tile_update(TileProg *p, Tensor *buf, Expr *const *ix, RedOp op, bool fma, Expr *value, Tensor *where,
                  Expr *index, Span s);
Stmt *tile_insert(TileProg *p, Tensor *vals, Tensor *where, Expr *const *ix, Expr *slots, Expr *value, Expr *index,
                  Span s);
Stmt *tile_prefetch(TileProg *p, Tensor *buf, Expr *const *ix, bool write, Span s);
Stmt *tile_let(TileProg *p, Var *v, Expr *value, Span s);
Tensor *tile_buffer(TileProg *p, const char *name, DType t, Scope scope, int rank, Expr **shape,
                    Span s); /* adds it to op->tensor */

/* ---- tile_print.c, tile_parse.c, tile_verify.c, tile_interp.c
 * -------------------------------------------------------- */
void tile_print(Text *out, const TileProg *p);
TileProg *tile_parse(Arena *mem, const Source *src, Diags *diags); /* NULL after errors */
bool tile_equal(const TileProg *a, const TileProg *b); /* not spans, ids, where loops come from, how nodes are shared */
/* NULL when every invariant holds, else what is broken, naming the statement. Among them: types agree; names are
 * defined before use and no two that are visible at one place are the same; every read is PROVED, GUARDED with a value
 * or a GATHER with a site; shapes mention no loop variables; bounds of loops inside a VECTOR loop do not depend on its
 * lanes; at most one VECTOR loop is open at a place, no PARALLEL inside one; inside a VECTOR loop a buffer allocated
 * outside is stored to at places that differ by lane, or updated and then not read there; inside a PARALLEL loop it is
 * written at places that differ by iteration. docs/tile-ir.md lists them all. */
const char *tile_verify(Arena *mem, const TileProg *p);

/* Runs p serially in the program's own types, as exactly as the statements read. data[i] belongs to op->tensor[i], i <
 * nparams, compact; dims has ndims sizes, for which op->check holds. Returns 0, or 1 + the number of the site that
 * failed, and then *index holds the offending index; -1: no memory; -2: a proved access or a store is outside its
 * buffer, which is a bug in the program (nothing outside was touched). */
int tile_interp(const TileProg *p, const int64_t *dims, void *const *data, int64_t *index);

#endif
