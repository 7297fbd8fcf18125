/* SPDX-License-Identifier: MIT */
/* unlocked_by_another.c - a lock is used as if it were a semaphore.
 *
 * bug: the thread that unlocks is not the one that has locked
 * kind: misuse
 * budget: 10
 * door: either */
#include <pthread.h>

static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;

static void *finish(void *arg)
{
    pthread_mutex_unlock(&busy);
    return arg;
}

int main(void)
{
    pthread_t other;

    pthread_mutex_lock(&busy);
    pthread_create(&other, NULL, finish, NULL);
    pthread_mutex_lock(&busy);
    pthread_mutex_unlock(&busy);
    pthread_join(other, NULL);
}
