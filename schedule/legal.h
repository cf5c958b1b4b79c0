/* legal (private to legal.c, legal_near.c and depend.c): reasons against a statement, and what they look at. */
#ifndef TCC_SCHEDULE_LEGAL_H
#define TCC_SCHEDULE_LEGAL_H

#include "schedule/apply.h"

/* Why something may not be done: what stands against it, the places that do, and the mend. */
typedef struct Reason {
    const char *why, *help; /* why NULL: nothing stands against it */
    struct {
        Span at;
        const char *text; /* NULL: none */
    } note[2];
} Reason;

/* The reads of t in an expression. */
typedef struct Loads {
    Arena *mem;
    char *seen;
    const Tensor *t;
    VEC(Expr *) at;
    bool under_condition; /* some stand where they may not be evaluated */
} Loads;

Loads legal_find(Apply *a, Expr *e, const Tensor *t);
bool legal_part_of(const Iter *it, const Iter *root); /* by splits and fusions */
Reason legal_because(const char *why, Span at, const char *note);
bool legal_refuse(Apply *a, DiagCode code, Span at, const char *what, Reason r); /* true: there is no reason */
/* The loop in lanes around everything that d computes, its own or one of those that it is computed inside of. */
const Iter *legal_lanes_around(const PlanDef *d);
const PlanDef *legal_computed_inside(const Plan *p, const PlanDef *d, const Iter *it);

#endif
