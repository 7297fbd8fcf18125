/* SPDX-License-Identifier: MIT */
/* ctx.h - switch from one stack to another.
 *
 * A context is a stack pointer: everything else that a function call must preserve lies just above
 * it, in the frame that rvi_ctx_switch() pushed. Layouts, in 8-byte words from the saved pointer:
 *
 *     x86-64   r15 r14 r13 r12 rbx rbp | return address
 *     aarch64  x19 .. x28, x29 x30, d8 .. d15
 *
 * Not switched: the floating-point environment (mxcsr, x87 control word, fpcr). It belongs to the
 * worker thread; saving it costs 1.6 ns a switch. Code that changes the rounding mode restores it
 * before it blocks. The signal mask is the thread's too. No shadow call stack (-fsanitize=
 * shadow-call-stack, Intel SHSTK): the objects do not carry the mark, so the loader leaves it off.
 *
 * The unwinder sees correct frames at every instruction of the switch; a fiber's first frame is a
 * trampoline at which gdb, backtrace() and _Unwind_Backtrace() end. */
#pragma once

#include <stdint.h>

/* Save the caller's context to *save_sp and continue the one in to_sp: there, the rvi_ctx_switch()
 * that saved it returns pass (or the entry function starts with pass as its argument). Returns what
 * whoever switches back passes. *save_sp is written before to_sp's stack is touched. */
__attribute__((visibility("hidden"))) void *rvi_ctx_switch(void **save_sp, void *to_sp, void *pass);

/* Prepare a stack that grows down from stack_top: the first switch to the returned context calls
 * entry(pass) on it, 16-byte aligned. entry must not return. Needs some 200 bytes of the stack. */
void *rvi_ctx_make(void *stack_top, void (*entry)(void *pass));

/* Where a context that is not running will continue. For tools; the context stays untouched. */
static inline void *rvi_ctx_saved_pc(const void *sp)
{
#if defined(__x86_64__)
    return ((void *const *)sp)[6];
#elif defined(__aarch64__)
    return ((void *const *)sp)[11];
#endif
}

/* Registers by their DWARF numbers: of a context that is not running those that a call preserves. */
struct rvi_regs {
    uintptr_t pc; /* of a context that has called: inside the call, not after it */
    uintptr_t sp;
    uintptr_t value[32];
    uint32_t known; /* bit n: value[n] is there; sp is among them */
};

/* The registers that a context which is not running will continue with, in the function that has
 * called rvi_ctx_switch(). */
void rvi_ctx_regs(const void *sp, struct rvi_regs *ret);

/* Those of a ucontext_t: what a signal has interrupted, or what getcontext() has stored. */
void rvi_ctx_regs_of_ucontext(const void *ucontext, struct rvi_regs *ret);
