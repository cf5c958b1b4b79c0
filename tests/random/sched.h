/* sched (private to run.c and sched_*.c): random schedules. One grows statement by statement: a statement is made from
 * the loops as they are at that point, and stays when the library accepts it. */
#ifndef TCC_TESTS_RANDOM_SCHED_H
#define TCC_TESTS_RANDOM_SCHED_H

#include "schedule/plan.h"
#include "tests/random/bench.h"

/* sched_gen.c */
typedef struct SchedGen SchedGen;
SchedGen *sched_gen(uint64_t seed, const Program *p); /* calloc'd */
/* The next statement for this plan, without the semicolon; false: that is enough. */
bool sched_next(SchedGen *g, const Plan *plan, char *to, size_t n);
SchedKind sched_kind_of(const char *statement);

/* sched_count.c: what was accepted and what was rejected, by kind and code; shared by all processes */
void count_open(void);                                      /* before the processes start; else nothing is counted */
void count_statement(const char *statement, const Diag *d); /* d: why it was rejected; NULL: accepted */
void count_pair(bool skipped);
void count_print(void);

/* sched_run.c: the schedules of one mode, through all that runs programs. */
Outcome run_schedules(Bench *b, const char *numerics);

#endif
