/* Matrix products of every row of every shipped machine file, in the simulator against sums written out: elements are
 * put where isa_fragment_place says, or in shared memory as a descriptor says; ldm and stm against the same places. */
#include "tests/unit/g9_gen.h"
#include "tests/unit/g9_model.h"
#include "tests/unit/sim_run.h"

enum { K_MOST = 512, WORDS = 65536 };

typedef struct Case {
    SimTest *t;
    const IsaMmaRow *mma;
    int warp, stored; /* k of what a holds */
    bool special;     /* NaN, inf and huge values too */
    uint64_t in, out;
    uint64_t a[64][K_MOST], b[K_MOST][256], c[64][256], d[64][256]; /* bits */
    float va[64][K_MOST], vb[K_MOST][256];                          /* what they mean */
    int pick[64][K_MOST];                                           /* k of each stored element of a */
} Case;

static uint64_t element(int t, bool special)
{
    int bits = isa_type[t].bits;
    uint64_t x = g9_random() >> 20 & ((UINT64_C(1) << bits) - 1);
    if (isa_type[t].cls != 'F' || special) return t == IT_TF32 ? x & 0xffffe000 : x;
    Big v = big_of(x & 1, x >> 1 & 255, -5);
    return big_round(t, &v, 0, true);
}

static float value_of(int t, uint64_t bits)
{
    Big x;
    int k = meaning(t, bits, &x);
    uint64_t r = k == IS_NAN ? nan_of(IT_F32) : k == IS_INF ? inf_of(IT_F32, x.neg) : big_round(IT_F32, &x, 0, false);
    return (float)model_value(IT_F32, r);
}

/* d = a * b + c, element by element, in the order of k. */
static void multiply(Case *c, int m, bool sat, bool with_c)
{
    const IsaMmaRow *r = c->mma;
    for (int i = 0; i < m && r->d != IT_S32; i++)
        for (int k = 0; k < c->stored; k++) c->va[i][k] = value_of(r->a, c->a[i][k]);
    for (int k = 0; k < r->shape.k && r->d != IT_S32; k++)
        for (int j = 0; j < r->shape.n; j++) c->vb[k][j] = value_of(r->b, c->b[k][j]);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < r->shape.n; j++) {
            __int128 sum = r->d == IT_S32 ? model_int(IT_S32, with_c ? c->c[i][j] : 0) : 0;
            uint64_t acc = with_c ? c->c[i][j] : 0;
            float value = r->d == IT_S32 ? 0 : value_of(r->d, acc);
            for (int k = 0; k < c->stored; k++) {
                int from = c->pick[i][k];
                if (r->d == IT_S32) {
                    sum += model_int(r->a, c->a[i][k]) * model_int(r->b, c->b[from][j]);
                    continue;
                }
                value = fmaf(c->va[i][k], c->vb[from][j], value);
                if (r->d == IT_F16)
                    value =
                        value_of(IT_F16, model_convert(IT_F16, IT_F32, model_bits(IT_F32, (double)value), 0, false));
            }
            if (r->d != IT_S32) acc = model_convert(r->d, IT_F64, model_bits(IT_F64, (double)value), 0, false);
            if (r->d == IT_S32) acc = (uint32_t)(sat ? model_clamp(IT_S32, sum) : sum);
            c->d[i][j] = model_canonical(r->d == IT_S32 ? IT_F64 : r->d, acc);
        }
}

static void fill(Case *c, int m)
{
    IsaShape s = c->mma->shape;
    for (int i = 0; i < m; i++)
        for (int k = 0; k < c->stored; k++) {
            c->a[i][k] = element(c->mma->a, c->special);
            c->pick[i][k] = k;
        }
    for (int i = 0; i < m && c->mma->sparse; i++)
        for (int g = 0; g < c->stored / 2; g++) { /* two of four */
            int x = (int)g9_below(4), y = (int)g9_below(3);
            y += y >= x;
            c->pick[i][2 * g] = 4 * g + (x < y ? x : y);
            c->pick[i][2 * g + 1] = 4 * g + (x < y ? y : x);
        }
    for (int k = 0; k < s.k; k++)
        for (int j = 0; j < s.n; j++) c->b[k][j] = element(c->mma->b, c->special);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < s.n; j++) c->c[i][j] = element(c->mma->d, c->special);
}

static void put(uint32_t *image, int warp, IsaFragment f, IsaShape s, int bits, int row, int col, uint64_t x)
{
    int reg, lane, bit;
    isa_fragment_place(f, s, bits, warp, row, col, &reg, &lane, &bit);
    image[reg * warp + lane] |= (uint32_t)(x << bit);
}

static uint32_t get(const uint32_t *image, int warp, IsaShape s, int bits, int row, int col)
{
    int reg, lane, bit;
    isa_fragment_place(IFR_D, s, bits, warp, row, col, &reg, &lane, &bit);
    return image[reg * warp + lane] >> bit & (bits == 32 ? ~0u : 0xffffu);
}

/* The two bits of each element of a, after each other in the order of its lane's registers and their bits. */
static void put_pick(uint32_t *image, int warp, IsaShape s, int bits, int row, int j, int pick)
{
    int reg, lane, bit;
    s.k /= 2;
    isa_fragment_place(IFR_A, s, bits, 32, row, j, &reg, &lane, &bit);
    int number = reg * (32 / bits) + bit / bits, place = number / 16 * 32 + lane;
    image[place / warp * warp + place % warp] |= (uint32_t)(pick & 3) << number % 16 * 2;
}

static bool check_d(Case *c, const uint32_t *image, int from, int m, IsaShape s)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < s.n; j++) {
            uint32_t got = get(image, c->warp, s, isa_type[c->mma->d].bits, i, j);
            if (got != (uint32_t)c->d[from + i][j])
                return printf("d[%d][%d] is %08x, not %08x\n", from + i, j, got, (uint32_t)c->d[from + i][j]), false;
        }
    return true;
}

static void say(const IsaMmaRow *r)
{
    printf("m%dn%dk%d %s %s %s%s%s\n", r->shape.m, r->shape.n, r->shape.k, isa_type[r->d].name, isa_type[r->a].name,
           isa_type[r->b].name, r->sparse ? " sparse" : "", r->group ? " group" : "");
}

static void loads(IsaText *t, int first, int n, int warp, int at)
{
    for (int i = 0; i < n; i++) isa_text(t, "ldg.b32 r%d, [ur0+r0+%d]\n", first + i, (at + i * warp) * 4);
}

static int round4(int n) { return (n + 3) / 4 * 4; }

static void warp_product(Case *c, bool sat)
{
    const IsaMmaRow *r = c->mma;
    IsaShape s = r->shape, sa = {s.m, s.n, c->stored};
    int ba = isa_type[r->a].bits, bb = isa_type[r->b].bits, bd = isa_type[r->d].bits, w = c->warp;
    int na = isa_fragment_registers(IFR_A, sa, ba, w), nb = isa_fragment_registers(IFR_B, s, bb, w),
        nd = isa_fragment_registers(IFR_D, s, bd, w);
    int ra = 4, rb = round4(ra + na), rc = round4(rb + nb), rd = round4(rc + nd), re = round4(rd + nd), ne = 4;
    uint32_t *image = sim_host(c->t->device, c->in, WORDS * 4, true);
    memset(image, 0, WORDS * 4);
    fill(c, s.m);
    for (int i = 0; i < s.m; i++)
        for (int k = 0; k < c->stored; k++) {
            put(image, w, IFR_A, sa, ba, i, k, c->a[i][k]);
            if (r->sparse) put_pick(image + re * w, w, s, ba, i, k, c->pick[i][k]);
        }
    for (int k = 0; k < s.k; k++)
        for (int j = 0; j < s.n; j++) put(image + rb * w, w, IFR_B, s, bb, k, j, c->b[k][j]);
    for (int i = 0; i < s.m; i++)
        for (int j = 0; j < s.n; j++) put(image + rc * w, w, IFR_D, s, bd, i, j, c->c[i][j]);
    IsaText t = {0};
    isa_text(&t,
             ".kernel k\n.param in: u32*\n.param out: u32*\n.registers 255\numov.b64 ur0, p[in]\numov.b64 ur2, p[out]\n"
             "s2r.b32 r0, laneid\nshl.u32 r0, r0, 2\n");
    loads(&t, ra, na, w, 0), loads(&t, rb, nb, w, rb * w), loads(&t, rc, nd, w, rc * w);
    if (r->sparse) loads(&t, re, ne, w, re * w);
    isa_text(&t, "%s.m%dn%dk%d.%s.%s.%s%s r%d, r%d, r%d, r%d", r->sparse ? "mmasp" : "mma", s.m, s.n, s.k,
             isa_type[r->d].name, isa_type[r->a].name, isa_type[r->b].name, sat ? ".sat" : "", rd, ra, rb, rc);
    isa_text(&t, r->sparse ? ", r%d\n" : "\n", re);
    for (int i = 0; i < nd; i++) isa_text(&t, "stg.b32 [ur2+r0+%d], r%d\n", i * w * 4, rd + i);
    isa_text(&t, "exit\n");
    uint64_t params[2] = {c->in, c->out};
    multiply(c, s.m, sat, true);
    bool ok = sim_test_text(c->t, t.s) && sim_test_run(c->t, "k", 1, (uint32_t)w, params, 16) &&
              check_d(c, sim_host(c->t->device, c->out, WORDS * 4, false), 0, s.m, s);
    if (!CHECK(ok)) say(r);
    isa_text_free(&t);
}

/* ---- warp groups ----------------------------------------------------------------------------------------------------
 */

typedef struct Layout { /* of an operand in shared memory */
    uint32_t address, pitch, span;
    int swizzle;
    bool across;
} Layout;

static uint64_t descriptor(Layout l)
{
    return l.address | (uint64_t)(l.pitch / 16) << 24 | (uint64_t)(l.span / 16) << 40 | (uint64_t)l.swizzle << 56 |
           (uint64_t)l.across << 58;
}

static void put_shared(uint8_t *image, Layout l, int bits, int line, int at, uint64_t x)
{
    uint32_t byte = (uint32_t)(at * bits / 8),
             off = l.address + (uint32_t)line * l.pitch + (l.span ? byte / 128 * l.span + byte % 128 : byte);
    static const uint32_t rows[] = {0, 1, 3,
                                    7}; /* 16-byte units within 32, 64, 128 bytes are exchanged by the row of 128 */
    off ^= (off / 128 & rows[l.swizzle]) * 16;
    for (int i = 0; i < bits / 8; i++) image[off + (uint32_t)i] = (uint8_t)(x >> 8 * i);
}

static void group_product(Case *c, bool registers, bool across, int swizzle)
{
    const IsaMmaRow *r = c->mma;
    IsaShape s = r->shape, quarter = {16, s.n, s.k};
    int ba = isa_type[r->a].bits, bb = isa_type[r->b].bits, bd = isa_type[r->d].bits, w = c->warp;
    int na = isa_fragment_registers(IFR_A, quarter, ba, w), nd = isa_fragment_registers(IFR_D, quarter, bd, w);
    uint32_t wide = (uint32_t)(s.n * bb / 8);
    Layout la = {.address = 0, .pitch = 128, .swizzle = swizzle, .across = across};
    Layout lb = {
        .address = 32768, .pitch = 128, .swizzle = swizzle, .across = across, .span = across && wide > 128 ? 4096 : 0};
    uint32_t *image = sim_host(c->t->device, c->in, WORDS * 4, true);
    memset(image, 0, WORDS * 4);
    fill(c, 64);
    for (int i = 0; i < 64; i++)
        for (int k = 0; k < s.k; k++) {
            put_shared((uint8_t *)image, la, ba, across ? k : i, across ? i : k, c->a[i][k]);
            put(image + 32768 + i / 16 * 2048, w, IFR_A, quarter, ba, i % 16, k, c->a[i][k]);
        }
    for (int k = 0; k < s.k; k++)
        for (int j = 0; j < s.n; j++) put_shared((uint8_t *)image, lb, bb, across ? k : j, across ? j : k, c->b[k][j]);
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < s.n; j++) c->c[i][j] = 0;
    multiply(c, 64, false, false);
    /* Twice: the second time onto the first. Only integers and halves that stay exact would add up; so check the first.
     */
    IsaText t = {0};
    isa_text(
        &t,
        ".kernel k\n.param in: u32*\n.param out: u32*\n.param a: u64\n.param b: u64\n.shared s: 98304\n.registers 255\n"
        "umov.b64 ur0, p[in]\numov.b64 ur2, p[out]\ns2r.b32 r0, tid.x\nshl.u32 r1, r0, 4\n");
    for (int i = 0; i < 98304 / 2048; i++)
        isa_text(&t, "ldg.b128 r4, [ur0+r1+%d]\nsts.b128 [r1+%d], r4\n", i * 2048, i * 2048);
    isa_text(&t, "bar.sync 0\ns2r.b32 r1, laneid\ns2r.b32 r2, warpid\nshl.u32 r3, r2, 13\nlea.u32 r3, r1, r3, 2\n");
    for (int i = 0; i < na; i++) isa_text(&t, "ldg.b32 r%d, [ur0+r3+%d]\n", 8 + i, 131072 + i * w * 4);
    isa_text(&t,
             "mov.b64 r4, p[a]\nmov.b64 r6, p[b]\nwgfence\nwgmma%s.m64n%dk%d.%s.%s.%s r%d, r%d, r6, "
             "!pt\nwgcommit\nwgwait 0\n",
             registers ? "r" : "", s.n, s.k, isa_type[r->d].name, isa_type[r->a].name, isa_type[r->b].name, 100,
             registers ? 8 : 4);
    isa_text(&t, "shl.u32 r3, r2, 14\nlea.u32 r3, r1, r3, 2\n");
    for (int i = 0; i < nd; i++) isa_text(&t, "stg.b32 [ur2+r3+%d], r%d\n", i * w * 4, 100 + i);
    isa_text(&t, "exit\n");
    uint64_t params[4] = {c->in, c->out, descriptor(la), descriptor(lb)};
    bool ok = sim_test_text(c->t, t.s) && sim_test_run(c->t, "k", 1, 128, params, 32);
    const uint32_t *out = sim_host(c->t->device, c->out, WORDS * 4, false);
    for (int q = 0; q < 4 && ok; q++) ok = check_d(c, out + q * 4096, q * 16, 16, quarter);
    if (!CHECK(ok)) say(r);
    isa_text_free(&t);
}

/* ---- 8x8 tiles
 * ------------------------------------------------------------------------------------------------------- */

/* Four 8x8 tiles go from shared memory to registers and back, transposed or not. */
static void tiles(Case *c, int count, bool trans)
{
    IsaText t = {0};
    uint16_t from[4][8][8];
    int w = c->warp, regs = count * 32 / w ? count * 32 / w : 1;
    for (int i = 0; i < count * 64; i++) ((uint16_t *)from)[i] = (uint16_t)g9_random();
    memcpy(sim_host(c->t->device, c->in, sizeof from, true), from, sizeof from);
    isa_text(
        &t, ".kernel k\n.param in: u32*\n.param out: u32*\n.shared s: 1024\numov.b64 ur0, p[in]\numov.b64 ur2, p[out]\n"
            "s2r.b32 r0, laneid\nshl.u32 r1, r0, 4\nshl.u32 r2, r0, 2\n");
    for (int i = 0; i < 512; i += 16 * w) isa_text(&t, "ldg.b128 r4, [ur0+r1+%d]\nsts.b128 [r1+%d], r4\n", i, i);
    isa_text(&t, "ldm.x%d%s.b16 r8, [r1]\nstm.x%d.b16 [r1+512], r8\n", count, trans ? ".t" : "", count);
    for (int i = 0; i < regs; i++) isa_text(&t, "stg.b32 [ur2+r2+%d], r%d\n", i * w * 4, 8 + i);
    for (int i = 0; i < 512; i += 16 * w)
        isa_text(&t, "lds.b128 r4, [r1+%d]\nstg.b128 [ur2+r1+%d], r4\n", 512 + i, 4096 + i);
    isa_text(&t, "exit\n");
    uint64_t params[2] = {c->in, c->out};
    bool ok = sim_test_text(c->t, t.s) && sim_test_run(c->t, "k", 1, (uint32_t)w, params, 16);
    const uint32_t *out = sim_host(c->t->device, c->out, 8192, false);
    const uint16_t *back = (const uint16_t *)(out + 1024);
    for (int k = 0; k < count && ok; k++)
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < 8; j++) {
                uint16_t want = trans ? from[k][j][i] : from[k][i][j];
                int place = 32 * k + 4 * i + j / 2;
                ok &= (uint16_t)(out[place] >> 16 * (j & 1)) == want && back[k * 64 + i * 8 + j] == want;
            }
    if (!CHECK(ok)) printf("x%d%s of %d lanes\n", count, trans ? ".t" : "", w);
    isa_text_free(&t);
}

int main(void)
{
    static Case c;
    int products = 0;
    for (int i = 0; isa_machine_name(i); i++) {
        SimTest t;
        if (!sim_test_machine(&t, isa_machine_name(i))) continue;
        const IsaMachine *m = sim_device_machine(t.device);
        memset(&c, 0, sizeof c);
        c.t = &t;
        c.warp = (int)m->chip_warp;
        c.in = sim_test_put(&t, NULL, WORDS * 4);
        c.out = sim_test_put(&t, NULL, WORDS * 4);
        for (int r = 0; r < m->nmma; r++) {
            c.mma = &m->mma[r];
            c.stored = c.mma->shape.k / (c.mma->sparse ? 2 : 1);
            for (int k = 0; k < 3; k++) {
                c.special = k == 1;
                products++;
                if (c.mma->group)
                    group_product(&c, k == 2, k == 1 && isa_type[c.mma->b].bits == 16, k == 0 ? 3 : k);
                else
                    warp_product(&c, k == 2 && c.mma->d == IT_S32);
            }
        }
        for (int k = 1; k <= (c.warp == 16 ? 2 : 4); k *= 2) tiles(&c, k, false), tiles(&c, k, true);
        sim_test_end(&t);
    }
    printf("%d products\n", products);
    return check_done();
}
