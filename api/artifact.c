/* artifact: a kernel as a shared library or a .g9 file, and back.
 *
 * The library carries, beside NAME and NAME_workspace, the symbol tensorcc_artifact: a text that says what it was made
 * with, ended by an empty line and the op's source. Loading reads that text, analyses the source as compiling does (so
 * that shapes, conditions and places of faults are known), and calls the library's code. Linking uses the system's C
 * compiler driver in a folder of its own under TMPDIR. */
#define _GNU_SOURCE
#include "api/emit.h"
#include "isa/isa.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAGIC "tensorcc-artifact 1\n"

extern char **environ;

/* ---- what it says of itself ----------------------------------------------------------------------------------------
 */

void api_metadata(Text *t, const tensorcc_kernel *k, const char *more)
{
    const TeOp *op = k->op;
    text_add(t, MAGIC);
    text_printf(t, "toolchain %s\nop %s\ntarget %s\nschedule %s\nsource %s\nnumerics %s\nstrided %d\n",
                tensorcc_toolchain(), op->name, k->target_name, k->schedule, k->source, k->numerics,
                k->flags & TENSORCC_STRIDED ? 1 : 0);
    text_printf(t, "cpu %s\nfeatures %s\n", k->target->cpu ? k->target->cpu : "",
                k->target->features ? k->target->features : "");
    for (int i = 0; i < op->ndims; i++) {
        text_printf(t, "dim %s=", op->dim[i].name);
        if (op->dim[i].value >= 0) {
            text_printf(t, "%lld\n", (long long)op->dim[i].value);
        } else {
            text_add(t, "?\n");
        }
    }
    for (int i = 0; i < op->nconsts; i++) {
        if (!op->cst[i].overridden) continue;
        Text v = {.mem = t->mem};
        te_print_expr(&v, op, op->cst[i].value);
        text_printf(t, "const %s=%s\n", op->cst[i].name, v.s);
    }
    text_printf(t, "file %s\n%s\n", k->module->src.name, more);
    text_addn(t, k->module->src.text, k->module->src.len);
}

/* The text as C: bytes, since string literals have limits. */
static void print_source(Text *t, const Text *meta)
{
    text_add(t, "__attribute__((visibility(\"default\"))) const char tensorcc_artifact[] = {");
    for (size_t i = 0; i < meta->n; i++) text_printf(t, "%s%d,", i % 32 ? "" : "\n", (signed char)meta->s[i]);
    text_add(t, "0};\n");
}

/* ---- linking -------------------------------------------------------------------------------------------------------
 */

static bool write_file(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wbe");
    if (!f) return false;
    bool ok = fwrite(bytes, 1, n, f) == n;
    return !fclose(f) && ok;
}

const char *api_read_file(Arena *mem, const char *path, char **bytes, size_t *n)
{
    enum { LARGE = 64 << 20 };
    struct stat is;
    FILE *f = fopen(path, "rbe");
    if (!f) return arena_strdup(mem, strerror(errno));
    const char *why = fstat(fileno(f), &is)    ? arena_strdup(mem, strerror(errno))
                      : !S_ISREG(is.st_mode)   ? "it is no regular file"
                      : is.st_size > LARGE     ? "it is larger than 64 MiB"
                                               : NULL;
    if (!why) {
        *n = (size_t)is.st_size;
        *bytes = arena_alloc(mem, *n + 1);
        if (fread(*bytes, 1, *n, f) != *n) why = "it could not be read to its end";
    }
    fclose(f);
    return why;
}

/* What went wrong, or NULL. The tool's own messages go to a file, of which the first lines are quoted. */
static const char *spawn(Arena *mem, const char *dir, char *const *argv)
{
    char *log = arena_printf(mem, "%s/log", dir), *text;
    posix_spawn_file_actions_t fa;
    pid_t pid;
    int status, rc;
    size_t n;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&fa, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&fa, 1, 2);
    /* Whatever this thread blocks or ignores, the compiler can be interrupted. */
    posix_spawnattr_t how;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&how);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawnp(&pid, argv[0], &fa, &how, argv, environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&fa);
    if (rc) return arena_strdup(mem, strerror(rc));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return "its end could not be awaited";
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return NULL;
    if (!api_read_file(mem, log, &text, &n) && n) return arena_printf(mem, "it says: %.400s", text);
    return WIFSIGNALED(status) ? arena_printf(mem, "it was ended by signal %d", WTERMSIG(status))
                               : arena_printf(mem, "it ended with status %d", WEXITSTATUS(status));
}

typedef struct Link {
    tensorcc_kernel *k;
    Arena *mem;
    const char *dir, *object, *source, *library;
    const char *why, *cc;
    char *bytes;
    size_t n;
} Link;

static void link_in(Link *l)
{
    const tensorcc_kernel *k = l->k;
    Text meta = {.mem = l->mem}, source = {.mem = l->mem};
    api_metadata(&meta, k, "");
    print_source(&source, &meta);
    l->cc = getenv("CC");
    if (!l->cc || !l->cc[strspn(l->cc, " ")]) l->cc = "cc";
    if (!write_file(l->object, l->bytes, l->n) || !write_file(l->source, source.s, source.n)) {
        l->why = arena_printf(l->mem, "%s: %s", l->dir, strerror(errno));
        return;
    }
    /* -z now: nothing is left to resolve on the first call. */
    char *const given[] = {"-shared",         "-fPIC",          "-o", (char *)l->library, (char *)l->object, (char *)l->source,
                           "-Wl,-z,now,-z,relro", "-Wl,--as-needed", "-lm", NULL};
    VEC(char *) argv = {0};
    char *words = arena_strdup(l->mem, l->cc), *rest = words; /* as in CC="ccache gcc" */
    for (char *w; (w = strsep(&rest, " "));)
        if (*w) VEC_PUSH(l->mem, &argv, w);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) VEC_PUSH(l->mem, &argv, given[i]);
    l->why = spawn(l->mem, l->dir, argv.at);
    if (!l->why && api_read_file(l->mem, l->library, &l->bytes, &l->n)) l->why = "no library came out";
    if (!l->why) elf_seal(l->mem, &l->bytes, &l->n);
}

static void guarded_link(void *arg) { link_in(arg); }

tensorcc_status api_library(tensorcc_kernel *k, Arena *mem, char **bytes, size_t *n)
{
    tensorcc_status status = api_object(k, mem, CG_OBJ, bytes, n);
    if (status) return status;
    const char *tmp = getenv("TMPDIR");
    /* The number of the process is in the name, so that a program that is interrupted can find its own. */
    char *dir = arena_printf(mem, "%s/tensorcc-%ld-XXXXXX", tmp && *tmp ? tmp : "/tmp", (long)getpid());
    if (!mkdtemp(dir)) return api_error(k->ctx, TENSORCC_E_ENV, D_X008_TEMP, tmp && *tmp ? tmp : "/tmp", strerror(errno));
    /* An arena of its own, so that the folder is removed even when memory runs out. */
    Link l = {.k = k,
              .dir = dir,
              .object = arena_printf(mem, "%s/%s.o", dir, "kernel"),
              .source = arena_printf(mem, "%s/%s.c", dir, "metadata"),
              .library = arena_printf(mem, "%s/%s.so", dir, "kernel"),
              .bytes = *bytes,
              .n = *n,
              .mem = arena_new()};
    bool done = l.mem && api_guard(l.mem, guarded_link, &l);
    const char *files[] = {l.object, l.source, l.library, arena_printf(mem, "%s/log", dir)};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlink(files[i]);
    rmdir(dir);
    if (!done) {
        status = api_no_memory(k->ctx);
    } else if (l.why) {
        status = api_error(k->ctx, TENSORCC_E_ENV, D_X004_LINK, l.cc, l.why);
    } else {
        *bytes = arena_dup(mem, l.bytes, l.n);
        *n = l.n;
    }
    arena_free(l.mem);
    return status;
}

/* ---- loading -------------------------------------------------------------------------------------------------------
 */
typedef struct Load {
    tensorcc_context *c;
    const char *path, *text; /* of the symbol */
    void *library;
    tensorcc_module *m;
    tensorcc_kernel *k;
    tensorcc_status status;
    struct IsaModule *g9; /* of a .g9 file */
    const char *op, *target, *schedule, *source, *numerics, *features, *toolchain, *file;
    bool strided;
    tensorcc_value *dims, *consts;
    int ndims, nconsts;
    Arena *mem;
} Load;

static tensorcc_status refuse(Load *l, const char *why)
{
    return l->status = api_error(l->c, TENSORCC_E_INPUT, D_R033_LOAD, l->path, why);
}

static bool value(Load *l, tensorcc_value **list, int *n, char *v)
{
    char *eq = strchr(v, '=');
    if (!eq) return false;
    *eq = 0;
    VEC(tensorcc_value) all = {*list, *n, *n};
    VEC_PUSH(l->mem, &all, (tensorcc_value){v, eq + 1});
    *list = all.at;
    *n = all.n;
    return true;
}

/* Reads the lines before the source; gives the source, or NULL. */
static const char *read_metadata(Load *l)
{
    const char *s = l->text;
    if (strncmp(s, MAGIC, strlen(MAGIC))) return NULL;
    for (s += strlen(MAGIC); *s != '\n';) {
        const char *end = strchr(s, '\n');
        if (!end) return NULL;
        char *line = arena_strndup(l->mem, s, (size_t)(end - s)), *v = strchr(line, ' ');
        s = end + 1;
        if (!v) return NULL;
        *v++ = 0;
        const struct {
            const char *key;
            const char **to;
        } known[] = {{"op", &l->op},         {"target", &l->target},      {"schedule", &l->schedule},
                     {"source", &l->source}, {"numerics", &l->numerics},  {"features", &l->features},
                     {"file", &l->file},     {"toolchain", &l->toolchain}};
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (!strcmp(line, known[i].key)) *known[i].to = v;
        if (!strcmp(line, "strided")) l->strided = !strcmp(v, "1");
        if (!strcmp(line, "dim") && !value(l, &l->dims, &l->ndims, v)) return NULL;
        if (!strcmp(line, "const") && !value(l, &l->consts, &l->nconsts, v)) return NULL;
    }
    bool all = l->op && l->target && l->schedule && l->source && l->numerics && l->file && l->toolchain;
    return all ? s + 1 : NULL;
}

/* What keeps this machine from running it, or NULL: another processor that it was made for by name (its features are
 * LLVM's knowledge), or the first feature ("+avx2,+fma") that is lacking. */
static const char *hindrance(Load *l)
{
    const Target *host = cg_target(l->mem, "cpu"), *named = cg_target(l->mem, l->target);
    if (!named || !named->host) return "it is made for another one";
    const char *have = host && host->features ? host->features : "";
    for (const char *s = l->features; s && *s;) {
        size_t n = strcspn(s, ",");
        char *f = arena_strndup(l->mem, s, n);
        bool found = *f != '+';
        for (const char *h = have; !found && *h;) {
            size_t m = strcspn(h, ",");
            found = m == n && !strncmp(h, f, n);
            h += m + (h[m] == ',');
        }
        if (!found) return arena_printf(l->mem, "it lacks %s", f + 1);
        s += n + (s[n] == ',');
    }
    return NULL;
}

static void analyse(Load *l)
{
    tensorcc_kernel *k = l->k;
    Diags d = {.mem = k->mem};
    double ns;
    if (l->m->tile) {
        TileProg *p = tile_parse(k->mem, &l->m->src, &d);
        if (p) k->op = api_bind(k->mem, p->op, l->ndims, l->dims, false, &d);
    } else {
        const AstOp *ast = api_find_op(l->m, l->op, &d);
        TeOp *op = ast ? api_check_op(l->m, ast, l->nconsts, l->consts, k->mem, &d, &ns) : NULL;
        if (op) k->op = api_bind(k->mem, op, l->ndims, l->dims, false, &d);
    }
    l->status = api_verdict(l->c, &d);
    if (!l->status && !k->op) refuse(l, "its source cannot be analysed");
    if (l->status) return;
    k->flags = l->strided ? TENSORCC_STRIDED : 0;
    api_numerics(l->numerics, &k->num);
    k->target_name = arena_strdup(k->mem, l->target);
    k->schedule = arena_strdup(k->mem, l->schedule);
    k->source = arena_strdup(k->mem, l->source);
    k->numerics = arena_strdup(k->mem, l->numerics);
    if (!l->g9) k->target = cg_target(k->mem, "cpu");
    k->same = !strcmp(l->toolchain, tensorcc_toolchain());
    k->threads = l->c->threads;
    k->why = "";
    k->loaded = true;
    if (l->g9) {
        api_describe_params(k);
        l->status = api_gpgpu_adopt(k, l->g9, l->path, l->text);
        return;
    }
    ApiVariant v = l->strided ? VARIANT_STRIDED : VARIANT_COMPACT;
    /* POSIX lets dlsym's pointer be called; ISO C has no such cast. */
    void *run = dlsym(l->library, l->op), *ws = dlsym(l->library, arena_printf(l->mem, "%s_workspace", l->op));
    if (!run || !ws) {
        refuse(l, "it lacks the op's entry points");
        return;
    }
    memcpy(&k->jit[v].run, &run, sizeof run);
    memcpy(&k->jit[v].workspace, &ws, sizeof ws);
    atomic_store(&k->have[v], true);
    k->library = l->library;
    api_describe_params(k);
}

static void guarded_analyse(void *arg) { analyse(arg); }

/* What the file holds is looked at before its code is; dlopen would search a bare name in the system's folders. */
static void open_library(Load *l)
{
    char real[PATH_MAX], *bytes;
    size_t n;
    if (!realpath(l->path, real)) {
        refuse(l, strerror(errno));
        return;
    }
    const char *why = api_read_file(l->mem, real, &bytes, &n);
    if (!why) why = elf_damage(bytes, n);
    if (!why && !(l->library = dlopen(real, RTLD_NOW | RTLD_LOCAL))) {
        why = dlerror();
        if (!why) why = "dlopen gives no reason";
    }
    if (!why && !(l->text = dlsym(l->library, "tensorcc_artifact"))) why = "it was not made by tcc";
    if (why) refuse(l, why);
}

/* The bytes of a `.g9` file; false: it is another one. */
static bool open_module(Load *l)
{
    char *bytes;
    size_t n;
    if (api_read_file(l->mem, l->path, &bytes, &n) || n < 4 || memcmp(bytes, "G9\r\n", 4)) return false;
    l->status = api_gpgpu_read(l->c, l->mem, l->path, bytes, n, &l->g9, &l->text);
    if (!l->status && !*l->text) refuse(l, "it was not made by tcc compile: run it with tcc sim");
    return true;
}

static void load(void *arg)
{
    Load *l = arg;
    if (!open_module(l)) open_library(l);
    if (l->status) return;
    const char *source = read_metadata(l);
    if (!source) {
        refuse(l, "what it says of itself cannot be read");
        return;
    }
    const char *why = l->g9 ? NULL : hindrance(l);
    if (why) {
        l->status = api_error(l->c, TENSORCC_E_ENV, D_R035_MACHINE, l->target, why);
        return;
    }
    l->status = tensorcc_parse(l->c, l->file, source, strlen(source), &l->m);
    if (l->status) return;
    l->k = api_kernel_new(l->m);
    if (!l->k || !api_guard_deep(l->k->mem, guarded_analyse, l)) l->status = api_no_memory(l->c);
}

tensorcc_status tensorcc_load(tensorcc_context *c, const char *path, tensorcc_kernel **out)
{
    if (!c) return TENSORCC_E_USAGE;
    if (!path || !out) return api_usage(c, "tensorcc_load", "path or out is NULL");
    *out = NULL;
    Load l = {.c = c, .path = path, .mem = arena_new()};
    if (!l.mem) return api_no_memory(c);
    if (!api_guard_deep(l.mem, load, &l)) l.status = api_no_memory(c);
    tensorcc_module_free(l.m); /* the kernel holds on to it */
    if (l.status) {
        bool adopted = l.k && l.k->gpu; /* then the module goes with it */
        if (l.k) l.k->library = NULL;
        if (l.k) atomic_store(&l.k->have[VARIANT_COMPACT], false), atomic_store(&l.k->have[VARIANT_STRIDED], false);
        tensorcc_kernel_free(l.k);
        if (l.library) dlclose(l.library);
        if (!adopted) isa_module_free(l.g9);
    } else {
        *out = l.k;
    }
    arena_free(l.mem);
    return l.status;
}
