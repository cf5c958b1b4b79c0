/* workloads: a file of lines `FILE[:OP] NAME=VALUE…`, each timed. What fails is reported and the rest goes on. */
#define _GNU_SOURCE
#include "cli/bench.h"

#include <string.h>
#include <unistd.h>

typedef struct Line {
    int number;
    Request r;
    int nvalues;
    tensorcc_value *value; /* dims and consts together: which is which, the op says */
} Line;

static int split(App *a, const char *path, char *text, Line *l)
{
    char *save = NULL, *word = strtok_r(text, " \t\r", &save), *colon = strrchr(word, ':');
    const char *slash = strrchr(path, '/');
    if (colon && colon[1]) {
        *colon = 0;
        l->r.op = colon + 1;
    }
    l->r.file = *word == '/' || !slash ? word : cli_printf(a, "%.*s%s", (int)(slash - path) + 1, path, word);
    l->r.tensors = l->r.fill = true;
    l->r.hint = 0;
    l->r.target = value_of(a, O_TARGET);
    l->value = cli_alloc(a, sizeof *l->value * (strlen(save ? save : "") + 1));
    while ((word = strtok_r(NULL, " \t\r", &save))) {
        char *eq = strchr(word, '=');
        if (!eq || eq == word || !eq[1])
            return cli_error(a, C033_WORKLOAD, path, l->number, cli_printf(a, "`%.80s` is no NAME=VALUE", word));
        *eq = 0;
        l->value[l->nvalues++] = (tensorcc_value){word, eq + 1};
    }
    return OK;
}

static bool is_dim(const tensorcc_module *m, const char *op, const char *name)
{
    for (int o = 0; o < tensorcc_module_ops(m); o++) {
        if (op && strcmp(op, tensorcc_module_op(m, o))) continue;
        const char *dim;
        for (int i = 0; (dim = tensorcc_module_dim(m, o, i)); i++)
            if (!strcmp(dim, name)) return true;
    }
    return false;
}

static int sort_values(App *a, Line *l)
{
    Program p = {0};
    int rc = program_open(a, &l->r, &p);
    l->r.dims = cli_alloc(a, sizeof *l->r.dims * (size_t)(l->nvalues + 1));
    l->r.consts = cli_alloc(a, sizeof *l->r.consts * (size_t)(l->nvalues + 1));
    for (int i = 0; i < l->nvalues && !rc; i++)
        if (is_dim(p.module, l->r.op, l->value[i].name)) {
            l->r.dims[l->r.ndims++] = l->value[i];
        } else {
            l->r.consts[l->r.nconsts++] = l->value[i];
        }
    program_close(&p);
    return rc;
}

static int time_line(App *a, const Bench *b, const char *path, char *text, Line *l, json_t *to)
{
    int rc = split(a, path, text, l);
    bool placed = rc != OK; /* the error names its line */
    json_object_set_new(to, "line", json_integer(l->number));
    if (!rc) json_object_set_new(to, "file", cli_text(l->r.file));
    if (!rc) rc = sort_values(a, l);
    if (!rc) rc = bench_one(a, &l->r, b, to);
    if (rc && !placed) cli_error_at(a, path, l->number, "this is the workload that failed");
    if (rc && a->error) json_object_set(to, "error", a->error);
    return rc;
}

static int count(const char *text)
{
    int n = 0;
    for (const char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
        size_t blank = strspn(s, " \t\r");
        n += s[blank] && s[blank] != '\n' && s[blank] != '#';
    }
    return n;
}

/* A bar on a terminal; nothing elsewhere, since each result is a line. */
static void progress(const App *a, int done, int total, double start)
{
    if (a->quiet || !isatty(STDERR_FILENO)) return;
    double s = (now_ns() - start) / 1e9, left = done ? s / done * (total - done) : 0;
    if (done == total) {
        fprintf(stderr, "\r\033[K");
    } else {
        fprintf(stderr, "\r\033[K[%d/%d] %.0f s, %.0f s left ", done, total, s, left);
    }
}

int bench_workloads(App *a, const Bench *options)
{
    const char *path = value_of(a, O_WORKLOADS);
    char *text, *save = NULL;
    size_t size;
    if (a->file.n) return args_wrong_files(a, "either a FILE or --workloads");
    int rc = file_read(a, path, &text, &size), number = 0, done = 0;
    if (rc) return rc;
    int total = count(text), worst = OK;
    json_t *all = json_array(), *first = NULL;
    double start = now_ns();
    for (char *line = text, *end; line < text + size; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + size - line));
        if (!end) end = text + size;
        *end = 0;
        line[strcspn(line, "#")] = 0;
        number++;
        if (!line[strspn(line, " \t\r")]) continue;
        progress(a, done, total, start);
        Line l = {.number = number};
        json_t *one = json_object();
        rc = time_line(a, options, path, line, &l, one);
        if (rc > worst) worst = rc;
        json_array_append_new(all, one);
        if (!first) first = a->error;
        if (first != a->error) json_decref(a->error);
        a->error = NULL;
        done++;
    }
    (void)save;
    if (!done) worst = cli_error(a, C033_WORKLOAD, path, number ? number : 1, "there is no program to time");
    if (!done) first = a->error;
    progress(a, done, done, start);
    a->error = first;
    json_object_set_new(a->result, "workloads", all);
    return worst;
}
