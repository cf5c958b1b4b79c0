/* convert: conversions, packing, and arithmetic with a directed rounding: one lane at a time, exactly.
 *
 * Directed arithmetic sets the processor's rounding mode around each operation; operands and results go through
 * volatile variables so that nothing moves across the change. */
#include "runtime/sim/sim_float.h"
#include "runtime/sim/sim_priv.h"

#include <fenv.h>

#define L      (int)in->lanes
#define U64(r) ((uint64_t)r[i] | (uint64_t)r[i + L] << 32)
#define UNUSED (void)a, (void)b, (void)c

static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};

#define DIRECTED(name, T, read, write, op)                                                                             \
    static void name(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, const SimInst *in)          \
    {                                                                                                                  \
        UNUSED;                                                                                                        \
        int old = fegetround();                                                                                        \
        fesetround(modes[in->round]);                                                                                  \
        for (int i = 0; i < L; i++) {                                                                                  \
            volatile T x = read(a), y = read(b), z = read(c), r;                                                       \
            (void)z;                                                                                                   \
            r = op;                                                                                                    \
            write(r);                                                                                                  \
        }                                                                                                              \
        fesetround(old);                                                                                               \
    }
#define R32(r) bits_f32(r[i])
#define R64(r) bits_f64(U64(r))
#define P32(x) d[i] = canonical_f32(x)
#define P64(x)                                                                                                         \
    uint64_t u = canonical_f64(x);                                                                                     \
    d[i] = (uint32_t)u, d[i + L] = (uint32_t)(u >> 32)
DIRECTED(add_f32, float, R32, P32, x + y)
DIRECTED(add_f64, double, R64, P64, x + y)
DIRECTED(mul_f32, float, R32, P32, x *y)
DIRECTED(mul_f64, double, R64, P64, x *y)
DIRECTED(fma_f32, float, R32, P32, fmaf(x, y, z))
DIRECTED(fma_f64, double, R64, P64, fma(x, y, z))

static bool is_float(int t) { return isa_type[t].cls == 'F'; }

/* The low bits of a register pair as a value of type t, extended to 64 bits when it is an integer. */
static uint64_t narrow(int t, uint64_t x)
{
    int bits = isa_type[t].bits;
    if (bits == 64) return x;
    x &= (UINT64_C(1) << bits) - 1;
    if (isa_type[t].cls == 'I') x = (uint64_t)((int64_t)(x << (64 - bits)) >> (64 - bits));
    return x;
}

static uint64_t convert(int to, int from, uint64_t x, int mode, bool sat)
{
    SimExact e = is_float(from) ? sim_exact(from, x) : sim_exact_int(narrow(from, x), isa_type[from].cls == 'I');
    if (is_float(to)) return sim_round_to(to, e, mode, sat);
    int bits = isa_type[to].bits;
    bool is_signed = isa_type[to].cls == 'I';
    if (is_float(from) || sat) return narrow(to, sim_round_int(e, bits, is_signed, mode));
    return narrow(to, narrow(from, x));
}

static void cvt(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, const SimInst *in)
{
    UNUSED;
    int to = in->in.mod[0], from = in->in.mod[1];
    bool wide = isa_type[from].bits == 64, to_wide = isa_type[to].bits == 64;
    for (int i = 0; i < L; i++) {
        uint64_t x = a[i] | (wide ? (uint64_t)a[i + L] << 32 : 0), r = convert(to, from, x, in->round, in->in.mod[3]);
        d[i] = (uint32_t)r;
        if (to_wide) d[i + L] = (uint32_t)(r >> 32);
    }
}

static void pack(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, const SimInst *in)
{
    int to = in->in.mod[0], from = in->in.mod[1], bits = isa_type[to].bits;
    uint32_t mask = (1u << bits) - 1;
    for (int i = 0; i < L; i++) {
        uint32_t x = (uint32_t)convert(to, from, a[i], in->round, in->in.mod[3]) & mask;
        uint32_t y = (uint32_t)convert(to, from, b[i], in->round, in->in.mod[3]) & mask;
        d[i] = x | y << bits | (bits < 16 ? c[i] << 2 * bits : 0);
    }
}

static void unpack(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, const SimInst *in)
{
    UNUSED;
    int to = in->in.mod[0], from = in->in.mod[1], bits = isa_type[from].bits, shift = in->in.number * bits;
    for (int i = 0; i < L; i++)
        d[i] = (uint32_t)convert(to, from, a[i] >> shift & ((UINT64_C(1) << bits) - 1), 0, false);
}

SimAlu *sim_convert(const IsaInst *in)
{
    int t = isa_type_of(in, 0);
    switch (in->op) {
    case G9_FADD: return !isa_mod_of(in, IG_ROUND) ? NULL : t == IT_F64 ? add_f64 : add_f32;
    case G9_FMUL: return !isa_mod_of(in, IG_ROUND) ? NULL : t == IT_F64 ? mul_f64 : mul_f32;
    case G9_FFMA: return !isa_mod_of(in, IG_ROUND) ? NULL : t == IT_F64 ? fma_f64 : fma_f32;
    case G9_CVT: return sim_alu(in, 32) ? NULL : cvt;
    case G9_PACK: return sim_alu(in, 32) ? NULL : pack;
    case G9_UNPACK: return unpack;
    default: return NULL;
    }
}
