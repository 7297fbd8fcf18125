/* SPDX-License-Identifier: MIT */
/* timeout_taken_for_success.c - a request waits for its answer, for a second at most.
 *
 * bug: when the wait ends, it is taken for granted that the answer is there
 * kind: assertion
 * budget: 100
 * door: either */
#include <assert.h>
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

    pthread_create(&server, NULL, reply, NULL);
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec++;
    pthread_mutex_lock(&lock);
    int r = 0;
    while (!has_answer && r == 0)
        r = pthread_cond_timedwait(&answered, &lock, &limit);
    assert(answer == 7);
    pthread_mutex_unlock(&lock);
    pthread_join(server, NULL);
}
