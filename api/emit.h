/* emit.h: what emit.c and artifact.c share. */
#ifndef TCC_API_EMIT_H
#define TCC_API_EMIT_H

#include "api/api.h"

/* What an artifact says of itself: lines `KEY VALUE`, `more` after them, an empty line, the source. */
void api_metadata(Text *t, const tensorcc_kernel *k, const char *more);
/* A C header for the compiled kernel. */
void api_header(Text *t, const tensorcc_kernel *k);
/* Object code of k in mem; TENSORCC_OK, or reported. */
tensorcc_status api_object(tensorcc_kernel *k, Arena *mem, CgEmit kind, char **bytes, size_t *n);
/* A shared library, as bytes in mem. */
tensorcc_status api_library(tensorcc_kernel *k, Arena *mem, char **bytes, size_t *n);
void api_comment(Text *t, const char *margin, const char *s); /* lines of s, safe inside a C comment */
/* ---- elf.c */
void elf_seal(Arena *mem, char **bytes, size_t *n); /* a library that was just linked: what tells damage goes to its end */
const char *elf_damage(const char *bytes, size_t n); /* why the dynamic linker should not see it; NULL: it may */

#endif
