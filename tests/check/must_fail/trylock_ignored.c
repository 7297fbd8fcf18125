/* SPDX-License-Identifier: MIT */
/* trylock_ignored.c - statistics that must not hold anybody up.
 *
 * bug: whether the lock was got is not looked at; it is unlocked in any case
 * kind: misuse assertion
 * budget: 40
 * door: either */
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int calls;

static void *count(void *arg)
{
    pthread_mutex_trylock(&lock);
    calls++;
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, count, NULL);
    pthread_create(&b, NULL, count, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
