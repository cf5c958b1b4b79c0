/* model_window: results that each come from a small window of the input, as in a depthwise convolution, in pooling or
 * in a filter. Neighbours share most of what they read: a tile of a few rows, in lanes along the last index, stays in
 * registers while all loops of the reduction are written out. What is read beyond the edges is put around a copy once.
 */
#include "schedule/model.h"

enum { TALL = 4, MOST_TERMS = 32, MOST_STEP = 4, MOST_COPIED = 4 };

typedef struct Window {
    Lower *l;
    const Work *w;
    const Reduce *r;
    const Var *x, *y; /* the last two indices; y NULL: there is one */
    bool found, refused;
    int ncopies;
    const Expr *copied[MOST_COPIED]; /* guarded reads, one of each tensor */
    int64_t x_extent;                /* 0: not known */
} Window;

static bool by_reduction(const Window *m, const Expr *e)
{
    for (int i = 0; i < m->r->nvars; i++)
        if (te_uses_var(e, m->r->var[i])) return true;
    return false;
}

static bool same_others(const Expr *a, const Expr *b)
{
    return a->op == b->op && a->op == EX_FLOAT ? a->f == b->f : a->op == EX_INT && b->op == EX_INT && a->i == b->i;
}

static void add_copy(Window *m, const Expr *load)
{
    for (int i = 0; i < m->ncopies; i++)
        if (m->copied[i]->load.t == load->load.t) {
            m->refused |= !same_others(m->copied[i]->load.other, load->load.other);
            return;
        }
    m->refused |= m->ncopies == MOST_COPIED;
    if (!m->refused) m->copied[m->ncopies++] = load;
}

static bool by_data(const Expr *load)
{
    for (int i = 0; i < load->nargs; i++)
        if (te_has_load(load->arg[i])) return true;
    return false;
}

static void look(Window *m, char *seen, Expr *e)
{
    if (seen[e->id]) return;
    seen[e->id] = 1;
    if (e->op == EX_LOAD) {
        int64_t step;
        bool regular = plan_step(m->l, e, m->x, &step) && step >= 0 && step <= MOST_STEP;
        m->refused |= !regular || e->flag == LOAD_GATHER || by_data(e) || te_type[e->load.t->type].bits < 8;
        m->found |= step > 0 && by_reduction(m, e->arg[e->nargs - 1]);
        if (e->load.other && (te_uses_var(e, m->x) || by_reduction(m, e))) add_copy(m, e);
    }
    for (int i = 0; i < te_nchildren(e); i++) look(m, seen, te_child(e, i));
}

static bool match(Lower *l, const Work *w, Window *m)
{
    Expr *red = plan_primary(l, w);
    int partials;
    int64_t all = 1, n, zero;
    *m = (Window){.l = l, .w = w};
    if (!red || w->def->seq || !w->nix || w->snapshot || te_type[w->def->out[0]->type].bits < 8) return false;
    m->r = red->red;
    if (m->r->op > RED_MIN || m->r->cond || low_partials(l, m->r, &partials)) return false;
    for (int i = 0; i < m->r->nvars; i++) {
        const Var *v = m->r->var[i];
        if (!ix_known(l, v->lo, &zero) || zero != 0 || !ix_known(l, low_expr(l, v->hi), &n) || n < 1 ||
            n > MOST_TERMS * MOST_TERMS)
            return false;
        all *= n;
        if (all > MOST_TERMS * MOST_TERMS) return false;
    }
    for (int i = 0; i < w->nix; i++)
        if (!ix_known(l, w->ix[i]->lo, &zero) || zero != 0 || !ix_over_dims(w->ix[i]->hi)) return false;
    m->x = w->ix[w->nix - 1];
    m->y = w->nix > 1 ? w->ix[w->nix - 2] : NULL;
    if (!ix_known(l, low_expr(l, m->x->hi), &m->x_extent)) m->x_extent = 0;
    look(m, arena_alloc(l->mem, (size_t)l->op->nexprs + 1), w->rhs);
    return m->found && !m->refused && (m->x_extent == 0 || m->x_extent >= 4);
}

/* Lanes that leave little over: a vector that is partly masked costs about as much as five. */
static int lanes_for(const Window *m)
{
    const Target *t = m->l->target;
    int most = target_lanes(t, te_type[m->r->body->type].bits > 32 ? 8 : 4), best = most;
    double least = 0, masked = t->avx512 ? 1.5 : 5;
    for (int w = most; w >= 4 && m->x_extent; w /= 2) {
        double cost = (double)(m->x_extent / w) + (m->x_extent % w ? masked : 0);
        if (w == most || cost < least) best = w, least = cost;
    }
    return best;
}

static double copied_bytes(const Window *m)
{
    double all = 0;
    for (int i = 0; i < m->ncopies; i++) {
        const Expr *e = m->copied[i];
        double n = te_type[e->load.t->type].bits / 8.0;
        for (int k = 0; k < e->nargs; k++)
            if (te_uses_var(e->arg[k], m->x) || (m->y && te_uses_var(e->arg[k], m->y)) || by_reduction(m, e->arg[k]))
                n *= (double)ix_guess(m->l, e->load.t->shape[k]);
        all += n;
    }
    return all;
}

/* The outermost index that has enough for all threads, or the one with most. */
static int shared_out(const Window *m, int last)
{
    Lower *l = m->l;
    int best = 0;
    for (int i = 0; i <= last; i++) {
        int64_t n = ix_guess(l, low_expr(l, m->w->ix[i]->hi));
        if (n >= 4 * l->threads) return i;
        if (n > ix_guess(l, low_expr(l, m->w->ix[best]->hi))) best = i;
    }
    return best;
}

bool model_window(Lower *l, const Work *w, Text *out)
{
    Window m;
    if (!match(l, w, &m)) return false;
    const char *S = w->def->name;
    Namer n = {.l = l, .w = w, .r = m.r};
    int lanes = lanes_for(&m), last = w->nix - (m.y ? 3 : 2), shared = -1; /* the index around the tile */
    low_why(l, "%s: each result comes from a small window: %d%s results in registers, all terms written out", S, lanes,
            m.y ? arena_printf(l->mem, " x %d", TALL) : "");
    if (m.ncopies) low_why(l, "%s: what is read beyond the edges is put around a copy once", S);
    const char *xo = model_part(&n, m.x->name, "o"), *xi = model_part(&n, m.x->name, "i"), *yo = NULL, *yi = NULL;
    if (l->threads > 1 && plan_work(l, w) >= 2e5) shared = shared_out(&m, m.y ? last + 1 : last);
    if (m.y) {
        yo = model_part(&n, m.y->name, "o");
        yi = model_part(&n, m.y->name, "i");
        text_printf(out, "  split %s[%s] by %d -> %s, %s tail peel;\n", S, m.y->name, TALL, yo, yi);
    }
    text_printf(out, "  split %s[%s] by %d -> %s, %s tail mask;\n  order %s ", S, m.x->name, lanes, xo, xi, S);
    for (int i = 0; i <= last; i++) text_printf(out, "%s, ", w->ix[i]->name);
    text_printf(out, "%s%s%s, ", yo ? yo : "", yo ? ", " : "", xo);
    for (int i = 0; i < m.r->nvars; i++) text_printf(out, "%s, ", m.r->var[i]->name);
    text_printf(out, "%s%s%s;\n  accum %s at %s in reg;\n", yi ? yi : "", yi ? ", " : "", xi, S, xo);
    int64_t terms = 1, extent;
    for (int i = m.r->nvars - 1; i >= 0; i--) {
        ix_known(l, low_expr(l, m.r->var[i]->hi), &extent);
        if (terms * extent > MOST_TERMS) break;
        terms *= extent;
        text_printf(out, "  unroll %s.%s;\n", S, m.r->var[i]->name);
    }
    if (yi) text_printf(out, "  unroll %s.%s;\n", S, yi);
    text_printf(out, "  vectorize %s.%s by %d;\n", S, xi, lanes);
    bool whole =
        last >= 0 && shared <= last && copied_bytes(&m) <= (double)(l->target->l2 ? l->target->l2 : 256 << 10) / 4;
    for (int i = 0; i < m.ncopies; i++)
        text_printf(out, "  stage %s at %s.%s in local;\n", m.copied[i]->load.t->name, S,
                    whole ? w->ix[last]->name
                    : yo  ? yo
                          : xo);
    if (shared >= 0) text_printf(out, "  parallel %s.%s;\n", S, shared <= last ? w->ix[shared]->name : yo ? yo : xo);
    return true;
}
