/* SPDX-License-Identifier: MIT */
/* testing_lost_update.c - two threads deposit; one deposit may be lost. */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>

static int balance;

static void *deposit(void *arg)
{
    int seen = balance;
    balance = seen + 100;
    return arg;
}

int main(void)
{
    pthread_t ann, ben;
    pthread_create(&ann, NULL, deposit, NULL);
    pthread_create(&ben, NULL, deposit, NULL);
    pthread_join(ann, NULL);
    pthread_join(ben, NULL);
    assert(balance == 200);
    printf("balance %d\n", balance);
    return 0;
}
