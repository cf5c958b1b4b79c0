/* run, interp: one call on given or made-up inputs; results to NPY files, or in a few numbers. */
#include "cli/program.h"

#include <math.h>
#include <string.h>

/* Elements [first, first + n) of a result as doubles. Rows of i4 and u4 start on a byte. */
static int decode(App *a, const Param *q, int64_t first, int64_t n, double *x)
{
    int64_t row = q->is.rank ? q->shape[q->is.rank - 1] : 1;
    if (q->is.dl_bits != 4 || row % 2 == 0)
        return cli_status(a, tensorcc_decode(a->ctx, q->is.dtype, q->data, first, n, x));
    int rc = OK;
    for (int64_t i = 0; i < n && !rc; i++) {
        int64_t at = (first + i) / row * (row + 1) + (first + i) % row;
        rc = cli_status(a, tensorcc_decode(a->ctx, q->is.dtype, q->data, at, 1, x + i));
    }
    return rc;
}

/* Integers whole, and one spelling of NaN. */
static const char *shown_as(App *a, const Param *q, double x)
{
    if (isnan(x)) return "nan";
    bool whole = q->is.dtype[0] == 'i' || q->is.dtype[0] == 'u';
    return cli_printf(a, whole ? "%.0f" : "%.6g", x);
}

int param_print(App *a, const Param *q)
{
    enum { CHUNK = 4096, FIRST = 8 };
    double x[CHUNK], head[FIRST], lo = INFINITY, hi = -INFINITY, sum = 0;
    int64_t nans = 0, shown = q->elements < FIRST ? q->elements : FIRST;
    for (int64_t at = 0; at < q->elements; at += CHUNK) {
        int64_t n = q->elements - at < CHUNK ? q->elements - at : CHUNK;
        int rc = decode(a, q, at, n, x);
        if (rc) return rc;
        if (!at) memcpy(head, x, sizeof *x * (size_t)shown);
        for (int64_t i = 0; i < n; i++) {
            nans += isnan(x[i]);
            lo = x[i] < lo ? x[i] : lo;
            hi = x[i] > hi ? x[i] : hi;
            sum += isnan(x[i]) ? 0 : x[i];
        }
    }
    printf("%s: %s[", q->is.name, q->is.dtype);
    for (int i = 0; i < q->is.rank; i++) printf("%s%lld", i ? "," : "", (long long)q->shape[i]);
    printf("]");
    int64_t numbers = q->elements - nans;
    if (numbers)
        printf("  range %s .. %s  mean %s", shown_as(a, q, lo), shown_as(a, q, hi),
               isnan(sum) ? "nan" : cli_printf(a, "%.6g", sum / (double)numbers));
    if (nans) printf("  %lld NaN", (long long)nans);
    printf("\n ");
    for (int64_t i = 0; i < shown; i++) printf(" %s", shown_as(a, q, head[i]));
    printf("%s\n", q->elements > shown ? " …" : "");
    return OK;
}

int program_write(App *a, const Program *p)
{
    Output *out = cli_alloc(a, sizeof *out * (size_t)(p->nparams + 1));
    int n = 0;
    for (int i = 0; i < p->nparams; i++) {
        const Param *q = &p->param[i];
        if (!q->output) continue;
        char *header = cli_alloc(a, 1024);
        out[n] = (Output){.path = q->output, .bytes = header};
        out[n].n = npy_header(header, spec_npy_type(q), q->is.rank, q->shape);
        out[n].more = spec_unpacked(a, q, &out[n].nmore);
        n++;
    }
    return file_write(a, n, out);
}

static int report(App *a, Program *p, double ns, const tensorcc_g9_run *timed)
{
    int rc = OK;
    Timing t = {.median = ns, .min = ns, .reps = 1, .runs = 1};
    p->info.struct_size = sizeof p->info;
    tensorcc_kernel_describe(p->kernel, &p->info);
    if (timed) {
        program_json(a, p, a->result);
        return g9_speed(a, p, timed, a->result);
    }
    if (a->json) {
        Roof r;
        Speed s;
        rc = roof_measure(a, p, 0.02, &r);
        if (!rc) rc = speed_of(a, p, &t, &r, &s);
        if (rc) return rc;
        program_json(a, p, a->result);
        speed_json(&t, &r, &s, a->result);
        return OK;
    }
    const char *sizes = program_sizes(a, p);
    printf("%s%s%s on %s: %s, compiled in %.1f ms\n", p->info.op, *sizes ? " " : "", sizes, p->info.target,
           cli_duration(a, ns), p->info.compile_ms);
    return OK;
}

static int execute(App *a, Program *p)
{
    const tensorcc_tensor **args = cli_alloc(a, sizeof *args * (size_t)(p->nparams + 1));
    for (int i = 0; i < p->nparams; i++) args[i] = &p->param[i].tensor;
    tensorcc_context_pool(a->ctx);    /* threads start before the clock does */
    int rc = program_make_code(a, p); /* before the clock starts */
    if (rc) return rc;
    double start = now_ns();
    a->stage = "running";
    tensorcc_g9_run timed;
    bool g9 = program_is_gpgpu(p) && a->json; /* what it took there is told in JSON only, and takes time to find out */
    rc = g9 ? g9_time(a, p, args, true, &timed) : cli_status(a, tensorcc_run(p->kernel, p->nparams, args));
    double ns = now_ns() - start;
    if (!rc) rc = report(a, p, ns, g9 ? &timed : NULL);
    if (!rc && given(a, O_CHECK)) rc = program_check(a, p, a->result);
    int failed = rc == WRONG && json_object_get(a->result, "check") ? rc : OK;
    if (rc && !failed) return rc;
    rc = program_write(a, p);
    for (int i = 0; i < p->nparams && !rc && !a->json; i++) {
        const Param *q = &p->param[i];
        bool result = q->is.kind == TENSORCC_OUTPUT || q->is.kind == TENSORCC_INOUT;
        if (result && !q->output) rc = param_print(a, q);
    }
    return rc ? rc : failed;
}

static int run(App *a, const char *target)
{
    Program p = {0};
    Request r = {.target = target, .tensors = true};
    int rc = request_options(a, &r);
    if (!rc) rc = program_open(a, &r, &p);
    if (!rc) rc = program_compile(a, &r, &p);
    if (!rc) rc = program_tensors(a, &r, &p, given(a, O_CHECK));
    if (!rc) rc = execute(a, &p);
    program_close(&p);
    return rc;
}

int run_run(App *a) { return run(a, NULL); }

int run_interp(App *a)
{
    if (given(a, O_TARGET)) return cli_error(a, C006_MISPLACED, "interp", "target");
    return run(a, "interp");
}
