/* bounds_symbolic.c: index expressions as polynomials over atoms.
 *
 * Needs typed expressions; consts have their values. Everything is hash-consed: equal monomials have one number, equal
 * atoms too, so that `(D/2)` written twice is the same unknown. Floor division is kept in a normal form,
 *     (4*a + 6*b + 7) / 4  →  a + b + 1 + (2*b + 3)/4  →  a + b + 1 + (b + 1)/2
 * and x % n is x - n*(x/n), so both `/` and `%` speak about one atom.
 *
 * The arithmetic of data wraps, the polynomials' does not: an operation on integers narrower than index is taken apart
 * only where its value is known to fit its type, else it is one opaque atom. So is one on 64-bit data without bounds:
 * abs(x) is negative for the least x, and max(x + 1, x) - x is not 1 for the greatest. Sizes alone never wrap, since no
 * such tensor exists. */
#include "schedule/bounds.h"

#include <string.h>

/* ---- intervals ------------------------------------------------------------------------------------------------- */

typedef __int128 wide;

static int64_t clip(wide v) { return v > RANGE_MOST ? RANGE_MOST : v < RANGE_LEAST ? RANGE_LEAST : (int64_t)v; }

static bool infinite(int64_t v) { return v >= RANGE_MOST || v <= RANGE_LEAST; }

static int64_t times(int64_t x, int64_t y) { return !x || !y ? 0 : clip((wide)x * y); }

Range sched_range_mul(Range x, Range y)
{
    int64_t v[] = {times(x.lo, y.lo), times(x.lo, y.hi), times(x.hi, y.lo), times(x.hi, y.hi)};
    Range r = {v[0], v[0]};
    for (int i = 1; i < 4; i++) {
        if (v[i] < r.lo) r.lo = v[i];
        if (v[i] > r.hi) r.hi = v[i];
    }
    return r;
}

static int64_t plus(int64_t x, int64_t y)
{
    if (infinite(x)) return x;
    return infinite(y) ? y : clip((wide)x + y);
}

Range sched_type_range(DType t)
{
    int bits = te_type[t].bits;
    switch (te_type[t].cls) {
    case 'B': return (Range){0, 1};
    case 'I':
        return bits >= 63 ? (Range){RANGE_LEAST, RANGE_MOST}
                          : (Range){-(INT64_C(1) << (bits - 1)), (INT64_C(1) << (bits - 1)) - 1};
    case 'U': return (Range){0, bits >= 62 ? RANGE_MOST : (INT64_C(1) << bits) - 1};
    default: return (Range){RANGE_LEAST, RANGE_MOST};
    }
}

/* u64 above 2^63 becomes negative beside an index: an unbounded u64 does not fit. */
static bool fits(Range r, DType t)
{
    Range all = sched_type_range(t);
    return r.lo >= all.lo && r.hi <= all.hi;
}

Range sched_mono_range(const Bounds *b, int mono, const Range *by_mono)
{
    const Mono *m = &b->mono.at[mono];
    Range r = {1, 1};
    for (int i = 0; i < m->n; i++) {
        const Atom *a = &b->atom.at[m->atom[i]];
        Range f = by_mono ? by_mono[a->mono] : a->range;
        int power = 1;
        while (i + 1 < m->n && m->atom[i + 1] == m->atom[i]) power++, i++;
        Range p = f;
        for (int k = 1; k < power; k++) p = sched_range_mul(p, f);
        if (power % 2 == 0 && p.lo < 0) p.lo = 0;
        r = sched_range_mul(r, p);
    }
    return r;
}

Range sched_sym_range(const Bounds *b, const Sym *p, const Range *mono)
{
    Range r = {0, 0};
    for (int i = 0; i < p->n; i++) {
        Range m = mono ? mono[p->t[i].mono] : sched_mono_range(b, p->t[i].mono, NULL);
        Range v = sched_range_mul(m, (Range){p->t[i].c, p->t[i].c});
        r.lo = plus(v.lo, r.lo);
        r.hi = plus(v.hi, r.hi);
    }
    return r;
}

/* ---- monomials and atoms --------------------------------------------------------------------------------------- */

static int intern(Bounds *b, const Mono *m)
{
    uint32_t h = 17;
    for (int i = 0; i < m->n; i++) h = h * 31 + (uint32_t)m->atom[i];
    int *head = &b->mono_hash[h % HASH_SIZE];
    for (int k = *head; k; k = b->mono.at[k - 1].chain) {
        const Mono *o = &b->mono.at[k - 1];
        if (o->n == m->n && !memcmp(o->atom, m->atom, sizeof(int) * (size_t)m->n)) return k - 1;
    }
    Mono copy = *m;
    copy.chain = *head;
    VEC_PUSH(b->mem, &b->mono, copy);
    *head = b->mono.n;
    return b->mono.n - 1;
}

int sched_mono_product(Bounds *b, int x, int y)
{
    Mono p = b->mono.at[x], q = b->mono.at[y], r = {0};
    if (p.n + q.n > MONO_DEGREE) return -1;
    for (int i = 0, j = 0; i < p.n || j < q.n;)
        r.atom[r.n++] = j >= q.n || (i < p.n && p.atom[i] <= q.atom[j]) ? p.atom[i++] : q.atom[j++];
    return intern(b, &r);
}

int sched_mono_quotient(Bounds *b, int m, int u)
{
    Mono p = b->mono.at[m], q = b->mono.at[u], r = {0};
    int j = 0;
    for (int i = 0; i < p.n; i++) {
        if (j < q.n && p.atom[i] == q.atom[j])
            j++;
        else
            r.atom[r.n++] = p.atom[i];
    }
    return j == q.n ? intern(b, &r) : -1;
}

static uint32_t hash_sym(const Sym *p)
{
    uint32_t h = 7;
    for (int i = 0; p && i < p->n; i++) h = h * 31 + (uint32_t)p->t[i].mono * 7 + (uint32_t)p->t[i].c;
    return h;
}

static uint32_t hash_expr(const Expr *e, int depth)
{
    uint32_t h = e->op * 131u + e->type;
    if (e->op == EX_LOAD) h += (uint32_t)e->load.t->id * 17;
    if (e->op == EX_VAR) h += (uint32_t)e->var->id * 19;
    if (e->op == EX_INT) h += (uint32_t)e->i * 23;
    if (e->op == EX_DIM || e->op == EX_CONST) h += (uint32_t)e->sym * 29;
    for (int i = 0; depth < 4 && i < e->nargs; i++) h = h * 31 + hash_expr(e->arg[i], depth + 1);
    return h;
}

bool sched_expr_same(const Bounds *b, const Expr *x, const Expr *y)
{
    if (x == y) return true;
    if (x->op != y->op || x->type != y->type || x->nargs != y->nargs) return false;
    switch ((ExprOp)x->op) {
    case EX_INT: return x->i == y->i;
    case EX_FLOAT: return !memcmp(&x->f, &y->f, sizeof x->f);
    case EX_VAR: return x->var == y->var;
    case EX_DIM:
    case EX_CONST: return x->sym == y->sym;
    case EX_REDUCE: return false;
    case EX_LOAD:
        if (x->load.t != y->load.t || !x->load.other != !y->load.other) return false;
        if (x->load.other && !sched_expr_same(b, x->load.other, y->load.other)) return false;
        break;
    default: break;
    }
    for (int i = 0; i < x->nargs; i++)
        if (!sched_expr_same(b, x->arg[i], y->arg[i])) return false;
    return true;
}

static bool same_atom(const Bounds *b, const Atom *x, const Atom *y)
{
    if (x->kind != y->kind) return false;
    switch (x->kind) {
    case ATOM_DIM: return x->sym == y->sym;
    case ATOM_VAR: return x->var == y->var;
    case ATOM_OPAQUE: return sched_expr_same(b, x->e, y->e);
    case ATOM_PICK:
        if (!sched_expr_same(b, x->e, y->e)) return false;
        break;
    default: break;
    }
    return sched_sym_equal(x->a, y->a) && sched_sym_equal(x->b, y->b);
}

/* The atom as a polynomial; `a` is a draft whose range is already known. */
static const Sym *atom_of(Bounds *b, Atom a)
{
    uint32_t h = (uint32_t)a.kind * 101 + (uint32_t)a.sym * 7 + hash_sym(a.a) * 3 + hash_sym(a.b) * 5;
    if (a.e) h += hash_expr(a.e, 0);
    if (a.var) h += (uint32_t)a.var->id * 19;
    int *head = &b->atom_hash[h % HASH_SIZE];
    for (int k = *head; k; k = b->atom.at[k - 1].chain)
        if (same_atom(b, &b->atom.at[k - 1], &a)) return sched_sym_mono(b, b->atom.at[k - 1].mono, 1);
    a.chain = *head;
    VEC_PUSH(b->mem, &b->atom, a);
    int id = b->atom.n - 1;
    *head = b->atom.n;
    int mono = intern(b, &(Mono){.n = 1, .atom = {id}});
    b->atom.at[id].mono = mono;
    Atom self = b->atom.at[id];
    const Form *fact = sched_atom_fact(b, &self, false);
    const Form *neg = self.kind == ATOM_QUOT ? sched_atom_fact(b, &self, true) : NULL;
    b->atom.at[id].fact = fact;
    b->atom.at[id].fact_neg = neg;
    return sched_sym_mono(b, mono, 1);
}

void sched_sym_begin(Bounds *b) { intern(b, &(Mono){.n = 0}); }

/* ---- polynomials ----------------------------------------------------------------------------------------------- */

static Sym *room(Bounds *b, int n) { return arena_alloc(b->mem, sizeof(Sym) + sizeof(Term) * (size_t)n); }

const Sym *sched_sym_mono(Bounds *b, int mono, int64_t c)
{
    Sym *p = room(b, 1);
    p->n = c != 0;
    p->t[0] = (Term){mono, c};
    return p;
}

const Sym *sched_sym_const(Bounds *b, int64_t v) { return infinite(v) ? NULL : sched_sym_mono(b, 0, v); }

bool sched_sym_equal(const Sym *p, const Sym *q)
{
    if (p == q) return true;
    if (!p || !q || p->n != q->n) return false;
    for (int i = 0; i < p->n; i++)
        if (p->t[i].mono != q->t[i].mono || p->t[i].c != q->t[i].c) return false;
    return true;
}

bool sched_sym_is_const(const Sym *p, int64_t *v)
{
    if (!p || p->n > 1 || (p->n == 1 && p->t[0].mono != 0)) return false;
    *v = p->n ? p->t[0].c : 0;
    return true;
}

enum { TERMS_MOST = 64 };

const Sym *sched_sym_add(Bounds *b, const Sym *p, const Sym *q, int64_t k)
{
    if (!p || !q || p->n + q->n > TERMS_MOST) return NULL;
    Sym *r = room(b, p->n + q->n);
    for (int i = 0, j = 0; i < p->n || j < q->n;) {
        int mi = i < p->n ? p->t[i].mono : INT32_MAX, mj = j < q->n ? q->t[j].mono : INT32_MAX;
        wide c = 0;
        if (mi <= mj) c += p->t[i++].c;
        if (mj <= mi) c += (wide)q->t[j++].c * k;
        if (c != clip(c) || infinite((int64_t)c)) return NULL;
        if (c) r->t[r->n++] = (Term){mi < mj ? mi : mj, (int64_t)c};
    }
    return r;
}

const Sym *sched_sym_mul(Bounds *b, const Sym *p, const Sym *q)
{
    if (!p || !q) return NULL;
    const Sym *r = room(b, 0);
    for (int i = 0; i < p->n; i++) {
        for (int j = 0; j < q->n; j++) {
            int m = sched_mono_product(b, p->t[i].mono, q->t[j].mono);
            int64_t c = times(p->t[i].c, q->t[j].c);
            if (m < 0 || infinite(c)) return NULL;
            r = sched_sym_add(b, r, sched_sym_mono(b, m, c), 1);
            if (!r) return NULL;
        }
    }
    return r;
}

/* ---- division -------------------------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t d)
{
    int64_t q = a / d;
    return q - (a % d != 0 && (a < 0) != (d < 0));
}

static Range range_div(Range n, Range d)
{
    if (d.hi < 0) { /* n/d is (-n)/(-d) */
        n = (Range){-n.hi, -n.lo};
        d = (Range){-d.hi, -d.lo};
    }
    if (d.lo < 1) return (Range){RANGE_LEAST, RANGE_MOST};
    int64_t low = n.lo < 0 ? d.lo : d.hi, high = n.hi < 0 ? d.hi : d.lo;
    return (Range){infinite(n.lo) ? RANGE_LEAST : floor_div(n.lo, low),
                   infinite(n.hi) ? RANGE_MOST : floor_div(n.hi, high)};
}

static const Sym *quot_atom(Bounds *b, const Sym *x, const Sym *d)
{
    int64_t v;
    if (sched_sym_is_const(x, &v) && v == 0) return x;
    Range r = range_div(sched_sym_range(b, x, NULL), sched_sym_range(b, d, NULL));
    if (r.lo == r.hi) return sched_sym_const(b, r.lo);
    return atom_of(b, (Atom){.kind = ATOM_QUOT, .a = x, .b = d, .range = r});
}

static int64_t gcd(int64_t x, int64_t y)
{
    while (y) {
        int64_t t = x % y;
        x = y;
        y = t;
    }
    return x < 0 ? -x : x;
}

/* x / d for a positive number d: whole multiples come out, common factors cancel. */
static const Sym *div_const(Bounds *b, const Sym *x, int64_t d)
{
    Sym *whole = room(b, x->n), *rest = room(b, x->n);
    int64_t g = d;
    for (int i = 0; i < x->n; i++) {
        Term t = x->t[i];
        int64_t k = floor_div(t.c, d), r = t.c - k * d;
        if (k) whole->t[whole->n++] = (Term){t.mono, k};
        if (r) rest->t[rest->n++] = (Term){t.mono, r};
        if (r && t.mono) g = gcd(g, r);
    }
    int64_t v;
    if (sched_sym_is_const(rest, &v)) return whole;
    if (g > 1) {
        Sym *less = room(b, rest->n);
        for (int i = 0; i < rest->n; i++) {
            int64_t c = floor_div(rest->t[i].c, g);
            if (c) less->t[less->n++] = (Term){rest->t[i].mono, c};
        }
        rest = less;
        d /= g;
    }
    const Sym *by = sched_sym_const(b, d), *q = d == 1 ? rest : quot_atom(b, rest, by);
    return sched_sym_add(b, whole, q, 1);
}

/* x / (c*m) for a monomial m that cannot be 0: (a*N + y)/N is a + y/N. */
static const Sym *div_mono(Bounds *b, const Sym *x, const Sym *d)
{
    Term by = d->t[0];
    const Sym *whole = room(b, 0), *rest = whole;
    for (int i = 0; i < x->n; i++) {
        Term t = x->t[i];
        int m = t.c % by.c == 0 ? sched_mono_quotient(b, t.mono, by.mono) : -1;
        const Sym **to = m >= 0 ? &whole : &rest;
        *to = sched_sym_add(b, *to, sched_sym_mono(b, m >= 0 ? m : t.mono, m >= 0 ? t.c / by.c : t.c), 1);
        if (!*to) return NULL;
    }
    return sched_sym_add(b, whole, quot_atom(b, rest, d), 1);
}

/* floor(x / d); NULL for a division by the number 0 */
static const Sym *divide(Bounds *b, const Sym *x, const Sym *d)
{
    int64_t v;
    if (!x || !d) return NULL;
    if (sched_sym_is_const(d, &v)) {
        if (v == 0 || infinite(v)) return NULL;
        const Sym *zero = room(b, 0);
        return v > 0 ? div_const(b, x, v) : div_const(b, sched_sym_add(b, zero, x, -1), -v);
    }
    Range r = sched_sym_range(b, d, NULL);
    if (r.lo > 0 || r.hi < 0) {
        if (sched_sym_equal(x, d)) return sched_sym_const(b, 1);
        if (d->n == 1) return div_mono(b, x, d);
    }
    return quot_atom(b, x, d);
}

/* ---- minima, maxima, choices ----------------------------------------------------------------------------------- */

static const Sym *extreme(Bounds *b, AtomKind kind, const Sym *x, const Sym *y)
{
    const Sym *d = sched_sym_add(b, x, y, -1);
    if (!d) return NULL;
    Range r = sched_sym_range(b, d, NULL), rx = sched_sym_range(b, x, NULL), ry = sched_sym_range(b, y, NULL);
    bool least = kind == ATOM_MIN;
    if (r.hi <= 0) return least ? x : y;
    if (r.lo >= 0) return least ? y : x;
    Range of = least ? (Range){rx.lo < ry.lo ? rx.lo : ry.lo, rx.hi < ry.hi ? rx.hi : ry.hi}
                     : (Range){rx.lo > ry.lo ? rx.lo : ry.lo, rx.hi > ry.hi ? rx.hi : ry.hi};
    return atom_of(b, (Atom){.kind = kind, .a = x, .b = y, .range = of});
}

static const Sym *choice(Bounds *b, const Expr *e)
{
    const Form *c = sched_form_of(b, e->arg[0], false);
    const Sym *x = sched_sym_of(b, e->arg[1]), *y = sched_sym_of(b, e->arg[2]);
    if (c->kind == FORM_TRUE && sched_form_of(b, e->arg[0], true)->kind == FORM_FALSE) return x;
    if (c->kind == FORM_FALSE) return y;
    if (!x || !y) return NULL;
    if (sched_sym_equal(x, y)) return x;
    Range rx = sched_sym_range(b, x, NULL), ry = sched_sym_range(b, y, NULL);
    Range r = {rx.lo < ry.lo ? rx.lo : ry.lo, rx.hi > ry.hi ? rx.hi : ry.hi};
    return atom_of(b, (Atom){.kind = ATOM_PICK, .e = e->arg[0], .a = x, .b = y, .range = r});
}

/* ---- expressions ----------------------------------------------------------------------------------------------- */

const Sym *sched_sym_opaque(Bounds *b, const Expr *e)
{
    return atom_of(b, (Atom){.kind = ATOM_OPAQUE, .e = e, .range = sched_type_range((DType)e->type)});
}

/* lo of the range's start to hi of its end, whatever the outer variables are */
static Range var_range(Bounds *b, const Var *v)
{
    const Sym *lo = sched_sym_of(b, v->lo), *hi = sched_sym_of(b, v->hi);
    Range r = {RANGE_LEAST, RANGE_MOST};
    if (lo) r.lo = sched_sym_range(b, lo, NULL).lo;
    if (hi) r.hi = plus(sched_sym_range(b, hi, NULL).hi, -1);
    if (r.hi < r.lo) r.hi = r.lo; /* an empty range: nothing is evaluated under it */
    return r;
}

static const Sym *cast_of(Bounds *b, const Expr *e)
{
    DType from = (DType)e->arg[0]->type, to = (DType)e->type;
    if (te_type[from].cls == 'B' && to != DT_U1) return sched_sym_opaque(b, e->arg[0]);
    if (te_type[from].cls == 'F' || to == DT_U1) return sched_sym_opaque(b, e);
    const Sym *x = sched_sym_of(b, e->arg[0]);
    if (!x) return NULL;
    Range r = sched_sym_range(b, x, NULL);
    bool wide_unsigned = from == DT_U64 && r.hi >= RANGE_MOST;
    return fits(r, to) && !wide_unsigned ? x : sched_sym_opaque(b, e);
}

/* May e, of which r is the value as a polynomial, be something else in 64 bits? */
static bool wraps_around(const Bounds *b, const Expr *e, const Sym *by, const Sym *r)
{
    if (e->op == EX_MOD) return false;
    Range of = sched_sym_range(b, e->op == EX_DIV ? by : r, NULL);
    bool may = e->op == EX_DIV ? of.lo <= -1 && of.hi >= -1 : infinite(of.lo) || infinite(of.hi);
    return may && sched_is_data(b, e);
}

static const Sym *build(Bounds *b, const Expr *e)
{
    const Sym *x = NULL, *y = NULL, *r = NULL, *zero = sched_sym_const(b, 0);
    switch ((ExprOp)e->op) {
    case EX_INT: return e->type == DT_U64 && e->i < 0 ? sched_sym_opaque(b, e) : sched_sym_const(b, e->i);
    case EX_CONST: {
        const Expr *v = b->op->cst[e->sym].value;
        return v && v->op == EX_INT ? sched_sym_of(b, v) : sched_sym_opaque(b, e);
    }
    case EX_DIM: {
        const Dim *d = &b->op->dim[e->sym];
        return atom_of(b, (Atom){.kind = ATOM_DIM, .sym = e->sym, .range = {d->lo, clip(d->hi)}});
    }
    case EX_VAR: return atom_of(b, (Atom){.kind = ATOM_VAR, .var = e->var, .range = var_range(b, e->var)});
    case EX_CAST: return cast_of(b, e);
    case EX_SELECT:
    case EX_PICK: return choice(b, e);
    case EX_NEG:
    case EX_ABS: x = sched_sym_of(b, e->arg[0]); break;
    case EX_ADD:
    case EX_SUB:
    case EX_MUL:
    case EX_DIV:
    case EX_MOD:
    case EX_MIN:
    case EX_MAX:
        x = sched_sym_of(b, e->arg[0]);
        y = sched_sym_of(b, e->arg[1]);
        break;
    case EX_CLAMP:
        x = sched_sym_of(b, e->arg[0]);
        y = sched_sym_of(b, e->arg[1]);
        r = sched_sym_of(b, e->arg[2]);
        if (!x || !y || !r) return NULL;
        return extreme(b, ATOM_MIN, extreme(b, ATOM_MAX, x, y), r);
    default: return sched_sym_opaque(b, e);
    }
    switch ((ExprOp)e->op) {
    case EX_NEG: r = sched_sym_add(b, zero, x, -1); break;
    case EX_ABS: r = extreme(b, ATOM_MAX, x, sched_sym_add(b, zero, x, -1)); break;
    case EX_ADD: r = sched_sym_add(b, x, y, 1); break;
    case EX_SUB: r = sched_sym_add(b, x, y, -1); break;
    case EX_MUL: r = sched_sym_mul(b, x, y); break;
    case EX_DIV: r = divide(b, x, y); break;
    case EX_MOD: r = sched_sym_add(b, x, sched_sym_mul(b, y, divide(b, x, y)), -1); break;
    case EX_MIN: return extreme(b, ATOM_MIN, x, y);
    case EX_MAX: return extreme(b, ATOM_MAX, x, y);
    default: break;
    }
    if (!r || wraps_around(b, e, y, r)) return NULL;
    if (e->type == DT_INDEX) return r;
    /* 0 <= x % d < d fits wherever d does, though the polynomial's interval does not show it */
    if (e->op == EX_MOD && sched_sym_range(b, y, NULL).lo > 0) return r;
    return fits(sched_sym_range(b, r, NULL), (DType)e->type) ? r : NULL;
}

const Sym *sched_sym_of(Bounds *b, const Expr *e)
{
    if (e->id < b->nexprs && b->sym_done[e->id]) return b->sym[e->id];
    const Sym *p = build(b, e);
    if (!p) p = sched_sym_opaque(b, e);
    if (e->id < b->nexprs) {
        b->sym[e->id] = p;
        b->sym_done[e->id] = true;
    }
    return p;
}

bool sched_is_data(const Bounds *b, const Expr *e)
{
    if (e->op == EX_LOAD || e->op == EX_REDUCE) return true;
    if (e->op == EX_VAR) return b->var_data[e->var->id];
    for (int i = 0, n = te_nchildren(e); i < n; i++)
        if (sched_is_data(b, te_child(e, i))) return true;
    return false;
}
