/* test_tile_lower: properties of what lowering makes, over the examples and random programs, with schedules none and
 * default, numerics fast and ordered, sizes fixed and dynamic:
 *   the Tile program is valid; parse(print(p)) equals p and prints the same;
 *   under `ordered` the Tile interpreter gives the bits of the reference interpreter (random programs, small sizes).
 * `test_tile_lower FIRST COUNT` takes other seeds. The generator is that of tests/random. */
#define _GNU_SOURCE
#include "tests/random/random.h"

#include "frontend/frontend.h"
#include "ir/te_interp.h"
#include "ir/tile_priv.h"
#include "schedule/schedule.h"
#include "tests/unit/check.h"

#include <stdlib.h>

static const Target target = {.name = "cpu",
                              .vector_bytes = 32,
                              .vregs = 16,
                              .fma = true,
                              .fma_per_cycle = 2,
                              .fma_latency = 4,
                              .l1 = 32 << 10,
                              .l2 = 1 << 20,
                              .l3 = 8 << 20,
                              .line = 64,
                              .cores = 2};

static void complain(Arena *mem, const Diags *d)
{
    Text t = {.mem = mem};
    text_add(&t, "");
    for (const Diag *g = d->first; g; g = g->next) diag_render(&t, g, false);
    printf("%s", t.s);
}

static TeOp *analyse(Arena *mem, const AstFile *f, const AstOp *ast)
{
    Diags d = {.mem = mem};
    TeOp *op = fe_check(mem, f, ast, 0, NULL, &d);
    if (op && !sched_check_bounds(op, &d)) op = NULL;
    if (!CHECK(op != NULL)) complain(mem, &d);
    return op;
}

/* What lowering wrote is proved again out of its text: all of it where sizes are known. */
static bool proved_again(Arena *mem, TileProg *q, const char *printed, bool fixed)
{
    Diags d = {.mem = mem};
    Text again = {.mem = mem};
    sched_check_tile(q, &d);
    bool refuted = fixed && d.errors;
    for (const Diag *g = d.first; g; g = g->next) refuted |= g->code != D_B007_TILE_UNDECIDED;
    tile_print(&again, q);
    if (refuted) complain(mem, &d);
    return !refuted && (!fixed || !strcmp(printed, again.s));
}

static bool round_trip(Arena *mem, const TileProg *p, bool fixed)
{
    Text once = {.mem = mem}, twice = {.mem = mem};
    tile_print(&once, p);
    Source *src = NEW(mem, Source);
    *src = (Source){"printed", once.s, once.n};
    Diags d = {.mem = mem};
    TileProg *q = tile_parse(mem, src, &d);
    if (!q) {
        complain(mem, &d);
        return false;
    }
    tile_print(&twice, q);
    return tile_equal(p, q) && tile_equal(q, p) && !strcmp(once.s, twice.s) && proved_again(mem, q, once.s, fixed);
}

/* The ways to lower: bit 0 ordered, bit 1 the default schedule, bit 2 sizes fixed. */
enum { WAYS = 8 };

static TileProg *lower(Arena *mem, const TeOp *op, int way, const int64_t *sizes, int partials)
{
    Numerics num = way & 1 ? (Numerics){true, partials} : (Numerics){false, 1};
    const TeOp *bound = way & 4 ? te_bind(mem, op, sizes) : op;
    TileProg *p = sched_lower(mem, bound, &target, num, way & 2 ? SCHED_DEFAULT : SCHED_NONE, 2, NULL);
    const char *broken = p ? tile_verify(mem, p) : "not lowered";
    bool ok = CHECK_STR(broken, NULL) && CHECK(round_trip(mem, p, way & 4));
    if (!ok) printf("%s, way %d\n", op->name, way);
    return ok ? p : NULL;
}

/* ---- the examples ---------------------------------------------------------------------------------------------------
 */
static void example(const char *path)
{
    Arena *mem = arena_new();
    FILE *f = fopen(path, "rb");
    if (!CHECK(f != NULL)) return;
    char *text = arena_alloc(mem, 1 << 16);
    Source src = {path, text, fread(text, 1, (1 << 16) - 1, f)};
    fclose(f);
    Diags d = {.mem = mem};
    AstFile *file = fe_parse(mem, &src, &d);
    for (int i = 0; i < file->nitems; i++) {
        TeOp *op = file->item[i].op ? analyse(mem, file, file->item[i].op) : NULL;
        if (!op) continue;
        int64_t sizes[64];
        for (int k = 0; k < op->ndims; k++)
            sizes[k] = op->dim[k].has_default ? op->dim[k].dflt : op->dim[k].nhints ? op->dim[k].hint[0] : -1;
        for (int way = 0; way < WAYS; way++) lower(mem, op, way, sizes, 4);
    }
    arena_free(mem);
}

/* ---- random programs ------------------------------------------------------------------------------------------------
 */
typedef struct Data {
    int64_t bytes;
    void *before, *expected, *got;
} Data;

/* Memory for every parameter: small whole numbers in all types. False when a size is out of bounds. */
static bool fill(Arena *mem, const TeOp *op, const int64_t *sizes, uint64_t seed, Data *data)
{
    Rng r = {seed | 1};
    for (int i = 0; i < op->nparams; i++) {
        const Tensor *t = op->tensor[i];
        int64_t shape[16], rows = 1, row = 1;
        for (int k = 0; k < t->rank; k++) {
            if (!te_eval_size_at(op, t->shape[k], sizes, &shape[k]) || shape[k] < 0) return false;
            rows *= row;
            row = shape[k];
        }
        int64_t stride = te_type[t->type].bits == 4 ? row + (row & 1) : row; /* the odd nibble of a row stays 0 */
        data[i].bytes = num_bytes(t->type, t->rank, shape);
        data[i].before = arena_alloc(mem, (size_t)data[i].bytes + 8);
        data[i].expected = arena_alloc(mem, (size_t)data[i].bytes + 8);
        data[i].got = arena_alloc(mem, (size_t)data[i].bytes + 8);
        for (int64_t e = 0; e < rows * row; e++) {
            int v = rng_below(&r, te_is_float(t->type) ? 9 : 3) - (te_is_float(t->type) ? 4 : 0);
            num_store(t->type, data[i].before, e / row * stride + e % row, num_cast(t->type, DT_INDEX, (Num){.i = v}));
        }
        memcpy(data[i].expected, data[i].before, (size_t)data[i].bytes);
    }
    return true;
}

/* Equal, or both NaN. */
static bool same(const Tensor *t, const Data *d)
{
    int64_t n = d->bytes * 8 / te_type[t->type].bits;
    for (int64_t e = 0; e < n; e++) {
        Num a = num_load(t->type, d->expected, e), b = num_load(t->type, d->got, e);
        bool nan = te_type[t->type].reg == RC_F64   ? a.d != a.d && b.d != b.d
                   : te_type[t->type].reg == RC_F32 ? a.f != a.f && b.f != b.f
                                                    : false;
        if (!nan && num_to_bits(t->type, a) != num_to_bits(t->type, b)) return false;
    }
    return true;
}

static bool holds(const TeOp *op, const int64_t *sizes)
{
    for (int i = 0; i < op->nchecks; i++) {
        int64_t v = 0;
        if (!te_eval_size_at(op, op->check[i].cond, sizes, &v) || !v) return false;
    }
    return true;
}

static void compare(Arena *mem, const TeOp *op, const TileProg *p, const int64_t *sizes, int expected, Data *data)
{
    void *at[64];
    int64_t index = 0;
    for (int i = 0; i < op->nparams; i++) {
        memcpy(data[i].got, data[i].before, (size_t)data[i].bytes);
        at[i] = data[i].got;
    }
    int status = tile_interp(p, sizes, at, &index);
    /* An error in a part that nothing needs may go unreported. */
    if (!CHECK(status == expected || (status >= 0 && expected > 0)))
        printf("status %d, expected %d\n", status, expected);
    for (int i = 0; i < op->nparams && status == 0 && expected == 0; i++)
        if (!CHECK(same(op->tensor[i], &data[i]))) printf("%s differs\n", op->tensor[i]->name);
    (void)mem;
}

/* Returns whether all held. */
static bool random_one(uint64_t seed)
{
    Arena *mem = arena_new();
    int failed = check_failed;
    Program *prog = random_program(seed, IDIOMS);
    char *text = program_text(prog);
    Source src = {"random", text, strlen(text)};
    Diags d = {.mem = mem};
    AstFile *file = fe_parse(mem, &src, &d);
    TeOp *op = NULL;
    for (int i = 0; i < file->nitems; i++)
        if (file->item[i].op) op = analyse(mem, file, file->item[i].op);
    int64_t sizes[64] = {0};
    for (int k = 0; op && k < op->ndims; k++) {
        int number = op->dim[k].name[0] == 'D' ? op->dim[k].name[1] - '0' : 0;
        sizes[k] = number >= 0 && number < prog->ndims ? prog->size[number] : 1;
    }
    Data *data = NEW_ARRAY(mem, Data, op ? op->nparams + 1 : 1);
    int partials = 1 + (int)(seed % 5);
    if (op && holds(op, sizes) && op->nparams < 64 && fill(mem, op, sizes, seed, data)) {
        void *at[64];
        int64_t index = 0;
        for (int i = 0; i < op->nparams; i++) at[i] = data[i].expected;
        int expected = te_interp(mem, op, sizes, (Numerics){true, partials}, at, &index);
        for (int way = 0; way < WAYS; way++) {
            TileProg *p = lower(mem, op, way, sizes, partials);
            if (p && way & 1) compare(mem, op, p, sizes, expected, data);
        }
    }
    bool ok = check_failed == failed;
    if (!ok) printf("seed %llu:\n%s\n", (unsigned long long)seed, text);
    free(text);
    arena_free(mem);
    return ok;
}

/* The generator's programs live until the process ends (gen.c), so leaks mean nothing here. The address sanitizer asks. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return 1; }

int main(int argc, char **argv)
{
    uint64_t first = argc > 2 ? strtoull(argv[1], NULL, 10) : 1, count = argc > 2 ? strtoull(argv[2], NULL, 10) : 200;
    example(TCC_SOURCE_DIR "/examples/matmul.te");
    example(TCC_SOURCE_DIR "/examples/ops.te");
    int bad = 0;
    for (uint64_t s = first; s < first + count && bad < 5; s++) bad += !random_one(s);
    return check_done();
}
