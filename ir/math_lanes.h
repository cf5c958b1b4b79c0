/* math_lanes: one instruction of a MathProg over up to MATH_LANES lanes; included once per instruction set by
 * math_run.c, which defines LANES(name) and LANES_TARGET. No include guard: it is meant to be included again. */
#define KEY(op, from, to) ((op)*64 + (from)*8 + (to))

/* OP from values of type A to values of type R; a, b, c are the operands. */
#define ROW(OP, A, R, value)                                                                                           \
    case KEY(MO_##OP, MT_##A, MT_##R): {                                                                               \
        const L##A *x = p[0], *y = p[1], *z = p[2];                                                                    \
        L##R *o = out;                                                                                                 \
        (void)y, (void)z;                                                                                              \
        INDEPENDENT for (int i = 0; i < n; i++)                                                                        \
        {                                                                                                              \
            L##A a = x[i], b = y[i], c = z[i];                                                                         \
            (void)b, (void)c;                                                                                          \
            o[i] = (L##R)(value);                                                                                      \
        }                                                                                                              \
        return;                                                                                                        \
    }

/* Truth values are 0 or -1 in 32 bits. */
#define FLOAT_ROWS(T, I, F)                                                                                            \
    ROW(FADD, T, T, a + b)                                                                                             \
    ROW(FSUB, T, T, a - b)                                                                                             \
    ROW(FMUL, T, T, a *b)                                                                                              \
    ROW(FDIV, T, T, a / b)                                                                                             \
    ROW(FMA, T, T, F##_fma(a, b, c))                                                                                   \
    ROW(FSQRT, T, T, F##_sqrt(a))                                                                                      \
    ROW(FABS, T, T, F##_abs(a))                                                                                        \
    ROW(FNEG, T, T, F##_neg(a))                                                                                        \
    ROW(FLOOR, T, T, F##_floor(a))                                                                                     \
    ROW(FRINT, T, T, F##_rint(a))                                                                                      \
    ROW(FTRUNC, T, T, F##_trunc(a))                                                                                    \
    ROW(FLT, T, BOOL, -(a < b))                                                                                        \
    ROW(FLE, T, BOOL, -(a <= b))                                                                                       \
    ROW(FEQ, T, BOOL, -(a == b))                                                                                       \
    ROW(FUNO, T, BOOL, -((a != a) | (b != b)))                                                                         \
    ROW(BITS, T, I, F##_bits(a))

#define INT_ROWS(T, S, F, FT)                                                                                          \
    ROW(IADD, T, T, a + b)                                                                                             \
    ROW(ISUB, T, T, a - b)                                                                                             \
    ROW(IMUL, T, T, a *b)                                                                                              \
    ROW(IAND, T, T, a &b)                                                                                              \
    ROW(IOR, T, T, a | b)                                                                                              \
    ROW(IXOR, T, T, a ^ b)                                                                                             \
    ROW(ISHL, T, T, a << (b & (sizeof(a) * 8 - 1)))                                                                    \
    ROW(ILSR, T, T, a >> (b & (sizeof(a) * 8 - 1)))                                                                    \
    ROW(IASR, T, T, (S)a >> (b & (sizeof(a) * 8 - 1)))                                                                 \
    ROW(ILT, T, BOOL, -((S)a < (S)b))                                                                                  \
    ROW(IEQ, T, BOOL, -(a == b))                                                                                       \
    ROW(IULT, T, BOOL, -(a < b))                                                                                       \
    ROW(BITS, T, FT, bits_##F(a))

#define SELECT_ROW(T)                                                                                                  \
    case KEY(MO_SEL, MT_BOOL, MT_##T): {                                                                               \
        const LBOOL *c = p[0];                                                                                         \
        const L##T *x = p[1], *y = p[2];                                                                               \
        L##T *o = out;                                                                                                 \
        INDEPENDENT for (int i = 0; i < n; i++)                                                                        \
        {                                                                                                              \
            L##T a = x[i], b = y[i];                                                                                   \
            o[i] = c[i] ? a : b;                                                                                       \
        }                                                                                                              \
        return;                                                                                                        \
    }

LANES_TARGET static void LANES(step)(int key, int n, void *out, const void *const *p)
{
    switch (key) {
        FLOAT_ROWS(F32, I32, f32)
        FLOAT_ROWS(F64, I64, f64)
        INT_ROWS(I32, int32_t, f32, F32)
        INT_ROWS(I64, int64_t, f64, F64)
        SELECT_ROW(F32)
        SELECT_ROW(F64)
        SELECT_ROW(I32)
        SELECT_ROW(I64)
        SELECT_ROW(BOOL)
        ROW(BAND, BOOL, BOOL, a & b)
        ROW(BOR, BOOL, BOOL, a | b)
        ROW(BNOT, BOOL, BOOL, ~a)
        ROW(F2I, F32, I32, (int32_t)a)
        ROW(F2I, F32, I64, (int64_t)a)
        ROW(F2I, F64, I32, (int32_t)a)
        ROW(F2I, F64, I64, (int64_t)a)
        ROW(I2F, I32, F32, (int32_t)a)
        ROW(I2F, I32, F64, (int32_t)a)
        ROW(I2F, I64, F32, (int64_t)a)
        ROW(I2F, I64, F64, (int64_t)a)
        ROW(FEXT, F32, F64, a)
        ROW(FCVT, F64, F32, a)
        ROW(SEXT, I32, I64, (int64_t)(int32_t)a)
        ROW(ITRUNC, I64, I32, a)
    default: return;
    }
}

#undef ROW
#undef FLOAT_ROWS
#undef INT_ROWS
#undef SELECT_ROW
