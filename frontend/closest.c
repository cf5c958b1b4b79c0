/* closest.c: what a misspelled name was meant to be. */
#include "frontend/closest.h"

#include <string.h>

enum { NAME_MOST = 40 };

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* Edits (insert, drop, replace, swap neighbours) between two names; a difference of case alone is half an edit, so all
 * count twice. */
static int distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    if (na > NAME_MOST || nb > NAME_MOST) return 1000;
    int prev2[NAME_MOST + 1] = {0}, prev[NAME_MOST + 1], row[NAME_MOST + 1];
    for (size_t j = 0; j <= nb; j++) prev[j] = (int)(2 * j);
    for (size_t i = 1; i <= na; i++) {
        row[0] = (int)(2 * i);
        for (size_t j = 1; j <= nb; j++) {
            int same = a[i - 1] == b[j - 1] ? 0 : lower(a[i - 1]) == lower(b[j - 1]) ? 1 : 2;
            int best = prev[j - 1] + same;
            if (prev[j] + 2 < best) best = prev[j] + 2;
            if (row[j - 1] + 2 < best) best = row[j - 1] + 2;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && prev2[j - 2] + 2 < best)
                best = prev2[j - 2] + 2;
            row[j] = best;
        }
        memcpy(prev2, prev, sizeof prev[0] * (nb + 1));
        memcpy(prev, row, sizeof row[0] * (nb + 1));
    }
    return prev[nb];
}

void fe_consider(FeClosest *c, const char *name)
{
    int n = distance(c->to, name);
    if (n < c->edits) *c = (FeClosest){c->to, name, n};
}

FeClosest fe_closest_start(const char *name)
{
    int n = (int)strlen(name), most = n <= 2 ? 1 : n <= 5 ? 2 : 4;
    return (FeClosest){name, NULL, most + 1};
}

const char *fe_closest(const char *name, int n, const char *const *among)
{
    FeClosest c = fe_closest_start(name);
    for (int i = 0; i < n; i++) fe_consider(&c, among[i]);
    return c.name;
}
