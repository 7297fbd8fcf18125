/* SPDX-License-Identifier: MIT */
/* timers.h - one worker's timers, made for a million sleepers.
 *
 * A 4-ary heap rather than a wheel: removal is exact, nothing is rounded, an idle worker knows the
 * very next deadline without scanning, and at a million entries it costs some 220 ns a timer
 * against 140. One owner, no lock. What ends often before its time is left in the heap instead of
 * taken out: see sched/alarm.h. */
#pragma once

#include <ravel/time.h>

#include "base/heap.h"

struct rvi_timer {
    struct rvi_heap_node node;
    void (*fire)(
        struct rvi_timer *timer); /* on the owner's thread; the timer is disarmed by then */
};

struct rvi_timers {
    struct rvi_heap heap;
};

void rvi_timers_init(struct rvi_timers *timers);

/** No timer may be armed. */
void rvi_timers_fini(struct rvi_timers *timers);

static inline void rvi_timer_init(struct rvi_timer *timer, void (*fire)(struct rvi_timer *timer))
{
    rvi_heap_node_init(&timer->node);
    timer->fire = fire;
}

static inline bool rvi_timer_is_armed(const struct rvi_timer *timer)
{
    return rvi_heap_node_is_in(&timer->node);
}

/** Fire at `when` (absolute nanoseconds) or a little later; a timer that is armed must be disarmed
 * first.
 * Errors: -ENOMEM, the timer is not armed. */
int rvi_timers_arm(struct rvi_timers *timers, struct rvi_timer *timer, rv_time when)
    __attribute__((warn_unused_result));

/** Nothing happens to one that is not armed. */
static inline void rvi_timers_disarm(struct rvi_timers *timers, struct rvi_timer *timer)
{
    if (rvi_timer_is_armed(timer))
        rvi_heap_remove(&timers->heap, &timer->node);
}

/** When the next one is due; RV_NEVER when none is armed. */
static inline rv_time rvi_timers_next(const struct rvi_timers *timers)
{
    return timers->heap.count ? (rv_time)rvi_heap_min_key(&timers->heap) : RV_NEVER;
}

/** Fire all that are due at `now`, earliest first. */
void rvi_timers_expire(struct rvi_timers *timers, rv_time now);
