/* SPDX-License-Identifier: MIT */
/* workqueue_inside.h - what lies where in a shared work queue, and what its words mean; for the two
 * files of workqueue.h. The essay is on top of workqueue.c. */
#pragma once

#include "base/check.h"
#include "shm/workqueue.h"

enum {
    MEMBER_BITS = 9,
    GENERATION_BITS = 8,
    OWNER_BITS = MEMBER_BITS + GENERATION_BITS,
    STATE_BITS = 3,
    TICKET_BITS = 64 - OWNER_BITS - STATE_BITS,
    PLACE_BITS = 64 - TICKET_BITS, /* of a cell that do not count tickets */
    WANT_WORDS = RVI_WORKQUEUE_MEMBERS / 64,
};

_Static_assert(RVI_WORKQUEUE_MEMBERS <= 1 << MEMBER_BITS, "a member's number fits into a slot");
_Static_assert(RVI_WORKQUEUE_CAPACITY < (1 << PLACE_BITS) - 1, "a slot's number fits into a cell");

enum slot_state {
    SLOT_FREE,
    SLOT_FILLING, /* its owner writes the item */
    SLOT_PUT,     /* written; in the queue once the ticket's cell names this slot */
    SLOT_TAKEN,   /* its owner works on the item */
    SLOT_BACK,    /* its taker has died: to be taken before all others */
};

struct slot {
    _Atomic(uint64_t) word; /* state, owner, ticket */
    unsigned char item[];
};

/* A member's word, from the low end: whether it lives, its generation, its process. One word, so
 * that there is no moment at which somebody takes part and cannot be found. */
enum {
    PID_BITS = 22,
    LIVES = 1,
};

struct member {
    _Alignas(RVI_CACHE_LINE) _Atomic(uint64_t) who;
    _Atomic(uint32_t) bell;
};

struct rvi_workqueue_shared {
    uint64_t magic;
    uint32_t item_bytes, capacity;
    _Alignas(RVI_CACHE_LINE) _Atomic(uint64_t) tail;    /* no ticket below it is free */
    _Alignas(RVI_CACHE_LINE) _Atomic(uint64_t) head;    /* no item below it waits in a cell */
    _Alignas(RVI_CACHE_LINE) _Atomic(uint64_t) returns; /* changes after items have gone back */
    _Atomic(uint64_t) looked;                           /* `returns` when none was found */
    struct {
        _Alignas(RVI_CACHE_LINE) _Atomic(uint64_t) words[WANT_WORDS]; /* a bit a member */
    } wanted[RVI_WANT_KINDS];
    struct member members[RVI_WORKQUEUE_MEMBERS];
};

static inline uint64_t slot_word(enum slot_state state, uint32_t owner, uint64_t ticket)
{
    return ticket << PLACE_BITS | (uint64_t)owner << STATE_BITS | state;
}

static inline enum slot_state state_of(uint64_t word)
{
    return (enum slot_state)(word & ((1 << STATE_BITS) - 1));
}

static inline uint32_t owner_of(uint64_t word)
{
    return (uint32_t)(word >> STATE_BITS) & ((1 << OWNER_BITS) - 1);
}

/* Of a slot's word, or of a cell. */
static inline uint64_t ticket_of(uint64_t word)
{
    return word >> PLACE_BITS;
}

static inline uint64_t ticket_cut(uint64_t ticket)
{
    return ticket & (((uint64_t)1 << TICKET_BITS) - 1);
}

/* How far ticket a is ahead of b, when both have lost their high bits. */
static inline int64_t ahead(uint64_t a, uint64_t b)
{
    return (int64_t)((a - b) << PLACE_BITS) >> PLACE_BITS;
}

static inline struct slot *slot_at(const struct rvi_workqueue *q, uint32_t number)
{
    return (struct slot *)(void *)(q->slots + (size_t)number * q->slot_bytes);
}

static inline _Atomic(uint64_t) *cell_at(const struct rvi_workqueue *q, uint64_t ticket)
{
    return &q->cells[ticket & (q->lap - 1)];
}

static inline uint32_t room_words(const struct rvi_workqueue *q)
{
    return (q->capacity + 63) / 64;
}

/* Whether the item of a slot that is PUT is in the queue. Once it is, its cell stays until the slot
 * changes. */
static inline bool is_in_line(const struct rvi_workqueue *q, uint32_t number, uint64_t word)
{
    uint64_t ticket = ticket_of(word);
    /* pairs: workqueue-cell */
    uint64_t cell = rvi_load_seq_cst(cell_at(q, ticket));

    return cell == (ticket << PLACE_BITS | number);
}

/* A view of the memory, which is nobody's yet. Errors: -EBADMSG. */
int rvi_workqueue_view(struct rvi_workqueue *ret, void *memory, size_t bytes)
    __attribute__((warn_unused_result));

/* Free a slot: false if its word has changed. Of one that the caller owns, or whose owner
 * is dead. */
bool rvi_workqueue_free_slot(struct rvi_workqueue *q, uint32_t number, uint64_t word);

/* A slot has become free: say so, and ring for those who wait for that. */
void rvi_workqueue_give_room(struct rvi_workqueue *q, uint32_t number);

/* Ring one, or all, of those who want it, and take their want away. After what they want is
 * there. */
void rvi_workqueue_ring_one(struct rvi_workqueue *q, enum rvi_workqueue_want what);
void rvi_workqueue_ring_all(struct rvi_workqueue *q, enum rvi_workqueue_want what);

bool rvi_workqueue_is_wanted(const struct rvi_workqueue *q, enum rvi_workqueue_want what);

/* Whether there looks to be an item, or room, or an end; after the caller's own change. */
bool rvi_workqueue_has(struct rvi_workqueue *q, enum rvi_workqueue_want what);
