/* apply (private to schedule): the state of applying a schedule, and what decides about its statements. */
#ifndef TCC_SCHEDULE_APPLY_H
#define TCC_SCHEDULE_APPLY_H

#include "schedule/plan.h"

typedef struct Apply {
    Plan *p;
    const Sched *s;
    const SchedEnv *env;
    Branches *branches;
    int passed; /* of them */
    Diags *diags;
    const SchedStmt *now;
} Apply;

/* ---- apply.c */
PlanDef *apply_def(Apply *a, const AstName *name); /* NULL after an error, as with all of these */
Iter *apply_loop(Apply *a, PlanDef *d, const AstName *name);
bool apply_order(PlanDef *d, Iter *const *order);
enum { APPLY_FACTOR_MAX = 1 << 30 };
bool apply_number(Apply *a, const AstExpr *e, const char *what, int64_t lo, int64_t hi, int64_t *v);

/* ---- layout.c */
bool apply_layout(Apply *a, const SchedStmt *s);
/* ---- copy.c */
PlanDef *apply_copy(Apply *a, PlanDef *d, const PlanStage *s); /* the copy of s, staged in d, as a definition */
bool legal_let(Apply *a, const PlanDef *c, Span at);
bool legal_at_copy(Apply *a, const PlanDef *c, const PlanDef *d, Span at);

/* ---- rfactor.c */
bool apply_rfactor(Apply *a, const SchedStmt *s);

/* ---- online.c */
bool apply_online(Apply *a, const SchedStmt *s);
bool legal_online(Apply *a, const PlanDef *d); /* does it still hold? */

/* ---- depend.c */
typedef struct Carried {
    bool is; /* a value goes from one iteration of the loop to another, or that cannot be excluded */
    const char *reader, *writer; /* elements, an example; NULL: none is certain */
    bool placed;                 /* at: the iterations of the loop that write and read it */
    int64_t at[2];
    const char *name; /* of the loop */
    Span read, write;
} Carried;
/* Of a recurrence, between iterations of order[level] with the loops outside of it where they are. `later`: only from a
 * later iteration to an earlier one. */
Carried depend_carried(Apply *a, const PlanDef *d, Iter *const *order, int level, bool later);

/* ---- legal.c: may it be done? An error says what stands against it. */
/* A statement about `of` gives this name to a definition: names are one for all, so that statements can use them. */
bool legal_name(Apply *a, DiagCode code, const AstName *name, const char *of);
bool legal_order(Apply *a, const PlanDef *d, Iter *const *order, DiagCode code);
bool legal_fuse(Apply *a, const PlanDef *d, const Iter *outer, const Iter *inner);
bool legal_lanes(Apply *a, const PlanDef *d, const Iter *it, Span at);
bool legal_parallel(Apply *a, const PlanDef *d, const Iter *it, Span at);
bool legal_at(Apply *a, const PlanDef *c, const PlanDef *d, const Iter *it);
bool legal_inline(Apply *a, const PlanDef *c);
bool legal_stage(Apply *a, const PlanDef *d, const PlanStage *s);
bool legal_pipeline(Apply *a, const PlanDef *d, const Iter *it);
bool legal_accum(Apply *a, const PlanDef *d, const Iter *it, DType t);
bool legal_kernel(Apply *a, const PlanDef *d, Iter *const *loop, const char *name, const SchedStmt *s);
bool legal_outer(Apply *a, PlanDef *d, Iter *const *loop);
bool legal_dot(Apply *a, PlanDef *d, Iter *const *loop);
bool legal_pairs(Apply *a, PlanDef *d, Iter *const *loop);
bool legal_sixteen_bits(const Expr *factor); /* made i32 from an integer that 16 bits with a sign hold */
/* After a statement: does what the earlier ones asked for still hold? */
bool legal_still(Apply *a);
bool legal_reads(Apply *a, Expr *e, const Tensor *t);

#endif
