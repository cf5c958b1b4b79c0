/* test_golden_parse: tests/golden/parse/NAME.te and tests/golden/sched/NAME.sched are parsed. What it should give
 * stands beside it: NAME.err, the rendered reports, or NAME.fmt, the formatted text when there are none.
 *
 * The schedules of tests/golden/assign/NAME.sched are for the ops of op.te there; NAME.out has the values of their
 * params, or the reports. The first line may be `# NAME=VALUE …`: sizes of dims, and params as by --set.
 *
 * The schedules of tests/golden/apply/STATEMENT/NAME.sched are applied to the ops of apply/op.te. NAME.tile has the
 * program before the last statement and after it, NAME.err the reports. `ordered` in the first line sets the numerics.
 *
 * NAME.sched beside tests/golden/default/NAME.te is what the model writes for each of its ops (`# NAME=VALUE …` first: sizes).
 * That text, read again, makes the same program.
 * With --update all are written anew. */
#include "frontend/frontend.h"
#include "frontend/sched.h"
#include "schedule/schedule.h"
#include "tests/unit/check.h"

#include <dirent.h>
#include <stdlib.h>

#define GOLDEN TCC_SOURCE_DIR "/tests/golden/"

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

static void render(Text *out, const Diags *d)
{
    for (Diag *g = d->first; g; g = g->next) diag_render(out, g, false);
}

static void format_te(Arena *a, const Source *src, Diags *d, Text *out)
{
    AstFile *f = fe_parse(a, src, d);
    render(out, d);
    if (!d->errors) fe_format(out, f);
}

static void format_sched(Arena *a, const Source *src, Diags *d, Text *out)
{
    SchedFile *f = sched_parse(a, src, d);
    render(out, d);
    if (!d->errors) sched_format(out, f);
}

/* ---- assignments --------------------------------------------------------------------------------------------- */

typedef struct Given {
    bool ordered;
    int ndims, nsets;
    SchedSet dim[16], set[16];
} Given;

/* `# M=4 mr=8`: upper case for dims. */
static Given read_given(Arena *a, const char *text)
{
    Given g = {0};
    size_t n = strcspn(text, "\n");
    char *line = arena_strndup(a, text, n), *save = NULL;
    if (*line != '#' || (!strchr(line, '=') && !ir_streq(line, "# ordered"))) return g;
    for (char *w = strtok_r(line + 1, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        char *eq = strchr(w, '=');
        g.ordered |= ir_streq(w, "ordered");
        if (!eq) continue;
        *eq = 0;
        SchedSet s = {w, eq + 1};
        if (*w >= 'A' && *w <= 'Z') {
            g.dim[g.ndims++] = s;
        } else {
            g.set[g.nsets++] = s;
        }
    }
    return g;
}

static TeOp *bind_op(Arena *a, AstFile *f, int i, const Given *g, Diags *d)
{
    TeOp *op = fe_check(a, f, f->item[i].op, 0, NULL, d);
    if (!op || !sched_check_bounds(op, d)) return NULL;
    int64_t *value = NEW_ARRAY(a, int64_t, op->ndims + 1);
    for (int k = 0; k < op->ndims; k++) {
        value[k] = -1;
        for (int n = 0; n < g->ndims; n++)
            if (ir_streq(g->dim[n].name, op->dim[k].name)) value[k] = atoll(g->dim[n].value);
    }
    return te_bind(a, op, value);
}

static TeOp *find_op(Arena *a, const char *folder, const char *name, const Given *g, Diags *d)
{
    Source *src = NEW(a, Source);
    src->name = "op.te";
    src->text = read_file(a, arena_printf(a, GOLDEN "%sop.te", folder), &src->len);
    AstFile *f = fe_parse(a, src, d);
    for (int i = 0; i < f->nitems; i++) {
        if (!f->item[i].op || !ir_streq(f->item[i].op->name.text, name)) continue;
        return bind_op(a, f, i, g, d);
    }
    return NULL;
}

static const Target target = {.name = "cpu", .vector_bytes = 32, .vregs = 16, .fma = true, .l1 = 32768, .l2 = 1 << 20, .cores = 4};

static void assign(Arena *a, const Source *src, Diags *d, Text *out)
{
    Given g = read_given(a, src->text);
    SchedFile *f = sched_parse(a, src, d);
    CHECK(d->errors == 0);
    for (int i = 0; i < f->n && !d->errors; i++) {
        const Sched *s = f->sched[i];
        const TeOp *op = find_op(a, "assign/", s->op.text, &g, d);
        int64_t *param = NEW_ARRAY(a, int64_t, s->nparams + 1);
        if (!CHECK(op != NULL)) continue;
        if (!sched_assign(a, s, op, &target, g.nsets, g.set, NULL, NULL, d, param)) continue;
        SchedValue v = {true, 1};
        SchedEnv env = {.sched = s, .param = param, .op = op, .target = &target};
        if (s->when && !sched_eval(&env, s->when, d, &v)) continue;
        text_printf(out, "%s:", s->name.text);
        for (int k = 0; k < s->nparams; k++) text_printf(out, " %s = %lld", s->param[k].name.text, (long long)param[k]);
        if (s->when) text_printf(out, " when %s", !v.known ? "undecided" : v.i ? "true" : "false");
        text_char(out, '\n');
    }
    render(out, d);
}

/* ---- what a statement does -------------------------------------------------------------------------------------- */

static void apply(Arena *a, const Source *src, Diags *d, Text *out)
{
    Given g = read_given(a, src->text);
    SchedFile *f = sched_parse(a, src, d);
    const TeOp *op = !d->errors && f->n == 1 ? find_op(a, "apply/", f->sched[0]->op.text, &g, d) : NULL;
    if (CHECK(op && f->sched[0]->nstmts > 0)) {
        Sched before = *f->sched[0];
        before.nstmts--;
        SchedUse u = {&before, &target, {.ordered = g.ordered, .p = 1}, 4, g.nsets, g.set};
        TileProg *p = sched_lower_with(a, &u, op, d, NULL), *q = NULL;
        u.sched = f->sched[0];
        if (p) q = sched_lower_with(a, &u, op, d, NULL);
        if (q) {
            CHECK_STR(tile_verify(a, q), NULL);
            const char *last = src->text + f->sched[0]->stmt[before.nstmts]->span.at;
            text_add(out, "# before\n");
            tile_print(out, p);
            text_printf(out, "\n# after %.*s\n", (int)strcspn(last, "\n"), last);
            tile_print(out, q);
        }
    }
    render(out, d);
}

/* ---- defaults --------------------------------------------------------------------------------------------------- */

static void same_again(Arena *a, const SchedUse *chosen, const TeOp *op, const Text *text, const TileProg *p)
{
    Source src = {.name = "again", .text = text->s, .len = text->n};
    Diags d = {.mem = a};
    SchedUse u = *chosen;
    Text once = {.mem = a}, again = {.mem = a};
    SchedFile *f = sched_parse(a, &src, &d);
    if (!CHECK(!d.errors && f->n == 1)) return;
    u.sched = f->sched[0];
    TileProg *q = sched_lower_with(a, &u, op, &d, NULL);
    if (!CHECK(q != NULL)) return;
    tile_print(&once, p);
    tile_print(&again, q);
    CHECK_STR(again.s, once.s);
}

static void defaults(Arena *a, const Source *src, Diags *d, Text *out)
{
    Given g = read_given(a, src->text);
    AstFile *f = fe_parse(a, src, d);
    for (int i = 0; i < f->nitems; i++) {
        TeOp *op = f->item[i].op ? bind_op(a, f, i, &g, d) : NULL;
        if (!CHECK(op != NULL)) continue;
        SchedUse u = {.target = &target, .num = {.ordered = g.ordered, .p = 1}, .threads = 4};
        TileProg *p = sched_lower_default(a, &u, op, NULL);
        Text text = {.mem = a};
        CHECK_STR(tile_verify(a, p), NULL);
        if (!u.sched) {
            text_printf(out, "# %s: no template\n", op->name);
            continue;
        }
        CHECK(sched_filled(a, &u, op, d, &text));
        same_again(a, &u, op, &text, p);
        text_add(out, text.s);
    }
    render(out, d);
}

/* ---- files --------------------------------------------------------------------------------------------------- */

typedef struct Suite {
    const char *folder, *ending;
    void (*give)(Arena *a, const Source *src, Diags *d, Text *out);
    const char *good, *bad; /* endings of what is wanted */
    int least;              /* files */
} Suite;

static const Suite suite[] = {
    {"parse/", ".te", format_te, "fmt", "err", 20},
    {"sched/", ".sched", format_sched, "fmt", "err", 40},
    {"assign/", ".sched", assign, "out", "out", 10},
    {"default/", ".te", defaults, "sched", "err", 2},
};

static bool one(const Suite *s, const char *name, int stem, bool update)
{
    bool good = false;
    Arena *a = arena_new();
    Source src = {.name = name};
    src.text = read_file(a, arena_printf(a, GOLDEN "%s%s", s->folder, name), &src.len);
    if (CHECK(src.text != NULL)) {
        Diags d = {.mem = a};
        Text out = {.mem = a};
        text_add(&out, "");
        s->give(a, &src, &d, &out);
        const char *ending = d.errors ? s->bad : s->good, *other = d.errors ? s->good : s->bad;
        settle(a, arena_printf(a, GOLDEN "%s%.*s.%s", s->folder, stem, name, ending), &out, update);
        /* and not the other one */
        CHECK(!strcmp(ending, other) ||
              !read_file(a, arena_printf(a, GOLDEN "%s%.*s.%s", s->folder, stem, name, other), NULL));
        good = !d.errors;
    }
    arena_free(a);
    return good;
}

/* Returns how many are good, and in *bad how many are not. */
static int all(const Suite *s, bool update, int *bad)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s", GOLDEN, s->folder);
    DIR *dir = opendir(path);
    if (!CHECK(dir != NULL)) return 0;
    int files = 0, good = 0;
    size_t ending = strlen(s->ending);
    for (struct dirent *e; (e = readdir(dir));) {
        size_t n = strlen(e->d_name);
        if (n <= ending || strcmp(e->d_name + n - ending, s->ending)) continue;
        good += one(s, e->d_name, (int)(n - ending), update);
        files++;
    }
    closedir(dir);
    CHECK(files > s->least);
    *bad = files - good;
    return good;
}

/* Each statement is accepted three times and refused three times; one that is not in this version is refused. */
static void all_applied(bool update)
{
    for (int i = 0; i < SS_COUNT; i++) {
        char folder[64];
        snprintf(folder, sizeof folder, "apply/%s/", sched_stmt_name[i]);
        Suite s = {folder, ".sched", apply, "tile", "err", 0};
        int bad = 0, good = all(&s, update, &bad);
        if (good > 0 && !(CHECK(good >= 3) & CHECK(bad >= 3))) printf("in %s\n", folder);
    }
}

int main(int argc, char **argv)
{
    bool update = argc > 1 && !strcmp(argv[1], "--update");
    for (size_t i = 0; i < sizeof suite / sizeof *suite; i++) all(&suite[i], update, &(int){0});
    all_applied(update);
    return check_done();
}
