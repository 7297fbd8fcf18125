/* SPDX-License-Identifier: MIT */
#include "sched/culprit.h"

#include <string.h>

#include "sched/sched.h"
#include "sys/stack.h"

static void copy(char to[64], const char *text)
{
    if (text)
        strncpy(to, text, 63);
}

/* In a signal handler, on the worker's thread: what is its own may be read. */
static uintptr_t note(uintptr_t sp, void *arg)
{
    struct rvi_culprit *culprit = arg;
    const struct rvi_worker *w = culprit->worker;
    const struct rvi_task *task = rvi_here.task;
    struct rvi_stack *stack;

    if (task) {
        culprit->id = task->id;
        culprit->site = task->site;
        copy(culprit->name, rvi_task_name(task));
        copy(culprit->scope, w->sched->scope_name ? w->sched->scope_name(task) : NULL);
    }
    if (rvi_stack_pool_find(w->sched->pool, (const void *)sp, &stack) == RVI_STACK_BODY)
        return (uintptr_t)stack->high;
    return sp >= (uintptr_t)w->base.low && sp < (uintptr_t)w->base.high ? (uintptr_t)w->base.high
                                                                        : sp;
}

int rvi_culprit_find(const struct rvi_worker *worker, rv_time deadline, struct rvi_culprit *ret,
                     struct rvi_capture *ret_stack)
{
    *ret = (struct rvi_culprit){.worker = worker};
    return rvi_capture_thread(worker->thread_id, note, ret, ret_stack, deadline);
}
