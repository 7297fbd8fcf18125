/* SPDX-License-Identifier: MIT */
/* model_lock.c - three threads and the small lock, in which some of them must come to sleep.
 *
 * What must hold: one is inside at a time, and nobody sleeps while the lock is free.
 *
 * sources: src/sys/lock.c src/sys/futex.c src/sys/clock.c src/sys/call.c src/base/check.c
 * sources: src/base/seam.c
 * shrink: src/sys/lock.c SPIN_TURNS 1 */
#include "sys/lock.h"

#include <assert.h>
#include <pthread.h>

enum { THREADS = 3 };

static struct rvi_lock lock = RVI_LOCK_INIT;
static int inside, entered;

static void *enter(void *arg)
{
    for (int i = 0; i < 2; i++) {
        rvi_lock_acquire(&lock);
        assert(inside++ == 0);
        entered++;
        inside--;
        rvi_lock_release(&lock);
    }
    return arg;
}

int main(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, enter, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert(entered == 2 * THREADS);
}
