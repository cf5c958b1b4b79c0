/* test_fmt: the canonical layout. Whole files are in tests/golden/parse (.fmt); here are the rules one by one, and the
 * two laws: the text says the same, and formatting it again changes nothing, over every corpus file however its space
 * is changed. */
#include "frontend/frontend.h"
#include "frontend/lex.h"
#include "tests/unit/ast_same.h"
#include "tests/unit/check.h"

#include <dirent.h>
#include <stdlib.h>

static AstFile *parse(Arena *a, const char *text, size_t n, Diags *d)
{
    Source *src = NEW(a, Source);
    *src = (Source){"t.te", text, n};
    *d = (Diags){.mem = a};
    return fe_parse(a, src, d);
}

/* The formatted text, after both laws were checked. */
static const char *format(Arena *a, const char *text, size_t n)
{
    Diags d;
    AstFile *f = parse(a, text, n, &d);
    if (!CHECK(d.errors == 0)) return "reported";
    Text once = {.mem = a}, twice = {.mem = a};
    fe_format(&once, f);
    AstFile *again = parse(a, once.s, once.n, &d);
    CHECK(d.errors == 0 && ast_same(f, again));
    fe_format(&twice, again);
    CHECK_STR(twice.s, once.s);
    return once.s;
}

static void check_format(const char *text, const char *want, int line)
{
    Arena *a = arena_new();
    if (!CHECK_STR(format(a, text, strlen(text)), want)) printf("at line %d\n", line);
    arena_free(a);
}
#define FORMATS(text, want) check_format(text, want, __LINE__)
#define EXPR(text, want)    FORMATS("fn f(x)=" text, "fn f(x) = " want "\n")

static void spaces(void)
{
    EXPR("a+b*-c", "a + b * -c");
    EXPR("( a+b )*c", "(a + b) * c");
    EXPR("A[ i+1 , j*2-k ]", "A[i+1,j*2-k]");
    EXPR("A[i- -1|0.0-x]", "A[i- -1 | 0.0-x]");
    EXPR("A[B[i ,j],max( i+1,j )]", "A[B[i,j],max(i+1, j)]");
    EXPR("A[i<3?i:0]", "A[i < 3 ? i : 0]");
    EXPR("f( x,g() )", "f(x, g())");
    EXPR("sum { k , l } ( A [ k ] )", "sum{k,l}(A[k])");
    EXPR("sum{k in 0 .. N-1,l}(k+l)", "sum{k in 0..N-1, l}(k + l)");
    EXPR("max{k if k+1>2&&!b}(k)", "max{k if k+1 > 2 && !b}(k)");
    EXPR("topk{e->s in 0..K}(g)", "topk{e -> s in 0..K}(g)");
    EXPR("a?b:c", "a ? b : c");
    EXPR("!a||- -b==c", "!a || --b == c");
    EXPR("a-(-b)", "a - (-b)");
    EXPR("f32 ( x )", "f32(x)");
    EXPR("x\n\n\n+\ny", "x + y");
    FORMATS("op f [ M , N ] ( ) -> ( ) { }", "op f[M,N]() -> () {}\n");
    FORMATS("op f[M=2,N]()->(){}", "op f[M = 2, N]() -> () {}\n");
    FORMATS("op f[M in 1 .. 8~{ 1,2 }]()->(){}", "op f[M in 1..8 ~ {1,2}]() -> () {}\n");
    FORMATS("op f[M,N;c:i32=-1,d:u1]()->(){}", "op f[M,N; c: i32 = -1, d: u1]() -> () {}\n");
    FORMATS("op f[;c:i32]()->(){}", "op f[; c: i32]() -> () {}\n");
    FORMATS("op f[](inout a:f32[ M+1 , N ],const b:i4)->(c:u1)where M>1,N%2==0{}",
            "op f[](inout a: f32[M+1,N], const b: i4) -> (c: u1) where M > 1, N % 2 == 0 {}\n");
    FORMATS("op f[]()->(){let a[i,j]=1 let b[i in 0..2,j]=2 c,d[i]=3 seq i}",
            "op f[]() -> () {\n  let a[i,j] = 1\n  let b[i in 0..2, j] = 2\n  c, d[i] = 3 seq i\n}\n");
}

static void lines(void)
{
    FORMATS("", "");
    FORMATS("\n\n \n", "");
    FORMATS("\n\n# a\n\n\n# b", "# a\n\n# b\n");
    FORMATS("fn f(x)=x fn g(x)=x\n\n\n\nfn h(x)=x", "fn f(x) = x\nfn g(x) = x\n\nfn h(x) = x\n");
    FORMATS("op f[]()->(){\n\n\na=1\n\n\nb=2\nc=3\n\n}", "op f[]() -> () {\n  a = 1\n\n  b = 2\n  c = 3\n}\n");
    FORMATS("\xef\xbb\xbf# a\r\nfn f(x)=x\r\n", "# a\nfn f(x) = x\n");
}

static void comments(void)
{
    FORMATS("fn f(x)=x#a\n#b  \n\n  #c", "fn f(x) = x  #a\n#b\n\n#c\n");
    FORMATS("op f[]()->(){#a\n#b\n\n#c\nx=1#d\n#e\n}#f",
            "op f[]() -> () {  #a\n  #b\n\n  #c\n  x = 1  #d\n  #e\n}  #f\n");
    FORMATS("op f[]()->(){#a\n}", "op f[]() -> () {  #a\n}\n");
    FORMATS("op f[]()->(){\n#a\n}", "op f[]() -> () {\n  #a\n}\n");
    FORMATS("fn f(x)=x+#a\n#b\ny", "fn f(x) = x +  #a\n    #b\n    y\n");
    FORMATS("fn#a\nf(x)=x", "fn  #a\n    f(x) = x\n");
    FORMATS("op f[]#a\n#b\n()->()\n#c\nwhere x>1#d\n{}",
            "op f[]  #a\n  #b\n  () -> ()\n  #c\n  where x > 1  #d\n      {}\n");
}

static void wrapping(void)
{
    FORMATS(
        "op a_long_name[M,N](first_input: f32[M,N], second_input: f32[M,N]) -> (only_result: f32[M,N]) where M > N {}",
        "op a_long_name[M,N]\n  (first_input: f32[M,N], second_input: f32[M,N]) -> (only_result: f32[M,N])\n"
        "  where M > N {}\n");
    FORMATS("fn f(x) = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa * bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb + cccccccccccccccccccc * "
            "dddddddddd",
            "fn f(x) = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa * bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
            "    + cccccccccccccccccccc * dddddddddd\n");
    FORMATS("op f[]() -> () { a_rather_long_left_side[i,j], another_rather_long_one[i,j] = topk{e -> s in "
            "0..K}(something[e,i,j])}",
            "op f[]() -> () {\n  a_rather_long_left_side[i,j], another_rather_long_one[i,j] =\n"
            "      topk{e -> s in 0..K}(something[e,i,j])\n}\n");
    /* a name wider than the page stays whole */
    Arena *a = arena_new();
    Text t = {.mem = a};
    text_add(&t, "fn f(x) = x + ");
    for (int i = 0; i < 300; i++) text_char(&t, 'n');
    text_add(&t, " + y");
    const char *s = format(a, t.s, t.n);
    CHECK(strstr(s, "\n    + nnn") && strstr(s, "nnn\n    + y\n"));
    arena_free(a);
}

/* The laws over a file whose space between tokens is drawn anew: none where none is needed, lines, comments. */
static void shake(Arena *a, const char *text, size_t n, unsigned seed)
{
    Diags d;
    AstFile *f = parse(a, text, n, &d);
    if (d.errors) return;
    Text t = {.mem = a};
    for (int i = 0; i + 1 < f->ntokens; i++) {
        const Token *tok = &f->token[i];
        if (tok->kind == T_COMMENT) continue;
        text_addn(&t, text + tok->at, tok->len);
        seed = seed * 1103515245 + 12345;
        switch (seed >> 16 & 15) {
        case 0: text_add(&t, "\n"); break;
        case 1: text_add(&t, "\n\n\n"); break;
        case 2: text_add(&t, "# trailing\n"); break;
        case 3: text_add(&t, "\n# own line\n"); break;
        case 4: text_add(&t, " # one\r\n\t# two\n\n"); break;
        default: text_add(&t, " "); break;
        }
    }
    format(a, t.s, t.n);
}

static void corpus(void)
{
    DIR *dir = opendir(TCC_SOURCE_DIR "/tests/corpus/te");
    if (!CHECK(dir != NULL)) return;
    int files = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        Arena *a = arena_new();
        FILE *in = fopen(arena_printf(a, "%s/tests/corpus/te/%s", TCC_SOURCE_DIR, e->d_name), "rb");
        char *text = arena_alloc(a, 1 << 20);
        size_t n = in && e->d_name[0] != '.' ? fread(text, 1, (1 << 20) - 1, in) : 0;
        if (in) fclose(in);
        Diags d;
        AstFile *f = parse(a, text, n, &d);
        if (d.errors) {
            Text any = {.mem = a}; /* no law, but no crash either */
            fe_format(&any, f);
        } else if (n > 0) {
            files++;
            format(a, text, n);
            for (unsigned seed = 0; seed < 20; seed++) shake(a, text, n, seed);
        }
        arena_free(a);
    }
    closedir(dir);
    CHECK(files > 30);
}

int main(void)
{
    spaces();
    lines();
    comments();
    wrapping();
    corpus();
    return check_done();
}
