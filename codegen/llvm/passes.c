/* passes: optimisation of a module. The list is short: loops arrive vectorised, unrolled and in
 * canonical form, so what is left is promotion of register buffers, common subexpressions, invariant code and tidying.
 */
#include "codegen/llvm/llvm.h"

#include <llvm-c/Error.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

#define COMBINE "instcombine<no-verify-fixpoint>"
static const char *const pipeline[] = {
    "function(sroa)",
    "function(sroa,early-cse,simplifycfg)",
    "function(sroa,early-cse<memssa>," COMBINE ",simplifycfg,loop-mssa(licm))",
    "function(sroa,early-cse<memssa>," COMBINE ",simplifycfg,loop-mssa(licm),gvn," COMBINE
    ",loop-mssa(licm),dse,simplifycfg)",
};

bool cg_passes(LLVMModuleRef m, LLVMTargetMachineRef tm, int opt, char **error)
{
    LLVMPassBuilderOptionsRef po = LLVMCreatePassBuilderOptions();
    LLVMErrorRef e = LLVMRunPasses(m, pipeline[opt < 0 ? 0 : opt > 3 ? 3 : opt], tm, po);
    LLVMDisposePassBuilderOptions(po);
    if (!e) return true;
    char *text = LLVMGetErrorMessage(e);
    *error = strdup(text);
    LLVMDisposeErrorMessage(text);
    return false;
}
