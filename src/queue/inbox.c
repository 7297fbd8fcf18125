/* SPDX-License-Identifier: MIT */
/* inbox.c - multi-producer single-consumer stack of messages, taken whole and turned round.
 *
 * Producers push with a compare-and-swap (Treiber 1986); the consumer takes the whole stack with
 * one exchange and reverses it. ABA cannot happen: nobody pops a single message, so a push whose
 * compare succeeds links to what is the newest message, even if that was taken and came back.
 *
 * Invariants:
 *   I1  from `newest` along `next` are the messages not yet taken, newest first, ended by NULL
 *   I2  a pushed message is written by nobody until it is taken: its `next` was set before the push
 *
 * The push releases, the take acquires: the consumer sees what each message held when it was sent.
 * Pushes in between, by others, are read-modify-writes and so carry the release on.
 *
 * Going to sleep. The push is sequentially consistent for the sake of this protocol:
 *
 *     producer                                  consumer
 *     rvi_inbox_push()                          store_seq_cst(state, ASLEEP)
 *     if load_seq_cst(state) == ASLEEP: wake    if rvi_inbox_looks_empty_seq_cst(): sleep
 *
 * All four are in one total order, so either the producer sees ASLEEP or the consumer sees the
 * message: never neither. A push that returned false need not look: an earlier push has found the
 * inbox empty, the consumer has not emptied it since, and that producer does the waking.
 *
 * Rejected: Vyukov's intrusive queue, whose push is one exchange, but whose consumer can find the
 * chain cut by a producer that is preempted in mid-push, and takes messages one at a time; a ring,
 * which can be full. Reversing touches messages that are about to be delivered anyway.
 *
 * Checked by: tests/unit/queue/test_inbox.c, tests/stress/stress_inbox.c */
#include "queue/inbox.h"

static struct rvi_msg *reverse(struct rvi_msg *msg)
{
    struct rvi_msg *reversed = NULL;
    while (msg != NULL) {
        struct rvi_msg *next = msg->next;
        msg->next = reversed;
        reversed = msg;
        msg = next;
    }
    return reversed;
}

bool rvi_inbox_push(struct rvi_inbox *inbox, struct rvi_msg *msg)
{
    struct rvi_msg *before = rvi_load_relaxed(&inbox->newest);
    do {
        msg->next = before;
        /* pairs: inbox-take, inbox-sleep */
    } while (!rvi_cas_seq_cst(&inbox->newest, &before, msg));
    return before == NULL;
}

struct rvi_msg *rvi_inbox_take_all(struct rvi_inbox *inbox)
{
    if (rvi_inbox_looks_empty(inbox))
        return NULL;
    return reverse(rvi_exchange_acquire(&inbox->newest, NULL)); /* pairs: inbox-take */
}
