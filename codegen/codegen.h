/* codegen: from Tile IR to code. codegen/llvm is the home of LLVM (C API only). */
#ifndef TCC_CODEGEN_CODEGEN_H
#define TCC_CODEGEN_CODEGEN_H

#include "include/tensorcc_kernel.h"
#include "ir/target.h"
#include "ir/tile.h"

/* ---- target.c: the description of `cpu` (this machine) or `cpu:NAME`; NULL when there is no such target.
 * ------------- */
const Target *cg_target(Arena *mem, const char *name);
/* A line per target that can be compiled for here (names for `tcc targets`), ended by NULL. */
const char *const *cg_target_names(void);

/* ---- range.c: what an index expression can be ---------------------------------------------------------------------- */
bool cg_range(const TeOp *op, const Expr *e, int64_t *lo, int64_t *hi);     /* false: an end is unknown */
bool cg_at_most(const TeOp *op, const Expr *lo, const Expr *hi, int64_t n); /* hi - lo <= n always */

typedef struct CgOptions {
    const char *symbol; /* the kernel's name; NULL: the op's */
    bool strided;       /* accept any strides at run time; else tensors are compact and call->strides is ignored */
    bool debug_lines;   /* DWARF line tables that point at the .te source */
    int opt;            /* 0..3, normally 2 */
} CgOptions;

typedef enum CgEmit { CG_LLVM, CG_ASM, CG_OBJ } CgEmit;

/* A compiled kernel in this process. Immutable, callable from any thread, freed with cg_jit_free. */
typedef struct CgJit {
    tensorcc_kernel_fn run;
    tensorcc_workspace_fn workspace;
    size_t code_bytes;
    void *priv;
} CgJit;

/* An engine holds what is worth keeping between compilations (ORC session, target machines). Thread-safe. */
typedef struct CgEngine CgEngine;
CgEngine *cg_engine_new(char **error); /* error: malloc'd text on failure, may be NULL */
void cg_engine_free(CgEngine *e);      /* all its kernels are freed first by their owners */
bool cg_jit(CgEngine *e, const TileProg *p, const Target *t, const CgOptions *o, CgJit *out, char **error);
void cg_jit_free(CgEngine *e, CgJit *k);
/* Text or object bytes in mem; false and *error (malloc'd) on failure. */
bool cg_emit(const TileProg *p, const Target *t, const CgOptions *o, CgEmit kind, Arena *mem, char **bytes, size_t *n,
             char **error);

/* ---- g9/: code for the project's GPU -------------------------------------------------------------------------------
 * A program becomes kernels that run one after the other. All take the same parameters: the addresses of the op's
 * tensors in declaration order, of the buffers, of a fault record (16 bytes, zeros before: u32 site + 1, at 8 the index)
 * and the op's dims as s64. What depends on sizes is a formula that the host works out: postfix words, numbers, `$N`
 * for the N-th dim, and + - * / % (floor) min max. */
typedef struct CgG9Buffer {
    const char *name, *bytes; /* a formula */
} CgG9Buffer;
typedef struct CgG9Launch {
    int kernel, block;   /* threads of a block */
    const char *threads; /* a formula: the grid is as many blocks as hold so many */
} CgG9Launch;
typedef struct CgG9 {
    struct IsaModule *module; /* the caller's, freed with isa_module_free */
    int nbuffers, nlaunches;
    CgG9Buffer *buffer;
    CgG9Launch *launch;
    const char *mir; /* the kernels before registers were allocated, as text; NULL unless asked for */
} CgG9;
struct IsaMachine;
/* False: *error (in mem) says what cannot be translated. `want_mir`: out->mir. */
bool cg_g9(Arena *mem, const TileProg *p, const struct IsaMachine *machine, bool want_mir, CgG9 *out, const char **error);
/* False: it is no formula, or its value overflows. */
bool cg_g9_formula(const char *formula, int ndims, const int64_t *dims, int64_t *value);
/* The description that schedules see; NULL: no such machine. Name: "gpgpu" or "gpgpu:MACHINE". */
const Target *cg_g9_target(Arena *mem, const char *name, struct IsaMachine *machine);

#endif
