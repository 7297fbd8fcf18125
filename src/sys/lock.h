/* SPDX-License-Identifier: MIT */
/* lock.h - a small lock between threads, for sections of a few dozen instructions.
 *
 * Drepper 2011, "Futexes are tricky", the third mutex. The word is
 *
 *     0  free
 *     1  held, nobody sleeps
 *     2  held, somebody may sleep: the release must wake one
 *
 * A waiter spins for a bounded time, then sets 2 and sleeps; who acquires after having slept leaves
 * 2 behind, because other sleepers may remain. Not fair, not recursive, and not for tasks: it
 * blocks the thread. A fiber must not switch away while it holds one.
 *
 * Rejected: pthread_mutex_t, 40 bytes and a call into another library for the uncontended case. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/check.h"

struct rvi_lock {
    _Atomic(uint32_t) word;
};

/* All zero bytes are a free lock too, so calloc'ed memory needs no init. */
/* clang-format off */
#define RVI_LOCK_INIT {0}
/* clang-format on */

static inline void rvi_lock_init(struct rvi_lock *lock)
{
    rvi_store_relaxed(&lock->word, 0);
}

static inline bool rvi_lock_try_acquire(struct rvi_lock *lock)
{
    uint32_t free_word = 0;
    return rvi_cas_acquire(&lock->word, &free_word, 1); /* pairs: lock */
}

/* The contended halves; call the inline functions below. */
void rvi_lock_acquire_slow(struct rvi_lock *lock);
void rvi_lock_release_slow(struct rvi_lock *lock);

static inline void rvi_lock_acquire(struct rvi_lock *lock)
{
    if (rvi_unlikely(!rvi_lock_try_acquire(lock)))
        rvi_lock_acquire_slow(lock);
}

/* Touches the lock's memory for the last time before it wakes anybody: the next owner may free
 * it. */
static inline void rvi_lock_release(struct rvi_lock *lock)
{
    if (rvi_unlikely(rvi_exchange_release(&lock->word, 0) == 2)) /* pairs: lock */
        rvi_lock_release_slow(lock);
}

/* For assertions: somebody holds it, not necessarily the caller. */
static inline bool rvi_lock_is_held(struct rvi_lock *lock)
{
    return rvi_load_relaxed(&lock->word) != 0;
}
