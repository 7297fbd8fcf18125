/* SPDX-License-Identifier: MIT */
/* wait_with_a_deadline.c - nobody ever signals, and the wait has a deadline.
 *
 * looks like: a hang */
#include <errno.h>
#include <pthread.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void *wait_a_minute(void *arg)
{
    struct timespec at;
    int r;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += 60;
    pthread_mutex_lock(&lock);
    do
        r = pthread_cond_timedwait(&never, &lock, &at);
    while (r == 0);
    pthread_mutex_unlock(&lock);
    return r == ETIMEDOUT ? NULL : arg;
}

int main(void)
{
    pthread_t threads[2];
    void *failed, *any = NULL;
    int one;

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, wait_a_minute, &one);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &failed);
        any = failed ? failed : any;
    }
    return any != NULL;
}
