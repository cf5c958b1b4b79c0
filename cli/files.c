/* files: reading whole files, and writing them so that a reader sees all of a file or none of it. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct Temp {
    struct Temp *next;
    const char *path;
};

bool file_ends(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n > m && !strcmp(path + n - m, ending);
}

bool file_same(const char *x, const char *y)
{
    struct stat a, b;
    return !stat(x, &a) && !stat(y, &b) && S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int file_read(App *a, const char *path, char **bytes, size_t *n)
{
    bool in = !strcmp(path, "-");
    const char *name = in ? "<stdin>" : path;
    int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), err = 0;
    struct stat st = {0};
    if (fd < 0) return cli_error(a, C014_READ, name, strerror(errno));
    size_t cap = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : 1 << 16;
    size_t got = 0;
    char *buf = NULL;
    if (S_ISDIR(st.st_mode)) err = EISDIR;
    for (ssize_t more = 1; more > 0 && !err;) {
        if (!buf || got == cap) {
            if (buf) cap *= 2;
            char *p = cap > (size_t)4 << 30 ? NULL : realloc(buf, cap + 1);
            if (!p) {
                err = ENOMEM;
                break;
            }
            buf = p;
        }
        more = read(fd, buf + got, cap - got);
        if (more < 0 && errno == EINTR) {
            more = 1;
            continue;
        }
        if (more < 0) err = errno;
        if (more > 0) got += (size_t)more;
    }
    if (!in) close(fd);
    if (err) {
        free(buf);
        return cli_error(a, C014_READ, name, strerror(err));
    }
    *bytes = cli_alloc(a, got + 1); /* so that it is released with the rest */
    if (got) memcpy(*bytes, buf, got);
    *n = got;
    free(buf);
    return OK;
}

/* ---- writing -------------------------------------------------------------------------------------------------------
 */

static const char *write_all(int fd, const char *s, size_t n)
{
    while (n) {
        ssize_t done = write(fd, s, n < (1u << 30) ? n : 1u << 30);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return strerror(errno);
        s += done;
        n -= (size_t)done;
    }
    return NULL;
}

static const char *write_pieces(int fd, const Output *o)
{
    const char *why = write_all(fd, o->bytes, o->n);
    return why ? why : write_all(fd, o->more, o->nmore);
}

static const char *write_through(const Output *o, const char *path)
{
    int fd = !strcmp(path, "-") ? dup(STDOUT_FILENO) : open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return strerror(errno);
    const char *why = write_pieces(fd, o);
    if (close(fd) && !why) why = strerror(errno);
    return why;
}

static void remember(App *a, const char *path)
{
    struct Temp *t = cli_alloc(a, sizeof *t);
    t->path = path;
    pthread_mutex_lock(&a->lock);
    t->next = a->temps;
    a->temps = t;
    pthread_mutex_unlock(&a->lock);
}

static void forget_all(App *a)
{
    pthread_mutex_lock(&a->lock);
    for (struct Temp *t = a->temps; t; t = t->next)
        if (t->path) unlink(t->path);
    a->temps = NULL;
    pthread_mutex_unlock(&a->lock);
}

/* Where path leads when it is a link, so that the link stays one. */
static const char *target_of(App *a, const char *path)
{
    char real[PATH_MAX];
    struct stat st;
    return !lstat(path, &st) && S_ISLNK(st.st_mode) && realpath(path, real) ? cli_strdup(a, real) : path;
}

static const char *write_beside(App *a, const Output *o, const char *path, char **temp)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    int dir = slash ? (int)(slash - path) + 1 : 0;
    *temp = cli_printf(a, "%.*s.%.200s.XXXXXX", dir, path, path + dir);
    mode_t mask = umask(0);
    umask(mask);
    mode_t mode = (o->executable ? 0777 : 0666) & ~mask;
    if (!stat(path, &st)) mode = st.st_mode & 0777;
    int fd = mkostemp(*temp, O_CLOEXEC);
    if (fd < 0) {
        *temp = NULL;
        return strerror(errno);
    }
    remember(a, *temp);
    const char *why = write_pieces(fd, o);
    if (!why && fchmod(fd, mode)) why = strerror(errno);
    if (close(fd) && !why) why = strerror(errno);
    return why;
}

int file_write(App *a, int n, const Output *out)
{
    char **temp = cli_alloc(a, sizeof *temp * (size_t)(n + 1));
    const char **path = cli_alloc(a, sizeof *path * (size_t)(n + 1)), *why = NULL;
    int i;
    for (i = 0; i < n && !why; i++) {
        struct stat st;
        path[i] = target_of(a, out[i].path);
        bool regular = strcmp(path[i], "-") && (stat(path[i], &st) || S_ISREG(st.st_mode));
        if (!stat(path[i], &st) && S_ISDIR(st.st_mode)) {
            why = strerror(EISDIR);
        } else if (regular && !stat(path[i], &st) && access(path[i], W_OK)) {
            why = strerror(errno);
        } else {
            why = regular ? write_beside(a, &out[i], path[i], &temp[i]) : write_through(&out[i], path[i]);
        }
    }
    int failed = i - 1;
    for (i = 0; i < n && !why; i++)
        if (temp[i] && rename(temp[i], path[i])) why = strerror(errno), failed = i;
    forget_all(a);
    return why ? cli_error(a, C015_WRITE, strcmp(out[failed].path, "-") ? out[failed].path : "<stdout>", why) : OK;
}

/* ---- interrupts ----------------------------------------------------------------------------------------------------
 */

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

/* Waits for an interrupt, cleans up, then lets the signal end the process as if nothing had caught it. */
static void *wait_for_signal(void *arg)
{
    App *a = arg;
    sigset_t set;
    int sig;
    stop_signals(&set);
    if (sigwait(&set, &sig)) return NULL;
    forget_all(a);
    signal(sig, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    kill(getpid(), sig);
    return NULL;
}

void file_watch_signals(App *a)
{
    sigset_t set;
    pthread_t thread;
    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&thread, NULL, wait_for_signal, a)) {
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    } else {
        pthread_detach(thread);
    }
}
