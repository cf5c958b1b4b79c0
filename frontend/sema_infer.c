/* sema_infer: the extent of an index, from the places where it stands alone in an access: `X[i,k]` says that k goes
 * over X's second dimension. `| v` does not matter. All such places must agree for every allowed size. */
#include "frontend/sema.h"

#include <string.h>

static const AstExpr *bare(const AstExpr *a)
{
    while (a->kind == AST_PAREN) a = a->arg[0];
    return a;
}

static const char *size_text(Sema *s, const Expr *e)
{
    Text t = {.mem = s->mem};
    text_add(&t, "");
    te_print_expr(&t, s->op, e);
    return t.s;
}

static void clash(Sema *s, Infer *f, const AstExpr *a, Expr *extent)
{
    f->clash = true;
    Diag *d = FE_ERROR(s, D_N015_DISAGREE, a->span, f->name, fe_src(s, a->span), size_text(s, extent),
                       fe_src(s, f->place), size_text(s, f->extent));
    fe_note_at(s, d, f->place, "the other place");
    fe_help_at(s, d, "write the range, as in `%s in 0..%s`, or say with `where` that the sizes are equal", f->name,
               size_text(s, f->extent));
}

static void place(Sema *s, Infer *f, const AstExpr *a)
{
    const Sym *y = fe_find(s, a->text);
    bool known = y && y->kind == SYM_TENSOR && y->t->rank == a->nargs && (y->t->shape || y->t->rank == 0);
    for (int i = 0; i < a->nargs; i++) {
        const AstExpr *x = bare(a->arg[i]);
        if (x->kind != AST_NAME || strcmp(x->text, f->name) != 0) continue;
        if (!known) {
            if (!y || y != s->self_sym) f->silent = true; /* a mistake, reported where it stands */
            continue;
        }
        Expr *extent = y->t->shape[i];
        if (!extent) {
            if (y != s->self_sym) f->silent = true;
            continue;
        }
        if (!f->extent) {
            f->extent = extent;
            f->place = a->span;
        } else if (!f->clash && !fe_same_size(s, extent, f->extent)) {
            clash(s, f, a, extent);
        }
    }
}

void fe_infer(Sema *s, Infer *f, const AstExpr *a)
{
    if (!a || s->gave_up || f->clash) return;
    if (++s->work > WORK_MAX) {
        fe_too_large(s, "checking it, with its fns written out, takes more than a million steps");
        return;
    }
    if (a->kind == AST_ERROR) f->silent = true;
    if (a->kind == AST_ACCESS) place(s, f, a);
    for (int i = 0; i < a->nargs; i++) fe_infer(s, f, a->arg[i]);
    fe_infer(s, f, a->other);
    if (a->kind != AST_REDUCE) return;
    for (int i = 0; i < a->red->nvars; i++) {
        fe_infer(s, f, a->red->var[i].lo);
        fe_infer(s, f, a->red->var[i].hi);
    }
    fe_infer(s, f, a->red->cond);
    fe_infer(s, f, a->red->body);
}
