/* sema_type: literals and the type beside them.
 *
 * An expression of literals only is a Pend until something beside it gives its type; then the whole of it is built in
 * that type (settle), so `1/2 * X[i]` halves. With nothing beside it, it is f32 where a float literal is in it, else
 * i32. Types never convert: all else that stands beside one another has one type, or is an integer beside an index. */
#include "frontend/sema.h"

#include <string.h>

/* ---- values ---------------------------------------------------------------------------------------------------- */
static void count(Sema *s, Val *v, const Val *parts, int n)
{
    uint64_t size = 1;
    for (int i = 0; i < n; i++) {
        size += parts[i].size;
        if (parts[i].depth > v->depth) v->depth = parts[i].depth;
    }
    v->size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
    v->depth++;
    if ((v->size <= TREE_MAX && v->depth <= TREE_DEPTH) || s->gave_up) return;
    fe_too_large(s, v->depth > TREE_DEPTH ? "with its fns written out, an expression is too deep"
                                          : "with its fns written out, an expression has more than 250000 operations");
    *v = (Val){0};
}

Val fe_leaf(Expr *e) { return (Val){.e = e, .size = 1, .depth = 1}; }

Val fe_typed(Sema *s, Expr *e, const Val *parts, int n)
{
    Val v = {.e = e};
    if (e) count(s, &v, parts, n);
    return v;
}

Val fe_pend(Sema *s, Pend *p)
{
    Pend *q = arena_dup(s->mem, p, sizeof *p);
    for (int i = 0; i < q->nargs; i++) {
        if (!q->arg[i].p) continue;
        q->has_float |= q->arg[i].p->has_float;
        q->wild |= q->arg[i].p->wild;
    }
    Val v = {.p = q};
    count(s, &v, q->arg, q->nargs);
    return v;
}

/* ---- settling -------------------------------------------------------------------------------------------------- */
static Expr *settle(Sema *s, Pend *p, DType t);

static Expr *settle_reduce(Sema *s, Pend *p, DType t)
{
    Expr *body = fe_settle(s, p->arg[0], t);
    if (!body || !fe_reduces(s, p->red->op, t, p->span)) return NULL;
    Reduce *r = arena_dup(s->mem, p->red, sizeof *r);
    r->body = body;
    Expr *e = te_reduce(s->op, r, t, p->span);
    if (p->nmemo == 0) return e;
    /* Its variables are bound by what it became in another type: this one gets its own. */
    Var **fresh = NEW_ARRAY(s->mem, Var *, r->nvars);
    Expr **to = NEW_ARRAY(s->mem, Expr *, r->nvars);
    for (int i = 0; i < r->nvars; i++) {
        Var *v = r->var[i];
        fresh[i] = te_new_var(s->op, v->name, te_substitute(s->op, v->lo, i, r->var, to),
                              te_substitute(s->op, v->hi, i, r->var, to), v->span);
        fresh[i]->written = v->written;
        to[i] = te_var(s->op, fresh[i], v->span);
    }
    if (r->cond) r->cond = te_substitute(s->op, r->cond, r->nvars, r->var, to);
    r->body = te_substitute(s->op, r->body, r->nvars, r->var, to);
    r->var = fresh;
    return e;
}

static Expr *settle_new(Sema *s, Pend *p, DType t)
{
    if (p->op == EX_INT || p->op == EX_FLOAT) return fe_literal_value(s, p->lit, p->neg, t, p->span);
    if (p->op == EX_LOAD) return te_is_float(t) ? te_float(s->op, t, 0, p->span) : te_int(s->op, t, 0, p->span);
    if (p->op == EX_REDUCE) return settle_reduce(s, p, t);
    Expr *arg[3];
    bool ok = true;
    for (int i = 0; i < p->nargs; i++) {
        arg[i] = p->arg[i].e ? p->arg[i].e : fe_settle(s, p->arg[i], t);
        ok &= arg[i] != NULL;
    }
    if (!ok || !fe_works_on(s, p->op, t, p->span)) return NULL;
    return te_node(s->op, p->op, t, p->nargs, arg, p->span);
}

static Expr *settle(Sema *s, Pend *p, DType t)
{
    int n = p->nmemo < 4 ? p->nmemo : 4;
    for (int i = 0; i < n; i++)
        if (p->memo[i] && p->memo[i]->type == t) return p->memo[i];
    if (++s->work > WORK_MAX) {
        fe_too_large(s, "checking it, with its fns written out, takes more than a million steps");
        return NULL;
    }
    Expr *e = settle_new(s, p, t);
    if (e && p->nmemo < 4) p->memo[p->nmemo++] = e;
    return e;
}

Expr *fe_settle(Sema *s, Val v, DType t)
{
    if (v.e) return v.e;
    return v.p && !s->gave_up ? settle(s, v.p, t) : NULL;
}

Expr *fe_default(Sema *s, Val v)
{
    if (v.p) return fe_settle(s, v, v.p->has_float ? DT_F32 : DT_I32);
    return v.e;
}

/* ---- what a place asks for -------------------------------------------------------------------------------------- */
static const char *name_of(DType t) { return t == DT_INDEX ? "an index" : te_type[t].name; }

Expr *fe_index(Sema *s, Val v, const char *what, Span span)
{
    if (v.p) return fe_settle(s, v, DT_INDEX);
    if (!v.e || v.e->type == DT_INDEX) return v.e;
    if (te_is_int((DType)v.e->type)) return te_cast(s->op, DT_INDEX, v.e, v.e->span);
    Diag *d = FE_ERROR(s, D_T006_INDEX, span, what, te_type[v.e->type].name);
    fe_help_at(s, d, "cast it, as in `i32(%s)`", fe_src(s, span));
    return NULL;
}

Expr *fe_assignable(Sema *s, Val v, DType t, const char *what, Span span)
{
    if (v.p) return fe_settle(s, v, t);
    if (!v.e || v.e->type == t) return v.e;
    Diag *d = FE_ERROR(s, D_T007_ASSIGN, span, what, te_type[t].name, name_of((DType)v.e->type));
    fe_help_at(s, d, "types never convert silently: cast it, as in `%s(%s)`", te_type[t].name, fe_src(s, span));
    return NULL;
}

/* Reports two types that stand beside one another. */
static void differ(Sema *s, const Val *v, const Span *span, int a, int b, const char *at, Span where)
{
    DType x = (DType)v[a].e->type, y = (DType)v[b].e->type;
    Diag *d = FE_ERROR(s, D_T001_DIFFER, where, at, name_of(x), name_of(y));
    fe_note_at(s, d, span[a], "`%s` is %s", fe_src(s, span[a]), name_of(x));
    fe_note_at(s, d, span[b], "`%s` is %s", fe_src(s, span[b]), name_of(y));
    int from = x == DT_INDEX ? a : b, to = x == DT_INDEX ? b : a; /* which one to cast */
    if (x != DT_INDEX && y != DT_INDEX && te_is_float(x) == te_is_float(y) && te_type[x].bits < te_type[y].bits)
        from = a, to = b;
    else if (x != DT_INDEX && y != DT_INDEX && te_is_float(y) && !te_is_float(x))
        from = a, to = b;
    fe_help_at(s, d, "types never convert silently: cast one, as in `%s(%s)`", te_type[v[to].e->type].name,
               fe_src(s, span[from]));
}

DType fe_beside(Sema *s, const Val *v, const Span *span, int n, const char *at, Span where, bool *bad)
{
    int first = -1, index = -1;
    *bad = false;
    for (int i = 0; i < n; i++) {
        if (fe_bad(v[i])) *bad = true;
        if (!v[i].e) continue;
        if (first < 0) first = i;
        if (index < 0 && v[i].e->type == DT_INDEX) index = i;
    }
    if (*bad || first < 0) return DT_NONE;
    for (int i = 0; i < n; i++) {
        if (!v[i].e) continue;
        DType t = (DType)v[i].e->type;
        int with = index >= 0 ? index : first;
        if (t == v[with].e->type || (index >= 0 && te_is_int(t))) continue;
        differ(s, v, span, with < i ? with : i, with < i ? i : with, at, where);
        *bad = true;
        return DT_NONE;
    }
    return index >= 0 ? DT_INDEX : (DType)v[first].e->type;
}

Expr *fe_operand(Sema *s, Val v, DType t)
{
    if (v.e && t == DT_INDEX && v.e->type != DT_INDEX) return te_cast(s->op, DT_INDEX, v.e, v.e->span);
    return fe_settle(s, v, t);
}
