/* The C API: what goes wrong and how it is told, sizes, tensors of every layout, emitted artifacts. */
#define _GNU_SOURCE
#include "tests/unit/api_run.h"

#include <math.h>
#include <stdint.h>
#include <unistd.h>

static const char matmul[] =
    "# C = A B\n"
    "op matmul[M = 8, N = 8, K in 0..4096 ~ {16,64}](A: f32[M,K], B: f32[K,N]) -> (C: f32[M,N]) {\n"
    "  C[i,j] = sum{k}(A[i,k] * B[k,j])\n}\n";
static const char add[] = "op add[N in 0..1000000](A: f32[N], B: f32[N]) -> (C: f32[N]) { C[i] = A[i] + B[i] }\n";
static const char both[] = "cpu\0interp\0"; /* targets */
#define EACH_TARGET(t) for (const char *t = both; *t; t += strlen(t) + 1)

/* ---- errors --------------------------------------------------------------------------------------------------------
 */

static void test_usage(void)
{
    tensorcc_context *c = NULL;
    tensorcc_module *m = NULL;
    tensorcc_kernel *k = NULL;
    CHECK(tensorcc_open(NULL, NULL) == TENSORCC_E_USAGE);
    CHECK(tensorcc_open(NULL, &c) == TENSORCC_OK && c);
    CHECK(tensorcc_parse(c, "x", NULL, 3, &m) == TENSORCC_E_USAGE && !m);
    CHECK(strstr(tensorcc_message(c), "tensorcc_parse") != NULL);
    CHECK(tensorcc_parse(c, "x", "", 0, NULL) == TENSORCC_E_USAGE && strstr(tensorcc_message(c), "out"));
    double one = 1;
    CHECK(tensorcc_encode(c, "f32", &one, &one, -1, 1) == TENSORCC_E_USAGE);
    CHECK(tensorcc_encode(c, "f32", &one, &one, 0, -1) == TENSORCC_E_USAGE);
    CHECK(tensorcc_decode(c, "f32", &one, -1, 1, &one) == TENSORCC_E_USAGE);
    CHECK(tensorcc_parse(NULL, "x", "", 0, &m) == TENSORCC_E_USAGE);
    CHECK(tensorcc_compile(NULL, NULL, &k) == TENSORCC_E_USAGE);
    CHECK(tensorcc_run(NULL, 0, NULL) == TENSORCC_E_USAGE);
    tensorcc_module_free(NULL);
    tensorcc_kernel_free(NULL);
    tensorcc_blob_free(NULL);
    tensorcc_close(NULL);
    tensorcc_close(c);
    tensorcc_pool broken = {.threads = 2};
    tensorcc_context_options o = {.struct_size = sizeof o, .pool = &broken};
    CHECK(tensorcc_open(&o, &c) == TENSORCC_E_USAGE && c);
    CHECK(strlen(tensorcc_message(c)) > 0);
    tensorcc_close(c);
}

static void test_parse_errors(void)
{
    Seen s = {0};
    tensorcc_context *c = open_context(&s, 1);
    CHECK(parse(c, "op f[(\n") == NULL);
    CHECK(s.errors >= 1 && s.line == 1 && s.column > 1 && *s.code == 'F');
    CHECK(strstr(tensorcc_message(c), "test.te:1:") != NULL);
    /* no op to compile; which one of two; no such one */
    struct {
        const char *text, *op, *code, *says;
    } bad[] = {{"", NULL, "R001", "no op"},
               {"fn f(x) = x\n", NULL, "R001", "no op"},
               {"op a[](x: f32)->(y: f32){ y = x }\nop b[](x: f32)->(y: f32){ y = x }\n", NULL, "R002", "2 ops"},
               {"op alpha[](x: f32)->(y: f32){ y = x }\n", "alhpa", "R003", "alhpa"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s = (Seen){0};
        tensorcc_kernel *k = NULL;
        tensorcc_module *m = parse(c, bad[i].text);
        if (!CHECK(m != NULL)) continue;
        CHECK(compile_with(m, bad[i].op, NULL, NULL, NULL, 0, &k) == TENSORCC_E_INPUT && !k);
        CHECK_STR(s.code, bad[i].code);
        CHECK(strstr(s.message, bad[i].says) != NULL);
        CHECK(i < 2 || s.notes > 0);
        tensorcc_module_free(m);
    }
    tensorcc_close(c);
}

static void test_compile_errors(void)
{
    Seen s = {0};
    tensorcc_context *c = open_context(&s, 1);
    const char text[] =
        "op f[Rows = 4 in 1..8, N; G: i32 = 2](X: f32[Rows,N]) -> (Y: f32[Rows,N/G]) where N % G == 0 {\n"
        "  Y[i,j] = X[i,j]\n}\n";
    tensorcc_module *m = parse(c, text);
    struct {
        const char *target, *dims, *consts;
        tensorcc_status status;
        const char *code, *says, *note;
    } bad[] = {{NULL, "Rosw=4", NULL, TENSORCC_E_INPUT, "R004", "Rosw", "`Rows`"},
               {NULL, "G=4", NULL, TENSORCC_E_INPUT, "R004", "G", "--const G"},
               {NULL, NULL, "H=4", TENSORCC_E_INPUT, "R005", "H", "G"},
               {NULL, NULL, "N=4", TENSORCC_E_INPUT, "R005", "N", "--dim N"},
               {NULL, "Rows=9", NULL, TENSORCC_E_INPUT, "R007", "1..8", "range"},
               {NULL, "Rows=0", NULL, TENSORCC_E_INPUT, "R007", "1..8", "range"},
               {NULL, "Rows=99999999999999999999", NULL, TENSORCC_E_INPUT, "R043", "99999999999999999999", NULL},
               {NULL, "Rows=four", NULL, TENSORCC_E_INPUT, "R006", "four", "whole number"},
               {NULL, "Rows=4 Rows=5", NULL, TENSORCC_E_INPUT, "R012", "twice", NULL},
               {NULL, "N=7", NULL, TENSORCC_E_INPUT, "R008", "N = 7", NULL},
               {NULL, "N=8", "G=3", TENSORCC_E_INPUT, "R008", "N = 8", NULL},
               {"gpu", NULL, NULL, TENSORCC_E_USAGE, "R009", "gpu", "targets"},
               {"cpu:nothing", NULL, NULL, TENSORCC_E_USAGE, "R009", "cpu:nothing", "targets"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s = (Seen){0};
        tensorcc_kernel *k = NULL;
        CHECK(compile_with(m, NULL, bad[i].target, bad[i].dims, bad[i].consts, 0, &k) == bad[i].status && !k);
        CHECK_STR(s.code, bad[i].code);
        CHECK(strstr(s.message, bad[i].says) != NULL);
        CHECK(!bad[i].note || strstr(s.notes_text, bad[i].note) != NULL);
    }
    tensorcc_kernel *k = NULL;
    tensorcc_compile_options o = {.struct_size = sizeof o, .schedule = "fastest"};
    CHECK(tensorcc_compile(m, &o, &k) == TENSORCC_E_USAGE);
    o = (tensorcc_compile_options){.struct_size = sizeof o, .numerics = "ordered:0"};
    CHECK(tensorcc_compile(m, &o, &k) == TENSORCC_E_USAGE);
    o = (tensorcc_compile_options){.struct_size = sizeof o, .flags = 1u << 30};
    CHECK(tensorcc_compile(m, &o, &k) == TENSORCC_E_USAGE);
    o = (tensorcc_compile_options){.struct_size = sizeof o, .threads = -1};
    CHECK(tensorcc_compile(m, &o, &k) == TENSORCC_E_USAGE);
    o = (tensorcc_compile_options){.op = "f"};
    CHECK(tensorcc_compile(m, &o, &k) == TENSORCC_E_USAGE);
    /* A struct of an older caller: only its first fields are looked at. */
    o = (tensorcc_compile_options){.struct_size = offsetof(tensorcc_compile_options, target), .target = "gpu"};
    CHECK(tensorcc_compile(m, &o, &k) == TENSORCC_OK);
    tensorcc_kernel_free(k);
    tensorcc_module_free(m);
    tensorcc_close(c);
}

/* ---- what a kernel says of itself ----------------------------------------------------------------------------------
 */

static void test_params(void)
{
    tensorcc_context *c = open_context(NULL, 1);
    tensorcc_module *m = parse(c, matmul);
    CHECK(tensorcc_module_ops(m) == 1);
    CHECK_STR(tensorcc_module_op(m, 0), "matmul");
    CHECK_STR(tensorcc_module_dim(m, 0, 2), "K");
    CHECK(!tensorcc_module_dim(m, 0, 3) && !tensorcc_module_op(m, 1));
    tensorcc_kernel *k = NULL;
    CHECK(compile_with(m, "matmul", NULL, "M=3 N=?", NULL, 0, &k) == TENSORCC_OK);
    CHECK(tensorcc_kernel_params(k) == 3 && tensorcc_kernel_dims(k) == 3);
    tensorcc_param p = {.struct_size = sizeof p};
    CHECK(tensorcc_kernel_param(k, 2, &p) == TENSORCC_OK);
    CHECK_STR(p.name, "C");
    CHECK_STR(p.dtype, "f32");
    CHECK_STR(p.npy, "<f4");
    CHECK_STR(p.shape, "[M,N]");
    CHECK(p.kind == TENSORCC_OUTPUT && p.rank == 2 && !p.scalar && p.dl_code == 2 && p.dl_bits == 32);
    CHECK(tensorcc_kernel_param(k, 3, &p) == TENSORCC_E_USAGE);
    int64_t v = 0, hint[4] = {0};
    tensorcc_kernel_dim(k, 0, &v);
    CHECK(v == 3);
    tensorcc_kernel_dim(k, 1, &v);
    CHECK(v == -1 && tensorcc_kernel_default(k, 1) == 8);
    CHECK(tensorcc_kernel_default(k, 2) == -1);
    CHECK(tensorcc_kernel_hints(k, 2, hint, 4) == 2 && hint[0] == 16 && hint[1] == 64);
    tensorcc_kernel_info info = {.struct_size = sizeof info};
    CHECK(tensorcc_kernel_describe(k, &info) == TENSORCC_OK);
    CHECK_STR(info.op, "matmul");
    CHECK_STR(info.target, "cpu");
    CHECK_STR(info.schedule, "default");
    CHECK_STR(info.numerics, "fast");
    CHECK(info.compile_ms > 0);
    tensorcc_kernel_free(k);
    tensorcc_module_free(m);
    tensorcc_close(c);
}

static void test_infer(void)
{
    Seen s = {0};
    tensorcc_context *c = open_context(&s, 1);
    tensorcc_kernel *k =
        compile(c,
                "op f[N,H in 0..99,P; st: i32 = 2](X: f32[N,2*H+1], Z: f32[N]) -> (Y: f32[N,(P-1)/st+1]) {\n"
                "  Y[i,j] = X[i,0] + Z[i]\n}\n",
                "interp", NULL);
    int64_t x[] = {4, 7}, z[] = {4}, y[] = {4, 3}, sizes[] = {-1, -1, -1};
    CHECK(tensorcc_kernel_infer(k, (const int64_t *const[]){x, z, NULL}, sizes) == TENSORCC_OK);
    CHECK(sizes[0] == 4 && sizes[1] == 3 && sizes[2] == -1);
    sizes[2] = 6;
    CHECK(tensorcc_kernel_infer(k, (const int64_t *const[]){x, z, y}, sizes) == TENSORCC_OK);
    int64_t shape[2];
    CHECK(tensorcc_kernel_shape(k, 2, sizes, shape) == TENSORCC_OK && shape[0] == 4 && shape[1] == 3);
    int64_t bytes;
    CHECK(tensorcc_kernel_bytes(k, 0, sizes, &bytes) == TENSORCC_OK && bytes == 4 * 7 * 4);
    /* contradictions name both places */
    s = (Seen){0};
    z[0] = 5;
    int64_t again[] = {-1, -1, -1};
    CHECK(tensorcc_kernel_infer(k, (const int64_t *const[]){x, z, NULL}, again) == TENSORCC_E_INPUT);
    CHECK_STR(s.code, "R017");
    CHECK(strstr(s.message, "`X`") && strstr(s.message, "`Z`"));
    s = (Seen){0};
    z[0] = 4, y[1] = 9;
    CHECK(tensorcc_kernel_infer(k, (const int64_t *const[]){x, z, y}, sizes) == TENSORCC_E_INPUT);
    CHECK_STR(s.code, "R018");
    s = (Seen){0};
    x[1] = 8; /* not 2*H+1 */
    int64_t third[] = {-1, -1, -1};
    CHECK(tensorcc_kernel_infer(k, (const int64_t *const[]){x, z, NULL}, third) == TENSORCC_OK && third[1] == -1);
    x[1] = 1001;
    CHECK(tensorcc_kernel_infer(k, (const int64_t *const[]){x, z, NULL}, third) == TENSORCC_E_INPUT);
    CHECK_STR(s.code, "R007");
    tensorcc_kernel_free(k);
    tensorcc_close(c);
}

static void test_index_bounds(void)
{
    tensorcc_context *c = open_context(NULL, 1);
    tensorcc_kernel *k =
        compile(c,
                "op f[V,D,T](E: f32[V,D], id: i32[T], at: i32[T], n: i32[T]) -> (Y: f32[T], Z: i32[T]) {\n"
                "  let j[t] = at[t]\n"
                "  Y[t] = E[id[t],j[t]]\n"
                "  Z[t] = n[t]\n}\n",
                "interp", NULL);
    int64_t sizes[] = {50, 7, 3}, bound;
    const int64_t want[] = {-1, 50, 7, -1};
    for (int i = 0; i < 4; i++)
        CHECK(tensorcc_kernel_index_bound(k, i, sizes, &bound) == TENSORCC_OK && bound == want[i]);
    tensorcc_kernel_free(k);
    tensorcc_close(c);
}

/* ---- running -------------------------------------------------------------------------------------------------------
 */

static void test_layouts(void)
{
    tensorcc_context *c = open_context(NULL, 2);
    EACH_TARGET(target)
    {
        tensorcc_kernel *k = compile(c, matmul, target, "M=? N=?");
        if (!k) continue;
        enum { M = 5, N = 7, K = 3 };
        float a[M * K * 4], b[K * N * 4], out[M * N * 4], want[M][N];
        for (int i = 0; i < M * K * 4; i++) a[i] = (float)(i % 11) - 5;
        for (int i = 0; i < K * N * 4; i++) b[i] = (float)(i % 7) - 3;
        /* strides of A, B, C and their offsets in elements */
        const struct {
            int64_t a[2], b[2], c[2];
            int oa, ob, oc;
        } layout[] = {{{K, 1}, {N, 1}, {N, 1}, 0, 0, 0},
                      {{1, M}, {N, 1}, {N, 1}, 0, 0, 0},
                      {{K, 1}, {1, K}, {1, M}, 0, 0, 0},
                      {{2 * K, 2}, {2 * N, 1}, {2 * N, 2}, 1, 3, 1},
                      {{-K, 1}, {N, -1}, {N, 1}, K * (M - 1), N - 1, 0},
                      {{0, 1}, {0, 0}, {N, 1}, 0, 0, 0},
                      {{K, 1}, {N, 1}, {-N, -1}, 0, 0, M * N - 1}};
        for (size_t l = 0; l < sizeof layout / sizeof *layout; l++) {
            for (int i = 0; i < M; i++)
                for (int j = 0; j < N; j++) {
                    want[i][j] = 0;
                    for (int x = 0; x < K; x++)
                        want[i][j] += a[layout[l].oa + i * layout[l].a[0] + x * layout[l].a[1]] *
                                      b[layout[l].ob + x * layout[l].b[0] + j * layout[l].b[1]];
                }
            for (int i = 0; i < M * N * 4; i++) out[i] = -999;
            T A, B, C;
            tensor(&A, a, "f32", 2, (int64_t[]){M, K}, layout[l].a)->t.byte_offset = 4 * (uint64_t)layout[l].oa;
            tensor(&B, b + layout[l].ob, "f32", 2, (int64_t[]){K, N}, layout[l].b);
            tensor(&C, out + layout[l].oc, "f32", 2, (int64_t[]){M, N}, layout[l].c);
            CHECK(RUN(k, &A.t, &B.t, &C.t) == TENSORCC_OK);
            int wrong = 0, touched = 0;
            for (int i = 0; i < M; i++)
                for (int j = 0; j < N; j++)
                    wrong += out[layout[l].oc + i * layout[l].c[0] + j * layout[l].c[1]] != want[i][j];
            for (int i = 0; i < M * N * 4; i++) touched += out[i] != -999;
            CHECK(wrong == 0);
            CHECK(touched == M * N);
        }
        /* nothing to sum over, nothing at all */
        T A, B, C;
        tensor(&A, NULL, "f32", 2, (int64_t[]){M, 0}, NULL);
        tensor(&B, NULL, "f32", 2, (int64_t[]){0, N}, NULL);
        tensor(&C, out, "f32", 2, (int64_t[]){M, N}, NULL);
        out[3] = 5;
        CHECK(RUN(k, &A.t, &B.t, &C.t) == TENSORCC_OK && out[3] == 0);
        tensorcc_kernel_free(k);
    }
    tensorcc_close(c);
}

static void test_refusals(void)
{
    Seen s = {0};
    tensorcc_context *c = open_context(&s, 1);
    tensorcc_kernel *k = compile(c, add, "cpu", NULL);
    float x[64] = {0};
    T A, B, C;
    struct {
        const char *code;
        T a, b, c;
    } bad[] = {
        {"R014",
         *tensor(&A, x, "f64", 1, (int64_t[]){8}, NULL),
         *tensor(&B, x, "f32", 1, (int64_t[]){8}, NULL),
         {.t.ndim = -1}},
        {"R016",
         *tensor(&A, x, "f32", 2, (int64_t[]){8, 1}, NULL),
         *tensor(&B, x, "f32", 1, (int64_t[]){8}, NULL),
         {.t.ndim = -1}},
        {"R017",
         *tensor(&A, x, "f32", 1, (int64_t[]){9}, NULL),
         *tensor(&B, x, "f32", 1, (int64_t[]){8}, NULL),
         {.t.ndim = -1}},
        {"R020",
         *tensor(&A, x, "f32", 1, (int64_t[]){-8}, NULL),
         *tensor(&B, x, "f32", 1, (int64_t[]){8}, NULL),
         {.t.ndim = -1}},
        {"R021",
         *tensor(&A, NULL, "f32", 1, (int64_t[]){8}, NULL),
         *tensor(&B, x, "f32", 1, (int64_t[]){8}, NULL),
         {.t.ndim = -1}},
        {"R022",
         *tensor(&A, x, "f32", 1, (int64_t[]){8}, NULL),
         *tensor(&B, x + 28, "f32", 1, (int64_t[]){8}, NULL),
         {.t.ndim = -1}},
        {"R034",
         *tensor(&A, (char *)x + 1, "f32", 1, (int64_t[]){8}, NULL),
         *tensor(&B, x, "f32", 1, (int64_t[]){8}, NULL),
         {.t.ndim = -1}},
        {"R023", *tensor(&A, x, "f32", 1, (int64_t[]){8}, NULL), *tensor(&B, x, "f32", 1, (int64_t[]){8}, NULL),
         *tensor(&C, x + 32, "f32", 1, (int64_t[]){8}, (int64_t[]){0})},
        {"R037",
         *tensor(&A, x, "f32", 1, (int64_t[]){8}, (int64_t[]){INT64_MAX / 4}),
         *tensor(&B, x, "f32", 1, (int64_t[]){8}, NULL),
         {.t.ndim = -1}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s = (Seen){0};
        if (bad[i].c.t.ndim < 0) tensor(&bad[i].c, x + 32, "f32", 1, (int64_t[]){8}, NULL);
        T *t[3] = {&bad[i].a, &bad[i].b, &bad[i].c};
        for (int j = 0; j < 3; j++) { /* they were copied */
            t[j]->t.shape = t[j]->shape;
            if (t[j]->t.strides) t[j]->t.strides = t[j]->strides;
        }
        CHECK(RUN(k, &t[0]->t, &t[1]->t, &t[2]->t) == TENSORCC_E_INPUT);
        if (!CHECK_STR(s.code, bad[i].code)) printf("case %zu: %s\n", i, s.message);
        CHECK(strlen(tensorcc_message(c)) > 0);
    }
    tensor(&A, x, "f32", 1, (int64_t[]){8}, NULL);
    tensor(&B, x, "f32", 1, (int64_t[]){8}, NULL);
    tensor(&C, x + 32, "f32", 1, (int64_t[]){8}, NULL);
    CHECK(RUN(k, &A.t, &B.t, &C.t) == TENSORCC_OK); /* inputs may share */
    CHECK(RUN(k, &A.t, &B.t) == TENSORCC_E_INPUT);
    A.t.device.type = 2;
    s = (Seen){0};
    CHECK(RUN(k, &A.t, &B.t, &C.t) == TENSORCC_E_INPUT);
    CHECK_STR(s.code, "R015");
    /* interleaved columns do not overlap */
    tensor(&A, x, "f32", 1, (int64_t[]){8}, (int64_t[]){2});
    tensor(&C, x + 1, "f32", 1, (int64_t[]){8}, (int64_t[]){2});
    tensor(&B, x + 32, "f32", 1, (int64_t[]){8}, NULL);
    CHECK(RUN(k, &A.t, &B.t, &C.t) == TENSORCC_OK);
    tensorcc_kernel_free(k);
    tensorcc_close(c);
}

static void test_inout_and_scalars(void)
{
    tensorcc_context *c = open_context(NULL, 2);
    EACH_TARGET(target)
    {
        tensorcc_kernel *k =
            compile(c, "op axpy[N](inout y: f64[N], x: f64[N], a: f64) -> () { y[i] = y[i] + a * x[i] }", target, NULL);
        if (!k) continue;
        double y[100], x[100], a = 3;
        T Y, X, A;
        for (int i = 0; i < 100; i++) y[i] = i, x[i] = 2 * i;
        tensor(&Y, y, "f64", 1, (int64_t[]){100}, NULL);
        tensor(&X, x, "f64", 1, (int64_t[]){100}, NULL);
        CHECK(RUN(k, &Y.t, &X.t, &tensor(&A, &a, "f64", 0, NULL, NULL)->t) == TENSORCC_OK && y[99] == 7 * 99);
        CHECK(RUN(k, &Y.t, &X.t, &tensor(&A, &a, "f64", 1, (int64_t[]){1}, NULL)->t) == TENSORCC_OK &&
              y[99] == 13 * 99);
        tensorcc_kernel_free(k);
    }
    tensorcc_close(c);
}

static void test_nibbles(void)
{
    Seen s = {0};
    tensorcc_context *c = open_context(&s, 2);
    EACH_TARGET(target)
    {
        tensorcc_kernel *k =
            compile(c, "op f[M,N](X: u4[M,N]) -> (Y: u4[M,N], Z: i32[M,N]) { Y[i,j] = X[i,j]  Z[i,j] = i32(X[i,j]) }",
                    target, NULL);
        if (!k) continue;
        /* three rows of 5: 3 bytes each; as a view: 4 bytes each */
        for (int pitch = 3; pitch <= 4; pitch++) {
            uint8_t x[12], y[12];
            int32_t z[15];
            for (int i = 0; i < 12; i++) x[i] = (uint8_t)(17 * i + 3), y[i] = 0xff;
            T X, Y, Z;
            int64_t strides[] = {2 * pitch, 1};
            tensor(&X, x, "u4", 2, (int64_t[]){3, 5}, pitch == 3 ? NULL : strides);
            tensor(&Y, y, "u4", 2, (int64_t[]){3, 5}, pitch == 3 ? NULL : strides);
            tensor(&Z, z, "i32", 2, (int64_t[]){3, 5}, NULL);
            CHECK(RUN(k, &X.t, &Y.t, &Z.t) == TENSORCC_OK);
            int wrong = 0;
            for (int r = 0; r < 3; r++)
                for (int j = 0; j < 5; j++) {
                    int want = x[r * pitch + j / 2] >> (j % 2 * 4) & 15;
                    wrong += z[r * 5 + j] != want || (y[r * pitch + j / 2] >> (j % 2 * 4) & 15) != want;
                }
            CHECK(wrong == 0);
            CHECK(pitch == 3 || y[3] == 0xff);
            s = (Seen){0};
            X.strides[0] = 7, X.strides[1] = 1, X.t.strides = X.strides;
            CHECK(RUN(k, &X.t, &Y.t, &Z.t) == TENSORCC_E_INPUT);
            CHECK_STR(s.code, "R024");
        }
        tensorcc_kernel_free(k);
    }
    tensorcc_close(c);
}

static void test_faults(void)
{
    Seen s = {0};
    tensorcc_context *c = open_context(&s, 2);
    EACH_TARGET(target)
    {
        tensorcc_kernel *k = compile(
            c, "op embed[V,D,T](E: f32[V,D], id: i32[T]) -> (Y: f32[T,D]) { Y[t,d] = E[id[t],d] }", target, NULL);
        if (!k) continue;
        float e[4 * 3] = {0}, y[5 * 3];
        int32_t id[5] = {0, 3, 1, 2, 0};
        T E, I, Y;
        tensor(&E, e, "f32", 2, (int64_t[]){4, 3}, NULL);
        tensor(&I, id, "i32", 1, (int64_t[]){5}, NULL);
        tensor(&Y, y, "f32", 2, (int64_t[]){5, 3}, NULL);
        CHECK(RUN(k, &E.t, &I.t, &Y.t) == TENSORCC_OK);
        const int bad[] = {4, -1, INT32_MAX, INT32_MIN};
        for (int i = 0; i < 4; i++) {
            s = (Seen){0};
            id[3] = bad[i];
            CHECK(RUN(k, &E.t, &I.t, &Y.t) == TENSORCC_E_INPUT);
            CHECK_STR(s.code, "R026");
            char number[32];
            snprintf(number, sizeof number, "%d", bad[i]);
            CHECK(strstr(s.message, "embed") && strstr(s.message, "E[id[t]") && strstr(s.message, number));
            CHECK(s.line == 1 && s.column > 1);
        }
        tensorcc_kernel_free(k);
        k = compile(c, "op q[N](A: i32[N], B: i32[N]) -> (C: i32[N]) { C[i] = A[i] / B[i] }", target, NULL);
        if (!k) continue;
        int32_t a[4] = {7, -7, 7, 7}, b[4] = {2, 2, 0, 1}, q[4];
        T A, B, C;
        tensor(&A, a, "i32", 1, (int64_t[]){4}, NULL);
        tensor(&B, b, "i32", 1, (int64_t[]){4}, NULL);
        tensor(&C, q, "i32", 1, (int64_t[]){4}, NULL);
        s = (Seen){0};
        CHECK(RUN(k, &A.t, &B.t, &C.t) == TENSORCC_E_INPUT);
        CHECK_STR(s.code, "R027");
        b[2] = -3;
        CHECK(RUN(k, &A.t, &B.t, &C.t) == TENSORCC_OK && q[0] == 3 && q[1] == -4 && q[2] == -3 && q[3] == 7);
        tensorcc_kernel_free(k);
    }
    tensorcc_close(c);
}

/* A pool of the caller: serial, and counted. */
static void lent(void *self, int64_t n, tensorcc_task body, void *closure)
{
    ++*(int *)self;
    for (int64_t i = 0; i < n; i++) body(closure, i, i + 1, (int32_t)(i % 3));
}

static void test_lent_pool(void)
{
    int loops = 0;
    tensorcc_pool pool = {&loops, 3, lent};
    tensorcc_context *c = NULL;
    tensorcc_context_options o = {.struct_size = sizeof o, .pool = &pool};
    CHECK(tensorcc_open(&o, &c) == TENSORCC_OK);
    tensorcc_kernel *k = compile(c, matmul, "cpu", "M=128 N=128");
    float *a = calloc(128 * 128 * 3, sizeof *a);
    for (int i = 0; i < 128 * 128 * 2; i++) a[i] = 1;
    T A, B, C;
    int64_t shape[] = {128, 128};
    tensor(&A, a, "f32", 2, shape, NULL);
    tensor(&B, a + 128 * 128, "f32", 2, shape, NULL);
    tensor(&C, a + 2 * 128 * 128, "f32", 2, shape, NULL);
    CHECK(RUN(k, &A.t, &B.t, &C.t) == TENSORCC_OK);
    CHECK(loops > 0 && a[2 * 128 * 128] == 128 && a[3 * 128 * 128 - 1] == 128);
    free(a);
    tensorcc_kernel_free(k);
    tensorcc_close(c);
}

static void test_raw_entry(void)
{
    tensorcc_context *c = open_context(NULL, 2);
    tensorcc_kernel *k = compile(c, matmul, "cpu", "M=16 N=16 K=16"), *slow = compile(c, matmul, "interp", "K=4");
    tensorcc_workspace_fn workspace = NULL;
    tensorcc_kernel_fn run = tensorcc_kernel_entry(k, &workspace);
    CHECK(run && workspace && !tensorcc_kernel_entry(slow, NULL));
    float a[256], b[256], out[256];
    for (int i = 0; i < 256; i++) a[i] = 1, b[i] = 2;
    void *data[] = {a, b, out};
    int64_t sizes[] = {16, 16, 16};
    int64_t bytes = workspace(sizes, 1);
    void *ws = bytes > 0 ? aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64) : NULL;
    tensorcc_fault fault = {0};
    tensorcc_call call = {.data = data, .sizes = sizes, .workspace = ws, .fault = &fault};
    CHECK(bytes >= 0 && run(&call) == TENSORCC_KERNEL_OK && out[0] == 32 && out[255] == 32);
    sizes[1] = 15; /* was fixed to 16 */
    int32_t status = run(&call);
    CHECK(status == TENSORCC_KERNEL_SIZES);
    CHECK(tensorcc_explain_fault(k, status, &fault) == TENSORCC_E_INPUT);
    free(ws);
    tensorcc_kernel_free(k);
    tensorcc_kernel_free(slow);
    tensorcc_close(c);
}

/* ---- check, emit ---------------------------------------------------------------------------------------------------
 */

static void test_check(void)
{
    tensorcc_context *c = open_context(NULL, 1);
    tensorcc_kernel *k = compile(c, add, "cpu", NULL);
    float a[100], b[100], out[100];
    for (int i = 0; i < 100; i++) a[i] = 0.1f * (float)i, b[i] = 1 / (1 + (float)i);
    T A, B, C;
    tensor(&A, a, "f32", 1, (int64_t[]){100}, NULL);
    tensor(&B, b, "f32", 1, (int64_t[]){100}, NULL);
    tensor(&C, out, "f32", 1, (int64_t[]){100}, NULL);
    const tensorcc_tensor *args[] = {&A.t, &B.t, &C.t};
    tensorcc_check_result r[3] = {{.struct_size = sizeof *r}};
    CHECK(tensorcc_run(k, 3, args) == TENSORCC_OK);
    CHECK(tensorcc_check(k, 3, args, args, r) == TENSORCC_OK);
    CHECK(r[2].pass && r[2].compared == 100 && r[2].total == 100 && r[2].max_abs_err < 1e-5);
    out[42] += 0.001f;
    CHECK(tensorcc_check(k, 3, args, args, r) == TENSORCC_OK);
    CHECK(!r[2].pass && r[2].at == 42);
    out[42] = NAN;
    CHECK(tensorcc_check(k, 3, args, args, r) == TENSORCC_OK && !r[2].pass);
    tensorcc_kernel_free(k);
    tensorcc_close(c);
}

static void test_emit(void)
{
    Seen s = {0};
    tensorcc_context *c = open_context(&s, 1);
    tensorcc_kernel *k = compile(c, matmul, "cpu", "M=? N=?");
    const struct {
        const char *kind, *holds;
    } kinds[] = {{"te", "op matmul["}, {"tile", "tile matmul"},
                 {"llvm", "define"},   {"asm", "matmul"},
                 {"obj", "ELF"},       {"header", "int32_t matmul(const tensorcc_call *call);"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        tensorcc_blob *b = NULL;
        CHECK(tensorcc_emit(k, kinds[i].kind, &b) == TENSORCC_OK);
        CHECK(b && memmem(tensorcc_blob_data(b), tensorcc_blob_size(b), kinds[i].holds, strlen(kinds[i].holds)));
        tensorcc_blob_free(b);
    }
    tensorcc_blob *b = NULL;
    CHECK(tensorcc_emit(k, "paper", &b) == TENSORCC_E_USAGE && !b);
    /* te text and Tile text compile again */
    float a[4] = {1, 2, 3, 4}, out[4] = {0};
    T A, B, C;
    tensor(&A, a, "f32", 2, (int64_t[]){2, 2}, NULL);
    tensor(&B, a, "f32", 2, (int64_t[]){2, 2}, NULL);
    tensor(&C, out, "f32", 2, (int64_t[]){2, 2}, NULL);
    for (int i = 0; i < 2; i++) {
        CHECK(tensorcc_emit(k, kinds[i].kind, &b) == TENSORCC_OK);
        tensorcc_module *m = NULL;
        tensorcc_kernel *again = NULL;
        CHECK(tensorcc_parse(c, i ? "again.tile" : "again.te", tensorcc_blob_data(b), tensorcc_blob_size(b), &m) ==
              TENSORCC_OK);
        CHECK(compile_with(m, NULL, NULL, i ? NULL : "M=2 N=?", NULL, 0, &again) == TENSORCC_OK);
        memset(out, 0, sizeof out);
        if (again) CHECK(RUN(again, &A.t, &B.t, &C.t) == TENSORCC_OK && out[0] == 7 && out[3] == 22);
        tensorcc_kernel_free(again);
        tensorcc_module_free(m);
        tensorcc_blob_free(b);
    }
    tensorcc_kernel_free(k);
    tensorcc_close(c);
}

static void test_artifact(void)
{
    Seen s = {0};
    tensorcc_context *c = open_context(&s, 2);
    tensorcc_module *m =
        parse(c, "op pick[V,T; s: f32 = 1.0](E: f32[V], id: i32[T]) -> (Y: f32[T]) { Y[t] = s * E[id[t]] }\n");
    for (int strided = 0; strided < 2; strided++) {
        tensorcc_kernel *k = NULL, *l = NULL;
        tensorcc_blob *b = NULL;
        char path[] = "/tmp/tcc-artifact-XXXXXX.so";
        CHECK(compile_with(m, NULL, NULL, "V=4", "s=2.5", strided ? TENSORCC_STRIDED : 0, &k) == TENSORCC_OK);
        CHECK(tensorcc_emit(k, "so", &b) == TENSORCC_OK);
        int fd = mkstemps(path, 3);
        CHECK(b && write(fd, tensorcc_blob_data(b), tensorcc_blob_size(b)) == (ssize_t)tensorcc_blob_size(b));
        close(fd);
        tensorcc_kernel_free(k);
        CHECK(tensorcc_load(c, path, &l) == TENSORCC_OK);
        if (l) {
            float e[8] = {1, 0, 2, 0, 3, 0, 4, 0}, y[3];
            int32_t id[3] = {3, 0, 2};
            T E, I, Y;
            int64_t two = 2;
            tensor(&E, e, "f32", 1, (int64_t[]){4}, &two); /* every other one */
            tensor(&I, id, "i32", 1, (int64_t[]){3}, NULL);
            tensor(&Y, y, "f32", 1, (int64_t[]){3}, NULL);
            CHECK(RUN(l, &E.t, &I.t, &Y.t) == TENSORCC_OK && y[0] == 10 && y[1] == 2.5f && y[2] == 7.5f);
            id[1] = 4;
            s = (Seen){0};
            CHECK(RUN(l, &E.t, &I.t, &Y.t) == TENSORCC_E_INPUT && s.line == 1);
            CHECK_STR(s.code, "R026");
            E.shape[0] = 3;
            s = (Seen){0};
            CHECK(RUN(l, &E.t, &I.t, &Y.t) == TENSORCC_E_INPUT);
            CHECK_STR(s.code, "R017");
        }
        tensorcc_kernel_free(l);
        tensorcc_blob_free(b);
        unlink(path);
    }
    tensorcc_kernel *l = NULL;
    s = (Seen){0};
    CHECK(tensorcc_load(c, "/nonexistent.so", &l) == TENSORCC_E_INPUT && !l);
    CHECK_STR(s.code, "R033");
    CHECK(tensorcc_load(c, "/dev/null", &l) == TENSORCC_E_INPUT && !l);
    tensorcc_module_free(m);
    tensorcc_close(c);
}

static void test_elements(void)
{
    tensorcc_context *c = open_context(NULL, 1);
    double x[] = {0, 1, -1, 7, 100, 0.3}, back[6];
    const char *types[] = {"f64", "f32", "f16", "bf16", "i32", "i8", "u4", "i4", "u1", "tf32", "f8e4m3", "f8e5m2"};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        unsigned char data[64] = {0};
        CHECK(tensorcc_encode(c, types[t], x, data, 0, 6) == TENSORCC_OK);
        CHECK(tensorcc_decode(c, types[t], data, 0, 6, back) == TENSORCC_OK);
        CHECK(back[0] == 0 && back[1] == 1);
        if (!strcmp(types[t], "u4")) CHECK(back[2] == 0 && back[3] == 7 && back[4] == 15 && back[5] == 0);
        if (!strcmp(types[t], "i4")) CHECK(back[2] == -1 && back[3] == 7 && back[4] == 7);
        if (*types[t] == 'f') CHECK(back[2] == -1 && fabs(back[5] - 0.3) < 0.05);
    }
    CHECK(tensorcc_encode(c, "f17", x, back, 0, 1) == TENSORCC_E_USAGE);
    tensorcc_close(c);
}

static void test_machine(void)
{
    tensorcc_context *c = open_context(NULL, 0);
    tensorcc_blob *b = NULL;
    CHECK(tensorcc_targets(c, &b) == TENSORCC_OK && tensorcc_blob_data(b)[0] == '[');
    CHECK(strstr(tensorcc_blob_data(b), "\"cpu\"") && strstr(tensorcc_blob_data(b), "\"interp\""));
    tensorcc_blob_free(b);
    tensorcc_peak p = {.struct_size = sizeof p};
    CHECK(tensorcc_measure_peak(c, 0.02, &p) == TENSORCC_OK && p.gflops_f32 > 0.1 && p.gflops_f64 > 0.1 &&
          p.gbs > 0.01);
    CHECK(tensorcc_usable_cpus() >= 1 && tensorcc_version()[0] && tensorcc_toolchain()[0]);
    tensorcc_kernel *k = compile(c, matmul, "cpu", "K=64");
    int64_t sizes[] = {8, 8, 64};
    tensorcc_work w = {.struct_size = sizeof w};
    CHECK(tensorcc_kernel_work(k, sizes, &w) == TENSORCC_OK);
    CHECK(w.flops == 2.0 * 8 * 8 * 64 && w.bytes == 4.0 * (8 * 64 * 2 + 64));
    CHECK(tensorcc_explain(k, sizes, &b) == TENSORCC_OK && strstr(tensorcc_blob_data(b), "roof"));
    tensorcc_blob_free(b);
    tensorcc_kernel_free(k);
    tensorcc_close(c);
}

int main(void)
{
    test_usage();
    test_parse_errors();
    test_compile_errors();
    test_params();
    test_infer();
    test_index_bounds();
    test_layouts();
    test_refusals();
    test_inout_and_scalars();
    test_nibbles();
    test_faults();
    test_lent_pool();
    test_raw_entry();
    test_check();
    test_emit();
    test_artifact();
    test_elements();
    test_machine();
    return check_done();
}
