/* formula: sizes as functions of dims, for the host: written from expressions, worked out from text. */
#include "codegen/g9/g9.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *word(ExprOp op)
{
    switch (op) {
    case EX_ADD: return "+";
    case EX_SUB: return "-";
    case EX_MUL: return "*";
    case EX_DIV: return "/";
    case EX_MOD: return "%";
    case EX_MIN: return "min";
    case EX_MAX: return "max";
    default: return NULL;
    }
}

const char *g_formula(const G9 *g, const Expr *e)
{
    int64_t k;
    if (te_eval_size(g->op, e, &k)) return arena_printf(g->mem, "%lld", (long long)k);
    if (e->type != DT_INDEX) return NULL;
    if (e->op == EX_DIM) return arena_printf(g->mem, "$%d", e->sym);
    if (e->op == EX_VAR && g->let[e->var->id]) return g_formula(g, g->let[e->var->id]);
    const char *a = e->nargs ? g_formula(g, e->arg[0]) : NULL;
    if (a && e->op == EX_NEG) return arena_printf(g->mem, "0 %s -", a);
    const char *b = a && e->nargs == 2 ? g_formula(g, e->arg[1]) : NULL;
    return b && word((ExprOp)e->op) ? arena_printf(g->mem, "%s %s %s", a, b, word((ExprOp)e->op)) : NULL;
}

static bool apply(const char *s, size_t n, int64_t a, int64_t b, int64_t *r)
{
    if (n == 3 && !memcmp(s, "min", 3)) return *r = a < b ? a : b, true;
    if (n == 3 && !memcmp(s, "max", 3)) return *r = a > b ? a : b, true;
    if (n != 1) return false;
    switch (*s) {
    case '+': return !__builtin_add_overflow(a, b, r);
    case '-': return !__builtin_sub_overflow(a, b, r);
    case '*': return !__builtin_mul_overflow(a, b, r);
    case '/':
    case '%': {
        if (b == 0 || (a == INT64_MIN && b == -1)) return false;
        int64_t q = a / b - (a % b != 0 && (a ^ b) < 0);
        *r = *s == '/' ? q : a - q * b;
        return true;
    }
    default: return false;
    }
}

static bool operand(const char *s, size_t n, int ndims, const int64_t *dims, int64_t *v)
{
    char text[32], *end;
    if (n >= sizeof text) return false;
    memcpy(text, s, n);
    text[n] = 0;
    bool dim = *text == '$';
    errno = 0;
    *v = strtoll(text + dim, &end, 10);
    if (*end || end == text + dim || errno) return false;
    if (!dim) return true;
    if (*v < 0 || *v >= ndims) return false;
    *v = dims[*v];
    return true;
}

bool cg_g9_formula(const char *s, int ndims, const int64_t *dims, int64_t *value)
{
    int64_t stack[64], r;
    int n = 0;
    for (s += strspn(s, " "); *s; s += strspn(s, " ")) {
        size_t len = strcspn(s, " ");
        if (operand(s, len, ndims, dims, &r)) {
            if (n == 64) return false;
            stack[n++] = r;
        } else {
            if (n < 2 || !apply(s, len, stack[n - 2], stack[n - 1], &r)) return false;
            stack[--n - 1] = r;
        }
        s += len;
    }
    *value = n ? stack[0] : 0;
    return n == 1;
}
