/* SPDX-License-Identifier: MIT */
/* sequence_lock.c - readers that never wait.
 *
 * bug: the reader compares the sequence before and after, but does not see that it was odd: a
 *      write was under way
 * kind: assertion
 * budget: 500
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_uint sequence;
static atomic_int x, y;

static void *write_both(void *arg)
{
    for (int i = 1; i <= 3; i++) {
        atomic_fetch_add(&sequence, 1);
        x = i;
        y = i;
        atomic_fetch_add(&sequence, 1);
    }
    return arg;
}

static void *read_both(void *arg)
{
    unsigned before = sequence;
    int a = x, b = y;

    if (sequence == before)
        assert(a == b);
    return arg;
}

int main(void)
{
    pthread_t writer, reader;

    pthread_create(&writer, NULL, write_both, NULL);
    pthread_create(&reader, NULL, read_both, NULL);
    pthread_join(writer, NULL);
    pthread_join(reader, NULL);
}
