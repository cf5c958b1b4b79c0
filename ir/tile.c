/* tile.c: building Tile IR. Statements are made once and never changed; a pass that rewrites makes new ones and may
 * share what it keeps. Relies on te.h for tensors. Leaves index lists copied into the program's arena, so that a caller
 * may pass arrays on its stack. */
#include "ir/tile_priv.h"

const char *const tile_loop_name[LOOP_COUNT] = {
#define LOOP(ID, name) [LOOP_##ID] = name,
#define STMT(ID, ...)
#include "ir/tile.def"
};

const char *const tile_stmt_name[ST_COUNT] = {
#define LOOP(ID, ...)
#define STMT(ID, name) [ST_##ID] = name,
#include "ir/tile.def"
};

static Stmt *make(TileProg *p, StmtKind kind, Span s)
{
    Stmt *st = NEW(p->mem, Stmt);
    st->kind = kind;
    st->span = s;
    return st;
}

static Expr **copy(TileProg *p, int n, Expr *const *ix)
{
    return n > 0 ? arena_dup(p->mem, ix, sizeof *ix * (size_t)n) : NULL;
}

Stmt *tile_for(TileProg *p, Var *v, int64_t step, LoopKind kind, int width, Block body, Span s)
{
    Stmt *st = make(p, ST_FOR, s);
    st->loop.var = v;
    st->loop.step = step;
    st->loop.kind = kind;
    st->loop.width = width;
    st->loop.body = body;
    return st;
}

Stmt *tile_if(TileProg *p, Expr *cond, Block then, Block els, Span s)
{
    Stmt *st = make(p, ST_IF, s);
    st->branch.cond = cond;
    st->branch.then = then;
    st->branch.els = els;
    return st;
}

Stmt *tile_alloc(TileProg *p, Tensor *buf, Span s)
{
    Stmt *st = make(p, ST_ALLOC, s);
    st->alloc.buf = buf;
    return st;
}

Stmt *tile_store(TileProg *p, Tensor *buf, Expr *const *ix, Expr *value, Span s)
{
    Stmt *st = make(p, ST_STORE, s);
    st->store.buf = buf;
    st->store.ix = copy(p, buf->rank, ix);
    st->store.value = value;
    return st;
}

Stmt *tile_update(TileProg *p, Tensor *buf, Expr *const *ix, RedOp op, bool fma, Expr *value, Tensor *where,
                  Expr *index, Span s)
{
    Stmt *st = make(p, ST_UPDATE, s);
    st->update.buf = buf;
    st->update.ix = copy(p, buf->rank, ix);
    st->update.op = op;
    st->update.fma = fma;
    st->update.value = value;
    st->update.where = where;
    st->update.index = index;
    return st;
}

Stmt *tile_insert(TileProg *p, Tensor *vals, Tensor *where, Expr *const *ix, Expr *slots, Expr *value, Expr *index,
                  Span s)
{
    Stmt *st = make(p, ST_INSERT, s);
    st->insert.vals = vals;
    st->insert.where = where;
    st->insert.ix = copy(p, vals->rank - 1, ix);
    st->insert.slots = slots;
    st->insert.value = value;
    st->insert.index = index;
    return st;
}

Stmt *tile_prefetch(TileProg *p, Tensor *buf, Expr *const *ix, bool write, Span s)
{
    Stmt *st = make(p, ST_PREFETCH, s);
    st->prefetch.buf = buf;
    st->prefetch.ix = copy(p, buf->rank, ix);
    st->prefetch.write = write;
    return st;
}

Stmt *tile_let(TileProg *p, Var *v, Expr *value, Span s)
{
    Stmt *st = make(p, ST_LET, s);
    st->let.var = v;
    st->let.value = value;
    return st;
}

Tensor *tile_buffer(TileProg *p, const char *name, DType t, Scope scope, int rank, Expr **shape, Span s)
{
    Tensor *b = te_new_tensor(p->op, name, t, TK_BUFFER, rank, shape, s);
    b->scope = scope;
    return b;
}
