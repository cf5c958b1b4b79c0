/* tile_read: the reader of Tile text, shared by tile_lex.c (tokens), tile_parse_expr.c and tile_parse.c. The first
 * error is reported and ends the reading (a longjmp to tile_parse). */
#ifndef TCC_IR_TILE_READ_H
#define TCC_IR_TILE_READ_H

#include "ir/tile_priv.h"

typedef enum TokenKind { TOK_END, TOK_NAME, TOK_INT, TOK_FLOAT, TOK_STRING, TOK_OP } TokenKind;

typedef struct Token {
    TokenKind kind;
    Span span;
    bool quoted;      /* NAME: written in backticks, so never a keyword */
    const char *text; /* NAME, STRING: the text; FLOAT: its digits; OP: itself */
    uint64_t i;       /* INT */
    DType type;       /* INT, FLOAT */
} Token;

typedef enum NameKind { NAME_VAR, NAME_DIM, NAME_CONST, NAME_TENSOR } NameKind;
typedef struct Name {
    NameKind kind;
    int sym;
    Var *var;
    Tensor *tensor;
} Name;

typedef struct Reader {
    Arena *mem;
    const Source *src;
    Diags *diags;
    jmp_buf failed;
    TileProg *p;
    TeOp *op;
    size_t pos;    /* where the next token is looked for */
    Token tok;     /* the next token */
    uint32_t last; /* end of the token before it */
    int nest;      /* parentheses and blocks that are open */
    TileNames visible;
    VEC(Name) names;   /* what the visible ones are, by their number */
    VEC(Expr *) named; /* the `$n` of this statement */
    VEC(int) depth;    /* of each expression, by id */
    VEC(Def *) defs;   /* stand-ins that hold the names of loops' definitions */
} Reader;

/* ---- tile_lex.c ---- */
void tile_next(Reader *r);
/* Reports (a code, a span, what the code's text takes) and ends the reading. */
#define TILE_FAIL(r, ...) (diag_error((r)->diags, __VA_ARGS__), longjmp((r)->failed, 1))
_Noreturn void tile_expected(Reader *r, const char *what); /* at the next token */
bool tile_is(const Reader *r, const char *op);
bool tile_is_word(const Reader *r, const char *word);
bool tile_take(Reader *r, const char *op);        /* skips it if it is next */
bool tile_take_word(Reader *r, const char *word); /* a name that stands for a keyword here */
void tile_need(Reader *r, const char *op);
void tile_need_word(Reader *r, const char *word);
Span tile_since(const Reader *r, uint32_t at); /* from `at` to the end of the last token */
const char *tile_raw_target(Reader *r);        /* after the `@` that is the next token */

/* ---- tile_parse_expr.c ---- */
void tile_nest(Reader *r); /* one level deeper; the level's end does r->nest-- */
const Name *tile_lookup(Reader *r, const char *text);
void tile_declare(Reader *r, const char *text, Name n, Span at);
void tile_forget(Reader *r, int n); /* all but the first n visible names */
const char *tile_read_name(Reader *r, const char *what, Span *at);
DType tile_read_type(Reader *r);
int64_t tile_read_int(Reader *r, const char *what, int64_t least, int64_t most); /* a plain integer */
Expr *tile_read_literal(Reader *r);
Expr *tile_read_expr(Reader *r);
Expr *tile_read_bound(Reader *r); /* as an expression, but `?:` stands in parentheses */

#endif
