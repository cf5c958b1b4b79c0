/* test_bounds: verdicts of the bounds proof. A table of small programs with the mode of each access, the reference
 * programs of examples/, and the errors of tests/golden/bounds (NAME.te beside NAME.err; `--update` rewrites those). */
#include "check.h"

#include "frontend/frontend.h"
#include "schedule/schedule.h"

#include <dirent.h>
#include <stdlib.h>
#include <time.h>

#ifndef TCC_SOURCE_DIR
#define TCC_SOURCE_DIR "."
#endif

/* ---- running --------------------------------------------------------------------------------------------------- */

typedef struct Out {
    Arena *mem;
    Diags diags;
    Text said; /* one letter a LOAD in the order of the text: p proved, g guarded, d gather; then counts */
    TeOp *op;
    double seconds;
} Out;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void modes(Out *o, Expr *e)
{
    for (int i = 0, n = te_nchildren(e); i < n; i++) modes(o, te_child(e, i));
    if (e->op == EX_LOAD) text_char(&o->said, "?pgd"[e->flag]);
}

static void describe(Out *o)
{
    text_add(&o->said, "");
    if (o->diags.errors) {
        for (const Diag *d = o->diags.first; d; d = d->next)
            text_printf(&o->said, "%s%s", o->said.n ? " " : "", diag_name(d->code));
        return;
    }
    for (int i = 0; i < o->op->ndefs; i++) modes(o, o->op->def[i]->rhs);
    int div = 0;
    for (int i = 0; i < o->op->nsites; i++) div += o->op->site[i].kind == SITE_DIV_ZERO;
    if (div) text_printf(&o->said, " div:%d", div);
    if (o->op->nchecks > o->op->nwhere) text_printf(&o->said, " check:%d", o->op->nchecks - o->op->nwhere);
}

static Out check_text_of(const char *name, const char *text, int which)
{
    Out o = {.mem = arena_new()};
    jmp_buf *none = NULL;
    arena_catch(o.mem, none);
    o.said.mem = o.diags.mem = o.mem;
    Source *src = NEW(o.mem, Source);
    *src = (Source){name, text, strlen(text)};
    AstFile *f = fe_parse(o.mem, src, &o.diags);
    AstOp *op = NULL;
    for (int i = 0, k = 0; i < f->nitems; i++)
        if (f->item[i].op && k++ == which) op = f->item[i].op;
    if (op && !o.diags.errors) o.op = fe_check(o.mem, f, op, 0, NULL, &o.diags);
    if (o.op) {
        double t = now();
        bool ok = sched_check_bounds(o.op, &o.diags);
        o.seconds = now() - t;
        CHECK(ok == (o.diags.errors == 0));
    }
    if (op) describe(&o);
    return o;
}

static void render(Out *o, Text *to)
{
    for (const Diag *d = o->diags.first; d; d = d->next) diag_render(to, d, false);
}

/* ---- the table ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text, *want;
} table[] = {
    /* plain */
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i] }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[N-1-i] }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[0] }", "p"},
    {"op f[N in 0..9](X: f32[N]) -> (Y: f32[4]) { Y[i] = X[0] }", "B001"},
    {"op f[N in 0..9](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[0] }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[3] }", "B001"},
    {"op f[N in 4..9](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[3] }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) where N >= 4 { Y[i] = X[3] }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i+1] }", "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i-1] }", "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i-1 | 0.0] + X[i+1 | 0.0] }", "gg"},
    {"op f[N](X: f32[N+2]) -> (Y: f32[N]) { Y[i] = X[i] + X[i+1] + X[i+2] }", "ppp"},
    {"op f[N](X: f32[N]) -> (Y: f32[N-2]) { Y[i] = X[i+2] }", "p check:1"},
    {"op f[N](X: f32[N]) -> (Y: f32[N-2]) where N >= 2 { Y[i] = X[i+2] }", "p"},
    {"op f[M,N](X: f32[M,N]) -> (Y: f32[N,M]) { Y[i,j] = X[j,i] }", "p"},
    {"op f[M,N](X: f32[M,N]) -> (Y: f32[M,N]) { Y[i,j] = X[j,i] }", "B001"},
    /* index arithmetic on sizes that may leave 64 bits: only where the proof uses it, and no tensor is as large */
    {"op f[N,M](X: f32[M], Z: u1[N]) -> (Y: f32[M]) { Y[i] = X[min(N*N*N+i,0)] }", "p check:1"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) where N*N*N < 4096 { Y[i] = X[i] }", "p check:1"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i*6364136223846793005 % N] }", "p check:1"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i] + f32(i*6364136223846793005 % 1000) }", "p"},
    {"op f[N in 0..4611686018427387904](X: u1[N]) -> (Y: u1[N]) { Y[i] = X[(i+N)%N] }", "p"},
    {"op f[N in 0..4611686018427387904](X: u1[4]) -> (Y: u1[4]) { Y[i] = X[(i+3*N)%4] }", "p check:1"},
    {"op f[A,B,C](X: f32[A*B*C]) -> (Y: f32[A,B,C]) { Y[i,j,k] = X[(i*B+j)*C+k] }", "p"},
    {"op f[M,N](X: f32[M], Z: f32[N]) -> (Y: f32[M]) where M <= N { Y[i] = X[i] + Z[i] }", "pp"},
    {"op f[M,N](X: f32[M], Z: f32[N]) -> (Y: f32[M]) where M == N { Y[i] = X[i] + Z[i] }", "pp"},
    {"op f[N](X: f32[2*N]) -> (Y: f32[N]) { Y[i] = X[2*i] + X[2*i+1] }", "pp"},
    {"op f[N](X: f32[2*N]) -> (Y: f32[N]) { Y[i] = X[2*i+2] }", "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N/2]) { Y[i] = X[2*i+1] }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[(N+1)/2]) { Y[i] = X[2*i] }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[(N+1)/2]) { Y[i] = X[2*i+1] }", "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i/2] + X[i%3*0] + X[i-i%4] }", "ppp"},
    {"op f[N; k: i32 = 3](X: f32[N+3]) -> (Y: f32[N]) { Y[i] = X[i+k] }", "p"},
    /* conditions */
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = i > 0 ? X[i-1] : 0.0 }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = i >= 0 ? X[i-1] : 0.0 }", "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = i == 0 ? 0.0 : X[i-1] }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = i != N-1 ? X[i+1] : X[i-N+1] }", "pp"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = !(i < 1) && X[i-1] > 0.0 ? 1.0 : 0.0 }", "p"},
    {"op f[N](X: f32[N]) -> (Y: u1[N]) { Y[i] = i == 0 || X[i-1] > 0.0 }", "p"},
    {"op f[N](X: f32[N]) -> (Y: u1[N]) { Y[i] = i == 0 && X[i-1] > 0.0 }", "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = select(i > 0, X[i-1], 0.0) }", "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = sum{k in 0..N if k < i}(X[i-k-1]) }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = sum{k in 0..i+1}(X[i-k]) }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = sum{k in 0..i+2}(X[k]) }", "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = sum{k in 1..N}(X[k-1]) }", "p"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = i < 3 || i > 5 ? 0.0 : X[i-3] }", "p"},
    {"op f[N; c: u1 = false](X: f32[N]) -> (Y: f32[N]) { Y[i] = c ? X[i+1] : X[i] }", "pp"},
    {"op f[N](X: f32[N], m: u1[N]) -> (Y: f32[N]) { Y[i] = m[i] ? X[i+1] : 0.0 }", "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i+N | X[i-1 | 0.0]] }", "gg"},
    {"op f[N](X: f32[N]) -> (Y: f32[2*N]) { Y[i] = X[i | X[i-N]] }", "pg"},
    /* products of dims, symbolic divisors */
    {"op f[M,N](X: f32[M*N]) -> (Y: f32[M,N]) { Y[i,j] = X[i*N+j] }", "p"},
    {"op f[M,N](X: f32[M*N]) -> (Y: f32[M,N]) { Y[i,j] = X[i*M+j] }", "B001"},
    {"op f[M,N](X: f32[M,N]) -> (Y: f32[M*N]) { Y[i] = X[i/N, i%N] }", "p"},
    {"op f[M,N](X: f32[M,N]) -> (Y: f32[M*N]) { Y[i] = X[i/M, i%M] }", "B001"},
    {"op f[L,M,N](X: f32[L*M*N]) -> (Y: f32[L,M,N]) { Y[h,i,j] = X[(h*M+i)*N+j] }", "p"},
    {"op f[L,M,N](X: f32[L,M,N]) -> (Y: f32[L*M*N]) { Y[i] = X[i/(M*N), i/N%M, i%N] }", "p"},
    {"op f[M,N](X: f32[M*(N+1)]) -> (Y: f32[M,N]) { Y[i,j] = X[i*(N+1)+j+1] }", "p"},
    {"op f[M,N](X: f32[M*(N-1)]) -> (Y: f32[M,N-1]) where N >= 1 { Y[i,j] = X[i*(N-1)+j] }", "p"},
    {"op f[H,G](X: f32[G]) -> (Y: f32[H]) where H % G == 0 { Y[h] = X[h/(H/G)] }", "p"},
    {"op f[H,G](X: f32[G]) -> (Y: f32[H]) { Y[h] = X[h/(H/G)] }", "B001"},
    {"op f[H,G](X: f32[H/G]) -> (Y: f32[H]) where H % G == 0 { Y[h] = X[h/G] }", "p"},
    {"op f[K; G: i32 = 32](X: f32[K/G]) -> (Y: f32[K]) where K % G == 0 { Y[k] = X[k/G] }", "p"},
    {"op f[K; G: i32 = 32](X: f32[K/G]) -> (Y: f32[K]) { Y[k] = X[k/G] }", "B001"},
    {"op f[K; G: i32 = 32](X: f32[(K+G-1)/G]) -> (Y: f32[K]) { Y[k] = X[k/G] }", "p"},
    {"op f[K,G](X: f32[(K+G-1)/G]) -> (Y: f32[K]) { Y[k] = X[k/G] }", "p"},
    {"op f[D](X: f32[D/2]) -> (Y: f32[D]) where D % 2 == 0 { Y[d] = X[d%(D/2)] }", "p"},
    {"op f[D](X: f32[D/2]) -> (Y: f32[D]) { Y[d] = X[d%(D/2)] }", "d div:1"},
    {"op f[D](X: f32[D]) -> (Y: f32[D]) where D % 2 == 0 { Y[d] = d < D/2 ? X[d+D/2] : X[d-D/2] }", "pp"},
    {"op f[D](X: f32[D]) -> (Y: f32[D]) { Y[d] = d < D/2 ? X[d+D/2] : X[d-D/2] }", "pp"},
    {"op f[M,N](X: f32[N]) -> (Y: f32[M]) { Y[i] = X[i%N] }", "p"},
    /* conditions over what an index makes */
    {"op f[N](X: f32[4]) -> (Y: f32[N]) { Y[i] = i/4 == 0 ? X[i] : 0.0 }", "p"},
    {"op f[N](X: f32[4]) -> (Y: f32[N]) { Y[i] = i/5 == 0 ? X[i] : 0.0 }", "B001"},
    {"op f[N](X: f32[4]) -> (Y: f32[N]) { Y[i] = min(i,9) < 4 ? X[i] : 0.0 }", "p"},
    {"op f[N](X: f32[N,5]) -> (Y: f32[N,N]) { Y[i,j] = abs(i-j) <= 2 ? X[i,j-i+2] : 0.0 }", "p"},
    {"op f[N](X: f32[N,5]) -> (Y: f32[N,N]) { Y[i,j] = abs(i-j) <= 3 ? X[i,j-i+2] : 0.0 }", "B001"},
    {"op f[N](X: f32[N,5]) -> (Y: f32[N,N]) { Y[i,j] = max(i-j,j-i) <= 2 ? X[i,j-i+2] : 0.0 }", "p"},
    {"op f[N; w: i32 = 2](X: f32[N,2*w+1]) -> (Y: f32[N,N]) where w >= 0 { Y[i,j] = abs(i-j) <= w ? X[i,j-i+w] : 0.0 }", "p"},
    {"op f[M,N](X: f32[N]) -> (Y: f32[M]) { Y[i] = X[i*7%N] }", "p"},
    {"op f[M,N](X: f32[N]) -> (Y: f32[M]) { Y[i] = X[i%(N+1)] }", "B001"},
    {"op f[N](X: f32[N*(N+1)/2]) -> (Y: f32[N,N]) { Y[i,j] = j <= i ? X[i*(i+1)/2+j] : 0.0 }", "p"},
    {"op f[N](X: f32[N*N]) -> (Y: f32[N,N]) { Y[i,j] = X[i*j] }", "p"},
    {"op f[H,R,S](X: f32[H]) -> (Y: f32[(H-R)/S+1]) where H >= R { Y[y] = sum{r in 0..R}(X[y*S+r]) }", "p"},
    {"op f[H; R: i32 = 3, s: i32 = 2](X: f32[H]) -> (Y: f32[(H-R)/s+1]) where H >= R { Y[y] = sum{r in 0..R}(X[y*s+r]) "
     "}",
     "p"},
    {"op f[H; R: i32 = 3, s: i32 = 2](X: f32[H]) -> (Y: f32[H/s]) where H >= R { Y[y] = sum{r in 0..R}(X[y*s+r]) }",
     "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[clamp(i-2,0,N-1)] + X[min(i+5,N-1)] + X[max(i-5,0)] + X[abs(i-N+1)] "
     "}",
     "pppp"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[i < N/2 ? i*2 : N-1-i] }", "p"},
    {"op f[N in 1..8](X: f32[8]) -> (Y: f32[N]) { Y[i] = X[i] }", "p"},
    {"op f[N in 1..9](X: f32[8]) -> (Y: f32[N]) { Y[i] = X[i] }", "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) where N >= 1000 { Y[i] = X[i+1] }", "B001"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) where N % 64 == 0, N > 640 { Y[i] = X[640] + X[i/64*64+63] }", "pp"},
    {"op f[N in 1..3](X: f32[N]) -> (Y: f32[N]) where N > 5 { Y[i] = X[i] }", "B005"},
    {"op f[N,M](X: f32[N]) -> (Y: f32[N]) where N > M, M > N { Y[i] = X[i] }", "B005"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) where 2*N % 4 == 1 { Y[i] = X[i] }", "B005"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) where N % 37 == 5, N > 500 { Y[i] = X[i+1] }", "B001"},
    {"op f[N,M](X: f32[N]) -> (Y: f32[M]) where 3*N + 5*M == 20001, M > 1000 { Y[i] = X[i] }", "B001"},
    /* layouts */
    {"op f[A,B,C,D](X: f32[A,B,C,D]) -> (Y: f32[A*B*C*D]) { Y[i] = X[i/D/C/B, i/D/C%B, i/D%C, i%D] }", "p"},
    {"op f[A,B,C,D](X: f32[A*B*C*D]) -> (Y: f32[A,B,C,D]) { Y[i,j,k,l] = X[((i*B+j)*C+k)*D+l] }", "p"},
    {"op f[C,H,W,r](X: f32[C*r*r,H,W]) -> (Y: f32[C,H*r,W*r]) { Y[c,y,x] = X[c*r*r+(y%r)*r+x%r,y/r,x/r] }", "p"},
    {"op f[H,W,s](X: f32[H,W]) -> (Y: f32[H/s,W/s]) { Y[y,x] = max{a in 0..s, b in 0..s}(X[s*y+a,s*x+b]) }", "p"},
    {"op f[M,N,K](A: f32[M,K], B: f32[N,K]) -> (Y: f32[M+N,K]) { Y[i,k] = i < M ? A[i,k] : B[i-M,k] }", "pp"},
    {"op f[N,S](X: f32[N]) -> (Y: f32[N]) { Y[i] = X[(i+S)%N] + X[(i-S)%N] }", "pp"},
    {"op f[N,B](X: f32[N,2*B+1]) -> (Y: f32[N]) { Y[i] = sum{j in max(0,i-B)..min(N,i+B+1)}(X[i,j-i+B]) }", "p"},
    {"op f[N,B](X: f32[N]) -> (Y: f32[(N+B-1)/B]) { Y[b] = sum{k in 0..min(B, N-b*B)}(X[b*B+k]) }", "p"},
    {"op f[C,F,G](X: f32[C], K: f32[F,C/G]) -> (Y: f32[F]) where C % G == 0, F % G == 0 "
     "{ Y[f] = sum{c}(X[f/(F/G)*(C/G)+c]*K[f,c]) }",
     "pp"},
    {"op f[N](X: f32[N]) -> (Y: f32[N,N]) { Y[i,j] = X[abs(i-j)] }", "p"},
    {"op f[B,P,S](T: i32[B,(S+15)/16], X: f32[P,16]) -> (Y: f32[B,S]) { Y[b,s] = X[T[b,s/16], s%16] }", "pd"},
    /* data */
    {"op f[V,T](E: f32[V], id: i32[T]) -> (Y: f32[T]) { Y[t] = E[id[t]] }", "pd"},
    {"op f[V,T](E: f32[V], id: i32[T]) -> (Y: f32[T]) { Y[t] = E[clamp(id[t], 0, V-1)] }", "pp"},
    {"op f[V,T](E: f32[V], id: i32[T]) -> (Y: f32[T]) { Y[t] = id[t] >= 0 && id[t] < V ? E[id[t]] : 0.0 }", "pppp"},
    {"op f[V,T](E: f32[V], id: i32[T]) -> (Y: f32[T]) { Y[t] = id[t] < V ? E[id[t]] : 0.0 }", "ppd"},
    {"op f[V,T](E: f32[V], id: i32[T]) -> (Y: f32[T]) { Y[t] = E[id[t] | 0.0] }", "pg"},
    {"op f[V,T](E: f32[V], id: i32[T]) -> (Y: f32[T]) { Y[t] = E[id[t+1]] }", "B001"},
    {"op f[V,T](E: f32[V], id: i32[T]) -> (Y: f32[T]) { Y[t] = E[id[t] % V] }", "pp"},
    {"op f[T](E: f32[8], id: i32[T]) -> (Y: f32[T]) { Y[t] = E[id[t] % 8] }", "pp"},
    {"op f[T](E: f32[256], id: u8[T]) -> (Y: f32[T]) { Y[t] = E[id[t]] }", "pp"},
    {"op f[T](E: f32[255], id: u8[T]) -> (Y: f32[T]) { Y[t] = E[id[t]] }", "pd"},
    {"op f[V,T](E: f32[V,T], id: i32[T]) -> (Y: f32[T]) { Y[t] = E[id[t], t] + E[id[t], t+1] }", "B001"},
    {"op f[V](E: f32[V], k: i32) -> (Y: f32[V]) { Y[i] = E[k] }", "pd"},
    /* 64-bit data wraps, and what holds of whole numbers need not hold of it */
    {"op f[V](E: f32[V], k: i32) -> (Y: f32[V]) { Y[i] = E[min(abs(i+k),0)] }", "pp"},
    {"op f[V](E: f32[V], k: i64) -> (Y: f32[V]) { Y[i] = E[min(abs(i+k),0)] }", "pd"},
    {"op f[V](E: f32[V], k: i64) -> (Y: f32[V]) { Y[i] = E[max(k+1,k)-k-1] }", "pppd"},
    {"op f[V](E: f32[V], k: i64) -> (Y: f32[V]) { Y[i] = i*2+k >= i*2 ? 0.0 : E[min(-k,0)] }", "ppd"},
    {"op f[V](E: f32[V], k: u64) -> (Y: f32[V]) { Y[i] = E[max(k+1,k)-k-1] }", "pppd"},
    {"op f[V](E: f32[V], k: i64) -> (Y: f32[V]) { Y[i] = E[(i+k)%V] + E[clamp(i+k,0,V-1)] }", "pppp"},
    {"op f[B,N](X: f32[N], off: i32[B+1]) -> (Y: f32[B]) { Y[b] = sum{k in off[b]..off[b+1]}(X[k]) }", "ppd"},
    {"op f[B,N](X: f32[N], off: i32[B]) -> (Y: f32[B]) { Y[b] = sum{k in off[b]..off[b+1]}(X[k]) }", "B001"},
    {"op f[M,N](X: f32[M,N], Z: f32[N]) -> (Y: f32[M]) { let a[i] = argmax{j}(X[i,j])\n Y[i] = Z[a[i]] }", "ppd"},
    /* divisions */
    {"op f[N](a: i32[N], b: i32[N]) -> (Y: i32[N]) { Y[i] = a[i] / b[i] }", "pp div:1"},
    {"op f[N](a: i32[N], b: i32[N]) -> (Y: i32[N]) { Y[i] = a[i] / 4 + a[i] % -3 }", "pp"},
    {"op f[N](a: i32[N], b: i32[N]) -> (Y: i32[N]) { Y[i] = b[i] != 0 ? a[i] / b[i] : 0 }", "ppp"},
    {"op f[N](a: i32[N], b: i32[N]) -> (Y: i32[N]) { Y[i] = a[i] / max(b[i], 1) }", "pp"},
    {"op f[M in 0..4,N](X: f32[N]) -> (Y: f32[N]) { Y[i] = f32(i / M) + X[i] }", "p div:1"},
    {"op f[M,N](X: f32[N]) -> (Y: f32[N/(M-1)]) { Y[i] = X[0] }", "p check:1"},
    /* recurrences, topk, lets */
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[t] = X[t] + Y[t-1 | 0.0] seq t }", "pg"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[t] = X[t] + (t >= 2 ? Y[t-2] : 0.0) seq t }", "pp"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[t] = X[t] + Y[t+1 | 0.0] seq t }", "B003"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[t] = X[t] + Y[t | 0.0] seq t }", "B003"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { Y[t] = t > 0 ? Y[t/2] : X[t] seq t }", "pp"},
    {"op f[N,M](X: f32[N]) -> (v: f32[M], w: i32[M]) where M <= N { v[s], w[s] = topk{e -> s in 0..M}(X[e]) }", "p"},
    {"op f[N,M](X: f32[N]) -> (v: f32[M], w: i32[M]) { v[s], w[s] = topk{e -> s in 0..M}(X[e]) }", "p check:1"},
    {"op f[N,M](X: f32[N]) -> (v: f32[M], w: i32[M]) { v[s], w[s] = topk{e -> s in 0..M if e > 0}(X[e]) }", "p"},
    {"op f[N,M](X: f32[N], Z: f32[M]) -> (Y: f32) where N == M { Y = sum{k}(X[k] * Z[k]) }", "pp"},
    {"op f[N,M](X: f32[N], Z: f32[M]) -> (Y: f32) where M <= N { Y = sum{k in 0..M}(X[k] * Z[k]) }", "pp"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { let h[i in 0..N+2] = X[i-1 | 0.0]\n Y[i] = h[i] + h[i+1] + h[i+2] }", "gppp"},
    {"op f[N](X: f32[N]) -> (Y: f32[N]) { let h[i in 0..N+1] = X[i-1 | 0.0]\n Y[i] = h[i+2] }", "B001"},
};

static void test_table(void)
{
    double most = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        Out o = check_text_of("table", table[i].text, 0);
        if (!CHECK_STR(o.said.s, table[i].want)) {
            Text t = {.mem = o.mem};
            render(&o, &t);
            printf("%s\n%s\n", table[i].text, t.s ? t.s : "");
        }
        if (o.seconds > most) most = o.seconds;
        arena_free(o.mem);
    }
    CHECK(most < 2.0); /* a bound against hanging, not a benchmark */
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *s = NULL;
    size_t n = 0, cap = 0;
    for (int c; (c = getc(f)) != EOF;) {
        if (n + 1 >= cap) s = realloc(s, cap = cap ? cap * 2 : 4096);
        s[n++] = (char)c;
    }
    fclose(f);
    if (!s) s = calloc(1, 1);
    s[n] = 0;
    return s;
}

static void test_examples(bool times)
{
    const char *file[] = {"/examples/matmul.te", "/examples/ops.te"};
    for (int k = 0; k < 2; k++) {
        char path[1024];
        snprintf(path, sizeof path, "%s%s", TCC_SOURCE_DIR, file[k]);
        char *text = read_file(path);
        if (!CHECK(text != NULL)) continue;
        for (int i = 0; i < 100; i++) {
            Out o = check_text_of(path, text, i);
            bool is_op = o.said.s != NULL;
            if (is_op && !CHECK(o.diags.errors == 0)) {
                Text t = {.mem = o.mem};
                render(&o, &t);
                printf("%s\n", t.s);
            }
            if (is_op && o.op) {
                CHECK(!strchr(o.said.s, '?') && !strstr(o.said.s, "div") && !strstr(o.said.s, "check"));
                bool gathers = !strcmp(o.op->name, "embed") || !strcmp(o.op->name, "moe_expert");
                CHECK(!strchr(o.said.s, 'd') == !gathers);
                if (times) printf("%-12s %-24s %6.2f ms\n", o.op->name, o.said.s, o.seconds * 1e3);
            }
            arena_free(o.mem);
            if (!is_op) break;
        }
        free(text);
    }
}

static int only_te(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 3 && !strcmp(d->d_name + n - 3, ".te");
}

static void test_golden(bool update)
{
    struct dirent **list;
    int n = scandir(TCC_SOURCE_DIR "/tests/golden/bounds", &list, only_te, alphasort);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
        char path[1024], err[1024];
        snprintf(path, sizeof path, "%s/tests/golden/bounds/%s", TCC_SOURCE_DIR, list[i]->d_name);
        snprintf(err, sizeof err, "%.*s.err", (int)strlen(path) - 3, path);
        char *text = read_file(path), *want = read_file(err);
        Out o = check_text_of(list[i]->d_name, text, 0);
        Text got = {.mem = o.mem};
        text_add(&got, "");
        render(&o, &got);
        if (update) {
            FILE *f = fopen(err, "wb");
            if (CHECK(f != NULL)) {
                fputs(got.s, f);
                fclose(f);
            }
        } else if (!CHECK_STR(got.s, want)) {
            printf("in %s\n", path);
        }
        arena_free(o.mem);
        free(text);
        free(want);
        free(list[i]);
    }
    if (n >= 0) free(list);
}

int main(int argc, char **argv)
{
    bool update = argc > 1 && !strcmp(argv[1], "--update");
    test_table();
    test_examples(argc > 1 && !strcmp(argv[1], "--times"));
    test_golden(update);
    return check_done();
}
