/* te_interp_check: what a target computed beside what the interpreter computes.
 *
 * Fast numerics: each element must lie within the bound that check mode gives it; an infinite bound accepts anything.
 * Ordered: the bits must be native mode's, but that any NaN equals any NaN. Programs of more terms than the limit are
 * checked at a sample of elements, corners of the domain among them, each computed with what it needs. */
#include "ir/te_interp_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_SAMPLE = 64, SAMPLE_BATCH = 64, MOST_SAMPLE = 1 << 16 };
static const double default_limit = 1 << 30;

typedef struct Comparing {
    Run *r;
    void *const *out;
    TeCheck *result;
    uint64_t random;
} Comparing;

/* ---- one element --------------------------------------------------------------------------------------------------
 */
static double as_double(DType t, Num x)
{
    if (te_type[t].reg == RC_F64) return x.d;
    if (te_type[t].reg == RC_F32) return (double)x.f;
    return t == DT_U64 ? (double)(uint64_t)x.i : (double)x.i;
}

static bool same_bits(DType t, Num a, Num b)
{
    if (te_is_float(t) && isnan(as_double(t, a)) && isnan(as_double(t, b))) return true;
    return num_to_bits(t, a) == num_to_bits(t, b);
}

static void note(TeCheck *c, int64_t at, double got, double want, double off, double bound)
{
    double ratio = off <= bound ? (bound > 0 && bound < INFINITY ? off / bound : 0)
                   : bound > 0  ? off / bound
                                : INFINITY;
    c->compared++;
    if (!(off <= bound)) c->mismatched++;
    if (bound < INFINITY && off > c->max_abs) c->max_abs = off;
    if (bound < INFINITY && fabs(want) > bound && off / fabs(want) > c->max_rel) c->max_rel = off / fabs(want);
    if (c->at >= 0 && !(ratio > c->worst)) return;
    c->worst = ratio;
    c->at = at;
    c->got = got;
    c->want = want;
    c->bound = bound;
}

/* want: held as the mode holds it. */
static void compare(const Comparing *k, const Tensor *t, int64_t element, int64_t flat, Num want, double bound)
{
    const Run *r = k->r;
    DType type = t->type;
    TeCheck *c = &k->result[t->id];
    Num got = num_load(type, k->out[t->id], element);
    double g = as_double(type, got), off;
    if (!r->check) {
        double w = as_double(type, want);
        off = isfinite(g - w) ? fabs(g - w) : INFINITY;
        if (same_bits(type, got, want))
            off = 0;
        else if (off == 0)
            off = INFINITY; /* zeros of two signs */
        note(c, flat, g, w, off, 0);
        return;
    }
    bool real = te_is_float(type);
    double w = real ? want.d : as_double(type, want);
    off = real ? fabs(g - w) : got.i == want.i ? 0 : fmax(fabs(g - w), 1);
    if (real && (g == w || (isnan(g) && isnan(w)))) off = 0;
    if (isnan(off)) off = INFINITY;
    note(c, flat, g, w, off, isnan(bound) ? INFINITY : bound);
}

/* The offset of the element that is number `flat` in row-major order: they differ where rows of nibbles are padded. */
static int64_t element_of(const Place *p, int rank, int64_t flat)
{
    int64_t at = 0;
    for (int i = rank - 1; i >= 0; i--) {
        at += flat % p->shape[i] * p->stride[i];
        flat /= p->shape[i];
    }
    return at;
}

static int64_t elements(const Place *p, int rank)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= p->shape[i]; /* num_bytes has found that it fits */
    return p->places ? n : 0;
}

static bool is_result(const Tensor *t) { return t->kind == TK_OUTPUT || t->kind == TK_INOUT; }

/* ---- whole outputs ------------------------------------------------------------------------------------------------
 */
static void compare_whole(const Comparing *k, const Tensor *t)
{
    const Run *r = k->r;
    const Place *p = &r->place[t->id];
    int64_t n = elements(p, t->rank);
    bool padded = te_type[t->type].bits == 4;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = padded ? element_of(p, t->rank, i) : i;
        Num want = p->val ? p->val[at] : num_load(t->type, p->typed, at);
        if (!p->val && r->check && te_type[t->type].reg == RC_F32) want.d = (double)want.f;
        compare(k, t, at, i, want, p->val && p->err ? p->err[at] : 0);
    }
}

/* Native mode writes results, so it works on copies of them. */
static void check_whole(Comparing *k)
{
    Run *r = k->r;
    for (int i = 0; !r->check && i < r->op->nparams; i++) {
        const Tensor *t = r->op->tensor[i];
        Place *p = &r->place[i];
        if (!is_result(t)) continue;
        void *copy = interp_malloc(r, p->bytes);
        if (t->kind == TK_INOUT && p->bytes) memcpy(copy, p->typed, (size_t)p->bytes);
        p->typed = copy;
    }
    interp_all(r);
    for (int i = 0; i < r->op->nparams; i++)
        if (is_result(r->op->tensor[i])) compare_whole(k, r->op->tensor[i]);
}

/* ---- samples ------------------------------------------------------------------------------------------------------
 */
static uint64_t next_random(Comparing *k) /* splitmix64 */
{
    uint64_t z = k->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* A random element; each index is one of the ends one time in eight each, for that is where mistakes are. */
static int64_t random_element(Comparing *k, const Place *p, int rank)
{
    int64_t flat = 0;
    for (int i = 0; i < rank; i++) {
        uint64_t how = next_random(k) % 8, x = next_random(k) % (uint64_t)p->shape[i];
        flat = flat * p->shape[i] + (how == 0 ? 0 : how == 1 ? p->shape[i] - 1 : (int64_t)x);
    }
    return flat;
}

static void sample_batch(Comparing *k, const Tensor *t, int n, const int64_t *flat)
{
    Run *r = k->r;
    const Place *p = &r->place[t->id];
    const Def *d = demand_writer(r, NULL, t);
    int64_t at[SAMPLE_BATCH];
    Num val[SAMPLE_BATCH];
    double err[SAMPLE_BATCH];
    for (int i = 0; i < n; i++) at[i] = element_of(p, t->rank, flat[i]);
    if (d) demand_fetch(r, d, d->nout > 1 && d->out[1] == t, n, at, val, err);
    for (int i = 0; i < n; i++) {
        if (!d) {
            val[i] = num_load(t->type, p->typed, at[i]);
            if (r->check && te_type[t->type].reg == RC_F32) val[i].d = (double)val[i].f;
        }
        compare(k, t, at[i], flat[i], val[i], d ? err[i] : 0);
    }
}

/* A step that visits all of 0..n once. */
static int64_t coprime_step(Comparing *k, int64_t n)
{
    for (;;) {
        int64_t step = 1 + (int64_t)(next_random(k) % (uint64_t)n), a = step, b = n;
        while (b) {
            int64_t c = a % b;
            a = b;
            b = c;
        }
        if (a == 1) return step;
    }
}

/* Elements until `terms` terms have been evaluated, at least LEAST_SAMPLE; all of a small output. */
static void sample(Comparing *k, const Tensor *t, double terms)
{
    Run *r = k->r;
    const Place *p = &r->place[t->id];
    int64_t total = elements(p, t->rank), done = 0, flat[SAMPLE_BATCH];
    double until = r->terms + terms;
    int64_t next = 0, step = total > 0 ? coprime_step(k, total) : 1;
    while (done < total && (done < LEAST_SAMPLE || (r->terms < until && done < MOST_SAMPLE))) {
        int n = 0;
        for (; n < SAMPLE_BATCH && done + n < total; n++) {
            if (total <= MOST_SAMPLE)
                flat[n] = (next += step) % total;
            else if (done + n < 2)
                flat[n] = done + n == 0 ? 0 : total - 1;
            else
                flat[n] = random_element(k, p, t->rank);
        }
        sample_batch(k, t, n, flat);
        done += n;
    }
}

static void check_sample(Comparing *k, double limit)
{
    Run *r = k->r;
    int results = 0;
    demand_begin(r);
    for (int i = 0; i < r->op->nparams; i++) results += is_result(r->op->tensor[i]);
    for (int i = 0; i < r->op->nparams; i++)
        if (is_result(r->op->tensor[i])) sample(k, r->op->tensor[i], limit / 16 / results);
}

/* ---- entry --------------------------------------------------------------------------------------------------------
 */
/* Does everything that is computed fit in memory, at `each` bytes an element? */
static bool fits(const Run *r, double each)
{
    double bytes = 0;
    for (int i = 0; i < r->op->ntensors; i++)
        if (r->op->tensor[i]->kind != TK_INPUT && r->op->tensor[i]->kind != TK_CONST_INPUT)
            bytes += each * (double)r->place[i].places;
    return bytes < (double)r->room / 2;
}

int te_check(Arena *mem, const TeOp *op, const int64_t *dims, Numerics num, void *const *in, void *const *out,
             int64_t limit, uint64_t seed, TeCheck *result, int64_t *index)
{
    (void)mem;
    jmp_buf full;
    Run *volatile r = calloc(1, sizeof *r);
    if (!r) return INTERP_NO_MEMORY;
    double most = limit > 0 ? (double)limit : default_limit;
    memset(result, 0, sizeof *result * (size_t)op->nparams);
    for (int i = 0; i < op->nparams; i++) result[i].at = -1;
    r->op = op;
    r->dims = dims;
    r->num = num;
    r->check = !num.ordered;
    r->mem = arena_new();
    if (!r->mem || setjmp(full)) {
        r->status = INTERP_NO_MEMORY;
    } else {
        arena_catch(r->mem, &full);
        Comparing k = {.r = r, .out = out, .result = result, .random = seed};
        if (!setjmp(r->out)) {
            interp_begin(r, in);
            if (te_work(op, dims).terms > most || !fits(r, r->check ? 16 : 8))
                check_sample(&k, most);
            else
                check_whole(&k);
        }
    }
    for (int i = 0; i < op->nparams; i++)
        if (result[i].at < 0) result[i].at = 0;
    int status = r->status;
    if (status && index) *index = r->index;
    interp_end(r);
    arena_free(r->mem);
    free(r);
    return status;
}
