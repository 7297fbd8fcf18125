/* SPDX-License-Identifier: MIT */
/* clock.h - the monotonic clock, in nanoseconds.
 *
 * Every deadline in the runtime is a point on this clock, so that a stepped wall clock moves
 * nothing. */
#pragma once

#include <stdint.h>

#include "base/check.h"

/* Nanoseconds of CLOCK_MONOTONIC. No system call where the vDSO serves the clock. */
int64_t rvi_clock_now(void);

/* Nanoseconds since 1970, for people to read: it may be stepped. A simulation's begin when it
 * does. */
int64_t rvi_clock_wall(void);

/* Until when to wait in one go for something due at `deadline_ns` (INT64_MAX: never): until then.
 * But ThreadSanitizer keeps a signal that has come until its thread calls the C library again, and
 * would keep it for ever from one that waits in a system call: there a wait is made of short ones,
 * with this look at the clock between. */
static inline int64_t rvi_clock_wait_end(int64_t deadline_ns)
{
    const int64_t slice_ns = 20000000;
    int64_t end = RVI_TSAN ? rvi_clock_now() + slice_ns : INT64_MAX;

    return end < deadline_ns ? end : deadline_ns;
}
