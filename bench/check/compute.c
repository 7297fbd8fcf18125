/* SPDX-License-Identifier: MIT */
/* compute.c - two threads that do little but use memory: each sifts numbers of its own, reads a
 * table that both share, and adds what it found to a sum under a lock, a few hundred times.
 *
 *     compute ROUNDS */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 1 << 14, TABLE = 256, WORKERS = 2 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t sum;
static uint32_t table[TABLE];
static int rounds;

static uint64_t sift(uint8_t *composite)
{
    uint64_t found = 0;

    memset(composite, 0, NUMBERS);
    for (unsigned n = 2; n < NUMBERS; n++) {
        if (composite[n])
            continue;
        found += table[n % TABLE];
        for (unsigned m = 2 * n; m < NUMBERS; m += n)
            composite[m] = 1;
    }
    return found;
}

static void *work(void *arg)
{
    uint8_t *composite = malloc(NUMBERS);

    for (int i = 0; i < rounds && composite; i++) {
        uint64_t found = sift(composite);
        pthread_mutex_lock(&lock);
        sum += found;
        pthread_mutex_unlock(&lock);
    }
    free(composite);
    return arg;
}

int main(int argc, char **argv)
{
    pthread_t threads[WORKERS];

    rounds = argc > 1 ? atoi(argv[1]) : 0;
    if (rounds < 1) {
        fprintf(stderr, "usage: compute ROUNDS\n");
        return 2;
    }
    for (uint32_t i = 0; i < TABLE; i++)
        table[i] = i;
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    return sum == 0;
}
