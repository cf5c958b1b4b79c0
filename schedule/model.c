/* model: the default as the text of a schedule. A template is filled with sizes from the machine's description; the
 * text goes the way of every other schedule, its proofs included. Where no template fits yet, contract.c and default.c
 * do.
 *
 * Products: blocks of columns (l3), of terms (l1) and of rows (l2) around a register kernel, both operands packed where
 * that pays, the sums that wait between blocks of terms fetched ahead. Sizes: Goto & van de Geijn 2008, Low et al.
 * 2016. */
#include "schedule/model.h"

#include "schedule/apply.h"

#include <string.h>

enum { MOST_COLUMNS = 3072 };

/* ---- sizes ------------------------------------------------------------------------------------------------------ */
static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static int most_rows(const Target *t) { return t->vregs >= 32 ? 14 : 6; }

static void register_tile(const Target *t, const Product *p, Blocks *b)
{
    int lanes = target_lanes(t, p->bytes), regs = t->vregs;
    b->mr = (int)least(most(p->m, 1), most_rows(t));
    int64_t nv = least((regs - 1) / (b->mr + 1), 8), need = (p->n + lanes - 1) / lanes;
    b->nr = (int)least(nv, most(need, 1)) * lanes;
}

Blocks model_blocks(const Lower *l, const Product *p)
{
    Blocks b = {0};
    register_tile(l->target, p, &b);
    int64_t l1 = l->target->l1 ? l->target->l1 : 32 << 10, l2 = l->target->l2 ? l->target->l2 : 256 << 10;
    int64_t inner = most(p->inner, 1), m = most(p->m, 1), n = most(p->n, 1);
    /* A panel of columns fills l1: what rows push out of it comes back from l2 in time, while shorter blocks of terms
     * would read and write the sums more often, and those come from further away. */
    int64_t terms = most(most(l1 / (b.nr * p->bytes), 64) / inner, 1), parts = most((p->k + terms - 1) / terms, 1);
    b.split_k = parts > 1;
    b.kc = !b.split_k          ? most(p->k, 1)
           : p->k >= INT32_MAX ? terms
                               : least(round_up((p->k + parts - 1) / parts, 8), p->k);
    b.mc = most(l2 / 2 / (b.kc * inner * p->bytes) / b.mr * b.mr, b.mr);
    int64_t blocks =
        most((m + b.mc / 2) / b.mc, 1); /* of one size, a little more than half of l2 rather than a small last one */
    b.mc = round_up((m + blocks - 1) / blocks, b.mr);
    int64_t share = round_up((m + l->threads * 4 - 1) / (l->threads * 4), b.mr);
    bool by_columns = blocks == 1 && n >= 8 * l->threads * b.nr; /* threads share these, then */
    if (l->threads > 1 && b.mc > share && m >= 2 * b.mr && !by_columns) b.mc = most(share, 2 * b.mr);
    b.nc = least(round_up(n, b.nr), round_up(MOST_COLUMNS, b.nr));
    b.large = (double)m * (double)n * p->bytes > (double)l2 / 2;
    return b;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */
static bool taken(const Namer *n, const char *name)
{
    for (int i = 0; i < n->w->nix; i++)
        if (!strcmp(n->w->ix[i]->name, name)) return true;
    for (int i = 0; n->r && i < n->r->nvars; i++)
        if (!strcmp(n->r->var[i]->name, name)) return true;
    for (int i = 0; i < n->used.n; i++)
        if (!strcmp(n->used.at[i], name)) return true;
    return false;
}

const char *model_part(Namer *n, const char *of, const char *suffix)
{
    const char *name = arena_printf(n->l->mem, "%s%s", of, suffix);
    for (int i = 2; taken(n, name); i++) name = arena_printf(n->l->mem, "%s%s%d", of, suffix, i);
    VEC_PUSH(n->l->mem, &n->used, name);
    return name;
}

/* ---- products ---------------------------------------------------------------------------------------------------
 * Each side of the product is a read of its own. Columns: the last indices, as many as the left side does not depend
 * on; rows: those before them that the right side does not depend on; terms: the reduction's variables. What there are
 * several of is fused, so that one template covers products, batched ones, and convolutions. */
enum { MOST_FUSED = 8 };

typedef struct Axis { /* of loops, outermost first; one after fusion */
    int n;
    Var *var[MOST_FUSED];
    Expr *extent; /* over dims */
    bool known;
    int64_t guess;
} Axis;

typedef struct Match {
    const Work *w;
    const Expr *red;
    const Reduce *r;
    const Expr *a, *b;   /* reads: by rows, by columns */
    bool copy_a, copy_b; /* not to be read by a kernel as they are: */
    bool wide_a, wide_b; /* converted first */
    bool pairs;          /* of integers of 16 bits with a sign, or fewer */
    Axis i, j, k;
} Match;

static bool number(DType t) { return te_is_float(t) || te_is_int(t); }

/* A read, or one that is widened. */
static const Expr *read_of(const Expr *e, DType t, bool *as_it_is)
{
    *as_it_is = true;
    if (e->op == EX_CAST && number((DType)e->arg[0]->type) && te_is_float((DType)e->arg[0]->type) == te_is_float(t))
        e = e->arg[0], *as_it_is = false;
    if (e->op != EX_LOAD || !number((DType)e->type) || e->flag == LOAD_GATHER) return NULL;
    if (e->load.other && e->load.other->op != EX_FLOAT && e->load.other->op != EX_INT) return NULL;
    for (int i = 0; i < e->nargs; i++)
        if (te_has_load(e->arg[i])) return NULL;
    return e;
}

static bool over_dims(Lower *l, const Var *v)
{
    int64_t zero;
    return ix_known(l, v->lo, &zero) && zero == 0 && ix_over_dims(v->hi);
}

static bool add_to(Lower *l, Axis *g, Var *v)
{
    if (g->n == MOST_FUSED || !over_dims(l, v)) return false;
    Expr *n = low_expr(l, v->hi);
    g->var[g->n++] = v;
    g->extent = g->n == 1 ? n : ix_op(l, EX_MUL, g->extent, n);
    int64_t known;
    g->known = ix_known(l, g->extent, &known);
    g->guess = ix_guess(l, g->extent);
    return true;
}

/* Indices first … last - 1, down to the first that `with` does not depend on or `without` does. Gives where it ends. */
static int run_of(const Work *w, int last, const Expr *with, const Expr *without)
{
    while (last > 0 && te_uses_var(with, w->ix[last - 1]) && !te_uses_var(without, w->ix[last - 1])) last--;
    return last;
}

static bool plain_indices(const Expr *load)
{
    for (int i = 0; i < load->nargs; i++) {
        if (load->arg[i]->op != EX_VAR) return false;
        for (int k = 0; k < i; k++)
            if (load->arg[k]->var == load->arg[i]->var) return false;
    }
    return !load->load.other;
}

/* What is fused are neighbouring dims of the tensor, whole but for the first: it is one index of it. */
static bool joined(Lower *l, const Expr *load, const Axis *g)
{
    int at = -1;
    for (int x = 0; x < g->n; x++) {
        int k = 0;
        while (k < load->nargs && load->arg[k]->var != g->var[x]) k++;
        if (k == load->nargs || (x > 0 && k != at + 1)) return g->n < 2;
        if (x > 0 && !low_same(l, low_expr(l, g->var[x]->hi), low_expr(l, load->load.t->shape[k]))) return false;
        at = k;
    }
    return true;
}

static bool match_axes(Lower *l, Match *m)
{
    const Work *w = m->w;
    int cols = run_of(w, w->nix, m->b, m->a), rows = cols;
    /* The nearest index that only the left side depends on, and its like before it. */
    while (rows > 0 && !(te_uses_var(m->a, w->ix[rows - 1]) && !te_uses_var(m->b, w->ix[rows - 1]))) rows--;
    int first = run_of(w, rows, m->a, m->b);
    if (cols == w->nix) return false;
    if (first == rows) rows = first = 0; /* a vector times a matrix: no rows */
    bool ok = true;
    for (int x = 0; x < w->nix; x++) {
        Axis any = {0};
        ok = ok && add_to(l, x >= cols ? &m->j : x >= first && x < rows ? &m->i : &any, w->ix[x]);
    }
    for (int x = 0; x < m->r->nvars; x++) ok = ok && add_to(l, &m->k, m->r->var[x]);
    return ok;
}

static bool match_product(Lower *l, const Work *w, Match *m)
{
    Expr *red = plan_primary(l, w);
    if (!red || w->def->seq || !w->nix || w->snapshot) return false;
    const Reduce *r = red->red;
    int p;
    DType t = (DType)r->body->type;
    if (r->op != RED_SUM || r->cond || low_partials(l, r, &p) || (t != DT_F32 && t != DT_F64 && t != DT_I32))
        return false;
    if (r->body->op != EX_MUL || te_type[w->def->out[0]->type].bits < 8) return false;
    bool as_x, as_y;
    const Expr *x = read_of(r->body->arg[0], t, &as_x), *y = read_of(r->body->arg[1], t, &as_y);
    const Var *j = w->ix[w->nix - 1];
    if (!x || !y || te_uses_var(x, j) == te_uses_var(y, j) || x->load.t == y->load.t) return false;
    bool swap = te_uses_var(x, j);
    *m = (Match){.w = w, .red = red, .r = r, .a = swap ? y : x, .b = swap ? x : y};
    if (!match_axes(l, m)) return false;
    m->pairs = t == DT_I32 && legal_sixteen_bits(r->body->arg[0]) && legal_sixteen_bits(r->body->arg[1]);
    if (t == DT_I32 && !m->pairs) return false;
    m->wide_a = !(swap ? as_y : as_x);
    m->wide_b = !(swap ? as_x : as_y);
    m->copy_a = !plain_indices(m->a) || !joined(l, m->a, &m->i) || !joined(l, m->a, &m->k);
    m->copy_b = !plain_indices(m->b) || !joined(l, m->b, &m->j) || !joined(l, m->b, &m->k);
    return true;
}

static bool is_large(const Lower *l, const Tensor *t)
{
    double b = te_type[t->type].bits / 8.0;
    for (int k = 0; k < t->rank; k++) b *= (double)ix_guess(l, t->shape[k]);
    return b > (double)(l->target->l2 ? l->target->l2 : 256 << 10) / 2;
}

static const char *fuse_text(Namer *n, const char *C, const Axis *g, Text *out)
{
    const char *name = g->var[0]->name;
    for (int x = 1; x < g->n; x++) {
        const char *both = model_part(n, name, g->var[x]->name);
        text_printf(out, "  fuse %s[%s, %s] -> %s;\n", C, name, g->var[x]->name, both);
        name = both;
    }
    return name;
}

static bool on_axis(const Axis *g, const Var *v)
{
    for (int x = 0; x < g->n; x++)
        if (g->var[x] == v) return true;
    return false;
}

/* Few rows: the columns' operand is read once, and as memory likes it best: a few of its rows side by side from end to
 * end, while the sums wait in a cache. */
static bool streams(const Lower *l, const Match *m, const Blocks *b)
{
    return (m->i.known || !m->i.n) && m->i.guess <= b->mr && !m->copy_b && is_large(l, m->b->load.t) &&
           plan_stride(l, m->b, m->j.var[m->j.n - 1]) == STRIDE_1;
}

static Blocks product_blocks(const Lower *l, const Match *m)
{
    enum { STREAMS = 4, VECTORS = 2 };
    Product p = {m->i.guess, m->j.guess, m->k.guess, 1, te_type[m->r->body->type].bits / 8};
    if (!m->k.known) p.k = INT32_MAX; /* any number of terms: blocks as for many */
    Blocks b = model_blocks(l, &p);
    bool waits_apart =
        m->w->rhs != m->red || m->w->def->out[0]->kind != TK_OUTPUT || m->w->def->out[0]->type != m->r->body->type;
    if (waits_apart && m->k.known && p.k <= 2 * b.kc) { /* sums that wait cost more than a panel out of l2 */
        b.kc = p.k;
        b.split_k = false;
    }
    if (!m->j.known) b.nc = round_up(MOST_COLUMNS, b.nr);
    b.large = b.large && b.split_k && !waits_apart;
    if (!streams(l, m, &b)) return b;
    b.streams = true;
    b.large = false;
    b.kc = m->k.known ? least(STREAMS, most(p.k, 1)) : STREAMS;
    b.nr = VECTORS * target_lanes(l->target, p.bytes);
    b.nc = l->threads > 1 ? round_up((m->j.guess + l->threads - 1) / l->threads, b.nr) : INT64_MAX;
    return b;
}

/* NULL: nothing to share out among rows, among columns. */
static void parallel_text(Lower *l, const Match *m, const Blocks *b, const char *io, const char *jo, Text *out)
{
    const char *C = m->w->def->name;
    if (l->threads <= 1 || plan_work(l, m->w) < 2e5) return;
    const Var *first = m->w->ix[0];
    if (!on_axis(&m->i, first) && !on_axis(&m->j, first) && ix_guess(l, first->hi) >= 2 * l->threads) {
        text_printf(out, "  parallel %s.%s;\n", C, first->name);
        return;
    }
    int64_t blocks = (m->i.guess + b->mc - 1) / b->mc;
    bool rows = io && (blocks >= 2 * l->threads || (blocks > 1 && m->j.guess / b->nr < l->threads));
    if (rows || jo) text_printf(out, "  parallel %s.%s;\n", C, rows ? io : jo);
}

/* Two terms in one instruction: columns packed pair by pair, for one panel at a time; rows as 16-bit integers. */
static bool pairs_text(Lower *l, const Match *m, Text *out)
{
    enum { FEW_ROWS = 4 }; /* that do not pay for the copies */
    const char *C = m->w->def->name;
    Namer n = {.l = l, .w = m->w, .r = m->r};
    Blocks b = product_blocks(l, m);
    int64_t lanes = target_lanes(l->target, 4);
    if (m->i.guess < FEW_ROWS || m->j.guess < lanes) return false;
    while (b.nr & (b.nr - 1)) b.nr -= (int)lanes;
    low_why(l,
            "%s: a product of integers of 16 bits or fewer: two terms in one instruction, operands packed pair by pair",
            C);
    low_why(l, "%s: %d x %d results in registers, blocks of %lld terms", C, b.mr, b.nr, (long long)b.kc);
    const char *i = fuse_text(&n, C, &m->i, out), *j = fuse_text(&n, C, &m->j, out), *k = fuse_text(&n, C, &m->k, out);
    const char *ko = model_part(&n, k, "o"), *ki = model_part(&n, k, "i"), *io = model_part(&n, i, "o"),
               *ir = model_part(&n, i, "r"), *jo = model_part(&n, j, "o"), *jr = model_part(&n, j, "r");
    text_printf(out, "  split %s[%s] by %lld -> %s, %s tail guard;\n", C, k, (long long)b.kc, ko, ki);
    text_printf(out, "  split %s[%s] by %d -> %s, %s tail mask;\n", C, j, b.nr, jo, jr);
    text_printf(out, "  split %s[%s] by %d -> %s, %s tail compose;\n  order %s ", C, i, b.mr, io, ir, C);
    for (int x = 0; x < m->w->nix; x++)
        if (!on_axis(&m->i, m->w->ix[x]) && !on_axis(&m->j, m->w->ix[x])) text_printf(out, "%s, ", m->w->ix[x]->name);
    text_printf(out, "%s, %s, %s, %s, %s, %s;\n", ko, jo, io, ki, ir, jr);
    text_printf(out, "  stage %s at %s.%s in local layout pack(%s, %s by 1, 2);\n", m->b->load.t->name, C, jo, j, k);
    text_printf(out, "  stage %s at %s.%s in local layout pack(%s, %s by 1, 1);\n", m->a->load.t->name, C, ko, k, i);
    text_printf(out, "  microkernel %s.%s, %s.%s, %s.%s with pairs compose;\n", C, ir, C, jr, C, ki);
    parallel_text(l, m, &b, NULL, jo, out);
    return true;
}

/* Few rows, and terms that lie next to each other in both operands: each is read straight through, in lanes over terms.
 */
static bool dots(const Lower *l, const Match *m)
{
    const Var *k = m->k.var[m->k.n - 1];
    bool any_order = m->pairs || !l->num.ordered; /* integers wrap in every order */
    return any_order && m->i.known && m->i.guess <= most_rows(l->target) && !m->copy_a && !m->copy_b &&
           is_large(l, m->b->load.t) && plan_stride(l, m->a, k) == STRIDE_1 && plan_stride(l, m->b, k) == STRIDE_1;
}

static void dots_text(Lower *l, const Match *m, Text *out)
{
    enum { OPERANDS = 3, MOST = 8 }; /* registers that are no sums */
    const char *C = m->w->def->name, *i = m->i.var[0]->name, *j = m->j.var[0]->name;
    Namer n = {.l = l, .w = m->w, .r = m->r};
    int64_t rows = most(m->i.guess, 1), cols = least(most((l->target->vregs - OPERANDS) / rows, 1), MOST);
    const char *io = model_part(&n, i, "o"), *jo = model_part(&n, j, "o"), *ir = model_part(&n, i, "r"),
               *jr = model_part(&n, j, "r");
    text_printf(out, "  tile %s[%s, %s] by %lld, %lld -> %s, %s, %s, %s tail compose;\n", C, i, j, (long long)rows,
                (long long)cols, io, jo, ir, jr);
    text_printf(out, "  microkernel %s.%s, %s.%s, %s.%s with dot;\n", C, ir, C, jr, C, m->k.var[0]->name);
    if (l->threads > 1 && plan_work(l, m->w) >= 2e5) text_printf(out, "  parallel %s.%s;\n", C, jo);
}

static void vector_text(Lower *l, const Match *m, const Blocks *b, Text *out)
{
    const char *C = m->w->def->name, *j = m->j.var[0]->name, *k = m->k.var[0]->name, *jc = NULL, *js = j;
    Namer n = {.l = l, .w = m->w, .r = m->r};
    const char *ko = model_part(&n, k, "o"), *ki = model_part(&n, k, "i"), *jo = model_part(&n, j, "o"),
               *jr = model_part(&n, j, "r");
    if (b->nc < m->j.guess) {
        jc = model_part(&n, j, "c");
        js = model_part(&n, j, "b");
        text_printf(out, "  split %s[%s] by %lld -> %s, %s tail guard;\n", C, j, (long long)b->nc, jc, js);
    }
    text_printf(out, "  split %s[%s] by %lld -> %s, %s tail guard;\n", C, k, (long long)b->kc, ko, ki);
    text_printf(out, "  split %s[%s] by %d -> %s, %s tail mask;\n", C, js, b->nr, jo, jr);
    text_printf(out, "  order %s ", C);
    for (int x = 0; x < m->w->nix; x++)
        if (!on_axis(&m->j, m->w->ix[x])) text_printf(out, "%s, ", m->w->ix[x]->name);
    text_printf(out, "%s%s%s, %s, %s, %s;\n", jc ? jc : "", jc ? ", " : "", ko, jo, jr, ki);
    text_printf(out, "  vectorize %s.%s;\n  unroll %s.%s;\n", C, jr, C, ki);
    parallel_text(l, m, b, NULL, jc, out);
}

/* Few panels, and half a one would do for the last. */
static bool narrow_rest(const Match *m, const Blocks *b)
{
    enum { FEW = 8 };
    int64_t rest = m->j.guess % b->nr;
    return m->j.known && m->j.guess > b->nr && m->j.guess <= FEW * b->nr && rest > 0 && rest <= b->nr / 2;
}

static const char *extent_text(Lower *l, const Axis *g)
{
    return !g->n ? "1" : g->known ? arena_printf(l->mem, "%lld", (long long)g->guess) : "any number of";
}

static void why_pack(Lower *l, const char *C, const Expr *read, bool pack, bool copy, bool wide, const char *of)
{
    const char *name = read->load.t->name;
    if (!pack)
        low_why(l, "%s: %s is read where it lies: it is small, or not read often enough for a copy to pay", C, name);
    else
        low_why(l, "%s: %s is packed by %s: %s", C, name, of,
                copy   ? "the kernel cannot read it as it lies"
                : wide ? "it is converted once, not at each use"
                       : "it is read again and again, and rows far apart would share the sets of a cache");
}

/* The numbers behind a product's blocks. */
static void why_product(Lower *l, const Match *m, const Blocks *b, bool pack_a, bool pack_b, bool panels)
{
    const char *C = m->w->def->name;
    const Target *t = l->target;
    long long bytes = te_type[m->r->body->type].bits / 8, panel = b->kc * b->nr * bytes, rows = b->kc * b->mc * bytes;
    int lanes = target_lanes(t, (int)bytes);
    low_why(l, "%s: a product: %s rows, %s columns, %s terms each", C, extent_text(l, &m->i), extent_text(l, &m->j),
            extent_text(l, &m->k));
    low_why(l, "%s: %d x %d results in registers: %d of %d vectors hold sums, %d a row of columns", C, b->mr, b->nr,
            b->mr * b->nr / lanes, t->vregs, b->nr / lanes);
    if (b->streams)
        low_why(l, "%s: few rows: %s is read once, %lld of its rows side by side; the sums wait in a cache", C,
                m->b->load.t->name, (long long)b->kc);
    else
        low_why(l, "%s: blocks of %lld terms: %d columns of them take %lld KiB%s; of %lld rows: %lld KiB%s", C,
                (long long)b->kc, b->nr, panel >> 10,
                t->l1 ? arena_printf(l->mem, " (l1 has %lld)", (long long)t->l1 >> 10) : "", (long long)b->mc,
                rows >> 10, t->l2 ? arena_printf(l->mem, " (l2 has %lld)", (long long)t->l2 >> 10) : "");
    why_pack(l, C, m->a, pack_a, m->copy_a, m->wide_a, "rows");
    if (panels)
        low_why(l, "%s: %s is packed panel by panel, the next one fetched meanwhile: its rows lie whole pages apart", C,
                m->b->load.t->name);
    else
        why_pack(l, C, m->b, pack_b, m->copy_b, m->wide_b, "columns");
    if (b->large) low_why(l, "%s: sums wait in memory between blocks of terms, fetched one kernel ahead", C);
}

/* Bytes between neighbours along v; 0: not known. */
static int64_t distance(Lower *l, const Expr *load, const Var *v)
{
    int64_t bytes = te_type[load->load.t->type].bits / 8, n;
    int at = load->nargs - 1;
    for (; at >= 0 && load->arg[at]->var != v; at--)
        if (load->arg[at]->op != EX_VAR || !ix_known(l, low_expr(l, load->load.t->shape[at]), &n) ||
            __builtin_mul_overflow(bytes, n, &bytes))
            return 0;
    return at < 0 ? 0 : bytes;
}

/* Few rows, and terms of a column that lie whole pages apart: all of them share one set of l1, so that every kernel
 * would fetch its panel again. A panel of few terms is copied just before its kernels, the next one fetched meanwhile.
 */
static bool pages_apart(Lower *l, const Match *m, const Blocks *b)
{
    enum { PAGE = 4096 };
    int64_t far = m->copy_b || m->k.n != 1 ? 0 : distance(l, m->b, m->k.var[0]);
    return !b->streams && m->i.known && m->i.guess > b->mr && far > 0 && far % PAGE == 0 && is_large(l, m->b->load.t);
}

/* False: nothing is known that suits it. */
static bool product_text(Lower *l, const Match *m, Text *out)
{
    Blocks b = product_blocks(l, m);
    if (!m->i.n) {
        if (!b.streams) return false;
        low_why(l,
                "%s: a vector times a matrix: %s is read once, %lld of its rows side by side; the sums wait in a cache",
                m->w->def->name, m->b->load.t->name, (long long)b.kc);
        vector_text(l, m, &b, out);
        return true;
    }
    enum { PANEL_TERMS = 64 };
    if (dots(l, m)) {
        low_why(
            l,
            "%s: few rows, and terms that lie next to each other in both operands: dot products, in lanes over terms",
            m->w->def->name);
        dots_text(l, m, out);
        return true;
    }
    if (m->pairs && !b.streams) return pairs_text(l, m, out);
    const char *C = m->w->def->name;
    Namer n = {.l = l, .w = m->w, .r = m->r};
    const Var *lane = m->j.var[m->j.n - 1];
    /* Few rows of a kernel are as many streams that the hardware follows; a copy pays when it is read often enough. */
    bool pack_a = m->copy_a || (m->wide_a && !m->pairs) || (b.mr > 8 && m->j.guess >= 64) ||
                  (is_large(l, m->a->load.t) && m->j.guess >= 128);
    bool pack_b = m->copy_b || (m->wide_b && !m->pairs) || plan_stride(l, m->b, lane) == STRIDE_N ||
                  (is_large(l, m->b->load.t) && m->i.guess >= 32);
    bool panels = !pack_b && pages_apart(l, m, &b);
    if (panels) b.kc = least(b.kc, PANEL_TERMS), pack_b = true;
    why_product(l, m, &b, pack_a, pack_b, panels);
    const char *i = fuse_text(&n, C, &m->i, out), *j = fuse_text(&n, C, &m->j, out), *k = fuse_text(&n, C, &m->k, out);
    const char *ko = model_part(&n, k, "o"), *ki = model_part(&n, k, "i"), *io = model_part(&n, i, "o"),
               *im = model_part(&n, i, "m"), *jo = model_part(&n, j, "o"), *jr = model_part(&n, j, "r"),
               *ii = model_part(&n, i, "i"), *ir = model_part(&n, i, "r"), *jc = NULL, *js = j;
    text_printf(out, "  split %s[%s] by %lld -> %s, %s tail guard;\n", C, k, (long long)b.kc, ko, ki);
    if (b.streams ? b.nc < m->j.guess : !m->j.known || m->j.guess > b.nc) {
        jc = model_part(&n, j, "c");
        js = model_part(&n, j, "b");
        text_printf(out, "  split %s[%s] by %lld -> %s, %s tail guard;\n", C, j, (long long)b.nc, jc, js);
    }
    if (narrow_rest(m, &b))
        text_printf(out, "  split %s[%s] by %lld -> %s, %s tail mask;\n  split %s[%s] by %d -> %s, %s tail peel;\n", C,
                    i, (long long)b.mc, io, im, C, js, b.nr, jo, jr);
    else
        text_printf(out, "  tile %s[%s, %s] by %lld, %d -> %s, %s, %s, %s tail mask;\n", C, i, js, (long long)b.mc,
                    b.nr, io, jo, im, jr);
    text_printf(out, "  split %s[%s] by %d -> %s, %s tail compose;\n", C, im, b.mr, ii, ir);
    text_printf(out, "  order %s ", C);
    for (int x = 0; x < m->w->nix; x++)
        if (!on_axis(&m->i, m->w->ix[x]) && !on_axis(&m->j, m->w->ix[x])) text_printf(out, "%s, ", m->w->ix[x]->name);
    if (jc) text_printf(out, "%s, ", jc);
    text_printf(out, "%s, %s, %s, %s, %s, %s, %s;\n", ko, io, jo, ii, ki, ir, jr);
    bool once = m->i.known && m->i.guess <= b.mc; /* no later block of rows reads a panel again */
    if (pack_b)
        text_printf(out, "  stage %s at %s.%s in local layout pack(%s, %s by 1, %d);\n", m->b->load.t->name, C,
                    once || panels ? jo : ko, k, j, b.nr);
    if (panels) text_printf(out, "  prefetch %s at %s.%s distance 1;\n", m->b->load.t->name, C, jo);
    if (pack_a)
        text_printf(out, "  stage %s at %s.%s in local layout pack(%s, %s by 1, %d);\n", m->a->load.t->name, C, io, k,
                    i, b.mr);
    text_printf(out, "  microkernel %s.%s, %s.%s, %s.%s with outer compose;\n", C, ir, C, jr, C, ki);
    if (b.large) text_printf(out, "  prefetch %s at %s.%s distance 1;\n", m->w->def->out[0]->name, C, ii);
    parallel_text(l, m, &b, io, b.streams ? jc : jo, out);
    return true;
}

/* ---- recurrences along rows
 * ------------------------------------------------------------------------------------------ A row's steps wait for
 * each other; a few rows side by side fill the time. Not many: rows lie far apart, often by powers of two, and share
 * the sets of a cache. */
static bool scan_text(Lower *l, const Work *w, Text *out)
{
    enum { ROWS = 4 };
    const Def *d = w->def;
    if (!carry_reads(l, w) || w->nix < 2 || w->ix[w->nix - 1] != d->seq) return false;
    const Var *row = w->ix[w->nix - 2];
    if (ix_guess(l, row->hi) < ROWS) return false;
    Namer n = {.l = l, .w = w};
    low_why(l, "%s: a row's steps wait for each other: %d rows run side by side", d->name, ROWS);
    const char *ro = model_part(&n, row->name, "o"), *ri = model_part(&n, row->name, "i");
    text_printf(out, "  split %s[%s] by %d -> %s, %s tail peel;\n  order %s ", d->name, row->name, ROWS, ro, ri,
                d->name);
    for (int i = 0; i < w->nix - 2; i++) text_printf(out, "%s, ", w->ix[i]->name);
    text_printf(out, "%s, %s, %s;\n  unroll %s.%s;\n", ro, d->seq->name, ri, d->name, ri);
    if (l->threads > 1 && plan_work(l, w) >= 2e5)
        text_printf(out, "  parallel %s.%s;\n", d->name,
                    w->nix > 2 && ix_guess(l, w->ix[0]->hi) >= 2 * l->threads ? w->ix[0]->name : ro);
    return true;
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
    Text how = {.mem = l->mem};
    if (left != 1) return false;
    bool product = !only->def->seq && match_product(l, only, &m) && m.j.guess >= target_lanes(l->target, 4) / 2;
    if (!(product && product_text(l, &m, &how)) &&
        !(only->def->seq ? scan_text(l, only, &how) : model_window(l, only, &how)))
        return false;
    text_printf(out, "schedule default for %s @cpu {\n", l->op->name);
    for (int i = 0; i < l->nworks; i++)
        if (l->work[i].gone) text_printf(out, "  inline %s;\n", l->work[i].def->name);
    text_printf(out, "%s}\n", how.s);
    return true;
}
