/* views: the arguments through other strides than the compact ones: dimensions in any order, rows padded, some
 * backwards. What lies between the elements must stay as it is. */
#include "ir/num.h"
#include "tests/random/bench.h"

#include <stdlib.h>
#include <string.h>

/* Rows of sub-byte types start on bytes: their last dimension is innermost, other strides are even. */
static void choose_strides(Rng *r, Arg *a)
{
    int order[MAX_RANK], rank = a->info.rank;
    bool nibbles = te_type[a->type].bits < 8;
    int64_t step = !nibbles && rng_chance(r, 20) ? 2 : 1;
    for (int i = 0; i < rank; i++) order[i] = rank - 1 - i;
    for (int i = rank - 1; i > 0 && rng_chance(r, 40) && !nibbles; i--) {
        int k = rng_below(r, i + 1), t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
    a->at = nibbles ? 0 : rng_below(r, 4);
    for (int i = 0; i < rank; i++) {
        int d = order[i];
        int64_t n = a->shape[d] > 0 ? a->shape[d] : 1;
        bool backwards = rng_chance(r, 20) && !(nibbles && i == 0);
        a->strides[d] = backwards ? -step : step;
        if (backwards) a->at += (n - 1) * step;
        step *= n + rng_below(r, 3);
        if (nibbles) step += step & 1;
    }
    a->span = a->at + step + 4;
}

void make_views(Bench *b)
{
    Rng r = {b->p->seed * 131 + 0xabcd};
    rng_next(&r);
    for (int i = 0; i < b->nargs; i++) {
        Arg *a = &b->arg[i];
        choose_strides(&r, a);
        a->span = 2 * a->span + 64; /* backwards steps count twice */
        a->view = malloc((size_t)(a->span * (a->info.dl_bits < 8 ? 1 : a->info.dl_bits / 8)));
    }
}

static int64_t place(const Arg *a, int64_t element)
{
    int64_t at = a->at;
    for (int d = a->info.rank - 1; d >= 0; d--) {
        at += element % a->shape[d] * a->strides[d];
        element /= a->shape[d];
    }
    return at;
}

static int64_t compact(const Arg *a, int64_t element)
{
    int64_t row = a->info.rank ? a->shape[a->info.rank - 1] : 1;
    return a->info.dl_bits < 8 ? element / row * (row + (row & 1)) + element % row : element;
}

static void move(DType t, void *to, int64_t i, const void *from, int64_t k)
{
    int bits = te_type[t].bits;
    if (bits >= 8) {
        memcpy((char *)to + i * (bits / 8), (const char *)from + k * (bits / 8), (size_t)bits / 8);
        return;
    }
    uint8_t v = (uint8_t)(((const uint8_t *)from)[k / 2] >> (k % 2 * 4) & 15), *at = (uint8_t *)to + i / 2;
    *at = (uint8_t)(i % 2 ? (*at & 15) | v << 4 : (*at & 0xf0) | v);
}

static size_t view_bytes(const Arg *a) { return (size_t)(a->span * (a->info.dl_bits < 8 ? 1 : a->info.dl_bits / 8)); }

void put_views(Bench *b)
{
    for (int i = 0; i < b->nargs; i++) {
        Arg *a = &b->arg[i];
        memset(a->view, 0x5a, view_bytes(a));
        for (int64_t e = 0; e < a->elements && a->info.kind != TENSORCC_OUTPUT; e++)
            move(a->type, a->view, place(a, e), a->first, compact(a, e));
        a->t.data = a->view;
        a->t.byte_offset = (uint64_t)(a->info.dl_bits < 8 ? a->at / 2 : a->at * (a->info.dl_bits / 8));
        a->t.strides = a->strides;
    }
}

Outcome take_views(Bench *b, const char *label)
{
    static const uint8_t pattern[8] = {0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a};
    for (int i = 0; i < b->nargs; i++) {
        Arg *a = &b->arg[i];
        memcpy(a->data, a->want, (size_t)a->bytes); /* the padding of odd rows of nibbles */
        for (int64_t e = 0; e < a->elements; e++) {
            int64_t at = place(a, e);
            move(a->type, a->data, compact(a, e), a->view, at);
            move(a->type, a->view, at, pattern, a->info.dl_bits < 8 ? at % 2 : 0);
            bool last = a->info.rank && e % a->shape[a->info.rank - 1] == a->shape[a->info.rank - 1] - 1;
            if (a->info.dl_bits < 8 && (last || !a->info.rank)) move(a->type, a->view, at + 1 - at % 2, pattern, 1);
        }
        a->t.data = a->data;
        a->t.byte_offset = 0;
        a->t.strides = NULL;
        for (size_t k = 0; k < view_bytes(a); k++)
            if (((uint8_t *)a->view)[k] != 0x5a)
                return fail(b, RUN_MISMATCH, "%s: wrote between the elements of %s", label, a->info.name);
    }
    return RUN_OK;
}
