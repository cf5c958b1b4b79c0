/* te: the tables of TE IR made from the .def files, the builders of nodes, and the small questions that every pass asks
 * of an expression (children, substitution, the value of a size).
 *
 * Relies on num.h for the arithmetic of literals and sizes. Walks are recursive: sema bounds the depth of what it
 * builds and the number of nodes that a walk over the tree meets. */
#include "ir/num.h"
#include "ir/te.h"

#include <stdlib.h>
#include <string.h>

/* ---- tables ---------------------------------------------------------------------------------------------------- */
#define TYPE(ID, name, bits, cls, reg, npy, dlc, dlb, u) [DT_##ID] = {name, bits, #cls[0], reg, npy, dlc, dlb, u},
const TypeInfo te_type[DT_COUNT + 1] = {
#include "ir/dtypes.def"
    [DT_NONE] = {"?", 0, '?', RC_I64, "", 0, 0, 0},
};
#undef TYPE

#define EXPR(ID, text, arity, kind, prec) [EX_##ID] = {#ID, text, arity, XK_##kind, prec},
const ExprInfo te_expr[EX_COUNT] = {
#include "ir/ops.def"
};
#undef EXPR

const char *const te_red_name[RED_COUNT] = {
#define RED(ID, name, result) [RED_##ID] = name,
#include "ir/reds.def"
#undef RED
};

const char *const te_scope_name[] = {
    [SCOPE_GLOBAL] = "global", [SCOPE_SHARED] = "shared", [SCOPE_LOCAL] = "local",
    [SCOPE_REG] = "reg",       [SCOPE_FRAG] = "frag",
};

DType te_type_named(const char *name)
{
    for (int t = 0; t < DT_COUNT; t++)
        if (!strcmp(te_type[t].name, name)) return (DType)t;
    return DT_NONE;
}

/* ---- building -------------------------------------------------------------------------------------------------- */
static Expr *make(TeOp *op, ExprOp o, DType type, int nargs, Expr *const *arg, Span s)
{
    Expr *e = arena_alloc(op->mem, sizeof *e + sizeof(Expr *) * (size_t)nargs);
    e->op = (uint8_t)o;
    e->type = (uint8_t)type;
    e->nargs = (uint8_t)nargs;
    e->id = op->nexprs++;
    e->span = s;
    if (nargs) memcpy(e->arg, arg, sizeof(Expr *) * (size_t)nargs);
    return e;
}

Expr *te_int(TeOp *op, DType type, int64_t v, Span s)
{
    Expr *e = make(op, EX_INT, type, 0, NULL, s);
    e->i = type == DT_INDEX ? v : num_wrap(type, v);
    return e;
}

Expr *te_float(TeOp *op, DType type, double v, Span s)
{
    Expr *e = make(op, EX_FLOAT, type, 0, NULL, s);
    e->f = type == DT_F64 ? v : (double)num_round_d(type, v);
    return e;
}

Expr *te_var(TeOp *op, Var *v, Span s)
{
    Expr *e = make(op, EX_VAR, DT_INDEX, 0, NULL, s);
    e->var = v;
    return e;
}

Expr *te_dim(TeOp *op, int dim, Span s)
{
    Expr *e = make(op, EX_DIM, DT_INDEX, 0, NULL, s);
    e->sym = dim;
    return e;
}

Expr *te_const(TeOp *op, int cst, Span s)
{
    Expr *e = make(op, EX_CONST, op->cst[cst].type, 0, NULL, s);
    e->sym = cst;
    return e;
}

Expr *te_load(TeOp *op, Tensor *t, int rank, Expr *const *ix, Expr *other, Span s)
{
    Expr *e = make(op, EX_LOAD, t->type, rank, ix, s);
    e->flag = other ? LOAD_GUARDED : LOAD_UNCHECKED_YET;
    e->load.t = t;
    e->load.other = other;
    e->load.site = -1;
    return e;
}

Expr *te_node(TeOp *op, ExprOp o, DType type, int nargs, Expr *const *arg, Span s)
{
    Expr *e = make(op, o, type, nargs, arg, s);
    if (o == EX_DIV || o == EX_MOD) e->site = -1;
    return e;
}

Expr *te_cast(TeOp *op, DType to, Expr *e, Span s) { return make(op, EX_CAST, to, 1, &e, s); }

Expr *te_reduce(TeOp *op, Reduce *r, DType result, Span s)
{
    Expr *e = make(op, EX_REDUCE, result, 0, NULL, s);
    e->red = r;
    return e;
}

Var *te_new_var(TeOp *op, const char *name, Expr *lo, Expr *hi, Span s)
{
    Var *v = NEW(op->mem, Var);
    v->name = name;
    v->id = op->nvars++;
    v->lo = lo;
    v->hi = hi;
    v->span = s;
    return v;
}

/* How many places op->tensor has for n tensors: always more than n, so the capacity need not be kept. */
static int tensor_room(int n)
{
    int cap = 8;
    while (cap <= n) cap *= 2;
    return cap;
}

Tensor *te_new_tensor(TeOp *op, const char *name, DType type, TensorKind kind, int rank, Expr **shape, Span s)
{
    Tensor *t = NEW(op->mem, Tensor);
    t->name = name;
    t->type = type;
    t->kind = kind;
    t->rank = rank;
    t->shape = shape;
    t->span = s;
    t->id = op->ntensors;
    if (!op->tensor || tensor_room(op->ntensors) != tensor_room(op->ntensors + 1)) {
        Tensor **more = NEW_ARRAY(op->mem, Tensor *, tensor_room(op->ntensors + 1));
        if (op->ntensors) memcpy(more, op->tensor, sizeof *more * (size_t)op->ntensors);
        op->tensor = more;
    }
    op->tensor[op->ntensors++] = t;
    return t;
}

/* ---- children, questions --------------------------------------------------------------------------------------- */
int te_nchildren(const Expr *e)
{
    if (e->op == EX_LOAD) return e->nargs + (e->load.other != NULL);
    if (e->op == EX_REDUCE) return 2 * e->red->nvars + (e->red->cond != NULL) + 1;
    return e->nargs;
}

Expr *te_child(const Expr *e, int i)
{
    if (i < e->nargs) return e->arg[i];
    if (e->op == EX_LOAD) return e->load.other;
    const Reduce *r = e->red;
    if (i < 2 * r->nvars) return i % 2 ? r->var[i / 2]->hi : r->var[i / 2]->lo;
    return i == 2 * r->nvars && r->cond ? r->cond : r->body;
}

/* Is there a node of the op (with the variable, when that is given) in e? Small trees are walked as such; in large ones
 * every node is looked at once, since a DAG can be exponentially larger as a tree. */
typedef struct Search {
    ExprOp op;
    const Var *var;
    int budget;
    int cap, n; /* nodes seen: open addressing; cap is a power of two or 0 */
    const Expr **seen;
} Search;

static bool is_it(const Search *s, const Expr *e) { return e->op == s->op && (!s->var || e->var == s->var); }

static bool search_tree(Search *s, const Expr *e)
{
    if (is_it(s, e)) return true;
    if (--s->budget < 0) return false;
    for (int i = 0; i < te_nchildren(e); i++)
        if (search_tree(s, te_child(e, i))) return true;
    return false;
}

/* False: it was there. */
static bool search_add(Search *s, const Expr *e)
{
    if (2 * s->n >= s->cap) {
        Search more = {.cap = s->cap ? 2 * s->cap : 1024};
        more.seen = calloc((size_t)more.cap, sizeof *more.seen);
        if (!more.seen) return true; /* as a tree then: slower, not wrong */
        for (int i = 0; i < s->cap; i++)
            if (s->seen[i]) search_add(&more, s->seen[i]);
        free(s->seen);
        s->seen = more.seen;
        s->cap = more.cap;
    }
    uint32_t at = (uint32_t)e->id * 2654435761u & (uint32_t)(s->cap - 1);
    for (; s->seen[at]; at = (at + 1) & (uint32_t)(s->cap - 1))
        if (s->seen[at] == e) return false;
    s->seen[at] = e;
    s->n++;
    return true;
}

static bool search_dag(Search *s, const Expr *e)
{
    if (is_it(s, e)) return true;
    if (!search_add(s, e)) return false;
    for (int i = 0; i < te_nchildren(e); i++)
        if (search_dag(s, te_child(e, i))) return true;
    return false;
}

static bool mentions(const Expr *e, ExprOp op, const Var *v)
{
    Search s = {.op = op, .var = v, .budget = 200};
    if (search_tree(&s, e)) return true;
    if (s.budget >= 0) return false;
    bool found = search_dag(&s, e);
    free(s.seen);
    return found;
}

bool te_uses_var(const Expr *e, const Var *v) { return mentions(e, EX_VAR, v); }
bool te_has_load(const Expr *e) { return mentions(e, EX_LOAD, NULL); }
bool te_has_reduce(const Expr *e) { return mentions(e, EX_REDUCE, NULL); }

static void mark_read(const Expr *e, uint8_t *seen, bool *read)
{
    if (seen[e->id]) return;
    seen[e->id] = 1;
    if (e->op == EX_LOAD) read[e->load.t->id] = true;
    for (int i = 0; i < te_nchildren(e); i++) mark_read(te_child(e, i), seen, read);
}

bool *te_live_defs(Arena *mem, const TeOp *op)
{
    bool *live = NEW_ARRAY(mem, bool, op->ndefs + 1), *read = NEW_ARRAY(mem, bool, op->ntensors + 1);
    uint8_t *seen = NEW_ARRAY(mem, uint8_t, op->nexprs + 1);
    for (int i = op->ndefs - 1; i >= 0; i--) {
        const Def *d = op->def[i];
        for (int o = 0; o < d->nout; o++) live[i] |= d->out[o]->kind != TK_LET || read[d->out[o]->id];
        if (!live[i]) continue;
        mark_read(d->rhs, seen, read);
        for (int k = 0; k < d->nix; k++) { /* inferred ranges may mention data */
            if (d->ix[k]->lo) mark_read(d->ix[k]->lo, seen, read);
            if (d->ix[k]->hi) mark_read(d->ix[k]->hi, seen, read);
        }
    }
    return live;
}

/* ---- substitution ---------------------------------------------------------------------------------------------- */
typedef struct Subst {
    TeOp *op;
    VEC(Var *) from;
    VEC(Expr *) to;
    int cap, n; /* memo: open addressing by node; cap is a power of two */
    const Expr **key;
    Expr **val;
} Subst;

static int memo_slot(const Subst *s, const Expr *e)
{
    int i = (int)((uint32_t)e->id * 2654435761u & (uint32_t)(s->cap - 1));
    while (s->key[i] && s->key[i] != e) i = (i + 1) & (s->cap - 1);
    return i;
}

static void memo_add(Subst *s, const Expr *e, Expr *made)
{
    if (2 * (s->n + 1) > s->cap) {
        Subst old = *s;
        s->cap = old.cap ? 2 * old.cap : 64;
        s->key = NEW_ARRAY(s->op->mem, const Expr *, s->cap);
        s->val = NEW_ARRAY(s->op->mem, Expr *, s->cap);
        for (int i = 0; i < old.cap; i++) {
            if (!old.key[i]) continue;
            int at = memo_slot(s, old.key[i]);
            s->key[at] = old.key[i];
            s->val[at] = old.val[i];
        }
    }
    int at = memo_slot(s, e);
    s->key[at] = e;
    s->val[at] = made;
    s->n++;
}

static Expr *replaced(const Subst *s, const Var *v)
{
    for (int i = s->from.n - 1; i >= 0; i--)
        if (s->from.at[i] == v) return s->to.at[i];
    return NULL;
}

static Expr *subst(Subst *s, Expr *e);

/* A reduction that changes gets variables of its own, so that no variable is bound in two places. */
static Expr *subst_reduce(Subst *s, Expr *e)
{
    TeOp *op = s->op;
    Reduce *r = arena_dup(op->mem, e->red, sizeof *r);
    r->var = NEW_ARRAY(op->mem, Var *, r->nvars);
    for (int i = 0; i < r->nvars; i++) {
        Var *old = e->red->var[i];
        Expr *known = replaced(s, old); /* bound by another node that shares this variable */
        if (known && known->op == EX_VAR) {
            r->var[i] = known->var;
            continue;
        }
        r->var[i] = te_new_var(op, old->name, subst(s, old->lo), subst(s, old->hi), old->span);
        r->var[i]->written = old->written;
        VEC_PUSH(op->mem, &s->from, old);
        VEC_PUSH(op->mem, &s->to, te_var(op, r->var[i], old->span));
    }
    if (r->cond) r->cond = subst(s, r->cond);
    r->body = subst(s, r->body);
    return te_reduce(op, r, (DType)e->type, e->span);
}

static bool touches(const Subst *s, const Expr *e)
{
    if (e->op == EX_VAR) return replaced(s, e->var) != NULL;
    for (int i = 0; i < te_nchildren(e); i++)
        if (touches(s, te_child(e, i))) return true;
    return false;
}

static Expr *subst(Subst *s, Expr *e)
{
    if (e->op == EX_VAR) {
        Expr *to = replaced(s, e->var);
        return to ? to : e;
    }
    if (e->op == EX_REDUCE ? false : te_nchildren(e) == 0) return e;
    if (s->cap) {
        int at = memo_slot(s, e);
        if (s->key[at]) return s->val[at];
    }
    Expr *made = e;
    if (e->op == EX_REDUCE) {
        if (touches(s, e)) made = subst_reduce(s, e);
    } else {
        Expr *arg[256]; /* nargs is a byte */
        bool changed = false;
        for (int i = 0; i < e->nargs; i++) changed |= (arg[i] = subst(s, e->arg[i])) != e->arg[i];
        Expr *other = e->op == EX_LOAD && e->load.other ? subst(s, e->load.other) : NULL;
        changed |= e->op == EX_LOAD && other != e->load.other;
        if (changed) {
            made = make(s->op, (ExprOp)e->op, (DType)e->type, e->nargs, arg, e->span);
            made->flag = e->flag;
            if (e->op == EX_LOAD) {
                made->load.t = e->load.t;
                made->load.other = other;
                made->load.site = e->load.site;
            } else {
                made->site = e->site;
            }
        }
    }
    memo_add(s, e, made);
    return made;
}

Expr *te_substitute(TeOp *op, Expr *e, int n, Var *const *var, Expr *const *to)
{
    Subst s = {.op = op};
    for (int i = 0; i < n; i++) {
        VEC_PUSH(op->mem, &s.from, var[i]);
        VEC_PUSH(op->mem, &s.to, to[i]);
    }
    return subst(&s, e);
}
