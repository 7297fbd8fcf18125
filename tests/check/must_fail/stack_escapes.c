/* SPDX-License-Identifier: MIT */
/* stack_escapes.c - a request whose reply is written by another thread.
 *
 * bug: the one who asks gives up and returns; the reply is written to its stack, where something
 *      else is by now
 * kind: assertion crash
 * budget: 200
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static _Atomic(atomic_int *) reply_to;

static void *reply(void *arg)
{
    atomic_int *where = reply_to;

    if (where)
        *where = 99;
    return arg;
}

static __attribute__((noinline)) int ask(void)
{
    atomic_int answers[16] = {0};

    reply_to = &answers[8];
    for (int i = 0; i < 2 && answers[8] == 0; i++)
        sched_yield();
    return answers[8];
}

static __attribute__((noinline)) void go_on(void)
{
    atomic_int cells[16];

    for (int i = 0; i < 16; i++)
        cells[i] = 1;
    sched_yield();
    for (int i = 0; i < 16; i++)
        assert(cells[i] == 1);
}

int main(void)
{
    pthread_t server;

    pthread_create(&server, NULL, reply, NULL);
    if (ask() == 0)
        go_on();
    pthread_join(server, NULL);
}
