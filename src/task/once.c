/* SPDX-License-Identifier: MIT */
/* once.c - done exactly once, by the first who needs it.
 *
 *   O1  at most one party is the runner; fn runs in its hands alone, without the lock
 *   O2  somebody waits  =>  there is a runner
 *   O3  done is set once, by the runner whose fn has succeeded; after that there is no runner
 *
 * When fn has failed the runner makes the first in line the runner, under the lock and before it
 * wakes: nobody who arrives can overtake the line, and a timeout that comes too late for
 * withdrawing finds that it is its turn. When fn has succeeded all are taken out and told so in
 * their own frames: `its_turn` is why a woken party need not look at the object again.
 *
 * A call that finds `done` does not take the lock: what fn wrote is ordered by that load alone.
 * So it may return while the runner is still inside its last section; hence the object has to live
 * until every call has returned, the runner's too.
 * Checked by: tests/unit/task/test_once.c, test_every_point.c, tests/stress/stress_meet.c */
#include <ravel/once.h>

#include <errno.h>

#include "base/atomic.h"
#include "sched/here.h"
#include "task/waitlist.h"

struct once {
    struct rvi_bias lock;
    struct rvi_waitlist line;
    const void *runner; /* rvi_party_self() of it; NULL: none */
    _Atomic(uint32_t) done;
};
RVI_ASSERT_FITS(struct once, struct rv_once);

struct candidate {
    struct rvi_waiter waiter;
    const void *who;
    bool its_turn;
};

static struct candidate *candidate_of(struct rvi_waiter *w)
{
    return rvi_container_of(w, struct candidate, waiter);
}

/* Lock held. */
static void hand_on(struct once *once, struct candidate *next)
{
    once->runner = next != NULL ? next->who : NULL;
    if (next != NULL)
        next->its_turn = true;
}

static void pass_to_next(struct once *once)
{
    bool biased = rvi_bias_lock(&once->lock);
    struct rvi_waiter *next = rvi_waitlist_pop(&once->line);

    hand_on(once, next != NULL ? candidate_of(next) : NULL);
    rvi_bias_unlock(&once->lock, biased);
    if (next != NULL)
        rvi_wake(next);
}

static void finish(struct once *once)
{
    bool biased = rvi_bias_lock(&once->lock);
    struct rvi_link *chain = rvi_waitlist_take_all(&once->line);

    once->runner = NULL;
    rvi_store_release(&once->done, 1); /* pairs: once-done */
    rvi_bias_unlock(&once->lock, biased);
    rvi_chain_wake(chain);
}

/* The caller is the runner. */
static int run(struct once *once, rv_fn *fn, void *arg)
{
    int result = fn(arg);

    if (result < 0) {
        pass_to_next(once);
        return result;
    }
    finish(once);
    return 0;
}

/* The lock is held, and given up. 0: it is done, or the caller has become the runner. */
static int wait_in_line(struct once *once, bool biased, struct candidate *self, rv_time deadline)
{
    if (rvi_unlikely(once->runner == self->who))
        rvi_panic("rv_once_do: called again from the function that it runs, which would wait for "
                  "itself");
    return rvi_waitlist_wait(&once->line, &once->lock, biased, &self->waiter, deadline,
                             RVI_WHY_ONCE);
}

/* As wait_in_line. */
static int await_turn(struct once *once, struct candidate *self, rv_time deadline)
{
    int err = rvi_wait_allowed();

    if (err < 0)
        return err;
    bool biased = rvi_bias_lock(&once->lock);
    bool is_done = rvi_load_relaxed(&once->done) != 0;
    if (!is_done && once->runner != NULL)
        return wait_in_line(once, biased, self, deadline);
    if (!is_done)
        hand_on(once, self);
    rvi_bias_unlock(&once->lock, biased);
    return 0;
}

/* Apart, so that the load is all that a call costs once it is done. */
static __attribute__((noinline)) int see_to_it(struct once *once, rv_fn *fn, void *arg,
                                               rv_time deadline)
{
    struct candidate self = {.who = rvi_party_self(), .its_turn = false};
    int err = await_turn(once, &self, deadline);
    if (err < 0)
        return err;
    return self.its_turn ? run(once, fn, arg) : 0;
}

int rv_once_do(struct rv_once *o, rv_fn *fn, void *arg, rv_time deadline)
{
    struct once *once = (struct once *)o->opaque;

    if (rvi_likely(rvi_load_acquire(&once->done))) /* pairs: once-done */
        return 0;
    return see_to_it(once, fn, arg, deadline);
}
