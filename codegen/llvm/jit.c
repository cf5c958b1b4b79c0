/* jit: compiled kernels in this process, by ORC. A kernel is compiled to an object here (with a context of its own, so
 * compilations run in parallel) and linked by one shared LLJIT under a resource tracker that frees its memory. Symbols
 * get a number, so that kernels of one name live side by side. Debuggers see the code through GDB's JIT interface; with
 * JITDUMPDIR set, perf does (perf inject --jit).
 *
 * Code may call what LLVM expands operations into where a processor lacks them (fma, floor …) and memcpy, memset;
 * nothing else. */
#include "codegen/llvm/llvm.h"

#include <llvm-c/Error.h>
#include <llvm-c/ExecutionEngine.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Object.h>
#include <llvm-c/OrcEE.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MACHINES = 8 };

typedef struct Machine { /* idle target machines: one serves one compilation at a time */
    char *key;
    LLVMTargetMachineRef tm;
} Machine;

struct CgEngine {
    LLVMOrcLLJITRef jit;
    pthread_mutex_t lock;
    uint64_t serial;
    Machine idle[MACHINES];
};

static char *say(LLVMErrorRef e)
{
    char *text = LLVMGetErrorMessage(e), *p = strdup(text);
    LLVMDisposeErrorMessage(text);
    return p;
}

static LLVMOrcObjectLayerRef linking_layer(void *ctx, LLVMOrcExecutionSessionRef es, const char *triple)
{
    (void)ctx;
    (void)triple;
    LLVMOrcObjectLayerRef layer = LLVMOrcCreateRTDyldObjectLinkingLayerWithSectionMemoryManager(es);
    LLVMOrcRTDyldObjectLinkingLayerRegisterJITEventListener(layer, LLVMCreateGDBRegistrationListener());
    LLVMJITEventListenerRef perf = getenv("JITDUMPDIR") ? LLVMCreatePerfJITEventListener() : NULL;
    if (perf) LLVMOrcRTDyldObjectLinkingLayerRegisterJITEventListener(layer, perf);
    return layer;
}

static LLVMErrorRef define_library(LLVMOrcLLJITRef jit)
{
    static const struct {
        const char *name;
        void *at;
    } symbols[] = {
#define SYMBOL(f) {#f, (void *)f}
        SYMBOL(fma),    SYMBOL(fmaf), SYMBOL(floor), SYMBOL(floorf), SYMBOL(ceil),   SYMBOL(ceilf),   SYMBOL(trunc),
        SYMBOL(truncf), SYMBOL(rint), SYMBOL(rintf), SYMBOL(memcpy), SYMBOL(memset), SYMBOL(memmove),
#undef SYMBOL
    };
    enum { N = sizeof symbols / sizeof symbols[0] };
    LLVMOrcCSymbolMapPair pairs[N];
    for (int i = 0; i < N; i++) {
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(jit, symbols[i].name);
        pairs[i].Sym.Address = (LLVMOrcExecutorAddress)(uintptr_t)symbols[i].at;
        pairs[i].Sym.Flags.GenericFlags = LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable;
        pairs[i].Sym.Flags.TargetFlags = 0;
    }
    return LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(jit), LLVMOrcAbsoluteSymbols(pairs, N));
}

CgEngine *cg_engine_new(char **error)
{
    char *unused;
    if (!error) error = &unused;
    *error = NULL;
    CgEngine *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMOrcLLJITBuilderRef b = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetObjectLinkingLayerCreator(b, linking_layer, NULL);
    LLVMErrorRef bad = LLVMOrcCreateLLJIT(&e->jit, b);
    if (!bad) bad = define_library(e->jit);
    if (bad) {
        *error = say(bad);
        if (e->jit) LLVMConsumeError(LLVMOrcDisposeLLJIT(e->jit));
        free(e);
        return NULL;
    }
    pthread_mutex_init(&e->lock, NULL);
    return e;
}

void cg_engine_free(CgEngine *e)
{
    if (!e) return;
    LLVMErrorRef bad = LLVMOrcDisposeLLJIT(e->jit);
    if (bad) LLVMConsumeError(bad);
    for (int i = 0; i < MACHINES; i++) {
        free(e->idle[i].key);
        if (e->idle[i].tm) LLVMDisposeTargetMachine(e->idle[i].tm);
    }
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* ---- target machines
 * ---------------------------------------------------------------------------------------------------------- */
static char *machine_key(const Target *t, int opt)
{
    size_t n = strlen(t->cpu) + strlen(t->features) + 16;
    char *k = malloc(n);
    if (k) snprintf(k, n, "%d %s %s", opt, t->cpu, t->features);
    return k;
}

static LLVMTargetMachineRef take_machine(CgEngine *e, const char *key)
{
    LLVMTargetMachineRef tm = NULL;
    pthread_mutex_lock(&e->lock);
    for (int i = 0; i < MACHINES && !tm; i++)
        if (e->idle[i].tm && strcmp(e->idle[i].key, key) == 0) {
            tm = e->idle[i].tm;
            free(e->idle[i].key);
            e->idle[i] = (Machine){0};
        }
    pthread_mutex_unlock(&e->lock);
    return tm;
}

static void give_machine(CgEngine *e, char *key, LLVMTargetMachineRef tm)
{
    pthread_mutex_lock(&e->lock);
    for (int i = 0; i < MACHINES; i++)
        if (!e->idle[i].tm) {
            e->idle[i] = (Machine){key, tm};
            tm = NULL;
            key = NULL;
            break;
        }
    pthread_mutex_unlock(&e->lock);
    if (tm) LLVMDisposeTargetMachine(tm);
    free(key);
}

/* ---- compiling
 * -------------------------------------------------------------------------------------------------------------------
 */
/* Bytes of the sections that hold code and constants. */
static size_t code_bytes(LLVMMemoryBufferRef obj)
{
    char *text = NULL;
    LLVMMemoryBufferRef view =
        LLVMCreateMemoryBufferWithMemoryRange(LLVMGetBufferStart(obj), LLVMGetBufferSize(obj), "kernel", 0);
    LLVMBinaryRef bin = LLVMCreateBinary(view, NULL, &text);
    size_t n = 0;
    if (bin) {
        LLVMSectionIteratorRef s = LLVMObjectFileCopySectionIterator(bin);
        for (; !LLVMObjectFileIsSectionIteratorAtEnd(bin, s); LLVMMoveToNextSection(s)) {
            const char *name = LLVMGetSectionName(s);
            if (name && (!strncmp(name, ".text", 5) || !strncmp(name, ".rodata", 7))) n += LLVMGetSectionSize(s);
        }
        LLVMDisposeSectionIterator(s);
        LLVMDisposeBinary(bin);
    } else
        LLVMDisposeMessage(text);
    LLVMDisposeMemoryBuffer(view);
    return n;
}

static LLVMMemoryBufferRef compile(CgEngine *e, const TileProg *p, const Target *t, const CgOptions *o,
                                   const char *symbol, char **error)
{
    char *key = machine_key(t, o->opt), *text = NULL;
    LLVMTargetMachineRef tm = key ? take_machine(e, key) : NULL;
    if (!tm) tm = cg_machine(t, o->opt, error);
    if (!tm) {
        free(key);
        return NULL;
    }
    LLVMMemoryBufferRef obj = NULL;
    LLVMContextRef ctx = LLVMContextCreate();
    LLVMModuleRef m = cg_module(ctx, p, t, o, symbol, tm, error);
    if (m && LLVMTargetMachineEmitToMemoryBuffer(tm, m, LLVMObjectFile, &text, &obj)) {
        *error = strdup(text);
        LLVMDisposeMessage(text);
        obj = NULL;
    }
    if (m) LLVMDisposeModule(m);
    LLVMContextDispose(ctx);
    give_machine(e, key, tm);
    return obj;
}

static bool link_object(CgEngine *e, LLVMMemoryBufferRef obj, const char *symbol, CgJit *out, char **error)
{
    char name[256];
    LLVMOrcExecutorAddress run = 0, ws = 0;
    LLVMOrcResourceTrackerRef rt = LLVMOrcJITDylibCreateResourceTracker(LLVMOrcLLJITGetMainJITDylib(e->jit));
    out->code_bytes = code_bytes(obj);
    LLVMErrorRef bad = LLVMOrcLLJITAddObjectFileWithRT(e->jit, rt, obj); /* takes obj */
    snprintf(name, sizeof name, "%s_workspace", symbol);
    if (!bad) bad = LLVMOrcLLJITLookup(e->jit, &run, symbol);
    if (!bad) bad = LLVMOrcLLJITLookup(e->jit, &ws, name);
    if (bad) {
        *error = say(bad);
        bad = LLVMOrcResourceTrackerRemove(rt);
        if (bad) LLVMConsumeError(bad);
        LLVMOrcReleaseResourceTracker(rt);
        return false;
    }
    out->run = (tensorcc_kernel_fn)(uintptr_t)run;
    out->workspace = (tensorcc_workspace_fn)(uintptr_t)ws;
    out->priv = rt;
    return true;
}

bool cg_jit(CgEngine *e, const TileProg *p, const Target *t, const CgOptions *o, CgJit *out, char **error)
{
    char symbol[200], *unused;
    if (!error) error = &unused;
    *error = NULL;
    *out = (CgJit){0};
    if (!t->host) {
        *error = strdup("code for another processor cannot run here");
        return false;
    }
    pthread_mutex_lock(&e->lock);
    uint64_t serial = ++e->serial;
    pthread_mutex_unlock(&e->lock);
    snprintf(symbol, sizeof symbol, "%.150s.%llu", o->symbol ? o->symbol : p->op->name, (unsigned long long)serial);
    LLVMMemoryBufferRef obj = compile(e, p, t, o, symbol, error);
    if (!obj) return false;
    return link_object(e, obj, symbol, out, error);
}

void cg_jit_free(CgEngine *e, CgJit *k)
{
    (void)e;
    if (!k || !k->priv) return;
    LLVMErrorRef bad = LLVMOrcResourceTrackerRemove(k->priv);
    if (bad) LLVMConsumeError(bad);
    LLVMOrcReleaseResourceTracker(k->priv);
    *k = (CgJit){0};
}
