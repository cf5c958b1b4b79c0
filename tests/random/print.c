/* print: a program as `.te` text. */
#include "tests/random/random.h"

#include <stdio.h>
#include <stdlib.h>

static void put_node(FILE *f, const Node *e)
{
    int part = 0;
    for (const char *s = e->text; *s; s++) {
        if (*s != '%') {
            fputc(*s, f);
        } else if (s[1] == '%') {
            fputc('%', f);
            s++;
        } else if (part < e->n)
            put_node(f, e->part[part++]);
    }
}

static void put_params(FILE *f, const Program *p, bool output)
{
    bool first = true;
    for (int i = 0; i < p->nparams; i++) {
        if (p->param[i].gone || p->param[i].output != output) continue;
        fprintf(f, "%s%s", first ? "" : ", ", p->param[i].text);
        first = false;
    }
}

char *program_text(const Program *p)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    if (!f) exit(3);
    for (int i = 0; i < p->nfns; i++) fprintf(f, "%s\n", p->fn[i]);
    fprintf(f, "op random[");
    for (int i = 0; i < p->ndims; i++) fprintf(f, "%sD%d%s", i ? ", " : "", i, p->dim_text[i]);
    fprintf(f, "%s](", p->consts);
    put_params(f, p, false);
    fprintf(f, ")\n  -> (");
    put_params(f, p, true);
    fprintf(f, p->where[0] ? ") where %s {\n" : ")%s {\n", p->where);
    for (int i = 0; i < p->nstmts; i++) {
        if (p->stmt_gone[i]) continue;
        fprintf(f, "  ");
        put_node(f, p->stmt[i]);
        fprintf(f, "\n");
    }
    fprintf(f, "}\n");
    fclose(f);
    return text;
}
