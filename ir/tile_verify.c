/* tile_verify.c: the invariants of Tile IR, as rules. Each rule looks at one node or one statement and returns NULL or
 * what is broken; the walk gives it what is visible there. Needs nothing but well-formed pointers; leaves the program
 * alone.
 *
 * Loops whose iterations do not run one after another (VECTOR, PARALLEL) each have a bit while they are open. The mask
 * of an expression is the set of those by whose iterations its value may differ. */
#include "ir/tile_priv.h"

#include <string.h>

enum { MAX_LANES = 1024, LANES = 1 /* the bit of the open VECTOR loop; PARALLEL loops have the higher ones */ };

typedef struct Verifier {
    Arena *mem;
    const TileProg *p;
    const TeOp *op;
    const Stmt *s; /* the statement that is looked at; NULL in the header */
    Span at;
    const char *broken;
    TileNames names; /* visible */
    uint32_t open;   /* bits of the open loops */
    bool vector;     /* a VECTOR loop is open */
    bool *var_seen;  /* by Var.id: visible */
    uint32_t *var_mask;
    bool *buf_seen;              /* by Tensor.id: allocated and alive */
    uint32_t *buf_open;          /* the loops that were open where it was allocated: each iteration has its own */
    VEC(const Tensor *) reduced; /* in the open VECTOR loop, in one place for all lanes */
    int *read;                   /* by Tensor.id: the number of the last VECTOR loop in which it was read */
    int loops;                   /* VECTOR loops so far */
    int *checked;                /* by Expr.id: the statement in which it was last found right */
    uint32_t *mask;              /* and then its mask */
    int serial, depth;
} Verifier;

#define SAY(v, ...) arena_printf((v)->mem, __VA_ARGS__)

static const char *name_of(DType t) { return te_type[t].name; }

/* ---- rules of expressions ---------------------------------------------------------------------------------------- */
static const char *literal_fits(Verifier *v, const Expr *e)
{
    if (e->op == EX_FLOAT)
        return te_is_float((DType)e->type) ? NULL : SAY(v, "a float literal is %s", name_of(e->type));
    if (e->op != EX_INT) return NULL;
    if (te_is_float((DType)e->type)) return SAY(v, "an integer literal is %s", name_of(e->type));
    return e->i == num_wrap((DType)e->type, e->i) ? NULL : "an integer literal is not wrapped to its type";
}

static const char *name_is_visible(Verifier *v, const Expr *e)
{
    if (e->op == EX_VAR && (e->var->id < 0 || e->var->id >= v->op->nvars || !v->var_seen[e->var->id]))
        return SAY(v, "the variable `%s` is not visible", e->var->name);
    if (e->op == EX_DIM && (e->sym < 0 || e->sym >= v->op->ndims)) return "there is no such dim";
    if (e->op == EX_CONST && (e->sym < 0 || e->sym >= v->op->nconsts)) return "there is no such const";
    return NULL;
}

static const char *leaf_type(Verifier *v, const Expr *e)
{
    if ((e->op == EX_VAR || e->op == EX_DIM) && e->type != DT_INDEX) return "a variable or dim is not of type index";
    if (e->op == EX_CONST && e->type != v->op->cst[e->sym].type) return "a const has another type than its declaration";
    return NULL;
}

static const char *operation_type(Verifier *v, const Expr *e)
{
    DType arg[3] = {DT_NONE, DT_NONE, DT_NONE};
    const char *why = "";
    if (e->op == EX_REDUCE) return "a reduction was not lowered";
    if (te_expr[e->op].arity <= 0 || e->op == EX_CAST) return NULL;
    for (int i = 0; i < e->nargs && i < 3; i++) arg[i] = (DType)e->arg[i]->type;
    DType t = tile_result_type((ExprOp)e->op, e->nargs, arg, &why);
    if (t == DT_NONE) return SAY(v, "`%s`: %s", te_expr[e->op].text, why);
    return t == (DType)e->type ? NULL
                               : SAY(v, "`%s` gives %s, not %s", te_expr[e->op].text, name_of(t), name_of(e->type));
}

static const char *division_site(Verifier *v, const Expr *e)
{
    if (!tile_has_site(e) || e->site == -1) return NULL;
    if (e->site < 0 || e->site >= v->op->nsites || v->op->site[e->site].kind != SITE_DIV_ZERO)
        return SAY(v, "`%s` has a site that is none of a division", te_expr[e->op].text);
    return NULL;
}

static bool is_param(const TeOp *op, const Tensor *t) { return t->id < op->nparams && op->tensor[t->id] == t; }

static const char *tensor_is_visible(Verifier *v, const Tensor *t)
{
    if (t->id < 0 || t->id >= v->op->ntensors || v->op->tensor[t->id] != t)
        return SAY(v, "`%s` is not in the program's table", t->name);
    if (is_param(v->op, t)) return NULL;
    if (t->kind != TK_BUFFER) return SAY(v, "`%s` is neither a parameter nor a buffer", t->name);
    return v->buf_seen[t->id] ? NULL : SAY(v, "the buffer `%s` is not allocated here", t->name);
}

static const char *indices(Verifier *v, const Tensor *t, int n, Expr *const *ix)
{
    if (n != t->rank) return SAY(v, "`%s` has %d dimensions, but %d indices are given", t->name, t->rank, n);
    for (int i = 0; i < n; i++)
        if (ix[i]->type != DT_INDEX) return SAY(v, "index %d of `%s` is %s", i, t->name, name_of(ix[i]->type));
    return NULL;
}

static const char *access_is_right(Verifier *v, const Expr *e)
{
    if (e->op != EX_LOAD) return NULL;
    const Tensor *t = e->load.t;
    const char *bad = tensor_is_visible(v, t);
    if (!bad) bad = indices(v, t, e->nargs, e->arg);
    if (bad) return bad;
    if (t->type != (DType)e->type) return SAY(v, "the read of `%s` is %s", t->name, name_of(e->type));
    if (e->load.other && e->load.other->type != e->type)
        return SAY(v, "the value after `|` for `%s` is %s", t->name, name_of(e->load.other->type));
    return NULL;
}

static const char *access_is_proved(Verifier *v, const Expr *e)
{
    if (e->op != EX_LOAD) return NULL;
    const char *name = e->load.t->name;
    switch ((LoadMode)e->flag) {
    case LOAD_PROVED: return NULL;
    case LOAD_GUARDED: return e->load.other ? NULL : SAY(v, "the guarded read of `%s` has no value after `|`", name);
    case LOAD_GATHER:
        if (e->load.other) return SAY(v, "the gather from `%s` has a value after `|`", name);
        if (e->load.site < 0 || e->load.site >= v->op->nsites || v->op->site[e->load.site].kind != SITE_GATHER)
            return SAY(v, "the gather from `%s` has no site", name);
        return NULL;
    default: return SAY(v, "nobody proved that the read of `%s` is in bounds", name);
    }
}

static const char *(*const expr_rules[])(Verifier *, const Expr *) = {
    literal_fits, name_is_visible, leaf_type, operation_type, division_site, access_is_right, access_is_proved,
};

/* ---- the walk over expressions ----------------------------------------------------------------------------------- */
static void found(Verifier *v, const char *broken, Span at);

static uint32_t own_mask(Verifier *v, const Expr *e)
{
    if (e->op == EX_VAR) return v->var_mask[e->var->id];
    if (e->op != EX_LOAD) return 0;
    const Tensor *t = e->load.t;
    if (v->vector) v->read[t->id] = v->loops;
    return v->buf_open[t->id];
}

static void check(Verifier *v, const Expr *e)
{
    if (v->broken) return;
    if (e->id < 0 || e->id >= v->op->nexprs || e->op >= EX_COUNT || e->type >= DT_COUNT) {
        found(v, "an expression is none of this program's", e->span);
        return;
    }
    if (v->checked[e->id] == v->serial) return;
    if (++v->depth > TILE_MAX_DEPTH)
        found(v, SAY(v, "an expression is deeper than %d levels", TILE_MAX_DEPTH), e->span);
    for (size_t i = 0; !v->broken && i < sizeof expr_rules / sizeof *expr_rules; i++)
        found(v, expr_rules[i](v, e), e->span);
    uint32_t mask = v->broken ? 0 : own_mask(v, e);
    for (int i = 0; !v->broken && i < te_nchildren(e); i++) {
        const Expr *child = te_child(e, i);
        check(v, child);
        if (!v->broken) mask |= v->mask[child->id];
    }
    v->depth--;
    if (v->broken) return;
    v->checked[e->id] = v->serial;
    v->mask[e->id] = mask;
}

static void check_all(Verifier *v, int n, Expr *const *e)
{
    for (int i = 0; i < n && !v->broken; i++) check(v, e[i]);
}

static uint32_t mask_of(Verifier *v, int n, Expr *const *e)
{
    uint32_t mask = 0;
    for (int i = 0; i < n; i++) mask |= v->mask[e[i]->id];
    return mask;
}

/* ---- rules of statements ------------------------------------------------------------------------------------------
 */
static const char *loop_bounds(Verifier *v, const Stmt *s)
{
    if (s->kind != ST_FOR) return NULL;
    if (s->loop.var->lo->type != DT_INDEX || s->loop.var->hi->type != DT_INDEX) return "a bound is not of type index";
    if (s->loop.step < 1) return "the step is not at least 1";
    if (v->vector && (mask_of(v, 2, (Expr *[]){s->loop.var->lo, s->loop.var->hi}) & LANES))
        return "a bound differs by lane of the enclosing vector loop";
    return NULL;
}

static const char *loop_kind(Verifier *v, const Stmt *s)
{
    if (s->kind != ST_FOR) return NULL;
    int width = s->loop.width;
    switch (s->loop.kind) {
    case LOOP_VECTOR:
        if (v->vector) return "a vector loop stands in a vector loop";
        return width >= 1 && width <= MAX_LANES ? NULL : SAY(v, "%d lanes; 1 to %d are possible", width, MAX_LANES);
    case LOOP_PARALLEL:
        if (v->vector) return "a parallel loop stands in a vector loop";
        return width ? "a parallel loop has no width" : NULL;
    case LOOP_UNROLL:
        if (width < 0) return "a negative number of copies";
        return width || tile_trips_known(v->op, s->loop.var) ? NULL : "unrolled whole, but the trip count is not known";
    default: return width ? "a serial loop has no width" : NULL;
    }
}

static const char *condition(Verifier *v, const Stmt *s)
{
    if (s->kind != ST_IF || s->branch.cond->type == DT_U1) return NULL;
    return SAY(v, "the condition is %s, not u1", name_of(s->branch.cond->type));
}

/* Shapes and checks mention dims, consts and literals only. */
static const char *shape_is_static(Verifier *v, const Expr *e)
{
    if (e->op == EX_VAR || e->op == EX_LOAD)
        return "a shape or a check mentions something that is not known when a call begins";
    for (int i = 0; i < te_nchildren(e); i++) {
        const char *bad = shape_is_static(v, te_child(e, i));
        if (bad) return bad;
    }
    return NULL;
}

static const char *shape_is_right(Verifier *v, const Tensor *t)
{
    for (int i = 0; i < t->rank; i++) {
        const char *bad = shape_is_static(v, t->shape[i]);
        if (bad) return bad;
        if (t->shape[i]->type != DT_INDEX) return SAY(v, "size %d of `%s` is not of type index", i, t->name);
    }
    return NULL;
}

static const char *allocation(Verifier *v, const Stmt *s)
{
    if (s->kind != ST_ALLOC) return NULL;
    const Tensor *t = s->alloc.buf;
    if (t->id < 0 || t->id >= v->op->ntensors || v->op->tensor[t->id] != t) return "the buffer is not in the table";
    if (t->kind != TK_BUFFER) return "what is allocated is no buffer";
    if (v->buf_seen[t->id]) return "the buffer is already allocated here";
    return shape_is_right(v, t);
}

/* The tensors that s writes: at most two. */
static int targets(const Stmt *s, const Tensor *t[2])
{
    switch (s->kind) {
    case ST_STORE: t[0] = s->store.buf; return 1;
    case ST_UPDATE:
        t[0] = s->update.buf;
        t[1] = s->update.where;
        return s->update.where ? 2 : 1;
    case ST_INSERT:
        t[0] = s->insert.vals;
        t[1] = s->insert.where;
        return s->insert.where ? 2 : 1;
    default: return 0;
    }
}

static Expr *const *place(const Stmt *s)
{
    return s->kind == ST_STORE ? s->store.ix : s->kind == ST_UPDATE ? s->update.ix : s->insert.ix;
}

static const char *target_is_writable(Verifier *v, const Stmt *s)
{
    const Tensor *t[2];
    for (int i = 0, n = targets(s, t); i < n; i++) {
        const char *bad = tensor_is_visible(v, t[i]);
        if (!bad && t[i]->rank - (s->kind == ST_INSERT) < 0)
            bad = SAY(v, "`%s` has no dimension for places", t[i]->name);
        if (!bad && t[i]->rank != t[0]->rank) bad = SAY(v, "`%s` and `%s` differ in rank", t[0]->name, t[i]->name);
        if (!bad && s->kind != ST_INSERT) bad = indices(v, t[i], t[i]->rank, place(s));
        if (bad) return bad;
        if (t[i]->kind == TK_INPUT || t[i]->kind == TK_CONST_INPUT) return SAY(v, "`%s` is an input", t[i]->name);
    }
    return NULL;
}

static const char *value_type(Verifier *v, const Stmt *s)
{
    const Expr *e = s->kind == ST_STORE ? s->store.value : s->kind == ST_UPDATE ? s->update.value : s->insert.value;
    const Tensor *t[2];
    if (!targets(s, t) || (DType)e->type == t[0]->type) return NULL;
    return SAY(v, "the value is %s, `%s` is %s", name_of(e->type), t[0]->name, name_of(t[0]->type));
}

static const char *update_type(Verifier *v, const Stmt *s)
{
    (void)v;
    if (s->kind != ST_UPDATE) return NULL;
    bool truth = s->update.buf->type == DT_U1;
    switch (s->update.op) {
    case RED_TOPK: return "topk is written with insert";
    case RED_ANY:
    case RED_ALL: return truth ? NULL : "any and all are over u1";
    case RED_ARGMAX:
    case RED_ARGMIN: return NULL;
    default: return truth ? "this reduction is not over u1" : NULL;
    }
}

static const char *update_index(Verifier *v, const Stmt *s)
{
    if (s->kind != ST_UPDATE && s->kind != ST_INSERT) return NULL;
    bool arg = s->kind == ST_INSERT || s->update.op == RED_ARGMAX || s->update.op == RED_ARGMIN;
    const Tensor *where = s->kind == ST_INSERT ? s->insert.where : s->update.where;
    const Expr *index = s->kind == ST_INSERT ? s->insert.index : s->update.index;
    if (!arg) return where || index ? "only argmax and argmin keep an index" : NULL;
    if (!where || !index) return "there is no place for the index";
    if (where->type != DT_I32) return SAY(v, "`%s` holds indices, but is %s", where->name, name_of(where->type));
    if (where == (s->kind == ST_INSERT ? s->insert.vals : s->update.buf)) return "values and indices are in one buffer";
    return index->type == DT_INDEX || index->type == DT_I32 ? NULL : SAY(v, "the index is %s", name_of(index->type));
}

static const char *update_fma(Verifier *v, const Stmt *s)
{
    (void)v;
    if (s->kind != ST_UPDATE || !s->update.fma) return NULL;
    if (s->update.op != RED_SUM || !te_is_float(s->update.buf->type)) return "only a sum of floats takes an fma";
    return s->update.value->op == EX_MUL ? NULL : "the value of an fma is no multiplication";
}

static const char *insert_indices(Verifier *v, const Stmt *s)
{
    if (s->kind != ST_INSERT) return NULL;
    for (int i = 0; i < s->insert.vals->rank - 1; i++)
        if (s->insert.ix[i]->type != DT_INDEX) return SAY(v, "index %d is %s", i, name_of(s->insert.ix[i]->type));
    return s->insert.slots->type == DT_INDEX ? NULL : "the number of places is not of type index";
}

/* Iterations that run together write to different places, unless they reduce in lanes. */
static const char *writes_are_apart(Verifier *v, const Stmt *s)
{
    const Tensor *t[2];
    for (int i = 0, n = targets(s, t); i < n; i++) {
        uint32_t apart = v->open & ~v->buf_open[t[i]->id];
        uint32_t missing = apart & ~mask_of(v, t[i]->rank - (s->kind == ST_INSERT), place(s));
        if (s->kind == ST_UPDATE && (missing & LANES)) VEC_PUSH(v->mem, &v->reduced, t[i]);
        if (s->kind == ST_UPDATE) missing &= ~(uint32_t)LANES;
        if (missing)
            return SAY(v, "no index of `%s` differs by %s", t[i]->name,
                       missing & LANES ? "lane of the vector loop" : "iteration of a parallel loop");
    }
    return NULL;
}

static const char *prefetch_place(Verifier *v, const Stmt *s)
{
    if (s->kind != ST_PREFETCH) return NULL;
    const Tensor *t = s->prefetch.buf;
    const char *bad = tensor_is_visible(v, t);
    if (!bad) bad = indices(v, t, t->rank, s->prefetch.ix);
    for (int i = 0; !bad && i < t->rank; i++)
        if (te_has_load(s->prefetch.ix[i])) bad = "an index mentions data";
    return bad;
}

static const char *let_value(Verifier *v, const Stmt *s)
{
    (void)v;
    if (s->kind != ST_LET) return NULL;
    if (s->let.value->type != DT_INDEX) return "the value is not of type index";
    return te_has_load(s->let.value) ? "the value mentions data" : NULL;
}

static const char *(*const stmt_rules[])(Verifier *, const Stmt *) = {
    loop_bounds,  loop_kind,  condition,      allocation,       target_is_writable, value_type,     update_type,
    update_index, update_fma, insert_indices, writes_are_apart, let_value,          prefetch_place,
};

/* ---- the walk over statements --------------------------------------------------------------------------------------
 */
/* "for k", "acc sum=": which statement is meant. */
static const char *head(Verifier *v, const Stmt *s)
{
    switch (s->kind) {
    case ST_FOR: return SAY(v, "for %s", s->loop.var->name);
    case ST_IF: return "if";
    case ST_ALLOC: return SAY(v, "alloc %s", s->alloc.buf->name);
    case ST_STORE: return SAY(v, "%s =", s->store.buf->name);
    case ST_UPDATE: return SAY(v, "%s %s=", s->update.buf->name, te_red_name[s->update.op]);
    case ST_INSERT: return SAY(v, "insert into %s", s->insert.vals->name);
    case ST_PREFETCH: return SAY(v, "prefetch %s", s->prefetch.buf->name);
    case ST_LET: return SAY(v, "let %s", s->let.var->name);
    default: return "?";
    }
}

static void found(Verifier *v, const char *broken, Span at)
{
    if (!broken || v->broken) return;
    v->broken = v->s ? SAY(v, "%s: %s", head(v, v->s), broken) : broken;
    v->at = at.src ? at : v->s ? v->s->span : v->op->span;
}

static void introduce(Verifier *v, const char *name, Span at)
{
    if (!name) {
        found(v, "something has no name", at);
        return;
    }
    if (tile_name_find(&v->names, name) >= 0)
        found(v, SAY(v, "`%s` is already the name of something visible", name), at);
    tile_name_add(v->mem, &v->names, name);
}

static void introduce_var(Verifier *v, const Var *var, uint32_t mask)
{
    if (var->id < 0 || var->id >= v->op->nvars) {
        found(v, SAY(v, "the variable `%s` is none of this program's", var->name), var->span);
        return;
    }
    introduce(v, var->name, var->span);
    v->var_seen[var->id] = true;
    v->var_mask[var->id] = mask;
}

static void walk(Verifier *v, Block b);

static uint32_t new_bit(const Verifier *v)
{
    uint32_t bit = LANES << 1;
    while (v->open & bit) bit <<= 1; /* 31 parallel loops deep: the bit is 0, and what it would check is not */
    return bit;
}

static void reduced_is_not_read(Verifier *v, const Stmt *s)
{
    for (int i = 0; i < v->reduced.n; i++)
        if (v->read[v->reduced.at[i]->id] == v->loops)
            found(v, SAY(v, "`%s` is reduced over the lanes and read in the same loop", v->reduced.at[i]->name),
                  s->span);
    v->reduced.n = 0;
}

static void walk_loop(Verifier *v, const Stmt *s)
{
    uint32_t open = v->open, bit = 0;
    bool vector = v->vector;
    int names = v->names.n;
    if (s->loop.kind == LOOP_VECTOR) {
        bit = LANES;
        v->vector = true;
        v->loops++;
    } else if (s->loop.kind == LOOP_PARALLEL) {
        bit = new_bit(v);
    }
    v->open |= bit;
    introduce_var(v, s->loop.var, bit | mask_of(v, 2, (Expr *[]){s->loop.var->lo, s->loop.var->hi}));
    walk(v, s->loop.body);
    v->s = s;
    if (v->vector && !vector) reduced_is_not_read(v, s);
    if (!v->broken) v->var_seen[s->loop.var->id] = false;
    tile_name_cut(&v->names, names);
    v->open = open;
    v->vector = vector;
}

static void check_parts(Verifier *v, const Stmt *s)
{
    switch (s->kind) {
    case ST_FOR: check_all(v, 2, (Expr *[]){s->loop.var->lo, s->loop.var->hi}); break;
    case ST_IF: check(v, s->branch.cond); break;
    case ST_ALLOC: check_all(v, s->alloc.buf->rank, s->alloc.buf->shape); break;
    case ST_STORE:
        check_all(v, s->store.buf->rank, s->store.ix);
        check(v, s->store.value);
        break;
    case ST_UPDATE:
        check_all(v, s->update.buf->rank, s->update.ix);
        check(v, s->update.value);
        if (s->update.index) check(v, s->update.index);
        break;
    case ST_INSERT:
        check_all(v, s->insert.vals->rank - 1, s->insert.ix);
        check_all(v, 3, (Expr *[]){s->insert.slots, s->insert.value, s->insert.index});
        break;
    case ST_PREFETCH: check_all(v, s->prefetch.buf->rank, s->prefetch.ix); break;
    case ST_LET: check(v, s->let.value); break;
    default: found(v, "a statement of no kind", s->span);
    }
}

static void walk_statement(Verifier *v, const Stmt *s)
{
    v->s = s;
    v->serial++;
    check_parts(v, s);
    for (size_t i = 0; !v->broken && i < sizeof stmt_rules / sizeof *stmt_rules; i++)
        found(v, stmt_rules[i](v, s), s->span);
    if (v->broken) return;
    if (s->kind == ST_FOR) {
        walk_loop(v, s);
    } else if (s->kind == ST_IF) {
        walk(v, s->branch.then);
        walk(v, s->branch.els);
    } else if (s->kind == ST_ALLOC) {
        introduce(v, s->alloc.buf->name, s->span);
        v->buf_seen[s->alloc.buf->id] = true;
        v->buf_open[s->alloc.buf->id] = v->open;
    } else if (s->kind == ST_LET) {
        introduce_var(v, s->let.var, v->mask[s->let.value->id]);
    }
}

/* What a block introduces ends with it. */
static void walk(Verifier *v, Block b)
{
    int names = v->names.n, i;
    if (++v->depth > TILE_MAX_NEST) found(v, "blocks are nested too deep", (Span){0});
    for (i = 0; i < b.n && !v->broken; i++) walk_statement(v, b.at[i]);
    while (!v->broken && i-- > 0) {
        if (b.at[i]->kind == ST_ALLOC) v->buf_seen[b.at[i]->alloc.buf->id] = false;
        if (b.at[i]->kind == ST_LET) v->var_seen[b.at[i]->let.var->id] = false;
    }
    v->depth--;
    tile_name_cut(&v->names, names);
}

/* ---- the tables ------------------------------------------------------------------------------------------------- */
static void header(Verifier *v)
{
    const TeOp *op = v->op;
    v->serial++;
    for (int i = 0; i < op->ndims; i++) {
        introduce(v, op->dim[i].name, op->dim[i].span);
        if (op->dim[i].lo > op->dim[i].hi)
            found(v, SAY(v, "the range of `%s` is empty", op->dim[i].name), op->dim[i].span);
    }
    for (int i = 0; i < op->nconsts && !v->broken; i++) {
        const Const *c = &op->cst[i];
        introduce(v, c->name, c->span);
        if (!c->value || (c->value->op != EX_INT && c->value->op != EX_FLOAT) || (DType)c->value->type != c->type)
            found(v, SAY(v, "the const `%s` has no value of its type", c->name), c->span);
        else
            check(v, c->value);
    }
    for (int i = 0; i < op->nparams && !v->broken; i++) {
        const Tensor *t = op->tensor[i];
        introduce(v, t->name, t->span);
        if (t->id != i || (t->kind == TK_OUTPUT) != (i >= op->ninputs) || t->kind > TK_OUTPUT)
            found(v, SAY(v, "the parameter `%s` is out of order", t->name), t->span);
        check_all(v, t->rank, t->shape);
        if (!v->broken) found(v, shape_is_right(v, t), t->span);
    }
    for (int i = 0; i < op->nchecks && !v->broken; i++) {
        check(v, op->check[i].cond);
        if (!v->broken) found(v, shape_is_static(v, op->check[i].cond), op->check[i].span);
        if (!v->broken && op->check[i].cond->type != DT_U1) found(v, "a check is not u1", op->check[i].span);
    }
    if (v->p->num.ordered && v->p->num.p < 1) found(v, "`ordered` has no partials", op->span);
}

const char *tile_verify_at(Arena *mem, const TileProg *p, Span *at)
{
    const TeOp *op = p->op;
    Verifier v = {.mem = mem, .p = p, .op = op};
    v.var_seen = NEW_ARRAY(mem, bool, op->nvars + 1);
    v.var_mask = NEW_ARRAY(mem, uint32_t, op->nvars + 1);
    v.buf_seen = NEW_ARRAY(mem, bool, op->ntensors + 1);
    v.buf_open = NEW_ARRAY(mem, uint32_t, op->ntensors + 1);
    v.read = NEW_ARRAY(mem, int, op->ntensors + 1);
    v.checked = NEW_ARRAY(mem, int, op->nexprs + 1);
    v.mask = NEW_ARRAY(mem, uint32_t, op->nexprs + 1);
    header(&v);
    if (!v.broken) walk(&v, p->body);
    if (v.broken && at) *at = v.at;
    return v.broken;
}

const char *tile_verify(Arena *mem, const TileProg *p) { return tile_verify_at(mem, p, NULL); }
