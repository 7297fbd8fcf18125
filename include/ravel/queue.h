/* SPDX-License-Identifier: MIT */
/* queue.h - a queue of work: put, get, done, join, in the meaning that Python's queue.Queue gave
 * them.
 *
 * What has been put is unfinished until somebody who got it says done; join waits until nothing is
 * unfinished. A daemon is a task in a scope that gets and does for ever and is cancelled when the
 * queue has been joined:
 *
 *     int err, item, r = 0;
 *     RV_SCOPE (daemons, err) {
 *         r = rv_go(daemons, serve, q);
 *         while (r == 0 && next_item(&item))
 *             r = rv_queue_put(q, &item, RV_NEVER);
 *         if (r == 0)
 *             r = rv_queue_join(q, RV_NEVER);
 *         rv_scope_cancel(daemons, -ECANCELED);
 *     } // err is -ECANCELED, as asked for; r is what matters
 */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** A queue of work, which also counts what has been put and is not yet done. */
typedef struct rv_queue rv_queue;

/** Make a queue between the tasks and threads of this process.
 *
 * @param ret         the queue
 * @param item_bytes  size of one item, at least 1
 * @param capacity    items it holds, at least 1: there is no unbounded queue
 * @return 0
 * Errors:  -EINVAL a size of 0; -EOVERFLOW their product is more than an address can count; -ENOMEM
 * Blocks:  no
 * Threads: any
 * Lifetime: until rv_queue_free */
RV_API RV_NODISCARD int rv_queue_new(rv_queue **ret, size_t item_bytes, size_t capacity);

/** Free a queue that nobody is using; items still inside are dropped.
 *
 * @param q  NULL does nothing; one that somebody waits on is a misuse that stops the program
 * @return NULL
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: ends it */
RV_API rv_queue *rv_queue_free(rv_queue *q);

/** Put one item, waiting while the queue is full; it is unfinished from then on.
 *
 * @param q         the queue
 * @param item      copied
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; the item is in. On error it is not.
 * Errors:  -EPIPE closed; -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the
 *          timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep q alive until return */
RV_API RV_NODISCARD int rv_queue_put(rv_queue *q, const void *item, rv_time deadline);

/** Put one item if that needs no waiting.
 *
 * @param q     the queue
 * @param item  copied
 * @return 0; the item is in
 * Errors:  -EAGAIN full; -EPIPE closed
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_queue_try_put(rv_queue *q, const void *item);

/** Get one item, waiting while the queue is empty. Say rv_queue_done when its work is done.
 *
 * @param q         the queue
 * @param ret_item  receives the item; untouched on error
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; the item is the caller's to do
 * Errors:  -EPIPE closed and empty; -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room
 *          for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep q alive until return */
RV_API RV_NODISCARD int rv_queue_get(rv_queue *q, void *ret_item, rv_time deadline);

/** Get one item if that needs no waiting.
 *
 * @param q         the queue
 * @param ret_item  receives the item; untouched on error
 * @return 0; the item is the caller's to do
 * Errors:  -EAGAIN empty; -EPIPE closed and empty
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_queue_try_get(rv_queue *q, void *ret_item);

/** Say that the work of one item got before is done.
 *
 * @param q  the queue
 * @return 0
 * Errors:  -EINVAL more were said done than were put
 * Blocks:  no; works in a cancelled task
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_queue_done(rv_queue *q);

/** Wait until everything put so far, and whatever is put meanwhile, is done.
 *
 * @param q         the queue
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0 nothing is unfinished
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep q alive until return */
RV_API RV_NODISCARD int rv_queue_join(rv_queue *q, rv_time deadline);

/** Close a queue: nothing more is put; what is inside can still be got and joined.
 *
 * @param q  the queue; closing twice is the same as once
 * Errors:  none; works in a cancelled task
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: q stays until rv_queue_free */
RV_API void rv_queue_close(rv_queue *q);

/** How much is in a queue. */
struct rv_queue_stats {
    size_t size;       /* sizeof(struct rv_queue_stats); in: what the caller knows */
    size_t waiting;    /* put and not yet got */
    size_t unfinished; /* put and not yet done, those waiting included */
};

/** Count a queue's items.
 *
 * @param q      the queue
 * @param stats  size set by the caller; the rest is filled in, others may change the truth at once
 * @return 0
 * Errors:  -EINVAL stats->size is too small
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_queue_stats_read(rv_queue *q, struct rv_queue_stats *stats);

RV_END_DECLS
