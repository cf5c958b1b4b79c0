/* idioms: a program's main part from a row of idioms.def: draws its dims, types, constants and alternatives, permutes
 * the indices of its tensors, turns now and then an input into a computed let and an output into a let that later
 * statements read, and makes nodes of the text. */
#define _GNU_SOURCE
#include "tests/random/gen.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Idiom {
    const char *name;
    int weight;
    const char *dims, *work, *types, *consts, *where, *in, *lets, *out, *body;
} Idiom;

static const Idiom idioms[] = {
#define IDIOM(...) {__VA_ARGS__},
#include "tests/random/idioms.def"
#undef IDIOM
};
enum { NIDIOMS = sizeof idioms / sizeof *idioms, MOST = 6 };

typedef struct Named {
    char name[8];
    int dim;        /* of the program */
    int of, factor; /* a multiple of an earlier one: its place here, else -1 */
    int64_t least, most;
} Named;

typedef struct Decl {
    Array a;           /* dims as declared in the program, that is permuted; -1: not a plain dim */
    int at[4];         /* where each of the row's indices went */
    char kind[8];      /* "inout ", "const ", "" */
    char shape[4][64]; /* in the row's order, names replaced */
    bool plain;        /* every extent is a dim */
    bool let, defined;
    int bound;
} Decl;

typedef struct Build {
    Gen *g;
    const Idiom *row;
    int ndims, ntypes, ndecls;
    Named dim[MAX_DIMS];
    char type_name[MOST][8];
    const char *type[MOST];
    Decl decl[16];
} Build;

/* ---- text
 * -------------------------------------------------------------------------------------------------------------- */
static const char *skip(const char *s)
{
    while (*s == ' ' || *s == ',' || *s == ';' || *s == '\n') s++;
    return s;
}

static const char *word(const char *s, char *to, size_t n)
{
    size_t k = 0;
    for (; isalnum((unsigned char)*s) || *s == '_'; s++)
        if (k + 1 < n) to[k++] = *s;
    to[k] = 0;
    return s;
}

/* The row's names become the program's: dims and types. Everything else stays. */
static const char *meaning(const Build *b, const char *name)
{
    for (int i = 0; i < b->ndims; i++)
        if (strcmp(b->dim[i].name, name) == 0) return say("D%d", b->dim[i].dim);
    for (int i = 0; i < b->ntypes; i++)
        if (strcmp(b->type_name[i], name) == 0) return b->type[i];
    return NULL;
}

static char *renamed(const Build *b, const char *s)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    if (!f) exit(3);
    while (*s) {
        char id[32];
        if (!isalpha((unsigned char)*s)) {
            fputc(*s++, f);
            continue;
        }
        s = word(s, id, sizeof id);
        const char *to = meaning(b, id);
        fputs(to ? to : id, f);
    }
    fclose(f);
    return text;
}

/* $(a$/b$/c$) becomes one of them, $a( the name of a function. */
static void choose(Gen *g, FILE *f, const char *s, const char *end);

static const char *choose_one(Gen *g, FILE *f, const char *s)
{
    const char *from[16], *to[16];
    int n = 0, depth = 0;
    from[0] = s;
    for (;; s++) {
        if (!*s) exit(3);
        if (*s != '$') continue;
        if (s[1] == '(') depth++;
        if (s[1] == ')' && depth-- == 0) break;
        if (s[1] == '/' && depth == 0) {
            to[n++] = s;
            from[n] = s + 2;
        }
    }
    to[n++] = s;
    int k = rng_below(&g->r, n);
    choose(g, f, from[k], to[k]);
    return s + 2;
}

static void choose(Gen *g, FILE *f, const char *s, const char *end)
{
    static const char *const calls[] = {"-", "abs", "-", "abs", "f0", "f1", "f2"};
    while (s < end) {
        if (s[0] == '$' && s[1] == '(')
            s = choose_one(g, f, s + 2);
        else if (s[0] == '$' && s[1] == 'a') {
            fputs(calls[rng_below(&g->r, 4)], f);
            s += 2;
        } else
            fputc(*s++, f);
    }
}

static char *chosen(Gen *g, const char *s)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    if (!f) exit(3);
    choose(g, f, s, s + strlen(s));
    fclose(f);
    return text;
}

/* ---- dims and types
 * ---------------------------------------------------------------------------------------------------- */
/* Around the widths of vectors, register tiles and blocks; and small ones, where remainders are everything. */
static const int64_t small[] = {1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17};
static const int64_t blocked[] = {6, 11, 12, 14, 15, 28, 29, 31, 32, 33, 47, 48, 63, 64, 65, 96, 97, 130, 200};

static int64_t draw_size(Gen *g, const Named *d)
{
    if (d->least > 1) return d->least + rng_below(&g->r, (int)(d->most - d->least + 1));
    bool big = rng_chance(&g->r, 55);
    for (;;) {
        int64_t s = big ? blocked[rng_below(&g->r, 19)] : small[rng_below(&g->r, 11)];
        if (s <= d->most) return s;
        big = big && rng_chance(&g->r, 80);
    }
}

/* "M:200?", "G:1..3", "H=G*1..3" */
static void read_dims(Build *b)
{
    Gen *g = b->g;
    for (const char *s = skip(b->row->dims); *s; s = skip(s)) {
        Named *d = &b->dim[b->ndims];
        char id[8];
        s = word(s, d->name, sizeof d->name);
        bool multiple = *s == '=';
        d->of = -1;
        if (multiple) {
            s = word(s + 1, id, sizeof id);
            for (int i = 0; i < b->ndims; i++)
                if (strcmp(b->dim[i].name, id) == 0) d->of = i;
        }
        char *end;
        d->most = strtol(s + 1, &end, 10);
        d->least = 1;
        if (end[0] == '.') {
            d->least = d->most;
            d->most = strtol(end + 2, &end, 10);
        }
        d->factor = (int)d->least + rng_below(&g->r, (int)(d->most - d->least + 1));
        bool zero = *end == '?' && rng_chance(&g->r, 8);
        s = *end == '?' ? end + 1 : end;
        d->dim = new_dim(g, d->of >= 0 ? g->p->size[b->dim[d->of].dim] * d->factor : draw_size(g, d));
        if (zero) {
            snprintf(g->p->dim_text[d->dim], sizeof g->p->dim_text[0], " in 0..300");
            g->p->zero[d->dim] = true;
            if (rng_chance(&g->r, 50)) g->p->size[d->dim] = 0;
        } else if (rng_chance(&g->r, 15))
            snprintf(g->p->dim_text[d->dim], sizeof g->p->dim_text[0],
                     rng_chance(&g->r, 50) ? " in 1..10000" : " ~ {16, 64}");
        b->ndims++;
    }
}

static double work_of(const Build *b)
{
    double w = 1;
    for (const char *s = b->row->work; *s;) {
        char id[8];
        s = word(s, id, sizeof id);
        if (*s == '*') s++;
        if (isdigit((unsigned char)id[0])) w *= atof(id);
        for (int i = 0; i < b->ndims; i++)
            if (strcmp(b->dim[i].name, id) == 0) w *= (double)b->g->p->size[b->dim[i].dim];
    }
    return w;
}

/* Halves the largest size until one program is quick in the interpreter. */
static void limit_work(Build *b)
{
    Program *p = b->g->p;
    int how = rng_below(&b->g->r, 100);
    double most = how < 6 ? 2e6 : how < 30 ? 4e5 : 3e4;
    while (work_of(b) > most) {
        Named *large = NULL;
        for (int i = 0; i < b->ndims; i++)
            if (b->dim[i].of < 0 && p->size[b->dim[i].dim] > b->dim[i].least &&
                (!large || p->size[b->dim[i].dim] > p->size[large->dim]))
                large = &b->dim[i];
        if (!large) return;
        int64_t half = (p->size[large->dim] + 1) / 2;
        p->size[large->dim] = half < large->least ? large->least : half;
        for (int i = 0; i < b->ndims; i++)
            if (b->dim[i].of >= 0) p->size[b->dim[i].dim] = p->size[b->dim[b->dim[i].of].dim] * b->dim[i].factor;
    }
}

/* "T U; f32 f16; any f32" */
static void read_types(Build *b)
{
    const char *s = b->row->types;
    while (*s && *s != ';') {
        while (*s == ' ') s++;
        s = word(s, b->type_name[b->ntypes], sizeof b->type_name[0]);
        b->ntypes++;
    }
    int rows = 0;
    for (const char *c = s; *c; c++) rows += *c == ';';
    for (int k = rng_below(&b->g->r, rows); k >= 0; k--) s = strchr(s, ';') + 1;
    for (int i = 0; i < b->ntypes; i++) {
        char t[16];
        while (*s == ' ') s++;
        s = word(s, t, sizeof t);
        b->type[i] = strcmp(t, "any") == 0 ? any_number_type(b->g) : strdup(t);
    }
}

/* "st: i32 = 1..2" */
static void read_consts(Build *b)
{
    char *to = b->g->p->consts;
    size_t at = 0, n = sizeof b->g->p->consts;
    for (const char *s = skip(b->row->consts); *s; s = skip(s)) {
        const char *eq = strchr(s, '=');
        char *end;
        long lo = strtol(eq + 1, &end, 10), hi = strtol(end + 2, &end, 10);
        at += (size_t)snprintf(to + at, n - at, "%s%.*s= %ld", at ? ", " : "; ", (int)(eq - s), s,
                               lo + rng_below(&b->g->r, (int)(hi - lo + 1)));
        s = end;
    }
    snprintf(b->g->p->where, sizeof b->g->p->where, "%s", renamed(b, b->row->where));
}

/* ---- tensors
 * ----------------------------------------------------------------------------------------------------------- */
/* The extents between brackets, split at commas outside parentheses. */
static const char *read_shape(Build *b, Decl *d, const char *s)
{
    int depth = 0;
    const char *from = s;
    for (; *s; s++) {
        depth += *s == '(' || *s == '[';
        depth -= *s == ')' || (*s == ']' && depth > 0);
        if (depth > 0 || (*s != ',' && *s != ']')) continue;
        if (s > from) snprintf(d->shape[d->a.rank++], sizeof d->shape[0], "%.*s", (int)(s - from), from);
        from = s + 1;
        if (*s == ']') break;
    }
    d->plain = true;
    for (int i = 0; i < d->a.rank; i++) {
        char *text = renamed(b, d->shape[i]);
        snprintf(d->shape[i], sizeof d->shape[0], "%s", text);
        d->plain = d->plain && text[0] == 'D' && isdigit((unsigned char)text[1]) && !text[2];
    }
    return s + 1;
}

static void permute(Build *b, Decl *d)
{
    bool keep = rng_chance(&b->g->r, 60);
    for (int i = 0; i < d->a.rank; i++) d->at[i] = i;
    for (int i = d->a.rank - 1; i > 0 && !keep; i--) {
        int k = rng_below(&b->g->r, i + 1), t = d->at[i];
        d->at[i] = d->at[k];
        d->at[k] = t;
    }
    for (int i = 0; i < d->a.rank && d->plain; i++) d->a.dim[d->at[i]] = d->shape[i][1] - '0';
}

/* "inout Z: TC[M,K]; id: i32[B] < V; s: T" */
static void read_decls(Build *b, const char *s, int *first, int *last)
{
    *first = b->ndecls;
    for (s = skip(s); *s; s = skip(s)) {
        Decl *d = &b->decl[b->ndecls++];
        char id[16], type[8];
        s = word(s, id, sizeof id);
        if (*s == ' ') {
            snprintf(d->kind, sizeof d->kind, "%.6s ", id);
            s = word(s + 1, id, sizeof id);
        }
        memcpy(d->a.name, id, sizeof id);
        s = word(s + 2, type, sizeof type);
        const char *t = meaning(b, type);
        d->a.type = t ? t : strdup(type);
        d->bound = -1;
        d->a.scalar = *s != '[';
        d->plain = true;
        if (*s == '[') s = read_shape(b, d, s + 1);
        if (strncmp(s, " < ", 3) == 0) {
            s = word(s + 3, id, sizeof id);
            d->bound = meaning(b, id)[1] - '0';
        }
        permute(b, d);
    }
    *last = b->ndecls;
}

static double elements(const Build *b, const Decl *d)
{
    double n = 1;
    for (int i = 0; i < d->a.rank; i++) n *= (double)b->g->p->size[d->a.dim[i]];
    return n;
}

/* Small enough, and simple enough, to be computed by a random statement? */
static bool easy(const Build *b, const Decl *d)
{
    return d->plain && !d->a.scalar && d->bound < 0 && !d->kind[0] && d->a.rank <= 3 && elements(b, d) <= 4096;
}

static void declare(Build *b, const Decl *d, bool output)
{
    Program *p = b->g->p;
    Param *q = &p->param[p->nparams++];
    int at = snprintf(q->text, sizeof q->text, "%s%s: %s", d->kind, d->a.name, d->a.type);
    const char *shape[4] = {0};
    for (int i = 0; i < d->a.rank; i++) shape[d->at[i]] = d->shape[i];
    for (int i = 0; i < d->a.rank; i++)
        at += snprintf(q->text + at, sizeof q->text - (size_t)at, "%s%s", i ? "," : "[", shape[i]);
    if (!d->a.scalar) snprintf(q->text + at, sizeof q->text - (size_t)at, d->a.rank ? "]" : "[]");
    memcpy(q->name, d->a.name, sizeof q->name);
    q->output = output;
    q->inout = d->kind[0] == 'i';
    q->bound = d->bound;
}

static void know(Build *b, const Decl *d)
{
    if (d->plain && d->a.rank <= 3 && b->g->ntensors < 32) b->g->tensor[b->g->ntensors++] = d->a;
}

/* ---- statements
 * -------------------------------------------------------------------------------------------------------- */
static Decl *decl_of(Build *b, const char *name)
{
    for (int i = 0; i < b->ndecls; i++)
        if (strcmp(b->decl[i].a.name, name) == 0) return &b->decl[i];
    return NULL;
}

/* The pieces of "i,j | 0]": ends of the indices; the last is followed by ']' or " |". */
static int split_indices(const char *s, const char **from, const char **to)
{
    int n = 0, depth = 0;
    from[0] = s;
    for (; *s; s++) {
        bool end = depth == 0 && (*s == ']' || (s[0] == ' ' && s[1] == '|' && s[2] != '|'));
        if (depth == 0 && (*s == ',' || end)) {
            to[n++] = s;
            from[n] = s + 1;
        }
        if (end) break;
        depth += *s == '[' || *s == '(';
        depth -= *s == ']' || *s == ')';
    }
    return n;
}

/* Every access, and the left side, with its indices where they went. ranges: percent of a left side's indices that get
 * their range written. */
static void put_permuted(Build *b, FILE *f, const char *s, const char *end, int ranges)
{
    while (s < end) {
        char id[32];
        if (!isalpha((unsigned char)*s)) {
            fputc(*s++, f);
            continue;
        }
        s = word(s, id, sizeof id);
        fputs(id, f);
        const Decl *d = decl_of(b, id);
        if (!d || *s != '[' || d->a.rank == 0) continue;
        const char *from[8], *to[8];
        int n = split_indices(s + 1, from, to);
        if (n != d->a.rank) continue;
        for (int i = 0; i < n; i++) {
            int k = 0;
            while (d->at[k] != i) k++;
            fputc(i ? ',' : '[', f);
            put_permuted(b, f, from[k], to[k], 0);
            if (rng_chance(&b->g->r, ranges)) fprintf(f, " in 0..%s", d->shape[k]);
        }
        s = to[n - 1];
    }
}

static char *permuted(Build *b, const char *s, size_t n, int ranges)
{
    char *text;
    size_t length;
    FILE *f = open_memstream(&text, &length);
    if (!f) exit(3);
    put_permuted(b, f, s, s + n, ranges);
    fclose(f);
    return text;
}

/* The text up to "@)" or the end as a node: "@T(…@)" are its parts. */
static Node *parse(Build *b, const char **at, const char *type)
{
    Node *e = node(type, NULL, 0);
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    if (!f) exit(3);
    const char *s = *at;
    while (*s && !(s[0] == '@' && s[1] == ')')) {
        if (*s == '@') {
            char id[16];
            s = word(s + 1, id, sizeof id) + 1;
            const char *t = meaning(b, id);
            if (e->n == 6) exit(3);
            e->part[e->n++] = parse(b, &s, t ? t : strdup(id));
            s += 2;
            fputc('%', f);
            continue;
        }
        if (*s == '%') fputc('%', f);
        fputc(*s++, f);
    }
    *at = s;
    fclose(f);
    e->text = text;
    return e;
}

/* The names within a node's text; types of parts are known already. */
static void rename_node(Build *b, Node *e)
{
    e->text = renamed(b, e->text);
    for (int i = 0; i < e->n; i++) rename_node(b, e->part[i]);
}

static void add_statement(Build *b, const char *line)
{
    Program *p = b->g->p;
    bool let = strncmp(line, "let ", 4) == 0;
    char name[16];
    word(line + (let ? 4 : 0), name, sizeof name);
    Decl *d = decl_of(b, name);
    const char *eq = strstr(line, " = "), *seq = strstr(line, " seq "), *end = seq ? seq : line + strlen(line);
    if (d) d->defined = true;
    bool topk = strstr(line, "topk") != NULL;
    /* An output that became a let has all its ranges written: nothing else tells them. */
    char *left = renamed(b, permuted(b, line, (size_t)(eq - line), d && d->let ? (let ? 40 : 100) : 0));
    const char *right = permuted(b, eq + 3, (size_t)(end - eq - 3), 0);
    Node *value = parse(b, &right, d && !topk ? d->a.type : NULL);
    rename_node(b, value);
    p->stmt[p->nstmts++] =
        node(NULL, say("%s%s = %%%s", d && d->let && !let ? "let " : "", left, seq ? seq : ""), 1, value);
}

static void add_body(Build *b)
{
    char *body = chosen(b->g, b->row->body), *rest = body;
    for (char *line; (line = strsep(&rest, "\n"));) add_statement(b, line);
}

static const Idiom *draw_row(Gen *g)
{
    int all = 0;
    for (int i = 0; i < NIDIOMS; i++) all += idioms[i].weight;
    int at = rng_below(&g->r, all);
    for (int i = 0; i < NIDIOMS; i++)
        if ((at -= idioms[i].weight) < 0) return &idioms[i];
    return &idioms[0];
}

void add_idiom(Gen *g)
{
    Build b = {.g = g, .row = draw_row(g)};
    int in, lets, out, end;
    g->p->idiom = b.row->name;
    read_dims(&b);
    limit_work(&b);
    read_types(&b);
    read_consts(&b);
    if (rng_chance(&g->r, 30)) random_inputs(g, 2);
    read_decls(&b, b.row->in, &in, &lets);
    for (int i = in; i < lets; i++) {
        bool computed = easy(&b, &b.decl[i]) && g->ntensors > 0 && rng_chance(&g->r, 15);
        if (computed)
            statement(g, &b.decl[i].a, true, false, NULL);
        else
            declare(&b, &b.decl[i], false);
        know(&b, &b.decl[i]);
    }
    read_decls(&b, b.row->lets, &lets, &out);
    for (int i = lets; i < out; i++) b.decl[i].let = true;
    read_decls(&b, b.row->out, &out, &end);
    for (int i = out; i < end; i++) {
        b.decl[i].let = easy(&b, &b.decl[i]) && rng_chance(&g->r, 30);
        if (!b.decl[i].let) declare(&b, &b.decl[i], true);
    }
    add_body(&b);
    for (int i = lets; i < end; i++)
        if (b.decl[i].defined) know(&b, &b.decl[i]); /* alternatives may do without some lets */
    for (int i = out; i < end; i++) {
        if (!b.decl[i].let) continue;
        Array y = b.decl[i].a;
        y.type = rng_chance(&g->r, 70) ? y.type : "f32";
        snprintf(y.name, sizeof y.name, "Y%d", g->names++);
        if (y.rank == 0) y.rank = 1, y.dim[0] = b.dim[0].dim;
        add_param(g, &y, "", true);
        statement(g, &y, false, false, &b.decl[i].a);
        g->tensor[g->ntensors++] = y;
    }
}
