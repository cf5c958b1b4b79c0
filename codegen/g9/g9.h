/* g9 (private to codegen/g9): the state of one translation of Tile IR into machine-level IR (mir.h).
 *
 * How values run. A lane is one iteration of the loops that are mapped to the grid (map.c); all else is serial in it,
 * so every value is a scalar of a lane. Held values are as num.h says: f32, tf32, f16, bf16 and f8 as f32 bits in one
 * register, f64 and 64-bit integers in two, narrower integers extended to 32 bits, u1 in a predicate. An index carries
 * its interval, and takes one register where that fits 32 bits.
 *
 * Levels. Each serial loop that is open is a level. A pure instruction goes to the level of its operands: what does not
 * change in a loop is computed before it, and is computed once (levels keep what they hold). Registers that are written
 * several times (`mutable`) stay where they are. */
#ifndef TCC_CODEGEN_G9_G9_H
#define TCC_CODEGEN_G9_G9_H

#include "codegen/codegen.h"
#include "codegen/g9/mir.h"
#include "ir/num.h"

enum {
    G_DEEP = 64,
    G_BARRIERS = 16,
    G_LOCAL_BUF = 16384 /* bytes of a thread's buffer in local memory, else workspace */
};

typedef enum ValKind { V_NONE, V_REG, V_PRED, V_IMM, V_PARAM, V_CONST } ValKind;
typedef struct Val {
    uint8_t kind, width; /* registers */
    uint8_t part, sub;   /* part: `width` registers from `sub` on of a wider one */
    bool neg;            /* of a predicate */
    int r;               /* register, predicate (M_NONE: true); PARAM, CONST: byte offset */
    uint64_t bits;       /* IMM: of a 32-bit value extended as its user likes, the low half counts */
    int64_t lo, hi;      /* of an index */
} Val;

typedef struct Op {
    IsaOp op;
    uint16_t mod[ISA_MODS];
    uint8_t flag, number; /* flag: signs of the slots A, B, C as in IsaInst */
} Op;
#define OP(op_, ...)         ((Op){.op = (op_), .mod = {__VA_ARGS__}})
#define OPF(op_, flag_, ...) ((Op){.op = (op_), .mod = {__VA_ARGS__}, .flag = (flag_)})
enum { NEG_A = 1, ABS_A = 2, NEG_B = 4, ABS_B = 8, NEG_C = 16 };

typedef enum PlaceKind { PLACE_NONE, PLACE_PARAM, PLACE_LOCAL, PLACE_REG, PLACE_THREAD } PlaceKind;
typedef struct Place {
    PlaceKind kind;
    bool nibbles; /* two elements to a byte */
    int at;       /* PARAM: offset of the pointer among the parameters; LOCAL: of the buffer; REG: the register */
    Val base;     /* THREAD: the address of this thread's part of workspace */
    Val *stride, *extent; /* of elements, index values */
} Place;

typedef struct Cse {
    MInst in;
    Val v;
} Cse;

typedef struct Level {
    MBlock *at; /* where its instructions go */
    VEC(Cse) have;
    VEC(int) memo; /* expressions whose values are known, in order */
} Level;

typedef struct RegInfo {
    int level;
    bool varies, mutable;
} RegInfo;

typedef struct G9 {
    Arena *mem;
    const TileProg *p;
    TeOp *op;
    const IsaMachine *machine;
    bool fast;
    jmp_buf *bail;
    const char *error;
    MConsts *consts;
    /* parameters of all kernels */
    int *param_at; /* by tensor id: offset of its pointer, -1: it has none */
    int *dim_at;   /* by dim */
    int fault_at;
    /* the kernel that is being made */
    MKernel *k;
    MBlock *cur;
    int level, line;
    int barriers, barrier_top; /* the next free one; beyond all that the arm of an if has used so far */
    bool no_barriers;          /* paths need not meet: one lane, or there are too few registers for them */
    bool barriers_lacked;
    Level lv[G_DEEP + 1];
    VEC(RegInfo) reg;
    VEC(RegInfo) pred;
    Place *place;         /* by tensor id */
    Val *var;             /* by variable id */
    Val *memo;            /* by expression id */
    Val thread;           /* the number of this thread among all of the launch (index) */
    const Expr **let;     /* by variable id: the value of a let at the outermost level */
    VEC(MKernel *) kernels;
    VEC(CgG9Launch) launches;
    VEC(CgG9Buffer) buffers;
} G9;

/* ---- build.c: instructions, levels, branches */
_Noreturn void g_fail(G9 *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
Val g_imm(int64_t v);      /* one register where it fits 32 bits; also an index */
Val g_bits(uint32_t bits); /* one register */
Val g_bits64(uint64_t bits);
Val g_f32(float x);
Val g_true(bool yes);
Val g_param(int at, int width);
Val g_not(Val p);
Val g_half(Val v, int which);    /* of a pair: 0 low */
bool g_known(Val v, int64_t *x); /* an integer immediate */
Val g_new(G9 *g, int width);     /* a mutable register */
Val g_new_pred(G9 *g);           /* a mutable predicate */
bool g_varies(const G9 *g, Val v);
/* A pure instruction: sources in the order of its operands. Its result: what the first written operand gets. */
Val g_gen(G9 *g, Op o, int n, const Val *src);
Val g_gen1(G9 *g, Op o, Val a);
Val g_gen2(G9 *g, Op o, Val a, Val b);
Val g_gen3(G9 *g, Op o, Val a, Val b, Val c);
/* The same where it stands: into `to` (V_NONE: nothing is written, or a fresh register when `fresh`), under a guard. */
Val g_act(G9 *g, Op o, Val guard, Val to, int n, const Val *src);
Val g_load_inst(G9 *g, Op o, int width, int n, const Val *src); /* a fresh register, not to be moved */
void g_set(G9 *g, Val to, Val v);                               /* to a mutable register or predicate */
void g_put(G9 *g, Val to, Val v);                               /* the same, of a value that nobody else uses */
int g_level(const G9 *g, Val v);
Val g_reg(G9 *g, Val v); /* in a register */
void g_enter(G9 *g, MBlock *b);
void g_jump(G9 *g, Val cond, MBlock *to);

typedef struct Mark {
    int have, memo;
} Mark;
Mark g_mark(G9 *g);
void g_forget(G9 *g, Mark m);      /* what this level came to know since */
void g_forget_memo(G9 *g, Mark m); /* values of expressions alone, which may have been read from memory */

typedef struct If {
    MBlock *els, *end;
    int barrier, top;
    bool has_else;
    Mark mark;
} If;
void g_if(G9 *g, If *f, Val cond);
void g_else(G9 *g, If *f);
void g_endif(G9 *g, If *f);

typedef struct Loop {
    MBlock *body, *end;
    Val i, hi;
    int64_t step;
    int barrier;
} Loop;
Val g_loop(G9 *g, Loop *l, Val lo, Val hi, int64_t step); /* gives the counter */
void g_endloop(G9 *g, Loop *l);
int g_barrier_open(G9 *g, bool varies, MBlock *end); /* -1: none */
void g_barrier_close(G9 *g, int barrier);

/* ---- index.c: values of type index, with intervals */
Val g_ix_op(G9 *g, ExprOp op, Val a, Val b); /* ADD SUB MUL DIV MOD MIN MAX */
Val g_ix_neg(G9 *g, Val a);
Val g_ix_compare(G9 *g, ExprOp op, Val a, Val b);
Val g_wide(G9 *g, Val v);   /* an index in two registers */
Val g_narrow(G9 *g, Val v); /* its low 32 bits */
Val g_ranged(Val v, int64_t lo, int64_t hi);
Val g_divide(G9 *g, bool mod, bool sign, int width, Val a, Val b); /* floor; b is not 0 */

/* ---- arith.c */
IsaType g_int_type(DType t);
int g_width(DType t); /* registers of a held value; u1: 0 */
Val g_round(G9 *g, DType t, Val x);
Val g_wrap(G9 *g, DType t, Val x);
Val g_select(G9 *g, Val c, Val a, Val b); /* of registers or predicates */
Val g_and(G9 *g, Val a, Val b);
Val g_or(G9 *g, Val a, Val b);
Val g_op(G9 *g, ExprOp op, DType t, const Val *a);
Val g_fma(G9 *g, DType t, Val a, Val b, Val c);
Val g_cast(G9 *g, DType to, DType from, Val x);
Val g_combine(G9 *g, RedOp r, DType t, Val acc, Val x);
Val g_before(G9 *g, RedOp r, DType t, Val x, Val i, Val y, Val j);
Val g_num(G9 *g, DType t, Num v);

/* ---- math.c */
Val g_math(G9 *g, ExprOp op, DType t, const Val *a);

/* ---- expr.c */
Val g_expr(G9 *g, const Expr *e);
void g_fault(G9 *g, Val bad, int site, Val index);

/* ---- memory.c */
/* The elements of t at ix, as summands that levels can keep apart. */
typedef struct Access {
    const Tensor *t;
    Val address; /* 64 bits, or 32 in local memory; nibbles: the element's number */
    int64_t offset;
    int at; /* PLACE_REG: the register */
} Access;
Access g_access(G9 *g, const Tensor *t, Expr *const *ix, int n, const Val *more); /* more: further indices, n in all */
Val g_load(G9 *g, const Access *a, Val guard); /* guard: V_NONE, or without it no access and something */
void g_store(G9 *g, const Access *a, Val v);
Place *g_place(G9 *g, const Tensor *t); /* made when it is first asked for */
void g_alloc(G9 *g, const Tensor *t);
int g_elem_bytes(const G9 *g, const Tensor *t);

/* ---- stmt.c */
void g_block(G9 *g, const Block *b);
void g_stmt(G9 *g, const Stmt *s);

bool g_is_heavy(const Expr *e); /* accesses memory, checks something, or costs more than a branch */

/* ---- depend.c: may iterations of a loop run in any order? */
/* Of the loop over v (with this step) in the nest s: no iteration touches what another one writes. */
bool g_independent(G9 *g, const Stmt *nest, const Var *v, int64_t step);

/* ---- formula.c: sizes that the host works out, as text (codegen.h). NULL: it depends on more than dims. */
const char *g_formula(const G9 *g, const Expr *e);

/* ---- map.c: all kernels of a program */
void g_map(G9 *g);

#endif
