/* args: the command line, read by the tables options.def and commands.def, and the help texts made from them. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ONE, MANY, FLAG };

static const struct {
    const char *name;
    char letter;
    const char *argument;
    int often;
    unsigned groups;
    const char *help;
} option[OPTIONS] = {
#define OPTION(ID, LONG, SHORT, ARG, OFTEN, GROUPS, HELP) {LONG, SHORT, ARG, OFTEN, GROUPS, HELP},
#include "cli/options.def"
};

static const struct {
    OptionId option;
    CommandId command;
    const char *help;
} meaning[] = {
#define OPTION(...)
#define MEANS(ID, COMMAND, HELP) {O_##ID, C_##COMMAND, HELP},
#include "cli/options.def"
};

static const struct {
    const char *name, *operands;
    unsigned groups;
    const char *help;
    bool later;
} command[COMMANDS] = {
#define COMMAND(NAME, OPERANDS, GROUPS, HELP) {#NAME, OPERANDS, GROUPS, HELP, false},
#define LATER(NAME, HELP)                     {#NAME, "", 0, HELP, true},
#include "cli/commands.def"
};

const char *args_option_name(OptionId o) { return option[o].name; }

const char *args_command_name(CommandId c) { return c < COMMANDS ? command[c].name : "tcc"; }

/* ---- help ----------------------------------------------------------------------------------------------------------
 */

static void option_help(FILE *to, CommandId c, int i)
{
    const char *help = option[i].help;
    for (size_t k = 0; k < sizeof meaning / sizeof *meaning; k++)
        if (meaning[k].option == (OptionId)i && meaning[k].command == c) help = meaning[k].help;
    char left[64];
    snprintf(left, sizeof left, "%s%c%s--%s%s%s", option[i].letter ? "-" : " ",
             option[i].letter ? option[i].letter : ' ', option[i].letter ? ", " : "  ", option[i].name,
             option[i].argument ? " " : "", option[i].argument ? option[i].argument : "");
    fprintf(to, "  %-24s %s%s\n", left, help, option[i].often == MANY ? " (may be repeated)" : "");
}

static const char *const examples[COMMANDS] = {
    [C_compile] = "  tcc compile matmul.te                          what comes out, in numbers\n"
                  "  tcc compile matmul.te --dim M=? -o matmul.so   a library and matmul.h, M chosen at run time\n"
                  "  tcc compile ops.te --op softmax --emit tile    the loops\n"
                  "  tcc compile ops.te --op conv2d --const st=2 --target cpu:x86-64-v3 -o conv.s\n",
    [C_run] = "  tcc run matmul.te --input A=a.npy --input B=b.npy --output C=c.npy --check\n"
              "  tcc run matmul.te --dim M=3 --dim N=4 --dim K=5 --input A=iota --input B=ones\n"
              "  tcc run matmul.so --input A=random:1 --input B=normal:2 --json\n",
    [C_bench] = "  tcc bench matmul.te --threads 1\n"
                "  tcc bench ops.te --op softmax --dim M=4096 --dim N=1024 --check\n"
                "  tcc bench --workloads suite.workloads --json\n",
    [C_interp] = "  tcc interp matmul.te --dim M=8 --dim N=8 --dim K=8 --input A=iota --input B=ones\n",
    [C_explain] =
        "  tcc explain matmul.te --dim M=4096\n"
        "  tcc explain ops.te --op attention --dim B=1 --dim H=12 --dim G=12 --dim S=512 --dim L=512 --dim D=64\n",
    [C_fmt] = "  tcc fmt *.te             put the files right\n"
              "  tcc fmt --check *.te     say which ones are not\n"
              "  tcc fmt - < draft.te     from standard input to standard output\n",
    [C_asm] = "  tcc asm vadd.s -o vadd.g9\n",
    [C_disasm] = "  tcc disasm vadd.g9\n",
    [C_sim] = "  tcc sim examples/g9/vadd.s --dim N=1000 --block 256 --grid 4 --input a=iota --input b=ones --output "
              "c=c.npy\n"
              "  tcc sim kernel.g9 --kernel reduce --machine h100 --check --threads 2 --json\n",
    [C_targets] = "  tcc targets --json\n",
    [C_doctor] = "  tcc doctor\n",
    [C_help] = "  tcc help run\n",
};

static void overview(FILE *to)
{
    fprintf(to,
            "tcc compiles tensor expressions (.te) to fast code for this machine.\n\n"
            "usage: tcc COMMAND [FILE] [OPTIONS]      (options may stand anywhere; FILE `-` is standard input)\n\n");
    for (int i = 0; i < COMMANDS; i++)
        if (!command[i].later) fprintf(to, "  %-9s %s\n", command[i].name, command[i].help);
    fprintf(to, "\nnot in this version:");
    for (int i = 0; i < COMMANDS; i++)
        if (command[i].later) fprintf(to, " %s", command[i].name);
    fprintf(to, "\n\nexamples:\n"
                "  tcc run matmul.te --input A=a.npy --input B=b.npy --output C=c.npy --check\n"
                "  tcc bench matmul.te --threads 1\n"
                "  tcc compile matmul.te -o matmul.so\n"
                "  tcc explain matmul.te\n\n"
                "options of every command:\n");
    for (int i = 0; i < OPTIONS; i++)
        if (option[i].groups & G_ALL) option_help(to, COMMANDS, i);
    fprintf(
        to,
        "\nexit status: 0 done; 1 the input is wrong or a check failed; 2 usage; 3 the environment lacks something;\n"
        "70 a bug in tcc. `tcc help COMMAND` says more.\n");
}

void args_help(FILE *to, CommandId c)
{
    if (c >= COMMANDS) {
        overview(to);
        return;
    }
    fprintf(to, "tcc %s: %s\n\nusage: tcc %s %s%s[OPTIONS]\n", command[c].name, command[c].help, command[c].name,
            command[c].operands, *command[c].operands ? " " : "");
    if (command[c].later) {
        fprintf(to, "\nThis command is not part of this version.\n");
        return;
    }
    fprintf(to, "\noptions:\n");
    for (int i = 0; i < OPTIONS; i++)
        if (option[i].groups & (command[c].groups | G_ALL)) option_help(to, c, i);
    fprintf(to, "\nexamples:\n%s", examples[c] ? examples[c] : "");
}

/* ---- names ---------------------------------------------------------------------------------------------------------
 */

static int distance(const char *a, const char *b)
{
    enum { MOST = 32 };
    int row[MOST + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n > MOST || m > MOST) return MOST;
    for (size_t j = 0; j <= m; j++) row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *args_nearest(const char *name, int n, const char *const *names)
{
    const char *best = NULL;
    int least = (int)strlen(name) / 3 + 2;
    for (int i = 0; i < n; i++) {
        int d = distance(name, names[i]);
        if (d < least && d < (int)strlen(name)) least = d, best = names[i];
    }
    return best;
}

/* ---- parsing -------------------------------------------------------------------------------------------------------
 */

static int unknown_option(App *a, const char *text)
{
    const char *names[OPTIONS], *near;
    for (int i = 0; i < OPTIONS; i++) names[i] = option[i].name;
    near = args_nearest(text + strspn(text, "-"), OPTIONS, names);
    if (near) return cli_error_help(a, C003_OPTION, cli_printf(a, "did you mean `--%s`?", near), text);
    return cli_error_help(a, C003_OPTION, "`tcc help COMMAND` lists a command's options", text);
}

static int take(App *a, int o, const char *shown, const char *value, int *i)
{
    if (option[o].often == FLAG) {
        if (value) return cli_error(a, C005_VALUE, option[o].name);
        value = "";
    } else if (!value) {
        if (*i + 1 >= a->argc || !strncmp(a->argv[*i + 1], "--", 2))
            return cli_error(a, C004_NO_VALUE, shown, option[o].argument);
        value = a->argv[++*i];
    }
    if (option[o].often == ONE && a->opt[o].n) return cli_error(a, C007_TWICE, shown);
    values_add(a, &a->opt[o], value);
    return OK;
}

static int long_option(App *a, const char *text, int *i)
{
    const char *name = text + 2, *eq = strchr(name, '=');
    size_t n = eq ? (size_t)(eq - name) : strlen(name);
    for (int o = 0; o < OPTIONS; o++)
        if (strlen(option[o].name) == n && !strncmp(option[o].name, name, n))
            return take(a, o, cli_printf(a, "--%s", option[o].name), eq ? eq + 1 : NULL, i);
    return unknown_option(a, cli_printf(a, "--%.*s", (int)(n < 80 ? n : 80), name));
}

static int short_options(App *a, const char *text, int *i)
{
    for (const char *s = text + 1; *s; s++) {
        int o = 0;
        while (o < OPTIONS && option[o].letter != *s) o++;
        if (o == OPTIONS) return unknown_option(a, text);
        const char *shown = cli_printf(a, "-%c", *s);
        if (option[o].often != FLAG) return take(a, o, shown, s[1] ? s + 1 : NULL, i);
        int rc = take(a, o, shown, NULL, i);
        if (rc) return rc;
    }
    return OK;
}

static bool asks_for_help(const App *a)
{
    for (int i = 1; i < a->argc && strcmp(a->argv[i], "--"); i++)
        if (!strcmp(a->argv[i], "--help") || !strcmp(a->argv[i], "-h")) return true;
    return false;
}

static int choose_command(App *a, const char *name)
{
    const char *names[COMMANDS], *near;
    for (int c = 0; c < COMMANDS; c++) {
        names[c] = command[c].name;
        if (!strcmp(name, names[c])) {
            a->command = (CommandId)c;
            /* Before its options, which are not known here either. */
            return command[c].later && !asks_for_help(a) ? cli_error(a, C002_LATER, name) : OK;
        }
    }
    near = args_nearest(name, COMMANDS, names);
    if (near) return cli_error_help(a, C001_COMMAND, cli_printf(a, "did you mean `%s`?", near), name);
    return cli_error(a, C001_COMMAND, name);
}

int args_parse(App *a)
{
    bool options = true, named = false;
    a->command = COMMANDS;
    /* What is wrong with the rest is told as --json wants it. */
    for (int i = 1; i < a->argc && strcmp(a->argv[i], "--"); i++) {
        if (!strcmp(a->argv[i], "--json")) a->json = true;
        if (!strcmp(a->argv[i], "--quiet") || !strcmp(a->argv[i], "-q")) a->quiet = true;
    }
    for (int i = 1; i < a->argc; i++) {
        const char *s = a->argv[i];
        int rc = OK;
        if (options && !strcmp(s, "--")) {
            options = false;
        } else if (options && !strncmp(s, "--", 2)) {
            rc = long_option(a, s, &i);
        } else if (options && *s == '-' && s[1]) {
            rc = short_options(a, s, &i);
        } else if (!named) {
            named = true;
            rc = choose_command(a, s);
        } else {
            values_add(a, &a->file, s);
        }
        if (rc) return rc;
    }
    if (a->command == COMMANDS || given(a, O_HELP) || given(a, O_VERSION)) return OK;
    for (int o = 0; o < OPTIONS; o++)
        if (given(a, (OptionId)o) && !(option[o].groups & (command[a->command].groups | G_ALL)))
            return cli_error(a, C006_MISPLACED, command[a->command].name, option[o].name);
    return OK;
}

int args_int(App *a, OptionId o, long lo, long hi, long *v)
{
    const char *s = value_of(a, o);
    char *end;
    if (!s) return OK;
    errno = 0;
    long x = strtol(s, &end, 10);
    if (errno || end == s || *end || x < lo || x > hi)
        return cli_error(a, C009_NUMBER, option[o].name, s, cli_printf(a, "a whole number from %ld to %ld", lo, hi));
    *v = x;
    return OK;
}

int args_real(App *a, OptionId o, double lo, double hi, double *v)
{
    const char *s = value_of(a, o);
    char *end;
    if (!s) return OK;
    double x = strtod(s, &end);
    if (end == s || *end || strpbrk(s, "xX") || !(x >= lo && x <= hi))
        return cli_error(a, C009_NUMBER, option[o].name, s, cli_printf(a, "a number from %g to %g", lo, hi));
    *v = x;
    return OK;
}

int args_wrong_files(App *a, const char *takes)
{
    const char *name = command[a->command].name, *operands = command[a->command].operands;
    const char *help = cli_printf(a, "it is written `tcc %s%s%s [OPTIONS]`; `tcc help %s` says more", name,
                                  *operands ? " " : "", operands, name);
    return cli_error_help(a, C010_FILES, help, name, takes, a->file.n);
}

int args_pair(App *a, OptionId o, const char *text, tensorcc_value *out)
{
    const char *eq = strchr(text, '=');
    if (!eq || eq == text || !eq[1]) return cli_error(a, C008_PAIR, option[o].name, text, option[o].argument);
    *out = (tensorcc_value){cli_printf(a, "%.*s", (int)(eq - text), text), eq + 1};
    return OK;
}
