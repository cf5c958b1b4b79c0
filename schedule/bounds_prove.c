/* bounds_prove.c: proofs of `goal >= 0` in a context, by refuting `goal <= -1` together with what the context says.
 *
 * The question is about integers and products of them. Every monomial becomes a column of a linear system, so that ISL
 * can decide it; what the products mean is put back as products of facts (the reformulation-linearisation technique,
 * Sherali & Adams 1990), as far as the system's own monomials ask for them: in `i*N + j < M*N` the monomial i*N asks
 * for i <= M-1 times N, that is i*N <= M*N - N. Quotients are their defining inequalities, so that symbolic divisors
 * need no rules of their own: with H == G*q (from H % G == 0) and q*r <= h < H, r >= G times q gives q*r >= H.
 *
 * Needs polynomials and formulas of bounds_symbolic.c. Only facts that share unknowns with the goal enter. What is
 * left out, and what a full table has no room for, can only make a proof fail, never succeed. */
#include "schedule/bounds.h"
#include "schedule/poly.h"

#include <string.h>

enum {
    ROWS_MOST = 100,    /* of one system, products among them */
    CLAUSES_MOST = 24,  /* `or`s that are split */
    LEAVES_MOST = 96,   /* systems solved for one goal */
    RELAX_OPS = 20000,  /* ISL operations of one system over rationals, */
    INTEGER_OPS = 2000, /* and over integers */
    INTEGER_ROWS = 40,  /* systems above this are not solved over integers: */
    INTEGER_COLS = 20,  /* the numbers that come up grow with them */
    LEMMAS_MOST = 24,   /* tried for one goal */
    NESTING_MOST = 4,   /* proofs that a divisor is positive, inside each other */
    TIGHTEN_ROUNDS = 4,
    GOAL_WORK = 2000000 /* for one goal: rows x columns^2, about 50 ns each */
};

typedef VEC(Row) Rows;
typedef VEC(const Form *) Forms;

typedef struct Query {
    Bounds *b;
    Ctx *ctx;
    bool *have; /* by atom: its facts are in */
    int natoms, nesting, leaves;
    long work_left;
    VEC(int) work; /* atoms whose facts are to be added */
    Rows rows;
    Forms clauses;
    bool absurd; /* a fact is false */
    bool hints;  /* a point that satisfies all is worth keeping */
} Query;

static bool prove_at(Bounds *b, Ctx *ctx, const Sym *goal, int nesting);

/* ---- gathering facts ------------------------------------------------------------------------------------------- */

static void want_sym(Query *q, const Sym *p)
{
    for (int i = 0; i < p->n; i++) {
        const Mono *m = &q->b->mono.at[p->t[i].mono];
        for (int k = 0; k < m->n; k++) {
            if (m->atom[k] >= q->natoms || q->have[m->atom[k]]) continue;
            q->have[m->atom[k]] = true;
            VEC_PUSH(q->b->mem, &q->work, m->atom[k]);
        }
    }
}

static void want(Query *q, const Form *f)
{
    if (f->kind == FORM_ROW) want_sym(q, f->row.p);
    for (int i = 0; i < f->n; i++) want(q, f->arg[i]);
}

static bool touches_sym(const Query *q, const Sym *p, int depth);

/* Its facts are in, or what it is made of has facts that are: i/4 and max(i, 3) tell of i. */
static bool touches_atom(const Query *q, int atom, int depth)
{
    if (atom >= q->natoms) return false;
    const Atom *a = &q->b->atom.at[atom];
    bool made = a->kind == ATOM_QUOT || a->kind == ATOM_MIN || a->kind == ATOM_MAX || a->kind == ATOM_PICK;
    return q->have[atom] || (made && depth > 0 && (touches_sym(q, a->a, depth - 1) || touches_sym(q, a->b, depth - 1)));
}

static bool touches_sym(const Query *q, const Sym *p, int depth)
{
    for (int i = 0; p && i < p->n; i++) {
        const Mono *m = &q->b->mono.at[p->t[i].mono];
        for (int k = 0; k < m->n; k++)
            if (touches_atom(q, m->atom[k], depth)) return true;
    }
    return false;
}

static bool touches(const Query *q, const Form *f)
{
    enum { DEPTH = 4 };
    if (f->kind == FORM_ROW && touches_sym(q, f->row.p, DEPTH)) return true;
    for (int i = 0; i < f->n; i++)
        if (touches(q, f->arg[i])) return true;
    return false;
}

static void add(Arena *mem, Rows *rows, Forms *clauses, bool *absurd, const Form *f)
{
    switch (f->kind) {
    case FORM_TRUE: break;
    case FORM_FALSE: *absurd = true; break;
    case FORM_ROW: VEC_PUSH(mem, rows, f->row); break;
    case FORM_AND:
        for (int i = 0; i < f->n; i++) add(mem, rows, clauses, absurd, f->arg[i]);
        break;
    case FORM_OR:
        if (clauses->n < CLAUSES_MOST) VEC_PUSH(mem, clauses, f);
        break;
    }
}

static void assume(Query *q, const Form *f)
{
    add(q->b->mem, &q->rows, &q->clauses, &q->absurd, f);
    want(q, f);
}

/* The sign of a divisor decides what its quotient's facts are; it is proved in the same context, once. */
enum { SIGN_ASKED = 1, SIGN_POSITIVE, SIGN_NEGATIVE, SIGN_UNKNOWN };

static int divisor_sign(Query *q, int atom)
{
    Bounds *b = q->b;
    Ctx *ctx = q->ctx;
    if (ctx->nquot < b->atom.n) {
        int *more = NEW_ARRAY(b->mem, int, b->atom.n);
        if (ctx->nquot) memcpy(more, ctx->quot_state, sizeof(int) * (size_t)ctx->nquot);
        ctx->quot_state = more;
        ctx->nquot = b->atom.n;
    }
    int known = ctx->quot_state[atom];
    if (known) return known == SIGN_ASKED ? SIGN_UNKNOWN : known;
    if (q->nesting >= NESTING_MOST) return SIGN_UNKNOWN;
    ctx->quot_state[atom] = SIGN_ASKED;
    const Sym *d = b->atom.at[atom].b, *one = sched_sym_const(b, 1), *zero = sched_sym_const(b, 0);
    int sign = SIGN_UNKNOWN;
    if (prove_at(b, ctx, sched_sym_add(b, d, one, -1), q->nesting + 1))
        sign = SIGN_POSITIVE;
    else if (prove_at(b, ctx, sched_sym_add(b, sched_sym_add(b, zero, d, -1), one, -1), q->nesting + 1))
        sign = SIGN_NEGATIVE;
    ctx->quot_state[atom] = sign;
    return sign;
}

static void add_atom_facts(Query *q, int atom)
{
    const Atom *a = &q->b->atom.at[atom];
    if (a->kind != ATOM_QUOT) {
        if (a->fact) assume(q, a->fact);
        return;
    }
    int sign = divisor_sign(q, atom);
    a = &q->b->atom.at[atom];
    if (sign == SIGN_POSITIVE) assume(q, a->fact);
    if (sign == SIGN_NEGATIVE) assume(q, a->fact_neg);
}

/* The facts of the context in pieces, so that each counts on its own. */
static void pieces(Arena *mem, Forms *to, const Form *f)
{
    if (f->kind == FORM_AND) {
        for (int i = 0; i < f->n; i++) pieces(mem, to, f->arg[i]);
    } else if (f->kind != FORM_TRUE) {
        VEC_PUSH(mem, to, f);
    }
}

static void gather(Query *q, bool all)
{
    Forms facts = {0};
    for (const Ctx *c = q->ctx; c; c = c->up)
        if (c->form) pieces(q->b->mem, &facts, c->form);
    for (bool more = true; more;) {
        more = false;
        while (q->work.n) {
            int atom = q->work.at[--q->work.n];
            add_atom_facts(q, atom);
        }
        for (int i = 0; i < facts.n; i++) {
            if (!facts.at[i] || !(all || facts.at[i]->kind == FORM_FALSE || touches(q, facts.at[i]))) continue;
            assume(q, facts.at[i]);
            facts.at[i] = NULL;
            more = true;
        }
    }
}

/* ---- intervals ------------------------------------------------------------------------------------------------- */

typedef __int128 wide;

static bool unbounded(int64_t v) { return v >= RANGE_MOST || v <= RANGE_LEAST; }

static wide floor_wide(wide a, wide d)
{
    wide q = a / d;
    return q - (a % d != 0 && (a < 0) != (d < 0));
}

/* sum of c*m >= 0 where all but one monomial have known ends bounds that one. False: nothing satisfies the row. */
static bool tighten_row(const Sym *p, int64_t sign, Range *rng)
{
    wide most = 0;
    int open = 0, open_at = -1;
    for (int i = 0; i < p->n; i++) {
        int64_t c = p->t[i].c * sign;
        Range m = rng[p->t[i].mono];
        int64_t end = c > 0 ? m.hi : m.lo;
        if (unbounded(end)) {
            open++;
            open_at = i;
        } else {
            most += (wide)c * end;
        }
    }
    if (open == 0 && most < 0) return false;
    if (open > 1) return true;
    for (int i = 0; i < p->n; i++) {
        if (p->t[i].mono == 0 || (open == 1 && i != open_at)) continue;
        int64_t c = p->t[i].c * sign;
        Range *m = &rng[p->t[i].mono];
        wide rest = open ? most : most - (wide)c * (c > 0 ? m->hi : m->lo); /* c*m >= -rest */
        wide end = c > 0 ? -floor_wide(rest, c) : floor_wide(rest, -(wide)c);
        if (end > RANGE_MOST || end < RANGE_LEAST) continue;
        if (c > 0 && end > m->lo) m->lo = (int64_t)end;
        if (c < 0 && end < m->hi) m->hi = (int64_t)end;
        if (m->lo > m->hi) return false;
    }
    return true;
}

/* False: the rows contradict each other already as intervals. rng has a place for each monomial there is. */
static bool tighten(const Bounds *b, const Rows *rows, Range *rng, int nmono)
{
    for (int round = 0; round < TIGHTEN_ROUNDS; round++) {
        for (int i = 0; i < rows->n; i++) {
            const Row *r = &rows->at[i];
            if (!tighten_row(r->p, 1, rng) || (r->eq && !tighten_row(r->p, -1, rng))) return false;
        }
        for (int i = 0; i < b->high.n && b->high.at[i] < nmono; i++) {
            int m = b->high.at[i];
            Range p = sched_mono_range(b, m, rng);
            if (p.lo > rng[m].lo) rng[m].lo = p.lo;
            if (p.hi < rng[m].hi) rng[m].hi = p.hi;
            if (rng[m].lo > rng[m].hi) return false;
        }
    }
    return true;
}

/* Ranges of all monomials there are. Every step of a proof has its own, and there are as many steps as monomials in a
 * large op: what is done with goes to b->spare. */
typedef struct Ranges {
    struct Ranges *next;
    int n, cap;
    Range at[];
} Ranges;

static Ranges *fresh_ranges(Bounds *b)
{
    int n = b->mono.n;
    for (int m = b->base.n; m < n; m++) {
        VEC_PUSH(b->mem, &b->base, sched_mono_range(b, m, NULL));
        if (b->mono.at[m].n > 1) VEC_PUSH(b->mem, &b->high, m);
    }
    Ranges *rng = b->spare;
    if (rng) b->spare = rng->next;
    if (!rng || rng->cap < n) {
        rng = arena_alloc(b->mem, sizeof *rng + sizeof(Range) * 2 * (size_t)n);
        rng->cap = 2 * n;
    }
    rng->n = n;
    memcpy(rng->at, b->base.at, sizeof(Range) * (size_t)n);
    return rng;
}

/* Row 0 is the denied goal: does it contradict one fact outright? */
static bool clashes(Bounds *b, const Rows *rows, const Range *rng)
{
    for (int i = 1; i < rows->n; i++) {
        for (int k = rows->at[i].eq ? -1 : 1; k <= 1; k += 2) {
            const Sym *s = sched_sym_add(b, rows->at[0].p, rows->at[i].p, k);
            if (s && sched_sym_range(b, s, rng).hi < 0) return true;
        }
    }
    return false;
}

/* ---- products of facts ----------------------------------------------------------------------------------------- */

typedef struct Products {
    Bounds *b;
    const Range *rng; /* by monomial, for the first nrng */
    int nrng;
    VEC(int) high; /* monomials of degree 2 and more */
    VEC(int64_t) seen;
    Rows rows;
} Products;

static void note_high(Products *x, const Sym *p)
{
    for (int i = 0; i < p->n; i++) {
        int m = p->t[i].mono, k = 0;
        if (x->b->mono.at[m].n < 2) continue;
        while (k < x->high.n && x->high.at[k] != m) k++;
        if (k == x->high.n) VEC_PUSH(x->b->mem, &x->high, m);
    }
}

static Range range_of(const Products *x, int mono)
{
    return mono < x->nrng ? x->rng[mono] : sched_mono_range(x->b, mono, x->rng);
}

/* Fact times factor, where the factor is not negative; a lone factor with a known least value as (factor - least),
 * which is stronger. */
static void multiply(Products *x, int row, int factor)
{
    int64_t key = (int64_t)row << 32 | factor;
    for (int i = 0; i < x->seen.n; i++)
        if (x->seen.at[i] == key) return;
    Row r = x->rows.at[row];
    int64_t least = range_of(x, factor).lo;
    if (least < 0 && !r.eq) return;
    VEC_PUSH(x->b->mem, &x->seen, key);
    const Sym *f = sched_sym_mono(x->b, factor, 1), *p = sched_sym_mul(x->b, r.p, f);
    if (!r.eq && least > 0 && !unbounded(least)) p = sched_sym_add(x->b, p, r.p, -least);
    if (!p) return;
    note_high(x, p);
    VEC_PUSH(x->b->mem, &x->rows, (Row){p, r.eq});
}

static void multiply_facts(Products *x)
{
    int facts = x->rows.n;
    for (int i = 0; i < facts; i++) note_high(x, x->rows.at[i].p);
    for (int round = 0, from = 0; round < 2; round++) {
        int to = x->high.n;
        for (int h = from; h < to; h++) {
            for (int i = 0; i < facts; i++) {
                const Sym *p = x->rows.at[i].p;
                for (int k = 0; k < p->n; k++) {
                    if (x->rows.n >= ROWS_MOST) return;
                    if (p->t[k].mono == 0) continue;
                    int rest = sched_mono_quotient(x->b, x->high.at[h], p->t[k].mono);
                    if (rest > 0) multiply(x, i, rest);
                }
            }
        }
        from = to;
    }
}

/* ---- solving --------------------------------------------------------------------------------------------------- */

static Rows copy_rows(Arena *mem, const Rows *from)
{
    Rows to = {0};
    for (int i = 0; i < from->n; i++) VEC_PUSH(mem, &to, from->at[i]);
    return to;
}

typedef struct System {
    PolyRow *row;
    int ncols, *column; /* by monomial, from 1; 0: not in it */
} System;

static System linear(Bounds *b, const Rows *rows)
{
    int *column = NEW_ARRAY(b->mem, int, b->mono.n);
    System s = {NEW_ARRAY(b->mem, PolyRow, rows->n), 0, column};
    for (int i = 0; i < rows->n; i++) {
        const Sym *p = rows->at[i].p;
        int *col = NEW_ARRAY(b->mem, int, p->n);
        int64_t *c = NEW_ARRAY(b->mem, int64_t, p->n);
        s.row[i] = (PolyRow){.eq = rows->at[i].eq, .col = col, .c = c};
        for (int k = 0; k < p->n; k++) {
            int m = p->t[k].mono;
            if (m == 0) {
                s.row[i].c0 = p->t[k].c;
                continue;
            }
            if (!column[m]) column[m] = ++s.ncols;
            col[s.row[i].n] = column[m] - 1;
            c[s.row[i].n++] = p->t[k].c;
        }
    }
    return s;
}

/* What a system may cost is taken from the goal's and the op's share. */
static bool afford(Query *q, const System *s, int rows)
{
    long cost = (long)rows * (s->ncols + 4) * (s->ncols + 4);
    if (q->work_left < cost || q->b->budget < cost) return false;
    q->work_left -= cost;
    q->b->budget -= cost;
    return true;
}

static bool empty_rational(Query *q, const Rows *rows)
{
    System s = linear(q->b, rows);
    return afford(q, &s, rows->n) && sched_poly_relax(s.ncols, rows->n, s.row, RELAX_OPS) == POLY_EMPTY;
}

/* A point that satisfies the facts: where a counterexample is looked for first. */
static void note_hint(Bounds *b, const System *s, const int64_t *sample)
{
    for (int i = 0; i < b->atom.n; i++) {
        const Atom *a = &b->atom.at[i];
        if (!s->column[a->mono]) continue;
        int64_t v = sample[s->column[a->mono] - 1];
        if (a->kind == ATOM_DIM) b->dim_hint[a->sym] = v;
        if (a->kind == ATOM_VAR) b->var_hint[a->var->id] = v;
    }
}

static bool empty_integer(Query *q, const Rows *rows)
{
    System s = linear(q->b, rows);
    if (rows->n > INTEGER_ROWS || s.ncols > INTEGER_COLS || !afford(q, &s, 8 * rows->n)) return false;
    int64_t *sample = NEW_ARRAY(q->b->mem, int64_t, s.ncols + 1);
    PolyAnswer a = sched_poly_solve(s.ncols, rows->n, s.row, INTEGER_OPS, sample);
    if (a == POLY_SAMPLE && q->hints) note_hint(q->b, &s, sample);
    return a == POLY_EMPTY;
}

/* The facts over rationals, then with their products, then over integers, which divisions by numbers may need. */
static bool solve(Query *q, const Rows *facts, const Range *rng, int nmono)
{
    if (empty_rational(q, facts)) return true;
    Products x = {.b = q->b, .rng = rng, .nrng = nmono, .rows = copy_rows(q->b->mem, facts)};
    multiply_facts(&x);
    if (x.rows.n > facts->n && empty_rational(q, &x.rows)) return true;
    return empty_integer(q, x.rows.n <= INTEGER_ROWS ? &x.rows : facts);
}

/* Can this branch of an `or` be dropped at a glance? */
static bool hopeless(const Bounds *b, const Form *f, const Range *rng)
{
    if (f->kind == FORM_FALSE) return true;
    if (f->kind == FORM_ROW) {
        Range r = sched_sym_range(b, f->row.p, rng);
        return r.hi < 0 || (f->row.eq && r.lo > 0);
    }
    if (f->kind == FORM_AND) {
        for (int i = 0; i < f->n; i++)
            if (hopeless(b, f->arg[i], rng)) return true;
    }
    return false;
}

static bool refute(Query *q, Rows rows, Forms clauses);

/* Splits the clause with the fewest branches left. */
static bool split(Query *q, const Rows *rows, const Forms *clauses, const Range *rng)
{
    int best = -1, fewest = 0;
    for (int i = 0; i < clauses->n; i++) {
        int left = 0;
        for (int k = 0; k < clauses->at[i]->n; k++) left += !hopeless(q->b, clauses->at[i]->arg[k], rng);
        if (left == 0) return true;
        if (best < 0 || left < fewest) {
            best = i;
            fewest = left;
        }
    }
    if (best < 0) return false;
    const Form *f = clauses->at[best];
    for (int k = 0; k < f->n; k++) {
        if (hopeless(q->b, f->arg[k], rng)) continue;
        Rows r = copy_rows(q->b->mem, rows);
        Forms c = {0};
        bool absurd = false;
        for (int i = 0; i < clauses->n; i++)
            if (i != best) VEC_PUSH(q->b->mem, &c, clauses->at[i]);
        add(q->b->mem, &r, &c, &absurd, f->arg[k]);
        if (!absurd && !refute(q, r, c)) return false;
    }
    return true;
}

/* Do no integers satisfy all rows and all clauses? */
static bool refute(Query *q, Rows rows, Forms clauses)
{
    Bounds *b = q->b;
    if (q->leaves++ >= LEAVES_MOST) return false;
    Ranges *rng = fresh_ranges(b);
    bool ok = !tighten(b, &rows, rng->at, rng->n) || clashes(b, &rows, rng->at) || solve(q, &rows, rng->at, rng->n) ||
              split(q, &rows, &clauses, rng->at);
    rng->next = b->spare;
    b->spare = rng;
    return ok;
}

static Query begin(Bounds *b, Ctx *ctx, int nesting)
{
    Query q = {.b = b, .ctx = ctx, .natoms = b->atom.n, .nesting = nesting, .work_left = GOAL_WORK};
    q.have = NEW_ARRAY(b->mem, bool, q.natoms ? q.natoms : 1);
    return q;
}

static bool known(const Ctx *ctx, const Sym *goal, bool *ok)
{
    for (const CtxProof *p = ctx->proofs; p; p = p->next) {
        if (p->goal == goal || (p->goal && goal && sched_sym_equal(p->goal, goal))) {
            *ok = p->ok;
            return true;
        }
    }
    return false;
}

static bool remember(Bounds *b, Ctx *ctx, const Sym *goal, bool ok)
{
    CtxProof *p = NEW(b->mem, CtxProof);
    *p = (CtxProof){ctx->proofs, goal, ok};
    ctx->proofs = p;
    return ok;
}

static bool add_lemma(Query *q, const Sym *lemma)
{
    if (!lemma || !prove_at(q->b, q->ctx, lemma, NESTING_MOST)) return false;
    VEC_PUSH(q->b->mem, &q->rows, (Row){lemma, false});
    return true;
}

/* Is the atom a factor of a product in p? */
static bool multiplies(const Bounds *b, const Sym *p, int atom)
{
    for (int i = 0; i < p->n; i++) {
        const Mono *m = &b->mono.at[p->t[i].mono];
        for (int k = 0; m->n > 1 && k < m->n; k++)
            if (m->atom[k] == atom) return true;
    }
    return false;
}

/* Facts that products need and that only a proof of their own gives: f/(F/G) < G, for f < F under F % G == 0, so that
 * f/(F/G) * (C/G) is at most C - C/G. Tried are quotients by unknowns against 0 and the dims. Was any found? */
static bool find_lemmas(Query *q, const Sym *goal)
{
    Bounds *b = q->b;
    bool found = false;
    int tries = LEMMAS_MOST;
    const Sym *one = sched_sym_const(b, 1);
    for (int i = 0; i < q->natoms; i++) {
        int64_t number;
        if (b->atom.at[i].kind != ATOM_QUOT || sched_sym_is_const(b->atom.at[i].b, &number)) continue;
        if (!multiplies(b, goal, i)) continue;
        const Sym *quotient = sched_sym_mono(b, b->atom.at[i].mono, 1);
        found |= add_lemma(q, quotient);
        for (int k = 0; k < q->natoms; k++) {
            if (!q->have[k] || b->atom.at[k].kind != ATOM_DIM || --tries < 0) continue;
            const Sym *dim = sched_sym_mono(b, b->atom.at[k].mono, 1);
            found |= add_lemma(q, sched_sym_add(b, sched_sym_add(b, dim, quotient, -1), one, -1));
        }
    }
    return found;
}

static bool prove_at(Bounds *b, Ctx *ctx, const Sym *goal, int nesting)
{
    bool ok;
    if (!goal) return false;
    if (ctx->dead || sched_sym_range(b, goal, NULL).lo >= 0) return true;
    if (known(ctx, goal, &ok)) return ok;
    const Sym *minus = sched_sym_add(b, sched_sym_const(b, -1), goal, -1);
    if (!minus) return false;
    Query q = begin(b, ctx, nesting);
    q.hints = nesting == 0;
    VEC_PUSH(b->mem, &q.rows, (Row){minus, false});
    want_sym(&q, minus);
    gather(&q, false);
    ok = q.absurd || refute(&q, q.rows, q.clauses);
    if (!ok && nesting == 0 && find_lemmas(&q, minus)) {
        q.leaves = 0;
        q.work_left = GOAL_WORK;
        ok = refute(&q, q.rows, q.clauses);
    }
    return remember(b, ctx, goal, ok);
}

bool sched_prove(Bounds *b, Ctx *ctx, const Sym *goal) { return prove_at(b, ctx, goal, 0); }

bool sched_prove_not_zero(Bounds *b, Ctx *ctx, const Sym *x)
{
    const Sym *one = sched_sym_const(b, 1), *zero = sched_sym_const(b, 0);
    if (!x) return false;
    if (sched_prove(b, ctx, sched_sym_add(b, x, one, -1))) return true;
    if (sched_prove(b, ctx, sched_sym_add(b, sched_sym_add(b, zero, x, -1), one, -1))) return true;
    Range r = sched_sym_range(b, x, NULL);
    if (r.lo >= 0 || r.hi <= 0) return false; /* of one sign: what was tried is all there is */
    Query q = begin(b, ctx, 0);
    VEC_PUSH(b->mem, &q.rows, (Row){x, true});
    want_sym(&q, x);
    gather(&q, false);
    return q.absurd || refute(&q, q.rows, q.clauses);
}

/* All facts together, whatever they speak about: `N >= 1` and a loop over 0..N-1 under `i > N`. */
bool sched_ctx_dead(Bounds *b, Ctx *ctx)
{
    bool ok;
    if (ctx->dead) return true;
    if (known(ctx, NULL, &ok)) return ok;
    Query q = begin(b, ctx, 0);
    VEC_PUSH(b->mem, &q.rows, (Row){sched_sym_const(b, 0), false});
    gather(&q, true);
    return remember(b, ctx, NULL, q.absurd || refute(&q, q.rows, q.clauses));
}
