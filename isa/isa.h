/* isa: the project's GPU instruction set G9: one table (g9.def) and what reads it: encoder, decoder, assembler,
 * disassembler, verifier; the machine description; the `.g9` container. A leaf: uses libc, libm and (machine.c)
 * libyaml.
 *
 * Memory: an IsaMem owns all that is made in it. When the system refuses memory, the functions that build something
 * give NULL or false, with G001 reported. Nothing here is global, prints or exits. */
#ifndef TCC_ISA_ISA_H
#define TCC_ISA_ISA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- mem.c: memory freed at once, growing text, diagnostics ----------------------------------------------------- */
typedef struct IsaMem IsaMem;
IsaMem *isa_mem_new(void);
void isa_mem_free(IsaMem *m);
void isa_mem_catch(IsaMem *m, jmp_buf *handler); /* where isa_alloc goes when memory runs out */
void *isa_alloc(IsaMem *m, size_t bytes); /* zeroed; out of memory: jumps to the building function's handler */
char *isa_strndup(IsaMem *m, const char *s, size_t n);

typedef struct IsaText { /* malloc'd; `lost` once memory ran out, and nothing is added from then on */
    char *s;
    size_t n, cap;
    bool lost;
} IsaText;
void isa_text(IsaText *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void isa_text_free(IsaText *t);

typedef enum IsaErrorCode {
#define ERR(code, text, help) IE_##code,
#include "isa/errors.def"
#undef ERR
    IE_COUNT
} IsaErrorCode;

typedef struct IsaError {
    struct IsaError *next;
    IsaErrorCode code;
    int line, column, length; /* line 0: no place */
    char *text, *help;        /* help may be NULL */
} IsaError;

typedef struct IsaErrors { /* at most 20 are kept, the rest counted */
    IsaError *first, *last;
    int count;
    const char *name, *source; /* of the text that places point into; may be NULL */
    size_t length;
} IsaErrors;
void isa_error(IsaErrors *e, IsaErrorCode code, int line, int column, int length, ...); /* row's format, arguments */
void isa_error_help(IsaErrors *e, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* of the last one */
void isa_errors_render(const IsaErrors *e, IsaText *out); /* `file:3:1: error[G012]: …`, the line, a caret, help */
void isa_errors_free(IsaErrors *e);
const char *isa_error_name(IsaErrorCode code);

/* ---- table.c: the table ----------------------------------------------------------------------------------------- */
typedef enum IsaType {
#define TYPE(ID, name, bits, cls) IT_##ID,
#include "isa/types.def"
#undef TYPE
    IT_COUNT
} IsaType;
typedef struct IsaTypeRow {
    const char *name;
    uint8_t bits;
    char cls; /* I U F B */
} IsaTypeRow;
extern const IsaTypeRow isa_type[IT_COUNT];
static inline bool isa_is_x2(int t) { return t == IT_S16X2 || t == IT_U16X2 || t == IT_F16X2 || t == IT_BF16X2; }

typedef enum IsaGroup {
    IG_NONE,
    IG_TYPE,
    IG_SHAPE,
#define MOD(ID, bits, ...) IG_##ID,
#include "isa/mods.def"
#undef MOD
    IG_COUNT
} IsaGroup;
typedef struct IsaGroupRow {
    const char *name;
    uint8_t bits, nwords;
    const char *word[14];
} IsaGroupRow;
extern const IsaGroupRow isa_group[IG_COUNT];

/* A matrix shape's code: m in {8, 16, 32, 64}, n a multiple of 8 up to 256, k in {4, 8 … 512}. */
typedef struct IsaShape {
    int m, n, k;
} IsaShape;
IsaShape isa_shape(unsigned code);
int isa_shape_code(IsaShape s); /* -1: has none */

typedef enum IsaSreg {
#define SREG(ID, name, uniform, meaning) ISR_##ID,
#include "isa/sregs.def"
#undef SREG
    ISR_COUNT
} IsaSreg;
typedef struct IsaSregRow {
    const char *name;
    bool uniform;
    const char *meaning;
} IsaSregRow;
extern const IsaSregRow isa_sreg[ISR_COUNT];

typedef enum IsaCategory {
    IC_INTEGER,
    IC_FLOAT,
    IC_SPECIAL,
    IC_MOVE,
    IC_MEMORY,
    IC_ATOMIC,
    IC_MATRIX,
    IC_ASYNC,
    IC_CONTROL,
    IC_COUNT
} IsaCategory;
extern const char *const isa_category[IC_COUNT];

/* X(ID, "name in machine files", "what it does") */
#define ISA_PIPES(X)                                                                                                   \
    X(INT, "int", "32-bit integers, logic, comparisons, moves")                                                        \
    X(IMUL, "imul", "integer products")                                                                                \
    X(FP32, "fp32", "f32")                                                                                             \
    X(FP16, "fp16", "pairs of f16 and bf16")                                                                           \
    X(FP64, "fp64", "f64")                                                                                             \
    X(SFU, "sfu", "special functions, conversions, bit counts")                                                        \
    X(LSU, "lsu", "memory, shuffles")                                                                                  \
    X(MMA, "mma", "matrices; latency and interval by shape")                                                           \
    X(ASYNC, "async", "bulk copies")                                                                                   \
    X(UNIFORM, "uniform", "uniform registers")                                                                         \
    X(CONTROL, "control", "branches, barriers")
typedef enum IsaPipe {
#define PIPE(ID, name, what) IP_##ID,
    ISA_PIPES(PIPE)
#undef PIPE
        IP_COUNT
} IsaPipe;
extern const char *const isa_pipe[IP_COUNT];

typedef enum IsaRule {
    IR_NONE,
    IR_PART,
    IR_FLOAT,
    IR_SPECIAL,
    IR_CVT,
    IR_PACK,
    IR_UNPACK,
    IR_ATOM,
    IR_RED,
    IR_MASK,
    IR_MASK2,
    IR_REDUX,
    IR_MMA,
    IR_WGMMA,
    IR_WG,
    IR_CPA,
    IR_ASYNC,
    IR_BULK,
    IR_MBAR,
    IR_CLUSTER
} IsaRule;

enum { /* IsaRow.flags */
       IF_FULL = 1,
       IF_LIVE = 2,
       IF_UNI = 4,
       IF_JUMP = 8,
       IF_LOAD = 16,
       IF_STORE = 32,
       IF_ATOM = 64,
       IF_WAITS = 128
};

typedef enum IsaOperandKind {
    IO_NONE,
    IO_REG,     /* R */
    IO_FLEX,    /* R, immediate, UR, parameter or constant */
    IO_UREG,    /* UR */
    IO_UFLEX,   /* UR, immediate, parameter or constant */
    IO_PRED,    /* P, written */
    IO_PREDS,   /* P or !P, read */
    IO_GLOBAL,  /* [R], [UR+R], with an offset */
    IO_GLOBAL1, /* [R] with an offset */
    IO_GLOBALH, /* IO_GLOBAL with an offset of 16 bits, the upper half of the immediate */
    IO_SHARED,
    IO_SHARED1,
    IO_SHAREDD, /* IO_SHARED1 in slot D, its offset the lower half of the immediate */
    IO_LOCAL,
    IO_CONST,
    IO_PARAM, /* [R] with an offset */
    IO_SREG,
    IO_USREG,
    IO_TARGET,  /* a label: instructions from the next one */
    IO_BARRIER, /* B0–B15 */
    IO_NUMBER,  /* in the modifiers' bits */
    IO_IMM32
} IsaOperandKind;

enum { IS_D, IS_A, IS_B, IS_C, IS_E, IS_SLOTS }; /* register slots */
enum { ISP_D, ISP_E, ISP_S, ISP_T, ISP_SLOTS };  /* predicate slots */
enum { IOF_WRITE = 1, IOF_NEG = 2, IOF_ABS = 4 };

typedef enum IsaWidth { IW_1, IW_T, IW_T2, IW_2, IW_C, IW_MD, IW_MA, IW_MAS, IW_MA16, IW_MB, IW_ME } IsaWidth;

typedef struct IsaOperand {
    uint8_t kind, slot, width, flags, bits; /* bits: of IO_NUMBER */
} IsaOperand;

enum { ISA_MODS = 5, ISA_OPERANDS = 6, ISA_RZ = 255, ISA_URZ = 63, ISA_PT = 7, ISA_OP_BITS = 10 };

typedef struct IsaMod {
    uint8_t group;
    uint32_t allowed; /* bit per code; SHAPE: not used */
} IsaMod;

typedef struct IsaRow {
    const char *name;
    uint8_t category, pipe, rule;
    uint16_t flags;
    IsaMod mod[ISA_MODS + 1];             /* up to IG_NONE */
    IsaOperand operand[ISA_OPERANDS + 1]; /* up to IO_NONE, as written */
    const char *semantics;
} IsaRow;

typedef enum IsaOp {
#define G9(ID, ...) G9_##ID,
#include "isa/g9.def"
#undef G9
    G9_COUNT
} IsaOp;
extern const IsaRow isa_row[G9_COUNT];
int isa_find(const char *name, size_t n); /* an IsaOp, or -1 */

/* ---- code.c: instructions and their bits ------------------------------------------------------------------------ */
/* Which operand is no register: 0 none; 1, 2, 3 the row's first flexible one is an immediate, a uniform register, a
 * parameter or constant; 4, 5, 6 the second. */
enum { IFORM_REG, IFORM_IMM, IFORM_UREG, IFORM_BANK, IFORM_IMM2, IFORM_UREG2, IFORM_BANK2, IFORM_COUNT };
enum { ISA_BANK_PARAM = 0, ISA_BANK_CONST = 1 }; /* bit 16 of the immediate; bits 0–15 are the byte offset */

typedef struct IsaInst { /* fields that the row does not use are 0 */
    uint16_t op;
    uint8_t guard; /* 0–6, 7: always; + 8: negated */
    uint8_t form;
    uint8_t r[IS_SLOTS];
    uint8_t p[ISP_SLOTS]; /* + 8: negated, of those that are read */
    uint8_t stall, wait;
    uint8_t flag;   /* of slot A bits 0 (negated), 1 (absolute); B 2, 3; C 4, 5 */
    uint8_t number; /* the IO_NUMBER operand */
    uint16_t mod[ISA_MODS];
    uint32_t imm;
} IsaInst;

typedef struct IsaBits {
    uint64_t lo, hi;
} IsaBits;

/* Both check everything that bits can break: what isa_encode accepts, isa_decode gives back, and the other way round.
 * `why` (may be NULL) says what is wrong. */
bool isa_encode(const IsaInst *in, IsaBits *out, const char **why);
bool isa_decode(IsaBits bits, IsaInst *out, const char **why);
bool isa_legal(const IsaInst *in, const char **why); /* modifiers and form */
IsaInst isa_inst(IsaOp op);                          /* guard PT, address bases none, predicates PT, else 0 */

int isa_type_of(const IsaInst *in, int which);                   /* the which-th TYPE modifier, -1: none */
int isa_mod_of(const IsaInst *in, IsaGroup g);                   /* the code of a group, 0 when the row has none */
int isa_width(const IsaInst *in, const IsaOperand *o, int warp); /* registers of an operand */
int isa_align(const IsaInst *in, const IsaOperand *o, int warp); /* what its number must be a multiple of */
const IsaOperand *isa_flex(const IsaInst *in);                   /* the operand that is no register, or NULL */
IsaPipe isa_pipe_of(const IsaInst *in);

/* ---- fragment.c: where matrix elements lie ---------------------------------------------------------------------- */
/* Fragments are defined for 32 virtual lanes; virtual register i of virtual lane v is register (32 i + v) / warp of
 * lane (32 i + v) % warp. See docs/isa.md. */
typedef enum IsaFragment { IFR_A, IFR_B, IFR_D } IsaFragment;
int isa_fragment_registers(IsaFragment f, IsaShape s, int bits, int warp);
/* Element (row, column) of f: its register, lane and the first bit in it. B's row is k. */
void isa_fragment_place(IsaFragment f, IsaShape s, int bits, int warp, int row, int column, int *reg, int *lane,
                        int *bit);

/* ---- print.c ---------------------------------------------------------------------------------------------------- */
typedef struct IsaModule IsaModule;
/* One instruction without a newline. `labels` gives a target's name, or NULL: targets as `.+N`. */
void isa_print_inst(IsaText *out, const IsaInst *in, const char *(*label)(void *of, int64_t at), void *of, int64_t at);
void isa_print_module(IsaText *out, const IsaModule *m); /* reads back to an equal module */
void isa_print_doc(IsaText *out);                        /* docs/isa.md */

/* ---- machine.c: machine descriptions ---------------------------------------------------------------------------- */
enum { ISA_MMA_MOST = 64 };
typedef struct IsaMmaRow {
    IsaShape shape;
    uint8_t d, a, b; /* IsaType */
    bool sparse, group;
    int latency, interval;
} IsaMmaRow;

typedef struct IsaPipeTime {
    int count, latency, interval; /* units per sub-core; clocks until the result; clocks between two of one unit */
} IsaPipeTime;

typedef struct IsaMachine {
    char name[64];
#define FIELD(section, id, kind, least, most, what) int64_t section##_##id;
#include "isa/machine.def"
#undef FIELD
    IsaPipeTime pipe[IP_COUNT];
    int nmma;
    IsaMmaRow mma[ISA_MMA_MOST];
    uint64_t hash; /* of all numbers above, not of comments or order */
} IsaMachine;

bool isa_machine_read(const char *name, const char *text, size_t n, IsaMachine *out, IsaErrors *e);
bool isa_machine_check(IsaMachine *m, IsaErrors *e);                       /* combinations; sets the hash */
bool isa_machine_shipped(const char *name, IsaMachine *out, IsaErrors *e); /* tiny v100 a100 h100 */
const char *isa_machine_name(int i);                                       /* the i-th shipped one, NULL past the end */
bool isa_machine_open(const char *name, IsaMachine *out, IsaErrors *e);    /* a shipped name, or a path */
void isa_machine_print(IsaText *out, const IsaMachine *m);                 /* YAML that reads back to the same */
const IsaMmaRow *isa_machine_mma(const IsaMachine *m, const IsaInst *in);  /* NULL: the machine has none such */
bool isa_machine_has(const IsaMachine *m, const IsaInst *in, const char **lacks);

/* ---- module.c: the .g9 container -------------------------------------------------------------------------------- */
enum { ISA_RANK = 8, ISA_VERSION = 2 };
typedef struct IsaParam {
    char *name;
    uint8_t type, pointer; /* pointer: 8 bytes, an address of elements of the type */
    uint8_t rank;          /* of what it points to */
    char *dim[ISA_RANK];   /* as written: a number or a name */
    uint32_t offset;
} IsaParam;

typedef struct IsaLine {
    uint32_t at, line; /* from instruction `at` on */
    uint16_t file;
} IsaLine;

typedef struct IsaLabel {
    char *name;
    uint32_t at;
} IsaLabel;

typedef struct IsaVar { /* a name for bytes of shared memory or of the constants */
    char *name;
    uint32_t offset, size;
} IsaVar;

typedef struct IsaKernel {
    char *name;
    uint32_t first, count; /* instructions */
    uint32_t registers, uregisters, shared, local, param_bytes;
    uint32_t block[3], cluster[3]; /* required sizes, 0: any */
    int nparams, nlabels, nvars, nlines;
    IsaParam *param;
    IsaLabel *label;
    IsaVar *var;
    IsaLine *line; /* ascending `at` */
} IsaKernel;

struct IsaModule {
    IsaMem *mem;
    char *machine, *toolchain; /* machine: the name of the file it was made for, "" for any */
    uint64_t machine_hash;     /* 0: any */
    int nfiles, nkernels, nconsts, nplan;
    char **file;
    char **plan; /* lines for the host that launches the kernels: how, and what they were made from; may be none */
    IsaKernel *kernel;
    IsaVar *constant;
    uint32_t ninsts, const_bytes;
    IsaBits *code;
    uint8_t *consts;
};
IsaModule *isa_module_new(void);
void isa_module_free(IsaModule *m);
bool isa_module_write(const IsaModule *m, IsaText *out);
IsaModule *isa_module_read(const void *data, size_t n, IsaErrors *e); /* any bytes; NULL with a reason */
const IsaKernel *isa_module_kernel(const IsaModule *m, const char *name);
/* Place in the source of instruction `at`, counted in the module: false when there is none. */
bool isa_module_line(const IsaModule *m, uint32_t at, const char **file, int *line);

/* ---- verify.c: what a loader demands of a module: every instruction decodes, targets stay in their kernel, registers
 * are aligned and declared, the last instruction cannot be passed. With a machine: its limits and capabilities. */
bool isa_verify(const IsaModule *m, const IsaMachine *machine, IsaErrors *e);
void isa_count_registers(const IsaModule *m, IsaKernel *k, int warp); /* sets registers, uregisters */

/* ---- asm.c ------------------------------------------------------------------------------------------------------ */
IsaModule *isa_assemble(const char *name, const char *text, size_t n, IsaErrors *e); /* NULL: reported */

#endif
