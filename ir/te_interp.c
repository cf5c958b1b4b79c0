/* te_interp: a run of the interpreter: sizes and memory, definitions in order, points of their domains as lanes.
 *
 * A definition holds for every index of its domain. One that assigns an inout goes to a copy first, for its right side
 * sees the old values everywhere. Along `seq t` the points of one t are computed before any of them is written, and
 * then the next t sees them: earlier places are new, the others old. */
#include "ir/te_interp_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void interp_stop(Run *r, int status, int64_t index)
{
    r->status = status;
    r->index = index;
    longjmp(r->out, 1);
}

/* ---- memory and sizes ------------------------------------------------------------------------------------------- */
void *interp_malloc(Run *r, int64_t bytes)
{
    if (bytes > r->room) interp_stop(r, INTERP_NO_MEMORY, 0);
    if (r->nown == r->ownroom) r->own = vec_grow(r->mem, r->own, r->nown, &r->ownroom, sizeof *r->own);
    void *at = calloc(1, (size_t)bytes + 8);
    if (!at) interp_stop(r, INTERP_NO_MEMORY, 0);
    r->room -= bytes;
    r->own[r->nown++] = at;
    return at;
}

static int64_t memory_of_machine(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (int64_t)pages * page : INT64_C(1) << 32;
}

static void lay_out(Run *r, const Tensor *t)
{
    Place *p = &r->place[t->id];
    p->shape = NEW_ARRAY(r->mem, int64_t, t->rank + 1);
    p->stride = NEW_ARRAY(r->mem, int64_t, t->rank + 1);
    for (int i = 0; i < t->rank; i++) {
        if (!te_eval_size_at(r->op, t->shape[i], r->dims, &p->shape[i])) interp_stop(r, INTERP_BROKEN, i);
        if (p->shape[i] < 0) p->shape[i] = 0;
    }
    p->bytes = num_bytes(t->type, t->rank, p->shape);
    int64_t stride = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        p->stride[i] = stride;
        int64_t n = p->shape[i];
        if (i == t->rank - 1 && te_type[t->type].bits == 4) n += n & 1;
        if (__builtin_mul_overflow(stride, n, &stride)) stride = 0;
    }
    p->places = p->bytes <= 0 ? 0 : te_type[t->type].bits == 4 ? 2 * p->bytes : p->bytes / (te_type[t->type].bits / 8);
    if (p->bytes < 0) interp_stop(r, INTERP_NO_MEMORY, 0);
}

int64_t interp_extent(Run *r, const Var *v)
{
    int64_t lo, hi;
    if (!te_eval_size_at(r->op, v->lo, r->dims, &lo) || !te_eval_size_at(r->op, v->hi, r->dims, &hi) || lo != 0)
        interp_stop(r, INTERP_BROKEN, 0);
    return hi > 0 ? hi : 0;
}

/* Lanes at most: fewer when many nodes, or many partials, would need too much memory. */
static int lanes_at_most(const Run *r)
{
    int64_t cap = MAX_LANES, nodes = r->op->nexprs + 1, p = r->num.ordered ? r->num.p : 1;
    while (cap > 1 && (cap * nodes > INT64_C(1) << 25 || cap * p > INT64_C(1) << 24)) cap /= 2;
    return (int)cap;
}

void interp_begin(Run *r, void *const *typed)
{
    const TeOp *op = r->op;
    r->cap = lanes_at_most(r);
    r->n = 1;
    r->room = memory_of_machine() / 4 * 3;
    r->place = NEW_ARRAY(r->mem, Place, op->ntensors + 1);
    r->slot = NEW_ARRAY(r->mem, Slot, op->nexprs + 1);
    r->var = NEW_ARRAY(r->mem, Val, op->nvars + 1);
    for (int i = 0; i < op->ntensors; i++) lay_out(r, op->tensor[i]);
    for (int i = 0; i < op->nparams; i++) r->place[i].typed = typed[i];
    for (int i = 0; i < op->ndefs; i++) interp_decide_total(r, op->def[i]->rhs);
    if (r->check) bound_begin(r);
}

void interp_end(Run *r)
{
    for (int i = 0; i < r->nown; i++) free(r->own[i]);
    r->nown = 0;
}

/* ---- lanes ------------------------------------------------------------------------------------------------------ */
Batch interp_batch(Run *r, const Def *d, bool seq_first)
{
    Batch b = {.d = d, .reduces = te_has_reduce(d->rhs)};
    b.var = NEW_ARRAY(r->mem, Var *, d->nix + 1);
    b.digit = NEW_ARRAY(r->mem, int64_t *, d->nix + 1);
    if (seq_first && d->seq) b.var[b.nvars++] = d->seq;
    for (int i = 0; i < d->nix; i++)
        if (i != d->slot_at && !(seq_first && d->ix[i] == d->seq)) b.var[b.nvars++] = d->ix[i];
    for (int i = 0; i < b.nvars; i++) b.digit[i] = NEW_ARRAY(r->mem, int64_t, r->cap);
    return b;
}

Num interp_lane(const Run *r, DType t, const Val *v, int lane, double *e)
{
    Num x = v->x;
    *e = v->e;
    if (v->form == RAMP) x.i += v->step * lane;
    if (v->form != MANY) return x;
    *e = v->err ? v->err[lane] : 0;
    if (interp_width(r, t) == 4)
        x = (Num){.f = ((const float *)v->at)[lane]};
    else
        x = ((const Num *)v->at)[lane];
    return x;
}

static void evaluate(Run *r, const Batch *b, int from, int n, StoreFn store, void *user)
{
    const Def *d = b->d;
    r->n = n;
    interp_step(r, b->level);
    if (d->slot_at < 0) {
        const Val *v = interp_eval(r, d->rhs);
        store(r, user, from, n, -1, &v);
        return;
    }
    int64_t slots = interp_extent(r, d->ix[d->slot_at]);
    interp_topk(r, d->rhs, slots);
    for (int64_t k = 0; k < slots; k++) {
        Val value, index;
        interp_topk_place(r, d->rhs, k, &value, &index);
        store(r, user, from, n, k, (const Val *const[]){&value, &index});
    }
}

void interp_run(Run *r, const Batch *b, StoreFn store, void *user)
{
    uint64_t deps = interp_bit(b->level);
    if (b->n == 1 || (b->n < FEW && b->reduces)) { /* rather the reduction's terms along the lanes */
        for (int l = 0; l < b->n; l++) {
            for (int v = b->first; v < b->nvars; v++)
                r->var[b->var[v]->id] = (Val){.form = ONE, .x.i = b->digit[v][l], .deps = deps};
            evaluate(r, b, l, 1, store, user);
        }
        return;
    }
    for (int v = b->first; v < b->nvars; v++)
        r->var[b->var[v]->id] = b->ramp ? (Val){.form = RAMP, .x.i = b->digit[v][0], .step = 1, .deps = deps}
                                        : (Val){.form = MANY, .at = b->digit[v], .deps = deps};
    evaluate(r, b, 0, b->n, store, user);
}

/* ---- whole definitions ------------------------------------------------------------------------------------------ */
typedef struct Whole {
    Batch b;
    int64_t *extent;        /* by variable of b */
    int64_t *digit;         /* the point that is next */
    int64_t *stride[2];     /* by out, by variable of b */
    int64_t slot_stride[2]; /* topk */
    Place to[2];            /* where results go: the tensors themselves, or copies */
    int outer;              /* level of the variables that are the same on all lanes */
} Whole;

/* A result's n lanes to elements base, base + step, … */
static void put_run(Run *r, Place *p, DType t, int64_t base, int64_t step, int n, const Val *v)
{
    if (!r->check && v->form == MANY && te_type[t].bits >= 8) {
        num_store_n(t, (size_t)n, (char *)p->typed + base * (te_type[t].bits / 8), (ptrdiff_t)step, v->at);
        return;
    }
    for (int l = 0; l < n; l++) {
        double e;
        Num x = interp_lane(r, t, v, l, &e);
        interp_write(r, p, t, base + step * l, x, e);
    }
}

static void put(Run *r, void *user, int from, int n, int64_t slot, const Val *const *result)
{
    Whole *w = user;
    const Batch *b = &w->b;
    for (int o = 0; o < b->d->nout; o++) {
        DType t = b->d->out[o]->type;
        int64_t base = slot > 0 ? slot * w->slot_stride[o] : 0;
        for (int v = 0; v < b->first; v++) base += r->var[b->var[v]->id].x.i * w->stride[o][v];
        if (n == 1 || b->ramp) {
            for (int v = b->first; v < b->nvars; v++) base += b->digit[v][from] * w->stride[o][v];
            put_run(r, &w->to[o], t, base, b->nvars ? w->stride[o][b->nvars - 1] : 0, n, result[o]);
            continue;
        }
        for (int l = 0; l < n; l++) {
            int64_t at = base;
            double e;
            for (int v = b->first; v < b->nvars; v++) at += b->digit[v][from + l] * w->stride[o][v];
            Num x = interp_lane(r, t, result[o], l, &e);
            interp_write(r, &w->to[o], t, at, x, e);
        }
    }
}

/* The variables from b.first on, one point after another, as lanes. */
static void cover_lanes(Run *r, Whole *w)
{
    Batch *b = &w->b;
    int last = b->nvars - 1;
    b->n = 0;
    if (b->first > last) { /* no variables */
        b->n = 1;
        interp_run(r, b, put, w);
        return;
    }
    int64_t *digit = w->digit;
    memset(digit, 0, sizeof *digit * (size_t)b->nvars);
    b->ramp = b->first == last;
    for (;;) {
        for (int v = b->first; v <= last; v++) b->digit[v][b->n] = digit[v];
        int v = last;
        while (v >= b->first && ++digit[v] == w->extent[v]) digit[v--] = 0;
        bool done = v < b->first;
        if (++b->n == r->cap || done) {
            interp_run(r, b, put, w);
            b->n = 0;
        }
        if (done) return;
    }
}

static void cover(Run *r, Whole *w, int v, int end)
{
    if (v == w->b.first || v == end) {
        cover_lanes(r, w);
        return;
    }
    const Var *x = w->b.var[v];
    for (int64_t i = 0; i < w->extent[v]; i++) {
        r->var[x->id] = (Val){.form = ONE, .x.i = i, .deps = interp_bit(w->outer)};
        interp_step(r, w->outer);
        cover(r, w, v + 1, end);
    }
}

/* How many of the last variables lie along the lanes: one long one, or as many as it takes. */
static int first_lane_var(const Whole *w, int fixed, int cap)
{
    int v = w->b.nvars - 1;
    if (v < fixed) return w->b.nvars;
    int64_t n = w->extent[v];
    while (v > fixed && n < FEW) {
        /* rows are short: flatten until the lanes are full */
        do n *= w->extent[--v];
        while (v > fixed && n < cap);
    }
    return v;
}

/* The memory that results go to. Returns whether it is a copy. */
static bool target(Run *r, const Tensor *t, Place *to)
{
    Place *p = &r->place[t->id];
    bool copy = t->kind == TK_INOUT;
    if (r->check) {
        if (!p->val) {
            p->val = interp_malloc(r, p->places * 8);
            for (int64_t i = 0; copy && i < p->places; i++) {
                Num x = num_load(t->type, p->typed, i);
                if (te_type[t->type].reg == RC_F32) x.d = (double)x.f;
                p->val[i] = x;
            }
        }
    } else if (!p->typed) {
        p->typed = interp_malloc(r, p->bytes);
    }
    *to = *p;
    if (!copy) return false;
    if (r->check) {
        to->val = interp_malloc(r, p->places * 8);
        to->err = NULL;
    } else {
        to->typed = interp_malloc(r, p->bytes);
    }
    return true;
}

static void copy_element(Run *r, Place *p, const Place *from, DType t, int64_t at)
{
    if (r->check)
        interp_write(r, p, t, at, from->val[at], from->err ? from->err[at] : 0);
    else
        num_store(t, p->typed, at, num_load(t, from->typed, at));
}

/* What was computed for one value of the seq variable, dimension k of the tensor; k < 0: for all. */
static void commit(Run *r, const Tensor *t, const Place *from, int k, int64_t now)
{
    Place *p = &r->place[t->id];
    if (k < 0) {
        for (int64_t i = 0; i < p->places; i++) copy_element(r, p, from, t->type, i);
        return;
    }
    int64_t run = p->stride[k], block = k > 0 ? p->stride[k - 1] : p->places;
    for (int64_t at = now * run; at < p->places; at += block)
        for (int64_t i = 0; i < run; i++) copy_element(r, p, from, t->type, at + i);
}

static void run_whole(Run *r, const Def *d)
{
    Whole w = {.b = interp_batch(r, d, true)};
    bool copy[2] = {false, false}, empty = false;
    int seq = -1;
    w.extent = NEW_ARRAY(r->mem, int64_t, w.b.nvars + 1);
    w.digit = NEW_ARRAY(r->mem, int64_t, w.b.nvars + 1);
    for (int i = 0; i < d->nix; i++)
        if (d->ix[i] == d->seq) seq = i;
    for (int v = 0; v < w.b.nvars; v++) {
        w.extent[v] = interp_extent(r, w.b.var[v]);
        empty |= w.extent[v] == 0;
    }
    for (int o = 0; o < d->nout; o++) {
        copy[o] = target(r, d->out[o], &w.to[o]);
        w.stride[o] = NEW_ARRAY(r->mem, int64_t, w.b.nvars + 1);
        for (int v = 0; v < w.b.nvars; v++)
            for (int i = 0; i < d->nix; i++)
                if (d->ix[i] == w.b.var[v]) w.stride[o][v] = r->place[d->out[o]->id].stride[i];
        if (d->slot_at >= 0) w.slot_stride[o] = r->place[d->out[o]->id].stride[d->slot_at];
    }
    if (empty) return;
    r->def = d;
    w.outer = interp_open(r);
    w.b.level = interp_open(r);
    w.b.first = first_lane_var(&w, seq >= 0, r->cap);
    if (seq < 0) {
        cover(r, &w, 0, w.b.nvars);
    } else {
        for (int64_t t = 0; t < w.extent[0]; t++) {
            r->var[d->seq->id] = (Val){.form = ONE, .x.i = t, .deps = interp_bit(w.outer)};
            interp_step(r, w.outer);
            cover(r, &w, 1, w.b.nvars);
            for (int o = 0; o < d->nout; o++) {
                if (copy[o])
                    commit(r, d->out[o], &w.to[o], seq, t);
                else
                    r->place[d->out[o]->id].err = w.to[o].err;
            }
        }
    }
    for (int o = 0; o < d->nout; o++) {
        if (copy[o] && seq < 0) commit(r, d->out[o], &w.to[o], -1, 0);
        if (!copy[o]) r->place[d->out[o]->id].err = w.to[o].err;
    }
    interp_close(r);
    interp_close(r);
    r->def = NULL;
    r->n = 1;
}

void interp_all(Run *r)
{
    const bool *live = te_live_defs(r->mem, r->op);
    for (int i = 0; i < r->op->ndefs; i++)
        if (live[i]) run_whole(r, r->op->def[i]);
}

/* ---- native mode ------------------------------------------------------------------------------------------------ */
int te_interp(Arena *mem, const TeOp *op, const int64_t *dims, Numerics num, void *const *data, int64_t *index)
{
    (void)mem; /* what a run needs goes when it ends, so it has an arena of its own */
    jmp_buf full;
    Run *volatile r = calloc(1, sizeof *r);
    if (!r) return INTERP_NO_MEMORY;
    r->op = op;
    r->dims = dims;
    r->num = num;
    r->mem = arena_new();
    if (!r->mem) {
        r->status = INTERP_NO_MEMORY;
    } else if (setjmp(full)) {
        r->status = INTERP_NO_MEMORY;
    } else {
        arena_catch(r->mem, &full);
        if (!setjmp(r->out)) {
            interp_begin(r, data);
            interp_all(r);
        }
    }
    int status = r->status;
    if (status && index) *index = r->index;
    interp_end(r);
    arena_free(r->mem);
    free(r);
    return status;
}
