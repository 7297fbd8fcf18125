/* SPDX-License-Identifier: MIT */
/* noise_then_check.c - hundreds of steps of work on shared counters, and one careless moment.
 *
 * bug: when a worker sees the high-water mark, it reads and writes the maximum without the lock
 *      that it held for all the rest: the smaller one may be written last
 * kind: assertion
 * budget: 320
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

enum { WORKERS = 4, STEPS = 50 };

static atomic_long total;
static long table[16];
static int highest;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *worker(void *arg)
{
    int me = *(int *)arg;
    for (int i = 0; i < STEPS; i++) {
        pthread_mutex_lock(&lock);
        table[(me + i) % 16] += i;
        pthread_mutex_unlock(&lock);
        atomic_fetch_add(&total, i);
    }
    if (me > highest)
        highest = me;
    return NULL;
}

int main(void)
{
    pthread_t threads[WORKERS];
    int numbers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        numbers[i] = i + 1;
        pthread_create(&threads[i], NULL, worker, &numbers[i]);
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert(highest == WORKERS);
    return 0;
}
