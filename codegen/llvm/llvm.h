/* llvm (private to codegen/llvm): the state of one translation of a Tile IR program into an LLVM module.
 *
 * How values run. Outside a VECTOR loop every value is a scalar. Inside one of W lanes a value is uniform (a scalar,
 * VAL_UNI), affine in the lane (VAL_AFF: index values base + lane * step, kept apart so that addresses stay
 * contiguous), or one vector (VAL_VEC). Only what varies is ever widened. Functions on raw LLVM values (types.c,
 * math.c) work on scalars and vectors alike: they take the number of lanes from the type of their argument.
 *
 * Masks. f->mask says which lanes are active: all, the first n (the remainder of a vector loop), or any set
 * (conditions). Inactive lanes compute garbage that nothing reads; memory, faults and lane accumulators are what masks
 * protect.
 *
 * Numbers. Held values are as num.h says, in LLVM types: float for f32, tf32, f16, bf16 and f8, iN for integers (i8 for
 * i4, u4, wrapped after each operation), i1 for u1, i64 for index. */
#ifndef TCC_CODEGEN_LLVM_H
#define TCC_CODEGEN_LLVM_H

#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/TargetMachine.h>

#include "codegen/codegen.h"
#include "ir/num.h"

enum { CG_ZEROS = 1024 };      /* bytes of the constant that loads of inactive lanes read */
enum { CG_STACK_BUF = 8192 };  /* a buffer up to this many bytes lives on the stack … */
enum { CG_STACK_ALL = 32768 }; /* … while all of a kernel's stay below this */

/* How the elements of a tensor lie in memory. */
typedef enum Rep {
    REP_NATIVE, /* as the interface says */
    REP_NIBBLE, /* i4, u4 parameters: two to a byte */
    REP_HELD    /* registers: as held (f16 as float); u1 a byte */
} Rep;

/* What is known of a tensor before code is made. */
typedef struct Buffer {
    bool used;       /* has an ALLOC */
    bool stack;      /* else workspace */
    bool per_worker; /* allocated inside a PARALLEL loop */
    int lanes;       /* of the VECTOR loop around its ALLOC, else 1: each element is so many */
    int64_t count;   /* elements (times lanes) when the shape is known, else -1 */
    Rep rep;
} Buffer;

typedef struct Cg {
    Arena *mem;
    const TileProg *p;
    const TeOp *op;
    const Target *t;
    const CgOptions *o;
    bool fast;
    const char *symbol;
    LLVMContextRef ctx;
    LLVMModuleRef mod;
    LLVMTypeRef i1, i8, i16, i32, i64, f16, f32, f64, ptr, none, task_type;
    LLVMValueRef fault_fn, zeros;
    Buffer *buf;         /* by tensor id */
    LLVMValueRef *scope; /* by tensor id: alias.scope and noalias lists */
    LLVMValueRef *others;
    unsigned md_scope, md_noalias;
    int ntasks, widest;   /* widest: lanes of the widest vector loop */
    LLVMDIBuilderRef dib; /* NULL without debug lines */
    LLVMMetadataRef dfile, dtype;
    struct Fn *open; /* functions whose builders are to be disposed of */
    jmp_buf *bail;   /* where cg_fail goes */
    char *error;
} Cg;

typedef enum ValKind { VAL_NONE, VAL_UNI, VAL_AFF, VAL_VEC } ValKind;
typedef struct Val {
    ValKind kind;
    LLVMValueRef v;    /* UNI, VEC: the value. AFF: that of lane 0 */
    LLVMValueRef step; /* AFF: i64, difference between lanes */
} Val;

typedef struct Mask {
    LLVMValueRef m; /* <W x i1>; NULL: all lanes */
    LLVMValueRef n; /* i64: just the first n lanes; NULL: not such a mask */
    bool some;      /* at least one lane is active */
} Mask;

typedef struct Place {      /* a tensor in the function that is being made */
    LLVMValueRef ptr, slot; /* slot: its place on the stack, once it has one */
    LLVMTypeRef elem;       /* in memory */
    Rep rep;
    int lanes; /* per-lane elements, else 1 */
    bool own;  /* no other thread sees it and W elements beyond its end may be read and written back */
    bool ready;
    LLVMValueRef *stride, *extent; /* i64, in elements */
} Place;

/* Partial results of a reduction over lanes: `buf[ix] op= value` in a vector loop where ix is the same in all lanes. */
typedef struct Shadow {
    struct Shadow *next;
    const Tensor *buf, *where;
    RedOp op;
    bool flip; /* a max of floats, kept as the min of what is negated (arith.c: min is cheaper) */
    Expr **ix; /* the one place, evaluated outside the loop; NULL: the shadow has all of buf's elements */
    LLVMValueRef at, where_at; /* its places in buf and where */
    int64_t count;
    LLVMValueRef acc, idx; /* arrays of vectors */
} Shadow;

typedef struct Fn {
    Cg *c;
    struct Fn *next; /* in c->open */
    LLVMValueRef fn;
    LLVMBuilderRef b, eb; /* eb: in the entry block, which holds only allocas */
    LLVMBasicBlockRef entry;
    LLVMMetadataRef dscope;
    LLVMValueRef call, fault, worker, sink, scratch[2];
    LLVMValueRef strides_at;           /* strides of all parameters, when strides != 0 */
    LLVMValueRef ws_shared, ws_worker; /* bases of workspace */
    LLVMValueRef *ws_off;              /* by tensor id: offset in its part */
    LLVMValueRef *dim;
    Place *place;
    Val *var;
    Val *memo;    /* by Expr.id */
    VEC(int) log; /* ids in memo, in order of entry */
    int lanes;
    Mask mask, root; /* root: that of the vector loop itself */
    Shadow *shadows;
    bool in_parallel;
    bool stream;   /* the statement's stores go past the caches */
    bool streamed; /* some did, so other threads see them only after a fence */
    int strides;   /* of parameters: 0 compact, 1 run-time but innermost 1, 2 run-time */
} Fn;

/* ---- types.c --------------------------------------------------------------------------------------------------------
 */
void cg_fail(Cg *c, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
LLVMTypeRef cg_held(Cg *c, DType t);
LLVMTypeRef cg_elem(Cg *c, DType t, Rep r);
LLVMTypeRef cg_wide(LLVMTypeRef t, int lanes);      /* lanes 1: t */
LLVMTypeRef cg_like(LLVMValueRef v, LLVMTypeRef t); /* t, with as many lanes as v */
int cg_lanes(LLVMValueRef v);
LLVMValueRef cg_int(LLVMTypeRef t, int64_t v); /* t may be a vector type */
LLVMValueRef cg_real(LLVMTypeRef t, double v);
LLVMValueRef cg_num(Cg *c, DType t, Num v); /* a scalar held constant */
bool cg_known(LLVMValueRef v, int64_t *out);
LLVMValueRef cg_iota(Cg *c, LLVMTypeRef t, int lanes);
LLVMValueRef cg_call(Fn *f, const char *intrinsic, LLVMTypeRef over, int n, LLVMValueRef *args);
LLVMValueRef cg_call1(Fn *f, const char *intrinsic, LLVMValueRef a);
LLVMValueRef cg_call2(Fn *f, const char *intrinsic, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_decode(Fn *f, DType t, Rep r, LLVMValueRef mem); /* memory element → held */
LLVMValueRef cg_encode(Fn *f, DType t, Rep r, LLVMValueRef held);
LLVMValueRef cg_round(Fn *f, DType t, LLVMValueRef x); /* f32 → held value of t */
LLVMValueRef cg_wrap(Fn *f, DType t, LLVMValueRef x);  /* i8 → i4, u4 */
LLVMValueRef cg_cast(Fn *f, DType to, DType from, LLVMValueRef x);
LLVMValueRef cg_add(Fn *f, LLVMValueRef a, LLVMValueRef b); /* i64, folding 0 and 1 */
LLVMValueRef cg_sub(Fn *f, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_mul(Fn *f, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_splat(Fn *f, LLVMValueRef v); /* scalar → f->lanes lanes */
LLVMValueRef cg_vec(Fn *f, Val v);            /* any value as a vector */
Val cg_uni(LLVMValueRef v);
Val cg_val(LLVMValueRef v);                              /* UNI or VEC by its type */
LLVMValueRef cg_any(Fn *f, LLVMValueRef mask);           /* i1: is any lane set */
LLVMValueRef cg_alloca(Fn *f, LLVMTypeRef t, int64_t n); /* in the entry block, aligned to 64 */
LLVMBasicBlockRef cg_block_new(Fn *f, const char *name);
void cg_goto(Fn *f, LLVMBasicBlockRef b); /* end the block with a jump, if it is open */
void cg_enter(Fn *f, LLVMBasicBlockRef b);

/* ---- math.c ---------------------------------------------------------------------------------------------------------
 */
LLVMValueRef cg_prog(Fn *f, const MathProg *p, LLVMValueRef *in);
LLVMValueRef cg_math(Fn *f, ExprOp op, DType t, LLVMValueRef *arg); /* MATH_EXPR rows and POWI (exponent i64) */

/* ---- arith.c: one operation on held values, scalar or vector
 * -------------------------------------------------------------- */
LLVMValueRef cg_op(Fn *f, ExprOp op, DType t, LLVMValueRef *arg);
LLVMValueRef cg_divide(Fn *f, bool mod, DType t, bool positive, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_fma(Fn *f, DType t, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);
LLVMValueRef cg_better(Fn *f, RedOp r, DType t, LLVMValueRef x, LLVMValueRef y); /* num_better */
LLVMValueRef cg_before(Fn *f, RedOp r, DType t, LLVMValueRef x, LLVMValueRef i, LLVMValueRef y, LLVMValueRef j);
LLVMValueRef cg_combine(Fn *f, RedOp r, DType t, LLVMValueRef acc, LLVMValueRef x); /* one step of a reduction */

/* ---- memory.c -------------------------------------------------------------------------------------------------------
 */
Val cg_offset(Fn *f, const Tensor *t, const Val *ix); /* in elements */
/* The element(s) at off; where `ok` (i1, may be NULL) is false or a lane is masked, 0 without touching memory. */
Val cg_load(Fn *f, const Tensor *t, Val off, LLVMValueRef ok, Mask m);
/* The 32 bits from an element of 16 on: those at off in all lanes, or, as many for each lane, from off on. NULL: not
 * under this mask. */
LLVMValueRef cg_load_units(Fn *f, const Tensor *t, Val off);
LLVMValueRef cg_some_lanes(Fn *f, LLVMValueRef v, LLVMValueRef more, int from, int n); /* v[from], …, on into `more` */
void cg_store(Fn *f, const Tensor *t, Val off, Val v, Mask m);
void cg_finish_streams(Fn *f); /* before f returns */
void cg_prefetch(Fn *f, const Tensor *t, Val off, bool write);
Val cg_plus(Fn *f, Val a, Val b);                                            /* of offsets */
LLVMValueRef cg_encoded(Fn *f, const Tensor *t, Val v);                      /* a vector, as t holds it */
void cg_store_row(Fn *f, const Tensor *t, LLVMValueRef off, LLVMValueRef v); /* encoded, at consecutive elements */
LLVMValueRef cg_lane_active(Fn *f, Mask m, int lane);                        /* i1 */

/* ---- expr.c ---------------------------------------------------------------------------------------------------------
 */
Val cg_expr(Fn *f, const Expr *e);
LLVMValueRef cg_scalar(Fn *f, const Expr *e); /* must be uniform */
Mask cg_narrow(Fn *f, Mask m, LLVMValueRef cond);
int cg_mark(Fn *f);
void cg_forget(Fn *f, int mark);
void cg_fault(Fn *f, LLVMValueRef bad, int site, LLVMValueRef index); /* bad: i1 or <W x i1>, already masked */

/* ---- stmt.c ---------------------------------------------------------------------------------------------------------
 */
void cg_block(Fn *f, const Block *b);
void cg_stmt(Fn *f, const Stmt *s);
Val cg_place(Fn *f, const Tensor *t, Expr *const *ix);

/* ---- shadow.c: reductions across lanes
 * ------------------------------------------------------------------------------- */
void cg_shadows_open(Fn *f, const Stmt *loop);
void cg_shadows_close(Fn *f, Shadow *until);
Shadow *cg_shadow(Fn *f, const Stmt *update);
void cg_shadow_update(Fn *f, const Stmt *s, Shadow *sh);
void cg_update_lanes(Fn *f, const Stmt *s, Val off); /* one place for all lanes, in lane order */

/* ---- loop.c ---------------------------------------------------------------------------------------------------------
 */
void cg_loop(Fn *f, const Stmt *s);
/* transpose.c: an unrolled loop in lanes whose n iterations store a block along its other side; false: none such. */
bool cg_transposed(Fn *f, const Stmt *loop, int64_t from, int64_t n);
/* pairs.c: an unrolled loop of two in lanes that adds products of neighbouring 16-bit integers; false: none such. */
bool cg_pairs(Fn *f, const Stmt *loop, int64_t from, int64_t n);
/* for i = lo, lo + step, … below hi { … }: cg_count_open returns i (i64), body follows, then cg_count_close. */
typedef struct Count {
    LLVMBasicBlockRef body, exit, join;
    LLVMValueRef i, hi;
    int64_t step;
    int mark;
} Count;
LLVMValueRef cg_count_open(Fn *f, Count *l, LLVMValueRef lo, LLVMValueRef hi, int64_t step);
void cg_count_close(Fn *f, Count *l);

/* ---- kernel.c -------------------------------------------------------------------------------------------------------
 */
/* Adds the kernel and its workspace function to c->mod. */
void cg_kernel(Cg *c);
Fn *cg_fn_new(Cg *c, const char *name, LLVMTypeRef type, bool local);
void cg_fn_close(Fn *f); /* in the reverse order of opening */
void cg_fn_drop(Fn *f);

/* ---- parallel.c -----------------------------------------------------------------------------------------------------
 */
void cg_parallel(Fn *f, const Stmt *s, LLVMValueRef lo, LLVMValueRef hi);
bool cg_is_apart(Fn *f, const Block *b, int at); /* a copy that a kernel follows in its block */
void cg_apart(Fn *f, const Stmt *s);             /* the loop as a function of its own */

/* ---- layout.c: where buffers live
 * ------------------------------------------------------------------------------------ */
void cg_plan_buffers(Cg *c);
/* Offsets of workspace buffers, computed in f (f->ws_off); sizes of the two parts. ov: i1 that collects overflow, or
 * NULL. */
void cg_plan_workspace(Fn *f, LLVMValueRef *shared, LLVMValueRef *worker, LLVMValueRef *ov);
LLVMValueRef *cg_compact(Fn *f, const Tensor *t, LLVMValueRef *extent, bool nibbles); /* strides */
void cg_alloc(Fn *f, const Tensor *t);
void cg_borrow(Fn *f, const Tensor *t, LLVMValueRef ptr); /* a buffer of the function around */
void cg_dims(Fn *f, LLVMValueRef sizes);                  /* f->dim */
void cg_params(Fn *f);                                    /* parameters and workspace, from the call; dims are known */
LLVMValueRef cg_member(Fn *f, LLVMValueRef of, int64_t offset, LLVMTypeRef t); /* loads a member of a C struct */

/* ---- debug.c --------------------------------------------------------------------------------------------------------
 */
void cg_debug_open(Cg *c);
void cg_debug_close(Cg *c);
void cg_debug_function(Fn *f, const char *name, bool local);
void cg_debug_at(Fn *f, Span s);

/* ---- passes.c, machine.c
 * ----------------------------------------------------------------------------------------------- */
bool cg_passes(LLVMModuleRef m, LLVMTargetMachineRef tm, int opt, char **error);
LLVMTargetMachineRef cg_machine(const Target *t, int opt, char **error);
/* Program → optimised module in ctx. */
LLVMModuleRef cg_module(LLVMContextRef ctx, const TileProg *p, const Target *t, const CgOptions *o, const char *symbol,
                        LLVMTargetMachineRef tm, char **error);

#endif
