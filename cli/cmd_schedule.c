/* schedule: is it legal, what does each of its statements do, what may be chosen. */
#include "cli/program.h"

#include <string.h>

typedef struct What {
    const char *name, *kind;
} What;

static const What whats[] = {{"check", "schedule"}, {"print", "steps"}, {"space", "space"}};

static int choose(App *a, const What **out)
{
    const char *names[3], *word = a->file.n ? a->file.at[0] : "";
    *out = NULL;
    for (int i = 0; i < 3; i++) {
        names[i] = whats[i].name;
        if (!strcmp(word, names[i])) *out = &whats[i];
    }
    if (*out) {
        a->file.at++;
        a->file.n--;
        return OK;
    }
    const char *near = args_nearest(word, 3, names);
    return cli_error_help(a, C041_SCHEDULE,
                          near ? cli_printf(a, "did you mean `%s`?", near) : "one of check, print and space", word);
}

int run_schedule(App *a)
{
    Program p = {0};
    Request r = {0};
    const What *what;
    tensorcc_blob *blob = NULL;
    int rc = choose(a, &what);
    if (!rc) rc = request_options(a, &r);
    if (!rc) rc = program_open(a, &r, &p);
    if (!rc && p.artifact) rc = cli_error(a, C030_ARTIFACT, r.file, "schedule");
    if (!rc) rc = program_compile_plain(a, &r, &p);
    if (!rc) rc = cli_status(a, tensorcc_emit(p.kernel, what->kind, &blob));
    if (!rc) {
        program_json(a, &p, a->result);
        json_object_set_new(a->result, "text", cli_text(tensorcc_blob_data(blob)));
        if (!a->json && what == &whats[0])
            printf("%s is legal for %s on %s\n", p.info.schedule, p.info.op, p.info.target);
        else if (!a->json)
            fputs(tensorcc_blob_data(blob), stdout);
    }
    tensorcc_blob_free(blob);
    program_close(&p);
    return rc;
}
