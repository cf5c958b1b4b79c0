/* diag.c: diagnostics: what diags.def says, collected, and rendered for people:
 *
 *     ops.te:14:3: error[F001]: expected `]` after the index, found `)`
 *      14 |   C[i,j) = 0.0
 *         |        ^
 *     ops.te:14:4: note: the bracket opens here
 *     help: …
 *
 * Source text is hostile: a line of 10 MB shows a window around the caret, control characters and broken UTF-8 show as
 * `?`, and a message is cut where an argument is absurdly long. Finding a line reads the text before it; all else costs
 * no more than the window. */
#define _GNU_SOURCE /* memrchr */
#include "ir/base.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
    ERROR_LIMIT = 20,   /* errors kept when Diags.limit is 0 */
    MESSAGE_MOST = 600, /* bytes of a message */
    WINDOW_BEFORE = 60, /* characters of a long line shown before the mistake, */
    WINDOW_AFTER = 60,  /* and from its start on */
};

static const char diag_code[D_COUNT][5] = {
#define DIAG(code, text, help) {#code[0], #code[1], #code[2], #code[3], 0},
#include "ir/diags.def"
#undef DIAG
};

static const struct {
    const char *text, *help;
} diag_row[D_COUNT] = {
#define DIAG(code, text, help) {text, help},
#include "ir/diags.def"
#undef DIAG
};

const char *diag_name(DiagCode code) { return diag_code[code]; }

/* ---- places -------------------------------------------------------------------------------------------------- */

static bool is_continuation(unsigned char c) { return (c & 0xc0) == 0x80; }

/* Characters in n bytes: those that do not continue one. Eight at a time, since a line may be megabytes long. */
static size_t count_characters(const char *s, size_t n)
{
    size_t continuing = 0, i = 0;
    for (; n - i >= 8; i += 8) {
        uint64_t w;
        memcpy(&w, s + i, 8);
        w = w >> 7 & ~w >> 6 & 0x0101010101010101u;
        continuing += w * 0x0101010101010101u >> 56;
    }
    for (; i < n; i++) continuing += is_continuation((unsigned char)s[i]);
    return n - continuing;
}

/* Bytes of a byte order mark at the text's start; it is no character of the first line. */
static size_t mark_length(const Source *src) { return src->len >= 3 && !memcmp(src->text, "\xef\xbb\xbf", 3) ? 3 : 0; }

static size_t clamp_at(Span s) { return s.at < s.src->len ? s.at : s.src->len; }

static size_t line_start(const Source *src, size_t at)
{
    const char *nl = at ? memrchr(src->text, '\n', at) : NULL;
    return nl ? (size_t)(nl - src->text) + 1 : 0;
}

static size_t line_end(const Source *src, size_t at)
{
    const char *nl = memchr(src->text + at, '\n', src->len - at);
    size_t end = nl ? (size_t)(nl - src->text) : src->len;
    return end > at && src->text[end - 1] == '\r' ? end - 1 : end;
}

void span_place(Span s, int *line, int *column)
{
    *line = *column = 1;
    if (!s.src) return;
    size_t at = clamp_at(s), start = line_start(s.src, at);
    for (const char *p = s.src->text, *end = p + start; (p = memchr(p, '\n', (size_t)(end - p))); p++) ++*line;
    if (start == 0) start = mark_length(s.src);
    if (at > start) *column += (int)count_characters(s.src->text + start, at - start);
}

Span span_join(Span a, Span b)
{
    if (!a.src || !b.src || a.src != b.src) return a.src ? a : b;
    uint32_t a_end = a.at + a.len, b_end = b.at + b.len;
    a.len = (b_end > a_end ? b_end : a_end) - a.at;
    return a;
}

/* ---- collecting ---------------------------------------------------------------------------------------------- */

/* Cuts the middle out of a message that an argument made too long. */
static const char *shorten(Arena *mem, const char *s)
{
    size_t n = strlen(s);
    if (n <= MESSAGE_MOST) return s;
    size_t head = MESSAGE_MOST / 2, tail = n - MESSAGE_MOST / 2;
    while (head > 0 && is_continuation((unsigned char)s[head])) head--;
    while (tail < n && is_continuation((unsigned char)s[tail])) tail++;
    return arena_printf(mem, "%.*s … %s", (int)head, s, s + tail);
}

static void hang(Diags *d, Diag *to, bool is_help, Span span, const char *text)
{
    DiagNote *note = NEW(d->mem, DiagNote), **end = &to->notes;
    note->is_help = is_help;
    note->span = span;
    note->text = shorten(d->mem, text);
    while (*end) end = &(*end)->next;
    *end = note;
}

/* Beyond the limit nothing is formatted and nothing allocated: hostile input may make millions of mistakes. */
static Diag *report(Diags *d, DiagCode code, bool warning, Span span, va_list ap)
{
    int limit = d->limit > 0 ? d->limit : ERROR_LIMIT;
    bool keep = d->errors < limit || (warning && d->errors == limit);
    if (!warning && d->errors < INT_MAX) d->errors++;
    if (!keep && d->spare) return d->spare;
    Diag *g = NEW(d->mem, Diag);
    g->code = code;
    g->warning = warning;
    g->span = span;
    if (!keep) {
        hang(d, d->last, false, (Span){0}, "there are more errors, which are not shown");
        g->text = "";
        return d->spare = g;
    }
    g->text = shorten(d->mem, arena_vprintf(d->mem, diag_row[code].text, ap));
    if (d->last) {
        d->last->next = g;
    } else {
        d->first = g;
    }
    d->last = g;
    if (diag_row[code].help) hang(d, g, true, (Span){0}, diag_row[code].help);
    return g;
}

Diag *diag_error(Diags *d, DiagCode code, Span span, ...)
{
    va_list ap;
    va_start(ap, span);
    Diag *g = report(d, code, false, span, ap);
    va_end(ap);
    return g;
}

Diag *diag_error_v(Diags *d, DiagCode code, Span span, va_list ap) { return report(d, code, false, span, ap); }

Diag *diag_warn(Diags *d, DiagCode code, Span span, ...)
{
    va_list ap;
    va_start(ap, span);
    Diag *g = report(d, code, true, span, ap);
    va_end(ap);
    return g;
}

void diag_note(Diags *d, Diag *to, Span span, const char *fmt, ...)
{
    if (to == d->spare) return;
    va_list ap;
    va_start(ap, fmt);
    hang(d, to, false, span, arena_vprintf(d->mem, fmt, ap));
    va_end(ap);
}

void diag_help(Diags *d, Diag *to, const char *fmt, ...)
{
    if (to == d->spare) return;
    va_list ap;
    va_start(ap, fmt);
    hang(d, to, true, (Span){0}, arena_vprintf(d->mem, fmt, ap));
    va_end(ap);
}

/* ---- rendering ----------------------------------------------------------------------------------------------- */

typedef struct Paint {
    const char *place, *error, *warning, *note, *help, *caret, *off;
} Paint;

static const Paint plain = {"", "", "", "", "", "", ""};
static const Paint ansi = {"\033[1m", "\033[1;31m", "\033[1;35m", "\033[1;36m", "\033[1;32m", "\033[1;31m", "\033[0m"};

static void put_place(Text *out, Span s, const Paint *c)
{
    if (!s.src) return;
    int line, column;
    span_place(s, &line, &column);
    text_printf(out, "%s%s:%d:%d:%s ", c->place, s.src->name ? s.src->name : "<input>", line, column, c->off);
}

/* Length of the UTF-8 character at s (n bytes left), 0 when it is not one. Overlong forms and surrogates matter to the
 * lexer, not here. */
static size_t character(const char *s, size_t n)
{
    unsigned char c = (unsigned char)*s;
    size_t len = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 0;
    if (len == 0 || len > n) return 0;
    for (size_t i = 1; i < len; i++)
        if (!is_continuation((unsigned char)s[i])) return 0;
    return len;
}

/* Adds the text from..to, one column a character. */
static void put_line(Text *out, const char *s, size_t from, size_t to)
{
    while (from < to) {
        size_t len = character(s + from, to - from);
        unsigned char c = (unsigned char)s[from];
        if (len == 0 || c == 0x7f || (c < 0x20 && c != '\t')) {
            text_char(out, '?');
            len = 1;
        } else if (c == '\t') {
            text_char(out, ' ');
        } else {
            text_addn(out, s + from, len);
        }
        from += len;
    }
}

/* Columns that put_line takes for from..to. */
static size_t columns(const char *s, size_t from, size_t to)
{
    size_t n = 0;
    while (from < to) {
        size_t len = character(s + from, to - from);
        from += len ? len : 1;
        n++;
    }
    return n;
}

/* Steps n characters back from at, not beyond least, and forth. */
static size_t step_back(const char *s, size_t at, size_t least, size_t n)
{
    while (n-- > 0 && at > least) {
        at--;
        for (int i = 0; i < 3 && at > least && is_continuation((unsigned char)s[at]); i++) at--;
    }
    return at;
}

static size_t step_on(const char *s, size_t at, size_t most, size_t n)
{
    while (n-- > 0 && at < most) {
        at++;
        for (int i = 0; i < 3 && at < most && is_continuation((unsigned char)s[at]); i++) at++;
    }
    return at;
}

static void put_source(Text *out, Span span, const Paint *c)
{
    const Source *src = span.src;
    const char *s = src->text;
    size_t at = clamp_at(span), start = line_start(src, at), end = line_end(src, at);
    if (start == 0) start = mark_length(src);
    if (at < start) at = start;
    if (at > end) end = at; /* at the `\r` of a line's end */
    size_t until = span.len > end - at ? end : at + span.len;
    size_t from = step_back(s, at, start, WINDOW_BEFORE), to = step_on(s, at, end, WINDOW_AFTER);
    /* What a line of moderate length has on the other side is shown too. */
    if (at - from < WINDOW_BEFORE) to = step_on(s, to, end, WINDOW_BEFORE - (at - from));
    if (to - at < WINDOW_AFTER) from = step_back(s, from, start, WINDOW_AFTER - (to - at));
    if (until > to) until = to;

    int line, column;
    span_place(span, &line, &column);
    int margin = snprintf(NULL, 0, "%d", line);
    text_printf(out, " %d | %s", line, from > start ? "…" : "");
    put_line(out, s, from, to);
    text_printf(out, "%s\n %*s | %s", to < end ? "…" : "", margin, "", from > start ? " " : "");
    for (size_t n = columns(s, from, at); n > 0; n--) text_char(out, ' ');
    text_printf(out, "%s^", c->caret);
    for (size_t n = columns(s, at, until); n > 1; n--) text_char(out, '~');
    text_printf(out, "%s\n", c->off);
}

void diag_render(Text *out, const Diag *d, bool colour)
{
    const Paint *c = colour ? &ansi : &plain;
    put_place(out, d->span, c);
    text_printf(out, "%s%s[%s]:%s %s\n", d->warning ? c->warning : c->error, d->warning ? "warning" : "error",
                diag_name(d->code), c->off, d->text);
    if (d->span.src) put_source(out, d->span, c);
    for (const DiagNote *n = d->notes; n; n = n->next) {
        put_place(out, n->span, c);
        text_printf(out, "%s%s:%s %s\n", n->is_help ? c->help : c->note, n->is_help ? "help" : "note", c->off, n->text);
    }
}
