/* npy.h: NumPy's file format, versions 1.0 to 3.0 read, 1.0 written. Depends on libc only (it is fuzzed alone). */
#ifndef TCC_CLI_NPY_H
#define TCC_CLI_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NPY_RANK = 32 };

typedef struct Npy {
    char kind; /* f i u b */
    int size;  /* bytes of an element */
    bool swapped, fortran;
    int rank;
    int64_t shape[NPY_RANK], elements;
    const uint8_t *data;
    char why[160]; /* what is wrong */
} Npy;

/* A file's bytes, which must stay; false, and why, when they are no NPY file of numbers or not all of it. */
bool npy_parse(const uint8_t *bytes, size_t n, Npy *out);
/* The elements in row-major order and this machine's byte order; to has elements * size bytes. */
void npy_copy(const Npy *f, void *to);
/* The header for elements of type descr ("<f4"); gives its length, a multiple of 64; to has room for 1024 bytes. */
size_t npy_header(char *to, const char *descr, int rank, const int64_t *shape);

#endif
