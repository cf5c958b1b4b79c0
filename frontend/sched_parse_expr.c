/* sched_parse_expr.c: the expressions of a schedule: those of `.te` (parse_expr.c), less what has no meaning for a
 * number that is known when a schedule is applied. What names stand for is found when they are evaluated. */
#include "frontend/sched_priv.h"

#include <string.h>

static const ExprOp function[] = {EX_MIN, EX_MAX, EX_CLAMP, EX_ABS};
enum { FUNCTIONS = sizeof function / sizeof *function };

ExprOp sched_function(const char *name)
{
    for (int i = 0; i < FUNCTIONS; i++)
        if (ir_streq(te_expr[function[i]].text, name)) return function[i];
    return EX_COUNT;
}

static Diag *refuse(SchedParser *x, const AstExpr *e, const char *what, const char *help)
{
    Diag *d = diag_error(x->p.diags, D_S009_EXPR, e->span, what);
    diag_help(x->p.diags, d, "%s", help);
    x->p.broken = true;
    return d;
}

static void check_call(SchedParser *x, const AstExpr *e)
{
    Diags *diags = x->p.diags;
    ExprOp f = sched_function(e->text);
    if (f == EX_COUNT && te_type_named(e->text) != DT_NONE) {
        refuse(x, e, "a cast", "all numbers of a schedule are integers");
    } else if (f == EX_COUNT) {
        const char *names[FUNCTIONS];
        for (int i = 0; i < FUNCTIONS; i++) names[i] = te_expr[function[i]].text;
        Diag *d = diag_error(diags, D_N009_FUNCTION, e->name_span, e->text);
        sched_help_names(x, d, e->text, "functions of schedules", FUNCTIONS, names);
        x->p.broken = true;
    } else if (te_expr[f].arity != e->nargs) {
        diag_error(diags, D_N010_ARITY, e->name_span, e->text, te_expr[f].arity, te_expr[f].arity == 1 ? "" : "s",
                   e->nargs, e->nargs == 1 ? "is" : "are");
        x->p.broken = true;
    }
}

static void check_property(SchedParser *x, const AstExpr *e)
{
    const char *dot = strchr(e->text, '.');
    int64_t v;
    if (!dot) return;
    if (strncmp(e->text, "target.", 7)) {
        static const char *const target[] = {"target"};
        bool near = fe_closest(arena_strndup(x->p.mem, e->text, (size_t)(dot - e->text)), 1, target) != NULL;
        refuse(x, e, "a loop",
               near ? "did you mean `target`?" : "a number is made of params, dims, consts and `target.NAME`");
    } else if (!sched_target_value(&(Target){0}, dot + 1, &v)) {
        sched_help_property(x->p.diags, diag_error(x->p.diags, D_S010_PROPERTY, e->span, dot + 1), dot + 1);
        x->p.broken = true;
    }
}

/* One that could not be read was reported, and its text is not what stands there. */
static void check_float(SchedParser *x, const AstExpr *e)
{
    bool as_written = strlen(e->text) == e->span.len && !memcmp(e->span.src->text + e->span.at, e->text, e->span.len);
    if (as_written) refuse(x, e, arena_printf(x->p.mem, "`%s`", e->text), "all numbers of a schedule are integers");
}

static void check(SchedParser *x, const AstExpr *e)
{
    switch (e->kind) {
    case AST_FLOAT: check_float(x, e); break;
    case AST_ACCESS: refuse(x, e, "an element of a tensor", "a schedule is applied before there is any data"); break;
    case AST_CALL: check_call(x, e); break;
    case AST_NAME: check_property(x, e); break;
    default: break;
    }
    for (int i = 0; i < e->nargs; i++) check(x, e->arg[i]);
    if (e->other) check(x, e->other);
}

static bool is_arithmetic(const Token *t)
{
    return t->kind == T_ADD || t->kind == T_SUB || t->kind == T_MUL || t->kind == T_DIV || t->kind == T_MOD;
}

AstExpr *sched_condition(SchedParser *x)
{
    AstExpr *e = fe_expr(&x->p);
    if (!x->p.failed) check(x, e);
    return e;
}

AstExpr *sched_number(SchedParser *x)
{
    int from = x->p.at;
    AstExpr *e = sched_condition(x);
    for (int i = from; i < x->p.at; i++)
        if (x->p.tok[i].role == ROLE_NONE && is_arithmetic(&x->p.tok[i])) x->p.tok[i].role = ROLE_TIGHT;
    return e;
}

void sched_numbers(SchedParser *x, int *n, AstExpr ***at)
{
    VEC(AstExpr *) list = {0};
    do {
        AstExpr *e = sched_number(x);
        VEC_PUSH(x->p.mem, &list, e);
    } while (fe_accept(&x->p, T_COMMA));
    *n = list.n;
    *at = list.at;
}

bool sched_literal(const AstExpr *e, int64_t *v)
{
    bool minus = e->kind == AST_UNARY && e->op == EX_NEG;
    if (minus) e = e->arg[0];
    if (e->kind != AST_INT || e->i > (uint64_t)INT64_MAX) return false;
    *v = minus ? -(int64_t)e->i : (int64_t)e->i;
    return true;
}
