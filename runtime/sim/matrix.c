/* matrix: mma, mmasp, wgmma, wgmmar: fragments are unpacked to plain matrices of f32 or s32, multiplied row by row in
 * the order that the ISA gives (ascending k, one fma each), and packed again. Compiled for AVX2 and for any processor.
 *
 * Registers of a fragment follow each other in memory, row after row, so word 32 i + v of it is virtual register i of
 * virtual lane v whatever the warp's size (isa/fragment.c). */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

#include "runtime/sim/sim_float.h"
#include "runtime/sim/sim_priv.h"

enum { M_MOST = 64, N_MOST = 256, K_MOST = 512 };

typedef union Cells { /* of one matrix */
    float *f;
    int32_t *s;
} Cells;

typedef struct Product {
    int m, n, k, stored;   /* stored: k of a, half of k when sparse */
    const uint16_t *index; /* sparse: for each element of a, its k */
    Cells a, b, c;
} Product;

/* ---- elements
 * --------------------------------------------------------------------------------------------------------- */

INLINE float widen_f8(int t, uint32_t x)
{
    if (t == IT_E5M2) return widen_f16(x << 8);
    float r = bits_f32((x & 0x7f) << 20) * 0x1p120f;
    r = (x & 0x7f) == 0x7f ? bits_f32(NAN_F32) : r;
    return bits_f32(f32_bits(r) | (x & 0x80) << 24);
}

/* n elements from `from`, as they lie in memory, to every step-th cell. */
INLINE void widen(int t, const uint8_t *from, int n, Cells to, int step)
{
    switch (t) {
    case IT_F16:
    case IT_BF16:
        for (int i = 0; i < n; i++) {
            uint16_t h;
            memcpy(&h, from + 2 * i, 2);
            to.f[i * step] = t == IT_F16 ? widen_f16(h) : widen_bf16(h);
        }
        break;
    case IT_TF32:
        for (int i = 0; i < n; i++) {
            uint32_t x;
            memcpy(&x, from + 4 * i, 4);
            to.f[i * step] = bits_f32(x & 0xffffe000u);
        }
        break;
    case IT_E4M3:
    case IT_E5M2:
        for (int i = 0; i < n; i++) to.f[i * step] = widen_f8(t, from[i]);
        break;
    case IT_S8:
        for (int i = 0; i < n; i++) to.s[i * step] = (int8_t)from[i];
        break;
    case IT_U8:
        for (int i = 0; i < n; i++) to.s[i * step] = from[i];
        break;
    default:
        for (int i = 0; i < n; i++) {
            int x = from[i / 2] >> 4 * (i & 1) & 15;
            to.s[i * step] = t == IT_S4 && x > 7 ? x - 16 : x;
        }
        break;
    }
}

/* A patch of a fragment has 8 lines of 16 bytes along k, one after the other. Of a, lines are rows; of b, columns. */
INLINE void unpack(int t, const uint32_t *words, int lines, int k, bool down, Cells to, int line_step, int k_step)
{
    int per = 128 / isa_type[t].bits, nl = lines / 8, nk = (k + per - 1) / per;
    for (int i = 0; i < nl * nk; i++) {
        int l0 = (down ? i % nl : i / nk) * 8, k0 = (down ? i / nl : i % nk) * per, n = k - k0 < per ? k - k0 : per;
        for (int g = 0; g < 8; g++) {
            Cells at = {.f = to.f + (l0 + g) * line_step + k0 * k_step};
            widen(t, (const uint8_t *)(words + 32 * i + 4 * g), n, at, k_step);
        }
    }
}

INLINE void unpack_d(int t, const uint32_t *words, int m, int n, Cells c)
{
    for (int p = 0; p < m / 8 * (n / 8); p++)
        for (int v = 0; v < 32; v++) {
            int at = (p % (m / 8) * 8 + v / 4) * n + p / (m / 8) * 8 + v % 4 * 2;
            if (t == IT_F16) {
                c.f[at] = widen_f16(words[32 * p + v] & 0xffff);
                c.f[at + 1] = widen_f16(words[32 * p + v] >> 16);
            } else {
                c.s[at] = (int32_t)words[64 * p + v];
                c.s[at + 1] = (int32_t)words[64 * p + 32 + v];
            }
        }
}

INLINE void pack_d(int t, uint32_t *words, int m, int n, Cells c)
{
    for (int p = 0; p < m / 8 * (n / 8); p++)
        for (int v = 0; v < 32; v++) {
            int at = (p % (m / 8) * 8 + v / 4) * n + p / (m / 8) * 8 + v % 4 * 2;
            if (t == IT_F16) {
                words[32 * p + v] = round_f16(c.f[at]) | round_f16(c.f[at + 1]) << 16;
            } else {
                words[64 * p + v] = t == IT_F32 ? canonical_f32(c.f[at]) : (uint32_t)c.s[at];
                words[64 * p + 32 + v] = t == IT_F32 ? canonical_f32(c.f[at + 1]) : (uint32_t)c.s[at + 1];
            }
        }
}

/* ---- products: rows side by side, so that no step waits for the one before
 * ----------------------------------------------- */

#define STEPS(T, field, STEP)                                                                                          \
    for (int n0 = 0; n0 < p->n; n0 += 8)                                                                               \
        for (int j = 0; j < p->stored; j++)                                                                            \
            for (int i = 0; i < p->m; i++) {                                                                           \
                int k = p->index ? p->index[i * p->stored + j] : j;                                                    \
                T *restrict c = p->c.field + i * p->n + n0;                                                            \
                const T *restrict b = p->b.field + k * p->n + n0;                                                      \
                const T a = p->a.field[i * p->stored + j];                                                             \
                for (int v = 0; v < 8; v++) c[v] = STEP;                                                               \
            }

INLINE void multiply(int t, const Product *p)
{
    if (t == IT_F32) {
        STEPS(float, f, __builtin_fmaf(a, b[v], c[v]))
    } else if (t == IT_F16) {
        STEPS(float, f, widen_f16(round_f16(__builtin_fmaf(a, b[v], c[v]))))
    } else {
        STEPS(int32_t, s, c[v] + a * b[v])
    }
}

/* Integers: c is added at the end, where it can be clamped. */
static void add_sat(int32_t *c, const int32_t *old, int n, bool sat)
{
    for (int i = 0; i < n; i++) {
        int64_t x = (int64_t)c[i] + old[i];
        if (sat) x = x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : x;
        c[i] = (int32_t)(uint32_t)(uint64_t)x;
    }
}

/* ---- everything, once for each processor
 * ----------------------------------------------------------------------------------- */

typedef struct Work { /* what a step needs, on the stack */
    const uint32_t *a, *b, *c, *e;
    uint32_t *d;
    int td, ta, tb;
    bool sat;
} Work; /* a, b: NULL when they are in the cells already; c: NULL for zeros */

INLINE void product(const Work *w, Product *p)
{
    int32_t old[M_MOST * N_MOST];
    if (w->a) unpack(w->ta, w->a, p->m, p->stored, true, p->a, p->stored, 1);
    if (w->b) unpack(w->tb, w->b, p->n, p->k, false, p->b, 1, p->n);
    size_t cells = (size_t)p->m * (size_t)p->n;
    if (w->c)
        unpack_d(w->td, w->c, p->m, p->n, p->c);
    else
        memset(p->c.s, 0, cells * 4);
    if (w->td == IT_S32) {
        memcpy(old, p->c.s, cells * 4);
        memset(p->c.s, 0, cells * 4);
    }
    multiply(w->td, p);
    if (w->td == IT_S32) add_sat(p->c.s, old, (int)cells, w->sat);
    pack_d(w->td, w->d, p->m, p->n, p->c);
}

static void product_any(const Work *w, Product *p) { product(w, p); }
#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void product_avx2(const Work *w, Product *p) { product(w, p); }
#endif

static void run(const Work *w, Product *p)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        product_avx2(w, p);
        return;
    }
#endif
    product_any(w, p);
}

/* ---- instructions
 * ------------------------------------------------------------------------------------------------------------ */

static const uint32_t *words_of(SimWarp *w, uint8_t reg)
{
    return w->regs + (uint32_t)reg * (uint32_t)w->block->cluster->run->lanes;
}

static uint32_t zeros_word(const uint32_t *words, int i) { return words ? words[i] : 0; }

/* Two bits for each element that a holds, in the order of the lane's registers and their bits: which k of its four. */
static void indices(const uint32_t *e, int bits, int m, int stored, uint16_t *index)
{
    int per = 32 / bits;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < stored; j++) {
            int reg, lane, bit;
            isa_fragment_place(IFR_A, (IsaShape){m, 8, stored}, bits, 32, i, j, &reg, &lane, &bit);
            int at = 2 * (reg * per + bit / bits);
            uint32_t word = zeros_word(e, at / 32 * 32 + lane);
            index[i * stored + j] = (uint16_t)(j / 2 * 4 + (int)(word >> at % 32 & 3));
        }
}

typedef struct Space {
    float a[M_MOST * K_MOST], b[N_MOST * K_MOST], c[M_MOST * N_MOST];
    uint16_t index[M_MOST * K_MOST / 2];
} Space;

static Work work(SimWarp *w, const SimInst *in)
{
    const IsaInst *i = &in->in;
    return (Work){.d = w->regs + in->d, .td = i->mod[1], .ta = i->mod[2], .tb = i->mod[3]};
}

SimNext sim_exec_mma(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)mask;
    const IsaInst *i = &in->in;
    if (i->r[IS_D] == ISA_RZ) return SIM_GO;
    bool whole = w->block->cluster->run->fast_f16 && i->op == G9_MMA && i->mod[1] == IT_F32 && i->r[IS_A] != ISA_RZ &&
                 i->r[IS_B] != ISA_RZ;
    if (whole && sim_product_f16(w->regs + in->d, words_of(w, i->r[IS_A]), words_of(w, i->r[IS_B]),
                                 i->r[IS_C] == ISA_RZ ? NULL : words_of(w, i->r[IS_C]), in->mma, i->mod[2], i->mod[3]))
        return SIM_GO;
    Space s;
    bool sparse = i->op == G9_MMASP;
    Product p = {.m = in->mma.m, .n = in->mma.n, .k = in->mma.k, .stored = sparse ? in->mma.k / 2 : in->mma.k};
    p.a.f = s.a, p.b.f = s.b, p.c.f = s.c;
    Work x = work(w, in);
    x.sat = i->mod[4];
    x.a = i->r[IS_A] == ISA_RZ ? NULL : words_of(w, i->r[IS_A]);
    if (!x.a) memset(s.a, 0, sizeof *s.a * (size_t)(p.m * p.stored));
    x.b = i->r[IS_B] == ISA_RZ ? NULL : words_of(w, i->r[IS_B]);
    if (!x.b) memset(s.b, 0, sizeof *s.b * (size_t)(p.n * p.k));
    x.c = i->r[IS_C] == ISA_RZ ? NULL : words_of(w, i->r[IS_C]);
    if (sparse) {
        indices(i->r[IS_E] == ISA_RZ ? NULL : words_of(w, i->r[IS_E]), isa_type[x.ta].bits, p.m, p.stored, s.index);
        p.index = s.index;
    }
    run(&x, &p);
    return SIM_GO;
}

/* A descriptor of a matrix in shared memory: bits 0–23 the address of its first element; 24–39 the distance between
 * lines in units of 16 bytes; 40–55, in the same units, between pieces of 128 bytes of a line (0: lines are
 * contiguous); 56–57 the swizzle; 58: lines run along m or n and follow each other along k (0: along k). */
typedef struct Operand {
    uint32_t address, pitch, span;
    int swizzle;
    bool across;
} Operand;

static Operand descriptor(SimWarp *w, const SimInst *in, int slot)
{
    const SimSource *s = &in->src[slot];
    const uint32_t *row = (s->where == SRC_REGS ? w->regs : w->block->cluster->run->pool) + s->off;
    uint64_t x = row[0] | (uint64_t)row[in->lanes] << 32;
    return (Operand){x & 0xffffff, (uint32_t)(x >> 24 & 0xffff) * 16, (uint32_t)(x >> 40 & 0xffff) * 16,
                     (int)(x >> 56 & 3), x >> 58 & 1};
}

/* Line l of an operand: n elements to every step-th cell. */
static bool line(SimWarp *w, const SimInst *in, const Operand *o, int t, int l, int n, Cells to, int step)
{
    uint32_t bytes = (uint32_t)(n * isa_type[t].bits) / 8;
    uint8_t piece[16];
    int per = 128 / isa_type[t].bits;
    if (bytes & 15)
        return sim_fault(w, in, SIM_BAD_OPERAND, 0, o->address, "lines of %u bytes, no multiple of 16", bytes), false;
    for (uint32_t at = 0; at < bytes; at += 16) {
        uint32_t off = o->span ? at / 128 * o->span + at % 128 : at;
        const uint8_t *p =
            sim_shared(w, in, 0, sim_swizzle(o->address + (uint32_t)l * o->pitch + off, o->swizzle), 16, false);
        if (!p) return false;
        memcpy(piece, p, 16);
        widen(t, piece, per, (Cells){.f = to.f + (int)(at / 16) * per * step}, step);
    }
    return true;
}

/* a: rows first to first + 16, as [16][k]; b as [k][n]. */
static bool read_operand(SimWarp *w, const SimInst *in, int slot, int t, int first, int lines, int k, Cells to,
                         bool is_a)
{
    Operand o = descriptor(w, in, slot);
    int line_step = is_a ? k : 1, k_step = is_a ? 1 : lines;
    if (!o.across) {
        for (int l = 0; l < lines; l++)
            if (!line(w, in, &o, t, first + l, k, (Cells){.f = to.f + l * line_step}, k_step)) return false;
        return true;
    }
    /* Lines along m: this warp's 16 rows are a piece of each. */
    uint32_t at = (uint32_t)(first * isa_type[t].bits) / 8;
    o.address += o.span ? at / 128 * o.span + at % 128 : at;
    for (int l = 0; l < k; l++)
        if (!line(w, in, &o, t, l, lines, (Cells){.f = to.f + l * k_step}, line_step)) return false;
    return true;
}

SimNext sim_exec_wgmma(SimWarp *w, const SimInst *in, uint64_t mask)
{
    const IsaInst *i = &in->in;
    Space s;
    Product p = {.m = 16, .n = in->mma.n, .k = in->mma.k, .stored = in->mma.k};
    p.a.f = s.a, p.b.f = s.b, p.c.f = s.c;
    Work x = work(w, in);
    if (w->block->nwarps < 4 || (int)w->number / 4 * 4 + 4 > w->block->nwarps)
        return sim_fault(w, in, SIM_BAD_OPERAND, -1, 0, "warp %u is in no group of four", w->number);
    if (i->op == G9_WGMMA) {
        if (!read_operand(w, in, 0, x.ta, (int)w->number % 4 * 16, 16, p.k, p.a, true)) return SIM_STOP;
    } else {
        x.a = i->r[IS_A] == ISA_RZ ? NULL : words_of(w, i->r[IS_A]);
        if (!x.a) memset(s.a, 0, sizeof *s.a * (size_t)(p.m * p.k));
    }
    if (!read_operand(w, in, 1, x.tb, 0, p.n, p.k, p.b, false)) return SIM_STOP;
    uint64_t held = i->p[ISP_S] & 8 ? ~w->p[i->p[ISP_S] & 7] : w->p[i->p[ISP_S] & 7];
    held &= mask;
    if (held && held != mask) return sim_fault(w, in, SIM_DIVERGENT, -1, 0, "its predicate differs between lanes");
    if (i->r[IS_D] == ISA_RZ) return SIM_GO;
    x.c = held ? x.d : NULL;
    run(&x, &p);
    return SIM_GO;
}
