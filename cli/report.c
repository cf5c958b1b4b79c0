/* report: errors of the command (messages.def) and of the library, for people and for --json; crashes. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *id;
    int status;
    const char *text, *help;
} message[MESSAGES] = {
#define MESSAGE(ID, STATUS, TEXT, HELP) {#ID, STATUS, TEXT, HELP},
#include "cli/messages.def"
};

json_t *cli_number(double v) { return isfinite(v) ? json_real(v) : json_null(); }

json_t *cli_text(const char *s)
{
    if (!s) return json_null();
    json_t *j = json_string(s);
    if (j) return j;
    char *copy = strdup(s); /* not UTF-8 */
    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c >= 0x80) *c = '?';
    j = copy ? json_string(copy) : NULL;
    free(copy);
    return j ? j : json_null();
}

static int report(App *a, MessageId id, const char *help, va_list ap)
{
    char text[2048], code[8];
    vsnprintf(text, sizeof text, message[id].text, ap);
    for (char *s = text; *s; s++) /* names on a command line may hold anything */
        if ((unsigned char)*s < ' ') *s = '?';
    snprintf(code, sizeof code, "%.*s", (int)strcspn(message[id].id, "_"), message[id].id);
    if (!help) help = message[id].help;
    const char *red = a->colour ? "\033[1;31m" : "", *off = a->colour ? "\033[0m" : "";
    fprintf(stderr, "%serror[%s]%s: %s\n", red, code, off, text);
    if (help) fprintf(stderr, "help: %s\n", help);
    if (a->error) return message[id].status;
    json_t *notes = json_array();
    if (help) json_array_append_new(notes, cli_text(cli_printf(a, "help: %s", help)));
    a->error = json_pack("{s:s, s:o, s:n, s:n, s:n, s:o}", "code", code, "message", cli_text(text), "file", "line",
                         "column", "notes", notes);
    return message[id].status;
}

int cli_error(App *a, MessageId id, ...)
{
    va_list ap;
    va_start(ap, id);
    int status = report(a, id, NULL, ap);
    va_end(ap);
    return status;
}

int cli_error_help(App *a, MessageId id, const char *help, ...)
{
    va_list ap;
    va_start(ap, help);
    int status = report(a, id, help, ap);
    va_end(ap);
    return status;
}

void cli_error_at(App *a, const char *file, int line, const char *what)
{
    char *text = cli_printf(a, "%s:%d: note: %s", file, line, what);
    for (char *s = text; *s; s++) /* as in report */
        if ((unsigned char)*s < ' ') *s = '?';
    fprintf(stderr, "%s\n", text);
    if (a->error) json_array_append_new(json_object_get(a->error, "notes"), cli_text(text));
}

void cli_note(App *a, const char *fmt, ...)
{
    if (a->quiet) return;
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void cli_diagnostic(void *app, const tensorcc_diagnostic *d)
{
    App *a = app;
    fputs(d->rendered, stderr);
    size_t n = strlen(d->rendered);
    if (n && d->rendered[n - 1] != '\n') fputc('\n', stderr);
    if (d->warning || a->error) return;
    json_t *notes = json_array();
    for (int i = 0; i < d->nnotes; i++) json_array_append_new(notes, cli_text(d->notes[i]));
    a->error = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "code", cli_text(d->code), "message", cli_text(d->message),
                         "file", cli_text(d->file), "line", d->line ? json_integer(d->line) : json_null(), "column",
                         d->column ? json_integer(d->column) : json_null(), "notes", notes);
}

int cli_open(App *a, int threads)
{
    tensorcc_context_options o = {
        .struct_size = sizeof o, .on_diagnostic = cli_diagnostic, .user = a, .threads = threads, .colour = a->colour};
    return cli_status(a, tensorcc_open(&o, &a->ctx));
}

/* ---- bugs ----------------------------------------------------------------------------------------------------------
 */

/* Everything needed to see it again: command line, versions, source. */
static void write_reproducer(App *a)
{
    const char *tmp = getenv("TMPDIR");
    char *path = cli_printf(a, "%s/tcc-bug-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f) return;
    fprintf(f, "%s\ncommand:", tensorcc_toolchain());
    for (int i = 0; i < a->argc; i++) fprintf(f, " '%s'", a->argv[i]);
    fprintf(f, "\nmessage: %s\n\n%s", tensorcc_message(a->ctx), a->source ? a->source : "");
    fclose(f);
    fprintf(stderr, "note: %s reproduces it\n", path);
}

int cli_status(App *a, tensorcc_status s)
{
    if (s == TENSORCC_E_BUG) write_reproducer(a);
    if (s && !a->error)
        a->error = json_pack("{s:n, s:o, s:n, s:n, s:n, s:[]}", "code", "message", cli_text(tensorcc_message(a->ctx)),
                             "file", "line", "column", "notes");
    return (int)s;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void say(int fd, const char *s)
{
    ssize_t n = write(fd, s, strlen(s));
    (void)n;
}

static App *watched;
static char crash_path[512]; /* all but the end is there beforehand */

static void put_command_line(int out)
{
    char buf[4096];
    int in = open("/proc/self/cmdline", O_RDONLY);
    for (ssize_t got; in >= 0 && (got = read(in, buf, sizeof buf)) > 0;) {
        for (ssize_t i = 0; i < got; i++)
            if (!buf[i]) buf[i] = ' ';
        if (write(out, buf, (size_t)got) < 0) return;
    }
}

/* Nothing of the program can be trusted any more: system calls only, and what was made ready before. */
static void crashed(int sig)
{
    size_t n = strlen(crash_path), d = 0;
    char digits[16];
    for (unsigned pid = (unsigned)getpid(); pid; pid /= 10) digits[d++] = (char)('0' + pid % 10);
    while (d) crash_path[n++] = digits[--d];
    memcpy(crash_path + n, ".txt", 5);
    const char *what = sig == SIGSEGV   ? "segmentation fault"
                       : sig == SIGABRT ? "abort"
                       : sig == SIGFPE  ? "arithmetic"
                                        : "illegal access";
    const char *stage = watched->stage ? watched->stage : "starting";
    say(2, "error[C036]: tcc crashed while ");
    say(2, stage);
    say(2, " (");
    say(2, what);
    say(2, ")\nhelp: please report it, with ");
    say(2, crash_path);
    say(2, "\n");
    int out = open(crash_path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (out < 0) _exit(BUG);
    say(out, "stage: ");
    say(out, stage);
    say(out, " (");
    say(out, what);
    say(out, ")\ncommand: ");
    put_command_line(out);
    say(out, "\n\n");
    if (watched->source) say(out, watched->source);
    _exit(BUG);
}

void cli_watch_crashes(App *a)
{
    enum { STACK = 64 << 10 }; /* of its own, since the other one may be used up */
    stack_t stack = {.ss_sp = cli_alloc(a, STACK), .ss_size = STACK};
    struct sigaction sa = {.sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_RESETHAND};
    const int sig[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    const char *tmp = getenv("TMPDIR");
    watched = a;
    if (snprintf(crash_path, sizeof crash_path - 32, "%s/tcc-crash-", tmp && *tmp ? tmp : "/tmp") >= (int)sizeof crash_path - 32)
        strcpy(crash_path, "/tmp/tcc-crash-");
    sigaltstack(&stack, NULL);
    for (size_t i = 0; i < sizeof sig / sizeof *sig; i++) sigaction(sig[i], &sa, NULL);
}
#else /* a sanitizer's own report says more */
void cli_watch_crashes(App *a) { (void)a; }
#endif
