/* SPDX-License-Identifier: MIT */
/* queue_if.c - a queue with two consumers.
 *
 * bug: a consumer that was woken takes without looking again; another was quicker, and the queue
 *      is empty
 * kind: assertion
 * budget: 1000
 * door: either */
#include <assert.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
static int count;

static void *consume(void *arg)
{
    pthread_mutex_lock(&lock);
    if (count == 0)
        pthread_cond_wait(&not_empty, &lock);
    assert(count > 0);
    count--;
    pthread_mutex_unlock(&lock);
    return arg;
}

static void *produce(void *arg)
{
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&lock);
        count++;
        pthread_cond_signal(&not_empty);
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

int main(void)
{
    pthread_t consumers[2], producer;

    pthread_create(&consumers[0], NULL, consume, NULL);
    pthread_create(&consumers[1], NULL, consume, NULL);
    pthread_create(&producer, NULL, produce, NULL);
    pthread_join(producer, NULL);
    pthread_join(consumers[0], NULL);
    pthread_join(consumers[1], NULL);
}
