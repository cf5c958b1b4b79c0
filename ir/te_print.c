/* te_print: TE IR as `.te` text, every range written. Reading the text gives an equal op (te_equal).
 *
 * What the text must get right beyond the tree: a literal's type is that of what stands beside it, so one that has
 * another type than it would get is cast; casts to index are implicit; and a product in a sum is an fma only where it
 * was written as one, so one that came out of a fn stands under a cast to its own type, which changes nothing else; or
 * in a fn again, where it is of literals only, which a cast would type. A node that is shared is printed wherever it is
 * used. */
#include "ir/num.h"
#include "ir/te.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PREC_SELECT = 1, PREC_UNARY = 8 };

typedef struct Printer {
    Text *out;
    const TeOp *op;
    const char *product; /* a fn that multiplies, NULL until one is needed */
} Printer;

static void put(Printer *p, const Expr *e, int prec, DType beside);

/* ---- literals --------------------------------------------------------------------------------------------------- */
/* Does a decimal next to x, whichever, round to v in type t? */
static bool reads_as(DType t, double x, double v)
{
    if (te_type[t].reg == RC_F64) return x == v;
    return (double)num_round_d(t, nextafter(x, -INFINITY)) == v && (double)num_round_d(t, nextafter(x, INFINITY)) == v;
}

/* The shortest decimal that reads back, of a value that is not negative. */
static void put_float(Text *out, DType t, double v)
{
    if (isnan(v) || isinf(v)) {
        text_add(out, isnan(v) ? "nan" : "inf");
        return;
    }
    char s[64];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        if (v == 0 || reads_as(t, strtod(s, NULL), v)) break;
    }
    bool whole = true, point = false;
    for (const char *c = s; *c; c++) {
        if ((*c >= '0' && *c <= '9') || *c == '-' || *c == '+') {
            text_char(out, *c);
        } else if (*c == 'e') {
            text_char(out, 'e');
            whole = false;
        } else if (!point) { /* the locale's decimal point, of whatever bytes */
            text_char(out, '.');
            point = true;
            whole = false;
        }
    }
    if (whole) text_add(out, ".0");
}

static bool is_literal(const Expr *e) { return (e->op == EX_INT && e->type != DT_U1) || e->op == EX_FLOAT; }

static bool is_negative(const Expr *e)
{
    if (e->op == EX_FLOAT) return signbit(e->f) && !isnan(e->f);
    return e->op == EX_INT && e->type != DT_U1 && e->type != DT_U64 && e->i < 0;
}

static void put_literal(Text *out, const Expr *e)
{
    if (e->type == DT_U1) {
        text_add(out, e->i ? "true" : "false");
        return;
    }
    if (is_negative(e)) text_char(out, '-');
    if (e->op == EX_FLOAT)
        put_float(out, (DType)e->type, fabs(e->f));
    else
        text_printf(out, "%llu", is_negative(e) ? 0 - (unsigned long long)e->i : (unsigned long long)e->i);
}

/* Does sema see this as literals only, without a type of its own? */
static bool untyped(const Expr *e, bool *has_float)
{
    if (is_literal(e)) {
        *has_float |= e->op == EX_FLOAT;
        return true;
    }
    int from = 0, to = e->nargs;
    switch (e->op) {
    case EX_REDUCE:
        if (e->red->op == RED_SUM || e->red->op == RED_PROD || e->red->op == RED_MAX || e->red->op == RED_MIN)
            return untyped(e->red->body, has_float);
        return false;
    case EX_SELECT:
    case EX_PICK: from = 1; break;
    case EX_POWI: to = 1; break;
    default:
        if (te_expr[e->op].kind == XK_LEAF || te_expr[e->op].kind == XK_SPECIAL || e->type == DT_U1) return false;
    }
    for (int i = from; i < to; i++)
        if (!untyped(e->arg[i], has_float)) return false;
    return to > from;
}

/* ---- expressions --------------------------------------------------------------------------------------------------
 */
static void put_list(Printer *p, const char *comma, int n, Expr *const *e, DType beside)
{
    for (int i = 0; i < n; i++) {
        if (i) text_add(p->out, comma);
        put(p, e[i], 0, beside);
    }
}

static void put_load(Printer *p, const Expr *e)
{
    text_add(p->out, e->load.t->name);
    if (e->nargs == 0) return;
    text_char(p->out, '[');
    put_list(p, ",", e->nargs, e->arg, DT_INDEX);
    if (e->load.other) {
        text_add(p->out, " | ");
        put(p, e->load.other, 0, e->load.t->type);
    }
    text_char(p->out, ']');
}

static void put_range(Printer *p, const Var *v)
{
    text_printf(p->out, "%s in ", v->name);
    put(p, v->lo, 0, DT_INDEX);
    text_add(p->out, "..");
    put(p, v->hi, 0, DT_INDEX);
}

/* A product that enters its sum as it is, though the text of its tree alone would make it an fma. */
static bool is_hidden_product(const Reduce *r)
{
    return r->op == RED_SUM && r->body->op == EX_MUL && !r->fma && r->body->type != DT_INDEX;
}

static void put_reduce(Printer *p, const Expr *e, DType beside)
{
    const Reduce *r = e->red;
    text_printf(p->out, "%s{", te_red_name[r->op]);
    for (int i = 0; i < r->nvars; i++) {
        if (i) text_add(p->out, ", ");
        put_range(p, r->var[i]);
    }
    if (r->op == RED_TOPK) {
        text_add(p->out, " -> ");
        put_range(p, r->slot);
    }
    if (r->cond) {
        text_add(p->out, " if ");
        put(p, r->cond, 0, DT_NONE);
    }
    text_add(p->out, "}(");
    bool f = false, hidden = is_hidden_product(r), literals = untyped(r->body, &f);
    if (hidden && literals && p->product) {
        text_printf(p->out, "%s(", p->product);
        put_list(p, ", ", 2, r->body->arg, beside);
    } else if (hidden) {
        text_printf(p->out, "%s(", te_type[r->body->type].name);
        put(p, r->body, 0, DT_NONE);
    } else {
        put(p, r->body, 0, beside);
    }
    text_add(p->out, hidden ? "))" : ")");
}

/* The type that stands beside literals among the operands from..to: that of an operand which has one. */
static DType beside_of(const Expr *e, int from, int to, DType outer)
{
    for (int i = from; i < to; i++) {
        bool f = false;
        if (!untyped(e->arg[i], &f)) return (DType)e->arg[i]->type;
    }
    return outer;
}

static void put_cast(Printer *p, const Expr *e, int prec)
{
    bool f = false, literals = untyped(e->arg[0], &f);
    if (e->type != DT_INDEX || literals) {
        DType t = e->type == DT_INDEX ? (DType)e->arg[0]->type : (DType)e->type;
        text_printf(p->out, "%s(", te_type[t].name);
        put(p, e->arg[0], 0, DT_NONE);
        text_char(p->out, ')');
    } else {
        put(p, e->arg[0], prec, DT_NONE);
    }
}

static void put_operator(Printer *p, const Expr *e, DType beside)
{
    const ExprInfo *x = &te_expr[e->op];
    DType t = beside_of(e, 0, e->nargs, e->type == DT_U1 ? DT_NONE : beside);
    if (x->arity == 1) {
        const Expr *a = e->arg[0];
        bool paren = e->op == EX_NEG && (is_literal(a) || a->op == EX_NEG);
        text_add(p->out, paren ? "-(" : x->text);
        put(p, a, paren ? 0 : x->prec, t);
        if (paren) text_char(p->out, ')');
        return;
    }
    put(p, e->arg[0], x->prec, t);
    text_printf(p->out, " %s ", x->text);
    put(p, e->arg[1], x->prec + 1, t);
}

static void put_call(Printer *p, const Expr *e, DType beside)
{
    text_printf(p->out, "%s(", te_expr[e->op].text);
    if (e->op == EX_PICK) {
        put(p, e->arg[0], 0, DT_NONE);
        text_add(p->out, ", ");
        put_list(p, ", ", 2, e->arg + 1, beside_of(e, 1, 3, beside));
    } else if (e->op == EX_POWI) {
        put(p, e->arg[0], 0, beside);
        text_add(p->out, ", ");
        put(p, e->arg[1], 0, DT_NONE);
    } else {
        put_list(p, ", ", e->nargs, e->arg, beside_of(e, 0, e->nargs, beside));
    }
    text_char(p->out, ')');
}

static void put_select(Printer *p, const Expr *e, DType beside)
{
    DType t = beside_of(e, 1, 3, beside);
    put(p, e->arg[0], PREC_SELECT + 1, DT_NONE);
    text_add(p->out, " ? ");
    put(p, e->arg[1], 0, t);
    text_add(p->out, " : ");
    put(p, e->arg[2], PREC_SELECT, t);
}

static int prec_of(const Expr *e)
{
    if (is_negative(e)) return PREC_UNARY;
    return te_expr[e->op].prec ? te_expr[e->op].prec : 100;
}

static void put_node(Printer *p, const Expr *e, DType beside)
{
    switch (e->op) {
    case EX_INT:
    case EX_FLOAT: put_literal(p->out, e); break;
    case EX_VAR: text_add(p->out, e->var->name); break;
    case EX_DIM: text_add(p->out, p->op->dim[e->sym].name); break;
    case EX_CONST: text_add(p->out, p->op->cst[e->sym].name); break;
    case EX_LOAD: put_load(p, e); break;
    case EX_REDUCE: put_reduce(p, e, beside); break;
    case EX_SELECT: put_select(p, e, beside); break;
    default:
        if (te_expr[e->op].prec)
            put_operator(p, e, beside);
        else
            put_call(p, e, beside);
    }
}

/* prec: what binds less tightly stands in parentheses. beside: the type that literals get here, DT_NONE: none. */
static void put(Printer *p, const Expr *e, int prec, DType beside)
{
    if (e->op == EX_CAST) {
        put_cast(p, e, prec);
        return;
    }
    bool has_float = false, cast = false;
    if (!untyped(e, &has_float)) {
        beside = DT_NONE;
    } else {
        DType given = beside != DT_NONE ? beside : has_float ? DT_F32 : DT_I32;
        cast = given != e->type && e->type != DT_INDEX;
        if (cast) beside = DT_NONE;
    }
    bool paren = !cast && prec_of(e) < prec;
    if (cast) text_add(p->out, te_type[e->type].name);
    if (cast || paren) text_char(p->out, '(');
    put_node(p, e, beside);
    if (cast || paren) text_char(p->out, ')');
}

void te_print_expr(Text *out, const TeOp *op, const Expr *e)
{
    Printer p = {.out = out, .op = op};
    text_add(out, "");
    put(&p, e, 0, (DType)e->type);
}

/* ---- ops --------------------------------------------------------------------------------------------------------- */
static void put_doc(Text *out, const char *doc)
{
    while (doc && *doc) {
        size_t n = strcspn(doc, "\n");
        text_add(out, n && doc[0] != ' ' ? "# " : "#");
        text_addn(out, doc, n);
        text_char(out, '\n');
        doc += n + (doc[n] == '\n');
    }
}

static void put_header(Printer *p)
{
    Text *out = p->out;
    const TeOp *op = p->op;
    text_printf(out, "op %s[", op->name);
    for (int i = 0; i < op->ndims; i++) {
        const Dim *d = &op->dim[i];
        text_printf(out, i ? ", %s" : "%s", d->name);
        if (d->has_default) text_printf(out, " = %lld", (long long)d->dflt);
        if (d->has_range) text_printf(out, " in %lld..%lld", (long long)d->lo, (long long)d->hi);
        for (int k = 0; k < d->nhints; k++) text_printf(out, k ? ", %lld" : " ~ {%lld", (long long)d->hint[k]);
        if (d->nhints) text_char(out, '}');
    }
    for (int i = 0; i < op->nconsts; i++) {
        const Const *c = &op->cst[i];
        text_printf(out, "%s%s: %s", i ? ", " : op->ndims ? "; " : ";", c->name, te_type[c->type].name);
        if (!c->value) continue;
        text_add(out, " = ");
        put_literal(out, c->value);
    }
    text_char(out, ']');
}

static void put_params(Printer *p, int from, int to)
{
    static const char *const word[] = {[TK_CONST_INPUT] = "const ", [TK_INOUT] = "inout "};
    text_char(p->out, '(');
    for (int i = from; i < to; i++) {
        const Tensor *t = p->op->tensor[i];
        if (i > from) text_add(p->out, ", ");
        if (t->kind == TK_CONST_INPUT || t->kind == TK_INOUT) text_add(p->out, word[t->kind]);
        text_printf(p->out, "%s: %s", t->name, te_type[t->type].name);
        if (t->scalar) continue;
        text_char(p->out, '[');
        put_list(p, ",", t->rank, t->shape, DT_INDEX);
        text_char(p->out, ']');
    }
    text_char(p->out, ')');
}

static void put_def(Printer *p, const Def *d)
{
    text_add(p->out, d->let ? "  let " : "  ");
    for (int k = 0; k < d->nout; k++) {
        text_printf(p->out, k ? ", %s" : "%s", d->out[k]->name);
        for (int i = 0; i < d->nix; i++) {
            text_add(p->out, !i ? "[" : d->let && k == 0 ? ", " : ",");
            if (d->let && k == 0)
                put_range(p, d->ix[i]);
            else
                text_add(p->out, d->ix[i]->name);
        }
        if (d->nix) text_char(p->out, ']');
    }
    text_add(p->out, " = ");
    put(p, d->rhs, 0, d->let ? DT_NONE : (DType)d->out[0]->type); /* nothing stands beside a let's right side */
    if (d->seq) text_printf(p->out, " seq %s", d->seq->name);
    text_char(p->out, '\n');
}

/* ---- the fn for products of literals, which hardly any op needs ---- */
typedef struct Scan {
    const char *name;
    bool needed, taken;
} Scan;

static void scan(Scan *s, const Expr *e)
{
    bool f = false;
    if (e->op == EX_VAR) s->taken |= !strcmp(e->var->name, s->name);
    if (e->op == EX_REDUCE) {
        s->needed |= is_hidden_product(e->red) && untyped(e->red->body, &f);
        for (int i = 0; i < e->red->nvars; i++) s->taken |= !strcmp(e->red->var[i]->name, s->name);
    }
    for (int i = 0; i < te_nchildren(e); i++) scan(s, te_child(e, i));
}

static void scan_op(Scan *s, const TeOp *op)
{
    for (int i = 0; i < op->ndims; i++) s->taken |= !strcmp(op->dim[i].name, s->name);
    for (int i = 0; i < op->nconsts; i++) s->taken |= !strcmp(op->cst[i].name, s->name);
    for (int i = 0; i < op->ntensors; i++) s->taken |= !strcmp(op->tensor[i]->name, s->name);
    for (int i = 0; i < op->ndefs; i++) {
        for (int k = 0; k < op->def[i]->nix; k++) s->taken |= !strcmp(op->def[i]->ix[k]->name, s->name);
        scan(s, op->def[i]->rhs);
    }
}

static const char *product_fn(Text *out, const TeOp *op)
{
    for (const char *name = "product";; name = arena_printf(out->mem, "%s_", name)) {
        Scan s = {.name = name};
        scan_op(&s, op);
        if (!s.needed) return NULL;
        if (s.taken) continue;
        text_printf(out, "fn %s(x, y) = x * y\n\n", name);
        return name;
    }
}

void te_print_op(Text *out, const TeOp *op)
{
    Printer p = {.out = out, .op = op};
    p.product = product_fn(out, op);
    put_doc(out, op->doc);
    put_header(&p);
    put_params(&p, 0, op->ninputs);
    text_add(out, " -> ");
    put_params(&p, op->ninputs, op->nparams);
    for (int i = 0; i < op->nwhere; i++) {
        text_add(out, i ? ", " : " where ");
        put(&p, op->check[i].cond, 0, DT_NONE);
    }
    text_add(out, " {\n");
    for (int i = 0; i < op->ndefs; i++) put_def(&p, op->def[i]);
    text_add(out, "}\n");
}
