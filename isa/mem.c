/* mem: memory freed at once, growing text, and diagnostics rendered as the compiler's are (ir/diag.c), since this
 * folder uses nothing of it. */
#include "isa/isa_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 16 << 10, ERROR_LIMIT = 20 };

/* ---- memory ---------------------------------------------------------------------------------------------------- */

typedef struct Block {
    struct Block *next;
    size_t used, size;
    _Alignas(16) char data[];
} Block;

struct IsaMem {
    Block *block;
    jmp_buf *handler;
};

IsaMem *isa_mem_new(void) { return calloc(1, sizeof(IsaMem)); }

void isa_mem_free(IsaMem *m)
{
    if (!m) return;
    for (Block *b = m->block, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(m);
}

void isa_mem_catch(IsaMem *m, jmp_buf *handler) { m->handler = handler; }

void *isa_alloc(IsaMem *m, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (!m->block || m->block->size - m->block->used < bytes) {
        size_t size = bytes > BLOCK ? bytes : BLOCK;
        Block *b = calloc(1, sizeof *b + size);
        if (!b) {
            if (m->handler) longjmp(*m->handler, 1);
            return NULL;
        }
        b->size = size;
        b->next = m->block;
        m->block = b;
    }
    void *p = m->block->data + m->block->used;
    m->block->used += bytes;
    return p;
}

char *isa_strndup(IsaMem *m, const char *s, size_t n)
{
    char *t = isa_alloc(m, n + 1);
    memcpy(t, s, n);
    return t;
}

void *isa_grow(IsaMem *m, void *at, int n, int *cap, size_t item)
{
    int more = *cap ? *cap * 2 : 8;
    void *p = isa_alloc(m, (size_t)more * item);
    if (n) memcpy(p, at, (size_t)n * item);
    *cap = more;
    return p;
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

bool isa_text_room(IsaText *t, size_t more)
{
    if (t->lost) return false;
    if (t->n + more + 1 <= t->cap) return true;
    size_t cap = (t->n + more + 1) * 2;
    char *s = realloc(t->s, cap);
    if (!s) return t->lost = true, false;
    t->s = s;
    t->cap = cap;
    return true;
}

void isa_text_bytes(IsaText *t, const void *s, size_t n)
{
    if (!isa_text_room(t, n)) return;
    if (n) memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = 0;
}

static void text_v(IsaText *t, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0 || !isa_text_room(t, (size_t)n)) return;
    vsnprintf(t->s + t->n, (size_t)n + 1, fmt, ap);
    t->n += (size_t)n;
}

void isa_text(IsaText *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    text_v(t, fmt, ap);
    va_end(ap);
}

void isa_text_free(IsaText *t)
{
    free(t->s);
    *t = (IsaText){0};
}

/* ---- diagnostics ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *text, *help;
} row[IE_COUNT] = {
#define ERR(code, text, help) {#code, text, help},
#include "isa/errors.def"
#undef ERR
};

const char *isa_error_name(IsaErrorCode code) { return row[code].name; }

void isa_error(IsaErrors *e, IsaErrorCode code, int line, int column, int length, ...)
{
    if (e->count++ >= ERROR_LIMIT) return;
    IsaError *x = calloc(1, sizeof *x);
    if (!x) return;
    IsaText t = {0};
    va_list ap;
    va_start(ap, length);
    text_v(&t, row[code].text, ap);
    va_end(ap);
    *x = (IsaError){.code = code, .line = line, .column = column, .length = length, .text = t.s};
    if (row[code].help) x->help = strdup(row[code].help);
    if (e->last) {
        e->last->next = x;
    } else {
        e->first = x;
    }
    e->last = x;
}

void isa_error_help(IsaErrors *e, const char *fmt, ...)
{
    if (e->count > ERROR_LIMIT || !e->last) return;
    IsaText t = {0};
    va_list ap;
    va_start(ap, fmt);
    text_v(&t, fmt, ap);
    va_end(ap);
    free(e->last->help);
    e->last->help = t.s;
}

void isa_errors_free(IsaErrors *e)
{
    for (IsaError *x = e->first, *next; x; x = next) {
        next = x->next;
        free(x->text);
        free(x->help);
        free(x);
    }
    e->first = e->last = NULL;
    e->count = 0;
}

/* The source line of an error and a caret under it. Control characters and bytes beyond ASCII take one column each. */
static void put_source(IsaText *out, const IsaErrors *e, const IsaError *x)
{
    const char *s = e->source, *end = s + e->length;
    for (int line = 1; line < x->line && s < end; line++) {
        const char *nl = memchr(s, '\n', (size_t)(end - s));
        if (!nl) return;
        s = nl + 1;
    }
    const char *stop = memchr(s, '\n', (size_t)(end - s));
    int n = (int)((stop ? stop : end) - s), margin = snprintf(NULL, 0, "%d", x->line), most = 200;
    if (n > most) n = most;
    isa_text(out, " %d | ", x->line);
    for (int i = 0; i < n; i++) isa_text(out, "%c", s[i] == '\t' ? ' ' : s[i] < 32 || s[i] == 127 ? '?' : s[i]);
    isa_text(out, "\n %*s | ", margin, "");
    if (x->column > most + 1) {
        isa_text(out, "\n");
        return;
    }
    for (int i = 1; i < x->column; i++) isa_text(out, " ");
    isa_text(out, "^");
    for (int i = 1; i < x->length && x->column + i <= n; i++) isa_text(out, "~");
    isa_text(out, "\n");
}

void isa_errors_render(const IsaErrors *e, IsaText *out)
{
    for (const IsaError *x = e->first; x; x = x->next) {
        if (e->name && x->line) isa_text(out, "%s:%d:%d: ", e->name, x->line, x->column);
        if (e->name && !x->line) isa_text(out, "%s: ", e->name);
        isa_text(out, "error[%.4s]: %s\n", row[x->code].name, x->text ? x->text : "");
        if (x->line && e->source) put_source(out, e, x);
        if (x->help) isa_text(out, "help: %s\n", x->help);
    }
    if (e->count > ERROR_LIMIT) isa_text(out, "note: there are %d more errors\n", e->count - ERROR_LIMIT);
}
