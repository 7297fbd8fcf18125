/* SPDX-License-Identifier: MIT */
/* aba_stack.c - a lock-free stack whose nodes come back.
 *
 * bug: pop() reads the successor of the top, and swaps the top for it even when the top has gone
 *      and come back in between with another successor (ABA): a node is on the stack and in
 *      somebody's hands
 * kind: assertion
 * budget: 1000
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

struct node {
    struct node *next;
    atomic_int owners;
};

static struct node nodes[3];
static _Atomic(struct node *) top;

static void push(struct node *node)
{
    atomic_fetch_sub(&node->owners, 1);
    node->next = atomic_load(&top);
    while (!atomic_compare_exchange_weak(&top, &node->next, node)) {}
}

static struct node *pop(void)
{
    struct node *first = atomic_load(&top);

    while (first && !atomic_compare_exchange_weak(&top, &first, first->next)) {}
    if (first)
        assert(atomic_fetch_add(&first->owners, 1) == 0);
    return first;
}

static void *take_one(void *arg)
{
    struct node *node = pop();

    if (node)
        push(node);
    return arg;
}

static void *take_two(void *arg)
{
    struct node *a = pop(), *b = pop();

    if (a)
        push(a);
    struct node *c = pop();
    if (c)
        push(c);
    if (b)
        push(b);
    return arg;
}

int main(void)
{
    pthread_t threads[2];

    for (int i = 0; i < 3; i++) {
        nodes[i].owners = 1;
        push(&nodes[i]);
    }
    pthread_create(&threads[0], NULL, take_one, NULL);
    pthread_create(&threads[1], NULL, take_two, NULL);
    take_two(NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}
