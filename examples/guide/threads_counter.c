/* SPDX-License-Identifier: MIT */
/* threads_counter.c - two threads count to two millions: behind a lock, in one
 * atomic counter, and each by itself, to be added up when both have ended. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { TIMES = 1000000, THREADS = 2 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long behind_lock;
static _Atomic long together;
static struct {
    _Alignas(128) _Atomic long count; /* no two in one line of the cache */
} own[THREADS];

static void *with_a_lock(void *me)
{
    for (int i = 0; i < TIMES; i++) {
        pthread_mutex_lock(&lock);
        behind_lock++;
        pthread_mutex_unlock(&lock);
    }
    return me;
}

static void *with_atomics(void *me)
{
    for (int i = 0; i < TIMES; i++)
        atomic_fetch_add_explicit(&together, 1, memory_order_relaxed);
    return me;
}

static void *by_itself(void *me)
{
    for (int i = 0; i < TIMES; i++)
        atomic_fetch_add_explicit((_Atomic long *)me, 1, memory_order_relaxed);
    return me;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* How long it took; below nothing when there was no thread to be had. */
static double on_threads(void *(*work)(void *))
{
    pthread_t threads[THREADS];
    int started = 0;
    double begin = now();

    while (started < THREADS &&
           pthread_create(&threads[started], NULL, work, &own[started].count) == 0)
        started++;
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return started == THREADS ? now() - begin : -1;
}

int main(void)
{
    double locked = on_threads(with_a_lock), shared = on_threads(with_atomics),
           apart = on_threads(by_itself);

    if (locked < 0 || shared < 0 || apart < 0)
        return 1;
    printf("behind a lock: %ld in %.3f s\n", behind_lock, locked);
    printf("one counter:   %ld in %.3f s\n", (long)together, shared);
    printf("one each:      %ld in %.3f s\n", own[0].count + own[1].count, apart);
    return 0;
}
