/* machine: descriptions of machines: read from YAML, checked, printed, hashed. The compiler and the simulator read the
 * same one. The only file that uses libyaml.
 *
 * The schema is machine.def, the pipes and the list `mma`; every field must be there and none may be unknown, so that a
 * misspelt one is not silently a default. */
#include "isa/isa_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { FILE_MOST = 1 << 20 };

/* ---- shipped files --------------------------------------------------------------------------------------------------
 */

#define SHIPPED(X) X(tiny) X(v100) X(a100) X(h100)
/* Assembled into the library, so that it needs no files at run time. */
#define EMBED(name)                                                                                                    \
    __asm__(".pushsection .rodata\n"                                                                                   \
            ".balign 16\n"                                                                                             \
            "isa_file_" #name ":\n"                                                                                    \
            ".incbin \"isa/machines/" #name ".yaml\"\n"                                                                \
            "isa_file_" #name "_end:\n"                                                                                \
            ".popsection\n");                                                                                          \
    extern const char isa_file_##name[] __attribute__((visibility("hidden")));                                         \
    extern const char isa_file_##name##_end[] __attribute__((visibility("hidden")));
SHIPPED(EMBED)

static const struct {
    const char *name, *text, *end;
} shipped[] = {
#define ROW(name) {#name, isa_file_##name, isa_file_##name##_end},
    SHIPPED(ROW)
#undef ROW
};
enum { NSHIPPED = sizeof shipped / sizeof *shipped };

const char *isa_machine_name(int i) { return i >= 0 && i < NSHIPPED ? shipped[i].name : NULL; }

/* ---- fields ---------------------------------------------------------------------------------------------------------
 */

typedef struct Field {
    const char *section, *name;
    size_t at;
    int64_t least, most;
} Field;
static const Field field[] = {
#define FIELD(section, id, unit, least, most, what) {#section, #id, offsetof(IsaMachine, section##_##id), least, most},
#include "isa/machine.def"
#undef FIELD
};
enum { NFIELDS = sizeof field / sizeof *field };

static int64_t *value_of(IsaMachine *m, const Field *f) { return (int64_t *)(void *)((char *)m + f->at); }

typedef struct Reader {
    yaml_document_t *doc;
    IsaErrors *e;
    IsaMachine *m;
    bool seen[NFIELDS], pipe[IP_COUNT];
} Reader;

#define AT(n) (int)(n)->start_mark.line + 1, (int)(n)->start_mark.column + 1, span(n)
static int span(const yaml_node_t *n) { return n->type == YAML_SCALAR_NODE ? (int)n->data.scalar.length : 1; }

static const char *text_of(const yaml_node_t *n)
{
    return n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : "";
}

static bool number(Reader *r, yaml_node_t *n, const char *name, int64_t least, int64_t most, int64_t *out)
{
    char *end;
    const char *s = text_of(n);
    long long v = n->type == YAML_SCALAR_NODE && *s ? strtoll(s, &end, 10) : (end = (char *)"?", 0);
    if (*end) {
        isa_error(r->e, IE_G303_VALUE, AT(n), name, "no integer");
        return false;
    }
    if (v < least || v > most) {
        isa_error(r->e, IE_G305_RANGE, AT(n), name, v, (long long)least, (long long)most);
        return false;
    }
    *out = v;
    return true;
}

static void unknown(Reader *r, yaml_node_t *n, const char *in)
{
    isa_error(r->e, IE_G302_FIELD, AT(n), text_of(n), in);
}

/* Calls `each` for the pairs of a mapping. */
static void pairs(Reader *r, yaml_node_t *n, const char *name, void *of,
                  void (*each)(Reader *, void *, yaml_node_t *, yaml_node_t *))
{
    if (n->type != YAML_MAPPING_NODE) {
        isa_error(r->e, IE_G303_VALUE, AT(n), name, "no mapping");
        return;
    }
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++)
        each(r, of, yaml_document_get_node(r->doc, p->key), yaml_document_get_node(r->doc, p->value));
}

static void section_field(Reader *r, void *of, yaml_node_t *key, yaml_node_t *value)
{
    char name[64];
    for (int i = 0; i < NFIELDS; i++) {
        if (strcmp(field[i].section, of) || strcmp(field[i].name, text_of(key))) continue;
        snprintf(name, sizeof name, "%s.%s", field[i].section, field[i].name);
        if (r->seen[i]) isa_error(r->e, IE_G303_VALUE, AT(key), name, "there twice");
        r->seen[i] = true;
        number(r, value, name, field[i].least, field[i].most, value_of(r->m, &field[i]));
        return;
    }
    unknown(r, key, of);
}

static void pipe_field(Reader *r, void *of, yaml_node_t *key, yaml_node_t *value)
{
    IsaPipeTime *p = of;
    char name[96];
    static const char *const part[] = {"count", "latency", "interval"};
    int *to[] = {&p->count, &p->latency, &p->interval};
    for (int i = 0; i < 3; i++) {
        if (strcmp(part[i], text_of(key))) continue;
        int64_t v = 0;
        snprintf(name, sizeof name, "pipes.%s.%s", isa_pipe[p - r->m->pipe], part[i]);
        if (number(r, value, name, 1, i ? 100000 : 64, &v)) *to[i] = (int)v;
        return;
    }
    unknown(r, key, "pipes");
}

static void pipe_row(Reader *r, void *of, yaml_node_t *key, yaml_node_t *value)
{
    (void)of;
    for (int i = 0; i < IP_COUNT; i++) {
        if (strcmp(isa_pipe[i], text_of(key))) continue;
        r->pipe[i] = true;
        pairs(r, value, isa_pipe[i], &r->m->pipe[i], pipe_field);
        return;
    }
    unknown(r, key, "pipes");
}

static int type_named(const char *s)
{
    for (int i = 0; i < IT_COUNT; i++)
        if (!strcmp(isa_type[i].name, s)) return i;
    return -1;
}

static void mma_field(Reader *r, void *of, yaml_node_t *key, yaml_node_t *value)
{
    IsaMmaRow *row = of;
    const char *k = text_of(key), *v = text_of(value);
    int64_t n = 0;
    uint8_t *type = !strcmp(k, "d") ? &row->d : !strcmp(k, "a") ? &row->a : !strcmp(k, "b") ? &row->b : NULL;
    if (!strcmp(k, "shape")) {
        int used = 0;
        IsaShape s;
        if (sscanf(v, "m%dn%dk%d%n", &s.m, &s.n, &s.k, &used) != 3 || v[used] || isa_shape_code(s) < 0)
            isa_error(r->e, IE_G303_VALUE, AT(value), "mma.shape", "no shape");
        else
            row->shape = s;
    } else if (type) {
        int t = type_named(v);
        if (t < 0)
            isa_error(r->e, IE_G303_VALUE, AT(value), k, "no type");
        else
            *type = (uint8_t)t;
    } else if (!strcmp(k, "latency")) {
        if (number(r, value, "mma.latency", 1, 100000, &n)) row->latency = (int)n;
    } else if (!strcmp(k, "interval")) {
        if (number(r, value, "mma.interval", 1, 100000, &n)) row->interval = (int)n;
    } else if (!strcmp(k, "sparse")) {
        if (number(r, value, "mma.sparse", 0, 1, &n)) row->sparse = n != 0;
    } else if (!strcmp(k, "group")) {
        if (number(r, value, "mma.group", 0, 1, &n)) row->group = n != 0;
    } else {
        unknown(r, key, "mma");
    }
}

static void mma_list(Reader *r, yaml_node_t *n)
{
    if (n->type != YAML_SEQUENCE_NODE) {
        isa_error(r->e, IE_G303_VALUE, AT(n), "mma", "no list");
        return;
    }
    for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++) {
        yaml_node_t *item = yaml_document_get_node(r->doc, *i);
        if (r->m->nmma == ISA_MMA_MOST) {
            isa_error(r->e, IE_G018_TOO_MANY, AT(item), "rows of mma");
            return;
        }
        IsaMmaRow row = {.d = IT_COUNT, .a = IT_COUNT, .b = IT_COUNT};
        int before = r->e->count;
        pairs(r, item, "mma", &row, mma_field);
        if (r->e->count != before) continue;
        const char *lacks = !row.shape.m        ? "mma.shape"
                            : row.d == IT_COUNT ? "mma.d"
                            : row.a == IT_COUNT ? "mma.a"
                                                : NULL;
        if (row.b == IT_COUNT) row.b = row.a;
        if (!lacks) lacks = !row.latency ? "mma.latency" : !row.interval ? "mma.interval" : NULL;
        if (lacks) {
            isa_error(r->e, IE_G304_MISSING, AT(item), lacks);
            continue;
        }
        r->m->mma[r->m->nmma++] = row;
    }
}

static void top_field(Reader *r, void *of, yaml_node_t *key, yaml_node_t *value)
{
    (void)of;
    const char *k = text_of(key);
    if (!strcmp(k, "name")) {
        const char *s = text_of(value);
        bool ok = *s && strlen(s) < sizeof r->m->name;
        for (const char *c = s; *c; c++)
            ok &= (unsigned char)*c > 32 && *c != '"' && *c != '#' && *c != ':' && (unsigned char)*c < 127;
        if (ok)
            snprintf(r->m->name, sizeof r->m->name, "%s", s);
        else
            isa_error(r->e, IE_G303_VALUE, AT(value), "name", "no name of at most 63 characters");
        return;
    }
    if (!strcmp(k, "pipes")) {
        pairs(r, value, k, NULL, pipe_row);
        return;
    }
    if (!strcmp(k, "mma")) {
        mma_list(r, value);
        return;
    }
    for (int i = 0; i < NFIELDS; i++)
        if (!strcmp(field[i].section, k)) {
            pairs(r, value, k, (void *)(uintptr_t)field[i].section, section_field);
            return;
        }
    unknown(r, key, "a machine file");
}

static void require_all(Reader *r)
{
    char name[96];
    if (!*r->m->name) isa_error(r->e, IE_G304_MISSING, 0, 0, 0, "name");
    for (int i = 0; i < NFIELDS; i++) {
        snprintf(name, sizeof name, "%s.%s", field[i].section, field[i].name);
        if (!r->seen[i]) isa_error(r->e, IE_G304_MISSING, 0, 0, 0, name);
    }
    for (int i = 0; i < IP_COUNT; i++) {
        const IsaPipeTime *p = &r->m->pipe[i];
        snprintf(name, sizeof name, "pipes.%s%s", isa_pipe[i],
                 !r->pipe[i]   ? ""
                 : !p->count   ? ".count"
                 : !p->latency ? ".latency"
                               : ".interval");
        if (!p->count || !p->latency || !p->interval) isa_error(r->e, IE_G304_MISSING, 0, 0, 0, name);
    }
}

bool isa_machine_read(const char *name, const char *text, size_t n, IsaMachine *out, IsaErrors *e)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    *out = (IsaMachine){0};
    e->name = name;
    e->source = text;
    e->length = n;
    if (n > FILE_MOST) return isa_error(e, IE_G301_YAML, 0, 0, 0, "the file is larger than a machine file is"), false;
    if (!yaml_parser_initialize(&parser)) return isa_error(e, IE_G001_MEMORY, 0, 0, 0), false;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    Reader r = {.doc = &doc, .e = e, .m = out};
    if (!yaml_parser_load(&parser, &doc)) {
        isa_error(e, IE_G301_YAML, (int)parser.problem_mark.line + 1, (int)parser.problem_mark.column + 1, 1,
                  parser.problem ? parser.problem : "the YAML is broken");
        yaml_parser_delete(&parser);
        return false;
    }
    yaml_node_t *root = yaml_document_get_root_node(&doc);
    if (root) {
        pairs(&r, root, "the file", NULL, top_field);
        if (!e->count) require_all(&r);
    } else {
        isa_error(e, IE_G301_YAML, 0, 0, 0, "the file is empty");
    }
    yaml_document_delete(&doc);
    yaml_parser_delete(&parser);
    return !e->count && isa_machine_check(out, e);
}

/* ---- sense
 * -------------------------------------------------------------------------------------------------------------- */

static void demand(IsaErrors *e, bool ok, const char *name, const char *why)
{
    if (!ok) isa_error(e, IE_G306_SENSE, 0, 0, 0, name, why);
}

static bool power_of_2(int64_t x) { return x > 0 && !(x & (x - 1)); }

static void check_mma(const IsaMachine *m, const IsaMmaRow *r, IsaErrors *e)
{
    IsaInst in = isa_inst(r->group ? G9_WGMMA : r->sparse ? G9_MMASP : G9_MMA);
    in.mod[0] = (uint16_t)isa_shape_code(r->shape);
    in.mod[1] = r->d;
    in.mod[2] = r->a;
    in.mod[3] = r->b;
    const char *why = "";
    char name[96];
    snprintf(name, sizeof name, "mma m%dn%dk%d %s %s", r->shape.m, r->shape.n, r->shape.k, isa_type[r->d].name,
             isa_type[r->a].name);
    demand(e, !(r->group && r->sparse), name, "a warp-group product is not sparse");
    if (!isa_legal(&in, &why)) demand(e, false, name, why);
    demand(e, !r->group || m->chip_warp == 32, name, "warp-group products need warps of 32");
    demand(e, r->latency >= r->interval || r->group, name, "the latency is shorter than the interval");
    int most = 0, of = 0;
    for (const IsaOperand *o = isa_row[in.op].operand; o->kind; o++)
        if (o->kind == IO_REG) {
            int w = isa_width(&in, o, (int)m->chip_warp);
            of += w;
            if (w > most) most = w;
        }
    demand(e, most <= 128 && of <= 250, name, "its fragments do not fit in registers");
}

static void print_numbers(IsaText *out, const IsaMachine *m);

bool isa_machine_check(IsaMachine *m, IsaErrors *e)
{
    int before = e->count;
    demand(e, m->chip_warp == 16 || m->chip_warp == 32 || m->chip_warp == 64, "chip.warp", "is 16, 32 or 64");
    demand(e, m->sm_warps % m->sm_subcores == 0, "sm.warps", "is no multiple of sm.subcores");
    demand(e, m->sm_registers % m->sm_subcores == 0, "sm.registers", "is no multiple of sm.subcores");
    demand(e, m->sm_threads <= m->sm_warps * m->chip_warp, "sm.threads",
           "is more than the warps of a multiprocessor hold");
    demand(e, m->sm_threads % m->chip_warp == 0, "sm.threads", "is no multiple of chip.warp");
    demand(e, m->sm_registers >= m->sm_unit, "sm.unit", "is more than all registers");
    demand(e, m->sm_registers / m->sm_subcores >= 8 * m->chip_warp, "sm.registers",
           "are too few for a warp of 8 registers on each sub-core");
    demand(e, m->shared_block <= m->shared_bytes, "shared.block", "is more than shared.bytes");
    demand(e, m->shared_width == m->shared_banks * 4, "shared.width", "is not 4 times shared.banks");
    demand(e, power_of_2(m->shared_banks), "shared.banks", "is no power of 2");
    demand(e, power_of_2(m->l1_line), "l1.line", "is no power of 2");
    demand(e, power_of_2(m->l2_line), "l2.line", "is no power of 2");
    demand(e, m->l1_sector <= m->l1_line && m->l1_line % m->l1_sector == 0, "l1.sector", "does not divide l1.line");
    demand(e, m->l2_sector <= m->l2_line && m->l2_line % m->l2_sector == 0, "l2.sector", "does not divide l2.line");
    demand(e, m->l2_line == m->l1_line, "l2.line", "is not l1.line");
    demand(e, m->l2_sector == m->l1_sector, "l2.sector", "is not l1.sector");
    demand(e, m->l1_line <= 32 * m->l1_sector, "l1.sector", "is less than 1/32 of l1.line");
    demand(e, m->l2_line % m->l2_width == 0 || m->l2_width % m->l2_sector == 0, "l2.width",
           "neither divides l2.line nor is a multiple of l2.sector");
    demand(e, m->l1_bytes % (m->l1_line * m->l1_ways) == 0, "l1.ways",
           "l1.bytes is no multiple of l1.line times l1.ways");
    demand(e, m->l2_bytes % (m->l2_line * m->l2_ways) == 0, "l2.ways",
           "l2.bytes is no multiple of l2.line times l2.ways");
    demand(e, m->l2_latency > m->l1_latency, "l2.latency", "is not above l1.latency");
    demand(e, m->l2_bytes < m->dram_bytes, "dram.bytes", "is not above l2.bytes");
    demand(e, m->dram_bytes / m->dram_channels > 0, "dram.channels", "are more than bytes");
    demand(e, !m->chip_bulk || m->chip_mbarrier, "chip.bulk", "bulk copies need chip.mbarrier");
    demand(e, m->chip_cluster <= m->chip_sms, "chip.cluster", "is more than chip.sms");
    for (int i = 0; i < IP_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "pipes.%s.latency", isa_pipe[i]);
        demand(e, m->pipe[i].latency >= m->pipe[i].interval, name, "is below the interval");
    }
    for (int i = 0; e->count == before && i < m->nmma; i++) check_mma(m, &m->mma[i], e);
    for (int i = 0; i < m->nmma; i++)
        for (int j = 0; j < i; j++) {
            IsaMmaRow a = m->mma[i], b = m->mma[j];
            b.latency = a.latency;
            b.interval = a.interval;
            bool same = a.shape.m == b.shape.m && a.shape.n == b.shape.n && a.shape.k == b.shape.k && a.d == b.d &&
                        a.a == b.a && a.b == b.b && a.sparse == b.sparse && a.group == b.group;
            demand(e, !same, "mma", "one shape with the same types stands twice");
        }
    if (e->count != before) return false;
    IsaText t = {0};
    print_numbers(&t, m);
    if (t.lost) return isa_text_free(&t), isa_error(e, IE_G001_MEMORY, 0, 0, 0), false;
    m->hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < t.n; i++) m->hash = (m->hash ^ (uint8_t)t.s[i]) * UINT64_C(0x100000001b3);
    isa_text_free(&t);
    return true;
}

/* ---- out
 * ------------------------------------------------------------------------------------------------------------------ */

static void print_numbers(IsaText *out, const IsaMachine *m)
{
    const char *section = "";
    for (int i = 0; i < NFIELDS; i++) {
        if (strcmp(section, field[i].section)) isa_text(out, "%s:\n", section = field[i].section);
        isa_text(out, "  %s: %lld\n", field[i].name,
                 (long long)*(const int64_t *)(const void *)((const char *)m + field[i].at));
    }
    isa_text(out, "pipes:\n");
    for (int i = 0; i < IP_COUNT; i++)
        isa_text(out, "  %s: {count: %d, latency: %d, interval: %d}\n", isa_pipe[i], m->pipe[i].count,
                 m->pipe[i].latency, m->pipe[i].interval);
    if (m->nmma) isa_text(out, "mma:\n");
    for (int i = 0; i < m->nmma; i++) {
        const IsaMmaRow *r = &m->mma[i];
        isa_text(out, "  - {shape: m%dn%dk%d, d: %s, a: %s, b: %s, latency: %d, interval: %d%s%s}\n", r->shape.m,
                 r->shape.n, r->shape.k, isa_type[r->d].name, isa_type[r->a].name, isa_type[r->b].name, r->latency,
                 r->interval, r->sparse ? ", sparse: 1" : "", r->group ? ", group: 1" : "");
    }
}

void isa_machine_print(IsaText *out, const IsaMachine *m)
{
    isa_text(out, "name: %s\n", m->name);
    print_numbers(out, m);
}

/* ---- finding one
 * ---------------------------------------------------------------------------------------------------------- */

bool isa_machine_shipped(const char *name, IsaMachine *out, IsaErrors *e)
{
    for (int i = 0; i < NSHIPPED; i++)
        if (!strcmp(shipped[i].name, name))
            return isa_machine_read(name, shipped[i].text, (size_t)(shipped[i].end - shipped[i].text), out, e);
    isa_error(e, IE_G307_FILE, 0, 0, 0, name);
    isa_error_help(e, "shipped are tiny, v100, a100 and h100; others are given by the path of their file");
    return false;
}

bool isa_machine_open(const char *name, IsaMachine *out, IsaErrors *e)
{
    for (int i = 0; i < NSHIPPED; i++)
        if (!strcmp(shipped[i].name, name)) return isa_machine_shipped(name, out, e);
    FILE *f = fopen(name, "rb");
    char *text = f ? malloc(FILE_MOST + 2) : NULL;
    size_t n = text ? fread(text, 1, FILE_MOST + 1, f) : 0;
    bool bad = !text || ferror(f);
    if (f) fclose(f);
    if (bad) {
        free(text);
        return isa_machine_shipped(name, out, e);
    }
    bool ok = isa_machine_read(name, text, n, out, e);
    e->source = NULL; /* what it points into goes; places stay */
    free(text);
    return ok;
}

/* ---- capabilities
 * --------------------------------------------------------------------------------------------------------- */

const IsaMmaRow *isa_machine_mma(const IsaMachine *m, const IsaInst *in)
{
    int rule = isa_row[in->op].rule;
    if (rule != IR_MMA && rule != IR_WGMMA) return NULL;
    IsaShape s = isa_shape(in->mod[0]);
    for (int i = 0; i < m->nmma; i++) {
        const IsaMmaRow *r = &m->mma[i];
        if (r->shape.m == s.m && r->shape.n == s.n && r->shape.k == s.k && r->d == in->mod[1] && r->a == in->mod[2] &&
            r->b == in->mod[3] && r->sparse == (in->op == G9_MMASP) && r->group == (rule == IR_WGMMA))
            return r;
    }
    return NULL;
}

static bool has_group(const IsaMachine *m)
{
    for (int i = 0; i < m->nmma; i++)
        if (m->mma[i].group) return true;
    return false;
}

bool isa_machine_has(const IsaMachine *m, const IsaInst *in, const char **lacks)
{
    const char *none = NULL;
    switch (isa_row[in->op].rule) {
    case IR_MMA:
    case IR_WGMMA: none = isa_machine_mma(m, in) ? NULL : "matrix product of this shape and these types"; break;
    case IR_WG: none = has_group(m) ? NULL : "warp-group products"; break;
    case IR_CPA:
    case IR_ASYNC:
        none = !m->chip_copy                              ? "asynchronous copies"
               : in->op == G9_CPMBAR && !m->chip_mbarrier ? "transaction barriers"
                                                          : NULL;
        break;
    case IR_BULK: none = m->chip_bulk ? NULL : "bulk copies"; break;
    case IR_MBAR: none = m->chip_mbarrier ? NULL : "transaction barriers"; break;
    case IR_CLUSTER: none = m->chip_cluster > 1 ? NULL : "clusters"; break;
    case IR_MASK:
    case IR_MASK2:
        if (isa_type_of(in, 0) == IT_B32 && m->chip_warp == 64) none = "masks of 32 bits: its warps have 64 lanes";
        break;
    default: break;
    }
    if ((in->op == G9_LDM || in->op == G9_STM) && m->chip_warp == 16 && isa_mod_of(in, IG_TILES) == 2)
        none = "x4: its warps have 16 lanes";
    if (lacks) *lacks = none;
    return !none;
}
