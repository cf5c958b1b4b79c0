/* ast: a `.te` file as it was written. Made by parse.c, read by fmt.c and sema.c. Comments are kept in the file's token
 * stream. */
#ifndef TCC_FRONTEND_AST_H
#define TCC_FRONTEND_AST_H

#include "ir/te.h"

/* Levels that an expression may have as a tree (a chain a + b + c … has one for each operator), and as brackets,
 * prefixes and conditionals inside one another. */
enum { FE_DEPTH_MAX = 2048, FE_NEST_MAX = 512 };

typedef enum AstKind {
    AST_INT,    /* .i (the magnitude as uint64 bits: a minus belongs to it when it is the operand of AST_NEG), .text as
                   written */
    AST_FLOAT,  /* .text as written (rounded once to its type by sema); `inf` and `nan` too */
    AST_BOOL,   /* .i */
    AST_NAME,   /* .text */
    AST_CALL,   /* .text(arg...): a function, a user's fn or a dtype as a cast */
    AST_ACCESS, /* .text[arg... | other] */
    AST_REDUCE, /* .red */
    AST_UNARY,  /* .op is EX_NEG or EX_NOT; arg[0] */
    AST_BINARY, /* .op is the EX_ row; arg[0], arg[1] */
    AST_COND,   /* arg[0] ? arg[1] : arg[2] */
    AST_PAREN,  /* ( arg[0] ) */
    AST_ERROR   /* could not be read; already reported */
} AstKind;

typedef struct AstExpr AstExpr;

typedef struct AstName {
    const char *text;
    Span span;
} AstName;

typedef struct AstRv { /* ID ["in" lo ".." hi] */
    AstName name;
    AstExpr *lo, *hi; /* NULL when not written */
} AstRv;

typedef struct AstReduce {
    RedOp op;
    Span op_span;
    int nvars;
    AstRv *var;
    bool has_slot; /* "->" ID "in" lo ".." hi */
    AstRv slot;
    AstExpr *cond; /* or NULL */
    AstExpr *body;
} AstReduce;

struct AstExpr {
    AstKind kind;
    ExprOp op;
    Span span;
    uint64_t i;
    const char *text;
    Span name_span; /* CALL, ACCESS: of the name */
    int nargs;
    AstExpr **arg;
    AstExpr *other; /* ACCESS: after `|`, or NULL */
    AstReduce *red;
    int depth; /* of the tree: 1 for a leaf, at most FE_DEPTH_MAX, so that passes may recurse */
};

typedef struct AstDim {
    AstName name;
    bool has_default, has_range;
    int64_t dflt, lo, hi;
    Span default_span, range_span;
    int nhints;
    int64_t *hint;
    Span *hint_span;
    Span span;
} AstDim;

typedef struct AstConst {
    AstName name;
    DType type;
    Span type_span;
    AstExpr *value; /* a literal (under AST_UNARY NEG when it has a minus), or NULL */
} AstConst;

typedef struct AstParam {
    TensorKind kind; /* TK_INPUT, TK_CONST_INPUT, TK_INOUT; TK_OUTPUT for results */
    AstName name;
    DType type;
    Span type_span, span;
    bool has_shape;
    int rank;
    AstExpr **shape;
} AstParam;

typedef struct AstLhs {
    AstName name;
    bool has_index;
    int n;
    AstRv *ix;
} AstLhs;

typedef struct AstStmt {
    bool let;
    int nlhs;
    AstLhs *lhs;
    AstExpr *rhs;
    AstName seq; /* text NULL when absent */
    Span span;
} AstStmt;

typedef struct AstFn {
    AstName name;
    int nparams;
    AstName *param;
    AstExpr *body;
    const char *doc; /* the comment lines directly above, without `#`; NULL when none */
    Span span;
    bool broken; /* a mistake in it was reported, so that parts may be missing */
} AstFn;

typedef struct AstOp {
    AstName name;
    int ndims, nconsts, ninputs, noutputs, nwhere, nstmts;
    AstDim *dim;
    AstConst *cst;
    AstParam *input, *output;
    AstExpr **where;
    AstStmt **stmt;
    const char *doc;
    Span span;
    bool broken; /* as in AstFn */
} AstOp;

/* A fn or an op, in file order. */
typedef struct AstItem {
    AstFn *fn;
    AstOp *op;
} AstItem;

typedef struct Token Token; /* lex.h */

typedef struct AstFile {
    const Source *src;
    int nitems;
    AstItem *item;
    int ntokens; /* the whole token stream, comments among it, for fmt */
    Token *token;
} AstFile;

#endif
