/* test_codegen_abi: the calling convention (docs/kernel-abi.md): checks and their statuses, strides, workspace, faults,
 * threads; code for every target of targets.def as text, assembly and object; line tables; compilation from several
 * threads. */
#include "tests/unit/cg_run.h"

#include <pthread.h>
#include <stdatomic.h>

static const char add_text[] =
    "tile add @cpu numerics fast [N in 1..1000, M := 4, K in 0..9] (X: f32[N, M]) -> (Y: f32[N, M])\n"
    "  where \"N % 2 == 0\" N % 2 == 0 check \"K <= N\" K <= N\n"
    "{ for i in 0..N { for j in 0..M vector 8 { Y[i, j] = X[i, j] + 1.0:f32 } } }";

static int call_add(const Kernel *k, int64_t n, int64_t m, int64_t kk, const int64_t *strides, tensorcc_fault *fault)
{
    static float x[4096], y[4096];
    int64_t sizes_[] = {n, m, kk};
    void *data[] = {x, y};
    *fault = (tensorcc_fault){99, 0, 99};
    tensorcc_call call = {data, sizes_, strides, NULL, NULL, fault};
    return k->jit.run(&call);
}

static void statuses(void)
{
    tensorcc_fault f;
    Kernel k = compile(add_text, plain);
    if (!k.ok) return;
    CHECK(call_add(&k, 6, 4, 2, NULL, &f) == TENSORCC_KERNEL_OK && f.site == 0);
    CHECK(call_add(&k, 6, 5, 2, NULL, &f) == TENSORCC_KERNEL_SIZES && f.site == 0);
    CHECK(call_add(&k, 0, 4, 2, NULL, &f) == TENSORCC_KERNEL_SIZES && f.site == 0);
    CHECK(call_add(&k, 1002, 4, 2, NULL, &f) == TENSORCC_KERNEL_SIZES && f.site == 0);
    CHECK(call_add(&k, 6, 4, 10, NULL, &f) == TENSORCC_KERNEL_SIZES && f.site == 0);
    CHECK(call_add(&k, 7, 4, 2, NULL, &f) == TENSORCC_KERNEL_SIZES && f.site == 1);
    CHECK(call_add(&k, 2, 4, 3, NULL, &f) == TENSORCC_KERNEL_SIZES && f.site == 2);
    CHECK(call_add(&k, 6, 4, 2, (int64_t[]){4, 1, 4, 1}, &f) == TENSORCC_KERNEL_OK);
    CHECK(call_add(&k, 6, 4, 2, (int64_t[]){5, 1, 4, 1}, &f) == TENSORCC_KERNEL_STRIDES);
    CHECK(call_add(&k, 6, 4, 2, (int64_t[]){4, 1, 4, 2}, &f) == TENSORCC_KERNEL_STRIDES);
    CHECK(call_add(&k, 2, 4, 2, (int64_t[]){4, 1, 9, 1}, &f) == TENSORCC_KERNEL_STRIDES);
    CHECK(k.jit.code_bytes > 100 && k.jit.code_bytes < 10000);
    release(&k);
    k = compile("tile s @cpu numerics fast [N in 1..9] () -> (Y: f32[N, 3]) { for i in 0..N { for j in 0..3 { Y[i, j] "
                "= f32(i + j) } } }",
                plain);
    int64_t n1 = 1, strides[] = {77, 1};
    float y[3];
    void *data[] = {y};
    tensorcc_call call = {data, &n1, strides, NULL, NULL, NULL};
    CHECK(k.ok && k.jit.run(&call) == TENSORCC_KERNEL_OK && y[2] == 2); /* the stride of an extent of 1 */
    release(&k);
}

static void overlapping_strides(void)
{
    Kernel k = compile("tile s @cpu numerics ordered:1 [N in 1..9, M in 0..100] (X: f32[N, M], Z: u4[N, M]) -> (Y: "
                       "f32[N, M], W: u4[N, M])"
                       "{ for i in 0..N { for j in 0..M vector 8 { Y[i, j] = X[i, j] W[i, j] = Z[i, j] } } }",
                       (CgOptions){.opt = 2, .strided = true});
    if (!k.ok) return;
    float x[60], y[60] = {0};
    uint8_t z[40], w[64] = {0};
    for (int i = 0; i < 60; i++) x[i] = (float)i;
    for (int i = 0; i < 40; i++) z[i] = (uint8_t)(i * 37);
    int64_t dims[] = {3, 11},
            st[] = {0, -1, -12, 1, 13, 1, 16, 1}; /* rows the same, backwards; nibbles; rows from the last one up */
    void *data[] = {x + 20, z + 20, y, w};
    tensorcc_call call = {data, dims, st, NULL, NULL, NULL};
    CHECK(k.jit.run(&call) == 0);
    bool ok = true;
    for (int64_t i = 0; i < 3; i++)
        for (int64_t j = 0; j < 11; j++) {
            int64_t n = 40 - 12 * i + j, m = 16 * i + j;
            ok &= y[i * 13 + j] == (float)(20 - j) && (w[m / 2] >> m % 2 * 4 & 15) == (z[n / 2] >> n % 2 * 4 & 15);
        }
    CHECK(ok);
    release(&k);
}

static void workspace(void)
{
    Kernel k =
        compile("tile w @cpu numerics fast [N in 1..4611686018427387904, M in 1..4611686018427387904] () -> (Y: f32)"
                "{ alloc a: f32[N] local alloc s: f32[4] local for i in 0..4 parallel { alloc b: f64[M, M] local b[0, "
                "0] = 0.0:f64 s[i] = 1.0:f32 } a[0] = s[1]"
                "  Y = a[0] }",
                plain);
    if (!k.ok) return;
    int64_t a = k.jit.workspace((int64_t[]){100, 10}, 1), b = k.jit.workspace((int64_t[]){100, 10}, 3);
    CHECK(a >= 400 + 800 && a % 64 == 0 && b % 64 == 0 && b - a >= 2 * 800 && b - a < 2 * 1100);
    CHECK(k.jit.workspace((int64_t[]){100, 10}, 0) == a);
    CHECK(k.jit.workspace((int64_t[]){INT64_C(1) << 62, 10}, 1) == -1);
    CHECK(k.jit.workspace((int64_t[]){10, INT64_C(1) << 31}, 1) == -1);
    CHECK(k.jit.workspace((int64_t[]){10, INT64_C(1) << 28}, 100) == -1);
    CHECK(k.jit.workspace((int64_t[]){10, INT64_C(1) << 28}, 1) > 0);
    release(&k);
}

/* ---- threads
 * -------------------------------------------------------------------------------------------------------------------
 */
typedef struct Job {
    tensorcc_task body;
    void *closure;
    int64_t n;
    atomic_llong next;
    atomic_int worker;
} Job;

static void *work(void *arg)
{
    Job *j = arg;
    int32_t me = atomic_fetch_add(&j->worker, 1);
    for (int64_t at; (at = atomic_fetch_add(&j->next, 5)) < j->n;)
        j->body(j->closure, at, at + 5 < j->n ? at + 5 : j->n, me);
    return NULL;
}

static void threads_for(void *self, int64_t n, tensorcc_task body, void *closure)
{
    (void)self;
    Job j = {.body = body, .closure = closure, .n = n};
    pthread_t t[3];
    for (int i = 0; i < 3; i++) pthread_create(&t[i], NULL, work, &j);
    work(&j);
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
}

static void faults_of_many(void)
{
    Kernel k = compile("tile g @cpu numerics fast [N, V] (E: f32[V], id: i32[N]) -> (Y: f32[N], Z: f32[N]) site gather "
                       "\"a\" E site gather \"b\" E"
                       "{ for i in 0..N parallel { alloc t: f32[N] local for j in 0..N vector 8 { t[j] = f32(i + j) } "
                       "Y[i] = E[index(id[i])]@1 + t[N - 1] } }",
                       plain);
    if (!k.ok) return;
    enum { N = 300 };
    static float e[10], y[N], z[N];
    static int32_t id[N];
    int64_t dims[] = {N, 10};
    tensorcc_pool pool = {NULL, 4, threads_for};
    tensorcc_fault fault;
    void *data[] = {e, id, y, z}, *ws = aligned_alloc(64, (size_t)k.jit.workspace(dims, 4));
    tensorcc_call call = {data, dims, NULL, ws, &pool, &fault};
    for (int i = 0; i < N; i++) id[i] = i % 10;
    CHECK(k.jit.run(&call) == 0);
    bool ok = true;
    for (int i = 0; i < N; i++) ok &= y[i] == (float)(i + N - 1);
    CHECK(ok);
    for (int i = 0; i < N; i++) id[i] = i % 3 ? 5 : 1000 + i;
    CHECK(k.jit.run(&call) == TENSORCC_KERNEL_FAULT && fault.site == 2 && fault.index >= 1000 &&
          fault.index % 3 == 1000 % 3);
    call.fault = NULL;
    CHECK(k.jit.run(&call) == TENSORCC_KERNEL_FAULT);
    free(ws);
    release(&k);
}

static void *compile_many(void *arg)
{
    int *failures = arg;
    for (int i = 0; i < 6; i++) {
        Arena *mem = arena_new();
        Source src = {"t", add_text, sizeof add_text - 1};
        Diags d = {.mem = mem};
        TileProg *p = tile_parse(mem, &src, &d);
        CgJit jit;
        float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y[8];
        void *data[] = {x, y};
        int64_t dims[] = {2, 4, 0};
        tensorcc_call call = {data, dims, NULL, NULL, NULL, NULL};
        char *error;
        bool ok = cg_jit(engine, p, target, &plain, &jit, &error) && jit.run(&call) == 0 && y[7] == 9;
        *failures += !ok;
        cg_jit_free(engine, &jit);
        arena_free(mem);
    }
    return NULL;
}

static void compile_at_once(void)
{
    pthread_t t[4];
    int failures[4] = {0};
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, compile_many, &failures[i]);
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        CHECK(failures[i] == 0);
    }
}

/* ---- emission
 * ------------------------------------------------------------------------------------------------------------------------
 */
static const char kernel_text[] =
    "tile mm6 @cpu numerics fast [M, N, K] (A: f32[M, K], B: f32[K, N], H: f16[N], Q: u4[N]) -> (C: f32[M, N], G: "
    "f16[N])\n"
    "{ for i in 0..M / 6 * 6 step 6 { for j in 0..N vector 16 {\n"
    "    alloc acc: f32[6] reg for ii in 0..6 unroll { acc[ii] = 0.0:f32 }\n"
    "    for k in 0..K { for ii in 0..6 unroll { acc[ii] sum fma= A[i + ii, k] * B[k, j] } }\n"
    "    for ii in 0..6 unroll { C[i + ii, j] = acc[ii] } } }\n"
    "  for j in 0..N vector 16 { G[j] = H[j] * f16(Q[j]) + f16(floor(f32(H[j]))) } }";

static void targets(void)
{
    Arena *mem = arena_new();
    Source src = {"dir/mm6.tile", kernel_text, sizeof kernel_text - 1};
    Diags d = {.mem = mem};
    TileProg *p = tile_parse(mem, &src, &d);
    if (!CHECK(p != NULL)) return;
    CHECK(cg_target(mem, "cpu:nonsense") == NULL && cg_target(mem, "gpgpu") == NULL && cg_target(mem, "") == NULL);
    for (const char *const *name = cg_target_names(); *name; name++) {
        const Target *t = cg_target(mem, *name);
        if (!CHECK(t && t->vector_bytes >= 16 && t->vregs >= 16 && t->l1 > 0 && t->line > 0 && t->cores > 0)) continue;
        char *bytes, *error = NULL;
        size_t n;
        for (int kind = 0; kind < 3; kind++) {
            CgOptions o = {.opt = 2, .debug_lines = kind == 2, .strided = kind == 0};
            bool ok = CHECK(cg_emit(p, t, &o, (CgEmit)kind, mem, &bytes, &n, &error));
            if (!ok) printf("%s: %s\n", *name, error ? error : "");
            free(error);
            if (!ok) continue;
            if (kind == CG_LLVM)
                CHECK(strstr(bytes, "define i32 @mm6(") && strstr(bytes, "define i64 @mm6_workspace("));
            if (kind == CG_OBJ) CHECK(n > 100 && !memcmp(bytes, "\177ELF", 4));
            if (kind != CG_ASM) continue;
            CHECK(strstr(bytes, "mm6:") && strstr(bytes, "mm6_workspace:"));
            CHECK((strstr(bytes, "zmm") != NULL) == (t->vector_bytes == 64));
            CHECK((strstr(bytes, "vfmadd231ps") != NULL) == t->fma);
            CHECK((strstr(bytes, "vcvtph2ps") != NULL) == t->f16c);
        }
    }
    arena_free(mem);
}

static void names(void)
{
    Kernel a = compile(add_text, (CgOptions){.opt = 2, .symbol = "same"}),
           b = compile(add_text, (CgOptions){.opt = 0, .symbol = "same", .debug_lines = true});
    tensorcc_fault f;
    CHECK(a.ok && b.ok && a.jit.run != b.jit.run);
    CHECK(call_add(&a, 6, 4, 2, NULL, &f) == 0 && call_add(&b, 6, 4, 2, NULL, &f) == 0);
    release(&a);
    CHECK(call_add(&b, 6, 4, 2, NULL, &f) == 0);
    release(&b);
    char *error = NULL;
    CgJit jit;
    Kernel k = compile(add_text, plain);
    Arena *mem = arena_new();
    const Target *other = cg_target(mem, target->avx512 ? "cpu:znver1" : "cpu:sapphirerapids");
    CHECK(!cg_jit(engine, k.p, other, &plain, &jit, &error) && error);
    free(error);
    release(&k);
    arena_free(mem);
}

int main(void)
{
    Arena *mem = arena_new();
    if (!cg_start(mem)) return check_done();
    statuses();
    overlapping_strides();
    workspace();
    faults_of_many();
    compile_at_once();
    names();
    targets();
    cg_engine_free(engine);
    arena_free(mem);
    return check_done();
}
