/* SPDX-License-Identifier: MIT */
/* polite_spinners.c - two threads, each of which lets the other go first.
 *
 * bug: both raise their flag and then spin until the other's is down: a plain flag, and nobody
 *      lowers it
 * kind: livelock
 * budget: 30
 * door: instrumented */
#include <pthread.h>

static volatile int wants[2];
static int turns;

static void *enter(void *arg)
{
    int me = (int)(long)arg;

    wants[me] = 1;
    while (wants[1 - me]) {}
    turns++;
    wants[me] = 0;
    return NULL;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, enter, (void *)0L);
    pthread_create(&b, NULL, enter, (void *)1L);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
