/* product_mma: tiles multiplied on the matrix unit. */
#include "codegen/g9/product.h"

/* ---- fragments
 * A matrix load reads 8x8 tiles at addresses that lanes give: tile t is that of lanes 8 t to 8 t + 7. For A they are
 * (rows 0-7, k 0-7), (8-15, 0-7), (0-7, 8-15), (8-15, 8-15), for two columns of B (columns 0-7, k 0-7), (0-7, 8-15),
 * (8-15, 0-7), (8-15, 8-15). Where memory has k outside, it is turned on the way. */
static Val fragment_base(G9 *g, const Operand *o, Val lane, Val first, bool is_a)
{
    Val r = p_modulo(g, lane, 8), low = p_modulo(g, p_over(g, lane, 8), 2), high = p_over(g, lane, 16);
    Val row8 = is_a ? low : high, k8 = is_a ? high : low;
    Val line = o->k_fast ? p_sum(g, p_sum(g, first, p_times(g, row8, 8)), r) : p_sum(g, p_times(g, k8, 8), r);
    Val along = o->k_fast ? p_times(g, k8, 8) : p_sum(g, first, p_times(g, row8, 8));
    return p_plus(g, p_sum(g, p_times(g, line, o->pitch), p_times(g, along, 2)), o->base);
}

/* Into `to`, a mutable quad. */
static void load_fragment(G9 *g, const Operand *o, Val to, Val base, int rows, int k, Val guard)
{
    Val at = base;
    at.bits = (uint64_t)(o->k_fast ? rows * o->pitch + k * 2 : k * o->pitch + rows * 2);
    g_act(g, OP(G9_LDM, 2, !o->k_fast, IT_B16), guard, to, 1, &at);
}

static Val pair_of(Val quad, int which)
{
    return (Val){.kind = V_REG, .width = 2, .r = quad.r, .part = 1, .sub = (uint8_t)(2 * which)};
}

/* Fragments of 16 terms, and what is done between two matrix instructions, which leave room for others: warps issue in
 * order, so what would wait for the memory pipe is spread out. */
typedef struct Fragments {
    Val a[8], b[8];
} Fragments;

typedef struct Between {
    Fragments *next;       /* fragments to load, from term k on */
    Val at_a, at_b, there; /* there: V_NONE, or where the loads are not beyond the last tile */
    int k, copies;
    Val more; /* where there are tiles to copy */
    int done, all;
} Between;

static void load_next(G9 *g, const Product *p, Fragments *f, Val at_a, Val at_b, int k, int at, Val guard)
{
    int na = p->t.wm / 16;
    if (at < na)
        load_fragment(g, &p->a, f->a[at], at_a, 16 * at, k, guard);
    else
        load_fragment(g, &p->b, f->b[at - na], at_b, 16 * (at - na), k, guard);
}

static int loads_of(const Product *p) { return p->t.wm / 16 + p->t.wn / 16; }

static void between(G9 *g, Product *p, Between *b)
{
    int at = b->done++, loads = loads_of(p);
    if (at < loads)
        load_next(g, p, b->next, b->at_a, b->at_b, b->k, at, b->there);
    else
        p_copy(g, p, at - loads, b->more);
}

static void multiply(G9 *g, Product *p, const Fragments *f, Between *b)
{
    uint16_t shape = (uint16_t)isa_shape_code((IsaShape){16, 8, 16});
    int rows = p->t.wm / 16, columns = p->t.wn / 8, at = 0;
    b->all = loads_of(p) + b->copies;
    for (int m = 0; m < rows; m++)
        for (int n = 0; n < columns; n++) {
            Val acc = p->sums[m][n], src[] = {f->a[m], pair_of(f->b[n / 2], n % 2), acc};
            g_act(g, OP(G9_MMA, shape, IT_F32, p->type, p->type), (Val){0}, acc, 3, src);
            for (at++; b->done < b->all && b->done * rows * columns < at * b->all;) between(g, p, b);
        }
}

/* ---- the loop over tiles */
static void find_fragments(G9 *g, const Product *p, Val a, Val b, Between *to)
{
    to->at_a = g_reg(g, p_sum(g, a, p->read));
    to->at_b = g_reg(g, p_sum(g, b, p->read));
}

/* The first half of a tile is multiplied while fragments of its second half are loaded and later tiles copied, the
 * second half while the first fragments of the next tile are loaded. */
static void loop_over_tiles(G9 *g, Product *p, Val a, Val b)
{
    Loop l;
    Fragments f[2];
    Between none = {0};
    for (int x = 0; x < 2; x++)
        for (int m = 0; m < 8; m++) f[x].a[m] = g_new(g, 4), f[x].b[m] = g_new(g, 4);
    p_await(g, p);
    find_fragments(g, p, a, b, &none);
    for (int x = 0; x < loads_of(p); x++) load_next(g, p, &f[0], none.at_a, none.at_b, 0, x, (Val){0});
    Val i = g_loop(g, &l, g_imm(0), g_imm(p->tiles_k), 1);
    Between first = {.next = &f[1], .k = 16, .copies = p_copies(p)}, second = {.next = &f[0]};
    first.more = g_ix_compare(g, EX_LT, i, g_imm(p->tiles_k - (p->stages - 1)));
    find_fragments(g, p, a, b, &first);
    p_open_stage(g, p);
    multiply(g, p, &f[0], &first);
    p_close_stage(g, p);
    p_next_tile(g, p);
    second.there = g_ix_compare(g, EX_LT, i, g_imm(p->tiles_k - 1));
    find_fragments(g, p, a, b, &second);
    multiply(g, p, &f[1], &second);
    g_endloop(g, &l);
}

static void finish(G9 *g, Product *p, Val first_row, Val first_column)
{
    for (int m = 0; m < p->t.wm / 16; m++)
        for (int h = 0; h < 2; h++) {
            Val row = p_plus(g, first_row, 16 * m + 8 * h);
            for (int n = 0; n < p->t.wn / 8; n++)
                for (int e = 0; e < 2; e++) {
                    Val quad = p->sums[m][n];
                    Val part = {.kind = V_REG, .width = 1, .r = quad.r, .part = 1, .sub = (uint8_t)(2 * h + e)};
                    p_finish(g, p, row, p_plus(g, first_column, 8 * n + e), part);
                }
        }
}

void p_multiply_mma(G9 *g, Product *p)
{
    Val a = fragment_base(g, &p->a, p->lane, p->a.fragment, true),
        b = fragment_base(g, &p->b, p->lane, p->b.fragment, false);
    for (int m = 0; m < p->t.wm / 16; m++)
        for (int n = 0; n < p->t.wn / 8; n++) {
            Val quad = p->sums[m][n] = g_new(g, 4);
            for (int h = 0; h < 2; h++)
                g_act(g, OP(G9_MOV, IT_B64), (Val){0}, pair_of(quad, h), 1, (Val[]){g_bits64(0)});
        }
    loop_over_tiles(g, p, a, b);
    Val row = p_sum(g, p->first_row, p_over(g, p->lane, 4));
    finish(g, p, row, p_sum(g, p->first_column, p_times(g, p_modulo(g, p->lane, 4), 2)));
}
