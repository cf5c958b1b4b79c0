/* parse_help.c: what a mistake of syntax was most likely meant to be: words and operators of other languages, words in
 * capitals, commas that are missing or too many. Helps only: nothing here decides what is a mistake. Relies on parse.c
 * for tokens and reports. */
#include "frontend/closest.h"
#include "frontend/parse.h"

#include <string.h>
#include <strings.h>

/* Words of other languages where a statement should start or an operator should stand. */
static const struct {
    const char *word, *help;
} foreign_word[] = {
    {"and", "the logical and is `&&`"},
    {"or", "the logical or is `||`"},
    {"not", "the logical not is `!`"},
    {"mod", "the remainder is `%`"},
    {"div", "on integers `/` floors"},
    {"as", "a cast is written like a call: `f32(x)`"},
    {"else", "a choice is written `condition ? this : that`"},
    {"elif", "a choice is written `condition ? this : that`"},
    {"then", "a choice is written `condition ? this : that`"},
    {"for", "there are no loops: a definition holds for every index of its left side"},
    {"while", "there are no loops; a recurrence is declared with `seq`"},
    {"return", "results are assigned: `Y[i] = …`"},
    {"var", "a temporary is `let t[i] = …`"},
    {"auto", "a temporary is `let t[i] = …`"},
    {"mut", "a `let` is defined once; give a new value another name"},
    {"print", "an op only computes; `tcc run` shows its results"},
    {"pass", "an op needs no statement that does nothing: leave it out"},
    {"end", "an op's statements end with `}`"},
    {"def", "an op starts with `op`, a scalar function with `fn`"},
    {"func", "an op starts with `op`, a scalar function with `fn`"},
    {"function", "an op starts with `op`, a scalar function with `fn`"},
    {"kernel", "an op starts with `op`, a scalar function with `fn`"},
    {"schedule", "schedules belong in a `.sched` file"},
    {"import", "there are no imports: a fn is visible below its definition in the file"},
    {"include", "there are no imports: a fn is visible below its definition in the file"},
};

/* Two operators side by side; the mistake is found at either. */
static const struct {
    TokenKind first, second;
    const char *help;
} foreign_operator[] = {
    {T_LT, T_LT, "there are no shifts: multiply by a power of 2"},
    {T_GT, T_GT, "there are no shifts: on integers `/` by a power of 2 floors"},
    {T_LT, T_GT, "unequal is `!=`"},
    {T_EQ, T_ASSIGN, "equal is `==`"},
    {T_NE, T_ASSIGN, "unequal is `!=`"},
    {T_ASSIGN, T_LT, "at most is `<=`"},
    {T_ASSIGN, T_GT, "a definition is written with `=`; at least is `>=`"},
    {T_ASSIGN, T_NOT, "unequal is `!=`"},
    {T_SUB, T_SUB, "a comment starts with `#`"},
};

bool fe_has_help(const Diag *d)
{
    for (const DiagNote *n = d->notes; n; n = n->next)
        if (n->is_help) return true;
    return false;
}

static const char *foreign(const Parser *p, int at)
{
    const Token *t = &p->tok[at];
    if (t->kind != T_ID || t->len > 10) return NULL;
    for (size_t i = 0; i < sizeof foreign_word / sizeof *foreign_word; i++)
        if (strlen(foreign_word[i].word) == t->len && !strncasecmp(foreign_word[i].word, p->src->text + t->at, t->len))
            return foreign_word[i].help;
    return NULL;
}

void fe_help_with_word(Parser *p, Diag *d, int at)
{
    if (!d || d == p->diags->spare) return;
    const char *help = foreign(p, at);
    if (!help) help = foreign(p, p->last);
    if (help && !fe_has_help(d)) fe_help(p, d, "%s", help);
}

/* A reserved word in capitals: which one, else NULL. */
static const char *small_word(const Parser *p, int at)
{
    const Token *t = &p->tok[at];
    for (int k = 0; t->kind == T_ID && k < T_COUNT; k++)
        if (fe_is_word((TokenKind)k) && strlen(fe_token_text[k]) == t->len &&
            !strncasecmp(fe_token_text[k], p->src->text + t->at, t->len))
            return fe_token_text[k];
    return NULL;
}

void fe_help_with_token(Parser *p, Diag *d)
{
    if (!d || d == p->diags->spare) return;
    TokenKind kind = (TokenKind)p->tok[p->at].kind, before = (TokenKind)p->tok[p->last].kind;
    const char *word = p->sched ? NULL : small_word(p, p->at), *help = p->sched ? NULL : foreign(p, p->at);
    if (word) {
        fe_help(p, d, "the word is `%s`: case matters", word);
    } else if (help) {
        fe_help(p, d, "%s", help);
    } else if (before == T_COMMA && (kind == T_RPAREN || kind == T_RBRACKET || kind == T_RBRACE)) {
        fe_help(p, d, "a list has no comma at its end");
    } else if (kind == T_BAR) {
        fe_help(p, d,
                p->sched ? "the logical or is `||`"
                         : "`|` stands in an access, before the value for out of bounds: `X[i | 0.0]`; the logical or "
                           "is `||`");
    }
}

void fe_help_with_operators(Parser *p, Diag *d)
{
    if (!d || d == p->diags->spare || fe_has_help(d)) return;
    for (int k = 0; k < 2; k++) {
        int first = k ? p->at : p->last, second = fe_after(p, first);
        if (!fe_adjacent(p, first)) continue;
        for (size_t i = 0; i < sizeof foreign_operator / sizeof *foreign_operator; i++) {
            if (p->tok[first].kind != foreign_operator[i].first || p->tok[second].kind != foreign_operator[i].second)
                continue;
            fe_help(p, d, "%s", foreign_operator[i].help);
            return;
        }
    }
}

static bool is_operand(TokenKind kind)
{
    return kind == T_ID || kind == T_INT || kind == T_FLOAT || kind == T_DTYPE || kind == T_TRUE || kind == T_FALSE ||
           kind == T_INF || kind == T_NAN;
}

/* Whether the current token starts an operand, on the line of the one before. */
static bool operand_follows(const Parser *p)
{
    return is_operand((TokenKind)p->tok[p->at].kind) && !fe_first_on_line(p, p->at);
}

void fe_help_with_list(Parser *p, Diag *d)
{
    if (!d || d == p->diags->spare || fe_has_help(d)) return;
    if (operand_follows(p)) {
        fe_help(p, d, "a comma seems to be missing before %s", fe_found(p));
    } else if (p->tok[p->at].kind == T_SEMI) {
        fe_help(p, d, "a list has commas: write `,`");
    }
}

void fe_help_with_name(Parser *p, Diag *d)
{
    if (!d || d == p->diags->spare || fe_has_help(d) || p->sched) return; /* there the statement's form is told */
    TokenKind before = p->last < p->at ? (TokenKind)p->tok[p->last].kind : T_ERROR;
    bool fn = p->last > 0 && before == T_LPAREN && p->tok[p->last - 1].kind == T_ID && p->last > 1 &&
              p->tok[p->last - 2].kind == T_FN;
    if (fn) {
        fe_help(p, d, "a fn has a parameter or more: `fn twice(x) = x + x`");
    } else if (before == T_SEMI) {
        fe_help(p, d, "write a const behind the `;`, as in `[N; c: i32 = 1]`, or leave it out");
    } else if (before == T_LET) {
        fe_help(p, d, "a temporary is `let t[i] = …`");
    } else if (before == T_OP) {
        fe_help(p, d, "give the op a name: `op copy[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i] }`");
    } else if (before == T_FN) {
        fe_help(p, d, "give the fn a name: `fn twice(x) = x + x`");
    } else {
        fe_help(p, d, "a name starts with a letter or `_`, and has letters, digits and `_`");
    }
}

void fe_help_with_closing(Parser *p, Diag *d, TokenKind open)
{
    if (!d || d == p->diags->spare || fe_has_help(d)) return;
    static const char *const close[T_COUNT] = {[T_LPAREN] = ")", [T_LBRACKET] = "]", [T_LBRACE] = "}"};
    if (open == T_QUESTION)
        fe_help(p, d, "a choice has two values: `condition ? this : that`");
    else if (close[open])
        fe_help(p, d, "close the `%s` with a `%s`", fe_token_text[open], close[open]);
}

static bool is_function(const char *name)
{
    for (int o = 0; o < EX_COUNT; o++)
        if (te_expr[o].kind == XK_CALL && ir_streq(te_expr[o].text, name)) return true;
    return false;
}

void fe_help_with_operand(Parser *p, Diag *d)
{
    if (!d || d == p->diags->spare || fe_has_help(d)) return;
    const Token *before = &p->tok[p->last];
    TokenKind kind = (TokenKind)p->tok[p->at].kind;
    const char *name = before->kind == T_ID && before->len <= 40 ? fe_text(p, p->last) : "";
    bool same_line = !fe_first_on_line(p, p->at);
    if (kind == T_LBRACE && same_line && before->kind == T_ID) {
        const char *near = fe_closest(name, RED_COUNT, te_red_name);
        Text all = {.mem = p->mem};
        for (int r = 0; r < RED_COUNT; r++) text_printf(&all, " %s", te_red_name[r]);
        if (near) {
            fe_help(p, d, "did you mean `%s{…}(…)`?", near);
        } else {
            fe_help(p, d, "the reductions are%s", all.s);
        }
    } else if (!operand_follows(p)) {
        return;
    } else if (fe_token_red(p->src, before) != RED_COUNT) {
        fe_help(p, d, "a reduction is written `%s{k}(X[k])`", name);
    } else if (is_function(name)) {
        fe_help(p, d, "a call has parentheses: `%s(x)`", name);
    } else {
        fe_help(p, d, "an operator seems to be missing before %s", fe_found(p));
    }
}
