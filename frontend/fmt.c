/* fmt.c: the canonical layout of a `.te` file. It prints the tokens of the file in their order, comments among them,
 * and chooses only the space between them, so that the text parses to the same tree by construction; and it looks at
 * nothing of the old layout but blank lines and whether a comment has a line of its own, so that formatting twice
 * changes nothing. Needs the roles that parse.c left on the tokens.
 *
 *   - two spaces of indent, at most 100 columns, at most one blank line between items and between statements;
 *   - spaces around operators, but arithmetic inside [ ] and { } is tight, and so are lists of plain indices or names;
 *   - a header that does not fit on one line has its sizes, its parameters and its `where` on lines of their own;
 *   - what still does not fit breaks after a comma or before an operator, the outermost one, and is indented by 4. */
#include "frontend/frontend.h"
#include "frontend/lex.h"

#include <string.h>

enum { COLUMNS = 100, CONTINUE = 4 };

/* What may stand between a piece and the one before it. */
typedef struct Piece {
    int token;
    bool space;
    int cost; /* of breaking the line before it: lower is better; NEVER */
} Piece;

enum { NEVER = 1 << 30, LEVEL = 16 }; /* LEVEL: what one level of brackets adds to the cost */

typedef VEC(Piece) Pieces;

typedef struct Formatter {
    Text *out;
    const AstFile *f;
    Arena *mem;
    uint8_t *tight; /* per token: arithmetic is tight here; for a comma: no space after it */
    int *depth;     /* per token: brackets around it */
    bool fresh;     /* nothing is on the current line */
    bool in_header;
    size_t base; /* where out began */
} Formatter;

static const Token *tok(const Formatter *m, int i) { return &m->f->token[i]; }
static bool is_comment(const Formatter *m, int i) { return tok(m, i)->kind == T_COMMENT; }

static bool opens(const Token *t)
{
    return t->kind == T_LPAREN || t->kind == T_LBRACKET || (t->kind == T_LBRACE && t->role != ROLE_BODY_OPEN);
}

static bool closes(const Token *t)
{
    return t->kind == T_RPAREN || t->kind == T_RBRACKET || (t->kind == T_RBRACE && t->role != ROLE_BODY_CLOSE);
}

/* ---- what depends on the brackets around --------------------------------------------------------------------- */

/* A bracket that is open while the tokens are read: where its list, or the part of it after a `;`, began. */
typedef struct Open {
    bool tight; /* arithmetic is: it is [ ] or { }, or inside one */
    bool list;  /* it is [ ] or { } itself, and commas may be tight */
    bool plain; /* no `in`, `:`, `=` in it so far: a list of names or indices */
    int from;
} Open;

/* The commas of a list are tight when all of it is plain. */
static void end_list(Formatter *m, const Open *o, int depth, int end)
{
    for (int i = o->from; i < end && o->list && o->plain; i++)
        if (tok(m, i)->kind == T_COMMA && m->depth[i] == depth) m->tight[i] = true;
}

/* Fills tight and depth. */
static void look(Formatter *m)
{
    VEC(Open) stack = {0};
    Open top = {0};
    for (int i = 0; i < m->f->ntokens; i++) {
        const Token *t = tok(m, i);
        Open *o = stack.n ? &stack.at[stack.n - 1] : &top;
        if (closes(t) && stack.n) {
            end_list(m, o, stack.n, i);
            o = --stack.n ? &stack.at[stack.n - 1] : &top;
        }
        m->depth[i] = stack.n;
        m->tight[i] = t->kind != T_COMMA && o->tight;
        if (t->role == ROLE_ITEM) stack.n = 0; /* after a broken op */
        if (t->kind == T_IN || t->kind == T_COLON || t->kind == T_ASSIGN || t->kind == T_TILDE) o->plain = false;
        if (t->kind == T_SEMI && stack.n) {
            end_list(m, o, stack.n, i);
            o->from = i;
            o->plain = true;
        }
        if (opens(t)) {
            bool list = t->kind != T_LPAREN;
            Open inner = {.tight = o->tight || list, .list = list, .plain = true, .from = i};
            VEC_PUSH(m->mem, &stack, inner);
        }
    }
}

/* ---- the space between two tokens ---------------------------------------------------------------------------- */

static bool is_operator(const Token *t)
{
    switch (t->kind) {
    case T_MUL:
    case T_ADD:
    case T_SUB:
    case T_DIV:
    case T_MOD:
    case T_EQ:
    case T_NE:
    case T_LT:
    case T_LE:
    case T_GT:
    case T_GE:
    case T_OR:
    case T_AND: return t->role != ROLE_UNARY;
    default: return false;
    }
}

static bool is_arithmetic(const Token *t)
{
    return t->kind == T_MUL || t->kind == T_ADD || t->kind == T_SUB || t->kind == T_DIV || t->kind == T_MOD;
}

static bool space(const Formatter *m, int before, int i)
{
    const Token *a = tok(m, before), *b = tok(m, i);
    if (b->role == ROLE_BODY_OPEN || b->role == ROLE_BODY_CLOSE || a->role == ROLE_BODY_OPEN) return true;
    if (a->kind == T_COMMA) return !m->tight[before];
    if (a->kind == T_SEMI) return true;
    if (opens(a) || closes(b) || b->kind == T_COMMA || b->kind == T_SEMI) return false;
    if (a->kind == T_COLON) return true;
    if (b->kind == T_COLON) return b->role == ROLE_COND_COLON;
    if (a->kind == T_DOTDOT || b->kind == T_DOTDOT) return false;
    if (a->role == ROLE_UNARY) return false;
    if (is_operator(a) && m->tight[before] && is_arithmetic(a)) return a->kind == T_SUB && b->kind == T_SUB;
    if (is_operator(b) && m->tight[i] && is_arithmetic(b)) return false;
    bool name = a->kind == T_ID || a->kind == T_DTYPE || closes(a);
    if (b->kind == T_LPAREN || b->kind == T_LBRACKET) return !name;
    if (b->kind == T_LBRACE) return a->kind != T_ID;
    return true;
}

/* What breaking the line before token i costs. The operators of lower precedence are outer ones. */
static int cost(const Formatter *m, int before, int i)
{
    const Token *a = tok(m, before), *b = tok(m, i);
    int level = m->depth[i] * LEVEL;
    if (a->kind == T_COMMA && level == 0 && !m->in_header) return 9; /* between the left sides of a statement */
    if (a->kind == T_COMMA || a->kind == T_SEMI) return level;
    switch (b->kind) {
    case T_ARROW:
    case T_WHERE: return level + 1;
    case T_QUESTION: return level + 2;
    case T_COLON: return b->role == ROLE_COND_COLON ? level + 2 : NEVER;
    case T_OR: return level + 3;
    case T_AND: return level + 4;
    case T_EQ:
    case T_NE:
    case T_LT:
    case T_LE:
    case T_GT:
    case T_GE: return level + 5;
    case T_ADD:
    case T_SUB: return b->role == ROLE_UNARY ? NEVER : level + 6;
    case T_MUL:
    case T_DIV:
    case T_MOD: return level + 7;
    case T_BAR: return level + 8;
    default: return a->kind == T_ASSIGN ? level + 9 : NEVER;
    }
}

/* ---- lines --------------------------------------------------------------------------------------------------- */

static void new_line(Formatter *m)
{
    if (!m->fresh) text_char(m->out, '\n');
    m->fresh = true;
}

static void put(Formatter *m, int indent, bool gap, int i)
{
    if (m->fresh) {
        for (int k = 0; k < indent; k++) text_char(m->out, ' ');
    } else if (gap) {
        text_char(m->out, ' ');
    }
    text_addn(m->out, m->f->src->text + tok(m, i)->at, tok(m, i)->len);
    m->fresh = false;
}

/* Two spaces before a comment that follows something. */
static void put_comment(Formatter *m, int indent, int i)
{
    if (tok(m, i)->lines > 0) new_line(m);
    if (!m->fresh) text_char(m->out, ' ');
    put(m, indent, true, i);
    new_line(m);
}

static void put_pieces(Formatter *m, const Piece *p, int n, int indent)
{
    for (int i = 0; i < n; i++) put(m, indent, p[i].space, p[i].token);
}

static int64_t width(const Formatter *m, const Piece *p, int n)
{
    int64_t w = 0;
    for (int i = 0; i < n; i++) w += (int64_t)tok(m, p[i].token)->len + (i > 0 && p[i].space);
    return w;
}

/* Prints pieces that no comment interrupts, from the start of a line on; each line but the very first is indented by
 * CONTINUE more. */
static void fill(Formatter *m, const Piece *p, int n, int indent, bool first)
{
    int from = 0, line = first ? indent : indent + CONTINUE;
    int64_t w = line;
    for (int i = 0; i < n; i++) {
        w += (int64_t)tok(m, p[i].token)->len + (i > from && p[i].space);
        while (w > COLUMNS) {
            int best = 0;
            for (int k = from + 1; k <= i; k++)
                if (p[k].cost < NEVER && (!best || p[k].cost <= p[best].cost)) best = k;
            if (!best) break;
            put_pieces(m, p + from, best - from, line);
            new_line(m);
            from = best;
            line = indent + CONTINUE;
            w = line + width(m, p + from, i - from + 1);
        }
    }
    put_pieces(m, p + from, n - from, line);
}

/* Prints the tokens from..to (excluded) from the start of a line on, comments where they stand. */
static void region(Formatter *m, int from, int to, int indent)
{
    Pieces p = {0};
    int before = -1;
    bool first = true;
    for (int i = from; i < to; i++) {
        if (!is_comment(m, i)) {
            Piece piece = {i, before >= 0 && space(m, before, i), before >= 0 ? cost(m, before, i) : NEVER};
            VEC_PUSH(m->mem, &p, piece);
            before = i;
            continue;
        }
        if (p.n) {
            fill(m, p.at, p.n, indent, first);
            first = false;
        }
        p.n = 0;
        put_comment(m, first ? indent : indent + CONTINUE, i);
    }
    if (p.n) fill(m, p.at, p.n, indent, first);
}

/* At the start of something that gets a line of its own: the line break, and the blank line that was there. */
static void start(Formatter *m, int i, bool blank_allowed)
{
    new_line(m);
    if (blank_allowed && tok(m, i)->lines > 1 && m->out->n > m->base) text_char(m->out, '\n');
}

/* ---- items --------------------------------------------------------------------------------------------------- */

static bool fits(Formatter *m, int from, int to)
{
    int64_t w = 0;
    for (int i = from, before = -1; i < to; before = i++) {
        if (is_comment(m, i)) return false;
        w += tok(m, i)->len + (before >= 0 && space(m, before, i));
    }
    return w <= COLUMNS;
}

/* The tokens from..to, `{` included. Comments that follow the brace belong to the body. */
static void header(Formatter *m, int from, int to)
{
    if (fits(m, from, to)) {
        region(m, from, to, 0);
        return;
    }
    int indent = 0;
    for (int i = from + 1; i < to; i++) {
        const Token *t = tok(m, i);
        if (t->role != ROLE_PARAMS && !(t->kind == T_WHERE && m->depth[i] == 0)) continue;
        while (i - 1 > from && is_comment(m, i - 1) && tok(m, i - 1)->lines > 0) /* above it */
            i--;
        region(m, from, i, indent);
        new_line(m);
        indent = 2;
        from = i;
        while (is_comment(m, i)) i++;
    }
    region(m, from, to, indent);
}

/* The tokens of one op or fn. */
static void item(Formatter *m, int from, int to)
{
    int open = from;
    while (open < to && tok(m, open)->role != ROLE_BODY_OPEN) open++;
    m->in_header = true;
    header(m, from, open < to ? open + 1 : to);
    m->in_header = false;
    bool blank = false;
    for (int i = open + 1; i < to;) {
        if (tok(m, i)->role == ROLE_BODY_CLOSE) {
            if (i > open + 1) new_line(m);
            put(m, 0, false, i++);
            continue;
        }
        if (is_comment(m, i) && tok(m, i)->lines == 0) {
            put_comment(m, 2, i++);
            continue;
        }
        start(m, i, blank);
        blank = true;
        int end = i + 1;
        if (!is_comment(m, i))
            while (end < to && tok(m, end)->role != ROLE_STMT && tok(m, end)->role != ROLE_BODY_CLOSE) end++;
        while (end > i + 1 && is_comment(m, end - 1)) /* after the statement, not in it */
            end--;
        region(m, i, end, 2);
        i = end;
    }
    new_line(m);
}

void fe_format(Text *out, const AstFile *f)
{
    Formatter m = {.out = out, .f = f, .mem = out->mem, .fresh = true};
    m.tight = NEW_ARRAY(m.mem, uint8_t, f->ntokens);
    m.depth = NEW_ARRAY(m.mem, int, f->ntokens);
    look(&m);
    text_add(out, ""); /* out->s is a text even when nothing follows */
    m.base = out->n;
    for (int i = 0; i < f->ntokens && tok(&m, i)->kind != T_END;) {
        if (is_comment(&m, i) && tok(&m, i)->lines == 0) {
            if (m.out->n > m.base && m.out->s[m.out->n - 1] == '\n') { /* behind an item's last token */
                m.out->s[--m.out->n] = 0;
                m.fresh = false;
            }
            put_comment(&m, 0, i++);
            continue;
        }
        start(&m, i, true);
        int end = i + 1;
        if (is_comment(&m, i)) {
            put_comment(&m, 0, i);
        } else {
            while (tok(&m, end)->kind != T_END && tok(&m, end)->role != ROLE_ITEM) end++;
            while (end > i + 1 && is_comment(&m, end - 1)) end--;
            item(&m, i, end);
        }
        i = end;
    }
    new_line(&m);
}
