/* tile_expr.c: what printer, parser and verifier of Tile IR agree on about expressions: the type of each operation,
 * whether a trip count is known, the text of literals and names, which names are
 * visible. Relies on te.h's tables and num.h's rounding. */
#include "ir/tile_priv.h"

#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- types ------------------------------------------------------------------------------------------------------ */
/* How the operands' types make the result's. SAME: all of one type; the letter says which classes (te_type[].cls). */
typedef struct TypeRule {
    int first;           /* operands before this one have rules of their own */
    const char *classes; /* of the operands from `first` on, which agree */
    bool truth;          /* the result is u1, else the operands' type */
} TypeRule;

static const char any[] = "FIUBX", numbers[] = "FIUX", whole[] = "IUX", real[] = "F", truth[] = "B";

static TypeRule rule_of(ExprOp op)
{
    switch (op) {
    case EX_OR:
    case EX_AND:
    case EX_NOT: return (TypeRule){0, truth, true};
    case EX_EQ:
    case EX_NE:
    case EX_LT:
    case EX_LE:
    case EX_GT:
    case EX_GE: return (TypeRule){0, any, true};
    case EX_SELECT:
    case EX_PICK: return (TypeRule){1, any, false};
    case EX_MOD: return (TypeRule){0, whole, false};
    case EX_ADD:
    case EX_SUB:
    case EX_MUL:
    case EX_DIV:
    case EX_NEG:
    case EX_ABS:
    case EX_MIN:
    case EX_MAX:
    case EX_FMA:
    case EX_CLAMP: return (TypeRule){0, numbers, false};
    default: return (TypeRule){0, real, false}; /* the mathematical functions */
    }
}

DType tile_result_type(ExprOp op, int nargs, const DType *arg, const char **why)
{
    TypeRule r = rule_of(op);
    if (te_expr[op].arity != nargs) {
        *why = "the number of operands is wrong";
        return DT_NONE;
    }
    if (op == EX_POWI) {
        *why = "pow takes a float and a float or an integer";
        return te_is_float(arg[0]) && strchr(whole, te_type[arg[1]].cls) ? arg[0] : DT_NONE;
    }
    if (r.first == 1 && arg[0] != DT_U1) {
        *why = "the condition is not u1";
        return DT_NONE;
    }
    for (int i = r.first; i < nargs; i++) {
        if (arg[i] != arg[r.first]) {
            *why = "the operands differ in type";
            return DT_NONE;
        }
        if (!strchr(r.classes, te_type[arg[i]].cls)) {
            *why = "the operation does not exist for this type";
            return DT_NONE;
        }
    }
    return r.truth ? DT_U1 : arg[r.first];
}

bool tile_has_site(const Expr *e) { return (e->op == EX_DIV || e->op == EX_MOD) && !te_is_float((DType)e->type); }

/* ---- trip counts ---------------------------------------------------------------------------------------------------
 */
/* hi - lo as a sum of terms; an UNROLL of all iterations needs it to be a number. */
typedef struct Sum {
    int64_t number;
    int n;
    struct {
        const Expr *e;
        int64_t times;
    } term[16];
    bool bad;
} Sum;

static bool same_leaf(const Expr *a, const Expr *b)
{
    return a == b || (a->op == EX_VAR && b->op == EX_VAR && a->var == b->var) ||
           (a->op == EX_DIM && b->op == EX_DIM && a->sym == b->sym);
}

static void add(Sum *s, const Expr *e, int64_t times)
{
    for (int i = 0; i < s->n; i++)
        if (same_leaf(s->term[i].e, e)) {
            s->bad |= __builtin_add_overflow(s->term[i].times, times, &s->term[i].times);
            return;
        }
    if (s->n == 16) {
        s->bad = true;
        return;
    }
    s->term[s->n].e = e;
    s->term[s->n++].times = times;
}

static void sum_up(const TeOp *op, Sum *s, const Expr *e, int64_t times)
{
    int64_t value;
    if (te_eval_size(op, e, &value)) {
        s->bad |= __builtin_mul_overflow(value, times, &value) || __builtin_add_overflow(s->number, value, &s->number);
    } else if (e->op == EX_ADD || (e->op == EX_SUB && times != INT64_MIN)) {
        sum_up(op, s, e->arg[0], times);
        sum_up(op, s, e->arg[1], e->op == EX_ADD ? times : -times);
    } else if (e->op == EX_MUL && te_eval_size(op, e->arg[1], &value) &&
               !__builtin_mul_overflow(value, times, &value)) {
        sum_up(op, s, e->arg[0], value);
    } else if (e->op == EX_MUL && te_eval_size(op, e->arg[0], &value) &&
               !__builtin_mul_overflow(value, times, &value)) {
        sum_up(op, s, e->arg[1], value);
    } else {
        add(s, e, times);
    }
}

bool tile_trips_known(const TeOp *op, const Var *var)
{
    Sum s = {0};
    sum_up(op, &s, var->hi, 1);
    sum_up(op, &s, var->lo, -1);
    for (int i = 0; i < s.n; i++)
        if (s.term[i].times) return false;
    return !s.bad;
}

/* ---- literals ---------------------------------------------------------------------------------------------------- */
static void swap_point(char *s, const char *from, const char *to, size_t cap)
{
    char *p = strstr(s, from);
    size_t nf = strlen(from), nt = strlen(to);
    if (!p || strlen(s) - nf + nt >= cap) return;
    memmove(p + nt, p + nf, strlen(p + nf) + 1);
    memcpy(p, to, nt);
}

double tile_float_value(DType t, const char *text)
{
    char buf[512];
    const char *point = nl_langinfo(RADIXCHAR);
    if (point && strcmp(point, ".") && strlen(text) + 8 < sizeof buf) {
        strcpy(buf, text);
        swap_point(buf, ".", point, sizeof buf);
        text = buf;
    }
    if (t == DT_F64) return strtod(text, NULL);
    if (t == DT_F32) return strtof(text, NULL); /* one rounding */
    return num_round_d(t, strtod(text, NULL));
}

void tile_float_text(char buf[64], DType t, double x)
{
    if (isnan(x)) {
        strcpy(buf, "nan");
        return;
    }
    if (isinf(x)) {
        strcpy(buf, x < 0 ? "-inf" : "inf");
        return;
    }
    const char *point = nl_langinfo(RADIXCHAR);
    bool in_full = fabs(x) < 1e15 && x == trunc(x); /* 65504.0:f16 rather than 6.55e+04 */
    for (int digits = 1; digits <= 17; digits++) {
        if (in_full)
            snprintf(buf, 40, "%.1f", x);
        else
            snprintf(buf, 40, "%.*g", digits, x);
        if (point && strcmp(point, ".")) swap_point(buf, point, ".", 40);
        double back = tile_float_value(t, buf);
        if (back == x && signbit(back) == signbit(x)) break;
    }
    if (!strpbrk(buf, ".e")) strcat(buf, ".0");
}

const char *const tile_site_name[] = {[SITE_GATHER] = "gather", [SITE_DIV_ZERO] = "div", [SITE_CHECK] = "check"};

/* ---- names ------------------------------------------------------------------------------------------------------- */
DType tile_type_named(const char *name)
{
    for (int t = 0; t < DT_COUNT; t++)
        if (!strcmp(name, te_type[t].name)) return (DType)t;
    return DT_NONE;
}

bool tile_word(const char *name)
{
    static const char *const more[] = {"else", "where", "inout", "const", "true", "false", "inf", "nan"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (!strcmp(name, more[i])) return true;
    for (int i = 0; i < ST_COUNT; i++)
        if (!strcmp(name, tile_stmt_name[i])) return true;
    return tile_type_named(name) != DT_NONE;
}

static bool plain(const char *s)
{
    if (!*s || (*s >= '0' && *s <= '9')) return false;
    for (; *s; s++)
        if (!(*s == '_' || (*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z')))
            return false;
    return true;
}

void tile_put_name(Text *out, const char *name)
{
    if (!name) name = "";
    if (plain(name) && !tile_word(name)) {
        text_add(out, name);
        return;
    }
    text_char(out, '`');
    for (const char *s = name; *s; s++) {
        if (*s == '`' || *s == '\\' || (unsigned char)*s < ' ')
            text_printf(out, "\\x%02x", (unsigned char)*s);
        else
            text_char(out, *s);
    }
    text_char(out, '`');
}

/* ---- visible names ----------------------------------------------------------------------------------------------- */
static unsigned hash(const char *s)
{
    unsigned h = 2166136261u; /* FNV-1a */
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 16777619u;
    return h ^ h >> 15;
}

int tile_name_find(const TileNames *t, const char *text)
{
    int i = t->chains ? t->chain[hash(text) % t->chains] : -1;
    while (i >= 0 && strcmp(t->at[i].text, text)) i = t->at[i].older;
    return i;
}

static void link_name(TileNames *t, int i)
{
    int *newest = &t->chain[t->at[i].hash % t->chains];
    t->at[i].older = *newest;
    *newest = i;
}

void tile_name_add(Arena *mem, TileNames *t, const char *text)
{
    VEC_PUSH(mem, t, (struct TileName){text, -1, hash(text)});
    if ((unsigned)t->n <= t->chains) {
        link_name(t, t->n - 1);
        return;
    }
    t->chains = t->chains ? 4 * t->chains : 64;
    t->chain = NEW_ARRAY(mem, int, t->chains);
    memset(t->chain, -1, sizeof(int) * t->chains);
    for (int i = 0; i < t->n; i++) link_name(t, i);
}

void tile_name_cut(TileNames *t, int n)
{
    while (t->n > n) {
        t->n--;
        t->chain[t->at[t->n].hash % t->chains] = t->at[t->n].older;
    }
}
