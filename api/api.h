/* api.h: the objects behind tensorcc.h, and what the files of this folder share.
 *
 * Locking. A context's lock guards its pool, engine and messages; a module's lock its cache of checked ops; a kernel's
 * lock its compiled variants and workspaces. No lock is held while a kernel runs, nor while a callback is called. */
#ifndef TCC_API_API_H
#define TCC_API_API_H

#include <pthread.h>
#include <stdatomic.h>

#include "codegen/codegen.h"
#include "frontend/frontend.h"
#include "include/tensorcc.h"
#include "ir/num.h"
#include "ir/te_interp.h"
#include "runtime/runtime.h"
#include "frontend/sched.h"
#include "schedule/schedule.h"

typedef struct ApiMessage ApiMessage; /* context.c: a thread's last message */
typedef struct ApiGpu ApiGpu;         /* gpgpu.c: what a kernel for gpgpu has beyond others */

struct tensorcc_context {
    tensorcc_diagnostic_fn on;
    void *user;
    bool colour;
    const tensorcc_pool *lent; /* the caller's, or NULL */
    int threads;               /* of the pool, known before there is one */
    pthread_mutex_t lock;
    RtPool *pool;
    tensorcc_pool view; /* what kernels are given */
    bool has_view;
    CgEngine *engine;
    pthread_key_t key;
    bool has_key;
    ApiMessage *messages;
};

/* An op of a module, checked, its dims unbound; kept for the next kernel made from it. */
typedef struct ApiChecked {
    struct ApiChecked *next;
    Arena *mem;
    const AstOp *ast;
    const char *consts; /* "G=32 st=2 " */
    TeOp *op;
    double ns; /* what checking took */
} ApiChecked;

struct tensorcc_module {
    tensorcc_context *ctx;
    atomic_int refs; /* the caller's and its kernels' */
    Arena *mem;
    Source src;
    AstFile *file;    /* of `.te` text, else NULL */
    SchedFile *sched; /* of `.sched` text, else NULL; it has no ops */
    TileProg *tile;   /* of Tile IR text, else NULL; never compiled itself: each kernel reads its own */
    const char **ops; /* names */
    int nops;
    double ns; /* what parsing took */
    pthread_mutex_t lock;
    ApiChecked *checked;
};

typedef struct ApiWorkspace { /* stands before the bytes that a kernel sees */
    struct ApiWorkspace *next;
    int64_t bytes;
} ApiWorkspace;

typedef enum ApiVariant { VARIANT_COMPACT, VARIANT_STRIDED, VARIANTS } ApiVariant;

struct tensorcc_kernel {
    tensorcc_context *ctx;
    tensorcc_module *module; /* keeps source and names alive */
    Arena *mem;
    TeOp *op; /* bounds checked, dims bound or dynamic */
    const Target *target;
    bool interp;
    ApiGpu *gpu; /* NULL: for another target */
    Numerics num;
    unsigned flags;
    int threads;
    const char *target_name, *schedule, *source, *numerics;
    const char **shape; /* of each parameter, as declared */
    int64_t *fixed;     /* sizes of dynamic dims, -1: from shapes; or NULL */
    int maxrank, sumrank;
    SchedUse use;   /* sched is NULL unless the schedule came out of a file */
    TileProg *prog; /* NULL: interp of a `.te` op, loaded code */
    const char *why;
    double ns; /* spent on compiling so far */
    pthread_mutex_t lock;
    CgJit jit[VARIANTS];
    atomic_bool have[VARIANTS];
    ApiWorkspace *workspaces;
    bool loaded;   /* out of an artifact */
    void *library; /* dlopen's handle of a loaded shared library */
    bool same;     /* loaded: made by this very toolchain, so that its sites are ours */
};

struct tensorcc_blob {
    size_t size;
    char data[]; /* NUL-terminated beyond size */
};

/* ---- context.c: reporting ---- */
/* Runs body(arg); false when mem ran out of memory on the way. */
bool api_guard(Arena *mem, void (*body)(void *), void *arg);
/* ---- stack.c: the same, for what recurses over programs */
bool api_guard_deep(Arena *mem, void (*body)(void *), void *arg);
void api_deep(void (*body)(void *), void *arg);
/* Gives all of d to the callback, keeps the first error as the thread's message. */
void api_report(tensorcc_context *c, const Diags *d);
/* One diagnostic without a place; returns status. */
tensorcc_status api_error(tensorcc_context *c, tensorcc_status status, DiagCode code, ...);
/* What another library found wrong, as it says it; file may be NULL. */
tensorcc_status api_foreign(tensorcc_context *c, const char *code, const char *message, const char *file, int line,
                            int column, const char *rendered);
tensorcc_status api_no_memory(tensorcc_context *c);
tensorcc_status api_usage(tensorcc_context *c, const char *function, const char *what);
/* Reports d and gives E_INPUT when it holds errors, else OK (warnings are reported). */
tensorcc_status api_verdict(tensorcc_context *c, const Diags *d);
const tensorcc_pool *api_pool(tensorcc_context *c);
CgEngine *api_engine(tensorcc_context *c, char **error);

/* ---- blob.c ---- */
tensorcc_status api_blob(tensorcc_context *c, const char *bytes, size_t n, tensorcc_blob **out);
void api_json_string(Text *t, const char *s);
const char *api_bytes(Arena *mem, double bytes); /* "4 TiB" */
/* Of n names the one that was probably meant, or NULL. */
const char *api_nearest(const char *name, int n, const char *const *names);

/* ---- module.c ---- */
void api_module_drop(tensorcc_module *m);

/* ---- compile.c ---- */
typedef struct ApiBinding {
    const char *name;
    int64_t value; /* -1: dynamic */
} ApiBinding;
tensorcc_kernel *api_kernel_new(tensorcc_module *m);
/* The op of m by name (NULL: the only one); NULL after a diagnostic. */
const AstOp *api_find_op(tensorcc_module *m, const char *name, Diags *d);
/* The checked op, with a clone in mem, dims bound. *ns: what checking took, now or before. NULL after errors. */
TeOp *api_check_op(tensorcc_module *m, const AstOp *op, int nconsts, const tensorcc_value *consts, Arena *mem, Diags *d,
                   double *ns);
TeOp *api_bind(Arena *mem, TeOp *op, int ndims, const tensorcc_value *dims, bool defaults, Diags *d);
bool api_numerics(const char *s, Numerics *out);
void api_describe_params(tensorcc_kernel *k);
/* Makes a variant of k's code when it is not there yet. */
tensorcc_status api_need(tensorcc_kernel *k, ApiVariant v);

/* ---- gpgpu.c ---- */
bool api_is_gpgpu(const char *target);
tensorcc_status api_gpgpu_target(tensorcc_kernel *k, const char *name); /* sets gpu and target */
void api_gpgpu_free(tensorcc_kernel *k);
tensorcc_status api_gpgpu_need(tensorcc_kernel *k); /* makes its code when it is not there yet */
/* kind: g9 (bytes), g9asm, mir; in mem. */
tensorcc_status api_gpgpu_text(tensorcc_kernel *k, Arena *mem, const char *kind, char **bytes, size_t *n);
/* A `.g9` file: its module, and the text that it carries ("": none). */
tensorcc_status api_gpgpu_read(tensorcc_context *c, Arena *mem, const char *path, const char *bytes, size_t n,
                               struct IsaModule **out, const char **text);
/* A kernel for gpgpu from a module, which is the kernel's once k->gpu is set, and its text. */
tensorcc_status api_gpgpu_adopt(tensorcc_kernel *k, struct IsaModule *m, const char *path, const char *text);
int64_t api_gpgpu_code_bytes(const tensorcc_kernel *k);
typedef struct ApiGpuRun {
    const int64_t *sizes, *bytes; /* of dims; of the parameters */
    void *const *data;
    int timed; /* a tensorcc_g9_timed */
    int32_t site;  /* out: 0, or 1 + the number of what failed, and the index */
    int64_t index;
    int launches;
    uint64_t cycles, instructions, dram_bytes;
    double peak_gflops, peak_gbs; /* of the machine */
    double ns, mma, occupancy, stall[TENSORCC_G9_STALLS]; /* when timed */
} ApiGpuRun;
tensorcc_status api_gpgpu_run(tensorcc_kernel *k, ApiGpuRun *r); /* compact tensors; faults of the data are in r */

/* ---- shape.c: all report into d ---- */
bool api_infer(const tensorcc_kernel *k, const int64_t *const *shape, int64_t *sizes, Diags *d);
/* All sizes known, in range, conditions true. */
void api_out_of_range(const Dim *dim, int64_t size, Diags *d); /* reports it */
bool api_check_sizes(const tensorcc_kernel *k, const int64_t *sizes, Diags *d);
bool api_shape(const tensorcc_kernel *k, int param, const int64_t *sizes, int64_t *shape, Diags *d);
/* The checks of op that are false once its bound dims are put in. */
bool api_refuted(const TeOp *op, Diags *d);
void api_sizes_text(Text *t, const TeOp *op, const int64_t *sizes);

/* A whole file, with a 0 behind it. NULL, or why it could not be read. */
const char *api_read_file(Arena *mem, const char *path, char **bytes, size_t *n);

#endif
