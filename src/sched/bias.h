/* SPDX-License-Identifier: MIT */
/* bias.h - a lock for very short sections that costs its first user no atomic read-modify-write.
 *
 * The first worker that takes the lock owns the bias: it enters by a store, a light fence and a
 * load. The first thread of any other kind revokes the bias, once and for ever, with a heavy fence
 * (membarrier, some 10 us), after which everybody uses the futex lock inside.
 *
 * States of `owner`: NULL (never used) -> a worker (biased) -> RVI_BIAS_NONE (revoked)
 *                    NULL -> RVI_BIAS_NONE                  when a plain thread comes first
 * All-zero memory is a lock that was never used. Where a light fence is not free (sys/fence.h), the
 * owner is written with its low bit set: that one takes the slow way in each time, which fences,
 * and the short one need not ask.
 *
 * Why it excludes. The biased owner stores held=1, then (light fence) reads owner. The revoker,
 * with the inner lock in its hands, stores owner=NONE, then (heavy fence) reads held. The fence
 * pair is Dekker's: at least one sees the other's store. If the owner saw NONE, it takes held back
 * and goes to the inner lock. If the revoker saw held=1, it waits until the owner has stored 0,
 * with the inner lock in its hands, so nobody else is inside. Later owners see NONE before they
 * touch anything; a transient held=1 of such an owner is read by nobody, because owner is NONE
 * already.
 *
 * Rules: no task switch, no blocking call and no second lock inside, unless the README of the room
 * that owns the object gives the order. Not for signal handlers.
 *
 * The idea is Kawachiya, Koseki and Onodera's lock reservation (2002); membarrier makes the owner's
 * side free of fences. Rejected: an ordinary lock, 5.6 ns for each of the four operations in a
 * round trip through a channel that never leaves its worker.
 * Checked by: tests/stress/stress_bias.c */
#pragma once

#include <stdbool.h>

#include "base/atomic.h"
#include "base/check.h"
#include "sched/here.h"
#include "sys/fence.h"
#include "sys/lock.h"

struct rvi_bias {
    _Atomic(struct rvi_worker *) owner;
    _Atomic(uint32_t) held; /* by the biased owner; written by its thread alone */
    struct rvi_lock lock;   /* everybody's once the bias is gone */
};

#define RVI_BIAS_NONE ((struct rvi_worker *)1)

/** The slow way in; returns what rvi_bias_lock returns. */
bool rvi_bias_lock_slow(struct rvi_bias *b, struct rvi_worker *self);

/** Enter if that is the cheap way in: if `self`, the caller's worker and not NULL, owns the
 * bias. */
static inline bool rvi_bias_try_lock_as(struct rvi_bias *b, struct rvi_worker *self)
{
    if (rvi_unlikely(rvi_load_relaxed(&b->owner) != self))
        return false;
    rvi_store_relaxed(&b->held, 1);
    rvi_fence_free(); /* pairs: bias-fence */
    if (rvi_likely(rvi_load_relaxed(&b->owner) == self))
        return true;
    rvi_store_release(&b->held, 0); /* pairs: bias-held */
    return false;
}

/** The same for a caller that may have no worker. */
static inline bool rvi_bias_try_lock(struct rvi_bias *b)
{
    struct rvi_worker *self = rvi_worker_self();

    return rvi_likely(self) && rvi_bias_try_lock_as(b, self);
}

/** Enter. Returns how, for rvi_bias_unlock. */
static inline bool rvi_bias_lock(struct rvi_bias *b)
{
    return rvi_likely(rvi_bias_try_lock(b)) || rvi_bias_lock_slow(b, rvi_worker_self());
}

/** Leave, the way that rvi_bias_lock said. */
static inline void rvi_bias_unlock(struct rvi_bias *b, bool biased)
{
    if (rvi_likely(biased))
        rvi_store_release(&b->held, 0); /* pairs: bias-held */
    else
        rvi_lock_release(&b->lock);
}
