/* SPDX-License-Identifier: MIT */
/* wait_with_limit.c - whoever gives up by its time limit says so, and the answer is not used.
 *
 * looks like: a time-out that is taken for an answer */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static bool has_answer;
static int answer;

static void *reply(void *arg)
{
    pthread_mutex_lock(&lock);
    answer = 7;
    has_answer = true;
    pthread_cond_signal(&answered);
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t server;
    struct timespec limit;
    int r = 0;

    pthread_create(&server, NULL, reply, NULL);
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec++;
    pthread_mutex_lock(&lock);
    while (!has_answer && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&answered, &lock, &limit);
    if (has_answer)
        assert(answer == 7);
    pthread_mutex_unlock(&lock);
    pthread_join(server, NULL);
}
