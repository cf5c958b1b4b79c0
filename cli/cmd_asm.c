/* asm, disasm: G9 text to bytes and back. */
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

static int translate(App *a, bool assemble)
{
    const char *to = value_of(a, O_OUT);
    char *text;
    size_t n;
    tensorcc_blob *blob = NULL;
    if (a->file.n != 1) return args_wrong_files(a, "one FILE");
    if (assemble && !to) return cli_error_help(a, C013_BINARY, "name the file with `-o NAME.g9`", "g9");
    int rc = cli_open(a, 0);
    if (!rc) rc = file_read(a, a->file.at[0], &text, &n);
    if (rc) return rc;
    const char *name = strcmp(a->file.at[0], "-") ? a->file.at[0] : "<stdin>";
    if (to && file_same(a->file.at[0], to)) return cli_error(a, C040_SOURCE, to);
    rc = cli_status(a, (assemble ? tensorcc_assemble : tensorcc_disassemble)(a->ctx, name, text, n, &blob));
    if (!rc) {
        Output out = {.path = to ? to : "-", .bytes = tensorcc_blob_data(blob), .n = tensorcc_blob_size(blob)};
        if (!to && a->json)
            json_object_set_new(a->result, "text", cli_text(out.bytes));
        else
            rc = file_write(a, 1, &out);
        if (to) json_object_set_new(a->result, "artifact", cli_text(to));
    }
    tensorcc_blob_free(blob);
    return rc;
}

int run_asm(App *a) { return translate(a, true); }
int run_disasm(App *a) { return translate(a, false); }
