/* test_g9_product: sums of products by tiles on a checked device, bit for bit the interpreter's under `ordered`: all types, all ways in which operands can lie, sizes that fill tiles and that do not, with batches and with what follows the
 * sum. That the matrix unit is used for 16-bit types is seen in the code. */
#include "tests/unit/check.h"

#include "include/tensorcc.h"

#include <stdlib.h>

typedef struct Case {
    const char *text;  /* T: the type */
    int64_t m, n, k;
    bool mma; /* expected on the matrix unit */
} Case;

#define NN "op p[M, N, K](A: T[M,K], B: T[K,N]) -> (C: f32[M,N]) { C[i,j] = sum{k}(f32(A[i,k]) * f32(B[k,j])) }"
#define NT "op p[M, N, K](A: T[M,K], B: T[N,K]) -> (C: f32[M,N]) { C[i,j] = sum{k}(f32(A[i,k]) * f32(B[j,k])) }"
#define TN "op p[M, N, K](A: T[K,M], B: T[K,N]) -> (C: f32[M,N]) { C[i,j] = sum{k}(f32(A[k,i]) * f32(B[k,j])) }"
#define TT "op p[M, N, K](A: T[K,M], B: T[N,K]) -> (C: f32[N,M]) { C[j,i] = sum{k}(f32(A[k,i]) * f32(B[j,k])) }"
#define BATCH                                                                                                          \
    "op p[M, N, K](A: T[6,M,K], B: T[3,K,N]) -> (C: f32[6,M,N]) {\n"                                                   \
    "  C[b,i,j] = sum{k}(f32(A[b,i,k]) * f32(B[b/2,k,j])) }"
#define AFTER                                                                                                          \
    "op p[M, N, K](A: T[M,K], B: T[K,N], v: f32[N]) -> (C: T[M,N]) {\n"                                                \
    "  C[i,j] = T(max(sum{k}(f32(A[i,k]) * f32(B[k,j])) * 0.5 + v[j], 0.0)) }"

static const Case cases[] = {
    {NN, 128, 128, 64, true},  {NN, 33, 40, 200, true},  {NN, 5, 8, 8, true},     {NT, 70, 61, 96, true},
    {NT, 128, 32, 32, true},   {TN, 72, 88, 45, true},   {TN, 64, 64, 256, true}, {TT, 40, 37, 64, true},
    {BATCH, 48, 56, 40, true}, {AFTER, 65, 72, 80, true}, {NN, 16, 15, 16, false}, {NT, 16, 16, 20, false},
};

static char *of_type(const char *text, const char *type)
{
    char *out = calloc(1, 4 * strlen(text) + 1), *to = out;
    for (const char *s = text; *s; s++) {
        bool name = s[0] == 'T' && (s[1] == '[' || s[1] == '(');
        if (name)
            to += sprintf(to, "%s", type);
        else
            *to++ = *s;
    }
    return out;
}

typedef struct Args {
    int n;
    tensorcc_tensor t[4];
    int64_t shape[4][3], bytes[4];
} Args;

static bool make_args(tensorcc_context *c, tensorcc_kernel *k, const int64_t *sizes, Args *a)
{
    a->n = tensorcc_kernel_params(k);
    for (int i = 0; i < a->n; i++) {
        tensorcc_param is = {.struct_size = sizeof is};
        if (tensorcc_kernel_param(k, i, &is) || tensorcc_kernel_shape(k, i, sizes, a->shape[i]) ||
            tensorcc_kernel_bytes(k, i, sizes, &a->bytes[i]))
            return false;
        a->t[i] = (tensorcc_tensor){.data = calloc(1, (size_t)a->bytes[i] + 8),
                                    .device = {1, 0},
                                    .ndim = is.rank,
                                    .dtype = {is.dl_code, is.dl_bits, 1},
                                    .shape = a->shape[i]};
        int64_t n = is.kind == TENSORCC_OUTPUT ? 0 : a->bytes[i] * 8 / is.dl_bits;
        for (int64_t e = 0; e < n; e++) {
            double x = (double)((e * 7919 + i * 104729) % 2003 - 1001) / 977.0;
            if (tensorcc_encode(c, is.dtype, &x, a->t[i].data, e, 1)) return false;
        }
    }
    return true;
}

static bool run(tensorcc_module *m, const Case *x, const char *target, unsigned flags, Args *a, tensorcc_context *c,
                bool *mma)
{
    char text[3][24];
    const int64_t sizes[] = {x->m, x->n, x->k};
    const char *names[] = {"M", "N", "K"};
    tensorcc_value dims[3];
    for (int i = 0; i < 3; i++) {
        snprintf(text[i], sizeof text[i], "%lld", (long long)sizes[i]);
        dims[i] = (tensorcc_value){names[i], text[i]};
    }
    tensorcc_compile_options o = {.struct_size = sizeof o,
                                  .target = target,
                                  .numerics = "ordered",
                                  .flags = flags,
                                  .ndims = 3,
                                  .dims = dims};
    tensorcc_kernel *k = NULL;
    tensorcc_blob *b = NULL;
    const tensorcc_tensor *args[4];
    bool ok = !tensorcc_compile(m, &o, &k) && make_args(c, k, sizes, a);
    for (int i = 0; i < a->n; i++) args[i] = &a->t[i];
    ok = ok && !tensorcc_run(k, a->n, args);
    if (ok && mma && !tensorcc_emit(k, "g9asm", &b)) *mma = strstr(tensorcc_blob_data(b), "mma.m16n8k16") != NULL;
    if (!ok) printf("%s: %s\n", target, tensorcc_message(c));
    tensorcc_blob_free(b);
    tensorcc_kernel_free(k);
    return ok;
}

static void try(tensorcc_context *c, const Case *x, const char *type, const char *target)
{
    char *text = of_type(x->text, type);
    tensorcc_module *m = NULL;
    Args want = {0}, got = {0};
    bool mma = false, bf16 = !strcmp(type, "bf16"), f32 = !strcmp(type, "f32");
    if (CHECK(!tensorcc_parse(c, "p.te", text, strlen(text), &m)) &&
        CHECK(run(m, x, "interp", 0, &want, c, NULL) && run(m, x, target, TENSORCC_CHECKED, &got, c, &mma))) {
        int last = got.n - 1;
        CHECK(!memcmp(got.t[last].data, want.t[last].data, (size_t)want.bytes[last]));
        CHECK(mma == (x->mma && !f32 && !(bf16 && x->k % 32)));
    }
    for (int i = 0; i < 4; i++) free(want.t[i].data), free(got.t[i].data);
    tensorcc_module_free(m);
    free(text);
}

int main(void)
{
    tensorcc_context *c;
    tensorcc_context_options o = {.struct_size = sizeof o};
    CHECK(tensorcc_open(&o, &c) == TENSORCC_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        try(c, &cases[i], "f16", "gpgpu");
        try(c, &cases[i], "f32", "gpgpu");
        try(c, &cases[i], "bf16", i % 2 ? "gpgpu:h100" : "gpgpu:a100");
    }
    tensorcc_close(c);
    return check_done();
}
