/* closest.h: the nearest of some names, for "did you mean". */
#ifndef TCC_FRONTEND_CLOSEST_H
#define TCC_FRONTEND_CLOSEST_H

/* The best so far: .name is NULL until one was near enough. */
typedef struct FeClosest {
    const char *to, *name;
    int edits;
} FeClosest;

/* A name of n characters may differ by a third of them. */
FeClosest fe_closest_start(const char *name);
void fe_consider(FeClosest *c, const char *name);
/* Of a list; NULL when none is near. */
const char *fe_closest(const char *name, int n, const char *const *among);

#endif
