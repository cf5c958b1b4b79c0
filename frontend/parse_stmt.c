/* parse_stmt.c: the statements of an op, and going on after a mistake in one: at the next line that looks like a
 * statement, at the op's closing brace, or at the next `op` or `fn`. Statements have no end mark: one ends where the
 * next token cannot continue its expression. Relies on parse.c for tokens and reports. */
#include "frontend/parse.h"

#include <string.h>

enum {
    LOOK_AHEAD = 512, /* tokens that a left side may have for recovery to see it, */
    NAMES_MOST = 4    /* and names: more are a list of arguments, through which each of them would be looked */
};

bool fe_starts_statement(const Parser *p, int at)
{
    if (p->tok[at].kind == T_LET) return true;
    for (int depth = 0, n = 0, names = 1; n < LOOK_AHEAD; n++, at = fe_after(p, at)) {
        TokenKind kind = (TokenKind)p->tok[at].kind, next = (TokenKind)p->tok[fe_after(p, at)].kind;
        if (depth > 0) {
            depth += (kind == T_LBRACKET || kind == T_LPAREN) - (kind == T_RBRACKET || kind == T_RPAREN);
            if (kind == T_LET || kind == T_OP || kind == T_FN || kind == T_END || kind == T_RBRACE) return false;
            if (depth > 0) continue;
        } else if (kind != T_ID) {
            return false;
        } else if (next == T_LBRACKET) {
            depth = 1;
            at = fe_after(p, at);
            continue;
        }
        if (next == T_ASSIGN) return true;
        if (next == T_COMMA && names++ < NAMES_MOST) {
            at = fe_after(p, at);
            continue;
        }
        int sign = fe_after(p, at); /* `+=`, `:=` */
        return (p->binary[next] != EX_COUNT || next == T_COLON) && p->tok[sign + 1].kind == T_ASSIGN &&
               fe_adjacent(p, sign);
    }
    return false;
}

/* To the next statement, the op's closing brace, the next item or the end. `from`: where the failed statement began. */
static void skip_statement(Parser *p, int from)
{
    int depth = p->braces;
    p->failed = false;
    for (; fe_kind(p) != T_END && !fe_starts_item(p); fe_advance(p)) {
        TokenKind kind = fe_kind(p);
        bool first = fe_first_on_line(p, p->at);
        if (kind == T_RBRACE && (depth <= 0 || first)) break;
        if (p->at != from && (kind == T_LET || (first && kind == T_ID && fe_starts_statement(p, p->at)))) break;
        depth += (kind == T_LBRACE) - (kind == T_RBRACE);
    }
    p->nest = p->braces = 0;
}

static AstLhs left_side(Parser *p)
{
    AstLhs l = {.name = fe_name(p, "the name of a result, an inout or a let")};
    int open = p->at;
    if (!fe_accept(p, T_LBRACKET)) return l;
    l.has_index = true;
    VEC(AstRv) ix = {0};
    do {
        TokenKind kind = fe_kind(p);
        if (kind == T_RBRACKET && ix.n == 0) {
            fe_help(p, fe_expected(p, "an index name"), "a scalar has no brackets: `%s = …`", l.name.text);
        } else if (kind != T_ID && !fe_is_word(kind) && kind != T_RBRACKET) {
            fe_help(p, fe_expected(p, "an index name"),
                    "a definition holds for every index, so its left side has names: `%s[i,j] = …`", l.name.text);
        }
        AstRv v = fe_rv(p);
        VEC_PUSH(p->mem, &ix, v);
    } while (fe_accept(p, T_COMMA));
    l.n = ix.n;
    l.ix = ix.at;
    if (p->binary[fe_kind(p)] != EX_COUNT) {
        fe_help(p, fe_expected(p, "`]` after the index"),
                "a definition holds for every index, so its left side has plain names: `%s[i,j] = …`", l.name.text);
    }
    fe_close_list(p, T_RBRACKET, "after the index", open);
    return l;
}

/* The `=` of a statement, or what people write for it: reported, and taken as one where that makes sense. */
static void assign(Parser *p, const AstStmt *s)
{
    if (fe_accept(p, T_ASSIGN)) return;
    TokenKind kind = fe_kind(p);
    int at = p->at;
    bool compound = p->binary[kind] != EX_COUNT || kind == T_COLON || kind == T_BAR;
    bool with_equals = compound && fe_adjacent(p, at) && p->tok[at + 1].kind == T_ASSIGN;
    const char *name = s->nlhs && strlen(s->lhs[0].name.text) < 40 ? s->lhs[0].name.text : "C";
    if (with_equals || kind == T_EQ) {
        Span span = fe_span(p, at);
        if (with_equals) span.len++;
        const char *found = arena_printf(p->mem, "`%s%s`", fe_token_text[kind], with_equals ? "=" : "");
        Diag *d = diag_error(p->diags, D_F001_EXPECTED, span, "`=` after the left side", found);
        p->broken = true;
        if (kind == T_ADD) {
            fe_help(p, d,
                    "write a reduction, `%s[i] = sum{k}(…)`; an inout may be read on the right, `%s[i] = %s[i] + …`",
                    name, name, name);
        } else if (with_equals && kind != T_COLON) {
            fe_help(p, d, "an inout may be read on the right: `%s[i] = %s[i] %s …`", name, name, fe_token_text[kind]);
        } else {
            fe_help(p, d, "write `=`");
        }
        fe_advance(p);
        if (with_equals) fe_advance(p);
        return;
    }
    Diag *d = fe_expected(p, "`=` after the left side");
    fe_help_with_word(p, d, at);
    if (!d || fe_has_help(d)) return;
    if (kind == T_LPAREN && s->nlhs && !s->lhs[0].has_index) {
        fe_help(p, d, "an element is written with brackets: `%s[i,j] = …`", name);
    } else if (kind == T_COLON) {
        fe_help(p, d, "a let has the type of its right side; a cast sets it: `f32(…)`");
    } else {
        fe_help(p, d, "a statement assigns: `%s%s = …`", name, s->nlhs && s->lhs[0].has_index ? "[…]" : "");
    }
}

static AstStmt *statement(Parser *p)
{
    int from = p->at;
    AstStmt *s = NEW(p->mem, AstStmt);
    p->tok[from].role = ROLE_STMT;
    s->let = fe_accept(p, T_LET);
    VEC(AstLhs) lhs = {0};
    do {
        AstLhs l = left_side(p);
        VEC_PUSH(p->mem, &lhs, l);
    } while (fe_accept(p, T_COMMA));
    s->nlhs = lhs.n;
    s->lhs = lhs.at;
    assign(p, s);
    s->rhs = fe_expr(p);
    if (fe_accept(p, T_SEQ)) s->seq = fe_name(p, "an index name after `seq`");
    s->span = fe_span_from(p, from);
    return s;
}

/* Something stands where a statement should start. `after_one`: the last token of the statement before, or -1. */
static void no_statement(Parser *p, int after_one)
{
    int at = p->at;
    TokenKind kind = fe_kind(p), before = (TokenKind)p->tok[p->last].kind;
    bool same_line = after_one >= 0 && !fe_first_on_line(p, at);
    Diag *d = fe_expected_here(p, same_line ? "an operator or the end of the statement" : "a statement or `}`");
    if (!d) return;
    fe_help_with_operators(p, d);
    fe_help_with_word(p, d, at);
    if (fe_has_help(d)) return;
    if (kind == T_IF) fe_help(p, d, "a choice is written `condition ? this : that`");
    if (kind == T_WHERE)
        fe_help(p, d, "conditions on sizes stand before the op's `{`; a choice is written `condition ? this : that`");
    if (kind == T_CONST)
        fe_help(p, d, "consts stand in the op's brackets: `[N; c: i32 = 1]`; a temporary is `let t = …`");
    if (kind == T_DTYPE && !same_line)
        fe_help(p, d, "a temporary is `let t[i] = …`, and has the type of its right side");
    if (kind == T_RPAREN || kind == T_RBRACKET) fe_help(p, d, "no `%s` is open here", kind == T_RPAREN ? "(" : "[");
    if (kind == T_LBRACKET && same_line) fe_help(p, d, "indices stand in one pair of brackets: `X[i,j]`");
    if (kind == T_LPAREN && same_line) fe_help(p, d, "a call is written `exp(x)`, a reduction `sum{k}(X[k])`");
    if (kind == T_LBRACE && same_line && before != T_ID)
        fe_help(p, d, "a reduction has its indices in front: `sum{k}(X[k])`");
    if (kind == T_ASSIGN && after_one >= 0) fe_help(p, d, "a comparison is `==`; a statement assigns once");
    if (kind == T_COMMA && same_line)
        fe_help(p, d,
                before == T_INT && p->tok[fe_after(p, at)].kind == T_INT
                    ? "the point of a number is `.`"
                    : "nothing stands between statements: put the next one on a line of its own");
    if (same_line) fe_help_with_operand(p, d);
}

/* Whether to read a statement here: what does not look like one gets a report of its own. `done`: the last token of
 * the statement before, or -1. */
static bool begins_statement(Parser *p, int done)
{
    TokenKind kind = fe_kind(p), next = fe_kind_next(p);
    if (kind == T_LET) return true;
    if (kind == T_ID && done >= 0 && !fe_first_on_line(p, p->at)) return fe_starts_statement(p, p->at);
    if (kind == T_ID) return next != T_ID && next != T_INT && next != T_FLOAT;
    return fe_is_word(kind) && fe_first_on_line(p, p->at) && (next == T_ASSIGN || next == T_LBRACKET);
}

void fe_body(Parser *p, AstOp *op)
{
    VEC(AstStmt *) stmts = {0};
    int open = p->at, done = -1;
    bool clean = true;
    p->tok[open].role = ROLE_BODY_OPEN;
    fe_advance(p);
    while (fe_kind(p) != T_RBRACE && fe_kind(p) != T_END && !fe_starts_item(p)) {
        int from = p->at;
        TokenKind kind = fe_kind(p);
        if (kind == T_SEMI) {
            if (!p->told_semicolon) {
                fe_help(p, fe_expected_here(p, "a statement or `}`"), "statements need no `;` between them");
                p->failed = false;
            }
            p->told_semicolon = p->broken = true;
            fe_advance(p);
            continue;
        }
        if (begins_statement(p, done)) {
            AstStmt *s = statement(p);
            if (!p->failed) VEC_PUSH(p->mem, &stmts, s);
        } else {
            no_statement(p, done);
        }
        done = p->last;
        if (p->failed) {
            clean = false;
            skip_statement(p, from);
            done = -1;
        }
    }
    op->nstmts = stmts.n;
    op->stmt = stmts.at;
    if (fe_kind(p) == T_RBRACE) {
        p->tok[p->at].role = ROLE_BODY_CLOSE;
        fe_advance(p);
    } else if (clean) {
        fe_opens_here(p, fe_expected_here(p, "a statement or `}`"), open);
        p->failed = false;
    }
}
