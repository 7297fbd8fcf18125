/* SPDX-License-Identifier: MIT */
/* gate_lock.c - two locks are taken in both orders, but only by whoever holds a third.
 *
 * looks like: a lock-order inversion */
#include <pthread.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static int both;

static void under(pthread_mutex_t *first, pthread_mutex_t *second)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_lock(first);
    pthread_mutex_lock(second);
    both++;
    pthread_mutex_unlock(second);
    pthread_mutex_unlock(first);
    pthread_mutex_unlock(&gate);
}

static void *one_way(void *arg)
{
    under(&a, &b);
    return arg;
}

static void *other_way(void *arg)
{
    under(&b, &a);
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
