/* SPDX-License-Identifier: MIT */
/* release_sequence.c - a third thread adds to the flag, relaxed, between a release and the
 * acquire that reads it.
 *
 * looks like: a race, to who lets a read-modify-write break a release sequence */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static int message;
static atomic_int flag;

static void *send(void *arg)
{
    message = 7;
    atomic_store_explicit(&flag, 1, memory_order_release);
    return arg;
}

static void *pass_on(void *arg)
{
    int one = 1;

    while (!atomic_compare_exchange_weak_explicit(&flag, &one, 2, memory_order_relaxed,
                                                  memory_order_relaxed)) {
        one = 1;
        sched_yield();
    }
    return arg;
}

static void *receive(void *arg)
{
    while (atomic_load_explicit(&flag, memory_order_acquire) != 2)
        sched_yield();
    assert(message == 7);
    return arg;
}

int main(void)
{
    void *(*parts[])(void *) = {send, pass_on, receive};
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, parts[i], NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
