/* SPDX-License-Identifier: MIT */
/* three_preemptions.c - a hand-over in three parts, each with its own mark.
 *
 * bug: shows only if the second thread is interrupted after each of its three steps, and the
 *      first goes on in each gap
 * kind: assertion
 * budget: 1000
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_int given, taken, seen;

static void *give(void *arg)
{
    for (int i = 1; i <= 3; i++) {
        if (taken == i - 1)
            given = i;
    }
    return arg;
}

static void *take(void *arg)
{
    for (int i = 1; i <= 3; i++) {
        if (given == i)
            taken = i;
    }
    seen = taken;
    assert(seen < 3);
    return arg;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, give, NULL);
    pthread_create(&b, NULL, take, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
