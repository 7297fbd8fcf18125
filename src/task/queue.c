/* SPDX-License-Identifier: MIT */
/* queue.c - a channel that knows how much of what went through it is not done yet.
 *
 * The channel counts the items it has accepted (`sent`); the queue adds how many were said done,
 * under the same lock, so the unfinished ones are sent - done and nothing has to be kept in step:
 *
 *   Q1  done <= sent
 *   Q2  joiners wait  =>  done < sent
 *
 * An item is counted in the section that accepts it, before that lock is free: no getter can say
 * done of an item that is not counted, and no join can slip between an item and its count. A put
 * that waits for room is not counted until there is room.
 *
 * A queue that several processes share, or that lies in a cluster's engine, has only its outside
 * here: its `chan` says so by a flag, on the cache line that every call reads anyway, and its calls
 * go to queue_shared.c or queue_cluster.c. That costs a queue of this process two instructions a
 * call.
 *
 * Rejected: a count beside the channel under a lock of its own. A put would have to count before it
 * sends and take it back when it fails, and join would see puts that have not happened.
 * Checked by: tests/unit/task/test_queue.c, tests/stress/stress_queue.c */
#include <ravel/queue.h>

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/opts.h"
#include "shm/workqueue.h"
#include "task/chan.h"
#include "task/named.h"
#include "task/queue_cluster.h"
#include "task/queue_shared.h"

struct rv_queue {
    struct rv_chan chan; /* its lock guards the rest too */
    struct rvi_waitlist joiners;
    uint64_t done;
    /* One of the two, if it is elsewhere: nothing else is used then. */
    struct rvi_queue_shared *shared;
    struct rvi_queue_cluster *cluster;
};
_Static_assert(offsetof(struct rv_queue, chan) == 0, "select.c takes a queue for its channel");

RVI_LAYOUT_PART(rvi_queue_layout, RVI_QUEUE, RVI_QUEUE_LAYOUT);

static inline bool is_elsewhere(const struct rv_queue *q)
{
    return rvi_unlikely(q->chan.is_elsewhere);
}

static uint64_t unfinished(const struct rv_queue *q)
{
    return rvi_chan_sent(&q->chan) - q->done;
}

int rv_queue_new(rv_queue **ret, size_t item_bytes, size_t capacity)
{
    size_t bytes;

    if (item_bytes == 0 || capacity == 0)
        return -EINVAL;
    int err = rvi_chan_measure(sizeof(struct rv_queue), item_bytes, capacity, &bytes);
    if (err < 0)
        return err;
    struct rv_queue *q = rvi_alloc_aligned(RVI_CACHE_LINE, bytes);
    if (q == NULL)
        return -ENOMEM;
    rvi_chan_init(&q->chan, q + 1, item_bytes, capacity);
    q->joiners = (struct rvi_waitlist){NULL};
    q->done = 0;
    q->shared = NULL;
    q->cluster = NULL;
    *ret = q;
    return 0;
}

/* The outside of one that is elsewhere. */
static struct rv_queue *new_outside(void)
{
    struct rv_queue *q = rvi_alloc_aligned(RVI_CACHE_LINE, sizeof *q);

    if (q != NULL) {
        memset(q, 0, sizeof *q);
        q->chan.is_elsewhere = true;
    }
    return q;
}

int rv_queue_new_shared(rv_queue **ret, size_t item_bytes, size_t capacity)
{
    struct rv_queue *q = new_outside();
    int r = q == NULL ? -ENOMEM : rvi_queue_shared_new(&q->shared, item_bytes, capacity);

    if (r < 0)
        rvi_free(q);
    else
        *ret = q;
    return r;
}

int rv_queue_attach(rv_queue **ret, struct rv_queue_ref ref)
{
    struct rv_queue *q = new_outside();
    int r = q == NULL ? -ENOMEM : rvi_queue_shared_attach(&q->shared, ref);

    if (r < 0)
        rvi_free(q);
    else
        *ret = q;
    return r;
}

int rv_queue_open(rv_queue **ret, const char *address, size_t item_bytes, size_t capacity,
                  const struct rv_cluster_opts *opts)
{
    struct rv_queue *q = new_outside();
    int r = q == NULL ? -ENOMEM
                      : rvi_queue_cluster_open(&q->cluster, address, item_bytes, capacity, opts);

    if (r < 0)
        rvi_free(q);
    else
        *ret = q;
    return r;
}

int rv_queue_drop(rv_queue *q, rv_time deadline)
{
    return q->cluster ? rvi_queue_cluster_drop(q->cluster, deadline) : -EINVAL;
}

int rv_queue_ref_of(rv_queue *q, struct rv_queue_ref *ret)
{
    if (!q->shared)
        return -EINVAL;
    *ret = rvi_queue_shared_ref(q->shared);
    return 0;
}

rv_queue *rv_queue_free(rv_queue *q)
{
    if (q == NULL)
        return NULL;
    rvi_named_drop(q->chan.named);
    if (q->cluster) {
        rvi_queue_cluster_free(q->cluster);
    } else if (q->shared) {
        rvi_queue_shared_free(q->shared);
    } else {
        rvi_chan_check_unused(&q->chan, "rv_queue_free");
        if (!rvi_waitlist_is_empty(&q->joiners))
            rvi_panic(
                "rv_queue_free: somebody still waits in rv_queue_join; let them return first");
    }
    rvi_free(q);
    return NULL;
}

struct rvi_queue_shared *rvi_queue_inside(rv_queue *q)
{
    return q->shared;
}

int rv_queue_put(rv_queue *q, const void *item, rv_time deadline)
{
    if (is_elsewhere(q))
        return q->cluster ? rvi_queue_cluster_put(q->cluster, item, deadline)
                          : rvi_queue_shared_put(q->shared, item, deadline);
    return rv_chan_send(&q->chan, item, deadline);
}

int rv_queue_try_put(rv_queue *q, const void *item)
{
    if (is_elsewhere(q))
        return q->cluster ? rvi_queue_cluster_try_put(q->cluster, item)
                          : rvi_queue_shared_try_put(q->shared, item);
    return rv_chan_try_send(&q->chan, item);
}

int rv_queue_get(rv_queue *q, void *ret_item, rv_time deadline)
{
    if (is_elsewhere(q))
        return q->cluster ? rvi_queue_cluster_get(q->cluster, ret_item, deadline)
                          : rvi_queue_shared_get(q->shared, ret_item, deadline);
    return rv_chan_recv(&q->chan, ret_item, deadline);
}

int rv_queue_try_get(rv_queue *q, void *ret_item)
{
    if (is_elsewhere(q))
        return q->cluster ? rvi_queue_cluster_try_get(q->cluster, ret_item)
                          : rvi_queue_shared_try_get(q->shared, ret_item);
    return rv_chan_try_recv(&q->chan, ret_item);
}

int rv_queue_done(rv_queue *q)
{
    struct rvi_link *joined = NULL;
    int result = -EINVAL;

    if (is_elsewhere(q))
        return q->cluster ? rvi_queue_cluster_done(q->cluster) : rvi_queue_shared_done(q->shared);

    bool biased = rvi_bias_lock(&q->chan.lock);

    if (unfinished(q) > 0) {
        q->done++;
        if (unfinished(q) == 0)
            joined = rvi_waitlist_take_all(&q->joiners);
        result = 0;
    }
    rvi_bias_unlock(&q->chan.lock, biased);
    rvi_chain_wake(joined);
    return result;
}

int rv_queue_join(rv_queue *q, rv_time deadline)
{
    struct rvi_waiter w;

    if (is_elsewhere(q))
        return q->cluster ? rvi_queue_cluster_join(q->cluster, deadline)
                          : rvi_queue_shared_join(q->shared, deadline);
    int err = rvi_wait_allowed();
    if (err < 0)
        return err;
    bool biased = rvi_bias_lock(&q->chan.lock);
    if (unfinished(q) > 0)
        return rvi_waitlist_wait(&q->joiners, &q->chan.lock, biased, &w, deadline,
                                 RVI_WHY_QUEUE_JOIN);
    rvi_bias_unlock(&q->chan.lock, biased);
    return 0;
}

void rv_queue_close(rv_queue *q)
{
    if (q->cluster)
        rvi_queue_cluster_close(q->cluster);
    else if (q->shared)
        rvi_queue_shared_close(q->shared);
    else
        rv_chan_close(&q->chan);
}

int rv_queue_rename(rv_queue *q, const char *name)
{
    const void *waited_at = &q->chan.lock;

    if (q->shared)
        waited_at = q->shared;
    if (q->cluster)
        waited_at = q->cluster;
    return rvi_named_set(&q->chan, RVI_ROLL_QUEUE, waited_at, name);
}

static void count_here(struct rv_queue *q, struct rv_queue_stats *ret)
{
    ret->waiting = rv_chan_count(&q->chan);

    bool biased = rvi_bias_lock(&q->chan.lock);
    ret->unfinished = unfinished(q);
    rvi_bias_unlock(&q->chan.lock, biased);
}

int rv_queue_stats_read(rv_queue *q, struct rv_queue_stats *stats)
{
    struct rv_queue_stats known = {0};
    int r = 0;

    if (q->cluster)
        r = rvi_queue_cluster_count(q->cluster, &known);
    else if (q->shared)
        rvi_queue_shared_count(q->shared, &known);
    else
        count_here(q, &known);
    return r < 0 ? r : rvi_opts_give(stats, &known, sizeof known, sizeof known);
}
