/* SPDX-License-Identifier: MIT */
/* reference_count.c - an object that goes when its last user does.
 *
 * bug: the count is decremented and looked at in two steps; two users can both see zero, or none
 * kind: heap assertion
 * budget: 60
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct object {
    atomic_int users;
};

static atomic_int freed;

static void put(struct object *object)
{
    atomic_fetch_sub(&object->users, 1);
    if (atomic_load(&object->users) == 0) {
        atomic_fetch_add(&freed, 1);
        free(object);
    }
}

static void *use(void *arg)
{
    put(arg);
    return NULL;
}

int main(void)
{
    struct object *object = malloc(sizeof *object);
    pthread_t threads[2];

    atomic_init(&object->users, 2);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, use, object);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert(freed == 1);
}
