/* launch: programs, launches, and the rounds in which clusters of blocks run.
 *
 * A round: every resident cluster runs on some host thread until its warps have ended or wait. Then, on one thread and
 * in the order of clusters and warps, the instructions that wait for the round's end run. Clusters that ended make room
 * for the next ones. Memory of a cluster is taken when it begins and given back when it ends, so that a host thread
 * that runs one after the other stays in its cache. */
#include "runtime/sim/sim_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- programs
 * ------------------------------------------------------------------------------------------------------------ */

SimProgram *sim_load(SimDevice *d, const IsaModule *m, IsaErrors *e)
{
    if (!isa_verify(m, &d->machine, e)) return NULL;
    SimProgram *p = malloc(sizeof *p);
    if (!p) return isa_error(e, IE_G001_MEMORY, 0, 0, 0), NULL;
    *p = (SimProgram){d, m};
    return p;
}

void sim_unload(SimProgram *p) { free(p); }

/* ---- what a launch needs
 * ----------------------------------------------------------------------------------------------------- */

bool sim_refuse(SimResult *out, SimFaultKind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    out->fault.kind = kind;
    vsnprintf(out->fault.text, sizeof out->fault.text, fmt, ap);
    va_end(ap);
    return false;
}

static bool sizes(SimRun *r, const SimLaunch *l, SimResult *out)
{
    const IsaKernel *k = r->kernel;
    const IsaMachine *m = &r->device->machine;
    static const char axis[] = "xyz";
    for (int i = 0; i < 3; i++) {
        r->grid[i] = l->grid[i];
        r->block[i] = l->block[i] ? l->block[i] : k->block[i];
        r->cluster[i] = l->cluster[i] ? l->cluster[i] : k->cluster[i] ? k->cluster[i] : 1;
        if (!r->grid[i] || r->grid[i] > INT32_MAX)
            return sim_refuse(out, SIM_BAD_LAUNCH, "the grid's %c is %u", axis[i], r->grid[i]);
        if (!r->block[i] || r->block[i] > 65536)
            return sim_refuse(out, SIM_BAD_LAUNCH, "the block's %c is %u", axis[i], r->block[i]);
        if (k->block[0] && r->block[i] != k->block[i])
            return sim_refuse(out, SIM_BAD_LAUNCH, "%.60s needs blocks whose %c is %u, not %u", k->name, axis[i],
                              k->block[i], r->block[i]);
        if (k->cluster[0] && r->cluster[i] != k->cluster[i])
            return sim_refuse(out, SIM_BAD_LAUNCH, "%.60s needs clusters whose %c is %u, not %u", k->name, axis[i],
                              k->cluster[i], r->cluster[i]);
        if (r->cluster[i] > 64 || r->grid[i] % r->cluster[i])
            return sim_refuse(out, SIM_BAD_LAUNCH, "the grid's %c, %u, is no multiple of the cluster's, %u", axis[i],
                              r->grid[i], r->cluster[i]);
        r->clusters[i] = r->grid[i] / r->cluster[i];
    }
    if (l->timed && l->checked)
        return sim_refuse(out, SIM_BAD_LAUNCH, "a launch is checked or timed, not both at once");
    uint64_t threads = (uint64_t)r->block[0] * r->block[1] * r->block[2],
             blocks = (uint64_t)r->cluster[0] * r->cluster[1] * r->cluster[2];
    if (threads > (uint64_t)m->sm_threads)
        return sim_refuse(out, SIM_BAD_LAUNCH, "a block of %llu threads; %.40s has blocks of at most %lld",
                          (unsigned long long)threads, m->name, (long long)m->sm_threads);
    if (blocks > (uint64_t)m->chip_cluster)
        return sim_refuse(out, SIM_BAD_LAUNCH, "a cluster of %llu blocks; %.40s has clusters of at most %lld",
                          (unsigned long long)blocks, m->name, (long long)m->chip_cluster);
    if ((uint64_t)r->clusters[0] * r->clusters[1] > UINT64_MAX / 2 / r->clusters[2])
        return sim_refuse(out, SIM_BAD_LAUNCH, "the grid is too large");
    r->threads_in_block = (uint32_t)threads;
    r->cluster_blocks = (int)blocks;
    r->lanes = (int)m->chip_warp;
    r->nwarps = ((int)threads + r->lanes - 1) / r->lanes;
    return true;
}

/* Blocks that one multiprocessor holds at once: the least of what warps, registers, shared memory and slots allow. */
static int64_t blocks_on_sm(const SimRun *r)
{
    const IsaMachine *m = &r->device->machine;
    int64_t per_warp = (r->kernel->registers * m->chip_warp + m->sm_unit - 1) / m->sm_unit * m->sm_unit;
    int64_t n = m->sm_blocks, x;
    int64_t shared = (r->shared_bytes + m->shared_unit - 1) / m->shared_unit * m->shared_unit;
    if ((x = m->sm_warps / r->nwarps) < n) n = x;
    if (per_warp && (x = m->sm_registers / m->sm_subcores / per_warp * m->sm_subcores / r->nwarps) < n) n = x;
    if (shared && (x = m->shared_bytes / shared) < n) n = x;
    return n;
}

static bool prepare(SimRun *r, SimDevice *d, const SimLaunch *l, SimResult *out)
{
    *r = (SimRun){
        .device = d, .launch = l, .module = l->program->module, .checked = l->checked, .fast_f16 = sim_has_f16()};
    if (l->program->device != d) return sim_refuse(out, SIM_BAD_LAUNCH, "the program was loaded on another device");
    r->kernel = isa_module_kernel(r->module, l->kernel);
    if (!r->kernel) return sim_refuse(out, SIM_BAD_LAUNCH, "no kernel is named `%.80s`", l->kernel);
    if (l->param_bytes != r->kernel->param_bytes || (l->param_bytes && !l->params))
        return sim_refuse(out, SIM_BAD_LAUNCH, "%.60s takes %u bytes of parameters, not %u", r->kernel->name,
                          r->kernel->param_bytes, l->param_bytes);
    if (!sizes(r, l, out)) return false;
    if (l->shared > 1u << 24 || (int64_t)r->kernel->shared + l->shared > d->machine.shared_block)
        return sim_refuse(out, SIM_BAD_LAUNCH, "%llu bytes of shared memory; %.40s has at most %lld for a block",
                          (unsigned long long)r->kernel->shared + l->shared, d->machine.name,
                          (long long)d->machine.shared_block);
    r->shared_bytes = r->kernel->shared + l->shared;
    r->total = (uint64_t)r->clusters[0] * r->clusters[1] * r->clusters[2];
    r->alone = r->total == 1;
    r->resident = blocks_on_sm(r);
    if (r->resident < 1)
        return sim_refuse(out, SIM_BAD_LAUNCH,
                          "a multiprocessor of %.40s cannot hold a block of %d warps with %u registers each lane",
                          d->machine.name, r->nwarps, r->kernel->registers);
    r->rows = (int)r->kernel->registers + 4; /* the sink's */
    r->sink_row = r->kernel->registers * (uint32_t)r->lanes;
    r->budget = l->budget ? l->budget : UINT64_C(1) << 30;
    r->serial = d->launches++;
    return true;
}

/* ---- memory of a cluster
 * -------------------------------------------------------------------------------------------------------- */

typedef struct Carver { /* the same walk counts bytes (base NULL) and gives them out */
    uint8_t *base;
    size_t used;
} Carver;

static void *carve(Carver *c, size_t bytes)
{
    void *p = c->base ? c->base + c->used : NULL;
    c->used += (bytes + 63) / 64 * 64;
    return p;
}

static void carve_warp(Carver *c, const SimRun *r, SimWarp *w, int clocks)
{
    uint32_t *regs = carve(c, sizeof *regs * (size_t)r->rows * (size_t)r->lanes);
    uint64_t *init = r->checked ? carve(c, sizeof *init * (size_t)r->rows) : NULL;
    uint32_t *clock = r->checked ? carve(c, sizeof *clock * (size_t)clocks) : NULL;
    if (!c->base) return;
    w->regs = regs;
    w->init = init;
    w->clock = clock;
}

static void carve_block(Carver *c, const SimRun *r, SimBlock *b, int clocks)
{
    SimWarp *warp = carve(c, sizeof *warp * (size_t)r->nwarps);
    uint8_t *shared = carve(c, r->shared_bytes + 16);
    uint8_t *local = carve(c, (size_t)r->kernel->local * (size_t)(r->nwarps * r->lanes));
    SimCell *cell = r->checked ? carve(c, sizeof *cell * (r->shared_bytes / 4 + 4)) : NULL;
    if (c->base) {
        b->warp = warp;
        b->shared = shared;
        b->local = local;
        b->cell = cell;
    }
    for (int i = 0; i < 16 && r->checked; i++) {
        uint32_t *clock = carve(c, sizeof *clock * (size_t)clocks);
        if (c->base) b->bar[i].clock = clock;
    }
    for (int i = 0; i < r->nwarps; i++) carve_warp(c, r, c->base ? &warp[i] : NULL, clocks);
}

static size_t carve_cluster(Carver *c, const SimRun *r, SimCluster *to)
{
    int clocks = r->nwarps * r->cluster_blocks;
    SimBlock *block = carve(c, sizeof *block * (size_t)r->cluster_blocks);
    uint32_t *clock = r->checked ? carve(c, sizeof *clock * (size_t)clocks) : NULL;
    if (c->base) {
        to->block = block;
        to->clock = clock;
    }
    for (int i = 0; i < r->cluster_blocks; i++) carve_block(c, r, c->base ? &block[i] : NULL, clocks);
    return c->used;
}

typedef struct Rounds {
    SimSpace *space;
    SimCluster *cluster; /* resident, ascending numbers */
    int n, most;
    uint64_t next, total;
    bool no_memory;
} Rounds;

static void *take(SimSpace *s)
{
    pthread_mutex_lock(&s->lock);
    SimSpare *p = s->spare;
    if (p) s->spare = p->next;
    pthread_mutex_unlock(&s->lock);
    return p ? p : aligned_alloc(64, s->bytes);
}

static void give(SimSpace *s, void *memory)
{
    pthread_mutex_lock(&s->lock);
    SimSpare *p = memory;
    p->next = s->spare;
    s->spare = p;
    pthread_mutex_unlock(&s->lock);
}

static void begin_block(const SimRun *r, SimCluster *c, int rank)
{
    SimBlock *b = &c->block[rank];
    uint64_t n = c->number;
    uint32_t x = (uint32_t)rank % r->cluster[0], y = (uint32_t)rank / r->cluster[0] % r->cluster[1],
             z = (uint32_t)rank / r->cluster[0] / r->cluster[1];
    b->cluster = c;
    b->rank = rank;
    b->id[0] = (uint32_t)(n % r->clusters[0]) * r->cluster[0] + x;
    b->id[1] = (uint32_t)(n / r->clusters[0] % r->clusters[1]) * r->cluster[1] + y;
    b->id[2] = (uint32_t)(n / r->clusters[0] / r->clusters[1]) * r->cluster[2] + z;
    b->nwarps = b->live = r->nwarps;
    for (int i = 0; i < r->nwarps; i++) {
        SimWarp *w = &b->warp[i];
        uint32_t first = (uint32_t)(i * r->lanes), left = r->threads_in_block - first;
        w->block = b;
        w->number = (uint32_t)i;
        w->all = r->lanes == 64 ? ~UINT64_C(0) : (UINT64_C(1) << r->lanes) - 1;
        w->live = w->active = left >= (uint32_t)r->lanes ? w->all : (UINT64_C(1) << left) - 1;
        w->p[7] = ~UINT64_C(0);
        if (w->clock) w->clock[rank * r->nwarps + i] = 1;
    }
}

bool sim_cluster_begin(SimSpace *s, SimCluster *c)
{
    c->memory = take(s);
    if (!c->memory) return false;
    memset(c->memory, 0, s->bytes);
    carve_cluster(&(Carver){.base = c->memory}, s->run, c);
    c->run = s->run;
    c->nblocks = s->run->cluster_blocks;
    c->warps = c->nblocks * s->run->nwarps;
    for (int i = 0; i < c->nblocks; i++) begin_block(s->run, c, i);
    return true;
}

void sim_cluster_end(SimSpace *s, SimCluster *c)
{
    if (!c->memory) return;
    for (int i = 0; i < c->nblocks; i++) {
        SimBlock *b = &c->block[i];
        for (int j = 0; j < b->nwarps; j++) {
            const SimWarp *w = &b->warp[j];
            c->instructions += w->count;
            c->thread_instructions += w->lanes_executed;
            for (int k = 0; k < IC_COUNT; k++) c->by_category[k] += w->executed[k];
            free(w->copies);
        }
        for (int j = 0; j < b->nsyncs; j++) free(b->sync[j].clock);
        free(b->sync);
    }
    give(s, c->memory);
    c->memory = NULL;
}

/* ---- rounds
 * ---------------------------------------------------------------------------------------------------------------------
 */

static void run_some(void *closure, int64_t from, int64_t to, int32_t worker)
{
    (void)worker;
    Rounds *s = closure;
    RtFpEnv env = rt_fpenv_enter();
    for (int64_t i = from; i < to; i++) {
        SimCluster *c = &s->cluster[i];
        if (!c->memory && !sim_cluster_begin(s->space, c)) {
            c->done = c->faulted = true;
            c->fault = (SimFault){.kind = SIM_NO_MEMORY, .text = "the host has no memory for a block"};
            continue;
        }
        sim_run_cluster(c);
        if (c->done) sim_cluster_end(s->space, c);
    }
    rt_fpenv_leave(env);
}

void sim_account(SimResult *out, const SimCluster *c)
{
    out->warp_instructions += c->instructions;
    out->thread_instructions += c->thread_instructions;
    for (int k = 0; k < IC_COUNT; k++) out->by_category[k] += c->by_category[k];
}

/* Nobody ran and nobody will: says who waits for what. */
void sim_deadlock(SimCluster *c)
{
    const SimRun *r = c->run;
    for (int i = 0; i < c->nblocks; i++)
        for (int j = 0; j < c->block[i].nwarps; j++) {
            SimWarp *w = &c->block[i].warp[j];
            if (w->state != WARP_BAR && w->state != WARP_CBAR) continue;
            const SimInst *in = &r->code[w->pc ? w->pc - 1 : 0];
            const SimBar *b = &c->block[i].bar[w->bar];
            if (w->state == WARP_CBAR)
                sim_fault(w, in, SIM_DEADLOCK, -1, 0,
                          "%d of %d warps are at the cluster's barrier, the others wait elsewhere", c->arrived,
                          c->warps);
            else
                sim_fault(w, in, SIM_DEADLOCK, -1, 0,
                          "%u of %u warps are at barrier %d, the others wait elsewhere or have ended", b->arrived,
                          b->expected ? b->expected : (uint32_t)c->block[i].live, w->bar);
            return;
        }
}

static void ordered(Rounds *s)
{
    bool any = false;
    RtFpEnv env = rt_fpenv_enter();
    for (int i = 0; i < s->n; i++) {
        SimCluster *c = &s->cluster[i];
        any |= c->done || c->faulted || sim_run_ordered(c) || c->ran;
    }
    rt_fpenv_leave(env);
    for (int i = 0; i < s->n && !any; i++)
        if (!s->cluster[i].done) {
            sim_deadlock(&s->cluster[i]);
            return;
        }
}

static void fill(Rounds *s)
{
    while (s->n < s->most && s->next < s->total) s->cluster[s->n++] = (SimCluster){.number = s->next++};
}

/* Clusters that ended leave; false: one has faulted, the first of them is the launch's fault. */
static bool clear_out(Rounds *s, SimResult *out)
{
    int kept = 0;
    bool fine = true;
    for (int i = 0; i < s->n; i++) {
        SimCluster *c = &s->cluster[i];
        if (c->faulted) {
            sim_cluster_end(s->space, c);
            if (fine) out->fault = c->fault;
            fine = false;
        }
        if (c->done || c->faulted)
            sim_account(out, c);
        else if (kept++ != i) {
            s->cluster[kept - 1] = *c; /* blocks point at their cluster */
            for (int k = 0; k < c->nblocks; k++) s->cluster[kept - 1].block[k].cluster = &s->cluster[kept - 1];
        }
    }
    s->n = kept;
    return fine;
}

RtPool *sim_pool(SimDevice *d, int threads)
{
    if (threads <= 1) return NULL;
    if (d->pool && d->pool_threads != threads) rt_pool_free(d->pool), d->pool = NULL;
    if (!d->pool) d->pool = rt_pool_new(threads);
    d->pool_threads = threads;
    return d->pool;
}

static bool rounds(Rounds *s, int threads, SimResult *out)
{
    RtPool *pool = sim_pool(s->space->run->device, threads);
    bool fine = true;
    for (fill(s); s->n && fine; fill(s)) {
        if (pool) {
            tensorcc_pool view = rt_pool_view(pool);
            view.parallel_for(view.self, s->n, run_some, s);
        } else {
            run_some(s, 0, s->n, 0);
        }
        ordered(s);
        fine = clear_out(s, out);
    }
    for (int i = 0; i < s->n; i++) {
        sim_cluster_end(s->space, &s->cluster[i]);
        sim_account(out, &s->cluster[i]);
    }
    return fine;
}

static bool in_rounds(SimSpace *space, uint64_t first, SimResult *out)
{
    const SimRun *r = space->run;
    Rounds s = {.space = space, .next = first, .total = r->total};
    int64_t most = r->resident * r->device->machine.chip_sms / r->cluster_blocks;
    s.most = most < 1 ? 1 : most > 65536 ? 65536 : (int)most;
    if (first == r->total) return true;
    if ((uint64_t)s.most > s.total) s.most = (int)s.total;
    s.cluster = calloc((size_t)s.most, sizeof *s.cluster);
    bool ok = s.cluster ? rounds(&s, r->launch->threads, out) : sim_refuse(out, SIM_NO_MEMORY, "out of memory");
    free(s.cluster);
    return ok;
}

static bool run(SimRun *r, SimResult *out)
{
    IsaMem *mem = isa_mem_new();
    SimSpace space = {.run = r, .bytes = carve_cluster(&(Carver){0}, r, NULL)};
    bool ok = false;
    if (!mem || pthread_mutex_init(&space.lock, NULL)) {
        sim_refuse(out, SIM_NO_MEMORY, "out of memory");
    } else {
        uint64_t ran = 0;
        if (sim_decode(r, mem))
            ok = (!r->launch->timed || sim_time_run(&space, out, &ran)) && in_rounds(&space, ran, out);
        else
            sim_refuse(out, SIM_NO_MEMORY, "out of memory");
        pthread_mutex_destroy(&space.lock);
    }
    for (SimSpare *p = space.spare, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    isa_mem_free(mem);
    return ok;
}

bool sim_launch(SimDevice *d, const SimLaunch *l, SimResult *out)
{
    SimRun r;
    *out = (SimResult){0};
    pthread_mutex_lock(&d->lock);
    bool ok = prepare(&r, d, l, out);
    if (ok) {
        for (int i = 0; i < d->nallocations && !l->checked; i++) d->allocation[i].unknown = true;
        ok = run(&r, out);
    }
    pthread_mutex_unlock(&d->lock);
    return ok;
}
