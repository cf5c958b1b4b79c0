/* tcc-random: random programs against the interpreter.
 *
 *     tcc-random [--count N] [--seed S] [--target T] [--schedule S] [--numerics M] [--idioms PERCENT] [--print]
 * [--no-shrink]
 *                [--jobs N] [--quiet]
 *
 * Seeds S … S+N-1. Each program runs in a child process: the Tile interpreter on both schedules for several processors,
 * compiled code with schedules none and default, 1 and 2 threads, compact and strided arguments, and with tiny caches;
 * numerics ordered:P (P by seed) with values of all kinds, and fast with moderate ones. `--target tile` does the Tile
 * interpreter only, any other target no such thing. PERCENT of the programs are made from idioms.def. A failure prints
 * its seed, the shrunk program and what went wrong. The last line is `N passed, N failed`. */
#include "tests/random/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const outcome_name[] = {"ok", "rejected", "wrong", "crash", "hang"};

static void report(Program *p, const RunOptions *o, Outcome r, const char *why, bool shrinking)
{
    printf("seed %llu: %s: %s\n", (unsigned long long)p->seed, outcome_name[r], why);
    if (shrinking) shrink(p, o, r, why);
    char now[2048] = "";
    if (shrinking) run_isolated(p, o, now, sizeof now);
    char *text = program_text(p);
    printf("---- %s\n%s----", now, text);
    for (int i = 0; i < p->ndims; i++) printf(" D%d=%lld%s", i, (long long)p->size[i], p->fixed[i] ? "" : " (dynamic)");
    printf("\n");
    fflush(stdout);
    free(text);
}

typedef struct Job {
    uint64_t first;
    long count, step;
} Job;

/* Many seeds in one process; when it dies the caller knows where it was. */
static int run_seeds(Job job, const RunOptions *o, bool shrinking, bool print, int *passed)
{
    int failed = 0;
    for (long i = 0; i < job.count; i += job.step) {
        Program *p = random_program(job.first + (uint64_t)i, o->idioms);
        if (print) {
            char *t = program_text(p);
            printf("# seed %llu\n%s", (unsigned long long)p->seed, t);
            free(t);
            continue;
        }
        char why[2048];
        Outcome r = run_isolated(p, o, why, sizeof why);
        if (r == RUN_OK)
            ++*passed;
        else {
            failed++;
            report(p, o, r, why, shrinking && failed <= 20);
        }
        if (!o->quiet && i % 100 == 0)
            fprintf(stderr, "seed %llu, %d passed, %d failed\n", (unsigned long long)p->seed, *passed, failed);
    }
    return failed;
}

int main(int argc, char **argv)
{
    RunOptions o = {.idioms = IDIOMS};
    long count = 100, jobs = 2;
    uint64_t seed = 1;
    bool shrinking = true, print = false;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(a, "--count") == 0)
            count = atol(v), i++;
        else if (strcmp(a, "--seed") == 0)
            seed = strtoull(v, NULL, 0), i++;
        else if (strcmp(a, "--target") == 0)
            o.target = v, i++;
        else if (strcmp(a, "--schedule") == 0)
            o.only_schedule = v, i++;
        else if (strcmp(a, "--numerics") == 0)
            o.only_numerics = v, i++;
        else if (strcmp(a, "--jobs") == 0)
            jobs = atol(v), i++;
        else if (strcmp(a, "--idioms") == 0)
            o.idioms = atoi(v), i++;
        else if (strcmp(a, "--print") == 0)
            print = true;
        else if (strcmp(a, "--no-shrink") == 0)
            shrinking = false;
        else if (strcmp(a, "--quiet") == 0)
            o.quiet = true;
        else {
            fprintf(stderr, "tcc-random: unknown option %s\n", a);
            return 2;
        }
    }
    int passed = 0, failed = 0;
    int fds[2];
    if (pipe(fds)) return 3;
    if (print) jobs = 1;
    for (long j = 0; j < jobs; j++) {
        fflush(stdout);
        if (fork() == 0) {
            int counts[2] = {0, 0};
            counts[1] = run_seeds((Job){seed + (uint64_t)j, count - j, jobs}, &o, shrinking, print, &counts[0]);
            fflush(stdout);
            _exit(write(fds[1], counts, sizeof counts) == sizeof counts ? 0 : 3);
        }
    }
    close(fds[1]);
    int counts[2];
    while (read(fds[0], counts, sizeof counts) == sizeof counts) passed += counts[0], failed += counts[1];
    while (wait(NULL) > 0) continue;
    if (!print) printf("%d passed, %d failed\n", passed, (int)failed + (int)(passed + failed == count ? 0 : 1));
    return failed != 0;
}
