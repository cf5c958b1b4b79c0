/* machine: what this machine is and can do. */
#include "api/api.h"
#include "isa/isa.h"

#include <string.h>

#ifndef TCC_VERSION
#define TCC_VERSION "0.1.0"
#endif
#ifndef TCC_LLVM_VERSION
#define TCC_LLVM_VERSION "unknown"
#endif

const char *tensorcc_version(void) { return TCC_VERSION; }
const char *tensorcc_toolchain(void) { return "tcc " TCC_VERSION ", LLVM " TCC_LLVM_VERSION; }
int32_t tensorcc_usable_cpus(void) { return rt_usable_cpus(); }
int64_t tensorcc_usable_memory(void) { return rt_usable_memory(); }

tensorcc_status tensorcc_measure_peak(tensorcc_context *c, double seconds, tensorcc_peak *out)
{
    if (!c) return TENSORCC_E_USAGE;
    if (!out || out->struct_size < sizeof *out || !(seconds >= 0 && seconds <= 60))
        return api_usage(c, "tensorcc_measure_peak", "struct_size is not set, or seconds is not within 0..60");
    out->gflops_f32 = rt_peak_gflops_f32(seconds / 4);
    out->gflops_f64 = rt_peak_gflops_f64(seconds / 4);
    out->gbs = rt_peak_gbs(seconds / 2, 1);
    return TENSORCC_OK;
}

void tensorcc_flush_caches(tensorcc_context *c)
{
    (void)c;
    rt_flush_caches();
}

typedef struct Targets {
    tensorcc_context *c;
    Arena *mem;
    Text t;
} Targets;

static void field(Text *t, const char *name, long long v) { text_printf(t, ", \"%s\": %lld", name, v); }

static void flag(Text *t, const char *name, bool v) { text_printf(t, ", \"%s\": %s", name, v ? "true" : "false"); }

static void string(Text *t, const char *name, const char *v)
{
    text_printf(t, ", \"%s\": ", name);
    api_json_string(t, v);
}

/* What schedules may ask for: target.NAME. */
static void properties(Text *t, const Target *g)
{
    const char *const *name;
    int n = sched_target_names(&name);
    text_add(t, ", \"properties\": {");
    for (int i = 0; i < n; i++) {
        int64_t v = 0;
        sched_target_value(g, name[i], &v);
        text_printf(t, "%s\"%s\": {\"value\": %lld, \"meaning\": ", i ? ", " : "", name[i], (long long)v);
        api_json_string(t, sched_target_meaning(i));
        text_add(t, "}");
    }
    text_add(t, "}");
}

static void describe(Text *t, const Target *g)
{
    text_add(t, "{\"name\": ");
    api_json_string(t, g->name);
    string(t, "model", g->model);
    string(t, "triple", g->triple);
    string(t, "cpu", g->cpu);
    string(t, "features", g->features);
    flag(t, "host", g->host);
    field(t, "vector_bytes", g->vector_bytes);
    field(t, "lanes_f32", target_lanes(g, 4));
    field(t, "vregs", g->vregs);
    flag(t, "fma", g->fma);
    flag(t, "f16c", g->f16c);
    flag(t, "avx512", g->avx512);
    flag(t, "avx512bf16", g->avx512bf16);
    flag(t, "avx512fp16", g->avx512fp16);
    flag(t, "vnni", g->vnni);
    flag(t, "masks", g->masks);
    field(t, "fma_per_cycle", g->fma_per_cycle);
    field(t, "fma_latency", g->fma_latency);
    field(t, "l1", g->l1);
    field(t, "l2", g->l2);
    field(t, "l3", g->l3);
    field(t, "line", g->line);
    field(t, "cores", g->cores);
    properties(t, g);
    text_add(t, "}");
}

static void list_gpu(Targets *x, const char *machine)
{
    IsaMachine m;
    const Target *g = cg_g9_target(x->mem, arena_printf(x->mem, "gpgpu:%s", machine), &m);
    if (!g) return;
    if (x->t.n > 1) text_add(&x->t, ",\n ");
    text_printf(&x->t,
                "{\"name\": \"%s\", \"model\": \"%s\", \"host\": true, \"warp\": %lld, \"multiprocessors\": %lld, "
                "\"mhz\": %lld, \"shared\": %lld, \"l1\": %lld, \"l2\": %lld, \"line\": %d, \"memory\": %lld}",
                g->name, g->model, (long long)m.chip_warp, (long long)m.chip_sms, (long long)m.chip_mhz,
                (long long)m.shared_block, (long long)g->l1, (long long)g->l2, g->line, (long long)m.dram_bytes);
}

static void list(void *arg)
{
    Targets *x = arg;
    const char *const *name = cg_target_names();
    text_add(&x->t, "[");
    for (int i = 0; name[i]; i++) {
        const Target *g = cg_target(x->mem, name[i]);
        if (!g) continue;
        if (x->t.n > 1) text_add(&x->t, ",\n ");
        describe(&x->t, g);
    }
    for (int i = 0; isa_machine_name(i); i++) list_gpu(x, isa_machine_name(i));
    if (x->t.n > 1) text_add(&x->t, ",\n ");
    text_add(&x->t, "{\"name\": \"interp\", \"model\": \"the reference interpreter\", \"host\": true}]\n");
}

tensorcc_status tensorcc_targets(tensorcc_context *c, tensorcc_blob **json)
{
    if (!c) return TENSORCC_E_USAGE;
    if (!json) return api_usage(c, "tensorcc_targets", "json is NULL");
    *json = NULL;
    Targets x = {.c = c, .mem = arena_new()};
    x.t.mem = x.mem;
    tensorcc_status s = x.mem && api_guard(x.mem, list, &x) ? api_blob(c, x.t.s, x.t.n, json) : api_no_memory(c);
    arena_free(x.mem);
    return s;
}
