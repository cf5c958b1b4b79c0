/* schedule: from TE IR to Tile IR. Bounds are proved here (bounds.c over poly.c, the home of ISL), the heuristic
 * chooses a plan (default.c), and lowering (lower.c) turns op and plan into a Tile program. */
#ifndef TCC_SCHEDULE_SCHEDULE_H
#define TCC_SCHEDULE_SCHEDULE_H

#include "ir/target.h"
#include "ir/te.h"
#include "ir/tile.h"

/* ---- bounds.c ------------------------------------------------------------------------------------------------------
 * Decides every access of op over all allowed sizes (dims symbolic within their ranges whatever they are bound to,
 * consts with their values), under the conditions that enclose it, and sets its LoadMode. An index from data becomes
 * LOAD_GATHER with a site. What can only be decided once sizes are known is added to op->check. Integer DIV and MOD
 * whose divisor may be 0 get a site (else -1). Output shapes that may be negative get a check. Refuted: an error with a
 * counterexample (sizes and indices). Undecided within the budget: an error that says so, with the mend. Returns
 * whether no error was found. */
bool sched_check_bounds(TeOp *op, Diags *diags);

/* ---- lower.c, default.c ---------------------------------------------------------------------------------------------
 */
typedef enum SchedMode { SCHED_NONE, SCHED_DEFAULT } SchedMode;
/* The Tile program of op (bounds checked; dims bound or dynamic). `why`, when not NULL, gets a line per decision. */
TileProg *sched_lower(Arena *mem, const TeOp *op, const Target *t, Numerics num, SchedMode mode, int threads,
                      Text *why);

#endif
