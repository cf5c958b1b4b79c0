/* emit: what a kernel can be turned into: the program at each stage, code, and a C header. */
#include "api/emit.h"

#include <stdlib.h>
#include <string.h>

/* The calling convention's header goes into every emitted header, so that it needs nothing else: the very file. */
__asm__(".section .rodata\n"
        "tensorcc_kernel_header:\n"
        ".incbin \"include/tensorcc_kernel.h\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char kernel_header[] __asm__("tensorcc_kernel_header");

typedef enum Kind { KIND_TE, KIND_TILE, KIND_LLVM, KIND_ASM, KIND_OBJ, KIND_SO, KIND_HEADER,
               KIND_G9,
               KIND_G9ASM, KIND_MIR, KIND_SCHEDULE, KIND_STEPS, KIND_SPACE, KINDS } Kind;
static const char *const kind_name[KINDS] = {"te", "tile", "llvm", "asm", "obj", "so", "header", "g9", "g9asm",
                                            "mir", "schedule", "steps", "space"};

void api_comment(Text *t, const char *margin, const char *s)
{
    while (s && *s) {
        size_t n = strcspn(s, "\n");
        text_add(t, margin);
        for (size_t i = 0; i < n; i++) {
            text_char(t, s[i]);
            if (s[i] == '*' && s[i + 1] == '/') text_char(t, ' ');
        }
        text_char(t, '\n');
        s += n + (s[n] == '\n');
    }
}

static void header_tensors(Text *t, const tensorcc_kernel *k)
{
    static const char *const role[] = {[TK_INPUT] = "in",
                                       [TK_CONST_INPUT] = "in, the same in every call",
                                       [TK_INOUT] = "in and out",
                                       [TK_OUTPUT] = "out"};
    const TeOp *op = k->op;
    for (int i = 0; i < op->nparams; i++) {
        const Tensor *p = op->tensor[i];
        text_printf(t, " *   data[%d]   %s: %s%s   %s\n", i, p->name, te_type[p->type].name, k->shape[i],
                    role[p->kind]);
    }
    for (int i = 0; i < op->ndims; i++) {
        const Dim *d = &op->dim[i];
        if (d->value >= 0) {
            text_printf(t, " *   sizes[%d]  %s = %lld, fixed\n", i, d->name, (long long)d->value);
        } else {
            text_printf(t, " *   sizes[%d]  %s in %lld..%lld\n", i, d->name, (long long)d->lo, (long long)d->hi);
        }
    }
}

void api_header(Text *t, const tensorcc_kernel *k)
{
    const TeOp *op = k->op;
    text_printf(t, "/* %s: made by %s for %s, schedule %s, numerics %s.\n", op->name, tensorcc_toolchain(),
                k->target_name, k->schedule, k->numerics);
    if (op->doc && *op->doc) {
        text_add(t, " *\n");
        api_comment(t, " *   ", op->doc);
    }
    text_add(t, " *\n");
    header_tensors(t, k);
    for (int i = 0; i < op->nwhere; i++) {
        Text cond = {.mem = t->mem};
        te_print_expr(&cond, op, op->check[i].cond);
        text_printf(t, " *   where      %s\n", cond.s);
    }
    text_printf(t, " *   strides    %s\n",
                k->flags & TENSORCC_STRIDED ? "any; NULL: all tensors are compact (row-major)"
                                            : "NULL: all tensors are compact (row-major)");
    text_printf(t,
                " *\n * A call:   tensorcc_call call = {.data = data, .sizes = sizes, .workspace = workspace};\n"
                " *           int32_t status = %s(&call);\n"
                " * where workspace has %s_workspace(sizes, 1) bytes and is aligned to 64. 0 is success. */\n",
                op->name, op->name);
    text_printf(t, "#ifndef TENSORCC_OP_%s_H\n#define TENSORCC_OP_%s_H\n\n", op->name, op->name);
    text_add(t, kernel_header);
    text_printf(t,
                "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n"
                "int32_t %s(const tensorcc_call *call);\n"
                "int64_t %s_workspace(const int64_t *sizes, int32_t threads);\n"
                "#ifdef __cplusplus\n}\n#endif\n#endif\n",
                op->name, op->name);
}

tensorcc_status api_object(tensorcc_kernel *k, Arena *mem, CgEmit kind, char **bytes, size_t *n)
{
    char *error = NULL;
    double start = rt_now_ns();
    CgOptions o = {.strided = k->flags & TENSORCC_STRIDED, .debug_lines = k->flags & TENSORCC_DEBUG_LINES, .opt = 2};
    if (!cg_emit(k->prog, k->target, &o, kind, mem, bytes, n, &error)) {
        api_error(k->ctx, TENSORCC_E_BUG, D_X003_LLVM, error ? error : "no reason given");
        free(error);
        return TENSORCC_E_BUG;
    }
    pthread_mutex_lock(&k->lock);
    k->ns += rt_now_ns() - start;
    pthread_mutex_unlock(&k->lock);
    return TENSORCC_OK;
}

typedef struct Emit {
    tensorcc_kernel *k;
    Kind kind;
    Arena *mem;
    char *bytes;
    size_t n;
    tensorcc_status status;
} Emit;

/* What a schedule out of a file is, and does. */
static void emit_schedule(Emit *e, Text *t)
{
    tensorcc_kernel *k = e->k;
    Diags d = {.mem = e->mem};
    bool (*const show[])(Arena *, const SchedUse *, const TeOp *, Diags *, Text *) = {sched_filled, sched_steps, sched_space};
    bool ok = show[e->kind - KIND_SCHEDULE](e->mem, &k->use, k->op, &d, t);
    e->status = api_verdict(k->ctx, &d);
    if (!ok && !e->status) e->status = api_error(k->ctx, TENSORCC_E_BUG, D_X002_BUG, "scheduling", "no reason was given");
}

static void emit(void *arg)
{
    Emit *e = arg;
    tensorcc_kernel *k = e->k;
    Text t = {.mem = e->mem};
    text_add(&t, "");
    switch (e->kind) {
    case KIND_TE: te_print_op(&t, k->op); break;
    case KIND_TILE: tile_print(&t, k->prog); break;
    case KIND_HEADER: api_header(&t, k); break;
    case KIND_LLVM: e->status = api_object(k, e->mem, CG_LLVM, &e->bytes, &e->n); return;
    case KIND_ASM: e->status = api_object(k, e->mem, CG_ASM, &e->bytes, &e->n); return;
    case KIND_OBJ: e->status = api_object(k, e->mem, CG_OBJ, &e->bytes, &e->n); return;
    case KIND_SO: e->status = api_library(k, e->mem, &e->bytes, &e->n); return;
    case KIND_G9:
    case KIND_G9ASM:
    case KIND_MIR: e->status = api_gpgpu_text(k, e->mem, kind_name[e->kind], &e->bytes, &e->n); return;
    case KIND_SCHEDULE:
    case KIND_STEPS:
    case KIND_SPACE: emit_schedule(e, &t); break;
    case KINDS: break;
    }
    e->bytes = t.s;
    e->n = t.n;
}

tensorcc_status tensorcc_emit(tensorcc_kernel *k, const char *kind, tensorcc_blob **out)
{
    if (!k) return TENSORCC_E_USAGE;
    if (!kind || !out) return api_usage(k->ctx, "tensorcc_emit", "kind or out is NULL");
    *out = NULL;
    Emit e = {.k = k};
    while (e.kind < KINDS && strcmp(kind, kind_name[e.kind])) e.kind++;
    if (e.kind == KINDS) return api_error(k->ctx, TENSORCC_E_USAGE, D_R028_KIND, kind);
    bool needs_code = e.kind != KIND_TE && e.kind != KIND_HEADER;
    if (e.kind >= KIND_SCHEDULE && !k->use.sched)
        return api_error(k->ctx, TENSORCC_E_INPUT, D_R041_NO_SCHEDULE, k->schedule);
    bool kept = k->gpu && (e.kind == KIND_G9 || e.kind == KIND_G9ASM);
    if (needs_code && k->loaded && !kept)
        return api_error(k->ctx, TENSORCC_E_INPUT, D_R033_LOAD, "the artifact", "it holds code, and can be run only");
    if ((needs_code || e.kind == KIND_HEADER) && k->interp)
        return api_error(k->ctx, TENSORCC_E_INPUT, D_R036_INTERP_KIND, kind);
    bool of_cpu = e.kind >= KIND_LLVM && e.kind <= KIND_HEADER, of_gpu = e.kind >= KIND_G9 && e.kind <= KIND_MIR;
    if (of_cpu && k->gpu) return api_error(k->ctx, TENSORCC_E_INPUT, D_R045_G9_KIND, k->target_name, kind);
    if (of_gpu && !k->gpu) return api_error(k->ctx, TENSORCC_E_INPUT, D_R046_G9_ONLY, kind, k->target_name);
    if (e.kind == KIND_TE && k->module->tile) return api_error(k->ctx, TENSORCC_E_INPUT, D_R029_TILE, "kind `te`");
    e.mem = arena_new();
    if (!e.mem || !api_guard_deep(e.mem, emit, &e)) e.status = api_no_memory(k->ctx);
    if (!e.status) e.status = api_blob(k->ctx, e.bytes, e.n, out);
    arena_free(e.mem);
    return e.status;
}
