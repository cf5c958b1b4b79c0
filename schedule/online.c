/* online: may a maximum, a sum and what depends on them become one pass? What is summed up must scale with exp(-m), so
 * that exp(m before - m after) makes what was summed up against the old maximum what it is against the new one. */
#include "schedule/legal.h"

typedef struct Look {
    Apply *a;
    Lower *l;
    PlanDef *m, *z, *o;
    Expr *x, *cond; /* m's term and `if`, with the indices of what reads it */
    Expr **z_place; /* the indices of m in terms of z's */
    ExprOp exp;
    int steps;
    Reason bad;
} Look;

/* ---- expressions
 * ---------------------------------------------------------------------------------------------------------- */
static bool same(Look *k, const Expr *a, const Expr *b)
{
    if (a == b) return true;
    if (!a || !b || a->op != b->op || a->type != b->type || a->nargs != b->nargs || ++k->steps > 20000) return false;
    switch (a->op) {
    case EX_INT: return a->i == b->i;
    case EX_FLOAT: return a->i == b->i; /* the bits */
    case EX_VAR: return a->var == b->var;
    case EX_DIM:
    case EX_CONST: return a->sym == b->sym;
    case EX_REDUCE: return false;
    case EX_LOAD:
        if (a->load.t != b->load.t || !same(k, a->load.other, b->load.other)) return false;
        break;
    default: break;
    }
    for (int i = 0; i < a->nargs; i++)
        if (!same(k, a->arg[i], b->arg[i])) return false;
    return true;
}

static bool has_m(Look *k, Expr *e) { return legal_reads(k->a, e, k->m->w->def->out[0]); }

static bool stands_against(Look *k, const Expr *e, const char *why)
{
    if (!k->bad.why) k->bad = legal_because(why, e->span, "it stands here");
    return false;
}

/* exp(x - m) */
static bool is_weight(Look *k, Expr *e, bool guarded)
{
    Expr *less = e->arg[0], *m = less->op == EX_SUB ? less->arg[1] : NULL;
    if (!m || m->op != EX_LOAD || m->load.t != k->m->w->def->out[0] || m->load.other || has_m(k, less->arg[0]))
        return stands_against(k, e, "the maximum must be taken off in `exp(x - m)`");
    if (k->exp != EX_COUNT && k->exp != (ExprOp)e->op) return stands_against(k, e, "`exp` and `exp2` are both used");
    k->exp = (ExprOp)e->op;
    if (!same(k, less->arg[0], k->x))
        return stands_against(k, e, "what the maximum is taken off is not what it is the maximum of");
    if (k->cond && !guarded) return stands_against(k, e, "terms that the maximum leaves out take part");
    return true;
}

/* Is e multiplied by f when exp(-m) is? */
static bool scales(Look *k, Expr *e, bool guarded)
{
    if (!has_m(k, e))
        return (e->op == EX_FLOAT && e->f == 0) ||
               stands_against(k, e, "a part of the terms does not scale with `exp(-m)`");
    switch (e->op) {
    case EX_EXP:
    case EX_EXP2: return is_weight(k, e, guarded);
    case EX_NEG: return scales(k, e->arg[0], guarded);
    case EX_CAST:
        return te_is_float((DType)e->type) && te_is_float((DType)e->arg[0]->type) && scales(k, e->arg[0], guarded);
    case EX_ADD:
    case EX_SUB: return scales(k, e->arg[0], guarded) && scales(k, e->arg[1], guarded);
    case EX_MUL:
        if (!has_m(k, e->arg[0])) return scales(k, e->arg[1], guarded);
        return has_m(k, e->arg[1]) ? stands_against(k, e, "terms scale with more than `exp(-m)`")
                                   : scales(k, e->arg[0], guarded);
    case EX_DIV: return !has_m(k, e->arg[1]) && scales(k, e->arg[0], guarded);
    case EX_SELECT: {
        if (has_m(k, e->arg[0])) return stands_against(k, e, "the maximum decides what a term is");
        bool guards = k->cond && same(k, e->arg[0], k->cond);
        return scales(k, e->arg[1], guarded || guards) && scales(k, e->arg[2], guarded);
    }
    default: return stands_against(k, e, "the terms do not scale with `exp(-m)`");
    }
}

/* Reads of lets that depend on m and do not reduce, as what they are. */
static Expr *expanded(Look *k, Expr *e)
{
    Plan *p = k->a->p;
    for (PlanDef *c = k->o - 1; c > k->m; c--)
        if (!c->w->gone && c != k->z && c->w->def->out[0]->kind == TK_LET && c->w->def->nout == 1 && !c->w->def->seq &&
            !te_has_reduce(c->w->rhs) && legal_reads(k->a, e, c->w->def->out[0]))
            e = fuse_expand(p->l, e, c->w);
    return e;
}

/* Where c's terms read m: the indices, which are variables of c's result. NULL: there is no such place. */
static Expr **place_of(Look *k, const PlanDef *c, Expr *terms)
{
    Loads f = legal_find(k->a, terms, k->m->w->def->out[0]);
    if (!f.at.n) {
        k->bad =
            legal_because(arena_printf(k->l->mem, "`%s` does not depend on `%s`", c->w->def->name, k->m->w->def->name),
                          c->w->def->span, "it is defined here");
        return NULL;
    }
    for (int i = 0; i < f.at.n; i++)
        for (int d = 0; d < f.at.at[i]->nargs; d++) {
            const Expr *ix = f.at.at[i]->arg[d];
            bool fits = ix->op == EX_VAR && ix->var == f.at.at[0]->arg[d]->var, own = false;
            for (int v = 0; fits && v < c->w->nix; v++) own |= c->w->ix[v] == ix->var;
            if (fits && own) continue;
            stands_against(k, f.at.at[i], "the maximum is not read at one place that indices give");
            return NULL;
        }
    return f.at.at[0]->arg;
}

/* The terms that c sums scale. Returns where they read m. */
static Expr **terms_scale(Look *k, PlanDef *c)
{
    Lower *l = k->l;
    Expr *terms = expanded(k, c->r->body), **at = place_of(k, c, terms);
    if (!at) return NULL;
    const Work *m = k->m->w;
    Var **from = NEW_ARRAY(l->mem, Var *, m->nix + 2);
    Expr **to = NEW_ARRAY(l->mem, Expr *, m->nix + 2), *own = c->r->cond;
    for (int i = 0; i < m->nix; i++) from[i] = m->ix[i], to[i] = at[i];
    from[m->nix] = k->m->r->var[0];
    to[m->nix] = te_var(l->op, c->r->var[0], c->r->span);
    k->x = te_substitute(l->op, k->m->r->body, m->nix + 1, from, to);
    k->cond = k->m->r->cond ? te_substitute(l->op, k->m->r->cond, m->nix + 1, from, to) : NULL;
    if (own && has_m(k, expanded(k, own)))
        return stands_against(k, own, "the maximum decides which terms there are"), NULL;
    return scales(k, terms, k->cond && own && same(k, own, k->cond)) ? at : NULL;
}

/* ---- definitions
 * ----------------------------------------------------------------------------------------------------------- */
static const char *not_one_sum(Look *k, const PlanDef *c, RedOp op)
{
    const Def *d = c->w->def;
    const char *what = op == RED_MAX ? "a maximum" : "a sum";
    if (!c->r || c->r->op != op || !te_is_float((DType)c->r->body->type))
        return arena_printf(k->l->mem, "`%s` is not %s of floats", d->name, what);
    if (c->r->nvars != 1) return arena_printf(k->l->mem, "`%s` goes over several indices", d->name);
    if (d->seq) return arena_printf(k->l->mem, "`%s` is a recurrence", d->name);
    if (c->online) return arena_printf(k->l->mem, "`%s` is part of a pass already", d->name);
    if (c == k->o) return NULL;
    if (d->out[0]->kind != TK_LET || c->w->rhs != c->red)
        return arena_printf(k->l->mem, "`%s` is no `let` that is %s alone", d->name, what);
    if (c->in) return arena_printf(k->l->mem, "`%s` is computed elsewhere already", d->name);
    return NULL;
}

static bool same_range(Look *k, const Var *a, const Var *b)
{
    return ix_over_dims(a->lo) && ix_over_dims(a->hi) && same(k, a->lo, b->lo) && same(k, a->hi, b->hi);
}

static void look(Look *k, const Iter *it)
{
    PlanDef *const all[] = {k->m, k->z, k->o};
    static const RedOp op[] = {RED_MAX, RED_SUM, RED_SUM};
    if (k->l->num.ordered) {
        k->bad = legal_because("under `ordered` terms are not rescaled", k->o->r ? k->o->r->span : k->o->w->def->span,
                               "this is the sum");
        k->bad.help = "`--numerics fast` allows it";
        return;
    }
    if (k->m >= k->z || k->z >= k->o) {
        k->bad = legal_because("they must be named in the order in which they are defined", k->m->w->def->span,
                               "this is the first one");
        return;
    }
    for (int i = 0; i < 3; i++) {
        const char *why = not_one_sum(k, all[i], op[i]);
        if (!why && !same_range(k, all[i]->r->var[0], k->m->r->var[0]))
            why = arena_printf(k->l->mem, "`%s` does not go over the same range", all[i]->w->def->name);
        if (why) {
            k->bad = legal_because(why, all[i]->w->def->span, "it is defined here");
            return;
        }
    }
    if (!it->reduces || it->how == LOOP_VECTOR) {
        k->bad = legal_because(it->reduces ? "it runs in lanes" : "it is no loop of the reduction", k->o->r->span,
                               "this is the reduction");
        return;
    }
    k->z_place = terms_scale(k, k->z);
    if (!k->z_place) return;
    bool each = k->z->w->nix == k->m->w->nix;
    for (int i = 0; i < k->m->w->nix; i++)
        for (int j = 0; j < i; j++) each &= k->z_place[i]->var != k->z_place[j]->var;
    if (!each) stands_against(k, k->z->red, "maximum and sum have other indices");
}

/* z's index d, as it is read where m is read at `place`. */
static const Var *of_sum(Look *k, int d, Expr *const *place)
{
    for (int i = 0; i < k->m->w->nix; i++)
        if (k->z_place[i]->var == k->z->w->ix[d]) return place[i]->var;
    return NULL;
}

/* Reads of z after the pass are at the place of m. */
static bool read_at(Look *k, Expr *const *place)
{
    Tensor *z = k->z->w->def->out[0];
    Loads f = legal_find(k->a, k->o->w->rhs, z);
    if (legal_reads(k->a, k->o->r->body, z) || (k->o->r->cond && legal_reads(k->a, k->o->r->cond, z)))
        return stands_against(k, k->o->red, "terms read the sum before it is complete");
    for (int i = 0; i < f.at.n; i++)
        for (int d = 0; d < f.at.at[i]->nargs; d++)
            if (f.at.at[i]->arg[d]->op != EX_VAR || f.at.at[i]->arg[d]->var != of_sum(k, d, place))
                return stands_against(k, f.at.at[i], "the sum is read at another place than the maximum");
    return true;
}

/* ---- what moves there
 * ------------------------------------------------------------------------------------------------------ */
/* Does c, read by r, have an element for each term? over[]: by definition, the variables that go over terms. */
static bool goes_over(Look *k, PlanDef *c, const PlanDef *r, bool **over)
{
    bool any = false;
    Loads f = legal_find(k->a, r->w->rhs, c->w->def->out[0]);
    for (int i = 0; i < f.at.n; i++)
        for (int d = 0; d < f.at.at[i]->nargs && d < c->w->nix; d++)
            for (int v = 0; v < r->nroots; v++)
                if (over[r - k->a->p->def][v] && te_uses_var(f.at.at[i]->arg[d], r->root[v]->var))
                    for (int w = 0; w < c->nroots; w++)
                        if (c->root[w]->var == c->w->ix[d]) any = over[c - k->a->p->def][w] = true;
    return any;
}

static void move(PlanDef *c, PlanDef *o, Iter *it, Span s)
{
    c->in = o;
    c->at = it;
    c->placed = s;
    c->scope = STAGE_LOCAL;
}

static void move_lets(Look *k, Iter *it)
{
    Plan *p = k->a->p;
    bool **over = NEW_ARRAY(k->l->mem, bool *, p->n + 1);
    for (int i = 0; i < p->n; i++) over[i] = NEW_ARRAY(k->l->mem, bool, p->def[i].nroots + 1);
    for (int i = (int)(k->o - p->def); i >= 0; i--) {
        PlanDef *c = &p->def[i];
        bool named = c == k->m || c == k->z || c == k->o, needed = named;
        if (c->w->gone) continue;
        for (int v = 0; named && v < c->nroots; v++) over[c - p->def][v] = c->root[v]->reduces;
        for (PlanDef *r = c + 1; !named && r <= k->o; r++)
            if (!r->w->gone && c->w->def->out[0]->kind == TK_LET && goes_over(k, c, r, over)) needed = true;
        if (needed && c != k->o && !c->in) move(c, k->o, it, k->a->now->span);
    }
}

bool apply_online(Apply *a, const SchedStmt *s)
{
    PlanDef *d[3];
    for (int i = 0; i < 3; i++)
        if (!(d[i] = apply_def(a, &s->loop[i]))) return false;
    Iter *it = apply_loop(a, d[2], &s->over);
    if (!it) return false;
    Lower *l = a->p->l;
    Look k = {.a = a, .l = l, .m = d[0], .z = d[1], .o = d[2], .exp = EX_COUNT};
    look(&k, it);
    Expr **place = k.bad.why ? NULL : terms_scale(&k, k.o);
    if (place) read_at(&k, place);
    if (!k.bad.why && !place)
        k.bad = legal_because("its terms do not scale with `exp(-m)`", k.o->r->span, "this is the sum");
    if (!legal_refuse(a, D_S132_ONLINE, s->span, it->name, k.bad)) return false;
    PlanOnline *o = NEW(l->mem, PlanOnline);
    const Tensor *m = k.m->w->def->out[0];
    DType t = te_type[m->type].reg == RC_F64 ? DT_F64 : DT_F32;
    *o = (PlanOnline){.m = k.m->w->def,
                      .z = k.z->w->def,
                      .o = k.o->w->def,
                      .at = it,
                      .exp = k.exp,
                      .place = place,
                      .z_place = k.z_place,
                      .span = s->span};
    o->scale = low_let(l, arena_printf(l->mem, "%s_scale", m->name), t, m->rank, m->shape, s->span);
    for (int i = 0; i < 3; i++) d[i]->online = o;
    move_lets(&k, it);
    return true;
}

/* ---- afterwards
 * ------------------------------------------------------------------------------------------------------------- */
static Reason no_longer(Apply *a, const PlanDef *d)
{
    Arena *mem = a->p->l->mem;
    const PlanOnline *o = d->online;
    if (o->o != d->w->def) {
        if (!d->in || d->in->w->def != o->o || d->at != o->at)
            return legal_because(arena_printf(mem, "`%s` goes on from one iteration to the next", d->w->def->name),
                                 o->span, "which was said here");
        for (int i = 0; i < plan_accumulator(d); i++)
            if (d->loop.at[i]->reduces)
                return legal_because(arena_printf(mem, "`%s` must be complete in one accumulator, inside of `%s`",
                                                  d->w->def->name, d->loop.at[i]->name),
                                     d->r->span, "this is the reduction");
        return (Reason){0};
    }
    for (int i = 0; i < d->loop.n && d->loop.at[i] != o->at; i++) {
        const Iter *it = d->loop.at[i];
        if (it->reduces)
            return legal_because(arena_printf(mem, "`%s`, outside of it, is a loop of the reduction too", it->name),
                                 o->span, "the pass is over its outermost loop");
        for (int v = 0; v < d->nroots; v++) {
            bool indexes = false;
            for (int k = 0; k < o->m->nix; k++) indexes |= o->place[k]->var == d->root[v]->var;
            if (indexes || !legal_part_of(it, d->root[v])) continue;
            Reason r =
                legal_because(arena_printf(mem, "`%s`, outside of it, does not index `%s`", it->name, o->m->name),
                              o->m->span, "which would be computed for each");
            r.help = arena_printf(mem, "move `%s` inside of `%s` with `order`", it->name, o->at->name);
            return r;
        }
    }
    return (Reason){0};
}

bool legal_online(Apply *a, const PlanDef *d)
{
    return legal_refuse(a, D_S132_ONLINE, a->now->span, d->online->at->name, no_longer(a, d));
}
