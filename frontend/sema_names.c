/* sema_names: the one namespace of an op, scopes of index variables, what a misspelled name was meant to be, and
 * reporting without repetition.
 *
 * A name is a dim, a const, a tensor (parameter or let) or an index for the whole op; fns and functions of the table
 * take names too. Index names may come again in other statements. A fn's body is looked up among its parameters and its
 * own index variables only. */
#include "frontend/sema.h"

#include <string.h>
#include <strings.h>

/* ---- reporting ------------------------------------------------------------------------------------------------- */
bool fe_fresh(Sema *s, DiagCode code, Span span)
{
    enum { MOST = 200 }; /* far beyond what is shown: a text of mistakes only costs no more than reading it */
    s->errors++;
    if (s->dry || s->gave_up || s->diags->errors > MOST) return false;
    for (const Diag *d = s->diags->first; d; d = d->next)
        if (span.src && d->code == code && d->span.src == span.src && d->span.at == span.at && d->span.len == span.len)
            return false;
    return true;
}

Diag *fe_framed(Sema *s, Diag *d)
{
    int n = 0;
    for (const Frame *f = s->frame; f && d && n < 3; f = f->up, n++)
        if (f->up || !s->trial) diag_note(s->diags, d, f->call, "in this use of `%s`", f->fn->name.text);
    return d;
}

void fe_help_at(Sema *s, Diag *d, const char *fmt, ...)
{
    if (!d) return;
    va_list ap;
    va_start(ap, fmt);
    diag_help(s->diags, d, "%s", arena_vprintf(s->mem, fmt, ap));
    va_end(ap);
}

void fe_note_at(Sema *s, Diag *d, Span span, const char *fmt, ...)
{
    if (!d) return;
    va_list ap;
    va_start(ap, fmt);
    diag_note(s->diags, d, span, "%s", arena_vprintf(s->mem, fmt, ap));
    va_end(ap);
}

bool fe_few(Sema *s, int n, const char *what, Span span)
{
    if (n <= RANK_MAX) return true;
    FE_ERROR(s, D_N031_TOO_MANY, span, what, n, RANK_MAX);
    return false;
}

const char *fe_src(Sema *s, Span span)
{
    enum { MOST = 60 };
    if (!span.src) return "this";
    Text t = {.mem = s->mem};
    text_add(&t, "");
    bool space = false;
    for (uint32_t i = 0; i < span.len && t.n < MOST; i++) {
        char c = span.src->text[span.at + i];
        bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == 0;
        if (blank && !space) text_char(&t, ' ');
        if (!blank) text_char(&t, c);
        space = blank;
    }
    if (t.n >= MOST) {
        while (t.n > 0 && (t.s[t.n - 1] & 0xc0) == 0x80) t.s[--t.n] = 0; /* no half characters */
        text_add(&t, "…");
    }
    return t.s;
}

/* ---- the table ------------------------------------------------------------------------------------------------- */
Sym *fe_find(Sema *s, const char *name) { return names_find(&s->syms, name); }

FnSym *fe_fn(Sema *s, const char *name)
{
    intptr_t n = (intptr_t)names_find(&s->fn_names, name);
    return n ? &s->fns.at[n - 1] : NULL;
}

void fe_add_fn(Sema *s, const AstFn *fn, bool bad)
{
    VEC_PUSH(s->mem, &s->fns, (FnSym){fn, bad});
    names_put(s->mem, &s->fn_names, fn->name.text, (void *)(intptr_t)s->fns.n);
}

const char *fe_what(const Sym *y)
{
    switch (y->kind) {
    case SYM_DIM: return "a dim";
    case SYM_CONST: return "a const";
    case SYM_INDEX: return "an index variable";
    case SYM_FN: return "a fn";
    case SYM_BAD: return "a name";
    case SYM_TENSOR: break;
    }
    switch (y->t->kind) {
    case TK_LET: return "a let";
    case TK_OUTPUT: return "a result";
    case TK_INOUT: return "an inout";
    default: return "an input";
    }
}

static Sym *add(Sema *s, AstName name, SymKind kind)
{
    Sym *y = NEW(s->mem, Sym);
    y->name = name.text;
    y->kind = kind;
    y->span = name.span;
    names_put(s->mem, &s->syms, name.text, y);
    return y;
}

/* Reports that a name is taken; gives whether it was. */
static bool taken(Sema *s, AstName name, const Sym *by)
{
    if (by) {
        Diag *d = FE_ERROR(s, D_N002_TAKEN, name.span, name.text, fe_what(by));
        fe_note_at(s, d, by->span, "`%s` is named here", name.text);
        return true;
    }
    const FnSym *f = fe_fn(s, name.text);
    if (f) {
        Diag *d = FE_ERROR(s, D_N002_TAKEN, name.span, name.text, "a fn");
        fe_note_at(s, d, f->fn->name.span, "`%s` is named here", name.text);
        return true;
    }
    if (fe_builtin(name.text)) {
        FE_ERROR(s, D_N002_TAKEN, name.span, name.text, "a function of the language");
        return true;
    }
    return false;
}

Sym *fe_declare(Sema *s, AstName name, SymKind kind)
{
    Sym *old = fe_find(s, name.text);
    if (taken(s, name, old) && old) {
        Sym *y = NEW(s->mem, Sym); /* keeps the caller going; nobody finds it */
        y->name = name.text;
        y->kind = kind;
        y->span = name.span;
        return y;
    }
    return add(s, name, kind);
}

/* ---- index variables ------------------------------------------------------------------------------------------- */
const Bound *fe_bound(Sema *s, const char *name)
{
    int from = s->frame ? s->frame->scope : 0;
    for (int i = s->scope.n - 1; i >= from; i--)
        if (!strcmp(s->scope.at[i].name, name)) return &s->scope.at[i];
    return NULL;
}

bool fe_index_name(Sema *s, AstName name)
{
    const Bound *b = fe_bound(s, name.text);
    if (b) {
        Diag *d = FE_ERROR(s, D_N003_SHADOW, name.span, name.text);
        fe_note_at(s, d, b->span, "the enclosing `%s` is here", name.text);
        return false;
    }
    if (s->frame) {
        const AstFn *f = s->frame->fn;
        for (int i = 0; i < f->nparams; i++) {
            if (strcmp(f->param[i].text, name.text) != 0) continue;
            Diag *d = FE_ERROR(s, D_N002_TAKEN, name.span, name.text, "a parameter of the fn");
            fe_note_at(s, d, f->param[i].span, "`%s` is named here", name.text);
            return false;
        }
        return !taken(s, name, NULL);
    }
    const Sym *y = fe_find(s, name.text);
    return !taken(s, name, y && y->kind == SYM_INDEX ? NULL : y);
}

void fe_bind(Sema *s, AstName name, Var *v)
{
    VEC_PUSH(s->mem, &s->scope, (Bound){name.text, v, name.span});
    if (!s->frame && !fe_find(s, name.text)) add(s, name, SYM_INDEX);
}

/* The names that the op's text uses are those of its header, its lets and its index variables; a fn's own index gets
 * another one where it would clash, so that the printed op reads back. */
static bool used_by_op(const Sema *s, const char *name)
{
    const AstOp *o = s->ast;
    for (int i = 0; i < o->ndims; i++)
        if (!strcmp(o->dim[i].name.text, name)) return true;
    for (int i = 0; i < o->nconsts; i++)
        if (!strcmp(o->cst[i].name.text, name)) return true;
    for (int i = 0; i < o->ninputs; i++)
        if (!strcmp(o->input[i].name.text, name)) return true;
    for (int i = 0; i < o->noutputs; i++)
        if (!strcmp(o->output[i].name.text, name)) return true;
    for (int i = 0; i < o->nstmts; i++)
        for (int k = 0; k < o->stmt[i]->nlhs; k++)
            if (!strcmp(o->stmt[i]->lhs[k].name.text, name)) return true;
    for (int i = 0; i < s->scope.n; i++)
        if (!strcmp(s->scope.at[i].name, name) || (s->scope.at[i].var && !strcmp(s->scope.at[i].var->name, name)))
            return true;
    return fe_builtin(name);
}

const char *fe_fresh_index(Sema *s, const char *name)
{
    const char *try = name;
    for (int n = 2; used_by_op(s, try); n++) try = arena_printf(s->mem, "%s_%d", name, n);
    return try;
}

/* ---- suggestions ----------------------------------------------------------------------------------------------- */
bool fe_suggest(Sema *s, Diag *d, const char *name, Want want)
{
    if (!d) return true;
    FeClosest c = fe_closest_start(name);
    if (want & WANT_FN) {
        for (int i = 0; i < s->fns.n; i++) fe_consider(&c, s->fns.at[i].fn->name.text);
        for (int o = 0; o < EX_COUNT; o++)
            if (te_expr[o].kind == XK_CALL) fe_consider(&c, te_expr[o].text);
        for (int t = 0; t < DT_COUNT; t++)
            if (t != DT_INDEX) fe_consider(&c, te_type[t].name);
        for (int r = 0; r < RED_COUNT; r++) fe_consider(&c, te_red_name[r]);
    }
    if ((want & WANT_VALUE) && s->frame)
        for (int i = 0; i < s->frame->fn->nparams; i++) fe_consider(&c, s->frame->fn->param[i].text);
    if (want & WANT_VALUE)
        for (int i = s->scope.n - 1; i >= (s->frame ? s->frame->scope : 0); i--) fe_consider(&c, s->scope.at[i].name);
    static const char *const value[] = {"true", "false", "inf", "nan"};
    for (int i = 0; i < 4 && (want & WANT_VALUE); i++) /* not by another spelling: their names are short */
        if (!strcasecmp(value[i], name)) fe_consider(&c, value[i]);
    for (int i = 0; i < s->syms.cap && !s->frame; i++) {
        const Sym *y = s->syms.what[i];
        if (!y) continue;
        bool tensor = y->kind == SYM_TENSOR, size = y->kind == SYM_DIM || y->kind == SYM_CONST;
        if ((tensor && (want & (WANT_VALUE | WANT_TENSOR))) || (size && (want & (WANT_VALUE | WANT_SIZE))))
            fe_consider(&c, y->name);
    }
    if (c.name) fe_help_at(s, d, "did you mean `%s`?", c.name);
    return c.name != NULL;
}
