/* run: one program, every schedule, numerics mode and thread count, against the interpreter, through the public C API.
 * What was compiled to the same Tile program as before is not run again. */
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/random/sched.h"

Outcome fail(Bench *b, Outcome as, const char *fmt, ...)
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
        free(b->arg[i].memory);
        free(b->arg[i].view);
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
        if (size_bound(b, i) < 0) continue;
        snprintf(name[n], sizeof name[n], "D%d", i);
        snprintf(value[n], sizeof value[n], "%lld", (long long)b->p->size[i]);
        dims[n] = (tensorcc_value){name[n], value[n]};
        n++;
    }
    /* Every other program in the device's checked mode, where uninitialised values and races are faults too. */
    bool checked = strncmp(target, "gpgpu", 5) == 0 && b->p->seed % 2;
    tensorcc_compile_options o = {.struct_size = sizeof o,
                                  .flags = checked ? TENSORCC_CHECKED : 0,
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
    int n = tensorcc_kernel_params(k);
    for (int i = 0; i < n; i++) {
        Arg *a = &b->arg[b->nargs++];
        a->info.struct_size = sizeof a->info;
        if (tensorcc_kernel_param(k, i, &a->info) != TENSORCC_OK ||
            tensorcc_kernel_shape(k, i, sizes, a->shape) != TENSORCC_OK ||
            tensorcc_kernel_bytes(k, i, sizes, &a->bytes) != TENSORCC_OK)
            return false;
        a->type = te_type_named(a->info.dtype);
        a->elements = 1;
        for (int d = 0; d < a->info.rank; d++) a->elements *= a->shape[d];
        a->first = calloc(1, (size_t)a->bytes + GUARD);
        a->memory = malloc((size_t)a->bytes + 3 * GUARD);
        a->want = calloc(1, (size_t)a->bytes + GUARD);
        /* No alignment beyond the element's. */
        int64_t size = a->info.dl_bits < 8 ? 1 : a->info.dl_bits / 8;
        a->data = (char *)a->memory + GUARD + (int64_t)((b->p->seed >> i) % 5) * size;
        a->info.name = strdup(a->info.name);
        a->info.dtype = strdup(a->info.dtype);
        a->t = (tensorcc_tensor){.data = a->data,
                                 .device = {1, 0},
                                 .ndim = a->info.rank,
                                 .dtype = {a->info.dl_code, a->info.dl_bits, 1},
                                 .shape = a->shape};
    }
    make_views(b);
    return true;
}

void put_arguments(Bench *b)
{
    for (int i = 0; i < b->nargs; i++) {
        Arg *a = &b->arg[i];
        memset(a->memory, 0x5a, (size_t)a->bytes + 3 * GUARD);
        if (a->info.kind != TENSORCC_OUTPUT) memcpy(a->data, a->first, (size_t)a->bytes);
    }
}

static tensorcc_status run_once(Bench *b, tensorcc_kernel *k)
{
    const tensorcc_tensor *args[MAX_ARGS];
    for (int i = 0; i < b->nargs; i++) args[i] = &b->arg[i].t;
    b->last[0] = 0;
    return tensorcc_run(k, b->nargs, args);
}

/* ---- comparing
 * -------------------------------------------------------------------------------------------------------------- */
static Outcome check_guards(Bench *b, const char *label)
{
    for (int i = 0; i < b->nargs; i++) {
        const Arg *a = &b->arg[i];
        const uint8_t *from = a->memory, *to = from + a->bytes + 3 * GUARD, *data = a->data;
        for (const uint8_t *s = from; s < to; s++)
            if (*s != 0x5a && (s < data || s >= data + a->bytes))
                return fail(b, RUN_MISMATCH, "%s: wrote %s %s", label, s < data ? "before" : "beyond the end of",
                            a->info.name);
        if (a->info.kind < TENSORCC_INOUT && memcmp(a->data, a->first, (size_t)a->bytes) != 0)
            return fail(b, RUN_MISMATCH, "%s: wrote to the input %s", label, a->info.name);
    }
    return RUN_OK;
}

static Outcome compare_bits(Bench *b, const char *label)
{
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

static Outcome compare_bounds(Bench *b, const char *label)
{
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
    if (tensorcc_check(b->ref, b->nargs, before, after, res) != TENSORCC_OK)
        return fail(b, RUN_MISMATCH, "%s: the check failed: %s", label, b->last);
    for (int i = 0; i < b->nargs; i++)
        if (b->arg[i].info.kind >= TENSORCC_INOUT && !res[i].pass)
            return fail(b, RUN_MISMATCH, "%s: %s[%lld] is %.9g, should be %.9g within %.3g", label, b->arg[i].info.name,
                        (long long)res[i].at, res[i].got, res[i].want, res[i].bound);
    return RUN_OK;
}

Outcome compare(Bench *b, const char *label)
{
    Outcome r = check_guards(b, label);
    if (r != RUN_OK || b->failed) return r;
    return b->num.ordered ? compare_bits(b, label) : compare_bounds(b, label);
}

void forget_seen(Bench *b)
{
    while (b->ndone) free(b->done[--b->ndone]);
}

bool seen_before(Bench *b, const char *tile)
{
    for (int i = 0; i < b->ndone; i++)
        if (strcmp(b->done[i], tile) == 0) return true;
    if (b->ndone < 8) b->done[b->ndone++] = strdup(tile);
    return false;
}

/* ---- every way
 * -------------------------------------------------------------------------------------------------------------- */
static const Way ways[] = {
    {"none", 1, false, false},
    {"default", 1, true, false},
    {"default", 2, true, false},
    {"default", 1, false, true},
};
enum { NWAYS = sizeof ways / sizeof *ways, STRIDED = 20 /* percent of the programs */ };

static bool wanted(const Bench *b, const Way *w)
{
    if (b->o->only_schedule && strcmp(b->o->only_schedule, w->schedule)) return false;
    if (w->strided) return b->num.ordered && (b->p->seed * 2654435761u >> 8) % 100 < STRIDED;
    return b->num.ordered || w->fast || b->o->only_schedule;
}

static bool same_as_before(Bench *b, tensorcc_kernel *k)
{
    tensorcc_blob *tile = NULL;
    bool same = tensorcc_emit(k, "tile", &tile) == TENSORCC_OK && seen_before(b, tensorcc_blob_data(tile));
    tensorcc_blob_free(tile);
    return same;
}

static Outcome run_and_compare(Bench *b, const Way *w, tensorcc_kernel *k, const char *label)
{
    put_arguments(b);
    if (w->strided) put_views(b);
    tensorcc_status status = run_once(b, k);
    Outcome r = w->strided ? take_views(b, label) : RUN_OK;
    if (status == TENSORCC_E_INPUT && b->p->may_fail) return r;
    if (r != RUN_OK) return r;
    if (status != TENSORCC_OK) return fail(b, RUN_MISMATCH, "%s: run: %s", label, b->last);
    if (w->strided && b->failed) return RUN_OK;
    r = compare(b, label);
    if (r != RUN_OK || w->strided || b->p->seed % 8) return r;
    /* A kernel may be called again, with what it left in its workspace. */
    put_arguments(b);
    if (run_once(b, k) != TENSORCC_OK) return fail(b, RUN_MISMATCH, "%s: second run: %s", label, b->last);
    return compare(b, label);
}

Outcome run_way(Bench *b, const Way *w, const char *numerics)
{
    char label[96];
    const char *target = b->o->target ? b->o->target : "cpu";
    snprintf(label, sizeof label, "%s%s %s, %d thread%s", w->strided ? "strided " : "", w->schedule, numerics,
             w->threads, w->threads > 1 ? "s" : "");
    tensorcc_kernel *k = compile(b, w->threads, target, w->schedule, numerics);
    if (!k)
        return fail(b, RUN_REJECTED, "%s: %s", label, b->last[0] ? b->last : tensorcc_message(b->ctx[w->threads - 1]));
    Outcome r = !w->strided && same_as_before(b, k) ? RUN_OK : run_and_compare(b, w, k, label);
    tensorcc_kernel_free(k);
    return r;
}

/* What the others are compared with. Under fast that is the check, which computes for itself. */
static Outcome reference(Bench *b, const char *numerics)
{
    b->ref = compile(b, 1, "interp", "none", numerics);
    if (!b->ref) return fail(b, RUN_REJECTED, "%s", b->last[0] ? b->last : tensorcc_message(b->ctx[0]));
    if (!b->nargs && !prepare(b, b->ref)) return fail(b, RUN_REJECTED, "parameters: %s", b->last);
    fill(b, !b->num.ordered);
    put_arguments(b);
    tensorcc_status status = run_once(b, b->ref);
    b->failed = status == TENSORCC_E_INPUT && b->p->may_fail;
    if (status != TENSORCC_OK && !b->failed) return fail(b, RUN_REJECTED, "interpreter: %s", b->last);
    for (int i = 0; i < b->nargs; i++) memcpy(b->arg[i].want, b->arg[i].data, (size_t)b->arg[i].bytes);
    return check_guards(b, "interpreter");
}

static Outcome usual_ways(Bench *b, const char *numerics)
{
    Outcome r = RUN_OK;
    if (!b->o->target || strcmp(b->o->target, "tile") == 0) r = run_lowered(b);
    for (int w = 0; w < NWAYS && r == RUN_OK; w++) {
        if (b->o->target && strcmp(b->o->target, "tile") == 0) break;
        if (wanted(b, &ways[w])) r = run_way(b, &ways[w], numerics);
    }
    return r;
}

/* Now and then a divisor is drawn that is 0 whatever the sizes, such as `i32(false)`: that is to be refused. */
static bool divides_by_zero(const Bench *b) { return !b->ref && strstr(b->last, "error[B006]"); }

static Outcome one_mode(Bench *b, const char *numerics)
{
    Outcome r = reference(b, numerics);
    if (r == RUN_REJECTED && divides_by_zero(b)) return RUN_OK;
    if (r == RUN_OK) r = b->o->schedules ? run_schedules(b, numerics) : usual_ways(b, numerics);
    tensorcc_kernel_free(b->ref);
    b->ref = NULL;
    forget_seen(b);
    return r;
}

Outcome run_program(const Program *p, const RunOptions *o, char *why, size_t n)
{
    /* Partial sums by seed: lanes divide some of the numbers, others are odd. */
    static const int partials[] = {1, 1, 1, 16, 8, 4, 2, 3, 5, 32};
    Bench b = {.p = p, .o = o, .why = why, .n = n};
    why[0] = 0;
    char *text = program_text(p), ordered[24];
    b.text = text;
    snprintf(ordered, sizeof ordered, "ordered:%d", partials[p->seed % 10]);
    const char *modes[] = {ordered, "fast"};
    if (o->only_numerics) modes[0] = o->only_numerics;
    Outcome r = open_all(&b, text);
    for (int m = 0; m < (o->only_numerics ? 1 : 2) && r == RUN_OK; m++) {
        b.num = (Numerics){modes[m][0] == 'o', 1};
        if (strchr(modes[m], ':')) b.num.p = atoi(strchr(modes[m], ':') + 1);
        r = one_mode(&b, modes[m]);
    }
    close_all(&b);
    free(b.kept);
    free(text);
    return r;
}

const char *schedule_path(long process)
{
    static char path[512];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/tcc-random-%ld.sched", folder ? folder : "/tmp", process);
    return path;
}

/* What a child tells its parent even when it dies. */
typedef struct Told {
    char why[4096];
    Schedule trying;
} Told;

/* Of processor time, because the machine may be busy. */
void run_timer(void) { setitimer(ITIMER_PROF, &(struct itimerval){.it_value = {.tv_sec = 40}}, NULL); }

static Outcome outcome_of(int status, char *why, size_t n)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) <= RUN_CRASH) return (Outcome)WEXITSTATUS(status);
    bool hang = WIFSIGNALED(status) && (WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGPROF);
    snprintf(why, n, hang ? "no answer in 40 s of processor time" : "crashed: signal %d, exit %d",
             WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return hang ? RUN_HANG : RUN_CRASH;
}

Outcome run_isolated(const Program *p, const RunOptions *o, char *why, size_t n)
{
    Told *told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED) return RUN_CRASH;
    RunOptions in = *o;
    in.trying = &told->trying;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        run_timer();
        alarm(o->schedules ? 900 : 300); /* for threads that wait for ever */
        _exit((int)run_program(p, &in, told->why, sizeof told->why));
    }
    int status = 0;
    waitpid(child, &status, 0);
    snprintf(why, n, "%s", told->why);
    Outcome r = outcome_of(status, why, n);
    if (o->failing) *o->failing = told->trying;
    munmap(told, sizeof *told);
    if (o->schedules) unlink(schedule_path(child));
    return r;
}
