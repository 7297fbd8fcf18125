/* SPDX-License-Identifier: MIT */
/* back_off.c - two locks are taken in both orders; who does not get the second gives the first
 * back.
 *
 * looks like: a deadlock */
#include <pthread.h>
#include <sched.h>

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static int turns;

static void take_both(pthread_mutex_t *first, pthread_mutex_t *second)
{
    pthread_mutex_lock(first);
    while (pthread_mutex_trylock(second) != 0) {
        pthread_mutex_unlock(first);
        sched_yield();
        pthread_mutex_lock(first);
    }
    turns++;
    pthread_mutex_unlock(second);
    pthread_mutex_unlock(first);
}

static void *one_way(void *arg)
{
    take_both(&a, &b);
    return arg;
}

static void *other_way(void *arg)
{
    take_both(&b, &a);
    return arg;
}

int main(void)
{
    pthread_t threads[2];

    pthread_create(&threads[0], NULL, one_way, NULL);
    pthread_create(&threads[1], NULL, other_way, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}
