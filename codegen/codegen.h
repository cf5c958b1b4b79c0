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

#endif
