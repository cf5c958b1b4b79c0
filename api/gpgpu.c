/* gpgpu: kernels for the project's GPU: code when it is first needed, a simulated device of the kernel's own, and a
 * call as copies to the device, launches one after the other, and copies back. */
#define _GNU_SOURCE /* strsep */
#include "api/emit.h"
#include "isa/isa.h"
#include "runtime/sim/sim.h"

#include <stdlib.h>
#include <string.h>

struct ApiGpu {
    Arena *mem;
    IsaMachine machine;
    CgG9 code;
    SimDevice *device;
    SimProgram *program;
    pthread_mutex_t running; /* the device takes one call at a time */
};

bool api_is_gpgpu(const char *target) { return !strcmp(target, "gpgpu") || !strncmp(target, "gpgpu:", 6); }

tensorcc_status api_gpgpu_target(tensorcc_kernel *k, const char *name)
{
    ApiGpu *g = calloc(1, sizeof *g);
    if (!g || !(g->mem = arena_new())) return free(g), api_no_memory(k->ctx);
    pthread_mutex_init(&g->running, NULL);
    k->gpu = g;
    k->target = cg_g9_target(k->mem, name, &g->machine);
    return k->target ? TENSORCC_OK : api_error(k->ctx, TENSORCC_E_USAGE, D_R009_TARGET, name);
}

void api_gpgpu_free(tensorcc_kernel *k)
{
    ApiGpu *g = k->gpu;
    if (!g) return;
    sim_unload(g->program);
    sim_device_free(g->device);
    isa_module_free(g->code.module);
    pthread_mutex_destroy(&g->running);
    arena_free(g->mem);
    free(g);
}

/* ---- code */
typedef struct Make {
    tensorcc_kernel *k;
    bool want_mir;
    CgG9 *out;
    const char *error;
    bool ok;
} Make;

static void make(void *arg)
{
    Make *m = arg;
    double start = rt_now_ns();
    m->ok = cg_g9(m->k->gpu->mem, m->k->prog, &m->k->gpu->machine, m->want_mir, m->out, &m->error);
    m->k->ns += rt_now_ns() - start;
}

/* How to launch the kernels, and what they were made from, as lines of the module. */
static bool write_plan(tensorcc_kernel *k, Arena *mem)
{
    ApiGpu *g = k->gpu;
    IsaModule *m = g->code.module;
    Text more = {.mem = mem}, all = {.mem = mem};
    text_add(&more, "");
    for (int i = 0; i < g->code.nbuffers; i++)
        text_printf(&more, "buffer %s %s\n", g->code.buffer[i].name, g->code.buffer[i].bytes);
    for (int i = 0; i < g->code.nlaunches; i++)
        text_printf(&more, "launch %s %d %s\n", m->kernel[g->code.launch[i].kernel].name, g->code.launch[i].block,
                    g->code.launch[i].threads);
    api_metadata(&all, k, more.s);
    jmp_buf lost;
    if (setjmp(lost)) {
        isa_mem_catch(m->mem, NULL);
        return false;
    }
    isa_mem_catch(m->mem, &lost);
    int lines = 1;
    for (const char *s = all.s; (s = strchr(s, '\n')); s++) lines++;
    m->plan = isa_alloc(m->mem, sizeof *m->plan * (size_t)lines);
    for (const char *s = all.s; s && *s;) {
        const char *end = strchr(s, '\n');
        m->plan[m->nplan++] = isa_strndup(m->mem, s, end ? (size_t)(end - s) : strlen(s));
        s = end ? end + 1 : NULL;
    }
    m->toolchain = isa_strndup(m->mem, tensorcc_toolchain(), strlen(tensorcc_toolchain()));
    isa_mem_catch(m->mem, NULL);
    return true;
}

static tensorcc_status start(tensorcc_kernel *k)
{
    ApiGpu *g = k->gpu;
    IsaErrors e = {0};
    if (!isa_verify(g->code.module, &g->machine, &e)) {
        tensorcc_status s = k->loaded ? TENSORCC_E_INPUT : TENSORCC_E_BUG;
        const char *why = e.first ? e.first->text : "no reason";
        if (k->loaded)
            api_error(k->ctx, s, D_R033_LOAD, "the .g9 file", why);
        else
            api_error(k->ctx, s, D_X002_BUG, "code generation for gpgpu", why);
        isa_errors_free(&e);
        return s;
    }
    g->device = sim_device_new(&g->machine);
    if (g->device) g->program = sim_load(g->device, g->code.module, &e);
    isa_errors_free(&e);
    return g->program ? TENSORCC_OK : api_no_memory(k->ctx);
}

static tensorcc_status load(tensorcc_kernel *k)
{
    ApiGpu *g = k->gpu;
    Make m = {.k = k, .out = &g->code};
    if (!api_guard_deep(g->mem, make, &m)) return api_no_memory(k->ctx);
    if (!m.ok) return api_error(k->ctx, TENSORCC_E_INPUT, D_R044_G9, k->target_name, m.error);
    if (!write_plan(k, g->mem)) return api_no_memory(k->ctx);
    return start(k);
}

/* ---- out of a file */
tensorcc_status api_gpgpu_read(tensorcc_context *c, Arena *mem, const char *path, const char *bytes, size_t n,
                               IsaModule **out, const char **text)
{
    IsaErrors e = {.name = path};
    Text t = {.mem = mem};
    text_add(&t, "");
    *out = isa_module_read(bytes, n, &e);
    tensorcc_status s = TENSORCC_OK;
    if (!*out) s = api_error(c, TENSORCC_E_INPUT, D_R033_LOAD, path, e.first ? e.first->text : "out of memory");
    isa_errors_free(&e);
    for (int i = 0; *out && i < (*out)->nplan; i++) text_printf(&t, "%s\n", (*out)->plan[i]);
    *text = t.s;
    return s;
}

static bool read_buffer(ApiGpu *g, char *line)
{
    char *formula = strchr(line, ' ');
    if (!formula) return false;
    *formula++ = 0;
    g->code.buffer[g->code.nbuffers++] = (CgG9Buffer){line, formula};
    return true;
}

static bool read_launch(ApiGpu *g, char *line)
{
    char *block = strchr(line, ' '), *formula;
    if (!block) return false;
    *block++ = 0;
    long n = strtol(block, &formula, 10);
    const IsaModule *m = g->code.module;
    int at = 0;
    while (at < m->nkernels && strcmp(m->kernel[at].name, line)) at++;
    if (*formula != ' ' || at == m->nkernels || n < 1 || n > 65536) return false;
    g->code.launch[g->code.nlaunches++] = (CgG9Launch){at, (int)n, formula + 1};
    return true;
}

/* The parameters that run() gives are those that each kernel wants. */
static bool takes_all(const tensorcc_kernel *k)
{
    const CgG9 *c = &k->gpu->code;
    uint32_t bytes = 8 * (uint32_t)(k->op->nparams + c->nbuffers + 1 + k->op->ndims);
    for (int i = 0; i < c->module->nkernels; i++)
        if (c->module->kernel[i].param_bytes != bytes) return false;
    return true;
}

tensorcc_status api_gpgpu_adopt(tensorcc_kernel *k, IsaModule *m, const char *path, const char *text)
{
    tensorcc_status s = api_gpgpu_target(k, k->target_name);
    if (!k->gpu) return s;
    ApiGpu *g = k->gpu;
    g->code.module = m;
    if (s) return s;
    g->code.buffer = NEW_ARRAY(k->mem, CgG9Buffer, m->nplan + 1);
    g->code.launch = NEW_ARRAY(k->mem, CgG9Launch, m->nplan + 1);
    char *at = arena_strdup(k->mem, text);
    bool ok = true;
    for (char *line; ok && (line = strsep(&at, "\n")) && *line;) {
        if (!strncmp(line, "buffer ", 7)) ok = read_buffer(g, line + 7);
        if (!strncmp(line, "launch ", 7)) ok = read_launch(g, line + 7);
    }
    if (!ok || !takes_all(k)) return api_error(k->ctx, TENSORCC_E_INPUT, D_R033_LOAD, path, "its launch plan cannot be read");
    return start(k);
}

tensorcc_status api_gpgpu_need(tensorcc_kernel *k)
{
    tensorcc_status s = TENSORCC_OK;
    pthread_mutex_lock(&k->lock);
    if (!k->gpu->program) s = load(k);
    pthread_mutex_unlock(&k->lock);
    return s;
}

/* What --emit shows, in mem. */
tensorcc_status api_gpgpu_text(tensorcc_kernel *k, Arena *mem, const char *kind, char **bytes, size_t *n)
{
    ApiGpu *g = k->gpu;
    IsaText t = {0};
    tensorcc_status s = TENSORCC_OK;
    if (!strcmp(kind, "mir")) {
        CgG9 out = {0};
        Make m = {.k = k, .out = &out, .want_mir = true};
        pthread_mutex_lock(&k->lock);
        bool done = api_guard_deep(g->mem, make, &m);
        pthread_mutex_unlock(&k->lock);
        isa_module_free(out.module);
        if (!done) return api_no_memory(k->ctx);
        if (!m.ok) return api_error(k->ctx, TENSORCC_E_INPUT, D_R044_G9, k->target_name, m.error);
        *n = strlen(out.mir);
        *bytes = arena_strdup(mem, out.mir);
        return TENSORCC_OK;
    }
    s = api_gpgpu_need(k);
    if (s) return s;
    bool ok = true;
    if (!strcmp(kind, "g9"))
        ok = isa_module_write(g->code.module, &t);
    else
        isa_print_module(&t, g->code.module);
    if (!ok || t.lost)
        s = api_no_memory(k->ctx);
    else
        *bytes = arena_dup(mem, t.s, t.n), *n = t.n;
    isa_text_free(&t);
    return s;
}

int64_t api_gpgpu_code_bytes(const tensorcc_kernel *k)
{
    return k->gpu->code.module ? 16 * (int64_t)k->gpu->code.module->ninsts : 0;
}

/* ---- a call */
typedef struct Call {
    tensorcc_kernel *k;
    ApiGpu *g;
    ApiGpuRun *r;
    uint64_t *arg;      /* all parameters of the kernels */
    int nargs, nmemory; /* the first nmemory are allocations */
    tensorcc_status status;
    double busy, occupied; /* cycles times shares */
} Call;

static bool reserve(Call *c, int64_t bytes)
{
    uint64_t at = bytes < 0 ? 0 : sim_malloc(c->g->device, (uint64_t)bytes + 16);
    if (!at) {
        Arena *mem = arena_new();
        if (mem)
            api_error(c->k->ctx, TENSORCC_E_ENV, D_R025_MEMORY, "the device", api_bytes(mem, (double)bytes),
                      api_bytes(mem, (double)c->g->machine.dram_bytes));
        arena_free(mem);
        c->status = TENSORCC_E_ENV;
        return false;
    }
    c->arg[c->nmemory++] = at;
    return true;
}

static bool prepare(Call *c)
{
    const TeOp *op = c->k->op;
    for (int i = 0; i < op->nparams; i++) {
        int64_t bytes = c->r->bytes[i];
        if (!reserve(c, bytes)) return false;
        uint8_t *to = sim_host(c->g->device, c->arg[i], (uint64_t)bytes + 16, true);
        /* of a byte that a row of nibbles ends in, the other half stays as it was */
        bool output = op->tensor[i]->kind == TK_OUTPUT && te_type[op->tensor[i]->type].bits >= 8;
        memset(to + (output ? 0 : bytes), 0, output ? (size_t)bytes + 16 : 16);
        if (!output && bytes) memcpy(to, c->r->data[i], (size_t)bytes);
    }
    for (int i = 0; i < c->g->code.nbuffers; i++) {
        int64_t bytes;
        if (!cg_g9_formula(c->g->code.buffer[i].bytes, op->ndims, c->r->sizes, &bytes)) bytes = -1;
        if (!reserve(c, bytes)) return false;
    }
    if (!reserve(c, 16)) return false;
    memset(sim_host(c->g->device, c->arg[c->nmemory - 1], 16, true), 0, 16);
    c->nargs = c->nmemory;
    for (int i = 0; i < op->ndims; i++) c->arg[c->nargs++] = (uint64_t)c->r->sizes[i];
    return true;
}

static void account(Call *c, const SimResult *s)
{
    ApiGpuRun *r = c->r;
    r->launches++;
    r->instructions += s->warp_instructions;
    r->cycles += s->timing.cycles;
    r->dram_bytes += s->timing.counter[SIM_DRAM_READ] + s->timing.counter[SIM_DRAM_WRITE];
    c->busy += s->timing.pipe[IP_MMA] * (double)s->timing.cycles;
    c->occupied += s->timing.occupancy * (double)s->timing.cycles;
    for (int i = 0; i < SIM_STALLS; i++) r->stall[i] += (double)s->timing.stall[i];
}

static bool launch(Call *c, const CgG9Launch *l)
{
    int64_t threads;
    ApiGpu *g = c->g;
    if (!cg_g9_formula(l->threads, c->k->op->ndims, c->r->sizes, &threads) ||
        threads > (int64_t)UINT32_MAX * l->block) {
        c->status = api_error(c->k->ctx, TENSORCC_E_INPUT, D_R044_G9, c->k->target_name, "a launch of so many threads");
        return false;
    }
    if (threads <= 0) return true;
    SimLaunch s = {.program = g->program,
                   .kernel = g->code.module->kernel[l->kernel].name,
                   .grid = {(uint32_t)((threads + l->block - 1) / l->block), 1, 1},
                   .block = {(uint32_t)l->block, 1, 1},
                   .params = c->arg,
                   .param_bytes = g->code.module->kernel[l->kernel].param_bytes,
                   .threads = c->k->ctx->threads,
                   .checked = c->k->flags & TENSORCC_CHECKED,
                   .timed = (SimTimed)c->r->timed};
    SimResult result;
    if (!sim_launch(g->device, &s, &result)) {
        c->status = api_error(c->k->ctx, TENSORCC_E_BUG, D_X002_BUG, "a kernel for gpgpu", result.fault.text);
        return false;
    }
    account(c, &result);
    return true;
}

static void finish(Call *c)
{
    const TeOp *op = c->k->op;
    const uint8_t *fault = sim_host(c->g->device, c->arg[c->nmemory - 1], 16, false);
    memcpy(&c->r->site, fault, 4);
    memcpy(&c->r->index, fault + 8, 8);
    for (int i = 0; i < op->nparams; i++) {
        bool written = op->tensor[i]->kind == TK_OUTPUT || op->tensor[i]->kind == TK_INOUT;
        uint64_t bytes = (uint64_t)c->r->bytes[i];
        if (written && bytes) memcpy(c->r->data[i], sim_host(c->g->device, c->arg[i], bytes, false), bytes);
    }
}

static void shares(Call *c)
{
    ApiGpuRun *r = c->r;
    double all = 0;
    for (int i = 0; i < SIM_STALLS; i++) all += r->stall[i];
    for (int i = 0; i < SIM_STALLS && all > 0; i++) r->stall[i] /= all;
    if (!r->cycles) return;
    r->mma = c->busy / (double)r->cycles;
    r->occupancy = c->occupied / (double)r->cycles;
    r->ns = (double)r->cycles * 1e3 / (double)c->g->machine.chip_mhz;
}

/* fmas of all lanes at once, in the type of the results. */
static void peaks(Call *c)
{
    const IsaMachine *m = &c->g->machine;
    bool f64 = false;
    for (int i = c->k->op->ninputs; i < c->k->op->nparams; i++) f64 |= c->k->op->tensor[i]->type == DT_F64;
    IsaPipeTime p = m->pipe[f64 ? IP_FP64 : IP_FP32];
    double lanes = (double)(m->chip_sms * m->sm_subcores * m->chip_warp) * p.count / p.interval;
    c->r->peak_gflops = 2 * lanes * (double)m->chip_mhz / 1e3;
    c->r->peak_gbs = (double)m->dram_gbs;
}

tensorcc_status api_gpgpu_run(tensorcc_kernel *k, ApiGpuRun *r)
{
    ApiGpu *g = k->gpu;
    const TeOp *op = k->op;
    Call c = {.k = k, .g = g, .r = r};
    c.arg = calloc((size_t)(op->nparams + g->code.nbuffers + op->ndims + 2), sizeof *c.arg);
    if (!c.arg) return api_no_memory(k->ctx);
    pthread_mutex_lock(&g->running);
    bool ok = prepare(&c);
    for (int i = 0; ok && i < g->code.nlaunches; i++) ok = launch(&c, &g->code.launch[i]);
    if (ok) finish(&c);
    shares(&c);
    peaks(&c);
    for (int i = 0; i < c.nmemory; i++) sim_free(g->device, c.arg[i]);
    pthread_mutex_unlock(&g->running);
    free(c.arg);
    return c.status;
}
