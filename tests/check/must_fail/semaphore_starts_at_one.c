/* SPDX-License-Identifier: MIT */
/* semaphore_starts_at_one.c - a buffer is announced by a semaphore.
 *
 * bug: it begins at one instead of zero: the reader may pass before anything is written
 * kind: assertion
 * budget: 10
 * door: either */
#include <assert.h>
#include <pthread.h>
#include <semaphore.h>

static sem_t filled;
static int buffer;

static void *fill(void *arg)
{
    buffer = 42;
    sem_post(&filled);
    return arg;
}

static void *empty(void *arg)
{
    sem_wait(&filled);
    assert(buffer == 42);
    return arg;
}

int main(void)
{
    pthread_t writer, reader;

    sem_init(&filled, 0, 1);
    pthread_create(&writer, NULL, fill, NULL);
    pthread_create(&reader, NULL, empty, NULL);
    pthread_join(writer, NULL);
    pthread_join(reader, NULL);
}
