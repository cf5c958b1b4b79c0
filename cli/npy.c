/* npy: NumPy's file format (numpy.lib.format): magic, version, length of the header, the header (a Python dictionary
 * literal with descr, fortran_order and shape), the data. The bytes come from anywhere: everything is checked before it
 * is used, and a file that is longer than its shape says is refused as one that is shorter. */
#define _GNU_SOURCE
#include "cli/npy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct Reader {
    const uint8_t *at, *end;
    Npy *out;
} Reader;

__attribute__((format(printf, 2, 3))) static bool fail(Npy *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->why, sizeof f->why, fmt, ap);
    va_end(ap);
    return false;
}

static void space(Reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t')) r->at++;
}

static bool next(Reader *r, char c)
{
    space(r);
    if (r->at == r->end || *r->at != (uint8_t)c) return false;
    r->at++;
    return true;
}

static bool word(Reader *r, const char *w)
{
    size_t n = strlen(w);
    space(r);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, w, n)) return false;
    r->at += n;
    return true;
}

/* A quoted string without escapes, as NumPy writes them. */
static bool string(Reader *r, char *to, size_t cap)
{
    space(r);
    if (r->at == r->end || (*r->at != '\'' && *r->at != '"')) return false;
    uint8_t quote = *r->at++;
    size_t n = 0;
    for (; r->at < r->end && *r->at != quote; r->at++) {
        if (n + 1 >= cap || *r->at == '\\' || *r->at < ' ') return false;
        to[n++] = (char)*r->at;
    }
    to[n] = 0;
    return r->at < r->end && r->at++;
}

static bool number(Reader *r, int64_t *v)
{
    space(r);
    bool any = false;
    *v = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++, any = true)
        if (__builtin_mul_overflow(*v, 10, v) || __builtin_add_overflow(*v, *r->at - '0', v)) return false;
    if (any && r->at < r->end && *r->at == 'L') r->at++; /* Python 2 */
    return any;
}

static bool shape(Reader *r)
{
    Npy *f = r->out;
    if (!next(r, '(')) return false;
    while (!next(r, ')')) {
        if (f->rank == NPY_RANK) return fail(f, "it has more than %d dimensions", NPY_RANK);
        if (!number(r, &f->shape[f->rank])) return false;
        f->rank++;
        if (next(r, ',')) continue;
        /* one number in brackets is no tuple */
        if (f->rank == 1 || !next(r, ')')) return false;
        break;
    }
    return true;
}

static bool descr(Reader *r)
{
    Npy *f = r->out;
    char s[64];
    space(r);
    if (r->at < r->end && *r->at == '[') return fail(f, "it holds records, not numbers");
    if (!string(r, s, sizeof s)) return false;
    const char *c = s;
    char order = '=';
    if (strchr("<>|=", *c) && *c) order = *c++;
    f->kind = *c ? *c++ : 0;
    f->size = 0;
    for (; *c >= '0' && *c <= '9' && f->size < 1000; c++) f->size = f->size * 10 + (*c - '0');
    bool known = f->kind == 'b'   ? f->size == 1
                 : f->kind == 'f' ? f->size == 2 || f->size == 4 || f->size == 8
                                  : (f->kind == 'i' || f->kind == 'u') &&
                                        (f->size == 1 || f->size == 2 || f->size == 4 || f->size == 8);
    if (*c || !known) return fail(f, "its elements are of type '%.40s', which tcc has not", s);
    f->swapped = f->size > 1 && order == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '>' : '<');
    return true;
}

static bool dictionary(Reader *r)
{
    Npy *f = r->out;
    bool has_descr = false, has_order = false, has_shape = false;
    if (!next(r, '{')) return false;
    while (!next(r, '}')) {
        char key[32];
        if (!string(r, key, sizeof key) || !next(r, ':')) return false;
        if (!strcmp(key, "descr") && !has_descr) {
            has_descr = true;
            if (!descr(r)) return false;
        } else if (!strcmp(key, "fortran_order") && !has_order) {
            has_order = true;
            f->fortran = word(r, "True");
            if (!f->fortran && !word(r, "False")) return false;
        } else if (!strcmp(key, "shape") && !has_shape) {
            has_shape = true;
            if (!shape(r)) return false;
        } else {
            return fail(f, "its header has a second or unknown entry '%s'", key);
        }
        if (!next(r, ',')) {
            if (!next(r, '}')) return false;
            break;
        }
    }
    space(r);
    if (r->at != r->end) return false;
    return (has_descr && has_order && has_shape) || fail(f, "its header lacks descr, fortran_order or shape");
}

static bool measure(Npy *f, size_t have)
{
    f->elements = 1;
    int64_t bytes;
    bool zero = false, overflow = false;
    for (int i = 0; i < f->rank; i++) zero = zero || f->shape[i] == 0;
    for (int i = 0; i < f->rank && !zero; i++)
        overflow = overflow || __builtin_mul_overflow(f->elements, f->shape[i], &f->elements);
    if (zero) f->elements = 0;
    if (overflow || __builtin_mul_overflow(f->elements, f->size, &bytes)) return fail(f, "its shape is absurdly large");
    if ((uint64_t)bytes > have)
        return fail(f, "it is truncated: its shape needs %lld bytes of data, there are %zu", (long long)bytes, have);
    if ((uint64_t)bytes < have)
        return fail(f, "there are %zu bytes beyond the %lld that its shape needs", have - (size_t)bytes,
                    (long long)bytes);
    return true;
}

bool npy_parse(const uint8_t *b, size_t n, Npy *out)
{
    *out = (Npy){0};
    if (n < 10 || memcmp(b, "\x93NUMPY", 6)) return fail(out, "it is no NPY file");
    if (b[6] < 1 || b[6] > 3 || b[7] != 0)
        return fail(out, "it is NPY version %d.%d, 1.0 to 3.0 are known", b[6], b[7]);
    size_t start = b[6] == 1 ? 10 : 12;
    if (n < start) return fail(out, "it is truncated within its header");
    size_t length = (size_t)b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (length > n - start) return fail(out, "it is truncated within its header");
    Reader r = {b + start, b + start + length, out};
    if (!dictionary(&r)) return *out->why ? false : fail(out, "its header cannot be read");
    out->data = b + start + length;
    return measure(out, n - start - length);
}

static void put(const Npy *f, const uint8_t *from, uint8_t *to)
{
    if (!f->swapped) {
        memcpy(to, from, (size_t)f->size);
        return;
    }
    for (int i = 0; i < f->size; i++) to[i] = from[f->size - 1 - i];
}

void npy_copy(const Npy *f, void *to)
{
    size_t size = (size_t)f->size;
    uint8_t *out = to;
    if (!f->elements) return;
    if (!f->fortran || f->rank < 2) {
        if (!f->swapped) {
            memcpy(out, f->data, (size_t)f->elements * size);
            return;
        }
        for (int64_t i = 0; i < f->elements; i++) put(f, f->data + (size_t)i * size, out + (size_t)i * size);
        return;
    }
    /* Fortran order: the first index is fastest. An odometer over indices, the last fastest, keeps the source's place.
     */
    int64_t at[NPY_RANK] = {0}, stride[NPY_RANK], place = 0;
    for (int64_t i = 0, s = 1; i < f->rank; i++) {
        stride[i] = s;
        s *= f->shape[i];
    }
    for (int64_t i = 0; i < f->elements; i++) {
        put(f, f->data + (size_t)place * size, out + (size_t)i * size);
        for (int x = f->rank - 1; x >= 0; x--) {
            place += stride[x];
            if (++at[x] < f->shape[x]) break;
            place -= stride[x] * f->shape[x];
            at[x] = 0;
        }
    }
}

size_t npy_header(char *to, const char *type, int rank, const int64_t *dims)
{
    enum { PREFIX = 10 };
    char text[900];
    int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    for (int i = 0; i < rank && i < NPY_RANK; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, i + 1 < rank || rank == 1 ? "%lld," : "%lld",
                      (long long)dims[i]);
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    size_t all = ((size_t)n + 1 + PREFIX + 63) / 64 * 64;
    memcpy(to, "\x93NUMPY\x01\x00", 8);
    to[8] = (char)((all - PREFIX) & 0xff);
    to[9] = (char)((all - PREFIX) >> 8);
    memcpy(to + PREFIX, text, (size_t)n);
    memset(to + PREFIX + n, ' ', all - PREFIX - (size_t)n - 1);
    to[all - 1] = '\n';
    return all;
}
