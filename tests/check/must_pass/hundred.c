/* SPDX-License-Identifier: MIT */
/* hundred.c - a hundred threads, each with a cell of its own, summed up once all are joined.
 *
 * looks like: a race on the array */
#include <assert.h>
#include <pthread.h>

enum { THREADS = 100 };

static int cells[THREADS];

static void *fill(void *arg)
{
    *(int *)arg = 1;
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int sum = 0;

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, fill, &cells[i]);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += cells[i];
    }
    assert(sum == THREADS);
}
