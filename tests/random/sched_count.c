/* sched_count: what became of the statements, in memory that all processes share. */
#include "tests/random/sched.h"

#include <stdio.h>
#include <sys/mman.h>

typedef struct Counts {
    long pairs, skipped;
    long accepted[SS_COUNT + 1], rejected[SS_COUNT + 1][D_COUNT];
} Counts;
static Counts *counts;

void count_open(void)
{
    void *at = mmap(NULL, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at != MAP_FAILED) counts = at;
}

static void one_more(long *n) { __atomic_fetch_add(n, 1, __ATOMIC_RELAXED); }

void count_statement(const char *statement, const Diag *d)
{
    SchedKind k = sched_kind_of(statement);
    if (counts) one_more(d ? &counts->rejected[k][d->code] : &counts->accepted[k]);
}

void count_pair(bool skipped)
{
    if (counts) one_more(skipped ? &counts->skipped : &counts->pairs);
}

void count_print(void)
{
    long accepted = 0, rejected = 0;
    for (int k = 0; counts && k <= SS_COUNT; k++) {
        long no = 0;
        for (int c = 0; c < D_COUNT; c++) no += counts->rejected[k][c];
        if (!no && !counts->accepted[k]) continue;
        printf("%-12s %7ld accepted %7ld rejected:", k < SS_COUNT ? sched_stmt_name[k] : "?", counts->accepted[k], no);
        for (int c = 0; c < D_COUNT; c++)
            if (counts->rejected[k][c]) printf(" %s %ld", diag_name((DiagCode)c), counts->rejected[k][c]);
        printf("\n");
        accepted += counts->accepted[k];
        rejected += no;
    }
    if (counts)
        printf("%ld programs with schedules, %ld too long to run; %ld statements accepted, %ld rejected\n",
               counts->pairs, counts->skipped, accepted, rejected);
}
