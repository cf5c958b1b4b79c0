/* memory: loads, stores and atomics of all spaces. Every access is held against its space and its alignment, in any
 * launch; a checked one also asks checked.c.
 *
 * Shared addresses: bits 0 to 23 are the offset; bits 24 to 31 are 0 for the own block, else 1 + the rank in the
 * cluster. */
#include "runtime/sim/sim_float.h"
#include "runtime/sim/sim_priv.h"

/* ---- addresses
 * ------------------------------------------------------------------------------------------------------------ */

uint64_t sim_global_address(SimWarp *w, const SimInst *in, int lane)
{
    const SimSource *s = &in->src[0];
    const uint32_t *row = (s->where == SRC_REGS ? w->regs : w->block->cluster->run->pool) + s->off;
    int lanes = w->block->cluster->run->lanes;
    uint64_t x = row[lane] | (s->width == 2 ? (uint64_t)row[lane + lanes] << 32 : 0);
    bool half = isa_row[in->in.op].rule == IR_CPA;
    if (s->width == 1) x += (uint64_t)w->ureg[in->in.r[IS_B]] | (uint64_t)w->ureg[in->in.r[IS_B] + 1] << 32;
    return x + (uint64_t)(half ? (int64_t)(int16_t)(in->in.imm >> 16) : (int64_t)(int32_t)in->in.imm);
}

uint32_t sim_shared_address(SimWarp *w, const SimInst *in, int lane)
{
    const SimSource *s = &in->src[0];
    const uint32_t *row = (s->where == SRC_REGS ? w->regs : w->block->cluster->run->pool) + s->off;
    bool based = in->in.op != G9_CASS;
    return row[lane] + (based ? w->ureg[in->in.r[IS_B]] : 0) + in->in.imm;
}

static uint8_t *global(SimWarp *w, const SimInst *in, int lane, uint64_t address, uint32_t bytes, bool writes)
{
    const SimRun *r = w->block->cluster->run;
    uint64_t off = address - SIM_BASE, size = r->device->bytes;
    if (off >= size || size - off < bytes) {
        sim_fault(w, in, SIM_OUT_OF_BOUNDS, lane, address, "address 0x%llx is outside of global memory",
                  (unsigned long long)address);
        return NULL;
    }
    if (r->checked && !sim_check_global(w, in, lane, address, bytes, writes)) return NULL;
    return r->device->memory + off;
}

uint8_t *sim_global_part(SimWarp *w, const SimInst *in, int lane, uint64_t address, uint32_t bytes)
{
    return global(w, in, lane, address, bytes, false);
}

uint8_t *sim_global(SimWarp *w, const SimInst *in, int lane, uint64_t address, uint32_t bytes, bool writes)
{
    if (address & (bytes - 1)) {
        sim_fault(w, in, SIM_MISALIGNED, lane, address, "address 0x%llx is no multiple of %u",
                  (unsigned long long)address, bytes);
        return NULL;
    }
    return global(w, in, lane, address, bytes, writes);
}

uint8_t *sim_shared(SimWarp *w, const SimInst *in, int lane, uint32_t address, uint32_t bytes, bool writes)
{
    const SimRun *r = w->block->cluster->run;
    uint32_t rank = address >> 24, off = address & 0xffffff, align = bytes & (0 - bytes);
    if (off & (align - 1)) {
        sim_fault(w, in, SIM_MISALIGNED, lane, address, "shared address 0x%x is no multiple of %u", address, align);
        return NULL;
    }
    if (off > r->shared_bytes || r->shared_bytes - off < bytes || rank > (uint32_t)r->cluster_blocks) {
        sim_fault(w, in, SIM_OUT_OF_BOUNDS, lane, address, "shared address 0x%x is outside of the block's %u bytes",
                  address, r->shared_bytes);
        return NULL;
    }
    SimBlock *b = rank ? &w->block->cluster->block[rank - 1] : w->block;
    if (r->checked && !sim_check_shared(w, in, lane, b, off, bytes, writes)) return NULL;
    return b->shared + off;
}

static uint8_t *local(SimWarp *w, const SimInst *in, int lane, uint32_t address, uint32_t bytes)
{
    const SimRun *r = w->block->cluster->run;
    uint32_t size = r->kernel->local;
    if (address & (bytes - 1)) {
        sim_fault(w, in, SIM_MISALIGNED, lane, address, "local address 0x%x is no multiple of %u", address, bytes);
        return NULL;
    }
    if (address > size || size - address < bytes) {
        sim_fault(w, in, SIM_OUT_OF_BOUNDS, lane, address, "local address 0x%x is outside of the thread's %u bytes",
                  address, size);
        return NULL;
    }
    return w->block->local + (size_t)(w->number * (uint32_t)r->lanes + (uint32_t)lane) * size + address;
}

/* ---- loads and stores
 * --------------------------------------------------------------------------------------------------------- */

static void put_loaded(SimWarp *w, const SimInst *in, int lane, const uint8_t *p, int t)
{
    uint32_t x[4] = {0};
    int lanes = w->block->cluster->run->lanes;
    memcpy(x, p, isa_type[t].bits / 8u);
    if (t == IT_S8) x[0] = (uint32_t)(int32_t)(int8_t)x[0];
    if (t == IT_S16) x[0] = (uint32_t)(int32_t)(int16_t)x[0];
    for (int k = 0; k < in->dwidth; k++) w->regs[in->d + (uint32_t)(k * lanes + lane)] = x[k];
}

static uint32_t plain_address(SimWarp *w, const SimInst *in, int lane)
{
    const SimSource *s = &in->src[0];
    return (s->where == SRC_REGS ? w->regs : w->block->cluster->run->pool)[s->off + (uint32_t)lane] + in->in.imm;
}

/* Pointers of all active lanes, before anything is written; false after a fault. */
static bool pointers(SimWarp *w, const SimInst *in, uint64_t mask, uint32_t bytes, bool writes, uint8_t **p)
{
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        switch (in->in.op) {
        case G9_LDG:
        case G9_STG:
        case G9_ATOMG:
        case G9_REDG:
        case G9_CASG: p[i] = sim_global(w, in, i, sim_global_address(w, in, i), bytes, writes); break;
        case G9_LDL:
        case G9_STL: p[i] = local(w, in, i, plain_address(w, in, i), bytes); break;
        default: p[i] = sim_shared(w, in, i, sim_shared_address(w, in, i), bytes, writes); break;
        }
        if (!p[i]) return false;
    }
    return true;
}

static bool waits_for_order(const SimWarp *w) { return !w->ordered && !w->block->cluster->run->alone; }

SimNext sim_exec_load(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint8_t *p[LANES_MOST];
    int t = in->in.mod[0], lanes = w->block->cluster->run->lanes;
    if (in->in.op == G9_LDG && in->in.mod[1] == 3 && waits_for_order(w)) return SIM_SHARED_ORDER;
    if (!pointers(w, in, mask, isa_type[t].bits / 8u, false, p)) return SIM_STOP;
    uint32_t *d = w->regs + in->d;
    if (mask != w->all || t == IT_U8 || t == IT_S8 || t == IT_U16 || t == IT_S16) {
        for (uint64_t m = mask; m; m &= m - 1) put_loaded(w, in, __builtin_ctzll(m), p[__builtin_ctzll(m)], t);
    } else if (in->dwidth == 1) {
        for (int i = 0; i < lanes; i++) memcpy(&d[i], p[i], 4);
    } else {
        for (int i = 0; i < lanes; i++)
            for (int k = 0; k < in->dwidth; k++) memcpy(&d[k * lanes + i], p[i] + 4 * k, 4);
    }
    return SIM_GO;
}

SimNext sim_exec_store(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint8_t *p[LANES_MOST];
    int t = in->in.mod[0], lanes = w->block->cluster->run->lanes;
    uint32_t bytes = isa_type[t].bits / 8u;
    if (!pointers(w, in, mask, bytes, true, p)) return SIM_STOP;
    const SimSource *s = &in->src[2];
    const uint32_t *c = (s->where == SRC_REGS ? w->regs : w->block->cluster->run->pool) + s->off;
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        uint32_t x[4] = {c[i]};
        for (int k = 1; k < s->width; k++) x[k] = c[k * lanes + i];
        memcpy(p[i], x, bytes);
    }
    return SIM_GO;
}

SimNext sim_exec_const_load(SimWarp *w, const SimInst *in, uint64_t mask)
{
    const SimRun *r = w->block->cluster->run;
    bool constants = in->in.op == G9_LDC;
    const uint8_t *s = constants ? r->module->consts : r->launch->params;
    uint32_t size = constants ? r->module->const_bytes : r->kernel->param_bytes, at[LANES_MOST];
    int t = in->in.mod[0];
    uint32_t bytes = isa_type[t].bits / 8u;
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        at[i] = plain_address(w, in, i);
        if (at[i] & (bytes - 1))
            return sim_fault(w, in, SIM_MISALIGNED, i, at[i], "offset %u is no multiple of %u", at[i], bytes);
        if (at[i] > size || size - at[i] < bytes)
            return sim_fault(w, in, SIM_OUT_OF_BOUNDS, i, at[i], "offset %u is outside of the %u bytes", at[i], size);
    }
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        put_loaded(w, in, i, s + at[i], t);
    }
    return SIM_GO;
}

/* ---- atomics
 * ----------------------------------------------------------------------------------------------------------------------
 */

static uint64_t clamp_less(int t, uint64_t x, uint64_t y, bool most)
{
    bool less;
    switch (t) {
    case IT_S32: less = (int32_t)x < (int32_t)y; break;
    case IT_U32: less = (uint32_t)x < (uint32_t)y; break;
    case IT_S64: less = (int64_t)x < (int64_t)y; break;
    default: less = x < y; break;
    }
    return less != most ? x : y;
}

static uint64_t combine(int op, int t, uint64_t x, uint64_t y)
{
    switch (op) {
    case 0:
        switch (t) {
        case IT_F32: return canonical_f32(bits_f32((uint32_t)x) + bits_f32((uint32_t)y));
        case IT_F64: return canonical_f64(bits_f64(x) + bits_f64(y));
        case IT_F16X2:
            return round_f16(widen_f16(x & 0xffff) + widen_f16(y & 0xffff)) |
                   round_f16(widen_f16((uint32_t)x >> 16) + widen_f16((uint32_t)y >> 16)) << 16;
        case IT_BF16X2:
            return round_bf16(widen_bf16(x & 0xffff) + widen_bf16(y & 0xffff)) |
                   round_bf16(widen_bf16((uint32_t)x >> 16) + widen_bf16((uint32_t)y >> 16)) << 16;
        default: return x + y;
        }
    case 1: return clamp_less(t, x, y, false);
    case 2: return clamp_less(t, x, y, true);
    case 3: return x & y;
    case 4: return x | y;
    case 5: return x ^ y;
    default: return y;
    }
}

static uint64_t read_bits(const uint8_t *p, uint32_t bytes)
{
    uint64_t x = 0;
    memcpy(&x, p, bytes);
    return x;
}

/* Integer reductions without a result come out the same in any order, so they need not wait: other host threads may
 * be at the same word. */
static void at_once(uint8_t *p, uint32_t bytes, int op, int t, uint64_t y)
{
    if (bytes == 4) {
        uint32_t *q = (uint32_t *)(void *)p, x = __atomic_load_n(q, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(q, &x, (uint32_t)combine(op, t, x, y), true, __ATOMIC_RELAXED,
                                            __ATOMIC_RELAXED)) {}
    } else {
        uint64_t *q = (uint64_t *)(void *)p, x = __atomic_load_n(q, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(q, &x, combine(op, t, x, y), true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    }
}

static uint64_t source_bits(SimWarp *w, const SimSource *s, int lane)
{
    const uint32_t *c = (s->where == SRC_REGS ? w->regs : w->block->cluster->run->pool) + s->off;
    return c[lane] | (s->width == 2 ? (uint64_t)c[lane + w->block->cluster->run->lanes] << 32 : 0);
}

static void put_old(SimWarp *w, const SimInst *in, int lane, uint64_t x)
{
    w->regs[in->d + (uint32_t)lane] = (uint32_t)x;
    if (in->dwidth == 2) w->regs[in->d + (uint32_t)(w->block->cluster->run->lanes + lane)] = (uint32_t)(x >> 32);
}

SimNext sim_exec_atom(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint8_t *p[LANES_MOST];
    uint64_t y[LANES_MOST];
    int op = in->in.mod[0], t = in->in.mod[1];
    uint32_t bytes = isa_type[t].bits / 8u;
    bool global = in->in.op == G9_ATOMG || in->in.op == G9_REDG,
         result = in->in.op == G9_ATOMG || in->in.op == G9_ATOMS;
    bool exact = isa_type[t].cls != 'F';
    if (global && !(exact && !result) && waits_for_order(w)) return SIM_SHARED_ORDER;
    if (!pointers(w, in, mask, bytes, true, p)) return SIM_STOP;
    for (uint64_t m = mask; m; m &= m - 1) y[__builtin_ctzll(m)] = source_bits(w, &in->src[2], __builtin_ctzll(m));
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        if (global && !result && exact) {
            at_once(p[i], bytes, op, t, y[i]);
            continue;
        }
        uint64_t old = read_bits(p[i], bytes), now = combine(op, t, old, y[i]);
        memcpy(p[i], &now, bytes);
        if (result) put_old(w, in, i, old);
    }
    return SIM_GO;
}

SimNext sim_exec_cas(SimWarp *w, const SimInst *in, uint64_t mask)
{
    uint8_t *p[LANES_MOST];
    uint64_t want[LANES_MOST], now[LANES_MOST];
    uint32_t bytes = isa_type[in->in.mod[0]].bits / 8u;
    if (in->in.op == G9_CASG && waits_for_order(w)) return SIM_SHARED_ORDER;
    if (!pointers(w, in, mask, bytes, true, p)) return SIM_STOP;
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        want[i] = source_bits(w, &in->src[1], i);
        now[i] = source_bits(w, &in->src[2], i);
    }
    for (uint64_t m = mask; m; m &= m - 1) {
        int i = __builtin_ctzll(m);
        uint64_t old = read_bits(p[i], bytes);
        if (old == want[i]) memcpy(p[i], &now[i], bytes);
        put_old(w, in, i, old);
    }
    return SIM_GO;
}

/* ---- 8x8 tiles
 * -------------------------------------------------------------------------------------------------------------------------
 */

/* Rows of all tiles, checked; 16 bytes each. */
static bool tile_rows(SimWarp *w, const SimInst *in, int tiles, bool writes, uint8_t **row)
{
    int lanes = w->block->cluster->run->lanes;
    for (int i = 0; i < 8 * tiles; i++) {
        row[i] = sim_shared(w, in, i % lanes, sim_shared_address(w, in, i % lanes), 16, writes);
        if (!row[i]) return false;
    }
    return true;
}

SimNext sim_exec_ldm(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)mask;
    int tiles = 1 << in->in.mod[0], lanes = w->block->cluster->run->lanes;
    bool trans = in->in.mod[1];
    uint8_t *row[32];
    if (!tile_rows(w, in, tiles, false, row)) return SIM_STOP;
    uint16_t v[4][8][8];
    for (int i = 0; i < 8 * tiles; i++) memcpy(v[i / 8][i % 8], row[i], 16);
    if (in->in.r[IS_D] == ISA_RZ) return SIM_GO;
    uint32_t *d = w->regs + in->d;
    for (int k = 0; k < tiles; k++)
        for (int i = 0; i < 32; i++) {
            int r = i / 4, c = i % 4 * 2, place = 32 * k + i;
            uint32_t lo = trans ? v[k][c][r] : v[k][r][c], hi = trans ? v[k][c + 1][r] : v[k][r][c + 1];
            d[place / lanes * lanes + place % lanes] = lo | hi << 16;
        }
    return SIM_GO;
}

SimNext sim_exec_stm(SimWarp *w, const SimInst *in, uint64_t mask)
{
    (void)mask;
    int tiles = 1 << in->in.mod[0], lanes = w->block->cluster->run->lanes;
    bool trans = in->in.mod[1], zero = in->in.r[IS_C] == ISA_RZ;
    uint8_t *row[32];
    uint16_t v[4][8][8];
    if (!tile_rows(w, in, tiles, true, row)) return SIM_STOP;
    const uint32_t *s = w->regs + (zero ? 0 : in->in.r[IS_C] * lanes);
    for (int k = 0; k < tiles; k++)
        for (int i = 0; i < 32; i++) {
            int r = i / 4, c = i % 4 * 2, place = 32 * k + i;
            uint32_t x = zero ? 0 : s[place / lanes * lanes + place % lanes];
            *(trans ? &v[k][c][r] : &v[k][r][c]) = (uint16_t)x;
            *(trans ? &v[k][c + 1][r] : &v[k][r][c + 1]) = (uint16_t)(x >> 16);
        }
    for (int i = 0; i < 8 * tiles; i++) memcpy(row[i], v[i / 8][i % 8], 16);
    return SIM_GO;
}
