/* SPDX-License-Identifier: MIT */
/* sequence_lock.c - readers that never wait, and look twice.
 *
 * looks like: a torn read */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
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
    unsigned before;
    int a, b;

    do {
        before = sequence;
        a = x;
        b = y;
        if (before % 2)
            sched_yield();
    } while (before % 2 || sequence != before);
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
