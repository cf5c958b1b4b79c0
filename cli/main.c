/* main: the `tcc` command: reads the command line, runs a command, prints its JSON, gives the exit status. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int version(App *a)
{
    if (a->json) {
        json_object_set_new(a->result, "version", json_string(tensorcc_version()));
        json_object_set_new(a->result, "toolchain", json_string(tensorcc_toolchain()));
    } else {
        printf("%s\n", tensorcc_toolchain());
    }
    return OK;
}

/* Under --json the text is a field, as everything else. */
static int help(App *a, CommandId c)
{
    if (!a->json) {
        args_help(stdout, c);
        return OK;
    }
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (!f) return cli_error(a, C029_NO_MEMORY);
    args_help(f, c);
    fclose(f);
    json_object_set_new(a->result, "help", json_string(text));
    free(text);
    return OK;
}

int run_help(App *a)
{
    if (!a->file.n) return help(a, COMMANDS);
    for (int c = 0; c < COMMANDS; c++)
        if (!strcmp(a->file.at[0], args_command_name((CommandId)c))) return help(a, (CommandId)c);
    return cli_error(a, C001_COMMAND, a->file.at[0]);
}

static int dispatch(App *a)
{
    static int (*const run[COMMANDS])(App *) = {
#define COMMAND(NAME, ...) run_##NAME,
#define LATER(NAME, ...)   NULL,
#include "cli/commands.def"
    };
    int rc = args_parse(a);
    if (rc) return rc;
    if (given(a, O_VERSION)) return version(a);
    if (a->command == COMMANDS || given(a, O_HELP)) return help(a, a->command);
    return run[a->command](a);
}

static int finish(App *a, int rc)
{
    if (a->json) {
        /* A failed check is an answer with numbers, and an error too. */
        bool failed = rc && a->error,
             answer = !failed || json_object_get(a->result, "check") || json_object_get(a->result, "workloads");
        json_t *out = answer ? json_incref(a->result) : json_object();
        if (failed) json_object_set(out, "error", a->error);
        char *text = json_dumps(out, JSON_REAL_PRECISION(10) | JSON_INDENT(1) | JSON_PRESERVE_ORDER);
        if (text) puts(text);
        free(text);
        json_decref(out);
    }
    errno = 0;
    if (!fflush(stdout) && !ferror(stdout)) return rc;
    int failed = cli_error_help(a, C015_WRITE, "a part of it may have been written there", "<stdout>",
                                errno ? strerror(errno) : "an earlier write failed");
    return rc ? rc : failed;
}

int main(int argc, char **argv)
{
    App a = {.argc = argc, .argv = argv, .lock = PTHREAD_MUTEX_INITIALIZER};
    const char *no_colour = getenv("NO_COLOR");
    a.colour = isatty(STDERR_FILENO) && !(no_colour && *no_colour);
    a.result = json_object();
    cli_watch_crashes(&a);
    signal(SIGXFSZ, SIG_IGN); /* a file that would be too large is an error of write */
    file_watch_signals(&a);
    int rc = finish(&a, dispatch(&a));
    tensorcc_close(a.ctx);
    json_decref(a.result);
    json_decref(a.error);
    cli_release(&a);
    return rc;
}
