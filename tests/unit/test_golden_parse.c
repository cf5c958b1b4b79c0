/* test_golden_parse: tests/golden/parse/NAME.te is parsed. What it should give stands beside it: NAME.err, the rendered
 * reports, or NAME.fmt, the formatted text when there are none. With --update they are written anew. */
#include "frontend/frontend.h"
#include "tests/unit/check.h"

#include <dirent.h>
#include <stdlib.h>

#define FOLDER TCC_SOURCE_DIR "/tests/golden/parse/"

/* The text of a file, and its length; NULL when there is none. */
static char *read_file(Arena *a, const char *path, size_t *n)
{
    FILE *in = fopen(path, "rb");
    if (!in) return NULL;
    Text t = {.mem = a};
    text_add(&t, "");
    char buffer[4096];
    for (size_t got; (got = fread(buffer, 1, sizeof buffer, in)) > 0;) text_addn(&t, buffer, got);
    fclose(in);
    if (n) *n = t.n;
    return t.s;
}

static void settle(Arena *a, const char *path, const Text *got, bool update)
{
    if (!update) {
        const char *want = read_file(a, path, NULL);
        if (!CHECK_STR(got->s, want ? want : "(no such file)")) printf("in %s\n", path);
        return;
    }
    FILE *out = fopen(path, "wb");
    if (!CHECK(out && fwrite(got->s, 1, got->n, out) == got->n)) printf("cannot write %s\n", path);
    if (out) fclose(out);
}

static void one(const char *name, int stem, bool update)
{
    Arena *a = arena_new();
    Source src = {.name = name};
    src.text = read_file(a, arena_printf(a, FOLDER "%s", name), &src.len);
    if (CHECK(src.text != NULL)) {
        Diags d = {.mem = a};
        AstFile *f = fe_parse(a, &src, &d);
        Text out = {.mem = a};
        text_add(&out, "");
        for (Diag *g = d.first; g; g = g->next) diag_render(&out, g, false);
        if (!d.errors) fe_format(&out, f);
        settle(a, arena_printf(a, FOLDER "%.*s.%s", stem, name, d.errors ? "err" : "fmt"), &out, update);
        /* and not the other one */
        CHECK(!read_file(a, arena_printf(a, FOLDER "%.*s.%s", stem, name, d.errors ? "fmt" : "err"), NULL));
    }
    arena_free(a);
}

int main(int argc, char **argv)
{
    bool update = argc > 1 && !strcmp(argv[1], "--update");
    DIR *dir = opendir(FOLDER);
    if (!CHECK(dir != NULL)) return check_done();
    int files = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        size_t n = strlen(e->d_name);
        if (n < 4 || strcmp(e->d_name + n - 3, ".te")) continue;
        one(e->d_name, (int)n - 3, update);
        files++;
    }
    closedir(dir);
    CHECK(files > 20);
    return check_done();
}
