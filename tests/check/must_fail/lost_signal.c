/* SPDX-License-Identifier: MIT */
/* lost_signal.c - a flag is set and signalled without the mutex.
 *
 * bug: the condition is signalled without its mutex, between the test and the wait
 * kind: lost-wakeup
 * budget: 100
 * door: instrumented */
#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static atomic_int ready;

static void *announce(void *arg)
{
    atomic_store(&ready, 1);
    pthread_cond_signal(&changed);
    return arg;
}

int main(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, announce, NULL);
    pthread_mutex_lock(&lock);
    while (!atomic_load(&ready))
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    return 0;
}
