/* tile_print.c: the text of a Tile program, which tile_parse reads back to an equal one (docs/tile-ir.md has the
 * grammar).
 *
 * An expression that is used several times is printed in full each time, unless that would make the statement long:
 * then the first use is written `$1:(…)` and the others `$1`. Relies on te.h's tables; needs a program that tile_verify
 * accepts to be readable again, but prints anything that is not cyclic. */
#include "ir/tile_priv.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { LONG_ITEM = 600, WORTH_SHARING = 4 }; /* nodes */

typedef struct Printer {
    Text *out;
    const TileProg *p;
    int level;
    /* Of the statement being printed, by Expr.id: */
    bool sharing;
    int *seen; /* number of the item (statement, check …) in which the node was last counted */
    int *uses;
    double *size; /* nodes when printed in full */
    int *name;    /* the number after `$`, 0: not printed yet */
    int item, names;
} Printer;

/* ---- which nodes are shared within one item -------------------------------------------------------------------- */
static double count(Printer *pr, const Expr *e)
{
    if (!e) return 0;
    if (pr->seen[e->id] == pr->item) {
        pr->uses[e->id]++;
        return pr->size[e->id];
    }
    pr->seen[e->id] = pr->item;
    pr->uses[e->id] = 1;
    pr->name[e->id] = 0;
    double n = 1;
    for (int i = 0; i < te_nchildren(e); i++) n += count(pr, te_child(e, i));
    return pr->size[e->id] = n;
}

static void item(Printer *pr, int n, const Expr *const *part)
{
    pr->item++;
    pr->names = 0;
    double total = 0;
    for (int i = 0; i < n; i++) total += count(pr, part[i]);
    pr->sharing = total > LONG_ITEM;
}

/* ---- expressions ------------------------------------------------------------------------------------------------ */
static void expr(Printer *pr, const Expr *e, int prec);

static void list(Printer *pr, int n, Expr *const *e)
{
    for (int i = 0; i < n; i++) {
        if (i) text_add(pr->out, ", ");
        expr(pr, e[i], 0);
    }
}

static void load(Printer *pr, const Expr *e)
{
    tile_put_name(pr->out, e->load.t->name);
    if (e->nargs || e->load.other) {
        text_char(pr->out, '[');
        list(pr, e->nargs, e->arg);
        if (e->load.other) {
            text_add(pr->out, " | ");
            expr(pr, e->load.other, 0);
        }
        text_char(pr->out, ']');
    }
    if (e->flag == LOAD_GATHER) text_printf(pr->out, "@%d", e->load.site);
    if (e->flag == LOAD_UNCHECKED_YET) text_add(pr->out, "@?");
    if (e->flag == LOAD_PROVED && e->load.other) text_add(pr->out, "@!");
}

static void integer(Text *out, const Expr *e)
{
    if (e->type == DT_U1)
        text_add(out, e->i ? "true" : "false");
    else if (e->type == DT_U64)
        text_printf(out, "%" PRIu64 ":u64", (uint64_t)e->i);
    else if (e->type == DT_INDEX)
        text_printf(out, "%" PRId64, e->i);
    else
        text_printf(out, "%" PRId64 ":%s", e->i, te_type[e->type].name);
}

static void floating(Text *out, const Expr *e)
{
    char buf[64];
    tile_float_text(buf, (DType)e->type, e->f);
    text_printf(out, "%s:%s", buf, te_type[e->type].name);
}

/* A minus directly before a number belongs to it, so the operand of `-` goes into parentheses if it is a number. */
static void unary(Printer *pr, const Expr *e)
{
    bool number = e->arg[0]->op == EX_INT || e->arg[0]->op == EX_FLOAT;
    text_add(pr->out, te_expr[e->op].text);
    if (number) text_char(pr->out, '(');
    expr(pr, e->arg[0], number ? 0 : te_expr[e->op].prec);
    if (number) text_char(pr->out, ')');
}

static void binary(Printer *pr, const Expr *e)
{
    int prec = te_expr[e->op].prec;
    expr(pr, e->arg[0], prec);
    text_printf(pr->out, " %s", te_expr[e->op].text);
    if (tile_has_site(e) && e->site >= 0) text_printf(pr->out, "@%d", e->site);
    text_char(pr->out, ' ');
    expr(pr, e->arg[1], prec + 1);
}

static void select(Printer *pr, const Expr *e)
{
    int prec = te_expr[EX_SELECT].prec;
    expr(pr, e->arg[0], prec + 1);
    text_add(pr->out, " ? ");
    expr(pr, e->arg[1], prec);
    text_add(pr->out, " : ");
    expr(pr, e->arg[2], prec);
}

static void bare(Printer *pr, const Expr *e)
{
    const TeOp *op = pr->p->op;
    switch ((ExprOp)e->op) {
    case EX_INT: integer(pr->out, e); break;
    case EX_FLOAT: floating(pr->out, e); break;
    case EX_VAR: tile_put_name(pr->out, e->var->name); break;
    case EX_DIM: tile_put_name(pr->out, e->sym < op->ndims ? op->dim[e->sym].name : "?"); break;
    case EX_CONST: tile_put_name(pr->out, e->sym < op->nconsts ? op->cst[e->sym].name : "?"); break;
    case EX_LOAD: load(pr, e); break;
    case EX_SELECT: select(pr, e); break;
    case EX_REDUCE: text_add(pr->out, "reduce?"); break; /* no Tile program has one */
    default:
        if (te_expr[e->op].kind == XK_BINARY) {
            binary(pr, e);
        } else if (te_expr[e->op].kind == XK_UNARY) {
            unary(pr, e);
        } else { /* a function; CAST is written as one that is named as its type */
            text_printf(pr->out, "%s(", e->op == EX_CAST ? te_type[e->type].name : te_expr[e->op].text);
            list(pr, e->nargs, e->arg);
            text_char(pr->out, ')');
        }
    }
}

/* e where an operator of precedence `prec` or higher may stand without parentheses. */
static void expr(Printer *pr, const Expr *e, int prec)
{
    if (pr->sharing && pr->uses[e->id] > 1 && pr->size[e->id] >= WORTH_SHARING) {
        if (pr->name[e->id]) {
            text_printf(pr->out, "$%d", pr->name[e->id]);
            return;
        }
        pr->name[e->id] = ++pr->names;
        text_printf(pr->out, "$%d:(", pr->names);
        bare(pr, e);
        text_char(pr->out, ')');
        return;
    }
    bool parens = te_expr[e->op].prec && te_expr[e->op].prec < prec;
    if (parens) text_char(pr->out, '(');
    bare(pr, e);
    if (parens) text_char(pr->out, ')');
}

/* ---- statements ------------------------------------------------------------------------------------------------- */
static void block(Printer *pr, Block b);

static void place(Printer *pr, const Tensor *t, int n, Expr *const *ix)
{
    tile_put_name(pr->out, t->name);
    if (!n) return;
    text_char(pr->out, '[');
    list(pr, n, ix);
    text_char(pr->out, ']');
}

static void provenance(Printer *pr, const Stmt *s)
{
    if (!s->loop.of) return;
    text_add(pr->out, " @");
    tile_put_name(pr->out, s->loop.of->name);
    if (s->loop.dim) {
        text_char(pr->out, '.');
        tile_put_name(pr->out, s->loop.dim->name);
    }
    text_printf(pr->out, ":%d", s->loop.level);
}

static void loop(Printer *pr, const Stmt *s)
{
    const Var *v = s->loop.var;
    item(pr, 2, (const Expr *[]){v->lo, v->hi});
    text_add(pr->out, "for ");
    tile_put_name(pr->out, v->name);
    text_add(pr->out, " in ");
    expr(pr, v->lo, te_expr[EX_OR].prec);
    text_add(pr->out, "..");
    expr(pr, v->hi, te_expr[EX_OR].prec);
    if (s->loop.step != 1) text_printf(pr->out, " step %" PRId64, s->loop.step);
    if (s->loop.kind != LOOP_SERIAL) text_printf(pr->out, " %s", tile_loop_name[s->loop.kind]);
    if (s->loop.width) text_printf(pr->out, " %d", s->loop.width);
    provenance(pr, s);
    text_char(pr->out, ' ');
    block(pr, s->loop.body);
}

static void branch(Printer *pr, const Stmt *s)
{
    item(pr, 1, (const Expr *[]){s->branch.cond});
    text_add(pr->out, "if ");
    expr(pr, s->branch.cond, 0);
    text_char(pr->out, ' ');
    block(pr, s->branch.then);
    if (!s->branch.els.n) return;
    text_add(pr->out, " else ");
    block(pr, s->branch.els);
}

static void alloc(Printer *pr, const Tensor *b)
{
    item(pr, b->rank, (const Expr *const *)b->shape);
    text_add(pr->out, "alloc ");
    tile_put_name(pr->out, b->name);
    text_printf(pr->out, ": %s", te_type[b->type].name);
    if (b->rank) {
        text_char(pr->out, '[');
        list(pr, b->rank, b->shape);
        text_char(pr->out, ']');
    }
    text_printf(pr->out, " %s", te_scope_name[b->scope]);
}

/* Counts a statement's expressions as one item: its indices and up to three more. */
static void items(Printer *pr, int n, Expr *const *ix, const Expr *a, const Expr *b, const Expr *c)
{
    pr->item++;
    pr->names = 0;
    double total = count(pr, a) + count(pr, b) + count(pr, c);
    for (int i = 0; i < n; i++) total += count(pr, ix[i]);
    pr->sharing = total > LONG_ITEM;
}

static void update(Printer *pr, const Stmt *s)
{
    items(pr, s->update.buf->rank, s->update.ix, s->update.value, s->update.index, NULL);
    place(pr, s->update.buf, s->update.buf->rank, s->update.ix);
    text_printf(pr->out, " %s%s= ", te_red_name[s->update.op], s->update.fma ? " fma" : "");
    expr(pr, s->update.value, 0);
    if (!s->update.where) return;
    text_add(pr->out, " where ");
    tile_put_name(pr->out, s->update.where->name);
    text_add(pr->out, " = ");
    expr(pr, s->update.index, 0);
}

static void insert(Printer *pr, const Stmt *s)
{
    int n = s->insert.vals->rank - 1;
    items(pr, n, s->insert.ix, s->insert.slots, s->insert.value, s->insert.index);
    text_add(pr->out, "insert ");
    expr(pr, s->insert.value, 0);
    text_add(pr->out, ", ");
    expr(pr, s->insert.index, 0);
    text_add(pr->out, " into ");
    tile_put_name(pr->out, s->insert.vals->name);
    text_char(pr->out, '[');
    list(pr, n, s->insert.ix);
    text_add(pr->out, n > 0 ? ", .." : "..");
    expr(pr, s->insert.slots, te_expr[EX_OR].prec);
    text_add(pr->out, "], ");
    tile_put_name(pr->out, s->insert.where->name);
}

static void statement(Printer *pr, const Stmt *s)
{
    switch (s->kind) {
    case ST_FOR: loop(pr, s); break;
    case ST_IF: branch(pr, s); break;
    case ST_ALLOC: alloc(pr, s->alloc.buf); break;
    case ST_STORE:
        items(pr, s->store.buf->rank, s->store.ix, s->store.value, NULL, NULL);
        place(pr, s->store.buf, s->store.buf->rank, s->store.ix);
        text_add(pr->out, " = ");
        expr(pr, s->store.value, 0);
        if (s->store.stream) text_add(pr->out, " stream");
        break;
    case ST_UPDATE: update(pr, s); break;
    case ST_INSERT: insert(pr, s); break;
    case ST_LET:
        item(pr, 1, (const Expr *[]){s->let.value});
        text_add(pr->out, "let ");
        tile_put_name(pr->out, s->let.var->name);
        text_add(pr->out, " = ");
        expr(pr, s->let.value, 0);
        break;
    case ST_PREFETCH:
        item(pr, s->prefetch.buf->rank, (const Expr *const *)s->prefetch.ix);
        text_add(pr->out, "prefetch ");
        place(pr, s->prefetch.buf, s->prefetch.buf->rank, s->prefetch.ix);
        if (s->prefetch.write) text_add(pr->out, " write");
        break;
    case ST_COUNT: break;
    }
}

static void block(Printer *pr, Block b)
{
    text_add(pr->out, "{\n");
    pr->level++;
    for (int i = 0; i < b.n; i++) {
        text_indent(pr->out, pr->level);
        statement(pr, b.at[i]);
        text_char(pr->out, '\n');
    }
    pr->level--;
    text_indent(pr->out, pr->level);
    text_char(pr->out, '}');
}

/* ---- header ------------------------------------------------------------------------------------------------------ */
static void quoted(Text *out, const char *s)
{
    text_char(out, '"');
    for (; s && *s; s++) {
        if (*s == '"' || *s == '\\' || (unsigned char)*s < ' ')
            text_printf(out, "\\x%02x", (unsigned char)*s);
        else
            text_char(out, *s);
    }
    text_char(out, '"');
}

static void dim(Text *out, const Dim *d)
{
    tile_put_name(out, d->name);
    if (d->has_default) text_printf(out, " = %" PRId64, d->dflt);
    if (d->has_range) text_printf(out, " in %" PRId64 "..%" PRId64, d->lo, d->hi);
    for (int i = 0; i < d->nhints; i++) text_printf(out, "%s%" PRId64, i ? ", " : " ~{", d->hint[i]);
    if (d->nhints) text_char(out, '}');
    if (d->value >= 0) text_printf(out, " := %" PRId64, d->value);
}

static void constant(Printer *pr, const Const *c)
{
    tile_put_name(pr->out, c->name);
    text_printf(pr->out, ": %s", te_type[c->type].name);
    if (!c->value) return;
    item(pr, 1, (const Expr *[]){c->value});
    text_add(pr->out, c->overridden ? " := " : " = ");
    expr(pr, c->value, 0);
}

static void param(Printer *pr, const Tensor *t)
{
    static const char *const kind[] = {[TK_CONST_INPUT] = "const ", [TK_INOUT] = "inout "};
    if (t->kind == TK_CONST_INPUT || t->kind == TK_INOUT) text_add(pr->out, kind[t->kind]);
    tile_put_name(pr->out, t->name);
    text_printf(pr->out, ": %s", te_type[t->type].name);
    if (!t->rank) return;
    item(pr, t->rank, (const Expr *const *)t->shape);
    text_char(pr->out, '[');
    list(pr, t->rank, t->shape);
    text_char(pr->out, ']');
}

static void params(Printer *pr, int from, int to)
{
    text_char(pr->out, '(');
    for (int i = from; i < to; i++) {
        if (i > from) text_add(pr->out, ", ");
        param(pr, pr->p->op->tensor[i]);
    }
    text_char(pr->out, ')');
}

static void checks(Printer *pr)
{
    const TeOp *op = pr->p->op;
    for (int i = 0; i < op->nchecks; i++) {
        text_add(pr->out, i < op->nwhere ? "  where " : "  check ");
        quoted(pr->out, op->check[i].text);
        text_char(pr->out, ' ');
        item(pr, 1, (const Expr *[]){op->check[i].cond});
        expr(pr, op->check[i].cond, 0);
        text_char(pr->out, '\n');
    }
}

static void sites(Text *out, const TeOp *op)
{
    for (int i = 0; i < op->nsites; i++) {
        const Site *s = &op->site[i];
        text_printf(out, "  site %s ", tile_site_name[s->kind]);
        quoted(out, s->text);
        if (s->tensor && s->tensor->id < op->nparams && op->tensor[s->tensor->id] == s->tensor) {
            text_char(out, ' ');
            tile_put_name(out, s->tensor->name);
        }
        text_char(out, '\n');
    }
}

static void target(Text *out, const char *name)
{
    bool simple = name && *name;
    for (const char *s = name; s && *s; s++)
        simple = simple && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-:.+", *s);
    if (simple)
        text_add(out, name);
    else
        quoted(out, name);
}

void tile_print(Text *out, const TileProg *p)
{
    const TeOp *op = p->op;
    Printer pr = {.out = out, .p = p};
    size_t n = (size_t)op->nexprs + 1;
    pr.seen = NEW_ARRAY(out->mem, int, n);
    pr.uses = NEW_ARRAY(out->mem, int, n);
    pr.name = NEW_ARRAY(out->mem, int, n);
    pr.size = NEW_ARRAY(out->mem, double, n);

    text_add(out, "tile ");
    tile_put_name(out, op->name);
    text_add(out, " @");
    target(out, p->target);
    text_add(out, p->num.ordered ? " numerics ordered:" : " numerics fast");
    if (p->num.ordered) text_printf(out, "%d", p->num.p);
    text_add(out, "\n  [");
    for (int i = 0; i < op->ndims; i++) {
        if (i) text_add(out, ", ");
        dim(out, &op->dim[i]);
    }
    for (int i = 0; i < op->nconsts; i++) {
        text_add(out, i ? ", " : "; ");
        constant(&pr, &op->cst[i]);
    }
    text_add(out, "]\n  ");
    params(&pr, 0, op->ninputs);
    text_add(out, " -> ");
    params(&pr, op->ninputs, op->nparams);
    text_char(out, '\n');
    checks(&pr);
    sites(out, op);
    block(&pr, p->body);
    text_char(out, '\n');
}
