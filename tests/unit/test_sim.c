/* The simulator on small programs: paths and reconvergence, barriers, atomics between blocks, clusters, copies; the
 * faults of plain and checked launches; and one result whatever the number of host threads. */
#include "tests/unit/sim_run.h"

typedef struct Arrays {
    uint64_t in, out;
    uint32_t n, pad;
} Arrays;
enum { PARAM_BYTES = 20, N = 1000 };

#define PARAMS ".param in: u32*\n.param out: u32*\n.param n: u32\n"
#define INDEX                                                                                                          \
    "  s2r.b32 r0, ctaid.x\n"                                                                                          \
    "  s2r.b32 r1, ntid.x\n"                                                                                           \
    "  s2r.b32 r2, tid.x\n"                                                                                            \
    "  imad.u32 r0, r0, r1, r2\n"

/* out[i] = steps of the Collatz sequence from in[i]: lanes leave a loop at different times. */
static const char collatz[] = ".kernel k\n" PARAMS INDEX "  bssy b1, done\n"
                              "  isetp.ge.u32 p0, pt, r0, p[n]\n"
                              "  @p0 bra done\n"
                              "  lea.u64 r4, r0, p[in], 2\n"
                              "  ldg.b32 r6, [r4]\n"
                              "  mov.b32 r7, 0\n"
                              "  bssy b0, met\n"
                              "loop:\n"
                              "  isetp.le.u32 p0, pt, r6, 1\n"
                              "  @p0 bra met\n"
                              "  lop3.b32 r8, r6, 1, rz, 0xc0\n"
                              "  isetp.eq.u32 p1, p2, r8, 0\n"
                              "  @p1 shr.u32 r6, r6, 1\n"
                              "  @p2 imad.u32 r6, r6, 3, rz\n"
                              "  @p2 iadd3.u32 r6, r6, 1, rz\n"
                              "  iadd3.u32 r7, r7, 1, rz\n"
                              "  bra loop\n"
                              "met:\n"
                              "  bsync b0\n"
                              "  lea.u64 r4, r0, p[out], 2\n"
                              "  stg.b32 [r4], r7\n"
                              "done:\n"
                              "  bsync b1\n"
                              "  exit\n";

static uint32_t collatz_steps(uint32_t x)
{
    uint32_t n = 0;
    for (; x > 1; n++) x = x & 1 ? 3 * x + 1 : x / 2;
    return n;
}

/* Each block turns its part round in shared memory, tickets are taken in the order of blocks, sums are reduced. */
#define BLOCKS(order)                                                                                                  \
    ".kernel k\n" PARAMS ".shared tile: 256\n" INDEX "  lea.u64 r4, r0, p[in], 2\n"                                    \
    "  ldg.b32 r6, [r4]\n"                                                                                             \
    "  shl.u32 r7, r2, 2\n"                                                                                            \
    "  sts.b32 [r7+tile], r6\n"                                                                                        \
    "  bar.sync 0\n"                                                                                                   \
    "  iadd3.s32 r8, -r7, 252, rz\n"                                                                                   \
    "  lds.b32 r9, [r8+tile]\n"                                                                                        \
    "  lea.u64 r4, r0, p[out], 2\n"                                                                                    \
    "  stg.b32 [r4+8], r9\n"                                                                                           \
    "  redux.add.u32 r10, r9\n"                                                                                        \
    "  elect p0\n"                                                                                                     \
    "  mov.b64 r12, p[out]\n"                                                                                          \
    "  @p0 redg.add.u32 [r12], r10\n"                                                                                  \
    "  isetp.eq.u32 p1, pt, r2, 0\n"                                                                                   \
    "  mov.b32 r14, 1\n"                                                                                               \
    "  @p1 atomg.add.u32 r15, [r12+4], r14\n" order "  exit\n"
static const char blocks[] = BLOCKS("  s2r.b32 r17, ctaid.x\n"
                                    "  @p1 isetp.ne.u32 p2, pt, r15, r17, p1\n"
                                    "  @!p1 isetp.ne.u32 p2, pt, r17, r17\n"
                                    "  @p2 trap 7\n");
/* A timed launch gives tickets in the order of clocks. */
static const char blocks_in_any_order[] = BLOCKS("");

/* Block b waits until block b - 1 has said its number. */
static const char chain[] = ".kernel k\n" PARAMS "  s2r.b32 r0, ctaid.x\n"
                            "  mov.b64 r4, p[out]\n"
                            "wait:\n"
                            "  ldg.b32.cv r6, [r4]\n"
                            "  isetp.ne.u32 p0, pt, r6, r0\n"
                            "  @p0 bra wait\n"
                            "  iadd3.u32 r6, r6, 1, rz\n"
                            "  isetp.eq.u32 p0, pt, r0, r0\n"
                            "  stg.b32 [r4], r6\n"
                            "  exit\n";

/* Two blocks of a cluster swap halves through each other's shared memory. */
static const char cluster[] =
    ".kernel k\n" PARAMS ".cluster 2\n.shared tile: 128\n" INDEX "  lea.u64 r4, r0, p[in], 2\n"
    "  ldg.b32 r6, [r4]\n"
    "  s2r.b32 r7, cluster.rank\n"
    "  lop3.b32 r7, r7, 1, rz, 0x3c\n"
    "  shl.u32 r8, r2, 2\n"
    "  mapa.u32 r9, r8, r7\n"
    "  sts.b32 [r9+tile], r6\n"
    "  cbar.arrive\n"
    "  cbar.wait\n"
    "  lds.b32 r10, [r8+tile]\n"
    "  lea.u64 r4, r0, p[out], 2\n"
    "  stg.b32 [r4], r10\n"
    "  exit\n";

/* Copies by threads, and a bulk copy that a transaction barrier counts. */
static const char copies[] = ".kernel k\n" PARAMS ".shared a: 512\n.shared b: 512\n.shared full: 8\n"
                             "  s2r.b32 r0, tid.x\n"
                             "  shl.u32 r1, r0, 4\n"
                             "  mov.b64 r2, p[in]\n"
                             "  lea.u64 r4, r1, r2, 0\n"
                             "  cpa.b128 [r1+a], [r4]\n"
                             "  cpcommit\n"
                             "  isetp.eq.u32 p0, pt, r0, 0\n"
                             "  mov.b32 r6, 1\n"
                             "  mov.b32 r7, 512\n"
                             "  mov.b32 r8, full\n"
                             "  @p0 mbinit [r8], r6\n"
                             "  bulkg2s [rz+b], r2, r7, r8\n"
                             "  @p0 mbexpect [r8], r7\n"
                             "  mov.b32 r9, 0\n"
                             "try:\n"
                             "  mbtry p1, [r8], r9\n"
                             "  @!p1 bra try\n"
                             "  cpwait 0\n"
                             "  bar.sync 0\n"
                             "  lop3.b32 r10, r1, 0x1f0, rz, 0x3c\n"
                             "  lds.b128 r12, [r10+a]\n"
                             "  lds.b128 r16, [r1+b]\n"
                             "  mov.b64 r2, p[out]\n"
                             "  lea.u64 r4, r1, r2, 0\n"
                             "  stg.b128 [r4], r12\n"
                             "  stg.b128 [r4+512], r16\n"
                             "  exit\n";

/* Calls through addresses that differ by lane, and a jump table. */
static const char calls[] = ".kernel k\n" PARAMS INDEX "  lop3.b32 r3, r0, 1, rz, 0xc0\n"
                            "  lab r10, twice\n"
                            "  lab r11, square\n"
                            "  isetp.eq.u32 p0, pt, r3, 0\n"
                            "  sel.b32 r12, r10, r11, p0\n"
                            "  mov.b32 r20, r0\n"
                            "  bssy b0, back\n"
                            "  callx r21, r12\n"
                            "back:\n"
                            "  bsync b0\n"
                            "  bfe.u32 r13, r0, 0x201\n"
                            "  bssy b0, met\n"
                            "  brx r13, table\n"
                            "table:\n"
                            "  bra met\n"
                            "  bra one\n"
                            "  bra two\n"
                            "  bra met\n"
                            "one:\n"
                            "  iadd3.u32 r20, r20, 1000, rz\n"
                            "  bra met\n"
                            "two:\n"
                            "  iadd3.u32 r20, r20, 2000, rz\n"
                            "met:\n"
                            "  bsync b0\n"
                            "  lea.u64 r4, r0, p[out], 2\n"
                            "  stg.b32 [r4], r20\n"
                            "  exit\n"
                            "twice:\n"
                            "  iadd3.u32 r20, r20, r20, rz\n"
                            "  ret r21\n"
                            "square:\n"
                            "  imul.u32 r20, r20, r20\n"
                            "  ret r21\n";

typedef struct Run {
    uint32_t out[N + 64];
    uint64_t instructions, lanes;
    SimTiming timing;
} Run;

static bool go(SimTest *t, const char *text, uint32_t grid, uint32_t block, int threads, bool checked, Run *r)
{
    uint32_t in[N];
    for (uint32_t i = 0; i < N; i++) in[i] = i * 7 + 1;
    memset(r, 0, sizeof *r);
    t->threads = threads;
    t->checked = checked;
    if (!sim_test_text(t, text)) return false;
    Arrays p = {.n = N};
    p.in = sim_test_put(t, in, sizeof in);
    p.out = sim_test_put(t, r->out, sizeof r->out);
    bool ok = sim_test_run(t, "k", grid, block, &p, PARAM_BYTES);
    memcpy(r->out, sim_host(t->device, p.out, sizeof r->out, false), sizeof r->out);
    r->instructions = t->result.warp_instructions;
    r->lanes = t->result.thread_instructions;
    r->timing = t->result.timing;
    sim_free(t->device, p.in);
    sim_free(t->device, p.out);
    return ok;
}

/* Runs it plain, checked and with two threads: the same memory and the same counts. Timed, on one and two threads: the
 * same memory, and one history. */
static bool all_ways(SimTest *t, const char *text, const char *when_timed, uint32_t grid, uint32_t block, Run *r)
{
    Run two, checked, timed[2];
    if (!go(t, text, grid, block, 1, false, r) || !go(t, text, grid, block, 2, false, &two) ||
        !go(t, text, grid, block, 2, true, &checked))
        return false;
    CHECK(!memcmp(&two, r, sizeof two));
    CHECK(!memcmp(&checked, r, sizeof checked));
    t->timed = SIM_TIMED;
    bool ok =
        go(t, when_timed, grid, block, 1, false, &timed[0]) && go(t, when_timed, grid, block, 2, false, &timed[1]);
    t->timed = SIM_UNTIMED;
    CHECK(ok && !memcmp(timed[0].out, r->out, sizeof r->out) && !memcmp(&timed[0], &timed[1], sizeof *timed));
    CHECK(ok && timed[0].timing.cycles > (uint64_t)sim_device_machine(t->device)->chip_launch);
    return ok;
}

static void programs(SimTest *t)
{
    Run r;
    bool ok = all_ways(t, collatz, collatz, 16, 64, &r);
    for (uint32_t i = 0; ok && i < N; i++) ok = r.out[i] == collatz_steps(i * 7 + 1);
    CHECK(ok);
    ok = all_ways(t, blocks, blocks_in_any_order, 15, 64, &r);
    uint32_t sum = 0;
    for (uint32_t i = 0; ok && i < 15 * 64; i++) {
        ok = r.out[2 + i] == (i / 64 * 64 + 63 - i % 64) * 7 + 1;
        sum += i * 7 + 1;
    }
    CHECK(ok && r.out[0] == sum && r.out[1] == 15);
    ok = all_ways(t, chain, chain, 40, 1, &r);
    CHECK(ok && r.out[0] == 40);
    ok = all_ways(t, calls, calls, 4, 32, &r);
    for (uint32_t i = 0; ok && i < 128; i++) {
        uint32_t x = i & 1 ? i * i : 2 * i, k = i >> 1 & 3;
        ok = r.out[i] == x + (k == 1 ? 1000 : k == 2 ? 2000 : 0);
    }
    CHECK(ok);
    if (sim_device_machine(t->device)->chip_cluster < 2) return;
    ok = all_ways(t, cluster, cluster, 8, 32, &r);
    for (uint32_t i = 0; ok && i < 256; i++) ok = r.out[i] == (i ^ 32) * 7 + 1;
    CHECK(ok);
    if (sim_device_machine(t->device)->chip_warp != 32) return;
    ok = all_ways(t, copies, copies, 1, 32, &r);
    for (uint32_t i = 0; ok && i < 128; i++)
        ok = r.out[i] == ((i / 4 ^ 31) * 4 + i % 4) * 7 + 1 && r.out[128 + i] == i * 7 + 1;
    CHECK(ok);
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */

static void fails(SimTest *t, const char *text, uint32_t block, SimFaultKind kind, const char *says)
{
    uint32_t zero[64] = {0};
    if (!sim_test_text(t, text)) return;
    Arrays p = {.in = sim_test_put(t, zero, sizeof zero), .out = sim_test_put(t, NULL, 256), .n = N};
    sim_test_fails(t, "k", 2, block, &p, PARAM_BYTES, kind, says);
    t->timed = t->checked ? SIM_UNTIMED : SIM_TIMED;
    sim_test_fails(t, "k", 2, block, &p, PARAM_BYTES, kind, says);
    t->timed = SIM_UNTIMED;
    sim_free(t->device, p.in);
    sim_free(t->device, p.out);
}

static void faults(SimTest *t)
{
    t->threads = 2;
    t->checked = false;
    fails(t, ".kernel k\n" PARAMS "  mov.b64 r0, 64\n  ldg.b32 r2, [r0]\n  exit\n", 32, SIM_OUT_OF_BOUNDS,
          "test.s:6: out of bounds");
    fails(t, ".kernel k\n" PARAMS "  mov.b64 r0, p[in]\n  ldg.b64 r2, [r0+4]\n  exit\n", 32, SIM_MISALIGNED,
          "misaligned");
    fails(t, ".kernel k\n" PARAMS "  s2r.b32 r0, tid.x\n  lds.b32 r1, [r0+4000000]\n  exit\n", 32, SIM_OUT_OF_BOUNDS,
          "block's 0 bytes");
    fails(t,
          ".kernel k\n" PARAMS
          "  s2r.b32 r0, tid.x\n  isetp.lt.u32 p0, pt, r0, 5\n  @p0 bra.uni end\n  nop\nend:\n  exit\n",
          32, SIM_DIVERGENT, "uniform");
    fails(t, ".kernel k\n" PARAMS "  s2r.b32 r0, tid.x\n  isetp.lt.u32 p0, pt, r0, 5\n  @p0 bar.sync 0\n  exit\n", 32,
          SIM_DIVERGENT, "different paths");
    fails(t,
          ".kernel k\n" PARAMS "  s2r.b32 r0, warpid\n  isetp.eq.u32 p0, pt, r0, 0\n  @p0 bra b\n  bar.sync 1\n  "
          "exit\nb:\n  bar.sync 2\n  exit\n",
          64, SIM_DEADLOCK, "1 of 2 warps are at barrier 2");
    fails(t, ".kernel k\n" PARAMS "  trap 42\n", 32, SIM_TRAP, "says 42");
    fails(t, ".kernel k\n" PARAMS "  mov.b32 r0, 99\n  ret r0\n", 32, SIM_BAD_JUMP, "instruction 99");
    t->budget = 100000;
    fails(t, ".kernel k\n" PARAMS "a:\n  bra a\n", 32, SIM_BUDGET, "endless loop");
    t->budget = 0;
    fails(t, ".kernel k\n" PARAMS "  exit\n", 5000, SIM_BAD_LAUNCH, "5000 threads");
    sim_test_fails(t, "none", 1, 32, NULL, 0, SIM_BAD_LAUNCH, "no kernel");
    sim_test_fails(t, "k", 1, 32, NULL, 0, SIM_BAD_LAUNCH, "20 bytes");
    sim_test_fails(t, "k", 0, 32, NULL, 0, SIM_BAD_LAUNCH, "");
}

static void checked(SimTest *t)
{
    t->checked = true;
    fails(t, ".kernel k\n" PARAMS "  mov.b64 r0, p[in]\n  ldg.b32 r2, [r0+256]\n  exit\n", 32, SIM_OUT_OF_BOUNDS,
          "4 bytes past an allocation of 256");
    fails(t, ".kernel k\n" PARAMS "  mov.b64 r0, p[out]\n  ldg.b32 r2, [r0]\n  exit\n", 32, SIM_UNINITIALISED,
          "never written");
    fails(t, ".kernel k\n" PARAMS "  iadd3.u32 r0, r1, 1, rz\n  exit\n", 32, SIM_UNINITIALISED, "r1 was never");
    fails(t, ".kernel k\n" PARAMS "  uadd3.u32 ur0, ur1, 1, urz\n  exit\n", 32, SIM_UNINITIALISED, "ur1 was never");
    fails(t, ".kernel k\n" PARAMS "  mov.b32 r0, 0\n  @p3 mov.b32 r0, 1\n  exit\n", 32, SIM_UNINITIALISED,
          "p3 was never");
    fails(t, ".kernel k\n" PARAMS ".shared a: 64\n  mov.b32 r0, 0\n  lds.b32 r1, [r0+a]\n  exit\n", 32,
          SIM_UNINITIALISED, "shared memory at 0x0");
    /* Without the barrier, each warp writes what the other may be reading. */
    static const char race[] = ".kernel k\n" PARAMS ".shared a: 256\n  s2r.b32 r0, tid.x\n  shl.u32 r1, r0, 2\n  "
                               "sts.b32 [r1+a], r0\n  bar.sync 0\n  sts.b32 [r1+a], r0\n"
                               "%s  lop3.b32 r2, r1, 128, rz, 0x3c\n  lds.b32 r3, [r2+a]\n  exit\n";
    char text[600];
    snprintf(text, sizeof text, race, "");
    fails(t, text, 64, SIM_RACE, "nothing orders the two");
    snprintf(text, sizeof text, race, "  bar.sync 3\n");
    if (sim_test_text(t, text)) {
        Arrays p = {.n = 0};
        sim_test_run(t, "k", 2, 64, &p, PARAM_BYTES);
    }
    fails(t,
          ".kernel k\n" PARAMS
          ".shared a: 512\n  s2r.b32 r0, tid.x\n  shl.u32 r1, r0, 2\n  mov.b64 r2, p[in]\n  cpa.b32 [r1+a], [r2]\n"
          "  cpcommit\n  lds.b32 r3, [r1+a]\n  exit\n",
          32, SIM_RACE, "has not been waited for");
    fails(t, ".kernel k\n" PARAMS "  s2r.b32 r0, tid.x\n  r2ur.b32 ur0, r0\n  exit\n", 32, SIM_DIVERGENT,
          "differs between active lanes");
}

int main(void)
{
    static const char *const machine[] = {"tiny", "v100", "h100"};
    for (int i = 0; i < 3; i++) {
        SimTest t;
        if (!sim_test_machine(&t, machine[i])) continue;
        if (i != 1) programs(&t);
        if (i == 2) faults(&t), checked(&t);
        sim_test_end(&t);
    }
    return check_done();
}
