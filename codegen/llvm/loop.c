/* loop: the loops of Tile IR. Loops are made in rotated form with a preheader and an exit block of their own, so LLVM's
 * loop passes find nothing to tidy. UNROLL is done here, not by LLVM, so that register tiles get constant indices. A
 * VECTOR loop is a loop over whole vectors without masks, then at most one masked vector; PARALLEL is kernel.c's. */
#include "codegen/llvm/llvm.h"

LLVMValueRef cg_count_open(Fn *f, Count *l, LLVMValueRef lo, LLVMValueRef hi, int64_t step)
{
    *l = (Count){.body = cg_block_new(f, "loop"),
                 .exit = cg_block_new(f, "done"),
                 .join = cg_block_new(f, "after"),
                 .hi = hi,
                 .step = step};
    LLVMBasicBlockRef pre = cg_block_new(f, "enter");
    LLVMBuildCondBr(f->b, LLVMBuildICmp(f->b, LLVMIntSLT, lo, hi, ""), pre, l->join);
    cg_enter(f, pre);
    LLVMBuildBr(f->b, l->body);
    cg_enter(f, l->body);
    l->i = LLVMBuildPhi(f->b, f->c->i64, "i");
    LLVMAddIncoming(l->i, &lo, &pre, 1);
    l->mark = cg_mark(f);
    return l->i;
}

void cg_count_close(Fn *f, Count *l)
{
    cg_forget(f, l->mark);
    LLVMValueRef next = LLVMBuildNSWAdd(f->b, l->i, cg_int(f->c->i64, l->step), "");
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(f->b);
    LLVMAddIncoming(l->i, &next, &latch, 1);
    LLVMBuildCondBr(f->b, LLVMBuildICmp(f->b, LLVMIntSLT, next, l->hi, ""), l->body, l->exit);
    cg_enter(f, l->exit);
    LLVMBuildBr(f->b, l->join);
    cg_enter(f, l->join);
}

static void body(Fn *f, const Stmt *s, Val v)
{
    int mark = cg_mark(f);
    Val old = f->var[s->loop.var->id];
    f->var[s->loop.var->id] = v;
    cg_block(f, &s->loop.body);
    f->var[s->loop.var->id] = old;
    cg_forget(f, mark);
}

static void serial(Fn *f, const Stmt *s, LLVMValueRef lo, LLVMValueRef hi)
{
    Count l;
    int64_t a, b;
    if (cg_known(lo, &a) && cg_known(hi, &b) && (a >= b || b - a <= s->loop.step)) { /* none or one */
        if (a < b) body(f, s, cg_uni(lo));
        return;
    }
    LLVMValueRef i = cg_count_open(f, &l, lo, hi, s->loop.step);
    body(f, s, cg_uni(i));
    cg_count_close(f, &l);
}

static void unroll(Fn *f, const Stmt *s, LLVMValueRef lo, LLVMValueRef hi)
{
    int64_t a, b, step = s->loop.step;
    bool known = cg_known(lo, &a) && cg_known(hi, &b);
    int64_t trips = known && a < b ? (b - a + step - 1) / step : 0;
    int width = s->loop.width;
    if (known && (width == 0 || trips <= width) && trips <= 4096) {
        if (f->lanes > 1 && (cg_transposed(f, s, a, trips) || cg_pairs(f, s, a, trips))) return;
        for (int64_t i = 0; i < trips; i++) body(f, s, cg_uni(cg_int(f->c->i64, a + i * step)));
        return;
    }
    if (width < 2 || f->mask.m) { /* in a masked tail copies cost time to compile and win nothing */
        serial(f, s, lo, hi);
        return;
    }
    /* whole groups of `width` iterations, then the rest one by one */
    LLVMTypeRef i64 = f->c->i64;
    int64_t group = width * step;
    LLVMValueRef span = cg_add(f, cg_sub(f, hi, lo), cg_int(i64, step - 1));
    LLVMValueRef whole = cg_mul(f, LLVMBuildSDiv(f->b, span, cg_int(i64, group), ""), cg_int(i64, group));
    LLVMValueRef some = LLVMBuildICmp(f->b, LLVMIntSGT, whole, cg_int(i64, 0), "");
    LLVMValueRef mid = cg_add(f, lo, LLVMBuildSelect(f->b, some, whole, cg_int(i64, 0), ""));
    Count l;
    LLVMValueRef i = cg_count_open(f, &l, lo, mid, group);
    for (int k = 0; k < width; k++) body(f, s, cg_uni(cg_add(f, i, cg_int(i64, k * step))));
    cg_count_close(f, &l);
    serial(f, s, mid, hi);
}

/* ---- vector loops
 * ------------------------------------------------------------------------------------------------------- */
static void lanes_from(Fn *f, const Stmt *s, LLVMValueRef base, Mask mask)
{
    f->mask = f->root = mask;
    body(f, s, (Val){VAL_AFF, base, cg_int(f->c->i64, s->loop.step)});
}

/* The last iterations, `left` of them (above 0, below W). */
static void masked(Fn *f, const Stmt *s, LLVMValueRef base, LLVMValueRef left)
{
    Cg *c = f->c;
    LLVMValueRef n = cg_splat(f, LLVMBuildTrunc(f->b, left, c->i32, ""));
    LLVMValueRef m = LLVMBuildICmp(f->b, LLVMIntSLT, cg_iota(c, c->i32, f->lanes), n, "mask");
    lanes_from(f, s, base, (Mask){.m = m, .n = left, .some = true});
}

/* One vector, whole or masked, when there are iterations at all. */
static void one_vector(Fn *f, const Stmt *s, LLVMValueRef lo, LLVMValueRef hi)
{
    LLVMTypeRef i64 = f->c->i64;
    int64_t step = s->loop.step, w = s->loop.width;
    LLVMValueRef n = cg_sub(f, hi, lo);
    if (step != 1) n = LLVMBuildSDiv(f->b, cg_add(f, n, cg_int(i64, step - 1)), cg_int(i64, step), "");
    /* A range known to be a multiple of W shows in these bits, and the masked part goes away. */
    LLVMValueRef rest = w & (w - 1) ? cg_sub(f, n, cg_int(i64, w)) : LLVMBuildAnd(f->b, n, cg_int(i64, w - 1), "");
    LLVMBasicBlockRef some = cg_block_new(f, "some"), whole = cg_block_new(f, "whole"), tail = cg_block_new(f, "tail"),
                      done = cg_block_new(f, "done");
    LLVMBuildCondBr(f->b, LLVMBuildICmp(f->b, LLVMIntSGT, n, cg_int(i64, 0), ""), some, done);
    cg_enter(f, some);
    LLVMBuildCondBr(f->b, LLVMBuildICmp(f->b, LLVMIntEQ, rest, cg_int(i64, 0), ""), whole, tail);
    cg_enter(f, whole);
    lanes_from(f, s, lo, (Mask){.some = true});
    cg_goto(f, done);
    cg_enter(f, tail);
    masked(f, s, lo, n);
    cg_goto(f, done);
    cg_enter(f, done);
}

static void vector(Fn *f, const Stmt *s, LLVMValueRef lo, LLVMValueRef hi)
{
    Cg *c = f->c;
    LLVMTypeRef i64 = c->i64;
    int64_t step = s->loop.step, w = s->loop.width, a, b;
    bool known = cg_known(lo, &a) && cg_known(hi, &b);
    if (known && a >= b) return;
    Shadow *outer = f->shadows;
    cg_shadows_open(f, s);
    f->lanes = (int)w;
    int64_t trips = known ? (b - a + step - 1) / step : -1;
    if (trips < 0 && cg_at_most(c->op, s->loop.var->lo, s->loop.var->hi, w * step)) {
        one_vector(f, s, lo, hi);
    } else if (trips >= 0 && trips <= w) { /* one vector */
        if (trips == w)
            lanes_from(f, s, lo, (Mask){.some = true});
        else
            masked(f, s, lo, cg_int(i64, trips));
    } else {
        LLVMValueRef n = cg_sub(f, hi, lo); /* iterations, from here on counted from 0 */
        if (step != 1) n = LLVMBuildSDiv(f->b, cg_add(f, n, cg_int(i64, step - 1)), cg_int(i64, step), "");
        LLVMValueRef whole = LLVMBuildAnd(f->b, n, cg_int(i64, -w), "");
        if (w & (w - 1)) whole = cg_mul(f, LLVMBuildSDiv(f->b, n, cg_int(i64, w), ""), cg_int(i64, w));
        whole = cg_call2(f, "llvm.smax", whole, cg_int(i64, 0));
        if (trips >= 0) whole = cg_int(i64, trips - trips % w);
        LLVMValueRef end = cg_add(f, lo, cg_mul(f, whole, cg_int(i64, step)));
        Count l;
        LLVMValueRef i = cg_count_open(f, &l, lo, end, w * step);
        lanes_from(f, s, i, (Mask){.some = true});
        cg_count_close(f, &l);
        if (trips < 0 || trips % w) {
            LLVMBasicBlockRef tail = cg_block_new(f, "tail"), done = cg_block_new(f, "tailed");
            LLVMBuildCondBr(f->b, LLVMBuildICmp(f->b, LLVMIntSLT, end, hi, ""), tail, done);
            cg_enter(f, tail);
            masked(f, s, end, cg_sub(f, n, whole));
            cg_goto(f, done);
            cg_enter(f, done);
        }
    }
    f->lanes = 1;
    f->mask = f->root = (Mask){0};
    cg_shadows_close(f, outer);
}

void cg_loop(Fn *f, const Stmt *s)
{
    int mark = cg_mark(f);
    LLVMValueRef lo = cg_scalar(f, s->loop.var->lo), hi = cg_scalar(f, s->loop.var->hi);
    cg_forget(f, mark);
    LoopKind kind = s->loop.kind;
    if (kind == LOOP_PARALLEL && !f->in_parallel && f->lanes == 1)
        cg_parallel(f, s, lo, hi);
    else if (kind == LOOP_VECTOR && s->loop.width > 1 && f->lanes == 1)
        vector(f, s, lo, hi);
    else if (kind == LOOP_UNROLL)
        unroll(f, s, lo, hi);
    else
        serial(f, s, lo, hi);
}
