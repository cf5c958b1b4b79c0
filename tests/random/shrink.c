/* shrink: the smallest program found that fails the same way: statements and parameters go, expressions become one of
 * their parts or a literal, sizes become 1 or half. Every step is kept only when the failure stays. */
#include "tests/random/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KIND = 32 };

typedef struct Shrinker {
    Program *p;
    const RunOptions *o;
    Outcome as;
    char kind[KIND];
    int tries;
    time_t until; /* hangs take long to reproduce */
} Shrinker;

/* What kind of failure a message tells of: its diagnostic's code, else its words without numbers and names. A shrunk
 * program that is rejected for a reason of its own has not failed the same way. */
static void kind_of(const char *why, char *to)
{
    const char *code = strstr(why, "error["), *text = strchr(why, ':');
    int n = 0;
    if (code) {
        snprintf(to, KIND, "%.10s", code);
        return;
    }
    static const char *const words[] = {"wrote", "status -", "status", "not valid", "not analysed", "differs", "run:"};
    to[0] = 0;
    for (int i = 0; text && i < 7 && !n; i++)
        if (strstr(text, words[i])) n = snprintf(to, KIND, "%s", words[i]);
}

static bool still(Shrinker *s)
{
    char why[2048], kind[KIND];
    if (s->tries-- <= 0 || time(NULL) > s->until || run_isolated(s->p, s->o, why, sizeof why) != s->as) return false;
    kind_of(why, kind);
    return strcmp(kind, s->kind) == 0;
}

static bool shrink_node(Shrinker *s, Node **at)
{
    Node *e = *at;
    bool any = false;
    if (e->type) {
        char lit[64];
        snprintf(lit, sizeof lit, strcmp(e->type, "u1") == 0 ? "true" : "%s(1)", e->type);
        if (strcmp(e->text, lit) != 0) {
            Node *one = calloc(1, sizeof *one);
            one->text = strdup(lit);
            one->type = e->type;
            *at = one;
            if (still(s)) return true;
            *at = e;
        }
        for (int i = 0; i < e->n; i++) {
            if (!e->part[i]->type || strcmp(e->part[i]->type, e->type) != 0) continue;
            *at = e->part[i];
            if (still(s)) return true;
            *at = e;
        }
    }
    for (int i = 0; i < e->n; i++) any |= shrink_node(s, &e->part[i]);
    return any;
}

static bool shrink_sizes(Shrinker *s)
{
    bool any = false;
    for (int i = 0; i < s->p->ndims; i++) {
        int64_t old = s->p->size[i], to[3] = {1, old / 2, old - 1};
        for (int k = 0; k < 3; k++) {
            if (to[k] < 1 || to[k] >= old) continue;
            s->p->size[i] = to[k];
            if (still(s)) {
                any = true;
                break;
            }
            s->p->size[i] = old;
        }
    }
    return any;
}

static bool shrink_flags(Shrinker *s)
{
    bool any = false;
    for (int i = 0; i < s->p->nstmts; i++) {
        if (s->p->stmt_gone[i]) continue;
        s->p->stmt_gone[i] = true;
        if (still(s)) {
            any = true;
            continue;
        }
        /* An output goes together with its statement. */
        bool both = false;
        for (int k = 0; k < s->p->nparams && !both; k++) {
            size_t n = strlen(s->p->param[k].name);
            const char *text = s->p->stmt[i]->text;
            if (s->p->param[k].gone || strncmp(text, s->p->param[k].name, n) != 0 || !strchr("[ ", text[n])) continue;
            s->p->param[k].gone = true;
            both = still(s);
            if (!both) s->p->param[k].gone = false;
        }
        if (!both) s->p->stmt_gone[i] = false;
        any |= both;
    }
    for (int k = 0; k < s->p->nparams; k++) {
        if (s->p->param[k].gone || s->p->param[k].output) continue;
        s->p->param[k].gone = true;
        if (still(s))
            any = true;
        else
            s->p->param[k].gone = false;
    }
    if (s->p->nfns) {
        int n = s->p->nfns;
        s->p->nfns = 0;
        if (!still(s)) s->p->nfns = n;
    }
    return any;
}

/* Ranges and hints go; sizes become known. */
static bool shrink_dims(Shrinker *s)
{
    bool any = false;
    for (int i = 0; i < s->p->ndims; i++) {
        Program old = *s->p;
        if (s->p->dim_text[i][0]) {
            s->p->dim_text[i][0] = 0;
            if (still(s))
                any = true;
            else
                *s->p = old;
        }
        if (s->p->fixed[i]) continue;
        s->p->fixed[i] = true;
        if (still(s))
            any = true;
        else
            s->p->fixed[i] = false;
    }
    return any;
}

void shrink(Program *p, const RunOptions *o, Outcome as, const char *why)
{
    Shrinker s = {.p = p, .o = o, .as = as, .tries = 1200, .until = time(NULL) + 180};
    kind_of(why, s.kind);
    for (bool more = true; more && s.tries > 0;) {
        more = shrink_flags(&s);
        for (int i = 0; i < p->nstmts; i++)
            if (!p->stmt_gone[i]) more |= shrink_node(&s, &p->stmt[i]);
        more |= shrink_sizes(&s);
        more |= shrink_dims(&s);
    }
}
