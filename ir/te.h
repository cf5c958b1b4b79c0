/* te: TE IR (pure index notation: a list of definitions over tensors, no loops, no memory) and the scalar expressions
 * that it shares with Tile IR.
 *
 * Expressions are immutable, typed, and form a DAG: the argument of a `fn` is one node however often the body uses it,
 * so a pass that walks expressions must either tolerate revisits or keep a table by Expr.id (dense in its op:
 * TeOp.nexprs). Consts have a value. Dims have a value or stay dynamic (-1); dims are always reached through EX_DIM and
 * the op's table, so a TeOp is bound to sizes by copying its dims table (te_bind), never by rewriting expressions.
 * Relies on base.h and num.h only. */
#ifndef TCC_IR_TE_H
#define TCC_IR_TE_H

#include "ir/base.h"

typedef enum DType {
#define TYPE(ID, ...) DT_##ID,
#include "ir/dtypes.def"
#undef TYPE
    DT_COUNT,
    DT_NONE = DT_COUNT
} DType;

typedef enum ExprOp {
#define EXPR(ID, ...) EX_##ID,
#include "ir/ops.def"
#undef EXPR
    EX_COUNT
} ExprOp;

typedef enum RedOp {
#define RED(ID, ...) RED_##ID,
#include "ir/reds.def"
#undef RED
    RED_COUNT
} RedOp;

typedef struct Expr Expr;
typedef struct Tensor Tensor;
typedef struct Reduce Reduce;

/* An index variable: of a definition's left side, of a reduction, or (Tile IR) of a loop. Type index.
 * lo/hi: its range, hi excluded. For reductions they may mention outer variables, earlier variables of the same braces
 * and data. */
typedef struct Var {
    const char *name;
    int id; /* dense in its op: TeOp.nvars */
    Expr *lo, *hi;
    bool written; /* the range was written by the user (else inferred) */
    Span span;
} Var;

/* How an access is known to be in bounds; set by bounds_check (schedule/bounds.c) after sema, per LOAD node. */
typedef enum LoadMode {
    LOAD_UNCHECKED_YET, /* sema leaves this */
    LOAD_PROVED,        /* in bounds for every allowed size, or by TeOp.checks decided once per call */
    LOAD_GUARDED,       /* carries `| v`: .other is its value where any index is out of bounds */
    LOAD_GATHER         /* an index comes from data: checked at run time; .site names it in TeOp.sites */
} LoadMode;

struct Expr {
    uint8_t op;   /* ExprOp */
    uint8_t type; /* DType of the value */
    uint8_t nargs;
    uint8_t flag; /* LOAD: LoadMode. MUL in a reduction body of an ordered sum: see Reduce.fma. Others: 0 */
    int id;
    Span span;
    union {
        int64_t i; /* INT (u1: 0 or 1; u64: the bits) */
        double f;  /* FLOAT */
        Var *var;
        int sym; /* DIM, CONST */
        struct {
            Tensor *t;
            Expr *other; /* the `| v` value or NULL */
            int site;    /* LOAD_GATHER, and integer DIV/MOD that may divide by 0 use Expr.site below */
        } load;
        Reduce *red;
        int site; /* DIV, MOD on integers: number in TeOp.sites when the divisor may be 0, else -1 */
    };
    Expr *arg[];
};

struct Reduce {
    RedOp op;
    int nvars;
    Var **var;  /* last is fastest */
    Expr *cond; /* `if`, u1, or NULL */
    Expr *body; /* its type is the accumulator's */
    bool fma;  /* sum only: the body as written is a multiplication, so that under `ordered` each term enters as one fma
                */
    Var *slot; /* topk: s in 0..K */
    Span span;
};

typedef enum TensorKind {
    TK_INPUT,
    TK_CONST_INPUT,
    TK_INOUT,
    TK_OUTPUT,
    TK_LET,   /* TE IR */
    TK_BUFFER /* Tile IR: a buffer allocated by the program */
} TensorKind;

typedef enum Scope { SCOPE_GLOBAL, SCOPE_SHARED, SCOPE_LOCAL, SCOPE_REG, SCOPE_FRAG } Scope;

struct Tensor {
    const char *name;
    DType type;
    TensorKind kind;
    int rank;
    Expr **shape; /* index expressions over dims and consts (a let's: hi of its index ranges; they start at 0) */
    bool scalar;  /* declared without brackets: rank 0, passed by value */
    int id; /* dense in its op: TeOp.ntensors; parameters come first, in declaration order (inputs, then outputs) */
    Scope scope; /* Tile IR */
    Span span;
};

typedef struct Dim {
    const char *name;
    bool has_default;
    int64_t dflt;
    int64_t lo, hi; /* allowed sizes, both ends included; 1 .. 2^31-1 unless written */
    bool has_range; /* written */
    int nhints;
    int64_t *hint;
    int64_t value;    /* the size it is bound to, or -1: dynamic */
    int64_t multiple; /* its size is a multiple of this; 0: nothing is known */
    Span span;
} Dim;

typedef struct Const {
    const char *name;
    DType type;
    bool has_default; /* one without a default must be given */
    Expr *value;      /* an INT or FLOAT node of its type */
    bool overridden;  /* given by --const rather than by its default */
    Span span;
} Const;

/* One statement: for every index in ix's ranges, out[index] = rhs. nout is 2 only for topk (values, indices), where rhs
 * is one REDUCE node whose slot is ix[slot_at]. An inout may be the out of several definitions; each reads the values
 * from before it. */
typedef struct Def {
    const char *name; /* as schedules name it: the tensor's, or w'2 for the second assignment of an inout */
    int id;           /* its place in TeOp.def */
    int nout;
    Tensor *out[2];
    int nix;
    Var **ix;
    Expr *rhs;
    Var *seq; /* the variable of `seq t` (one of ix), or NULL */
    bool let;
    int slot_at; /* topk: which of ix is the slot, else -1 */
    Span span;   /* the whole statement */
    const char *doc;
} Def;

/* A place in the source at which a run-time error can arise; its number + 1 is the status code's detail. */
typedef enum SiteKind { SITE_GATHER, SITE_DIV_ZERO, SITE_CHECK } SiteKind;
typedef struct Site {
    SiteKind kind;
    Span span;
    const char *text; /* "X[id[i]], index 0" */
    Tensor *tensor;   /* GATHER */
    bool is_unsigned; /* GATHER: the index is a u64, of which the status has the bits */
} Site;

/* A condition on dims that must hold for a call: a `where`, a size that must not be negative, or a bound that could
 * only be decided once the sizes are known. */
typedef struct Check {
    Expr *cond;       /* u1 over dims and consts */
    const char *text; /* what to say when it is false */
    Span span;
} Check;

typedef struct TeOp {
    Arena *mem;
    const char *name, *doc;
    int ndims;
    Dim *dim;
    int nconsts;
    Const *cst;
    int nparams, ninputs; /* tensor[0..nparams): inputs (inout and const among them), then outputs */
    int ntensors;
    Tensor **tensor;
    int ndefs;
    Def **def;
    int nchecks;
    Check *check; /* the `where`s first (nwhere of them) */
    int nwhere;
    int nsites;
    Site *site;
    int nexprs, nvars; /* ids below these are taken */
    int cexprs;        /* private to the builders: capacity bookkeeping */
    Span span;
    const Source *src;
} TeOp;

/* ---- te.c: tables ---------------------------------------------------------------------------------------------- */
typedef enum RegClass { RC_F64, RC_F32, RC_I64 } RegClass;
typedef struct TypeInfo {
    const char *name;
    int bits;
    char cls;
    RegClass reg;
    const char *npy;
    int dl_code, dl_bits, u;
} TypeInfo;
extern const TypeInfo te_type[DT_COUNT + 1];
typedef enum ExprKind { XK_LEAF, XK_UNARY, XK_BINARY, XK_CALL, XK_SPECIAL } ExprKind;
typedef struct ExprInfo {
    const char *name, *text;
    int arity;
    ExprKind kind;
    int prec;
} ExprInfo;
extern const ExprInfo te_expr[EX_COUNT];
extern const char *const te_red_name[RED_COUNT];
extern const char *const te_scope_name[];
DType te_type_named(const char *name); /* DT_NONE when there is none */
static inline bool te_is_float(DType t) { return te_type[t].cls == 'F'; }
static inline bool te_is_int(DType t) { return te_type[t].cls == 'I' || te_type[t].cls == 'U'; } /* not index, not u1 */

/* ---- te.c: building (each returns a new node of op, with a fresh id)
 * ------------------------------------------------- */
Expr *te_int(TeOp *op, DType type, int64_t v, Span s);
Expr *te_float(TeOp *op, DType type, double v, Span s); /* v is rounded to type here */
Expr *te_var(TeOp *op, Var *v, Span s);
Expr *te_dim(TeOp *op, int dim, Span s);
Expr *te_const(TeOp *op, int cst, Span s);
Expr *te_load(TeOp *op, Tensor *t, int rank, Expr *const *ix, Expr *other, Span s);
Expr *te_node(TeOp *op, ExprOp o, DType type, int nargs, Expr *const *arg, Span s); /* operators, calls, SELECT */
Expr *te_cast(TeOp *op, DType to, Expr *e, Span s);
Expr *te_reduce(TeOp *op, Reduce *r, DType result, Span s);
Var *te_new_var(TeOp *op, const char *name, Expr *lo, Expr *hi, Span s);
Tensor *te_new_tensor(TeOp *op, const char *name, DType type, TensorKind kind, int rank, Expr **shape, Span s);

/* Children of a node as one sequence (arg[], load.other, reduction's ranges, cond, body): te_child(e, i) for i <
 * te_nchildren(e). */
int te_nchildren(const Expr *e);
Expr *te_child(const Expr *e, int i);
/* A copy of e in which variables are replaced: var[i] by to[i]. Shares what does not change; memoised (DAGs stay DAGs).
 */
Expr *te_substitute(TeOp *op, Expr *e, int n, Var *const *var, Expr *const *to);
bool te_uses_var(const Expr *e, const Var *v);
bool te_has_load(const Expr *e); /* mentions data */
/* By number of the definition: a result depends on it. What no result depends on is not computed, and so its gathers
 * and divisions cannot fail. */
bool *te_live_defs(Arena *mem, const TeOp *op);
bool te_has_reduce(const Expr *e);

/* The value of an index or integer expression over dims and consts once dims are bound; false when a dim is dynamic or
 * on a division by 0 or when it mentions variables or data. u1 expressions give 0 or 1. */
bool te_eval_size(const TeOp *op, const Expr *e, int64_t *value);
/* The same with the dims' values given (length ndims), whatever they are bound to. */
bool te_eval_size_at(const TeOp *op, const Expr *e, const int64_t *dims, int64_t *value);
/* The op with its dims bound: value[i] or -1 for dynamic. Shares everything else. */
TeOp *te_bind(Arena *mem, const TeOp *op, const int64_t *value);
/* A deep copy in another arena (ids and structure kept), so that a module may go while a kernel lives. */
TeOp *te_clone(Arena *mem, const TeOp *op);

/* ---- te_print.c: the printed form is `.te` itself, with every range written; parsing it gives an equal op
 * ------------ */
void te_print_op(Text *out, const TeOp *op);
void te_print_expr(Text *out, const TeOp *op, const Expr *e);
bool te_equal(const TeOp *a, const TeOp *b); /* structure, names, types, ranges; not spans, ids or comments */

/* ---- te_verify.c: declarative invariants; NULL when all hold, else what is broken (an internal error)
 * ------------------ */
const char *te_verify(Arena *mem, const TeOp *op);

#endif
