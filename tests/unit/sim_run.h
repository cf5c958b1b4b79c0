/* sim_run: what tests of the simulator share: assembling, loading, launching, complaints. */
#ifndef TCC_TESTS_SIM_RUN_H
#define TCC_TESTS_SIM_RUN_H

#include "runtime/sim/sim.h"
#include "tests/unit/check.h"

#include <stdlib.h>

typedef struct SimTest {
    SimDevice *device;
    IsaModule *module;
    SimProgram *program;
    SimResult result;
    int threads;
    bool checked;
    uint64_t budget;
    SimTimed timed;
} SimTest;

static inline void sim_test_complain(IsaErrors *e)
{
    IsaText t = {0};
    isa_errors_render(e, &t);
    printf("%s", t.s ? t.s : "?\n");
    isa_text_free(&t);
    isa_errors_free(e);
}

static inline bool sim_test_machine(SimTest *t, const char *machine)
{
    IsaErrors e = {0};
    IsaMachine m;
    *t = (SimTest){.threads = 1};
    if (!CHECK(isa_machine_open(machine, &m, &e))) return sim_test_complain(&e), false;
    return CHECK((t->device = sim_device_new(&m)) != NULL);
}

static inline bool sim_test_load(SimTest *t, IsaModule *m)
{
    IsaErrors e = {0};
    sim_unload(t->program);
    isa_module_free(t->module);
    t->module = m;
    t->program = m ? sim_load(t->device, m, &e) : NULL;
    if (!t->program) sim_test_complain(&e);
    return CHECK(t->program != NULL);
}

static inline bool sim_test_text(SimTest *t, const char *text)
{
    IsaErrors e = {0};
    IsaModule *m = isa_assemble("test.s", text, strlen(text), &e);
    if (!m) sim_test_complain(&e);
    return CHECK(m != NULL) && sim_test_load(t, m);
}

static inline bool sim_test_try(SimTest *t, const char *kernel, uint32_t grid, uint32_t block, const void *params,
                                uint32_t bytes)
{
    SimLaunch l = {.program = t->program,
                   .kernel = kernel,
                   .grid = {grid, 1, 1},
                   .block = {block, 1, 1},
                   .params = params,
                   .param_bytes = bytes,
                   .threads = t->threads,
                   .checked = t->checked,
                   .budget = t->budget,
                   .timed = t->timed};
    return sim_launch(t->device, &l, &t->result);
}

static inline bool sim_test_run(SimTest *t, const char *kernel, uint32_t grid, uint32_t block, const void *params,
                                uint32_t bytes)
{
    bool ok = sim_test_try(t, kernel, grid, block, params, bytes);
    if (!CHECK(ok)) printf("%s\n", t->result.fault.text);
    return ok;
}

/* The launch fails with this kind of fault, and the text says this. */
static inline void sim_test_fails(SimTest *t, const char *kernel, uint32_t grid, uint32_t block, const void *params,
                                  uint32_t bytes, SimFaultKind kind, const char *says)
{
    bool ok = sim_test_try(t, kernel, grid, block, params, bytes);
    if (!CHECK(!ok) || !CHECK(t->result.fault.kind == kind) || !CHECK(strstr(t->result.fault.text, says) != NULL))
        printf("%s: got `%s`, wanted `%s`\n", kernel, ok ? "no fault" : t->result.fault.text, says);
}

static inline void sim_test_end(SimTest *t)
{
    sim_unload(t->program);
    isa_module_free(t->module);
    sim_device_free(t->device);
}

/* Memory of n bytes, filled from `from` (may be NULL: not written). */
static inline uint64_t sim_test_put(SimTest *t, const void *from, size_t n)
{
    uint64_t at = sim_malloc(t->device, n);
    if (CHECK(at != 0) && from) memcpy(sim_host(t->device, at, n, true), from, n);
    return at;
}

#endif
