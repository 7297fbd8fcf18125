/* SPDX-License-Identifier: MIT */
/* ticket_lock.c - a ticket lock around a plain counter.
 *
 * looks like: a race, and a livelock */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static atomic_uint next, serving;
static int counter;

static void *enter(void *arg)
{
    unsigned mine = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);

    while (atomic_load_explicit(&serving, memory_order_acquire) != mine)
        sched_yield();
    counter++;
    atomic_store_explicit(&serving, mine + 1, memory_order_release);
    return arg;
}

int main(void)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, enter, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert(counter == 4);
}
