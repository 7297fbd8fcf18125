/* SPDX-License-Identifier: MIT */
/* chan.c - bounded channel between tasks, and between tasks and threads.
 *
 * A ring of slots, two lines of those who wait, and a biased lock that mostly nobody takes.
 *
 * The ring. A place counts slots since the beginning: the low bits are the byte offset of the slot,
 * the high ones the lap; `tail` is the place where the next item goes, `head` that of the oldest.
 * Each slot has a turn: the lap in which it is free, or that plus one while it holds the item of
 * that lap. Who has moved tail past a place owns its slot until it has set the turn to full; who
 * has moved head past it, until it has set the turn to free in the next lap (Vyukov's bounded queue
 * of 2011, with laps as in crossbeam's ArrayQueue so that a capacity need not be a power of two).
 *
 * Three ways to move them:
 *   biased    the worker that owns the lock's bias, by plain stores inside the lock
 *   shared    everybody once the bias is gone, by compare-and-swap, without the lock
 *   shut      whoever holds the lock, while a bit in both words makes the others come to the lock
 *
 * Invariants (ch->lock held)
 *   I1  senders wait    => the ring is full and the channel is open
 *   I2  receivers wait  => the ring is empty and the channel is open
 *   I3  somebody waits, or the channel is closed or has no ring  =>  it is shut
 *   I4  the lock has its bias  =>  who waits is a task of its owner; all others had to take it
 *   I5  tail - head is the number of items accepted by the ring and not yet promised to a receiver
 * Without room for items (capacity 0, or items of no bytes) there is no ring; the count of the
 * latter is kept under the lock. A capacity of 0 is always full and always empty, so each item goes
 * from hand to hand. Senders and receivers never wait both, but those of one and the same call of
 * rv_select: two that could meet have met. A line may hold entries of calls that have been served
 * elsewhere; they do not count as waiting (entry.h).
 *
 * Nobody waits while there is room. Who is about to wait takes the lock and adds SHUT to both
 * words. Each word changes by read-modify-writes alone while the ring is shared, so a concurrent
 * reservation comes before the bit or after it. Before: the one about to wait sees the place move,
 * because it reads the word after its own operation on it; then there is an item (or room) and it
 * does not wait. After: the other's compare-and-swap fails, it sees the bit, comes to
 * the lock and finds the line. So the handshake needs no fence, on either side.
 *
 * Order. Items leave in the order in which they were accepted, which is that of their places. By I1
 * and I3 nobody who arrives can overtake a waiting sender: whoever makes room fills it at once with
 * the first sender's item. By I2 the same holds for receivers.
 *
 * Two steps. What is decided (a place reserved, a waiting peer taken out) is decided under the lock
 * or by one compare-and-swap; copying comes after it. Who finds the slot of its place still in
 * another's hands waits for that one's few instructions. The last thing that touches the channel is
 * to set the turn, and then the wake of a peer: whoever has received the last item may free the
 * channel, though its sender is still on its way out.
 *
 * Handing over. A waiting party leaves the address of its item in its frame. The other side takes
 * it out of the line, copies directly from or to that frame, sets the result and wakes it; so a
 * timeout that comes too late to withdraw has lost nothing: it waits for the wake and says 0.
 *
 * From hand to hand. As long as the lock has its bias, both sides are tasks of one worker (I4). A
 * send to a waiting receiver, a receive from a waiting sender where there is no ring, and a wait
 * without a deadline then need no frame but the one that parks, and no look at whose the peer is:
 * some 185 instructions an item on x86-64, 55 to send it, 70 to find nobody and get in line, and 60
 * for the switch.
 *
 * Closing shuts the channel for good and takes everybody out with the result they were born with,
 * -EPIPE. An item whose place was reserved before is still received.
 *
 * A task that finds a shared channel full or empty looks again for a moment before it waits, if its
 * worker has nothing else to do: its peer is running on another worker, and parking and waking cost
 * as much as dozens of items. It looks rarely, because each look takes a cache line away from the
 * peer; so the peer gets on by a batch of items in between. After a few looks it offers its core as
 * well: where cores are scarce the peer may be in line for this one. (Two workers that share a core
 * pass an item in 45 to 60 ns so; when they only paused before they slept it took 900.) It does not
 * stand in line meanwhile and has no claim to be first.
 *
 * Rejected: the lock alone. Each item moves its cache line to and fro twice, and whoever loses his
 * core inside stops everybody. Turns in an array of their
 * own: a slot would be two cache lines. Waking a sender only when the ring has drained to half:
 * fewer wakes, but a receiver that takes one item and then waits for its sender would wait for
 * ever. A fence between publishing an item and looking for receivers: 5 ns a message; see above. A
 * switch to the receiver inside send: fewer steps for one pair, but a busy pair would then starve
 * its neighbours.
 * Checked by: tests/unit/task/test_chan.c, tests/stress/stress_chan.c,
 * tests/explore/explore_chan.c */
#include "task/chan.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "sched/wait.h"
#include "sched/worker.h"
#include "sys/cpu.h"
#include "sys/thread.h"
#include "task/select.h"

#define SHUT ((uint64_t)1 << 63)
#define NO_PLACE UINT64_MAX

/* The way of an item in and out on one worker is one function each, without a frame. */
#define PATH __attribute__((always_inline)) static inline

enum {
    BRIEF_LOOKS = 4,          /* at a full or empty channel, with pauses in between */
    LOOKS = 16,               /* in all, before waiting in line */
    PAUSES_BETWEEN = 8,       /* two brief looks */
    SPINS_BEFORE_YIELD = 200, /* for a peer that is in the middle of copying */
};

struct slot {
    _Atomic(uint64_t) turn;
    unsigned char item[];
};

/* What the places of a channel without a ring point to. They are shut, so no turn equals theirs. */
static struct slot no_slot;

/* The sizes of numbers and pointers are copied by a move or two instead of a call. No bytes: the
 * addresses may be NULL. */
PATH void copy_item(void *to, const void *from, size_t bytes)
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

/* --- places --- */

PATH uint64_t offset_of(const struct rv_chan *ch, uint64_t place)
{
    return place & ch->offset_mask;
}

PATH struct slot *slot_at(const struct rv_chan *ch, uint64_t place)
{
    return (struct slot *)(void *)(ch->ring + offset_of(ch, place));
}

PATH uint64_t lap_of(const struct rv_chan *ch)
{
    return ch->offset_mask + 1;
}

PATH uint64_t next_place(const struct rv_chan *ch, uint64_t place)
{
    uint64_t offset = offset_of(ch, place);

    return offset == ch->last_offset ? place - offset + lap_of(ch) : place + ch->slot_bytes;
}

/* The turn of a slot that is free for `place`; for a place that is shut, the turn of none. */
PATH uint64_t free_turn(const struct rv_chan *ch, uint64_t place)
{
    return place - offset_of(ch, place);
}

PATH uint64_t full_turn(const struct rv_chan *ch, uint64_t place)
{
    return free_turn(ch, place) + 1;
}

PATH uint64_t free_turn_after(const struct rv_chan *ch, uint64_t place)
{
    return free_turn(ch, place) + lap_of(ch);
}

/* All of a place at once: what was read before an atomic access would be read again after it. */
struct spot {
    struct slot *slot;
    uint64_t place;
    uint64_t offset;
    uint64_t turn; /* that its slot has if it is free, or full, as asked for */
};

PATH struct spot spot_at(const struct rv_chan *ch, uint64_t place, bool full)
{
    uint64_t offset = offset_of(ch, place);

    return (struct spot){
        .slot = (struct slot *)(void *)(ch->ring + offset),
        .place = place,
        .offset = offset,
        .turn = place - offset + full,
    };
}

/* To see by its sign that a place is shut, and read no turn, spares a conversation 12 instructions
 * a round trip; but each item in the ring has it in its way, and takes 8% longer. */
PATH bool may_have(struct spot at)
{
    return rvi_load_relaxed(&at.slot->turn) == at.turn;
}

PATH uint64_t next_spot(const struct rv_chan *ch, struct spot at, uint64_t next_lap)
{
    return at.offset == ch->last_offset ? next_lap : at.place + ch->slot_bytes;
}

static inline bool has_ring(const struct rv_chan *ch)
{
    return ch->slot_bytes > 0;
}

/* With neither of them shut. */
static inline bool is_full_at(const struct rv_chan *ch, uint64_t head, uint64_t tail)
{
    return head + lap_of(ch) == tail;
}

static uint64_t items_before(const struct rv_chan *ch, uint64_t place)
{
    if (!has_ring(ch))
        return 0;
    place &= ~SHUT;
    return place / lap_of(ch) * ch->capacity + offset_of(ch, place) / ch->slot_bytes;
}

/* Somebody else is in the middle of copying, a matter of instructions; but he may have lost his
 * core there. */
static void let_him_finish(int turn)
{
    if (turn < SPINS_BEFORE_YIELD)
        rvi_cpu_relax();
    else
        rvi_thread_yield();
}

/* The slot is the caller's as soon as it has this turn. */
static inline void await_turn(const struct slot *slot, uint64_t turn)
{
    for (int spins = 0; rvi_load_acquire(&slot->turn) != turn; spins++) /* pairs: chan-turn */
        let_him_finish(spins);
}

/* --- the lock --- */

static inline uint64_t tail_place(const struct rv_chan *ch)
{
    return rvi_load_relaxed(&ch->tail) & ~SHUT;
}

static inline uint64_t head_place(const struct rv_chan *ch)
{
    return rvi_load_relaxed(&ch->head) & ~SHUT;
}

static inline void set_places(struct rv_chan *ch, uint64_t head, uint64_t tail)
{
    rvi_store_relaxed(&ch->head, head);
    rvi_store_relaxed(&ch->tail, tail);
}

static bool somebody_waits(const struct rv_chan *ch)
{
    return !rvi_waitlist_is_empty(&ch->senders) || !rvi_waitlist_is_empty(&ch->receivers);
}

/* While nobody else can move the places. */
static bool is_valid(const struct rv_chan *ch)
{
    uint64_t count = items_before(ch, tail_place(ch)) - items_before(ch, head_place(ch));

    return rvi_waitlist_is_valid(&ch->senders) && rvi_waitlist_is_valid(&ch->receivers) &&
           !(somebody_waits(ch) && ch->closed) && count <= ch->capacity &&
           ch->bare_count <= ch->capacity;
}

/* Once the lock is held and its bias gone: let nobody else in. The first time this also says that
 * the words are everybody's. */
static __attribute__((noinline)) void shut(struct rv_chan *ch)
{
    if (!(rvi_load_relaxed(&ch->tail) & SHUT)) {
        rvi_fetch_add_relaxed(&ch->tail, SHUT);
        rvi_fetch_add_relaxed(&ch->head, SHUT);
    }
    if (rvi_unlikely(!rvi_load_relaxed(&ch->is_shared)))
        rvi_store_release(&ch->is_shared, true); /* pairs: chan-shared */
}

static inline bool lock_chan(struct rv_chan *ch)
{
    bool biased = rvi_bias_lock(&ch->lock);

    if (!biased)
        shut(ch);
    return biased;
}

/* I3, and no more than that. Until here both words stay shut: what has been reserved meanwhile was
 * written by plain stores. */
static void settle(struct rv_chan *ch)
{
    uint64_t bit = somebody_waits(ch) || ch->closed || !has_ring(ch) ? SHUT : 0;

    RV_DCHECK_SLOW(is_valid(ch));
    set_places(ch, head_place(ch) | bit, tail_place(ch) | bit);
}

static void unlock_chan(struct rv_chan *ch, bool biased)
{
    settle(ch);
    rvi_bias_unlock(&ch->lock, biased);
}

/* After a peer has been taken out of its line. That was shut and stays so, though nobody may be
 * left in it: whoever comes next will see. In a conversation the next one waits again. */
PATH void unlock_shut(struct rv_chan *ch, bool biased)
{
    RV_DCHECK_SLOW(is_valid(ch));
    rvi_bias_unlock(&ch->lock, biased);
}

PATH void keep_shut(struct rv_chan *ch)
{
    if (!(rvi_load_relaxed(&ch->tail) & SHUT))
        set_places(ch, head_place(ch) | SHUT, tail_place(ch) | SHUT);
}

/* Wait in line; the lock is held, and given up. */
PATH int wait_in_line(struct rv_chan *ch, struct rvi_waitlist *line, bool biased,
                      struct rvi_entry *self, rv_time deadline, enum rvi_why why)
{
    self->choice = NULL;
    self->result = -EPIPE;
    keep_shut(ch);
    int err = rvi_waitlist_wait(line, &ch->lock, biased, &self->waiter, deadline, why);
    return err < 0 ? err : self->result;
}

/* The same with the bias and no deadline. Each side has one of its own, which keeps nothing over
 * the switch but the entry: what a frame saves is saved and restored with each item. */
PATH int wait_biased(struct rv_chan *ch, struct rvi_waitlist *line, struct rvi_entry *self,
                     enum rvi_why why)
{
    self->choice = NULL;
    self->result = -EPIPE;
    keep_shut(ch);
    int err = rvi_waitlist_wait_biased(line, &ch->lock, &self->waiter, why);
    return err < 0 ? err : self->result;
}

static __attribute__((noinline)) int wait_to_send(struct rv_chan *ch, const void *item)
{
    struct rvi_entry self;

    self.item.from = item;
    return wait_biased(ch, &ch->senders, &self, RVI_WHY_CHAN_SEND);
}

static __attribute__((noinline)) int wait_to_recv(struct rv_chan *ch, void *ret_item)
{
    struct rvi_entry self;

    self.item.to = ret_item;
    return wait_biased(ch, &ch->receivers, &self, RVI_WHY_CHAN_RECV);
}

/* --- from hand to hand, with the bias --- */

/* Take the first out of its line and give up the lock, if it waits for this channel alone; else
 * NULL, and nothing has happened. */
PATH struct rvi_entry *meet_here(struct rv_chan *ch, struct rvi_waitlist *line)
{
    struct rvi_entry *peer = rvi_entry_of(rvi_waiter_of(line->first));

    if (rvi_unlikely(peer->choice != NULL))
        return NULL;
    RV_DCHECK(rvi_load_relaxed(&peer->waiter.task->home) == rvi_worker_self());
    rvi_waitlist_remove(line, &peer->waiter);
    ch->passed_by++;
    unlock_shut(ch, true);
    return peer;
}

/* Copy the item, between the peer's frame and the caller's, and let the peer go on. */
PATH int part_here(struct rvi_entry *peer, void *to, const void *from, size_t bytes)
{
    copy_item(to, from, bytes);
    peer->result = 0;
    rvi_wake_here(rvi_worker_self(), &peer->waiter);
    return 0;
}

static __attribute__((noinline)) int part_with_any(struct rvi_entry *peer, void *to,
                                                   const void *from, size_t bytes)
{
    return part_here(peer, to, from, bytes);
}

/* --- sending, with the lock --- */

/* The caller's item may follow. */
PATH bool reserve_tail(struct rv_chan *ch, struct rvi_deal *deal)
{
    uint64_t tail = tail_place(ch);

    if (!has_ring(ch)) {
        if (ch->bare_count == ch->capacity)
            return false;
        ch->bare_count++;
        ch->passed_by++;
        return true;
    }
    if (is_full_at(ch, head_place(ch), tail))
        return false;
    deal->place = tail;
    rvi_store_relaxed(&ch->tail, next_place(ch, tail) | SHUT);
    return true;
}

/* Nobody waits to receive. */
PATH bool begin_put(struct rv_chan *ch, struct rvi_deal *deal)
{
    *deal = (struct rvi_deal){NULL, NO_PLACE, 0};
    if (rvi_likely(!ch->closed))
        return reserve_tail(ch, deal);
    deal->result = -EPIPE;
    return true;
}

static void finish_put(struct rv_chan *ch, uint64_t place, const void *item)
{
    struct slot *slot = slot_at(ch, place);

    await_turn(slot, free_turn(ch, place));
    copy_item(slot->item, item, ch->item_bytes);
    rvi_store_release(&slot->turn, full_turn(ch, place)); /* pairs: chan-turn */
}

/* To a receiver that has been taken out of its line. */
PATH void give(struct rv_chan *ch, struct rvi_entry *receiver, const void *item)
{
    copy_item(receiver->item.to, item, ch->item_bytes);
    receiver->result = 0;
    rvi_entry_wake(receiver);
}

/* Each of these has the lock and gives it up. */
static __attribute__((noinline)) int hand_over(struct rv_chan *ch, const void *item,
                                               struct rvi_entry *receiver, bool biased)
{
    ch->passed_by++;
    unlock_shut(ch, biased);
    give(ch, receiver, item);
    return 0;
}

static __attribute__((noinline)) int put_or_wait(struct rv_chan *ch, const void *item,
                                                 rv_time deadline, bool biased, bool may_wait)
{
    struct rvi_deal deal;
    struct rvi_entry self;

    if (!begin_put(ch, &deal)) {
        if (may_wait) {
            self.item.from = item;
            return wait_in_line(ch, &ch->senders, biased, &self, deadline, RVI_WHY_CHAN_SEND);
        }
        deal.result = -EAGAIN;
    }
    unlock_chan(ch, biased);
    if (deal.place != NO_PLACE)
        finish_put(ch, deal.place, item);
    return deal.result;
}

/* While nobody else can move the places; with nobody waiting to receive. */
PATH bool is_open_and_full(const struct rv_chan *ch)
{
    if (ch->closed)
        return false;
    return has_ring(ch) ? is_full_at(ch, head_place(ch), tail_place(ch))
                        : ch->bare_count == ch->capacity;
}

static __attribute__((noinline)) int send_locked(struct rv_chan *ch, const void *item,
                                                 rv_time deadline, bool biased, bool may_wait)
{
    struct rvi_entry *receiver = rvi_entry_pop(&ch->receivers);
    if (receiver != NULL)
        return hand_over(ch, item, receiver, biased);
    return put_or_wait(ch, item, deadline, biased, may_wait);
}

/* With the bias, and no way into the ring. Two tasks of one worker that talk come this way with
 * each item, and by recv_biased(): so both are without a frame. */
PATH int send_biased(struct rv_chan *ch, const void *item, rv_time deadline, bool may_wait)
{
    if (ch->receivers.first != NULL) {
        struct rvi_entry *receiver = meet_here(ch, &ch->receivers);
        if (receiver != NULL && ch->item_bytes != 8)
            return part_with_any(receiver, receiver->item.to, item, ch->item_bytes);
        if (rvi_likely(receiver != NULL))
            return part_here(receiver, receiver->item.to, item, 8);
    } else if (may_wait && deadline == RV_NEVER && is_open_and_full(ch)) {
        return wait_to_send(ch, item);
    }
    return send_locked(ch, item, deadline, true, may_wait);
}

/* --- receiving, with the lock --- */

/* The caller may have the oldest item. If there is a sender in line, by I1 the ring was full, so
 * that one's item takes its place. */
PATH bool reserve_head(struct rv_chan *ch, bool for_sender, struct rvi_deal *deal)
{
    uint64_t head = head_place(ch);
    uint64_t tail = tail_place(ch);

    if (head == tail)
        return false;
    deal->place = head;
    rvi_store_relaxed(&ch->head, next_place(ch, head) | SHUT);
    if (for_sender)
        rvi_store_relaxed(&ch->tail, next_place(ch, tail) | SHUT);
    return true;
}

/* While nobody else can move the places; with nobody waiting to send. */
PATH bool is_open_and_empty(const struct rv_chan *ch)
{
    return ch->bare_count == 0 && !ch->closed &&
           rvi_load_relaxed(&ch->head) == rvi_load_relaxed(&ch->tail);
}

/* Nobody waits to send. */
PATH bool begin_take(struct rv_chan *ch, struct rvi_deal *deal)
{
    *deal = (struct rvi_deal){NULL, NO_PLACE, 0};
    if (has_ring(ch) && reserve_head(ch, false, deal))
        return true;
    if (ch->bare_count > 0) {
        ch->bare_count--;
        return true;
    }
    deal->result = -EPIPE;
    return ch->closed;
}

/* A sender has been taken out of its line. */
PATH void begin_fetch(struct rv_chan *ch, struct rvi_deal *deal)
{
    if (!has_ring(ch))
        ch->passed_by++;
    else if (!reserve_head(ch, true, deal))
        rvi_panic("a sender waits at a channel that has room");
}

/* Out of the slot and, if a sender has been taken out of the line, its item in. */
PATH void use_slot(struct rv_chan *ch, uint64_t place, const struct rvi_entry *sender,
                   void *ret_item)
{
    struct slot *slot = slot_at(ch, place);
    uint64_t turn = free_turn_after(ch, place);

    await_turn(slot, full_turn(ch, place));
    copy_item(ret_item, slot->item, ch->item_bytes);
    if (sender != NULL) {
        copy_item(slot->item, sender->item.from, ch->item_bytes);
        turn++;
    }
    rvi_store_release(&slot->turn, turn); /* pairs: chan-turn */
}

PATH void finish_fetch(struct rv_chan *ch, const struct rvi_deal *deal, void *ret_item)
{
    if (deal->place != NO_PLACE)
        use_slot(ch, deal->place, deal->peer, ret_item);
    else
        copy_item(ret_item, deal->peer->item.from, ch->item_bytes);
    deal->peer->result = 0;
    rvi_entry_wake(deal->peer);
}

/* Each of these has the lock and gives it up. */
static __attribute__((noinline)) int fetch(struct rv_chan *ch, void *ret_item,
                                           struct rvi_entry *sender, bool biased)
{
    struct rvi_deal deal = {sender, NO_PLACE, 0};

    begin_fetch(ch, &deal);
    unlock_shut(ch, biased);
    finish_fetch(ch, &deal, ret_item);
    return 0;
}

static __attribute__((noinline)) int take_or_wait(struct rv_chan *ch, void *ret_item,
                                                  rv_time deadline, bool biased, bool may_wait)
{
    struct rvi_deal deal;
    struct rvi_entry self;

    if (!begin_take(ch, &deal)) {
        if (may_wait) {
            self.item.to = ret_item;
            return wait_in_line(ch, &ch->receivers, biased, &self, deadline, RVI_WHY_CHAN_RECV);
        }
        deal.result = -EAGAIN;
    }
    unlock_chan(ch, biased);
    if (deal.place != NO_PLACE)
        use_slot(ch, deal.place, NULL, ret_item);
    return deal.result;
}

static __attribute__((noinline)) int recv_locked(struct rv_chan *ch, void *ret_item,
                                                 rv_time deadline, bool biased, bool may_wait)
{
    struct rvi_entry *sender = rvi_entry_pop(&ch->senders);
    if (sender != NULL)
        return fetch(ch, ret_item, sender, biased);
    return take_or_wait(ch, ret_item, deadline, biased, may_wait);
}

/* With the bias, and no way out of the ring. */
PATH int recv_biased(struct rv_chan *ch, void *ret_item, rv_time deadline, bool may_wait)
{
    if (ch->senders.first != NULL) {
        struct rvi_entry *sender = has_ring(ch) ? NULL : meet_here(ch, &ch->senders);
        if (sender != NULL && ch->item_bytes != 8)
            return part_with_any(sender, ret_item, sender->item.from, ch->item_bytes);
        if (sender != NULL)
            return part_here(sender, ret_item, sender->item.from, 8);
    } else if (may_wait && deadline == RV_NEVER && is_open_and_empty(ch)) {
        return wait_to_recv(ch, ret_item);
    }
    return recv_locked(ch, ret_item, deadline, true, may_wait);
}

/* --- shared: 0; -EAGAIN full or empty at some moment of the call; -EBUSY shut --- */

static int send_shared(struct rv_chan *ch, const void *item)
{
    uint64_t tail = rvi_load_relaxed(&ch->tail);

    for (int spins = 0;; spins++) {
        struct slot *slot = slot_at(ch, tail);
        if (rvi_load_acquire(&slot->turn) == free_turn(ch, tail)) { /* pairs: chan-turn */
            if (!rvi_cas_relaxed(&ch->tail, &tail, next_place(ch, tail)))
                continue;
            copy_item(slot->item, item, ch->item_bytes);
            rvi_store_release(&slot->turn, full_turn(ch, tail)); /* pairs: chan-turn */
            return 0;
        }
        if (tail & SHUT)
            return -EBUSY;
        uint64_t head = rvi_load_relaxed(&ch->head);
        uint64_t before = tail;
        tail = rvi_load_relaxed(&ch->tail);
        if (tail == before && is_full_at(ch, head & ~SHUT, tail))
            return -EAGAIN;
        let_him_finish(spins); /* a receiver with the slot, or whoever came first */
    }
}

static int recv_shared(struct rv_chan *ch, void *ret_item)
{
    uint64_t head = rvi_load_relaxed(&ch->head);

    for (int spins = 0;; spins++) {
        struct slot *slot = slot_at(ch, head);
        if (rvi_load_acquire(&slot->turn) == full_turn(ch, head)) { /* pairs: chan-turn */
            if (!rvi_cas_relaxed(&ch->head, &head, next_place(ch, head)))
                continue;
            copy_item(ret_item, slot->item, ch->item_bytes);
            rvi_store_release(&slot->turn, free_turn_after(ch, head)); /* pairs: chan-turn */
            return 0;
        }
        if (head & SHUT)
            return -EBUSY;
        uint64_t tail = rvi_load_relaxed(&ch->tail);
        uint64_t before = head;
        head = rvi_load_relaxed(&ch->head);
        if (head == before && (tail & ~SHUT) == head)
            return -EAGAIN;
        let_him_finish(spins); /* a sender with the slot, or whoever came first */
    }
}

/* Whether to look again rather than wait: a peer on another core may be at it this moment, or in
 * line for this core. */
static bool pause_between_looks(int look, rv_time deadline)
{
    struct rvi_worker *w = rvi_worker_self();

    if (look == LOOKS || w == NULL || !rvi_worker_may_spin(w, deadline))
        return false;
    if (look >= BRIEF_LOOKS)
        rvi_thread_yield();
    for (int i = 0; look < BRIEF_LOOKS && i < PAUSES_BETWEEN; i++)
        rvi_cpu_relax();
    return true;
}

/* --- the public face --- */

static __attribute__((noinline)) int send_otherwise(struct rv_chan *ch, const void *item,
                                                    rv_time deadline, bool may_wait)
{
    int look = 0;

    while (rvi_load_acquire(&ch->is_shared)) { /* pairs: chan-shared */
        int err = send_shared(ch, item);
        if (err == 0 || (err == -EAGAIN && !may_wait))
            return err;
        if (err == -EBUSY || !pause_between_looks(look++, deadline))
            break;
    }
    return send_locked(ch, item, deadline, lock_chan(ch), may_wait);
}

/* With the bias, and room at the tail. What is not of the size of a number or a pointer is put by a
 * copy of this that needs a frame. */
PATH int put_biased(struct rv_chan *ch, struct spot tail, const void *item, size_t bytes)
{
    copy_item(tail.slot->item, item, bytes);
    rvi_store_relaxed(&tail.slot->turn, tail.turn + 1);
    rvi_store_relaxed(&ch->tail, next_spot(ch, tail, tail.turn + lap_of(ch)));
    rvi_bias_unlock(&ch->lock, true);
    return 0;
}

static __attribute__((noinline)) int put_any(struct rv_chan *ch, const void *item)
{
    return put_biased(ch, spot_at(ch, rvi_load_relaxed(&ch->tail), false), item, ch->item_bytes);
}

PATH int send_item(struct rv_chan *ch, const void *item, rv_time deadline, bool may_wait,
                   bool biased)
{
    if (rvi_unlikely(!biased))
        return send_otherwise(ch, item, deadline, may_wait);

    struct spot tail = spot_at(ch, rvi_load_relaxed(&ch->tail), false);
    if (rvi_unlikely(!may_have(tail)))
        return send_biased(ch, item, deadline, may_wait);
    if (rvi_unlikely(ch->item_bytes != 8))
        return put_any(ch, item);
    return put_biased(ch, tail, item, 8);
}

static __attribute__((noinline)) int recv_otherwise(struct rv_chan *ch, void *ret_item,
                                                    rv_time deadline, bool may_wait)
{
    int look = 0;

    while (rvi_load_acquire(&ch->is_shared)) { /* pairs: chan-shared */
        int err = recv_shared(ch, ret_item);
        if (err == 0 || (err == -EAGAIN && !may_wait))
            return err;
        if (err == -EBUSY || !pause_between_looks(look++, deadline))
            break;
    }
    return recv_locked(ch, ret_item, deadline, lock_chan(ch), may_wait);
}

PATH int take_biased(struct rv_chan *ch, struct spot head, void *ret_item, size_t bytes)
{
    copy_item(ret_item, head.slot->item, bytes);

    uint64_t next_lap = head.turn + ch->offset_mask; /* a full turn is one more than the free one */
    rvi_store_relaxed(&head.slot->turn, next_lap);
    rvi_store_relaxed(&ch->head, next_spot(ch, head, next_lap));
    rvi_bias_unlock(&ch->lock, true);
    return 0;
}

static __attribute__((noinline)) int take_any(struct rv_chan *ch, void *ret_item)
{
    return take_biased(ch, spot_at(ch, rvi_load_relaxed(&ch->head), true), ret_item,
                       ch->item_bytes);
}

PATH int recv_item(struct rv_chan *ch, void *ret_item, rv_time deadline, bool may_wait, bool biased)
{
    if (rvi_unlikely(!biased))
        return recv_otherwise(ch, ret_item, deadline, may_wait);

    struct spot head = spot_at(ch, rvi_load_relaxed(&ch->head), true);
    if (rvi_unlikely(!may_have(head)))
        return recv_biased(ch, ret_item, deadline, may_wait);
    if (rvi_unlikely(ch->item_bytes != 8))
        return take_any(ch, ret_item);
    return take_biased(ch, head, ret_item, 8);
}

int rv_chan_try_send(rv_chan *ch, const void *item)
{
    return send_item(ch, item, RV_NEVER, false, rvi_bias_try_lock(&ch->lock));
}

static __attribute__((noinline)) int send_if_allowed(rv_chan *ch, const void *item,
                                                     rv_time deadline)
{
    int err = rvi_wait_allowed();

    return err < 0 ? err : send_item(ch, item, deadline, true, rvi_bias_try_lock(&ch->lock));
}

int rv_chan_send(rv_chan *ch, const void *item, rv_time deadline)
{
    if (rvi_unlikely(!rvi_wait_is_clearly_allowed()))
        return send_if_allowed(ch, item, deadline);
    return send_item(ch, item, deadline, true, rvi_bias_try_lock_as(&ch->lock, rvi_worker_self()));
}

int rv_chan_try_recv(rv_chan *ch, void *ret_item)
{
    return recv_item(ch, ret_item, RV_NEVER, false, rvi_bias_try_lock(&ch->lock));
}

static __attribute__((noinline)) int recv_if_allowed(rv_chan *ch, void *ret_item, rv_time deadline)
{
    int err = rvi_wait_allowed();

    return err < 0 ? err : recv_item(ch, ret_item, deadline, true, rvi_bias_try_lock(&ch->lock));
}

int rv_chan_recv(rv_chan *ch, void *ret_item, rv_time deadline)
{
    if (rvi_unlikely(!rvi_wait_is_clearly_allowed()))
        return recv_if_allowed(ch, ret_item, deadline);
    return recv_item(ch, ret_item, deadline, true,
                     rvi_bias_try_lock_as(&ch->lock, rvi_worker_self()));
}

void rv_chan_close(rv_chan *ch)
{
    bool biased = lock_chan(ch);

    ch->closed = true;
    struct rvi_link *senders = rvi_entries_pop_all(&ch->senders);
    struct rvi_link *receivers = rvi_entries_pop_all(&ch->receivers);
    unlock_chan(ch, biased);
    rvi_entries_wake(senders);
    rvi_entries_wake(receivers);
}

size_t rv_chan_item_bytes(const rv_chan *ch)
{
    return ch->item_bytes;
}

/* The two places need not be of one moment while the ring is shared. */
size_t rv_chan_count(rv_chan *ch)
{
    bool biased = rvi_bias_lock(&ch->lock);
    uint64_t out = items_before(ch, rvi_load_relaxed(&ch->head));
    uint64_t in = items_before(ch, rvi_load_relaxed(&ch->tail)) + ch->bare_count;

    rvi_bias_unlock(&ch->lock, biased);
    if (in <= out)
        return 0;
    return in - out < ch->capacity ? in - out : ch->capacity;
}

/* --- for the others in this room --- */

uint64_t rvi_chan_sent(const struct rv_chan *ch)
{
    return items_before(ch, rvi_load_relaxed(&ch->tail)) + ch->passed_by;
}

/* --- for select.c --- */

static bool case_lock(void *object)
{
    return lock_chan(object);
}

static void case_unlock(void *object, bool biased)
{
    unlock_chan(object, biased);
}

static int send_attempt(const struct rv_case *c)
{
    return rv_chan_try_send(c->object, c->item);
}

static bool send_begin(const struct rv_case *c, struct rvi_deal *deal)
{
    struct rv_chan *ch = c->object;
    struct rvi_entry *receiver = rvi_entry_pop(&ch->receivers);

    if (receiver == NULL)
        return begin_put(ch, deal);
    *deal = (struct rvi_deal){receiver, NO_PLACE, 0};
    ch->passed_by++;
    return true;
}

static int send_finish(const struct rv_case *c, const struct rvi_deal *deal)
{
    if (deal->peer != NULL)
        give(c->object, deal->peer, c->item);
    else if (deal->place != NO_PLACE)
        finish_put(c->object, deal->place, c->item);
    return deal->result;
}

static struct rvi_waitlist *enlist_sender(const struct rv_case *c, struct rvi_entry *entry)
{
    struct rv_chan *ch = c->object;

    entry->item.from = c->item;
    entry->result = -EPIPE;
    return &ch->senders;
}

static int recv_attempt(const struct rv_case *c)
{
    return rv_chan_try_recv(c->object, c->ret_item);
}

static bool recv_begin(const struct rv_case *c, struct rvi_deal *deal)
{
    struct rv_chan *ch = c->object;
    struct rvi_entry *sender = rvi_entry_pop(&ch->senders);

    if (sender == NULL)
        return begin_take(ch, deal);
    *deal = (struct rvi_deal){sender, NO_PLACE, 0};
    begin_fetch(ch, deal);
    return true;
}

static int recv_finish(const struct rv_case *c, const struct rvi_deal *deal)
{
    if (deal->peer != NULL)
        finish_fetch(c->object, deal, c->ret_item);
    else if (deal->place != NO_PLACE)
        use_slot(c->object, deal->place, NULL, c->ret_item);
    return deal->result;
}

static struct rvi_waitlist *enlist_receiver(const struct rv_case *c, struct rvi_entry *entry)
{
    struct rv_chan *ch = c->object;

    entry->item.to = c->ret_item;
    entry->result = -EPIPE;
    return &ch->receivers;
}

const struct rvi_case_kind rvi_case_send = {
    .attempt = send_attempt,
    .lock = case_lock,
    .unlock = case_unlock,
    .begin = send_begin,
    .finish = send_finish,
    .enlist = enlist_sender,
};

const struct rvi_case_kind rvi_case_recv = {
    .attempt = recv_attempt,
    .lock = case_lock,
    .unlock = case_unlock,
    .begin = recv_begin,
    .finish = recv_finish,
    .enlist = enlist_receiver,
};

/* --- life --- */

/* Errors: -EOVERFLOW */
static int measure_slot(size_t item_bytes, size_t capacity, uint64_t *ret_bytes)
{
    size_t bytes;

    *ret_bytes = 0;
    if (item_bytes == 0 || capacity == 0)
        return 0;
    if (__builtin_add_overflow(item_bytes, 2 * sizeof(struct slot) - 1, &bytes))
        return -EOVERFLOW;
    *ret_bytes = bytes - bytes % sizeof(struct slot);
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
        rvi_store_relaxed(&slot_at(ch, at)->turn, 0);
}

void rvi_chan_init(struct rv_chan *ch, void *ring, size_t item_bytes, size_t capacity)
{
    memset(ch, 0, sizeof(*ch));
    ch->item_bytes = item_bytes;
    ch->capacity = capacity;
    (void)measure_slot(item_bytes, capacity, &ch->slot_bytes);
    if (has_ring(ch)) {
        init_ring(ch, ring);
        return;
    }
    ch->ring = (unsigned char *)&no_slot;
    set_places(ch, SHUT, SHUT);
}

/* Without the lock: whoever frees has made sure that nobody else is here, and taking it on another
 * worker than the channel's own would cost a revocation for nothing. */
void rvi_chan_check_unused(const struct rv_chan *ch, const char *caller)
{
    if (somebody_waits(ch))
        rvi_panic("%s: somebody still waits on it; close it and let them return before you free it",
                  caller);
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
    if (ch != NULL)
        rvi_chan_check_unused(ch, "rv_chan_free");
    rvi_free(ch);
    return NULL;
}
