/* SPDX-License-Identifier: MIT */
/* latch.c - a count that goes down to nothing once.
 *
 *   L1  somebody waits  =>  something remains
 *
 * The lifetime argument is that of event.c: who waited returns after its wake, and the one who
 * counted down touches the latch no more when it begins to wake; who found it open has held the
 * lock after it.
 *
 * Rejected: an event beside an atomic counter. The last count would have to touch the event after
 * it has been seen at nothing, and so outlive those who wait.
 * Checked by: tests/unit/task/test_latch.c, test_every_point.c, tests/stress/stress_meet.c */
#include <ravel/latch.h>

#include <string.h>

#include "task/waitlist.h"

struct latch {
    struct rvi_bias lock;
    struct rvi_waitlist line;
    uint64_t remaining;
};
RVI_ASSERT_FITS(struct latch, struct rv_latch);

static struct latch *inside(struct rv_latch *l)
{
    return (struct latch *)l->opaque;
}

void rv_latch_init(struct rv_latch *l, uint64_t count)
{
    memset(l, 0, sizeof(*l));
    inside(l)->remaining = count;
}

void rv_latch_count_down(struct rv_latch *l, uint64_t n)
{
    struct latch *latch = inside(l);
    struct rvi_link *chain = NULL;
    bool biased = rvi_bias_lock(&latch->lock);

    if (rvi_unlikely(n > latch->remaining))
        rvi_panic("rv_latch_count_down: counted down by %llu where %llu remained; count down as "
                  "often as rv_latch_init was told, no more",
                  (unsigned long long)n, (unsigned long long)latch->remaining);
    latch->remaining -= n;
    if (latch->remaining == 0)
        chain = rvi_waitlist_take_all(&latch->line);
    rvi_bias_unlock(&latch->lock, biased);
    rvi_chain_wake(chain);
}

uint64_t rv_latch_remaining(struct rv_latch *l)
{
    struct latch *latch = inside(l);
    bool biased = rvi_bias_lock(&latch->lock);
    uint64_t remaining = latch->remaining;

    rvi_bias_unlock(&latch->lock, biased);
    return remaining;
}

int rv_latch_wait(struct rv_latch *l, rv_time deadline)
{
    struct latch *latch = inside(l);
    struct rvi_waiter w;
    int err = rvi_wait_allowed();

    if (err < 0)
        return err;
    bool biased = rvi_bias_lock(&latch->lock);
    if (latch->remaining > 0)
        return rvi_waitlist_wait(&latch->line, &latch->lock, biased, &w, deadline, RVI_WHY_LATCH);
    rvi_bias_unlock(&latch->lock, biased);
    return 0;
}
