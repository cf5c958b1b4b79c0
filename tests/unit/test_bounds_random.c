/* test_bounds_random: the bounds proof against brute force. Random programs with one access, whose sizes are few enough
 * to look at every point: what is proved must be safe at all of them, what is refuted must not be, and few may be left
 * undecided. `test_bounds_random COUNT SEED` runs more. */
#include "check.h"

#include "frontend/frontend.h"
#include "schedule/schedule.h"

#include <stdlib.h>

/* ---- programs -------------------------------------------------------------------------------------------------- */

typedef struct Gen {
    Text *to;
    uint64_t state;
    bool vars; /* i, j and k may be used */
} Gen;

static unsigned draw(Gen *g, unsigned n)
{
    g->state = g->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(g->state >> 33) % n;
}

static void leaf(Gen *g)
{
    static const char *name[] = {"i", "j", "k", "M", "N"};
    unsigned k = draw(g, 8);
    if (k < 5 && (g->vars || k > 2))
        text_add(g->to, name[k]);
    else if (!g->vars && k < 3)
        text_add(g->to, k % 2 ? "M" : "N");
    else
        text_printf(g->to, "%u", draw(g, 4));
}

static void positive(Gen *g)
{
    static const char *some[] = {"2", "3", "4", "M", "N", "(M+1)", "(M*N)", "(N+2)", "(M/N)"};
    text_add(g->to, some[draw(g, sizeof some / sizeof *some)]);
}

static void expr(Gen *g, int depth)
{
    if (depth == 0) {
        leaf(g);
        return;
    }
    switch (draw(g, 13)) {
    case 0:
    case 1:
        text_add(g->to, "(");
        expr(g, depth - 1);
        text_add(g->to, " + ");
        expr(g, depth - 1);
        text_add(g->to, ")");
        break;
    case 2:
    case 3:
        text_add(g->to, "(");
        expr(g, depth - 1);
        text_add(g->to, " - ");
        expr(g, depth - 1);
        text_add(g->to, ")");
        break;
    case 4:
        leaf(g);
        text_add(g->to, "*");
        leaf(g);
        break;
    case 5:
    case 6:
        text_add(g->to, "(");
        expr(g, depth - 1);
        text_add(g->to, draw(g, 2) ? ")/" : ")%");
        positive(g);
        break;
    case 7:
        text_add(g->to, draw(g, 2) ? "min(" : "max(");
        expr(g, depth - 1);
        text_add(g->to, ", ");
        expr(g, depth - 1);
        text_add(g->to, ")");
        break;
    case 8:
        text_add(g->to, "clamp(");
        expr(g, depth - 1);
        text_add(g->to, ", 0, ");
        expr(g, depth - 1);
        text_add(g->to, ")");
        break;
    case 9:
        text_add(g->to, "i*N + j");
        if (!g->vars) text_add(g->to, "*0 + M");
        break;
    default: leaf(g); break;
    }
}

static void condition(Gen *g)
{
    static const char *op[] = {" < ", " <= ", " > ", " >= ", " == ", " != "};
    expr(g, 1);
    text_add(g->to, op[draw(g, 6)]);
    expr(g, 1);
}

/* Y[i,j] = sum{k in …}(c && c ? X[e] : 0.0), with X's extent often close to what e needs */
static void program(Gen *g)
{
    static const char *extent[] = {"M",     "N",        "M*N",     "M+N", "M+2",   "2*M",
                                   "2*N+1", "M*N+N",    "M*(N+1)", "M+3", "N/2+1", "(M+N)/2+1",
                                   "M/N+1", "max(M,N)", "M*N*2",   "4",   "9"};
    static const char *where[] = {
        "", "", "", " where M % N == 0", " where M <= N", " where M >= 2", " where M == N, N > 1"};
    static const char *range[] = {"0..M", "0..i+1", "1..N+1", "i..M", "0..N/2", "j..j+2", "0..M*N"};
    text_add(g->to, "op f[M in 1..5, N in 1..4](X: f32[");
    text_add(g->to, extent[draw(g, sizeof extent / sizeof *extent)]);
    text_printf(g->to, "]) -> (Y: f32[M,N])%s { Y[i,j] = ", where[draw(g, 7)]);
    text_printf(g->to, "sum{k in %s}(", range[draw(g, 7)]);
    g->vars = true;
    for (unsigned n = draw(g, 3); n > 0; n--) {
        condition(g);
        text_add(g->to, n > 1 ? (draw(g, 2) ? " && " : " || ") : " ? ");
        if (n == 1) {
            text_add(g->to, "X[");
            expr(g, 2);
            text_add(g->to, "] : 0.0) }");
            return;
        }
    }
    text_add(g->to, "X[");
    expr(g, 2);
    text_add(g->to, "]) }");
}

/* ---- brute force: an evaluator of its own ---------------------------------------------------------------------- */

typedef struct Point {
    const TeOp *op;
    int64_t dim[2], var[8];
    bool undefined; /* a division by 0 */
    bool fails;     /* at some point: the call ends in an error status anyway */
} Point;

static int64_t eval(Point *p, const Expr *e)
{
    int64_t a[3] = {0};
    if (e->op == EX_INT) return e->i;
    if (e->op == EX_DIM) return p->dim[e->sym];
    if (e->op == EX_VAR) return p->var[e->var->id];
    if (e->op == EX_AND || e->op == EX_OR) {
        bool first = eval(p, e->arg[0]) != 0;
        return first == (e->op == EX_OR) || p->undefined ? first : eval(p, e->arg[1]) != 0;
    }
    for (int i = 0; i < e->nargs; i++) a[i] = eval(p, e->arg[i]);
    int64_t x = a[0], y = a[1];
    switch ((ExprOp)e->op) {
    case EX_ADD: return x + y;
    case EX_SUB: return x - y;
    case EX_MUL: return x * y;
    case EX_NEG: return -x;
    case EX_NOT: return !x;
    case EX_CAST: return x;
    case EX_MIN: return x < y ? x : y;
    case EX_MAX: return x > y ? x : y;
    case EX_CLAMP: return x < y ? (y < a[2] ? y : a[2]) : x < a[2] ? x : a[2];
    case EX_LT: return x < y;
    case EX_LE: return x <= y;
    case EX_GT: return x > y;
    case EX_GE: return x >= y;
    case EX_EQ: return x == y;
    case EX_NE: return x != y;
    case EX_DIV:
    case EX_MOD: {
        if (y == 0) {
            p->undefined = p->fails = true;
            return 0;
        }
        int64_t q = x / y;
        while (q * y > x && y > 0) q--;
        while (q * y < x && y < 0) q--;
        return e->op == EX_DIV ? q : x - q * y;
    }
    default: CHECK(!"an operation that the generator does not make"); return 0;
    }
}

/* Is some point of X's access out of bounds at these sizes? */
static bool unsafe_at(Point *p, const Def *def)
{
    const Reduce *r = def->rhs->red;
    const Expr *body = r->body, *cond = NULL, *load = body;
    if (body->op == EX_SELECT) {
        cond = body->arg[0];
        load = body->arg[1];
    }
    for (int64_t i = 0; i < p->dim[0]; i++) {
        for (int64_t j = 0; j < p->dim[1]; j++) {
            p->var[def->ix[0]->id] = i;
            p->var[def->ix[1]->id] = j;
            p->undefined = false;
            int64_t lo = eval(p, r->var[0]->lo), hi = eval(p, r->var[0]->hi);
            for (int64_t k = lo; k < hi; k++) {
                p->var[r->var[0]->id] = k;
                p->undefined = false;
                if (cond && !eval(p, cond)) continue;
                int64_t x = eval(p, load->arg[0]), end = eval(p, load->load.t->shape[0]);
                if (!p->undefined && (x < 0 || x >= end)) return true;
            }
        }
    }
    return false;
}

typedef struct Tally {
    int proved, undecided, refuted, called, skipped;
} Tally;

static bool checks_hold(Point *p, int from, int to)
{
    for (int i = from; i < to; i++)
        if (!eval(p, p->op->check[i].cond) || p->undefined) return false;
    return true;
}

/* Per size: unsafe, and the verdict says otherwise? */
static void compare(const TeOp *op, const Diags *diags, Tally *tally, const char *text)
{
    bool unsafe = false, refused = false;
    const Expr *body = op->def[0]->rhs->red->body, *load = body->op == EX_SELECT ? body->arg[1] : body;
    bool proved = diags->errors == 0 && load->flag == LOAD_PROVED;
    for (int64_t m = op->dim[0].lo; m <= op->dim[0].hi; m++) {
        for (int64_t n = op->dim[1].lo; n <= op->dim[1].hi; n++) {
            Point p = {.op = op, .dim = {m, n}};
            if (!checks_hold(&p, 0, op->nwhere)) continue;
            bool bad = unsafe_at(&p, op->def[0]);
            bool fails = p.fails;
            p.undefined = false;
            bool go = diags->errors || checks_hold(&p, op->nwhere, op->nchecks);
            unsafe |= bad && go;
            if (!bad && !go && !fails) refused = true;
        }
    }
    bool refuted = diags->errors && diags->first->code == D_B001_BOUNDS;
    bool wrong = (proved && unsafe) || (refuted && !unsafe);
    if (!CHECK(!wrong)) printf("%s: %s\n", proved ? "proved, not so" : "refuted, not so", text);
    if (!CHECK(!refused)) printf("a check refuses a good call: %s\n", text);
    tally->called += op->nchecks > op->nwhere;
    tally->proved += proved;
    tally->refuted += refuted;
    tally->undecided += diags->errors && !refuted;
    if (diags->errors && !refuted && getenv("SHOW")) printf("undecided, %s: %s\n", unsafe ? "unsafe" : "safe", text);
}

static void try_one(uint64_t seed, Tally *tally)
{
    Arena *mem = arena_new();
    Text t = {.mem = mem};
    Gen g = {.to = &t, .state = seed * 0x9e3779b97f4a7c15u + 1};
    Diags diags = {.mem = mem};
    program(&g);
    Source src = {"random", t.s, t.n};
    AstFile *f = fe_parse(mem, &src, &diags);
    TeOp *op = diags.errors ? NULL : fe_check(mem, f, f->item[0].op, 0, NULL, &diags);
    if (op) {
        sched_check_bounds(op, &diags);
        compare(op, &diags, tally, t.s);
    } else {
        tally->skipped++;
        if (getenv("SHOW")) printf("skipped: %s\n", t.s);
    }
    arena_free(mem);
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 1500, seed = argc > 2 ? atol(argv[2]) : 1;
    Tally tally = {0};
    for (long i = 0; i < count; i++) try_one((uint64_t)(seed + i), &tally);
    printf("%d proved, %d refuted, %d undecided, %d with a check, %d not programs\n", tally.proved, tally.refuted,
           tally.undecided, tally.called, tally.skipped);
    CHECK(tally.undecided * 20 <= count); /* at most one in twenty */
    CHECK(tally.skipped * 10 <= count);
    return check_done();
}
