/* fuzz_tile: any text through the reader of Tile IR. What it accepts must print, read back equal, print the same again,
 * and run within limits without touching what is not its own. */
#include "ir/tile_priv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STATEMENTS = 20000, BYTES = 1 << 20, SMALL = 5 };

static void need(bool ok)
{
    if (!ok) abort();
}

static TileProg *parse(Arena *mem, const char *text, size_t n)
{
    Source *src = NEW(mem, Source);
    Diags *d = NEW(mem, Diags);
    *src = (Source){"fuzz", text, n};
    d->mem = mem;
    TileProg *p = tile_parse(mem, src, d);
    Text t = {.mem = mem};
    for (const Diag *g = d->first; g; g = g->next) diag_render(&t, g, false);
    need((p == NULL) == (d->errors > 0));
    return p;
}

/* The parameters' memory, exactly as large as they are, so that ASan sees any step outside. */
static void run(Arena *mem, const TileProg *p)
{
    const TeOp *op = p->op;
    int64_t *dims = NEW_ARRAY(mem, int64_t, op->ndims + 1), index = 0, total = 0;
    void **at = NEW_ARRAY(mem, void *, op->nparams + 1);
    for (int i = 0; i < op->ndims; i++) dims[i] = op->dim[i].value >= 0 ? op->dim[i].value : SMALL + i % 2;
    for (int i = 0; i < op->nparams; i++) {
        const Tensor *t = op->tensor[i];
        int64_t *shape = NEW_ARRAY(mem, int64_t, t->rank + 1), bytes = -1;
        bool sized = true;
        for (int k = 0; k < t->rank; k++) {
            sized = sized && te_eval_size_at(op, t->shape[k], dims, &shape[k]);
            if (shape[k] < 0) shape[k] = 0;
        }
        if (sized) bytes = num_bytes(t->type, t->rank, shape);
        if (bytes < 0 || (total += bytes) > BYTES) goto done;
        at[i] = malloc((size_t)bytes);
        if (at[i]) memset(at[i], 1 + i, (size_t)bytes);
    }
    tile_interp_limited(p, dims, at, &index, STATEMENTS, BYTES);
done:
    for (int i = 0; i < op->nparams; i++) free(at[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *mem = arena_new();
    if (!mem) return 0;
    TileProg *p = parse(mem, arena_strndup(mem, (const char *)data, size), size);
    if (p) {
        Text once = {.mem = mem}, twice = {.mem = mem};
        tile_print(&once, p);
        TileProg *q = parse(mem, once.s, once.n);
        need(q != NULL && tile_equal(p, q) && tile_equal(q, p));
        tile_print(&twice, q);
        need(!strcmp(once.s, twice.s));
        run(mem, p);
    }
    arena_free(mem);
    return 0;
}
