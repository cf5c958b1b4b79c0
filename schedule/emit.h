/* emit (private to schedule): the state of emitting one definition of a plan. */
#ifndef TCC_SCHEDULE_EMIT_H
#define TCC_SCHEDULE_EMIT_H

#include "schedule/plan.h"

/* Which part of a definition the loops are for. WHOLE: outside of the accumulator, or no reduction. */
typedef enum Part { PART_WHOLE, PART_INIT, PART_UPDATE, PART_FINISH, PART_RESCALE } Part;

typedef struct Carry Carry;

/* A loop whose copies are made some iterations ahead, each into one of several buffers. */
typedef struct Pipe {
    struct Pipe *outer;
    Iter *it;
    Tensor **buf; /* by number of the stage; NULL: not staged there, or not read by this part */
} Pipe;

typedef struct Emit {
    Plan *p;
    Lower *l;
    PlanDef *d;
    Part part;
    int acc_at;  /* the accumulator is opened inside of so many loops; -1: there is none */
    int wait_at; /* the first reduction loop, when it is outside of the accumulator; else -1 */
    Tensor *acc, *where, *count;
    int partials;    /* under `ordered: P` */
    bool waits;      /* partial results wait between iterations of outer reduction loops: */
    bool in_result;  /* in the result, */
    Expr **wait_off; /* the pieces of cut extents that were open when these were made */
    Tensor *waiting, *waiting_at, *waiting_count; /* or here */
    Pipe *pipe;                                   /* the innermost one that is open */
    Carry *carry; /* of the recurrence whose loop is open; NULL: its values go through memory */
} Emit;

/* ---- emit.c */
void emit_nest_from(Emit *e, int pos);
void emit_def(Plan *p, PlanDef *d);
/* What must hold for the iterations that are open to be any at all; NULL: nothing. Without those of the reduction in
 * init and finish. */
Expr *emit_condition(Emit *e, bool reduction);
/* ---- emit_acc.c: the three parts of a reduction */
void acc_wait(Emit *e); /* before the first reduction loop: where partial results wait */
void acc_whole(Emit *e, int pos);
void acc_open(Emit *e); /* at one place: init, a step, finish */
void acc_update(Emit *e);
void acc_close(Emit *e);
void acc_rescale(Emit *e);
/* ---- emit_online.c: a maximum and a sum that go on from one iteration to the next */
bool online_outer(const Emit *e);                /* e->d is what the pass is over */
bool online_inner(const Emit *e);                /* e->d is the maximum or the sum */
void online_begin(Emit *e);                      /* before the pass: where they live */
void online_rescale(Emit *e, Iter *it, int pos); /* in an iteration, after they went on */
Expr *online_scaled(Emit *e, Expr *v);           /* v, summed up before this iteration */
void online_went_on(Emit *e, Expr *now);         /* the maximum, to now: by what all is scaled */
/* ---- emit_rows.c: loops over places origin + lo … origin + hi - 1 of an iter. A fused one that goes by rows has a
 * loop over its outer part (again by rows, when that is fused) and one over the places in that row; no division is left
 * inside. */
enum { ROWS_PARTS = 6 };
typedef struct Rows {
    Iter *it;
    Expr *origin, *lo, *hi;
    bool by_rows;
    Span at;
    struct Rows *outer; /* the loops over its outer part, both of them; NULL: there are none */
    Loop loop;          /* the inner one */
    bool turned; /* outermost part innermost: what the others decide is then the same for all of its iterations */
    int nparts;  /* loops over the others */
    Loop part[ROWS_PARTS];
    Expr *value, *places; /* of these loops together, and how many there are of it */
} Rows;
void rows_outer(Emit *e, Rows *r);
Expr *rows_inner(Emit *e, Rows *r); /* gives the place from origin on */
void rows_close_inner(Emit *e, Rows *r, LoopKind kind, int width);
void rows_close_outer(Emit *e, Rows *r);
/* By how many places of the last dimension the load moves from one value of v to the next; 0: not so. */
int64_t rows_step(const Emit *e, const Expr *load, const Var *v);
bool rows_may_turn(const Emit *e,
                   Iter *it); /* all parts but the outermost are whole indices, and that is long enough */
bool rows_single(const Emit *e, const Iter *it);                   /* of one place, whatever the sizes */
bool rows_joined(const Emit *e, const Expr *load, const Iter *it); /* a row continues where the one before it ended */
/* ---- emit_carry.c */
bool carry_open(Emit *e, int pos); /* before the loop at pos; false: not one whose values can be carried */
void carry_step(Emit *e);          /* the definition's statement, instead of its store */
/* ---- emit_near.c: what is computed or copied inside a loop, for what is inside of it */
void emit_producers(Emit *e, Iter *it);
Region near_cover(Emit *e, Iter *at, PlanDef *c); /* the loops of c cover what is needed of it there */
void near_uncover(PlanDef *c);
View *near_hold(Emit *e, Tensor *t, const PlanLayout *y, SchedScope scope, const Region *g, Span at);
void emit_copies(Emit *e, Iter *it);
/* Before the loop of `it`, which runs `trips` times: the buffers of its pipeline and the first copies; and after it. */
void pipe_open(Emit *e, Iter *it, Expr *trips);
void pipe_close(Emit *e, const Iter *it);
void emit_fetches(Emit *e, Iter *it);

#endif
