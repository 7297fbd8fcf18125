/* SPDX-License-Identifier: MIT */
/* lru_evict.c - a cache that evicts what somebody still reads.
 *
 * bug: get() counts its use only after it let the lock go, so that put() of another may evict and
 *      free the entry between
 * kind: heap crash assertion
 * budget: 40
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { SLOTS = 2, KEYS = 4 };

struct entry {
    int key, value;
    int uses;
    int stamp;
};

static struct entry *cache[SLOTS];
static int clock_hand;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct entry *lookup(int key)
{
    for (int i = 0; i < SLOTS; i++) {
        if (cache[i] && cache[i]->key == key)
            return cache[i];
    }
    return NULL;
}

static struct entry *get(int key)
{
    pthread_mutex_lock(&lock);
    struct entry *found = lookup(key);
    if (found)
        found->stamp = ++clock_hand;
    pthread_mutex_unlock(&lock);
    if (found)
        __sync_fetch_and_add(&found->uses, 1);
    return found;
}

static void put_back(struct entry *entry)
{
    __sync_fetch_and_sub(&entry->uses, 1);
}

static void insert(int key)
{
    pthread_mutex_lock(&lock);
    int oldest = -1;
    for (int i = 0; i < SLOTS; i++) {
        if (!cache[i]) {
            oldest = i;
            break;
        }
        if (cache[i]->uses == 0 && (oldest < 0 || cache[i]->stamp < cache[oldest]->stamp))
            oldest = i;
    }
    if (oldest >= 0 && !lookup(key)) {
        free(cache[oldest]);
        struct entry *fresh = calloc(1, sizeof *fresh);
        fresh->key = key;
        fresh->value = key * 10;
        fresh->stamp = ++clock_hand;
        cache[oldest] = fresh;
    }
    pthread_mutex_unlock(&lock);
}

static void *worker(void *arg)
{
    int start = *(int *)arg;
    for (int i = 0; i < KEYS; i++) {
        int key = (start + i) % KEYS;
        struct entry *entry = get(key);
        if (!entry) {
            insert(key);
            continue;
        }
        assert(entry->value == key * 10);
        put_back(entry);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[3];
    int starts[3] = {0, 0, 2};
    insert(0);
    insert(1);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, worker, &starts[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
