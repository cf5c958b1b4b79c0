/* emit: a program as LLVM text, assembly or an object file, for this machine or another processor. */
#include "codegen/llvm/llvm.h"

#include <stdlib.h>
#include <string.h>

static bool take(Arena *mem, const char *from, size_t len, char **bytes, size_t *n)
{
    char *p = arena_alloc(mem, len + 1);
    memcpy(p, from, len);
    *bytes = p;
    *n = len;
    return true;
}

static char *copy_error(char *text)
{
    char *p = strdup(text ? text : "unknown error");
    if (text) LLVMDisposeMessage(text);
    return p;
}

static bool write_out(LLVMTargetMachineRef tm, LLVMModuleRef m, CgEmit kind, Arena *mem, char **bytes, size_t *n,
                      char **error)
{
    if (kind == CG_LLVM) {
        char *text = LLVMPrintModuleToString(m);
        take(mem, text, strlen(text), bytes, n);
        LLVMDisposeMessage(text);
        return true;
    }
    LLVMMemoryBufferRef buf = NULL;
    char *text = NULL;
    LLVMCodeGenFileType type = kind == CG_ASM ? LLVMAssemblyFile : LLVMObjectFile;
    if (LLVMTargetMachineEmitToMemoryBuffer(tm, m, type, &text, &buf)) {
        *error = copy_error(text);
        return false;
    }
    take(mem, LLVMGetBufferStart(buf), LLVMGetBufferSize(buf), bytes, n);
    LLVMDisposeMemoryBuffer(buf);
    return true;
}

bool cg_emit(const TileProg *p, const Target *t, const CgOptions *o, CgEmit kind, Arena *mem, char **bytes, size_t *n,
             char **error)
{
    *error = NULL;
    LLVMTargetMachineRef tm = cg_machine(t, o->opt, error);
    if (!tm) return false;
    LLVMContextRef ctx = LLVMContextCreate();
    LLVMModuleRef m = cg_module(ctx, p, t, o, o->symbol ? o->symbol : p->op->name, tm, error);
    bool ok = m && write_out(tm, m, kind, mem, bytes, n, error);
    if (m) LLVMDisposeModule(m);
    LLVMContextDispose(ctx);
    LLVMDisposeTargetMachine(tm);
    return ok;
}
