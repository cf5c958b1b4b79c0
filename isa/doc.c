/* doc: docs/isa.md from the tables. What tables cannot say stands here as text, next to what they say. */
#include "isa/isa_priv.h"

#include <string.h>

static const char introduction[] =
    "# The G9 instruction set\n\n"
    "Made from the tables in `isa/` by `test_g9_doc --update`; a test compares.\n\n"
    "A grid of blocks runs a kernel; blocks of a cluster see each other's shared memory; a block is cut into warps, "
    "whose lanes run\n"
    "one instruction together. A warp has 32 lanes, or 16 or 64 where the machine file says so.\n\n"
    "| | per | names |\n|---|---|---|\n"
    "| registers | lane | `r0` to `r254`, 32 bits; `rz` reads 0 and swallows writes. A 64-bit value is a pair at an "
    "even number, 128 bits four at a "
    "multiple of 4 |\n"
    "| uniform registers | warp | `ur0` to `ur62`, `urz`; the same pairs |\n"
    "| predicates | lane | `p0` to `p6`, `pt` (true). `@p0` or `@!p0` before an instruction guards it |\n"
    "| barrier registers | warp | `b0` to `b15`: sets of lanes that are to meet |\n"
    "| addresses | | global: 64 bits; shared: bits 0–23 the offset, bits 24–31 0 for the own block or 1 + the rank of "
    "one in the cluster (`mapa`); local, "
    "constant and parameter: an offset |\n\n"
    "**Paths.** Where a branch's guard differs between lanes, they go on as separate paths, one at a time. `bssy b0, "
    "label` notes the lanes that run it; "
    "`bsync b0` holds a path until all of them are there, have exited, or left by `bbreak`. Nothing meets by itself. "
    "Instructions marked *full* below need all "
    "lanes of the warp on one path, *live* all that have not exited; else the launch ends with a fault.\n\n"
    "**Numbers.** Floats are IEEE 754; f32, f64 and f16 keep subnormals unless `ftz` is written. A NaN that arithmetic "
    "or a conversion makes is the canonical one "
    "(quiet, positive, no payload); moves, `fabs` and `fneg` keep bits. Each operation rounds once, to nearest even or "
    "as `rz`, `rm`, `rp` say; f16x2 and bf16x2 "
    "compute in f32 and round again. e4m3 has no infinity; its pattern of all ones is NaN. A matrix product takes k in "
    "ascending order, one fused multiply-add in the type of "
    "the sum each (f16 sums: in f32, rounded to f16 at each step); tf32 operands ignore the low 13 bits. So results "
    "are the same on every machine, and those of a loop of `ffma`.\n\n";

static const char encoding[] =
    "## Encoding\n\n"
    "An instruction has 128 bits. What a row does not use is 0, so that each instruction has one encoding.\n\n"
    "| bits | | bits | |\n|---|---|---|---|\n"
    "| 0–9 | opcode: the number of the row | 52–55 | source predicate S (bit 3: negated) |\n"
    "| 10–13 | guard: predicate, bit 3 negates | 56–59 | source predicate T |\n"
    "| 14–21 | register D | 60–63 | hint: clocks to stall after it |\n"
    "| 22–29 | register A | 64–95 | immediate, offset, target or E |\n"
    "| 30–37 | register B | 96–121 | modifiers in the row's order, then signs of operands, then a number |\n"
    "| 38–45 | register C | 122–124 | form: 1, 2, 3 the first flexible operand is an immediate, uniform register, "
    "parameter or constant; 4, 5, 6 the second |\n"
    "| 46–51 | predicates D, E (written) | 125–127 | hint: a scoreboard to wait for |\n\n";

static const char text_form[] =
    "## Text\n\n"
    "```\n"
    "# a comment\n"
    ".const table: f32 = 1.0, 2.5        # constants of the module: c[table], c[table+4], ldc\n"
    ".kernel scale                       # up to the next .kernel\n"
    ".param x: f32*[N]                   # a pointer and the shape behind it; p[x] is its address\n"
    ".param N: u32                       # a scalar\n"
    ".shared tile: 1024                  # bytes of shared memory; `tile` is a number from here on\n"
    ".local 64                           # bytes of local memory of a thread\n"
    ".block 128                          # required block size; .cluster likewise\n"
    "loop:                               # a label of this kernel\n"
    "  @!p0 ffma.f32 r0, -r1, 2.0, r2    # guard, mnemonic, modifiers, operands\n"
    "  ldg.b32 r4, [ur2+r3+16]           # uniform base, register, offset\n"
    "  exit {stall 2, wait 1}            # hints\n"
    "```\n\n"
    "Also: `.registers N`, `.uregisters N` (else counted), `.equ NAME VALUE`, `.line \"FILE\" N`, `.machine \"NAME\"`, "
    "`.toolchain \"TEXT\"`, `.plan \"LINE\"`. "
    "Modifiers stand in the order of the row; those with an empty first word may be left out. One operand of an "
    "instruction may be an immediate, a uniform register, `p[…]` or "
    "`c[…]` where *X* stands below. Immediates of 64-bit integers are sign-extended, of f64 they are the upper "
    "half.\n\n";

static const char matrices[] =
    "## Matrix fragments\n\n"
    "Fragments are defined for 32 virtual lanes; virtual register i of virtual lane v is register ⌊(32 i + v) / w⌋ of "
    "lane (32 i + v) mod w, in a warp of w lanes. "
    "A register of A or B holds a patch of 8 lines times 16 bytes along k: lane 4 g + j has line g (a row of A, a "
    "column of B) and the j-th 4 bytes. Patches of A go down the rows first, then "
    "along k; patches of B along k first, then along n. A patch of D is 8×8: lane 4 g + j has row g, columns 2 j and 2 "
    "j + 1, in one register when they have 16 bits and in two when they have 32; patches go "
    "down the rows first.\n\n"
    "**Sparse A** holds two of every four consecutive k of a row. E has two bits for each: the elements of a lane, in "
    "the order of its registers and their bits, name their place among the four.\n\n"
    "**Descriptors** of `wgmma` (64 bits, the same in all lanes): bits 0–23 the shared address of the first element; "
    "24–39 the distance between lines, in units of 16 bytes; 40–55, in the "
    "same units, the distance between pieces of 128 bytes of a line (0: lines are contiguous); 56–57 the swizzle; 58: "
    "lines run along m or n and follow each other along k (0: lines run along k).\n\n"
    "**Swizzles** exchange 16-byte units so that neither rows nor columns of a tile meet in a bank: address bits 4, "
    "4–5 or 4–6 (1, 2, 3: within 32, 64, 128 bytes) are xor-ed with bits 7, 7–8 or 7–9.\n\n";

static const char barriers[] =
    "## Transaction barriers and tile maps\n\n"
    "A transaction barrier is 8 bytes of shared memory, aligned to 8: bits 0–15 the arrivals that this phase still "
    "waits for, 16–31 those of a whole phase, 32–62 the bytes of copies that it waits for "
    "(signed), 63 the parity of the phase. When both reach 0 the parity flips and the next phase begins.\n\n"
    "A tile map is 128 bytes of global memory, aligned to 16, little-endian: address of the tensor (8 bytes); bytes of "
    "an element (1, 2, 4, 8), swizzle, fill (the bits of an element outside of the tensor), rank (4 "
    "bytes each); five sizes and five box sizes in elements, innermost first (4 bytes each, boxes to 256); four "
    "strides in bytes, of dimension 1 on, multiples of 16 (8 bytes each); zeros. The box lies in shared memory "
    "without gaps, innermost first, its addresses swizzled; its rows are multiples of 16 bytes.\n\n";

/* ---- tables
 * ----------------------------------------------------------------------------------------------------------- */

static void put_words(IsaText *out, const IsaMod *m)
{
    int n = m->group == IG_TYPE ? IT_COUNT : isa_group[m->group].nwords, k = 0;
    if (m->group == IG_SHAPE) {
        isa_text(out, " `.m…n…k…`");
        return;
    }
    bool optional = m->group != IG_TYPE && !*isa_group[m->group].word[0];
    isa_text(out, optional ? " [" : " ");
    for (int i = 0; i < n; i++) {
        const char *w = m->group == IG_TYPE ? isa_type[i].name : isa_group[m->group].word[i];
        if (*w && (m->allowed >> i & 1)) isa_text(out, "%s`.%s`", k++ ? " " : "", w);
    }
    if (optional) isa_text(out, "]");
}

static const char *operand_name(const IsaOperand *o)
{
    static const char *const slot[] = {"d", "a", "b", "c", "e"};
    switch (o->kind) {
    case IO_PRED: return o->slot == ISP_D ? "pd" : "pe";
    case IO_PREDS: return o->slot == ISP_S ? "ps" : "pt";
    case IO_GLOBAL:
    case IO_GLOBALH: return "[ur+r+n] global";
    case IO_GLOBAL1: return "[r+n] global";
    case IO_SHARED: return "[ur+r+n] shared";
    case IO_SHARED1:
    case IO_SHAREDD: return "[r+n] shared";
    case IO_LOCAL: return "[r+n] local";
    case IO_CONST: return "[r+n] constant";
    case IO_PARAM: return "[r+n] parameter";
    case IO_SREG:
    case IO_USREG: return "special";
    case IO_TARGET: return "label";
    case IO_BARRIER: return "barrier";
    case IO_NUMBER: return "number";
    case IO_IMM32: return "number";
    default: return slot[o->slot];
    }
}

static void put_operands(IsaText *out, const IsaRow *row)
{
    for (const IsaOperand *o = row->operand; o->kind; o++) {
        bool uniform = o->kind == IO_UREG || o->kind == IO_UFLEX, flex = o->kind == IO_FLEX || o->kind == IO_UFLEX;
        isa_text(out, "%s%s%s%s%s", o == row->operand ? "" : ", ", o->flags & IOF_NEG ? "±" : "",
                 o->flags & IOF_ABS ? "\\|" : "", uniform ? "u" : "", operand_name(o));
        if (o->flags & IOF_ABS) isa_text(out, "\\|");
        if (flex) isa_text(out, " *X*");
    }
}

static void put_row(IsaText *out, const IsaRow *row, int opcode)
{
    isa_text(out, "| %d | `%s`", opcode, row->name);
    for (int i = 0; row->mod[i].group; i++) {
        if (i) isa_text(out, " ·");
        put_words(out, &row->mod[i]);
    }
    isa_text(out, " | ");
    put_operands(out, row);
    isa_text(out, " | ");
    for (const char *s = row->semantics; *s; s++) isa_text(out, *s == '|' ? "\\|" : "%c", *s);
    isa_text(out, "%s%s | %s |\n", row->flags & IF_FULL ? " *full*" : "", row->flags & IF_LIVE ? " *live*" : "",
             isa_pipe[row->pipe]);
}

static void instructions(IsaText *out)
{
    isa_text(out, "## Instructions\n\nWhat stands in brackets may be left out. ±: the operand may be negated, |…|: and "
                  "its absolute value taken; *X*: it may be an immediate, a "
                  "uniform register, a parameter or a constant. The last column is the pipe that runs it.\n");
    for (int c = 0; c < IC_COUNT; c++) {
        isa_text(out, "\n### %d %s\n\n| code | instruction | operands | meaning | pipe |\n|---|---|---|---|---|\n",
                 c + 1, isa_category[c]);
        for (int i = 0; i < G9_COUNT; i++)
            if (isa_row[i].category == c) put_row(out, &isa_row[i], i);
    }
}

static void small_tables(IsaText *out)
{
    isa_text(out, "\n## Types\n\n| code | name | bits |\n|---|---|---|\n");
    for (int i = 0; i < IT_COUNT; i++) isa_text(out, "| %d | `%s` | %d |\n", i, isa_type[i].name, isa_type[i].bits);
    isa_text(out, "\n## Special registers\n\n| code | name | meaning |\n|---|---|---|\n");
    for (int i = 0; i < ISR_COUNT; i++)
        isa_text(out, "| %d | `%s`%s | %s |\n", i, isa_sreg[i].name, isa_sreg[i].uniform ? " (uniform)" : "",
                 isa_sreg[i].meaning);
}

static void machine(IsaText *out)
{
    isa_text(out, "\n## Machine files\n\nYAML; `tiny`, `v100`, `a100` and `h100` come with the library. Compiler and "
                  "simulator read the same file, and its hash stands in every binary. Pipes "
                  "(`pipes: {fp32: {count: 1, latency: 4, interval: 2}, …}`):");
    for (int i = 0; i < IP_COUNT; i++) isa_text(out, "%s `%s`", i ? "," : "", isa_pipe[i]);
    isa_text(out, ". Matrix products (`mma: [{shape: m16n8k16, d: f32, a: f16, b: f16, latency: 25, interval: 8}, …]`, "
                  "with `sparse: 1` or `group: 1`).\n\n"
                  "| field | unit | range | what it is |\n|---|---|---|---|\n");
#define FIELD(section, id, unit, least, most, what)                                                                    \
    isa_text(out, "| `%s.%s` | %s | %lld..%lld | %s |\n", #section, #id, unit, (long long)least, (long long)most, what);
#include "isa/machine.def"
#undef FIELD
}

void isa_print_doc(IsaText *out)
{
    isa_text(out, "%s%s%s", introduction, text_form, encoding);
    instructions(out);
    isa_text(out, "\n%s%s", matrices, barriers);
    isa_text(out, "## The .g9 file\n\nThe bytes `G9\\r\\n`, a version, names, lines for the host that launches the "
                  "kernels (g9-codegen.md), constants, kernels (parameters with "
                  "types and shapes, resources, labels, variables, source lines), code, and a "
                  "hash of all before; `isa/module.c` has the layout. A file of another version, a torn one, or one "
                  "made for another description of its machine is refused.\n");
    small_tables(out);
    machine(out);
}
