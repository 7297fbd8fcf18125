/* SPDX-License-Identifier: MIT */
/* chan_life.c - how a channel comes to be and goes: its measure, its ring, its end.
 *
 * A slot is a turn and an item, filled up to whole turns, so every turn is aligned. A lap is a
 * power of two, so that a mask parts offset and lap, though the capacity need not be one. Header
 * and ring are one allocation, also for who has a channel inside something larger (queue.c).
 * Checked by: tests/unit/task/test_chan.c */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "task/chan.h"
#include "task/named.h"
#include "task/ring.h"

/* What the places of a channel without a ring point to. They are shut, so no turn equals theirs. */
static struct rvi_slot no_slot;

/* Errors: -EOVERFLOW */
static int measure_slot(size_t item_bytes, size_t capacity, uint64_t *ret_bytes)
{
    size_t bytes;

    *ret_bytes = 0;
    if (item_bytes == 0 || capacity == 0)
        return 0;
    if (__builtin_add_overflow(item_bytes, 2 * sizeof(struct rvi_slot) - 1, &bytes))
        return -EOVERFLOW;
    *ret_bytes = bytes - bytes % sizeof(struct rvi_slot);
    return 0;
}

int rvi_chan_measure(size_t header_bytes, size_t item_bytes, size_t capacity, size_t *ret_bytes)
{
    uint64_t slot_bytes;
    size_t bytes;
    int err = measure_slot(item_bytes, capacity, &slot_bytes);

    if (err < 0 || __builtin_mul_overflow(slot_bytes, capacity, &bytes) ||
        __builtin_add_overflow(bytes, header_bytes, &bytes) || bytes > SIZE_MAX / 4)
        return -EOVERFLOW;
    *ret_bytes = bytes;
    return 0;
}

/* A lap is the first power of two that is no less than the ring. */
static void init_ring(struct rv_chan *ch, unsigned char *ring)
{
    uint64_t ring_bytes = ch->capacity * ch->slot_bytes;
    uint64_t lap = ch->slot_bytes;

    while (lap < ring_bytes || (lap & (lap - 1)) != 0)
        lap = (lap | (lap - 1)) + 1;
    ch->ring = ring;
    ch->last_offset = ring_bytes - ch->slot_bytes;
    ch->offset_mask = lap - 1;
    for (uint64_t at = 0; at < ring_bytes; at += ch->slot_bytes)
        rvi_store_relaxed(&rvi_ring_slot_at(ch, at)->turn, 0);
}

void rvi_chan_init(struct rv_chan *ch, void *ring, size_t item_bytes, size_t capacity)
{
    memset(ch, 0, sizeof(*ch));
    ch->item_bytes = item_bytes;
    ch->capacity = capacity;
    (void)measure_slot(item_bytes, capacity, &ch->slot_bytes);
    if (rvi_has_ring(ch)) {
        init_ring(ch, ring);
        return;
    }
    ch->ring = (unsigned char *)&no_slot;
    rvi_ring_set_places(ch, RVI_SHUT, RVI_SHUT);
}

/* Without the lock: whoever frees has made sure that nobody else is here, and taking it on another
 * worker than the channel's own would cost a revocation for nothing. */
void rvi_chan_check_unused(const struct rv_chan *ch, const char *caller)
{
    if (rvi_chan_somebody_waits(ch))
        rvi_panic("%s: somebody still waits on it; close it and let them return before you free it",
                  caller);
}

void rvi_named_drop_slow(struct rvi_named *named)
{
    rvi_roll_remove(&named->enrolled);
    rvi_free(named);
}

int rv_chan_new(rv_chan **ret, size_t item_bytes, size_t capacity)
{
    size_t bytes;
    int err = rvi_chan_measure(sizeof(struct rv_chan), item_bytes, capacity, &bytes);

    if (err < 0)
        return err;
    struct rv_chan *ch = rvi_alloc_aligned(RVI_CACHE_LINE, bytes);
    if (ch == NULL)
        return -ENOMEM;
    rvi_chan_init(ch, ch + 1, item_bytes, capacity);
    *ret = ch;
    return 0;
}

rv_chan *rv_chan_free(rv_chan *ch)
{
    if (ch != NULL) {
        rvi_chan_check_unused(ch, "rv_chan_free");
        rvi_named_drop(ch->named);
    }
    rvi_free(ch);
    return NULL;
}
