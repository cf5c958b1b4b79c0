/* kernel: what a compiled op takes, and what it costs. */
#include "api/api.h"

#include <stdlib.h>
#include <string.h>

void api_describe_params(tensorcc_kernel *k)
{
    const TeOp *op = k->op;
    k->shape = NEW_ARRAY(k->mem, const char *, op->nparams + 1);
    for (int i = 0; i < op->nparams; i++) {
        const Tensor *t = op->tensor[i];
        Text s = {.mem = k->mem};
        text_add(&s, "");
        for (int x = 0; x < t->rank; x++) {
            text_add(&s, x ? "," : "[");
            te_print_expr(&s, op, t->shape[x]);
        }
        if (t->rank) text_add(&s, "]");
        k->shape[i] = s.s;
        if (t->rank > k->maxrank) k->maxrank = t->rank;
        k->sumrank += t->rank;
    }
}

const char *tensorcc_kernel_op(const tensorcc_kernel *k) { return k ? k->op->name : NULL; }
int32_t tensorcc_kernel_params(const tensorcc_kernel *k) { return k ? k->op->nparams : 0; }
int32_t tensorcc_kernel_dims(const tensorcc_kernel *k) { return k ? k->op->ndims : 0; }

/* Copies as much of a struct as the caller's version of it has. */
static bool hand_out(void *out, const void *from, uint32_t size)
{
    uint32_t theirs;
    memcpy(&theirs, out, sizeof theirs);
    if (theirs < sizeof theirs) return false;
    memcpy(out, from, theirs < size ? theirs : size);
    memcpy(out, &theirs, sizeof theirs);
    return true;
}

tensorcc_status tensorcc_kernel_param(const tensorcc_kernel *k, int32_t i, tensorcc_param *out)
{
    if (!k || !out) return TENSORCC_E_USAGE;
    if (i < 0 || i >= k->op->nparams) return api_usage(k->ctx, "tensorcc_kernel_param", "no such parameter");
    static const int kind[] = {[TK_INPUT] = TENSORCC_INPUT,
                               [TK_CONST_INPUT] = TENSORCC_CONST_INPUT,
                               [TK_INOUT] = TENSORCC_INOUT,
                               [TK_OUTPUT] = TENSORCC_OUTPUT};
    const Tensor *t = k->op->tensor[i];
    const TypeInfo *type = &te_type[t->type];
    tensorcc_param p = {.kind = kind[t->kind],
                        .rank = t->rank,
                        .scalar = t->scalar,
                        .name = t->name,
                        .dtype = type->name,
                        .npy = type->npy,
                        .dl_code = (uint8_t)type->dl_code,
                        .dl_bits = (uint8_t)type->dl_bits,
                        .shape = k->shape[i]};
    return hand_out(out, &p, sizeof p) ? TENSORCC_OK
                                       : api_usage(k->ctx, "tensorcc_kernel_param", "struct_size is not set");
}

const char *tensorcc_kernel_dim(const tensorcc_kernel *k, int32_t i, int64_t *value)
{
    if (!k || i < 0 || i >= k->op->ndims) return NULL;
    if (value) *value = k->op->dim[i].value;
    return k->op->dim[i].name;
}

int64_t tensorcc_kernel_default(const tensorcc_kernel *k, int32_t i)
{
    if (!k || i < 0 || i >= k->op->ndims || !k->op->dim[i].has_default) return -1;
    return k->op->dim[i].dflt;
}

int32_t tensorcc_kernel_hints(const tensorcc_kernel *k, int32_t i, int64_t *hints, int32_t cap)
{
    if (!k || i < 0 || i >= k->op->ndims) return 0;
    const Dim *d = &k->op->dim[i];
    for (int h = 0; hints && h < d->nhints && h < cap; h++) hints[h] = d->hint[h];
    return d->nhints;
}

tensorcc_status tensorcc_kernel_describe(const tensorcc_kernel *k, tensorcc_kernel_info *out)
{
    if (!k || !out) return TENSORCC_E_USAGE;
    pthread_mutex_t *lock = (pthread_mutex_t *)&k->lock;
    pthread_mutex_lock(lock);
    tensorcc_kernel_info info = {.op = k->op->name,
                                 .target = k->target_name,
                                 .schedule = k->schedule,
                                 .schedule_source = k->source,
                                 .numerics = k->numerics,
                                 .compile_ms = k->ns / 1e6};
    for (int v = 0; v < VARIANTS; v++)
        if (atomic_load(&k->have[v])) info.code_bytes += (int64_t)k->jit[v].code_bytes;
    if (k->gpu) info.code_bytes = api_gpgpu_code_bytes(k);
    pthread_mutex_unlock(lock);
    return hand_out(out, &info, sizeof info) ? TENSORCC_OK
                                             : api_usage(k->ctx, "tensorcc_kernel_describe", "struct_size is not set");
}

/* ---- sizes: each call works in an arena of its own, so that kernels stay immutable ------------------------------- */
typedef enum Question { ASK_INFER, ASK_SHAPE, ASK_BYTES, ASK_BOUND, ASK_WORK } Question;
typedef struct Ask {
    tensorcc_kernel *k;
    Question what;
    Arena *mem;
    int param;
    const int64_t *const *shapes;
    const int64_t *sizes;
    int64_t *result;
    TeWork work;
    tensorcc_status status;
} Ask;

/* Extents that elements of tensor `t` index; what they index through integer lets too. */
typedef struct Seek {
    const tensorcc_kernel *k;
    const int64_t *sizes;
    bool *seen;      /* by Expr.id */
    int64_t *marked; /* by Expr.id: 1 + the least extent it was marked with, 0: not yet */
    int64_t *extent; /* by tensor: least extent that its elements index, -1: none */
    bool changed;
} Seek;

static void lower_extent(Seek *s, const Tensor *t, int64_t extent)
{
    if (!te_is_int((DType)t->type) || (s->extent[t->id] >= 0 && s->extent[t->id] <= extent)) return;
    s->extent[t->id] = extent;
    s->changed = true;
}

/* Everything that e reads may be an index below extent; so may what bounds the variables in it. */
static void mark_index(Seek *s, const Expr *e, int64_t extent)
{
    if (s->marked[e->id] && s->marked[e->id] <= extent + 1) return;
    s->marked[e->id] = extent + 1;
    if (e->op == EX_LOAD) lower_extent(s, e->load.t, extent);
    if (e->op == EX_VAR && e->var->lo) mark_index(s, e->var->lo, extent);
    if (e->op == EX_VAR && e->var->hi) mark_index(s, e->var->hi, extent);
    if (e->op == EX_LOAD || e->op == EX_REDUCE) return; /* its own indices are seen by walk */
    for (int i = 0; i < e->nargs; i++) mark_index(s, e->arg[i], extent);
}

static void walk(Seek *s, const Expr *e)
{
    if (s->seen[e->id]) return;
    s->seen[e->id] = true;
    if (e->op == EX_LOAD)
        for (int i = 0; i < e->load.t->rank; i++) {
            int64_t extent;
            if (te_eval_size_at(s->k->op, e->load.t->shape[i], s->sizes, &extent)) mark_index(s, e->arg[i], extent);
        }
    for (int i = 0; i < te_nchildren(e); i++) walk(s, te_child(e, i));
}

static int64_t index_bound(Ask *q)
{
    const TeOp *op = q->k->op;
    Seek s = {.k = q->k,
              .sizes = q->sizes,
              .seen = NEW_ARRAY(q->mem, bool, op->nexprs + 1),
              .marked = NEW_ARRAY(q->mem, int64_t, op->nexprs + 1),
              .extent = NEW_ARRAY(q->mem, int64_t, op->ntensors + 1)};
    for (int i = 0; i < op->ntensors; i++) s.extent[i] = -1;
    for (int i = 0; i < op->ndefs; i++) walk(&s, op->def[i]->rhs);
    /* An integer let that is an index passes that on to what it is made of. */
    for (int round = 0; s.changed && round < op->ndefs + 1; round++) {
        s.changed = false;
        for (int i = op->ndefs; i-- > 0;)
            for (int o = 0; o < op->def[i]->nout; o++) {
                int64_t extent = s.extent[op->def[i]->out[o]->id];
                if (extent >= 0 && op->def[i]->let) mark_index(&s, op->def[i]->rhs, extent);
            }
    }
    return s.extent[q->param];
}

static bool bytes(Ask *q, Diags *d)
{
    const Tensor *t = q->k->op->tensor[q->param];
    int64_t *shape = NEW_ARRAY(q->mem, int64_t, t->rank + 1);
    if (!api_shape(q->k, q->param, q->sizes, shape, d)) return false;
    *q->result = num_bytes(t->type, t->rank, shape);
    if (*q->result >= 0) return true;
    Text s = {.mem = q->mem};
    api_sizes_text(&s, q->k->op, q->sizes);
    diag_error(d, D_R037_TOO_LARGE, (Span){0}, t->name, s.s);
    return false;
}

static void answer(void *arg)
{
    Ask *q = arg;
    Diags d = {.mem = q->mem};
    switch (q->what) {
    case ASK_INFER: api_infer(q->k, q->shapes, q->result, &d); break;
    case ASK_SHAPE: api_shape(q->k, q->param, q->sizes, q->result, &d); break;
    case ASK_BYTES: bytes(q, &d); break;
    case ASK_BOUND: *q->result = index_bound(q); break;
    case ASK_WORK:
        if (api_check_sizes(q->k, q->sizes, &d)) q->work = te_work(q->k->op, q->sizes);
        break;
    }
    q->status = api_verdict(q->k->ctx, &d);
}

static tensorcc_status ask(Ask *q)
{
    q->mem = arena_new();
    if (!q->mem || !api_guard_deep(q->mem, answer, q)) q->status = api_no_memory(q->k->ctx);
    arena_free(q->mem);
    return q->status;
}

tensorcc_status tensorcc_kernel_infer(tensorcc_kernel *k, const int64_t *const *shape, int64_t *sizes)
{
    if (!k) return TENSORCC_E_USAGE;
    if (!shape || (!sizes && k->op->ndims)) return api_usage(k->ctx, "tensorcc_kernel_infer", "shape or sizes is NULL");
    return ask(&(Ask){.k = k, .what = ASK_INFER, .shapes = shape, .result = sizes});
}

typedef struct Fix {
    tensorcc_kernel *k;
    const char *dim;
    int64_t size;
    tensorcc_status status;
} Fix;

static void fix(void *arg)
{
    Fix *f = arg;
    tensorcc_kernel *k = f->k;
    const TeOp *op = k->op;
    Diags d = {.mem = k->mem};
    int at = 0;
    while (at < op->ndims && strcmp(op->dim[at].name, f->dim)) at++;
    if (at == op->ndims) {
        diag_error(&d, D_R004_DIM, (Span){0}, op->name, f->dim);
    } else if (f->size < op->dim[at].lo || f->size > op->dim[at].hi) {
        api_out_of_range(&op->dim[at], f->size, &d);
    } else if (op->dim[at].value >= 0 && op->dim[at].value != f->size) {
        diag_error(&d, D_R032_FIXED, op->dim[at].span, f->dim, (long long)op->dim[at].value, (long long)f->size);
    } else {
        if (!k->fixed) {
            k->fixed = NEW_ARRAY(k->mem, int64_t, op->ndims + 1);
            for (int i = 0; i < op->ndims; i++) k->fixed[i] = -1;
        }
        k->fixed[at] = f->size;
    }
    f->status = api_verdict(k->ctx, &d);
}

tensorcc_status tensorcc_kernel_fix(tensorcc_kernel *k, const char *dim, int64_t size)
{
    if (!k) return TENSORCC_E_USAGE;
    if (!dim) return api_usage(k->ctx, "tensorcc_kernel_fix", "dim is NULL");
    Fix f = {k, dim, size, TENSORCC_OK};
    return api_guard(k->mem, fix, &f) ? f.status : api_no_memory(k->ctx);
}

static bool bad_param(const tensorcc_kernel *k, int32_t param, const int64_t *sizes, const void *out)
{
    return param < 0 || param >= k->op->nparams || (!sizes && k->op->ndims) || !out;
}

tensorcc_status tensorcc_kernel_shape(tensorcc_kernel *k, int32_t param, const int64_t *sizes, int64_t *shape)
{
    if (!k) return TENSORCC_E_USAGE;
    if (bad_param(k, param, sizes, k))
        return api_usage(k->ctx, "tensorcc_kernel_shape", "no such parameter, or a NULL");
    if (!shape && k->op->tensor[param]->rank) return api_usage(k->ctx, "tensorcc_kernel_shape", "shape is NULL");
    return ask(&(Ask){.k = k, .what = ASK_SHAPE, .param = param, .sizes = sizes, .result = shape});
}

tensorcc_status tensorcc_kernel_bytes(tensorcc_kernel *k, int32_t param, const int64_t *sizes, int64_t *out)
{
    if (!k) return TENSORCC_E_USAGE;
    if (bad_param(k, param, sizes, out))
        return api_usage(k->ctx, "tensorcc_kernel_bytes", "no such parameter, or a NULL");
    return ask(&(Ask){.k = k, .what = ASK_BYTES, .param = param, .sizes = sizes, .result = out});
}

tensorcc_status tensorcc_kernel_index_bound(tensorcc_kernel *k, int32_t param, const int64_t *sizes, int64_t *bound)
{
    if (!k) return TENSORCC_E_USAGE;
    if (bad_param(k, param, sizes, bound))
        return api_usage(k->ctx, "tensorcc_kernel_index_bound", "no such parameter, or a NULL");
    return ask(&(Ask){.k = k, .what = ASK_BOUND, .param = param, .sizes = sizes, .result = bound});
}

tensorcc_status tensorcc_kernel_work(tensorcc_kernel *k, const int64_t *sizes, tensorcc_work *out)
{
    if (!k) return TENSORCC_E_USAGE;
    if (!out || (!sizes && k->op->ndims)) return api_usage(k->ctx, "tensorcc_kernel_work", "sizes or out is NULL");
    Ask q = {.k = k, .what = ASK_WORK, .sizes = sizes};
    tensorcc_status status = ask(&q);
    if (status) return status;
    tensorcc_work w = {.flops = q.work.flops, .bytes = q.work.bytes, .terms = q.work.terms};
    if (k->module->tile) w.flops = w.bytes = w.terms = -1;
    return hand_out(out, &w, sizeof w) ? TENSORCC_OK
                                       : api_usage(k->ctx, "tensorcc_kernel_work", "struct_size is not set");
}

/* ---- elements ---- */
tensorcc_status tensorcc_encode(tensorcc_context *c, const char *dtype, const double *x, void *data, int64_t first,
                                int64_t n)
{
    if (!c) return TENSORCC_E_USAGE;
    DType t = dtype ? te_type_named(dtype) : DT_NONE;
    if (t == DT_NONE || t == DT_INDEX) return api_usage(c, "tensorcc_encode", "no such type");
    if (n < 0 || first < 0) return api_usage(c, "tensorcc_encode", "first or n is negative");
    if (n && (!x || !data)) return api_usage(c, "tensorcc_encode", "NULL");
    RtFpEnv old = rt_fpenv_enter();
    for (int64_t i = 0; i < n; i++) num_store(t, data, first + i, num_cast(t, DT_F64, (Num){.d = x[i]}));
    rt_fpenv_leave(old);
    return TENSORCC_OK;
}

tensorcc_status tensorcc_decode(tensorcc_context *c, const char *dtype, const void *data, int64_t first, int64_t n,
                                double *x)
{
    if (!c) return TENSORCC_E_USAGE;
    DType t = dtype ? te_type_named(dtype) : DT_NONE;
    if (t == DT_NONE || t == DT_INDEX) return api_usage(c, "tensorcc_decode", "no such type");
    if (n < 0 || first < 0) return api_usage(c, "tensorcc_decode", "first or n is negative");
    if (n && (!x || !data)) return api_usage(c, "tensorcc_decode", "NULL");
    RtFpEnv old = rt_fpenv_enter();
    for (int64_t i = 0; i < n; i++) x[i] = num_cast(DT_F64, t, num_load(t, data, first + i)).d;
    rt_fpenv_leave(old);
    return TENSORCC_OK;
}
