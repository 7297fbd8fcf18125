/* SPDX-License-Identifier: MIT */
/* sem_buffer.c - the bounded buffer with the mutex taken before the semaphore.
 *
 * bug: a producer waits for a free slot with the mutex held, which the consumer needs
 * kind: deadlock
 * budget: 40
 * door: either */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

enum { SIZE = 3, ITEMS = 6 };

static int buffer[SIZE], in, out;
static sem_t empty, full;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *producer(void *arg)
{
    for (int i = 0; i < ITEMS; i++) {
        pthread_mutex_lock(&mutex);
        sem_wait(&empty);
        buffer[in] = i;
        in = (in + 1) % SIZE;
        sem_post(&full);
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void *consumer(void *arg)
{
    for (int i = 0; i < ITEMS; i++) {
        sem_wait(&full);
        pthread_mutex_lock(&mutex);
        printf("got %d\n", buffer[out]);
        out = (out + 1) % SIZE;
        pthread_mutex_unlock(&mutex);
        sem_post(&empty);
    }
    return arg;
}

int main(void)
{
    pthread_t p, c;
    sem_init(&empty, 0, SIZE);
    sem_init(&full, 0, 0);
    pthread_create(&p, NULL, producer, NULL);
    pthread_create(&c, NULL, consumer, NULL);
    pthread_join(p, NULL);
    pthread_join(c, NULL);
    return 0;
}
