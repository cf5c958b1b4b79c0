/* test_te_literals: the printed form of every finite value of f16, bf16 and the f8 types, and of random tf32, f32 and
 * f64 values, reads back as that value. */
#include "tests/unit/check.h"

#include "frontend/frontend.h"
#include "ir/num.h"

#include <math.h>

enum { BATCH = 500, RANDOM = 30000 };

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The values beside an input of their type, as the right sides of lets. */
static void check_batch(DType t, const double *value, int n)
{
    Arena *mem = arena_new();
    TeOp scratch = {.mem = mem};
    Text text = {.mem = mem};
    text_printf(&text, "op t[](X: %s) -> () {\n", te_type[t].name);
    for (int i = 0; i < n; i++) {
        text_printf(&text, "let y%d = X + ", i);
        te_print_expr(&text, &scratch, te_float(&scratch, t, value[i], (Span){0}));
        text_char(&text, '\n');
    }
    text_char(&text, '}');
    Diags d = {.mem = mem};
    Source src = {"literals.te", text.s, text.n};
    AstFile *f = fe_parse(mem, &src, &d);
    TeOp *op = fe_check(mem, f, f->item[0].op, 0, NULL, &d);
    int wrong = 0;
    for (int i = 0; i < n && op; i++)
        if (memcmp(&op->def[i]->rhs->arg[1]->f, &value[i], sizeof value[i]) != 0 && wrong++ < 3)
            printf("%s %a reads back as %a\n", te_type[t].name, value[i], op->def[i]->rhs->arg[1]->f);
    CHECK(op && wrong == 0);
    arena_free(mem);
}

static void check_type(DType t)
{
    double value[BATCH];
    int bits = te_type[t].bits, n = 0;
    uint64_t state = 88172645463325252u, count = bits <= 16 ? (uint64_t)1 << bits : RANDOM;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t raw = bits <= 16 ? i : next(&state) >> (64 - bits);
        if (t == DT_TF32) raw &= ~(uint64_t)0x1fff;
        Num v = num_from_bits(t, raw);
        double x = t == DT_F64 ? v.d : (double)v.f;
        if (!isfinite(x)) continue;
        value[n++] = x;
        if (n < BATCH) continue;
        check_batch(t, value, n);
        n = 0;
    }
    check_batch(t, value, n);
}

int main(void)
{
    for (int t = 0; t < DT_COUNT; t++)
        if (te_is_float((DType)t)) check_type((DType)t);
    return check_done();
}
