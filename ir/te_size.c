/* te_size: the value of a size, a condition on sizes, or any expression over dims and consts, once dims have values.
 *
 * Index arithmetic that does not fit in 64 bits, a division by 0 and anything that is not over dims and consts have no
 * value. Data types compute as num.h says (integers wrap). */
#include "ir/num.h"
#include "ir/te.h"

static bool eval(const TeOp *op, const Expr *e, const int64_t *dims, Num *out);

/* floor, as `/` and `%` on integers are */
static bool floor_div(int64_t a, int64_t b, bool mod, int64_t *out)
{
    if (b == 0) return false;
    if (b == -1) {
        if (mod) {
            *out = 0;
            return true;
        }
        return !__builtin_sub_overflow(0, a, out);
    }
    int64_t q = a / b, r = a % b;
    if (r != 0 && (r < 0) != (b < 0)) {
        q--;
        r += b;
    }
    *out = mod ? r : q;
    return true;
}

static bool eval_index(ExprOp o, const Num *a, Num *out)
{
    int64_t x = a[0].i, y = a[1].i;
    switch (o) {
    case EX_ADD: return !__builtin_add_overflow(x, y, &out->i);
    case EX_SUB: return !__builtin_sub_overflow(x, y, &out->i);
    case EX_MUL: return !__builtin_mul_overflow(x, y, &out->i);
    case EX_NEG: return !__builtin_sub_overflow(0, x, &out->i);
    case EX_ABS: return x >= 0 ? (out->i = x, true) : !__builtin_sub_overflow(0, x, &out->i);
    case EX_DIV: return floor_div(x, y, false, &out->i);
    case EX_MOD: return floor_div(x, y, true, &out->i);
    case EX_MIN: out->i = x < y ? x : y; return true;
    case EX_MAX: out->i = x > y ? x : y; return true;
    case EX_CLAMP:
        out->i = x > y ? x : y;
        if (out->i > a[2].i) out->i = a[2].i;
        return true;
    case EX_EQ: out->i = x == y; return true;
    case EX_NE: out->i = x != y; return true;
    case EX_LT: out->i = x < y; return true;
    case EX_LE: out->i = x <= y; return true;
    case EX_GT: out->i = x > y; return true;
    case EX_GE: out->i = x >= y; return true;
    case EX_FMA: return !__builtin_mul_overflow(x, y, &out->i) && !__builtin_add_overflow(out->i, a[2].i, &out->i);
    default: return false;
    }
}

static bool eval_choice(const TeOp *op, const Expr *e, const int64_t *dims, Num *out)
{
    Num c;
    if (!eval(op, e->arg[0], dims, &c)) return false;
    switch (e->op) {
    case EX_AND:
    case EX_OR:
        if ((c.i != 0) == (e->op == EX_OR)) {
            out->i = c.i != 0;
            return true;
        }
        return eval(op, e->arg[1], dims, out);
    case EX_NOT: out->i = !c.i; return true;
    default: return eval(op, e->arg[c.i ? 1 : 2], dims, out);
    }
}

static bool eval(const TeOp *op, const Expr *e, const int64_t *dims, Num *out)
{
    switch (e->op) {
    case EX_INT: *out = (Num){.i = e->i}; return true;
    case EX_FLOAT:
        if (te_type[e->type].reg == RC_F64)
            out->d = e->f;
        else
            out->f = (float)e->f;
        return true;
    case EX_DIM: out->i = dims ? dims[e->sym] : op->dim[e->sym].value; return out->i >= 0;
    case EX_CONST: return op->cst[e->sym].value && eval(op, op->cst[e->sym].value, dims, out);
    case EX_VAR:
    case EX_LOAD:
    case EX_REDUCE: return false;
    case EX_SELECT:
    case EX_AND:
    case EX_OR:
    case EX_NOT:
    case EX_PICK: return eval_choice(op, e, dims, out);
    default: break;
    }
    Num arg[3] = {{0}};
    if (e->nargs < 1 || e->nargs > 3) return false;
    for (int i = 0; i < e->nargs; i++)
        if (!eval(op, e->arg[i], dims, &arg[i])) return false;
    DType from = (DType)e->arg[0]->type;
    if (e->op == EX_CAST) {
        if (e->type == DT_INDEX && te_type[from].reg == RC_I64) {
            *out = arg[0];
            return from != DT_U64 || arg[0].i >= 0;
        }
        *out = num_cast((DType)e->type, from, arg[0]);
        return true;
    }
    if (from == DT_INDEX) return eval_index((ExprOp)e->op, arg, out);
    bool div0 = false;
    *out = num_op((ExprOp)e->op, from, arg, &div0);
    return !div0;
}

bool te_eval_size_at(const TeOp *op, const Expr *e, const int64_t *dims, int64_t *value)
{
    Num v;
    if (te_type[e->type].reg != RC_I64 || !eval(op, e, dims, &v)) return false;
    *value = v.i;
    return true;
}

bool te_eval_size(const TeOp *op, const Expr *e, int64_t *value) { return te_eval_size_at(op, e, NULL, value); }
