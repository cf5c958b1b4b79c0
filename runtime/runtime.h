/* runtime: what running needs and compiling does not: thread pool, floating-point environment, host measurements. Uses
 * nothing of the compiler, nothing but libc, libm and pthreads. */
#ifndef TCC_RUNTIME_RUNTIME_H
#define TCC_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "include/tensorcc_kernel.h"

/* ---- machine.c: what of the machine this process may use
 * ------------------------------------------------------------- */
int rt_usable_cpus(void);             /* affinity mask and cgroup quota, at least 1 */
int rt_cgroup_cpus(const char *root); /* the quota alone, rounded up; 0: none. root stands before /proc and /sys: "" */
int64_t rt_usable_memory(void);       /* bytes that are free within the cgroup's limit; 0: not known */
/* Memory of bytes > 0, aligned to 64; from 1 MiB on in large pages where the system gives them (TLB misses cost a
 * packed product several per cent). NULL: none left. free() releases it. */
void *rt_alloc(int64_t bytes);
double rt_now_ns(void); /* a monotonic clock */

/* ---- pool.c --------------------------------------------------------------------------------------------------------
 */
typedef struct RtPool RtPool;
RtPool *rt_pool_new(int threads); /* threads <= 0: rt_usable_cpus; the caller's thread is one of them */
void rt_pool_free(RtPool *p);
tensorcc_pool rt_pool_view(RtPool *p); /* for tensorcc_call.pool; a nested or concurrent parallel_for is safe */

/* ---- fpenv.c: kernels run with round-to-nearest, no flush to zero, exceptions masked
 * --------------------------------- */
typedef struct RtFpEnv {
    uint32_t mxcsr;
    uint16_t x87;
} RtFpEnv;
RtFpEnv rt_fpenv_enter(void); /* sets it, returns what was there */
void rt_fpenv_leave(RtFpEnv old);

/* ---- peak.c: the roof of one core, measured: multiply-adds in registers, streaming over buffers beyond the caches
 * -------- */
double rt_peak_gflops_f32(double seconds); /* best of several; 2 per multiply-add */
double rt_peak_gflops_f64(double seconds);
double rt_peak_gbs(double seconds, int threads); /* best of read, copy and triad patterns, bytes read + written */
void rt_flush_caches(void);

#endif
