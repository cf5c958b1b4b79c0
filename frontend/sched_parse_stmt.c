/* sched_parse_stmt.c: the statements of a schedule. Each is a row of parts, read one after another; what the parts must
 * agree on (as many sizes as loops, no name twice) is checked when all were read. Relies on sched_words.c for words and
 * on sched_parse.c for going on after a failure. */
#include "frontend/sched_priv.h"

#include <string.h>

typedef void Part(SchedParser *x, SchedStmt *s);

/* ---- parts: names -------------------------------------------------------------------------------------------- */

static void names(SchedParser *x, const char *what, bool counted, int *n, AstName **at)
{
    VEC(AstName) list = {0};
    do {
        AstName name = sched_name(x, what, counted);
        VEC_PUSH(x->p.mem, &list, name);
    } while (fe_accept(&x->p, T_COMMA));
    *n = list.n;
    *at = list.at;
}

static void subject(SchedParser *x, SchedStmt *s) { s->subject = sched_name(x, "the name of a definition", true); }
static void tensor(SchedParser *x, SchedStmt *s) { s->subject = sched_name(x, "the name of a tensor", true); }

/* The parenthesis after it is no call's. */
static void stored_tensor(SchedParser *x, SchedStmt *s)
{
    x->p.tok[x->p.at].role = ROLE_WORD;
    tensor(x, s);
}

static void order_list(SchedParser *x, SchedStmt *s) { names(x, "the name of a loop", true, &s->nloops, &s->loop); }

static void bracket_loops(SchedParser *x, SchedStmt *s)
{
    int open = x->p.at;
    if (!fe_expect(&x->p, T_LBRACKET, "and loops after the definition", -1)) return;
    order_list(x, s);
    fe_expect(&x->p, T_RBRACKET, "after the loops", open);
}

static void definitions(SchedParser *x, SchedStmt *s)
{
    names(x, "the name of a definition", true, &s->nloops, &s->loop);
}

static void over(SchedParser *x, SchedStmt *s)
{
    if (sched_expect(x, "over", "and a loop after the definitions"))
        s->over = sched_name(x, "the name of a loop", true);
}

static void new_names(SchedParser *x, SchedStmt *s)
{
    if (fe_expect(&x->p, T_ARROW, "and new names", -1)) names(x, "a new name", false, &s->nnames, &s->name);
}

static void maybe_new_name(SchedParser *x, SchedStmt *s)
{
    if (!fe_accept(&x->p, T_ARROW)) return;
    s->nnames = 1;
    s->name = NEW(x->p.mem, AstName);
    *s->name = sched_name(x, "a new name", false);
}

/* ---- parts: references --------------------------------------------------------------------------------------- */

static SchedRef reference(SchedParser *x)
{
    int from = x->p.at;
    SchedRef r = {.def = sched_name(x, "the name of a definition", true)};
    fe_expect(&x->p, T_DOT, "and a loop after the definition", -1);
    r.loop = sched_name(x, "the name of a loop", true);
    r.span = fe_span_from(&x->p, from);
    return r;
}

static void refs(SchedParser *x, SchedStmt *s)
{
    VEC(SchedRef) list = {0};
    do {
        SchedRef r = reference(x);
        VEC_PUSH(x->p.mem, &list, r);
    } while (s->kind == SS_MICROKERNEL && fe_accept(&x->p, T_COMMA));
    s->nrefs = list.n;
    s->ref = list.at;
}

static void at_ref(SchedParser *x, SchedStmt *s)
{
    if (sched_expect(x, "at", "and a loop after the tensor")) refs(x, s);
}

static void colon_ref(SchedParser *x, SchedStmt *s)
{
    if (fe_expect(&x->p, T_COLON, "and a loop after the producer", -1)) refs(x, s);
}

static void at_loop(SchedParser *x, SchedStmt *s)
{
    if (!sched_expect(x, "at", "and a loop after the definition")) return;
    s->nloops = 1;
    s->loop = NEW(x->p.mem, AstName);
    *s->loop = sched_name(x, "the name of a loop", true);
    if (fe_kind(&x->p) == T_DOT)
        fe_help(&x->p, fe_expected(&x->p, "`in reg`"), "the loop is one of `%s`: its name is enough",
                strlen(s->subject.text) < 40 ? s->subject.text : "S");
}

/* ---- parts: words of a set ----------------------------------------------------------------------------------- */

/* The number of a word among names, -1 after a report. An unknown one is taken: what follows is most likely as it
 * should be. */
static int unknown(SchedParser *x, Span span, const char *text, const char *kind, int n, const char *const *among)
{
    Diag *d = diag_error(x->p.diags, D_S002_WORD, span, text, kind);
    sched_help_names(x, d, text, arena_printf(x->p.mem, "%ss", kind), n, among);
    x->p.broken = true;
    return -1;
}

static int find(const char *text, int n, const char *const *among)
{
    for (int i = 0; i < n; i++)
        if (ir_streq(among[i], text)) return i;
    return -1;
}

static int choose(SchedParser *x, const char *kind, int n, const char *const *among)
{
    Parser *p = &x->p;
    if (fe_kind(p) != T_ID) {
        Diag *d = fe_expected(p, arena_printf(p->mem, "a %s", kind));
        if (d) sched_help_names(x, d, "", arena_printf(p->mem, "%ss", kind), n, among);
        return -1;
    }
    int at = p->at;
    const char *text = fe_text(p, at);
    p->tok[at].role = ROLE_WORD;
    fe_advance(p);
    int i = find(text, n, among);
    return i < 0 ? unknown(x, fe_span(p, at), text, kind, n, among) : i;
}

static void tail(SchedParser *x, SchedStmt *s)
{
    if (!sched_accept(x, "tail")) return;
    int i = choose(x, "tail", TAIL_COUNT, sched_tail_name);
    if (i > 0) s->tail = (SchedTail)i;
}

static void scope(SchedParser *x, SchedStmt *s)
{
    int i = choose(x, "scope", STAGE_SCOPE_COUNT, sched_scope_name);
    if (i > 0) s->scope = (SchedScope)i;
}

static void in_scope(SchedParser *x, SchedStmt *s)
{
    if (fe_expect(&x->p, T_IN, "and a scope after the loop", -1)) scope(x, s);
}

static void maybe_in_scope(SchedParser *x, SchedStmt *s)
{
    if (fe_accept(&x->p, T_IN)) scope(x, s);
}

static void in_reg(SchedParser *x, SchedStmt *s)
{
    in_scope(x, s);
    if (s->scope != SCOPE_NONE && s->scope != STAGE_REG) {
        diag_error(x->p.diags, D_S016_SCOPE, fe_span(&x->p, x->p.last), sched_scope_name[s->scope]);
        x->p.broken = true;
    }
    s->scope = STAGE_REG;
}

/* `block.x`, or `block` for it: that is so for those that have an y as well. */
static void place(SchedParser *x, SchedStmt *s)
{
    Parser *p = &x->p;
    if (!fe_expect(p, T_ARROW, "and a place after the loop", -1)) return;
    int from = p->at;
    const char *text = sched_name(x, "a place to bind to", false).text;
    if (fe_accept(p, T_DOT)) {
        text = arena_printf(p->mem, "%s.%s", text, sched_name(x, "`x`, `y` or `z`", false).text);
    } else if (find(arena_printf(p->mem, "%s.y", text), BIND_COUNT, sched_bind_name) >= 0) {
        text = arena_printf(p->mem, "%s.x", text);
    }
    if (p->failed) return;
    int i = find(text, BIND_COUNT, sched_bind_name);
    if (i < 0) i = unknown(x, fe_span_from(p, from), text, "place", BIND_COUNT, sched_bind_name);
    if (i >= 0) s->bind = (SchedBind)i;
}

static void maybe_dtype(SchedParser *x, SchedStmt *s)
{
    if (fe_kind(&x->p) != T_DTYPE) return;
    s->dtype = fe_token_dtype(x->p.src, &x->p.tok[x->p.at]);
    fe_advance(&x->p);
}

/* ---- parts: numbers ------------------------------------------------------------------------------------------ */

static void one_number(SchedParser *x, SchedStmt *s)
{
    s->nexprs = 1;
    s->expr = NEW(x->p.mem, AstExpr *);
    *s->expr = sched_number(x);
}

static void by_numbers(SchedParser *x, SchedStmt *s)
{
    if (sched_expect(x, "by", "and sizes after the loops")) sched_numbers(x, &s->nexprs, &s->expr);
}

static void maybe_by(SchedParser *x, SchedStmt *s)
{
    if (sched_accept(x, "by")) one_number(x, s);
}

static void stages(SchedParser *x, SchedStmt *s)
{
    if (sched_expect(x, "stages", "and their number after the loop")) one_number(x, s);
}

static void distance(SchedParser *x, SchedStmt *s)
{
    if (sched_expect(x, "distance", "and a number after the loop")) one_number(x, s);
}

/* ---- parts: layouts ------------------------------------------------------------------------------------------ */

static void pack(SchedParser *x, SchedLayout *l)
{
    int open = x->p.at, nfactors = 0;
    l->kind = LAYOUT_PACK;
    fe_expect(&x->p, T_LPAREN, "after `pack`", -1);
    names(x, "an index name", true, &l->n, &l->ix);
    if (sched_expect(x, "by", "and factors after the indices")) sched_numbers(x, &nfactors, &l->factor);
    fe_expect(&x->p, T_RPAREN, "after the factors", open);
    if (x->p.failed || nfactors == l->n) return;
    Diag *d = diag_error(x->p.diags, D_S003_COUNT, span_join(l->factor[0]->span, l->factor[nfactors - 1]->span), "pack",
                         arena_printf(x->p.mem, "%d factor%s for %d %s", l->n, l->n == 1 ? "" : "s", l->n,
                                      l->n == 1 ? "index" : "indices"),
                         nfactors, nfactors == 1 ? "is" : "are");
    fe_help(&x->p, d, "an index that is not cut has the factor 1: `pack(k, j by 1, 16)`");
    x->p.broken = true;
}

static void sized(SchedParser *x, SchedLayout *l)
{
    l->n = 1;
    l->factor = NEW(x->p.mem, AstExpr *);
    *l->factor = sched_number(x);
}

static void maybe_layout(SchedParser *x, SchedStmt *s)
{
    static const char *const kind[] = {
        [LAYOUT_PLAIN] = "", [LAYOUT_PACK] = "pack", [LAYOUT_SWIZZLE] = "swizzle", [LAYOUT_PAD] = "pad"};
    if (!sched_accept(x, "layout")) return;
    int from = x->p.at, i = choose(x, "layout", LAYOUT_PAD + 1, kind);
    SchedLayout *l = &s->layout;
    if (i > 0) l->kind = (SchedLayoutKind)i;
    if (i == LAYOUT_PACK) {
        x->p.tok[from].role = ROLE_NONE;
        pack(x, l);
    } else if (i > 0) {
        sized(x, l);
    } else {
        x->p.failed = true; /* what follows is anything */
    }
    l->span = fe_span_from(&x->p, from);
}

static void dims_in(SchedParser *x, const char *where, int *n, AstExpr ***at)
{
    int open = x->p.at;
    if (!fe_expect(&x->p, T_LPAREN, where, -1)) return;
    sched_numbers(x, n, at);
    fe_expect(&x->p, T_RPAREN, "after the dims", open);
}

static void dims(SchedParser *x, SchedStmt *s)
{
    dims_in(x, "and the dims after the tensor", &s->nfrom, &s->from);
    if (fe_expect(&x->p, T_ARROW, "and the new dims", -1)) dims_in(x, "and the new dims", &s->nto, &s->to);
}

/* ---- parts: the rest ----------------------------------------------------------------------------------------- */

static void maybe_async(SchedParser *x, SchedStmt *s) { s->async = sched_accept(x, "async"); }
static void maybe_compose(SchedParser *x, SchedStmt *s) { s->compose = sched_accept(x, "compose"); }

static void with_kernel(SchedParser *x, SchedStmt *s)
{
    if (sched_expect(x, "with", "and a kernel after the loops"))
        s->kernel = sched_name(x, "the name of a kernel", false);
}

/* A condition, and what stands in braces behind it. A mistake in the condition is no reason to skip the braces. */
static void block(SchedParser *x, SchedStmt *s)
{
    Parser *p = &x->p;
    s->nexprs = 1;
    s->expr = NEW(p->mem, AstExpr *);
    *s->expr = sched_condition(x);
    if (!p->failed && fe_kind(p) != T_LBRACE) {
        bool equals = fe_kind(p) == T_ASSIGN;
        Diag *d = fe_expected(p, "`{` after the condition");
        if (equals) fe_help(p, d, "a comparison is `==`");
    }
    if (p->failed) {
        TokenKind kind = (TokenKind)p->tok[p->at].kind;
        p->failed = false;
        while (kind != T_LBRACE && kind != T_RBRACE && kind != T_SEMI && kind != T_END) {
            fe_advance(p);
            kind = fe_kind(p);
        }
        p->failed = kind != T_LBRACE;
    }
    if (!p->failed) sched_block(x, &s->nbody, &s->body);
}

static void when_block(SchedParser *x, SchedStmt *s)
{
    if (sched_expect(x, "when", "and a condition after `specialize`")) block(x, s);
}

/* ---- statements ---------------------------------------------------------------------------------------------- */

enum { PARTS_MOST = 7 };

static Part *const part[SS_COUNT][PARTS_MOST] = {
    [SS_TILE] = {subject, bracket_loops, by_numbers, new_names, tail},
    [SS_SPLIT] = {subject, bracket_loops, by_numbers, new_names, tail},
    [SS_FUSE] = {subject, bracket_loops, new_names},
    [SS_ORDER] = {subject, order_list},
    [SS_UNROLL] = {refs},
    [SS_VECTORIZE] = {refs, maybe_by},
    [SS_PARALLEL] = {refs},
    [SS_BIND] = {refs, place},
    [SS_AT] = {subject, colon_ref, maybe_in_scope},
    [SS_INLINE] = {subject},
    [SS_ROOT] = {subject},
    [SS_STAGE] = {tensor, at_ref, in_scope, maybe_layout, maybe_async, maybe_new_name},
    [SS_ACCUM] = {subject, at_loop, in_reg, maybe_dtype},
    [SS_RFACTOR] = {refs, new_names},
    [SS_ONLINE] = {definitions, over},
    [SS_MICROKERNEL] = {refs, with_kernel, maybe_compose},
    [SS_PIPELINE] = {refs, stages},
    [SS_PREFETCH] = {tensor, at_ref, distance},
    [SS_LAYOUT] = {stored_tensor, dims},
    [SS_SPECIALIZE] = {when_block},
    [SS_IF] = {block},
};

/* How many of each. 0: not counted. `each`: sizes and names for each loop. */
static const struct Counts {
    int loops, loops_most, sizes, names, refs, refs_most;
    bool each;
    const char *loop; /* what nloops counts */
} counts[SS_COUNT] = {
    [SS_TILE] = {.sizes = 1, .names = 2, .each = true, .loop = "loop"},
    [SS_SPLIT] = {.loops = 1, .loops_most = 1, .sizes = 1, .names = 2, .loop = "loop"},
    [SS_FUSE] = {.loops = 2, .loops_most = 0, .names = 1, .loop = "loop"},
    [SS_RFACTOR] = {.names = 1},
    [SS_ONLINE] = {.loops = 3, .loops_most = 3, .loop = "definition"},
    [SS_MICROKERNEL] = {.refs = 2, .refs_most = 3},
};

static void wrong_count(SchedParser *x, const SchedStmt *s, Span span, const char *takes, int n)
{
    Diag *d = diag_error(x->p.diags, D_S003_COUNT, span, sched_stmt_name[s->kind], takes, n, n == 1 ? "is" : "are");
    fe_help(&x->p, d, "it is written `%s`", sched_stmt_form[s->kind]);
    x->p.broken = true;
}

/* "4 names for 2 loops" */
static const char *times(SchedParser *x, const SchedStmt *s, int n, const char *what)
{
    const char *per =
        !counts[s->kind].each ? "" : arena_printf(x->p.mem, " for %d loop%s", s->nloops, s->nloops == 1 ? "" : "s");
    return arena_printf(x->p.mem, "%d %s%s%s", n, what, n == 1 ? "" : "s", per);
}

static Span names_span(int n, const AstName *at) { return span_join(at[0].span, at[n - 1].span); }

static void check_counts(SchedParser *x, const SchedStmt *s)
{
    const struct Counts *c = &counts[s->kind];
    int per = c->each ? s->nloops : 1, sizes = c->sizes * per, new = c->names *per;
    if (s->nloops && (s->nloops < c->loops || (c->loops_most && s->nloops > c->loops_most)))
        wrong_count(x, s, names_span(s->nloops, s->loop),
                    arena_printf(x->p.mem, "%d %s%s%s", c->loops, c->loop, c->loops == 1 ? "" : "s",
                                 c->loops_most ? "" : " or more"),
                    s->nloops);
    if (sizes && s->nexprs != sizes)
        wrong_count(x, s, span_join(s->expr[0]->span, s->expr[s->nexprs - 1]->span), times(x, s, sizes, "size"),
                    s->nexprs);
    if (new && s->nnames != new) wrong_count(x, s, names_span(s->nnames, s->name), times(x, s, new, "name"), s->nnames);
    if (c->refs && (s->nrefs < c->refs || s->nrefs > c->refs_most))
        wrong_count(x, s, span_join(s->ref[0].span, s->ref[s->nrefs - 1].span),
                    arena_printf(x->p.mem, "%d or %d loops", c->refs, c->refs_most), s->nrefs);
}

static void check_twice(SchedParser *x, int n, const AstName *const *name, const char *list)
{
    int *earlier = sched_earlier(x->p.mem, n, name);
    for (int i = 0; i < n; i++) {
        if (earlier[i] < 0) continue;
        Diag *d = diag_error(x->p.diags, D_S004_TWICE, name[i]->span, name[i]->text, list);
        diag_note(x->p.diags, d, name[earlier[i]]->span, "first here");
        x->p.broken = true;
    }
}

static void check_list(SchedParser *x, int n, const AstName *name, const char *list)
{
    const AstName **at = NEW_ARRAY(x->p.mem, const AstName *, n + 1);
    for (int i = 0; i < n; i++) at[i] = &name[i];
    if (n > 1) check_twice(x, n, at, list);
}

static void check_refs(SchedParser *x, const SchedStmt *s)
{
    const AstName **loop = NEW_ARRAY(x->p.mem, const AstName *, s->nrefs + 1);
    for (int i = 0; i < s->nrefs; i++) {
        loop[i] = &s->ref[i].loop;
        if (ir_streq(s->ref[i].def.text, s->ref[0].def.text)) continue;
        diag_error(x->p.diags, D_S013_ONE_DEF, s->ref[i].def.span, s->ref[i].def.text, s->ref[0].def.text);
        x->p.broken = true;
        return;
    }
    if (s->nrefs > 1) check_twice(x, s->nrefs, loop, "the loops of the kernel");
}

static void check_statement(SchedParser *x, const SchedStmt *s)
{
    check_counts(x, s);
    check_list(x, s->nloops, s->loop, s->kind == SS_ONLINE ? "the definitions" : "the list of loops");
    check_list(x, s->nnames, s->name, "the new names");
    if (s->layout.kind == LAYOUT_PACK) check_list(x, s->layout.n, s->layout.ix, "the indices of `pack`");
    check_refs(x, s);
}

SchedStmt *sched_statement(SchedParser *x, SchedKind kind)
{
    Parser *p = &x->p;
    int from = p->at;
    const Diag *before = p->diags->last;
    SchedStmt *s = NEW(p->mem, SchedStmt);
    s->kind = kind;
    s->dtype = DT_NONE;
    p->tok[from].role = ROLE_STMT;
    fe_advance(p);
    for (int i = 0; i < PARTS_MOST && part[kind][i] && !p->failed; i++) part[kind][i](x, s);
    s->span = fe_span_from(p, from);
    if (p->failed && p->diags->last != before && p->diags->last->code == D_F001_EXPECTED)
        fe_help(p, p->diags->last, "it is written `%s`", sched_stmt_form[kind]);
    if (p->failed) return NULL;
    check_statement(x, s);
    return s;
}
