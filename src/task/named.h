/* SPDX-License-Identifier: MIT */
/* named.h - the names of channels and queues, by which those who look from outside tell how much is
 * in them.
 *
 * One without a name, as most of a million are, is on no list, and pays a pointer for it. */
#pragma once

#include "sched/roll.h"
#include "task/chan.h"

enum { RVI_NAMED_BYTES = 64 };

struct rvi_named {
    struct rvi_enrolled enrolled;
    char name[RVI_NAMED_BYTES];
};

/** Name it anew.
 *
 * @param waited_at  what its waits tell
 * Errors: -ENOMEM. */
int rvi_named_set(struct rv_chan *ch, enum rvi_roll_kind kind, const void *waited_at,
                  const char *name) __attribute__((warn_unused_result));

/** It goes, with its name. Nobody else uses it. */
void rvi_named_drop_slow(struct rvi_named *named);

static inline void rvi_named_drop(struct rvi_named *named)
{
    if (rvi_unlikely(named != NULL))
        rvi_named_drop_slow(named);
}

#define RVI_QUEUE_LAYOUT(R, F)                                                                     \
    R(CHAN, struct rv_chan)                                                                        \
    F(CHAN, capacity, CAPACITY)                                                                    \
    F(CHAN, slot_bytes, SLOT_BYTES)                                                                \
    F(CHAN, offset_mask, OFFSET_MASK)                                                              \
    F(CHAN, named, NAMED)                                                                          \
    F(CHAN, tail, TAIL)                                                                            \
    F(CHAN, head, HEAD)                                                                            \
    F(CHAN, senders.first, SENDERS)                                                                \
    F(CHAN, receivers.first, RECEIVERS)                                                            \
    F(CHAN, bare_count, BARE_COUNT)                                                                \
    F(CHAN, passed_by, PASSED_BY)                                                                  \
    F(CHAN, closed, CLOSED)                                                                        \
    R(QUEUE, struct rv_queue)                                                                      \
    F(QUEUE, joiners.first, JOINERS)                                                               \
    F(QUEUE, done, DONE)                                                                           \
    F(QUEUE, shared, SHARED)                                                                       \
    F(QUEUE, cluster, CLUSTER)                                                                     \
    R(WORKQUEUE, struct rvi_workqueue)                                                             \
    F(WORKQUEUE, room, ROOM)                                                                       \
    F(WORKQUEUE, capacity, CAPACITY)                                                               \
    R(NAMED, struct rvi_named)                                                                     \
    F(NAMED, enrolled.thing, THING)                                                                \
    F(NAMED, name[0], NAME)

enum rvi_queue_record {
    RVI_QUEUE_LAYOUT(RVI_LAYOUT_RECORD_NAME, RVI_LAYOUT_NO_FIELD) RVI_QUEUE_RECORDS
};

enum rvi_queue_field {
    RVI_QUEUE_LAYOUT(RVI_LAYOUT_NO_RECORD, RVI_LAYOUT_FIELD_NAME) RVI_QUEUE_FIELDS
};

extern const struct rvi_layout_part rvi_queue_layout;
