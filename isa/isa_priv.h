/* isa_priv: what the files of this folder share and nobody else needs. */
#ifndef TCC_ISA_PRIV_H
#define TCC_ISA_PRIV_H

#include "isa/isa.h"

#include <setjmp.h>

void *isa_grow(IsaMem *m, void *at, int n, int *cap, size_t item);
#define ISA_PUSH(m, at, n, cap, ...)                                                                                   \
    do {                                                                                                               \
        if ((n) == (cap)) (at) = isa_grow((m), (at), (n), &(cap), sizeof *(at));                                       \
        (at)[(n)++] = (__VA_ARGS__);                                                                                   \
    } while (0)
bool isa_text_room(IsaText *t, size_t more);
void isa_text_bytes(IsaText *t, const void *s, size_t n);
const char *isa_closest(const char *name, size_t n, int count,
                        const char *(*candidate)(int i)); /* NULL: nothing near */

/* Where each thing of a row's modifiers lies in its 26 bits. */
typedef struct IsaLayout {
    uint8_t mod[ISA_MODS], flag[6], number; /* first bits; 255: not there */
    uint8_t bits;
} IsaLayout;
IsaLayout isa_layout(const IsaRow *row);

#endif
