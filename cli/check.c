/* check: --check: results beside the interpreter's. */
#include "cli/program.h"

#include <math.h>

static int tell(App *a, const Param *q, const tensorcc_check_result *r)
{
    const char *sample = r->compared < r->total
                             ? cli_printf(a, ", %lld of %lld elements", (long long)r->compared, (long long)r->total)
                             : "";
    if (!a->json)
        printf("check %s: %s, largest absolute error %.3g, relative %.3g%s\n", q->is.name, r->pass ? "pass" : "FAIL",
               r->max_abs_err, r->max_rel_err, sample);
    if (r->pass) return OK;
    return cli_error(a, C031_CHECK, q->is.name, (long long)r->at, r->got, r->want, r->bound);
}

int program_check(App *a, Program *p, json_t *to)
{
    size_t n = (size_t)p->nparams;
    tensorcc_check_result *r = cli_alloc(a, sizeof *r * (n + 1));
    const tensorcc_tensor **before = cli_alloc(a, sizeof *before * (n + 1)),
                          **after = cli_alloc(a, sizeof *after * (n + 1));
    for (size_t i = 0; i < n; i++) {
        before[i] = &p->param[i].was;
        after[i] = &p->param[i].tensor;
        r[i].struct_size = sizeof *r;
    }
    a->stage = "checking";
    int rc = cli_status(a, tensorcc_check(p->kernel, p->nparams, before, after, r));
    if (rc) return rc;
    double abs = 0, rel = 0;
    json_t *each = json_object();
    for (size_t i = 0; i < n; i++) {
        const Param *q = &p->param[i];
        if (q->is.kind == TENSORCC_INPUT || q->is.kind == TENSORCC_CONST_INPUT) continue;
        int bad = tell(a, q, &r[i]);
        if (bad) rc = bad;
        /* A NaN must not be lost in a maximum. */
        abs = r[i].max_abs_err > abs || isnan(r[i].max_abs_err) ? r[i].max_abs_err : abs;
        rel = r[i].max_rel_err > rel || isnan(r[i].max_rel_err) ? r[i].max_rel_err : rel;
        json_object_set_new(each, q->is.name,
                            json_pack("{s:o, s:o, s:I, s:I, s:s}", "max_abs_err", cli_number(r[i].max_abs_err),
                                      "max_rel_err", cli_number(r[i].max_rel_err), "compared",
                                      (json_int_t)r[i].compared, "total", (json_int_t)r[i].total, "check",
                                      r[i].pass ? "pass" : "fail"));
    }
    json_object_set_new(to, "max_abs_err", cli_number(abs));
    json_object_set_new(to, "max_rel_err", cli_number(rel));
    json_object_set_new(to, "check", json_string(rc ? "fail" : "pass"));
    json_object_set_new(to, "outputs", each);
    return rc;
}
