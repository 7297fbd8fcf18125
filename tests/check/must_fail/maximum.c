/* SPDX-License-Identifier: MIT */
/* maximum.c - the greatest of several measurements.
 *
 * bug: compared and stored by two atomic operations: a greater one in between is overwritten
 * kind: assertion
 * budget: 60
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_int greatest;

static void *measure(void *arg)
{
    int value = (int)(long)arg;

    if (value > atomic_load(&greatest))
        atomic_store(&greatest, value);
    return NULL;
}

int main(void)
{
    pthread_t threads[3];

    for (long i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, measure, (void *)(i + 1));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert(greatest == 3);
}
