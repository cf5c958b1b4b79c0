/* gen: the program of a seed. Memory is not freed: a program lives as long as the run that tests it. */
#define _GNU_SOURCE /* vasprintf */
#include "tests/random/gen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const types[] = {"f32",  "f32",    "f32",    "f32", "f64", "f64", "f16", "bf16",
                                    "tf32", "f8e4m3", "f8e5m2", "i32", "i32", "i64", "i16", "i8",
                                    "i4",   "u64",    "u32",    "u16", "u8",  "u4",  "u1"};

static bool is_float(const char *t) { return t[0] == 'f' || t[0] == 'b' || t[0] == 't'; }
static bool is_u1(const char *t) { return strcmp(t, "u1") == 0; }

char *say(const char *fmt, ...)
{
    char *s;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) < 0) exit(3);
    va_end(ap);
    return s;
}

Node *node(const char *type, const char *text, int n, ...)
{
    Node *e = calloc(1, sizeof *e);
    if (!e) exit(3);
    e->text = text;
    e->type = type;
    e->n = n;
    va_list ap;
    va_start(ap, n);
    for (int i = 0; i < n; i++) e->part[i] = va_arg(ap, Node *);
    va_end(ap);
    return e;
}

static const char *any_type(Gen *g) { return types[rng_below(&g->r, (int)(sizeof types / sizeof *types))]; }

const char *any_number_type(Gen *g)
{
    const char *t = any_type(g);
    return is_u1(t) ? "f32" : t;
}

static const char *float_type(Gen *g)
{
    const char *t = any_type(g);
    return is_float(t) ? t : "f32";
}

/* A literal's text, positive, in range of every type but u1. */
static char *literal(Gen *g, const char *t)
{
    static const char *const fl[] = {"0.5", "1.0", "0.25", "2.0", "1.5", "0.125", "3.0"};
    if (is_u1(t)) return strdup(rng_chance(&g->r, 50) ? "true" : "false");
    if (is_float(t)) return strdup(fl[rng_below(&g->r, 7)]);
    return say("%d", 1 + rng_below(&g->r, 7));
}

static Node *typed_literal(Gen *g, const char *t)
{
    char *s = literal(g, t);
    return node(t, is_u1(t) ? s : say("%s(%s)", t, s), 0);
}

/* Iterations around an expression, so that the interpreter is quick. */
enum { MOST_WORK = 20000 };

/* ---- accesses
 * ---------------------------------------------------------------------------------------------------------- */
static int var_of_dim(Gen *g, int dim)
{
    int start = rng_below(&g->r, g->nvars ? g->nvars : 1);
    for (int i = 0; i < g->nvars; i++)
        if (g->var[(start + i) % g->nvars].dim == dim) return (start + i) % g->nvars;
    return -1;
}

/* An index into an extent, provable in bounds; NULL when there is none, because the extent may be 0. */
static char *index_into(Gen *g, int dim)
{
    int v = var_of_dim(g, dim);
    int how = rng_below(&g->r, 10);
    if (v >= 0 && how < 7) {
        g->var[v].seen_alone = true;
        return strdup(g->var[v].name);
    }
    if (v >= 0 && how == 7) return say("D%d-1-%s", dim, g->var[v].name);
    if (v >= 0 && how == 8) return say("%s/2", g->var[v].name);
    if (g->p->zero[dim]) return NULL;
    if (g->nvars == 0) return strdup(rng_chance(&g->r, 50) ? "0" : say("D%d-1", dim));
    const char *w = g->var[rng_below(&g->r, g->nvars)].name;
    switch (rng_below(&g->r, 4)) {
    case 0: return say("(%s+%d)%%%%D%d", w, rng_below(&g->r, 4), dim); /* templates double their percent signs */
    case 1: return say("clamp(%s-%d, 0, D%d-1)", w, rng_below(&g->r, 4), dim);
    case 2: return say("min(%s*2, D%d-1)", w, dim);
    default: return strdup("0");
    }
}

/* An index that may be out of bounds: for accesses that say what then. */
static char *loose_index(Gen *g, int dim)
{
    if (g->nvars == 0) return say("%d", rng_below(&g->r, 4) - 1);
    const char *v = g->var[rng_below(&g->r, g->nvars)].name, *w = g->var[rng_below(&g->r, g->nvars)].name;
    switch (rng_below(&g->r, 4)) {
    case 0: return say("%s-%d", v, 1 + rng_below(&g->r, 3));
    case 1: return say("%s*2+%s-1", v, w);
    case 2: return say("D%d-%s", dim, v);
    default: return say("%s+%d", v, 1 + rng_below(&g->r, 3));
    }
}

static char *gather_index(Gen *g, int dim)
{
    for (int i = 0; i < g->p->nparams; i++) {
        if (g->p->param[i].bound != dim) continue;
        for (int t = 0; t < g->ntensors; t++) {
            if (strcmp(g->tensor[t].name, g->p->param[i].name) != 0 || g->tensor[t].rank != 1) continue;
            char *at = index_into(g, g->tensor[t].dim[0]);
            return at ? say("%s[%s]", g->tensor[t].name, at) : NULL;
        }
    }
    return NULL;
}

static Node *access_of(Gen *g, const Array *t, int depth)
{
    if (t->rank == 0) return node(t->type, strdup(t->name), 0);
    char text[256];
    int at = snprintf(text, sizeof text, "%s[", t->name);
    bool loose = rng_chance(&g->r, 25);
    for (int i = 0; i < t->rank; i++) {
        char *ix = loose && rng_chance(&g->r, 60) ? loose_index(g, t->dim[i]) : NULL;
        if (!ix && rng_chance(&g->r, 15)) ix = gather_index(g, t->dim[i]);
        if (!ix) ix = index_into(g, t->dim[i]);
        if (!ix) {
            ix = loose_index(g, t->dim[i]);
            loose = true;
        }
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%s", i ? "," : "", ix);
    }
    if (!loose) {
        snprintf(text + at, sizeof text - (size_t)at, "]");
        return node(t->type, strdup(text), 0);
    }
    snprintf(text + at, sizeof text - (size_t)at, " | %%]");
    Node *other = depth > 0 && rng_chance(&g->r, 30) ? expr(g, t->type, depth - 1) : typed_literal(g, t->type);
    return node(t->type, strdup(text), 1, other);
}

static Node *some_access(Gen *g, const char *type, int depth)
{
    int start = rng_below(&g->r, g->ntensors);
    for (int i = 0; i < g->ntensors; i++) {
        const Array *t = &g->tensor[(start + i) % g->ntensors];
        if (strcmp(t->type, type) == 0) return access_of(g, t, depth);
    }
    return NULL;
}

/* ---- reductions
 * -------------------------------------------------------------------------------------------------------- */
static Node *condition(Gen *g, int depth)
{
    if (g->nvars && rng_chance(&g->r, 60)) {
        static const char *const cmp[] = {"<", "<=", ">", ">=", "==", "!="};
        const char *v = g->var[rng_below(&g->r, g->nvars)].name;
        if (rng_chance(&g->r, 50))
            return node("u1", say("(%s %s %d)", v, cmp[rng_below(&g->r, 6)], rng_below(&g->r, 5)), 0);
        return node("u1", say("(%s %s %s)", v, cmp[rng_below(&g->r, 4)], g->var[rng_below(&g->r, g->nvars)].name), 0);
    }
    return expr(g, "u1", depth);
}

/* A variable of a reduction, and its range when that must be written: a whole dim, a triangle, or a few. */
static void add_reduction_var(Gen *g, char *range, size_t n)
{
    IndexVar *v = &g->var[g->nvars];
    snprintf(v->name, sizeof v->name, "k%d", g->names++);
    v->dim = rng_below(&g->r, g->p->ndims);
    v->size = g->p->size[v->dim];
    v->seen_alone = false;
    range[0] = 0;
    const IndexVar *outer = g->nvars > 0 && rng_chance(&g->r, 15) ? &g->var[rng_below(&g->r, g->nvars)] : NULL;
    bool few = rng_chance(&g->r, 10);
    if (outer) v->size = outer->size;
    if (few || g->cost * (double)v->size > MOST_WORK) {
        v->size = rng_below(&g->r, 5);
        snprintf(range, n, " in 1..%d", 1 + (int)v->size);
    } else if (outer)
        snprintf(range, n, " in 0..%s+1", outer->name);
    if (range[0]) v->dim = -1; /* stands alone in no access */
    g->cost *= (double)v->size + 1;
    g->nvars++;
}

static Node *reduction(Gen *g, const char *type, int depth)
{
    static const char *const arith[] = {"sum", "sum", "sum", "sum", "max", "min", "prod"};
    const char *red = is_u1(type) ? (rng_chance(&g->r, 50) ? "any" : "all") : arith[rng_below(&g->r, 7)];
    bool arg = strcmp(type, "i32") == 0 && rng_chance(&g->r, 25);
    if (arg) red = rng_chance(&g->r, 50) ? "argmax" : "argmin";
    int n = arg ? 1 : 1 + rng_chance(&g->r, 25), first = g->nvars;
    double cost = g->cost;
    char range[2][64];
    for (int i = 0; i < n; i++) add_reduction_var(g, range[i], sizeof range[i]);
    if (g->nvars >= 14) depth = 0;
    const char *body_type = arg ? (rng_chance(&g->r, 70) ? "f32" : any_type(g)) : type;
    if (arg && is_u1(body_type)) body_type = "f32";
    Node *cond = rng_chance(&g->r, 25) ? condition(g, depth > 1 ? 1 : 0) : NULL;
    Node *body;
    if (!is_u1(body_type) && !arg && rng_chance(&g->r, 50))
        body = node(body_type, "% * %", 2, expr(g, body_type, depth - 1), expr(g, body_type, depth - 1));
    else
        body = expr(g, body_type, depth - 1);
    char text[256];
    int at = snprintf(text, sizeof text, "%s{", red);
    for (int i = 0; i < n; i++) {
        IndexVar *v = &g->var[first + i];
        bool infer = v->dim >= 0 && v->seen_alone && rng_chance(&g->r, 70);
        if (!range[i][0] && !infer) snprintf(range[i], sizeof range[i], " in 0..D%d", v->dim);
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%s%s", i ? "," : "", v->name, range[i]);
    }
    snprintf(text + at, sizeof text - (size_t)at, cond ? " if %%}(%%)" : "}(%%)");
    g->nvars = first;
    g->cost = cost;
    return cond ? node(type, strdup(text), 2, cond, body) : node(type, strdup(text), 1, body);
}

/* ---- expressions
 * -------------------------------------------------------------------------------------------------------- */
static Node *leaf(Gen *g, const char *type)
{
    Node *e = rng_chance(&g->r, 85) ? some_access(g, type, 0) : NULL;
    if (e) return e;
    if (!is_u1(type) && g->nvars && rng_chance(&g->r, 40))
        return node(type, say("%s(%s)", type, g->var[rng_below(&g->r, g->nvars)].name), 0);
    return typed_literal(g, type);
}

static Node *float_call(Gen *g, const char *t, int d)
{
    static const char *const one[] = {"exp(%)",
                                      "tanh(%)",
                                      "sigmoid(%)",
                                      "sin(%)",
                                      "cos(%)",
                                      "erf(%)",
                                      "abs(%)",
                                      "floor(%)",
                                      "ceil(%)",
                                      "round(%)",
                                      "trunc(%)",
                                      "sqrt(abs(%))",
                                      "log(abs(%) + 0.5)",
                                      "log2(abs(%) + 0.5)",
                                      "exp2(%)",
                                      "rsqrt(abs(%) + 1.0)",
                                      "-%"};
    switch (rng_below(&g->r, 8)) {
    case 0: return node(t, "pow(abs(%), %)", 2, expr(g, t, d), expr(g, t, d));
    case 1: return node(t, say("pow(%%, %d)", rng_below(&g->r, 5) - 1), 1, expr(g, t, d));
    case 2: return node(t, "fma(%, %, %)", 3, expr(g, t, d), expr(g, t, d), expr(g, t, d));
    case 3:
        if (g->p->nfns) {
            int f = rng_below(&g->r, g->p->nfns);
            return node(t, say("f%d(%%)", f), 1, expr(g, t, d));
        }
        /* fall through */
    default: return node(t, one[rng_below(&g->r, 17)], 1, expr(g, t, d));
    }
}

/* On integers: by a number, by something positive, by something negative, or by what may be 0. */
static Node *division(Gen *g, const char *t, int d)
{
    const char *op = rng_chance(&g->r, 50) ? "/" : "%%";
    int how = rng_below(&g->r, 20);
    if (how < 8) return node(t, say("(%% %s max(%%, 1))", op), 2, expr(g, t, d), expr(g, t, d));
    if (how < 11 && t[0] == 'i') return node(t, say("(%% %s min(%%, -1))", op), 2, expr(g, t, d), expr(g, t, d));
    if (how == 11) {
        g->p->may_fail = true;
        return node(t, say("(%% %s %%)", op), 2, expr(g, t, d), expr(g, t, d));
    }
    return node(t, say("(%% %s %s)", op, literal(g, t)), 1, expr(g, t, d));
}

static Node *arithmetic(Gen *g, const char *t, int d)
{
    static const char *const two[] = {"(% + %)", "(% - %)", "(% * %)", "min(%, %)", "max(%, %)", "(% + %)", "(% * %)"};
    switch (rng_below(&g->r, 9)) {
    case 0: return node(t, "clamp(%, %, %)", 3, expr(g, t, d), expr(g, t, d), expr(g, t, d));
    case 1: return node(t, "select(%, %, %)", 3, condition(g, d), expr(g, t, d), expr(g, t, d));
    case 2: return node(t, "(% ? % : %)", 3, condition(g, d), expr(g, t, d), expr(g, t, d));
    case 3:
        if (is_float(t)) return node(t, "(% / (abs(%) + 0.5))", 2, expr(g, t, d), expr(g, t, d));
        return division(g, t, d);
    case 4: return node(t, say(rng_chance(&g->r, 50) ? "(%% + %s)" : "(%s * %%)", literal(g, t)), 1, expr(g, t, d));
    default: return node(t, two[rng_below(&g->r, 7)], 2, expr(g, t, d), expr(g, t, d));
    }
}

static Node *truth(Gen *g, int d)
{
    static const char *const cmp[] = {"(% < %)", "(% <= %)", "(% > %)", "(% >= %)", "(% == %)", "(% != %)"};
    switch (rng_below(&g->r, 5)) {
    case 0: return node("u1", "(% && %)", 2, condition(g, d), expr(g, "u1", d));
    case 1: return node("u1", "(% || %)", 2, condition(g, d), expr(g, "u1", d));
    case 2: return node("u1", "!%", 1, expr(g, "u1", d));
    default: {
        const char *t = any_type(g);
        if (is_u1(t)) t = "f32";
        return node("u1", cmp[rng_below(&g->r, 6)], 2, expr(g, t, d), expr(g, t, d));
    }
    }
}

Node *expr(Gen *g, const char *t, int depth)
{
    if (depth <= 0) return leaf(g, t);
    int d = depth - 1, how = rng_below(&g->r, 100);
    if (how < 14) return leaf(g, t);
    if (how < 34 && g->cost < MOST_WORK / 8 && g->nvars < 12) return reduction(g, t, depth);
    if (how < 46) {
        const char *from = any_type(g);
        return node(t, say("%s(%%)", t), 1, expr(g, from, d));
    }
    if (is_u1(t)) return truth(g, d);
    if (is_float(t) && how < 62) return float_call(g, t, d);
    return arithmetic(g, t, d);
}

/* ---- statements
 * ---------------------------------------------------------------------------------------------------------- */
static void add_var(Gen *g, int dim)
{
    IndexVar *v = &g->var[g->nvars++];
    snprintf(v->name, sizeof v->name, "ix%d", g->names++);
    v->dim = dim;
    v->size = g->p->size[dim];
    v->seen_alone = false;
    g->cost *= (double)g->p->size[dim];
}

static void left_side(Gen *g, char *to, size_t n, const Array *t, bool ranges)
{
    int at = snprintf(to, n, "%s", t->name);
    for (int i = 0; i < t->rank; i++) {
        at += snprintf(to + at, n - (size_t)at, "%s%s", i ? "," : "[", g->var[i].name);
        if (ranges && (!g->var[i].seen_alone || rng_chance(&g->r, 40)))
            at += snprintf(to + at, n - (size_t)at, " in 0..D%d", t->dim[i]);
    }
    if (t->rank) snprintf(to + at, n - (size_t)at, "]");
}

/* The right side: random, and with `read` at the same indices. */
static Node *right_side(Gen *g, const Array *t, const Array *read)
{
    static const char *const two[] = {"(% + %)", "(% * %)", "max(%, %)", "(% - %)"};
    Node *value = expr(g, t->type, g->cost > 2000 ? 2 : 3);
    if (!read) return value;
    char text[96];
    int at = snprintf(text, sizeof text, "%s", read->name);
    for (int i = 0; i < read->rank; i++) {
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%s", i ? "," : "[", g->var[i].name);
        g->var[i].seen_alone = true;
    }
    if (read->rank) snprintf(text + at, sizeof text - (size_t)at, "]");
    Node *e = node(read->type, strdup(text), 0);
    if (strcmp(read->type, t->type) != 0) e = node(t->type, say("%s(%%)", t->type), 1, e);
    return node(t->type, is_u1(t->type) ? "(% || %)" : two[rng_below(&g->r, 4)], 2, e, value);
}

/* X = max(value, X[i, t-1 | 1]) seq t */
static Node *recurrence(Gen *g, const Array *t, int along, Node *value)
{
    char ix[96];
    int at = 0;
    for (int i = 0; i < t->rank; i++)
        at += snprintf(ix + at, sizeof ix - (size_t)at, i == along ? "%s%s-%d" : "%s%s", i ? "," : "", g->var[i].name,
                       1 + rng_chance(&g->r, 20));
    Node *self = node(t->type, say("%s[%s | %s]", t->name, ix, literal(g, t->type)), 0);
    return node(t->type, rng_chance(&g->r, 50) ? "(% + %)" : "(max(%, %))", 2, value, self);
}

void statement(Gen *g, const Array *t, bool let, bool inout, const Array *read)
{
    g->nvars = 0;
    g->cost = 1;
    for (int i = 0; i < t->rank; i++) add_var(g, t->dim[i]);
    char lhs[128];
    int along = !inout && t->rank > 0 && !is_u1(t->type) && rng_chance(&g->r, 12) ? rng_below(&g->r, t->rank) : -1;
    Node *value = right_side(g, t, read);
    left_side(g, lhs, sizeof lhs, t, let);
    char *seq = along >= 0 ? say(" seq %s", g->var[along].name) : "";
    if (along >= 0) value = recurrence(g, t, along, value);
    g->p->stmt[g->p->nstmts++] = node(NULL, say("%s%s = %%%s", let ? "let " : "", lhs, seq), 1, value);
}

static Array new_tensor(Gen *g, const char *prefix, const char *type, int most)
{
    Array t = {.type = type};
    snprintf(t.name, sizeof t.name, "%s%d", prefix, g->names++);
    t.rank = rng_below(&g->r, most + 1);
    int64_t elements = 1;
    for (int i = 0; i < t.rank; i++) {
        t.dim[i] = rng_below(&g->r, g->p->ndims);
        elements *= g->p->size[t.dim[i]];
        if (elements > MOST_WORK / 2) t.rank = i;
    }
    return t;
}

Param *add_param(Gen *g, const Array *t, const char *kind, bool output)
{
    Param *q = &g->p->param[g->p->nparams++];
    int at = snprintf(q->text, sizeof q->text, "%s%s: %s", kind, t->name, t->type);
    if (!t->scalar) {
        for (int i = 0; i < t->rank; i++)
            at += snprintf(q->text + at, sizeof q->text - (size_t)at, "%sD%d", i ? "," : "[", t->dim[i]);
        if (t->rank) snprintf(q->text + at, sizeof q->text - (size_t)at, "]");
    }
    snprintf(q->name, sizeof q->name, "%s", t->name);
    q->output = output;
    q->inout = strcmp(kind, "inout ") == 0;
    q->bound = -1;
    return q;
}

static void add_input(Gen *g, const char *type, Array *inouts, int *ninouts)
{
    Array t = new_tensor(g, "X", type, 3);
    t.scalar = t.rank == 0;
    bool inout = inouts && !t.scalar && *ninouts < 2 && rng_chance(&g->r, 15);
    add_param(g, &t, inout ? "inout " : !t.scalar && rng_chance(&g->r, 10) ? "const " : "", false);
    g->tensor[g->ntensors++] = t;
    if (inout) inouts[(*ninouts)++] = t;
}

/* Indices into some dim. */
static void add_indices(Gen *g)
{
    int below = rng_below(&g->r, g->p->ndims);
    if (g->p->zero[below]) return;
    Array t = new_tensor(g, "G", rng_chance(&g->r, 70) ? "i32" : "i64", 0);
    t.rank = 1;
    t.dim[0] = rng_below(&g->r, g->p->ndims);
    add_param(g, &t, "", false)->bound = below;
    g->tensor[g->ntensors++] = t;
}

void random_inputs(Gen *g, int n)
{
    for (int i = 0; i < n; i++) add_input(g, any_type(g), NULL, NULL);
    if (rng_chance(&g->r, 20)) add_indices(g);
}

static void inputs(Gen *g, Array *inouts, int *ninouts)
{
    int n = 2 + rng_below(&g->r, 4);
    for (int i = 0; i < n; i++) add_input(g, i == 0 ? "f32" : any_type(g), inouts, ninouts);
    if (rng_chance(&g->r, 40)) add_indices(g);
}

/* let v[i, s], w[i, s] = topk{e -> s in 0..K}(x) */
static void topk(Gen *g)
{
    const char *type = rng_chance(&g->r, 70) ? "f32" : any_type(g);
    if (is_u1(type)) type = "i8";
    int dim = rng_below(&g->r, g->p->ndims), along = rng_below(&g->r, g->p->ndims);
    g->nvars = 0;
    g->cost = 1;
    add_var(g, dim);
    IndexVar *e = &g->var[g->nvars++];
    snprintf(e->name, sizeof e->name, "e%d", g->names++);
    e->dim = along;
    e->size = g->p->size[along];
    g->cost *= (double)e->size;
    Node *x = expr(g, type, 2);
    int k = 1 + rng_below(&g->r, (int)g->p->size[along] > 3 ? 3 : 1);
    bool cond = k > 1 || g->p->zero[along] || rng_chance(&g->r, 30);
    int id = g->names++;
    char *text =
        say("let tv%d[%s in 0..D%d,s%d], tw%d[%s,s%d] = topk{%s in 0..D%d -> s%d in 0..%d%s}(%%)", id, g->var[0].name,
            dim, id, id, g->var[0].name, id, e->name, along, id, k, cond ? say(" if %s >= 0", e->name) : "");
    g->p->stmt[g->p->nstmts++] = node(NULL, text, 1, x);
    g->nvars = 0;
    (void)id;
    /* The places are read back through a let, so that later statements can use them. */
    Array v = {.type = type, .rank = 1, .dim = {dim}}, w = {.type = "i32", .rank = 1, .dim = {dim}};
    snprintf(v.name, sizeof v.name, "tu%d", id);
    snprintf(w.name, sizeof w.name, "tx%d", id);
    g->p->stmt[g->p->nstmts++] =
        node(NULL, say("let tu%d[q%d in 0..D%d] = tv%d[q%d,%d]", id, id, dim, id, id, k - 1), 0);
    g->p->stmt[g->p->nstmts++] = node(NULL, say("let tx%d[q%d in 0..D%d] = tw%d[q%d,0]", id, id, dim, id, id), 0);
    g->tensor[g->ntensors++] = v;
    g->tensor[g->ntensors++] = w;
}

/* A dim that is no parameter's extent cannot be found from the arguments: its size must be given. */
static bool names_dim(const Program *p, int dim)
{
    for (int i = 0; i < p->nparams; i++)
        for (const char *s = strchr(p->param[i].text, '['); s && *s; s++)
            if (strchr("[,", s[0]) && s[1] == 'D' && s[2] == '0' + dim && strchr(",]", s[3])) return true;
    return false;
}

int new_dim(Gen *g, int64_t size)
{
    Program *p = g->p;
    p->size[p->ndims] = size;
    p->fixed[p->ndims] = rng_chance(&g->r, 60);
    return p->ndims++;
}

static void random_dims(Gen *g)
{
    static const int sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 33, 40, 65, 130};
    int n = 2 + rng_below(&g->r, 3);
    for (int i = 0; i < n; i++) {
        int d = new_dim(g, sizes[rng_below(&g->r, i == 0 ? 16 : 11)]);
        if (!rng_chance(&g->r, 4)) continue;
        g->p->zero[d] = true;
        snprintf(g->p->dim_text[d], sizeof g->p->dim_text[0], " in 0..300");
        if (rng_chance(&g->r, 40)) g->p->size[d] = 0;
    }
}

static void random_lets(Gen *g, int lets)
{
    for (int i = 0; i < lets; i++) {
        if (rng_chance(&g->r, 12)) {
            topk(g);
            continue;
        }
        Array t = new_tensor(g, "t", rng_chance(&g->r, 60) ? float_type(g) : any_type(g), 2);
        statement(g, &t, true, false, NULL);
        g->tensor[g->ntensors++] = t;
    }
}

static void random_outputs(Gen *g, int outs)
{
    for (int i = 0; i < outs; i++) {
        Array t = new_tensor(g, "Y", rng_chance(&g->r, 60) ? float_type(g) : any_type(g), 3);
        if (t.rank == 0) {
            t.rank = 1;
            t.dim[0] = 0;
        }
        add_param(g, &t, "", true);
        statement(g, &t, false, false, NULL);
        g->tensor[g->ntensors++] = t;
    }
}

/* Everything random. */
static void add_anything(Gen *g)
{
    Array inouts[2];
    int ninouts = 0;
    random_dims(g);
    inputs(g, inouts, &ninouts);
    int lets = rng_below(&g->r, 4), outs = 1 + rng_below(&g->r, 2);
    random_lets(g, lets);
    for (int i = 0; i < ninouts; i++) statement(g, &inouts[i], false, true, NULL);
    random_outputs(g, outs);
}

Program *random_program(uint64_t seed, int idioms)
{
    Program *p = calloc(1, sizeof *p);
    if (!p) exit(3);
    Gen g = {.r = {seed * 0x9E3779B97F4A7C15ULL + 0x1234567}, .p = p};
    for (int i = 0; i < 8; i++) rng_next(&g.r);
    p->seed = seed;
    static const char *const bodies[] = {"fn f0(x) = x * sigmoid(x)", "fn f1(x) = f0(x) + max(x, 0.5)",
                                         "fn f2(x) = x > 0.5 ? exp(-x) : x * x"};
    p->nfns = rng_below(&g.r, MAX_FNS + 1);
    for (int i = 0; i < p->nfns; i++) p->fn[i] = bodies[i];
    if (rng_chance(&g.r, idioms)) {
        add_idiom(&g);
        if (rng_chance(&g.r, 15)) random_outputs(&g, 1);
    } else
        add_anything(&g);
    for (int i = 0; i < p->ndims; i++) p->fixed[i] |= !names_dim(p, i);
    return p;
}
