/* memory: loads and stores of tensors. What the lanes need decides the form: one element (uniform), a vector (affine,
 * step 1), loads and shuffles (small constant steps), elements one by one, or a gather. Inactive lanes never touch
 * memory that may not exist: where the target has no masked access of that width, their address is replaced by a
 * constant block of zeros (loads) or a private slot (stores), so no branches arise. Relies on types.c; places come from
 * layout.c. */
#include "codegen/llvm/llvm.h"

#include <string.h>

static LLVMValueRef tag(Fn *f, const Tensor *t, LLVMValueRef access)
{
    Cg *c = f->c;
    if (c->scope[t->id]) {
        LLVMSetMetadata(access, c->md_scope, c->scope[t->id]);
        LLVMSetMetadata(access, c->md_noalias, c->others[t->id]);
    }
    return access;
}

static LLVMValueRef at(Fn *f, const Place *p, LLVMValueRef off)
{
    return LLVMBuildGEP2(f->b, p->elem, p->ptr, &off, 1, "");
}

static unsigned elem_bytes(const Place *p)
{
    LLVMTypeRef t = p->elem;
    switch (LLVMGetTypeKind(t)) {
    case LLVMDoubleTypeKind: return 8;
    case LLVMFloatTypeKind: return 4;
    case LLVMHalfTypeKind: return 2;
    default: return LLVMGetIntTypeWidth(t) / 8;
    }
}

static LLVMValueRef load(Fn *f, const Tensor *t, const Place *p, LLVMTypeRef type, LLVMValueRef ptr)
{
    LLVMValueRef v = LLVMBuildLoad2(f->b, type, ptr, "");
    LLVMSetAlignment(v, elem_bytes(p));
    return tag(f, t, v);
}

static void store(Fn *f, const Tensor *t, const Place *p, LLVMValueRef v, LLVMValueRef ptr)
{
    LLVMValueRef s = LLVMBuildStore(f->b, v, ptr);
    LLVMSetAlignment(s, elem_bytes(p));
    tag(f, t, s);
}

/* Past the caches where the place is aligned as such stores need it, which is the same for all iterations of a loop
 * over whole vectors. */
static void store_stream(Fn *f, const Tensor *t, const Place *p, LLVMValueRef v, LLVMValueRef ptr)
{
    Cg *c = f->c;
    int bytes = cg_lanes(v) * (int)elem_bytes(p), align = bytes < c->t->vector_bytes ? bytes : c->t->vector_bytes;
    LLVMBasicBlockRef past = cg_block_new(f, "stream"), plain = cg_block_new(f, "plain"),
                      join = cg_block_new(f, "stored");
    LLVMValueRef low = LLVMBuildAnd(f->b, LLVMBuildPtrToInt(f->b, ptr, c->i64, ""), cg_int(c->i64, align - 1), "");
    LLVMBuildCondBr(f->b, LLVMBuildICmp(f->b, LLVMIntEQ, low, cg_int(c->i64, 0), ""), past, plain);
    cg_enter(f, past);
    LLVMValueRef s = LLVMBuildStore(f->b, v, ptr);
    LLVMSetAlignment(s, (unsigned)align);
    LLVMMetadataRef mark = LLVMValueAsMetadata(cg_int(c->i32, 1));
    LLVMSetMetadata(tag(f, t, s), LLVMGetMDKindIDInContext(c->ctx, "nontemporal", 11),
                    LLVMMetadataAsValue(c->ctx, LLVMMDNodeInContext2(c->ctx, &mark, 1)));
    cg_goto(f, join);
    cg_enter(f, plain);
    store(f, t, p, v, ptr);
    cg_goto(f, join);
    cg_enter(f, join);
    f->streamed = true;
}

static LLVMValueRef pick(Fn *f, LLVMValueRef ok, LLVMValueRef ptr, LLVMValueRef other)
{
    return ok ? LLVMBuildSelect(f->b, ok, ptr, other, "") : ptr;
}

static LLVMValueRef both(Fn *f, LLVMValueRef a, LLVMValueRef b)
{
    if (!a || !b) return a ? a : b;
    return LLVMBuildAnd(f->b, a, b, "");
}

LLVMValueRef cg_lane_active(Fn *f, Mask m, int lane)
{
    if (m.n) return LLVMBuildICmp(f->b, LLVMIntSGT, m.n, cg_int(f->c->i64, lane), "");
    return m.m ? LLVMBuildExtractElement(f->b, m.m, cg_int(f->c->i32, lane), "") : cg_int(f->c->i1, 1);
}

static LLVMValueRef lane_off(Fn *f, Val off, int lane)
{
    if (off.kind == VAL_VEC) return LLVMBuildExtractElement(f->b, off.v, cg_int(f->c->i32, lane), "");
    return cg_add(f, off.v, cg_mul(f, off.step, cg_int(f->c->i64, lane)));
}

/* Are masked loads and stores of this element type single instructions? */
static bool masks(const Fn *f, const Place *p)
{
    const Target *t = f->c->t;
    unsigned n = elem_bytes(p);
    return t->masks && (n >= 4 || t->avx512);
}

/* May all lanes of a vector that starts at off be touched although some are masked? In a buffer of the thread's own
 * (with room behind its end), when the vector starts inside. */
static bool whole(const Fn *f, const Tensor *t, const Place *p, Val off, Mask m)
{
    int64_t k;
    return p->own && (m.n || (cg_known(off.v, &k) && k >= 0 && k < f->c->buf[t->id].count));
}

static LLVMValueRef sink(Fn *f)
{
    if (!f->sink) f->sink = cg_alloca(f, f->c->i8, 64);
    return f->sink;
}

/* Room for the lanes of one vector: which 0: values, 1: offsets. */
static LLVMValueRef scratch(Fn *f, int which)
{
    if (!f->scratch[which]) f->scratch[which] = cg_alloca(f, f->c->i64, f->c->widest);
    return f->scratch[which];
}

/* ---- offsets
 * ---------------------------------------------------------------------------------------------------------- */
static Val scale(Fn *f, Val v, LLVMValueRef by)
{
    if (v.kind == VAL_UNI) return cg_uni(cg_mul(f, v.v, by));
    if (v.kind == VAL_AFF) return (Val){VAL_AFF, cg_mul(f, v.v, by), cg_mul(f, v.step, by)};
    int64_t k;
    if (cg_known(by, &k) && k == 1) return v;
    return (Val){.kind = VAL_VEC, .v = LLVMBuildMul(f->b, v.v, cg_splat(f, by), "")};
}

Val cg_plus(Fn *f, Val a, Val b)
{
    if (a.kind == VAL_VEC || b.kind == VAL_VEC)
        return (Val){.kind = VAL_VEC, .v = LLVMBuildAdd(f->b, cg_vec(f, a), cg_vec(f, b), "")};
    LLVMValueRef zero = cg_int(f->c->i64, 0), v = cg_add(f, a.v, b.v);
    if (a.kind == VAL_UNI && b.kind == VAL_UNI) return cg_uni(v);
    return (Val){VAL_AFF, v, cg_add(f, a.kind == VAL_AFF ? a.step : zero, b.kind == VAL_AFF ? b.step : zero)};
}

/* Uniform parts are summed first: they leave loops together. */
Val cg_offset(Fn *f, const Tensor *t, const Val *ix)
{
    const Place *p = &f->place[t->id];
    Val fixed = cg_uni(cg_int(f->c->i64, 0)), moving = fixed;
    for (int i = 0; i < t->rank; i++) {
        Val part = scale(f, ix[i], p->stride[i]);
        if (ix[i].kind == VAL_UNI)
            fixed = cg_plus(f, fixed, part);
        else
            moving = cg_plus(f, moving, part);
    }
    return cg_plus(f, fixed, moving);
}

/* The place of a per-lane element: index * lanes + lane. */
static Val per_lane(Fn *f, const Place *p, Val off)
{
    if (p->lanes == 1) return off;
    Val lane = {VAL_AFF, cg_int(f->c->i64, 0), cg_int(f->c->i64, 1)};
    return cg_plus(f, scale(f, off, cg_int(f->c->i64, p->lanes)), lane);
}

/* ---- nibbles
 * ---------------------------------------------------------------------------------------------------------- */
static LLVMValueRef nibble(Fn *f, DType t, LLVMValueRef byte, LLVMValueRef odd) /* odd: as byte, 0 or 1 */
{
    LLVMTypeRef ty = LLVMTypeOf(byte);
    LLVMValueRef shift = LLVMBuildShl(f->b, odd, cg_int(ty, 2), "");
    return cg_wrap(f, t, LLVMBuildAnd(f->b, LLVMBuildLShr(f->b, byte, shift, ""), cg_int(ty, 15), ""));
}

static LLVMValueRef odd_bit(Fn *f, LLVMValueRef off, LLVMTypeRef ty)
{
    return LLVMBuildAnd(f->b, LLVMBuildTrunc(f->b, off, ty, ""), cg_int(ty, 1), "");
}

static LLVMValueRef halve(Fn *f, LLVMValueRef off) { return LLVMBuildAShr(f->b, off, cg_int(LLVMTypeOf(off), 1), ""); }

/* W nibbles from `off` on, W even: the even lanes lie in the bytes from off / 2, the odd ones in those from (off + 1)
 * / 2. */
static LLVMValueRef nibbles(Fn *f, const Tensor *t, const Place *p, LLVMValueRef off)
{
    Cg *c = f->c;
    int n = f->lanes / 2;
    LLVMTypeRef bytes = cg_wide(c->i8, n);
    LLVMValueRef next = LLVMBuildAdd(f->b, off, cg_int(c->i64, 1), "");
    LLVMValueRef even = load(f, t, p, bytes, at(f, p, halve(f, off)));
    LLVMValueRef odd = load(f, t, p, bytes, at(f, p, halve(f, next)));
    LLVMValueRef bit = odd_bit(f, off, c->i8), flip = LLVMBuildXor(f->b, bit, cg_int(c->i8, 1), "");
    int lanes = f->lanes;
    f->lanes = n;
    LLVMValueRef a = nibble(f, t->type, even, cg_splat(f, bit)), b = nibble(f, t->type, odd, cg_splat(f, flip));
    f->lanes = lanes;
    if (n == 1) {
        LLVMValueRef v = LLVMGetPoison(cg_wide(c->i8, 2));
        v = LLVMBuildInsertElement(f->b, v, a, cg_int(c->i32, 0), "");
        return LLVMBuildInsertElement(f->b, v, b, cg_int(c->i32, 1), "");
    }
    LLVMValueRef *ix = NEW_ARRAY(c->mem, LLVMValueRef, lanes);
    for (int i = 0; i < lanes; i++) ix[i] = cg_int(c->i32, i / 2 + (i & 1 ? n : 0));
    return LLVMBuildShuffleVector(f->b, a, b, LLVMConstVector(ix, (unsigned)lanes), "");
}

static void store_nibble(Fn *f, const Place *p, LLVMValueRef off, LLVMValueRef v, LLVMValueRef ok)
{
    LLVMTypeRef i8 = f->c->i8;
    LLVMValueRef ptr = pick(f, ok, at(f, p, halve(f, off)), ok ? sink(f) : NULL);
    LLVMValueRef shift = LLVMBuildShl(f->b, odd_bit(f, off, i8), cg_int(i8, 2), "");
    LLVMValueRef keep = LLVMBuildXor(f->b, LLVMBuildShl(f->b, cg_int(i8, 15), shift, ""), cg_int(i8, -1), "");
    LLVMValueRef old = LLVMBuildLoad2(f->b, i8, ptr, "");
    LLVMValueRef put = LLVMBuildShl(f->b, LLVMBuildAnd(f->b, v, cg_int(i8, 15), ""), shift, "");
    LLVMBuildStore(f->b, LLVMBuildOr(f->b, LLVMBuildAnd(f->b, old, keep, ""), put, ""), ptr);
}

/* W nibbles whose place starts on a byte, packed. */
static void store_packed(Fn *f, const Tensor *t, const Place *p, LLVMValueRef off, LLVMValueRef v)
{
    Cg *c = f->c;
    int n = f->lanes / 2;
    LLVMValueRef *lo = NEW_ARRAY(c->mem, LLVMValueRef, n), *hi = NEW_ARRAY(c->mem, LLVMValueRef, n);
    for (int i = 0; i < n; i++) {
        lo[i] = cg_int(c->i32, 2 * i);
        hi[i] = cg_int(c->i32, 2 * i + 1);
    }
    LLVMValueRef none = LLVMGetPoison(LLVMTypeOf(v));
    LLVMValueRef a = LLVMBuildShuffleVector(f->b, v, none, LLVMConstVector(lo, (unsigned)n), "");
    LLVMValueRef b = LLVMBuildShuffleVector(f->b, v, none, LLVMConstVector(hi, (unsigned)n), "");
    LLVMTypeRef ty = LLVMTypeOf(a);
    LLVMValueRef low = LLVMBuildAnd(f->b, a, cg_int(ty, 15), "");
    store(f, t, p, LLVMBuildOr(f->b, low, LLVMBuildShl(f->b, b, cg_int(ty, 4), ""), ""), at(f, p, halve(f, off)));
}

/* ---- loads
 * ------------------------------------------------------------------------------------------------------------ */
static LLVMValueRef load_one(Fn *f, const Tensor *t, const Place *p, LLVMValueRef off, LLVMValueRef ok)
{
    if (p->rep == REP_NIBBLE) {
        LLVMValueRef ptr = pick(f, ok, at(f, p, halve(f, off)), f->c->zeros);
        return nibble(f, t->type, load(f, t, p, f->c->i8, ptr), odd_bit(f, off, f->c->i8));
    }
    return load(f, t, p, p->elem, pick(f, ok, at(f, p, off), f->c->zeros));
}

static LLVMValueRef masked_load(Fn *f, const Tensor *t, const Place *p, LLVMTypeRef type, LLVMValueRef ptr,
                                LLVMValueRef m);

/* Lanes from … from + n of v, and of `more` behind it. */
LLVMValueRef cg_some_lanes(Fn *f, LLVMValueRef v, LLVMValueRef more, int from, int n)
{
    LLVMValueRef *ix = NEW_ARRAY(f->c->mem, LLVMValueRef, n);
    for (int i = 0; i < n; i++) ix[i] = cg_int(f->c->i32, from + i);
    return LLVMBuildShuffleVector(f->b, v, more, LLVMConstVector(ix, (unsigned)n), "");
}

/* In registers' width: LLVM 22 splits a wider one itself, and where a half of its mask is known to be false then reads
 * that half, and takes what it has read. */
static LLVMValueRef masked_halves(Fn *f, const Tensor *t, const Place *p, LLVMTypeRef type, LLVMValueRef ptr,
                                  LLVMValueRef m)
{
    int n = (int)LLVMGetVectorSize(type) / 2;
    LLVMTypeRef half = cg_wide(LLVMGetElementType(type), n);
    LLVMValueRef none = LLVMGetPoison(LLVMTypeOf(m)), by = cg_int(f->c->i64, n);
    LLVMValueRef next = LLVMBuildGEP2(f->b, LLVMGetElementType(type), ptr, &by, 1, "");
    LLVMValueRef lo = masked_load(f, t, p, half, ptr, cg_some_lanes(f, m, none, 0, n));
    LLVMValueRef hi = masked_load(f, t, p, half, next, cg_some_lanes(f, m, none, n, n));
    return cg_some_lanes(f, lo, hi, 0, 2 * n);
}

static LLVMValueRef masked_load(Fn *f, const Tensor *t, const Place *p, LLVMTypeRef type, LLVMValueRef ptr,
                                LLVMValueRef m)
{
    Cg *c = f->c;
    unsigned lanes = LLVMGetVectorSize(type), bytes = LLVMGetElementType(type) == c->i32 ? 4 : elem_bytes(p);
    if (lanes % 2 == 0 && lanes * bytes > (unsigned)c->t->vector_bytes) return masked_halves(f, t, p, type, ptr, m);
    LLVMTypeRef over[] = {type, c->ptr};
    unsigned id = LLVMLookupIntrinsicID("llvm.masked.load", 16);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(c->mod, id, over, 2);
    LLVMTypeRef ft = LLVMIntrinsicGetType(c->ctx, id, over, 2);
    LLVMValueRef align = cg_int(c->i32, elem_bytes(p)), zero = LLVMConstNull(type);
    LLVMValueRef with[] = {ptr, align, m, zero}, without[] = {ptr, m, zero}; /* LLVM 22 dropped the alignment */
    unsigned n = LLVMCountParamTypes(ft);
    return tag(f, t, LLVMBuildCall2(f->b, ft, fn, n == 4 ? with : without, n, ""));
}

/* for lane in 0..n, and the offset of its element. */
static LLVMValueRef lanes_open(Fn *f, Count *l, Val off, Mask m, LLVMValueRef *at_lane)
{
    Cg *c = f->c;
    LLVMValueRef spilled = NULL;
    if (off.kind == VAL_VEC) {
        spilled = scratch(f, 1);
        LLVMBuildStore(f->b, off.v, spilled);
    }
    LLVMValueRef lane = *at_lane = cg_count_open(f, l, cg_int(c->i64, 0), m.n, 1);
    if (!spilled) return cg_add(f, off.v, cg_mul(f, off.step, lane));
    return LLVMBuildLoad2(f->b, c->i64, LLVMBuildGEP2(f->b, c->i64, spilled, &lane, 1, ""), "");
}

/* The first n lanes, by a loop through the stack: what the remainder of a vector loop uses where there are no masked
 * loads. A little slower than lanes in line, but much less code for the part that runs least. */
static LLVMValueRef load_first(Fn *f, const Tensor *t, const Place *p, Val off, LLVMValueRef ok, Mask m)
{
    LLVMTypeRef elem = p->elem, type = cg_wide(elem, f->lanes);
    LLVMValueRef room = scratch(f, 0), lane;
    Count l;
    LLVMBuildStore(f->b, LLVMConstNull(type), room);
    LLVMValueRef at_lane = lanes_open(f, &l, off, m, &lane);
    LLVMValueRef x = load_one(f, t, p, at_lane, ok);
    LLVMBuildStore(f->b, x, LLVMBuildGEP2(f->b, elem, room, &lane, 1, ""));
    cg_count_close(f, &l);
    return LLVMBuildLoad2(f->b, type, room, "");
}

/* Lanes one by one. */
static LLVMValueRef load_each(Fn *f, const Tensor *t, const Place *p, Val off, LLVMValueRef ok, Mask m)
{
    LLVMValueRef v = NULL;
    if (m.n && f->lanes > 4) return load_first(f, t, p, off, ok, m);
    for (int i = 0; i < f->lanes; i++) {
        LLVMValueRef active = m.m ? cg_lane_active(f, m, i) : NULL;
        LLVMValueRef x = load_one(f, t, p, lane_off(f, off, i), both(f, ok, active));
        if (!v) v = LLVMGetPoison(cg_wide(LLVMTypeOf(x), f->lanes));
        v = LLVMBuildInsertElement(f->b, v, x, cg_int(f->c->i32, i), "");
    }
    return v;
}

static LLVMValueRef gather(Fn *f, const Tensor *t, const Place *p, Val off, LLVMValueRef ok, Mask m)
{
    Cg *c = f->c;
    LLVMTypeRef type = cg_wide(p->elem, f->lanes), ptrs = cg_wide(c->ptr, f->lanes), over[] = {type, ptrs};
    LLVMValueRef mask = m.m ? m.m : cg_splat(f, cg_int(c->i1, 1));
    if (ok) mask = LLVMBuildAnd(f->b, mask, cg_splat(f, ok), "");
    unsigned id = LLVMLookupIntrinsicID("llvm.masked.gather", 18);
    LLVMTypeRef ft = LLVMIntrinsicGetType(c->ctx, id, over, 2);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(c->mod, id, over, 2);
    LLVMValueRef where = at(f, p, cg_vec(f, off)), align = cg_int(c->i32, elem_bytes(p)), zero = LLVMConstNull(type);
    LLVMValueRef with[] = {where, align, mask, zero}, without[] = {where, mask, zero};
    unsigned n = LLVMCountParamTypes(ft);
    return tag(f, t, LLVMBuildCall2(f->b, ft, fn, n == 4 ? with : without, n, ""));
}

/* Whether elements start … start + lanes of a strided read are no further than that of the last active lane. */
static LLVMValueRef reached(Fn *f, Mask m, int64_t step, int64_t start)
{
    Cg *c = f->c;
    LLVMValueRef *each = NEW_ARRAY(c->mem, LLVMValueRef, f->lanes);
    for (int i = 0; i < f->lanes; i++) each[i] = cg_int(c->i32, start + i);
    LLVMValueRef n = LLVMBuildTrunc(f->b, m.n, c->i32, "");
    LLVMValueRef end =
        LLVMBuildAdd(f->b, LLVMBuildMul(f->b, n, cg_int(c->i32, step), ""), cg_int(c->i32, 1 - step), "");
    return LLVMBuildICmp(f->b, LLVMIntSLT, LLVMConstVector(each, (unsigned)f->lanes), cg_splat(f, end), "");
}

/* Step 2 … 4, or -1 when all lanes are active: whole vectors over just the elements from the first to the last, then
 * shuffles. */
static LLVMValueRef load_strided(Fn *f, const Tensor *t, const Place *p, Val off, int64_t step, LLVMValueRef ok, Mask m)
{
    Cg *c = f->c;
    int w = f->lanes;
    LLVMTypeRef type = cg_wide(p->elem, w);
    LLVMValueRef *ix = NEW_ARRAY(c->mem, LLVMValueRef, w), none = LLVMGetPoison(type), v = NULL;
    if (step == -1) {
        LLVMValueRef first = cg_add(f, off.v, cg_int(c->i64, 1 - w));
        for (int i = 0; i < w; i++) ix[i] = cg_int(c->i32, w - 1 - i);
        v = load(f, t, p, type, pick(f, ok, at(f, p, first), c->zeros));
        return LLVMBuildShuffleVector(f->b, v, none, LLVMConstVector(ix, (unsigned)w), "");
    }
    int64_t last = (w - 1) * step;
    v = none;
    for (int64_t done = -1, part = 0; done < last; part++) {
        /* never past the last lane's element */
        int64_t start = m.m || part * w + w - 1 <= last ? part * w : last - w + 1;
        LLVMValueRef from = pick(f, ok, at(f, p, cg_add(f, off.v, cg_int(c->i64, start))), c->zeros);
        LLVMValueRef x = m.m ? masked_load(f, t, p, type, from, reached(f, m, step, start)) : load(f, t, p, type, from);
        for (int i = 0; i < w; i++) {
            bool here = i * step > done && i * step < start + w;
            ix[i] = here ? cg_int(c->i32, w + (int64_t)i * step - start) : cg_int(c->i32, i);
        }
        v = LLVMBuildShuffleVector(f->b, v, x, LLVMConstVector(ix, (unsigned)w), "");
        done = start + w - 1;
    }
    return v;
}

static LLVMValueRef load_lanes(Fn *f, const Tensor *t, const Place *p, Val off, LLVMValueRef ok, Mask m)
{
    int64_t step = 0, w = f->lanes;
    bool known = off.kind == VAL_AFF && cg_known(off.step, &step);
    LLVMTypeRef type = cg_wide(p->elem, (int)w);
    if (p->rep == REP_NIBBLE) {
        if (known && step == 1 && !m.m && !ok && w % 2 == 0) return nibbles(f, t, p, off.v);
        return load_each(f, t, p, off, ok, m);
    }
    bool fits = w * elem_bytes(p) <= CG_ZEROS;
    if (known && step == 1 && fits) {
        LLVMValueRef ptr = pick(f, ok, at(f, p, off.v), f->c->zeros);
        if (!m.m || whole(f, t, p, off, m)) return load(f, t, p, type, ptr);
        if (masks(f, p)) return masked_load(f, t, p, type, ptr, m.m);
    }
    bool near = step >= 2 && step <= 4;
    if (known && fits && (m.m ? near && m.n && masks(f, p) : near || step == -1))
        return load_strided(f, t, p, off, step, ok, m);
    if (f->c->t->avx512 && elem_bytes(p) >= 4) return gather(f, t, p, off, ok, m);
    return load_each(f, t, p, off, ok, m);
}

LLVMValueRef cg_load_units(Fn *f, const Tensor *t, Val off)
{
    Cg *c = f->c;
    const Place *p = &f->place[t->id];
    LLVMTypeRef type = cg_wide(c->i32, f->lanes);
    LLVMValueRef ptr = at(f, p, off.v);
    if (f->mask.m && !f->mask.some) return NULL;
    if (off.kind == VAL_UNI) return cg_splat(f, load(f, t, p, c->i32, ptr));
    if (!f->mask.m) return load(f, t, p, type, ptr);
    return c->t->masks ? masked_load(f, t, p, type, ptr, f->mask.m) : NULL;
}

Val cg_load(Fn *f, const Tensor *t, Val off, LLVMValueRef ok, Mask m)
{
    const Place *p = &f->place[t->id];
    off = per_lane(f, p, off);
    int64_t k;
    if (off.kind == VAL_UNI) {
        int64_t n = f->c->buf[t->id].count;
        bool safe = !m.m || m.some || (cg_known(off.v, &k) && k >= 0 && k < n);
        LLVMValueRef x = load_one(f, t, p, off.v, safe ? ok : both(f, ok, cg_any(f, m.m)));
        return cg_uni(p->rep == REP_NIBBLE ? x : cg_decode(f, t->type, p->rep, x));
    }
    if (p->lanes > 1 && off.kind == VAL_AFF) { /* the element exists in all lanes when it does in one */
        if (m.m && !m.some && !cg_known(off.v, &k)) ok = both(f, ok, cg_any(f, m.m));
        m = (Mask){0};
    }
    LLVMValueRef x = load_lanes(f, t, p, off, ok, m);
    return (Val){.kind = VAL_VEC, .v = p->rep == REP_NIBBLE ? x : cg_decode(f, t->type, p->rep, x)};
}

/* ---- stores
 * ----------------------------------------------------------------------------------------------------------- */
static void store_one(Fn *f, const Tensor *t, const Place *p, LLVMValueRef off, LLVMValueRef v, LLVMValueRef ok)
{
    if (p->rep == REP_NIBBLE)
        store_nibble(f, p, off, v, ok);
    else if (!ok)
        store(f, t, p, v, at(f, p, off));
    else {
        LLVMValueRef s = LLVMBuildStore(f->b, v, pick(f, ok, at(f, p, off), sink(f)));
        LLVMSetAlignment(s, elem_bytes(p));
    }
}

static void store_first(Fn *f, const Tensor *t, const Place *p, Val off, LLVMValueRef v, Mask m)
{
    LLVMTypeRef elem = LLVMGetElementType(LLVMTypeOf(v));
    LLVMValueRef room = scratch(f, 0), lane;
    Count l;
    LLVMBuildStore(f->b, v, room);
    LLVMValueRef at_lane = lanes_open(f, &l, off, m, &lane);
    LLVMValueRef x = LLVMBuildLoad2(f->b, elem, LLVMBuildGEP2(f->b, elem, room, &lane, 1, ""), "");
    store_one(f, t, p, at_lane, x, NULL);
    cg_count_close(f, &l);
}

static void store_each(Fn *f, const Tensor *t, const Place *p, Val off, LLVMValueRef v, Mask m)
{
    if (m.n && f->lanes > 4) {
        store_first(f, t, p, off, v, m);
        return;
    }
    for (int i = 0; i < f->lanes; i++) {
        LLVMValueRef x = LLVMBuildExtractElement(f->b, v, cg_int(f->c->i32, i), "");
        store_one(f, t, p, lane_off(f, off, i), x, m.m ? cg_lane_active(f, m, i) : NULL);
    }
}

static void masked_store(Fn *f, const Tensor *t, const Place *p, const char *name, LLVMValueRef v, LLVMValueRef where,
                         LLVMValueRef m)
{
    Cg *c = f->c;
    LLVMTypeRef over[] = {LLVMTypeOf(v), LLVMTypeOf(where)};
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMTypeRef ft = LLVMIntrinsicGetType(c->ctx, id, over, 2);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(c->mod, id, over, 2);
    LLVMValueRef align = cg_int(c->i32, elem_bytes(p));
    LLVMValueRef with[] = {v, where, align, m}, without[] = {v, where, m};
    unsigned n = LLVMCountParamTypes(ft);
    tag(f, t, LLVMBuildCall2(f->b, ft, fn, n == 4 ? with : without, n, ""));
}

/* Whole bytes when the place starts on one (it nearly always does), else nibble by nibble. */
static void store_nibbles(Fn *f, const Tensor *t, const Place *p, Val off, LLVMValueRef v, Mask m)
{
    int64_t step;
    if (off.kind != VAL_AFF || !cg_known(off.step, &step) || step != 1 || m.m || f->lanes % 2) {
        store_each(f, t, p, off, v, m);
        return;
    }
    LLVMBasicBlockRef whole = cg_block_new(f, "bytes"), apart = cg_block_new(f, "nibbles"),
                      join = cg_block_new(f, "stored");
    LLVMValueRef even = LLVMBuildNot(f->b, LLVMBuildTrunc(f->b, off.v, f->c->i1, ""), "");
    LLVMBuildCondBr(f->b, even, whole, apart);
    cg_enter(f, whole);
    store_packed(f, t, p, off.v, v);
    cg_goto(f, join);
    cg_enter(f, apart);
    store_each(f, t, p, off, v, m);
    cg_goto(f, join);
    cg_enter(f, join);
}

static void store_lanes(Fn *f, const Tensor *t, const Place *p, Val off, LLVMValueRef v, Mask m)
{
    int64_t step;
    bool unit = off.kind == VAL_AFF && cg_known(off.step, &step) && step == 1;
    if (p->rep == REP_NIBBLE)
        store_nibbles(f, t, p, off, v, m);
    else if (unit && !m.m)
        (f->stream ? store_stream : store)(f, t, p, v, at(f, p, off.v));
    else if (unit && whole(f, t, p, off, m)) { /* nobody else sees it: put the old elements back */
        LLVMValueRef ptr = at(f, p, off.v), old = load(f, t, p, LLVMTypeOf(v), ptr);
        store(f, t, p, LLVMBuildSelect(f->b, m.m, v, old, ""), ptr);
    } else if (unit && masks(f, p))
        masked_store(f, t, p, "llvm.masked.store", v, at(f, p, off.v), m.m);
    else if (f->c->t->avx512 && elem_bytes(p) >= 4) {
        LLVMValueRef mask = m.m ? m.m : cg_splat(f, cg_int(f->c->i1, 1));
        masked_store(f, t, p, "llvm.masked.scatter", v, at(f, p, cg_vec(f, off)), mask);
    } else
        store_each(f, t, p, off, v, m);
}

void cg_store(Fn *f, const Tensor *t, Val off, Val v, Mask m)
{
    const Place *p = &f->place[t->id];
    off = per_lane(f, p, off);
    bool raw = p->rep == REP_NIBBLE;
    if (off.kind == VAL_UNI) {
        if (v.kind != VAL_UNI) cg_fail(f->c, "lanes store different values to one place of %s", t->name);
        LLVMValueRef x = v.v;
        store_one(f, t, p, off.v, raw ? x : cg_encode(f, t->type, p->rep, x), m.m && !m.some ? cg_any(f, m.m) : NULL);
        return;
    }
    /* A per-lane element outside the loop's own mask belongs to an iteration that does not exist. */
    if (p->lanes > 1 && m.m == f->root.m && off.kind == VAL_AFF) m = (Mask){0};
    LLVMValueRef x = cg_vec(f, v);
    store_lanes(f, t, p, off, raw ? x : cg_encode(f, t->type, p->rep, x), m);
}

LLVMValueRef cg_encoded(Fn *f, const Tensor *t, Val v)
{
    return cg_encode(f, t->type, f->place[t->id].rep, cg_vec(f, v));
}

void cg_store_row(Fn *f, const Tensor *t, LLVMValueRef off, LLVMValueRef v)
{
    const Place *p = &f->place[t->id];
    store(f, t, p, v, at(f, p, off));
}

/* One prefetch for each line of cache that the lanes touch, when they are consecutive; else for the first lane. */
void cg_prefetch(Fn *f, const Tensor *t, Val off, bool write)
{
    enum { LINE = 64 };
    Cg *c = f->c;
    const Place *p = &f->place[t->id];
    if (off.kind == VAL_VEC || p->lanes > 1 || p->rep == REP_NIBBLE || t->scope == SCOPE_REG) return;
    int64_t step, each = LINE / (int64_t)elem_bytes(p);
    int lines = off.kind == VAL_AFF && cg_known(off.step, &step) && step == 1 ? (int)((f->lanes + each - 1) / each) : 1;
    unsigned id = LLVMLookupIntrinsicID("llvm.prefetch", 13);
    LLVMTypeRef ptr = LLVMTypeOf(p->ptr);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(c->mod, id, &ptr, 1);
    LLVMTypeRef type = LLVMIntrinsicGetType(c->ctx, id, &ptr, 1);
    for (int i = 0; i < lines; i++) {
        LLVMValueRef where = at(f, p, i ? cg_add(f, off.v, cg_int(c->i64, i * each)) : off.v);
        LLVMValueRef args[4] = {where, cg_int(c->i32, write), cg_int(c->i32, 3), cg_int(c->i32, 1)};
        LLVMBuildCall2(f->b, type, fn, args, 4, "");
    }
}

void cg_finish_streams(Fn *f)
{
    if (f->streamed) LLVMBuildFence(f->b, LLVMAtomicOrderingSequentiallyConsistent, 0, "");
}
