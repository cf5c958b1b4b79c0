/* test_codegen_forms: compiled statements and accesses against the Tile interpreter, bit for bit: reductions of every
 * kind in scalar loops, in lanes and across lanes, insertions, conditions, guarded and gathered reads, faults, sub-byte
 * tensors, register and local buffers, workspace, parallel loops, strides, checks of sizes. `test_codegen_forms
 * --speed` prints the speed of the matmul microkernel. */
#include "tests/unit/cg_run.h"

#include <time.h>

/* ---- reductions
 * ---------------------------------------------------------------------------------------------------------------------
 */
static const char *init(Arena *mem, RedOp r, DType t)
{
    Num v = num_identity(r, t);
    const char *ty = te_type[t].name;
    if (t == DT_U1) return v.i ? "true" : "false";
    if (te_type[t].cls == 'U') return arena_printf(mem, "%llu:%s", (unsigned long long)v.i, ty);
    if (te_type[t].reg == RC_I64) return arena_printf(mem, "%lld:%s", (long long)v.i, ty);
    double d = te_type[t].reg == RC_F64 ? v.d : (double)v.f;
    return isinf(d) ? arena_printf(mem, "%sinf:%s", d < 0 ? "-" : "", ty) : arena_printf(mem, "%.1f:%s", d, ty);
}

static bool reduces(RedOp r, DType t)
{
    if (r == RED_TOPK) return false;
    if (r == RED_ANY || r == RED_ALL) return t == DT_U1;
    return t != DT_U1;
}

/* One accumulator for all of a loop, in loops of every kind; then one (of two) for each lane. */
static void reduction(RedOp r, DType t, bool fma)
{
    static const char *const loops[] = {"", " vector 8", " vector 32", " vector 5", " unroll 3", " vector 64"};
    enum { LOOPS = sizeof loops / sizeof loops[0] };
    Arena *mem = arena_new();
    const char *ty = te_type[t].name, *zero = init(mem, r, t), *op = te_red_name[r];
    bool arg = r == RED_ARGMAX || r == RED_ARGMIN;
    if (fma) op = arena_printf(mem, "%s fma", op);
    Text s = {.mem = mem};
    text_printf(&s, "tile red @cpu numerics ordered:1 [N in 0..100, M in 0..10] (X: %s[N], W: %s[M, N]) -> (R: %s[N]",
                ty, ty, ty);
    for (int i = 0; i < LOOPS; i++) text_printf(&s, arg ? ", Y%d: %s, I%d: i32" : ", Y%d: %s", i, ty, i);
    text_printf(&s, ") {\n");
    for (int i = 0; i < LOOPS; i++) {
        text_printf(&s, "  Y%d = %s\n", i, zero);
        if (arg) text_printf(&s, "  I%d = -1:i32\n", i);
        text_printf(&s, "  for k in 0..N%s { Y%d %s= %s", loops[i], i, op, fma ? "X[k] * W[0, k | X[0]]" : "X[k]");
        text_printf(&s, arg ? " where I%d = k }\n" : " }\n", i);
    }
    text_printf(&s, "  for j in 0..N vector 8 {\n    alloc acc: %s[2] reg\n    acc[0] = %s\n    acc[1] = %s\n", ty,
                zero, zero);
    if (arg) text_printf(&s, "    alloc w: i32[2] reg\n    w[0] = -1:i32\n    w[1] = -1:i32\n");
    text_printf(&s, "    for i in 0..M { for u in 0..2 unroll { if i %% 2 == u || j > 3 {\n");
    text_printf(&s, "      acc[u] %s= %s%s\n    } } }\n", op, fma ? "W[i, j] * X[j]" : "W[i, j]",
                arg ? " where w = i" : "");
    text_printf(&s, "    R[j] = acc[0] %s acc[1]\n  }\n}\n", t == DT_U1 ? "||" : te_is_float(t) ? "-" : "+");
    Kernel k = compile(s.s, plain);
    run_sizes(&k, 5, 0);
    release(&k);
    arena_free(mem);
}

static void reductions(void)
{
    for (int t = DT_INDEX + 1; t < DT_COUNT; t++)
        for (int r = 0; r < RED_COUNT; r++) {
            if (!reduces((RedOp)r, (DType)t)) continue;
            reduction((RedOp)r, (DType)t, false);
            if (r == RED_SUM && te_is_float((DType)t)) reduction((RedOp)r, (DType)t, true);
        }
}

/* ---- forms
 * ------------------------------------------------------------------------------------------------------------------------------
 */
typedef struct Form {
    const char *name, *text; /* after `tile NAME @cpu numerics ordered:1`; V stands for a kind of loop */
    int64_t second, top;     /* the second dim; indices in id… are below top */
} Form;

static const Form forms[] = {
    {"strides",
     "[N in 0..100, M] (X: f32[N, M], H: f16[M, N], B: u8[5 * N + 5]) -> (A: f32[N], Y: f32[N], Z: f16[N], W: i32[N], "
     "R: f32[N], E: f32[2 * N])"
     "{ for i in 0..N V { A[i] = X[i, 1]  Y[i] = X[0, 0] + f32(i)  Z[i] = H[2, N - 1 - i] + H[0, i]"
     "  W[i] = i32(B[2 * i]) + i32(B[3 * i + 1]) * 3:i32 + i32(B[4 * i + 2]) * 5:i32 + i32(B[5 * i])  R[N - 1 - i] = "
     "f32(i) E[2 * i] = X[i, 0] E[2*i+1] = f32(i*i) } }",
     3, 0},
    {"guards",
     "[N in 0..100, M] (X: f32[N], A: f32[M, N], H: i8[N], D: f64[N]) -> (Y: f32[N], Z: f32[N], C: i8[N], E: f64[N], "
     "G: f32[M, N])"
     "{ for i in 0..N V { Y[i] = X[i - 1 | 0.0:f32] + X[i + 1 | -1.0:f32] + X[i - 9 | X[i]] Z[i] = A[i, i | 2.0:f32] + "
     "A[i / 3, 2 * i - 3 | X[0, | f32(i)]]"
     "  C[i] = H[i + 3 | 1:i8] + H[i - 2 | H[i - 3 | 7:i8]]  E[i] = D[i * 2 | D[0]] } "
     "  for m in 0..M { for i in 0..N V { G[m, i] = A[m - 1, i | 0.0:f32] + A[m + 1, i - 2 | X[i]] + A[m, i] } } }",
     4, 0},
    {"selects",
     "[N in 0..100, M] (X: f32[N], T: u1[N], K: i32[N], D: f64[N], s: f32) -> (Y: f32[N], Z: i32[N], U: u1[N], E: "
     "f64[N], F: f32[N])"
     "{ for i in 0..N V { Y[i] = i > 0 ? X[i - 1] : s  Z[i] = T[i] && i + 2 < N && K[i + 2] > 0:i32 ? K[i + 2] : i >= "
     "3 ? -K[i - 3] : i32(i)"
     "  U[i] = T[i] || X[i] < s && (i == 4 || i != 5 && i * 2 < N + 3)  E[i] = T[i] ? sqrt(D[i]) : i <= 7 ? D[N - 1 - "
     "i] : f64(i)"
     "  F[i] = M > 2 ? X[i] : X[i + 1000000]  if T[i] { F[i] = 3.0:f32 } else { if i < 20 { F[i] sum= X[i] } }"
     "  F[i] sum= select(T[i], X[i], s) } }",
     5, 0},
    {"gather",
     "[N in 0..100, M] (E: f32[M, 7], B: i8[M], Q: u4[M], id: i32[N], idb: i64[N]) -> (Y: f32[N], Z: i8[N], W: u4[N])"
     " site gather \"a\" E site gather \"b\" B site gather \"q\" Q"
     "{ for i in 0..N V { Y[i] = E[index(id[i]), 3]@0 + E[index(idb[i]), i % 7]@0  Z[i] = B[index(id[i])]@1  W[i] = "
     "Q[index(idb[i])]@2 } }",
     20, 20},
    {"gather_out",
     "[N in 0..100, M] (E: f32[M, 7], B: i8[M], id: i32[N], T: u1[N]) -> (Y: f32[N], Z: i8[N])"
     " site gather \"a\" E site gather \"b\" B"
     "{ for i in 0..N V { Y[i] = T[i] ? E[index(id[i]), 3]@0 : 0.0:f32 } for i in 0..N V { Z[i] = B[index(id[i]) - "
     "1]@1 } }",
     20, 21},
    {"gather_uniform",
     "[N in 0..100, M] (E: f32[M, 9], id: i32[N]) -> (Y: f32[N, 9]) site gather \"a\" E"
     "{ for i in 0..N { for j in 0..9 V { Y[i, j] = E[index(id[i]), j]@0 } } }",
     20, 21},
    {"gather_guarded",
     "[N in 0..100, M] (E: f32[M, 7], id: i32[N]) -> (Y: f32[N]) { for i in 0..N V { Y[i] = E[index(id[i]) - 3, i % 5 "
     "| f32(i)] } }",
     12, 21},
    {"divide",
     "[N in 0..100, M] (X: i32[N], pos: i32[N], B: i8[N], posb: i8[N], L: i64[N], posl: i64[N], U: u32[N], posu: "
     "u32[N]) -> (Y: i32[N], Z: i8[N], W: i64[N], V1: u32[N], I: i64[N])"
     " site div \"x\""
     "{ for i in 0..N V { Y[i] = X[i] /@0 pos[i] + X[i] %@0 pos[i]  Z[i] = B[i] /@0 posb[i] * 3:i8 + B[i] %@0 posb[i]  "
     "W[i] = L[i] / 7:i64 + L[i] %@0 posl[i] - L[i] / -1:i64"
     "  V1[i] = U[i] /@0 posu[i] + U[i] % 10:u32  I[i] = i64(i / 3 + i % 5 * 7 + (i - 9) / 4 * 100 + (i - 9) % 4 * "
     "1000 + i / M + (i + 2) % M * 11 + (i * 3) / M + (i * 3) % 16 + i % 100) } }",
     3, 0},
    {"divide_more",
     "[N in 0..100, M] (X: i32[N]) -> (I: i64[N]) { for i in 0..N V { I[i] = i64(i / M + (i + 2) % M * 11 + (i * 3) / "
     "M + (i - 4) % M) } }",
     40, 0},
    {"divide_zero",
     "[N in 0..100, M] (X: i32[N], T: u1[N], Z: i32[N]) -> (Y: i32[N]) site div \"x\""
     "{ for i in 0..N V { Y[i] = T[i] && Z[i] != 0:i32 ? X[i] /@0 Z[i] : Z[i] == 3:i32 ? X[i] /@0 (Z[i] - 3:i32) : "
     "0:i32 } }",
     3, 0},
    {"nibbles",
     "[N in 0..100, M] (X: i4[M, N], Y: u4[N], T: u1[N], id: i32[N]) -> (A: i4[M, N], B: u4[N], C: i8[N], D: i4[N], E: "
     "u4[2 * N + 1])"
     "{ for m in 0..M { for i in 0..N V { A[m, i] = X[m, N - 1 - i] + X[m, i] } }"
     "  for i in 0..N V { B[i] = Y[i] * 3:u4 - Y[i + 1 | 5:u4]  C[i] = i8(X[1, i - 1 | -8:i4]) + i8(Y[index(id[i]) | "
     "1:u4]) D[i] = i4(i) if T[i] { D[i] = i4(Y[i]) } }"
     "  for i in 0..2 * N + 1 { E[i] = 1:u4 } for i in 0..N V { E[i + 1] = Y[i] } for i in 0..N { E[2 * i] sum= Y[i] } "
     "}",
     3, 40},
    {"topk",
     "[N in 0..100, M] (X: f32[M, N], T: u1[N]) -> (v: f32[M, 4], w: i32[M, 4], x: f32[M, 3], y: i32[M, 3])"
     "{ for i in 0..M V { for s in 0..4 { v[i, s] = -inf:f32 w[i, s] = -1:i32 } for j in 0..N { if T[j] { insert X[i, "
     "j], j into v[i, ..4], w } } }"
     "  alloc a: f32[M, 3] local alloc b: i32[M, 3] local for i in 0..M V { alloc c: f64[5] reg alloc d: i32[5] reg "
     "for s in 0..5 { c[s] = -inf:f64 d[s] = -1:i32 }"
     "  for s in 0..3 { a[i, s] = -inf:f32 b[i, s] = -1:i32 } for j in 0..N { if X[i, j] > -2.0:f32 { insert f64(X[i, "
     "j]), N - j into c[..5], d } insert X[i, j], j into a[i, ..2], b }"
     "  for s in 0..3 { x[i, s] = a[i, s] + f32(c[s + 2]) y[i, s] = b[i, s] - d[s + 2] } } }",
     11, 0},
    {"registers",
     "[N in 0..100, M] (X: f32[M, N], H: f16[N], T: u1[N]) -> (Y: f32[M, N], Z: f32[N], U: u1[N])"
     "{ for i in 0..M step 4 { for j in 0..N V { alloc a: f32[4] reg alloc h: f16[2] reg alloc u: u1[2] reg alloc q: "
     "i4[3] reg"
     "  for k in 0..4 unroll { a[k] = X[min(i + k, M - 1), j] } h[0] = H[j] h[1] = h[0] * h[0] u[0] = T[j] u[1] = "
     "!u[0] q[2] = i4(j)"
     "  for k in 1..4 { a[k] sum= a[k - 1] * f32(h[k % 2]) } if u[1] { a[0] = f32(q[2]) }"
     "  for k in 0..min(4, M - i) { Y[i + k, j] = a[k] } U[j] = u[0] && X[0, j] < 0.5:f32 } }"
     "  alloc acc: f32[8] reg for l in 0..8 vector 8 { acc[l] = 0.0:f32 } for b in 0..N step 8 { for l in 0..min(8, N "
     "- b) vector 8 { acc[l] sum= X[0, b + l] } }"
     "  for j in 0..N V { Z[j] = acc[j % 8] + acc[3] } }",
     6, 0},
    {"locals",
     "[N in 0..100, M] (X: f32[M, N], H: f16[N]) -> (Y: f32[M, N], Z: f16[N], S: f32)"
     "{ alloc t: f32[M, N] local alloc h: f16[N] local alloc s: f32 local alloc q: u4[N] local alloc big: f64[3000] "
     "local s = 0.0:f32"
     "  for i in 0..3000 V { big[i] = f64(i) }"
     "  for j in 0..N V { h[j] = H[j] + H[N - 1 - j] q[j] = u4(j) }"
     "  for i in 0..M { alloc row: f32[N] local for j in 0..N V { row[j] = X[i, j] + f32(h[j]) } for j in 0..N V { "
     "t[i, j] = row[N - 1 - j] * f32(q[j]) } }"
     "  for i in 0..M { for j in 0..N V { Y[i, j] = t[i, j] + f32(big[i * 100 + j]) s sum= t[i, j] } } for j in 0..N V "
     "{ Z[j] = h[j] } S = s }",
     5, 0},
    {"parallel",
     "[N in 0..100, M] (X: f32[N, M], s: f32, id: i32[N]) -> (Y: f32[N, M], Z: f32[N], P: u4[N, M]) site gather \"x\" X"
     "{ alloc t: f32[N] local alloc n: f32[2] local n[0] = s n[1] = s * s let half = M / 2"
     "  for i in 0..N parallel { alloc row: f32[M] local alloc acc: f32[M] reg for j in 0..M V { row[j] = X[i, j] * "
     "n[i % 2] + f32(half) }"
     "    t[i] = 0.0:f32 for j in 0..M { t[i] sum= row[j] } for j in 0..M parallel { Y[i, j] = row[M - 1 - j] + "
     "X[index(id[i]), j]@0 P[i, j] = u4(j) } }"
     "  let twice = half * 2 for i in 0..N step 3 parallel { Z[i] = t[i] + f32(twice) + n[0] if i + 1 < N { Z[i + 1] = "
     "t[i] } if i + 2 < N { Z[i + 2] = f32(i) } } }",
     17, 0},
    {"loops",
     "[N in 0..100, M] (X: f32[N], len: u8[N]) -> (Y: f32[N], Z: f32[N], C: i32)"
     "{ C = 0:i32 for i in 3..N step 4 { C sum= i32(i) } for i in N..0 { C sum= 1:i32 } for i in 0..N unroll 4 { Y[i] "
     "= X[i] let t = i * 2 if t < N { Y[i] sum= X[t] } }"
     "  for i in 0..N { Z[i] = 0.0:f32 for k in 0..index(len[i] % 5:u8) unroll 2 { Z[i] sum= X[i] } }"
     "  for i in 0..N step 2 V { Y[i] sum= 1.0:f32 } for i in 1..N step 3 V { Y[i] sum= X[i] for k in 0..3 { Y[i] sum= "
     "f32(k) } }"
     "  for b in 0..N step 10 { for i in b..min(b + 10, N) V { Z[i] sum= f32(i - b) } } for i in 2..7 V { C sum= "
     "i32(i) } for i in 0..16 V { C max= i32(i) } }",
     5, 0},
    {"reshape",
     "[N in 0..100, M] (X: f32[N, M]) -> (Y: f32[N * M], Z: f32[N, M], i0: i64[N]) { for i in 0..N * M V { Y[i] = X[i "
     "/ M, i % M] } for i in 0..N { for j in 0..M V { Z[i, j] = Y[i * M + j] } } for i in 0..N V { i0[i] = i64(i * i - "
     "3) } }",
     7, 0},
    {"across",
     "[N in 0..100, M] (X: f32[M, N], K: i32[M, N], D: f64[N]) -> (S: f32[M], L: i32[M], B: i32, G: f32, G2: f64, A: "
     "f32[3], W: i32[3])"
     "{ for i in 0..M { S[i] = -inf:f32 L[i] = 0:i32 } B = 0:i32 G = 0.0:f32 G2 = 1.0:f64 for k in 0..3 { A[k] = "
     "inf:f32 W[k] = -1:i32 }"
     "  for j in 0..N V { for i in 0..M { S[i] max= X[i, j] L[i] sum= K[i, j] if K[i, j] > 0:i32 { B sum= K[i, j] } } "
     "G sum= X[0, j] G2 prod= D[j] }"
     "  for j in 0..N V { for k in 0..3 unroll { A[k] argmin= X[k, j] where W = j } } for j in 0..N V { A[1] argmin= "
     "X[2, j] where W = N - j } }",
     4, 0},
};

static void form(const Form *f, const char *loop, bool strided)
{
    Arena *mem = arena_new();
    Text s = {.mem = mem};
    text_printf(&s, "tile %s @cpu numerics ordered:1 ", f->name);
    for (const char *c = f->text; *c; c++)
        if (c[0] == 'V' && c[1] == ' ')
            text_add(&s, loop);
        else
            text_char(&s, *c);
    Kernel k = compile(s.s, (CgOptions){.opt = 2, .strided = strided});
    bool parallel = ir_streq(f->name, "parallel");
    if (strided || parallel)
        for (int gap = 0; gap < 3; gap++)
            for (int i = 0; i < NSIZES; i++)
                run(&k, (Run){.dims = {sizes[i], f->second},
                              .seed = (uint64_t)(i + 3),
                              .top = parallel ? sizes[i] : f->top,
                              .gap = gap,
                              .at_end = gap != 1,
                              .threads = i % 4,
                              .no_fault = gap == 2});
    else
        run_sizes(&k, f->second, f->top);
    release(&k);
    arena_free(mem);
}

static void all_forms(const char *only)
{
    static const char *const loops[] = {"", "vector 8", "vector 16", "vector 4", "vector 6"};
    for (int i = 0; i < (int)(sizeof forms / sizeof forms[0]); i++)
        for (int l = 0; l < (int)(sizeof loops / sizeof loops[0]); l++) {
            if (only && !ir_streq(only, forms[i].name)) continue;
            form(&forms[i], loops[l], false);
            form(&forms[i], loops[l], true);
        }
}

/* Blocks that are read along one side and stored along the other, n columns of w lanes. */
static void turned(DType from, DType to, int w)
{
    static const int columns[] = {2, 3, 4, 6, 8, 14, 15, 16, 17, 24, 31, 32, 33};
    enum { COLUMNS = sizeof columns / sizeof columns[0] };
    Arena *mem = arena_new();
    Text s = {.mem = mem};
    const char *a = te_type[from].name, *b = te_type[to].name;
    text_printf(&s, "tile turned @cpu numerics ordered:1 [N in 0..100, M in 0..10] (X: %s[M * 20, N]) -> (", a);
    for (int i = 0; i < COLUMNS; i++) text_printf(&s, "%sY%d: %s[N + 1, %d]", i ? ", " : "", i, b, columns[i] + 1);
    text_add(&s, ") {\n");
    for (int i = 0; i < COLUMNS; i++)
        text_printf(&s, "  for k in 0..N vector %d { for j in 0..%d unroll { Y%d[k, j] = %s(X[j, k]) } }\n", w, columns[i], i, from == to ? "" : b);
    text_add(&s, "}\n");
    Kernel k = compile(s.s, plain);
    run_sizes(&k, 5, 0);
    release(&k);
    arena_free(mem);
}

static void all_turned(void)
{
    static const DType t[] = {DT_F16, DT_BF16, DT_F32, DT_F64, DT_I16, DT_I8, DT_I64};
    for (int i = 0; i < (int)(sizeof t / sizeof *t); i++)
        for (int w = 2; w <= 16; w *= 2) turned(t[i], t[i], w);
    turned(DT_F16, DT_F32, 8);
    turned(DT_F32, DT_F64, 8);
}

int main(int argc, char **argv)
{
    Arena *mem = arena_new();
    if (!cg_start(mem)) return check_done();
    if (argc < 2) {
        reductions();
        all_turned();
    }
    all_forms(argc > 1 ? argv[1] : NULL);
    cg_engine_free(engine);
    arena_free(mem);
    return check_done();
}
