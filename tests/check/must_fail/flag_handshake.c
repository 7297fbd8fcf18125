/* SPDX-License-Identifier: MIT */
/* flag_handshake.c - a request and its answer handed over by two volatile flags.
 *
 * bug: the server clears the request after it has answered, not before: a client that is quick
 *      with its next request loses it, and both spin
 * kind: livelock
 * budget: 40
 * door: instrumented */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

enum { CALLS = 5 };

static volatile int request, answer;

static void *server(void *arg)
{
    for (int i = 0; i < CALLS; i++) {
        while (!request)
            usleep(1);
        answer = request * 2;
        request = 0;
    }
    return arg;
}

static void *client(void *arg)
{
    for (int i = 1; i <= CALLS; i++) {
        request = i;
        while (!answer)
            sched_yield();
        answer = 0;
    }
    return arg;
}

int main(void)
{
    pthread_t s, c;
    pthread_create(&s, NULL, server, NULL);
    pthread_create(&c, NULL, client, NULL);
    pthread_join(c, NULL);
    pthread_join(s, NULL);
    return 0;
}
