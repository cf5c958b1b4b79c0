/* run: one program, every schedule, numerics mode and thread count, against the interpreter. Uses the public C API
 * only. */
#include "tests/random/random.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/tensorcc.h"

enum { MAX_ARGS = MAX_PARAMS };

typedef struct Arg {
    tensorcc_param info;
    DType type;
    int64_t shape[8];
    int64_t bytes, elements;
    void *first; /* as it is before the run */
    void *data;  /* what runs work on */
    void *want;  /* what the interpreter gave */
    tensorcc_tensor t;
} Arg;

typedef struct Bench {
    const Program *p;
    const char *target;
    char *why;
    size_t n;
    tensorcc_context *ctx[2]; /* one thread, two */
    tensorcc_module *mod[2];
    int nargs;
    Arg arg[MAX_ARGS];
    char last[512];
} Bench;

static Outcome fail(Bench *b, Outcome as, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static Outcome fail(Bench *b, Outcome as, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(b->why, b->n, fmt, ap);
    va_end(ap);
    return as;
}

static void keep_diagnostic(void *user, const tensorcc_diagnostic *d)
{
    Bench *b = user;
    if (!b->last[0]) snprintf(b->last, sizeof b->last, "%s", d->rendered ? d->rendered : d->message);
}

static Outcome open_all(Bench *b, const char *text)
{
    for (int t = 0; t < 2; t++) {
        tensorcc_context_options o = {
            .struct_size = sizeof o, .on_diagnostic = keep_diagnostic, .user = b, .threads = t + 1};
        if (tensorcc_open(&o, &b->ctx[t]) != TENSORCC_OK) return fail(b, RUN_CRASH, "no context");
        if (tensorcc_parse(b->ctx[t], "random.te", text, strlen(text), &b->mod[t]) != TENSORCC_OK)
            return fail(b, RUN_REJECTED, "%s", b->last);
    }
    return RUN_OK;
}

static void close_all(Bench *b)
{
    for (int i = 0; i < b->nargs; i++) {
        free(b->arg[i].first);
        free(b->arg[i].data);
        free(b->arg[i].want);
    }
    for (int t = 0; t < 2; t++) {
        if (b->mod[t]) tensorcc_module_free(b->mod[t]);
        if (b->ctx[t]) tensorcc_close(b->ctx[t]);
    }
}

static tensorcc_kernel *compile(Bench *b, int threads, const char *target, const char *schedule, const char *numerics)
{
    tensorcc_value dims[MAX_DIMS];
    char name[MAX_DIMS][16], value[MAX_DIMS][16];
    int n = 0;
    for (int i = 0; i < b->p->ndims; i++) {
        if (!b->p->fixed[i]) continue;
        snprintf(name[n], sizeof name[n], "D%d", i);
        snprintf(value[n], sizeof value[n], "%lld", (long long)b->p->size[i]);
        dims[n] = (tensorcc_value){name[n], value[n]};
        n++;
    }
    tensorcc_compile_options o = {.struct_size = sizeof o,
                                  .target = target,
                                  .schedule = schedule,
                                  .numerics = numerics,
                                  .ndims = n,
                                  .dims = dims,
                                  .threads = threads};
    tensorcc_kernel *k = NULL;
    b->last[0] = 0;
    return tensorcc_compile(b->mod[threads - 1], &o, &k) == TENSORCC_OK ? k : NULL;
}

/* ---- inputs
 * --------------------------------------------------------------------------------------------------------------- */
static int64_t index_bound(const Bench *b, const Arg *a)
{
    for (int i = 0; i < b->p->nparams; i++)
        if (strcmp(b->p->param[i].name, a->info.name) == 0 && b->p->param[i].bound >= 0)
            return b->p->size[b->p->param[i].bound];
    return -1;
}

/* `fast` promises nothing about the places of infinities and NaNs that the others multiply by 0: calm values. */
static void fill(Bench *b, bool calm)
{
    for (int i = 0; i < b->nargs; i++) {
        Arg *a = &b->arg[i];
        Rng r = {b->p->seed * 77 + 0x5151 + (uint64_t)i};
        rng_next(&r);
        int64_t row = a->info.rank ? a->shape[a->info.rank - 1] : 1;
        Values v = {a->first, row ? a->elements / row : 0, row, index_bound(b, a), calm};
        if (a->info.kind != TENSORCC_OUTPUT) fill_values(&r, a->type, &v);
    }
}

static bool prepare(Bench *b, tensorcc_kernel *k)
{
    int64_t sizes[MAX_DIMS];
    for (int i = 0; i < b->p->ndims; i++) sizes[i] = b->p->size[i];
    b->nargs = tensorcc_kernel_params(k);
    for (int i = 0; i < b->nargs; i++) {
        Arg *a = &b->arg[i];
        a->info.struct_size = sizeof a->info;
        if (tensorcc_kernel_param(k, i, &a->info) != TENSORCC_OK ||
            tensorcc_kernel_shape(k, i, sizes, a->shape) != TENSORCC_OK)
            return false;
        a->type = te_type_named(a->info.dtype);
        a->elements = 1;
        for (int d = 0; d < a->info.rank; d++) a->elements *= a->shape[d];
        int64_t row = a->info.rank ? a->shape[a->info.rank - 1] : 1;
        a->bytes = a->info.dl_bits >= 8 ? a->elements * (a->info.dl_bits / 8)
                   : row                ? a->elements / row * ((row + 1) / 2)
                                        : 0;
        a->first = calloc(1, (size_t)a->bytes + 64);
        a->data = calloc(1, (size_t)a->bytes + 64);
        a->want = calloc(1, (size_t)a->bytes + 64);
        a->info.name = strdup(a->info.name);
        a->info.dtype = strdup(a->info.dtype);
        memset((char *)a->first + a->bytes, 0x5a, 64);
        a->t = (tensorcc_tensor){.data = a->data,
                                 .device = {1, 0},
                                 .ndim = a->info.rank,
                                 .dtype = {a->info.dl_code, a->info.dl_bits, 1},
                                 .shape = a->shape};
    }
    return true;
}

static tensorcc_status run_once(Bench *b, tensorcc_kernel *k)
{
    const tensorcc_tensor *args[MAX_ARGS];
    for (int i = 0; i < b->nargs; i++) {
        Arg *a = &b->arg[i];
        memcpy(a->data, a->first, (size_t)a->bytes + 64);
        if (a->info.kind == TENSORCC_OUTPUT) memset(a->data, 0x5a, (size_t)a->bytes + 64);
        args[i] = &a->t;
    }
    b->last[0] = 0;
    return tensorcc_run(k, b->nargs, args);
}

/* ---- comparing
 * -------------------------------------------------------------------------------------------------------------- */
static Outcome compare(Bench *b, tensorcc_kernel *k, bool ordered, const char *label)
{
    for (int i = 0; i < b->nargs; i++)
        for (int x = 0; x < 64; x++)
            if (((uint8_t *)b->arg[i].data)[b->arg[i].bytes + x] != 0x5a)
                return fail(b, RUN_MISMATCH, "%s: wrote beyond the end of %s", label, b->arg[i].info.name);
    if (ordered) {
        for (int i = 0; i < b->nargs; i++) {
            const Arg *a = &b->arg[i];
            int64_t at = first_difference(a->type, a->bytes, a->data, a->want);
            char got[48], want[48];
            if (at < 0) continue;
            value_text(a->type, a->data, at, got, sizeof got);
            value_text(a->type, a->want, at, want, sizeof want);
            return fail(b, RUN_MISMATCH, "%s: element %lld of %s is %s, the interpreter gives %s", label, (long long)at,
                        a->info.name, got, want);
        }
        return RUN_OK;
    }
    const tensorcc_tensor *before[MAX_ARGS], *after[MAX_ARGS];
    tensorcc_tensor olds[MAX_ARGS];
    tensorcc_check_result res[MAX_ARGS];
    for (int i = 0; i < b->nargs; i++) {
        olds[i] = b->arg[i].t;
        olds[i].data = b->arg[i].first;
        before[i] = &olds[i];
        after[i] = &b->arg[i].t;
        res[i] = (tensorcc_check_result){.struct_size = sizeof res[i]};
    }
    if (tensorcc_check(k, b->nargs, before, after, res) == TENSORCC_OK) {
        bool all = true;
        for (int i = 0; i < b->nargs; i++) {
            if (b->arg[i].info.kind < TENSORCC_INOUT || res[i].pass) continue;
            all = false;
            return fail(b, RUN_MISMATCH, "%s: %s[%lld] is %.9g, should be %.9g within %.3g", label, b->arg[i].info.name,
                        (long long)res[i].at, res[i].got, res[i].want, res[i].bound);
        }
        if (all) return RUN_OK;
    }
    return fail(b, RUN_MISMATCH, "%s: the check failed: %s", label, b->last);
}

static Outcome one_mode(Bench *b, const RunOptions *o, const char *numerics)
{
    static const char *const schedules[] = {"none", "default"};
    bool ordered = numerics[0] == 'o';
    tensorcc_kernel *ref = compile(b, 1, "interp", "none", numerics);
    if (!ref) return fail(b, RUN_REJECTED, "%s", b->last[0] ? b->last : tensorcc_message(b->ctx[0]));
    if (!b->nargs && !prepare(b, ref)) return fail(b, RUN_REJECTED, "parameters: %s", b->last);
    fill(b, !ordered);
    if (run_once(b, ref) != TENSORCC_OK) {
        tensorcc_kernel_free(ref);
        return fail(b, RUN_REJECTED, "interpreter: %s", b->last);
    }
    for (int i = 0; i < b->nargs; i++) memcpy(b->arg[i].want, b->arg[i].data, (size_t)b->arg[i].bytes);
    Outcome r = RUN_OK;
    for (int s = 0; s < 2 && r == RUN_OK; s++) {
        if (o->only_schedule && strcmp(o->only_schedule, schedules[s])) continue;
        for (int threads = 1; threads <= 2 && r == RUN_OK; threads++) {
            char label[96];
            snprintf(label, sizeof label, "%s %s, %d thread%s", schedules[s], numerics, threads,
                     threads > 1 ? "s" : "");
            tensorcc_kernel *k = compile(b, threads, o->target ? o->target : "cpu", schedules[s], numerics);
            if (!k)
                r = fail(b, RUN_REJECTED, "%s: %s", label,
                         b->last[0] ? b->last : tensorcc_message(b->ctx[threads - 1]));
            else if (run_once(b, k) != TENSORCC_OK)
                r = fail(b, RUN_MISMATCH, "%s: run: %s", label, b->last);
            else
                r = compare(b, k, ordered, label);
            if (k) tensorcc_kernel_free(k);
        }
    }
    tensorcc_kernel_free(ref);
    return r;
}

Outcome run_program(const Program *p, const RunOptions *o, char *why, size_t n)
{
    static const char *const modes[] = {"ordered", "ordered:16", "fast"};
    Bench b = {.p = p, .why = why, .n = n};
    why[0] = 0;
    char *text = program_text(p);
    Outcome r = open_all(&b, text);
    for (int m = 0; m < 3 && r == RUN_OK; m++)
        if (!o->only_numerics || strcmp(o->only_numerics, modes[m]) == 0) r = one_mode(&b, o, modes[m]);
    close_all(&b);
    free(text);
    return r;
}

Outcome run_isolated(const Program *p, const RunOptions *o, char *why, size_t n)
{
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return RUN_CRASH;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit((int)run_program(p, o, shared, 4096));
    }
    int status = 0;
    waitpid(child, &status, 0);
    snprintf(why, n, "%s", shared);
    munmap(shared, 4096);
    if (WIFEXITED(status) && WEXITSTATUS(status) <= RUN_MISMATCH) return (Outcome)WEXITSTATUS(status);
    bool hang = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    snprintf(why, n, hang ? "no answer in 60 s" : "crashed: signal %d, exit %d",
             WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return hang ? RUN_HANG : RUN_CRASH;
}
