/* SPDX-License-Identifier: MIT */
/* atomic_counter.c - two threads count by relaxed atomic additions; the sum is read after they
 * are joined.
 *
 * looks like: a race on a counter without any lock or order */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_int counter;

static void *add(void *arg)
{
    for (int i = 0; i < 5; i++)
        atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed);
    return arg;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, add, NULL);
    pthread_create(&b, NULL, add, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    assert(counter == 10);
}
