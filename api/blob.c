/* blob: bytes that the library gives away, and small texts that several files need. */
#include "api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tensorcc_status api_blob(tensorcc_context *c, const char *bytes, size_t n, tensorcc_blob **out)
{
    tensorcc_blob *b = malloc(sizeof *b + n + 1);
    if (!b) return api_no_memory(c);
    b->size = n;
    if (n) memcpy(b->data, bytes, n);
    b->data[n] = 0;
    *out = b;
    return TENSORCC_OK;
}

const char *tensorcc_blob_data(const tensorcc_blob *b) { return b ? b->data : NULL; }
size_t tensorcc_blob_size(const tensorcc_blob *b) { return b ? b->size : 0; }
void tensorcc_blob_free(tensorcc_blob *b) { free(b); }

void api_json_string(Text *t, const char *s)
{
    if (!s) {
        text_add(t, "null");
        return;
    }
    text_char(t, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            text_char(t, '\\');
            text_char(t, (char)c);
        } else if (c < 0x20) {
            text_printf(t, "\\u%04x", c);
        } else {
            text_char(t, (char)c);
        }
    }
    text_char(t, '"');
}

const char *api_bytes(Arena *mem, double bytes)
{
    static const char *const unit[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t u = 0;
    for (; bytes >= 1024 && u + 1 < sizeof unit / sizeof *unit; u++) bytes /= 1024;
    return arena_printf(mem, bytes == (double)(int64_t)bytes ? "%.0f %s" : "%.1f %s", bytes, unit[u]);
}

/* Edits (insert, drop, change a character) from a to b; names longer than the table count as far apart. */
static int distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t n = strlen(a), m = strlen(b);
    int row[MOST + 1];
    if (n > MOST || m > MOST) return MOST;
    for (size_t j = 0; j <= m; j++) row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *api_nearest(const char *name, int n, const char *const *names)
{
    const char *best = NULL;
    int least = (int)strlen(name) / 3 + 2; /* exclusive */
    for (int i = 0; i < n; i++) {
        int d = !strcasecmp(name, names[i]) ? 0 : distance(name, names[i]);
        if (d < least && (d == 0 || d < (int)strlen(name))) {
            least = d;
            best = names[i];
        }
    }
    return best;
}
