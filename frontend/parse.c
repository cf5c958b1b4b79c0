/* parse.c: tokens to the syntax tree: items, headers, statements, and going on after a mistake. Needs the tokens of
 * lex.c; leaves an AstFile with everything that could be read, where an op or fn in which something was reported is
 * marked broken, and marks tokens with their roles for fmt.c.
 *
 * Going on: a mistake in a statement skips to the next line that looks like a statement, to the op's closing brace, or
 * to the next `op` or `fn`; one in a header to the op's body. */
#include "frontend/frontend.h"
#include "frontend/parse.h"

#include <stdio.h>
#include <string.h>

/* ---- tokens -------------------------------------------------------------------------------------------------- */

int fe_after(const Parser *p, int at)
{
    if (p->tok[at].kind == T_END) return at;
    do at++;
    while (p->tok[at].kind == T_COMMENT);
    return at;
}

TokenKind fe_kind_next(const Parser *p) { return p->failed ? T_ERROR : (TokenKind)p->tok[fe_after(p, p->at)].kind; }

void fe_advance(Parser *p)
{
    if (p->failed) return;
    if (p->tok[p->at].bad) p->broken = true;
    p->last = p->at;
    p->at = fe_after(p, p->at);
}

bool fe_accept(Parser *p, TokenKind kind)
{
    if (fe_kind(p) != kind) return false;
    fe_advance(p);
    return true;
}

Span fe_span(const Parser *p, int token)
{
    const Token *t = &p->tok[token];
    if (t->kind == T_END && p->last < token && token > 0) /* behind the last thing written */
        return (Span){p->src, p->tok[p->last].at + p->tok[p->last].len, 0};
    return (Span){p->src, t->at, t->len};
}

Span fe_span_from(const Parser *p, int token)
{
    if (p->last < token) return fe_span(p, token);
    return span_join(fe_span(p, token), fe_span(p, p->last));
}

const char *fe_text(const Parser *p, int token)
{
    return arena_strndup(p->mem, p->src->text + p->tok[token].at, p->tok[token].len);
}

bool fe_adjacent(const Parser *p, int at)
{
    return p->tok[at].kind != T_END && p->tok[at].at + p->tok[at].len == p->tok[at + 1].at;
}

bool fe_first_on_line(const Parser *p, int at) { return at == 0 || p->tok[at].lines > 0; }

/* ---- reports ------------------------------------------------------------------------------------------------- */

const char *fe_found(const Parser *p)
{
    const Token *t = &p->tok[p->at];
    if (t->kind == T_END) return fe_token_text[T_END];
    if (p->diags->spare) return ""; /* nobody will read it */
    uint32_t n = t->len;
    if (n > 40) return arena_printf(p->mem, "`%.*s…`", 40, p->src->text + t->at);
    return arena_printf(p->mem, "`%.*s`", (int)n, p->src->text + t->at);
}

static Diag *expected(Parser *p, const char *what, Span span, const char *found)
{
    /* What stands beside a token that could not be read is most likely as it should be. */
    bool silent = fe_kind(p) == T_ERROR || p->tok[p->at].bad || (p->tok[p->last].bad && p->last < p->at);
    p->broken = true;
    Diag *d = silent ? NULL : diag_error(p->diags, D_F001_EXPECTED, span, what, found);
    if (span.len > 0) fe_help_with_token(p, d); /* else the place is the end of a line: the token has no part in it */
    p->failed = true;
    return d;
}

/* Whether the current token starts something new on its line, so that the mistake is what the line before lacks. */
static bool starts_anew(const Parser *p)
{
    TokenKind kind = (TokenKind)p->tok[p->at].kind;
    if (p->at == 0 || p->last >= p->at || !fe_first_on_line(p, p->at)) return false;
    if (p->sched) return kind == T_RBRACE || fe_starts_sched(p, p->at);
    return kind == T_LET || kind == T_RBRACE || fe_starts_item(p) || (kind == T_ID && fe_starts_statement(p, p->at));
}

Diag *fe_expected_here(Parser *p, const char *what) { return expected(p, what, fe_span(p, p->at), fe_found(p)); }

Diag *fe_expected(Parser *p, const char *what)
{
    if (p->failed || !starts_anew(p)) return fe_expected_here(p, what);
    const Token *last = &p->tok[p->last];
    return expected(p, what, (Span){p->src, last->at + last->len, 0}, "the end of the line");
}

void fe_help(Parser *p, Diag *d, const char *fmt, ...)
{
    if (!d || d == p->diags->spare) return;
    va_list ap;
    va_start(ap, fmt);
    diag_help(p->diags, d, "%s", arena_vprintf(p->mem, fmt, ap));
    va_end(ap);
}

void fe_opens_here(Parser *p, Diag *d, int open)
{
    if (!d || open < 0) return;
    diag_note(p->diags, d, fe_span(p, open), "to match this `%s`", fe_token_text[p->tok[open].kind]);
    fe_help_with_closing(p, d, (TokenKind)p->tok[open].kind);
}

bool fe_expect(Parser *p, TokenKind kind, const char *where, int open)
{
    if (fe_accept(p, kind)) return true;
    bool told = p->failed || p->diags->spare;
    const char *what = told ? "" : arena_printf(p->mem, "`%s` %s", fe_token_text[kind], where);
    Diag *d = fe_expected(p, what);
    if (kind == T_RPAREN) fe_help_with_operand(p, d);
    fe_opens_here(p, d, open);
    return false;
}

bool fe_close_list(Parser *p, TokenKind kind, const char *where, int open)
{
    if (fe_accept(p, kind)) return true;
    bool told = p->failed || p->diags->spare;
    const char *what = told ? "" : arena_printf(p->mem, "`%s` %s", fe_token_text[kind], where);
    Diag *d = fe_expected(p, what);
    fe_help_with_list(p, d);
    fe_opens_here(p, d, open);
    return false;
}

bool fe_is_word(TokenKind kind) { return kind == T_DTYPE || (kind >= T_OP && kind <= T_NAN); }

AstName fe_name(Parser *p, const char *what)
{
    TokenKind kind = fe_kind(p);
    AstName n = {"", fe_span(p, p->at)};
    if (kind == T_ID) {
        n.text = fe_text(p, p->at);
        fe_advance(p);
    } else if (fe_is_word(kind) && !((kind == T_OP || kind == T_FN || kind == T_LET) && fe_first_on_line(p, p->at))) {
        n.text = fe_text(p, p->at);
        diag_error(p->diags, D_F003_RESERVED, n.span, n.text);
        p->broken = true;
        fe_advance(p);
    } else {
        fe_help_with_name(p, fe_expected(p, what));
    }
    return n;
}

/* ---- going on after a mistake -------------------------------------------------------------------------------- */

bool fe_starts_item(const Parser *p) { return p->tok[p->at].kind == T_OP || p->tok[p->at].kind == T_FN; }

/* To the brace that opens an op's body (and not a hint's or a reduction's), the next item or the end. */
static void skip_header(Parser *p)
{
    p->failed = false;
    while (fe_kind(p) != T_END && !fe_starts_item(p)) {
        if (fe_kind(p) == T_LBRACE) {
            TokenKind before = (TokenKind)p->tok[p->last].kind;
            if (before != T_TILDE && fe_token_red(p->src, &p->tok[p->last]) == RED_COUNT) break;
        }
        fe_advance(p);
    }
    p->nest = p->braces = 0;
}

static void skip_to_item(Parser *p)
{
    p->failed = false;
    while (fe_kind(p) != T_END && !fe_starts_item(p)) fe_advance(p);
    p->nest = p->braces = 0;
}

/* ---- items --------------------------------------------------------------------------------------------------- */

const char *fe_documentation(Parser *p, int at)
{
    int from = at;
    while (from > 0 && p->tok[from - 1].kind == T_COMMENT && p->tok[from].lines == 1 && fe_first_on_line(p, from - 1))
        from--;
    if (from == at) return NULL;
    Text doc = {.mem = p->mem};
    for (; from < at; from++) {
        const char *s = p->src->text + p->tok[from].at;
        uint32_t n = p->tok[from].len, skip = n > 1 && s[1] == ' ' ? 2 : 1;
        if (doc.s) text_char(&doc, '\n');
        text_addn(&doc, s + skip, n - skip);
    }
    return doc.s;
}

/* Something stands where an op or fn should start. */
static void not_an_item(Parser *p)
{
    TokenKind kind = (TokenKind)p->tok[p->at].kind;
    Diag *d = fe_expected_here(p, "`op` or `fn`");
    if (kind == T_RBRACE) {
        fe_help(p, d, "no brace is open here");
    } else if (kind == T_LET) {
        fe_help(p, d, "a let stands among the statements of an op");
    } else if (p->at > 0 && !fe_first_on_line(p, p->at)) {
        fe_help_with_operand(p, d);
    } else if (d && !fe_has_help(d)) {
        fe_help(p, d,
                "a file holds ops, `op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i] }`, and scalar functions, `fn "
                "twice(x) = x + x`");
    }
}

static AstOp *operation(Parser *p)
{
    int from = p->at;
    AstOp *op = NEW(p->mem, AstOp);
    op->doc = fe_documentation(p, from);
    fe_advance(p);
    fe_header(p, op);
    if (!p->failed && fe_kind(p) != T_LBRACE) {
        TokenKind kind = fe_kind(p);
        Diag *d = fe_expected(p, op->nwhere ? "`{` after the conditions" : "`where` or `{` after the results");
        if (kind == T_IF) {
            fe_help(p, d, "conditions on sizes stand after `where`");
        } else if (d && !fe_has_help(d)) {
            fe_help(p, d, "an op's statements stand in braces: `{ Y[i] = X[i] }`");
        }
    }
    if (p->failed) skip_header(p);
    if (fe_kind(p) == T_LBRACE) fe_body(p, op);
    op->span = fe_span_from(p, from);
    return op;
}

static AstFn *function(Parser *p)
{
    int from = p->at;
    AstFn *f = NEW(p->mem, AstFn);
    f->doc = fe_documentation(p, from);
    fe_advance(p);
    f->name = fe_name(p, "the function's name");
    int open = p->at;
    if (!fe_accept(p, T_LPAREN)) {
        TokenKind kind = fe_kind(p);
        fe_help(p, fe_expected(p, "`(` after the function's name"),
                kind == T_LBRACKET ? "a fn computes with scalars; what works on tensors starts with `op`"
                                   : "its parameters stand in parentheses: `fn twice(x) = x + x`");
    }
    VEC(AstName) names = {0};
    do {
        AstName n = fe_name(p, "the name of a parameter");
        VEC_PUSH(p->mem, &names, n);
    } while (fe_accept(p, T_COMMA));
    f->nparams = names.n;
    f->param = names.at;
    bool typed = fe_kind(p) == T_COLON;
    if (!fe_accept(p, T_RPAREN)) {
        Diag *d = fe_expected(p, "`)` after the parameters");
        if (typed) fe_help(p, d, "a fn's parameters have no types: its body is typed where it is used");
        fe_help_with_list(p, d);
        fe_opens_here(p, d, open);
    }
    if (!fe_accept(p, T_ASSIGN))
        fe_help(p, fe_expected(p, "`=` and an expression after the parameters"),
                "a fn is one expression: `fn twice(x) = x + x`");
    f->body = fe_expr(p);
    f->span = fe_span_from(p, from);
    return f;
}

void fe_find_operators(Parser *p)
{
    static const struct {
        const char *text;
        bool binary;
        uint8_t prec;
    } row[EX_COUNT] = {
#define LEAF                              0
#define UNARY                             0
#define BINARY                            1
#define CALL                              0
#define SPECIAL                           0
#define EXPR(ID, text, arity, kind, prec) [EX_##ID] = {text, kind, prec},
#include "ir/ops.def"
#undef EXPR
#undef LEAF
#undef UNARY
#undef BINARY
#undef CALL
#undef SPECIAL
    };
    for (int k = 0; k < T_COUNT; k++) {
        p->binary[k] = EX_COUNT;
        for (int o = 0; o < EX_COUNT; o++)
            if (row[o].binary && ir_streq(row[o].text, fe_token_text[k])) p->binary[k] = (ExprOp)o;
    }
    for (int o = 0; o < EX_COUNT; o++) p->prec[o] = row[o].prec;
}

/* Merges two runs of reports, the lexer's and the parser's, each in order of place. */
static Diag *merge(Diag *a, Diag *b)
{
    Diag *first = NULL, **end = &first;
    while (a && b) {
        Diag **least = b->span.at < a->span.at ? &b : &a;
        *end = *least;
        *least = (*least)->next;
        end = &(*end)->next;
    }
    *end = a ? a : b;
    return first;
}

static void sort_reports(Diags *d, Diag *before, Diag *lexed)
{
    Diag **start = before ? &before->next : &d->first;
    if (!*start || lexed == before) return;
    Diag *a = *start, *b = lexed->next;
    lexed->next = NULL;
    *start = merge(a, b);
    while (d->last->next) d->last = d->last->next;
}

AstFile *fe_parse(Arena *mem, const Source *src, Diags *diags)
{
    Parser p = {.mem = mem, .src = src, .diags = diags};
    fe_find_operators(&p);
    AstFile *f = NEW(mem, AstFile);
    f->src = src;
    Diag *before = diags->last;
    f->token = p.tok = fe_lex(mem, src, diags, &f->ntokens);
    Diag *lexed = diags->last;
    while (p.tok[p.at].kind == T_COMMENT) p.at++;
    VEC(AstItem) items = {0};
    while (fe_kind(&p) != T_END) {
        if (!fe_starts_item(&p)) {
            if (!p.broken) not_an_item(&p);
            skip_to_item(&p);
            continue;
        }
        AstItem it = {0};
        p.broken = false;
        p.tok[p.at].role = ROLE_ITEM;
        if (fe_kind(&p) == T_OP) {
            it.op = operation(&p);
            it.op->broken = p.broken;
        } else {
            it.fn = function(&p);
            it.fn->broken = p.broken;
        }
        if (p.failed) skip_to_item(&p);
        VEC_PUSH(mem, &items, it);
    }
    f->nitems = items.n;
    f->item = items.at;
    sort_reports(diags, before, lexed);
    return f;
}
