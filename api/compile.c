/* compile: from a module and options to a kernel: check, decide bounds, bind sizes, lower. Machine code is made when it
 * is first needed (run, entry), since emitting text or another machine's code needs none; what it takes counts in
 * compile_ms all the same. */
#include "api/api.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which op ------------------------------------------------------------------------------------------------------
 */

static const char *names_text(Arena *mem, int n, const char *const *names)
{
    Text t = {.mem = mem};
    text_add(&t, "");
    for (int i = 0; i < n && i < 32; i++) text_printf(&t, "%s%s", i ? ", " : "", names[i]);
    if (n > 32) text_printf(&t, " and %d more", n - 32);
    return t.s;
}

/* What may be set of an op, since one name is easily given as the other kind. */
static void help_settings(Diags *d, Diag *g, const char *name, int ndims, const char *const *dim, int nconsts,
                          const char *const *cst)
{
    const char *near_dim = api_nearest(name, ndims, dim), *near = near_dim ? near_dim : api_nearest(name, nconsts, cst);
    if (near && strcmp(near, name)) diag_help(d, g, "did you mean `%s`?", near);
    Text t = {.mem = d->mem};
    if (ndims) text_printf(&t, "its dims are %s", names_text(d->mem, ndims, dim));
    else text_add(&t, "it has no dims");
    if (nconsts) text_printf(&t, ", its consts are %s", names_text(d->mem, nconsts, cst));
    else text_printf(&t, "%s", ndims ? ", and it has no consts" : " and no consts");
    diag_help(d, g, "%s", t.s);
}

static int find_name(tensorcc_module *m, const char *name, Diags *d)
{
    if (!m->nops) {
        Diag *g = diag_error(d, D_R001_NO_OP, (Span){0}, m->src.name);
        if (m->sched)
            diag_help(d, g, "it holds schedules: name the file with the op, and this one with --schedule");
        else
            diag_help(d, g,
                      "name a .te file that holds one: an op looks like `op name[M, N](A: f32[M,N]) -> (B: f32[M,N]) "
                      "{ B[i,j] = A[i,j] }`");
        return -1;
    }
    if (!name && m->nops == 1) return 0;
    const char *all = names_text(d->mem, m->nops, m->ops);
    if (!name) {
        Diag *g = diag_error(d, D_R002_WHICH_OP, (Span){0}, m->src.name, m->nops);
        diag_help(d, g, "choose one with --op: %s", all);
        return -1;
    }
    for (int i = 0; i < m->nops; i++)
        if (!strcmp(m->ops[i], name)) return i;
    Diag *g = diag_error(d, D_R003_OP, (Span){0}, m->src.name, name);
    const char *near = api_nearest(name, m->nops, m->ops);
    if (near) diag_help(d, g, "did you mean `%s`?", near);
    diag_note(d, g, (Span){0}, "it defines %s", all);
    return -1;
}

/* No op after item `at` of the file has the name of the one there. */
static bool name_once(const tensorcc_module *m, int at, Diags *d)
{
    const AstName *found = &m->file->item[at].op->name;
    for (int i = at + 1; i < m->file->nitems; i++) {
        const AstOp *op = m->file->item[i].op;
        if (!op || !ir_streq(op->name.text, found->text)) continue;
        Diag *g = diag_error(d, D_N033_OP_TWICE, op->name.span, op->name.text);
        diag_note(d, g, found->span, "the other one is here");
        return false;
    }
    return true;
}

const AstOp *api_find_op(tensorcc_module *m, const char *name, Diags *d)
{
    int n = m->file ? m->file->nitems : 0, at = -1; // no file: schedules only
    for (int i = 0; i < n && !name; i++)
        if (m->file->item[i].op && !name_once(m, i, d)) return NULL;
    int left = find_name(m, name, d);
    if (left < 0) return NULL;
    do at += 1;
    while (!m->file->item[at].op || left-- > 0);
    return !name || name_once(m, at, d) ? m->file->item[at].op : NULL;
}

/* ---- checking, with the module's cache -----------------------------------------------------------------------------
 */

static bool consts_known(const AstOp *op, int n, const tensorcc_value *v, Diags *d)
{
    bool ok = true;
    const char **names = NEW_ARRAY(d->mem, const char *, op->nconsts + 1);
    const char **dims = NEW_ARRAY(d->mem, const char *, op->ndims + 1);
    for (int i = 0; i < op->nconsts; i++) names[i] = op->cst[i].name.text;
    for (int i = 0; i < op->ndims; i++) dims[i] = op->dim[i].name.text;
    for (int i = 0; i < n; i++) {
        bool found = false;
        for (int j = 0; j < op->nconsts; j++) found = found || !strcmp(names[j], v[i].name);
        for (int j = 0; j < i; j++)
            if (!strcmp(v[j].name, v[i].name)) {
                diag_error(d, D_R012_TWICE, (Span){0}, v[i].name);
                ok = false;
            }
        if (found) continue;
        ok = false;
        Diag *g = diag_error(d, D_R005_CONST, (Span){0}, op->name.text, v[i].name);
        for (int j = 0; j < op->ndims; j++)
            if (!strcmp(dims[j], v[i].name)) diag_help(d, g, "`%s` is a dim: --dim %s=…", v[i].name, v[i].name);
        help_settings(d, g, v[i].name, op->ndims, dims, op->nconsts, names);
    }
    return ok;
}

typedef struct Keep {
    ApiChecked *into;
    Arena *mem;
    const TeOp *op;
    const AstOp *ast;
    const char *consts;
} Keep;

static void keep(void *arg)
{
    Keep *k = arg;
    ApiChecked *c = NEW(k->mem, ApiChecked);
    *c = (ApiChecked){
        .mem = k->mem, .ast = k->ast, .consts = arena_strdup(k->mem, k->consts), .op = te_clone(k->mem, k->op)};
    k->into = c;
}

static void remember(tensorcc_module *m, const AstOp *ast, const char *consts, const TeOp *op, double ns)
{
    Keep k = {.mem = arena_new(), .op = op, .ast = ast, .consts = consts};
    if (!k.mem || !api_guard_deep(k.mem, keep, &k)) {
        arena_free(k.mem); /* then the next kernel checks again */
        return;
    }
    k.into->ns = ns;
    pthread_mutex_lock(&m->lock);
    k.into->next = m->checked;
    m->checked = k.into;
    pthread_mutex_unlock(&m->lock);
}

TeOp *api_check_op(tensorcc_module *m, const AstOp *ast, int nconsts, const tensorcc_value *consts, Arena *mem,
                   Diags *d, double *ns)
{
    if (!consts_known(ast, nconsts, consts, d)) return NULL;
    Text key = {.mem = mem};
    text_add(&key, "");
    FeConst *fe = NEW_ARRAY(mem, FeConst, nconsts + 1);
    for (int i = 0; i < nconsts; i++) {
        fe[i] = (FeConst){consts[i].name, consts[i].value};
        text_printf(&key, "%s=%s\n", consts[i].name, consts[i].value);
    }
    pthread_mutex_lock(&m->lock);
    const ApiChecked *c = m->checked;
    while (c && (c->ast != ast || strcmp(c->consts, key.s))) c = c->next;
    pthread_mutex_unlock(&m->lock);
    if (c) {
        *ns = c->ns;
        return te_clone(mem, c->op);
    }
    double start = rt_now_ns();
    TeOp *op = fe_check(mem, m->file, ast, nconsts, fe, d);
    if (!op || d->errors || !sched_check_bounds(op, d)) return NULL;
    *ns = rt_now_ns() - start;
    remember(m, ast, key.s, op, *ns);
    return op;
}

/* ---- binding sizes -------------------------------------------------------------------------------------------------
 */

static bool parse_size(const char *s, int64_t *v, bool *huge)
{
    if (!strcmp(s, "?")) {
        *v = -1;
        return true;
    }
    const char *digits = *s == '-' ? s + 1 : s;
    if (!*digits || strspn(digits, "0123456789") != strlen(digits)) return false;
    errno = 0;
    *v = strtoll(s, NULL, 10);
    *huge = errno != 0;
    return true;
}

static void unknown_dim(const TeOp *op, const char *name, Diags *d)
{
    const char **names = NEW_ARRAY(d->mem, const char *, op->ndims + 1);
    const char **consts = NEW_ARRAY(d->mem, const char *, op->nconsts + 1);
    for (int i = 0; i < op->ndims; i++) names[i] = op->dim[i].name;
    for (int i = 0; i < op->nconsts; i++) consts[i] = op->cst[i].name;
    Diag *g = diag_error(d, D_R004_DIM, (Span){0}, op->name, name);
    for (int j = 0; j < op->nconsts; j++)
        if (!strcmp(op->cst[j].name, name)) diag_help(d, g, "`%s` is a const: --const %s=…", name, name);
    help_settings(d, g, name, op->ndims, names, op->nconsts, consts);
    diag_note(d, g, op->span, "`%s` is defined here", op->name);
}

TeOp *api_bind(Arena *mem, TeOp *op, int n, const tensorcc_value *v, bool defaults, Diags *d)
{
    int64_t *size = NEW_ARRAY(mem, int64_t, op->ndims + 1);
    bool *given = NEW_ARRAY(mem, bool, op->ndims + 1);
    for (int i = 0; i < op->ndims; i++)
        size[i] = op->dim[i].value >= 0 ? op->dim[i].value : defaults && op->dim[i].has_default ? op->dim[i].dflt : -1;
    for (int i = 0; i < n; i++) {
        int at = 0;
        int64_t x;
        while (at < op->ndims && strcmp(op->dim[at].name, v[i].name)) at++;
        if (at == op->ndims) {
            unknown_dim(op, v[i].name, d);
            continue;
        }
        const Dim *dim = &op->dim[at];
        if (given[at]) diag_error(d, D_R012_TWICE, (Span){0}, v[i].name);
        given[at] = true;
        bool huge = false;
        if (!parse_size(v[i].value, &x, &huge)) {
            diag_error(d, D_R006_SIZE, (Span){0}, v[i].value, v[i].name);
        } else if (huge) {
            Diag *g = diag_error(d, D_R043_SIZE, (Span){0}, dim->name, v[i].value);
            diag_help(d, g, "choose a size from %lld to %lld", (long long)dim->lo, (long long)dim->hi);
        } else if (strcmp(v[i].value, "?") && (x < dim->lo || x > dim->hi)) {
            api_out_of_range(dim, x, d);
        } else if (dim->value >= 0 && x != dim->value) {
            diag_error(d, D_R032_FIXED, dim->span, dim->name, (long long)dim->value, (long long)x);
        } else {
            size[at] = x;
        }
    }
    return d->errors ? NULL : te_bind(mem, op, size);
}

/* ---- options -------------------------------------------------------------------------------------------------------
 */

bool api_numerics(const char *s, Numerics *out)
{
    *out = (Numerics){.ordered = false, .p = 1};
    if (!s || !strcmp(s, "fast")) return true;
    if (strncmp(s, "ordered", 7)) return false;
    out->ordered = true;
    if (!s[7]) return true;
    if (s[7] != ':' || !s[8] || strlen(s + 8) > 5 || strspn(s + 8, "0123456789") != strlen(s + 8)) return false;
    out->p = atoi(s + 8);
    return out->p >= 1 && out->p <= 65536;
}

typedef struct Make {
    tensorcc_module *m;
    const tensorcc_compile_options *o;
    tensorcc_kernel *k;
    tensorcc_status status;
    SchedMode mode;
    const Sched *sched; /* of a file, or NULL */
    const char *path, *name;
} Make;

static tensorcc_status bug(tensorcc_context *c, const char *stage, const char *what)
{
    return api_error(c, TENSORCC_E_BUG, D_X002_BUG, stage, what);
}

static tensorcc_status choose_target(Make *x)
{
    tensorcc_kernel *k = x->k;
    const char *name = x->o->target ? x->o->target : x->m->tile && x->m->tile->target ? x->m->tile->target : "cpu";
    k->target_name = arena_strdup(k->mem, name);
    k->interp = !strcmp(name, "interp");
    if (k->interp) return TENSORCC_OK;
    if (api_is_gpgpu(name)) return api_gpgpu_target(k, name);
    k->target = cg_target(k->mem, k->target_name);
    if (!k->target) return api_error(k->ctx, TENSORCC_E_USAGE, D_R009_TARGET, name);
    return TENSORCC_OK;
}

/* FILE.sched or FILE.sched:NAME */
static tensorcc_status name_file(Make *x, const char *s)
{
    static const char ending[] = ".sched";
    tensorcc_kernel *k = x->k;
    const char *end = s, *next;
    while ((next = strstr(end, ending))) end = next + strlen(ending);
    if (end == s || (*end && *end != ':')) return api_error(k->ctx, TENSORCC_E_USAGE, D_R010_SCHEDULE, s);
    x->mode = SCHED_FILE;
    x->path = arena_printf(k->mem, "%.*s", (int)(end - s), s);
    x->name = *end ? arena_strdup(k->mem, end + 1) : NULL;
    k->schedule = arena_strdup(k->mem, s);
    k->source = "file";
    return TENSORCC_OK;
}

static bool read_schedule(Make *x, Diags *d)
{
    tensorcc_kernel *k = x->k;
    Source *src = NEW(k->mem, Source);
    char *text;
    size_t n;
    const char *why = api_read_file(k->mem, x->path, &text, &n);
    if (why) {
        diag_error(d, D_R040_SCHEDULE_FILE, (Span){0}, x->path, why);
        return false;
    }
    *src = (Source){x->path, text, n};
    SchedFile *f = sched_parse(k->mem, src, d);
    if (d->errors) return false;
    x->sched = sched_choose(k->mem, f, x->name, k->op, k->target, d);
    if (!x->sched) return false;
    k->schedule = arena_printf(k->mem, "%s:%s", x->path, x->sched->name.text);
    return true;
}

static tensorcc_status choose_schedule(Make *x)
{
    tensorcc_kernel *k = x->k;
    const char *s = x->o->schedule ? x->o->schedule : "auto";
    bool none = !strcmp(s, "none"), heuristic = !strcmp(s, "auto") || !strcmp(s, "default");
    if (!none && !heuristic) return name_file(x, s);
    x->mode = none ? SCHED_NONE : SCHED_DEFAULT;
    k->schedule = none ? "none" : "default";
    k->source = none ? "loops as written" : "heuristic";
    if (k->interp) k->schedule = "none", k->source = "interpreter";
    if (x->m->tile) k->schedule = "text", k->source = "Tile IR text";
    return TENSORCC_OK;
}

static tensorcc_status choose_numerics(Make *x)
{
    tensorcc_kernel *k = x->k;
    if (!api_numerics(x->o->numerics, &k->num))
        return api_error(k->ctx, TENSORCC_E_USAGE, D_R011_NUMERICS, x->o->numerics);
    if (x->m->tile) {
        Numerics of = x->m->tile->num;
        if (x->o->numerics && (of.ordered != k->num.ordered || (of.ordered && of.p != k->num.p)))
            return api_error(k->ctx, TENSORCC_E_INPUT, D_R030_TILE_NUMERICS, of.ordered ? "ordered" : "fast",
                             x->o->numerics);
        k->num = of;
    }
    k->numerics = !k->num.ordered ? "fast" : k->num.p == 1 ? "ordered" : arena_printf(k->mem, "ordered:%d", k->num.p);
    return TENSORCC_OK;
}

static bool make_from_tile(Make *x, Diags *d)
{
    tensorcc_kernel *k = x->k;
    if (x->o->nconsts) {
        diag_error(d, D_R031_TILE_CONST, (Span){0});
        return false;
    }
    if (find_name(x->m, x->o->op, d) < 0) return false;
    TileProg *p = tile_parse(k->mem, &x->m->src, d);
    if (!p || d->errors) return false;
    /* A dim that the text leaves open was kept open. */
    TeOp *op = api_bind(k->mem, p->op, x->o->ndims, x->o->dims, false, d);
    if (!op || !api_refuted(op, d)) return false;
    for (int i = 0; i < op->ndims; i++) p->op->dim[i].value = op->dim[i].value;
    if (!sched_check_tile(p, d)) return false;
    k->op = p->op;
    k->prog = p;
    return true;
}

static bool make_from_te(Make *x, Diags *d)
{
    tensorcc_kernel *k = x->k;
    double ns = 0, start;
    const AstOp *ast = api_find_op(x->m, x->o->op, d);
    TeOp *op = ast ? api_check_op(x->m, ast, x->o->nconsts, x->o->consts, k->mem, d, &ns) : NULL;
    k->ns += ns;
    if (!op) return false;
    start = rt_now_ns();
    k->op = api_bind(k->mem, op, x->o->ndims, x->o->dims, !(k->flags & TENSORCC_NO_DEFAULTS), d);
    if (!k->op || !api_refuted(k->op, d)) return false;
    k->ns += rt_now_ns() - start;
    return true;
}

static TileProg *lower_by_file(Make *x, Text *why)
{
    tensorcc_kernel *k = x->k;
    Diags d = {.mem = k->mem};
    TileProg *p = NULL;
    SchedSet *set = NEW_ARRAY(k->mem, SchedSet, x->o->nsets + 1);
    for (int i = 0; i < x->o->nsets; i++)
        set[i] = (SchedSet){arena_strdup(k->mem, x->o->sets[i].name), arena_strdup(k->mem, x->o->sets[i].value)};
    if (read_schedule(x, &d)) {
        k->use = (SchedUse){x->sched, k->target, k->num, k->threads, x->o->nsets, set};
        p = sched_lower_with(k->mem, &k->use, k->op, &d, why);
    }
    x->status = api_verdict(k->ctx, &d);
    return p;
}

static void lower(Make *x)
{
    tensorcc_kernel *k = x->k;
    double start = rt_now_ns();
    Text why = {.mem = k->mem};
    text_add(&why, "");
    if (x->mode == SCHED_FILE)
        k->prog = lower_by_file(x, &why);
    else if (x->mode == SCHED_DEFAULT && !k->gpu) {
        k->use = (SchedUse){.target = k->target, .num = k->num, .threads = k->threads};
        k->prog = sched_lower_default(k->mem, &k->use, k->op, &why);
    } else
        k->prog = sched_lower(k->mem, k->op, k->target, k->num, SCHED_NONE, k->threads, &why); /* gpgpu: codegen maps it */
    k->why = why.s;
    k->ns += rt_now_ns() - start;
    if (x->status) return;
    if (!k->prog) {
        x->status = bug(k->ctx, "lowering", "no program came out");
        return;
    }
#ifndef NDEBUG
    const char *broken = tile_verify(k->mem, k->prog);
    if (broken) x->status = bug(k->ctx, "lowering", broken);
#endif
}

static void make(void *arg)
{
    Make *x = arg;
    tensorcc_kernel *k = x->k;
    Diags d = {.mem = k->mem};
    if ((x->status = choose_target(x)) || (x->status = choose_schedule(x)) || (x->status = choose_numerics(x))) return;
    bool ok = x->m->tile ? make_from_tile(x, &d) : make_from_te(x, &d);
    x->status = api_verdict(k->ctx, &d);
    if (!ok && !x->status) x->status = bug(k->ctx, "checking", "the program was refused without a reason");
    if (x->status) return;
#ifndef NDEBUG
    const char *broken = x->m->tile ? NULL : te_verify(k->mem, k->op);
    if (broken) {
        x->status = bug(k->ctx, "checking", broken);
        return;
    }
#endif
    k->threads = x->o->threads > 0 ? x->o->threads : k->ctx->threads;
    k->why = "";
    if (!k->interp && !x->m->tile) lower(x);
    if (!x->status) api_describe_params(k);
}

tensorcc_kernel *api_kernel_new(tensorcc_module *m)
{
    tensorcc_kernel *k = calloc(1, sizeof *k);
    if (!k) return NULL;
    k->mem = arena_new();
    if (!k->mem) {
        free(k);
        return NULL;
    }
    k->ctx = m->ctx;
    k->module = m;
    k->ns = m->ns;
    atomic_fetch_add(&m->refs, 1);
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

static bool values_ok(int n, const tensorcc_value *v)
{
    if (n < 0 || (n && !v)) return false;
    for (int i = 0; i < n; i++)
        if (!v[i].name || !v[i].value) return false;
    return true;
}

tensorcc_status tensorcc_compile(tensorcc_module *m, const tensorcc_compile_options *o, tensorcc_kernel **out)
{
    if (!m) return TENSORCC_E_USAGE;
    if (!out) return api_usage(m->ctx, "tensorcc_compile", "out is NULL");
    *out = NULL;
    tensorcc_compile_options all = {0};
    if (o && !o->struct_size) return api_usage(m->ctx, "tensorcc_compile", "struct_size is not set");
    if (o) memcpy(&all, o, o->struct_size < sizeof all ? o->struct_size : sizeof all);
    if (!values_ok(all.ndims, all.dims) || !values_ok(all.nconsts, all.consts) || !values_ok(all.nsets, all.sets))
        return api_usage(m->ctx, "tensorcc_compile", "a dim or const without name or value");
    if (all.threads < 0 || all.threads > 1024) return api_usage(m->ctx, "tensorcc_compile", "threads must be from 0 (the pool's) to 1024");
    if (all.flags & ~(uint32_t)(TENSORCC_DEBUG_LINES | TENSORCC_STRIDED | TENSORCC_NO_DEFAULTS | TENSORCC_CHECKED))
        return api_usage(m->ctx, "tensorcc_compile", "unknown flags");
    Make x = {.m = m, .o = &all, .k = api_kernel_new(m)};
    if (!x.k) return api_no_memory(m->ctx);
    x.k->flags = all.flags;
    if (!api_guard_deep(x.k->mem, make, &x)) x.status = api_no_memory(m->ctx);
    if (x.status) {
        tensorcc_kernel_free(x.k);
        return x.status;
    }
    *out = x.k;
    return TENSORCC_OK;
}

void tensorcc_kernel_free(tensorcc_kernel *k)
{
    if (!k) return;
    for (int v = 0; v < VARIANTS; v++)
        if (atomic_load(&k->have[v]) && !k->library) cg_jit_free(k->ctx->engine, &k->jit[v]);
    for (ApiWorkspace *w = k->workspaces, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    if (k->library) dlclose(k->library);
    api_gpgpu_free(k);
    pthread_mutex_destroy(&k->lock);
    tensorcc_module *m = k->module;
    arena_free(k->mem);
    free(k);
    api_module_drop(m);
}

/* ---- machine code --------------------------------------------------------------------------------------------------
 */

static bool jit(tensorcc_kernel *k, ApiVariant v, char **error)
{
    double start = rt_now_ns();
    CgEngine *e = api_engine(k->ctx, error);
    CgOptions o = {.strided = v == VARIANT_STRIDED, .debug_lines = k->flags & TENSORCC_DEBUG_LINES, .opt = 2};
    if (!e || !cg_jit(e, k->prog, k->target, &o, &k->jit[v], error)) return false;
    k->ns += rt_now_ns() - start;
    atomic_store_explicit(&k->have[v], true, memory_order_release);
    return true;
}

typedef struct Need {
    tensorcc_kernel *k;
    ApiVariant v;
    char *error;
    bool ok;
} Need;

static void need(void *arg)
{
    Need *n = arg;
    n->ok = jit(n->k, n->v, &n->error);
}

tensorcc_status api_need(tensorcc_kernel *k, ApiVariant v)
{
    Need n = {.k = k, .v = v};
    if (atomic_load_explicit(&k->have[v], memory_order_acquire)) return TENSORCC_OK;
    if (!k->target->host)
        return api_error(k->ctx, TENSORCC_E_ENV, D_R035_MACHINE, k->target_name, "it is made for another one");
    pthread_mutex_lock(&k->lock);
    n.ok = atomic_load(&k->have[v]);
    if (!n.ok) api_deep(need, &n);
    pthread_mutex_unlock(&k->lock);
    if (n.ok) return TENSORCC_OK;
    api_error(k->ctx, TENSORCC_E_BUG, D_X003_LLVM, n.error ? n.error : "no reason given");
    free(n.error);
    return TENSORCC_E_BUG;
}

tensorcc_status tensorcc_kernel_make(tensorcc_kernel *k)
{
    if (!k) return TENSORCC_E_USAGE;
    if (k->interp) return TENSORCC_OK;
    if (k->gpu) return api_gpgpu_need(k);
    return api_need(k, k->flags & TENSORCC_STRIDED ? VARIANT_STRIDED : VARIANT_COMPACT);
}

tensorcc_kernel_fn tensorcc_kernel_entry(tensorcc_kernel *k, tensorcc_workspace_fn *workspace)
{
    ApiVariant v = k && k->flags & TENSORCC_STRIDED ? VARIANT_STRIDED : VARIANT_COMPACT;
    if (!k || k->interp || k->gpu || api_need(k, v)) return NULL;
    if (workspace) *workspace = k->jit[v].workspace;
    return k->jit[v].run;
}
