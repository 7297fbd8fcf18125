/* SPDX-License-Identifier: MIT */
/* spinlock_reset.c - a spin lock with a time-out that unlocks what it never got.
 *
 * bug: after too many tries lock() gives up, and its caller unlocks all the same: the lock of
 *      another is gone
 * kind: assertion
 * budget: 40
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { TRIES = 4, THREADS = 3, ROUNDS = 4 };

static atomic_flag flag = ATOMIC_FLAG_INIT;
static atomic_int inside;

static bool lock(void)
{
    for (int i = 0; i < TRIES; i++) {
        if (!atomic_flag_test_and_set(&flag))
            return true;
    }
    return false;
}

static void unlock(void)
{
    atomic_flag_clear(&flag);
}

static void *worker(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (lock()) {
            assert(atomic_fetch_add(&inside, 1) == 0);
            atomic_fetch_sub(&inside, 1);
        }
        unlock();
    }
    return arg;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, worker, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
