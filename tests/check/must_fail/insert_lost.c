/* SPDX-License-Identifier: MIT */
/* insert_lost.c - a list that is inserted into without a lock.
 *
 * bug: the compare-and-swap compares with a head that is read again after the successor was set
 * kind: assertion
 * budget: 120
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

struct item {
    _Atomic(struct item *) next;
};

static _Atomic(struct item *) head;
static struct item items[3];

static void *insert(void *arg)
{
    struct item *item = arg, *seen;

    do {
        item->next = head;
        seen = head;
    } while (!atomic_compare_exchange_strong(&head, &seen, item));
    return NULL;
}

int main(void)
{
    pthread_t threads[3];
    int count = 0;

    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, insert, &items[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (struct item *i = head; i; i = i->next)
        count++;
    assert(count == 3);
}
