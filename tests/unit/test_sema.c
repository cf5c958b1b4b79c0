/* test_sema: the example programs are well typed; what is printed of an op reads back as an equal op; types, domains
 * and structure of small programs. Mistakes are tests/golden/sema (test_golden_sema.c). */
#include "tests/unit/check.h"

#include "frontend/frontend.h"
#include "ir/te.h"

#include <stdlib.h>

#ifndef TCC_SOURCE_DIR
#define TCC_SOURCE_DIR "."
#endif

static Source source(Arena *mem, const char *name, const char *text)
{
    (void)mem;
    return (Source){name, text, strlen(text)};
}

static void show(Arena *mem, const Diags *d)
{
    Text t = {.mem = mem};
    text_add(&t, "");
    for (const Diag *x = d->first; x; x = x->next) diag_render(&t, x, false);
    printf("%s", t.s);
}

/* The last op of a text, checked; NULL after printing what is wrong. */
static TeOp *check_last(Arena *mem, const char *text, Diags *d)
{
    Source *src = NEW(mem, Source);
    *src = source(mem, "test.te", text);
    AstFile *f = fe_parse(mem, src, d);
    TeOp *op = NULL;
    for (int i = 0; i < f->nitems; i++)
        if (f->item[i].op) op = fe_check(mem, f, f->item[i].op, 0, NULL, d);
    return d->errors ? NULL : op;
}

static const char *print(Arena *mem, const TeOp *op)
{
    Text t = {.mem = mem};
    te_print_op(&t, op);
    return t.s;
}

/* parse ∘ print = id, clone and verifier too */
static void check_round_trip(Arena *mem, const TeOp *op)
{
    const char *text = print(mem, op);
    Diags d = {.mem = mem};
    TeOp *again = check_last(mem, text, &d);
    if (!CHECK(again != NULL)) {
        printf("%s", text);
        show(mem, &d);
        return;
    }
    if (!CHECK(te_equal(op, again))) printf("--- first:\n%s--- second:\n%s", text, print(mem, again));
    CHECK_STR(print(mem, again), text);
    const char *broken = te_verify(mem, op);
    CHECK_STR(broken, NULL);
    Arena *other = arena_new();
    TeOp *copy = te_clone(other, op);
    CHECK(te_equal(op, copy));
    CHECK(te_verify(other, copy) == NULL);
    arena_free(other);
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    char *s = calloc(1, (size_t)n + 1);
    if (s && fread(s, 1, (size_t)n, f) != (size_t)n) s[0] = 0;
    fclose(f);
    return s;
}

static void check_example(const char *path, int want)
{
    char *text = read_file(path);
    if (!CHECK(text != NULL)) return;
    Arena *mem = arena_new();
    Diags d = {.mem = mem};
    Source src = source(mem, path, text);
    AstFile *f = fe_parse(mem, &src, &d);
    int n = 0;
    for (int i = 0; i < f->nitems; i++) {
        if (!f->item[i].op) continue;
        TeOp *op = fe_check(mem, f, f->item[i].op, 0, NULL, &d);
        n += op != NULL;
        if (op) check_round_trip(mem, op);
    }
    show(mem, &d);
    CHECK(d.errors == 0);
    CHECK(n == want);
    arena_free(mem);
    free(text);
}

/* A program and what is printed of it (its last op). */
static void check_prints(const char *text, const char *want)
{
    Arena *mem = arena_new();
    Diags d = {.mem = mem};
    TeOp *op = check_last(mem, text, &d);
    show(mem, &d);
    if (CHECK(op != NULL)) {
        CHECK_STR(print(mem, op), want);
        check_round_trip(mem, op);
    } else {
        printf("%s\n", text);
    }
    arena_free(mem);
}

#define HEAD            "op t[N, M; c: i32 = 3](X: f32[N], D: f64[N], I: i32[N], H: f16[N,M], U: u8[N], B: u1[N], a: f32) -> "
#define LET(body, want) check_prints(HEAD "() {\n  " body "\n}\n", HEAD "() {\n  " want "\n}\n")

static void literals(void)
{
    LET("let y[i] = 1/2 * X[i]", "let y[i in 0..N] = 1.0 / 2.0 * X[i]");
    LET("let y[i] = 1/2 * I[i]", "let y[i in 0..N] = 1 / 2 * I[i]");
    LET("let y = 1 + 2", "let y = 1 + 2");
    LET("let y = 1 + 2.5", "let y = 1.0 + 2.5");
    LET("let y[i] = X[i] > 0 ? 1 : -2", "let y[i in 0..N] = X[i] > 0.0 ? 1 : -2");
    LET("let y[i] = (X[i] > 0 ? 1 : 2) * D[i]", "let y[i in 0..N] = (X[i] > 0.0 ? 1.0 : 2.0) * D[i]");
    LET("let y[i] = max(1, 2) * D[i]", "let y[i in 0..N] = max(1.0, 2.0) * D[i]");
    LET("let y[i] = D[i] * 0.1", "let y[i in 0..N] = D[i] * 0.1");
    LET("let y[i] = H[i,0] * 0.1", "let y[i in 0..N] = H[i,0] * 0.1");
    LET("let y[i] = f64(0.1) * D[i]", "let y[i in 0..N] = f64(0.1) * D[i]");
    LET("let y[i] = X[i] + X[i-1 | 1]", "let y[i in 0..N] = X[i] + X[i - 1 | 1.0]");
    LET("let y[i] = U[i] + 255", "let y[i in 0..N] = U[i] + 255");
    LET("let y[i] = X[i] * -1", "let y[i in 0..N] = X[i] * -1.0");
    LET("let y[i] = -(1) * I[i] - -1", "let y[i in 0..N] = -(1) * I[i] - -1");
    LET("let y[i] = X[i] + sum{k in 0..3}(1)", "let y[i in 0..N] = X[i] + sum{k in 0..3}(1.0)");
    LET("let y = i64(7) + 9223372036854775807", "let y = i64(7) + 9223372036854775807");
    LET("let y[i] = X[i] == inf || X[i] != nan || X[i] < -inf",
        "let y[i in 0..N] = X[i] == inf || X[i] != nan || X[i] < -inf");
    LET("let y[i] = 1e20 * X[i] + 1.5e-7", "let y[i in 0..N] = 1e+20 * X[i] + 1.5e-07");
    LET("let y[i] = I[i] < c", "let y[i in 0..N] = I[i] < c");
    LET("let y = 1 < 2.5", "let y = 1.0 < 2.5");
}

static void index_types(void)
{
    LET("let y[i] = f32(i + 1) * X[i]", "let y[i in 0..N] = f32(i + 1) * X[i]");
    LET("let y[i] = X[clamp(I[i], 0, N-1)]", "let y[i in 0..N] = X[clamp(I[i], 0, N - 1)]");
    LET("let y[i] = X[I[i]]", "let y[i in 0..N] = X[I[i]]");
    LET("let y[i] = i < c ? X[i] : 0", "let y[i in 0..N] = i < c ? X[i] : 0.0");
    LET("let y[i] = i < i32(3) ? X[i] : 0", "let y[i in 0..N] = i < i32(3) ? X[i] : 0.0");
    LET("let y[i] = sum{k in 0..I[i]}(X[k | 0])", "let y[i in 0..N] = sum{k in 0..I[i]}(X[k | 0.0])");
    LET("let y = f32(N) / 2", "let y = f32(N) / 2.0");
    LET("let y[i in 0..c] = X[i | 0.0]", "let y[i in 0..c] = X[i | 0.0]");
    LET("let y[i] = argmax{j}(H[i,j])", "let y[i in 0..N] = argmax{j in 0..M}(H[i,j])");
    LET("let y[i] = pow(X[i], 2)", "let y[i in 0..N] = pow(X[i], 2)");
    LET("let y[i] = pow(X[i], 2.0) + pow(a, I[i])", "let y[i in 0..N] = pow(X[i], 2.0) + pow(a, I[i])");
    LET("let y[i] = pow(2, I[i]) * X[i]", "let y[i in 0..N] = pow(2.0, I[i]) * X[i]");
    LET("let y[i] = f32(X[i])", "let y[i in 0..N] = X[i]");
}

static void structure(void)
{
    LET("let y[i] = any{j if B[j]}(X[j] > X[i])", "let y[i in 0..N] = any{j in 0..N if B[j]}(X[j] > X[i])");
    LET("let y[i] = X[i] - (a - X[i]) - a * (a + 1)", "let y[i in 0..N] = X[i] - (a - X[i]) - a * (a + 1.0)");
    LET("let y[i] = -(-X[i]) * -a", "let y[i in 0..N] = -(-X[i]) * -a");
    LET("let y[i] = !(B[i] && X[i] > a) == B[i]", "let y[i in 0..N] = !(B[i] && X[i] > a) == B[i]");
    LET("let y[i] = (B[i] ? a : X[i]) + (B[i] ? a : B[i] ? X[i] : a)",
        "let y[i in 0..N] = (B[i] ? a : X[i]) + (B[i] ? a : B[i] ? X[i] : a)");
    LET("let y[t] = X[t] + y[t-1 | 0] seq t", "let y[t in 0..N] = X[t] + y[t - 1 | 0.0] seq t");
    LET("let y[t] = f16(f32(y[t-1 | 0]) + X[t]) seq t", "let y[t in 0..N] = f16(f32(y[t - 1 | 0.0]) + X[t]) seq t");
    LET("let y = sum{k}((X[k] * a))", "let y = sum{k in 0..N}(X[k] * a)");
}

static void fns(void)
{
    check_prints("fn sq(x) = x * x\nop t[N](X: f32[N]) -> (Y: f32) { Y = sum{k}(sq(X[k] + 1)) }\n",
                 "op t[N](X: f32[N]) -> (Y: f32) {\n  Y = sum{k in 0..N}(f32((X[k] + 1.0) * (X[k] + 1.0)))\n}\n");
    check_prints("fn p(x) = sum{k in 0..3}(x * f32(k))\nop t[N](X: f32[N]) -> (Y: f32[N]) { let k_2 = 1.0\n"
                 "Y[k] = p(X[k]) + k_2 }\n",
                 "op t[N](X: f32[N]) -> (Y: f32[N]) {\n  let k_2 = 1.0\n"
                 "  Y[k] = sum{k_3 in 0..3}(X[k] * f32(k_3)) + k_2\n}\n");
    check_prints("fn sq(x) = x * x\nop t[N](D: f64[N]) -> () { let product[i] = D[i] + sum{k in 0..3}(sq(2.0)) }\n",
                 "fn product_(x, y) = x * y\n\nop t[N](D: f64[N]) -> () {\n"
                 "  let product[i in 0..N] = D[i] + sum{k in 0..3}(product_(2.0, 2.0))\n}\n");
    check_prints("fn f(x) = 1/2\nop t[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = f(X[i]) * X[i] }\n",
                 "op t[N](X: f32[N]) -> (Y: f32[N]) {\n  Y[i] = 1.0 / 2.0 * X[i]\n}\n");
}

static void domains(void)
{
    check_prints("op t[N](X: f32[N+0], Z: f32[2*N/2]) -> () { let y[i] = X[i] + Z[i] }\n",
                 "op t[N](X: f32[N + 0], Z: f32[2 * N / 2]) -> () {\n  let y[i in 0..N + 0] = X[i] + Z[i]\n}\n");
    check_prints("op t[N,M](X: f32[N], Z: f32[M]) -> () where N == M { let y[i] = X[i] + Z[i] }\n",
                 "op t[N, M](X: f32[N], Z: f32[M]) -> () where N == M {\n  let y[i in 0..N] = X[i] + Z[i]\n}\n");
    check_prints("op t[N](X: f32[N], Z: f32[2*(N/2)]) -> () where N % 2 == 0 { let y[i] = X[i] + Z[i] }\n",
                 "op t[N](X: f32[N], Z: f32[2 * (N / 2)]) -> () where N % 2 == 0 {\n"
                 "  let y[i in 0..N] = X[i] + Z[i]\n}\n");
}

/* ---- consts given from outside ---- */
static TeOp *with_consts(Arena *mem, const char *text, int n, const FeConst *given, Diags *d)
{
    Source *src = NEW(mem, Source);
    *src = source(mem, "test.te", text);
    AstFile *f = fe_parse(mem, src, d);
    return fe_check(mem, f, f->item[0].op, n, given, d);
}

static void consts(void)
{
    static const char text[] =
        "op t[N; a: i32, b: u1 = true, c: f16 = 0.1, d: i8 = -128, e: f64 = -inf, g: u64 = 1](X: f32[N+a]) -> () {}";
    Arena *mem = arena_new();
    Diags d = {.mem = mem};
    FeConst given[] = {{"a", "5"}, {"b", "0"}, {"c", "1e-3"}, {"d", "127"}, {"g", "18446744073709551615"}};
    TeOp *op = with_consts(mem, text, 5, given, &d);
    show(mem, &d);
    if (CHECK(op != NULL)) {
        CHECK_STR(print(mem, op), "op t[N; a: i32 = 5, b: u1 = false, c: f16 = 0.001, d: i8 = 127, e: f64 = -inf, "
                                  "g: u64 = 18446744073709551615](X: f32[N + a]) -> () {\n}\n");
        CHECK(op->cst[0].overridden && !op->cst[0].has_default && !op->cst[4].overridden);
        CHECK(op->cst[5].value->i == -1);
        int64_t v, sizes[] = {7};
        CHECK(!te_eval_size(op, op->tensor[0]->shape[0], &v));
        CHECK(te_eval_size_at(op, op->tensor[0]->shape[0], sizes, &v) && v == 12);
        TeOp *bound = te_bind(mem, op, (int64_t[]){9});
        CHECK(te_eval_size(bound, op->tensor[0]->shape[0], &v) && v == 14);
        check_round_trip(mem, op);
    }
    static const char *const wrong[][2] = {
        {"a", "2147483648"}, {"a", "1.0"},   {"a", ""},   {"a", "-"},   {"a", "0x10"}, {"a", "1 "},
        {"b", "yes"},        {"c", "70000"}, {"c", "1e"}, {"d", "128"}, {"g", "-1"},   {"g", "18446744073709551616"},
        {"nope", "1"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Diags e = {.mem = mem};
        FeConst one[] = {{"a", "1"}, {wrong[i][0], wrong[i][1]}};
        CHECK(!with_consts(mem, text, 2, one, &e) && e.errors == 1);
    }
    arena_free(mem);
}

/* ---- literals are rounded once ---- */
static void check_literal(const char *type, const char *literal, double want)
{
    Arena *mem = arena_new();
    Diags d = {.mem = mem};
    TeOp *op = check_last(mem, arena_printf(mem, "op t[](X: %s) -> () { let y = X + %s }", type, literal), &d);
    show(mem, &d);
    if (CHECK(op != NULL) && !CHECK(op->def[0]->rhs->arg[1]->f == want))
        printf("%s beside %s: %.17g\n", literal, type, op->def[0]->rhs->arg[1]->f);
    arena_free(mem);
}

static void rounding(void)
{
    check_literal("f64", "0.1", 0.1);
    check_literal("f32", "0.1", (double)0.1f);
    check_literal("f16", "1.00048828125", 1.0);                            /* a tie, to even */
    check_literal("f16", "1.00048828125000000000000000001", 1.0009765625); /* above it; not as a double */
    check_literal("f32", "1.00000005960464477539062500000000001", 1.00000011920928955078125);
    check_literal("f32", "1.000000059604644775390625", 1.0);
    check_literal("bf16", "16777217", 16777216);
    check_literal("f32", "16777217", 16777216);
    check_literal("f32", "16777219", 16777220);
    check_literal("f32", "1e-50", 0);
    check_literal("f64", "18446744073709551615", 18446744073709551616.0);
    check_literal("f8e4m3", "448", 448);
    check_literal("f16", "65504", 65504);
}

/* ---- what is an fma, names of definitions, reads ---- */
static const Expr *rhs_of(Arena *mem, const char *text, int def)
{
    Diags d = {.mem = mem};
    TeOp *op = check_last(mem, text, &d);
    show(mem, &d);
    return CHECK(op && op->ndefs > def) ? op->def[def]->rhs : NULL;
}

static void check_fma(const char *body, bool want)
{
    Arena *mem = arena_new();
    const Expr *e = rhs_of(mem,
                           arena_printf(mem,
                                        "fn sq(x) = x * x\nop t[N](X: f32[N]) -> () { let p[i] = X[i] * X[i]\n"
                                        "let y = sum{k}(%s) }",
                                        body),
                           1);
    if (e && !CHECK(e->op == EX_REDUCE && e->red->fma == want)) printf("%s\n", body);
    arena_free(mem);
}

static void products(void)
{
    check_fma("X[k] * X[k]", true);
    check_fma("((X[k] * 2))", true);
    check_fma("X[k] * X[k] * X[k]", true);
    check_fma("X[k] / 2 * 3", true);
    check_fma("sq(X[k])", false);
    check_fma("p[k]", false);
    check_fma("f32(X[k] * X[k])", false);
    check_fma("-(X[k] * X[k])", false);
    check_fma("k > 0 ? X[k] * X[k] : 0", false);
    check_fma("X[k] * X[k] + 0", false);
}

static void arguments_are_shared(void)
{
    Arena *mem = arena_new();
    const Expr *e = rhs_of(mem, "fn sq(x) = x * x\nop t[N](X: f32[N]) -> () { let y[i] = sq(exp(X[i])) }", 0);
    if (e) CHECK(e->op == EX_MUL && e->arg[0] == e->arg[1]);
    e = rhs_of(mem, "fn two(x) = f32(x) + x\nop t[N](X: f32[N]) -> () { let y[i] = two(1) * X[i] }", 0);
    if (e) CHECK(e->arg[0]->arg[0]->op == EX_CAST && e->arg[0]->arg[1]->type == DT_F32);
    arena_free(mem);
}

static void inouts(void)
{
    Arena *mem = arena_new();
    Diags d = {.mem = mem};
    TeOp *op = check_last(mem,
                          "op t[N](inout w: f32[N], inout s: f32) -> () { w[i] = w[i] + s\ns = s + sum{i}(w[i])\n"
                          "w[i] = w[N-1-i]\nw[t] = w[t] + w[t-1 | 0] + w[t+1 | 0] seq t }",
                          &d);
    show(mem, &d);
    if (CHECK(op && op->ndefs == 4)) {
        CHECK_STR(op->def[0]->name, "w");
        CHECK_STR(op->def[2]->name, "w'2");
        CHECK_STR(op->def[3]->name, "w'3");
        check_round_trip(mem, op);
    }
    arena_free(mem);
}

static void topk(void)
{
    check_prints(
        "op t[N,E](X: f32[N,E]) -> (p: f32[N,2], q: i32[N,2]) { p[i,s], q[i,s] = topk{e -> s in 0..2}(X[i,e]) }",
        "op t[N, E](X: f32[N,E]) -> (p: f32[N,2], q: i32[N,2]) {\n"
        "  p[i,s], q[i,s] = topk{e in 0..E -> s in 0..2}(X[i,e])\n}\n");
    Arena *mem = arena_new();
    Diags d = {.mem = mem};
    TeOp *op = check_last(mem, "op t[E](X: f32[E]) -> () { let v[s], w[s] = topk{e -> s in 0..2}(X[e]) }", &d);
    if (CHECK(op && op->nchecks == 1 && op->nwhere == 0)) { /* E may be 1 */
        int64_t v, one[] = {1}, two[] = {2};
        CHECK(te_eval_size_at(op, op->check[0].cond, one, &v) && v == 0);
        CHECK(te_eval_size_at(op, op->check[0].cond, two, &v) && v == 1);
        CHECK(op->def[0]->nout == 2 && op->def[0]->slot_at == 0 && op->def[0]->out[1]->type == DT_I32);
    }
    op = check_last(mem, "op t[E in 2..9](X: f32[E]) -> () { let v[s], w[s] = topk{e -> s in 0..2}(X[e]) }", &d);
    CHECK(op && op->nchecks == 0);
    op = check_last(mem, "op t[E,K](X: f32[E]) -> () where K <= E { let v[s], w[s] = topk{e -> s in 0..K}(X[e]) }", &d);
    CHECK(op && op->nchecks == 1 && op->nwhere == 1);
    op = check_last(mem, "op t[E](X: f32[E]) -> () { let v[s], w[s] = topk{e -> s in 0..9 if X[e] > 0}(X[e]) }", &d);
    CHECK(op && op->nchecks == 0);
    show(mem, &d);
    arena_free(mem);
}

/* ---- sizes, substitution ---- */
static void check_size(const char *shape, int64_t n, bool known, int64_t want)
{
    Arena *mem = arena_new();
    Diags d = {.mem = mem};
    TeOp *op = check_last(mem, arena_printf(mem, "op t[N in 0..9223372036854775807](X: f32[%s]) -> () {}", shape), &d);
    int64_t v = 0;
    if (CHECK(op != NULL) &&
        !CHECK(te_eval_size_at(op, op->tensor[0]->shape[0], &n, &v) == known && (!known || v == want)))
        printf("%s at %lld: %lld\n", shape, (long long)n, (long long)v);
    arena_free(mem);
}

static void sizes(void)
{
    check_size("(N - 7) / 2", 4, true, -2);
    check_size("(N - 7) % 2", 4, true, 1);
    check_size("N / (3 - N)", 3, false, 0);
    check_size("N * N", INT64_C(4294967296), false, 0);
    check_size("N + 1", INT64_MAX, false, 0);
    check_size("-N - 2", INT64_MAX, false, 0);
    check_size("(-N - 1) / -1", INT64_MAX, false, 0);
    check_size("clamp(N, 2, 5) + min(N, 3) * max(N, 4) + abs(-N)", 6, true, 5 + 18 + 6);
    check_size("N > 3 && 6 / N == 1 ? N : 1", 0, true, 1);
    check_size("i32(N)", INT64_C(4294967297), true, 1);
}

static void substitution(void)
{
    Arena *mem = arena_new();
    Diags d = {.mem = mem};
    TeOp *op = check_last(mem,
                          "fn sq(x) = x * x\nop t[N](X: f32[N]) -> (Y: f32[N]) {"
                          " Y[i] = sq(X[i]) + sum{k in 0..i}(X[k] * X[i] + sum{j}(X[j])) }",
                          &d);
    show(mem, &d);
    if (CHECK(op != NULL)) {
        Def *def = op->def[0];
        Expr *to = te_int(op, DT_INDEX, 3, def->span), *e = te_substitute(op, def->rhs, 1, def->ix, &to);
        Text t = {.mem = mem};
        te_print_expr(&t, op, e);
        CHECK_STR(t.s, "X[3] * X[3] + sum{k in 0..3}(X[k] * X[3] + sum{j in 0..N}(X[j]))");
        CHECK(e->arg[0]->arg[0] == e->arg[0]->arg[1]);                  /* what was shared is */
        CHECK(e->arg[1]->red->var[0] != def->rhs->arg[1]->red->var[0]); /* a variable is bound once */
        CHECK(e->arg[1]->red->body->arg[1] == def->rhs->arg[1]->red->body->arg[1]);
        CHECK(te_uses_var(def->rhs, def->ix[0]) && !te_uses_var(e, def->ix[0]));
        CHECK(te_has_load(e) && te_has_reduce(e) && !te_has_load(to));
        CHECK(te_substitute(op, to, 1, def->ix, &to) == to);
    }
    arena_free(mem);
}

/* ---- large programs ---- */
static void repeat(Text *t, const char *s, int n)
{
    for (int i = 0; i < n; i++) text_add(t, s);
}

static void large(void)
{
    Arena *mem = arena_new();
    Text deep = {.mem = mem}, chain = {.mem = mem}, many = {.mem = mem}, wrong = {.mem = mem};
    text_add(&deep, "op t[](X: f32) -> () { let y = ");
    repeat(&deep, "-(", 250);
    text_add(&deep, "X");
    repeat(&deep, ")", 250);
    text_add(&deep, "}");
    text_add(&chain, "op t[](X: f32) -> () { let y = X");
    repeat(&chain, " + X", 1900);
    text_add(&chain, "}");
    text_add(&many, "op t[N](X: f32[N]) -> () {\n  let a0[i] = X[i]\n");
    text_add(&wrong, "op t[N](X: f32[N]) -> () {\n");
    for (int i = 1; i < 4096; i++) {
        text_printf(&many, "  let a%d[i] = a%d[i] * 2 + sum{k}(X[k])\n", i, i - 1);
        text_printf(&wrong, "  let a%d[i] = X[i] * b%d\n", i, i);
    }
    text_add(&many, "}");
    text_add(&wrong, "}");
    const char *const fine[] = {deep.s, chain.s, many.s};
    for (int i = 0; i < 3; i++) {
        Diags d = {.mem = mem};
        TeOp *op = check_last(mem, fine[i], &d);
        show(mem, &d);
        CHECK(op && !te_verify(mem, op));
        if (op && i < 2) check_round_trip(mem, op);
    }
    Diags d = {.mem = mem};
    CHECK(!check_last(mem, wrong.s, &d) && d.errors >= 20);
    arena_free(mem);
}

int main(void)
{
    check_example(TCC_SOURCE_DIR "/examples/matmul.te", 1);
    check_example(TCC_SOURCE_DIR "/examples/ops.te", 15);
    literals();
    index_types();
    structure();
    fns();
    domains();
    consts();
    rounding();
    products();
    arguments_are_shared();
    inouts();
    topk();
    sizes();
    substitution();
    large();
    return check_done();
}
