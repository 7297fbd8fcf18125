/* SPDX-License-Identifier: MIT */
/* nats_queue.h - what a queue has, between nats_queue.c and nats_items.c. */
#pragma once

#include "engine/nats_behind.h"
#include "engine/nats_pull.h"

struct rvi_nats_queue {
    struct rvi_engine_queue base;
    struct rvi_link link; /* of the engine's */
    char name[RVI_ENGINE_NAME_BYTES];
    uint64_t capacity;
    struct rvi_nats_ask ask; /* of making it */
    char config[768];
    struct rvi_nats_behind behind;
    bool is_ready;
    struct rvi_nats_lane lane;
    struct rvi_list things; /* puts, counts, a removal */
    struct rvi_list items;
    unsigned held; /* items that are not given up */
    int64_t extended;
    struct rvi_nats_note news, opening, closing;
    unsigned wanted; /* (in.lock), with is_noted; then `slots` */
    bool is_noted;   /* (in.lock) */
    unsigned slots;
    _Atomic(uint32_t) *closed;
};

/* A put, a count, or the queue's removal. */
struct rvi_nats_thing {
    struct rvi_nats_note note;
    struct rvi_link link;
    struct rvi_nats_ask ask;
    struct rvi_nats_queue *queue;
    void *token;
    enum { RVI_THING_PUT, RVI_THING_COUNT, RVI_THING_DROP } what;
    char id[RVI_ENGINE_ID_BYTES];
    size_t count;
    char bytes[];
};

struct rvi_nats_item {
    struct rvi_engine_item base;
    struct rvi_link link;
    struct rvi_nats_note note;
    struct rvi_nats_ask ask;
    natsMsg *msg;
    const char *wish; /* its holder's, "+ACK" or "-NAK", from its giving up */
    const char *end;  /* the same, once the engine's thread knows of it */
};

static inline struct rvi_nats_queue *rvi_nats_queue_at(struct rvi_link *link)
{
    return rvi_container_of(link, struct rvi_nats_queue, link);
}

static inline struct rvi_nats_queue *rvi_nats_queue_of(struct rvi_engine_queue *q)
{
    return rvi_container_of(q, struct rvi_nats_queue, base);
}

/* --- nats_items.c --- */

void rvi_nats_item_done(struct rvi_engine_item *item);
void rvi_nats_item_back(struct rvi_engine_item *item);

/** Give back all that is held. */
void rvi_nats_items_leave(struct rvi_nats *e, struct rvi_nats_queue *q);

/** Say that all that is held is held still. */
void rvi_nats_items_extend(struct rvi_nats *e, struct rvi_nats_queue *q, int64_t now);
