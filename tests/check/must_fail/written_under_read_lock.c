/* SPDX-License-Identifier: MIT */
/* written_under_read_lock.c - a table with a counter of its readers' hits.
 *
 * bug: the counter is changed under the read lock, which several hold at once
 * kind: assertion
 * budget: 40
 * door: instrumented */
#include <assert.h>
#include <pthread.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static int hits;

static void *look_up(void *arg)
{
    pthread_rwlock_rdlock(&lock);
    hits++;
    pthread_rwlock_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, look_up, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert(hits == 2);
}
