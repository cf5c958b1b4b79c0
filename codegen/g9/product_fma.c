/* product_fma: tiles multiplied by fmas. A warp makes 32 x 64 results, a lane 8 x 8 of them: lane 8 y + x has the rows
 * of y and the columns of x. A load brings 16 bytes of shared memory: four terms of a row where memory has k inside,
 * else four rows of a term. Four terms are multiplied while the next four are loaded. */
#include "codegen/g9/product.h"

enum { SIDE = 8, TERMS = 4, QUADS = 8 };

/* An operand's values for four terms. */
typedef struct Values {
    Val quad[QUADS];
} Values;

/* Which of the tile's rows is the i-th of lane group `at` out of `groups`: rows that a warp reads at once are
 * neighbours. */
static int offset_of(const Operand *o, int i, int groups)
{
    return o->k_fast ? groups * i : i % 4 + 4 * groups * (i / 4);
}

static Val first_of(G9 *g, const Operand *o, Val at) { return o->k_fast ? at : p_times(g, at, 4); }

static Val base_of(G9 *g, const Operand *o, Val at)
{
    Val row = p_sum(g, o->fragment, first_of(g, o, at));
    return p_plus(g, p_times(g, row, o->k_fast ? o->pitch : 4), o->base);
}

/* Load number q of four terms from k on. */
static void load(G9 *g, const Operand *o, Values *v, Val base, int q, int k, int groups, Val guard)
{
    int at = o->k_fast ? offset_of(o, q, groups) * o->pitch + k * 4
                       : (k + q / 2) * o->pitch + offset_of(o, q % 2 * 4, groups) * 4;
    base.bits = (uint64_t)at;
    g_act(g, OP(G9_LDS, IT_B128), guard, v->quad[q], 1, &base);
}

static Val value(const Operand *o, const Values *v, int i, int k)
{
    int q = o->k_fast ? i : 2 * k + i / 4, sub = o->k_fast ? k : i % 4;
    return (Val){.kind = V_REG, .width = 1, .r = v->quad[q].r, .part = 1, .sub = (uint8_t)sub};
}

/* Registers lie in banks by their parity, and three of one bank take a clock more: a sum has the other parity than the
 * operand whose parity goes with its row or column. */
static Val sum_at(const Product *p, int i, int j)
{
    bool by_row = p->b.k_fast && !p->a.k_fast;
    int u = by_row ? i : j, w = by_row ? j : i;
    return (Val){.kind = V_REG, .width = 1, .r = p->sums[w][u / 2].r, .part = 1, .sub = (uint8_t)(1 - u % 2)};
}

typedef struct Between {
    Values *a, *b; /* to load */
    Val at_a, at_b, there, more;
    int k, copies, done;
} Between;

static void between(G9 *g, Product *p, Between *b)
{
    int at = b->done++;
    if (at < QUADS)
        load(g, &p->a, b->a, b->at_a, at, b->k, 4, b->there);
    else if (at < 2 * QUADS)
        load(g, &p->b, b->b, b->at_b, at - QUADS, b->k, 8, b->there);
    else
        p_copy(g, p, at - 2 * QUADS, b->more);
}

static void multiply(G9 *g, Product *p, const Values *a, const Values *b, Between *more)
{
    int at = 0, all = 2 * QUADS + more->copies, steps = TERMS * SIDE * SIDE;
    for (int k = 0; k < TERMS; k++)
        for (int i = 0; i < SIDE; i++)
            for (int j = 0; j < SIDE; j++) {
                Val to = sum_at(p, i, j);
                g_act(g, OP(G9_FFMA, IT_F32), (Val){0}, to, 3,
                      (Val[]){value(&p->a, a, i, k), value(&p->b, b, j, k), to});
                for (at++; more->done < all && more->done * steps < at * all;) between(g, p, more);
            }
}

static void find(G9 *g, const Product *p, Val a, Val b, Between *to)
{
    to->at_a = g_reg(g, p_sum(g, a, p->read));
    to->at_b = g_reg(g, p_sum(g, b, p->read));
}

static void loop_over_tiles(G9 *g, Product *p, Val at_a, Val at_b)
{
    Loop l;
    Values a[2], b[2];
    int steps = p->bk / TERMS;
    for (int x = 0; x < 2; x++)
        for (int q = 0; q < QUADS; q++) a[x].quad[q] = g_new(g, 4), b[x].quad[q] = g_new(g, 4);
    Between first = {.a = &a[0], .b = &b[0]};
    p_await(g, p);
    find(g, p, at_a, at_b, &first);
    while (first.done < 2 * QUADS) between(g, p, &first);
    Val i = g_loop(g, &l, g_imm(0), g_imm(p->tiles_k), 1);
    Val more = g_ix_compare(g, EX_LT, i, g_imm(p->tiles_k - (p->stages - 1)));
    Between now = {0};
    find(g, p, at_a, at_b, &now);
    p_open_stage(g, p);
    for (int s = 0; s < steps; s++) {
        int x = s % 2;
        Between next = {
            .a = &a[1 - x], .b = &b[1 - x], .at_a = now.at_a, .at_b = now.at_b, .k = TERMS * (s + 1), .more = more};
        if (s == 0) next.copies = p_copies(p);
        if (s + 1 == steps) {
            next.k = 0;
            p_next_tile(g, p);
            find(g, p, at_a, at_b, &next);
            next.there = g_ix_compare(g, EX_LT, i, g_imm(p->tiles_k - 1));
        }
        multiply(g, p, &a[x], &b[x], &next);
        if (s == 0) p_close_stage(g, p);
    }
    g_endloop(g, &l);
}

void p_multiply_fma(G9 *g, Product *p)
{
    Val y = p_over(g, p->lane, 8), x = p_modulo(g, p->lane, 8);
    Val a = base_of(g, &p->a, y), b = base_of(g, &p->b, x);
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE / 2; j++) {
            p->sums[i][j] = g_new(g, 2);
            g_set(g, p->sums[i][j], g_bits64(0));
        }
    loop_over_tiles(g, p, a, b);
    Val row = p_sum(g, p->first_row, first_of(g, &p->a, y)), column = p_sum(g, p->first_column, first_of(g, &p->b, x));
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            p_finish(g, p, p_plus(g, row, offset_of(&p->a, i, 4)), p_plus(g, column, offset_of(&p->b, j, 8)),
                     sum_at(p, i, j));
}
