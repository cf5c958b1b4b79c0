/* Two ops, parsed, compiled and run from eight threads at once, on one context; right results, and clean under TSan. */
#include "tests/unit/api_run.h"

#include <pthread.h>

enum { THREADS = 8, ROUNDS = 6, M = 24, N = 40 };

static const char text[] = "op scale[M,N](X: f32[M,N], a: f32) -> (Y: f32[M,N]) { Y[i,j] = a * X[i,j] }\n"
                           "op rows[M,N](X: f32[M,N]) -> (s: f32[M], m: i32[M]) {\n"
                           "  s[i] = sum{j}(X[i,j])\n  m[i] = argmax{j}(X[i,j])\n}\n";

typedef struct Job {
    tensorcc_context *c;
    tensorcc_module *shared;       /* compiled from by all */
    tensorcc_kernel *scale, *rows; /* run by all */
    int number, wrong;
} Job;

static void fill(float *x, int seed)
{
    for (int i = 0; i < M * N; i++) x[i] = (float)((i * 7 + seed * 13) % 101) - 50;
}

/* Runs both, once on compact tensors and once on a transposed view. */
static int run_both(tensorcc_kernel *scale, tensorcc_kernel *rows, int seed)
{
    float x[M * N], y[M * N], s[M], a = (float)(seed % 5 + 1);
    int32_t m[M];
    int wrong = 0;
    fill(x, seed);
    for (int view = 0; view < 2; view++) {
        T X, A, Y, S, B;
        int64_t transposed[] = {1, M};
        int di = view ? 1 : N, dj = view ? M : 1;
        tensor(&X, x, "f32", 2, (int64_t[]){M, N}, view ? transposed : NULL);
        tensor(&A, &a, "f32", 0, NULL, NULL);
        tensor(&Y, y, "f32", 2, (int64_t[]){M, N}, NULL);
        tensor(&S, s, "f32", 1, (int64_t[]){M}, NULL);
        tensor(&B, m, "i32", 1, (int64_t[]){M}, NULL);
        wrong += RUN(scale, &X.t, &A.t, &Y.t) != TENSORCC_OK;
        wrong += RUN(rows, &X.t, &S.t, &B.t) != TENSORCC_OK;
        for (int i = 0; i < M; i++) {
            float sum = 0; /* whole numbers: exact in any order */
            int best = 0;
            for (int j = 0; j < N; j++) {
                float v = x[i * di + j * dj];
                sum += v;
                if (v > x[i * di + best * dj]) best = j;
                wrong += y[i * N + j] != a * v;
            }
            wrong += s[i] != sum || m[i] != best;
        }
    }
    return wrong;
}

static void *work(void *arg)
{
    Job *j = arg;
    for (int round = 0; round < ROUNDS; round++) {
        int seed = j->number * 100 + round;
        tensorcc_kernel *scale = NULL, *rows = NULL;
        tensorcc_module *own = NULL;
        j->wrong += run_both(j->scale, j->rows, seed);
        /* half of them parse, all compile */
        tensorcc_module *m = j->shared;
        if (j->number % 2) {
            j->wrong += tensorcc_parse(j->c, "own.te", text, strlen(text), &own) != TENSORCC_OK;
            m = own;
        }
        j->wrong += compile_with(m, "scale", "cpu", "M=24", NULL, 0, &scale) != TENSORCC_OK;
        j->wrong += compile_with(m, "rows", "cpu", round % 2 ? NULL : "N=40", NULL, 0, &rows) != TENSORCC_OK;
        if (scale && rows) j->wrong += run_both(scale, rows, seed + 50);
        /* an error is this thread's alone */
        tensorcc_kernel *bad = NULL;
        char dim[16], name[16];
        snprintf(dim, sizeof dim, "Dim%d=1", j->number);
        snprintf(name, sizeof name, "`Dim%d`", j->number);
        j->wrong += compile_with(m, "rows", "cpu", dim, NULL, 0, &bad) != TENSORCC_E_INPUT;
        j->wrong += strstr(tensorcc_message(j->c), name) == NULL;
        tensorcc_kernel_free(scale);
        tensorcc_module_free(own);
        tensorcc_kernel_free(rows);
    }
    return NULL;
}

int main(void)
{
    tensorcc_context *c = open_context(NULL, 3);
    tensorcc_module *m = parse(c, text);
    tensorcc_kernel *scale = NULL, *rows = NULL;
    CHECK(compile_with(m, "scale", "cpu", NULL, NULL, 0, &scale) == TENSORCC_OK);
    CHECK(compile_with(m, "rows", "cpu", NULL, NULL, 0, &rows) == TENSORCC_OK);
    pthread_t thread[THREADS];
    Job job[THREADS];
    for (int i = 0; i < THREADS; i++) {
        job[i] = (Job){c, m, scale, rows, i, 0};
        pthread_create(&thread[i], NULL, work, &job[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        CHECK(job[i].wrong == 0);
    }
    tensorcc_module_free(m);
    tensorcc_kernel_free(rows);
    tensorcc_kernel_free(scale);
    tensorcc_close(c);
    return check_done();
}
