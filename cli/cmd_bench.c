/* bench: times an op through its raw entry point, beside what one core can do.
 *
 * A sample is as many runs as take a few tens of microseconds; samples are taken after a warm-up until the median is
 * stable and the time asked for has passed. Inouts are put back before each sample, outside the clock, so that values
 * cannot drift. */
#define _GNU_SOURCE
#include "cli/bench.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAMPLES = BENCH_SAMPLES };

static int once(App *a, Bench *b)
{
    if (!b->entry) return cli_status(a, tensorcc_run(b->p->kernel, b->p->nparams, b->args));
    int32_t status = b->entry(&b->call);
    return status ? cli_status(a, tensorcc_explain_fault(b->p->kernel, status, &b->fault)) : OK;
}

static int sample(App *a, Bench *b, long runs, double *ns)
{
    for (int i = 0; i < b->p->nparams; i++) {
        const Param *q = &b->p->param[i];
        if (q->before) memcpy(q->data, q->before, (size_t)q->bytes);
    }
    if (b->cold) tensorcc_flush_caches(a->ctx);
    double start = now_ns();
    int rc = OK;
    for (long i = 0; i < runs && !rc; i++) rc = once(a, b);
    *ns = (now_ns() - start) / (double)runs;
    return rc;
}

/* Half of the samples since the last look agree with all of them to 1%: waiting longer would not tell more. */
static bool stable(const double *x, int n)
{
    if (n < 8) return false;
    double *copy = malloc(sizeof *copy * (size_t)n * 2);
    if (!copy) return true;
    memcpy(copy, x, sizeof *x * (size_t)n);
    memcpy(copy + n, x + n / 2, sizeof *x * (size_t)(n - n / 2));
    Timing all = timing_of(copy, n, 1), late = timing_of(copy + n, n - n / 2, 1);
    free(copy);
    return fabs(all.median - late.median) < 0.01 * all.median && all.mad < 0.05 * all.median;
}

/* Half as many samples, each of twice as many runs; of cold runs, which stay single, every second one. */
static int thin(const Bench *b, double *x, int n, long *runs)
{
    for (int i = 0; i < n / 2; i++) x[i] = b->cold ? x[2 * i] : (x[2 * i] + x[2 * i + 1]) / 2;
    if (!b->cold) *runs *= 2;
    return n / 2;
}

static int measure(App *a, Bench *b, Timing *t)
{
    double *x = cli_alloc(a, sizeof *x * SAMPLES), ns = 0;
    long runs = 1;
    int rc = OK, n = 0;
    double start = now_ns();
    do /* warm up: caches, clocks, page tables */
        rc = sample(a, b, 1, &ns);
    while (!rc && !b->cold && now_ns() - start < fmin(0.1e9, b->min_time * 0.5e9));
    if (!b->cold && ns < 20e3) runs = (long)(20e3 / fmax(ns, 1)) + 1;
    start = now_ns();
    int most = b->reps ? (int)(b->reps < SAMPLES ? b->reps : SAMPLES) : SAMPLES;
    while (!rc && n < most) {
        rc = sample(a, b, runs, &x[n]);
        if (rc) break;
        n++;
        double spent = (now_ns() - start) / 1e9;
        if (!b->reps && n == most && spent < b->min_time) n = thin(b, x, n, &runs);
        if (b->reps || spent < b->min_time) continue;
        if (spent > 8 * b->min_time ? n >= 3 : (n & (n - 1)) == 0 && stable(x, n)) break;
    }
    if (!rc) *t = timing_of(x, n, runs);
    return rc;
}

static int prepare(App *a, Program *p, Bench *b)
{
    tensorcc_workspace_fn workspace = NULL;
    void **data = cli_alloc(a, sizeof *data * (size_t)(p->nparams + 1));
    b->p = p;
    b->args = cli_alloc(a, sizeof *b->args * (size_t)(p->nparams + 1));
    for (int i = 0; i < p->nparams; i++) {
        b->args[i] = &p->param[i].tensor;
        data[i] = p->param[i].data;
    }
    /* The checked way first: it makes the code and reports what is wrong, faults of the data among it. */
    a->stage = "timing";
    int rc = cli_status(a, tensorcc_run(p->kernel, p->nparams, b->args));
    if (rc || !strcmp(p->info.target, "interp")) return rc;
    b->entry = tensorcc_kernel_entry(p->kernel, &workspace);
    const tensorcc_pool *pool = tensorcc_context_pool(a->ctx);
    int64_t bytes = workspace ? workspace(p->sizes, pool ? pool->threads : 1) : 0;
    if (bytes > 0 && !(b->workspace = program_alloc(bytes)))
        return cli_error(a, C029_NO_MEMORY);
    b->call =
        (tensorcc_call){.data = data, .sizes = p->sizes, .workspace = b->workspace, .pool = pool, .fault = &b->fault};
    return OK;
}

/* The run's results beside the interpreter, on the inputs as they were. */
static int check(App *a, Bench *b, json_t *to)
{
    double ns;
    int rc = sample(a, b, 1, &ns);
    return rc ? rc : program_check(a, b->p, to);
}

static void print(App *a, const Program *p, const Timing *t, const Roof *r, const Speed *s)
{
    const char *sizes = program_sizes(a, p);
    printf("%s%s%s on %s, %d thread%s, schedule %s\n", p->info.op, *sizes ? " " : "", sizes, p->info.target, s->threads,
           s->threads == 1 ? "" : "s", p->info.schedule);
    printf("  time      %s median, %s least, spread %.1f%%, %d samples of %ld\n", cli_duration(a, t->median),
           cli_duration(a, t->min), t->median > 0 ? 100 * t->mad / t->median : 0, t->reps, t->runs);
    if (!isnan(s->flops)) {
        printf("  work      %s, %s read and written once\n", cli_si(a, s->flops, "FLOP"), cli_si(a, s->bytes, "B"));
        printf("  speed     %.2f GFLOP/s, %.2f GB/s\n", s->gflops, s->gbs);
        printf("  roof      %.1f GFLOP/s, %.1f GB/s a core: %.1f%% of it\n", r->gflops, r->gbs, 100 * s->fraction);
    }
    printf("  compiled  in %.1f ms\n", p->info.compile_ms);
}

/* The timing model's clocks are the same in every run, so there is one. */
static int bench_g9(App *a, Program *p, json_t *to)
{
    const tensorcc_tensor **args = cli_alloc(a, sizeof *args * (size_t)(p->nparams + 1));
    tensorcc_g9_run r;
    for (int i = 0; i < p->nparams; i++) args[i] = &p->param[i].tensor;
    a->stage = "timing";
    int rc = program_make_code(a, p);
    if (!rc) rc = g9_time(a, p, args, given(a, O_CHECK) || given(a, O_OUTPUT), &r);
    if (rc) return rc;
    tensorcc_kernel_describe(p->kernel, &p->info);
    program_json(a, p, to);
    rc = g9_speed(a, p, &r, to);
    if (!rc && !a->json) {
        const char *sizes = program_sizes(a, p);
        printf("%s%s%s on %s, schedule %s\n", p->info.op, *sizes ? " " : "", sizes, p->info.target, p->info.schedule);
        g9_print(a, &r);
        printf("  speed     %.2f GFLOP/s, %.2f GB/s, roof %.0f GFLOP/s, %.0f GB/s: %.1f%% of it\n",
               json_number_value(json_object_get(to, "gflops")), json_number_value(json_object_get(to, "gbs")), r.peak_gflops,
               r.peak_gbs, 100 * json_number_value(json_object_get(to, "fraction_of_roof")));
        printf("  compiled  in %.1f ms\n", p->info.compile_ms);
    }
    if (!rc && given(a, O_CHECK)) rc = program_check(a, p, to);
    if (!rc && given(a, O_OUTPUT)) rc = program_write(a, p);
    return rc;
}

int bench_one(App *a, const Request *r, const Bench *options, json_t *to)
{
    Program p = {0};
    Bench b = *options;
    Timing t;
    Roof roof;
    Speed s;
    int rc = program_open(a, r, &p);
    if (!rc) rc = program_compile(a, r, &p);
    if (!rc) rc = program_tensors(a, r, &p, true);
    if (!rc && program_is_gpgpu(&p)) {
        rc = bench_g9(a, &p, to);
        program_close(&p);
        return rc;
    }
    if (!rc) rc = prepare(a, &p, &b);
    if (!rc) rc = measure(a, &b, &t);
    if (!rc) rc = roof_measure(a, &p, 0.2, &roof);
    if (!rc) rc = speed_of(a, &p, &t, &roof, &s);
    if (!rc) {
        tensorcc_kernel_describe(p.kernel, &p.info);
        program_json(a, &p, to);
        speed_json(&t, &roof, &s, to);
        if (!a->json) print(a, &p, &t, &roof, &s);
        double ns; /* results come from one more run, on the inputs as they were */
        if (given(a, O_CHECK)) rc = check(a, &b, to);
        if (!rc && given(a, O_OUTPUT)) rc = sample(a, &b, 1, &ns);
        if (!rc && given(a, O_OUTPUT)) rc = program_write(a, &p);
    }
    free(b.workspace);
    program_close(&p);
    return rc;
}

/* ---- hints: dims without a default that have several sizes worth timing --------------------------------------------
 */

static int hint_count(App *a, const Request *r, int *count)
{
    Program p = {0};
    int rc = program_open(a, r, &p);
    if (!rc && !p.artifact)
        rc = program_compile_plain(a,
                                   &(Request){.file = r->file,
                                              .op = r->op,
                                              .target = "interp",
                                              .ndims = r->ndims,
                                              .dims = r->dims,
                                              .nconsts = r->nconsts,
                                              .consts = r->consts},
                                   &p);
    *count = 1;
    for (int i = 0; i < p.ndims && !rc; i++) {
        int n = tensorcc_kernel_hints(p.kernel, i, NULL, 0);
        if (p.sizes[i] < 0 && tensorcc_kernel_default(p.kernel, i) < 0 && n > *count) *count = n;
    }
    program_close(&p);
    return rc;
}

static bool has_npy(const App *a)
{
    for (int i = 0; i < a->opt[O_INPUT].n; i++)
        if (strstr(a->opt[O_INPUT].at[i], ".npy")) return true;
    return false;
}

static int bench_file(App *a, Bench *b)
{
    Request r = {.tensors = true, .fill = true};
    int hints = 1, rc = request_options(a, &r);
    /* Standard input can be read once, and NPY shapes say the sizes. */
    if (!rc && strcmp(r.file, "-") && !has_npy(a)) rc = hint_count(a, &r, &hints);
    json_t *all = json_array();
    for (r.hint = 0; r.hint < hints && !rc; r.hint++) {
        json_t *one = json_object();
        rc = bench_one(a, &r, b, one);
        if (r.hint + 1 == hints) json_object_update(a->result, one);
        json_array_append_new(all, one);
    }
    if (!rc && hints > 1) json_object_set(a->result, "sizes", all);
    json_decref(all);
    return rc;
}

int run_bench(App *a)
{
    Bench b = {.min_time = 0.3, .cold = given(a, O_COLD)};
    int rc = args_int(a, O_REPS, 1, SAMPLES, &b.reps);
    if (!rc) rc = args_real(a, O_MIN_TIME, 0, 3600, &b.min_time);
    if (rc) return rc;
    return given(a, O_WORKLOADS) ? bench_workloads(a, &b) : bench_file(a, &b);
}
