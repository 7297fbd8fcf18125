/* SPDX-License-Identifier: MIT */
/* dining.c - five philosophers.
 *
 * bug: each takes the fork on the left first; when all do, none gets a second one
 * kind: deadlock
 * budget: 300
 * door: either */
#include <pthread.h>

enum { SEATS = 5 };

static pthread_mutex_t forks[SEATS];

static void *dine(void *arg)
{
    long seat = (long)arg;

    for (int meals = 0; meals < 2; meals++) {
        pthread_mutex_lock(&forks[seat]);
        pthread_mutex_lock(&forks[(seat + 1) % SEATS]);
        pthread_mutex_unlock(&forks[(seat + 1) % SEATS]);
        pthread_mutex_unlock(&forks[seat]);
    }
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
}
