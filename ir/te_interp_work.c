/* te_interp_work: how much work a program is, once sizes are known. docs/architecture.md gives the definition that
 * users see; in short, as the program is written:
 *
 *   each arithmetic operation, function or comparison on data counts 1 (fma 2); casts, choices, truth values and index
 *   arithmetic count nothing; each term of a reduction counts 1 for entering it, but in all, argmax, topk and the like
 *   the same; so a sum of products counts 2 a term. An argument used twice is computed once. What a condition excludes
 *   is not work; conditions on data count as met. A let counts once an element, and only where some reader needs it.
 *
 * A range or condition that depends on indices is counted point by point while that is cheap, else at evenly spaced
 * points. Ranges that come from data count their largest extent: that of the dimension which the variable indexes. */
#include "ir/te_interp_priv.h"

#include <math.h>
#include <string.h>

static const double points_at_most = 4e6;

typedef struct Cost {
    double flops, terms;
} Cost;

typedef struct Work {
    Arena *mem;
    const TeOp *op;
    const int64_t *dims;
    int64_t *var;   /* by Var.id: its value; */
    bool *set;      /* whether it has one */
    bool *steers;   /* by Var.id: some condition or range mentions it */
    uint64_t *seen; /* by Expr.id: the evaluation that counted it last */
    uint64_t now;
    uint8_t *walked; /* by Expr.id */
    uint8_t *steered;
    bool *fixed; /* by Expr.id: its cost does not depend on where it is evaluated */
    Cost *known; /* by Expr.id: that cost, where has */
    bool *has;
    double share; /* points of one loop that may be visited */
} Work;

/* ---- conditions and ranges ----------------------------------------------------------------------------------------
 */
/* The value of an expression over dims, consts and variables that have one; false: unknown, it mentions data. */
static bool value(Work *w, const Expr *e, int64_t *out)
{
    int64_t a[3] = {0, 0, 0};
    switch ((ExprOp)e->op) {
    case EX_VAR: *out = w->var[e->var->id]; return w->set[e->var->id];
    case EX_INT:
    case EX_DIM:
    case EX_CONST: return te_eval_size_at(w->op, e, w->dims, out);
    case EX_LOAD:
    case EX_REDUCE:
    case EX_FLOAT: return false;
    case EX_AND:
    case EX_OR: {
        bool stop = e->op == EX_OR, x = value(w, e->arg[0], &a[0]), y;
        if (x && (a[0] != 0) == stop) return *out = stop, true;
        y = value(w, e->arg[1], &a[1]);
        if (y && (a[1] != 0) == stop) return *out = stop, true;
        *out = !stop;
        return x && y;
    }
    case EX_SELECT:
    case EX_PICK: return value(w, e->arg[0], &a[0]) && value(w, e->arg[a[0] ? 1 : 2], out);
    default: break;
    }
    if (te_type[e->arg[0]->type].reg != RC_I64 || te_type[e->type].reg != RC_I64 || e->nargs > 3) return false;
    Num x[3] = {{0}, {0}, {0}};
    bool div0 = false;
    for (int i = 0; i < e->nargs; i++) {
        if (!value(w, e->arg[i], &a[i])) return false;
        x[i].i = a[i];
    }
    DType from = (DType)e->arg[0]->type;
    if (e->op == EX_CAST)
        *out = e->type == DT_INDEX ? a[0] : num_cast((DType)e->type, from, x[0]).i;
    else
        *out = num_op((ExprOp)e->op, from, x, &div0).i;
    return !div0;
}

static void steer(Work *w, const Expr *e)
{
    if (w->steered[e->id]) return;
    w->steered[e->id] = 1;
    if (e->op == EX_VAR) w->steers[e->var->id] = true;
    for (int i = 0; i < te_nchildren(e); i++) steer(w, te_child(e, i));
}

static bool known_size(const Work *w, const Expr *e)
{
    int64_t v;
    return te_eval_size_at(w->op, e, w->dims, &v);
}

/* Which variables decide what is evaluated, and which nodes cost the same wherever they are. */
static bool walk(Work *w, const Expr *e)
{
    if (w->walked[e->id]) return w->fixed[e->id];
    w->walked[e->id] = 1;
    bool fixed = true;
    if (e->op == EX_SELECT || e->op == EX_AND || e->op == EX_OR) {
        fixed = known_size(w, e->arg[0]);
        steer(w, e->arg[0]);
    }
    for (int i = 0; e->op == EX_REDUCE && i < e->red->nvars; i++) {
        const Var *x = e->red->var[i];
        fixed &= known_size(w, x->lo) && known_size(w, x->hi);
        steer(w, x->lo);
        steer(w, x->hi);
    }
    if (e->op == EX_REDUCE && e->red->cond) {
        fixed &= known_size(w, e->red->cond);
        steer(w, e->red->cond);
    }
    for (int i = 0; i < te_nchildren(e); i++) fixed &= walk(w, te_child(e, i));
    return w->fixed[e->id] = fixed;
}

/* ---- loops --------------------------------------------------------------------------------------------------------
 */
/* The smallest dimension that v alone indexes within e, for ranges that come from data. */
static int64_t indexed_by(Work *w, const Expr *e, const Var *v, uint64_t stamp)
{
    int64_t least = INT64_MAX, n;
    if (w->seen[e->id] == stamp) return least;
    w->seen[e->id] = stamp;
    for (int i = 0; e->op == EX_LOAD && i < e->nargs; i++)
        if (e->arg[i]->op == EX_VAR && e->arg[i]->var == v && te_eval_size_at(w->op, e->load.t->shape[i], w->dims, &n))
            least = n < least ? n : least;
    for (int i = 0; i < te_nchildren(e); i++) {
        n = indexed_by(w, te_child(e, i), v, stamp);
        least = n < least ? n : least;
    }
    return least;
}

static bool range(Work *w, const Expr *red, const Var *v, int64_t *lo, int64_t *hi)
{
    if (value(w, v->lo, lo) && value(w, v->hi, hi)) return true;
    if (!red) return false;
    int64_t most = indexed_by(w, red->red->body, v, ++w->now);
    *lo = 0;
    *hi = most == INT64_MAX ? 1 : most;
    return true;
}

static Cost plus(Cost a, Cost b, double times) { return (Cost){a.flops + times * b.flops, a.terms + times * b.terms}; }

/* One evaluation: of a reduction's term, or of a point of a definition. */
typedef Cost (*PointFn)(Work *w, const void *of);

/* The cost of all points of variables var[at..n). A loop over one that steers is walked, when it is long in steps:
 * evenly spaced points, each standing for its neighbours. */
static Cost loops(Work *w, int n, Var *const *var, int at, const Expr *red, PointFn point, const void *of)
{
    if (at == n) return point(w, of);
    Var *v = var[at];
    Cost total = {0, 0};
    int64_t lo, hi;
    if (!range(w, red, v, &lo, &hi) || hi <= lo) return total;
    double extent = (double)hi - (double)lo;
    if (!w->steers[v->id]) return plus(total, loops(w, n, var, at + 1, red, point, of), extent);
    int64_t step = extent <= w->share ? 1 : (int64_t)ceil(extent / w->share);
    bool had = w->set[v->id];
    int64_t was = w->var[v->id];
    w->set[v->id] = true;
    for (int64_t i = lo; i < hi; i += step) {
        int64_t here = hi - i < step ? hi - i : step;
        w->var[v->id] = i + here / 2;
        total = plus(total, loops(w, n, var, at + 1, red, point, of), (double)here);
        if (hi - i <= step) break;
    }
    w->set[v->id] = had;
    w->var[v->id] = was;
    return total;
}

/* ---- expressions --------------------------------------------------------------------------------------------------
 */
static Cost evaluation(Work *w, const Expr *e);

static Cost term(Work *w, const void *of)
{
    const Reduce *r = ((const Expr *)of)->red;
    Cost c = {0, 1};
    int64_t in;
    if (r->cond) c = plus(c, evaluation(w, r->cond), 1);
    if (r->cond && value(w, r->cond, &in) && !in) return (Cost){0, 1};
    c.flops += 1;
    return plus(c, evaluation(w, r->body), 1);
}

/* Operations on data; u1 and index arithmetic is not counted. */
static double own_cost(const Expr *e)
{
    if (te_expr[e->op].kind == XK_LEAF || te_expr[e->op].kind == XK_SPECIAL) return 0;
    if (e->op == EX_PICK || e->op == EX_AND || e->op == EX_OR || e->op == EX_NOT) return 0;
    DType t = (DType)e->arg[0]->type;
    return t == DT_INDEX || t == DT_U1 ? 0 : e->op == EX_FMA || e->op == EX_CLAMP ? 2 : 1;
}

static Cost nodes(Work *w, const Expr *e, uint64_t stamp)
{
    Cost c = {0, 0};
    if (w->seen[e->id] == stamp) return c;
    w->seen[e->id] = stamp;
    c.flops = own_cost(e);
    if (e->op == EX_REDUCE) return loops(w, e->red->nvars, e->red->var, 0, e, term, e);
    int64_t on;
    bool choice = e->op == EX_SELECT || e->op == EX_AND || e->op == EX_OR;
    if (!choice || !value(w, e->arg[0], &on)) {
        for (int i = 0; i < e->nargs; i++)
            if (!(e->op == EX_SELECT && i == 2)) c = plus(c, nodes(w, e->arg[i], stamp), 1);
        return c;
    }
    c = plus(c, nodes(w, e->arg[0], stamp), 1);
    if (e->op == EX_SELECT) return plus(c, nodes(w, e->arg[on ? 1 : 2], stamp), 1);
    return (on != 0) == (e->op == EX_OR) ? c : plus(c, nodes(w, e->arg[1], stamp), 1);
}

static Cost evaluation(Work *w, const Expr *e)
{
    if (w->has[e->id]) return w->known[e->id];
    Cost c = nodes(w, e, ++w->now);
    if (w->fixed[e->id]) {
        w->known[e->id] = c;
        w->has[e->id] = true;
    }
    return c;
}

/* ---- definitions --------------------------------------------------------------------------------------------------
 */
static Cost point(Work *w, const void *of)
{
    const Def *d = of;
    Cost c = evaluation(w, d->rhs);
    if (c.terms < 1) c.terms = 1;
    return c;
}

/* The points that walking every steering loop would visit. */
static void shares(Work *w, const Def *d)
{
    double points = 1, loops = 0;
    int64_t lo, hi;
    uint8_t *seen = NEW_ARRAY(w->mem, uint8_t, w->op->nexprs + 1);
    VEC(const Expr *) todo = {0};
    VEC(Var *) var = {0};
    for (int i = 0; i < d->nix; i++) VEC_PUSH(w->mem, &var, d->ix[i]);
    VEC_PUSH(w->mem, &todo, d->rhs);
    while (todo.n) {
        const Expr *e = todo.at[--todo.n];
        if (seen[e->id]) continue;
        seen[e->id] = 1;
        for (int i = 0; e->op == EX_REDUCE && i < e->red->nvars; i++) VEC_PUSH(w->mem, &var, e->red->var[i]);
        for (int i = 0; i < te_nchildren(e); i++) VEC_PUSH(w->mem, &todo, te_child(e, i));
    }
    for (int i = 0; i < var.n; i++) {
        if (!w->steers[var.at[i]->id]) continue;
        bool sized =
            te_eval_size_at(w->op, var.at[i]->lo, w->dims, &lo) && te_eval_size_at(w->op, var.at[i]->hi, w->dims, &hi);
        points *= sized ? fmax((double)hi - (double)lo, 1) : 1e3;
        loops++;
    }
    w->share = points <= points_at_most ? INFINITY : fmax(pow(points_at_most, 1 / loops), 4);
}

static Cost def_cost(Work *w, const Def *d)
{
    Var **var = NEW_ARRAY(w->mem, Var *, d->nix + 1);
    int n = 0;
    for (int i = 0; i < d->nix; i++)
        if (i != d->slot_at) var[n++] = d->ix[i];
    walk(w, d->rhs);
    shares(w, d);
    return loops(w, n, var, 0, NULL, point, d);
}

static double tensor_bytes(const Work *w, const Tensor *t)
{
    int64_t shape[256];
    if (t->rank > 256) return -1;
    for (int i = 0; i < t->rank; i++)
        if (!te_eval_size_at(w->op, t->shape[i], w->dims, &shape[i]) || shape[i] < 0) return -1;
    return (double)num_bytes(t->type, t->rank, shape);
}

/* only: the number of a definition, or -1: all that a result depends on. */
static TeWork work(const TeOp *op, const int64_t *dims, int only)
{
    TeWork out = {-1, -1, -1};
    jmp_buf full;
    Arena *mem = arena_new();
    if (!mem) return out;
    if (!setjmp(full)) {
        arena_catch(mem, &full);
        Work w = {.mem = mem, .op = op, .dims = dims};
        int e = op->nexprs + 1, v = op->nvars + 1;
        w.var = NEW_ARRAY(mem, int64_t, v);
        w.set = NEW_ARRAY(mem, bool, v);
        w.steers = NEW_ARRAY(mem, bool, v);
        w.seen = NEW_ARRAY(mem, uint64_t, e);
        w.walked = NEW_ARRAY(mem, uint8_t, e);
        w.steered = NEW_ARRAY(mem, uint8_t, e);
        w.fixed = NEW_ARRAY(mem, bool, e);
        w.known = NEW_ARRAY(mem, Cost, e);
        w.has = NEW_ARRAY(mem, bool, e);
        Cost total = {0, 0};
        double bytes = 0;
        const bool *live = te_live_defs(mem, op);
        for (int i = 0; i < op->ndefs; i++)
            if (only < 0 ? live[i] : i == only) total = plus(total, def_cost(&w, op->def[i]), 1);
        for (int i = 0; i < op->nparams; i++) {
            double n = tensor_bytes(&w, op->tensor[i]);
            bytes = n < 0 || bytes < 0 ? -1 : bytes + n * (op->tensor[i]->kind == TK_INOUT ? 2 : 1);
        }
        out = (TeWork){total.flops, bytes, total.terms};
    }
    arena_free(mem);
    return out;
}

TeWork te_work(const TeOp *op, const int64_t *dims) { return work(op, dims, -1); }

TeWork te_def_work(const TeOp *op, int def, const int64_t *dims) { return work(op, dims, def); }
