/* lanes_body: arithmetic over the lanes of a warp; expanded by lanes.c with L (lanes), TARGET and NAME set. No guard.
 */

#define ALU(name, ...)                                                                                                 \
    TARGET static void NAME(name)(uint32_t * d, const uint32_t *a, const uint32_t *b, const uint32_t *c,               \
                                  const SimInst *in)                                                                   \
    {                                                                                                                  \
        (void)a, (void)b, (void)c, (void)in;                                                                           \
        INDEPENDENT                                                                                                    \
        for (int i = 0; i < L; i++) { __VA_ARGS__ }                                                                    \
    }
#define W32(x) d[i] = (uint32_t)(x);
#define W64(x)                                                                                                         \
    {                                                                                                                  \
        uint64_t x_ = (uint64_t)(x);                                                                                   \
        d[i] = (uint32_t)x_;                                                                                           \
        d[i + L] = (uint32_t)(x_ >> 32);                                                                               \
    }
#define U64(r)                   ((uint64_t)r[i] | (uint64_t)r[i + L] << 32)
#define S64(r)                   ((int64_t)U64(r))
#define S32(r)                   ((int32_t)r[i])
#define F32(r)                   bits_f32(r[i])
#define F64(r)                   bits_f64(U64(r))
#define WF32(x)                  W32(canonical_f32(x))
#define WF64(x)                  W64(canonical_f64(x))
#define LO_S(r)                  ((int32_t)(int16_t)r[i])
#define HI_S(r)                  ((int32_t)r[i] >> 16)
#define LO_U(r)                  (r[i] & 0xffff)
#define HI_U(r)                  (r[i] >> 16)
#define W2(lo, hi)               W32(((uint32_t)(lo)&0xffff) | (uint32_t)(hi) << 16)
#define CLAMP_TO(x, least, most) ((x) < (least) ? (least) : (x) > (most) ? (most) : (x))

/* ---- integers -------------------------------------------------------------------------------------------------------
 */
ALU(add_32, W32(a[i] + b[i] + c[i]))
ALU(add_64, W64(U64(a) + U64(b) + U64(c)))
ALU(add_x2, W2(a[i] + b[i] + c[i], HI_U(a) + HI_U(b) + HI_U(c)))
ALU(add_sat_s32, int64_t s = (int64_t)S32(a) + S32(b) + S32(c); W32(CLAMP_TO(s, INT32_MIN, INT32_MAX)))
ALU(add_sat_u32, uint64_t s = (uint64_t)a[i] + b[i] + c[i]; W32(s > UINT32_MAX ? UINT32_MAX : s))
ALU(add_sat_s64, __int128 s = (__int128)S64(a) + S64(b) + S64(c); W64(CLAMP_TO(s, INT64_MIN, INT64_MAX)))
ALU(add_sat_u64, unsigned __int128 s = (unsigned __int128)U64(a) + U64(b) + U64(c);
    W64(s > UINT64_MAX ? UINT64_MAX : s))
ALU(add_sat_s16, int32_t s = LO_S(a) + LO_S(b) + LO_S(c), t = HI_S(a) + HI_S(b) + HI_S(c);
    W2(CLAMP_TO(s, -32768, 32767), CLAMP_TO(t, -32768, 32767)))
ALU(add_sat_u16, uint32_t s = LO_U(a) + LO_U(b) + LO_U(c), t = HI_U(a) + HI_U(b) + HI_U(c);
    W2(s > 65535 ? 65535 : s, t > 65535 ? 65535 : t))
ALU(mul_32, W32(a[i] * b[i]))
ALU(mul_64, W64(U64(a) * U64(b)))
ALU(mul_x2, W2(a[i] * b[i], HI_U(a) * HI_U(b)))
ALU(mulhi_s32, W32((uint64_t)((int64_t)S32(a) * S32(b)) >> 32))
ALU(mulhi_u32, W32((uint64_t)a[i] * b[i] >> 32))
ALU(mulhi_s64, W64((__int128)S64(a) * S64(b) >> 64))
ALU(mulhi_u64, W64((unsigned __int128)U64(a) * U64(b) >> 64))
ALU(mulw_s32, W64((int64_t)S32(a) * S32(b)))
ALU(mulw_u32, W64((uint64_t)a[i] * b[i]))
ALU(mad_32, W32(a[i] * b[i] + c[i]))
ALU(mad_64, W64(U64(a) * U64(b) + U64(c)))
ALU(mad_x2, W2(a[i] * b[i] + c[i], HI_U(a) * HI_U(b) + HI_U(c)))
ALU(madhi_s32, W32(((uint64_t)((int64_t)S32(a) * S32(b)) >> 32) + c[i]))
ALU(madhi_u32, W32(((uint64_t)a[i] * b[i] >> 32) + c[i]))
ALU(madhi_s64, W64((uint64_t)((__int128)S64(a) * S64(b) >> 64) + U64(c)))
ALU(madhi_u64, W64((uint64_t)((unsigned __int128)U64(a) * U64(b) >> 64) + U64(c)))
ALU(madw_s32, W64((uint64_t)((int64_t)S32(a) * S32(b)) + U64(c)))
ALU(madw_u32, W64((uint64_t)a[i] * b[i] + U64(c)))
#define BYTE_S(x, n) ((uint32_t)(int32_t)(int8_t)((x) >> 8 * (n)))
#define BYTE_U(x, n) ((x) >> 8 * (n)&255)
#define DOT(X, Y)                                                                                                      \
    W32(c[i] + X(a[i], 0) * Y(b[i], 0) + X(a[i], 1) * Y(b[i], 1) + X(a[i], 2) * Y(b[i], 2) + X(a[i], 3) * Y(b[i], 3))
ALU(dot_ss, DOT(BYTE_S, BYTE_S))
ALU(dot_su, DOT(BYTE_S, BYTE_U))
ALU(dot_us, DOT(BYTE_U, BYTE_S))
ALU(dot_uu, DOT(BYTE_U, BYTE_U))
#define LESS(x, y) ((x) < (y) ? (x) : (y))
#define MORE(x, y) ((x) > (y) ? (x) : (y))
ALU(min_s32, W32(LESS(S32(a), S32(b))))
ALU(min_u32, W32(LESS(a[i], b[i])))
ALU(min_s64, W64(LESS(S64(a), S64(b))))
ALU(min_u64, W64(LESS(U64(a), U64(b))))
ALU(min_s16, W2(LESS(LO_S(a), LO_S(b)), LESS(HI_S(a), HI_S(b))))
ALU(min_u16, W2(LESS(LO_U(a), LO_U(b)), LESS(HI_U(a), HI_U(b))))
ALU(max_s32, W32(MORE(S32(a), S32(b))))
ALU(max_u32, W32(MORE(a[i], b[i])))
ALU(max_s64, W64(MORE(S64(a), S64(b))))
ALU(max_u64, W64(MORE(U64(a), U64(b))))
ALU(max_s16, W2(MORE(LO_S(a), LO_S(b)), MORE(HI_S(a), HI_S(b))))
ALU(max_u16, W2(MORE(LO_U(a), LO_U(b)), MORE(HI_U(a), HI_U(b))))
ALU(abs_s32, W32(S32(a) < 0 ? 0 - a[i] : a[i]))
ALU(abs_s64, W64(S64(a) < 0 ? 0 - U64(a) : U64(a)))
ALU(abs_s16, int32_t s = LO_S(a), t = HI_S(a); W2(s < 0 ? -s : s, t < 0 ? -t : t))
ALU(shl_32, W32(b[i] < 32 ? a[i] << (b[i] & 31) : 0))
ALU(shl_64, W64(b[i] < 64 ? U64(a) << (b[i] & 63) : 0))
ALU(shr_s32, W32(S32(a) >> (b[i] < 32 ? b[i] : 31)))
ALU(shr_u32, W32(b[i] < 32 ? a[i] >> (b[i] & 31) : 0))
ALU(shr_s64, W64(S64(a) >> (b[i] < 64 ? b[i] : 63)))
ALU(shr_u64, W64(b[i] < 64 ? U64(a) >> (b[i] & 63) : 0))
ALU(shf_l, uint64_t x = a[i] | (uint64_t)c[i] << 32; W32(x << (b[i] & 31) >> 32))
ALU(shf_r, uint64_t x = a[i] | (uint64_t)c[i] << 32; W32(x >> (b[i] & 31)))
#define LUT(T, x, y, z)                                                                                                \
    T r = 0;                                                                                                           \
    for (int k = 0; k < 8; k++)                                                                                        \
        if (in->in.number >> k & 1) r |= (k & 4 ? (x) : ~(x)) & (k & 2 ? (y) : ~(y)) & (k & 1 ? (z) : ~(z));
ALU(lop3_32, LUT(uint32_t, a[i], b[i], c[i]) W32(r))
ALU(lop3_64, LUT(uint64_t, U64(a), U64(b), U64(c)) W64(r))
ALU(and_32, W32(a[i] & b[i]))
ALU(or_32, W32(a[i] | b[i]))
ALU(xor_32, W32(a[i] ^ b[i]))
ALU(popc_32, W32(__builtin_popcount(a[i])))
ALU(popc_64, W32(__builtin_popcountll(U64(a))))
ALU(clz_32, W32(a[i] ? __builtin_clz(a[i]) : 32))
ALU(clz_64, uint64_t x = U64(a); W32(x ? __builtin_clzll(x) : 64))
#define REVERSE(x)                                                                                                     \
    x = (x >> 1 & 0x5555555555555555u) | (x & 0x5555555555555555u) << 1;                                               \
    x = (x >> 2 & 0x3333333333333333u) | (x & 0x3333333333333333u) << 2;                                               \
    x = (x >> 4 & 0x0f0f0f0f0f0f0f0fu) | (x & 0x0f0f0f0f0f0f0f0fu) << 4;                                               \
    x = __builtin_bswap64(x);
ALU(brev_32, uint64_t x = (uint64_t)a[i] << 32; REVERSE(x) W32(x))
ALU(brev_64, uint64_t x = U64(a); REVERSE(x) W64(x))
#define FIELD_OF(b) uint32_t p = b & 255, n = b >> 8 & 255;
ALU(bfe_u32, FIELD_OF(b[i]) uint32_t x = p < 32 ? a[i] >> (p & 31) : 0; W32(n < 32 ? x & ((1u << (n & 31)) - 1) : x))
ALU(bfe_s32, FIELD_OF(b[i]) uint32_t x = (uint32_t)(S32(a) >> (p < 32 ? p : 31)), up = n < 32 ? 32 - n : 0;
    W32(n == 0 ? 0 : (int32_t)(x << (up & 31)) >> (up & 31)))
ALU(bfi_32, FIELD_OF(b[i]) uint64_t m = n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (n & 63)) - 1;
    uint32_t mask = p < 32 ? (uint32_t)(m << (p & 31)) : 0;
    W32((c[i] & ~mask) | ((uint32_t)((uint64_t)a[i] << (p & 31)) & mask)))
ALU(lea_u32, W32(b[i] + (a[i] << in->in.number)))
ALU(lea_u64, W64(U64(b) + ((uint64_t)a[i] << in->in.number)))
ALU(lea_s64, W64(U64(b) + ((uint64_t)(int64_t)S32(a) << in->in.number)))
ALU(mov_32, W32(a[i]))
ALU(mov_64, W64(U64(a)))
ALU(
    prmt, uint64_t x = a[i] | (uint64_t)c[i] << 32; uint32_t r = 0; for (int k = 0; k < 4; k++) {
        uint32_t s = b[i] >> 4 * k, byte = (uint32_t)(x >> 8 * (s & 7)) & 255;
        r |= (s & 8 ? (byte & 128 ? 255u : 0u) : byte) << 8 * k;
    } W32(r))

/* ---- floats, to nearest
 * ---------------------------------------------------------------------------------------------- */
#define HALVES(widen, shut, f)                                                                                         \
    float xl = widen(a[i] & 0xffff), yl = widen(b[i] & 0xffff), zl = widen(c[i] & 0xffff);                             \
    float xh = widen(a[i] >> 16), yh = widen(b[i] >> 16), zh = widen(c[i] >> 16);                                      \
    (void)zl, (void)zh;                                                                                                \
    W32(shut(f(xl, yl, zl)) | shut(f(xh, yh, zh)) << 16)
#define F_ADD(x, y, z) ((x) + (y))
#define F_MUL(x, y, z) ((x) * (y))
#define F_FMA(x, y, z) __builtin_fmaf(x, y, z)
/* min, max: zeros are ordered by their signs; a number beats NaN, or NaN wins */
INLINE float NAME(min_f)(float x, float y, float z)
{
    (void)z;
    float r = x < y ? x : y < x ? y : f32_bits(x) >> 31 ? x : y;
    r = x != x ? y : y != y ? x : r;
    return r;
}
INLINE float NAME(max_f)(float x, float y, float z)
{
    (void)z;
    float r = x > y ? x : y > x ? y : f32_bits(x) >> 31 ? y : x;
    r = x != x ? y : y != y ? x : r;
    return r;
}
INLINE float NAME(minn_f)(float x, float y, float z)
{
    float r = NAME(min_f)(x, y, z);
    return x != x || y != y ? bits_f32(NAN_F32) : r;
}
INLINE float NAME(maxn_f)(float x, float y, float z)
{
    float r = NAME(max_f)(x, y, z);
    return x != x || y != y ? bits_f32(NAN_F32) : r;
}
INLINE double NAME(min_d)(double x, double y)
{
    double r = x < y ? x : y < x ? y : f64_bits(x) >> 63 ? x : y;
    return x != x ? y : y != y ? x : r;
}
INLINE double NAME(max_d)(double x, double y)
{
    double r = x > y ? x : y > x ? y : f64_bits(x) >> 63 ? y : x;
    return x != x ? y : y != y ? x : r;
}
#define NAN_OR(x, y, r) ((x) != (x) || (y) != (y) ? bits_f64(NAN_F64) : (r))
ALU(fadd_32, WF32(F32(a) + F32(b)))
ALU(fadd_64, WF64(F64(a) + F64(b)))
ALU(fadd_h, HALVES(widen_f16, round_f16, F_ADD))
ALU(fadd_b, HALVES(widen_bf16, round_bf16, F_ADD))
ALU(fmul_32, WF32(F32(a) * F32(b)))
ALU(fmul_64, WF64(F64(a) * F64(b)))
ALU(fmul_h, HALVES(widen_f16, round_f16, F_MUL))
ALU(fmul_b, HALVES(widen_bf16, round_bf16, F_MUL))
ALU(ffma_32, WF32(__builtin_fmaf(F32(a), F32(b), F32(c))))
ALU(ffma_64, WF64(__builtin_fma(F64(a), F64(b), F64(c))))
ALU(ffma_h, HALVES(widen_f16, round_f16, F_FMA))
ALU(ffma_b, HALVES(widen_bf16, round_bf16, F_FMA))
ALU(fmin_32, WF32(NAME(min_f)(F32(a), F32(b), 0)))
ALU(fmin_64, WF64(NAME(min_d)(F64(a), F64(b))))
ALU(fmin_h, HALVES(widen_f16, round_f16, NAME(min_f)))
ALU(fmin_b, HALVES(widen_bf16, round_bf16, NAME(min_f)))
ALU(fmax_32, WF32(NAME(max_f)(F32(a), F32(b), 0)))
ALU(fmax_64, WF64(NAME(max_d)(F64(a), F64(b))))
ALU(fmax_h, HALVES(widen_f16, round_f16, NAME(max_f)))
ALU(fmax_b, HALVES(widen_bf16, round_bf16, NAME(max_f)))
ALU(fminn_32, WF32(NAME(minn_f)(F32(a), F32(b), 0)))
ALU(fminn_64, double x = F64(a), y = F64(b); WF64(NAN_OR(x, y, NAME(min_d)(x, y))))
ALU(fminn_h, HALVES(widen_f16, round_f16, NAME(minn_f)))
ALU(fminn_b, HALVES(widen_bf16, round_bf16, NAME(minn_f)))
ALU(fmaxn_32, WF32(NAME(maxn_f)(F32(a), F32(b), 0)))
ALU(fmaxn_64, double x = F64(a), y = F64(b); WF64(NAN_OR(x, y, NAME(max_d)(x, y))))
ALU(fmaxn_h, HALVES(widen_f16, round_f16, NAME(maxn_f)))
ALU(fmaxn_b, HALVES(widen_bf16, round_bf16, NAME(maxn_f)))
ALU(fabs_32, W32(a[i] & 0x7fffffffu))
ALU(fabs_64, W64(U64(a) & ~(UINT64_C(1) << 63)))
ALU(fabs_h, W32(a[i] & 0x7fff7fffu))
ALU(fneg_32, W32(a[i] ^ 0x80000000u))
ALU(fneg_64, W64(U64(a) ^ UINT64_C(1) << 63))
ALU(fneg_h, W32(a[i] ^ 0x80008000u))

/* ---- special
 * --------------------------------------------------------------------------------------------------------- */
ALU(rcp_32, WF32(1.0f / F32(a)))
ALU(rcp_64, WF64(1.0 / F64(a)))
ALU(sqrt_32, WF32(__builtin_sqrtf(F32(a))))
ALU(sqrt_64, WF64(__builtin_sqrt(F64(a))))
ALU(rsqrt_32, WF32((float)(1.0 / __builtin_sqrt((double)F32(a)))))
ALU(rsqrt_64, WF64(1.0 / __builtin_sqrt(F64(a))))
ALU(fdiv_32, WF32(F32(a) / F32(b)))
ALU(fdiv_64, WF64(F64(a) / F64(b)))
ALU(ex2, WF32(sim_ex2(F32(a))))
ALU(lg2, WF32(sim_lg2(F32(a))))
ALU(sin, WF32(sim_sin(F32(a))))
ALU(cos, WF32(sim_cos(F32(a))))
ALU(tanh, WF32(sim_tanh(F32(a))))
ALU(rint_32, WF32(__builtin_rintf(F32(a))))
ALU(trunc_32, WF32(__builtin_truncf(F32(a))))
ALU(floor_32, WF32(__builtin_floorf(F32(a))))
ALU(ceil_32, WF32(__builtin_ceilf(F32(a))))
ALU(rint_64, WF64(__builtin_rint(F64(a))))
ALU(trunc_64, WF64(__builtin_trunc(F64(a))))
ALU(floor_64, WF64(__builtin_floor(F64(a))))
ALU(ceil_64, WF64(__builtin_ceil(F64(a))))
ALU(cvt_f32_s32, W32(f32_bits((float)S32(a))))
ALU(cvt_f16_f32, W32(round_f16(F32(a))))
ALU(cvt_bf16_f32, W32(round_bf16(F32(a))))
ALU(cvt_f32_f16, WF32(widen_f16(a[i] & 0xffff)))
ALU(cvt_f32_bf16, WF32(widen_bf16(a[i] & 0xffff)))
ALU(pack_f16, W32(round_f16(F32(a)) | round_f16(F32(b)) << 16))
ALU(pack_bf16, W32(round_bf16(F32(a)) | round_bf16(F32(b)) << 16))

#define BY_TYPE(name, t)                                                                                               \
    switch (t) {                                                                                                       \
    case IT_S32: return NAME(name##_s32);                                                                              \
    case IT_U32: return NAME(name##_u32);                                                                              \
    case IT_S64: return NAME(name##_s64);                                                                              \
    default: return NAME(name##_u64);                                                                                  \
    }
#define BY_INT(name, t)                                                                                                \
    switch (t) {                                                                                                       \
    case IT_S16X2: return NAME(name##_s16);                                                                            \
    case IT_U16X2: return NAME(name##_u16);                                                                            \
    default: BY_TYPE(name, t)                                                                                          \
    }
#define BY_WIDTH(name, t) return isa_type[t].bits == 64 ? NAME(name##_64) : NAME(name##_32);
#define BY_WIDTH2(name, t)                                                                                             \
    return isa_is_x2(t) ? NAME(name##_x2) : isa_type[t].bits == 64 ? NAME(name##_64) : NAME(name##_32);
#define BY_FLOAT(name, t)                                                                                              \
    return t == IT_F16X2    ? NAME(name##_h)                                                                           \
           : t == IT_BF16X2 ? NAME(name##_b)                                                                           \
           : t == IT_F64    ? NAME(name##_64)                                                                          \
                            : NAME(name##_32);
#define BY_SIGN(name, t) return isa_is_x2(t) ? NAME(name##_h) : t == IT_F64 ? NAME(name##_64) : NAME(name##_32);

static SimAlu *NAME(alu)(const IsaInst *in)
{
    int t = isa_type_of(in, 0), u = isa_type_of(in, 1), round = isa_mod_of(in, IG_ROUND);
    bool hi = isa_mod_of(in, IG_PART), sat = isa_mod_of(in, IG_SAT), nans = isa_mod_of(in, IG_NANS);
    switch (in->op) {
    case G9_IADD3:
    case G9_UADD3:
        if (sat) BY_INT(add_sat, t)
        BY_WIDTH2(add, t)
    case G9_IMUL:
        if (hi) BY_TYPE(mulhi, t)
        BY_WIDTH2(mul, t)
    case G9_IMULW: return t == IT_S32 ? NAME(mulw_s32) : NAME(mulw_u32);
    case G9_IMAD:
    case G9_UMAD:
        if (hi) BY_TYPE(madhi, t)
        BY_WIDTH2(mad, t)
    case G9_IMADW:
    case G9_UMADW: return t == IT_S32 ? NAME(madw_s32) : NAME(madw_u32);
    case G9_DOT4:
        return t == IT_S8 ? (u == IT_S8 ? NAME(dot_ss) : NAME(dot_su)) : u == IT_S8 ? NAME(dot_us) : NAME(dot_uu);
    case G9_IMIN:
    case G9_UMIN: BY_INT(min, t)
    case G9_IMAX:
    case G9_UMAX: BY_INT(max, t)
    case G9_IABS: return t == IT_S16X2 ? NAME(abs_s16) : t == IT_S64 ? NAME(abs_s64) : NAME(abs_s32);
    case G9_SHL:
    case G9_USHL: BY_WIDTH(shl, t)
    case G9_SHR:
    case G9_USHR: BY_TYPE(shr, t)
    case G9_SHF: return isa_mod_of(in, IG_SIDE) ? NAME(shf_r) : NAME(shf_l);
    case G9_LOP3:
    case G9_ULOP3:
        if (t == IT_B32 && in->number == 0xc0) return NAME(and_32);
        if (t == IT_B32 && in->number == 0xfc) return NAME(or_32);
        if (t == IT_B32 && in->number == 0x3c) return NAME(xor_32);
        BY_WIDTH(lop3, t)
    case G9_POPC: BY_WIDTH(popc, t)
    case G9_CLZ: BY_WIDTH(clz, t)
    case G9_BREV: BY_WIDTH(brev, t)
    case G9_BFE: return t == IT_S32 ? NAME(bfe_s32) : NAME(bfe_u32);
    case G9_BFI: return NAME(bfi_32);
    case G9_LEA:
    case G9_ULEA: return t == IT_U32 ? NAME(lea_u32) : t == IT_U64 ? NAME(lea_u64) : NAME(lea_s64);
    case G9_MOV:
    case G9_UMOV: BY_WIDTH(mov, t)
    case G9_PRMT: return NAME(prmt);
    case G9_FADD: BY_FLOAT(fadd, t)
    case G9_FMUL: BY_FLOAT(fmul, t)
    case G9_FFMA: BY_FLOAT(ffma, t)
    case G9_FMIN:
        if (nans) BY_FLOAT(fminn, t)
        BY_FLOAT(fmin, t)
    case G9_FMAX:
        if (nans) BY_FLOAT(fmaxn, t)
        BY_FLOAT(fmax, t)
    case G9_FABS: BY_SIGN(fabs, t)
    case G9_FNEG: BY_SIGN(fneg, t)
    case G9_RCP: BY_WIDTH(rcp, t)
    case G9_SQRT: BY_WIDTH(sqrt, t)
    case G9_RSQRT: BY_WIDTH(rsqrt, t)
    case G9_FDIV: BY_WIDTH(fdiv, t)
    case G9_EX2: return NAME(ex2);
    case G9_LG2: return NAME(lg2);
    case G9_SIN: return NAME(sin);
    case G9_COS: return NAME(cos);
    case G9_TANH: return NAME(tanh);
    case G9_FRND:
        if (round == 0) BY_WIDTH(rint, t)
        if (round == 1) BY_WIDTH(trunc, t)
        if (round == 2) BY_WIDTH(floor, t)
        BY_WIDTH(ceil, t)
    case G9_CVT:
        if (round || sat) return NULL;
        if (t == IT_F32 && u == IT_S32) return NAME(cvt_f32_s32);
        if (t == IT_F16 && u == IT_F32) return NAME(cvt_f16_f32);
        if (t == IT_BF16 && u == IT_F32) return NAME(cvt_bf16_f32);
        if (t == IT_F32 && u == IT_F16) return NAME(cvt_f32_f16);
        if (t == IT_F32 && u == IT_BF16) return NAME(cvt_f32_bf16);
        return NULL;
    case G9_PACK:
        if (round || sat || u != IT_F32) return NULL;
        return t == IT_F16 ? NAME(pack_f16) : t == IT_BF16 ? NAME(pack_bf16) : NULL;
    default: return NULL;
    }
}

/* ---- comparisons: a mask of lanes
 * ---------------------------------------------------------------------------------------- */
#define COMPARE(name, ...)                                                                                             \
    TARGET static uint64_t NAME(name)(const uint32_t *a, const uint32_t *b, const SimInst *in)                         \
    {                                                                                                                  \
        (void)in;                                                                                                      \
        uint8_t t[LANES_MOST];                                                                                         \
        if (L < 8) memset(t, 0, 8);                                                                                    \
        INDEPENDENT                                                                                                    \
        for (int i = 0; i < L; i++) t[i] = (__VA_ARGS__);                                                              \
        uint64_t m = 0;                                                                                                \
        for (int i = 0; i < L; i += 8) {                                                                               \
            uint64_t x;                                                                                                \
            memcpy(&x, t + i, 8);                                                                                      \
            m |= (x * UINT64_C(0x0102040810204080) >> 56) << i;                                                        \
        }                                                                                                              \
        return m;                                                                                                      \
    }
#define COMPARES(T, x, y)                                                                                              \
    COMPARE(eq_##T, x == y)                                                                                            \
    COMPARE(ne_##T, x != y)                                                                                            \
    COMPARE(lt_##T, x < y)                                                                                             \
    COMPARE(le_##T, x <= y)                                                                                            \
    COMPARE(gt_##T, x > y)                                                                                             \
    COMPARE(ge_##T, x >= y)
COMPARES(s32, S32(a), S32(b))
COMPARES(u32, a[i], b[i])
COMPARES(s64, S64(a), S64(b))
COMPARES(u64, U64(a), U64(b))
#define FCOMPARES(T, x, y)                                                                                             \
    COMPARE(eq_##T, x == y)                                                                                            \
    COMPARE(ne_##T, x<y || x> y)                                                                                       \
    COMPARE(lt_##T, x < y)                                                                                             \
    COMPARE(le_##T, x <= y)                                                                                            \
    COMPARE(gt_##T, x > y)                                                                                             \
    COMPARE(ge_##T, x >= y)                                                                                            \
    COMPARE(equ_##T, !(x < y || x > y))                                                                                \
    COMPARE(neu_##T, x != y)                                                                                           \
    COMPARE(ltu_##T, !(x >= y))                                                                                        \
    COMPARE(leu_##T, !(x > y))                                                                                         \
    COMPARE(gtu_##T, !(x <= y))                                                                                        \
    COMPARE(geu_##T, !(x < y))                                                                                         \
    COMPARE(num_##T, x == x && y == y)                                                                                 \
    COMPARE(nan_##T, x != x || y != y)
FCOMPARES(f32, F32(a), F32(b))
FCOMPARES(f64, F64(a), F64(b))

static SimCompare *NAME(compare)(const IsaInst *in)
{
#define LIST(T) NAME(eq_##T), NAME(ne_##T), NAME(lt_##T), NAME(le_##T), NAME(gt_##T), NAME(ge_##T)
#define FLIST(T)                                                                                                       \
    LIST(T), NAME(equ_##T), NAME(neu_##T), NAME(ltu_##T), NAME(leu_##T), NAME(gtu_##T), NAME(geu_##T), NAME(num_##T),  \
        NAME(nan_##T)
    static SimCompare *const ints[4][6] = {{LIST(s32)}, {LIST(u32)}, {LIST(s64)}, {LIST(u64)}};
    static SimCompare *const floats[2][14] = {{FLIST(f32)}, {FLIST(f64)}};
#undef LIST
#undef FLIST
    int t = isa_type_of(in, 0), i = t == IT_S32 ? 0 : t == IT_U32 ? 1 : t == IT_S64 ? 2 : 3;
    if (in->op == G9_ISETP || in->op == G9_USETP) return ints[i][isa_mod_of(in, IG_CMP)];
    if (in->op == G9_FSETP2) return floats[0][isa_mod_of(in, IG_FCMP)];
    return in->op == G9_FSETP ? floats[t == IT_F64][isa_mod_of(in, IG_FCMP)] : NULL;
}

#undef ALU
#undef W32
#undef W64
#undef U64
#undef S64
#undef S32
#undef F32
#undef F64
#undef WF32
#undef WF64
#undef LO_S
#undef HI_S
#undef LO_U
#undef HI_U
#undef W2
#undef CLAMP_TO
#undef BYTE_S
#undef BYTE_U
#undef DOT
#undef LESS
#undef MORE
#undef LUT
#undef REVERSE
#undef FIELD_OF
#undef HALVES
#undef F_ADD
#undef F_MUL
#undef F_FMA
#undef NAN_OR
#undef BY_TYPE
#undef BY_INT
#undef BY_WIDTH
#undef BY_WIDTH2
#undef BY_FLOAT
#undef BY_SIGN
#undef COMPARE
#undef COMPARES
#undef FCOMPARES
