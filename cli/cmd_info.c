/* targets, doctor: what can be compiled for, and what this machine has. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int list(App *a, json_t **out)
{
    tensorcc_blob *blob = NULL;
    json_error_t e;
    int rc = a->ctx ? OK : cli_open(a, 0);
    if (!rc) rc = cli_status(a, tensorcc_targets(a->ctx, &blob));
    *out = rc ? NULL : json_loads(tensorcc_blob_data(blob), 0, &e);
    tensorcc_blob_free(blob);
    return rc ? rc : *out ? OK : cli_error(a, C029_NO_MEMORY);
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static double number(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

/* What schedules may ask a target for, with the values of this machine. */
static void properties(const json_t *target)
{
    const char *key;
    json_t *all = json_object_get(target, "properties"), *v;
    if (!json_object_size(all)) return;
    printf("\nin schedules, for %s:\n", text(target, "name"));
    json_object_foreach(all, key, v) printf("  target.%-14s %10.0f  %s\n", key, number(v, "value"), text(v, "meaning"));
}

int run_targets(App *a)
{
    json_t *all, *t;
    size_t i;
    if (a->file.n) return args_wrong_files(a, "no FILE");
    int rc = list(a, &all);
    if (rc) return rc;
    json_array_foreach(all, i, t)
    {
        if (a->json) break;
        printf("%-18s %s", text(t, "name"), text(t, "model"));
        if (number(t, "vector_bytes"))
            printf("; vectors of %.0f bytes, %.0f registers%s%s", number(t, "vector_bytes"), number(t, "vregs"),
                   json_is_true(json_object_get(t, "fma")) ? ", fma" : "",
                   json_is_true(json_object_get(t, "masks")) ? ", masks" : "");
        printf("%s\n", json_is_true(json_object_get(t, "host")) ? "" : "  (not this machine)");
    }
    if (!a->json) properties(json_array_get(all, 0));
    json_object_set_new(a->result, "targets", all);
    return OK;
}

/* ---- doctor --------------------------------------------------------------------------------------------------------
 */

static bool on_path(App *a, const char *tool)
{
    const char *path = getenv("PATH");
    if (strchr(tool, '/')) return !access(tool, X_OK);
    for (const char *s = path ? path : ""; *s;) {
        size_t n = strcspn(s, ":");
        if (!access(cli_printf(a, "%.*s/%s", (int)n, s, tool), X_OK)) return true;
        s += n + (s[n] == ':');
    }
    return false;
}

static const struct {
    const char *tool, *what_for, *package;
} wanted[] = {{"cc", "linking shared libraries (--emit so)", "gcc"},
              {"gdb", "debugging kernels with .te lines", "gdb"},
              {"perf", "profiling kernels with .te lines", "linux-perf"}};

static void tools(App *a, json_t *to)
{
    json_t *missing = json_array();
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const char *cc = i == 0 ? getenv("CC") : NULL, *tool = cc && *cc ? cc : wanted[i].tool;
        bool have = on_path(a, tool);
        if (!a->json)
            printf("%-10s %s%s\n", tool, have ? "found" : "missing: ",
                   have ? "" : cli_printf(a, "for %s; apt-get install %s", wanted[i].what_for, wanted[i].package));
        if (!have)
            json_array_append_new(missing, json_pack("{s:s, s:s, s:s}", "tool", tool, "for", wanted[i].what_for, "get",
                                                     cli_printf(a, "apt-get install %s", wanted[i].package)));
    }
    json_object_set_new(to, "missing", missing);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Those that it has, "+avx2,-sse4a" → "avx2", in order of name. */
static const char *features(App *a, const char *all)
{
    Values have = {0};
    char *copy = cli_strdup(a, all), *save = NULL, *out = "";
    for (char *f = strtok_r(copy, ",", &save); f; f = strtok_r(NULL, ",", &save))
        if (*f == '+') values_add(a, &have, f + 1);
    if (have.n) qsort(have.at, (size_t)have.n, sizeof *have.at, by_name);
    for (int i = 0; i < have.n; i++) out = cli_printf(a, "%s%s%s", out, i ? " " : "", have.at[i]);
    return out;
}

int run_doctor(App *a)
{
    json_t *all;
    if (a->file.n) return args_wrong_files(a, "no FILE");
    int rc = list(a, &all);
    if (rc) return rc;
    const json_t *cpu = json_array_get(all, 0);
    double memory = (double)tensorcc_usable_memory();
    int cpus = tensorcc_usable_cpus();
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    json_object_set_new(a->result, "toolchain", cli_text(tensorcc_toolchain()));
    json_object_set_new(a->result, "cpu", json_deep_copy(cpu));
    json_object_set_new(a->result, "threads", json_integer(cpus));
    json_object_set_new(a->result, "processors", json_integer(online));
    json_object_set_new(a->result, "memory_bytes", cli_number(memory));
    if (!a->json) {
        printf("tcc        %s\n", tensorcc_toolchain());
        printf("cpu        %s (%s)\n", text(cpu, "model"), text(cpu, "cpu"));
        printf("vectors    %.0f bytes, %.0f registers\n", number(cpu, "vector_bytes"), number(cpu, "vregs"));
        printf("features   %s\n", features(a, text(cpu, "features")));
        printf("caches     L1 %s, L2 %s, L3 %s\n", cli_bytes(a, number(cpu, "l1")), cli_bytes(a, number(cpu, "l2")),
               cli_bytes(a, number(cpu, "l3")));
        printf("threads    %d of %ld processors may be used\n", cpus, online);
        printf("memory     %s free\n", cli_bytes(a, memory));
    }
    tools(a, a->result);
    json_decref(all);
    return OK;
}
