/* device: G9 text and binaries, devices, programs, launches: runtime/sim behind the public names. */
#include "api/api.h"
#include "isa/isa.h"
#include "runtime/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tensorcc_device {
    tensorcc_context *ctx;
    SimDevice *sim;
};

struct tensorcc_program {
    tensorcc_device *device;
    IsaModule *module;
    SimProgram *sim;
    char **shape; /* of all parameters of all kernels */
};

/* ---- reporting
 * -------------------------------------------------------------------------------------------------------- */

static tensorcc_status report(tensorcc_context *c, IsaErrors *e)
{
    tensorcc_status s = TENSORCC_E_INPUT;
    for (IsaError *x = e->first; x; x = x->next) {
        IsaError alone = *x;
        IsaErrors one = *e;
        IsaText t = {0};
        alone.next = NULL;
        one.first = one.last = &alone;
        one.count = 1;
        isa_errors_render(&one, &t);
        s = api_foreign(c, isa_error_name(x->code), x->text, x->line ? e->name : NULL, x->line, x->column,
                        t.s ? t.s : x->text);
        isa_text_free(&t);
    }
    if (!e->first) s = api_no_memory(c);
    isa_errors_free(e);
    return s;
}

static bool is_binary(const void *data, size_t len) { return len >= 2 && !memcmp(data, "G9", 2); }

static tensorcc_status module_of(tensorcc_context *c, const char *name, const void *data, size_t len, IsaModule **out)
{
    IsaErrors e = {.name = name};
    *out = is_binary(data, len) ? isa_module_read(data, len, &e) : isa_assemble(name, data, len, &e);
    return *out ? TENSORCC_OK : report(c, &e);
}

/* ---- text and binaries
 * ------------------------------------------------------------------------------------------------ */

static tensorcc_status translate(tensorcc_context *c, const char *name, const void *data, size_t len, bool text,
                                 tensorcc_blob **out)
{
    IsaModule *m;
    IsaErrors e = {.name = name};
    IsaText t = {0};
    tensorcc_status s = module_of(c, name, data, len, &m);
    if (s) return s;
    if (!text && !isa_verify(m, NULL, &e)) {
        isa_module_free(m);
        return report(c, &e);
    }
    bool ok = true;
    if (text)
        isa_print_module(&t, m);
    else
        ok = isa_module_write(m, &t);
    isa_module_free(m);
    s = !ok || t.lost ? api_no_memory(c) : api_blob(c, t.s, t.n, out);
    isa_text_free(&t);
    return s;
}

tensorcc_status tensorcc_assemble(tensorcc_context *c, const char *name, const void *data, size_t len,
                                  tensorcc_blob **out)
{
    if (!c) return TENSORCC_E_USAGE;
    if (!name || (!data && len) || !out) return api_usage(c, "tensorcc_assemble", "an argument is NULL");
    return translate(c, name, data, len, false, out);
}

tensorcc_status tensorcc_disassemble(tensorcc_context *c, const char *name, const void *data, size_t len,
                                     tensorcc_blob **out)
{
    if (!c) return TENSORCC_E_USAGE;
    if (!name || (!data && len) || !out) return api_usage(c, "tensorcc_disassemble", "an argument is NULL");
    return translate(c, name, data, len, true, out);
}

/* ---- devices
 * ---------------------------------------------------------------------------------------------------------- */

tensorcc_status tensorcc_device_open(tensorcc_context *c, const char *machine, tensorcc_device **out)
{
    IsaErrors e = {0};
    IsaMachine m;
    if (!c) return TENSORCC_E_USAGE;
    if (!machine || !out) return api_usage(c, "tensorcc_device_open", "an argument is NULL");
    *out = NULL;
    if (!isa_machine_open(machine, &m, &e)) return report(c, &e);
    tensorcc_device *d = calloc(1, sizeof *d);
    if (d) d->sim = sim_device_new(&m);
    if (!d || !d->sim) return free(d), api_no_memory(c);
    d->ctx = c;
    *out = d;
    return TENSORCC_OK;
}

void tensorcc_device_close(tensorcc_device *d)
{
    if (!d) return;
    sim_device_free(d->sim);
    free(d);
}

tensorcc_status tensorcc_device_describe(const tensorcc_device *d, tensorcc_device_info *out)
{
    if (!d) return TENSORCC_E_USAGE;
    if (!out || out->struct_size < sizeof *out)
        return api_usage(d->ctx, "tensorcc_device_describe", "struct_size is not set");
    const IsaMachine *m = sim_device_machine(d->sim);
    *out = (tensorcc_device_info){.struct_size = sizeof *out,
                                  .warp = (int32_t)m->chip_warp,
                                  .multiprocessors = (int32_t)m->chip_sms,
                                  .mhz = (int32_t)m->chip_mhz,
                                  .max_threads = (int32_t)m->sm_threads,
                                  .name = m->name,
                                  .memory = m->dram_bytes,
                                  .shared = m->shared_block};
    return TENSORCC_OK;
}

tensorcc_status tensorcc_device_alloc(tensorcc_device *d, uint64_t bytes, tensorcc_address *out)
{
    if (!d) return TENSORCC_E_USAGE;
    if (!out) return api_usage(d->ctx, "tensorcc_device_alloc", "an argument is NULL");
    *out = sim_malloc(d->sim, bytes);
    return *out ? TENSORCC_OK
                : api_foreign(d->ctx, "G401", "the device has no room for this allocation", NULL, 0, 0,
                              "error[G401]: the device has no room for this allocation\n");
}

static tensorcc_status no_such(const tensorcc_device *d)
{
    return api_foreign(d->ctx, "G402", "no allocation holds these bytes of the device", NULL, 0, 0,
                       "error[G402]: no allocation holds these bytes of the device\n");
}

tensorcc_status tensorcc_device_free(tensorcc_device *d, tensorcc_address at)
{
    if (!d) return TENSORCC_E_USAGE;
    return sim_free(d->sim, at) ? TENSORCC_OK : no_such(d);
}

tensorcc_status tensorcc_device_write(tensorcc_device *d, tensorcc_address to, const void *from, uint64_t bytes)
{
    if (!d) return TENSORCC_E_USAGE;
    void *p = sim_host(d->sim, to, bytes, true);
    if (!p || (!from && bytes)) return no_such(d);
    if (bytes) memcpy(p, from, bytes);
    return TENSORCC_OK;
}

tensorcc_status tensorcc_device_read(tensorcc_device *d, void *to, tensorcc_address from, uint64_t bytes)
{
    if (!d) return TENSORCC_E_USAGE;
    const void *p = sim_host(d->sim, from, bytes, false);
    if (!p || (!to && bytes)) return no_such(d);
    if (bytes) memcpy(to, p, bytes);
    return TENSORCC_OK;
}

tensorcc_status tensorcc_device_fill(tensorcc_device *d, tensorcc_address to, uint8_t value, uint64_t bytes)
{
    if (!d) return TENSORCC_E_USAGE;
    void *p = sim_host(d->sim, to, bytes, true);
    if (!p) return no_such(d);
    if (bytes) memset(p, value, bytes);
    return TENSORCC_OK;
}

/* ---- programs
 * --------------------------------------------------------------------------------------------------------- */

/* "[M,K]", and "" for a scalar and for a pointer of no given shape. */
static char *shape_text(const IsaParam *p)
{
    IsaText t = {0};
    for (int i = 0; i < p->rank; i++) isa_text(&t, "%s%s", i ? "," : "[", p->dim[i]);
    isa_text(&t, p->rank ? "]" : "");
    return t.s;
}

static bool shapes(tensorcc_program *p)
{
    int n = 0;
    for (int i = 0; i < p->module->nkernels; i++) n += p->module->kernel[i].nparams;
    p->shape = calloc((size_t)n + 1, sizeof *p->shape);
    n = 0;
    for (int i = 0; p->shape && i < p->module->nkernels; i++)
        for (int j = 0; j < p->module->kernel[i].nparams; j++)
            if (!(p->shape[n++] = shape_text(&p->module->kernel[i].param[j]))) return false;
    return p->shape != NULL;
}

tensorcc_status tensorcc_program_load(tensorcc_device *d, const char *name, const void *data, size_t len,
                                      tensorcc_program **out)
{
    IsaErrors e = {.name = name};
    if (!d) return TENSORCC_E_USAGE;
    if (!name || (!data && len) || !out) return api_usage(d->ctx, "tensorcc_program_load", "an argument is NULL");
    *out = NULL;
    tensorcc_program *p = calloc(1, sizeof *p);
    if (!p) return api_no_memory(d->ctx);
    p->device = d;
    tensorcc_status s = module_of(d->ctx, name, data, len, &p->module);
    if (!s && !(p->sim = sim_load(d->sim, p->module, &e))) s = report(d->ctx, &e);
    if (!s && !shapes(p)) s = api_no_memory(d->ctx);
    if (s)
        tensorcc_program_free(p);
    else
        *out = p;
    return s;
}

void tensorcc_program_free(tensorcc_program *p)
{
    if (!p) return;
    for (int i = 0; p->shape && p->shape[i]; i++) free(p->shape[i]);
    free(p->shape);
    sim_unload(p->sim);
    isa_module_free(p->module);
    free(p);
}

int32_t tensorcc_program_kernels(const tensorcc_program *p) { return p ? p->module->nkernels : 0; }

static const IsaKernel *kernel_at(const tensorcc_program *p, int32_t i)
{
    return i >= 0 && i < p->module->nkernels ? &p->module->kernel[i] : NULL;
}

tensorcc_status tensorcc_program_kernel(const tensorcc_program *p, int32_t i, tensorcc_g9_kernel *out)
{
    if (!p) return TENSORCC_E_USAGE;
    const IsaKernel *k = kernel_at(p, i);
    if (!k || !out || out->struct_size < sizeof *out)
        return api_usage(p->device->ctx, "tensorcc_program_kernel",
                         "there is no such kernel, or struct_size is not set");
    *out = (tensorcc_g9_kernel){.struct_size = sizeof *out,
                                .params = k->nparams,
                                .registers = (int32_t)k->registers,
                                .name = k->name,
                                .shared = k->shared};
    memcpy(out->block, k->block, sizeof out->block);
    memcpy(out->cluster, k->cluster, sizeof out->cluster);
    return TENSORCC_OK;
}

/* How the language calls a type of the ISA; pairs and plain bits are integers. */
static int language_type(IsaType t)
{
    static const uint8_t by_type[IT_COUNT] = {
        [IT_S4] = DT_I4,      [IT_U4] = DT_U4,     [IT_S8] = DT_I8,       [IT_U8] = DT_U8,       [IT_S16] = DT_I16,
        [IT_U16] = DT_U16,    [IT_S32] = DT_I32,   [IT_U32] = DT_U32,     [IT_S64] = DT_I64,     [IT_U64] = DT_U64,
        [IT_S16X2] = DT_U32,  [IT_U16X2] = DT_U32, [IT_E4M3] = DT_F8E4M3, [IT_E5M2] = DT_F8E5M2, [IT_F16] = DT_F16,
        [IT_BF16] = DT_BF16,  [IT_TF32] = DT_TF32, [IT_F32] = DT_F32,     [IT_F64] = DT_F64,     [IT_F16X2] = DT_U32,
        [IT_BF16X2] = DT_U32, [IT_B8] = DT_U8,     [IT_B16] = DT_U16,     [IT_B32] = DT_U32,     [IT_B64] = DT_U64,
        [IT_B128] = DT_U64};
    return by_type[t];
}

tensorcc_status tensorcc_program_param(const tensorcc_program *p, int32_t kernel, int32_t i, tensorcc_param *out)
{
    if (!p) return TENSORCC_E_USAGE;
    const IsaKernel *k = kernel_at(p, kernel);
    if (!k || i < 0 || i >= k->nparams || !out || out->struct_size < sizeof *out)
        return api_usage(p->device->ctx, "tensorcc_program_param",
                         "there is no such parameter, or struct_size is not set");
    int at = i;
    for (int j = 0; j < kernel; j++) at += p->module->kernel[j].nparams;
    const IsaParam *q = &k->param[i];
    const TypeInfo *t = &te_type[language_type((IsaType)q->type)];
    *out = (tensorcc_param){.struct_size = sizeof *out,
                            .kind = q->pointer ? TENSORCC_INOUT : TENSORCC_INPUT,
                            .rank = q->rank,
                            .scalar = !q->pointer,
                            .name = q->name,
                            .dtype = t->name,
                            .npy = t->npy,
                            .dl_code = (uint8_t)t->dl_code,
                            .dl_bits = (uint8_t)t->dl_bits,
                            .shape = p->shape[at]};
    return TENSORCC_OK;
}

/* ---- launches
 * --------------------------------------------------------------------------------------------------------- */

static void pack(const IsaKernel *k, const uint64_t *args, uint8_t *to)
{
    memset(to, 0, k->param_bytes + 8);
    for (int i = 0; i < k->nparams; i++) {
        const IsaParam *q = &k->param[i];
        size_t bytes = q->pointer ? 8 : isa_type[q->type].bits >= 8 ? isa_type[q->type].bits / 8u : 1;
        memcpy(to + q->offset, &args[i], bytes < 8 ? bytes : 8);
    }
}

static tensorcc_status fault(tensorcc_context *c, const SimFault *f)
{
    IsaText t = {0};
    char code[16];
    snprintf(code, sizeof code, "G%d", 410 + (int)f->kind);
    isa_text(&t, "error[%s]: %s\n", code, f->text);
    tensorcc_status s =
        api_foreign(c, code, f->text, f->line ? f->file : NULL, f->line, f->line ? 1 : 0, t.s ? t.s : f->text);
    isa_text_free(&t);
    return s;
}

/* Sizes that nobody gave. */
static void complete(const tensorcc_program *p, const IsaKernel *k, SimLaunch *l)
{
    bool given = l->block[0] || k->block[0];
    for (int i = 0; i < 3; i++) {
        if (!l->grid[i]) l->grid[i] = 1;
        if (!l->block[i])
            l->block[i] = k->block[i]  ? k->block[i]
                          : i || given ? 1
                                       : (uint32_t)sim_device_machine(p->device->sim)->chip_warp;
        if (!l->cluster[i]) l->cluster[i] = k->cluster[i] ? k->cluster[i] : 1;
    }
}

static double ratio(uint64_t a, uint64_t b) { return b ? (double)a / (double)b : 0; }

static void timing(const IsaMachine *m, const SimTiming *x, tensorcc_g9_timing *out)
{
    uint64_t warps = x->counter[SIM_WARP_CLOCKS];
    *out = (tensorcc_g9_timing){.cycles = x->cycles,
                                .ns = (double)x->cycles * 1000 / (double)m->chip_mhz,
                                .mma_utilisation = x->pipe[IP_MMA],
                                .occupancy = x->occupancy,
                                .dram_bytes = (int64_t)(x->counter[SIM_DRAM_READ] + x->counter[SIM_DRAM_WRITE]),
                                .blocks_per_multiprocessor = (int32_t)x->blocks_on_sm,
                                .limited_by = sim_limit_name[x->limit],
                                .waves = x->waves,
                                .l1_hit_rate = ratio(x->counter[SIM_L1_HITS], x->counter[SIM_L1_SECTORS]),
                                .l2_hit_rate = ratio(x->counter[SIM_L2_HITS], x->counter[SIM_L2_SECTORS]),
                                .sectors_per_request =
                                    ratio(x->counter[SIM_GLOBAL_SECTORS], x->counter[SIM_GLOBAL_REQUESTS]),
                                .blocks = (int64_t)x->blocks,
                                .blocks_timed = (int64_t)x->blocks_timed,
                                .error = x->error};
    _Static_assert((int)TENSORCC_G9_STALLS == (int)SIM_STALLS && (int)TENSORCC_G9_COUNTERS == (int)SIM_COUNTERS &&
                       (int)TENSORCC_G9_PIPES == (int)IP_COUNT,
                   "the tables of timings.def and isa.h");
    for (int i = 0; i < SIM_STALLS; i++) {
        out->stall[i] = ratio(x->stall[i], warps);
        out->stall_name[i] = sim_stall_name[i];
    }
    for (int i = 0; i < SIM_COUNTERS; i++) {
        out->counter[i] = x->counter[i];
        out->counter_name[i] = sim_counter_name[i];
    }
    for (int i = 0; i < IP_COUNT; i++) {
        out->pipe[i] = x->pipe[i];
        out->pipe_name[i] = isa_pipe[i];
    }
}

tensorcc_status tensorcc_launch(tensorcc_program *p, const tensorcc_launch_options *o, int32_t nargs,
                                const uint64_t *args, tensorcc_launch_result *out)
{
    if (!p) return TENSORCC_E_USAGE;
    tensorcc_context *c = p->device->ctx;
    const IsaKernel *k = o && o->struct_size >= sizeof *o ? kernel_at(p, o->kernel) : NULL;
    if (!k || !out || out->struct_size < sizeof *out)
        return api_usage(c, "tensorcc_launch", "there is no such kernel, or struct_size is not set");
    if (o->timing < TENSORCC_G9_UNTIMED || o->timing > TENSORCC_G9_ONLY_TIMED || (o->trace && !o->timing))
        return api_usage(c, "tensorcc_launch", "there is no such way of timing, or a trace without timing");
    if (nargs != k->nparams || (nargs && !args))
        return api_usage(c, "tensorcc_launch", "the number of arguments is not the kernel's");
    uint8_t *params = malloc(k->param_bytes + 8);
    if (!params) return api_no_memory(c);
    pack(k, args, params);
    SimLaunch l = {.program = p->sim,
                   .kernel = k->name,
                   .shared = o->shared,
                   .params = params,
                   .param_bytes = k->param_bytes,
                   .threads = o->threads > 0 ? o->threads : rt_usable_cpus(),
                   .checked = o->checked != 0,
                   .budget = o->budget,
                   .timed = (SimTimed)o->timing};
    IsaText trace = {0};
    if (o->trace) l.trace = &trace;
    memcpy(l.grid, o->grid, sizeof l.grid);
    memcpy(l.block, o->block, sizeof l.block);
    memcpy(l.cluster, o->cluster, sizeof l.cluster);
    complete(p, k, &l);
    SimResult r;
    double start = rt_now_ns();
    bool ok = sim_launch(p->device->sim, &l, &r);
    *out = (tensorcc_launch_result){.struct_size = sizeof *out,
                                    .warp_instructions = r.warp_instructions,
                                    .thread_instructions = r.thread_instructions,
                                    .ns = rt_now_ns() - start};
    memcpy(out->grid, l.grid, sizeof out->grid);
    memcpy(out->block, l.block, sizeof out->block);
    memcpy(out->cluster, l.cluster, sizeof out->cluster);
    _Static_assert((int)TENSORCC_G9_CATEGORIES == (int)IC_COUNT, "the categories of isa.h");
    for (int i = 0; i < IC_COUNT; i++) {
        out->category[i] = r.by_category[i];
        out->category_name[i] = isa_category[i];
    }
    timing(sim_device_machine(p->device->sim), &r.timing, &out->timing);
    free(params);
    tensorcc_status s = !ok ? fault(c, &r.fault) : o->trace ? api_blob(c, trace.s, trace.n, &out->trace) : TENSORCC_OK;
    isa_text_free(&trace);
    return s;
}
