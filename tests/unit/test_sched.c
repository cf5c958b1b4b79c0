/* test_sched: schedule files: what the parser reads of each statement, the values of expressions, the assignment of
 * params. Messages and whole files are in tests/golden/sched and tests/golden/assign; the formatter's two laws (the
 * text says the same, formatting again changes nothing) are checked here over every file that parses. */
#include "frontend/frontend.h"
#include "frontend/sched.h"
#include "tests/unit/check.h"
#include "tests/unit/sched_same.h"

#include <dirent.h>
#include <stdlib.h>

static SchedFile *parse(Arena *a, const char *text, size_t n, Diags *d)
{
    Source *src = NEW(a, Source);
    *src = (Source){"t.sched", text, n};
    *d = (Diags){.mem = a};
    return sched_parse(a, src, d);
}

/* The statement of a schedule that has one. */
static const SchedStmt *one(Arena *a, const char *text)
{
    static const SchedStmt none;
    Diags d;
    const char *all = arena_printf(a, "schedule s for f { %s }", text);
    SchedFile *f = parse(a, all, strlen(all), &d);
    bool ok = CHECK(d.errors == 0 && f->n == 1 && f->sched[0]->nstmts == 1 && !f->sched[0]->broken);
    if (!ok) printf("in %s\n", text);
    if (!ok) return &none;
    const SchedStmt *s = f->sched[0]->stmt[0];
    size_t n = strlen(text);
    CHECK(s->span.at == 19 && s->span.len == (text[n - 1] == ';' ? n - 1 : n));
    return s;
}

/* ---- parsing ------------------------------------------------------------------------------------------------- */

static void loops(Arena *a)
{
    const SchedStmt *s = one(a, "tile C[i,j] by mc, 2*nr -> io, jo, im, jr tail mask;");
    CHECK(s->kind == SS_TILE && s->nloops == 2 && s->nexprs == 2 && s->nnames == 4 && s->tail == TAIL_MASK);
    CHECK_STR(s->subject.text, "C");
    CHECK_STR(s->loop[1].text, "j");
    CHECK_STR(s->name[3].text, "jr");
    CHECK(s->expr[1]->kind == AST_BINARY && s->expr[1]->op == EX_MUL);
    s = one(a, "split w'2[j'2] by 4 -> a, b;");
    CHECK(s->kind == SS_SPLIT && s->tail == TAIL_NONE);
    CHECK_STR(s->subject.text, "w'2");
    CHECK_STR(s->loop[0].text, "j'2");
    s = one(a, "fuse C[i,j] -> ij;");
    CHECK(s->kind == SS_FUSE && s->nloops == 2 && s->nnames == 1);
    s = one(a, "order C ko, io, j'2;");
    CHECK(s->kind == SS_ORDER && s->nloops == 3);
    CHECK_STR(s->loop[2].text, "j'2");
    for (int t = TAIL_NONE + 1; t < TAIL_COUNT; t++)
        CHECK(one(a, arena_printf(a, "split C[k] by 4 -> a, b tail %s;", sched_tail_name[t]))->tail == (SchedTail)t);
}

static void how_loops_run(Arena *a)
{
    const SchedStmt *s = one(a, "unroll C.i;");
    CHECK(s->kind == SS_UNROLL && s->nrefs == 1);
    CHECK_STR(s->ref[0].def.text, "C");
    CHECK_STR(s->ref[0].loop.text, "i");
    CHECK(one(a, "vectorize C.i;")->nexprs == 0);
    CHECK(one(a, "vectorize C.i by 16;")->expr[0]->i == 16);
    CHECK(one(a, "parallel C.i;")->kind == SS_PARALLEL);
    for (int b = 0; b < BIND_COUNT; b++)
        CHECK(one(a, arena_printf(a, "bind C.i -> %s;", sched_bind_name[b]))->bind == (SchedBind)b);
    CHECK(one(a, "bind C.i -> block;")->bind == BIND_BLOCK_X);
    CHECK(one(a, "bind C.i -> warp;")->bind == BIND_WARP_X);
    CHECK(one(a, "bind C.i -> thread;")->bind == BIND_THREAD_X);
    s = one(a, "pipeline C.k stages st + 1;");
    CHECK(s->kind == SS_PIPELINE && s->nexprs == 1 && s->nrefs == 1);
    s = one(a, "prefetch A at C.k distance 4;");
    CHECK(s->kind == SS_PREFETCH && s->expr[0]->i == 4 && s->nrefs == 1);
    CHECK_STR(s->subject.text, "A");
}

static void places(Arena *a)
{
    const SchedStmt *s = one(a, "at z : Y.i;");
    CHECK(s->kind == SS_AT && s->scope == SCOPE_NONE && s->nrefs == 1);
    CHECK_STR(s->subject.text, "z");
    for (int k = SCOPE_NONE + 1; k < STAGE_SCOPE_COUNT; k++) {
        CHECK(one(a, arena_printf(a, "at z : Y.i in %s;", sched_scope_name[k]))->scope == (SchedScope)k);
        CHECK(one(a, arena_printf(a, "stage A at Y.i in %s;", sched_scope_name[k]))->scope == (SchedScope)k);
    }
    CHECK(one(a, "inline P;")->kind == SS_INLINE);
    CHECK(one(a, "root P;")->kind == SS_ROOT);
    s = one(a, "accum C at jw in reg f32;");
    CHECK(s->kind == SS_ACCUM && s->nloops == 1 && s->scope == STAGE_REG && s->dtype == DT_F32);
    CHECK(one(a, "accum C at jw in reg;")->dtype == DT_NONE);
    s = one(a, "rfactor C.k -> P;");
    CHECK(s->kind == SS_RFACTOR && s->nnames == 1 && s->nrefs == 1);
    s = one(a, "online m, z, O over to;");
    CHECK(s->kind == SS_ONLINE && s->nloops == 3);
    CHECK_STR(s->over.text, "to");
}

static void copies(Arena *a)
{
    const SchedStmt *s = one(a, "stage B at C.ko in local layout pack(k, j by 1, nr) async -> B2;");
    CHECK(s->kind == SS_STAGE && s->layout.kind == LAYOUT_PACK && s->layout.n == 2 && s->async && s->nnames == 1);
    CHECK_STR(s->layout.ix[1].text, "j");
    CHECK_STR(s->layout.factor[1]->text, "nr");
    CHECK_STR(s->name[0].text, "B2");
    s = one(a, "stage B at C.ko in shared layout swizzle 2*bk async;");
    CHECK(s->layout.kind == LAYOUT_SWIZZLE && s->layout.n == 1 && s->async && s->nnames == 0);
    s = one(a, "stage B at C.ko in shared layout pad 4 -> P;");
    CHECK(s->layout.kind == LAYOUT_PAD && s->layout.factor[0]->i == 4 && !s->async && s->nnames == 1);
    s = one(a, "layout A (i, j) -> (i/8, j, i%8);");
    CHECK(s->kind == SS_LAYOUT && s->nfrom == 2 && s->nto == 3 && s->to[2]->op == EX_MOD);
}

static void kernels_and_blocks(Arena *a)
{
    const SchedStmt *s = one(a, "microkernel C.i, C.j, C.k with outer compose;");
    CHECK(s->kind == SS_MICROKERNEL && s->nrefs == 3 && s->compose);
    CHECK_STR(s->kernel.text, "outer");
    s = one(a, "microkernel C.i, C.k with dot;");
    CHECK(s->nrefs == 2 && !s->compose);
    s = one(a, "if M > 4 { unroll C.i; if N > 4 { parallel C.j; } }");
    CHECK(s->kind == SS_IF && s->nexprs == 1 && s->nbody == 2 && s->body[1]->nbody == 1);
    s = one(a, "specialize when M % 16 == 0 { order C i; }");
    CHECK(s->kind == SS_SPECIALIZE && s->nexprs == 1 && s->nbody == 1);
    CHECK(one(a, "if max > 4 { }")->nbody == 0);
}

static void headers(Arena *a)
{
    Diags d;
    const char *text = "# one\n# two\nschedule s for f @cpu:skylake-avx512 when M >= 2 {\n"
                       "param x in {1, -2, 2*N} = -2 where x > 0; unroll C.i; }\nschedule t for g {}\n";
    SchedFile *f = parse(a, text, strlen(text), &d);
    if (!CHECK(d.errors == 0 && f->n == 2)) return;
    const Sched *s = f->sched[0];
    CHECK_STR(s->name.text, "s");
    CHECK_STR(s->op.text, "f");
    CHECK_STR(s->doc, "one\ntwo");
    CHECK_STR(s->target, "cpu:skylake-avx512");
    CHECK(s->when && s->nparams == 1 && s->param[0].nvalues == 3 && s->param[0].where && s->nstmts == 1);
    CHECK(f->sched[1]->target == NULL && f->sched[1]->when == NULL && f->sched[1]->doc == NULL);
}

static void limits(Arena *a)
{
    Diags d;
    Text t = {.mem = a};
    text_add(&t, "schedule s for f {");
    for (int i = 0; i < 10000; i++) text_add(&t, "unroll C.i;");
    size_t n = t.n;
    text_add(&t, "}");
    SchedFile *f = parse(a, t.s, t.n, &d);
    CHECK(d.errors == 0 && f->sched[0]->nstmts == 10000);
    t.n = n;
    text_add(&t, "unroll C.i;}");
    f = parse(a, t.s, t.n, &d);
    CHECK(d.errors == 1 && d.first->code == D_S015_MANY && f->sched[0]->nstmts == 10000 && f->sched[0]->broken);
    t.n = 0;
    text_add(&t, "schedule s for f {");
    for (int i = 0; i < 250; i++) text_add(&t, "if M {");
    for (int i = 0; i < 250; i++) text_add(&t, "}");
    text_add(&t, "}");
    parse(a, t.s, t.n, &d);
    CHECK(d.errors == 0);
    t.n = 0;
    text_add(&t, "schedule s for f { order C ");
    for (int i = 0; i < 100000; i++) text_printf(&t, "%sn%d", i ? "," : "", i % 99999);
    text_add(&t, "; }");
    parse(a, t.s, t.n, &d);
    CHECK(d.errors == 1 && d.first->code == D_S004_TWICE);
}

/* ---- formatting ---------------------------------------------------------------------------------------------- */

static char *read_file(Arena *a, const char *path, size_t *n)
{
    FILE *in = fopen(path, "rb");
    if (!in) return NULL;
    Text t = {.mem = a};
    text_add(&t, "");
    char buffer[4096];
    for (size_t got; (got = fread(buffer, 1, sizeof buffer, in)) > 0;) text_addn(&t, buffer, got);
    fclose(in);
    *n = t.n;
    return t.s;
}

static void both_laws(Arena *a, const char *path, const char *text, size_t n)
{
    Diags d;
    SchedFile *f = parse(a, text, n, &d);
    Text once = {.mem = a}, twice = {.mem = a};
    sched_format(&once, f);
    if (d.errors) return;
    SchedFile *again = parse(a, once.s, once.n, &d);
    if (!CHECK(d.errors == 0 && sched_same(f, again))) printf("in %s\n", path);
    sched_format(&twice, again);
    CHECK_STR(twice.s, once.s);
}

/* Space where there was some, in all forms that a file may have. */
static void respaced(Arena *a, const char *path, const char *text, size_t n, unsigned seed)
{
    static const char *const space[] = {" ", "\n", "  ", "\n\n\n", "\t", " # note\n", "\n# note\n", "\r\n"};
    Text t = {.mem = a};
    bool comment = false;
    text_add(&t, "");
    for (size_t i = 0; i < n; i++) {
        comment = text[i] == '#' || (comment && text[i] != '\n');
        if (text[i] != ' ' || comment) {
            text_char(&t, text[i]);
        } else {
            seed = seed * 1103515245u + 12345u;
            text_add(&t, space[(seed >> 16) % 8]);
        }
    }
    Diags d;
    SchedFile *f = parse(a, t.s, t.n, &d);
    if (!CHECK(f != NULL)) return;
    both_laws(a, path, t.s, t.n);
}

static void format_all(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!CHECK(dir != NULL)) return;
    int files = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        size_t n, len = strlen(e->d_name);
        if (len < 7 || strcmp(e->d_name + len - 6, ".sched")) continue;
        Arena *a = arena_new();
        char *text = read_file(a, arena_printf(a, "%s/%s", folder, e->d_name), &n);
        if (CHECK(text != NULL)) both_laws(a, e->d_name, text, n);
        for (unsigned seed = 1; text && n < 10000 && seed < 20; seed++) respaced(a, e->d_name, text, n, seed);
        arena_free(a);
        files++;
    }
    closedir(dir);
    CHECK(files > 0);
}

/* ---- values -------------------------------------------------------------------------------------------------- */

static TeOp *matmul(Arena *a, int64_t m)
{
    static const char text[] =
        "op matmul[M, N in 4..64, K in 16..16; c: i32 = 3](A: f32[M,K], B: f32[K,N]) -> (C: f32[M,N]) "
        "{ C[i,j] = sum{k}(A[i,k] * B[k,j]) * f32(c) }";
    Source *src = NEW(a, Source);
    *src = (Source){"op.te", text, sizeof text - 1};
    Diags d = {.mem = a};
    AstFile *f = fe_parse(a, src, &d);
    TeOp *op = fe_check(a, f, f->item[0].op, 0, NULL, &d);
    return CHECK(op != NULL) ? te_bind(a, op, (int64_t[]){m, -1, -1}) : NULL;
}

static const Target target = {
    .vector_bytes = 32, .vregs = 16, .fma = true, .l1 = 32768, .l2 = 1 << 20, .cores = 4, .avx512bf16 = true};

/* "7", "?" when undecided, "error". */
static const char *value(Arena *a, const char *text)
{
    Diags d;
    int64_t param[] = {5, -7};
    const char *all =
        arena_printf(a, "schedule s for matmul when %s { param p in {5} = 5; param q in {-7} = -7; }", text);
    SchedFile *f = parse(a, all, strlen(all), &d);
    SchedEnv env = {.sched = f->sched[0], .param = param, .op = matmul(a, -1), .target = &target};
    SchedValue v;
    if (d.errors || !sched_eval(&env, f->sched[0]->when, &d, &v)) return "error";
    SchedValue quiet;
    CHECK(sched_eval(&env, f->sched[0]->when, NULL, &quiet) && quiet.known == v.known && quiet.i == v.i);
    return v.known ? arena_printf(a, "%lld", (long long)v.i) : "?";
}

static void values(void)
{
    static const struct {
        const char *text, *want;
    } row[] = {
        {"1 + 2 * 3", "7"},
        {"(1 + 2) * 3", "9"},
        {"7 / 2", "3"},
        {"-7 / 2", "-4"},
        {"7 / -2", "-4"},
        {"-7 % 3", "2"},
        {"7 % -3", "-2"},
        {"q / p", "-2"},
        {"q % p", "3"},
        {"(p + 3) / 4 * 4", "8"},
        {"-q", "7"},
        {"!p", "0"},
        {"!(p - 5)", "1"},
        {"p < q", "0"},
        {"p >= 5", "1"},
        {"p == 5 && q == -7", "1"},
        {"p == 6 || q == -7", "1"},
        {"p ? 1 : 2", "1"},
        {"p == 4 ? 1 : 2", "2"},
        {"min(p, q)", "-7"},
        {"max(p, q)", "5"},
        {"abs(q)", "7"},
        {"clamp(9, 1, p)", "5"},
        {"clamp(-9, 1, p)", "1"},
        {"true + 1", "2"},
        {"c * 2", "6"},
        {"K", "16"},
        {"target.lanes_f32", "8"},
        {"target.lanes_f64", "4"},
        {"target.lanes_f16", "16"},
        {"target.vregs", "16"},
        {"target.fma", "1"},
        {"target.avx512", "0"},
        {"target.bf16", "1"},
        {"target.shared", "0"},
        {"target.l2", "1048576"},
        {"target.cores == target.threads", "1"},
        /* dims without a size */
        {"M", "?"},
        {"M >= 1", "1"},
        {"M < 1", "0"},
        {"M > 1", "?"},
        {"N > 3", "1"},
        {"N <= 64", "1"},
        {"N == 65", "0"},
        {"N != 65", "1"},
        {"2 * N >= 8", "1"},
        {"N / 65", "0"},
        {"N / 4 > 0", "1"},
        {"N % 65 == N", "?"},
        {"N % 65 < 65", "1"},
        {"M % 1", "0"},
        {"N % 4 < 4", "1"},
        {"-N < 0", "1"},
        {"-N > -4", "0"},
        {"min(N, 4)", "4"},
        {"max(N, 64)", "64"},
        {"clamp(N, 0, 3)", "3"},
        {"abs(-N) >= 4", "1"},
        {"abs(N - 10) <= 54", "1"},
        {"M > 5 && N > 64", "0"},
        {"N > 64 && M > 5", "0"},
        {"M > 5 || N > 3", "1"},
        {"M > 5 || N > 64", "?"},
        {"M > 5 && N > 3", "?"},
        {"!(M >= 1)", "0"},
        {"!(M > 1)", "?"},
        {"M > 1 ? 3 : 3", "3"},
        {"M > 1 ? 3 : 4", "?"},
        {"(M > 1 ? 3 : 4) > 2", "1"},
        {"8 / (N - 4)", "?"},
        {"M * M * M * M * M", "?"},
        {"N - N", "?"},
        {"M && 1", "1"},
        /* what decides spares the rest */
        {"p == 4 && 1 / 0", "0"},
        {"p == 5 || 1 / 0", "1"},
        {"p == 5 ? 1 : 1 / 0", "1"},
        /* mistakes */
        {"1 / 0", "error"},
        {"p % (p - 5)", "error"},
        {"nope", "error"},
        {"9223372036854775807 + 1", "error"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"- -9223372036854775808", "error"},
        {"9223372036854775808", "error"},
        {"abs(-9223372036854775808)", "error"},
        {"-9223372036854775808 / -1", "error"},
        {"-9223372036854775808 % -1", "0"},
        {"18446744073709551615", "error"},
        {"M > 1 ? 1 : 1 / 0", "error"},
        {"A", "error"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Arena *a = arena_new();
        if (!CHECK_STR(value(a, row[i].text), row[i].want)) printf("of %s\n", row[i].text);
        arena_free(a);
    }
}

/* A range is right when it holds every value: with a size for N an expression is what it was without, where that was
 * known. */
static AstExpr *grow(Arena *a, unsigned *seed, int depth)
{
    static const ExprOp op[] = {EX_ADD, EX_SUB, EX_MUL, EX_DIV, EX_MOD, EX_LT,
                                EX_LE,  EX_EQ,  EX_NE,  EX_GE,  EX_AND, EX_OR};
    static const char *const call[] = {"min", "max", "clamp", "abs"};
    AstExpr *e = NEW(a, AstExpr);
    *seed = *seed * 1103515245u + 12345u;
    unsigned r = *seed >> 16;
    e->arg = NEW_ARRAY(a, AstExpr *, 3);
    if (depth == 0 || r % 8 == 0) {
        e->kind = r % 3 ? AST_INT : AST_NAME;
        e->i = r / 8 % 7;
        e->text = "N";
    } else if (r % 8 == 1) {
        e->kind = AST_UNARY;
        e->op = r / 8 % 2 ? EX_NEG : EX_NOT;
        e->nargs = 1;
    } else if (r % 8 == 2) {
        e->kind = AST_COND;
        e->nargs = 3;
    } else if (r % 8 == 3) {
        e->kind = AST_CALL;
        e->text = call[r / 8 % 4];
        e->nargs = r / 8 % 4 == 3 ? 1 : r / 8 % 4 == 2 ? 3 : 2;
    } else {
        e->kind = AST_BINARY;
        e->op = op[r / 8 % 12];
        e->nargs = 2;
    }
    for (int i = 0; i < e->nargs; i++) e->arg[i] = grow(a, seed, depth - 1);
    return e;
}

static void ranges(void)
{
    int decided = 0;
    for (unsigned i = 0; i < 3000; i++) {
        Arena *a = arena_new();
        unsigned seed = i;
        Dim n = {.name = "N", .lo = -3 + (int64_t)(i % 5), .hi = 4, .value = -1};
        TeOp op = {.name = "f", .ndims = 1, .dim = &n};
        SchedEnv env = {.op = &op};
        AstExpr *e = grow(a, &seed, 4);
        SchedValue v, w;
        if (sched_eval(&env, e, NULL, &v)) {
            Dim any = n;
            bool ok = true;
            for (int64_t size = n.lo < 0 ? 0 : n.lo; size <= n.hi; size++) {
                n.value = size;
                if (sched_eval(&env, e, NULL, &w) && v.known) ok &= w.known && w.i == v.i;
            }
            n = any;
            CHECK(ok);
            decided += v.known;
        }
        arena_free(a);
    }
    CHECK(decided > 500);
}

/* ---- assignment ---------------------------------------------------------------------------------------------- */

static bool capacity(void *user, const int64_t *param)
{
    int *asked = user;
    ++*asked;
    return param[0] * param[1] <= 20;
}

static bool nothing(void *user, const int64_t *param)
{
    int *asked = user;
    (void)param;
    ++*asked;
    return false;
}

static void assignment(Arena *a)
{
    static const char text[] = "schedule s for matmul { param a in {1, 2, 4} = 4; param b in {16, 8, 4} = 16; }";
    Diags d;
    SchedFile *f = parse(a, text, sizeof text - 1, &d);
    int asked = 0;
    int64_t param[2];
    const TeOp *op = matmul(a, -1);
    CHECK(sched_assign(a, f->sched[0], op, &target, 0, NULL, NULL, NULL, &d, param) && param[0] == 4 && param[1] == 16);
    CHECK(sched_assign(a, f->sched[0], op, &target, 0, NULL, capacity, &asked, &d, param));
    CHECK(param[0] == 1 && param[1] == 16 && asked == 2); /* the defaults, then the first of the sets */
    SchedSet set = {"a", "4"};
    CHECK(sched_assign(a, f->sched[0], op, &target, 1, &set, capacity, &asked, &d, param));
    CHECK(param[0] == 4 && param[1] == 4);
    asked = 0;
    CHECK(!sched_assign(a, f->sched[0], op, &target, 0, NULL, nothing, &asked, &d, param) && asked == 9);
    CHECK(d.errors == 1 && d.last->code == D_S025_NO_VALUES && param[0] == 4 && param[1] == 16);
    CHECK(sched_assign(a, f->sched[0], NULL, NULL, 0, NULL, NULL, NULL, &d, param)); /* no names, no questions */
}

static void tables(void)
{
    const char *const *name;
    int n = sched_target_names(&name);
    int64_t v;
    CHECK(n > 15);
    for (int i = 0; i < n; i++) CHECK(sched_target_value(&target, name[i], &v) && *sched_target_meaning(i));
    CHECK(!sched_target_value(&target, "nope", &v));
    for (int k = 0; k < SS_COUNT; k++)
        CHECK(!strncmp(sched_stmt_form[k], sched_stmt_name[k], strlen(sched_stmt_name[k])));
}

int main(void)
{
    Arena *a = arena_new();
    headers(a);
    loops(a);
    how_loops_run(a);
    places(a);
    copies(a);
    kernels_and_blocks(a);
    limits(a);
    assignment(a);
    arena_free(a);
    tables();
    values();
    ranges();
    format_all(TCC_SOURCE_DIR "/examples");
    format_all(TCC_SOURCE_DIR "/tests/golden/sched");
    format_all(TCC_SOURCE_DIR "/tests/golden/assign");
    format_all(TCC_SOURCE_DIR "/tests/corpus/sched");
    return check_done();
}
