/* fmt.c: the canonical layout of a `.te` file. It prints the tokens of the file in their order, comments among them,
 * and chooses only the space between them, so that the text parses to the same tree by construction; and it looks at
 * nothing of the old layout but blank lines and whether a comment has a line of its own, so that formatting twice
 * changes nothing. Needs the roles that parse.c left on the tokens.
 *
 *   - two spaces of indent, at most 100 columns, at most one blank line between items and between statements;
 *   - spaces around operators, but arithmetic inside [ ] and { } is tight, and so are lists of plain indices or names;
 *   - a header that does not fit on one line has its sizes, its parameters and its `where` on lines of their own;
 *   - what still does not fit breaks after a comma or before an operator, the outermost one, and is indented by 4. */
#include "frontend/fmt.h"
#include "frontend/frontend.h"

#include <string.h>

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
        if (fmt_tok(m, i)->kind == T_COMMA && m->depth[i] == depth) m->tight[i] = true;
}

/* Fills tight and depth. */
static void look(Formatter *m)
{
    VEC(Open) stack = {0};
    Open top = {0};
    for (int i = 0; i < m->ntokens; i++) {
        const Token *t = fmt_tok(m, i);
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
    const Token *a = fmt_tok(m, before), *b = fmt_tok(m, i);
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
    const Token *a = fmt_tok(m, before), *b = fmt_tok(m, i);
    int level = m->depth[i] * FMT_LEVEL;
    if (a->kind == T_COMMA && level == 0 && !m->in_header) return 9; /* between the left sides of a statement */
    if (a->kind == T_COMMA || a->kind == T_SEMI) return level;
    switch (b->kind) {
    case T_ARROW:
    case T_WHERE: return level + 1;
    case T_QUESTION: return level + 2;
    case T_COLON: return b->role == ROLE_COND_COLON ? level + 2 : FMT_NEVER;
    case T_OR: return level + 3;
    case T_AND: return level + 4;
    case T_EQ:
    case T_NE:
    case T_LT:
    case T_LE:
    case T_GT:
    case T_GE: return level + 5;
    case T_ADD:
    case T_SUB: return b->role == ROLE_UNARY ? FMT_NEVER : level + 6;
    case T_MUL:
    case T_DIV:
    case T_MOD: return level + 7;
    case T_BAR: return level + 8;
    default: return a->kind == T_ASSIGN ? level + 9 : FMT_NEVER;
    }
}

/* ---- items --------------------------------------------------------------------------------------------------- */

static bool fits(Formatter *m, int from, int to)
{
    int64_t w = 0;
    for (int i = from, before = -1; i < to; before = i++) {
        if (fmt_is_comment(m, i)) return false;
        w += fmt_tok(m, i)->len + (before >= 0 && space(m, before, i));
    }
    return w <= FMT_COLUMNS;
}

/* The tokens from..to, `{` included. Comments that follow the brace belong to the body. */
static void header(Formatter *m, int from, int to)
{
    if (fits(m, from, to)) {
        fmt_region(m, from, to, 0);
        return;
    }
    int indent = 0;
    for (int i = from + 1; i < to; i++) {
        const Token *t = fmt_tok(m, i);
        if (t->role != ROLE_PARAMS && !(t->kind == T_WHERE && m->depth[i] == 0)) continue;
        while (i - 1 > from && fmt_is_comment(m, i - 1) && fmt_tok(m, i - 1)->lines > 0) /* above it */
            i--;
        fmt_region(m, from, i, indent);
        fmt_new_line(m);
        indent = 2;
        from = i;
        while (fmt_is_comment(m, i)) i++;
    }
    fmt_region(m, from, to, indent);
}

/* The tokens of one op or fn. */
static void item(Formatter *m, int from, int to)
{
    int open = from;
    while (open < to && fmt_tok(m, open)->role != ROLE_BODY_OPEN) open++;
    m->in_header = true;
    header(m, from, open < to ? open + 1 : to);
    m->in_header = false;
    bool blank = false;
    for (int i = open + 1; i < to;) {
        if (fmt_tok(m, i)->role == ROLE_BODY_CLOSE) {
            if (i > open + 1) fmt_new_line(m);
            fmt_put(m, 0, false, i++);
            continue;
        }
        if (fmt_is_comment(m, i) && fmt_tok(m, i)->lines == 0) {
            fmt_put_comment(m, 2, i++);
            continue;
        }
        fmt_start(m, i, blank);
        blank = true;
        int end = i + 1;
        if (!fmt_is_comment(m, i))
            while (end < to && fmt_tok(m, end)->role != ROLE_STMT && fmt_tok(m, end)->role != ROLE_BODY_CLOSE) end++;
        while (end > i + 1 && fmt_is_comment(m, end - 1)) /* after the statement, not in it */
            end--;
        fmt_region(m, i, end, 2);
        i = end;
    }
    fmt_new_line(m);
}

void fe_format(Text *out, const AstFile *f)
{
    Formatter m = {.out = out,
                   .src = f->src,
                   .token = f->token,
                   .ntokens = f->ntokens,
                   .mem = out->mem,
                   .fresh = true,
                   .space = space,
                   .cost = cost};
    m.tight = NEW_ARRAY(m.mem, uint8_t, f->ntokens);
    m.depth = NEW_ARRAY(m.mem, int, f->ntokens);
    look(&m);
    text_add(out, ""); /* out->s is a text even when nothing follows */
    m.base = out->n;
    for (int i = 0; i < f->ntokens && fmt_tok(&m, i)->kind != T_END;) {
        if (fmt_is_comment(&m, i) && fmt_tok(&m, i)->lines == 0) {
            if (m.out->n > m.base && m.out->s[m.out->n - 1] == '\n') { /* behind an item's last token */
                m.out->s[--m.out->n] = 0;
                m.fresh = false;
            }
            fmt_put_comment(&m, 0, i++);
            continue;
        }
        fmt_start(&m, i, true);
        int end = i + 1;
        if (fmt_is_comment(&m, i)) {
            fmt_put_comment(&m, 0, i);
        } else {
            while (fmt_tok(&m, end)->kind != T_END && fmt_tok(&m, end)->role != ROLE_ITEM) end++;
            while (end > i + 1 && fmt_is_comment(&m, end - 1)) end--;
            item(&m, i, end);
        }
        i = end;
    }
    fmt_new_line(&m);
}
