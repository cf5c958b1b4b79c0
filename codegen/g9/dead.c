/* dead: drops instructions without effect whose results nobody reads: strides of tensors that a kernel does not touch,
 * selections that a store took over. */
#include "codegen/g9/mir.h"

#include <string.h>

typedef struct Count {
    int *reg, *pred; /* how often each is read */
} Count;

static bool has_effect(const MInst *in)
{
    const IsaRow *row = &isa_row[in->i.op];
    bool plain = row->category <= IC_MOVE || (row->category == IC_MEMORY && row->flags & IF_LOAD);
    return !plain || row->flags & (IF_STORE | IF_ATOM | IF_JUMP | IF_WAITS) || in->i.op == G9_R2P;
}

static void count(Count *c, const MInst *in, int by)
{
    MUse u[M_USES];
    int n = mir_uses(in, u);
    for (int i = 0; i < n; i++)
        if (u[i].kind & MU_READ) (u[i].kind & MU_PRED ? c->pred : c->reg)[u[i].id] += by;
}

static bool is_read(const Count *c, const MInst *in)
{
    MUse u[M_USES];
    int n = mir_uses(in, u);
    for (int i = 0; i < n; i++)
        if (u[i].kind & MU_WRITE && (u[i].kind & MU_PRED ? c->pred : c->reg)[u[i].id] > 0) return true;
    return false;
}

void mir_drop_dead(MKernel *k)
{
    Count c = {NEW_ARRAY(k->mem, int, k->reg.n + 1), NEW_ARRAY(k->mem, int, k->npreds + 1)};
    for (int i = 0; i < k->layout.n; i++)
        for (int j = 0; j < k->layout.at[i]->in.n; j++) count(&c, &k->layout.at[i]->in.at[j], 1);
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = k->layout.n; i-- > 0;) {
            MBlock *b = k->layout.at[i];
            int to = b->in.n;
            for (int j = b->in.n; j-- > 0;) {
                if (has_effect(&b->in.at[j]) || is_read(&c, &b->in.at[j])) {
                    b->in.at[--to] = b->in.at[j];
                    continue;
                }
                count(&c, &b->in.at[j], -1);
                changed = true;
            }
            if (to) memmove(b->in.at, b->in.at + to, sizeof *b->in.at * (size_t)(b->in.n - to));
            b->in.n -= to;
        }
    }
}
