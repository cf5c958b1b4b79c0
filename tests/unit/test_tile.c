/* test_tile: Tile IR's text, verifier and interpreter.
 *   tests/golden/tile/NAME.tile  is its own print: parse, print, parse again gives the same text and an equal program.
 *   tests/golden/tile/NAME.bad   is refused; NAME.err beside it is the message. A file holds several programs, each
 * after a line `--- what it is`. `test_tile --update` rewrites the goldens. The interpreter is compared with loops in
 * C. */
#include "ir/tile_priv.h"
#include "schedule/schedule.h"
#include "tests/unit/check.h"

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

static bool update_goldens;

/* ---- files --------------------------------------------------------------------------------------------------------
 */
static const char folder[] = TCC_SOURCE_DIR "/tests/golden/tile";

static char *read_file(Arena *mem, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    Text t = {.mem = mem};
    char buf[4096];
    size_t n;
    text_add(&t, "");
    while ((n = fread(buf, 1, sizeof buf, f)) > 0) text_addn(&t, buf, n);
    fclose(f);
    return t.s;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    if (CHECK(f != NULL)) {
        fputs(text, f);
        fclose(f);
    }
}

static bool ends_in(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n > m && !strcmp(s + n - m, tail);
}

static TileProg *parse(Arena *mem, const char *name, const char *text, char **errors)
{
    Source *src = NEW(mem, Source);
    *src = (Source){name, text, strlen(text)};
    Diags d = {.mem = mem};
    TileProg *p = tile_parse(mem, src, &d);
    if (p && errors && !sched_check_tile(p, &d)) p = NULL;
    Text t = {.mem = mem};
    text_add(&t, "");
    for (const Diag *g = d.first; g; g = g->next) diag_render(&t, g, false);
    if (errors) *errors = t.s;
    if (!p && !errors) printf("%s", t.s);
    CHECK((p != NULL) == (d.errors == 0));
    return p;
}

static char *print(Arena *mem, const TileProg *p)
{
    Text t = {.mem = mem};
    tile_print(&t, p);
    return t.s;
}

/* ---- goldens ------------------------------------------------------------------------------------------------------
 */
static void accepted(const char *path)
{
    Arena *mem = arena_new();
    char *text = read_file(mem, path), *body = text;
    while (*body == '#') body = strchr(body, '\n') + 1; /* comments above the program do not come back */
    TileProg *p = parse(mem, path, text, NULL);
    if (CHECK(p != NULL)) {
        char *once = print(mem, p);
        TileProg *q = parse(mem, path, once, NULL);
        if (CHECK(q != NULL)) {
            CHECK(tile_equal(p, q));
            CHECK(tile_equal(q, p));
            CHECK_STR(print(mem, q), once);
        }
        if (update_goldens) {
            *body = 0;
            write_file(path, arena_printf(mem, "%s%s", text, once));
        } else {
            CHECK_STR(once, body);
        }
        CHECK_STR(tile_verify(mem, p), NULL);
    }
    arena_free(mem);
}

static void refused(const char *path)
{
    Arena *mem = arena_new();
    char *text = read_file(mem, path), *err = arena_strdup(mem, path);
    Text got = {.mem = mem};
    text_add(&got, "");
    strcpy(err + strlen(err) - 4, ".err");
    for (char *at = text; at && *at;) { /* from one `--- ` line to the next */
        char *line = strchr(at, '\n'), *next = line ? strstr(line, "\n--- ") : NULL, *errors;
        if (!line) break;
        *line = 0;
        if (next) *next++ = 0;
        TileProg *p = parse(mem, "bad", line + 1, &errors);
        if (!CHECK(p == NULL)) printf("%s: accepted: %s\n", path, at);
        text_printf(&got, "%s\n%s", at, errors);
        at = next;
    }
    char *want = read_file(mem, err);
    if (update_goldens)
        write_file(err, got.s);
    else
        CHECK_STR(got.s, want);
    arena_free(mem);
}

static void goldens(void)
{
    DIR *d = opendir(folder);
    int seen = 0;
    if (!CHECK(d != NULL)) return;
    for (struct dirent *e; (e = readdir(d));) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (ends_in(path, ".tile")) seen++, accepted(path);
        if (ends_in(path, ".bad")) seen++, refused(path);
    }
    closedir(d);
    CHECK(seen >= 10);
}

/* ---- text beyond the goldens --------------------------------------------------------------------------------------
 */
static const Span nowhere = {0};

/* y = f(f(…f(1))) with f(x) = x * x + x, a DAG of 3 n nodes and a tree of 3^n: the text must not be the tree. */
static void sharing(void)
{
    Arena *mem = arena_new();
    TileProg *p = parse(mem, "share", "tile f @cpu numerics fast [] (x: f32) -> (y: f32) { y = x }", NULL);
    Expr *e = p->body.at[0]->store.value;
    for (int i = 0; i < 60; i++) {
        Expr *square = te_node(p->op, EX_MUL, DT_F32, 2, (Expr *[]){e, e}, nowhere);
        e = te_node(p->op, EX_ADD, DT_F32, 2, (Expr *[]){square, e}, nowhere);
    }
    p->body.at[0] = tile_store(p, p->op->tensor[1], NULL, e, nowhere);
    char *text = print(mem, p);
    CHECK(strlen(text) < 4000);
    CHECK(strstr(text, "$50:(") != NULL);
    TileProg *q = parse(mem, "share", text, NULL);
    if (CHECK(q != NULL)) {
        CHECK(tile_equal(p, q));
        CHECK_STR(print(mem, q), text);
        float x = 0.001f, y = 0, want = x;
        for (int i = 0; i < 60; i++) want = want * want + want;
        CHECK(tile_interp(q, NULL, (void *[]){&x, &y}, NULL) == 0);
        CHECK(y == want);
    }
    arena_free(mem);
}

/* Every literal of every type comes back exactly. */
static void literals(void)
{
    Arena *mem = arena_new();
    static const double some[] = {0.0,  -0.0,  0.1,    1.0 / 3,    65504, 1e-7, 448,     57344,
                                  3e38, 1e300, 5e-324, 123456.789, -2.5,  1e15, 16777217};
    TileProg *p = parse(mem, "literals", "tile f @cpu numerics fast [] () -> () {}", NULL);
    for (int t = 0; t < DT_COUNT; t++) {
        if (!te_is_float((DType)t)) continue;
        for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
            char buf[64];
            double x = te_float(p->op, (DType)t, some[i], nowhere)->f;
            tile_float_text(buf, (DType)t, x);
            double back = tile_float_value((DType)t, buf);
            if (!CHECK((back == x && signbit(back) == signbit(x)) || (isnan(x) && isnan(back))))
                printf("%s: %a is %s is %a\n", te_type[t].name, x, buf, back);
        }
    }
    p = parse(mem, "hex", "tile f @cpu numerics fast [] () -> (y: f64) { y = 0x1.8p+3:f64 }", NULL);
    CHECK(p && p->body.at[0]->store.value->f == 12.0);
    arena_free(mem);
}

static char *repeat(Arena *mem, const char *before, const char *piece, int n, const char *middle, const char *closing,
                    const char *after)
{
    Text t = {.mem = mem};
    text_add(&t, before);
    for (int i = 0; i < n; i++) text_add(&t, piece);
    text_add(&t, middle);
    for (int i = 0; i < n; i++) text_add(&t, closing);
    text_add(&t, after);
    return t.s;
}

/* Depth is refused with a diagnostic, never the stack's end; what is below the limit is accepted. */
static void depth(void)
{
    static const struct {
        const char *piece, *middle, *closing;
        int fits;
    } deep[] = {{"(", "1.0:f32", ")", 900},         {"-", "y", "", 900},           {"exp(", "1.0:f32", ")", 900},
                {"1.0:f32 + ", "y", "", 3500},      {"true ? ", "y", " : y", 900}, {"$1:(", "y", ")", 1},
                {"select(true, ", "y", ", y)", 900}};
    Arena *mem = arena_new();
    const char *before = "tile f @cpu numerics fast [] () -> (y: f32) { y = ";
    for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
        char *errors;
        char *text = repeat(mem, before, deep[i].piece, 100000, deep[i].middle, deep[i].closing, " }");
        CHECK(!parse(mem, "deep", text, &errors));
        CHECK(*errors);
        text = repeat(mem, before, deep[i].piece, deep[i].fits, deep[i].middle, deep[i].closing, " }");
        TileProg *p = parse(mem, "fits", text, NULL);
        if (CHECK(p != NULL)) CHECK(tile_equal(p, parse(mem, "again", print(mem, p), NULL)));
    }
    char *blocks = repeat(mem, "tile f @cpu numerics fast [] () -> () { ", "if true { ", 100000, "", "}", "}"), *errors;
    CHECK(!parse(mem, "blocks", blocks, &errors));
    CHECK(parse(mem, "blocks", repeat(mem, "tile f @cpu numerics fast [] () -> () { ", "if true { ", 900, "", "}", "}"),
                NULL) != NULL);
    arena_free(mem);
}

/* Programs that differ in one thing are not equal. */
static void inequality(void)
{
    static const char base[] =
        "tile f @cpu numerics ordered:2 [N = 4 in 1..9 ~{2}; c: f32 = 1.0:f32] (X: f32[N], k: i32[N]) -> "
        "(Y: f32[N], w: i32[N]) where \"a\" N > 1 site gather \"X\" X { for i in 0..N step 2 unroll 2 { "
        "alloc a: f32 reg a = c a sum fma= X[index(k[i])]@0 * c if a > 1.0:f32 { let j = i Y[j] = a } "
        "Y[i] argmax= X[i | -0.0:f32] where w = i } }";
    static const char *const change[][2] = {
        {"tile f", "tile g"},
        {"@cpu", "@cpu:x"},
        {":2 ", ":3 "},
        {"= 4", "= 5"},
        {"..9", "..8"},
        {"~{2}", "~{3}"},
        {"1.0:f32]", "2.0:f32]"},
        {"(X: f32[N]", "(const X: f32[N]"},
        {"k: i32[N]", "k: i32[N + 1]"},
        {"where \"a\"", "where \"b\""},
        {"N > 1", "N > 2"},
        {"\"X\" X", "\"X\""},
        {"step 2", "step 3"},
        {"unroll 2", "unroll 3"},
        {"unroll 2", ""},
        {"for i in 0", "for i in 1"},
        {"f32 reg", "f32 local"},
        {"a = c", "a = 1.0:f32"},
        {"sum fma", "sum"},
        {"sum fma", "max"},
        {"a > 1", "a >= 1"},
        {"let j = i", "let j = 0"},
        {"Y[j] = a", "Y[i] = a"},
        {"argmax", "argmin"},
        {"-0.0", "0.0"},
        {"w = i", "w = 0"},
        {"]@0", "]"},
        {"if a", "alloc b: f32 reg if a"},
        {"numerics ordered:2", "numerics fast"},
    };
    Arena *mem = arena_new();
    TileProg *p = parse(mem, "base", base, NULL);
    CHECK(tile_equal(p, parse(mem, "base", base, NULL)));
    for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
        const char *at = strstr(base, change[i][0]);
        if (!CHECK(at != NULL)) continue;
        char *text = arena_printf(mem, "%.*s%s%s", (int)(at - base), base, change[i][1], at + strlen(change[i][0]));
        TileProg *q = parse(mem, "changed", text, NULL);
        if (CHECK(q != NULL) && !CHECK(!tile_equal(p, q) && !tile_equal(q, p)))
            printf("equal though %s became %s\n", change[i][0], change[i][1]);
    }
    arena_free(mem);
}

/* ---- what text cannot say but a pass could build -------------------------------------------------------------------
 */
static TileProg *scratch(Arena *mem)
{
    return parse(
        mem, "scratch",
        "tile f @cpu numerics fast [N] (X: f32[N], k: i32) -> (Y: f32[N], w: i32[N]) { for i in 0..N { Y[i] = X[i] } }",
        NULL);
}

static void broken(TileProg *p, Stmt *s, const char *want)
{
    p->body = (Block){1, &s};
    CHECK_STR(tile_verify(p->mem, p), want);
}

static void built(void)
{
    Arena *mem = arena_new();
    TileProg *p = scratch(mem), *other = scratch(mem);
    TeOp *op = p->op;
    Expr *zero = te_int(op, DT_INDEX, 0, nowhere), *one = te_float(op, DT_F32, 1, nowhere);
    Tensor *x = op->tensor[0], *y = op->tensor[2], *w = op->tensor[3];
    Expr *read = te_load(op, x, 1, &zero, NULL, nowhere);
    CHECK_STR(tile_verify(mem, p), NULL);

    broken(p, tile_store(p, y, &zero, read, nowhere), "Y =: nobody proved that the read of `X` is in bounds");
    read->flag = LOAD_PROVED;
    broken(p, tile_store(p, y, &zero, read, nowhere), NULL);
    Expr *wrong = te_node(op, EX_ADD, DT_F64, 2, (Expr *[]){one, one}, nowhere);
    broken(p, tile_store(p, y, &zero, wrong, nowhere), "Y =: `+` gives f32, not f64");
    Reduce red = {.op = RED_SUM, .body = one};
    broken(p, tile_store(p, y, &zero, te_reduce(op, &red, DT_F32, nowhere), nowhere),
           "Y =: a reduction was not lowered");
    broken(p, tile_store(p, other->op->tensor[2], &zero, one, nowhere), "Y =: `Y` is not in the program's table");
    broken(p, tile_insert(p, y, NULL, NULL, zero, one, zero, nowhere),
           "insert into Y: there is no place for the index");
    broken(p, tile_update(p, y, &zero, RED_ARGMAX, false, one, w, NULL, nowhere),
           "Y argmax=: there is no place for the index");
    Tensor *b = tile_buffer(p, "b", DT_F32, SCOPE_REG, 0, NULL, nowhere);
    broken(p, tile_store(p, b, NULL, one, nowhere), "b =: the buffer `b` is not allocated here");
    broken(p, tile_alloc(p, y, nowhere), "alloc Y: what is allocated is no buffer");
    Var *v = te_new_var(op, "v", zero, te_dim(op, 7, nowhere), nowhere);
    broken(p, tile_for(p, v, 1, LOOP_SERIAL, 0, (Block){0}, nowhere), "for v: there is no such dim");
    v->hi = zero;
    broken(p, tile_for(p, v, 0, LOOP_SERIAL, 0, (Block){0}, nowhere), "for v: the step is not at least 1");
    broken(p, tile_for(p, v, 1, LOOP_UNROLL, -1, (Block){0}, nowhere), "for v: a negative number of copies");
    broken(p, tile_let(p, v, one, nowhere), "let v: the value is not of type index");
    broken(p, tile_if(p, zero, (Block){0}, (Block){0}, nowhere), "if: the condition is index, not u1");
    Expr *unwrapped = te_int(op, DT_I8, 1, nowhere);
    unwrapped->i = 300;
    broken(p,
           tile_if(p, te_node(op, EX_EQ, DT_U1, 2, (Expr *[]){unwrapped, unwrapped}, nowhere), (Block){0}, (Block){0},
                   nowhere),
           "if: an integer literal is not wrapped to its type");
    one->id = 1 << 20;
    broken(p, tile_store(p, y, &zero, one, nowhere), "Y =: an expression is none of this program's");
    p->num = (Numerics){true, 0};
    CHECK_STR(tile_verify(mem, p), "`ordered` has no partials");
    arena_free(mem);
}

int main(int argc, char **argv)
{
    update_goldens = argc > 1 && !strcmp(argv[1], "--update");
    goldens();
    sharing();
    literals();
    depth();
    inequality();
    built();
    return check_done();
}
