/* bounds: what the files of the bounds proof share (schedule/bounds*.c); nobody else includes this.
 *
 *   bounds.c           walks the definitions with the conditions that enclose each access, and reports
 *   bounds_tile.c      the same questions of a Tile program that came as text
 *   bounds_symbolic.c  index expressions as polynomials over atoms
 *   bounds_form.c      conditions as formulas over polynomials
 *   bounds_prove.c     the proof: facts, products of facts, case splits, ISL (poly.h)
 *   bounds_witness.c   the search for a counterexample, by evaluation at sizes that are tried
 *   bounds_call.c      what is left to be checked once per call
 *   bounds_wrap.c      sizes at which index arithmetic would leave 64 bits: checked once per call
 *
 * Verdicts are three and are never mixed up: proved (by poly.c), refuted (a counterexample was evaluated), undecided.
 */
#ifndef TCC_SCHEDULE_BOUNDS_H
#define TCC_SCHEDULE_BOUNDS_H

#include "ir/te.h"
#include "schedule/schedule.h"

/* ---- symbolic ---------------------------------------------------------------------------------------------------
 * A Sym is a polynomial with integer coefficients over atoms: dims, index variables, floor quotients, minima, maxima,
 * choices, and opaque data (equal expressions are one atom). NULL stands for "not representable". Monomial 0 is 1. */
typedef struct Term {
    int mono;
    int64_t c;
} Term;
typedef struct Sym {
    int n;
    Term t[]; /* by mono, no zero coefficients */
} Sym;

enum { MONO_DEGREE = 8 };
typedef struct Mono {
    int n, atom[MONO_DEGREE]; /* sorted, repeated for powers */
    int chain;
} Mono;

/* An interval; ends beyond RANGE_LEAST and RANGE_MOST are infinite. */
#define RANGE_MOST  (INT64_C(1) << 62)
#define RANGE_LEAST (-RANGE_MOST)
typedef struct Range {
    int64_t lo, hi;
} Range;

typedef struct Row { /* p >= 0, or p == 0 */
    const Sym *p;
    bool eq;
} Row;

typedef enum FormKind { FORM_TRUE, FORM_FALSE, FORM_ROW, FORM_AND, FORM_OR } FormKind;
typedef struct Form {
    FormKind kind;
    int n;
    Row row;
    const struct Form *const *arg;
} Form;

typedef enum AtomKind { ATOM_DIM, ATOM_VAR, ATOM_QUOT, ATOM_MIN, ATOM_MAX, ATOM_PICK, ATOM_OPAQUE } AtomKind;
typedef struct Atom {
    AtomKind kind;
    int sym;              /* DIM */
    const Expr *e;        /* OPAQUE: the expression; PICK: its condition */
    const Var *var;       /* VAR */
    const Sym *a, *b;     /* QUOT: floor(a / b); MIN, MAX; PICK: the two values */
    int mono;             /* the monomial that is this atom */
    Range range;          /* whatever the context */
    const Form *fact;     /* what always holds; QUOT: when b > 0 */
    const Form *fact_neg; /* QUOT: when b < 0 */
    int chain;
} Atom;

/* A context: what is known where an expression is evaluated; a list from inner to outer, shared by expressions. */
typedef enum CtxKind { CTX_ROOT, CTX_VAR, CTX_COND, CTX_ACCESS } CtxKind;
typedef struct CtxProof {
    struct CtxProof *next;
    const Sym *goal;
    bool ok;
} CtxProof;
typedef struct Ctx {
    struct Ctx *up, *child, *sibling;
    CtxKind kind;
    int depth;
    Var *var;         /* VAR: it lies in its range */
    bool data, dead;  /* data: that range comes from data; dead: nothing is evaluated here */
    const Expr *cond; /* COND: holds; ACCESS: of this guarded access all indices are in bounds; neg: the opposite */
    bool neg;
    const Form *form;
    CtxProof *proofs; /* goals decided here before */
    int *quot_state;  /* bounds_prove.c: sign of divisors, per atom */
    int nquot;
} Ctx;

enum { HASH_SIZE = 512 };
typedef struct Bounds {
    TeOp *op;
    Diags *diags;
    Arena *mem;
    VEC(Mono) mono;
    VEC(Atom) atom;
    VEC(Range) base;      /* by monomial, from the ranges of its atoms */
    VEC(int) high;        /* monomials of degree 2 and more */
    struct Ranges *spare; /* tables of ranges that no proof uses now */
    int mono_hash[HASH_SIZE], atom_hash[HASH_SIZE];
    int nexprs; /* sizes of the tables by Expr.id: nodes made later are not in them */
    const Sym **sym;
    bool *sym_done;
    Ctx *root;
    long budget;                  /* work of the simplex method that is left to this op */
    int64_t *dim_hint, *var_hint; /* a point that the last failed proof left possible */
    bool *var_data;               /* by Var.id: its range depends on data */
} Bounds;

/* ---- bounds_symbolic.c */
void sched_sym_begin(Bounds *b);                   /* once, before all else */
const Sym *sched_sym_of(Bounds *b, const Expr *e); /* of an index or integer expression */
const Sym *sched_sym_const(Bounds *b, int64_t v);
const Sym *sched_sym_add(Bounds *b, const Sym *p, const Sym *q, int64_t k); /* p + k q */
const Sym *sched_sym_mul(Bounds *b, const Sym *p, const Sym *q);
const Sym *sched_sym_mono(Bounds *b, int mono, int64_t c);
bool sched_sym_equal(const Sym *p, const Sym *q);
bool sched_sym_is_const(const Sym *p, int64_t *v);
Range sched_sym_range(const Bounds *b, const Sym *p, const Range *mono); /* mono: by monomial, or NULL */
Range sched_mono_range(const Bounds *b, int mono, const Range *by_mono);
int sched_mono_product(Bounds *b, int x, int y);                     /* -1: the degree is too high */
int sched_mono_quotient(Bounds *b, int m, int u);                    /* m / u, or -1 when u does not divide m */
bool sched_expr_same(const Bounds *b, const Expr *x, const Expr *y); /* equal structure, whatever the spans */
Range sched_type_range(DType t);
Range sched_range_mul(Range x, Range y);
bool sched_is_data(const Bounds *b, const Expr *e); /* its value depends on data (or cannot be analysed) */

const Sym *sched_sym_opaque(Bounds *b, const Expr *e);

/* ---- bounds_form.c */
const Form *sched_form_of(Bounds *b, const Expr *e, bool neg); /* of a u1 expression */
const Form *sched_form_and(Bounds *b, int n, const Form *const *arg);
const Form *sched_form_or(Bounds *b, int n, const Form *const *arg);
const Form *sched_form_row(Bounds *b, const Sym *p, bool eq);
const Form *sched_atom_fact(Bounds *b, const Atom *a,
                            bool neg); /* what its meaning says; neg: QUOT by a negative divisor */

/* ---- bounds_prove.c */
bool sched_prove(Bounds *b, Ctx *ctx, const Sym *goal); /* goal >= 0 wherever ctx holds */
bool sched_prove_not_zero(Bounds *b, Ctx *ctx, const Sym *x);
bool sched_ctx_dead(Bounds *b, Ctx *ctx); /* nothing satisfies ctx */

/* ---- bounds_witness.c: sizes, variables and data at which a question has the answer no */
typedef enum Ask {
    ASK_INDEX, /* 0 <= x < y */
    ASK_LESS   /* x < y */
} Ask;
typedef struct Question {
    Ask ask;
    const Expr *x, *y;
} Question;
typedef struct Witness {
    const int64_t *dim, *var;        /* by number; by Var.id */
    const bool *dim_used, *var_used; /* the answer depends on it */
    bool data_used;
    int64_t x, y;
    long sizes; /* choices of sizes at which some point was evaluated, and the answer was yes everywhere that was tried
                 */
} Witness;
bool sched_refute(Bounds *b, const Ctx *ctx, const Question *q, Witness *w);
/* Would a check of `cond` refuse a call that is good, as far as tried? Also true when it was never tried. */
bool sched_refuses_good(Bounds *b, const Ctx *ctx, const Question *q, const Expr *cond);

/* ---- bounds_call.c: a condition on dims that implies the question's answer yes, checked against sizes that are tried;
 * NULL when there is none. */
Expr *sched_call_check(Bounds *b, const Ctx *ctx, const Question *q);

/* ---- bounds_wrap.c: index arithmetic on sizes that may leave 64 bits, each with the condition on dims that it does
 * not */
typedef void Wraps(void *to, const Expr *e, Expr *cond);
void sched_find_wraps(Bounds *b, Wraps *found, void *to);

/* ---- bounds.c */
void sched_bounds_begin(Bounds *b, Arena *mem, TeOp *op, Diags *diags);       /* but for the root context */
Ctx *sched_enter_var(Bounds *b, Ctx *ctx, Var *v);                            /* it lies in its range */
Ctx *sched_enter_if(Bounds *b, Ctx *ctx, const Expr *e, bool neg);            /* e holds; neg: it does not */
Ctx *sched_enter_outside(Bounds *b, Ctx *ctx, const Expr *load);              /* an index of load is out of bounds */
bool sched_index_proved(Bounds *b, Ctx *ctx, const Expr *x, const Expr *end); /* 0 <= x < end wherever ctx holds */
bool sched_divides(const Expr *e);                                            /* an integer division or remainder */
const char *sched_quote(Bounds *b, const Expr *e);                            /* as the user wrote it, on one line */
const char *sched_where_at(Bounds *b, const Ctx *ctx, const Witness *w);      /* "N = 4, i = 3" */

#endif
