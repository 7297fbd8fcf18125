/* SPDX-License-Identifier: MIT */
/* ring_published_early.c - a ring between one producer and one consumer.
 *
 * bug: the producer moves its cursor before it has written the slot
 * kind: assertion
 * budget: 40
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { SLOTS = 2, ITEMS = 4 };

static atomic_int slots[SLOTS];
static atomic_uint written, read;

static void *produce(void *arg)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        while (i - read == SLOTS)
            sched_yield();
        atomic_store(&written, i + 1);
        slots[i % SLOTS] = (int)i + 1;
    }
    return arg;
}

static void *consume(void *arg)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        while (written == i)
            sched_yield();
        assert(slots[i % SLOTS] == (int)i + 1);
        atomic_store(&read, i + 1);
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
