/* compile, explain: what an op becomes, and what it costs. */
#define _GNU_SOURCE
#include "cli/program.h"

#include <libgen.h>
#include <string.h>

typedef struct Kind {
    const char *name, *ending;
    bool bytes, later;
} Kind;

static const Kind kinds[] = {{"te", ".te", false, false},    {"tile", ".tile", false, false},
                             {"llvm", ".ll", false, false},  {"asm", ".s", false, false},
                             {"obj", ".o", true, false},     {"so", ".so", true, false},
                             {"header", ".h", false, false}, {"g9", ".g9", true, false},
                             {"g9asm", ".g9s", false, false}, {"mir", ".mir", false, false}, {"schedule", ".sched", false, false}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int choose_kind(App *a, const Kind **out)
{
    const char *emit = value_of(a, O_EMIT), *to = value_of(a, O_OUT);
    *out = NULL;
    if (!emit && !to) return OK;
    for (int i = 0; i < KINDS && !*out; i++)
        if (emit ? !strcmp(emit, kinds[i].name) : file_ends(to, kinds[i].ending)) *out = &kinds[i];
    if (emit && !strncmp(emit, "tile:", 5)) return cli_error(a, C012_KIND_LATER, emit);
    if (!*out) return cli_error(a, C011_KIND, cli_printf(a, "`%.200s`", emit ? emit : to));
    if ((*out)->later) return cli_error(a, C012_KIND_LATER, (*out)->name);
    if ((*out)->bytes && !to)
        return cli_error_help(a, C013_BINARY, cli_printf(a, "name the file with `-o NAME%s`", (*out)->ending),
                              (*out)->name);
    return OK;
}

/* matmul.so goes with matmul.h. */
static const char *header_path(App *a, const char *so)
{
    if (!strncmp(so, "/dev/", 5) || !strcmp(so, "-")) return NULL;
    return file_ends(so, ".so") ? cli_printf(a, "%.*s.h", (int)strlen(so) - 3, so) : cli_printf(a, "%s.h", so);
}

static int emit(App *a, Program *p, const Kind *kind, const char *to)
{
    tensorcc_blob *blob = NULL, *header = NULL;
    a->stage = "making what --emit names";
    int rc = cli_status(a, tensorcc_emit(p->kernel, kind->name, &blob));
    const char *beside = to && !strcmp(kind->name, "so") ? header_path(a, to) : NULL;
    if (!rc && beside) rc = cli_status(a, tensorcc_emit(p->kernel, "header", &header));
    Output out[2] = {{.path = to ? to : "-",
                      .bytes = tensorcc_blob_data(blob),
                      .n = tensorcc_blob_size(blob),
                      .executable = !strcmp(kind->name, "so")},
                     {.path = beside, .bytes = tensorcc_blob_data(header), .n = tensorcc_blob_size(header)}};
    if (!rc && a->json && (!to || !strcmp(to, "-"))) {
        json_object_set_new(a->result, "text", cli_text(out[0].bytes)); /* nothing but JSON on standard output */
    } else if (!rc) {
        rc = file_write(a, beside ? 2 : 1, out);
    }
    tensorcc_blob_free(blob);
    tensorcc_blob_free(header);
    return rc;
}

static void summary(App *a, const Program *p)
{
    const char *sizes = program_sizes(a, p);
    printf("op %s%s%s\n", p->info.op, *sizes ? ", " : "", sizes);
    for (int i = 0; i < p->nparams; i++) {
        static const char *const role[] = {"input", "const input", "inout", "result"};
        const tensorcc_param *q = &p->param[i].is;
        printf("  %-11s %s: %s%s\n", role[q->kind], q->name, q->dtype, q->shape);
    }
    printf("target %s, schedule %s (%s), numerics %s\n", p->info.target, p->info.schedule, p->info.schedule_source,
           p->info.numerics);
    printf("compiled in %.1f ms", p->info.compile_ms);
    if (p->info.code_bytes) printf(", %lld bytes of code", (long long)p->info.code_bytes);
    printf("\n");
}

int run_compile(App *a)
{
    Program p = {0};
    Request r = {0};
    const Kind *kind;
    const char *to = value_of(a, O_OUT);
    int rc = request_options(a, &r);
    if (!rc) rc = choose_kind(a, &kind);
    if (!rc && to && file_same(to, r.file)) rc = cli_error(a, C040_SOURCE, to);
    if (!rc) rc = program_open(a, &r, &p);
    if (!rc && p.artifact) rc = cli_error(a, C030_ARTIFACT, r.file, "emit");
    if (!rc) rc = program_compile_plain(a, &r, &p);
    if (!rc && kind) rc = emit(a, &p, kind, to);
    /* Without a kind the time is that of code which could run. */
    if (!rc && !kind && (!strcmp(p.info.target, "cpu") || !strncmp(p.info.target, "gpgpu", 5))) rc = program_make_code(a, &p);
    if (!rc) {
        tensorcc_kernel_describe(p.kernel, &p.info);
        program_json(a, &p, a->result);
        bool file = to && strcmp(to, "-");
        json_object_set_new(a->result, "artifact", file ? cli_text(to) : json_null());
        if (kind) json_object_set_new(a->result, "kind", json_string(kind->name));
        if (!a->json && !kind) summary(a, &p);
        if (!a->json && file && !a->quiet)
            fprintf(stderr, "%s: %s, %s, compiled in %.1f ms\n", to, p.info.op, p.info.target, p.info.compile_ms);
    }
    program_close(&p);
    return rc;
}

/* ---- explain -------------------------------------------------------------------------------------------------------
 */

static int explain_json(App *a, Program *p, const char *text)
{
    Roof r;
    tensorcc_work w = {.struct_size = sizeof w};
    int rc = cli_status(a, tensorcc_kernel_work(p->kernel, p->sizes, &w));
    if (!rc) rc = roof_measure(a, p, 0.1, &r);
    if (rc) return rc;
    bool known = w.flops >= 0 && w.bytes > 0;
    double intensity = known ? w.flops / w.bytes : 0, slope = intensity * r.gbs;
    program_json(a, p, a->result);
    json_t *null = json_null();
    json_object_set_new(a->result, "flops", known ? cli_number(w.flops) : null);
    json_object_set_new(a->result, "bytes", known ? cli_number(w.bytes) : null);
    json_object_set_new(a->result, "intensity", known ? cli_number(intensity) : null);
    json_object_set_new(a->result, "peak_gflops", cli_number(r.gflops));
    json_object_set_new(a->result, "peak_gbs", cli_number(r.gbs));
    json_object_set_new(a->result, "roof_gflops", known ? cli_number(slope < r.gflops ? slope : r.gflops) : null);
    json_object_set_new(a->result, "bound", known ? json_string(slope < r.gflops ? "memory" : "compute") : null);
    json_object_set_new(a->result, "text", cli_text(text));
    return OK;
}

int run_explain(App *a)
{
    Program p = {0};
    Request r = {.fill = true};
    tensorcc_blob *blob = NULL;
    int rc = request_options(a, &r);
    if (!rc) rc = program_open(a, &r, &p);
    if (!rc) rc = program_compile(a, &r, &p);
    a->stage = "explaining";
    if (!rc) rc = cli_status(a, tensorcc_explain(p.kernel, p.sizes, &blob));
    if (!rc && a->json) rc = explain_json(a, &p, tensorcc_blob_data(blob));
    if (!rc && !a->json) fputs(tensorcc_blob_data(blob), stdout);
    tensorcc_blob_free(blob);
    program_close(&p);
    return rc;
}
