/* use: a schedule out of a file, on an op: which one, the values of its params, the program that it makes. */
#include "schedule/apply.h"
#include "schedule/model.h"

#include <string.h>

/* ---- which one
 * ----------------------------------------------------------------------------------------------------------
 */
/* "cpu" is for every CPU, "cpu:x86-64-v3" for that one. */
static bool for_target(const Sched *s, const Target *t)
{
    if (!s->target) return true;
    size_t n = strlen(s->target);
    return !strncmp(s->target, t->name, n) && (t->name[n] == 0 || t->name[n] == ':');
}

static const Sched *refuse(Arena *mem, const SchedFile *f, const TeOp *op, const Target *t, const char *name,
                           Diags *diags)
{
    const char *all = "";
    int fit = 0;
    for (int i = 0; i < f->n; i++) {
        const Sched *s = f->sched[i];
        bool here = ir_streq(s->op.text, op->name) && for_target(s, t);
        fit += here;
        if (!name ? here || f->n == 1 : true) all = arena_printf(mem, "%s%s%s", all, *all ? ", " : "", s->name.text);
    }
    const char *what = name      ? arena_printf(mem, "there is no schedule named `%s` in it", name)
                       : !f->n   ? "there is no schedule in it"
                       : fit > 1 ? arena_printf(mem, "it has several schedules for `%s` on %s", op->name, t->name)
                                 : arena_printf(mem, "it has no schedule for `%s` on %s", op->name, t->name);
    Span s = {.src = f->src};
    Diag *d = diag_error(diags, D_S126_WHICH, s, what);
    if (*all) diag_help(diags, d, fit > 1 && !name ? "name one with `:NAME` after the file: %s" : "it has %s", all);
    return NULL;
}

const Sched *sched_choose(Arena *mem, const SchedFile *f, const char *name, const TeOp *op, const Target *t,
                          Diags *diags)
{
    const Sched *found = NULL;
    int n = 0;
    for (int i = 0; i < f->n; i++) {
        const Sched *s = f->sched[i];
        bool fits = name ? ir_streq(s->name.text, name) : ir_streq(s->op.text, op->name) && for_target(s, t);
        if (fits) found = s, n++;
    }
    if (n != 1 && !name && f->n == 1) found = f->sched[0], n = 1; /* what is wrong with it says more */
    if (n != 1) return refuse(mem, f, op, t, name, diags);
    if (found->broken) return NULL;
    if (!ir_streq(found->op.text, op->name)) {
        diag_error(diags, D_S123_OP, found->op.span, found->name.text, found->op.text, op->name);
        return NULL;
    }
    if (!for_target(found, t)) {
        diag_error(diags, D_S124_FOR_TARGET, found->target_span, found->name.text, found->target, t->name);
        return NULL;
    }
    return found;
}

/* ---- the program
 * ------------------------------------------------------------------------------------------------------------
 */
static void say_params(Lower *l, const Sched *s, const int64_t *param)
{
    for (int i = 0; i < s->nparams; i++) low_why(l, "%s = %lld", s->param[i].name.text, (long long)param[i]);
}

bool sched_values(Arena *mem, const SchedUse *u, const TeOp *op, Diags *diags, int64_t **param)
{
    *param = NEW_ARRAY(mem, int64_t, u->sched->nparams + 1);
    return sched_assign(mem, u->sched, op, u->target, u->nset, u->set, NULL, NULL, diags, *param);
}

/* As scheduled; where the `when` is decided at run time: if (when) { as scheduled } else { as the heuristic does it }
 */
static bool emit(Lower *l, const Sched *s, int n, const SchedEnv *env, bool always, Diags *diags)
{
    if (always) return version_emit(l, s, n, env, diags);
    TeOp *op = l->op;
    Expr *cond = version_condition(l, env, s->when, diags);
    if (!cond) return false;
    Nest yes, no;
    Dim *was = arena_dup(l->mem, op->dim, sizeof *was * (size_t)op->ndims);
    version_learn(op, env, s->when);
    low_open(l, &yes);
    bool done = version_emit(l, s, n, env, diags);
    Block then = low_close(l, &yes);
    memcpy(op->dim, was, sizeof *was * (size_t)op->ndims);
    if (!done) return false;
    low_open(l, &no);
    low_default(l);
    Block els = low_close(l, &no);
    low_emit(l, tile_if(l->p, cond, then, els, s->span));
    return true;
}

/* With the first n statements. */
static TileProg *lower(Arena *mem, const SchedUse *u, const TeOp *op, const int64_t *param, int n, Diags *diags,
                       Text *why)
{
    const Sched *s = u->sched;
    Lower l;
    low_start(&l, mem, op, u->target, u->num, SCHED_FILE, u->threads, why);
    SchedEnv env = {.sched = s, .param = param, .op = l.op, .target = u->target};
    SchedValue when = {true, 1};
    if (s->when && !sched_eval(&env, s->when, diags, &when)) return NULL;
    if (when.known && !when.i) {
        diag_error(diags, D_S125_WHEN, s->when->span, s->name.text, "false for these sizes");
        return NULL;
    }
    say_params(&l, s, param);
    return emit(&l, s, n, &env, when.known, diags) ? low_finish(&l) : NULL;
}

TileProg *sched_lower_with(Arena *mem, const SchedUse *u, const TeOp *op, Diags *diags, Text *why)
{
    int64_t *param;
    if (!sched_values(mem, u, op, diags, &param)) return NULL;
    return lower(mem, u, op, param, u->sched->nstmts, diags, why);
}

static void add_source(Text *out, Span s)
{
    for (uint32_t i = 0; i < s.len; i++) text_char(out, s.src->text[s.at + i]);
}

/* ---- the default
 * ------------------------------------------------------------------------------------------------------------
 */
/* `why` gets the template's reasons. */
static const Sched *default_schedule(Arena *mem, const SchedUse *u, const TeOp *op, Text *why)
{
    Lower l;
    Text text = {.mem = mem};
    low_start(&l, mem, op, u->target, u->num, SCHED_DEFAULT, u->threads, why);
    if (!model_schedule(&l, &text)) return NULL;
    Source *src = NEW(mem, Source);
    *src = (Source){.name = "default", .text = text.s, .len = text.n};
    Diags d = {.mem = mem};
    SchedFile *f = sched_parse(mem, src, &d);
    return d.errors || f->n != 1 ? NULL : f->sched[0];
}

TileProg *sched_lower_default(Arena *mem, SchedUse *u, const TeOp *op, Text *why)
{
    Diags d = {.mem = mem};
    Text said = {.mem = mem};
    text_add(&said, "");
    u->sched = default_schedule(mem, u, op, why ? &said : NULL);
    TileProg *p = u->sched ? sched_lower_with(mem, u, op, &d, why ? &said : NULL) : NULL;
    if (p && why) {
        text_printf(why, "%sas a schedule (`--emit schedule`):\n", said.s);
        add_source(why, u->sched->span);
        text_char(why, '\n');
    }
    if (p) return p;
    u->sched = NULL;
    Lower l;
    low_start(&l, mem, op, u->target, u->num, SCHED_DEFAULT, u->threads, why);
    low_default(&l);
    return low_finish(&l);
}

TileProg *sched_lower(Arena *mem, const TeOp *op, const Target *t, Numerics num, SchedMode mode, int threads, Text *why)
{
    if (mode == SCHED_DEFAULT) {
        SchedUse u = {.target = t, .num = num, .threads = threads};
        return sched_lower_default(mem, &u, op, why);
    }
    Lower l;
    low_start(&l, mem, op, t, num, mode, threads, why);
    fuse_snapshots(&l);
    plan_emit(plan_new(&l));
    return low_finish(&l);
}

/* ---- what is shown
 * ----------------------------------------------------------------------------------------------------------
 */
bool sched_steps(Arena *mem, const SchedUse *u, const TeOp *op, Diags *diags, Text *out)
{
    int64_t *param;
    if (!sched_values(mem, u, op, diags, &param)) return false;
    for (int n = 0; n <= u->sched->nstmts; n++) {
        TileProg *p = lower(mem, u, op, param, n, diags, NULL);
        if (!p) return false;
        text_add(out, n ? "\n# " : "# as written");
        if (n) add_source(out, u->sched->stmt[n - 1]->span);
        text_char(out, '\n');
        tile_print(out, p);
    }
    return true;
}

/* The text of the schedule, with the values that its params have as their defaults. */
bool sched_filled(Arena *mem, const SchedUse *u, const TeOp *op, Diags *diags, Text *out)
{
    const Sched *s = u->sched;
    int64_t *param;
    if (!sched_values(mem, u, op, diags, &param)) return false;
    uint32_t at = s->span.at;
    for (int i = 0; i < s->nparams; i++) {
        Span d = s->param[i].dflt->span;
        add_source(out, (Span){.src = s->span.src, .at = at, .len = d.at - at});
        text_printf(out, "%lld", (long long)param[i]);
        at = d.at + d.len;
    }
    add_source(out, (Span){.src = s->span.src, .at = at, .len = s->span.at + s->span.len - at});
    text_char(out, '\n');
    return true;
}

/* The knobs, one a line: its set, where it is constrained, its value. */
bool sched_space(Arena *mem, const SchedUse *u, const TeOp *op, Diags *diags, Text *out)
{
    const Sched *s = u->sched;
    int64_t *param;
    if (!sched_values(mem, u, op, diags, &param)) return false;
    double all = 1;
    for (int i = 0; i < s->nparams; i++) {
        const SchedParam *q = &s->param[i];
        text_printf(out, "%s in {", q->name.text);
        for (int k = 0; k < q->nvalues; k++) {
            text_add(out, k ? ", " : "");
            add_source(out, q->value[k]->span);
        }
        text_printf(out, "} = %lld", (long long)param[i]);
        if (q->where) {
            text_add(out, " where ");
            add_source(out, q->where->span);
        }
        text_char(out, '\n');
        all *= q->nvalues;
    }
    text_printf(out, "%d params, %.0f assignments before the conditions\n", s->nparams, all);
    return true;
}
