/* SPDX-License-Identifier: MIT */
/* waitlist.h - those who wait at one object, first come, first served.
 *
 * A ring of waiters without a head, under its object's lock:
 *
 *   W1  `first` is NULL when nobody waits; first->prev is the last
 *   W2  a waiter is in the ring exactly while its link.prev is not NULL
 *   W3  who takes a waiter out owes it one rvi_wake(), after the lock is free
 *   W4  from there to the wake the waiter's link.next is the waker's, to chain the ones it owes
 *
 * W1 makes zeroed memory an empty list, which RV_MUTEX_INIT and its sisters promise. W2 is how
 * withdrawing sees that it has come too late: then a wake is on its way, and with it whatever the
 * waker has handed over. W3 lets a woken party free the object at once: its waker touches the
 * waiter's frame last of all, never the object.
 *
 * Rejected: struct rvi_list, which is not valid when zeroed, is twice as long and cannot tell a
 * waiter that waits from one that is chained for waking. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/time.h>

#include "base/check.h"
#include "base/list.h"
#include "sched/bias.h"
#include "sched/wait.h"

struct rvi_waitlist {
    struct rvi_link *first;
};

/* Where a waiter stands: what taking it back needs to know. Kept in the waiting function's
 * frame. */
struct rvi_place {
    struct rvi_bias *lock;
    struct rvi_waitlist *list;
};

/* The object inside a caller's struct rv_...: it has to fit. */
#define RVI_ASSERT_FITS(type, storage)                                                             \
    _Static_assert(sizeof(type) <= sizeof(storage) && _Alignof(type) <= _Alignof(storage),         \
                   #type " must fit into " #storage)

static inline struct rvi_waiter *rvi_waiter_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct rvi_waiter, link);
}

static inline bool rvi_waitlist_is_empty(const struct rvi_waitlist *list)
{
    return list->first == NULL;
}

/** Join the end of the line. */
static inline void rvi_waitlist_push(struct rvi_waitlist *list, struct rvi_waiter *w)
{
    struct rvi_link *link = &w->link;
    struct rvi_link *first = list->first;

    if (first == NULL) {
        link->prev = link;
        link->next = link;
        list->first = link;
        return;
    }
    link->prev = first->prev;
    link->next = first;
    first->prev->next = link;
    first->prev = link;
}

/** Join the line before everybody else. */
static inline void rvi_waitlist_push_front(struct rvi_waitlist *list, struct rvi_waiter *w)
{
    rvi_waitlist_push(list, w);
    list->first = &w->link;
}

/** Leave the line, from any place in it. */
static inline void rvi_waitlist_remove(struct rvi_waitlist *list, struct rvi_waiter *w)
{
    struct rvi_link *link = &w->link;

    if (link->next == link) {
        list->first = NULL;
    } else {
        link->prev->next = link->next;
        link->next->prev = link->prev;
        if (list->first == link)
            list->first = link->next;
    }
    link->prev = NULL;
    link->next = NULL;
}

/** Leave the line if still in it; false: somebody has taken the waiter out (W2). */
static inline bool rvi_waitlist_leave(struct rvi_waitlist *list, struct rvi_waiter *w)
{
    if (w->link.prev == NULL)
        return false;
    rvi_waitlist_remove(list, w);
    return true;
}

/** Take out the first; NULL when nobody waits. The caller owes it a wake (W3). */
static inline struct rvi_waiter *rvi_waitlist_pop(struct rvi_waitlist *list)
{
    if (rvi_waitlist_is_empty(list))
        return NULL;
    struct rvi_waiter *w = rvi_waiter_of(list->first);
    rvi_waitlist_remove(list, w);
    return w;
}

/** Take out the first `most` or as many as there are, chained in their order (W4).
 *
 * @param ret_chain  for rvi_chain_wake(), once the lock is free
 * @return how many */
uint64_t rvi_waitlist_take(struct rvi_waitlist *list, uint64_t most, struct rvi_link **ret_chain);

/** Take out everybody: see rvi_waitlist_take. */
static inline struct rvi_link *rvi_waitlist_take_all(struct rvi_waitlist *list)
{
    struct rvi_link *chain;

    rvi_waitlist_take(list, UINT64_MAX, &chain);
    return chain;
}

/** Wake everybody in a chain. The objects they waited at may be gone already. */
void rvi_chain_wake(struct rvi_link *chain);

/** For rvi_wait(): take a waiter back from its struct rvi_place. */
bool rvi_waitlist_withdraw(struct rvi_waiter *w, void *place);

/** Whether W1 and W2 hold. */
bool rvi_waitlist_is_valid(const struct rvi_waitlist *list);

/** Wait in line: the second half of every blocking call, entered with the lock held (as `biased`
 * says) and left with it free. Returns what rvi_wait() returns.
 *
 * Inline because it lies between two task switches wherever it matters: each frame that a woken
 * task returns through counts. */
static inline int rvi_waitlist_wait(struct rvi_waitlist *list, struct rvi_bias *lock, bool biased,
                                    struct rvi_waiter *w, rv_time deadline, enum rvi_why why)
{
    struct rvi_place place = {lock, list};

    rvi_waiter_init(w);
    rvi_waitlist_push(list, w);
    RV_DCHECK_SLOW(rvi_waitlist_is_valid(list));
    rvi_bias_unlock(lock, biased);
    rvi_wait_tells(lock, why);
    return rvi_wait(w, deadline, why, rvi_waitlist_withdraw, &place);
}

/** The same for a task that has entered by the bias and has no deadline. */
static inline int rvi_waitlist_wait_biased(struct rvi_waitlist *list, struct rvi_bias *lock,
                                           struct rvi_waiter *w, enum rvi_why why)
{
    struct rvi_place place = {lock, list};

    rvi_waiter_fill(w);
    rvi_waitlist_push(list, w);
    RV_DCHECK_SLOW(rvi_waitlist_is_valid(list));
    rvi_bias_unlock(lock, true);
    rvi_wait_tells(lock, why);
    return rvi_wait_in_task(w, why, rvi_waitlist_withdraw, &place);
}
