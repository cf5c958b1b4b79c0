/* te_check: fallback */
#include "ir/te_interp.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct V {
    double x, e;
    int64_t i;
} V; /* floats: x +- e; integers: i +- e */
typedef struct Ck {
    const TeOp *op;
    const int64_t *dims;
    int64_t **shape;
    double **val, **err;
    int64_t *var;
    const Def *def;
    double *oldv, *olde;
    int bad;
} Ck;
static V ev(Ck *c, const Expr *e);
static bool isf(DType t) { return te_is_float(t); }
static double unit(DType t) { return isf(t) ? ldexp(1, -te_type[t].u) : 0; }
static double tiny(DType t)
{
    switch (t) {
    case DT_F64: return 0x1p-1074;
    case DT_F32: return 0x1p-149;
    case DT_TF32: return 0x1p-136;
    case DT_F16: return 0x1p-24;
    case DT_BF16: return 0x1p-133;
    case DT_F8E4M3: return 0x1p-9;
    case DT_F8E5M2: return 0x1p-16;
    default: return 0;
    }
}
static double most(DType t)
{
    switch (t) {
    case DT_F64: return 0x1.fffffffffffffp1023;
    case DT_F16: return 65504;
    case DT_BF16: return 0x1.fep127;
    case DT_F8E4M3: return 448;
    case DT_F8E5M2: return 57344;
    case DT_TF32: return 0x1.ffcp127;
    default: return 0x1.fffffep127;
    }
}
static V fin(DType t, double x, double e, double ulps)
{
    V v = {.x = x};
    double u = unit(t);
    e += (fabs(x) + e) * 2 * u * ulps + tiny(t) * (ulps + 1);
    if (isnan(x) || isnan(e) || fabs(x) + e > most(t) * (1 - 4 * u)) e = INFINITY;
    v.e = e;
    return v;
}
static int64_t flat(const Tensor *t, const int64_t *sh, const int64_t *ix)
{
    int64_t a = 0;
    for (int i = 0; i < t->rank; i++) a = a * sh[i] + ix[i];
    return a;
}
static bool earlier(const Def *d, const Expr *l)
{
    if (!d->seq) return 0;
    for (int i = 0; i < d->nix; i++)
        if (d->ix[i] == d->seq) return te_uses_var(l->arg[i], d->seq) && l->arg[i]->op != EX_VAR;
    return 0;
}
static V join(V a, V b, bool f)
{
    V r = a;
    if (f) {
        double d = fabs(a.x - b.x);
        if (isnan(d)) d = INFINITY;
        r.e = fmax(a.e, d + b.e);
    } else
        r.e = fmax(a.e, (double)llabs(a.i - b.i) + b.e);
    return r;
}
static V load(Ck *c, const Expr *e)
{
    const Tensor *t = e->load.t;
    int64_t ix[16];
    const int64_t *sh = c->shape[t->id];
    bool unsure = 0;
    for (int i = 0; i < t->rank; i++) {
        V v = ev(c, e->arg[i]);
        ix[i] = v.i;
        if (v.e > 0) unsure = 1;
    }
    for (int i = 0; i < t->rank; i++)
        if (ix[i] < 0 || ix[i] >= sh[i]) {
            V r;
            if (e->load.other)
                r = ev(c, e->load.other);
            else
                r = (V){0};
            if (unsure || !e->load.other) r.e = INFINITY;
            return r;
        }
    int64_t at = flat(t, sh, ix);
    bool old = c->oldv && t == c->def->out[0] && !earlier(c->def, e);
    double x = old ? c->oldv[at] : c->val[t->id][at], er = old ? c->olde[at] : c->err[t->id][at];
    V r = {.x = x, .e = er};
    if (!isf(t->type)) r.i = (int64_t)0, memcpy(&r.i, &x, 8);
    if (unsure) r.e = INFINITY;
    return r;
}
/* truth of a u1: 1, 0; e>0: undecided */
static V num_bin(DType t, ExprOp o, V a, V b)
{
    double E;
    switch (o) {
    case EX_ADD: return fin(t, a.x + b.x, a.e + b.e, 1);
    case EX_SUB: return fin(t, a.x - b.x, a.e + b.e, 1);
    case EX_MUL: return fin(t, a.x * b.x, fabs(a.x) * b.e + fabs(b.x) * a.e + a.e * b.e, 1);
    case EX_DIV:
        if (fabs(b.x) <= b.e) {
            V r = fin(t, a.x / b.x, 0, 1);
            if (b.e > 0 || a.e > 0) r.e = INFINITY;
            return r;
        }
        E = (a.e + fabs(a.x / b.x) * b.e) / (fabs(b.x) - b.e);
        return fin(t, a.x / b.x, E, 1);
    case EX_MIN:
    case EX_MAX: {
        V r = {.e = fmax(a.e, b.e)};
        r.x = (isnan(a.x) || isnan(b.x)) ? NAN : o == EX_MIN ? fmin(a.x, b.x) : fmax(a.x, b.x);
        return r;
    }
    default: return (V){.x = NAN, .e = INFINITY};
    }
}
typedef double (*F1)(double);
static double rsq(double x) { return 1 / sqrt(x); }
static double sg(double x) { return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }
static V fn1(DType t, ExprOp o, V a)
{
    F1 f = o == EX_EXP       ? exp
           : o == EX_EXP2    ? exp2
           : o == EX_LOG     ? log
           : o == EX_LOG2    ? log2
           : o == EX_RSQRT   ? rsq
           : o == EX_TANH    ? tanh
           : o == EX_ERF     ? erf
           : o == EX_SIGMOID ? sg
           : o == EX_SIN     ? sin
           : o == EX_COS     ? cos
                             : sqrt;
    double x = f(a.x);
    double ulps = (o == EX_SQRT ? 1 : 2 + 2 * num_math_ulp(o, t == DT_F64 ? DT_F64 : DT_F32));
    double E;
    if (o == EX_SIN || o == EX_COS)
        E = fmin(a.e, 2);
    else if (a.e == 0)
        E = 0;
    else {
        double p = f(a.x + a.e), q = f(a.x - a.e);
        E = fmax(fabs(p - x), fabs(q - x));
        if (isnan(E)) E = INFINITY;
        if ((o == EX_LOG || o == EX_LOG2 || o == EX_RSQRT) && a.x - a.e <= 0) E = INFINITY;
        if (o == EX_SQRT && a.x - a.e < 0) E = fmax(E, INFINITY);
    }
    if (isinf(a.e)) E = INFINITY;
    return fin(t, x, E, ulps);
}
static V rnd(ExprOp o, V a)
{
    double x = o == EX_FLOOR ? floor(a.x) : o == EX_CEIL ? ceil(a.x) : o == EX_ROUND ? rint(a.x) : trunc(a.x);
    V r = {.x = x};
    if (a.e > 0) {
        double p, q;
        p = a.x + a.e;
        q = a.x - a.e;
        double fp = o == EX_FLOOR   ? floor(p)
                    : o == EX_CEIL  ? ceil(p)
                    : o == EX_ROUND ? rint(p)
                                    : trunc(p),
               fq = o == EX_FLOOR   ? floor(q)
                    : o == EX_CEIL  ? ceil(q)
                    : o == EX_ROUND ? rint(q)
                                    : trunc(q);
        r.e = fmax(fabs(fp - x), fabs(fq - x));
        if (isnan(r.e)) r.e = INFINITY;
    }
    return r;
}
static V cmp(ExprOp o, bool f, bool u, V a, V b)
{
    V r = {0};
    double A = f ? a.x : 0, B = f ? b.x : 0;
    double E = a.e + b.e;
    bool near_;
    if (f) {
        near_ = E > 0 && !(fabs(A - B) > E);
        if (E > 0 && (isnan(A) || isnan(B))) near_ = 1;
        r.i = o == EX_EQ   ? A == B
              : o == EX_NE ? A != B
              : o == EX_LT ? A < B
              : o == EX_LE ? A <= B
              : o == EX_GT ? A > B
                           : A >= B;
    } else {
        int64_t x = a.i, y = b.i;
        bool lt = u ? (uint64_t)x < (uint64_t)y : x < y;
        near_ = E > 0;
        r.i = o == EX_EQ   ? x == y
              : o == EX_NE ? x != y
              : o == EX_LT ? lt
              : o == EX_LE ? lt || x == y
              : o == EX_GT ? !lt && x != y
                           : !lt;
    }
    r.e = near_;
    return r;
}
static V intop(const Expr *e, DType t, V *a)
{
    Num n[3];
    double E = 0;
    for (int i = 0; i < e->nargs; i++) {
        n[i].i = a[i].i;
        E += a[i].e;
    }
    bool z = 0;
    Num r = num_op((ExprOp)e->op, t, n, &z);
    V v = {.i = r.i};
    if (E > 0) v.e = INFINITY;
    if (z) v.e = INFINITY;
    return v;
}
static V castv(DType to, DType from, V a)
{
    V r = {0};
    if (isf(from) && isf(to)) {
        if (to == from) return a;
        bool exact = unit(to) <= unit(from) && most(to) >= most(from) && tiny(to) <= tiny(from);
        r.x = a.x;
        if (exact) {
            r.e = a.e;
            return r;
        }
        if (a.e == 0) {
            Num n;
            if (te_type[from].reg == RC_F64)
                n.d = a.x;
            else
                n.f = (float)a.x;
            Num o = num_cast(to, from, n);
            r.x = te_type[to].reg == RC_F64 ? o.d : (double)o.f;
            if (isnan(r.x) && !isnan(a.x)) r.e = 0;
            return r;
        }
        return fin(to, a.x, a.e, 1);
    }
    if (isf(to)) {
        Num n = {.i = a.i};
        Num o = num_cast(to, from, n);
        r.x = te_type[to].reg == RC_F64 ? o.d : (double)o.f;
        r.e = a.e;
        return r;
    }
    if (isf(from)) {
        if (a.e == 0) {
            Num o = num_cast(to, DT_F64, (Num){.d = a.x});
            r.i = o.i;
            return r;
        }
        int64_t m = num_cast(to, DT_F64, (Num){.d = a.x}).i, p = num_cast(to, DT_F64, (Num){.d = a.x + a.e}).i,
                q = num_cast(to, DT_F64, (Num){.d = a.x - a.e}).i;
        r.i = m;
        r.e = fmax(fabs((double)m - (double)p), fabs((double)m - (double)q));
        if (to == DT_U1 && fabs(a.x) <= a.e) r.e = 1;
        if (isinf(a.e) || isnan(a.x)) r.e = INFINITY;
        return r;
    }
    r.i = num_cast(to, from, (Num){.i = a.i}).i;
    r.e = a.e;
    if (a.e > 0 && te_type[to].bits < te_type[from].bits) r.e = INFINITY;
    if (to == DT_U1 && a.e > 0) r.e = 1;
    return r;
}
typedef struct Rs {
    double s, e, abs;
    int64_t n;
    V best;
    int64_t at;
    double ate;
    bool any;
    V acc;
    bool unsure;
} Rs;
static void rterm(Ck *c, const Reduce *r, Rs *s)
{
    bool maybe = 0;
    if (r->cond) {
        V k = ev(c, r->cond);
        if (k.e > 0)
            maybe = 1;
        else if (!k.i)
            return;
    }
    V x = ev(c, r->body);
    DType t = (DType)r->body->type;
    bool f = isf(t);
    int64_t at = r->nvars ? c->var[r->var[0]->id] : 0;
    switch (r->op) {
    case RED_SUM:
        if (f) {
            if (maybe) {
                s->e += fabs(x.x) + x.e;
                if (!(s->e == s->e)) s->e = INFINITY;
                return;
            }
            s->s += x.x;
            s->e += x.e;
            s->abs += fabs(x.x);
            s->n++;
        } else {
            s->acc.i = num_op(EX_ADD, t, (Num[]){{.i = s->acc.i}, {.i = x.i}}, &(bool){0}).i;
            if (maybe || x.e > 0) s->acc.e = INFINITY;
        }
        break;
    case RED_PROD:
        if (f) {
            if (maybe) {
                s->acc.e = INFINITY;
                return;
            }
            s->acc = num_bin(t, EX_MUL, s->acc, x);
            s->acc.e += fabs(s->acc.x) * unit(t) * 2;
            s->abs = fmax(s->abs, fabs(s->acc.x));
        } else {
            s->acc.i = num_op(EX_MUL, t, (Num[]){{.i = s->acc.i}, {.i = x.i}}, &(bool){0}).i;
            if (maybe || x.e > 0) s->acc.e = INFINITY;
        }
        break;
    case RED_MAX:
    case RED_MIN:
        if (f) {
            V n = num_bin(t, r->op == RED_MAX ? EX_MAX : EX_MIN, s->acc, x);
            if (maybe) {
                double d = fabs(n.x - s->acc.x);
                s->acc.e = fmax(s->acc.e, isnan(d) ? INFINITY : d + x.e);
            } else
                s->acc = n;
        } else {
            if (x.e > 0 || maybe) s->acc.e = INFINITY;
            s->acc.i =
                num_op(r->op == RED_MAX ? EX_MAX : EX_MIN, t, (Num[]){{.i = s->acc.i}, {.i = x.i}}, &(bool){0}).i;
        }
        break;
    case RED_ANY:
        if (x.e > 0 || maybe)
            s->unsure = 1;
        else if (x.i)
            s->acc.i = 1, s->any = 1;
        break;
    case RED_ALL:
        if (x.e > 0 || maybe)
            s->unsure = 1;
        else if (!x.i)
            s->acc.i = 0, s->any = 1;
        break;
    default: {
        Num a, b;
        bool d64 = te_type[t].reg == RC_F64;
        if (f) {
            if (d64)
                a.d = x.x, b.d = s->best.x;
            else
                a.f = (float)x.x, b.f = (float)s->best.x;
        } else
            a.i = x.i, b.i = s->best.i;
        if (maybe) s->ate = INFINITY;
        bool first = s->at < 0;
        double E = x.e + s->best.e;
        if (!first && E > 0 && (f ? !(fabs(x.x - s->best.x) > E) : 1)) s->ate = fmax(s->ate, 1e18);
        DType ct = f ? DT_F64 : t;
        Num A = {0}, B = {0};
        if (f) {
            A.d = x.x;
            B.d = s->best.x;
        } else {
            A = a;
            B = b;
        }
        if (first || num_better(r->op, ct, A, B)) {
            s->best = x;
            s->at = at;
        }
    }
    }
}
static void rwalk(Ck *c, const Reduce *r, int k, Rs *s)
{
    if (k == r->nvars) {
        rterm(c, r, s);
        return;
    }
    V lo = ev(c, r->var[k]->lo), hi = ev(c, r->var[k]->hi);
    if (lo.e > 0 || hi.e > 0) s->acc.e = s->e = s->ate = INFINITY;
    for (int64_t i = lo.i; i < hi.i; i++) {
        c->var[r->var[k]->id] = i;
        rwalk(c, r, k + 1, s);
    }
}
static V red(Ck *c, const Expr *e)
{
    const Reduce *r = e->red;
    DType t = (DType)r->body->type;
    bool f = isf(t);
    Rs s = {.at = -1};
    Num id = num_identity(r->op, t);
    if (f)
        s.acc.x = te_type[t].reg == RC_F64 ? id.d : (double)id.f;
    else
        s.acc.i = id.i;
    rwalk(c, r, 0, &s);
    if (r->op == RED_ARGMAX || r->op == RED_ARGMIN) {
        V v = {.i = s.at, .e = s.ate};
        return v;
    }
    if (r->op == RED_SUM && f) {
        double u = unit(t), g = (double)(s.n + 2) * u * 2;
        V v = {.x = s.s, .e = s.e + g * (s.abs + s.e) + tiny(t) * (double)(s.n + 1)};
        if (isnan(v.x) || isnan(v.e) || s.abs + v.e > most(t) * (1 - 8 * u)) v.e = INFINITY;
        return v;
    }
    if (r->op == RED_PROD && f) {
        if (s.abs > most(t) * 0.5 || (s.abs > 0 && fabs(s.acc.x) < tiny(t) * 1e3 / fmax(unit(t), 1e-9)))
            s.acc.e = fmax(s.acc.e, fabs(s.acc.x) + tiny(t) * 4 + (s.abs > most(t) * 0.5 ? INFINITY : 0));
        return s.acc;
    }
    if ((r->op == RED_ANY || r->op == RED_ALL) && s.unsure && !s.any) s.acc.e = 1;
    return s.acc;
}
static V ev(Ck *c, const Expr *e)
{
    DType t = (DType)e->type;
    V a[3];
    switch (e->op) {
    case EX_INT: return (V){.i = e->i};
    case EX_FLOAT: return (V){.x = e->f};
    case EX_VAR: return (V){.i = c->var[e->var->id]};
    case EX_DIM: return (V){.i = c->dims[e->sym]};
    case EX_CONST: return ev(c, c->op->cst[e->sym].value);
    case EX_LOAD: return load(c, e);
    case EX_REDUCE: return red(c, e);
    case EX_SELECT:
    case EX_PICK: {
        V k = ev(c, e->arg[0]);
        if (k.e > 0) return join(ev(c, e->arg[1]), ev(c, e->arg[2]), isf(t));
        return ev(c, e->arg[k.i ? 1 : 2]);
    }
    case EX_AND: {
        V x = ev(c, e->arg[0]);
        if (x.e == 0 && !x.i) return x;
        V y = ev(c, e->arg[1]);
        if (y.e == 0 && !y.i) return y;
        return (V){.i = x.i && y.i, .e = x.e > 0 || y.e > 0};
    }
    case EX_OR: {
        V x = ev(c, e->arg[0]);
        if (x.e == 0 && x.i) return x;
        V y = ev(c, e->arg[1]);
        if (y.e == 0 && y.i) return y;
        return (V){.i = x.i || y.i, .e = x.e > 0 || y.e > 0};
    }
    case EX_CAST: return castv(t, (DType)e->arg[0]->type, ev(c, e->arg[0]));
    default: break;
    }
    for (int i = 0; i < e->nargs; i++) a[i] = ev(c, e->arg[i]);
    DType at = (DType)e->arg[0]->type;
    bool f = isf(at);
    if (e->op >= EX_EQ && e->op <= EX_GE) return cmp((ExprOp)e->op, f, te_type[at].cls == 'U', a[0], a[1]);
    if (!f) {
        if (e->op == EX_NOT) return (V){.i = !a[0].i, .e = a[0].e};
        return intop(e, at, a);
    }
    switch (e->op) {
    case EX_NEG: a[0].x = -a[0].x; return a[0];
    case EX_ABS: a[0].x = fabs(a[0].x); return a[0];
    case EX_FMA: {
        V p = {.x = a[0].x * a[1].x, .e = fabs(a[0].x) * a[1].e + fabs(a[1].x) * a[0].e + a[0].e * a[1].e};
        return num_bin(t, EX_ADD, p, a[2]);
    }
    case EX_CLAMP: return num_bin(t, EX_MIN, num_bin(t, EX_MAX, a[0], a[1]), a[2]);
    case EX_FLOOR:
    case EX_CEIL:
    case EX_ROUND:
    case EX_TRUNC: return rnd((ExprOp)e->op, a[0]);
    case EX_POWI: {
        double n = (double)a[1].i, x = pow(a[0].x, n), E = 0;
        if (a[0].e > 0) {
            double p = pow(a[0].x + a[0].e, n), q = pow(a[0].x - a[0].e, n);
            E = fmax(fabs(p - x), fabs(q - x));
            if (fabs(a[0].x) <= a[0].e) E = fmax(E, n < 0 ? INFINITY : 0) + fabs(x);
            if (isnan(E)) E = INFINITY;
        }
        if (a[1].e > 0) E = INFINITY;
        return fin(t, x, E, 2 + 2 * num_math_ulp(EX_POWI, t == DT_F64 ? DT_F64 : DT_F32));
    }
    case EX_POW: {
        double x = pow(a[0].x, a[1].x), E = 0;
        if (a[0].e > 0 || a[1].e > 0) {
            for (int i = -1; i <= 1; i += 2)
                for (int j = -1; j <= 1; j += 2) {
                    double p = pow(a[0].x + i * a[0].e, a[1].x + j * a[1].e);
                    double d = fabs(p - x);
                    E = fmax(E, isnan(d) ? INFINITY : d);
                }
            if (fabs(a[0].x) <= a[0].e || isinf(a[0].e) || isinf(a[1].e)) E = INFINITY;
        }
        return fin(t, x, E, 2 + 2 * num_math_ulp(EX_POW, t == DT_F64 ? DT_F64 : DT_F32));
    }
    case EX_ADD:
    case EX_SUB:
    case EX_MUL:
    case EX_DIV:
    case EX_MIN:
    case EX_MAX: return num_bin(t, (ExprOp)e->op, a[0], a[1]);
    default: return fn1(t, (ExprOp)e->op, a[0]);
    }
}
static void put(Ck *c, const Tensor *t, int64_t at, V v)
{
    if (isf(t->type))
        c->val[t->id][at] = v.x;
    else
        memcpy(&c->val[t->id][at], &v.i, 8);
    c->err[t->id][at] = v.e;
}
static void point(Ck *c, const Def *d)
{
    int64_t ix[16];
    for (int i = 0; i < d->nix; i++) ix[i] = c->var[d->ix[i]->id];
    if (d->slot_at < 0) {
        put(c, d->out[0], flat(d->out[0], c->shape[d->out[0]->id], ix), ev(c, d->rhs));
        return;
    }
    const Reduce *r = d->rhs->red;
    DType t = (DType)r->body->type;
    int64_t K = ev(c, r->slot->hi).i;
    V *vals = calloc((size_t)K + 1, sizeof(V));
    int64_t *wh = calloc((size_t)K + 1, 8);
    double slop = 0, emax = 0;
    Num l = num_least(t);
    for (int64_t i = 0; i < K; i++) {
        wh[i] = -1;
        if (isf(t))
            vals[i].x = te_type[t].reg == RC_F64 ? l.d : (double)l.f;
        else
            vals[i].i = l.i;
    }
    int64_t lo = ev(c, r->var[0]->lo).i, hi = ev(c, r->var[0]->hi).i;
    for (int64_t i = lo; i < hi; i++) {
        c->var[r->var[0]->id] = i;
        if (r->cond) {
            V k = ev(c, r->cond);
            if (k.e > 0) {
                slop = INFINITY;
                continue;
            }
            if (!k.i) continue;
        }
        V x = ev(c, r->body);
        emax = fmax(emax, x.e);
        int64_t k = K;
        DType ct = isf(t) ? DT_F64 : t;
        for (; k > 0; k--) {
            Num A = {0}, B = {0};
            if (isf(t)) {
                A.d = x.x;
                B.d = vals[k - 1].x;
            } else {
                A.i = x.i;
                B.i = vals[k - 1].i;
            }
            if (!(wh[k - 1] < 0 || num_better(RED_TOPK, ct, A, B))) break;
            if (k < K) vals[k] = vals[k - 1], wh[k] = wh[k - 1];
        }
        if (k < K) vals[k] = x, wh[k] = i;
    }
    for (int64_t i = 0; i < K; i++) {
        ix[d->slot_at] = i;
        V v = vals[i];
        v.e = fmax(v.e, emax) + slop;
        put(c, d->out[0], flat(d->out[0], c->shape[d->out[0]->id], ix), v);
        put(c, d->out[1], flat(d->out[1], c->shape[d->out[1]->id], ix),
            (V){.i = wh[i], .e = emax > 0 || slop > 0 ? 1e18 : 0});
    }
    free(vals);
    free(wh);
}
static void pts(Ck *c, const Def *d, Var **o, int n, int k)
{
    if (k == n) {
        point(c, d);
        return;
    }
    int64_t hi = ev(c, o[k]->hi).i;
    for (int64_t i = ev(c, o[k]->lo).i; i < hi; i++) {
        c->var[o[k]->id] = i;
        pts(c, d, o, n, k + 1);
    }
}
int te_check(Arena *mem, const TeOp *op, const int64_t *dims, Numerics num, void *const *in, void *const *out,
             int64_t limit, uint64_t seed, TeCheck *res, int64_t *index)
{
    (void)limit;
    (void)seed;
    Ck c = {.op = op, .dims = dims};
    c.shape = NEW_ARRAY(mem, int64_t *, op->ntensors + 1);
    c.val = NEW_ARRAY(mem, double *, op->ntensors + 1);
    c.err = NEW_ARRAY(mem, double *, op->ntensors + 1);
    c.var = NEW_ARRAY(mem, int64_t, op->nvars + 1);
    void **copy = NEW_ARRAY(mem, void *, op->ntensors + 1);
    int64_t *cnt = NEW_ARRAY(mem, int64_t, op->ntensors + 1);
    for (int i = 0; i < op->ntensors; i++) {
        const Tensor *t = op->tensor[i];
        c.shape[i] = NEW_ARRAY(mem, int64_t, t->rank + 1);
        int64_t n = 1;
        for (int k = 0; k < t->rank; k++) {
            te_eval_size_at(op, t->shape[k], dims, &c.shape[i][k]);
            n *= c.shape[i][k];
        }
        cnt[i] = n;
        if (i < op->nparams) {
            int64_t b = num_bytes(t->type, t->rank, c.shape[i]);
            copy[i] = arena_alloc(mem, (size_t)b + 8);
            if (in[i]) memcpy(copy[i], in[i], (size_t)b);
        }
        if (!num.ordered) {
            c.val[i] = NEW_ARRAY(mem, double, n + 1);
            c.err[i] = NEW_ARRAY(mem, double, n + 1);
            if (i < op->nparams && in[i] && t->kind != TK_OUTPUT) {
                int64_t row = t->rank ? c.shape[i][t->rank - 1] : 1,
                        pr = te_type[t->type].bits < 8 ? (row + 1) / 2 * 2 : row;
                for (int64_t k = 0; k < n; k++) {
                    Num x = num_load(t->type, in[i], k / row * pr + k % row);
                    if (isf(t->type))
                        c.val[i][k] = te_type[t->type].reg == RC_F64 ? x.d : (double)x.f;
                    else
                        memcpy(&c.val[i][k], &x.i, 8);
                }
            }
        }
    }
    if (num.ordered) {
        int r = te_interp(mem, op, dims, num, copy, index);
        if (r) return r;
    } else
        for (int i = 0; i < op->ndefs; i++) {
            const Def *d = op->def[i];
            Var *o[16];
            int n = 0;
            if (d->seq) o[n++] = d->seq;
            for (int k = 0; k < d->nix; k++)
                if (d->ix[k] != d->seq && k != d->slot_at) o[n++] = d->ix[k];
            c.def = d;
            c.oldv = c.olde = NULL;
            int id = d->out[0]->id;
            if (d->out[0]->kind == TK_INOUT) {
                c.oldv = arena_dup(mem, c.val[id], sizeof(double) * (size_t)(cnt[id] + 1));
                c.olde = arena_dup(mem, c.err[id], sizeof(double) * (size_t)(cnt[id] + 1));
            }
            pts(&c, d, o, n, 0);
        }
    for (int i = 0; i < op->nparams; i++) {
        const Tensor *t = op->tensor[i];
        res[i] = (TeCheck){0};
        if (t->kind != TK_OUTPUT && t->kind != TK_INOUT) continue;
        int64_t row = t->rank ? c.shape[i][t->rank - 1] : 1, pr = te_type[t->type].bits < 8 ? (row + 1) / 2 * 2 : row;
        res[i].compared = cnt[i];
        for (int64_t k = 0; k < cnt[i]; k++) {
            int64_t at = k / row * pr + k % row;
            Num g = num_load(t->type, out[i], at);
            double got = isf(t->type) ? (te_type[t->type].reg == RC_F64 ? g.d : (double)g.f) : (double)g.i, want, b = 0,
                   bad;
            if (num.ordered) {
                Num w = num_load(t->type, copy[i], at);
                want = isf(t->type) ? (te_type[t->type].reg == RC_F64 ? w.d : (double)w.f) : (double)w.i;
                bool same =
                    num_to_bits(t->type, g) == num_to_bits(t->type, w) || (isf(t->type) && isnan(got) && isnan(want));
                bad = same ? 0 : 2;
            } else {
                if (isf(t->type))
                    want = c.val[i][k];
                else {
                    int64_t q;
                    memcpy(&q, &c.val[i][k], 8);
                    want = (double)q;
                    if (g.i == q) { got = want; }
                }
                b = c.err[i][k];
                double d = fabs(got - want);
                bool both = (isnan(got) && isnan(want)) || (isinf(got) && got == want) || isinf(b);
                bad = both       ? 0
                      : isnan(d) ? INFINITY
                      : d <= b   ? d / fmax(b, 1e-300)
                      : d == 0   ? 0
                                 : fmax(2, d / fmax(b, 1e-300));
            }
            double d = fabs(got - want);
            if (isfinite(d) && isfinite(b)) {
                if (d > res[i].max_abs) res[i].max_abs = d;
                if (fabs(want) > b && d / fabs(want) > res[i].max_rel) res[i].max_rel = d / fabs(want);
            }
            if (bad > 1) res[i].mismatched++;
            if (bad > res[i].worst || k == 0) {
                res[i].worst = bad;
                res[i].at = k;
                res[i].got = got;
                res[i].want = want;
                res[i].bound = b;
            }
        }
    }
    return 0;
}
static double cost(const TeOp *op, const int64_t *d, const Expr *e, double *terms, int depth)
{
    double c = 0;
    if (depth > 200) return 0;
    if (e->op == EX_REDUCE) {
        double n = 1;
        for (int i = 0; i < e->red->nvars; i++) {
            int64_t v = 1;
            if (!te_eval_size_at(op, e->red->var[i]->hi, d, &v)) v = 1;
            n *= (double)v;
        }
        double t = 0;
        double b = cost(op, d, e->red->body, &t, depth + 1);
        *terms += n * (1 + t);
        return n * (b + 1);
    }
    if (te_expr[e->op].kind != XK_LEAF && e->op != EX_LOAD && e->op != EX_CAST && e->type != DT_INDEX &&
        e->type != DT_U1)
        c = 1;
    for (int i = 0; i < e->nargs; i++) c += cost(op, d, e->arg[i], terms, depth + 1);
    return c;
}
TeWork te_work(const TeOp *op, const int64_t *dims)
{
    TeWork w = {0};
    for (int i = 0; i < op->ndefs; i++) {
        double n = 1;
        for (int k = 0; k < op->def[i]->nix; k++) {
            int64_t v = 1;
            te_eval_size_at(op, op->def[i]->ix[k]->hi, dims, &v);
            n *= (double)v;
        }
        double t = 0;
        double c = cost(op, dims, op->def[i]->rhs, &t, 0);
        w.flops += n * c;
        w.terms += n * (t > 0 ? t : 1);
    }
    for (int i = 0; i < op->nparams; i++) {
        const Tensor *t = op->tensor[i];
        double b = te_type[t->type].bits / 8.0;
        for (int k = 0; k < t->rank; k++) {
            int64_t v = 1;
            te_eval_size_at(op, t->shape[k], dims, &v);
            b *= (double)v;
        }
        w.bytes += b * (t->kind == TK_INOUT ? 2 : 1);
    }
    return w;
}
