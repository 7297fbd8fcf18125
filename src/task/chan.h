/* SPDX-License-Identifier: MIT */
/* chan.h - the inside of a channel, for those who build on one (queue.c) and for the
 * channel's own files (chan_life.c, chan_select.c). chan.c has the essay. */
#pragma once

#include <ravel/chan.h>

#include "base/atomic.h"
#include "base/check.h"
#include "sched/bias.h"
#include "task/entry.h"
#include "task/select.h"
#include "task/waitlist.h"

/* What all only read, what senders write, and what receivers write, a cache line each; the lock and
 * the lines are with the senders' because who uses them has to write both places anyway. */
struct rv_chan {
    _Alignas(RVI_CACHE_LINE) _Atomic(bool) is_shared; /* set once, under the lock */
    bool is_elsewhere; /* no channel at all, but the outside of a shared queue (queue.c) */
    unsigned char *ring;
    size_t item_bytes;
    size_t capacity;
    uint64_t slot_bytes;
    uint64_t last_offset;    /* of the last slot in the ring */
    uint64_t offset_mask;    /* the bits of a place that do not count laps */
    struct rvi_named *named; /* named.h; NULL: it has no name */

    _Alignas(RVI_CACHE_LINE) _Atomic(uint64_t) tail; /* the place of the next item to come */
    struct rvi_bias lock;
    struct rvi_waitlist senders;
    struct rvi_waitlist receivers;
    uint64_t bare_count; /* items inside, if they need no ring */
    uint64_t passed_by;  /* items accepted that did not go through the ring */
    bool closed;

    _Alignas(RVI_CACHE_LINE) _Atomic(uint64_t) head; /* the place of the oldest item */
};

static inline bool rvi_chan_somebody_waits(const struct rv_chan *ch)
{
    return !rvi_waitlist_is_empty(&ch->senders) || !rvi_waitlist_is_empty(&ch->receivers);
}

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

/** The lock; returns whether it has its bias, which the unlock is told. */
bool rvi_chan_lock(struct rv_chan *ch);
void rvi_chan_unlock(struct rv_chan *ch, bool biased);

/** With the lock held: agree on an item if it needs no waiting, or on -EPIPE. */
bool rvi_chan_begin_send(struct rv_chan *ch, struct rvi_deal *deal);
bool rvi_chan_begin_recv(struct rv_chan *ch, struct rvi_deal *deal);

/** Without it: do what was agreed.
 * Errors: -EPIPE, closed */
int rvi_chan_finish_send(struct rv_chan *ch, const struct rvi_deal *deal, const void *item);
int rvi_chan_finish_recv(struct rv_chan *ch, const struct rvi_deal *deal, void *ret_item);
