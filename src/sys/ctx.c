/* SPDX-License-Identifier: MIT */
/* ctx.c - the context that makes a new stack look as if it had switched away. */
#include "sys/ctx.h"

#include <stdint.h>
#include <string.h>
#include <ucontext.h>

enum { END_WORDS = 2 };

void *rvi_ctx_make(void *stack_top, void (*entry)(void *pass))
{
    uintptr_t top = (uintptr_t)stack_top & ~(uintptr_t)15;
    struct rvi_ctx *ctx = (struct rvi_ctx *)top - 1;
    void **end = (void **)(void *)ctx - END_WORDS;

    memset(end, 0, END_WORDS * sizeof *end);
#if defined(__x86_64__)
    *--end = (void *)(uintptr_t)rvi_ctx_start;
    *ctx = (struct rvi_ctx){.pc = (void *)(uintptr_t)entry, .sp = end};
#elif defined(__aarch64__)
    *ctx = (struct rvi_ctx){
        .pc = (void *)(uintptr_t)rvi_ctx_start,
        .sp = end,
        .base = (void *)(uintptr_t)entry,
    };
#endif
    return ctx;
}

/* --- for unwinders --- */

/* By their DWARF numbers. */
#if defined(__x86_64__)
enum {
    SP_REGISTER = 7,
    FP_REGISTER = 6,
    BASE_REGISTER = 3,
    CALL_BYTES = 1
}; /* at least that long */
#elif defined(__aarch64__)
enum { SP_REGISTER = 31, FP_REGISTER = 29, BASE_REGISTER = 19, CALL_BYTES = 4 };
#endif

static void know(struct rvi_regs *regs, unsigned number, uintptr_t value)
{
    regs->value[number] = value;
    regs->known |= (uint32_t)1 << number;
}

static void know_place(struct rvi_regs *regs, uintptr_t pc, uintptr_t sp)
{
    regs->pc = pc;
    regs->sp = sp;
    know(regs, SP_REGISTER, sp);
}

void rvi_ctx_regs(const void *context, struct rvi_regs *ret)
{
    const struct rvi_ctx *ctx = context;

    *ret = (struct rvi_regs){0};
    know_place(ret, (uintptr_t)ctx->pc - CALL_BYTES, (uintptr_t)ctx->sp);
    know(ret, FP_REGISTER, (uintptr_t)ctx->fp);
    know(ret, BASE_REGISTER, (uintptr_t)ctx->base);
}

void rvi_ctx_regs_of_ucontext(const void *ucontext, struct rvi_regs *ret)
{
    const mcontext_t *at = &((const ucontext_t *)ucontext)->uc_mcontext;

    *ret = (struct rvi_regs){0};
#if defined(__x86_64__)
    static const uint8_t greg_of[16] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                        REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                        REG_R12, REG_R13, REG_R14, REG_R15};
    for (unsigned i = 0; i < 16; i++)
        know(ret, i, (uintptr_t)at->gregs[greg_of[i]]);
    know_place(ret, (uintptr_t)at->gregs[REG_RIP], (uintptr_t)at->gregs[REG_RSP]);
#elif defined(__aarch64__)
    for (unsigned i = 0; i < 31; i++)
        know(ret, i, at->regs[i]);
    know_place(ret, at->pc, at->sp);
#endif
}
