/* The runtime: thread pool, floating-point environment, what the machine gives. Also run under TSan. */
#define _GNU_SOURCE
#include "runtime/runtime.h"
#include "tests/unit/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N = 10000 };

typedef struct Job {
    int count[N];               /* each piece is one thread's, so plain */
    atomic_int busy[64], wrong; /* by worker */
    int threads;
    const tensorcc_pool *pool;
    int depth;
} Job;

static void count(void *closure, int64_t begin, int64_t end, int32_t worker)
{
    Job *j = closure;
    if (worker < 0 || worker >= j->threads || atomic_fetch_add(&j->busy[worker], 1)) atomic_fetch_add(&j->wrong, 1);
    for (int64_t i = begin; i < end; i++) j->count[i]++;
    atomic_fetch_sub(&j->busy[worker], 1);
}

static bool once_each(const Job *j, int n)
{
    for (int i = 0; i < N; i++)
        if (j->count[i] != (i < n)) return false;
    return true;
}

static Job *new_job(const tensorcc_pool *p)
{
    Job *j = calloc(1, sizeof *j);
    j->threads = p->threads;
    j->pool = p;
    return j;
}

static void test_loops(int threads)
{
    RtPool *p = rt_pool_new(threads);
    tensorcc_pool view = rt_pool_view(p);
    CHECK(view.threads == threads);
    const int sizes[] = {0, 1, 2, 3, 7, 64, 1000, N};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int again = 0; again < 20; again++) {
            Job *j = new_job(&view);
            view.parallel_for(view.self, sizes[s], count, j);
            CHECK(once_each(j, sizes[s]) && !j->wrong);
            free(j);
        }
    rt_pool_free(p);
}

/* A loop inside a loop runs where it is. */
static void outer(void *closure, int64_t begin, int64_t end, int32_t worker)
{
    Job *j = closure;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        Job *in = new_job(j->pool);
        j->pool->parallel_for(j->pool->self, 100, count, in);
        if (!once_each(in, 100) || in->wrong) atomic_fetch_add(&j->wrong, 1);
        free(in);
    }
}

static void test_nested(void)
{
    RtPool *p = rt_pool_new(4);
    tensorcc_pool view = rt_pool_view(p);
    Job *j = new_job(&view);
    view.parallel_for(view.self, 50, outer, j);
    CHECK(j->wrong == 0);
    free(j);
    rt_pool_free(p);
}

static void *many_loops(void *arg)
{
    const tensorcc_pool *view = arg;
    intptr_t wrong = 0;
    for (int i = 0; i < 200; i++) {
        Job *j = new_job(view);
        view->parallel_for(view->self, 1 + i * 7 % 500, count, j);
        wrong += !once_each(j, 1 + i * 7 % 500) || j->wrong;
        free(j);
    }
    return (void *)wrong;
}

static void test_shared(void)
{
    RtPool *p = rt_pool_new(3);
    tensorcc_pool view = rt_pool_view(p);
    pthread_t t[6];
    for (int i = 0; i < 6; i++) pthread_create(&t[i], NULL, many_loops, &view);
    for (int i = 0; i < 6; i++) {
        void *wrong;
        pthread_join(t[i], &wrong);
        CHECK(wrong == NULL);
    }
    rt_pool_free(p);
}

/* Pools come and go, used or not. */
static void test_lifetimes(void)
{
    for (int i = 0; i < 50; i++) {
        RtPool *p = rt_pool_new(1 + i % 5);
        tensorcc_pool view = rt_pool_view(p);
        Job *j = new_job(&view);
        if (i % 2) view.parallel_for(view.self, 100, count, j);
        CHECK(once_each(j, i % 2 ? 100 : 0));
        free(j);
        rt_pool_free(p);
    }
    rt_pool_free(NULL);
}

#if defined(__x86_64__)
static uint32_t control(void)
{
    uint32_t v;
    __asm__ volatile("stmxcsr %0" : "=m"(v));
    return v & ~0x3fu; /* without the flags of what happened */
}

static void set_control(uint32_t v) { __asm__ volatile("ldmxcsr %0" : : "m"(v)); }

static void see_control(void *closure, int64_t begin, int64_t end, int32_t worker)
{
    (void)begin, (void)end, (void)worker;
    if (control() != 0x1f80) atomic_fetch_add(&((Job *)closure)->wrong, 1);
    usleep(100); /* so that others take a piece too */
}

static void test_fpenv(void)
{
    uint32_t strange = 0x1f80 | 0x8040 | 0x6000; /* flush, denormals are zero, towards zero */
    set_control(strange);
    RtPool *p = rt_pool_new(4); /* its threads inherit that */
    tensorcc_pool view = rt_pool_view(p);
    Job *j = new_job(&view);
    view.parallel_for(view.self, 64, see_control, j);
    view.parallel_for(view.self, 1, see_control, j);
    CHECK(j->wrong == 0);
    CHECK(control() == strange);
    RtFpEnv old = rt_fpenv_enter();
    CHECK(control() == 0x1f80);
    volatile float tiny = 1e-30f, small = 1e-12f;
    CHECK(tiny * small > 0); /* a subnormal */
    rt_fpenv_leave(old);
    CHECK(control() == strange);
    set_control(0x1f80);
    free(j);
    rt_pool_free(p);
}
#else
static void test_fpenv(void) {}
#endif

/* ---- quotas, in made-up /proc and /sys trees ---- */
static void put(const char *root, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *s = full + 1; (s = strchr(s, '/')); s++) {
        *s = 0;
        mkdir(full, 0700);
        *s = '/';
    }
    FILE *f = fopen(full, "w");
    if (!f) return;
    fputs(text, f);
    fclose(f);
}

static int quota(const char *const *files)
{
    char root[] = "/tmp/tcc-cgroup-XXXXXX", cmd[64];
    if (!mkdtemp(root)) return -1;
    for (; files[0]; files += 2) put(root, files[0], files[1]);
    int n = rt_cgroup_cpus(root);
    snprintf(cmd, sizeof cmd, "rm -rf %s", root);
    if (system(cmd)) n = -1;
    return n;
}

#define QUOTA(...) quota((const char *const[]){__VA_ARGS__, NULL})
#define V2         "proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
#define V1         "proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"

static void test_quotas(void)
{
    CHECK(QUOTA(V2, "proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max", "max 100000\n") == 0);
    CHECK(QUOTA(V2, "proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max", "150000 100000\n") == 2);
    /* the least of all groups on the way up */
    CHECK(QUOTA(V2, "proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max", "800000 100000\n",
                "sys/fs/cgroup/a/cpu.max", "300000 100000\n") == 3);
    CHECK(QUOTA(V2, "proc/self/cgroup", "0::/\n", "sys/fs/cgroup/cpu.max", "10000 100000\n") == 1);
    CHECK(QUOTA(V1, "proc/self/cgroup", "4:memory:/m\n3:cpu,cpuacct:/a\n",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "400000\n",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n") == 4);
    CHECK(QUOTA(V1, "proc/self/cgroup", "3:cpu,cpuacct:/a\n", "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n") == 0);
    /* a container: its group is the mount's root */
    CHECK(QUOTA("proc/self/mountinfo", "30 23 0:26 /docker/x /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n",
                "proc/self/cgroup", "3:cpu:/docker/x\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n") == 3);
    CHECK(QUOTA("nothing", "") == 0);
    CHECK(QUOTA(V2, "proc/self/cgroup", "garbage", "sys/fs/cgroup/cpu.max", "x y z\n") == 0);
    CHECK(rt_usable_cpus() >= 1);
    CHECK(rt_usable_memory() > 0);
}

static void test_alloc(void)
{
    const int64_t sizes[] = {1, 63, 4096, (int64_t)1 << 20, ((int64_t)3 << 20) + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *p = rt_alloc(sizes[i]);
        CHECK(p && (uintptr_t)p % (sizes[i] < (int64_t)1 << 20 ? 64 : (uintptr_t)2 << 20) == 0);
        if (p) p[0] = p[sizes[i] - 1] = 1;
        free(p);
    }
    CHECK(!rt_alloc(-1) && !rt_alloc(INT64_MAX));
}

static void test_measures(void)
{
    double start = rt_now_ns();
    CHECK(rt_peak_gflops_f32(0.01) > 0.1);
    CHECK(rt_peak_gflops_f64(0.01) > 0.1);
    CHECK(rt_peak_gbs(0, 1) > 0.01);
    CHECK(rt_peak_gbs(0, 2) > 0.01);
    rt_flush_caches();
    CHECK(rt_now_ns() > start);
}

int main(void)
{
    for (int threads = 1; threads <= 5; threads += 2) test_loops(threads);
    test_nested();
    test_shared();
    test_lifetimes();
    test_fpenv();
    test_quotas();
    test_alloc();
    test_measures();
    return check_done();
}
