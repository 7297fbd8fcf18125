/* SPDX-License-Identifier: MIT */
/* cond.c - a place to wait for a change that a mutex guards.
 *
 * The waiter joins the line while it still holds the mutex. Whoever makes the change holds the
 * mutex after it and so finds the waiter in line, signalling with or without the mutex: no signal
 * can fall between unlocking and waiting. Locks are taken one after the other, never one inside the
 * other.
 *
 * A signal takes the first waiter out, and only a waiter that is still in line can time out or be
 * cancelled: a signal is either with a waiter that returns 0, or still to be given.
 *
 * Rejected: moving waiters to the mutex's line instead of waking them. It saves a wake of somebody
 * who has to wait again, but a condition would have to know its mutex and hold both locks.
 * Checked by: tests/unit/task/test_cond.c, tests/stress/stress_sync.c */
#include <ravel/sync.h>

#include <string.h>

#include "task/mutex.h"
#include "task/waitlist.h"

struct cond {
    struct rvi_bias lock;
    struct rvi_waitlist line;
};
RVI_ASSERT_FITS(struct cond, struct rv_cond);

static struct cond *inside(struct rv_cond *c)
{
    return (struct cond *)c->opaque;
}

static void wake_up_to(struct cond *cond, uint64_t most)
{
    struct rvi_link *chain;
    bool biased = rvi_bias_lock(&cond->lock);

    rvi_waitlist_take(&cond->line, most, &chain);
    rvi_bias_unlock(&cond->lock, biased);
    rvi_chain_wake(chain);
}

void rv_cond_init(struct rv_cond *c)
{
    memset(c, 0, sizeof(*c));
}

int rv_cond_wait(struct rv_cond *c, struct rv_mutex *m, rv_time deadline)
{
    struct cond *cond = inside(c);
    struct rvi_place place = {&cond->lock, &cond->line};
    struct rvi_waiter w;
    int err = rvi_wait_allowed();

    if (err < 0)
        return err;
    rvi_waiter_init(&w);
    bool biased = rvi_bias_lock(&cond->lock);
    rvi_waitlist_push(&cond->line, &w);
    rvi_bias_unlock(&cond->lock, biased);
    rvi_mutex_unlock_for(m, "rv_cond_wait");
    rvi_wait_tells(cond, RVI_WHY_COND);
    err = rvi_wait(&w, deadline, RVI_WHY_COND, rvi_waitlist_withdraw, &place);
    rvi_mutex_lock_always(m);
    return err;
}

void rv_cond_signal(struct rv_cond *c)
{
    wake_up_to(inside(c), 1);
}

void rv_cond_broadcast(struct rv_cond *c)
{
    wake_up_to(inside(c), UINT64_MAX);
}
