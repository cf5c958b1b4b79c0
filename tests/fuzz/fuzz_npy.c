/* fuzz_npy: any bytes as an NPY file: refused with a reason, or read without touching anything beyond them. A file that
 * was read is written again as version 1.0, row-major, and must read as the same. */
#include "cli/npy.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const Npy *f, const void *elements)
{
    char type[8];
    size_t bytes = (size_t)f->elements * (size_t)f->size;
    uint8_t *file = malloc(1024 + bytes);
    snprintf(type, sizeof type, "%c%c%d", f->size == 1 ? '|' : '<', f->kind, f->size);
    size_t n = npy_header((char *)file, type, f->rank, f->shape);
    if (bytes) memcpy(file + n, elements, bytes);
    Npy g;
    if (!npy_parse(file, n + bytes, &g) || g.rank != f->rank || g.elements != f->elements || g.swapped || g.fortran)
        abort();
    for (int i = 0; i < f->rank; i++)
        if (f->shape[i] != g.shape[i]) abort();
    if (bytes && memcmp(g.data, elements, bytes)) abort();
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Npy f;
    if (!npy_parse(data, size, &f)) {
        if (!*f.why) abort();
        return 0;
    }
    void *to = malloc((size_t)f.elements * (size_t)f.size + 1);
    npy_copy(&f, to);
    write_again(&f, to);
    free(to);
    return 0;
}
