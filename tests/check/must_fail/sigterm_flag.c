/* SPDX-License-Identifier: MIT */
/* sigterm_flag.c - a server that misses the signal to stop.
 *
 * bug: the handler sets a flag that the main loop looks at before pause(): a signal between the
 *      look and the pause ends nothing
 * kind: deadlock lost-wakeup
 * budget: 60
 * door: instrumented */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static pthread_t server;

static void on_term(int sig)
{
    (void)sig;
    stop = 1;
}

static void *serve(void *arg)
{
    while (!stop)
        pause();
    return arg;
}

int main(void)
{
    struct sigaction act;
    memset(&act, 0, sizeof act);
    act.sa_handler = on_term;
    sigaction(SIGUSR1, &act, NULL);
    pthread_create(&server, NULL, serve, NULL);
    usleep(1000);
    pthread_kill(server, SIGUSR1);
    pthread_join(server, NULL);
    puts("stopped");
    return 0;
}
