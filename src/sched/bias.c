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

bool rvi_bias_lock_slow(struct rvi_bias *b, struct rvi_worker *self)
{
    struct rvi_worker *owner = NULL;

    rvi_point(RVI_POINT_LOCK);
    if (rvi_seam && RVI_DEBUG_CHECKS == 0)
        self = NULL; /* a lock that is never biased comes here each time, for a point */
    if (rvi_load_relaxed(&b->owner) == NULL &&
        rvi_cas_relaxed(&b->owner, &owner, self ? self : RVI_BIAS_NONE) && self)
        return rvi_bias_lock(b);

    rvi_lock_acquire(&b->lock);
    owner = rvi_load_relaxed(&b->owner);
    if (owner != RVI_BIAS_NONE) {
        rvi_store_relaxed(&b->owner, RVI_BIAS_NONE);
        wait_for_biased_owner(b);
    }
    return false;
}
