/* SPDX-License-Identifier: MIT */
/* interrupted.c - a signal's handler ends a sleep, and a read or a wait if it is not to restart it.
 *
 * looks like: a hang */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static sem_t never, started;
static int ends[2];
static atomic_int handled;

static void handle(int sig)
{
    (void)sig;
    atomic_fetch_add(&handled, 1);
}

static void handle_with(int flags)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = flags};

    sigaction(SIGUSR1, &action, NULL);
}

static void *wait_and_read(void *arg)
{
    char byte;

    sem_post(&started);
    while (sem_wait(&never) == 0 || errno != EINTR) {}
    sem_post(&started);
    while (read(ends[0], &byte, 1) != 1) {
        if (errno != EINTR)
            return arg;
    }
    sem_post(&started);
    while (sleep(1000) == 0 && atomic_load(&handled) < 3) {}
    return NULL;
}

/* The signal may come before what it is to end, so it is sent until it has. */
static void send_until_started(pthread_t thread)
{
    while (sem_trywait(&started) != 0) {
        pthread_kill(thread, SIGUSR1);
        usleep(1000);
    }
}

int main(void)
{
    pthread_t thread;
    void *failed;
    int one;

    if (pipe(ends) != 0)
        return 0;
    sem_init(&never, 0, 0);
    sem_init(&started, 0, 0);
    handle_with(0);
    pthread_create(&thread, NULL, wait_and_read, &one);
    sem_wait(&started);
    send_until_started(thread);
    handle_with(SA_RESTART);
    pthread_kill(thread, SIGUSR1);
    (void)!write(ends[1], "x", 1);
    sem_wait(&started);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, &failed);
    return failed != NULL;
}
