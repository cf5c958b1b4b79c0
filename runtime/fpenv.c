/* fpenv: the floating-point environment that compiled code and the interpreters are written for: round to nearest even,
 * subnormals kept (no flush to zero), exceptions masked, x87 in extended precision. A host program may run with others;
 * its environment is put back when the kernel is done. */
#include "runtime/runtime.h"

#if defined(__x86_64__)

RtFpEnv rt_fpenv_enter(void)
{
    RtFpEnv old;
    uint32_t mxcsr = 0x1f80; /* all exceptions masked, none raised, nearest even, no DAZ, no FTZ */
    uint16_t x87 = 0x037f;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(old.mxcsr), "=m"(old.x87));
    if (old.mxcsr != mxcsr) __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    if (old.x87 != x87) __asm__ volatile("fldcw %0" : : "m"(x87));
    return old;
}

void rt_fpenv_leave(RtFpEnv old)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(old.mxcsr));
    if (old.x87 != 0x037f) __asm__ volatile("fldcw %0" : : "m"(old.x87));
}

#elif defined(__aarch64__)

RtFpEnv rt_fpenv_enter(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    if (fpcr) __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
    return (RtFpEnv){.mxcsr = (uint32_t)fpcr};
}

void rt_fpenv_leave(RtFpEnv old)
{
    if (old.mxcsr) __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)old.mxcsr));
}

#else

#include <fenv.h>

RtFpEnv rt_fpenv_enter(void)
{
    RtFpEnv old = {.mxcsr = (uint32_t)fegetround()};
    fesetround(FE_TONEAREST);
    return old;
}

void rt_fpenv_leave(RtFpEnv old) { fesetround((int)old.mxcsr); }

#endif
