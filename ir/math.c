/* math: the table of functions as programs, and conversions of small floats as programs.
 *
 * The programs are built by the readable builders of math_exp.c, math_log.c, math_pow.c and math_trig.c once per
 * process, under pthread_once, into memory that never changes afterwards: the only process-wide state of the library,
 * and immutable once anybody can see it. */
#include "ir/math_priv.h"

#include <pthread.h>

enum { /* one row of `programs` each */
#define FUNCTION(ID, builder, f32, f64) F_##ID,
#include "ir/functions.def"
#undef FUNCTION
       F_COUNT
};

typedef struct Tables {
    MathProg function[F_COUNT][2]; /* f32, f64 */
    MathProg round[DT_COUNT], widen[DT_COUNT];
    int used;
    MathInst inst[MATH_POOL];
    uint16_t slot[MATH_POOL];
} Tables;

static Tables tables;
static pthread_once_t built = PTHREAD_ONCE_INIT;

static V math_rsqrt(B *b, V x) { return fdiv(b, fconst(b, x, 1), fsqrt(b, x)); }

/* ---- conversions: the same steps as small_bits and small_value in num_priv.h ----------------------------------------
 */
static V round_program(B *b, SmallFloat s, V x)
{
    int cut = 23 - s.m;
    V u = bits(b, x), a = iand(b, u, i32(b, 0x7fffffff));
    V odd = iand(b, lsr(b, a, cut), i32(b, 1));
    V normal = iadd(b, iadd(b, a, i32(b, (1 << (cut - 1)) - 1)), odd);
    if (s.width == 32) {
        normal = iand(b, normal, i32(b, -(1 << cut)));
    } else {
        normal = isub(b, lsr(b, normal, cut), i32(b, (126 + s.emin) << s.m));
        if (s.emin > -126) {
            V big = i32(b, (127 + s.emin - s.m + 23) << 23);
            V sub = isub(b, bits(b, fadd(b, bits(b, a), bits(b, big))), big);
            normal = sel(b, ilt(b, a, i32(b, (127 + s.emin) << 23)), sub, normal);
        }
    }
    V r = sel(b, ilt(b, a, i32(b, s.over)), normal, i32(b, s.huge));
    r = sel(b, ilt(b, i32(b, 0x7f800000), a), i32(b, s.nan), r);
    V sign = s.width == 32 ? iand(b, u, i32(b, 0x80000000)) : shl(b, lsr(b, u, 31), s.width - 1);
    return ior(b, r, sign);
}

static V widen_program(B *b, SmallFloat s, V u)
{
    if (s.width == 32) return bits(b, round_program(b, s, bits(b, u)));
    V a = iand(b, u, i32(b, (1 << (s.width - 1)) - 1));
    V sign = shl(b, iand(b, u, i32(b, 1 << (s.width - 1))), 32 - s.width);
    V r = iadd(b, shl(b, a, 23 - s.m), i32(b, (126 + s.emin) << 23));
    if (s.emin > -126) {
        V unit = bits(b, i32(b, (127 + s.emin - s.m) << 23));
        r = sel(b, ilt(b, a, i32(b, 1 << s.m)), bits(b, fmul(b, to_f32(b, a), unit)), r);
        if (s.huge != s.nan) r = sel(b, ilt(b, a, i32(b, s.huge)), r, i32(b, 0x7f800000));
    }
    r = sel(b, ilt(b, i32(b, s.huge == s.nan ? s.huge - 1 : s.huge), a), i32(b, 0x7fc00000), r);
    return bits(b, ior(b, r, sign));
}

/* ---- the tables -------------------------------------------------------------------------------------------------- */
static void add(MathProg *p, B *b, V result)
{
    Tables *t = &tables;
    t->used += math_finish(b, result, p, t->inst + t->used, t->slot + t->used, MATH_POOL - t->used);
}

static void add_function(MathProg *p, MathType t, V (*one)(B *, V), V (*two)(B *, V, V), MathType second)
{
    B b = {.n = 0};
    p->nin = two ? 2 : 1;
    p->in[0] = t;
    p->in[1] = second;
    V x = input(&b, 0, t);
    add(p, &b, one ? one(&b, x) : two(&b, x, input(&b, 1, second)));
}

static void add_conversion(DType t, SmallFloat s)
{
    B round = {.n = 0}, widen = {.n = 0};
    tables.round[t] = (MathProg){.nin = 1, .in = {MT_F32}};
    add(&tables.round[t], &round, round_program(&round, s, input(&round, 0, MT_F32)));
    tables.widen[t] = (MathProg){.nin = 1, .in = {MT_I32}};
    add(&tables.widen[t], &widen, widen_program(&widen, s, input(&widen, 0, MT_I32)));
}

static void build(void)
{
    for (int wide = 0; wide < 2; wide++) {
        MathType t = wide ? MT_F64 : MT_F32;
#define ONE(builder) builder, NULL, MT_F32
#define FUNCTION(ID, builder, f32, f64)                                                                                \
    add_function(&tables.function[F_##ID][wide], t,                                                                    \
                 _Generic(math_##builder, V(*)(B *, V)                                                                 \
                          : math_##builder, default                                                                    \
                          : NULL),                                                                                     \
                 _Generic(math_##builder, V(*)(B *, V, V)                                                              \
                          : math_##builder, default                                                                    \
                          : NULL),                                                                                     \
                 F_##ID == F_POWI ? MT_I64 : t);
#include "ir/functions.def"
#undef FUNCTION
    }
#define SMALL(T, ...) add_conversion(DT_##T, small_##T);
    SMALL_FLOATS(SMALL)
#undef SMALL
}

static const MathProg *ready(const MathProg *p)
{
    pthread_once(&built, build);
    return p->n ? p : NULL;
}

static int function_of(ExprOp op)
{
    switch (op) {
#define FUNCTION(ID, builder, f32, f64)                                                                                \
    case EX_##ID:                                                                                                      \
        return F_##ID;
#include "ir/functions.def"
#undef FUNCTION
    default: return -1;
    }
}

const MathProg *num_math(ExprOp op, DType t)
{
    int f = function_of(op);
    if (f < 0 || (t != DT_F32 && t != DT_F64)) return NULL;
    return ready(&tables.function[f][t == DT_F64]);
}

const MathProg *num_round_prog(DType t) { return t < DT_COUNT ? ready(&tables.round[t]) : NULL; }
const MathProg *num_widen_prog(DType t) { return t < DT_COUNT ? ready(&tables.widen[t]) : NULL; }

/* A narrow type's result is the f32 one rounded: half a unit more than f32's error measured in its wider units. */
double num_math_ulp(ExprOp op, DType t)
{
    static const double bound[F_COUNT][2] = {
#define FUNCTION(ID, builder, f32, f64) [F_##ID] = {f32, f64},
#include "ir/functions.def"
#undef FUNCTION
    };
    int f = function_of(op);
    if (!te_is_float(t)) return 0;
    double wide = f < 0 ? 0.5 : bound[f][t == DT_F64];
    if (t == DT_F64 || t == DT_F32 || f < 0) return wide;
    return 0.5 + wide / (double)(1 << (te_type[DT_F32].u - te_type[t].u));
}
