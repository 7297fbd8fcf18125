/* SPDX-License-Identifier: MIT */
/* not_joined.c - a sum over two halves.
 *
 * bug: only one of the two threads is waited for before the result is used
 * kind: assertion
 * budget: 10
 * door: either */
#include <assert.h>
#include <pthread.h>

static long halves[2];

static void *add_up(void *arg)
{
    long *half = arg;

    for (long i = 0; i <= 10; i++)
        *half += i;
    return NULL;
}

int main(void)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, add_up, &halves[i]);
    pthread_join(threads[0], NULL);
    assert(halves[0] + halves[1] == 110);
    pthread_join(threads[1], NULL);
}
