/* SPDX-License-Identifier: MIT */
/* handler_takes_the_lock.c - a signal handler that takes a mutex.
 *
 * bug: a signal handler takes a mutex that the interrupted thread may hold
 * kind: misuse
 * budget: 100
 * door: either */
#include <pthread.h>
#include <signal.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void count(int sig)
{
    (void)sig;
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
}

static void *work(void *arg)
{
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t thread;

    signal(SIGUSR1, count);
    pthread_create(&thread, NULL, work, NULL);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, NULL);
    return 0;
}
