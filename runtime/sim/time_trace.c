/* time_trace: the history of one multiprocessor as Chrome's trace events, which chrome://tracing and Perfetto show: a
 * row for each block's place, one for each warp with its instructions and what it waited for between them, and marks.
 */
#include "runtime/sim/time.h"

static void stamp(const SimTime *t, IsaText *out, uint64_t clock, uint64_t clocks)
{
    double us = 1.0 / (double)t->m->chip_mhz;
    isa_text(out, "\"ts\": %.6f, \"dur\": %.6f", (double)clock * us, (double)clocks * us);
}

static void instruction(const SimTime *t, IsaText *out, const TimeEvent *e)
{
    const SimRun *r = t->run;
    const SimInst *in = &r->code[e->at - r->kernel->first];
    const char *file = "";
    int line = 0;
    isa_module_line(r->module, e->at, &file, &line);
    if (e->clocks) {
        isa_text(out, "{\"name\": \"%s\", \"cat\": \"stall\", \"ph\": \"X\", \"pid\": %u, \"tid\": %u, ",
                 sim_stall_name[e->why], e->sm, e->warp);
        stamp(t, out, e->clock - e->clocks, e->clocks);
        isa_text(out, "},\n");
    }
    isa_text(out, "{\"name\": \"%s\", \"cat\": \"instruction\", \"ph\": \"X\", \"pid\": %u, \"tid\": %u, ",
             isa_row[in->in.op].name, e->sm, e->warp);
    stamp(t, out, e->clock, 1);
    isa_text(out, ", \"args\": {\"at\": %u, \"line\": %d, \"clock\": %llu}},\n", e->at, line,
             (unsigned long long)e->clock);
}

bool time_trace(const SimTime *t, IsaText *out)
{
    isa_text(
        out,
        "{\"displayTimeUnit\": \"ns\", \"otherData\": {\"machine\": \"%s\", \"mhz\": \"%lld\"},\n\"traceEvents\": [\n",
        t->m->name, (long long)t->m->chip_mhz);
    for (int i = 0; i < t->ngroups; i++)
        for (int k = 0; k < t->group[i].events; k++) {
            const TimeEvent *e = &t->group[i].event[k];
            if (e->what == TIME_INSTRUCTION) {
                instruction(t, out, e);
            } else if (e->what == TIME_BLOCK) {
                isa_text(out, "{\"name\": \"block %u\", \"cat\": \"block\", \"ph\": \"X\", \"pid\": %u, \"tid\": %u, ",
                         e->at, e->sm, e->warp);
                stamp(t, out, e->clock, e->clocks);
                isa_text(out, "},\n");
            } else {
                isa_text(out,
                         "{\"name\": \"mark %u\", \"cat\": \"mark\", \"ph\": \"i\", \"s\": \"t\", \"pid\": %u, "
                         "\"tid\": %u, \"ts\": %.6f},\n",
                         e->imm, e->sm, e->warp, (double)e->clock / (double)t->m->chip_mhz);
            }
        }
    for (int i = 0; i < t->group->nsms; i++)
        isa_text(out, "{\"name\": \"process_name\", \"ph\": \"M\", \"pid\": %d, \"args\": {\"name\": \"SM %d\"}}%s\n",
                 i, i, i + 1 < t->group->nsms ? "," : "");
    isa_text(out, "]}\n");
    return !out->lost;
}
