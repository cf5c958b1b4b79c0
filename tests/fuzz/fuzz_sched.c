/* fuzz_sched: any bytes as a `.sched` file: parsed, formatted, its params assigned for an op with a dynamic dim, its
 * expressions evaluated, every report rendered. What parsed without a report must format to a text that parses to the
 * same and formats to itself; values that were assigned must be in their sets and meet the conditions; what is refused
 * must have been reported. */
#include "frontend/frontend.h"
#include "frontend/sched.h"
#include "tests/unit/sched_same.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) __builtin_trap();
}

static void render(Arena *mem, const Diags *d)
{
    Text out = {.mem = mem};
    for (const Diag *g = d->first; g; g = g->next) {
        must(g->text[0] != 0);
        diag_render(&out, g, false);
    }
    must(d->errors == 0 || d->first);
}

static void format(Arena *mem, const SchedFile *f, bool clean)
{
    Text once = {.mem = mem}, twice = {.mem = mem};
    sched_format(&once, f);
    if (!clean) return;
    Source src = {"formatted.sched", once.s, once.n};
    Diags d = {.mem = mem};
    SchedFile *again = sched_parse(mem, &src, &d);
    must(d.errors == 0 && sched_same(f, again));
    sched_format(&twice, again);
    must(once.n == twice.n && !strcmp(once.s, twice.s));
}

static bool inside(Span in, Span out)
{
    return in.src == out.src && in.at >= out.at && (uint64_t)in.at + in.len <= (uint64_t)out.at + out.len;
}

static void evaluate(const SchedEnv *env, const AstExpr *e, Span around, Diags *d)
{
    SchedValue v;
    int before = d->errors;
    must(e->span.len > 0 && inside(e->span, around));
    bool ok = sched_eval(env, e, d, &v);
    must(ok == (d->errors == before));
}

static void statements(const SchedEnv *env, int n, SchedStmt *const *at, Span around, Diags *d)
{
    for (int i = 0; i < n; i++) {
        const SchedStmt *s = at[i];
        must(inside(s->span, around));
        for (int k = 0; k < s->nexprs; k++) evaluate(env, s->expr[k], s->span, d);
        for (int k = 0; k < s->layout.n; k++) evaluate(env, s->layout.factor[k], s->layout.span, d);
        statements(env, s->nbody, s->body, s->span, d);
    }
}

static void check_values(const Sched *s, const SchedEnv *env, Diags *d)
{
    SchedValue v;
    for (int i = 0; i < s->nparams; i++) {
        const SchedParam *a = &s->param[i];
        bool among = false;
        for (int k = 0; k < a->nvalues; k++)
            among |= sched_eval(env, a->value[k], d, &v) && v.known && v.i == env->param[i];
        must(among);
        must(!a->where || (sched_eval(env, a->where, d, &v) && v.known && v.i));
    }
}

static TeOp *some_op(Arena *mem, Diags *d)
{
    static const char text[] = "op matmul[M=64, N, K in 16..16; c: i32 = 3](A: f32[M,K], B: f32[K,N]) -> (C: f32[M,N]) "
                               "{ C[i,j] = sum{k}(A[i,k] * B[k,j]) * f32(c) }";
    Source *src = NEW(mem, Source);
    *src = (Source){"op.te", text, sizeof text - 1};
    AstFile *f = fe_parse(mem, src, d);
    TeOp *op = fe_check(mem, f, f->item[0].op, 0, NULL, d);
    must(op != NULL);
    return te_bind(mem, op, (const int64_t[]){64, -1, -1});
}

static void apply(Arena *mem, const SchedFile *f, Diags *d)
{
    TeOp *op = some_op(mem, d);
    Target t = {.vector_bytes = 32, .vregs = 16, .fma = true, .l1 = 32768, .l2 = 1 << 20, .cores = 4};
    for (int i = 0; i < f->n; i++) {
        const Sched *s = f->sched[i];
        int64_t *param = NEW_ARRAY(mem, int64_t, s->nparams + 1);
        SchedEnv env = {.sched = s, .param = param, .op = op, .target = &t};
        int before = d->errors;
        bool ok = sched_assign(mem, s, op, &t, 0, NULL, NULL, NULL, d, param);
        must(ok == (d->errors == before));
        if (ok) check_values(s, &env, d);
        if (s->when) evaluate(&env, s->when, s->span, d);
        statements(&env, s->nstmts, s->stmt, s->span, d);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *mem = arena_new();
    Source src = {"fuzz.sched", arena_strndup(mem, (const char *)data, size), size};
    Diags d = {.mem = mem};
    SchedFile *f = sched_parse(mem, &src, &d);
    bool clean = d.errors == 0;
    for (int i = 0; clean && i < f->n; i++) must(!f->sched[i]->broken);
    format(mem, f, clean);
    if (clean) apply(mem, f, &d);
    render(mem, &d);
    arena_free(mem);
    return 0;
}
