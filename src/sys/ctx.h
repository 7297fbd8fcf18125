/* SPDX-License-Identifier: MIT */
/* ctx.h - switch from one stack to another.
 *
 * A context is the address of a struct rvi_ctx on the stack that was left: where to go on, and the
 * three registers that no assembler statement may clobber, because compilers keep them for
 * themselves. All others are in the clobber list: the compiler saves those that hold something, in
 * the frame of the function that switches, where unwind tables find them. So a switch is ten
 * instructions, and two lines of the other stack. On aarch64 x18 is in the list too: on Linux it is
 * a scratch register like any other, and the only one that would be left to keep something in.
 *
 * Inlined, because a call and its return belong to two stacks and confuse the processor's list of
 * return addresses: without them it stays right over a switch, down through all callers, and the
 * jump itself is predicted from history. Measured: 1.1 ns between two bare fibers, 3.4 by a called
 * function that pops and jumps, 8.8 by one that returns. It also spares saving twice what the
 * caller's frame holds anyway.
 *
 * Unwinding is right at every instruction. Up to the exchange of the stack pointer the caller's own
 * tables hold. From there to the jump the rules are: the return address, frame pointer and base
 * register lie in *to, the stack pointer is the one in use; that is, a frame whose caller is the
 * context that is about to continue. The nop is for unwinders, which look up the byte before a
 * return address.
 *
 * Not switched: the floating-point environment (mxcsr, x87 control word, fpcr). It belongs to the
 * worker thread; saving it costs 1.6 ns a switch. Code that changes the rounding mode restores it
 * before it blocks. The signal mask is the thread's too. No shadow call stack (-fsanitize=
 * shadow-call-stack, Intel SHSTK): ctx_x86_64.S lacks the mark, so the loader leaves it off.
 *
 * Checked by: tests/unit/sys/test_ctx.c (gdb unwinds at each step), tests/aarch64/test_ctx.c */
#pragma once

#include <stdint.h>

#include "base/check.h"

struct rvi_ctx {
    void *pc;
    void *sp;
    void *fp;   /* rbp, x29 */
    void *base; /* rbx, x19: of frames that are aligned further than the stack */
};

/* The outermost frame of every fiber, and where its entry would return to: see ctx_*.S. */
extern const char rvi_ctx_first_frame[] __attribute__((visibility("hidden")));
extern const char rvi_ctx_start[] __attribute__((visibility("hidden")));

/* What follows the exchange of the stack pointer, for unwinders; `to` is in rdx or x2. The bytes
 * are DW_CFA_expression, register, length, DW_OP_breg of `to`, offset. */
#if !defined(__GCC_HAVE_DWARF2_CFI_ASM)
#define RVI_CTX_CFI ""
#define RVI_CTX_CFI_END ""
#elif defined(__x86_64__)
#define RVI_CTX_CFI                                                                                \
    ".cfi_remember_state\n\t"                                                                      \
    ".cfi_def_cfa %%rsp, 0\n\t"                                                                    \
    ".cfi_escape 0x10, 16, 2, 0x71, 0\n\t"                                                         \
    ".cfi_escape 0x10, 6, 2, 0x71, 16\n\t"                                                         \
    ".cfi_escape 0x10, 3, 2, 0x71, 24\n\t"
#define RVI_CTX_CFI_END ".cfi_restore_state\n\t"
#elif defined(__aarch64__)
#define RVI_CTX_CFI                                                                                \
    ".cfi_remember_state\n\t"                                                                      \
    ".cfi_def_cfa sp, 0\n\t"                                                                       \
    ".cfi_escape 0x10, 30, 2, 0x72, 0\n\t"                                                         \
    ".cfi_escape 0x10, 29, 2, 0x72, 16\n\t"                                                        \
    ".cfi_escape 0x10, 19, 2, 0x72, 24\n\t"
#define RVI_CTX_CFI_END ".cfi_restore_state\n\t"
#endif

/* Save the caller's context to *save and continue `to`: there, the rvi_ctx_switch() that saved it
 * returns pass (or the entry function starts with pass as its argument). Returns what whoever
 * switches back passes. *save is written before to's stack is touched. */
RVI_INLINE void *rvi_ctx_switch(void **save, void *to, void *pass)
{
    struct rvi_ctx self;

#if defined(__x86_64__)
    __asm__ volatile("leaq 1f(%%rip), %%rcx\n\t"
                     "movq %%rcx, %[pc]\n\t"
                     "movq %%rsp, %[sp]\n\t"
                     "movq %%rbp, %[fp]\n\t"
                     "movq %%rbx, %[base]\n\t"
                     "leaq %[pc], %%rcx\n\t"
                     "movq %%rcx, (%%rsi)\n\t"
                     "movq 8(%%rdx), %%rsp\n\t" RVI_CTX_CFI "movq 16(%%rdx), %%rbp\n\t"
                     "movq 24(%%rdx), %%rbx\n\t"
                     "jmpq *(%%rdx)\n\t" RVI_CTX_CFI_END "nop\n"
                     "1:\n\t"
#if defined(__CET__) && (__CET__ & 1)
                     "endbr64\n\t"
#endif
                     : "+D"(pass), "+d"(to), "+S"(save), [pc] "=m"(self.pc), [sp] "=m"(self.sp),
                       [fp] "=m"(self.fp), [base] "=m"(self.base)
                     :
                     : "rax", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc",
                       "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
#if defined(__AVX512F__)
                       "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
                       "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1",
                       "k2", "k3", "k4", "k5", "k6", "k7",
#endif
                       "mm0", "mm1", "mm2", "mm3", "mm4", "mm5", "mm6", "mm7", "st", "st(1)",
                       "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
    return pass;
#elif defined(__aarch64__)
    register void *x0 __asm__("x0") = pass;
    register void *x1 __asm__("x1") = save;
    register void *x2 __asm__("x2") = to;
    register struct rvi_ctx *x3 __asm__("x3") = &self;
    __asm__ volatile("adr x9, 1f\n\t"
                     "mov x10, sp\n\t"
                     "stp x9, x10, [x3]\n\t"
                     "stp x29, x19, [x3, 16]\n\t"
                     "str x3, [x1]\n\t"
                     "ldp x16, x10, [x2]\n\t"
                     "mov sp, x10\n\t" RVI_CTX_CFI "ldp x29, x19, [x2, 16]\n\t"
                     "br x16\n\t" RVI_CTX_CFI_END "nop\n"
                     "1:\n\t"
                     "hint 36\n\t" /* bti j: a jump may land here */
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "=m"(self)
                     :
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
                       "x16", "x17", "x18", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27",
                       "x28", "x30", "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",
                       "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18",
                       "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                       "v30", "v31"
#if defined(__ARM_FEATURE_SVE)
                       ,
                       "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11",
                       "p12", "p13", "p14", "p15"
#endif
    );
    return x0;
#endif
}

/* Continue `to`, and never come back: nothing is saved. */
__attribute__((noreturn, always_inline)) static inline void rvi_ctx_jump(void *to, void *pass)
{
#if defined(__x86_64__)
    __asm__ volatile("movq 8(%%rdx), %%rsp\n\t" RVI_CTX_CFI "movq 16(%%rdx), %%rbp\n\t"
                     "movq 24(%%rdx), %%rbx\n\t"
                     "jmpq *(%%rdx)\n\t" RVI_CTX_CFI_END
                     :
                     : "D"(pass), "d"(to)
                     : "memory");
#elif defined(__aarch64__)
    register void *x0 __asm__("x0") = pass;
    register void *x2 __asm__("x2") = to;
    __asm__ volatile("ldp x16, x10, [x2]\n\t"
                     "mov sp, x10\n\t" RVI_CTX_CFI "ldp x29, x19, [x2, 16]\n\t"
                     "br x16\n\t" RVI_CTX_CFI_END
                     :
                     : "r"(x0), "r"(x2)
                     : "memory");
#endif
    __builtin_unreachable();
}

/* Prepare a stack that grows down from stack_top: the first switch to the returned context calls
 * entry(pass) on it, 16-byte aligned. entry must not return, nor write above its own frame: as long
 * as nothing else does, the context can be switched to again, and starts entry anew.
 *
 * From the top: the context; two zero words, so that even a walker that follows neither unwind
 * tables nor frame pointers reads an end there; on x86-64 the return address of entry. */
void *rvi_ctx_make(void *stack_top, void (*entry)(void *pass));

/* Where a context that is not running will continue. For tools; the context stays untouched. */
static inline void *rvi_ctx_saved_pc(const void *ctx)
{
    return ((const struct rvi_ctx *)ctx)->pc;
}

/* Registers by their DWARF numbers: of a context that is not running those that a call
 * preserves. */
struct rvi_regs {
    uintptr_t pc; /* of a context that has called: inside the call, not after it */
    uintptr_t sp;
    uintptr_t value[32];
    uint32_t known; /* bit n: value[n] is there; sp is among them */
};

/* The registers that a context which is not running will continue with, in the function that has
 * called rvi_ctx_switch(). */
void rvi_ctx_regs(const void *ctx, struct rvi_regs *ret);

/* Those of a ucontext_t: what a signal has interrupted, or what getcontext() has stored. */
void rvi_ctx_regs_of_ucontext(const void *ucontext, struct rvi_regs *ret);
