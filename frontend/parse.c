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

static int after(const Parser *p, int at)
{
    if (p->tok[at].kind == T_END) return at;
    do at++;
    while (p->tok[at].kind == T_COMMENT);
    return at;
}

TokenKind fe_kind_next(const Parser *p) { return p->failed ? T_ERROR : (TokenKind)p->tok[after(p, p->at)].kind; }

void fe_advance(Parser *p)
{
    if (p->failed) return;
    if (p->tok[p->at].bad) p->broken = true;
    p->last = p->at;
    p->at = after(p, p->at);
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

static bool adjacent(const Parser *p, int at) { return p->tok[at].at + p->tok[at].len == p->tok[at + 1].at; }

static bool first_on_line(const Parser *p, int at) { return at == 0 || p->tok[at].lines > 0; }

/* ---- reports ------------------------------------------------------------------------------------------------- */

const char *fe_found(const Parser *p)
{
    const Token *t = &p->tok[p->at];
    if (t->kind == T_END) return fe_token_text[T_END];
    uint32_t n = t->len;
    if (n > 40) return arena_printf(p->mem, "`%.*s…`", 40, p->src->text + t->at);
    return arena_printf(p->mem, "`%.*s`", (int)n, p->src->text + t->at);
}

Diag *fe_expected(Parser *p, const char *what)
{
    bool silent = fe_kind(p) == T_ERROR || p->tok[p->at].bad;
    p->broken = true;
    Diag *d = silent ? NULL : diag_error(p->diags, D_F001_EXPECTED, fe_span(p, p->at), what, fe_found(p));
    p->failed = true;
    return d;
}

void fe_help(Parser *p, Diag *d, const char *fmt, ...)
{
    if (!d || d == p->diags->spare) return;
    va_list ap;
    va_start(ap, fmt);
    diag_help(p->diags, d, "%s", arena_vprintf(p->mem, fmt, ap));
    va_end(ap);
}

static void opens_here(Parser *p, Diag *d, int open)
{
    if (d && open >= 0)
        diag_note(p->diags, d, fe_span(p, open), "to match this `%s`", fe_token_text[p->tok[open].kind]);
}

bool fe_expect(Parser *p, TokenKind kind, const char *where, int open)
{
    if (fe_accept(p, kind)) return true;
    opens_here(p, fe_expected(p, arena_printf(p->mem, "`%s` %s", fe_token_text[kind], where)), open);
    return false;
}

static bool is_word(TokenKind kind) { return kind == T_DTYPE || (kind >= T_OP && kind <= T_NAN); }

AstName fe_name(Parser *p, const char *what)
{
    TokenKind kind = fe_kind(p);
    AstName n = {"", fe_span(p, p->at)};
    if (kind == T_ID) {
        n.text = fe_text(p, p->at);
        fe_advance(p);
    } else if (is_word(kind) && !((kind == T_OP || kind == T_FN || kind == T_LET) && first_on_line(p, p->at))) {
        n.text = fe_text(p, p->at);
        diag_error(p->diags, D_F003_RESERVED, n.span, n.text);
        p->broken = true;
        fe_advance(p);
    } else {
        fe_expected(p, what);
    }
    return n;
}

/* ---- going on after a mistake -------------------------------------------------------------------------------- */

enum { LOOK_AHEAD = 512 }; /* tokens that a left side may have for recovery to see it */

/* Whether a statement starts at `at`: `let`, or NAME or NAME[…], more of them after commas, then `=` in some form. */
static bool starts_statement(const Parser *p, int at)
{
    if (p->tok[at].kind == T_LET) return true;
    for (int depth = 0, n = 0; n < LOOK_AHEAD; n++, at = after(p, at)) {
        TokenKind kind = (TokenKind)p->tok[at].kind, next = (TokenKind)p->tok[after(p, at)].kind;
        if (depth > 0) {
            depth += (kind == T_LBRACKET || kind == T_LPAREN) - (kind == T_RBRACKET || kind == T_RPAREN);
            if (kind == T_LET || kind == T_OP || kind == T_FN || kind == T_END || kind == T_RBRACE) return false;
            if (depth > 0) continue;
        } else if (kind != T_ID) {
            return false;
        } else if (next == T_LBRACKET) {
            depth = 1;
            at = after(p, at);
            continue;
        }
        if (next == T_ASSIGN) return true;
        if (next == T_COMMA) {
            at = after(p, at);
            continue;
        }
        int sign = after(p, at); /* `+=`, `:=` */
        return (p->binary[next] != EX_COUNT || next == T_COLON) && p->tok[sign + 1].kind == T_ASSIGN &&
               adjacent(p, sign);
    }
    return false;
}

static bool starts_item(const Parser *p) { return p->tok[p->at].kind == T_OP || p->tok[p->at].kind == T_FN; }

/* To the next statement, the op's closing brace, the next item or the end. `from`: where the failed statement began. */
static void skip_statement(Parser *p, int from)
{
    int depth = p->braces;
    p->failed = false;
    for (; fe_kind(p) != T_END && !starts_item(p); fe_advance(p)) {
        TokenKind kind = fe_kind(p);
        bool first = first_on_line(p, p->at);
        if (kind == T_RBRACE && (depth <= 0 || first)) break;
        if (p->at != from && (kind == T_LET || (first && kind == T_ID && starts_statement(p, p->at)))) break;
        depth += (kind == T_LBRACE) - (kind == T_RBRACE);
    }
    p->nest = p->braces = 0;
}

/* To the brace that opens an op's body (and not a hint's or a reduction's), the next item or the end. */
static void skip_header(Parser *p)
{
    p->failed = false;
    while (fe_kind(p) != T_END && !starts_item(p)) {
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
    while (fe_kind(p) != T_END && !starts_item(p)) fe_advance(p);
    p->nest = p->braces = 0;
}

/* ---- types and sizes ----------------------------------------------------------------------------------------- */

/* What people write for types elsewhere. */
static const struct {
    const char *theirs, *ours;
} type_alias[] = {
    {"float", "f32"},     {"double", "f64"},   {"half", "f16"},   {"bfloat16", "bf16"}, {"float64", "f64"},
    {"float32", "f32"},   {"float16", "f16"},  {"fp64", "f64"},   {"fp32", "f32"},      {"fp16", "f16"},
    {"int", "i32"},       {"long", "i64"},     {"short", "i16"},  {"char", "i8"},       {"bool", "u1"},
    {"i1", "u1"},         {"int64", "i64"},    {"int32", "i32"},  {"int16", "i16"},     {"int8", "i8"},
    {"int4", "i4"},       {"uint64", "u64"},   {"uint32", "u32"}, {"uint16", "u16"},    {"uint8", "u8"},
    {"uint4", "u4"},      {"byte", "u8"},      {"fp8", "f8e4m3"}, {"f8", "f8e4m3"},     {"index", "i64"},
    {"float8", "f8e4m3"}, {"unsigned", "u32"},
};

static DType type(Parser *p, Span *span)
{
    *span = fe_span(p, p->at);
    if (fe_kind(p) == T_DTYPE) {
        DType t = fe_token_dtype(p->src, &p->tok[p->at]);
        fe_advance(p);
        return t;
    }
    bool named = fe_kind(p) == T_ID;
    const char *text = named ? fe_text(p, p->at) : "", *ours = NULL;
    Diag *d = fe_expected(p, "a type");
    for (size_t i = 0; i < sizeof type_alias / sizeof *type_alias; i++)
        if (ir_streq(text, type_alias[i].theirs)) ours = type_alias[i].ours;
    if (ours) {
        fe_help(p, d, "write `%s`", ours);
    } else {
        Text all = {.mem = p->mem};
        for (int i = 0; i < DT_COUNT; i++)
            if (fe_dtype_name((DType)i)) text_printf(&all, " %s", fe_dtype_name((DType)i));
        fe_help(p, d, "the types are%s", all.s);
    }
    if (named) { /* what follows is most likely as it should be */
        p->failed = false;
        fe_advance(p);
    }
    return DT_NONE;
}

/* An INT that is a size. */
static int64_t size(Parser *p, const char *what)
{
    if (fe_kind(p) != T_INT) {
        bool minus = fe_kind(p) == T_SUB;
        Diag *d = fe_expected(p, what);
        if (minus) fe_help(p, d, "a size is not negative");
        return 0;
    }
    int at = p->at;
    fe_advance(p);
    if (p->tok[at].bad) return 0;
    uint64_t v = fe_token_int(p->src, &p->tok[at]);
    if (v <= INT64_MAX) return (int64_t)v;
    diag_error(p->diags, D_F005_SIZE, fe_span(p, at), fe_text(p, at));
    p->broken = true;
    return 0;
}

/* ---- headers ------------------------------------------------------------------------------------------------- */

static AstDim dim(Parser *p)
{
    int from = p->at;
    AstDim d = {.name = fe_name(p, "the name of a dim")};
    if (fe_accept(p, T_ASSIGN)) {
        d.has_default = true;
        d.default_span = fe_span(p, p->at);
        d.dflt = size(p, "a size after `=`");
    }
    if (fe_accept(p, T_IN)) {
        int range = p->at;
        d.has_range = true;
        d.lo = size(p, "the least size of the range");
        fe_expect(p, T_DOTDOT, "in the range of sizes", -1);
        d.hi = size(p, "the largest size of the range");
        d.range_span = fe_span_from(p, range);
    }
    if (fe_accept(p, T_TILDE)) {
        VEC(int64_t) hints = {0};
        int open = p->at;
        fe_expect(p, T_LBRACE, "before the sizes to tune for", -1);
        do {
            int64_t v = size(p, "a size to tune for");
            VEC_PUSH(p->mem, &hints, v);
        } while (fe_accept(p, T_COMMA));
        fe_expect(p, T_RBRACE, "after the sizes to tune for", open);
        d.nhints = hints.n;
        d.hint = hints.at;
    }
    d.span = fe_span_from(p, from);
    return d;
}

static AstConst constant(Parser *p)
{
    AstConst c = {.name = fe_name(p, "the name of a const"), .type = DT_NONE};
    if (fe_expect(p, T_COLON, "and a type after the name of a const", -1)) c.type = type(p, &c.type_span);
    if (fe_accept(p, T_ASSIGN)) c.value = fe_literal(p);
    return c;
}

static void sizes(Parser *p, AstOp *op)
{
    int open = p->at;
    if (!fe_accept(p, T_LBRACKET)) {
        fe_help(p, fe_expected(p, "`[` after the op's name"),
                "dims stand in brackets there, `op %s[M,N]`; without any, write `[]`",
                strlen(op->name.text) < 40 ? op->name.text : "f");
        return;
    }
    VEC(AstDim) dims = {0};
    VEC(AstConst) consts = {0};
    if (fe_kind(p) != T_RBRACKET && fe_kind(p) != T_SEMI) {
        do {
            AstDim d = dim(p);
            VEC_PUSH(p->mem, &dims, d);
        } while (fe_accept(p, T_COMMA));
    }
    bool plain = fe_kind(p) == T_COLON;
    if (fe_accept(p, T_SEMI)) {
        do {
            AstConst c = constant(p);
            VEC_PUSH(p->mem, &consts, c);
        } while (fe_accept(p, T_COMMA));
    }
    op->ndims = dims.n;
    op->dim = dims.at;
    op->nconsts = consts.n;
    op->cst = consts.at;
    TokenKind kind = fe_kind(p);
    if (fe_accept(p, T_RBRACKET) || p->failed) return;
    Diag *d = fe_expected(p, consts.n ? "`]` after the consts" : "`]` after the dims");
    if (plain) fe_help(p, d, "consts stand after the dims and a `;`: `[M,N; c: i32 = 1]`");
    if (kind == T_ASSIGN) fe_help(p, d, "a default stands before the range: `M = 64 in 1..128`");
    if (p->binary[kind] != EX_COUNT && consts.n) fe_help(p, d, "the value of a const is one literal");
    opens_here(p, d, open);
}

static AstParam param(Parser *p, bool result)
{
    int from = p->at;
    AstParam a = {.kind = result ? TK_OUTPUT : TK_INPUT, .type = DT_NONE};
    TokenKind kind = fe_kind(p);
    if (kind == T_INOUT || kind == T_CONST) {
        if (result) {
            Diag *d = diag_error(p->diags, D_F006_RESULT_KIND, fe_span(p, from), fe_token_text[kind]);
            fe_help(p, d, kind == T_INOUT ? "list it among the inputs; it needs no result" : "leave it out");
            p->broken = true;
        } else {
            a.kind = kind == T_INOUT ? TK_INOUT : TK_CONST_INPUT;
        }
        fe_advance(p);
    }
    if (fe_kind(p) == T_DTYPE) {
        fe_help(p, fe_expected(p, result ? "the name of a result" : "the name of an input"),
                "the type stands after the name: `X: f32[N]`");
        return a;
    }
    a.name = fe_name(p, result ? "the name of a result" : "the name of an input");
    if (fe_expect(p, T_COLON, "and a type after the name", -1)) a.type = type(p, &a.type_span);
    int open = p->at;
    if (fe_accept(p, T_LBRACKET)) {
        VEC(AstExpr *) shape = {0};
        a.has_shape = true;
        if (fe_kind(p) == T_RBRACKET)
            fe_help(p, fe_expected(p, "a size"), "a scalar is declared without brackets: `%s: %s`", "eps", "f32");
        do {
            AstExpr *e = fe_expr(p);
            VEC_PUSH(p->mem, &shape, e);
        } while (fe_accept(p, T_COMMA));
        fe_expect(p, T_RBRACKET, "after the shape", open);
        a.rank = shape.n;
        a.shape = shape.at;
    }
    a.span = fe_span_from(p, from);
    return a;
}

static void params(Parser *p, bool result, int *n, AstParam **at)
{
    VEC(AstParam) list = {0};
    int open = p->at;
    if (!result && fe_kind(p) == T_LPAREN) p->tok[open].role = ROLE_PARAMS;
    if (!fe_expect(p, T_LPAREN, result ? "before the results" : "before the inputs", -1)) return;
    if (fe_kind(p) != T_RPAREN) {
        do {
            AstParam a = param(p, result);
            VEC_PUSH(p->mem, &list, a);
        } while (fe_accept(p, T_COMMA));
    }
    fe_expect(p, T_RPAREN, result ? "after the results" : "after the inputs", open);
    *n = list.n;
    *at = list.at;
}

static void header(Parser *p, AstOp *op)
{
    op->name = fe_name(p, "the op's name");
    sizes(p, op);
    params(p, false, &op->ninputs, &op->input);
    if (!fe_accept(p, T_ARROW))
        fe_help(p, fe_expected(p, "`->` and the results after the inputs"), "an op's results: `-> (Y: f32[N])`");
    params(p, true, &op->noutputs, &op->output);
    if (fe_accept(p, T_WHERE)) {
        VEC(AstExpr *) conds = {0};
        do {
            AstExpr *e = fe_expr(p);
            VEC_PUSH(p->mem, &conds, e);
        } while (fe_accept(p, T_COMMA));
        op->nwhere = conds.n;
        op->where = conds.at;
    }
}

/* ---- statements ---------------------------------------------------------------------------------------------- */

static AstLhs left_side(Parser *p)
{
    AstLhs l = {.name = fe_name(p, "the name of a result, an inout or a let")};
    int open = p->at;
    if (!fe_accept(p, T_LBRACKET)) return l;
    l.has_index = true;
    VEC(AstRv) ix = {0};
    do {
        TokenKind kind = fe_kind(p);
        if (kind == T_RBRACKET) {
            fe_help(p, fe_expected(p, "an index name"), "a scalar has no brackets: `%s = …`", l.name.text);
        } else if (kind != T_ID && !is_word(kind)) {
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
    fe_expect(p, T_RBRACKET, "after the index", open);
    return l;
}

/* The `=` of a statement, or what people write for it: reported, and taken as one where that makes sense. */
static void assign(Parser *p, const AstStmt *s)
{
    if (fe_accept(p, T_ASSIGN)) return;
    TokenKind kind = fe_kind(p);
    int at = p->at;
    bool compound = p->binary[kind] != EX_COUNT || kind == T_COLON || kind == T_BAR;
    bool with_equals = compound && adjacent(p, at) && p->tok[at + 1].kind == T_ASSIGN;
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
    if (!s->let && !first_on_line(p, at) && kind == T_LPAREN && s->nlhs && !s->lhs[0].has_index) {
        fe_help(p, fe_expected(p, "`=` after the left side"), "an element is written with brackets: `%s[i,j] = …`",
                name);
    } else if (kind == T_COLON) {
        fe_help(p, fe_expected(p, "`=` after the left side"),
                "a let has the type of its right side; a cast sets it: `f32(…)`");
    } else {
        fe_expected(p, "`=` after the left side");
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

/* Words of other languages where a statement should start or an operator should stand. */
static const struct {
    const char *word, *help;
} foreign_word[] = {
    {"and", "the logical and is `&&`"},
    {"or", "the logical or is `||`"},
    {"not", "the logical not is `!`"},
    {"mod", "the remainder is `%`"},
    {"div", "on integers `/` floors"},
    {"else", "a choice is written `condition ? this : that`"},
    {"then", "a choice is written `condition ? this : that`"},
    {"for", "there are no loops: a definition holds for every index of its left side"},
    {"while", "there are no loops; a recurrence is declared with `seq`"},
    {"return", "results are assigned: `Y[i] = …`"},
    {"var", "a temporary is `let t[i] = …`"},
    {"def", "an op starts with `op`, a scalar function with `fn`"},
    {"func", "an op starts with `op`, a scalar function with `fn`"},
    {"function", "an op starts with `op`, a scalar function with `fn`"},
    {"schedule", "schedules belong in a `.sched` file"},
    {"import", "there are no imports: a fn is visible below its definition in the file"},
    {"include", "there are no imports: a fn is visible below its definition in the file"},
};

static void help_with_word(Parser *p, Diag *d, int at)
{
    if (!d || p->tok[at].kind != T_ID || p->tok[at].len > 10) return;
    const char *text = fe_text(p, at);
    for (size_t i = 0; i < sizeof foreign_word / sizeof *foreign_word; i++)
        if (ir_streq(text, foreign_word[i].word)) fe_help(p, d, "%s", foreign_word[i].help);
}

/* Whether what ends at token `at`, an access or a name, starts a line. */
static bool operand_starts_line(const Parser *p, int at)
{
    int depth = 0;
    for (int n = 0; n < LOOK_AHEAD && at > 0; n++, at--) {
        TokenKind kind = (TokenKind)p->tok[at].kind;
        depth += (kind == T_RBRACKET) - (kind == T_LBRACKET);
        if (depth == 0 && kind != T_LBRACKET) return kind == T_ID && first_on_line(p, at);
    }
    return false;
}

/* Something stands where a statement should start. `after_one`: the last token of the statement before, or -1. */
static void no_statement(Parser *p, int after_one)
{
    int at = p->at;
    TokenKind kind = fe_kind(p);
    bool same_line = after_one >= 0 && !first_on_line(p, at);
    Diag *d = fe_expected(p, same_line ? "an operator or the end of the statement" : "a statement or `}`");
    if (!d) return;
    help_with_word(p, d, at);
    if (kind == T_IF) fe_help(p, d, "a choice is written `condition ? this : that`");
    if (kind == T_ASSIGN && after_one >= 0) {
        fe_help(p, d,
                operand_starts_line(p, after_one)
                    ? "the statement above runs on to here: its last line seems to end in an operator"
                    : "a comparison is `==`; a statement assigns once");
    }
}

/* Whether to read a statement here: what does not look like one gets a report of its own. `done`: the last token of
 * the statement before, or -1. */
static bool begins_statement(Parser *p, int done)
{
    TokenKind kind = fe_kind(p), next = fe_kind_next(p);
    if (kind == T_LET) return true;
    if (kind == T_ID && done >= 0 && !first_on_line(p, p->at)) return starts_statement(p, p->at);
    if (kind == T_ID) return next != T_ID && next != T_INT && next != T_FLOAT;
    return is_word(kind) && first_on_line(p, p->at) && (next == T_ASSIGN || next == T_LBRACKET);
}

static void body(Parser *p, AstOp *op)
{
    VEC(AstStmt *) stmts = {0};
    int open = p->at, done = -1;
    bool clean = true;
    p->tok[open].role = ROLE_BODY_OPEN;
    fe_advance(p);
    while (fe_kind(p) != T_RBRACE && fe_kind(p) != T_END && !starts_item(p)) {
        int from = p->at;
        TokenKind kind = fe_kind(p);
        if (kind == T_SEMI) {
            if (!p->told_semicolon) {
                fe_help(p, fe_expected(p, "a statement or `}`"), "statements need no `;` between them");
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
        fe_expect(p, T_RBRACE, "after the op's statements", open);
        p->failed = false;
    }
}

/* ---- items --------------------------------------------------------------------------------------------------- */

/* The comment lines directly above `at`, without their `#`. */
static const char *documentation(Parser *p, int at)
{
    int from = at;
    while (from > 0 && p->tok[from - 1].kind == T_COMMENT && p->tok[from].lines == 1 && first_on_line(p, from - 1))
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
    int at = p->at;
    Diag *d = fe_expected(p, "`op` or `fn`");
    help_with_word(p, d, at);
    if (p->tok[at].kind == T_RBRACE) fe_help(p, d, "no brace is open here");
    if (p->tok[at].kind == T_LET) fe_help(p, d, "a let stands among the statements of an op");
}

static AstOp *operation(Parser *p)
{
    int from = p->at;
    AstOp *op = NEW(p->mem, AstOp);
    op->doc = documentation(p, from);
    fe_advance(p);
    header(p, op);
    if (!p->failed && fe_kind(p) != T_LBRACE) {
        TokenKind kind = fe_kind(p);
        Diag *d = fe_expected(p, op->nwhere ? "`{` after the conditions" : "`where` or `{` after the results");
        if (kind == T_ASSIGN || kind == T_COLON) fe_help(p, d, "an op's statements stand in braces");
    }
    if (p->failed) skip_header(p);
    if (fe_kind(p) == T_LBRACE) body(p, op);
    op->span = fe_span_from(p, from);
    return op;
}

static AstFn *function(Parser *p)
{
    int from = p->at;
    AstFn *f = NEW(p->mem, AstFn);
    f->doc = documentation(p, from);
    fe_advance(p);
    f->name = fe_name(p, "the function's name");
    int open = p->at;
    fe_expect(p, T_LPAREN, "after the function's name", -1);
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
        opens_here(p, d, open);
    }
    if (!fe_accept(p, T_ASSIGN))
        fe_help(p, fe_expected(p, "`=` and an expression after the parameters"),
                "a fn is one expression: `fn twice(x) = x + x`");
    f->body = fe_expr(p);
    f->span = fe_span_from(p, from);
    return f;
}

static void find_operators(Parser *p)
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
    find_operators(&p);
    AstFile *f = NEW(mem, AstFile);
    f->src = src;
    Diag *before = diags->last;
    f->token = p.tok = fe_lex(mem, src, diags, &f->ntokens);
    Diag *lexed = diags->last;
    while (p.tok[p.at].kind == T_COMMENT) p.at++;
    VEC(AstItem) items = {0};
    while (fe_kind(&p) != T_END) {
        if (!starts_item(&p)) {
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
