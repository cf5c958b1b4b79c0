/* check: what every unit test stands on. A failed check prints its place and goes on; main ends with
 * `return check_done();`. State is per test program. */
#ifndef TCC_TESTS_CHECK_H
#define TCC_TESTS_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int check_passed, check_failed;

static inline bool check_that(bool ok, const char *file, int line, const char *what)
{
    if (ok) {
        check_passed++;
    } else {
        check_failed++;
        printf("%s:%d: failed: %s\n", file, line, what);
    }
    return ok;
}

static inline bool check_text(const char *got, const char *want, const char *file, int line, const char *what)
{
    bool ok = got && want ? !strcmp(got, want) : got == want;
    check_that(ok, file, line, what);
    if (!ok) printf("--- got:\n%s\n--- want:\n%s\n---\n", got ? got : "(null)", want ? want : "(null)");
    return ok;
}

/* Both give whether the check held, so that a test can stop where going on makes no sense. */
#define CHECK(cond)     check_that((cond), __FILE__, __LINE__, #cond)
#define CHECK_STR(a, b) check_text((a), (b), __FILE__, __LINE__, #a " == " #b)

static inline int check_done(void)
{
    printf("%d passed, %d failed\n", check_passed, check_failed);
    return check_failed != 0;
}

#endif
