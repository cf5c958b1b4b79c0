/* contract: register-tiled, packed, cache-blocked products, for any definition that sums over products in which rows
 * and lanes reuse operands: matmul in every transposition, batched, with conversions, convolutions, attention's two
 * products …
 *
 *     for batch { for jc { for ko {                       blocks of columns (l3) and of the first reduction variable
 * (l1) Bp[jp, k…, lane] = <part of the term that the rows share>        panels of nr columns for ic parallel { Ap[ip,
 * k…, ii] = <part that the columns share>  panels of mr rows for jp { for ip { vector lane { acc[mr] += Ap * Bp; C =
 * acc } } }
 *     }}}}
 *
 * Rows that do not fill mr are covered by smaller kernels. Terms enter in their order, and partial sums between blocks
 * of ko are kept in the accumulator's type, so the result has the same bits as the plain loops. Sizes: Goto & van de
 * Geijn 2008, Low et al. 2016. */
#include "schedule/model.h"

#include <string.h>

enum { MAX_PACKS = 8 };

typedef struct Pack {
    Expr *from; /* a part of the term */
    bool rows;  /* of the rows' operand, else of the lanes' */
    Tensor *buf;
} Pack;

typedef struct Contract {
    const Work *w;
    int depth;
    Expr *red;
    const Reduce *r;
    Var *i, *j;
    Blocks b;
    Expr *M, *N, *K; /* extents of i, j and the first reduction variable */
    Expr *extent[8]; /* of every reduction variable */
    bool parallel_rows, parallel_cols;
    int npacks;
    Pack pack[MAX_PACKS];
    Tensor *partial; /* where sums wait between blocks of k: the result itself, or a temporary */
    bool partial_is_result;
    /* while emitting */
    Expr *k0, *k1;    /* the current block of k, and its end */
    Expr *jc0, *jlen; /* the current block of columns, and how many */
    Expr *ic0, *ilen;
} Contract;

/* ---- recognising
 * ---------------------------------------------------------------------------------------------------------- */
static bool uses_any(const Contract *c, const Expr *e)
{
    for (int i = 0; i < c->r->nvars; i++)
        if (te_uses_var(e, c->r->var[i])) return true;
    return false;
}

typedef struct Loads {
    Arena *mem;
    char *seen;
    VEC(Expr *) at;
} Loads;

static void find_loads(Loads *f, Expr *e)
{
    if (f->seen[e->id]) return;
    f->seen[e->id] = 1;
    if (e->op == EX_LOAD) VEC_PUSH(f->mem, &f->at, e);
    for (int i = 0; i < te_nchildren(e); i++) find_loads(f, te_child(e, i));
}

static Loads loads_of(Lower *l, Expr *e)
{
    Loads f = {.mem = l->mem, .seen = arena_alloc(l->mem, (size_t)l->op->nexprs + 1)};
    find_loads(&f, e);
    return f;
}

/* The last free variable that some operand read in the lanes does not depend on: its iterations reuse that operand. */
static Var *row_variable(Lower *l, Contract *c)
{
    Loads f = loads_of(l, c->r->body);
    for (int x = c->w->nix - 2; x >= c->depth; x--) {
        Var *v = c->w->ix[x];
        if (v == c->w->def->seq) continue;
        for (int k = 0; k < f.at.n; k++) {
            Expr *e = f.at.at[k];
            if (te_uses_var(e, c->j) && uses_any(c, e) && !te_uses_var(e, v)) return v;
        }
    }
    return NULL;
}

/* Extents that are the same for every iteration of the free loops, so that blocks and buffers can be laid out. */
static bool plain_ranges(Lower *l, Contract *c)
{
    if (c->r->nvars > 7) return false;
    for (int k = 0; k < c->r->nvars; k++) {
        Var *v = c->r->var[k];
        Expr *parts[2] = {v->lo, v->hi};
        for (int x = 0; x < 2; x++) {
            if (te_has_load(parts[x])) return false;
            for (int f = 0; f < c->w->nix; f++)
                if (te_uses_var(parts[x], c->w->ix[f])) return false;
            for (int m = 0; m < k; m++)
                if (te_uses_var(parts[x], c->r->var[m])) return false;
        }
        int64_t zero;
        if (!ix_known(l, v->lo, &zero) || zero != 0) return false;
        c->extent[k] = low_expr(l, v->hi);
    }
    c->K = c->extent[0];
    return true;
}

/* Parts of the term that one side of the product shares and that are worth copying: reads that are not consecutive in
 * the lanes or need converting, or an operand too large to stream from where it is. Maximal parts are taken, so that
 * conversions and scales are done while copying. */
typedef struct Parts {
    Lower *l;
    Contract *c;
    const Var *own, *others; /* a part depends on `own` and not on `others` */
    bool rows;
    char *seen;
    int64_t reuse; /* how often each element is used */
    double bytes;  /* of the whole operand */
    bool fail;
} Parts;

static bool strided_inside(Lower *l, Expr *e, const Var *v)
{
    Loads f = loads_of(l, e);
    for (int i = 0; i < f.at.n; i++)
        if (plan_stride(l, f.at.at[i], v) == STRIDE_N || te_type[f.at.at[i]->load.t->type].bits < 8) return true;
    return false;
}

static bool large_inside(Lower *l, Expr *e)
{
    Loads f = loads_of(l, e);
    double most = 0;
    for (int i = 0; i < f.at.n; i++) {
        const Tensor *t = f.at.at[i]->load.t;
        double b = te_type[t->type].bits / 8.0;
        for (int k = 0; k < t->rank; k++) b *= (double)ix_guess(l, t->shape[k]);
        if (b > most) most = b;
    }
    return most > (double)(l->target->l2 ? l->target->l2 : 256 << 10) / 2;
}

static bool converts_inside(const Expr *e)
{
    if (e->op == EX_LOAD && te_is_float((DType)e->type) && e->type != DT_F32 && e->type != DT_F64) return true;
    for (int i = 0; i < e->nargs; i++)
        if (e->type != DT_INDEX && converts_inside(e->arg[i])) return true;
    return false;
}

static void find_parts(Parts *p, Expr *e)
{
    if (p->seen[e->id] || e->type == DT_INDEX || e->type == DT_U1) return;
    p->seen[e->id] = 1;
    if (!te_uses_var(e, p->own)) return;
    if (!te_uses_var(e, p->others)) {
        if (!te_has_load(e)) return;
        bool want = p->rows ? (p->c->b.mr > 8 || large_inside(p->l, e) || converts_inside(e)) && p->reuse >= 64
                            : strided_inside(p->l, e, p->own) ||
                                  ((large_inside(p->l, e) || converts_inside(e)) && p->reuse >= 32);
        if (!want) return;
        /* Under an `if` a part may only be read where the condition holds, so it cannot be copied ahead. */
        if (p->reuse < 4 || p->c->npacks == MAX_PACKS || p->c->r->cond) {
            p->fail = !p->rows;
            return;
        }
        p->c->pack[p->c->npacks++] = (Pack){.from = e, .rows = p->rows};
        return;
    }
    if (e->op == EX_LOAD) { /* mentions rows and lanes at once: there is no reuse to have */
        if (!p->rows && plan_stride(p->l, e, p->own) == STRIDE_N) p->fail = true;
        return;
    }
    if (e->op == EX_SELECT || e->op == EX_AND || e->op == EX_OR) return; /* parts under a condition stay under it */
    for (int i = 0; i < e->nargs; i++) find_parts(p, e->arg[i]);
}

/* A term that enters as one fma stays a product: its factors are packed. */
static void find_all(Parts *p)
{
    Expr *body = p->c->r->body;
    bool whole = !(p->c->r->fma && p->l->num.ordered && body->op == EX_MUL);
    for (int i = 0; i < (whole ? 1 : 2); i++) find_parts(p, whole ? body : body->arg[i]);
}

static bool choose_packs(Lower *l, Contract *c)
{
    Parts lanes = {l, c,    c->j, c->i, false, arena_alloc(l->mem, (size_t)l->op->nexprs + 1), ix_guess(l, c->M),
                   0, false};
    find_all(&lanes);
    if (lanes.fail) return false;
    Parts rows = {l, c, c->i, c->j, true, arena_alloc(l->mem, (size_t)l->op->nexprs + 1), ix_guess(l, c->N), 0, false};
    find_all(&rows);
    return true;
}

static void choose_blocks(Lower *l, Contract *c)
{
    Product p = {ix_guess(l, c->M), ix_guess(l, c->N), ix_guess(l, c->K), 1, te_type[c->r->body->type].bits / 8};
    for (int x = 1; x < c->r->nvars; x++) p.inner *= ix_guess(l, c->extent[x]);
    if (p.bytes < 4) p.bytes = 4;
    c->b = model_blocks(l, &p);
    int64_t v;
    if (!ix_known(l, c->K, &v)) c->b.split_k = true;
}

static void choose_parallel(Lower *l, Contract *c)
{
    if (l->threads <= 1 || l->in_parallel || plan_work(l, c->w) < 2e5) return;
    int64_t blocks = (ix_guess(l, c->M) + c->b.mc - 1) / c->b.mc;
    c->parallel_rows = blocks >= 2 * l->threads || (blocks > 1 && ix_guess(l, c->N) / c->b.nr < l->threads);
    c->parallel_cols = !c->parallel_rows;
    if (te_type[c->w->def->out[0]->type].bits < 8) c->parallel_cols = false;
}

/* ---- emitting: packs
 * --------------------------------------------------------------------------------------------------------- */
static Expr *panels(Lower *l, Expr *n, int64_t of)
{
    return ix_op(l, EX_DIV, ix_op(l, EX_ADD, n, ix_int(l, of - 1)), ix_int(l, of));
}

/* Where a packed part's element lies: [panel, k (within its block), other reduction variables…, place in the panel]. */
static Expr **pack_place(Lower *l, const Contract *c, Expr *panel, Expr *place)
{
    Expr **ix = NEW_ARRAY(l->mem, Expr *, c->r->nvars + 2);
    ix[0] = panel;
    for (int k = 0; k < c->r->nvars; k++) {
        Expr *at = l->bound[c->r->var[k]->id];
        ix[k + 1] = k == 0 ? ix_op(l, EX_SUB, at, c->k0) : at;
    }
    ix[c->r->nvars + 1] = place;
    return ix;
}

static bool any_packs(const Contract *c, bool rows)
{
    for (int i = 0; i < c->npacks; i++)
        if (c->pack[i].rows == rows) return true;
    return false;
}

static void alloc_packs(Lower *l, Contract *c, bool rows)
{
    int width = rows ? c->b.mr : c->b.nr;
    int64_t block = rows ? c->b.mc : c->b.nc;
    Expr *all = rows ? c->M : c->N;
    for (int i = 0; i < c->npacks; i++) {
        Pack *p = &c->pack[i];
        if (p->rows != rows) continue;
        Expr **shape = NEW_ARRAY(l->mem, Expr *, c->r->nvars + 2);
        shape[0] = ix_op(l, EX_MIN, ix_int(l, block / width), panels(l, all, width));
        for (int k = 0; k < c->r->nvars; k++)
            shape[k + 1] = k == 0 ? ix_op(l, EX_MIN, ix_int(l, c->b.kc), c->K) : c->extent[k];
        shape[c->r->nvars + 1] = ix_int(l, width);
        p->buf = low_buffer(l, rows ? "Ap" : "Bp", (DType)p->from->type, SCOPE_LOCAL, c->r->nvars + 2, shape,
                            c->w->def->span);
    }
}

static int open_k_loops(Lower *l, Contract *c, Loop *lp)
{
    for (int k = 0; k < c->r->nvars; k++) {
        Var *v = c->r->var[k];
        low_loop(l, &lp[k], v->name, k == 0 ? c->k0 : ix_int(l, 0), k == 0 ? c->k1 : c->extent[k], c->w->def->span);
        low_bind(l, v, ix_var(l, lp[k].var));
    }
    return c->r->nvars;
}

static void close_k_loops(Lower *l, Contract *c, Loop *lp)
{
    for (int k = c->r->nvars - 1; k >= 0; k--) low_loop_end(l, &lp[k], 1, LOOP_SERIAL, 0, c->r->var[k], 1);
}

/* One panel after another: for panel { for k… { for place { buf[panel, k…, place] = part } } }, places beyond the edge
 * left out. */
static void emit_pack(Lower *l, Contract *c, bool rows, Expr *from, Expr *len, bool parallel)
{
    if (!any_packs(c, rows)) return;
    int width = rows ? c->b.mr : c->b.nr;
    Var *own = rows ? c->i : c->j;
    Loop lpanel, lk[8], lplace;
    low_loop(l, &lpanel, rows ? "ip" : "jp", ix_int(l, 0), panels(l, len, width), c->w->def->span);
    Expr *panel = ix_var(l, lpanel.var), *base = ix_op(l, EX_MUL, panel, ix_int(l, width));
    open_k_loops(l, c, lk);
    low_loop(l, &lplace, rows ? "ii" : "jj", ix_int(l, 0),
             ix_op(l, EX_MIN, ix_int(l, width), ix_op(l, EX_SUB, len, base)), c->w->def->span);
    Expr *place = ix_var(l, lplace.var);
    low_bind(l, own, ix_op(l, EX_ADD, ix_op(l, EX_ADD, from, base), place));
    bool was_lanes = l->in_lanes;
    l->in_lanes = !rows;
    for (int i = 0; i < c->npacks; i++) {
        Pack *p = &c->pack[i];
        if (p->rows == rows)
            low_emit(l,
                     tile_store(l->p, p->buf, pack_place(l, c, panel, place), low_expr(l, p->from), c->w->def->span));
    }
    l->in_lanes = was_lanes;
    low_loop_end(l, &lplace, 1, rows ? LOOP_SERIAL : LOOP_VECTOR, rows ? 0 : width, own, 2);
    close_k_loops(l, c, lk);
    low_loop_end(l, &lpanel, 1, parallel ? LOOP_PARALLEL : LOOP_SERIAL, 0, own, 1);
}

/* ---- emitting: the register kernel
 * ------------------------------------------------------------------------------------------- */
typedef struct Kernel {
    int rows;
    Expr *ip, *off; /* panel of rows, and the first row in it */
    Expr *jp;
} Kernel;

static Expr *first_block(Lower *l, Contract *c)
{
    return te_node(l->op, EX_EQ, DT_U1, 2, (Expr *[]){c->k0, ix_int(l, 0)}, c->w->def->span);
}

static Expr *last_block(Lower *l, Contract *c)
{
    return te_node(l->op, EX_GE, DT_U1, 2, (Expr *[]){c->k1, c->K}, c->w->def->span);
}

static Expr *read_partial(Lower *l, Contract *c)
{
    Expr **ix = NEW_ARRAY(l->mem, Expr *, c->w->nix + 1), *ij[2] = {l->bound[c->i->id], l->bound[c->j->id]};
    for (int i = 0; i < c->w->nix; i++) ix[i] = l->bound[c->w->ix[i]->id];
    if (!c->partial_is_result) return low_read(l, c->partial, 2, ij, c->w->def->span);
    Tensor *t = c->w->def->out[0];
    int n;
    Expr **at = low_place(l, t, ix, &n);
    return low_read(l, t->kind == TK_LET ? l->store[t->id] : t, n, at, c->w->def->span);
}

static void write_partial(Lower *l, Contract *c, Expr *v)
{
    if (c->partial_is_result) {
        low_store(l, c->w, c->w->def->out[0], v);
        return;
    }
    Expr *ij[2] = {l->bound[c->i->id], l->bound[c->j->id]};
    low_emit(l, tile_store(l->p, c->partial, ij, v, c->w->def->span));
}

/* for ii in 0..rows unroll: binds i, gives ii. */
static Expr *open_rows(Lower *l, Contract *c, const Kernel *k, Loop *lp)
{
    low_loop(l, lp, "ii", ix_int(l, 0), ix_int(l, k->rows), c->w->def->span);
    Expr *ii = ix_var(l, lp->var);
    Expr *row = ix_op(l, EX_ADD, ix_op(l, EX_ADD, ix_op(l, EX_MUL, k->ip, ix_int(l, c->b.mr)), k->off), ii);
    low_bind(l, c->i, ix_op(l, EX_ADD, c->ic0, row));
    return ii;
}

static void close_rows(Lower *l, Contract *c, Loop *lp) { low_loop_end(l, lp, 1, LOOP_UNROLL, 0, c->i, 2); }

static void kernel_init(Lower *l, Contract *c, const Kernel *k, Tensor *acc)
{
    DType t = (DType)c->r->body->type;
    Loop lp;
    Expr *ii = open_rows(l, c, k, &lp);
    Expr *v = low_num(l, t, num_identity(RED_SUM, t), c->r->span);
    if (c->b.split_k)
        v = te_node(l->op, EX_SELECT, t, 3, (Expr *[]){first_block(l, c), v, read_partial(l, c)}, c->r->span);
    low_emit(l, tile_store(l->p, acc, &ii, v, c->r->span));
    close_rows(l, c, &lp);
}

static void kernel_steps(Lower *l, Contract *c, const Kernel *k, Tensor *acc, Expr *lane)
{
    Loop lk[8], lp;
    open_k_loops(l, c, lk);
    Expr *ii = open_rows(l, c, k, &lp);
    for (int i = 0; i < c->npacks; i++) {
        Pack *p = &c->pack[i];
        Expr **at = pack_place(l, c, p->rows ? k->ip : k->jp, p->rows ? ix_op(l, EX_ADD, k->off, ii) : lane);
        VEC_PUSH(l->mem, &l->memo, (Memo){p->from, low_read(l, p->buf, c->r->nvars + 2, at, p->from->span)});
    }
    Expr *cond = c->r->cond ? low_expr(l, c->r->cond) : NULL;
    Nest n;
    if (cond) low_open(l, &n);
    Expr *v = low_expr(l, c->r->body);
    low_emit(l, tile_update(l->p, acc, &ii, RED_SUM, c->r->fma && v->op == EX_MUL && te_is_float((DType)v->type), v,
                            NULL, NULL, c->r->span));
    if (cond) {
        Block b = low_close(l, &n);
        low_emit(l, tile_if(l->p, cond, b, (Block){0}, c->r->span));
    }
    close_rows(l, c, &lp);
    close_k_loops(l, c, lk);
}

static void finish_row(Lower *l, Contract *c, Tensor *acc, Expr *ii)
{
    VEC_PUSH(l->mem, &l->memo, (Memo){c->red, low_read(l, acc, 1, &ii, c->r->span)});
    low_store(l, c->w, c->w->def->out[0], low_expr(l, c->w->rhs));
}

static void kernel_store(Lower *l, Contract *c, const Kernel *k, Tensor *acc)
{
    Loop lp;
    Expr *ii = open_rows(l, c, k, &lp);
    if (!c->b.split_k || c->partial_is_result)
        finish_row(l, c, acc, ii);
    else {
        Nest done, more;
        low_open(l, &done);
        finish_row(l, c, acc, ii);
        Block then = low_close(l, &done);
        low_open(l, &more);
        write_partial(l, c, low_read(l, acc, 1, &ii, c->r->span));
        Block els = low_close(l, &more);
        low_emit(l, tile_if(l->p, last_block(l, c), then, els, c->w->def->span));
    }
    close_rows(l, c, &lp);
}

/* The sums that the next kernel down goes on with, from far away: fetched while this one computes. */
static void fetch_next(Lower *l, Contract *c, const Kernel *k)
{
    if (!c->b.split_k || k->rows != c->b.mr || !c->b.large) return;
    Kernel next = *k;
    next.off = ix_op(l, EX_ADD, k->off, ix_int(l, c->b.mr));
    Loop lp;
    open_rows(l, c, &next, &lp);
    Expr *at = read_partial(l, c);
    low_emit(l, tile_prefetch(l->p, at->load.t, at->arg, true, c->w->def->span));
    close_rows(l, c, &lp);
}

static void emit_kernel(Lower *l, Contract *c, const Kernel *k)
{
    Expr *j0 = ix_op(l, EX_MUL, k->jp, ix_int(l, c->b.nr));
    Loop lanes;
    low_loop(l, &lanes, "jj", ix_int(l, 0), ix_op(l, EX_MIN, ix_int(l, c->b.nr), ix_op(l, EX_SUB, c->jlen, j0)),
             c->w->def->span);
    Expr *lane = ix_var(l, lanes.var);
    low_bind(l, c->j, ix_op(l, EX_ADD, ix_op(l, EX_ADD, c->jc0, j0), lane));
    bool was = l->in_lanes;
    l->in_lanes = true;
    Expr *rows = ix_int(l, k->rows);
    Tensor *acc = low_buffer(l, "acc", (DType)c->r->body->type, SCOPE_REG, 1, &rows, c->r->span);
    kernel_init(l, c, k, acc);
    fetch_next(l, c, k);
    kernel_steps(l, c, k, acc, lane);
    kernel_store(l, c, k, acc);
    l->in_lanes = was;
    low_loop_end(l, &lanes, 1, LOOP_VECTOR, c->b.nr, c->j, 2);
}

/* Rows of the block: whole panels, then what is left by smaller kernels (its binary digits, or exactly when it is
 * known). */
static void emit_rows(Lower *l, Contract *c, Expr *jp)
{
    Expr *mr = ix_int(l, c->b.mr), *full = ix_op(l, EX_DIV, c->ilen, mr), *rest = ix_op(l, EX_MOD, c->ilen, mr);
    int64_t m, known;
    bool sure = ix_known(l, c->M, &m);
    if (!ix_known(l, full, &known) || known > 0) {
        Loop lp;
        low_loop(l, &lp, "ip", ix_int(l, 0), full, c->w->def->span);
        emit_kernel(l, c, &(Kernel){c->b.mr, ix_var(l, lp.var), ix_int(l, 0), jp});
        low_loop_end(l, &lp, 1, LOOP_SERIAL, 0, c->i, 1);
    }
    if (sure && m % c->b.mr == 0) return;
    int last = sure ? (int)(m % c->b.mr) : 0;
    for (int rows = sure ? last : 8; rows >= 1; rows /= 2) {
        if (!sure && rows >= c->b.mr) continue;
        Expr *has = sure ? ix_int(l, last) : ix_int(l, 1), *digit = rest;
        Expr *off = ix_int(l, 0);
        if (!sure) {
            digit = ix_op(l, EX_MOD, ix_op(l, EX_DIV, rest, ix_int(l, rows)), ix_int(l, 2));
            off = ix_op(l, EX_MUL, ix_op(l, EX_DIV, rest, ix_int(l, 2 * rows)), ix_int(l, 2 * rows));
        }
        Nest n;
        low_open(l, &n);
        emit_kernel(l, c, &(Kernel){rows, full, off, jp});
        Block b = low_close(l, &n);
        Expr *cond = te_node(l->op, EX_EQ, DT_U1, 2, (Expr *[]){digit, has}, c->w->def->span);
        low_emit(l, tile_if(l->p, cond, b, (Block){0}, c->w->def->span));
        if (sure) return;
    }
}

/* ---- emitting: the blocks
 * ------------------------------------------------------------------------------------------------------ */
typedef void (*Body)(Lower *, Contract *);

/* for v0 in 0..n step s: *from = v0, *len = min(s, n - v0). One iteration when s covers n. */
static void blocked(Lower *l, Contract *c, const char *name, Expr *n, int64_t step, LoopKind kind, const Var *dim,
                    Expr **from, Expr **len, Body body)
{
    int64_t known;
    if (ix_known(l, n, &known) && known <= step) {
        *from = ix_int(l, 0);
        *len = n;
        body(l, c);
        return;
    }
    Loop lp;
    low_loop(l, &lp, name, ix_int(l, 0), n, c->w->def->span);
    *from = ix_var(l, lp.var);
    *len = ix_op(l, EX_MIN, ix_int(l, step), ix_op(l, EX_SUB, n, *from));
    body(l, c);
    low_loop_end(l, &lp, step, kind, 0, dim, 0);
}

static void emit_panels(Lower *l, Contract *c, bool parallel)
{
    Loop lp;
    low_loop(l, &lp, "jp", ix_int(l, 0), panels(l, c->jlen, c->b.nr), c->w->def->span);
    emit_rows(l, c, ix_var(l, lp.var));
    low_loop_end(l, &lp, 1, parallel ? LOOP_PARALLEL : LOOP_SERIAL, 0, c->j, 1);
}

static void row_block(Lower *l, Contract *c)
{
    alloc_packs(l, c, true);
    emit_pack(l, c, true, c->ic0, c->ilen, false);
    emit_panels(l, c, c->parallel_cols);
}

static void k_block(Lower *l, Contract *c)
{
    Expr *len = c->k1;
    c->k1 = ix_op(l, EX_ADD, c->k0, len);
    emit_pack(l, c, false, c->jc0, c->jlen, c->parallel_rows || c->parallel_cols);
    blocked(l, c, "ic", c->M, c->b.mc, c->parallel_rows ? LOOP_PARALLEL : LOOP_SERIAL, c->i, &c->ic0, &c->ilen,
            row_block);
}

static void column_block(Lower *l, Contract *c)
{
    alloc_packs(l, c, false);
    if (c->b.split_k)
        blocked(l, c, "ko", c->K, c->b.kc, LOOP_SERIAL, c->r->var[0], &c->k0, &c->k1, k_block);
    else {
        c->k0 = ix_int(l, 0);
        c->k1 = c->K;
        k_block(l, c);
    }
}

static void whole(Lower *l, Contract *c)
{
    if (c->b.split_k && !c->partial_is_result) {
        Expr *shape[2] = {c->M, c->N};
        c->partial = low_buffer(l, "partial", (DType)c->r->body->type, SCOPE_LOCAL, 2, shape, c->w->def->span);
    }
    blocked(l, c, "jc", c->N, c->b.nc, LOOP_SERIAL, c->j, &c->jc0, &c->jlen, column_block);
}

/* The free variables that are neither rows nor lanes, outermost; the first in parallel when it has enough iterations.
 */
static void emit_batch(Lower *l, Contract *c, int at)
{
    while (at < c->w->nix && (c->w->ix[at] == c->i || c->w->ix[at] == c->j)) at++;
    if (at == c->w->nix) {
        whole(l, c);
        return;
    }
    Var *v = c->w->ix[at];
    Loop lp;
    low_loop(l, &lp, v->name, low_expr(l, v->lo), low_expr(l, v->hi), c->w->def->span);
    low_bind(l, v, ix_var(l, lp.var));
    bool par = (c->parallel_rows || c->parallel_cols) && ix_guess(l, v->hi) >= 2 * l->threads;
    bool was_parallel = l->in_parallel, rows = c->parallel_rows, cols = c->parallel_cols;
    if (par) {
        l->in_parallel = true;
        c->parallel_rows = c->parallel_cols = false;
    }
    emit_batch(l, c, at + 1);
    l->in_parallel = was_parallel;
    c->parallel_rows = rows;
    c->parallel_cols = cols;
    low_loop_end(l, &lp, 1, par ? LOOP_PARALLEL : LOOP_SERIAL, 0, v, 0);
}

/* An empty reduction must still give its result: the blocks over k would not run at all. */
static bool may_be_empty(Lower *l, const Contract *c)
{
    int64_t k;
    if (ix_known(l, c->K, &k)) return k == 0;
    for (int i = 0; i < l->op->ndims; i++)
        if (l->op->dim[i].value < 0 && l->op->dim[i].lo == 0) return true;
    return c->K->op != EX_DIM;
}

bool contract_emit(Lower *l, const Work *w, int depth)
{
    Contract c = {.w = w, .depth = depth};
    c.red = plan_primary(l, w);
    if (!c.red || l->in_lanes || w->def->seq || w->nix - depth < 2) return false;
    c.r = c.red->red;
    int p;
    if (c.r->op != RED_SUM || low_partials(l, c.r, &p)) return false;
    c.j = w->ix[w->nix - 1];
    c.i = row_variable(l, &c);
    if (!c.i || !plain_ranges(l, &c)) return false;
    c.M = low_expr(l, c.i->hi);
    c.N = low_expr(l, c.j->hi);
    if (ix_guess(l, c.N) < target_lanes(l->target, 4) / 2) return false;
    choose_blocks(l, &c);
    if (!choose_packs(l, &c)) return false;
    c.partial_is_result = w->rhs == c.red && w->def->out[0]->kind != TK_INOUT;
    if (c.b.split_k && may_be_empty(l, &c)) return false;
    choose_parallel(l, &c);
    low_why(l, "%s: product; %d×%d in registers (%s × %s), blocks of %lld rows, %lld columns, %lld terms%s%s",
            w->def->name, c.b.mr, c.b.nr, c.i->name, c.j->name, (long long)c.b.mc, (long long)c.b.nc, (long long)c.b.kc,
            any_packs(&c, false) ? ", columns packed" : "", any_packs(&c, true) ? ", rows packed" : "");
    emit_batch(l, &c, depth);
    return true;
}
