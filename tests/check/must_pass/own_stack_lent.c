/* SPDX-License-Identifier: MIT */
/* own_stack_lent.c - a thread lends a variable of its stack to another, under a lock, until it
 * is joined.
 *
 * looks like: a race on a stack */
#include <assert.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *add(void *arg)
{
    int *lent = arg;

    pthread_mutex_lock(&lock);
    ++*lent;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void)
{
    int lent = 0;
    pthread_t a;

    pthread_create(&a, NULL, add, &lent);
    pthread_mutex_lock(&lock);
    lent++;
    pthread_mutex_unlock(&lock);
    pthread_join(a, NULL);
    assert(lent == 2);
}
