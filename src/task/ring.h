/* SPDX-License-Identifier: MIT */
/* ring.h - the places and slots of a channel's ring: what is where, and whose turn it is.
 *
 * The arithmetic alone. What a place, a lap and a turn are, and who may move or set them, is said
 * on top of chan.c. RVI_SHUT in either word of a channel says that it is shut: for a place with
 * that bit no slot ever has the turn.
 * Checked by: tests/unit/task/test_chan.c, tests/stress/stress_chan.c,
 * tests/explore/explore_chan.c */
#pragma once

#include <string.h>

#include "sys/cpu.h"
#include "sys/thread.h"
#include "task/chan.h"

#define RVI_SHUT ((uint64_t)1 << 63)
#define RVI_NO_PLACE UINT64_MAX

enum {
    RVI_SPINS_BEFORE_YIELD = 200, /* for a peer that is in the middle of copying */
};

struct rvi_slot {
    _Atomic(uint64_t) turn;
    unsigned char item[];
};

/* The sizes of numbers and pointers are copied by a move or two instead of a call. No bytes: the
 * addresses may be NULL. */
RVI_INLINE void rvi_copy_item(void *to, const void *from, size_t bytes)
{
    if (rvi_likely(bytes == 8)) {
        memcpy(to, from, 8);
        return;
    }
    switch (bytes) {
    case 0:
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    default:
        memcpy(to, from, bytes);
    }
}

RVI_INLINE uint64_t rvi_ring_offset_of(const struct rv_chan *ch, uint64_t place)
{
    return place & ch->offset_mask;
}

RVI_INLINE struct rvi_slot *rvi_ring_slot_at(const struct rv_chan *ch, uint64_t place)
{
    return (struct rvi_slot *)(void *)(ch->ring + rvi_ring_offset_of(ch, place));
}

RVI_INLINE uint64_t rvi_ring_lap_of(const struct rv_chan *ch)
{
    return ch->offset_mask + 1;
}

RVI_INLINE uint64_t rvi_ring_next_place(const struct rv_chan *ch, uint64_t place)
{
    uint64_t offset = rvi_ring_offset_of(ch, place);

    return offset == ch->last_offset ? place - offset + rvi_ring_lap_of(ch)
                                     : place + ch->slot_bytes;
}

/* The turn of a slot that is free for `place`; for a place that is shut, the turn of none. */
RVI_INLINE uint64_t rvi_ring_free_turn(const struct rv_chan *ch, uint64_t place)
{
    return place - rvi_ring_offset_of(ch, place);
}

RVI_INLINE uint64_t rvi_ring_full_turn(const struct rv_chan *ch, uint64_t place)
{
    return rvi_ring_free_turn(ch, place) + 1;
}

RVI_INLINE uint64_t rvi_ring_free_turn_after(const struct rv_chan *ch, uint64_t place)
{
    return rvi_ring_free_turn(ch, place) + rvi_ring_lap_of(ch);
}

/* All of a place at once: what was read before an atomic access would be read again after it. */
struct rvi_spot {
    struct rvi_slot *slot;
    uint64_t place;
    uint64_t offset;
    uint64_t turn; /* that its slot has if it is free, or full, as asked for */
};

RVI_INLINE struct rvi_spot rvi_ring_spot_at(const struct rv_chan *ch, uint64_t place, bool full)
{
    uint64_t offset = rvi_ring_offset_of(ch, place);

    return (struct rvi_spot){
        .slot = (struct rvi_slot *)(void *)(ch->ring + offset),
        .place = place,
        .offset = offset,
        .turn = place - offset + full,
    };
}

/* To see by its sign that a place is shut, and read no turn, spares a conversation 12 instructions
 * a round trip; but each item in the ring has it in its way, and takes 8% longer. */
RVI_INLINE bool rvi_ring_may_have(struct rvi_spot at)
{
    return rvi_load_relaxed(&at.slot->turn) == at.turn;
}

RVI_INLINE uint64_t rvi_ring_next_spot(const struct rv_chan *ch, struct rvi_spot at,
                                       uint64_t next_lap)
{
    return at.offset == ch->last_offset ? next_lap : at.place + ch->slot_bytes;
}

static inline bool rvi_has_ring(const struct rv_chan *ch)
{
    return ch->slot_bytes > 0;
}

/* With neither of them shut. */
static inline bool rvi_ring_is_full_at(const struct rv_chan *ch, uint64_t head, uint64_t tail)
{
    return head + rvi_ring_lap_of(ch) == tail;
}

/* The items that went through the ring before this place. */
static inline uint64_t rvi_ring_items_before(const struct rv_chan *ch, uint64_t place)
{
    if (!rvi_has_ring(ch))
        return 0;
    place &= ~RVI_SHUT;
    return place / rvi_ring_lap_of(ch) * ch->capacity +
           rvi_ring_offset_of(ch, place) / ch->slot_bytes;
}

/* Somebody else is in the middle of copying, a matter of instructions; but he may have lost his
 * core there. */
static inline void rvi_let_him_finish(int turn)
{
    if (turn < RVI_SPINS_BEFORE_YIELD)
        rvi_cpu_relax();
    else
        rvi_thread_yield();
}

/* The slot is the caller's as soon as it has this turn. */
static inline void rvi_ring_await_turn(const struct rvi_slot *slot, uint64_t turn)
{
    for (int spins = 0; rvi_load_acquire(&slot->turn) != turn; spins++) /* pairs: chan-turn */
        rvi_let_him_finish(spins);
}

static inline void rvi_ring_set_places(struct rv_chan *ch, uint64_t head, uint64_t tail)
{
    rvi_store_relaxed(&ch->head, head);
    rvi_store_relaxed(&ch->tail, tail);
}
