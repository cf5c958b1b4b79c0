/* tile_parse_expr.c: names and expressions of Tile text, by precedence climbing over te_expr's table. Each node is
 * typed as it is made (tile_result_type), so a tree that comes out is well-typed. */
#include "ir/tile_read.h"

#include <inttypes.h>
#include <string.h>

void tile_nest(Reader *r)
{
    if (++r->nest > TILE_MAX_NEST) TILE_FAIL(r, D_A002_DEPTH, r->tok.span, TILE_MAX_NEST);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */
const Name *tile_lookup(Reader *r, const char *text)
{
    int i = tile_name_find(&r->visible, text);
    return i < 0 ? NULL : &r->names.at[i];
}

void tile_declare(Reader *r, const char *text, Name n, Span at)
{
    if (tile_lookup(r, text)) TILE_FAIL(r, D_A007_TWICE, at, text);
    tile_name_add(r->mem, &r->visible, text);
    VEC_PUSH(r->mem, &r->names, n);
}

void tile_forget(Reader *r, int n)
{
    tile_name_cut(&r->visible, n);
    r->names.n = n;
}

const char *tile_read_name(Reader *r, const char *what, Span *at)
{
    if (r->tok.kind != TOK_NAME || (!r->tok.quoted && tile_word(r->tok.text))) tile_expected(r, what);
    const char *text = r->tok.text;
    if (at) *at = r->tok.span;
    tile_next(r);
    return text;
}

DType tile_read_type(Reader *r)
{
    DType t = r->tok.kind == TOK_NAME && !r->tok.quoted ? tile_type_named(r->tok.text) : DT_NONE;
    if (t == DT_NONE) tile_expected(r, "a type");
    tile_next(r);
    return t;
}

int64_t tile_read_int(Reader *r, const char *what, int64_t least, int64_t most)
{
    bool minus = tile_take(r, "-");
    if (r->tok.kind != TOK_INT || r->tok.type != DT_INDEX) tile_expected(r, what);
    if (r->tok.i > INT64_MAX || (minus ? -(int64_t)r->tok.i : (int64_t)r->tok.i) < least ||
        (minus ? -(int64_t)r->tok.i : (int64_t)r->tok.i) > most)
        TILE_FAIL(r, D_A005_RANGE, r->tok.span, arena_printf(r->mem, "%s%" PRIu64, minus ? "-" : "", r->tok.i), what);
    int64_t v = minus ? -(int64_t)r->tok.i : (int64_t)r->tok.i;
    tile_next(r);
    return v;
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */
/* Notes how deep e is, so that no expression is deeper than recursive passes can stand. */
static Expr *deepen(Reader *r, Expr *e)
{
    int deepest = 0;
    for (int i = 0; i < te_nchildren(e); i++) {
        int id = te_child(e, i)->id;
        if (id < r->depth.n && r->depth.at[id] > deepest) deepest = r->depth.at[id];
    }
    while (r->depth.n <= e->id) VEC_PUSH(r->mem, &r->depth, 1);
    r->depth.at[e->id] = deepest + 1;
    if (deepest >= TILE_MAX_DEPTH) TILE_FAIL(r, D_A002_DEPTH, e->span, TILE_MAX_DEPTH);
    return e;
}

static Expr *node(Reader *r, ExprOp op, int n, Expr **arg, Span at)
{
    DType types[3] = {DT_NONE, DT_NONE, DT_NONE};
    for (int i = 0; i < n && i < 3; i++) types[i] = (DType)arg[i]->type;
    const char *why = "";
    DType t = tile_result_type(op, n, types, &why);
    if (t == DT_NONE) {
        Text list = {.mem = r->mem};
        text_add(&list, "");
        for (int i = 0; i < n; i++) text_printf(&list, "%s%s", i ? ", " : "", te_type[arg[i]->type].name);
        TILE_FAIL(r, D_A008_TYPE, at, arena_printf(r->mem, "`%s` of (%s): %s", te_expr[op].text, list.s, why));
    }
    Expr *e = te_node(r->op, op, t, n, arg, at);
    if (tile_has_site(e)) e->site = -1;
    return deepen(r, e);
}

static Expr *need_type(Reader *r, Expr *e, DType t, const char *what)
{
    if (e->type != t)
        TILE_FAIL(r, D_A008_TYPE, e->span,
                  arena_printf(r->mem, "%s is %s, but must be %s", what, te_type[e->type].name, te_type[t].name));
    return e;
}

/* ---- literals ---------------------------------------------------------------------------------------------------- */
static bool fits(const Token *t, bool minus)
{
    int bits = te_type[t->type].bits;
    bool is_signed = te_type[t->type].cls != 'U';
    uint64_t most = is_signed ? (UINT64_C(1) << (bits - 1)) - !minus : UINT64_MAX >> (64 - bits);
    return is_signed || !minus ? t->i <= most : t->i == 0;
}

/* A number; `minus` was before it, at `at`. */
static Expr *number(Reader *r, bool minus, uint32_t at)
{
    Token t = r->tok;
    tile_next(r);
    Span s = tile_since(r, at);
    if (t.kind == TOK_FLOAT) {
        const char *text = minus ? arena_printf(r->mem, "-%s", t.text) : t.text;
        return deepen(r, te_float(r->op, t.type, tile_float_value(t.type, text), s));
    }
    if (!fits(&t, minus))
        TILE_FAIL(r, D_A005_RANGE, s, arena_printf(r->mem, "%s%" PRIu64, minus ? "-" : "", t.i), te_type[t.type].name);
    return deepen(r, te_int(r->op, t.type, (int64_t)(minus ? 0 - t.i : t.i), s));
}

static bool is_number(const Reader *r) { return r->tok.kind == TOK_INT || r->tok.kind == TOK_FLOAT; }

Expr *tile_read_literal(Reader *r)
{
    uint32_t at = r->tok.span.at;
    bool minus = tile_take(r, "-");
    if (is_number(r)) return number(r, minus, at);
    bool yes = tile_is_word(r, "true");
    if (minus || !(yes || tile_is_word(r, "false"))) tile_expected(r, "a literal");
    tile_next(r);
    return deepen(r, te_int(r->op, DT_U1, yes, tile_since(r, at)));
}

/* ---- primaries --------------------------------------------------------------------------------------------------- */
static ExprOp function_named(const char *name)
{
    for (int op = 0; op < EX_COUNT; op++)
        if (te_expr[op].kind == XK_CALL && !strcmp(te_expr[op].text, name)) return (ExprOp)op;
    return EX_COUNT;
}

/* name(args): a cast or a function. The name was read, at `at`; the next token is `(`. */
static Expr *call(Reader *r, const char *name, Span at)
{
    Expr *arg[3];
    int n = 0;
    DType to = tile_type_named(name);
    ExprOp op = function_named(name);
    if (to == DT_NONE && op == EX_COUNT) TILE_FAIL(r, D_A006_UNKNOWN, at, "function", name);
    tile_need(r, "(");
    while (!tile_is(r, ")")) {
        if (n == 3) tile_expected(r, "`)`");
        arg[n++] = tile_read_expr(r);
        if (!tile_take(r, ",")) break;
    }
    tile_need(r, ")");
    Span s = tile_since(r, at.at);
    if (to != DT_NONE) {
        if (n != 1) TILE_FAIL(r, D_A008_TYPE, s, "a cast takes one value");
        return deepen(r, te_cast(r->op, to, arg[0], s));
    }
    if (n == 2 && op == EX_POWI && te_is_float((DType)arg[1]->type)) op = EX_POW;
    return node(r, op, n, arg, s);
}

/* How the access is known to be in bounds: nothing, `@site`, `@?`, `@!`. */
static void mode(Reader *r, Expr *e)
{
    e->flag = e->load.other ? LOAD_GUARDED : LOAD_PROVED;
    e->load.site = -1;
    if (!tile_take(r, "@")) return;
    if (tile_take(r, "?")) {
        e->flag = LOAD_UNCHECKED_YET;
    } else if (tile_take(r, "!")) {
        e->flag = LOAD_PROVED;
    } else {
        e->flag = LOAD_GATHER;
        e->load.site = (int)tile_read_int(r, "the number of a site", 0, r->op->nsites - 1);
    }
}

static Expr *access(Reader *r, Tensor *t, Span at)
{
    VEC(Expr *) ix = {0};
    Expr *other = NULL;
    if (tile_take(r, "[")) {
        do {
            if (tile_is(r, "|") || tile_is(r, "]")) break;
            VEC_PUSH(r->mem, &ix, need_type(r, tile_read_expr(r), DT_INDEX, "an index"));
        } while (tile_take(r, ","));
        if (tile_take(r, "|")) other = need_type(r, tile_read_expr(r), t->type, "the value after `|`");
        tile_need(r, "]");
    }
    Span s = tile_since(r, at.at);
    if (ix.n != t->rank) TILE_FAIL(r, D_A009_RANK, s, t->name, t->rank, ix.n);
    Expr *e = te_load(r->op, t, ix.n, ix.at, other, s);
    mode(r, e);
    return deepen(r, e);
}

static Expr *named(Reader *r)
{
    Span at = r->tok.span;
    bool quoted = r->tok.quoted;
    const char *text = r->tok.text;
    if (!quoted && (tile_is_word(r, "true") || tile_is_word(r, "false"))) return tile_read_literal(r);
    tile_next(r);
    if (!quoted && tile_is(r, "(")) return call(r, text, at);
    const Name *n = quoted || !tile_word(text) ? tile_lookup(r, text) : NULL;
    if (!n) TILE_FAIL(r, D_A006_UNKNOWN, at, "variable, dim, const, parameter or buffer", text);
    switch (n->kind) {
    case NAME_VAR: return deepen(r, te_var(r->op, n->var, at));
    case NAME_DIM: return deepen(r, te_dim(r->op, n->sym, at));
    case NAME_CONST: return deepen(r, te_const(r->op, n->sym, at));
    default: return access(r, n->tensor, at);
    }
}

/* `$n:(expr)` names a node for the rest of the statement, `$n` is that node. */
static Expr *shared(Reader *r)
{
    tile_need(r, "$");
    Span at = r->tok.span;
    int64_t n = tile_read_int(r, "the number of an expression", 1, INT32_MAX);
    if (n <= r->named.n) {
        if (!r->named.at[n - 1]) TILE_FAIL(r, D_A001_EXPECTED, at, "an expression that has ended", "itself");
        return r->named.at[n - 1];
    }
    if (n != r->named.n + 1 || !tile_take(r, ":"))
        TILE_FAIL(r, D_A006_UNKNOWN, at, "expression", arena_printf(r->mem, "$%" PRId64, n));
    VEC_PUSH(r->mem, &r->named, NULL);
    tile_need(r, "(");
    Expr *e = tile_read_expr(r);
    tile_need(r, ")");
    return r->named.at[n - 1] = e;
}

static Expr *primary(Reader *r)
{
    if (is_number(r)) return number(r, false, r->tok.span.at);
    if (r->tok.kind == TOK_NAME) return named(r);
    if (tile_is(r, "$")) return shared(r);
    if (!tile_take(r, "(")) tile_expected(r, "an expression");
    Expr *e = tile_read_expr(r);
    tile_need(r, ")");
    return e;
}

/* ---- operators --------------------------------------------------------------------------------------------------- */
static ExprOp operator_of(const Reader *r, ExprKind kind)
{
    for (int op = 0; op < EX_COUNT; op++)
        if (te_expr[op].kind == kind && tile_is(r, te_expr[op].text)) return (ExprOp)op;
    return EX_COUNT;
}

static Expr *unary(Reader *r)
{
    uint32_t at = r->tok.span.at;
    ExprOp op = operator_of(r, XK_UNARY);
    if (op == EX_COUNT) return primary(r);
    tile_next(r);
    if (op == EX_NEG && is_number(r)) return number(r, true, at);
    tile_nest(r);
    Expr *arg = unary(r);
    r->nest--;
    return node(r, op, 1, &arg, tile_since(r, at));
}

static Expr *binary(Reader *r, int prec)
{
    uint32_t at = r->tok.span.at;
    Expr *left = unary(r);
    for (;;) {
        ExprOp op = operator_of(r, XK_BINARY);
        if (op == EX_COUNT || te_expr[op].prec < prec) return left;
        tile_next(r);
        int64_t site = -1;
        Span mark = r->tok.span;
        bool marked = tile_take(r, "@");
        if (marked) site = tile_read_int(r, "the number of a site", 0, r->op->nsites - 1);
        Expr *right = binary(r, te_expr[op].prec + 1);
        left = node(r, op, 2, (Expr *[]){left, right}, tile_since(r, at));
        if (marked && !tile_has_site(left)) TILE_FAIL(r, D_A008_TYPE, mark, "only a division of integers has a site");
        if (tile_has_site(left)) left->site = (int)site;
    }
}

Expr *tile_read_bound(Reader *r) { return binary(r, te_expr[EX_OR].prec); }

Expr *tile_read_expr(Reader *r)
{
    uint32_t at = r->tok.span.at;
    tile_nest(r);
    Expr *e = tile_read_bound(r);
    if (tile_take(r, "?")) {
        Expr *yes = tile_read_expr(r);
        tile_need(r, ":");
        Expr *no = tile_read_expr(r);
        e = node(r, EX_SELECT, 3, (Expr *[]){e, yes, no}, tile_since(r, at));
    }
    r->nest--;
    return e;
}
