/* module: the `.g9` container.
 *
 *   "G9\r\n" version  header  plan  files  constants  kernels (names, params, resources, labels, variables, lines)  code
 *
 * All numbers are little-endian; strings have a 32-bit length. The file ends with the FNV-1a hash of all that stands
 * before, so that a torn copy is told from a strange one. The reader takes any bytes: every count is held against what
 * is left of the file before anything is allocated for it. */
#include "isa/isa_priv.h"

#include <setjmp.h>
#include <string.h>

static const char magic[4] = {'G', '9', '\r', '\n'};
enum { NAME_MOST = 4096, LINE_MOST = 1 << 24 };

IsaModule *isa_module_new(void)
{
    IsaMem *mem = isa_mem_new();
    IsaModule *m = mem ? isa_alloc(mem, sizeof *m) : NULL;
    if (!m) return isa_mem_free(mem), NULL;
    m->mem = mem;
    return m;
}

void isa_module_free(IsaModule *m)
{
    if (m) isa_mem_free(m->mem);
}

const IsaKernel *isa_module_kernel(const IsaModule *m, const char *name)
{
    for (int i = 0; i < m->nkernels; i++)
        if (!strcmp(m->kernel[i].name, name)) return &m->kernel[i];
    return NULL;
}

bool isa_module_line(const IsaModule *m, uint32_t at, const char **file, int *line)
{
    for (int i = 0; i < m->nkernels; i++) {
        const IsaKernel *k = &m->kernel[i];
        if (at < k->first || at - k->first >= k->count) continue;
        for (int j = k->nlines - 1; j >= 0; j--)
            if (k->line[j].at <= at - k->first) {
                *file = m->file[k->line[j].file];
                *line = (int)k->line[j].line;
                return true;
            }
    }
    return false;
}

static uint64_t fnv(const uint8_t *s, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++) h = (h ^ s[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* ---- out
 * ---------------------------------------------------------------------------------------------------------------- */

static void put(IsaText *t, uint64_t x, int bytes)
{
    uint8_t b[8];
    for (int i = 0; i < bytes; i++) b[i] = (uint8_t)(x >> 8 * i);
    isa_text_bytes(t, b, (size_t)bytes);
}
static void put32(IsaText *t, uint64_t x) { put(t, x, 4); }
static void put_str(IsaText *t, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    put32(t, n);
    isa_text_bytes(t, s, n);
}

static void put_kernel(IsaText *t, const IsaKernel *k)
{
    put_str(t, k->name);
    const uint32_t head[] = {k->first,      k->count,       k->registers, k->uregisters, k->shared,
                             k->local,      k->param_bytes, k->block[0],  k->block[1],   k->block[2],
                             k->cluster[0], k->cluster[1],  k->cluster[2]};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) put32(t, head[i]);
    put32(t, (uint32_t)k->nparams);
    for (int i = 0; i < k->nparams; i++) {
        const IsaParam *p = &k->param[i];
        put_str(t, p->name);
        put(t, p->type, 1);
        put(t, p->pointer, 1);
        put(t, p->rank, 1);
        put32(t, p->offset);
        for (int j = 0; j < p->rank; j++) put_str(t, p->dim[j]);
    }
    put32(t, (uint32_t)k->nlabels);
    for (int i = 0; i < k->nlabels; i++) put_str(t, k->label[i].name), put32(t, k->label[i].at);
    put32(t, (uint32_t)k->nvars);
    for (int i = 0; i < k->nvars; i++) put_str(t, k->var[i].name), put32(t, k->var[i].offset), put32(t, k->var[i].size);
    put32(t, (uint32_t)k->nlines);
    for (int i = 0; i < k->nlines; i++) put32(t, k->line[i].at), put32(t, k->line[i].line), put(t, k->line[i].file, 2);
}

bool isa_module_write(const IsaModule *m, IsaText *out)
{
    size_t start = out->n;
    isa_text_bytes(out, magic, sizeof magic);
    put32(out, ISA_VERSION);
    put_str(out, m->machine);
    put(out, m->machine_hash, 8);
    put_str(out, m->toolchain);
    put32(out, (uint32_t)m->nplan);
    for (int i = 0; i < m->nplan; i++) put_str(out, m->plan[i]);
    put32(out, (uint32_t)m->nfiles);
    for (int i = 0; i < m->nfiles; i++) put_str(out, m->file[i]);
    put32(out, (uint32_t)m->nconsts);
    for (int i = 0; i < m->nconsts; i++)
        put_str(out, m->constant[i].name), put32(out, m->constant[i].offset), put32(out, m->constant[i].size);
    put32(out, m->const_bytes);
    isa_text_bytes(out, m->consts, m->const_bytes);
    put32(out, (uint32_t)m->nkernels);
    for (int i = 0; i < m->nkernels; i++) put_kernel(out, &m->kernel[i]);
    put32(out, m->ninsts);
    for (uint32_t i = 0; i < m->ninsts; i++) put(out, m->code[i].lo, 8), put(out, m->code[i].hi, 8);
    if (!out->lost) put(out, fnv((const uint8_t *)out->s + start, out->n - start), 8);
    return !out->lost;
}

/* ---- in
 * ----------------------------------------------------------------------------------------------------------------- */

typedef struct In {
    IsaMem *mem;
    const uint8_t *s;
    size_t n, at;
    const char *broken; /* the first thing that was wrong */
} In;

static void fail(In *in, const char *why)
{
    if (!in->broken) in->broken = why;
    in->at = in->n;
}

static uint64_t get(In *in, int bytes)
{
    if (in->n - in->at < (size_t)bytes) return fail(in, "it ends too early"), 0;
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++) x |= (uint64_t)in->s[in->at++] << 8 * i;
    return x;
}
static uint32_t get32(In *in) { return (uint32_t)get(in, 4); }

/* A count of things that take at least `each` bytes of the file. */
static int get_count(In *in, size_t each)
{
    uint32_t n = get32(in);
    if (n > INT32_MAX || (in->n - in->at) / each < n) return fail(in, "a count is larger than the file"), 0;
    return (int)n;
}

static char *get_text(In *in, uint32_t most)
{
    uint32_t n = get32(in);
    if (n > most || n > in->n - in->at)
        return fail(in, "a text is longer than the file"), isa_strndup(in->mem, "", 0);
    if (memchr(in->s + in->at, 0, n)) fail(in, "a text has a zero inside");
    const char *s = (const char *)in->s + in->at;
    if (!in->broken) in->at += n;
    return isa_strndup(in->mem, in->broken ? "" : s, in->broken ? 0 : n);
}

static char *get_str(In *in) { return get_text(in, NAME_MOST); }

/* A name as the assembler reads it. */
static char *get_name(In *in)
{
    char *s = get_str(in);
    for (int i = 0; s[i]; i++) {
        char c = s[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i && c >= '0' && c <= '9') ||
                  (i && c == '.') || (i && c == '$');
        if (!ok) fail(in, "a name has strange characters");
    }
    if (!*s) fail(in, "a name is empty");
    return s;
}

static void get_params(In *in, IsaKernel *k)
{
    k->nparams = get_count(in, 11);
    k->param = isa_alloc(in->mem, sizeof *k->param * (size_t)(k->nparams + 1));
    uint32_t end = 0;
    for (int i = 0; i < k->nparams && !in->broken; i++) {
        IsaParam *p = &k->param[i];
        p->name = get_name(in);
        p->type = (uint8_t)get(in, 1);
        p->pointer = (uint8_t)get(in, 1);
        p->rank = (uint8_t)get(in, 1);
        p->offset = get32(in);
        if (p->type >= IT_COUNT || p->pointer > 1 || p->rank > ISA_RANK || (p->rank && !p->pointer)) {
            fail(in, "a parameter has no type");
            break;
        }
        uint32_t size = p->pointer ? 8 : isa_type[p->type].bits >= 8 ? isa_type[p->type].bits / 8u : 1;
        if (p->offset < end || p->offset % size || p->offset > 65536 - size)
            fail(in, "parameters overlap or are not aligned");
        end = p->offset + size;
        for (int j = 0; j < p->rank; j++) p->dim[j] = get_str(in);
        for (int j = 0; j < p->rank; j++)
            if (!*p->dim[j] || strpbrk(p->dim[j], ",]\n\r\t #")) fail(in, "a shape has strange characters");
    }
    if (end > k->param_bytes || k->param_bytes > 65536) fail(in, "parameters are larger than their space");
}

static void get_vars(In *in, int n, IsaVar *v, uint32_t bytes)
{
    for (int i = 0; i < n && !in->broken; i++) {
        v[i].name = get_name(in);
        v[i].offset = get32(in);
        v[i].size = get32(in);
        if (v[i].offset > bytes || v[i].size > bytes - v[i].offset) fail(in, "a variable lies outside of its space");
    }
}

static void get_kernel(In *in, const IsaModule *m, IsaKernel *k)
{
    k->name = get_name(in);
    uint32_t *head[] = {&k->first,      &k->count,       &k->registers, &k->uregisters, &k->shared,
                        &k->local,      &k->param_bytes, &k->block[0],  &k->block[1],   &k->block[2],
                        &k->cluster[0], &k->cluster[1],  &k->cluster[2]};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) *head[i] = get32(in);
    if (k->registers > 255 || k->uregisters > 63) fail(in, "a kernel has more registers than there are");
    if (k->shared >= 1u << 24 || k->local >= 1u << 24) fail(in, "a kernel has more memory than there can be");
    for (int i = 0; i < 3; i++)
        if (k->block[i] > 65536 || k->cluster[i] > 64 || !k->block[i] != !k->block[0] ||
            !k->cluster[i] != !k->cluster[0])
            fail(in, "a block or cluster has a strange size");
    get_params(in, k);
    k->nlabels = get_count(in, 8);
    k->label = isa_alloc(in->mem, sizeof *k->label * (size_t)(k->nlabels + 1));
    for (int i = 0; i < k->nlabels && !in->broken; i++) {
        k->label[i].name = get_name(in);
        k->label[i].at = get32(in);
        if (k->label[i].at > k->count) fail(in, "a label lies outside of its kernel");
    }
    k->nvars = get_count(in, 12);
    k->var = isa_alloc(in->mem, sizeof *k->var * (size_t)(k->nvars + 1));
    get_vars(in, k->nvars, k->var, k->shared);
    k->nlines = get_count(in, 10);
    k->line = isa_alloc(in->mem, sizeof *k->line * (size_t)(k->nlines + 1));
    for (int i = 0; i < k->nlines && !in->broken; i++) {
        IsaLine *l = &k->line[i];
        l->at = get32(in);
        l->line = get32(in);
        l->file = (uint16_t)get(in, 2);
        if (l->at >= k->count || (i && l->at < l[-1].at) || l->file >= m->nfiles || l->line > INT32_MAX)
            fail(in, "source lines are out of order");
    }
}

static void get_module(In *in, IsaModule *m)
{
    m->machine = get_str(in);
    m->machine_hash = get(in, 8);
    m->toolchain = get_str(in);
    m->nplan = get_count(in, 4);
    m->plan = isa_alloc(in->mem, sizeof *m->plan * (size_t)(m->nplan + 1));
    for (int i = 0; i < m->nplan; i++) {
        m->plan[i] = get_text(in, LINE_MOST);
        if (strchr(m->plan[i], '\n')) fail(in, "a line of the plan has an end inside");
    }
    m->nfiles = get_count(in, 4);
    if (m->nfiles > 65535) fail(in, "there are too many files"), m->nfiles = 0;
    m->file = isa_alloc(in->mem, sizeof *m->file * (size_t)(m->nfiles + 1));
    for (int i = 0; i < m->nfiles; i++) m->file[i] = get_str(in);
    m->nconsts = get_count(in, 12);
    m->constant = isa_alloc(in->mem, sizeof *m->constant * (size_t)(m->nconsts + 1));
    get_vars(in, m->nconsts, m->constant, 65536);
    m->const_bytes = get32(in);
    if (m->const_bytes > 65536 || m->const_bytes > in->n - in->at)
        fail(in, "constants are larger than the file"), m->const_bytes = 0;
    for (int i = 0; i < m->nconsts && !in->broken; i++)
        if (m->constant[i].offset + m->constant[i].size > m->const_bytes)
            fail(in, "a variable lies outside of its space");
    m->consts = isa_alloc(in->mem, m->const_bytes + 1);
    memcpy(m->consts, in->s + in->at, m->const_bytes);
    in->at += m->const_bytes;
    m->nkernels = get_count(in, 60);
    m->kernel = isa_alloc(in->mem, sizeof *m->kernel * (size_t)(m->nkernels + 1));
    for (int i = 0; i < m->nkernels && !in->broken; i++) {
        get_kernel(in, m, &m->kernel[i]);
        for (int j = 0; j < i && !in->broken; j++)
            if (!strcmp(m->kernel[j].name, m->kernel[i].name)) fail(in, "two kernels have one name");
    }
    m->ninsts = (uint32_t)get_count(in, 16);
    m->code = isa_alloc(in->mem, sizeof *m->code * ((size_t)m->ninsts + 1));
    for (uint32_t i = 0; i < m->ninsts; i++) m->code[i].lo = get(in, 8), m->code[i].hi = get(in, 8);
    uint32_t next = 0;
    for (int i = 0; i < m->nkernels && !in->broken; i++) {
        const IsaKernel *k = &m->kernel[i];
        if (k->first != next || k->count > m->ninsts - next) fail(in, "a kernel's code lies outside of the code");
        next += k->count;
    }
    if (!in->broken && next != m->ninsts) fail(in, "there is code of no kernel");
    if (!in->broken && in->at != in->n) fail(in, "there is more after its end");
}

IsaModule *isa_module_read(const void *data, size_t n, IsaErrors *e)
{
    const uint8_t *s = data;
    if (n < 16 || memcmp(s, magic, sizeof magic)) return isa_error(e, IE_G201_MAGIC, 0, 0, 0), NULL;
    uint32_t version = (uint32_t)s[4] | (uint32_t)s[5] << 8 | (uint32_t)s[6] << 16 | (uint32_t)s[7] << 24;
    if (version != ISA_VERSION) return isa_error(e, IE_G202_VERSION, 0, 0, 0, version, (unsigned)ISA_VERSION), NULL;
    In tail = {.s = s, .n = n, .at = n - 8};
    if (get(&tail, 8) != fnv(s, n - 8)) return isa_error(e, IE_G203_BROKEN, 0, 0, 0, "its check sum is wrong"), NULL;
    IsaModule *m = isa_module_new();
    if (!m) return isa_error(e, IE_G001_MEMORY, 0, 0, 0), NULL;
    jmp_buf lost;
    if (setjmp(lost)) {
        isa_module_free(m);
        isa_error(e, IE_G001_MEMORY, 0, 0, 0);
        return NULL;
    }
    isa_mem_catch(m->mem, &lost);
    In in = {.mem = m->mem, .s = s, .n = n - 8, .at = 8};
    get_module(&in, m);
    isa_mem_catch(m->mem, NULL);
    if (in.broken) {
        isa_error(e, IE_G203_BROKEN, 0, 0, 0, in.broken);
        isa_module_free(m);
        return NULL;
    }
    return m;
}
