/* SPDX-License-Identifier: MIT */
/* model_deque.c - the owner of a deque pushes and pops while a thief steals.
 *
 * What must hold: each item is taken out once, by one of the two, with what was written into it.
 *
 * sources: src/queue/deque.c src/sys/lock.c src/sys/futex.c src/sys/fence.c src/sys/clock.c
 * sources: src/sys/call.c src/base/alloc.c src/base/atomic.c src/base/check.c src/base/seam.c
 * shrink: src/queue/deque.c MIN_CAPACITY 4 */
#include "queue/deque.h"

#include <assert.h>
#include <pthread.h>

enum { ITEMS = 6, BATCH = 2 };

struct item {
    int value;
    atomic_int taken;
};

static struct rvi_deque deque;
static struct item items[ITEMS];

static void take(struct item *item)
{
    assert(atomic_fetch_add(&item->taken, 1) == 0);
    assert(item->value == 1 + (int)(item - items));
}

static void *steal(void *arg)
{
    for (int turn = 0; turn < 2; turn++) {
        void *loot[BATCH];
        size_t count = rvi_deque_steal(&deque, loot, BATCH);
        for (size_t i = 0; i < count; i++)
            take(loot[i]);
    }
    return arg;
}

static void push(int i)
{
    items[i].value = i + 1;
    assert(rvi_deque_push(&deque, &items[i]) == 0);
}

static void pop(void)
{
    struct item *item = rvi_deque_pop(&deque);

    if (item)
        take(item);
}

int main(void)
{
    pthread_t thief;

    rvi_fence_asym_force_symmetric(true);
    assert(rvi_deque_init(&deque) == 0);
    pthread_create(&thief, NULL, steal, NULL);
    push(0);
    push(1);
    pop();
    for (int i = 2; i < ITEMS; i++)
        push(i);
    pop();
    pop();
    pthread_join(thief, NULL);
    for (int i = 0; i < ITEMS; i++)
        pop();
    for (int i = 0; i < ITEMS; i++)
        assert(items[i].taken == 1);
    assert(rvi_deque_count(&deque) == 0);
    rvi_deque_fini(&deque);
}
