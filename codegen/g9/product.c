/* product: a sum of products by tiles: on the matrix unit, or by fmas.
 *
 *     for … i, j { alloc acc; acc = 0; for k { acc sum= f32(A[…i, k…]) * f32(B[…k, j…]) }; what follows reads acc }
 *
 * A block makes BM x BN results. Tiles of A and B come through shared memory by asynchronous copies of 16 bytes,
 * `stages` of them under way, in the order in which memory has them; lines are padded by 16 bytes, so that the eight
 * rows that are read at once lie in different banks. A warp makes WM x WN of the results (product_mma.c,
 * product_fma.c); then what follows the sum runs for each of its elements. Terms enter in order of k, one fma each, so
 * the bits are those of the loops. Terms beyond the end are 0; blocks beyond the last row or column compute what they
 * do not store.
 *
 * Relies on sizes known when compiling and lines that start at multiples of 16 bytes. Operands are f16 and bf16 for the
 * matrix unit, f32 for fmas. */
#include "codegen/g9/product.h"

#include <string.h>

enum { STAGES = 4, GROUP = 16 };

/* Smaller tiles of a warp read more of shared memory for each result. */
static const Tile mma_tiles[] = {
    {128, 128, 64, 64, 100}, {64, 128, 32, 64, 112}, {64, 64, 32, 32, 150}, {32, 32, 16, 16, 300}};
static const Tile fma_tiles[] = {
    {128, 128, 32, 64, 100}, {64, 128, 32, 64, 102}, {64, 64, 32, 64, 110}, {32, 64, 32, 64, 150}};
enum { TILES = 4 };

/* ---- recognising */
static bool number(const G9 *g, const Expr *e, int64_t *v) { return te_eval_size(g->op, e, v); }

/* e without variables: its value where all are 0, if it is a sum. */
static bool at_zero(const G9 *g, const Expr *e, int64_t *v)
{
    int64_t a, b;
    if (number(g, e, v)) return true;
    *v = 0;
    if (e->op == EX_VAR) return true;
    if (e->nargs != 2 || !at_zero(g, e->arg[0], &a) || !at_zero(g, e->arg[1], &b)) return false;
    switch ((ExprOp)e->op) {
    case EX_ADD: *v = a + b; return true;
    case EX_SUB: *v = a - b; return true;
    case EX_MUL: *v = a * b; return true;
    default: return false;
    }
}

/* The start of every line of a copy's elements is a multiple of them: what the index of a dense dimension adds is. */
static bool aligned(const G9 *g, const Product *p, const Expr *e, const Var *fast)
{
    int64_t by, zero;
    if (!at_zero(g, e, &zero) || zero % p->chunk) return false;
    for (int i = 0; i <= p->c->n; i++) {
        const Var *v = i < p->c->n ? p->c->loop[i]->loop.var : p->k->loop.var;
        if (v != fast && (!g_slope(g, e, v, &by) || by % p->chunk)) return false;
    }
    return true;
}

/* How the operand lies in memory. */
static bool lies_well(G9 *g, const Product *p, Operand *o)
{
    const Tensor *t = o->load->load.t;
    const Var *r = o->rows->loop.var, *k = p->k->loop.var;
    int64_t stride = 1, by_r = 0, by_k = 0, a, b, n;
    for (int i = t->rank; i-- > 0;) {
        if (!g_slope(g, o->load->arg[i], r, &a) || !g_slope(g, o->load->arg[i], k, &b)) return false;
        by_r += a * stride;
        by_k += b * stride;
        if (!number(g, t->shape[i], &n) || n < 1 || n > INT32_MAX || stride > INT32_MAX) return false;
        stride *= n;
    }
    if (by_r > INT32_MAX || by_k > INT32_MAX || (by_r != 1 && by_k != 1)) return false;
    o->k_fast = by_k == 1;
    o->k_step = by_k;
    int64_t slow = o->k_fast ? by_r : by_k, fast = o->k_fast ? p->terms : o->extent;
    if (slow % p->chunk || slow <= 0 || fast % p->chunk) return false;
    stride = 1;
    for (int i = t->rank; i-- > 0;) {
        if (stride % p->chunk && !aligned(g, p, o->load->arg[i], o->k_fast ? k : r)) return false;
        number(g, t->shape[i], &n);
        stride *= n;
    }
    return true;
}

static const Expr *plain_load(const Expr *e)
{
    const Expr *l = e->op == EX_CAST ? e->arg[0] : e;
    bool fits = e->type == DT_F32 && l->op == EX_LOAD && l->flag == LOAD_PROVED && !l->load.other;
    return fits && (l->type == DT_F16 || l->type == DT_BF16 || l->type == DT_F32) ? l : NULL;
}

/* The innermost loop whose variable `of` mentions and `other` does not. */
static const Stmt *own_loop(const Chain *c, const Expr *of, const Expr *other, int *at)
{
    for (int i = c->n; i-- > 0;) {
        const Var *v = c->loop[i]->loop.var;
        if (!te_uses_var(of, v) || te_uses_var(other, v)) continue;
        *at = i;
        return c->loop[i];
    }
    return NULL;
}

static bool find_operands(G9 *g, Product *p, const Expr *value)
{
    const Expr *x = plain_load(value->arg[0]), *y = plain_load(value->arg[1]);
    int at_x = 0, at_y = 0;
    if (!x || !y || x->type != y->type) return false;
    p->a = (Operand){.load = x, .rows = own_loop(p->c, x, y, &at_x)};
    p->b = (Operand){.load = y, .rows = own_loop(p->c, y, x, &at_y)};
    if (!p->a.rows || !p->b.rows) return false;
    if (at_x > at_y) { /* lanes go along the columns, which are the inner loop */
        Operand t = p->a;
        p->a = p->b, p->b = t;
    }
    p->type = x->type == DT_F16 ? IT_F16 : x->type == DT_BF16 ? IT_BF16 : IT_F32;
    p->mma = p->type != IT_F32;
    p->size = p->mma ? 2 : 4;
    p->chunk = 16 / p->size;
    p->bk = p->mma ? 32 : 16;
    return number(g, p->a.rows->loop.var->hi, &p->a.extent) && number(g, p->b.rows->loop.var->hi, &p->b.extent);
}

static bool whole_loops(G9 *g, const Chain *c)
{
    int64_t lo, hi;
    for (int i = 0; i < c->n; i++) {
        const Stmt *s = c->loop[i];
        if (!c->mapped[i] || s->loop.step != 1 || !number(g, s->loop.var->lo, &lo) || lo) return false;
        if (!number(g, s->loop.var->hi, &hi) || hi < 1 || hi > INT32_MAX) return false;
    }
    return true;
}

/* What follows the sum must not need more than a thread has. */
static bool is_simple(G9 *g, const Block *b)
{
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == ST_FOR || s->kind == ST_IF || (s->kind == ST_ALLOC && g->param_at[s->alloc.buf->id] >= 0))
            return false;
    }
    return true;
}

static bool match(G9 *g, Product *p, const Chain *c)
{
    const Block *b = &c->loop[c->n - 1]->loop.body;
    int64_t lo;
    p->c = c;
    if (b->n < 4 || b->at[0]->kind != ST_ALLOC || b->at[1]->kind != ST_STORE || b->at[2]->kind != ST_FOR) return false;
    p->acc = b->at[0]->alloc.buf;
    p->k = b->at[2];
    p->rest = (Block){b->n - 3, b->at + 3};
    const Expr *zero = b->at[1]->store.value;
    const Block *inner = &p->k->loop.body;
    if (p->acc->rank || p->acc->type != DT_F32 || b->at[1]->store.buf != p->acc || zero->op != EX_FLOAT || zero->f != 0)
        return false;
    if (inner->n != 1 || inner->at[0]->kind != ST_UPDATE || p->k->loop.step != 1) return false;
    const Stmt *u = inner->at[0];
    bool fused = u->update.fma || g->fast;
    if (u->update.buf != p->acc || u->update.op != RED_SUM || u->update.value->op != EX_MUL || !fused) return false;
    if (!number(g, p->k->loop.var->lo, &lo) || lo || !number(g, p->k->loop.var->hi, &p->terms) || p->terms < 1)
        return false;
    if (!whole_loops(g, c) || p->terms > INT32_MAX || !is_simple(g, &p->rest) || !find_operands(g, p, u->update.value))
        return false;
    /* A product that underflows leaves -0, to which a 0 that fills the last tile must not be added. */
    if (!g->fast && p->type != IT_F16 && p->terms % p->bk) return false;
    return lies_well(g, p, &p->a) && lies_well(g, p, &p->b);
}

/* ---- the size of tiles */
static int64_t blocks_of(const Product *p, const Tile *t)
{
    int64_t n = (p->a.extent + t->bm - 1) / t->bm * ((p->b.extent + t->bn - 1) / t->bn), hi;
    for (int i = 0; i < p->c->n; i++) {
        const Stmt *s = p->c->loop[i];
        if (s == p->a.rows || s == p->b.rows) continue;
        hi = s->loop.var->hi->op == EX_INT ? s->loop.var->hi->i : 1;
        n *= hi;
    }
    return n;
}

static void lay_out(const Product *p, Operand *o, int tile, int base)
{
    o->tile = tile;
    o->base = base;
    o->lines = o->k_fast ? tile : p->bk;
    o->per_line = (o->k_fast ? p->bk : tile) / p->chunk;
    o->pitch = o->per_line * 16 + P_PAD;
    o->copies = o->lines * o->per_line / p->threads;
    o->ragged = o->extent % tile != 0;
}

static bool fits(const G9 *g, Product *p, const Tile *t)
{
    int64_t most = g->machine->shared_block;
    p->t = *t;
    p->threads = t->bm / t->wm * (t->bn / t->wn) * 32;
    lay_out(p, &p->a, t->bm, 0);
    lay_out(p, &p->b, t->bn, p->a.lines * p->a.pitch);
    p->stage_bytes = p->b.base + p->b.lines * p->b.pitch;
    for (p->stages = STAGES; p->stages > 1 && p->stages * p->stage_bytes > most; p->stages--) continue;
    return p->stages > 1 && p->stage_bytes < 32768;
}

/* The tiles with which the multiprocessor that gets most blocks is done first. */
static bool choose(const G9 *g, Product *p)
{
    const Tile *tiles = p->mma ? mma_tiles : fma_tiles, *best = NULL;
    int64_t least = INT64_MAX, sms = g->machine->chip_sms;
    for (int i = 0; i < TILES; i++) {
        const Tile *t = &tiles[i];
        int64_t time = (blocks_of(p, t) + sms - 1) / sms * t->bm * t->bn * t->cost;
        if (time >= least || !fits(g, p, t)) continue;
        least = time;
        best = t;
    }
    return best && fits(g, p, best);
}

static bool machine_can(const G9 *g, const Product *p)
{
    IsaInst in = isa_inst(G9_MMA);
    const char *lacks;
    if (g->machine->chip_warp != 32 || !g->machine->chip_copy) return false;
    if (!p->mma) return true;
    in.mod[0] = (uint16_t)isa_shape_code((IsaShape){16, 8, 16});
    in.mod[1] = IT_F32;
    in.mod[2] = in.mod[3] = p->type;
    return isa_machine_has(g->machine, &in, &lacks);
}

/* ---- small steps */
Val p_plus(G9 *g, Val a, int64_t b) { return g_ix_op(g, EX_ADD, a, g_imm(b)); }
Val p_times(G9 *g, Val a, int64_t b) { return g_ix_op(g, EX_MUL, a, g_imm(b)); }
Val p_over(G9 *g, Val a, int64_t b) { return g_ix_op(g, EX_DIV, a, g_imm(b)); }
Val p_modulo(G9 *g, Val a, int64_t b) { return g_ix_op(g, EX_MOD, a, g_imm(b)); }
Val p_sum(G9 *g, Val a, Val b) { return g_ix_op(g, EX_ADD, a, b); }
static void plain(G9 *g, Op o, int n, const Val *src) { g_act(g, o, (Val){0}, (Val){0}, n, src); }

static Val variable(G9 *g, Val start)
{
    Val v = g_new(g, start.width == 2 ? 2 : 1);
    g_set(g, v, start);
    return g_ranged(v, 0, 1 << 20); /* stages; nobody adds to the others by their interval */
}

static void step(G9 *g, Val v, int64_t by)
{
    IsaType t = v.width == 2 ? IT_S64 : IT_S32;
    g_act(g, OP(G9_IADD3, t), (Val){0}, v, 3, (Val[]){v, g_imm(by), g_imm(0)});
}

/* ---- where this block and this thread are
 * Blocks that run at once are near each other in both directions: GROUP of them down, then across, so that what they
 * read is in the second level together. */
static void find_block(G9 *g, Product *p, Val *first_row, Val *first_column)
{
    int64_t hi, left = blocks_of(p, &p->t), nbm = (p->a.extent + p->t.bm - 1) / p->t.bm,
                nbn = (p->b.extent + p->t.bn - 1) / p->t.bn;
    Val x = g_ranged(g_gen1(g, OP(G9_S2R, IT_B32), g_bits(ISR_CTAID_X)), 0, left - 1);
    Val tile = p_modulo(g, x, nbm * nbn), group = p_over(g, tile, nbn * GROUP), within = p_modulo(g, tile, nbn * GROUP);
    Val rows = g_ix_op(g, EX_MIN, g_imm(GROUP), g_ix_op(g, EX_SUB, g_imm(nbm), p_times(g, group, GROUP)));
    rows = g_ranged(rows, 1, rows.hi);
    Val bm = p_sum(g, p_times(g, group, GROUP), g_ix_op(g, EX_MOD, within, rows)),
        bn = g_ix_op(g, EX_DIV, within, rows);
    *first_row = p_times(g, g_ranged(bm, 0, nbm - 1), p->t.bm);
    *first_column = p_times(g, g_ranged(bn, 0, nbn - 1), p->t.bn);
    x = p_over(g, x, nbm * nbn);
    for (int i = p->c->n; i-- > 0;) {
        const Stmt *s = p->c->loop[i];
        if (s == p->a.rows || s == p->b.rows || !number(g, s->loop.var->hi, &hi)) continue;
        g->var[s->loop.var->id] = p_modulo(g, x, hi);
        x = p_over(g, x, hi);
    }
}

/* ---- copies */
static Val at_most(G9 *g, Val v, int64_t most) { return g_ix_op(g, EX_MIN, v, g_imm(most)); }

/* Pointers to this thread's chunks of the first tile, and how many bytes of each are there. */
static void open_copies(G9 *g, const Product *p, Operand *o, Val tid, Val first)
{
    int gap = p->threads / o->per_line;
    Val line = p_over(g, tid, o->per_line), chunk = p_times(g, p_modulo(g, tid, o->per_line), p->chunk);
    int rows = o->rows->loop.var->id, k = p->k->loop.var->id;
    o->k_at = o->k_fast ? chunk : line;
    for (int q = 0; q < o->copies; q++) {
        Val at = p_plus(g, line, (int64_t)q * gap), row = p_sum(g, first, o->k_fast ? at : chunk);
        Val along = o->k_fast ? chunk : at;
        g->var[rows] = o->ragged ? at_most(g, row, o->k_fast ? o->extent - 1 : o->extent - p->chunk) : row;
        g->var[k] = at_most(g, along, o->k_fast ? p->terms - p->chunk : p->terms - 1);
        Mark m = g_mark(g);
        Access a = g_access(g, o->load->load.t, o->load->arg, o->load->load.t->rank, NULL);
        g_forget_memo(g, m);
        Val pointer = g_gen3(g, OP(G9_IADD3, IT_U64), g_reg(g, a.address), g_bits64((uint64_t)a.offset), g_imm(0));
        o->pointer[q] = variable(g, pointer);
        Val in = o->ragged ? g_ix_compare(g, EX_LT, row, g_imm(o->extent)) : g_true(true);
        o->bytes[q] = o->ragged ? g_reg(g, g_select(g, in, g_bits(16), g_bits(0))) : g_imm(16);
    }
    o->write = p_plus(g, p_sum(g, p_times(g, line, o->pitch), p_times(g, chunk, p->size)), o->base);
}

/* The q-th copy of a tile, where `guard` holds; k_left: how many terms there still are. */
static void copy(G9 *g, const Product *p, Operand *o, int q, Val k_left, Val guard)
{
    int gap = p->threads / o->per_line;
    bool short_k = p->terms % p->bk != 0;
    Val bytes = o->bytes[q], to = o->to, from = o->pointer[q];
    if (short_k) {
        Val at = o->k_fast ? o->k_at : p_plus(g, o->k_at, (int64_t)q * gap);
        bytes = g_select(g, g_gen2(g, OP(G9_ISETP, 2, IT_S32), g_reg(g, at), k_left), g_reg(g, bytes), g_bits(0));
    }
    to.bits = (uint64_t)((int64_t)q * gap * o->pitch);
    from.bits = 0;
    bool all = !short_k && !o->ragged;
    g_act(g, OP(all ? G9_CPA : G9_CPAZ, IT_B128), guard, (Val){0}, all ? 2 : 3, (Val[]){to, from, bytes});
    step(g, from, (o->k_fast ? 1 : o->k_step) * p->bk * p->size);
}

int p_copies(const Product *p) { return p->a.copies + p->b.copies; }

void p_open_stage(G9 *g, Product *p)
{
    p->a.to = g_reg(g, p_sum(g, p->a.write, p->write));
    p->b.to = g_reg(g, p_sum(g, p->b.write, p->write));
}

void p_copy(G9 *g, Product *p, int at, Val guard)
{
    bool first = at < p->a.copies;
    copy(g, p, first ? &p->a : &p->b, first ? at : at - p->a.copies, p->left, guard);
}

static void advance(G9 *g, const Product *p, Val stage)
{
    Val next = g_gen3(g, OP(G9_IADD3, IT_S32), stage, g_imm(p->stage_bytes), g_imm(0));
    Val end = g_gen2(g, OP(G9_ISETP, 0, IT_S32), next, g_imm((int64_t)p->stages * p->stage_bytes));
    g_set(g, stage, g_select(g, end, g_bits(0), next));
}

void p_close_stage(G9 *g, Product *p)
{
    plain(g, OP(G9_CPCOMMIT, 0), 0, NULL);
    step(g, p->left, -p->bk);
    advance(g, p, p->write);
}

void p_await(G9 *g, const Product *p)
{
    plain(g, OP(G9_CPWAIT, 0), 1, (Val[]){g_imm(p->stages - 2)});
    plain(g, OP(G9_BAR, 0), 2, (Val[]){g_imm(0), g_imm(0)});
}

void p_next_tile(G9 *g, Product *p)
{
    advance(g, p, p->read);
    p_await(g, p);
}

/* The first tiles are under way. */
static void begin(G9 *g, Product *p)
{
    Val none = {0};
    p->tiles_k = (p->terms + p->bk - 1) / p->bk;
    p->write = variable(g, g_imm(0)), p->read = variable(g, g_imm(0)), p->left = variable(g, g_imm(p->terms));
    for (int s = 0; s + 1 < p->stages; s++) {
        if (s < p->tiles_k) {
            p_open_stage(g, p);
            for (int q = 0; q < p_copies(p); q++) p_copy(g, p, q, none);
        }
        p_close_stage(g, p);
    }
}

/* ---- what follows the sum */
void p_finish(G9 *g, Product *p, Val row, Val column, Val part)
{
    If f;
    Val in =
        g_and(g, g_ix_compare(g, EX_LT, row, g_imm(p->a.extent)), g_ix_compare(g, EX_LT, column, g_imm(p->b.extent)));
    bool guarded = p->a.ragged || p->b.ragged;
    g->var[p->a.rows->loop.var->id] = g_ranged(row, 0, p->a.extent - 1);
    g->var[p->b.rows->loop.var->id] = g_ranged(column, 0, p->b.extent - 1);
    if (guarded) g_if(g, &f, in);
    g_alloc(g, p->acc);
    g_set(g, (Val){.kind = V_REG, .width = 1, .r = g->place[p->acc->id].at}, part);
    g_block(g, &p->rest);
    if (guarded) g_endif(g, &f);
}

static void kernel(G9 *g, Product *p)
{
    Val row, column;
    find_block(g, p, &row, &column);
    Val tid = g_ranged(g_gen1(g, OP(G9_S2R, IT_B32), g_bits(ISR_TID_X)), 0, p->threads - 1), warp = p_over(g, tid, 32);
    int across = p->t.bn / p->t.wn;
    p->lane = p_modulo(g, tid, 32);
    open_copies(g, p, &p->a, tid, row);
    open_copies(g, p, &p->b, tid, column);
    Val warp_row = p_times(g, p_over(g, warp, across), p->t.wm),
        warp_column = p_times(g, p_modulo(g, warp, across), p->t.wn);
    p->a.fragment = warp_row, p->b.fragment = warp_column;
    p->first_row = p_sum(g, row, warp_row), p->first_column = p_sum(g, column, warp_column);
    begin(g, p);
    if (p->mma)
        p_multiply_mma(g, p);
    else
        p_multiply_fma(g, p);
}

bool g_product(G9 *g, const Around *around, const Chain *c)
{
    Product p = {0};
    if (!match(g, &p, c) || !machine_can(g, &p) || !choose(g, &p)) return false;
    g_open_kernel(g, p.threads);
    g->k->shared = (uint32_t)(p.stages * p.stage_bytes);
    g_enter_around(g, around);
    g->thread = g_imm(0);
    kernel(g, &p);
    if (g->barriers_lacked) return false;
    g_close_kernel(g, arena_printf(g->mem, "%lld", (long long)blocks_of(&p, &p.t) * p.threads));
    return true;
}
