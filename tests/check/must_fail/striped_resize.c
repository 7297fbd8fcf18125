/* SPDX-License-Identifier: MIT */
/* striped_resize.c - a hash table with a lock per stripe that grows.
 *
 * bug: put() finds its bucket with the old size before it takes the stripe's lock; a resize
 *      between moves everything, and the key goes where nobody looks for it
 * kind: assertion
 * budget: 200
 * door: either */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { STRIPES = 2, FIRST = 2, KEYS = 8, THREADS = 2 };

struct node {
    struct node *next;
    int key;
};

static struct node **buckets;
static int size = FIRST, used;
static pthread_mutex_t stripes[STRIPES] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static void lock_all(void)
{
    for (int i = 0; i < STRIPES; i++)
        pthread_mutex_lock(&stripes[i]);
}

static void unlock_all(void)
{
    for (int i = STRIPES; i-- > 0;)
        pthread_mutex_unlock(&stripes[i]);
}

static void resize(void)
{
    lock_all();
    struct node **fresh = calloc(size * 2, sizeof(struct node *));
    for (int i = 0; i < size; i++) {
        for (struct node *at = buckets[i], *next; at; at = next) {
            next = at->next;
            at->next = fresh[at->key % (size * 2)];
            fresh[at->key % (size * 2)] = at;
        }
    }
    free(buckets);
    buckets = fresh;
    size *= 2;
    unlock_all();
}

static void put(int key)
{
    struct node *node = malloc(sizeof *node);
    node->key = key;
    int bucket = key % size;
    pthread_mutex_lock(&stripes[key % STRIPES]);
    node->next = buckets[bucket];
    buckets[bucket] = node;
    pthread_mutex_unlock(&stripes[key % STRIPES]);
    if (__sync_add_and_fetch(&used, 1) == 5)
        resize();
}

static int has(int key)
{
    int found = 0;
    pthread_mutex_lock(&stripes[key % STRIPES]);
    for (struct node *at = buckets[key % size]; at && !found; at = at->next)
        found = at->key == key;
    pthread_mutex_unlock(&stripes[key % STRIPES]);
    return found;
}

static void *filler(void *arg)
{
    for (int key = *(int *)arg; key < KEYS; key += THREADS)
        put(key);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int first[THREADS] = {0, 1};
    buckets = calloc(size, sizeof(struct node *));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, filler, &first[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int key = 0; key < KEYS; key++)
        assert(has(key));
    return 0;
}
