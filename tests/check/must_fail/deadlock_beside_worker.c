/* SPDX-License-Identifier: MIT */
/* deadlock_beside_worker.c - a deadlock of two, while a third thread goes on for ever.
 *
 * bug: two threads deadlock while a third goes on for ever
 * kind: deadlock
 * budget: 100
 * door: either */
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

static void *tick(void *arg)
{
    for (;;)
        usleep(1000);
    return arg;
}

static void *forwards(void *arg)
{
    pthread_mutex_lock(&a);
    pthread_mutex_lock(&b);
    pthread_mutex_unlock(&b);
    pthread_mutex_unlock(&a);
    return arg;
}

static void *backwards(void *arg)
{
    pthread_mutex_lock(&b);
    pthread_mutex_lock(&a);
    pthread_mutex_unlock(&a);
    pthread_mutex_unlock(&b);
    return arg;
}

int main(void)
{
    pthread_t ticker, one, other;

    pthread_create(&ticker, NULL, tick, NULL);
    pthread_create(&one, NULL, forwards, NULL);
    pthread_create(&other, NULL, backwards, NULL);
    pthread_join(one, NULL);
    pthread_join(other, NULL);
    return 0;
}
