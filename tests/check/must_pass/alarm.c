/* SPDX-License-Identifier: MIT */
/* alarm.c - an alarm's handler ends a wait that nothing else ends.
 *
 * looks like: a hang */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

static sem_t rung;

static void ring(int sig)
{
    (void)sig;
    sem_post(&rung);
}

static void *wait_for_it(void *arg)
{
    while (sem_wait(&rung) != 0) {}
    return arg;
}

int main(void)
{
    pthread_t thread;

    sem_init(&rung, 0, 0);
    signal(SIGALRM, ring);
    alarm(3);
    pthread_create(&thread, NULL, wait_for_it, NULL);
    pthread_join(thread, NULL);
    return 0;
}
