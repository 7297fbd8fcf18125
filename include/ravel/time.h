/* SPDX-License-Identifier: MIT */
/* time.h - one clock (monotonic nanoseconds), absolute deadlines, and sleeping. */
#pragma once

#include <ravel/def.h>

RV_BEGIN_DECLS

/** A point on the monotonic clock, or a length of time, in nanoseconds. */
typedef int64_t rv_time;

/** Lengths of time, to be multiplied: 3 * RV_SECOND. */
#define RV_NANOSECOND ((rv_time)1)
#define RV_MICROSECOND (1000 * RV_NANOSECOND)
#define RV_MILLISECOND (1000 * RV_MICROSECOND)
#define RV_SECOND (1000 * RV_MILLISECOND)
#define RV_MINUTE (60 * RV_SECOND)

/** The deadline that never comes. */
#define RV_NEVER INT64_MAX

/** The time now.
 *
 * @return nanoseconds on the monotonic clock; meaningful within this boot of this machine
 * Errors:  none
 * Blocks:  no
 * Threads: any; signal handlers too
 * Lifetime: nothing is held */
RV_API rv_time rv_now(void);

/** The deadline that lies `length` from now.
 *
 * @param length  nanoseconds; what is negative counts as 0, RV_NEVER stays RV_NEVER
 * @return an absolute time for the last parameter of a blocking call; it never overflows
 * Errors:  none
 * Blocks:  no
 * Threads: any; signal handlers too
 * Lifetime: nothing is held */
RV_API rv_time rv_after(rv_time length);

/** Wait until a point in time.
 *
 * @param when  absolute monotonic nanoseconds; RV_NEVER waits for cancellation alone
 * @return 0 when the time has come
 * Errors:  -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; a plain thread sleeps itself; not at all, and nobody else
 *          has a turn, when the time has come already: that is what rv_yield() is for
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_sleep_until(rv_time when);

/** Wait for a length of time.
 *
 * @param length  nanoseconds from now
 * @return 0 when it has passed
 * Errors:  -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; a plain thread sleeps itself; not at all, and nobody else
 *          has a turn, when the time has come already: that is what rv_yield() is for
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_sleep(rv_time length);

RV_END_DECLS
