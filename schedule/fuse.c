/* fuse: which lets disappear into their readers, and which definitions share outer loops.
 *
 * Inlining recomputes a typed value, so it never changes a bit. Sharing loops is allowed where every value that passes
 * between two members is read at the very iteration of the shared loops that wrote it: its leading indices are the
 * members' own leading indices. */
#include "schedule/lower.h"

#include <string.h>

/* ---- walking: every node of a right side once, with what encloses it
 * -------------------------------------------------- */
typedef struct Use {
    Expr *load;
    int depth;     /* reductions around it */
    bool in_range; /* stands in the range of a reduction variable */
} Use;
typedef VEC(Use) Uses;

static void collect(Lower *seen, Expr *e, int depth, bool in_range, Uses *out)
{
    if (!low_first(seen, e)) return;
    if (e->op == EX_LOAD) VEC_PUSH(seen->mem, out, (Use){e, depth, in_range});
    if (e->op == EX_REDUCE) {
        const Reduce *r = e->red;
        for (int i = 0; i < r->nvars; i++) {
            collect(seen, r->var[i]->lo, depth, true, out);
            collect(seen, r->var[i]->hi, depth, true, out);
        }
        if (r->cond) collect(seen, r->cond, depth + 1, in_range, out);
        collect(seen, r->body, depth + 1, in_range, out);
        return;
    }
    for (int i = 0; i < te_nchildren(e); i++) collect(seen, te_child(e, i), depth, in_range, out);
}

static Uses uses_of(Lower *l, Expr *e)
{
    Uses u = {0};
    low_walk(l);
    collect(l, e, 0, false, &u);
    return u;
}

/* ---- inlining
 * ---------------------------------------------------------------------------------------------------------- */
typedef struct Replace {
    Lower *l;
    const Tensor *t;
    const Def *def;
    Expr *rhs;
    Expr **at, *made; /* the last place that it was read at, and what came of it: a value read twice is computed once */
    const Expr *from; /* or one node, by: */
    Expr *to;
} Replace;

static Expr *replace(Replace *r, Expr *e);

static Expr *value_at(Replace *r, Expr **arg)
{
    bool same = r->made;
    for (int i = 0; same && i < r->def->nix; i++) same = low_same(r->l, r->at[i], arg[i]);
    if (same) return r->made;
    r->at = arg;
    return r->made = te_substitute(r->l->op, r->rhs, r->def->nix, r->def->ix, arg);
}

static Expr *replace_reduce(Replace *r, Expr *e)
{
    const Reduce *old = e->red;
    Expr *cond = old->cond ? replace(r, old->cond) : NULL, *body = replace(r, old->body);
    if (cond == old->cond && body == old->body) return e;
    Reduce *red = NEW(r->l->mem, Reduce);
    *red = *old;
    red->cond = cond;
    red->body = body;
    return te_reduce(r->l->op, red, (DType)e->type, e->span);
}

static Expr *replace_parts(Replace *r, Expr *e)
{
    if (e->op == EX_REDUCE) return replace_reduce(r, e);
    Expr **arg = NEW_ARRAY(r->l->mem, Expr *, e->nargs + 1);
    bool same = true;
    for (int i = 0; i < e->nargs; i++) {
        arg[i] = replace(r, e->arg[i]);
        same = same && arg[i] == e->arg[i];
    }
    if (e->op == EX_LOAD && e->load.t == r->t) return value_at(r, arg);
    if (e->op == EX_LOAD) {
        Expr *other = e->load.other ? replace(r, e->load.other) : NULL;
        if (same && other == e->load.other) return e;
        Expr *ld = te_load(r->l->op, e->load.t, e->nargs, arg, other, e->span);
        ld->flag = e->flag;
        ld->load.site = e->load.site;
        return ld;
    }
    if (same) return e;
    if (e->op == EX_CAST) return te_cast(r->l->op, (DType)e->type, arg[0], e->span);
    Expr *n = te_node(r->l->op, (ExprOp)e->op, (DType)e->type, e->nargs, arg, e->span);
    if ((e->op == EX_DIV || e->op == EX_MOD) && !te_is_float((DType)e->type)) n->site = e->site;
    return n;
}

static Expr *replace(Replace *r, Expr *e)
{
    if (!low_first(r->l, e)) return r->l->made[e->id];
    Expr *to = e == r->from ? r->to : replace_parts(r, e);
    r->l->made[e->id] = to;
    return to;
}

Expr *fuse_expand(Lower *l, Expr *e, const Work *w)
{
    Replace r = {.l = l, .t = w->def->out[0], .def = w->def, .rhs = w->rhs};
    low_walk(l);
    return replace(&r, e);
}

Expr *fuse_replace(Lower *l, Expr *e, const Expr *from, Expr *to)
{
    Replace r = {.l = l, .from = from, .to = to};
    low_walk(l);
    return replace(&r, e);
}

/* Scalar operations in e, functions and divisions counted for what they take; stops at `limit`. */
static double cost(Lower *l, const Expr *e)
{
    if (!low_first(l, e)) return 0;
    double c = 0;
    if (e->op == EX_LOAD)
        c = 0.5;
    else if (e->op >= EX_EXP || e->op == EX_POWI)
        c = 12;
    else if (e->op == EX_DIV || e->op == EX_MOD || e->op == EX_SQRT)
        c = 6;
    else if (te_expr[e->op].kind != XK_LEAF && e->type != DT_INDEX)
        c = 1;
    if (e->op == EX_REDUCE) {
        double n = 1;
        for (int i = 0; i < e->red->nvars; i++) n *= (double)ix_guess(l, e->red->var[i]->hi);
        return cost(l, e->red->body) * n + 1;
    }
    for (int i = 0; i < te_nchildren(e); i++) c += cost(l, te_child(e, i));
    return c;
}

double plan_cost(const Lower *l, const Expr *e)
{
    low_walk((Lower *)l);
    return cost((Lower *)l, e);
}

double plan_work(const Lower *l, const Work *w)
{
    double n = 1;
    for (int i = 0; i < w->nix; i++) n *= (double)ix_guess(l, w->ix[i]->hi);
    return n * (plan_cost(l, w->rhs) + 1);
}

static bool writes_between(const Lower *l, int from, int to, const Tensor *t)
{
    for (int i = from + 1; i < to; i++)
        if (l->work[i].def->out[0] == t) return true;
    return false;
}

bool fuse_at_own_place(const Work *reader, const Expr *load)
{
    if (load->nargs != reader->nix) return false;
    for (int i = 0; i < reader->nix; i++)
        if (load->arg[i]->op != EX_VAR || load->arg[i]->var != reader->ix[i]) return false;
    return true;
}

/* An expression deeper than this is left in parts, since passes and code generators go through it by recursion. */
enum { CHEAP = 4, DEEP = 600 };

static bool should_inline(Lower *l, int i)
{
    const Work *w = &l->work[i];
    const Def *d = w->def;
    if (d->nout != 1 || d->out[0]->kind != TK_LET || d->seq) return false;
    bool reduces = te_has_reduce(w->rhs), cheap = !reduces && plan_cost(l, w->rhs) <= CHEAP;
    int reader = -1;
    for (int k = i + 1; k < l->nworks; k++) {
        if (l->work[k].gone) continue;
        Uses u = uses_of(l, l->work[k].rhs);
        for (int n = 0; n < u.n; n++) {
            if (u.at[n].load->load.t != d->out[0]) continue;
            if (w->depth + l->work[k].depth > DEEP) return false;
            if (u.at[n].in_range || u.at[n].load->load.other || u.at[n].load->flag == LOAD_GATHER) return false;
            /* What takes long is computed once: by one reader, for each of its iterations. */
            if (!cheap &&
                (u.at[n].depth || (reader >= 0 && reader != k) || !fuse_at_own_place(&l->work[k], u.at[n].load)))
                return false;
            if (reduces && te_has_reduce(l->work[k].rhs)) return false;
            reader = k;
            Uses mine = uses_of(l, w->rhs);
            for (int m = 0; m < mine.n; m++)
                if (writes_between(l, i, k, mine.at[m].load->load.t)) return false;
        }
    }
    return true;
}

void fuse_inline_one(Lower *l, int i)
{
    Work *w = &l->work[i];
    Replace r = {.l = l, .t = w->def->out[0], .def = w->def, .rhs = w->rhs};
    low_walk(l);
    for (int k = i + 1; k < l->nworks; k++) {
        Expr *was = l->work[k].rhs;
        l->work[k].rhs = replace(&r, was);
        if (l->work[k].rhs != was) l->work[k].depth += w->depth;
    }
    w->gone = true;
    low_why(l, "%s: computed where it is used", w->def->name);
}

void fuse_inline(Lower *l)
{
    for (int i = 0; i < l->nworks; i++)
        if (should_inline(l, i)) fuse_inline_one(l, i);
}

/* ---- groups
 * ------------------------------------------------------------------------------------------------------------ */
bool fuse_shift_of(const TeOp *op, const Expr *e, const Var *v, int64_t *by)
{
    if (e->op == EX_VAR && e->var == v) {
        *by = 0;
        return true;
    }
    int64_t c;
    if (e->op == EX_ADD && fuse_shift_of(op, e->arg[0], v, by) && te_eval_size(op, e->arg[1], &c))
        return !__builtin_add_overflow(*by, c, by);
    if (e->op == EX_ADD && fuse_shift_of(op, e->arg[1], v, by) && te_eval_size(op, e->arg[0], &c))
        return !__builtin_add_overflow(*by, c, by);
    if (e->op == EX_SUB && fuse_shift_of(op, e->arg[0], v, by) && te_eval_size(op, e->arg[1], &c))
        return !__builtin_sub_overflow(*by, c, by);
    return false;
}

bool fuse_self_earlier(const Lower *l, const Work *w, const Expr *load)
{
    if (!w->def->seq) return false;
    for (int i = 0; i < w->nix; i++) {
        if (w->ix[i] != w->def->seq) continue;
        int64_t by;
        if (fuse_shift_of(l->op, load->arg[i], w->def->seq, &by)) return by < 0;
        /* t minus a dim: sizes are not known, but sema let it pass as earlier only when it is positive. */
        return load->arg[i]->op == EX_SUB && te_uses_var(load->arg[i]->arg[0], w->def->seq);
    }
    return false;
}

static int leading(const Work *w, const Expr *load, int most)
{
    int n = 0;
    while (n < most && n < load->nargs && load->arg[n]->op == EX_VAR && load->arg[n]->var == w->ix[n]) n++;
    return n;
}

static bool defines(const Work *w, const Tensor *t)
{
    return w->def->out[0] == t || (w->def->nout > 1 && w->def->out[1] == t);
}

/* Does a row of w use an operand of its reduction again that the next row uses too? Then blocking beats sharing the row
 * loop. */
static bool reuses_rows(Lower *l, const Work *w, int depth)
{
    Expr *red = plan_primary(l, w);
    if (!red || red->red->op != RED_SUM || w->nix <= depth) return false;
    const Var *row = w->ix[depth - 1];
    Uses u = uses_of(l, red->red->body);
    for (int i = 0; i < u.n; i++) {
        bool by_row = te_uses_var(u.at[i].load, row), by_red = false;
        for (int k = 0; k < red->red->nvars; k++) by_red |= te_uses_var(u.at[i].load, red->red->var[k]);
        if (by_red && !by_row) return true;
    }
    return false;
}

/* How deep the loops of members first..at-1 (depth of them shared so far) can be shared with member `at`. */
static int shared_depth(Lower *l, int first, int at, int depth)
{
    const Work *w = &l->work[at];
    int d = w->nix < depth ? w->nix : depth;
    if (w->def->slot_at >= 0 && w->def->slot_at < d) d = w->def->slot_at;
    for (int k = 0; k < d; k++)
        if (!low_same(l, w->ix[k]->hi, l->work[first].ix[k]->hi)) d = k;
    Uses mine = uses_of(l, w->rhs);
    for (int m = first; m <= at; m++) {
        if (l->work[m].gone) continue;
        for (int i = 0; i < mine.n; i++)
            if (defines(&l->work[m], mine.at[i].load->load.t)) d = leading(w, mine.at[i].load, d);
        Uses theirs = uses_of(l, l->work[m].rhs);
        for (int i = 0; i < theirs.n; i++)
            if (defines(w, theirs.at[i].load->load.t)) d = leading(&l->work[m], theirs.at[i].load, d);
    }
    for (int k = 0; k < d; k++)
        if (w->ix[k] == w->def->seq) d = k;
    return d;
}

static int member_depth(Lower *l, int first, int at, int depth)
{
    if (l->mode == SCHED_NONE || l->work[at].snapshot) return 0;
    int d = shared_depth(l, first, at, depth);
    while (d > 0 && reuses_rows(l, &l->work[at], d)) d--;
    return d;
}

/* An inout whose old values are read elsewhere than at the index being written needs them kept. */
void fuse_snapshots(Lower *l)
{
    for (int i = 0; i < l->nworks; i++) {
        Work *w = &l->work[i];
        if (w->def->out[0]->kind != TK_INOUT) continue;
        Uses u = uses_of(l, w->rhs);
        for (int k = 0; k < u.n; k++)
            if (u.at[k].load->load.t == w->def->out[0] && !fuse_self_earlier(l, w, u.at[k].load) &&
                leading(w, u.at[k].load, w->nix) < w->nix)
                w->snapshot = true;
    }
}

void fuse_groups(Lower *l)
{
    fuse_snapshots(l);
    l->group = NEW_ARRAY(l->mem, Group, l->nworks + 1);
    for (int i = 0; i < l->nworks; i++) {
        if (l->work[i].gone) continue;
        Group *g = l->ngroups ? &l->group[l->ngroups - 1] : NULL;
        int d = 0;
        if (g && g->depth > 0) d = member_depth(l, g->first, i, g->depth);
        if (d > 0) {
            g->depth = d;
            g->last = i;
            continue;
        }
        int own = member_depth(l, i, i, l->work[i].nix);
        l->group[l->ngroups++] = (Group){i, i, own, l->work[i].ix};
    }
    for (int i = 0; i < l->ngroups; i++) {
        Group *g = &l->group[i];
        int members = 0;
        for (int k = g->first; k <= g->last; k++) members += !l->work[k].gone;
        if (members == 1) g->depth = 0;
        if (members > 1)
            low_why(l, "%s … %s: one pass over %s%s", l->work[g->first].def->name, l->work[g->last].def->name,
                    g->outer[0]->name, g->depth > 1 ? " and more" : "");
    }
}
