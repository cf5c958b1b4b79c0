/* version: a program that branches on its sizes. A `specialize` that sizes decide at run time is an `if` that is true
 * in one version of the program and false in another; all other statements, before and after it, are in both.
 *
 *     specialize when M % 16 == 0 { A }        if (M % 16 == 0) { with A and B; M is known to be a multiple of 16 }
 *     B                                        else { with B }
 *
 * A version is made from the start: its statements are applied to a plan of its own, while the sizes are what its
 * conditions make of them. So each is proved as it runs, and what a condition decides folds away: tails, guards, trip
 * counts. */
#include "schedule/plan.h"

#include <string.h>

/* ---- what a condition says about sizes
 * -------------------------------------------------------------------------------- */
static bool value_of(const SchedEnv *env, const AstExpr *e, int64_t *v)
{
    SchedValue x;
    bool known = sched_eval(env, e, NULL, &x) && x.known;
    if (known) *v = x.i;
    return known;
}

static const AstExpr *bare(const AstExpr *e)
{
    while (e->kind == AST_PAREN) e = e->arg[0];
    return e;
}

/* Params stand before dims: they may have the same name. */
static Dim *dim_named(TeOp *op, const SchedEnv *env, const AstExpr *e)
{
    if (e->kind != AST_NAME) return NULL;
    for (int i = 0; i < env->sched->nparams; i++)
        if (ir_streq(env->sched->param[i].name.text, e->text)) return NULL;
    for (int i = 0; i < op->ndims; i++)
        if (ir_streq(op->dim[i].name, e->text)) return &op->dim[i];
    return NULL;
}

static void at_least(Dim *d, int64_t n) { d->lo = n > d->lo ? n : d->lo; }
static void at_most(Dim *d, int64_t n) { d->hi = n < d->hi ? n : d->hi; }

/* Of several factors one that takes all of them in, where that is a number. */
static void is_multiple(Dim *d, int64_t n)
{
    int64_t a = d->multiple ? d->multiple : 1, b = n, both;
    while (b) {
        int64_t c = a % b;
        a = b;
        b = c;
    }
    if (!__builtin_mul_overflow(d->multiple ? d->multiple : 1, n / a, &both)) d->multiple = both;
}

/* dim op n */
static void bound(Dim *d, ExprOp op, int64_t n)
{
    if (op == EX_GE || op == EX_EQ) at_least(d, n);
    if (op == EX_LE || op == EX_EQ) at_most(d, n);
    if (op == EX_GT && n < INT64_MAX) at_least(d, n + 1);
    if (op == EX_LT && n > INT64_MIN) at_most(d, n - 1);
    if (d->lo == d->hi) d->value = d->lo;
}

static ExprOp mirrored(ExprOp op)
{
    return op == EX_LT ? EX_GT : op == EX_GT ? EX_LT : op == EX_LE ? EX_GE : op == EX_GE ? EX_LE : op;
}

void version_learn(TeOp *op, const SchedEnv *env, const AstExpr *e)
{
    int64_t n, by;
    e = bare(e);
    if (e->kind != AST_BINARY) return;
    if (e->op == EX_AND) {
        version_learn(op, env, e->arg[0]);
        version_learn(op, env, e->arg[1]);
        return;
    }
    for (int side = 0; side < 2; side++) {
        const AstExpr *x = bare(e->arg[side]);
        if (!value_of(env, e->arg[1 - side], &n)) continue;
        Dim *d = dim_named(op, env, x);
        if (d) bound(d, side ? mirrored((ExprOp)e->op) : (ExprOp)e->op, n);
        if (e->op != EX_EQ || n != 0 || x->kind != AST_BINARY || x->op != EX_MOD) continue;
        d = dim_named(op, env, bare(x->arg[0]));
        if (d && value_of(env, x->arg[1], &by) && by > 0) is_multiple(d, by);
    }
}

/* ---- conditions as expressions of the program
 * ------------------------------------------------------------------------- */
typedef struct When {
    Lower *l;
    const SchedEnv *env;
    Diags *diags;
} When;

static bool compares(ExprOp o)
{
    return o == EX_LT || o == EX_LE || o == EX_GT || o == EX_GE || o == EX_EQ || o == EX_NE;
}

static bool joins(ExprOp o) { return o == EX_AND || o == EX_OR || o == EX_NOT; }

/* Truth is 0 or 1 where a number stands, and a number is true unless it is 0. */
static Expr *as_number(When *w, Expr *e) { return e->type == DT_U1 ? te_cast(w->l->op, DT_INDEX, e, e->span) : e; }

static Expr *as_truth(When *w, Expr *e)
{
    if (e->type == DT_U1) return e;
    return te_node(w->l->op, EX_NE, DT_U1, 2, (Expr *[]){e, ix_int(w->l, 0)}, e->span);
}

static Expr *cannot(When *w, const AstExpr *e, const char *why, const char *help)
{
    Diag *d = diag_error(w->diags, D_S129_BRANCH, e->span, why);
    if (help) diag_help(w->diags, d, "%s", help);
    return NULL;
}

static Expr *run_time(When *w, const AstExpr *e);

static Expr *arithmetic(When *w, const AstExpr *e, Expr *const *arg)
{
    ExprOp o = (ExprOp)e->op;
    if (o == EX_NEG) return ix_op(w->l, EX_SUB, ix_int(w->l, 0), as_number(w, arg[0]));
    Expr *a = as_number(w, arg[0]), *b = as_number(w, arg[1]);
    if ((o == EX_DIV || o == EX_MOD) && lin_least(w->l, b) < 1)
        return cannot(w, e->arg[1], "it divides by what may be 0 or less", "let the range of its dims exclude that");
    return ix_op(w->l, o, a, b);
}

/* Its parts without dims are values. */
static Expr *run_time(When *w, const AstExpr *e)
{
    TeOp *op = w->l->op;
    SchedValue v;
    Dim *d;
    e = bare(e);
    if ((d = dim_named(op, w->env, e))) return low_expr(w->l, te_dim(op, (int)(d - op->dim), op->span));
    if (e->kind == AST_BINARY || e->kind == AST_UNARY) {
        Expr *arg[2] = {0};
        ExprOp o = (ExprOp)e->op;
        for (int i = 0; i < e->nargs; i++) {
            if (!(arg[i] = run_time(w, e->arg[i]))) return NULL;
            if (joins(o)) arg[i] = as_truth(w, arg[i]);
            if (compares(o)) arg[i] = as_number(w, arg[i]);
        }
        return joins(o) || compares(o) ? te_node(op, o, DT_U1, e->nargs, arg, op->span) : arithmetic(w, e, arg);
    }
    if (!sched_eval(w->env, e, w->diags, &v)) return NULL;
    if (!v.known) return cannot(w, e, "a branch has operators only", "write it with `&&`, `||` and comparisons");
    return ix_int(w->l, v.i);
}

Expr *version_condition(Lower *l, const SchedEnv *env, const AstExpr *e, Diags *diags)
{
    When w = {l, env, diags};
    Expr *cond = run_time(&w, e);
    return cond ? as_truth(&w, cond) : NULL;
}

/* ---- versions
 * ----------------------------------------------------------------------------------------------------------- */
typedef struct Versions {
    Lower *l;
    const Sched *s;
    int n, made;
    const SchedEnv *env;
    Diags *diags;
    const Dim *dim; /* sizes outside of all branches */
} Versions;

/* Which version is it that a mistake was found in? */
static bool tell(Versions *v, const Branches *b)
{
    for (int i = 0; i < b->n; i++)
        diag_note(v->diags, v->diags->last, b->from[i]->expr[0]->span, "in the version where this %s",
                  b->taken[i] ? "holds" : "does not hold");
    return false;
}

static bool emit(Versions *v, Branches b);

static bool branch(Versions *v, const Branches *b, bool taken, Block *to)
{
    Nest n;
    Branches next = *b;
    next.from[next.n] = b->open;
    next.taken[next.n++] = taken;
    low_open(v->l, &n);
    bool done = emit(v, next);
    *to = low_close(v->l, &n);
    return done;
}

static bool emit(Versions *v, Branches b)
{
    Lower *l = v->l;
    Block then, els;
    memcpy(l->op->dim, v->dim, sizeof *v->dim * (size_t)l->op->ndims);
    low_restart(l);
    fuse_snapshots(l);
    Plan *p = plan_new(l);
    b.open = NULL;
    if (!plan_apply(p, v->s, v->n, v->env, &b, v->diags)) return tell(v, &b);
    if (!b.open) {
        v->made++;
        plan_emit(p);
        return true;
    }
    int waiting = 0; /* the other ways of branches around */
    for (int i = 0; i < b.n; i++) waiting += b.taken[i];
    if (v->made + waiting + 2 > BRANCHES_MAX) {
        diag_error(v->diags, D_S130_VERSIONS, b.open->span, BRANCHES_MAX);
        return false;
    }
    Expr *cond = version_condition(l, v->env, b.open->expr[0], v->diags);
    if (!cond || !branch(v, &b, true, &then) || !branch(v, &b, false, &els)) return false;
    low_emit(l, tile_if(l->p, cond, then, els, b.open->span));
    return true;
}

bool version_emit(Lower *l, const Sched *s, int n, const SchedEnv *env, Diags *diags)
{
    size_t bytes = sizeof *l->op->dim * (size_t)l->op->ndims;
    Versions v = {.l = l, .s = s, .n = n, .env = env, .diags = diags, .dim = arena_dup(l->mem, l->op->dim, bytes)};
    bool done = emit(&v, (Branches){0});
    memcpy(l->op->dim, v.dim, bytes);
    return done;
}
