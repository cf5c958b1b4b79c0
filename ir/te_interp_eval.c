/* te_interp_eval: the value of an expression over the lanes: leaves, operators, casts, and the constructs that evaluate
 * only what they take (`?:`, `&&`, `||`), which narrow the mask for the part that is taken.
 *
 * Relies on num.h for native arithmetic and on te_interp_bound.c in check mode. A value that is the same on all lanes
 * is computed once. Results under a mask hold for its lanes only; operators compute the other lanes too, whatever they
 * hold, which is harmless but for division by 0 (looked at again under the mask). */
#include "ir/te_interp_priv.h"

#include <math.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3") /* the loops over lanes are to be vectorised */
#endif

/* ---- levels ----------------------------------------------------------------------------------------------------- */
static int place_of(const Run *r, int level) { return r->base + (level < 63 ? level : 63); }

void interp_step(Run *r, int level) { r->tick[place_of(r, level)] = ++r->now; }

int interp_open(Run *r)
{
    int level = r->level++, at = place_of(r, level);
    if (at >= r->ticks) {
        int room = 2 * at + 64;
        uint64_t *more = NEW_ARRAY(r->mem, uint64_t, room);
        if (r->ticks) memcpy(more, r->tick, sizeof *more * (size_t)r->ticks);
        r->tick = more;
        r->ticks = room;
    }
    interp_step(r, level);
    return level;
}

void interp_close(Run *r) { interp_step(r, --r->level); }

bool interp_fresh(const Run *r, const Slot *s)
{
    if (!s->known) return false;
    if (s->val.deps && r->tick[r->base + 63 - __builtin_clzll(s->val.deps)] != s->tick) return false;
    if (!s->mask) return true;
    for (const Mask *m = r->mask; m; m = m->up)
        if (m->id == s->mask) return true;
    return false;
}

/* ---- masks ------------------------------------------------------------------------------------------------------ */
Mask *interp_mask(Run *r)
{
    Mask *m = r->spare;
    if (m) {
        r->spare = m->up;
    } else {
        m = NEW(r->mem, Mask);
        m->on = NEW_ARRAY(r->mem, uint8_t, r->cap);
    }
    m->up = r->mask;
    m->id = ++r->masks;
    return m;
}

static void drop(Run *r, Mask *m)
{
    m->up = r->spare;
    r->spare = m;
}

bool interp_narrow(Run *r, Mask *m, Mask **was)
{
    *was = r->mask;
    if (!memchr(m->on, 1, (size_t)r->n)) {
        drop(r, m);
        return false;
    }
    r->mask = m;
    return true;
}

void interp_widen(Run *r, Mask *was)
{
    drop(r, r->mask);
    r->mask = was;
}

/* ---- arrays ----------------------------------------------------------------------------------------------------- */
void *interp_buf(Run *r, const Expr *e)
{
    Slot *s = &r->slot[e->id];
    if (!s->buf) s->buf = arena_alloc(r->mem, 8 * (size_t)r->cap);
    return s->buf;
}

double *interp_ebuf(Run *r, const Expr *e)
{
    Slot *s = &r->slot[e->id];
    if (!s->ebuf) s->ebuf = NEW_ARRAY(r->mem, double, r->cap);
    return s->ebuf;
}

static void spread(Run *r, const Expr *e)
{
    Slot *s = &r->slot[e->id];
    const Val *v = &s->val;
    void *to = interp_buf(r, e);
    int n = r->n;
    if (interp_width(r, (DType)e->type) == 4) {
        for (int l = 0; l < n; l++) ((float *)to)[l] = v->x.f;
    } else {
        int64_t *at = to, x = v->x.i, step = v->form == RAMP ? v->step : 0;
        for (int l = 0; l < n; l++) at[l] = (int64_t)((uint64_t)x + (uint64_t)step * (uint64_t)l);
    }
    if (v->e != 0) {
        double *err = interp_ebuf(r, e);
        for (int l = 0; l < n; l++) err[l] = v->e;
    }
    s->spread = n;
}

const void *interp_array(Run *r, const Expr *e, const double **err)
{
    const Val *v = interp_eval(r, e);
    Slot *s = &r->slot[e->id];
    if (v->form == MANY) {
        if (err) *err = v->err;
        return v->at;
    }
    if (s->spread < r->n) spread(r, e);
    if (err) *err = v->e != 0 ? s->ebuf : NULL;
    return s->buf;
}

/* Copies e's lanes into buf and ebuf; returns whether there are bounds (then ebuf has them). */
static bool copy_lanes(Run *r, const Expr *e, void *buf, double *ebuf)
{
    const double *err;
    const void *at = interp_array(r, e, &err);
    memcpy(buf, at, interp_width(r, (DType)e->type) * (size_t)r->n);
    if (err) memcpy(ebuf, err, sizeof *err * (size_t)r->n);
    return err != NULL;
}

/* ---- leaves ----------------------------------------------------------------------------------------------------- */
static Num literal(const Run *r, const Expr *e)
{
    DType t = (DType)e->type;
    Num x = {0};
    if (e->op == EX_INT && te_type[t].reg == RC_I64)
        x.i = e->i;
    else {
        double v = e->op == EX_INT ? (double)e->i : e->f;
        if (interp_reg(r, t) == RC_F64)
            x.d = v;
        else
            x.f = (float)v;
    }
    return x;
}

/* ---- operators -------------------------------------------------------------------------------------------------- */
static bool site_kept(const Expr *e) { return e->op == EX_DIV || e->op == EX_MOD; }

/* A divisor was 0 on some lane: an error if that lane counts. */
static void zero_divisor(Run *r, const Expr *e)
{
    const double *err;
    const int64_t *by = interp_array(r, e->arg[1], &err);
    if (!site_kept(e) || r->maybe) return;
    for (int l = 0; l < r->n; l++)
        if (interp_on(r, l) && by[l] == 0 && !(err && err[l] != 0))
            interp_stop(r, e->site >= 0 ? 1 + e->site : INTERP_BROKEN, 0);
}

/* Index arithmetic on arithmetic sequences stays one. */
static bool ramp(ExprOp op, const Val *const *arg, Val *out)
{
    const Val *a = arg[0], *b = op == EX_NEG ? NULL : arg[1];
    uint64_t x = (uint64_t)a->x.i, sx = a->form == RAMP ? (uint64_t)a->step : 0;
    uint64_t y = b ? (uint64_t)b->x.i : 0, sy = b && b->form == RAMP ? (uint64_t)b->step : 0;
    uint64_t base, step;
    switch (op) {
    case EX_ADD: base = x + y, step = sx + sy; break;
    case EX_SUB: base = x - y, step = sx - sy; break;
    case EX_NEG: base = 0 - x, step = 0 - sx; break;
    case EX_MUL:
        if (sx && sy) return false;
        base = x * y, step = sx * y + sy * x;
        break;
    default: return false;
    }
    out->form = step ? RAMP : ONE;
    out->x.i = (int64_t)base;
    out->step = (int64_t)step;
    return true;
}

static void operate_one(Run *r, const Expr *e, DType t, const Val *const *arg, Val *out)
{
    Num x[3] = {{0}, {0}, {0}};
    bool div0 = false;
    for (int i = 0; i < e->nargs; i++) x[i] = arg[i]->x;
    out->form = ONE;
    if (r->check) {
        BoundArg b[3];
        for (int i = 0; i < e->nargs; i++) b[i] = (BoundArg){&x[i], arg[i]->e != 0 ? &arg[i]->e : NULL};
        if (bound_op(r, (ExprOp)e->op, t, 1, &out->x, &out->e, b, &div0)) out->e = 0;
    } else {
        out->x = num_op((ExprOp)e->op, t, x, &div0);
    }
    if (!div0) return;
    zero_divisor(r, e);
    if (r->check) out->e = INFINITY;
}

static void operate_many(Run *r, const Expr *e, DType t, Val *out)
{
    void *buf = interp_buf(r, e);
    bool div0 = false;
    BoundArg b[3];
    const void *at[3] = {NULL, NULL, NULL};
    for (int i = 0; i < e->nargs; i++) at[i] = b[i].at = interp_array(r, e->arg[i], &b[i].err);
    out->form = MANY;
    out->at = buf;
    if (r->check) {
        double *ebuf = interp_ebuf(r, e);
        if (!bound_op(r, (ExprOp)e->op, t, (size_t)r->n, buf, ebuf, b, &div0)) out->err = ebuf;
    } else {
        num_op_n((ExprOp)e->op, t, (size_t)r->n, buf, at, &div0);
    }
    if (div0) zero_divisor(r, e);
}

static void operate(Run *r, const Expr *e, Val *out)
{
    DType t = (DType)e->arg[0]->type;
    const Val *arg[3] = {NULL, NULL, NULL};
    bool one = true, many = false;
    for (int i = 0; i < e->nargs; i++) {
        arg[i] = interp_eval(r, e->arg[i]);
        out->deps |= arg[i]->deps;
        one &= arg[i]->form == ONE;
        many |= arg[i]->form == MANY;
    }
    if (one)
        operate_one(r, e, t, arg, out);
    else if (many || t != DT_INDEX || !ramp((ExprOp)e->op, arg, out))
        operate_many(r, e, t, out);
}

static void cast(Run *r, const Expr *e, Val *out)
{
    const Expr *a = e->arg[0];
    DType to = (DType)e->type, from = (DType)a->type;
    const Val *v = interp_eval(r, a);
    *out = *v;
    if (to == from || (to == DT_INDEX && te_type[from].reg == RC_I64)) return;
    if (v->form == ONE) {
        if (!r->check)
            out->x = num_cast(to, from, v->x);
        else if (bound_cast(r, to, from, 1, &out->x, &out->e, (BoundArg){&v->x, v->e != 0 ? &v->e : NULL}))
            out->e = 0;
        return;
    }
    BoundArg b;
    void *buf = interp_buf(r, e);
    b.at = interp_array(r, a, &b.err);
    *out = (Val){.form = MANY, .at = buf, .deps = v->deps};
    if (!r->check)
        num_cast_n(to, from, (size_t)r->n, buf, b.at);
    else if (!bound_cast(r, to, from, (size_t)r->n, buf, interp_ebuf(r, e), b))
        out->err = interp_ebuf(r, e);
}

/* ---- choices ---------------------------------------------------------------------------------------------------- */
/* Per lane one of two values of type t, by c: to[l] holds the first, `no` the second; both count where c is undecided.
 * Returns whether the result has bounds (in err). */
static bool blend(const Run *r, DType t, const int64_t *c, const double *cerr, void *to, double *err, bool has,
                  const void *no, const double *noerr)
{
    size_t w = interp_width(r, t);
    bool is_float = te_is_float(t);
    if (!r->check) {
        for (int l = 0; l < r->n; l++)
            if (!c[l]) memcpy((char *)to + w * (size_t)l, (const char *)no + w * (size_t)l, w);
        return false;
    }
    Num *a = to;
    const Num *b = no;
    bool any = false;
    for (int l = 0; l < r->n; l++) {
        double ea = has ? err[l] : 0, eb = noerr ? noerr[l] : 0;
        double e = c[l] ? ea : eb;
        if (cerr && cerr[l] != 0 && interp_on(r, l)) {
            double apart = is_float ? fabs(a[l].d - b[l].d) : fabs((double)a[l].i - (double)b[l].i);
            if (is_float && (a[l].d == b[l].d || (isnan(a[l].d) && isnan(b[l].d)))) apart = 0;
            if (isnan(apart)) apart = INFINITY;
            e = fmax(e, apart + (c[l] ? eb : ea));
            if (t == DT_U1) e = e != 0;
        }
        if (!c[l]) a[l] = b[l];
        err[l] = e;
        any |= e != 0;
    }
    return any;
}

/* The lanes for which c may be `want`, as a mask that is entered. */
static bool narrow_to(Run *r, bool want, const int64_t *c, const double *cerr, Mask **was)
{
    Mask *m = interp_mask(r);
    for (int l = 0; l < r->n; l++) m->on[l] = interp_on(r, l) && ((c[l] != 0) == want || (cerr && cerr[l] != 0));
    return interp_narrow(r, m, was);
}

static bool undecided(const Run *r, const double *cerr)
{
    if (!cerr) return false;
    for (int l = 0; l < r->n; l++)
        if (interp_on(r, l) && cerr[l] != 0) return true;
    return false;
}

/* c ? a : b and a && b, a || b (c is then a itself, and the part not taken is a's value). */
static void select_many(Run *r, const Expr *e, const Expr *yes, const Expr *no, Val *out)
{
    DType t = (DType)e->type;
    const double *cerr;
    const int64_t *c = interp_array(r, e->arg[0], &cerr);
    void *buf = interp_buf(r, e);
    double *ebuf = r->check ? interp_ebuf(r, e) : NULL;
    bool has = false, maybe = undecided(r, cerr);
    Mask *was;
    if (!maybe) cerr = NULL;
    *out = (Val){.form = MANY, .at = buf, .deps = out->deps};
    r->maybe += maybe;
    if (narrow_to(r, true, c, cerr, &was)) {
        has = copy_lanes(r, yes, buf, ebuf);
        out->deps |= r->slot[yes->id].val.deps;
        interp_widen(r, was);
    }
    if (narrow_to(r, false, c, cerr, &was)) {
        const double *err;
        const void *at = interp_array(r, no, &err);
        out->deps |= r->slot[no->id].val.deps;
        Mask *inner = r->mask;
        r->mask = was;
        has = blend(r, t, c, cerr, buf, ebuf, has, at, err);
        r->mask = inner;
        interp_widen(r, was);
    }
    r->maybe -= maybe;
    if (has) out->err = ebuf;
}

static void select_one(Run *r, const Expr *e, Val *out)
{
    const Val *c = interp_eval(r, e->arg[0]);
    out->deps = c->deps;
    if (c->form != ONE || c->e != 0) {
        select_many(r, e, e->arg[1], e->arg[2], out);
        return;
    }
    uint64_t deps = c->deps;
    *out = *interp_eval(r, e->arg[c->x.i ? 1 : 2]);
    out->deps |= deps;
}

/* a && b: where a is true, b; `stop` is the value of a that decides alone. */
static void logic(Run *r, const Expr *e, bool stop, Val *out)
{
    const Expr *a = e->arg[0], *b = e->arg[1];
    const Val *va = interp_eval(r, a);
    uint64_t deps = va->deps;
    out->deps = deps;
    if (va->form == ONE && va->e == 0) {
        *out = *((va->x.i != 0) == stop ? va : interp_eval(r, b));
        out->deps |= deps;
        return;
    }
    if (stop)
        select_many(r, e, a, b, out);
    else
        select_many(r, e, b, a, out);
}

/* select(c, a, b): both are evaluated. */
static void pick(Run *r, const Expr *e, Val *out)
{
    const Val *v[3];
    bool one = true;
    for (int i = 0; i < 3; i++) {
        v[i] = interp_eval(r, e->arg[i]);
        out->deps |= v[i]->deps;
        one &= v[i]->form == ONE;
    }
    if (one && v[0]->e == 0) {
        uint64_t deps = out->deps;
        *out = *v[v[0]->x.i ? 1 : 2];
        out->deps = deps;
        return;
    }
    const double *cerr, *err;
    const int64_t *c = interp_array(r, e->arg[0], &cerr);
    const void *no = interp_array(r, e->arg[2], &err);
    void *buf = interp_buf(r, e);
    double *ebuf = r->check ? interp_ebuf(r, e) : NULL;
    bool has = copy_lanes(r, e->arg[1], buf, ebuf);
    out->form = MANY;
    out->at = buf;
    if (blend(r, (DType)e->type, c, cerr, buf, ebuf, has, no, err)) out->err = ebuf;
}

/* ---- a node ----------------------------------------------------------------------------------------------------- */
static void compute(Run *r, const Expr *e, Val *out)
{
    switch ((ExprOp)e->op) {
    case EX_INT:
    case EX_FLOAT: out->x = literal(r, e); break;
    case EX_VAR: *out = r->var[e->var->id]; break;
    case EX_DIM: out->x.i = r->dims[e->sym]; break;
    case EX_CONST: out->x = literal(r, r->op->cst[e->sym].value); break;
    case EX_LOAD: interp_load(r, e, out); break;
    case EX_REDUCE: interp_reduce(r, e, out); break;
    case EX_SELECT: select_one(r, e, out); break;
    case EX_AND: logic(r, e, false, out); break;
    case EX_OR: logic(r, e, true, out); break;
    case EX_PICK: pick(r, e, out); break;
    case EX_CAST: cast(r, e, out); break;
    default: operate(r, e, out); break;
    }
}

const Val *interp_eval(Run *r, const Expr *e)
{
    Slot *s = &r->slot[e->id];
    if (interp_fresh(r, s)) return &s->val;
    Mask *mask = r->mask;
    if (s->total) r->mask = NULL;
    Val v = {0};
    compute(r, e, &v);
    s->val = v;
    s->known = true;
    s->spread = 0;
    s->mask = !r->mask || (v.form == ONE && !r->maybe) ? 0 : r->mask->id;
    s->tick = v.deps ? r->tick[r->base + 63 - __builtin_clzll(v.deps)] : 0;
    r->mask = mask;
    return &s->val;
}

/* A division is total when its divisor is known and not 0. */
void interp_decide_total(Run *r, const Expr *e)
{
    Slot *s = &r->slot[e->id];
    if (s->walked) return;
    s->walked = true;
    bool total = e->op != EX_LOAD && e->op != EX_REDUCE;
    for (int i = 0; i < te_nchildren(e); i++) {
        Expr *c = te_child(e, i);
        interp_decide_total(r, c);
        total &= r->slot[c->id].total;
    }
    int64_t by;
    if (site_kept(e) && te_type[e->type].reg == RC_I64)
        total &= te_eval_size_at(r->op, e->arg[1], r->dims, &by) && by != 0;
    s->total = total;
}
