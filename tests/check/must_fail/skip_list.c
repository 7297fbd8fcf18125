/* SPDX-License-Identifier: MIT */
/* skip_list.c - a sorted list with a second, express level.
 *
 * bug: insert() finds its place without the lock and does not look again after it took it: of two
 *      neighbours that are inserted at once one is lost
 * kind: assertion crash
 * budget: 40
 * door: either */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { LEVELS = 2, THREADS = 3, EACH = 3 };

struct node {
    int key, levels;
    struct node *next[LEVELS];
};

static struct node head = {-1, LEVELS, {NULL, NULL}};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void find(int key, struct node *before[LEVELS])
{
    struct node *at = &head;
    for (int level = LEVELS; level-- > 0;) {
        while (at->next[level] && at->next[level]->key < key)
            at = at->next[level];
        before[level] = at;
    }
}

static void insert(int key)
{
    struct node *before[LEVELS], *node = calloc(1, sizeof *node);
    node->key = key;
    node->levels = key % 3 == 0 ? 2 : 1;
    find(key, before);
    pthread_mutex_lock(&lock);
    for (int level = 0; level < node->levels; level++) {
        node->next[level] = before[level]->next[level];
        before[level]->next[level] = node;
    }
    pthread_mutex_unlock(&lock);
}

static void *inserter(void *arg)
{
    for (int i = 0; i < EACH; i++)
        insert(*(int *)arg + i * THREADS);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int first[THREADS] = {1, 2, 3};
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, inserter, &first[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    int last = -1;
    for (struct node *at = head.next[0]; at; at = at->next[0]) {
        assert(at->key > last);
        last = at->key;
    }
    return 0;
}
