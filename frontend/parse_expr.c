/* parse_expr.c: expressions, by precedence climbing over the rows of ir/ops.def. Recursion is bounded: FE_NEST_MAX
 * levels of brackets, prefixes and conditionals; trees are at most FE_DEPTH_MAX deep, so that every pass that reads
 * them may recurse. After a failure each function returns at once, with a node that is not NULL. */
#include "frontend/parse.h"

static AstExpr *node(Parser *p, AstKind kind, Span span)
{
    AstExpr *e = NEW(p->mem, AstExpr);
    e->kind = kind;
    e->span = span;
    e->depth = 1;
    return e;
}

void fe_too_deep(Parser *p, Span at, int levels)
{
    if (p->failed) return;
    const char *what =
        levels == FE_NEST_MAX ? "brackets, prefixes and conditionals are nested" : "operators are nested or chained";
    Diag *d = diag_error(p->diags, D_F002_DEPTH, at, what, levels);
    diag_help(p->diags, d, "%s",
              p->sched ? "split it: a param can stand for a part of it"
              : levels == FE_NEST_MAX
                  ? "split the expression with a `let`"
                  : "split the expression with `let`s; a long sum of like terms is a reduction, `sum{k}(…)`");
    p->failed = p->broken = true;
}

/* e gets a child; the tree grows with it. `at`: the operator to blame when it grows too deep. */
static void deepen(Parser *p, AstExpr *e, const AstExpr *child, int at)
{
    if (child->depth < e->depth) return;
    e->depth = child->depth + 1;
    if (e->depth > FE_DEPTH_MAX) fe_too_deep(p, fe_span(p, at), FE_DEPTH_MAX);
}

static void set_args(Parser *p, AstExpr *e, int n, AstExpr **arg, int at)
{
    e->nargs = n;
    e->arg = arena_dup(p->mem, arg, sizeof *arg * (size_t)n);
    for (int i = 0; i < n; i++) deepen(p, e, arg[i], at);
}

typedef VEC(AstExpr *) ExprList;

static void list(Parser *p, ExprList *to)
{
    do {
        AstExpr *e = fe_expr(p);
        VEC_PUSH(p->mem, to, e);
    } while (fe_accept(p, T_COMMA));
}

/* ---- literals ------------------------------------------------------------------------------------------------ */

static AstExpr *literal(Parser *p)
{
    TokenKind kind = fe_kind(p);
    AstExpr *e = node(p,
                      kind == T_INT                       ? AST_INT
                      : kind == T_TRUE || kind == T_FALSE ? AST_BOOL
                                                          : AST_FLOAT,
                      fe_span(p, p->at));
    e->text = fe_text(p, p->at);
    if (p->tok[p->at].bad) {
        e->text = kind == T_INT ? "0" : "0.0";
    } else if (kind == T_INT) {
        e->i = fe_token_int(p->src, &p->tok[p->at]);
    } else if (kind == T_TRUE) {
        e->i = 1;
    }
    fe_advance(p);
    return e;
}

static bool is_literal(TokenKind kind)
{
    return kind == T_INT || kind == T_FLOAT || kind == T_TRUE || kind == T_FALSE || kind == T_INF || kind == T_NAN;
}

AstExpr *fe_literal(Parser *p)
{
    int from = p->at;
    bool minus = fe_kind(p) == T_SUB;
    if (minus) {
        p->tok[from].role = ROLE_UNARY;
        fe_advance(p);
    }
    if (!is_literal(fe_kind(p))) {
        fe_help(p, fe_expected(p, "a literal"), "the value of a const is one literal, such as `3`, `-1.5` or `true`");
        return node(p, AST_ERROR, fe_span(p, from));
    }
    AstExpr *value = literal(p);
    if (!minus) return value;
    AstExpr *e = node(p, AST_UNARY, fe_span_from(p, from));
    e->op = EX_NEG;
    set_args(p, e, 1, &value, from);
    return e;
}

/* ---- what starts with a name --------------------------------------------------------------------------------- */

static AstExpr *call(Parser *p)
{
    int from = p->at;
    AstExpr *e = node(p, AST_CALL, fe_span(p, from));
    e->text = fe_text(p, from);
    e->name_span = e->span;
    fe_advance(p);
    int open = p->at;
    if (fe_kind(p) != T_LPAREN) { /* after a type; a name without one is no call */
        fe_help(p, fe_expected(p, "`(` after the type"), "a cast is written like a call: `%s(x)`", e->text);
        return e;
    }
    fe_advance(p);
    ExprList args = {0};
    if (fe_kind(p) != T_RPAREN) list(p, &args);
    fe_close_list(p, T_RPAREN, "after the arguments", open);
    set_args(p, e, args.n, args.at, from);
    e->span = fe_span_from(p, from);
    return e;
}

static AstExpr *access(Parser *p)
{
    int from = p->at;
    AstExpr *e = node(p, AST_ACCESS, fe_span(p, from));
    e->text = fe_text(p, from);
    e->name_span = e->span;
    fe_advance(p);
    int open = p->at;
    fe_advance(p);
    if (fe_kind(p) == T_RBRACKET) {
        fe_help(p, fe_expected(p, "an index"), "a scalar is read without brackets: `%s`", e->text);
        return e;
    }
    ExprList args = {0};
    list(p, &args);
    set_args(p, e, args.n, args.at, from);
    if (fe_accept(p, T_BAR)) {
        e->other = fe_expr(p);
        deepen(p, e, e->other, from);
    }
    if (fe_kind(p) == T_DOTDOT)
        fe_help(p, fe_expected(p, "`]` after the index"), "an access reads one element; ranges stand in reductions");
    if (e->other) {
        fe_expect(p, T_RBRACKET, "after the value for out of bounds", open);
    } else {
        fe_close_list(p, T_RBRACKET, "after the index", open);
    }
    e->span = fe_span_from(p, from);
    return e;
}

/* lo..hi */
static void range(Parser *p, AstRv *v)
{
    v->lo = fe_expr(p);
    if (!fe_accept(p, T_DOTDOT))
        fe_help(p, fe_expected(p, "`..` in the range"),
                "a range has two ends, of which it excludes the second: `0..N`");
    v->hi = fe_expr(p);
}

AstRv fe_rv(Parser *p)
{
    AstRv v = {0};
    v.name = fe_name(p, "an index name");
    if (!fe_accept(p, T_IN)) return v;
    range(p, &v);
    return v;
}

/* Something stands behind the variables of a reduction, or its condition, that does not belong there. */
static void not_closed(Parser *p, const AstReduce *r, int open)
{
    TokenKind kind = fe_kind(p);
    Diag *d = fe_expected(p, r->cond ? "`}` after the condition" : "`}` after the reduction's indices");
    if (!r->cond && (kind == T_ASSIGN || kind == T_COLON)) {
        fe_help(p, d, "a range is written `k in 0..K`, and the body stands behind the braces: `sum{k in 0..K}(X[k])`");
    } else if (!r->cond && p->binary[kind] != EX_COUNT) {
        fe_help(p, d, "a condition stands after `if`, a range after `in`: `sum{k in 0..K if k < i}(X[k])`");
    } else if (!r->cond) {
        fe_help_with_list(p, d);
    }
    fe_opens_here(p, d, open);
}

/* RED { rv, … [-> slot] [if cond] } ( body ); the current token is RED, the next one the brace. */
static AstExpr *reduction(Parser *p, RedOp op)
{
    int from = p->at;
    AstExpr *e = node(p, AST_REDUCE, fe_span(p, from));
    AstReduce *r = e->red = NEW(p->mem, AstReduce);
    r->op = op;
    r->op_span = e->name_span = e->span;
    e->text = fe_text(p, from);
    fe_advance(p);
    int open = p->at;
    fe_advance(p);
    p->braces++;
    VEC(AstRv) vars = {0};
    do {
        if (fe_kind(p) != T_ID && !fe_is_word(fe_kind(p)) && (p->last == open || p->tok[p->at].kind != T_RBRACE))
            fe_help(p, fe_expected(p, "an index name"),
                    "the braces name the variables, with their ranges where those are not clear: `%s{k in 0..K}(…)`",
                    e->text);
        AstRv v = fe_rv(p);
        VEC_PUSH(p->mem, &vars, v);
    } while (fe_accept(p, T_COMMA));
    r->nvars = vars.n;
    r->var = vars.at;
    if (fe_accept(p, T_ARROW)) {
        r->has_slot = true;
        r->slot.name = fe_name(p, "an index name for the places");
        if (fe_accept(p, T_IN))
            range(p, &r->slot);
        else
            fe_help(p, fe_expected(p, "`in` after the index of the places"), "the places are written `-> s in 0..K`");
    }
    if (fe_accept(p, T_IF)) r->cond = fe_expr(p);
    if (fe_accept(p, T_RBRACE)) {
        p->braces--;
    } else {
        not_closed(p, r, open);
    }
    open = p->at;
    if (fe_kind(p) != T_LPAREN)
        fe_help(p, fe_expected(p, "`(` after the reduction's braces"), "the body stands in parentheses: `%s{k}(X[k])`",
                e->text);
    fe_accept(p, T_LPAREN);
    r->body = fe_expr(p);
    if (fe_kind(p) == T_COMMA) {
        Diag *d = fe_expected(p, "`)` after the reduction's body");
        if (op == RED_MAX || op == RED_MIN)
            fe_help(p, d, "a reduction takes one value; of two values it is `%s(x, y)`, without braces", e->text);
        else
            fe_help(p, d, "a reduction takes one value; its variables and their condition stand in the braces");
        fe_opens_here(p, d, open);
    }
    fe_expect(p, T_RPAREN, "after the reduction's body", open);

    for (int i = 0; i < r->nvars; i++) {
        if (r->var[i].lo) deepen(p, e, r->var[i].lo, from);
        if (r->var[i].hi) deepen(p, e, r->var[i].hi, from);
    }
    if (r->slot.lo) deepen(p, e, r->slot.lo, from);
    if (r->slot.hi) deepen(p, e, r->slot.hi, from);
    if (r->cond) deepen(p, e, r->cond, from);
    deepen(p, e, r->body, from);
    e->span = fe_span_from(p, from);
    return e;
}

/* target.NAME, the text of a name as a whole; that nothing else has a `.` is found later. NAME may be a type (bf16). */
static AstExpr *property(Parser *p)
{
    int from = p->at;
    fe_advance(p);
    fe_advance(p);
    AstExpr *e = node(p, AST_NAME, fe_span(p, from));
    const char *text = fe_text(p, p->at);
    if (fe_is_word(fe_kind(p))) {
        fe_advance(p);
    } else {
        text = fe_name(p, "a name after `.`").text;
    }
    e->text = arena_printf(p->mem, "%s.%s", fe_text(p, from), text);
    e->span = e->name_span = fe_span_from(p, from);
    return e;
}

static AstExpr *named(Parser *p)
{
    TokenKind next = fe_kind_next(p);
    if (next == T_DOT) return property(p);
    RedOp red = fe_token_red(p->src, &p->tok[p->at]);
    if (next == T_LBRACE && red != RED_COUNT && !p->sched) return reduction(p, red);
    if (next == T_LPAREN) return call(p);
    if (next == T_LBRACKET) return access(p);
    AstExpr *e = node(p, AST_NAME, fe_span(p, p->at));
    e->name_span = e->span;
    e->text = fe_text(p, p->at);
    fe_advance(p);
    return e;
}

/* ---- operators ----------------------------------------------------------------------------------------------- */

/* What should stand there, by what is before it. */
static void no_operand_follows(Parser *p, Diag *d, TokenKind before)
{
    const char *such = p->sched ? "a number, a param, a dim or a const" : "a number, a name or `X[i]`";
    if (before == T_LPAREN || before == T_COMMA || before == T_LBRACKET || p->last >= p->at)
        fe_help(p, d, "write an expression here, such as %s", such);
    else
        fe_help(p, d, "write an expression behind the `%s`, such as %s", fe_text(p, p->last), such);
}

static AstExpr *no_operand(Parser *p)
{
    int at = p->at;
    TokenKind kind = fe_kind(p), before = (TokenKind)p->tok[p->last].kind;
    Diag *d = fe_expected(p, "an expression");
    AstExpr *e = node(p, AST_ERROR, fe_span(p, at));
    if (!d) return e;
    if (!p->sched) fe_help_with_operators(p, d);
    if (kind == T_MUL && before == T_MUL) {
        fe_help(p, d, p->sched ? "there are no powers" : "a power is `pow(x, y)`");
    } else if (kind == T_ADD) {
        fe_help(p, d, "there is no unary plus%s", before == T_ADD ? ", and nothing is counted up" : "");
    } else if (fe_has_help(d)) {
        return e;
    } else if (kind == T_ASSIGN && p->binary[before] != EX_COUNT) {
        fe_help(p, d, "comparisons are `==`, `!=`, `<`, `<=`, `>` and `>=`");
    } else if (kind == T_ASSIGN) {
        fe_help(p, d, "a comparison is `==`");
    } else if (kind == T_IF) {
        fe_help(p, d, "a choice is written `condition ? this : that`");
    } else if (kind == T_LBRACKET) {
        fe_help(p, d, "there are no lists: each element is given by its indices");
    } else if (kind == T_LBRACE && !p->sched && before != T_WHERE) {
        fe_help(p, d, "parentheses group: `(x + y) * z`");
    } else if (kind == T_TILDE) {
        fe_help(p, d, "the logical not is `!`; there is no bitwise one");
    } else if (kind == T_SEQ) {
        fe_help(p, d, "`seq t` stands at the end of a statement");
    } else if (kind == T_COLON && (before == T_LBRACKET || before == T_COMMA)) {
        fe_help(p, d, "an access reads one element: write an index, as in `X[i,j]`");
    } else {
        no_operand_follows(p, d, before);
    }
    return e;
}

static AstExpr *primary(Parser *p)
{
    TokenKind kind = fe_kind(p);
    if (is_literal(kind)) return literal(p);
    /* Nothing assigns inside an expression: a left side is the next statement, and the operand is what is missing. */
    bool next = kind == T_ID && !p->sched && p->last < p->at && fe_first_on_line(p, p->at);
    if (next && fe_starts_statement(p, p->at)) return no_operand(p);
    if (kind == T_ID) return named(p);
    if (kind == T_DTYPE) return call(p);
    if (kind != T_LPAREN) return no_operand(p);
    int from = p->at;
    fe_advance(p);
    AstExpr *inner = fe_expr(p);
    fe_expect(p, T_RPAREN, "after the expression", from);
    AstExpr *e = node(p, AST_PAREN, fe_span_from(p, from));
    set_args(p, e, 1, &inner, from);
    return e;
}

static AstExpr *unary(Parser *p)
{
    TokenKind kind = fe_kind(p);
    if (kind != T_SUB && kind != T_NOT) return primary(p);
    int from = p->at;
    if (p->nest >= FE_NEST_MAX) {
        fe_too_deep(p, fe_span(p, p->at), FE_NEST_MAX);
        return node(p, AST_ERROR, fe_span(p, from));
    }
    p->tok[from].role = ROLE_UNARY;
    fe_advance(p);
    p->nest++;
    AstExpr *arg = unary(p);
    p->nest--;
    AstExpr *e = node(p, AST_UNARY, fe_span_from(p, from));
    e->op = kind == T_SUB ? EX_NEG : EX_NOT;
    set_args(p, e, 1, &arg, from);
    return e;
}

/* Operators that bind at least as tightly as `least`; all associate to the left. */
static AstExpr *binary(Parser *p, int least)
{
    int from = p->at;
    AstExpr *left = unary(p);
    for (;;) {
        ExprOp op = p->binary[fe_kind(p)];
        if (op == EX_COUNT || p->prec[op] < least) return left;
        int at = p->at;
        fe_advance(p);
        AstExpr *arg[] = {left, binary(p, p->prec[op] + 1)};
        left = node(p, AST_BINARY, fe_span_from(p, from));
        left->op = op;
        set_args(p, left, 2, arg, at);
    }
}

AstExpr *fe_expr(Parser *p)
{
    int from = p->at;
    if (p->failed) return node(p, AST_ERROR, fe_span(p, from));
    if (p->nest >= FE_NEST_MAX) {
        fe_too_deep(p, fe_span(p, p->at), FE_NEST_MAX);
        return node(p, AST_ERROR, fe_span(p, from));
    }
    p->nest++;
    AstExpr *e = binary(p, 0);
    int question = p->at;
    if (fe_accept(p, T_QUESTION)) {
        AstExpr *arg[3] = {e};
        arg[1] = fe_expr(p);
        if (fe_kind(p) == T_COLON) p->tok[p->at].role = ROLE_COND_COLON;
        fe_expect(p, T_COLON, "before the other value", question);
        arg[2] = fe_expr(p);
        e = node(p, AST_COND, fe_span_from(p, from));
        set_args(p, e, 3, arg, question);
    }
    p->nest--;
    return e;
}
