/* SPDX-License-Identifier: MIT */
/* ring_of_locks.c - twenty threads, each of which hands over to the next.
 *
 * bug: each keeps its own lock while it takes its neighbour's: a cycle of twenty
 * kind: deadlock
 * budget: 500
 * door: either */
#include <pthread.h>

enum { THREADS = 20 };

static pthread_mutex_t locks[THREADS];
static int boxes[THREADS];

static void *hand_over(void *arg)
{
    long me = (long)arg, next = (me + 1) % THREADS;

    pthread_mutex_lock(&locks[me]);
    boxes[me]--;
    pthread_mutex_lock(&locks[next]);
    boxes[next]++;
    pthread_mutex_unlock(&locks[next]);
    pthread_mutex_unlock(&locks[me]);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_mutex_init(&locks[i], NULL);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, hand_over, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}
