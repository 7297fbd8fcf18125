/* SPDX-License-Identifier: MIT */
/* reply_on_stack.c - a request on the stack of a caller who gives up waiting.
 *
 * bug: call() times out and returns while the server still holds a pointer to its request: the
 *      server writes into the next caller's request
 * kind: assertion crash misuse
 * budget: 50
 * door: either */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

struct request {
    int number, answer;
    bool done;
};

static struct request *pending;
static bool stop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t posted = PTHREAD_COND_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;

static void *server(void *arg)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!pending && !stop)
            pthread_cond_wait(&posted, &lock);
        if (stop)
            break;
        struct request *request = pending;
        pending = NULL;
        int answer = request->number * 2;
        pthread_mutex_unlock(&lock);
        pthread_mutex_lock(&lock);
        request->answer = answer;
        request->done = true;
        pthread_cond_signal(&answered);
    }
    pthread_mutex_unlock(&lock);
    return arg;
}

static int call(int number)
{
    struct request request = {number, 0, false};
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&lock);
    pending = &request;
    pthread_cond_signal(&posted);
    int status = 0;
    while (!request.done && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&answered, &lock, &until);
    pthread_mutex_unlock(&lock);
    return request.done ? request.answer : -1;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, server, NULL);
    for (int i = 1; i < 4; i++) {
        int answer = call(i);
        assert(answer == -1 || answer == i * 2);
    }
    pthread_mutex_lock(&lock);
    stop = true;
    pthread_cond_signal(&posted);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    return 0;
}
