/* Narrow floats against a table of all their values: every bit pattern reads back, and a double rounds to the nearest
 * value, ties to the even one. */
#include "ir/num.h"
#include "tests/unit/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Value {
    double v;
    uint64_t bits;
} Value;

static uint64_t state = 88172645463325252ULL;
static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static int by_value(const void *a, const void *b)
{
    const Value *x = a, *y = b;
    return x->v < y->v ? -1 : x->v > y->v;
}

/* The positive finite values of t in their order, 0 first. tf32 keeps its bits in the upper ones of a float. */
static int table(DType t, Value *to)
{
    int n = 0, bits = te_type[t].bits == 32 ? 19 : te_type[t].bits, low = te_type[t].bits - bits;
    for (uint64_t b = 0; b < UINT64_C(1) << (bits - 1); b++) {
        double v = (double)num_from_bits(t, b << low).f;
        if (isfinite(v)) to[n++] = (Value){v, b};
    }
    qsort(to, (size_t)n, sizeof *to, by_value);
    return n;
}

static double expected(const Value *v, int n, double x, double beyond)
{
    double a = fabs(x);
    int lo = 0, hi = n - 1;
    if (isnan(x)) return x;
    double last = v[n - 1].v, tie = last + (last - v[n - 2].v) / 2;
    if (a > tie || (a == tie && v[n - 1].bits & 1)) return copysign(beyond, x);
    if (a >= last) return copysign(last, x);
    while (hi - lo > 1) {
        int mid = (lo + hi) / 2;
        if (v[mid].v <= a)
            lo = mid;
        else
            hi = mid;
    }
    double down = a - v[lo].v, up = v[hi].v - a;
    const Value *to = down < up ? &v[lo] : up < down ? &v[hi] : v[lo].bits & 1 ? &v[hi] : &v[lo];
    return copysign(to->v, x);
}

static bool same(double a, double b) { return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b)); }

static void rounding(DType t)
{
    static Value v[1 << 18];
    int n = table(t, v), wrong = 0;
    double beyond = t == DT_F8E4M3 ? NAN : INFINITY, bad = 0;
    for (int i = 0; i < 400000; i++) {
        double x;
        uint64_t b = rnd();
        int k = (int)(rnd() % (uint64_t)(n - 1));
        double mid = (v[k].v + v[k + 1].v) / 2;
        switch (i % 4) {
        case 0: memcpy(&x, &b, sizeof x); break;                                    /* any double */
        case 1: x = i % 64 == 1 ? 1.5 * v[n - 1].v - 0.5 * v[n - 2].v : mid; break; /* a tie, the last one too */
        case 2: x = nextafter(mid, b & 1 ? 0 : INFINITY); break;                    /* hardly none */
        default: x = v[k].v + (v[k + 1].v - v[k].v) * (double)(b >> 11) * 0x1p-53;
        }
        if (b & 2) x = -x;
        double got = (double)num_round_d(t, x), want = expected(v, n, x, beyond);
        if (!same(got, want) && !wrong++) bad = x;
        float held;
        num_cast_n(t, DT_F64, 1, &held, &x);
        if (!same((double)held, want) && !wrong++) bad = x;
    }
    if (!CHECK(wrong == 0)) printf("  %s: %d wrong, the first is %a\n", te_type[t].name, wrong, bad);
}

static void patterns(DType t)
{
    int bits = te_type[t].bits == 32 ? 19 : te_type[t].bits, low = te_type[t].bits - bits, wrong = 0;
    for (uint64_t b = 0; b < UINT64_C(1) << bits; b++) {
        Num x = num_from_bits(t, b << low);
        if (isnan(x.f))
            wrong += !isnan(num_from_bits(t, num_to_bits(t, x)).f);
        else
            wrong += num_to_bits(t, x) != b << low || !same((double)num_round(t, x.f), (double)x.f);
    }
    CHECK(wrong == 0);
}

int main(void)
{
    static const DType types[] = {DT_TF32, DT_F16, DT_BF16, DT_F8E4M3, DT_F8E5M2};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        patterns(types[i]);
        rounding(types[i]);
    }
    return check_done();
}
