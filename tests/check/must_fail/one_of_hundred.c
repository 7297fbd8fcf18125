/* SPDX-License-Identifier: MIT */
/* one_of_hundred.c - ninety-nine that count, and one that takes the counter's reading.
 *
 * bug: the reading is of two counters that are not read together
 * kind: assertion
 * budget: 100
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 99 };

static atomic_int begun, ended;

static void *count(void *arg)
{
    atomic_fetch_add(&begun, 1);
    atomic_fetch_add(&ended, 1);
    return arg;
}

static void *read_both(void *arg)
{
    int b = begun, e = ended;

    assert(e <= b);
    return arg;
}

int main(void)
{
    pthread_t threads[THREADS], reader;

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count, NULL);
    pthread_create(&reader, NULL, read_both, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(reader, NULL);
}
