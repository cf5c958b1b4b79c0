/* timing: samples to numbers, and numbers beside the roof.
 *
 * roof = min(peak_gflops, intensity * peak_gbs) of one core, times threads. With work that is all memory (no FLOPs),
 * the fraction is that of bandwidth. Bytes are those of parameters, read and written once: a kernel whose data stays in
 * caches may go beyond 1. */
#include "cli/program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *x, int n) { return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2; }

Timing timing_of(double *x, int n, long runs)
{
    qsort(x, (size_t)n, sizeof *x, ascending);
    Timing t = {.median = median(x, n), .min = x[0], .reps = n, .runs = runs};
    double *d = malloc(sizeof *d * (size_t)n);
    if (!d) return t;
    for (int i = 0; i < n; i++) d[i] = fabs(x[i] - t.median);
    qsort(d, (size_t)n, sizeof *d, ascending);
    t.mad = median(d, n);
    free(d);
    return t;
}

int roof_measure(App *a, const Program *p, double seconds, Roof *out)
{
    tensorcc_peak peak = {.struct_size = sizeof peak};
    bool f64 = false;
    for (int i = 0; i < p->nparams; i++)
        f64 = f64 || (p->param[i].is.kind >= TENSORCC_INOUT && !strcmp(p->param[i].is.dtype, "f64"));
    int rc = cli_status(a, tensorcc_measure_peak(a->ctx, seconds, &peak));
    *out = (Roof){f64 ? peak.gflops_f64 : peak.gflops_f32, peak.gbs};
    return rc;
}

int speed_of(App *a, Program *p, const Timing *t, const Roof *r, Speed *s)
{
    tensorcc_work w = {.struct_size = sizeof w};
    int rc = cli_status(a, tensorcc_kernel_work(p->kernel, p->sizes, &w));
    if (rc) return rc;
    const tensorcc_pool *pool = tensorcc_context_pool(a->ctx);
    *s = (Speed){.threads = pool && strcmp(p->info.target, "interp") && !program_is_gpgpu(p) ? pool->threads : 1,
                 .flops = w.flops < 0 ? NAN : w.flops,
                 .bytes = w.bytes < 0 ? NAN : w.bytes};
    double ns = t->median > 0 ? t->median : 1;
    s->gflops = s->flops / ns;
    s->gbs = s->bytes / ns;
    double least = fmax(s->flops / r->gflops, s->bytes / r->gbs) / s->threads;
    s->fraction = isnan(s->flops) ? NAN : least / ns;
    return OK;
}

void speed_json(const Timing *t, const Roof *r, const Speed *s, json_t *to)
{
    const struct {
        const char *name;
        double v;
    } field[] = {{"ns_median", t->median}, {"ns_min", t->min},
                 {"ns_mad", t->mad},       {"flops", s->flops},
                 {"bytes", s->bytes},      {"gflops", s->gflops},
                 {"gbs", s->gbs},          {"peak_gflops", r->gflops},
                 {"peak_gbs", r->gbs},     {"fraction_of_roof", s->fraction}};
    json_object_set_new(to, "threads", json_integer(s->threads));
    for (size_t i = 0; i < sizeof field / sizeof *field; i++)
        json_object_set_new(to, field[i].name, cli_number(field[i].v));
    json_object_set_new(to, "reps", json_integer(t->reps));
}
