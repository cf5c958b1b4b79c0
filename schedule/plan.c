/* plan: a fresh plan, names, and the arithmetic of splitting and fusing. */
#include "schedule/plan.h"

static Iter *new_iter(Plan *p, PlanDef *d, const char *name, IterKind kind, bool reduces, Span s)
{
    Iter *it = NEW(p->l->mem, Iter);
    *it = (Iter){.name = name, .kind = kind, .reduces = reduces, .span = s, .how = LOOP_SERIAL};
    VEC_PUSH(p->l->mem, &d->iter, it);
    return it;
}

/* The second reduction over one name in a definition is j'2. */
static const char *loop_name(const Plan *p, const PlanDef *d, const char *name)
{
    const char *s = name;
    for (int k = 2, again = 1; again; k++) {
        again = 0;
        for (int i = 0; i < d->iter.n; i++) again |= ir_streq(d->iter.at[i]->name, s);
        if (again) s = arena_printf(p->l->mem, "%s'%d", name, k);
    }
    return s;
}

static void add_root(Plan *p, PlanDef *d, Var *v, bool reduces)
{
    Iter *it = new_iter(p, d, loop_name(p, d, v->name), IT_ROOT, reduces, v->span);
    it->var = v;
    d->root[d->nroots++] = it;
    VEC_PUSH(p->l->mem, &d->loop, it);
}

void plan_define(Plan *p, PlanDef *d, Work *w)
{
    *d = (PlanDef){.w = w, .accum_type = DT_NONE};
    if (w->gone) return;
    d->red = plan_primary(p->l, w);
    d->r = d->red ? d->red->red : NULL;
    d->root = NEW_ARRAY(p->l->mem, Iter *, w->nix + (d->r ? d->r->nvars : 0) + 1);
    /* The variable of a recurrence is the outermost, so that everything before an instance has been computed. */
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < w->nix; i++)
            if ((w->ix[i] == w->def->seq) == (pass == 0) && i != w->def->slot_at) add_root(p, d, w->ix[i], false);
    for (int i = 0; d->r && i < d->r->nvars; i++) add_root(p, d, d->r->var[i], true);
}

void plan_reduction(Plan *p, PlanDef *d)
{
    bool had = d->r;
    d->red = plan_primary(p->l, d->w);
    d->r = d->red ? d->red->red : NULL;
    if (had || !d->r) return;
    Iter **root = NEW_ARRAY(p->l->mem, Iter *, d->nroots + d->r->nvars + 1);
    for (int i = 0; i < d->nroots; i++) root[i] = d->root[i];
    d->root = root;
    for (int i = 0; i < d->r->nvars; i++) add_root(p, d, d->r->var[i], true);
}

Plan *plan_new(Lower *l)
{
    Plan *p = NEW(l->mem, Plan);
    *p = (Plan){.l = l, .n = l->nworks, .def = NEW_ARRAY(l->mem, PlanDef, l->nworks + 1)};
    for (int i = 0; i < p->n; i++) plan_define(p, &p->def[i], &l->work[i]);
    return p;
}

PlanDef *plan_insert(Plan *p, int at, const Work *w)
{
    Lower *l = p->l;
    Work *work = NEW_ARRAY(l->mem, Work, p->n + 2);
    PlanDef *def = NEW_ARRAY(l->mem, PlanDef, p->n + 2);
    for (int i = 0; i < p->n; i++) {
        int to = i + (i >= at);
        work[to] = l->work[i];
        def[to] = p->def[i];
        def[to].w = &work[to];
        if (!def[to].in) continue;
        int in = (int)(def[to].in - p->def);
        def[to].in = &def[in + (in >= at)];
    }
    for (int i = 0; i < p->copy.n; i++) {
        int in = (int)(p->copy.at[i]->in - p->def);
        p->copy.at[i]->in = &def[in + (in >= at)];
    }
    work[at] = *w;
    l->work = work;
    p->def = def;
    l->nworks = ++p->n;
    plan_define(p, &def[at], &work[at]);
    return &def[at];
}

void plan_reduces_over(Plan *p, PlanDef *d, Var *v, const Iter *at)
{
    int n = 0, place = plan_index(d, at), before = 0;
    for (int i = 0; i < place; i++) before += !d->loop.at[i]->reduces;
    for (int i = 0; i < d->loop.n; i++)
        if (!d->loop.at[i]->reduces) d->loop.at[n++] = d->loop.at[i];
    d->loop.n = n;
    n = 0;
    for (int i = 0; i < d->iter.n; i++)
        if (!d->iter.at[i]->reduces) d->iter.at[n++] = d->iter.at[i];
    d->iter.n = n;
    n = 0;
    for (int i = 0; i < d->nroots; i++)
        if (!d->root[i]->reduces) d->root[n++] = d->root[i];
    d->nroots = n;
    d->red = plan_primary(p->l, d->w);
    d->r = d->red->red;
    add_root(p, d, v, true);
    for (int i = d->loop.n - 1; i > before; i--) d->loop.at[i] = d->loop.at[i - 1];
    d->loop.at[before] = d->root[d->nroots - 1];
}

PlanDef *plan_find(const Plan *p, const char *name)
{
    for (int i = 0; i < p->n; i++)
        if (ir_streq(p->def[i].w->def->name, name)) return &p->def[i];
    for (int i = 0; i < p->copy.n; i++)
        if (ir_streq(p->copy.at[i]->w->def->name, name)) return p->copy.at[i];
    return NULL;
}

Iter *plan_loop(const PlanDef *d, const char *name)
{
    for (int i = 0; i < d->loop.n; i++)
        if (ir_streq(d->loop.at[i]->name, name)) return d->loop.at[i];
    return NULL;
}

bool plan_writes(const PlanDef *d, const Tensor *t)
{
    return d->w->def->out[0] == t || (d->w->def->nout > 1 && d->w->def->out[1] == t);
}

bool plan_goes_on(const PlanDef *d) { return d->online && d->online->o != d->w->def; }

int plan_index(const PlanDef *d, const Iter *it)
{
    for (int i = 0; i < d->loop.n; i++)
        if (d->loop.at[i] == it) return i;
    return -1;
}

/* `with` in place of the loop at index `at`. */
static void replace(Plan *p, PlanDef *d, int at, int n, Iter *const *with)
{
    for (int i = 1; i < n; i++) VEC_PUSH(p->l->mem, &d->loop, NULL);
    for (int i = d->loop.n - 1; i >= at + n; i--) d->loop.at[i] = d->loop.at[i - n + 1];
    for (int i = 0; i < n; i++) d->loop.at[at + i] = with[i];
}

bool plan_pairs(const PlanDef *d)
{
    for (int i = 0; i < d->loop.n; i++) {
        const Iter *it = d->loop.at[i];
        if (it->kernel && it->reduces && it->how == LOOP_UNROLL) return true;
    }
    return false;
}

int plan_accumulator(const PlanDef *d)
{
    if (!d->r) return -1;
    if (d->accum) return plan_index(d, d->accum) + 1;
    for (int i = 0; i < d->loop.n; i++) /* inside of its columns, when these run in lanes around the rest */
        if (d->loop.at[i]->kernel) return i + (d->loop.at[i]->how == LOOP_VECTOR && !d->loop.at[i]->reduces);
    int at = d->loop.n;
    while (at > 0 && d->loop.at[at - 1]->reduces) at--;
    return at;
}

/* What belongs to one iteration of `it` belongs to one of its inner part. */
static void move_inside(Plan *p, PlanDef *d, const Iter *it, Iter *inner)
{
    for (int i = 0; i < p->n; i++)
        if (p->def[i].in == d && p->def[i].at == it) p->def[i].at = inner;
    for (int i = 0; i < d->stage.n; i++)
        if (d->stage.at[i].at == it) {
            d->stage.at[i].at = inner;
            if (d->stage.at[i].copy) d->stage.at[i].copy->at = inner;
        }
    for (int i = 0; i < d->fetch.n; i++)
        if (d->fetch.at[i].at == it) d->fetch.at[i].at = inner;
    if (d->accum == it) d->accum = inner;
    if (d->online && d->online->at == it) d->online->at = inner;
}

void iter_split(Plan *p, PlanDef *d, Iter *it, int64_t factor, SchedTail tail, const char *outer, const char *inner,
                Span s)
{
    Iter *o = new_iter(p, d, outer, IT_OUTER, it->reduces, s), *i = new_iter(p, d, inner, IT_INNER, it->reduces, s);
    o->of = i->of = it;
    o->with = i;
    i->with = o;
    o->factor = i->factor = factor;
    o->tail = i->tail = tail;
    it->by = o;
    replace(p, d, plan_index(d, it), 2, (Iter *[]){o, i});
    move_inside(p, d, it, i);
}

void iter_fuse(Plan *p, PlanDef *d, Iter *outer, Iter *inner, const char *name, Span s)
{
    Iter *f = new_iter(p, d, name, IT_FUSED, outer->reduces, s);
    f->of = outer;
    f->with = inner;
    outer->by = inner->by = f;
    int at = plan_index(d, outer);
    d->loop.at[at] = f;
    for (int i = at + 1; i + 1 < d->loop.n; i++) d->loop.at[i] = d->loop.at[i + 1];
    d->loop.n--;
}

int64_t iter_most(const Plan *p, const Iter *it)
{
    int64_t lo, hi, a, b;
    switch (it->kind) {
    case IT_ROOT:
        return ix_known(p->l, it->var->lo, &lo) && ix_known(p->l, it->var->hi, &hi) ? (hi > lo ? hi - lo : 0) : -1;
    case IT_OUTER: a = iter_most(p, it->of); return a < 0 ? -1 : (a + it->factor - 1) / it->factor;
    case IT_INNER: a = iter_most(p, it->of); return a >= 0 && a < it->factor ? a : it->factor;
    case IT_FUSED:
        a = iter_most(p, it->of);
        b = iter_most(p, it->with);
        return a < 0 || b < 0 || __builtin_mul_overflow(a, b, &a) ? -1 : a;
    }
    return -1;
}
