/* SPDX-License-Identifier: MIT */
/* signal_to_a_thread.c - a thread waits for a signal that another sends it.
 *
 * looks like: a crash */
#include <pthread.h>
#include <signal.h>

static void *wait_for_it(void *arg)
{
    sigset_t set;
    int sig = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigwait(&set, &sig);
    return sig == SIGUSR1 ? NULL : arg;
}

int main(void)
{
    pthread_t thread;
    sigset_t set;
    void *failed;
    int one;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&thread, NULL, wait_for_it, &one);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, &failed);
    return failed != NULL;
}
