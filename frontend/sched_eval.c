/* sched_eval.c: the values of a schedule's expressions. A dim without a size has a range instead, and ranges are
 * computed with: a comparison, a product, a remainder may be decided all the same (`M >= 1`, `M % 1 == 0`). What an
 * operation needs from a part that is not decided it does not assume: both sides of `?:` count, a divisor that may be 0
 * decides nothing. Relies on trees being at most FE_DEPTH_MAX deep. */
#include "frontend/sched_eval.h"
#include "frontend/closest.h"
#include "frontend/sched_priv.h"

#include <string.h>

/* Both ends belong to it. */
typedef struct Range {
    int64_t lo, hi;
} Range;

static const Range any = {INT64_MIN, INT64_MAX}, truth = {0, 1};

typedef struct Eval {
    const SchedEnv *env;
    Diags *diags; /* NULL: nobody asks why */
    int64_t steps;
} Eval;

static bool eval(Eval *v, const AstExpr *e, Range *r);

static bool known(Range r) { return r.lo == r.hi; }
static Range exactly(int64_t i) { return (Range){i, i}; }
static Range hull(Range a, Range b) { return (Range){a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi}; }
static bool surely(Range r) { return r.lo > 0 || r.hi < 0; }
static bool never(Range r) { return r.lo == 0 && r.hi == 0; }

/* ---- names --------------------------------------------------------------------------------------------------- */

static Diag *fail(Eval *v, DiagCode code, Span span, const char *a, const char *b)
{
    return v->diags ? diag_error(v->diags, code, span, a, b) : NULL;
}

static bool unknown_name(Eval *v, const AstExpr *e)
{
    int64_t i;
    Diag *d = fail(v, D_N001_UNKNOWN, e->span, e->text, NULL);
    if (!d || d == v->diags->spare) return false;
    const SchedEnv *env = v->env;
    FeClosest c = fe_closest_start(e->text);
    for (int k = 0; env->sched && k < env->sched->nparams; k++) fe_consider(&c, env->sched->param[k].name.text);
    for (int k = 0; env->op && k < env->op->ndims; k++) fe_consider(&c, env->op->dim[k].name);
    for (int k = 0; env->op && k < env->op->nconsts; k++) fe_consider(&c, env->op->cst[k].name);
    if (sched_target_value(&(Target){0}, e->text, &i)) {
        diag_help(v->diags, d, "what a target has is written `target.%s`", e->text);
    } else if (c.name) {
        diag_help(v->diags, d, "did you mean `%s`?", c.name);
    } else {
        diag_help(v->diags, d, "a number is made of params, dims, consts and `target.NAME`");
    }
    return false;
}

static bool property(Eval *v, const AstExpr *e, Range *r)
{
    const char *name = e->text + strlen("target.");
    static const Target none;
    int64_t i;
    if (strncmp(e->text, "target.", strlen("target."))) return unknown_name(v, e);
    if (!sched_target_value(v->env->target ? v->env->target : &none, name, &i)) {
        sched_help_property(v->diags, fail(v, D_S010_PROPERTY, e->span, name, NULL), name);
        return false;
    }
    *r = v->env->target ? exactly(i) : any;
    return true;
}

static bool constant(Eval *v, const AstExpr *e, const Const *c, Range *r)
{
    if (te_is_float(c->type) || !c->value || c->value->op != EX_INT) {
        Diag *d = fail(v, D_S017_CONST, e->span, c->name, te_type[c->type].name);
        if (d) diag_note(v->diags, d, c->span, "declared here");
        return false;
    }
    if (c->type == DT_U64 && c->value->i < 0) {
        fail(v, D_S018_OVERFLOW, e->span, NULL, NULL);
        return false;
    }
    *r = exactly(c->value->i);
    return true;
}

static bool named(Eval *v, const AstExpr *e, Range *r)
{
    const SchedEnv *env = v->env;
    if (strchr(e->text, '.')) return property(v, e, r);
    for (int i = 0; env->sched && i < env->sched->nparams; i++) {
        if (strcmp(env->sched->param[i].name.text, e->text)) continue;
        *r = env->param ? exactly(env->param[i]) : any;
        v->steps += i;
        return true;
    }
    v->steps += env->sched ? env->sched->nparams : 0;
    for (int i = 0; env->op && i < env->op->ndims; i++) {
        const Dim *d = &env->op->dim[i];
        if (strcmp(d->name, e->text)) continue;
        *r = d->value >= 0 ? exactly(d->value) : (Range){d->lo, d->hi};
        return true;
    }
    for (int i = 0; env->op && i < env->op->nconsts; i++)
        if (!strcmp(env->op->cst[i].name, e->text)) return constant(v, e, &env->op->cst[i], r);
    return unknown_name(v, e);
}

/* ---- arithmetic ---------------------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}

/* One operation on values; false when the result does not fit. b is not 0 for DIV and MOD. */
static bool apply(ExprOp op, int64_t a, int64_t b, int64_t *r)
{
    switch (op) {
    case EX_ADD: return !__builtin_add_overflow(a, b, r);
    case EX_SUB: return !__builtin_sub_overflow(a, b, r);
    case EX_MUL: return !__builtin_mul_overflow(a, b, r);
    case EX_DIV:
        if (a == INT64_MIN && b == -1) return false;
        *r = floor_div(a, b);
        return true;
    case EX_MOD: *r = b == -1 ? 0 : a - b * floor_div(a, b); return true;
    case EX_MIN: *r = a < b ? a : b; return true;
    case EX_MAX: *r = a > b ? a : b; return true;
    default: *r = 0; return false;
    }
}

/* The results of the ends; all of these operations are monotonic in each operand (DIV where the divisor keeps its
 * sign). What may overflow may be anything. */
static Range ends(ExprOp op, Range a, Range b)
{
    int64_t x[4];
    if (!apply(op, a.lo, b.lo, &x[0]) || !apply(op, a.lo, b.hi, &x[1]) || !apply(op, a.hi, b.lo, &x[2]) ||
        !apply(op, a.hi, b.hi, &x[3]))
        return any;
    return hull(hull(exactly(x[0]), exactly(x[1])), hull(exactly(x[2]), exactly(x[3])));
}

/* Between 0 and the divisor, and nothing more is known unless the dividend is already there. */
static Range remainder_of(Range a, Range b)
{
    if (!known(b)) return any;
    if (b.lo > 0 && a.lo >= 0 && a.hi < b.lo) return a;
    return b.lo > 0 ? (Range){0, b.lo - 1} : (Range){b.lo + 1, 0};
}

static bool arithmetic(Eval *v, const AstExpr *e, ExprOp op, Range a, Range b, Range *r)
{
    bool divides = op == EX_DIV || op == EX_MOD;
    if (divides && never(b)) {
        fail(v, D_S019_DIV_ZERO, e->span, NULL, NULL);
        return false;
    }
    if (known(a) && known(b)) {
        int64_t i;
        if (!apply(op, a.lo, b.lo, &i)) {
            fail(v, D_S018_OVERFLOW, e->span, NULL, NULL);
            return false;
        }
        *r = exactly(i);
    } else if (divides && !surely(b)) {
        *r = any;
    } else {
        *r = op == EX_MOD ? remainder_of(a, b) : ends(op, a, b);
    }
    return true;
}

static Range less(Range a, Range b) { return a.hi < b.lo ? exactly(1) : a.lo >= b.hi ? exactly(0) : truth; }

static Range opposite(Range r) { return never(r) ? exactly(1) : surely(r) ? exactly(0) : truth; }

static Range equal(Range a, Range b)
{
    if (a.hi < b.lo || b.hi < a.lo) return exactly(0);
    return known(a) && known(b) ? exactly(1) : truth;
}

static bool compare(ExprOp op, Range a, Range b, Range *r)
{
    switch (op) {
    case EX_EQ: *r = equal(a, b); return true;
    case EX_NE: *r = opposite(equal(a, b)); return true;
    case EX_LT: *r = less(a, b); return true;
    case EX_GT: *r = less(b, a); return true;
    case EX_LE: *r = opposite(less(b, a)); return true;
    case EX_GE: *r = opposite(less(a, b)); return true;
    default: return false;
    }
}

/* ---- trees --------------------------------------------------------------------------------------------------- */

/* `&&` and `||`: one side alone may decide. The right one is not looked at where the left one does, so that it may
 * rely on the left one, as in `n != 0 && 64 % n == 0`. */
static bool either(Eval *v, const AstExpr *e, Range *r)
{
    bool or = e->op == EX_OR;
    Range a, b;
    if (!eval(v, e->arg[0], &a)) return false;
    if (or ? surely(a) : never(a)) {
        *r = exactly(or);
        return true;
    }
    if (!eval(v, e->arg[1], &b)) return false;
    bool decides = or ? surely(b) : never(b), both = or ? never(a) && never(b) : surely(a) && surely(b);
    *r = decides ? exactly(or) : both ? exactly(! or) : truth;
    return true;
}

static bool choice(Eval *v, const AstExpr *e, Range *r)
{
    Range c, a, b;
    if (!eval(v, e->arg[0], &c)) return false;
    if (surely(c)) return eval(v, e->arg[1], r);
    if (never(c)) return eval(v, e->arg[2], r);
    if (!eval(v, e->arg[1], &a) || !eval(v, e->arg[2], &b)) return false;
    *r = hull(a, b);
    return true;
}

/* Of what is its size known to be a multiple? 0: it is no dim, or nothing is known. */
static int64_t multiple_of(const Eval *v, const AstExpr *e)
{
    if (e->kind != AST_NAME) return 0;
    for (int k = 0; v->env->sched && k < v->env->sched->nparams; k++)
        if (!strcmp(v->env->sched->param[k].name.text, e->text)) return 0;
    for (int k = 0; v->env->op && k < v->env->op->ndims; k++)
        if (!strcmp(v->env->op->dim[k].name, e->text)) return v->env->op->dim[k].multiple;
    return 0;
}

static bool binary(Eval *v, const AstExpr *e, Range *r)
{
    Range a, b;
    if (e->op == EX_AND || e->op == EX_OR) return either(v, e, r);
    if (!eval(v, e->arg[0], &a) || !eval(v, e->arg[1], &b)) return false;
    int64_t m = e->op == EX_MOD && known(b) && b.lo > 0 ? multiple_of(v, e->arg[0]) : 0;
    if (m && m % b.lo == 0) {
        *r = exactly(0);
        return true;
    }
    return compare(e->op, a, b, r) || arithmetic(v, e, e->op, a, b, r);
}

/* A minus belongs to its literal: the least integer has no positive counterpart. */
static bool unary(Eval *v, const AstExpr *e, Range *r)
{
    Range a;
    if (e->op == EX_NEG && e->arg[0]->kind == AST_INT && e->arg[0]->i == (uint64_t)INT64_MAX + 1) {
        *r = exactly(INT64_MIN);
        return true;
    }
    if (!eval(v, e->arg[0], &a)) return false;
    if (e->op == EX_NEG) return arithmetic(v, e, EX_SUB, exactly(0), a, r);
    *r = opposite(a);
    return true;
}

static bool call(Eval *v, const AstExpr *e, Range *r)
{
    Range a[3] = {{0, 0}, {0, 0}, {0, 0}};
    ExprOp f = sched_function(e->text);
    if (f == EX_COUNT || e->nargs != te_expr[f].arity) {
        fail(v, D_N009_FUNCTION, e->span, e->text, NULL);
        return false;
    }
    for (int i = 0; i < e->nargs; i++)
        if (!eval(v, e->arg[i], &a[i])) return false;
    if (f == EX_CLAMP) return arithmetic(v, e, EX_MAX, a[0], a[1], r) && arithmetic(v, e, EX_MIN, *r, a[2], r);
    if (f != EX_ABS) return arithmetic(v, e, f, a[0], a[1], r);
    if (a[0].lo >= 0) {
        *r = a[0];
        return true;
    }
    if (!arithmetic(v, e, EX_SUB, exactly(0), a[0], r)) return false;
    if (a[0].hi > 0) *r = (Range){0, r->hi > a[0].hi ? r->hi : a[0].hi};
    return true;
}

static bool integer(Eval *v, const AstExpr *e, Range *r)
{
    if (e->i > (uint64_t)INT64_MAX) {
        fail(v, D_S018_OVERFLOW, e->span, NULL, NULL);
        return false;
    }
    *r = exactly((int64_t)e->i);
    return true;
}

static bool eval(Eval *v, const AstExpr *e, Range *r)
{
    v->steps++;
    switch (e->kind) {
    case AST_INT: return integer(v, e, r);
    case AST_BOOL: *r = exactly((int64_t)e->i); return true;
    case AST_NAME: return named(v, e, r);
    case AST_CALL: return call(v, e, r);
    case AST_UNARY: return unary(v, e, r);
    case AST_BINARY: return binary(v, e, r);
    case AST_COND: return choice(v, e, r);
    case AST_PAREN: return eval(v, e->arg[0], r);
    default: fail(v, D_S009_EXPR, e->span, "this", NULL); return false;
    }
}

bool sched_eval_steps(const SchedEnv *env, const AstExpr *e, Diags *diags, SchedValue *v, int64_t *steps)
{
    Eval x = {.env = env, .diags = diags};
    Range r;
    bool ok = eval(&x, e, &r);
    *steps += x.steps;
    *v = (SchedValue){ok && known(r), ok && known(r) ? r.lo : 0};
    return ok;
}

bool sched_eval(const SchedEnv *env, const AstExpr *e, Diags *diags, SchedValue *v)
{
    int64_t steps = 0;
    return sched_eval_steps(env, e, diags, v, &steps);
}
