/* SPDX-License-Identifier: MIT */
/* lost_update.c - a counter without a lock; with an argument nobody looks at its value. */
#include <assert.h>
#include <pthread.h>

static struct {
    int unused, counts[4];
} shared;

static void *add(void *arg)
{
    shared.counts[2]++; /* the race */
    return arg;
}

int main(int argc, char **argv)
{
    pthread_t one, other;

    (void)argv;
    pthread_create(&one, NULL, add, NULL);
    pthread_create(&other, NULL, add, NULL);
    pthread_join(one, NULL);
    pthread_join(other, NULL);
    assert(argc > 1 || shared.counts[2] == 2);
    return 0;
}
