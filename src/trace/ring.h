/* SPDX-License-Identifier: MIT */
/* ring.h - the last so many events of one thread. ring.c has the argument. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "sys/ticks.h"
#include "trace/event.h"

struct rvi_trace_slot {
    _Atomic(uint64_t) words[3];
};

struct rvi_trace {
    _Atomic(uint64_t) begun, done; /* events whose writing has begun, has ended: since ever */
    uint64_t mask;
    uint32_t clock; /* enum rvi_ticks_clock: of the times in it */
    struct rvi_trace_slot slots[];
};

/** A ring of at least so many events, at most twice as many, by the best clock that there is. NULL:
 * no memory, or too many. */
struct rvi_trace *rvi_trace_new(uint64_t events);

/** How many bytes a ring of so many events takes, and to make one there; of zeroed memory, which
 * stays the caller's.
 *
 * @param events  a power of two */
size_t rvi_trace_bytes(uint64_t events);
void rvi_trace_init(struct rvi_trace *ring, uint64_t events, enum rvi_ticks_clock clock);

/** NULL is fine. Nobody may read any more. */
void *rvi_trace_free(struct rvi_trace *ring);

/** What time it is for an event. */
static inline uint64_t rvi_trace_now(const struct rvi_trace *ring)
{
    return rvi_ticks((enum rvi_ticks_clock)ring->clock);
}

/** Note an event; the ring's own thread. */
static inline void rvi_trace_add(struct rvi_trace *ring, uint64_t ticks, uint64_t task,
                                 enum rvi_trace_kind kind, uint64_t arg)
{
    uint64_t n = rvi_load_relaxed(&ring->done);
    struct rvi_trace_slot *slot = &ring->slots[n & ring->mask];

    rvi_store_relaxed(&ring->begun, n + 1);
    rvi_fence_release(); /* pairs: trace-begun */
    rvi_store_relaxed(&slot->words[0], ticks);
    rvi_store_relaxed(&slot->words[1], task);
    rvi_store_relaxed(&slot->words[2], (uint64_t)kind << RVI_TRACE_ARG_BITS | arg);
    rvi_store_release(&ring->done, n + 1); /* pairs: trace-done */
}

/** Copy events, oldest first, from number `from` on, counted since ever; those that are gone are
 * left out, all of them before the first that is returned. Any thread, while the ring lives.
 *
 * @param ret_next  the number to go on with
 * @return how many; less than `most` when there are no more for now, or some were overwritten while
 *         they were read. ret_next - from - that many are lost */
size_t rvi_trace_read(const struct rvi_trace *ring, uint64_t from, struct rvi_trace_event *ret,
                      size_t most, uint64_t *ret_next);

/** Make nanoseconds of the times of events that were read from one ring.
 *
 * @param clock        the ring's
 * @param first, last  marks of its clock from before the first and after the last of them */
void rvi_trace_to_ns(enum rvi_ticks_clock clock, const struct rvi_ticks_mark *first,
                     const struct rvi_ticks_mark *last, struct rvi_trace_event *events,
                     size_t count);

/** The events of a ring as all others are to know them: OP and OP_END instead of each CALL.
 *
 * @param ret    room for twice as many
 * @param task   who runs after what was read before; 0: not known, as at first and after a loss
 * @param ret_lost  is added to: calls of which is not known whose they are
 * @return how many they are */
size_t rvi_trace_unfold(struct rvi_trace_event *ret, const struct rvi_trace_event *events,
                        size_t count, uint64_t *task, uint64_t *ret_lost);
