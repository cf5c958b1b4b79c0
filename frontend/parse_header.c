/* parse_header.c: what stands before an op's body: sizes, consts, parameters, conditions. Relies on parse.c for tokens
 * and reports. Only a mistake ends it early; what was read until then is in the op. */
#include "frontend/parse.h"

#include <string.h>
#include <strings.h>

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
    for (int i = 0; i < DT_COUNT; i++)
        if (fe_dtype_name((DType)i) && !strcasecmp(text, fe_dtype_name((DType)i))) ours = fe_dtype_name((DType)i);
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
