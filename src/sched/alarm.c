/* SPDX-License-Identifier: MIT */
#include "sched/alarm.h"

#include "sched/worker.h"

void rvi_alarms_fini(struct rvi_alarms *alarms)
{
    RV_CHECK(alarms->heap.count == 0);
    rvi_heap_fini(&alarms->heap);
}

static int insert(struct rvi_alarms *alarms, struct rvi_stack *stack)
{
    rv_time limit = stack->alarm_limit;

    return rvi_heap_insert(&alarms->heap, &stack->alarm, limit < 0 ? 0 : (uint64_t)limit);
}

int rvi_alarm_arm(struct rvi_alarms *alarms, struct rvi_stack *stack, rv_time limit)
{
    stack->alarm_limit = limit;
    if (limit == RV_NEVER)
        return 0;
    rvi_alarm_drop(alarms, stack);
    return insert(alarms, stack);
}

void rvi_alarm_disarm(struct rvi_alarms *alarms, struct rvi_stack *stack)
{
    rvi_heap_remove(&alarms->heap, &stack->alarm);
}

/* It has just left the heap, which therefore has room for it. */
static void ring(struct rvi_alarms *alarms, struct rvi_worker *w, struct rvi_stack *stack,
                 rv_time now)
{
    if (stack->alarm_limit <= now) {
        rvi_worker_nudge(w, stack->user);
        return;
    }
    if (stack->alarm_limit != RV_NEVER) {
        int r = insert(alarms, stack);
        RV_CHECK(r == 0);
    }
}

void rvi_alarms_expire(struct rvi_alarms *alarms, struct rvi_worker *w, rv_time now)
{
    while (rvi_alarms_next(alarms) <= now) {
        struct rvi_heap_node *node = rvi_heap_pop(&alarms->heap);
        if (!node)
            return; /* now is RV_NEVER and the heap is empty */
        ring(alarms, w, rvi_container_of(node, struct rvi_stack, alarm), now);
    }
}
