/* SPDX-License-Identifier: MIT */
/* double_checked.c - an object that is made at its first use, looked for without the lock first.
 *
 * bug: the pointer is stored before what it points to is filled in
 * kind: assertion
 * budget: 40
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct service {
    int port;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct service *instance;

static struct service *get(void)
{
    if (!instance) {
        pthread_mutex_lock(&lock);
        if (!instance) {
            instance = calloc(1, sizeof *instance);
            instance->port = 80;
        }
        pthread_mutex_unlock(&lock);
    }
    return instance;
}

static void *use(void *arg)
{
    assert(get()->port == 80);
    return arg;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, use, NULL);
    pthread_create(&b, NULL, use, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
