/* SPDX-License-Identifier: MIT */
/* chan.h - the inside of a channel, for those who build on one (queue.c). chan.c has the essay. */
#pragma once

#include <ravel/chan.h>

#include "base/check.h"
#include "sched/bias.h"
#include "task/waitlist.h"

/* What changes with each item shares one cache line; what readers on both sides only read is in the
 * next, so that a channel between two workers moves one line to and fro. */
struct rv_chan {
    _Alignas(RVI_CACHE_LINE) struct rvi_bias lock;
    struct rvi_waitlist senders;
    struct rvi_waitlist receivers;
    size_t count;    /* items in the ring */
    size_t read_at;  /* byte offset of the oldest item's slot */
    size_t write_at; /* byte offset of the slot for the next */
    uint64_t sent;   /* items accepted since the beginning */

    _Alignas(RVI_CACHE_LINE) size_t capacity;
    size_t item_bytes;
    size_t ring_bytes; /* capacity * item_bytes */
    unsigned char *ring;
    bool closed;
};

/** The bytes of a ring that holds `capacity` items, `header_bytes` before it included.
 * Errors: -EOVERFLOW */
int rvi_chan_measure(size_t header_bytes, size_t item_bytes, size_t capacity, size_t *ret_bytes);

/** Make a channel in zeroed memory, with a ring of capacity * item_bytes bytes. */
void rvi_chan_init(struct rv_chan *ch, void *ring, size_t item_bytes, size_t capacity);

/** Panic on behalf of `caller` when somebody waits on a channel whose memory is about to go. */
void rvi_chan_check_unused(const struct rv_chan *ch, const char *caller);
