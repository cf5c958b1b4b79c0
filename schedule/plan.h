/* plan (private to schedule): the state of a schedule. A tree of loops over definitions, tagged by what part of which
 * index each loop runs over; statements rewrite it (apply*.c), and emission (emit*.c) turns it into Tile IR at the very
 * end, or after any statement. A fresh plan is the loops as written, every definition a root. Staged copies that have a
 * name are definitions too (copy.c); temporaries may be stored at other places than their indices say (layout.c).
 *
 * An Iter is an index or a part of one. Splitting i makes two Iters, io and ii, with i = io * f + ii; fusing makes one.
 * Loops run over Iters that were neither split nor fused. Values count from 0: the index is lo + value.
 *
 * A definition that reduces has three parts, init, update and finish. The accumulator is opened at one place among the
 * loops (`accum`, or before the innermost run of reduction loops): what is inside of it is looped over three times, for
 * init and finish without the reduction's loops. Reduction loops outside of it make partial results, which wait in the
 * result itself or in a temporary. */
#ifndef TCC_SCHEDULE_PLAN_H
#define TCC_SCHEDULE_PLAN_H

#include "frontend/sched.h"
#include "schedule/lower.h"

typedef enum IterKind { IT_ROOT, IT_OUTER, IT_INNER, IT_FUSED } IterKind;
typedef struct Iter Iter;
struct Iter {
    const char *name;
    IterKind kind;
    bool reduces;
    Span span;      /* of what made it */
    Var *var;       /* ROOT */
    Iter *of;       /* OUTER, INNER: what was split. FUSED: its outer part */
    Iter *with;     /* OUTER: its INNER and the other way round. FUSED: its inner part */
    Iter *by;       /* into what it was made: the OUTER of its split, or the FUSED; NULL: a loop runs over it */
    int64_t factor; /* OUTER, INNER */
    SchedTail tail; /* OUTER, INNER */
    LoopKind how;
    Span told;      /* what said how */
    int width;      /* VECTOR: lanes */
    bool kernel;    /* a loop of a microkernel: fixed */
    int64_t stages; /* pipeline: buffers of each copy that is staged there, filled so many iterations ahead less one; 0:
                       one */
    Span piped;     /* what said so */
    int64_t unit;   /* OUTER under compose: pieces are multiples of it, what is left of it is masked; 0: 1 */
    /* while it is emitted */
    Expr *at;     /* its value: the loop's variable, or what a piece of a cut extent makes it; NULL: not open */
    Expr *ext;    /* its extent where that is not what it follows from (a region, a piece); else NULL */
    Expr *size;   /* ROOT: at least its extent, over dims only; NULL: hi - lo */
    Expr *lo;     /* ROOT: where a region starts; NULL: at the variable's lo */
    Expr *off;    /* INNER under compose: where the piece starts; NULL: 0 */
    bool nominal; /* INNER that was opened before its OUTER: a condition holds back what is beyond the end */
    Expr *trips;  /* how often its loop runs, as long as that is open */
    Expr *cut;    /* OUTER: the extent that is cut into whole tiles and what is left, as long as that is open */
    Expr *some;   /* runs once at least, but only when this holds is there an iteration; NULL: always */
};

typedef struct PlanDef PlanDef;

/* stage A at S.L */
typedef struct PlanStage {
    Tensor *t;
    Iter *at;
    SchedScope scope;
    const SchedStmt *from;
    int64_t *factor;  /* of the pack, or the number of swizzle and pad */
    const char *name; /* NULL: none */
    PlanDef *copy;    /* the definition of that name */
} PlanStage;

/* layout A (dims) -> (dims): each dimension of the storage is one index / div % mod; mod 0: without end */
typedef struct LayoutDigit {
    int dim;
    int64_t div, mod;
} LayoutDigit;
typedef struct PlanLayout {
    int n;
    LayoutDigit *digit;
    const SchedStmt *from;
} PlanLayout;

typedef struct PlanInput { /* a const input that is stored otherwise while the kernel runs */
    Tensor *t;
    PlanLayout *layout;
} PlanInput;

typedef struct PlanFetch { /* prefetch A at S.L distance n */
    Tensor *t;
    Iter *at;
    int64_t distance;
    const SchedStmt *from;
} PlanFetch;

/* online m, z, O over L: each iteration of O's loop L goes on with m and z where the last one left them, and what was
 * summed up so far is rescaled by exp(m before - m after). */
typedef struct PlanOnline {
    const Def *m, *z, *o;
    Iter *at;                /* L */
    ExprOp exp;              /* EXP or EXP2 */
    Expr **place, **z_place; /* m's indices in terms of O's, and of z's */
    Tensor *scale;
    Span span;
} PlanOnline;

struct PlanDef {
    Work *w;
    Expr *red; /* the reduction whose loops are among `loop`, or NULL */
    Reduce *r;
    int nroots;
    Iter **root;
    VEC(Iter *) loop; /* outermost first */
    VEC(Iter *) iter; /* all that ever were, for names */
    PlanDef *in;      /* computed inside loop `at` of this definition; NULL: a root */
    Iter *at;
    Span placed; /* what said so */
    const Tensor
        *copies; /* a staged copy of it (copy.c), for the loop `at` of `in`; NULL: a definition of the program */
    SchedScope scope;
    PlanLayout *layout[2]; /* of what it defines; NULL: as the indices stand */
    Iter *accum;           /* inside of which loop the accumulator is opened; NULL: the default place */
    DType accum_type;      /* DT_NONE: that of the terms */
    VEC(PlanStage) stage;
    VEC(PlanFetch) fetch;
    PlanOnline *online; /* it is m, z or O there */
};

typedef struct Plan {
    Lower *l;
    int n;
    PlanDef *def;        /* in the order of the program; def[i].w == &l->work[i] */
    VEC(PlanDef *) copy; /* staged copies that have a name, none of them in `def` */
    VEC(PlanInput) input;
} Plan;

/* A tensor is found in buf instead: at ix - origin, or, in a pack of one access (load), in panels over indices of the
 * definition that reads it. */
struct View {
    const Tensor *of;
    Tensor *buf;
    Expr **origin;             /* by dimension of the tensor; PACK: by index */
    const struct Region *held; /* the part of the tensor that is there; NULL: a PACK */
    const PlanLayout *layout;  /* of buf, after the origin is taken off; NULL: none */
    bool padded;               /* it holds what guarded reads outside of the tensor give */
    Expr *load;                /* PACK: the access; else NULL */
    const Plan *p;
    int nix; /* PACK */
    Iter **ix;
    const int64_t *factor;
    Expr *slot;          /* which of a pipeline's buffers, the first index of buf; NULL: there is one */
    Expr *panel, *place; /* PACK, while one is made: the panel, and where in it; else NULL */
};

/* ---- plan.c ---------------------------------------------------------------------------------------------------------
 */
Plan *plan_new(Lower *l); /* after inlining: definitions that are gone have no loops */
/* The reduction anew, after the right side changed: rebuilt around what was inlined, or, its loops innermost, inlined.
 */
void plan_reduction(Plan *p, PlanDef *d);
void plan_define(Plan *p, PlanDef *d, Work *w);
PlanDef *plan_find(const Plan *p, const char *name);
Iter *plan_loop(const PlanDef *d, const char *name); /* NULL: no loop now has this name */
int plan_index(const PlanDef *d, const Iter *it);    /* among d->loop */
bool plan_writes(const PlanDef *d, const Tensor *t);
/* Inside of how many loops the accumulator is opened: as `accum` says, before a microkernel's loops, else before the
 * innermost run of reduction loops. -1: there is none. */
int plan_accumulator(const PlanDef *d);
bool plan_pairs(const PlanDef *d);   /* a kernel takes its terms two by two */
bool plan_goes_on(const PlanDef *d); /* the maximum or the sum of an `online` */
/* Partial results between iterations of outer reduction loops wait in the result itself. */
bool plan_waits_in_result(const PlanDef *d, int partials);
void iter_split(Plan *p, PlanDef *d, Iter *it, int64_t factor, SchedTail tail, const char *outer, const char *inner,
                Span s);
void iter_fuse(Plan *p, PlanDef *d, Iter *outer, Iter *inner, const char *name, Span s);
int64_t iter_most(const Plan *p, const Iter *it); /* its extent is never more, -1 where that is not known */
/* A definition in front of the at-th, which moves up: pointers to definitions are no longer good. */
PlanDef *plan_insert(Plan *p, int at, const Work *w);
/* d->w->rhs has a reduction over v now, in place of all that d's loops reduced over: v's loop stands where `at` did. */
void plan_reduces_over(Plan *p, PlanDef *d, Var *v, const Iter *at);

/* ---- linear.c: index expressions as sums ---------------------------------------------------------------------------
 */
enum { LIN_MAX = 24 };
typedef struct Lin {
    int64_t c;
    int n;
    bool overflow;
    struct {
        Expr *atom;
        int64_t k;
    } t[LIN_MAX];
} Lin;
Lin lin_of(Lower *l, Expr *e);
Lin lin_add(Lower *l, Lin a, Lin b, int64_t k); /* a + k * b */
Expr *lin_expr(Lower *l, const Lin *a);
Expr *lin_sub(Lower *l, Expr *a, Expr *b);                          /* a - b, like terms together */
void lin_divide(Lower *l, Expr *e, int64_t by, Expr **q, Expr **r); /* floor quotient and remainder, simplified */
bool lin_multiple(Lower *l, Expr *e, int64_t by);                   /* of by, whatever the variables are */
int64_t lin_least(const Lower *l, const Expr *e);                   /* e is never below; INT64_MIN: nothing is known */

/* ---- layout.c: addresses --------------------------------------------------------------------------------------------
 */
Expr **layout_place(Lower *l, const PlanLayout *y, Expr *const *ix);
Expr **layout_shape(Lower *l, const PlanLayout *y, Expr *const *size);
void layout_inputs(Plan *p);
Tensor *layout_buffer(Lower *l, const PlanLayout *y, const char *name, const Tensor *t, Scope scope, Expr **size,
                      Span s);

/* ---- region.c: what one iteration of a loop reads ------------------------------------------------------------------
 */
typedef struct Region {
    Expr **lo;   /* where it starts; may be outside the tensor where reads are guarded */
    Expr **from; /* what is inside the tensor: from … to */
    Expr **to;
    Expr **size; /* never smaller than to - lo; over dims only */
    Expr *other; /* what every guarded read gives outside of the tensor, when lo + size holds all of them; or NULL */
} Region;
/* Of tensor t by the definitions that are computed inside loop `at` of d. */
Region region_of(Plan *p, PlanDef *d, Iter *at, const Tensor *t);
Region region_touched(Plan *p, PlanDef *d, Iter *at, const Tensor *t); /* and what it writes */

/* What the loops inside of those that are open make of an iter. */
typedef struct IterSpan {
    Expr *from, *to, *size; /* size: over dims only, or NULL */
} IterSpan;
IterSpan iter_span(Plan *p, PlanDef *d, Iter *it);

/* ---- emit.c ---------------------------------------------------------------------------------------------------------
 */
void plan_emit(Plan *p);                               /* statements go to l->out */
Expr *iter_value(const Plan *p, const Iter *it);       /* NULL: not all of its loops are open */
bool iter_any_open(const Iter *it);                    /* it, or a part of it */
Expr *iter_nominal(const Plan *p, const Iter *it);     /* never less than its extent; over dims only */
Expr *iter_extent(const Plan *p, Iter *it);            /* where it stands */
Expr *iter_whole(const Plan *p, Iter *it);             /* the same, and never negative */
bool iter_is_nominal(const Plan *p, const Iter *it);   /* about to be opened: it may go beyond the end */
bool iter_divides(const Plan *p, Iter *it, int64_t f); /* f, its whole extent */
Expr **view_place(Lower *l, const View *v, Expr *const *ix, int *n);
Expr *view_read(Lower *l, const View *v, Expr *load, Expr *const *ix, Expr *other);

/* ---- apply.c --------------------------------------------------------------------------------------------------------
 */
/* Which ways are taken at `specialize`, in the order in which these are come to. */
enum { BRANCHES_MAX = 16 };
typedef struct Branches {
    int n;
    bool taken[BRANCHES_MAX];
    const SchedStmt *from[BRANCHES_MAX];
    const SchedStmt *open; /* the first one after these: no statement after it was applied */
} Branches;
/* Applies the first n statements in order. branches NULL: none is taken. False after an error was reported. */
bool plan_apply(Plan *p, const Sched *s, int n, const SchedEnv *env, Branches *branches, Diags *diags);

/* ---- version.c ------------------------------------------------------------------------------------------------------
 */
/* Emits the program with the first n statements: a version for each way through the branches. */
bool version_emit(Lower *l, const Sched *s, int n, const SchedEnv *env, Diags *diags);
/* Where e holds, that follows for the sizes of the op. */
void version_learn(TeOp *op, const SchedEnv *env, const AstExpr *e);
/* A condition that sizes decide at run time, as an expression of the program; NULL after an error. */
Expr *version_condition(Lower *l, const SchedEnv *env, const AstExpr *e, Diags *diags);

#endif
