/* test_tile_interp: the interpreter of Tile IR against loops in C, and what it says of programs that go wrong. */
#include "ir/tile_priv.h"
#include "tests/unit/check.h"

#include <math.h>
#include <stdlib.h>

static Arena *mem;

static TileProg *parse(const char *text)
{
    Source *src = NEW(mem, Source);
    *src = (Source){"test", text, strlen(text)};
    Diags d = {.mem = mem};
    TileProg *p = tile_parse(mem, src, &d);
    Text t = {.mem = mem};
    text_add(&t, "");
    for (const Diag *g = d.first; g; g = g->next) diag_render(&t, g, false);
    if (!CHECK(p != NULL)) printf("%s", t.s);
    return p;
}

/* Runs the text with the given sizes and tensors; the status. */
static int run(const char *text, const int64_t *dims, void **data, int64_t *index)
{
    TileProg *p = parse(text);
    return p ? tile_interp(p, dims, data, index) : -99;
}

#define RUN(text, index, dims, ...) run(text, (int64_t[])dims, (void *[]){__VA_ARGS__}, index)
#define SIZES(...)                                                                                                     \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static uint64_t next(uint64_t *seed)
{
    return *seed = *seed * 6364136223846793005u + 1442695040888963407u, *seed >> 33;
}
static float random_float(uint64_t *seed) { return (float)((double)next(seed) / (1u << 30) - 1); }

/* ---- loops, buffers, kinds of loops --------------------------------------------------------------------------------
 */
static void matmul(void)
{
    enum { M = 7, N = 9, K = 5 };
    static const char blocked[] =
        "tile f @cpu numerics fast [M, N, K] (A: f32[M, K], B: f32[K, N]) -> (C: f32[M, N]) {"
        "  alloc P: f32[K, (N + 3) / 4 * 4] global"
        "  for k in 0..K { for j in 0..N vector 4 { P[k, j] = B[k, j] } }"
        "  for io in 0..M step 3 parallel {"
        "    let rows = min(M - io, 3)"
        "    for jo in 0..N step 4 {"
        "      alloc acc: f32[3, 4] reg"
        "      for ii in 0..3 unroll { for ji in 0..4 vector 4 { acc[ii, ji] = 0.0:f32 } }"
        "      for k in 0..K unroll 2 { for ii in 0..rows { for ji in jo..min(jo + 4, N) vector 4 {"
        "        acc[ii, ji - jo] sum fma= A[io + ii, k] * P[k, ji] } } }"
        "      for ii in 0..rows { for ji in 0..min(4, N - jo) vector 4 { C[io + ii, jo + ji] = acc[ii, ji] } }"
        "    } } }";
    float a[M][K], b[K][N], c[M][N];
    uint64_t seed = 1;
    for (int i = 0; i < M * K; i++) (&a[0][0])[i] = random_float(&seed);
    for (int i = 0; i < K * N; i++) (&b[0][0])[i] = random_float(&seed);
    CHECK(RUN(blocked, NULL, SIZES(M, N, K), a, b, c) == 0);
    bool same = true;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            float acc = 0;
            for (int k = 0; k < K; k++) acc = fmaf(a[i][k], b[k][j], acc);
            same = same && acc == c[i][j];
        }
    CHECK(same);
}

static void triangle(void)
{
    int32_t y[6];
    CHECK(RUN("tile f @cpu numerics fast [N] () -> (Y: i32[N]) { for i in 0..N { alloc s: i32 reg s = 0:i32"
              "  for j in i..N step 2 { if j % 3 == 0 { s sum= i32(j) } else { let d = j * 2 s sum= i32(d) } } Y[i] = "
              "s } }",
              NULL, SIZES(6), y) == 0);
    for (int i = 0; i < 6; i++) {
        int s = 0;
        for (int j = i; j < 6; j += 2) s += j % 3 == 0 ? j : 2 * j;
        CHECK(y[i] == s);
    }
    CHECK(RUN("tile f @cpu numerics fast [N in 0..9] () -> (Y: i32[N]) { for i in 0..N { Y[i] = 0:i32 } }", NULL,
              SIZES(0), NULL) == 0);
    int64_t count = 0; /* bounds at the ends of the range end */
    CHECK(RUN("tile f @cpu numerics fast [] () -> (y: i64) { for i in 9223372036854775800..9223372036854775807 step 4 "
              "{ y sum= 1:i64 }"
              "  for i in -9223372036854775808..-9223372036854775807 step 9223372036854775807 { y sum= 10:i64 } }",
              NULL, SIZES(0), &count) == 0);
    CHECK(count == 12);
}

/* A buffer starts its life anew, with NaN. */
static void lives(void)
{
    float y[3] = {0};
    CHECK(RUN("tile f @cpu numerics fast [] () -> (Y: f32[3]) { for i in 0..3 { alloc b: f32[2] reg Y[i] = b[1] b[1] = "
              "1.0:f32 } }",
              NULL, SIZES(0), y) == 0);
    CHECK(isnan(y[0]) && isnan(y[1]) && isnan(y[2]));
}

/* ---- expressions ---------------------------------------------------------------------------------------------------
 */
static void guards(void)
{
    float x[2][3] = {{1, 2, 3}, {4, 5, 6}}, y[4][5];
    CHECK(RUN("tile f @cpu numerics fast [N, M] (X: f32[N, M]) -> (Y: f32[N + 2, M + 2]) {"
              "  for i in 0..N + 2 { for j in 0..M + 2 { Y[i, j] = X[i - 1, j - 1 | j < 1 ? -1.0:f32 : 0.5:f32] } } }",
              NULL, SIZES(2, 3), x, y) == 0);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 5; j++) {
            bool in = i >= 1 && i <= 2 && j >= 1 && j <= 3;
            CHECK(y[i][j] == (in ? x[i - 1][j - 1] : j < 1 ? -1.0f : 0.5f));
        }
}

/* What is not taken is not evaluated: none of these divisions and gathers happens. */
static void laziness(void)
{
    static const char text[] =
        "tile f @cpu numerics fast [N] (X: i32[N], k: i32) -> (y: i32, b: u1, c: u1) site gather \"X\" site div \"/\" {"
        "  y = k == 0:i32 ? 7:i32 : 1:i32 /@1 k + X[index(k)]@0"
        "  b = k == 0:i32 || 1:i32 /@1 k == 2:i32"
        "  c = k != 0:i32 && X[index(k) - 1]@0 == 2:i32 }";
    int32_t x[2] = {5, 6}, k = 0, y = 0;
    uint8_t b = 9, c = 9;
    int64_t index = 0;
    CHECK(RUN(text, &index, SIZES(2), x, &k, &y, &b, &c) == 0);
    CHECK(y == 7 && b == 1 && c == 0);
    k = 5;
    CHECK(RUN(text, &index, SIZES(2), x, &k, &y, &b, &c) == 1);
    CHECK(index == 5);
    k = -1;
    CHECK(RUN(text, &index, SIZES(2), x, &k, &y, &b, &c) == 1);
    CHECK(index == -1);
    k = 1;
    CHECK(RUN(text, &index, SIZES(2), x, &k, &y, &b, &c) == 0);
    CHECK(y == 7 && b == 0 && c == 0);
    CHECK(RUN("tile f @cpu numerics fast [] (k: i32) -> (y: i32) site check \"\" site div \"%\" { y = 5:i32 %@1 (k - "
              "1:i32) }",
              &index, SIZES(0), &k, &y) == 2);
}

static void integers(void)
{
    int32_t k = -7, y[6];
    CHECK(RUN("tile f @cpu numerics fast [] (k: i32) -> (Y: i32[6]) { Y[0] = k / 2:i32 Y[1] = k % 2:i32"
              "  Y[2] = i32(-7 / 2) Y[3] = i32(-7 % 3) Y[4] = i32(i8(200:i32)) Y[5] = select(k < 0:i32, -k, k) * "
              "1000000000:i32 }",
              NULL, SIZES(0), &k, y) == 0);
    CHECK(y[0] == -4 && y[1] == 1 && y[2] == -4 && y[3] == 2 && y[4] == -56 && y[5] == (int32_t)7000000000u);
}

/* Rows of i4 start on a byte. */
static void nibbles(void)
{
    uint8_t x[2][2] = {{0x21, 0xf3}, {0x54, 0x06}}; /* rows 1 2 3 and 4 5 6 */
    uint8_t y[3][1] = {{0}};
    int32_t s = 0;
    CHECK(RUN("tile f @cpu numerics fast [] (X: i4[2, 3]) -> (Y: i4[3, 2], s: i32) { s = 0:i32"
              "  for i in 0..2 { for j in 0..3 { Y[j, i] = X[i, j] s sum= i32(X[i, j]) } } }",
              NULL, SIZES(0), x, y, &s) == 0);
    CHECK(s == 21 && y[0][0] == 0x41 && y[1][0] == 0x52 && y[2][0] == 0x63);
}

/* ---- reductions
 * ------------------------------------------------------------------------------------------------------ */
static void reductions(void)
{
    enum { N = 6 };
    float x[N] = {1.5f, -2, NAN, 0.25f, 3, -0.0f}, s, p, f, lo, hi;
    uint8_t b[N] = {0, 1, 0, 0, 1, 1}, any, all;
    x[2] = 2;
    CHECK(RUN("tile f @cpu numerics fast [N] (X: f32[N], B: u1[N]) -> (s: f32, p: f32, f: f32, lo: f32, hi: f32, y: "
              "u1, a: u1) {"
              "  s = 0.0:f32 p = 1.0:f32 f = 0.0:f32 lo = inf:f32 hi = -inf:f32 y = false a = true"
              "  for i in 0..N { s sum= X[i] p prod= X[i] + 1.0:f32 f sum fma= X[i] * X[i] lo min= X[i] hi max= X[i]"
              "    y any= B[i] a all= B[i] } }",
              NULL, SIZES(N), x, b, &s, &p, &f, &lo, &hi, &any, &all) == 0);
    float ws = 0, wp = 1, wf = 0;
    for (int i = 0; i < N; i++) ws += x[i], wp *= x[i] + 1.0f, wf = fmaf(x[i], x[i], wf);
    CHECK(s == ws && p == wp && f == wf && lo == -2 && hi == 3 && any == 1 && all == 0);
}

/* An fma into f16: exact product and sum in one f32 rounding, then f16. */
static void half_fma(void)
{
    static const float av[3] = {1.001f, 255.9f, -3.3f}, bv[3] = {1.7f, 0.3f, 9.9f};
    uint16_t a[3], b[3], y = 0;
    float want = 0;
    for (int i = 0; i < 3; i++) {
        float x = num_round(DT_F16, av[i]), z = num_round(DT_F16, bv[i]);
        num_store(DT_F16, a, i, (Num){.f = x});
        num_store(DT_F16, b, i, (Num){.f = z});
        want = num_round(DT_F16, fmaf(x, z, want));
    }
    CHECK(RUN("tile f @cpu numerics fast [] (A: f16[3], B: f16[3]) -> (y: f16) { y = 0.0:f16"
              "  for i in 0..3 { y sum fma= A[i] * B[i] } }",
              NULL, SIZES(0), a, b, &y) == 0);
    CHECK(num_load(DT_F16, &y, 0).f == want);
}

static void arg(const float *x, int n, int32_t want_max, int32_t want_min)
{
    float v = 0, u = 0;
    int32_t w = 0, z = 0;
    CHECK(RUN("tile f @cpu numerics fast [N] (X: f32[N]) -> (v: f32, w: i32, u: f32, z: i32) {"
              "  v = -inf:f32 w = -1:i32 u = inf:f32 z = -1:i32"
              "  for i in 0..N { v argmax= X[N - 1 - i] where w = N - 1 - i u argmin= X[i] where z = i32(i) } }",
              NULL, SIZES(n), (void *)x, &v, &w, &u, &z) == 0);
    CHECK(w == want_max);
    CHECK(z == want_min);
}

static void arguments(void)
{
    arg((float[]){1, 3, 2, 3, 1}, 5, 1, 0);        /* ties go to the lower index, whatever the order */
    arg((float[]){-INFINITY, -INFINITY}, 2, 0, 0); /* the identity's own value is still a candidate */
    arg((float[]){INFINITY, INFINITY}, 2, 0, 0);
    arg((float[]){1, NAN, 2, NAN}, 4, 1, 0); /* NaN is largest */
    arg((float[]){NAN, NAN, 5}, 3, 0, 2);
    arg((float[]){-0.0f, 0.0f}, 2, 0, 0); /* and -0 equals +0 */
    arg((float[]){0}, 0, -1, -1);
}

static int order(const float *x, int a, int b)
{
    bool na = isnan(x[a]), nb = isnan(x[b]);
    if (na != nb) return na ? -1 : 1;
    if (!na && x[a] != x[b]) return x[a] > x[b] ? -1 : 1;
    return a - b;
}

static void topk(void)
{
    enum { N = 12, K = 5 };
    uint64_t seed = 7;
    for (int round = 0; round < 50; round++) {
        float x[N], v[2][K];
        int32_t w[2][K];
        int rank[N], n = 1 + (int)(next(&seed) % N);
        for (int i = 0; i < n; i++) {
            uint64_t r = next(&seed) % 10;
            x[i] = r == 0 ? NAN : r == 1 ? -INFINITY : (float)r;
            int at = i;
            for (; at > 0 && order(x, i, rank[at - 1]) < 0; at--) rank[at] = rank[at - 1];
            rank[at] = i;
        }
        CHECK(RUN("tile f @cpu numerics fast [N, K] (X: f32[N]) -> (V: f32[2, K], W: i32[2, K]) {"
                  "  for r in 0..2 { for s in 0..K { V[r, s] = -inf:f32 W[r, s] = -1:i32 } }"
                  "  for i in 0..N { insert X[i], i into V[0, ..K], W insert X[N - 1 - i], N - 1 - i into V[1, ..K], W "
                  "} }",
                  NULL, SIZES(n, K), x, v, w) == 0);
        for (int r = 0; r < 2; r++)
            for (int s = 0; s < K; s++) {
                CHECK(w[r][s] == (s < n ? rank[s] : -1));
                CHECK(s < n && isnan(x[rank[s]]) ? isnan(v[r][s]) : v[r][s] == (s < n ? x[rank[s]] : -INFINITY));
            }
    }
}

/* ---- what goes wrong ------------------------------------------------------------------------------------------------
 */
static void outside(void)
{
    float x[4] = {0}, y[4] = {0};
    int32_t w[4] = {0};
    int64_t index = 0;
    CHECK(RUN("tile f @cpu numerics fast [N] (X: f32[N]) -> (Y: f32[N]) { Y[0] = X[N] }", &index, SIZES(4), x, y) ==
          TILE_OUT_OF_BOUNDS);
    CHECK(index == 4);
    CHECK(RUN("tile f @cpu numerics fast [N] (X: f32[N]) -> (Y: f32[N]) { Y[-1] = X[0] }", &index, SIZES(4), x, y) ==
          TILE_OUT_OF_BOUNDS);
    CHECK(index == -1);
    CHECK(RUN("tile f @cpu numerics fast [N] (X: f32[N]) -> (Y: f32[N]) { Y[N] sum= X[0] }", &index, SIZES(4), x, y) ==
          TILE_OUT_OF_BOUNDS);
    CHECK(
        RUN("tile f @cpu numerics fast [N] (X: f32[N]) -> (Y: f32[N], W: i32[N]) { insert X[0], 0 into Y[..N + 1], W }",
            &index, SIZES(4), x, y, w) == TILE_OUT_OF_BOUNDS);
    CHECK(RUN("tile f @cpu numerics fast [N] (X: f32[N]) -> (Y: f32[N]) { alloc b: f32[4000000000, 4000000000, N] "
              "global }",
              &index, SIZES(4), x, y) == TILE_NO_MEMORY);
    TileProg *p = parse("tile f @cpu numerics fast [N] () -> () { for i in 0..1000000000000 { } }");
    CHECK(tile_interp_limited(p, (int64_t[]){4}, NULL, &index, 1000, 1000) == TILE_TOO_LONG);
    p = parse("tile f @cpu numerics fast [N] () -> () { alloc b: f32[N] local }");
    CHECK(tile_interp_limited(p, (int64_t[]){400}, NULL, &index, 1000, 1000) == TILE_NO_MEMORY);
    CHECK(tile_interp_limited(p, (int64_t[]){100}, NULL, &index, 1000, 1000) == 0);
}

int main(void)
{
    static void (*const tests[])(void) = {matmul,  triangle,   lives,    guards,    laziness, integers,
                                          nibbles, reductions, half_fma, arguments, topk,     outside};
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        mem = arena_new();
        tests[i]();
        arena_free(mem);
    }
    return check_done();
}
