/* SPDX-License-Identifier: MIT */
/* chan.h - the inside of a channel, for those who build on one (queue.c). chan.c has the
 * essay. */
#pragma once

#include <ravel/chan.h>

#include "base/atomic.h"
#include "base/check.h"
#include "sched/bias.h"
#include "task/entry.h"
#include "task/waitlist.h"

/* What all only read, what senders write, and what receivers write, a cache line each; the lock and
 * the lines are with the senders' because who uses them has to write both places anyway. */
struct rv_chan {
    _Alignas(RVI_CACHE_LINE) _Atomic(bool) is_shared; /* set once, under the lock */
    unsigned char *ring;
    size_t item_bytes;
    size_t capacity;
    uint64_t slot_bytes;
    uint64_t last_offset; /* of the last slot in the ring */
    uint64_t offset_mask; /* the bits of a place that do not count laps */

    _Alignas(RVI_CACHE_LINE) _Atomic(uint64_t) tail; /* the place of the next item to come */
    struct rvi_bias lock;
    struct rvi_waitlist senders;
    struct rvi_waitlist receivers;
    uint64_t bare_count; /* items inside, if they need no ring */
    uint64_t passed_by;  /* items accepted that did not go through the ring */
    bool closed;

    _Alignas(RVI_CACHE_LINE) _Atomic(uint64_t) head; /* the place of the oldest item */
};

/** The bytes of a ring that holds `capacity` items, `header_bytes` before it included.
 * Errors: -EOVERFLOW */
int rvi_chan_measure(size_t header_bytes, size_t item_bytes, size_t capacity, size_t *ret_bytes);

/** Make a channel, with a ring in the bytes measured beyond the header. */
void rvi_chan_init(struct rv_chan *ch, void *ring, size_t item_bytes, size_t capacity);

/** Panic on behalf of `caller` when somebody waits on a channel whose memory is about to go. */
void rvi_chan_check_unused(const struct rv_chan *ch, const char *caller);

/** How many items it has accepted since the beginning; ch->lock is held. What the caller has
 * received, or knows to be sent, is among them. */
uint64_t rvi_chan_sent(const struct rv_chan *ch);
