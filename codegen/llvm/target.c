/* target: what is known of a processor. `cpu` is detected: names and features from LLVM, caches from the operating
 * system, cores from the affinity mask; `cpu:NAME` is a row of targets.def. Nothing else in the project looks at the
 * machine to decide what code to make. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "codegen/llvm/llvm.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

typedef struct Cpu {
    const char *name, *model;
    int vector_bytes, vregs;
    const char *features;
    int fma_per_cycle, fma_latency;
    int64_t l1, l2, l3;
} Cpu;

static const Cpu cpus[] = {
#define CPU(...) {__VA_ARGS__},
#include "codegen/targets.def"
#undef CPU
};
static const char *const names[] = {
    "cpu",
#define CPU(name, ...) "cpu:" name,
#include "codegen/targets.def"
#undef CPU
    NULL,
};
enum { NCPUS = sizeof cpus / sizeof cpus[0] };

const char *const *cg_target_names(void) { return names; }

static const Cpu *row(const char *name)
{
    for (int i = 0; i < NCPUS; i++)
        if (ir_streq(cpus[i].name, name)) return &cpus[i];
    return NULL;
}

static void fill(Target *t, const Cpu *c)
{
    t->cpu = c->name;
    t->model = c->model;
    t->vector_bytes = c->vector_bytes;
    t->vregs = c->vregs;
    t->masks = strchr(c->features, 'm') != NULL;
    t->fma = strchr(c->features, 'f') != NULL;
    t->f16c = strchr(c->features, 'h') != NULL;
    t->avx512 = strchr(c->features, '5') != NULL;
    t->avx512bf16 = strchr(c->features, 'b') != NULL;
    t->avx512fp16 = strchr(c->features, 'p') != NULL;
    t->vnni = strchr(c->features, 'v') != NULL;
    t->fma_per_cycle = c->fma_per_cycle;
    t->fma_latency = c->fma_latency;
    t->l1 = c->l1 * 1024;
    t->l2 = c->l2 * 1024;
    t->l3 = c->l3 * 1024;
    t->line = 64;
    t->cores = 1;
}

/* ---- this machine
 * ----------------------------------------------------------------------------------------------------------- */
static bool has(const char *features, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = features; (at = strstr(at, name)); at += n)
        if (at > features && at[-1] == '+' && (at[n] == ',' || at[n] == 0)) return true;
    return false;
}

static const char *model_name(Arena *mem)
{
#if defined(__x86_64__)
    unsigned r[12];
    bool ok = true;
    for (unsigned i = 0; i < 3; i++)
        ok = ok && __get_cpuid(0x80000002u + i, &r[4 * i], &r[4 * i + 1], &r[4 * i + 2], &r[4 * i + 3]);
    if (ok) {
        char *s = arena_strndup(mem, (const char *)r, sizeof r);
        size_t n = strlen(s);
        while (n && s[n - 1] == ' ') s[--n] = 0;
        while (*s == ' ') s++;
        if (*s) return s;
    }
#else
    (void)mem;
#endif
    return "unknown processor";
}

static bool read_line(const char *path, char *out, int n)
{
    FILE *in = fopen(path, "r");
    if (!in) return false;
    bool ok = fgets(out, n, in) != NULL;
    fclose(in);
    if (ok) out[strcspn(out, "\n")] = 0;
    return ok;
}

/* Cache sizes as Linux tells them: "32K", "16M". */
static void caches(Target *t)
{
    for (int i = 0; i < 8; i++) {
        char path[96], level[16], type[32], size[32], line[16];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/level", i);
        if (!read_line(path, level, sizeof level)) return;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/type", i);
        if (!read_line(path, type, sizeof type) || type[0] == 'I') continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
        if (!read_line(path, size, sizeof size)) continue;
        char *unit;
        int64_t bytes = strtol(size, &unit, 10) * (*unit == 'K' ? 1024 : *unit == 'M' ? 1024 * 1024 : 1);
        if (bytes <= 0) continue;
        if (level[0] == '1') t->l1 = bytes;
        if (level[0] == '2') t->l2 = bytes;
        if (level[0] == '3') t->l3 = bytes;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/coherency_line_size", i);
        if (read_line(path, line, sizeof line) && atoi(line) > 0) t->line = atoi(line);
    }
}

static int cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

static void detect(Arena *mem, Target *t)
{
    char *cpu = LLVMGetHostCPUName(), *features = LLVMGetHostCPUFeatures(), *triple = LLVMGetDefaultTargetTriple();
    const Cpu *known = row(cpu);
    bool avx2 = has(features, "avx2"), avx512 = has(features, "avx512f") && has(features, "avx512bw") &&
                                                has(features, "avx512vl") && has(features, "avx512dq");
    fill(t, known ? known : row(avx512 ? "x86-64-v4" : avx2 ? "x86-64-v3" : "x86-64"));
    /* What the machine shows counts, not what its family could do: a virtual machine may hide features. */
    t->avx512 = avx512;
    t->masks = has(features, "avx");
    t->fma = has(features, "fma");
    t->f16c = has(features, "f16c");
    t->avx512bf16 = has(features, "avx512bf16");
    t->avx512fp16 = has(features, "avx512fp16");
    t->vnni = has(features, "avx512vnni") || has(features, "avxvnni");
    t->vector_bytes = avx512 ? 64 : avx2 ? 32 : 16;
    if (known && known->vector_bytes < t->vector_bytes) t->vector_bytes = known->vector_bytes;
    t->vregs = avx512 ? 32 : 16;
    t->cpu = arena_strdup(mem, cpu);
    t->features = arena_strdup(mem, features);
    t->triple = arena_strdup(mem, triple);
    t->model = model_name(mem);
    t->cores = cores();
    t->host = true;
    caches(t);
    LLVMDisposeMessage(cpu);
    LLVMDisposeMessage(features);
    LLVMDisposeMessage(triple);
}

const Target *cg_target(Arena *mem, const char *name)
{
    Target *t = NEW(mem, Target);
    bool here = !name || ir_streq(name, "cpu");
    t->name = here ? "cpu" : arena_strdup(mem, name);
    if (here) {
        detect(mem, t);
        return t;
    }
    const Cpu *c = strncmp(name, "cpu:", 4) == 0 ? row(name + 4) : NULL;
    if (!c) return NULL;
    fill(t, c);
    t->features = "";
    t->triple = "x86_64-unknown-linux-gnu";
    Target host = {0};
    detect(mem, &host);
    t->cores = host.cores;
    /* Code for another processor runs here when this one has all that it may use. */
    bool levels = host.vector_bytes >= t->vector_bytes || (host.avx512 && t->avx512);
    t->host = strncmp(host.triple, "x86_64", 6) == 0 && levels && ir_streq(c->name, host.cpu);
    if (strncmp(c->name, "x86-64", 6) == 0 && strncmp(host.triple, "x86_64", 6) == 0)
        t->host = levels && (!t->fma || host.fma) && (!t->f16c || host.f16c) && (!t->avx512 || host.avx512) &&
                  (!t->masks || host.masks);
    return t;
}

/* ---- LLVM's target machines
 * ---------------------------------------------------------------------------------------------------- */
LLVMTargetMachineRef cg_machine(const Target *t, int opt, char **error)
{
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMTargetRef target;
    char *text = NULL;
    *error = NULL;
    if (LLVMGetTargetFromTriple(t->triple, &target, &text)) {
        size_t n = strlen(text) + 1;
        *error = malloc(n);
        if (*error) memcpy(*error, text, n);
        LLVMDisposeMessage(text);
        return NULL;
    }
    static const LLVMCodeGenOptLevel levels[] = {LLVMCodeGenLevelNone, LLVMCodeGenLevelLess, LLVMCodeGenLevelDefault,
                                                 LLVMCodeGenLevelAggressive};
    LLVMTargetMachineRef tm = LLVMCreateTargetMachine(target, t->triple, t->cpu, t->features,
                                                      levels[opt < 0   ? 0
                                                             : opt > 3 ? 3
                                                                       : opt],
                                                      LLVMRelocPIC, LLVMCodeModelSmall);
    if (!tm) *error = strdup("LLVM cannot make code for this processor");
    return tm;
}
