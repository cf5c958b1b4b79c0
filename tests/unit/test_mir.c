/* test_mir: machine-level IR: its text reads back to the same text, before and after registers are allocated; what is
 * broken is found; formulas. */
#include "tests/unit/check.h"

#include "codegen/codegen.h"
#include "codegen/g9/mir.h"
#include "include/tensorcc.h"

#include <stdlib.h>

static const char *const programs[] = {
    "op axpy[N](a: f32, x: f32[N], y: f32[N]) -> (z: f32[N]) { z[i] = a * x[i] + y[i] }",
    "op mm[M, N, K](A: f16[M,K], B: f16[K,N]) -> (C: f32[M,N]) { C[i,j] = sum{k}(f32(A[i,k]) * f32(B[k,j])) }",
    "op soft[M, N](X: f32[M,N]) -> (Y: f32[M,N]) { let m[i] = max{j}(X[i,j])\n"
    "  let z[i] = sum{j}(exp(X[i,j] - m[i]))\n"
    "  Y[i,j] = exp(X[i,j] - m[i]) / z[i] }",
    "op pick[N, M](id: i32[M], x: f64[N]) -> (y: f64[M], q: i4[M]) { y[i] = x[id[i]]\n  q[i] = i4(id[i] / id[i]) }",
    "op top[N, M](x: bf16[M,N]) -> (v: bf16[M,3], w: i32[M,3]) { v[i,s], w[i,s] = topk{j -> s in 0..3}(x[i,j]) }",
};

static char *mir_of(tensorcc_context *c, const char *text)
{
    tensorcc_module *m = NULL;
    tensorcc_kernel *k = NULL;
    tensorcc_blob *b = NULL;
    tensorcc_compile_options o = {.struct_size = sizeof o, .target = "gpgpu"};
    bool ok = !tensorcc_parse(c, "p.te", text, strlen(text), &m) && !tensorcc_compile(m, &o, &k) &&
              !tensorcc_emit(k, "mir", &b);
    char *copy = ok ? strdup(tensorcc_blob_data(b)) : NULL;
    tensorcc_blob_free(b);
    tensorcc_kernel_free(k);
    tensorcc_module_free(m);
    return copy;
}

static const char *printed(Arena *mem, const MKernel *k)
{
    Text t = {.mem = mem};
    text_add(&t, "");
    mir_print(&t, k);
    return t.s;
}

static void reads_back(Arena *mem, const char *text)
{
    const char *why = "";
    MKernel *k = mir_parse(mem, text, &why);
    if (!k) fprintf(stderr, "%s\n%s\n", why, text);
    CHECK(k != NULL);
    if (!k) return;
    CHECK(strcmp(printed(mem, k), text) == 0);
    const char *broken = mir_verify(mem, k);
    if (broken) fprintf(stderr, "%s\n", broken);
    CHECK(!broken);
    CHECK(mir_allocate(k, 255));
    const char *after = arena_strdup(mem, printed(mem, k));
    MKernel *again = mir_parse(mem, after, &why);
    CHECK(again && strcmp(printed(mem, again), after) == 0);
}

/* Few registers: everything spills, and what comes out still holds together. */
static void spills(Arena *mem, const char *text)
{
    const char *why;
    MKernel *k = mir_parse(mem, text, &why);
    CHECK(k && mir_allocate(k, 14));
    for (int i = 0; k && i < k->layout.n; i++)
        for (int j = 0; j < k->layout.at[i]->in.n; j++) {
            const MInst *in = &k->layout.at[i]->in.at[j];
            for (const IsaOperand *o = isa_row[in->i.op].operand; o->kind; o++)
                CHECK(in->r[o->slot < IS_SLOTS ? o->slot : 0] < 14);
        }
}

static void round_trips(tensorcc_context *c)
{
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        char *all = mir_of(c, programs[i]);
        if (!CHECK(all != NULL)) printf("%s\n%s\n", programs[i], tensorcc_message(c));
        if (!all) continue;
        for (char *at = all; *at;) {
            char *end = strstr(at, "\n}\n") + 3;
            Arena *mem = arena_new();
            char *one = arena_strndup(mem, at, (size_t)(end - at));
            reads_back(mem, one);
            spills(mem, one);
            arena_free(mem);
            at = end;
        }
        free(all);
    }
}

static void refused(Arena *mem, const char *body, const char *says)
{
    const char *why = "";
    char *text = arena_printf(mem, "kernel k block 32 local 0 shared 0 {\n%s}\n", body);
    MKernel *k = mir_parse(mem, text, &why);
    if (k) why = mir_verify(mem, k);
    CHECK(why && strstr(why, says));
}

static void broken(void)
{
    Arena *mem = arena_new();
    refused(mem, "B0:\n  mov.b32 %0, 0x1\n", "can run past its end");
    refused(mem, "  exit\n", "outside of a block");
    refused(mem, "B0:\n  mov.b64 %0, rz\n  exit\n", "has 1 registers, not 2");
    refused(mem, "B0:\n  bra B7\n", "target that is in no layout");
    refused(mem, "B0:\n  frob %0\n  exit\n", "no such instruction");
    refused(mem, "B0:\n  mov.b32 %0\n  exit\n", "`,` is missing");
    refused(mem, "B0:\n  fadd.f32 %0, %1, %2 %3\n  exit\n", "more than a line");
    refused(mem, "B0:\n  cvt.f32.f32 %0, %1\n  exit\n", "two types");
    arena_free(mem);
}

static void formulas(void)
{
    const int64_t dims[] = {7, 100};
    int64_t v = 0;
    CHECK(cg_g9_formula("$0 $1 * 3 +", 2, dims, &v) && v == 703);
    CHECK(cg_g9_formula("0 $0 - 2 /", 2, dims, &v) && v == -4);
    CHECK(cg_g9_formula("0 $0 - 4 %", 2, dims, &v) && v == 1);
    CHECK(cg_g9_formula("$1 $0 min 9 max", 2, dims, &v) && v == 9);
    CHECK(!cg_g9_formula("$2", 2, dims, &v) && !cg_g9_formula("1 0 /", 2, dims, &v) && !cg_g9_formula("+", 2, dims, &v));
    CHECK(!cg_g9_formula("1 2", 2, dims, &v) && !cg_g9_formula("9223372036854775807 1 +", 2, dims, &v));
}

int main(void)
{
    tensorcc_context *c;
    tensorcc_context_options o = {.struct_size = sizeof o};
    CHECK(tensorcc_open(&o, &c) == TENSORCC_OK);
    round_trips(c);
    tensorcc_close(c);
    broken();
    formulas();
    return check_done();
}
