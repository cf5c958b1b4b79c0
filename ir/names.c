/* names: a hash table of names, with open addressing. */
#include "ir/base.h"

#include <string.h>

static unsigned hash(const char *name)
{
    unsigned h = 2166136261u; /* FNV-1a */
    while (*name) h = (h ^ (unsigned char)*name++) * 16777619u;
    return h ^ h >> 15;
}

/* Where name is, or would be. */
static int place(const NameTable *t, const char *name)
{
    int i = (int)(hash(name) & (unsigned)(t->cap - 1));
    while (t->name[i] && strcmp(t->name[i], name) != 0) i = (i + 1) & (t->cap - 1);
    return i;
}

void *names_find(const NameTable *t, const char *name) { return t->cap ? t->what[place(t, name)] : NULL; }

void names_put(Arena *mem, NameTable *t, const char *name, void *what)
{
    if (2 * (t->n + 1) > t->cap) {
        NameTable old = *t;
        t->cap = old.cap ? 2 * old.cap : 64;
        t->name = NEW_ARRAY(mem, const char *, t->cap);
        t->what = NEW_ARRAY(mem, void *, t->cap);
        for (int i = 0; i < old.cap; i++) {
            if (!old.name[i]) continue;
            int at = place(t, old.name[i]);
            t->name[at] = old.name[i];
            t->what[at] = old.what[i];
        }
    }
    int at = place(t, name);
    t->n += !t->name[at];
    t->name[at] = name;
    t->what[at] = what;
}
