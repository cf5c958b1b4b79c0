/* lex.c: text to tokens. Relies on tokens.def and the name columns of ir/dtypes.def and ir/reds.def. Needs a source of
 * less than 4 GiB. Leaves every byte of the text in a token or in space between tokens; the text need not be valid: it
 * may hold NULs, broken UTF-8, anything. Linear in the length of the text. */
#include "frontend/lex.h"

#include <string.h>

enum { TOKENS_MOST = 1 << 20 }; /* nobody writes so many, and a machine that does should hear of it at once */

const char *const fe_token_text[T_COUNT] = {
#define TOKEN(ID, text, cls) [T_##ID] = text,
#include "frontend/tokens.def"
#undef TOKEN
};

typedef struct Word {
    const char *text;
    uint8_t len, kind;
} Word;

enum { SPECIAL, WORD, PUNCT, SCHED };
static const Word token_row[T_COUNT] = {
#define TOKEN(ID, text, cls) [T_##ID] = {text, sizeof text - 1, cls},
#include "frontend/tokens.def"
#undef TOKEN
};

static const struct {
    const char *text;
    char cls;
} dtype_row[DT_COUNT] = {
#define TYPE(ID, name, bits, cls, ...) [DT_##ID] = {name, #cls[0]},
#include "ir/dtypes.def"
#undef TYPE
};

static const char *const red_name[RED_COUNT] = {
#define RED(ID, name, result) [RED_##ID] = name,
#include "ir/reds.def"
#undef RED
};

/* Characters that people paste: what they stand for. T_COMMENT: space. */
static const struct {
    const char *utf8;
    TokenKind as;
} lookalike[] = {
    {"×", T_MUL},          {"·", T_MUL},    {"∗", T_MUL},          {"÷", T_DIV},          {"∕", T_DIV},
    {"−", T_SUB},          {"–", T_SUB},    {"—", T_SUB},          {"≤", T_LE},           {"≥", T_GE},
    {"≠", T_NE},           {"≡", T_EQ},     {"→", T_ARROW},        {"…", T_DOTDOT},       {"‥", T_DOTDOT},
    {"∞", T_INF},          {"¬", T_NOT},    {"∧", T_AND},          {"∨", T_OR},           {"∈", T_IN},
    {"，", T_COMMA},       {"；", T_SEMI},  {"：", T_COLON},       {"（", T_LPAREN},      {"）", T_RPAREN},
    {"＝", T_ASSIGN},      {"←", T_ASSIGN}, {"\u00a0", T_COMMENT}, {"\u3000", T_COMMENT}, {"\u200b", T_COMMENT},
    {"\ufeff", T_COMMENT},
};

typedef struct Lexer {
    Arena *mem;
    const Source *src;
    Diags *diags;
    const char *s; /* the text, and where we are in it */
    uint32_t at, len;
    uint8_t lines; /* seen since the last token */
    bool told_utf8, sched;
    VEC(Token) out;
} Lexer;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_name(char c) { return is_name_start(c) || is_digit(c); }

/* The character k after the current one; NUL beyond the end. */
static char ahead(const Lexer *x, uint32_t k) { return x->len - x->at > k ? x->s[x->at + k] : 0; }

static Span span_of(const Lexer *x, uint32_t at, uint32_t len) { return (Span){x->src, at, len}; }

static void put(Lexer *x, TokenKind kind, uint32_t from, bool bad)
{
    Token t = {.at = from, .len = x->at - from, .kind = kind, .lines = x->lines, .bad = bad};
    VEC_PUSH(x->mem, &x->out, t);
    x->lines = 0;
}

static bool spelled(const Lexer *x, uint32_t at, const char *s, size_t n)
{
    return x->len - at >= n && !memcmp(x->s + at, s, n);
}

/* ---- UTF-8 --------------------------------------------------------------------------------------------------- */

/* The length of the character at `at`, and its number; 0 when the bytes are no UTF-8 (overlong, surrogate, cut off). */
static uint32_t decode(const Lexer *x, uint32_t at, uint32_t *number)
{
    const unsigned char *s = (const unsigned char *)x->s + at;
    uint32_t left = x->len - at, c = s[0];
    uint32_t n = c < 0x80 ? 1 : (c >> 5) == 6 ? 2 : (c >> 4) == 14 ? 3 : (c >> 3) == 30 ? 4 : 0;
    if (n == 0 || n > left) return 0;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t v = n == 1 ? c : c & (0x7f >> n);
    for (uint32_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        v = v << 6 | (s[i] & 0x3f);
    }
    if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) return 0;
    *number = v;
    return n;
}

/* Steps over one character wherever it stands; reports broken UTF-8 (once a file) and NULs. Gives its number, or 0. */
static uint32_t step(Lexer *x)
{
    uint32_t number = 0, n = decode(x, x->at, &number);
    if (n == 0) {
        if (!x->told_utf8) diag_error(x->diags, D_L004_UTF8, span_of(x, x->at, 1));
        x->told_utf8 = true;
    } else if (number == 0) {
        Diag *d = diag_error(x->diags, D_L001_CHAR, span_of(x, x->at, 1), "NUL (a byte of value 0)");
        diag_help(x->diags, d, "save the file as UTF-8: UTF-16 has such bytes, and so have files that are no text");
    }
    x->at += n ? n : 1;
    return number;
}

/* ---- numbers ------------------------------------------------------------------------------------------------- */

static void digits(Lexer *x)
{
    while (is_digit(ahead(x, 0))) x->at++;
}

static bool fits(const Lexer *x, uint32_t from)
{
    uint64_t v = 0;
    for (uint32_t i = from; i < x->at; i++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(x->s[i] - '0'), &v)) return false;
    return true;
}

static void malformed(Lexer *x, uint32_t from)
{
    uint32_t tail = x->at;
    while (is_name(ahead(x, 0)) || (ahead(x, 0) == '.' && is_name(ahead(x, 1)))) x->at++;
    char c = x->s[tail];
    Diag *d = diag_error(x->diags, D_L002_NUMBER, span_of(x, from, x->at - from),
                         arena_strndup(x->mem, x->s + from, x->at - from));
    if (c == '.') {
        diag_help(x->diags, d, "a number has one point");
    } else if (tail == from + 1 && x->s[from] == '0' && strchr("xXbBoO", c)) {
        diag_help(x->diags, d, "numbers are decimal");
    } else if (c == 'e' || c == 'E') {
        diag_help(x->diags, d, "an exponent needs digits, as in `1e-6`");
    } else if (c == '_') {
        diag_help(x->diags, d, "digits are not grouped");
    } else if (x->at == tail + 1 && strchr("fFlLuUh", c)) {
        diag_help(x->diags, d, "a literal takes the type of what stands beside it; a cast such as `f16(%.*s)` fixes it",
                  (int)(tail - from < 40 ? tail - from : 40), x->s + from);
    } else {
        diag_help(x->diags, d, "put a space or an operator between a number and a name");
    }
}

/* INT: digits. FLOAT: digits `.` digits [exponent], or digits exponent. `0..N` is INT DOTDOT ID. */
static void number(Lexer *x)
{
    uint32_t from = x->at;
    bool is_float = false, bad = false;
    digits(x);
    if (ahead(x, 0) == '.' && is_digit(ahead(x, 1))) {
        is_float = true;
        x->at++;
        digits(x);
    }
    if (ahead(x, 0) == 'e' || ahead(x, 0) == 'E') {
        uint32_t sign = ahead(x, 1) == '+' || ahead(x, 1) == '-';
        if (is_digit(ahead(x, 1 + sign))) {
            is_float = true;
            x->at += 1 + sign;
            digits(x);
        }
    }
    if (is_name(ahead(x, 0)) || (is_float && ahead(x, 0) == '.' && is_digit(ahead(x, 1)))) {
        malformed(x, from);
        bad = true;
    } else if (!is_float && ahead(x, 0) == '.' && ahead(x, 1) != '.') {
        Diag *d = diag_error(x->diags, D_L001_CHAR, span_of(x, x->at, 1), "`.`");
        diag_help(x->diags, d, "a number with a point has digits on both sides of it: `%.*s.0`",
                  (int)(x->at - from < 40 ? x->at - from : 40), x->s + from);
        x->at++;
        while (is_name(ahead(x, 0))) x->at++; /* 1.f */
        is_float = bad = true;
    } else if (!is_float && !fits(x, from)) {
        Diag *d = diag_error(x->diags, D_L003_RANGE, span_of(x, from, x->at - from),
                             arena_strndup(x->mem, x->s + from, x->at - from));
        diag_help(x->diags, d,
                  x->sched ? "integers go up to 18446744073709551615"
                           : "integers go up to 18446744073709551615; a float has a point or an exponent, "
                             "as in `1e20`");
        bad = true;
    }
    put(x, is_float ? T_FLOAT : T_INT, from, bad);
}

uint64_t fe_token_int(const Source *src, const Token *t)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < t->len && is_digit(src->text[t->at + i]); i++)
        v = v * 10 + (uint64_t)(src->text[t->at + i] - '0');
    return v;
}

/* ---- names --------------------------------------------------------------------------------------------------- */

static DType dtype_named(const char *s, uint32_t len)
{
    for (int i = 0; i < DT_COUNT; i++)
        if (dtype_row[i].cls != 'X' && strlen(dtype_row[i].text) == len && !memcmp(dtype_row[i].text, s, len))
            return (DType)i;
    return DT_NONE;
}

static void name(Lexer *x)
{
    uint32_t from = x->at;
    while (is_name(ahead(x, 0))) x->at++;
    if (x->sched && ahead(x, 0) == '\'' && is_digit(ahead(x, 1)))
        for (x->at++; is_name(ahead(x, 0));) x->at++;
    uint32_t len = x->at - from;
    TokenKind kind = T_ID;
    for (int k = 0; k < T_COUNT && len <= 5; k++)
        if (token_row[k].kind == WORD && token_row[k].len == len && !memcmp(token_row[k].text, x->s + from, len)) {
            kind = (TokenKind)k;
            break;
        }
    if (kind == T_ID && len >= 2 && len <= 6 && dtype_named(x->s + from, len) != DT_NONE) kind = T_DTYPE;
    put(x, kind, from, false);
}

DType fe_token_dtype(const Source *src, const Token *t) { return dtype_named(src->text + t->at, t->len); }

const char *fe_dtype_name(DType t) { return t < DT_COUNT && dtype_row[t].cls != 'X' ? dtype_row[t].text : NULL; }

RedOp fe_token_red(const Source *src, const Token *t)
{
    if (t->kind != T_ID || t->len > 6) return RED_COUNT;
    for (int i = 0; i < RED_COUNT; i++)
        if (strlen(red_name[i]) == t->len && !memcmp(red_name[i], src->text + t->at, t->len)) return (RedOp)i;
    return RED_COUNT;
}

/* ---- all else ------------------------------------------------------------------------------------------------ */

/* From `#` (or what stands for it) to the end of the line; the `\r` before it stays out. */
static void comment(Lexer *x, bool bad)
{
    uint32_t from = x->at;
    while (x->at < x->len && x->s[x->at] != '\n') {
        unsigned char c = (unsigned char)x->s[x->at];
        if (c == 0 || c >= 0x80) {
            step(x);
        } else {
            x->at++;
        }
    }
    uint32_t end = x->at;
    while (x->at > from && strchr(" \t\r", x->s[x->at - 1]) && x->s[x->at - 1]) x->at--;
    put(x, T_COMMENT, from, bad);
    x->at = end;
}

static bool punctuator(Lexer *x)
{
    char c = x->s[x->at];
    for (int k = 0; k < T_COUNT; k++) {
        const Word *w = &token_row[k];
        if (w->kind != PUNCT && !(w->kind == SCHED && x->sched)) continue;
        if (w->text[0] != c || !spelled(x, x->at, w->text, w->len)) continue;
        uint32_t from = x->at;
        x->at += w->len;
        put(x, (TokenKind)k, from, false);
        return true;
    }
    return false;
}

/* `@`, and the target behind it as one token: a `-` in it is no minus. */
static void at_target(Lexer *x)
{
    uint32_t from = x->at++;
    put(x, T_AT, from, false);
    while (ahead(x, 0) == ' ' || ahead(x, 0) == '\t') x->at++;
    from = x->at;
    while (is_name(ahead(x, 0)) || (ahead(x, 0) && strchr(":-+./", ahead(x, 0)))) x->at++;
    if (x->at > from) put(x, T_TARGET, from, false);
}

/* A quoted text: no token is in it. */
static void quoted(Lexer *x, char quote)
{
    uint32_t from = x->at, end = x->at + 1;
    while (end < x->len && x->s[end] != '\n' && x->s[end] != quote) end++;
    Diag *d = diag_error(x->diags, D_L001_CHAR, span_of(x, from, 1),
                         quote == '"'   ? "`\"`"
                         : quote == '`' ? "a backquote"
                                        : "`'`");
    if (from > 0 && is_digit(x->s[from - 1]) && is_digit(ahead(x, 1)))
        diag_help(x->diags, d, "digits are not grouped");
    else
        diag_help(x->diags, d, "`%s` has no texts in quotes", x->sched ? ".sched" : ".te");
    if (end < x->len && x->s[end] == quote) end++;
    while (x->at < end) step(x);
    put(x, T_ERROR, from, true);
}

/* A comment of another language. */
static void foreign_comment(Lexer *x)
{
    Diag *d = diag_error(x->diags, D_L001_CHAR, span_of(x, x->at, 2), ahead(x, 1) == '/' ? "`//`" : "`/*`");
    diag_help(x->diags, d, "a comment starts with `#`%s",
              ahead(x, 1) == '/' && !x->sched ? "; on integers `/` floors" : "");
    comment(x, true);
}

/* Signs of mathematics that are functions here. */
static const char *foreign_sign(uint32_t number)
{
    switch (number) {
    case 0x221a: return "a square root is `sqrt(x)`";
    case 0x3a3:
    case 0x2211: return "a sum is `sum{k}(X[k])`";
    case 0x3a0:
    case 0x220f: return "a product is `prod{k}(X[k])`";
    case 0xb2:
    case 0xb3: return "a power is `pow(x, y)`";
    default: return NULL;
    }
}

static void unexpected(Lexer *x)
{
    uint32_t from = x->at, number = 0;
    for (size_t i = 0; i < sizeof lookalike / sizeof *lookalike; i++) {
        size_t n = strlen(lookalike[i].utf8);
        if (!spelled(x, x->at, lookalike[i].utf8, n)) continue;
        TokenKind as = lookalike[i].as;
        x->at += (uint32_t)n;
        decode(x, from, &number);
        Diag *d = diag_error(x->diags, D_L001_CHAR, span_of(x, from, (uint32_t)n),
                             as == T_COMMENT ? arena_printf(x->mem, "U+%04X", number)
                                             : arena_printf(x->mem, "`%s`", lookalike[i].utf8));
        if (as == T_COMMENT) {
            diag_help(x->diags, d, "write a plain space");
        } else {
            diag_help(x->diags, d, "write `%s`", fe_token_text[as]);
            put(x, as, from, true);
        }
        return;
    }
    number = step(x);
    if (number == 0) { /* reported; one report for a run */
        while (x->at < x->len && !x->s[x->at]) x->at++;
        put(x, T_ERROR, from, true);
        return;
    }
    const char *what = number < 0x20 || (number >= 0x7f && number < 0xa0)
                           ? arena_printf(x->mem, "U+%04X (a control character)", number)
                           : arena_printf(x->mem, "`%.*s`", (int)(x->at - from), x->s + from);
    Diag *d = diag_error(x->diags, D_L001_CHAR, span_of(x, from, x->at - from), what);
    TokenKind as = T_ERROR;
    if (number == '&') {
        diag_help(x->diags, d, "the logical and is `&&`");
        as = T_AND;
    } else if (number == '^') {
        diag_help(x->diags, d, x->sched ? "there are no powers" : "a power is `pow(x, y)`");
    } else if (number == '@' && !x->sched) {
        diag_help(x->diags, d, "a product of matrices is `sum{k}(A[i,k] * B[k,j])`");
    } else if (number == '.') {
        char before = from > 0 ? x->s[from - 1] : 0;
        diag_help(x->diags, d,
                  before != '.' && is_digit(ahead(x, 0)) ? "a number has digits before its point: `0.5`"
                  : is_name(before) || before == ']' || before == ')'
                      ? "names have no `.` in them: a function is `exp(x)`"
                      : "a range is written `lo..hi`");
    } else if (foreign_sign(number)) {
        diag_help(x->diags, d, "%s", foreign_sign(number));
    } else if (number < 0x20 || (number >= 0x7f && number < 0xa0)) {
        diag_help(x->diags, d, "leave it out, or write a space");
    } else if (number == '\\') {
        diag_help(x->diags, d, "leave it out: a statement goes on in the next line behind an operator or a comma");
    } else if (number >= 0x80 || number == '$') {
        diag_help(x->diags, d, "names are made of the letters A to Z, digits and `_`");
    } else {
        diag_help(x->diags, d, "leave it out: no operator is written so");
    }
    put(x, as, from, true);
}

static void one(Lexer *x)
{
    char c = x->s[x->at];
    if (c == '\n') {
        if (x->lines < 3) x->lines++;
        x->at++;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
        x->at++;
    } else if (c == '#') {
        comment(x, false);
    } else if (is_name_start(c)) {
        name(x);
    } else if (is_digit(c)) {
        number(x);
    } else if (c == '/' && (ahead(x, 1) == '/' || ahead(x, 1) == '*')) {
        foreign_comment(x);
    } else if (x->sched && c == '@') {
        at_target(x);
    } else if (c == '"' || c == '\'' || c == '`') {
        quoted(x, c);
    } else if (!punctuator(x)) {
        unexpected(x);
    }
}

static Token *lex(Arena *mem, const Source *src, Diags *diags, bool sched, int *ntokens)
{
    Lexer x = {.mem = mem, .src = src, .diags = diags, .s = src->text, .lines = 1, .sched = sched};
    if (src->len >= UINT32_MAX) {
        diag_error(diags, D_F004_TOO_LONG, (Span){src, 0, 0}, "the text is 4 GiB or longer");
    } else {
        x.len = (uint32_t)src->len;
    }
    if (spelled(&x, 0, "\xef\xbb\xbf", 3)) x.at = 3; /* a byte order mark */
    while (x.at < x.len) {
        one(&x);
        if (x.out.n < TOKENS_MOST) continue;
        diag_error(diags, D_F004_TOO_LONG, span_of(&x, x.at, 0),
                   arena_printf(mem, "the text has more than %d tokens", TOKENS_MOST));
        x.out.n = 0;
        x.len = x.at;
    }
    put(&x, T_END, x.at, x.out.n == 0 && src->len > x.len);
    *ntokens = x.out.n;
    return x.out.at;
}

Token *fe_lex(Arena *mem, const Source *src, Diags *diags, int *ntokens)
{
    return lex(mem, src, diags, false, ntokens);
}

Token *fe_lex_sched(Arena *mem, const Source *src, Diags *diags, int *ntokens)
{
    return lex(mem, src, diags, true, ntokens);
}
