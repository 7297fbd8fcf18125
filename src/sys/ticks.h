/* SPDX-License-Identifier: MIT */
/* ticks.h - what time it is, as cheaply as it can be noted, to be made nanoseconds of later.
 *
 * A note is a number of ticks of a clock: the CPU's counter where the kernel itself tells the time
 * by it, which it does where the counter runs at one rate, is the same on all cores, and stops for
 * nothing; elsewhere rvi_clock_now(). A processor's word for its counter alone would not do: cores
 * or sockets may disagree, which the kernel finds out. ticks.c says how ticks become nanoseconds.
 *
 * The counter is read without waiting for the instructions before it: some of them may come after
 * the moment noted. */
#pragma once

#include <stdint.h>

#include "base/check.h"
#include "sys/clock.h"

enum rvi_ticks_clock {
    RVI_TICKS_NS, /* rvi_clock_now() */
    RVI_TICKS_COUNTER,
};

/** The best one here, now: for all threads of all processes that it is the best one for. Simulated
 * threads have the first. */
enum rvi_ticks_clock rvi_ticks_clock(void);

static inline uint64_t rvi_ticks_counter(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#endif
}

static inline uint64_t rvi_ticks(enum rvi_ticks_clock clock)
{
    return rvi_likely(clock == RVI_TICKS_COUNTER) ? rvi_ticks_counter() : (uint64_t)rvi_clock_now();
}

/** One moment by both clocks. */
struct rvi_ticks_mark {
    uint64_t ticks;
    int64_t ns;
};

struct rvi_ticks_mark rvi_ticks_mark(enum rvi_ticks_clock clock);

/** The nanoseconds of a moment between two marks, or near them: on a straight line through both. A
 * later moment is never an earlier one of that line. */
int64_t rvi_ticks_ns(uint64_t ticks, const struct rvi_ticks_mark *a,
                     const struct rvi_ticks_mark *b);
