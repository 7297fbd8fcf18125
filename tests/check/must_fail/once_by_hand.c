/* SPDX-License-Identifier: MIT */
/* once_by_hand.c - something is to be set up once, by whoever comes first.
 *
 * bug: the second to come finds that it has begun, and goes on before it has ended
 * kind: assertion
 * budget: 40
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_flag has_begun = ATOMIC_FLAG_INIT;
static atomic_int table[2];

static void *use(void *arg)
{
    if (!atomic_flag_test_and_set(&has_begun)) {
        table[0] = 1;
        table[1] = 2;
    }
    assert(table[0] + table[1] == 3);
    return arg;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, use, NULL);
    pthread_create(&b, NULL, use, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
