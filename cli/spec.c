/* spec: what stands after --input NAME=: NPY files, and made-up values. Numbers are made as doubles and converted by
 * the library, so that a type's rounding has one home.
 *
 * random and normal depend on the seed, the parameter's name and the element's number only. */
#define _GNU_SOURCE
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 4096 };

/* ---- reading a SPEC ------------------------------------------------------------------------------------------------
 */

static int open_npy(App *a, const char *path, Spec *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        int e = errno;
        if (fd >= 0) close(fd);
        return file_unreadable(a, path, e);
    }
    out->kind = SPEC_NPY;
    if (S_ISREG(st.st_mode) && st.st_size > 0) {
        out->mapped = (size_t)st.st_size;
        out->map = mmap(NULL, out->mapped, PROT_READ, MAP_PRIVATE, fd, 0);
        if (out->map == MAP_FAILED) {
            out->map = NULL;
            out->mapped = 0;
        }
    }
    close(fd);
    const uint8_t *bytes = out->map;
    size_t n = out->mapped;
    if (!bytes) { /* a pipe, or nothing at all */
        char *all;
        int rc = file_read(a, path, &all, &n);
        if (rc) return rc;
        bytes = (const uint8_t *)all;
    }
    if (!npy_parse(bytes, n, &out->npy)) return cli_error(a, C023_NPY, path, out->npy.why);
    return OK;
}

void spec_close(Spec *s)
{
    if (s->map) munmap(s->map, s->mapped);
    s->map = NULL;
}

static bool with_seed(const char *text, const char *word, uint64_t *seed)
{
    size_t n = strlen(word);
    if (strncmp(text, word, n)) return false;
    *seed = 0;
    if (!text[n]) return true;
    char *end;
    errno = 0;
    *seed = strtoull(text + n + 1, &end, 10);
    return text[n] == ':' && text[n + 1] >= '0' && text[n + 1] <= '9' && !*end && !errno;
}

/* Numbers are decimal: strtod alone would take 0x10. */
static bool is_number(const char *s)
{
    char *end;
    if (!strcmp(s, "true") || !strcmp(s, "false")) return true;
    strtod(s, &end);
    return end != s && !*end && !strpbrk(s, "xX");
}

static int no_spec(App *a, const char *name, const char *text)
{
    char *end;
    double x = strtod(text, &end);
    bool number = end != text && !*end;
    const char *help = number ? cli_printf(a, "numbers are decimal: %.17g", x) : NULL;
    return help ? cli_error_help(a, C019_SPEC, help, text, name) : cli_error(a, C019_SPEC, text, name);
}

int spec_parse(App *a, const char *name, const char *text, Spec *out)
{
    static const struct {
        const char *word;
        SpecKind kind;
    } word[] = {{"zeros", SPEC_ZEROS}, {"ones", SPEC_ONES}, {"iota", SPEC_IOTA}};
    *out = (Spec){.text = text};
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        if (!strcmp(text, word[i].word)) {
            out->kind = word[i].kind;
            return OK;
        }
    if (with_seed(text, "random", &out->seed)) {
        out->kind = SPEC_RANDOM;
    } else if (with_seed(text, "normal", &out->seed)) {
        out->kind = SPEC_NORMAL;
    } else if (file_ends(text, ".npy")) {
        return open_npy(a, text, out);
    } else if (is_number(text)) {
        out->kind = SPEC_NUMBER;
    } else if (!access(text, F_OK)) {
        return open_npy(a, text, out);
    } else {
        return no_spec(a, name, text);
    }
    return OK;
}

/* ---- types ---------------------------------------------------------------------------------------------------------
 */

static bool is(const Param *p, const char *dtype) { return !strcmp(p->is.dtype, dtype); }
static bool nibbles(const Param *p) { return p->is.dl_bits == 4; }
static bool is_integer(const Param *p) { return p->is.dtype[0] == 'i' || p->is.dtype[0] == 'u'; }
static bool truth(const Param *p) { return is(p, "u1"); }

const char *spec_npy_type(const Param *p) { return p->is.npy; }

int spec_type_matches(App *a, const Param *p)
{
    const Npy *f = &p->spec.npy;
    const char *want = p->is.npy; /* "<f4" */
    if (f->kind == want[1] && f->size == want[2] - '0') return OK;
    if (truth(p) && f->kind == 'u' && f->size == 1) return OK;
    const char *kind = f->kind == 'f' ? "float" : f->kind == 'i' ? "int" : f->kind == 'u' ? "uint" : "bool";
    char *holds = f->kind == 'b' ? cli_printf(a, "bool") : cli_printf(a, "%s%d", kind, 8 * f->size);
    const char *stored = want[1] == 'f' ? "float" : want[1] == 'i' ? "int" : want[1] == 'u' ? "uint" : "bool or uint";
    bool bits = want[1] == 'u' && !is_integer(p); /* as bf16, which NumPy lacks */
    const char *as = truth(p) ? "bool" : cli_printf(a, "%s%d", stored, 8 * (want[2] - '0'));
    const char *help = bits ? cli_printf(a, "the file holds the bits of each element, as numpy.%s", as)
                            : cli_printf(a, "convert it with NumPy: `numpy.save(\"x.npy\", x.astype(numpy.%s))`", as);
    return cli_error_help(a, C024_NPY_TYPE, help, p->spec.text, holds, p->is.name, p->is.dtype,
                          cli_printf(a, "%s%d", stored, 8 * (want[2] - '0')));
}

int spec_rank(App *a, const Param *p)
{
    const char *help = p->is.rank
                           ? cli_printf(a, "give it the shape %s, with numpy.reshape", p->is.shape)
                           : cli_printf(a, "`%s` is a scalar: give a number, or a file of one element", p->is.name);
    return cli_error_help(a, C026_RANK, help, p->spec.text, p->spec.npy.rank, p->is.name, p->is.dtype, p->is.shape);
}

/* ---- from NPY ------------------------------------------------------------------------------------------------------
 */

static int64_t last_extent(const Param *p) { return p->is.rank ? p->shape[p->is.rank - 1] : 1; }

static int from_nibbles(App *a, Param *p)
{
    int64_t row = last_extent(p), n = p->elements;
    bool sign = is(p, "i4");
    int8_t *values = malloc((size_t)n + 1);
    uint8_t *out = p->data;
    int rc = OK;
    if (!values) return cli_error(a, C029_NO_MEMORY);
    npy_copy(&p->spec.npy, values);
    memset(out, 0, (size_t)p->bytes);
    for (int64_t i = 0; i < n && !rc; i++) {
        int v = sign ? values[i] : (uint8_t)values[i];
        if (v < (sign ? -8 : 0) || v > (sign ? 7 : 15))
            rc = cli_error_help(a, C025_NPY_VALUE, sign ? "i4 holds -8 to 7" : "u4 holds 0 to 15", p->spec.text,
                                (long long)i, cli_printf(a, "%d", v), p->is.dtype);
        int64_t r = i / row, c = i % row;
        out[r * ((row + 1) / 2) + c / 2] |= (uint8_t)((v & 15) << (c % 2 * 4));
    }
    free(values);
    return rc;
}

static int from_npy(App *a, Param *p)
{
    if (nibbles(p)) return from_nibbles(a, p);
    npy_copy(&p->spec.npy, p->data);
    const uint8_t *b = p->data;
    for (int64_t i = 0; truth(p) && i < p->elements; i++)
        if (b[i] > 1)
            return cli_error_help(a, C025_NPY_VALUE, "u1 holds 0 and 1", p->spec.text, (long long)i,
                                  cli_printf(a, "%d", b[i]), "u1");
    const uint32_t *w = p->data;
    for (int64_t i = 0; is(p, "tf32") && i < p->elements; i++)
        if ((w[i] & 0x1fff) && (w[i] & 0x7f800000) != 0x7f800000) {
            float f;
            memcpy(&f, &w[i], sizeof f);
            return cli_error_help(a, C025_NPY_VALUE, "round to tf32 first: the low 13 bits of each element are 0",
                                  p->spec.text, (long long)i,
                             cli_printf(a, "%.9g (more than 10 bits of mantissa)", (double)f), "tf32");
        }
    return OK;
}

const char *spec_unpacked(App *a, const Param *p, size_t *n)
{
    if (!nibbles(p)) {
        *n = (size_t)p->bytes;
        return p->data;
    }
    int64_t row = last_extent(p);
    const uint8_t *in = p->data;
    char *out = cli_alloc(a, (size_t)p->elements + 1);
    for (int64_t i = 0; i < p->elements; i++) {
        int64_t r = i / row, c = i % row;
        int v = in[r * ((row + 1) / 2) + c / 2] >> (c % 2 * 4) & 15;
        out[i] = (char)(is(p, "i4") && v > 7 ? v - 16 : v);
    }
    *n = (size_t)p->elements;
    return out;
}

/* ---- made up -------------------------------------------------------------------------------------------------------
 */

static uint64_t mix(uint64_t x) /* splitmix64, Steele et al. 2014 */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

typedef struct Maker {
    const Param *p;
    uint64_t key;
    bool integer, is_signed;
    int bits;
    int64_t bound;
} Maker;

static double uniform(uint64_t r, int bits) { return (double)(r >> (64 - bits)) * ldexp(1, -bits); }

static double make_integer(const Maker *m, int64_t i)
{
    uint64_t r = mix(m->key ^ mix((uint64_t)i));
    switch (m->p->spec.kind) {
    case SPEC_ONES: return 1;
    case SPEC_IOTA: {
        uint64_t v = (uint64_t)i;
        if (m->bits < 64) v &= ((uint64_t)1 << m->bits) - 1;
        if (m->is_signed && m->bits < 64 && v >> (m->bits - 1)) return (double)((int64_t)v - ((int64_t)1 << m->bits));
        return (double)(m->is_signed ? (int64_t)v : (int64_t)(v & INT64_MAX));
    }
    case SPEC_RANDOM:
    case SPEC_NORMAL:
        if (m->bound >= 0) return m->bound ? (double)(r % (uint64_t)m->bound) : 0;
        if (m->bits == 1) return (double)(r & 1);
        return (double)(r >> 60) - (m->is_signed ? 8 : 0);
    default: return 0;
    }
}

static double make_float(const Maker *m, int64_t i)
{
    uint64_t r = mix(m->key ^ mix((uint64_t)i));
    switch (m->p->spec.kind) {
    case SPEC_ONES: return 1;
    case SPEC_IOTA: return (double)i;
    case SPEC_RANDOM: return m->bits == 64 ? uniform(r, 53) * 2 - 1 : uniform(r, 24) * 2 - 1;
    case SPEC_NORMAL:
        return sqrt(-2 * log(1 - uniform(r, 53))) * cos(6.283185307179586 * uniform(mix(r), 53)); /* Box–Muller */
    default: return 0;
    }
}

/* Rounding to a narrow type may give 1, which [-1,1) excludes. */
static int keep_below_one(App *a, const Param *p, double *x, int64_t first, int64_t n)
{
    int rc = cli_status(a, tensorcc_decode(a->ctx, p->is.dtype, p->data, first, n, x));
    double least = -1;
    for (int64_t i = 0; i < n && !rc; i++)
        if (x[i] >= 1) rc = cli_status(a, tensorcc_encode(a->ctx, p->is.dtype, &least, p->data, first + i, 1));
    return rc;
}

static int make(App *a, const Maker *m)
{
    const Param *p = m->p;
    double x[CHUNK];
    int64_t row = nibbles(p) ? last_extent(p) : p->elements, rows = row ? p->elements / row : 0;
    bool narrow = !m->integer && m->bits < 64 && p->spec.kind == SPEC_RANDOM && !is(p, "f32");
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < row; c += CHUNK) {
            int64_t n = row - c < CHUNK ? row - c : CHUNK;
            int64_t first = nibbles(p) ? r * ((row + 1) / 2 * 2) + c : c;
            for (int64_t i = 0; i < n; i++)
                x[i] = m->integer ? make_integer(m, r * row + c + i) : make_float(m, r * row + c + i);
            int rc = OK;
            if (is(p, "f32")) { /* one conversion, as the library's; it is most of the data there is */
                float *f = (float *)p->data + first;
                for (int64_t i = 0; i < n; i++) f[i] = (float)x[i];
            } else {
                rc = cli_status(a, tensorcc_encode(a->ctx, p->is.dtype, x, p->data, first, n));
            }
            if (!rc && narrow) rc = keep_below_one(a, p, x, first, n);
            if (rc) return rc;
        }
    return OK;
}

/* ---- a number ------------------------------------------------------------------------------------------------------
 */

static int does_not_fit(App *a, const Param *p, const Maker *m)
{
    const char *s = p->spec.text, *type = p->is.dtype;
    bool word = !strcmp(s, "true") || !strcmp(s, "false");
    uint64_t most = m->bits == 64 ? UINT64_MAX : ((uint64_t)1 << m->bits) - 1;
    const char *help;
    if (!m->integer) {
        help = word ? cli_printf(a, "`%s` is a value of u1: give a number", s)
                    : "give a number that is nearer to 0, or `inf`";
    } else if (m->bits == 1) {
        help = "give 0, 1, false or true";
    } else if (m->is_signed) {
        help = cli_printf(a, "%s holds whole numbers from -%llu to %llu", type, (unsigned long long)(most / 2) + 1,
                          (unsigned long long)(most / 2));
    } else {
        help = cli_printf(a, "%s holds whole numbers from 0 to %llu", type, (unsigned long long)most);
    }
    return cli_error_help(a, C021_RANGE, help, s, p->is.name, cli_printf(a, "of type %s", type));
}

static int set_integer(App *a, Param *p, const Maker *m)
{
    const char *s = p->spec.text;
    char *end;
    errno = 0;
    if (!strcmp(s, "true") || !strcmp(s, "false")) {
        if (m->bits != 1) return does_not_fit(a, p, m);
        *(uint8_t *)p->data = *s == 't';
        return OK;
    }
    bool minus = *s == '-', sign = minus || *s == '+';
    unsigned long long u = strtoull(s + sign, &end, 10);
    uint64_t most = m->bits == 64 ? UINT64_MAX : ((uint64_t)1 << m->bits) - 1;
    if (m->is_signed) most = (most >> 1) + (minus ? 1 : 0);
    if (minus && !m->is_signed) most = 0;
    if (*end || errno || s[sign] < '0' || s[sign] > '9' || u > most) return does_not_fit(a, p, m);
    uint64_t v = minus ? 0 - (uint64_t)u : (uint64_t)u;
    if (m->bits == 4) v &= 15;
    memcpy(p->data, &v, (size_t)p->bytes); /* little-endian, as every target that there is */
    return OK;
}

static int set_number(App *a, Param *p, const Maker *m)
{
    if (p->is.rank) return cli_error(a, C020_NUMBER, p->is.name, p->is.dtype, p->is.shape);
    if (m->integer) return set_integer(a, p, m);
    const char *s = p->spec.text;
    if (!strcmp(s, "true") || !strcmp(s, "false")) return does_not_fit(a, p, m);
    double x = strtod(s, NULL), stored = 0;
    int rc = cli_status(a, tensorcc_encode(a->ctx, p->is.dtype, &x, p->data, 0, 1));
    if (!rc) rc = cli_status(a, tensorcc_decode(a->ctx, p->is.dtype, p->data, 0, 1, &stored));
    bool digits = strpbrk(s, "0123456789") != NULL; /* inf and nan are meant */
    if (!rc && digits && !isfinite(stored)) rc = does_not_fit(a, p, m);
    return rc;
}

int spec_fill(App *a, Param *p, int64_t bound)
{
    uint64_t name = 0;
    for (const char *s = p->is.name; *s; s++) name = mix(name ^ (unsigned char)*s);
    bool integer = is_integer(p);
    Maker m = {.p = p,
               .key = mix(p->spec.seed) ^ name ^ (p->spec.kind == SPEC_NORMAL ? 0x6e6f726d616cu : 0),
               .integer = integer,
               .is_signed = p->is.dtype[0] == 'i',
               .bits = truth(p) ? 1 : p->is.dl_bits,
               .bound = bound};
    switch (p->spec.kind) {
    case SPEC_NONE: return OK;
    case SPEC_NPY: return from_npy(a, p);
    case SPEC_NUMBER: return set_number(a, p, &m);
    case SPEC_ZEROS: memset(p->data, 0, (size_t)p->bytes); return OK;
    default: return make(a, &m);
    }
}
