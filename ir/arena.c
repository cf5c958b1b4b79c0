/* arena.c: memory that is freed all at once. Blocks grow from 16 KiB to 1 MiB; what does not fit gets a block of its
 * own. Under AddressSanitizer every piece is a block, so that a write beyond one is seen. Relies on nothing but libc;
 * when the system refuses memory it jumps to the owner's handler. */
#include "ir/base.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { BLOCK_FIRST = 0, BLOCK_MOST = 0 };
#else
enum { BLOCK_FIRST = 16 << 10, BLOCK_MOST = 1 << 20 };
#endif

typedef struct Block Block;
struct Block {
    Block *next;
    size_t size; /* of data */
    _Alignas(16) char data[];
};

struct Arena {
    Block *blocks; /* the first is the one being filled */
    size_t used;   /* of the first block */
    size_t next_size, bytes;
    jmp_buf *handler;
};

Arena *arena_new(void)
{
    Arena *a = calloc(1, sizeof *a);
    if (a) a->next_size = BLOCK_FIRST;
    return a;
}

void arena_free(Arena *a)
{
    if (!a) return;
    for (Block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

void arena_catch(Arena *a, jmp_buf *handler) { a->handler = handler; }

static void *refuse(Arena *a)
{
    if (a->handler) longjmp(*a->handler, 1);
    return NULL;
}

/* A piece in a block of its own goes behind the block being filled, so that the rest of that one is not lost. */
static void *from_new_block(Arena *a, size_t bytes)
{
    bool own = bytes > a->next_size / 4;
    size_t size = own ? bytes : a->next_size;
    if (size > SIZE_MAX / 2) return refuse(a);
    Block *b = calloc(1, sizeof *b + size);
    if (!b) return refuse(a);
    b->size = size;
    if (own && a->blocks) {
        b->next = a->blocks->next;
        a->blocks->next = b;
        return b->data;
    }
    b->next = a->blocks;
    a->blocks = b;
    a->used = bytes;
    a->next_size = a->next_size * 2 > BLOCK_MOST ? BLOCK_MOST : a->next_size * 2;
    return b->data;
}

void *arena_alloc(Arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 4) return refuse(a);
    size_t rounded = bytes ? (bytes + 15) & ~(size_t)15 : 16;
    a->bytes += rounded;
    if (BLOCK_MOST == 0) return from_new_block(a, bytes);
    if (a->blocks && a->blocks->size - a->used >= rounded) {
        void *p = a->blocks->data + a->used;
        a->used += rounded;
        return p;
    }
    return from_new_block(a, rounded);
}

void *arena_dup(Arena *a, const void *p, size_t bytes)
{
    void *q = arena_alloc(a, bytes);
    if (q && bytes) memcpy(q, p, bytes);
    return q;
}

char *arena_strdup(Arena *a, const char *s) { return arena_dup(a, s, strlen(s) + 1); }

char *arena_strndup(Arena *a, const char *s, size_t n)
{
    if (n == SIZE_MAX) return refuse(a);
    char *p = arena_alloc(a, n + 1);
    if (p && n) memcpy(p, s, n);
    return p;
}

char *arena_vprintf(Arena *a, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0) return refuse(a);
    char *s = arena_alloc(a, (size_t)n + 1);
    if (s) vsnprintf(s, (size_t)n + 1, fmt, ap);
    return s;
}

char *arena_printf(Arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}

size_t arena_bytes(const Arena *a) { return a->bytes; }

void *vec_grow(Arena *a, void *at, int n, int *cap, size_t item)
{
    if (*cap > INT_MAX / 2 || (size_t)*cap > SIZE_MAX / 8 / (item ? item : 1)) return refuse(a);
    int more = *cap ? *cap * 2 : 8;
    void *to = arena_alloc(a, (size_t)more * item);
    if (to && n) memcpy(to, at, (size_t)n * item);
    *cap = more;
    return to;
}
