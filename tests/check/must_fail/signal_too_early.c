/* SPDX-License-Identifier: MIT */
/* signal_too_early.c - a thread waits for a signal, with nothing to look at.
 *
 * bug: when the signal comes before the wait, nobody hears it, and the wait never ends
 * kind: lost-wakeup
 * budget: 10
 * door: either */
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;

static void *wait_for_it(void *arg)
{
    pthread_mutex_lock(&lock);
    pthread_cond_wait(&ready, &lock);
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t waiter;

    pthread_create(&waiter, NULL, wait_for_it, NULL);
    pthread_mutex_lock(&lock);
    pthread_cond_signal(&ready);
    pthread_mutex_unlock(&lock);
    pthread_join(waiter, NULL);
}
