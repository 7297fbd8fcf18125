/* SPDX-License-Identifier: MIT */
/* fine.c - a counter with a lock. Prints what comes on standard input. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int count;

static void *add(void *arg)
{
    pthread_mutex_lock(&lock);
    count++;
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t one, other;
    int c;

    while ((c = getchar()) != EOF)
        putchar(c);
    pthread_create(&one, NULL, add, NULL);
    pthread_create(&other, NULL, add, NULL);
    pthread_join(one, NULL);
    pthread_join(other, NULL);
    printf("%d\n", count);
    return 0;
}
