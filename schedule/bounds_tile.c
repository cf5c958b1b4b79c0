/* bounds_tile.c: a Tile program that came as text may have been edited: every access and every division in it is proved
 * again, as bounds.c does for the definitions of a `.te`, but under the loops, conditions and lets that enclose it.
 *
 * Needs a program that tile_verify accepts, with its dims bound or dynamic. Reads that carry a value (`| v`) or a site
 * check themselves; one that is neither proved nor refuted gets a site, so that it does too. What only sizes decide is
 * added to the op's checks. Expressions are shared: each is visited once per
 * context. A loop with a step visits lo, lo + step, … only; a let is a variable with one value. */
#include "schedule/bounds.h"

#include <setjmp.h>
#include <string.h>

typedef struct Seen {
    struct Seen *next;
    const Ctx *ctx;
} Seen;

typedef struct Tiles {
    Bounds b;
    Seen **seen; /* by Expr.id */
    int errors;
} Tiles;

static bool inside(const Ctx *ctx, const Ctx *of)
{
    while (ctx && ctx->depth > of->depth) ctx = ctx->up;
    return ctx == of;
}

static bool visited(Tiles *t, const Expr *e, const Ctx *ctx)
{
    if (e->id >= t->b.nexprs) return false;
    for (const Seen *s = t->seen[e->id]; s; s = s->next)
        if (inside(ctx, s->ctx)) return true;
    Seen *s = NEW(t->b.mem, Seen);
    *s = (Seen){t->seen[e->id], ctx};
    t->seen[e->id] = s;
    return false;
}

/* "C[io * 4 + ii, j]", where there is no expression of that text. */
static const char *place_text(Bounds *b, const Tensor *t, Expr *const *ix)
{
    Text text = {.mem = b->op->mem};
    text_printf(&text, "%s[", t->name);
    for (int i = 0; i < t->rank; i++) text_printf(&text, "%s%s", i ? ", " : "", sched_quote(b, ix[i]));
    text_add(&text, "]");
    return text.s;
}

static void add_check(Bounds *b, Expr *cond, const char *text, Span s)
{
    TeOp *op = b->op;
    for (int i = 0; i < op->nchecks; i++)
        if (sched_expr_same(b, op->check[i].cond, cond)) return;
    Check *all = NEW_ARRAY(op->mem, Check, op->nchecks + 1);
    if (op->nchecks) memcpy(all, op->check, sizeof *all * (size_t)op->nchecks);
    all[op->nchecks] = (Check){cond, text, s};
    op->check = all;
    op->nchecks++;
}

static void make_gather(Bounds *b, Expr *load, int i, const char *text)
{
    TeOp *op = b->op;
    Site *all = NEW_ARRAY(op->mem, Site, op->nsites + 1);
    if (op->nsites) memcpy(all, op->site, sizeof *all * (size_t)op->nsites);
    all[op->nsites] =
        (Site){SITE_GATHER, load->span, arena_printf(op->mem, "%s, index %d", text, i), load->load.t, false};
    op->site = all;
    load->flag = LOAD_GATHER;
    load->load.site = op->nsites++;
}

/* Of a write, or of a read: `load`, else NULL. */
static void decide_place(Tiles *t, Ctx *ctx, const Tensor *to, Expr *const *ix, Expr *load, Span s)
{
    Bounds *b = &t->b;
    for (int i = 0; i < to->rank && !b->diags->spare; i++) {
        const Question q = {ASK_INDEX, ix[i], to->shape[i]};
        if (sched_index_proved(b, ctx, q.x, q.y)) continue;
        const char *text = place_text(b, to, ix);
        Span at = ix[i]->span.src ? ix[i]->span : s;
        Witness w;
        Diag *d = NULL;
        if (sched_refute(b, ctx, &q, &w)) {
            d = diag_error(b->diags, D_B001_BOUNDS, at, i, text, (long long)w.x, (long long)w.y,
                           sched_where_at(b, ctx, &w));
        } else {
            Expr *cond = sched_call_check(b, ctx, &q);
            if (cond) {
                add_check(b, cond, arena_printf(b->op->mem, "index %d of `%s` is in bounds", i, text), at);
                continue;
            }
            if (load) {
                make_gather(b, load, i, text);
                return;
            }
            d = diag_error(b->diags, D_B007_TILE_UNDECIDED, at, i, text);
        }
        if (d && to->span.src) diag_note(b->diags, d, to->span, "`%s` is declared here", to->name);
        if (d)
            diag_help(b->diags, d, "change the bounds of the loops around it, or the extents of `%s`%s", to->name,
                      d->code == D_B007_TILE_UNDECIDED ? ", or bind the sizes with --dim" : "");
        t->errors++;
        return;
    }
}

static void decide_division(Tiles *t, Ctx *ctx, const Expr *e)
{
    Bounds *b = &t->b;
    if (e->site >= 0 || sched_prove_not_zero(b, ctx, sched_sym_of(b, e->arg[1])) || sched_ctx_dead(b, ctx)) return;
    diag_error(b->diags, D_B008_TILE_DIV_ZERO, e->span, sched_quote(b, e));
    t->errors++;
}

static void walk(Tiles *t, Ctx *ctx, Expr *e)
{
    Bounds *b = &t->b;
    if (ctx->dead || b->diags->spare || visited(t, e, ctx)) return;
    switch ((ExprOp)e->op) {
    case EX_SELECT:
        walk(t, ctx, e->arg[0]);
        walk(t, sched_enter_if(b, ctx, e->arg[0], false), e->arg[1]);
        walk(t, sched_enter_if(b, ctx, e->arg[0], true), e->arg[2]);
        return;
    case EX_AND:
    case EX_OR:
        walk(t, ctx, e->arg[0]);
        walk(t, sched_enter_if(b, ctx, e->arg[0], e->op == EX_OR), e->arg[1]);
        return;
    default: break;
    }
    for (int i = 0; i < e->nargs; i++) walk(t, ctx, e->arg[i]);
    if (e->op == EX_LOAD) {
        if (e->load.other)
            walk(t, sched_enter_outside(b, ctx, e), e->load.other);
        else if (e->flag != LOAD_GATHER)
            decide_place(t, ctx, e->load.t, e->arg, e, e->span);
    }
    if (sched_divides(e)) decide_division(t, ctx, e);
}

static void walk_block(Tiles *t, Ctx *ctx, const Block *body);

static void walk_loop(Tiles *t, Ctx *ctx, const Stmt *s)
{
    Bounds *b = &t->b;
    TeOp *op = b->op;
    Var *v = s->loop.var;
    walk(t, ctx, v->lo);
    walk(t, ctx, v->hi);
    Ctx *in = sched_enter_var(b, ctx, v);
    if (s->loop.step > 1) {
        Expr *off = te_node(op, EX_SUB, DT_INDEX, 2, (Expr *[]){te_var(op, v, s->span), v->lo}, s->span);
        Expr *step = te_int(op, DT_INDEX, s->loop.step, s->span);
        Expr *mod = te_node(op, EX_MOD, DT_INDEX, 2, (Expr *[]){off, step}, s->span);
        Expr *zero = te_int(op, DT_INDEX, 0, s->span);
        in = sched_enter_if(b, in, te_node(op, EX_EQ, DT_U1, 2, (Expr *[]){mod, zero}, s->span), false);
    }
    walk_block(t, in, &s->loop.body);
}

static void walk_places(Tiles *t, Ctx *ctx, Expr *const *ix, int n)
{
    for (int i = 0; i < n; i++) walk(t, ctx, ix[i]);
}

static void decide_extents(Tiles *t, const Tensor *buf)
{
    Bounds *b = &t->b;
    Ctx *root = b->root;
    for (int i = 0; i < buf->rank; i++) {
        walk(t, root, buf->shape[i]);
        const Sym *x = sched_sym_of(b, buf->shape[i]);
        if (sched_prove(b, root, x)) continue;
        Expr *ext = buf->shape[i], *zero = te_int(b->op, DT_INDEX, 0, buf->span);
        const char *text =
            arena_printf(b->op->mem, "the extent `%s` of `%s` is not negative", sched_quote(b, ext), buf->name);
        add_check(b, te_node(b->op, EX_GE, DT_U1, 2, (Expr *[]){ext, zero}, ext->span), text, ext->span);
    }
}

/* The topk step takes the places ix[…, 0..slots) of both its buffers. */
static void decide_insert(Tiles *t, Ctx *ctx, const Stmt *s)
{
    Bounds *b = &t->b;
    const Tensor *to[2] = {s->insert.vals, s->insert.where};
    for (int i = 0; i < 2; i++) {
        int n = to[i]->rank - 1;
        Expr **ix = NEW_ARRAY(b->mem, Expr *, n + 1);
        for (int k = 0; k < n; k++) ix[k] = s->insert.ix[k];
        Expr *one = te_int(b->op, DT_INDEX, 1, s->span);
        ix[n] = te_node(b->op, EX_SUB, DT_INDEX, 2, (Expr *[]){s->insert.slots, one}, s->span);
        Expr *some =
            te_node(b->op, EX_GT, DT_U1, 2, (Expr *[]){s->insert.slots, te_int(b->op, DT_INDEX, 0, s->span)}, s->span);
        decide_place(t, sched_enter_if(b, ctx, some, false), to[i], ix, NULL, s->span);
    }
}

static Ctx *walk_stmt(Tiles *t, Ctx *ctx, const Stmt *s)
{
    Bounds *b = &t->b;
    switch (s->kind) {
    case ST_FOR: walk_loop(t, ctx, s); break;
    case ST_IF:
        walk(t, ctx, s->branch.cond);
        walk_block(t, sched_enter_if(b, ctx, s->branch.cond, false), &s->branch.then);
        walk_block(t, sched_enter_if(b, ctx, s->branch.cond, true), &s->branch.els);
        break;
    case ST_ALLOC: decide_extents(t, s->alloc.buf); break;
    case ST_STORE:
        walk_places(t, ctx, s->store.ix, s->store.buf->rank);
        walk(t, ctx, s->store.value);
        decide_place(t, ctx, s->store.buf, s->store.ix, NULL, s->span);
        break;
    case ST_UPDATE:
        walk_places(t, ctx, s->update.ix, s->update.buf->rank);
        walk(t, ctx, s->update.value);
        if (s->update.index) walk(t, ctx, s->update.index);
        decide_place(t, ctx, s->update.buf, s->update.ix, NULL, s->span);
        if (s->update.where) decide_place(t, ctx, s->update.where, s->update.ix, NULL, s->span);
        break;
    case ST_INSERT:
        walk_places(t, ctx, s->insert.ix, s->insert.vals->rank - 1);
        walk(t, ctx, s->insert.slots);
        walk(t, ctx, s->insert.value);
        walk(t, ctx, s->insert.index);
        decide_insert(t, ctx, s);
        break;
    case ST_PREFETCH: walk_places(t, ctx, s->prefetch.ix, s->prefetch.buf->rank); break;
    case ST_LET: walk(t, ctx, s->let.value); return sched_enter_var(b, ctx, s->let.var);
    case ST_COUNT: break;
    }
    return ctx;
}

static void walk_block(Tiles *t, Ctx *ctx, const Block *body)
{
    for (int i = 0; i < body->n && !ctx->dead; i++) ctx = walk_stmt(t, ctx, body->at[i]);
}

/* ---- what is put into the program as long as it is walked, and taken out again ------------------------------------
 */

static void each_let(TeOp *op, const Block *body, bool on)
{
    for (int i = 0; i < body->n; i++) {
        Stmt *s = body->at[i];
        if (s->kind == ST_FOR) each_let(op, &s->loop.body, on);
        if (s->kind == ST_IF) {
            each_let(op, &s->branch.then, on);
            each_let(op, &s->branch.els, on);
        }
        if (s->kind != ST_LET) continue;
        Expr *one = te_int(op, DT_INDEX, 1, s->span);
        s->let.var->lo = on ? s->let.value : NULL;
        s->let.var->hi = on ? te_node(op, EX_ADD, DT_INDEX, 2, (Expr *[]){s->let.value, one}, s->span) : NULL;
    }
}

static void bound_sizes(TeOp *op, Dim *was, bool on)
{
    for (int i = 0; i < op->ndims; i++) {
        Dim *d = &op->dim[i];
        if (on) was[i] = *d;
        if (on && d->value >= 0) d->lo = d->hi = d->value;
        if (!on) d->lo = was[i].lo, d->hi = was[i].hi;
    }
}

static Ctx *root_context(Bounds *b)
{
    const TeOp *op = b->op;
    const Form **f = NEW_ARRAY(b->mem, const Form *, op->nchecks + 1);
    for (int i = 0; i < op->nchecks; i++) f[i] = sched_form_of(b, op->check[i].cond, false);
    Ctx *root = NEW(b->mem, Ctx);
    *root = (Ctx){.kind = CTX_ROOT, .form = sched_form_and(b, op->nchecks, f)};
    root->dead = root->form->kind == FORM_FALSE;
    return root;
}

bool sched_check_tile(TileProg *p, Diags *diags)
{
    Arena *mem = arena_new();
    Tiles t = {0};
    jmp_buf refuse;
    if (!mem || setjmp(refuse)) { /* out of memory: the op's owner is told in its own way */
        arena_free(mem);
        arena_alloc(p->op->mem, SIZE_MAX / 2);
        return false;
    }
    arena_catch(mem, &refuse);
    Dim *was = NEW_ARRAY(mem, Dim, p->op->ndims + 1);
    bound_sizes(p->op, was, true);
    each_let(p->op, &p->body, true);
    sched_bounds_begin(&t.b, mem, p->op, diags);
    t.seen = NEW_ARRAY(mem, Seen *, t.b.nexprs + 1);
    t.b.root = root_context(&t.b);
    walk_block(&t, t.b.root, &p->body);
    each_let(p->op, &p->body, false);
    bound_sizes(p->op, was, false);
    arena_free(mem);
    return t.errors == 0;
}
