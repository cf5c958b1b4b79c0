/* gpgpu: kernels for the project's GPU: code when it is first needed, a simulated device of the kernel's own, and a
 * call as copies to the device, launches one after the other, and copies back. */
#include "api/api.h"
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

static tensorcc_status load(tensorcc_kernel *k)
{
    ApiGpu *g = k->gpu;
    IsaErrors e = {0};
    Make m = {.k = k, .out = &g->code};
    if (!api_guard_deep(g->mem, make, &m)) return api_no_memory(k->ctx);
    if (!m.ok) return api_error(k->ctx, TENSORCC_E_INPUT, D_R044_G9, k->target_name, m.error);
    if (!isa_verify(g->code.module, &g->machine, &e)) {
        api_error(k->ctx, TENSORCC_E_BUG, D_X002_BUG, "code generation for gpgpu",
                  e.first ? e.first->text : "no reason");
        isa_errors_free(&e);
        return TENSORCC_E_BUG;
    }
    g->device = sim_device_new(&g->machine);
    if (g->device) g->program = sim_load(g->device, g->code.module, &e);
    isa_errors_free(&e);
    return g->program ? TENSORCC_OK : api_no_memory(k->ctx);
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
    for (int i = 0; i < c.nmemory; i++) sim_free(g->device, c.arg[i]);
    pthread_mutex_unlock(&g->running);
    free(c.arg);
    return c.status;
}
