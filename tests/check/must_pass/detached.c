/* SPDX-License-Identifier: MIT */
/* detached.c - nobody joins with a detached thread; it says itself that it is done.
 *
 * looks like: a leaked thread, and a use after the end */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct work {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
};

static struct work work = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

static void *run(void *arg)
{
    free(malloc(100));
    pthread_mutex_lock(&work.lock);
    work.is_done = true;
    pthread_cond_signal(&work.done);
    pthread_mutex_unlock(&work.lock);
    return arg;
}

int main(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, run, NULL);
    pthread_detach(thread);
    pthread_mutex_lock(&work.lock);
    while (!work.is_done)
        pthread_cond_wait(&work.done, &work.lock);
    pthread_mutex_unlock(&work.lock);
}
