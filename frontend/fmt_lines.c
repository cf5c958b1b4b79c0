/* fmt_lines.c: the lines of formatted text, for fmt.c and sched_fmt.c: tokens with the space that their language wants
 * between them, comments where they stand, long lines broken where it costs least. */
#include "frontend/fmt.h"

enum { CONTINUE = 4 };

typedef VEC(FmtPiece) Pieces;

void fmt_new_line(Formatter *m)
{
    if (!m->fresh) text_char(m->out, '\n');
    m->fresh = true;
}

void fmt_put(Formatter *m, int indent, bool gap, int i)
{
    if (m->fresh) {
        for (int k = 0; k < indent; k++) text_char(m->out, ' ');
    } else if (gap) {
        text_char(m->out, ' ');
    }
    text_addn(m->out, m->src->text + fmt_tok(m, i)->at, fmt_tok(m, i)->len);
    m->fresh = false;
}

/* Two spaces before a comment that follows something. */
void fmt_put_comment(Formatter *m, int indent, int i)
{
    if (fmt_tok(m, i)->lines > 0) fmt_new_line(m);
    if (!m->fresh) text_char(m->out, ' ');
    fmt_put(m, indent, true, i);
    fmt_new_line(m);
}

static void put_pieces(Formatter *m, const FmtPiece *p, int n, int indent)
{
    for (int i = 0; i < n; i++) fmt_put(m, indent, p[i].space, p[i].token);
}

static int64_t width(const Formatter *m, const FmtPiece *p, int n)
{
    int64_t w = 0;
    for (int i = 0; i < n; i++) w += (int64_t)fmt_tok(m, p[i].token)->len + (i > 0 && p[i].space);
    return w;
}

/* Prints pieces that no comment interrupts, from the start of a line on; each line but the very first is indented by
 * CONTINUE more. */
static void fill(Formatter *m, const FmtPiece *p, int n, int indent, bool first)
{
    int from = 0, line = first ? indent : indent + CONTINUE;
    int64_t w = line;
    for (int i = 0; i < n; i++) {
        w += (int64_t)fmt_tok(m, p[i].token)->len + (i > from && p[i].space);
        while (w > FMT_COLUMNS) {
            int best = 0;
            for (int k = from + 1; k <= i; k++)
                if (p[k].cost < FMT_NEVER && (!best || p[k].cost <= p[best].cost)) best = k;
            if (!best) break;
            put_pieces(m, p + from, best - from, line);
            fmt_new_line(m);
            from = best;
            line = indent + CONTINUE;
            w = line + width(m, p + from, i - from + 1);
        }
    }
    put_pieces(m, p + from, n - from, line);
}

/* Prints the tokens from..to (excluded) from the start of a line on, comments where they stand. */
void fmt_region(Formatter *m, int from, int to, int indent)
{
    Pieces p = {0};
    int before = -1;
    bool first = true;
    for (int i = from; i < to; i++) {
        if (!fmt_is_comment(m, i)) {
            FmtPiece piece = {i, before >= 0 && m->space(m, before, i),
                              before >= 0 ? m->cost(m, before, i) : FMT_NEVER};
            VEC_PUSH(m->mem, &p, piece);
            before = i;
            continue;
        }
        if (p.n) {
            fill(m, p.at, p.n, indent, first);
            first = false;
        }
        p.n = 0;
        fmt_put_comment(m, first ? indent : indent + CONTINUE, i);
    }
    if (p.n) fill(m, p.at, p.n, indent, first);
}

/* At the start of something that gets a line of its own: the line break, and the blank line that was there. */
void fmt_start(Formatter *m, int i, bool blank_allowed)
{
    fmt_new_line(m);
    if (blank_allowed && fmt_tok(m, i)->lines > 1 && m->out->n > m->base) text_char(m->out, '\n');
}
