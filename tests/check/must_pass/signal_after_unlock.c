/* SPDX-License-Identifier: MIT */
/* signal_after_unlock.c - a bounded queue whose signals are given after the lock is left.
 *
 * looks like: a lost wake-up, and a queue that drops */
#include <assert.h>
#include <pthread.h>

enum { ROOM = 1, ITEMS = 3 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static int count, got;

static void *produce(void *arg)
{
    for (int i = 0; i < ITEMS; i++) {
        pthread_mutex_lock(&lock);
        while (count == ROOM)
            pthread_cond_wait(&not_full, &lock);
        count++;
        pthread_mutex_unlock(&lock);
        pthread_cond_signal(&not_empty);
    }
    return arg;
}

static void *consume(void *arg)
{
    for (int i = 0; i < ITEMS; i++) {
        pthread_mutex_lock(&lock);
        while (count == 0)
            pthread_cond_wait(&not_empty, &lock);
        count--;
        got++;
        pthread_mutex_unlock(&lock);
        pthread_cond_signal(&not_full);
    }
    return arg;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, consume, NULL);
    pthread_create(&b, NULL, produce, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    assert(got == ITEMS);
}
