/* explain: what an op costs, what bounds it, how it was lowered and why, and where its time should go. */
#include "api/api.h"

#include <string.h>

typedef struct Explain {
    tensorcc_kernel *k;
    const int64_t *sizes;
    Arena *mem;
    Text t;
    tensorcc_peak peak;
    tensorcc_status status;
} Explain;

static void amount(Text *t, double v, const char *unit)
{
    static const char *const prefix[] = {"", "k", "M", "G", "T", "P", "E"};
    size_t i = 0;
    for (; v >= 1000 && i < 6; i++) v /= 1000;
    text_printf(t, "%.4g %s%s", v, prefix[i], unit);
}

static void duration(Text *t, double ns)
{
    static const char *const unit[] = {"ns", "us", "ms", "s"};
    int i = 0;
    for (; ns >= 1000 && i < 3; i++) ns /= 1000;
    text_printf(t, "%.3g %s", ns, unit[i]);
}

/* ---- one definition's share ----------------------------------------------------------------------------------------
 */

static double tensor_bytes(const Explain *x, const Tensor *t)
{
    double n = te_type[t->type].bits / 8.0;
    for (int i = 0; i < t->rank; i++) {
        int64_t e;
        if (!te_eval_size_at(x->k->op, t->shape[i], x->sizes, &e)) return 0;
        n *= (double)e;
    }
    return n;
}

static void touch(const Expr *e, bool *seen, bool *read)
{
    if (seen[e->id]) return;
    seen[e->id] = true;
    if (e->op == EX_LOAD) read[e->load.t->id] = true;
    for (int i = 0; i < te_nchildren(e); i++) touch(te_child(e, i), seen, read);
}

/* Bytes of what the definition reads and writes, each once. */
static double def_bytes(const Explain *x, const Def *def)
{
    const TeOp *op = x->k->op;
    bool *seen = NEW_ARRAY(x->mem, bool, op->nexprs + 1), *used = NEW_ARRAY(x->mem, bool, op->ntensors + 1);
    touch(def->rhs, seen, used);
    double n = 0;
    for (int o = 0; o < def->nout; o++) n += tensor_bytes(x, def->out[o]);
    for (int i = 0; i < op->ntensors; i++)
        if (used[i]) n += tensor_bytes(x, op->tensor[i]);
    return n;
}

static void shares(Explain *x)
{
    const TeOp *op = x->k->op;
    Text *t = &x->t;
    double *flops = NEW_ARRAY(x->mem, double, op->ndefs + 1), *bytes = NEW_ARRAY(x->mem, double, op->ndefs + 1);
    double *ns = NEW_ARRAY(x->mem, double, op->ndefs + 1), all = 0;
    const bool *live = te_live_defs(x->mem, op);
    for (int i = 0; i < op->ndefs; i++) {
        if (!live[i]) continue;
        flops[i] = te_def_work(op, i, x->sizes).flops;
        bytes[i] = def_bytes(x, op->def[i]);
        double compute = flops[i] / x->peak.gflops_f32, memory = bytes[i] / x->peak.gbs;
        ns[i] = compute > memory ? compute : memory;
        all += ns[i];
    }
    text_add(t, "\nwhere time should go (each definition alone at its roof, nothing fused):\n");
    for (int i = 0; i < op->ndefs; i++) {
        if (!live[i]) {
            text_printf(t, "  %-12s never: no result depends on it\n", op->def[i]->name);
            continue;
        }
        text_printf(t, "  %-12s %5.1f%%   ", op->def[i]->name, all > 0 ? 100 * ns[i] / all : 0);
        amount(t, flops[i], "FLOP, ");
        amount(t, bytes[i], "B, ");
        text_printf(t, "%s\n", flops[i] / x->peak.gflops_f32 > bytes[i] / x->peak.gbs ? "compute" : "memory");
    }
}

/* ---- the whole -----------------------------------------------------------------------------------------------------
 */

static void head(Explain *x)
{
    const tensorcc_kernel *k = x->k;
    Text *t = &x->t, sizes = {.mem = x->mem};
    text_printf(t, "op %s, target %s", k->op->name, k->target_name);
    if (k->target && k->target->model) text_printf(t, " (%s)", k->target->model);
    text_add(t, "\n");
    for (const char *s = k->op->doc; s && *s;) {
        size_t n = strcspn(s, "\n");
        text_add(t, "  ");
        text_addn(t, s, n);
        text_add(t, "\n");
        s += n + (s[n] == '\n');
    }
    if (k->op->ndims) {
        api_sizes_text(&sizes, k->op, x->sizes);
        text_printf(t, "sizes      %s\n", sizes.s);
    }
    for (int i = 0; i < k->op->nconsts; i++) {
        Text v = {.mem = x->mem};
        te_print_expr(&v, k->op, k->op->cst[i].value);
        text_printf(t, "const      %s = %s%s\n", k->op->cst[i].name, v.s, k->op->cst[i].overridden ? "" : " (default)");
    }
}

static void bounds(Explain *x, TeWork w)
{
    Text *t = &x->t;
    bool f64 = false;
    for (int i = 0; i < x->k->op->nparams; i++)
        f64 = f64 || (x->k->op->tensor[i]->kind == TK_OUTPUT && x->k->op->tensor[i]->type == DT_F64);
    double flops = f64 ? x->peak.gflops_f64 : x->peak.gflops_f32, gbs = x->peak.gbs;
    text_add(t, "work       ");
    amount(t, w.flops, "FLOP, ");
    amount(t, w.bytes, "B read and written once");
    if (w.bytes > 0) text_printf(t, ", intensity %.4g FLOP/B", w.flops / w.bytes);
    double compute = w.flops / flops, memory = w.bytes / gbs, ns = compute > memory ? compute : memory;
    text_printf(t, "\npeak       %.1f GFLOP/s (%s multiply-adds), %.1f GB/s: one core, measured now\n", flops,
                f64 ? "f64" : "f32", gbs);
    text_printf(t, "roof       bound by %s: at most ", compute > memory ? "compute" : "memory");
    if (ns > 0) text_printf(t, "%.1f GFLOP/s, %.1f GB/s, at least ", w.flops / ns, w.bytes / ns);
    duration(t, ns);
    text_add(t, " on one core\n");
    int cores = x->k->threads;
    if (cores > 1) {
        text_printf(t, "           with %d threads: at least ", cores);
        duration(t, ns / cores);
        text_add(t, " (memory is shared; it may scale less)\n");
    }
}

static void explain(void *arg)
{
    Explain *x = arg;
    tensorcc_kernel *k = x->k;
    Text *t = &x->t;
    Diags d = {.mem = x->mem};
    t->mem = x->mem;
    if (!api_check_sizes(k, x->sizes, &d)) {
        x->status = api_verdict(k->ctx, &d);
        return;
    }
    head(x);
    if (k->module->tile) {
        text_add(t, "work       not known: Tile IR text has loops, no definitions\n");
    } else {
        TeWork w = te_work(k->op, x->sizes);
        if (w.flops < 0 || w.bytes < 0) {
            text_add(t, "work       more than can be counted\n");
        } else {
            x->peak.struct_size = sizeof x->peak;
            if ((x->status = tensorcc_measure_peak(k->ctx, 0.2, &x->peak))) return;
            bounds(x, w);
            shares(x);
        }
    }
    text_printf(t, "\nschedule   %s (%s), numerics %s\n", k->schedule, k->source, k->numerics);
    for (const char *s = k->why; s && *s;) {
        size_t n = strcspn(s, "\n");
        text_add(t, "  ");
        text_addn(t, s, n);
        text_add(t, "\n");
        s += n + (s[n] == '\n');
    }
    if (!k->prog) return;
    text_add(t, "\nloops after scheduling:\n");
    tile_print(t, k->prog);
}

tensorcc_status tensorcc_explain(tensorcc_kernel *k, const int64_t *sizes, tensorcc_blob **out)
{
    if (!k) return TENSORCC_E_USAGE;
    if (!out || (!sizes && k->op->ndims)) return api_usage(k->ctx, "tensorcc_explain", "sizes or out is NULL");
    *out = NULL;
    Explain x = {.k = k, .sizes = sizes, .mem = arena_new()};
    if (!x.mem || !api_guard_deep(x.mem, explain, &x)) x.status = api_no_memory(k->ctx);
    if (!x.status) x.status = api_blob(k->ctx, x.t.s, x.t.n, out);
    arena_free(x.mem);
    return x.status;
}
