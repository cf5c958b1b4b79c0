/* bounds.c: decides every access of an op over all allowed sizes, and reports.
 *
 * Needs a typed op (sema), its consts with values. Walks each definition with a context: the ranges of the variables in
 * scope and the conditions that enclose the place (`?:`, `&&`, `||`, a reduction's `if`, being the value after `|`).
 * Leaves in the op: every LOAD's mode; op->site (gathers, divisions that may be by 0); op->check after those that were
 * there (sizes that may be negative, bounds that only sizes decide). Calling it again gives the same.
 *
 * Expressions form a DAG: a node is visited once per context that is not inside one where it was visited before, and
 * its mode is the weakest that any of them needs. */
#include "schedule/bounds.h"

#include <limits.h>
#include <string.h>

enum {
    BUDGET = 60000000, /* for one op, in units of GOAL_WORK: a few seconds at the very worst */
    QUOTE_MOST = 80    /* bytes of source in a message */
};

typedef struct Visit {
    struct Visit *next;
    const Ctx *ctx;
} Visit;

typedef struct Walk {
    Bounds b;
    const Def *def;
    Visit **visit;   /* by Expr.id */
    uint8_t *matter; /* by Expr.id: 1 nothing to decide below, 2 something */
    uint8_t *told;   /* by Expr.id: an error was reported */
    VEC(Site) site;
    VEC(Check) check;
    int errors;
} Walk;

/* ---- contexts -------------------------------------------------------------------------------------------------- */

static const Form *range_form(Bounds *b, const Var *v)
{
    const Expr at = {.op = EX_VAR, .type = DT_INDEX, .id = INT_MAX, .var = (Var *)v};
    const Sym *x = sched_sym_of(b, &at), *lo = sched_sym_of(b, v->lo), *hi = sched_sym_of(b, v->hi);
    const Sym *last = sched_sym_add(b, sched_sym_add(b, hi, sched_sym_const(b, 1), -1), x, -1);
    const Form *f[2] = {sched_form_row(b, sched_sym_add(b, x, lo, -1), false), sched_form_row(b, last, false)};
    return sched_form_and(b, 2, f);
}

static const Form *access_form(Bounds *b, const Expr *load, bool outside)
{
    int n = 0;
    const Form **f = NEW_ARRAY(b->mem, const Form *, 2 * load->nargs + 1);
    for (int i = 0; i < load->nargs; i++) {
        const Sym *x = sched_sym_of(b, load->arg[i]), *end = sched_sym_of(b, load->load.t->shape[i]);
        const Sym *one = sched_sym_const(b, 1), *zero = sched_sym_const(b, 0);
        const Sym *below = sched_sym_add(b, sched_sym_add(b, zero, x, -1), one, -1); /* -1 - x */
        const Sym *above = sched_sym_add(b, x, end, -1);
        const Sym *last = sched_sym_add(b, sched_sym_add(b, end, x, -1), one, -1);
        f[n++] = sched_form_row(b, outside ? below : x, false);
        f[n++] = sched_form_row(b, outside ? above : last, false);
    }
    return outside ? sched_form_or(b, n, f) : sched_form_and(b, n, f);
}

static bool same_entry(const Bounds *b, const Ctx *c, CtxKind kind, const Var *v, const Expr *cond)
{
    if (c->kind != kind) return false;
    if (kind == CTX_VAR) return c->var == v;
    return kind == CTX_ACCESS ? c->cond == cond : sched_expr_same(b, c->cond, cond);
}

/* ctx and one thing more; the same thing gives the same context. */
static Ctx *enter(Bounds *b, Ctx *ctx, CtxKind kind, Var *v, const Expr *cond, bool neg)
{
    for (Ctx *c = ctx; c; c = c->up)
        if (same_entry(b, c, kind, v, cond) && c->neg == neg) return ctx;
    for (Ctx *c = ctx->child; c; c = c->sibling)
        if (same_entry(b, c, kind, v, cond) && c->neg == neg) return c;
    Ctx *c = NEW(b->mem, Ctx);
    *c = (Ctx){
        .up = ctx, .sibling = ctx->child, .kind = kind, .depth = ctx->depth + 1, .var = v, .cond = cond, .neg = neg};
    ctx->child = c;
    switch (kind) {
    case CTX_VAR:
        c->data = b->var_data[v->id] = sched_is_data(b, v->lo) || sched_is_data(b, v->hi);
        c->form = range_form(b, v);
        break;
    case CTX_COND: c->form = sched_form_of(b, cond, neg); break;
    case CTX_ACCESS: c->form = access_form(b, cond, neg); break;
    case CTX_ROOT: break;
    }
    c->dead = ctx->dead || (c->form && c->form->kind == FORM_FALSE);
    return c;
}

Ctx *sched_enter_var(Bounds *b, Ctx *ctx, Var *v) { return enter(b, ctx, CTX_VAR, v, NULL, false); }
Ctx *sched_enter_outside(Bounds *b, Ctx *ctx, const Expr *load) { return enter(b, ctx, CTX_ACCESS, NULL, load, true); }
Ctx *sched_enter_if(Bounds *b, Ctx *ctx, const Expr *e, bool neg) { return enter(b, ctx, CTX_COND, NULL, e, neg); }

/* ---- words ----------------------------------------------------------------------------------------------------- */

/* The expression as the user wrote it, on one line, or printed where an expansion made it; cut where it is long. */
const char *sched_quote(Bounds *b, const Expr *e)
{
    Text t = {.mem = b->op->mem};
    Span s = e->span;
    text_add(&t, "");
    if (!s.src || s.len == 0 || s.at + (size_t)s.len > s.src->len) {
        te_print_expr(&t, b->op, e);
        return t.s;
    }
    const unsigned char *p = (const unsigned char *)s.src->text + s.at;
    size_t i = 0;
    for (; i < s.len && (t.n < QUOTE_MOST || (p[i] & 0xc0) == 0x80); i++) {
        if (p[i] > ' ')
            text_char(&t, (char)p[i]);
        else if (t.n && t.s[t.n - 1] != ' ')
            text_char(&t, ' ');
    }
    if (i < s.len) text_add(&t, " …");
    return t.s;
}

/* "N = 4, i = 3" */
const char *sched_where_at(Bounds *b, const Ctx *ctx, const Witness *w)
{
    Text t = {.mem = b->op->mem};
    text_add(&t, "");
    for (int i = 0; i < b->op->ndims; i++)
        if (w->dim_used[i]) text_printf(&t, "%s%s = %lld", t.n ? ", " : "", b->op->dim[i].name, (long long)w->dim[i]);
    const Ctx **list = NEW_ARRAY(b->mem, const Ctx *, ctx->depth + 1);
    for (const Ctx *c = ctx; c->kind != CTX_ROOT; c = c->up) list[c->depth - 1] = c;
    for (int i = 0; i < ctx->depth; i++) {
        if (list[i]->kind != CTX_VAR || !w->var_used[list[i]->var->id]) continue;
        const Var *v = list[i]->var;
        text_printf(&t, "%s%s = %lld", t.n ? ", " : "", v->name, (long long)w->var[v->id]);
    }
    if (w->data_used) text_printf(&t, "%ssome data", t.n ? " and " : "");
    return t.n ? t.s : "every size";
}

static const char *some_value(DType t) { return te_type[t].cls == 'F' ? "0.0" : te_type[t].cls == 'B' ? "false" : "0"; }

static Span span_of(const Expr *e, const Expr *otherwise) { return e->span.src ? e->span : otherwise->span; }

/* ---- accesses -------------------------------------------------------------------------------------------------- */

bool sched_index_proved(Bounds *b, Ctx *ctx, const Expr *x, const Expr *end)
{
    const Sym *sx = sched_sym_of(b, x), *se = sched_sym_of(b, end);
    const Sym *last = sched_sym_add(b, sched_sym_add(b, se, sx, -1), sched_sym_const(b, 1), -1);
    if (sched_prove(b, ctx, sx) && sched_prove(b, ctx, last)) return true;
    return sched_ctx_dead(b, ctx);
}

bool sched_divides(const Expr *e)
{
    return (e->op == EX_DIV || e->op == EX_MOD) && (e->type == DT_INDEX || te_is_int((DType)e->type));
}

/* A divisor in e that is not known to differ from 0; NULL: there is none. */
static const Expr *divisor_in_doubt(Bounds *b, Ctx *ctx, const Expr *e)
{
    if (sched_divides(e) && !sched_prove_not_zero(b, ctx, sched_sym_of(b, e->arg[1]))) return e->arg[1];
    const Expr *by = NULL;
    for (int i = 0; i < e->nargs && !by; i++) by = divisor_in_doubt(b, ctx, e->arg[i]);
    return by;
}

/* ctx, and no division in e is by 0: where one is, e has no value, which is an error status of its own. */
static Ctx *enter_divisors(Bounds *b, Ctx *ctx, const Expr *e)
{
    for (int i = 0; i < e->nargs; i++) ctx = enter_divisors(b, ctx, e->arg[i]);
    if (!sched_divides(e) || sched_prove_not_zero(b, ctx, sched_sym_of(b, e->arg[1]))) return ctx;
    Expr *arg[2] = {e->arg[1], te_int(b->op, (DType)e->type, 0, e->span)};
    return sched_enter_if(b, ctx, te_node(b->op, EX_NE, DT_U1, 2, arg, e->span), false);
}

static void how_to_mend(Bounds *b, Diag *d, const Expr *e)
{
    const char *name = e->load.t->name;
    Span t = e->load.t->span;
    Text ext = {.mem = b->op->mem};
    for (int i = 0; i < e->nargs; i++) text_printf(&ext, "%s%s", i ? "," : "", sched_quote(b, e->load.t->shape[i]));
    if (t.src) diag_note(b->diags, d, t, "`%s` has the shape [%s]", name, ext.s);
    const char *text = sched_quote(b, e);
    size_t n = strlen(text);
    if (n < 2 || text[n - 1] != ']' || n > QUOTE_MOST) text = arena_printf(b->op->mem, "%s[…]", name), n = strlen(text);
    diag_help(
        b->diags, d,
        "give the value outside, `%.*s | %s]`, or exclude the place with a condition, or the sizes with a `where`",
        (int)n - 1, text, some_value((DType)e->type));
}

static void refuted(Walk *w, const Ctx *ctx, const Expr *e, int i, const Witness *x)
{
    Bounds *b = &w->b;
    Diag *d = diag_error(b->diags, D_B001_BOUNDS, span_of(e->arg[i], e), i, sched_quote(b, e), (long long)x->x,
                         (long long)x->y, sched_where_at(b, ctx, x));
    if (d) how_to_mend(b, d, e);
    w->errors++;
    w->told[e->id] = 1;
}

static void add_check(Walk *w, Expr *cond, const char *text, Span s)
{
    for (int i = 0; i < w->check.n; i++)
        if (sched_expr_same(&w->b, w->check.at[i].cond, cond)) return;
    VEC_PUSH(w->b.mem, &w->check, (Check){cond, text, s});
}

/* Neither proved nor refuted: for once per call, or too hard. */
static void undecided(Walk *w, const Ctx *ctx, const Expr *e, int i, const Question *q)
{
    Bounds *b = &w->b;
    Expr *cond = sched_call_check(b, ctx, q);
    if (cond) {
        const char *text = arena_printf(b->op->mem, "index %d of `%s` is in bounds", i, sched_quote(b, e));
        add_check(w, cond, text, span_of(e->arg[i], e));
        return;
    }
    Diag *d = diag_error(b->diags, D_B002_UNDECIDED, span_of(e->arg[i], e), i, sched_quote(b, e));
    const Expr *by = divisor_in_doubt(b, (Ctx *)ctx, e->arg[i]);
    if (d && by)
        diag_note(b->diags, d, span_of(by, e), "`%s` may be 0, and then the index has no value", sched_quote(b, by));
    if (d) how_to_mend(b, d, e);
    w->errors++;
    w->told[e->id] = 1;
}

static void make_gather(Walk *w, Expr *e, int which, int unproved)
{
    e->flag = LOAD_GATHER;
    if (e->load.site >= 0) return;
    e->load.site = w->site.n;
    const char *text = sched_quote(&w->b, e);
    if (unproved == 1) text = arena_printf(w->b.op->mem, "%s, index %d", text, which);
    const Expr *x = e->arg[which];
    bool is_unsigned = unproved == 1 && x->op == EX_CAST && x->arg[0]->type == DT_U64;
    VEC_PUSH(w->b.mem, &w->site, (Site){SITE_GATHER, e->span, text, e->load.t, is_unsigned});
}

static void decide_load(Walk *w, Ctx *ctx, Expr *e)
{
    Bounds *b = &w->b;
    int data = 0, which = 0;
    for (int i = 0; i < e->nargs && !w->told[e->id]; i++) {
        const Question q = {ASK_INDEX, e->arg[i], e->load.t->shape[i]};
        if (sched_index_proved(b, ctx, q.x, q.y)) continue;
        Ctx *divided = enter_divisors(b, ctx, q.x);
        if (sched_is_data(b, q.x) || (divided != ctx && sched_index_proved(b, divided, q.x, q.y))) {
            if (!data++) which = i;
            continue;
        }
        Witness x;
        if (sched_refute(b, ctx, &q, &x))
            refuted(w, ctx, e, i, &x);
        else
            undecided(w, ctx, e, i, &q);
    }
    if (data)
        make_gather(w, e, which, data);
    else if (e->flag != LOAD_GATHER)
        e->flag = LOAD_PROVED;
}

/* A let or result that is defined along `seq t` is read only where it is defined already: at an earlier t. */
static void decide_order(Walk *w, Ctx *ctx, const Expr *e)
{
    Bounds *b = &w->b;
    const Def *def = w->def;
    if (!def->seq || e->load.t != def->out[0] || e->load.t->kind == TK_INOUT || w->told[e->id]) return;
    int at = 0;
    while (at < def->nix && def->ix[at] != def->seq) at++;
    if (at == def->nix || at >= e->nargs) return;
    Ctx *in = e->load.other ? enter(b, ctx, CTX_ACCESS, NULL, e, false) : ctx;
    const Question q = {ASK_LESS, e->arg[at], te_var(b->op, def->seq, e->span)};
    const Sym *x = sched_sym_of(b, q.x), *t = sched_sym_of(b, q.y);
    if (sched_prove(b, in, sched_sym_add(b, sched_sym_add(b, t, x, -1), sched_sym_const(b, 1), -1))) return;
    if (sched_ctx_dead(b, in)) return;
    Witness wit;
    const char *name = def->seq->name, *place = "the index comes from data";
    if (!sched_is_data(b, q.x))
        place = sched_refute(b, in, &q, &wit) ? arena_printf(b->op->mem, "it is at %s = %lld for %s", name,
                                                             (long long)wit.x, sched_where_at(b, in, &wit))
                                              : "that cannot be proved";
    Diag *d = diag_error(b->diags, D_B003_SEQ, span_of(q.x, e), sched_quote(b, e), name, place);
    if (d)
        diag_help(b->diags, d, "under `seq %s` what is being defined may be read at an earlier %s only, as `%s-1` is",
                  name, name, name);
    w->errors++;
    w->told[e->id] = 1;
}

/* ---- other questions ------------------------------------------------------------------------------------------- */

/* Whether the place is reached wherever its statement computes anything: no condition that might exclude it. */
static bool is_unconditional(const Ctx *ctx)
{
    while (ctx && ctx->kind != CTX_COND && ctx->kind != CTX_ACCESS) ctx = ctx->up;
    return !ctx;
}

static bool is_zero(Bounds *b, const Expr *e)
{
    int64_t *sizes = NEW_ARRAY(b->mem, int64_t, b->op->ndims + 1), v;
    for (int i = 0; i < b->op->ndims; i++) sizes[i] = -1; /* whatever they are */
    return (te_eval_size_at(b->op, e, sizes, &v) || sched_sym_is_const(sched_sym_of(b, e), &v)) && v == 0;
}

/* A fn that is used twice has its mistakes twice. */
static bool was_told(const Bounds *b, DiagCode code, Span at)
{
    for (const Diag *d = b->diags->first; d; d = d->next)
        if (d->code == code && d->span.src == at.src && d->span.at == at.at && d->span.len == at.len) return true;
    return false;
}

/* A divisor that is 0 for every size is a mistake of the program, where no condition excludes it. */
static bool refuse_division(Walk *w, Ctx *ctx, const Expr *e)
{
    Bounds *b = &w->b;
    const Expr *by = e->arg[1];
    if (!is_unconditional(ctx) || !is_zero(b, by) || sched_ctx_dead(b, ctx)) return false;
    w->errors++;
    Span at = span_of(by, e);
    if (was_told(b, D_B006_DIV_ZERO, at)) return true;
    Diag *d = diag_error(b->diags, D_B006_DIV_ZERO, at, sched_quote(b, e));
    if (e->span.src && (at.at < e->span.at || at.at >= e->span.at + e->span.len))
        diag_note(b->diags, d, e->span, "the division");
    while (by->op == EX_CAST) by = by->arg[0];
    if (by->op != EX_CONST) return true;
    const Const *c = &b->op->cst[by->sym];
    diag_note(b->diags, d, c->span, "`%s` is 0%s", c->name,
              c->overridden ? ", as given with `--const`" : " by default");
    return true;
}

static void decide_division(Walk *w, Ctx *ctx, Expr *e)
{
    if (refuse_division(w, ctx, e) || e->site >= 0 || sched_prove_not_zero(&w->b, ctx, sched_sym_of(&w->b, e->arg[1])))
        return;
    e->site = w->site.n;
    VEC_PUSH(w->b.mem, &w->site, (Site){SITE_DIV_ZERO, e->span, sched_quote(&w->b, e), NULL, false});
}

static Expr *node(TeOp *op, ExprOp o, DType t, Expr *x, Expr *y)
{
    return te_node(op, o, t, 2, (Expr *[]){x, y}, x->span);
}

/* ---- the walk -------------------------------------------------------------------------------------------------- */

/* Is there anything to decide in e? */
static bool matters(Walk *w, const Expr *e)
{
    if (e->id < w->b.nexprs && w->matter[e->id]) return w->matter[e->id] == 2;
    bool yes = e->op == EX_LOAD || e->op == EX_REDUCE || sched_divides(e);
    for (int i = 0; !yes && i < e->nargs; i++) yes = matters(w, e->arg[i]);
    if (e->id < w->b.nexprs) w->matter[e->id] = yes ? 2 : 1;
    return yes;
}

static bool inside(const Ctx *ctx, const Ctx *of)
{
    while (ctx && ctx->depth > of->depth) ctx = ctx->up;
    return ctx == of;
}

static bool visited(Walk *w, const Expr *e, const Ctx *ctx)
{
    if (e->id >= w->b.nexprs) return false;
    for (const Visit *v = w->visit[e->id]; v; v = v->next)
        if (inside(ctx, v->ctx)) return true;
    Visit *v = NEW(w->b.mem, Visit);
    *v = (Visit){w->visit[e->id], ctx};
    w->visit[e->id] = v;
    return false;
}

static void walk(Walk *w, Ctx *ctx, Expr *e);

static void walk_reduce(Walk *w, Ctx *ctx, const Expr *e)
{
    const Reduce *r = e->red;
    for (int i = 0; i < r->nvars; i++) {
        walk(w, ctx, r->var[i]->lo);
        walk(w, ctx, r->var[i]->hi);
        ctx = sched_enter_var(&w->b, ctx, r->var[i]);
    }
    if (r->cond) {
        walk(w, ctx, r->cond);
        ctx = sched_enter_if(&w->b, ctx, r->cond, false);
    }
    walk(w, ctx, r->body);
}

static void walk_load(Walk *w, Ctx *ctx, Expr *e)
{
    for (int i = 0; i < e->nargs; i++) walk(w, ctx, e->arg[i]);
    decide_order(w, ctx, e);
    if (e->load.other) {
        e->flag = LOAD_GUARDED;
        if (matters(w, e->load.other)) walk(w, sched_enter_outside(&w->b, ctx, e), e->load.other);
    } else {
        decide_load(w, ctx, e);
    }
}

static void walk(Walk *w, Ctx *ctx, Expr *e)
{
    if (ctx->dead || !matters(w, e) || visited(w, e, ctx)) return;
    switch ((ExprOp)e->op) {
    case EX_SELECT:
        walk(w, ctx, e->arg[0]);
        if (matters(w, e->arg[1])) walk(w, sched_enter_if(&w->b, ctx, e->arg[0], false), e->arg[1]);
        if (matters(w, e->arg[2])) walk(w, sched_enter_if(&w->b, ctx, e->arg[0], true), e->arg[2]);
        return;
    case EX_AND:
    case EX_OR:
        walk(w, ctx, e->arg[0]);
        if (matters(w, e->arg[1])) walk(w, sched_enter_if(&w->b, ctx, e->arg[0], e->op == EX_OR), e->arg[1]);
        return;
    case EX_REDUCE: walk_reduce(w, ctx, e); return;
    case EX_LOAD: walk_load(w, ctx, e); return;
    default: break;
    }
    for (int i = 0; i < e->nargs; i++) walk(w, ctx, e->arg[i]);
    if (sched_divides(e)) decide_division(w, ctx, e);
}

/* What no context reaches is never evaluated; it has a mode all the same. */
static void settle(Walk *w, Expr *e, uint8_t *seen)
{
    if (e->id < w->b.nexprs) {
        if (seen[e->id]) return;
        seen[e->id] = 1;
    }
    if (e->op == EX_LOAD && e->flag == LOAD_UNCHECKED_YET) e->flag = LOAD_PROVED;
    for (int i = 0, n = te_nchildren(e); i < n; i++) settle(w, te_child(e, i), seen);
}

static void forget(Walk *w, Expr *e, uint8_t *seen)
{
    if (e->id < w->b.nexprs) {
        if (seen[e->id]) return;
        seen[e->id] = 1;
    }
    if (e->op == EX_LOAD) {
        e->flag = e->load.other ? LOAD_GUARDED : LOAD_UNCHECKED_YET;
        e->load.site = -1;
    }
    if (e->op == EX_DIV || e->op == EX_MOD) e->site = -1;
    for (int i = 0, n = te_nchildren(e); i < n; i++) forget(w, te_child(e, i), seen);
}

/* ---- sizes ----------------------------------------------------------------------------------------------------- */

/* The divisions by 0 in a size or a `where` that nothing excludes. */
static bool refuse_divisions(Walk *w, const Expr *e)
{
    bool choice = e->op == EX_SELECT || e->op == EX_AND || e->op == EX_OR, refused = false;
    for (int i = 0; i < (choice ? 1 : e->nargs); i++) refused |= refuse_divisions(w, e->arg[i]);
    return (sched_divides(e) && refuse_division(w, w->b.root, e)) || refused;
}

static bool refuse_sizes(Walk *w)
{
    const TeOp *op = w->b.op;
    bool refused = false;
    for (int i = 0; i < op->nwhere; i++) refused |= refuse_divisions(w, op->check[i].cond);
    for (int t = 0; t < op->ntensors; t++)
        for (int i = 0; i < op->tensor[t]->rank; i++) refused |= refuse_divisions(w, op->tensor[t]->shape[i]);
    return refused;
}

static void check_divisors(Walk *w, const Tensor *t, Expr *e)
{
    Bounds *b = &w->b;
    for (int i = 0; i < e->nargs; i++) check_divisors(w, t, e->arg[i]);
    if (!sched_divides(e) || e->type != DT_INDEX || sched_prove_not_zero(b, b->root, sched_sym_of(b, e->arg[1])))
        return;
    Expr *zero = te_int(b->op, DT_INDEX, 0, e->span);
    const char *text =
        arena_printf(b->op->mem, "the divisor of `%s`, in the shape of `%s`, is not 0", sched_quote(b, e), t->name);
    add_check(w, node(b->op, EX_NE, DT_U1, e->arg[1], zero), text, e->span);
}

static void check_extent(Walk *w, const Tensor *t, Expr *ext)
{
    Bounds *b = &w->b;
    const Sym *x = sched_sym_of(b, ext);
    if (sched_prove(b, b->root, x)) return;
    if (sched_prove(b, b->root, sched_sym_add(b, sched_sym_const(b, -1), x, -1)) && !sched_ctx_dead(b, b->root)) {
        diag_error(b->diags, D_B004_NEGATIVE, ext->span.src ? ext->span : t->span, sched_quote(b, ext), t->name);
        w->errors++;
        return;
    }
    const char *text =
        arena_printf(b->op->mem, "the extent `%s` of `%s` is not negative", sched_quote(b, ext), t->name);
    add_check(w, node(b->op, EX_GE, DT_U1, ext, te_int(b->op, DT_INDEX, 0, ext->span)), text, ext->span);
}

/* The first n checks hold wherever a definition is evaluated. */
static void assume_checks(Walk *w, int n)
{
    Bounds *b = &w->b;
    const Form **f = NEW_ARRAY(b->mem, const Form *, n + 1);
    for (int i = 0; i < n; i++) f[i] = sched_form_of(b, w->check.at[i].cond, false);
    Ctx *root = NEW(b->mem, Ctx);
    *root = (Ctx){.kind = CTX_ROOT, .form = sched_form_and(b, n, f)};
    root->dead = root->form->kind == FORM_FALSE;
    b->root = root;
}

/* No size satisfies all `where`s: says which is the first that cannot hold. */
static void never_holds(Walk *w)
{
    const TeOp *op = w->b.op;
    for (int n = 1; n <= op->nwhere; n++) {
        assume_checks(w, n);
        if (!sched_ctx_dead(&w->b, w->b.root)) continue;
        diag_error(w->b.diags, D_B005_WHERE, op->check[n - 1].span, n > 1 ? " together with those before it" : "");
        w->errors++;
        return;
    }
}

static void commit(Walk *w)
{
    TeOp *op = w->b.op;
    op->nchecks = w->check.n;
    op->check = w->check.n ? arena_dup(op->mem, w->check.at, sizeof(Check) * (size_t)w->check.n) : NULL;
    op->nsites = w->site.n;
    op->site = w->site.n ? arena_dup(op->mem, w->site.at, sizeof(Site) * (size_t)w->site.n) : NULL;
}

static void wraps(void *to, const Expr *e, Expr *cond)
{
    Walk *w = to;
    add_check(w, cond, arena_printf(w->b.op->mem, "`%s` fits in 64 bits", sched_quote(&w->b, e)), e->span);
}

static void check_sizes(Walk *w)
{
    TeOp *op = w->b.op;
    for (int i = 0; i < op->nchecks; i++) VEC_PUSH(w->b.mem, &w->check, op->check[i]);
    assume_checks(w, w->check.n);
    sched_find_wraps(&w->b, wraps, w);
    if (op->nwhere && sched_ctx_dead(&w->b, w->b.root)) never_holds(w);
    for (int divisors = 1; divisors >= 0;
         divisors--) { /* an extent is looked at when its divisions are known to be good */
        for (int t = 0; t < op->ntensors; t++) {
            for (int i = 0; i < op->tensor[t]->rank; i++) {
                if (divisors)
                    check_divisors(w, op->tensor[t], op->tensor[t]->shape[i]);
                else
                    check_extent(w, op->tensor[t], op->tensor[t]->shape[i]);
            }
        }
        assume_checks(w, w->check.n);
    }
    commit(w); /* the search for counterexamples reads the op's checks */
}

static void check_op(Walk *w)
{
    Bounds *b = &w->b;
    TeOp *op = b->op;
    uint8_t *seen = NEW_ARRAY(b->mem, uint8_t, b->nexprs + 1);
    for (int i = 0; i < op->ndefs; i++) forget(w, op->def[i]->rhs, seen);
    assume_checks(w, 0);
    if (refuse_sizes(w)) return; /* nothing can be said of what these are the sizes of */
    check_sizes(w);
    memset(seen, 0, (size_t)b->nexprs);
    for (int i = 0; i < op->ndefs && !b->diags->spare; i++) { /* what is not shown need not be found */
        Ctx *ctx = b->root;
        ctx->child = NULL; /* no definition is inside another's variables: the search for a context stays short */
        w->def = op->def[i];
        for (int k = 0; k < w->def->nix; k++) ctx = sched_enter_var(b, ctx, w->def->ix[k]);
        walk(w, ctx, w->def->rhs);
        settle(w, w->def->rhs, seen);
    }
    commit(w);
}

void sched_bounds_begin(Bounds *b, Arena *mem, TeOp *op, Diags *diags)
{
    *b = (Bounds){.op = op, .diags = diags, .mem = mem, .nexprs = op->nexprs, .budget = BUDGET};
    b->sym = NEW_ARRAY(mem, const Sym *, op->nexprs + 1);
    b->sym_done = NEW_ARRAY(mem, bool, op->nexprs + 1);
    b->var_data = NEW_ARRAY(mem, bool, op->nvars + 1);
    b->dim_hint = NEW_ARRAY(mem, int64_t, op->ndims + 1);
    b->var_hint = NEW_ARRAY(mem, int64_t, op->nvars + 1);
    sched_sym_begin(b);
}

bool sched_check_bounds(TeOp *op, Diags *diags)
{
    Arena *mem = arena_new();
    Walk w = {0};
    jmp_buf refuse;
    if (!mem || setjmp(refuse)) { /* out of memory: the op's owner is told in its own way */
        arena_free(mem);
        arena_alloc(op->mem, SIZE_MAX / 2);
        return false;
    }
    arena_catch(mem, &refuse);
    sched_bounds_begin(&w.b, mem, op, diags);
    w.visit = NEW_ARRAY(mem, Visit *, op->nexprs + 1);
    w.matter = NEW_ARRAY(mem, uint8_t, op->nexprs + 1);
    w.told = NEW_ARRAY(mem, uint8_t, op->nexprs + 1);
    check_op(&w);
    bool ok = w.errors == 0;
    arena_free(mem);
    return ok;
}
