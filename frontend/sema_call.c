/* sema_call: calls: the functions of ops.def, casts, and `fn`s; and on which types an operation works.
 *
 * A fn stands for its body: at each use the body is typed anew, with the arguments' values for its parameters, so that
 * an argument is one node however often the body names it. A fn is also checked by itself, whether it is used or not,
 * with parameters that take any type: what is wrong then is wrong at every use. */
#include "frontend/sema.h"

#include <string.h>
#include <strings.h>

static const Val none = {0};

/* ---- what works on what ------------------------------------------------------------------------------------------ */
typedef enum Class { ANY, NUMBERS, FLOATS, INTEGERS } Class;

static Class class_of(ExprOp o)
{
    switch (o) {
    case EX_SELECT:
    case EX_PICK: return ANY;
    case EX_MOD: return INTEGERS;
    case EX_ADD:
    case EX_SUB:
    case EX_MUL:
    case EX_DIV:
    case EX_NEG:
    case EX_ABS:
    case EX_MIN:
    case EX_MAX:
    case EX_CLAMP:
    case EX_FMA: return NUMBERS;
    default: return FLOATS;
    }
}

bool fe_works_on(Sema *s, ExprOp o, DType t, Span span)
{
    Class c = class_of(o);
    const char *what = t == DT_INDEX ? "an index" : te_type[t].name;
    if (t == DT_U1 && c != ANY) {
        Diag *d = FE_ERROR(s, D_T004_OPERAND, span, te_expr[o].text, what);
        fe_help_at(s, d, "there is no arithmetic on u1: cast it, as in `i32(…)`, or use `&&`, `||`, `!`");
        return false;
    }
    if (c == INTEGERS && te_is_float(t)) {
        Diag *d = FE_ERROR(s, D_T004_OPERAND, span, te_expr[o].text, what);
        fe_help_at(s, d, "`%%` is for integers; of floats, `x - y * floor(x / y)` is the remainder");
        return false;
    }
    if (c == FLOATS && !te_is_float(t)) {
        Diag *d = FE_ERROR(s, D_T004_OPERAND, span, te_expr[o].text, what);
        fe_help_at(s, d, "cast what it takes, as in `f32(…)`; a literal needs a point, as in `2.0`");
        return false;
    }
    return true;
}

/* ---- the table ------------------------------------------------------------------------------------------------- */
/* A function's row: of `pow` the one with an exponent of the same type. EX_COUNT: none. */
static ExprOp builtin(const char *name)
{
    if (!strcmp(name, te_expr[EX_POW].text)) return EX_POW;
    for (int o = 0; o < EX_COUNT; o++)
        if (te_expr[o].kind == XK_CALL && !strcmp(te_expr[o].text, name)) return (ExprOp)o;
    return EX_COUNT;
}

static DType cast_named(const char *name)
{
    DType t = te_type_named(name);
    return t == DT_INDEX ? DT_NONE : t;
}

bool fe_builtin(const char *name) { return builtin(name) != EX_COUNT || cast_named(name) != DT_NONE; }

static bool arity(Sema *s, const AstExpr *a, int want, const AstFn *fn)
{
    if (a->nargs == want) return true;
    Diag *d =
        FE_ERROR(s, D_N010_ARITY, a->span, a->text, want, want == 1 ? "" : "s", a->nargs, a->nargs == 1 ? "is" : "are");
    static const char *const as_written[] = {"", "x", "x, y", "x, y, z"};
    if (fn)
        fe_note_at(s, d, fn->name.span, "`%s` is defined here", a->text);
    else if (want < 4)
        fe_help_at(s, d, "it is written `%s(%s)`", a->text,
                   ir_streq(a->text, "clamp") ? "x, least, most" : as_written[want]);
    return false;
}

static Val cast(Sema *s, const AstExpr *a, DType to)
{
    if (!arity(s, a, 1, NULL)) {
        for (int i = 0; i < a->nargs; i++) fe_value(s, a->arg[i]);
        return none;
    }
    Val v = fe_value(s, a->arg[0]);
    if (v.p && v.p->wild) {
        Expr *e = te_is_float(to) ? te_float(s->op, to, 0, a->span) : te_int(s->op, to, 0, a->span);
        return fe_typed(s, e, &v, 1);
    }
    Expr *e = fe_default(s, v);
    if (!e) return none;
    if (e->type == to) return fe_typed(s, e, &v, 1); /* the identity; but a product under it is none as written */
    return fe_typed(s, te_cast(s->op, to, e, a->span), &v, 1);
}

/* The exponent of pow may be an integer, whatever the base. */
static Val power(Sema *s, const AstExpr *a, Val *v, const Span *span)
{
    if (fe_bad(v[0]) || fe_bad(v[1])) return none;
    if (v[1].p && v[1].p->wild) {
        Pend p = {.op = EX_POW, .nargs = 2, .arg = {v[0], v[1]}, .span = a->span};
        if (!v[0].e) return fe_pend(s, &p);
        return fe_works_on(s, EX_POW, (DType)v[0].e->type, a->span) ? fe_typed(s, v[0].e, v, 2) : none;
    }
    bool whole = v[1].p ? !v[1].p->has_float : te_is_int((DType)v[1].e->type);
    if (!whole) return fe_operator(s, a->span, EX_POW, 2, v, span);
    Expr *exponent = fe_default(s, v[1]);
    if (!exponent) return none;
    v[1].e = exponent;
    v[1].p = NULL;
    if (v[0].p) return fe_pend(s, &(Pend){.op = EX_POWI, .nargs = 2, .arg = {v[0], v[1]}, .span = a->span});
    if (!fe_works_on(s, EX_POWI, (DType)v[0].e->type, a->span)) return none;
    return fe_typed(s, te_node(s->op, EX_POWI, (DType)v[0].e->type, 2, (Expr *[]){v[0].e, exponent}, a->span), v, 2);
}

static Val function(Sema *s, const AstExpr *a, ExprOp o)
{
    Val v[3] = {{0}};
    Span span[3] = {{0}};
    for (int i = 0; i < a->nargs; i++) {
        Val one = fe_value(s, a->arg[i]);
        if (i < 3) v[i] = one, span[i] = a->arg[i]->span;
    }
    if (!arity(s, a, te_expr[o].arity, NULL)) return none;
    if (o == EX_POW) return power(s, a, v, span);
    if (o == EX_PICK) return fe_choice(s, o, v, span, a->span);
    return fe_operator(s, a->span, o, te_expr[o].arity, v, span);
}

/* ---- fns ------------------------------------------------------------------------------------------------------- */
static Val body(Sema *s, const AstFn *fn, const Val *arg, Span call)
{
    Frame f = {fn, arg, call, s->scope.n, s->frame};
    s->frame = &f;
    Val v = fe_value(s, fn->body);
    s->frame = f.up;
    s->scope.n = f.scope;
    return v;
}

static Val use(Sema *s, const AstExpr *a, const FnSym *f)
{
    VEC(Val) arg = {0};
    for (int i = 0; i < a->nargs; i++) {
        Val v = fe_value(s, a->arg[i]);
        VEC_PUSH(s->mem, &arg, v);
    }
    if (!arity(s, a, f->fn->nparams, f->fn)) return none;
    if (f->bad) s->errors++;
    if (f->bad) return none;
    if (s->trial)
        return fe_pend(s, &(Pend){.op = EX_LOAD, .wild = true, .span = a->span}); /* it was checked by itself */
    return body(s, f->fn, arg.at, a->span);
}

/* While a fn's body is looked at, only the fns before it are visible. */
static FnSym *visible(Sema *s, const char *name)
{
    FnSym *f = fe_fn(s, name);
    if (f && s->frame) {
        FnSym *in = fe_fn(s, s->frame->fn->name.text);
        if (in && f >= in) return NULL;
    }
    return f;
}

static bool is_red(const char *name)
{
    for (int r = 0; r < RED_COUNT; r++)
        if (!strcmp(te_red_name[r], name)) return true;
    return false;
}

static bool defined_later(Sema *s, Diag *d, const char *name)
{
    for (int i = 0; i < s->file->nitems; i++) {
        const AstFn *fn = s->file->item[i].fn;
        if (!fn || strcmp(fn->name.text, name) != 0) continue;
        fe_note_at(s, d, fn->name.span, "`%s` is defined here: a fn is visible from its definition on", name);
        fe_help_at(s, d, "move the definition of `%s` above this", name);
        return true;
    }
    return false;
}

/* What the language has, and the fns that are visible. */
static void list_functions(Sema *s, Diag *d)
{
    Text t = {.mem = s->mem};
    text_add(&t, "");
    for (int i = 0; i < s->fns.n && t.n < 80; i++) text_printf(&t, " %s", s->fns.at[i].fn->name.text);
    for (int o = 0; o < EX_COUNT; o++)
        if (te_expr[o].kind == XK_CALL && o == (int)builtin(te_expr[o].text)) text_printf(&t, " %s", te_expr[o].text);
    fe_help_at(s, d, "the functions are%s, and the types as casts; `fn` defines others", t.s);
}

static void unknown_function(Sema *s, const AstExpr *a)
{
    if (s->ast->broken) s->errors++;
    const Sym *y = s->frame ? NULL : fe_find(s, a->text);
    const char *type = fe_type_alias(a->text);
    Diag *d = FE_ERROR(s, D_N009_FUNCTION, a->name_span, a->text);
    if (is_red(a->text))
        fe_help_at(s, d, "a reduction names its variables in braces: `%s{k}(…)`", a->text);
    else if (y && y->kind == SYM_TENSOR && !y->t->scalar)
        fe_help_at(s, d, "`%s` is %s: its index stands in brackets", a->text, fe_what(y));
    else if (s->frame && !strcmp(s->frame->fn->name.text, a->text))
        fe_help_at(s, d, "a fn sees earlier fns only, not itself");
    else if (type && strcasecmp(type, a->text) != 0)
        fe_help_at(s, d, "a cast is `%s(x)`", type);
    else if (!defined_later(s, d, a->text) && !fe_suggest(s, d, a->text, WANT_FN))
        list_functions(s, d);
}

Val fe_call(Sema *s, const AstExpr *a)
{
    FnSym *f = visible(s, a->text);
    if (f) return use(s, a, f);
    DType t = cast_named(a->text);
    if (t != DT_NONE) return cast(s, a, t);
    ExprOp o = builtin(a->text);
    if (o != EX_COUNT) return function(s, a, o);
    unknown_function(s, a);
    for (int i = 0; i < a->nargs && !is_red(a->text); i++) /* a reduction's variables are nobody's names here */
        fe_value(s, a->arg[i]);
    return none;
}

static bool parameters(Sema *s, const AstFn *fn)
{
    bool ok = true;
    for (int i = 0; i < fn->nparams; i++) {
        AstName p = fn->param[i];
        const FnSym *f = fe_fn(s, p.text);
        if (f || fe_builtin(p.text)) {
            Diag *d = FE_ERROR(s, D_N002_TAKEN, p.span, p.text, f ? "a fn" : "a function of the language");
            if (f) fe_note_at(s, d, f->fn->name.span, "`%s` is named here", p.text);
            ok = false;
        }
        for (int k = 0; k < i; k++) {
            if (strcmp(fn->param[k].text, p.text) != 0) continue;
            Diag *d = FE_ERROR(s, D_N002_TAKEN, p.span, p.text, "a parameter of the fn");
            fe_note_at(s, d, fn->param[k].span, "`%s` is named here", p.text);
            ok = false;
            break;
        }
    }
    return ok;
}

bool fe_check_fn(Sema *s, const AstFn *fn)
{
    if (fn->broken) return false;
    int before = s->errors, exprs = s->op->nexprs, vars = s->op->nvars;
    if (!fe_few(s, fn->nparams, "the parameters of a fn", fn->name.span)) return false;
    bool ok = parameters(s, fn);
    Val *arg = NEW_ARRAY(s->mem, Val, fn->nparams);
    for (int i = 0; i < fn->nparams; i++)
        arg[i] = fe_pend(s, &(Pend){.op = EX_LOAD, .wild = true, .span = fn->param[i].span});
    Frame f = {fn, arg, fn->name.span, s->scope.n, NULL};
    s->frame = &f;
    s->trial = true;
    fe_value(s, fn->body);
    s->trial = false;
    s->frame = NULL;
    s->scope.n = f.scope;
    s->op->nexprs = exprs;
    s->op->nvars = vars;
    return ok && s->errors == before;
}
