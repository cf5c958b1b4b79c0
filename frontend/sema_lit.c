/* sema_lit: the value of a literal in a type: in range, and rounded once from decimal. */
#define _GNU_SOURCE /* strtod_l: a decimal point is a point whatever the locale */
#include "frontend/sema.h"

#include <fenv.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Literal {
    const char *text;
    bool is_float, neg;
    uint64_t i; /* an integer's magnitude */
    Span span;
} Literal;

/* The nearest double; for narrower types a double that rounds to them as the decimal itself does: cut towards zero,
 * with its last bit set when something was cut off (round to odd), it lies on the same side of every midpoint. */
static double decimal(DType t, const char *text)
{
    if (text[0] == 'i') return INFINITY;
    if (text[0] == 'n') return NAN;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return NAN;
    double v = strtod_l(text, NULL, c);
    if (te_type[t].reg != RC_F64 && isfinite(v)) {
        int mode = fegetround();
        fesetround(FE_TOWARDZERO);
        double down = strtod_l(text, NULL, c);
        fesetround(FE_UPWARD);
        double up = strtod_l(text, NULL, c);
        fesetround(mode);
        uint64_t bits;
        memcpy(&bits, &down, sizeof bits);
        bits |= up != down;
        memcpy(&v, &bits, sizeof v);
    }
    freelocale(c);
    return v;
}

static bool integer_fits(DType t, uint64_t i, bool neg)
{
    int bits = te_type[t].bits;
    if (te_type[t].cls == 'U') return i == 0 || (!neg && (bits == 64 || i >> bits == 0));
    uint64_t most = (uint64_t)1 << (bits - 1);
    return neg ? i <= most : i < most;
}

static const char *limits(TeOp *op, DType t)
{
    if (t == DT_U64) return "0..18446744073709551615";
    if (te_is_int(t) || t == DT_INDEX) {
        bool u = te_type[t].cls == 'U';
        int bits = te_type[t].bits;
        if (bits == 64) return "-9223372036854775808..9223372036854775807";
        int64_t hi = ((int64_t)1 << (bits - !u)) - 1;
        return arena_printf(op->mem, "%lld..%lld", u ? 0LL : (long long)-hi - 1, (long long)hi);
    }
    double most = 1;
    while (isfinite(te_float(op, t, 2 * most, (Span){0})->f)) most *= 2;
    for (double step = most / 2, more; step > 0; step /= 2) {
        more = most + step;
        if (isfinite(more) && te_float(op, t, more, (Span){0})->f == more) most = more;
    }
    return arena_printf(op->mem, "at most %.9g", most);
}

/* The node of a literal in type t; NULL, and why, when it has no value there. */
static Expr *literal(TeOp *op, const Literal *l, DType t, DiagCode *code, const char **why)
{
    if (t == DT_U1) {
        *code = D_T002_LITERAL;
        *why = "u1's literals are true and false";
        return NULL;
    }
    if (!te_is_float(t)) {
        if (l->is_float) {
            *code = D_T002_LITERAL;
            *why = t == DT_INDEX ? "write an integer; an index is no float"
                                 : "write an integer, or cast what stands beside it";
            return NULL;
        }
        if (integer_fits(t, l->i, l->neg)) return te_int(op, t, (int64_t)(l->neg ? 0 - l->i : l->i), l->span);
        *code = D_T003_RANGE;
        *why = arena_printf(op->mem, "%s holds %s", te_type[t].name, limits(op, t));
        return NULL;
    }
    double v = decimal(t, l->text);
    bool special = l->text[0] == 'i' || l->text[0] == 'n'; /* inf, nan */
    Expr *e = te_float(op, t, l->neg && v == v ? -v : v, l->span);
    if (special ? (v == v && e->f != e->f) : !(e->f - e->f == 0)) {
        *code = D_T003_RANGE;
        *why = arena_printf(op->mem, special ? "%s has no infinity" : "%s holds %s", te_type[t].name, limits(op, t));
        return NULL;
    }
    return e;
}

Expr *fe_literal_value(Sema *s, const AstExpr *lit, bool neg, DType t, Span span)
{
    Literal l = {lit->text, lit->kind == AST_FLOAT, neg, lit->i, span};
    DiagCode code;
    const char *why;
    Expr *e = literal(s->op, &l, t, &code, &why);
    if (e) return e;
    const char *text = arena_printf(s->mem, "%s%s", neg ? "-" : "", lit->text);
    Diag *d = FE_ERROR(s, code, span, text, t == DT_INDEX ? "an index" : te_type[t].name);
    fe_help_at(s, d, "%s", why);
    return NULL;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* INT or FLOAT of the lexis, the whole of it */
static bool lex_number(const char *p, Literal *l)
{
    if (!is_digit(*p)) return false;
    bool fits = true;
    for (; is_digit(*p); p++)
        fits &= !__builtin_mul_overflow(l->i, (uint64_t)10, &l->i) &&
                !__builtin_add_overflow(l->i, (uint64_t)(*p - '0'), &l->i);
    if (*p == '.') {
        if (!is_digit(*++p)) return false;
        l->is_float = true;
        while (is_digit(*p)) p++;
    }
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '+' || p[1] == '-');
        if (!is_digit(*p)) return false;
        l->is_float = true;
        while (is_digit(*p)) p++;
    }
    return *p == 0 && (fits || l->is_float);
}

bool fe_text_value(TeOp *op, const char *text, DType t, Span span, Expr **value, const char **why)
{
    if (t == DT_U1) {
        bool yes = !strcmp(text, "true") || !strcmp(text, "1"), no = !strcmp(text, "false") || !strcmp(text, "0");
        if (yes || no) *value = te_int(op, t, yes, span);
        *why = "u1 is true or false, 1 or 0";
        return yes || no;
    }
    Literal l = {.text = text, .span = span};
    if (*l.text == '-') {
        l.neg = true;
        l.text++;
    }
    if (!strcmp(l.text, "inf") || !strcmp(l.text, "nan")) {
        l.is_float = true;
    } else if (!lex_number(l.text, &l)) {
        *why = te_is_float(t) ? "it is no number" : "it is no integer of 64 bits";
        return false;
    }
    if (l.is_float && !te_is_float(t)) {
        *why = arena_printf(op->mem, "it is no integer, and %s holds %s", te_type[t].name, limits(op, t));
        return false;
    }
    DiagCode code;
    *value = literal(op, &l, t, &code, why);
    return *value != NULL;
}
