/* SPDX-License-Identifier: MIT */
/* deque_last_item.c - a work-stealing deque whose owner takes the last item without asking.
 *
 * bug: the owner's pop() does not compete with thieves for the last item: both run it
 * kind: assertion
 * budget: 110
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

enum { ITEMS = 6, THIEVES = 2 };

static atomic_long top, bottom;
static atomic_int items[ITEMS];
static atomic_int runs[ITEMS];

static void push(int item)
{
    long b = atomic_load(&bottom);
    atomic_store(&items[b % ITEMS], item);
    atomic_store(&bottom, b + 1);
}

static int pop(void)
{
    long b = atomic_load(&bottom) - 1;
    atomic_store(&bottom, b);
    long t = atomic_load(&top);
    if (t > b) {
        atomic_store(&bottom, t);
        return -1;
    }
    return atomic_load(&items[b % ITEMS]);
}

static int steal(void)
{
    long t = atomic_load(&top);
    long b = atomic_load(&bottom);
    if (t >= b)
        return -1;
    int item = atomic_load(&items[t % ITEMS]);
    if (!atomic_compare_exchange_strong(&top, &t, t + 1))
        return -1;
    return item;
}

static void work(int item)
{
    assert(atomic_fetch_add(&runs[item], 1) == 0);
}

static void *thief(void *arg)
{
    for (int i = 0; i < ITEMS; i++) {
        int item = steal();
        if (item >= 0)
            work(item);
    }
    return arg;
}

int main(void)
{
    pthread_t thieves[THIEVES];
    for (int i = 0; i < THIEVES; i++)
        pthread_create(&thieves[i], NULL, thief, NULL);
    for (int i = 0; i < ITEMS; i++)
        push(i);
    for (int item; (item = pop()) >= 0;)
        work(item);
    for (int i = 0; i < THIEVES; i++)
        pthread_join(thieves[i], NULL);
    return 0;
}
