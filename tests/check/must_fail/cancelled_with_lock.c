/* SPDX-License-Identifier: MIT */
/* cancelled_with_lock.c - a worker is cancelled while it waits for work.
 *
 * bug: the wait takes the lock again before the thread ends, and no cleanup handler unlocks it
 * kind: deadlock
 * budget: 60
 * door: either */
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static int jobs;

static void *serve(void *arg)
{
    pthread_mutex_lock(&lock);
    while (jobs == 0)
        pthread_cond_wait(&work, &lock);
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t worker;

    pthread_create(&worker, NULL, serve, NULL);
    pthread_cancel(worker);
    pthread_join(worker, NULL);
    pthread_mutex_lock(&lock);
    jobs = 1;
    pthread_mutex_unlock(&lock);
}
