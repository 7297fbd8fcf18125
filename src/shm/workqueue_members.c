/* SPDX-License-Identifier: MIT */
/* workqueue_members.c - who takes part in a shared work queue, who is asleep, and who has died.
 *
 * The protocols are in the essay on top of workqueue.c. Whoever is free to look for the dead does:
 * a process whose child has died, at once (rvi_workqueue_forget); any member that waits, now and
 * then (rvi_workqueue_look_around), so that it also works when the process that made the queue is
 * gone.
 *
 * A member's number is used again, with the next generation, when its items have been given back
 * and everybody has been rung: its word is freed last. */
#include <errno.h>
#include <limits.h>

#include "shm/workqueue_inside.h"
#include "sys/futex.h"
#include "sys/living.h"

enum { START_SHIFT = 32 };

_Static_assert(1 + GENERATION_BITS + PID_BITS < START_SHIFT, "a member is one word");

/* --- members --- */

static uint32_t number_of(uint32_t member)
{
    return member & ((1 << MEMBER_BITS) - 1);
}

static uint32_t generation_of(uint64_t who)
{
    return (uint32_t)(who >> 1) & ((1 << GENERATION_BITS) - 1);
}

static struct rvi_living process_of(uint64_t who)
{
    return (struct rvi_living){
        .pid = (uint32_t)(who >> (1 + GENERATION_BITS)) & ((1 << PID_BITS) - 1),
        .start = (uint32_t)(who >> START_SHIFT),
    };
}

static uint64_t who_word(uint32_t generation, struct rvi_living process)
{
    return (uint64_t)process.start << START_SHIFT | (uint64_t)process.pid << (1 + GENERATION_BITS) |
           (uint64_t)generation << 1 | LIVES;
}

static uint32_t member_of(uint32_t number, uint64_t who)
{
    return generation_of(who) << MEMBER_BITS | number;
}

static _Atomic(uint64_t) *who_at(const struct rvi_workqueue *q, uint32_t number)
{
    return &q->shared->members[number].who;
}

static bool enter_as(struct rvi_workqueue *q, uint32_t number, struct rvi_living self)
{
    uint64_t who = rvi_load_relaxed(who_at(q, number));
    uint32_t next = (generation_of(who) + 1) & ((1 << GENERATION_BITS) - 1);
    uint64_t mine = who_word(next, self);

    /* pairs: workqueue-member */
    if ((who & LIVES) || !rvi_cas_acquire(who_at(q, number), &who, mine))
        return false;
    q->me = member_of(number, mine);
    return true;
}

static bool enter_anywhere(struct rvi_workqueue *q)
{
    struct rvi_living self = rvi_living_self();

    for (uint32_t i = 0; i < RVI_WORKQUEUE_MEMBERS; i++) {
        if (enter_as(q, i, self))
            return true;
    }
    return false;
}

int rvi_workqueue_enter(struct rvi_workqueue *ret, void *memory, size_t bytes)
{
    struct rvi_workqueue q;
    int r = rvi_workqueue_view(&q, memory, bytes);

    if (r < 0)
        return r;
    if (!enter_anywhere(&q) && (rvi_workqueue_look_around(&q) == 0 || !enter_anywhere(&q)))
        return -EUSERS;
    *ret = q;
    return 0;
}

void rvi_workqueue_leave(struct rvi_workqueue *q)
{
    rvi_workqueue_forget_member(q, q->me);
}

/* --- bells --- */

static _Atomic(uint32_t) *bell_at(const struct rvi_workqueue *q, uint32_t number)
{
    return &q->shared->members[number].bell;
}

static void ring(const struct rvi_workqueue *q, uint32_t number)
{
    rvi_fetch_add_seq_cst(bell_at(q, number), 1); /* pairs: workqueue-bell */
    rvi_futex_wake_shared(bell_at(q, number), INT_MAX);
}

uint32_t rvi_workqueue_bell(const struct rvi_workqueue *q)
{
    return rvi_load_seq_cst(bell_at(q, number_of(q->me))); /* pairs: workqueue-bell */
}

int rvi_workqueue_sleep(struct rvi_workqueue *q, uint32_t seen, int64_t deadline_ns)
{
    return rvi_futex_wait_shared(bell_at(q, number_of(q->me)), seen, deadline_ns);
}

void rvi_workqueue_ring_self(struct rvi_workqueue *q)
{
    ring(q, number_of(q->me));
}

static _Atomic(uint64_t) *wants(const struct rvi_workqueue *q, enum rvi_workqueue_want what,
                                uint32_t number)
{
    return &q->shared->wanted[what].words[number / 64];
}

static uint64_t want_bit(uint32_t number)
{
    return (uint64_t)1 << number % 64;
}

/* Whether it was set. */
static bool take_want(const struct rvi_workqueue *q, enum rvi_workqueue_want what, uint32_t number)
{
    uint64_t bit = want_bit(number);

    /* pairs: workqueue-want */
    return rvi_fetch_and_seq_cst(wants(q, what, number), ~bit) & bit;
}

void rvi_workqueue_want(struct rvi_workqueue *q, enum rvi_workqueue_want what)
{
    uint32_t number = number_of(q->me);

    rvi_fetch_or_seq_cst(wants(q, what, number), want_bit(number)); /* pairs: workqueue-want */
}

void rvi_workqueue_unwant(struct rvi_workqueue *q, enum rvi_workqueue_want what)
{
    if (!take_want(q, what, number_of(q->me)) && what != RVI_WANT_END && rvi_workqueue_has(q, what))
        rvi_workqueue_ring_one(q, what);
}

bool rvi_workqueue_is_wanted(const struct rvi_workqueue *q, enum rvi_workqueue_want what)
{
    uint64_t any = 0;

    for (uint32_t i = 0; i < WANT_WORDS; i++)
        any |= rvi_load_seq_cst(&q->shared->wanted[what].words[i]); /* pairs: workqueue-want */
    return any != 0;
}

/* The first bit at or after one, going round. */
static uint32_t first_from(uint64_t bits, uint32_t from)
{
    uint64_t turned = bits >> from | (from > 0 ? bits << (64 - from) : 0);

    return ((uint32_t)__builtin_ctzll(turned) + from) % 64;
}

/* Those in one word; false: nobody there wants it any more. */
static bool ring_one_of(struct rvi_workqueue *q, enum rvi_workqueue_want what, uint32_t word,
                        uint32_t from)
{
    uint64_t bits;

    for (int turn = 0; turn < 64; turn++) {
        bits = rvi_load_seq_cst(wants(q, what, word * 64)); /* pairs: workqueue-want */
        if (bits == 0)
            return false;
        uint32_t number = word * 64 + first_from(bits, from);
        if (take_want(q, what, number)) {
            ring(q, number);
            return true;
        }
    }
    return false;
}

void rvi_workqueue_ring_one(struct rvi_workqueue *q, enum rvi_workqueue_want what)
{
    if (rvi_likely(!rvi_workqueue_is_wanted(q, what)))
        return;
    uint32_t from = rvi_fetch_add_relaxed(&q->next_bell, 1) % RVI_WORKQUEUE_MEMBERS;
    for (uint32_t i = 0; i < WANT_WORDS; i++) {
        if (ring_one_of(q, what, (from / 64 + i) % WANT_WORDS, from % 64))
            return;
    }
}

void rvi_workqueue_ring_all(struct rvi_workqueue *q, enum rvi_workqueue_want what)
{
    for (uint32_t word = 0; word < WANT_WORDS; word++) {
        uint64_t bits = rvi_load_seq_cst(wants(q, what, word * 64)); /* pairs: workqueue-want */
        for (; bits != 0; bits &= bits - 1) {
            uint32_t number = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (take_want(q, what, number))
                ring(q, number);
        }
    }
}

/* --- the dead --- */

/* What the member had begun with this slot; and what anybody had who died between a slot and its
 * bit. */
static void forget_slot(struct rvi_workqueue *q, uint32_t number, uint32_t member)
{
    _Atomic(uint64_t) *at = &slot_at(q, number)->word;
    uint64_t word = rvi_load_seq_cst(at); /* pairs: workqueue-slot */
    uint64_t bit = (uint64_t)1 << number % 64;

    if (state_of(word) == SLOT_FREE) {
        if (!(rvi_load_seq_cst(&q->room[number / 64]) & bit)) /* pairs: workqueue-room */
            rvi_workqueue_give_room(q, number);
        return;
    }
    if (owner_of(word) != member)
        return;
    if (state_of(word) == SLOT_FILLING ||
        (state_of(word) == SLOT_PUT && !is_in_line(q, number, word)))
        rvi_workqueue_free_slot(q, number, word);
    else if (state_of(word) == SLOT_TAKEN)
        /* pairs: workqueue-slot */
        rvi_cas_seq_cst(at, &word, slot_word(SLOT_BACK, 0, ticket_of(word)));
}

void rvi_workqueue_forget_member(struct rvi_workqueue *q, uint32_t member)
{
    uint32_t number = number_of(member);
    uint64_t who = rvi_load_acquire(who_at(q, number)); /* pairs: workqueue-member */

    if (!(who & LIVES) || member_of(number, who) != member)
        return;
    for (uint32_t i = 0; i < q->capacity; i++)
        forget_slot(q, i, member);
    rvi_fetch_add_seq_cst(&q->shared->returns, 1); /* pairs: workqueue-returns */
    for (int what = 0; what < RVI_WANT_KINDS; what++)
        rvi_workqueue_ring_all(q, what);
    /* pairs: workqueue-member */
    rvi_cas_release(who_at(q, number), &who, who & ~(uint64_t)LIVES);
}

void rvi_workqueue_forget(struct rvi_workqueue *q, uint32_t pid)
{
    for (uint32_t i = 0; i < RVI_WORKQUEUE_MEMBERS; i++) {
        uint64_t who = rvi_load_acquire(who_at(q, i)); /* pairs: workqueue-member */
        if ((who & LIVES) && process_of(who).pid == pid)
            rvi_workqueue_forget_member(q, member_of(i, who));
    }
}

unsigned rvi_workqueue_look_around(struct rvi_workqueue *q)
{
    uint32_t self = rvi_living_self().pid;
    unsigned found = 0;

    for (uint32_t i = 0; i < RVI_WORKQUEUE_MEMBERS; i++) {
        uint64_t who = rvi_load_acquire(who_at(q, i)); /* pairs: workqueue-member */
        struct rvi_living process = process_of(who);
        if (!(who & LIVES) || process.pid == self || !rvi_living_has_ended(process))
            continue;
        rvi_workqueue_forget_member(q, member_of(i, who));
        found++;
    }
    return found;
}
