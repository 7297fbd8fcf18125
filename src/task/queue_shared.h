/* SPDX-License-Identifier: MIT */
/* queue_shared.h - the inside of a queue that several processes share, behind the public calls of
 * queue.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/queue.h>

/** One handle: a member of the queue, and those of this process who wait through it. */
struct rvi_queue_shared;

/** Make a queue, and its first handle. Errors: as rv_queue_new_shared(). */
int rvi_queue_shared_new(struct rvi_queue_shared **ret, size_t item_bytes, size_t capacity)
    __attribute__((warn_unused_result));

/** Make a handle on one that exists. Errors: as rv_queue_attach(). */
int rvi_queue_shared_attach(struct rvi_queue_shared **ret, struct rv_queue_ref ref)
    __attribute__((warn_unused_result));

/** Let go of it; nobody of this process is inside a call. */
void rvi_queue_shared_free(struct rvi_queue_shared *s);

struct rv_queue_ref rvi_queue_shared_ref(const struct rvi_queue_shared *s);

/* The public calls of the same names. */
int rvi_queue_shared_put(struct rvi_queue_shared *s, const void *item, rv_time deadline);
int rvi_queue_shared_try_put(struct rvi_queue_shared *s, const void *item);
int rvi_queue_shared_get(struct rvi_queue_shared *s, void *ret_item, rv_time deadline);
int rvi_queue_shared_try_get(struct rvi_queue_shared *s, void *ret_item);
int rvi_queue_shared_done(struct rvi_queue_shared *s);
int rvi_queue_shared_join(struct rvi_queue_shared *s, rv_time deadline);
void rvi_queue_shared_close(struct rvi_queue_shared *s);
void rvi_queue_shared_count(struct rvi_queue_shared *s, struct rv_queue_stats *ret);

/** A process of this program has ended: what it had taken from any queue that this process has a
 * handle on goes back now, and not only when somebody who waits looks for the dead.
 *
 * @param pid  not used again yet: it is not reaped, or this is who has just reaped it
 * Blocks:  no
 * Threads: any plain thread; tasks
 * Lifetime: nothing is held */
void rvi_queues_forget(uint32_t pid);

/** Testing: how many of this process stand in each line, by enum rvi_workqueue_want. */
void rvi_queue_shared_lines(struct rvi_queue_shared *s, size_t ret[3]);

/** Testing: the inside of a shared queue. */
struct rvi_queue_shared *rvi_queue_inside(rv_queue *q);

/** Testing: how often who waits looks for the dead. */
extern rv_time rvi_queue_look_ns;
