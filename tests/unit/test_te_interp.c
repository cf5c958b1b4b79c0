/* test_te_interp: native mode. Reference programs against loops written out in C, and many small programs against the
 * plain interpreter of te_run.h, bit for bit, for several numbers of partials. */
#include "te_run.h"

static const Numerics fast = {.ordered = false, .p = 1}, ordered = {.ordered = true, .p = 1};

/* ---- against C -----------------------------------------------------------------------------------------------------
 */
static void test_matmul(void)
{
    Prog *p = prog("op f[M,N,K](A: f32[M,K], B: f32[K,N]) -> (C: f32[M,N]) { C[i,j] = sum{k}(A[i,k] * B[k,j]) }", NULL,
                   "M=7 N=65 K=33");
    if (!p) return;
    const float *a = DATA(p, float, "A"), *b = DATA(p, float, "B");
    for (int parts = 1; parts <= 16; parts += parts == 1 ? 1 : parts == 2 ? 1 : 13) { /* 1 2 3 16 */
        CHECK(run(p, (Numerics){true, parts}) == 0);
        const float *c = DATA(p, float, "C");
        bool ok = true;
        for (int i = 0; i < 7; i++)
            for (int j = 0; j < 65; j++) {
                float part[16] = {0};
                for (int k = 0; k < 33; k++) part[k % parts] = fmaf(a[i * 33 + k], b[k * 65 + j], part[k % parts]);
                for (int n = parts; n > 1; n = (n + 1) / 2) {
                    for (int q = 0; q < n / 2; q++) part[q] = part[2 * q] + part[2 * q + 1];
                    if (n % 2) part[n / 2] = part[n - 1];
                }
                ok &= c[i * 65 + j] == part[0];
            }
        CHECK(ok);
    }
    prog_free(p);
}

static void test_conv(void)
{
    Prog *p =
        prog("op f[N,C,H,W,F,R,S; pd: i32 = 1](X: f32[N,C,H,W], K: f32[F,C,R,S]) -> (Y: f32[N,F,H+2*pd-R+1,W+2*pd-S+1])"
             " where H+2*pd >= R, W+2*pd >= S {"
             " Y[n,f,y,x] = sum{c,r,s}(X[n,c,y+r-pd,x+s-pd | 0.0] * K[f,c,r,s]) }",
             NULL, "N=2 C=3 H=6 W=40 F=4 R=3 S=3");
    if (!p) return;
    CHECK(run(p, ordered) == 0);
    const float *x = DATA(p, float, "X"), *k = DATA(p, float, "K"), *y = DATA(p, float, "Y");
    bool ok = true;
    for (int n = 0; n < 2; n++)
        for (int f = 0; f < 4; f++)
            for (int i = 0; i < 6; i++)
                for (int j = 0; j < 40; j++) {
                    float acc = 0;
                    for (int c = 0; c < 3; c++)
                        for (int r = 0; r < 3; r++)
                            for (int s = 0; s < 3; s++) {
                                int u = i + r - 1, v = j + s - 1;
                                bool in = u >= 0 && u < 6 && v >= 0 && v < 40;
                                float a = in ? x[((n * 3 + c) * 6 + u) * 40 + v] : 0;
                                acc = fmaf(a, k[((f * 3 + c) * 3 + r) * 3 + s], acc);
                            }
                    ok &= y[((n * 4 + f) * 6 + i) * 40 + j] == acc;
                }
    CHECK(ok);
    prog_free(p);
}

static void test_cumsum(void)
{
    Prog *p =
        prog("op f[N,T](X: f32[N,T]) -> (Y: f32[N,T]) { Y[n,t] = X[n,t] + Y[n,t-1 | 0.0] seq t }", NULL, "N=37 T=50");
    if (!p) return;
    CHECK(run(p, fast) == 0);
    const float *x = DATA(p, float, "X"), *y = DATA(p, float, "Y");
    bool ok = true;
    for (int n = 0; n < 37; n++) {
        float acc = 0;
        for (int t = 0; t < 50; t++) ok &= y[n * 50 + t] == (acc = x[n * 50 + t] + acc);
    }
    CHECK(ok);
    prog_free(p);
}

static void test_inout(void)
{
    /* each statement sees the values from before it, at every index */
    Prog *p = prog("op f[N](inout w: f32[N], g: f32[N]) -> () {"
                   " w[i] = w[N-1-i] + g[i]\n w[i] = w[i] * 2.0 - w[N-1-i] }",
                   NULL, "N=70");
    if (!p) return;
    float *w = DATA(p, float, "w"), *g = DATA(p, float, "g"), was[70], mid[70];
    memcpy(was, w, sizeof was);
    CHECK(run(p, fast) == 0);
    bool ok = true;
    for (int i = 0; i < 70; i++) mid[i] = was[69 - i] + g[i];
    for (int i = 0; i < 70; i++) ok &= w[i] == mid[i] * 2.0f - mid[69 - i];
    CHECK(ok);
    prog_free(p);
}

/* fast numerics may make one fma of a product and a sum, in f64 too, whose reference rounds as the program does. */
static void test_contraction(void)
{
    Prog *p =
        prog("op f[N](X: f64[N], A: f64[N], B: f64[N]) -> (Y: f64[N]) { Y[i] = X[i] * A[i] + B[i] }", NULL, "N=50");
    if (!p) return;
    const double *x = DATA(p, double, "X"), *a = DATA(p, double, "A"), *b = DATA(p, double, "B");
    double *y = DATA(p, double, "Y");
    TeCheck result[4];
    int64_t index = 0;
    for (int i = 0; i < 50; i++) y[i] = fma(x[i], a[i], b[i]);
    CHECK(te_check(p->mem, p->op, p->dims, fast, p->data, p->data, 0, 1, result, &index) == 0);
    CHECK(result[3].compared == 50 && result[3].mismatched == 0);
    y[7] += 0x1p-48;
    CHECK(te_check(p->mem, p->op, p->dims, fast, p->data, p->data, 0, 1, result, &index) == 0);
    CHECK(result[3].mismatched == 1 && result[3].at == 7);
    prog_free(p);
}

/* What overflows f8e4m3 is NaN, through functions too; and what may be NaN is not bounded by clamp or tanh. */
static void test_overflow(void)
{
    Prog *p = prog("op f[K](X: f32[K]) -> (Y: f8e4m3[K], Z: i32[K], T: f32[K]) { Y[i] = pow(f8e4m3(0.125), f8e4m3(-448)) "
                   "\n let s[i] = f32(sum{k in 0..K,l in 0..K}(f8e4m3(k) * f8e4m3(l))) + X[i] * 0.0"
                   "\n Z[i] = i32(clamp(s[i], 1.0, 1.0))\n T[i] = tanh(s[i]) }",
                   NULL, "K=8");
    if (!p) return;
    TeCheck result[5];
    int64_t index = 0;
    CHECK(te_interp(p->mem, p->op, p->dims, ordered, p->data, &index) == 0);
    CHECK(num_load(DT_F8E4M3, p->data[1], 0).f != num_load(DT_F8E4M3, p->data[1], 0).f);
    CHECK(*DATA(p, int32_t, "Z") == 0);
    CHECK(te_check(p->mem, p->op, p->dims, fast, p->data, p->data, 0, 1, result, &index) == 0);
    CHECK(result[1].mismatched == 0 && result[2].mismatched == 0);
    CHECK(result[3].mismatched == 0 && result[3].worst <= 1);
    prog_free(p);
}

static void test_gather(void)
{
    const char *text = "op f[V,D,T](E: f32[V,D], id: i32[T]) -> (Y: f32[T,D]) { Y[t,d] = E[id[t],d] }";
    Prog *p = prog(text, NULL, "V=9 D=50 T=5");
    if (!p) return;
    int32_t *id = DATA(p, int32_t, "id"), ids[5] = {8, 0, 3, 3, 1};
    memcpy(id, ids, sizeof ids);
    CHECK(run(p, fast) == 0);
    CHECK(DATA(p, float, "Y")[4 * 50 + 7] == DATA(p, float, "E")[1 * 50 + 7]);
    id[3] = 9;
    int64_t index = 0;
    int status = te_interp(p->mem, p->op, p->dims, fast, p->data, &index);
    CHECK(status >= 1 && status <= p->op->nsites && index == 9);
    id[3] = -1;
    CHECK(te_interp(p->mem, p->op, p->dims, fast, p->data, &index) == status && index == -1);
    prog_free(p);
    /* what a condition excludes is not read */
    p = prog("op f[V,T](E: f32[V], id: i32[T], ok: u1[T]) -> (Y: f32[T], Z: f32) {"
             " Y[t] = ok[t] ? E[id[t]] : 0.0\n Z = sum{t if ok[t] && E[id[t]] > -2.0}(E[id[t]]) }",
             NULL, "V=4 T=40");
    if (!p) return;
    for (int t = 0; t < 40; t++) {
        DATA(p, uint8_t, "ok")[t] = t % 3 == 0;
        DATA(p, int32_t, "id")[t] = t % 3 == 0 ? t % 4 : 1000 + t;
    }
    CHECK(run(p, fast) == 0);
    CHECK(DATA(p, float, "Y")[39] == DATA(p, float, "E")[3] && DATA(p, float, "Y")[38] == 0);
    DATA(p, uint8_t, "ok")[4] = 1;
    CHECK(te_interp(p->mem, p->op, p->dims, fast, p->data, &index) >= 1 && index == 1004);
    prog_free(p);
}

static void test_divide(void)
{
    Prog *p = prog("op f[N](a: i32[N], b: i32[N]) -> (q: i32[N], m: i32[N], s: i32[N]) {"
                   " q[i] = a[i] / b[i]\n m[i] = a[i] % b[i]\n s[i] = b[i] != 0 ? a[i] / b[i] : -1 }",
                   NULL, "N=40");
    if (!p) return;
    int32_t *a = DATA(p, int32_t, "a"), *b = DATA(p, int32_t, "b");
    for (int i = 0; i < 40; i++) a[i] = i - 20, b[i] = i % 2 ? 3 : -3;
    a[0] = INT32_MIN, b[0] = -1;
    CHECK(run(p, fast) == 0);
    CHECK(DATA(p, int32_t, "q")[0] == INT32_MIN && DATA(p, int32_t, "m")[0] == 0);
    CHECK(DATA(p, int32_t, "q")[1] == -7 && DATA(p, int32_t, "m")[1] == 2);
    CHECK(DATA(p, int32_t, "q")[26] == -2 && DATA(p, int32_t, "m")[26] == 0);
    CHECK(DATA(p, int32_t, "q")[28] == -3 && DATA(p, int32_t, "m")[28] == -1);
    b[7] = 0;
    int status = run(p, fast);
    CHECK(status >= 1 && status <= p->op->nsites);
    prog_free(p);
}

static void test_special(void)
{
    Prog *p = prog("op f[N](X: f32[N]) -> (hi: i32, lo: i32, m: f32, none: i32, v: f32[4], w: i32[4]) {"
                   " hi = argmax{i}(X[i])\n lo = argmin{i}(X[i])\n m = max{i}(X[i])\n"
                   " none = argmax{i if X[i] > 9.0}(X[i])\n"
                   " v[s], w[s] = topk{i -> s in 0..4 if X[i] < 5.0}(X[i]) }",
                   NULL, "N=6");
    if (!p) return;
    float x[6] = {1, -0.0f, 0.0f, 7, 7, -3};
    memcpy(p->data[0], x, sizeof x);
    CHECK(run(p, fast) == 0);
    CHECK(*DATA(p, int32_t, "hi") == 3 && *DATA(p, int32_t, "lo") == 5 && *DATA(p, float, "m") == 7);
    CHECK(*DATA(p, int32_t, "none") == -1);
    const int32_t *w = DATA(p, int32_t, "w");
    CHECK(w[0] == 0 && w[1] == 1 && w[2] == 2 && w[3] == 5);
    DATA(p, float, "X")[4] = NAN;
    DATA(p, float, "X")[0] = DATA(p, float, "X")[5] = 8;
    CHECK(run(p, fast) == 0);
    CHECK(*DATA(p, int32_t, "hi") == 4 && isnan(*DATA(p, float, "m")) && *DATA(p, int32_t, "lo") == 1);
    CHECK(w[0] == 1 && w[1] == 2 && w[2] == -1 && w[3] == -1 && DATA(p, float, "v")[3] == -INFINITY);
    prog_free(p);
}

static void test_nibbles(void)
{
    Prog *p =
        prog("op f[M,N](A: u4[M,N]) -> (B: u4[N,M], C: i4[M,N]) { B[j,i] = A[i,j]\n C[i,j] = i4(A[i,j]) - i4(1) }",
             NULL, "M=5 N=37");
    if (!p) return;
    CHECK(run(p, fast) == 0);
    bool ok = true;
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 37; j++) {
            int64_t a = num_load(DT_U4, p->data[0], i * 38 + j).i;
            ok &= num_load(DT_U4, p->data[1], j * 6 + i).i == a;
            ok &= num_load(DT_I4, p->data[2], i * 38 + j).i == num_wrap(DT_I4, a - 1);
        }
    CHECK(ok);
    prog_free(p);
}

/* ---- against the plain interpreter ----------------------------------------------------------------------------------
 */
typedef struct Row {
    const char *text, *dims;
} Row;

static const Row rows[] = {
    {"op f[M,N](X: f32[M,N]) -> (Y: f32[M,N]) { let m[i] = max{j}(X[i,j])\n let e[i,j] = exp(X[i,j]-m[i])\n"
     " let z[i] = sum{j}(e[i,j])\n Y[i,j] = e[i,j]/z[i] }",
     "M=5 N=70"},
    {"op f[M,N](X: f32[M,N]) -> (Y: f32[M,N]) { Y[i,j] = X[i,j] / sum{k}(X[i,k]*X[i,k]) - max{k}(X[k,j]) }",
     "M=40 N=35"},
    /* what has no terms still has as many results as there are lanes */
    {"op f[M,N]() -> (Y: f32[M]) { Y[i] = sum{k in 0..i+1,q in 0..N}(prod{z in 0..0}(f32(k))) }", "M=40 N=3"},
    {"op f[M,N]() -> (Y: f32[M]) { Y[i] = sum{q in 0..N,k in 0..i+1}(max{z in 0..q if z > 9}(f32(k)+1.0) > 0.0 ? 0.0 : f32(k)) }", "M=40 N=3"},
    /* types of accumulators */
    {"op f[M,N,K](A: f16[M,K], B: f16[K,N]) -> (C: f16[M,N]) { C[i,j] = sum{k}(A[i,k]*B[k,j]) }", "M=3 N=40 K=50"},
    {"op f[M,N,K](A: bf16[M,K], B: bf16[K,N]) -> (C: bf16[M,N]) { C[i,j] = sum{k}(A[i,k]*B[k,j]) }", "M=3 N=4 K=50"},
    {"op f[M,K](A: f8e4m3[M,K], B: f8e5m2[M,K]) -> (C: f8e4m3[M], D: f8e5m2[M]) { C[i] = sum{k}(A[i,k])\n D[i] = "
     "prod{k}(B[i,k]*f8e5m2(2.0)) }",
     "M=3 K=50"},
    {"op f[M,N,K](A: tf32[M,K], B: tf32[K,N]) -> (C: tf32[M,N]) { C[i,j] = sum{k}(A[i,k]*B[k,j]) }", "M=3 N=40 K=50"},
    {"op f[M,N,K](A: f64[M,K], B: f64[K,N]) -> (C: f64[M,N], D: f64[M]) { C[i,j] = sum{k}(A[i,k]*B[k,j])\n D[i] = "
     "prod{k}(A[i,k]+1.5) }",
     "M=3 N=40 K=50"},
    {"op f[M,N,K](A: i8[M,K], B: i8[K,N]) -> (C: i8[M,N], D: i32[M,N], E: u16[M]) { C[i,j] = sum{k}(A[i,k]*B[k,j])\n"
     " D[i,j] = sum{k}(i32(A[i,k])*i32(B[k,j]))\n E[i] = prod{k if A[i,k] != 0}(u16(A[i,k])) }",
     "M=3 N=40 K=50"},
    /* minus, casts, conditionals around the product are no fma */
    {"op f[N,K](A: f32[N,K], B: f32[K]) -> (C: f32[N], D: f32[N], E: f32[N], F: f16[N]) { C[i] = "
     "sum{k}(-(A[i,k]*B[k]))\n"
     " D[i] = sum{k if A[i,k] > 0.0}(A[i,k]*B[k])\n E[i] = sum{k}(A[i,k] > 0.0 ? A[i,k]*B[k] : 1.0)\n F[i] = "
     "sum{k}(f16(A[i,k]*B[k])) }",
     "N=40 K=33"},
    /* ranges: dependent, ragged, from data */
    {"op f[N](A: f32[N,N]) -> (C: f32[N], D: f32[N], E: i32[N]) { C[i] = sum{j in 0..i}(A[i,j])\n"
     " D[i] = sum{j in i..N, k in j..N}(A[j,k]*A[i,k])\n E[i] = argmax{j in i/2..i}(A[j,i]) }",
     "N=37"},
    {"op f[R,Z](off: i32[R+1], col: i32[Z], v: f32[Z], x: f32[R]) -> (y: f32[R]) {"
     " y[r] = sum{k in off[r]..off[r+1]}(v[k]*x[col[k]]) }",
     "R=40 Z=200"},
    {"op f[R,Z](off: i32[R+1], v: f32[Z]) -> (y: f32[R], s: f32) { y[r] = sum{a in 0..2, k in off[r]..off[r+1] if v[k] "
     "> -0.5}(v[k]*f32(a+1))\n"
     " s = sum{r in 0..R, k in off[r]..off[r+1]}(v[k]) }",
     "R=40 Z=200"},
    /* conditions shared by both sides, short circuits, select */
    {"fn sq(x) = x * x\nop f[N](a: f32[N], b: f32[N]) -> (c: f32[N], d: f32[N], e: u1[N]) {"
     " c[i] = a[i] > 0.0 ? sq(a[i] + b[i]) : sq(sq(a[i] + b[i]))\n"
     " d[i] = (a[i] > 0.0 ? b[i] : (b[i] > 0.0 ? a[i] : sq(b[i]))) + sq(b[i]) + select(a[i] > b[i], a[i], exp(b[i]))\n"
     " e[i] = a[i] > 0.0 && (b[i] > 0.0 || a[i] < 0.5) || !(b[i] < a[i]) }",
     "N=600"},
    /* functions */
    {"op f[N](a: f32[N], b: f32[N], n: i32[N]) -> (c: f32[N], d: f16[N], e: f64[N], g: f32[N]) {"
     " c[i] = exp(a[i]) + log(abs(a[i])) * tanh(b[i]) - erf(a[i]) / sigmoid(b[i])\n"
     " d[i] = sin(f16(a[i])) + cos(f16(b[i])) * rsqrt(abs(f16(a[i]))) - exp2(f16(b[i]))\n"
     " e[i] = pow(abs(f64(a[i])), f64(b[i])) + log2(abs(f64(b[i]))) + pow(f64(a[i]), n[i]) + sqrt(abs(f64(b[i])))\n"
     " g[i] = fma(a[i], b[i], clamp(a[i], -0.5, 0.25)) + floor(a[i]*9.0) + ceil(b[i]*9.0) + round(a[i]*7.0) + "
     "trunc(b[i]*7.0) + min(a[i], b[i]) }",
     "N=600"},
    /* reductions within reductions, of several variables, over nothing */
    {"op f[N,M](A: f32[N,M]) -> (c: f32[N], d: f32, e: u1[N], g: u1, h: f32[N]) { c[i] = sum{j}(A[i,j] * max{k in "
     "0..N}(A[k,j] - A[i,k | 0.0]))\n"
     " d = prod{i,j}(1.0 + A[i,j]*0.01)\n e[i] = any{j}(A[i,j] > 0.99)\n g = all{i,j}(A[i,j] < 0.5)\n"
     " h[i] = min{j in 3..3}(A[i,j]) + sum{j in 0..0}(A[i,j]) }",
     "N=5 M=6"},
    {"op f[N,M](A: f32[N,M]) -> (v: f32[N,3], w: i32[N,3], u: f32[3,M], x: i32[3,M]) where M >= 3, N >= 3 { v[i,s], "
     "w[i,s] = topk{j -> s in 0..3}(A[i,j])\n"
     " u[s,j], x[s,j] = topk{i -> s in 0..3}(round(A[i,j]*2.0)) }",
     "N=40 M=41"},
    /* recurrences */
    {"op f[N,T](X: f32[N,T], a: f32) -> (Y: f32[N,T]) { Y[n,t] = a * Y[n,t-1 | 0.0] + max(X[n,t], Y[n,t-2 | 1.0]) seq "
     "t }",
     "N=5 T=50"},
    {"op f[T,N](X: f32[T,N]) -> (Y: f32[T,N]) { Y[t,n] = X[t,n] + 0.5 * (Y[t-1,n-1 | 0.0] + Y[t-1,n+1 | 0.0]) seq t }",
     "N=70 T=20"},
    {"op f[T,N](inout W: f32[T,N]) -> () { W[t,n] = W[t,n] + 0.5 * W[t-1,N-1-n | 0.0] + W[t+1,n | 1.0] seq t }",
     "N=40 T=9"},
    {"op f[T](X: f32[T]) -> (Z: f32[T]) { let h[t] = X[t] + 0.25 * h[t-1 | 0.0] seq t\n Z[t] = h[T-1-t] }", "T=77"},
    /* shapes: scalars, long and short rows, many dimensions */
    {"op f[](x: f32, y: i32) -> (z: f32, w: i64) { z = x * 2.0\n w = i64(y) * 3 }", ""},
    {"op f[A,B,C,D](X: f32[A,B,C,D]) -> (Y: f32[D,C,B,A]) { Y[d,c,b,a] = X[a,b,c,d] + f32(a*1000+b*100+c*10+d) }",
     "A=3 B=7 C=5 D=9"},
    {"op f[A,B](X: f32[A,B]) -> (Y: f32[A,B/2]) { Y[a,b] = X[a,2*b] - X[A-1-a,2*b+1] }", "A=3 B=1200"},
    {"op f[N](X: f32[N], k: i32[N]) -> (Y: f32[N]) { Y[i] = X[(i*7 + 3) % N] + X[i/2] + X[clamp(k[i]+i, 0, N-1)] }",
     "N=300"},
    {"op f[S,H,D](X: f32[S,H,D], c: f32[S,D/2], s: f32[S,D/2]) -> (Y: f32[S,H,D]) where D % 2 == 0 {"
     " Y[p,h,d] = X[p,h,d]*c[p,d%(D/2)] + (d < D/2 ? -X[p,h,d+D/2] : X[p,h,d-D/2]) * s[p,d%(D/2)] }",
     "S=5 H=3 D=64"},
    /* every integer type */
    {"op f[N](a: i4[N], b: u4[N], c: i16[N], d: u64[N], e: i64[N], g: u8[N]) -> (o: i4[N], p: u4[N], q: i16[N], r: "
     "u64[N], s: i64[N], t: u8[N]) {"
     " o[i] = a[i]*a[i]+i4(3)\n p[i] = b[i]-u4(9)\n q[i] = min(c[i], -c[i])*i16(1000)\n r[i] = d[i]*d[i]-u64(5)\n s[i] "
     "= abs(e[i])-e[i]*9\n t[i] = max(g[i], u8(7))/u8(3) }",
     "N=75"},
};

static bool same_as_plain(Prog *p, Numerics num, const char *text)
{
    void *want[64] = {0};
    int status = plain_run(p, num, want), got = run(p, num);
    bool ok = CHECK(got == status);
    for (int i = 0; i < p->op->nparams && ok && !status; i++)
        for (int64_t k = 0; k < p->n[i] && ok; k++)
            if (!same_element(p->op->tensor[i]->type, p->data[i], want[i], k)) {
                double x = num_cast(DT_F64, p->op->tensor[i]->type, num_load(p->op->tensor[i]->type, p->data[i], k)).d;
                double y = num_cast(DT_F64, p->op->tensor[i]->type, num_load(p->op->tensor[i]->type, want[i], k)).d;
                printf("%s\n%s[%lld] (ordered %d:%d): %.9g, plainly %.9g\n", text, p->op->tensor[i]->name, (long long)k,
                       num.ordered, num.p, x, y);
                ok = false;
            }
    CHECK(ok);
    for (int i = 0; i < p->op->ntensors; i++) free(want[i]);
    return ok;
}

static void fill_offsets(Prog *p) /* ragged ranges: rising, within the values */
{
    for (int i = 0; i < p->op->nparams; i++) {
        const char *name = p->op->tensor[i]->name;
        int32_t *at = p->data[i];
        for (int64_t k = 0; k < p->n[i] && !strcmp(name, "off"); k++) at[k] = (int32_t)(k * k % 7 + k * 4);
        for (int64_t k = 0; k < p->n[i] && !strcmp(name, "col"); k++) at[k] = (int32_t)(k * 5 % 40);
    }
}

static void test_rows(void)
{
    const Numerics modes[] = {{false, 1}, {true, 1}, {true, 2}, {true, 3}, {true, 7}, {true, 16}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
            Prog *p = prog(rows[i].text, NULL, rows[i].dims);
            if (!p) break;
            fill_offsets(p);
            bool ok = same_as_plain(p, modes[m], rows[i].text);
            prog_free(p);
            if (!ok) break;
        }
}

/* ---- speed
 * ----------------------------------------------------------------------------------------------------------- */
static void speed(const char *what, const char *text, const char *dims, double terms)
{
    Prog *p = prog(text, NULL, dims);
    if (!p) return;
    double start = seconds();
    CHECK(run(p, fast) == 0);
    printf("%-28s %6.0f M terms/s\n", what, terms / (seconds() - start) * 1e-6);
    prog_free(p);
}

int main(void)
{
    test_matmul();
    test_conv();
    test_cumsum();
    test_inout();
    test_contraction();
    test_overflow();
    test_gather();
    test_divide();
    test_special();
    test_nibbles();
    test_rows();
    speed("matmul f32 256^3",
          "op f[M,N,K](A: f32[M,K], B: f32[K,N]) -> (C: f32[M,N]) { C[i,j] = sum{k}(A[i,k] * B[k,j]) }",
          "M=256 N=256 K=256", 256.0 * 256 * 256);
    speed("matmul f32, B transposed",
          "op f[M,N,K](A: f32[M,K], B: f32[N,K]) -> (C: f32[M,N]) { C[i,j] = sum{k}(A[i,k] * B[j,k]) }",
          "M=256 N=256 K=256", 256.0 * 256 * 256);
    speed("matmul f16",
          "op f[M,N,K](A: f16[M,K], B: f16[K,N]) -> (C: f32[M,N]) { C[i,j] = sum{k}(f32(A[i,k]) * f32(B[k,j])) }",
          "M=256 N=256 K=256", 256.0 * 256 * 256);
    speed("sum of squares", "op f[N](A: f32[N]) -> (C: f32) { C = sum{k}(A[k] * A[k]) }", "N=16777216", 16777216);
    speed("conv 3x3, rows of 14",
          "op f[C,H,W,F](X: f32[C,H,W], K: f32[F,C,3,3]) -> (Y: f32[F,H,W]) {"
          " Y[f,y,x] = sum{c,r,s}(X[c,y+r-1,x+s-1 | 0.0] * K[f,c,r,s]) }",
          "C=64 H=14 W=14 F=64", 64.0 * 14 * 14 * 64 * 9);
    return check_done();
}
