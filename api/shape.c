/* shape: sizes of dims from shapes of tensors, and the other way; what must hold of sizes.
 *
 * A dim that stands alone on some axis takes that extent. One that occurs only within an expression is solved for where
 * the expression is a*D + b in it with everything else known. Then every axis is computed and compared. */
#include "api/api.h"

#include <string.h>

/* Where a dim's size came from, for contradictions. */
typedef struct Origin {
    int param, axis; /* param -1: given or fixed */
} Origin;

static const char *origin_text(Arena *mem, const TeOp *op, Origin o)
{
    if (o.param < 0) return "the value given";
    return arena_printf(mem, "axis %d of `%s`", o.axis, op->tensor[o.param]->name);
}

void api_sizes_text(Text *t, const TeOp *op, const int64_t *sizes)
{
    text_add(t, "");
    for (int i = 0; i < op->ndims; i++)
        if (sizes[i] >= 0) text_printf(t, "%s%s = %lld", t->n ? ", " : "", op->dim[i].name, (long long)sizes[i]);
    if (!t->n) text_add(t, "every size");
}

/* The dims that e mentions, of which the sizes are not known: none, one (which), or more. */
static int unknowns(const Expr *e, const int64_t *sizes, int *which)
{
    if (e->op == EX_DIM) {
        if (sizes[e->sym] >= 0) return 0;
        int more = *which != e->sym;
        *which = e->sym;
        return more;
    }
    int n = 0;
    for (int i = 0; i < te_nchildren(e); i++) n += unknowns(te_child(e, i), sizes, which);
    return n;
}

/* e == a * D + b, D being the only dim without a size. */
static bool affine(const TeOp *op, const Expr *e, const int64_t *sizes, int64_t *a, int64_t *b)
{
    int which = -1;
    int64_t a1, b1, a2, b2;
    *a = 0;
    if (!unknowns(e, sizes, &which)) return te_eval_size_at(op, e, sizes, b);
    switch (e->op) {
    case EX_DIM: *a = 1, *b = 0; return true;
    case EX_CAST: return affine(op, e->arg[0], sizes, a, b);
    case EX_NEG:
        return affine(op, e->arg[0], sizes, &a1, &b1) && !__builtin_sub_overflow(0, a1, a) &&
               !__builtin_sub_overflow(0, b1, b);
    case EX_ADD:
        return affine(op, e->arg[0], sizes, &a1, &b1) && affine(op, e->arg[1], sizes, &a2, &b2) &&
               !__builtin_add_overflow(a1, a2, a) && !__builtin_add_overflow(b1, b2, b);
    case EX_SUB:
        return affine(op, e->arg[0], sizes, &a1, &b1) && affine(op, e->arg[1], sizes, &a2, &b2) &&
               !__builtin_sub_overflow(a1, a2, a) && !__builtin_sub_overflow(b1, b2, b);
    case EX_MUL:
        if (!affine(op, e->arg[0], sizes, &a1, &b1) || !affine(op, e->arg[1], sizes, &a2, &b2)) return false;
        if (a1 && a2) return false;
        return !__builtin_mul_overflow(a1 ? a1 : a2, a1 ? b2 : b1, a) && !__builtin_mul_overflow(b1, b2, b);
    default: return false;
    }
}

static bool plain_axes(const TeOp *op, const int64_t *const *shape, int64_t *sizes, Origin *from, Diags *d)
{
    bool ok = true;
    for (int p = 0; p < op->nparams; p++)
        for (int x = 0; shape[p] && x < op->tensor[p]->rank; x++) {
            const Expr *e = op->tensor[p]->shape[x];
            int64_t extent = shape[p][x];
            if (extent < 0) {
                diag_error(d, D_R020_NEGATIVE, (Span){0}, x, op->tensor[p]->name, (long long)extent);
                ok = false;
                continue;
            }
            if (e->op != EX_DIM) continue;
            int64_t *size = &sizes[e->sym];
            if (*size < 0) {
                *size = extent;
                from[e->sym] = (Origin){p, x};
            } else if (*size != extent) {
                const Dim *dim = &op->dim[e->sym];
                Diag *g = diag_error(d, D_R017_CONTRADICTION, (Span){0}, dim->name, (long long)*size,
                                     origin_text(d->mem, op, from[e->sym]), (long long)extent,
                                     origin_text(d->mem, op, (Origin){p, x}));
                diag_note(d, g, op->tensor[p]->span, "`%s` is declared here", op->tensor[p]->name);
                ok = false;
            }
        }
    return ok;
}

static void solve_axes(const TeOp *op, const int64_t *const *shape, int64_t *sizes, Origin *from)
{
    for (bool found = true; found;) {
        found = false;
        for (int p = 0; p < op->nparams; p++)
            for (int x = 0; shape[p] && x < op->tensor[p]->rank; x++) {
                const Expr *e = op->tensor[p]->shape[x];
                int which = -1;
                int64_t a, b, rest;
                if (unknowns(e, sizes, &which) != 1) continue;
                if (!affine(op, e, sizes, &a, &b) || !a || __builtin_sub_overflow(shape[p][x], b, &rest)) continue;
                if (rest % a || rest / a < 0) continue;
                sizes[which] = rest / a;
                from[which] = (Origin){p, x};
                found = true;
            }
    }
}

/* Every axis whose dims are all known has the extent that they give it. */
static bool compare_axes(const TeOp *op, const int64_t *const *shape, const int64_t *sizes, Diags *d)
{
    bool ok = true;
    for (int p = 0; p < op->nparams; p++)
        for (int x = 0; shape[p] && x < op->tensor[p]->rank; x++) {
            const Tensor *t = op->tensor[p];
            const Expr *e = t->shape[x];
            int which = -1;
            int64_t want;
            if (e->op == EX_DIM || unknowns(e, sizes, &which)) continue;
            if (te_eval_size_at(op, e, sizes, &want) && want == shape[p][x]) continue;
            if (want < 0) continue; /* the checks say so */
            Text expr = {.mem = d->mem}, known = {.mem = d->mem};
            te_print_expr(&expr, op, e);
            api_sizes_text(&known, op, sizes);
            Diag *g = diag_error(d, D_R018_EXTENT, (Span){0}, x, t->name, (long long)shape[p][x], expr.s,
                                 (long long)want, known.s);
            diag_note(d, g, t->span, "`%s` is declared here", t->name);
            ok = false;
        }
    return ok;
}

void api_out_of_range(const Dim *dim, int64_t size, Diags *d)
{
    long long lo = dim->lo, hi = dim->hi, x = size;
    Diag *g = diag_error(d, D_R007_RANGE, (Span){0}, dim->name, x, lo, hi);
    if (dim->has_range) {
        diag_note(d, g, dim->span, "the range is given here");
    } else if (x >= 0) {
        diag_note(d, g, dim->span, "a range may be given here: `%s in %lld..%lld`", dim->name, x < lo ? x : lo,
                  x > hi ? x : hi);
    }
    diag_help(d, g, "choose a size in that range%s", dim->has_range ? ", or widen it in the op" : "");
}

static bool in_ranges(const TeOp *op, const int64_t *sizes, Diags *d)
{
    bool ok = true;
    for (int i = 0; i < op->ndims; i++) {
        const Dim *dim = &op->dim[i];
        if (sizes[i] < 0 || (sizes[i] >= dim->lo && sizes[i] <= dim->hi)) continue;
        api_out_of_range(dim, sizes[i], d);
        ok = false;
    }
    return ok;
}

bool api_infer(const tensorcc_kernel *k, const int64_t *const *shape, int64_t *sizes, Diags *d)
{
    const TeOp *op = k->op;
    bool ok = true;
    Origin *from = NEW_ARRAY(d->mem, Origin, op->ndims + 1);
    for (int i = 0; i < op->ndims; i++) {
        int64_t fixed = op->dim[i].value;
        from[i].param = -1;
        if (fixed < 0) continue;
        if (sizes[i] >= 0 && sizes[i] != fixed) {
            diag_error(d, D_R032_FIXED, (Span){0}, op->dim[i].name, (long long)fixed, (long long)sizes[i]);
            ok = false;
        }
        sizes[i] = fixed;
    }
    if (!ok || !plain_axes(op, shape, sizes, from, d)) return false;
    solve_axes(op, shape, sizes, from);
    ok = compare_axes(op, shape, sizes, d);
    return in_ranges(op, sizes, d) && ok;
}

static void refuse(const TeOp *op, const Check *c, const int64_t *sizes, Diags *d)
{
    Text t = {.mem = d->mem};
    bool known = false;
    for (int i = 0; i < op->ndims; i++) known |= sizes[i] >= 0;
    api_sizes_text(&t, op, sizes);
    diag_error(d, D_R008_WHERE, c->span, known ? t.s : "any size", c->text);
}

bool api_check_sizes(const tensorcc_kernel *k, const int64_t *sizes, Diags *d)
{
    const TeOp *op = k->op;
    Text missing = {.mem = d->mem};
    for (int i = 0; i < op->ndims; i++)
        if (sizes[i] < 0) text_printf(&missing, "%s`%s`", missing.n ? ", " : "", op->dim[i].name);
    if (missing.n) {
        diag_error(d, D_R019_UNKNOWN_SIZE, op->span, missing.s);
        return false;
    }
    if (!in_ranges(op, sizes, d)) return false;
    bool ok = true;
    for (int i = 0; i < op->nchecks; i++) {
        int64_t holds = 0;
        if (te_eval_size_at(op, op->check[i].cond, sizes, &holds) && holds) continue;
        refuse(op, &op->check[i], sizes, d);
        ok = false;
    }
    return ok;
}

bool api_refuted(const TeOp *op, Diags *d)
{
    int64_t *sizes = NEW_ARRAY(d->mem, int64_t, op->ndims + 1), holds;
    bool ok = true;
    for (int i = 0; i < op->ndims; i++) sizes[i] = op->dim[i].value;
    for (int i = 0; i < op->nchecks; i++)
        if (te_eval_size(op, op->check[i].cond, &holds) && !holds) {
            refuse(op, &op->check[i], sizes, d);
            ok = false;
        }
    return ok;
}

/* An extent that cannot be computed: for lack of a size, or since it does not fit in 64 bits. */
static void axis_unknown(const TeOp *op, const Tensor *t, int x, const int64_t *sizes, Diags *d)
{
    int which = -1;
    Text at = {.mem = d->mem};
    api_sizes_text(&at, op, sizes);
    if (unknowns(t->shape[x], sizes, &which))
        diag_error(d, D_R019_UNKNOWN_SIZE, t->span, arena_printf(d->mem, "axis %d of `%s`", x, t->name));
    else
        diag_error(d, D_R037_TOO_LARGE, t->span, t->name, at.s);
}

bool api_shape(const tensorcc_kernel *k, int param, const int64_t *sizes, int64_t *shape, Diags *d)
{
    const Tensor *t = k->op->tensor[param];
    for (int x = 0; x < t->rank; x++) {
        if (!te_eval_size_at(k->op, t->shape[x], sizes, &shape[x])) {
            axis_unknown(k->op, t, x, sizes, d);
            return false;
        }
        if (shape[x] < 0) {
            diag_error(d, D_R020_NEGATIVE, t->span, x, t->name, (long long)shape[x]);
            return false;
        }
    }
    return true;
}
