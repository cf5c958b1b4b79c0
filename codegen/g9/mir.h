/* mir: the machine-level IR between Tile IR and G9 bits: the ISA's own instructions (isa/g9.def gives names, modifiers
 * and operands) over virtual registers and predicates, in a list of blocks.
 *
 *     kernel scale block 256 {
 *     b0:
 *       s2r.b32 %0, tid.x
 *       isetp.lt.s32 %p0, pt, %0, p[N], pt
 *       @!%p0 bra b2
 *     b1:
 *       lea.u64 %1:2, %0, p[x], 2
 *       …
 *
 * A virtual register has 1, 2 or 4 machine registers (`%1:2` where it is defined or used whole; `%1.0` is the first of
 * them alone) and may be written several times; a predicate `%p0` likewise. A block falls through to the next one
 * unless it ends in an unguarded jump. Nothing is in SSA form: liveness comes from data flow over the blocks.
 *
 * Passes: select (g9.h) makes it, alloc.c gives it machine registers, emit.c turns it into bits. After allocation the
 * same structure holds machine registers (`phys`). */
#ifndef TCC_CODEGEN_G9_MIR_H
#define TCC_CODEGEN_G9_MIR_H

#include "ir/base.h"
#include "isa/isa.h"

enum { M_NONE = -1 }; /* a register slot: rz; a predicate: pt; a target: none */

typedef struct MInst {
    IsaInst i;             /* op, modifiers, form, signs, number, immediate; bit 3 of guard and p: negated */
    int r[IS_SLOTS];       /* virtual registers; a barrier operand is in i.r */
    uint8_t sub[IS_SLOTS]; /* the first of its machine registers that is meant, when `part` has the slot's bit */
    uint8_t part;
    int p[ISP_SLOTS], guard;
    int target; /* block */
    int line;   /* of the source; 0: none */
} MInst;

typedef struct MBlock {
    int id;
    VEC(MInst) in;
} MBlock;

typedef struct MReg {
    uint8_t width; /* 1, 2, 4 */
} MReg;

typedef struct MParam {
    const char *name;
    uint8_t type, pointer; /* IsaType */
    uint32_t offset;
    int rank; /* of what a pointer leads to, 0: not told */
    const char *dim[ISA_RANK];
} MParam;

typedef struct MKernel {
    Arena *mem;
    const char *name;
    int block; /* threads of a block */
    uint32_t local, shared, param_bytes;
    VEC(MParam) param;
    VEC(MBlock *) layout; /* in the order of their addresses; the first is the entry */
    VEC(MReg) reg;
    int npreds, nblocks;
    bool phys; /* registers are the machine's */
} MKernel;

/* ---- mir.c */
MKernel *mir_kernel(Arena *mem, const char *name);
MBlock *mir_block(MKernel *k);         /* a new one, in no layout yet */
void mir_place(MKernel *k, MBlock *b); /* at the end of the layout */
int mir_reg(MKernel *k, int width);
int mir_pred(MKernel *k);
MInst mir_inst(IsaOp op);       /* nothing guarded, no registers */
bool mir_ends(const MInst *in); /* nothing falls through it */
/* The machine registers that an operand in a register slot means, 0 when it means none (an immediate, rz). */
int mir_width(const MInst *in, const IsaOperand *o);
bool mir_same(const MInst *a, const MInst *b); /* but for what they write, and the line */

/* Every register and predicate that an instruction reads or writes. */
typedef enum MUseKind { MU_READ = 1, MU_WRITE = 2, MU_PRED = 4, MU_PARTIAL = 8 } MUseKind;
typedef struct MUse {
    int id;
    uint8_t kind; /* MUseKind; PARTIAL: a write that leaves some of what was there */
} MUse;
enum { M_USES = 16 };
int mir_uses(const MInst *in, MUse *out); /* how many */

/* ---- dead.c: drops what computes something that nobody reads */
void mir_drop_dead(MKernel *k);

/* ---- mir_print.c, mir_parse.c, mir_verify.c */
void mir_print(Text *out, const MKernel *k);
/* NULL when what must hold does: operands of the widths that the table says, targets placed, no fall off the end; else
 * what is broken. */
const char *mir_verify(Arena *mem, const MKernel *k);
/* One kernel; NULL, and *why says what is wrong, with the line. What mir_print gives reads back to the same text. */
MKernel *mir_parse(Arena *mem, const char *text, const char **why);

/* ---- alloc.c: virtual to machine registers, spills to local memory. False: more registers than `most` are needed for
 * one instruction. */
bool mir_allocate(MKernel *k, int most);

/* ---- emit.c: all kernels as a module. NULL: *why. */
typedef struct MConsts { /* the module's constants, 4 bytes each */
    VEC(uint32_t) word;
} MConsts;
IsaModule *mir_emit(MKernel *const *k, int n, const MConsts *consts, const IsaMachine *machine, const char *file,
                    const char **why);

#endif
