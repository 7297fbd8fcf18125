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
 * Times are ticks (sys/ticks.h): a look at CLOCK_MONOTONIC would cost more than all the rest of a
 * note. Who reads makes nanoseconds of them when all is read. The counter of two notes may have
 * been read the other way round, by a cycle or two: then both have the later one's time.
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

size_t rvi_trace_bytes(uint64_t events)
{
    return sizeof(struct rvi_trace) + (size_t)events * sizeof(struct rvi_trace_slot);
}

void rvi_trace_init(struct rvi_trace *ring, uint64_t events, enum rvi_ticks_clock clock)
{
    ring->mask = events - 1;
    ring->clock = clock;
}

struct rvi_trace *rvi_trace_new(uint64_t events)
{
    uint64_t size = 1;

    if (events > EVENTS_MOST)
        return NULL;
    while (size < events)
        size *= 2;
    struct rvi_trace *ring = rvi_calloc(1, rvi_trace_bytes(size));
    if (ring)
        rvi_trace_init(ring, size, rvi_ticks_clock());
    return ring;
}

void *rvi_trace_free(struct rvi_trace *ring)
{
    rvi_free(ring);
    return NULL;
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
    for (; from < done && count < most; from++) {
        if (copy(ring, from, &ret[count]))
            count++;
        else if (count > 0)
            break;
    }
    *ret_next = from;
    return count;
}

void rvi_trace_to_ns(enum rvi_ticks_clock clock, const struct rvi_ticks_mark *first,
                     const struct rvi_ticks_mark *last, struct rvi_trace_event *events,
                     size_t count)
{
    int64_t before = INT64_MIN;

    for (size_t i = 0; i < count; i++) {
        int64_t ns =
            clock == RVI_TICKS_NS ? events[i].time_ns : rvi_ticks_ns(events[i].ticks, first, last);
        if (ns > before)
            before = ns;
        events[i].time_ns = before;
    }
}

static void split_call(struct rvi_trace_event *ret, const struct rvi_trace_event *call,
                       uint64_t task)
{
    uint64_t took = call->task >> 32, result = rvi_trace_result_arg((int32_t)call->task);

    ret[0] = ret[1] = (struct rvi_trace_event){.ticks = call->ticks, .task = task};
    ret[0].ticks -= took;
    ret[0].kind_and_arg = (uint64_t)RVI_TRACE_OP << RVI_TRACE_ARG_BITS | rvi_trace_arg(call);
    ret[1].kind_and_arg = (uint64_t)RVI_TRACE_OP_END << RVI_TRACE_ARG_BITS | result;
}

/* Who runs after an event of its worker's. */
static uint64_t runs_after(const struct rvi_trace_event *event, uint64_t task)
{
    switch (rvi_trace_kind(event)) {
    case RVI_TRACE_BEGIN:
    case RVI_TRACE_RESUME:
        return event->task;
    case RVI_TRACE_YIELD:
    case RVI_TRACE_MIGRATE:
    case RVI_TRACE_END:
        return 0;
    default: /* PARK, too: who picks itself goes on */
        return task;
    }
}

size_t rvi_trace_unfold(struct rvi_trace_event *ret, const struct rvi_trace_event *events,
                        size_t count, uint64_t *task, uint64_t *ret_lost)
{
    size_t made = 0;

    for (size_t i = 0; i < count; i++) {
        if (rvi_trace_kind(&events[i]) != RVI_TRACE_CALL) {
            *task = runs_after(&events[i], *task);
            ret[made++] = events[i];
        } else if (*task) {
            split_call(&ret[made], &events[i], *task);
            made += 2;
        } else {
            ++*ret_lost;
        }
    }
    return made;
}
