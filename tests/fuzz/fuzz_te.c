/* fuzz_te: any bytes as a `.te` file, through all that a user's text meets before code is made: parsed, formatted,
 * checked, bounds proved, every report rendered. What parsed without a report must format to a text that parses to the
 * same tree and formats to itself; what is refused must have been reported. */
#include "frontend/frontend.h"
#include "schedule/schedule.h"
#include "tests/unit/ast_same.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) __builtin_trap();
}

static void render(Arena *mem, const Diags *d)
{
    Text out = {.mem = mem};
    for (const Diag *g = d->first; g; g = g->next) {
        must(g->text[0] != 0);
        diag_render(&out, g, false);
    }
    must(d->errors == 0 || d->first);
}

static void format(Arena *mem, const AstFile *f, bool clean)
{
    Text once = {.mem = mem}, twice = {.mem = mem};
    fe_format(&once, f);
    if (!clean) return;
    Source src = {"formatted.te", once.s, once.n};
    Diags d = {.mem = mem};
    AstFile *again = fe_parse(mem, &src, &d);
    must(d.errors == 0 && ast_same(f, again));
    fe_format(&twice, again);
    must(once.n == twice.n && !strcmp(once.s, twice.s));
}

static bool inside(Span in, Span out)
{
    return in.src == out.src && in.at >= out.at && (uint64_t)in.at + in.len <= (uint64_t)out.at + out.len;
}

/* Every expression lies inside the one that holds it, and says its depth. */
static void places(const AstExpr *e, Span around)
{
    must(e->span.len > 0 && inside(e->span, around) && e->depth <= FE_DEPTH_MAX);
    for (int i = 0; i < e->nargs; i++) {
        must(e->arg[i]->depth < e->depth);
        places(e->arg[i], e->span);
    }
    if (e->other) places(e->other, e->span);
    if (!e->red) return;
    places(e->red->body, e->span);
    if (e->red->cond) places(e->red->cond, e->span);
    for (int i = 0; i < e->red->nvars; i++) {
        must(inside(e->red->var[i].name.span, e->span));
        if (e->red->var[i].lo) places(e->red->var[i].lo, e->span);
        if (e->red->var[i].hi) places(e->red->var[i].hi, e->span);
    }
}

static void all_places(const AstFile *f)
{
    for (int i = 0; i < f->nitems; i++) {
        const AstOp *op = f->item[i].op;
        if (f->item[i].fn) places(f->item[i].fn->body, f->item[i].fn->span);
        for (int k = 0; op && k < op->nwhere; k++) places(op->where[k], op->span);
        for (int k = 0; op && k < op->nstmts; k++) {
            must(inside(op->stmt[k]->span, op->span));
            places(op->stmt[k]->rhs, op->stmt[k]->span);
        }
    }
}

static void check(Arena *mem, const AstFile *f, Diags *d)
{
    for (int i = 0; i < f->nitems; i++) {
        if (!f->item[i].op) continue;
        TeOp *op = fe_check(mem, f, f->item[i].op, 0, NULL, d);
        bool ok = op && sched_check_bounds(op, d);
        must(ok || d->errors > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *mem = arena_new();
    Source src = {"fuzz.te", arena_strndup(mem, (const char *)data, size), size};
    Diags d = {.mem = mem};
    AstFile *f = fe_parse(mem, &src, &d);
    if (d.errors == 0) all_places(f);
    format(mem, f, d.errors == 0);
    check(mem, f, &d);
    render(mem, &d);
    arena_free(mem);
    return 0;
}
