/* stack: work that recurses as deep as a program is nested runs on a stack of its own, since the calling thread's may be
 * small: a host's, or under a `ulimit -s`. It stays the same thread: what hangs on it (messages, callbacks, the
 * floating-point environment) is as if nothing had changed. */
#define _GNU_SOURCE
#include "api/api.h"

#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SWITCHES = 0 }; /* a sanitizer knows the stacks that threads are made with */
#else
enum { SWITCHES = 1 };
#endif

enum { GUARD = 64 << 10, SIZE = 64 << 20 }; /* bytes: below the stack, of it; what is not touched takes no memory */

typedef struct Deep {
    void (*body)(void *);
    void *arg;
    ucontext_t caller, here;
} Deep;

static _Thread_local bool deep_already;

/* makecontext passes ints. */
static void enter(unsigned high, unsigned low)
{
    Deep *d = (Deep *)(((uintptr_t)high << 32) | low);
    d->body(d->arg);
}

static char *new_stack(void)
{
    char *room = mmap(NULL, GUARD + SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (room == MAP_FAILED) return NULL;
    if (!mprotect(room + GUARD, SIZE, PROT_READ | PROT_WRITE)) return room;
    munmap(room, GUARD + SIZE);
    return NULL;
}

static void run_on(char *room, Deep *d)
{
    uintptr_t at = (uintptr_t)d;
    getcontext(&d->here);
    d->here.uc_stack = (stack_t){.ss_sp = room + GUARD, .ss_size = SIZE};
    d->here.uc_link = &d->caller;
    makecontext(&d->here, (void (*)(void))enter, 2, (unsigned)(at >> 32), (unsigned)at);
    swapcontext(&d->caller, &d->here);
}

void api_deep(void (*body)(void *), void *arg)
{
    Deep d = {.body = body, .arg = arg};
    char *room = SWITCHES && !deep_already ? new_stack() : NULL;
    if (!room) { /* or there is no memory: the thread's own may do */
        body(arg);
        return;
    }
    deep_already = true;
    run_on(room, &d);
    deep_already = false;
    munmap(room, GUARD + SIZE);
}

typedef struct Guarded {
    Arena *mem;
    void (*body)(void *);
    void *arg;
    bool done;
} Guarded;

static void guarded(void *arg)
{
    Guarded *g = arg;
    g->done = api_guard(g->mem, g->body, g->arg);
}

bool api_guard_deep(Arena *mem, void (*body)(void *), void *arg)
{
    Guarded g = {mem, body, arg, false};
    api_deep(guarded, &g);
    return g.done;
}
