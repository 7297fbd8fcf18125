/* SPDX-License-Identifier: MIT */
/* hand_over_hand.c - a list with a lock a node, taken hand over hand.
 *
 * looks like: locks in an order of addresses that differs, nodes freed while others pass */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 3, KEYS = 4 };

struct node {
    pthread_mutex_t lock;
    struct node *next;
    int key;
};

static struct node head = {PTHREAD_MUTEX_INITIALIZER, NULL, -1};

/* The node before `key`, locked. */
static struct node *find(int key)
{
    struct node *at = &head;
    pthread_mutex_lock(&at->lock);
    while (at->next && at->next->key < key) {
        struct node *next = at->next;
        pthread_mutex_lock(&next->lock);
        pthread_mutex_unlock(&at->lock);
        at = next;
    }
    return at;
}

static void insert(int key)
{
    struct node *node = calloc(1, sizeof *node);
    pthread_mutex_init(&node->lock, NULL);
    node->key = key;
    struct node *before = find(key);
    node->next = before->next;
    before->next = node;
    pthread_mutex_unlock(&before->lock);
}

static void delete (int key)
{
    struct node *before = find(key), *node = before->next;
    assert(node && node->key == key);
    pthread_mutex_lock(&node->lock);
    before->next = node->next;
    pthread_mutex_unlock(&node->lock);
    pthread_mutex_unlock(&before->lock);
    pthread_mutex_destroy(&node->lock);
    free(node);
}

static void *worker(void *arg)
{
    int me = *(int *)arg;
    for (int i = 0; i < KEYS; i++)
        insert(i * THREADS + me);
    for (int i = KEYS; i-- > 0;)
        delete (i * THREADS + me);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, worker, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert(!head.next);
    return 0;
}
