/* api_run.h: what tests of the C API share: compiling a text, tensors over arrays. */
#ifndef TCC_TESTS_API_RUN_H
#define TCC_TESTS_API_RUN_H

#include "include/tensorcc.h"
#include "tests/unit/check.h"

#include <stdlib.h>

typedef struct Seen { /* what the callback got */
    int errors, warnings, notes;
    char code[8], message[512], notes_text[2048], rendered[4096];
    int line, column;
} Seen;

static inline void see(void *user, const tensorcc_diagnostic *d)
{
    Seen *s = user;
    if (d->warning) {
        s->warnings++;
        return;
    }
    if (s->errors++) return;
    snprintf(s->code, sizeof s->code, "%s", d->code);
    snprintf(s->message, sizeof s->message, "%s", d->message);
    snprintf(s->rendered, sizeof s->rendered, "%s", d->rendered);
    s->notes = d->nnotes;
    s->line = d->line;
    s->column = d->column;
    for (int i = 0; i < d->nnotes; i++) {
        size_t n = strlen(s->notes_text);
        snprintf(s->notes_text + n, sizeof s->notes_text - n, "%s\n", d->notes[i]);
    }
}

static inline tensorcc_context *open_context(Seen *s, int threads)
{
    tensorcc_context *c = NULL;
    tensorcc_context_options o = {
        .struct_size = sizeof o, .on_diagnostic = s ? see : NULL, .user = s, .threads = threads};
    CHECK(tensorcc_open(&o, &c) == TENSORCC_OK);
    return c;
}

static inline tensorcc_module *parse(tensorcc_context *c, const char *text)
{
    tensorcc_module *m = NULL;
    tensorcc_parse(c, "test.te", text, strlen(text), &m);
    return m;
}

/* dims: "M=4 N=?" */
static inline tensorcc_status compile_with(tensorcc_module *m, const char *op, const char *target, const char *dims,
                                           const char *consts, unsigned flags, tensorcc_kernel **out)
{
    char text[2][512];
    tensorcc_value v[2][32];
    int n[2] = {0, 0};
    const char *from[2] = {dims, consts};
    for (int l = 0; l < 2; l++) {
        snprintf(text[l], sizeof text[l], "%s", from[l] ? from[l] : "");
        for (char *save = NULL, *w = strtok_r(text[l], " ", &save); w; w = strtok_r(NULL, " ", &save)) {
            char *eq = strchr(w, '=');
            *eq = 0;
            v[l][n[l]++] = (tensorcc_value){w, eq + 1};
        }
    }
    tensorcc_compile_options o = {.struct_size = sizeof o,
                                  .flags = flags,
                                  .op = op,
                                  .target = target,
                                  .ndims = n[0],
                                  .dims = v[0],
                                  .nconsts = n[1],
                                  .consts = v[1]};
    return tensorcc_compile(m, &o, out);
}

static inline tensorcc_kernel *compile(tensorcc_context *c, const char *text, const char *target, const char *dims)
{
    tensorcc_kernel *k = NULL;
    tensorcc_module *m = parse(c, text);
    if (!CHECK(m != NULL)) return NULL;
    CHECK(compile_with(m, NULL, target, dims, NULL, 0, &k) == TENSORCC_OK);
    tensorcc_module_free(m); /* the kernel lives on */
    return k;
}

typedef struct T { /* a tensor of up to 4 dimensions */
    tensorcc_tensor t;
    int64_t shape[4], strides[4];
} T;

static inline T *tensor(T *t, void *data, const char *type, int rank, const int64_t *shape, const int64_t *strides)
{
    static const struct {
        const char *name;
        uint8_t code, bits;
    } types[] = {{"f32", 2, 32}, {"f64", 2, 64}, {"f16", 2, 16}, {"i32", 0, 32}, {"i8", 0, 8},
                 {"u8", 1, 8},   {"u4", 1, 4},   {"i4", 0, 4},   {"u1", 6, 8},   {"bf16", 4, 16}};
    *t = (T){.t = {.data = data, .device = {1, 0}, .ndim = rank}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, type)) t->t.dtype = (tensorcc_dl_dtype){types[i].code, types[i].bits, 1};
    for (int i = 0; i < rank; i++) {
        t->shape[i] = shape[i];
        if (strides) t->strides[i] = strides[i];
    }
    t->t.shape = t->shape;
    if (strides) t->t.strides = t->strides;
    return t;
}

#define SHAPE(...)                                                                                                     \
    (sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) { __VA_ARGS__ }

/* Runs with the tensors given. */
#define RUN(k, ...)                                                                                                    \
    tensorcc_run((k), (int32_t)(sizeof((const tensorcc_tensor *[]){__VA_ARGS__}) / sizeof(void *)),                    \
                 (const tensorcc_tensor *const[]){__VA_ARGS__})

#endif
