/* sema_expr: names, accesses, operators and conditionals, from syntax to typed values.
 *
 * Recursion follows the syntax, fns written out; its depth and the number of nodes visited are bounded. */
#include "frontend/sema.h"

#include <string.h>

static const Val none = {0};

void fe_too_large(Sema *s, const char *what)
{
    const Frame *f = s->frame;
    while (f && f->up) f = f->up;
    FE_ERROR(s, D_N024_TOO_LARGE, s->stmt ? s->stmt->rhs->span : f ? f->fn->name.span : s->ast->name.span, what);
    s->gave_up = !s->dry;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */
static Val wild(Sema *s, Span span, bool has_float)
{
    return fe_pend(s, &(Pend){.op = EX_LOAD, .wild = true, .has_float = has_float, .span = span});
}

static Val of_index(Sema *s, const Bound *b, Span span)
{
    if (!b->var) {
        s->errors++;
        return none;
    }
    if (b->var == s->slot) {
        FE_ERROR(s, D_N027_SLOT, span, b->name);
        return none;
    }
    if (s->size) {
        FE_ERROR(s, D_N018_SIZES_ONLY, span, s->size, b->name, "an index variable");
        return none;
    }
    return fe_leaf(te_var(s->op, b->var, span));
}

static bool has_help(const Diag *d)
{
    for (const DiagNote *n = d->notes; n; n = n->next)
        if (n->is_help) return true;
    return false;
}

static Val unknown(Sema *s, const char *name, Span span, Want want)
{
    if (s->ast->broken && !s->frame) { /* a statement that could not be read may define it */
        s->errors++;
        return none;
    }
    if (s->frame) {
        Diag *d = FE_ERROR(s, D_N025_FN_USE, span, name);
        fe_suggest(s, d, name, WANT_VALUE);
        fe_help_at(s, d, "give it to the fn as an argument");
        return none;
    }
    Diag *d = FE_ERROR(s, D_N001_UNKNOWN, span, name);
    fe_suggest(s, d, name, want);
    for (int i = 0; d && i < s->ast->nstmts; i++)
        for (int k = 0; k < s->ast->stmt[i]->nlhs; k++) {
            const AstName *later = &s->ast->stmt[i]->lhs[k].name;
            if (strcmp(later->text, name) != 0) continue;
            fe_note_at(s, d, later->span, "`%s` is defined here, later: statements take effect in order", name);
            if (!has_help(d)) fe_help_at(s, d, "move the definition of `%s` above this", name);
            return none;
        }
    bool called = fe_builtin(name); /* no tensor has this name */
    for (int r = 0; r < RED_COUNT; r++)
        if (want == WANT_TENSOR && ir_streq(te_red_name[r], name)) {
            fe_help_at(s, d, "a reduction names its variables in braces: `%s{k}(…)`", name);
            return none;
        }
    if (called && d && !has_help(d)) fe_help_at(s, d, "`%s` is a function: its arguments stand in parentheses", name);
    if (d && !has_help(d)) fe_help_at(s, d, "what an op uses is among its dims, consts, inputs and earlier `let`s");
    return none;
}

static const char *plural(int n) { return n == 1 ? "" : "s"; }

static const char *sample_index(Sema *s, int rank)
{
    Text t = {.mem = s->mem};
    text_add(&t, "");
    for (int i = 0; i < rank; i++) text_printf(&t, i ? ",%c" : "%c", "ijklmnpq"[i % 8]);
    return t.s;
}

/* Whether tensor y can be read here at all: it has a value, and is not what is being defined. */
static bool readable(Sema *s, const Sym *y, Span span)
{
    if (s->size) {
        Diag *d = FE_ERROR(s, D_N018_SIZES_ONLY, span, s->size, y->name, fe_what(y));
        fe_help_at(s, d, "make `%s` a dim or a const", y->name);
        return false;
    }
    if (y->defined || (y == s->self_sym && s->stmt->seq.text)) return true;
    Diag *d = FE_ERROR(s, D_N004_UNDEFINED, span, y->name);
    if (y == s->self_sym)
        fe_help_at(s, d, "a recurrence along an index t, which reads earlier values, ends with `seq t`");
    else
        fe_note_at(s, d, y->span, "a result is read after the statement that assigns it");
    return false;
}

static Val name(Sema *s, const AstExpr *a)
{
    const Bound *b = fe_bound(s, a->text);
    if (b) return of_index(s, b, a->span);
    if (s->frame) {
        const Frame *f = s->frame;
        for (int i = 0; i < f->fn->nparams; i++)
            if (!strcmp(f->fn->param[i].text, a->text)) {
                if (fe_bad(f->arg[i])) s->errors++;
                return f->arg[i];
            }
        return unknown(s, a->text, a->span, WANT_VALUE);
    }
    Sym *y = fe_find(s, a->text);
    if (!y || y->kind == SYM_INDEX) return unknown(s, a->text, a->span, s->size ? WANT_SIZE : WANT_VALUE);
    switch (y->kind) {
    case SYM_DIM: return fe_leaf(te_dim(s->op, y->at, a->span));
    case SYM_CONST:
        if (s->op->cst[y->at].value) return fe_leaf(te_const(s->op, y->at, a->span));
        s->errors++;
        return none;
    case SYM_TENSOR: break;
    default: s->errors++; return none;
    }
    if (!readable(s, y, a->span)) return none;
    if (!y->t->scalar) {
        Diag *d = FE_ERROR(s, D_N011_NO_INDEX, a->span, a->text, y->t->rank, plural(y->t->rank));
        fe_help_at(s, d, "write `%s[%s]`", a->text, sample_index(s, y->t->rank));
        return none;
    }
    if (y->t->type == DT_NONE) return wild(s, a->span, false);
    return fe_leaf(te_load(s->op, y->t, 0, NULL, NULL, a->span));
}

/* ---- accesses --------------------------------------------------------------------------------------------------- */
/* Under `seq t` an inout is read where t is earlier (new values) or not (old ones): it must be clear which. */
static bool clear_order(Sema *s, Expr *const *ix, Span span)
{
    Expr *t = te_var(s->op, s->seq, span);
    if (fe_at_least(s, t, ix[s->seq_at], 1) || fe_at_least(s, ix[s->seq_at], t, 0)) return true;
    Diag *d = FE_ERROR(s, D_N023_SEQ_UNDECIDED, span, s->self_sym->name, s->seq->name);
    fe_help_at(s, d,
               "write the index as `%s` minus something positive for the new values; other reads see the old ones",
               s->seq->name);
    return false;
}

static Sym *accessed(Sema *s, const AstExpr *a)
{
    const Bound *b = fe_bound(s, a->text);
    const char *what = b ? "an index variable" : NULL;
    for (int i = 0; s->frame && i < s->frame->fn->nparams; i++)
        if (!strcmp(s->frame->fn->param[i].text, a->text)) what = "one value, a parameter of the fn,";
    Sym *y = s->frame || b ? NULL : fe_find(s, a->text);
    if (!what && (!y || y->kind == SYM_INDEX)) {
        unknown(s, a->text, a->name_span, WANT_TENSOR);
        return NULL;
    }
    if (y && y->kind == SYM_BAD) s->errors++;
    if (y && y->kind == SYM_BAD) return NULL;
    if (!what && y->kind != SYM_TENSOR) what = fe_what(y);
    if (!what && y->t->scalar) what = "a scalar";
    if (!what) return readable(s, y, a->name_span) ? y : NULL;
    Diag *d = FE_ERROR(s, D_N013_NO_TENSOR, a->name_span, a->text, what);
    fe_help_at(s, d, "write `%s` alone", a->text);
    return NULL;
}

static Val access(Sema *s, const AstExpr *a)
{
    Sym *y = accessed(s, a);
    VEC(Val) parts = {0};
    VEC(Expr *) ix = {0};
    bool ok = y != NULL;
    for (int i = 0; i < a->nargs; i++) {
        Val v = fe_value(s, a->arg[i]);
        Expr *e = fe_index(s, v, "an index", a->arg[i]->span);
        ok &= e != NULL;
        VEC_PUSH(s->mem, &parts, v);
        VEC_PUSH(s->mem, &ix, e);
    }
    Val other = a->other ? fe_value(s, a->other) : none;
    if (y && y->t->rank != a->nargs) {
        Diag *d = FE_ERROR(s, D_N012_RANK, a->span, a->text, y->t->rank, plural(y->t->rank), a->nargs,
                           a->nargs == 1 ? "ex is" : "ices are");
        fe_note_at(s, d, y->span, "`%s` is defined here", a->text);
        fe_help_at(s, d, "write `%s[%s]`", a->text, sample_index(s, y->t->rank));
        return none;
    }
    if (!ok || (a->other && fe_bad(other))) return none;
    VEC_PUSH(s->mem, &parts, other);
    if (y->t->type == DT_NONE) { /* the recurrence whose type is sought */
        if (!other.e) return wild(s, a->span, other.p && other.p->has_float);
        return fe_typed(s, other.e, parts.at, parts.n);
    }
    Expr *v = NULL;
    if (a->other) {
        const char *what = arena_printf(s->mem, "`%s`", a->text);
        if (!(v = fe_assignable(s, other, y->t->type, what, a->other->span))) return none;
    }
    if (s->seq && y == s->self_sym && y->t->kind == TK_INOUT && !clear_order(s, ix.at, a->span)) return none;
    return fe_typed(s, te_load(s->op, y->t, ix.n, ix.at, v, a->span), parts.at, parts.n);
}

/* ---- operators -------------------------------------------------------------------------------------------------- */
bool fe_condition(Sema *s, Val v, Span span, const char *what, Expr **out)
{
    *out = NULL;
    if (fe_bad(v)) return false;
    if (v.p && v.p->wild) return (*out = fe_settle(s, v, DT_U1)) != NULL;
    if (v.e && v.e->type == DT_U1) {
        *out = v.e;
        return true;
    }
    DType t = v.e ? (DType)v.e->type : v.p->has_float ? DT_F32 : DT_I32;
    Diag *d = FE_ERROR(s, D_T005_CONDITION, span, what,
                       v.p             ? "a number"
                       : t == DT_INDEX ? "an index"
                                       : te_type[t].name);
    fe_help_at(s, d, "compare it, as in `%s != 0%s`", fe_src(s, span), te_is_float(t) ? ".0" : "");
    return false;
}

static Val logic(Sema *s, const AstExpr *a, ExprOp o, int n, const Val *v, const Span *span)
{
    Expr *arg[2];
    const char *what = arena_printf(s->mem, "what `%s` takes", te_expr[o].text);
    bool ok = true;
    for (int i = 0; i < n; i++) ok &= fe_condition(s, v[i], span[i], what, &arg[i]);
    return ok ? fe_typed(s, te_node(s->op, o, DT_U1, n, arg, a->span), v, n) : none;
}

static bool compares(ExprOp o) { return o >= EX_EQ && o <= EX_GE; }

/* Operands beside one another, of an operator or a function that computes in their type. */
Val fe_operator(Sema *s, Span whole, ExprOp o, int n, const Val *v, const Span *span)
{
    bool bad, floats = false, any = false;
    DType t = fe_beside(s, v, span, n, te_expr[o].text, whole, &bad);
    if (bad) return none;
    for (int i = 0; i < n; i++) {
        floats |= v[i].p && v[i].p->has_float;
        any |= v[i].p && v[i].p->wild;
    }
    if (t == DT_NONE && compares(o)) {
        if (any) return fe_typed(s, te_int(s->op, DT_U1, 1, whole), v, n);
        t = floats ? DT_F32 : DT_I32;
    }
    if (t == DT_NONE) {
        Pend p = {.op = o, .nargs = n, .span = whole};
        for (int i = 0; i < n; i++) p.arg[i] = v[i];
        return fe_pend(s, &p);
    }
    Expr *arg[3];
    bool ok = true;
    for (int i = 0; i < n; i++) ok &= (arg[i] = fe_operand(s, v[i], t)) != NULL;
    if (!ok || (!compares(o) && !fe_works_on(s, o, t, whole))) return none;
    return fe_typed(s, te_node(s->op, o, compares(o) ? DT_U1 : t, n, arg, whole), v, n);
}

/* c ? a : b and select(c, a, b) */
Val fe_choice(Sema *s, ExprOp o, const Val *v, const Span *span, Span whole)
{
    Expr *cond;
    bool bad, ok = fe_condition(s, v[0], span[0], "a condition", &cond);
    DType t = fe_beside(s, v + 1, span + 1, 2, te_expr[o].text, whole, &bad);
    if (!ok || bad) return none;
    if (t == DT_NONE) {
        Pend p = {.op = o, .nargs = 3, .span = whole, .arg = {v[0], v[1], v[2]}};
        p.arg[0].e = cond;
        p.arg[0].p = NULL;
        return fe_pend(s, &p);
    }
    Expr *arg[3] = {cond, fe_operand(s, v[1], t), fe_operand(s, v[2], t)};
    if (!arg[1] || !arg[2]) return none;
    return fe_typed(s, te_node(s->op, o, t, 3, arg, whole), v, 3);
}

static Val literal(Sema *s, const AstExpr *a, bool neg, Span span)
{
    ExprOp o = a->kind == AST_INT ? EX_INT : EX_FLOAT;
    return fe_pend(s, &(Pend){.op = o, .lit = a, .neg = neg, .has_float = o == EX_FLOAT, .span = span});
}

/* `a < b < c` compares the truth value of `a < b` with c. */
static bool chained(Sema *s, const AstExpr *a, const Val *v)
{
    if (a->kind != AST_BINARY || !compares(a->op)) return false;
    const AstExpr *x = a->arg[0], *y = a->arg[1];
    if (x->kind != AST_BINARY || !compares(x->op)) return false;
    if (fe_bad(v[0]) || fe_bad(v[1]) || (v[1].e ? v[1].e->type == DT_U1 : v[1].p->wild)) return false;
    const char *left = fe_src(s, x->span), *right = fe_src(s, y->span);
    Diag *d = FE_ERROR(s, D_T011_CHAIN, a->span, left, right);
    fe_help_at(s, d, "write `%s && %s %s %s`", left, fe_src(s, x->arg[1]->span), te_expr[a->op].text, right);
    return true;
}

static Val operator(Sema *s, const AstExpr *a)
{
    const AstExpr *x = a->arg[0];
    if (a->kind == AST_UNARY && a->op == EX_NEG && (x->kind == AST_INT || x->kind == AST_FLOAT))
        return literal(s, x, true, a->span);
    Val v[3];
    Span span[3];
    for (int i = 0; i < a->nargs; i++) {
        v[i] = fe_value(s, a->arg[i]);
        span[i] = a->arg[i]->span;
    }
    if (a->kind == AST_COND) return fe_choice(s, EX_SELECT, v, span, a->span);
    if (chained(s, a, v)) return none;
    if (a->op == EX_OR || a->op == EX_AND || a->op == EX_NOT) return logic(s, a, a->op, a->nargs, v, span);
    return fe_operator(s, a->span, a->op, a->nargs, v, span);
}

Val fe_value(Sema *s, const AstExpr *a)
{
    if (s->gave_up) return none;
    if (++s->work > WORK_MAX) {
        fe_too_large(s, "checking it, with its fns written out, takes more than a million steps");
        return none;
    }
    if (s->nest >= TREE_DEPTH) {
        fe_too_large(s, "with its fns written out, an expression is too deep");
        return none;
    }
    s->nest++;
    Val v = none;
    switch (a->kind) {
    case AST_INT:
    case AST_FLOAT: v = literal(s, a, false, a->span); break;
    case AST_BOOL: v = fe_leaf(te_int(s->op, DT_U1, a->i != 0, a->span)); break;
    case AST_NAME: v = name(s, a); break;
    case AST_CALL: v = fe_call(s, a); break;
    case AST_ACCESS: v = access(s, a); break;
    case AST_REDUCE: v = fe_reduction(s, a); break;
    case AST_UNARY:
    case AST_BINARY:
    case AST_COND: v = operator(s, a); break;
    case AST_PAREN: v = fe_value(s, a->arg[0]); break;
    case AST_ERROR: s->errors++; break;
    }
    s->nest--;
    return v;
}

Expr *fe_size(Sema *s, const AstExpr *a, const char *what)
{
    const char *outer = s->size;
    s->size = what;
    Expr *e = fe_index(s, fe_value(s, a), "a size", a->span);
    s->size = outer;
    return e;
}
