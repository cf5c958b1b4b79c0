/* sched_eval.h: what sched_assign.c needs of sched_eval.c. */
#ifndef TCC_FRONTEND_SCHED_EVAL_H
#define TCC_FRONTEND_SCHED_EVAL_H

#include "frontend/sched.h"

/* sched_eval, counting what it took; diags may be NULL. */
bool sched_eval_steps(const SchedEnv *env, const AstExpr *e, Diags *diags, SchedValue *v, int64_t *steps);

#endif
