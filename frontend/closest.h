/* closest.h: the nearest of some names, for "did you mean"; types by the names of other languages. */
#ifndef TCC_FRONTEND_CLOSEST_H
#define TCC_FRONTEND_CLOSEST_H

/* The best so far: .name is NULL until one was near enough. */
typedef struct FeClosest {
    const char *to, *name;
    int edits;
} FeClosest;

/* A name of n characters may differ by a third of them, and in the case of all. */
FeClosest fe_closest_start(const char *name);
void fe_consider(FeClosest *c, const char *name);
/* Of a list; NULL when none is near. */
const char *fe_closest(const char *name, int n, const char *const *among);
/* The type that other languages call so, as `float` or `F32`; NULL when there is none. */
const char *fe_type_alias(const char *name);

#endif
