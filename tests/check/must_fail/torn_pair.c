/* SPDX-License-Identifier: MIT */
/* torn_pair.c - a key and the value that belongs to it.
 *
 * bug: the writer stores them one after the other without a lock; a reader meets the new key
 *      with the old value
 * kind: assertion
 * budget: 40
 * door: instrumented */
#include <assert.h>
#include <pthread.h>

static struct {
    int key, value;
} cache = {1, 10};

static void *update(void *arg)
{
    for (int key = 2; key <= 4; key++) {
        cache.key = key;
        cache.value = 10 * key;
    }
    return arg;
}

static void *look_up(void *arg)
{
    int key = cache.key, value = cache.value;

    assert(value == 10 * key);
    return arg;
}

int main(void)
{
    pthread_t writer, reader;

    pthread_create(&writer, NULL, update, NULL);
    pthread_create(&reader, NULL, look_up, NULL);
    pthread_join(writer, NULL);
    pthread_join(reader, NULL);
}
