/* SPDX-License-Identifier: MIT */
/* locked_twice.c - a list whose functions lock it.
 *
 * bug: on the rare path, remove() calls count(), which takes the lock that remove() holds
 * kind: misuse deadlock
 * budget: 40
 * door: either */
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int items = 1;

static int count(void)
{
    pthread_mutex_lock(&lock);
    int n = items;
    pthread_mutex_unlock(&lock);
    return n;
}

static void *take(void *arg)
{
    pthread_mutex_lock(&lock);
    if (items > 0)
        items--;
    else
        items = count();
    pthread_mutex_unlock(&lock);
    return arg;
}

static void *put(void *arg)
{
    pthread_mutex_lock(&lock);
    items++;
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t threads[3];

    pthread_create(&threads[0], NULL, put, NULL);
    pthread_create(&threads[1], NULL, take, NULL);
    pthread_create(&threads[2], NULL, take, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
