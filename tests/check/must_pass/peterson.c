/* SPDX-License-Identifier: MIT */
/* peterson.c - Peterson's lock on sequentially consistent atomics guards a plain counter.
 *
 * looks like: a race on the counter, and a livelock */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

static atomic_bool wants[2];
static atomic_int turn;
static int counter;

static void *enter(void *arg)
{
    int me = (int)(long)arg, other = 1 - me;

    for (int i = 0; i < 2; i++) {
        wants[me] = true;
        turn = other;
        while (wants[other] && turn == other)
            sched_yield();
        counter++;
        wants[me] = false;
    }
    return NULL;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, enter, (void *)0L);
    pthread_create(&b, NULL, enter, (void *)1L);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    assert(counter == 4);
}
