/* test_golden_sema: wrong programs and what is said of them: tests/golden/sema/NAME.te beside NAME.err. Every op of a
 * file is checked; a line `#! const NAME=VALUE` gives a const. `--update` writes what comes out. */
#define _GNU_SOURCE
#include "tests/unit/check.h"

#include "frontend/frontend.h"

#include <dirent.h>
#include <stdlib.h>

#ifndef TCC_SOURCE_DIR
#define TCC_SOURCE_DIR "."
#endif
#define FOLDER TCC_SOURCE_DIR "/tests/golden/sema/"

static char *read_file(Arena *mem, const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    Text t = {.mem = mem};
    text_add(&t, "");
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) text_addn(&t, part, n);
    fclose(f);
    *len = t.n;
    return t.s;
}

static bool write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    if (!f) return false;
    bool ok = fwrite(text, 1, strlen(text), f) == strlen(text);
    return fclose(f) == 0 && ok;
}

static int given_consts(Arena *mem, const char *text, FeConst *given, int most)
{
    int n = 0;
    for (const char *p = text; n < most && (p = strstr(p, "#! const ")); n++) {
        p += strlen("#! const ");
        size_t name = strcspn(p, "=\n"), value = p[name] == '=' ? strcspn(p + name + 1, "\n") : 0;
        given[n] = (FeConst){arena_strndup(mem, p, name), arena_strndup(mem, p + name + (p[name] == '='), value)};
    }
    return n;
}

static const char *messages(Arena *mem, const char *name, const char *text, size_t len)
{
    Source *src = NEW(mem, Source);
    *src = (Source){name, text, len};
    Diags d = {.mem = mem};
    AstFile *f = fe_parse(mem, src, &d);
    FeConst given[8];
    int n = given_consts(mem, text, given, 8);
    for (int i = 0; i < f->nitems; i++) {
        if (!f->item[i].op) continue;
        int before = d.errors;
        TeOp *op = fe_check(mem, f, f->item[i].op, n, given, &d);
        CHECK(op || d.errors > 0);
        CHECK(!op || d.errors == before || before > 0);
    }
    Text out = {.mem = mem};
    text_add(&out, "");
    for (const Diag *x = d.first; x; x = x->next) diag_render(&out, x, false);
    return out.s;
}

static void golden(const char *file, bool update)
{
    Arena *mem = arena_new();
    size_t len, want_len;
    char *path = arena_printf(mem, FOLDER "%s", file), *text = read_file(mem, path, &len);
    char *err = arena_printf(mem, FOLDER "%.*s.err", (int)strlen(file) - 3, file);
    if (CHECK(text != NULL)) {
        const char *got = messages(mem, file, text, len);
        CHECK(got[0] != 0);
        if (update)
            CHECK(write_file(err, got));
        else
            CHECK_STR(got, read_file(mem, err, &want_len));
    }
    arena_free(mem);
}

static int is_program(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 3 && !strcmp(e->d_name + n - 3, ".te");
}

int main(int argc, char **argv)
{
    bool update = argc > 1 && !strcmp(argv[1], "--update");
    struct dirent **entry;
    int n = scandir(FOLDER, &entry, is_program, alphasort);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        golden(entry[i]->d_name, update);
        free(entry[i]);
    }
    if (n >= 0) free(entry);
    return check_done();
}
