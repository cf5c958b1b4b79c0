/* memory: what the command allocates lives until it ends; and texts for people. */
#include "cli/cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct Block {
    struct Block *next;
    _Alignas(16) char data[];
};

void *cli_alloc(App *a, size_t bytes)
{
    struct Block *b = calloc(1, sizeof *b + bytes);
    if (!b) {
        fputs("error[C029]: out of memory\n", stderr);
        _Exit(LACKING);
    }
    b->next = a->blocks;
    a->blocks = b;
    return b->data;
}

void cli_release(App *a)
{
    for (struct Block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    a->blocks = NULL;
}

char *cli_printf(App *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *s = cli_alloc(a, n < 0 ? 1 : (size_t)n + 1);
    if (n > 0) vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return s;
}

char *cli_strdup(App *a, const char *s) { return cli_printf(a, "%s", s); }

void values_add(App *a, Values *v, const char *s)
{
    if ((v->n & (v->n - 1)) == 0) { /* full at powers of two */
        const char **more = cli_alloc(a, sizeof *more * (size_t)(v->n ? 2 * v->n : 1));
        if (v->n) memcpy(more, v->at, sizeof *more * (size_t)v->n);
        v->at = more;
    }
    v->at[v->n++] = s;
}

static const char *scaled(App *a, double v, double base, int n, const char *const *unit)
{
    int u = 0;
    for (; fabs(v) >= base && u + 1 < n; u++) v /= base;
    return cli_printf(a, v == floor(v) && fabs(v) < 1e4 ? "%.0f %s" : "%.4g %s", v, unit[u]);
}

const char *cli_bytes(App *a, double bytes)
{
    static const char *const unit[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    return scaled(a, bytes, 1024, 7, unit);
}

const char *cli_duration(App *a, double ns)
{
    static const char *const unit[] = {"ns", "us", "ms", "s"};
    return scaled(a, ns, 1000, 4, unit);
}

const char *cli_si(App *a, double v, const char *u)
{
    static const char *const prefix[] = {"", "k", "M", "G", "T", "P", "E"};
    const char *s = scaled(a, v, 1000, 7, prefix);
    return cli_printf(a, "%s%s", s, u);
}
