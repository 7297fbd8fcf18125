/* SPDX-License-Identifier: MIT */
/* interrupt.c - a message to each first worker, on which the first task was born: it cancels there,
 * as a scope around the first task would.
 *
 * A runtime that is in the list of schedulers may be sent a message, and is not freed while the
 * list is locked. One that has come to its end does not read it any more; it lies in the runtime
 * itself, which outlives the inbox.
 *
 * Checked by: tests/unit/task/test_interrupt.c */
#include "task/interrupt.h"

#include <errno.h>

#include "sched/sched.h"
#include "task/runtime.h"

static void deliver(struct rvi_msg *msg, void *receiver)
{
    struct rvi_worker *first = receiver;
    struct rvi_sched *sched = first->sched;

    (void)msg;
    if (sched->first_task && rvi_cancel_set(&sched->cancel, -EINTR))
        rvi_task_cancel(sched->first_task);
}

static void interrupt(struct rvi_sched *sched)
{
    struct rvi_runtime *runtime = rvi_runtime_of(sched);
    struct rvi_interrupt *self = runtime ? &runtime->interrupt : NULL;

    if (!self || !self->is_wanted || rvi_exchange_relaxed(&self->is_sent, true))
        return;
    self->msg.deliver = deliver;
    rvi_worker_send(&sched->workers[0], &self->msg);
}

void rvi_interrupt_all(void)
{
    for (struct rvi_sched *sched = rvi_scheds_lock(); sched; sched = sched->next_sched)
        interrupt(sched);
    rvi_scheds_unlock();
}
