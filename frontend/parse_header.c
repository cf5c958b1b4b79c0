/* parse_header.c: what stands before an op's body: sizes, consts, parameters, conditions. Relies on parse.c for tokens
 * and reports. Only a mistake ends it early; what was read until then is in the op. */
#include "frontend/closest.h"
#include "frontend/parse.h"

#include <string.h>

static DType type(Parser *p, Span *span)
{
    *span = fe_span(p, p->at);
    if (fe_kind(p) == T_DTYPE) {
        DType t = fe_token_dtype(p->src, &p->tok[p->at]);
        fe_advance(p);
        return t;
    }
    TokenKind word = fe_kind(p);
    bool named = word == T_ID;
    const char *text = named ? fe_text(p, p->at) : "", *ours = NULL;
    Diag *d = fe_expected(p, "a type");
    ours = fe_type_alias(text);
    if (word == T_INOUT || word == T_CONST) {
        fe_help(p, d, "it stands before the name: `%s X: f32[N]`", fe_token_text[word]);
    } else if (ours) {
        fe_help(p, d, "write `%s`", ours);
    } else {
        Text all = {.mem = p->mem};
        for (int i = 0; i < DT_COUNT; i++)
            if (fe_dtype_name((DType)i)) text_printf(&all, " %s", fe_dtype_name((DType)i));
        fe_help(p, d, "the types are%s", all.s);
    }
    if (named) { /* what follows is most likely as it should be, unless it is another language's way to say more */
        p->failed = false;
        fe_advance(p);
        p->failed = fe_kind(p) == T_LT || fe_kind(p) == T_LPAREN || fe_kind(p) == T_ID;
    }
    return DT_NONE;
}

/* An INT that is a size. */
static int64_t size(Parser *p, const char *what)
{
    if (fe_kind(p) != T_INT) {
        TokenKind kind = fe_kind(p), before = (TokenKind)p->tok[p->last].kind;
        Diag *d = fe_expected(p, what);
        if (kind == T_SUB)
            fe_help(p, d, "a size is not negative");
        else if (kind == T_LPAREN || kind == T_LBRACKET)
            fe_help(p, d, "sizes are plain numbers: `M in 1..128`");
        else if (kind == T_RBRACE && before == T_LBRACE)
            fe_help(p, d, "write a size or more, as in `M ~ {64, 512}`, or leave out `~ {}`");
        else if (kind != T_COMMA && kind != T_RBRACE)
            fe_help(p, d, "it is a whole number; a const stands after the dims and a `;`: `[M; c: f32 = 0.5]`");
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
    if (fe_kind(p) == T_INT)
        fe_help(p, fe_expected(p, "the name of a dim"), "a size that is fixed stands in the shapes: `X: f32[%s]`",
                p->tok[from].len < 20 ? fe_text(p, from) : "4");
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
        if (!fe_accept(p, T_DOTDOT))
            fe_help(p, fe_expected(p, "`..` in the range of sizes"), "both ends belong to it: `M in 1..128`");
        d.hi = size(p, "the largest size of the range");
        d.range_span = fe_span_from(p, range);
    }
    if (fe_accept(p, T_TILDE)) {
        VEC(int64_t) hints = {0};
        VEC(Span) places = {0};
        int open = p->at;
        if (!fe_accept(p, T_LBRACE))
            fe_help(p, fe_expected(p, "`{` before the sizes to tune for"), "they stand in braces: `M ~ {64, 512}`");
        do {
            Span place = fe_span(p, p->at);
            int64_t v = size(p, "a size to tune for");
            VEC_PUSH(p->mem, &hints, v);
            VEC_PUSH(p->mem, &places, place);
        } while (fe_accept(p, T_COMMA));
        fe_close_list(p, T_RBRACE, "after the sizes to tune for", open);
        d.nhints = hints.n;
        d.hint = hints.at;
        d.hint_span = places.at;
    }
    d.span = fe_span_from(p, from);
    return d;
}

static AstConst constant(Parser *p)
{
    AstConst c = {.name = fe_name(p, "the name of a const"), .type = DT_NONE};
    if (fe_accept(p, T_COLON)) {
        c.type = type(p, &c.type_span);
    } else {
        fe_help(p, fe_expected(p, "`:` and a type after the name of a const"), "a const is declared as `%s: f32 = 1.0`",
                strlen(c.name.text) < 40 ? c.name.text : "c");
    }
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
    if (p->binary[kind] != EX_COUNT)
        fe_help(p, d, consts.n ? "the value of a const is one literal" : "a size is one number");
    fe_help_with_list(p, d);
    fe_opens_here(p, d, open);
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
        if (fe_kind(p) == T_INOUT || fe_kind(p) == T_CONST)
            fe_help(p, fe_expected(p, "the name of an input"), "an input is `inout` or `const`, not both");
    }
    if (fe_kind(p) == T_DTYPE) {
        fe_help(p, fe_expected(p, result ? "the name of a result" : "the name of an input"),
                "the type stands after the name: `X: f32[N]`");
        return a;
    }
    if (fe_kind(p) == T_IN)
        fe_help(p, fe_expected(p, "the name of an input"),
                "inputs stand before `->`, results after it: leave `in` out");
    a.name = fe_name(p, result ? "the name of a result" : "the name of an input");
    kind = fe_kind(p);
    if (fe_accept(p, T_COLON)) {
        a.type = type(p, &a.type_span);
    } else {
        Diag *d = fe_expected(p, "`:` and a type after the name");
        if (kind == T_ID)
            fe_help(p, d, "it is written `X: f32[N]`; only `inout` and `const` may stand in front");
        else
            fe_help(p, d, "it is written `X: f32[N]`, with the shape after the type; a scalar is `x: f32`");
    }
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
        fe_close_list(p, T_RBRACKET, "after the shape", open);
        a.rank = shape.n;
        a.shape = shape.at;
    }
    a.span = fe_span_from(p, from);
    return a;
}

static void close_params(Parser *p, bool result, int open)
{
    TokenKind kind = fe_kind(p), before = (TokenKind)p->tok[p->last].kind;
    if (fe_accept(p, T_RPAREN)) return;
    Diag *d = fe_expected(p, result ? "`)` after the results" : "`)` after the inputs");
    if (kind == T_ASSIGN) {
        fe_help(p, d, "only consts have a value: `op f[N; eps: f32 = 1e-5](…)`");
    } else if (kind == T_LBRACKET && before == T_RBRACKET) {
        fe_help(p, d, "the sizes stand in one pair of brackets: `X: f32[M,N]`");
    } else if (kind == T_LT || kind == T_LPAREN) {
        fe_help(p, d, "a shape stands in brackets: `X: f32[M,N]`");
    } else {
        fe_help_with_list(p, d);
    }
    fe_opens_here(p, d, open);
}

static void params(Parser *p, bool result, int *n, AstParam **at)
{
    VEC(AstParam) list = {0};
    int open = p->at;
    if (!result && fe_kind(p) == T_LPAREN) p->tok[open].role = ROLE_PARAMS;
    if (!fe_accept(p, T_LPAREN)) {
        fe_help(p, fe_expected(p, result ? "`(` before the results" : "`(` before the inputs"),
                result ? "each has a name and a type: `-> (Y: f32[N])`"
                       : "each has a name and a type: `(X: f32[N])`; without any, write `()`");
        return;
    }
    if (fe_kind(p) != T_RPAREN) {
        do {
            AstParam a = param(p, result);
            VEC_PUSH(p->mem, &list, a);
        } while (fe_accept(p, T_COMMA));
    }
    close_params(p, result, open);
    *n = list.n;
    *at = list.at;
}

void fe_header(Parser *p, AstOp *op)
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
