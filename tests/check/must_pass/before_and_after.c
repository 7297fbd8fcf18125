/* SPDX-License-Identifier: MIT */
/* before_and_after.c - settings are written before the threads are made, results read after they
 * are joined.
 *
 * looks like: races on both, which nobody locks */
#include <assert.h>
#include <pthread.h>

struct half {
    const int *from;
    int count, sum;
};

static int numbers[8];

static void *add_up(void *arg)
{
    struct half *half = arg;

    for (int i = 0; i < half->count; i++)
        half->sum += half->from[i];
    return NULL;
}

int main(void)
{
    struct half halves[2] = {{numbers, 4, 0}, {numbers + 4, 4, 0}};
    pthread_t threads[2];

    for (int i = 0; i < 8; i++)
        numbers[i] = i;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, add_up, &halves[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert(halves[0].sum + halves[1].sum == 28);
}
