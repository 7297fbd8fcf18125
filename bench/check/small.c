/* SPDX-License-Identifier: MIT */
/* small.c - as many threads as are asked for, each of which adds to a counter under a lock, twice.
 *
 *     small THREADS */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS_MOST = 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int counter;

static void *add(void *arg)
{
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

int main(int argc, char **argv)
{
    static pthread_t threads[THREADS_MOST];
    int count = argc > 1 ? atoi(argv[1]) : 0;

    if (count < 1 || count > THREADS_MOST) {
        fprintf(stderr, "usage: small THREADS\n");
        return 2;
    }
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, add, NULL);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return counter != 2 * count;
}
