/* SPDX-License-Identifier: MIT */
/* tagged_stack.c - a lock-free stack whose nodes come back; each change of the top has a number
 * of its own.
 *
 * looks like: ABA */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { NODES = 3, NONE = 255 };

static atomic_uint next[NODES];
static atomic_int owners[NODES];
static _Atomic uint64_t top = NONE;

static uint64_t with(uint64_t old, unsigned node)
{
    return ((old >> 8) + 1) << 8 | node;
}

static void push(unsigned node)
{
    atomic_fetch_sub(&owners[node], 1);
    uint64_t old = atomic_load(&top);
    do
        next[node] = (unsigned)(old & 255);
    while (!atomic_compare_exchange_weak(&top, &old, with(old, node)));
}

static unsigned pop(void)
{
    uint64_t old = atomic_load(&top);

    while ((old & 255) != NONE &&
           !atomic_compare_exchange_weak(&top, &old, with(old, next[old & 255]))) {}
    if ((old & 255) != NONE)
        assert(atomic_fetch_add(&owners[old & 255], 1) == 0);
    return (unsigned)(old & 255);
}

static void *take_two(void *arg)
{
    unsigned a = pop(), b = pop();

    if (a != NONE)
        push(a);
    if (b != NONE)
        push(b);
    return arg;
}

int main(void)
{
    pthread_t threads[2];

    for (unsigned i = 0; i < NODES; i++) {
        owners[i] = 1;
        push(i);
    }
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, take_two, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
