/* device: the memory of a device. One stretch of host addresses stands for all of global memory, so that an address is
 * a host pointer after one comparison; the host gives it pages as they are touched. */
#define _GNU_SOURCE
#include "runtime/sim/sim_priv.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { ALIGN = 256 };

static void *reserve(uint64_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

SimDevice *sim_device_new(const IsaMachine *m)
{
    SimDevice *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->machine = *m;
    d->bytes = (uint64_t)m->dram_bytes;
    while (!(d->memory = reserve(d->bytes)) && d->bytes > 1 << 20) d->bytes /= 2; /* a host that promises less */
    d->shadow = d->memory ? reserve(d->bytes / 8) : NULL;
    if (!d->shadow || pthread_mutex_init(&d->lock, NULL)) return sim_device_free(d), NULL;
    return d;
}

void sim_device_free(SimDevice *d)
{
    if (!d) return;
    if (d->memory) munmap(d->memory, d->bytes);
    if (d->shadow) munmap(d->shadow, d->bytes / 8);
    pthread_mutex_destroy(&d->lock);
    free(d->allocation);
    rt_pool_free(d->pool);
    free(d);
}

const IsaMachine *sim_device_machine(const SimDevice *d) { return &d->machine; }

/* The first gap that is large enough; between two allocations ALIGN bytes stay free, so that a checked launch sees what
 * runs over an end. */
static uint64_t take(SimDevice *d, uint64_t bytes)
{
    uint64_t size = (bytes + ALIGN - 1) / ALIGN * ALIGN, at = SIM_BASE, end = SIM_BASE + d->bytes;
    int i = 0;
    for (; i < d->nallocations; i++) {
        if (d->allocation[i].address - at >= size + ALIGN) break;
        at = d->allocation[i].address + (d->allocation[i].bytes + ALIGN - 1) / ALIGN * ALIGN + ALIGN;
    }
    if (at > end || end - at < size) return 0;
    if (d->nallocations == d->cap) {
        int cap = d->cap ? 2 * d->cap : 64;
        SimAllocation *a = realloc(d->allocation, sizeof *a * (size_t)cap);
        if (!a) return 0;
        d->allocation = a;
        d->cap = cap;
    }
    memmove(&d->allocation[i + 1], &d->allocation[i], sizeof *d->allocation * (size_t)(d->nallocations - i));
    d->allocation[i] = (SimAllocation){.address = at, .bytes = bytes};
    d->nallocations++;
    return at;
}

uint64_t sim_malloc(SimDevice *d, uint64_t bytes)
{
    if (bytes == 0) bytes = 1;
    if (bytes > d->bytes) return 0;
    pthread_mutex_lock(&d->lock);
    uint64_t at = take(d, bytes);
    pthread_mutex_unlock(&d->lock);
    return at;
}

int sim_find(const SimDevice *d, uint64_t address)
{
    int lo = 0, hi = d->nallocations;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (d->allocation[mid].address <= address)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo - 1;
}

/* Whole pages go back to the host, which gives zeros the next time; the rest is cleared. */
static void clear(uint8_t *p, uint64_t bytes)
{
    uint64_t page = 4096, from = ((uintptr_t)p + page - 1) / page * page - (uintptr_t)p,
             to = ((uintptr_t)p + bytes) / page * page - (uintptr_t)p;
    if (from >= to || from > bytes) {
        memset(p, 0, bytes);
        return;
    }
    memset(p, 0, from);
    madvise(p + from, to - from, MADV_DONTNEED);
    memset(p + to, 0, bytes - to);
}

bool sim_free(SimDevice *d, uint64_t address)
{
    pthread_mutex_lock(&d->lock);
    int i = sim_find(d, address);
    bool ok = i >= 0 && d->allocation[i].address == address;
    if (ok) {
        uint64_t bytes = (d->allocation[i].bytes + ALIGN - 1) / ALIGN * ALIGN, off = address - SIM_BASE;
        clear(d->memory + off, bytes);
        clear(d->shadow + off / 8, bytes / 8);
        memmove(&d->allocation[i], &d->allocation[i + 1], sizeof *d->allocation * (size_t)(d->nallocations - i - 1));
        d->nallocations--;
    }
    pthread_mutex_unlock(&d->lock);
    return ok;
}

void *sim_host(SimDevice *d, uint64_t address, uint64_t bytes, bool writes)
{
    pthread_mutex_lock(&d->lock);
    int i = sim_find(d, address);
    bool ok = i >= 0 && address - d->allocation[i].address <= d->allocation[i].bytes &&
              bytes <= d->allocation[i].bytes - (address - d->allocation[i].address);
    pthread_mutex_unlock(&d->lock);
    if (!ok) return NULL;
    uint64_t off = address - SIM_BASE;
    if (writes && bytes) {
        for (uint64_t b = off; b < off + bytes && (b & 7 || b == off); b++) d->shadow[b / 8] |= (uint8_t)(1 << (b & 7));
        uint64_t from = (off + 7) / 8, to = (off + bytes) / 8;
        if (to > from) memset(d->shadow + from, 255, to - from);
        for (uint64_t b = to * 8 > off ? to * 8 : off; b < off + bytes; b++)
            d->shadow[b / 8] |= (uint8_t)(1 << (b & 7));
    }
    return d->memory + off;
}
