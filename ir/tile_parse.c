/* tile_parse.c: Tile text (docs/tile-ir.md) to a program: the header's tables and the statements. Builds its own TeOp,
 * without definitions: a loop's `@C.k:1` gives stand-ins that hold only the names. Leaves a program that tile_verify
 * accepts, or a diagnostic; the first error ends the reading. */
#include "ir/tile_read.h"

#include <string.h>

/* ---- header: dims, consts, parameters -------------------------------------------------------------------------- */
static void read_hints(Reader *r, Dim *d)
{
    VEC(int64_t) hint = {0};
    tile_need(r, "{");
    do {
        int64_t v = tile_read_int(r, "a size", 0, INT64_MAX);
        VEC_PUSH(r->mem, &hint, v);
    } while (tile_take(r, ","));
    tile_need(r, "}");
    d->hint = hint.at;
    d->nhints = hint.n;
}

static Dim read_dim(Reader *r)
{
    Dim d = {.lo = 1, .hi = INT32_MAX, .value = -1};
    d.name = tile_read_name(r, "the name of a dim", &d.span);
    if (tile_take(r, "=")) {
        d.has_default = true;
        d.dflt = tile_read_int(r, "a size", 0, INT64_MAX);
    }
    if (tile_take_word(r, "in")) {
        d.has_range = true;
        d.lo = tile_read_int(r, "a size", 0, INT64_MAX);
        tile_need(r, "..");
        d.hi = tile_read_int(r, "a size", d.lo, INT64_MAX);
    }
    if (tile_take(r, "~")) read_hints(r, &d);
    if (tile_take(r, ":=")) d.value = tile_read_int(r, "a size", 0, INT64_MAX);
    return d;
}

static Const read_const(Reader *r)
{
    Const c = {0};
    c.name = tile_read_name(r, "the name of a const", &c.span);
    tile_need(r, ":");
    c.type = tile_read_type(r);
    c.overridden = tile_take(r, ":=");
    c.has_default = !c.overridden && tile_take(r, "=");
    if (!c.overridden && !c.has_default) tile_expected(r, "`=` and the const's value");
    c.value = tile_read_literal(r);
    if ((DType)c.value->type != c.type)
        TILE_FAIL(r, D_A008_TYPE, c.value->span,
                  arena_printf(r->mem, "the value of `%s` is not of its type, %s", c.name, te_type[c.type].name));
    return c;
}

static void read_dims(Reader *r)
{
    VEC(Dim) dim = {0};
    VEC(Const) cst = {0};
    tile_need(r, "[");
    while (!tile_is(r, "]") && !tile_is(r, ";")) {
        Dim d = read_dim(r);
        tile_declare(r, d.name, (Name){.kind = NAME_DIM, .sym = dim.n}, d.span);
        VEC_PUSH(r->mem, &dim, d);
        if (!tile_take(r, ",")) break;
    }
    while (tile_take(r, cst.n ? "," : ";")) {
        Const c = read_const(r);
        tile_declare(r, c.name, (Name){.kind = NAME_CONST, .sym = cst.n}, c.span);
        VEC_PUSH(r->mem, &cst, c);
    }
    tile_need(r, "]");
    r->op->dim = dim.at;
    r->op->ndims = dim.n;
    r->op->cst = cst.at;
    r->op->nconsts = cst.n;
}

/* `[e, …]`, every e an index, if there is one. */
static int read_shape(Reader *r, Expr ***shape)
{
    VEC(Expr *) e = {0};
    r->named.n = 0;
    if (tile_take(r, "[")) {
        do {
            if (e.n == UINT8_MAX) tile_expected(r, "at most 255 dimensions"); /* Expr.nargs holds no more */
            Expr *x = tile_read_expr(r);
            if (x->type != DT_INDEX) TILE_FAIL(r, D_A008_TYPE, x->span, "a size is of type index");
            VEC_PUSH(r->mem, &e, x);
        } while (tile_take(r, ","));
        tile_need(r, "]");
    }
    *shape = e.at;
    return e.n;
}

static void read_param(Reader *r, bool result)
{
    uint32_t from = r->tok.span.at;
    TensorKind kind = result ? TK_OUTPUT : TK_INPUT;
    if (!result && tile_take_word(r, "const")) kind = TK_CONST_INPUT;
    if (!result && kind == TK_INPUT && tile_take_word(r, "inout")) kind = TK_INOUT;
    Span at;
    const char *name = tile_read_name(r, "the name of a parameter", &at);
    tile_need(r, ":");
    DType type = tile_read_type(r);
    Expr **shape;
    int rank = read_shape(r, &shape);
    Tensor *t = te_new_tensor(r->op, name, type, kind, rank, shape, tile_since(r, from));
    t->scalar = rank == 0;
    tile_declare(r, name, (Name){.kind = NAME_TENSOR, .tensor = t}, at);
}

static void read_params(Reader *r, bool results)
{
    tile_need(r, "(");
    while (!tile_is(r, ")")) {
        read_param(r, results);
        if (!tile_take(r, ",")) break;
    }
    tile_need(r, ")");
    r->op->nparams = r->op->ntensors;
    if (!results) r->op->ninputs = r->op->ntensors;
}

/* ---- header: checks and sites ---------------------------------------------------------------------------------- */
static const char *read_string(Reader *r)
{
    if (r->tok.kind != TOK_STRING) tile_expected(r, "a text in quotes");
    const char *s = r->tok.text;
    tile_next(r);
    return s;
}

static void read_checks(Reader *r)
{
    VEC(Check) check = {0};
    while (tile_is_word(r, "where") || tile_is_word(r, "check")) {
        uint32_t from = r->tok.span.at;
        bool where = tile_is_word(r, "where");
        if (where && check.n > r->op->nwhere) tile_expected(r, "the `where`s before the `check`s");
        tile_next(r);
        r->named.n = 0;
        Check c = {.text = read_string(r)};
        c.cond = tile_read_expr(r);
        c.span = tile_since(r, from);
        if (c.cond->type != DT_U1) TILE_FAIL(r, D_A008_TYPE, c.cond->span, "a condition is of type u1");
        VEC_PUSH(r->mem, &check, c);
        if (where) r->op->nwhere = check.n;
    }
    r->op->check = check.at;
    r->op->nchecks = check.n;
}

static void read_sites(Reader *r)
{
    VEC(Site) site = {0};
    while (tile_is_word(r, "site")) {
        uint32_t from = r->tok.span.at;
        Site s = {0};
        int kind = 0;
        tile_next(r);
        while (kind <= SITE_CHECK && !tile_is_word(r, tile_site_name[kind])) kind++;
        if (kind > SITE_CHECK) tile_expected(r, "what can go wrong: gather, div or check");
        tile_next(r);
        s.kind = (SiteKind)kind;
        s.text = read_string(r);
        if (r->tok.kind == TOK_NAME && !tile_is_word(r, "site")) {
            const Name *n = tile_lookup(r, r->tok.text);
            if (!n || n->kind != NAME_TENSOR) TILE_FAIL(r, D_A006_UNKNOWN, r->tok.span, "parameter", r->tok.text);
            s.tensor = n->tensor;
            tile_next(r);
        }
        s.span = tile_since(r, from);
        VEC_PUSH(r->mem, &site, s);
    }
    r->op->site = site.at;
    r->op->nsites = site.n;
}

static void read_header(Reader *r)
{
    uint32_t from = r->tok.span.at;
    tile_need_word(r, "tile");
    r->op->name = tile_read_name(r, "the name of the program", NULL);
    r->p->target = tile_raw_target(r);
    tile_need_word(r, "numerics");
    r->p->num.p = 1;
    if (tile_take_word(r, "ordered")) {
        r->p->num.ordered = true;
        if (tile_take(r, ":")) r->p->num.p = (int)tile_read_int(r, "a number of partials", 1, INT32_MAX);
    } else if (!tile_take_word(r, "fast")) {
        tile_expected(r, "`fast` or `ordered`");
    }
    read_dims(r);
    read_params(r, false);
    tile_need(r, "->");
    read_params(r, true);
    r->op->span = tile_since(r, from);
    read_checks(r);
    read_sites(r);
}

/* ---- statements -------------------------------------------------------------------------------------------------- */
static Block read_block(Reader *r);

/* A body that sees one more variable. */
static Block read_body(Reader *r, Var *v)
{
    int names = r->names.n;
    tile_declare(r, v->name, (Name){.kind = NAME_VAR, .var = v}, v->span);
    Block b = read_block(r);
    tile_forget(r, names);
    return b;
}

static Expr *need_index(Reader *r, Expr *e, const char *what)
{
    if (e->type != DT_INDEX) TILE_FAIL(r, D_A008_TYPE, e->span, what);
    return e;
}

static const Def *stand_in(Reader *r, const char *name)
{
    for (int i = 0; i < r->defs.n; i++)
        if (!strcmp(r->defs.at[i]->name, name)) return r->defs.at[i];
    Def *d = NEW(r->mem, Def);
    d->name = name;
    d->id = r->defs.n;
    d->slot_at = -1;
    VEC_PUSH(r->mem, &r->defs, d);
    return d;
}

static void read_provenance(Reader *r, Stmt *s)
{
    if (!tile_take(r, "@")) return;
    s->loop.of = stand_in(r, tile_read_name(r, "the name of a definition", NULL));
    if (tile_take(r, ".")) {
        Span at;
        const char *name = tile_read_name(r, "the name of one of its variables", &at);
        s->loop.dim = te_new_var(r->op, name, NULL, NULL, at);
    }
    tile_need(r, ":");
    s->loop.level = (int)tile_read_int(r, "a level", 0, INT32_MAX);
}

static Stmt *read_for(Reader *r, uint32_t from)
{
    Span at;
    const char *name = tile_read_name(r, "the loop's variable", &at);
    tile_need_word(r, "in");
    Expr *lo = need_index(r, tile_read_bound(r), "a loop's bounds are of type index");
    tile_need(r, "..");
    Expr *hi = need_index(r, tile_read_bound(r), "a loop's bounds are of type index");
    Stmt *s = tile_for(r->p, te_new_var(r->op, name, lo, hi, at), 1, LOOP_SERIAL, 0, (Block){0}, at);
    if (tile_take_word(r, "step")) s->loop.step = tile_read_int(r, "a step", 1, INT64_MAX);
    for (int k = 0; k < LOOP_COUNT; k++)
        if (*tile_loop_name[k] && tile_take_word(r, tile_loop_name[k])) {
            s->loop.kind = (LoopKind)k;
            break;
        }
    if (r->tok.kind == TOK_INT) s->loop.width = (int)tile_read_int(r, "a number of lanes or copies", 1, INT32_MAX);
    read_provenance(r, s);
    s->span = tile_since(r, from);
    s->loop.body = read_body(r, s->loop.var);
    return s;
}

static Stmt *read_if(Reader *r, uint32_t from)
{
    Expr *cond = tile_read_expr(r);
    if (cond->type != DT_U1) TILE_FAIL(r, D_A008_TYPE, cond->span, "a condition is of type u1");
    Span s = tile_since(r, from);
    Block then = read_block(r), els = {0};
    if (tile_take_word(r, "else")) els = read_block(r);
    return tile_if(r->p, cond, then, els, s);
}

static Stmt *read_alloc(Reader *r, uint32_t from)
{
    Span at;
    const char *name = tile_read_name(r, "the buffer's name", &at);
    tile_need(r, ":");
    DType type = tile_read_type(r);
    Expr **shape;
    int rank = read_shape(r, &shape);
    int scope = 0;
    while (scope <= SCOPE_FRAG && !tile_is_word(r, te_scope_name[scope])) scope++;
    if (scope > SCOPE_FRAG) tile_expected(r, "the buffer's scope: global, shared, local, reg or frag");
    tile_next(r);
    Tensor *b = tile_buffer(r->p, name, type, (Scope)scope, rank, shape, tile_since(r, from));
    tile_declare(r, name, (Name){.kind = NAME_TENSOR, .tensor = b}, at);
    return tile_alloc(r->p, b, tile_since(r, from));
}

static Stmt *read_let(Reader *r, uint32_t from)
{
    Span at;
    const char *name = tile_read_name(r, "the variable's name", &at);
    tile_need(r, "=");
    Expr *value = need_index(r, tile_read_expr(r), "a `let` is of type index");
    Var *v = te_new_var(r->op, name, NULL, NULL, at);
    tile_declare(r, name, (Name){.kind = NAME_VAR, .var = v}, at);
    return tile_let(r->p, v, value, tile_since(r, from));
}

static Tensor *read_tensor(Reader *r)
{
    Span at;
    const char *text = tile_read_name(r, "a statement or `}`", &at);
    const Name *n = tile_lookup(r, text);
    if (!n || n->kind != NAME_TENSOR) TILE_FAIL(r, D_A006_UNKNOWN, at, "buffer or parameter", text);
    return n->tensor;
}

static void need_rank(Reader *r, const Tensor *t, int n, uint32_t from)
{
    if (n != t->rank) TILE_FAIL(r, D_A009_RANK, tile_since(r, from), t->name, t->rank, n);
}

static Stmt *read_insert(Reader *r, uint32_t from)
{
    Expr *value = tile_read_expr(r);
    tile_need(r, ",");
    Expr *index = tile_read_expr(r);
    tile_need_word(r, "into");
    uint32_t at = r->tok.span.at;
    Tensor *vals = read_tensor(r);
    VEC(Expr *) ix = {0};
    tile_need(r, "[");
    while (!tile_is(r, "..")) {
        VEC_PUSH(r->mem, &ix, need_index(r, tile_read_expr(r), "an index is of type index"));
        tile_need(r, ",");
    }
    tile_need(r, "..");
    Expr *slots = need_index(r, tile_read_bound(r), "a number of places is of type index");
    tile_need(r, "]");
    need_rank(r, vals, ix.n + 1, at);
    tile_need(r, ",");
    at = r->tok.span.at;
    Tensor *where = read_tensor(r);
    need_rank(r, where, ix.n + 1, at);
    return tile_insert(r->p, vals, where, ix.at, slots, value, index, tile_since(r, from));
}

static RedOp read_reduction(Reader *r)
{
    for (int op = 0; op < RED_COUNT; op++)
        if (tile_is_word(r, te_red_name[op])) {
            tile_next(r);
            return (RedOp)op;
        }
    tile_expected(r, "`=` or a reduction");
}

/* A buffer or parameter and its indices. */
static Tensor *read_place(Reader *r, uint32_t from, Expr ***ix)
{
    Tensor *t = read_tensor(r);
    VEC(Expr *) at = {0};
    if (tile_take(r, "[")) {
        do VEC_PUSH(r->mem, &at, need_index(r, tile_read_expr(r), "an index is of type index"));
        while (tile_take(r, ","));
        tile_need(r, "]");
    }
    need_rank(r, t, at.n, from);
    *ix = at.at;
    return t;
}

static Stmt *read_prefetch(Reader *r, uint32_t from)
{
    Expr **ix;
    Tensor *t = read_place(r, r->tok.span.at, &ix);
    bool write = tile_take_word(r, "write");
    return tile_prefetch(r->p, t, ix, write, tile_since(r, from));
}

/* buf[ix] = value [stream]   or   buf[ix] op [fma]= value [where buf = index] */
static Stmt *read_assignment(Reader *r, uint32_t from)
{
    Expr **ix;
    Tensor *t = read_place(r, from, &ix);
    if (tile_take(r, "=")) {
        Expr *value = tile_read_expr(r);
        bool stream = tile_take_word(r, "stream");
        Stmt *s = tile_store(r->p, t, ix, value, tile_since(r, from));
        s->store.stream = stream;
        return s;
    }
    RedOp op = read_reduction(r);
    bool fma = tile_take_word(r, "fma");
    tile_need(r, "=");
    Expr *value = tile_read_expr(r), *index = NULL;
    Tensor *where = NULL;
    if (tile_take_word(r, "where")) {
        uint32_t at = r->tok.span.at;
        where = read_tensor(r);
        need_rank(r, where, t->rank, at);
        tile_need(r, "=");
        index = tile_read_expr(r);
    }
    return tile_update(r->p, t, ix, op, fma, value, where, index, tile_since(r, from));
}

static Stmt *read_statement(Reader *r)
{
    uint32_t from = r->tok.span.at;
    r->named.n = 0;
    for (int k = 0; k < ST_COUNT; k++) {
        if (!tile_take_word(r, tile_stmt_name[k])) continue;
        switch ((StmtKind)k) {
        case ST_FOR: return read_for(r, from);
        case ST_IF: return read_if(r, from);
        case ST_ALLOC: return read_alloc(r, from);
        case ST_INSERT: return read_insert(r, from);
        case ST_LET: return read_let(r, from);
        case ST_PREFETCH: return read_prefetch(r, from);
        default: break; /* the others have no word */
        }
    }
    return read_assignment(r, from);
}

static Block read_block(Reader *r)
{
    VEC(Stmt *) at = {0};
    int names = r->names.n;
    tile_need(r, "{");
    tile_nest(r);
    while (!tile_is(r, "}")) VEC_PUSH(r->mem, &at, read_statement(r));
    tile_need(r, "}");
    r->nest--;
    tile_forget(r, names);
    return (Block){at.n, at.at};
}

TileProg *tile_parse(Arena *mem, const Source *src, Diags *diags)
{
    Reader *r = NEW(mem, Reader);
    r->mem = mem;
    r->src = src;
    r->diags = diags;
    r->p = NEW(mem, TileProg);
    r->p->mem = mem;
    r->op = r->p->op = NEW(mem, TeOp);
    r->op->mem = mem;
    r->op->src = src;
    if (setjmp(r->failed)) return NULL;
    if (src->len > UINT32_MAX) TILE_FAIL(r, D_A011_INVALID, (Span){0}, "the text is longer than 4 GiB");

    tile_next(r);
    read_header(r);
    r->p->body = read_block(r);
    if (r->tok.kind != TOK_END) tile_expected(r, "the end of the text");

    Span at = r->op->span;
    const char *broken = tile_verify_at(mem, r->p, &at);
    if (broken) TILE_FAIL(r, D_A011_INVALID, at, broken);
    return r->p;
}
