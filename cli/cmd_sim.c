/* sim: one launch of a kernel on a simulated machine: arguments from --input as for run, results to --output.
 *
 * Every pointer gets memory of its declared shape, whose dims --dim or the shapes of NPY files say. What has no --input
 * is not written before the launch, so that --check tells a read of it. A scalar without --input that has the name of a
 * dim gets its size. */
#include "cli/program.h"

#include <stdlib.h>
#include <string.h>

typedef struct Sim {
    tensorcc_device *device;
    tensorcc_program *program;
    tensorcc_g9_kernel kernel;
    int at, ndims;
    tensorcc_value *dims; /* as given */
    Program p;            /* params, for what the commands share */
    tensorcc_address *address;
    uint64_t *arg;
    bool complete; /* all blocks have run */
} Sim;

/* ---- kernel and sizes
 * ------------------------------------------------------------------------------------------------ */

static int choose_kernel(App *a, Sim *s)
{
    const char *want = value_of(a, O_KERNEL), *file = a->file.at[0];
    int n = tensorcc_program_kernels(s->program), found = -1;
    const char **name = cli_alloc(a, sizeof *name * (size_t)(n + 1));
    char *all = "";
    for (int i = 0; i < n; i++) {
        s->kernel.struct_size = sizeof s->kernel;
        int rc = cli_status(a, tensorcc_program_kernel(s->program, i, &s->kernel));
        if (rc) return rc;
        name[i] = s->kernel.name;
        all = cli_printf(a, "%s%s%s", all, i ? ", " : "", name[i]);
        if (want ? !strcmp(want, name[i]) : n == 1) found = i;
    }
    const char *near = want ? args_nearest(want, n, name) : NULL;
    if (found < 0 && !want) return cli_error(a, C047_KERNELS, file, n, all);
    if (found < 0)
        return cli_error_help(a, C046_KERNEL,
                              near ? cli_printf(a, "did you mean `%s`?", near) : cli_printf(a, "it has %s", all), file,
                              want);
    s->at = found;
    return cli_status(a, tensorcc_program_kernel(s->program, found, &s->kernel));
}

static int three(App *a, OptionId o, uint32_t *out)
{
    const char *s = value_of(a, o);
    char *end = NULL;
    for (int i = 0; s && i < 3; i++, s = end + 1) {
        unsigned long v = strtoul(s, &end, 10);
        if (end == s || *s == '-' || v < 1 || v > INT32_MAX || (*end && (*end != ',' || i == 2)))
            return cli_error(a, C009_NUMBER, args_option_name(o), value_of(a, o), "up to three sizes, as 8,4,1");
        out[i] = (uint32_t)v;
        if (!*end) {
            for (i++; i < 3; i++) out[i] = 1;
            break;
        }
    }
    return OK;
}

static int64_t dim_of(const Sim *s, const char *name, size_t n)
{
    char *end;
    for (int i = 0; i < s->ndims; i++)
        if (strlen(s->dims[i].name) == n && !memcmp(s->dims[i].name, name, n))
            return strtoll(s->dims[i].value, &end, 10);
    return -1;
}

static int read_dims(App *a, Sim *s)
{
    const Values *v = &a->opt[O_DIM];
    s->dims = cli_alloc(a, sizeof *s->dims * (size_t)(v->n + 64));
    for (int i = 0; i < v->n; i++) {
        char *end;
        int rc = args_pair(a, O_DIM, v->at[i], &s->dims[i]);
        if (rc) return rc;
        if (strtoll(s->dims[i].value, &end, 10) < 0 || *end)
            return cli_error(a, C009_NUMBER, "dim", v->at[i], "a size");
        s->ndims++;
    }
    return OK;
}

/* The i-th extent as it is written: "[M,16]". */
static const char *extent(const Param *q, int i, size_t *n)
{
    const char *s = q->is.shape + 1;
    for (; i > 0; i--) s += strcspn(s, ",]") + 1;
    *n = strcspn(s, ",]");
    return s;
}

/* Dims that the shape of a file tells. */
static int dims_of_file(App *a, Sim *s, const Param *q)
{
    if (q->spec.kind != SPEC_NPY) return OK;
    if (q->spec.npy.rank != q->is.rank && !(q->is.scalar && q->spec.npy.elements == 1))
        return spec_rank(a, q);
    for (int i = 0; i < q->is.rank && s->ndims < a->opt[O_DIM].n + 63; i++) {
        size_t n;
        const char *name = extent(q, i, &n);
        int64_t have = *name >= '0' && *name <= '9' ? strtoll(name, NULL, 10) : dim_of(s, name, n),
                is = q->spec.npy.shape[i];
        if (have >= 0 && have != is)
            return cli_error_help(a, C023_NPY, "give a file of that shape, or another size with --dim", q->spec.text,
                                  cli_printf(a, "its extent %d is %lld, but %.*s is %lld", i, (long long)is, (int)n,
                                             name, (long long)have));
        if (have < 0)
            s->dims[s->ndims++] =
                (tensorcc_value){cli_printf(a, "%.*s", (int)n, name), cli_printf(a, "%lld", (long long)is)};
    }
    return OK;
}

/* ---- parameters
 * ------------------------------------------------------------------------------------------------------- */

static int find(App *a, Sim *s, const char *name, Param **out)
{
    const char **names = cli_alloc(a, sizeof *names * (size_t)(s->p.nparams + 1));
    char *all = "";
    for (int i = 0; i < s->p.nparams; i++) {
        names[i] = s->p.param[i].is.name;
        all = cli_printf(a, "%s%s%s", all, i ? ", " : "", names[i]);
        if (!strcmp(names[i], name)) {
            *out = &s->p.param[i];
            return OK;
        }
    }
    return cli_error_help(a, C048_PARAM, cli_printf(a, *all ? "it has %s" : "it has none%s", all), s->kernel.name,
                          name);
}

static int read_params(App *a, Sim *s)
{
    s->p.nparams = s->kernel.params;
    s->p.param = cli_alloc(a, sizeof *s->p.param * (size_t)(s->p.nparams + 1));
    s->address = cli_alloc(a, sizeof *s->address * (size_t)(s->p.nparams + 1));
    s->arg = cli_alloc(a, sizeof *s->arg * (size_t)(s->p.nparams + 1));
    for (int i = 0; i < s->p.nparams; i++) {
        Param *q = &s->p.param[i];
        q->is.struct_size = sizeof q->is;
        int rc = cli_status(a, tensorcc_program_param(s->program, s->at, i, &q->is));
        if (rc) return rc;
        q->shape = cli_alloc(a, sizeof *q->shape * (size_t)(q->is.rank + 1));
    }
    return OK;
}

static int read_specs(App *a, Sim *s)
{
    for (int i = 0; i < a->opt[O_INPUT].n; i++) {
        tensorcc_value in;
        Param *q = NULL;
        int rc = args_pair(a, O_INPUT, a->opt[O_INPUT].at[i], &in);
        if (!rc) rc = find(a, s, in.name, &q);
        if (!rc && q->spec.kind) rc = cli_error(a, C007_TWICE, cli_printf(a, "input %s", in.name));
        if (!rc) rc = spec_parse(a, in.name, in.value, &q->spec);
        if (!rc && q->spec.kind == SPEC_NPY) rc = spec_type_matches(a, q);
        if (!rc && q->spec.kind == SPEC_NUMBER && !q->is.scalar)
            rc = cli_error(a, C020_NUMBER, q->is.name, q->is.dtype, q->is.shape);
        if (!rc) rc = dims_of_file(a, s, q);
        if (rc) return rc;
    }
    for (int i = 0; i < a->opt[O_OUTPUT].n; i++) {
        tensorcc_value out;
        Param *q = NULL;
        int rc = args_pair(a, O_OUTPUT, a->opt[O_OUTPUT].at[i], &out);
        if (!rc) rc = find(a, s, out.name, &q);
        if (!rc && q->output) rc = cli_error(a, C007_TWICE, cli_printf(a, "output %s", out.name));
        if (!rc && q->is.scalar)
            rc = cli_error(a, C048_PARAM, s->kernel.name,
                           cli_printf(a, "%s` that is a pointer, `%s", out.name, out.name));
        if (rc) return rc;
        q->output = out.value;
    }
    return OK;
}

static int size_of(App *a, const Sim *s, Param *q)
{
    q->elements = 1;
    if (!q->is.scalar && !q->is.rank) return cli_error(a, C045_SHAPE, q->is.name);
    for (int i = 0; i < q->is.rank; i++) {
        size_t n;
        const char *e = extent(q, i, &n);
        q->shape[i] = *e >= '0' && *e <= '9' ? strtoll(e, NULL, 10) : dim_of(s, e, n);
        if (q->shape[i] < 0) return cli_error(a, C027_SIZES, cli_printf(a, "`%.*s`", (int)n, e));
        if (__builtin_mul_overflow(q->elements, q->shape[i], &q->elements) || q->elements > INT64_MAX / 16)
            return cli_error(a, C028_MEMORY, "more than can be counted", "less", q->is.name);
    }
    int64_t row = q->is.rank ? q->shape[q->is.rank - 1] : 1;
    q->bytes =
        q->is.dl_bits == 4 ? (row ? q->elements / row : 0) * ((row + 1) / 2) : q->elements * ((q->is.dl_bits + 7) / 8);
    return OK;
}

static int make_arguments(App *a, Sim *s)
{
    for (int i = 0; i < s->p.nparams; i++) {
        Param *q = &s->p.param[i];
        int64_t dim = dim_of(s, q->is.name, strlen(q->is.name));
        int rc = size_of(a, s, q);
        if (rc) return rc;
        if (q->is.scalar && !q->spec.kind && dim >= 0)
            q->spec = (Spec){.kind = SPEC_NUMBER, .text = cli_printf(a, "%lld", (long long)dim)};
        if (q->is.scalar && !q->spec.kind)
            return cli_error(a, C022_MISSING, cli_printf(a, "%s: %s", q->is.name, q->is.dtype));
        q->data = calloc(1, (size_t)q->bytes + 16);
        if (!q->data) return cli_error(a, C029_NO_MEMORY);
        rc = spec_fill(a, q, -1);
        if (rc) return rc;
        if (q->is.scalar) {
            memcpy(&s->arg[i], q->data, q->bytes < 8 ? (size_t)q->bytes : 8);
            continue;
        }
        rc = cli_status(a, tensorcc_device_alloc(s->device, (uint64_t)q->bytes, &s->address[i]));
        if (!rc && q->spec.kind)
            rc = cli_status(a, tensorcc_device_write(s->device, s->address[i], q->data, (uint64_t)q->bytes));
        if (rc) return rc;
        s->arg[i] = s->address[i];
    }
    return OK;
}

/* ---- the launch
 * -------------------------------------------------------------------------------------------------------- */

static json_t *sizes(const uint32_t *v) { return json_pack("[i, i, i]", (int)v[0], (int)v[1], (int)v[2]); }

static void put(json_t *to, const char *name, double x) { json_object_set_new(to, name, cli_number(x)); }

static void count(json_t *to, const char *name, int64_t x)
{
    json_object_set_new(to, name, json_integer((json_int_t)x));
}

static void timing_json(App *a, const tensorcc_g9_timing *t)
{
    json_t *stalls = json_object(), *pipes = json_object(), *counters = json_object();
    for (int i = 0; i < TENSORCC_G9_STALLS; i++) put(stalls, t->stall_name[i], t->stall[i]);
    for (int i = 0; i < TENSORCC_G9_PIPES; i++) put(pipes, t->pipe_name[i], t->pipe[i]);
    for (int i = 0; i < TENSORCC_G9_COUNTERS; i++) count(counters, t->counter_name[i], (int64_t)t->counter[i]);
    count(a->result, "cycles", (int64_t)t->cycles);
    put(a->result, "ns", t->ns);
    put(a->result, "mma_utilisation", t->mma_utilisation);
    count(a->result, "dram_bytes", t->dram_bytes);
    put(a->result, "occupancy", t->occupancy);
    count(a->result, "blocks_per_multiprocessor", t->blocks_per_multiprocessor);
    json_object_set_new(a->result, "limited_by", cli_text(t->limited_by));
    put(a->result, "waves", t->waves);
    put(a->result, "l1_hit_rate", t->l1_hit_rate);
    put(a->result, "l2_hit_rate", t->l2_hit_rate);
    put(a->result, "sectors_per_request", t->sectors_per_request);
    json_object_set_new(a->result, "stalls", stalls);
    json_object_set_new(a->result, "pipes", pipes);
    json_object_set_new(a->result, "counters", counters);
    json_object_set_new(a->result, "extrapolated", json_boolean(t->blocks_timed < t->blocks));
    count(a->result, "blocks", t->blocks);
    count(a->result, "blocks_timed", t->blocks_timed);
    put(a->result, "error_estimate", t->error);
}

static void timing_text(App *a, const tensorcc_g9_timing *t)
{
    printf("%llu cycles, %s\n", (unsigned long long)t->cycles, cli_duration(a, t->ns));
    if (t->blocks_timed < t->blocks)
        printf("  extrapolated from %lld of %lld blocks, estimated error %.1f%%; --exact times all\n",
               (long long)t->blocks_timed, (long long)t->blocks, 100 * t->error);
    printf("  %.1f waves, %d blocks at once on a multiprocessor (limited by %s), occupancy %.0f%%\n", t->waves,
           (int)t->blocks_per_multiprocessor, t->limited_by, 100 * t->occupancy);
    printf("  DRAM %s, %.1f GB/s; hits: L1 %.0f%%, L2 %.0f%%; %.1f sectors a request\n",
           cli_si(a, (double)t->dram_bytes, "B"), t->ns > 0 ? (double)t->dram_bytes / t->ns : 0, 100 * t->l1_hit_rate,
           100 * t->l2_hit_rate, t->sectors_per_request);
    printf("  a warp's clocks:");
    for (int i = 0; i < TENSORCC_G9_STALLS; i++)
        if (t->stall[i] >= 0.0005) printf(" %s %.1f%%", t->stall_name[i], 100 * t->stall[i]);
    printf("\n  pipes:");
    for (int i = 0; i < TENSORCC_G9_PIPES; i++)
        if (t->pipe[i] >= 0.0005) printf(" %s %.1f%%", t->pipe_name[i], 100 * t->pipe[i]);
    printf("\n");
}

static void report(App *a, const Sim *s, const tensorcc_launch_result *r)
{
    tensorcc_device_info info = {.struct_size = sizeof info};
    tensorcc_device_describe(s->device, &info);
    double rate = r->ns > 0 ? (double)r->warp_instructions / r->ns * 1e9 : 0;
    json_t *categories = json_object();
    for (int i = 0; i < TENSORCC_G9_CATEGORIES; i++)
        json_object_set_new(categories, r->category_name[i], json_integer((json_int_t)r->category[i]));
    json_object_set_new(a->result, "kernel", cli_text(s->kernel.name));
    json_object_set_new(a->result, "machine", cli_text(info.name));
    json_object_set_new(a->result, "grid", sizes(r->grid));
    json_object_set_new(a->result, "block", sizes(r->block));
    json_object_set_new(a->result, "cluster", sizes(r->cluster));
    json_object_set_new(a->result, "instructions", json_integer((json_int_t)r->warp_instructions));
    json_object_set_new(a->result, "thread_instructions", json_integer((json_int_t)r->thread_instructions));
    json_object_set_new(a->result, "by_category", categories);
    json_object_set_new(a->result, "host_ns", cli_number(r->ns));
    if (r->timing.cycles) timing_json(a, &r->timing);
    if (a->json) return;
    printf("%s on %s: grid %u,%u,%u block %u,%u,%u: %llu warp instructions in %s, %s\n", s->kernel.name, info.name,
           r->grid[0], r->grid[1], r->grid[2], r->block[0], r->block[1], r->block[2],
           (unsigned long long)r->warp_instructions, cli_duration(a, r->ns), cli_si(a, rate, "instructions/s"));
    for (int i = 0; i < TENSORCC_G9_CATEGORIES; i++)
        if (r->category[i]) printf("  %12llu %s\n", (unsigned long long)r->category[i], r->category_name[i]);
    if (r->timing.cycles) timing_text(a, &r->timing);
}

static int write_trace(App *a, tensorcc_blob *trace)
{
    if (!trace) return OK;
    int rc = file_write(
        a, 1,
        &(Output){.path = value_of(a, O_TRACE), .bytes = tensorcc_blob_data(trace), .n = tensorcc_blob_size(trace)});
    tensorcc_blob_free(trace);
    return rc;
}

static int launch(App *a, Sim *s)
{
    long threads = 0, shared = 0, budget = 0;
    tensorcc_launch_options o = {.struct_size = sizeof o, .kernel = s->at, .checked = given(a, O_CHECK)};
    tensorcc_launch_result r = {.struct_size = sizeof r};
    int rc = three(a, O_GRID, o.grid);
    if (!rc) rc = three(a, O_BLOCK, o.block);
    if (!rc) rc = three(a, O_CLUSTER, o.cluster);
    if (!rc) rc = args_int(a, O_THREADS, 1, 1024, &threads);
    if (!rc) rc = args_int(a, O_SHARED, 0, 1 << 24, &shared);
    if (!rc) rc = args_int(a, O_BUDGET, 1, INT64_MAX, &budget);
    if (rc) return rc;
    for (int i = 0; i < 2; i++) {
        OptionId needs = i ? O_TRACE : O_EXACT;
        if (given(a, needs) && !given(a, O_TIMING)) return cli_error(a, C049_NEEDS, args_option_name(needs), "timing");
    }
    if (given(a, O_TIMING)) {
        o.timing = given(a, O_EXACT)    ? TENSORCC_G9_TIMED
                   : given(a, O_OUTPUT) ? TENSORCC_G9_EXTRAPOLATE
                                        : TENSORCC_G9_ONLY_TIMED;
        o.trace = given(a, O_TRACE);
    }
    o.threads = (int32_t)threads;
    o.shared = (uint32_t)shared;
    o.budget = (uint64_t)budget;
    rc = cli_status(a, tensorcc_launch(s->program, &o, s->p.nparams, s->arg, &r));
    report(a, s, &r);
    s->complete = o.timing != TENSORCC_G9_ONLY_TIMED || r.timing.blocks_timed == r.timing.blocks;
    if (!rc) rc = write_trace(a, r.trace);
    if (o.checked) json_object_set_new(a->result, "check", cli_text(rc ? "fail" : "pass"));
    return rc;
}

static int results(App *a, Sim *s)
{
    int rc = OK;
    for (int i = 0; i < s->p.nparams && !rc; i++) {
        Param *q = &s->p.param[i];
        bool result = s->complete && !q->is.scalar && (q->output || !q->spec.kind);
        if (result) rc = cli_status(a, tensorcc_device_read(s->device, q->data, s->address[i], (uint64_t)q->bytes));
        if (!rc && result && !q->output && !a->json) rc = param_print(a, q);
    }
    return rc ? rc : program_write(a, &s->p);
}

static int open_program(App *a, Sim *s)
{
    char *text;
    size_t n;
    const char *file = a->file.at[0], *machine = value_of(a, O_MACHINE);
    int rc = cli_open(a, 0);
    if (!rc) rc = file_read(a, file, &text, &n);
    if (!rc) rc = cli_status(a, tensorcc_device_open(a->ctx, machine ? machine : "a100", &s->device));
    return rc ? rc
              : cli_status(
                    a, tensorcc_program_load(s->device, strcmp(file, "-") ? file : "<stdin>", text, n, &s->program));
}

int run_sim(App *a)
{
    Sim s = {0};
    if (a->file.n != 1) return args_wrong_files(a, "one FILE");
    int rc = open_program(a, &s);
    if (!rc) rc = choose_kernel(a, &s);
    if (!rc) rc = read_dims(a, &s);
    if (!rc) rc = read_params(a, &s);
    if (!rc) rc = read_specs(a, &s);
    if (!rc) rc = make_arguments(a, &s);
    if (!rc) rc = launch(a, &s);
    if (!rc) rc = results(a, &s);
    program_close(&s.p);
    tensorcc_program_free(s.program);
    tensorcc_device_close(s.device);
    return rc;
}
