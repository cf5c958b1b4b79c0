/* cg_run: compile Tile text, run it here and in the Tile interpreter on the same random data, compare bit for bit (any
 * NaN equals any NaN). Tensors end at (or start behind) a page that must not be touched, so that accesses outside them
 * crash. For the tests of code generation; everything is static. */
#ifndef TCC_TESTS_CG_RUN_H
#define TCC_TESTS_CG_RUN_H

#include "codegen/codegen.h"
#include "ir/num.h"
#include "tests/unit/check.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static CgEngine *engine;
static const Target *target;

/* ---- memory between guard pages
 * ---------------------------------------------------------------------------------------------- */
typedef struct Guarded {
    char *map, *at;
    size_t bytes;
} Guarded;

static Guarded guarded(int64_t bytes, bool at_end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = ((size_t)bytes + page) / page * page;
    Guarded g = {.bytes = body + 2 * page};
    g.map = mmap(NULL, g.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED) exit(2);
    mprotect(g.map, page, PROT_NONE);
    mprotect(g.map + page + body, page, PROT_NONE);
    memset(g.map + page, 0x5a, body);
    g.at = at_end ? g.map + page + body - bytes : g.map + page;
    return g;
}

/* ---- data
 * ----------------------------------------------------------------------------------------------------------------------
 */
static uint64_t state;

static uint64_t roll(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(0x2545F4914F6CDD1D);
}

static Num random_value(DType t)
{
    static const double few[] = {0,     -0.0,  1,        -1,        0.5, 2,     3,   -7,    1e-40, -1e-42, 1e30,
                                 -3e38, 1e300, INFINITY, -INFINITY, NAN, 65504, 448, 127.5, -128,  1e10};
    uint64_t r = roll() >> 20;
    if (te_is_float(t)) {
        double x;
        switch (r % 4) {
        case 0: x = few[(r >> 4) % (sizeof few / sizeof few[0])]; break;
        case 1: x = (double)((int)(r >> 8 & 63) - 32) / 4; break;
        default: x = ((double)(r >> 8 & 0xfffff) / 0x80000 - 1) * (r % 4 == 2 ? 1 : 100); break;
        }
        return num_cast(t, DT_F64, (Num){.d = x});
    }
    int64_t v = r % 3 == 0 ? (int64_t)roll() : (int64_t)(r >> 8 & 15) - 8;
    if (r % 16 == 1) v = INT64_MIN >> (64 - te_type[t].bits) % 64;
    return (Num){.i = num_wrap(t, v)};
}

/* Tensors named id… hold indices up to `top`; tensors named pos… only values from 1 to 7. */
static void fill(const Tensor *t, void *data, int64_t count, int64_t top)
{
    for (int64_t i = 0; i < count; i++) {
        Num v = random_value(t->type);
        if (!strncmp(t->name, "id", 2)) v.i = (int64_t)(roll() >> 30) % (top > 0 ? top : 1);
        if (!strncmp(t->name, "pos", 3)) v = num_cast(t->type, DT_I32, (Num){.i = 1 + (int64_t)(roll() >> 30) % 7});
        num_store(t->type, data, i, v);
    }
}

static bool same_value(DType t, Num a, Num b)
{
    if (te_type[t].reg == RC_F64) return (isnan(a.d) && isnan(b.d)) || !memcmp(&a.d, &b.d, 8);
    if (te_type[t].reg == RC_F32) return (isnan(a.f) && isnan(b.f)) || !memcmp(&a.f, &b.f, 4);
    return a.i == b.i;
}

/* ---- a pool that runs everything here, in an odd order, as several workers
 * -------------------------------------------------------- */
static void fake_for(void *self, int64_t n, tensorcc_task body, void *closure)
{
    int threads = *(int *)self;
    for (int64_t end = n, k = 0; end > 0; k++) {
        int64_t begin = end - 1 - k % 3 < 0 ? 0 : end - 1 - k % 3;
        body(closure, begin, end, (int32_t)((k * 2 + 1) % threads));
        end = begin;
    }
}

/* ---- kernels
 * ---------------------------------------------------------------------------------------------------------------------
 */
typedef struct Kernel {
    Arena *mem;
    TileProg *p;
    CgJit jit;
    bool ok, strided;
    const char *text;
} Kernel;

static Kernel compile(const char *text, CgOptions o)
{
    Kernel k = {.mem = arena_new(), .strided = o.strided};
    char *error = NULL;
    Source *src = NEW(k.mem, Source);
    k.text = arena_strdup(k.mem, text);
    *src = (Source){"test", k.text, strlen(text)};
    Diags d = {.mem = k.mem};
    k.p = tile_parse(k.mem, src, &d);
    if (!CHECK(k.p != NULL)) {
        Text t = {.mem = k.mem};
        for (const Diag *g = d.first; g; g = g->next) diag_render(&t, g, false);
        printf("%s\n%s\n", text, t.s);
        return k;
    }
    k.ok = CHECK(cg_jit(engine, k.p, target, &o, &k.jit, &error));
    if (!k.ok) printf("%s\n%s\n", error, text);
    free(error);
    return k;
}

static void release(Kernel *k)
{
    cg_jit_free(engine, &k->jit);
    arena_free(k->mem);
}

typedef struct Run {
    int64_t dims[8];
    uint64_t seed;
    int64_t top;   /* indices in id… tensors are below this */
    int threads;   /* 0: no pool */
    int gap;       /* strided kernels: 0 compact, 1 gaps between rows, 2 gaps between elements */
    bool at_end;   /* where in its pages a tensor lies */
    bool no_fault; /* call without a fault record */
} Run;

static int64_t shape_of(const Kernel *k, const Tensor *t, const int64_t *dims, int64_t *shape)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) {
        te_eval_size_at(k->p->op, t->shape[i], dims, &shape[i]);
        n *= i == t->rank - 1 && te_type[t->type].bits < 8 ? (shape[i] + 1) / 2 * 2 : shape[i];
    }
    return n;
}

/* Elements of a strided copy: at(index) = sum of index * stride. */
static int64_t strides_of(const Tensor *t, const int64_t *shape, int gap, int64_t *stride)
{
    int64_t at = 1, room = 1;
    bool sub = te_type[t->type].bits < 8;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (i == t->rank - 1 && gap == 2 && !sub) at = 3;
        stride[i] = at;
        room += shape[i] > 0 ? (shape[i] - 1) * at : 0;
        at *= shape[i];
        if (sub && i == t->rank - 1) at = (at + 1) / 2 * 2;
        if (gap) at += sub ? 4 : 5;
    }
    return room;
}

static void copy_strided(const Tensor *t, const int64_t *shape, const int64_t *stride, char *spread, char *compact,
                         bool out)
{
    int64_t n = 1, row = t->rank ? shape[t->rank - 1] : 1, pad = te_type[t->type].bits < 8 ? (row + 1) / 2 * 2 : row;
    for (int i = 0; i < t->rank; i++) n *= shape[i];
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0, rest = i;
        for (int k = t->rank - 1; k >= 0; rest /= shape[k--]) at += rest % shape[k] * stride[k];
        int64_t flat = row ? i / row * pad + i % row : 0;
        if (out)
            num_store(t->type, spread, at, num_load(t->type, compact, flat));
        else
            num_store(t->type, compact, flat, num_load(t->type, spread, at));
    }
}

static int64_t bytes_of(DType t, int64_t elements)
{
    return te_type[t].bits < 8 ? (elements + 1) / 2 : elements * te_type[t].bits / 8;
}

static bool compare(const Kernel *k, const Tensor *t, const void *got, const void *want, const int64_t *shape)
{
    int64_t n = 1, row = t->rank ? shape[t->rank - 1] : 1, pad = te_type[t->type].bits < 8 ? (row + 1) / 2 * 2 : row;
    for (int i = 0; i < t->rank; i++) n *= shape[i];
    for (int64_t i = 0; i < n; i++) {
        int64_t at = i / row * pad + i % row;
        Num a = num_load(t->type, got, at), b = num_load(t->type, want, at);
        if (same_value(t->type, a, b)) continue;
        printf("%s.%s[%lld] of %lld: got %llx, want %llx\n", k->p->op->name, t->name, (long long)i, (long long)n,
               (unsigned long long)num_to_bits(t->type, a), (unsigned long long)num_to_bits(t->type, b));
        return false;
    }
    return true;
}

/* Runs the kernel and the interpreter on the same data. Returns the kernel's status. */
static inline int run(const Kernel *k, Run r)
{
    if (!k->ok) return -1;
    const TeOp *op = k->p->op;
    enum { MOST = 64 };
    Guarded mem[MOST], ref[MOST];
    void *data[MOST], *want[MOST];
    int64_t strides[4 * MOST], *st = strides, shape[MOST][4], index = 0;
    if (!CHECK(op->nparams <= MOST)) return -1;
    state = r.seed * 0x9E3779B97F4A7C15u + 12345;
    for (int i = 0; i < op->nparams; st += op->tensor[i++]->rank) {
        const Tensor *t = op->tensor[i];
        int64_t n = shape_of(k, t, r.dims, shape[i]);
        ref[i] = guarded(bytes_of(t->type, n), r.at_end);
        want[i] = ref[i].at;
        fill(t, want[i], n, r.top);
        int64_t room = strides_of(t, shape[i], k->strided ? r.gap : 0, st);
        bool empty = n == 0;
        mem[i] = guarded(empty ? 0 : bytes_of(t->type, k->strided && r.gap ? room : n), r.at_end);
        data[i] = mem[i].at;
        copy_strided(t, shape[i], st, data[i], want[i], true);
    }
    int64_t need = k->jit.workspace(r.dims, r.threads ? r.threads : 1);
    CHECK(need >= 0);
    Guarded ws = guarded((need + 63) / 64 * 64, true);
    tensorcc_pool pool = {&r.threads, r.threads, fake_for};
    tensorcc_fault fault = {77, 0, 0};
    tensorcc_call call = {data,
                          r.dims,
                          k->strided && r.gap ? strides : NULL,
                          ws.at,
                          r.threads ? &pool : NULL,
                          r.no_fault ? NULL : &fault};
    int rc = k->jit.run(&call), expect = tile_interp(k->p, r.dims, want, &index);
    bool ok = true;
    if (expect > 0)
        ok = CHECK(rc == TENSORCC_KERNEL_FAULT && (r.no_fault || fault.site == expect));
    else if (CHECK(expect == 0 && rc == 0)) {
        st = strides;
        for (int i = 0; i < op->nparams; st += op->tensor[i++]->rank) {
            char *got =
                calloc(1, (size_t)bytes_of(op->tensor[i]->type, shape_of(k, op->tensor[i], r.dims, shape[i])) + 1);
            copy_strided(op->tensor[i], shape[i], st, data[i], got, false);
            ok &= compare(k, op->tensor[i], got, want[i], shape[i]);
            free(got);
        }
        CHECK(ok);
    } else
        ok = false;
    if (!ok)
        printf("rc %d, interp %d, dims %lld %lld, seed %llu\n%s\n", rc, expect, (long long)r.dims[0],
               (long long)r.dims[1], (unsigned long long)r.seed, k->text);
    for (int i = 0; i < op->nparams; i++) {
        munmap(mem[i].map, mem[i].bytes);
        munmap(ref[i].map, ref[i].bytes);
    }
    munmap(ws.map, ws.bytes);
    return rc;
}

static const int64_t sizes[] = {0, 1, 7, 8, 9, 31, 33};
enum { NSIZES = sizeof sizes / sizeof sizes[0] };
static const CgOptions plain = {.opt = 2};

static inline void run_sizes(const Kernel *k, int64_t second, int64_t top)
{
    for (int i = 0; i < NSIZES; i++)
        for (int end = 0; end < 2; end++)
            run(k, (Run){.dims = {sizes[i], second}, .seed = (uint64_t)(i * 2 + end + 1), .top = top, .at_end = end});
}

static inline bool cg_start(Arena *mem)
{
    char *error = NULL;
    engine = cg_engine_new(&error);
    target = cg_target(mem, "cpu");
    if (error) printf("%s\n", error);
    free(error);
    return CHECK(engine && target);
}

#endif
