/* closest.c: what a misspelled name, or another language's, was meant to be. */
#include "frontend/closest.h"

#include "ir/te.h"

#include <string.h>
#include <strings.h>

enum { NAME_MOST = 40 };

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* Edits (insert, drop, replace, swap neighbours) between two names; a difference of case alone is half an edit, so all
 * count twice. */
static int distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    if (na > NAME_MOST || nb > NAME_MOST) return 1000;
    int prev2[NAME_MOST + 1] = {0}, prev[NAME_MOST + 1], row[NAME_MOST + 1];
    for (size_t j = 0; j <= nb; j++) prev[j] = (int)(2 * j);
    for (size_t i = 1; i <= na; i++) {
        row[0] = (int)(2 * i);
        for (size_t j = 1; j <= nb; j++) {
            int same = a[i - 1] == b[j - 1] ? 0 : lower(a[i - 1]) == lower(b[j - 1]) ? 1 : 2;
            int best = prev[j - 1] + same;
            if (prev[j] + 2 < best) best = prev[j] + 2;
            if (row[j - 1] + 2 < best) best = row[j - 1] + 2;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && prev2[j - 2] + 2 < best)
                best = prev2[j - 2] + 2;
            row[j] = best;
        }
        memcpy(prev2, prev, sizeof prev[0] * (nb + 1));
        memcpy(prev, row, sizeof row[0] * (nb + 1));
    }
    return prev[nb];
}

void fe_consider(FeClosest *c, const char *name)
{
    int n = !strcasecmp(c->to, name) ? 1 : distance(c->to, name); /* SUM is near sum, however long */
    if (n < c->edits) *c = (FeClosest){c->to, name, n};
}

FeClosest fe_closest_start(const char *name)
{
    int n = (int)strlen(name), most = n <= 2 ? 1 : n <= 5 ? 2 : 4;
    return (FeClosest){name, NULL, most + 1};
}

const char *fe_closest(const char *name, int n, const char *const *among)
{
    FeClosest c = fe_closest_start(name);
    for (int i = 0; i < n; i++) fe_consider(&c, among[i]);
    return c.name;
}

/* What people write for types elsewhere. */
static const struct {
    const char *theirs, *ours;
} type_alias[] = {
    {"float", "f32"},     {"double", "f64"},   {"half", "f16"},   {"bfloat16", "bf16"}, {"float64", "f64"},
    {"float32", "f32"},   {"float16", "f16"},  {"fp64", "f64"},   {"fp32", "f32"},      {"fp16", "f16"},
    {"int", "i32"},       {"long", "i64"},     {"short", "i16"},  {"char", "i8"},       {"bool", "u1"},
    {"i1", "u1"},         {"int64", "i64"},    {"int32", "i32"},  {"int16", "i16"},     {"int8", "i8"},
    {"int4", "i4"},       {"uint64", "u64"},   {"uint32", "u32"}, {"uint16", "u16"},    {"uint8", "u8"},
    {"uint4", "u4"},      {"byte", "u8"},      {"fp8", "f8e4m3"}, {"f8", "f8e4m3"},     {"index", "i64"},
    {"float8", "f8e4m3"}, {"unsigned", "u32"},
};

const char *fe_type_alias(const char *name)
{
    for (int i = 0; i < DT_COUNT; i++)
        if (i != DT_INDEX && !strcasecmp(name, te_type[i].name)) return te_type[i].name;
    for (size_t i = 0; i < sizeof type_alias / sizeof *type_alias; i++)
        if (!strcasecmp(name, type_alias[i].theirs)) return type_alias[i].ours;
    return NULL;
}
