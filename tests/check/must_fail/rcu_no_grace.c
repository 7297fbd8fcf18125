/* SPDX-License-Identifier: MIT */
/* rcu_no_grace.c - a configuration that is replaced under its readers.
 *
 * bug: the writer waits until the count of readers is 0 before it swaps the pointer, not after: a
 *      reader who comes between reads what is freed
 * kind: heap crash assertion
 * budget: 50
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

struct config {
    int width, height;
};

static _Atomic(struct config *) current;
static atomic_int readers;

static struct config *make(int width)
{
    struct config *config = malloc(sizeof *config);
    config->width = width;
    config->height = width * 2;
    return config;
}

static void *reader(void *arg)
{
    for (int i = 0; i < 3; i++) {
        atomic_fetch_add(&readers, 1);
        struct config *config = atomic_load(&current);
        assert(config->height == config->width * 2);
        atomic_fetch_sub(&readers, 1);
    }
    return arg;
}

static void *writer(void *arg)
{
    for (int i = 2; i < 5; i++) {
        struct config *fresh = make(i);
        while (atomic_load(&readers) > 0)
            sched_yield();
        struct config *old = atomic_exchange(&current, fresh);
        free(old);
    }
    return arg;
}

int main(void)
{
    pthread_t threads[3];
    current = make(1);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, i ? reader : writer, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    free(current);
    return 0;
}
