/* alloc: virtual to machine registers, by linear scan over one interval each (Poletto and Sarkar, "Linear scan register
 * allocation", TOPLAS 1999). Data flow over the blocks finds what is live around loops. What does not fit is spilled:
 * predicates to registers (0 or 1), registers to local memory, each use and definition getting a short-lived one of its
 * own; then everything is done again. Lanes that go different ways share nothing, so that divergence changes nothing
 * here. */
#include "codegen/g9/mir.h"

#include <string.h>

enum { PREDS = 7, REGS = 255, ROUNDS = 64 };

typedef struct Interval {
    int id, from, to; /* reads of instruction i are at 2 i, writes at 2 i + 1 */
    bool pred;
} Interval;

typedef struct Alloc {
    Arena *mem;
    MKernel *k;
    int most;
    int n, regs;          /* registers, then predicates; registers alone, as liveness found them */
    uint64_t **in, **out; /* by place in the layout: what is live at a block's ends */
    int *first;           /* by place: number of a block's first instruction */
    int *from, *to;       /* by register or predicate: its interval, -1: never used */
    int *at;              /* the machine register or predicate */
    bool *spilled;        /* in this round */
    VEC(bool) shortlived; /* by register: made by spilling, never spilled itself */
    VEC(bool) shortpred;
    int *place; /* of blocks by id in the layout */
} Alloc;

/* ---- liveness */
static int words(const Alloc *a) { return (a->n + 63) / 64; }
static int number(const Alloc *a, const MUse *u) { return u->kind & MU_PRED ? a->regs + u->id : u->id; }

static void transfer(const Alloc *a, const MInst *in, uint64_t *live)
{
    MUse u[M_USES];
    int n = mir_uses(in, u);
    for (int i = 0; i < n; i++)
        if (u[i].kind & MU_WRITE && !(u[i].kind & MU_PARTIAL))
            live[number(a, &u[i]) / 64] &= ~(UINT64_C(1) << number(a, &u[i]) % 64);
    for (int i = 0; i < n; i++)
        if (u[i].kind & (MU_READ | MU_PARTIAL)) live[number(a, &u[i]) / 64] |= UINT64_C(1) << number(a, &u[i]) % 64;
}

static bool is_edge(const MInst *in) { return in->target != M_NONE && in->i.op == G9_BRA; }

static void join_successors(const Alloc *a, int at, uint64_t *live)
{
    const MBlock *b = a->k->layout.at[at];
    bool falls = !b->in.n || !mir_ends(&b->in.at[b->in.n - 1]);
    for (int w = 0; w < words(a); w++) live[w] = falls && at + 1 < a->k->layout.n ? a->in[at + 1][w] : 0;
}

/* A jump may stand in the middle of a block: what its target needs is live from there up. */
static bool flow(const Alloc *a, int at, uint64_t *live)
{
    const MBlock *b = a->k->layout.at[at];
    join_successors(a, at, live);
    memcpy(a->out[at], live, sizeof *live * (size_t)words(a));
    for (int i = b->in.n; i-- > 0;) {
        const MInst *in = &b->in.at[i];
        if (is_edge(in))
            for (int w = 0; w < words(a); w++) live[w] |= a->in[a->place[in->target]][w];
        transfer(a, in, live);
    }
    bool same = !memcmp(a->in[at], live, sizeof *live * (size_t)words(a));
    memcpy(a->in[at], live, sizeof *live * (size_t)words(a));
    return !same;
}

static void stretch(Alloc *a, int x, int at)
{
    if (a->from[x] < 0 || at < a->from[x]) a->from[x] = at;
    if (at > a->to[x]) a->to[x] = at;
}

/* A wide result beside operands of another width might overlap half of one: then it begins with the reads. */
static bool mixes_widths(const MInst *in)
{
    int first = 0;
    for (const IsaOperand *o = isa_row[in->i.op].operand; o->kind; o++) {
        int w = mir_width(in, o);
        if (w && first && w != first) return true;
        if (w && !first) first = w;
    }
    return in->part != 0;
}

static void intervals_of_block(Alloc *a, int at)
{
    const MBlock *b = a->k->layout.at[at];
    int end = a->first[at] + b->in.n;
    for (int x = 0; x < a->n; x++) {
        if (a->in[at][x / 64] >> x % 64 & 1) stretch(a, x, 2 * a->first[at]);
        if (a->out[at][x / 64] >> x % 64 & 1) stretch(a, x, 2 * end - 1);
    }
    for (int i = 0; i < b->in.n; i++) {
        MUse u[M_USES];
        const MInst *in = &b->in.at[i];
        int n = mir_uses(in, u), pos = 2 * (a->first[at] + i);
        bool early = mixes_widths(in);
        for (int j = 0; j < n; j++) {
            bool write = u[j].kind & MU_WRITE;
            stretch(a, number(a, &u[j]), pos + (write && !early));
            if (write) stretch(a, number(a, &u[j]), pos + 1);
        }
        if (!is_edge(in)) continue;
        const uint64_t *live = a->in[a->place[in->target]];
        for (int x = 0; x < a->n; x++)
            if (live[x / 64] >> x % 64 & 1) stretch(a, x, pos);
    }
}

static void liveness(Alloc *a)
{
    MKernel *k = a->k;
    int nb = k->layout.n, at = 0;
    a->regs = k->reg.n;
    a->n = a->regs + k->npreds;
    a->in = NEW_ARRAY(a->mem, uint64_t *, nb);
    a->out = NEW_ARRAY(a->mem, uint64_t *, nb);
    a->first = NEW_ARRAY(a->mem, int, nb + 1);
    a->place = NEW_ARRAY(a->mem, int, k->nblocks + 1);
    a->from = NEW_ARRAY(a->mem, int, a->n + 1);
    a->to = NEW_ARRAY(a->mem, int, a->n + 1);
    a->at = NEW_ARRAY(a->mem, int, a->n + 1);
    a->spilled = NEW_ARRAY(a->mem, bool, a->n + 1);
    for (int x = 0; x < a->n; x++) a->from[x] = a->to[x] = a->at[x] = -1;
    for (int i = 0; i < nb; i++) {
        a->in[i] = NEW_ARRAY(a->mem, uint64_t, words(a) + 1);
        a->out[i] = NEW_ARRAY(a->mem, uint64_t, words(a) + 1);
        a->place[k->layout.at[i]->id] = i;
        a->first[i] = at;
        at += k->layout.at[i]->in.n;
    }
    uint64_t *live = NEW_ARRAY(a->mem, uint64_t, words(a) + 1);
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = nb; i-- > 0;) changed |= flow(a, i, live);
    }
    for (int i = 0; i < nb; i++) intervals_of_block(a, i);
}

/* ---- the scan */
static void sort_by_start(Interval *v, int n, Interval *tmp)
{
    if (n < 2) return;
    int half = n / 2, i = 0, j = half, to = 0;
    sort_by_start(v, half, tmp);
    sort_by_start(v + half, n - half, tmp);
    while (i < half || j < n) tmp[to++] = j == n || (i < half && v[i].from <= v[j].from) ? v[i++] : v[j++];
    memcpy(v, tmp, sizeof *v * (size_t)n);
}

static int width_of(const Alloc *a, const Interval *v) { return v->pred ? 1 : a->k->reg.at[v->id].width; }

static int free_place(const bool *used, int width, int most)
{
    for (int r = 0; r + width <= most; r += width) {
        int w = 0;
        while (w < width && !used[r + w]) w++;
        if (w == width) return r;
    }
    return -1;
}

static bool may_spill(const Alloc *a, const Interval *v)
{
    if (v->pred) return v->id >= a->shortpred.n || !a->shortpred.at[v->id];
    return v->id >= a->shortlived.n || !a->shortlived.at[v->id];
}

typedef struct Scan {
    Interval *active;
    int n;
    bool used[REGS + 1];
} Scan;

static int slot_of(const Alloc *a, const Interval *v) { return v->pred ? a->regs + v->id : v->id; }

static void release(Alloc *a, Scan *s, int i)
{
    const Interval *v = &s->active[i];
    int r = a->at[slot_of(a, v)];
    for (int w = 0; w < width_of(a, v); w++) s->used[r + w] = false;
    s->active[i] = s->active[--s->n];
}

static void occupy(Alloc *a, Scan *s, const Interval *v, int r)
{
    a->at[slot_of(a, v)] = r;
    for (int w = 0; w < width_of(a, v); w++) s->used[r + w] = true;
    s->active[s->n++] = *v;
}

/* Spills what lives longest until v has a place; false: nothing is left to spill. */
static bool make_room(Alloc *a, Scan *s, const Interval *v, int most)
{
    for (;;) {
        int r = free_place(s->used, width_of(a, v), most), best = -1;
        if (r >= 0) return occupy(a, s, v, r), true;
        for (int i = 0; i < s->n; i++)
            if (may_spill(a, &s->active[i]) && (best < 0 || s->active[i].to > s->active[best].to)) best = i;
        if (best < 0 || (may_spill(a, v) && v->to >= s->active[best].to)) {
            a->spilled[slot_of(a, v)] = true;
            return may_spill(a, v);
        }
        a->spilled[slot_of(a, &s->active[best])] = true;
        release(a, s, best);
    }
}

/* Gives places to all registers, or to all predicates. *spills: some have none. */
static bool scan(Alloc *a, bool preds, int most, bool *spills)
{
    int count = preds ? a->k->npreds : a->k->reg.n, n = 0;
    Interval *v = NEW_ARRAY(a->mem, Interval, count + 1), *tmp = NEW_ARRAY(a->mem, Interval, count + 1);
    for (int i = 0; i < count; i++) {
        int x = preds ? a->regs + i : i;
        if (a->from[x] >= 0) v[n++] = (Interval){i, a->from[x], a->to[x], preds};
    }
    sort_by_start(v, n, tmp);
    Scan s = {.active = tmp};
    *spills = false;
    for (int i = 0; i < n; i++) {
        for (int j = s.n; j-- > 0;)
            if (s.active[j].to < v[i].from) release(a, &s, j);
        if (!make_room(a, &s, &v[i], most)) return false;
    }
    for (int i = 0; i < n; i++) *spills |= a->spilled[slot_of(a, &v[i])];
    return true;
}

/* ---- spilling */
typedef struct Rewrite {
    Alloc *a;
    MBlock *b; /* the new contents */
    int *home; /* by number: a register's offset in local memory, a predicate's register */
} Rewrite;

static void mark_short(Alloc *a, bool pred, int id)
{
    if (pred) {
        while (a->shortpred.n <= id) VEC_PUSH(a->mem, &a->shortpred, false);
        a->shortpred.at[id] = true;
        return;
    }
    while (a->shortlived.n <= id) VEC_PUSH(a->mem, &a->shortlived, false);
    a->shortlived.at[id] = true;
}

static IsaType bits_type(int width) { return width == 4 ? IT_B128 : width == 2 ? IT_B64 : IT_B32; }

static void push(Rewrite *w, MInst in, int line)
{
    in.line = line;
    VEC_PUSH(w->a->mem, &w->b->in, in);
}

static void move_register(Rewrite *w, bool load, int home, int reg, int line)
{
    MInst in = mir_inst(load ? G9_LDL : G9_STL);
    int width = w->a->k->reg.at[reg].width;
    in.i.mod[0] = (uint16_t)bits_type(width);
    in.i.imm = (uint32_t)home;
    in.r[load ? IS_D : IS_C] = reg;
    push(w, in, line);
}

static void move_predicate(Rewrite *w, bool load, int home, int pred, int line)
{
    MInst in = mir_inst(load ? G9_ISETP : G9_SEL);
    if (load) {
        in.i.mod[0] = 1; /* ne */
        in.i.mod[1] = IT_U32;
        in.p[ISP_D] = pred;
        in.r[IS_A] = home;
    } else { /* home = !pred ? 0 : 1 */
        in.i.mod[0] = IT_B32;
        in.i.form = IFORM_IMM;
        in.i.imm = 1;
        in.p[ISP_S] = pred;
        in.i.p[ISP_S] = 8;
        in.r[IS_D] = home;
    }
    push(w, in, line);
}

static void replace(MInst *in, bool pred, int from, int to)
{
    for (const IsaOperand *o = isa_row[in->i.op].operand; o->kind; o++) {
        if (pred && (o->kind == IO_PRED || o->kind == IO_PREDS) && in->p[o->slot] == from) in->p[o->slot] = to;
        if (!pred && mir_width(in, o) && in->r[o->slot] == from) in->r[o->slot] = to;
    }
    if (pred && in->guard == from) in->guard = to;
}

static void rewrite_inst(Rewrite *w, MInst in)
{
    Alloc *a = w->a;
    MUse u[M_USES];
    int n = mir_uses(&in, u), old[M_USES], now[M_USES], nr = 0;
    uint8_t kind[M_USES];
    for (int i = 0; i < n; i++) {
        bool pred = u[i].kind & MU_PRED;
        int x = number(a, &u[i]), j = 0;
        if (x >= a->n || !a->spilled[x]) continue;
        while (j < nr && (old[j] != u[i].id || (kind[j] ^ u[i].kind) & MU_PRED)) j++;
        if (j == nr) {
            old[nr] = u[i].id;
            kind[nr] = 0;
            now[nr] = pred ? mir_pred(a->k) : mir_reg(a->k, a->k->reg.at[u[i].id].width);
            mark_short(a, pred, now[nr++]);
        }
        kind[j] |= u[i].kind;
    }
    for (int j = 0; j < nr; j++) replace(&in, kind[j] & MU_PRED, old[j], now[j]);
    for (int j = 0; j < nr; j++)
        if (kind[j] & (MU_READ | MU_PARTIAL)) {
            if (kind[j] & MU_PRED)
                move_predicate(w, true, w->home[a->regs + old[j]], now[j], in.line);
            else
                move_register(w, true, w->home[old[j]], now[j], in.line);
        }
    VEC_PUSH(a->mem, &w->b->in, in);
    for (int j = 0; j < nr; j++)
        if (kind[j] & MU_WRITE) {
            if (kind[j] & MU_PRED)
                move_predicate(w, false, w->home[a->regs + old[j]], now[j], in.line);
            else
                move_register(w, false, w->home[old[j]], now[j], in.line);
        }
}

static void rewrite(Alloc *a)
{
    MKernel *k = a->k;
    int *home = NEW_ARRAY(a->mem, int, a->n + 1);
    for (int x = 0; x < a->regs; x++) {
        if (!a->spilled[x]) continue;
        uint32_t bytes = 4u * k->reg.at[x].width;
        k->local = (k->local + bytes - 1) / bytes * bytes;
        home[x] = (int)k->local;
        k->local += bytes;
    }
    for (int x = a->regs; x < a->n; x++)
        if (a->spilled[x]) home[x] = mir_reg(k, 1);
    for (int i = 0; i < k->layout.n; i++) {
        MBlock *b = k->layout.at[i], fresh = {.id = b->id};
        Rewrite w = {a, &fresh, home};
        for (int j = 0; j < b->in.n; j++) rewrite_inst(&w, b->in.at[j]);
        *b = fresh;
    }
}

static void settle(Alloc *a)
{
    MKernel *k = a->k;
    for (int i = 0; i < k->layout.n; i++)
        for (int j = 0; j < k->layout.at[i]->in.n; j++) {
            MInst *in = &k->layout.at[i]->in.at[j];
            for (const IsaOperand *o = isa_row[in->i.op].operand; o->kind; o++) {
                if (o->kind == IO_PRED || o->kind == IO_PREDS) {
                    int *p = &in->p[o->slot];
                    if (*p != M_NONE) *p = a->at[a->regs + *p];
                } else if (mir_width(in, o)) {
                    int s = o->slot;
                    in->r[s] = a->at[in->r[s]] + (in->part >> s & 1 ? in->sub[s] : 0);
                }
            }
            in->part = 0;
            if (in->guard != M_NONE) in->guard = a->at[a->regs + in->guard];
        }
    k->phys = true;
}

bool mir_allocate(MKernel *k, int most)
{
    Alloc a = {.mem = k->mem, .k = k, .most = most < REGS ? most : REGS};
    for (int round = 0; round < ROUNDS; round++) {
        bool spills;
        liveness(&a);
        if (!scan(&a, true, PREDS, &spills)) return false;
        if (!spills && !scan(&a, false, a.most, &spills)) return false;
        if (!spills) {
            settle(&a);
            return true;
        }
        rewrite(&a);
    }
    return false;
}
