/* SPDX-License-Identifier: MIT */
/* queue_one_condition.c - a buffer of one, two producers and two consumers.
 *
 * bug: producers and consumers wait on one condition, and a signal wakes one: a producer wakes a
 *      producer, and all sleep
 * kind: deadlock lost-wakeup
 * budget: 400
 * door: either */
#include <pthread.h>
#include <stdbool.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_full;

static void *produce(void *arg)
{
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&lock);
        while (is_full)
            pthread_cond_wait(&changed, &lock);
        is_full = true;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

static void *consume(void *arg)
{
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&lock);
        while (!is_full)
            pthread_cond_wait(&changed, &lock);
        is_full = false;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

int main(void)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, i < 2 ? produce : consume, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}
