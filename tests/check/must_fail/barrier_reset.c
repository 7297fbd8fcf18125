/* SPDX-License-Identifier: MIT */
/* barrier_reset.c - a barrier made of a counter, used twice.
 *
 * bug: the last to arrive resets the counter before the others have looked; one that comes late
 *      to look
 *      sees the reset counter and waits for ever, or the next round is entered too early
 * kind: livelock deadlock assertion
 * budget: 60
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { THREADS = 3 };

static atomic_int arrived;
static atomic_int rounds[THREADS];

static void meet(void)
{
    if (atomic_fetch_add(&arrived, 1) == THREADS - 1) {
        atomic_store(&arrived, 0);
        return;
    }
    while (atomic_load(&arrived) != 0)
        sched_yield();
}

static void *walk(void *arg)
{
    int me = (int)(long)arg;

    for (int round = 1; round <= 2; round++) {
        rounds[me] = round;
        meet();
        for (int i = 0; i < THREADS; i++)
            assert(rounds[i] >= round);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];

    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, walk, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}
