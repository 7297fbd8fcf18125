/* SPDX-License-Identifier: MIT */
/* fences.c - a plain message behind a relaxed flag, with a fence on either side.
 *
 * looks like: a race, to who ignores fences */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static int message;
static atomic_int flag;

static void *send(void *arg)
{
    message = 7;
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&flag, 1, memory_order_relaxed);
    return arg;
}

static void *receive(void *arg)
{
    while (!atomic_load_explicit(&flag, memory_order_relaxed))
        sched_yield();
    atomic_thread_fence(memory_order_acquire);
    assert(message == 7);
    return arg;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, send, NULL);
    pthread_create(&b, NULL, receive, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
