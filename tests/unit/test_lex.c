/* test_lex: text to tokens. */
#include "frontend/lex.h"
#include "tests/unit/check.h"

#include <stdlib.h>

/* The tokens of a text, words apart: kinds of special ones before their text, `!` before bad ones; and the codes of
 * what was reported. */
static const char *lexed_n(Arena *a, const char *text, size_t n)
{
    Source *src = NEW(a, Source);
    *src = (Source){"t.te", arena_strndup(a, text, n), n};
    Diags d = {.mem = a};
    int count;
    Token *tok = fe_lex(a, src, &d, &count);
    Text out = {.mem = a};
    text_add(&out, "");
    for (int i = 0; i + 1 < count; i++) {
        static const char *const special[] = {[T_ERROR] = "ERROR:", [T_COMMENT] = "COMMENT:", [T_ID] = "ID:",
                                              [T_INT] = "INT:",     [T_FLOAT] = "FLOAT:",     [T_DTYPE] = "DTYPE:"};
        if (out.n) text_char(&out, ' ');
        if (tok[i].bad) text_char(&out, '!');
        if (tok[i].kind <= T_DTYPE) text_add(&out, special[tok[i].kind]);
        for (uint32_t k = 0; k < tok[i].len; k++)
            text_char(&out, src->text[tok[i].at + k] ? src->text[tok[i].at + k] : '0');
    }
    if (count == 0 || tok[count - 1].kind != T_END) text_add(&out, " NO END");
    for (Diag *g = d.first; g; g = g->next) {
        int line, column;
        span_place(g->span, &line, &column);
        text_printf(&out, " <%s %d:%d>", diag_name(g->code), line, column);
    }
    return out.s;
}

static const char *lexed(Arena *a, const char *text) { return lexed_n(a, text, strlen(text)); }

static void numbers(Arena *a)
{
    CHECK_STR(lexed(a, "0..N"), "INT:0 .. ID:N");
    CHECK_STR(lexed(a, "1..8"), "INT:1 .. INT:8");
    CHECK_STR(lexed(a, "1.5..2.5"), "FLOAT:1.5 .. FLOAT:2.5");
    CHECK_STR(lexed(a, "1.5 1e5 1E-5 1.25e+300 007"), "FLOAT:1.5 FLOAT:1e5 FLOAT:1E-5 FLOAT:1.25e+300 INT:007");
    CHECK_STR(lexed(a, "18446744073709551615"), "INT:18446744073709551615");
    CHECK_STR(lexed(a, "18446744073709551616"), "!INT:18446744073709551616 <L003 1:1>");
    CHECK_STR(lexed(a, "2x"), "!INT:2x <L002 1:1>");
    CHECK_STR(lexed(a, "1_000"), "!INT:1_000 <L002 1:1>");
    CHECK_STR(lexed(a, "0x1F"), "!INT:0x1F <L002 1:1>");
    CHECK_STR(lexed(a, "1.5f"), "!FLOAT:1.5f <L002 1:1>");
    CHECK_STR(lexed(a, "1e"), "!INT:1e <L002 1:1>");
    CHECK_STR(lexed(a, "1e+"), "!INT:1e + <L002 1:1>");
    CHECK_STR(lexed(a, "1.5e5e5"), "!FLOAT:1.5e5e5 <L002 1:1>");
    CHECK_STR(lexed(a, "1.2.3"), "!FLOAT:1.2.3 <L002 1:1>");
    CHECK_STR(lexed(a, "1."), "!FLOAT:1. <L001 1:2>");
    CHECK_STR(lexed(a, ".5"), "!ERROR:. INT:5 <L001 1:1>");
    CHECK_STR(lexed(a, "1...3"), "INT:1 .. !ERROR:. INT:3 <L001 1:4>");
    CHECK_STR(lexed(a, "3-2"), "INT:3 - INT:2");
    Source src = {"t", "18446744073709551615", 20};
    Token t = {.at = 0, .len = 20, .kind = T_INT};
    CHECK(fe_token_int(&src, &t) == UINT64_MAX);
}

static void words(Arena *a)
{
    CHECK_STR(lexed(a, "op fn let inout const where in if seq true false inf nan"),
              "op fn let inout const where in if seq true false inf nan");
    CHECK_STR(lexed(a, "f64 f32 tf32 f16 bf16 f8e4m3 f8e5m2"),
              "DTYPE:f64 DTYPE:f32 DTYPE:tf32 DTYPE:f16 DTYPE:bf16 DTYPE:f8e4m3 DTYPE:f8e5m2");
    CHECK_STR(lexed(a, "i64 i32 i16 i8 i4 u64 u32 u16 u8 u4 u1"),
              "DTYPE:i64 DTYPE:i32 DTYPE:i16 DTYPE:i8 DTYPE:i4 DTYPE:u64 DTYPE:u32 DTYPE:u16 DTYPE:u8 DTYPE:u4 "
              "DTYPE:u1");
    CHECK_STR(lexed(a, "sum max index ops f3 f320 _ _a A9 lets"),
              "ID:sum ID:max ID:index ID:ops ID:f3 ID:f320 ID:_ ID:_a ID:A9 ID:lets");
}

static void punctuation(Arena *a)
{
    CHECK_STR(lexed(a, "( ) [ ] { } , ; : = -> .. ? | || && == != < <= > >= + - * / % ! ~"),
              "( ) [ ] { } , ; : = -> .. ? | || && == != < <= > >= + - * / % ! ~");
    CHECK_STR(lexed(a, "a<-b"), "ID:a < - ID:b");
    CHECK_STR(lexed(a, "a==-b!=!c"), "ID:a == - ID:b != ! ID:c");
    CHECK_STR(lexed(a, "===>>=-->|||"), "== = > >= - -> || |");
    CHECK_STR(lexed(a, "[i|0]"), "[ ID:i | INT:0 ]");
}

static void space(Arena *a)
{
    CHECK_STR(lexed(a, ""), "");
    CHECK_STR(lexed(a, " \t\r\n\f\v "), "");
    CHECK_STR(lexed(a, "a # é b\r\n# \r\nb#"), "ID:a COMMENT:# é b COMMENT:# ID:b COMMENT:#");
    CHECK_STR(lexed(a, "\xef\xbb\xbfop"), "op");
    Source src = {"t", "a\n\nb # c\n# d\n\n\n\ne", 0};
    src.len = strlen(src.text);
    Diags d = {.mem = a};
    int n;
    Token *t = fe_lex(a, &src, &d, &n);
    CHECK(n == 6);
    CHECK(t[0].lines == 1 && t[1].lines == 2 && t[2].lines == 0 && t[3].lines == 1 && t[4].lines == 3);
}

static void unexpected(Arena *a)
{
    CHECK_STR(lexed(a, "a @ b"), "ID:a !ERROR:@ ID:b <L001 1:3>");
    CHECK_STR(lexed(a, "a & b"), "ID:a !& ID:b <L001 1:3>");
    CHECK_STR(lexed(a, "x ≤ y"), "ID:x !≤ ID:y <L001 1:3>");
    CHECK_STR(lexed(a, "é ×"), "!ERROR:é !× <L001 1:1> <L001 1:3>");
    CHECK_STR(lexed(a, "a\u00a0b"), "ID:a ID:b <L001 1:2>");
    CHECK_STR(lexed(a, "\"a b\" c"), "!ERROR:\"a b\" ID:c <L001 1:1>");
    CHECK_STR(lexed(a, "'a\nb"), "!ERROR:'a ID:b <L001 1:1>");
    CHECK_STR(lexed(a, "a // b\nc"), "ID:a !COMMENT:// b ID:c <L001 1:3>");
    CHECK_STR(lexed(a, "a /* b\nc"), "ID:a !COMMENT:/* b ID:c <L001 1:3>");
    CHECK_STR(lexed_n(a, "a\0b", 3), "ID:a !ERROR:0 ID:b <L001 1:2>");
    CHECK_STR(lexed(a, "a\x01"), "ID:a !ERROR:\x01 <L001 1:2>");
}

static void bytes(Arena *a)
{
    /* broken UTF-8 is reported once a file, wherever it stands */
    CHECK_STR(lexed(a, "# \xff\n# \xfe"), "COMMENT:# \xff COMMENT:# \xfe <L004 1:3>");
    CHECK(strstr(lexed(a, "\xc0\x80"), "<L004 1:1>") != NULL);     /* overlong */
    CHECK(strstr(lexed(a, "\xed\xa0\x80"), "<L004 1:1>") != NULL); /* a surrogate */
    CHECK(strstr(lexed(a, "\xf4\x90\x80\x80"), "<L004 1:1>") != NULL);
    CHECK(strstr(lexed(a, "\xe2\x89"), "<L004 1:1>") != NULL); /* cut off */
    CHECK(strstr(lexed(a, "# \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"), "<") == NULL);
    CHECK(strstr(lexed_n(a, "# a\0b", 5), "<L001 1:4>") != NULL);
    /* every byte and every pair of bytes ends in T_END and covers the text in order */
    for (int i = 0; i < 65536; i++) {
        char two[2] = {(char)(i >> 8), (char)i};
        Arena *m = arena_new();
        Source src = {"t", arena_strndup(m, two, 2), 2};
        Diags d = {.mem = m};
        int n;
        Token *t = fe_lex(m, &src, &d, &n);
        uint32_t at = 0;
        bool ok = n > 0 && t[n - 1].kind == T_END;
        for (int k = 0; k < n; k++) {
            ok &= t[k].at >= at && t[k].at + t[k].len <= 2;
            at = t[k].at + t[k].len;
        }
        if (!ok) CHECK(!"a pair of bytes");
        arena_free(m);
    }
}

static void huge(void)
{
    size_t n = 10u << 20;
    char *s = malloc(n + 1);
    for (size_t i = 0; i < n; i++) s[i] = i & 1 ? '+' : 'a';
    s[n] = 0;
    Arena *a = arena_new();
    Source src = {"t", s, n};
    Diags d = {.mem = a};
    int count;
    Token *t = fe_lex(a, &src, &d, &count);
    CHECK(count == 1 && t[0].kind == T_END && t[0].bad && d.errors == 1 && d.first->code == D_F004_TOO_LONG &&
          d.first->notes->is_help);
    memset(s, '0', n);
    Diags e = {.mem = a};
    fe_lex(a, &src, &e, &count); /* zeros: a number that fits */
    CHECK(count == 2 && e.errors == 0);
    memset(s, '9', n);
    fe_lex(a, &src, &e, &count);
    CHECK(count == 2 && e.errors == 1 && e.first->code == D_L003_RANGE && strlen(e.first->text) < 1000);
    arena_free(a);
    free(s);
}

int main(void)
{
    Arena *a = arena_new();
    numbers(a);
    words(a);
    punctuation(a);
    space(a);
    unexpected(a);
    bytes(a);
    huge();
    arena_free(a);
    return check_done();
}
