/* table: the rows of g9.def, types.def, mods.def and sregs.def as constant tables, and what is derived from a row
 * alone. */
#include "isa/isa_priv.h"

#include <string.h>

const IsaTypeRow isa_type[IT_COUNT] = {
#define TYPE(ID, name, bits, cls) {name, bits, #cls[0]},
#include "isa/types.def"
#undef TYPE
};

const IsaGroupRow isa_group[IG_COUNT] = {
    [IG_TYPE] = {"TYPE", 5, 0, {0}},
    [IG_SHAPE] = {"SHAPE", 10, 0, {0}},
#define WORDS(...)         (sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *))
#define MOD(ID, bits, ...) [IG_##ID] = {#ID, bits, WORDS(__VA_ARGS__), {__VA_ARGS__}},
#include "isa/mods.def"
#undef MOD
};

const IsaSregRow isa_sreg[ISR_COUNT] = {
#define SREG(ID, name, uniform, meaning) {name, uniform, meaning},
#include "isa/sregs.def"
#undef SREG
};

const char *const isa_category[IC_COUNT] = {"integer",
                                            "float",
                                            "special functions and conversions",
                                            "moves and predicates",
                                            "memory",
                                            "atomics and warps",
                                            "matrices",
                                            "asynchronous copies and synchronisation",
                                            "control"};

const char *const isa_pipe[IP_COUNT] = {
#define PIPE(ID, name, what) name,
    ISA_PIPES(PIPE)
#undef PIPE
};

/* ---- the notation of g9.def ------------------------------------------------------------------------------------- */
#define JOIN_(a, b)                                                           a##b
#define BIT(T)                                                                (1u << IT_##T)
#define N_ARGS_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, N, ...) N
#define N_ARGS(...)                                                           N_ARGS_(__VA_ARGS__, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define T1(a)                                                                 BIT(a)
#define T2(a, ...)                                                            (BIT(a) | T1(__VA_ARGS__))
#define T3(a, ...)                                                            (BIT(a) | T2(__VA_ARGS__))
#define T4(a, ...)                                                            (BIT(a) | T3(__VA_ARGS__))
#define T5(a, ...)                                                            (BIT(a) | T4(__VA_ARGS__))
#define T6(a, ...)                                                            (BIT(a) | T5(__VA_ARGS__))
#define T7(a, ...)                                                            (BIT(a) | T6(__VA_ARGS__))
#define T8(a, ...)                                                            (BIT(a) | T7(__VA_ARGS__))
#define T9(a, ...)                                                            (BIT(a) | T8(__VA_ARGS__))
#define T10(a, ...)                                                           (BIT(a) | T9(__VA_ARGS__))
#define T11(a, ...)                                                           (BIT(a) | T10(__VA_ARGS__))
#define T12(a, ...)                                                           (BIT(a) | T11(__VA_ARGS__))
#define T13(a, ...)                                                           (BIT(a) | T12(__VA_ARGS__))
#define T14(a, ...)                                                           (BIT(a) | T13(__VA_ARGS__))
#define T15(a, ...)                                                           (BIT(a) | T14(__VA_ARGS__))
#define T16(a, ...)                                                           (BIT(a) | T15(__VA_ARGS__))
#define T17(a, ...)                                                           (BIT(a) | T16(__VA_ARGS__))
#define TN_(N, ...)                                                           T##N(__VA_ARGS__)
#define TN(N, ...)                                                            TN_(N, __VA_ARGS__)
#define TY(...)                                                                                                        \
    {                                                                                                                  \
        IG_TYPE, TN(N_ARGS(__VA_ARGS__), __VA_ARGS__)                                                                  \
    }
#define M(G)                                                                                                           \
    {                                                                                                                  \
        IG_##G, 0xffffffffu                                                                                            \
    }
#define MODS(...)                                                                                                      \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define OPS(...)                                                                                                       \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

#define REG(slot, w, flags)                                                                                            \
    {                                                                                                                  \
        IO_REG, slot, I##w, flags, 0                                                                                   \
    }
#define FLEX(slot, w, flags)                                                                                           \
    {                                                                                                                  \
        IO_FLEX, slot, I##w, flags, 0                                                                                  \
    }
#define UREG(slot, w, flags)                                                                                           \
    {                                                                                                                  \
        IO_UREG, slot, I##w, flags, 0                                                                                  \
    }
#define UFLEX(slot, w, flags)                                                                                          \
    {                                                                                                                  \
        IO_UFLEX, slot, I##w, flags, 0                                                                                 \
    }
#define OTHER(kind, slot, flags)                                                                                       \
    {                                                                                                                  \
        kind, slot, IW_1, flags, 0                                                                                     \
    }
#define NUMBER(bits)                                                                                                   \
    {                                                                                                                  \
        IO_NUMBER, 0, IW_1, 0, bits                                                                                    \
    }
#define IW1     IW_1
#define IWT     IW_T
#define IWT2    IW_T2
#define IW2     IW_2
#define IWC     IW_C
#define IWMD    IW_MD
#define IWMA    IW_MA
#define IWMAS   IW_MAS
#define IWMA16  IW_MA16
#define IWMB    IW_MB
#define IWME    IW_ME
#define D(w)    REG(IS_D, w, IOF_WRITE)
#define A(w)    REG(IS_A, w, 0)
#define AN(w)   REG(IS_A, w, IOF_NEG)
#define ANA(w)  REG(IS_A, w, IOF_NEG | IOF_ABS)
#define B(w)    REG(IS_B, w, 0)
#define C(w)    REG(IS_C, w, 0)
#define CN(w)   REG(IS_C, w, IOF_NEG)
#define E(w)    REG(IS_E, w, 0)
#define XA(w)   FLEX(IS_A, w, 0)
#define XANA(w) FLEX(IS_A, w, IOF_NEG | IOF_ABS)
#define XB(w)   FLEX(IS_B, w, 0)
#define XBN(w)  FLEX(IS_B, w, IOF_NEG)
#define XBNA(w) FLEX(IS_B, w, IOF_NEG | IOF_ABS)
#define XCN(w)  FLEX(IS_C, w, IOF_NEG)
#define UD(w)   UREG(IS_D, w, IOF_WRITE)
#define UA(w)   UREG(IS_A, w, 0)
#define UAN(w)  UREG(IS_A, w, IOF_NEG)
#define UC(w)   UREG(IS_C, w, 0)
#define UCN(w)  UREG(IS_C, w, IOF_NEG)
#define UXA(w)  UFLEX(IS_A, w, 0)
#define UXB(w)  UFLEX(IS_B, w, 0)
#define UXBN(w) UFLEX(IS_B, w, IOF_NEG)
#define PD      OTHER(IO_PRED, ISP_D, IOF_WRITE)
#define PE      OTHER(IO_PRED, ISP_E, IOF_WRITE)
#define PS      OTHER(IO_PREDS, ISP_S, 0)
#define PT      OTHER(IO_PREDS, ISP_T, 0)
#define BD      OTHER(IO_BARRIER, IS_D, 0)
#define GADDR   OTHER(IO_GLOBAL, IS_A, 0)
#define GADDR1  OTHER(IO_GLOBAL1, IS_A, 0)
#define GADDRH  OTHER(IO_GLOBALH, IS_A, 0)
#define SADDR   OTHER(IO_SHARED, IS_A, 0)
#define SADDR1  OTHER(IO_SHARED1, IS_A, 0)
#define SADDRD  OTHER(IO_SHAREDD, IS_D, 0)
#define LADDR   OTHER(IO_LOCAL, IS_A, 0)
#define CADDR   OTHER(IO_CONST, IS_A, 0)
#define PADDR   OTHER(IO_PARAM, IS_A, 0)
#define SREGS   OTHER(IO_SREG, 0, 0)
#define USREGS  OTHER(IO_USREG, 0, 0)
#define TARGET  OTHER(IO_TARGET, 0, 0)
#define I32     OTHER(IO_IMM32, 0, 0)
#define N3      NUMBER(3)
#define N4      NUMBER(4)
#define N5      NUMBER(5)
#define N6      NUMBER(6)
#define N7      NUMBER(7)
#define N8      NUMBER(8)

const IsaRow isa_row[G9_COUNT] = {
#define G9(ID, name, category, pipe, rule, flags, mods, ops, semantics)                                                \
    [G9_##ID] = {name, IC_##category, IP_##pipe, IR_##rule, flags, mods, ops, semantics},
#include "isa/g9.def"
#undef G9
};

_Static_assert(G9_COUNT <= 1 << ISA_OP_BITS, "opcodes have 10 bits");
_Static_assert(IT_COUNT <= 32 && ISR_COUNT <= 256, "types have 5 bits");

int isa_find(const char *name, size_t n)
{
    for (int i = 0; i < G9_COUNT; i++)
        if (strlen(isa_row[i].name) == n && !memcmp(isa_row[i].name, name, n)) return i;
    return -1;
}

/* ---- layout of the modifiers' bits --------------------------------------------------------------------------------
 */

IsaLayout isa_layout(const IsaRow *row)
{
    IsaLayout l;
    memset(&l, 255, sizeof l);
    int at = 0;
    for (int i = 0; row->mod[i].group; i++) {
        l.mod[i] = (uint8_t)at;
        at += isa_group[row->mod[i].group].bits;
    }
    for (const IsaOperand *o = row->operand; o->kind; o++) {
        if (o->flags & IOF_NEG) l.flag[2 * (o->slot - IS_A)] = (uint8_t)at++;
        if (o->flags & IOF_ABS) l.flag[2 * (o->slot - IS_A) + 1] = (uint8_t)at++;
    }
    for (const IsaOperand *o = row->operand; o->kind; o++)
        if (o->kind == IO_NUMBER) {
            l.number = (uint8_t)at;
            at += o->bits;
        }
    l.bits = (uint8_t)at;
    return l;
}

/* ---- shapes -------------------------------------------------------------------------------------------------------
 */

IsaShape isa_shape(unsigned code)
{
    return (IsaShape){8 << (code & 3), 8 * (int)((code >> 2 & 31) + 1), 4 << (code >> 7 & 7)};
}

int isa_shape_code(IsaShape s)
{
    for (unsigned code = 0; code < 1024; code++) {
        IsaShape t = isa_shape(code);
        if (t.m == s.m && t.n == s.n && t.k == s.k) return (int)code;
    }
    return -1;
}

/* ---- names that were meant ----------------------------------------------------------------------------------------
 */

static int edits(const char *a, size_t na, const char *b)
{
    size_t nb = strlen(b);
    if (na > 24 || nb > 24) return 99;
    int prev[25], row[25];
    for (size_t j = 0; j <= nb; j++) prev[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int best = prev[j - 1] + (a[i - 1] != b[j - 1]);
            if (prev[j] + 1 < best) best = prev[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
        memcpy(prev, row, sizeof row);
    }
    return prev[nb];
}

const char *isa_closest(const char *name, size_t n, int count, const char *(*candidate)(int i))
{
    const char *best = NULL;
    int least = n <= 3 ? 2 : 3;
    for (int i = 0; i < count; i++) {
        const char *c = candidate(i);
        int d = *c ? edits(name, n, c) : 99;
        if (d < least) least = d, best = c;
    }
    return best;
}
