/* SPDX-License-Identifier: MIT */
/* queue.h - the seam to durable named queues of a cluster's engine.
 *
 * A queue of a pool has a name, holds items of any size up to RVI_ENGINE_WHOLE, in the order in
 * which they were put, and outlives everybody who uses it. An item is leased to one at a time; it
 * is gone when that one says that it is done, and goes to another when he is gone, or gives it
 * back. So an item may be got more than once, and is not lost.
 *
 * What is unfinished is what the queue holds and what is leased: those two numbers, which the
 * consumer keeps, and not how many items are stored, since after a crash a server may have some
 * again that were done. They are removed when the queue is opened anew.
 *
 *   Q1  No call here waits. Events are told as those of the engine, on its thread (E2).
 *   Q2  Leases are extended by the engine as long as they are held, whatever their holder does.
 *   Q3  Each put, each count and each drop is told of once, until the queue is closed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

struct rvi_engine_queue;

/* An item that is leased; what the engine has of it begins with this. */
struct rvi_engine_item {
    struct rvi_engine_queue *queue;
    const void *bytes; /* until it is given up */
    size_t count;
    uint64_t delivered; /* how often it was leased, to anybody */
};

struct rvi_engine_queue_events {
    /** An item is stored (0), or never will be: -EAGAIN the queue is full, -ENOSPC the disk. */
    void (*put)(void *arg, void *token, int error);

    /** An item is leased to us. */
    void (*got)(void *arg, struct rvi_engine_item *item);

    /** What is unfinished: so many wait, so many are leased, to anybody. */
    void (*counted)(void *arg, void *token, int error, uint64_t waiting, uint64_t leased);

    /** The queue is no more (0), or could not be removed. */
    void (*dropped)(void *arg, void *token, int error);

    /** A lease has lapsed while the engine was away, and somebody else may have the item: it may
     * still be given up. */
    void (*lapsed)(void *arg, struct rvi_engine_item *item);
};

/* A queue: it begins with this. */
struct rvi_engine_queue {
    struct rvi_engine *engine;
    struct rvi_engine_queue_events events;
    void *arg;
};

/* What a kind of engine brings that has queues. */
struct rvi_engine_queue_kind {
    int (*open)(struct rvi_engine_queue **ret, struct rvi_engine *e, const char *name,
                uint64_t capacity, const struct rvi_engine_queue_events *events, void *arg);
    void (*close)(struct rvi_engine_queue *q);
    int (*put)(struct rvi_engine_queue *q, const void *bytes, size_t count, void *token);
    void (*want)(struct rvi_engine_queue *q, unsigned items);
    int (*count)(struct rvi_engine_queue *q, void *token);
    int (*drop)(struct rvi_engine_queue *q, void *token); /* NULL: it cannot */
    void (*done)(struct rvi_engine_item *item);
    void (*back)(struct rvi_engine_item *item);
};

/** Use a queue of the engine's pool; it is made if it is not there.
 *
 * @param e         whoever's; it is closed after its queues
 * @param name      as of a pool
 * @param capacity  items that it holds, those that are leased among them; who makes it decides
 * Errors: -EOPNOTSUPP this engine has no queues; -EINVAL name; -ENOMEM */
int rvi_engine_queue_open(struct rvi_engine_queue **ret, struct rvi_engine *e, const char *name,
                          uint64_t capacity, const struct rvi_engine_queue_events *events,
                          void *arg) __attribute__((warn_unused_result));

/** Give back what is leased, and forget what was put and is not stored yet. No event is told when
 * it has returned. NULL is fine. Blocks: until an event that is being told has returned; not from
 * inside one */
void rvi_engine_queue_close(struct rvi_engine_queue *q);

/** Store an item; `put` tells. Errors: -EMSGSIZE it is too long; -ENOMEM; -EPIPE */
int rvi_engine_queue_put(struct rvi_engine_queue *q, const void *bytes, size_t count, void *token)
    __attribute__((warn_unused_result));

/** So many items are to be leased here at one time, those among them that are held. 0: none any
 * more. */
void rvi_engine_queue_want(struct rvi_engine_queue *q, unsigned items);

/** Ask what is unfinished; `counted` tells. Errors: -ENOMEM, -EPIPE */
int rvi_engine_queue_count(struct rvi_engine_queue *q, void *token)
    __attribute__((warn_unused_result));

/** Remove the queue with all that it holds, for everybody; `dropped` tells. Errors: -EOPNOTSUPP,
 * -ENOMEM, -EPIPE */
int rvi_engine_queue_drop(struct rvi_engine_queue *q, void *token)
    __attribute__((warn_unused_result));

/* Each of these gives an item up. */

/** It is dealt with. Without the engine this waits until it is back. */
void rvi_engine_item_done(struct rvi_engine_item *item);

/** Somebody else is to have it. */
void rvi_engine_item_back(struct rvi_engine_item *item);
