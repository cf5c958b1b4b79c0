/* tensorcc.h: the tcc tensor compiler as a library. Link with libtensorcc.
 *
 * Objects: a context (thread-safe; there are no globals), a module (a parsed `.te` file), a kernel (one op, compiled;
 * immutable, callable from any thread), a blob (bytes or text made by the library). Every function that can fail
 * returns a status; the context keeps the last message per thread, and diagnostics go to a callback. Option structs
 * start with struct_size = sizeof(the struct): a zeroed struct with only that set means the defaults. Objects keep what
 * they need alive: a kernel outlives its module. Free in any order, the context last. */
#ifndef TENSORCC_H
#define TENSORCC_H

#include <stddef.h>
#include <stdint.h>
#include "tensorcc_kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TENSORCC_API __attribute__((visibility("default")))
#else
#define TENSORCC_API
#endif

#define TENSORCC_VERSION_MAJOR 0
#define TENSORCC_VERSION_MINOR 1
TENSORCC_API const char *tensorcc_version(void);

typedef struct tensorcc_context tensorcc_context;
typedef struct tensorcc_module tensorcc_module;
typedef struct tensorcc_kernel tensorcc_kernel;
typedef struct tensorcc_blob tensorcc_blob;

typedef enum tensorcc_status {
    TENSORCC_OK = 0,
    TENSORCC_E_INPUT = 1, /* the program, a size, a tensor or an index is wrong (a diagnostic says what) */
    TENSORCC_E_USAGE = 2, /* a NULL or an unknown option value */
    TENSORCC_E_ENV = 3,   /* the environment lacks something, memory among it */
    TENSORCC_E_BUG = 70   /* a bug in tcc */
} tensorcc_status;

/* ---- diagnostics ---- */
typedef struct tensorcc_diagnostic {
    uint32_t struct_size;
    int32_t warning;                   /* 0: an error */
    const char *code, *message, *file; /* code: "T004"; file may be NULL */
    int32_t line, column;              /* from 1; 0: no place */
    int32_t nnotes;
    const char *const *notes; /* each "note: …" or "help: …", with its place in front where it has one */
    const char *rendered;     /* the whole text with caret */
} tensorcc_diagnostic;
typedef void (*tensorcc_diagnostic_fn)(void *user, const tensorcc_diagnostic *d);

/* ---- context ---- */
typedef struct tensorcc_context_options {
    uint32_t struct_size;
    tensorcc_diagnostic_fn on_diagnostic;
    void *user;
    const tensorcc_pool *pool; /* borrowed; NULL: the library owns one */
    int32_t threads;           /* of the library's own pool; 0: affinity mask and cgroup quota */
    int32_t colour;            /* ANSI colours in `rendered` */
} tensorcc_context_options;
/* *out is set even on failure (unless there is no memory at all), so that the message can be read. */
TENSORCC_API tensorcc_status tensorcc_open(const tensorcc_context_options *o, tensorcc_context **out);
TENSORCC_API void tensorcc_close(tensorcc_context *c);
TENSORCC_API const char *
tensorcc_message(tensorcc_context *c); /* of this thread's last failure; valid until its next call */

/* ---- module ---- */
/* text need not be NUL-terminated; name is used in diagnostics. One that ends in .sched is a file of schedules, which
 * has no ops: it can be formatted. */
TENSORCC_API tensorcc_status tensorcc_parse(tensorcc_context *c, const char *name, const char *text, size_t len,
                                            tensorcc_module **out);
TENSORCC_API void tensorcc_module_free(tensorcc_module *m);
TENSORCC_API int32_t tensorcc_module_ops(const tensorcc_module *m);
TENSORCC_API const char *tensorcc_module_op(const tensorcc_module *m, int32_t i);
/* The name of the op's i-th dim; NULL: it has no more. */
TENSORCC_API const char *tensorcc_module_dim(const tensorcc_module *m, int32_t op, int32_t i);
TENSORCC_API tensorcc_status tensorcc_format(tensorcc_module *m, tensorcc_blob **out); /* canonical text */

/* ---- compile ---- */
typedef struct tensorcc_value {
    const char *name, *value;
} tensorcc_value; /* "M", "64" or "?" (keep dynamic) */
typedef enum tensorcc_flags {
    TENSORCC_DEBUG_LINES = 1, /* line tables for gdb and perf */
    TENSORCC_STRIDED =
        2, /* emitted objects accept any strides (a JIT kernel makes that variant when it first needs it) */
    TENSORCC_NO_DEFAULTS = 4, /* dims not given stay dynamic even where they have a default */
    TENSORCC_CHECKED = 8 /* gpgpu: launches look for uninitialised values, races and accesses out of bounds */
} tensorcc_flags;
typedef struct tensorcc_compile_options {
    uint32_t struct_size;
    uint32_t flags;
    const char *op;       /* NULL: the only one */
    const char *target;   /* "cpu" (NULL), "cpu:NAME", "gpgpu", "gpgpu:MACHINE", "interp" */
    const char *schedule; /* "auto" (NULL), "default", "none", "FILE.sched", "FILE.sched:NAME" */
    const char *numerics; /* "fast" (NULL), "ordered", "ordered:P" */
    int32_t ndims, nconsts;
    const tensorcc_value *dims, *consts; /* a dim not given takes its default; without one it stays dynamic */
    int32_t threads;                     /* to plan for; 0: the pool's */
    int32_t nsets;
    const tensorcc_value *sets; /* values for params of the schedule */
} tensorcc_compile_options;
TENSORCC_API tensorcc_status tensorcc_compile(tensorcc_module *m, const tensorcc_compile_options *o,
                                              tensorcc_kernel **out);
TENSORCC_API void tensorcc_kernel_free(tensorcc_kernel *k);
/* Makes the machine code now rather than with the first run. */
TENSORCC_API tensorcc_status tensorcc_kernel_make(tensorcc_kernel *k);

/* A shared library made by `so` (tensorcc_emit, tcc compile). It runs its own code; sizes that were fixed stay fixed.
 */
TENSORCC_API tensorcc_status tensorcc_load(tensorcc_context *c, const char *path, tensorcc_kernel **out);

/* ---- what a kernel takes ---- */
typedef enum tensorcc_param_kind {
    TENSORCC_INPUT,
    TENSORCC_CONST_INPUT,
    TENSORCC_INOUT,
    TENSORCC_OUTPUT
} tensorcc_param_kind;
typedef struct tensorcc_param {
    uint32_t struct_size;
    int32_t kind, rank, scalar;     /* scalar: declared without brackets */
    const char *name, *dtype, *npy; /* "f16"; "<f2" */
    uint8_t dl_code, dl_bits;
    const char *shape; /* as declared: "[M,K/2]"; "" for a scalar */
} tensorcc_param;
TENSORCC_API const char *tensorcc_kernel_op(const tensorcc_kernel *k);
TENSORCC_API int32_t tensorcc_kernel_params(const tensorcc_kernel *k);
TENSORCC_API tensorcc_status tensorcc_kernel_param(const tensorcc_kernel *k, int32_t i, tensorcc_param *out);
TENSORCC_API int32_t tensorcc_kernel_dims(const tensorcc_kernel *k);
/* value: the size fixed at compile time, or -1. hints (may be NULL) gets at most `cap` of the dim's hints; returns how
 * many there are. */
TENSORCC_API const char *tensorcc_kernel_dim(const tensorcc_kernel *k, int32_t i, int64_t *value);
TENSORCC_API int32_t tensorcc_kernel_hints(const tensorcc_kernel *k, int32_t i, int64_t *hints, int32_t cap);
TENSORCC_API int64_t tensorcc_kernel_default(const tensorcc_kernel *k, int32_t i); /* a dim's default, -1: none */
/* Sizes of the dims from the shapes of given tensors: shape[i] (rank entries) or NULL when tensor i is not given. sizes
 * has an entry per dim: on entry a known size or -1; on return what follows (a dim that cannot be found keeps -1). A
 * contradiction is an error with a diagnostic. */
TENSORCC_API tensorcc_status tensorcc_kernel_infer(tensorcc_kernel *k, const int64_t *const *shape, int64_t *sizes);
/* A dynamic dim has this size in all runs from now on, not while one is under way: for a dim that no shape tells, as H
 * in `where E % H == 0`. Machine code stays as it is. */
TENSORCC_API tensorcc_status tensorcc_kernel_fix(tensorcc_kernel *k, const char *dim, int64_t size);
TENSORCC_API tensorcc_status tensorcc_kernel_shape(tensorcc_kernel *k, int32_t param, const int64_t *sizes,
                                                   int64_t *shape);
/* Bytes of the compact tensor; an error when that overflows. */
TENSORCC_API tensorcc_status tensorcc_kernel_bytes(tensorcc_kernel *k, int32_t param, const int64_t *sizes,
                                                   int64_t *bytes);
/* Where the elements of an integer parameter index something: they are in range when below *bound (and not negative).
 * -1: they index nothing. */
TENSORCC_API tensorcc_status tensorcc_kernel_index_bound(tensorcc_kernel *k, int32_t param, const int64_t *sizes,
                                                         int64_t *bound);

/* ---- run ---- */
/* DLPack 1.x layout, declared here so that no header is needed; identical to dlpack.h's DLTensor. */
typedef struct tensorcc_dl_device {
    int32_t type, id;
} tensorcc_dl_device; /* CPU is 1, 0 */
typedef struct tensorcc_dl_dtype {
    uint8_t code, bits;
    uint16_t lanes;
} tensorcc_dl_dtype;
typedef struct tensorcc_tensor {
    void *data;
    tensorcc_dl_device device;
    int32_t ndim;
    tensorcc_dl_dtype dtype;
    int64_t *shape, *strides; /* strides in elements, NULL: compact */
    uint64_t byte_offset;
} tensorcc_tensor;
/* One tensor per parameter, in declaration order (inputs, then outputs; a scalar has ndim 0 or shape {1}). Checked:
 * types, shapes, sizes, aliasing of outputs with anything else. Numbers of threads as the pool gives. A failing index
 * is a diagnostic that names op, access and index. */
TENSORCC_API tensorcc_status tensorcc_run(tensorcc_kernel *k, int32_t n, const tensorcc_tensor *const *args);
/* The raw entry point: unchecked. NULL for target interp. Valid while the kernel lives. */
TENSORCC_API tensorcc_kernel_fn tensorcc_kernel_entry(tensorcc_kernel *k, tensorcc_workspace_fn *workspace);
/* The pool that tensorcc_run uses, for tensorcc_call.pool; NULL when it has one thread. Lives as long as the context.
 */
TENSORCC_API const tensorcc_pool *tensorcc_context_pool(tensorcc_context *c);
/* What a fault of the raw entry point means: a diagnostic, and TENSORCC_E_INPUT. */
TENSORCC_API tensorcc_status tensorcc_explain_fault(tensorcc_kernel *k, int32_t status, const tensorcc_fault *fault);

/* ---- check against the interpreter ---- */
typedef struct tensorcc_check_result {
    uint32_t struct_size;
    int32_t pass;
    double max_abs_err, max_rel_err;
    double bound, got, want; /* at the worst element */
    int64_t at, compared, total;
} tensorcc_check_result;
/* before: the tensors as they were (inouts' old values); after: as they came out. Compact. One result per parameter
 * (inputs: compared 0). */
TENSORCC_API tensorcc_status tensorcc_check(tensorcc_kernel *k, int32_t n, const tensorcc_tensor *const *before,
                                            const tensorcc_tensor *const *after, tensorcc_check_result *result);

/* ---- emit, explain ---- */
/* kind: te tile llvm asm obj so header, for gpgpu te tile mir g9 g9asm; with a schedule out of a file also schedule (with its params' values filled
 * in), steps (the program after each statement), space (the params). `so` links with the system's C compiler driver
 * (the variable CC, else cc). */
TENSORCC_API tensorcc_status tensorcc_emit(tensorcc_kernel *k, const char *kind, tensorcc_blob **out);
typedef struct tensorcc_kernel_info {
    uint32_t struct_size;
    const char *op, *target, *schedule, *schedule_source, *numerics;
    double compile_ms;
    int64_t code_bytes;
} tensorcc_kernel_info;
TENSORCC_API tensorcc_status tensorcc_kernel_describe(const tensorcc_kernel *k, tensorcc_kernel_info *out);
typedef struct tensorcc_work {
    uint32_t struct_size;
    double flops, bytes, terms; /* -1: not known (Tile IR text), or too many to count */
} tensorcc_work;
TENSORCC_API tensorcc_status tensorcc_kernel_work(tensorcc_kernel *k, const int64_t *sizes, tensorcc_work *out);
TENSORCC_API tensorcc_status tensorcc_explain(tensorcc_kernel *k, const int64_t *sizes, tensorcc_blob **out);

TENSORCC_API const char *tensorcc_blob_data(const tensorcc_blob *b);
TENSORCC_API size_t tensorcc_blob_size(const tensorcc_blob *b);
TENSORCC_API void tensorcc_blob_free(tensorcc_blob *b);

/* ---- elements ----
 * Between doubles and n elements of a type, from element `first` of data on (i4 and u4: nibbles, low first). Encoding
 * converts as a cast in the language does: floats round to nearest even, integers truncate and saturate. */
TENSORCC_API tensorcc_status tensorcc_encode(tensorcc_context *c, const char *dtype, const double *x, void *data,
                                             int64_t first, int64_t n);
TENSORCC_API tensorcc_status tensorcc_decode(tensorcc_context *c, const char *dtype, const void *data, int64_t first,
                                             int64_t n, double *x);

/* ---- this machine ---- */
/* What this process may use of it: affinity mask and cgroup quota; free memory within the cgroup's limit, in bytes (0:
 * not known). */
TENSORCC_API int32_t tensorcc_usable_cpus(void);
TENSORCC_API int64_t tensorcc_usable_memory(void);
TENSORCC_API const char *tensorcc_toolchain(void); /* "tcc 0.1, LLVM 22.1.0" */
typedef struct tensorcc_peak {
    uint32_t struct_size;
    double gflops_f32, gflops_f64, gbs;
} tensorcc_peak; /* of one core */
TENSORCC_API tensorcc_status tensorcc_measure_peak(tensorcc_context *c, double seconds, tensorcc_peak *out);
TENSORCC_API void tensorcc_flush_caches(tensorcc_context *c);
/* JSON array of targets with their descriptions. */
TENSORCC_API tensorcc_status tensorcc_targets(tensorcc_context *c, tensorcc_blob **json);

/* ---- G9: text and binaries ----
 * data may be G9 text or the bytes of a `.g9` file; name is used in diagnostics. */
TENSORCC_API tensorcc_status tensorcc_assemble(tensorcc_context *c, const char *name, const void *data, size_t len,
                                               tensorcc_blob **out); /* `.g9` bytes */
TENSORCC_API tensorcc_status tensorcc_disassemble(tensorcc_context *c, const char *name, const void *data, size_t len,
                                                  tensorcc_blob **out); /* text that assembles to the same */

/* ---- G9: devices ----
 * A device is a simulated machine: "tiny", "v100", "a100", "h100", or the path of a machine file. Its calls may come
 * from any thread; a launch keeps the device to itself. */
typedef struct tensorcc_device tensorcc_device;
typedef uint64_t tensorcc_address; /* of device memory; 0 is never valid */
typedef struct tensorcc_device_info {
    uint32_t struct_size;
    int32_t warp, multiprocessors, mhz, max_threads; /* max_threads: of a block */
    const char *name;
    int64_t memory, shared; /* bytes; shared: the most of a block */
} tensorcc_device_info;
TENSORCC_API tensorcc_status tensorcc_device_open(tensorcc_context *c, const char *machine, tensorcc_device **out);
TENSORCC_API void tensorcc_device_close(tensorcc_device *d); /* after its programs */
TENSORCC_API tensorcc_status tensorcc_device_describe(const tensorcc_device *d, tensorcc_device_info *out);
TENSORCC_API tensorcc_status tensorcc_device_alloc(tensorcc_device *d, uint64_t bytes, tensorcc_address *out);
TENSORCC_API tensorcc_status tensorcc_device_free(tensorcc_device *d, tensorcc_address at);
TENSORCC_API tensorcc_status tensorcc_device_write(tensorcc_device *d, tensorcc_address to, const void *from,
                                                   uint64_t bytes);
TENSORCC_API tensorcc_status tensorcc_device_read(tensorcc_device *d, void *to, tensorcc_address from, uint64_t bytes);
TENSORCC_API tensorcc_status tensorcc_device_fill(tensorcc_device *d, tensorcc_address to, uint8_t value,
                                                  uint64_t bytes);

/* ---- G9: programs and launches ---- */
typedef struct tensorcc_program tensorcc_program;
TENSORCC_API tensorcc_status tensorcc_program_load(tensorcc_device *d, const char *name, const void *data, size_t len,
                                                   tensorcc_program **out);
TENSORCC_API void tensorcc_program_free(tensorcc_program *p);
TENSORCC_API int32_t tensorcc_program_kernels(const tensorcc_program *p);
typedef struct tensorcc_g9_kernel {
    uint32_t struct_size;
    int32_t params, registers;
    const char *name;
    uint32_t block[3], cluster[3]; /* required sizes; 0: any */
    uint32_t shared;               /* bytes */
} tensorcc_g9_kernel;
TENSORCC_API tensorcc_status tensorcc_program_kernel(const tensorcc_program *p, int32_t i, tensorcc_g9_kernel *out);
/* kind: TENSORCC_INOUT for pointers (whose shape may name dims), TENSORCC_INPUT for scalars. */
TENSORCC_API tensorcc_status tensorcc_program_param(const tensorcc_program *p, int32_t kernel, int32_t i,
                                                    tensorcc_param *out);
typedef struct tensorcc_launch_options {
    uint32_t struct_size;
    int32_t kernel;
    uint32_t grid[3], block[3], cluster[3]; /* 0: what the kernel requires, else 1 (grid) or a warp (block.x) */
    uint32_t shared;                        /* bytes beyond the kernel's own */
    int32_t threads;                        /* of the host; 0: as many as may be used. Results do not depend on it */
    int32_t checked;                        /* uninitialised values, bounds of allocations, races are faults too */
    uint64_t budget;                        /* instructions of a warp; 0: 2^30 */
    int32_t timing;                         /* a tensorcc_g9_timed; not with `checked` */
    int32_t trace;                          /* timing: the result has a trace */
} tensorcc_launch_options;
typedef enum tensorcc_g9_timed {
    TENSORCC_G9_UNTIMED,
    TENSORCC_G9_TIMED,       /* every block is timed */
    TENSORCC_G9_EXTRAPOLATE, /* of a large uniform launch, some blocks are timed; all run */
    TENSORCC_G9_ONLY_TIMED   /* so, but blocks that are not timed do not run: memory lacks what they write */
} tensorcc_g9_timed;
enum { TENSORCC_G9_CATEGORIES = 9, TENSORCC_G9_STALLS = 13, TENSORCC_G9_COUNTERS = 16, TENSORCC_G9_PIPES = 11 };
typedef struct tensorcc_g9_timing {   /* docs/timing.md */
    uint64_t cycles;                  /* 0: the launch was not timed */
    double ns;                        /* cycles at the machine's clock */
    double stall[TENSORCC_G9_STALLS]; /* shares of the clocks of all warps, together 1 */
    const char *stall_name[TENSORCC_G9_STALLS];
    uint64_t counter[TENSORCC_G9_COUNTERS];
    const char *counter_name[TENSORCC_G9_COUNTERS];
    double pipe[TENSORCC_G9_PIPES]; /* shares of all clocks in which a pipe was busy */
    const char *pipe_name[TENSORCC_G9_PIPES];
    double mma_utilisation, occupancy; /* occupancy: resident warps by the most, on average */
    int64_t dram_bytes;
    int32_t blocks_per_multiprocessor; /* at once */
    const char *limited_by;            /* what keeps more blocks away */
    double waves, l1_hit_rate, l2_hit_rate, sectors_per_request;
    int64_t blocks, blocks_timed; /* fewer timed: the rest is extrapolated */
    double error;                 /* estimated, relative; 0 when all blocks were timed */
} tensorcc_g9_timing;
typedef struct tensorcc_launch_result {
    uint32_t struct_size;
    uint32_t grid[3], block[3], cluster[3]; /* as launched */
    uint64_t warp_instructions, thread_instructions;
    uint64_t category[TENSORCC_G9_CATEGORIES];
    const char *category_name[TENSORCC_G9_CATEGORIES];
    double ns; /* of the host */
    tensorcc_g9_timing timing;
    tensorcc_blob *trace; /* NULL unless asked for; Chrome's trace events, the caller's */
} tensorcc_launch_result;
/* args: one per parameter, an address or a scalar's bits in the low end. A fault is a diagnostic that says instruction,
 * block, thread and source line, and TENSORCC_E_INPUT. */
TENSORCC_API tensorcc_status tensorcc_launch(tensorcc_program *p, const tensorcc_launch_options *o, int32_t nargs,
                                             const uint64_t *args, tensorcc_launch_result *out);

/* ---- G9: compiled ops ----
 * What a run of a kernel for gpgpu took on its machine, all launches together. */
typedef struct tensorcc_g9_run {
    uint32_t struct_size;
    int32_t launches;
    uint64_t cycles, instructions; /* instructions of warps */
    double ns;                     /* cycles at the machine's clock */
    double mma_utilisation, occupancy;
    double peak_gflops, peak_gbs; /* of the machine: fmas of the results' type, DRAM */
    int64_t dram_bytes;
    double stall[TENSORCC_G9_STALLS];
    const char *stall_name[TENSORCC_G9_STALLS];
} tensorcc_g9_run;
/* tensorcc_run through the timing model; timing: a tensorcc_g9_timed other than UNTIMED. */
TENSORCC_API tensorcc_status tensorcc_run_timed(tensorcc_kernel *k, int32_t n, const tensorcc_tensor *const *args,
                                                int32_t timing, tensorcc_g9_run *out);

#ifdef __cplusplus
}
#endif
#endif
