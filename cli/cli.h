/* cli.h: what the files of the command share. The command stands on the public C API and nothing else of tcc.
 *
 * Every function that can fail gives an exit status: 0 done, 1 the input is wrong, 2 usage, 3 the environment lacks
 * something, 70 a bug in tcc. What went wrong has been reported by then: on standard error, and into app->error for
 * --json. Memory from cli_alloc lives until the command ends. */
#ifndef TCC_CLI_CLI_H
#define TCC_CLI_CLI_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "include/tensorcc.h"

enum { OK = 0, WRONG = 1, USAGE = 2, LACKING = 3, BUG = 70 };

/* ---- args.c --------------------------------------------------------------------------------------------------------
 */
enum {
    G_ALL = 1,
    G_COMPILE = 2,
    G_EMIT = 4,
    G_RUN = 8,
    G_CHECK = 16,
    G_BENCH = 32,
    G_SIM = 64,
    G_OUT = 128
}; /* groups of options */
typedef enum OptionId {
#define OPTION(ID, ...) O_##ID,
#include "cli/options.def"
    OPTIONS
} OptionId;
typedef enum CommandId {
#define COMMAND(NAME, ...) C_##NAME,
#define LATER(NAME, ...)   C_##NAME,
#include "cli/commands.def"
    COMMANDS
} CommandId;

typedef struct Values { /* of one option, in the order given */
    int n;
    const char **at;
} Values;

typedef struct App {
    int argc;
    char **argv;
    CommandId command; /* COMMANDS: none was named */
    Values opt[OPTIONS];
    Values file;
    bool json, quiet, colour;
    tensorcc_context *ctx;
    json_t *result, *error; /* of --json: the fields, the first error */
    struct Block *blocks;   /* cli_alloc */
    struct Temp *temps;     /* files that must not outlive an interrupted command; under lock */
    pthread_mutex_t lock;
    const char *source; /* text of the program at hand, for a reproducer */
    const char *stage;  /* what is being done */
} App;

int args_parse(App *a);
void args_help(FILE *to, CommandId c); /* COMMANDS: of tcc itself */
const char *args_command_name(CommandId c);
const char *args_option_name(OptionId o);
static inline bool given(const App *a, OptionId o) { return a->opt[o].n > 0; }
static inline const char *value_of(const App *a, OptionId o) { return a->opt[o].n ? a->opt[o].at[0] : NULL; }
/* The option's number, or fallback; USAGE when it is none within lo..hi. */
int args_int(App *a, OptionId o, long lo, long hi, long *v);
int args_real(App *a, OptionId o, double lo, double hi, double *v);
/* Reports that the command takes other files than those given: "one FILE". */
int args_wrong_files(App *a, const char *takes);
/* "N=V" as two strings. */
int args_pair(App *a, OptionId o, const char *text, tensorcc_value *out);
const char *args_nearest(const char *name, int n, const char *const *names); /* what was probably meant, or NULL */

/* ---- report.c ------------------------------------------------------------------------------------------------------
 */
typedef enum MessageId {
#define MESSAGE(ID, ...) ID,
#include "cli/messages.def"
    MESSAGES
} MessageId;
int cli_error(App *a, MessageId id, ...); /* gives the message's exit status */
/* The same with a help of its own. */
int cli_error_help(App *a, MessageId id, const char *help, ...);
/* A note to the errors so far: the line of a file that led to them. */
void cli_error_at(App *a, const char *file, int line, const char *what);
void cli_note(App *a, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* to standard error, unless quiet */
void cli_diagnostic(void *app, const tensorcc_diagnostic *d);                      /* the context's callback */
int cli_open(App *a, int threads);                                                 /* makes a->ctx */
int cli_status(App *a, tensorcc_status s); /* a status of the API as exit status; 70 writes a reproducer */
void cli_watch_crashes(App *a);
json_t *cli_number(double v);    /* null when it is not finite */
json_t *cli_text(const char *s); /* null when it is NULL; what is not UTF-8 becomes `?` */

/* ---- memory and texts: memory.c ------------------------------------------------------------------------------------
 */
void *cli_alloc(App *a, size_t bytes); /* zeroed; ends the command when there is none */
char *cli_printf(App *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *cli_strdup(App *a, const char *s);
void values_add(App *a, Values *v, const char *s);
void cli_release(App *a);
const char *cli_bytes(App *a, double bytes);         /* "4 TiB" */
const char *cli_duration(App *a, double ns);         /* "1.25 ms" */
const char *cli_si(App *a, double v, const char *u); /* "2.15 GFLOP" */

/* ---- files.c -------------------------------------------------------------------------------------------------------
 */
/* The whole file ("-": standard input), NUL-terminated; *bytes lives until the command ends. */
int file_read(App *a, const char *path, char **bytes, size_t *n);
/* Several files that appear together or not at all: written beside their places first, then renamed. A place that is
 * no regular file (a pipe, a device) is written to directly; "-" is standard output. */
typedef struct Output {
    const char *path;
    const char *bytes; /* in up to two pieces */
    size_t n;
    const char *more;
    size_t nmore;
    bool executable;
} Output;
/* Reports that a file cannot be read: an error of the system, and how to mend it. */
int file_unreadable(App *a, const char *path, int err);
int file_write(App *a, int n, const Output *out);
bool file_ends(const char *path, const char *ending);
bool file_same(const char *x, const char *y); /* one regular file, whatever it is called */
void file_watch_signals(App *a);              /* an interrupt removes what was begun */

/* ---- timing.c ------------------------------------------------------------------------------------------------------
 */
typedef struct Timing {
    double median, min, mad; /* of one run, in ns; mad: median absolute deviation */
    int reps;                /* samples */
    long runs;               /* in each sample */
} Timing;
typedef struct Roof {
    double gflops, gbs; /* of one core */
} Roof;
double now_ns(void);
Timing timing_of(double *sample, int n, long runs); /* sorts the samples */

/* ---- the commands --------------------------------------------------------------------------------------------------
 */
#define COMMAND(NAME, ...) int run_##NAME(App *a);
#define LATER(NAME, ...)
#include "cli/commands.def"

#endif
