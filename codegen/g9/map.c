/* map: a program's outermost statements as kernels. Of a nest of loops around one block, those whose iterations are
 * independent are taken off: their product is the number of threads, the innermost one fastest, so that neighbouring
 * lanes take neighbouring elements; the others run serially in each thread. What cannot run so is one thread's work.
 *
 * A thread finds its iteration from its number; threads beyond the last one end at once. Buffers between kernels are
 * workspace, a thread's own are local memory or, when large, parts of workspace, and then a launch has at most
 * `most_threads` threads that take several iterations each. */
#include "codegen/g9/map.h"

#include <string.h>

enum { BLOCK = 128, MOST_THREADS = 4096, UNKNOWN_THREADS = 512, LEAST_THREADS = 32 };
enum { THREAD_BYTES = 1 << 26 }; /* of workspace for the threads of a launch, unless even few need more */

/* ---- names and parameters */
static const char *plain_name(G9 *g, const char *name)
{
    char *s = arena_strdup(g->mem, name);
    for (char *c = s; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';
        if (!letter && !(c > s && *c >= '0' && *c <= '9')) *c = '_';
    }
    return s;
}

static bool taken(const MKernel *k, const char *name)
{
    for (int i = 0; i < k->param.n; i++)
        if (!strcmp(k->param.at[i].name, name)) return true;
    return false;
}

static MParam *param(G9 *g, MKernel *k, const char *name, IsaType t, bool pointer)
{
    const char *plain = plain_name(g, name), *s = plain;
    for (int i = 1; taken(k, s); i++) s = arena_printf(g->mem, "%s_%d", plain, i);
    VEC_PUSH(g->mem, &k->param, (MParam){.name = s, .type = (uint8_t)t, .pointer = pointer, .offset = k->param_bytes});
    k->param_bytes += 8;
    return &k->param.at[k->param.n - 1];
}

/* Sizes that are numbers or dims alone; else no shape is told. Nibbles have none, for two lie in a byte. */
static void shape(G9 *g, MParam *p, const Tensor *t)
{
    if (t->rank > ISA_RANK || te_type[t->type].bits < 8) return;
    for (int i = 0; i < t->rank; i++) {
        int64_t n;
        const Expr *e = t->shape[i];
        if (te_eval_size(g->op, e, &n))
            p->dim[i] = arena_printf(g->mem, "%lld", (long long)n);
        else if (e->op == EX_DIM)
            p->dim[i] = g->op->dim[e->sym].name;
        else
            return;
    }
    p->rank = t->rank;
}

static void scalar(MParam *p, const char *count)
{
    p->rank = 1;
    p->dim[0] = count;
}

static IsaType memory_type(DType t)
{
    static const struct {
        DType t;
        IsaType as;
    } names[] = {{DT_F64, IT_F64},     {DT_F32, IT_F32},     {DT_TF32, IT_TF32}, {DT_F16, IT_F16}, {DT_BF16, IT_BF16},
                 {DT_F8E4M3, IT_E4M3}, {DT_F8E5M2, IT_E5M2}, {DT_I64, IT_S64},   {DT_I32, IT_S32}, {DT_I16, IT_S16},
                 {DT_I8, IT_S8},       {DT_I4, IT_S4},       {DT_U64, IT_U64},   {DT_U32, IT_U32}, {DT_U16, IT_U16},
                 {DT_U8, IT_U8},       {DT_U4, IT_U4},       {DT_INDEX, IT_S64}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].t == t) return names[i].as;
    return IT_U8;
}

static void params(G9 *g, MKernel *k)
{
    const TeOp *op = g->op;
    for (int i = 0; i < op->nparams; i++) {
        const Tensor *t = op->tensor[i];
        MParam *p = param(g, k, t->name, memory_type(t->type), true);
        if (t->rank)
            shape(g, p, t);
        else
            scalar(p, "1");
    }
    for (int i = 0; i < g->buffers.n; i++) {
        int64_t n;
        MParam *p = param(g, k, g->buffers.at[i].name, IT_U8, true);
        if (cg_g9_formula(g->buffers.at[i].bytes, 0, NULL, &n)) scalar(p, arena_printf(g->mem, "%lld", (long long)n));
    }
    scalar(param(g, k, "fault", IT_U32, true), "4");
    for (int i = 0; i < op->ndims; i++) param(g, k, op->dim[i].name, IT_S64, false);
}

/* ---- buffers */
static const char *bytes_formula(G9 *g, const Tensor *t)
{
    const char *s = arena_printf(g->mem, "%d", g_elem_bytes(g, t));
    for (int i = 0; i < t->rank; i++) {
        const char *n = g_formula(g, t->shape[i]);
        if (!n) g_fail(g, "the shape of %s depends on more than dims", t->name);
        s = arena_printf(g->mem, "%s %s *", s, n);
    }
    return s;
}

/* How many threads may have a buffer t each. */
static int threads_with(G9 *g, const Tensor *t)
{
    int64_t bytes;
    const char *formula = bytes_formula(g, t);
    if (!cg_g9_formula(formula, 0, NULL, &bytes)) return UNKNOWN_THREADS;
    int64_t n = THREAD_BYTES / (bytes + 16) / LEAST_THREADS * LEAST_THREADS;
    return n < LEAST_THREADS ? LEAST_THREADS : n > MOST_THREADS ? MOST_THREADS : (int)n;
}

static void add_buffer(G9 *g, const Tensor *t, bool outermost)
{
    const char *bytes = bytes_formula(g, t);
    if (!outermost) bytes = arena_printf(g->mem, "%s 15 + 16 / 16 * %d *", bytes, threads_with(g, t));
    g->param_at[t->id] = 8 * (g->op->nparams + g->buffers.n);
    VEC_PUSH(g->mem, &g->buffers, (CgG9Buffer){plain_name(g, t->name), bytes});
}

static bool is_large(G9 *g, const Tensor *t)
{
    int64_t bytes = g_elem_bytes(g, t);
    for (int i = 0; i < t->rank; i++) {
        int64_t n;
        if (!te_eval_size(g->op, t->shape[i], &n) || __builtin_mul_overflow(bytes, n, &bytes)) return true;
    }
    return bytes > G_LOCAL_BUF;
}

static void find_buffers(G9 *g, const Block *b, bool outermost)
{
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == ST_ALLOC && (outermost || (s->alloc.buf->rank && is_large(g, s->alloc.buf))))
            add_buffer(g, s->alloc.buf, outermost);
        if (s->kind == ST_FOR) find_buffers(g, &s->loop.body, false);
        if (s->kind != ST_IF) continue;
        find_buffers(g, &s->branch.then, outermost);
        find_buffers(g, &s->branch.els, outermost);
    }
}

/* At most so many threads run b at once, because they have workspace of their own. */
static int most_threads(G9 *g, const Block *b, int most)
{
    for (int i = 0; i < b->n; i++) {
        const Stmt *s = b->at[i];
        if (s->kind == ST_ALLOC && g->param_at[s->alloc.buf->id] >= 0) {
            int n = threads_with(g, s->alloc.buf);
            most = n < most ? n : most;
        }
        if (s->kind == ST_FOR) most = most_threads(g, &s->loop.body, most);
        if (s->kind == ST_IF) most = most_threads(g, &s->branch.els, most_threads(g, &s->branch.then, most));
    }
    return most;
}

/* ---- the loops that become threads */
static const char *trips_formula(G9 *g, const Stmt *s)
{
    const char *lo = g_formula(g, s->loop.var->lo), *hi = g_formula(g, s->loop.var->hi);
    long long step = (long long)s->loop.step;
    if (!lo || !hi) return NULL;
    return arena_printf(g->mem, "%s %s - %lld + %lld / 0 max", hi, lo, step - 1, step);
}

static Chain chain_of(G9 *g, const Stmt *s)
{
    Chain c = {0};
    const Stmt *at = s;
    for (;;) {
        c.loop[c.n++] = at;
        if (c.n == CHAIN || at->loop.body.n != 1 || at->loop.body.at[0]->kind != ST_FOR) break;
        at = at->loop.body.at[0];
    }
    for (int i = 0; i < c.n; i++) {
        const Stmt *l = c.loop[i];
        c.trips[i] = trips_formula(g, l);
        c.mapped[i] = c.trips[i] && (l->loop.kind == LOOP_PARALLEL || g_independent(g, s, l->loop.var, l->loop.step));
    }
    return c;
}

static bool any_mapped(const Chain *c)
{
    for (int i = 0; i < c->n; i++)
        if (c->mapped[i]) return true;
    return false;
}

const char *g_threads_formula(G9 *g, const Chain *c)
{
    const char *s = "1";
    for (int i = 0; i < c->n; i++)
        if (c->mapped[i]) s = arena_printf(g->mem, "%s %s *", s, c->trips[i]);
    return s;
}

/* Small launches get small blocks, so that all multiprocessors have some. */
static int block_size(const G9 *g, const char *threads)
{
    int64_t n, warp = g->machine->chip_warp;
    int block = BLOCK < g->machine->sm_threads ? BLOCK : (int)g->machine->sm_threads;
    if (!cg_g9_formula(threads, 0, NULL, &n)) return block;
    while (block > warp && n <= block / 2 * g->machine->chip_sms) block /= 2;
    return block;
}

/* ---- a kernel */
void g_open_kernel(G9 *g, int block)
{
    const char *name = arena_printf(g->mem, "%s_%d", plain_name(g, g->op->name), g->kernels.n);
    g->k = mir_kernel(g->mem, name);
    g->k->block = block;
    params(g, g->k);
    g->level = g->barriers = g->barrier_top = 0;
    g->barriers_lacked = false;
    g->line = 0;
    g->reg.n = g->pred.n = 0;
    g->lv[0].have.n = g->lv[0].memo.n = 0;
    memset(g->memo, 0, sizeof *g->memo * (size_t)(g->op->nexprs + 1));
    memset(g->var, 0, sizeof *g->var * (size_t)(g->op->nvars + 1));
    memset(g->place, 0, sizeof *g->place * (size_t)(g->op->ntensors + 1));
    g_enter(g, mir_block(g->k));
    for (int i = 0; i < g->op->ntensors; i++) /* strides are made of parameters, and hold everywhere */
        if (g->param_at[i] >= 0) g_place(g, g->op->tensor[i]);
}

void g_close_kernel(G9 *g, const char *threads)
{
    MInst end = mir_inst(G9_EXIT);
    VEC_PUSH(g->mem, &g->cur->in, end);
    VEC_PUSH(g->mem, &g->launches, (CgG9Launch){g->kernels.n, g->k->block, threads});
    VEC_PUSH(g->mem, &g->kernels, g->k);
}

void g_leave_unless(G9 *g, Val cond)
{
    if (cond.r == M_NONE && !cond.neg) return;
    g_act(g, OP(G9_EXIT, 0), g_not(cond), (Val){0}, 0, NULL);
}

void g_enter_around(G9 *g, const Around *s)
{
    for (int i = 0; i < s->let.n; i++) g->var[s->let.at[i]->let.var->id] = g_expr(g, s->let.at[i]->let.value);
    for (int i = 0; i < s->cond.n; i++) {
        Val c = g_expr(g, s->cond.at[i]);
        g_leave_unless(g, s->no.at[i] ? g_not(c) : c);
    }
}

static Val trips(G9 *g, const Stmt *s)
{
    Val lo = g_expr(g, s->loop.var->lo), hi = g_expr(g, s->loop.var->hi), n = g_ix_op(g, EX_SUB, hi, lo);
    if (s->loop.step > 1) n = g_ix_op(g, EX_DIV, g_ix_op(g, EX_ADD, n, g_imm(s->loop.step - 1)), g_imm(s->loop.step));
    return g_ix_op(g, EX_MAX, n, g_imm(0));
}

/* The number of this thread in the launch. */
Val g_thread_number(G9 *g, Val total)
{
    Val block = g_gen1(g, OP(G9_S2R, IT_B32), g_bits(ISR_CTAID_X)),
        lane = g_gen1(g, OP(G9_S2R, IT_B32), g_bits(ISR_TID_X));
    Val size = g_imm(g->k->block);
    if (total.width == 1 && total.hi < INT32_MAX - 65536)
        return g_ranged(g_gen3(g, OP(G9_IMAD, IT_S32), block, size, lane), 0, total.hi + 65535);
    Val wide = g_gen3(g, OP(G9_LEA, IT_U64), lane, g_bits64(0), g_imm(0));
    return g_ranged(g_gen3(g, OP(G9_IMADW, IT_U32), block, size, wide), 0, INT64_MAX);
}

Val g_iterations(G9 *g, const Chain *c)
{
    Val total = g_imm(1);
    for (int i = 0; i < c->n; i++)
        if (c->mapped[i]) total = g_ix_op(g, EX_MUL, total, trips(g, c->loop[i]));
    return total;
}

/* x as the iterations of the mapped loops, the innermost one fastest. */
void g_find_iterations(G9 *g, const Chain *c, Val x)
{
    int left = 0;
    for (int i = 0; i < c->n; i++) left += c->mapped[i];
    for (int i = c->n; i-- > 0;) {
        const Stmt *s = c->loop[i];
        if (!c->mapped[i]) continue;
        Val n = trips(g, s), at = x;
        if (--left) { /* where this runs, no trip count is 0 */
            Val some = g_ranged(n, n.lo < 1 ? 1 : n.lo, n.hi < 1 ? 1 : n.hi);
            at = g_ix_op(g, EX_MOD, x, some);
            x = g_ix_op(g, EX_DIV, x, some);
        }
        at = g_ranged(at, 0, n.hi > 0 ? n.hi - 1 : 0);
        if (n.hi <= INT32_MAX) at = g_narrow(g, at);
        Val v = g_ix_op(g, EX_MUL, at, g_imm(s->loop.step));
        g->var[s->loop.var->id] = g_ix_op(g, EX_ADD, v, g_expr(g, s->loop.var->lo));
    }
}

static void serial_part(G9 *g, const Chain *c, int i)
{
    while (i < c->n && c->mapped[i]) i++;
    if (i == c->n) {
        g_block(g, &c->loop[c->n - 1]->loop.body);
        return;
    }
    const Var *v = c->loop[i]->loop.var;
    Mark m = g_mark(g);
    Val lo = g_expr(g, v->lo), hi = g_expr(g, v->hi);
    Loop l;
    g_forget_memo(g, m);
    g->var[v->id] = g_loop(g, &l, lo, hi, c->loop[i]->loop.step);
    serial_part(g, c, i + 1);
    g_endloop(g, &l);
}

/* One kernel; false: it has too few barrier registers for its ifs and loops. */
static bool try_parallel(G9 *g, const Around *scope, const Chain *c)
{
    const char *threads = g_threads_formula(g, c);
    const Block *body = &c->loop[c->n - 1]->loop.body;
    int most = most_threads(g, body, INT32_MAX);
    bool bounded = most < INT32_MAX;
    g_open_kernel(g, bounded ? LEAST_THREADS : block_size(g, threads));
    g_enter_around(g, scope);
    Val total = g_iterations(g, c);
    g->thread = g_thread_number(g, total);
    if (bounded) {
        Loop l;
        threads = arena_printf(g->mem, "%s %d min", threads, most);
        Val x = g_loop(g, &l, g->thread, total, most);
        g_find_iterations(g, c, g_ranged(x, 0, total.hi));
        serial_part(g, c, 0);
        g_endloop(g, &l);
    } else {
        g_leave_unless(g, g_ix_compare(g, EX_LT, g->thread, total));
        g_find_iterations(g, c, g_ranged(g->thread, 0, total.hi));
        serial_part(g, c, 0);
    }
    if (g->barriers_lacked) return false;
    g_close_kernel(g, threads);
    return true;
}

static void parallel_kernel(G9 *g, const Around *scope, const Chain *c)
{
    g->no_barriers = !try_parallel(g, scope, c);
    if (g->no_barriers) try_parallel(g, scope, c);
    g->no_barriers = false;
}

static void serial_kernel(G9 *g, const Around *scope, const Block *b)
{
    g->no_barriers = true;
    g_open_kernel(g, (int)g->machine->chip_warp);
    g_enter_around(g, scope);
    g->thread = g_imm(0);
    Val lane = g_gen1(g, OP(G9_S2R, IT_B32), g_bits(ISR_TID_X));
    g_leave_unless(g, g_gen2(g, OP(G9_ISETP, 0, IT_U32), lane, g_imm(0)));
    g_block(g, b);
    g_close_kernel(g, "1");
    g->no_barriers = false;
}

/* ---- the program */
typedef VEC(Stmt *) Stmts;

static void flush(G9 *g, const Around *scope, Stmts *rest)
{
    if (rest->n) serial_kernel(g, scope, &(Block){rest->n, rest->at});
    rest->n = 0;
}

static bool has_loops(const Block *b)
{
    for (int i = 0; i < b->n; i++)
        if (b->at[i]->kind == ST_FOR) return true;
    return false;
}

static bool reads(const Expr *e, const Tensor *t, int *budget)
{
    if (!e) return false;
    if (--*budget < 0 || (e->op == EX_LOAD && e->load.t == t)) return true;
    for (int i = 0; i < te_nchildren(e); i++)
        if (reads(te_child(e, i), t, budget)) return true;
    return false;
}

/* May what stands from number `from` on read t? */
static bool read_after(const Block *b, int from, const Tensor *t)
{
    for (int i = from; i < b->n; i++) {
        const Stmt *s = b->at[i];
        int budget = 1000;
        bool simple = s->kind == ST_STORE && !reads(s->store.value, t, &budget);
        for (int k = 0; simple && k < s->store.buf->rank; k++) simple = !reads(s->store.ix[k], t, &budget);
        if (s->kind == ST_FOR && !read_after(&s->loop.body, 0, t)) continue;
        if (s->kind == ST_UPDATE && !s->update.where && !reads(s->update.value, t, &budget)) continue;
        if (!simple && s->kind != ST_ALLOC && s->kind != ST_LET) return true;
    }
    return false;
}

/* A reduction to one result, from number `at` on: alloc, start, loop, store. */
static bool one_result(G9 *g, const Around *scope, const Block *b, int at)
{
    Chain none = {0};
    bool four = at + 3 < b->n && b->at[at]->kind == ST_ALLOC && b->at[at + 3]->kind == ST_STORE;
    if (!four || read_after(b, at + 4, b->at[at]->alloc.buf)) return false;
    return g_reduction(g, scope, &none, &(Block){4, b->at + at});
}

static void statements(G9 *g, Around *scope, const Block *b)
{
    Stmts rest = {0};
    int lets = scope->let.n;
    for (int i = 0; i < b->n; i++) {
        Stmt *s = b->at[i];
        Chain c = {0};
        if (s->kind == ST_FOR) c = chain_of(g, s);
        if (s->kind == ST_ALLOC && !rest.n && one_result(g, scope, b, i)) i += 3;
        if (s->kind == ST_ALLOC) continue;
        if (s->kind == ST_LET) {
            g->let[s->let.var->id] = s->let.value;
            VEC_PUSH(g->mem, &scope->let, s);
        } else if (any_mapped(&c)) {
            flush(g, scope, &rest);
            if (!g_product(g, scope, &c) && !g_reduction(g, scope, &c, &c.loop[c.n - 1]->loop.body))
                parallel_kernel(g, scope, &c);
        } else if (s->kind == ST_IF && !te_has_load(s->branch.cond) &&
                   (has_loops(&s->branch.then) || has_loops(&s->branch.els))) {
            flush(g, scope, &rest);
            for (int arm = 0; arm < 2; arm++) {
                VEC_PUSH(g->mem, &scope->cond, s->branch.cond);
                VEC_PUSH(g->mem, &scope->no, arm == 1);
                statements(g, scope, arm ? &s->branch.els : &s->branch.then);
                scope->cond.n--, scope->no.n--;
            }
        } else {
            VEC_PUSH(g->mem, &rest, s);
        }
    }
    flush(g, scope, &rest);
    scope->let.n = lets;
}

void g_map(G9 *g)
{
    const TeOp *op = g->op;
    Around scope = {0};
    for (int i = 0; i < op->ntensors; i++) g->param_at[i] = i < op->nparams ? 8 * i : -1;
    find_buffers(g, &g->p->body, true);
    g->fault_at = 8 * (op->nparams + g->buffers.n);
    for (int i = 0; i < op->ndims; i++) g->dim_at[i] = g->fault_at + 8 + 8 * i;
    statements(g, &scope, &g->p->body);
}
