/* fmt.h: what the formatters of `.te` (fmt.c) and `.sched` (sched_fmt.c) share. */
#ifndef TCC_FRONTEND_FMT_H
#define TCC_FRONTEND_FMT_H

#include "frontend/lex.h"

/* FMT_LEVEL: what one level of brackets adds to the cost of breaking a line. */
enum { FMT_COLUMNS = 100, FMT_NEVER = 1 << 30, FMT_LEVEL = 16 };

/* A token, and what may stand between it and the one before. */
typedef struct FmtPiece {
    int token;
    bool space;
    int cost; /* of breaking the line before it: lower is better; FMT_NEVER */
} FmtPiece;

typedef struct Formatter Formatter;
struct Formatter {
    Text *out;
    const Source *src;
    const Token *token;
    int ntokens;
    Arena *mem;
    /* The language's rules for two neighbours of one line. */
    bool (*space)(const Formatter *m, int before, int i);
    int (*cost)(const Formatter *m, int before, int i);
    uint8_t *tight; /* per token: arithmetic is tight here; for a comma: no space after it */
    int *depth;     /* per token: brackets around it */
    bool fresh;     /* nothing is on the current line */
    bool in_header;
    size_t base; /* where out began */
};

static inline const Token *fmt_tok(const Formatter *m, int i) { return &m->token[i]; }
static inline bool fmt_is_comment(const Formatter *m, int i) { return m->token[i].kind == T_COMMENT; }

void fmt_new_line(Formatter *m);
/* One token, indented where it starts a line, else after a space where `gap`. */
void fmt_put(Formatter *m, int indent, bool gap, int i);
/* Two spaces before a comment that follows something. */
void fmt_put_comment(Formatter *m, int indent, int i);
/* The tokens from..to (excluded) from the start of a line on, comments where they stand. */
void fmt_region(Formatter *m, int from, int to, int indent);
/* At the start of something that gets a line of its own: the line break, and the blank line that was there. */
void fmt_start(Formatter *m, int i, bool blank_allowed);

#endif
