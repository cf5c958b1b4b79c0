/* fuzz_sema: any bytes as a `.te` file whose ops are checked. An op that is refused was reported. One that is not holds
 * the verifier's rules, its copy equals it, and what is printed of it reads back as an equal op (unless, with its fns
 * written out, it nests more deeply than a text may). */
#include "frontend/frontend.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) __builtin_trap();
}

static bool too_deep(const Diags *d)
{
    for (const Diag *g = d->first; g; g = g->next)
        if (g->code == D_F002_DEPTH || g->code == D_N024_TOO_LARGE) return true;
    return false;
}

static void reads_back(Arena *mem, const TeOp *op)
{
    Text text = {.mem = mem};
    te_print_op(&text, op);
    Source src = {"printed.te", text.s, text.n};
    Diags d = {.mem = mem};
    AstFile *f = fe_parse(mem, &src, &d);
    const AstOp *last = NULL;
    for (int i = 0; i < f->nitems; i++)
        if (f->item[i].op) last = f->item[i].op;
    TeOp *again = last ? fe_check(mem, f, last, 0, NULL, &d) : NULL;
    if (!again && too_deep(&d)) return;
    must(again && d.errors == 0 && te_equal(op, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *mem = arena_new();
    Source src = {"fuzz.te", arena_strndup(mem, (const char *)data, size), size};
    Diags d = {.mem = mem};
    AstFile *f = fe_parse(mem, &src, &d);
    bool clean = d.errors == 0; /* else comments may hold what is no text */
    for (int i = 0; i < f->nitems; i++) {
        if (!f->item[i].op) continue;
        TeOp *op = fe_check(mem, f, f->item[i].op, 0, NULL, &d);
        must(op || d.errors > 0);
        if (!op) continue;
        must(!te_verify(mem, op));
        must(te_equal(op, te_clone(mem, op)));
        if (clean) reads_back(mem, op);
    }
    Text out = {.mem = mem};
    for (const Diag *g = d.first; g; g = g->next) diag_render(&out, g, false);
    arena_free(mem);
    return 0;
}
