/* SPDX-License-Identifier: MIT */
/* hand_over.c - a plain cell goes to and fro between two threads by two semaphores.
 *
 * looks like: a race on the cell */
#include <assert.h>
#include <pthread.h>
#include <semaphore.h>

static sem_t is_empty, is_full;
static int cell;

static void *produce(void *arg)
{
    for (int i = 1; i <= 3; i++) {
        sem_wait(&is_empty);
        cell = i;
        sem_post(&is_full);
    }
    return arg;
}

static void *consume(void *arg)
{
    for (int i = 1; i <= 3; i++) {
        sem_wait(&is_full);
        assert(cell == i);
        sem_post(&is_empty);
    }
    return arg;
}

int main(void)
{
    pthread_t a, b;

    sem_init(&is_empty, 0, 1);
    sem_init(&is_full, 0, 0);
    pthread_create(&a, NULL, produce, NULL);
    pthread_create(&b, NULL, consume, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
