/* SPDX-License-Identifier: MIT */
/* ctx.c - the frame that makes a new stack look as if it had switched away.
 *
 * The first switch to it pops zeros, entry in a register that survives, and continues at
 * rvi_ctx_start (ctx_*.S), which calls entry(pass). The two words above the frame are zero, so that
 * even a walker that follows neither unwind tables nor frame pointers reads an end there. */
#include "sys/ctx.h"

#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include "base/check.h"

extern const char rvi_ctx_start[] __attribute__((visibility("hidden")));

/* The layout that ctx_*.S pushes, here and in frame_registers below; tools/rv_gdb.py has it too. */
#if defined(__x86_64__)
enum { FRAME_WORDS = 7, ENTRY_WORD = 4, PC_WORD = 6 };
#elif defined(__aarch64__)
enum { FRAME_WORDS = 20, ENTRY_WORD = 0, PC_WORD = 11 };
#endif

enum { END_WORDS = 2 };

void *rvi_ctx_make(void *stack_top, void (*entry)(void *pass))
{
    uintptr_t end = ((uintptr_t)stack_top & ~(uintptr_t)15) - END_WORDS * sizeof(uintptr_t);
    uintptr_t *frame = (uintptr_t *)end - FRAME_WORDS;
    memset(frame, 0, (FRAME_WORDS + END_WORDS) * sizeof(*frame));
    frame[ENTRY_WORD] = (uintptr_t)entry;
    frame[PC_WORD] = (uintptr_t)rvi_ctx_start;
    RV_DCHECK(rvi_ctx_saved_pc(frame) == (const void *)rvi_ctx_start);
    return frame;
}

/* --- for unwinders --- */

/* Which DWARF register each word of the frame is. */
#if defined(__x86_64__)
enum { SP_REGISTER = 7, CALL_BYTES = 1 }; /* at least that long */
static const uint8_t frame_registers[] = {15, 14, 13, 12, 3, 6};
#elif defined(__aarch64__)
enum { SP_REGISTER = 31, CALL_BYTES = 4 };
static const uint8_t frame_registers[] = {19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30};
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

void rvi_ctx_regs(const void *sp, struct rvi_regs *ret)
{
    const uintptr_t *frame = sp;

    *ret = (struct rvi_regs){0};
    know_place(ret, (uintptr_t)rvi_ctx_saved_pc(sp) - CALL_BYTES, (uintptr_t)(frame + FRAME_WORDS));
    for (size_t i = 0; i < sizeof frame_registers; i++)
        know(ret, frame_registers[i], frame[i]);
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
