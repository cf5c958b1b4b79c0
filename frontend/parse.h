/* parse.h: what parse.c (items, statements, recovery), parse_expr.c (expressions), parse_help.c (what a mistake was
 * meant to be) and sched_parse*.c share. */
#ifndef TCC_FRONTEND_PARSE_H
#define TCC_FRONTEND_PARSE_H

#include "frontend/ast.h"
#include "frontend/lex.h"

/* One mistake a statement (or header): the first sets `failed`, which makes every further look at a token give T_ERROR,
 * so that all loops end and nothing more is reported until the caller has skipped to a place from where to go on. */
typedef struct Parser {
    Arena *mem;
    const Source *src;
    Diags *diags;
    Token *tok;
    int at;      /* the current token; never a comment */
    int last;    /* the token before it */
    bool failed; /* since the statement's start */
    bool broken; /* since the item's start: something was reported */
    bool told_semicolon;
    bool sched;             /* the file is a `.sched` one */
    int nest;               /* expressions inside one another */
    int braces;             /* open braces of reductions */
    ExprOp binary[T_COUNT]; /* the operator that a token is between two operands, else EX_COUNT */
    uint8_t prec[EX_COUNT]; /* of binary operators */
} Parser;

static inline TokenKind fe_kind(const Parser *p) { return p->failed ? T_ERROR : (TokenKind)p->tok[p->at].kind; }

/* ---- parse.c ---- */
TokenKind fe_kind_next(const Parser *p); /* of the token after the current one */
void fe_advance(Parser *p);
bool fe_accept(Parser *p, TokenKind kind);
/* Takes a token of this kind or reports "expected `]` after the index, found …", with a note at the token `open` (its
 * number, -1: none). */
bool fe_expect(Parser *p, TokenKind kind, const char *after, int open);
/* The same for the end of a list, before which a comma may be missing. */
bool fe_close_list(Parser *p, TokenKind kind, const char *after, int open);
/* Reports "expected WHAT, found …" at the current token and fails. NULL when that would only repeat a report. Where the
 * next line starts something new the place is the end of the line before. fe_expected_here: the current token itself.
 */
Diag *fe_expected(Parser *p, const char *what);
Diag *fe_expected_here(Parser *p, const char *what);
/* A name where one must be; reserved words are reported and taken. WHAT says whose: "an index name". */
AstName fe_name(Parser *p, const char *what);
Span fe_span(const Parser *p, int token);
Span fe_span_from(const Parser *p, int token); /* to the last token taken */
const char *fe_text(const Parser *p, int token);
const char *fe_found(const Parser *p); /* "`)`", "the end of the file" */
void fe_help(Parser *p, Diag *d, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

int fe_after(const Parser *p, int token); /* the next one that is no comment */
bool fe_first_on_line(const Parser *p, int token);
bool fe_adjacent(const Parser *p, int token); /* nothing is between it and the next one */
bool fe_is_word(TokenKind kind);              /* reserved */
bool fe_starts_item(const Parser *p);
void fe_opens_here(Parser *p, Diag *d, int open); /* a note at a bracket or `?` that something should match */

/* The comment lines directly above a token, without their `#`; NULL when there are none. */
const char *fe_documentation(Parser *p, int token);
void fe_find_operators(Parser *p); /* fills binary and prec */

/* ---- parse_header.c, parse_stmt.c ---- */
void fe_header(Parser *p, AstOp *op); /* from the name to the conditions */
void fe_body(Parser *p, AstOp *op);   /* from `{` to `}` */
/* Whether a statement starts at a token: `let`, or NAME or NAME[…], more of them after commas, then `=` in some form.
 */
bool fe_starts_statement(const Parser *p, int token);

/* ---- parse_expr.c ---- */
AstExpr *fe_expr(Parser *p);
AstRv fe_rv(Parser *p);
/* A literal, under a minus where one stands: the value of a const. */
AstExpr *fe_literal(Parser *p);
/* Reports that something is nested deeper than so many levels, and fails. */
void fe_too_deep(Parser *p, Span at, int levels);

/* ---- parse_help.c: each takes NULL, and but for the first leaves a report alone that has a help ---- */
void fe_help_with_token(Parser *p, Diag *d);                   /* what the current token alone tells */
void fe_help_with_operators(Parser *p, Diag *d);               /* it and its neighbour are an operator elsewhere */
void fe_help_with_list(Parser *p, Diag *d);                    /* a comma is missing before it */
void fe_help_with_operand(Parser *p, Diag *d);                 /* it cannot follow the operand before it */
void fe_help_with_name(Parser *p, Diag *d);                    /* it stands where a name should */
void fe_help_with_closing(Parser *p, Diag *d, TokenKind open); /* it stands where a bracket should close */
/* The token, or the one before it, is a word of another language. */
void fe_help_with_word(Parser *p, Diag *d, int token);
bool fe_has_help(const Diag *d);

/* ---- sched_parse.c ---- */
/* Whether a statement, param or schedule of a `.sched` file starts at a token. */
bool fe_starts_sched(const Parser *p, int token);

#endif
