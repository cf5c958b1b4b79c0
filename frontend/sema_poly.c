/* sema_poly: sizes as polynomials with integer coefficients, to tell whether two are equal, or one is at least another,
 * for every allowed size. Sound, not complete: `false` means "not proved". Bounds of accesses are proved elsewhere
 * (schedule/bounds.c); this serves domains, which are typed before anything can be lowered.
 *
 * A polynomial is a sum of terms c * a1 * a2 * …; an atom is a dim, an index variable, or something opaque, as a
 * division that does not go up, known by its text. x % y is x - y * (x / y). Consts have their values; a dim that the
 * `where`s equate with something is replaced by it. Everything is bounded, and arithmetic that overflows gives up. */
#include "frontend/sema.h"

#include <string.h>

enum { TERMS = 48, FACTORS = 8, ATOMS = 2048, REWRITES = 16 };

struct Atom {
    const char *text;
    const Var *var;
    bool bounded; /* lo and hi are known, lo >= 0 */
    int64_t lo, hi;
};

typedef struct Term {
    int64_t c;
    int n;
    const Atom *a[FACTORS]; /* sorted by address */
} Term;

struct Poly {
    int n;
    Term t[TERMS]; /* none with c == 0, no two with the same atoms */
};

static const Poly *poly(Sema *s, const Expr *e);

/* ---- arithmetic: NULL when it would be too large ---------------------------------------------------------------- */
static bool same_atoms(const Term *x, const Term *y)
{
    return x->n == y->n && !memcmp(x->a, y->a, sizeof x->a[0] * (size_t)x->n);
}

static bool add_term(Poly *p, const Term *t)
{
    for (int i = 0; i < p->n; i++) {
        if (!same_atoms(&p->t[i], t)) continue;
        if (__builtin_add_overflow(p->t[i].c, t->c, &p->t[i].c)) return false;
        if (p->t[i].c == 0) p->t[i] = p->t[--p->n];
        return true;
    }
    if (t->c == 0) return true;
    if (p->n == TERMS) return false;
    p->t[p->n++] = *t;
    return true;
}

static bool mul_term(const Term *x, const Term *y, Term *out)
{
    if (x->n + y->n > FACTORS || __builtin_mul_overflow(x->c, y->c, &out->c)) return false;
    int i = 0, j = 0;
    out->n = 0;
    while (i < x->n || j < y->n)
        out->a[out->n++] = j == y->n || (i < x->n && (uintptr_t)x->a[i] <= (uintptr_t)y->a[j]) ? x->a[i++] : y->a[j++];
    return true;
}

static Poly *new_poly(Sema *s) { return NEW(s->mem, Poly); }

static Poly *constant(Sema *s, int64_t c)
{
    Poly *p = new_poly(s);
    add_term(p, &(Term){.c = c});
    return p;
}

static Poly *of_atom(Sema *s, const Atom *a)
{
    if (!a) return NULL;
    Poly *p = new_poly(s);
    add_term(p, &(Term){.c = 1, .n = 1, .a = {a}});
    return p;
}

static Poly *scale_add(Sema *s, const Poly *x, const Poly *y, int64_t by)
{
    if (!x || !y) return NULL;
    Poly *p = arena_dup(s->mem, x, sizeof *x);
    for (int i = 0; i < y->n; i++) {
        Term t = y->t[i];
        if (__builtin_mul_overflow(t.c, by, &t.c) || !add_term(p, &t)) return NULL;
    }
    return p;
}

static Poly *mul(Sema *s, const Poly *x, const Poly *y)
{
    if (!x || !y) return NULL;
    Poly *p = new_poly(s);
    for (int i = 0; i < x->n; i++)
        for (int j = 0; j < y->n; j++) {
            Term t;
            if (!mul_term(&x->t[i], &y->t[j], &t) || !add_term(p, &t)) return NULL;
        }
    return p;
}

/* ---- atoms ----------------------------------------------------------------------------------------------------- */
static Atom *atom(Sema *s, const char *text)
{
    for (int i = 0; i < s->atoms.n; i++)
        if (!strcmp(s->atoms.at[i]->text, text)) return s->atoms.at[i];
    if (s->atoms.n >= ATOMS) return NULL;
    Atom *a = NEW(s->mem, Atom);
    a->text = arena_strdup(s->mem, text);
    VEC_PUSH(s->mem, &s->atoms, a);
    return a;
}

static const Atom *dim_atom(Sema *s, int d)
{
    const Dim *dim = &s->op->dim[d];
    Atom *a = atom(s, dim->name);
    if (a && dim->lo >= 0) {
        a->bounded = true;
        a->lo = dim->lo;
        a->hi = dim->hi;
    }
    return a;
}

static int term_order(const Term *x, const Term *y)
{
    for (int i = 0; i < x->n && i < y->n; i++) {
        int c = strcmp(x->a[i]->text, y->a[i]->text);
        if (c) return c;
    }
    return x->n - y->n;
}

/* A text that equal polynomials share. */
static void put_poly(Text *out, const Poly *p)
{
    Poly q = *p;
    for (int i = 1; i < q.n; i++)
        for (int j = i; j > 0 && term_order(&q.t[j - 1], &q.t[j]) > 0; j--) {
            Term t = q.t[j];
            q.t[j] = q.t[j - 1];
            q.t[j - 1] = t;
        }
    text_add(out, "(");
    for (int i = 0; i < q.n; i++) {
        text_printf(out, "%+lld", (long long)q.t[i].c);
        for (int k = 0; k < q.t[i].n; k++) text_printf(out, "*%s", q.t[i].a[k]->text);
    }
    text_add(out, ")");
}

static Poly *opaque(Sema *s, const char *name, int n, const Poly *const *arg)
{
    Text t = {.mem = s->mem};
    text_add(&t, name);
    for (int i = 0; i < n; i++) {
        if (!arg[i]) return NULL;
        put_poly(&t, arg[i]);
        if (t.n > 2000) return NULL;
    }
    return of_atom(s, atom(s, t.s));
}

/* ---- division -------------------------------------------------------------------------------------------------- */
/* t / d, when it goes up */
static bool divide_term(const Term *t, const Term *d, Term *q)
{
    if (d->c == 0 || (d->c == -1 && t->c == INT64_MIN) || t->c % d->c) return false;
    *q = (Term){.c = t->c / d->c};
    int j = 0;
    for (int i = 0; i < t->n; i++) {
        if (j < d->n && t->a[i] == d->a[j]) {
            j++;
            continue;
        }
        q->a[q->n++] = t->a[i];
    }
    return j == d->n;
}

/* floor(x / y): what goes up comes out, floor((y*q + r) / y) = q + floor(r / y). */
static Poly *divide(Sema *s, const Poly *x, const Poly *y)
{
    if (!x || !y || y->n == 0) return NULL;
    Poly *q = new_poly(s), *r = new_poly(s);
    for (int i = 0; i < x->n; i++) {
        Term t;
        bool up = y->n == 1 && divide_term(&x->t[i], &y->t[0], &t);
        if (!up) t = x->t[i];
        if (!add_term(up ? q : r, &t)) return NULL;
    }
    if (r->n == 0) return q;
    if (r->n == 1 && r->t[0].n == 0 && y->n == 1 && y->t[0].n == 0 && y->t[0].c > 0) { /* of constants */
        int64_t a = r->t[0].c, b = y->t[0].c, f = a / b - (a % b < 0);
        return add_term(q, &(Term){.c = f}) ? q : NULL;
    }
    Poly *rest = opaque(s, "div", 2, (const Poly *const[]){r, y});
    return scale_add(s, rest, q, 1);
}

/* ---- from expressions ------------------------------------------------------------------------------------------- */
static const Poly *rewrite(Sema *s, const Poly *p)
{
    for (int round = 0; p && round < REWRITES; round++) {
        bool changed = false;
        Poly *next = new_poly(s);
        for (int i = 0; i < p->n && next; i++) {
            Term rest = p->t[i];
            const Rule *rule = NULL;
            for (int k = 0; k < rest.n && !rule; k++)
                for (int r = 0; r < s->rules.n && !rule; r++) {
                    if (s->rules.at[r].atom != rest.a[k]) continue;
                    rule = &s->rules.at[r];
                    memmove(&rest.a[k], &rest.a[k + 1], sizeof rest.a[0] * (size_t)(rest.n - k - 1));
                    rest.n--;
                }
            Poly one = {.n = 1, .t = {rest}};
            changed |= rule != NULL;
            next = scale_add(s, next, rule ? mul(s, &one, rule->to) : &one, 1);
        }
        if (!changed) return p;
        p = next;
    }
    return p;
}

static const Poly *of_call(Sema *s, const Expr *e)
{
    const Poly *arg[3] = {NULL};
    if (e->nargs < 1 || e->nargs > 3) return NULL;
    for (int i = 0; i < e->nargs; i++)
        if (!(arg[i] = poly(s, e->arg[i]))) return NULL;
    return opaque(s, te_expr[e->op].text, e->nargs, arg);
}

static bool size_like(const Expr *e) { return e->type == DT_INDEX || te_is_int((DType)e->type); }

static const Poly *poly(Sema *s, const Expr *e)
{
    int64_t v;
    switch (e->op) {
    case EX_INT: return constant(s, e->i);
    case EX_DIM: {
        const Dim *d = &s->op->dim[e->sym];
        if (d->lo == d->hi) return constant(s, d->lo);
        return rewrite(s, of_atom(s, dim_atom(s, e->sym)));
    }
    case EX_VAR: {
        Atom *a = atom(s, arena_printf(s->mem, "%%%d", e->var->id));
        if (a) a->var = e->var;
        return of_atom(s, a);
    }
    case EX_CONST: return te_eval_size(s->op, e, &v) ? constant(s, v) : NULL;
    default: break;
    }
    if (!size_like(e)) return NULL;
    if (e->type != DT_INDEX) return te_eval_size(s->op, e, &v) ? constant(s, v) : NULL; /* data types wrap */
    switch (e->op) {
    case EX_CAST: return te_eval_size(s->op, e, &v) ? constant(s, v) : poly(s, e->arg[0]);
    case EX_ADD: return scale_add(s, poly(s, e->arg[0]), poly(s, e->arg[1]), 1);
    case EX_SUB: return scale_add(s, poly(s, e->arg[0]), poly(s, e->arg[1]), -1);
    case EX_NEG: return scale_add(s, constant(s, 0), poly(s, e->arg[0]), -1);
    case EX_MUL: return mul(s, poly(s, e->arg[0]), poly(s, e->arg[1]));
    case EX_DIV: return divide(s, poly(s, e->arg[0]), poly(s, e->arg[1]));
    case EX_MOD: {
        const Poly *x = poly(s, e->arg[0]), *y = poly(s, e->arg[1]);
        return scale_add(s, x, mul(s, divide(s, x, y), y), -1);
    }
    case EX_MIN:
    case EX_MAX:
    case EX_ABS:
    case EX_CLAMP: return te_eval_size(s->op, e, &v) ? constant(s, v) : of_call(s, e);
    default: return NULL;
    }
}

/* ---- questions -------------------------------------------------------------------------------------------------- */
static const Poly *difference(Sema *s, const Expr *a, const Expr *b)
{
    return scale_add(s, poly(s, a), poly(s, b), -1);
}

bool fe_same_size(Sema *s, const Expr *a, const Expr *b)
{
    if (a == b) return true;
    const Poly *p = difference(s, a, b);
    return p && p->n == 0;
}

bool fe_size_is(Sema *s, const Expr *a, int64_t value)
{
    const Poly *p = poly(s, a);
    if (!p || p->n > 1) return false;
    return value == 0 ? p->n == 0 : p->n == 1 && p->t[0].n == 0 && p->t[0].c == value;
}

/* The least value that p can have, each term by itself; false: not known. */
static bool least_value(const Poly *p, int64_t *out)
{
    int64_t sum = 0;
    for (int i = 0; i < p->n; i++) {
        int64_t v = p->t[i].c;
        for (int k = 0; k < p->t[i].n; k++) {
            const Atom *a = p->t[i].a[k];
            if (!a->bounded || __builtin_mul_overflow(v, p->t[i].c > 0 ? a->lo : a->hi, &v)) return false;
        }
        if (__builtin_add_overflow(sum, v, &sum)) return false;
    }
    *out = sum;
    return true;
}

/* Index variables at the end of their range that makes p least. */
static const Poly *without_vars(Sema *s, const Poly *p)
{
    for (int round = 0; p && round < REWRITES; round++) {
        int at = -1, k = -1;
        for (int i = 0; i < p->n && at < 0; i++)
            for (int j = 0; j < p->t[i].n && at < 0; j++)
                if (p->t[i].a[j]->var) at = i, k = j;
        if (at < 0) return p;
        const Var *v = p->t[at].a[k]->var;
        if (p->t[at].n != 1 || !v->lo || !v->hi) return NULL;
        int64_t c = p->t[at].c;
        for (int i = 0; i < p->n; i++)
            for (int j = 0; j < p->t[i].n; j++)
                if (i != at && p->t[i].a[j]->var == v) return NULL;
        const Poly *end = c > 0 ? poly(s, v->lo) : scale_add(s, poly(s, v->hi), constant(s, 1), -1);
        Poly *rest = arena_dup(s->mem, p, sizeof *p);
        rest->t[at] = rest->t[--rest->n];
        p = scale_add(s, rest, end, c);
    }
    return NULL;
}

bool fe_at_least(Sema *s, const Expr *a, const Expr *b, int64_t more)
{
    const Poly *p = without_vars(s, difference(s, a, b));
    int64_t v;
    if (!p) return false;
    if (least_value(p, &v) && v >= more) return true;
    for (int i = 0; i < s->least.n; i++) {
        const Poly *q = scale_add(s, p, s->least.at[i], -1);
        if (q && least_value(q, &v) && v >= more) return true;
    }
    return false;
}

/* ---- conditions that hold -------------------------------------------------------------------------------------------
 */
/* p == 0: a dim that stands once, by itself and with coefficient 1 or -1, is what the rest says. */
static void equate(Sema *s, const Poly *p)
{
    for (int i = 0; i < p->n; i++) {
        const Term *t = &p->t[i];
        if (t->n != 1 || (t->c != 1 && t->c != -1) || !t->a[0]->bounded) continue;
        bool again = false;
        for (int k = 0; k < p->n; k++)
            for (int j = 0; j < p->t[k].n; j++) again |= k != i && p->t[k].a[j] == t->a[0];
        if (again) continue;
        Poly *rest = arena_dup(s->mem, p, sizeof *p);
        rest->t[i] = rest->t[--rest->n];
        VEC_PUSH(s->mem, &s->rules, (Rule){t->a[0], scale_add(s, constant(s, 0), rest, -t->c)});
        if (!s->rules.at[s->rules.n - 1].to) s->rules.n--;
        return;
    }
}

static void learn_order(Sema *s, const Expr *big, const Expr *small, int64_t more)
{
    const Poly *p = scale_add(s, difference(s, big, small), constant(s, more), -1);
    if (p) VEC_PUSH(s->mem, &s->least, p);
}

void fe_learn(Sema *s, const Expr *e)
{
    enum { MOST = 256 };
    if (s->rules.n + s->least.n > MOST) return;
    if (e->op == EX_AND) {
        fe_learn(s, e->arg[0]);
        fe_learn(s, e->arg[1]);
        return;
    }
    if (e->nargs != 2 || e->arg[0]->type != DT_INDEX) return;
    const Expr *a = e->arg[0], *b = e->arg[1];
    const Poly *p;
    switch (e->op) {
    case EX_EQ:
        if ((p = difference(s, a, b))) equate(s, p);
        break;
    case EX_GE: learn_order(s, a, b, 0); break;
    case EX_GT: learn_order(s, a, b, 1); break;
    case EX_LE: learn_order(s, b, a, 0); break;
    case EX_LT: learn_order(s, b, a, 1); break;
    default: break;
    }
}
