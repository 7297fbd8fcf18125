/* SPDX-License-Identifier: MIT */
/* two_locks.c - two accounts, and transfers in both directions.
 *
 * bug: each transfer locks the account that it takes from first
 * kind: deadlock
 * budget: 20
 * door: either */
#include <pthread.h>

struct account {
    pthread_mutex_t lock;
    long balance;
};

static struct account a = {PTHREAD_MUTEX_INITIALIZER, 100}, b = {PTHREAD_MUTEX_INITIALIZER, 100};

static void transfer(struct account *from, struct account *to, long amount)
{
    pthread_mutex_lock(&from->lock);
    pthread_mutex_lock(&to->lock);
    from->balance -= amount;
    to->balance += amount;
    pthread_mutex_unlock(&to->lock);
    pthread_mutex_unlock(&from->lock);
}

static void *there(void *arg)
{
    transfer(&a, &b, 10);
    return arg;
}

static void *back(void *arg)
{
    transfer(&b, &a, 20);
    return arg;
}

int main(void)
{
    pthread_t threads[2];

    pthread_create(&threads[0], NULL, there, NULL);
    pthread_create(&threads[1], NULL, back, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}
