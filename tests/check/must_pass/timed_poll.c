/* SPDX-License-Identifier: MIT */
/* timed_poll.c - a watcher that waits with a time-out, again and again, until it is told.
 *
 * looks like: a lost wake-up, as the flag is set without a signal */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

static bool finished;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t tick = PTHREAD_COND_INITIALIZER;

static void *watcher(void *arg)
{
    pthread_mutex_lock(&lock);
    while (!finished) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&tick, &lock, &until);
    }
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, watcher, NULL);
    nanosleep(&(struct timespec){0, 5000000}, NULL);
    pthread_mutex_lock(&lock);
    finished = true;
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    return 0;
}
