/* lex.h: the tokens of a `.te` or `.sched` file, for parse*.c, sched_parse*.c and the formatters. */
#ifndef TCC_FRONTEND_LEX_H
#define TCC_FRONTEND_LEX_H

#include "ir/base.h"
#include "ir/te.h"

typedef enum TokenKind {
#define TOKEN(ID, ...) T_##ID,
#include "frontend/tokens.def"
#undef TOKEN
    T_COUNT
} TokenKind;

/* What a token is where its kind alone does not tell; set by the parser, read by the formatter. */
typedef enum TokenRole {
    ROLE_NONE,
    ROLE_ITEM,       /* the first token of an op, fn or schedule */
    ROLE_STMT,       /* the first token of a statement */
    ROLE_BODY_OPEN,  /* the braces around statements */
    ROLE_BODY_CLOSE, /* the last token of an op or schedule */
    ROLE_PARAMS,     /* the parenthesis that opens an op's inputs */
    ROLE_UNARY,      /* a minus that has no left side */
    ROLE_COND_COLON, /* the colon of `?:` */
    ROLE_WORD,       /* `.sched`: a name from which a bracket stands apart */
    ROLE_TIGHT       /* `.sched`: an operator without space around it */
} TokenRole;

/* 12 bytes, since a line of 10 MB may hold millions. */
typedef struct Token {
    uint32_t at, len;
    uint8_t kind; /* TokenKind */
    uint8_t role; /* TokenRole */
    uint8_t
        lines; /* line ends between the token before and this one, 3 for more; 1 at least for the first of the file */
    bool bad;  /* it stands for something that was reported */
} Token;

/* Words of a token kind, by tokens.def. */
extern const char *const fe_token_text[T_COUNT];

/* All tokens of src, comments among them, T_END last. Mistakes are reported, in order of place, and the tokens are
 * those that were probably meant, so that the parser finds what else is wrong. */
Token *fe_lex(Arena *mem, const Source *src, Diags *diags, int *ntokens);
/* The same for a `.sched` file: `@`, a target after it, `.`, and names such as w'2. */
Token *fe_lex_sched(Arena *mem, const Source *src, Diags *diags, int *ntokens);

/* Of an INT token that is not bad. */
uint64_t fe_token_int(const Source *src, const Token *t);
/* Of a DTYPE token. */
DType fe_token_dtype(const Source *src, const Token *t);
const char *fe_dtype_name(DType t); /* NULL when users cannot write it */
/* Of an ID token: the reduction that it names, RED_COUNT when none. */
RedOp fe_token_red(const Source *src, const Token *t);

#endif
