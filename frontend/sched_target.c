/* sched_target.c: what schedules may ask about a target, by sched_target.def. */
#include "frontend/sched_priv.h"

static const char *const name[] = {
#define PROPERTY(NAME, value, meaning) NAME,
#include "frontend/sched_target.def"
};
static const char *const what[] = {
#define PROPERTY(NAME, value, meaning) meaning,
#include "frontend/sched_target.def"
};
enum { COUNT = sizeof name / sizeof *name };

int sched_target_names(const char *const **names)
{
    *names = name;
    return COUNT;
}

const char *sched_target_meaning(int i) { return what[i]; }

bool sched_target_value(const Target *t, const char *wanted, int64_t *v)
{
    const int64_t value[] = {
#define PROPERTY(NAME, value, meaning) value,
#include "frontend/sched_target.def"
    };
    for (int i = 0; i < COUNT; i++) {
        if (!ir_streq(name[i], wanted)) continue;
        *v = value[i];
        return true;
    }
    return false;
}

void sched_help_property(Diags *diags, Diag *d, const char *wanted)
{
    if (!d || d == diags->spare) return;
    const char *near = fe_closest(wanted, COUNT, name);
    if (near) {
        diag_help(diags, d, "did you mean `target.%s`?", near);
        return;
    }
    Text all = {.mem = diags->mem};
    for (int i = 0; i < COUNT; i++) text_printf(&all, "%s%s", i ? ", " : "", name[i]);
    diag_help(diags, d, "they have %s", all.s);
}
