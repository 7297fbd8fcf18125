/* SPDX-License-Identifier: MIT */
/* spawn.h - from memory to a task in a deque, and back: inline, as it is most of what a short task
 * costs. On the birth worker's thread, all of it. */
#pragma once

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sched/sched.h"
#include "sched/task.h"
#include "sched/worker.h"
#include "sys/fence.h"

/** A descriptor of the calling worker's, zeroed but for birth, id and state. NULL: no memory. */
static inline struct rvi_task *rvi_task_new(struct rvi_worker *worker)
{
    struct rvi_task *task = rvi_slab_take(&worker->slab);

    if (rvi_unlikely(!task))
        return NULL;
    memset(task, 0, sizeof *task);
    task->birth = worker;
    task->id = rvi_load_relaxed(&worker->next_id);
    if (rvi_unlikely(worker->probes))
        rvi_probe_new(worker, task);
    return task;
}

/** Back to the birth worker's free list. */
static inline void rvi_task_free(struct rvi_task *task)
{
    RV_DCHECK(task->birth == rvi_worker_self());
    if (rvi_unlikely(task->own_name != NULL))
        rvi_free(task->own_name);
    rvi_slab_give(&task->birth->slab, task);
}

/** A new task will run: the next one gets another id. For whoever queues it by other means than
 * rvi_task_spawn. */
static inline void rvi_task_count_spawned(struct rvi_worker *w, struct rvi_task *task)
{
    rvi_store_relaxed(&w->next_id, task->id + w->sched->worker_count);
}

/* Somebody sleeps who might take a task of w's. */
void rvi_task_call_attention(struct rvi_worker *w);

/** Make a new task runnable by whoever comes first.
 * Errors: -ENOMEM; it stays the caller's. */
__attribute__((warn_unused_result)) static inline int rvi_task_spawn(struct rvi_worker *w,
                                                                     struct rvi_task *task)
{
    int r = rvi_deque_push(&w->fresh, task);

    if (rvi_unlikely(r < 0))
        return r;
    rvi_task_count_spawned(w, task);
    rvi_fence_light(); /* pairs: spawn-look */
    if (rvi_unlikely(rvi_load_relaxed(&w->sched->attention)))
        rvi_task_call_attention(w);
    return 0;
}
