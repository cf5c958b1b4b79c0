/* emit: allocated machine-level IR as a G9 module: places of blocks, bits, source lines, resources. */
#include "codegen/g9/mir.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

static IsaInst finish(const MInst *in, int64_t at, const int *place)
{
    IsaInst out = in->i;
    const IsaOperand *flex = isa_flex(&in->i);
    out.guard = in->guard == M_NONE ? ISA_PT : (uint8_t)(in->guard | (in->i.guard & 8));
    for (const IsaOperand *o = isa_row[in->i.op].operand; o->kind; o++) {
        int s = o->slot;
        if (o->kind == IO_PRED || o->kind == IO_PREDS)
            out.p[s] = (uint8_t)((in->p[s] == M_NONE ? ISA_PT : in->p[s]) | (o->kind == IO_PREDS ? in->i.p[s] & 8 : 0));
        else if (o->kind == IO_TARGET)
            out.imm = (uint32_t)(place[in->target] - (at + 1));
        else if ((o->kind == IO_REG || o->kind == IO_FLEX || (o->kind >= IO_GLOBAL && o->kind <= IO_PARAM)) &&
                 flex != o)
            out.r[s] = in->r[s] == M_NONE ? ISA_RZ : (uint8_t)in->r[s];
    }
    return out;
}

static uint32_t count(const MKernel *k)
{
    int n = 0;
    for (int i = 0; i < k->layout.n; i++) n += k->layout.at[i]->in.n;
    return (uint32_t)n;
}

static void params(IsaModule *m, IsaKernel *to, const MKernel *k)
{
    to->param = isa_alloc(m->mem, sizeof *to->param * (size_t)(k->param.n + 1));
    to->nparams = k->param.n;
    to->param_bytes = k->param_bytes;
    for (int i = 0; i < k->param.n; i++) {
        const MParam *p = &k->param.at[i];
        to->param[i] = (IsaParam){.name = isa_strndup(m->mem, p->name, strlen(p->name)),
                                  .type = p->type,
                                  .pointer = p->pointer,
                                  .rank = (uint8_t)p->rank,
                                  .offset = p->offset};
        for (int j = 0; j < p->rank; j++) to->param[i].dim[j] = isa_strndup(m->mem, p->dim[j], strlen(p->dim[j]));
    }
}

static void labels(IsaModule *m, IsaKernel *to, const MKernel *k, const int *place)
{
    bool *wanted = NEW_ARRAY(k->mem, bool, k->nblocks + 1);
    for (int i = 0; i < k->layout.n; i++)
        for (int j = 0; j < k->layout.at[i]->in.n; j++)
            if (k->layout.at[i]->in.at[j].target != M_NONE) wanted[k->layout.at[i]->in.at[j].target] = true;
    to->label = isa_alloc(m->mem, sizeof *to->label * (size_t)(k->layout.n + 1));
    for (int i = 0; i < k->layout.n; i++) {
        char name[24];
        int id = k->layout.at[i]->id;
        if (!wanted[id]) continue;
        int n = snprintf(name, sizeof name, "L%d", id);
        to->label[to->nlabels++] = (IsaLabel){isa_strndup(m->mem, name, (size_t)n), (uint32_t)place[id]};
    }
}

/* Of the first statement, for what stands before it. */
static int first_line(const MKernel *k)
{
    for (int i = 0; i < k->layout.n; i++)
        for (int j = 0; j < k->layout.at[i]->in.n; j++)
            if (k->layout.at[i]->in.at[j].line) return k->layout.at[i]->in.at[j].line;
    return 0;
}

static bool code(IsaModule *m, IsaKernel *to, const MKernel *k, const int *place, bool file, const char **why)
{
    uint32_t at = 0;
    int line = 0, first = first_line(k);
    to->line = isa_alloc(m->mem, sizeof *to->line * (size_t)(to->count + 1));
    for (int i = 0; i < k->layout.n; i++)
        for (int j = 0; j < k->layout.at[i]->in.n; j++, at++) {
            const MInst *in = &k->layout.at[i]->in.at[j];
            IsaInst bits = finish(in, at, place);
            if (!isa_encode(&bits, &m->code[to->first + at], why)) return false;
            int of = in->line ? in->line : at ? 0 : first;
            if (!file || !of || of == line) continue;
            line = of;
            to->line[to->nlines++] = (IsaLine){.at = at, .line = (uint32_t)line};
        }
    return true;
}

static bool kernel(IsaModule *m, IsaKernel *to, const MKernel *k, const IsaMachine *machine, bool file,
                   const char **why)
{
    int *place = NEW_ARRAY(k->mem, int, k->nblocks + 1), at = 0;
    for (int i = 0; i < k->layout.n; i++) {
        place[k->layout.at[i]->id] = at;
        at += k->layout.at[i]->in.n;
    }
    to->name = isa_strndup(m->mem, k->name, strlen(k->name));
    to->local = (k->local + 15) & ~15u;
    to->shared = k->shared;
    to->block[0] = (uint32_t)k->block;
    to->block[1] = to->block[2] = 1;
    params(m, to, k);
    labels(m, to, k, place);
    if (!code(m, to, k, place, file, why)) return false;
    isa_count_registers(m, to, (int)machine->chip_warp);
    return true;
}

IsaModule *mir_emit(MKernel *const *k, int n, const MConsts *consts, const IsaMachine *machine, const char *file,
                    const char **why)
{
    IsaModule *m = isa_module_new();
    jmp_buf lost;
    *why = "out of memory";
    if (!m) return NULL;
    if (setjmp(lost)) {
        *why = "out of memory";
        isa_module_free(m);
        return NULL;
    }
    isa_mem_catch(m->mem, &lost);
    m->machine = isa_strndup(m->mem, machine->name, strlen(machine->name));
    m->machine_hash = machine->hash;
    m->nkernels = n;
    m->kernel = isa_alloc(m->mem, sizeof *m->kernel * (size_t)(n + 1));
    m->nfiles = file ? 1 : 0;
    m->file = isa_alloc(m->mem, sizeof *m->file);
    if (file) m->file[0] = isa_strndup(m->mem, file, strlen(file));
    for (int i = 0; i < n; i++) {
        m->kernel[i].first = m->ninsts;
        m->kernel[i].count = count(k[i]);
        m->ninsts += m->kernel[i].count;
    }
    m->code = isa_alloc(m->mem, sizeof *m->code * ((size_t)m->ninsts + 1));
    m->const_bytes = 4u * (uint32_t)consts->word.n;
    m->consts = isa_alloc(m->mem, m->const_bytes + 1);
    if (consts->word.n) memcpy(m->consts, consts->word.at, m->const_bytes);
    if (consts->word.n) {
        m->nconsts = 1;
        m->constant = isa_alloc(m->mem, sizeof *m->constant);
        m->constant[0] = (IsaVar){isa_strndup(m->mem, "consts", 6), 0, m->const_bytes};
    }
    for (int i = 0; i < n; i++)
        if (!kernel(m, &m->kernel[i], k[i], machine, file != NULL, why)) {
            isa_module_free(m);
            return NULL;
        }
    isa_mem_catch(m->mem, NULL);
    return m;
}
