/* memory: where tensors are, and access to their elements. Addresses are built from the base, summand after summand in
 * the order of the levels that they change in, so that loops add only what they change. */
#include "codegen/g9/g9.h"

#include <string.h>

static bool is_param(const G9 *g, const Tensor *t) { return t->id < g->op->nparams; }

/* Bytes of an element; sub-byte types take a byte in buffers, and half of one in parameters. */
int g_elem_bytes(const G9 *g, const Tensor *t)
{
    (void)g;
    int bits = te_type[t->type].bits;
    return bits < 8 ? 1 : bits / 8;
}

/* ---- places */
static void shape_of(G9 *g, const Tensor *t, Place *p)
{
    Val by = g_imm(1);
    p->stride = NEW_ARRAY(g->mem, Val, t->rank + 1);
    p->extent = NEW_ARRAY(g->mem, Val, t->rank + 1);
    for (int i = t->rank; i-- > 0;) {
        p->extent[i] = g_expr(g, t->shape[i]);
        p->stride[i] = by;
        Val n = p->extent[i];
        if (p->nibbles && i == t->rank - 1) /* rows start on a byte */
            n = g_ix_op(g, EX_MUL, g_ix_op(g, EX_DIV, g_ix_op(g, EX_ADD, n, g_imm(1)), g_imm(2)), g_imm(2));
        if (i) by = g_ix_op(g, EX_MUL, by, n);
    }
}

Place *g_place(G9 *g, const Tensor *t)
{
    Place *p = &g->place[t->id];
    if (p->kind == PLACE_NONE) {
        if (g->param_at[t->id] < 0) g_fail(g, "buffer %s is used outside of its block", t->name);
        p->kind = PLACE_PARAM;
        p->at = g->param_at[t->id];
        p->nibbles = is_param(g, t) && te_type[t->type].bits < 8;
    }
    if (!p->extent) shape_of(g, t, p);
    return p;
}

static bool known_bytes(G9 *g, const Tensor *t, int64_t *bytes)
{
    *bytes = g_elem_bytes(g, t);
    for (int i = 0; i < t->rank; i++) {
        int64_t n;
        if (!te_eval_size(g->op, t->shape[i], &n) || __builtin_mul_overflow(*bytes, n, bytes)) return false;
    }
    return true;
}

void g_alloc(G9 *g, const Tensor *t)
{
    Place *p = &g->place[t->id];
    int64_t bytes;
    *p = (Place){.kind = PLACE_REG};
    if (t->rank == 0) {
        p->at = t->type == DT_U1 ? g_new_pred(g).r : g_new(g, g_width(t->type)).r;
    } else if (known_bytes(g, t, &bytes) && bytes <= G_LOCAL_BUF) {
        p->kind = PLACE_LOCAL;
        p->at = (int)(g->k->local + 15) & ~15;
        g->k->local = (uint32_t)p->at + (uint32_t)bytes;
    } else {
        p->kind = PLACE_THREAD;
        shape_of(g, t, p);
        Val each = g_imm(g_elem_bytes(g, t));
        for (int i = 0; i < t->rank; i++) each = g_ix_op(g, EX_MUL, each, p->extent[i]);
        each = g_ix_op(g, EX_MUL, g_ix_op(g, EX_DIV, g_ix_op(g, EX_ADD, each, g_imm(15)), g_imm(16)), g_imm(16));
        Val at = g_wide(g, g_ix_op(g, EX_MUL, g->thread, each));
        p->base = g_gen3(g, OP(G9_IADD3, IT_U64), g_reg(g, at), g_param(g->param_at[t->id], 2), g_imm(0));
    }
    if (!p->extent) shape_of(g, t, p);
}

/* ---- summands of an offset */
typedef struct Term {
    Val v;
    int64_t by; /* elements */
} Term;

typedef struct Sum {
    G9 *g;
    VEC(Term) term;
    int64_t constant;
} Sum;

static void add_term(Sum *s, Val v, int64_t by)
{
    int64_t k, product;
    if (g_known(v, &k) && !__builtin_mul_overflow(k, by, &product)) {
        s->constant += product;
        return;
    }
    VEC_PUSH(s->g->mem, &s->term, (Term){v, by});
}

static void add_scaled(Sum *s, Val v, int64_t times, Val stride)
{
    int64_t n, by;
    if (g_known(stride, &n) && !__builtin_mul_overflow(n, times, &by)) {
        add_term(s, v, by);
        return;
    }
    add_term(s, g_ix_op(s->g, EX_MUL, g_ix_op(s->g, EX_MUL, v, g_imm(times)), stride), 1);
}

static void add_index(Sum *s, const Expr *e, int64_t times, Val stride)
{
    G9 *g = s->g;
    int64_t k, by;
    if (te_eval_size(g->op, e, &k)) {
        add_scaled(s, g_imm(k), times, stride);
    } else if (e->op == EX_ADD || (e->op == EX_SUB && times > INT64_MIN)) {
        add_index(s, e->arg[0], times, stride);
        add_index(s, e->arg[1], e->op == EX_ADD ? times : -times, stride);
    } else if (e->op == EX_MUL && te_eval_size(g->op, e->arg[1], &k) && !__builtin_mul_overflow(times, k, &by)) {
        add_index(s, e->arg[0], by, stride);
    } else if (e->op == EX_MUL && te_eval_size(g->op, e->arg[0], &k) && !__builtin_mul_overflow(times, k, &by)) {
        add_index(s, e->arg[1], by, stride);
    } else {
        add_scaled(s, g_expr(g, e), times, stride);
    }
}

static void by_level(Sum *s)
{
    for (int i = 1; i < s->term.n; i++) {
        Term t = s->term.at[i];
        int j = i;
        for (; j > 0 && g_level(s->g, s->term.at[j - 1].v) > g_level(s->g, t.v); j--) s->term.at[j] = s->term.at[j - 1];
        s->term.at[j] = t;
    }
}

static bool is_power(int64_t x) { return x > 0 && (x & (x - 1)) == 0 && x <= (INT64_C(1) << 30); }

static Val add_global(G9 *g, Val base, Term t, int64_t bytes)
{
    int64_t by = t.by * bytes;
    if (t.v.width == 1 && is_power(by))
        return g_gen3(g, OP(G9_LEA, IT_S64), t.v, base, g_imm(__builtin_ctzll((uint64_t)by)));
    if (t.v.width == 1 && by >= INT32_MIN && by <= INT32_MAX)
        return g_gen3(g, OP(G9_IMADW, IT_S32), t.v, g_imm(by), base);
    Val wide = g_wide(g, t.v);
    return g_gen3(g, OP(G9_IMAD, IT_S64), g_reg(g, wide), g_bits64((uint64_t)by), base);
}

static Val add_local(G9 *g, Val base, Term t, int64_t bytes)
{
    return g_gen3(g, OP(G9_IMAD, IT_S32), g_half(g_reg(g, t.v), 0), g_imm(t.by * bytes), base);
}

static Val element_number(G9 *g, const Sum *s)
{
    Val n = g_imm(0);
    for (int i = 0; i < s->term.n; i++)
        n = g_ix_op(g, EX_ADD, n, g_ix_op(g, EX_MUL, s->term.at[i].v, g_imm(s->term.at[i].by)));
    return g_ix_op(g, EX_ADD, n, g_imm(s->constant));
}

Access g_access(G9 *g, const Tensor *t, Expr *const *ix, int n, const Val *more)
{
    Place *p = g_place(g, t);
    Access a = {.t = t, .at = p->at};
    if (p->kind == PLACE_REG) return a;
    Sum s = {.g = g};
    for (int i = 0; i < t->rank; i++)
        if (i < n)
            add_index(&s, ix[i], 1, p->stride[i]);
        else
            add_scaled(&s, more[i - n], 1, p->stride[i]);
    by_level(&s);
    int64_t bytes = g_elem_bytes(g, t), offset = s.constant * bytes;
    if (p->nibbles) {
        a.address = element_number(g, &s);
        return a;
    }
    bool local = p->kind == PLACE_LOCAL;
    Val at = local ? g_imm(0) : p->kind == PLACE_THREAD ? p->base : g_param(p->at, 2);
    if (offset < INT32_MIN || offset > INT32_MAX) {
        add_term(&s, g_imm(0), 0);
        at = g_gen3(g, OP(G9_IADD3, IT_U64), g_reg(g, at), g_bits64((uint64_t)offset), g_imm(0));
        offset = 0;
    }
    for (int i = 0; i < s.term.n; i++)
        at = local ? add_local(g, at, s.term.at[i], bytes) : add_global(g, at, s.term.at[i], bytes);
    a.address = at;
    a.offset = offset + (local ? p->at : 0);
    return a;
}

/* ---- elements in memory */
static uint16_t load_type(DType t)
{
    const TypeInfo *ti = &te_type[t];
    if (ti->bits >= 32) return ti->bits == 64 ? IT_B64 : IT_B32;
    bool sign = ti->cls == 'I';
    return ti->bits == 16 ? (sign ? IT_S16 : IT_U16) : sign ? IT_S8 : IT_U8;
}

static uint16_t store_type(DType t)
{
    int bits = te_type[t].bits;
    return bits == 64 ? IT_B64 : bits == 32 ? IT_B32 : bits == 16 ? IT_B16 : IT_B8;
}

static Val decode(G9 *g, DType t, Val x)
{
    switch (t) {
    case DT_U1: return g_gen2(g, OP(G9_ISETP, 1, IT_U32), x, g_imm(0));
    case DT_F16: return g_gen1(g, OP(G9_CVT, IT_F32, IT_F16), x);
    case DT_BF16: return g_gen2(g, OP(G9_SHL, IT_U32), x, g_imm(16));
    case DT_F8E4M3: return g_gen1(g, OP(G9_CVT, IT_F32, IT_E4M3), x);
    case DT_F8E5M2: return g_gen1(g, OP(G9_CVT, IT_F32, IT_E5M2), x);
    case DT_INDEX: return g_ranged(x, INT64_MIN, INT64_MAX);
    default: return x;
    }
}

static Val encode(G9 *g, DType t, Val x)
{
    switch (t) {
    case DT_U1: return g_select(g, x, g_imm(1), g_imm(0));
    case DT_F16: return g_gen1(g, OP(G9_CVT, IT_F16, IT_F32), x);
    case DT_BF16: return g_gen2(g, OP(G9_SHR, IT_U32), x, g_imm(16));
    case DT_F8E4M3: return g_gen1(g, OP(G9_CVT, IT_E4M3, IT_F32), x);
    case DT_F8E5M2: return g_gen1(g, OP(G9_CVT, IT_E5M2, IT_F32), x);
    case DT_INDEX: return g_wide(g, x);
    default: return x;
    }
}

/* An address operand: a register, or none, and an offset. */
static Val operand(G9 *g, Val at, int64_t offset, bool local)
{
    if (local && at.kind == V_IMM) at = (Val){.kind = V_NONE};
    if (at.kind != V_NONE) at = g_reg(g, at);
    at.bits = (uint64_t)offset;
    return at;
}

static Val load_raw(G9 *g, Op o, int width, Val at, Val guard)
{
    if (guard.kind == V_NONE || guard.r == M_NONE) {
        if (guard.kind == V_NONE || !guard.neg) return g_load_inst(g, o, width, 1, &at);
        return width == 2 ? g_bits64(0) : g_bits(0);
    }
    Val r = g_new(g, width);
    g_set(g, r, width == 2 ? g_bits64(0) : g_bits(0));
    return g_act(g, o, guard, r, 1, &at);
}

/* Element n of a tensor of nibbles: the byte's address, and where in it, as bit position and length of a field. */
static Val nibble_byte(G9 *g, const Access *a, Val *field)
{
    Val n = a->address, byte = g_ix_op(g, EX_DIV, n, g_imm(2));
    Val low = g_half(g_reg(g, n), 0);
    Val odd = g_gen(g, OP(G9_LOP3, IT_B32), 4, (Val[]){low, g_imm(1), g_imm(0), g_imm(0xc0)});
    *field = g_gen2(g, OP(G9_SHL, IT_U32), odd, g_imm(2));
    return add_global(g, g_param(a->at, 2), (Term){byte, 1}, 1);
}

static Val load_nibble(G9 *g, const Access *a, Val guard)
{
    Val shift, at = operand(g, nibble_byte(g, a, &shift), 0, false);
    Val byte = load_raw(g, OP(G9_LDG, IT_U8), 1, at, guard);
    Val x = g_gen2(g, OP(G9_SHR, IT_U32), byte, shift);
    return g_wrap(g, a->t->type, x);
}

Val g_load(G9 *g, const Access *a, Val guard)
{
    const Place *p = &g->place[a->t->id];
    DType t = a->t->type;
    if (p->kind == PLACE_REG) {
        if (t == DT_U1) return (Val){.kind = V_PRED, .r = p->at};
        Val v = {.kind = V_REG, .width = (uint8_t)g_width(t), .r = p->at};
        return t == DT_INDEX ? g_ranged(v, INT64_MIN, INT64_MAX) : v;
    }
    if (p->nibbles) return load_nibble(g, a, guard);
    bool local = p->kind == PLACE_LOCAL;
    Op o = OP(local ? G9_LDL : G9_LDG, load_type(t));
    return decode(g, t, load_raw(g, o, te_type[t].bits == 64 ? 2 : 1, operand(g, a->address, a->offset, local), guard));
}

/* Neighbours in a byte may belong to other threads: its bits are cleared and set by reductions, which join theirs. */
static void store_nibble(G9 *g, const Access *a, Val v)
{
    Val in_byte, at = nibble_byte(g, a, &in_byte);
    Val low = g_half(at, 0),
        word = g_gen(g, OP(G9_LOP3, IT_B64), 4, (Val[]){at, g_bits64(~UINT64_C(3)), g_imm(0), g_imm(0xc0)});
    Val byte = g_gen(g, OP(G9_LOP3, IT_B32), 4, (Val[]){low, g_imm(3), g_imm(0), g_imm(0xc0)});
    Val shift = g_gen3(g, OP(G9_LEA, IT_U32), byte, in_byte, g_imm(3));
    Val mask = g_gen2(g, OP(G9_SHL, IT_U32), g_imm(15), shift);
    Val keep = g_gen(g, OP(G9_LOP3, IT_B32), 4, (Val[]){mask, g_imm(0), g_imm(0), g_imm(0x0f)});
    Val bits = g_gen(g, OP(G9_LOP3, IT_B32), 4, (Val[]){g_reg(g, v), g_imm(15), g_imm(0), g_imm(0xc0)});
    bits = g_gen2(g, OP(G9_SHL, IT_U32), bits, shift);
    word.bits = 0;
    g_act(g, OP(G9_REDG, 3, IT_B32), (Val){0}, (Val){0}, 2, (Val[]){word, keep});
    g_act(g, OP(G9_REDG, 4, IT_B32), (Val){0}, (Val){0}, 2, (Val[]){word, bits});
}

void g_store(G9 *g, const Access *a, Val v)
{
    const Place *p = &g->place[a->t->id];
    DType t = a->t->type;
    if (p->kind == PLACE_REG) {
        Val to = t == DT_U1 ? (Val){.kind = V_PRED, .r = p->at}
                            : (Val){.kind = V_REG, .width = (uint8_t)g_width(t), .r = p->at};
        if (t == DT_INDEX) v = g_wide(g, v);
        g_set(g, to, v);
        return;
    }
    if (p->nibbles) {
        store_nibble(g, a, v);
        return;
    }
    bool local = p->kind == PLACE_LOCAL;
    Val src[] = {operand(g, a->address, a->offset, local), encode(g, t, v)};
    if (te_type[t].bits == 64 && src[1].kind == V_IMM) src[1].width = 2;
    g_act(g, OP(local ? G9_STL : G9_STG, store_type(t)), (Val){0}, (Val){0}, 2, src);
}
