/* run: a call with DLPack tensors: checked here, then handed to the kernel's code or to an interpreter.
 *
 * What is checked: number, device, type and rank of the tensors; sizes, from shapes; ranges of dims and `where`s;
 * strides of sub-byte rows; memory that a result shares with anything else. Tensors that are not compact go to the
 * variant that takes strides; where there is none (interpreters, a loaded library) they are copied. The call's memory
 * comes from one arena; nothing of it is left when the call returns, except workspaces, which the kernel keeps. */
#include "api/api.h"
#include "runtime/sim/sim.h"

#include <stdlib.h>
#include <string.h>

typedef struct Arg {
    const tensorcc_tensor *t;
    const Tensor *decl;
    char *data;
    int64_t *shape, *strides; /* of decl's rank; a scalar has none */
    int64_t elements, bytes;  /* bytes: of the compact tensor */
    bool compact, written;
    ptrdiff_t from, to; /* bytes that it may touch, relative to data: [from, to) */
    void *copy;         /* compact, when it had to be copied */
} Arg;

typedef struct Run {
    tensorcc_kernel *k;
    Arena *mem;
    Diags d;
    int n;
    const tensorcc_tensor *const *args;
    Arg *arg;
    int64_t *sizes;
    ApiGpuRun *profile; /* of a timed call, else NULL */
    tensorcc_status status;
} Run;

/* ---- one tensor ----------------------------------------------------------------------------------------------------
 */

static bool type_ok(const Tensor *p, tensorcc_dl_dtype t)
{
    const TypeInfo *i = &te_type[p->type];
    if (t.code == i->dl_code && t.bits == i->dl_bits) return true;
    return p->type == DT_U1 && t.code == 1 && t.bits == 8; /* a bool as uint8 */
}

static const char *dl_name(Arena *mem, tensorcc_dl_dtype t)
{
    for (int i = 0; i < DT_COUNT; i++)
        if (i != DT_INDEX && i != DT_TF32 && te_type[i].dl_code == t.code && te_type[i].dl_bits == t.bits)
            return arena_printf(mem, "type %s", te_type[i].name);
    return arena_printf(mem, "DLPack type code %d of %d bits", t.code, t.bits);
}

static bool accept(Run *r, int i)
{
    Arg *a = &r->arg[i];
    const Tensor *p = r->k->op->tensor[i];
    const tensorcc_tensor *t = r->args[i];
    Diags *d = &r->d;
    *a = (Arg){.t = t, .decl = p, .written = p->kind == TK_INOUT || p->kind == TK_OUTPUT};
    if (!t) {
        diag_error(d, D_R021_NULL, p->span, p->name);
    } else if (t->device.type != 1) {
        diag_error(d, D_R015_DEVICE, p->span, p->name, t->device.type);
    } else if (t->device.id != 0) {
        diag_error(d, D_R042_DEVICE_ID, p->span, p->name, t->device.id);
    } else if (t->dtype.lanes != 1) {
        diag_error(d, D_R038_LANES, p->span, p->name, t->dtype.lanes);
    } else if (!type_ok(p, t->dtype)) {
        diag_error(d, D_R014_TYPE, p->span, p->name, te_type[p->type].name, dl_name(d->mem, t->dtype));
    } else if (t->ndim != p->rank && !(p->rank == 0 && t->ndim == 1 && t->shape && t->shape[0] == 1)) {
        diag_error(d, D_R016_RANK, p->span, p->name, p->rank, p->rank ? r->k->shape[i] : "a scalar", t->ndim);
    } else if (p->rank && !t->shape) {
        diag_error(d, D_R021_NULL, p->span, p->name);
    } else {
        if (p->rank) a->shape = t->shape;
        a->data = (char *)t->data + t->byte_offset;
        return true;
    }
    return false;
}

/* Compact strides of a shape; rows of sub-byte types are padded to a byte. */
static void compact_strides(const Tensor *p, const int64_t *shape, int64_t *strides)
{
    int64_t at = 1;
    for (int x = p->rank; x-- > 0;) {
        strides[x] = at;
        int64_t extent = shape[x] > 0 ? shape[x] : 1;
        if (te_type[p->type].bits < 8 && x == p->rank - 1) extent += extent & 1;
        if (__builtin_mul_overflow(at, extent, &at)) at = INT64_MAX / 2; /* then num_bytes fails too */
    }
}

static bool is_compact(const Arg *a, const int64_t *want)
{
    if (!a->t->strides || a->elements == 0) return true;
    for (int x = 0; x < a->decl->rank; x++)
        if (a->shape[x] != 1 && a->t->strides[x] != want[x]) return false;
    return true;
}

static bool rows_on_bytes(const Arg *a)
{
    int r = a->decl->rank;
    if (te_type[a->decl->type].bits >= 8 || !a->t->strides || a->elements == 0) return true;
    for (int x = 0; x < r; x++) {
        int64_t s = a->t->strides[x];
        if (a->shape[x] != 1 && (x == r - 1 ? s != 1 : s % 2 != 0)) return false;
    }
    return true;
}

/* The bytes that the tensor spans; false when they cannot be addressed. */
static bool span_bytes(Arg *a)
{
    int bits = te_type[a->decl->type].bits;
    int64_t lo = 0, hi = 0, step;
    for (int x = 0; x < a->decl->rank && a->elements; x++) {
        if (__builtin_mul_overflow(a->strides[x], a->shape[x] - 1, &step)) return false;
        if (__builtin_add_overflow(step < 0 ? lo : hi, step, step < 0 ? &lo : &hi)) return false;
    }
    int64_t most = (int64_t)1 << 58;
    if (lo < -most || hi > most) return false;
    a->from = bits < 8 ? lo / 2 : lo * (bits / 8);
    a->to = !a->elements ? 0 : bits < 8 ? hi / 2 + 1 : (hi + 1) * (bits / 8);
    return true;
}

/* Do several elements of a written tensor share a place? Exact for views that step over each other in order of
 * stride, which is what slicing and transposing give; anything else is taken as sharing. */
static bool overlaps_itself(Run *r, const Arg *a)
{
    int n = 0, rank = a->decl->rank;
    int64_t *step = NEW_ARRAY(r->mem, int64_t, rank + 1), *extent = NEW_ARRAY(r->mem, int64_t, rank + 1);
    if (a->compact || !a->elements) return false;
    for (int x = 0; x < rank; x++) {
        if (a->shape[x] < 2) continue;
        int64_t s = a->strides[x] < 0 ? -a->strides[x] : a->strides[x];
        int at = n++;
        for (; at > 0 && step[at - 1] > s; at--) step[at] = step[at - 1], extent[at] = extent[at - 1];
        step[at] = s, extent[at] = a->shape[x];
    }
    int64_t reach = 0; /* of all smaller steps together */
    for (int x = 0; x < n; x++) {
        if (step[x] <= reach) return true;
        reach += step[x] * (extent[x] - 1);
    }
    return false;
}

static bool settle(Run *r, Arg *a)
{
    Diags *d = &r->d;
    const Tensor *p = a->decl;
    int64_t *want = NEW_ARRAY(r->mem, int64_t, p->rank + 1);
    a->bytes = num_bytes(p->type, p->rank, a->shape);
    if (a->bytes < 0) {
        Text s = {.mem = r->mem};
        api_sizes_text(&s, r->k->op, r->sizes);
        diag_error(d, D_R037_TOO_LARGE, p->span, p->name, s.s);
        return false;
    }
    a->elements = 1;
    for (int x = 0; x < p->rank; x++) a->elements *= a->shape[x];
    compact_strides(p, a->shape, want);
    a->compact = is_compact(a, want);
    a->strides = a->compact ? want : a->t->strides;
    int size = te_type[p->type].bits < 8 ? 1 : te_type[p->type].bits / 8;
    if (a->elements && !a->t->data) {
        diag_error(d, D_R021_NULL, p->span, p->name);
    } else if (!rows_on_bytes(a)) {
        diag_error(d, D_R024_SUB_BYTE, p->span, p->name, te_type[p->type].name);
    } else if (a->elements && (uintptr_t)a->data % (unsigned)size) {
        diag_error(d, D_R034_ALIGN, p->span, p->name, size);
    } else if (!span_bytes(a)) {
        Text s = {.mem = r->mem};
        api_sizes_text(&s, r->k->op, r->sizes);
        diag_error(d, D_R037_TOO_LARGE, p->span, p->name, s.s);
    } else if (a->written && overlaps_itself(r, a)) {
        diag_error(d, D_R023_SELF_OVERLAP, p->span, p->name);
    } else {
        return true;
    }
    return false;
}

/* ---- two tensors ---------------------------------------------------------------------------------------------------
 */

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t t = a % b;
        a = b;
        b = t;
    }
    return a < 0 ? -a : a;
}

static int64_t common_step(const Arg *a, int64_t g)
{
    int64_t size = te_type[a->decl->type].bits / 8;
    for (int x = 0; x < a->decl->rank; x++)
        if (a->shape[x] > 1) g = gcd(g, a->strides[x] * size);
    return g;
}

/* Ranges that meet may still be interleaved (columns of one matrix): elements then stay apart modulo the greatest
 * common divisor of all steps. */
static bool overlap(const Arg *a, const Arg *b)
{
    if (!a->elements || !b->elements) return false;
    uintptr_t pa = (uintptr_t)a->data, pb = (uintptr_t)b->data;
    if (pa + (uintptr_t)a->to <= pb + (uintptr_t)b->from || pb + (uintptr_t)b->to <= pa + (uintptr_t)a->from)
        return false;
    int64_t sa = te_type[a->decl->type].bits / 8, sb = te_type[b->decl->type].bits / 8;
    if (!sa || !sb) return true;
    int64_t g = common_step(b, common_step(a, 0));
    if (!g) return true;
    int64_t apart = (int64_t)(pb - pa) % g;
    if (apart < 0) apart += g;
    return !(apart >= sa && g - apart >= sb);
}

static bool aliasing(Run *r)
{
    bool ok = true;
    for (int i = 0; i < r->n; i++)
        for (int j = 0; j < r->n; j++) {
            const Arg *a = &r->arg[i], *b = &r->arg[j];
            if (i == j || !a->written || (b->written && j < i) || !overlap(a, b)) continue;
            diag_error(&r->d, D_R022_ALIAS, a->decl->span, a->decl->name, b->decl->name);
            ok = false;
        }
    return ok;
}

/* ---- copies --------------------------------------------------------------------------------------------------------
 */

/* Between a strided tensor and a compact one, in either direction. Elements are bytes or nibbles. */
static void copy_strided(const Arg *a, bool out)
{
    int rank = a->decl->rank, bits = te_type[a->decl->type].bits;
    int64_t row = rank ? a->shape[rank - 1] : 1, step = rank ? a->strides[rank - 1] : 0;
    int64_t rows = row ? a->elements / row : 0;
    size_t row_bytes = bits < 8 ? (size_t)(row + 1) / 2 : (size_t)row * (size_t)bits / 8;
    for (int64_t i = 0; i < rows; i++) {
        int64_t at = 0, rest = i;
        for (int x = rank - 2; x >= 0; x--) {
            at += rest % a->shape[x] * a->strides[x];
            rest /= a->shape[x];
        }
        char *dense = (char *)a->copy + (size_t)i * row_bytes;
        if (bits < 8) { /* rows start on a byte and lie in one piece; the odd nibble beyond is not ours */
            char *mine = a->data + at / 2;
            size_t whole = (size_t)row / 2;
            memcpy(out ? mine : dense, out ? dense : mine, whole);
            if (row % 2 && out) mine[whole] = (char)((mine[whole] & 0xf0) | (dense[whole] & 0x0f));
            if (row % 2 && !out) dense[whole] = mine[whole] & 0x0f;
            continue;
        }
        size_t size = (size_t)bits / 8;
        for (int64_t j = 0; j < row; j++) {
            char *mine = a->data + (at + j * step) * (int64_t)size;
            memcpy(out ? mine : dense + (size_t)j * size, out ? dense + (size_t)j * size : mine, size);
        }
    }
}

static bool copies(Run *r, void **data)
{
    for (int i = 0; i < r->n; i++) {
        Arg *a = &r->arg[i];
        data[i] = a->data;
        if (a->compact) continue;
        a->copy = malloc((size_t)a->bytes + 1);
        if (!a->copy) return false;
        data[i] = a->copy;
        if (a->decl->kind != TK_OUTPUT) copy_strided(a, false);
    }
    return true;
}

static void copies_back(Run *r, bool ok)
{
    for (int i = 0; i < r->n; i++) {
        Arg *a = &r->arg[i];
        if (a->copy && ok && a->written) copy_strided(a, true);
        free(a->copy);
        a->copy = NULL;
    }
}

/* ---- faults --------------------------------------------------------------------------------------------------------
 */

static void fault_at(tensorcc_kernel *k, Diags *d, int site, int64_t index)
{
    const TeOp *op = k->op;
    if (site < 1 || site > op->nsites || (k->loaded && !k->same)) {
        diag_error(d, D_R026_GATHER, op->span, op->name, arena_printf(d->mem, "an index (place %d)", site),
                   arena_printf(d->mem, "%lld", (long long)index));
        return;
    }
    const Site *s = &op->site[site - 1];
    if (s->kind == SITE_GATHER) {
        const char *value = s->is_unsigned ? arena_printf(d->mem, "%llu", (unsigned long long)index)
                                           : arena_printf(d->mem, "%lld", (long long)index);
        Diag *g = diag_error(d, D_R026_GATHER, s->span, op->name, s->text, value);
        if (s->tensor) {
            Text shape = {.mem = d->mem};
            for (int x = 0; x < s->tensor->rank; x++) {
                text_add(&shape, x ? "," : "");
                te_print_expr(&shape, op, s->tensor->shape[x]);
            }
            diag_note(d, g, s->tensor->span, "`%s` is [%s]", s->tensor->name, shape.s ? shape.s : "");
        }
        diag_help(d, g, "correct the data, or give the access a value for it: `| v`");
    } else {
        diag_error(d, D_R027_DIV_ZERO, s->span, op->name, s->text);
    }
}

static void kernel_status(tensorcc_kernel *k, Diags *d, int32_t status, const tensorcc_fault *f)
{
    const TeOp *op = k->op;
    if (status == TENSORCC_KERNEL_FAULT) {
        fault_at(k, d, f ? f->site : 0, f ? f->index : 0);
    } else if (status == TENSORCC_KERNEL_SIZES && f && f->site >= 1 && f->site <= op->nchecks) {
        diag_error(d, D_R008_WHERE, op->check[f->site - 1].span, "these sizes", op->check[f->site - 1].text);
    } else if (status == TENSORCC_KERNEL_SIZES) {
        diag_error(d, D_R008_WHERE, op->span, "these sizes",
                   "each size is as it was fixed, and in its range");
    } else {
        diag_error(d, D_X002_BUG, (Span){0}, "running", arena_printf(d->mem, "status %d", status));
    }
}

typedef struct Fault {
    tensorcc_kernel *k;
    Arena *mem;
    int32_t status;
    const tensorcc_fault *f;
    tensorcc_status result;
} Fault;

static void explain_fault(void *arg)
{
    Fault *f = arg;
    Diags d = {.mem = f->mem};
    kernel_status(f->k, &d, f->status, f->f);
    f->result = api_verdict(f->k->ctx, &d);
}

tensorcc_status tensorcc_explain_fault(tensorcc_kernel *k, int32_t status, const tensorcc_fault *fault)
{
    if (!k) return TENSORCC_E_USAGE;
    if (status == TENSORCC_KERNEL_OK) return TENSORCC_OK;
    Fault f = {.k = k, .mem = arena_new(), .status = status, .f = fault};
    if (!f.mem || !api_guard_deep(f.mem, explain_fault, &f)) f.result = api_no_memory(k->ctx);
    arena_free(f.mem);
    return f.result;
}

/* ---- workspaces: kept by the kernel between calls ------------------------------------------------------------------
 */
enum { HEAD = 64 }; /* bytes before what the kernel sees, so that it is aligned */

static ApiWorkspace *take_workspace(tensorcc_kernel *k, int64_t bytes)
{
    pthread_mutex_lock(&k->lock);
    ApiWorkspace **at = &k->workspaces, *w;
    while (*at && (*at)->bytes < bytes) at = &(*at)->next;
    w = *at;
    if (w) *at = w->next;
    pthread_mutex_unlock(&k->lock);
    if (w) return w;
    w = rt_alloc(HEAD + bytes);
    if (w) w->bytes = bytes;
    return w;
}

/* Keeps at most one for each thread that runs at once, dropping those that were too small. */
static void give_workspace(tensorcc_kernel *k, ApiWorkspace *w)
{
    pthread_mutex_lock(&k->lock);
    ApiWorkspace *small = NULL;
    for (ApiWorkspace **at = &k->workspaces; *at;)
        if ((*at)->bytes < w->bytes) {
            ApiWorkspace *gone = *at;
            *at = gone->next;
            gone->next = small;
            small = gone;
        } else {
            at = &(*at)->next;
        }
    w->next = k->workspaces;
    k->workspaces = w;
    pthread_mutex_unlock(&k->lock);
    while (small) {
        ApiWorkspace *next = small->next;
        free(small);
        small = next;
    }
}

/* Refuses what the machine cannot give before anything is touched. Small needs are not looked into. */
static bool affordable(Run *r, const char *what, int64_t bytes)
{
    int64_t have = bytes < (int64_t)64 << 20 && bytes >= 0 ? 0 : rt_usable_memory();
    if (bytes >= 0 && (!have || bytes <= have)) return true;
    diag_error(&r->d, D_R025_MEMORY, (Span){0}, what,
               bytes < 0 ? "more bytes than can be addressed" : api_bytes(r->mem, (double)bytes),
               api_bytes(r->mem, (double)have));
    return false;
}

/* ---- the ways to run -----------------------------------------------------------------------------------------------
 */

static void call_code(Run *r, ApiVariant v, void *const *data)
{
    tensorcc_kernel *k = r->k;
    const CgJit *jit = &k->jit[v];
    const tensorcc_pool *pool = api_pool(k->ctx);
    int64_t *strides = NULL;
    if (v == VARIANT_STRIDED) {
        strides = NEW_ARRAY(r->mem, int64_t, k->sumrank + 1);
        for (int i = 0, at = 0; i < r->n; i++)
            for (int x = 0; x < r->arg[i].decl->rank; x++) strides[at++] = r->arg[i].strides[x];
    }
    RtFpEnv old = rt_fpenv_enter();
    int64_t bytes = jit->workspace ? jit->workspace(r->sizes, pool ? pool->threads : 1) : 0;
    rt_fpenv_leave(old);
    if (!affordable(r, "the op's temporaries", bytes)) return;
    ApiWorkspace *w = bytes ? take_workspace(k, bytes) : NULL;
    if (bytes && !w) {
        r->status = api_no_memory(k->ctx);
        return;
    }
    tensorcc_fault fault = {0};
    tensorcc_call call = {.data = data,
                          .sizes = r->sizes,
                          .strides = strides,
                          .workspace = w ? (char *)w + HEAD : NULL,
                          .pool = pool,
                          .fault = &fault};
    old = rt_fpenv_enter();
    int32_t status = jit->run(&call);
    rt_fpenv_leave(old);
    if (w) give_workspace(k, w);
    if (status) kernel_status(k, &r->d, status, &fault);
}

static void interpret(Run *r, void *const *data)
{
    tensorcc_kernel *k = r->k;
    int64_t index = 0;
    RtFpEnv old = rt_fpenv_enter();
    int site = k->prog ? tile_interp(k->prog, r->sizes, data, &index)
                       : te_interp(r->mem, k->op, r->sizes, k->num, data, &index);
    rt_fpenv_leave(old);
    if (site > 0) fault_at(k, &r->d, site, index);
    if (site < 0) r->status = api_no_memory(k->ctx);
}

static void call_gpu(Run *r, void *const *data)
{
    tensorcc_kernel *k = r->k;
    int64_t *bytes = NEW_ARRAY(r->mem, int64_t, r->n + 1);
    for (int i = 0; i < r->n; i++) bytes[i] = r->arg[i].bytes;
    ApiGpuRun own = {0}, *g = r->profile ? r->profile : &own;
    g->sizes = r->sizes;
    g->bytes = bytes;
    g->data = data;
    r->status = api_gpgpu_run(k, g);
    if (!r->status && g->site) fault_at(k, &r->d, g->site, g->index);
}

static void dispatch(Run *r)
{
    tensorcc_kernel *k = r->k;
    bool compact = true;
    void **data = NEW_ARRAY(r->mem, void *, r->n + 1);
    for (int i = 0; i < r->n; i++) {
        compact = compact && r->arg[i].compact;
        data[i] = r->arg[i].data;
    }
    bool strided = k->flags & TENSORCC_STRIDED;
    ApiVariant v = k->library            ? (strided ? VARIANT_STRIDED : VARIANT_COMPACT)
                   : compact && !strided ? VARIANT_COMPACT
                                         : VARIANT_STRIDED;
    bool copy = !compact && (k->interp || k->gpu || (k->library && !strided));
    if (!k->interp && (r->status = k->gpu ? api_gpgpu_need(k) : api_need(k, v))) return;
    if (copy && !copies(r, data)) {
        r->status = api_no_memory(k->ctx);
    } else if (k->interp) {
        interpret(r, data);
    } else if (k->gpu) {
        call_gpu(r, data);
    } else {
        call_code(r, v, data);
    }
    if (copy) copies_back(r, !r->status && !r->d.errors);
}

static bool admit(Run *r)
{
    const TeOp *op = r->k->op;
    if (r->n != op->nparams) {
        diag_error(&r->d, D_R013_COUNT, op->span, op->name, op->nparams, r->n);
        return false;
    }
    r->arg = NEW_ARRAY(r->mem, Arg, r->n + 1);
    r->sizes = NEW_ARRAY(r->mem, int64_t, op->ndims + 1);
    const int64_t **shapes = NEW_ARRAY(r->mem, const int64_t *, r->n + 1);
    bool ok = true;
    for (int i = 0; i < r->n; i++) {
        ok = accept(r, i) && ok;
        shapes[i] = r->arg[i].shape;
    }
    for (int i = 0; i < op->ndims; i++) r->sizes[i] = r->k->fixed ? r->k->fixed[i] : -1;
    if (!ok || !api_infer(r->k, shapes, r->sizes, &r->d) || !api_check_sizes(r->k, r->sizes, &r->d)) return false;
    for (int i = 0; i < r->n; i++) ok = settle(r, &r->arg[i]) && ok;
    return ok && aliasing(r);
}

static void run(void *arg)
{
    Run *r = arg;
    r->d.mem = r->mem;
    if (admit(r)) dispatch(r);
    if (r->d.first) {
        tensorcc_status s = api_verdict(r->k->ctx, &r->d);
        if (!r->status) r->status = s;
    }
}

static tensorcc_status call(tensorcc_kernel *k, int32_t n, const tensorcc_tensor *const *args, ApiGpuRun *profile)
{
    Run r = {.k = k, .mem = arena_new(), .n = n, .args = args, .profile = profile};
    if (!r.mem || !(k->interp ? api_guard_deep : api_guard)(r.mem, run, &r)) {
        copies_back(&(Run){.n = r.arg ? r.n : 0, .arg = r.arg}, false);
        r.status = api_no_memory(k->ctx);
    }
    arena_free(r.mem);
    return r.status;
}

tensorcc_status tensorcc_run(tensorcc_kernel *k, int32_t n, const tensorcc_tensor *const *args)
{
    if (!k) return TENSORCC_E_USAGE;
    if (!args && n) return api_usage(k->ctx, "tensorcc_run", "args is NULL");
    return call(k, n, args, NULL);
}

tensorcc_status tensorcc_run_timed(tensorcc_kernel *k, int32_t n, const tensorcc_tensor *const *args, int32_t timing,
                                   tensorcc_g9_run *out)
{
    if (!k) return TENSORCC_E_USAGE;
    if (!k->gpu) return api_usage(k->ctx, "tensorcc_run_timed", "only kernels for gpgpu have a timing model");
    if ((!args && n) || !out || out->struct_size < sizeof *out)
        return api_usage(k->ctx, "tensorcc_run_timed", "args is NULL, or struct_size is not set");
    if (timing < TENSORCC_G9_TIMED || timing > TENSORCC_G9_ONLY_TIMED)
        return api_usage(k->ctx, "tensorcc_run_timed", "there is no such way of timing");
    ApiGpuRun g = {.timed = timing};
    tensorcc_status s = call(k, n, args, &g);
    *out = (tensorcc_g9_run){.struct_size = sizeof *out,
                             .launches = g.launches,
                             .cycles = g.cycles,
                             .instructions = g.instructions,
                             .ns = g.ns,
                             .mma_utilisation = g.mma,
                             .occupancy = g.occupancy,
                             .peak_gflops = g.peak_gflops,
                             .peak_gbs = g.peak_gbs,
                             .dram_bytes = (int64_t)g.dram_bytes};
    for (int i = 0; i < TENSORCC_G9_STALLS; i++) {
        out->stall[i] = g.stall[i];
        out->stall_name[i] = sim_stall_name[i];
    }
    return s;
}

/* ---- check ---------------------------------------------------------------------------------------------------------
 */
typedef struct Verify {
    Run r; /* of the tensors as they came out */
    const tensorcc_tensor *const *before;
    TeCheck *result;
} Verify;

static void check(void *arg)
{
    Verify *v = arg;
    Run *r = &v->r;
    tensorcc_kernel *k = r->k;
    r->d.mem = r->mem;
    if (k->module->tile) {
        diag_error(&r->d, D_R029_TILE, (Span){0}, "a check against the interpreter");
    } else if (admit(r)) {
        void **in = NEW_ARRAY(r->mem, void *, r->n + 1), **out = NEW_ARRAY(r->mem, void *, r->n + 1);
        v->result = NEW_ARRAY(r->mem, TeCheck, r->n + 1);
        for (int i = 0; i < r->n; i++) {
            const tensorcc_tensor *b = v->before[i];
            in[i] = b && b->data ? (char *)b->data + b->byte_offset : NULL;
            out[i] = r->arg[i].written ? r->arg[i].data : NULL;
            if (!r->arg[i].compact || (r->arg[i].decl->kind != TK_OUTPUT && r->arg[i].elements && !in[i])) {
                diag_error(&r->d, D_R021_NULL, r->arg[i].decl->span, r->arg[i].decl->name);
                r->status = api_verdict(k->ctx, &r->d);
                return;
            }
        }
        int64_t index = 0;
        RtFpEnv old = rt_fpenv_enter();
        int site = te_check(r->mem, k->op, r->sizes, k->num, in, out, 0, 1, v->result, &index);
        rt_fpenv_leave(old);
        if (site > 0) fault_at(k, &r->d, site, index);
        if (site < 0) r->status = api_no_memory(k->ctx);
    }
    if (!r->status) r->status = api_verdict(k->ctx, &r->d);
}

tensorcc_status tensorcc_check(tensorcc_kernel *k, int32_t n, const tensorcc_tensor *const *before,
                               const tensorcc_tensor *const *after, tensorcc_check_result *result)
{
    if (!k) return TENSORCC_E_USAGE;
    if ((!before || !after || !result) && n) return api_usage(k->ctx, "tensorcc_check", "a NULL");
    if (n && result[0].struct_size != sizeof *result)
        return api_usage(k->ctx, "tensorcc_check", "struct_size of result[0] is another than sizeof");
    Verify v = {.r = {.k = k, .mem = arena_new(), .n = n, .args = after}, .before = before};
    if (!v.r.mem || !api_guard_deep(v.r.mem, check, &v)) v.r.status = api_no_memory(k->ctx);
    for (int i = 0; !v.r.status && i < n; i++) {
        const TeCheck *c = &v.result[i];
        result[i] = (tensorcc_check_result){.struct_size = sizeof *result,
                                            .pass = c->worst <= 1 && c->mismatched == 0,
                                            .max_abs_err = c->max_abs,
                                            .max_rel_err = c->max_rel,
                                            .bound = c->bound,
                                            .got = c->got,
                                            .want = c->want,
                                            .at = c->at,
                                            .compared = c->compared,
                                            .total = v.r.arg[i].elements};
    }
    arena_free(v.r.mem);
    return v.r.status;
}
