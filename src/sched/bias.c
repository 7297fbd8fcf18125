/* SPDX-License-Identifier: MIT */
#include "sched/bias.h"

#include "sys/cpu.h"
#include "sys/thread.h"

enum { SPINS_BEFORE_YIELD = 200 };

/* With the inner lock held, after owner was set to NONE by this thread. The owner is inside a few
 * dozen instructions, but its thread may have lost its core there. */
static void wait_for_biased_owner(struct rvi_bias *b)
{
    rvi_fence_heavy();                                         /* pairs: bias-fence */
    for (int spins = 0; rvi_load_acquire(&b->held); spins++) { /* pairs: bias-held */
        if (spins < SPINS_BEFORE_YIELD)
            rvi_cpu_relax();
        else
            rvi_thread_yield();
    }
}

static struct rvi_worker *with_fences(struct rvi_worker *self)
{
    return (struct rvi_worker *)((uintptr_t)self | 1);
}

/* What rvi_bias_try_lock_as() does, of an owner whose fences cost something. */
static bool try_lock_with_fences(struct rvi_bias *b, struct rvi_worker *self)
{
    struct rvi_worker *owner = with_fences(self);

    if (rvi_load_relaxed(&b->owner) != owner)
        return false;
    rvi_store_relaxed(&b->held, 1);
    rvi_fence_light(); /* pairs: bias-fence */
    if (rvi_load_relaxed(&b->owner) == owner)
        return true;
    rvi_store_release(&b->held, 0); /* pairs: bias-held */
    return false;
}

/* Whoever comes first. False: it was not the caller, or he cannot own it. */
static bool claim(struct rvi_bias *b, struct rvi_worker *self)
{
    struct rvi_worker *owner = NULL;
    struct rvi_worker *claimant = RVI_BIAS_NONE;

    if (self)
        claimant = rvi_fence_is_free() ? self : with_fences(self);
    return rvi_load_relaxed(&b->owner) == NULL && rvi_cas_relaxed(&b->owner, &owner, claimant) &&
           self;
}

bool rvi_bias_lock_slow(struct rvi_bias *b, struct rvi_worker *self)
{
    rvi_point(RVI_POINT_LOCK);
    if (rvi_seam && RVI_DEBUG_CHECKS == 0)
        self = NULL; /* a lock that is never biased comes here each time, for a point */
    if (claim(b, self))
        return rvi_bias_lock(b);
    if (self && try_lock_with_fences(b, self))
        return true;
    rvi_lock_acquire(&b->lock);
    if (rvi_load_relaxed(&b->owner) != RVI_BIAS_NONE) {
        rvi_store_relaxed(&b->owner, RVI_BIAS_NONE);
        wait_for_biased_owner(b);
    }
    return false;
}
