/* SPDX-License-Identifier: MIT */
/* sem.c - a counting semaphore.
 *
 *   S1  somebody waits  =>  no units are left
 *
 * Posted units go to the line first, one each, and what remains is counted; so by S1 a unit that is
 * counted is nobody's, and nobody who arrives can overtake the line.
 * Checked by: tests/unit/task/test_sem.c, tests/stress/stress_sync.c */
#include <ravel/sync.h>

#include <errno.h>
#include <string.h>

#include "task/waitlist.h"

#define MOST_UNITS ((uint64_t)1 << 63)

struct sem {
    struct rvi_bias lock;
    struct rvi_waitlist line;
    uint64_t units;
};
RVI_ASSERT_FITS(struct sem, struct rv_sem);

static struct sem *inside(struct rv_sem *s)
{
    return (struct sem *)s->opaque;
}

/* The lock is held. */
static bool take(struct sem *sem)
{
    if (sem->units == 0)
        return false;
    sem->units--;
    return true;
}

static void add(struct sem *sem, uint64_t count, const char *caller)
{
    if (rvi_unlikely(count > MOST_UNITS - sem->units))
        rvi_panic("%s: a semaphore cannot hold more than 2^63 units; post what was taken, no more",
                  caller);
    sem->units += count;
}

void rv_sem_init(struct rv_sem *s, uint64_t count)
{
    memset(s, 0, sizeof(*s));
    add(inside(s), count, "rv_sem_init");
}

int rv_sem_wait(struct rv_sem *s, rv_time deadline)
{
    struct sem *sem = inside(s);
    struct rvi_waiter w;
    int err = rvi_wait_allowed();

    if (err < 0)
        return err;
    bool biased = rvi_bias_lock(&sem->lock);
    if (!take(sem))
        return rvi_waitlist_wait(&sem->line, &sem->lock, biased, &w, deadline, RVI_WHY_SEM);
    rvi_bias_unlock(&sem->lock, biased);
    return 0;
}

int rv_sem_try_wait(struct rv_sem *s)
{
    struct sem *sem = inside(s);
    bool biased = rvi_bias_lock(&sem->lock);
    bool taken = take(sem);

    rvi_bias_unlock(&sem->lock, biased);
    return taken ? 0 : -EAGAIN;
}

void rv_sem_post(struct rv_sem *s, uint64_t count)
{
    struct sem *sem = inside(s);
    struct rvi_link *served;
    bool biased = rvi_bias_lock(&sem->lock);

    add(sem, count - rvi_waitlist_take(&sem->line, count, &served), "rv_sem_post");
    rvi_bias_unlock(&sem->lock, biased);
    rvi_chain_wake(served);
}
