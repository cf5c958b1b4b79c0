/* mir_parse: one kernel of machine-level IR out of the text that mir_print.c writes. */
#include "codegen/g9/mir.h"

#include <stdlib.h>
#include <string.h>

typedef struct Parse {
    Arena *mem;
    MKernel *k;
    const char *p; /* in this line */
    int line;
    const char *why;
    VEC(MBlock *) block; /* by id */
} Parse;

static bool wrong(Parse *s, const char *what)
{
    if (!s->why) s->why = arena_printf(s->mem, "line %d: %s at `%.20s`", s->line, what, s->p);
    return false;
}

static bool word(Parse *s, const char *w)
{
    size_t n = strlen(w);
    while (*s->p == ' ') s->p++;
    if (strncmp(s->p, w, n) != 0) return false;
    s->p += n;
    return true;
}

static bool expect(Parse *s, const char *w)
{
    return word(s, w) || wrong(s, arena_printf(s->mem, "`%s` is missing", w));
}

static bool number(Parse *s, int64_t *v)
{
    char *end;
    *v = strtoll(s->p, &end, 0);
    if (end == s->p) return wrong(s, "a number is missing");
    s->p = end;
    return true;
}

static bool small(Parse *s, int least, int most, int *v)
{
    int64_t x;
    if (!number(s, &x)) return false;
    if (x < least || x > most) return wrong(s, "a number is out of range before");
    *v = (int)x;
    return true;
}

static const char *name(Parse *s)
{
    while (*s->p == ' ') s->p++;
    size_t n = strcspn(s->p, " :*,.[]\n");
    const char *at = s->p;
    s->p += n;
    return arena_strndup(s->mem, at, n);
}

enum { MOST_IDS = 1 << 20 };

static MBlock *block(Parse *s, int id)
{
    while (s->block.n <= id) VEC_PUSH(s->mem, &s->block, mir_block(s->k));
    return s->block.at[id];
}

/* ---- operands */
static bool predicate(Parse *s, int *p, uint8_t *negated)
{
    if (word(s, "!")) *negated = 8;
    if (word(s, "pt")) return true;
    if (!word(s, s->k->phys ? "p" : "%p")) return wrong(s, "a predicate is missing");
    if (!small(s, 0, s->k->phys ? 6 : MOST_IDS, p)) return false;
    if (*p >= s->k->npreds) s->k->npreds = *p + 1;
    return true;
}

static bool reg(Parse *s, MInst *in, int slot)
{
    if (word(s, "rz")) return true;
    if (!word(s, s->k->phys ? "r" : "%")) return wrong(s, "a register is missing");
    if (!small(s, 0, s->k->phys ? 254 : MOST_IDS, &in->r[slot])) return false;
    while (!s->k->phys && s->k->reg.n <= in->r[slot]) mir_reg(s->k, 1);
    int sub;
    if (s->k->phys || *s->p != '.') return true;
    s->p++;
    if (!small(s, 0, 3, &sub)) return false;
    in->sub[slot] = (uint8_t)sub;
    in->part |= (uint8_t)(1u << slot);
    return true;
}

static int flex_number(const IsaRow *row, const IsaOperand *o)
{
    int n = 0;
    for (const IsaOperand *p = row->operand; p != o; p++) n += p->kind == IO_FLEX;
    return n;
}

static bool flex(Parse *s, MInst *in, const IsaOperand *o)
{
    int base = flex_number(&isa_row[in->i.op], o) ? IFORM_IMM2 : IFORM_IMM, shift = 2 * (o->slot - IS_A);
    int64_t v;
    if (word(s, "-")) in->i.flag |= (uint8_t)(1u << shift);
    bool bars = word(s, "|");
    if (bars) in->i.flag |= (uint8_t)(2u << shift);
    if (word(s, "0x")) {
        s->p -= 2;
        if (!number(s, &v)) return false;
        in->i.form = (uint8_t)base;
        in->i.imm = (uint32_t)v;
    } else if (word(s, "p[") || word(s, "c[")) {
        bool constant = s->p[-2] == 'c';
        if (!number(s, &v) || !expect(s, "]")) return false;
        in->i.form = (uint8_t)(base + 2);
        in->i.imm = (uint32_t)v | (constant ? 1u << 16 : 0);
    } else if (!reg(s, in, o->slot)) {
        return false;
    }
    return !bars || expect(s, "|");
}

static bool special(Parse *s, MInst *in)
{
    while (*s->p == ' ') s->p++;
    size_t n = strcspn(s->p, " ,\n");
    for (int i = 0; i < ISR_COUNT; i++)
        if (strlen(isa_sreg[i].name) == n && !memcmp(isa_sreg[i].name, s->p, n)) {
            in->i.imm = (uint32_t)i;
            s->p += n;
            return true;
        }
    return wrong(s, "no such special register");
}

static bool address(Parse *s, MInst *in, const IsaOperand *o)
{
    int64_t v = 0;
    if (!expect(s, "[") || !reg(s, in, o->slot)) return false;
    if ((*s->p == '+' || *s->p == '-') && !number(s, &v)) return false;
    if (o->kind == IO_GLOBALH)
        in->i.imm = (in->i.imm & 0xffff) | (uint32_t)v << 16;
    else if (o->kind == IO_SHAREDD)
        in->i.imm = (in->i.imm & 0xffff0000) | ((uint32_t)v & 0xffff);
    else
        in->i.imm = (uint32_t)v;
    if (*s->p == ']') {
        s->p++;
        return true;
    }
    return wrong(s, "`]` is missing");
}

static bool operand(Parse *s, MInst *in, const IsaOperand *o)
{
    int n;
    int64_t v;
    while (*s->p == ' ') s->p++;
    switch (o->kind) {
    case IO_PRED:
    case IO_PREDS: return predicate(s, &in->p[o->slot], &in->i.p[o->slot]);
    case IO_BARRIER:
        if (!expect(s, "b") || !small(s, 0, 15, &n)) return false;
        in->i.r[o->slot] = (uint8_t)n;
        return true;
    case IO_SREG:
    case IO_USREG: return special(s, in);
    case IO_NUMBER:
        if (!small(s, 0, 255, &n)) return false;
        in->i.number = (uint8_t)n;
        return true;
    case IO_IMM32:
        if (!number(s, &v)) return false;
        in->i.imm = (uint32_t)v;
        return true;
    case IO_TARGET:
        if (!expect(s, "B") || !small(s, 0, MOST_IDS, &in->target)) return false;
        block(s, in->target);
        return true;
    case IO_FLEX: return flex(s, in, o);
    case IO_REG: return flex(s, in, o);
    default: return address(s, in, o);
    }
}

/* ---- lines */
/* One modifier of the group at the cursor, with its dot. */
static bool modifier(Parse *s, IsaGroup g, uint16_t *code)
{
    size_t n = *s->p == '.' ? strcspn(s->p + 1, ". \n") : 0;
    const char *w = s->p + 1;
    int m, k, nn, most = g == IG_TYPE ? IT_COUNT : isa_group[g].nwords;
    if (g == IG_SHAPE) {
        if (!expect(s, ".m") || !small(s, 0, 64, &m) || !expect(s, "n") || !small(s, 0, 256, &nn) || !expect(s, "k") ||
            !small(s, 0, 512, &k))
            return false;
        int shape = isa_shape_code((IsaShape){m, nn, k});
        *code = (uint16_t)shape;
        return shape >= 0 || wrong(s, "no such shape");
    }
    for (int i = 0; i < most && n; i++) {
        const char *is = g == IG_TYPE ? isa_type[i].name : isa_group[g].word[i];
        if (strlen(is) != n || memcmp(is, w, n) != 0) continue;
        *code = (uint16_t)i;
        s->p += n + 1;
        return true;
    }
    return (g != IG_TYPE && !*isa_group[g].word[0]) || wrong(s, "a modifier is missing");
}

static bool instruction(Parse *s, int line)
{
    int guard = M_NONE;
    uint8_t no = 0;
    if (word(s, "@") && !predicate(s, &guard, &no)) return false;
    const char *mnemonic = name(s);
    int op = isa_find(mnemonic, strlen(mnemonic));
    if (op < 0) return wrong(s, "no such instruction before");
    if (!s->k->layout.n) return wrong(s, "an instruction stands outside of a block");
    MInst in = mir_inst((IsaOp)op);
    in.guard = guard;
    in.i.guard = no;
    in.line = line;
    const IsaRow *row = &isa_row[op];
    for (int i = 0; row->mod[i].group; i++)
        if (!modifier(s, (IsaGroup)row->mod[i].group, &in.i.mod[i])) return false;
    for (const IsaOperand *o = row->operand; o->kind; o++)
        if ((o != row->operand && !expect(s, ",")) || !operand(s, &in, o)) return false;
    VEC_PUSH(s->mem, &s->k->layout.at[s->k->layout.n - 1]->in, in);
    return true;
}

static bool head(Parse *s)
{
    int64_t local, shared;
    if (!expect(s, "kernel")) return false;
    s->k = mir_kernel(s->mem, name(s));
    if (!expect(s, "block ") || !small(s, 1, 65536, &s->k->block) || !expect(s, "local ") || !number(s, &local) ||
        !expect(s, "shared ") || !number(s, &shared))
        return false;
    s->k->local = (uint32_t)local;
    s->k->shared = (uint32_t)shared;
    s->k->phys = word(s, "allocated");
    return expect(s, "{");
}

static bool param(Parse *s)
{
    int64_t at;
    MParam p = {.name = name(s)};
    if (!expect(s, ":")) return false;
    const char *type = name(s);
    while (p.type < IT_COUNT && strcmp(isa_type[p.type].name, type) != 0) p.type++;
    if (p.type == IT_COUNT) return wrong(s, "no such type before");
    p.pointer = word(s, "*");
    if (!expect(s, "at ") || !number(s, &at)) return false;
    p.offset = (uint32_t)at;
    if (p.offset + 8 > s->k->param_bytes) s->k->param_bytes = p.offset + 8;
    VEC_PUSH(s->mem, &s->k->param, p);
    return true;
}

static bool wide(Parse *s)
{
    int r, w;
    do {
        if (!expect(s, "%") || !small(s, 0, MOST_IDS, &r) || !expect(s, ":") || !small(s, 2, 4, &w)) return false;
        while (s->k->reg.n <= r) mir_reg(s->k, 1);
        s->k->reg.at[r].width = (uint8_t)w;
    } while (word(s, ","));
    return true;
}

static bool line(Parse *s, int *source)
{
    int id;
    if (word(s, "param ")) return param(s);
    if (word(s, "wide ")) return wide(s);
    if (word(s, "line ")) return small(s, 1, INT32_MAX, source);
    if (*s->p == 'B') {
        s->p++;
        if (!small(s, 0, MOST_IDS, &id) || !expect(s, ":")) return false;
        mir_place(s->k, block(s, id));
        return true;
    }
    return instruction(s, *source);
}

MKernel *mir_parse(Arena *mem, const char *text, const char **why)
{
    Parse s = {.mem = mem, .line = 1, .p = text};
    int source = 0;
    bool ok = head(&s), closed = false;
    for (const char *nl = strchr(text, '\n'); ok && !closed && nl; nl = strchr(nl + 1, '\n')) {
        const char *end = strchr(nl + 1, '\n');
        s.line++;
        if (!end) break;
        s.p = arena_strndup(mem, nl + 1, (size_t)(end - nl - 1));
        closed = word(&s, "}");
        if (!closed && *s.p) ok = line(&s, &source);
        while (*s.p == ' ') s.p++;
        if (ok && *s.p) ok = wrong(&s, "more than a line should hold");
    }
    if (ok && !closed) wrong(&s, "`}` is missing");
    *why = s.why;
    return s.why ? NULL : s.k;
}
