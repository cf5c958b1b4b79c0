/* sched_parse.c: a `.sched` file: schedules, their params, blocks of statements, and going on after a mistake. Relies
 * on lex.c for tokens, on parse.c for looking at them and for reports. Leaves a SchedFile with everything that could be
 * read, where a schedule in which something was reported is marked broken, and the tokens' roles for sched_fmt.c.
 *
 * Going on: a mistake in a statement skips past its `;`, to the `}` of its block, or to a line that starts another one;
 * one in the head of a schedule or a block to its `{`. */
#include "frontend/sched_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- going on after a mistake -------------------------------------------------------------------------------- */

static bool starts_schedule(const SchedParser *x)
{
    return sched_is(&x->p, x->p.at, "schedule") && fe_starts_sched(&x->p, x->p.at);
}

/* Something is too much: reads nothing more. */
static void stop(SchedParser *x, Span at, const char *of_what, int most, const char *what)
{
    if (!x->full) diag_error(x->p.diags, D_S015_MANY, at, of_what, most, what);
    x->full = x->p.broken = true;
    x->p.failed = false;
    x->p.at = x->end;
}

/* From a mistake in a statement that began at token `from`; the braces that it opened (a set's) are closed by its `;`,
 * those of a block that is skipped by their own. */
static void skip_statement(SchedParser *x, int from)
{
    Parser *p = &x->p;
    int open = p->braces, depth = open;
    p->failed = false;
    p->braces = 0;
    for (; fe_kind(p) != T_END && !starts_schedule(x); fe_advance(p)) {
        TokenKind kind = fe_kind(p);
        if (kind == T_RBRACE && depth <= 0) return;
        if (p->at != from && depth <= open && fe_first_on_line(p, p->at) && fe_starts_sched(p, p->at)) return;
        if (kind == T_SEMI && depth <= open) {
            fe_advance(p);
            return;
        }
        depth += (kind == T_LBRACE) - (kind == T_RBRACE);
    }
}

static const char param_form[] = "param NAME in {a, b, c} = a [where condition]";

/* ---- params -------------------------------------------------------------------------------------------------- */

/* Known only where all of it is written as integers. */
static void check_default(SchedParser *x, const SchedParam *a)
{
    int64_t dflt, v;
    bool among = false;
    if (!sched_literal(a->dflt, &dflt)) return;
    for (int i = 0; i < a->nvalues; i++) {
        if (!sched_literal(a->value[i], &v)) return;
        among |= v == dflt;
    }
    if (among || !a->nvalues) return;
    diag_error(x->p.diags, D_S008_DEFAULT, a->dflt->span, (long long)dflt, a->name.text);
    x->p.broken = true;
}

static void set_of_values(SchedParser *x, SchedParam *a)
{
    Parser *p = &x->p;
    int open = p->at;
    if (!fe_expect(p, T_LBRACE, "and the values that the param may have", -1)) return;
    p->braces++;
    if (fe_kind(p) == T_RBRACE) {
        diag_error(p->diags, D_S007_EMPTY_SET, span_join(fe_span(p, open), fe_span(p, p->at)), a->name.text);
        p->broken = true;
    } else {
        sched_numbers(x, &a->nvalues, &a->value);
    }
    if (fe_close_list(p, T_RBRACE, "after the values", open)) p->braces--;
}

/* False after a failure. */
static bool param(SchedParser *x, SchedParam *a)
{
    Parser *p = &x->p;
    int from = p->at;
    const Diag *before = p->diags->last;
    p->tok[from].role = ROLE_STMT;
    fe_advance(p);
    a->name = sched_name(x, "the name of a param", false);
    if (fe_expect(p, T_IN, "and a set after the name", -1)) set_of_values(x, a);
    fe_expect(p, T_ASSIGN, "and a default after the set", -1);
    a->dflt = sched_number(x);
    if (fe_accept(p, T_WHERE)) a->where = sched_condition(x);
    a->span = fe_span_from(p, from);
    if (!p->failed) {
        check_default(x, a);
    } else if (p->diags->last != before && p->diags->last->code == D_F001_EXPECTED) {
        fe_help(p, p->diags->last, "it is written `%s`", param_form);
    }
    return !p->failed;
}

/* ---- blocks -------------------------------------------------------------------------------------------------- */

typedef VEC(SchedStmt *) Stmts;
typedef VEC(SchedParam) Params;

/* What other schedule languages call things. */
static const struct {
    const char *theirs, *ours;
} alias[] = {
    {"reorder", "order"},         {"compute_at", "at"},          {"compute_inline", "inline"},
    {"compute_root", "root"},     {"cache_read", "stage"},       {"cache_write", "accum"},
    {"store_at", "at"},           {"vectorise", "vectorize"},    {"vector", "vectorize"},
    {"tensorize", "microkernel"}, {"double_buffer", "pipeline"}, {"unroll_loop", "unroll"},
};

static void unknown_statement(SchedParser *x)
{
    Parser *p = &x->p;
    const char *word = fe_text(p, p->at), *near = NULL;
    Diag *d = diag_error(p->diags, D_S001_STATEMENT, fe_span(p, p->at), word);
    p->failed = p->broken = true;
    if (d == p->diags->spare) return;
    FeClosest c = fe_closest_start(word);
    fe_consider(&c, "param");
    for (int k = 0; k < SS_COUNT; k++) fe_consider(&c, sched_stmt_name[k]);
    near = c.name;
    for (size_t i = 0; i < sizeof alias / sizeof *alias; i++)
        if (ir_streq(alias[i].theirs, word)) near = alias[i].ours;
    for (int k = 0; near && k < SS_COUNT; k++)
        if (ir_streq(near, sched_stmt_name[k]))
            fe_help(p, d, "did you mean `%s`? It is written `%s`", near, sched_stmt_form[k]);
    if (ir_streq(near, "param")) fe_help(p, d, "did you mean `param`?");
    if (ir_streq(word, "else")) near = word, fe_help(p, d, "a second `if` has the opposite condition: `if !(…) { … }`");
    if (ir_streq(word, "for")) near = word, fe_help(p, d, "the loops are those of the op: statements change them");
    TokenKind next = (TokenKind)p->tok[fe_after(p, p->at)].kind;
    if (!near && (next == T_DOT || next == T_LBRACKET)) {
        fe_help(p, d, "the statement's word stands first, as in `parallel %s.i;`", strlen(word) < 40 ? word : "C");
    } else if (!near && next == T_ASSIGN) {
        fe_help(p, d, "a value with a name is a param, `%s`", param_form);
    } else if (!near) {
        sched_help_names(x, d, "", "statements", SS_COUNT, sched_stmt_name);
    }
}

static void no_statement(SchedParser *x)
{
    Parser *p = &x->p;
    if (fe_kind(p) == T_ID) {
        unknown_statement(x);
        return;
    }
    TokenKind kind = fe_kind(p);
    Diag *d = fe_expected_here(p, "a statement or `}`");
    if (kind == T_LET) fe_help(p, d, "a value with a name is a param, `%s`", param_form);
    if (kind == T_SEMI) fe_help(p, d, "a `;` ends a statement, and a block ends with its `}`: leave it out");
    if (d && d != p->diags->spare && !fe_has_help(d))
        fe_help(p, d, "a statement starts with its word, as in `parallel C.i;`");
}

/* The `;` of a statement of this form; a missing one in front of another statement is no reason to skip that. */
static void end_statement(SchedParser *x, const char *form)
{
    Parser *p = &x->p;
    if (p->failed || x->full || fe_accept(p, T_SEMI)) return;
    const Token *last = &p->tok[p->last];
    bool at_end = fe_first_on_line(p, p->at) || fe_kind(p) == T_RBRACE || fe_kind(p) == T_END;
    if (p->tok[p->at].bad || !at_end) {
        Diag *d = fe_expected_here(p, "`;` after the statement");
        bool next = fe_starts_sched(p, p->at);
        fe_help(p, d, next ? "each statement of a schedule ends with `;`" : "it is written `%s`", form);
    } else {
        Diag *d =
            diag_error(p->diags, D_F001_EXPECTED, (Span){p->src, last->at + last->len, 0}, "`;` after the statement",
                       fe_kind(p) == T_RBRACE || fe_kind(p) == T_END ? fe_found(p) : "the end of the line");
        fe_help(p, d, "each statement of a schedule ends with `;`");
        p->failed = p->broken = true;
    }
    if (fe_kind_next(p) == T_END) return;
    p->failed = !(fe_starts_sched(p, p->at) || p->tok[p->at].kind == T_RBRACE);
}

static void one_param(SchedParser *x, Params *to, bool late, bool nested)
{
    Parser *p = &x->p;
    SchedParam a = {0};
    if (late || nested) {
        diag_error(p->diags, D_S006_PARAM_LATE, fe_span(p, p->at));
        p->broken = true;
    }
    bool ok = param(x, &a);
    if (ok && to->n >= SCHED_PARAMS_MOST) {
        stop(x, a.span, "the schedule", SCHED_PARAMS_MOST, "params");
    } else if (ok && !nested) {
        VEC_PUSH(p->mem, to, a);
    }
}

static void one_statement(SchedParser *x, Stmts *to, SchedKind kind)
{
    if (x->nstmts++ >= SCHED_STMTS_MOST) {
        stop(x, fe_span(&x->p, x->p.at), "the file", SCHED_STMTS_MOST, "statements");
        return;
    }
    SchedStmt *s = sched_statement(x, kind);
    if (s && !x->full) VEC_PUSH(x->p.mem, to, s);
}

/* From behind a `{` to its `}`, which is taken. `params`: where they go, NULL inside a block of a schedule. */
static void statements(SchedParser *x, Stmts *to, Params *params)
{
    Parser *p = &x->p;
    Params none = {0};
    int open = p->at, nest = p->nest;
    p->tok[open].role = ROLE_BODY_OPEN;
    fe_advance(p);
    while (fe_kind(p) != T_RBRACE && fe_kind(p) != T_END && !starts_schedule(x)) {
        int from = p->at;
        SchedKind kind = sched_statement_at(p, from);
        if (sched_is(p, from, "param")) {
            one_param(x, params ? params : &none, to->n > 0, !params);
            end_statement(x, param_form);
        } else if (kind != SS_COUNT) {
            one_statement(x, to, kind);
            if (kind != SS_IF && kind != SS_SPECIALIZE) end_statement(x, sched_stmt_form[kind]);
        } else {
            no_statement(x);
        }
        if (p->failed) skip_statement(x, from);
        p->nest = nest;
        p->braces = 0;
    }
    if (fe_kind(p) == T_RBRACE) {
        p->tok[p->at].role = ROLE_BODY_CLOSE;
        fe_advance(p);
    } else if (!x->full && !(x->ended && fe_kind(p) == T_END)) {
        x->ended |= fe_kind(p) == T_END;
        fe_opens_here(p, fe_expected_here(p, "a statement or `}`"), open);
        p->failed = false;
    }
}

void sched_block(SchedParser *x, int *n, SchedStmt ***at)
{
    Parser *p = &x->p;
    Stmts list = {0};
    if (p->nest >= SCHED_NEST_MAX) {
        diag_error(p->diags, D_S014_NEST, fe_span(p, p->at), SCHED_NEST_MAX);
        p->failed = p->broken = true;
        return;
    }
    p->nest++;
    statements(x, &list, NULL);
    p->nest--;
    *n = list.n;
    *at = list.at;
}

/* ---- schedules ----------------------------------------------------------------------------------------------- */

static void target(SchedParser *x, Sched *s)
{
    Parser *p = &x->p;
    if (!fe_accept(p, T_AT)) return;
    if (fe_kind(p) != T_TARGET) {
        fe_help(p, fe_expected(p, "a target after `@`"), "such as `@cpu` or `@gpgpu`");
        return;
    }
    s->target = fe_text(p, p->at);
    s->target_span = fe_span(p, p->at);
    size_t n = strcspn(s->target, ":");
    const char *kind = arena_strndup(p->mem, s->target, n);
    if ((!ir_streq(kind, "cpu") && !ir_streq(kind, "gpgpu")) || (s->target[n] && !s->target[n + 1])) {
        diag_error(p->diags, D_S012_TARGET, s->target_span, s->target);
        p->broken = true;
    }
    fe_advance(p);
}

static const char schedule_form[] = "schedule NAME for OP [@TARGET] [when condition] { … }";

static void head(SchedParser *x, Sched *s)
{
    Parser *p = &x->p;
    const Diag *before = p->diags->last;
    s->name = sched_name(x, "the name of a schedule", false);
    if (sched_accept(x, "for")) {
        s->op = sched_name(x, "the name of an op", false);
    } else {
        fe_help(p, fe_expected(p, "`for` and an op after the name"), "it is written `%s`", schedule_form);
    }
    if (p->failed && p->diags->last != before && !fe_has_help(p->diags->last))
        fe_help(p, p->diags->last, "it is written `%s`", schedule_form);
    target(x, s);
    if (sched_accept(x, "when")) s->when = sched_condition(x);
    if (!p->failed && fe_kind(p) != T_LBRACE) {
        bool equals = s->when && fe_kind(p) == T_ASSIGN;
        Diag *d = fe_expected(p, s->when     ? "`{` after the condition"
                                 : s->target ? "`when` or `{`"
                                             : "`@`, `when` or `{`");
        fe_help(p, d, equals ? "a comparison is `==`" : "it is written `%s`", schedule_form);
    }
    if (!p->failed) return;
    p->failed = false;
    while (fe_kind(p) != T_LBRACE && fe_kind(p) != T_END && !starts_schedule(x)) fe_advance(p);
    p->nest = 0;
}

static void params_twice(SchedParser *x, const Sched *s)
{
    const AstName **name = NEW_ARRAY(x->p.mem, const AstName *, s->nparams + 1);
    for (int i = 0; i < s->nparams; i++) name[i] = &s->param[i].name;
    int *earlier = sched_earlier(x->p.mem, s->nparams, name);
    for (int i = 0; i < s->nparams; i++) {
        if (earlier[i] < 0) continue;
        Diag *d = diag_error(x->p.diags, D_S005_TAKEN, name[i]->span, name[i]->text, "a param");
        diag_note(x->p.diags, d, name[earlier[i]]->span, "first here");
        x->p.broken = true;
    }
}

static Sched *schedule(SchedParser *x)
{
    Parser *p = &x->p;
    int from = p->at;
    Sched *s = NEW(p->mem, Sched);
    Stmts list = {0};
    Params params = {0};
    p->broken = false;
    p->tok[from].role = ROLE_ITEM;
    s->doc = fe_documentation(p, from);
    fe_advance(p);
    head(x, s);
    if (fe_kind(p) == T_LBRACE) statements(x, &list, &params);
    s->nparams = params.n;
    s->param = params.at;
    s->nstmts = list.n;
    s->stmt = list.at;
    params_twice(x, s);
    s->span = fe_span_from(p, from);
    s->broken = p->broken;
    return s;
}

static void schedules_twice(SchedParser *x, SchedFile *f)
{
    const AstName **name = NEW_ARRAY(x->p.mem, const AstName *, f->n + 1);
    for (int i = 0; i < f->n; i++) name[i] = &f->sched[i]->name;
    int *earlier = sched_earlier(x->p.mem, f->n, name);
    for (int i = 0; i < f->n; i++) {
        if (earlier[i] < 0) continue;
        Diag *d = diag_error(x->p.diags, D_S005_TAKEN, name[i]->span, name[i]->text, "a schedule of this file");
        diag_note(x->p.diags, d, name[earlier[i]]->span, "first here");
        f->sched[i]->broken = true;
    }
}

/* Something stands where a schedule should start: told once, until one does. */
static void not_a_schedule(SchedParser *x, bool tell)
{
    Parser *p = &x->p;
    TokenKind kind = fe_kind(p);
    if (tell) {
        Diag *d = fe_expected_here(p, "`schedule`");
        if (kind == T_RBRACE) fe_help(p, d, "no brace is open here");
        if (kind == T_OP || kind == T_FN) fe_help(p, d, "ops belong in a `.te` file");
        if (kind == T_ID && (fe_starts_sched(p, p->at) || sched_statement_at(p, p->at) != SS_COUNT))
            fe_help(p, d, "statements stand in the braces of a schedule: `schedule NAME for OP { … }`");
        else if (d && !fe_has_help(d))
            fe_help(p, d, "a file holds schedules, `%s`", schedule_form);
    }
    p->failed = false;
    do fe_advance(p);
    while (fe_kind(p) != T_END && !sched_is(p, p->at, "schedule"));
}

static int by_place(const void *a, const void *b)
{
    const Diag *x = *(Diag *const *)a, *y = *(Diag *const *)b;
    return x->span.at < y->span.at ? -1 : x->span.at > y->span.at;
}

/* The lexer's reports, the parser's, and those of what is checked when a list is complete, in order of place. */
static void sort_reports(Diags *d, Diag *before)
{
    VEC(Diag *) all = {0};
    Diag **end = before ? &before->next : &d->first;
    for (Diag *g = *end; g; g = g->next) VEC_PUSH(d->mem, &all, g);
    if (all.n < 2) return;
    qsort(all.at, (size_t)all.n, sizeof *all.at, by_place);
    for (int i = 0; i < all.n; i++) {
        *end = d->last = all.at[i];
        end = &all.at[i]->next;
    }
    *end = NULL;
}

SchedFile *sched_parse(Arena *mem, const Source *src, Diags *diags)
{
    SchedParser x = {.p = {.mem = mem, .src = src, .diags = diags, .sched = true}};
    Parser *p = &x.p;
    fe_find_operators(p);
    SchedFile *f = NEW(mem, SchedFile);
    f->src = src;
    Diag *before = diags->last;
    f->token = p->tok = fe_lex_sched(mem, src, diags, &f->ntokens);
    x.end = f->ntokens - 1;
    while (p->tok[p->at].kind == T_COMMENT) p->at++;
    VEC(Sched *) list = {0};
    while (fe_kind(p) != T_END) {
        if (!sched_is(p, p->at, "schedule")) {
            not_a_schedule(&x, !p->broken);
            continue;
        }
        Sched *s = schedule(&x);
        VEC_PUSH(mem, &list, s);
    }
    f->n = list.n;
    f->sched = list.at;
    schedules_twice(&x, f);
    sort_reports(diags, before);
    return f;
}
