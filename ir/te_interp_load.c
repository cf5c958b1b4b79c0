/* te_interp_load: reading tensors: which lanes are in bounds, what the others give (`| v`, an error status, or a bug),
 * and the elements themselves, from memory as the caller gave it, from what was computed, or on demand.
 *
 * A run of consecutive or strided elements is read at once. Under check mode an index that is itself uncertain gives a
 * value with an infinite bound, and so does an index out of range where nothing may fail (Run.maybe). */
#include "ir/te_interp_priv.h"

#include <math.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

/* ---- elements --------------------------------------------------------------------------------------------------- */
static Num widen(const Run *r, DType t, Num x)
{
    if (r->check && te_type[t].reg == RC_F32) x.d = (double)x.f;
    return x;
}

static Num typed_one(const Run *r, DType t, const void *base, int64_t at) { return widen(r, t, num_load(t, base, at)); }

void interp_write(Run *r, Place *p, DType t, int64_t at, Num x, double e)
{
    if (!r->check) {
        num_store(t, p->typed, at, x);
        return;
    }
    p->val[at] = x;
    if (e != 0 && !p->err) {
        p->err = interp_malloc(r, p->places * 8);
        memset(p->err, 0, (size_t)p->places * 8);
    }
    if (p->err) p->err[at] = e;
}

/* n held floats to doubles, in place: the array has room for doubles. */
static void widen_all(void *buf, int n)
{
    float *from = buf;
    double *to = buf;
    for (int l = n - 1; l >= 0; l--) {
        float x;
        memcpy(&x, &from[l], sizeof x);
        to[l] = (double)x;
    }
}

/* Elements base, base + step, … from memory. */
static void typed_run(const Run *r, DType t, const void *mem, int64_t base, int64_t step, void *buf)
{
    if (te_type[t].bits == 4) {
        for (int l = 0; l < r->n; l++) ((int64_t *)buf)[l] = num_load(t, mem, base + step * l).i;
        return;
    }
    if (r->check && t == DT_F32) {
        const float *from = (const float *)mem + base;
        for (int l = 0; l < r->n; l++) ((double *)buf)[l] = (double)from[step * l];
        return;
    }
    num_load_n(t, (size_t)r->n, buf, (const char *)mem + base * (te_type[t].bits / 8), (ptrdiff_t)step);
    if (r->check && te_type[t].reg == RC_F32) widen_all(buf, r->n);
}

/* Elements off[l] from memory; on: which lanes, NULL for all. The others read the first element, which is there when a
 * lane is on: cheaper than asking each. */
static void typed_many(const Run *r, DType t, const void *mem, int64_t *off, const uint8_t *on, void *buf)
{
    int n = r->n;
    for (int l = 0; on && l < n; l++) off[l] = on[l] ? off[l] : 0;
    if (interp_width(r, t) == 4) {
        float *to = buf;
        const float *from = mem;
        for (int l = 0; l < n; l++) to[l] = t == DT_F32 ? from[off[l]] : num_load(t, mem, off[l]).f;
    } else if (t == DT_F32) {
        for (int l = 0; l < n; l++) ((double *)buf)[l] = (double)((const float *)mem)[off[l]];
    } else {
        for (int l = 0; l < n; l++) ((Num *)buf)[l] = typed_one(r, t, mem, off[l]);
    }
}

/* ---- sources ---------------------------------------------------------------------------------------------------- */
static int out_number(const Def *d, const Tensor *t) { return d->nout > 1 && d->out[1] == t; }

static bool own_result(const Run *r, const Tensor *t)
{
    return r->def && (r->def->out[0] == t || (r->def->nout > 1 && r->def->out[1] == t));
}

/* Room for one node's requests, kept in its slot: definitions nest as deep as lets do. */
typedef struct Wanted {
    int lane[MAX_LANES];
    int64_t at[MAX_LANES];
    Num val[MAX_LANES];
    double err[MAX_LANES];
    uint8_t here[MAX_LANES], earlier[MAX_LANES];
} Wanted;

static Wanted *wanted(Run *r, const Expr *e)
{
    Slot *s = &r->slot[e->id];
    if (!s->wanted) s->wanted = NEW(r->mem, Wanted);
    return s->wanted;
}

/* The lanes on[] of elements that d computes. */
static void from_demand(Run *r, const Expr *e, const Def *d, const int64_t *off, const uint8_t *on, void *buf,
                        double *ebuf)
{
    Wanted *w = wanted(r, e);
    int n = 0;
    bool narrow = interp_width(r, (DType)e->type) == 4;
    for (int l = 0; l < r->n; l++) {
        if (!on[l]) continue;
        w->lane[n] = l;
        w->at[n++] = off[l];
    }
    if (n) demand_fetch(r, d, out_number(d, e->load.t), n, w->at, w->val, w->err);
    for (int k = 0; k < n; k++) {
        if (narrow)
            ((float *)buf)[w->lane[k]] = w->val[k].f;
        else
            ((Num *)buf)[w->lane[k]] = w->val[k];
        if (ebuf) ebuf[w->lane[k]] = w->err[k];
    }
}

/* Along `seq t` what is being defined is read at an earlier t; an inout's other reads see what was there before. The
 * lanes of the first kind. Whole evaluation needs no such care: it writes in order, in place. */
static void earlier_lanes(Run *r, const Expr *e, const uint8_t *on, uint8_t *earlier)
{
    const Def *d = r->def;
    int k = 0;
    while (k < d->nix && d->ix[k] != d->seq) k++;
    const int64_t *at = interp_array(r, e->arg[k], NULL);
    int64_t now = r->var[d->seq->id].x.i;
    for (int l = 0; l < r->n; l++) earlier[l] = on[l] && at[l] < now;
}

static void demand_lanes(Run *r, const Expr *e, int64_t *off, const uint8_t *on, void *buf, double *ebuf)
{
    const Tensor *t = e->load.t;
    const Def *d = demand_writer(r, r->def, t);
    Wanted *w = wanted(r, e);
    bool left = false;
    for (int l = 0; l < r->n; l++) w->here[l] = !on || on[l];
    if (r->def && r->def->seq && own_result(r, t)) {
        earlier_lanes(r, e, w->here, w->earlier);
        from_demand(r, e, r->def, off, w->earlier, buf, ebuf);
        for (int l = 0; l < r->n; l++) w->here[l] &= !w->earlier[l];
    }
    for (int l = 0; l < r->n; l++) left |= w->here[l];
    if (!left) return;
    if (d)
        from_demand(r, e, d, off, w->here, buf, ebuf);
    else if (t->kind == TK_OUTPUT || t->kind == TK_LET)
        interp_stop(r, INTERP_BROKEN, 0); /* nothing is there yet */
    else
        typed_many(r, (DType)e->type, r->place[t->id].typed, off, w->here, buf);
}

/* Elements off[l] of the tensor for the lanes on[] (NULL: all) into buf; returns the bounds or NULL. */
static const double *read_many(Run *r, const Expr *e, int64_t *off, const uint8_t *on, void *buf)
{
    const Place *p = &r->place[e->load.t->id];
    double *ebuf = r->check ? interp_ebuf(r, e) : NULL;
    if (r->memo && (own_result(r, e->load.t) || demand_writer(r, r->def, e->load.t))) {
        if (ebuf) memset(ebuf, 0, sizeof *ebuf * (size_t)r->n);
        demand_lanes(r, e, off, on, buf, ebuf);
        return ebuf;
    }
    if (!p->val) {
        typed_many(r, (DType)e->type, p->typed, off, on, buf);
        return NULL;
    }
    for (int l = 0; l < r->n; l++) {
        if (on && !on[l]) continue;
        ((Num *)buf)[l] = p->val[off[l]];
        ebuf[l] = p->err ? p->err[off[l]] : 0;
    }
    return p->err ? ebuf : NULL;
}

/* ---- indices ---------------------------------------------------------------------------------------------------- */
typedef struct Access {
    const Val *ix[256]; /* nargs is a byte */
    bool one, many;     /* every index is ONE; some index is MANY */
    bool fuzzy;         /* some index is uncertain */
    bool inside;        /* every index of every lane, masked or not, is in bounds */
} Access;

static bool all_inside(const Run *r, const Val *v, int64_t size)
{
    if (v->form == ONE) return v->x.i >= 0 && v->x.i < size;
    if (v->form == RAMP) {
        int64_t last;
        if (__builtin_mul_overflow(v->step, r->n - 1, &last) || __builtin_add_overflow(last, v->x.i, &last))
            return false;
        return v->x.i >= 0 && v->x.i < size && last >= 0 && last < size;
    }
    const int64_t *at = v->at;
    uint64_t most = 0; /* a negative index is a large one */
    for (int l = 0; l < r->n; l++) most = (uint64_t)at[l] > most ? (uint64_t)at[l] : most;
    return most < (uint64_t)size;
}

static void look(Run *r, const Expr *e, Access *a, Val *out)
{
    const Place *p = &r->place[e->load.t->id];
    a->one = a->inside = true;
    a->many = a->fuzzy = false;
    for (int i = 0; i < e->nargs; i++) {
        const Val *v = a->ix[i] = interp_eval(r, e->arg[i]);
        out->deps |= v->deps;
        a->one &= v->form == ONE;
        a->many |= v->form == MANY;
        a->fuzzy |= v->e != 0 || v->err;
    }
    for (int i = 0; i < e->nargs && a->inside; i++) a->inside = all_inside(r, a->ix[i], p->shape[i]);
    /* What is defined along `seq` changes as it steps, whatever the index. */
    if (own_result(r, e->load.t)) out->deps |= interp_bit(0);
}

static int64_t *offsets(Run *r, const Expr *e, const Access *a)
{
    Slot *s = &r->slot[e->id];
    const int64_t *stride = r->place[e->load.t->id].stride;
    if (!s->off) s->off = NEW_ARRAY(r->mem, int64_t, r->cap);
    int64_t *off = s->off, base = 0, step = 0;
    for (int i = 0; i < e->nargs; i++) {
        if (a->ix[i]->form == MANY) continue;
        base += (int64_t)((uint64_t)a->ix[i]->x.i * (uint64_t)stride[i]);
        if (a->ix[i]->form == RAMP) step += (int64_t)((uint64_t)a->ix[i]->step * (uint64_t)stride[i]);
    }
    for (int l = 0; l < r->n; l++) off[l] = base + step * l;
    for (int i = 0; i < e->nargs; i++) {
        if (a->ix[i]->form != MANY) continue;
        const int64_t *at = a->ix[i]->at, by = stride[i];
        for (int l = 0; l < r->n; l++) off[l] += (int64_t)((uint64_t)at[l] * (uint64_t)by);
    }
    return off;
}

/* ---- cases ------------------------------------------------------------------------------------------------------ */
static void fail(Run *r, const Expr *e, int64_t index)
{
    interp_stop(r, e->flag == LOAD_GATHER && e->load.site >= 0 ? 1 + e->load.site : INTERP_BROKEN, index);
}

static void load_one(Run *r, const Expr *e, const Access *a, Val *out)
{
    const Place *p = &r->place[e->load.t->id];
    DType t = (DType)e->type;
    out->form = ONE;
    if (!a->inside && !a->fuzzy) {
        if (e->flag == LOAD_GUARDED) {
            uint64_t deps = out->deps;
            *out = *interp_eval(r, e->load.other);
            out->deps |= deps;
            return;
        }
        for (int i = 0; !r->maybe && i < e->nargs; i++)
            if (!all_inside(r, a->ix[i], p->shape[i])) fail(r, e, a->ix[i]->x.i);
    }
    if (!a->inside || a->fuzzy) {
        out->x = (Num){0};
        out->e = INFINITY;
        return;
    }
    int64_t at = 0;
    for (int i = 0; i < e->nargs; i++) at += a->ix[i]->x.i * p->stride[i];
    if (r->memo && (own_result(r, e->load.t) || demand_writer(r, r->def, e->load.t))) {
        int n = r->n;
        Num x = {0};
        double err = 0;
        r->n = 1;
        uint8_t on = 1;
        demand_lanes(r, e, &at, &on, &x, r->check ? &err : NULL);
        r->n = n;
        out->x = x;
        out->e = err;
    } else if (p->val) {
        out->x = p->val[at];
        out->e = p->err ? p->err[at] : 0;
    } else {
        out->x = typed_one(r, t, p->typed, at);
    }
}

static void load_inside(Run *r, const Expr *e, const Access *a, Val *out)
{
    const Place *p = &r->place[e->load.t->id];
    void *buf = interp_buf(r, e);
    out->form = MANY;
    out->at = buf;
    if (a->many || p->val || r->memo) {
        int64_t *off = offsets(r, e, a);
        out->err = read_many(r, e, off, r->mask ? r->mask->on : NULL, buf);
        return;
    }
    int64_t base = 0, step = 0;
    for (int i = 0; i < e->nargs; i++) {
        base += a->ix[i]->x.i * p->stride[i];
        if (a->ix[i]->form == RAMP) step += a->ix[i]->step * p->stride[i];
    }
    if (e->type == DT_F32 && !r->check && step == 1)
        out->at = (const float *)p->typed + base;
    else
        typed_run(r, (DType)e->type, p->typed, base, step, buf);
}

static int64_t lane_index(const Val *v, int l)
{
    if (v->form == MANY) return ((const int64_t *)v->at)[l];
    return (int64_t)((uint64_t)v->x.i + (v->form == RAMP ? (uint64_t)v->step * (uint64_t)l : 0));
}

/* Lane l has an index that is out of range: an error with the first such. */
static void fail_lane(Run *r, const Expr *e, const Access *a, int l)
{
    const Place *p = &r->place[e->load.t->id];
    for (int i = 0; i < e->nargs; i++) {
        int64_t index = lane_index(a->ix[i], l);
        if (index < 0 || index >= p->shape[i]) fail(r, e, index);
    }
}

/* ok[l]: every index of lane l is in range, whether the lane counts or not. */
static void lanes_inside(Run *r, const Expr *e, const Access *a, uint8_t *ok)
{
    const Place *p = &r->place[e->load.t->id];
    memset(ok, 1, (size_t)r->n);
    for (int i = 0; i < e->nargs; i++) {
        uint64_t size = (uint64_t)p->shape[i];
        if (all_inside(r, a->ix[i], p->shape[i])) continue;
        const int64_t *at = interp_array(r, e->arg[i], NULL);
        for (int l = 0; l < r->n; l++) ok[l] &= (uint64_t)at[l] < size;
    }
}

/* unsure[l]: some index of lane l is uncertain. */
static void lanes_fuzzy(Run *r, const Expr *e, const Access *a, uint8_t *unsure)
{
    memset(unsure, 0, (size_t)r->n);
    for (int i = 0; a->fuzzy && i < e->nargs; i++) {
        const Val *v = a->ix[i];
        for (int l = 0; l < r->n; l++) unsure[l] |= v->form == MANY ? v->err && v->err[l] != 0 : v->e != 0;
    }
}

/* The lanes of the mask `outside` get the value of `| v`. Returns whether it has bounds. */
static bool fill_outside(Run *r, const Expr *e, const uint8_t *outside, char *buf, double *ebuf, Val *out)
{
    const Expr *other = e->load.other;
    const double *err;
    const char *at = interp_array(r, other, &err);
    out->deps |= r->slot[other->id].val.deps;
    if (interp_width(r, (DType)e->type) == 4) {
        float *to = (float *)(void *)buf;
        const float *from = (const float *)(const void *)at;
        for (int l = 0; l < r->n; l++) to[l] = outside[l] ? from[l] : to[l];
    } else {
        uint64_t *to = (uint64_t *)(void *)buf;
        const uint64_t *from = (const uint64_t *)(const void *)at;
        for (int l = 0; l < r->n; l++) to[l] = outside[l] ? from[l] : to[l];
    }
    for (int l = 0; ebuf && l < r->n; l++)
        if (outside[l]) ebuf[l] = err ? err[l] : 0;
    return err != NULL;
}

/* Some lanes are outside, or uncertain. */
static void load_mixed(Run *r, const Expr *e, const Access *a, Val *out)
{
    char *buf = interp_buf(r, e);
    double *ebuf = r->check ? interp_ebuf(r, e) : NULL;
    bool guarded = e->flag == LOAD_GUARDED, any_lost = false;
    Mask *in = interp_mask(r), *outside = guarded ? interp_mask(r) : NULL, *was;
    uint8_t unsure[MAX_LANES], lost[MAX_LANES];
    lanes_inside(r, e, a, in->on);
    lanes_fuzzy(r, e, a, unsure);
    for (int l = 0; l < r->n; l++) {
        uint8_t on = interp_on(r, l), ok = in->on[l];
        in->on[l] = on & ok & (uint8_t)!unsure[l];
        lost[l] = on & (unsure[l] | (uint8_t)(!ok & !guarded));
        any_lost |= lost[l];
        if (outside) outside->on[l] = on & (uint8_t)!ok & (uint8_t)!lost[l];
    }
    for (int l = 0; any_lost && !r->maybe && l < r->n; l++)
        if (lost[l] && !unsure[l]) fail_lane(r, e, a, l);
    out->form = MANY;
    out->at = buf;
    if (ebuf) memset(ebuf, 0, sizeof *ebuf * (size_t)r->n);
    bool has = any_lost;
    if (interp_narrow(r, in, &was)) {
        has |= read_many(r, e, offsets(r, e, a), in->on, buf) != NULL;
        interp_widen(r, was);
    }
    if (outside && interp_narrow(r, outside, &was)) {
        has |= fill_outside(r, e, outside->on, buf, ebuf, out);
        interp_widen(r, was);
    }
    for (int l = 0; any_lost && l < r->n; l++) {
        if (!lost[l]) continue;
        ((Num *)(void *)buf)[l] = (Num){0};
        ebuf[l] = INFINITY;
    }
    if (has && ebuf) out->err = ebuf;
}

void interp_load(Run *r, const Expr *e, Val *out)
{
    Access a;
    look(r, e, &a, out);
    if (a.one)
        load_one(r, e, &a, out);
    else if (a.inside && !a.fuzzy)
        load_inside(r, e, &a, out);
    else
        load_mixed(r, e, &a, out);
}
