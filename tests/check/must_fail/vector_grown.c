/* SPDX-License-Identifier: MIT */
/* vector_grown.c - a growing array, and somebody who walks over it.
 *
 * bug: the walker keeps the array's address outside of the lock; growing frees what it walks over
 * kind: heap crash
 * budget: 60
 * door: instrumented */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int *items;
static int count = 2;
static volatile int sum;

static void *grow(void *arg)
{
    pthread_mutex_lock(&lock);
    int *more = malloc(sizeof *items * 4);
    memcpy(more, items, sizeof *items * (size_t)count);
    free(items);
    items = more;
    pthread_mutex_unlock(&lock);
    return arg;
}

static void *walk(void *arg)
{
    pthread_mutex_lock(&lock);
    const int *here = items;
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < count; i++)
        sum = sum + here[i];
    return arg;
}

int main(void)
{
    pthread_t a, b;

    items = calloc(2, sizeof *items);
    pthread_create(&a, NULL, walk, NULL);
    pthread_create(&b, NULL, grow, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    free(items);
}
