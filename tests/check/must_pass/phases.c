/* SPDX-License-Identifier: MIT */
/* phases.c - each thread writes its own cell, then reads its neighbour's, behind a barrier.
 *
 * looks like: a race on the cells */
#include <assert.h>
#include <pthread.h>

enum { THREADS = 3, PHASES = 2 };

static pthread_barrier_t barrier;
static int cells[THREADS];

static void *walk(void *arg)
{
    int me = (int)(long)arg;

    for (int phase = 1; phase <= PHASES; phase++) {
        cells[me] = phase;
        pthread_barrier_wait(&barrier);
        assert(cells[(me + 1) % THREADS] == phase);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];

    pthread_barrier_init(&barrier, NULL, THREADS);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, walk, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
}
