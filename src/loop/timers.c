/* SPDX-License-Identifier: MIT */
#include "loop/timers.h"

#include "base/check.h"

void rvi_timers_init(struct rvi_timers *timers)
{
    rvi_heap_init(&timers->heap);
}

void rvi_timers_fini(struct rvi_timers *timers)
{
    RV_CHECK(timers->heap.count == 0);
    rvi_heap_fini(&timers->heap);
}

int rvi_timers_arm(struct rvi_timers *timers, struct rvi_timer *timer, rv_time when)
{
    RV_DCHECK(!rvi_heap_node_is_in(&timer->node));
    return rvi_heap_insert(&timers->heap, &timer->node, when < 0 ? 0 : (uint64_t)when);
}

void rvi_timers_expire(struct rvi_timers *timers, rv_time now)
{
    while (rvi_timers_next(timers) <= now) {
        struct rvi_heap_node *node = rvi_heap_pop(&timers->heap);
        if (!node)
            return; /* now is RV_NEVER and the heap is empty */
        struct rvi_timer *timer = rvi_container_of(node, struct rvi_timer, node);
        timer->fire(timer);
    }
}
