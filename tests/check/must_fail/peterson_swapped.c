/* SPDX-License-Identifier: MIT */
/* peterson_swapped.c - Peterson's lock for two.
 *
 * bug: the turn is given away before the own wish is shown: both can enter
 * kind: assertion
 * budget: 500
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

static atomic_bool wants[2];
static atomic_int turn;
static atomic_int inside;

static void *enter(void *arg)
{
    int me = (int)(long)arg, other = 1 - me;

    turn = other;
    wants[me] = true;
    while (wants[other] && turn == other)
        sched_yield();
    assert(atomic_fetch_add(&inside, 1) == 0);
    atomic_fetch_sub(&inside, 1);
    wants[me] = false;
    return NULL;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, enter, (void *)0L);
    pthread_create(&b, NULL, enter, (void *)1L);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
