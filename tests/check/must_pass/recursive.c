/* SPDX-License-Identifier: MIT */
/* recursive.c - functions of a list call each other with its recursive lock held.
 *
 * looks like: a lock taken twice */
#include <assert.h>
#include <pthread.h>

static pthread_mutex_t lock;
static int items;

static int count(void)
{
    pthread_mutex_lock(&lock);
    int n = items;
    pthread_mutex_unlock(&lock);
    return n;
}

static void *add(void *arg)
{
    pthread_mutex_lock(&lock);
    items = count() + 1;
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_mutexattr_t attr;
    pthread_t a, b;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &attr);
    pthread_create(&a, NULL, add, NULL);
    pthread_create(&b, NULL, add, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    assert(count() == 2);
}
