/* apply: the statements of a schedule, one function each, on a plan. Each checks that what it does cannot change a
 * result (beyond the order of a reduction's terms, under `fast`) and says what stands against it where it can.
 * legal.c decides; here is what the statements do. */
#include "schedule/apply.h"

#include <string.h>

/* ---- names and numbers
 * ------------------------------------------------------------------------------------------------
 */
static const char *list_loops(Apply *a, const PlanDef *d)
{
    const char *s = "";
    for (int i = 0; i < d->loop.n; i++) s = arena_printf(a->p->l->mem, "%s%s%s", s, i ? ", " : "", d->loop.at[i]->name);
    return s;
}

PlanDef *apply_def(Apply *a, const AstName *name)
{
    PlanDef *d = plan_find(a->p, name->text);
    if (d && !d->w->gone) return d;
    Diag *e = diag_error(a->diags, D_S101_NO_DEF, name->span, name->text);
    if (d) {
        diag_help(a->diags, e, "it was inlined");
        return NULL;
    }
    const char *all = "";
    for (int i = 0; i < a->p->n; i++)
        if (!a->p->def[i].w->gone)
            all = arena_printf(a->p->l->mem, "%s%s%s", all, *all ? ", " : "", a->p->def[i].w->def->name);
    for (int i = 0; i < a->p->copy.n; i++)
        all = arena_printf(a->p->l->mem, "%s, %s", all, a->p->copy.at[i]->w->def->name);
    diag_help(a->diags, e, "the definitions are %s", all);
    return NULL;
}

Iter *apply_loop(Apply *a, PlanDef *d, const AstName *name)
{
    Iter *it = plan_loop(d, name->text);
    if (it && it->kernel) {
        diag_error(a->diags, D_S120_FIXED, name->span, it->name);
        return NULL;
    }
    if (it) return it;
    Diag *e = diag_error(a->diags, D_S102_NO_LOOP, name->span, d->w->def->name, name->text);
    for (int i = 0; i < d->iter.n; i++) {
        const Iter *was = d->iter.at[i];
        if (!ir_streq(was->name, name->text) || !was->by) continue;
        if (was->by->kind == IT_OUTER)
            diag_note(a->diags, e, was->by->span, "it was split into `%s` and `%s` here", was->by->name,
                      was->by->with->name);
        else
            diag_note(a->diags, e, was->by->span, "it became part of `%s` here", was->by->name);
    }
    if (d->loop.n)
        diag_help(a->diags, e, "its loops are %s", list_loops(a, d));
    else
        diag_help(a->diags, e, "it has no loops");
    return NULL;
}

static bool fresh(Apply *a, const PlanDef *d, const AstName *name)
{
    for (int i = 0; i < d->iter.n; i++)
        if (ir_streq(d->iter.at[i]->name, name->text) && !d->iter.at[i]->by) {
            diag_error(a->diags, D_S103_NAME_TAKEN, name->span, name->text, d->w->def->name);
            return false;
        }
    return true;
}

bool apply_number(Apply *a, const AstExpr *e, const char *what, int64_t lo, int64_t hi, int64_t *v)
{
    SchedValue x;
    if (!sched_eval(a->env, e, a->diags, &x)) return false;
    if (!x.known) {
        diag_error(a->diags, D_S105_DYNAMIC, e->span, what);
        return false;
    }
    *v = x.i;
    if (x.i >= lo && x.i <= hi) return true;
    diag_error(a->diags, D_S104_NUMBER, e->span, what, (long long)x.i, (long long)lo, (long long)hi);
    return false;
}

/* ---- split, tile, fuse, order
 * -----------------------------------------------------------------------------------------
 */
static bool divides(Apply *a, Iter *it, int64_t f, Span s)
{
    int64_t n = it->kind == IT_INNER && it->tail != TAIL_PERFECT ? it->factor : iter_most(a->p, it);
    if (n >= 0 ? n % f == 0 : iter_divides(a->p, it, f)) return true;
    Diag *e = diag_error(a->diags, D_S106_DIVIDE, s, (long long)f, it->name,
                         n < 0 ? "which is not known" : arena_printf(a->p->l->mem, "%lld", (long long)n));
    if (n < 0) diag_help(a->diags, e, "give the size with `--dim`");
    return false;
}

/* The parts of a loop run as it was told to: blocks of it in parallel, one block in its lanes, both in copies. */
static void pass_on(const Iter *it, Iter *outer, Iter *inner)
{
    bool wide = it->how == LOOP_PARALLEL || it->how == LOOP_UNROLL,
         deep = it->how == LOOP_VECTOR || it->how == LOOP_UNROLL;
    if (wide) outer->how = it->how, outer->told = it->told;
    if (deep) inner->how = it->how, inner->told = it->told, inner->width = it->width;
}

static bool split_one(Apply *a, PlanDef *d, Iter *it, const AstExpr *factor, const AstName *outer, const AstName *inner)
{
    const SchedStmt *s = a->now;
    int64_t f;
    SchedTail tail = s->tail ? s->tail : TAIL_GUARD;
    if (!fresh(a, d, outer) || !fresh(a, d, inner)) return false;
    if (!apply_number(a, factor, "the factor", 1, APPLY_FACTOR_MAX, &f)) return false;
    if (tail == TAIL_PERFECT && !divides(a, it, f, factor->span)) return false;
    iter_split(a->p, d, it, f, tail, outer->text, inner->text, s->span);
    pass_on(it, it->by, it->by->with);
    return true;
}

static bool do_split(Apply *a, const SchedStmt *s)
{
    PlanDef *d = apply_def(a, &s->subject);
    Iter *it = d ? apply_loop(a, d, &s->loop[0]) : NULL;
    return it && split_one(a, d, it, s->expr[0], &s->name[0], &s->name[1]);
}

/* Strip-mine each, then all outer parts where the first loop was, all inner ones where the last was. */
static bool do_tile(Apply *a, const SchedStmt *s)
{
    PlanDef *d = apply_def(a, &s->subject);
    if (!d) return false;
    int n = s->nloops;
    Iter **outer = NEW_ARRAY(a->p->l->mem, Iter *, n + 1), **inner = NEW_ARRAY(a->p->l->mem, Iter *, n + 1);
    for (int i = 0; i < n; i++) {
        Iter *it = apply_loop(a, d, &s->loop[i]);
        if (!it || !split_one(a, d, it, s->expr[i], &s->name[i], &s->name[n + i])) return false;
        outer[i] = it->by;
        inner[i] = it->by->with;
    }
    int first = d->loop.n, last = -1;
    for (int i = 0; i < n; i++) {
        int o = plan_index(d, outer[i]), in = plan_index(d, inner[i]);
        if (o < first) first = o;
        if (in > last) last = in;
    }
    Iter **order = NEW_ARRAY(a->p->l->mem, Iter *, d->loop.n + 1);
    int at = 0;
    for (int i = 0; i < first; i++) order[at++] = d->loop.at[i];
    for (int i = 0; i < n; i++) order[at++] = outer[i];
    for (int i = first; i <= last; i++) {
        bool mine = false;
        for (int k = 0; k < n; k++) mine |= d->loop.at[i] == outer[k] || d->loop.at[i] == inner[k];
        if (!mine) order[at++] = d->loop.at[i];
    }
    for (int i = 0; i < n; i++) order[at++] = inner[i];
    for (int i = last + 1; i < d->loop.n; i++) order[at++] = d->loop.at[i];
    return legal_order(a, d, order, D_S110_ORDER) && apply_order(d, order);
}

bool apply_order(PlanDef *d, Iter *const *order)
{
    memcpy(d->loop.at, order, sizeof *order * (size_t)d->loop.n);
    return true;
}

static bool do_fuse(Apply *a, const SchedStmt *s)
{
    PlanDef *d = apply_def(a, &s->subject);
    if (!d) return false;
    Iter *outer = apply_loop(a, d, &s->loop[0]);
    if (!outer || !fresh(a, d, &s->name[0])) return false;
    for (int i = 1; i < s->nloops; i++) {
        Iter *inner = apply_loop(a, d, &s->loop[i]);
        if (!inner) return false;
        if (plan_index(d, inner) != plan_index(d, outer) + 1) {
            diag_error(a->diags, D_S107_ADJACENT, s->loop[i].span, inner->name, outer->name);
            return false;
        }
        if (!legal_fuse(a, d, outer, inner)) return false;
        bool last = i + 1 == s->nloops;
        const char *name = last ? s->name[0].text : arena_printf(a->p->l->mem, "%s.%s", outer->name, inner->name);
        iter_fuse(a->p, d, outer, inner, name, s->span);
        outer = outer->by;
    }
    return true;
}

/* The loops that are named take one another's places. */
static bool do_order(Apply *a, const SchedStmt *s)
{
    PlanDef *d = apply_def(a, &s->subject);
    if (!d) return false;
    Iter **order = NEW_ARRAY(a->p->l->mem, Iter *, d->loop.n + 1),
         **named = NEW_ARRAY(a->p->l->mem, Iter *, s->nloops + 1);
    for (int i = 0; i < s->nloops; i++) {
        named[i] = apply_loop(a, d, &s->loop[i]);
        if (!named[i]) return false;
        for (int k = 0; k < i; k++)
            if (named[k] == named[i]) {
                diag_error(a->diags, D_S109_TWICE, s->loop[i].span, named[i]->name);
                return false;
            }
    }
    for (int i = 0, next = 0; i < d->loop.n; i++) {
        bool listed = false;
        for (int k = 0; k < s->nloops; k++) listed |= named[k] == d->loop.at[i];
        order[i] = listed ? named[next++] : d->loop.at[i];
    }
    return legal_order(a, d, order, D_S110_ORDER) && apply_order(d, order);
}

/* ---- how a loop runs
 * ----------------------------------------------------------------------------------------------------
 */
static Iter *only_ref(Apply *a, const SchedStmt *s, PlanDef **d)
{
    *d = apply_def(a, &s->ref[0].def);
    return *d ? apply_loop(a, *d, &s->ref[0].loop) : NULL;
}

static void tell(Apply *a, Iter *it, LoopKind how)
{
    it->how = how;
    it->told = a->now->span;
}

static bool do_unroll(Apply *a, const SchedStmt *s)
{
    enum { COPIES = 256 };
    PlanDef *d;
    Iter *it = only_ref(a, s, &d);
    if (!it) return false;
    int64_t n = iter_most(a->p, it);
    if (n < 0 || n > COPIES) {
        Diag *e = diag_error(a->diags, D_S113_UNROLL, s->ref[0].span, it->name,
                             n < 0 ? "its extent is not known"
                                   : arena_printf(a->p->l->mem, "it would be copied %lld times", (long long)n));
        diag_help(a->diags, e, "split it, and unroll the inner part");
        return false;
    }
    tell(a, it, LOOP_UNROLL);
    return true;
}

static int usual_width(const Apply *a, const PlanDef *d, const Iter *it)
{
    const Expr *e = it->reduces ? d->r->body : d->w->rhs;
    int bytes = te_type[e->type].reg == RC_F64 || te_type[e->type].bits == 64 ? 8 : 4;
    return target_lanes(a->p->l->target, bytes) * (it->reduces ? 4 : 2);
}

static bool do_vectorize(Apply *a, const SchedStmt *s)
{
    PlanDef *d;
    Iter *it = only_ref(a, s, &d);
    if (!it) return false;
    int64_t n = usual_width(a, d, it);
    if (s->nexprs && !apply_number(a, s->expr[0], "the number of lanes", 1, 512, &n)) return false;
    if (!legal_lanes(a, d, it, s->ref[0].span)) return false;
    tell(a, it, LOOP_VECTOR);
    it->width = (int)n;
    return true;
}

static bool do_parallel(Apply *a, const SchedStmt *s)
{
    PlanDef *d;
    Iter *it = only_ref(a, s, &d);
    if (!it || !legal_parallel(a, d, it, s->ref[0].span)) return false;
    tell(a, it, LOOP_PARALLEL);
    return true;
}

static bool do_bind(Apply *a, const SchedStmt *s)
{
    diag_error(a->diags, D_S122_TARGET, s->span, "bind", a->p->l->target->name, "blocks, warps and threads");
    return false;
}

/* ---- where a producer is computed
 * -----------------------------------------------------------------------------------------
 */
static PlanDef *let_named(Apply *a, const AstName *name)
{
    PlanDef *d = apply_def(a, name);
    return d && legal_let(a, d, name->span) ? d : NULL;
}

static bool do_at(Apply *a, const SchedStmt *s)
{
    PlanDef *c = let_named(a, &s->subject), *d = apply_def(a, &s->ref[0].def);
    Iter *it = c && d ? plan_loop(d, s->ref[0].loop.text) : NULL;
    if (c && d && !it) return apply_loop(a, d, &s->ref[0].loop) != NULL;
    if (!it || !legal_at_copy(a, c, d, s->ref[0].span) || !legal_at(a, c, d, it)) return false;
    if (s->scope == STAGE_SHARED) {
        diag_error(a->diags, D_S122_TARGET, s->span, "at", a->p->l->target->name, "shared memory");
        return false;
    }
    c->in = d;
    c->at = it;
    c->placed = s->span;
    c->scope = s->scope;
    return true;
}

static bool do_root(Apply *a, const SchedStmt *s)
{
    PlanDef *c = let_named(a, &s->subject);
    if (c) c->in = NULL, c->at = NULL;
    return c != NULL;
}

static bool do_inline(Apply *a, const SchedStmt *s)
{
    PlanDef *c = let_named(a, &s->subject);
    if (!c || !legal_inline(a, c)) return false;
    fuse_inline_one(a->p->l, (int)(c - a->p->def));
    for (int i = 0; i < a->p->n; i++)
        if (!a->p->def[i].w->gone) plan_reduction(a->p, &a->p->def[i]);
    return true;
}

/* ---- copies
 * ---------------------------------------------------------------------------------------------------------------
 */
static Tensor *tensor_named(Apply *a, const PlanDef *d, const AstName *name)
{
    for (int i = 0; i < a->p->l->op->ntensors; i++) {
        Tensor *t = a->p->l->op->tensor[i];
        if (ir_streq(t->name, name->text) && legal_reads(a, d->w->rhs, t)) return t;
    }
    Diag *e = diag_error(a->diags, D_S121_NO_TENSOR, name->span, name->text, d->w->def->name);
    diag_note(a->diags, e, d->w->def->span, "`%s` is defined here", d->w->def->name);
    const PlanDef *c = plan_find(a->p, name->text);
    if (c && c->copies) diag_help(a->diags, e, "`%s` is a copy of `%s`: say that name", name->text, c->copies->name);
    return NULL;
}

static Tensor *written_as(const PlanDef *d, const AstName *name)
{
    Tensor *t = d->w->def->out[0];
    return ir_streq(t->name, name->text) ? t : NULL;
}

static bool do_stage(Apply *a, const SchedStmt *s)
{
    PlanDef *d = apply_def(a, &s->ref[0].def);
    if (!d) return false;
    Iter *it = plan_loop(d, s->ref[0].loop.text);
    if (!it) return apply_loop(a, d, &s->ref[0].loop) != NULL;
    Tensor *t = tensor_named(a, d, &s->subject);
    if (!t) return false;
    PlanStage g = {.t = t, .at = it, .scope = s->scope, .from = s, .name = s->nnames ? s->name[0].text : NULL};
    g.factor = NEW_ARRAY(a->p->l->mem, int64_t, s->layout.n + 2);
    int nfactors = s->layout.kind == LAYOUT_PACK ? s->layout.n : s->layout.kind != LAYOUT_PLAIN;
    for (int i = 0; i < nfactors; i++)
        if (!apply_number(a, s->layout.factor[i], "the factor", 1, APPLY_FACTOR_MAX, &g.factor[i])) return false;
    if (s->scope == STAGE_SHARED) {
        diag_help(a->diags,
                  diag_error(a->diags, D_S122_TARGET, s->span, "stage", a->p->l->target->name, "shared memory"),
                  "stage it in local memory");
        return false;
    }
    if (g.name && !legal_name(a, D_S117_STAGE, &s->name[0], g.t->name)) return false;
    if (!legal_stage(a, d, &g)) return false;
    if (g.name) g.copy = apply_copy(a, d, &g);
    VEC_PUSH(a->p->l->mem, &d->stage, g);
    return true;
}

static bool do_prefetch(Apply *a, const SchedStmt *s)
{
    PlanDef *d;
    Iter *it = only_ref(a, s, &d);
    Tensor *t = it ? written_as(d, &s->subject) : NULL;
    if (it && !t) t = tensor_named(a, d, &s->subject);
    PlanFetch f = {.t = t, .at = it, .from = s};
    if (!t || !apply_number(a, s->expr[0], "the distance", 1, 1 << 20, &f.distance)) return false;
    if (t->kind == TK_LET || te_type[t->type].bits < 8 || t->rank == 0) {
        diag_error(a->diags, D_S128_FETCH, s->subject.span, t->name,
                   t->kind == TK_LET ? "a `let` is computed, not fetched" : "it has no elements of whole bytes");
        return false;
    }
    VEC_PUSH(a->p->l->mem, &d->fetch, f);
    return true;
}

static bool do_pipeline(Apply *a, const SchedStmt *s)
{
    enum { STAGES = 64 };
    PlanDef *d;
    Iter *it = only_ref(a, s, &d);
    int64_t n;
    if (!it || !apply_number(a, s->expr[0], "the number of stages", 1, STAGES, &n)) return false;
    it->stages = n;
    it->piped = s->span;
    return legal_pipeline(a, d, it);
}

/* ---- registers
 * --------------------------------------------------------------------------------------------------------------
 */
static bool do_accum(Apply *a, const SchedStmt *s)
{
    PlanDef *d = apply_def(a, &s->subject);
    Iter *it = d ? plan_loop(d, s->loop[0].text) : NULL;
    if (d && !it) return apply_loop(a, d, &s->loop[0]) != NULL;
    if (!it || !legal_accum(a, d, it, s->dtype)) return false;
    d->accum = it;
    d->accum_type = s->dtype;
    return true;
}

typedef struct Register {
    const char *name;
    bool (*match)(Apply *a, PlanDef *d, Iter *const *loop);
    LoopKind how[3]; /* of rows, columns, reduction */
    int order[3];    /* outermost first */
} Register;

static const Register kernels[] = {
    {"outer", legal_outer, {LOOP_UNROLL, LOOP_VECTOR, LOOP_SERIAL}, {1, 2, 0}},
    {"dot", legal_dot, {LOOP_UNROLL, LOOP_UNROLL, LOOP_VECTOR}, {2, 0, 1}},
    {"pairs", legal_pairs, {LOOP_UNROLL, LOOP_VECTOR, LOOP_SERIAL}, {1, 2, 0}},
};

static const Register *kernel_named(Apply *a, const AstName *name)
{
    const char *all = "";
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        if (ir_streq(kernels[i].name, name->text)) return &kernels[i];
        all = arena_printf(a->p->l->mem, "%s%s%s", all, i ? ", " : "", kernels[i].name);
    }
    Diag *e = diag_error(a->diags, D_S122_TARGET, name->span, "microkernel", a->p->l->target->name,
                         arena_printf(a->p->l->mem, "kernel `%s`", name->text));
    diag_help(a->diags, e, "it has %s", all);
    return NULL;
}

static Iter *innermost_reduction(const PlanDef *d)
{
    for (int i = d->loop.n - 1; i >= 0; i--)
        if (d->loop.at[i]->reduces) return d->loop.at[i];
    return NULL;
}

static int64_t power_of_two_in(int64_t n) { return n & -n; }

/* Columns that are no power of two in number, 48 say: vectors of the power of two in it side by side, innermost. Code
 * generators have registers of such widths only. */
static bool several_vectors(Apply *a, PlanDef *d, Iter *const *loop, int n)
{
    Iter *cols = loop[1];
    int64_t all = iter_most(a->p, cols), lanes = power_of_two_in(all);
    if (lanes == all || lanes < 4 || cols->kind != IT_INNER) return false;
    const char *name = arena_printf(a->p->l->mem, "%s'v", cols->name);
    d->loop.at[n++] = loop[2];
    d->loop.at[n++] = loop[0];
    d->loop.at[n++] = cols;
    iter_split(a->p, d, cols, lanes, TAIL_GUARD, name, arena_printf(a->p->l->mem, "%s'l", cols->name), a->now->span);
    tell(a, cols->by, LOOP_UNROLL);
    tell(a, cols->by->with, LOOP_VECTOR);
    cols->by->with->width = (int)lanes;
    tell(a, loop[0], LOOP_UNROLL);
    loop[2]->kernel = loop[0]->kernel = cols->by->kernel = cols->by->with->kernel = true;
    cols->tail = cols->with->tail = TAIL_COMPOSE;
    cols->with->unit = lanes;
    if (a->now->compose && loop[0]->kind == IT_INNER) loop[0]->tail = loop[0]->with->tail = TAIL_COMPOSE;
    return true;
}

/* The terms of `pairs` two by two, innermost. */
static void pair_terms(Apply *a, PlanDef *d, Iter *terms)
{
    Arena *mem = a->p->l->mem;
    iter_split(a->p, d, terms, 2, TAIL_PEEL, arena_printf(mem, "%s'q", terms->name),
               arena_printf(mem, "%s'p", terms->name), a->now->span);
    Iter *pairs = terms->by, *in = pairs->with;
    int last = d->loop.n - 1;
    for (int i = plan_index(d, in); i < last; i++) d->loop.at[i] = d->loop.at[i + 1];
    d->loop.at[last] = in;
    tell(a, pairs, LOOP_SERIAL);
    tell(a, in, LOOP_UNROLL);
    pairs->kernel = in->kernel = true;
}

static bool do_microkernel(Apply *a, const SchedStmt *s)
{
    const Register *k = kernel_named(a, &s->kernel);
    PlanDef *d = apply_def(a, &s->ref[0].def);
    if (!k || !d) return false;
    Iter *loop[3] = {0};
    for (int i = 0; i < s->nrefs; i++) {
        PlanDef *other = apply_def(a, &s->ref[i].def);
        if (!other) return false;
        if (other != d) {
            diag_error(a->diags, D_S119_KERNEL, s->ref[i].span, k->name, "its loops are of different definitions");
            return false;
        }
        loop[i] = apply_loop(a, d, &s->ref[i].loop);
        if (!loop[i]) return false;
    }
    /* The loops are rows, columns, reduction, whatever their order. */
    for (int i = 0; i < 2; i++)
        if (s->nrefs == 3 && loop[i]->reduces && !loop[2]->reduces) {
            Iter *x = loop[i];
            loop[i] = i == 0 ? loop[1] : loop[2];
            if (i == 0) loop[1] = loop[2];
            loop[2] = x;
        }
    if (s->nrefs == 2) loop[2] = innermost_reduction(d);
    if (!legal_kernel(a, d, loop, k->name, s) || !k->match(a, d, loop)) return false;
    int n = 0;
    for (int i = 0; i < d->loop.n; i++) {
        Iter *it = d->loop.at[i];
        if (it != loop[0] && it != loop[1] && it != loop[2]) d->loop.at[n++] = it;
    }
    bool pairs = k->match == legal_pairs;
    if (!pairs && k->how[1] == LOOP_VECTOR && several_vectors(a, d, loop, n)) return true;
    for (int i = 0; i < 3; i++) {
        Iter *it = loop[k->order[i]];
        d->loop.at[n++] = it;
        tell(a, it, k->how[k->order[i]]);
        it->kernel = true;
        if (it->how == LOOP_VECTOR)
            it->width =
                it->reduces ? usual_width(a, d, it) / 4 : (int)(iter_most(a->p, it) > 0 ? iter_most(a->p, it) : 1);
    }
    if (s->compose && loop[0]->kind == IT_INNER) loop[0]->tail = loop[0]->with->tail = TAIL_COMPOSE;
    if (pairs) pair_terms(a, d, loop[2]);
    return true;
}

/* ---- conditions
 * -----------------------------------------------------------------------------------------------------------
 */
static bool apply_all(Apply *a, int n, SchedStmt *const *s);

static bool do_if(Apply *a, const SchedStmt *s)
{
    SchedValue v;
    if (!sched_eval(a->env, s->expr[0], a->diags, &v)) return false;
    if (!v.known) {
        diag_error(a->diags, D_S105_DYNAMIC, s->expr[0]->span, "the condition");
        return false;
    }
    return !v.i || apply_all(a, s->nbody, s->body);
}

/* Another way is another plan: version.c comes by again for it. */
static bool do_specialize(Apply *a, const SchedStmt *s)
{
    SchedValue v;
    Branches *b = a->branches;
    if (!sched_eval(a->env, s->expr[0], a->diags, &v)) return false;
    if (v.known) return !v.i || apply_all(a, s->nbody, s->body);
    if (!b) return true;
    if (a->passed == b->n) {
        b->open = s;
        return true;
    }
    if (!b->taken[a->passed++]) return true;
    version_learn(a->p->l->op, a->env, s->expr[0]);
    return apply_all(a, s->nbody, s->body);
}

static bool (*const statement[SS_COUNT])(Apply *, const SchedStmt *) = {
    [SS_TILE] = do_tile,
    [SS_SPLIT] = do_split,
    [SS_FUSE] = do_fuse,
    [SS_ORDER] = do_order,
    [SS_UNROLL] = do_unroll,
    [SS_VECTORIZE] = do_vectorize,
    [SS_PARALLEL] = do_parallel,
    [SS_BIND] = do_bind,
    [SS_AT] = do_at,
    [SS_INLINE] = do_inline,
    [SS_ROOT] = do_root,
    [SS_STAGE] = do_stage,
    [SS_ACCUM] = do_accum,
    [SS_RFACTOR] = apply_rfactor,
    [SS_ONLINE] = apply_online,
    [SS_MICROKERNEL] = do_microkernel,
    [SS_PIPELINE] = do_pipeline,
    [SS_PREFETCH] = do_prefetch,
    [SS_LAYOUT] = apply_layout,
    [SS_SPECIALIZE] = do_specialize,
    [SS_IF] = do_if,
};

static bool apply_all(Apply *a, int n, SchedStmt *const *s)
{
    for (int i = 0; i < n && !(a->branches && a->branches->open); i++) {
        const SchedStmt *was = a->now;
        a->now = s[i];
        if (!statement[s[i]->kind](a, s[i]) || !legal_still(a)) return false;
        a->now = was;
    }
    return true;
}

bool plan_apply(Plan *p, const Sched *s, int n, const SchedEnv *env, Branches *branches, Diags *diags)
{
    Apply a = {.p = p, .s = s, .env = env, .branches = branches, .diags = diags};
    return apply_all(&a, n, s->stmt);
}
