/* SPDX-License-Identifier: MIT */
/* queue.c - the way to an engine's queues. */
#include "engine/queue.h"

#include <errno.h>

int rvi_engine_queue_open(struct rvi_engine_queue **ret, struct rvi_engine *e, const char *name,
                          uint64_t capacity, const struct rvi_engine_queue_events *events,
                          void *arg)
{
    if (!e->kind->queues)
        return -EOPNOTSUPP;
    if (!rvi_engine_is_name(name))
        return -EINVAL;
    return e->kind->queues->open(ret, e, name, capacity, events, arg);
}

void rvi_engine_queue_close(struct rvi_engine_queue *q)
{
    if (q)
        q->engine->kind->queues->close(q);
}

int rvi_engine_queue_put(struct rvi_engine_queue *q, const void *bytes, size_t count, void *token)
{
    return count > RVI_ENGINE_WHOLE ? -EMSGSIZE
                                    : q->engine->kind->queues->put(q, bytes, count, token);
}

void rvi_engine_queue_want(struct rvi_engine_queue *q, unsigned items)
{
    q->engine->kind->queues->want(q, items);
}

int rvi_engine_queue_count(struct rvi_engine_queue *q, void *token)
{
    return q->engine->kind->queues->count(q, token);
}

int rvi_engine_queue_drop(struct rvi_engine_queue *q, void *token)
{
    const struct rvi_engine_queue_kind *kind = q->engine->kind->queues;

    return kind->drop ? kind->drop(q, token) : -EOPNOTSUPP;
}

void rvi_engine_item_done(struct rvi_engine_item *item)
{
    item->queue->engine->kind->queues->done(item);
}

void rvi_engine_item_back(struct rvi_engine_item *item)
{
    item->queue->engine->kind->queues->back(item);
}
