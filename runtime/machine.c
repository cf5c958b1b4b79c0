/* machine: how much of the machine this process may use: processors (affinity mask, cgroup v1 and v2 quota) and memory
 * (free memory, cgroup limit). Reads /proc and /sys only; what is missing there limits nothing. */
#define _GNU_SOURCE
#include "runtime/runtime.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { LINE = 8192, PATH = 4096 };

static bool read_line(const char *path, char *buf, size_t n)
{
    FILE *f = fopen(path, "re");
    if (!f) return false;
    bool ok = fgets(buf, (int)n, f) != NULL;
    fclose(f);
    return ok;
}

/* Does the comma-separated list hold word? */
static bool lists(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *s = list; s && *s; s = strchr(s, ','), s = s ? s + 1 : NULL)
        if (!strncmp(s, word, n) && (s[n] == ',' || !s[n] || s[n] == '\n' || s[n] == ' ')) return true;
    return false;
}

/* Where this process stands in the hierarchy of a controller ("cpu", "memory"; NULL: the unified one), as
 * /proc/self/cgroup has it. */
static bool own_group(const char *root, const char *controller, char *out)
{
    char file[PATH + 32], line[LINE];
    snprintf(file, sizeof file, "%s/proc/self/cgroup", root);
    FILE *f = fopen(file, "re");
    if (!f) return false;
    bool found = false;
    while (!found && fgets(line, sizeof line, f)) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path) continue;
        *path++ = 0;
        names++;
        found = controller ? lists(names, controller) : !*names;
        if (!found) continue;
        path[strcspn(path, "\n")] = 0;
        snprintf(out, PATH, "%s", path);
    }
    fclose(f);
    return found;
}

/* Where that hierarchy is mounted, and which of its groups is the mount's root (a container sees only its own part). */
static bool mounted(const char *root, const char *controller, char *where, char *top)
{
    char file[PATH + 32], line[LINE];
    snprintf(file, sizeof file, "%s/proc/self/mountinfo", root);
    FILE *f = fopen(file, "re");
    if (!f) return false;
    bool found = false;
    while (!found && fgets(line, sizeof line, f)) {
        char from[PATH], at[PATH], type[64], opts[LINE];
        char *rest = strstr(line, " - ");
        if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", from, at) != 2) continue;
        if (sscanf(rest, " - %63s %*s %8191s", type, opts) != 2) continue;
        found = controller ? !strcmp(type, "cgroup") && lists(opts, controller) : !strcmp(type, "cgroup2");
        if (!found) continue;
        snprintf(where, PATH, "%s", at);
        snprintf(top, PATH, "%s", from);
    }
    fclose(f);
    return found;
}

/* Calls visit with the folder of this process's group and of every group above it. */
static void climb(const char *root, const char *controller, void (*visit)(const char *folder, void *arg), void *arg)
{
    char path[PATH], where[PATH], top[PATH], folder[3 * PATH];
    if (!own_group(root, controller, path) || !mounted(root, controller, where, top)) return;
    size_t n = strlen(top);
    char *below = path;
    if (strcmp(top, "/") && !strncmp(path, top, n) && (path[n] == '/' || !path[n])) below += n;
    for (;;) {
        if (!strcmp(below, "/")) *below = 0;
        snprintf(folder, sizeof folder, "%s%s%s", root, where, below);
        visit(folder, arg);
        if (!*below) return;
        char *cut = strrchr(below, '/');
        if (!cut) return;
        *cut = 0;
    }
}

static void lower_to(int64_t *limit, int64_t v)
{
    if (v > 0 && (*limit == 0 || v < *limit)) *limit = v;
}

/* Quotas in thousandths of a processor. */
static void quota2(const char *folder, void *limit)
{
    char file[3 * PATH + 32], line[128];
    long long quota, period;
    snprintf(file, sizeof file, "%s/cpu.max", folder);
    if (read_line(file, line, sizeof line) && sscanf(line, "%lld %lld", &quota, &period) == 2 && period > 0)
        lower_to(limit, quota * 1000 / period);
}

static void quota1(const char *folder, void *limit)
{
    char file[3 * PATH + 32], line[128];
    snprintf(file, sizeof file, "%s/cpu.cfs_quota_us", folder);
    if (!read_line(file, line, sizeof line)) return;
    long long quota = atoll(line);
    snprintf(file, sizeof file, "%s/cpu.cfs_period_us", folder);
    if (quota <= 0 || !read_line(file, line, sizeof line)) return;
    long long period = atoll(line);
    if (period > 0) lower_to(limit, quota * 1000 / period);
}

int rt_cgroup_cpus(const char *root)
{
    int64_t limit = 0;
    climb(root, NULL, quota2, &limit);
    climb(root, "cpu", quota1, &limit);
    if (!limit) return 0;
    return limit > INT_MAX ? INT_MAX : (int)((limit + 999) / 1000);
}

static int affinity(void)
{
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set) break;
        size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
        int n = sched_getaffinity(0, bytes, set) ? 0 : CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
        if (n > 0) return n;
    }
    return 1;
}

int rt_usable_cpus(void)
{
    int n = affinity(), quota = rt_cgroup_cpus("");
    return quota && quota < n ? quota : n;
}

static void memory2(const char *folder, void *limit)
{
    char file[3 * PATH + 32], line[128];
    snprintf(file, sizeof file, "%s/memory.max", folder);
    if (read_line(file, line, sizeof line)) lower_to(limit, atoll(line)); /* "max" gives 0 */
}

static void memory1(const char *folder, void *limit)
{
    char file[3 * PATH + 32], line[128];
    snprintf(file, sizeof file, "%s/memory.limit_in_bytes", folder);
    if (read_line(file, line, sizeof line)) lower_to(limit, atoll(line));
}

int64_t rt_usable_memory(void)
{
    int64_t limit = 0;
    char line[256];
    FILE *f = fopen("/proc/meminfo", "re");
    long long kb;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %lld kB", &kb) == 1) lower_to(&limit, kb * 1024);
    if (f) fclose(f);
    climb("", NULL, memory2, &limit);
    climb("", "memory", memory1, &limit);
    return limit;
}

double rt_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

void *rt_alloc(int64_t bytes)
{
    size_t align = bytes >= (int64_t)1 << 20 ? (size_t)2 << 20 : 64;
    if (bytes < 0 || bytes > PTRDIFF_MAX - (int64_t)align) return NULL;
    size_t n = ((size_t)bytes + align - 1) / align * align;
    void *p = aligned_alloc(align, n);
#ifdef MADV_HUGEPAGE
    if (p && align > 64) madvise(p, n, MADV_HUGEPAGE);
#endif
    return p;
}
