/* G9 instructions as bits and as text. For every row of the table, every combination of modifiers that exists and
 * random operands: encode, decode, print, assemble give the same instruction; bits that are no instruction are refused;
 * and what decodes encodes to the same bits, for random words and for words one bit away from an instruction. */
#include "tests/unit/check.h"
#include "tests/unit/g9_gen.h"

#include <stdlib.h>

enum { EACH = 3, WORDS = 3000000, NEAR = 20 };

static bool same_bits(IsaBits a, IsaBits b) { return a.lo == b.lo && a.hi == b.hi; }

/* Prints n instructions as one kernel and assembles them again. */
static bool texts(const IsaBits *bits, int n)
{
    IsaText t = {0};
    isa_text(&t, ".kernel k\n");
    for (int i = 0; i < n; i++) {
        IsaInst in;
        if (!isa_decode(bits[i], &in, NULL)) return false;
        isa_print_inst(&t, &in, NULL, NULL, i);
        isa_text(&t, "\n");
    }
    IsaErrors e = {0};
    IsaModule *m = isa_assemble("round.g9s", t.s, t.n, &e);
    bool ok = m && m->ninsts == (uint32_t)n;
    for (int i = 0; ok && i < n; i++) {
        ok = same_bits(m->code[i], bits[i]);
        if (!ok) {
            IsaInst in;
            IsaText one = {0};
            isa_decode(bits[i], &in, NULL);
            isa_print_inst(&one, &in, NULL, NULL, 0);
            printf("%s: %016llx %016llx, assembled %016llx %016llx\n", one.s, (unsigned long long)bits[i].lo,
                   (unsigned long long)bits[i].hi, (unsigned long long)m->code[i].lo,
                   (unsigned long long)m->code[i].hi);
            isa_text_free(&one);
        }
    }
    if (!m) {
        IsaText err = {0};
        isa_errors_render(&e, &err);
        printf("%s", err.s);
        isa_text_free(&err);
    }
    isa_errors_free(&e);
    isa_module_free(m);
    isa_text_free(&t);
    return ok;
}

static void near(IsaBits b)
{
    for (int i = 0; i < NEAR; i++) {
        unsigned bit = g9_below(128);
        IsaBits c = b, back;
        IsaInst in;
        if (bit < 64)
            c.lo ^= UINT64_C(1) << bit;
        else
            c.hi ^= UINT64_C(1) << (bit - 64);
        const char *why = NULL;
        bool ok = isa_decode(c, &in, &why);
        if (ok ? !isa_encode(&in, &back, NULL) || !same_bits(back, c) : why == NULL)
            CHECK(!"a decoded word encodes to itself, a refused one has a reason");
    }
}

static int combinations;

static void row(IsaOp op)
{
    uint16_t mod[ISA_MODS];
    IsaBits *bits = NULL;
    int n = 0, legal = 0;
    g9_first_mods(op, mod);
    do {
        bool any = false;
        for (int i = 0; i < EACH; i++) {
            IsaInst in, back;
            IsaBits b;
            const char *why = NULL;
            /* Illegal combinations are told at once: what varies between tries is operands alone. */
            if (!g9_some(op, mod, &in)) break;
            any = true;
            if (!CHECK(isa_encode(&in, &b, &why)) || !CHECK(isa_decode(b, &back, &why))) return;
            if (memcmp(&in, &back, sizeof in)) CHECK(!"decode gives what was encoded");
            near(b);
            bits = realloc(bits, sizeof *bits * (size_t)(n + 1));
            bits[n++] = b;
        }
        legal += any;
    } while (g9_next_mods(op, mod));
    combinations += legal;
    if (!CHECK(legal > 0)) printf("no legal instruction of %s\n", isa_row[op].name);
    if (!CHECK(texts(bits, n))) printf("in %s\n", isa_row[op].name);
    free(bits);
}

static void random_words(void)
{
    int decoded = 0;
    for (int i = 0; i < WORDS; i++) {
        IsaBits b = {g9_random(), g9_random()}, back;
        IsaInst in;
        if (i & 1) { /* few bits set: these decode now and then */
            b.lo = (b.lo & g9_random() & g9_random() & ~UINT64_C(0x3ff)) | g9_below(G9_COUNT);
            b.hi &= g9_random() & g9_random() & g9_random() & g9_random();
        }
        const char *why = NULL;
        if (!isa_decode(b, &in, &why)) {
            if (!why) CHECK(!"a reason");
            continue;
        }
        decoded++;
        if (!isa_encode(&in, &back, NULL) || !same_bits(back, b)) CHECK(!"bits → instruction → bits");
        if (!(decoded % 64) && !texts(&b, 1)) CHECK(!"bits → text → bits");
    }
    CHECK(decoded > 1000);
}

static void shapes(void)
{
    for (unsigned i = 0; i < 1024; i++) CHECK(isa_shape_code(isa_shape(i)) == (int)i);
    CHECK(isa_shape_code((IsaShape){16, 12, 16}) == -1);
}

/* Every element of a fragment has a place of its own, and they fill the registers. */
static void fragments(void)
{
    static const int bits[] = {4, 8, 16, 32}, warps[] = {16, 32, 64};
    static const IsaShape shape[] = {{16, 8, 16},  {16, 8, 32},  {16, 8, 64}, {8, 8, 4},
                                     {16, 16, 16}, {64, 32, 16}, {16, 8, 8}};
    for (int f = 0; f < 3; f++)
        for (int b = 0; b < 4; b++)
            for (int w = 0; w < 3; w++)
                for (int s = 0; s < 7; s++) {
                    if (f == IFR_D && bits[b] < 16) continue;
                    IsaShape sh = shape[s];
                    int regs = isa_fragment_registers((IsaFragment)f, sh, bits[b], warps[w]);
                    int rows = f == IFR_B ? sh.k : sh.m, cols = f == IFR_A ? sh.k : sh.n;
                    char *seen = calloc((size_t)regs * (size_t)warps[w], 32);
                    bool ok = true;
                    for (int r = 0; r < rows; r++)
                        for (int c = 0; c < cols; c++) {
                            int reg, lane, bit;
                            isa_fragment_place((IsaFragment)f, sh, bits[b], warps[w], r, c, &reg, &lane, &bit);
                            ok &= reg >= 0 && reg < regs && lane >= 0 && lane < warps[w] && bit >= 0 &&
                                  bit + bits[b] <= 32;
                            if (!ok) break;
                            char *at = &seen[(reg * warps[w] + lane) * 32 + bit];
                            ok &= !*at;
                            *at = 1;
                        }
                    CHECK(ok);
                    free(seen);
                }
}

int main(void)
{
    shapes();
    fragments();
    for (int op = 0; op < G9_COUNT; op++) row((IsaOp)op);
    printf("%d operation and modifier combinations of %d instructions\n", combinations, G9_COUNT);
    CHECK(combinations > 1000);
    random_words();
    return check_done();
}
