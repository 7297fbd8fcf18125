/* SPDX-License-Identifier: MIT */
/* stop_sigwait.c - a thread that takes signals by sigwait, and ends the others.
 *
 * looks like: a signal that may come before anybody waits for it */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

static atomic_bool stop;
static sigset_t set;

static void *listener(void *arg)
{
    int sig = 0;
    sigwait(&set, &sig);
    assert(sig == SIGUSR1);
    atomic_store(&stop, true);
    return arg;
}

static void *worker(void *arg)
{
    while (!atomic_load(&stop))
        usleep(1000);
    return arg;
}

int main(void)
{
    pthread_t l, w;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&l, NULL, listener, NULL);
    pthread_create(&w, NULL, worker, NULL);
    pthread_kill(l, SIGUSR1);
    pthread_join(l, NULL);
    pthread_join(w, NULL);
    return 0;
}
