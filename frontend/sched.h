/* sched: a `.sched` file as it was written, and the choice of its params. sched_parse.c reads, sched_fmt.c prints the
 * canonical form, sched_eval.c evaluates expressions and assigns params. What the statements do to a program is
 * schedule/'s. The language is specified in docs/schedule.md. */
#ifndef TCC_FRONTEND_SCHED_H
#define TCC_FRONTEND_SCHED_H

#include "frontend/ast.h"
#include "ir/target.h"

typedef enum SchedKind {
#define STATEMENT(ID, ...) SS_##ID,
#include "frontend/sched.def"
    SS_COUNT
} SchedKind;
typedef enum SchedTail {
    TAIL_NONE, /* not written: each statement has its own default */
#define TAIL(ID, ...) TAIL_##ID,
#include "frontend/sched.def"
    TAIL_COUNT
} SchedTail;
typedef enum SchedScope {
    SCOPE_NONE, /* not written */
#define STAGE_SCOPE(ID, ...) STAGE_##ID,
#include "frontend/sched.def"
    STAGE_SCOPE_COUNT
} SchedScope;
typedef enum SchedBind {
#define BIND(ID, ...) BIND_##ID,
#include "frontend/sched.def"
    BIND_COUNT
} SchedBind;
typedef enum SchedLayoutKind { LAYOUT_PLAIN, LAYOUT_PACK, LAYOUT_SWIZZLE, LAYOUT_PAD } SchedLayoutKind;
extern const char *const sched_stmt_name[SS_COUNT], *const sched_stmt_form[SS_COUNT];
extern const char *const sched_tail_name[TAIL_COUNT], *const sched_scope_name[STAGE_SCOPE_COUNT];
extern const char *const sched_bind_name[BIND_COUNT];

/* S.L */
typedef struct SchedRef {
    AstName def, loop;
    Span span;
} SchedRef;

/* pack(a, b, … by f, g, …); swizzle n; pad n. */
typedef struct SchedLayout {
    SchedLayoutKind kind;
    int n;
    AstName *ix;      /* PACK: index names */
    AstExpr **factor; /* PACK: n factors; SWIZZLE, PAD: one */
    Span span;
} SchedLayout;

typedef struct SchedStmt SchedStmt;
struct SchedStmt {
    SchedKind kind;
    Span span;       /* the whole statement, without the semicolon */
    AstName subject; /* tile split fuse order accum: S · at inline root: P · stage prefetch layout: A */
    int nrefs;       /* unroll vectorize parallel bind at stage rfactor pipeline prefetch: 1 · microkernel: 2 or 3 */
    SchedRef *ref;
    int nloops; /* tile split fuse: in brackets · order: its list · accum: 1 · online: its definitions */
    AstName *loop;
    AstName over; /* online: L */
    int nexprs; /* tile: as many as loops · split: 1 · vectorize: 0 or 1 · pipeline, prefetch: 1 · if, specialize: 1 */
    AstExpr **expr;
    int nnames; /* after `->`: tile: 2 × loops · split: 2 · fuse, rfactor: 1 · stage: 0 or 1 */
    AstName *name;
    SchedTail tail;
    SchedScope scope; /* at, stage; accum is always reg */
    SchedLayout layout;
    bool async;
    DType dtype; /* accum; DT_NONE when not written */
    SchedBind bind;
    AstName kernel; /* microkernel: after `with` */
    bool compose;   /* microkernel */
    int nfrom, nto; /* layout A (from) -> (to): dims as expressions over names of dims */
    AstExpr **from, **to;
    int nbody; /* if, specialize */
    SchedStmt **body;
};

typedef struct SchedParam {
    AstName name;
    Span span;
    int nvalues;
    AstExpr **value; /* in the order of the set */
    AstExpr *dflt;
    AstExpr *where; /* or NULL */
} SchedParam;

typedef struct Sched {
    AstName name, op;
    const char *target; /* after @, "cpu", "cpu:x86-64-v3", "gpgpu:a100"; NULL when not written */
    Span target_span;
    AstExpr *when; /* or NULL */
    int nparams;
    SchedParam *param;
    int nstmts;
    SchedStmt **stmt;
    const char *doc; /* the comment lines directly above */
    Span span;
    bool broken; /* a mistake in it was reported */
} Sched;

typedef struct SchedFile {
    const Source *src;
    int n;
    Sched **sched;
    int ntokens;
    Token *token;
} SchedFile;

/* ---- sched_parse*.c: always a file, with what could be read, however many errors were reported; recovery at `;`. ---
 * target.NAME in an expression is an AST_NAME of the text "target.NAME". */
SchedFile *sched_parse(Arena *mem, const Source *src, Diags *diags);
/* ---- sched_fmt.c: canonical text, comments kept; formatting twice changes nothing. ------------------------------- */
void sched_format(Text *out, const SchedFile *f);

/* ---- sched_eval.c --------------------------------------------------------------------------------------------------
 */
/* A value of an expression: an integer, or undecided because a dim without a size takes part. */
typedef struct SchedValue {
    bool known;
    int64_t i; /* truth as 0 or 1 */
} SchedValue;
/* What names stand for: params (by position, with their values), dims and consts of the op, target.NAME. */
typedef struct SchedEnv {
    const Sched *sched;
    const int64_t *param; /* values, by number */
    const TeOp *op;       /* dims and consts */
    const Target *target;
} SchedEnv;
/* False after an error was reported (unknown name, division by zero, overflow, wrong operator). */
bool sched_eval(const SchedEnv *env, const AstExpr *e, Diags *diags, SchedValue *v);
/* The property of a target that `target.NAME` names; false when there is none. The names are a table that
 * `tcc targets` lists. */
bool sched_target_value(const Target *t, const char *name, int64_t *v);
int sched_target_names(const char *const **names);
const char *sched_target_meaning(int name); /* in words, by number */

/* Values for all params: given ones (--set) as they are, the others the defaults, or, when these break a condition
 * (`where`s; and `more`, capacities that only the applied schedule knows, NULL for none), the legal assignment that
 * changes the fewest params, ties by the order of the sets. False after errors: a value outside its set, a condition
 * that no assignment meets (the message names the conditions). */
typedef struct SchedSet {
    const char *name, *value;
} SchedSet;
bool sched_assign(Arena *mem, const Sched *s, const TeOp *op, const Target *t, int nset, const SchedSet *set,
                  bool (*more)(void *user, const int64_t *param), void *user, Diags *diags, int64_t *param);

#endif
