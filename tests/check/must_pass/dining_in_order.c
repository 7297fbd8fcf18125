/* SPDX-License-Identifier: MIT */
/* dining_in_order.c - five philosophers, each of whom takes the fork with the lower number first.
 *
 * looks like: a deadlock */
#include <pthread.h>

enum { SEATS = 5 };

static pthread_mutex_t forks[SEATS];

static void *dine(void *arg)
{
    int a = (int)(long)arg, b = (a + 1) % SEATS;

    pthread_mutex_lock(&forks[a < b ? a : b]);
    pthread_mutex_lock(&forks[a < b ? b : a]);
    pthread_mutex_unlock(&forks[a]);
    pthread_mutex_unlock(&forks[b]);
    return NULL;
}

int main(void)
{
    pthread_t threads[SEATS];

    for (int i = 0; i < SEATS; i++)
        pthread_mutex_init(&forks[i], NULL);
    for (long i = 0; i < SEATS; i++)
        pthread_create(&threads[i], NULL, dine, (void *)i);
    for (int i = 0; i < SEATS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SEATS; i++)
        pthread_mutex_destroy(&forks[i]);
}
