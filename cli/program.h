/* program.h: what run, bench, compile and explain do with FILE: read, choose sizes, compile, make tensors. */
#ifndef TCC_CLI_PROGRAM_H
#define TCC_CLI_PROGRAM_H

#include "cli/cli.h"
#include "cli/npy.h"

typedef enum SpecKind {
    SPEC_NONE,
    SPEC_NPY,
    SPEC_ZEROS,
    SPEC_ONES,
    SPEC_IOTA,
    SPEC_RANDOM,
    SPEC_NORMAL,
    SPEC_NUMBER
} SpecKind;

typedef struct Spec {
    SpecKind kind;
    const char *text;
    uint64_t seed;
    Npy npy;
    void *map; /* the NPY file, mapped */
    size_t mapped;
} Spec;

typedef struct Param {
    tensorcc_param is;
    Spec spec;
    const char *output; /* where its result goes, or NULL */
    int64_t *shape;
    int64_t elements, bytes;
    void *data, *before; /* before: what an inout was, when that is needed */
    tensorcc_tensor tensor, was;
} Param;

typedef struct Program {
    const char *file;
    bool artifact; /* compiled already */
    tensorcc_module *module;
    tensorcc_kernel *kernel;
    tensorcc_kernel_info info;
    int nparams, ndims;
    Param *param;
    int64_t *sizes; /* of the call */
} Program;

/* What to compile, by the options or by a line of a workloads file. */
typedef struct Request {
    const char *file, *op;
    int ndims, nconsts, nsets;
    tensorcc_value *dims, *consts, *sets;
    const char *target;
    bool fill;    /* missing inputs become random:0, missing sizes hints */
    bool tensors; /* inputs and outputs are wanted */
    int hint;     /* which of the hints, of dims that have several */
} Request;

int request_options(App *a, Request *r); /* from the command line; r->file too */
int program_open(App *a, const Request *r, Program *p);
/* Sizes from options, NPY shapes, defaults (and hints), then the kernel made for them. */
int program_compile(App *a, const Request *r, Program *p);
/* As `compile` does it: dims as given, the rest by their defaults or dynamic. */
int program_compile_plain(App *a, const Request *r, Program *p);
/* The kernel's machine code, which is otherwise made when it is first called. */
int program_make_code(App *a, const Program *p);
void *program_alloc(int64_t bytes); /* for a kernel: aligned to 64, in large pages from 1 MiB on. NULL: none left */
int program_tensors(App *a, const Request *r, Program *p, bool keep_before);
void program_close(Program *p);
/* op, target, dims (and schedule and what it took). */
void program_json(App *a, const Program *p, json_t *to);
const char *program_sizes(App *a, const Program *p); /* "M = 4, N = ?" */

int param_print(App *a, const Param *q); /* shape, range, mean, first elements */

/* ---- spec.c ---- */
int spec_parse(App *a, const char *name, const char *text, Spec *out);
void spec_close(Spec *s);
int spec_type_matches(App *a, const Param *p);
int spec_rank(App *a, const Param *p); /* reports that the file has another number of dimensions */
/* Fills p->data. bound: its elements index something of this extent (-1: they do not). */
int spec_fill(App *a, Param *p, int64_t bound);
/* An NPY file's bytes beyond its header; may be p->data itself. */
const char *spec_unpacked(App *a, const Param *p, size_t *n);
const char *spec_npy_type(const Param *p);

/* ---- check.c ---- */
/* Compares all results with the interpreter; adds max_abs_err, max_rel_err, check to `to`. WRONG when one is off. */
int program_check(App *a, Program *p, json_t *to);
int program_write(App *a, const Program *p); /* the results that --output names, as NPY */

/* ---- timing.c ---- */
/* The roof of one core for p's type, measured within about `seconds`. */
/* ---- g9.c: kernels for gpgpu run on a simulated machine, which says what they took */
bool program_is_gpgpu(const Program *p);
/* One run through the timing model. results: all blocks run, whether timed or not. */
int g9_time(App *a, Program *p, const tensorcc_tensor *const *args, bool results, tensorcc_g9_run *out);
int g9_speed(App *a, Program *p, const tensorcc_g9_run *r, json_t *to); /* the fields of --json */
void g9_print(App *a, const tensorcc_g9_run *r);
int roof_measure(App *a, const Program *p, double seconds, Roof *out);
/* ns_median … fraction_of_roof, threads. */
typedef struct Speed {
    int threads;
    double flops, bytes, gflops, gbs, fraction;
} Speed;
int speed_of(App *a, Program *p, const Timing *t, const Roof *r, Speed *out);
void speed_json(const Timing *t, const Roof *r, const Speed *s, json_t *to);

#endif
