/* math_run: runs a MathProg over arrays, one instruction at a time over blocks of MATH_LANES lanes that stay in the
 * first-level cache.
 *
 * Compiled for baseline x86-64 and for AVX2 with FMA, chosen at each call; both give the same bits. Optimised for speed
 * whatever the build says, as num_array.c is. Relies on math_build.c for the places of values. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#endif

#include "ir/math_priv.h"

/* Lanes in scratch memory and in the caller's arrays; BITS reads a float's place as an integer. */
typedef float __attribute__((may_alias)) LF32;
typedef double __attribute__((may_alias)) LF64;
typedef uint32_t __attribute__((may_alias)) LI32;
typedef uint64_t __attribute__((may_alias)) LI64;
typedef int32_t __attribute__((may_alias)) LBOOL;

#define LANES(name) name##_base
#define LANES_TARGET
#include "ir/math_lanes.h"
#undef LANES
#undef LANES_TARGET

typedef void Step(int key, int n, void *out, const void *const *p);

#ifdef __x86_64__
#undef KEY
#define LANES(name)  name##_avx2
#define LANES_TARGET __attribute__((target("avx2,fma")))
#include "ir/math_lanes.h"

static Step *choose(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? step_avx2 : step_base;
}
#else
static Step *choose(void) { return step_base; }
#endif

static size_t bytes_of(int type) { return type == MT_F64 || type == MT_I64 ? 8 : 4; }

static void fill(void *out, const MathInst *k, int n)
{
    if (bytes_of(k->type) == 8)
        for (int i = 0; i < n; i++) ((LI64 *)out)[i] = k->bits;
    else
        for (int i = 0; i < n; i++) ((LI32 *)out)[i] = (uint32_t)k->bits;
}

void num_math_run(const MathProg *p, size_t n, void *out, const void *const *in)
{
    _Alignas(64) char scratch[MATH_UNITS * MATH_LANES * 4];
    const char *at[MATH_INSTS]; /* where each value's lanes are */
    Step *step = choose();
    int most = n < MATH_LANES ? (int)n : MATH_LANES, type = p->at[p->result].type;
    for (int i = 0; i < p->n; i++) {
        at[i] = scratch + (size_t)p->slot[i] * MATH_LANES * 4;
        if (p->at[i].op == MO_CONST) fill(scratch + (size_t)p->slot[i] * MATH_LANES * 4, &p->at[i], most);
    }
    for (size_t from = 0; from < n; from += MATH_LANES) {
        int lanes = n - from < MATH_LANES ? (int)(n - from) : MATH_LANES;
        char *to = (char *)out + from * bytes_of(type);
        for (int i = 0; i < p->n; i++) {
            const MathInst *k = &p->at[i];
            if (k->op == MO_CONST) continue;
            if (k->op == MO_IN) {
                at[i] = (const char *)in[k->arg[0]] + from * bytes_of(k->type);
                continue;
            }
            if (k->op == MO_BITS && i != p->result) {
                at[i] = at[k->arg[0]];
                continue;
            }
            const void *arg[3] = {at[k->arg[0]], at[k->arg[1]], at[k->arg[2]]};
            char *o = i == p->result ? to : scratch + (size_t)p->slot[i] * MATH_LANES * 4;
            step(KEY(k->op, p->at[k->arg[0]].type, k->type), lanes, o, arg);
        }
    }
}
