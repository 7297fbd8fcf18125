/* SPDX-License-Identifier: MIT */
/* workqueue.c - items between processes that may be killed at any instruction.
 *
 * An item lies in one slot from its put until it is done, and the slot's word is the only truth
 * about it; one compare-and-swap of one word is each step of its life:
 *
 *     FREE --> FILLING --> PUT --> TAKEN --> FREE          the usual way
 *               |           |       |  ^
 *               v           v       v  |
 *              FREE        FREE    BACK                    when its owner has died
 *
 * The word names the member who did the last step, by a number and a generation, and the item's
 * ticket. So whoever finds a member dead finds by one walk over the slots all that it had begun,
 * and ends it: what was FILLING is freed, what was TAKEN goes BACK. All else is there to find
 * things quickly, is written after or before the word, and may be wrong by as much as a death has
 * left out:
 *
 *   room    a bit a slot: free, and nobody has reached for it
 *   cells   a ring; the cell of ticket t, t modulo its size, holds t and the number of a slot
 *   tail, head   where in the ring to look first
 *   returns, looked   whether some slot may be BACK
 *
 * Put. Take a bit of `room` away: nobody else reaches for that slot. FREE to FILLING; write the
 * item. Then, for the ticket t at the tail, the word becomes PUT with t, and the cell of t is
 * swapped from what the lap before has left there to (t, slot). That swap is the put: before it
 * nobody knows the slot, and if somebody else gets the cell, t is the next. A slot that says PUT
 * while its cell does not name it has been put by nobody: if its owner is dead it is freed. Who
 * comes to a cell that is filled already moves the tail on, so nobody waits for him who has filled
 * it.
 *
 * Get. The cell at the head names a slot; PUT to TAKEN is the get. If the slot is not PUT with that
 * ticket any more, somebody was faster, and the head is moved on. The item is copied while the slot
 * is TAKEN, and stays in it.
 *
 * Done. TAKEN to FREE, then the bit of `room`.
 *
 *   Q1  there are more cells than slots. So when the cell of t is about to be filled the item of
 *       one lap before is not PUT: the items that are have consecutive tickets, as the head passes
 *       none of them, and they are fewer than the cells.
 *   Q2  tickets are given in order, without a gap
 *   Q3  a slot is FREE and its bit is not set  =>  somebody is between the two, or has died there
 *   Q4  the word of a slot that is not FREE changes by its owner, or by who forgets its owner after
 *       its death; PUT, once in line, and BACK by any taker
 *
 * Closing fills the next cell with a mark instead of a slot. Nobody gets past it, so every put came
 * before or fails; there is no moment at which a getter is told that nothing comes and something
 * does.
 *
 * The order. First in, first out, by tickets. What goes back keeps its ticket, and is taken before
 * what waits in line, the lowest ticket first. Who takes looks for it only while `returns` is ahead
 * of `looked`: a death moves the one, a walk that found nothing moves the other up to what the one
 * was before the walk. A walk takes a look at each slot; it comes after deaths only.
 *
 * Capacity. A taken item keeps its slot, because it may have to go back; so full means that as many
 * are unfinished, not that as many wait.
 *
 * Nothing unfinished. All slots FREE is not enough, if it was not at one moment: an item may move
 * from a slot not looked at yet to one that was. But if the tail is the same before and after the
 * walk, nothing has been put meanwhile, and what was done stays done.
 *
 * Waiting. Each member has a bit in `wanted`, for each of three wants, and a bell, a futex. Who
 * wants sets the bit, looks again, and sleeps until the bell rings; who has put, or freed, or done,
 * looks at the bits afterwards, takes one away and rings that bell. All of these accesses are
 * sequentially consistent: of the two looks one at least sees the other's change. One bit, one
 * ring: each item wakes one process and not a herd. What may get lost is a ring to a member that
 * dies before it looks, or of one that dies before it rings; so forgetting the dead rings
 * everybody. Joiners are all rung, by whoever sees all bits of `room` set. A claim that comes to
 * nothing (a closed queue) gives its bit back the same way.
 *
 * Deaths (workqueue_members.c). A member's word holds its process, so that any other member can ask
 * the kernel. Forgetting is a walk whose each step is a swap from a word that names the dead and
 * its generation. Several may walk at a time, one may be slow and come when the member's number has
 * a new owner: its swaps fail. One may die: the member's word is freed last, so the next does it
 * again.
 *
 * Hostile members. Sizes and the addresses made of them are in each process's own memory, copied
 * and checked once; every number that comes out of a shared word is cut or compared with them
 * before it is used; every loop ends after so many turns (-EBADMSG). A member that writes over the
 * memory can lose, double or forge items, and keep others from sleeping; it cannot crash them.
 *
 * Numbers that come again: a ticket has 44 bits. To be taken in by a ticket that has come round,
 * a thread would have to be held between two instructions for 2^44 puts, twenty days at ten million
 * a second, to the very item; a generation has 8, within one item's being given back.
 *
 * Sources: the ring with helping is that of Tsigas and Zhang 2001, "A simple, fast and scalable
 * non-blocking concurrent FIFO queue"; cells that know their lap, Vyukov 2011. That an item is
 * taken by writing the taker's number into it, so that it can be found after a crash: Friedman,
 * Herlihy, Marathe and Petrank 2018, "A persistent lock-free queue for non-volatile memory".
 *
 * Rejected: a lock that survives its owner. A robust mutex of POSIX threads keeps the list that
 * links it as addresses in the lock, hence here in memory that others write; its owner may be
 * stopped, and everybody with it; and what it has left half done must be repaired from a log, which
 * is the above again. A Michael-Scott list: nodes have to be recycled. One ring whose slots are
 * both order and storage: an item that takes an hour would stop the queue after one lap. A count of
 * unfinished items: a death between the item's step and the count's makes it wrong for ever.
 *
 * Checked by: tests/unit/shm/test_workqueue.c, test_workqueue_steps.c (every instruction) */
#include "shm/workqueue.h"

#include <errno.h>
#include <string.h>

#include "shm/workqueue_inside.h"

static const uint64_t MAGIC = 0x7261766571756575; /* "ravequeu" */

enum {
    NO_SLOT = (1 << PLACE_BITS) - 1, /* in a cell that has not been filled yet */
    CLOSED = NO_SLOT - 1,            /* in the last cell of a queue */
    LEAST_ROUNDS = 1 << 16,          /* in which somebody else has got on each time */
    CALM_ROUNDS = 4,                 /* looks for a moment without puts */
};

/* --- memory --- */

struct layout {
    size_t room, cells, slots, end; /* bytes from the beginning */
    uint32_t lap, slot_bytes;
};

static size_t whole_lines(size_t bytes)
{
    return (bytes + RVI_CACHE_LINE - 1) & ~(size_t)(RVI_CACHE_LINE - 1);
}

static bool lay_out(size_t item_bytes, size_t capacity, struct layout *ret)
{
    struct layout l = {.lap = 1};

    if (item_bytes == 0 || capacity == 0 || capacity > RVI_WORKQUEUE_CAPACITY ||
        item_bytes > INT32_MAX / 2)
        return false;
    while (l.lap <= capacity)
        l.lap *= 2;
    l.slot_bytes = (uint32_t)whole_lines(sizeof(struct slot) + item_bytes);
    l.room = whole_lines(sizeof(struct rvi_workqueue_shared));
    l.cells = l.room + whole_lines((capacity + 63) / 64 * sizeof(uint64_t));
    l.slots = l.cells + whole_lines(l.lap * sizeof(uint64_t));
    l.end = l.slots + capacity * l.slot_bytes;
    *ret = l;
    return true;
}

size_t rvi_workqueue_bytes(size_t item_bytes, size_t capacity)
{
    struct layout l;

    return lay_out(item_bytes, capacity, &l) ? l.end : 0;
}

static void open_view(struct rvi_workqueue *ret, unsigned char *memory, size_t item_bytes,
                      size_t capacity, const struct layout *l)
{
    *ret = (struct rvi_workqueue){
        .shared = (struct rvi_workqueue_shared *)(void *)memory,
        .room = (_Atomic(uint64_t) *)(void *)(memory + l->room),
        .cells = (_Atomic(uint64_t) *)(void *)(memory + l->cells),
        .slots = memory + l->slots,
        .item_bytes = (uint32_t)item_bytes,
        .capacity = (uint32_t)capacity,
        .slot_bytes = l->slot_bytes,
        .lap = l->lap,
    };
}

/* The room that a word has when all of its slots are free. */
static uint64_t all_of(const struct rvi_workqueue *q, uint32_t word)
{
    uint32_t slots = q->capacity - word * 64;

    return slots >= 64 ? UINT64_MAX : ((uint64_t)1 << slots) - 1;
}

void rvi_workqueue_format(void *memory, size_t item_bytes, size_t capacity)
{
    struct rvi_workqueue q;
    struct layout l;

    RV_CHECK(lay_out(item_bytes, capacity, &l));
    open_view(&q, memory, item_bytes, capacity, &l);
    for (uint32_t i = 0; i < room_words(&q); i++)
        rvi_store_relaxed(&q.room[i], all_of(&q, i));
    for (uint32_t i = 0; i < q.lap; i++)
        rvi_store_relaxed(&q.cells[i], ((uint64_t)i - q.lap) << PLACE_BITS | NO_SLOT);
    q.shared->item_bytes = q.item_bytes;
    q.shared->capacity = q.capacity;
    q.shared->magic = MAGIC;
}

int rvi_workqueue_view(struct rvi_workqueue *ret, void *memory, size_t bytes)
{
    const struct rvi_workqueue_shared *shared = memory;
    struct layout l;

    if (bytes < sizeof *shared || shared->magic != MAGIC)
        return -EBADMSG;
    uint32_t item_bytes = *(const volatile uint32_t *)&shared->item_bytes;
    uint32_t capacity = *(const volatile uint32_t *)&shared->capacity;
    if (!lay_out(item_bytes, capacity, &l) || l.end > bytes)
        return -EBADMSG;
    open_view(ret, memory, item_bytes, capacity, &l);
    return 0;
}

static uint32_t rounds_of(const struct rvi_workqueue *q)
{
    return LEAST_ROUNDS + 4 * q->lap;
}

/* --- room --- */

/* Take the bit of a slot away, and make it the caller's. */
static bool claim(struct rvi_workqueue *q, uint32_t number)
{
    uint64_t bit = (uint64_t)1 << number % 64;
    /* pairs: workqueue-room */
    uint64_t before = rvi_fetch_and_seq_cst(&q->room[number / 64], ~bit);

    if (!(before & bit) || number >= q->capacity)
        return false;
    uint64_t word = rvi_load_relaxed(&slot_at(q, number)->word);
    return state_of(word) == SLOT_FREE &&
           rvi_cas_acquire(&slot_at(q, number)->word, &word, /* pairs: workqueue-slot */
                           slot_word(SLOT_FILLING, q->me, 0));
}

/* A slot that is the caller's to fill. Errors: -EAGAIN there is none. */
static int find_room(struct rvi_workqueue *q, uint32_t *ret)
{
    uint32_t words = room_words(q);

    for (uint32_t i = 0, at = q->me % words; i < words; i++, at = at + 1 == words ? 0 : at + 1) {
        uint64_t room;
        /* pairs: workqueue-room; more turns than slots: others are at it, in vain or in malice */
        for (int turn = 0; turn < 128 && (room = rvi_load_seq_cst(&q->room[at])) != 0; turn++) {
            uint32_t number = at * 64 + (uint32_t)__builtin_ctzll(room);
            if (claim(q, number)) {
                *ret = number;
                return 0;
            }
        }
    }
    return -EAGAIN;
}

static bool has_all_room(const struct rvi_workqueue *q)
{
    for (uint32_t i = 0; i < room_words(q); i++) {
        if (rvi_load_seq_cst(&q->room[i]) != all_of(q, i)) /* pairs: workqueue-room */
            return false;
    }
    return true;
}

static bool has_some_room(const struct rvi_workqueue *q)
{
    for (uint32_t i = 0; i < room_words(q); i++) {
        if (rvi_load_seq_cst(&q->room[i]) != 0) /* pairs: workqueue-room */
            return true;
    }
    return false;
}

void rvi_workqueue_give_room(struct rvi_workqueue *q, uint32_t number)
{
    /* pairs: workqueue-room */
    rvi_fetch_or_seq_cst(&q->room[number / 64], (uint64_t)1 << number % 64);
    rvi_workqueue_ring_one(q, RVI_WANT_ROOM);
    if (rvi_unlikely(rvi_workqueue_is_wanted(q, RVI_WANT_END)) && has_all_room(q))
        rvi_workqueue_ring_all(q, RVI_WANT_END);
}

bool rvi_workqueue_free_slot(struct rvi_workqueue *q, uint32_t number, uint64_t word)
{
    /* pairs: workqueue-slot */
    if (!rvi_cas_seq_cst(&slot_at(q, number)->word, &word, slot_word(SLOT_FREE, 0, 0)))
        return false;
    rvi_workqueue_give_room(q, number);
    return true;
}

/* --- put --- */

/* The first ticket that nobody has, and what is in its cell. */
struct end {
    uint64_t ticket, cell;
};

/* Errors: -EPIPE it is the mark of the closed; -EBADMSG. */
static int find_end(struct rvi_workqueue *q, struct end *ret)
{
    struct rvi_workqueue_shared *shared = q->shared;

    for (uint32_t i = rounds_of(q); i > 0; i--) {
        uint64_t ticket = rvi_load_acquire(&shared->tail);    /* pairs: workqueue-tail */
        uint64_t cell = rvi_load_seq_cst(cell_at(q, ticket)); /* pairs: workqueue-cell */
        int64_t lead = ahead(ticket_of(cell), ticket);
        *ret = (struct end){ticket, cell};
        if (rvi_likely(lead == -(int64_t)q->lap))
            return 0;
        if (lead == 0 && (cell & NO_SLOT) == CLOSED)
            return -EPIPE;
        if (lead < 0)
            return -EBADMSG;
        rvi_cas_release(&shared->tail, &ticket, ticket + 1); /* pairs: workqueue-tail */
    }
    return -EBADMSG;
}

static bool fill_cell(struct rvi_workqueue *q, struct end end, uint32_t number)
{
    uint64_t filled = ticket_cut(end.ticket) << PLACE_BITS | number;

    /* pairs: workqueue-cell */
    return rvi_cas_seq_cst(cell_at(q, end.ticket), &end.cell, filled);
}

/* Of a slot that the caller has filled. */
static int get_in_line(struct rvi_workqueue *q, uint32_t number)
{
    struct slot *slot = slot_at(q, number);
    struct end end;
    int r = 0;

    for (uint32_t i = rounds_of(q); i > 0 && (r = find_end(q, &end)) == 0; i--) {
        uint64_t word = slot_word(SLOT_PUT, q->me, ticket_cut(end.ticket));
        rvi_store_release(&slot->word, word); /* pairs: workqueue-slot */
        if (fill_cell(q, end, number)) {
            /* pairs: workqueue-tail */
            rvi_cas_release(&q->shared->tail, &end.ticket, end.ticket + 1);
            return 0;
        }
    }
    rvi_workqueue_free_slot(q, number, rvi_load_relaxed(&slot->word));
    return r < 0 ? r : -EBADMSG;
}

int rvi_workqueue_put(struct rvi_workqueue *q, const void *item)
{
    struct end end;
    uint32_t number;
    int r = find_room(q, &number);

    if (r < 0) {
        int closed = find_end(q, &end);
        return closed < 0 ? closed : r;
    }
    memcpy(slot_at(q, number)->item, item, q->item_bytes);
    r = get_in_line(q, number);
    if (r == 0)
        rvi_workqueue_ring_one(q, RVI_WANT_ITEM);
    return r;
}

int rvi_workqueue_close(struct rvi_workqueue *q)
{
    struct end end;
    int r = 0;

    for (uint32_t i = rounds_of(q); i > 0 && (r = find_end(q, &end)) == 0; i--) {
        if (fill_cell(q, end, CLOSED))
            break;
    }
    for (int what = 0; what < RVI_WANT_KINDS; what++)
        rvi_workqueue_ring_all(q, what);
    return r == -EPIPE ? 0 : r;
}

/* --- get --- */

static bool take(struct rvi_workqueue *q, uint32_t number, uint64_t word, void *ret_item,
                 struct rvi_taken *ret)
{
    struct slot *slot = slot_at(q, number);
    uint64_t ticket = ticket_of(word);

    /* pairs: workqueue-slot */
    if (!rvi_cas_acq_rel(&slot->word, &word, slot_word(SLOT_TAKEN, q->me, ticket)))
        return false;
    memcpy(ret_item, slot->item, q->item_bytes);
    *ret = (struct rvi_taken){.slot = number, .ticket = ticket};
    return true;
}

/* The oldest that was given back. */
static bool find_back(struct rvi_workqueue *q, uint32_t *ret_number, uint64_t *ret_word)
{
    *ret_number = NO_SLOT;
    *ret_word = 0;
    for (uint32_t i = 0; i < q->capacity; i++) {
        uint64_t word = rvi_load_acquire(&slot_at(q, i)->word); /* pairs: workqueue-slot */
        bool later = *ret_number != NO_SLOT && ahead(ticket_of(word), ticket_of(*ret_word)) > 0;
        if (state_of(word) != SLOT_BACK || later)
            continue;
        *ret_number = i;
        *ret_word = word;
    }
    return *ret_number != NO_SLOT;
}

static __attribute__((noinline)) bool take_back(struct rvi_workqueue *q, void *ret_item,
                                                struct rvi_taken *ret)
{
    uint64_t returns, looked, word;
    uint32_t number;

    for (uint32_t i = rounds_of(q); i > 0; i--) {
        looked = rvi_load_relaxed(&q->shared->looked);
        returns = rvi_load_seq_cst(&q->shared->returns); /* pairs: workqueue-returns */
        if (!find_back(q, &number, &word)) {
            rvi_cas_relaxed(&q->shared->looked, &looked, returns);
            return false;
        }
        if (take(q, number, word, ret_item, ret))
            return true;
    }
    return false;
}

static bool may_have_back(const struct rvi_workqueue *q)
{
    return rvi_load_seq_cst(&q->shared->returns) != /* pairs: workqueue-returns */
           rvi_load_relaxed(&q->shared->looked);
}

/* What is at the head: 0 and an item that nobody has taken as yet; or as rvi_workqueue_get(). */
static int find_head(struct rvi_workqueue *q, uint32_t *ret_number, uint64_t *ret_word)
{
    struct rvi_workqueue_shared *shared = q->shared;

    for (uint32_t i = rounds_of(q); i > 0; i--) {
        uint64_t ticket = rvi_load_acquire(&shared->head);    /* pairs: workqueue-head */
        uint64_t cell = rvi_load_seq_cst(cell_at(q, ticket)); /* pairs: workqueue-cell */
        int64_t lead = ahead(ticket_of(cell), ticket);
        *ret_number = cell & NO_SLOT;
        if (lead < 0)
            return lead == -(int64_t)q->lap ? -EAGAIN : -EBADMSG;
        if (lead == 0 && *ret_number >= q->capacity)
            return *ret_number == CLOSED ? -EPIPE : -EBADMSG;
        if (lead == 0) {
            /* pairs: workqueue-slot */
            *ret_word = rvi_load_acquire(&slot_at(q, *ret_number)->word);
            if (state_of(*ret_word) == SLOT_PUT && ticket_of(*ret_word) == ticket_cut(ticket))
                return 0;
        }
        rvi_cas_release(&shared->head, &ticket, ticket + 1); /* pairs: workqueue-head */
    }
    return -EBADMSG;
}

int rvi_workqueue_get(struct rvi_workqueue *q, void *ret_item, struct rvi_taken *ret)
{
    uint32_t number;
    uint64_t word;

    if (rvi_unlikely(may_have_back(q)) && take_back(q, ret_item, ret))
        return 0;
    for (uint32_t i = rounds_of(q); i > 0; i--) {
        int r = find_head(q, &number, &word);
        if (r < 0 || take(q, number, word, ret_item, ret))
            return r;
    }
    return -EBADMSG;
}

/* --- done --- */

int rvi_workqueue_done(struct rvi_workqueue *q, struct rvi_taken taken)
{
    uint64_t word = slot_word(SLOT_TAKEN, q->me, taken.ticket);

    RV_DCHECK(taken.slot < q->capacity);
    return rvi_workqueue_free_slot(q, taken.slot, word) ? 0 : -EBADMSG;
}

/* A slot that says PUT and is not in line yet counts: it will be, or be freed, which rings. */
static bool all_are_done(struct rvi_workqueue *q)
{
    for (uint32_t i = 0; i < q->capacity; i++) {
        uint64_t word = rvi_load_seq_cst(&slot_at(q, i)->word); /* pairs: workqueue-slot */
        if (state_of(word) != SLOT_FREE && state_of(word) != SLOT_FILLING)
            return false;
    }
    return true;
}

bool rvi_workqueue_is_finished(struct rvi_workqueue *q)
{
    struct end before, after;

    for (int i = 0; i < CALM_ROUNDS; i++) {
        int r = find_end(q, &before);
        if (r == -EBADMSG || !all_are_done(q))
            return false;
        find_end(q, &after);
        if (before.ticket == after.ticket)
            return true;
    }
    return false;
}

bool rvi_workqueue_has(struct rvi_workqueue *q, enum rvi_workqueue_want what)
{
    struct end end;
    uint32_t number;
    uint64_t word;

    switch (what) {
    case RVI_WANT_ITEM:
        return may_have_back(q) || find_head(q, &number, &word) != -EAGAIN;
    case RVI_WANT_ROOM:
        return has_some_room(q) || find_end(q, &end) < 0;
    default:
        return rvi_workqueue_is_finished(q);
    }
}

void rvi_workqueue_count(struct rvi_workqueue *q, size_t *ret_waiting, size_t *ret_unfinished)
{
    size_t waiting = 0, taken = 0;

    for (uint32_t i = 0; i < q->capacity; i++) {
        uint64_t word = rvi_load_acquire(&slot_at(q, i)->word); /* pairs: workqueue-slot */
        taken += state_of(word) == SLOT_TAKEN;
        waiting +=
            state_of(word) == SLOT_BACK || (state_of(word) == SLOT_PUT && is_in_line(q, i, word));
    }
    *ret_waiting = waiting;
    *ret_unfinished = waiting + taken;
}
