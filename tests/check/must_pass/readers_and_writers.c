/* SPDX-License-Identifier: MIT */
/* readers_and_writers.c - two plain values that belong together, under a read-write lock.
 *
 * looks like: a torn read, as two readers are inside at once */
#include <assert.h>
#include <pthread.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static int x, y;

static void *write_both(void *arg)
{
    for (int i = 1; i <= 2; i++) {
        pthread_rwlock_wrlock(&lock);
        x = i;
        y = i;
        pthread_rwlock_unlock(&lock);
    }
    return arg;
}

static void *read_both(void *arg)
{
    pthread_rwlock_rdlock(&lock);
    assert(x == y);
    pthread_rwlock_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t threads[3];

    pthread_create(&threads[0], NULL, write_both, NULL);
    pthread_create(&threads[1], NULL, read_both, NULL);
    pthread_create(&threads[2], NULL, read_both, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
