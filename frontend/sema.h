/* sema.h: what the files of semantic analysis share.
 *
 *   sema.c        one op: its fns, header, statements in order; what must hold at the end
 *   sema_names.c  the one namespace, scopes of index variables, suggestions for misspelled names, reporting
 *   sema_stmt.c   statements: left sides, `let` domains, `seq`, topk's two results
 *   sema_infer.c  the extent of an index from where it stands alone in an access
 *   sema_poly.c   sizes as polynomials: are two equal, is one below the other, for every allowed size
 *   sema_expr.c   expressions: names, operators, accesses, conditionals
 *   sema_call.c   calls: functions of the table, casts, `fn`s (which stand for their body)
 *   sema_red.c    reductions
 *   sema_type.c   literals and the type beside them
 *   sema_lit.c    the value of a literal in a type
 *
 * A value that is made of literals only has no type yet: it is a Pend, a small tree that becomes expressions when
 * something beside it gives the type (settle), or by default. Everything else is a typed Expr at once. A Val that is
 * neither is erroneous: it was reported, and silences what depends on it. */
#ifndef TCC_FRONTEND_SEMA_H
#define TCC_FRONTEND_SEMA_H

#include "frontend/ast.h"
#include "frontend/closest.h"
#include "frontend/frontend.h"
#include "ir/num.h"
#include "ir/te.h"

enum {
    STMTS_MAX = 4096,   /* of an op: some passes take time in their square */
    RANK_MAX = 64,      /* dimensions of a tensor, variables of a reduction, parameters of a fn */
    TREE_MAX = 1 << 18, /* nodes that a walk over one statement meets; a shared argument counts wherever it stands */
    TREE_DEPTH = 2500,  /* levels, fns written out */
    WORK_MAX = 1 << 20  /* nodes visited for one op */
};

typedef struct Pend Pend;

typedef struct Val {
    Expr *e;       /* typed */
    Pend *p;       /* literals only */
    uint32_t size; /* nodes of the tree, saturating */
    uint32_t depth;
} Val;

struct Pend {
    ExprOp op;          /* INT, FLOAT, an operator, REDUCE (its body is arg[0]), or LOAD: see wild */
    const AstExpr *lit; /* INT, FLOAT */
    bool neg;           /* a minus belongs to the literal */
    bool has_float;     /* a float literal is among its leaves */
    bool wild;          /* only while the type of a recurrence is sought: a read of the tensor itself */
    int nargs;
    Val arg[3]; /* SELECT, PICK: arg[0] is the condition, typed; POWI: arg[1] is the exponent, typed */
    Reduce *red;
    Span span;
    int nmemo; /* what it has become, by type: an argument that is used twice is computed once */
    Expr *memo[4];
};

typedef enum SymKind { SYM_DIM, SYM_CONST, SYM_TENSOR, SYM_INDEX, SYM_FN, SYM_BAD } SymKind;

typedef struct Sym {
    const char *name;
    SymKind kind;
    int at;    /* DIM, CONST: its number */
    Tensor *t; /* TENSOR */
    bool defined, assigned;
    int nassigned; /* TENSOR: assignments so far */
    Span span;
} Sym;

/* An index variable that is visible, or (var NULL) one whose range could not be had: reported. */
typedef struct Bound {
    const char *name;
    Var *var;
    Span span;
} Bound;

/* A fn that is being written out: names are looked up among its parameters. */
typedef struct Frame {
    const AstFn *fn;
    const Val *arg;
    Span call;
    int scope; /* index variables from here on are its own */
    struct Frame *up;
} Frame;

typedef struct FnSym {
    const AstFn *fn;
    bool bad; /* an error in it was reported: uses are silent */
} FnSym;

typedef struct Poly Poly; /* sema_poly.c */
typedef struct Atom Atom;
typedef struct Rule {
    const Atom *atom; /* a `where` condition says atom == to */
    const Poly *to;
} Rule;

typedef struct Sema {
    Arena *mem;
    const AstFile *file;
    const AstOp *ast;
    TeOp *op;
    Diags *diags;
    int errors;       /* this op's, dropped repetitions among them */
    bool dry;         /* nothing is reported: the type of a recurrence is sought */
    bool trial;       /* a fn is checked by itself: its parameters take any type */
    bool gave_up;     /* too large: everything is an error from here on, silently */
    const char *size; /* NULL, or what may use dims and consts only: "a shape" */
    int work, nest;
    NameTable syms;     /* Sym * */
    NameTable fn_names; /* FnSym number + 1, in fns */
    VEC(Bound) scope;
    VEC(FnSym) fns; /* those visible */
    Frame *frame;
    VEC(Def *) defs;
    VEC(Check) checks;
    VEC(Atom *) atoms;
    VEC(Rule) rules;         /* sizes that are equal by `where` */
    VEC(const Poly *) least; /* polynomials that a `where` condition keeps at 0 or above */
    /* the statement at hand */
    const AstStmt *stmt;
    Tensor *self; /* what it defines, when it may not be read but for `seq` */
    Sym *self_sym;
    Var *seq;
    int seq_at;
    Var *slot; /* of topk: not to be used on the right */
} Sema;

/* ---- sema_names.c */
/* Whether this mistake is to be reported: not in a dry run, after giving up, or at a place where it was already. */
bool fe_fresh(Sema *s, DiagCode code, Span span);
Diag *fe_framed(Sema *s, Diag *d); /* notes which calls of fns lead here */
/* Gives the diagnostic, or NULL when it is not reported; the two below take NULL. */
#define FE_ERROR(s, code, span, ...)                                                                                   \
    (fe_fresh((s), (code), (span)) ? fe_framed((s), diag_error((s)->diags, (code), (span), ##__VA_ARGS__)) : NULL)
void fe_help_at(Sema *s, Diag *d, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void fe_note_at(Sema *s, Diag *d, Span span, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
Sym *fe_find(Sema *s, const char *name);
/* A new name of the op; reports it when the name is taken, and gives the new symbol all the same. */
Sym *fe_declare(Sema *s, AstName name, SymKind kind);
bool fe_index_name(Sema *s, AstName name); /* may it name an index variable here? reports when not */
void fe_bind(Sema *s, AstName name, Var *v);
const Bound *fe_bound(Sema *s, const char *name);
const char *fe_fresh_index(Sema *s, const char *name); /* for a fn's own index: a name that is free in the op */
FnSym *fe_fn(Sema *s, const char *name);
void fe_add_fn(Sema *s, const AstFn *fn, bool bad);
typedef enum Want { WANT_VALUE = 1, WANT_TENSOR = 2, WANT_FN = 4, WANT_SIZE = 8 } Want;
bool fe_suggest(Sema *s, Diag *d, const char *name, Want want); /* whether there is one */
const char *fe_what(const Sym *sym);                            /* "an input", "a dim" */
bool fe_few(Sema *s, int n, const char *what, Span span);       /* at most RANK_MAX? reports when not */
const char *fe_src(Sema *s, Span span);                         /* the text at span, shortened */

/* ---- sema_type.c */
Val fe_typed(Sema *s, Expr *e, const Val *parts, int n); /* the parts' sizes are counted */
Val fe_leaf(Expr *e);
Val fe_pend(Sema *s, Pend *p);
static inline bool fe_bad(Val v) { return !v.e && !v.p; }
/* v as a value of type t. NULL when it was erroneous or is now reported. */
Expr *fe_settle(Sema *s, Val v, DType t);
Expr *fe_default(Sema *s, Val v);                            /* with nothing beside it */
Expr *fe_index(Sema *s, Val v, const char *what, Span span); /* where an index must stand: integers become one */
Expr *fe_assignable(Sema *s, Val v, DType t, const char *what, Span span); /* v must have type t, literals take it */
/* The one type that stands beside one another in v[0..n). DT_NONE: literals only (or erroneous: *bad). Reports
 * different types; `at` is the operator or function. */
DType fe_beside(Sema *s, const Val *v, const Span *span, int n, const char *at, Span where, bool *bad);
/* v as one operand of type t, as fe_beside found it. */
Expr *fe_operand(Sema *s, Val v, DType t);
/* The value of a literal in a type; reports when it does not fit. */
Expr *fe_literal_value(Sema *s, const AstExpr *lit, bool neg, DType t, Span span);
/* The value of text (--const) in a type; false when it is none. */
bool fe_text_value(TeOp *op, const char *text, DType t, Span span, Expr **value, const char **why);

/* ---- sema_expr.c, sema_call.c, sema_red.c */
void fe_too_large(Sema *s, const char *what); /* reports it, once; all that follows is silent */
Val fe_value(Sema *s, const AstExpr *a);
Val fe_operator(Sema *s, Span whole, ExprOp o, int n, const Val *v, const Span *span);
Val fe_choice(Sema *s, ExprOp o, const Val *v, const Span *span, Span whole);
Val fe_call(Sema *s, const AstExpr *a);
Val fe_reduction(Sema *s, const AstExpr *a);
bool fe_condition(Sema *s, Val v, Span span, const char *what, Expr **out);
/* topk as the whole right side: lhs index `slot` has been bound. */
Expr *fe_topk(Sema *s, const AstExpr *a, Var *slot);
bool fe_over_sizes(const Expr *e);                          /* dims, consts and what is computed from them */
Expr *fe_size(Sema *s, const AstExpr *a, const char *what); /* an index over dims and consts; NULL after a report */
bool fe_check_fn(Sema *s, const AstFn *fn);                 /* what is wrong whatever the types */
bool fe_works_on(Sema *s, ExprOp o, DType t, Span span);    /* may o compute on t? reports when not */
bool fe_reduces(Sema *s, RedOp r, DType t, Span span);
bool fe_builtin(const char *name);

/* ---- sema_infer.c */
/* The extent of index `name` from places in the trees given (NULLs are skipped); NULL when there is none, and then
 * *silent says that a mistake elsewhere may be why. Reports places that disagree. */
typedef struct Infer {
    const char *name;
    Expr *extent; /* what was found */
    Span place;   /* the access */
    const char *text;
    bool silent, clash;
} Infer;
void fe_infer(Sema *s, Infer *f, const AstExpr *a);

/* ---- sema_poly.c */
/* Each holds for every allowed size; index variables stand for every value of their range. */
bool fe_same_size(Sema *s, const Expr *a, const Expr *b);
bool fe_at_least(Sema *s, const Expr *a, const Expr *b, int64_t more); /* a >= b + more */
bool fe_size_is(Sema *s, const Expr *a, int64_t value);
void fe_learn(Sema *s, const Expr *where); /* from a condition that holds */

/* ---- sema_stmt.c */
void fe_statement(Sema *s, const AstStmt *st);

#endif
