/* SPDX-License-Identifier: MIT */
#include "sched/task.h"

#include <ravel/task.h>

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sched/cancel.h"
#include "sched/forks.h"
#include "sched/sched.h"
#include "sched/worker.h"
#include "sys/thread.h"

enum { NAME_BYTES = 63 };

void rv_yield(void)
{
    struct rvi_worker *w = rvi_worker_self();

    if (w)
        rvi_worker_yield(w);
    else
        rvi_thread_yield();
}

/* A positive reason is the room's own word for an end that is no failure. */
int rv_cancelled(void)
{
    struct rvi_worker *w = rvi_worker_self();

    if (w)
        rvi_worker_catch_up(w);
    int reason = rvi_cancel_of_caller();
    return reason > 0 ? -ECANCELED : reason;
}

/* --- where it lives --- */

int rv_migrate(unsigned worker)
{
    struct rvi_worker *w = rvi_worker_self();

    if (!w)
        return -EPERM;
    if (worker >= w->sched->worker_count)
        return -EINVAL;
    if (rvi_task_self()->scopes || rvi_task_self()->forks)
        return -EBUSY;
    if (rvi_wait_allowed() < 0)
        return -ECANCELED;
    rvi_worker_migrate(w, &w->sched->workers[worker]);
    return 0;
}

int rv_task_worker(void)
{
    struct rvi_worker *w = rvi_worker_self();

    return w ? (int)w->index : -EPERM;
}

long rv_task_stack_used(void)
{
    struct rvi_task *self = rvi_task_self();

    return self ? (long)rvi_stack_high_water(self->stack) : -EPERM;
}

/* --- who it is --- */

uint64_t rv_task_id(void)
{
    struct rvi_task *self = rvi_task_self();

    return self ? self->id : 0;
}

const char *rv_task_name(void)
{
    struct rvi_task *self = rvi_task_self();

    return self ? rvi_task_name(self) : "";
}

const struct rv_site *rv_task_site(void)
{
    struct rvi_task *self = rvi_task_self();

    return self ? self->site : NULL;
}

int rv_task_rename(const char *name)
{
    struct rvi_task *self = rvi_task_self();
    size_t len = strnlen(name, NAME_BYTES);

    if (!self)
        return -EPERM;
    char *copy = rvi_alloc(len + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name, len);
    copy[len] = '\0';
    char *old = self->own_name;
    self->own_name = copy;
    rvi_compiler_barrier(); /* a signal handler may look at it */
    rvi_free(old);
    rvi_probe_rename(rvi_worker_self(), copy);
    return 0;
}
