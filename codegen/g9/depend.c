/* depend: may the iterations of a loop run in any order, each lane doing all that one iteration of its variable does in
 * the whole nest? They may when every tensor from outside that the nest writes is accessed, everywhere in it, at places
 * that tell iterations apart: some index is c v + r, with r from one window narrower than a step of c v. */
#include "codegen/g9/g9.h"

#include <string.h>

enum { TERMS = 12 };

typedef struct Form { /* sum of by[i] * what[i], and an interval */
    int n;
    int key[TERMS]; /* variables: their id; dims: -1 - number */
    int64_t by[TERMS];
    int64_t lo, hi;
    bool ok;
} Form;

typedef struct Place_ {
    const Tensor *t;
    Expr *const *ix;
    int n;
    bool write;
} Touch;

typedef struct Depend {
    G9 *g;
    const Var *v;
    int64_t step;
    VEC(Touch) touch;
    char *inside;     /* by variable id: 1 a loop of the nest, 2 a let of it */
    const Expr **let; /* by variable id */
    const Var **var;  /* by variable id */
    bool *own;        /* by tensor id: allocated in the nest */
    char *seen;       /* by expression id */
} Depend;

/* ---- what the nest touches */
static void touch(Depend *d, const Tensor *t, Expr *const *ix, int n, bool write)
{
    VEC_PUSH(d->g->mem, &d->touch, (Touch){t, ix, n, write});
}

static void read(Depend *d, const Expr *e)
{
    if (!e || d->seen[e->id]) return;
    d->seen[e->id] = 1;
    if (e->op == EX_LOAD) touch(d, e->load.t, e->arg, e->load.t->rank, false);
    for (int i = 0; i < te_nchildren(e); i++) read(d, te_child(e, i));
}

static void indices(Depend *d, Expr *const *ix, int n)
{
    for (int i = 0; i < n; i++) read(d, ix[i]);
}

static void walk(Depend *d, const Block *b);

static void statement(Depend *d, const Stmt *s)
{
    switch (s->kind) {
    case ST_FOR:
        d->inside[s->loop.var->id] = 1;
        d->var[s->loop.var->id] = s->loop.var;
        read(d, s->loop.var->lo);
        read(d, s->loop.var->hi);
        walk(d, &s->loop.body);
        break;
    case ST_IF:
        read(d, s->branch.cond);
        walk(d, &s->branch.then);
        walk(d, &s->branch.els);
        break;
    case ST_ALLOC: d->own[s->alloc.buf->id] = true; break;
    case ST_STORE:
        touch(d, s->store.buf, s->store.ix, s->store.buf->rank, true);
        indices(d, s->store.ix, s->store.buf->rank);
        read(d, s->store.value);
        break;
    case ST_UPDATE:
        touch(d, s->update.buf, s->update.ix, s->update.buf->rank, true);
        if (s->update.where) touch(d, s->update.where, s->update.ix, s->update.where->rank, true);
        indices(d, s->update.ix, s->update.buf->rank);
        read(d, s->update.value);
        read(d, s->update.index);
        break;
    case ST_INSERT:
        touch(d, s->insert.vals, s->insert.ix, s->insert.vals->rank - 1, true);
        touch(d, s->insert.where, s->insert.ix, s->insert.where->rank - 1, true);
        indices(d, s->insert.ix, s->insert.vals->rank - 1);
        read(d, s->insert.slots);
        read(d, s->insert.value);
        read(d, s->insert.index);
        break;
    case ST_LET:
        d->inside[s->let.var->id] = 2;
        d->let[s->let.var->id] = s->let.value;
        break;
    case ST_PREFETCH:
    case ST_COUNT: break;
    }
}

static void walk(Depend *d, const Block *b)
{
    for (int i = 0; i < b->n; i++) statement(d, b->at[i]);
}

/* ---- indices as sums */
static void add(Form *f, int key, int64_t by)
{
    int i = 0;
    while (i < f->n && f->key[i] != key) i++;
    if (i == TERMS) {
        f->ok = false;
        return;
    }
    if (i == f->n) {
        f->key[f->n] = key;
        f->by[f->n++] = 0;
    }
    f->ok = f->ok && !__builtin_add_overflow(f->by[i], by, &f->by[i]);
}

static void widen(Form *f, int64_t lo, int64_t hi, int64_t by)
{
    int64_t a, b;
    f->ok = f->ok && !__builtin_mul_overflow(lo, by, &a) && !__builtin_mul_overflow(hi, by, &b) &&
            !__builtin_add_overflow(f->lo, a < b ? a : b, &f->lo) &&
            !__builtin_add_overflow(f->hi, a < b ? b : a, &f->hi);
}

static void form(Depend *d, Form *f, const Expr *e, int64_t by)
{
    int64_t k, product, lo, hi;
    if (te_eval_size(d->g->op, e, &k)) {
        widen(f, k, k, by);
    } else if (e->op == EX_ADD || (e->op == EX_SUB && by > INT64_MIN)) {
        form(d, f, e->arg[0], by);
        form(d, f, e->arg[1], e->op == EX_ADD ? by : -by);
    } else if (e->op == EX_MUL && te_eval_size(d->g->op, e->arg[1], &k) && !__builtin_mul_overflow(by, k, &product)) {
        form(d, f, e->arg[0], product);
    } else if (e->op == EX_MUL && te_eval_size(d->g->op, e->arg[0], &k) && !__builtin_mul_overflow(by, k, &product)) {
        form(d, f, e->arg[1], product);
    } else if (e->op == EX_DIM) {
        add(f, -1 - e->sym, by);
    } else if (e->op == EX_VAR && d->inside[e->var->id] == 2) {
        form(d, f, d->let[e->var->id], by);
    } else if (e->op == EX_VAR && (e->var == d->v || !d->inside[e->var->id])) {
        add(f, e->var->id, by);
    } else if (!te_uses_var(e, d->v) && !te_has_load(e) && cg_range(d->g->op, e, &lo, &hi)) {
        widen(f, lo, hi, by);
    } else {
        f->ok = false;
    }
}

static int64_t take(Form *f, int key)
{
    for (int i = 0; i < f->n; i++)
        if (f->key[i] == key) {
            int64_t by = f->by[i];
            f->by[i] = 0;
            return by;
        }
    return 0;
}

/* The same symbols beside v, and v as often. */
static bool alike(const Form *a, const Form *b)
{
    for (int i = 0; i < a->n; i++) {
        int64_t other = 0;
        for (int j = 0; j < b->n; j++)
            if (b->key[j] == a->key[i]) other = b->by[j];
        if (other != a->by[i]) return false;
    }
    return true;
}

static bool separates(Depend *d, const Tensor *t, int k)
{
    Form first = {0};
    int64_t c = 0, lo = INT64_MAX, hi = INT64_MIN, step;
    bool any = false;
    for (int i = 0; i < d->touch.n; i++) {
        const Touch *x = &d->touch.at[i];
        if (x->t != t) continue;
        if (k >= x->n) return false;
        Form f = {.ok = true};
        form(d, &f, x->ix[k], 1);
        int64_t by = take(&f, d->v->id);
        if (!f.ok || !by || (any && (by != c || !alike(&f, &first) || !alike(&first, &f)))) return false;
        first = f;
        c = by;
        any = true;
        lo = f.lo < lo ? f.lo : lo;
        hi = f.hi > hi ? f.hi : hi;
    }
    if (__builtin_mul_overflow(c < 0 ? -c : c, d->step, &step)) return false;
    return any && hi - lo < step;
}

bool g_independent(G9 *g, const Stmt *nest, const Var *v, int64_t step)
{
    const TeOp *op = g->op;
    Depend d = {.g = g,
                .v = v,
                .step = step,
                .inside = arena_alloc(g->mem, (size_t)op->nvars + 1),
                .let = NEW_ARRAY(g->mem, const Expr *, op->nvars + 1),
                .var = NEW_ARRAY(g->mem, const Var *, op->nvars + 1),
                .own = NEW_ARRAY(g->mem, bool, op->ntensors + 1),
                .seen = arena_alloc(g->mem, (size_t)op->nexprs + 1)};
    statement(&d, nest);
    for (int i = 0; i < d.touch.n; i++) {
        const Tensor *t = d.touch.at[i].t;
        if (!d.touch.at[i].write || d.own[t->id]) continue;
        bool apart = false;
        for (int k = 0; k < t->rank && !apart; k++) apart = separates(&d, t, k);
        if (!apart) return false;
    }
    return true;
}
