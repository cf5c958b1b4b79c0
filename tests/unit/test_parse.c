/* test_parse: tokens to the tree: precedence, every production, places, documentation, depth, and how reports recover.
 * The wording of reports is tests/golden/parse's. */
#include "frontend/frontend.h"
#include "tests/unit/check.h"

#include <stdlib.h>
#include <time.h>

typedef struct Parsed {
    AstFile *f;
    Diags d;
} Parsed;

static Parsed parsed(Arena *a, const char *text)
{
    Source *src = NEW(a, Source);
    *src = (Source){"t.te", arena_strdup(a, text), strlen(text)};
    Parsed p = {.d = {.mem = a}};
    p.f = fe_parse(a, src, &p.d);
    return p;
}

/* ---- expressions --------------------------------------------------------------------------------------------- */

static void show(Text *out, const AstExpr *e);

static void show_rv(Text *out, const AstRv *v)
{
    text_add(out, v->name.text);
    if (!v->lo) return;
    text_char(out, ':');
    show(out, v->lo);
    text_char(out, ':');
    show(out, v->hi);
}

static void show_reduce(Text *out, const AstExpr *e)
{
    const AstReduce *r = e->red;
    text_printf(out, "{%s", e->text);
    for (int i = 0; i < r->nvars; i++) {
        text_char(out, ' ');
        show_rv(out, &r->var[i]);
    }
    if (r->has_slot) {
        text_add(out, " -> ");
        show_rv(out, &r->slot);
    }
    if (r->cond) {
        text_add(out, " if ");
        show(out, r->cond);
    }
    text_add(out, " ");
    show(out, r->body);
    text_char(out, '}');
}

static void show(Text *out, const AstExpr *e)
{
    static const char *const op[EX_COUNT] = {
#define EXPR(ID, text, ...) [EX_##ID] = text,
#include "ir/ops.def"
#undef EXPR
    };
    switch (e->kind) {
    case AST_INT:
    case AST_FLOAT:
    case AST_BOOL:
    case AST_NAME: text_add(out, e->text); return;
    case AST_REDUCE: show_reduce(out, e); return;
    case AST_ERROR: text_add(out, "ERROR"); return;
    case AST_CALL: text_printf(out, "(%s()", e->text); break;
    case AST_ACCESS: text_printf(out, "(%s[]", e->text); break;
    case AST_UNARY: text_printf(out, "(u%s", op[e->op]); break;
    case AST_BINARY: text_printf(out, "(%s", op[e->op]); break;
    case AST_COND: text_add(out, "(?:"); break;
    case AST_PAREN: text_add(out, "(()"); break;
    }
    for (int i = 0; i < e->nargs; i++) {
        text_char(out, ' ');
        show(out, e->arg[i]);
    }
    if (e->other) {
        text_add(out, " | ");
        show(out, e->other);
    }
    text_char(out, ')');
}

static void check_expr(const char *text, const char *want, int line)
{
    Arena *a = arena_new();
    Parsed p = parsed(a, arena_printf(a, "fn f(x) = %s", text));
    Text got = {.mem = a};
    if (p.d.errors) text_add(&got, "reported");
    if (!p.d.errors) show(&got, p.f->item[0].fn->body);
    if (!CHECK_STR(got.s, want)) printf("at line %d\n", line);
    if (!p.d.errors) { /* the span is the whole expression */
        Span s = p.f->item[0].fn->body->span;
        CHECK(s.at == 10 && s.len == strlen(text));
    }
    arena_free(a);
}
#define EXPR_IS(text, want) check_expr(text, want, __LINE__)

static void expressions(void)
{
    EXPR_IS("a + b + c", "(+ (+ a b) c)");
    EXPR_IS("a - b - c * d / e % f", "(- (- a b) (% (/ (* c d) e) f))");
    EXPR_IS("a || b && c == d < e + f * -g", "(|| a (&& b (== c (< d (+ e (* f (u- g)))))))");
    EXPR_IS("-g * f + e < d == c && b || a", "(|| (&& (== (< (+ (* (u- g) f) e) d) c) b) a)");
    EXPR_IS("a && b || c && d", "(|| (&& a b) (&& c d))");
    EXPR_IS("a == b != c", "(!= (== a b) c)");
    EXPR_IS("a < b <= c > d >= e", "(>= (> (<= (< a b) c) d) e)");
    EXPR_IS("a ? b : c ? d : e", "(?: a b (?: c d e))");
    EXPR_IS("a ? b ? c : d : e", "(?: a (?: b c d) e)");
    EXPR_IS("a || b ? c + 1 : d", "(?: (|| a b) (+ c 1) d)");
    EXPR_IS("- - !a", "(u- (u- (u! a)))");
    EXPR_IS("--a - -b", "(- (u- (u- a)) (u- b))");
    EXPR_IS("-a[i]", "(u- (a[] i))");
    EXPR_IS("((a))", "(() (() a))");
    EXPR_IS("(a + b) * c", "(* (() (+ a b)) c)");
    EXPR_IS("f()", "(f())");
    EXPR_IS("f(a, g(b), c[i])", "(f() a (g() b) (c[] i))");
    EXPR_IS("f32(x)", "(f32() x)");
    EXPR_IS("A[i,j+1 | 0.0]", "(A[] i (+ j 1) | 0.0)");
    EXPR_IS("A[i | B[j | -1]]", "(A[] i | (B[] j | (u- 1)))");
    EXPR_IS("A[i || j]", "(A[] (|| i j))");
    EXPR_IS("sum{k}(A[k])", "{sum k (A[] k)}");
    EXPR_IS("sum{k, l in 0..N-1}(k)", "{sum k l:0:(- N 1) k}");
    EXPR_IS("max{k in a[i]..a[i+1] if k > 0}(k) + 1", "(+ {max k:(a[] i):(a[] (+ i 1)) if (> k 0) k} 1)");
    EXPR_IS("topk{e -> s in 0..K if b}(g[e])", "{topk e -> s:0:K if b (g[] e)}");
    EXPR_IS("argmin{k}(sum{l}(x))", "{argmin k {sum l x}}");
    EXPR_IS("sum(a) + max(a, b) + topk[i] + any", "(+ (+ (+ (sum() a) (max() a b)) (topk[] i)) any)");
    EXPR_IS("true && false ? inf : nan", "(?: (&& true false) inf nan)");
    EXPR_IS("1 + 2.5e3", "(+ 1 2.5e3)");
    EXPR_IS("a\n  # comment\n  + b", "(+ a b)");
}

/* ---- items --------------------------------------------------------------------------------------------------- */

static void items(void)
{
    Arena *a = arena_new();
    Parsed p = parsed(a, "fn g(x, y) = x\n"
                         "op f[M, N = 3 in 0..8 ~ {1,2}; c: i32 = -4, d: u1](A: f32[M,N+1], const W: f16[N], inout s: "
                         "i4) -> (Y: f32[M], z: u1) where M > 2, N > 3 {\n"
                         "  let t[i in 0..M, j], u = A[i,j] seq i\n"
                         "  z = true\n"
                         "}\n");
    CHECK(p.d.errors == 0 && p.f->nitems == 2);
    AstFn *g = p.f->item[0].fn;
    CHECK(g && g->nparams == 2 && !g->broken && !strcmp(g->param[1].text, "y"));
    AstOp *f = p.f->item[1].op;
    CHECK(f && f->ndims == 2 && f->nconsts == 2 && f->ninputs == 3 && f->noutputs == 2 && f->nwhere == 2);
    CHECK(!f->dim[0].has_default && !f->dim[0].has_range && f->dim[0].nhints == 0);
    CHECK(f->dim[1].has_default && f->dim[1].dflt == 3 && f->dim[1].has_range && f->dim[1].lo == 0 &&
          f->dim[1].hi == 8 && f->dim[1].nhints == 2 && f->dim[1].hint[1] == 2);
    CHECK(f->cst[0].type == DT_I32 && f->cst[0].value->kind == AST_UNARY && f->cst[0].value->arg[0]->i == 4);
    CHECK(f->cst[1].type == DT_U1 && !f->cst[1].value);
    CHECK(f->input[0].kind == TK_INPUT && f->input[0].rank == 2 && f->input[1].kind == TK_CONST_INPUT);
    CHECK(f->input[2].kind == TK_INOUT && f->input[2].type == DT_I4 && !f->input[2].has_shape);
    CHECK(f->output[0].kind == TK_OUTPUT && f->output[1].type == DT_U1);
    CHECK(f->nstmts == 2 && f->stmt[0]->let && f->stmt[0]->nlhs == 2 && !strcmp(f->stmt[0]->seq.text, "i"));
    CHECK(f->stmt[0]->lhs[0].n == 2 && f->stmt[0]->lhs[0].ix[0].hi && !f->stmt[0]->lhs[0].ix[1].hi);
    CHECK(!f->stmt[0]->lhs[1].has_index && !f->stmt[1]->let && !f->stmt[1]->seq.text);
    CHECK(!strncmp(f->span.src->text + f->span.at, "op f", 4) &&
          f->span.src->text[f->span.at + f->span.len - 1] == '}');
    arena_free(a);
}

/* Statements follow each other without a mark. */
static void statements(void)
{
    Arena *a = arena_new();
    Parsed p =
        parsed(a, "op f[N](x: f32[N]) -> (a: f32[N], b: f32[N], c: f32) { a[i] = x[i] b[i] = a[i]\n - x[i] c = 2 }");
    CHECK(p.d.errors == 0 && p.f->item[0].op->nstmts == 3);
    Text out = {.mem = a};
    show(&out, p.f->item[0].op->stmt[1]->rhs);
    CHECK_STR(out.s, "(- (a[] i) (x[] i))");
    p = parsed(a, "");
    CHECK(p.d.errors == 0 && p.f->nitems == 0);
    p = parsed(a, "# only a comment");
    CHECK(p.d.errors == 0 && p.f->nitems == 0);
    p = parsed(a, "op f[]()->(){}");
    CHECK(p.d.errors == 0 && p.f->nitems == 1 && p.f->item[0].op->nstmts == 0);
    arena_free(a);
}

static void docs(void)
{
    Arena *a = arena_new();
    Parsed p = parsed(a, "# not this\n\n# one\n#two\r\n#   three  \n#\nfn f(x) = x # not this\nfn g(x) = x\n"
                         "# above\n\nfn h(x) = x\nfn i(x) = x # trailing\n# mine\nop k[]() -> () {}");
    CHECK(p.d.errors == 0 && p.f->nitems == 5);
    CHECK_STR(p.f->item[0].fn->doc, "one\ntwo\n  three\n");
    CHECK_STR(p.f->item[1].fn->doc, NULL);
    CHECK_STR(p.f->item[2].fn->doc, NULL);
    CHECK_STR(p.f->item[4].op->doc, "mine");
    arena_free(a);
}

/* ---- depth --------------------------------------------------------------------------------------------------- */

/* open × n, middle, close × n as a fn's body: gives the number of reports, and checks the first one's code. */
static int nested(const char *open, const char *middle, const char *close, int n)
{
    Arena *a = arena_new();
    Text t = {.mem = a};
    text_add(&t, "fn f(x) = ");
    for (int i = 0; i < n; i++) text_add(&t, open);
    text_add(&t, middle);
    for (int i = 0; i < n; i++) text_add(&t, close);
    clock_t start = clock();
    Parsed p = parsed(a, t.s);
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 2.0);
    if (p.d.errors) CHECK(p.d.first->code == D_F002_DEPTH && p.d.first->notes);
    if (!p.d.errors) CHECK(p.f->item[0].fn->body->depth <= FE_DEPTH_MAX);
    int errors = p.d.errors;
    arena_free(a);
    return errors;
}

static void depth(void)
{
    static const char *const form[][3] = {
        {"(", "x", ")"},
        {"-", "x", ""},
        {"!", "x", ""},
        {"- !", "x", ""},
        {"f(", "x", ")"},
        {"A[", "0", "]"},
        {"A[0 | ", "x", "]"},
        {"f32(", "x", ")"},
        {"x ? ", "x", " : x"},
        {"x ? x : ", "x", ""},
        {"sum{k}(", "x", ")"},
        {"x + (", "x", ")"},
        {"a * (b + ", "x", ")"},
        {"sum{k in 0..", "x", "}(x)"},
        {"sum{k if ", "x", "}(x)"},
        {"max{k in ", "x", "..3}(x)"},
    };
    for (size_t i = 0; i < sizeof form / sizeof *form; i++) {
        CHECK(nested(form[i][0], form[i][1], form[i][2], 100) == 0);
        CHECK(nested(form[i][0], form[i][1], form[i][2], 255) == 0 || i == 3);
        CHECK(nested(form[i][0], form[i][1], form[i][2], 10000) == 1);
        CHECK(nested(form[i][0], form[i][1], form[i][2], 100000) == 1);
    }
    CHECK(nested("x + ", "x", "", 1000) == 0);
    CHECK(nested("x + ", "x", "", 400000) == 1);
    CHECK(nested("x * x - ", "x", "", 200000) == 1);
    CHECK(nested("x || x && ", "x", "", 200000) == 1);
    CHECK(nested("", "x", "[i]", 0) == 0);
}

/* ---- reports ------------------------------------------------------------------------------------------------- */

/* The codes and places of what is reported. */
static void check_reports(const char *text, const char *want, int line)
{
    Arena *a = arena_new();
    Parsed p = parsed(a, text);
    Text got = {.mem = a};
    text_add(&got, "");
    for (Diag *g = p.d.first; g; g = g->next) {
        int l, c;
        span_place(g->span, &l, &c);
        text_printf(&got, "%s%s %d:%d", got.n ? ", " : "", diag_name(g->code), l, c);
    }
    if (!CHECK_STR(got.s, want)) printf("at line %d\n", line);
    bool broken = false;
    for (int i = 0; i < p.f->nitems; i++) broken |= p.f->item[i].op ? p.f->item[i].op->broken : p.f->item[i].fn->broken;
    CHECK(p.d.errors || !broken);
    arena_free(a);
}
#define REPORTS(text, want) check_reports(text, want, __LINE__)
#define BODY(text)          "op f[N](X: f32[N]) -> (Y: f32[N]) {\n" text "\n}\n"

static void recovery(void)
{
    REPORTS(BODY("Y[i] = X[i"), "F001 2:11");
    REPORTS(BODY("Y[i) = X[i]\nlet a[i] = )\nY[i] = (X[i]\nlet c = 3 +\nlet d = 4"),
            "F001 2:4, F001 3:12, F001 4:13, F001 5:12");
    REPORTS(BODY("Y[i] = sum{k(X[k])\nlet b[i] = 3 3"), "F001 2:13, F001 3:14");
    REPORTS(BODY("Y[i] = sum{k}}(X[k])") "op g[]() -> () {}\nx", "F001 2:14, F001 5:1");
    REPORTS("op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = sum{k(X[k]) }\nop g[]() -> () { 3 }", "F001 1:49, F001 2:18");
    REPORTS("op f[N](X: f32[N]) -> (Y: f32[N]) {\n  Y[i] = 1.0\nop g[]() -> () { 3 }", "F001 3:1, F001 3:18");
    REPORTS("op f[N M](X: f32[N]) -> (Y: f32[N]) {\n  Y[i] = )\n}\nfn g() = 2", "F001 1:8, F001 2:10, F001 4:6");
    REPORTS("x y z\nfn f(x) = x\n} }\nfn g(x) = ", "F001 1:1, F001 3:1, F001 4:10");
    REPORTS(BODY("Y[i] = X[i];\nlet a = 2;\nlet b = 3;"), "F001 2:12");
    REPORTS(BODY("Y[i] += X[i]\nlet a := 3\nlet b == 4\nlet c -= ) "),
            "F001 2:6, F001 3:7, F001 4:7, F001 5:7, F001 5:10");
    REPORTS(BODY("Y[i] = X[i] @ 2\nlet a = 3 $\nlet b = 2x"), "L001 2:13, L001 3:11, L002 4:9");
    REPORTS(BODY("let in[i] = X[i]\nlet a[seq] = f32"), "F003 2:5, F003 3:7, F001 3:17");
    REPORTS("op f[N = 9223372036854775808, M = 99999999999999999999](a: f32) -> (inout b: f32) {}",
            "F005 1:10, L003 1:35, F006 1:69");
    REPORTS("op f[N](X: float[N], Y: foo) -> (Z: f32[N]) { Z[i] = ) }", "F001 1:12, F001 1:25, F001 1:54");
    REPORTS("op f[](x: f32[]) -> (y: f32) {}", "F001 1:15");
    REPORTS("op", "F001 1:3");
    REPORTS("fn", "F001 1:3");
    REPORTS("op f", "F001 1:5");
    REPORTS("op f[](", "F001 1:8");
    REPORTS("op f[]() -> () {", "F001 1:17");
    REPORTS("op op fn let", "F003 1:4, F001 1:7, F003 1:10, F001 1:13");
    REPORTS("\xff", "L004 1:1");
}

static void no_flood(void)
{
    Arena *a = arena_new();
    Text t = {.mem = a};
    text_add(&t, "op f[N](X: f32[N]) -> (Y: f32[N]) {\n");
    for (int i = 0; i < 100000; i++) text_add(&t, "Y[i) = 3 @\n");
    size_t before = arena_bytes(a);
    clock_t start = clock();
    Parsed p = parsed(a, t.s);
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 4.0);
    CHECK(p.d.errors > 100000);
    CHECK(arena_bytes(a) - before < 400u << 20);
    arena_free(a);
}

int main(void)
{
    expressions();
    items();
    statements();
    docs();
    depth();
    recovery();
    no_flood();
    return check_done();
}
