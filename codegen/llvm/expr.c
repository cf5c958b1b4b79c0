/* expr: scalar expressions as LLVM values: uniform, affine in the lane, or vectors (see llvm.h).
 *
 * Each node is made once per place: f->memo remembers values by node, and cg_mark and cg_forget bracket code that need
 * not run (the arm of a branch) or runs under a narrower mask, whose values are no use outside. What a condition
 * excludes is never evaluated: uniform conditions branch when an arm holds an access or a check, varying ones narrow
 * the mask. */
#include "codegen/llvm/llvm.h"

int cg_mark(Fn *f) { return f->log.n; }

void cg_forget(Fn *f, int mark)
{
    while (f->log.n > mark) f->memo[f->log.at[--f->log.n]].kind = VAL_NONE;
}

LLVMValueRef cg_scalar(Fn *f, const Expr *e)
{
    Val v = cg_expr(f, e);
    if (v.kind != VAL_UNI) cg_fail(f->c, "a value that must be the same in all lanes is not");
    return v.v;
}

Mask cg_narrow(Fn *f, Mask m, LLVMValueRef cond) { return (Mask){.m = m.m ? LLVMBuildAnd(f->b, m.m, cond, "") : cond}; }

/* ---- faults
 * ---------------------------------------------------------------------------------------------------------- */
void cg_fault(Fn *f, LLVMValueRef bad, int site, LLVMValueRef index)
{
    Cg *c = f->c;
    int lanes = cg_lanes(bad);
    LLVMBasicBlockRef report = cg_block_new(f, "fault"), on = cg_block_new(f, "ok");
    LLVMBuildCondBr(f->b, cg_any(f, bad), report, on);
    cg_enter(f, report);
    if (lanes > 1 && cg_lanes(index) > 1) {
        LLVMTypeRef bits = LLVMIntTypeInContext(c->ctx, (unsigned)lanes);
        LLVMValueRef args[] = {LLVMBuildBitCast(f->b, bad, bits, ""), cg_int(c->i1, 0)};
        index = LLVMBuildExtractElement(f->b, index, cg_call(f, "llvm.cttz", bits, 2, args), "");
    }
    LLVMValueRef args[] = {f->fault, cg_int(c->i32, site + 1), index};
    LLVMBuildCall2(f->b, LLVMGlobalGetValueType(c->fault_fn), c->fault_fn, args, 3, "");
    cg_goto(f, on);
    cg_enter(f, on);
}

/* bad lanes that are active */
static LLVMValueRef active(Fn *f, LLVMValueRef bad)
{
    if (!f->mask.m) return bad;
    if (cg_lanes(bad) > 1) return LLVMBuildAnd(f->b, bad, f->mask.m, "");
    return f->mask.some ? bad : LLVMBuildAnd(f->b, bad, cg_any(f, f->mask.m), "");
}

/* ---- what an arm holds
 * ------------------------------------------------------------------------------------------------- */
/* Does e access memory, check something, or cost enough to be worth a branch? */
static bool heavy(const Expr *e, int *budget)
{
    if (--*budget < 0) return true;
    switch ((ExprOp)e->op) {
    case EX_LOAD: return true;
    case EX_DIV:
    case EX_MOD:
        if (!te_is_float(e->type) && e->site >= 0) return true;
        break;
    default:
        if (num_math(e->op, DT_F32)) return true;
    }
    for (int i = 0; i < te_nchildren(e); i++)
        if (heavy(te_child(e, i), budget)) return true;
    return false;
}

static bool needs_branch(const Expr *e)
{
    int budget = 24;
    return heavy(e, &budget);
}

/* ---- conditions
 * --------------------------------------------------------------------------------------------------------- */
/* Both values in one form: scalars, or vectors. */
static bool same_form(Fn *f, Val *a, Val *b)
{
    if (a->kind == VAL_UNI && b->kind == VAL_UNI) return false;
    *a = (Val){.kind = VAL_VEC, .v = cg_vec(f, *a)};
    *b = (Val){.kind = VAL_VEC, .v = cg_vec(f, *b)};
    return true;
}

/* c ? a : b with a uniform condition, by a branch: each arm runs only when it is taken. A NULL arm is the constant `k`.
 */
static Val branch(Fn *f, LLVMValueRef c, const Expr *a, const Expr *b, LLVMValueRef k)
{
    LLVMBasicBlockRef yes = cg_block_new(f, "then"), no = cg_block_new(f, "else"), join = cg_block_new(f, "join");
    LLVMBuildCondBr(f->b, c, yes, no);
    int mark = cg_mark(f);
    cg_enter(f, yes);
    Val va = a ? cg_expr(f, a) : cg_uni(k);
    cg_forget(f, mark);
    LLVMBasicBlockRef from_a = LLVMGetInsertBlock(f->b);
    cg_enter(f, no);
    Val vb = b ? cg_expr(f, b) : cg_uni(k);
    cg_forget(f, mark);
    LLVMBasicBlockRef from_b = LLVMGetInsertBlock(f->b);
    if (va.kind != VAL_UNI || vb.kind != VAL_UNI) {
        vb.v = cg_vec(f, vb);
        LLVMPositionBuilderAtEnd(f->b, from_a);
        va.v = cg_vec(f, va);
    }
    LLVMPositionBuilderAtEnd(f->b, from_a);
    LLVMBuildBr(f->b, join);
    LLVMPositionBuilderAtEnd(f->b, from_b);
    LLVMBuildBr(f->b, join);
    cg_enter(f, join);
    LLVMValueRef phi = LLVMBuildPhi(f->b, LLVMTypeOf(va.v), ""), in[] = {va.v, vb.v};
    LLVMBasicBlockRef from[] = {from_a, from_b};
    LLVMAddIncoming(phi, in, from, 2);
    return cg_val(phi);
}

/* The value of e where `cond` (a vector) holds. */
static Val under(Fn *f, const Expr *e, LLVMValueRef cond)
{
    if (!needs_branch(e)) return cg_expr(f, e);
    Mask old = f->mask;
    int mark = cg_mark(f);
    f->mask = cg_narrow(f, old, cond);
    Val v = cg_expr(f, e);
    cg_forget(f, mark);
    f->mask = old;
    return v;
}

static Val choose(Fn *f, Val c, const Expr *a, const Expr *b)
{
    int64_t k;
    if (c.kind == VAL_UNI) {
        if (cg_known(c.v, &k)) return cg_expr(f, k ? a : b);
        if (needs_branch(a) || needs_branch(b)) return branch(f, c.v, a, b, NULL);
    }
    bool vec = c.kind == VAL_VEC;
    Val va = vec ? under(f, a, c.v) : cg_expr(f, a);
    Val vb = vec ? under(f, b, LLVMBuildNot(f->b, c.v, "")) : cg_expr(f, b);
    if (vec) {
        va = (Val){.kind = VAL_VEC, .v = cg_vec(f, va)};
        vb = (Val){.kind = VAL_VEC, .v = cg_vec(f, vb)};
    } else
        same_form(f, &va, &vb);
    return cg_val(LLVMBuildSelect(f->b, c.v, va.v, vb.v, ""));
}

static Val and_or(Fn *f, const Expr *e)
{
    bool and = e->op == EX_AND;
    Val a = cg_expr(f, e->arg[0]), b;
    int64_t k;
    if (a.kind == VAL_UNI) {
        if (cg_known(a.v, &k)) return (k != 0) == and? cg_expr(f, e->arg[1]) : a;
        LLVMValueRef fixed = cg_int(f->c->i1, !and);
        if (needs_branch(e->arg[1]))
            return and? branch(f, a.v, e->arg[1], NULL, fixed) : branch(f, a.v, NULL, e->arg[1], fixed);
        b = cg_expr(f, e->arg[1]);
    } else
        b = under(f, e->arg[1], and? a.v : LLVMBuildNot(f->b, a.v, ""));
    same_form(f, &a, &b);
    return cg_val(and? LLVMBuildAnd(f->b, a.v, b.v, "") : LLVMBuildOr(f->b, a.v, b.v, ""));
}

/* ---- index arithmetic
 * ------------------------------------------------------------------------------------------------------ */
static Val affine(LLVMValueRef v, LLVMValueRef step)
{
    int64_t k;
    if (cg_known(step, &k) && k == 0) return cg_uni(v);
    return (Val){VAL_AFF, v, step};
}

/* ADD, SUB, MUL, NEG that stay affine; VAL_NONE when they do not. */
static Val affine_op(Fn *f, const Expr *e, const Val *a)
{
    LLVMValueRef zero = cg_int(f->c->i64, 0);
    for (int i = 0; i < e->nargs; i++)
        if (a[i].kind == VAL_VEC) return (Val){0};
    LLVMValueRef s0 = a[0].kind == VAL_AFF ? a[0].step : zero,
                 s1 = e->nargs > 1 && a[1].kind == VAL_AFF ? a[1].step : zero;
    switch ((ExprOp)e->op) {
    case EX_ADD: return affine(cg_add(f, a[0].v, a[1].v), cg_add(f, s0, s1));
    case EX_SUB: return affine(cg_sub(f, a[0].v, a[1].v), cg_sub(f, s0, s1));
    case EX_NEG: return affine(LLVMBuildNeg(f->b, a[0].v, ""), LLVMBuildNeg(f->b, s0, ""));
    case EX_MUL:
        if (a[0].kind == VAL_AFF && a[1].kind == VAL_AFF) return (Val){0};
        if (a[0].kind == VAL_AFF) return affine(cg_mul(f, a[0].v, a[1].v), cg_mul(f, s0, a[1].v));
        return affine(cg_mul(f, a[0].v, a[1].v), cg_mul(f, a[0].v, s1));
    default: return (Val){0};
    }
}

/* How many lanes (from the first on) of base + lane are below `end`, as i32 in 0 … W. */
static LLVMValueRef lanes_below(Fn *f, LLVMValueRef base, LLVMValueRef end)
{
    Cg *c = f->c;
    LLVMValueRef n = cg_sub(f, end, base);
    n = cg_call2(f, "llvm.smax", n, cg_int(c->i64, 0));
    n = cg_call2(f, "llvm.smin", n, cg_int(c->i64, f->lanes));
    return cg_splat(f, LLVMBuildTrunc(f->b, n, c->i32, ""));
}

/* Comparison of base + lane with a uniform value, on 32-bit lane numbers. */
static Val compare_lanes(Fn *f, ExprOp op, LLVMValueRef base, LLVMValueRef n)
{
    LLVMValueRef lane = cg_iota(f->c, f->c->i32, f->lanes), one = cg_int(f->c->i64, 1), next = cg_add(f, n, one);
    LLVMBuilderRef b = f->b;
    LLVMValueRef at, after;
    switch (op) {
    case EX_LT: return cg_val(LLVMBuildICmp(b, LLVMIntSLT, lane, lanes_below(f, base, n), ""));
    case EX_LE: return cg_val(LLVMBuildICmp(b, LLVMIntSLT, lane, lanes_below(f, base, next), ""));
    case EX_GE: return cg_val(LLVMBuildICmp(b, LLVMIntSGE, lane, lanes_below(f, base, n), ""));
    case EX_GT: return cg_val(LLVMBuildICmp(b, LLVMIntSGE, lane, lanes_below(f, base, next), ""));
    default:
        at = LLVMBuildICmp(b, LLVMIntSGE, lane, lanes_below(f, base, n), "");
        after = LLVMBuildICmp(b, LLVMIntSGE, lane, lanes_below(f, base, next), "");
        at = LLVMBuildAnd(b, at, LLVMBuildNot(b, after, ""), "");
        return cg_val(op == EX_EQ ? at : LLVMBuildNot(b, at, ""));
    }
}

static Val index_compare(Fn *f, const Expr *e, Val a, Val b)
{
    static const ExprOp mirror[] = {EX_EQ, EX_NE, EX_GT, EX_GE, EX_LT, EX_LE};
    ExprOp op = e->op;
    int64_t lo, hi, step;
    const TeOp *te = f->c->op;
    if (a.kind == VAL_UNI) {
        Val t = a;
        a = b;
        b = t;
        op = mirror[op - EX_EQ];
    }
    bool near = cg_range(te, e->arg[0], &lo, &hi) && cg_range(te, e->arg[1], &lo, &hi);
    if (near && a.kind == VAL_AFF && cg_known(a.step, &step)) {
        if (b.kind == VAL_UNI && step == 1) return compare_lanes(f, op, a.v, b.v);
        if (b.kind == VAL_AFF && cg_known(cg_sub(f, a.step, b.step), &step) && step == 1)
            return compare_lanes(f, op, cg_sub(f, a.v, b.v), cg_int(f->c->i64, 0));
    }
    LLVMValueRef v[] = {cg_vec(f, a), cg_vec(f, b)};
    return cg_val(cg_op(f, op, DT_INDEX, v));
}

/* ---- division of integers
 * ----------------------------------------------------------------------------------------------- */
static void check_divisor(Fn *f, const Expr *e, LLVMValueRef a, LLVMValueRef b)
{
    if (e->site < 0) return;
    LLVMValueRef zero = LLVMBuildICmp(f->b, LLVMIntEQ, b, LLVMConstNull(LLVMTypeOf(b)), "");
    if (cg_lanes(zero) == 1 && cg_lanes(a) > 1 && f->lanes > 1) a = cg_int(f->c->i64, 0);
    cg_fault(f, active(f, zero), e->site, cg_int(f->c->i64, 0));
}

/* (base + lane * step) / b and % b where all lanes fall into at most two neighbouring multiples of b: one division. */
static Val divide_affine(Fn *f, bool mod, Val a, LLVMValueRef b, bool positive)
{
    Cg *c = f->c;
    LLVMValueRef q = cg_divide(f, false, DT_INDEX, positive, a.v, b);
    LLVMValueRef r = cg_sub(f, a.v, LLVMBuildMul(f->b, q, b, ""));
    LLVMValueRef lane = cg_vec(f, (Val){VAL_AFF, r, a.step}), wide = cg_splat(f, b);
    LLVMValueRef over = LLVMBuildICmp(f->b, LLVMIntSGE, lane, wide, "");
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(lane));
    if (mod) return cg_val(LLVMBuildSub(f->b, lane, LLVMBuildSelect(f->b, over, wide, zero, ""), ""));
    return cg_val(LLVMBuildAdd(f->b, cg_splat(f, q), LLVMBuildZExt(f->b, over, cg_wide(c->i64, f->lanes), ""), ""));
}

static Val divide(Fn *f, const Expr *e)
{
    Val a = cg_expr(f, e->arg[0]), b = cg_expr(f, e->arg[1]);
    bool mod = e->op == EX_MOD, index = e->type == DT_INDEX;
    int64_t alo = -1, ahi, blo = 0, bhi, step;
    bool ra = index && cg_range(f->c->op, e->arg[0], &alo, &ahi),
         rb = index && cg_range(f->c->op, e->arg[1], &blo, &bhi);
    bool positive = ra && rb && alo >= 0 && blo > 0 && b.kind == VAL_UNI;
    if (e->site >= 0) check_divisor(f, e, a.v, b.kind == VAL_UNI ? b.v : cg_vec(f, b));
    if (a.kind == VAL_AFF && b.kind == VAL_UNI && rb && ra && cg_known(a.step, &step) && step > 0 &&
        blo >= step * (f->lanes - 1) && blo > 0) /* r + (W-1)*step < 2*b */
        return divide_affine(f, mod, a, b.v, positive);
    bool vec = same_form(f, &a, &b);
    (void)vec;
    return cg_val(cg_divide(f, mod, e->type, positive, a.v, b.v));
}

/* ---- loads
 * --------------------------------------------------------------------------------------------------------------- */
/* 0 <= ix < extent, in the form of ix. */
static Val in_bounds(Fn *f, const Expr *e, Val ix, LLVMValueRef extent)
{
    int64_t lo, hi, step, n, k;
    Cg *c = f->c;
    bool known = cg_range(c->op, e, &lo, &hi);
    if (known && lo >= 0 && cg_known(extent, &n) && hi < n) return cg_uni(cg_int(c->i1, 1));
    if (ix.kind == VAL_AFF && known && cg_known(ix.step, &step) && step == 1) {
        LLVMValueRef lane = cg_iota(c, c->i32, f->lanes);
        LLVMValueRef below = LLVMBuildICmp(f->b, LLVMIntSLT, lane, lanes_below(f, ix.v, extent), "");
        if (lo >= 0) return cg_val(below);
        LLVMValueRef from = lanes_below(f, ix.v, cg_int(c->i64, 0));
        return cg_val(LLVMBuildAnd(f->b, below, LLVMBuildICmp(f->b, LLVMIntSGE, lane, from, ""), ""));
    }
    if (ix.kind == VAL_UNI) {
        if (cg_known(ix.v, &k) && cg_known(extent, &n)) return cg_uni(cg_int(c->i1, k >= 0 && k < n));
        return cg_uni(LLVMBuildICmp(f->b, LLVMIntULT, ix.v, extent, ""));
    }
    return cg_val(LLVMBuildICmp(f->b, LLVMIntULT, cg_vec(f, ix), cg_splat(f, extent), ""));
}

/* The conditions that all indices are in bounds: a uniform part and a varying one (either may be NULL). */
static void guard(Fn *f, const Expr *e, const Val *ix, LLVMValueRef *uni, LLVMValueRef *vec)
{
    const Place *p = &f->place[e->load.t->id];
    *uni = *vec = NULL;
    for (int i = 0; i < e->load.t->rank; i++) {
        Val ok = in_bounds(f, e->arg[i], ix[i], p->extent[i]);
        LLVMValueRef *to = ok.kind == VAL_UNI ? uni : vec;
        int64_t k;
        if (ok.kind == VAL_UNI && cg_known(ok.v, &k) && k) continue;
        *to = *to ? LLVMBuildAnd(f->b, *to, ok.v, "") : ok.v;
    }
}

/* Whether the first and the last lane are in bounds, so that all are; NULL: not to be told so. */
static LLVMValueRef ends_in_bounds(Fn *f, const Expr *e, const Val *ix)
{
    const Place *p = &f->place[e->load.t->id];
    LLVMValueRef all = NULL;
    if (f->lanes == 1 || f->mask.m) return NULL;
    for (int i = 0; i < e->load.t->rank; i++) {
        if (ix[i].kind == VAL_VEC) return NULL;
        LLVMValueRef ok = LLVMBuildICmp(f->b, LLVMIntULT, ix[i].v, p->extent[i], "");
        if (ix[i].kind == VAL_AFF) {
            LLVMValueRef last = cg_add(f, ix[i].v, cg_mul(f, ix[i].step, cg_int(f->c->i64, f->lanes - 1)));
            ok = LLVMBuildAnd(f->b, ok, LLVMBuildICmp(f->b, LLVMIntULT, last, p->extent[i], ""), "");
        }
        all = all ? LLVMBuildAnd(f->b, all, ok, "") : ok;
    }
    return all;
}

static Val load_some(Fn *f, const Expr *e, const Val *ix, Val off)
{
    LLVMValueRef uni, vec;
    const Tensor *t = e->load.t;
    guard(f, e, ix, &uni, &vec);
    if (!uni && !vec) return cg_load(f, t, off, NULL, f->mask);
    Val x = cg_load(f, t, off, uni, vec ? cg_narrow(f, f->mask, vec) : f->mask);
    LLVMValueRef all = vec && uni ? LLVMBuildAnd(f->b, vec, cg_splat(f, uni), "") : vec ? vec : uni;
    Val other;
    if (!needs_branch(e->load.other))
        other = cg_expr(f, e->load.other);
    else if (vec)
        other = under(f, e->load.other, LLVMBuildNot(f->b, all, ""));
    else
        other = branch(f, uni, NULL, e->load.other, LLVMConstNull(cg_held(f->c, e->type)));
    if (vec) {
        x = (Val){.kind = VAL_VEC, .v = cg_vec(f, x)};
        other = (Val){.kind = VAL_VEC, .v = cg_vec(f, other)};
    } else
        same_form(f, &x, &other);
    return cg_val(LLVMBuildSelect(f->b, all, x.v, other.v, ""));
}

/* Whole vectors away from the edges; there, lanes that are outside are left out. */
static Val load_guarded(Fn *f, const Expr *e, const Val *ix)
{
    Val off = cg_place(f, e->load.t, e->arg);
    LLVMValueRef inside = off.kind == VAL_AFF ? ends_in_bounds(f, e, ix) : NULL;
    if (!inside) return load_some(f, e, ix, off);
    LLVMBasicBlockRef whole = cg_block_new(f, "inside"), edge = cg_block_new(f, "edge"), join = cg_block_new(f, "join");
    LLVMBuildCondBr(f->b, inside, whole, edge);
    int mark = cg_mark(f);
    cg_enter(f, whole);
    LLVMValueRef v[2] = {cg_vec(f, cg_load(f, e->load.t, off, NULL, f->mask)), NULL};
    LLVMBasicBlockRef from[2] = {LLVMGetInsertBlock(f->b), NULL};
    cg_goto(f, join);
    cg_enter(f, edge);
    v[1] = cg_vec(f, load_some(f, e, ix, off));
    cg_forget(f, mark);
    from[1] = LLVMGetInsertBlock(f->b);
    cg_goto(f, join);
    cg_enter(f, join);
    LLVMValueRef phi = LLVMBuildPhi(f->b, LLVMTypeOf(v[0]), "");
    LLVMAddIncoming(phi, v, from, 2);
    return cg_val(phi);
}

/* Every index is compared with its extent; lanes in which one fails report the first and load nothing. */
static Val load_gather(Fn *f, const Expr *e, const Val *ix)
{
    const Tensor *t = e->load.t;
    const Place *p = &f->place[t->id];
    LLVMValueRef uni = NULL;
    Mask mask = f->mask;
    for (int i = 0; i < t->rank; i++) {
        Val ok = in_bounds(f, e->arg[i], ix[i], p->extent[i]);
        int64_t k;
        if (ok.kind == VAL_UNI && cg_known(ok.v, &k) && k) continue;
        LLVMValueRef bad = active(f, LLVMBuildNot(f->b, ok.v, ""));
        cg_fault(f, bad, e->load.site, ok.kind == VAL_UNI && ix[i].kind == VAL_UNI ? ix[i].v : cg_vec(f, ix[i]));
        if (ok.kind == VAL_UNI)
            uni = uni ? LLVMBuildAnd(f->b, uni, ok.v, "") : ok.v;
        else
            mask = cg_narrow(f, mask, ok.v);
    }
    return cg_load(f, t, cg_offset(f, t, ix), uni, mask);
}

static Val load(Fn *f, const Expr *e)
{
    const Tensor *t = e->load.t;
    if (e->flag == LOAD_PROVED && !e->load.other) return cg_load(f, t, cg_place(f, t, e->arg), NULL, f->mask);
    Val *ix = NEW_ARRAY(f->c->mem, Val, t->rank + 1);
    for (int i = 0; i < t->rank; i++) ix[i] = cg_expr(f, e->arg[i]);
    if (e->flag == LOAD_GUARDED || e->load.other) return load_guarded(f, e, ix);
    if (e->flag == LOAD_GATHER) return load_gather(f, e, ix);
    return cg_load(f, t, cg_offset(f, t, ix), NULL, f->mask);
}

/* ---- the rest
 * ------------------------------------------------------------------------------------------------------------ */
static Val cast(Fn *f, const Expr *e)
{
    const Expr *x = e->arg[0];
    Val v = cg_expr(f, x);
    int64_t lo, hi;
    DType from = x->type;
    if (from == e->type) return v;
    if (v.kind == VAL_AFF && te_is_float(e->type) && cg_range(f->c->op, x, &lo, &hi) && lo >= INT32_MIN &&
        hi <= INT32_MAX - f->lanes) {
        LLVMTypeRef i32 = f->c->i32; /* half the width, and most targets convert only 32 bits in lanes */
        LLVMValueRef base = cg_splat(f, LLVMBuildTrunc(f->b, v.v, i32, "")),
                     step = LLVMBuildTrunc(f->b, v.step, i32, "");
        LLVMValueRef lane = LLVMBuildMul(f->b, cg_iota(f->c, i32, f->lanes), cg_splat(f, step), "");
        return cg_val(cg_cast(f, e->type, DT_I32, LLVMBuildAdd(f->b, base, lane, "")));
    }
    return cg_val(cg_cast(f, e->type, from, v.kind == VAL_UNI ? v.v : cg_vec(f, v)));
}

static Val powi(Fn *f, const Expr *e)
{
    Val x = cg_expr(f, e->arg[0]), n = cg_expr(f, e->arg[1]);
    same_form(f, &x, &n);
    DType from = e->arg[1]->type;
    LLVMValueRef args[] = {x.v, from == DT_INDEX ? n.v : cg_cast(f, DT_I64, from, n.v)};
    return cg_val(cg_op(f, EX_POWI, e->type, args));
}

static Val operation(Fn *f, const Expr *e)
{
    Val a[3];
    LLVMValueRef v[3];
    bool vec = false;
    DType t = e->nargs ? e->arg[e->op == EX_PICK ? 1 : 0]->type : e->type;
    for (int i = 0; i < e->nargs; i++) {
        a[i] = cg_expr(f, e->arg[i]);
        vec |= a[i].kind != VAL_UNI;
    }
    if (t == DT_INDEX && vec) {
        Val r = affine_op(f, e, a);
        if (r.kind != VAL_NONE) return r;
        if (e->op >= EX_EQ && e->op <= EX_GE) return index_compare(f, e, a[0], a[1]);
    }
    for (int i = 0; i < e->nargs; i++) v[i] = vec ? cg_vec(f, a[i]) : a[i].v;
    if (e->op == EX_PICK) return cg_val(LLVMBuildSelect(f->b, v[0], v[1], v[2], ""));
    if (t == DT_INDEX && !vec && (e->op == EX_ADD || e->op == EX_MUL || e->op == EX_SUB))
        return cg_uni(e->op == EX_ADD   ? cg_add(f, v[0], v[1])
                      : e->op == EX_SUB ? cg_sub(f, v[0], v[1])
                                        : cg_mul(f, v[0], v[1]));
    return cg_val(cg_op(f, e->op, t, v));
}

static Val make(Fn *f, const Expr *e)
{
    Cg *c = f->c;
    switch ((ExprOp)e->op) {
    case EX_INT: return cg_uni(cg_int(cg_held(c, e->type), e->i));
    case EX_FLOAT: return cg_uni(cg_real(cg_held(c, e->type), e->f));
    case EX_CONST: return make(f, c->op->cst[e->sym].value);
    case EX_DIM: return cg_uni(f->dim[e->sym]);
    case EX_VAR:
        if (f->var[e->var->id].kind == VAL_NONE) cg_fail(c, "variable %s is used outside its loop", e->var->name);
        return f->var[e->var->id];
    case EX_LOAD: return load(f, e);
    case EX_SELECT: return choose(f, cg_expr(f, e->arg[0]), e->arg[1], e->arg[2]);
    case EX_AND:
    case EX_OR: return and_or(f, e);
    case EX_CAST: return cast(f, e);
    case EX_DIV:
    case EX_MOD:
        if (!te_is_float(e->type)) return divide(f, e);
        break;
    case EX_POWI: return powi(f, e);
    case EX_REDUCE: cg_fail(c, "a reduction is left in Tile IR");
    default: break;
    }
    return operation(f, e);
}

Val cg_expr(Fn *f, const Expr *e)
{
    if (f->memo[e->id].kind != VAL_NONE) return f->memo[e->id];
    Val v = make(f, e);
    f->memo[e->id] = v;
    VEC_PUSH(f->c->mem, &f->log, e->id);
    return v;
}
