/* g9: what a kernel for gpgpu took on its machine, from the timing model: the fields that run and bench add for it. */
#include "cli/program.h"

#include <math.h>
#include <string.h>

bool program_is_gpgpu(const Program *p)
{
    const char *t = p->info.target;
    return !strcmp(t, "gpgpu") || !strncmp(t, "gpgpu:", 6);
}

int g9_time(App *a, Program *p, const tensorcc_tensor *const *args, bool results, tensorcc_g9_run *out)
{
    *out = (tensorcc_g9_run){.struct_size = sizeof *out};
    int32_t how = results ? TENSORCC_G9_EXTRAPOLATE : TENSORCC_G9_ONLY_TIMED;
    return cli_status(a, tensorcc_run_timed(p->kernel, p->nparams, args, how, out));
}

int g9_speed(App *a, Program *p, const tensorcc_g9_run *r, json_t *to)
{
    Timing t = {.median = r->ns, .min = r->ns, .reps = 1, .runs = 1};
    Roof roof = {r->peak_gflops, r->peak_gbs};
    Speed s;
    int rc = speed_of(a, p, &t, &roof, &s);
    if (rc) return rc;
    speed_json(&t, &roof, &s, to);
    json_t *stalls = json_object();
    for (int i = 0; i < TENSORCC_G9_STALLS; i++) json_object_set_new(stalls, r->stall_name[i], cli_number(r->stall[i]));
    json_object_set_new(to, "cycles", json_integer((json_int_t)r->cycles));
    json_object_set_new(to, "instructions", json_integer((json_int_t)r->instructions));
    json_object_set_new(to, "launches", json_integer(r->launches));
    json_object_set_new(to, "mma_utilisation", cli_number(r->mma_utilisation));
    json_object_set_new(to, "dram_bytes", json_integer(r->dram_bytes));
    json_object_set_new(to, "occupancy", cli_number(r->occupancy));
    json_object_set_new(to, "stalls", stalls);
    return OK;
}

/* The stalls that matter, the largest first. */
static void print_stalls(const tensorcc_g9_run *r)
{
    bool shown[TENSORCC_G9_STALLS] = {false};
    printf("  stalls   ");
    for (int n = 0; n < 4; n++) {
        int best = -1;
        for (int i = 0; i < TENSORCC_G9_STALLS; i++)
            if (!shown[i] && (best < 0 || r->stall[i] > r->stall[best])) best = i;
        if (r->stall[best] < 0.005) break;
        shown[best] = true;
        printf(" %s %.0f%%", r->stall_name[best], 100 * r->stall[best]);
    }
    printf("\n");
}

void g9_print(App *a, const tensorcc_g9_run *r)
{
    printf("  clocks    %llu in %d launch%s, %llu instructions of warps, %s\n", (unsigned long long)r->cycles, r->launches,
           r->launches == 1 ? "" : "es", (unsigned long long)r->instructions, cli_duration(a, r->ns));
    printf("  machine   matrix units busy %.1f%%, occupancy %.1f%%, %s to and from DRAM\n", 100 * r->mma_utilisation,
           100 * r->occupancy, cli_si(a, (double)r->dram_bytes, "B"));
    print_stalls(r);
}
