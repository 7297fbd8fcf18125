/* SPDX-License-Identifier: MIT */
/* stop_missed.c - a worker that is asked to stop.
 *
 * bug: it looks at the request before it takes the lock, and then waits for work that does not come
 * kind: lost-wakeup
 * budget: 1000
 * door: instrumented */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static atomic_bool stops;
static int jobs = 1;

static void *serve(void *arg)
{
    while (!stops) {
        pthread_mutex_lock(&lock);
        if (jobs > 0)
            jobs--;
        else
            pthread_cond_wait(&work, &lock);
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

int main(void)
{
    pthread_t worker;

    pthread_create(&worker, NULL, serve, NULL);
    stops = true;
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&work);
    pthread_mutex_unlock(&lock);
    pthread_join(worker, NULL);
}
