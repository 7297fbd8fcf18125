/* SPDX-License-Identifier: MIT */
/* clock.c - the monotonic clock, and the time of day.
 *
 * CLOCK_MONOTONIC rather than CLOCK_BOOTTIME: futex and io_uring deadlines are measured on it, and
 * a machine that was suspended must not wake up with every timeout expired.
 * Rejected: reading the time stamp counter ourselves; the vDSO does that, and knows when it may
 * not. */
#include "sys/clock.h"

#include <time.h>

#include "base/seam.h"

int64_t rvi_clock_now(void)
{
    struct timespec now;

    if (rvi_unlikely(rvi_seam != NULL))
        return rvi_seam->clock_now(rvi_seam);
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with these arguments */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t rvi_clock_wall(void)
{
    struct timespec now;

    if (rvi_unlikely(rvi_seam != NULL))
        return rvi_seam->clock_now(rvi_seam);
    clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with these arguments */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
