/* num_lanes: the loops of num_array.c, included once per instruction set. The includer defines LANES(name), the name
 * of this copy, and LANES_TARGET, the attribute that its functions carry. Every copy gives the same bits: fma is
 * correctly rounded as an instruction and in libm alike.
 *
 * No include guard: it is meant to be included again. */
#define LOOP(T, OUT, value)                                                                                            \
    {                                                                                                                  \
        OUT *o = out;                                                                                                  \
        const T *x = arg[0], *y = arg[arity > 1], *z = arg[arity > 2 ? 2 : 0];                                         \
        (void)y, (void)z;                                                                                              \
        INDEPENDENT for (size_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            T a = x[i], b = y[i], c = z[i];                                                                            \
            (void)a, (void)b, (void)c;                                                                                 \
            o[i] = value;                                                                                              \
        }                                                                                                              \
        return;                                                                                                        \
    }

LANES_TARGET static void LANES(op_f64)(ExprOp op, size_t n, void *out, const void *const *arg, int arity)
{
    switch (op) {
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: LOOP(double, double, value)
        FLOAT_OPS(ROW, f64)
#undef ROW
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: LOOP(double, int64_t, value)
        FLOAT_COMPARISONS(ROW)
#undef ROW
    default: return;
    }
}

LANES_TARGET static void LANES(op_f32)(ExprOp op, size_t n, void *out, const void *const *arg, int arity)
{
    switch (op) {
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: LOOP(float, float, value)
        FLOAT_OPS(ROW, f32)
#undef ROW
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: LOOP(float, int64_t, value)
        FLOAT_COMPARISONS(ROW)
#undef ROW
    default: return;
    }
}

LANES_TARGET static void LANES(op_int)(ExprOp op, IntForm form, size_t n, void *out, const void *const *arg, int arity)
{
    switch (op) {
#define u(x) ((uint64_t)(x))
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: LOOP(int64_t, int64_t, int_wrap(form, value))
        INT_OPS(ROW)
#undef ROW
#undef u
#define ROW(OP, value)                                                                                                 \
    case EX_##OP: LOOP(int64_t, int64_t, value)
        INT_COMPARISONS(ROW)
#undef ROW
    case EX_DIV: LOOP(int64_t, int64_t, int_wrap(form, (uint64_t)int_div(form, a, b)))
    case EX_MOD: LOOP(int64_t, int64_t, int_wrap(form, (uint64_t)int_mod(form, a, b)))
    default: return;
    }
}

/* Floats rounded in place to the type. */
LANES_TARGET static void LANES(round)(DType t, size_t n, float *out, const float *x)
{
    switch (t) {
#define SMALL(T, ...)                                                                                                  \
    case DT_##T: INDEPENDENT for (size_t i = 0; i < n; i++) out[i] = small_round(small_##T, x[i]); return;
        SMALL_FLOATS(SMALL)
#undef SMALL
    default:
        if (out != x) memcpy(out, x, n * sizeof *out);
    }
}

LANES_TARGET static void LANES(round_d)(DType t, size_t n, float *out, const double *x)
{
    if (t == DT_F32) {
        INDEPENDENT for (size_t i = 0; i < n; i++) out[i] = (float)x[i];
        return;
    }
    INDEPENDENT for (size_t i = 0; i < n; i++) out[i] = odd_f32(x[i]);
    LANES(round)(t, n, out, out);
}

LANES_TARGET static void LANES(wrap)(IntForm form, size_t n, int64_t *out, const int64_t *x)
{
    INDEPENDENT for (size_t i = 0; i < n; i++) out[i] = int_wrap(form, (uint64_t)x[i]);
}

/* Bits in memory, `mem` a row of `stride` elements apart, to and from held values. */
#define EACH(M, statement)                                                                                             \
    if (stride == 1) {                                                                                                 \
        INDEPENDENT for (size_t i = 0; i < n; i++)                                                                     \
        {                                                                                                              \
            size_t at = i;                                                                                             \
            statement;                                                                                                 \
        }                                                                                                              \
    } else {                                                                                                           \
        for (size_t i = 0; i < n; i++) {                                                                               \
            ptrdiff_t at = (ptrdiff_t)i * stride;                                                                      \
            statement;                                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    return;

LANES_TARGET static void LANES(load)(DType t, size_t n, void *held, const void *mem, ptrdiff_t stride)
{
    switch (t) {
#define PLAIN(T, H, M)                                                                                                 \
    case DT_##T: {                                                                                                     \
        H *h = held;                                                                                                   \
        const M *m = mem;                                                                                              \
        EACH(M, h[i] = (H)m[at])                                                                                       \
    }
        PLAIN_TYPES(PLAIN)
#undef PLAIN
#define CODED(T, M)                                                                                                    \
    case DT_##T: {                                                                                                     \
        float *h = held;                                                                                               \
        const M *m = mem;                                                                                              \
        EACH(M, h[i] = small_value(small_##T, m[at]))                                                                  \
    }
        CODED_TYPES(CODED)
#undef CODED
    case DT_U1: {
        int64_t *h = held;
        const uint8_t *m = mem;
        EACH(uint8_t, h[i] = m[at] != 0)
    }
    default: return;
    }
}

LANES_TARGET static void LANES(store)(DType t, size_t n, void *mem, ptrdiff_t stride, const void *held)
{
    switch (t) {
#define PLAIN(T, H, M)                                                                                                 \
    case DT_##T: {                                                                                                     \
        const H *h = held;                                                                                             \
        M *m = mem;                                                                                                    \
        EACH(M, m[at] = (M)h[i])                                                                                       \
    }
        PLAIN_TYPES(PLAIN)
#undef PLAIN
#define CODED(T, M)                                                                                                    \
    case DT_##T: {                                                                                                     \
        const float *h = held;                                                                                         \
        M *m = mem;                                                                                                    \
        EACH(M, m[at] = (M)small_bits(small_##T, h[i]))                                                                \
    }
        CODED_TYPES(CODED)
#undef CODED
    case DT_U1: {
        const int64_t *h = held;
        uint8_t *m = mem;
        EACH(uint8_t, m[at] = h[i] != 0)
    }
    default: return;
    }
}

#undef EACH
#undef LOOP
