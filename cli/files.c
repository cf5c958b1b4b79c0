/* files: reading whole files, and writing them so that a reader sees all of a file or none of it. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENDLESS = 16 << 20 }; /* bytes that no device has to give */

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

/* The file of that folder whose name is most like the one given, or NULL. */
static const char *neighbour(App *a, const char *path)
{
    enum { MOST = 1000 };
    const char *slash = strrchr(path, '/'), *names[MOST], *near;
    int dir = slash ? (int)(slash - path) + 1 : 0, n = 0;
    DIR *d = opendir(dir ? cli_printf(a, "%.*s", dir, path) : ".");
    for (struct dirent *e; d && n < MOST && (e = readdir(d));)
        if (*e->d_name != '.') names[n++] = cli_strdup(a, e->d_name);
    if (d) closedir(d);
    near = args_nearest(path + dir, n, names);
    return near ? cli_printf(a, "%.*s%s", dir, path, near) : NULL;
}

int file_unreadable(App *a, const char *path, int err)
{
    const char *help = "name a file that can be read", *near = err == ENOENT ? neighbour(a, path) : NULL, *slash;
    if (near) {
        help = cli_printf(a, "did you mean `%s`?", near);
    } else if (err == ENOENT && (slash = strrchr(path, '/')) && slash > path) {
        const char *folder = cli_printf(a, "%.*s", (int)(slash - path), path);
        bool none = access(folder, F_OK) != 0;
        help = cli_printf(a, none ? "there is no folder `%s`" : "the folder `%s` has no file of that name", folder);
    } else if (err == ENOENT) {
        help = "the folder where tcc runs has no file of that name: give its path, as in `ops/matmul.te`";
    } else if (err == EISDIR) {
        help = "name a file in that folder";
    } else if (err == EACCES) {
        help = "its owner can let it be read, with `chmod +r`";
    } else if (err == ENOMEM || err == EFBIG) {
        help = "it is longer than what can be read: name a shorter file";
    }
    return cli_error_help(a, C014_READ, help, path, strerror(err));
}

int file_read(App *a, const char *path, char **bytes, size_t *n)
{
    bool in = !strcmp(path, "-");
    const char *name = in ? "<stdin>" : path;
    int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), err = 0;
    struct stat st = {0};
    if (fd < 0) return file_unreadable(a, name, errno);
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
        if (S_ISCHR(st.st_mode) && !isatty(fd) && got > ENDLESS) err = EFBIG; /* as /dev/zero */
    }
    if (!in) close(fd);
    if (err) {
        free(buf);
        return file_unreadable(a, name, err);
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

typedef struct Beside { /* a file that is to be at another place */
    int fd;     /* -1: none */
    char *temp; /* its name; NULL while it has none */
} Beside;

static char *folder_of(App *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return cli_printf(a, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
}

static char *name_beside(App *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    int dir = slash ? (int)(slash - path) + 1 : 0;
    return cli_printf(a, "%.*s.%.200s.XXXXXX", dir, path, path + dir);
}

static const char *named_beside(App *a, const char *path, Beside *b)
{
    b->temp = name_beside(a, path);
    b->fd = mkostemp(b->temp, O_CLOEXEC);
    if (b->fd < 0) {
        b->temp = NULL;
        return strerror(errno);
    }
    remember(a, b->temp);
    return NULL;
}

/* Written without a name, so that nothing is left when the process is killed; under one where the system has no such files. */
static const char *write_beside(App *a, const Output *o, const char *path, Beside *b)
{
    struct stat st;
    mode_t mask = umask(0);
    umask(mask);
    mode_t mode = (o->executable ? 0777 : 0666) & ~mask;
    if (!stat(path, &st)) mode = st.st_mode & 0777;
    b->fd = open(folder_of(a, path), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    const char *why = b->fd < 0 ? named_beside(a, path, b) : NULL;
    if (!why) why = write_pieces(b->fd, o);
    if (!why && fchmod(b->fd, mode)) why = strerror(errno);
    return why;
}

/* A name of its own: linkat replaces nothing. */
static const char *give_name(App *a, const char *path, Beside *b)
{
    char *from = cli_printf(a, "/proc/self/fd/%d", b->fd);
    Beside other = {-1, NULL};
    if (b->temp) return NULL;
    const char *why = named_beside(a, path, &other); /* which is then taken */
    if (why) return why;
    close(other.fd);
    if (unlink(other.temp) || linkat(AT_FDCWD, from, AT_FDCWD, other.temp, AT_SYMLINK_FOLLOW)) return strerror(errno);
    b->temp = other.temp;
    return NULL;
}

static const char *put(App *a, const char *path, Beside *b)
{
    const char *why = give_name(a, path, b);
    if (close(b->fd) && !why) why = strerror(errno);
    b->fd = -1;
    return why || !rename(b->temp, path) ? why : strerror(errno);
}

int file_write(App *a, int n, const Output *out)
{
    Beside *beside = cli_alloc(a, sizeof *beside * (size_t)(n + 1));
    const char **path = cli_alloc(a, sizeof *path * (size_t)(n + 1)), *why = NULL;
    int i;
    for (i = 0; i < n; i++) beside[i].fd = -1;
    for (i = 0; i < n && !why; i++) {
        struct stat st;
        path[i] = target_of(a, out[i].path);
        bool regular = strcmp(path[i], "-") && (stat(path[i], &st) || S_ISREG(st.st_mode));
        if (!stat(path[i], &st) && S_ISDIR(st.st_mode)) {
            why = strerror(EISDIR);
        } else if (regular && !stat(path[i], &st) && access(path[i], W_OK)) {
            why = strerror(errno);
        } else {
            why = regular ? write_beside(a, &out[i], path[i], &beside[i]) : write_through(&out[i], path[i]);
        }
    }
    int failed = i - 1;
    for (i = 0; i < n && !why; i++)
        if (beside[i].fd >= 0 && (why = put(a, path[i], &beside[i]))) failed = i;
    for (i = 0; i < n; i++)
        if (beside[i].fd >= 0) close(beside[i].fd);
    forget_all(a);
    if (!why) return OK;
    struct stat st;
    bool out_there = !strcmp(out[failed].path, "-"), there = !out_there && !stat(out[failed].path, &st);
    const char *help = out_there || (there && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
                           ? "a part of it may have been written there"
                       : there ? "what is at that place is as it was"
                               : "nothing was left at that place";
    return cli_error_help(a, C015_WRITE, help, out_there ? "<stdout>" : out[failed].path, why);
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

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    remove(path);
    return 0;
}

/* The folders that the library links in (api/artifact.c); another thread may just be busy in one. */
static void remove_link_folders(void)
{
    enum { TRIES = 20 };
    const char *tmp = getenv("TMPDIR");
    char prefix[40], path[PATH_MAX];
    struct stat st;
    if (!tmp || !*tmp) tmp = "/tmp";
    int n = snprintf(prefix, sizeof prefix, "tensorcc-%ld-", (long)getpid());
    DIR *d = opendir(tmp);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strncmp(e->d_name, prefix, (size_t)n)) continue;
        if (snprintf(path, sizeof path, "%s/%s", tmp, e->d_name) >= (int)sizeof path) continue;
        for (int i = 0; i < TRIES && !lstat(path, &st); i++) nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
    if (d) closedir(d);
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
    remove_link_folders();
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
