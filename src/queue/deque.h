/* SPDX-License-Identifier: MIT */
/* deque.h - work-stealing deque: one owner, many thieves, nothing atomic on the owner's path but
 * plain stores.
 *
 * The owner pushes and pops at the bottom, thieves take from the top, in batches. The items are
 * pointers, not NULL, and belong to whoever took them out. deque.c argues why it is right. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/check.h"
#include "sys/fence.h"
#include "sys/lock.h"

struct rvi_deque {
    /* The owner's line. A thief reads it once a steal. */
    _Alignas(RVI_CACHE_LINE) _Atomic(int64_t) bottom; /* written by the owner only */
    _Atomic(int64_t) split; /* written under the lock, read by the owner at each pop */
    int64_t limit;          /* the owner's: where bottom must stop; at most top + capacity */
    int64_t mask;           /* capacity - 1; as `slots`, written by the owner under the lock */
    void **slots;
    /* The thieves' line. */
    _Alignas(RVI_CACHE_LINE) _Atomic(int64_t) top; /* written under the lock */
    struct rvi_lock lock;
};

/** Make an empty deque. Call rvi_fence_asym_init() before any thief exists.
 *
 * @return 0
 * Errors:  -ENOMEM; the deque is not usable
 * Blocks:  no
 * Threads: the owner, before anyone else knows the deque
 * Lifetime: until rvi_deque_fini */
__attribute__((warn_unused_result)) int rvi_deque_init(struct rvi_deque *deque);

/** Free the memory of a deque that is empty and that no thief can reach any more. */
void rvi_deque_fini(struct rvi_deque *deque);

/* The owner's paths when the fast ones below do not apply. */
int rvi_deque_push_slow(struct rvi_deque *deque, void *item);
void *rvi_deque_pop_slow(struct rvi_deque *deque);

/** Put an item at the bottom if there is room at hand: for paths that want no frame.
 *
 * @param item  not NULL
 * @return whether it is in
 * Errors:  none
 * Blocks:  no
 * Threads: the owner
 * Lifetime: the item is the deque's until it is taken out */
static inline bool rvi_deque_try_push(struct rvi_deque *deque, void *item)
{
    RV_DCHECK(item != NULL);
    int64_t bottom = rvi_load_relaxed(&deque->bottom);
    if (rvi_unlikely(bottom == deque->limit))
        return false;
    deque->slots[bottom & deque->mask] = item;
    rvi_store_release(&deque->bottom, bottom + 1); /* pairs: deque-bottom */
    return true;
}

/** Put an item at the bottom.
 *
 * @param item  not NULL
 * @return 0. On error the deque is as it was.
 * Errors:  -ENOMEM full, and the array could not grow
 * Blocks:  when full: for a steal under way
 * Threads: the owner
 * Lifetime: the item is the deque's until it is taken out */
__attribute__((warn_unused_result)) static inline int rvi_deque_push(struct rvi_deque *deque,
                                                                     void *item)
{
    return rvi_likely(rvi_deque_try_push(deque, item)) ? 0 : rvi_deque_push_slow(deque, item);
}

/** Take the item that was pushed last; NULL when the deque is empty.
 *
 * Errors:  none
 * Blocks:  when nothing is private: for a steal under way
 * Threads: the owner
 * Lifetime: the item is the caller's */
static inline void *rvi_deque_pop(struct rvi_deque *deque)
{
    int64_t bottom = rvi_load_relaxed(&deque->bottom) - 1;
    rvi_store_release(&deque->bottom, bottom); /* pairs: deque-bottom */
    rvi_fence_light();                         /* pairs: deque-split */
    if (rvi_likely(bottom >= rvi_load_relaxed(&deque->split)))
        return deque->slots[bottom & deque->mask];
    return rvi_deque_pop_slow(deque);
}

/** Take the item that was pushed first; NULL when the deque is empty. A scheduler does this every
 * so often, so that a task at the top of a deque that nobody robs is not starved by newer ones.
 *
 * Errors:  none
 * Blocks:  for a steal under way
 * Threads: the owner
 * Lifetime: the item is the caller's */
void *rvi_deque_pop_oldest(struct rvi_deque *deque);

/** Take up to `max` of the oldest items, oldest first, at most half of what there is, rounded up.
 *
 * @return how many were written to `items`; 0 when the deque looked empty or another thief, or the
 *         owner, is busy with it: try elsewhere
 * Errors:  none
 * Blocks:  never; may cost a heavy fence
 * Threads: any but the owner; the owner may, at a thief's price
 * Lifetime: the items are the caller's; the deque must outlive the call */
size_t rvi_deque_steal(struct rvi_deque *deque, void **items, size_t max);

/** Whether there seemed to be nothing, at some moment. May be wrong either way for a moment while
 * the owner is popping. Relaxed: a thread about to sleep calls it after a heavy fence of its own,
 * which pairs with a light one between the owner's push and its look for sleepers. */
static inline bool rvi_deque_looks_empty(const struct rvi_deque *deque)
{
    return rvi_load_relaxed(&deque->top) >= rvi_load_relaxed(&deque->bottom);
}

/** What the n-th pop from now would get, if there are so many, otherwise anything: to be
 * prefetched, never followed. Owner only. */
static inline const void *rvi_deque_ahead(const struct rvi_deque *deque, int64_t n)
{
    return deque->slots[(rvi_load_relaxed(&deque->bottom) - n) & deque->mask];
}

/** How many items there are. Owner only; thieves may make it less at any time. */
static inline size_t rvi_deque_count(const struct rvi_deque *deque)
{
    return (size_t)(rvi_load_relaxed(&deque->bottom) - rvi_load_relaxed(&deque->top));
}

/** Whether the invariants of deque.c hold. Owner only; takes the lock. */
bool rvi_deque_is_valid(struct rvi_deque *deque);
