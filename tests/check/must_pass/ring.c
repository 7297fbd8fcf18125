/* SPDX-License-Identifier: MIT */
/* ring.c - a ring of plain slots between one producer and one consumer.
 *
 * looks like: a race on the slots */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { SLOTS = 2, ITEMS = 5 };

static int slots[SLOTS];
static atomic_uint written, read;

static void *produce(void *arg)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        while (i - atomic_load_explicit(&read, memory_order_acquire) == SLOTS)
            sched_yield();
        slots[i % SLOTS] = (int)i;
        atomic_store_explicit(&written, i + 1, memory_order_release);
    }
    return arg;
}

static void *consume(void *arg)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        while (atomic_load_explicit(&written, memory_order_acquire) == i)
            sched_yield();
        assert(slots[i % SLOTS] == (int)i);
        atomic_store_explicit(&read, i + 1, memory_order_release);
    }
    return arg;
}

int main(void)
{
    pthread_t producer, consumer;

    pthread_create(&producer, NULL, produce, NULL);
    pthread_create(&consumer, NULL, consume, NULL);
    pthread_join(producer, NULL);
    pthread_join(consumer, NULL);
}
