/* SPDX-License-Identifier: MIT */
/* ctx.c - the frame that makes a new stack look as if it had switched away.
 *
 * The first switch to it pops zeros, entry in a register that survives, and continues at
 * rvi_ctx_start (ctx_*.S), which calls entry(pass). The two words above the frame are zero, so that
 * even a walker that follows neither unwind tables nor frame pointers reads an end there. */
#include "sys/ctx.h"

#include <stdint.h>
#include <string.h>

#include "base/check.h"

extern const char rvi_ctx_start[] __attribute__((visibility("hidden")));

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
