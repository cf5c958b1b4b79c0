/* The functions of num.h against MPFR and libm: the largest error found over the whole range against num_math_ulp, the
 * special values of C99, and agreement of scalars, arrays and programs.
 *
 *   test_math           a sample in a few seconds
 *   test_math --full    every float for the functions of one f32, and 100 times as many others
 *
 * f32 results are compared with libm's double functions, whose error is below 2^-29 of an f32 unit; a part of the sample
 * and all of f64 with MPFR. */
#include "ir/num.h"
#include "tests/unit/check.h"

#include <math.h>
#include <mpfr.h>
#include <stdlib.h>

static const char *const name[] = {
#define FUNCTION(ID, builder, f32, f64) [EX_##ID] = #builder,
#include "ir/functions.def"
#undef FUNCTION
};

static uint64_t seed = 88172645463325252u;
static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static float f32_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static double f64_of(uint64_t u)
{
    double f;
    memcpy(&f, &u, 8);
    return f;
}
static uint32_t bits32(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}
static uint64_t bits64(double f)
{
    uint64_t u;
    memcpy(&u, &f, 8);
    return u;
}

/* x as a held value of t, and back. Not a union written twice: gcc 12's vectoriser then reads the wrong half. */
static Num held(DType t, double x)
{
    if (t == DT_F64) return (Num){.d = x};
    return (Num){.f = num_round_d(t, x)};
}
static double plain(DType t, Num x) { return t == DT_F64 ? x.d : (double)x.f; }

/* ---- references ------------------------------------------------------------------------------------------------- */
static double libm(ExprOp op, double x)
{
    switch (op) {
    case EX_EXP: return exp(x);
    case EX_EXP2: return exp2(x);
    case EX_LOG: return log(x);
    case EX_LOG2: return log2(x);
    case EX_RSQRT: return 1 / sqrt(x);
    case EX_TANH: return tanh(x);
    case EX_ERF: return erf(x);
    case EX_SIGMOID: return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
    case EX_SIN: return sin(x);
    case EX_COS: return cos(x);
    default: return NAN;
    }
}

static void exact(mpfr_t r, ExprOp op, mpfr_t x, mpfr_t y)
{
    switch (op) {
    case EX_EXP: mpfr_exp(r, x, MPFR_RNDN); break;
    case EX_EXP2: mpfr_exp2(r, x, MPFR_RNDN); break;
    case EX_LOG: mpfr_log(r, x, MPFR_RNDN); break;
    case EX_LOG2: mpfr_log2(r, x, MPFR_RNDN); break;
    case EX_RSQRT: mpfr_rec_sqrt(r, x, MPFR_RNDN); break;
    case EX_TANH: mpfr_tanh(r, x, MPFR_RNDN); break;
    case EX_ERF: mpfr_erf(r, x, MPFR_RNDN); break;
    case EX_SIGMOID:
        mpfr_neg(r, x, MPFR_RNDN);
        mpfr_exp(r, r, MPFR_RNDN);
        mpfr_add_ui(r, r, 1, MPFR_RNDN);
        mpfr_ui_div(r, 1, r, MPFR_RNDN);
        break;
    case EX_SIN: mpfr_sin(r, x, MPFR_RNDN); break;
    case EX_COS: mpfr_cos(r, x, MPFR_RNDN); break;
    default: mpfr_pow(r, x, y, MPFR_RNDN); break;
    }
}

/* |got - want| in units of the last of `digits` places of want, none below 2^least. Differing infinities and NaNs are
 * infinitely wrong, except that a value of `big` or more may be inf. */
static double error_ulp(double got, mpfr_t want, int digits, int least, double big)
{
    mpfr_t d;
    double err;
    if (mpfr_nan_p(want) || got != got) return mpfr_nan_p(want) && got != got ? 0 : INFINITY;
    if (mpfr_inf_p(want)) return isinf(got) && (got > 0) == (mpfr_sgn(want) > 0) ? 0 : INFINITY;
    if (isinf(got)) {
        mpfr_t a;
        mpfr_init2(a, 64);
        mpfr_abs(a, want, MPFR_RNDN);
        bool over = mpfr_cmp_d(a, big) >= 0 && (got > 0) == (mpfr_sgn(want) > 0);
        mpfr_clear(a);
        return over ? 0 : INFINITY;
    }
    mpfr_init2(d, 160);
    mpfr_sub_d(d, want, got, MPFR_RNDN);
    long e = mpfr_zero_p(want) ? least : (long)mpfr_get_exp(want) - digits;
    if (e < least) e = least;
    mpfr_mul_2si(d, d, -e, MPFR_RNDN);
    err = fabs(mpfr_get_d(d, MPFR_RNDN));
    mpfr_clear(d);
    return err;
}

typedef struct Worst {
    double ulp, x, y;
} Worst;

static void note(Worst *w, double ulp, double x, double y)
{
    if (ulp > w->ulp) *w = (Worst){ulp, x, y};
}

static void report(ExprOp op, DType t, const char *how, Worst w)
{
    double bound = num_math_ulp(op, t);
    printf("%-8s %s  %.4f ulp (bound %.2f) %s at %a, %a\n", name[op], te_type[t].name, w.ulp, bound, how, w.x, w.y);
    CHECK(w.ulp <= bound);
}

/* ---- f32 functions of one argument ------------------------------------------------------------------------------ */
enum { BLOCK = 4096 };

static void sample_f32(ExprOp op, uint64_t stride)
{
    static float x[BLOCK], y[BLOCK];
    const void *arg[1] = {x};
    Worst w = {0};
    uint64_t from = stride > 1 ? rnd() % stride : 0;
    for (uint64_t at = from; at < UINT64_C(1) << 32;) {
        size_t n = 0;
        for (; n < BLOCK && at < UINT64_C(1) << 32; at += stride) x[n++] = f32_of((uint32_t)at);
        num_op_n(op, DT_F32, n, y, arg, NULL);
        for (size_t i = 0; i < n; i++) {
            double want = libm(op, (double)x[i]), a = fabs(want);
            float rounded = (float)want;
            if (rounded == y[i] && (rounded != 0 || signbit(rounded) == signbit(y[i]))) {
                if (a >= 0x1p-126 && isfinite(rounded)) { /* the error of right results counts too */
                    int e;
                    (void)frexp(a, &e);
                    note(&w, ldexp(fabs(want - (double)y[i]), 24 - e), (double)x[i], 0);
                }
                continue;
            }
            if (want != want || y[i] != y[i]) {
                note(&w, want != want && y[i] != y[i] ? 0 : INFINITY, (double)x[i], 0);
                continue;
            }
            int e;
            (void)frexp(a, &e);
            if (e < -125) e = -125;
            double wrong = isinf(want) || (isinf(y[i]) && a < 0x1p128) ? INFINITY : fabs(want - (double)y[i]);
            if (isinf(y[i]) && a >= 0x1.fffffep127) wrong = 0;
            note(&w, ldexp(wrong, 24 - e), (double)x[i], 0);
        }
    }
    report(op, DT_F32, stride == 1 ? "every float" : "libm", w);
}

static void sample_f32_mpfr(ExprOp op, int n)
{
    mpfr_t a, r;
    Worst w = {0};
    mpfr_inits2(120, a, r, (mpfr_ptr)0);
    for (int i = 0; i < n; i++) {
        float x = f32_of((uint32_t)rnd());
        if (i & 1) x = f32_of((bits32(x) & 0x807fffff) | (uint32_t)(118 + rnd() % 16) << 23);
        Num v = num_op(op, DT_F32, &(Num){.f = x}, NULL);
        mpfr_set_d(a, (double)x, MPFR_RNDN);
        exact(r, op, a, a);
        note(&w, error_ulp((double)v.f, r, 24, -149, 0x1.fffffep127), (double)x, 0);
    }
    mpfr_clears(a, r, (mpfr_ptr)0);
    report(op, DT_F32, "MPFR", w);
}

/* ---- f64 -------------------------------------------------------------------------------------------------------- */
static double any_double(int i)
{
    uint64_t u = rnd();
    switch (i & 3) {
    case 0: return f64_of(u);
    case 1: return f64_of((u & UINT64_C(0x800fffffffffffff)) | (uint64_t)(1023 - 60 + rnd() % 72) << 52);
    case 2: return f64_of((u & UINT64_C(0x800fffffffffffff)) | (uint64_t)(1023 - 6 + rnd() % 12) << 52);
    default: return (double)(int64_t)u * 0x1p-63 * (i & 4 ? 750 : 6);
    }
}

/* Arguments that are hard: next to multiples of pi/2 as a double can be, next to 1, where results overflow or become
 * subnormal. */
static double hard_double(ExprOp op, int i)
{
    double s = f64_of(bits64(1.0) + (uint64_t)(rnd() % 2000) - 1000);
    switch (op) {
    case EX_SIN:
    case EX_COS: /* 6381956970095103 * 2^797 is the worst case; multiples of pi/2 the common one */
        if (i == 0) return 6381956970095103.0 * 0x1p797;
        return (double)(rnd() >> (rnd() % 63)) * 0x1.921fb54442d18p0;
    case EX_EXP: return i & 1 ? -708.0 - (double)(rnd() % 40000) / 1000 : 709.7 + (double)(rnd() % 1000) / 1e5;
    case EX_EXP2: return i & 1 ? -1022.0 - (double)(rnd() % 54000) / 1000 : 1023.9 + (double)(rnd() % 1000) / 1e4;
    case EX_SIGMOID: return -708.0 - (double)(rnd() % 40000) / 1000;
    default: return s;
    }
}

static void sample_f64(ExprOp op, int n)
{
    mpfr_t a, r;
    Worst w = {0};
    mpfr_inits2(140, a, r, (mpfr_ptr)0);
    for (int i = 0; i < n; i++) {
        double x = i % 5 ? any_double(i) : hard_double(op, i);
        Num v = num_op(op, DT_F64, &(Num){.d = x}, NULL);
        mpfr_set_d(a, x, MPFR_RNDN);
        exact(r, op, a, a);
        note(&w, error_ulp(v.d, r, 53, -1074, 0x1.fffffffffffffp1023), x, 0);
    }
    mpfr_clears(a, r, (mpfr_ptr)0);
    report(op, DT_F64, "MPFR", w);
}

/* ---- powers ----------------------------------------------------------------------------------------------------- */
static void pair(int i, bool wide, double *x, double *y)
{
    *x = any_double(i);
    *y = any_double(i / 4);
    if (i % 3 == 0) *x = fabs(*x);
    if (i % 3 == 1) { /* aim at results that just fit */
        *x = f64_of((rnd() & UINT64_C(0x000fffffffffffff)) | (uint64_t)(1023 - 40 + rnd() % 80) << 52);
        double target = ((double)(int64_t)rnd() * 0x1p-63) * (wide ? 1100 : 155);
        *y = target / log2(*x);
    }
    if (i % 11 == 0) *x = 1 + (double)(int64_t)rnd() * 0x1p-63 * ldexp(1, -(int)(rnd() % 50));
    if (i % 7 == 0) *y = nearbyint(*y);
}

static void sample_pow(DType t, int n)
{
    mpfr_t a, b, r;
    Worst w = {0};
    bool wide = t == DT_F64;
    mpfr_inits2(140, a, b, r, (mpfr_ptr)0);
    for (int i = 0; i < n; i++) {
        double x, y;
        pair(i, wide, &x, &y);
        Num arg[2] = {held(t, x), held(t, y)};
        x = plain(t, arg[0]);
        y = plain(t, arg[1]);
        Num v = num_op(EX_POW, t, arg, NULL);
        mpfr_set_d(a, x, MPFR_RNDN);
        mpfr_set_d(b, y, MPFR_RNDN);
        exact(r, EX_POW, a, b);
        note(&w,
             wide ? error_ulp(v.d, r, 53, -1074, 0x1.fffffffffffffp1023)
                  : error_ulp((double)v.f, r, 24, -149, 0x1.fffffep127),
             x, y);
    }
    mpfr_clears(a, b, r, (mpfr_ptr)0);
    report(EX_POW, t, "MPFR", w);
}

static void sample_powi(DType t, int n)
{
    mpfr_t a, r, e;
    Worst w = {0};
    bool wide = t == DT_F64;
    mpfr_inits2(140, a, r, e, (mpfr_ptr)0);
    for (int i = 0; i < n; i++) {
        double x, y;
        pair(i, wide, &x, &y);
        int64_t k = i & 1 ? (int64_t)rnd() >> (rnd() % 64) : fabs(y) < 0x1p62 ? (int64_t)y : 3;
        if (i % 5 == 0) k = (int64_t)(rnd() % 41) - 20;
        Num arg[2] = {held(t, x), {.i = k}};
        x = plain(t, arg[0]);
        Num v = num_op(EX_POWI, t, arg, NULL);
        mpfr_set_d(a, x, MPFR_RNDN);
        mpfr_set_sj(e, k, MPFR_RNDN);
        mpfr_pow(r, a, e, MPFR_RNDN);
        note(&w,
             wide ? error_ulp(v.d, r, 53, -1074, 0x1.fffffffffffffp1023)
                  : error_ulp((double)v.f, r, 24, -149, 0x1.fffffep127),
             x, (double)k);
    }
    mpfr_clears(a, r, e, (mpfr_ptr)0);
    report(EX_POWI, t, "MPFR", w);
}

/* ---- special values ---------------------------------------------------------------------------------------------- */
static bool same(double a, double b) { return a != a ? b != b : a == b && signbit(a) == signbit(b); }

static double value(ExprOp op, DType t, double x, double y)
{
    Num arg[2] = {held(t, x), held(t, y)};
    if (op == EX_POWI) arg[1].i = (int64_t)y;
    return plain(t, num_op(op, t, arg, NULL));
}

static void specials(DType t)
{
    static const struct {
        ExprOp op;
        double x, want;
    } one[] = {
        {EX_EXP, -INFINITY, 0},   {EX_EXP, INFINITY, INFINITY},   {EX_EXP, NAN, NAN},       {EX_EXP, 0, 1},
        {EX_EXP, -0.0, 1},        {EX_EXP, 1e30, INFINITY},       {EX_EXP, -1e30, 0},       {EX_EXP2, -INFINITY, 0},
        {EX_EXP2, INFINITY, INFINITY}, {EX_EXP2, NAN, NAN},       {EX_EXP2, 10, 1024},      {EX_EXP2, -0.0, 1},
        {EX_LOG, 0, -INFINITY},   {EX_LOG, -0.0, -INFINITY},      {EX_LOG, -1, NAN},        {EX_LOG, -INFINITY, NAN},
        {EX_LOG, INFINITY, INFINITY}, {EX_LOG, NAN, NAN},         {EX_LOG, 1, 0},           {EX_LOG2, 0, -INFINITY},
        {EX_LOG2, -0.0, -INFINITY}, {EX_LOG2, -2, NAN},           {EX_LOG2, INFINITY, INFINITY}, {EX_LOG2, NAN, NAN},
        {EX_LOG2, 8, 3},          {EX_LOG2, 0.125, -3},           {EX_RSQRT, 0, INFINITY},  {EX_RSQRT, -0.0, -INFINITY},
        {EX_RSQRT, INFINITY, 0},  {EX_RSQRT, -1, NAN},            {EX_RSQRT, NAN, NAN},     {EX_RSQRT, 4, 0.5},
        {EX_TANH, INFINITY, 1},   {EX_TANH, -INFINITY, -1},       {EX_TANH, 0, 0},          {EX_TANH, -0.0, -0.0},
        {EX_TANH, NAN, NAN},      {EX_ERF, INFINITY, 1},          {EX_ERF, -INFINITY, -1},  {EX_ERF, 0, 0},
        {EX_ERF, -0.0, -0.0},     {EX_ERF, NAN, NAN},             {EX_SIGMOID, INFINITY, 1}, {EX_SIGMOID, -INFINITY, 0},
        {EX_SIGMOID, 0, 0.5},     {EX_SIGMOID, -0.0, 0.5},        {EX_SIGMOID, NAN, NAN},   {EX_SIN, 0, 0},
        {EX_SIN, -0.0, -0.0},     {EX_SIN, INFINITY, NAN},        {EX_SIN, -INFINITY, NAN}, {EX_SIN, NAN, NAN},
        {EX_COS, 0, 1},           {EX_COS, -0.0, 1},              {EX_COS, INFINITY, NAN},  {EX_COS, -INFINITY, NAN},
        {EX_COS, NAN, NAN},
    };
    for (size_t i = 0; i < sizeof one / sizeof one[0]; i++) {
        double got = value(one[i].op, t, one[i].x, 0);
        if (!CHECK(same(got, one[i].want)))
            printf("  %s %s(%g) = %g, not %g\n", te_type[t].name, name[one[i].op], one[i].x, got, one[i].want);
    }
    /* libm's pow follows C99; every pair of interesting values */
    static const double v[] = {0,   1,   0.5, 2,  3,       4,     1.5,       2.5, 7, 1e-30, 1e30,
                               0.9, 1.1, 33,  1e-40, 0x1p24, 0x1p53, INFINITY, NAN, 0x1.fffffep127, 0x1p-149};
    enum { N = sizeof v / sizeof v[0] };
    for (int i = 0; i < 2 * N; i++)
        for (int j = 0; j < 2 * N; j++) {
            double x = i < N ? v[i] : -v[i - N], y = j < N ? v[j] : -v[j - N];
            if (t == DT_F32) x = (double)(float)x, y = (double)(float)y;
            double want = t == DT_F32 ? (double)powf((float)x, (float)y) : pow(x, y), got = value(EX_POW, t, x, y);
            double slack = want == 0 || !isfinite(want) ? 0 : fabs(want) * (t == DT_F32 ? 0x1p-23 : 0x1p-52) + 1e-45;
            bool close = same(got, want) || (fabs(got - want) <= slack && signbit(got) == signbit(want));
            if (!CHECK(close)) printf("  %s pow(%g, %g) = %g, not %g\n", te_type[t].name, x, y, got, want);
            if (fabs(y) > 1e6 || y != nearbyint(y) || y != y) continue;
            double integer = value(EX_POWI, t, x, y);
            if (!CHECK(same(integer, got)))
                printf("  %s powi(%g, %g) = %g, not %g\n", te_type[t].name, x, y, integer, got);
        }
    Num big[2] = {held(t, -1), {.i = INT64_MAX}};
    CHECK(plain(t, num_op(EX_POWI, t, big, NULL)) == -1);
    big[1].i = INT64_MIN;
    CHECK(plain(t, num_op(EX_POWI, t, big, NULL)) == 1);
}

/* ---- agreement ---------------------------------------------------------------------------------------------------- */
/* Scalars, arrays of every length up to a few blocks, and in place: the same bits. */
static void agreement(ExprOp op, DType t)
{
    enum { MOST = 300 };
    static Num x[MOST], y[MOST], one[MOST], in_place[MOST];
    double packed[2][MOST], out[MOST];
    size_t size = te_type[t].reg == RC_F32 ? 4 : 8;
    int wrong = 0;
    for (int n = 1; n < MOST; n += 1 + n / 5) {
        for (int i = 0; i < n; i++) {
            x[i] = held(t, any_double(i));
            y[i] = held(t, any_double(i + 1));
            if (op == EX_POWI) y[i].i = (int64_t)rnd() >> (rnd() % 64);
            memcpy((char *)packed[0] + (size_t)i * size, &x[i], size);
            memcpy((char *)packed[1] + (size_t)i * (op == EX_POWI ? 8 : size), &y[i], op == EX_POWI ? 8 : size);
            one[i] = num_op(op, t, (Num[]){x[i], y[i]}, NULL);
        }
        const void *arg[2] = {packed[0], packed[1]};
        num_op_n(op, t, (size_t)n, out, arg, NULL);
        memcpy(in_place, packed[0], sizeof packed[0]);
        const void *same_arg[2] = {in_place, packed[1]};
        num_op_n(op, t, (size_t)n, in_place, same_arg, NULL);
        wrong += memcmp(in_place, out, (size_t)n * size) != 0;
        for (int i = 0; i < n; i++) wrong += memcmp((char *)out + (size_t)i * size, &one[i], size) != 0;
    }
    if (!CHECK(wrong == 0)) printf("  %s %s: %d differ\n", name[op], te_type[t].name, wrong);
}

/* The table of docs/numerics.md says what num_math_ulp says. */
static void documented(void)
{
    FILE *f = fopen(TCC_SOURCE_DIR "/docs/numerics.md", "r");
    char line[400];
    int rows = 0, count = 0;
    if (!CHECK(f != NULL)) return;
    while (fgets(line, sizeof line, f)) {
        char id[32];
        double f32, f64;
        if (sscanf(line, "| `%31[a-z0-9]` | %lf | %lf |", id, &f32, &f64) != 3) continue;
        rows++;
        bool known = false;
        for (size_t op = 0; op < sizeof name / sizeof name[0]; op++) {
            if (!name[op] || strcmp(name[op], id)) continue;
            known = true;
            CHECK(f32 == num_math_ulp((ExprOp)op, DT_F32) && f64 == num_math_ulp((ExprOp)op, DT_F64));
        }
        if (!CHECK(known)) printf("  %s is no function\n", id);
    }
    (void)fclose(f);
    for (size_t op = 0; op < sizeof name / sizeof name[0]; op++) count += name[op] != NULL;
    CHECK(rows == count);
}

int main(int argc, char **argv)
{
    bool full = argc > 1 && !strcmp(argv[1], "--full");
    int many = full ? 100 : 1;
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        ExprOp op = (ExprOp)i;
        if (!name[i] || !CHECK(num_math(op, DT_F32) && num_math(op, DT_F64))) continue;
        const MathProg *p = num_math(op, DT_F32), *q = num_math(op, DT_F64);
        printf("%s: %d, %d instructions; %d, %d units\n", name[i], p->n, q->n, p->units, q->units);
        static const DType types[] = {DT_F64, DT_F32, DT_TF32, DT_F16, DT_BF16, DT_F8E4M3, DT_F8E5M2};
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) agreement(op, types[t]);
        if (te_expr[op].arity == 1) {
            sample_f32(op, full ? 1 : 8191);
            sample_f32_mpfr(op, 4000 * many);
            sample_f64(op, 10000 * many);
        }
    }
    sample_pow(DT_F32, 20000 * many);
    sample_pow(DT_F64, 20000 * many);
    sample_powi(DT_F32, 10000 * many);
    sample_powi(DT_F64, 10000 * many);
    specials(DT_F32);
    specials(DT_F64);
    documented();
    return check_done();
}
