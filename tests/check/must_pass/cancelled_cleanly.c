/* SPDX-License-Identifier: MIT */
/* cancelled_cleanly.c - a worker is cancelled while it waits, and its cleanup handler unlocks.
 *
 * looks like: a deadlock, and a thread whose memory leaks */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static pthread_key_t key;
static int unlocked, freed;

static void unlock(void *arg)
{
    unlocked++;
    pthread_mutex_unlock(arg);
}

static void give_back(void *memory)
{
    freed++;
    free(memory);
}

static void *serve(void *arg)
{
    pthread_setspecific(key, malloc(8));
    pthread_mutex_lock(&lock);
    pthread_cleanup_push(unlock, &lock);
    for (;;)
        pthread_cond_wait(&work, &lock);
    pthread_cleanup_pop(1);
    return arg;
}

int main(void)
{
    pthread_t worker;
    void *end;

    pthread_key_create(&key, give_back);
    pthread_create(&worker, NULL, serve, NULL);
    pthread_cancel(worker);
    pthread_join(worker, &end);
    assert(end == PTHREAD_CANCELED && unlocked <= freed && freed <= 1);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
}
