/* SPDX-License-Identifier: MIT */
/* ticker.h - something to be done every so often, in step with the clock.
 *
 *     struct rv_ticker every_second;
 *     int r = rv_ticker_init(&every_second, rv_after(RV_SECOND), RV_SECOND);
 *     while (r >= 0 && (r = rv_ticker_wait(&every_second, RV_NEVER)) > 0)
 *         sample(r);
 *
 * Ticks fall on first, first + period, first + 2 * period ... whatever the waiters do: lateness
 * never adds up. Ticks that nobody has waited for are counted, not queued. A ticker lives in the
 * caller's memory; there is nothing to destroy, and it needs no timer while nobody waits. */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** Points in time, evenly spaced. */
struct rv_ticker {
    uint64_t opaque[8];
};

/** Make a ticker.
 *
 * @param t       caller's memory
 * @param first   absolute monotonic nanoseconds of the first tick; what lies in the past is due
 * @param period  nanoseconds from one tick to the next
 * @return 0
 * Errors:  -EINVAL first is negative, or period is not positive
 * Blocks:  no
 * Threads: any, before others see it
 * Lifetime: until the last user is done with it */
RV_API RV_NODISCARD int rv_ticker_init(struct rv_ticker *t, rv_time first, rv_time period);

/** Wait until a tick is due, and take all that are.
 *
 * Several may wait: each tick is told to one of them.
 *
 * @param t         the ticker
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return how many ticks were due, at least 1: more than 1 says that some were missed. Beyond
 *         INT_MAX the rest stays due.
 * Errors:  -EPIPE stopped; -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the
 *          timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep t alive until return */
RV_API RV_NODISCARD int rv_ticker_wait(struct rv_ticker *t, rv_time deadline);

/** Stop a ticker for good: all waits, now and later, fail with -EPIPE.
 *
 * @param t  the ticker; stopping twice is the same as once
 * Errors:  none; works in a cancelled task
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: the only waiter, or the last, may free t as soon as it has returned -EPIPE: this call
 *           touches t no more after it has let the waiters go */
RV_API void rv_ticker_stop(struct rv_ticker *t);

RV_END_DECLS
