/* tile_lex.c: the tokens of Tile text, made one at a time. A number carries its type (`1:i32`, `0.5:f32`; an integer
 * without one is an index), with no space in between. `#` starts a comment. Reports characters, numbers and strings
 * that cannot be read. */
#include "ir/tile_read.h"

#include <stdio.h>
#include <string.h>

static bool digit(int c) { return c >= '0' && c <= '9'; }
static bool hex(int c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
static bool letter(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/* The character n places on; 0 at the end. */
static int peek(const Reader *r, size_t n)
{
    return n < r->src->len - r->pos ? (unsigned char)r->src->text[r->pos + n] : 0;
}

static Span span(const Reader *r, size_t from, size_t to)
{
    return (Span){r->src, (uint32_t)from, (uint32_t)(to - from)};
}

static const char *text_of(Reader *r, Span s)
{
    return arena_strndup(r->mem, s.src->text + s.at, s.len < 60 ? s.len : 60);
}

static _Noreturn void bad_number(Reader *r, size_t from)
{
    while (letter(peek(r, 0)) || digit(peek(r, 0)) || peek(r, 0) == '.') r->pos++;
    Span s = span(r, from, r->pos);
    TILE_FAIL(r, D_A004_NUMBER, s, text_of(r, s));
}

static void skip(Reader *r)
{
    for (;;) {
        int c = peek(r, 0);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            r->pos++;
        } else if (c == '#') {
            while (r->pos < r->src->len && peek(r, 0) != '\n') r->pos++;
        } else {
            return;
        }
    }
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */
/* The `:type` that follows a number or inf or nan directly; DT_INDEX when there is none. */
static DType suffix(Reader *r, size_t from)
{
    if (peek(r, 0) != ':' || !letter(peek(r, 1))) return DT_INDEX;
    size_t n = 1;
    while (letter(peek(r, n)) || digit(peek(r, n))) n++;
    char name[16] = "";
    if (n <= sizeof name) memcpy(name, r->src->text + r->pos + 1, n - 1);
    DType t = tile_type_named(name);
    r->pos += n;
    if (t == DT_NONE || t == DT_U1) bad_number(r, from);
    return t;
}

static void digits(Reader *r, bool (*is)(int))
{
    while (is(peek(r, 0))) r->pos++;
}

/* Skips a number's digits; true when it is written as a float. */
static bool scan(Reader *r)
{
    bool real = false;
    bool hexadecimal = peek(r, 0) == '0' && (peek(r, 1) == 'x' || peek(r, 1) == 'X') && hex(peek(r, 2));
    if (hexadecimal) r->pos += 2;
    digits(r, hexadecimal ? hex : digit);
    if (peek(r, 0) == '.' && (hexadecimal ? hex : digit)(peek(r, 1))) {
        real = true;
        r->pos++;
        digits(r, hexadecimal ? hex : digit);
    }
    int e = peek(r, 0) | ('a' ^ 'A'), sign = peek(r, 1) == '+' || peek(r, 1) == '-';
    if (e == (hexadecimal ? 'p' : 'e') && digit(peek(r, sign ? 2 : 1))) {
        real = true;
        r->pos += sign ? 2 : 1;
        digits(r, digit);
    }
    return real || hexadecimal;
}

static void number(Reader *r)
{
    size_t from = r->pos;
    bool real = scan(r);
    size_t end = r->pos;
    DType t = suffix(r, from);
    if (letter(peek(r, 0)) || digit(peek(r, 0)) || (real && !te_is_float(t))) bad_number(r, from);
    r->tok.type = t;
    r->tok.text = arena_strndup(r->mem, r->src->text + from, end - from);
    r->tok.kind = te_is_float(t) ? TOK_FLOAT : TOK_INT;
    for (size_t i = from; r->tok.kind == TOK_INT && i < end; i++) {
        uint64_t d = (uint64_t)(r->src->text[i] - '0');
        if (r->tok.i > (UINT64_MAX - d) / 10)
            TILE_FAIL(r, D_A005_RANGE, span(r, from, end), text_of(r, span(r, from, end)), te_type[t].name);
        r->tok.i = r->tok.i * 10 + d;
    }
}

/* ---- names and strings ------------------------------------------------------------------------------------------- */
static void name(Reader *r)
{
    size_t from = r->pos;
    while (letter(peek(r, 0)) || digit(peek(r, 0))) r->pos++;
    r->tok.kind = TOK_NAME;
    r->tok.text = arena_strndup(r->mem, r->src->text + from, r->pos - from);
    if (strcmp(r->tok.text, "inf") && strcmp(r->tok.text, "nan")) return;
    r->tok.kind = TOK_FLOAT;
    r->tok.type = suffix(r, from);
    if (!te_is_float(r->tok.type)) bad_number(r, from);
}

/* "…" or `…`; \xHH is a byte. */
static void quoted(Reader *r, int quote)
{
    size_t from = r->pos++;
    Text t = {.mem = r->mem};
    text_add(&t, "");
    while (peek(r, 0) != quote) {
        int c = peek(r, 0);
        if (c == 0 || c == '\n') TILE_FAIL(r, D_A010_UNENDED, span(r, from, r->pos), quote == '"' ? "string" : "name");
        unsigned byte = 0;
        if (c == '\\') {
            char h[3] = {(char)peek(r, 2), (char)(peek(r, 2) ? peek(r, 3) : 0), 0};
            if (peek(r, 1) != 'x' || !hex((unsigned char)h[0]) || !hex((unsigned char)h[1]) ||
                sscanf(h, "%2x", &byte) != 1 || !byte)
                TILE_FAIL(r, D_A003_CHAR, span(r, r->pos, r->pos + 1), "`\\`; a byte is written \\xHH");
            r->pos += 4;
        } else {
            byte = (unsigned)c;
            r->pos++;
        }
        text_char(&t, (char)byte);
    }
    r->pos++;
    r->tok.kind = quote == '"' ? TOK_STRING : TOK_NAME;
    r->tok.quoted = true;
    r->tok.text = t.s;
}

static void punctuation(Reader *r)
{
    static const char *const ops[] = {":=", "..", "->", "==", "!=", "<=", ">=", "&&", "||", "(", ")",
                                      "[",  "]",  "{",  "}",  ",",  ";",  ":",  "=",  "|",  "@", "?",
                                      "!",  "+",  "-",  "*",  "/",  "%",  "<",  ">",  "~",  ".", "$"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (peek(r, 0) != ops[i][0] || (ops[i][1] && peek(r, 1) != ops[i][1])) continue;
        r->tok.kind = TOK_OP;
        r->tok.text = ops[i];
        r->pos += strlen(ops[i]);
        return;
    }
    char what[16];
    int c = peek(r, 0);
    snprintf(what, sizeof what, c > ' ' && c < 127 ? "`%c`" : "\\x%02x", c);
    TILE_FAIL(r, D_A003_CHAR, span(r, r->pos, r->pos + 1), what);
}

void tile_next(Reader *r)
{
    r->last = r->tok.span.at + r->tok.span.len;
    skip(r);
    size_t from = r->pos;
    int c = peek(r, 0);
    r->tok = (Token){.kind = TOK_END};
    if (r->pos >= r->src->len)
        r->tok.text = "the end of the text";
    else if (digit(c))
        number(r);
    else if (letter(c))
        name(r);
    else if (c == '"' || c == '`')
        quoted(r, c);
    else
        punctuation(r);
    r->tok.span = span(r, from, r->pos);
}

/* ---- asking for tokens ------------------------------------------------------------------------------------------- */
_Noreturn void tile_expected(Reader *r, const char *what)
{
    const char *found = r->tok.kind == TOK_END ? r->tok.text : arena_printf(r->mem, "`%s`", text_of(r, r->tok.span));
    TILE_FAIL(r, D_A001_EXPECTED, r->tok.span, what, found);
}

bool tile_is(const Reader *r, const char *op) { return r->tok.kind == TOK_OP && !strcmp(r->tok.text, op); }

bool tile_is_word(const Reader *r, const char *word)
{
    return r->tok.kind == TOK_NAME && !r->tok.quoted && !strcmp(r->tok.text, word);
}

bool tile_take(Reader *r, const char *op)
{
    bool is = tile_is(r, op);
    if (is) tile_next(r);
    return is;
}

bool tile_take_word(Reader *r, const char *word)
{
    bool is = tile_is_word(r, word);
    if (is) tile_next(r);
    return is;
}

void tile_need(Reader *r, const char *op)
{
    if (!tile_take(r, op)) tile_expected(r, arena_printf(r->mem, "`%s`", op));
}

void tile_need_word(Reader *r, const char *word)
{
    if (!tile_take_word(r, word)) tile_expected(r, arena_printf(r->mem, "`%s`", word));
}

Span tile_since(const Reader *r, uint32_t at) { return span(r, at, r->last > at ? r->last : at); }

const char *tile_raw_target(Reader *r)
{
    size_t from = r->pos;
    if (!tile_is(r, "@")) tile_expected(r, "`@` and the target");
    while (letter(peek(r, 0)) || digit(peek(r, 0)) || (peek(r, 0) && strchr("-:.+", peek(r, 0)))) r->pos++;
    const char *text = arena_strndup(r->mem, r->src->text + from, r->pos - from);
    bool raw = r->pos > from;
    tile_next(r);
    if (raw) return text;
    if (r->tok.kind != TOK_STRING) tile_expected(r, "the target");
    text = r->tok.text;
    tile_next(r);
    return text;
}
