/* SPDX-License-Identifier: MIT */
/* mutex.c - mutual exclusion with an owner and a line.
 *
 *   M1  somebody waits  =>  the mutex has an owner
 *   M2  an owner is what rvi_party_self() says of it
 *
 * Unlocking makes the first in line the owner, under the lock and before it wakes: there is no
 * moment at which a third party could slip in, so the line is first come, first served, and a
 * timeout that comes too late to withdraw finds itself the owner and says so by returning 0.
 *
 * Rejected: letting the woken compete for a free mutex. It has more throughput when everybody is on
 * a core of its own, but between tasks of one worker the unlocker would take it again each time
 * before the woken ever ran.
 * Checked by: tests/unit/task/test_mutex.c, tests/stress/stress_sync.c */
#include "task/mutex.h"

#include <errno.h>
#include <string.h>

#include "sched/here.h"
#include "task/waitlist.h"

struct mutex {
    struct rvi_bias lock;
    struct rvi_waitlist line;
    const void *owner; /* NULL: free */
};
RVI_ASSERT_FITS(struct mutex, struct rv_mutex);

struct contender {
    struct rvi_waiter waiter;
    const void *who;
};

static struct mutex *inside(struct rv_mutex *m)
{
    return (struct mutex *)m->opaque;
}

/* The lock is held. */
static bool take(struct mutex *mu, const void *who)
{
    if (rvi_likely(mu->owner == NULL)) {
        mu->owner = who;
        return true;
    }
    if (rvi_unlikely(mu->owner == who))
        rvi_panic("rv_mutex_lock: the caller holds this mutex already, and it is not recursive; "
                  "unlock it first");
    return false;
}

/* The lock is held, and given up. */
static int wait_for_turn(struct mutex *mu, bool biased, const void *who, rv_time deadline)
{
    struct contender self;

    self.who = who;
    return rvi_waitlist_wait(&mu->line, &mu->lock, biased, &self.waiter, deadline, RVI_WHY_MUTEX);
}

void rv_mutex_init(struct rv_mutex *m)
{
    memset(m, 0, sizeof(*m));
}

int rv_mutex_lock(struct rv_mutex *m, rv_time deadline)
{
    struct mutex *mu = inside(m);
    const void *who = rvi_party_self();
    int err = rvi_wait_allowed();

    if (err < 0)
        return err;
    bool biased = rvi_bias_lock(&mu->lock);
    if (!take(mu, who))
        return wait_for_turn(mu, biased, who, deadline);
    rvi_bias_unlock(&mu->lock, biased);
    return 0;
}

int rv_mutex_try_lock(struct rv_mutex *m)
{
    struct mutex *mu = inside(m);
    const void *who = rvi_party_self();
    bool biased = rvi_bias_lock(&mu->lock);
    bool taken = take(mu, who);

    rvi_bias_unlock(&mu->lock, biased);
    return taken ? 0 : -EAGAIN;
}

void rvi_mutex_lock_always(struct rv_mutex *m)
{
    struct mutex *mu = inside(m);
    struct contender self;

    self.who = rvi_party_self();
    bool biased = rvi_bias_lock(&mu->lock);
    bool taken = take(mu, self.who);
    if (!taken) {
        rvi_waiter_init(&self.waiter);
        rvi_waitlist_push(&mu->line, &self.waiter);
    }
    rvi_bias_unlock(&mu->lock, biased);
    if (!taken)
        rvi_wait_always(&self.waiter, RVI_WHY_MUTEX);
}

void rvi_mutex_unlock_for(struct rv_mutex *m, const char *caller)
{
    struct mutex *mu = inside(m);
    const void *who = rvi_party_self();
    bool biased = rvi_bias_lock(&mu->lock);

    if (rvi_unlikely(mu->owner != who))
        rvi_panic("%s: the caller does not hold this mutex; only the task or thread that locked it "
                  "may unlock it",
                  caller);
    struct rvi_waiter *next = rvi_waitlist_pop(&mu->line);
    mu->owner = next != NULL ? rvi_container_of(next, struct contender, waiter)->who : NULL;
    rvi_bias_unlock(&mu->lock, biased);
    if (next != NULL)
        rvi_wake(next);
}

void rv_mutex_unlock(struct rv_mutex *m)
{
    rvi_mutex_unlock_for(m, "rv_mutex_unlock");
}
