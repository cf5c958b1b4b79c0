/* module: a file of ops, parsed: `.te`, or the Tile IR text of one op (a name that ends in .tile, or text that starts
 * with the word `tile`); or a file of schedules (a name that ends in .sched), which has no ops. */
#include "api/api.h"

#include <stdlib.h>
#include <string.h>

typedef struct Parse {
    tensorcc_context *c;
    const char *name, *text;
    size_t len;
    Arena *mem;
    tensorcc_module *m;
    tensorcc_status status;
} Parse;

static bool ends_in(const char *name, const char *ending)
{
    size_t n = strlen(name), e = strlen(ending);
    return n > e && !strcmp(name + n - e, ending);
}

static bool is_tile(const char *name, const char *text, size_t len)
{
    size_t at = 0;
    if (ends_in(name, ".tile")) return true;
    if (ends_in(name, ".te")) return false;
    while (at < len) { /* past space and comments */
        if (strchr(" \t\r\n", text[at]) && text[at]) {
            at++;
        } else if (text[at] == '#') {
            while (at < len && text[at] != '\n') at++;
        } else {
            break;
        }
    }
    return len - at > 5 && !memcmp(text + at, "tile", 4) && (text[at + 4] == ' ' || text[at + 4] == '\t');
}

/* Some text could not be read: whoever mends it wants to know at once what is wrong with what could be. */
static void look_further(const tensorcc_module *m, Diags *d)
{
    for (int i = 0; i < m->file->nitems && !d->spare; i++) {
        const AstOp *ast = m->file->item[i].op;
        bool open = false; /* a const that only the caller can give */
        for (int k = 0; ast && k < ast->nconsts; k++) open |= !ast->cst[k].value;
        TeOp *op = ast && !open ? fe_check(m->mem, m->file, ast, 0, NULL, d) : NULL;
        if (op) sched_check_bounds(op, d);
    }
}

static void parse(void *arg)
{
    Parse *p = arg;
    double start = rt_now_ns();
    tensorcc_module *m = NEW(p->mem, tensorcc_module);
    m->ctx = p->c;
    m->mem = p->mem;
    m->src = (Source){arena_strdup(p->mem, p->name), arena_strndup(p->mem, p->text, p->len), p->len};
    Diags d = {.mem = p->mem};
    if (ends_in(p->name, ".sched")) {
        m->sched = sched_parse(p->mem, &m->src, &d);
    } else if (is_tile(p->name, p->text, p->len)) {
        m->tile = tile_parse(p->mem, &m->src, &d);
        if (m->tile) m->nops = 1;
    } else {
        m->file = fe_parse(p->mem, &m->src, &d);
        if (d.errors) look_further(m, &d);
        for (int i = 0; i < m->file->nitems; i++) m->nops += m->file->item[i].op != NULL;
    }
    p->status = api_verdict(p->c, &d);
    if (p->status) return;
    m->ops = NEW_ARRAY(p->mem, const char *, m->nops + 1);
    if (m->tile) m->ops[0] = m->tile->op->name;
    for (int i = 0, n = 0; m->file && i < m->file->nitems; i++)
        if (m->file->item[i].op) m->ops[n++] = m->file->item[i].op->name.text;
    m->ns = rt_now_ns() - start;
    p->m = m;
}

tensorcc_status tensorcc_parse(tensorcc_context *c, const char *name, const char *text, size_t len,
                               tensorcc_module **out)
{
    if (!c) return TENSORCC_E_USAGE;
    if (!out) return api_usage(c, "tensorcc_parse", "out is NULL");
    *out = NULL;
    if (!name || (!text && len)) return api_usage(c, "tensorcc_parse", "name or text is NULL");
    if (len > UINT32_MAX / 2) return api_error(c, TENSORCC_E_INPUT, D_F004_TOO_LONG, "the text is longer than 2 GiB");
    Parse p = {.c = c, .name = name, .text = text ? text : "", .len = len, .mem = arena_new()};
    if (!p.mem || !api_guard_deep(p.mem, parse, &p)) p.status = api_no_memory(c);
    if (p.status) {
        arena_free(p.mem);
        return p.status;
    }
    pthread_mutex_init(&p.m->lock, NULL);
    atomic_init(&p.m->refs, 1);
    *out = p.m;
    return TENSORCC_OK;
}

void api_module_drop(tensorcc_module *m)
{
    if (!m || atomic_fetch_sub(&m->refs, 1) > 1) return;
    for (ApiChecked *k = m->checked, *next; k; k = next) {
        next = k->next;
        arena_free(k->mem);
    }
    pthread_mutex_destroy(&m->lock);
    arena_free(m->mem);
}

void tensorcc_module_free(tensorcc_module *m) { api_module_drop(m); }
int32_t tensorcc_module_ops(const tensorcc_module *m) { return m ? m->nops : 0; }
const char *tensorcc_module_op(const tensorcc_module *m, int32_t i)
{
    return m && i >= 0 && i < m->nops ? m->ops[i] : NULL;
}

const char *tensorcc_module_dim(const tensorcc_module *m, int32_t op, int32_t i)
{
    if (!m || op < 0 || op >= m->nops || i < 0) return NULL;
    if (m->tile) return i < m->tile->op->ndims ? m->tile->op->dim[i].name : NULL;
    for (int at = 0, n = 0; at < m->file->nitems; at++) {
        const AstOp *o = m->file->item[at].op;
        if (o && n++ == op) return i < o->ndims ? o->dim[i].name.text : NULL;
    }
    return NULL;
}

typedef struct Format {
    tensorcc_module *m;
    Text text;
} Format;

static void format(void *arg)
{
    Format *f = arg;
    text_add(&f->text, "");
    if (f->m->file) {
        fe_format(&f->text, f->m->file);
    } else if (f->m->sched) {
        sched_format(&f->text, f->m->sched);
    } else {
        tile_print(&f->text, f->m->tile);
    }
}

tensorcc_status tensorcc_format(tensorcc_module *m, tensorcc_blob **out)
{
    if (!m) return TENSORCC_E_USAGE;
    if (!out) return api_usage(m->ctx, "tensorcc_format", "out is NULL");
    *out = NULL;
    Arena *mem = arena_new();
    Format f = {m, {.mem = mem}};
    tensorcc_status s =
        mem && api_guard_deep(mem, format, &f) ? api_blob(m->ctx, f.text.s, f.text.n, out) : api_no_memory(m->ctx);
    arena_free(mem);
    return s;
}
