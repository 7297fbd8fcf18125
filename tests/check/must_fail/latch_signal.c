/* SPDX-License-Identifier: MIT */
/* latch_signal.c - a count-down latch that wakes one of its waiters.
 *
 * bug: the last count_down() signals instead of broadcasting; two waiters can be asleep
 * kind: deadlock lost-wakeup
 * budget: 40
 * door: either */
#include <pthread.h>

enum { COUNT = 3, WAITERS = 2 };

struct latch {
    pthread_mutex_t lock;
    pthread_cond_t zero;
    int left;
};

static struct latch latch = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, COUNT};

static void *worker(void *arg)
{
    pthread_mutex_lock(&latch.lock);
    if (--latch.left == 0)
        pthread_cond_signal(&latch.zero);
    pthread_mutex_unlock(&latch.lock);
    return arg;
}

static void *waiter(void *arg)
{
    pthread_mutex_lock(&latch.lock);
    while (latch.left > 0)
        pthread_cond_wait(&latch.zero, &latch.lock);
    pthread_mutex_unlock(&latch.lock);
    return arg;
}

int main(void)
{
    pthread_t threads[COUNT + WAITERS];
    for (int i = 0; i < COUNT + WAITERS; i++)
        pthread_create(&threads[i], NULL, i < COUNT ? worker : waiter, NULL);
    for (int i = 0; i < COUNT + WAITERS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
