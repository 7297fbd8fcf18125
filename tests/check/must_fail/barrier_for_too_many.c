/* SPDX-License-Identifier: MIT */
/* barrier_for_too_many.c - four are awaited, three come.
 *
 * bug: a barrier waits for one thread more than there are
 * kind: deadlock
 * budget: 5
 * door: either */
#include <pthread.h>

static pthread_barrier_t all;

static void *work(void *arg)
{
    pthread_barrier_wait(&all);
    return arg;
}

int main(void)
{
    pthread_t threads[3];

    pthread_barrier_init(&all, NULL, 4);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
