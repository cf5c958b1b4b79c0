/* model: the default as the text of a schedule. A template is filled with sizes from the machine's description; the text
 * goes the way of every other schedule, its proofs included.
 *
 * Products: blocks of columns (l3), of terms (l1) and of rows (l2) around a register kernel, both operands packed where
 * that pays, the sums that wait between blocks of terms fetched ahead. Sizes: Goto & van de Geijn 2008, Low et al.
 * 2016. */
#include "schedule/model.h"

#include <string.h>

enum { MOST_COLUMNS = 3072 };

/* ---- sizes ------------------------------------------------------------------------------------------------------ */
static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static void register_tile(const Target *t, const Product *p, Blocks *b)
{
    int lanes = target_lanes(t, p->bytes), regs = t->vregs;
    b->mr = (int)least(most(p->m, 1), regs >= 32 ? 14 : 6);
    int64_t nv = least((regs - 1) / (b->mr + 1), 8), need = (p->n + lanes - 1) / lanes;
    b->nr = (int)least(nv, most(need, 1)) * lanes;
}

Blocks model_blocks(const Lower *l, const Product *p)
{
    Blocks b = {0};
    register_tile(l->target, p, &b);
    int64_t l1 = l->target->l1 ? l->target->l1 : 32 << 10, l2 = l->target->l2 ? l->target->l2 : 256 << 10;
    int64_t inner = most(p->inner, 1), m = most(p->m, 1), n = most(p->n, 1);
    int64_t terms = most(l1 / 2 / (b.nr * p->bytes), 64); /* a panel of columns fills half of l1 */
    b.kc = most(terms / inner, 1);
    b.split_k = p->k > b.kc + b.kc / 2;
    if (!b.split_k) b.kc = most(p->k, 1);
    b.mc = most(l2 / 2 / (b.kc * inner * p->bytes) / b.mr * b.mr, b.mr);
    int64_t share = round_up((m + l->threads * 4 - 1) / (l->threads * 4), b.mr);
    if (l->threads > 1 && b.mc > share && m >= 2 * b.mr) b.mc = most(share, 2 * b.mr);
    b.mc = least(b.mc, round_up(m, b.mr));
    b.nc = least(round_up(n, b.nr), round_up(MOST_COLUMNS, b.nr));
    b.large = (double)m * (double)n * p->bytes > (double)l2 / 2;
    return b;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */
typedef struct Namer {
    Lower *l;
    const Work *w;
    const Reduce *r;
    VEC(const char *) used;
} Namer;

static bool taken(const Namer *n, const char *name)
{
    for (int i = 0; i < n->w->nix; i++)
        if (!strcmp(n->w->ix[i]->name, name)) return true;
    for (int i = 0; i < n->r->nvars; i++)
        if (!strcmp(n->r->var[i]->name, name)) return true;
    for (int i = 0; i < n->used.n; i++)
        if (!strcmp(n->used.at[i], name)) return true;
    return false;
}

static const char *part(Namer *n, const Var *of, const char *suffix)
{
    const char *name = arena_printf(n->l->mem, "%s%s", of->name, suffix);
    for (int i = 2; taken(n, name); i++) name = arena_printf(n->l->mem, "%s%s%d", of->name, suffix, i);
    VEC_PUSH(n->l->mem, &n->used, name);
    return name;
}

/* ---- products --------------------------------------------------------------------------------------------------- */
typedef struct Match {
    const Work *w;
    const Expr *red;
    const Reduce *r;
    Var *i, *j, *k;
    const Expr *a, *b; /* reads: by i and not by j, by j and not by i */
    Expr *M, *N, *K;
} Match;

static const Expr *read_of(const Expr *e, DType t)
{
    return e->op == EX_LOAD && !e->load.other && e->flag == LOAD_PROVED && e->load.t->type == t ? e : NULL;
}

static bool over_dims(Lower *l, const Var *v, Expr **extent)
{
    int64_t zero;
    if (!ix_known(l, v->lo, &zero) || zero != 0 || !ix_over_dims(v->hi)) return false;
    *extent = low_expr(l, v->hi);
    return true;
}

/* The last index that b does not depend on. */
static Var *row_index(const Work *w, const Expr *b)
{
    for (int x = w->nix - 2; x >= 0; x--)
        if (!te_uses_var(b, w->ix[x])) return w->ix[x];
    return NULL;
}

static bool plain_indices(const Expr *load)
{
    for (int i = 0; i < load->nargs; i++) {
        if (load->arg[i]->op != EX_VAR) return false;
        for (int k = 0; k < i; k++)
            if (load->arg[k]->var == load->arg[i]->var) return false;
    }
    return true;
}

static bool match_product(Lower *l, const Work *w, Match *m)
{
    Expr *red = plan_primary(l, w);
    if (!red || w->def->seq || w->nix < 2 || w->snapshot) return false;
    const Reduce *r = red->red;
    int p;
    DType t = (DType)r->body->type;
    if (r->op != RED_SUM || r->nvars != 1 || r->cond || low_partials(l, r, &p) || (t != DT_F32 && t != DT_F64)) return false;
    if (r->body->op != EX_MUL || w->def->out[0]->type != t) return false;
    const Expr *x = read_of(r->body->arg[0], t), *y = read_of(r->body->arg[1], t);
    Var *j = w->ix[w->nix - 1];
    if (!x || !y || te_uses_var(x, j) == te_uses_var(y, j)) return false;
    *m = (Match){.w = w, .red = red, .r = r, .j = j, .k = r->var[0], .a = te_uses_var(x, j) ? y : x};
    m->b = m->a == x ? y : x;
    m->i = row_index(w, m->b);
    if (!m->i || !te_uses_var(m->a, m->i) || !plain_indices(m->a) || !plain_indices(m->b)) return false;
    Expr *any;
    for (int i = 0; i < w->nix; i++)
        if (!over_dims(l, w->ix[i], &any)) return false;
    over_dims(l, m->i, &m->M);
    over_dims(l, m->j, &m->N);
    return te_uses_var(m->a, m->k) && te_uses_var(m->b, m->k) && over_dims(l, m->k, &m->K);
}

static bool is_large(Lower *l, const Tensor *t)
{
    double b = te_type[t->type].bits / 8.0;
    for (int k = 0; k < t->rank; k++) b *= (double)ix_guess(l, t->shape[k]);
    return b > (double)(l->target->l2 ? l->target->l2 : 256 << 10) / 2;
}

static void product_text(Lower *l, const Match *m, Text *out)
{
    const char *C = m->w->def->name;
    Product p = {ix_guess(l, m->M), ix_guess(l, m->N), ix_guess(l, m->K), 1, te_type[m->r->body->type].bits / 8};
    int64_t v;
    if (!ix_known(l, m->K, &v)) p.k = INT32_MAX; /* any number of terms: blocks as for many */
    Blocks b = model_blocks(l, &p);
    if (!ix_known(l, m->N, &v)) b.nc = round_up(MOST_COLUMNS, b.nr);
    Namer n = {.l = l, .w = m->w, .r = m->r};
    bool pack_a = (b.mr > 8 || is_large(l, m->a->load.t)) && p.n >= 64;
    bool pack_b = plan_stride(l, m->b, m->j) == STRIDE_N || (is_large(l, m->b->load.t) && p.m >= 32);
    const char *ko = part(&n, m->k, "o"), *ki = part(&n, m->k, "i"), *io = part(&n, m->i, "o"), *im = part(&n, m->i, "m"),
               *jo = part(&n, m->j, "o"), *jr = part(&n, m->j, "r"), *ii = part(&n, m->i, "i"), *ir = part(&n, m->i, "r"),
               *jc = NULL, *j = m->j->name;
    text_printf(out, "  split %s[%s] by %lld -> %s, %s tail guard;\n", C, m->k->name, (long long)b.kc, ko, ki);
    if (!ix_known(l, m->N, &v) || v > b.nc) {
        jc = part(&n, m->j, "c");
        j = part(&n, m->j, "b");
        text_printf(out, "  split %s[%s] by %lld -> %s, %s tail guard;\n", C, m->j->name, (long long)b.nc, jc, j);
    }
    text_printf(out, "  tile %s[%s, %s] by %lld, %d -> %s, %s, %s, %s tail mask;\n", C, m->i->name, j, (long long)b.mc, b.nr,
                io, jo, im, jr);
    text_printf(out, "  split %s[%s] by %d -> %s, %s tail compose;\n", C, im, b.mr, ii, ir);
    text_printf(out, "  order %s ", C);
    for (int x = 0; x < m->w->nix; x++)
        if (m->w->ix[x] != m->i && m->w->ix[x] != m->j) text_printf(out, "%s, ", m->w->ix[x]->name);
    if (jc) text_printf(out, "%s, ", jc);
    text_printf(out, "%s, %s, %s, %s, %s, %s, %s;\n", ko, io, jo, ii, ki, ir, jr);
    if (pack_b)
        text_printf(out, "  stage %s at %s.%s in local layout pack(%s, %s by 1, %d);\n", m->b->load.t->name, C, ko, m->k->name,
                    m->j->name, b.nr);
    if (pack_a)
        text_printf(out, "  stage %s at %s.%s in local layout pack(%s, %s by 1, %d);\n", m->a->load.t->name, C, io, m->k->name,
                    m->i->name, b.mr);
    text_printf(out, "  microkernel %s.%s, %s.%s, %s.%s with outer compose;\n", C, ir, C, jr, C, ki);
    if (b.split_k && b.large && m->w->def->out[0]->kind == TK_OUTPUT && m->w->rhs == m->red)
        text_printf(out, "  prefetch %s at %s.%s distance 1;\n", m->w->def->out[0]->name, C, ii);
    if (l->threads <= 1 || plan_work(l, m->w) < 2e5) return;
    const Var *first = m->w->ix[0];
    if (first != m->i && first != m->j && ix_guess(l, first->hi) >= 2 * l->threads) {
        text_printf(out, "  parallel %s.%s;\n", C, first->name);
        return;
    }
    int64_t blocks = (p.m + b.mc - 1) / b.mc;
    bool rows = blocks >= 2 * l->threads || (blocks > 1 && p.n / b.nr < l->threads);
    text_printf(out, "  parallel %s.%s;\n", C, rows ? io : jo);
}

/* ---- the whole op ----------------------------------------------------------------------------------------------- */
bool model_schedule(Lower *l, Text *out)
{
    const Work *only = NULL;
    int left = 0;
    fuse_inline(l);
    for (int i = 0; i < l->nworks; i++)
        if (!l->work[i].gone) only = &l->work[i], left++;
    Match m;
    if (left != 1 || !match_product(l, only, &m) || ix_guess(l, m.N) < target_lanes(l->target, 4) / 2) return false;
    text_printf(out, "schedule default for %s @cpu {\n", l->op->name);
    for (int i = 0; i < l->nworks; i++)
        if (l->work[i].gone) text_printf(out, "  inline %s;\n", l->work[i].def->name);
    product_text(l, &m, out);
    text_add(out, "}\n");
    return true;
}
