/* sched_run: programs with random schedules. A schedule grows statement by statement; after each that is accepted the
 * Tile program must be valid, and each that is not must be rejected with a place and no internal error. What it has
 * become then runs like any other: the Tile interpreter and compiled code, one thread and two, must give the result. */
#include "tests/random/sched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORK = 20000000, INTERPRETED = 2000000, CODE = 6000 };

typedef struct Grow {
    Bench *b;
    Arena *mem; /* of the analysed program */
    TeOp *op;
    int64_t sizes[MAX_DIMS];
    Schedule *s;
} Grow;

typedef struct Try {
    Arena *mem;
    Diags diags;
    const Sched *sched;
    TileProg *prog;
} Try;

/* Several processors, so that lanes differ. */
static Target processor(uint64_t k)
{
    Target t = {.name = "cpu",
                .vector_bytes = 32,
                .vregs = 16,
                .fma = true,
                .l1 = 32 << 10,
                .l2 = 1 << 20,
                .l3 = 8 << 20,
                .line = 64,
                .cores = 2,
                .fma_per_cycle = 2,
                .fma_latency = 4};
    static const int bytes[] = {32, 64, 16};
    t.vector_bytes = bytes[k % 3];
    return t;
}

/* ---- one try -------------------------------------------------------------------------------------------------------
 */
static const Sched *parse(Try *t, const Schedule *s)
{
    Source *src = NEW(t->mem, Source);
    char *text = schedule_text(s);
    *src = (Source){"random.sched", arena_strdup(t->mem, text), strlen(text)};
    free(text);
    SchedFile *f = sched_parse(t->mem, src, &t->diags);
    return !t->diags.errors && f->n == 1 ? f->sched[0] : NULL;
}

/* What of a diagnostic is wrong in itself; NULL: nothing. */
static const char *bad_diagnostic(const Diags *d)
{
    for (const Diag *e = d->first; e; e = e->next) {
        if (e->warning) continue;
        if (diag_name(e->code)[0] == 'X') return "an internal error";
        if (!e->span.src) return "no place";
    }
    return NULL;
}

/* Lowers with the schedule as it is. RUN_REJECTED, with the diagnostics, is no failure. */
static Outcome attempt(Grow *g, Try *t, int threads, uint64_t cpu)
{
    Bench *b = g->b;
    Target target = processor(cpu);
    int64_t bound[MAX_DIMS];
    *t = (Try){.mem = arena_new()};
    t->diags.mem = t->mem;
    for (int i = 0; i < g->op->ndims; i++) bound[i] = size_bound(b, i);
    Target *kept = arena_dup(t->mem, &target, sizeof target);
    SchedUse use = {.sched = parse(t, g->s), .target = kept, .num = b->num, .threads = threads};
    t->sched = use.sched;
    if (use.sched) t->prog = sched_lower_with(t->mem, &use, te_bind(t->mem, g->op, bound), &t->diags, NULL);
    const char *bad = bad_diagnostic(&t->diags);
    if (bad)
        return fail(b, RUN_CRASH, "schedule: %s in a diagnostic: %s: %s", bad, diag_name(t->diags.first->code),
                    t->diags.first->text);
    if (!t->prog && !t->diags.errors) return fail(b, RUN_CRASH, "schedule: not lowered, and no diagnostic");
    if (!t->prog) return RUN_REJECTED;
    const char *broken = tile_verify(t->mem, t->prog);
    return broken ? fail(b, RUN_CRASH, "schedule: not valid: %s", broken) : RUN_OK;
}

/* The loops as they are after the statements so far. */
static Plan *loops_now(Grow *g, Try *t)
{
    Target target = processor(g->s->seed);
    int64_t bound[MAX_DIMS], none[1];
    for (int i = 0; i < g->op->ndims; i++) bound[i] = size_bound(g->b, i);
    Lower *l = NEW(t->mem, Lower);
    low_start(l, t->mem, te_bind(t->mem, g->op, bound), arena_dup(t->mem, &target, sizeof target), g->b->num,
              SCHED_FILE, 1, NULL);
    fuse_snapshots(l);
    Plan *p = plan_new(l);
    SchedEnv env = {t->sched, none, l->op, l->target};
    return plan_apply(p, t->sched, t->sched->nstmts, &env, NULL, &t->diags) ? p : NULL;
}

/* ---- growing
 * --------------------------------------------------------------------------------------------------------- */
/* The last statement stays when it is accepted. */
static Outcome add_one(Grow *g, Try *now, bool counted)
{
    Try t;
    Outcome r = attempt(g, &t, 1 + (int)(g->s->seed & 1), g->s->seed);
    if (r == RUN_OK || r == RUN_REJECTED) {
        const char *text = g->s->stmt[g->s->n - 1];
        if (counted) count_statement(text, r == RUN_REJECTED ? t.diags.first : NULL);
    }
    if (r == RUN_REJECTED) g->s->gone[--g->s->n] = false;
    Try *out = r == RUN_OK ? now : &t;
    arena_free(out->mem);
    if (r == RUN_OK) *now = t;
    return r == RUN_REJECTED ? RUN_OK : r;
}

static Outcome grow(Grow *g)
{
    Try now;
    Outcome r = attempt(g, &now, 1, g->s->seed);
    SchedGen *gen = sched_gen(g->s->seed, g->b->p);
    while (r == RUN_OK && g->s->n < MAX_SCHED) {
        Plan *p = loops_now(g, &now);
        if (!p) {
            r = fail(g->b, RUN_CRASH, "schedule: accepted, then rejected");
            break;
        }
        if (!sched_next(gen, p, g->s->stmt[g->s->n], SCHED_LINE)) break;
        g->s->n++;
        r = add_one(g, &now, true);
    }
    free(gen);
    arena_free(now.mem);
    return r;
}

/* A given schedule, statement by statement; those that are not accepted now are left out. */
static Outcome grow_again(Grow *g)
{
    Schedule all = *g->s;
    Try now;
    g->s->n = 0;
    Outcome r = attempt(g, &now, 1, g->s->seed);
    for (int i = 0; i < all.n && r == RUN_OK; i++) {
        if (all.gone[i]) continue;
        g->s->gone[g->s->n] = false;
        memcpy(g->s->stmt[g->s->n++], all.stmt[i], SCHED_LINE);
        r = add_one(g, &now, false);
    }
    arena_free(now.mem);
    return r;
}

/* ---- how much it is
 * ---------------------------------------------------------------------------------------------------- */
typedef struct Size {
    double work, code;
} Size;

/* At most, where that is easily seen. */
static double most(const TileProg *p, const int64_t *sizes, const Expr *e, double other)
{
    int64_t v;
    if (te_eval_size_at(p->op, e, sizes, &v)) return (double)v;
    if (e->op != EX_MIN) return other;
    double a = most(p, sizes, e->arg[0], 1e18), b = most(p, sizes, e->arg[1], 1e18), m = a < b ? a : b;
    return m < 1e18 ? m : other;
}

static Size size_of(const TileProg *p, const int64_t *sizes, const Block *b)
{
    Size all = {0, 0};
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        Size in = {1, 1};
        if (s->kind == ST_FOR) {
            double n = most(p, sizes, s->loop.var->hi, 16) - most(p, sizes, s->loop.var->lo, 0);
            in = size_of(p, sizes, &s->loop.body);
            in.work *= (n < 1 ? 1 : n) / (double)s->loop.step;
            if (s->loop.kind == LOOP_UNROLL && n > 1) in.code *= n;
        } else if (s->kind == ST_IF) {
            Size x = size_of(p, sizes, &s->branch.then), y = size_of(p, sizes, &s->branch.els);
            in = (Size){1 + x.work + y.work, 1 + x.code + y.code};
        }
        all.work += in.work;
        all.code += in.code;
    }
    return all;
}

/* ---- running
 * ------------------------------------------------------------------------------------------------------------- */
static bool seen_text(Bench *b, const Try *t)
{
    Text text = {.mem = t->mem};
    tile_print(&text, t->prog);
    return seen_before(b, text.s);
}

static Outcome interpret_once(Grow *g, int threads, uint64_t cpu, Size *size)
{
    Try t;
    char label[96];
    Outcome r = attempt(g, &t, threads, cpu);
    if (r == RUN_REJECTED)
        r = fail(g->b, RUN_REJECTED, "schedule: rejected for another processor: %s", t.diags.first->text);
    if (r == RUN_OK) {
        *size = size_of(t.prog, g->sizes, &t.prog->body);
        snprintf(label, sizeof label, "schedule: tile: vectors of %d bytes, %d threads", processor(cpu).vector_bytes,
                 threads);
        if (size->work < INTERPRETED && !seen_text(g->b, &t)) r = interpret_tile(g->b, t.prog, g->sizes, label);
    }
    arena_free(t.mem);
    return r;
}

static bool write_file(const char *path, const Schedule *s)
{
    FILE *f = fopen(path, "w");
    char *text = schedule_text(s);
    bool written = f && fputs(text, f) >= 0;
    free(text);
    return f && fclose(f) == 0 && written;
}

static Outcome run_all(Grow *g, const char *numerics)
{
    Bench *b = g->b;
    Size size = {0, 0};
    const char *path = schedule_path((long)getpid());
    uint64_t seed = g->s->seed;
    forget_seen(b);
    Outcome r = interpret_once(g, 1, seed, &size);
    if (r == RUN_OK && b->num.ordered && seed % 2) r = interpret_once(g, 2, seed + 1, &size);
    bool skipped = size.work > WORK || size.code > CODE;
    if (r == RUN_OK && !b->p->sched) count_pair(skipped);
    if (skipped || r != RUN_OK || (b->o->target && strcmp(b->o->target, "tile") == 0)) return r;
    if (!write_file(path, g->s)) return fail(b, RUN_CRASH, "schedule: %s cannot be written", path);
    forget_seen(b);
    int first = 1 + (int)(seed / 2 % 4 != 0);
    r = run_way(b, &(Way){path, first, true, b->num.ordered && seed % 8 == 3}, numerics);
    if (r == RUN_OK && (b->p->sched || seed % 4 == 1)) r = run_way(b, &(Way){path, 3 - first, true, false}, numerics);
    return r;
}

/* ---- the schedules of a program
 * ------------------------------------------------------------------------------------------- */
static Schedule fresh(uint64_t program, int i)
{
    Schedule s = {.seed = program * 64 + (uint64_t)i};
    uint64_t h = s.seed * 2654435761u;
    s.ordered = (h >> 8) % 5 < 3;
    s.all_fixed = (h >> 16) % 5 < 2;
    return s;
}

static Outcome one_schedule(Grow *g, Schedule *s, bool made, const char *numerics)
{
    Bench *b = g->b;
    run_timer();
    b->all_fixed = s->all_fixed;
    g->s = b->o->trying ? b->o->trying : s;
    *g->s = *s;
    Outcome r = b->p->sched ? grow_again(g) : made ? RUN_OK : grow(g);
    if (r == RUN_OK) r = run_all(g, numerics);
    *s = *g->s;
    return r;
}

static Outcome all_schedules(Grow *g, const char *numerics)
{
    Bench *b = g->b;
    Outcome r = RUN_OK;
    int n = b->o->schedules;
    if (!b->kept) b->kept = calloc((size_t)n, sizeof *b->kept);
    for (int i = 0; i < n && r == RUN_OK; i++) {
        Schedule s = fresh(b->p->seed, i);
        if (s.ordered == b->num.ordered) {
            r = one_schedule(g, &s, false, numerics);
            b->kept[i] = s;
        } else if (s.ordered && b->kept[i].n && s.seed % 4 == 0) {
            r = one_schedule(g, &b->kept[i], true, numerics);
        }
    }
    return r;
}

Outcome run_schedules(Bench *b, const char *numerics)
{
    Grow g = {.b = b, .mem = arena_new()};
    Outcome r = RUN_OK;
    g.op = analyse_again(b, g.mem);
    if (!g.op) {
        r = fail(b, RUN_REJECTED, "schedule: not analysed");
    } else {
        sizes_of(b, g.op, g.sizes);
        Schedule s;
        if (!b->p->sched)
            r = all_schedules(&g, numerics);
        else if ((s = *b->p->sched).ordered >= b->num.ordered)
            r = one_schedule(&g, &s, false, numerics);
    }
    b->all_fixed = false;
    arena_free(g.mem);
    return r;
}
