/* SPDX-License-Identifier: MIT */
/* slab.h - one worker's task descriptors: last in first out, from chunks that grow, never
 * shared. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/list.h"
#include "sched/task.h"

struct rvi_slab {
    struct rvi_qlink *free;       /* through `run` of those given back */
    struct rvi_task *fresh, *end; /* never used part of the newest chunk */
    struct rvi_slab_chunk *chunks;
    size_t stride; /* bytes from one to the next; 0: until the first is taken, those of one */
    size_t next_count;
};

struct rvi_slab_chunk {
    struct rvi_slab_chunk *next;
    struct rvi_task *end;
    struct rvi_task tasks[];
};

/* When there is none at hand. */
struct rvi_task *rvi_slab_take_slow(struct rvi_slab *slab);

static inline struct rvi_task *rvi_slab_after(const struct rvi_slab *slab,
                                              const struct rvi_task *task, size_t count)
{
    return (struct rvi_task *)((uintptr_t)task + count * slab->stride); /* NOLINT: an address */
}

/** One for which no memory has to be allocated; NULL when there is none. */
static inline struct rvi_task *rvi_slab_take_at_hand(struct rvi_slab *slab)
{
    struct rvi_qlink *link = slab->free;
    struct rvi_task *fresh = slab->fresh;

    if (rvi_likely(link != NULL)) {
        slab->free = link->next;
        if (link->next)
            rvi_task_prefetch(rvi_container_of(link->next, struct rvi_task, run));
        return rvi_container_of(link, struct rvi_task, run);
    }
    if (fresh == slab->end)
        return NULL;
    slab->fresh = rvi_slab_after(slab, fresh, 1);
    return fresh;
}

/** Memory for one descriptor, its contents undefined; NULL when there is none. */
static inline struct rvi_task *rvi_slab_take(struct rvi_slab *slab)
{
    struct rvi_task *task = rvi_slab_take_at_hand(slab);

    return rvi_likely(task != NULL) ? task : rvi_slab_take_slow(slab);
}

static inline void rvi_slab_give(struct rvi_slab *slab, struct rvi_task *task)
{
    task->run.next = slab->free;
    slab->free = &task->run;
}

/** Call fn for every descriptor that was ever taken, given back or not; its contents must tell. */
void rvi_slab_walk(const struct rvi_slab *slab, void (*fn)(const struct rvi_task *task, void *arg),
                   void *arg);

/** Free the chunks; descriptors still out die with them. */
void rvi_slab_fini(struct rvi_slab *slab);
