/* num_array: the operations of num.c over arrays of held values, for the interpreters.
 *
 * The loops are in num_lanes.h and are compiled for baseline x86-64 and for AVX2 with FMA, chosen at each call; other
 * processors have one copy. Optimised for speed whatever the build says, because the reference interpreter is as slow
 * as this file. Needs -ffp-contract=off. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#endif

#include "ir/num_priv.h"

/* Types held as they lie in memory, or by a plain conversion: X(type, held as, lies as). */
#define PLAIN_TYPES(X)                                                                                                 \
    X(INDEX, int64_t, int64_t)                                                                                         \
    X(F64, double, double)                                                                                             \
    X(F32, float, float)                                                                                               \
    X(I64, int64_t, int64_t)                                                                                           \
    X(I32, int64_t, int32_t)                                                                                           \
    X(I16, int64_t, int16_t)                                                                                           \
    X(I8, int64_t, int8_t)                                                                                             \
    X(U64, int64_t, uint64_t)                                                                                          \
    X(U32, int64_t, uint32_t)                                                                                          \
    X(U16, int64_t, uint16_t)                                                                                          \
    X(U8, int64_t, uint8_t)

#define CODED_TYPES(X)                                                                                                 \
    X(TF32, uint32_t)                                                                                                  \
    X(F16, uint16_t)                                                                                                   \
    X(BF16, uint16_t)                                                                                                  \
    X(F8E4M3, uint8_t)                                                                                                 \
    X(F8E5M2, uint8_t)

#define LANES(name) name##_base
#define LANES_TARGET
#include "ir/num_lanes.h"
#undef LANES
#undef LANES_TARGET

#ifdef __x86_64__
#define LANES(name)  name##_avx2
#define LANES_TARGET __attribute__((target("avx2,fma")))
#include "ir/num_lanes.h"
#define CALL(name, ...)                                                                                                \
    (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? name##_avx2(__VA_ARGS__)                        \
                                                                     : name##_base(__VA_ARGS__))
#else
#define CALL(name, ...) name##_base(__VA_ARGS__)
#endif

static void pick(DType t, size_t n, void *out, const void *const *arg)
{
    const int64_t *c = arg[0];
    if (te_type[t].reg == RC_F32) {
        const uint32_t *a = arg[1], *b = arg[2];
        uint32_t *o = out;
        for (size_t i = 0; i < n; i++) o[i] = c[i] ? a[i] : b[i];
    } else {
        const uint64_t *a = arg[1], *b = arg[2];
        uint64_t *o = out;
        for (size_t i = 0; i < n; i++) o[i] = c[i] ? a[i] : b[i];
    }
}

void num_op_n(ExprOp op, DType t, size_t n, void *out, const void *const *arg, bool *div0)
{
    int arity = te_expr[op].arity;
    if (op == EX_PICK || op == EX_SELECT) {
        pick(t, n, out, arg);
    } else if (te_type[t].reg == RC_I64) {
        if ((op == EX_DIV || op == EX_MOD) && div0) {
            const int64_t *b = arg[1];
            bool zero = false;
            for (size_t i = 0; i < n; i++) zero |= !b[i];
            *div0 |= zero;
        }
        CALL(op_int, op, int_form(t), n, out, arg, arity);
    } else {
        const MathProg *p = num_math(op, t == DT_F64 ? DT_F64 : DT_F32);
        bool truth = op >= EX_EQ && op <= EX_GE;
        if (p)
            num_math_run(p, n, out, arg);
        else if (t == DT_F64)
            CALL(op_f64, op, n, out, arg, arity);
        else
            CALL(op_f32, op, n, out, arg, arity);
        if (te_type[t].reg == RC_F32 && t != DT_F32 && !truth) CALL(round, t, n, out, out);
    }
}

void num_cast_n(DType to, DType from, size_t n, void *out, const void *x)
{
    RegClass a = te_type[from].reg, b = te_type[to].reg;
    if (to == from) {
        if (out != x) memmove(out, x, n * (a == RC_F32 ? sizeof(float) : sizeof(double)));
    } else if (a == RC_I64 && b == RC_I64) {
        CALL(wrap, int_form(to), n, out, x);
    } else if (a == RC_F32 && b == RC_F32) {
        CALL(round, to, n, out, x);
    } else if (a == RC_F64 && b == RC_F32 && out != x) {
        CALL(round_d, to, n, out, x);
    } else {
        /* The remaining pairs change the size of a held value and are rare in inner loops. In place, widening must
         * run downwards. */
        size_t in = a == RC_F32 ? sizeof(float) : sizeof(double), size = b == RC_F32 ? sizeof(float) : sizeof(double);
        for (size_t k = 0; k < n; k++) {
            size_t i = size > in ? n - 1 - k : k;
            Num v = {0};
            memcpy(&v, (const char *)x + i * in, in);
            v = num_cast(to, from, v);
            memcpy((char *)out + i * size, &v, size);
        }
    }
}

void num_load_n(DType t, size_t n, void *held, const void *mem, ptrdiff_t stride)
{
    if (te_type[t].bits == 4) {
        int64_t *h = held;
        for (size_t i = 0; i < n; i++) h[i] = num_load(t, mem, (int64_t)i * stride).i;
    } else {
        CALL(load, t, n, held, mem, stride);
    }
}

void num_store_n(DType t, size_t n, void *mem, ptrdiff_t stride, const void *held)
{
    if (te_type[t].bits == 4) {
        const int64_t *h = held;
        for (size_t i = 0; i < n; i++) num_store(t, mem, (int64_t)i * stride, (Num){.i = h[i]});
    } else {
        CALL(store, t, n, mem, stride, held);
    }
}
