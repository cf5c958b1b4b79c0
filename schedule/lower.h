/* lower (private to schedule): the state of one lowering from TE IR to Tile IR, shared by lower*.c, fuse.c and
 * default.c.
 *
 * The order of things: fuse.c inlines lets and partitions the definitions into groups that share outer loops; default.c
 * decides for each definition how its loops run (a DefPlan); lower.c, lower_reduce.c and contract.c emit statements
 * from that. With SCHED_NONE nothing is inlined, every group has one definition and no shared loops, and every plan is
 * "loops as written". */
#ifndef TCC_SCHEDULE_LOWER_H
#define TCC_SCHEDULE_LOWER_H

#include "ir/num.h"
#include "schedule/schedule.h"

/* A block under construction. */
typedef VEC(Stmt *) Stmts;

/* One definition while it is being lowered: a Def whose right side may have had lets inlined into it. */
typedef struct Work {
    const Def *def;
    int nix;
    Var **ix;
    Expr *rhs;
    int depth;     /* rhs, as a tree, is no deeper */
    bool gone;     /* inlined everywhere */
    bool unused;   /* no result depends on it: a schedule may speak of it, but it is not computed */
    bool snapshot; /* an inout whose old values are read at other places: they are copied first */
    Tensor *old;   /* the copy */
} Work;

/* How one definition's loops run. vec: the variable that runs in lanes (a free variable or the last reduction
 * variable), or NULL. */
typedef struct DefPlan {
    Var *vec;
    int width;        /* lanes of vec */
    bool vec_reduces; /* vec is a reduction variable */
    Reduce *primary;  /* the reduction that the loops are arranged around, or NULL */
    Var *tile;        /* a free variable whose iterations are kept in registers together, or NULL */
    int rows;         /* how many */
    bool parallel;    /* the outermost loop may run in parallel */
} DefPlan;

/* Consecutive definitions under common outer loops over their first `depth` indices. */
typedef struct Group {
    int first, last; /* work numbers, both included */
    int depth;
    Var **outer; /* the common loops' variables (those of the first definition) */
} Group;

typedef struct Memo {
    Expr *from, *to;
} Memo;

/* A non-negative index expression is at most `most`. */
typedef struct Limit {
    const Expr *e;
    int64_t most;
} Limit;

typedef struct View View; /* plan.h */

typedef struct Lower {
    Arena *mem;
    TileProg *p;
    TeOp *op;
    const Target *target;
    Numerics num;
    SchedMode mode;
    int threads;
    Text *why;
    int nworks;
    Work *work;
    int ngroups;
    Group *group;
    int nstore;     /* tensors of the program as it came, and up to the last of low_let */
    Tensor **store; /* by tensor id: where a let lives (NULL: not yet, or a parameter: itself) */
    int *dropped;   /* by tensor id: how many leading indices its buffer leaves out */
    Stmts *out;     /* where statements go */
    Expr **bound;   /* by var id: what a TE variable stands for (NULL: itself) */
    int nbound;
    Expr **made;             /* by expression id: what fuse_inline_one made of it in this walk */
    int *walk, nwalk, walks; /* by expression id: the number of the walk that came by last */
    VEC(View *) views;       /* tensors that are found elsewhere at this place */
    VEC(Limit) limits;
    VEC(Memo) memo; /* expressions already lowered at this place */
    Work *now;      /* the definition being lowered */
    Var *lane_red;  /* the reduction variable that emit_reduce runs in lanes, with lane_width lanes; NULL: none */
    int lane_width;
    bool in_lanes; /* inside a vector loop */
    bool in_parallel;
    NameTable names;     /* taken ones, by the number that the next of that name gets */
    int named;           /* tensors whose names are in it */
    struct Ahead *ahead; /* what the loops of one definition fetch for the group's next iteration; NULL: nothing */
} Lower;

/* ---- lower.c --------------------------------------------------------------------------------------------------------
 */
void low_start(Lower *l, Arena *mem, const TeOp *op, const Target *t, Numerics num, SchedMode mode, int threads,
               Text *why);
void low_restart(Lower *l); /* the definitions as they came, whatever was planned or emitted before */
void low_default(Lower *l);
TileProg *low_finish(Lower *l);
Expr *low_expr(Lower *l, Expr *e); /* without reductions, lets replaced by their buffers; may emit statements */
void low_bind(Lower *l, const Var *v, Expr *to);
Var *low_var(Lower *l, const char *name, Expr *lo, Expr *hi, Span s); /* a loop variable with a name of its own */
Tensor *low_buffer(Lower *l, const char *name, DType t, Scope scope, int rank, Expr **shape,
                   Span s);                                                           /* emits its alloc */
Tensor *low_let(Lower *l, const char *name, DType t, int rank, Expr **shape, Span s); /* that the op does not have */
void low_emit(Lower *l, Stmt *s);
/* Statements go to a new block until low_close; the memo is put back as it was. */
typedef struct Nest {
    Stmts *outer;
    Stmts inner;
    int memo;
} Nest;
void low_open(Lower *l, Nest *n);
Block low_close(Lower *l, Nest *n);
/* for v in lo..hi step s kind { … }: open, then close and emit. The TE variable is bound to the loop's. */
typedef struct Loop {
    Nest nest;
    Var *var;
} Loop;
void low_loop(Lower *l, Loop *lp, const char *name, Expr *lo, Expr *hi, Span s);
Stmt *low_loop_end(Lower *l, Loop *lp, int64_t step, LoopKind kind, int width, const Var *dim, int level);
void low_why(Lower *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* index arithmetic, folded */
Expr *ix_int(Lower *l, int64_t v);
Expr *ix_var(Lower *l, Var *v);
Expr *ix_op(Lower *l, ExprOp o, Expr *a, Expr *b); /* ADD SUB MUL DIV MOD MIN MAX on index */
bool ix_known(const Lower *l, const Expr *e, int64_t *v);
bool ix_over_dims(const Expr *e);                /* mentions no variables and no data */
int64_t ix_guess(const Lower *l, const Expr *e); /* a size when known, else from defaults, hints or a middling guess */
void low_walk(Lower *l);                         /* a new walk over expressions begins; walks do not nest */
bool low_reads(Lower *l, Expr *e, const Tensor *t, const Expr *but); /* somewhere outside of `but` (NULL: anywhere) */
bool low_first(Lower *l, const Expr *e);                             /* the walk comes to e for the first time */
Expr *low_num(Lower *l, DType t, Num v, Span s);                     /* a literal */
Expr *low_read(Lower *l, Tensor *buf, int n, Expr *const *ix, Span s);
bool low_same(const Lower *l, const Expr *a, const Expr *b); /* equal as index expressions */

/* The store of a definition's value at its indices (all bound). */
void low_snapshot(Lower *l, Work *w);
const View *low_view(const Lower *l, const Tensor *t); /* NULL: where it always is */
Expr **low_result_place(Lower *l, const Work *w, const Tensor *t, Tensor **to, int *n);
void low_stands_for(Lower *l, Expr *from, Expr *to); /* until the block ends: a value that is already there */
void low_limited(Lower *l, Expr *e, int64_t most);
int64_t low_limit(const Lower *l, const Expr *e); /* -1: nothing is known */
void low_store(Lower *l, const Work *w, Tensor *t, Expr *value);
/* The index of tensor t's element in its storage, for TE indices already lowered. */
Expr **low_place(Lower *l, const Tensor *t, Expr *const *ix, int *n);

/* ---- lower_reduce.c -------------------------------------------------------------------------------------------------
 */
Expr *low_reduce(Lower *l, Expr *e); /* emits the loops, gives the value */
void low_topk(Lower *l, const Work *w);
bool red_exact(RedOp r, DType t); /* any order gives the same bits */
/* pieces of a reduction, for callers that place them apart */
typedef struct Acc {
    Tensor *buf, *where, *count;
    int n; /* partials */
} Acc;
bool low_partials(const Lower *l, const Reduce *r, int *p); /* float sum or prod under ordered: P */
void acc_init(Lower *l, const Reduce *r, Acc *a);
void acc_step(Lower *l, const Reduce *r, Acc *a); /* the `if` and one update; the reduction's variables are bound */
Expr *acc_result(Lower *l, const Expr *red, Acc *a);

/* ---- fuse.c ---------------------------------------------------------------------------------------------------------
 */
void fuse_inline(Lower *l);
void fuse_inline_one(Lower *l, int i); /* work i into all that read it */
bool fuse_at_own_place(const Work *reader,
                       const Expr *load);            /* the load's indices are the reader's own, in their order */
Expr *fuse_expand(Lower *l, Expr *e, const Work *w); /* e with what w defines in place of its reads */
Expr *fuse_replace(Lower *l, Expr *e, const Expr *from, Expr *to); /* e with one node replaced */
void fuse_groups(Lower *l);
void fuse_snapshots(Lower *l); /* inouts whose old values are read elsewhere */
bool fuse_shift_of(const TeOp *op, const Expr *e, const Var *v, int64_t *by); /* e = v + *by */
bool fuse_self_earlier(const Lower *l, const Work *w,
                       const Expr *load); /* reads the defined tensor at an earlier step of seq */

/* ---- default.c ------------------------------------------------------------------------------------------------------
 */
DefPlan plan_def(Lower *l, const Work *w, int depth);
typedef enum StrideClass { STRIDE_0, STRIDE_1, STRIDE_N } StrideClass;
StrideClass plan_stride(const Lower *l, const Expr *load, const Var *v);
bool plan_step(const Lower *l, const Expr *load, const Var *v,
               int64_t *step);                     /* places from one v to the next; false: it differs */
Expr *plan_primary(const Lower *l, const Work *w); /* its only unconditional outermost REDUCE, or NULL */
double plan_cost(const Lower *l, const Expr *e);   /* scalar operations in e, functions counted for what they take */
double plan_work(const Lower *l, const Work *w);   /* scalar operations, guessed */

/* ---- ahead.c --------------------------------------------------------------------------------------------------------
 */
void ahead_choose(Lower *l, const Group *g); /* sets l->ahead */
void ahead_emit(Lower *l, const Var *inner); /* in the vector loop over l->now's variable `inner` */

/* ---- emit_carry.c */
bool carry_reads(const Lower *l, const Work *w); /* a recurrence that reads a few steps back at its own other indices */

/* ---- contract.c
 * ------------------------------------------------------------------------------------------------------ */
/* Emits w (depth of its indices bound by outer loops) as a register-tiled product when it is one; false: it is not. */
bool contract_emit(Lower *l, const Work *w, int depth);

#endif
