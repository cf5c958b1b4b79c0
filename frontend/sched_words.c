/* sched_words.c: the names and words of a `.sched` file. Relies on the tables of sched.def. */
#include "frontend/sched_priv.h"

#include <stdlib.h>
#include <string.h>

const char *const sched_stmt_name[SS_COUNT] = {
#define STATEMENT(ID, word, form) [SS_##ID] = word,
#include "frontend/sched.def"
};
const char *const sched_stmt_form[SS_COUNT] = {
#define STATEMENT(ID, word, form) [SS_##ID] = form,
#include "frontend/sched.def"
};
const char *const sched_tail_name[TAIL_COUNT] = {
    [TAIL_NONE] = "",
#define TAIL(ID, word) [TAIL_##ID] = word,
#include "frontend/sched.def"
};
const char *const sched_scope_name[STAGE_SCOPE_COUNT] = {
    [SCOPE_NONE] = "",
#define STAGE_SCOPE(ID, word) [STAGE_##ID] = word,
#include "frontend/sched.def"
};
const char *const sched_bind_name[BIND_COUNT] = {
#define BIND(ID, text) [BIND_##ID] = text,
#include "frontend/sched.def"
};

/* ---- words --------------------------------------------------------------------------------------------------- */

bool sched_is(const Parser *p, int at, const char *word)
{
    const Token *t = &p->tok[at];
    return t->kind == T_ID && strlen(word) == t->len && !memcmp(p->src->text + t->at, word, t->len);
}

bool sched_accept(SchedParser *x, const char *word)
{
    if (fe_kind(&x->p) != T_ID || !sched_is(&x->p, x->p.at, word)) return false;
    x->p.tok[x->p.at].role = ROLE_WORD;
    fe_advance(&x->p);
    return true;
}

bool sched_expect(SchedParser *x, const char *word, const char *where)
{
    if (sched_accept(x, word)) return true;
    fe_expected(&x->p, x->p.failed ? "" : arena_printf(x->p.mem, "`%s` %s", word, where));
    return false;
}

SchedKind sched_statement_at(const Parser *p, int at)
{
    if (p->tok[at].kind == T_IF) return SS_IF;
    int k = 0;
    while (k < SS_COUNT && !sched_is(p, at, sched_stmt_name[k])) k++;
    return (SchedKind)k;
}

bool fe_starts_sched(const Parser *p, int at)
{
    SchedKind kind = sched_statement_at(p, at);
    if (kind == SS_IF) return true;
    int second = fe_after(p, at), third = fe_after(p, second);
    TokenKind after = (TokenKind)p->tok[third].kind;
    if (p->tok[second].kind != T_ID) return false;
    if (kind == SS_COUNT)
        return (sched_is(p, at, "param") && after == T_IN) ||
               (sched_is(p, at, "schedule") && sched_is(p, third, "for"));
    /* Parts of other statements that start with the same word. */
    return kind == SS_AT       ? after == T_COLON
           : kind == SS_LAYOUT ? after == T_LPAREN && !sched_is(p, second, "pack")
                               : true;
}

void sched_help_names(SchedParser *x, Diag *d, const char *text, const char *kinds, int n, const char *const *names)
{
    if (d == x->p.diags->spare) return;
    FeClosest c = fe_closest_start(text);
    for (int i = 0; i < n; i++)
        if (*names[i]) fe_consider(&c, names[i]);
    if (c.name) {
        fe_help(&x->p, d, "did you mean `%s`?", c.name);
        return;
    }
    Text all = {.mem = x->p.mem};
    for (int i = 0; i < n; i++)
        if (*names[i]) text_printf(&all, "%s %s", all.s ? "," : "", names[i]);
    fe_help(&x->p, d, "the %s are%s", kinds, all.s);
}

/* ---- names --------------------------------------------------------------------------------------------------- */

/* NAME'2 and up: the program has at least two of them, and the first has no count. */
static bool well_counted(const char *quote)
{
    size_t n = strspn(quote + 1, "0123456789");
    return quote[1 + n] == 0 && quote[1] != '0' && !(n == 1 && quote[1] == '1');
}

AstName sched_name(SchedParser *x, const char *what, bool counted)
{
    AstName name = fe_name(&x->p, what);
    const char *quote = strchr(name.text, '\'');
    if (!quote || (counted && well_counted(quote))) return name;
    Diag *d = diag_error(x->p.diags, D_S011_QUOTE, name.span, name.text, what);
    fe_help(&x->p, d,
            counted ? "they are counted from the second on, which is `%.*s'2`"
                    : "a count such as '2 tells apart what the program names twice: `%.*s` will do",
            (int)(quote - name.text < 40 ? quote - name.text : 40), name.text);
    x->p.broken = true;
    return name;
}

typedef struct Place {
    const char *text;
    int at;
} Place;

static int order(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    int c = strcmp(x->text, y->text);
    return c ? c : x->at - y->at;
}

/* By sorting, since a hostile list may be long. */
int *sched_earlier(Arena *mem, int n, const AstName *const *name)
{
    int *earlier = NEW_ARRAY(mem, int, n + 1);
    Place *p = NEW_ARRAY(mem, Place, n + 1);
    for (int i = 0; i < n; i++) p[i] = (Place){name[i]->text, i};
    qsort(p, (size_t)n, sizeof *p, order);
    for (int i = 0, first = 0; i < n; i++) {
        if (strcmp(p[i].text, p[first].text)) first = i;
        earlier[p[i].at] = i == first || !*p[i].text ? -1 : p[first].at;
    }
    return earlier;
}
