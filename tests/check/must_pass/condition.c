/* SPDX-License-Identifier: MIT */
/* condition.c - the signal may come before the wait, for the predicate is looked at under the lock.
 *
 * looks like: a lost wake-up */
#include <pthread.h>
#include <stdbool.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static bool is_ready;

static void *wait_for_it(void *arg)
{
    pthread_mutex_lock(&lock);
    while (!is_ready)
        pthread_cond_wait(&ready, &lock);
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t waiters[2];

    pthread_create(&waiters[0], NULL, wait_for_it, NULL);
    pthread_create(&waiters[1], NULL, wait_for_it, NULL);
    pthread_mutex_lock(&lock);
    is_ready = true;
    pthread_mutex_unlock(&lock);
    pthread_cond_broadcast(&ready);
    pthread_join(waiters[0], NULL);
    pthread_join(waiters[1], NULL);
}
