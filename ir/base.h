/* base: what every folder stands on: arenas, growing arrays, text buffers, source places and diagnostics.
 *
 * Memory. An Arena owns everything allocated from it until arena_free; nothing is freed singly. When the system refuses
 * memory the arena longjmps to the handler that the owner set with arena_catch, so no caller checks for NULL.
 * Text. All strings are NUL-terminated and live in an arena. Nothing here is global; nothing here prints. */
#ifndef TCC_IR_BASE_H
#define TCC_IR_BASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- arena.c ------------------------------------------------------------------------------------------------- */
typedef struct Arena Arena;

Arena *arena_new(void);                       /* NULL when there is no memory */
void arena_free(Arena *a);                    /* NULL is allowed */
void arena_catch(Arena *a, jmp_buf *handler); /* where to go when memory runs out; NULL: abort-free busy path is UB */
void *arena_alloc(Arena *a, size_t bytes);    /* zeroed, aligned to 16 */
void *arena_dup(Arena *a, const void *p, size_t bytes);
char *arena_strdup(Arena *a, const char *s);
char *arena_strndup(Arena *a, const char *s, size_t n);
char *arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *a, const char *fmt, va_list ap);
size_t arena_bytes(const Arena *a); /* bytes handed out so far */

#define NEW(a, T)          ((T *)arena_alloc((a), sizeof(T)))
#define NEW_ARRAY(a, T, n) ((T *)arena_alloc((a), sizeof(T) * (size_t)(n)))

/* A growing array in an arena: `VEC(Expr *) v = {0}; VEC_PUSH(mem, &v, e); v.at[i]; v.n`. */
#define VEC(T)                                                                                                         \
    struct {                                                                                                           \
        T *at;                                                                                                         \
        int n, cap;                                                                                                    \
    }
#define VEC_PUSH(a, v, ...)                                                                                            \
    do {                                                                                                               \
        if ((v)->n == (v)->cap) (v)->at = vec_grow((a), (v)->at, (v)->n, &(v)->cap, sizeof *(v)->at);                  \
        (v)->at[(v)->n++] = (__VA_ARGS__);                                                                             \
    } while (0)
void *vec_grow(Arena *a, void *at, int n, int *cap, size_t item);

/* ---- names.c: what names stand for ---------------------------------------------------------------------------- */
typedef struct NameTable {
    int n, cap; /* cap: a power of 2 or 0 */
    const char **name;
    void **what;
} NameTable;
void *names_find(const NameTable *t, const char *name);                 /* NULL: not in it */
void names_put(Arena *mem, NameTable *t, const char *name, void *what); /* in the place of what it stood for */

/* ---- text.c: a growing text ---------------------------------------------------------------------------------- */
typedef struct Text {
    Arena *mem;
    char *s; /* NUL-terminated, never NULL after the first text_* call */
    size_t n, cap;
} Text;
void text_add(Text *t, const char *s);
void text_addn(Text *t, const char *s, size_t n);
void text_char(Text *t, char c);
void text_printf(Text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_indent(Text *t, int level); /* two spaces a level */

bool ir_streq(const char *a, const char *b); /* NULL equals only NULL */

/* ---- places in source text ----------------------------------------------------------------------------------- */
typedef struct Source {
    const char *name; /* as the user gave it; "<stdin>" for standard input */
    const char *text; /* NUL-terminated; may hold embedded NULs before text + len */
    size_t len;
} Source;

typedef struct Span { /* bytes [at, at + len) of src; src == NULL: no place */
    const Source *src;
    uint32_t at, len;
} Span;
Span span_join(Span a, Span b);                  /* from a's start to b's end */
void span_place(Span s, int *line, int *column); /* both from 1; columns count characters (UTF-8) */

/* ---- diag.c: diagnostics ------------------------------------------------------------------------------------- */
typedef enum DiagCode {
#define DIAG(code, text, help) D_##code,
#include "ir/diags.def"
#undef DIAG
    D_COUNT
} DiagCode;

typedef struct DiagNote {
    struct DiagNote *next;
    bool is_help; /* "help:" (the mend) rather than "note:" (the other place) */
    Span span;    /* may have no place */
    const char *text;
} DiagNote;

typedef struct Diag {
    struct Diag *next;
    DiagCode code;
    bool warning;
    Span span;
    const char *text;
    DiagNote *notes;
} Diag;

/* Collects diagnostics. At most `limit` errors are kept (0: 20); the rest are only counted. */
typedef struct Diags {
    Arena *mem;
    Diag *first, *last;
    int errors, limit;
    Diag *spare; /* what diag_error gives once the limit is passed: notes on it go nowhere */
} Diags;

/* Report `code` at `span`: the row's text in diags.def is a printf format, filled from the arguments. Returns the
 * diagnostic so that notes can be hung on it. The row's help, where there is one, is added as a help note (a plain
 * text, no format). */
Diag *diag_error(Diags *d, DiagCode code, Span span, ...);
Diag *diag_error_v(Diags *d, DiagCode code, Span span, va_list ap);
Diag *diag_warn(Diags *d, DiagCode code, Span span, ...);
void diag_note(Diags *d, Diag *to, Span span, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void diag_help(Diags *d, Diag *to, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
const char *diag_name(DiagCode code); /* "F012" */
/* The rendered text: `file:line:col: error[F012]: …`, the line, a caret under it, notes and help. `colour`: ANSI
 * colours. */
void diag_render(Text *out, const Diag *d, bool colour);

#endif
