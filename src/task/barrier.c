/* SPDX-License-Identifier: MIT */
/* barrier.c - a fixed number of parties wait for each other.
 *
 *   B1  arrived is how many stand in line; arrived < count
 *
 * The last to arrive takes all others out, under the lock, and with that the next round has begun:
 * arrived is 0 again. A party of the round before is known by its own waiter, which nobody touches
 * but the one who took it out, so rounds cannot mix, however late it wakes, and no number has to
 * tell them apart. A party that withdraws takes its arrival back in the same section in which it
 * leaves the line; if it comes too late for that, the round is complete and it returns 0.
 *
 * Rejected: to break the barrier for all when one party gives up, as Java's CyclicBarrier does. A
 * broken barrier has to be made anew at a moment when nobody is inside, which is what a barrier was
 * to bring about. That the others should give up as well is what the scope of a failed task says.
 * Checked by: tests/unit/task/test_barrier.c, test_every_point.c, tests/stress/stress_meet.c */
#include <ravel/barrier.h>

#include <string.h>

#include "task/waitlist.h"

struct barrier {
    struct rvi_bias lock;
    struct rvi_waitlist line;
    uint64_t count;
    uint64_t arrived;
};
RVI_ASSERT_FITS(struct barrier, struct rv_barrier);

static struct barrier *inside(struct rv_barrier *b)
{
    return (struct barrier *)b->opaque;
}

static bool withdraw(struct rvi_waiter *w, void *object)
{
    struct barrier *barrier = object;
    bool biased = rvi_bias_lock(&barrier->lock);
    bool waited = rvi_waitlist_leave(&barrier->line, w);

    if (waited)
        barrier->arrived--;
    rvi_bias_unlock(&barrier->lock, biased);
    return waited;
}

void rv_barrier_init(struct rv_barrier *b, uint64_t count)
{
    if (count == 0)
        rvi_panic("rv_barrier_init: a barrier needs at least one party");
    memset(b, 0, sizeof(*b));
    inside(b)->count = count;
}

/* The lock is held, and given up. */
static int complete_round(struct barrier *barrier, bool biased)
{
    struct rvi_link *others = rvi_waitlist_take_all(&barrier->line);

    barrier->arrived = 0;
    rvi_bias_unlock(&barrier->lock, biased);
    rvi_chain_wake(others);
    return 1;
}

/* Likewise. */
static int wait_for_others(struct barrier *barrier, bool biased, rv_time deadline)
{
    struct rvi_waiter w;

    barrier->arrived++;
    rvi_waiter_init(&w);
    rvi_waitlist_push(&barrier->line, &w);
    rvi_bias_unlock(&barrier->lock, biased);
    rvi_wait_tells(barrier, RVI_WHY_BARRIER);
    return rvi_wait(&w, deadline, RVI_WHY_BARRIER, withdraw, barrier);
}

int rv_barrier_wait(struct rv_barrier *b, rv_time deadline)
{
    struct barrier *barrier = inside(b);
    int err = rvi_wait_allowed();

    if (err < 0)
        return err;
    bool biased = rvi_bias_lock(&barrier->lock);
    if (rvi_unlikely(barrier->count == 0))
        rvi_panic("rv_barrier_wait: this barrier was never made; call rv_barrier_init first");
    if (barrier->arrived + 1 < barrier->count)
        return wait_for_others(barrier, biased, deadline);
    return complete_round(barrier, biased);
}
