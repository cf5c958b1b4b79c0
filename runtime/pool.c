/* pool: a fixed set of threads that share out the iterations of one parallel loop at a time.
 *
 * Relies on pthreads and fpenv.c. Workers sleep between loops after a short spin, so that a chain of small kernels does
 * not pay a wake-up each. The thread that calls parallel_for works too, as worker 0. When the pool is busy (a loop
 * inside a loop, or a second thread of the host program) the caller runs all its iterations itself: nothing waits for
 * anything that could wait for it. Workers hold the kernel's floating-point environment for their whole life. */
#include "runtime/runtime.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__x86_64__) || defined(__i386__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() ((void)0)
#endif

enum { SPIN = 2000, PIECES = 8, THREADS_MAX = 1024 };

typedef struct Worker {
    RtPool *pool;
    pthread_t thread;
    int number;
} Worker;

struct RtPool {
    int threads;         /* the caller's among them */
    pthread_mutex_t use; /* held by whoever runs a loop */

    pthread_mutex_t lock; /* with `wake`: for workers that sleep */
    pthread_cond_t wake;
    atomic_uint round; /* counts loops; a worker joins when it changes */
    atomic_bool quit;
    atomic_int sleeping;

    /* The loop of this round: written before `round` changes, not touched before `busy` is 0 again. */
    tensorcc_task body;
    void *closure;
    int64_t n, piece;
    int joining; /* workers that take part */
    _Alignas(64) atomic_int_least64_t next;
    _Alignas(64) atomic_int busy; /* workers that have not finished the round */

    Worker worker[];
};

static void work(RtPool *p, int number)
{
    for (;;) {
        int64_t at = atomic_fetch_add_explicit(&p->next, p->piece, memory_order_relaxed);
        if (at >= p->n) return;
        int64_t end = p->n - at < p->piece ? p->n : at + p->piece;
        p->body(p->closure, at, end, number);
    }
}

/* Waits until the round is another than `seen`: first awake, then asleep. */
static unsigned await(RtPool *p, unsigned seen)
{
    for (int i = 0; i < SPIN; i++) {
        unsigned now = atomic_load_explicit(&p->round, memory_order_acquire);
        if (now != seen) return now;
        PAUSE();
    }
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleeping, 1);
    unsigned now;
    while ((now = atomic_load(&p->round)) == seen) pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleeping, 1);
    pthread_mutex_unlock(&p->lock);
    return now;
}

static void *serve(void *arg)
{
    Worker *w = arg;
    RtPool *p = w->pool;
    rt_fpenv_enter();
    unsigned seen = 0;
    for (;;) {
        seen = await(p, seen);
        if (atomic_load(&p->quit)) return NULL;
        if (w->number <= p->joining) work(p, w->number);
        atomic_fetch_sub_explicit(&p->busy, 1, memory_order_release);
    }
}

static void announce(RtPool *p)
{
    atomic_fetch_add(&p->round, 1);
    if (atomic_load(&p->sleeping)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
    }
}

static void finish(RtPool *p)
{
    for (int i = 0; atomic_load_explicit(&p->busy, memory_order_acquire); i++) {
        PAUSE();
        if (i > SPIN) sched_yield();
    }
}

static void parallel_for(void *self, int64_t n, tensorcc_task body, void *closure)
{
    RtPool *p = self;
    if (n <= 0) return;
    RtFpEnv old = rt_fpenv_enter();
    if (n == 1 || p->threads == 1 || pthread_mutex_trylock(&p->use)) {
        body(closure, 0, n, 0);
        rt_fpenv_leave(old);
        return;
    }
    p->body = body;
    p->closure = closure;
    p->n = n;
    p->piece = n / ((int64_t)p->threads * PIECES);
    if (p->piece < 1) p->piece = 1;
    p->joining = n - 1 < p->threads - 1 ? (int)(n - 1) : p->threads - 1;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    atomic_store_explicit(&p->busy, p->threads - 1, memory_order_relaxed);
    announce(p);
    work(p, 0);
    finish(p);
    pthread_mutex_unlock(&p->use);
    rt_fpenv_leave(old);
}

RtPool *rt_pool_new(int threads)
{
    if (threads <= 0) threads = rt_usable_cpus();
    if (threads > THREADS_MAX) threads = THREADS_MAX;
    size_t bytes = (sizeof(RtPool) + (size_t)threads * sizeof(Worker) + 63) / 64 * 64;
    RtPool *p = aligned_alloc(64, bytes);
    if (!p) return NULL;
    *p = (RtPool){.threads = 1};
    atomic_init(&p->round, 0);
    atomic_init(&p->quit, false);
    atomic_init(&p->sleeping, 0);
    atomic_init(&p->next, 0);
    atomic_init(&p->busy, 0);
    pthread_mutex_init(&p->use, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    /* Workers look at threads only through `joining`, so that it may grow while they start. A system that refuses a
     * thread leaves a smaller pool. */
    for (int i = 1; i < threads; i++) {
        Worker *w = &p->worker[i];
        *w = (Worker){.pool = p, .number = i};
        if (pthread_create(&w->thread, NULL, serve, w)) break;
        p->threads = i + 1;
    }
    return p;
}

void rt_pool_free(RtPool *p)
{
    if (!p) return;
    atomic_store(&p->quit, true);
    announce(p);
    for (int i = 1; i < p->threads; i++) pthread_join(p->worker[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->use);
    free(p);
}

tensorcc_pool rt_pool_view(RtPool *p)
{
    return (tensorcc_pool){.self = p, .threads = p->threads, .parallel_for = parallel_for};
}
