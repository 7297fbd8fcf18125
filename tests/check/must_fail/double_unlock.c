/* SPDX-License-Identifier: MIT */
/* double_unlock.c - an error path that unlocks twice.
 *
 * bug: when the list is full, add() unlocks and then falls through to the other unlock: the lock
 *      of somebody else is undone
 * kind: misuse
 * budget: 40
 * door: either */
#include <pthread.h>
#include <stdio.h>

enum { ROOM = 5, THREADS = 3, EACH = 2 };

static int list[ROOM], count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int add(int value)
{
    int status = 0;
    pthread_mutex_lock(&lock);
    if (count == ROOM) {
        pthread_mutex_unlock(&lock);
        status = -1;
        goto out;
    }
    list[count++] = value;
out:
    pthread_mutex_unlock(&lock);
    return status;
}

static void *adder(void *arg)
{
    for (int i = 0; i < EACH; i++) {
        if (add(i) < 0)
            puts("full");
    }
    return arg;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, adder, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
