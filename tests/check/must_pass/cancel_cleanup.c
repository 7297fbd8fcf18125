/* SPDX-License-Identifier: MIT */
/* cancel_cleanup.c - a consumer cancelled in its wait, which gives the lock back.
 *
 * looks like: a lock that a cancelled thread holds for ever */
#include <assert.h>
#include <pthread.h>

static int items, taken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;

static void unlock(void *arg)
{
    pthread_mutex_unlock(arg);
}

static void *consumer(void *arg)
{
    pthread_mutex_lock(&lock);
    pthread_cleanup_push(unlock, &lock);
    for (;;) {
        while (items == 0)
            pthread_cond_wait(&more, &lock);
        items--;
        taken++;
    }
    pthread_cleanup_pop(1);
    return arg;
}

int main(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, consumer, NULL);
    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&lock);
        items++;
        pthread_cond_signal(&more);
        pthread_mutex_unlock(&lock);
    }
    for (int i = 0; i < 2; i++) {
        void *result;
        pthread_cancel(threads[i]);
        pthread_join(threads[i], &result);
        assert(result == PTHREAD_CANCELED);
    }
    pthread_mutex_lock(&lock);
    assert(items + taken == 3);
    pthread_mutex_unlock(&lock);
    return 0;
}
