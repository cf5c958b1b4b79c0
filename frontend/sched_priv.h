/* sched_priv.h: what the files that read `.sched` share. */
#ifndef TCC_FRONTEND_SCHED_PRIV_H
#define TCC_FRONTEND_SCHED_PRIV_H

#include "frontend/closest.h"
#include "frontend/parse.h"
#include "frontend/sched.h"

/* What a file, and a schedule, may have; and blocks inside one another, so that conditions still have room. */
enum { SCHED_STMTS_MOST = 10000, SCHED_PARAMS_MOST = 1000, SCHED_NEST_MAX = FE_NEST_MAX / 2 };

typedef struct SchedParser {
    Parser p;
    int end;    /* the last token */
    int nstmts; /* in the file so far */
    bool full;  /* too many of something, reported: nothing more is read */
    bool ended; /* that the file ends too soon was reported */
} SchedParser;

/* ---- sched_words.c: names and words ---- */
/* Whether a token is this word. Words are reserved nowhere: what they mean depends on where they stand. */
bool sched_is(const Parser *p, int token, const char *word);
/* Takes the word when it is the current token. */
bool sched_accept(SchedParser *x, const char *word);
/* Takes it or reports "expected `by` after the loops, found …". */
bool sched_expect(SchedParser *x, const char *word, const char *where);
/* A name; WHAT says whose: "the name of a definition". counted: it may be w'2. */
AstName sched_name(SchedParser *x, const char *what, bool counted);
/* For each name the first one of the same text before it, or -1. */
int *sched_earlier(Arena *mem, int n, const AstName *const *name);
/* A help that says which of the names was meant, or lists them. Empty names are none. */
void sched_help_names(SchedParser *x, Diag *d, const char *text, const char *kinds, int n, const char *const *names);
/* The statement whose word a token is; SS_COUNT when there is none. */
SchedKind sched_statement_at(const Parser *p, int token);

/* ---- sched_parse_expr.c ---- */
/* A number, written without space around its arithmetic; a condition, or a number where there is room. Both hold only
 * what schedules can compute. */
AstExpr *sched_number(SchedParser *x);
AstExpr *sched_condition(SchedParser *x);
/* Numbers with commas between them. */
void sched_numbers(SchedParser *x, int *n, AstExpr ***at);
/* The value of an integer as written, a minus in front allowed. */
bool sched_literal(const AstExpr *e, int64_t *v);
/* The function of schedules with this name; EX_COUNT when there is none. */
ExprOp sched_function(const char *name);
/* Gives the nearest among target.NAME as a help, or the list. */
void sched_help_property(Diags *diags, Diag *d, const char *name);

/* ---- sched_parse_stmt.c ---- */
/* One statement, without its `;`. NULL after a failure (p.failed). */
SchedStmt *sched_statement(SchedParser *x, SchedKind kind);

/* ---- sched_parse.c ---- */
/* `{` statements `}`; nothing is left failed. */
void sched_block(SchedParser *x, int *n, SchedStmt ***at);

#endif
