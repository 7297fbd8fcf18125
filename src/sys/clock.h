/* SPDX-License-Identifier: MIT */
/* clock.h - the monotonic clock, in nanoseconds.
 *
 * Every deadline in the runtime is a point on this clock, so that a stepped wall clock moves
 * nothing. */
#pragma once

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. No system call where the vDSO serves the clock. */
int64_t rvi_clock_now(void);

/* Nanoseconds since 1970, for people to read: it may be stepped. A simulation's begin when it
 * does. */
int64_t rvi_clock_wall(void);
