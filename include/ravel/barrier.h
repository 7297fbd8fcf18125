/* SPDX-License-Identifier: MIT */
/* barrier.h - a place where a fixed number of parties wait for each other, again and again.
 *
 * It lives in the caller's memory, made by rv_barrier_init; there is nothing to destroy. A party
 * that gives up, at its deadline or cancelled, withdraws: it has not arrived, and the others go on
 * waiting for as many parties as before. So a barrier is never broken, and the party may come back.
 * One that does not come back has failed, as a rule, and its scope tells the others. */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** Where parties wait for each other. */
struct rv_barrier {
    uint64_t opaque[8];
};

/** Make a barrier.
 *
 * @param b      caller's memory
 * @param count  parties that have to arrive; 0 is a misuse that stops the program
 * Errors:  none
 * Blocks:  no
 * Threads: any, before others see it
 * Lifetime: until the last party has returned for the last time */
RV_API void rv_barrier_init(struct rv_barrier *b, uint64_t count);

/** Arrive, and wait until all have arrived; the barrier then stands anew for the next round.
 *
 * @param b         made by rv_barrier_init, or it is a misuse that stops the program
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 1 to the party that arrived last, 0 to the others: one of them may do what is to be done
 *         once a round
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer. Then the
 *          caller has not arrived.
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep b alive until every party has returned; the last to arrive may be among the first
 *           to return */
RV_API RV_NODISCARD int rv_barrier_wait(struct rv_barrier *b, rv_time deadline);

RV_END_DECLS
