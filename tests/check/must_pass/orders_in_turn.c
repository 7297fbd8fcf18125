/* SPDX-License-Identifier: MIT */
/* orders_in_turn.c - two locks are taken in one order first, and in the other after a join.
 *
 * looks like: a lock-order inversion; the two never meet */
#include <pthread.h>

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

static void *one_way(void *arg)
{
    pthread_mutex_lock(&a);
    pthread_mutex_lock(&b);
    pthread_mutex_unlock(&b);
    pthread_mutex_unlock(&a);
    return arg;
}

int main(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, one_way, NULL);
    pthread_join(thread, NULL);
    pthread_mutex_lock(&b);
    pthread_mutex_lock(&a);
    pthread_mutex_unlock(&a);
    pthread_mutex_unlock(&b);
}
