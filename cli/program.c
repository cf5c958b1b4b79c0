/* program: from FILE and options to a kernel with tensors.
 *
 * Sizes come first from --dim, then from the shapes of NPY inputs, then from defaults (bench: then from hints). Since
 * the shapes decide what is compiled, the op is analysed once with its dims left open (target interp, which makes no
 * code), asked for sizes, and then compiled for them; the library keeps the analysis. */
#define _GNU_SOURCE
#include "cli/program.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int pairs(App *a, OptionId o, int *n, tensorcc_value **out)
{
    const Values *v = &a->opt[o];
    *n = v->n;
    *out = cli_alloc(a, sizeof **out * (size_t)(v->n + 1));
    for (int i = 0; i < v->n; i++) {
        int rc = args_pair(a, o, v->at[i], &(*out)[i]);
        for (int k = 0; k < i && !rc; k++)
            if (!strcmp((*out)[k].name, (*out)[i].name))
                rc = cli_error(a, C007_TWICE, cli_printf(a, "--%s %s", args_option_name(o), (*out)[i].name));
        if (rc) return rc;
    }
    return OK;
}

int request_options(App *a, Request *r)
{
    if (a->file.n != 1) return args_wrong_files(a, "one FILE");
    r->file = a->file.at[0];
    r->op = value_of(a, O_OP);
    if (!r->target) r->target = value_of(a, O_TARGET);
    if (given(a, O_DB)) cli_note(a, "note: there is no tuning database in this version, --db changes nothing");
    int rc = pairs(a, O_DIM, &r->ndims, &r->dims);
    if (!rc) rc = pairs(a, O_SET, &r->nsets, &r->sets);
    const char *schedule = given(a, O_SCHEDULE) ? value_of(a, O_SCHEDULE) : "default";
    bool file = strcmp(schedule, "default") && strcmp(schedule, "none") && strcmp(schedule, "auto");
    if (!rc && r->nsets && !file) rc = cli_error(a, C044_SET, a->opt[O_SET].at[0], schedule);
    return rc ? rc : pairs(a, O_CONST, &r->nconsts, &r->consts);
}

/* ---- opening -------------------------------------------------------------------------------------------------------
 */

static int open_context(App *a)
{
    long threads = 0;
    int rc = args_int(a, O_THREADS, 1, 1024, &threads);
    if (rc || a->ctx) return rc;
    return cli_open(a, (int)threads);
}

static int refuse_options(App *a, const Request *r)
{
    static const OptionId fixed[] = {O_CONST, O_TARGET, O_SCHEDULE, O_NUMERICS, O_EMIT, O_STRIDED};
    static const char *const name[] = {"const", "target", "schedule", "numerics", "emit", "strided"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (given(a, fixed[i])) return cli_error(a, C030_ARTIFACT, r->file, name[i]);
    return OK;
}

int program_open(App *a, const Request *r, Program *p)
{
    char *text;
    size_t n;
    *p = (Program){.file = r->file};
    a->stage = "reading the program";
    int rc = open_context(a);
    if (!rc) rc = file_read(a, r->file, &text, &n);
    if (rc) return rc;
    if (n >= 4 && (!memcmp(text, "\x7f" "ELF", 4) || !memcmp(text, "G9\r\n", 4))) {
        p->artifact = true;
        rc = refuse_options(a, r);
        if (!rc && a->command == C_interp) rc = cli_error(a, C042_INTERP, r->file);
        if (!rc && !strcmp(r->file, "-")) rc = cli_error(a, C043_PIPE);
        if (!rc) rc = cli_status(a, tensorcc_load(a->ctx, r->file, &p->kernel));
        const char *op = rc ? NULL : tensorcc_kernel_op(p->kernel);
        return op && r->op && strcmp(op, r->op) ? cli_error(a, C039_OP, r->file, op, r->op) : rc;
    }
    a->source = text;
    const char *name = strcmp(r->file, "-") ? r->file : "<stdin>";
    return cli_status(a, tensorcc_parse(a->ctx, name, text, n, &p->module));
}

void program_close(Program *p)
{
    for (int i = 0; i < p->nparams; i++) {
        spec_close(&p->param[i].spec);
        free(p->param[i].data);
        free(p->param[i].before);
    }
    tensorcc_kernel_free(p->kernel);
    tensorcc_module_free(p->module);
    *p = (Program){0};
}

/* ---- compiling -----------------------------------------------------------------------------------------------------
 */

static int compile(App *a, const Request *r, Program *p, const char *target, unsigned flags, int ndims,
                   const tensorcc_value *dims, tensorcc_kernel **out)
{
    tensorcc_compile_options o = {.struct_size = sizeof o,
                                  .flags = flags | (given(a, O_STRIDED) ? TENSORCC_STRIDED : 0) |
                                           (given(a, O_DEBUG) ? TENSORCC_DEBUG_LINES : 0),
                                  .op = r->op,
                                  .target = target,
                                  .schedule = value_of(a, O_SCHEDULE),
                                  .numerics = value_of(a, O_NUMERICS),
                                  .ndims = ndims,
                                  .nconsts = r->nconsts,
                                  .dims = dims,
                                  .consts = r->consts,
                                  .nsets = r->nsets,
                                  .sets = r->sets};
    a->stage = "compiling";
    return cli_status(a, tensorcc_compile(p->module, &o, out));
}

static int describe(App *a, Program *p)
{
    p->info.struct_size = sizeof p->info;
    return cli_status(a, tensorcc_kernel_describe(p->kernel, &p->info));
}

static int read_params(App *a, Program *p)
{
    p->nparams = tensorcc_kernel_params(p->kernel);
    p->ndims = tensorcc_kernel_dims(p->kernel);
    p->param = cli_alloc(a, sizeof *p->param * (size_t)(p->nparams + 1));
    p->sizes = cli_alloc(a, sizeof *p->sizes * (size_t)(p->ndims + 1));
    for (int i = 0; i < p->nparams; i++) {
        p->param[i].is.struct_size = sizeof p->param[i].is;
        int rc = cli_status(a, tensorcc_kernel_param(p->kernel, i, &p->param[i].is));
        if (rc) return rc;
        p->param[i].shape = cli_alloc(a, sizeof(int64_t) * (size_t)(p->param[i].is.rank + 1));
    }
    return OK;
}

/* Names and types are the probe's own strings: once more from the kernel that stays. */
static int refresh_params(App *a, Program *p)
{
    for (int i = 0; i < p->nparams; i++) {
        int rc = cli_status(a, tensorcc_kernel_param(p->kernel, i, &p->param[i].is));
        if (rc) return rc;
    }
    return OK;
}

int program_make_code(App *a, const Program *p)
{
    return cli_status(a, tensorcc_kernel_make(p->kernel));
}

int program_compile_plain(App *a, const Request *r, Program *p)
{
    int rc = p->artifact ? OK : compile(a, r, p, r->target, 0, r->ndims, r->dims, &p->kernel);
    if (!rc) rc = read_params(a, p);
    if (!rc) rc = describe(a, p);
    for (int i = 0; i < p->ndims && !rc; i++) tensorcc_kernel_dim(p->kernel, i, &p->sizes[i]);
    return rc;
}

/* ---- inputs and outputs by name ------------------------------------------------------------------------------------
 */

static bool is_input(const Param *q) { return q->is.kind != TENSORCC_OUTPUT; }
static bool is_output(const Param *q) { return q->is.kind == TENSORCC_OUTPUT || q->is.kind == TENSORCC_INOUT; }

static int find_param(App *a, Program *p, const char *name, bool input, Param **out)
{
    const char **names = cli_alloc(a, sizeof *names * (size_t)(p->nparams + 1));
    char *all = "";
    int n = 0;
    for (int i = 0; i < p->nparams; i++) {
        Param *q = &p->param[i];
        if (input ? !is_input(q) : !is_output(q)) continue;
        if (!strcmp(q->is.name, name)) {
            *out = q;
            return OK;
        }
        names[n++] = q->is.name;
        all = cli_printf(a, "%s%s%s", all, *all ? ", " : "", q->is.name);
    }
    const char *near = args_nearest(name, n, names);
    const char *help = !n     ? (input ? "it has no inputs" : "it has no results")
                       : near ? cli_printf(a, "did you mean `%s`? it has %s", near, all)
                              : cli_printf(a, "it has %s", all);
    return cli_error_help(a, input ? C017_NO_INPUT : C018_NO_OUTPUT, help, tensorcc_kernel_op(p->kernel), name);
}

static int read_inputs(App *a, Program *p)
{
    const Values *v = &a->opt[O_INPUT];
    for (int i = 0; i < v->n; i++) {
        tensorcc_value in;
        Param *q = NULL;
        int rc = args_pair(a, O_INPUT, v->at[i], &in);
        if (!rc) rc = find_param(a, p, in.name, true, &q);
        if (!rc && q->spec.kind) rc = cli_error(a, C007_TWICE, cli_printf(a, "--input %s", in.name));
        if (!rc) rc = spec_parse(a, in.name, in.value, &q->spec);
        if (!rc && q->spec.kind == SPEC_NPY) rc = spec_type_matches(a, q);
        if (!rc && q->spec.kind == SPEC_NUMBER && q->is.rank)
            rc = cli_error(a, C020_NUMBER, q->is.name, q->is.dtype, q->is.shape);
        int rank = q ? q->is.rank : 0;
        bool unit = !rc && rank == 0 && q->spec.npy.rank == 1 && q->spec.npy.shape[0] == 1;
        if (!rc && q->spec.kind == SPEC_NPY && q->spec.npy.rank != rank && !unit)
            rc = spec_rank(a, q);
        if (rc) return rc;
    }
    return OK;
}

static int read_outputs(App *a, Program *p)
{
    const Values *v = &a->opt[O_OUTPUT];
    for (int i = 0; i < v->n; i++) {
        tensorcc_value out;
        Param *q = NULL;
        int rc = args_pair(a, O_OUTPUT, v->at[i], &out);
        if (!rc) rc = find_param(a, p, out.name, false, &q);
        if (!rc && q->output) rc = cli_error(a, C007_TWICE, cli_printf(a, "--output %s", out.name));
        for (int j = 0; j < p->nparams && !rc; j++)
            if (p->param[j].output && !strcmp(p->param[j].output, out.value) && strncmp(out.value, "/dev/", 5))
                rc = cli_error(a, C034_SAME_PATH, out.value);
        if (rc) return rc;
        q->output = out.value;
    }
    return OK;
}

static int missing_inputs(App *a, const Request *r, Program *p)
{
    char *missing = "";
    for (int i = 0; i < p->nparams; i++) {
        Param *q = &p->param[i];
        if (!is_input(q) || q->spec.kind) continue;
        if (r->fill) q->spec = (Spec){.kind = SPEC_RANDOM, .text = "random:0"};
        missing = cli_printf(a, "%s%s%s: %s%s", missing, *missing ? ", " : "", q->is.name, q->is.dtype, q->is.shape);
    }
    return *missing && !r->fill ? cli_error(a, C022_MISSING, missing) : OK;
}

/* ---- sizes ---------------------------------------------------------------------------------------------------------
 */

static bool kept_dynamic(const Request *r, const char *dim)
{
    for (int i = 0; i < r->ndims; i++)
        if (!strcmp(r->dims[i].name, dim)) return !strcmp(r->dims[i].value, "?");
    return false;
}

/* Sizes given for an artifact: what it fixed cannot be another, which the library says. */
static int artifact_sizes(App *a, const Request *r, Program *p)
{
    for (int i = 0; i < r->ndims; i++) {
        char *all = "", *end;
        int at = -1;
        for (int d = 0; d < p->ndims; d++) {
            const char *name = tensorcc_kernel_dim(p->kernel, d, NULL);
            if (!strcmp(r->dims[i].name, name)) at = d;
            all = cli_printf(a, "%s%s%s", all, d ? ", " : "", name);
        }
        if (at < 0) return cli_error_help(a, C038_DIM, cli_printf(a, "its dims are %s", all), r->file, r->dims[i].name);
        long long v = strtoll(r->dims[i].value, &end, 10);
        if (*end || v < 0)
            return cli_error(a, C009_NUMBER, "dim", cli_printf(a, "%s=%s", r->dims[i].name, r->dims[i].value),
                             "a size");
        p->sizes[at] = v;
        int rc = cli_status(a, tensorcc_kernel_fix(p->kernel, r->dims[i].name, v));
        if (rc) return rc;
    }
    return OK;
}

static int choose_sizes(App *a, const Request *r, Program *p)
{
    const int64_t **shape = cli_alloc(a, sizeof *shape * (size_t)(p->nparams + 1));
    char *missing = "";
    for (int i = 0; i < p->nparams; i++) {
        const Param *q = &p->param[i];
        if (q->spec.kind == SPEC_NPY && q->is.rank) shape[i] = q->spec.npy.shape;
    }
    for (int i = 0; i < p->ndims; i++) tensorcc_kernel_dim(p->kernel, i, &p->sizes[i]);
    int rc = p->artifact ? artifact_sizes(a, r, p) : OK;
    if (!rc) rc = cli_status(a, tensorcc_kernel_infer(p->kernel, shape, p->sizes));
    for (int i = 0; i < p->ndims && !rc; i++) {
        int64_t hint[64];
        int hints = tensorcc_kernel_hints(p->kernel, i, hint, 64);
        if (p->sizes[i] < 0) p->sizes[i] = tensorcc_kernel_default(p->kernel, i);
        if (p->sizes[i] < 0 && r->fill && hints) p->sizes[i] = hint[r->hint < hints ? r->hint : hints - 1];
        if (p->sizes[i] < 0)
            missing = cli_printf(a, "%s%s`%s`", missing, *missing ? ", " : "", tensorcc_kernel_dim(p->kernel, i, NULL));
    }
    if (!rc && *missing) rc = cli_error(a, C027_SIZES, missing);
    return rc;
}

int program_compile(App *a, const Request *r, Program *p)
{
    /* An artifact is its own probe. */
    int rc = p->artifact ? OK : compile(a, r, p, "interp", TENSORCC_NO_DEFAULTS, r->ndims, r->dims, &p->kernel);
    if (!rc) rc = read_params(a, p);
    if (!rc && r->tensors) rc = read_inputs(a, p);
    if (!rc && r->tensors) rc = read_outputs(a, p);
    if (!rc && r->tensors) rc = missing_inputs(a, r, p);
    if (!rc) rc = choose_sizes(a, r, p);
    if (rc) return rc;
    if (p->artifact) return describe(a, p);
    tensorcc_value *dims = cli_alloc(a, sizeof *dims * (size_t)(p->ndims + 1));
    for (int i = 0; i < p->ndims; i++) {
        const char *name = cli_strdup(a, tensorcc_kernel_dim(p->kernel, i, NULL));
        dims[i] = (tensorcc_value){name, kept_dynamic(r, name) ? "?" : cli_printf(a, "%lld", (long long)p->sizes[i])};
    }
    tensorcc_kernel *probe = p->kernel;
    p->kernel = NULL;
    rc = compile(a, r, p, r->target, 0, p->ndims, dims, &p->kernel);
    tensorcc_kernel_free(probe);
    if (!rc) rc = refresh_params(a, p);
    if (!rc) rc = describe(a, p);
    return rc;
}

/* ---- tensors -------------------------------------------------------------------------------------------------------
 */

void *program_alloc(int64_t bytes)
{
    size_t align = bytes >= (int64_t)1 << 20 ? (size_t)2 << 20 : 64, n = ((size_t)bytes + align) / align * align;
    void *p = aligned_alloc(align, n);
#ifdef MADV_HUGEPAGE
    if (p && align > 64) madvise(p, n, MADV_HUGEPAGE);
#endif
    return p;
}

static int shapes(App *a, Program *p, bool keep_before)
{
    double total = 0;
    char *each = "";
    for (int i = 0; i < p->nparams; i++) {
        Param *q = &p->param[i];
        int rc = cli_status(a, tensorcc_kernel_shape(p->kernel, i, p->sizes, q->shape));
        if (!rc) rc = cli_status(a, tensorcc_kernel_bytes(p->kernel, i, p->sizes, &q->bytes));
        if (rc) return rc;
        q->elements = 1;
        for (int x = 0; x < q->is.rank; x++) q->elements *= q->shape[x];
        total += (double)q->bytes * (keep_before && q->is.kind == TENSORCC_INOUT ? 2 : 1);
        if (q->bytes > 1 << 20)
            each = cli_printf(a, "%s%s%s%s %s", each, *each ? ", " : "", q->is.name, q->is.shape,
                              cli_bytes(a, (double)q->bytes));
    }
    double have = (double)tensorcc_usable_memory();
    if (have > 0 && total > have) return cli_error(a, C028_MEMORY, cli_bytes(a, total), cli_bytes(a, have), each);
    return OK;
}

static tensorcc_tensor tensor(const Param *q, void *data)
{
    return (tensorcc_tensor){.data = data,
                             .device = {1, 0},
                             .ndim = q->is.rank,
                             .dtype = {q->is.dl_code, q->is.dl_bits, 1},
                             .shape = q->shape};
}

int program_tensors(App *a, const Request *r, Program *p, bool keep_before)
{
    (void)r;
    int rc = shapes(a, p, keep_before);
    for (int i = 0; i < p->nparams && !rc; i++) {
        Param *q = &p->param[i];
        int64_t bound = -1;
        q->data = program_alloc(q->bytes);
        if (!q->data) return cli_error(a, C029_NO_MEMORY);
        if (!is_input(q)) memset(q->data, 0, (size_t)q->bytes);
        if (q->spec.kind == SPEC_RANDOM || q->spec.kind == SPEC_NORMAL)
            rc = cli_status(a, tensorcc_kernel_index_bound(p->kernel, i, p->sizes, &bound));
        if (!rc) rc = spec_fill(a, q, bound);
        bool copy = keep_before && q->is.kind == TENSORCC_INOUT;
        if (copy && !(q->before = program_alloc(q->bytes))) return cli_error(a, C029_NO_MEMORY);
        if (copy) memcpy(q->before, q->data, (size_t)q->bytes);
        q->tensor = tensor(q, q->data);
        q->was = tensor(q, q->before ? q->before : q->data);
    }
    return rc;
}

/* ---- telling -------------------------------------------------------------------------------------------------------
 */

const char *program_sizes(App *a, const Program *p)
{
    char *s = "";
    for (int i = 0; i < p->ndims; i++) {
        const char *name = tensorcc_kernel_dim(p->kernel, i, NULL), *sep = i ? ", " : "";
        s = p->sizes[i] >= 0 ? cli_printf(a, "%s%s%s = %lld", s, sep, name, (long long)p->sizes[i])
                             : cli_printf(a, "%s%s%s = ?", s, sep, name);
    }
    return s;
}

void program_json(App *a, const Program *p, json_t *to)
{
    (void)a;
    json_t *dims = json_object();
    for (int i = 0; i < p->ndims; i++)
        json_object_set_new(dims, tensorcc_kernel_dim(p->kernel, i, NULL),
                            p->sizes[i] >= 0 ? json_integer(p->sizes[i]) : json_null());
    json_object_set_new(to, "op", cli_text(p->info.op));
    json_object_set_new(to, "target", cli_text(p->info.target));
    json_object_set_new(to, "dims", dims);
    json_object_set_new(to, "schedule", cli_text(p->info.schedule));
    json_object_set_new(to, "schedule_source", cli_text(p->info.schedule_source));
    json_object_set_new(to, "numerics", cli_text(p->info.numerics));
    json_object_set_new(to, "compile_ms", cli_number(p->info.compile_ms));
}
