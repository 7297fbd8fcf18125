/* SPDX-License-Identifier: MIT */
/* chan.c - bounded channel between tasks, and between tasks and threads.
 *
 * A ring of copied items under one biased lock, and two lines of those who wait.
 *
 * Invariants (ch->lock held):
 *   I1  senders wait    => the ring is full and the channel is open
 *   I2  receivers wait  => the ring is empty and the channel is open
 *   I3  `count` items lie in the ring from read_at on; write_at is the slot behind the last
 *   I4  `sent` counts every item accepted since the beginning, by the ring or directly by a
 *       receiver
 * A capacity of 0 is a ring that is always full and always empty: I1 and I2 hold unchanged, and
 * each item goes from hand to hand. Senders and receivers never wait both: two that could meet have
 * met.
 *
 * Order. Items leave in the order in which they were accepted. By I1 nobody who arrives can
 * overtake a waiting sender: whoever makes room fills it at once with the first sender's item. By
 * I2 the same holds for receivers.
 *
 * Handing over. A waiting party leaves the address of its item in its frame. The other side copies
 * under the lock, directly from or to that frame, sets the result and takes the waiter out; so an
 * item is in exactly one place whenever the lock is free, and a timeout that comes too late to
 * withdraw has lost nothing: the item has been handed over and the call says 0. A frame lives until
 * its wake (waitlist.h, W3), and the wake is the last thing done: the woken party may free the
 * channel.
 *
 * Closing takes everybody out with the result they were born with, -EPIPE.
 *
 * Rejected: a lock-free ring. Withdrawing a waiter needs a lock anyway, and the biased one costs
 * the channel that stays on one worker less than two atomic read-modify-writes would. Slots counted
 * by powers of two: up to twice the memory to save a comparison. A switch to the receiver inside
 * send: fewer steps for one pair, but a busy pair would then starve its neighbours.
 * Checked by: tests/unit/task/test_chan.c, tests/stress/stress_chan.c */
#include "task/chan.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "sched/wait.h"

/* A sender or receiver that waits. */
struct party {
    struct rvi_waiter waiter;
    union {
        const void *from;
        void *to;
    } item;
    int result; /* -EPIPE until an item has been handed over */
};

static struct party *party_of(struct rvi_waiter *w)
{
    return rvi_container_of(w, struct party, waiter);
}

/* The sizes of numbers and pointers are copied by a move or two instead of a call. No bytes: the
 * addresses may be NULL. */
static inline void copy_item(void *to, const void *from, size_t bytes)
{
    switch (bytes) {
    case 0:
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    default:
        memcpy(to, from, bytes);
    }
}

static inline size_t next_slot(const struct rv_chan *ch, size_t at)
{
    at += ch->item_bytes;
    return at == ch->ring_bytes ? 0 : at;
}

static inline bool is_valid(const struct rv_chan *ch)
{
    bool senders = !rvi_waitlist_is_empty(&ch->senders);
    bool receivers = !rvi_waitlist_is_empty(&ch->receivers);
    size_t to_end = ch->ring_bytes - ch->read_at;
    size_t filled = ch->count * ch->item_bytes;
    size_t write_at = filled < to_end ? ch->read_at + filled : filled - to_end;

    return rvi_waitlist_is_valid(&ch->senders) && rvi_waitlist_is_valid(&ch->receivers) &&
           !(senders && (ch->count < ch->capacity || ch->closed)) &&
           !(receivers && (ch->count > 0 || ch->closed)) && !(senders && receivers) &&
           ch->count <= ch->capacity && ch->count <= ch->sent && ch->write_at == write_at;
}

/* Give up the lock; `result` is the caller's, passed through. */
static inline int leave(struct rv_chan *ch, bool biased, int result)
{
    RV_DCHECK_SLOW(is_valid(ch));
    rvi_bias_unlock(&ch->lock, biased);
    return result;
}

/* --- sending: each of these has the lock and gives it up; those that deal with a waiter are out of
 * line, so that the ring's path needs no frame --- */

/* The item goes to the first receiver in line. Nothing touches ch once that has been woken. */
static __attribute__((noinline)) int hand_over(struct rv_chan *ch, bool biased, const void *item)
{
    struct rvi_waiter *receiver = rvi_waitlist_pop(&ch->receivers);

    copy_item(party_of(receiver)->item.to, item, ch->item_bytes);
    party_of(receiver)->result = 0;
    ch->sent++;
    leave(ch, biased, 0);
    rvi_wake(receiver);
    return 0;
}

/* The item goes into the ring, which has room. */
static inline int put(struct rv_chan *ch, bool biased, const void *item)
{
    copy_item(ch->ring + ch->write_at, item, ch->item_bytes);
    ch->write_at = next_slot(ch, ch->write_at);
    ch->count++;
    ch->sent++;
    return leave(ch, biased, 0);
}

/* The item stays where it is until a receiver fetches it, or makes room for it. */
static __attribute__((noinline)) int put_later(struct rv_chan *ch, bool biased, const void *item,
                                               rv_time deadline)
{
    struct party self;

    self.item.from = item;
    self.result = -EPIPE;
    int err = rvi_waitlist_wait(&ch->senders, &ch->lock, biased, &self.waiter, deadline,
                                RVI_WHY_CHAN_SEND);
    return err < 0 ? err : self.result;
}

static inline int send_item(struct rv_chan *ch, const void *item, bool may_wait, rv_time deadline)
{
    bool biased = rvi_bias_lock(&ch->lock);

    if (!rvi_waitlist_is_empty(&ch->receivers))
        return hand_over(ch, biased, item);
    if (rvi_unlikely(ch->closed))
        return leave(ch, biased, -EPIPE);
    if (ch->count < ch->capacity)
        return put(ch, biased, item);
    return may_wait ? put_later(ch, biased, item, deadline) : leave(ch, biased, -EAGAIN);
}

/* --- receiving: the same --- */

/* The oldest item comes out of the ring. */
static inline void take(struct rv_chan *ch, void *ret_item)
{
    copy_item(ret_item, ch->ring + ch->read_at, ch->item_bytes);
    ch->read_at = next_slot(ch, ch->read_at);
    ch->count--;
}

/* There is a sender in line. With a ring, which is full, its item takes the place of the oldest;
 * without one it comes directly. Nothing touches ch once the sender has been woken. */
static __attribute__((noinline)) int fetch(struct rv_chan *ch, bool biased, void *ret_item)
{
    struct rvi_waiter *sender = rvi_waitlist_pop(&ch->senders);
    void *to = ret_item;

    if (ch->capacity > 0) {
        to = ch->ring + ch->write_at; /* the slot that take() leaves: read_at meets write_at */
        take(ch, ret_item);
        ch->write_at = ch->read_at;
        ch->count++;
    }
    copy_item(to, party_of(sender)->item.from, ch->item_bytes);
    party_of(sender)->result = 0;
    ch->sent++;
    leave(ch, biased, 0);
    rvi_wake(sender);
    return 0;
}

static __attribute__((noinline)) int take_later(struct rv_chan *ch, bool biased, void *ret_item,
                                                rv_time deadline)
{
    struct party self;

    self.item.to = ret_item;
    self.result = -EPIPE;
    int err = rvi_waitlist_wait(&ch->receivers, &ch->lock, biased, &self.waiter, deadline,
                                RVI_WHY_CHAN_RECV);
    return err < 0 ? err : self.result;
}

static inline int receive_item(struct rv_chan *ch, void *ret_item, bool may_wait, rv_time deadline)
{
    bool biased = rvi_bias_lock(&ch->lock);

    if (!rvi_waitlist_is_empty(&ch->senders))
        return fetch(ch, biased, ret_item);
    if (ch->count > 0) {
        take(ch, ret_item);
        return leave(ch, biased, 0);
    }
    if (rvi_unlikely(ch->closed))
        return leave(ch, biased, -EPIPE);
    return may_wait ? take_later(ch, biased, ret_item, deadline) : leave(ch, biased, -EAGAIN);
}

int rvi_chan_measure(size_t header_bytes, size_t item_bytes, size_t capacity, size_t *ret_bytes)
{
    size_t bytes;

    if (__builtin_mul_overflow(item_bytes, capacity, &bytes) ||
        __builtin_add_overflow(bytes, header_bytes, &bytes))
        return -EOVERFLOW;
    *ret_bytes = bytes;
    return 0;
}

void rvi_chan_init(struct rv_chan *ch, void *ring, size_t item_bytes, size_t capacity)
{
    memset(ch, 0, sizeof(*ch));
    ch->ring = ring;
    ch->item_bytes = item_bytes;
    ch->capacity = capacity;
    ch->ring_bytes = capacity * item_bytes;
}

/* Without the lock: whoever frees has made sure that nobody else is here, and taking it on another
 * worker than the channel's own would cost a revocation for nothing. */
void rvi_chan_check_unused(const struct rv_chan *ch, const char *caller)
{
    if (!rvi_waitlist_is_empty(&ch->senders) || !rvi_waitlist_is_empty(&ch->receivers))
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

int rv_chan_try_send(rv_chan *ch, const void *item)
{
    return send_item(ch, item, false, RV_NEVER);
}

int rv_chan_send(rv_chan *ch, const void *item, rv_time deadline)
{
    int err = rvi_wait_allowed();

    return err < 0 ? err : send_item(ch, item, true, deadline);
}

int rv_chan_try_recv(rv_chan *ch, void *ret_item)
{
    return receive_item(ch, ret_item, false, RV_NEVER);
}

int rv_chan_recv(rv_chan *ch, void *ret_item, rv_time deadline)
{
    int err = rvi_wait_allowed();

    return err < 0 ? err : receive_item(ch, ret_item, true, deadline);
}

void rv_chan_close(rv_chan *ch)
{
    bool biased = rvi_bias_lock(&ch->lock);

    ch->closed = true;
    struct rvi_link *senders = rvi_waitlist_take_all(&ch->senders);
    struct rvi_link *receivers = rvi_waitlist_take_all(&ch->receivers);
    leave(ch, biased, 0);
    rvi_chain_wake(senders);
    rvi_chain_wake(receivers);
}

size_t rv_chan_item_bytes(const rv_chan *ch)
{
    return ch->item_bytes;
}

size_t rv_chan_count(rv_chan *ch)
{
    bool biased = rvi_bias_lock(&ch->lock);
    size_t count = ch->count;

    rvi_bias_unlock(&ch->lock, biased);
    return count;
}
