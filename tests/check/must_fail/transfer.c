/* SPDX-License-Identifier: MIT */
/* transfer.c - money goes from one account to another while an auditor counts.
 *
 * bug: each account has its own lock, and between the two the sum is short
 * kind: assertion
 * budget: 30
 * door: either */
#include <assert.h>
#include <pthread.h>

struct account {
    pthread_mutex_t lock;
    long balance;
};

static struct account from = {PTHREAD_MUTEX_INITIALIZER, 100};
static struct account to = {PTHREAD_MUTEX_INITIALIZER, 0};

static void add(struct account *account, long amount)
{
    pthread_mutex_lock(&account->lock);
    account->balance += amount;
    pthread_mutex_unlock(&account->lock);
}

static long balance(struct account *account)
{
    pthread_mutex_lock(&account->lock);
    long b = account->balance;
    pthread_mutex_unlock(&account->lock);
    return b;
}

static void *transfer(void *arg)
{
    for (int i = 0; i < 3; i++) {
        add(&from, -10);
        add(&to, 10);
    }
    return arg;
}

static void *audit(void *arg)
{
    long sum = balance(&from) + balance(&to);

    assert(sum == 100);
    return arg;
}

int main(void)
{
    pthread_t clerk, auditor;

    pthread_create(&clerk, NULL, transfer, NULL);
    pthread_create(&auditor, NULL, audit, NULL);
    pthread_join(clerk, NULL);
    pthread_join(auditor, NULL);
}
