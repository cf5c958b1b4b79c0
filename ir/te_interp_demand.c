/* te_interp_demand: single elements of definitions, computed when they are asked for together with what they need, so
 * that a sample of a large program's outputs can be checked.
 *
 * What has been computed is kept per definition, by offset. Definitions ask for elements of earlier ones only, so the
 * nesting is as deep as there are definitions and none is entered twice; a recurrence along `seq t` is computed for the
 * rows asked for, from t = 0 on, and finds its earlier places already there. A definition's levels are numbered from 0
 * again (Run.base). */
#include "ir/te_interp_priv.h"

#include <string.h>

enum { KEEP = 1 << 22 }; /* elements kept of a definition; then it starts anew */

typedef struct Entry {
    int64_t at; /* offset + 1; 0: free */
    Num val[2];
    double err[2];
} Entry;

struct Memo {
    Batch b;
    int *dim;      /* by variable of b: which dimension */
    bool own_rows; /* seq: it reads itself at the other indices as they are */
    bool alike;    /* topk: both results are laid out alike */
    Entry *entry;  /* open addressing, by offset in the first result; cap is a power of two */
    int64_t cap, n;
    int64_t *missing; /* offsets being computed: a batch */
};

/* ---- what is known ----------------------------------------------------------------------------------------------- */
static Entry *find(const Memo *m, int64_t at)
{
    uint64_t i = (uint64_t)at * 0x9e3779b97f4a7c15u;
    for (i = (i ^ i >> 32) & (uint64_t)(m->cap - 1);; i = (i + 1) & (uint64_t)(m->cap - 1))
        if (m->entry[i].at == at + 1 || !m->entry[i].at) return &m->entry[i];
}

static void grow(Run *r, Memo *m)
{
    Memo old = *m;
    m->cap = old.cap ? 2 * old.cap : 256;
    m->entry = interp_malloc(r, m->cap * (int64_t)sizeof *m->entry);
    for (int64_t i = 0; i < old.cap; i++)
        if (old.entry[i].at) *find(m, old.entry[i].at - 1) = old.entry[i];
}

static void keep(Run *r, Memo *m, int64_t at, int which, Num x, double e)
{
    if (2 * (m->n + 1) > m->cap) grow(r, m);
    Entry *to = find(m, at);
    if (!to->at) {
        to->at = at + 1;
        m->n++;
    }
    to->val[which] = x;
    to->err[which] = e;
}

static bool known(const Memo *m, int64_t at) { return m->cap && find(m, at)->at; }

/* ---- offsets ----------------------------------------------------------------------------------------------------- */
/* Elements from one value of index k - 1 to the next. */
static int64_t block_of(const Place *p, int k) { return k > 0 ? p->stride[k - 1] : p->places; }
static int64_t digit_of(const Place *p, int k, int64_t at) { return at % block_of(p, k) / p->stride[k]; }

/* An offset in result `which` as one in the first: they differ where only one has rows of nibbles. */
static int64_t key_of(const Run *r, const Memo *m, int which, int64_t at)
{
    if (which == 0 || m->alike) return at;
    const Def *d = m->b.d;
    const Place *p = &r->place[d->out[0]->id], *q = &r->place[d->out[which]->id];
    int64_t key = 0;
    for (int k = 0; k < d->nix; k++) key += digit_of(q, k, at) * p->stride[k];
    return key;
}

/* ---- definitions ------------------------------------------------------------------------------------------------- */
static bool reads_own_rows(const Def *d, const Expr *e, uint8_t *seen)
{
    if (seen[e->id]) return true;
    seen[e->id] = 1;
    if (e->op == EX_LOAD && e->load.t == d->out[0])
        for (int i = 0; i < e->nargs; i++)
            if (d->ix[i] != d->seq && !(e->arg[i]->op == EX_VAR && e->arg[i]->var == d->ix[i])) return false;
    for (int i = 0; i < te_nchildren(e); i++)
        if (!reads_own_rows(d, te_child(e, i), seen)) return false;
    return true;
}

static Memo *memo_of(Run *r, const Def *d)
{
    if (r->memo[d->id]) return r->memo[d->id];
    Memo *m = r->memo[d->id] = NEW(r->mem, Memo);
    const Place *p = &r->place[d->out[0]->id], *q = &r->place[d->out[d->nout - 1]->id];
    m->b = interp_batch(r, d, true);
    m->b.first = d->seq != NULL;
    m->dim = NEW_ARRAY(r->mem, int, d->nix + 1);
    m->missing = NEW_ARRAY(r->mem, int64_t, r->cap);
    m->alike = !memcmp(p->stride, q->stride, sizeof *p->stride * (size_t)d->nix);
    for (int v = 0; v < m->b.nvars; v++)
        for (int i = 0; i < d->nix; i++)
            if (d->ix[i] == m->b.var[v]) m->dim[v] = i;
    if (d->seq) m->own_rows = reads_own_rows(d, d->rhs, NEW_ARRAY(r->mem, uint8_t, r->op->nexprs + 1));
    return m;
}

void demand_begin(Run *r)
{
    const TeOp *op = r->op;
    int *count = NEW_ARRAY(r->mem, int, op->ntensors + 1);
    r->memo = NEW_ARRAY(r->mem, Memo *, op->ndefs + 1);
    r->writers = NEW_ARRAY(r->mem, const Def **, op->ntensors + 1);
    for (int i = 0; i < op->ndefs; i++)
        for (int o = 0; o < op->def[i]->nout; o++) count[op->def[i]->out[o]->id]++;
    for (int t = 0; t < op->ntensors; t++) r->writers[t] = NEW_ARRAY(r->mem, const Def *, count[t] + 1);
    for (int i = op->ndefs - 1; i >= 0; i--)
        for (int o = 0; o < op->def[i]->nout; o++) {
            int t = op->def[i]->out[o]->id;
            r->writers[t][--count[t]] = op->def[i];
        }
}

const Def *demand_writer(const Run *r, const Def *def, const Tensor *t)
{
    const Def *last = NULL;
    for (const Def **w = r->writers[t->id]; *w && (!def || (*w)->id < def->id); w++) last = *w;
    return last;
}

/* ---- computing --------------------------------------------------------------------------------------------------- */
/* topk's places all come at once, whichever was asked for. */
static void store(Run *r, void *user, int from, int n, int64_t slot, const Val *const *result)
{
    Memo *m = user;
    const Def *d = m->b.d;
    const Place *p = &r->place[d->out[0]->id];
    for (int l = 0; l < n; l++) {
        int64_t at = m->missing[from + l];
        if (slot >= 0) at += (slot - digit_of(p, d->slot_at, at)) * p->stride[d->slot_at];
        for (int o = 0; o < d->nout; o++) {
            double e;
            Num x = interp_lane(r, d->out[o]->type, result[o], l, &e);
            keep(r, m, at, o, x, e);
        }
    }
}

/* Evaluates missing[0..n). */
static void evaluate(Run *r, Memo *m, int n)
{
    const Place *p = &r->place[m->b.d->out[0]->id];
    for (int v = m->b.first; v < m->b.nvars; v++)
        for (int l = 0; l < n; l++) m->b.digit[v][l] = digit_of(p, m->dim[v], m->missing[l]);
    m->b.n = n;
    interp_run(r, &m->b, store, m);
}

/* Is the element one of the tensor's, rather than the padding of a row of nibbles? */
static bool real(const Place *p, const Tensor *t, int64_t at)
{
    int last = t->rank - 1;
    return last < 0 || digit_of(p, last, at) < p->shape[last];
}

/* All elements of the rows that at[] asks for (or of all rows) along the seq variable, in its order. */
static void evaluate_rows(Run *r, Memo *m, int n, const int64_t *at)
{
    const Def *d = m->b.d;
    const Place *p = &r->place[d->out[0]->id];
    int k = 0;
    while (d->ix[k] != d->seq) k++;
    int64_t step = p->stride[k], block = block_of(p, k), last = 0;
    int64_t rows = m->own_rows ? n : p->places / block * step;
    for (int i = 0; i < n; i++) {
        int64_t t = digit_of(p, k, at[i]);
        last = t > last ? t : last;
    }
    for (int64_t t = 0; t <= last; t++) {
        int some = 0;
        r->var[d->seq->id] = (Val){.form = ONE, .x.i = t, .deps = interp_bit(0)};
        interp_step(r, 0);
        for (int64_t i = 0; i < rows; i++) {
            int64_t mine = m->own_rows ? digit_of(p, k, at[i]) : last;
            int64_t row = m->own_rows ? at[i] - mine * step : i / step * block + i % step;
            if (t > mine || known(m, row + t * step) || !real(p, d->out[0], row + t * step)) continue;
            m->missing[some++] = row + t * step;
            if (some < r->cap) continue;
            evaluate(r, m, some);
            some = 0;
        }
        if (some) evaluate(r, m, some);
    }
}

static void compute(Run *r, Memo *m, int n, const int64_t *at)
{
    const Def *def = r->def; /* the lanes of who asks */
    Mask *mask = r->mask;
    int lanes = r->n, base = r->base, level = r->level;
    r->def = m->b.d;
    r->mask = NULL;
    r->base += level < 64 ? level : 64;
    r->level = 0;
    m->b.level = interp_open(r);
    if (m->b.d->seq) {
        evaluate_rows(r, m, n, at);
    } else {
        int some = 0;
        for (int i = 0; i < n; i++)
            if (!known(m, at[i])) m->missing[some++] = at[i];
        if (some) evaluate(r, m, some);
    }
    interp_close(r);
    r->def = def;
    r->n = lanes;
    r->mask = mask;
    r->base = base;
    r->level = level;
}

void demand_fetch(Run *r, const Def *d, int which, int n, const int64_t *at, Num *val, double *err)
{
    Memo *m = memo_of(r, d);
    bool all = true;
    int64_t key[MAX_LANES];
    if (m->n > KEEP && !d->seq) {
        memset(m->entry, 0, sizeof *m->entry * (size_t)m->cap);
        m->n = 0;
    }
    for (int i = 0; i < n; i++) {
        key[i] = key_of(r, m, which, at[i]);
        all &= known(m, key[i]);
    }
    if (!all) compute(r, m, n, key);
    for (int i = 0; i < n; i++) {
        const Entry *from = find(m, key[i]);
        val[i] = from->val[which];
        if (err) err[i] = from->err[which];
    }
}
