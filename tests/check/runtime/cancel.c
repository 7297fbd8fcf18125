/* SPDX-License-Identifier: MIT */
/* cancel.c - every way in which a thread ends, and what runs when it does. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_key_t key;
static int cleaned, destroyed;

static void clean_up(void *arg)
{
    cleaned++;
    pthread_mutex_unlock(arg);
}

/* Sets its value once more, so that a second round is needed. */
static void destroy(void *arg)
{
    if (destroyed++ == 0)
        pthread_setspecific(key, arg);
}

static void wait_for_ever(void)
{
    pthread_mutex_lock(&lock);
    pthread_cleanup_push(clean_up, &lock);
    for (;;)
        pthread_cond_wait(&never, &lock);
    pthread_cleanup_pop(1);
}

static void *waits(void *arg)
{
    pthread_setspecific(key, arg);
    wait_for_ever();
    return NULL;
}

static void *spins(void *arg)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;)
        sched_yield();
    return arg;
}

static void *sleeps(void *arg)
{
    sleep(100);
    return arg;
}

static void *exits(void *arg)
{
    pthread_exit(arg);
}

static void *refuses(void *arg)
{
    int before;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    sched_yield();
    sleep(1);
    pthread_setcancelstate(before, NULL);
    pthread_testcancel();
    return arg;
}

static void *cancelled(void *(*body)(void *))
{
    pthread_t thread;
    void *value = NULL;

    assert(pthread_create(&thread, NULL, body, &thread) == 0);
    assert(pthread_cancel(thread) == 0);
    assert(pthread_join(thread, &value) == 0);
    return value == &thread ? NULL : value;
}

static void names_and_stacks(void)
{
    pthread_attr_t attr;
    char name[16];
    void *low;
    size_t bytes;

    assert(pthread_setname_np(pthread_self(), "a name") == 0);
    assert(pthread_getname_np(pthread_self(), name, sizeof name) == 0);
    assert(strcmp(name, "a name") == 0);
    assert(pthread_getattr_np(pthread_self(), &attr) == 0);
    assert(pthread_attr_getstack(&attr, &low, &bytes) == 0);
    assert((char *)low <= name && name < (char *)low + bytes);
    pthread_attr_destroy(&attr);
}

int main(void)
{
    pthread_t thread;
    void *value;

    pthread_key_create(&key, destroy);
    assert(cancelled(waits) == PTHREAD_CANCELED);
    assert(destroyed == 0 || destroyed == 2); /* it may be cancelled before it has a value */
    assert(pthread_mutex_trylock(&lock) == 0);
    pthread_mutex_unlock(&lock);
    assert(cancelled(spins) == PTHREAD_CANCELED);
    value = cancelled(sleeps);
    assert(value == PTHREAD_CANCELED || !value);
    value = cancelled(refuses);
    assert(value == PTHREAD_CANCELED || !value);
    pthread_create(&thread, NULL, exits, &key);
    int error = pthread_tryjoin_np(thread, &value);
    assert(error == 0 || error == EBUSY);
    if (error == EBUSY)
        pthread_join(thread, &value);
    assert(value == &key);
    names_and_stacks();
    pthread_exit(NULL);
}
