/* schedule: from TE IR to Tile IR. Bounds are proved here (bounds.c over poly.c, the home of ISL), the heuristic
 * chooses a plan (default.c), and lowering (lower.c) turns op and plan into a Tile program. */
#ifndef TCC_SCHEDULE_SCHEDULE_H
#define TCC_SCHEDULE_SCHEDULE_H

#include "ir/target.h"
#include "ir/te.h"
#include "frontend/sched.h"
#include "ir/tile.h"

/* ---- bounds.c ------------------------------------------------------------------------------------------------------
 * Decides every access of op over all allowed sizes (dims symbolic within their ranges whatever they are bound to,
 * consts with their values), under the conditions that enclose it, and sets its LoadMode. An index from data becomes
 * LOAD_GATHER with a site. What can only be decided once sizes are known is added to op->check. Integer DIV and MOD
 * whose divisor may be 0 get a site (else -1). Output shapes that may be negative get a check. Refuted: an error with a
 * counterexample (sizes and indices). Undecided within the budget: an error that says so, with the mend. Returns
 * whether no error was found. */
bool sched_check_bounds(TeOp *op, Diags *diags);

/* bounds_tile.c: the same of a Tile program that came as text (tile_verify accepts it): every access that does not
 * check itself, every division without a site; extents that may be negative get a check. Returns whether no error was
 * found. */
bool sched_check_tile(TileProg *p, Diags *diags);

/* ---- lowering ---------------------------------------------------------------------------------------------
 */
typedef enum SchedMode { SCHED_NONE, SCHED_DEFAULT, SCHED_FILE } SchedMode;
/* The Tile program of op (bounds checked; dims bound or dynamic). `why`, when not NULL, gets a line per decision. */
TileProg *sched_lower(Arena *mem, const TeOp *op, const Target *t, Numerics num, SchedMode mode, int threads,
                      Text *why);

/* ---- use.c ---------------------------------------------------------------------------------------------------------
 * The schedule of a file that is for op and target: the one of that name, or, when name is NULL, the only one that
 * fits. NULL after an error. */
const Sched *sched_choose(Arena *mem, const SchedFile *f, const char *name, const TeOp *op, const Target *t,
                          Diags *diags);
typedef struct SchedUse {
    const Sched *sched;
    const Target *target;
    Numerics num;
    int threads, nset;
    const SchedSet *set; /* values given for params */
} SchedUse;
/* The Tile program that a schedule makes of op. NULL after errors: a statement that is not legal or does not match. A
 * `when` that sizes decide becomes a branch to what sched_lower would make. */
TileProg *sched_lower_with(Arena *mem, const SchedUse *u, const TeOp *op, Diags *diags, Text *why);
/* The default: the schedule that the model writes goes to u->sched; NULL there where the heuristic lowers without one.
 */
TileProg *sched_lower_default(Arena *mem, SchedUse *u, const TeOp *op, Text *why);
/* What people look at; false after errors. The program as written and after each statement; the schedule with its
 * params' values filled in; the params with their sets and conditions. */
bool sched_steps(Arena *mem, const SchedUse *u, const TeOp *op, Diags *diags, Text *out);
bool sched_filled(Arena *mem, const SchedUse *u, const TeOp *op, Diags *diags, Text *out);
bool sched_space(Arena *mem, const SchedUse *u, const TeOp *op, Diags *diags, Text *out);

#endif
