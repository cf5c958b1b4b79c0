/* sched_gen: the statements of random schedules. A move makes one kind of statement from the loops as they are. A
 * recipe is a sequence of moves on one definition that people would write (tile, pack, microkernel); after it, and
 * instead of it, comes chaos. What a move writes need not be legal. */
#include "tests/random/sched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATTEMPTS = 16, COPIES = 192, LANES = 32 };

typedef bool Move(SchedGen *g);
typedef bool Want(const Iter *it);

struct SchedGen {
    Rng r;
    const Program *program;
    const Plan *p;
    char *to;
    size_t n;
    char focus[32]; /* the definition that the recipe works on */
    Move *const *recipe;
    int chaos, names;
};

static bool put(SchedGen *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool put(SchedGen *g, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    size_t at = strlen(g->to);
    bool fits = vsnprintf(g->to + at, g->n - at, fmt, ap) < (int)(g->n - at);
    va_end(ap);
    return fits;
}

/* ---- definitions and loops --------------------------------------------------------------------------------------- */
static bool is_let(const PlanDef *d) { return d->w->def->out[0]->kind == TK_LET; }

static const PlanDef *any_def(SchedGen *g, bool let)
{
    const PlanDef *found = NULL;
    int n = 0;
    for (int i = 0; i < g->p->n; i++) {
        const PlanDef *d = &g->p->def[i];
        if (!d->w->gone && (!let || is_let(d)) && rng_below(&g->r, ++n) == 0) found = d;
    }
    for (int i = 0; i < g->p->copy.n && !let; i++)
        if (rng_below(&g->r, ++n) == 0) found = g->p->copy.at[i];
    return found;
}

static const PlanDef *focus(SchedGen *g)
{
    const PlanDef *d = g->focus[0] ? plan_find(g->p, g->focus) : NULL;
    return d && !d->w->gone ? d : any_def(g, false);
}

static bool anything(const Iter *it) { return !it->kernel; }
static bool reduces(const Iter *it) { return it->reduces && !it->kernel; }
static bool of_result(const Iter *it) { return !it->reduces && !it->kernel; }
static bool inner(const Iter *it) { return it->kind == IT_INNER && !it->kernel; }
static bool inner_result(const Iter *it) { return inner(it) && !it->reduces; }
static bool inner_reduction(const Iter *it) { return inner(it) && it->reduces; }
static bool plain(const Iter *it) { return !it->kernel && it->how == LOOP_SERIAL; }

/* Mostly a loop that is as wanted. NULL: it has none at all. */
static const Iter *any_loop(SchedGen *g, const PlanDef *d, Want *want)
{
    const Iter *found = NULL;
    int n = 0;
    if (!d || !d->loop.n) return NULL;
    for (int i = 0; i < d->loop.n; i++)
        if (want(d->loop.at[i]) && rng_below(&g->r, ++n) == 0) found = d->loop.at[i];
    return found && rng_chance(&g->r, 97) ? found : d->loop.at[rng_below(&g->r, d->loop.n)];
}

static const char *name(const PlanDef *d) { return d->w->def->name; }

static bool reads(const Expr *e, const Tensor *t)
{
    if (e->op == EX_LOAD && e->load.t == t) return true;
    for (int i = 0; i < te_nchildren(e); i++)
        if (reads(te_child(e, i), t)) return true;
    return false;
}

static const Expr *load_of(const Expr *e, const Tensor *t)
{
    if (e->op == EX_LOAD && e->load.t == t) return e;
    for (int i = 0; i < te_nchildren(e); i++) {
        const Expr *f = load_of(te_child(e, i), t);
        if (f) return f;
    }
    return NULL;
}

static const Tensor *any_read(SchedGen *g, const PlanDef *d)
{
    const TeOp *op = g->p->l->op;
    const Tensor *found = NULL;
    int n = 0;
    for (int i = 0; i < op->ntensors; i++)
        if (reads(d->w->rhs, op->tensor[i]) && rng_below(&g->r, ++n) == 0) found = op->tensor[i];
    return found;
}

/* ---- numbers -------------------------------------------------------------------------------------------------------
 */
static const char *factor(SchedGen *g)
{
    static const int usual[] = {2, 3, 4, 4, 5, 6, 7, 8, 8, 16, 16, 32};
    static char text[8][24];
    static int next;
    char *to = text[next++ % 8];
    int how = rng_below(&g->r, 100);
    if (how < 3) return "target.lanes_f32 * 0 + 4"; /* the same on all processors */
    if (how < 5) return "(1 + 2) * 2";
    snprintf(to, 24, "%d", how < 65 ? usual[rng_below(&g->r, 12)] : 1 + rng_below(&g->r, 40));
    return to;
}

static const char *tail(SchedGen *g)
{
    static const char *const tails[] = {"",          " tail guard",   " tail peel",    " tail mask",
                                        " tail pad", " tail compose", " tail perfect", ""};
    return tails[rng_below(&g->r, 8)];
}

/* Copies that the loops of d, and those that it is computed in, already make. */
static int64_t copies(const Plan *p, const PlanDef *d)
{
    int64_t n = 1;
    for (; d; d = d->in)
        for (int i = 0; i < d->loop.n; i++) {
            int64_t m = iter_most(p, d->loop.at[i]);
            if (d->loop.at[i]->how == LOOP_UNROLL && m > 0) n *= m;
        }
    return n;
}

/* ---- loop structure
 * -------------------------------------------------------------------------------------------------- */
static bool split_loop(SchedGen *g, Want *want)
{
    const PlanDef *d = focus(g);
    const Iter *it = any_loop(g, d, want);
    if (!it) return false;
    int k = g->names++;
    return put(g, "split %s[%s] by %s -> lo%d, li%d%s", name(d), it->name, factor(g), k, k, tail(g));
}
static bool m_split(SchedGen *g) { return split_loop(g, anything); }
static bool m_split_reduction(SchedGen *g) { return split_loop(g, reduces); }

static bool tile_loops(SchedGen *g, int n, Want *want)
{
    const PlanDef *d = focus(g);
    const Iter *it[3] = {0};
    if (!d || d->loop.n < n) return false;
    for (int i = 0; i < n; i++) {
        it[i] = any_loop(g, d, want);
        for (int k = 0; k < i; k++)
            if (!it[i] || it[i] == it[k]) return false;
    }
    if (!it[0]) return false;
    put(g, "tile %s[", name(d));
    for (int i = 0; i < n; i++) put(g, "%s%s", i ? ", " : "", it[i]->name);
    put(g, "] by ");
    for (int i = 0; i < n; i++) put(g, "%s%s", i ? ", " : "", factor(g));
    put(g, " -> ");
    for (int i = 0; i < n; i++) put(g, "%slo%d", i ? ", " : "", g->names + i);
    for (int i = 0; i < n; i++) put(g, ", li%d", g->names + i);
    g->names += n;
    return put(g, "%s", tail(g));
}
static bool m_tile(SchedGen *g)
{
    int n = 1 + rng_below(&g->r, 3);
    return tile_loops(g, n, rng_chance(&g->r, 60) ? of_result : anything);
}
static bool m_tile_result(SchedGen *g) { return tile_loops(g, 2, of_result); }

static bool m_fuse(SchedGen *g)
{
    const PlanDef *d = focus(g);
    if (!d || d->loop.n < 2) return false;
    int n = d->loop.n > 2 && rng_chance(&g->r, 25) ? 3 : 2, at = rng_below(&g->r, d->loop.n - n + 1);
    put(g, "fuse %s[", name(d));
    for (int i = 0; i < n; i++) put(g, "%s%s", i ? ", " : "", d->loop.at[at + i]->name);
    return put(g, "] -> lf%d", g->names++);
}

static bool write_order(SchedGen *g, const PlanDef *d, int n, const Iter *const *it)
{
    put(g, "order %s ", name(d));
    for (int i = 0; i < n; i++) put(g, "%s%s", i ? ", " : "", it[i]->name);
    return n > 1;
}

static bool m_order(SchedGen *g)
{
    const PlanDef *d = focus(g);
    const Iter *it[16];
    int n = 0;
    if (!d) return false;
    for (int i = 0; i < d->loop.n && n < 16; i++)
        if (!d->loop.at[i]->kernel && rng_chance(&g->r, 75)) it[n++] = d->loop.at[i];
    for (int i = n - 1; i > 0; i--) {
        int k = rng_below(&g->r, i + 1);
        const Iter *x = it[i];
        it[i] = it[k];
        it[k] = x;
    }
    return write_order(g, d, n, it);
}

/* Outer parts first, or, of two loops, the reduction's first. */
static bool m_order_blocks(SchedGen *g)
{
    const PlanDef *d = focus(g);
    const Iter *it[16];
    int n = 0;
    if (!d) return false;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < d->loop.n && n < 16; i++)
            if (!d->loop.at[i]->kernel && (d->loop.at[i]->kind == IT_INNER) == (pass == 1)) it[n++] = d->loop.at[i];
    return write_order(g, d, n, it);
}

/* ---- how loops run
 * ------------------------------------------------------------------------------------------------------ */
static bool m_unroll(SchedGen *g)
{
    const PlanDef *d = focus(g);
    const Iter *it = any_loop(g, d, inner);
    if (!it) return false;
    int64_t n = iter_most(g->p, it);
    return copies(g->p, d) * (n > 0 ? n : 1) <= COPIES && put(g, "unroll %s.%s", name(d), it->name);
}

static bool m_vectorize(SchedGen *g)
{
    const PlanDef *d = focus(g);
    const Iter *it = any_loop(g, d, rng_chance(&g->r, 70) ? of_result : plain);
    if (!it) return false;
    if (rng_chance(&g->r, 50)) it = d->loop.at[d->loop.n - 1];
    put(g, "vectorize %s.%s", name(d), it->name);
    static const int lanes[] = {1, 2, 3, 4, 8, 8, 16, LANES};
    return rng_chance(&g->r, 50) || put(g, " by %d", lanes[rng_below(&g->r, 8)]);
}

static bool m_parallel(SchedGen *g)
{
    const PlanDef *d = focus(g);
    const Iter *it = any_loop(g, d, of_result);
    if (!it) return false;
    if (rng_chance(&g->r, 60)) it = d->loop.at[0];
    return put(g, "parallel %s.%s", name(d), it->name);
}

/* ---- producers
 * ------------------------------------------------------------------------------------------------------------ */
static const char *place(SchedGen *g)
{
    static const char *const places[] = {"", "", "", " in local", " in reg", " in shared"};
    return places[rng_below(&g->r, rng_chance(&g->r, 5) ? 6 : 5)];
}

/* A let that `d` reads goes into d, or any let anywhere. */
static bool m_at(SchedGen *g)
{
    const PlanDef *c = any_def(g, true), *d = NULL;
    int n = 0;
    if (!c) return false;
    for (int i = 0; i < g->p->n; i++) {
        const PlanDef *x = &g->p->def[i];
        if (x != c && !x->w->gone && reads(x->w->rhs, c->w->def->out[0]) && rng_below(&g->r, ++n) == 0) d = x;
    }
    if (!d || rng_chance(&g->r, 5)) d = any_def(g, false);
    const Iter *it = any_loop(g, d, anything);
    if (!it) return false;
    if (rng_chance(&g->r, 50)) it = d->loop.at[rng_below(&g->r, (d->loop.n + 1) / 2)];
    return put(g, "at %s : %s.%s%s", name(c), name(d), it->name, place(g));
}

static bool m_root(SchedGen *g)
{
    const PlanDef *c = any_def(g, true);
    return c && put(g, "root %s", name(c));
}

static bool m_inline(SchedGen *g)
{
    const PlanDef *c = any_def(g, rng_chance(&g->r, 97));
    return c && put(g, "inline %s", name(c));
}

/* ---- copies
 * ------------------------------------------------------------------------------------------------------------------ */
static bool open_inside(const PlanDef *d, const Iter *root, int at)
{
    for (int i = at + 1; i < d->loop.n; i++)
        for (const Iter *x = d->loop.at[i]; x; x = x->kind == IT_ROOT ? NULL : x->of)
            if (x == root || (x->kind == IT_FUSED && x->with == root)) return true;
    return false;
}

/* The indices that a pack must have, in any order, the last cut into panels. */
static bool put_pack(SchedGen *g, const PlanDef *d, const Tensor *t, const Iter *at)
{
    const Expr *load = load_of(d->w->rhs, t);
    const Iter *ix[12];
    int n = 0;
    for (int i = 0; i < d->nroots && n < 12; i++) {
        bool needed = te_uses_var(load, d->root[i]->var) && open_inside(d, d->root[i], plan_index(d, at));
        if (needed != rng_chance(&g->r, 4)) ix[n++] = d->root[i];
    }
    if (!n) return false;
    int last = rng_below(&g->r, n);
    const Iter *x = ix[last];
    ix[last] = ix[n - 1];
    ix[n - 1] = x;
    put(g, " layout pack(");
    for (int i = 0; i < n; i++) put(g, "%s%s", i ? ", " : "", ix[i]->name);
    put(g, " by ");
    for (int i = 0; i + 1 < n; i++) put(g, "%s, ", rng_chance(&g->r, 97) ? "1" : factor(g));
    return put(g, "%s)", factor(g));
}

static bool stage(SchedGen *g, bool packed, int named)
{
    const PlanDef *d = focus(g);
    const Tensor *t = d ? any_read(g, d) : NULL;
    const Iter *it = any_loop(g, d, anything);
    if (!t || !it) return false;
    if (packed) it = d->loop.at[rng_below(&g->r, (d->loop.n + 1) / 2)];
    put(g, "stage %s at %s.%s in %s", t->name, name(d), it->name,
        rng_chance(&g->r, packed ? 95 : 60) ? "local" : "reg");
    if (packed) put_pack(g, d, t, it);
    if (!packed && rng_chance(&g->r, 12))
        put(g, rng_chance(&g->r, 50) ? " layout pad %d" : " layout swizzle %d", 16 * (1 + rng_below(&g->r, 8)));
    if (!rng_chance(&g->r, named)) return true;
    if (named == 100) snprintf(g->focus, sizeof g->focus, "ls%d", g->names); /* where that is not accepted: any */
    return put(g, " -> ls%d", g->names++);
}
static bool m_stage(SchedGen *g) { return stage(g, rng_chance(&g->r, 40), 20); }
static bool m_pack(SchedGen *g) { return stage(g, true, 10); }
static bool m_stage_named(SchedGen *g) { return stage(g, rng_chance(&g->r, 50), 100); }

static bool m_prefetch(SchedGen *g)
{
    const PlanDef *d = focus(g);
    const Tensor *t = d ? any_read(g, d) : NULL;
    const Iter *it = any_loop(g, d, anything);
    return t && it && put(g, "prefetch %s at %s.%s distance %d", t->name, name(d), it->name, 1 + rng_below(&g->r, 9));
}

static bool m_pipeline(SchedGen *g)
{
    const PlanDef *d = focus(g);
    if (!d) return false;
    const Iter *it = any_loop(g, d, anything);
    if (d->stage.n && rng_chance(&g->r, 90)) it = d->stage.at[rng_below(&g->r, d->stage.n)].at;
    if (!it || (!d->stage.n && rng_chance(&g->r, 90))) return false;
    return put(g, "pipeline %s.%s stages %d", name(d), it->name, 1 + rng_below(&g->r, 4));
}

/* The dims of a temporary in another order, some of them in pieces. */
static bool m_layout(SchedGen *g)
{
    const PlanDef *d = rng_chance(&g->r, 95) ? NULL : any_def(g, false);
    int n = 0, from = 0, k = 0;
    for (int i = 0; i < g->p->copy.n && !d; i++)
        if (rng_chance(&g->r, 50)) d = g->p->copy.at[i];
    if (!d) d = any_def(g, true);
    const Tensor *t = d ? d->w->def->out[0] : NULL;
    for (int i = 0; i < g->p->l->op->ntensors; i++)
        if (g->p->l->op->tensor[i]->kind == TK_CONST_INPUT && rng_chance(&g->r, t ? 15 : 50))
            t = g->p->l->op->tensor[i];
    if (!t) return false;
    char part[16][16];
    for (int rank = t->rank; from < rank && k < 14; from++) {
        int f = 1 + rng_below(&g->r, 9);
        bool cut = rng_chance(&g->r, 40), lost = rng_chance(&g->r, 3);
        if (cut) snprintf(part[k++], 16, "d%d%%%d", from, f);
        if (cut && !lost) snprintf(part[k++], 16, "d%d/%d", from, f);
        if (!cut && !lost) snprintf(part[k++], 16, "d%d", from);
    }
    if (!k) return false;
    put(g, "layout %s (", t->name);
    for (int i = 0; i < from; i++) put(g, "%sd%d", i ? ", " : "", i);
    put(g, ") -> (");
    for (; k > 0; n++) {
        int x = rng_below(&g->r, k);
        put(g, "%s%s", n ? ", " : "", part[x]);
        memmove(part[x], part[--k], sizeof part[x]);
    }
    return put(g, ")");
}

/* ---- registers
 * ------------------------------------------------------------------------------------------------------------------ */
static bool m_accum(SchedGen *g)
{
    const PlanDef *d = focus(g);
    for (int i = 0; i < 4 && d && !d->r; i++) d = any_def(g, false);
    const Iter *it = any_loop(g, d, rng_chance(&g->r, 70) ? of_result : anything);
    static const char *const types[] = {"", "", "", " f32", " f64", " i64"};
    return it && put(g, "accum %s at %s in reg%s", name(d), it->name, types[rng_below(&g->r, 6)]);
}

/* Then, half the time, the partial results are what is worked on. */
static bool m_rfactor(SchedGen *g)
{
    const PlanDef *d = focus(g);
    for (int i = 0; i < 4 && d && !d->r; i++) d = any_def(g, false);
    const Iter *it = any_loop(g, d, rng_chance(&g->r, 40) ? inner_reduction : reduces);
    if (!it) return false;
    int k = g->names++;
    bool put_it = put(g, "rfactor %s.%s -> rf%d", name(d), it->name, k);
    if (g->focus[0] && rng_chance(&g->r, 50)) snprintf(g->focus, sizeof g->focus, "rf%d", k);
    return put_it;
}

static bool m_microkernel(SchedGen *g)
{
    const PlanDef *d = focus(g);
    const Iter *a = any_loop(g, d, inner_result), *b = any_loop(g, d, inner_result);
    const Iter *c = any_loop(g, d, rng_chance(&g->r, 50) ? inner_reduction : reduces);
    for (int i = 0; i < 6 && a == b; i++) b = any_loop(g, d, i < 3 ? inner_result : of_result);
    if (!a || a == b) return false;
    int64_t m = iter_most(g->p, a), n = iter_most(g->p, b);
    if (m * n > COPIES * 4) return false;
    put(g, "microkernel %s.%s, %s.%s", name(d), a->name, name(d), b->name);
    if (c != a && c != b && rng_chance(&g->r, 70)) put(g, ", %s.%s", name(d), c->name);
    bool pairs = d->r && d->r->body->type == DT_I32 && rng_chance(&g->r, 40);
    const char *how = pairs ? "pairs" : rng_chance(&g->r, 65) ? "outer" : "dot";
    return put(g, " with %s%s", how, rng_chance(&g->r, 30) ? " compose" : "");
}

/* ---- one pass
 * ---------------------------------------------------------------------------------------------------------- */
static bool sums(const PlanDef *d) { return !d->w->gone && d->r && d->r->op == RED_SUM; }

/* A maximum, a sum, and a sum that reads what is made of both, in this order. */
static bool find_online(SchedGen *g, const PlanDef *to[3])
{
    const Plan *p = g->p;
    int n = 0;
    for (int o = 2; o < p->n; o++)
        for (int z = 1; sums(&p->def[o]) && z < o; z++)
            for (int m = 0; sums(&p->def[z]) && is_let(&p->def[z]) && m < z; m++) {
                const PlanDef *d = &p->def[m];
                if (d->w->gone || !d->r || d->r->op != RED_MAX || !is_let(d) || rng_below(&g->r, ++n)) continue;
                to[0] = d, to[1] = &p->def[z], to[2] = &p->def[o];
            }
    return n > 0;
}

static bool of_root(const Iter *it, const Var *v)
{
    while (it->kind != IT_ROOT) it = it->of;
    return it->var == v;
}

/* What the maximum is for, the terms, and the rest. */
static bool m_order_pass(SchedGen *g)
{
    const PlanDef *d[3];
    const Iter *it[32];
    int n = 0;
    if (!find_online(g, d) || d[2]->loop.n > 30) return false;
    const Expr *z = load_of(d[2]->w->rhs, d[1]->w->def->out[0]);
    for (int pass = 0; pass < 3; pass++)
        for (int i = 0; i < d[2]->loop.n; i++) {
            const Iter *x = d[2]->loop.at[i];
            bool indexes = false;
            for (int k = 0; z && k < z->nargs; k++) indexes |= z->arg[k]->op == EX_VAR && of_root(x, z->arg[k]->var);
            int at = x->reduces ? 1 + (x->kind == IT_INNER && g->names % 2)
                     : indexes  ? 2 * (x->kind == IT_INNER && g->names % 3 == 0)
                                : 2;
            if (at == pass) it[n++] = x;
        }
    return write_order(g, d[2], n, it);
}

static bool m_online(SchedGen *g)
{
    const PlanDef *d[3];
    if (!find_online(g, d)) return false;
    const Iter *it = any_loop(g, d[2], reduces);
    for (int i = d[2]->loop.n - 1; i >= 0 && rng_chance(&g->r, 90); i--)
        if (d[2]->loop.at[i]->reduces) it = d[2]->loop.at[i];
    return it && put(g, "online %s, %s, %s over %s", name(d[0]), name(d[1]), name(d[2]), it->name);
}

/* ---- what comes next
 * ------------------------------------------------------------------------------------------------------------ */
static Move *const product[] = {m_tile_result, m_split_reduction, m_order_blocks, m_pack,     m_pack,  m_accum,
                                m_microkernel, m_microkernel,     m_pipeline,     m_parallel, m_stage, NULL};
static Move *const product2[] = {m_tile_result,
                                 m_split_reduction,
                                 m_order_blocks,
                                 m_tile_result,
                                 m_split_reduction,
                                 m_order_blocks,
                                 m_pack,
                                 m_pack,
                                 m_microkernel,
                                 m_parallel,
                                 m_prefetch,
                                 m_pipeline,
                                 NULL};
static Move *const copied[] = {m_tile_result, m_order_blocks, m_stage_named, m_tile,  m_order, m_vectorize,
                               m_parallel,    m_unroll,       m_pipeline,    m_split, m_fuse,  NULL};
static Move *const laid[] = {m_layout, m_at, m_stage_named, m_layout, m_vectorize, m_parallel, m_tile, m_layout, NULL};
static Move *const lanes[] = {m_split, m_tile, m_order, m_vectorize, m_unroll, m_parallel, NULL};
static Move *const near[] = {m_tile, m_order_blocks, m_at, m_at, m_vectorize, m_parallel, m_at, m_split, NULL};
static Move *const in_parts[] = {m_split_reduction, m_order,    m_accum,  m_split, m_order,
                                 m_stage,           m_pipeline, m_unroll, NULL};
static Move *const partial[] = {m_split_reduction, m_split_reduction, m_order, m_rfactor, m_parallel, m_at, m_split,
                                m_order_blocks,    m_vectorize,       m_stage, m_unroll,  m_rfactor,  NULL};
static Move *const chaos[] = {m_split,    m_split,       m_tile,     m_tile,   m_fuse,  m_fuse,  m_order,    m_order,
                              m_unroll,   m_vectorize,   m_parallel, m_at,     m_at,    m_at,    m_root,     m_inline,
                              m_inline,   m_stage,       m_stage,    m_stage,  m_accum, m_accum, m_prefetch, m_pipeline,
                              m_pipeline, m_microkernel, m_rfactor,  m_online, m_layout};
static Move *const pass[] = {m_split,  m_split_reduction, m_split, m_order_pass, m_online, m_accum, m_vectorize,
                             m_online, m_parallel,        m_order, m_unroll,     m_at,     m_split, NULL};
static Move *const nothing[] = {NULL};
static Move *const *const recipes[] = {product,  product2, product, lanes, near,   near,
                                       in_parts, partial,  copied,  laid,  nothing};
enum { RECIPES = sizeof recipes / sizeof *recipes, CHAOS = sizeof chaos / sizeof *chaos };

SchedGen *sched_gen(uint64_t seed, const Program *p)
{
    SchedGen *g = calloc(1, sizeof *g);
    if (!g) exit(3);
    *g = (SchedGen){.r = {seed * 0x9E3779B97F4A7C15ULL + 0x7654321}, .program = p};
    for (int i = 0; i < 8; i++) rng_next(&g->r);
    g->recipe = recipes[rng_below(&g->r, RECIPES)];
    g->chaos = g->recipe == nothing ? 4 + rng_below(&g->r, ATTEMPTS) : rng_below(&g->r, 5);
    return g;
}

/* What the recipe works on: a definition that reduces where it can be one. */
static void choose_focus(SchedGen *g)
{
    const PlanDef *d = any_def(g, false);
    for (int i = 0; i < 4 && d && (!d->r || d->r->op != RED_SUM || d->loop.n < 3); i++) d = any_def(g, false);
    if (d) snprintf(g->focus, sizeof g->focus, "%s", name(d));
}

/* Something that sizes decide when the kernel runs. */
static const char *on_size(SchedGen *g, int dim, char *to, size_t n)
{
    int k = rng_below(&g->r, 8), other = rng_below(&g->r, g->program->ndims);
    switch (rng_below(&g->r, 5)) {
    case 0: snprintf(to, n, "D%d == %d", dim, 1 + k); break;
    case 1: snprintf(to, n, "D%d <= %d || D%d > D%d", dim, 2 * k, dim, other); break;
    case 2: snprintf(to, n, "%d < D%d && D%d %% %d == 0", k, dim, other, 1 + rng_below(&g->r, 4)); break;
    default: snprintf(to, n, "D%d %% %d == 0", dim, 1 + k); break;
    }
    return to;
}

static void choose_pass(SchedGen *g)
{
    const PlanDef *d[3];
    if (g->p->l->num.ordered || !find_online(g, d) || rng_chance(&g->r, 20)) return;
    g->recipe = pass;
    snprintf(g->focus, sizeof g->focus, "%s", name(d[2]));
}

static bool written(SchedGen *g, Move *move)
{
    g->to[0] = 0;
    if (!move(g)) return false;
    char inside[160], cond[64];
    int how = g->program->ndims ? rng_below(&g->r, 100) : 100, dim;
    if (how >= 12) return true;
    dim = rng_below(&g->r, g->program->ndims);
    snprintf(inside, sizeof inside, "%s", g->to);
    if (how < 3) /* decided when it is applied: true, false, or not known */
        snprintf(g->to, g->n, "if D%d > %d { %s; }", dim, rng_below(&g->r, 6), inside);
    else
        snprintf(g->to, g->n, "specialize when %s { %s; }", on_size(g, dim, cond, sizeof cond), inside);
    return strlen(inside) < sizeof inside - 1;
}

bool sched_next(SchedGen *g, const Plan *plan, char *to, size_t n)
{
    g->p = plan;
    g->to = to;
    g->n = n;
    if (*g->recipe && !g->focus[0]) {
        choose_focus(g);
        choose_pass(g);
    }
    while (*g->recipe) {
        Move *m = *g->recipe++;
        if (rng_chance(&g->r, 85) && written(g, m)) return true;
    }
    g->focus[0] = 0;
    while (g->chaos-- > 0)
        if (written(g, chaos[rng_below(&g->r, CHAOS)])) return true;
    return false;
}

SchedKind sched_kind_of(const char *statement)
{
    size_t n = strcspn(statement, " ");
    for (int k = 0; k < SS_COUNT; k++)
        if (strlen(sched_stmt_name[k]) == n && strncmp(statement, sched_stmt_name[k], n) == 0) return (SchedKind)k;
    return SS_COUNT;
}
