/* SPDX-License-Identifier: MIT */
/* ring.h - the last so many events of one thread. ring.c has the argument. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "trace/event.h"

struct rvi_trace_slot {
    _Atomic(uint64_t) words[3];
};

struct rvi_trace {
    _Atomic(uint64_t) begun, done; /* events whose writing has begun, has ended: since ever */
    uint64_t mask;
    struct rvi_trace_slot slots[];
};

/** A ring of at least so many events, at most twice as many. NULL: no memory, or too many. */
struct rvi_trace *rvi_trace_new(uint64_t events);

/** NULL is fine. Nobody may read any more. */
void *rvi_trace_free(struct rvi_trace *ring);

/** Note an event; the ring's own thread. */
void rvi_trace_add(struct rvi_trace *ring, int64_t time_ns, uint64_t task, enum rvi_trace_kind kind,
                   uint64_t arg);

/** Copy events, oldest first, from number `from` on, counted since ever; those that are gone are
 * left out. Any thread, while the ring lives.
 *
 * @param ret_next  the number to go on with
 * @return how many; less than `most` when there are no more for now. ret_next - from - that many
 *         are lost */
size_t rvi_trace_read(const struct rvi_trace *ring, uint64_t from, struct rvi_trace_event *ret,
                      size_t most, uint64_t *ret_next);
