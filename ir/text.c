/* text.c: a text that grows in an arena. Doubling keeps appending linear; the outgrown pieces stay until the arena
 * goes. */
#include "ir/base.h"

#include <stdio.h>
#include <string.h>

/* Room for n more bytes and the NUL. */
static void reserve(Text *t, size_t n)
{
    if (t->s && t->cap - t->n > n) return;
    size_t cap = t->cap ? t->cap : 64;
    while (cap - t->n <= n) cap *= 2;
    char *s = arena_alloc(t->mem, cap);
    if (t->n) memcpy(s, t->s, t->n);
    s[t->n] = 0;
    t->s = s;
    t->cap = cap;
}

void text_addn(Text *t, const char *s, size_t n)
{
    reserve(t, n);
    if (n) memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = 0;
}

void text_add(Text *t, const char *s) { text_addn(t, s, strlen(s)); }

void text_char(Text *t, char c) { text_addn(t, &c, 1); }

void text_printf(Text *t, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    reserve(t, 0);
    int n = vsnprintf(t->s + t->n, t->cap - t->n, fmt, ap);
    if (n > 0 && (size_t)n >= t->cap - t->n) {
        reserve(t, (size_t)n);
        vsnprintf(t->s + t->n, t->cap - t->n, fmt, again);
    }
    if (n > 0) t->n += (size_t)n;
    t->s[t->n] = 0;
    va_end(again);
    va_end(ap);
}

void text_indent(Text *t, int level)
{
    for (int i = 0; i < level; i++) text_addn(t, "  ", 2);
    reserve(t, 0);
}

bool ir_streq(const char *a, const char *b) { return a && b ? !strcmp(a, b) : a == b; }
