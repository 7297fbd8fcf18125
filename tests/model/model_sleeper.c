/* SPDX-License-Identifier: MIT */
/* model_sleeper.c - a worker that sleeps when it sees no work, and two that bring some: the event
 * count of the scheduler.
 *
 * What must hold: no work is slept through, and of the wakers exactly one wins each sleep.
 *
 * sources: src/loop/sleeper.c src/sys/futex.c src/sys/fd.c src/sys/clock.c src/sys/call.c
 * sources: src/base/check.c src/base/seam.c */
#include "loop/sleeper.h"

#include <assert.h>
#include <pthread.h>

enum { WAKERS = 2 };

static struct rvi_sleeper sleeper;
static atomic_int work, wakes;

static void *bring(void *arg)
{
    atomic_fetch_add(&work, 1);
    if (rvi_sleeper_looks_asleep(&sleeper) && rvi_sleeper_wake(&sleeper, RVI_SLEEPER_CALLED))
        atomic_fetch_add(&wakes, 1);
    return arg;
}

int main(void)
{
    pthread_t wakers[WAKERS];
    int done = 0, called = 0;

    rvi_sleeper_init(&sleeper);
    for (int i = 0; i < WAKERS; i++)
        pthread_create(&wakers[i], NULL, bring, NULL);
    while (done < WAKERS) {
        if (atomic_load(&work) > done) {
            done++;
            continue;
        }
        rvi_sleeper_prepare(&sleeper, RVI_SLEEPER_ASLEEP);
        enum rvi_sleeper_state why = atomic_load(&work) > done
                                         ? rvi_sleeper_cancel(&sleeper)
                                         : rvi_sleeper_sleep(&sleeper, INT64_MAX);
        called += why == RVI_SLEEPER_CALLED;
    }
    for (int i = 0; i < WAKERS; i++)
        pthread_join(wakers[i], NULL);
    assert(called == wakes);
    rvi_sleeper_fini(&sleeper);
}
