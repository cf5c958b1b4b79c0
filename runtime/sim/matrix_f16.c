/* matrix_f16: dense products of f16 or bf16 with f32 sums, the ones that programs run most, for processors with AVX2
 * and F16C: what matrix.c does, eight columns in a register. The same bits: an element is the same chain of fma, and
 * NaN becomes the canonical one at the end. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3") /* loops over the eight rows in registers */
#endif

#include "runtime/sim/sim_float.h"
#include "runtime/sim/sim_priv.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

#define FAST __attribute__((target("avx2,fma,f16c")))
#define PART FAST __attribute__((always_inline)) static inline
enum { M_MOST = 64, N_MOST = 256, K_MOST = 32 };

typedef struct Cells {
    float a[M_MOST * K_MOST], b[N_MOST * K_MOST], c[M_MOST * N_MOST];
} Cells;

PART __m256 widen8(const uint32_t *words, bool bf16)
{
    __m128i h = _mm_loadu_si128((const __m128i *)(const void *)words);
    if (!bf16) return _mm256_cvtph_ps(h);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

PART void transpose(__m256 *r)
{
    __m256 t[8], u[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            u[i + 2 * k] = _mm256_shuffle_ps(t[i + k], t[i + k + 2], 0x44);
            u[i + 2 * k + 1] = _mm256_shuffle_ps(t[i + k], t[i + k + 2], 0xee);
        }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
}

/* Patches of 8 lines of 8 elements along k: rows of a, [m][k], patches of one k after the other; columns of b, as
 * [k][n], patches of one column after the other. */
PART void unpack_a(const uint32_t *words, int m, int k, bool bf16, float *to)
{
    for (int i = 0; i < m / 8 * (k / 8); i++)
        for (int g = 0; g < 8; g++)
            _mm256_storeu_ps(to + (i % (m / 8) * 8 + g) * k + i / (m / 8) * 8, widen8(words + 32 * i + 4 * g, bf16));
}

PART void unpack_b(const uint32_t *words, int n, int k, bool bf16, float *to)
{
    for (int i = 0; i < n / 8 * (k / 8); i++) {
        __m256 r[8];
        for (int g = 0; g < 8; g++) r[g] = widen8(words + 32 * i + 4 * g, bf16);
        transpose(r);
        for (int g = 0; g < 8; g++) _mm256_storeu_ps(to + (i % (k / 8) * 8 + g) * n + i / (k / 8) * 8, r[g]);
    }
}

/* Row r of an 8x8 patch of sums: columns 0, 2, 4, 6 and, 32 words on, 1, 3, 5, 7. */
PART float *row_of(float *c, int p, int g, int m, int n) { return c + (p % (m / 8) * 8 + g) * n + p / (m / 8) * 8; }

PART void unpack_c(const uint32_t *words, int m, int n, float *c)
{
    for (int p = 0; p < m / 8 * (n / 8); p++)
        for (int g = 0; g < 8; g++) {
            __m128 even = _mm_loadu_ps((const float *)(const void *)(words + 64 * p + 4 * g));
            __m128 odd = _mm_loadu_ps((const float *)(const void *)(words + 64 * p + 32 + 4 * g));
            float *row = row_of(c, p, g, m, n);
            _mm_storeu_ps(row, _mm_unpacklo_ps(even, odd));
            _mm_storeu_ps(row + 4, _mm_unpackhi_ps(even, odd));
        }
}

PART void pack_d(uint32_t *words, int m, int n, float *c)
{
    __m128 nan = _mm_castsi128_ps(_mm_set1_epi32((int)NAN_F32));
    for (int p = 0; p < m / 8 * (n / 8); p++)
        for (int g = 0; g < 8; g++) {
            const float *row = row_of(c, p, g, m, n);
            __m128 lo = _mm_loadu_ps(row), hi = _mm_loadu_ps(row + 4);
            lo = _mm_blendv_ps(lo, nan, _mm_cmpunord_ps(lo, lo));
            hi = _mm_blendv_ps(hi, nan, _mm_cmpunord_ps(hi, hi));
            _mm_storeu_ps((float *)(void *)(words + 64 * p + 4 * g), _mm_shuffle_ps(lo, hi, 0x88));
            _mm_storeu_ps((float *)(void *)(words + 64 * p + 32 + 4 * g), _mm_shuffle_ps(lo, hi, 0xdd));
        }
}

PART void multiply(const Cells *s, float *c, int m, int n, int k)
{
    for (int n0 = 0; n0 < n; n0 += 8)
        for (int i = 0; i < m; i += 8) {
            __m256 sum[8];
            const float *a = s->a + i * k, *b = s->b + n0;
            for (int g = 0; g < 8; g++) sum[g] = _mm256_loadu_ps(c + (i + g) * n + n0);
            for (int j = 0; j < k; j++) {
                __m256 x = _mm256_loadu_ps(b + j * n);
                for (int g = 0; g < 8; g++) sum[g] = _mm256_fmadd_ps(_mm256_broadcast_ss(a + g * k + j), x, sum[g]);
            }
            for (int g = 0; g < 8; g++) _mm256_storeu_ps(c + (i + g) * n + n0, sum[g]);
        }
}

PART void product(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, int m, int n, int k,
                  bool bf16_a, bool bf16_b)
{
    Cells x;
    unpack_a(a, m, k, bf16_a, x.a);
    unpack_b(b, n, k, bf16_b, x.b);
    if (c)
        unpack_c(c, m, n, x.c);
    else
        memset(x.c, 0, sizeof *x.c * (size_t)(m * n));
    multiply(&x, x.c, m, n, k);
    pack_d(d, m, n, x.c);
}

FAST static void any_product(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, SimMma s,
                             bool bf16_a, bool bf16_b)
{
    product(d, a, b, c, s.m, s.n, s.k, bf16_a, bf16_b);
}

/* The most common shape, with its sizes known to the compiler. */
FAST static void m16n8k16(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, bool bf16)
{
    if (bf16)
        product(d, a, b, c, 16, 8, 16, true, true);
    else
        product(d, a, b, c, 16, 8, 16, false, false);
}

bool sim_has_f16(void) /* gcc knows F16C by name, clang does not */
{
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid(1, &a, &b, &c, &d) &&
           (c & bit_F16C);
}

bool sim_product_f16(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, SimMma s, int ta, int tb)
{
    bool fits = s.m <= M_MOST && s.n <= N_MOST && s.k <= K_MOST && s.k % 8 == 0 && s.m % 8 == 0;
    if (!fits || (ta != IT_F16 && ta != IT_BF16) || (tb != IT_F16 && tb != IT_BF16)) return false;
    if (s.m == 16 && s.n == 8 && s.k == 16 && ta == tb)
        m16n8k16(d, a, b, c, ta == IT_BF16);
    else
        any_product(d, a, b, c, s, ta == IT_BF16, tb == IT_BF16);
    return true;
}
#else
bool sim_has_f16(void) { return false; }

bool sim_product_f16(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, SimMma s, int ta, int tb)
{
    (void)d, (void)a, (void)b, (void)c, (void)s, (void)ta, (void)tb;
    return false;
}
#endif
