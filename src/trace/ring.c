/* SPDX-License-Identifier: MIT */
/* ring.c - one writer that never waits, readers that check what they have got.
 *
 * A seqlock over the whole ring (after H. Boehm, "Can seqlocks get along with programming language
 * memory models?", 2012): the writer says in `begun` what it is about to overwrite, and in `done`
 * what is there.
 *
 *     writer, event n                          reader, event i
 *     begun = n + 1                            d = done (acquire); i < d
 *     release fence                            copy slot i
 *     slot n = ...                             acquire fence
 *     done = n + 1 (release)                   b = begun; keep the copy if b <= i + size
 *
 * The slot of event i is overwritten by event i + size. If the copy has read one word of that, the
 * fences make the reader's `begun` at least i + size + 1, and the copy is thrown away. If it kept
 * the copy, all words are event i's: they were there by `done`, and no later ones were read.
 *
 * The words of a slot are relaxed atomics, plain moves on both CPUs.
 *
 * Rejected: a sequence number in each slot (a third more memory); a lock (a reader that is
 * preempted would stop the worker); handing full buffers over (what happened last is what is
 * wanted).
 *
 * Checked by: tests/unit/trace/test_ring.c, tests/stress/stress_trace.c */
#include "trace/ring.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

enum { WORDS = 3 };

_Static_assert(sizeof(struct rvi_trace_event) == WORDS * sizeof(uint64_t), "copied word by word");

#define EVENTS_MOST ((uint64_t)1 << 32)

struct rvi_trace *rvi_trace_new(uint64_t events)
{
    uint64_t size = 1;

    if (events > EVENTS_MOST)
        return NULL;
    while (size < events)
        size *= 2;
    struct rvi_trace *ring =
        rvi_calloc(1, sizeof *ring + (size_t)size * sizeof(struct rvi_trace_slot));
    if (ring)
        ring->mask = size - 1;
    return ring;
}

void *rvi_trace_free(struct rvi_trace *ring)
{
    rvi_free(ring);
    return NULL;
}

void rvi_trace_add(struct rvi_trace *ring, int64_t time_ns, uint64_t task, enum rvi_trace_kind kind,
                   uint64_t arg)
{
    uint64_t n = rvi_load_relaxed(&ring->done);
    struct rvi_trace_slot *slot = &ring->slots[n & ring->mask];

    rvi_store_relaxed(&ring->begun, n + 1);
    rvi_fence_release(); /* pairs: trace-begun */
    rvi_store_relaxed(&slot->words[0], (uint64_t)time_ns);
    rvi_store_relaxed(&slot->words[1], task);
    rvi_store_relaxed(&slot->words[2], (uint64_t)kind << RVI_TRACE_ARG_BITS | arg);
    rvi_store_release(&ring->done, n + 1); /* pairs: trace-done */
}

/* False: it was overwritten meanwhile. */
static bool copy(const struct rvi_trace *ring, uint64_t i, struct rvi_trace_event *ret)
{
    const struct rvi_trace_slot *slot = &ring->slots[i & ring->mask];
    uint64_t words[WORDS];

    for (int word = 0; word < WORDS; word++)
        words[word] = rvi_load_relaxed(&slot->words[word]);
    rvi_fence_acquire(); /* pairs: trace-begun */
    if (rvi_load_relaxed(&ring->begun) > i + ring->mask + 1)
        return false;
    memcpy(ret, words, sizeof *ret);
    return true;
}

size_t rvi_trace_read(const struct rvi_trace *ring, uint64_t from, struct rvi_trace_event *ret,
                      size_t most, uint64_t *ret_next)
{
    uint64_t done = rvi_load_acquire(&ring->done); /* pairs: trace-done */
    uint64_t size = ring->mask + 1;
    size_t count = 0;

    if (done > size && from < done - size)
        from = done - size;
    for (; from < done && count < most; from++)
        count += copy(ring, from, &ret[count]);
    *ret_next = from;
    return count;
}
