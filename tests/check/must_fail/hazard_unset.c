/* SPDX-License-Identifier: MIT */
/* hazard_unset.c - hazard pointers, published and not looked at again.
 *
 * bug: the reader publishes the pointer it read, but does not read it again: it may have been
 *      retired and freed before it was published
 * kind: heap crash assertion
 * budget: 70
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum { READERS = 2, UPDATES = 3 };

struct item {
    int value, check;
};

static _Atomic(struct item *) shared;
static _Atomic(struct item *) hazards[READERS];
static struct item *retired[UPDATES];
static int retired_count;

static struct item *make(int value)
{
    struct item *item = malloc(sizeof *item);
    item->value = value;
    item->check = ~value;
    return item;
}

static bool is_hazardous(struct item *item)
{
    for (int i = 0; i < READERS; i++) {
        if (atomic_load(&hazards[i]) == item)
            return true;
    }
    return false;
}

static void reclaim(void)
{
    int kept = 0;
    for (int i = 0; i < retired_count; i++) {
        if (is_hazardous(retired[i]))
            retired[kept++] = retired[i];
        else
            free(retired[i]);
    }
    retired_count = kept;
}

static void *reader(void *arg)
{
    _Atomic(struct item *) *hazard = arg;
    for (int i = 0; i < UPDATES; i++) {
        struct item *item = atomic_load(&shared);
        atomic_store(hazard, item);
        assert(item->check == ~item->value);
        atomic_store(hazard, NULL);
    }
    return NULL;
}

static void *updater(void *arg)
{
    for (int i = 0; i < UPDATES; i++) {
        retired[retired_count++] = atomic_exchange(&shared, make(i));
        reclaim();
    }
    return arg;
}

int main(void)
{
    pthread_t threads[READERS + 1];
    shared = make(100);
    for (int i = 0; i < READERS; i++)
        pthread_create(&threads[i], NULL, reader, &hazards[i]);
    pthread_create(&threads[READERS], NULL, updater, NULL);
    for (int i = 0; i <= READERS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
