/* test_codegen: compiled code against the Tile interpreter, bit for bit: every operation and conversion on every data
 * type, in scalar code and in vectors with their masked tails. */
#include "tests/unit/cg_run.h"

/* ---- operations on every type
 * ------------------------------------------------------------------------------------------------------ */
static const char *loop_of(int width)
{
    static char text[4][32];
    static int at;
    char *s = text[at++ % 4];
    if (width > 1)
        snprintf(s, 32, " vector %d", width);
    else
        s[0] = 0;
    return s;
}

static bool takes(ExprOp op, DType t)
{
    bool real = te_is_float(t);
    switch (op) {
    case EX_AND:
    case EX_OR:
    case EX_NOT: return t == DT_U1;
    case EX_EQ:
    case EX_NE: return true;
    case EX_LT:
    case EX_LE:
    case EX_GT:
    case EX_GE: return t != DT_U1;
    case EX_MOD: return !real && t != DT_U1;
    case EX_SQRT: return real;
    case EX_FLOOR:
    case EX_CEIL:
    case EX_ROUND:
    case EX_TRUNC: return real;
    case EX_NEG: return t != DT_U1;
    default: return t != DT_U1 && (!num_math(op, DT_F32) || real);
    }
}

static bool tested(ExprOp op) { return te_expr[op].kind != XK_LEAF && te_expr[op].kind != XK_SPECIAL && op != EX_PICK; }

static void operations(DType t, int width)
{
    Arena *mem = arena_new();
    Text head = {.mem = mem}, body = {.mem = mem};
    const char *ty = te_type[t].name;
    text_printf(&head,
                "tile ops_%s @cpu numerics ordered:1 [N in 0..100] (X: %s[N], Y: %s[N], Z: %s[N], pos: i32[N]) -> (",
                ty, ty, ty, ty);
    text_printf(&body, "{ for i in 0..N%s {\n", loop_of(width));
    int n = 0;
    for (int o = 0; o < EX_COUNT; o++) {
        if (!tested((ExprOp)o) || !takes((ExprOp)o, t)) continue;
        const ExprInfo *e = &te_expr[o];
        bool truth = (o >= EX_EQ && o <= EX_GE) || t == DT_U1;
        const char *second = o == EX_POWI                                      ? "pos[i]"
                             : (o == EX_DIV || o == EX_MOD) && !te_is_float(t) ? "(Y[i] == 0 ? 1 : Y[i])"
                                                                               : "Y[i]";
        char *fixed = arena_printf(mem, "%s", second);
        if (strchr(second, '?')) fixed = arena_printf(mem, "(Y[i] == 0:%s ? 1:%s : Y[i])", ty, ty);
        text_printf(&head, "%sO%d: %s[N]", n++ ? ", " : "", o, truth ? "u1" : ty);
        text_printf(&body, "  O%d[i] = ", o);
        if (e->kind == XK_UNARY)
            text_printf(&body, "%sX[i]\n", e->text);
        else if (e->kind == XK_BINARY)
            text_printf(&body, "X[i] %s %s\n", e->text, fixed);
        else
            text_printf(&body,
                        e->arity == 1   ? "%s(X[i])\n"
                        : e->arity == 2 ? "%s(X[i], %s)\n"
                                        : "%s(X[i], %s, Z[i])\n",
                        e->text, fixed);
    }
    text_printf(&body, "} }\n");
    text_printf(&head, ")\n%s", body.s);
    Kernel k = compile(head.s, plain);
    run_sizes(&k, 0, 0);
    release(&k);
    arena_free(mem);
}

static void casts(DType from, int width)
{
    Arena *mem = arena_new();
    Text head = {.mem = mem}, body = {.mem = mem};
    text_printf(&head, "tile casts_%s @cpu numerics ordered:1 [N in 0..100] (X: %s[N]) -> (", te_type[from].name,
                te_type[from].name);
    text_printf(&body, "{ for i in 0..N%s {\n", loop_of(width));
    int n = 0;
    for (int t = DT_INDEX + 1; t < DT_COUNT; t++) {
        text_printf(&head, "%sO%d: %s[N]", n++ ? ", " : "", t, te_type[t].name);
        if (t == (int)from)
            text_printf(&body, "  O%d[i] = X[i]\n", t);
        else
            text_printf(&body, "  O%d[i] = %s(X[i])\n", t, te_type[t].name);
    }
    if (te_is_int(from)) {
        text_printf(&head, ", ix: i64[N]");
        text_printf(&body, "  ix[i] = i64(index(X[i]) + i)\n");
    }
    text_printf(&body, "} }\n");
    text_printf(&head, ")\n%s", body.s);
    Kernel k = compile(head.s, plain);
    run_sizes(&k, 0, 0);
    release(&k);
    arena_free(mem);
}

int main(void)
{
    Arena *mem = arena_new();
    if (!cg_start(mem)) return check_done();
    static const int widths[] = {1, 4, 8, 32};
    for (int t = DT_INDEX + 1; t < DT_COUNT; t++)
        for (int w = 0; w < 4; w++) {
            operations((DType)t, widths[w]);
            casts((DType)t, widths[w]);
        }
    cg_engine_free(engine);
    arena_free(mem);
    return check_done();
}
