/* context: what a host program holds: callback, pool, engine, and the last message of each thread.
 *
 * Messages hang on a key of thread-specific data that belongs to the context, so that a thread that ends takes its own
 * along, and a context that closes frees those of threads that live on. */
#include "api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ApiMessage {
    tensorcc_context *ctx;
    ApiMessage *prev, *next;
    char *text;
};

static const char no_memory[] = "out of memory";

static void unlink_message(ApiMessage *m)
{
    if (m->prev) {
        m->prev->next = m->next;
    } else {
        m->ctx->messages = m->next;
    }
    if (m->next) m->next->prev = m->prev;
}

/* A thread ends. */
static void drop_message(void *arg)
{
    ApiMessage *m = arg;
    pthread_mutex_lock(&m->ctx->lock);
    unlink_message(m);
    pthread_mutex_unlock(&m->ctx->lock);
    free(m->text);
    free(m);
}

static void set_message(tensorcc_context *c, const char *text)
{
    ApiMessage *m = pthread_getspecific(c->key);
    if (!m) {
        m = calloc(1, sizeof *m);
        if (!m) return;
        m->ctx = c;
        if (pthread_setspecific(c->key, m)) {
            free(m);
            return;
        }
        pthread_mutex_lock(&c->lock);
        m->next = c->messages;
        if (m->next) m->next->prev = m;
        c->messages = m;
        pthread_mutex_unlock(&c->lock);
    }
    free(m->text);
    m->text = text ? strdup(text) : NULL;
}

const char *tensorcc_message(tensorcc_context *c)
{
    if (!c) return no_memory;
    if (!c->has_key) return "the system has no room for another context";
    ApiMessage *m = pthread_getspecific(c->key);
    return m && m->text ? m->text : "";
}

tensorcc_status tensorcc_open(const tensorcc_context_options *o, tensorcc_context **out)
{
    if (!out) return TENSORCC_E_USAGE;
    tensorcc_context *c = calloc(1, sizeof *c);
    *out = c;
    if (!c) return TENSORCC_E_ENV;
    pthread_mutex_init(&c->lock, NULL);
    c->has_key = !pthread_key_create(&c->key, drop_message);
    if (!c->has_key) return TENSORCC_E_ENV;
    tensorcc_context_options all = {0};
    if (o && !o->struct_size) return api_usage(c, "tensorcc_open", "struct_size is not set");
    if (o) memcpy(&all, o, o->struct_size < sizeof all ? o->struct_size : sizeof all);
    c->on = all.on_diagnostic;
    c->user = all.user;
    c->colour = all.colour;
    c->lent = all.pool;
    if (c->lent && (c->lent->threads < 1 || !c->lent->parallel_for))
        return api_usage(c, "tensorcc_open", "a pool needs parallel_for and at least one thread");
    if (all.threads < 0 || all.threads > 1024)
        return api_usage(c, "tensorcc_open", "threads must be from 0 (as many as may be used) to 1024");
    c->threads = c->lent ? c->lent->threads : all.threads ? all.threads : rt_usable_cpus();
    return TENSORCC_OK;
}

void tensorcc_close(tensorcc_context *c)
{
    if (!c) return;
    rt_pool_free(c->pool);
    if (c->engine) cg_engine_free(c->engine);
    if (c->has_key) pthread_key_delete(c->key);
    for (ApiMessage *m = c->messages, *next; m; m = next) {
        next = m->next;
        free(m->text);
        free(m);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- the pool ---- */

/* Pieces of a loop on a lent pool run with the kernel's floating-point environment, whatever its threads have. */
typedef struct Lent {
    tensorcc_task body;
    void *closure;
} Lent;

static void piece(void *closure, int64_t begin, int64_t end, int32_t worker)
{
    Lent *l = closure;
    RtFpEnv old = rt_fpenv_enter();
    l->body(l->closure, begin, end, worker);
    rt_fpenv_leave(old);
}

static void lent_for(void *self, int64_t n, tensorcc_task body, void *closure)
{
    tensorcc_context *c = self;
    Lent l = {body, closure};
    c->lent->parallel_for(c->lent->self, n, piece, &l);
}

const tensorcc_pool *api_pool(tensorcc_context *c)
{
    if (c->threads <= 1) return NULL;
    pthread_mutex_lock(&c->lock);
    if (!c->has_view) {
        if (c->lent) {
            c->view = (tensorcc_pool){.self = c, .threads = c->lent->threads, .parallel_for = lent_for};
        } else {
            c->pool = rt_pool_new(c->threads);
            if (c->pool) c->view = rt_pool_view(c->pool);
        }
        c->has_view = true;
    }
    pthread_mutex_unlock(&c->lock);
    return c->view.threads > 1 ? &c->view : NULL;
}

const tensorcc_pool *tensorcc_context_pool(tensorcc_context *c) { return c ? api_pool(c) : NULL; }

CgEngine *api_engine(tensorcc_context *c, char **error)
{
    pthread_mutex_lock(&c->lock);
    if (!c->engine) c->engine = cg_engine_new(error);
    CgEngine *e = c->engine;
    pthread_mutex_unlock(&c->lock);
    return e;
}

/* ---- reporting ---- */

bool api_guard(Arena *mem, void (*body)(void *), void *arg)
{
    jmp_buf out;
    arena_catch(mem, &out);
    if (setjmp(out)) {
        arena_catch(mem, NULL);
        return false;
    }
    body(arg);
    arena_catch(mem, NULL);
    return true;
}

static const char *note_text(Arena *mem, const DiagNote *n)
{
    const char *kind = n->is_help ? "help" : "note";
    int line, column;
    if (!n->span.src) return arena_printf(mem, "%s: %s", kind, n->text);
    span_place(n->span, &line, &column);
    return arena_printf(mem, "%s:%d:%d: %s: %s", n->span.src->name, line, column, kind, n->text);
}

static void give(tensorcc_context *c, Arena *mem, const Diag *d)
{
    tensorcc_diagnostic out = {.struct_size = sizeof out,
                               .warning = d->warning,
                               .code = diag_name(d->code),
                               .message = d->text,
                               .file = d->span.src ? d->span.src->name : NULL};
    if (d->span.src) span_place(d->span, &out.line, &out.column);
    VEC(const char *) notes = {0};
    for (const DiagNote *n = d->notes; n; n = n->next) VEC_PUSH(mem, &notes, note_text(mem, n));
    out.notes = notes.at;
    out.nnotes = notes.n;
    Text t = {.mem = mem};
    diag_render(&t, d, c->colour);
    out.rendered = t.s ? t.s : "";
    c->on(c->user, &out);
}

typedef struct Report {
    tensorcc_context *c;
    const Diags *d;
    Arena *mem;
} Report;

static void report(void *arg)
{
    Report *r = arg;
    const Diag *first = NULL;
    for (const Diag *d = r->d->first; d; d = d->next) {
        if (!first && !d->warning) first = d;
        if (r->c->on) give(r->c, r->mem, d);
    }
    if (!first) return;
    Text t = {.mem = r->mem};
    diag_render(&t, first, false);
    while (t.n && t.s[t.n - 1] == '\n') t.s[--t.n] = 0;
    set_message(r->c, t.s ? t.s : "");
}

void api_report(tensorcc_context *c, const Diags *d)
{
    Report r = {c, d, arena_new()};
    if (!r.mem || !api_guard(r.mem, report, &r)) set_message(c, no_memory);
    arena_free(r.mem);
}

tensorcc_status api_verdict(tensorcc_context *c, const Diags *d)
{
    if (d->first) api_report(c, d);
    return d->errors ? TENSORCC_E_INPUT : TENSORCC_OK;
}

typedef struct Single {
    tensorcc_context *c;
    Arena *mem;
    DiagCode code;
    va_list ap;
} Single;

static void report_single(void *arg)
{
    Single *s = arg;
    Diags d = {.mem = s->mem};
    diag_error_v(&d, s->code, (Span){0}, s->ap);
    api_report(s->c, &d);
}

tensorcc_status api_error(tensorcc_context *c, tensorcc_status status, DiagCode code, ...)
{
    Single s = {.c = c, .mem = arena_new(), .code = code};
    va_start(s.ap, code);
    if (!s.mem || !api_guard(s.mem, report_single, &s)) set_message(c, no_memory);
    va_end(s.ap);
    arena_free(s.mem);
    return status;
}

/* Without an allocation: the diagnostic stands as it is. */
tensorcc_status api_no_memory(tensorcc_context *c)
{
    if (c->on) {
        tensorcc_diagnostic d = {.struct_size = sizeof d,
                                 .code = diag_name(D_X001_MEMORY),
                                 .message = no_memory,
                                 .rendered = "error[X001]: out of memory\n"};
        c->on(c->user, &d);
    }
    set_message(c, no_memory);
    return TENSORCC_E_ENV;
}

tensorcc_status api_usage(tensorcc_context *c, const char *function, const char *what)
{
    return api_error(c, TENSORCC_E_USAGE, D_X006_USAGE, function, what);
}

tensorcc_status api_foreign(tensorcc_context *c, const char *code, const char *message, const char *file, int line,
                            int column, const char *rendered)
{
    if (c->on) {
        tensorcc_diagnostic d = {.struct_size = sizeof d,
                                 .code = code,
                                 .message = message,
                                 .file = file,
                                 .line = line,
                                 .column = column,
                                 .rendered = rendered};
        c->on(c->user, &d);
    }
    set_message(c, message);
    return TENSORCC_E_INPUT;
}
