/* pairs: products of 16-bit integers two by two, as panels of pairs make them:
 *
 *     for lane in … vector W { … for k in 0..2 unroll { acc[…] sum= i32(a[…, k]) * i32(b[…, lane, k]) } }
 *
 * x86 multiplies the 16-bit halves of each lane and adds the two products in one instruction (vpmaddwd; with the sum,
 * one more where VNNI is absent). Integer sums wrap, so their order changes nothing. */
#include "codegen/llvm/llvm.h"

#include <string.h>

enum { PAIR = 2 };

/* v is one summand of e, by itself, and of nothing else in it. */
static bool unit_in(const Expr *e, const Var *v)
{
    if (e->op == EX_VAR) return e->var == v;
    if (e->op == EX_SUB) return unit_in(e->arg[0], v) && !te_uses_var(e->arg[1], v);
    if (e->op != EX_ADD) return false;
    bool first = te_uses_var(e->arg[0], v);
    return unit_in(e->arg[!first], v) && !te_uses_var(e->arg[first], v);
}

/* A 16-bit integer, sign-extended, whose neighbour follows it in memory. */
static const Expr *neighbours(Fn *f, const Expr *e, const Var *k)
{
    if (e->op != EX_CAST || e->type != DT_I32 || e->arg[0]->op != EX_LOAD || e->arg[0]->type != DT_I16) return NULL;
    const Expr *load = e->arg[0];
    const Tensor *t = load->load.t;
    const Place *p = &f->place[t->id];
    int64_t one;
    if (load->load.other || load->flag == LOAD_GATHER || !load->nargs || p->lanes != 1 || p->rep != REP_NATIVE)
        return NULL;
    if (!cg_known(p->stride[t->rank - 1], &one) || one != 1) return NULL;
    for (int i = 0; i + 1 < load->nargs; i++)
        if (te_uses_var(load->arg[i], k)) return NULL;
    return unit_in(load->arg[load->nargs - 1], k) ? load : NULL;
}

/* Both neighbours in each lane: one pair for all lanes, or pairs side by side. */
static bool load_pairs(Fn *f, const Expr *load, LLVMValueRef *pairs)
{
    Val off = cg_place(f, load->load.t, load->arg);
    int64_t step;
    if (off.kind == VAL_VEC || (off.kind == VAL_AFF && (!cg_known(off.step, &step) || step != PAIR))) return false;
    *pairs = cg_load_units(f, load->load.t, off);
    return *pairs != NULL;
}

/* acc + the sum of the products of each lane's halves, a register's width at a time. */
static LLVMValueRef multiply_add(Fn *f, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b)
{
    static const struct {
        int lanes;
        const char *name;
    } row[] = {{16, "llvm.x86.avx512.pmaddw.d.512"}, {8, "llvm.x86.avx2.pmadd.wd"}, {4, "llvm.x86.sse2.pmadd.wd"}};
    Cg *c = f->c;
    int all = cg_lanes(acc), n = 0, i = 0;
    while (row[i].lanes * 4 > c->t->vector_bytes || row[i].lanes > all) i++;
    int w = row[i].lanes;
    LLVMTypeRef words = LLVMVectorType(c->i16, (unsigned)(2 * w));
    LLVMValueRef *part = NEW_ARRAY(c->mem, LLVMValueRef, all);
    for (int at = 0; at < all; at += w) {
        LLVMValueRef x = cg_some_lanes(f, a, a, at, w), y = cg_some_lanes(f, b, b, at, w);
        LLVMValueRef in[] = {LLVMBuildBitCast(f->b, x, words, ""), LLVMBuildBitCast(f->b, y, words, "")};
        part[n++] = LLVMBuildAdd(f->b, cg_some_lanes(f, acc, acc, at, w), cg_call(f, row[i].name, NULL, 2, in), "");
    }
    for (; n > 1; n /= 2, w *= 2)
        for (int k = 0; k < n / 2; k++) part[k] = cg_some_lanes(f, part[2 * k], part[2 * k + 1], 0, 2 * w);
    return part[0];
}

static const Stmt *matches(Fn *f, const Stmt *loop)
{
    const Stmt *s = loop->loop.body.n == 1 ? loop->loop.body.at[0] : NULL;
    int n = f->lanes;
    if (!s || s->kind != ST_UPDATE || s->update.op != RED_SUM || s->update.where || s->update.buf->type != DT_I32)
        return NULL;
    if (n < 4 || (n & (n - 1)) || strncmp(f->c->t->triple, "x86_64", 6) || f->place[s->update.buf->id].lanes != n)
        return NULL;
    const Expr *e = s->update.value;
    if (e->op != EX_MUL || e->type != DT_I32) return NULL;
    for (int i = 0; i < s->update.buf->rank; i++)
        if (te_uses_var(s->update.ix[i], loop->loop.var)) return NULL;
    return s;
}

bool cg_pairs(Fn *f, const Stmt *loop, int64_t from, int64_t n)
{
    const Stmt *s = n == PAIR && from == 0 && loop->loop.step == 1 ? matches(f, loop) : NULL;
    if (!s) return false;
    const Expr *load[2] = {neighbours(f, s->update.value->arg[0], loop->loop.var),
                           neighbours(f, s->update.value->arg[1], loop->loop.var)};
    if (!load[0] || !load[1]) return false;
    Val *k = &f->var[loop->loop.var->id], old = *k;
    int mark = cg_mark(f);
    *k = cg_uni(cg_int(f->c->i64, 0));
    LLVMValueRef x[2];
    bool ok = load_pairs(f, load[0], &x[0]) && load_pairs(f, load[1], &x[1]);
    if (ok) {
        Val off = cg_place(f, s->update.buf, s->update.ix), acc = cg_load(f, s->update.buf, off, NULL, f->mask);
        cg_store(f, s->update.buf, off, cg_val(multiply_add(f, cg_vec(f, acc), x[0], x[1])), f->mask);
    }
    cg_forget(f, mark);
    *k = old;
    return ok;
}
