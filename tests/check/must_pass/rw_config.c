/* SPDX-License-Identifier: MIT */
/* rw_config.c - readers of a pointer under a read lock; the old one is freed outside the lock.
 *
 * looks like: a use after free */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *name;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void rename_to(const char *to)
{
    char *fresh = strdup(to);
    pthread_rwlock_wrlock(&lock);
    char *old = name;
    name = fresh;
    pthread_rwlock_unlock(&lock);
    free(old);
}

static void *reader(void *arg)
{
    for (int i = 0; i < 4; i++) {
        char copy[16];
        pthread_rwlock_rdlock(&lock);
        snprintf(copy, sizeof copy, "%s", name);
        pthread_rwlock_unlock(&lock);
        assert(strlen(copy) == 4);
    }
    return arg;
}

static void *writer(void *arg)
{
    rename_to("beta");
    rename_to("zeta");
    return arg;
}

int main(void)
{
    pthread_t threads[4];
    name = strdup("iota");
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, i ? reader : writer, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    free(name);
    return 0;
}
