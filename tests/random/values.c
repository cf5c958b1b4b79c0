/* values: what the parameters of a random program hold. Every tensor draws its own distribution, so that one program
 * multiplies moderate numbers with infinities, or compares equal ones with random bits. */
#include "ir/num.h"
#include "tests/random/random.h"

#include <stdio.h>

/* Moderate values, which rounding-error bounds like: floats within ±1, small integers. */
static Num moderate(Rng *r, DType t)
{
    if (t == DT_U1) return (Num){.i = rng_chance(r, 50)};
    if (te_is_float(t)) return num_cast(t, DT_F64, (Num){.d = (double)(rng_below(r, 2001) - 1000) / 1000.0});
    return num_cast(t, DT_INDEX, (Num){.i = te_type[t].cls == 'U' ? rng_below(r, 12) : rng_below(r, 15) - 7});
}

/* Any value of the type. Memory may hold nothing else: a tf32 is rounded, a u1 is 0 or 1. */
static Num any_bits(Rng *r, DType t)
{
    if (t == DT_U1) return (Num){.i = rng_chance(r, 50)};
    Num x = num_from_bits(t, rng_next(r) >> (64 - te_type[t].bits));
    return t == DT_TF32 ? num_cast(t, DT_F32, x) : x;
}

/* The value one bit pattern above or below: subnormals from 0, the last finite one from inf. */
static Num neighbour(DType t, Num x, int by) { return num_from_bits(t, num_to_bits(t, x) + (uint64_t)(int64_t)by); }

static Num special_float(Rng *r, DType t)
{
    /* tf32 lies in the upper bits of a float. */
    int ulp = t == DT_TF32 ? 1 << 13 : 1;
    Num zero = num_cast(t, DT_INDEX, (Num){.i = 0}), one = num_cast(t, DT_INDEX, (Num){.i = 1});
    Num minus = num_op(EX_NEG, t, &zero, NULL), least = num_least(t), most = num_greatest(t), x;
    switch (rng_below(r, 10)) {
    case 0: return zero;
    case 1: return minus;
    case 2: return least;
    case 3: return most;
    case 4: return neighbour(t, most, -ulp); /* the greatest finite one (e4m3 has no infinity: below it) */
    case 5: return neighbour(t, zero, ulp);  /* the least subnormal */
    case 6: return neighbour(t, rng_chance(r, 50) ? zero : minus, ulp * (1 + rng_below(r, 9)));
    case 7: return neighbour(t, one, rng_chance(r, 50) ? ulp : -ulp);
    case 8: x = num_cast(t, DT_F64, (Num){.d = __builtin_nan("")}); return x;
    default: return one;
    }
}

static Num special(Rng *r, DType t)
{
    if (t == DT_U1) return (Num){.i = rng_chance(r, 50)};
    if (rng_chance(r, 25)) return moderate(r, t);
    if (te_is_float(t)) return special_float(r, t);
    switch (rng_below(r, 6)) {
    case 0: return num_least(t);
    case 1: return num_greatest(t);
    case 2: return neighbour(t, num_greatest(t), -1);
    case 3: return num_cast(t, DT_INDEX, (Num){.i = -1});
    case 4: return num_cast(t, DT_INDEX, (Num){.i = 1});
    default: return (Num){.i = 0};
    }
}

/* Mostly zeros: sparse data, masks, sums that stay exact. */
static Num sparse(Rng *r, DType t) { return rng_chance(r, 80) ? num_cast(t, DT_INDEX, (Num){.i = 0}) : moderate(r, t); }

typedef Num Draw(Rng *r, DType t);
static Draw *const draws[] = {moderate, moderate, moderate, any_bits, special, sparse};
enum { CALM = 3 }; /* how many of them, from the first, are moderate */

void fill_values(Rng *r, DType t, const Values *v)
{
    int64_t n = v->rows * v->row, stride = te_type[t].bits < 8 ? v->row + (v->row & 1) : v->row;
    Draw *draw = draws[rng_below(r, v->calm ? CALM : (int)(sizeof draws / sizeof *draws))];
    bool equal = rng_chance(r, 10);
    Num first = draw(r, t);
    for (int64_t i = 0; i < n; i++) {
        Num x = equal ? first : draw(r, t);
        if (v->bound > 0) x = num_cast(t, DT_INDEX, (Num){.i = rng_below(r, (int)v->bound)});
        num_store(t, v->at, i / v->row * stride + i % v->row, x);
    }
}

static bool is_nan(DType t, Num x) { return te_is_float(t) && (te_type[t].reg == RC_F64 ? x.d != x.d : x.f != x.f); }

int64_t first_difference(DType t, int64_t bytes, const void *got, const void *want)
{
    int64_t n = te_type[t].bits < 8 ? bytes * 2 : bytes / (te_type[t].bits / 8);
    for (int64_t i = 0; i < n; i++) {
        Num a = num_load(t, got, i), b = num_load(t, want, i);
        if (is_nan(t, a) && is_nan(t, b)) continue;
        if (num_to_bits(t, a) != num_to_bits(t, b)) return i;
    }
    return -1;
}

void value_text(DType t, const void *base, int64_t i, char *to, size_t n)
{
    Num x = num_load(t, base, i);
    if (te_type[t].reg == RC_I64)
        snprintf(to, n, "%lld", (long long)x.i);
    else
        snprintf(to, n, "%.9g", te_type[t].reg == RC_F64 ? x.d : (double)x.f);
}
