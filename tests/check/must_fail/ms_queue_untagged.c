/* SPDX-License-Identifier: MIT */
/* ms_queue_untagged.c - Michael and Scott's queue with nodes that are used again, without tags.
 *
 * bug: dequeue() swings the head from a node that has been taken, used again and come back
 *      (ABA): values come twice or are lost
 * kind: assertion crash livelock
 * budget: 1000
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

enum { NODES = 4, ROUNDS = 3, THREADS = 2 };

struct node {
    _Atomic(struct node *) next;
    int value;
};

static struct node nodes[NODES];
static _Atomic(struct node *) head, tail;
static _Thread_local struct node *mine[NODES];
static _Thread_local int have;
static atomic_int seen[16];

static void enqueue(int value)
{
    assert(have > 0);
    struct node *node = mine[--have];
    node->value = value;
    atomic_store(&node->next, NULL);
    for (;;) {
        struct node *last = atomic_load(&tail);
        struct node *next = atomic_load(&last->next);
        if (next) {
            atomic_compare_exchange_strong(&tail, &last, next);
            continue;
        }
        if (atomic_compare_exchange_strong(&last->next, &next, node)) {
            atomic_compare_exchange_strong(&tail, &last, node);
            return;
        }
    }
}

static int dequeue(void)
{
    for (;;) {
        struct node *first = atomic_load(&head);
        struct node *last = atomic_load(&tail);
        struct node *next = atomic_load(&first->next);
        if (!next)
            return -1;
        if (first == last) {
            atomic_compare_exchange_strong(&tail, &last, next);
            continue;
        }
        int value = next->value;
        if (atomic_compare_exchange_strong(&head, &first, next)) {
            mine[have++] = first;
            return value;
        }
    }
}

static void *worker(void *arg)
{
    int me = *(int *)arg;
    mine[have++] = &nodes[1 + me];
    for (int i = 0; i < ROUNDS; i++) {
        if (have)
            enqueue(me * ROUNDS + i);
        int value = dequeue();
        if (value >= 0)
            assert(atomic_fetch_add(&seen[value], 1) == 0);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS] = {0, 1};
    head = tail = &nodes[0];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, worker, &numbers[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
