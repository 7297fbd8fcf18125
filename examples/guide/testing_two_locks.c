/* SPDX-License-Identifier: MIT */
/* testing_two_locks.c - two threads take two locks, each in an order of its own. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t spoon = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t knife = PTHREAD_MUTEX_INITIALIZER;

static void *left_handed(void *arg)
{
    pthread_mutex_lock(&spoon);
    pthread_mutex_lock(&knife);
    pthread_mutex_unlock(&knife);
    pthread_mutex_unlock(&spoon);
    return arg;
}

static void *right_handed(void *arg)
{
    pthread_mutex_lock(&knife);
    pthread_mutex_lock(&spoon);
    pthread_mutex_unlock(&spoon);
    pthread_mutex_unlock(&knife);
    return arg;
}

int main(void)
{
    pthread_t left, right;
    pthread_create(&left, NULL, left_handed, NULL);
    pthread_create(&right, NULL, right_handed, NULL);
    pthread_join(left, NULL);
    pthread_join(right, NULL);
    printf("both have eaten\n");
    return 0;
}
