/* SPDX-License-Identifier: MIT */
/* bank_audit.c - an auditor who locks one account after the other.
 *
 * bug: the audit lets each account's lock go before it takes the next: money under way is seen
 *      twice or not at all
 * kind: assertion
 * budget: 50
 * door: either */
#include <assert.h>
#include <pthread.h>

enum { ACCOUNTS = 5, EACH = 100, TRANSFERS = 6 };

struct account {
    pthread_mutex_t lock;
    int balance;
};

static struct account accounts[ACCOUNTS];

static void transfer(int from, int to, int amount)
{
    int low = from < to ? from : to, high = from < to ? to : from;
    pthread_mutex_lock(&accounts[low].lock);
    pthread_mutex_lock(&accounts[high].lock);
    accounts[from].balance -= amount;
    accounts[to].balance += amount;
    pthread_mutex_unlock(&accounts[high].lock);
    pthread_mutex_unlock(&accounts[low].lock);
}

static void *teller(void *arg)
{
    int seed = *(int *)arg;
    for (int i = 0; i < TRANSFERS; i++) {
        int from = (seed + i * 3) % ACCOUNTS, to = (seed + i * 7 + 1) % ACCOUNTS;
        if (from != to)
            transfer(from, to, 10 + i);
    }
    return NULL;
}

static void *audit(void *arg)
{
    int sum = 0;
    for (int i = 0; i < ACCOUNTS; i++) {
        pthread_mutex_lock(&accounts[i].lock);
        sum += accounts[i].balance;
        pthread_mutex_unlock(&accounts[i].lock);
    }
    assert(sum == ACCOUNTS * EACH);
    return arg;
}

int main(void)
{
    pthread_t tellers[2], auditor;
    int seeds[2] = {0, 3};
    for (int i = 0; i < ACCOUNTS; i++) {
        pthread_mutex_init(&accounts[i].lock, NULL);
        accounts[i].balance = EACH;
    }
    for (int i = 0; i < 2; i++)
        pthread_create(&tellers[i], NULL, teller, &seeds[i]);
    pthread_create(&auditor, NULL, audit, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(tellers[i], NULL);
    pthread_join(auditor, NULL);
    return 0;
}
