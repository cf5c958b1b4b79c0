/* kernel: the two functions of the calling convention (tensorcc_kernel.h, docs/kernel-abi.md): NAME checks sizes and
 * strides, then runs the body; NAME_workspace says how much memory it needs. Parameters carry alias scopes: no two
 * tensors of a program overlap. */
#include "codegen/llvm/llvm.h"

#include <stdio.h>
#include <string.h>

static LLVMTypeRef entry_type(Cg *c) { return LLVMFunctionType(c->i32, &c->ptr, 1, 0); }

static void attribute(Cg *c, LLVMValueRef fn, const char *key, const char *value)
{
    unsigned n = (unsigned)strlen(key), m = (unsigned)strlen(value);
    LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(c->ctx, key, n, value, m));
}

static void flag(Cg *c, LLVMValueRef fn, const char *name, uint64_t value)
{
    unsigned id = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(c->ctx, id, value));
}

Fn *cg_fn_new(Cg *c, const char *name, LLVMTypeRef type, bool local)
{
    Fn *f = NEW(c->mem, Fn);
    f->c = c;
    f->fn = LLVMAddFunction(c->mod, name, type);
    if (local) LLVMSetLinkage(f->fn, LLVMInternalLinkage);
    char width[16];
    snprintf(width, sizeof width, "%d", c->t->vector_bytes * 8);
    attribute(c, f->fn, "target-cpu", c->t->cpu);
    attribute(c, f->fn, "target-features", c->t->features);
    attribute(c, f->fn, "prefer-vector-width", width);
    attribute(c, f->fn, "min-legal-vector-width", width);
    flag(c, f->fn, "nounwind", 0);
    if (c->dib) flag(c, f->fn, "uwtable", 2);
    f->entry = LLVMAppendBasicBlockInContext(c->ctx, f->fn, "entry");
    LLVMBasicBlockRef start = LLVMAppendBasicBlockInContext(c->ctx, f->fn, "start");
    f->eb = LLVMCreateBuilderInContext(c->ctx);
    f->b = LLVMCreateBuilderInContext(c->ctx);
    LLVMPositionBuilderAtEnd(f->eb, f->entry);
    LLVMPositionBuilderAtEnd(f->b, start);
    f->ws_off = NEW_ARRAY(c->mem, LLVMValueRef, c->op->ntensors + 1);
    f->place = NEW_ARRAY(c->mem, Place, c->op->ntensors + 1);
    f->var = NEW_ARRAY(c->mem, Val, c->op->nvars + 1);
    f->memo = NEW_ARRAY(c->mem, Val, c->op->nexprs + 1);
    f->lanes = 1;
    f->next = c->open;
    c->open = f;
    cg_debug_function(f, name, local);
    return f;
}

void cg_fn_close(Fn *f)
{
    LLVMBuildBr(f->eb, LLVMGetNextBasicBlock(f->entry));
    f->c->open = f->next;
    cg_fn_drop(f);
}

void cg_fn_drop(Fn *f)
{
    LLVMDisposeBuilder(f->eb);
    LLVMDisposeBuilder(f->b);
}

/* ---- module-wide things
 * ----------------------------------------------------------------------------------------------------- */
/* fault(record, site, index): the first failure is kept. */
static void fault_function(Cg *c)
{
    LLVMTypeRef in[] = {c->ptr, c->i32, c->i64}, type = LLVMFunctionType(c->none, in, 3, 0);
    char *name = arena_printf(c->mem, "%s.fault", c->symbol);
    LLVMValueRef fn = c->fault_fn = LLVMAddFunction(c->mod, name, type);
    LLVMSetLinkage(fn, LLVMInternalLinkage);
    flag(c, fn, "noinline", 0);
    flag(c, fn, "cold", 0);
    flag(c, fn, "nounwind", 0);
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(c->ctx, fn, ""),
                      first = LLVMAppendBasicBlockInContext(c->ctx, fn, ""),
                      done = LLVMAppendBasicBlockInContext(c->ctx, fn, "");
    LLVMBuilderRef b = LLVMCreateBuilderInContext(c->ctx);
    LLVMPositionBuilderAtEnd(b, entry);
    LLVMValueRef to = LLVMGetParam(fn, 0), off = cg_int(c->i64, offsetof(tensorcc_fault, index));
    LLVMValueRef swap = LLVMBuildAtomicCmpXchg(b, to, cg_int(c->i32, 0), LLVMGetParam(fn, 1),
                                               LLVMAtomicOrderingMonotonic, LLVMAtomicOrderingMonotonic, 0);
    LLVMBuildCondBr(b, LLVMBuildExtractValue(b, swap, 1, ""), first, done);
    LLVMPositionBuilderAtEnd(b, first);
    LLVMBuildStore(b, LLVMGetParam(fn, 2), LLVMBuildGEP2(b, c->i8, to, &off, 1, ""));
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, done);
    LLVMBuildRetVoid(b);
    LLVMDisposeBuilder(b);
}

static LLVMMetadataRef node(Cg *c, LLVMMetadataRef *m, int n) { return LLVMMDNodeInContext2(c->ctx, m, (size_t)n); }

/* A scope per tensor in one domain: accesses of different tensors do not alias. Buffers on the stack need none. */
static void alias_scopes(Cg *c)
{
    int n = c->op->ntensors, k = 0;
    c->scope = NEW_ARRAY(c->mem, LLVMValueRef, n + 1);
    c->others = NEW_ARRAY(c->mem, LLVMValueRef, n + 1);
    c->md_scope = LLVMGetMDKindIDInContext(c->ctx, "alias.scope", 11);
    c->md_noalias = LLVMGetMDKindIDInContext(c->ctx, "noalias", 7);
    LLVMMetadataRef label = LLVMMDStringInContext2(c->ctx, c->symbol, strlen(c->symbol)), domain = node(c, &label, 1);
    LLVMMetadataRef *scope = NEW_ARRAY(c->mem, LLVMMetadataRef, n + 1),
                    *list = NEW_ARRAY(c->mem, LLVMMetadataRef, n + 1);
    for (int i = 0; i < n; i++) {
        const Tensor *t = c->op->tensor[i];
        if (i >= c->op->nparams && (!c->buf[i].used || c->buf[i].stack)) continue;
        char *name = arena_printf(c->mem, "%s#%d", t->name, i);
        LLVMMetadataRef parts[] = {LLVMMDStringInContext2(c->ctx, name, strlen(name)), domain};
        scope[i] = node(c, parts, 2);
    }
    for (int i = 0; i < n; i++) {
        if (!scope[i]) continue;
        k = 0;
        for (int j = 0; j < n; j++)
            if (scope[j] && j != i) list[k++] = scope[j];
        c->scope[i] = LLVMMetadataAsValue(c->ctx, node(c, &scope[i], 1));
        c->others[i] = LLVMMetadataAsValue(c->ctx, node(c, list, k));
    }
}

static void globals(Cg *c)
{
    LLVMTypeRef type = LLVMArrayType2(c->i8, CG_ZEROS);
    char *name = arena_printf(c->mem, "%s.zeros", c->symbol);
    c->zeros = LLVMAddGlobal(c->mod, type, name);
    LLVMSetInitializer(c->zeros, LLVMConstNull(type));
    LLVMSetGlobalConstant(c->zeros, 1);
    LLVMSetLinkage(c->zeros, LLVMInternalLinkage);
    LLVMSetAlignment(c->zeros, 64);
}

/* ---- checks
 * -------------------------------------------------------------------------------------------------------------------
 */
static void fail_unless(Fn *f, LLVMValueRef ok, int status, int site)
{
    Cg *c = f->c;
    int64_t k;
    if (cg_known(ok, &k) && k) return;
    LLVMBasicBlockRef bad = cg_block_new(f, "refuse"), on = cg_block_new(f, "checked");
    LLVMBuildCondBr(f->b, ok, on, bad);
    cg_enter(f, bad);
    LLVMBuildStore(f->b, cg_int(c->i32, site), f->fault);
    LLVMBuildRet(f->b, cg_int(c->i32, status));
    cg_enter(f, on);
}

static void check_sizes(Fn *f, LLVMValueRef sizes)
{
    Cg *c = f->c;
    const TeOp *op = c->op;
    LLVMValueRef ok = cg_int(c->i1, 1);
    for (int i = 0; i < op->ndims; i++) {
        const Dim *d = &op->dim[i];
        LLVMValueRef v = cg_member(f, sizes, 8 * i, c->i64), in;
        if (d->value >= 0)
            in = LLVMBuildICmp(f->b, LLVMIntEQ, v, cg_int(c->i64, d->value), "");
        else
            in = LLVMBuildAnd(f->b, LLVMBuildICmp(f->b, LLVMIntSGE, v, cg_int(c->i64, d->lo), ""),
                              LLVMBuildICmp(f->b, LLVMIntSLE, v, cg_int(c->i64, d->hi), ""), "");
        ok = LLVMBuildAnd(f->b, ok, in, "");
    }
    fail_unless(f, ok, TENSORCC_KERNEL_SIZES, 0);
    for (int i = 0; i < op->nchecks; i++) {
        int mark = cg_mark(f);
        LLVMValueRef holds = cg_scalar(f, op->check[i].cond);
        cg_forget(f, mark);
        fail_unless(f, holds, TENSORCC_KERNEL_SIZES, i + 1);
    }
}

/* ---- strides
 * --------------------------------------------------------------------------------------------------------------------
 */
static int total_rank(const TeOp *op)
{
    int n = 0;
    for (int i = 0; i < op->nparams; i++) n += op->tensor[i]->rank;
    return n;
}

/* A kernel for compact tensors refuses others; strides of extents up to 1 mean nothing. */
static void check_compact(Fn *f)
{
    Cg *c = f->c;
    LLVMValueRef given = cg_member(f, f->call, offsetof(tensorcc_call, strides), c->ptr), ok = cg_int(c->i1, 1);
    if (!total_rank(c->op)) return;
    LLVMBasicBlockRef look = cg_block_new(f, "strides"), on = cg_block_new(f, "compact"),
                      bad = cg_block_new(f, "refuse");
    LLVMBuildCondBr(f->b, LLVMBuildIsNull(f->b, given, ""), on, look);
    cg_enter(f, look);
    for (int i = 0, at = 0; i < c->op->nparams; i++) {
        const Place *p = &f->place[i];
        for (int k = 0; k < c->op->tensor[i]->rank; k++, at++) {
            LLVMValueRef same = LLVMBuildICmp(f->b, LLVMIntEQ, cg_member(f, given, 8 * at, c->i64), p->stride[k], "");
            LLVMValueRef idle = LLVMBuildICmp(f->b, LLVMIntSLE, p->extent[k], cg_int(c->i64, 1), "");
            ok = LLVMBuildAnd(f->b, ok, LLVMBuildOr(f->b, same, idle, ""), "");
        }
    }
    LLVMBuildCondBr(f->b, ok, on, bad);
    cg_enter(f, bad);
    LLVMBuildRet(f->b, cg_int(c->i32, TENSORCC_KERNEL_STRIDES));
    cg_enter(f, on);
}

/* The strides in force: those of the call, or compact ones, in an array on the stack. Returns whether all innermost
 * ones are 1. */
static LLVMValueRef find_strides(Fn *f)
{
    Cg *c = f->c;
    int n = total_rank(c->op);
    LLVMValueRef given = cg_member(f, f->call, offsetof(tensorcc_call, strides), c->ptr), unit = cg_int(c->i1, 1);
    f->strides_at = cg_alloca(f, c->i64, n ? n : 1);
    LLVMBasicBlockRef none = cg_block_new(f, "compact"), some = cg_block_new(f, "given"),
                      join = cg_block_new(f, "strides");
    LLVMBuildCondBr(f->b, LLVMBuildIsNull(f->b, given, ""), none, some);
    for (int side = 0; side < 2; side++) {
        cg_enter(f, side ? some : none);
        for (int i = 0, at = 0; i < c->op->nparams; i++)
            for (int k = 0; k < c->op->tensor[i]->rank; k++, at++) {
                LLVMValueRef ix = cg_int(c->i64, at), to = LLVMBuildGEP2(f->b, c->i64, f->strides_at, &ix, 1, "");
                LLVMBuildStore(f->b, side ? cg_member(f, given, 8 * at, c->i64) : f->place[i].stride[k], to);
            }
        LLVMBuildBr(f->b, join);
    }
    cg_enter(f, join);
    for (int i = 0, at = 0; i < c->op->nparams; at += c->op->tensor[i]->rank, i++) {
        int last = c->op->tensor[i]->rank - 1;
        if (last < 0) continue;
        LLVMValueRef s = cg_member(f, f->strides_at, 8 * (at + last), c->i64);
        LLVMValueRef one = LLVMBuildICmp(f->b, LLVMIntEQ, s, cg_int(c->i64, 1), "");
        LLVMValueRef idle = LLVMBuildICmp(f->b, LLVMIntSLE, f->place[i].extent[last], cg_int(c->i64, 1), "");
        unit = LLVMBuildAnd(f->b, unit, LLVMBuildOr(f->b, one, idle, ""), "");
    }
    return unit;
}

static void run_body(Fn *f)
{
    Cg *c = f->c;
    if (!c->o->strided) {
        check_compact(f);
        cg_block(f, &c->p->body);
        return;
    }
    LLVMBasicBlockRef fast = cg_block_new(f, "unit"), slow = cg_block_new(f, "any"), done = cg_block_new(f, "finish");
    LLVMBuildCondBr(f->b, find_strides(f), fast, slow);
    for (int form = 1; form <= 2; form++) {
        cg_enter(f, form == 1 ? fast : slow);
        f->strides = form;
        cg_params(f);
        cg_block(f, &c->p->body);
        cg_goto(f, done);
    }
    cg_enter(f, done);
}

/* ---- the two functions
 * --------------------------------------------------------------------------------------------------------- */
static void entry(Cg *c)
{
    Fn *f = cg_fn_new(c, c->symbol, entry_type(c), false);
    f->call = LLVMGetParam(f->fn, 0);
    f->worker = cg_int(c->i32, 0);
    LLVMValueRef own = cg_alloca(f, c->i64, 2), given = cg_member(f, f->call, offsetof(tensorcc_call, fault), c->ptr);
    f->fault = LLVMBuildSelect(f->b, LLVMBuildIsNull(f->b, given, ""), own, given, "fault");
    LLVMBuildStore(f->b, LLVMConstNull(c->i64), f->fault);
    LLVMValueRef sizes = cg_member(f, f->call, offsetof(tensorcc_call, sizes), c->ptr);
    cg_dims(f, sizes);
    check_sizes(f, sizes);
    cg_params(f);
    run_body(f);
    cg_finish_streams(f);
    LLVMValueRef site = cg_member(f, f->fault, 0, c->i32);
    LLVMValueRef failed = LLVMBuildICmp(f->b, LLVMIntNE, site, cg_int(c->i32, 0), "");
    LLVMBuildRet(f->b, LLVMBuildZExt(f->b, failed, c->i32, ""));
    cg_fn_close(f);
}

static void workspace(Cg *c)
{
    LLVMTypeRef in[] = {c->ptr, c->i32};
    char *name = arena_printf(c->mem, "%s_workspace", c->symbol);
    Fn *f = cg_fn_new(c, name, LLVMFunctionType(c->i64, in, 2, 0), false);
    LLVMValueRef ov = cg_int(c->i1, 0), shared, worker;
    cg_dims(f, LLVMGetParam(f->fn, 0));
    cg_plan_workspace(f, &shared, &worker, &ov);
    LLVMValueRef threads = LLVMBuildSExt(f->b, LLVMGetParam(f->fn, 1), c->i64, "");
    threads = cg_call2(f, "llvm.smax", threads, cg_int(c->i64, 1));
    LLVMValueRef all = cg_call2(f, "llvm.smul.with.overflow", threads, worker), total;
    ov = LLVMBuildOr(f->b, ov, LLVMBuildExtractValue(f->b, all, 1, ""), "");
    total = cg_call2(f, "llvm.sadd.with.overflow", LLVMBuildExtractValue(f->b, all, 0, ""), shared);
    ov = LLVMBuildOr(f->b, ov, LLVMBuildExtractValue(f->b, total, 1, ""), "");
    LLVMBuildRet(f->b, LLVMBuildSelect(f->b, ov, cg_int(c->i64, -1), LLVMBuildExtractValue(f->b, total, 0, ""), ""));
    cg_fn_close(f);
}

void cg_kernel(Cg *c)
{
    cg_plan_buffers(c);
    alias_scopes(c);
    globals(c);
    fault_function(c);
    entry(c);
    workspace(c);
}
