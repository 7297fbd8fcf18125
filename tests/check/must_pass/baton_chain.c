/* SPDX-License-Identifier: MIT */
/* baton_chain.c - thirty threads that pass one plain variable on, each by its semaphore.
 *
 * looks like: a race on `token` */
#include <assert.h>
#include <pthread.h>
#include <semaphore.h>

enum { THREADS = 30, LAPS = 2 };

static sem_t turns[THREADS];
static int token;

static void *runner(void *arg)
{
    int me = *(int *)arg;
    for (int lap = 0; lap < LAPS; lap++) {
        sem_wait(&turns[me]);
        assert(token == lap * THREADS + me);
        token++;
        sem_post(&turns[(me + 1) % THREADS]);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++)
        sem_init(&turns[i], 0, i == 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, runner, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return token == THREADS * LAPS ? 0 : 1;
}
