/* SPDX-License-Identifier: MIT */
/* barrier_destroyed_at_once.c - who comes last destroys the barrier as it opens.
 *
 * looks like: a use after the end */
#include <pthread.h>
#include <stdlib.h>

static void *meet(void *arg)
{
    pthread_barrier_t *barrier = arg;

    if (pthread_barrier_wait(barrier) != PTHREAD_BARRIER_SERIAL_THREAD)
        return NULL;
    pthread_barrier_destroy(barrier);
    free(barrier);
    return NULL;
}

int main(void)
{
    pthread_t threads[3];
    pthread_barrier_t *barrier = malloc(sizeof *barrier);

    pthread_barrier_init(barrier, NULL, 3);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, meet, barrier);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
