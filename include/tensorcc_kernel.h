/* tensorcc_kernel.h: how compiled kernels are called. Frozen: version 1. Plain C, no dependency.
 *
 * A kernel is two functions, NAME and NAME_workspace:
 *
 *     int32_t NAME(const tensorcc_call *call);
 *     int64_t NAME_workspace(const int64_t *sizes, int32_t threads);      bytes of workspace it needs, or -1 when that
 * overflows
 *
 * Tensors stand in declaration order: inputs (an inout once, among them), then outputs. A scalar parameter is a pointer
 * to its value. Sub-byte types (i4, u4) lie two to a byte, low nibble first, along the last dimension; each row starts
 * on a byte, so their innermost stride is 1 and the strides of the other dimensions count elements and are even. u1 is
 * a byte, 0 or 1. */
#ifndef TENSORCC_KERNEL_H
#define TENSORCC_KERNEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One piece of a parallel loop: iterations [begin, end), run by thread `worker`, 0 <= worker < threads. */
typedef void (*tensorcc_task)(void *closure, int64_t begin, int64_t end, int32_t worker);

/* A pool of threads, the caller's or the library's. parallel_for runs body over [0, n) in any order, on at most
 * `threads` threads at once with different `worker` numbers, and returns when all is done. */
typedef struct tensorcc_pool {
    void *self;
    int32_t threads;
    void (*parallel_for)(void *self, int64_t n, tensorcc_task body, void *closure);
} tensorcc_pool;

/* Filled in when a kernel fails: which place of the source (a number in the kernel's table of sites), and the index or
 * value. */
typedef struct tensorcc_fault {
    int32_t site; /* 0: none; else 1 + number of the site */
    int32_t pad;
    int64_t index;
} tensorcc_fault;

typedef struct tensorcc_call {
    void *const
        *data; /* one pointer per tensor, to its first element (offset applied); no alignment beyond the element's */
    const int64_t *sizes;   /* one per dim, in declaration order; also those fixed at compile time */
    const int64_t *strides; /* in elements, for all tensors one after another, rank entries each; NULL: all are compact
                               (row-major) */
    void *workspace;        /* NAME_workspace(sizes, threads) bytes, aligned to 64; may be NULL when that is 0 */
    const tensorcc_pool *pool; /* NULL: run on the calling thread */
    tensorcc_fault *fault;     /* may be NULL */
} tensorcc_call;

/* Status codes of a kernel. */
enum {
    TENSORCC_KERNEL_OK = 0,
    TENSORCC_KERNEL_FAULT = 1, /* a gather out of range or a division by zero: see fault; outputs are unspecified,
                                  nothing else is touched */
    TENSORCC_KERNEL_STRIDES =
        2, /* strides that this kernel was not compiled for (a kernel compiled for compact tensors got others) */
    TENSORCC_KERNEL_SIZES = 3 /* a size differs from what was fixed, is out of its range, or a `where` is false:
                                 fault.site is 1 + number of the check */
};

typedef int32_t (*tensorcc_kernel_fn)(const tensorcc_call *);
typedef int64_t (*tensorcc_workspace_fn)(const int64_t *sizes, int32_t threads);

#ifdef __cplusplus
}
#endif
#endif
