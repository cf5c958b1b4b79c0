/* sched_assign.c: values for the params of a schedule. The defaults where they are legal; else the legal assignment
 * that changes the fewest of them, found by trying one change, two, three and so on; among equals the first in the
 * order of the sets, the first param slowest. A condition is tried as soon as the params that it names have values, so
 * that most assignments are never completed. */
#include "frontend/sched_eval.h"
#include "frontend/closest.h"
#include "frontend/sched_priv.h"

#include <string.h>

/* What a search may cost: assignments that are tried as a whole, and steps of evaluating and of going from one to the
 * next. */
enum { TRIES_MOST = 200000, STEPS_MOST = 20 * 1000 * 1000 };

typedef struct Knob {
    bool given;     /* by --set */
    bool dependent; /* its set or default names params */
    int free_after; /* how many of this one and those after it may change */
    int64_t *value, dflt, set;
    int first_cond; /* the conditions that are complete with this one: a list through next_cond */
    int next_cond;  /* after this one's own condition */
} Knob;

typedef struct Search {
    Arena *mem;
    const Sched *s;
    SchedEnv env;
    Diags *diags;
    int64_t *param;
    Knob *knob;
    bool (*more)(void *user, const int64_t *param);
    void *user;
    int tries;
    int64_t steps;
} Search;

/* ---- what expressions name ----------------------------------------------------------------------------------- */

static int param_named(const Sched *s, const char *name)
{
    for (int i = 0; i < s->nparams; i++)
        if (!strcmp(s->param[i].name.text, name)) return i;
    return -1;
}

/* The last param that it names, -1 when none; *where, unless NULL, is the place. */
static int last_param(const Sched *s, const AstExpr *e, const AstExpr **where)
{
    int last = e->kind == AST_NAME ? param_named(s, e->text) : -1;
    if (last >= 0 && where) *where = e;
    for (int i = 0; i < e->nargs; i++) {
        const AstExpr *at = e;
        int n = last_param(s, e->arg[i], &at);
        if (n <= last) continue;
        last = n;
        if (where) *where = at;
    }
    return last;
}

/* The first dim without a size that it names. */
static const char *open_dim(const TeOp *op, const AstExpr *e)
{
    for (int i = 0; op && e->kind == AST_NAME && i < op->ndims; i++)
        if (op->dim[i].value < 0 && !strcmp(op->dim[i].name, e->text)) return e->text;
    for (int i = 0; i < e->nargs; i++) {
        const char *name = open_dim(op, e->arg[i]);
        if (name) return name;
    }
    return NULL;
}

/* Sets and defaults use params above. */
static bool check_order(Search *x)
{
    bool ok = true;
    for (int i = 0; i < x->s->nparams; i++) {
        const SchedParam *a = &x->s->param[i];
        for (int k = 0; k <= a->nvalues; k++) {
            const AstExpr *at, *e = k < a->nvalues ? a->value[k] : a->dflt;
            int last = last_param(x->s, e, &at);
            x->knob[i].dependent |= last >= 0;
            if (last < i) continue;
            diag_error(x->diags, D_S024_LATER, at->span, at->text, last == i ? "here" : "below");
            ok = false;
        }
    }
    return ok;
}

/* A condition waits for the last param that it names. */
static void hang_conditions(Search *x)
{
    for (int i = 0; i < x->s->nparams; i++) x->knob[i].first_cond = x->knob[i].next_cond = -1;
    for (int i = x->s->nparams - 1; i >= 0; i--) {
        const AstExpr *cond = x->s->param[i].where;
        int last = cond ? last_param(x->s, cond, NULL) : 0;
        if (!cond) continue;
        Knob *waits_for = &x->knob[last > 0 ? last : 0];
        x->knob[i].next_cond = waits_for->first_cond;
        waits_for->first_cond = i;
    }
}

static bool check_names(const Search *x)
{
    const TeOp *op = x->env.op;
    bool ok = true;
    for (int i = 0; op && i < x->s->nparams; i++) {
        const AstName *name = &x->s->param[i].name;
        const char *what = NULL;
        Span other = {0};
        for (int k = 0; k < op->ndims; k++)
            if (!strcmp(op->dim[k].name, name->text)) what = "dim", other = op->dim[k].span;
        for (int k = 0; k < op->nconsts; k++)
            if (!strcmp(op->cst[k].name, name->text)) what = "const", other = op->cst[k].span;
        if (!what) continue;
        Diag *d = diag_error(x->diags, D_S020_PARAM_NAME, name->span, name->text, what, op->name);
        if (other.src) diag_note(x->diags, d, other, "the %s", what);
        ok = false;
    }
    return ok;
}

/* ---- values that are given ----------------------------------------------------------------------------------- */

static bool read_integer(const char *s, int64_t *v)
{
    bool minus = *s == '-';
    uint64_t i = 0;
    if (minus) s++;
    if (!*s) return false;
    for (; *s; s++)
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(i, 10, &i) ||
            __builtin_add_overflow(i, (uint64_t)(*s - '0'), &i))
            return false;
    if (i > (uint64_t)INT64_MAX) return false;
    *v = minus ? -(int64_t)i : (int64_t)i;
    return true;
}

static void not_in_set(const Search *x, int i, const char *text)
{
    const SchedParam *a = &x->s->param[i];
    Diag *d = diag_error(x->diags, D_S022_SET_VALUE, a->name.span, text, a->name.text);
    Text all = {.mem = x->mem};
    for (int k = 0; k < a->nvalues && all.n < 400; k++)
        text_printf(&all, "%s%lld", k ? ", " : "", (long long)x->knob[i].value[k]);
    diag_help(x->diags, d, "its values are %s", all.s ? all.s : "none");
}

static bool no_param(const Search *x, const char *name)
{
    const Sched *s = x->s;
    Diag *d = diag_error(x->diags, D_S021_SET_UNKNOWN, s->name.span, s->name.text, name);
    FeClosest c = fe_closest_start(name);
    Text all = {.mem = x->mem};
    for (int i = 0; i < s->nparams; i++) {
        fe_consider(&c, s->param[i].name.text);
        if (all.n < 400) text_printf(&all, "%s%s", i ? ", " : "", s->param[i].name.text);
    }
    if (c.name) {
        diag_help(x->diags, d, "did you mean `%s`?", c.name);
    } else if (s->nparams) {
        diag_help(x->diags, d, "its params are %s", all.s);
    } else {
        diag_help(x->diags, d, "it has no params");
    }
    return false;
}

/* The text of the value given for param i, NULL when none was. */
static const char *given(int i, const Sched *s, int nset, const SchedSet *set)
{
    for (int k = 0; k < nset; k++)
        if (!strcmp(set[k].name, s->param[i].name.text)) return set[k].value;
    return NULL;
}

static bool check_given(const Search *x, int nset, const SchedSet *set)
{
    bool ok = true;
    for (int k = 0; k < nset; k++) {
        bool twice = false;
        for (int i = 0; i < k; i++) twice |= !strcmp(set[i].name, set[k].name);
        if (twice) {
            diag_error(x->diags, D_R012_TWICE, (Span){0}, arena_printf(x->mem, "--set %s", set[k].name));
            ok = false;
        } else if (param_named(x->s, set[k].name) < 0) {
            ok = no_param(x, set[k].name);
        }
    }
    return ok;
}

/* ---- sets and conditions ------------------------------------------------------------------------------------- */

/* A number that must be known. */
static bool number(Search *x, const AstExpr *e, Diags *diags, const char *what, int of, int64_t *v)
{
    SchedValue r;
    if (!sched_eval_steps(&x->env, e, diags, &r, &x->steps)) return false;
    *v = r.i;
    if (r.known || !diags) return r.known;
    const char *dim = open_dim(x->env.op, e);
    Diag *d = diag_error(diags, D_S023_UNKNOWN_SIZE, e->span,
                         arena_printf(x->mem, "%s of param `%s`", what, x->s->param[of].name.text),
                         dim ? arena_printf(x->mem, "`%s`", dim) : "a dim");
    if (dim) diag_help(diags, d, "give it, as in `--dim %s=1024`", dim);
    return false;
}

/* The set and the default of param i, as the params above it make them. */
static bool evaluate(Search *x, int i, Diags *diags)
{
    const SchedParam *a = &x->s->param[i];
    Knob *k = &x->knob[i];
    for (int n = 0; n < a->nvalues; n++)
        if (!number(x, a->value[n], diags, "a value", i, &k->value[n])) return false;
    return number(x, a->dflt, diags, "the default", i, &k->dflt);
}

static bool in_set(const Search *x, int i, int64_t v)
{
    for (int n = 0; n < x->s->param[i].nvalues; n++)
        if (x->knob[i].value[n] == v) return true;
    return false;
}

/* One that is undecided does not hold: it must for every size. */
static bool holds(Search *x, const AstExpr *cond)
{
    SchedValue r;
    return sched_eval_steps(&x->env, cond, NULL, &r, &x->steps) && r.known && r.i;
}

/* The values that are given, and the defaults. */
static bool start(Search *x, int nset, const SchedSet *set)
{
    bool ok = true;
    for (int i = 0; i < x->s->nparams; i++) {
        const SchedParam *a = &x->s->param[i];
        Knob *k = &x->knob[i];
        const char *text = given(i, x->s, nset, set);
        k->value = NEW_ARRAY(x->mem, int64_t, a->nvalues + 1);
        k->given = text != NULL;
        if (!evaluate(x, i, x->diags)) {
            ok = false;
        } else if (!in_set(x, i, k->dflt) && !(k->given && k->dependent)) {
            diag_error(x->diags, D_S008_DEFAULT, a->dflt->span, (long long)k->dflt, a->name.text);
            ok = false;
        }
        if (ok && text && (!read_integer(text, &k->set) || !in_set(x, i, k->set))) {
            not_in_set(x, i, text);
            ok = false;
        }
        x->param[i] = k->given ? k->set : k->dflt;
    }
    for (int i = x->s->nparams - 1, n = 0; i >= 0; i--) {
        n += !x->knob[i].given && (x->s->param[i].nvalues > 1 || x->knob[i].dependent);
        x->knob[i].free_after = n;
    }
    return ok;
}

/* ---- the search ---------------------------------------------------------------------------------------------- */

static bool spent(const Search *x) { return x->tries >= TRIES_MOST || x->steps >= STEPS_MOST; }

static bool conditions_at(Search *x, int i)
{
    for (int c = x->knob[i].first_cond; c >= 0; c = x->knob[c].next_cond)
        if (!holds(x, x->s->param[c].where)) return false;
    return true;
}

/* Completes an assignment of the params below i with exactly so many further changes. */
static bool complete(Search *x, int i, int changes)
{
    if (i == x->s->nparams) return !x->more || x->more(x->user, x->param);
    Knob *k = &x->knob[i];
    x->steps++;
    if (changes > k->free_after || (k->dependent && !evaluate(x, i, NULL))) return false;
    if (k->given && !in_set(x, i, k->set)) return false;
    for (int n = 0; n < (k->given ? 1 : x->s->param[i].nvalues) && !spent(x); n++) {
        int64_t v = k->given ? k->set : k->value[n];
        int changed = !k->given && v != k->dflt;
        bool last = i + 1 == x->s->nparams && changed != changes;
        if (changed > changes || last) continue;
        x->param[i] = v;
        x->tries += i + 1 == x->s->nparams;
        if (conditions_at(x, i) && complete(x, i + 1, changes - changed)) return true;
    }
    return false;
}

/* ---- reports ------------------------------------------------------------------------------------------------- */

/* "mr = 14, nr = 48": the values of the params that e names. */
static void values_in(const Search *x, const AstExpr *e, Text *out, bool *told)
{
    int i = e->kind == AST_NAME ? param_named(x->s, e->text) : -1;
    if (i >= 0 && !told[i] && out->n < 400) {
        text_printf(out, "%s%s = %lld", out->n ? ", " : "", e->text, (long long)x->param[i]);
        told[i] = true;
    }
    for (int k = 0; k < e->nargs; k++) values_in(x, e->arg[k], out, told);
}

static void note_condition(Search *x, Diag *d, const AstExpr *cond)
{
    SchedValue r;
    Text values = {.mem = x->mem};
    if (d == x->diags->spare) return;
    text_add(&values, "");
    values_in(x, cond, &values, NEW_ARRAY(x->mem, bool, x->s->nparams + 1));
    bool ok = sched_eval(&x->env, cond, NULL, &r);
    const char *dim = ok && !r.known ? open_dim(x->env.op, cond) : NULL;
    diag_note(x->diags, d, cond->span, "this %s%s%s", ok && r.known ? "is false" : "is not decided",
              values.n ? " for " : "", values.s);
    if (dim) diag_help(x->diags, d, "its truth depends on a size: give it, as in `--dim %s=1024`", dim);
}

/* x->param holds what was given and the defaults. */
static void note_conditions(Search *x, Diag *d)
{
    enum { NOTES_MOST = 8 };
    int n = 0;
    for (int i = 0; i < x->s->nparams; i++) {
        const AstExpr *cond = x->s->param[i].where;
        if (cond && !holds(x, cond) && n++ < NOTES_MOST) note_condition(x, d, cond);
    }
    if (!n) diag_note(x->diags, d, (Span){0}, "it needs more than the target has");
}

static bool conditions_hold(Search *x)
{
    bool ok = true;
    for (int i = 0; i < x->s->nparams; i++) {
        const AstExpr *cond = x->s->param[i].where;
        SchedValue r;
        if (cond) ok &= sched_eval_steps(&x->env, cond, x->diags, &r, &x->steps) && r.known && r.i;
    }
    return ok && (!x->more || x->more(x->user, x->param));
}

bool sched_assign(Arena *mem, const Sched *s, const TeOp *op, const Target *t, int nset, const SchedSet *set,
                  bool (*more)(void *user, const int64_t *param), void *user, Diags *diags, int64_t *param)
{
    Search x = {.mem = mem, .s = s, .diags = diags, .param = param, .more = more, .user = user};
    x.env = (SchedEnv){.sched = s, .param = param, .op = op, .target = t};
    x.knob = NEW_ARRAY(mem, Knob, s->nparams + 1);
    memset(param, 0, sizeof *param * (size_t)s->nparams);
    if (!check_names(&x) || !check_given(&x, nset, set) || !check_order(&x) || !start(&x, nset, set)) return false;
    hang_conditions(&x);
    int64_t *first = arena_dup(mem, param, sizeof *param * (size_t)s->nparams);
    int before = diags->errors;
    if (conditions_hold(&x)) return true;
    if (diags->errors > before) return false;
    for (int changes = 1; s->nparams && changes <= x.knob[0].free_after && !spent(&x); changes++)
        if (complete(&x, 0, changes)) return true;
    memcpy(param, first, sizeof *param * (size_t)s->nparams);
    Diag *d = spent(&x) ? diag_error(diags, D_S026_BUDGET, s->name.span, s->name.text, x.tries)
                        : diag_error(diags, D_S025_NO_VALUES, s->name.span, s->name.text,
                                     nset ? ", those given by --set kept" : "");
    note_conditions(&x, d);
    return false;
}
