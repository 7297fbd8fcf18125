/* SPDX-License-Identifier: MIT */
/* three_steps.c - a state machine that is driven by two threads.
 *
 * bug: needs three preemptions in order: each thread must see exactly the state that the other
 *      has just left
 * kind: assertion
 * budget: 500
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_int state;

static void *odd(void *arg)
{
    if (state == 0)
        state = 1;
    if (state == 2)
        state = 3;
    return arg;
}

static void *even(void *arg)
{
    if (state == 1)
        state = 2;
    assert(state != 3);
    return arg;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, odd, NULL);
    pthread_create(&b, NULL, even, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
