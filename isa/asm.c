/* asm: assembler text to a module. Line by line; labels of a kernel are resolved at its end. docs/isa.md has the
 * grammar.
 *
 * Relies on print.c writing what this reads: text → bits → text is the identity on what isa_print_module gives. */
#include "isa/isa_priv.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MOST = 10000000, BANK_MOST = 65536, SHARED_MOST = (1 << 24) - 1, LABELS_HASH = 1024 };

typedef struct Fixup {
    uint32_t at; /* instruction of the kernel */
    const char *name;
    int line, column, length;
} Fixup;

typedef struct Named {
    const char *name;
    int64_t value;
} Named;

typedef struct LabelEntry {
    struct LabelEntry *next;
    const char *name;
    uint32_t at;
} LabelEntry;

typedef struct Asm {
    IsaMem *mem;
    IsaErrors *e;
    const char *name;
    const char *start, *p, *end; /* of this line */
    int line;
    IsaModule *m;
    IsaKernel *k; /* NULL before the first */
    int kernels_cap, code_cap, files_cap, consts_cap, plan_cap;
    int params_cap, labels_cap, vars_cap, lines_cap, ninsts;
    bool own_lines, own_registers, own_uregisters, hash_given;
    int nfixups, fixups_cap, nequs, equs_cap, warp;
    Fixup *fixup;
    Named *equ;
    LabelEntry *label[LABELS_HASH];
    uint32_t shared_end;
} Asm;

/* ---- characters
 * ------------------------------------------------------------------------------------------------------ */

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name(char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '$'; }

static void blanks(Asm *a)
{
    while (a->p < a->end && (*a->p == ' ' || *a->p == '\t' || *a->p == '\r')) a->p++;
    if (a->p < a->end && *a->p == '#') a->p = a->end;
}

static bool at_end(Asm *a)
{
    blanks(a);
    return a->p == a->end;
}

static bool take(Asm *a, char c)
{
    blanks(a);
    if (a->p == a->end || *a->p != c) return false;
    a->p++;
    return true;
}

static int column(const Asm *a, const char *at) { return (int)(at - a->start) + 1; }

/* What stands at the cursor, for a message. */
static const char *found(Asm *a, int *length)
{
    blanks(a);
    const char *s = a->p;
    if (s == a->end) return *length = 1, "the end of the line";
    while (s < a->end && is_name(*s) && s - a->p < 40) s++;
    if (s == a->p) s++;
    *length = (int)(s - a->p);
    char *t = isa_alloc(a->mem, (size_t)*length + 3);
    snprintf(t, (size_t)*length + 3, "`%.*s`", *length, a->p);
    for (char *c = t; *c; c++)
        if ((unsigned char)*c < 32 || (unsigned char)*c > 126) *c = '?';
    return t;
}

static bool expected(Asm *a, const char *what)
{
    int length;
    const char *f = found(a, &length);
    isa_error(a->e, IE_G003_EXPECTED, a->line, column(a, a->p), length, what, f);
    return false;
}

static bool expect(Asm *a, char c, const char *what) { return take(a, c) || expected(a, what); }

static char *name(Asm *a, const char *what)
{
    blanks(a);
    const char *s = a->p;
    if (s == a->end || !is_letter(*s)) return expected(a, what), NULL;
    while (s < a->end && is_name(*s)) s++;
    char *n = isa_strndup(a->mem, a->p, (size_t)(s - a->p));
    a->p = s;
    return n;
}

static bool word(Asm *a, const char *w)
{
    blanks(a);
    size_t n = strlen(w);
    if ((size_t)(a->end - a->p) < n || memcmp(a->p, w, n) || (a->p + n < a->end && is_name(a->p[n]))) return false;
    a->p += n;
    return true;
}

/* ---- numbers
 * --------------------------------------------------------------------------------------------------------- */

typedef struct Number {
    bool is_float, hex;
    int64_t i;
    uint64_t u; /* of an integer without a sign */
    double d;
    float f;
    const char *at;
    int length;
} Number;

static bool literal(Asm *a, Number *out)
{
    blanks(a);
    char buffer[80];
    const char *s = a->p;
    bool minus = s < a->end && *s == '-';
    s += minus || (s < a->end && *s == '+');
    bool hex = a->end - s > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    const char *from = s;
    while (s < a->end && (is_digit(*s) || is_letter(*s) || *s == '.' ||
                          (!hex && (*s == '-' || *s == '+') && (s[-1] == 'e' || s[-1] == 'E'))))
        s++;
    size_t n = (size_t)(s - a->p);
    *out = (Number){.hex = hex, .at = a->p, .length = (int)n};
    if (from == s || !(is_digit(*from) || *from == '.') || n >= sizeof buffer) return expected(a, "a number");
    memcpy(buffer, a->p, n);
    buffer[n] = 0;
    char *stop;
    out->is_float = !hex && strpbrk(buffer, ".eE") != NULL;
    out->d = strtod(buffer, &stop);
    out->f = strtof(buffer, NULL);
    if (!out->is_float) {
        const char *digits = buffer + (from - a->p);
        out->u = strtoull(digits, &stop, hex ? 16 : 10);
        bool big = strlen(digits) > (hex ? 18u : 19u);
        if (big) stop = buffer + n + 1;
        out->i = minus ? (int64_t)(0 - out->u) : (int64_t)out->u;
    }
    if (stop != buffer + n) {
        isa_error(a->e, IE_G017_NUMBER, a->line, column(a, a->p), (int)n, buffer);
        return false;
    }
    a->p = s;
    return true;
}

static bool out_of_range(Asm *a, const Number *n, const char *range)
{
    char *t = isa_strndup(a->mem, n->at, (size_t)n->length);
    isa_error(a->e, IE_G009_RANGE, a->line, column(a, n->at), n->length, t, range);
    return false;
}

static bool find_value(Asm *a, const char *s, int64_t *out)
{
    for (int i = a->nequs - 1; i >= 0; i--)
        if (!strcmp(a->equ[i].name, s)) return *out = a->equ[i].value, true;
    for (int i = 0; a->k && i < a->k->nvars; i++)
        if (!strcmp(a->k->var[i].name, s)) return *out = a->k->var[i].offset, true;
    return false;
}

/* NUMBER, or a name of a value with an offset. */
static bool integer(Asm *a, int64_t least, int64_t most, const char *range, int64_t *out)
{
    blanks(a);
    Number n = {0};
    const char *at = a->p;
    if (a->p < a->end && is_letter(*a->p)) {
        char *s = name(a, "a number");
        int64_t v, more = 0;
        if (!find_value(a, s, &v)) {
            isa_error(a->e, IE_G012_NAME, a->line, column(a, at), (int)strlen(s), s);
            return false;
        }
        blanks(a);
        if (a->p < a->end && (*a->p == '+' || *a->p == '-')) {
            if (!literal(a, &n)) return false;
            more = n.i;
        }
        n = (Number){.at = at, .length = (int)(a->p - at)};
        if (__builtin_add_overflow(v, more, &n.i)) return out_of_range(a, &n, range);
    } else if (!literal(a, &n)) {
        return false;
    }
    if (n.is_float) {
        a->p = at;
        return expected(a, "an integer");
    }
    if (n.i < least || n.i > most) return out_of_range(a, &n, range);
    *out = n.i;
    return true;
}

static char *string(Asm *a)
{
    if (!expect(a, '"', "a text in quotes")) return NULL;
    char *s = isa_alloc(a->mem, (size_t)(a->end - a->p) + 1), *to = s;
    while (a->p < a->end && *a->p != '"') {
        unsigned x;
        if (*a->p == '\\' && a->end - a->p >= 4 && a->p[1] == 'x' &&
            sscanf((char[3]){a->p[2], a->p[3], 0}, "%2x", &x) == 1 && x) {
            *to++ = (char)x;
            a->p += 4;
        } else {
            *to++ = *a->p++;
        }
    }
    if (a->p == a->end) return expected(a, "`\"`"), NULL;
    a->p++;
    return s;
}

/* ---- registers
 * --------------------------------------------------------------------------------------------------------- */

enum { FILE_NONE, FILE_R, FILE_UR, FILE_P, FILE_B };

/* A register at the cursor: its file and number. FILE_NONE: there is none (the cursor stays). */
static int register_at(Asm *a, int *number)
{
    static const struct {
        const char *prefix, *none;
        int file, most, none_is;
    } files[] = {{"ur", "urz", FILE_UR, 62, ISA_URZ},
                 {"r", "rz", FILE_R, 254, ISA_RZ},
                 {"p", "pt", FILE_P, 6, ISA_PT},
                 {"b", NULL, FILE_B, 15, -1}};
    blanks(a);
    const char *s = a->p;
    while (s < a->end && is_name(*s)) s++;
    size_t n = (size_t)(s - a->p);
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        size_t k = strlen(files[f].prefix);
        if (files[f].none && n == strlen(files[f].none) && !memcmp(a->p, files[f].none, n)) {
            *number = files[f].none_is;
            a->p = s;
            return files[f].file;
        }
        if (n <= k || n > k + 3 || memcmp(a->p, files[f].prefix, k)) continue;
        int v = 0;
        bool digits = true;
        for (size_t i = k; i < n; i++) digits &= is_digit(a->p[i]), v = v * 10 + (a->p[i] - '0');
        if (!digits || (a->p[k] == '0' && n > k + 1)) continue;
        if (v > files[f].most) {
            isa_error(a->e, IE_G007_REGISTER, a->line, column(a, a->p), (int)n, isa_strndup(a->mem, a->p, n));
            v = 0;
        }
        *number = v;
        a->p = s;
        return files[f].file;
    }
    return FILE_NONE;
}

static bool want(Asm *a, int file, const char *what, int *number)
{
    const char *at = a->p;
    int f = register_at(a, number);
    if (f == file) return true;
    a->p = at;
    return expected(a, what);
}

/* ---- operands
 * -------------------------------------------------------------------------------------------------------------- */

static int operand_type(const IsaInst *in, const IsaOperand *o)
{
    return o->width == IW_T ? isa_type_of(in, 0) : o->width == IW_T2 ? isa_type_of(in, 1) : -1;
}

static bool use_form(Asm *a, IsaInst *in, const IsaOperand *o, int form)
{
    if (in->form) {
        isa_error(a->e, IE_G016_FLEX, a->line, column(a, a->p), 1);
        return false;
    }
    const IsaOperand *first = isa_row[in->op].operand;
    while (first->kind != IO_FLEX && first->kind != IO_UFLEX) first++;
    in->form = (uint8_t)(first == o ? form : form + 3);
    return true;
}

static bool immediate(Asm *a, IsaInst *in, const IsaOperand *o)
{
    int t = operand_type(in, o);
    bool is_float = t >= 0 && isa_type[t].cls == 'F', wide = t >= 0 && isa_type[t].bits == 64,
         single = t == IT_F32 || t == IT_TF32;
    if (!use_form(a, in, o, IFORM_IMM)) return false;
    blanks(a);
    if (is_float && a->p < a->end && !is_letter(*a->p)) {
        Number n;
        if (!literal(a, &n)) return false;
        if (n.hex) {
            if (n.i < 0 || n.i > UINT32_MAX) return out_of_range(a, &n, "32 bits");
            in->imm = (uint32_t)n.i;
            return true;
        }
        if (single) {
            memcpy(&in->imm, &n.f, 4);
            return true;
        }
        if (t == IT_F64) {
            uint64_t bits;
            memcpy(&bits, &n.d, 8);
            if ((uint32_t)bits) return out_of_range(a, &n, "the doubles whose lower 32 bits are 0");
            in->imm = (uint32_t)(bits >> 32);
            return true;
        }
        return out_of_range(a, &n, "what is written as a number here: give the bits, as 0x…");
    }
    int64_t v = 0;
    bool ok = wide ? integer(a, INT32_MIN, INT32_MAX, "-2147483648..2147483647", &v)
                   : integer(a, INT32_MIN, UINT32_MAX, "-2147483648..4294967295", &v);
    in->imm = (uint32_t)v;
    return ok;
}

static bool bank(Asm *a, IsaInst *in, const IsaOperand *o, bool constants)
{
    a->p += 2;
    if (!use_form(a, in, o, IFORM_BANK)) return false;
    blanks(a);
    int64_t offset = 0, base = 0;
    if (a->p < a->end && is_letter(*a->p)) {
        const char *at = a->p;
        char *s = name(a, "a name");
        bool known = false;
        for (int i = 0; !constants && a->k && i < a->k->nparams; i++)
            if (!strcmp(a->k->param[i].name, s)) base = a->k->param[i].offset, known = true;
        for (int i = 0; constants && i < a->m->nconsts; i++)
            if (!strcmp(a->m->constant[i].name, s)) base = a->m->constant[i].offset, known = true;
        if (!known) {
            isa_error(a->e, IE_G012_NAME, a->line, column(a, at), (int)strlen(s), s);
            isa_error_help(a->e, constants ? "constants are defined by `.const`"
                                           : "parameters are defined by `.param`, before they are used");
            return false;
        }
        blanks(a);
        if (a->p < a->end && *a->p == '+') {
            a->p++;
            if (!integer(a, 0, BANK_MOST - 4, "0..65532", &offset)) return false;
        }
    } else if (!integer(a, 0, BANK_MOST - 4, "0..65532", &offset)) {
        return false;
    }
    offset += base;
    if (offset > BANK_MOST - 4 || offset & 3) {
        isa_error(a->e, IE_G009_RANGE, a->line, column(a, a->p), 1, "the offset", "the multiples of 4 up to 65532");
        return false;
    }
    in->imm = (uint32_t)offset | (uint32_t)constants << 16;
    return expect(a, ']', "`]`");
}

static bool flexible(Asm *a, IsaInst *in, const IsaOperand *o)
{
    bool uniform = o->kind == IO_UREG || o->kind == IO_UFLEX, flex = o->kind == IO_FLEX || o->kind == IO_UFLEX;
    const char *what = o->kind == IO_REG    ? "a register"
                       : o->kind == IO_UREG ? "a uniform register"
                                            : "a register, an immediate, p[…] or c[…]";
    int shift = 2 * (o->slot - IS_A), number;
    blanks(a);
    const char *at = a->p;
    if (flex && a->end - a->p > 2 && (*a->p == 'p' || *a->p == 'c') && a->p[1] == '[')
        return bank(a, in, o, *a->p == 'c');
    bool negative = a->end - a->p > 1 && *a->p == '-' && !is_digit(a->p[1]) && a->p[1] != '.';
    if (negative) {
        if (!(o->flags & IOF_NEG)) return expected(a, what);
        in->flag |= (uint8_t)(1 << shift);
        a->p++;
    }
    blanks(a);
    bool absolute = a->p < a->end && *a->p == '|';
    if (absolute) {
        if (!(o->flags & IOF_ABS)) return expected(a, what);
        in->flag |= (uint8_t)(2 << shift);
        a->p++;
    }
    int file = register_at(a, &number);
    if (file == FILE_R || file == FILE_UR) {
        bool other = (file == FILE_UR) != uniform;
        if (other && !(o->kind == IO_FLEX && file == FILE_UR)) {
            a->p = at;
            return expected(a, what);
        }
        if (other && !use_form(a, in, o, IFORM_UREG)) return false;
        in->r[o->slot] = (uint8_t)number;
        return !absolute || expect(a, '|', "`|`");
    }
    if (negative || absolute) {
        bool banked = flex && a->end - a->p > 2 && (*a->p == 'p' || *a->p == 'c') && a->p[1] == '[';
        if (!banked) return expected(a, "a register");
        return bank(a, in, o, *a->p == 'c') && (!absolute || expect(a, '|', "`|`"));
    }
    if (file != FILE_NONE || !flex) {
        a->p = at;
        return expected(a, what);
    }
    return immediate(a, in, o);
}

static bool address(Asm *a, IsaInst *in, const IsaOperand *o)
{
    bool based = o->kind == IO_GLOBAL || o->kind == IO_GLOBALH || o->kind == IO_SHARED,
         half = o->kind == IO_SHAREDD || o->kind == IO_GLOBALH;
    bool seen = false, any = false;
    int64_t offset = 0;
    if (!expect(a, '[', "an address: `[`")) return false;
    in->r[o->slot] = ISA_RZ;
    for (bool first = true;; first = false) {
        blanks(a);
        int number;
        const char *at = a->p;
        bool minus = !first && a->p < a->end && *a->p == '-';
        if (!first && !minus && !take(a, '+')) break;
        const char *term = a->p;
        int file = minus ? FILE_NONE : register_at(a, &number);
        if (file == FILE_R && !seen) {
            in->r[o->slot] = (uint8_t)number;
            seen = true;
        } else if (file == FILE_UR && based && !any && !seen) {
            in->r[IS_B] = (uint8_t)number;
        } else if (file != FILE_NONE) {
            a->p = term;
            return expected(a, based ? "[ur+r+offset]" : "[r+offset]");
        } else {
            int64_t v;
            a->p = minus ? at : term;
            bool ok = half ? integer(a, -32768, 32767, "-32768..32767", &v)
                           : integer(a, INT32_MIN, INT32_MAX, "-2147483648..2147483647", &v);
            if (!ok) return false;
            offset += v;
        }
        any = true;
    }
    if (offset < (half ? -32768 : INT32_MIN) || offset > (half ? 32767 : INT32_MAX)) {
        isa_error(a->e, IE_G009_RANGE, a->line, column(a, a->p), 1, "the offset",
                  half ? "-32768..32767" : "-2147483648..2147483647");
        return false;
    }
    if (o->kind == IO_SHAREDD)
        in->imm |= (uint32_t)offset & 0xffff;
    else if (o->kind == IO_GLOBALH)
        in->imm |= (uint32_t)offset << 16;
    else
        in->imm = (uint32_t)offset;
    return expect(a, ']', "`]`");
}

static bool special(Asm *a, IsaInst *in)
{
    blanks(a);
    const char *at = a->p;
    char *s = name(a, "a special register");
    if (!s) return false;
    for (int i = 0; i < ISR_COUNT; i++)
        if (!strcmp(isa_sreg[i].name, s)) return in->imm = (uint32_t)i, true;
    isa_error(a->e, IE_G012_NAME, a->line, column(a, at), (int)strlen(s), s);
    return false;
}

static bool target(Asm *a, IsaInst *in)
{
    blanks(a);
    const char *at = a->p;
    if (a->end - a->p > 1 && *a->p == '.' && (a->p[1] == '+' || a->p[1] == '-')) {
        int64_t v;
        a->p++;
        if (!integer(a, INT32_MIN, INT32_MAX, "-2147483648..2147483647", &v)) return false;
        in->imm = (uint32_t)v;
        return true;
    }
    char *s = name(a, "a label");
    if (!s) return false;
    Fixup f = {(uint32_t)a->k->count, s, a->line, column(a, at), (int)strlen(s)};
    ISA_PUSH(a->mem, a->fixup, a->nfixups, a->fixups_cap, f);
    return true;
}

static bool operand(Asm *a, IsaInst *in, const IsaOperand *o)
{
    int number;
    int64_t v;
    switch (o->kind) {
    case IO_PRED:
        if (!want(a, FILE_P, "a predicate", &number)) return false;
        in->p[o->slot] = (uint8_t)number;
        return true;
    case IO_PREDS: {
        bool not = take(a, '!');
        if (!want(a, FILE_P, "a predicate", &number)) return false;
        in->p[o->slot] = (uint8_t)(number | not << 3);
        return true;
    }
    case IO_BARRIER:
        if (!want(a, FILE_B, "a barrier register", &number)) return false;
        in->r[o->slot] = (uint8_t)number;
        return true;
    case IO_NUMBER: {
        char range[16];
        snprintf(range, sizeof range, "0..%d", (1 << o->bits) - 1);
        if (!integer(a, 0, (1 << o->bits) - 1, range, &v)) return false;
        in->number = (uint8_t)v;
        return true;
    }
    case IO_IMM32:
        if (!integer(a, 0, UINT32_MAX, "0..4294967295", &v)) return false;
        in->imm = (uint32_t)v;
        return true;
    case IO_SREG:
    case IO_USREG: return special(a, in);
    case IO_TARGET: return target(a, in);
    case IO_REG:
    case IO_FLEX:
    case IO_UREG:
    case IO_UFLEX: return flexible(a, in, o);
    default: return address(a, in, o);
    }
}

/* ---- instructions
 * -------------------------------------------------------------------------------------------------------------- */

static const char *mnemonic_of(int i) { return isa_row[i].name; }

static bool match(const IsaMod *m, const char *s, size_t n, uint16_t *code)
{
    char text[24];
    if (n >= sizeof text) return false;
    memcpy(text, s, n);
    text[n] = 0;
    if (m->group == IG_SHAPE) {
        IsaShape sh;
        int used = 0;
        if (sscanf(text, "m%2dn%3dk%3d%n", &sh.m, &sh.n, &sh.k, &used) != 3 || text[used] || isa_shape_code(sh) < 0)
            return false;
        *code = (uint16_t)isa_shape_code(sh);
        return true;
    }
    int count = m->group == IG_TYPE ? IT_COUNT : isa_group[m->group].nwords;
    for (int i = 0; i < count; i++) {
        const char *w = m->group == IG_TYPE ? isa_type[i].name : isa_group[m->group].word[i];
        if (*w && !strcmp(w, text) && (m->allowed >> i & 1)) return *code = (uint16_t)i, true;
    }
    return false;
}

static bool needed(const IsaMod *m)
{
    return m->group == IG_TYPE || m->group == IG_SHAPE || *isa_group[m->group].word[0];
}

static const char *need_name(const IsaMod *m)
{
    return m->group == IG_TYPE ? "a type" : m->group == IG_SHAPE ? "a shape, such as m16n8k16" : "a modifier";
}

/* The words that a group takes, for help. */
static void help_words(Asm *a, const IsaMod *m)
{
    IsaText t = {0};
    int count = m->group == IG_TYPE ? IT_COUNT : isa_group[m->group].nwords;
    for (int i = 0; i < count; i++) {
        const char *w = m->group == IG_TYPE ? isa_type[i].name : isa_group[m->group].word[i];
        if (*w && (m->allowed >> i & 1)) isa_text(&t, "%s%s", t.n ? ", " : "", w);
    }
    if (t.n) isa_error_help(a->e, "one of %s", t.s);
    isa_text_free(&t);
}

static bool modifiers(Asm *a, IsaInst *in, const char *mnemonic)
{
    const IsaRow *row = &isa_row[in->op];
    int next = 0;
    while (a->p < a->end && *a->p == '.') {
        const char *s = ++a->p;
        while (a->p < a->end && (is_letter(*a->p) || is_digit(*a->p))) a->p++;
        size_t n = (size_t)(a->p - s);
        int i = next;
        while (row->mod[i].group && !match(&row->mod[i], s, n, &in->mod[i])) {
            if (needed(&row->mod[i])) break;
            i++;
        }
        if (!row->mod[i].group || !match(&row->mod[i], s, n, &in->mod[i])) {
            isa_error(a->e, IE_G005_MODIFIER, a->line, column(a, s), (int)n, row->name, isa_strndup(a->mem, s, n));
            if (row->mod[i].group && row->mod[i].group != IG_SHAPE) help_words(a, &row->mod[i]);
            return false;
        }
        next = i + 1;
    }
    for (; row->mod[next].group; next++)
        if (needed(&row->mod[next])) {
            isa_error(a->e, IE_G006_MISSING, a->line, column(a, mnemonic), (int)(a->p - mnemonic), row->name,
                      need_name(&row->mod[next]));
            if (row->mod[next].group != IG_SHAPE) help_words(a, &row->mod[next]);
            return false;
        }
    return true;
}

static bool hints(Asm *a, IsaInst *in)
{
    if (!take(a, '{')) return true;
    do {
        int64_t v;
        if (word(a, "stall")) {
            if (!integer(a, 1, 15, "1..15", &v)) return false;
            in->stall = (uint8_t)v;
        } else if (word(a, "wait")) {
            if (!integer(a, 1, 7, "1..7", &v)) return false;
            in->wait = (uint8_t)v;
        } else {
            return expected(a, "stall or wait");
        }
    } while (take(a, ','));
    return expect(a, '}', "`}`");
}

/* Source predicates at the end are pt when left out, and a barrier's count is all threads. */
static bool may_miss(const IsaInst *in, const IsaOperand *o)
{
    return o->kind == IO_PREDS || (in->op == G9_BAR && o->kind == IO_FLEX);
}

static bool operands(Asm *a, IsaInst *in)
{
    for (const IsaOperand *o = isa_row[in->op].operand; o->kind; o++) {
        blanks(a);
        bool last = a->p == a->end || *a->p == '{';
        if (last && may_miss(in, o)) {
            if (o->kind == IO_FLEX) in->r[o->slot] = ISA_RZ;
            continue;
        }
        if (o != isa_row[in->op].operand && !expect(a, ',', "`,`")) return false;
        if (!operand(a, in, o)) return false;
    }
    return true;
}

static void line_entry(Asm *a, uint16_t file, uint32_t line)
{
    IsaKernel *k = a->k;
    if (k->nlines && k->line[k->nlines - 1].at == k->count) k->nlines--;
    if (k->nlines && k->line[k->nlines - 1].line == line && k->line[k->nlines - 1].file == file) return;
    IsaLine l = {k->count, line, file};
    ISA_PUSH(a->mem, k->line, k->nlines, a->lines_cap, l);
}

static int file_number(Asm *a, const char *file)
{
    for (int i = a->m->nfiles - 1; i >= 0; i--)
        if (!strcmp(a->m->file[i], file)) return i;
    if (a->m->nfiles == 65535) return -1;
    ISA_PUSH(a->mem, a->m->file, a->m->nfiles, a->files_cap, isa_strndup(a->mem, file, strlen(file)));
    return a->m->nfiles - 1;
}

static bool instruction(Asm *a)
{
    const char *first = a->p, *s;
    int guard = ISA_PT;
    if (!a->k) {
        isa_error(a->e, IE_G014_OUTSIDE, a->line, column(a, a->p), 1, "an instruction");
        return false;
    }
    if (take(a, '@')) {
        bool not = take(a, '!');
        if (!want(a, FILE_P, "a predicate", &guard)) return false;
        guard |= not << 3;
        blanks(a);
    }
    for (s = a->p; s < a->end && (is_letter(*s) || is_digit(*s)); s++) {}
    if (s == a->p) return expected(a, "an instruction");
    int op = isa_find(a->p, (size_t)(s - a->p));
    if (op < 0) {
        char *n = isa_strndup(a->mem, a->p, (size_t)(s - a->p));
        isa_error(a->e, IE_G004_MNEMONIC, a->line, column(a, a->p), (int)(s - a->p), n);
        const char *meant = isa_closest(n, strlen(n), G9_COUNT, mnemonic_of);
        if (meant) isa_error_help(a->e, "`%s` is near", meant);
        return false;
    }
    IsaInst in = isa_inst((IsaOp)op);
    in.guard = (uint8_t)guard;
    const char *mnemonic = a->p, *why = "";
    a->p = s;
    if (!modifiers(a, &in, mnemonic) || !operands(a, &in) || !hints(a, &in)) return false;
    if (!at_end(a)) return expected(a, "the end of the line");
    IsaBits bits;
    if (!isa_encode(&in, &bits, &why)) {
        isa_error(a->e, IE_G015_ENCODE, a->line, column(a, first), (int)(a->p - first), why);
        return false;
    }
    if (a->k->count == UINT32_MAX / 64) {
        isa_error(a->e, IE_G018_TOO_MANY, a->line, 1, 1, "instructions");
        return false;
    }
    if (!a->own_lines) {
        int file = file_number(a, a->name);
        if (file >= 0) line_entry(a, (uint16_t)file, (uint32_t)a->line);
    }
    ISA_PUSH(a->mem, a->m->code, a->ninsts, a->code_cap, bits);
    a->k->count++;
    return true;
}

/* ---- labels
 * ----------------------------------------------------------------------------------------------------------------------
 */

static unsigned hash_name(const char *s)
{
    unsigned h = 2166136261u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 16777619u;
    return h % LABELS_HASH;
}

static LabelEntry *find_label(Asm *a, const char *s)
{
    for (LabelEntry *l = a->label[hash_name(s)]; l; l = l->next)
        if (!strcmp(l->name, s)) return l;
    return NULL;
}

static bool label(Asm *a, char *s, const char *at)
{
    if (!a->k) {
        isa_error(a->e, IE_G014_OUTSIDE, a->line, column(a, at), (int)strlen(s), "a label");
        return false;
    }
    if (find_label(a, s)) {
        isa_error(a->e, IE_G011_TWICE, a->line, column(a, at), (int)strlen(s), s);
        return false;
    }
    LabelEntry *l = isa_alloc(a->mem, sizeof *l);
    *l = (LabelEntry){a->label[hash_name(s)], s, a->k->count};
    a->label[hash_name(s)] = l;
    IsaLabel keep = {s, a->k->count};
    ISA_PUSH(a->mem, a->k->label, a->k->nlabels, a->labels_cap, keep);
    return true;
}

static void finish_kernel(Asm *a)
{
    IsaKernel *k = a->k;
    if (!k) return;
    for (int i = 0; i < a->nfixups; i++) {
        Fixup *f = &a->fixup[i];
        LabelEntry *l = find_label(a, f->name);
        if (!l) {
            isa_error(a->e, IE_G010_LABEL, f->line, f->column, f->length, f->name);
            continue;
        }
        if (f->at >= k->count) continue; /* of an instruction that was refused */
        IsaBits *b = &a->m->code[k->first + f->at];
        b->hi = (b->hi & ~UINT64_C(0xffffffff)) | (uint32_t)((int64_t)l->at - f->at - 1);
    }
    a->m->ninsts = (uint32_t)a->ninsts;
    uint32_t r = k->registers, u = k->uregisters;
    if (!a->own_registers || !a->own_uregisters) isa_count_registers(a->m, k, a->warp);
    if (a->own_registers) k->registers = r;
    if (a->own_uregisters) k->uregisters = u;
    if (k->shared < a->shared_end) k->shared = a->shared_end;
    a->nfixups = 0;
    memset(a->label, 0, sizeof a->label);
}

/* ---- directives
 * --------------------------------------------------------------------------------------------------------------------
 */

static int type_at(Asm *a)
{
    blanks(a);
    const char *at = a->p;
    char *s = name(a, "a type");
    if (!s) return -1;
    for (int i = 0; i < IT_COUNT; i++)
        if (!strcmp(isa_type[i].name, s)) return i;
    a->p = at;
    return expected(a, "a type"), -1;
}

static bool in_kernel(Asm *a, const char *what)
{
    if (a->k) return true;
    isa_error(a->e, IE_G014_OUTSIDE, a->line, 1, 1, what);
    return false;
}

static bool do_g9(Asm *a)
{
    int64_t v;
    return integer(a, ISA_VERSION, ISA_VERSION, "the versions that this assembler knows (2)", &v);
}

static bool do_machine(Asm *a)
{
    char *s = string(a);
    if (!s) return false;
    a->m->machine = s;
    IsaErrors none = {0};
    IsaMachine m;
    if (isa_machine_shipped(s, &m, &none)) {
        a->m->machine_hash = m.hash;
        a->warp = (int)m.chip_warp;
    }
    isa_errors_free(&none);
    if (at_end(a)) return true;
    Number n;
    if (!literal(a, &n)) return false;
    a->m->machine_hash = n.u;
    return true;
}

static bool do_toolchain(Asm *a)
{
    char *s = string(a);
    if (s) a->m->toolchain = s;
    return s != NULL;
}

static bool do_plan(Asm *a)
{
    char *s = string(a);
    if (!s) return false;
    if (strchr(s, '\n')) return expected(a, "one line");
    ISA_PUSH(a->mem, a->m->plan, a->m->nplan, a->plan_cap, s);
    return true;
}

static bool do_kernel(Asm *a)
{
    blanks(a);
    const char *at = a->p;
    char *s = name(a, "the kernel's name");
    if (!s) return false;
    finish_kernel(a);
    if (isa_module_kernel(a->m, s)) {
        isa_error(a->e, IE_G011_TWICE, a->line, column(a, at), (int)strlen(s), s);
        return false;
    }
    IsaKernel k = {.name = s, .first = (uint32_t)a->ninsts};
    ISA_PUSH(a->mem, a->m->kernel, a->m->nkernels, a->kernels_cap, k);
    a->k = &a->m->kernel[a->m->nkernels - 1];
    a->params_cap = a->labels_cap = a->vars_cap = a->lines_cap = 0;
    a->own_lines = a->own_registers = a->own_uregisters = false;
    a->shared_end = 0;
    return true;
}

static bool shape(Asm *a, IsaParam *p)
{
    if (!take(a, '[')) return true;
    do {
        blanks(a);
        const char *s = a->p;
        while (s < a->end && *s != ',' && *s != ']' && *s != ' ' && *s != '\t' && *s != '#' && *s != '\r') s++;
        if (s == a->p) return expected(a, "a size");
        if (p->rank == ISA_RANK) {
            isa_error(a->e, IE_G018_TOO_MANY, a->line, column(a, a->p), 1, "dimensions");
            return false;
        }
        p->dim[p->rank++] = isa_strndup(a->mem, a->p, (size_t)(s - a->p));
        a->p = s;
    } while (take(a, ','));
    return expect(a, ']', "`]`");
}

static bool do_param(Asm *a)
{
    if (!in_kernel(a, "a parameter")) return false;
    blanks(a);
    const char *at = a->p;
    IsaParam p = {.name = name(a, "the parameter's name")};
    if (!p.name || !expect(a, ':', "`:`")) return false;
    for (int i = 0; i < a->k->nparams; i++)
        if (!strcmp(a->k->param[i].name, p.name)) {
            isa_error(a->e, IE_G011_TWICE, a->line, column(a, at), (int)strlen(p.name), p.name);
            return false;
        }
    int t = type_at(a);
    if (t < 0) return false;
    p.type = (uint8_t)t;
    p.pointer = take(a, '*');
    if (p.pointer && !shape(a, &p)) return false;
    uint32_t size = p.pointer ? 8 : isa_type[t].bits >= 8 ? isa_type[t].bits / 8u : 1;
    p.offset = (a->k->param_bytes + size - 1) / size * size;
    if (p.offset + size > BANK_MOST) {
        isa_error(a->e, IE_G018_TOO_MANY, a->line, column(a, at), 1, "parameters");
        return false;
    }
    a->k->param_bytes = p.offset + size;
    ISA_PUSH(a->mem, a->k->param, a->k->nparams, a->params_cap, p);
    return true;
}

static bool do_registers(Asm *a)
{
    int64_t v;
    if (!in_kernel(a, "`.registers`") || !integer(a, 0, 255, "0..255", &v)) return false;
    a->k->registers = (uint32_t)v;
    return a->own_registers = true;
}

static bool do_uregisters(Asm *a)
{
    int64_t v;
    if (!in_kernel(a, "`.uregisters`") || !integer(a, 0, 63, "0..63", &v)) return false;
    a->k->uregisters = (uint32_t)v;
    return a->own_uregisters = true;
}

static bool do_shared(Asm *a)
{
    int64_t size, align = 16, at;
    if (!in_kernel(a, "`.shared`")) return false;
    blanks(a);
    if (a->p < a->end && is_digit(*a->p)) {
        if (!integer(a, 0, SHARED_MOST, "0..16777215", &size)) return false;
        a->k->shared = (uint32_t)size;
        return true;
    }
    char *s = name(a, "a name or a number of bytes");
    if (!s || !expect(a, ':', "`:`") || !integer(a, 0, SHARED_MOST, "0..16777215", &size)) return false;
    if (word(a, "align") && !integer(a, 1, 65536, "1..65536", &align)) return false;
    at = (a->shared_end + align - 1) / align * align;
    if (word(a, "at") && !integer(a, 0, SHARED_MOST, "0..16777215", &at)) return false;
    if (at + size > SHARED_MOST) {
        isa_error(a->e, IE_G018_TOO_MANY, a->line, 1, 1, "bytes of shared memory");
        return false;
    }
    IsaVar v = {s, (uint32_t)at, (uint32_t)size};
    if (v.offset + v.size > a->shared_end) a->shared_end = v.offset + v.size;
    ISA_PUSH(a->mem, a->k->var, a->k->nvars, a->vars_cap, v);
    return true;
}

static bool do_local(Asm *a)
{
    int64_t v;
    if (!in_kernel(a, "`.local`") || !integer(a, 0, SHARED_MOST, "0..16777215", &v)) return false;
    a->k->local = (uint32_t)v;
    return true;
}

static bool three(Asm *a, uint32_t *out, int64_t most, const char *range)
{
    int64_t v;
    out[0] = out[1] = out[2] = 1;
    for (int i = 0; i < 3 && !at_end(a); i++) {
        if (!integer(a, 1, most, range, &v)) return false;
        out[i] = (uint32_t)v;
    }
    return true;
}
static bool do_block(Asm *a) { return in_kernel(a, "`.block`") && three(a, a->k->block, 65536, "1..65536"); }
static bool do_cluster(Asm *a) { return in_kernel(a, "`.cluster`") && three(a, a->k->cluster, 64, "1..64"); }

static bool do_equ(Asm *a)
{
    int64_t v;
    char *s = name(a, "a name");
    if (!s || !integer(a, INT64_MIN, INT64_MAX, "64 bits", &v)) return false;
    Named n = {s, v};
    ISA_PUSH(a->mem, a->equ, a->nequs, a->equs_cap, n);
    return true;
}

static bool do_line(Asm *a)
{
    int64_t v;
    if (!in_kernel(a, "`.line`")) return false;
    char *s = string(a);
    if (!s || !integer(a, 0, INT32_MAX, "0..2147483647", &v)) return false;
    int file = file_number(a, s);
    if (file < 0) {
        isa_error(a->e, IE_G018_TOO_MANY, a->line, 1, 1, "files");
        return false;
    }
    if (!a->own_lines) a->k->nlines = 0;
    a->own_lines = true;
    line_entry(a, (uint16_t)file, (uint32_t)v);
    return true;
}

static bool const_value(Asm *a, int t, uint8_t *to)
{
    int bytes = isa_type[t].bits / 8;
    if (t == IT_F32 || t == IT_F64) {
        Number n;
        if (!literal(a, &n)) return false;
        uint64_t bits = n.u;
        if (!n.hex && t == IT_F64) memcpy(&bits, &n.d, 8);
        if (!n.hex && t == IT_F32) bits = 0, memcpy(&bits, &n.f, 4);
        memcpy(to, &bits, (size_t)bytes);
        return true;
    }
    int64_t v;
    uint64_t most = bytes == 8 ? INT64_MAX : (UINT64_C(1) << 8 * bytes) - 1;
    if (!integer(a, bytes == 8 ? INT64_MIN : -(int64_t)(most / 2) - 1, (int64_t)most, "the type's range", &v))
        return false;
    memcpy(to, &v, (size_t)bytes);
    return true;
}

static bool do_const(Asm *a)
{
    char *s = name(a, "a name");
    if (!s || !expect(a, ':', "`:`")) return false;
    int t = type_at(a);
    if (t < 0) return false;
    uint32_t bytes = isa_type[t].bits / 8u;
    if (!bytes || bytes > 8) return expected(a, "a type of 8 to 64 bits");
    int64_t at = (a->m->const_bytes + bytes - 1) / bytes * bytes;
    if (word(a, "at") && !integer(a, a->m->const_bytes, BANK_MOST, "what follows the constants before", &at))
        return false;
    if (!a->m->consts) a->m->consts = isa_alloc(a->mem, BANK_MOST + 16);
    IsaVar v = {s, (uint32_t)at, 0};
    if (take(a, '=')) do {
            if (at + v.size + bytes > BANK_MOST) {
                isa_error(a->e, IE_G018_TOO_MANY, a->line, column(a, a->p), 1, "constants");
                return false;
            }
            if (!const_value(a, t, a->m->consts + at + v.size)) return false;
            v.size += bytes;
        } while (take(a, ','));
    a->m->const_bytes = v.offset + v.size;
    ISA_PUSH(a->mem, a->m->constant, a->m->nconsts, a->consts_cap, v);
    return true;
}

static const struct {
    const char *name;
    bool (*read)(Asm *a);
} directive[] = {
    {"g9", do_g9},       {"machine", do_machine},     {"toolchain", do_toolchain},   {"kernel", do_kernel},
    {"param", do_param}, {"registers", do_registers}, {"uregisters", do_uregisters}, {"shared", do_shared},
    {"local", do_local}, {"block", do_block},         {"cluster", do_cluster},       {"equ", do_equ},
    {"line", do_line},   {"const", do_const},         {"plan", do_plan},
};
enum { NDIRECTIVES = sizeof directive / sizeof *directive };

static const char *directive_name(int i) { return directive[i].name; }

static bool do_directive(Asm *a)
{
    const char *s = ++a->p;
    while (a->p < a->end && (is_letter(*a->p) || is_digit(*a->p))) a->p++;
    size_t n = (size_t)(a->p - s);
    for (int i = 0; i < NDIRECTIVES; i++)
        if (strlen(directive[i].name) == n && !memcmp(directive[i].name, s, n))
            return directive[i].read(a) && (at_end(a) || expected(a, "the end of the line"));
    isa_error(a->e, IE_G013_DIRECTIVE, a->line, column(a, s), (int)n, isa_strndup(a->mem, s, n < 40 ? n : 40));
    const char *meant = isa_closest(s, n, NDIRECTIVES, directive_name);
    if (meant) isa_error_help(a->e, "`.%s` is near", meant);
    return false;
}

static void read_line(Asm *a)
{
    for (;;) { /* labels first */
        if (at_end(a)) return;
        if (!is_letter(*a->p)) break;
        const char *at = a->p, *s = a->p;
        while (s < a->end && is_name(*s)) s++;
        if (s == a->end || *s != ':') break;
        char *n = isa_strndup(a->mem, at, (size_t)(s - at));
        a->p = s + 1;
        if (!label(a, n, at)) return;
    }
    if (*a->p == '.')
        do_directive(a);
    else
        instruction(a);
}

IsaModule *isa_assemble(const char *file, const char *text, size_t n, IsaErrors *e)
{
    int before = e->count;
    e->name = file;
    e->source = text;
    e->length = n;
    IsaModule *m = isa_module_new();
    Asm *a = m ? calloc(1, sizeof *a) : NULL;
    if (!a) return isa_module_free(m), isa_error(e, IE_G001_MEMORY, 0, 0, 0), NULL;
    *a = (Asm){.mem = m->mem, .e = e, .name = file, .m = m, .warp = 32};
    jmp_buf lost;
    if (setjmp(lost)) {
        isa_error(e, IE_G001_MEMORY, 0, 0, 0);
    } else {
        isa_mem_catch(m->mem, &lost);
        m->machine = m->toolchain = isa_strndup(m->mem, "", 0);
        const char *end = text + n;
        for (const char *s = text; s < end && a->line < LINES_MOST;) {
            const char *nl = memchr(s, '\n', (size_t)(end - s));
            a->line++;
            a->start = a->p = s;
            a->end = nl ? nl : end;
            read_line(a);
            s = nl ? nl + 1 : end;
        }
        finish_kernel(a);
        isa_mem_catch(m->mem, NULL);
    }
    free(a);
    if (e->count == before) return m;
    isa_module_free(m);
    return NULL;
}
