/* SPDX-License-Identifier: MIT */
/* lost_update.c - two threads add to one counter.
 *
 * bug: each reads, adds and writes in three steps, so one addition overwrites the other
 * kind: assertion
 * budget: 20
 * door: instrumented */
#include <assert.h>
#include <pthread.h>

static int counter;

static void *add(void *arg)
{
    int seen = counter;

    counter = seen + 1;
    return arg;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, add, NULL);
    pthread_create(&b, NULL, add, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    assert(counter == 2);
}
