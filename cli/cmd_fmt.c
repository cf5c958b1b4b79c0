/* fmt: .te and .sched files in canonical form, in place; `-` goes from standard input to standard output. */
#include "cli/cli.h"

#include <string.h>

static int format_one(App *a, const char *path, bool *changed)
{
    char *text;
    size_t n;
    tensorcc_module *m = NULL;
    tensorcc_blob *blob = NULL;
    bool in = !strcmp(path, "-");
    int rc = file_read(a, path, &text, &n);
    if (!rc && file_ends(path, ".tile")) rc = cli_error(a, C032_FMT_TILE, path);
    if (rc) return rc;
    /* The name decides how the text is read. */
    rc = cli_status(a, tensorcc_parse(a->ctx, in ? "<stdin>.te" : path, text, n, &m));
    if (!rc) rc = cli_status(a, tensorcc_format(m, &blob));
    if (!rc) {
        const char *out = tensorcc_blob_data(blob);
        size_t size = tensorcc_blob_size(blob);
        *changed = size != n || memcmp(out, text, n);
        if (in && !given(a, O_CHECK) && a->json) {
            json_object_set_new(a->result, "text", cli_text(out));
        } else if (!given(a, O_CHECK) && (*changed || in)) {
            rc = file_write(a, 1, &(Output){.path = path, .bytes = out, .n = size});
        }
    }
    tensorcc_blob_free(blob);
    tensorcc_module_free(m);
    return rc;
}

int run_fmt(App *a)
{
    if (!a->file.n) return args_wrong_files(a, "one FILE or more");
    int worst = cli_open(a, 1);
    char *off = "";
    json_t *files = json_array();
    for (int i = 0; i < a->file.n && (i == 0 || a->ctx); i++) {
        const char *path = a->file.at[i];
        bool changed = false;
        int rc = worst && i == 0 ? worst : format_one(a, path, &changed);
        if (rc > worst) worst = rc;
        if (!rc && changed) off = cli_printf(a, "%s%s%s", off, *off ? ", " : "", path);
        json_array_append_new(files,
                              json_pack("{s:o, s:b, s:b}", "file", cli_text(path), "changed", changed, "ok", !rc));
    }
    json_object_set_new(a->result, "files", files);
    if (!worst && given(a, O_CHECK) && *off) return cli_error(a, C035_FMT, off);
    return worst;
}
