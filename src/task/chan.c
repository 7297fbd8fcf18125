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
 * Nobody waits while there is room. Who is about to wait takes the lock and adds RVI_SHUT to both
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
 *
 * Elsewhere: the arithmetic of places and turns in ring.h, making and freeing in chan_life.c, what
 * rv_select does with a channel in chan_select.c.
 * Checked by: tests/unit/task/test_chan.c, tests/stress/stress_chan.c,
 * tests/explore/explore_chan.c */
#include "task/chan.h"

#include <errno.h>

#include "sched/wait.h"
#include "sched/worker.h"
#include "sys/cpu.h"
#include "task/ring.h"
#include "task/select.h"

enum {
    BRIEF_LOOKS = 4,    /* at a full or empty channel, with pauses in between */
    LOOKS = 16,         /* in all, before waiting in line */
    PAUSES_BETWEEN = 8, /* two brief looks */
};

/* --- the lock --- */

static inline uint64_t tail_place(const struct rv_chan *ch)
{
    return rvi_load_relaxed(&ch->tail) & ~RVI_SHUT;
}

static inline uint64_t head_place(const struct rv_chan *ch)
{
    return rvi_load_relaxed(&ch->head) & ~RVI_SHUT;
}

/* While nobody else can move the places. */
static bool is_valid(const struct rv_chan *ch)
{
    uint64_t count =
        rvi_ring_items_before(ch, tail_place(ch)) - rvi_ring_items_before(ch, head_place(ch));

    return rvi_waitlist_is_valid(&ch->senders) && rvi_waitlist_is_valid(&ch->receivers) &&
           !(rvi_chan_somebody_waits(ch) && ch->closed) && count <= ch->capacity &&
           ch->bare_count <= ch->capacity;
}

/* Once the lock is held and its bias gone: let nobody else in. The first time this also says that
 * the words are everybody's. */
static __attribute__((noinline)) void shut(struct rv_chan *ch)
{
    if (!(rvi_load_relaxed(&ch->tail) & RVI_SHUT)) {
        rvi_fetch_add_relaxed(&ch->tail, RVI_SHUT);
        rvi_fetch_add_relaxed(&ch->head, RVI_SHUT);
    }
    if (rvi_unlikely(!rvi_load_relaxed(&ch->is_shared)))
        rvi_store_release(&ch->is_shared, true); /* pairs: chan-shared */
}

bool rvi_chan_lock(struct rv_chan *ch)
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
    uint64_t bit = rvi_chan_somebody_waits(ch) || ch->closed || !rvi_has_ring(ch) ? RVI_SHUT : 0;

    RV_DCHECK_SLOW(is_valid(ch));
    rvi_ring_set_places(ch, head_place(ch) | bit, tail_place(ch) | bit);
}

void rvi_chan_unlock(struct rv_chan *ch, bool biased)
{
    settle(ch);
    rvi_bias_unlock(&ch->lock, biased);
}

/* After a peer has been taken out of its line. That was shut and stays so, though nobody may be
 * left in it: whoever comes next will see. In a conversation the next one waits again. */
RVI_INLINE void unlock_shut(struct rv_chan *ch, bool biased)
{
    RV_DCHECK_SLOW(is_valid(ch));
    rvi_bias_unlock(&ch->lock, biased);
}

RVI_INLINE void keep_shut(struct rv_chan *ch)
{
    if (!(rvi_load_relaxed(&ch->tail) & RVI_SHUT))
        rvi_ring_set_places(ch, head_place(ch) | RVI_SHUT, tail_place(ch) | RVI_SHUT);
}

/* Wait in line; the lock is held, and given up. */
RVI_INLINE int wait_in_line(struct rv_chan *ch, struct rvi_waitlist *line, bool biased,
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
RVI_INLINE int wait_biased(struct rv_chan *ch, struct rvi_waitlist *line, struct rvi_entry *self,
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
RVI_INLINE struct rvi_entry *meet_here(struct rv_chan *ch, struct rvi_waitlist *line)
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
RVI_INLINE int part_here(struct rvi_entry *peer, void *to, const void *from, size_t bytes)
{
    rvi_copy_item(to, from, bytes);
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
RVI_INLINE bool reserve_tail(struct rv_chan *ch, struct rvi_deal *deal)
{
    uint64_t tail = tail_place(ch);

    if (!rvi_has_ring(ch)) {
        if (ch->bare_count == ch->capacity)
            return false;
        ch->bare_count++;
        ch->passed_by++;
        return true;
    }
    if (rvi_ring_is_full_at(ch, head_place(ch), tail))
        return false;
    deal->place = tail;
    rvi_store_relaxed(&ch->tail, rvi_ring_next_place(ch, tail) | RVI_SHUT);
    return true;
}

/* Nobody waits to receive. */
RVI_INLINE bool begin_put(struct rv_chan *ch, struct rvi_deal *deal)
{
    *deal = (struct rvi_deal){NULL, RVI_NO_PLACE, 0};
    if (rvi_likely(!ch->closed))
        return reserve_tail(ch, deal);
    deal->result = -EPIPE;
    return true;
}

static void finish_put(struct rv_chan *ch, uint64_t place, const void *item)
{
    struct rvi_slot *slot = rvi_ring_slot_at(ch, place);

    rvi_ring_await_turn(slot, rvi_ring_free_turn(ch, place));
    rvi_copy_item(slot->item, item, ch->item_bytes);
    rvi_store_release(&slot->turn, rvi_ring_full_turn(ch, place)); /* pairs: chan-turn */
}

/* To a receiver that has been taken out of its line. */
RVI_INLINE void give(struct rv_chan *ch, struct rvi_entry *receiver, const void *item)
{
    rvi_copy_item(receiver->item.to, item, ch->item_bytes);
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
    rvi_chan_unlock(ch, biased);
    if (deal.place != RVI_NO_PLACE)
        finish_put(ch, deal.place, item);
    return deal.result;
}

/* While nobody else can move the places; with nobody waiting to receive. */
RVI_INLINE bool is_open_and_full(const struct rv_chan *ch)
{
    if (ch->closed)
        return false;
    return rvi_has_ring(ch) ? rvi_ring_is_full_at(ch, head_place(ch), tail_place(ch))
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
RVI_INLINE int send_biased(struct rv_chan *ch, const void *item, rv_time deadline, bool may_wait)
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
RVI_INLINE bool reserve_head(struct rv_chan *ch, bool for_sender, struct rvi_deal *deal)
{
    uint64_t head = head_place(ch);
    uint64_t tail = tail_place(ch);

    if (head == tail)
        return false;
    deal->place = head;
    rvi_store_relaxed(&ch->head, rvi_ring_next_place(ch, head) | RVI_SHUT);
    if (for_sender)
        rvi_store_relaxed(&ch->tail, rvi_ring_next_place(ch, tail) | RVI_SHUT);
    return true;
}

/* While nobody else can move the places; with nobody waiting to send. */
RVI_INLINE bool is_open_and_empty(const struct rv_chan *ch)
{
    return ch->bare_count == 0 && !ch->closed &&
           rvi_load_relaxed(&ch->head) == rvi_load_relaxed(&ch->tail);
}

/* Nobody waits to send. */
RVI_INLINE bool begin_take(struct rv_chan *ch, struct rvi_deal *deal)
{
    *deal = (struct rvi_deal){NULL, RVI_NO_PLACE, 0};
    if (rvi_has_ring(ch) && reserve_head(ch, false, deal))
        return true;
    if (ch->bare_count > 0) {
        ch->bare_count--;
        return true;
    }
    deal->result = -EPIPE;
    return ch->closed;
}

/* A sender has been taken out of its line. */
RVI_INLINE void begin_fetch(struct rv_chan *ch, struct rvi_deal *deal)
{
    if (!rvi_has_ring(ch))
        ch->passed_by++;
    else if (!reserve_head(ch, true, deal))
        rvi_panic("a sender waits at a channel that has room");
}

/* Out of the slot and, if a sender has been taken out of the line, its item in. */
RVI_INLINE void use_slot(struct rv_chan *ch, uint64_t place, const struct rvi_entry *sender,
                         void *ret_item)
{
    struct rvi_slot *slot = rvi_ring_slot_at(ch, place);
    uint64_t turn = rvi_ring_free_turn_after(ch, place);

    rvi_ring_await_turn(slot, rvi_ring_full_turn(ch, place));
    rvi_copy_item(ret_item, slot->item, ch->item_bytes);
    if (sender != NULL) {
        rvi_copy_item(slot->item, sender->item.from, ch->item_bytes);
        turn++;
    }
    rvi_store_release(&slot->turn, turn); /* pairs: chan-turn */
}

RVI_INLINE void finish_fetch(struct rv_chan *ch, const struct rvi_deal *deal, void *ret_item)
{
    if (deal->place != RVI_NO_PLACE)
        use_slot(ch, deal->place, deal->peer, ret_item);
    else
        rvi_copy_item(ret_item, deal->peer->item.from, ch->item_bytes);
    deal->peer->result = 0;
    rvi_entry_wake(deal->peer);
}

/* Each of these has the lock and gives it up. */
static __attribute__((noinline)) int fetch(struct rv_chan *ch, void *ret_item,
                                           struct rvi_entry *sender, bool biased)
{
    struct rvi_deal deal = {sender, RVI_NO_PLACE, 0};

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
    rvi_chan_unlock(ch, biased);
    if (deal.place != RVI_NO_PLACE)
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
RVI_INLINE int recv_biased(struct rv_chan *ch, void *ret_item, rv_time deadline, bool may_wait)
{
    if (ch->senders.first != NULL) {
        struct rvi_entry *sender = rvi_has_ring(ch) ? NULL : meet_here(ch, &ch->senders);
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
        struct rvi_slot *slot = rvi_ring_slot_at(ch, tail);
        if (rvi_load_acquire(&slot->turn) == rvi_ring_free_turn(ch, tail)) { /* pairs: chan-turn */
            if (!rvi_cas_relaxed(&ch->tail, &tail, rvi_ring_next_place(ch, tail)))
                continue;
            rvi_copy_item(slot->item, item, ch->item_bytes);
            rvi_store_release(&slot->turn, rvi_ring_full_turn(ch, tail)); /* pairs: chan-turn */
            return 0;
        }
        if (tail & RVI_SHUT)
            return -EBUSY;
        uint64_t head = rvi_load_relaxed(&ch->head);
        uint64_t before = tail;
        tail = rvi_load_relaxed(&ch->tail);
        if (tail == before && rvi_ring_is_full_at(ch, head & ~RVI_SHUT, tail))
            return -EAGAIN;
        rvi_let_him_finish(spins); /* a receiver with the slot, or whoever came first */
    }
}

static int recv_shared(struct rv_chan *ch, void *ret_item)
{
    uint64_t head = rvi_load_relaxed(&ch->head);

    for (int spins = 0;; spins++) {
        struct rvi_slot *slot = rvi_ring_slot_at(ch, head);
        if (rvi_load_acquire(&slot->turn) == rvi_ring_full_turn(ch, head)) { /* pairs: chan-turn */
            if (!rvi_cas_relaxed(&ch->head, &head, rvi_ring_next_place(ch, head)))
                continue;
            rvi_copy_item(ret_item, slot->item, ch->item_bytes);
            /* pairs: chan-turn */
            rvi_store_release(&slot->turn, rvi_ring_free_turn_after(ch, head));
            return 0;
        }
        if (head & RVI_SHUT)
            return -EBUSY;
        uint64_t tail = rvi_load_relaxed(&ch->tail);
        uint64_t before = head;
        head = rvi_load_relaxed(&ch->head);
        if (head == before && (tail & ~RVI_SHUT) == head)
            return -EAGAIN;
        rvi_let_him_finish(spins); /* a sender with the slot, or whoever came first */
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
        rvi_worker_offer_core(w);
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
    return send_locked(ch, item, deadline, rvi_chan_lock(ch), may_wait);
}

/* With the bias, and room at the tail. What is not of the size of a number or a pointer is put by a
 * copy of this that needs a frame. */
RVI_INLINE int put_biased(struct rv_chan *ch, struct rvi_spot tail, const void *item, size_t bytes)
{
    rvi_copy_item(tail.slot->item, item, bytes);
    rvi_store_relaxed(&tail.slot->turn, tail.turn + 1);
    rvi_store_relaxed(&ch->tail, rvi_ring_next_spot(ch, tail, tail.turn + rvi_ring_lap_of(ch)));
    rvi_bias_unlock(&ch->lock, true);
    return 0;
}

static __attribute__((noinline)) int put_any(struct rv_chan *ch, const void *item)
{
    return put_biased(ch, rvi_ring_spot_at(ch, rvi_load_relaxed(&ch->tail), false), item,
                      ch->item_bytes);
}

RVI_INLINE int send_item(struct rv_chan *ch, const void *item, rv_time deadline, bool may_wait,
                         bool biased)
{
    if (rvi_unlikely(!biased))
        return send_otherwise(ch, item, deadline, may_wait);

    struct rvi_spot tail = rvi_ring_spot_at(ch, rvi_load_relaxed(&ch->tail), false);
    if (rvi_unlikely(!rvi_ring_may_have(tail)))
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
    return recv_locked(ch, ret_item, deadline, rvi_chan_lock(ch), may_wait);
}

RVI_INLINE int take_biased(struct rv_chan *ch, struct rvi_spot head, void *ret_item, size_t bytes)
{
    rvi_copy_item(ret_item, head.slot->item, bytes);

    uint64_t next_lap = head.turn + ch->offset_mask; /* a full turn is one more than the free one */
    rvi_store_relaxed(&head.slot->turn, next_lap);
    rvi_store_relaxed(&ch->head, rvi_ring_next_spot(ch, head, next_lap));
    rvi_bias_unlock(&ch->lock, true);
    return 0;
}

static __attribute__((noinline)) int take_any(struct rv_chan *ch, void *ret_item)
{
    return take_biased(ch, rvi_ring_spot_at(ch, rvi_load_relaxed(&ch->head), true), ret_item,
                       ch->item_bytes);
}

RVI_INLINE int recv_item(struct rv_chan *ch, void *ret_item, rv_time deadline, bool may_wait,
                         bool biased)
{
    if (rvi_unlikely(!biased))
        return recv_otherwise(ch, ret_item, deadline, may_wait);

    struct rvi_spot head = rvi_ring_spot_at(ch, rvi_load_relaxed(&ch->head), true);
    if (rvi_unlikely(!rvi_ring_may_have(head)))
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
    bool biased = rvi_chan_lock(ch);

    ch->closed = true;
    struct rvi_link *senders = rvi_entries_pop_all(&ch->senders);
    struct rvi_link *receivers = rvi_entries_pop_all(&ch->receivers);
    rvi_chan_unlock(ch, biased);
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
    uint64_t out = rvi_ring_items_before(ch, rvi_load_relaxed(&ch->head));
    uint64_t in = rvi_ring_items_before(ch, rvi_load_relaxed(&ch->tail)) + ch->bare_count;

    rvi_bias_unlock(&ch->lock, biased);
    if (in <= out)
        return 0;
    return in - out < ch->capacity ? in - out : ch->capacity;
}

/* --- for the others in this room --- */

uint64_t rvi_chan_sent(const struct rv_chan *ch)
{
    return rvi_ring_items_before(ch, rvi_load_relaxed(&ch->tail)) + ch->passed_by;
}

/* --- for chan_select.c --- */

bool rvi_chan_begin_send(struct rv_chan *ch, struct rvi_deal *deal)
{
    struct rvi_entry *receiver = rvi_entry_pop(&ch->receivers);

    if (receiver == NULL)
        return begin_put(ch, deal);
    *deal = (struct rvi_deal){receiver, RVI_NO_PLACE, 0};
    ch->passed_by++;
    return true;
}

int rvi_chan_finish_send(struct rv_chan *ch, const struct rvi_deal *deal, const void *item)
{
    if (deal->peer != NULL)
        give(ch, deal->peer, item);
    else if (deal->place != RVI_NO_PLACE)
        finish_put(ch, deal->place, item);
    return deal->result;
}

bool rvi_chan_begin_recv(struct rv_chan *ch, struct rvi_deal *deal)
{
    struct rvi_entry *sender = rvi_entry_pop(&ch->senders);

    if (sender == NULL)
        return begin_take(ch, deal);
    *deal = (struct rvi_deal){sender, RVI_NO_PLACE, 0};
    begin_fetch(ch, deal);
    return true;
}

int rvi_chan_finish_recv(struct rv_chan *ch, const struct rvi_deal *deal, void *ret_item)
{
    if (deal->peer != NULL)
        finish_fetch(ch, deal, ret_item);
    else if (deal->place != RVI_NO_PLACE)
        use_slot(ch, deal->place, NULL, ret_item);
    return deal->result;
}
