/* te_interp_priv: what the te_interp*.c files share among themselves. Nobody else includes this.
 *
 * How the interpreter works. A node is evaluated for many points at once: up to `cap` lanes, which are points of a
 * definition's domain or, where the inputs of a reduction do not differ by lane, terms of that reduction. A value is
 * one for all lanes (ONE), an arithmetic sequence of indices (RAMP) or an array (MANY); so what does not vary is
 * computed once, and rows are read as rows.
 *
 * Validity. Each open loop is a level; stepping it gives the level a new tick. A node's value knows the levels that it
 * depends on (a bit set) and is used again while the tick of the deepest of them has not changed: an outer loop's step
 * enters all inner ones anew. Values also know the mask that they were computed under: lanes outside it hold anything.
 *
 * Modes. Native: values are held as num.h says. Check: every float is a double, and each value may have a bound beside
 * it; no bound means exact. Truth values with a bound other than 0 are undecided: either side counts as right. */
#ifndef TCC_IR_TE_INTERP_PRIV_H
#define TCC_IR_TE_INTERP_PRIV_H

#include "ir/te_interp.h"

enum {
    MAX_LANES = 512,
    FEW = 32, /* rows shorter than this are flattened; fewer points than this are taken one by one */
    INTERP_NO_MEMORY = -1,
    INTERP_BROKEN = -2 /* a proved access left its tensor, or a proved divisor is 0: a bug in what proved it */
};

typedef enum Form { ONE, RAMP, MANY } Form;

typedef struct Val {
    Form form;
    Num x;             /* ONE: the value. RAMP: lane l is x.i + step * l */
    int64_t step;      /* RAMP */
    double e;          /* ONE: the bound */
    const void *at;    /* MANY: held values, one a lane */
    const double *err; /* MANY: bounds, NULL when all are 0 */
    uint64_t deps;     /* bit l: a variable of level l; bit 63: of level 63 or deeper */
} Val;

typedef struct Mask {
    struct Mask *up; /* what it narrows; free ones: the next */
    int64_t id;      /* > 0, never used again */
    uint8_t *on;     /* by lane */
} Mask;

typedef struct Acc Acc;

/* What is known of a node. */
typedef struct Slot {
    Val val;
    uint64_t tick; /* of the deepest level in val.deps when val was computed */
    int64_t mask;  /* id of the mask under which; 0: all lanes */
    bool known;
    bool total;  /* static: evaluating it can neither fail nor read data, so masks do not matter */
    bool walked; /* total has been decided */
    int spread;  /* val is ONE or RAMP and its first `spread` lanes lie in buf */
    void *buf;   /* cap places each, made when first needed */
    double *ebuf;
    int64_t *off;          /* LOAD: offsets, cap places */
    struct Wanted *wanted; /* LOAD, on demand */
    Acc *acc;              /* REDUCE */
    int nfree;             /* REDUCE: variables that it mentions and does not bind, once looked for */
    Var **free;
} Slot;

/* A tensor while the program runs. Either `typed` (as in memory) or `val` and `err` (check mode: what was computed). */
typedef struct Place {
    int64_t *shape, *stride; /* strides in elements; rows of i4 and u4 start on a byte */
    int64_t places;          /* elements, counting the padding of such rows */
    int64_t bytes;           /* as typed; -1: too many */
    void *typed;
    Num *val;
    double *err; /* NULL: all exact */
} Place;

typedef struct Memo Memo; /* te_interp_demand.c: what has been computed of a definition */

typedef struct Run {
    Arena *mem;
    const TeOp *op;
    const int64_t *dims;
    Numerics num;
    bool check;
    int cap; /* lanes at most */

    Place *place;        /* by Tensor.id */
    Slot *slot;          /* by Expr.id */
    Val *var;            /* by Var.id */
    struct Round *round; /* by DType, check mode */
    void *shared_err;    /* cap doubles of infinity */

    const Def *def; /* being evaluated */
    int n;          /* lanes */
    Mask *mask;     /* NULL: all of them */
    int maybe;      /* > 0: evaluating what an undecided condition may exclude, so nothing fails */

    uint64_t *tick; /* by base + level */
    int base, level, ticks;
    uint64_t now;
    int64_t masks;
    Mask *spare;

    Memo **memo;          /* demand: by Def.id; NULL when every tensor is computed whole */
    const Def ***writers; /* by Tensor.id: who assigns it, in order, then NULL */
    double terms;         /* evaluated so far */
    void **own;           /* malloc'ed: freed at the end */
    int nown, ownroom;
    int64_t room; /* bytes that may still be malloc'ed */

    jmp_buf out;
    int status;
    int64_t index;
} Run;

static inline RegClass interp_reg(const Run *r, DType t)
{
    return r->check && te_is_float(t) ? RC_F64 : te_type[t].reg;
}
static inline size_t interp_width(const Run *r, DType t) { return interp_reg(r, t) == RC_F32 ? 4 : 8; }
static inline bool interp_on(const Run *r, int lane) { return !r->mask || r->mask->on[lane]; }

/* ---- te_interp.c: a run, its memory, definitions in order -----------------------------------------------------------
 */
_Noreturn void interp_stop(Run *r, int status, int64_t index);
void *interp_malloc(Run *r, int64_t bytes); /* zeroed, freed with the run; stops it when there is no room */
/* Tables and sizes, in the arena r->mem; r's op, dims, num and check are set. typed[i]: parameter i's data. */
void interp_begin(Run *r, void *const *typed);
void interp_end(Run *r);
/* Evaluates every definition whole, in order. In check mode what is computed lies in Place.val afterwards. */
void interp_all(Run *r);
int64_t interp_extent(Run *r, const Var *v); /* of a left side's variable */

/* Points of a definition's domain, to be lanes. Variables first.. of var[] differ by lane: digit[v][lane]; those before
 * are bound already. var[] lacks topk's slot. */
typedef struct Batch {
    const Def *d;
    int nvars, first, n, level;
    Var **var;
    int64_t **digit;
    bool ramp;    /* only the last variable differs, by one from lane to lane */
    bool reduces; /* the right side has a reduction */
} Batch;
Batch interp_batch(Run *r, const Def *d, bool seq_first);
/* Gets lanes from..from+n-1's results: 1 of them, or 2 for each place of topk. */
typedef void (*StoreFn)(Run *r, void *user, int from, int n, int64_t slot, const Val *const *result);
void interp_run(Run *r, const Batch *b, StoreFn store, void *user);
Num interp_lane(const Run *r, DType t, const Val *v, int lane, double *e); /* one lane's value */

/* ---- te_interp_eval.c: expressions ----------------------------------------------------------------------------------
 */
const Val *interp_eval(Run *r, const Expr *e);
/* e's value as an array over the lanes. *err, when asked for, may come out NULL: exact. */
const void *interp_array(Run *r, const Expr *e, const double **err);
void *interp_buf(Run *r, const Expr *e);
double *interp_ebuf(Run *r, const Expr *e);
bool interp_fresh(const Run *r, const Slot *s);
int interp_open(Run *r); /* a new level; gives its number in this definition */
void interp_close(Run *r);
void interp_step(Run *r, int level);
static inline uint64_t interp_bit(int level) { return UINT64_C(1) << (level < 63 ? level : 63); }
/* The lanes of the current mask for which on[] (0 or 1 each) holds; NULL when there are none. Undo by interp_widen. */
Mask *interp_mask(Run *r); /* a new mask below the current one, lanes to be filled in; not entered */
bool interp_narrow(Run *r, Mask *m, Mask **was); /* enters m if a lane is on (else frees it) */
void interp_widen(Run *r, Mask *was);
void interp_decide_total(Run *r, const Expr *e);

/* ---- te_interp_load.c: reading tensors ------------------------------------------------------------------------------
 */
void interp_load(Run *r, const Expr *e, Val *out);
void interp_write(Run *r, Place *p, DType t, int64_t at, Num x, double e); /* one element */

/* ---- te_interp_reduce.c ---------------------------------------------------------------------------------------------
 */
void interp_reduce(Run *r, const Expr *e, Val *out);
/* topk: results[0] the values, results[1] the indices of place `slot` of the reduction evaluated last. */
void interp_topk(Run *r, const Expr *e, int64_t slots);
void interp_topk_place(Run *r, const Expr *e, int64_t slot, Val *value, Val *index);

/* ---- te_interp_bound.c: arithmetic with error bounds (check mode) ---------------------------------------------------
 */
/* How results of a type are rounded. */
typedef struct Round {
    double u;    /* unit roundoff, that of the f32 operation before it included */
    double tiny; /* half the least positive value */
    double max;  /* greatest finite value */
} Round;
void bound_begin(Run *r);
/* One operation on n elements of type t. Arguments with err NULL are exact. Results go to out and err; returns whether
 * all of them are exact (err is then not written). *div0: an integer divisor is 0 for certain. */
typedef struct BoundArg {
    const void *at;
    const double *err;
} BoundArg;
bool bound_op(Run *r, ExprOp op, DType t, size_t n, void *out, double *err, const BoundArg *arg, bool *div0);
bool bound_cast(Run *r, DType to, DType from, size_t n, void *out, double *err, BoundArg arg);
/* The bound of v once rounded to t, when what is rounded lies within e of v; may turn v into an infinity. */
double bound_round(const Round *f, DType t, double *v, double e);

/* ---- te_interp_demand.c: single elements, with what they need
 * -------------------------------------------------------- */
void demand_begin(Run *r);
/* The definition that wrote t before def (NULL: in the end), or NULL: t is as given. */
const Def *demand_writer(const Run *r, const Def *def, const Tensor *t);
/* Elements at[0..n) (offsets in the tensor) of what d computes for its out number `which`. err may be NULL. */
void demand_fetch(Run *r, const Def *d, int which, int n, const int64_t *at, Num *val, double *err);

#endif
