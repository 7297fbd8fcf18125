/* SPDX-License-Identifier: MIT */
/* computed_twice.c - a cache under a read-write lock that upgrades by letting go.
 *
 * bug: between the unlock of the read lock and the write lock another thread has filled the entry,
 *      which nobody looks at again: computed twice
 * kind: assertion
 * budget: 40
 * door: either */
#include <assert.h>
#include <pthread.h>

enum { KEYS = 3, THREADS = 3 };

static int cache[KEYS], computed[KEYS];
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static int lookup(int key)
{
    pthread_rwlock_rdlock(&lock);
    int value = cache[key];
    pthread_rwlock_unlock(&lock);
    if (value)
        return value;
    pthread_rwlock_wrlock(&lock);
    computed[key]++;
    value = cache[key] = key + 100;
    pthread_rwlock_unlock(&lock);
    return value;
}

static void *reader(void *arg)
{
    int first = *(int *)arg;
    for (int i = 0; i < KEYS; i++)
        assert(lookup((first + i) % KEYS) >= 100);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int first[THREADS] = {0, 1, 2};
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, reader, &first[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < KEYS; i++)
        assert(computed[i] == 1);
    return 0;
}
