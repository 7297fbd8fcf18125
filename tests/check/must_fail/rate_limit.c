/* SPDX-License-Identifier: MIT */
/* rate_limit.c - a token bucket that lets too many through.
 *
 * bug: tokens are compared with an atomic load and taken by an atomic decrement
 * kind: assertion
 * budget: 40
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>

enum { TOKENS = 5, CLIENTS = 6, TRIES = 3 };

static int tokens = TOKENS;
static int passed, refused;

static int allow(void)
{
    if (__atomic_load_n(&tokens, __ATOMIC_SEQ_CST) <= 0)
        return 0;
    __atomic_fetch_sub(&tokens, 1, __ATOMIC_SEQ_CST);
    return 1;
}

static void *client(void *arg)
{
    for (int i = 0; i < TRIES; i++) {
        if (allow())
            __atomic_fetch_add(&passed, 1, __ATOMIC_SEQ_CST);
        else
            __atomic_fetch_add(&refused, 1, __ATOMIC_SEQ_CST);
    }
    return arg;
}

int main(void)
{
    pthread_t threads[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&threads[i], NULL, client, NULL);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    printf("%d passed, %d refused\n", passed, refused);
    assert(passed == TOKENS);
    return 0;
}
