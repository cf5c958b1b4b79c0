/* sched_fmt.c: the canonical layout of a `.sched` file. As fmt.c it prints the tokens in their order, comments among
 * them, and chooses only the space between them; it looks at nothing of the old layout but blank lines and whether a
 * comment has a line of its own, so that formatting twice changes nothing. Needs the roles that sched_parse*.c left on
 * the tokens.
 *
 *   - one statement a line, two spaces of indent a block, at most 100 columns, at most one blank line between two;
 *   - `S[i,j]` is tight, other lists have a space after each comma;
 *   - arithmetic is tight where a number stands, `swizzle 2*bk`, and has spaces in conditions;
 *   - what does not fit breaks before `->` or a word, after a comma or before an operator, and is indented by 4. */
#include "frontend/fmt.h"
#include "frontend/sched.h"

/* Fills tight and depth. */
static void look(Formatter *m)
{
    VEC(uint8_t) stack = {0};
    for (int i = 0; i < m->ntokens; i++) {
        const Token *t = fmt_tok(m, i);
        bool braces = t->role == ROLE_BODY_OPEN || t->role == ROLE_BODY_CLOSE;
        if (t->role == ROLE_ITEM || t->role == ROLE_STMT || braces) stack.n = 0; /* after a broken one */
        bool closes = t->kind == T_RPAREN || t->kind == T_RBRACKET || t->kind == T_RBRACE;
        if (closes && stack.n && !braces) stack.n--;
        m->depth[i] = stack.n;
        m->tight[i] = t->role == ROLE_TIGHT || (t->kind == T_COMMA && stack.n && stack.at[stack.n - 1] == T_LBRACKET);
        bool opens = t->kind == T_LPAREN || t->kind == T_LBRACKET || t->kind == T_LBRACE;
        if (opens && !braces) VEC_PUSH(m->mem, &stack, t->kind);
    }
}

/* What stands close to the token after it, to the one before it, or to both. */
enum { OPENS = 1, CLOSES = 2, JOINS = OPENS | CLOSES };
static const uint8_t cling[T_COUNT] = {
    [T_LPAREN] = OPENS,    [T_LBRACKET] = OPENS, [T_LBRACE] = OPENS, [T_AT] = OPENS,
    [T_NOT] = OPENS,       [T_RPAREN] = CLOSES,  [T_SEMI] = CLOSES,  [T_COMMA] = CLOSES,
    [T_RBRACKET] = CLOSES, [T_RBRACE] = CLOSES,  [T_DOT] = JOINS,
};

static bool space(const Formatter *m, int before, int i)
{
    const Token *a = fmt_tok(m, before), *b = fmt_tok(m, i);
    if (b->role == ROLE_BODY_OPEN || b->role == ROLE_BODY_CLOSE || a->role == ROLE_BODY_OPEN) return true;
    if (a->kind == T_COMMA) return !m->tight[before];
    if (a->role == ROLE_UNARY || (cling[a->kind] & OPENS) || (cling[b->kind] & CLOSES)) return false;
    if (m->tight[before]) return a->kind == T_SUB && b->kind == T_SUB;
    if (m->tight[i]) return false;
    if (b->kind == T_LBRACKET) return a->kind != T_ID;
    if (b->kind == T_LPAREN) return a->kind != T_ID || a->role != ROLE_NONE;
    return true;
}

/* What breaking the line before a token costs, by its kind, in brackets so much more for each. */
static const uint8_t kind_cost[T_COUNT] = {
    [T_ARROW] = 1, [T_WHERE] = 1, [T_IN] = 2,  [T_QUESTION] = 4, [T_OR] = 5,  [T_AND] = 6,
    [T_EQ] = 7,    [T_NE] = 7,    [T_LT] = 7,  [T_LE] = 7,       [T_GT] = 7,  [T_GE] = 7,
    [T_ADD] = 8,   [T_SUB] = 8,   [T_MUL] = 9, [T_DIV] = 9,      [T_MOD] = 9,
};

static int cost(const Formatter *m, int before, int i)
{
    const Token *a = fmt_tok(m, before), *b = fmt_tok(m, i);
    int level = m->depth[i] * FMT_LEVEL;
    if (a->kind == T_COMMA) return level + 3;
    if (b->role == ROLE_UNARY) return FMT_NEVER;
    if (b->role == ROLE_COND_COLON) return level + 4;
    if (b->role == ROLE_WORD) return a->role == ROLE_WORD || a->kind == T_IN ? FMT_NEVER : level + 2;
    return kind_cost[b->kind] ? level + kind_cost[b->kind] : FMT_NEVER;
}

static bool starts(const Formatter *m, int i)
{
    return fmt_tok(m, i)->role == ROLE_ITEM || fmt_tok(m, i)->role == ROLE_STMT;
}

/* The end of the line that starts at token i: behind a `{` of a block, before its `}` or the next statement. */
static int line_end(const Formatter *m, int i)
{
    int end = i + 1;
    while (end < m->ntokens - 1 && fmt_tok(m, end - 1)->role != ROLE_BODY_OPEN && !starts(m, end) &&
           fmt_tok(m, end)->role != ROLE_BODY_CLOSE)
        end++;
    while (end > i + 1 && fmt_is_comment(m, end - 1)) end--;
    return end;
}

/* Behind the last token of a line. */
static void behind(Formatter *m, int indent, int i)
{
    if (m->out->n > m->base && m->out->s[m->out->n - 1] == '\n') {
        m->out->s[--m->out->n] = 0;
        m->fresh = false;
    }
    fmt_put_comment(m, indent, i);
}

static void all(Formatter *m)
{
    int level = 0;
    bool blank = true;
    for (int i = 0; i < m->ntokens - 1;) {
        const Token *t = fmt_tok(m, i);
        if (fmt_is_comment(m, i) && t->lines == 0) {
            behind(m, 2 * level, i++);
            continue;
        }
        if (t->role == ROLE_BODY_CLOSE) {
            if (fmt_tok(m, i - 1)->role != ROLE_BODY_OPEN) fmt_new_line(m);
            level -= level > 0;
            fmt_put(m, 2 * level, false, i++);
            fmt_new_line(m);
            blank = true;
            continue;
        }
        if (t->role == ROLE_ITEM) level = 0; /* after one that was not closed */
        fmt_start(m, i, blank);
        int end = fmt_is_comment(m, i) ? i + 1 : line_end(m, i);
        if (fmt_is_comment(m, i)) {
            fmt_put_comment(m, 2 * level, i);
        } else {
            fmt_region(m, i, end, 2 * level);
        }
        bool open = fmt_tok(m, end - 1)->role == ROLE_BODY_OPEN;
        level += open;
        blank = !open;
        i = end;
    }
    fmt_new_line(m);
}

void sched_format(Text *out, const SchedFile *f)
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
    all(&m);
}
