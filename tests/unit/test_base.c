/* test_base: arenas, texts, places and diagnostics. */
#include "ir/base.h"
#include "tests/unit/check.h"

#include <stdlib.h>
#include <time.h>

static void arenas(void)
{
    Arena *a = arena_new();
    size_t total = 0;
    bool aligned = true, zero = true;
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = arena_alloc(a, n);
        aligned &= (uintptr_t)p % 16 == 0;
        for (size_t i = 0; i < n; i++) zero &= p[i] == 0;
        memset(p, 0xff, n);
        total += n;
    }
    CHECK(aligned);
    CHECK(zero);
    CHECK(arena_bytes(a) >= total);
    char *big = arena_alloc(a, 5 << 20);
    CHECK(big && big[0] == 0 && big[(5 << 20) - 1] == 0);
    CHECK_STR(arena_strdup(a, "text"), "text");
    CHECK_STR(arena_strndup(a, "text", 2), "te");
    CHECK_STR(arena_strndup(a, NULL, 0), "");
    CHECK_STR(arena_printf(a, "%d-%s", 7, "x"), "7-x");
    VEC(int) v = {0};
    for (int i = 0; i < 1000; i++) VEC_PUSH(a, &v, i * 3);
    CHECK(v.n == 1000 && v.at[0] == 0 && v.at[999] == 2997);
    arena_free(a);
    arena_free(NULL);
}

static void names(void)
{
    Arena *a = arena_new();
    NameTable t = {0};
    bool found = true;
    CHECK(!names_find(&t, "x"));
    for (intptr_t i = 1; i <= 1000; i++) names_put(a, &t, arena_printf(a, "n%d", (int)i), (void *)i);
    for (intptr_t i = 1; i <= 1000; i++) found &= names_find(&t, arena_printf(a, "n%d", (int)i)) == (void *)i;
    CHECK(found && t.n == 1000 && !names_find(&t, "n1001"));
    names_put(a, &t, "n7", &t);
    CHECK(names_find(&t, "n7") == &t && t.n == 1000);
    arena_free(a);
}

static void refused(void)
{
    Arena *a = arena_new();
    jmp_buf no;
    volatile int times = 0;
    if (setjmp(no)) {
        times++;
    } else {
        arena_catch(a, &no);
        arena_alloc(a, SIZE_MAX - 5);
        CHECK(!"more memory than there is was given");
    }
    CHECK(times == 1);
    CHECK(arena_alloc(a, 8) != NULL); /* it goes on working */
    arena_free(a);
}

static void texts(void)
{
    Arena *a = arena_new();
    Text t = {.mem = a};
    text_indent(&t, 0);
    CHECK_STR(t.s, "");
    text_indent(&t, 2);
    text_add(&t, "ab");
    text_char(&t, 'c');
    text_addn(&t, "defg", 2);
    CHECK_STR(t.s, "    abcde");
    CHECK(t.n == 9);
    text_printf(&t, "%0500d|", 7);
    CHECK(t.n == 9 + 501 && t.s[t.n - 1] == '|' && t.s[t.n] == 0);
    Text u = {.mem = a};
    text_printf(&u, "%s", "");
    CHECK_STR(u.s, "");
    for (int i = 0; i < 100000; i++) text_char(&u, 'x');
    CHECK(u.n == 100000 && strlen(u.s) == 100000);
    CHECK(ir_streq("a", "a") && !ir_streq("a", "b") && ir_streq(NULL, NULL) && !ir_streq(NULL, "a"));
    arena_free(a);
}

static void check_place(const char *text, uint32_t at, int line, int column)
{
    Source src = {"t", text, strlen(text)};
    int l, c;
    span_place((Span){&src, at, 1}, &l, &c);
    if (!CHECK(l == line && c == column)) printf("byte %u of %s: %d:%d, not %d:%d\n", at, text, l, c, line, column);
}

static void places(void)
{
    check_place("", 0, 1, 1);
    check_place("abc", 0, 1, 1);
    check_place("abc", 2, 1, 3);
    check_place("abc", 3, 1, 4);
    check_place("abc", 99, 1, 4);
    check_place("a\nb\n\nc", 1, 1, 2);
    check_place("a\nb\n\nc", 2, 2, 1);
    check_place("a\nb\n\nc", 4, 3, 1);
    check_place("a\nb\n\nc", 5, 4, 1);
    check_place("a\r\nb", 3, 2, 1);
    check_place("é€𝄞x", 9, 1, 4); /* 2, 3 and 4 bytes */
    check_place("# 日本語 comment\n日x", 23, 2, 2);
    check_place("\xef\xbb\xbfx", 3, 1, 1); /* a byte order mark is no character */
    check_place("aaaaaaaaaaaaaaaaéééééééééééééééééééébbb", 57, 1, 38);
    Source src = {"t", "abc", 3};
    Span j = span_join((Span){&src, 0, 1}, (Span){&src, 2, 1});
    CHECK(j.at == 0 && j.len == 3);
    j = span_join((Span){0}, (Span){&src, 2, 1});
    CHECK(j.src == &src && j.at == 2);
}

static const char *rendered(Arena *a, const char *text, uint32_t at, uint32_t len)
{
    Source *src = NEW(a, Source);
    *src = (Source){"t.te", text, strlen(text)};
    Diags d = {.mem = a};
    Text out = {.mem = a};
    diag_render(&out, diag_error(&d, D_F001_EXPECTED, (Span){src, at, len}, "`]`", "`)`"), false);
    return strchr(out.s, '\n') + 1;
}

static void rendering(void)
{
    Arena *a = arena_new();
    Source src = {"t.te", "one\n  two three\n", 16};
    Diags d = {.mem = a};
    Diag *g = diag_error(&d, D_F001_EXPECTED, (Span){&src, 6, 3}, "`a`", "`b`");
    diag_note(&d, g, (Span){&src, 0, 3}, "the %s", "other");
    diag_help(&d, g, "mend %d", 1);
    Text out = {.mem = a};
    diag_render(&out, g, false);
    CHECK_STR(out.s, "t.te:2:3: error[F001]: expected `a`, found `b`\n"
                     " 2 |   two three\n"
                     "   |   ^~~\n"
                     "t.te:1:1: note: the other\n"
                     "help: mend 1\n");
    CHECK_STR(diag_name(D_F001_EXPECTED), "F001");
    out.n = 0;
    diag_render(&out, diag_warn(&d, D_L004_UTF8, (Span){0}), false);
    CHECK_STR(out.s, "warning[L004]: the text is not valid UTF-8\nhelp: save the file as UTF-8\n");
    CHECK(d.errors == 1);
    out.n = 0;
    diag_render(&out, g, true);
    CHECK(strstr(out.s, "\033[1;31merror[F001]:\033[0m") != NULL);

    /* the caret stands under what the terminal shows */
    CHECK_STR(rendered(a, "é\tx)", 4, 1), " 1 | é x)\n   |    ^\n");
    CHECK_STR(rendered(a, "a\x1b[2Jb\r\nc", 5, 1), " 1 | a?[2Jb\n   |      ^\n");
    CHECK_STR(rendered(a, "a\xff\xfe)", 3, 1), " 1 | a?"
                                               "?)\n   |    ^\n");
    CHECK_STR(rendered(a, "ab\ncd", 1, 4), " 1 | ab\n   |  ^\n");
    CHECK_STR(rendered(a, "ab", 2, 0), " 1 | ab\n   |   ^\n");
    CHECK_STR(rendered(a, "ab\n", 3, 0), " 2 | \n   | ^\n");
    arena_free(a);
}

static void long_lines(void)
{
    enum { N = 10 << 20 };
    Arena *a = arena_new();
    char *s = malloc(N + 1);
    memset(s, 'a', N);
    s[N] = 0;
    Source src = {"t.te", s, N};
    Diags d = {.mem = a};
    Text out = {.mem = a};
    clock_t start = clock();
    static const uint32_t at[] = {0, 30, N / 2, N - 30, N - 1, N};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        out.n = 0;
        diag_render(&out, diag_error(&d, D_F001_EXPECTED, (Span){&src, at[i], N}, "x", "y"), false);
        CHECK(out.n < 600);
    }
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 1.0);
    out.n = 0;
    diag_render(&out, diag_error(&d, D_F001_EXPECTED, (Span){&src, N / 2, 3}, "x", "y"), false);
    const char *line = strstr(out.s, " 1 | "), *caret = strstr(out.s, "\n   | ");
    CHECK(line && caret);
    CHECK(strstr(line, "…aaa") && strstr(line, "aaa…"));
    CHECK_STR(strchr(caret, '^'), "^~~\n");
    /* an argument of megabytes does not make a message of megabytes */
    Diag *g = diag_error(&d, D_F001_EXPECTED, (Span){0}, "x", s);
    CHECK(strlen(g->text) < 1000);
    free(s);
    arena_free(a);
}

static void limit(void)
{
    Arena *a = arena_new();
    Diags d = {.mem = a};
    for (int i = 0; i < 100000; i++) {
        Diag *g = diag_error(&d, D_F001_EXPECTED, (Span){0}, "x", "y");
        diag_note(&d, g, (Span){0}, "note %d", i);
        diag_help(&d, g, "help %d", i);
    }
    int kept = 0;
    for (Diag *g = d.first; g; g = g->next) kept++;
    CHECK(kept == 20 && d.errors == 100000);
    CHECK(arena_bytes(a) < 100000);
    Diags e = {.mem = a, .limit = 3};
    for (int i = 0; i < 5; i++) diag_error(&e, D_F001_EXPECTED, (Span){0}, "x", "y");
    kept = 0;
    for (Diag *g = e.first; g; g = g->next) kept++;
    CHECK(kept == 3 && e.errors == 5);
    arena_free(a);
}

int main(void)
{
    arenas();
    names();
    refused();
    texts();
    places();
    rendering();
    long_lines();
    limit();
    return check_done();
}
