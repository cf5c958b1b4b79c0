/* debug: DWARF line tables that point at the source text: each statement's span gives the line. Without
 * CgOptions.debug_lines nothing is made and every function here does nothing. */
#include "codegen/llvm/llvm.h"

#include <string.h>

static LLVMMetadataRef file(Cg *c)
{
    const Source *src = c->op->src ? c->op->src : c->op->span.src;
    const char *name = src && src->name ? src->name : "program.te", *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name,
               *dir = slash ? arena_strndup(c->mem, name, (size_t)(slash - name)) : ".";
    return LLVMDIBuilderCreateFile(c->dib, base, strlen(base), dir, strlen(dir));
}

static void module_flag(Cg *c, const char *key, unsigned value)
{
    LLVMMetadataRef v = LLVMValueAsMetadata(LLVMConstInt(c->i32, value, 0));
    LLVMAddModuleFlag(c->mod, LLVMModuleFlagBehaviorWarning, key, strlen(key), v);
}

void cg_debug_open(Cg *c)
{
    if (!c->o->debug_lines) return;
    c->dib = LLVMCreateDIBuilder(c->mod);
    c->dfile = file(c);
    module_flag(c, "Debug Info Version", LLVMDebugMetadataVersion());
    module_flag(c, "Dwarf Version", 4);
    LLVMDIBuilderCreateCompileUnit(c->dib, LLVMDWARFSourceLanguageC99, c->dfile, "tcc", 3, 1, "", 0, 0, "", 0,
                                   LLVMDWARFEmissionLineTablesOnly, 0, 0, 0, "", 0, "", 0);
    c->dtype = LLVMDIBuilderCreateSubroutineType(c->dib, c->dfile, NULL, 0, LLVMDIFlagZero);
}

void cg_debug_close(Cg *c)
{
    if (!c->dib) return;
    LLVMDIBuilderFinalize(c->dib);
    LLVMDisposeDIBuilder(c->dib);
    c->dib = NULL;
}

static unsigned line_of(Span s)
{
    int line = 0, column = 0;
    if (s.src) span_place(s, &line, &column);
    return line > 0 ? (unsigned)line : 0;
}

void cg_debug_function(Fn *f, const char *name, bool local)
{
    Cg *c = f->c;
    if (!c->dib) return;
    unsigned line = line_of(c->op->span);
    f->dscope = LLVMDIBuilderCreateFunction(c->dib, c->dfile, name, strlen(name), name, strlen(name), c->dfile, line,
                                            c->dtype, local, 1, line, LLVMDIFlagZero, 1);
    LLVMSetSubprogram(f->fn, f->dscope);
    LLVMSetCurrentDebugLocation2(f->b, LLVMDIBuilderCreateDebugLocation(c->ctx, line, 0, f->dscope, NULL));
}

void cg_debug_at(Fn *f, Span s)
{
    Cg *c = f->c;
    if (!c->dib || !s.src) return;
    int line = 0, column = 0;
    span_place(s, &line, &column);
    LLVMMetadataRef at = LLVMDIBuilderCreateDebugLocation(c->ctx, (unsigned)line, (unsigned)column, f->dscope, NULL);
    LLVMSetCurrentDebugLocation2(f->b, at);
}
