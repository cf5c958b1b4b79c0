/* te_verify: what holds of every TE op, as rules. The first one that does not hold is the answer: an internal error.
 *
 * Needs nothing; changes nothing. Run after sema and after every pass in debug builds. */
#include "ir/te.h"

typedef struct Verify {
    Arena *mem;
    const TeOp *op;
    const char *broken;
    int *seen;         /* by Expr.id: the turn in which it was found well formed */
    int turn;          /* 1, and one more for each definition */
    uint8_t *bound;    /* by Var.id: in scope */
    uint8_t *readable; /* by Tensor.id */
    const Def *def;
} Verify;

static bool rule(Verify *v, bool holds, const char *what)
{
    if (!holds && !v->broken)
        v->broken = v->def ? arena_printf(v->mem, "in the definition of `%s`: %s", v->def->name, what) : what;
    return holds;
}

#define RULE(holds, what)                                                                                              \
    do {                                                                                                               \
        if (!rule(v, (holds), (what))) return;                                                                         \
    } while (0)

static void expr(Verify *v, const Expr *e);

static bool u1(const Expr *e) { return e->type == DT_U1; }

static void range(Verify *v, const Var *x)
{
    RULE(x && x->name && x->lo && x->hi, "a variable has a name and a range");
    RULE(x->id >= 0 && x->id < v->op->nvars, "a variable's number is below nvars");
    expr(v, x->lo);
    expr(v, x->hi);
    RULE(!v->broken, "");
    RULE(x->lo->type == DT_INDEX && x->hi->type == DT_INDEX, "the ends of a range are indices");
}

static void bind(Verify *v, const Var *x)
{
    range(v, x);
    if (v->broken) return;
    RULE(!v->bound[x->id], "a variable is bound once on each path");
    v->bound[x->id] = 1;
}

static void reduce(Verify *v, const Expr *e)
{
    const Reduce *r = e->red;
    RULE(r && r->op < RED_COUNT && r->nvars >= 1, "a reduction has variables");
    for (int i = 0; i < r->nvars && !v->broken; i++) bind(v, r->var[i]);
    if (v->broken) return;
    if (r->cond) expr(v, r->cond);
    expr(v, r->body);
    if (v->broken) return;
    for (int i = 0; i < r->nvars; i++) v->bound[r->var[i]->id] = 0;
    RULE(!r->cond || u1(r->cond), "a reduction's condition is u1");
    RULE(!r->fma || r->op == RED_SUM, "only sums enter by fma");
    bool arg = r->op == RED_ARGMAX || r->op == RED_ARGMIN, logic = r->op == RED_ANY || r->op == RED_ALL;
    RULE(logic == u1(r->body), "any and all, and only they, reduce u1");
    RULE(e->type == (arg ? DT_I32 : r->body->type), "a reduction has the type of its body, or i32");
    RULE(!(arg || r->op == RED_TOPK) || r->nvars == 1, "argmax, argmin and topk have one variable");
    RULE((r->op == RED_TOPK) == (r->slot != NULL), "topk, and only it, has a slot");
    RULE(r->op != RED_TOPK || (v->def && v->def->rhs == e && v->def->nout == 2), "topk is a whole right side");
}

static void load(Verify *v, const Expr *e)
{
    const Tensor *t = e->load.t;
    RULE(t && t->id >= 0 && t->id < v->op->ntensors && v->op->tensor[t->id] == t, "a tensor is one of the op's");
    RULE(e->nargs == t->rank, "an access has an index for each dimension");
    RULE(e->type == t->type, "an access has its tensor's type");
    RULE(!e->load.other || e->load.other->type == t->type, "the value out of bounds has the tensor's type");
    RULE((e->flag == LOAD_GUARDED) == (e->load.other != NULL),
         "guarded accesses, and only they, have a value out of bounds");
    for (int i = 0; i < e->nargs; i++) RULE(e->arg[i]->type == DT_INDEX, "an access is indexed by indices");
    RULE(v->readable[t->id] || (v->def && v->def->seq && v->def->out[0] == t), "a tensor is defined before it is read");
}

static bool same_types(const Expr *e, int from)
{
    for (int i = from + 1; i < e->nargs; i++)
        if (e->arg[i]->type != e->arg[from]->type) return false;
    return true;
}

static void node(Verify *v, const Expr *e)
{
    const ExprInfo *x = &te_expr[e->op];
    RULE(x->arity < 0 || e->nargs == x->arity, "an operation has its number of operands");
    if (e->op == EX_SELECT || e->op == EX_PICK) {
        RULE(u1(e->arg[0]), "a choice is made by u1");
        RULE(same_types(e, 1) && e->type == e->arg[1]->type, "both sides of a choice have its type");
    } else if (e->op == EX_OR || e->op == EX_AND || e->op == EX_NOT) {
        RULE(u1(e) && u1(e->arg[0]) && same_types(e, 0), "logic is on u1");
    } else if (e->op >= EX_EQ && e->op <= EX_GE) {
        RULE(u1(e) && same_types(e, 0), "a comparison is of one type and gives u1");
    } else if (e->op == EX_POWI) {
        RULE(te_is_float((DType)e->type) && e->type == e->arg[0]->type, "a power has its base's type");
        RULE(te_is_int((DType)e->arg[1]->type), "the exponent is an integer");
    } else if (e->op != EX_CAST && e->nargs > 0) {
        RULE(same_types(e, 0) && e->type == e->arg[0]->type, "operands and result have one type");
        RULE(!u1(e), "there is no arithmetic on u1");
    } else if (e->op == EX_CAST) {
        RULE(e->type != DT_INDEX || te_is_int((DType)e->arg[0]->type), "only integers become an index");
    }
}

static void leaf(Verify *v, const Expr *e)
{
    if (e->op == EX_INT) RULE(!te_is_float((DType)e->type), "an INT is no float");
    if (e->op == EX_FLOAT) RULE(te_is_float((DType)e->type), "a FLOAT is a float");
    if (e->op == EX_DIM) RULE(e->sym >= 0 && e->sym < v->op->ndims && e->type == DT_INDEX, "a dim is one of the op's");
    if (e->op == EX_CONST)
        RULE(e->sym >= 0 && e->sym < v->op->nconsts && e->type == v->op->cst[e->sym].type,
             "a const is one of the op's");
    if (e->op == EX_VAR) {
        RULE(e->type == DT_INDEX && e->var->id >= 0 && e->var->id < v->op->nvars, "a variable is an index");
        RULE(v->bound[e->var->id], "a variable is used where it is bound");
    }
}

static void expr(Verify *v, const Expr *e)
{
    RULE(!v->broken, "");
    RULE(e != NULL, "an operand is there");
    RULE(e->op < EX_COUNT && e->type < DT_COUNT, "operation and type are known");
    RULE(e->id >= 0 && e->id < v->op->nexprs, "a node's number is below nexprs");
    bool closed = !te_expr[e->op].arity && e->op != EX_REDUCE;
    if (!closed && v->seen[e->id] == v->turn)
        return; /* within one definition a shared node is well formed wherever it stands */
    v->seen[e->id] = v->turn;
    if (closed) {
        leaf(v, e);
        return;
    }
    if (e->op == EX_REDUCE) {
        reduce(v, e);
        return;
    }
    for (int i = 0; i < te_nchildren(e) && !v->broken; i++) expr(v, te_child(e, i));
    if (v->broken) return;
    if (e->op == EX_LOAD)
        load(v, e);
    else
        node(v, e);
}

static void tensors(Verify *v)
{
    const TeOp *op = v->op;
    RULE(op->ninputs >= 0 && op->ninputs <= op->nparams && op->nparams <= op->ntensors, "parameters are tensors");
    for (int i = 0; i < op->ntensors; i++) {
        const Tensor *t = op->tensor[i];
        RULE(t && t->id == i, "tensor[i] has the number i");
        RULE(t->type < DT_COUNT && t->type != DT_INDEX, "a tensor holds data");
        RULE((i >= op->nparams) == (t->kind == TK_LET), "lets, and only they, come after the parameters");
        RULE(i >= op->nparams || (i >= op->ninputs) == (t->kind == TK_OUTPUT), "outputs come after the inputs");
        RULE(!t->scalar || t->rank == 0, "a scalar has no dimensions");
        for (int k = 0; k < t->rank && !v->broken; k++) {
            expr(v, t->shape[k]);
            RULE(v->broken || t->shape[k]->type == DT_INDEX, "an extent is an index");
        }
        v->readable[i] = i < op->ninputs;
    }
}

static void definition(Verify *v, const Def *d, int at)
{
    v->def = d;
    v->turn++;
    RULE(d->id == at && d->name && (d->nout == 1 || d->nout == 2),
         "a definition has its number and one or two results");
    for (int i = 0; i < d->nix && !v->broken; i++) bind(v, d->ix[i]);
    if (v->broken) return;
    for (int k = 0; k < d->nout; k++) {
        const Tensor *t = d->out[k];
        RULE(t->rank == d->nix, "a definition has an index for each dimension");
        RULE(t->kind == TK_INOUT || (t->kind == TK_OUTPUT && !d->let) || (t->kind == TK_LET && d->let),
             "results, inouts and lets are defined");
        RULE(t->kind == TK_INOUT || !v->readable[t->id], "a result or let is defined once");
    }
    bool ours = !d->seq;
    for (int i = 0; i < d->nix; i++) ours |= d->ix[i] == d->seq;
    RULE(ours, "seq is along one of the left side's indices");
    RULE((d->nout == 2) == (d->rhs->op == EX_REDUCE && d->rhs->red->op == RED_TOPK), "two results come from topk");
    RULE(d->nout == 1 || (d->slot_at >= 0 && d->slot_at < d->nix && d->rhs->red->slot == d->ix[d->slot_at]),
         "topk's slot is on the left");
    expr(v, d->rhs);
    if (v->broken) return;
    RULE(d->rhs->type == d->out[0]->type, "a definition has its result's type");
    RULE(d->nout == 1 || d->out[1]->type == DT_I32, "topk's indices are i32");
    for (int i = 0; i < d->nix; i++) v->bound[d->ix[i]->id] = 0;
    for (int k = 0; k < d->nout; k++) v->readable[d->out[k]->id] = 1;
}

const char *te_verify(Arena *mem, const TeOp *op)
{
    Verify s = {.mem = mem, .op = op}, *v = &s;
    v->turn = 1;
    v->seen = NEW_ARRAY(mem, int, op->nexprs + 1);
    v->bound = NEW_ARRAY(mem, uint8_t, op->nvars + 1);
    v->readable = NEW_ARRAY(mem, uint8_t, op->ntensors + 1);
    for (int i = 0; i < op->nconsts && !v->broken; i++) {
        const Const *c = &op->cst[i];
        rule(v, c->value && c->value->type == c->type && te_expr[c->value->op].kind == XK_LEAF,
             "a const has a value of its type");
    }
    if (!v->broken) tensors(v);
    for (int i = 0; i < op->nchecks && !v->broken; i++) {
        expr(v, op->check[i].cond);
        if (!v->broken) rule(v, u1(op->check[i].cond), "a condition is u1");
    }
    for (int i = 0; i < op->ndefs && !v->broken; i++) definition(v, op->def[i], i);
    v->def = NULL;
    for (int i = op->ninputs; i < op->nparams && !v->broken; i++) rule(v, v->readable[i], "every result is defined");
    return v->broken;
}
