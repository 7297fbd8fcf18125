/* SPDX-License-Identifier: MIT */
/* robust_owner_dies.c - a thread ends with a lock that is robust.
 *
 * looks like: a deadlock */
#include <errno.h>
#include <pthread.h>

static pthread_mutex_t lock;

static void *die(void *arg)
{
    pthread_mutex_lock(&lock);
    return arg;
}

static void *inherit(void *arg)
{
    int r = pthread_mutex_lock(&lock);

    if (r == EOWNERDEAD)
        r = pthread_mutex_consistent(&lock);
    pthread_mutex_unlock(&lock);
    return r == 0 ? NULL : arg;
}

int main(void)
{
    pthread_t first, second;
    pthread_mutexattr_t attr;
    void *failed;
    int one;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&lock, &attr);
    pthread_create(&first, NULL, die, NULL);
    pthread_create(&second, NULL, inherit, &one);
    pthread_join(first, NULL);
    pthread_join(second, &failed);
    return failed != NULL;
}
