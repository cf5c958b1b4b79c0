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
    LET("let y[i] = H[i,0] * 0.1", "let y[i in 0..N] = H[i,0] * 0.099975586");
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

int main(void)
{
    check_example(TCC_SOURCE_DIR "/examples/matmul.te", 1);
    check_example(TCC_SOURCE_DIR "/examples/ops.te", 15);
    literals();
    index_types();
    structure();
    fns();
    domains();
    return check_done();
}
