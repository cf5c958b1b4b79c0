/* target: a machine of the GPU family as schedules see processors: vectors are the widest load of a thread; threads come from map.c. */
#include "codegen/g9/g9.h"

#include <string.h>

const Target *cg_g9_target(Arena *mem, const char *name, IsaMachine *machine)
{
    IsaErrors e = {0};
    const char *of = !strcmp(name, "gpgpu") ? "a100" : !strncmp(name, "gpgpu:", 6) ? name + 6 : NULL;
    bool known = of && *of && isa_machine_open(of, machine, &e);
    isa_errors_free(&e);
    if (!known) return NULL;
    Target *t = NEW(mem, Target);
    *t = (Target){.name = arena_strdup(mem, name),
                  .triple = "g9",
                  .cpu = arena_strdup(mem, machine->name),
                  .features = "",
                  .model = arena_printf(mem, "simulated GPU %s", machine->name),
                  .vector_bytes = 16,
                  .vregs = 32,
                  .fma = true,
                  .masks = true,
                  .fma_per_cycle = 1,
                  .fma_latency = 4,
                  .l1 = machine->l1_bytes,
                  .l2 = machine->l2_bytes,
                  .line = (int)machine->l1_line,
                  .cores = (int)machine->chip_sms};
    return t;
}
