/* SPDX-License-Identifier: MIT */
/* latch.h - a count that goes down to nothing once, and those who wait for that.
 *
 * It lives in the caller's memory, made by rv_latch_init; there is nothing to destroy. All-zero
 * memory is a latch that nobody has to wait for. */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** What remains to be done, and who waits for its end. */
struct rv_latch {
    uint64_t opaque[8];
};

/** Make a latch.
 *
 * @param l      caller's memory
 * @param count  how often it has to be counted down; 0: it is open at once
 * Errors:  none
 * Blocks:  no
 * Threads: any, before others see it
 * Lifetime: until the last user is done with it */
RV_API void rv_latch_init(struct rv_latch *l, uint64_t count);

/** Count down; at nothing all waiters wake, and later ones do not wait.
 *
 * @param l  the latch
 * @param n  by how much; more than remains is a misuse that stops the program
 * Errors:  none; works in a cancelled task
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: the only waiter, or the last, may free l as soon as it has returned from rv_latch_wait:
 *           this call touches l no more after it has let the waiters go */
RV_API void rv_latch_count_down(struct rv_latch *l, uint64_t n);

/** How much remains.
 *
 * @param l  the latch
 * @return 0 when it is open; others may change the truth at once
 * Errors:  none
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API uint64_t rv_latch_remaining(struct rv_latch *l);

/** Wait until nothing remains.
 *
 * @param l         the latch
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; it is open
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep l alive until return */
RV_API RV_NODISCARD int rv_latch_wait(struct rv_latch *l, rv_time deadline);

RV_END_DECLS
