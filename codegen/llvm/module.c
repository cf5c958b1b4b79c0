/* module: from a program to a module of LLVM IR, made, verified and optimised. */
#include "codegen/llvm/llvm.h"

#include <llvm-c/Analysis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void types(Cg *c)
{
    LLVMContextRef x = c->ctx;
    c->i1 = LLVMInt1TypeInContext(x);
    c->i8 = LLVMInt8TypeInContext(x);
    c->i16 = LLVMInt16TypeInContext(x);
    c->i32 = LLVMInt32TypeInContext(x);
    c->i64 = LLVMInt64TypeInContext(x);
    c->f16 = LLVMHalfTypeInContext(x);
    c->f32 = LLVMFloatTypeInContext(x);
    c->f64 = LLVMDoubleTypeInContext(x);
    c->ptr = LLVMPointerTypeInContext(x, 0);
    c->none = LLVMVoidTypeInContext(x);
    LLVMTypeRef in[] = {c->ptr, c->i64, c->i64, c->i32};
    c->task_type = LLVMFunctionType(c->none, in, 4, 0);
}

static bool verified(LLVMModuleRef m, char **error)
{
    char *text = NULL;
    bool bad = LLVMVerifyModule(m, LLVMReturnStatusAction, &text);
    if (bad) {
        size_t n = strlen(text) + 64;
        *error = malloc(n);
        if (*error) snprintf(*error, n, "broken LLVM IR: %s", text);
    }
    LLVMDisposeMessage(text);
    return !bad;
}

/* Makes the module; false when cg_fail or a lack of memory ended it. Separate, so that no local changes around setjmp.
 */
static bool build(Cg *c)
{
    jmp_buf bail;
    if (setjmp(bail)) return false;
    c->bail = &bail;
    arena_catch(c->mem, &bail);
    cg_debug_open(c);
    cg_kernel(c);
    cg_debug_close(c);
    return true;
}

LLVMModuleRef cg_module(LLVMContextRef ctx, const TileProg *p, const Target *t, const CgOptions *o, const char *symbol,
                        LLVMTargetMachineRef tm, char **error)
{
    *error = NULL;
    Arena *mem = arena_new();
    if (!mem) return NULL;
    Cg c = {.mem = mem, .p = p, .op = p->op, .t = t, .o = o, .fast = !p->num.ordered, .symbol = symbol, .ctx = ctx};
    c.mod = LLVMModuleCreateWithNameInContext(p->op->name ? p->op->name : symbol, ctx);
    types(&c);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
    LLVMSetModuleDataLayout(c.mod, layout);
    LLVMDisposeTargetData(layout);
    LLVMSetTarget(c.mod, t->triple);
    bool ok = build(&c);
    if (!ok) {
        *error = strdup(c.error ? c.error : "out of memory");
        for (Fn *f = c.open; f; f = f->next) cg_fn_drop(f);
        cg_debug_close(&c);
    }
    arena_free(mem);
    ok = ok && verified(c.mod, error) && cg_passes(c.mod, tm, o->opt, error);
    if (ok) return c.mod;
    LLVMDisposeModule(c.mod);
    return NULL;
}
