/* SPDX-License-Identifier: MIT */
/* double_checked.c - an object that is made at its first use; its pointer is released when it is
 * whole.
 *
 * looks like: the broken form of the same */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct service {
    int port;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct service *) instance;

static struct service *get(void)
{
    struct service *s = atomic_load_explicit(&instance, memory_order_acquire);

    if (!s) {
        pthread_mutex_lock(&lock);
        s = atomic_load_explicit(&instance, memory_order_relaxed);
        if (!s) {
            s = malloc(sizeof *s);
            s->port = 80;
            atomic_store_explicit(&instance, s, memory_order_release);
        }
        pthread_mutex_unlock(&lock);
    }
    return s;
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
    free(instance);
}
