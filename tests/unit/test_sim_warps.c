/* Exchange between lanes, loads and stores, atomics: each instruction, type and modifier in the simulator against loops
 * over lanes written from the table's words. Random masks of lanes, warps of 32 and of 16 lanes. */
#include "tests/unit/g9_gen.h"
#include "tests/unit/g9_model.h"
#include "tests/unit/sim_run.h"

enum { LANES_MOST = 32, CELLS = 16 };

typedef struct Warp {
    SimTest t;
    int lanes;
    uint64_t in, out, memory;
} Warp;

/* Per lane, as the kernels below load it: r8:r9, r10:r11 and r12:r13 numbers; p0 from bit 0 of r14, p1 (who runs) from
 * bit 1. */
typedef struct Lane {
    uint64_t a, b, c;
    uint32_t bits;
} Lane;
static Lane lane[LANES_MOST];
/* What came back. */
static uint64_t got_d[LANES_MOST];
static uint32_t got_p[LANES_MOST];
static uint8_t memory[256], before[256];

static bool p0(int i) { return lane[i].bits & 1; }
static bool runs(int i) { return lane[i].bits >> 1 & 1; }

static const char head[] =
    ".kernel k\n.param in: u64*\n.param out: u64*\n.param m: u8*\n.shared s: 256\n.local 64\n"
    "  s2r.b32 r0, laneid\n  umov.b64 ur0, p[in]\n  umov.b64 ur2, p[out]\n  umov.b64 ur4, p[m]\n  shl.u32 r1, r0, 5\n"
    "  ldg.b64 r8, [ur0+r1]\n  ldg.b64 r10, [ur0+r1+8]\n  ldg.b64 r12, [ur0+r1+16]\n  ldg.b32 r14, [ur0+r1+24]\n"
    "  r2p r14, 127\n  mov.b64 r16, 0x1234\n"
    /* shared memory starts as a copy of m, and goes back to it */
    "  shl.u32 r2, r0, 2\n  ldg.b32 r3, [ur4+r2]\n  sts.b32 [r2+s], r3\n  ldg.b32 r3, [ur4+r2+64]\n  sts.b32 "
    "[r2+s+64], r3\n"
    "  bar.sync 0\n";
static const char tail[] =
    "  bar.sync 0\n  shl.u32 r1, r0, 4\n  stg.b64 [ur2+r1], r16\n  p2r r3\n  stg.b32 [ur2+r1+8], r3\n";
static const char shared_back[] =
    "  lds.b32 r3, [r2+s]\n  stg.b32 [ur4+r2], r3\n  lds.b32 r3, [r2+s+64]\n  stg.b32 [ur4+r2+64], r3\n";

static bool run(Warp *w, const char *body, bool shared)
{
    char text[4000];
    uint64_t params[3] = {w->in, w->out, w->memory};
    snprintf(text, sizeof text, "%s  %s\n%s%s  exit\n", head, body, tail, shared ? shared_back : "");
    memcpy(sim_host(w->t.device, w->in, sizeof lane, true), lane, sizeof lane);
    memcpy(before, memory, sizeof memory);
    memcpy(sim_host(w->t.device, w->memory, sizeof memory, true), memory, sizeof memory);
    if (!sim_test_text(&w->t, text) || !sim_test_run(&w->t, "k", 1, (uint32_t)w->lanes, params, 24))
        return printf("%s\n", body), false;
    const uint8_t *out = sim_host(w->t.device, w->out, 16 * LANES_MOST, false);
    for (int i = 0; i < w->lanes; i++) {
        memcpy(&got_d[i], out + 16 * i, 8);
        memcpy(&got_p[i], out + 16 * i + 8, 4);
    }
    memcpy(memory, sim_host(w->t.device, w->memory, sizeof memory, false), sizeof memory);
    return true;
}

static void fill(Warp *w, bool few)
{
    bool any = false;
    for (int i = 0; i < w->lanes; i++) {
        lane[i] = (Lane){
            .a = few ? g9_below(3) : g9_random(), .b = g9_below(2) ? g9_below(40) : g9_random(), .c = g9_random()};
        lane[i].bits = g9_below(128);
        any |= runs(i);
    }
    if (!any) lane[3].bits |= 2;
}

/* ---- between lanes
 * -------------------------------------------------------------------------------------------------------- */

static void shuffles(Warp *w)
{
    static const char *const how[] = {"idx", "up", "down", "bfly"};
    static const char *const segment[] = {"", ".seg2", ".seg4", ".seg8", ".seg16", ".seg32"};
    for (int h = 0; h < 4; h++)
        for (int s = 0; s < 6; s++) {
            char body[100];
            int n = s && 1 << s < w->lanes ? 1 << s : w->lanes;
            fill(w, false);
            snprintf(body, sizeof body, "@p1 shfl.%s.b32%s r16, p2, r8, r10", how[h], segment[s]);
            bool ok = run(w, body, false);
            for (int i = 0; ok && i < w->lanes; i++) {
                int64_t first = i / n * n, own = i % n, b = (uint32_t)lane[i].b;
                int64_t from = h == 0 ? b % n : h == 1 ? own - b : h == 2 ? own + b : own ^ b;
                bool there = from >= 0 && from < n;
                uint32_t want = runs(i) ? (uint32_t)lane[there ? first + from : i].a : 0x1234;
                ok = (uint32_t)got_d[i] == want && (got_p[i] >> 2 & 1) == (runs(i) ? there : lane[i].bits >> 2 & 1);
            }
            if (!CHECK(ok)) printf("%s\n", body);
        }
}

static void votes(Warp *w)
{
    static const char *const how[] = {"all", "any", "uni"};
    for (int k = 0; k < 12; k++) {
        char body[100];
        uint64_t hold = 0, run_mask = 0;
        fill(w, true);
        for (int i = 0; i < w->lanes; i++) {
            if (k >= 6) lane[i].bits = (lane[i].bits & ~1u) | (k & 1u); /* all the same now and then */
            run_mask |= (uint64_t)runs(i) << i;
            hold |= (uint64_t)(runs(i) && p0(i)) << i;
        }
        snprintf(body, sizeof body, "@p1 vote.%s p2, p0\n  @p1 ballot.b32 r16, p0\n  @p1 elect p3\n", how[k % 3]);
        bool ok = run(w, body, false), x = k % 3 == 0   ? hold == run_mask
                                           : k % 3 == 1 ? hold != 0
                                                        : hold == 0 || hold == run_mask;
        for (int i = 0; ok && i < w->lanes; i++) {
            bool first = (run_mask & (0 - run_mask)) == UINT64_C(1) << i;
            ok = !runs(i) ? (got_p[i] & 127) == (lane[i].bits & 127) && got_d[i] == 0x1234
                          : (got_p[i] >> 2 & 1) == x && (uint32_t)got_d[i] == hold && (got_p[i] >> 3 & 1) == first;
        }
        if (!CHECK(ok)) printf("%s\n", body);
    }
}

static void matches(Warp *w)
{
    for (int k = 0; k < 16; k++) {
        char body[100];
        bool all = k & 1, wide = k & 2, same = true;
        uint64_t run_mask = 0;
        fill(w, true);
        for (int i = 0; i < w->lanes; i++) {
            if (k & 4) lane[i].a = 77;
            if (wide && i == 2) lane[i].a |= UINT64_C(1) << 40;
            run_mask |= (uint64_t)runs(i) << i;
        }
        snprintf(body, sizeof body, "@p1 match.%s.b64.%s r16, p2, r8", all ? "all" : "any", wide ? "b64" : "b32");
        bool ok = run(w, body, false);
        for (int i = 0; i < w->lanes; i++)
            for (int j = 0; j < w->lanes; j++)
                same &= !runs(i) || !runs(j) ||
                        (wide ? lane[i].a == lane[j].a : (uint32_t)lane[i].a == (uint32_t)lane[j].a);
        for (int i = 0; ok && i < w->lanes; i++) {
            uint64_t mask = 0;
            for (int j = 0; j < w->lanes; j++)
                mask |=
                    (uint64_t)(runs(j) && (wide ? lane[i].a == lane[j].a : (uint32_t)lane[i].a == (uint32_t)lane[j].a))
                    << j;
            bool another = mask & ~(UINT64_C(1) << i);
            if (runs(i))
                ok = all ? got_d[i] == (same ? run_mask : 0) && (got_p[i] >> 2 & 1) == same
                         : got_d[i] == mask && (got_p[i] >> 2 & 1) == another;
        }
        if (!CHECK(ok)) printf("%s\n", body);
    }
}

/* x op y as the table says it for atomics and redux. */
static uint64_t join(int op, int t, uint64_t x, uint64_t y)
{
    if (isa_is_x2(t)) {
        int half = t == IT_F16X2 ? IT_F16 : IT_BF16;
        uint64_t r = 0;
        for (int k = 0; k < 32; k += 16)
            r |= model_convert(half, IT_F32, model_add(half, IT_F32, x >> k & 0xffff, y >> k & 0xffff, 0), 0, false)
                 << k;
        return r;
    }
    if (isa_type[t].cls == 'F') return op == 0 ? model_add(t, t, x, y, 0) : model_min_max(t, x, y, op == 2, false);
    __int128 a = model_int(t, x), b = model_int(t, y);
    switch (op) {
    case 0: return (uint64_t)(a + b);
    case 1: return (uint64_t)(a < b ? a : b);
    case 2: return (uint64_t)(a > b ? a : b);
    case 3: return x & y;
    case 4: return x | y;
    case 5: return x ^ y;
    default: return y;
    }
}

static const char *const op_name[] = {"add", "min", "max", "and", "or", "xor", "exch"};

static void reductions(Warp *w)
{
    static const int type[] = {IT_S32, IT_U32, IT_B32, IT_F32};
    for (int op = 0; op < 6; op++)
        for (int k = 0; k < 4; k++) {
            if ((op >= 3) != (type[k] == IT_B32)) continue;
            char body[100];
            uint64_t want = 0;
            bool started = false;
            fill(w, false);
            snprintf(body, sizeof body, "@p1 redux.%s.%s r16, r8", op_name[op], isa_type[type[k]].name);
            for (int i = 0; i < w->lanes; i++) {
                if (!runs(i)) continue;
                want = started ? join(op, type[k], want, (uint32_t)lane[i].a) : (uint32_t)lane[i].a;
                started = true;
            }
            bool ok = run(w, body, false);
            for (int i = 0; ok && i < w->lanes; i++) ok = (uint32_t)got_d[i] == (runs(i) ? (uint32_t)want : 0x1234);
            if (!CHECK(ok)) printf("%s\n", body);
        }
}

/* ---- memory
 * ---------------------------------------------------------------------------------------------------------------- */

static uint64_t read_cell(const uint8_t *m, int at, int bits)
{
    uint64_t x = 0;
    memcpy(&x, m + at, (size_t)bits / 8);
    return x;
}

static void noise(void)
{
    for (size_t i = 0; i < sizeof memory; i++) memory[i] = (uint8_t)(g9_random() >> 9);
}

/* Loads and stores of each type and space; lanes read and write places of their own. */
static void accesses(Warp *w)
{
    static const int load[] = {IT_U8, IT_S8, IT_U16, IT_S16, IT_B32, IT_B64}, store[] = {IT_B8, IT_B16, IT_B32, IT_B64};
    static const char *const space[] = {"g", "s"}, *const place[] = {"[ur4+r4]", "[r4+s]"};
    for (int s = 0; s < 2; s++)
        for (int k = 0; k < 10; k++) {
            char body[200];
            int t = k < 6 ? load[k] : store[k - 6], bytes = isa_type[t].bits / 8;
            int step = 128 / w->lanes < bytes ? bytes : 128 / w->lanes, most = 128 / step;
            fill(w, false);
            noise();
            for (int i = most; i < w->lanes; i++) lane[i].bits &= ~2u; /* no room for them */
            if (k < 6)
                snprintf(body, sizeof body, "imul.u32 r4, r0, %d\n  @p1 ld%s.%s r16, %s", step, space[s],
                         isa_type[t].name, place[s]);
            else
                snprintf(body, sizeof body, "imul.u32 r4, r0, %d\n  @p1 st%s.%s %s, r8", step, space[s],
                         isa_type[t].name, place[s]);
            bool ok = run(w, body, s == 1);
            for (int i = 0; ok && i < w->lanes; i++) {
                uint64_t x = read_cell(before, (i < most ? i : 0) * step, 8 * bytes),
                         want = bytes == 8 ? x : (uint32_t)model_int(t, x);
                if (k < 6 && runs(i)) ok = (bytes == 8 ? got_d[i] : (uint32_t)got_d[i]) == want;
                if (k >= 6 && runs(i)) memcpy(before + i * step, &lane[i].a, (size_t)bytes);
            }
            ok = ok && (k < 6 || !memcmp(memory, before, 64 + 64 * (s == 0 || w->lanes >= 16)));
            if (!CHECK(ok)) printf("%s\n", body);
        }
}

/* Local memory, constants and parameters: what is put there comes back. */
static void other_spaces(Warp *w)
{
    fill(w, false);
    bool ok = run(
        w, "stl.b64 [rz+8], r8\n  stl.b128 [rz+16], r8\n  mov.b32 r4, 8\n  ldl.s16 r16, [r4]\n  ldl.b32 r17, [rz+20]",
        false);
    for (int i = 0; ok && i < w->lanes; i++)
        ok = (uint32_t)got_d[i] == (uint32_t)(int16_t)lane[i].a && got_d[i] >> 32 == lane[i].a >> 32;
    CHECK(ok);
    ok = run(w, "mov.b32 r4, 16\n  ldp.b64 r16, [r4]", false);
    for (int i = 0; ok && i < w->lanes; i++) ok = got_d[i] == w->memory;
    CHECK(ok);
}

static void atomics(Warp *w)
{
    static const int type[] = {IT_U32, IT_S32, IT_U64, IT_S64, IT_F32, IT_F64, IT_F16X2, IT_BF16X2, IT_B32, IT_B64};
    int ran = 0;
    for (int kind = 0; kind < 4; kind++) /* atomg, atoms, redg, reds */
        for (int op = 0; op < (kind < 2 ? 7 : 6); op++)
            for (int k = 0; k < 10; k++) {
                char body[200];
                int t = type[k], bits = isa_type[t].bits, bytes = bits / 8;
                IsaInst probe = isa_inst(kind == 0 ? G9_ATOMG : kind == 1 ? G9_ATOMS : kind == 2 ? G9_REDG : G9_REDS);
                probe.mod[0] = (uint16_t)op, probe.mod[1] = (uint16_t)t;
                if (!isa_legal(&probe, NULL)) continue;
                fill(w, false);
                noise();
                /* Lanes meet in a few places: b mod 4. */
                snprintf(body, sizeof body,
                         "lop3.b32 r4, r10, 3, rz, 0xc0\n  imul.u32 r4, r4, %d\n  @p1 %s%s.%s.%s %s%s, r8", bytes,
                         kind < 2 ? "atom" : "red", kind & 1 ? "s" : "g", op_name[op], isa_type[t].name,
                         kind < 2 ? "r16, " : "", kind & 1 ? "[r4+s]" : "[ur4+r4]");
                bool ok = run(w, body, kind & 1);
                for (int i = 0; ok && i < w->lanes; i++) {
                    if (!runs(i)) continue;
                    int at = (int)(lane[i].b & 3) * bytes;
                    uint64_t old = read_cell(before, at, bits),
                             now = join(op, t, old, bits == 64 ? lane[i].a : (uint32_t)lane[i].a);
                    if (kind < 2) ok = (bits == 64 ? got_d[i] : (uint32_t)got_d[i]) == old;
                    memcpy(before + at, &now, (size_t)bytes);
                }
                ok = ok && !memcmp(memory, before, 64);
                if (!CHECK(ok)) printf("%s\n", body);
                ran++;
            }
    for (int k = 0; k < 4; k++) { /* cas: half of the lanes expect what is there */
        char body[200];
        int bits = k & 1 ? 64 : 32;
        fill(w, false);
        noise();
        for (int i = 0; i < w->lanes; i++)
            if (i & 1) lane[i].b = read_cell(memory, i % 4 * bits / 8, bits);
        snprintf(body, sizeof body,
                 "lop3.b32 r4, r0, 3, rz, 0xc0\n  imul.u32 r4, r4, %d\n  mov.b64 r6, p[m]\n  lea.u64 r6, r4, r6, 0\n  "
                 "@p1 cas%s.b%d r16, %s, r10, r12",
                 bits / 8, k & 2 ? "s" : "g", bits, k & 2 ? "[r4+s]" : "[r6]");
        bool ok = run(w, body, k & 2);
        for (int i = 0; ok && i < w->lanes; i++) {
            if (!runs(i)) continue;
            int at = i % 4 * bits / 8;
            uint64_t old = read_cell(before, at, bits), want = bits == 64 ? lane[i].b : (uint32_t)lane[i].b;
            ok = (bits == 64 ? got_d[i] : (uint32_t)got_d[i]) == old;
            if (old == want) memcpy(before + at, &lane[i].c, (size_t)bits / 8);
        }
        if (!CHECK(ok && !memcmp(memory, before, 64))) printf("%s\n", body);
        ran++;
    }
    CHECK(ran > 70);
}

int main(void)
{
    static const char *const machine[] = {"h100", "tiny"};
    for (int i = 0; i < 2; i++) {
        Warp w = {0};
        if (!sim_test_machine(&w.t, machine[i])) break;
        w.lanes = (int)sim_device_machine(w.t.device)->chip_warp;
        w.in = sim_test_put(&w.t, NULL, sizeof lane);
        w.out = sim_test_put(&w.t, NULL, 16 * LANES_MOST);
        w.memory = sim_test_put(&w.t, NULL, sizeof memory);
        for (int k = 0; k < 4; k++)
            shuffles(&w), votes(&w), matches(&w), reductions(&w), accesses(&w), other_spaces(&w), atomics(&w);
        sim_test_end(&w.t);
    }
    return check_done();
}
