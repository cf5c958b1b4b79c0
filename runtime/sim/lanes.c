/* lanes: what arithmetic instructions compute. lanes_body.h holds it once; here it is compiled for AVX2 with FMA and
 * warps of 32, and for any processor and any number of lanes, and chosen when a kernel is decoded. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#pragma clang diagnostic ignored "-Wpass-failed" /* what calls a function stays a loop */
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#endif

#include "runtime/sim/sim_float.h"
#include "runtime/sim/sim_priv.h"

#define NAME(x) x##_any
#define TARGET
#define L (int)in->lanes
#include "runtime/sim/lanes_body.h"
#undef NAME
#undef TARGET
#undef L

#ifdef __x86_64__
#define NAME(x) x##_avx2
#define TARGET  __attribute__((target("avx2,fma")))
#define L       32
#include "runtime/sim/lanes_body.h"
static bool fast(int lanes) { return lanes == 32 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#define CHOOSE(name, in, lanes) (fast(lanes) ? name##_avx2(in) : name##_any(in))
#else
#define CHOOSE(name, in, lanes) name##_any(in)
#endif

SimAlu *sim_alu(const IsaInst *in, int lanes) { return (void)lanes, CHOOSE(alu, in, lanes); }
SimCompare *sim_compare(const IsaInst *in, int lanes) { return (void)lanes, CHOOSE(compare, in, lanes); }
