/* SPDX-License-Identifier: MIT */
/* once_and_key.c - per-thread buffers made on first use, freed by the key's destructor.
 *
 * looks like: a leak and a race on a static */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int freed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void drop(void *buffer)
{
    free(buffer);
    pthread_mutex_lock(&lock);
    freed++;
    pthread_mutex_unlock(&lock);
}

static void make_key(void)
{
    pthread_key_create(&key, drop);
}

static int *buffer(void)
{
    pthread_once(&once, make_key);
    int *mine = pthread_getspecific(key);
    if (!mine) {
        mine = calloc(4, sizeof *mine);
        pthread_setspecific(key, mine);
    }
    return mine;
}

static void *worker(void *arg)
{
    for (int i = 0; i < 4; i++)
        buffer()[i]++;
    assert(buffer()[3] == 1);
    return arg;
}

int main(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, worker, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert(freed == 3);
    return 0;
}
