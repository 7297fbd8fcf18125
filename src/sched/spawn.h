/* SPDX-License-Identifier: MIT */
/* spawn.h - from memory to a task in a deque, and back: inline, as it is most of what a short task
 * costs. On the birth worker's thread, all of it. */
#pragma once

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/usdt.h"
#include "sched/sched.h"
#include "sched/task.h"
#include "sched/worker.h"
#include "sys/fence.h"

/* What a task begins with. What fn, arg, site and ended are its maker says; a message is filled in
 * when it is sent. */
static inline void rvi_task_init(struct rvi_worker *worker, struct rvi_task *task)
{
    task->birth = worker;
    memset(&task->group, 0, offsetof(struct rvi_task, cancel) - offsetof(struct rvi_task, group));
    memset(&task->cancel, 0,
           offsetof(struct rvi_task, poke_msg) - offsetof(struct rvi_task, cancel));
    task->id = rvi_load_relaxed(&worker->next_id);
    RVI_USDT(task_spawn, task->id);
}

/** A descriptor of the calling worker's, with birth and id; of the rest fn, arg, site and ended are
 * undefined and the others 0. NULL: no memory. */
static inline struct rvi_task *rvi_task_new(struct rvi_worker *worker)
{
    struct rvi_task *task = rvi_slab_take(&worker->slab);

    if (rvi_unlikely(!task))
        return NULL;
    rvi_task_init(worker, task);
    if (rvi_unlikely(worker->probes))
        rvi_probe_new(worker, task);
    return task;
}

/** The same without a call, for paths that want no frame. NULL: use rvi_task_new(). */
static inline struct rvi_task *rvi_task_new_at_hand(struct rvi_worker *worker)
{
    struct rvi_task *task = worker->probes ? NULL : rvi_slab_take_at_hand(&worker->slab);

    if (rvi_likely(task != NULL))
        rvi_task_init(worker, task);
    return task;
}

/** Back to the birth worker's free list: one that has no name of its own. */
static inline void rvi_task_free_plain(struct rvi_task *task)
{
    RV_DCHECK(task->birth == rvi_worker_self());
    rvi_slab_give(&task->birth->slab, task);
}

/** The same for any. */
static inline void rvi_task_free(struct rvi_task *task)
{
    if (rvi_unlikely(task->own_name != NULL))
        rvi_free(task->own_name);
    rvi_task_free_plain(task);
}

/** A new task will run: the next one gets another id. For whoever queues it by other means than
 * rvi_task_spawn. */
static inline void rvi_task_count_spawned(struct rvi_worker *w, struct rvi_task *task)
{
    rvi_store_relaxed(&w->next_id, task->id + w->sched->worker_count);
}

/* Somebody sleeps who might take a task of w's. */
void rvi_task_call_attention(struct rvi_worker *w);

/** A task has been pushed: whoever sleeps hears of it. Last of all, for paths that want no
 * frame. */
static inline void rvi_task_announce(struct rvi_worker *w, struct rvi_task *task)
{
    rvi_task_count_spawned(w, task);
    rvi_fence_light(); /* pairs: spawn-look */
    if (rvi_unlikely(rvi_load_relaxed(&w->sched->attention)))
        rvi_task_call_attention(w);
}

/** Make a new task runnable by whoever comes first.
 * Errors: -ENOMEM; it stays the caller's. */
__attribute__((warn_unused_result)) static inline int rvi_task_spawn(struct rvi_worker *w,
                                                                     struct rvi_task *task)
{
    int r = rvi_deque_push(&w->fresh, task);

    if (rvi_unlikely(r < 0))
        return r;
    rvi_task_announce(w, task);
    return 0;
}
