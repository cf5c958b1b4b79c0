/* peak: the roof of one core, measured: multiply-adds that stay in registers, and streaming over buffers beyond the
 * caches. Every vector width that the machine has is tried, since the widest is not always the fastest.
 *
 * Bandwidth counts the bytes that the program reads and writes, as STREAM does: the line that an ordinary store fetches
 * first is not counted. The best of several patterns is given, among them stores past the caches, so that it is a roof
 * for all kernels rather than the rate of one. */
#define _GNU_SOURCE
#include "runtime/runtime.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* ---- multiply-adds --------------------------------------------------------------------------------------------------
 * Each burst runs `rounds` times over ACC independent accumulators: enough to hide the latency of two FMA pipes. */
typedef void Burst(long rounds, double *sink);

#define ACC 12
#define EACH(M, A, B, C, D)                                                                                            \
    M(0, A, B, C, D)                                                                                                   \
    M(1, A, B, C, D)                                                                                                   \
    M(2, A, B, C, D) M(3, A, B, C, D) M(4, A, B, C, D) M(5, A, B, C, D) M(6, A, B, C, D) M(7, A, B, C, D)              \
        M(8, A, B, C, D) M(9, A, B, C, D) M(10, A, B, C, D) M(11, A, B, C, D)
#define START(I, VEC, SET1, STEP, REG) VEC a##I = SET1(1.0 + I);
#define ONCE(I, VEC, SET1, STEP, REG)                                                                                  \
    a##I = STEP(a##I, x, y);                                                                                           \
    __asm__ volatile("" : "+" REG(a##I));
#define END(I, VEC, SET1, STEP, REG)                                                                                   \
    {                                                                                                                  \
        double lane = 0;                                                                                               \
        memcpy(&lane, &a##I, sizeof a##I < sizeof lane ? sizeof a##I : sizeof lane);                                   \
        *sink += lane;                                                                                                 \
    }
/* The empty asm makes each accumulator a register that the compiler cannot see through: no hoisting, no merging. */
#define BURST(NAME, ATTR, VEC, SET1, STEP, REG)                                                                        \
    ATTR static void NAME(long rounds, double *sink)                                                                   \
    {                                                                                                                  \
        VEC x = SET1(0.999999), y = SET1(1e-6);                                                                        \
        EACH(START, VEC, SET1, STEP, REG)                                                                              \
        for (long r = 0; r < rounds; r++) { EACH(ONCE, VEC, SET1, STEP, REG) }                                         \
        EACH(END, VEC, SET1, STEP, REG)                                                                                \
    }
#define IN_X(v) "x"(v)
#define IN_V(v) "v"(v)
#define IN_W(v) "w"(v)

#if defined(__x86_64__)
#define AVX2               __attribute__((target("avx2,fma")))
#define AVX512             __attribute__((target("avx512f")))
#define MULADD_PS(a, x, y) _mm_add_ps(_mm_mul_ps(a, x), y)
#define MULADD_PD(a, x, y) _mm_add_pd(_mm_mul_pd(a, x), y)
BURST(burst_f32_sse, , __m128, _mm_set1_ps, MULADD_PS, IN_X)
BURST(burst_f64_sse, , __m128d, _mm_set1_pd, MULADD_PD, IN_X)
BURST(burst_f32_avx2, AVX2, __m256, _mm256_set1_ps, _mm256_fmadd_ps, IN_X)
BURST(burst_f64_avx2, AVX2, __m256d, _mm256_set1_pd, _mm256_fmadd_pd, IN_X)
BURST(burst_f32_avx512, AVX512, __m512, _mm512_set1_ps, _mm512_fmadd_ps, IN_V)
BURST(burst_f64_avx512, AVX512, __m512d, _mm512_set1_pd, _mm512_fmadd_pd, IN_V)
#elif defined(__aarch64__)
#include <arm_neon.h>
#define NEON_S(a, x, y) vfmaq_f32(y, a, x)
#define NEON_D(a, x, y) vfmaq_f64(y, a, x)
BURST(burst_f32_neon, , float32x4_t, vdupq_n_f32, NEON_S, IN_W)
BURST(burst_f64_neon, , float64x2_t, vdupq_n_f64, NEON_D, IN_W)
#else
#define SCALAR_F(a, x, y) ((a) * (x) + (y))
#define SAME_F(v)         ((float)(v))
#define SAME_D(v)         (v)
#define IN_M(v)           "m"(v)
BURST(burst_f64_scalar, , double, SAME_D, SCALAR_F, IN_M)
#endif

/* GFLOP/s of one burst: the best stretch within `seconds`. */
static double rate(Burst *burst, int lanes, double seconds)
{
    double sink = 0, best = 0, start = rt_now_ns();
    long rounds = 20000;
    do {
        double t = rt_now_ns();
        burst(rounds, &sink);
        t = rt_now_ns() - t;
        double r = 2.0 * lanes * ACC * (double)rounds / t;
        if (r > best) best = r;
        if (t < 5e5) rounds *= 2;
    } while (rt_now_ns() - start < seconds * 1e9);
    return sink != sink ? 0 : best; /* keeps sink alive */
}

typedef struct Width {
    Burst *burst;
    int lanes;
    bool have;
} Width;

static double fastest(const Width *w, int n, double seconds)
{
    int have = 0;
    for (int i = 0; i < n; i++) have += w[i].have;
    double best = 0;
    for (int i = 0; i < n; i++) {
        double r = w[i].have ? rate(w[i].burst, w[i].lanes, seconds / have) : 0;
        if (r > best) best = r;
    }
    return best;
}

#if defined(__x86_64__)
#define HAS(f) __builtin_cpu_supports(f)
/* Where FMA exists, the multiplication and addition apart cannot win. */
double rt_peak_gflops_f32(double seconds)
{
    bool fma = HAS("avx2") && HAS("fma");
    Width w[] = {{burst_f32_sse, 4, !fma}, {burst_f32_avx2, 8, fma}, {burst_f32_avx512, 16, HAS("avx512f")}};
    return fastest(w, 3, seconds);
}

double rt_peak_gflops_f64(double seconds)
{
    bool fma = HAS("avx2") && HAS("fma");
    Width w[] = {{burst_f64_sse, 2, !fma}, {burst_f64_avx2, 4, fma}, {burst_f64_avx512, 8, HAS("avx512f")}};
    return fastest(w, 3, seconds);
}
#elif defined(__aarch64__)
double rt_peak_gflops_f32(double seconds) { return fastest(&(Width){burst_f32_neon, 4, true}, 1, seconds); }
double rt_peak_gflops_f64(double seconds) { return fastest(&(Width){burst_f64_neon, 2, true}, 1, seconds); }
#else
double rt_peak_gflops_f32(double seconds) { return fastest(&(Width){burst_f64_scalar, 1, true}, 1, seconds); }
double rt_peak_gflops_f64(double seconds) { return fastest(&(Width){burst_f64_scalar, 1, true}, 1, seconds); }
#endif

/* ---- streaming ------------------------------------------------------------------------------------------------------
 */
typedef struct Stream {
    double *a, *b, *c;
    int64_t n; /* elements of each */
    double seconds, gbs, sink;
} Stream;

typedef void Pattern(Stream *s);

static void read_all(Stream *s)
{
    typedef double V __attribute__((vector_size(32)));
    V x0 = {0}, x1 = {0}, x2 = {0}, x3 = {0};
    for (int64_t i = 0; i + 16 <= s->n; i += 16) {
        V v[4];
        memcpy(v, s->a + i, sizeof v);
        x0 += v[0], x1 += v[1], x2 += v[2], x3 += v[3];
    }
    x0 += x1 + x2 + x3;
    s->sink += x0[0] + x0[1] + x0[2] + x0[3];
}

static void copy(Stream *s) { memcpy(s->b, s->a, (size_t)s->n * sizeof *s->a); }

static void triad(Stream *s)
{
    double *restrict c = s->c;
    const double *restrict a = s->a, *restrict b = s->b;
    for (int64_t i = 0; i < s->n; i++) c[i] = a[i] + 3.0 * b[i];
}

#if defined(__x86_64__)
static void triad_past(Stream *s)
{
    __m128d k = _mm_set1_pd(3.0);
    for (int64_t i = 0; i + 2 <= s->n; i += 2)
        _mm_stream_pd(s->c + i, _mm_add_pd(_mm_load_pd(s->a + i), _mm_mul_pd(k, _mm_load_pd(s->b + i))));
    _mm_sfence();
}
#endif

static const struct {
    Pattern *run;
    int streams;
} patterns[] = {{read_all, 1},
                {copy, 2},
                {triad, 3},
#if defined(__x86_64__)
                {triad_past, 3}
#endif
};
enum { PATTERNS = sizeof patterns / sizeof patterns[0] };

static void measure(Stream *s)
{
    double end = rt_now_ns() + s->seconds * 1e9;
    for (int round = 0; round < 2 || rt_now_ns() < end; round++)
        for (int p = 0; p < PATTERNS; p++) {
            double t = rt_now_ns();
            patterns[p].run(s);
            t = rt_now_ns() - t;
            double r = (double)s->n * 8.0 * patterns[p].streams / t;
            if (r > s->gbs) s->gbs = r;
        }
}

/* The last cache level that this core sees, in bytes. sysconf counts all of a socket's. */
static int64_t last_cache(void)
{
    int64_t bytes = 0;
    for (int i = 0; i < 8; i++) {
        char path[80], unit = 0;
        long long n;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
        FILE *f = fopen(path, "re");
        if (!f) break;
        if (fscanf(f, "%lld%c", &n, &unit) >= 1) bytes = n * (unit == 'M' ? 1 << 20 : unit == 'K' ? 1 << 10 : 1);
        fclose(f);
    }
    return bytes ? bytes : (int64_t)32 << 20;
}

/* Bytes that surely lie beyond the caches, all three streams together. */
static int64_t beyond_caches(void)
{
    int64_t bytes = 4 * last_cache(), least = (int64_t)48 << 20, most = (int64_t)384 << 20;
    return bytes < least ? least : bytes > most ? most : bytes;
}

/* Large pages where they can be had: else page faults take longer than the measurement. */
static double *pages(int64_t n)
{
    size_t large = (size_t)2 << 20, bytes = ((size_t)n * 8 + large - 1) / large * large;
    double *p = aligned_alloc(large, bytes);
#ifdef MADV_HUGEPAGE
    if (p) madvise(p, bytes, MADV_HUGEPAGE);
#endif
    return p;
}

static bool buffers(Stream *s, int64_t bytes)
{
    s->n = bytes / 3 / 8 / 64 * 64;
    s->a = pages(s->n);
    s->b = pages(s->n);
    s->c = pages(s->n);
    if (!s->a || !s->b || !s->c) return false;
    for (int64_t i = 0; i < s->n; i++)
        s->a[i] = 1.0, s->b[i] = 2.0, s->c[i] = 0.0; /* different pages, each touched by the thread that uses it */
    return true;
}

typedef struct Streamer {
    Stream s;
    int64_t bytes;
    atomic_int *ready; /* streamers whose buffers stand; NULL: alone */
    atomic_bool *go;
    pthread_t thread;
    bool started;
} Streamer;

static void *stream(void *arg)
{
    Streamer *w = arg;
    bool ok = buffers(&w->s, w->bytes);
    if (w->ready) {
        atomic_fetch_add(w->ready, 1);
        while (!atomic_load(w->go)) sched_yield();
    }
    if (ok) measure(&w->s);
    free(w->s.a);
    free(w->s.b);
    free(w->s.c);
    return NULL;
}

double rt_peak_gbs(double seconds, int threads)
{
    if (threads < 1) threads = 1;
    int64_t bytes = beyond_caches() / threads;
    if (bytes < (int64_t)24 << 20) bytes = (int64_t)24 << 20;
    Streamer *w = calloc((size_t)threads, sizeof *w);
    if (!w) return 0;
    atomic_int ready;
    atomic_bool go;
    atomic_init(&ready, 0);
    atomic_init(&go, false);
    int started = 0;
    for (int i = 0; i < threads; i++) {
        w[i] = (Streamer){.s = {.seconds = seconds}, .bytes = bytes};
        if (!i) continue;
        w[i].ready = &ready;
        w[i].go = &go;
        w[i].started = !pthread_create(&w[i].thread, NULL, stream, &w[i]);
        started += w[i].started;
    }
    while (atomic_load(&ready) < started) sched_yield();
    atomic_store(&go, true);
    stream(&w[0]);
    double sum = w[0].s.gbs;
    for (int i = 1; i < threads; i++)
        if (w[i].started) {
            pthread_join(w[i].thread, NULL);
            sum += w[i].s.gbs;
        }
    free(w);
    return sum;
}

void rt_flush_caches(void)
{
    int64_t n = beyond_caches() / 8;
    double *p = pages(n);
    if (!p) return;
    for (int64_t i = 0; i < n; i += 8) ((volatile double *)p)[i] = 1.0;
    free(p);
}
