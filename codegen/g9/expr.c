/* expr: scalar expressions. Each node is made once per place (g->memo). What a condition excludes is not evaluated: an
 * arm that accesses memory or checks something is branched around, any other is computed and selected. */
#include "codegen/g9/g9.h"

/* ---- what an arm holds */
static bool heavy(const Expr *e, int *budget)
{
    if (--*budget < 0) return true;
    switch ((ExprOp)e->op) {
    case EX_LOAD: return true;
    case EX_DIV:
    case EX_MOD:
        if (!te_is_float(e->type)) return e->site >= 0 || !(e->arg[1]->op == EX_INT || e->arg[1]->op == EX_DIM);
        break;
    default:
        if (num_math(e->op, DT_F32)) return true;
    }
    for (int i = 0; i < te_nchildren(e); i++)
        if (heavy(te_child(e, i), budget)) return true;
    return false;
}

bool g_is_heavy(const Expr *e)
{
    int budget = 16;
    return heavy(e, &budget);
}

/* ---- faults: the first of the launch is kept: its site + 1, and the index */
void g_fault(G9 *g, Val bad, int site, Val index)
{
    If f;
    bool never = bad.r == M_NONE && bad.neg;
    if (never) return;
    index = g_reg(g, g_wide(g, index));
    g_if(g, &f, bad);
    Val at = g_reg(g, g_param(g->fault_at, 2)), old = g_new(g, 1);
    g_act(g, OP(G9_CASG, IT_B32), (Val){0}, old, 3, (Val[]){at, g_bits(0), g_bits((uint32_t)site + 1)});
    Val first = g_gen2(g, OP(G9_ISETP, 0, IT_U32), old, g_imm(0));
    at.bits = 8;
    g_act(g, OP(G9_STG, IT_B64), first, (Val){0}, 2, (Val[]){at, index});
    g_endif(g, &f);
}

/* ---- conditions */
/* Into `to`, or a fresh place for values of its kind. */
static Val keep(G9 *g, Val to, Val v)
{
    if (to.kind == V_NONE) { to = v.kind == V_PRED ? g_new_pred(g) : g_new(g, v.width); }
    g_set(g, to, v);
    return to;
}

static int held_width(const Expr *e) { return e->type == DT_INDEX ? 2 : g_width(e->type); }

static Val arm(G9 *g, const Expr *e)
{
    Val v = g_expr(g, e);
    if (e->type == DT_INDEX) return g_wide(g, v);
    if (v.kind == V_IMM) v.width = (uint8_t)held_width(e);
    return v;
}

/* c ? a : b by a branch; a NULL arm is the constant k. */
static Val branch(G9 *g, Val c, const Expr *a, const Expr *b, bool k)
{
    If f;
    const Expr *any = a ? a : b;
    Val to = held_width(any) ? g_new(g, held_width(any)) : g_new_pred(g);
    g_if(g, &f, c);
    keep(g, to, a ? arm(g, a) : g_true(k));
    g_else(g, &f);
    keep(g, to, b ? arm(g, b) : g_true(k));
    g_endif(g, &f);
    return any->type == DT_INDEX ? g_ranged(to, INT64_MIN, INT64_MAX) : to;
}

static bool constant(Val c) { return c.kind == V_PRED && c.r == M_NONE; }

static Val choose(G9 *g, const Expr *e)
{
    Val c = g_expr(g, e->arg[0]);
    if (constant(c)) return g_expr(g, e->arg[c.neg ? 2 : 1]);
    if (g_is_heavy(e->arg[1]) || g_is_heavy(e->arg[2])) return branch(g, c, e->arg[1], e->arg[2], false);
    Val a = g_expr(g, e->arg[1]), b = g_expr(g, e->arg[2]);
    return g_select(g, c, a, b);
}

static Val and_or(G9 *g, const Expr *e)
{
    bool and = e->op == EX_AND;
    Val a = g_expr(g, e->arg[0]);
    if (constant(a)) return !a.neg == and? g_expr(g, e->arg[1]) : a;
    if (g_is_heavy(e->arg[1])) return and? branch(g, a, e->arg[1], NULL, false) : branch(g, a, NULL, e->arg[1], true);
    Val b = g_expr(g, e->arg[1]);
    return and? g_and(g, a, b) : g_or(g, a, b);
}

/* ---- loads */
static Val in_bounds(G9 *g, Val ix, Val extent)
{
    Val low = g_ix_compare(g, EX_LE, g_imm(0), ix);
    return g_and(g, low, g_ix_compare(g, EX_LT, ix, extent));
}

static Val load_guarded(G9 *g, const Expr *e)
{
    const Tensor *t = e->load.t;
    Val ok = g_true(true);
    for (int i = 0; i < t->rank; i++) ok = g_and(g, ok, in_bounds(g, g_expr(g, e->arg[i]), g_place(g, t)->extent[i]));
    if (constant(ok) && ok.neg) return g_expr(g, e->load.other);
    Access a = g_access(g, t, e->arg, t->rank, NULL);
    if (constant(ok)) return g_load(g, &a, (Val){0});
    if (!g_is_heavy(e->load.other)) {
        Val x = g_load(g, &a, ok), other = arm(g, e->load.other);
        return g_select(g, ok, x, other);
    }
    If f;
    Val to = held_width(e) ? g_new(g, held_width(e)) : g_new_pred(g);
    g_if(g, &f, ok);
    keep(g, to, g_load(g, &a, (Val){0}));
    g_else(g, &f);
    keep(g, to, arm(g, e->load.other));
    g_endif(g, &f);
    return to;
}

static Val load_gather(G9 *g, const Expr *e)
{
    const Tensor *t = e->load.t;
    Val ok = g_true(true);
    for (int i = 0; i < t->rank; i++) {
        Val ix = g_expr(g, e->arg[i]), in = in_bounds(g, ix, g_place(g, t)->extent[i]);
        g_fault(g, g_not(in), e->load.site, ix);
        ok = g_and(g, ok, in);
    }
    Access a = g_access(g, t, e->arg, t->rank, NULL);
    return g_load(g, &a, ok);
}

static Val load(G9 *g, const Expr *e)
{
    if (e->flag == LOAD_GUARDED && e->load.other) return load_guarded(g, e);
    if (e->flag == LOAD_GATHER) return load_gather(g, e);
    Access a = g_access(g, e->load.t, e->arg, e->load.t->rank, NULL);
    return g_load(g, &a, (Val){0});
}

/* ---- the rest */
static Val divide(G9 *g, const Expr *e)
{
    DType t = e->type;
    Val a = g_expr(g, e->arg[0]), b = g_expr(g, e->arg[1]);
    if (e->site >= 0) {
        Val zero = t == DT_INDEX ? g_ix_compare(g, EX_EQ, b, g_imm(0))
                                 : g_op(g, EX_EQ, t, (Val[]){b, g_num(g, t, (Num){.i = 0})});
        g_fault(g, zero, e->site, g_imm(0));
    }
    if (t == DT_INDEX) return g_ix_op(g, (ExprOp)e->op, a, b);
    return g_op(g, (ExprOp)e->op, t, (Val[]){a, b});
}

static Val powi(G9 *g, const Expr *e)
{
    DType from = e->arg[1]->type;
    Val x = g_expr(g, e->arg[0]), n = g_expr(g, e->arg[1]);
    n = from == DT_INDEX ? g_wide(g, n) : g_cast(g, DT_I64, from, n);
    if (n.kind == V_IMM) n.width = 2;
    return g_op(g, EX_POWI, e->type, (Val[]){x, n});
}

static Val on_indices(G9 *g, const Expr *e, const Val *a)
{
    if (e->op >= EX_EQ && e->op <= EX_GE) return g_ix_compare(g, (ExprOp)e->op, a[0], a[1]);
    switch ((ExprOp)e->op) {
    case EX_NEG: return g_ix_neg(g, a[0]);
    case EX_ABS: return g_ix_op(g, EX_MAX, a[0], g_ix_neg(g, a[0]));
    case EX_CLAMP: return g_ix_op(g, EX_MIN, g_ix_op(g, EX_MAX, a[0], a[1]), a[2]);
    case EX_FMA: return g_ix_op(g, EX_ADD, g_ix_op(g, EX_MUL, a[0], a[1]), a[2]);
    case EX_FLOOR:
    case EX_CEIL:
    case EX_ROUND:
    case EX_TRUNC: return a[0];
    default: return g_ix_op(g, (ExprOp)e->op, a[0], a[1]);
    }
}

static Val operation(G9 *g, const Expr *e)
{
    Val a[3] = {0};
    DType t = e->nargs ? (DType)e->arg[e->op == EX_PICK ? 1 : 0]->type : (DType)e->type;
    for (int i = 0; i < e->nargs; i++) a[i] = g_expr(g, e->arg[i]);
    if (e->op == EX_PICK) return g_select(g, a[0], a[1], a[2]);
    return t == DT_INDEX ? on_indices(g, e, a) : g_op(g, (ExprOp)e->op, t, a);
}

static Val dim(G9 *g, int sym)
{
    const Dim *d = &g->op->dim[sym];
    if (d->value >= 0) return g_imm(d->value);
    return g_ranged(g_param(g->dim_at[sym], d->hi <= INT32_MAX ? 1 : 2), d->lo, d->hi);
}

static Val make(G9 *g, const Expr *e)
{
    switch ((ExprOp)e->op) {
    case EX_INT: return g_num(g, e->type, (Num){.i = e->i});
    case EX_FLOAT:
        return g_num(g, e->type, te_type[e->type].reg == RC_F64 ? (Num){.d = e->f} : (Num){.f = (float)e->f});
    case EX_CONST: return make(g, g->op->cst[e->sym].value);
    case EX_DIM: return dim(g, e->sym);
    case EX_VAR:
        if (g->var[e->var->id].kind == V_NONE) g_fail(g, "variable %s is used outside of its loop", e->var->name);
        return g->var[e->var->id];
    case EX_LOAD: return load(g, e);
    case EX_SELECT: return choose(g, e);
    case EX_AND:
    case EX_OR: return and_or(g, e);
    case EX_CAST: return g_cast(g, e->type, e->arg[0]->type, g_expr(g, e->arg[0]));
    case EX_DIV:
    case EX_MOD:
        if (!te_is_float(e->type)) return divide(g, e);
        break;
    case EX_POWI: return powi(g, e);
    case EX_REDUCE: g_fail(g, "a reduction is left in Tile IR");
    default: break;
    }
    return operation(g, e);
}

Val g_expr(G9 *g, const Expr *e)
{
    if (g->memo[e->id].kind != V_NONE) return g->memo[e->id];
    Val v = make(g, e);
    g->memo[e->id] = v;
    VEC_PUSH(g->mem, &g->lv[g->level].memo, e->id);
    return v;
}
