/* layout: where tensors live. Parameters: pointers, sizes and strides of the call. Buffers: registers and small ones on
 * the stack (in the entry block, so that LLVM can promote them), all others in workspace:
 *
 *     workspace:  [ buffers outside parallel loops ][ worker 0: buffers inside ][ worker 1 ] …     each buffer aligned
 * to 64 bytes
 *
 * Buffers never share memory, so that "different tensors do not alias" holds throughout. The offsets are expressions of
 * the dims; the kernel, its tasks and NAME_workspace compute them with the same code. */
#include "codegen/llvm/llvm.h"

#include <string.h>

/* ---- planning
 * ----------------------------------------------------------------------------------------------------------- */
static int elem_bytes(const Cg *c, DType t, Rep r)
{
    (void)c;
    const TypeInfo *ti = &te_type[t];
    if (r == REP_HELD) return ti->reg == RC_F64 ? 8 : ti->reg == RC_F32 ? 4 : ti->bits < 8 ? 1 : ti->bits / 8;
    return ti->bits < 8 ? 1 : ti->bits / 8;
}

typedef struct Around {
    bool parallel;
    int lanes;
} Around;

static int64_t known_count(const Cg *c, const Tensor *t)
{
    int64_t n = 1, k;
    for (int i = 0; i < t->rank; i++)
        if (!te_eval_size(c->op, t->shape[i], &k) || k < 0 || __builtin_mul_overflow(n, k, &n)) return -1;
    return n;
}

static void plan_alloc(Cg *c, const Tensor *t, Around a, int64_t *stack)
{
    Buffer *b = &c->buf[t->id];
    int lanes = b->used && b->lanes > a.lanes ? b->lanes : a.lanes;
    bool first = !b->used;
    b->used = true;
    b->per_worker |= a.parallel;
    b->lanes = lanes;
    b->rep = t->scope == SCOPE_REG || t->scope == SCOPE_FRAG ? REP_HELD : REP_NATIVE;
    int64_t n = known_count(c, t), bytes;
    if (n < 0 || n > INT32_MAX) {
        b->count = -1;
        b->stack = false;
        return;
    }
    b->count = n * lanes;
    bytes = b->count * elem_bytes(c, t->type, b->rep);
    if (first) *stack += bytes;
    b->stack = bytes <= CG_STACK_BUF && *stack <= CG_STACK_ALL;
    if (!b->stack && first) *stack -= bytes;
}

static void plan_block(Cg *c, const Block *blk, Around a, int64_t *stack)
{
    for (int i = 0; i < blk->n; i++) {
        const Stmt *s = blk->at[i];
        Around in = a;
        if (s->kind == ST_ALLOC) plan_alloc(c, s->alloc.buf, a, stack);
        if (s->kind == ST_FOR) {
            if (s->loop.kind == LOOP_PARALLEL && a.lanes == 1) in.parallel = true;
            if (s->loop.kind == LOOP_VECTOR && s->loop.width > 1 && a.lanes == 1) in.lanes = s->loop.width;
            if (in.lanes > c->widest) c->widest = in.lanes;
            plan_block(c, &s->loop.body, in, stack);
        }
        if (s->kind == ST_IF) {
            plan_block(c, &s->branch.then, a, stack);
            plan_block(c, &s->branch.els, a, stack);
        }
    }
}

void cg_plan_buffers(Cg *c)
{
    int64_t stack = 0;
    c->widest = 1;
    c->buf = NEW_ARRAY(c->mem, Buffer, c->op->ntensors + 1);
    for (int i = 0; i < c->op->ntensors; i++) {
        const Tensor *t = c->op->tensor[i];
        bool sub = te_type[t->type].bits < 8;
        c->buf[i] = (Buffer){
            .lanes = 1, .count = known_count(c, t), .rep = sub && t->kind != TK_BUFFER ? REP_NIBBLE : REP_NATIVE};
    }
    plan_block(c, &c->p->body, (Around){false, 1}, &stack);
}

/* ---- extents, strides
 * ------------------------------------------------------------------------------------------------------ */
static LLVMValueRef *extents(Fn *f, const Tensor *t)
{
    LLVMValueRef *e = NEW_ARRAY(f->c->mem, LLVMValueRef, t->rank + 1);
    int mark = cg_mark(f);
    for (int i = 0; i < t->rank; i++) e[i] = cg_scalar(f, t->shape[i]);
    cg_forget(f, mark);
    return e;
}

LLVMValueRef *cg_compact(Fn *f, const Tensor *t, LLVMValueRef *extent, bool nibbles)
{
    LLVMTypeRef i64 = f->c->i64;
    LLVMValueRef *s = NEW_ARRAY(f->c->mem, LLVMValueRef, t->rank + 1), at = cg_int(i64, 1);
    for (int i = t->rank - 1; i >= 0; i--) {
        s[i] = at;
        LLVMValueRef e = extent[i];
        if (nibbles && i == t->rank - 1) /* rows start on a byte */
            e = LLVMBuildAnd(f->b, cg_add(f, e, cg_int(i64, 1)), cg_int(i64, -2), "");
        at = cg_mul(f, at, e);
    }
    return s;
}

/* ---- workspace
 * ----------------------------------------------------------------------------------------------------------- */
static LLVMValueRef times(Fn *f, LLVMValueRef a, LLVMValueRef b, LLVMValueRef *ov)
{
    if (!ov) return cg_mul(f, a, b);
    LLVMValueRef r = cg_call2(f, "llvm.smul.with.overflow", a, b);
    *ov = LLVMBuildOr(f->b, *ov, LLVMBuildExtractValue(f->b, r, 1, ""), "");
    return LLVMBuildExtractValue(f->b, r, 0, "");
}

static LLVMValueRef sum(Fn *f, LLVMValueRef a, LLVMValueRef b, LLVMValueRef *ov)
{
    if (!ov) return cg_add(f, a, b);
    LLVMValueRef r = cg_call2(f, "llvm.sadd.with.overflow", a, b);
    *ov = LLVMBuildOr(f->b, *ov, LLVMBuildExtractValue(f->b, r, 1, ""), "");
    return LLVMBuildExtractValue(f->b, r, 0, "");
}

void cg_plan_workspace(Fn *f, LLVMValueRef *shared, LLVMValueRef *worker, LLVMValueRef *ov)
{
    Cg *c = f->c;
    LLVMTypeRef i64 = c->i64;
    *shared = *worker = cg_int(i64, 0);
    for (int i = 0; i < c->op->ntensors; i++) {
        const Buffer *b = &c->buf[i];
        const Tensor *t = c->op->tensor[i];
        if (!b->used || b->stack) continue;
        LLVMValueRef *total = b->per_worker ? worker : shared, *e = extents(f, t);
        f->ws_off[i] = *total;
        int64_t each = elem_bytes(c, t->type, b->rep), lanes = b->lanes;
        LLVMValueRef n = cg_int(i64, each * lanes);
        for (int k = 0; k < t->rank; k++) {
            LLVMValueRef x = LLVMIsAConstantInt(e[k]) ? e[k] : cg_call2(f, "llvm.smax", e[k], cg_int(i64, 0));
            n = times(f, n, x, ov);
        }
        n = sum(f, n, cg_int(i64, each * c->widest + 63), ov);
        *total = sum(f, *total, LLVMBuildAnd(f->b, n, cg_int(i64, -64), ""), ov);
    }
}

LLVMValueRef cg_member(Fn *f, LLVMValueRef of, int64_t offset, LLVMTypeRef t)
{
    LLVMValueRef off = cg_int(f->c->i64, offset);
    return LLVMBuildLoad2(f->b, t, LLVMBuildGEP2(f->b, f->c->i8, of, &off, 1, ""), "");
}

static void shape_of(Fn *f, const Tensor *t, Place *p)
{
    const Buffer *b = &f->c->buf[t->id];
    p->elem = cg_elem(f->c, t->type, b->rep);
    p->rep = b->rep;
    p->lanes = b->lanes;
    p->ready = true;
    p->extent = extents(f, t);
    p->stride = cg_compact(f, t, p->extent, false);
}

/* A copy of the statement elsewhere in the function (unrolling, the masked remainder) takes the same slot of the stack.
 */
void cg_alloc(Fn *f, const Tensor *t)
{
    const Buffer *b = &f->c->buf[t->id];
    Place *p = &f->place[t->id];
    shape_of(f, t, p);
    p->own = true;
    if (!b->stack) {
        LLVMValueRef base = b->per_worker ? f->ws_worker : f->ws_shared;
        p->ptr = LLVMBuildGEP2(f->b, f->c->i8, base, &f->ws_off[t->id], 1, t->name);
        return;
    }
    int64_t room = b->lanes == 1 && t->rank > 0 ? f->c->widest : 0; /* what lanes beyond the end touch */
    if (!p->slot) p->slot = cg_alloca(f, p->elem, b->count + room + (b->count == 0));
    p->ptr = p->slot;
}

void cg_borrow(Fn *f, const Tensor *t, LLVMValueRef ptr)
{
    Place *p = &f->place[t->id];
    shape_of(f, t, p);
    p->ptr = ptr;
}

/* ---- parameters
 * ----------------------------------------------------------------------------------------------------------- */
void cg_dims(Fn *f, LLVMValueRef sizes)
{
    Cg *c = f->c;
    f->dim = NEW_ARRAY(c->mem, LLVMValueRef, c->op->ndims + 1);
    for (int i = 0; i < c->op->ndims; i++) {
        int64_t v = c->op->dim[i].value;
        f->dim[i] = v >= 0 ? cg_int(c->i64, v) : cg_member(f, sizes, 8 * i, c->i64);
        if (v < 0) LLVMSetValueName2(f->dim[i], c->op->dim[i].name, strlen(c->op->dim[i].name));
    }
}

static void param(Fn *f, const Tensor *t, LLVMValueRef data, int at)
{
    Cg *c = f->c;
    const Buffer *b = &c->buf[t->id];
    Place *p = &f->place[t->id];
    *p = (Place){.elem = cg_elem(c, t->type, b->rep), .rep = b->rep, .lanes = 1, .ready = true};
    p->ptr = cg_member(f, data, 8 * t->id, c->ptr);
    LLVMSetValueName2(p->ptr, t->name, strlen(t->name));
    p->extent = extents(f, t);
    p->stride = cg_compact(f, t, p->extent, b->rep == REP_NIBBLE);
    if (!f->strides) return;
    for (int i = 0; i < t->rank; i++) {
        bool last = i == t->rank - 1;
        if (last && (f->strides == 1 || b->rep == REP_NIBBLE)) continue; /* 1 */
        p->stride[i] = cg_member(f, f->strides_at, 8 * (at + i), c->i64);
    }
}

void cg_params(Fn *f)
{
    Cg *c = f->c;
    LLVMValueRef data = cg_member(f, f->call, offsetof(tensorcc_call, data), c->ptr), shared, worker;
    for (int i = 0, at = 0; i < c->op->nparams; i++) {
        param(f, c->op->tensor[i], data, at);
        at += c->op->tensor[i]->rank;
    }
    bool any = false;
    for (int i = 0; i < c->op->ntensors; i++) any |= c->buf[i].used && !c->buf[i].stack;
    if (!any) return;
    cg_plan_workspace(f, &shared, &worker, NULL);
    f->ws_shared = cg_member(f, f->call, offsetof(tensorcc_call, workspace), c->ptr);
    LLVMValueRef id = LLVMBuildSExt(f->b, f->worker, c->i64, "");
    LLVMValueRef off = cg_add(f, shared, cg_mul(f, id, worker));
    f->ws_worker = LLVMBuildGEP2(f->b, c->i8, f->ws_shared, &off, 1, "");
}
