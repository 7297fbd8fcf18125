/* SPDX-License-Identifier: MIT */
/* loop_variable.c - the address of a loop's variable handed to threads.
 *
 * bug: each thread reads its number from a variable that has gone on, or is gone
 * kind: exit
 * budget: 40
 * door: either */
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 4 };

static int hits[THREADS + 1];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *worker(void *arg)
{
    int me = *(int *)arg;
    pthread_mutex_lock(&lock);
    if (me >= 0 && me <= THREADS)
        hits[me]++;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int i;
    for (i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, worker, &i);
    for (int j = 0; j < THREADS; j++)
        pthread_join(threads[j], NULL);
    for (int j = 0; j < THREADS; j++) {
        if (hits[j] != 1) {
            printf("worker %d ran %d times\n", j, hits[j]);
            return 1;
        }
    }
    return 0;
}
