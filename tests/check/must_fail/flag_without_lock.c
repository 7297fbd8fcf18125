/* SPDX-License-Identifier: MIT */
/* flag_without_lock.c - a consumer looks at a flag under the lock, and then waits.
 *
 * bug: the producer sets the flag and signals without the lock: between the look and the wait
 * kind: lost-wakeup
 * budget: 60
 * door: instrumented */
#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static atomic_int is_ready;

static void *consume(void *arg)
{
    pthread_mutex_lock(&lock);
    while (!is_ready)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return arg;
}

static void *produce(void *arg)
{
    is_ready = 1;
    pthread_cond_signal(&changed);
    return arg;
}

int main(void)
{
    pthread_t consumer, producer;

    pthread_create(&consumer, NULL, consume, NULL);
    pthread_create(&producer, NULL, produce, NULL);
    pthread_join(consumer, NULL);
    pthread_join(producer, NULL);
}
