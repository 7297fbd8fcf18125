/* SPDX-License-Identifier: MIT */
/* alarm.h - a task's deadline: one alarm a stack, left armed when a wait ends early.
 *
 * Almost no deadline is ever reached: a server's task waits for each request with one, a minute
 * ahead, and is woken in a moment. To take a timer out of a heap then, and to put the next one in,
 * moves some four others, and each of them lies in a stack that is in no cache. So a wait that ends
 * leaves its alarm where it is. The next wait writes down when it wants to be called, and no more,
 * if the alarm is armed for no later. One that is due before its time is armed anew.
 *
 *   A1  A task that waits until `alarm_limit` has its alarm armed, for `alarm_limit` or earlier.
 *   A2  A task that does not wait with a deadline has an `alarm_limit` of RV_NEVER, and its alarm
 *       may still be armed: then it is due once, for nothing.
 *   A3  An alarm is armed on the worker on which its stack's task lives; one whose task migrates or
 *       ends is not.
 *
 * So there are at most as many armed for nothing as there are tasks, each of which costs its worker
 * one look, and perhaps one short sleep's end, for each time that it was armed. A task is nudged
 * at its limit and at no other time. In a simulation none stays armed for nothing: time leaps there
 * from one to the next.
 *
 * The alarm lies in the stack's descriptor, a line of the page that a parked task keeps in any
 * case.
 * Rejected: in the task's descriptor, which is full, and a fourth line of it costs a million tasks
 * 64 MB; in the waiting frame, which ends with the wait.
 * Checked by: tests/unit/sched/test_alarm.c, test_wait.c */
#pragma once

#include <ravel/time.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/heap.h"
#include "base/seam.h"
#include "sys/stack.h"

struct rvi_worker;

/** One worker's; touched by its thread alone. Zeroed memory has none armed. */
struct rvi_alarms {
    struct rvi_heap heap;
};

/** None may be armed. */
void rvi_alarms_fini(struct rvi_alarms *alarms);

/** When to look next; RV_NEVER: not at all. */
static inline rv_time rvi_alarms_next(const struct rvi_alarms *alarms)
{
    return (rv_time)(alarms->heap.count ? rvi_heap_min_key(&alarms->heap) : (uint64_t)RV_NEVER);
}

/** Nudge all tasks whose limits are reached. */
void rvi_alarms_expire(struct rvi_alarms *alarms, struct rvi_worker *w, rv_time now);

/** A task begins on this stack. */
static inline void rvi_alarm_init(struct rvi_stack *stack)
{
    rvi_heap_node_init(&stack->alarm);
}

int rvi_alarm_arm(struct rvi_alarms *alarms, struct rvi_stack *stack, rv_time limit)
    __attribute__((warn_unused_result));

/** The task of this stack is to be nudged at `limit`, if it is still parked.
 * Errors: -ENOMEM, and nothing is set. */
__attribute__((warn_unused_result)) static inline int rvi_alarm_set(struct rvi_alarms *alarms,
                                                                    struct rvi_stack *stack,
                                                                    rv_time limit)
{
    if (rvi_likely(rvi_heap_node_is_in(&stack->alarm) &&
                   (rv_time)rvi_heap_key(&alarms->heap, &stack->alarm) <= limit)) {
        stack->alarm_limit = limit;
        return 0;
    }
    return rvi_alarm_arm(alarms, stack, limit);
}

void rvi_alarm_disarm(struct rvi_alarms *alarms, struct rvi_stack *stack);

/** Its task leaves this worker, or ends. */
static inline void rvi_alarm_drop(struct rvi_alarms *alarms, struct rvi_stack *stack)
{
    if (rvi_unlikely(rvi_heap_node_is_in(&stack->alarm)))
        rvi_alarm_disarm(alarms, stack);
}

/** It has been set, and the wait is over. */
static inline void rvi_alarm_clear(struct rvi_alarms *alarms, struct rvi_stack *stack)
{
    stack->alarm_limit = RV_NEVER;
    if (rvi_unlikely(rvi_seam != NULL))
        rvi_alarm_drop(alarms, stack);
}
