/* SPDX-License-Identifier: MIT */
/* ticket_twice.c - a ticket lock.
 *
 * bug: a ticket is drawn in two steps, so two can hold the same one
 * kind: assertion livelock
 * budget: 60
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static atomic_uint next, serving;
static atomic_int inside;

static void *enter(void *arg)
{
    unsigned mine = atomic_load(&next);

    atomic_store(&next, mine + 1);
    while (atomic_load(&serving) != mine)
        sched_yield();
    assert(atomic_fetch_add(&inside, 1) == 0);
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_add(&serving, 1);
    return arg;
}

int main(void)
{
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, enter, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
